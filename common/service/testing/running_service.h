#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/journal/clock.h"
#include "common/postgres/testing/test_database.h"
#include "common/service/replica_process.h"
#include "common/service/service.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/channel.h"
#include "gtest/gtest.h"

namespace transparency::service {

// Tokens that every RunningService knows: the first is of staff, the others
// have no roles. An empty token is the public's.
inline constexpr char kStaffToken[] = "staff-token";
inline constexpr char kAliceToken[] = "alice-token";
inline constexpr char kBobToken[] = "bob-token";

// A message from its text form.
template <class T>
T Parse(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

// An empty database with the tables of a service.
std::unique_ptr<postgres::TestDatabase> MakeDatabase(const Service& service);

// One replica within the test, as its executable would run it: real ports, a
// real database, and a clock that the test moves.
class RunningService {
 public:
  // All of it outlives this.
  RunningService(const Service& service, const postgres::TestDatabase& database,
                 absl::Time now);
  ~RunningService();

  // Calls a method of the service.
  template <class Answer>
  absl::StatusOr<Answer> Call(absl::string_view token, absl::string_view method,
                              const google::protobuf::Message& request) {
    Answer answer;
    absl::Status status = CallInto(token, method, request, &answer);
    if (!status.ok()) return status;
    return answer;
  }
  absl::Status CallInto(absl::string_view token, absl::string_view method,
                        const google::protobuf::Message& request,
                        google::protobuf::Message* answer);

  journal::ManualClock& clock() { return clock_; }
  journal::Store& store() { return replica_->replica().store(); }
  const resource::Catalogue& catalogue() const { return replica_->catalogue(); }
  const rpc::MethodTable& table() const {
    return replica_->process().methods();
  }

 private:
  const std::string proto_service_;
  const std::string tokens_;
  journal::ManualClock clock_;
  std::unique_ptr<ReplicaProcess> replica_;
  absl::Status ended_;
  std::thread runner_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A test with a database of its own and one replica on it. At its end the
// database must be in order.
class RunningServiceTest : public testing::Test {
 protected:
  RunningServiceTest(Service service, absl::Time now)
      : service_(std::move(service)),
        database_owner_(MakeDatabase(service_)),
        database_(*database_owner_),
        running_(service_, database_, now) {}
  ~RunningServiceTest() override;

  // Calls as the public, or with a token; as staff.
  template <class Answer>
  absl::StatusOr<Answer> Call(absl::string_view method,
                              const google::protobuf::Message& request,
                              absl::string_view token = "") {
    return running_.Call<Answer>(token, method, request);
  }
  template <class Answer>
  absl::StatusOr<Answer> StaffCall(absl::string_view method,
                                   const google::protobuf::Message& request) {
    return running_.Call<Answer>(kStaffToken, method, request);
  }
  journal::ManualClock& clock() { return running_.clock(); }

  const Service service_;
  const std::unique_ptr<postgres::TestDatabase> database_owner_;
  const postgres::TestDatabase& database_;
  RunningService running_;
};

// Problems that journal::Check finds in the database; empty when all is well.
std::string ProblemsOf(const Service& service,
                       const postgres::TestDatabase& database);

}  // namespace transparency::service
