#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "centre-service/tests/centre_service_fixture.h"
#include "common/status/status.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::centre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

constexpr char kRequestId[] = "6f1cbf7e-6f0a-4a53-9a30-4c7d5c3b2a10";

class Visibility : public CentreServiceTest {};
class Booking : public CentreServiceTest {};
class PersonalData : public CentreServiceTest {};
class Search : public CentreServiceTest {};

class Deleting : public CentreServiceTest {};

TEST_F(Deleting, LeavesASpaceThatWasEverBooked) {
  const auto remove = Named<v1::DeleteSpaceRequest>(kRoom);
  const std::string booking = Book(kAlice, Wish(9, 10)).name();
  EXPECT_EQ(Reason<v1::Space>(kDesk, "DeleteSpace", remove),
            "STILL_REFERRED_TO");
  // What has come to nothing keeps its place too.
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CancelBooking",
                                Named<v1::CancelBookingRequest>(booking)),
            "");
  EXPECT_EQ(Reason<v1::Space>(kDesk, "DeleteSpace", remove),
            "STILL_REFERRED_TO");
  EXPECT_EQ(Reason<v1::Space>(kDesk, "DeleteSpace",
                              Named<v1::DeleteSpaceRequest>(kHall)),
            "");
  EXPECT_EQ(Reason<v1::Centre>(kDesk, "DeleteCentre",
                               Named<v1::DeleteCentreRequest>(kCentre)),
            "HAS_CHILDREN");
}

TEST_F(Deleting, TakesASpaceOutOfEverythingUntilItIsUndeleted) {
  const auto spaces_found = [&] {
    const auto answer = running_.Call<v1::SearchAvailabilityResponse>(
        kPublic, "SearchAvailability",
        Parse<v1::SearchAvailabilityRequest>(
            "centre: 'centres/brussels' purpose: STAKEHOLDER_MEETING"
            " party_size: 2 duration { seconds: 3600 }"));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->spaces_size() : -1;
  };
  EXPECT_EQ(spaces_found(), 2);
  EXPECT_EQ(Reason<v1::Space>(kDesk, "DeleteSpace",
                              Named<v1::DeleteSpaceRequest>(kRoom)),
            "");
  EXPECT_EQ(spaces_found(), 1);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CreateBooking", Wish(9, 10)),
            "REFERENCE_NOT_FOUND");
  EXPECT_EQ(Reason<v1::Space>(kDesk, "UndeleteSpace",
                              Named<v1::UndeleteSpaceRequest>(kRoom)),
            "");
  EXPECT_EQ(spaces_found(), 2);
  Book(kAlice, Wish(9, 10));
}

TEST_F(Deleting, OfACentreComesAfterItsSpaces) {
  for (const char* space : {kRoom, kHall}) {
    EXPECT_EQ(Reason<v1::Centre>(kDesk, "DeleteCentre",
                                 Named<v1::DeleteCentreRequest>(kCentre)),
              "HAS_CHILDREN");
    EXPECT_EQ(Reason<v1::Space>(kDesk, "DeleteSpace",
                                Named<v1::DeleteSpaceRequest>(space)),
              "");
  }
  EXPECT_EQ(Reason<v1::Centre>(kDesk, "DeleteCentre",
                               Named<v1::DeleteCentreRequest>(kCentre)),
            "");
  EXPECT_EQ(Reason<v1::Space>(kDesk, "UndeleteSpace",
                              Named<v1::UndeleteSpaceRequest>(kRoom)),
            "REFERENCE_NOT_FOUND");
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CreateBooking", Wish(9, 10)),
            "RESOURCE_NOT_FOUND");
  EXPECT_EQ(Reason<v1::Centre>(kDesk, "UndeleteCentre",
                               Named<v1::UndeleteCentreRequest>(kCentre)),
            "");
  EXPECT_EQ(Reason<v1::Space>(kDesk, "UndeleteSpace",
                              Named<v1::UndeleteSpaceRequest>(kRoom)),
            "");
}

TEST_F(Deleting, NeverPullsASpaceFromUnderABooking) {
  constexpr int kPairs = 16;
  const auto space = [](int i) {
    return absl::StrCat(kCentre, "/spaces/s", i);
  };
  for (int i = 0; i < kPairs; ++i) {
    EXPECT_EQ(Reason<v1::Space>(
                  kDesk, "CreateSpace",
                  Parse<v1::CreateSpaceRequest>(absl::StrCat(
                      "parent: 'centres/brussels' space_id: 's", i,
                      "' space { display_name: 'S' category: MEETING_ROOM"
                      " occupancy: EXCLUSIVE capacity: 10 }"))),
              "");
  }
  std::vector<std::string> deleted(kPairs), booked(kPairs);
  std::vector<std::thread> callers;
  for (int i = 0; i < kPairs; ++i) {
    const auto at = static_cast<size_t>(i);
    callers.emplace_back([&, i, at] {
      deleted[at] = Reason<v1::Space>(kDesk, "DeleteSpace",
                                      Named<v1::DeleteSpaceRequest>(space(i)));
    });
    callers.emplace_back([&, i, at] {
      auto wish = Wish(9, 10);
      wish.mutable_booking()->set_spaces(0, space(i));
      booked[at] = Reason<v1::Booking>(kAlice, "CreateBooking", wish);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (size_t i = 0; i < kPairs; ++i) {
    EXPECT_EQ(booked[i], deleted[i].empty() ? "REFERENCE_NOT_FOUND" : "");
    EXPECT_EQ(deleted[i], booked[i].empty() ? "STILL_REFERRED_TO" : "");
  }
  EXPECT_EQ(database_.Number("SELECT count(*) FROM booking_spaces b"
                             " JOIN spaces s ON s.name = b.space"
                             " WHERE s.delete_time IS NOT NULL"),
            0);
}

TEST_F(Visibility, OfABookingIsItsOwnersAndStaffs) {
  const v1::Booking booking = Book(kAlice, Wish(9, 10));
  EXPECT_EQ(booking.owner(), "alice");
  const auto get = Named<v1::GetBookingRequest>(booking.name());
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "GetBooking", get), "");
  EXPECT_EQ(Reason<v1::Booking>(kDesk, "GetBooking", get), "");
  EXPECT_EQ(Reason<v1::Booking>(kBob, "GetBooking", get), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(
      running_.Call<v1::Booking>(kPublic, "GetBooking", get).status().code(),
      absl::StatusCode::kUnauthenticated);
}

TEST_F(Visibility, OfAListIsThatOfItsBookings) {
  const std::string alices = Book(kAlice, Wish(9, 10)).name();
  const std::string bobs = Book(kBob, Wish(10, 11)).name();
  const auto names = [&](const char* token, const char* parent) {
    v1::ListBookingsRequest request;
    request.set_parent(parent);
    auto list =
        running_.Call<v1::ListBookingsResponse>(token, "ListBookings", request);
    EXPECT_TRUE(list.ok()) << list.status();
    std::vector<std::string> found;
    for (const auto& booking : list->bookings())
      found.push_back(booking.name());
    return found;
  };
  EXPECT_THAT(names(kAlice, kCentre), ElementsAre(alices));
  EXPECT_THAT(names(kBob, "centres/-"), ElementsAre(bobs));
  EXPECT_THAT(names(kDesk, "centres/-"),
              testing::UnorderedElementsAre(alices, bobs));
}

TEST_F(Visibility, OfAStrangersBookingIsNoneInAnyMethod) {
  const v1::Booking booking = Book(kAlice, Wish(9, 10));
  const v1::Visitor visitor = AddVisitor(kAlice, booking.name());
  EXPECT_EQ(visitor.owner(), "alice");
  EXPECT_EQ(
      Reason<v1::Booking>(kBob, "RequestBooking",
                          Named<v1::RequestBookingRequest>(booking.name())),
      "RESOURCE_NOT_FOUND");
  EXPECT_EQ(
      Reason<v1::Booking>(kBob, "CancelBooking",
                          Named<v1::CancelBookingRequest>(booking.name())),
      "RESOURCE_NOT_FOUND");
  EXPECT_EQ(Reason<v1::Booking>(
                kBob, "EraseBookingContact",
                Named<v1::EraseBookingContactRequest>(booking.name())),
            "RESOURCE_NOT_FOUND");
  EXPECT_EQ(Reason<v1::Visitor>(kBob, "GetVisitor",
                                Named<v1::GetVisitorRequest>(visitor.name())),
            "RESOURCE_NOT_FOUND");
  EXPECT_EQ(Reason<v1::Visitor>(kBob, "EraseVisitor",
                                Named<v1::EraseVisitorRequest>(visitor.name())),
            "RESOURCE_NOT_FOUND");
  v1::CreateVisitorRequest create;
  create.set_parent(booking.name());
  create.mutable_visitor()->set_category(v1::Party::MEDIA);
  EXPECT_EQ(Reason<v1::Visitor>(kBob, "CreateVisitor", create),
            "RESOURCE_NOT_FOUND");
  v1::UpdateBookingRequest update;
  *update.mutable_booking() = booking;
  EXPECT_EQ(Reason<v1::Booking>(kBob, "UpdateBooking", update),
            "RESOURCE_NOT_FOUND");
  v1::ListVisitorsRequest list;
  list.set_parent("centres/-/bookings/-");
  auto visitors =
      running_.Call<v1::ListVisitorsResponse>(kBob, "ListVisitors", list);
  ASSERT_TRUE(visitors.ok()) << visitors.status();
  EXPECT_THAT(visitors->visitors(), IsEmpty());
}

TEST_F(Visibility, StaffStepsAreForStaff) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.mutable_booking()->set_purpose(v1::Booking::SOURCE_REVIEW);
  const std::string name = Book(kAlice, wish).name();
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "RequestBooking",
                                Named<v1::RequestBookingRequest>(name)),
            "");
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "ApproveBooking",
                                Named<v1::ApproveBookingRequest>(name)),
            "ROLE_MISSING");
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CheckInBooking",
                                Named<v1::CheckInBookingRequest>(name)),
            "ROLE_MISSING");
}

TEST_F(Booking, GoesThroughItsLife) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.mutable_booking()->set_purpose(v1::Booking::SOURCE_REVIEW);
  const v1::Booking held = Book(kAlice, wish);
  EXPECT_EQ(held.state(), v1::Booking::HELD);
  EXPECT_THAT(held.allowed_steps(), ElementsAre("request", "cancel"));
  auto now = running_.Call<v1::Booking>(
      kAlice, "RequestBooking", Named<v1::RequestBookingRequest>(held.name()));
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->state(), v1::Booking::REQUESTED);
  EXPECT_NE(now->etag(), held.etag());
  now = running_.Call<v1::Booking>(
      kDesk, "ApproveBooking", Named<v1::ApproveBookingRequest>(held.name()));
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->state(), v1::Booking::CONFIRMED);
  EXPECT_EQ(Reason<v1::Booking>(kDesk, "CheckInBooking",
                                Named<v1::CheckInBookingRequest>(held.name())),
            "CHECK_IN_TOO_EARLY");
  clock().Set(kMonday + absl::Hours(48));
  now = running_.Call<v1::Booking>(
      kDesk, "CheckInBooking", Named<v1::CheckInBookingRequest>(held.name()));
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->state(), v1::Booking::CHECKED_IN);
  clock().Set(kMonday + absl::Hours(50));
  now = running_.Call<v1::Booking>(kAlice, "GetBooking",
                                   Named<v1::GetBookingRequest>(held.name()));
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->state(), v1::Booking::COMPLETED);
}

TEST_F(Booking, RefusesAnotherEtag) {
  const v1::Booking booking = Book(kAlice, Wish(9, 10));
  auto request = Named<v1::RequestBookingRequest>(booking.name());
  request.set_etag("\"0000000000000000\"");
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "RequestBooking", request),
            "ETAG_MISMATCH");
  request.set_etag(booking.etag());
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "RequestBooking", request), "");
}

TEST_F(Booking, BelongsToWhomStaffNameAndToNobodyElsesChoice) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.set_owner("bob");
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CreateBooking", wish),
            "INVALID_FIELDS");
  const v1::Booking booking = Book(kDesk, wish);
  EXPECT_EQ(booking.owner(), "bob");
  EXPECT_EQ(Reason<v1::Booking>(kBob, "GetBooking",
                                Named<v1::GetBookingRequest>(booking.name())),
            "");
  v1::CreateBookingRequest forged = Wish(10, 11);
  forged.mutable_booking()->set_owner("bob");
  forged.mutable_booking()->set_state(v1::Booking::CONFIRMED);
  const v1::Booking mine = Book(kAlice, forged);
  EXPECT_EQ(mine.owner(), "alice");
  EXPECT_EQ(mine.state(), v1::Booking::HELD);
}

TEST_F(Booking, OfAnonymousCallersIsRefused) {
  EXPECT_EQ(running_.Call<v1::Booking>(kPublic, "CreateBooking", Wish(9, 10))
                .status()
                .code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(Booking, IsKeptAsItWasByAnUpdateOfFixedFields) {
  v1::UpdateBookingRequest update;
  *update.mutable_booking() = Book(kAlice, Wish(9, 10));
  update.mutable_booking()->clear_etag();
  update.mutable_booking()->mutable_end_time()->set_seconds(
      update.booking().end_time().seconds() + 3600);
  update.mutable_update_mask()->add_paths("end_time");
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "UpdateBooking", update),
            "INVALID_FIELDS");
  update.mutable_update_mask()->clear_paths();
  update.mutable_update_mask()->add_paths("party.size");
  update.mutable_booking()->mutable_party()->set_size(11);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "UpdateBooking", update),
            "PARTY_TOO_LARGE");
  update.mutable_booking()->mutable_party()->set_size(10);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "UpdateBooking", update), "");
}

TEST_F(Booking, NamesAlternativesToTheLoser) {
  Book(kAlice, Wish(9, 10));
  const absl::Status refusal =
      running_.Call<v1::Booking>(kBob, "CreateBooking", Wish(9, 10)).status();
  EXPECT_EQ(ReasonOf(refusal), "SPACE_TAKEN");
  v1::AlternativeSlots slots;
  ASSERT_TRUE(status::FindDetail(refusal, &slots)) << refusal;
  EXPECT_EQ(slots.slots_size(), 3);
}

TEST_F(Booking, ThatExpiredNeverBlocksAnother) {
  const v1::Booking held = Book(kAlice, Wish(9, 10));
  EXPECT_EQ(Reason<v1::Booking>(kBob, "CreateBooking", Wish(9, 10)),
            "SPACE_TAKEN");
  clock().Advance(absl::Minutes(15));
  Book(kBob, Wish(9, 10));
  auto expired = running_.Call<v1::Booking>(
      kAlice, "GetBooking", Named<v1::GetBookingRequest>(held.name()));
  ASSERT_TRUE(expired.ok()) << expired.status();
  EXPECT_EQ(expired->state(), v1::Booking::EXPIRED);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "RequestBooking",
                                Named<v1::RequestBookingRequest>(held.name())),
            "STEP_NOT_ALLOWED");
}

TEST_F(Booking, IsMadeOnceForOneRequestId) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.set_request_id(kRequestId);
  const v1::Booking first = Book(kAlice, wish);
  EXPECT_EQ(Book(kAlice, wish).name(), first.name());
  wish.mutable_booking()->mutable_party()->set_size(5);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CreateBooking", wish),
            "REQUEST_ID_REUSED");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM bookings"), 1);
}

TEST_F(Booking, OnlyValidatedTakesNothing) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.set_validate_only(true);
  Book(kAlice, wish);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM bookings"), 0);
  Book(kBob, Wish(9, 10));
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CreateBooking", wish), "SPACE_TAKEN");
}

TEST_F(Booking, OfOneExclusiveSpaceIsWonByOneOfManyCallersOnThreeReplicas) {
  RunningService second(service_, database_, kMonday);
  RunningService third(service_, database_, kMonday);
  RunningService* replicas[] = {&running_, &second, &third};
  std::atomic<int> won{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 48; ++i) {
    callers.emplace_back([&, i] {
      // Overlapping, each from another minute on.
      v1::CreateBookingRequest wish = Wish(9, 10);
      auto* start = wish.mutable_booking()->mutable_start_time();
      start->set_seconds(start->seconds() + 60 * (i % 20));
      auto* end = wish.mutable_booking()->mutable_end_time();
      end->set_seconds(end->seconds() + 60 * (i % 20));
      const absl::Status status =
          replicas[i % 3]
              ->Call<v1::Booking>(i % 2 ? kAlice : kBob, "CreateBooking", wish)
              .status();
      if (status.ok()) {
        ++won;
      } else if (ReasonOf(status) == "SPACE_TAKEN") {
        ++lost;
      } else {
        ADD_FAILURE() << status;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 47);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM bookings"), 1);
  EXPECT_EQ(database_.Number(
                "SELECT count(*) FROM booking_spaces a JOIN booking_spaces b"
                " ON a.space = b.space AND a.during && b.during"
                " AND a.booking <> b.booking WHERE NOT a.shared"),
            0);
}

TEST_F(Booking, OfASharedSpaceNeverExceedsItsCapacityHoweverManyCall) {
  std::atomic<int> people{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&] {
      v1::CreateBookingRequest wish = Wish(9, 10);
      wish.mutable_booking()->set_spaces(0, kHall);
      wish.mutable_booking()->mutable_party()->set_size(3);
      if (running_.Call<v1::Booking>(kAlice, "CreateBooking", wish).ok()) {
        people += 3;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(people, 18);
  EXPECT_EQ(database_.Number("SELECT sum(party_size) FROM booking_spaces"), 18);
}

class Limits : public CentreServiceTest {
 protected:
  Limits() {
    auto update = Parse<v1::UpdateCentreRequest>(
        "centre { name: 'centres/brussels' booking_policy { owner_limits {"
        " held_at_once: 5 } } }"
        " update_mask { paths: 'booking_policy.owner_limits.held_at_once' }");
    EXPECT_EQ(Reason<v1::Centre>(kDesk, "UpdateCentre", update), "");
  }

  // The wish of caller number `i`, for a place in the hall.
  static v1::CreateBookingRequest Place(int i) {
    v1::CreateBookingRequest wish = Wish(9 + i % 6, 10 + i % 6);
    wish.mutable_booking()->set_spaces(0, kHall);
    wish.mutable_booking()->mutable_party()->set_size(1);
    return wish;
  }
};

TEST_F(Limits, OfOneOwnerHoldHoweverManyCallOnThreeReplicas) {
  RunningService second(service_, database_, kMonday);
  RunningService third(service_, database_, kMonday);
  RunningService* replicas[] = {&running_, &second, &third};
  std::atomic<int> booked{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 48; ++i) {
    callers.emplace_back([&, i] {
      const absl::Status status =
          replicas[i % 3]
              ->Call<v1::Booking>(i % 2 ? kAlice : kBob, "CreateBooking",
                                  Place(i / 2))
              .status();
      if (status.ok()) {
        ++booked;
      } else if (ReasonOf(status) == "OWNER_LIMIT_REACHED") {
        ++refused;
      } else {
        ADD_FAILURE() << status;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(booked, 10);
  EXPECT_EQ(refused, 38);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM bookings"), 10);
  EXPECT_EQ(database_.Number("SELECT max(held) FROM (SELECT count(*) AS held"
                             " FROM bookings WHERE state = 'HELD'"
                             " GROUP BY owner) each_owner"),
            5);
}

TEST_F(Limits, AreToldAndDecidedTheSameWhenOnlyValidated) {
  for (int i = 0; i < 5; ++i) Book(kAlice, Place(i));
  v1::CreateBookingRequest wish = Place(5);
  for (const bool only : {true, false}) {
    wish.set_validate_only(only);
    const absl::Status status =
        running_.Call<v1::Booking>(kAlice, "CreateBooking", wish).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(status::FindDetail(status, &info)) << status;
    EXPECT_EQ(info.reason(), "OWNER_LIMIT_REACHED");
    EXPECT_EQ(info.metadata().at("limit"), "held_at_once");
    EXPECT_EQ(info.metadata().at("present"), "5");
    EXPECT_EQ(info.metadata().at("roomFrom"), "2026-03-02T08:15:00+00:00");
    google::rpc::QuotaFailure quota;
    EXPECT_TRUE(status::FindDetail(status, &quota));
    google::rpc::RetryInfo retry;
    EXPECT_TRUE(status::FindDetail(status, &retry));
  }
  // Staff are not held to them, whomever they book for.
  wish = Place(5);
  wish.set_owner("alice");
  Book(kDesk, wish);
  wish = Place(0);
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "CreateBooking", wish),
            "OWNER_LIMIT_REACHED");
  clock().Set(kMonday + absl::Minutes(15));
  Book(kAlice, wish);
}

TEST_F(PersonalData, OfAVisitorIsGoneOnceErased) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.mutable_booking()->mutable_contact()->set_display_name(
      "Ford Unforgettable");
  const v1::Booking booking = Book(kAlice, wish);
  EXPECT_EQ(booking.contact().display_name(), "Ford Unforgettable");
  const v1::Visitor visitor = AddVisitor(kAlice, booking.name());
  auto erase = Named<v1::EraseVisitorRequest>(visitor.name());
  erase.set_reason("asked for");
  auto erased = running_.Call<v1::Visitor>(kAlice, "EraseVisitor", erase);
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->display_name(), "");
  EXPECT_EQ(erased->email(), "");
  EXPECT_EQ(erased->organization(), "");
  EXPECT_EQ(erased->category(), v1::Party::MEDIA);
  EXPECT_TRUE(erased->has_erase_time());
  // Twice is the same.
  auto again = running_.Call<v1::Visitor>(kAlice, "EraseVisitor", erase);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->SerializeAsString(), erased->SerializeAsString());
  EXPECT_EQ(Reason<v1::Booking>(
                kDesk, "EraseBookingContact",
                Named<v1::EraseBookingContactRequest>(booking.name())),
            "");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM personal"), 0);
  auto found = running_.Call<v1::Booking>(
      kDesk, "GetBooking", Named<v1::GetBookingRequest>(booking.name()));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->has_contact());
}

// The hall held all of them then; that it holds fewer now is no obstacle.
TEST_F(PersonalData, OfAPastBookingIsErasedWhateverItsSpaceHoldsNow) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.mutable_booking()->set_spaces(0, kHall);
  wish.mutable_booking()->mutable_party()->set_size(15);
  wish.mutable_booking()->mutable_contact()->set_display_name("Ford");
  const std::string name = Book(kAlice, wish).name();
  EXPECT_EQ(Reason<v1::Booking>(kAlice, "RequestBooking",
                                Named<v1::RequestBookingRequest>(name)),
            "");
  clock().Set(kMonday + absl::Hours(49));
  EXPECT_EQ(Reason<v1::Booking>(kDesk, "CheckInBooking",
                                Named<v1::CheckInBookingRequest>(name)),
            "");
  const auto lower = Parse<v1::UpdateSpaceRequest>(
      "space { name: 'centres/brussels/spaces/hall' capacity: 10 }");
  EXPECT_EQ(Reason<v1::Space>(kDesk, "UpdateSpace", lower), "SPACE_IN_USE");
  clock().Set(kMonday + absl::Hours(51));
  EXPECT_EQ(Reason<v1::Space>(kDesk, "UpdateSpace", lower), "");
  const auto erased =
      running_.Call<v1::Booking>(kDesk, "EraseBookingContact",
                                 Named<v1::EraseBookingContactRequest>(name));
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->state(), v1::Booking::COMPLETED);
  EXPECT_FALSE(erased->has_contact());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM personal"), 0);
}

TEST_F(PersonalData, StandsInThePersonalTableAlone) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.set_request_id(kRequestId);
  wish.mutable_booking()->mutable_contact()->set_display_name(
      "Zaphod Unmistakable");
  AddVisitor(kAlice, Book(kAlice, wish).name());
  for (const char* table :
       {"journal", "requests", "bookings", "booking_spaces", "visitors"}) {
    EXPECT_EQ(database_.Number(absl::StrCat(
                  "SELECT count(*) FROM ", table, " AS t WHERE t::text LIKE",
                  " '%nmistakable%' OR t::text LIKE '%'"
                  " || encode('nmistakable', 'hex') || '%'")),
              0)
        << table;
  }
  EXPECT_EQ(database_.Number("SELECT count(*) FROM personal"), 2);
}

TEST_F(PersonalData, IsNotInARepeatedAnswer) {
  v1::CreateBookingRequest wish = Wish(9, 10);
  wish.set_request_id(kRequestId);
  wish.mutable_booking()->mutable_contact()->set_display_name("Ford");
  EXPECT_TRUE(Book(kAlice, wish).has_contact());
  EXPECT_FALSE(Book(kAlice, wish).has_contact());
}

TEST_F(Search, TellsThePublicThatATimeIsTakenAndNotByWhom) {
  auto request = Parse<v1::SearchAvailabilityRequest>(
      "centre: 'centres/brussels' purpose: STAKEHOLDER_MEETING party_size: 2"
      " duration { seconds: 3600 } spaces: 'centres/brussels/spaces/room'");
  request.mutable_start_time()->set_seconds(
      Wish(0, 1).booking().start_time().seconds());
  request.mutable_end_time()->set_seconds(
      Wish(0, 23).booking().end_time().seconds());
  auto answer = running_.Call<v1::SearchAvailabilityResponse>(
      kPublic, "SearchAvailability", request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->spaces_size(), 1);
  EXPECT_EQ(answer->spaces(0).slots_size(), 1);
  Book(kAlice, Wish(9, 10));
  answer = running_.Call<v1::SearchAvailabilityResponse>(
      kPublic, "SearchAvailability", request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->spaces(0).slots_size(), 2);
  EXPECT_EQ(answer->spaces(0).slots(0).end_time().seconds(),
            Wish(9, 10).booking().start_time().seconds());
  EXPECT_FALSE(absl::StrContains(answer->DebugString(), "alice"));
}

TEST_F(Search, OfACentreThatIsNotThereIsNotFound) {
  auto request = Parse<v1::SearchAvailabilityRequest>(
      "centre: 'centres/none' purpose: SHOWCASE party_size: 2"
      " duration { seconds: 3600 }");
  EXPECT_EQ(Reason<v1::SearchAvailabilityResponse>(
                kPublic, "SearchAvailability", request),
            "RESOURCE_NOT_FOUND");
}

// Sends one line of a samples file as the desk.
class Samples : public CentreServiceTest {};

TEST_F(Samples, AreTakenByTheService) {
  std::ifstream lines("centre-service/samples/facts.jsonl");
  ASSERT_TRUE(lines) << "run in the root of the checkout";
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    google::protobuf::Struct fact;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line, &fact).ok());
    const std::string method = fact.fields().at("method").string_value();
    std::string json;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(
                    fact.fields().at("request"), &json)
                    .ok());
    std::string reason;
    if (method == "CreateCentre") {
      v1::CreateCentreRequest request;
      ASSERT_TRUE(
          google::protobuf::util::JsonStringToMessage(json, &request).ok());
      EXPECT_TRUE(request.centre().source().sample());
      // The fixture has a centre of this id already.
      request.set_centre_id("sample");
      reason = Reason<v1::Centre>(kDesk, method.c_str(), request);
    } else {
      ASSERT_EQ(method, "CreateSpace");
      v1::CreateSpaceRequest request;
      ASSERT_TRUE(
          google::protobuf::util::JsonStringToMessage(json, &request).ok());
      EXPECT_TRUE(request.space().source().sample());
      reason = Reason<v1::Space>(kDesk, method.c_str(), request);
    }
    EXPECT_EQ(reason, "") << line;
    ++count;
  }
  EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace transparency::centre
