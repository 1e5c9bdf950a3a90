#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/changes/change_form.h"
#include "common/changes/journal_reader.h"
#include "common/journal/store.h"
#include "common/rpc/call.h"
#include "common/rpc/method_table.h"
#include "google/protobuf/message.h"

namespace transparency::changes {

// ListChanges and GetResourceAt: what the journal in PostgreSQL says, in the
// form of the caller. Thread-safe.
class JournalReads {
 public:
  // Fails on a defect of the contract. Store and reader outlive it.
  static absl::StatusOr<std::unique_ptr<JournalReads>> Make(
      journal::Store* store, JournalReader* reader);

  // Rows of the method table: they answer on a thread of the reader.
  void ListChanges(std::shared_ptr<rpc::Call> call,
                   std::unique_ptr<google::protobuf::Message> request,
                   rpc::UnaryDone done) const;
  void GetResourceAt(std::shared_ptr<rpc::Call> call,
                     std::unique_ptr<google::protobuf::Message> request,
                     rpc::UnaryDone done) const;

 private:
  JournalReads(journal::Store* store, JournalReader* reader, Audiences change,
               Audiences list_request)
      : store_(store),
        reader_(reader),
        change_(std::move(change)),
        list_request_(std::move(list_request)) {}

  journal::Store* const store_;
  JournalReader* const reader_;
  const Audiences change_;
  const Audiences list_request_;
};

}  // namespace transparency::changes
