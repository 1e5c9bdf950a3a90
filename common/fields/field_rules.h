#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::fields {

inline constexpr int kDefaultMaxLength = 1000;
inline constexpr int kDefaultMaxItems = 100;

struct MessageRules;

// What the annotations of one field say.
struct FieldRules {
  const google::protobuf::FieldDescriptor* field = nullptr;
  bool required = false;
  bool output_only = false;
  bool immutable = false;
  bool identifier = false;
  // Of a text beside a resource: the id that its creator chooses (AIP-133).
  bool chosen_id = false;
  int max_length = kDefaultMaxLength;
  int max_items = kDefaultMaxItems;
  type::v1::Format format = type::v1::FORMAT_UNSPECIFIED;

  // Of a text that names a resource.
  enum class Reference { kNone, kLocal, kForeign, kAny };
  Reference reference = Reference::kNone;
  std::string reference_type;     // certification.transparency/Certificate
  std::string reference_pattern;  // empty: not known here
  // The name is a parent's: `-` may stand for any where lists are asked for.
  bool names_parent = false;

  // Of a message that is not one of the well-known values.
  const MessageRules* message = nullptr;
};

// Messages whose fields are judged together.
enum class Value { kNone, kTimestamp, kDuration, kDate, kMoney, kPeriod };

struct MessageRules {
  const google::protobuf::Descriptor* type = nullptr;
  Value value = Value::kNone;
  // The pattern of the resource that this is; empty when it is none.
  std::string resource_pattern;
  std::vector<FieldRules> fields;
};

// Reads the annotations of a type once. Thread-safe. Descriptors must live as
// long as the process; so do the rules.
const MessageRules& RulesOf(const google::protobuf::Descriptor& type);
// Those of one field of its message.
const FieldRules& RulesOf(const google::protobuf::FieldDescriptor& field);

}  // namespace transparency::fields
