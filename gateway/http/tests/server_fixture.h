#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/http/server.h"
#include "gateway/http/tests/fake_invoker.h"
#include "gateway/http/tests/raw_client.h"
#include "gateway/json/tests/library.pb.h"
#include "gtest/gtest.h"

namespace transparency::gateway::http {

// Keeps what it is told.
class RecordingObserver : public rest::Observer {
 public:
  struct Line {
    std::string route, rpc, request_id, traceparent;
    int http_status;
    absl::StatusCode code;
    size_t bytes_in, bytes_out;
    bool client_gone;
    std::string client_address;
    bool anonymous;
  };

  void OnFinished(const rest::Finished& finished) override {
    absl::MutexLock lock(&mutex_);
    lines_.push_back(
        {std::string(finished.route), std::string(finished.rpc),
         std::string(finished.request_id), std::string(finished.traceparent),
         finished.http_status, finished.code, finished.bytes_in,
         finished.bytes_out, finished.client_gone,
         std::string(finished.client_address), finished.anonymous});
  }
  void OnConnections(int open) override {
    absl::MutexLock lock(&mutex_);
    open_ = open;
  }
  void OnStreams(int open) override {
    absl::MutexLock lock(&mutex_);
    streams_ = open;
  }
  void OnCutOff(absl::string_view why, absl::string_view) override {
    absl::MutexLock lock(&mutex_);
    cut_off_.emplace_back(why);
  }

  // Waits, for 10 s at most.
  bool AwaitLines(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return lines_.size() >= count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
  }
  bool AwaitOpen(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return open_ == count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached),
                                   absl::Seconds(10));
  }
  bool AwaitStreams(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return streams_ == count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached),
                                   absl::Seconds(10));
  }
  bool AwaitCutOff(const std::string& why) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return std::find(cut_off_.begin(), cut_off_.end(), why) != cut_off_.end();
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached),
                                   absl::Seconds(10));
  }
  std::vector<Line> lines() {
    absl::MutexLock lock(&mutex_);
    return lines_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<Line> lines_ ABSL_GUARDED_BY(mutex_);
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> cut_off_ ABSL_GUARDED_BY(mutex_);
};

inline const google::protobuf::ServiceDescriptor* LibraryService() {
  return library::v1::Book::descriptor()->file()->service(0);
}

// A server over the library's contract and a fake invoker.
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    // Tests ask under names of their own, and all from one address.
    options_.hosts = {"*"};
    options_.address_share = 1;
  }

  void StartServer() {
    options_.listen = "127.0.0.1:0";
    server_ = std::make_unique<Server>(
        options_,
        std::vector<const google::protobuf::ServiceDescriptor*>{
            LibraryService()},
        &invoker_, &observer_);
    const absl::Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status;
  }

  void AnswerWith(const google::protobuf::Message& message,
                  rpc::Metadata headers = {}) {
    invoker_.AnswerWith([bytes = message.SerializeAsString(),
                         headers = std::move(headers)](const SeenCall&) {
      return UnaryReply{absl::OkStatus(), bytes, headers, {}};
    });
  }
  void AnswerWith(absl::Status status) {
    invoker_.AnswerWith([status = std::move(status)](const SeenCall&) {
      return UnaryReply{status, "", {}, {}};
    });
  }

  RawAnswer Ask(absl::string_view method, absl::string_view target,
                absl::string_view body = "", absl::string_view headers = "") {
    RawClient client(server_->port());
    return client.Ask(MakeRequest(method, target, body, headers),
                      method == "HEAD");
  }

  Options options_;
  FakeInvoker invoker_;
  RecordingObserver observer_;
  std::unique_ptr<Server> server_;
};

}  // namespace transparency::gateway::http
