// Resource names: a name that is taken is made of its parts again, and fits the
// patterns that it should. Input: a name, a line feed, a pattern.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/resource/names.h"
#include "tests/fuzz/fuzz.h"

namespace resource = transparency::resource;
using transparency::fuzz::Require;

namespace {

void CheckParts(absl::string_view name, resource::AnyIds any) {
  const absl::string_view parent = resource::ParentOf(name);
  const absl::string_view id = resource::IdOf(name);
  Require(any == resource::AnyIds::kAllow || resource::IsId(id),
          "a name ends in an id");
  Require(parent.empty() || resource::IsName(parent, any),
          "what stands before is a name too");
  absl::string_view collection = name;
  collection.remove_prefix(parent.empty() ? 0 : parent.size() + 1);
  collection.remove_suffix(id.size() + 1);
  Require(resource::MakeName(parent, collection, id) == name,
          "a name is made of its parts again");
  Require(resource::ParentMatches(name, name), "a name is like itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts =
      transparency::fuzz::Lines(transparency::fuzz::Text(data, size), 1);
  const absl::string_view name = parts[0];
  const absl::string_view pattern = parts[1];
  for (const auto any : {resource::AnyIds::kRefuse, resource::AnyIds::kAllow}) {
    if (resource::IsName(name, any)) CheckParts(name, any);
    const bool fits = resource::HasPattern(
        name, "organizations/{organization}/memberships/{membership}", any);
    Require(!fits || resource::IsName(name, any), "what fits is a name");
    Require(!fits || absl::StartsWith(name, "organizations/"),
            "what fits begins with its collection");
    (void)resource::HasPattern(name, pattern, any);
  }
  Require(!resource::IsName(name) ||
              resource::IsName(name, resource::AnyIds::kAllow),
          "a name of one is a name of any");
  Require(resource::IsId(name) == resource::CheckId("id", name).ok(),
          "an id is one id");
  absl::string_view domain, local;
  if (resource::SplitFullName(name, &domain, &local)) {
    Require(absl::StrCat("//", domain, "/", local) == name,
            "a full name is made of its parts again");
    Require(!resource::IsName(name), "a full name is no name");
  }
  (void)resource::ParentMatches(name, pattern);
  return 0;
}
