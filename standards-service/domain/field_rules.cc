#include "standards-service/domain/field_rules.h"

#include "absl/strings/str_cat.h"
#include "common/base/civil.h"
#include "transparency/standards/v1/error_reason.pb.h"

namespace transparency::standards::domain {

absl::CivilDay Today(absl::Time now) {
  return absl::ToCivilDay(now, absl::UTCTimeZone());
}

absl::Time StartOf(absl::CivilDay day) {
  return absl::FromCivil(day, absl::UTCTimeZone());
}

bool SurelyBefore(const google::type::Date& a, const google::type::Date& b) {
  return civil::LastDay(a) < civil::FirstDay(b);
}

absl::Status CheckNotAhead(absl::string_view field,
                           const google::type::Date& date, absl::Time now) {
  if (date.year() == 0 || civil::FirstDay(date) <= Today(now)) {
    return absl::OkStatus();
  }
  return status::InvalidField(field, "is after today (UTC)");
}

absl::Status Contradiction(const std::string& name,
                           const google::type::Date& date,
                           absl::string_view why) {
  return status::Precondition(v1::ErrorReason_Name(v1::DATE_CONTRADICTS_RECORD),
                              name,
                              absl::StrCat(civil::DateText(date), " ", why),
                              {{"date", civil::DateText(date)}});
}

void CheckDocuments(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<v1::Document>& documents,
    status::Violations* violations) {
  for (int i = 0; i < documents.size(); ++i) {
    if (documents[i].size_bytes() < 0) {
      violations->Add(absl::StrCat(field, "[", i, "].size_bytes"),
                      "is negative");
    }
  }
}

}  // namespace transparency::standards::domain
