#include "common/query/query_error.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::query {

absl::Status QueryInvalid(absl::string_view field, absl::string_view query,
                          size_t offset, absl::string_view description) {
  const std::string position = absl::StrCat(
      text::CodePoints(query.substr(0, std::min(offset, query.size()))) + 1);
  const std::string what =
      absl::StrCat("at character ", position, ": ", description);
  absl::Status status =
      status::Refuse(absl::StatusCode::kInvalidArgument, "QUERY_INVALID",
                     absl::StrCat(field, ": ", what),
                     {{"field", std::string(field)}, {"position", position}});
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(what);
  status::AddDetail(&status, bad);
  return status;
}

}  // namespace transparency::query
