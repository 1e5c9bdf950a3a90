// WatchUpdates over owners that a test holds in its hands.

#include "gateway/aggregate/updates.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gateway/aggregate/update_token.h"
#include "gateway/http/tests/fake_invoker.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "transparency/gateway/v1/updates.pb.h"

namespace transparency::gateway {
namespace {

using journal::v1::WatchChangesRequest;
using journal::v1::WatchChangesResponse;
using testing::ElementsAre;
using testing::IsEmpty;
using v1::WatchUpdatesRequest;
using v1::WatchUpdatesResponse;

// The client: takes a message when the test asks for one.
class Client : public rpc::AnswerWriter {
 public:
  explicit Client(std::shared_ptr<rpc::Call> call) : call_(std::move(call)) {}

  using AnswerWriter::Write;
  rpc::Call& call() override { return *call_; }
  void SendHeaders() override {
    absl::MutexLock lock(&mutex_);
    accepted_ = true;
  }
  bool ready() override {
    absl::MutexLock lock(&mutex_);
    return !message_ && !end_;
  }
  bool Write(std::string bytes, bool) override {
    absl::MutexLock lock(&mutex_);
    if (message_ || end_) return false;
    message_.emplace();
    return message_->ParseFromString(bytes);
  }
  void OnReady(std::function<void()> reaction) override {
    absl::MutexLock lock(&mutex_);
    reaction_ = std::move(reaction);
  }
  void Finish(const absl::Status& status) override {
    std::function<void()> reaction;
    absl::MutexLock lock(&mutex_);
    end_ = status;
    reaction.swap(reaction_);
  }

  // The next message, waited for; empty after 10 s.
  WatchUpdatesResponse Take() {
    WatchUpdatesResponse message;
    std::function<void()> reaction;
    {
      absl::MutexLock lock(&mutex_);
      const auto there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return message_.has_value();
      };
      if (!mutex_.AwaitWithTimeout(absl::Condition(&there),
                                   absl::Seconds(10))) {
        ADD_FAILURE() << "nothing came";
        return message;
      }
      message = *std::exchange(message_, {});
      reaction = reaction_;
    }
    if (reaction) reaction();
    return message;
  }
  absl::Status End() {
    absl::MutexLock lock(&mutex_);
    const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return end_.has_value();
    };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&over), absl::Seconds(10))) {
      return absl::InternalError("the stream goes on");
    }
    return *end_;
  }
  bool accepted() {
    absl::MutexLock lock(&mutex_);
    return accepted_;
  }
  bool nothing() {
    absl::MutexLock lock(&mutex_);
    return !message_ && !end_;
  }

 private:
  const std::shared_ptr<rpc::Call> call_;
  absl::Mutex mutex_;
  bool accepted_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<WatchUpdatesResponse> message_ ABSL_GUARDED_BY(mutex_);
  absl::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> reaction_ ABSL_GUARDED_BY(mutex_);
};

class UpdatesTest : public testing::Test {
 protected:
  UpdatesTest() {
    Configure("certification");
    Configure("standards");
  }
  ~UpdatesTest() override {
    if (call_ == nullptr) return;
    call_->Abandon();
    // As the reactor's writer does, it lets go of the feed.
    client_->Finish(absl::CancelledError());
  }

  void Configure(const std::string& owner) {
    EXPECT_TRUE(owners_.Add(owner, "127.0.0.1:1", {}).ok());
  }

  void Watch(const WatchUpdatesRequest& request = {}) {
    std::vector<const google::protobuf::ServiceDescriptor*> known;
    for (const char* name :
         {"certification.v1.CertificationService",
          "certification.v1.CertificationJournalService",
          "standards.v1.StandardsService",
          "standards.v1.StandardsJournalService", "centre.v1.CentreService",
          "centre.v1.CentreJournalService", "gateway.v1.GatewayService"}) {
      known.push_back(
          google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
              absl::StrCat("transparency.", name)));
      ASSERT_NE(known.back(), nullptr) << name;
    }
    rpc::ServiceRows rows =
        table_.Service("transparency.gateway.v1.GatewayService");
    AddUpdates(&owners_, &invoker_, known, &rows);
    rpc::Arrival arrival;
    arrival.method = "/transparency.gateway.v1.GatewayService/WatchUpdates";
    arrival.headers = {{"authorization", "Bearer t"}, {"x-request-id", "mine"}};
    call_ = std::make_shared<rpc::Call>(std::move(arrival));
    client_ = std::make_shared<Client>(call_);
    refusal_ =
        table_.Find(call_->method())
            ->server_stream(
                call_, std::make_unique<WatchUpdatesRequest>(request), client_);
  }

  // The `number`th stream to an owner, from 0; waits for it.
  std::shared_ptr<http::FakeStream> Stream(const std::string& owner,
                                           int number = 0) {
    for (size_t i = 0;; ++i) {
      auto stream = invoker_.Stream(i);
      if (absl::StrContains(stream->seen().method,
                            absl::StrCat("transparency.", owner, ".")) &&
          number-- == 0) {
        return stream;
      }
    }
  }
  static WatchChangesRequest AskedOf(const http::FakeStream& stream) {
    WatchChangesRequest request;
    EXPECT_TRUE(request.ParseFromString(stream.seen().message));
    return request;
  }
  static WatchChangesResponse Event(WatchChangesResponse::Type type,
                                    const std::string& name,
                                    const std::string& token) {
    WatchChangesResponse event;
    event.set_type(type);
    event.set_name(name);
    event.set_resume_token(token);
    return event;
  }
  static WatchChangesResponse Changed(const std::string& name,
                                      const std::string& token) {
    return Event(WatchChangesResponse::CHANGED, name, token);
  }
  static WatchChangesResponse Mark(const std::string& token) {
    return Event(WatchChangesResponse::BOOKMARK, "", token);
  }
  // Both owners accept and tell where they stand.
  void Settle() {
    certification_ = Stream("certification");
    standards_ = Stream("standards");
    certification_->Accept();
    standards_->Accept();
    ASSERT_TRUE(certification_->Send(Mark("10.aa")));
    ASSERT_TRUE(standards_->Send(Mark("20.bb")));
    EXPECT_EQ(client_->Take().resume_token(),
              "certification-10.aa~standards-20.bb");
  }

  http::FakeInvoker invoker_;
  Owners owners_;
  rpc::MethodTable table_;
  std::shared_ptr<rpc::Call> call_;
  std::shared_ptr<Client> client_;
  absl::Status refusal_;
  std::shared_ptr<http::FakeStream> certification_;
  std::shared_ptr<http::FakeStream> standards_;
};

TEST_F(UpdatesTest, MergesTheOwnersStreamsUnderOneToken) {
  Watch();
  certification_ = Stream("certification");
  EXPECT_EQ(certification_->seen().method,
            "/transparency.certification.v1.CertificationJournalService/"
            "WatchChanges");
  EXPECT_EQ(certification_->seen().Header("authorization"), "Bearer t");
  EXPECT_EQ(certification_->seen().Header("x-request-id"), "mine");
  certification_->Accept();
  Stream("standards")->Accept();
  // Headers are no answer: a refusal has them too.
  EXPECT_FALSE(client_->accepted());
  EXPECT_TRUE(client_->nothing());
  Settle();
  EXPECT_TRUE(client_->accepted());
  ASSERT_TRUE(standards_->Send(Changed("standards/a", "21.cc")));
  WatchUpdatesResponse update = client_->Take();
  EXPECT_EQ(update.service(), "//standards.transparency");
  EXPECT_EQ(update.event().name(), "standards/a");
  EXPECT_EQ(update.event().resume_token(), "");
  EXPECT_EQ(update.resume_token(), "certification-10.aa~standards-21.cc");
  ASSERT_TRUE(certification_->Send(Changed("certificates/b", "11.dd")));
  update = client_->Take();
  EXPECT_EQ(update.service(), "//certification.transparency");
  EXPECT_EQ(update.resume_token(), "certification-11.dd~standards-21.cc");
}

TEST_F(UpdatesTest, ATokenCoversNoMoreThanTheClientHasTaken) {
  Watch();
  Settle();
  ASSERT_TRUE(certification_->Send(Changed("certificates/a", "11.aa")));
  // These wait: the first is under way.
  ASSERT_TRUE(standards_->Send(Changed("standards/a", "21.bb")));
  ASSERT_TRUE(certification_->Send(Changed("certificates/b", "12.aa")));
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-11.aa~standards-20.bb");
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-11.aa~standards-21.bb");
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-12.aa~standards-21.bb");
}

TEST_F(UpdatesTest, ReadsAtMostOneEventOfEachOwnerAhead) {
  Watch();
  Settle();
  // One on its way to the client, one held; no more is asked for.
  ASSERT_TRUE(certification_->Send(Changed("certificates/a", "11.aa")));
  ASSERT_TRUE(certification_->Send(Changed("certificates/b", "12.aa")));
  EXPECT_FALSE(certification_->asked());
  EXPECT_TRUE(standards_->asked());
  client_->Take();
  EXPECT_TRUE(certification_->asked());
}

TEST_F(UpdatesTest, ResumesWhereTheTokenSays) {
  WatchUpdatesRequest request;
  request.set_resume_token("centre-5.ee~certification-10.aa");
  Watch(request);
  EXPECT_EQ(AskedOf(*Stream("certification")).resume_token(), "10.aa");
  // What the token does not name starts from now.
  EXPECT_EQ(AskedOf(*Stream("standards")).resume_token(), "");
  ASSERT_TRUE(Stream("certification")->Send(Mark("10.aa")));
  ASSERT_TRUE(Stream("standards")->Send(Mark("20.bb")));
  // What the installation is without keeps its place.
  EXPECT_EQ(client_->Take().resume_token(),
            "centre-5.ee~certification-10.aa~standards-20.bb");
}

TEST_F(UpdatesTest, SendsThePresentStateThenOneBookmark) {
  WatchUpdatesRequest request;
  request.set_include_present_state(true);
  Watch(request);
  certification_ = Stream("certification");
  standards_ = Stream("standards");
  EXPECT_TRUE(AskedOf(*certification_).include_present_state());
  certification_->Accept();
  standards_->Accept();
  const auto added = [](const std::string& name) {
    return Event(WatchChangesResponse::ADDED, name, "");
  };
  ASSERT_TRUE(certification_->Send(added("certificates/a")));
  ASSERT_TRUE(standards_->Send(added("standards/a")));
  EXPECT_EQ(client_->Take().event().name(), "certificates/a");
  const WatchUpdatesResponse second = client_->Take();
  EXPECT_EQ(second.event().name(), "standards/a");
  EXPECT_EQ(second.resume_token(), "");
  ASSERT_TRUE(certification_->Send(Mark("10.aa")));
  ASSERT_TRUE(certification_->Send(Changed("certificates/a", "11.aa")));
  // The other's is not complete.
  EXPECT_EQ(client_->Take().resume_token(), "");
  ASSERT_TRUE(standards_->Send(added("standards/b")));
  EXPECT_EQ(client_->Take().event().name(), "standards/b");
  EXPECT_TRUE(client_->nothing());
  ASSERT_TRUE(standards_->Send(Mark("20.bb")));
  const WatchUpdatesResponse mark = client_->Take();
  EXPECT_EQ(mark.event().type(), WatchChangesResponse::BOOKMARK);
  EXPECT_EQ(mark.resume_token(), "certification-11.aa~standards-20.bb");
  EXPECT_THAT(mark.unreachable(), IsEmpty());
  EXPECT_THAT(mark.not_configured(), ElementsAre("//centre.transparency"));
  EXPECT_TRUE(client_->nothing());
}

TEST_F(UpdatesTest, AnOwnerThatGoesAwayIsResumedWithoutLossOrDuplicate) {
  Watch();
  Settle();
  ASSERT_TRUE(certification_->Send(Changed("certificates/a", "11.aa")));
  ASSERT_TRUE(certification_->Send(Changed("certificates/b", "12.aa")));
  certification_->End(absl::UnavailableError("killed"));
  // It is asked again once the client has taken what is at hand.
  EXPECT_EQ(client_->Take().event().name(), "certificates/a");
  auto second = Stream("certification", 1);
  EXPECT_EQ(AskedOf(*second).resume_token(), "12.aa");
  EXPECT_EQ(client_->Take().event().name(), "certificates/b");
  // Once more it is refused, which the client is told.
  second->End(absl::UnavailableError("still away"));
  const WatchUpdatesResponse away = client_->Take();
  EXPECT_EQ(away.event().type(), WatchChangesResponse::BOOKMARK);
  EXPECT_THAT(away.unreachable(), ElementsAre("//certification.transparency"));
  EXPECT_EQ(away.resume_token(), "certification-12.aa~standards-20.bb");
  // The others go on meanwhile.
  ASSERT_TRUE(standards_->Send(Changed("standards/a", "21.bb")));
  EXPECT_EQ(client_->Take().event().name(), "standards/a");
  auto third = Stream("certification", 2);
  EXPECT_EQ(AskedOf(*third).resume_token(), "12.aa");
  third->Accept();
  ASSERT_TRUE(third->Send(Changed("certificates/c", "13.aa")));
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-13.aa~standards-21.bb");
  // And that it is back.
  const WatchUpdatesResponse back = client_->Take();
  EXPECT_EQ(back.event().type(), WatchChangesResponse::BOOKMARK);
  EXPECT_THAT(back.unreachable(), IsEmpty());
}

TEST_F(UpdatesTest, WordOfAnEarlierStreamIsNotHeard) {
  Watch();
  Settle();
  certification_->End(absl::UnavailableError("killed"));
  auto second = Stream("certification", 1);
  second->Accept();
  certification_->Accept();
  ASSERT_TRUE(second->Send(Changed("certificates/a", "11.aa")));
  EXPECT_EQ(client_->Take().event().name(), "certificates/a");
}

TEST_F(UpdatesTest, ASlowWatchIsTakenUpAgainAsTheClientGoesOn) {
  Watch();
  Settle();
  ASSERT_TRUE(certification_->Send(Changed("certificates/a", "11.aa")));
  ASSERT_TRUE(certification_->Send(Changed("certificates/b", "12.aa")));
  certification_->End(status::RetryLater(absl::StatusCode::kResourceExhausted,
                                         "WATCH_TOO_SLOW", "slow",
                                         absl::Seconds(1)));
  // While the client takes nothing the owner is left in peace.
  client_->Take();
  EXPECT_EQ(AskedOf(*Stream("certification", 1)).resume_token(), "12.aa");
  client_->Take();
  Stream("certification", 1)->Accept();
  EXPECT_TRUE(client_->nothing());
}

TEST_F(UpdatesTest, AnOwnersRefusalEndsTheStream) {
  Watch();
  Settle();
  certification_->End(absl::UnavailableError("killed"));
  Stream("certification", 1)
      ->End(status::Precondition("HISTORY_CHANGED", "resume_token", "other"));
  EXPECT_EQ(status::Reason(client_->End()), "HISTORY_CHANGED");
  EXPECT_TRUE(standards_->AwaitCancelled());
}

TEST_F(UpdatesTest, ARefusalAtTheBeginningComesBeforeTheHeaders) {
  Watch();
  Stream("standards")->Accept();
  Stream("certification")->Accept();
  Stream("certification")
      ->End(status::Precondition("HISTORY_CHANGED", "resume_token", "other"));
  EXPECT_EQ(client_->End().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(client_->accepted());
}

TEST_F(UpdatesTest, AllOwnersUnreachableAtTheBeginningIsUnavailable) {
  Watch();
  Stream("standards")->End(absl::UnavailableError("away"));
  EXPECT_TRUE(client_->nothing());
  Stream("certification")->End(absl::UnavailableError("away"));
  EXPECT_EQ(client_->End().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(client_->End()), "OWNER_UNREACHABLE");
}

TEST_F(UpdatesTest, OneOwnerUnreachableAtTheBeginningIsTold) {
  Watch();
  Stream("standards")->End(absl::UnavailableError("away"));
  EXPECT_FALSE(client_->accepted());
  Stream("certification")->Accept();
  ASSERT_TRUE(Stream("certification")->Send(Mark("10.aa")));
  EXPECT_TRUE(client_->accepted());
  const WatchUpdatesResponse away = client_->Take();
  EXPECT_THAT(away.unreachable(), ElementsAre("//standards.transparency"));
  EXPECT_EQ(away.resume_token(), "certification-10.aa");
  ASSERT_TRUE(Stream("standards", 1)->Send(Mark("20.bb")));
  const WatchUpdatesResponse back = client_->Take();
  EXPECT_THAT(back.unreachable(), IsEmpty());
  EXPECT_EQ(back.resume_token(), "certification-10.aa~standards-20.bb");
}

TEST_F(UpdatesTest, AnOwnerThatSaysNothingDoesNotHoldTheOthersUp) {
  Watch();
  // It accepts the call, and does not tell where it stands.
  Stream("standards")->Accept();
  ASSERT_TRUE(
      Stream("certification")->Send(Changed("certificates/a", "11.aa")));
  const WatchUpdatesResponse update = client_->Take();
  EXPECT_EQ(update.event().name(), "certificates/a");
  EXPECT_EQ(update.resume_token(), "");
  ASSERT_TRUE(Stream("standards")->Send(Mark("20.bb")));
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-11.aa~standards-20.bb");
}

TEST_F(UpdatesTest, APresentStateThatBreaksOffCannotBeContinued) {
  WatchUpdatesRequest request;
  request.set_include_present_state(true);
  Watch(request);
  Stream("certification")->Accept();
  Stream("standards")->Accept();
  // Before anything of it has come it is simply asked for again.
  Stream("certification")->End(absl::UnavailableError("killed"));
  auto second = Stream("certification", 1);
  EXPECT_TRUE(AskedOf(*second).include_present_state());
  second->Accept();
  ASSERT_TRUE(
      second->Send(Event(WatchChangesResponse::ADDED, "certificates/a", "")));
  second->End(absl::UnavailableError("killed"));
  EXPECT_EQ(status::Reason(client_->End()), "OWNER_UNREACHABLE");
}

TEST_F(UpdatesTest, TypesGoToTheOwnerWhoseTheyAre) {
  WatchUpdatesRequest request;
  request.add_types("standards.transparency/Standard");
  request.add_types("standards.transparency/Organization");
  request.set_resume_token("certification-10.aa~standards-20.bb");
  Watch(request);
  ASSERT_TRUE(refusal_.ok()) << refusal_;
  standards_ = Stream("standards");
  EXPECT_THAT(AskedOf(*standards_).types(),
              ElementsAre("standards.transparency/Standard",
                          "standards.transparency/Organization"));
  ASSERT_TRUE(standards_->Send(Mark("20.bb")));
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-10.aa~standards-20.bb");
  ASSERT_TRUE(standards_->Send(Changed("standards/a", "21.bb")));
  EXPECT_EQ(client_->Take().resume_token(),
            "certification-10.aa~standards-21.bb");
}

TEST_F(UpdatesTest, AHeartbeatComesWhenNothingElseDoes) {
  WatchUpdatesRequest request;
  request.mutable_heartbeat_interval()->set_seconds(1);
  Watch(request);
  Settle();
  for (int i = 0; i < 2; ++i) {
    const WatchUpdatesResponse mark = client_->Take();
    EXPECT_EQ(mark.event().type(), WatchChangesResponse::BOOKMARK);
    EXPECT_TRUE(mark.event().has_record_time());
    EXPECT_EQ(mark.resume_token(), "certification-10.aa~standards-20.bb");
  }
}

TEST_F(UpdatesTest, AClientThatGoesAwayCancelsAllStreams) {
  Watch();
  Settle();
  call_->Abandon();
  EXPECT_TRUE(certification_->AwaitCancelled());
  EXPECT_TRUE(standards_->AwaitCancelled());
}

TEST_F(UpdatesTest, BadRequestsNameTheField) {
  const auto field = [this](const WatchUpdatesRequest& request) {
    Watch(request);
    EXPECT_EQ(refusal_.code(), absl::StatusCode::kInvalidArgument);
    google::rpc::BadRequest bad;
    EXPECT_TRUE(status::FindDetail(refusal_, &bad));
    table_ = rpc::MethodTable();
    return bad.field_violations_size() == 0 ? ""
                                            : bad.field_violations(0).field();
  };
  WatchUpdatesRequest request;
  request.add_types("standards.transparency/Standard");
  request.add_types("standards.transparency/Nothing");
  EXPECT_EQ(field(request), "types[1]");
  request.clear_types();
  request.add_types("Standard");
  EXPECT_EQ(field(request), "types[0]");
  for (const char* token : {"x", "standards-", "-1.a", "standards-1.a~",
                            "standards-1.a~standards-2", "standards-1 a",
                            "Standards-1.a", "standards-1.a,centre-2.b"}) {
    request = WatchUpdatesRequest();
    request.set_resume_token(token);
    EXPECT_EQ(field(request), "resume_token") << token;
  }
  request = WatchUpdatesRequest();
  request.set_resume_token("standards-1.a");
  request.set_include_present_state(true);
  EXPECT_EQ(field(request), "include_present_state");
  for (const int64_t seconds : {0, 61, -1}) {
    request = WatchUpdatesRequest();
    request.mutable_heartbeat_interval()->set_seconds(seconds);
    EXPECT_EQ(field(request), "heartbeat_interval");
  }
}

}  // namespace
}  // namespace transparency::gateway
