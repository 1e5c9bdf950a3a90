#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace transparency::postgres {

// Values of one statement's $1, $2, …, in PostgreSQL's binary form. Copies what
// it is given. Name the type in the statement too: `$1::text[]`.
class Params {
 public:
  Params& Text(absl::string_view value);
  Params& Bytes(absl::string_view value);
  Params& Int(int64_t value);
  Params& Time(absl::Time value);
  Params& Null();

  // One array parameter each, for unnest: a batch of rows costs one statement.
  // An absent element is NULL.
  using Optional = absl::optional<absl::string_view>;
  Params& Texts(const std::vector<absl::string_view>& values);
  Params& OptionalTexts(const std::vector<Optional>& values);
  Params& ByteStrings(const std::vector<absl::string_view>& values);
  Params& OptionalByteStrings(const std::vector<Optional>& values);
  Params& Ints(const std::vector<int64_t>& values);
  Params& Times(const std::vector<absl::Time>& values);

  // For libpq.
  int size() const { return static_cast<int>(values_.size()); }
  // Null for NULL.
  const std::string* value(size_t place) const {
    return null_[place] ? nullptr : &values_[place];
  }
  const std::vector<uint32_t>& types() const { return types_; }

 private:
  Params& Add(uint32_t type, std::string value, bool null = false);

  std::vector<std::string> values_;
  std::vector<bool> null_;
  std::vector<uint32_t> types_;  // OIDs
};

// Big-endian, as on the wire.
void AppendInt32(std::string* out, int32_t value);
void AppendInt64(std::string* out, int64_t value);
int64_t ReadInt(absl::string_view big_endian);
// Microseconds since 2000-01-01, as timestamptz is sent.
int64_t ToWireTime(absl::Time time);
absl::Time FromWireTime(int64_t micros);

}  // namespace transparency::postgres
