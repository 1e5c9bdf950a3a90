#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/fields/field_access.h"
#include "common/fields/field_subset.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace transparency::query {

namespace filter_tree {
class Node;
}

// A filter of a List request: the grammar of AIP-160 (filter_syntax.h) over the
// fields of one message type. Immutable, thread-safe.
//
// What a comparison means, by the type of the field:
//   * text: exact, by code points; `*` in the value of = and != stands for any
//     text. Numbers, true and false as in JSON; enum values by name.
//   * google.protobuf.Timestamp: RFC 3339 with an offset, in quotes or not, or
//     timestamp("…"). Duration: 1.5s, or duration("…").
//   * google.type.Date: 2019-12-31, 2019-12 or 2019. Both sides may be vague,
//     and a comparison matches where it surely holds: `date = 2019` what surely
//     lies in 2019, `date != 2019` what surely does not, `date < 2019` what is
//     surely earlier than all of it, `date <= 2019` surely not later.
//   * repeated fields, also on the way to the field: with `:` alone, which
//     matches when one element equals the value.
//   * maps: `labels.key = value`, `labels:key`. Messages: `message:field`.
//   * `field:*` matches when the field is set; of one without presence, when it
//     has not its default value. `:` with another value is `=`.
//   * a word alone: some visible text field holds it, at any place, without
//     regard to case; `*` in it stands for any text. The etag is no such text.
// A filter has at most 100 terms, of which 10 may search through text: words,
// and values with a `*` between or beside others (`title = "*a*"`).
// What is not set (a message on the way, a message or `optional` field itself,
// a missing key) matches no comparison, not even !=.
class Filter {
 public:
  // INVALID_ARGUMENT, reason QUERY_INVALID, with the position. The empty filter
  // matches everything.
  static absl::StatusOr<std::shared_ptr<const Filter>> Parse(
      absl::string_view text, const google::protobuf::Descriptor& type,
      const fields::FieldAccess& access = fields::FieldAccess());

  explicit Filter(std::unique_ptr<const filter_tree::Node> root);
  ~Filter();

  // Allocates nothing, but for maps and for a thread's first words.
  bool Matches(const google::protobuf::Message& message) const;
  bool matches_all() const { return root_ == nullptr; }
  // The fields that Matches looks at.
  const fields::FieldSubset& fields() const { return fields_; }
  // How many comparisons and words it has.
  int terms() const { return root_ == nullptr ? 0 : CountTerms(); }

 private:
  int CountTerms() const;

  const std::unique_ptr<const filter_tree::Node> root_;  // null: everything
  fields::FieldSubset fields_;
};

}  // namespace transparency::query
