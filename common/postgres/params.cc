#include "common/postgres/params.h"

#include <utility>

namespace transparency::postgres {
namespace {

// OIDs of pg_type.h; they never change.
constexpr uint32_t kBytea = 17;
constexpr uint32_t kInt8 = 20;
constexpr uint32_t kText = 25;
constexpr uint32_t kTimestamptz = 1184;
constexpr uint32_t kByteaArray = 1001;
constexpr uint32_t kTextArray = 1009;
constexpr uint32_t kInt8Array = 1016;
constexpr uint32_t kTimestamptzArray = 1185;

// 2000-01-01 in microseconds since 1970.
constexpr int64_t kEpochMicros = 946684800000000;

void AppendArrayHeader(std::string* out, uint32_t element, size_t size,
                       bool nulls) {
  AppendInt32(out, size == 0 ? 0 : 1);  // dimensions
  AppendInt32(out, nulls ? 1 : 0);
  AppendInt32(out, static_cast<int32_t>(element));
  if (size == 0) return;
  AppendInt32(out, static_cast<int32_t>(size));
  AppendInt32(out, 1);  // lower bound
}

std::string TextArray(uint32_t element,
                      const std::vector<Params::Optional>& values) {
  std::string out;
  AppendArrayHeader(&out, element, values.size(), true);
  for (const Params::Optional& value : values) {
    if (!value.has_value()) {
      AppendInt32(&out, -1);
      continue;
    }
    AppendInt32(&out, static_cast<int32_t>(value->size()));
    out.append(value->data(), value->size());
  }
  return out;
}

std::vector<Params::Optional> AllPresent(
    const std::vector<absl::string_view>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

void AppendInt32(std::string* out, int32_t value) {
  const auto bits = static_cast<uint32_t>(value);
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((bits >> shift) & 0xff));
  }
}

void AppendInt64(std::string* out, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((bits >> shift) & 0xff));
  }
}

int64_t ReadInt(absl::string_view big_endian) {
  const bool negative =
      !big_endian.empty() && (static_cast<unsigned char>(big_endian[0]) & 0x80);
  uint64_t bits = negative ? ~uint64_t{0} : 0;
  for (char c : big_endian) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
  }
  return static_cast<int64_t>(bits);
}

int64_t ToWireTime(absl::Time time) {
  return absl::ToUnixMicros(time) - kEpochMicros;
}

absl::Time FromWireTime(int64_t micros) {
  return absl::FromUnixMicros(micros + kEpochMicros);
}

Params& Params::Add(uint32_t type, std::string value, bool null) {
  types_.push_back(type);
  null_.push_back(null);
  values_.push_back(std::move(value));
  return *this;
}

Params& Params::Text(absl::string_view value) {
  return Add(kText, std::string(value));
}

Params& Params::Bytes(absl::string_view value) {
  return Add(kBytea, std::string(value));
}

Params& Params::Int(int64_t value) {
  std::string out;
  AppendInt64(&out, value);
  return Add(kInt8, std::move(out));
}

Params& Params::Time(absl::Time value) {
  std::string out;
  AppendInt64(&out, ToWireTime(value));
  return Add(kTimestamptz, std::move(out));
}

Params& Params::Null() { return Add(0, "", /*null=*/true); }

Params& Params::Texts(const std::vector<absl::string_view>& values) {
  return Add(kTextArray, TextArray(kText, AllPresent(values)));
}

Params& Params::OptionalTexts(const std::vector<Optional>& values) {
  return Add(kTextArray, TextArray(kText, values));
}

Params& Params::ByteStrings(const std::vector<absl::string_view>& values) {
  return Add(kByteaArray, TextArray(kBytea, AllPresent(values)));
}

Params& Params::OptionalByteStrings(const std::vector<Optional>& values) {
  return Add(kByteaArray, TextArray(kBytea, values));
}

Params& Params::Ints(const std::vector<int64_t>& values) {
  std::string out;
  AppendArrayHeader(&out, kInt8, values.size(), false);
  for (int64_t value : values) {
    AppendInt32(&out, 8);
    AppendInt64(&out, value);
  }
  return Add(kInt8Array, std::move(out));
}

Params& Params::Times(const std::vector<absl::Time>& values) {
  std::string out;
  AppendArrayHeader(&out, kTimestamptz, values.size(), false);
  for (absl::Time value : values) {
    AppendInt32(&out, 8);
    AppendInt64(&out, ToWireTime(value));
  }
  return Add(kTimestamptzArray, std::move(out));
}

}  // namespace transparency::postgres
