#pragma once

#include <string>

#include "common/query/filter_syntax.h"
#include "common/query/filter_tree.h"
#include "google/protobuf/descriptor.h"

namespace transparency::query::filter_tree {

// The test of a value of `field` against a literal, as filter.h says for each
// type. Null when they do not suit each other; `error` then says why.
ValueTestPtr CompareWith(const google::protobuf::FieldDescriptor& field,
                         filter_syntax::Comparator comparator,
                         const filter_syntax::Literal& literal,
                         std::string* error);

// The test of a text field against the caller's subject, with kEq, kNe or kHas;
// null for another comparator. Passes for nobody who is not identified.
ValueTestPtr CompareWithSubject(filter_syntax::Comparator comparator);
// Whether the text is one of the caller's roles.
ValueTestPtr IsRoleOfCaller();

// The texts between the wildcards of a literal: one more than wildcards.
std::vector<std::string> Pieces(const filter_syntax::Literal& literal);

}  // namespace transparency::query::filter_tree
