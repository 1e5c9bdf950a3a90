#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/message_differencer.h"

namespace transparency::fuzz {

// Ends the run, so that libFuzzer keeps the input, when an invariant is broken.
inline void Require(bool holds, absl::string_view what,
                    const std::string& detail = "") {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n%s\n", static_cast<int>(what.size()),
               what.data(), detail.c_str());
  std::abort();
}

inline absl::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The first `count` lines of an input, each without its line feed; the last
// part is the rest of it. Always `count` + 1 parts.
inline std::vector<absl::string_view> Lines(absl::string_view text,
                                            size_t count) {
  std::vector<absl::string_view> parts;
  while (parts.size() < count) {
    const size_t end = text.find('\n');
    parts.push_back(text.substr(0, end));
    text = end == absl::string_view::npos ? absl::string_view()
                                          : text.substr(end + 1);
  }
  parts.push_back(text);
  return parts;
}

// Equal in every field, NaN equal to itself.
inline bool Same(const google::protobuf::Message& a,
                 const google::protobuf::Message& b) {
  google::protobuf::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_field_comparator(&comparator);
  return differencer.Compare(a, b);
}

}  // namespace transparency::fuzz
