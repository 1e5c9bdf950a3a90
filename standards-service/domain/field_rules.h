#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/status/status.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "transparency/standards/v1/document.pb.h"

// Rules of single fields that several kinds of this service share. What a field
// must look like by its annotations and type (dates that exist, formats, names)
// has been checked before any rule of this folder runs.
namespace transparency::standards::domain {

// The civil day of an instant, and the first instant of a day, in UTC: this
// service's records name no zone.
absl::CivilDay Today(absl::Time now);
absl::Time StartOf(absl::CivilDay day);

// Whether every reading of `a` is before every reading of `b`.
bool SurelyBefore(const google::type::Date& a, const google::type::Date& b);

// INVALID_ARGUMENT when every reading of `date` is after today. An absent
// (empty) date passes.
absl::Status CheckNotAhead(absl::string_view field,
                           const google::type::Date& date, absl::Time now);

// FAILED_PRECONDITION, reason DATE_CONTRADICTS_RECORD.
absl::Status Contradiction(const std::string& name,
                           const google::type::Date& date,
                           absl::string_view why);

void CheckDocuments(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<v1::Document>& documents,
    status::Violations* violations);

}  // namespace transparency::standards::domain
