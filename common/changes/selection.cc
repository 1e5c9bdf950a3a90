#include "common/changes/selection.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/text.h"
#include "common/fields/names.h"
#include "common/status/status.h"

namespace transparency::changes {
namespace {

// A pattern of a kind, or a name in which `-` may stand for an id.
std::string RegexOf(absl::string_view pattern) {
  std::vector<absl::string_view> parts = absl::StrSplit(pattern, '/');
  for (size_t i = 1; i < parts.size(); i += 2) {
    if (parts[i] == fields::kAnyId || absl::StartsWith(parts[i], "{")) {
      parts[i] = "[^/]+";
    }
  }
  return absl::StrCat("^", absl::StrJoin(parts, "/"), "$");
}

}  // namespace

absl::StatusOr<Selection> Selection::Make(const resource::Catalogue& catalogue,
                                          const Types& types,
                                          const std::string& name) {
  Selection selection;
  status::Violations violations;
  for (int i = 0; i < types.size(); ++i) {
    const resource::Kind* kind = catalogue.ByType(types.Get(i));
    if (kind == nullptr) {
      violations.Add(
          absl::StrCat("types[", i, "]"),
          absl::StrCat("\"", text::Excerpt(types.Get(i)),
                       "\" is no resource type of this service; one is ",
                       catalogue.kinds().front()->type));
    }
    selection.kinds_.push_back(kind);
  }
  const resource::Kind* named = catalogue.ByName(name);
  if (!name.empty() &&
      (named == nullptr ||
       !fields::HasPattern(name, named->pattern, fields::AnyIds::kAllow))) {
    violations.Add("name", absl::StrCat("\"", text::Excerpt(name),
                                        "\" is neither a name of this service "
                                        "nor one with - for ids"));
  }
  if (!violations.empty()) return violations.ToStatus();
  selection.pattern_ = name;
  if (fields::IsName(name)) selection.only_name_ = name;
  return selection;
}

bool Selection::Takes(const resource::Kind& kind,
                      absl::string_view name) const {
  const bool of_type = kinds_.empty() || std::find(kinds_.begin(), kinds_.end(),
                                                   &kind) != kinds_.end();
  return of_type && (pattern_.empty() || fields::ParentMatches(name, pattern_));
}

std::string Selection::Regex() const {
  if (!pattern_.empty()) return RegexOf(pattern_);
  return absl::StrJoin(kinds_, "|",
                       [](std::string* out, const resource::Kind* kind) {
                         out->append(RegexOf(kind->pattern));
                       });
}

}  // namespace transparency::changes
