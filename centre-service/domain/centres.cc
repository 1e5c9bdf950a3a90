#include "centre-service/domain/centres.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "centre-service/domain/booking_policy.h"
#include "centre-service/domain/bookings.h"
#include "centre-service/domain/instants.h"
#include "centre-service/domain/occupation.h"
#include "centre-service/domain/opening_hours.h"
#include "centre-service/domain/visitors.h"
#include "common/status/status.h"
#include "transparency/centre/v1/error_reason.pb.h"

namespace transparency::centre::domain {
namespace {

constexpr int kLargestCapacity = 10'000;

// A set of enum values: known ones, each once.
template <class Values, class IsValid>
void CheckEach(const Values& values, absl::string_view path, IsValid is_valid,
               status::Violations* violations) {
  std::set<int> seen;
  for (int i = 0; i < values.size(); ++i) {
    const int value = values.Get(i);
    if (value == 0 || !is_valid(value)) {
      violations->Add(absl::StrCat(path, "[", i, "]"),
                      "must be one of the values of its enum");
    } else if (!seen.insert(value).second) {
      violations->Add(absl::StrCat(path, "[", i, "]"),
                      "must not be named twice");
    }
  }
}

bool IsEquipmentId(absl::string_view id) {
  return !id.empty() &&
         absl::ascii_islower(static_cast<unsigned char>(id[0])) &&
         std::all_of(id.begin(), id.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) ||
                  c == '-';
         });
}

void CheckEquipment(const v1::Space& space, status::Violations* violations) {
  std::set<std::string> seen;
  for (int i = 0; i < space.equipment_size(); ++i) {
    const std::string path = absl::StrCat("space.equipment[", i, "]");
    if (!IsEquipmentId(space.equipment(i))) {
      violations->Add(path,
                      "must be lower-case letters, digits and hyphens, "
                      "beginning with a letter");
    } else if (!seen.insert(space.equipment(i)).second) {
      violations->Add(path, "must not be named twice");
    }
  }
}

void CheckGapTime(const google::protobuf::Duration& duration,
                  absl::string_view field, status::Violations* violations) {
  const absl::Duration gap = ToDuration(duration);
  if (gap < absl::ZeroDuration() || gap > kLongestGap || !IsWholeMinutes(gap)) {
    violations->Add(field, "must be whole minutes, 0 to 24 hours");
  }
}

absl::Status CheckSpaceFields(const v1::Space& space) {
  status::Violations violations;
  if (space.category() == v1::Space::CATEGORY_UNSPECIFIED ||
      !v1::Space::Category_IsValid(space.category())) {
    violations.Add("space.category", "must be a category");
  }
  if (space.occupancy() == v1::Space::OCCUPANCY_UNSPECIFIED ||
      !v1::Space::Occupancy_IsValid(space.occupancy())) {
    violations.Add("space.occupancy", "must be EXCLUSIVE or SHARED");
  }
  if (space.capacity() < 1 || space.capacity() > kLargestCapacity) {
    violations.Add("space.capacity", "must be from 1 to 10,000");
  }
  CheckEquipment(space, &violations);
  CheckEach(space.purposes(), "space.purposes", v1::Booking::Purpose_IsValid,
            &violations);
  CheckGapTime(space.set_up_time(), "space.set_up_time", &violations);
  CheckGapTime(space.clear_down_time(), "space.clear_down_time", &violations);
  return violations.ToStatus();
}

}  // namespace

absl::Status CheckCentre(const resource::Snapshot&, const v1::Centre*,
                         v1::Centre* after, absl::Time) {
  status::Violations violations;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(after->time_zone(), &zone)) {
    violations.Add("centre.time_zone", "must be an IANA time zone");
  }
  if (after->has_opened_on()) {
    const google::type::Date& date = after->opened_on();
    const absl::CivilDay day(date.year(), date.month(), date.day());
    if (date.year() < 1 || date.year() > 9999 || day.year() != date.year() ||
        day.month() != date.month() || day.day() != date.day()) {
      violations.Add("centre.opened_on",
                     "must be a complete date of the calendar");
    }
  }
  CheckEach(after->functions(), "centre.functions",
            v1::Centre::Function_IsValid, &violations);
  CheckOpeningHours(*after, &violations);
  CheckPolicy(*after, &violations);
  return violations.ToStatus();
}

absl::Status CheckSpace(const resource::Snapshot& view, const v1::Space* before,
                        v1::Space* after, absl::Time now) {
  absl::Status valid = CheckSpaceFields(*after);
  if (!valid.ok()) return valid;
  if (before == nullptr || after->capacity() >= before->capacity()) {
    return absl::OkStatus();
  }
  const int needed = PeakLoad(view, *before, now);
  if (needed <= after->capacity()) return absl::OkStatus();
  return status::Precondition(
      v1::ErrorReason_Name(v1::SPACE_IN_USE), "space.capacity",
      absl::StrCat("Bookings of ", after->name(), " need a capacity of ",
                   needed, "."),
      {{"space", after->name()}, {"needed", absl::StrCat(needed)}});
}

resource::Rules<v1::Centre> CentreRules() {
  resource::Rules<v1::Centre> rules;
  rules.check = CheckCentre;
  return rules;
}

resource::Rules<v1::Space> SpaceRules() {
  resource::Rules<v1::Space> rules;
  rules.check = CheckSpace;
  return rules;
}

absl::Status AddKinds(resource::Catalogue* catalogue) {
  absl::Status added = catalogue->Add(CentreRules());
  if (added.ok()) added = catalogue->Add(SpaceRules());
  if (added.ok()) added = catalogue->Add(BookingRules());
  if (added.ok()) added = catalogue->Add(VisitorRules());
  return added;
}

}  // namespace transparency::centre::domain
