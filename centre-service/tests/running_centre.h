#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/journal/clock.h"
#include "common/journal/replica.h"
#include "common/postgres/testing/test_database.h"
#include "common/resource/kind.h"
#include "common/rpc/generic_service.h"
#include "common/rpc/method_table.h"
#include "common/rpc/status_mapping.h"
#include "gmock/gmock.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "transparency/centre/v1/centre_service.pb.h"

namespace transparency::centre {

template <class T>
T Parse(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

// Monday 2026-03-02, 08:00 UTC.
inline const absl::Time kMonday = absl::FromUnixSeconds(1772438400);

// One replica of centre-service on a port of its own, whose clock tests move.
// Knows the tokens alice-token and bob-token, without roles, and desk-token, of
// staff.
class RunningCentre {
 public:
  explicit RunningCentre(const postgres::TestDatabase& database);
  ~RunningCentre();

  // Calls a method of CentreService; an empty token is the public's.
  template <class Answer>
  absl::StatusOr<Answer> Call(absl::string_view token, const char* method,
                              const google::protobuf::Message& request) {
    Answer answer;
    absl::Status status = CallInto(token, method, request, &answer);
    if (!status.ok()) return status;
    return answer;
  }
  absl::Status CallInto(absl::string_view token, const char* method,
                        const google::protobuf::Message& request,
                        google::protobuf::Message* answer);

  const resource::Catalogue& catalogue() const { return catalogue_; }
  const rpc::MethodTable& table() const { return table_; }
  journal::ManualClock& clock() { return clock_; }
  journal::Store& store() { return replica_->store(); }

 private:
  void Serve();

  std::string tokens_path_;
  resource::Catalogue catalogue_;
  prometheus::Registry registry_;
  journal::ManualClock clock_{kMonday};
  std::unique_ptr<journal::Replica> replica_;
  rpc::MethodTable table_;
  std::unique_ptr<rpc::GenericService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A database with the tables of this service and a replica on it, in which the
// desk has made one centre, open from Monday to Friday, 09:00 to 17:00, and two
// spaces: an exclusive room and a shared hall.
class CentreServiceTest : public testing::Test {
 protected:
  static constexpr char kAlice[] = "alice-token";
  static constexpr char kBob[] = "bob-token";
  static constexpr char kDesk[] = "desk-token";
  static constexpr char kPublic[] = "";
  static constexpr char kCentre[] = "centres/brussels";
  static constexpr char kRoom[] = "centres/brussels/spaces/room";
  static constexpr char kHall[] = "centres/brussels/spaces/hall";

  CentreServiceTest();
  // Fails the test when the database is not in order.
  ~CentreServiceTest() override;

  // A booking of the room on Wednesday 2026-03-04, from one hour (UTC) to
  // another, for four people.
  static v1::CreateBookingRequest Wish(int from_hour, int until_hour);

  // What the call refuses with; empty when it does not.
  template <class Answer>
  std::string Reason(absl::string_view token, const char* method,
                     const google::protobuf::Message& request) {
    return ReasonOf(centre_.Call<Answer>(token, method, request).status());
  }
  static std::string ReasonOf(const absl::Status& status);

  v1::Booking Book(absl::string_view token,
                   const v1::CreateBookingRequest& request);
  v1::Visitor AddVisitor(absl::string_view token, const std::string& booking);

  postgres::TestDatabase database_;
  RunningCentre centre_;
};

}  // namespace transparency::centre
