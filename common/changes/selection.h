#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/resource/kind.h"
#include "google/protobuf/repeated_field.h"

namespace transparency::changes {

// Which resources a request of a journal service is about: the fields `types`
// and `name`. A value; thread-safe.
class Selection {
 public:
  using Types = google::protobuf::RepeatedPtrField<std::string>;

  // INVALID_ARGUMENT over `types[i]` and `name` for what is no type or no name
  // of the service. `catalogue` outlives it.
  static absl::StatusOr<Selection> Make(const resource::Catalogue& catalogue,
                                        const Types& types,
                                        const std::string& name);

  bool Takes(const resource::Kind& kind, absl::string_view name) const;

  // The one name that it takes; empty where there may be several.
  const std::string& only_name() const { return only_name_; }
  // For PostgreSQL's `~`: fits the names it takes; empty: all names.
  std::string Regex() const;

 private:
  Selection() = default;

  std::vector<const resource::Kind*> kinds_;  // empty: all
  std::string pattern_;                       // empty: all
  std::string only_name_;
};

}  // namespace transparency::changes
