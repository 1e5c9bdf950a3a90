// The least that passes any gRPC call on to another server: gRPC's own generic
// service in front of its own generic stub, with messages, metadata, deadline,
// cancellation and status going through as they come, one message of each
// direction at a time. Knows no method, counts nothing, logs nothing.

#include <atomic>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/client_callback.h"

ABSL_FLAG(std::string, listen, "", "host:port");
ABSL_FLAG(std::string, target, "", "host:port of the server behind");

namespace transparency::bench {
namespace {

std::string Text(const grpc::string_ref& text) {
  return std::string(text.data(), text.size());
}

// Both sides of one call; deletes itself when both are over.
class Passed {
 public:
  Passed(grpc::GenericCallbackServerContext* from, grpc::GenericStub* stub)
      : from_(from), client_side_(this), owner_side_(this) {
    for (const auto& [key, value] : from->client_metadata()) {
      if (key != "user-agent") to_.AddMetadata(Text(key), Text(value));
    }
    to_.set_deadline(from->deadline());
    stub->PrepareBidiStreamingCall(&to_, from->method(), grpc::StubOptions(),
                                   &owner_side_);
    // Operations that the client's side starts: its messages, and the reading
    // of the next answer.
    owner_side_.AddMultipleHolds(2);
    owner_side_.StartCall();
    client_side_.StartRead(&request_);
  }
  grpc::ServerGenericBidiReactor* reactor() { return &client_side_; }

 private:
  class ClientSide : public grpc::ServerGenericBidiReactor {
   public:
    explicit ClientSide(Passed* call) : call_(call) {}
    void OnReadDone(bool ok) override {
      if (ok) return call_->owner_side_.StartWrite(&call_->request_);
      call_->owner_side_.StartWritesDone();
      call_->owner_side_.RemoveHold();
    }
    void OnWriteDone(bool ok) override {
      if (ok) return call_->owner_side_.StartRead(&call_->answer_);
      call_->to_.TryCancel();
      call_->DropReadHold();
    }
    void OnCancel() override { call_->to_.TryCancel(); }
    void OnDone() override { delete call_; }

   private:
    Passed* const call_;
  };

  class OwnerSide
      : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit OwnerSide(Passed* call) : call_(call) {}
    void OnReadInitialMetadataDone(bool ok) override {
      if (ok) {
        for (const auto& [key, value] : call_->to_.GetServerInitialMetadata()) {
          call_->from_->AddInitialMetadata(Text(key), Text(value));
        }
      }
      // Not before: gRPC may tell of an answer before it tells of the headers.
      StartRead(&call_->answer_);
    }
    void OnWriteDone(bool ok) override {
      if (ok) return call_->client_side_.StartRead(&call_->request_);
      // The owner takes no more, and nothing is read that would end the hold.
      RemoveHold();
    }
    void OnReadDone(bool ok) override {
      if (ok) {
        call_->client_side_.StartWrite(&call_->answer_);
      } else {
        call_->DropReadHold();
      }
    }
    void OnDone(const grpc::Status& status) override {
      for (const auto& [key, value] : call_->to_.GetServerTrailingMetadata()) {
        if (key == "grpc-status-details-bin") continue;
        call_->from_->AddTrailingMetadata(Text(key), Text(value));
      }
      call_->client_side_.Finish(status);
    }

   private:
    Passed* const call_;
  };

  void DropReadHold() {
    if (read_hold_.exchange(false)) owner_side_.RemoveHold();
  }

  grpc::GenericCallbackServerContext* const from_;
  grpc::ClientContext to_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  std::atomic<bool> read_hold_{true};
  ClientSide client_side_;
  OwnerSide owner_side_;
};

class Proxy : public grpc::CallbackGenericService {
 public:
  explicit Proxy(const std::string& target)
      : stub_(grpc::CreateChannel(target, grpc::InsecureChannelCredentials())) {
  }
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return (new Passed(context, &stub_))->reactor();
  }

 private:
  grpc::GenericStub stub_;
};

int Main() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Proxy proxy(absl::GetFlag(FLAGS_target));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(absl::GetFlag(FLAGS_listen),
                           grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&proxy);
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::cerr << "cannot listen on " << absl::GetFlag(FLAGS_listen) << "\n";
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown();
  return 0;
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  // As the suite's processes do, or they would be compared with what Debian's
  // Abseil costs that looks for deadlocks at every lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  absl::ParseCommandLine(argc, argv);
  return transparency::bench::Main();
}
