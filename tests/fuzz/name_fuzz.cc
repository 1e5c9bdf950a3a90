// Resource names: a name that is taken is made of its parts again, and fits the
// patterns that it should. Input: a name, a line feed, a pattern.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/fields/names.h"
#include "tests/fuzz/fuzz.h"

namespace fields = transparency::fields;
using transparency::fuzz::Require;

namespace {

void CheckParts(absl::string_view name, fields::AnyIds any) {
  const absl::string_view parent = fields::ParentOf(name);
  const absl::string_view id = fields::IdOf(name);
  Require(any == fields::AnyIds::kAllow || fields::IsId(id),
          "a name ends in an id");
  Require(parent.empty() || fields::IsName(parent, any),
          "what stands before is a name too");
  absl::string_view collection = name;
  collection.remove_prefix(parent.empty() ? 0 : parent.size() + 1);
  collection.remove_suffix(id.size() + 1);
  Require(fields::MakeName(parent, collection, id) == name,
          "a name is made of its parts again");
  Require(fields::ParentMatches(name, name), "a name is like itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts =
      transparency::fuzz::Lines(transparency::fuzz::Text(data, size), 1);
  const absl::string_view name = parts[0];
  const absl::string_view pattern = parts[1];
  for (const auto any : {fields::AnyIds::kRefuse, fields::AnyIds::kAllow}) {
    if (fields::IsName(name, any)) CheckParts(name, any);
    const bool fits = fields::HasPattern(
        name, "organizations/{organization}/memberships/{membership}", any);
    Require(!fits || fields::IsName(name, any), "what fits is a name");
    Require(!fits || absl::StartsWith(name, "organizations/"),
            "what fits begins with its collection");
    (void)fields::HasPattern(name, pattern, any);
  }
  Require(!fields::IsName(name) || fields::IsName(name, fields::AnyIds::kAllow),
          "a name of one is a name of any");
  Require(fields::IsId(name) == fields::CheckId("id", name).ok(),
          "an id is one id");
  absl::string_view domain, local;
  if (fields::SplitFullName(name, &domain, &local)) {
    Require(absl::StrCat("//", domain, "/", local) == name,
            "a full name is made of its parts again");
    Require(!fields::IsName(name), "a full name is no name");
  }
  (void)fields::ParentMatches(name, pattern);
  return 0;
}
