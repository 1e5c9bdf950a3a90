// What one caller, and all together, may have of a server.

#include <filesystem>
#include <fstream>
#include <vector>

#include "common/rpc/server/tests/trial_server.h"
#include "common/rpc/shared_place.h"
#include "common/rpc/turns.h"
#include "gmock/gmock.h"

namespace transparency::rpc {
namespace {

using Taken = SharedPlace::Taken;

TEST(SharedPlace, GivesOneCallerAQuarterAndAllTheirSeats) {
  SharedPlace place(8);
  EXPECT_EQ(place.per_caller(), 2u);
  EXPECT_EQ(place.Take("a"), Taken::kYes);
  EXPECT_EQ(place.Take("a"), Taken::kYes);
  EXPECT_EQ(place.Take("a"), Taken::kOverShare);
  for (const char* caller : {"b", "c", "d"}) {
    EXPECT_NE(place.Take(caller, 3), Taken::kYes);
    EXPECT_EQ(place.Take(caller, 2), Taken::kYes);
  }
  EXPECT_EQ(place.Take("e"), Taken::kFull);
  place.Return("a");
  EXPECT_EQ(place.Take("e"), Taken::kYes);
  EXPECT_EQ(place.Take("a"), Taken::kFull);
}

TEST(SharedPlace, OfFewSeatsStillServes) {
  SharedPlace place(1);
  EXPECT_EQ(place.Take("a"), Taken::kYes);
  EXPECT_EQ(place.Take("b"), Taken::kFull);
}

TEST(Seats, AreReturnedOnceWhoeverHoldsThem) {
  SharedPlace place(4);
  {
    ASSERT_EQ(place.Take("a"), Taken::kYes);
    Seats first(&place, "a", 1);
    Seats second = std::move(first);
    EXPECT_EQ(place.Take("a"), Taken::kOverShare);
    second.Release();
    second.Release();
    EXPECT_EQ(place.Take("a"), Taken::kYes);
    first = Seats(&place, "a", 1);
  }
  EXPECT_EQ(place.Take("a"), Taken::kYes);
}

TEST(Turns, GoAroundTheCallersAndKeepTheOrderOfEach) {
  Turns<int> turns;
  for (const int item : {1, 2, 3}) turns.Push("greedy", item);
  turns.Push("modest", 10);
  EXPECT_EQ(turns.Of("greedy"), 3u);
  EXPECT_EQ(turns.Of("nobody"), 0u);
  EXPECT_EQ(turns.Pop(), 1);
  turns.Push("late", 20);
  std::vector<int> rest;
  while (!turns.empty()) rest.push_back(turns.Pop());
  EXPECT_EQ(rest, (std::vector<int>{10, 2, 20, 3}));
  EXPECT_EQ(turns.size(), 0u);
}

// A unary call that waits for its handler, or a stream that says nothing.
class Pending {
 public:
  Pending(TrialServer* server, const std::string& token) : server_(server) {
    if (!token.empty()) context_.AddMetadata("authorization", token);
  }
  void Wait() {
    stub_ = server_->Stub();
    stub_->async()->Wait(&context_, &request_, &answer_,
                         [this](grpc::Status status) {
                           result = std::move(status);
                           done.Notify();
                         });
  }
  grpc::Status result;
  absl::Notification done;

 private:
  TrialServer* const server_;
  grpc::ClientContext context_;
  std::unique_ptr<TrialService::Stub> stub_;
  Text request_;
  Text answer_;
};

class LimitsTest : public testing::Test {
 protected:
  // The digest of "beta".
  static constexpr char kBob[] =
      "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753 bob ";

  LimitsTest() {
    std::string pattern = "/tmp/limits.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    Tokens("-");
    ServiceOptions options;
    options.callers = *CallerDirectory::Open(folder_ / "tokens");
    options.max_calls = 8;
    options.max_streams = 8;
    options.max_untaken_bytes = 4 << 20;
    server_ = std::make_unique<TrialServer>(options);
    server_->wait = [this](std::shared_ptr<Call>, auto, UnaryDone done) {
      absl::MutexLock lock(&mutex_);
      waiting_.push_back(std::move(done));
    };
  }
  ~LimitsTest() override {
    AnswerAll();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Tokens(const std::string& roles) {
    std::ofstream(folder_ / "tokens") << (roles.empty() ? "" : kBob) << roles;
  }
  void AwaitWaiting(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return waiting_.size() >= count;
    };
    ASSERT_TRUE(
        mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10)));
  }
  void AnswerAll() {
    std::vector<UnaryDone> waiting;
    {
      absl::MutexLock lock(&mutex_);
      waiting.swap(waiting_);
    }
    for (const UnaryDone& done : waiting) done(std::string());
  }

  std::filesystem::path folder_;
  std::unique_ptr<TrialServer> server_;
  absl::Mutex mutex_;
  std::vector<UnaryDone> waiting_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(LimitsTest, OneCallerHasAQuarterOfTheCalls) {
  Pending first(server_.get(), ""), second(server_.get(), ""),
      third(server_.get(), ""), named(server_.get(), "Bearer beta");
  first.Wait();
  second.Wait();
  AwaitWaiting(2);
  third.Wait();
  third.done.WaitForNotification();
  EXPECT_EQ(third.result.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(third.result), "OVERLOADED");
  google::rpc::QuotaFailure quota;
  EXPECT_TRUE(status::FindDetail(FromGrpc(third.result), &quota));
  google::rpc::RetryInfo retry;
  EXPECT_TRUE(status::FindDetail(FromGrpc(third.result), &retry));
  // Somebody else has a share of his own.
  named.Wait();
  AwaitWaiting(3);
  AnswerAll();
  for (Pending* call : {&first, &second, &named}) {
    call->done.WaitForNotification();
    EXPECT_TRUE(call->result.ok()) << call->result.error_message();
  }
  // What was held is given back.
  Pending again(server_.get(), "");
  again.Wait();
  AwaitWaiting(1);
  AnswerAll();
  again.done.WaitForNotification();
  EXPECT_TRUE(again.result.ok()) << again.result.error_message();
}

TEST_F(LimitsTest, AnAnswerBeyondTheShareOfBytesIsRefused) {
  server_->echo = [](Call&, const Text&) { return std::string(2 << 20, 'x'); };
  grpc::ClientContext context;
  Text answer;
  const grpc::Status status =
      server_->Stub()->Echo(&context, MakeText("x"), &answer);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED") << status.error_message();
}

TEST_F(LimitsTest, AChangeWhoseAnswerIsBeyondTheShareIsNotToldAsRefused) {
  server_->change = [](std::shared_ptr<Call>, auto, const UnaryDone& done) {
    done(MakeText(std::string(2 << 20, 'x')).SerializeAsString());
  };
  grpc::ClientContext context;
  Text answer;
  const grpc::Status status =
      server_->Stub()->Change(&context, MakeText("x"), &answer);
  EXPECT_EQ(ReasonOf(status), "OUTCOME_UNKNOWN") << status.error_message();
}

TEST_F(LimitsTest, AStreamIsToldOfAMessageBeyondTheShare) {
  server_->count = [](auto, auto, const std::shared_ptr<AnswerWriter>& writer) {
    writer->Write(MakeText(std::string(2 << 20, 'x')));
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  const auto stream = server_->Stub()->Count(&context, MakeText("x"));
  Text text;
  EXPECT_FALSE(stream->Read(&text));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(ReasonOf(status), "OVERLOADED") << status.error_message();
}

// A stream of a caller with a token, which says nothing until it ends.
class OpenStream {
 public:
  explicit OpenStream(TrialServer* server, const std::string& token)
      : stub_(server->Stub()) {
    context_.AddMetadata("authorization", token);
    stream_ = stub_->Chat(&context_);
    stream_->WaitForInitialMetadata();
  }
  grpc::Status End() {
    Text text;
    while (stream_->Read(&text)) {
    }
    return stream_->Finish();
  }

 private:
  std::unique_ptr<TrialService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Text, Text>> stream_;
};

TEST_F(LimitsTest, AStreamEndsSoonAfterItsTokenIsRevoked) {
  OpenStream stream(server_.get(), "Bearer beta");
  Tokens("");
  const absl::Time revoked = absl::Now();
  const grpc::Status status = stream.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(status), "TOKEN_UNKNOWN");
  EXPECT_LT(absl::Now() - revoked, absl::Seconds(5));
}

TEST_F(LimitsTest, AStreamEndsSoonAfterItsRolesChange) {
  OpenStream stream(server_.get(), "Bearer beta");
  Tokens("staff");
  EXPECT_EQ(ReasonOf(stream.End()), "TOKEN_UNKNOWN");
}

}  // namespace
}  // namespace transparency::rpc
