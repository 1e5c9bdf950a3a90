#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/service/testing/running_service.h"
#include "gmock/gmock.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "transparency/centre/v1/centre_service.pb.h"

namespace transparency::centre {

using transparency::service::Parse;
using transparency::service::RunningService;

// Monday 2026-03-02, 08:00 UTC.
inline const absl::Time kMonday = absl::FromUnixSeconds(1772438400);

// A database with the tables of this service and a replica on it, in which the
// desk has made one centre, open from Monday to Friday, 09:00 to 17:00, and two
// spaces: an exclusive room and a shared hall.
class CentreServiceTest : public transparency::service::RunningServiceTest {
 protected:
  static constexpr const char* kAlice = transparency::service::kAliceToken;
  static constexpr const char* kBob = transparency::service::kBobToken;
  static constexpr const char* kDesk = transparency::service::kStaffToken;
  static constexpr char kPublic[] = "";
  static constexpr char kCentre[] = "centres/brussels";
  static constexpr char kRoom[] = "centres/brussels/spaces/room";
  static constexpr char kHall[] = "centres/brussels/spaces/hall";

  CentreServiceTest();

  // A booking of the room on Wednesday 2026-03-04, from one hour (UTC) to
  // another, for four people.
  static v1::CreateBookingRequest Wish(int from_hour, int until_hour);

  // What the call refuses with; empty when it does not.
  template <class Answer>
  std::string Reason(absl::string_view token, const char* method,
                     const google::protobuf::Message& request) {
    return ReasonOf(running_.Call<Answer>(token, method, request).status());
  }
  static std::string ReasonOf(const absl::Status& status);

  v1::Booking Book(absl::string_view token,
                   const v1::CreateBookingRequest& request);
  v1::Visitor AddVisitor(absl::string_view token, const std::string& booking);
};

}  // namespace transparency::centre
