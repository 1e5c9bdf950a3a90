#include "common/changes/journal_methods.h"

#include <utility>

#include "transparency/journal/v1/journal.pb.h"

namespace transparency::changes {

using google::protobuf::Message;

JournalMethods::JournalMethods(JournalMethodsOptions options,
                               journal::Store* store,
                               prometheus::Registry* registry)
    : store_(store),
      reader_(std::move(options.reader), registry),
      hub_(options.watch, store, &reader_, registry) {
  store_->SetObserver(&hub_);
}

JournalMethods::~JournalMethods() { Stop(); }

absl::Status JournalMethods::AddRows(absl::string_view service,
                                     rpc::MethodTable* table) {
  auto reads = JournalReads::Make(store_, &reader_);
  if (!reads.ok()) return reads.status();
  reads_ = *std::move(reads);
  rpc::ServiceRows rows = table->Service(service);
  rows.UnaryAsync("ListChanges", [this](std::shared_ptr<rpc::Call> call,
                                        std::unique_ptr<Message> request,
                                        rpc::UnaryDone done) {
    reads_->ListChanges(std::move(call), std::move(request), std::move(done));
  });
  rows.UnaryAsync("GetResourceAt", [this](std::shared_ptr<rpc::Call> call,
                                          std::unique_ptr<Message> request,
                                          rpc::UnaryDone done) {
    reads_->GetResourceAt(std::move(call), std::move(request), std::move(done));
  });
  rows.ServerStream<journal::v1::WatchChangesRequest>(
      "WatchChanges", [this](std::shared_ptr<rpc::Call> call,
                             const journal::v1::WatchChangesRequest& request,
                             std::shared_ptr<rpc::AnswerWriter> writer) {
        return hub_.Open(std::move(call), request, std::move(writer));
      });
  return absl::OkStatus();
}

void JournalMethods::Start() {
  reader_.Start();
  hub_.Start();
}

void JournalMethods::Stop() {
  hub_.Stop();
  reader_.Stop();
}

}  // namespace transparency::changes
