#include "centre-service/domain/visitors.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "centre-service/domain/bookings.h"
#include "common/status/status.h"
#include "transparency/centre/v1/booking.pb.h"
#include "transparency/centre/v1/error_reason.pb.h"

namespace transparency::centre::domain {
namespace {

// centres/c/bookings/b of centres/c/bookings/b/visitors/v.
std::string BookingNameOf(absl::string_view visitor) {
  const size_t collection = visitor.rfind("/visitors/");
  return std::string(visitor.substr(0, collection));
}

absl::Status CheckNew(const resource::Snapshot& view, v1::Visitor* visitor) {
  const std::string name = BookingNameOf(visitor->name());
  const auto* booking = view.Get<v1::Booking>(name);
  if (booking == nullptr) {
    return status::NotFound("centre.transparency/Booking", name);
  }
  if (IsOver(booking->state())) return OverRefusal(*booking);
  const int size = booking->party().size();
  if (CountVisitors(view, name) >= size) {
    return status::Precondition(
        v1::ErrorReason_Name(v1::PARTY_FULL), name,
        absl::StrCat(name, " is for ", size, " people, who are all there."),
        {{"booking", name}, {"partySize", absl::StrCat(size)}});
  }
  visitor->set_owner(booking->owner());
  return absl::OkStatus();
}

}  // namespace

int CountVisitors(const resource::Snapshot& view, absl::string_view booking) {
  int count = 0;
  view.ForEach<v1::Visitor>(absl::StrCat(booking, "/visitors/"),
                            [&](const v1::Visitor&) {
                              ++count;
                              return true;
                            });
  return count;
}

absl::Status CheckVisitor(const resource::Snapshot& view,
                          const v1::Visitor* before, v1::Visitor* after,
                          absl::Time) {
  if (before != nullptr && before->has_erase_time()) {
    return status::Precondition(
        v1::ErrorReason_Name(v1::VISITOR_ERASED), before->name(),
        absl::StrCat("The personal data of ", before->name(),
                     " was erased; it cannot be changed any more."),
        {{"visitor", before->name()}});
  }
  if (after->category() == v1::Party::CATEGORY_UNSPECIFIED ||
      !v1::Party::Category_IsValid(after->category())) {
    return status::InvalidField("visitor.category", "must be a category");
  }
  return before == nullptr ? CheckNew(view, after) : absl::OkStatus();
}

resource::Rules<v1::Visitor> VisitorRules() {
  resource::Rules<v1::Visitor> rules;
  rules.check = CheckVisitor;
  rules.random_ids = true;
  return rules;
}

}  // namespace transparency::centre::domain
