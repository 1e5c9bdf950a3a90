// Page tokens: what was made is read back, in its own query alone; what is read
// is what would be made. Input: query, name, key and a token, a line each.

#include <string>
#include <vector>

#include "common/query/page_token.h"
#include "tests/fuzz/fuzz.h"

using transparency::fuzz::Require;
using transparency::query::MakePageToken;
using transparency::query::Position;
using transparency::query::ReadPageToken;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts =
      transparency::fuzz::Lines(transparency::fuzz::Text(data, size), 3);
  const std::vector<std::string> query = {std::string(parts[0]), "parent"};
  const Position position = {std::string(parts[1]), std::string(parts[2])};
  const std::string token = MakePageToken(query, position);
  for (char c : token) {
    Require(absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
                c == '_',
            "a token is safe in a URL", token);
  }
  const auto read = ReadPageToken(query, token);
  Require(read.ok() && read->name == position.name && read->key == position.key,
          "a token is read back");
  Require(!ReadPageToken({query[0] + "x", query[1]}, token).ok() &&
              !ReadPageToken({query[0], query[1], ""}, token).ok() &&
              !ReadPageToken({query[0] + query[1]}, token).ok(),
          "a token belongs to its query");
  const auto made_up = ReadPageToken(query, parts[3]);
  Require(!made_up.ok() || MakePageToken(query, *made_up) == parts[3],
          "one position has one token", std::string(parts[3]));
  return 0;
}
