#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/fields/field_access.h"
#include "common/fields/field_subset.h"
#include "common/query/filter_tree.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Words of a filter: looked for in all texts of a message.
namespace transparency::query::filter_tree {

// The text fields of a type that `access` knows, down to eight messages deep,
// but for the etag. Immutable, thread-safe.
class SearchedFields {
 public:
  SearchedFields(const google::protobuf::Descriptor& type,
                 const fields::FieldAccess& access);

  // Adds the top-level fields that texts lie in.
  void AddFields(fields::FieldSubset* fields) const;
  // Adds each text of a message of the type.
  void Gather(const google::protobuf::Message& message,
              FoldedTexts* texts) const;

 private:
  // The text fields of one message, and the messages below it.
  struct Level {
    const google::protobuf::FieldDescriptor* field = nullptr;  // null: the top
    std::vector<const google::protobuf::FieldDescriptor*> texts;
    std::vector<Level> below;
  };

  static Level Find(const google::protobuf::Descriptor& type,
                    const fields::FieldAccess& access, fields::FieldPath* path,
                    int* budget);
  static void GatherLevel(const google::protobuf::Message& message,
                          const Level& level, FoldedTexts* texts);

  Level top_;
};

// The texts of one message without regard to case, brought into that form once
// for all words of a filter. Not thread-safe.
class FoldedTexts {
 public:
  void Clear();
  bool gathered() const { return gathered_; }
  void SetGathered() { gathered_ = true; }
  void Add(absl::string_view text);

  // Whether one text holds all `pieces`, one behind the other. They are folded
  // and hold no NUL.
  bool Hold(const std::vector<std::string>& pieces) const;

 private:
  bool gathered_ = false;
  std::string all_;           // with a NUL, which no text holds, behind each
  std::vector<size_t> ends_;  // where those NULs stand
};

// A word searched for in these fields. `pieces` follow each other in the text,
// with anything between. Words of one tree are of the same fields.
NodePtr Word(std::shared_ptr<const SearchedFields> fields,
             const std::vector<std::string>& pieces);

}  // namespace transparency::query::filter_tree
