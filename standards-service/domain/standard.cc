#include "standards-service/domain/standard.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/resource/snapshot.h"
#include "common/status/status.h"
#include "standards-service/domain/chain.h"
#include "transparency/standards/v1/error_reason.pb.h"

namespace transparency::standards::domain {
namespace {

resource::IndexKey EditionKey(const v1::Standard& standard) {
  return resource::Key("standard", standard.publisher(), standard.designation(),
                       standard.version());
}

void Keys(const v1::Standard& standard, std::vector<resource::IndexKey>* keys) {
  if (!standard.publisher().empty()) keys->push_back(EditionKey(standard));
}

absl::Status CheckUnique(const resource::Snapshot& view,
                         const v1::Standard& standard) {
  if (standard.publisher().empty()) return absl::OkStatus();
  std::string other;
  view.Lookup<v1::Standard>(
      EditionKey(standard), [&](const v1::Standard& candidate) {
        if (candidate.name() != standard.name() &&
            candidate.publisher() == standard.publisher() &&
            candidate.designation() == standard.designation() &&
            candidate.version() == standard.version()) {
          other = candidate.name();
        }
        return other.empty();
      });
  if (other.empty()) return absl::OkStatus();
  return status::NotUnique(
      "standard.designation",
      absl::StrCat(standard.designation(), " ", standard.version()), other);
}

absl::Status Check(const resource::Snapshot& view, const v1::Standard*,
                   v1::Standard* after, absl::Time) {
  if (!after->successor().empty() &&
      after->status() != v1::Standard::SUPERSEDED) {
    return status::InvalidField(
        "standard.successor",
        "is given to standards of the status SUPERSEDED only");
  }
  absl::Status unique = CheckUnique(view, *after);
  if (!unique.ok()) return unique;
  return CheckNoCircle<v1::Standard>(
      view, after->name(), after->successor(), &v1::Standard::successor,
      {v1::SUCCESSOR_CYCLE, "standard", "successor"});
}

}  // namespace

resource::Rules<v1::Standard> StandardRules() {
  return {.keys = Keys, .check = Check};
}

}  // namespace transparency::standards::domain
