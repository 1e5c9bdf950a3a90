#include "gateway/json/json_reader.h"

#include <memory>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gateway/json/field_text.h"
#include "gateway/json/json_lexer.h"
#include "google/api/field_behavior.pb.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::gateway::json {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Where the reader is, as a list on the stack: only an error spells it out.
struct Path {
  const Path* parent = nullptr;
  absl::string_view name;  // of a field; empty for an element
  int index = -1;          // of an element
  absl::string_view key;   // of a map's entry, when index is -2

  std::string ToString() const {
    std::string text = parent == nullptr ? "" : parent->ToString();
    if (!name.empty()) {
      absl::StrAppend(&text, text.empty() ? "" : ".", Shown(name));
    } else if (index >= 0) {
      absl::StrAppend(&text, "[", index, "]");
    } else if (index == -2) {
      absl::StrAppend(&text, "[\"", Shown(key), "\"]");
    }
    return text;
  }
};

bool IsWrapper(const Descriptor& type) {
  return type.well_known_type() >= Descriptor::WELLKNOWNTYPE_DOUBLEVALUE &&
         type.well_known_type() <= Descriptor::WELLKNOWNTYPE_BOOLVALUE;
}

// Values are replaced as a whole by an update, not field by field.
bool IsValueType(const Descriptor& type) {
  return absl::StartsWith(type.full_name(), "google.protobuf.") ||
         absl::StartsWith(type.full_name(), "google.type.") ||
         absl::StartsWith(type.full_name(), "transparency.type.");
}

bool NeverInMask(const FieldDescriptor& field) {
  if (field.name() == "etag") return true;
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    const auto behavior = options.GetExtension(google::api::field_behavior, i);
    if (behavior == google::api::OUTPUT_ONLY ||
        behavior == google::api::IDENTIFIER) {
      return true;
    }
  }
  return false;
}

class Reader {
 public:
  Reader(absl::string_view json, const JsonReadOptions& options)
      : lexer_(json, options.max_values),
        options_(options),
        depth_left_(options.max_depth) {}

  absl::Status Read(Message* message);

 private:
  // Each returns false at a syntax error only; wrong fields are gathered, and
  // reading goes on behind them.
  bool ReadMessage(Message* message, const Path& at, std::string* mask);
  bool ReadMembers(Message* message, const Path& at, std::string* mask);
  bool ReadMember(Message* message, const FieldDescriptor& field,
                  const Path& at, std::string* mask);
  bool ReadField(Message* message, const FieldDescriptor& field, const Path& at,
                 std::string* mask);
  bool ReadRepeated(Message* message, const FieldDescriptor& field,
                    const Path& at);
  bool ReadMap(Message* message, const FieldDescriptor& field, const Path& at);
  bool ReadOne(Message* message, const FieldDescriptor& field, const Path& at,
               std::string* mask);
  bool ReadScalar(Message* message, const FieldDescriptor& field,
                  const Path& at);
  bool ReadStruct(Message* message, const Path& at);
  bool ReadListValue(Message* message, const Path& at);
  bool ReadValue(Message* message, const Path& at);
  bool ReadAny(Message* message, const Path& at);
  bool FindTypeUrl(std::string* url);

  bool Enter();
  void Leave() { ++depth_left_; }
  // `problem` makes the text. Beyond what is listed nothing is spelled out:
  // a body may be wrong in every element.
  template <class Problem>
  bool Wrong(const Path& at, const Problem& problem) {
    if (++wrong_ > status::kMaxViolations) {
      violations_.Add("", "");
    } else {
      violations_.Add(at.ToString(), problem());
    }
    return true;
  }
  template <class Problem>
  bool WrongAndSkip(const Path& at, const Problem& problem) {
    Wrong(at, problem);
    return lexer_.SkipValue(depth_left_);
  }
  bool WrongAndSkip(const Path& at, const char* problem) {
    return WrongAndSkip(at, [problem] { return problem; });
  }
  absl::Status SyntaxError() const;

  JsonLexer lexer_;
  const JsonReadOptions& options_;
  int depth_left_;
  status::Violations violations_;
  int wrong_ = 0;
  // The message of an Any that is being read, in which "@type" may stand.
  const Message* any_payload_ = nullptr;
  // Whether the object read last had no members.
  bool empty_object_ = false;
};

absl::Status Refused(absl::string_view reason, absl::string_view problem,
                     const status::Metadata& metadata) {
  absl::Status refusal = status::Refuse(
      absl::StatusCode::kInvalidArgument, reason,
      absl::StrCat("The body is not the JSON expected: ", problem, "."),
      metadata);
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("body");
  violation->set_description(std::string(problem));
  status::AddDetail(&refusal, bad);
  return refusal;
}

absl::Status Malformed(absl::string_view problem,
                       const status::Metadata& where) {
  return Refused("MALFORMED_REQUEST", problem, where);
}

absl::Status Reader::SyntaxError() const {
  if (lexer_.too_many()) {
    const std::string limit = absl::StrCat(options_.max_values);
    return Refused(
        "LIMIT_EXCEEDED",
        absl::StrCat("expected at most ", limit, " names and values in all"),
        {{"limit", limit}});
  }
  return Malformed(absl::StrCat(lexer_.error(), " (line ", lexer_.line(),
                                ", column ", lexer_.column(), ")"),
                   {{"line", absl::StrCat(lexer_.line())},
                    {"column", absl::StrCat(lexer_.column())}});
}

absl::Status Reader::Read(Message* message) {
  std::string top;
  std::string* mask = options_.named_paths == nullptr ? nullptr : &top;
  Path root;
  bool good = false;
  if (options_.field != nullptr) {
    root.name = options_.field->name();
    // Within an object null is a field left out; a body is not.
    good = lexer_.Peek() == 'n'
               ? ReadOne(message, *options_.field, root, mask)
               : ReadField(message, *options_.field, root, mask);
  } else {
    good = ReadMessage(message, root, mask);
  }
  if (good && (lexer_.Peek() != '\0' || !lexer_.AtEnd())) {
    lexer_.Fail("expected nothing after the value");
    good = false;
  }
  if (!good) return SyntaxError();
  return violations_.ToStatus();
}

bool Reader::Enter() {
  if (depth_left_ == 0) {
    return lexer_.Fail(absl::StrCat("objects and arrays are nested more than ",
                                    options_.max_depth, " deep"));
  }
  --depth_left_;
  return true;
}

bool Reader::ReadMessage(Message* message, const Path& at, std::string* mask) {
  switch (message->GetDescriptor()->well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return ReadStruct(message, at);
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return ReadListValue(message, at);
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return ReadValue(message, at);
    case Descriptor::WELLKNOWNTYPE_ANY:
      return ReadAny(message, at);
    default:
      return ReadMembers(message, at, mask);
  }
}

bool Reader::ReadMembers(Message* message, const Path& at, std::string* mask) {
  const Descriptor& type = *message->GetDescriptor();
  if (lexer_.Peek() != '{') return WrongAndSkip(at, "expected an object");
  if (!Enter()) return false;
  lexer_.TryTake('{');
  empty_object_ = lexer_.Peek() == '}';
  absl::InlinedVector<bool, 64> seen(static_cast<size_t>(type.field_count()));
  if (!lexer_.TryTake('}')) {
    do {
      absl::string_view key;
      if (!lexer_.ReadString(&key)) return false;
      const FieldDescriptor* field = FindField(type, key);
      const std::string unknown = field == nullptr ? std::string(key) : "";
      if (!lexer_.Take(':', "':' after the name")) return false;
      if (field == nullptr) {
        if (message == any_payload_ && unknown == "@type") {
          if (!lexer_.SkipValue(depth_left_)) return false;
        } else if (!WrongAndSkip(Path{.parent = &at, .name = unknown}, [&type] {
                     return absl::StrCat("no such field in ", type.full_name());
                   })) {
          return false;
        }
        continue;
      }
      const Path path{.parent = &at, .name = field->name()};
      auto known = seen[static_cast<size_t>(field->index())];
      if (known) {
        if (!WrongAndSkip(path, "given more than once")) return false;
        continue;
      }
      seen[static_cast<size_t>(field->index())] = true;
      if (!ReadMember(message, *field, path, mask)) return false;
      empty_object_ = false;
    } while (lexer_.TryTake(','));
    if (!lexer_.Take('}', "',' or '}'")) return false;
  }
  Leave();
  return true;
}

bool Reader::ReadMember(Message* message, const FieldDescriptor& field,
                        const Path& at, std::string* mask) {
  if (mask == nullptr || NeverInMask(field)) {
    return ReadField(message, field, at, nullptr);
  }
  std::string path =
      mask->empty() ? field.name() : absl::StrCat(*mask, ".", field.name());
  const bool descends = !field.is_repeated() &&
                        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                        !IsValueType(*field.message_type()) &&
                        lexer_.Peek() == '{';
  if (!ReadField(message, field, at, descends ? &path : nullptr)) return false;
  if (!descends || empty_object_) {
    options_.named_paths->push_back(std::move(path));
  }
  return true;
}

bool Reader::ReadField(Message* message, const FieldDescriptor& field,
                       const Path& at, std::string* mask) {
  if (field.is_map()) return ReadMap(message, field, at);
  if (field.is_repeated()) return ReadRepeated(message, field, at);
  const bool null_is_value =
      field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
      field.message_type()->well_known_type() ==
          Descriptor::WELLKNOWNTYPE_VALUE;
  if (lexer_.Peek() == 'n' && !null_is_value) return lexer_.ReadWord("null");
  if (const auto* oneof = field.real_containing_oneof();
      oneof != nullptr && message->GetReflection()->HasOneof(*message, oneof)) {
    return WrongAndSkip(at, [oneof] {
      return absl::StrCat("another field of ", oneof->name(),
                          " is given too; at most one is");
    });
  }
  return ReadOne(message, field, at, mask);
}

bool Reader::ReadRepeated(Message* message, const FieldDescriptor& field,
                          const Path& at) {
  if (lexer_.Peek() == 'n') return lexer_.ReadWord("null");
  if (lexer_.Peek() != '[') return WrongAndSkip(at, "expected an array");
  if (!Enter()) return false;
  lexer_.TryTake('[');
  if (!lexer_.TryTake(']')) {
    Path element{.parent = &at, .index = 0};
    do {
      if (!ReadOne(message, field, element, nullptr)) return false;
      ++element.index;
    } while (lexer_.TryTake(','));
    if (!lexer_.Take(']', "',' or ']'")) return false;
  }
  Leave();
  return true;
}

bool Reader::ReadMap(Message* message, const FieldDescriptor& field,
                     const Path& at) {
  if (lexer_.Peek() == 'n') return lexer_.ReadWord("null");
  if (lexer_.Peek() != '{') return WrongAndSkip(at, "expected an object");
  if (!Enter()) return false;
  lexer_.TryTake('{');
  absl::flat_hash_set<std::string> keys;
  if (!lexer_.TryTake('}')) {
    do {
      absl::string_view read;
      if (!lexer_.ReadString(&read)) return false;
      const std::string key(read);
      const Path entry{.parent = &at, .index = -2, .key = key};
      if (!lexer_.Take(':', "':' after the key")) return false;
      const FieldDescriptor& key_field = *field.message_type()->map_key();
      const FieldDescriptor& value_field = *field.message_type()->map_value();
      std::unique_ptr<Message> pair(message->GetReflection()
                                        ->GetMessageFactory()
                                        ->GetPrototype(field.message_type())
                                        ->New());
      if (!keys.insert(key).second) {
        if (!WrongAndSkip(entry, "given more than once")) return false;
      } else if (!SetFromText(key, key_field, pair.get())) {
        if (!WrongAndSkip(entry, [&key_field] {
              return absl::StrCat("expected as key ", ExpectedText(key_field));
            })) {
          return false;
        }
      } else {
        if (!ReadOne(pair.get(), value_field, entry, nullptr)) return false;
        message->GetReflection()->AddMessage(message, &field)->CopyFrom(*pair);
      }
    } while (lexer_.TryTake(','));
    if (!lexer_.Take('}', "',' or '}'")) return false;
  }
  Leave();
  return true;
}

// One value, for a singular field or the next element of a repeated one.
bool Reader::ReadOne(Message* message, const FieldDescriptor& field,
                     const Path& at, std::string* mask) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadScalar(message, field, at);
  }
  const Descriptor& type = *field.message_type();
  if (IsWrapper(type)) {
    Message* wrapper =
        field.is_repeated()
            ? message->GetReflection()->AddMessage(message, &field)
            : message->GetReflection()->MutableMessage(message, &field);
    return ReadScalar(wrapper, *type.FindFieldByNumber(1), at);
  }
  const auto known = type.well_known_type();
  if (known == Descriptor::WELLKNOWNTYPE_TIMESTAMP ||
      known == Descriptor::WELLKNOWNTYPE_DURATION ||
      known == Descriptor::WELLKNOWNTYPE_FIELDMASK) {
    return ReadScalar(message, field, at);
  }
  Message* child =
      field.is_repeated()
          ? message->GetReflection()->AddMessage(message, &field)
          : message->GetReflection()->MutableMessage(message, &field);
  return ReadMessage(child, at, mask);
}

bool Reader::ReadScalar(Message* message, const FieldDescriptor& field,
                        const Path& at) {
  const char next = lexer_.Peek();
  const bool is_number = next == '-' || (next >= '0' && next <= '9');
  absl::string_view text;
  bool good = false;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      good = next == 't' || next == 'f';
      text = next == 't' ? "true" : "false";
      if (good && !lexer_.ReadWord(text)) return false;
      break;
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      good = next == '"';
      if (good && !lexer_.ReadString(&text)) return false;
      break;
    default:
      good = next == '"' || is_number;
      if (good &&
          !(is_number ? lexer_.ReadNumber(&text) : lexer_.ReadString(&text))) {
        return false;
      }
      break;
  }
  if (!good) {
    return WrongAndSkip(at, [&field] {
      return absl::StrCat("expected ", ExpectedText(field));
    });
  }
  const bool unknown_name =
      field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM && !is_number &&
      field.enum_type()->FindValueByName(std::string(text)) == nullptr;
  if (unknown_name || !SetFromText(text, field, message)) {
    return Wrong(at, [&field, text] {
      return absl::StrCat("expected ", ExpectedText(field), ", not ",
                          Shown(text));
    });
  }
  return true;
}

bool Reader::ReadStruct(Message* message, const Path& at) {
  return ReadMap(message, *message->GetDescriptor()->FindFieldByNumber(1), at);
}

bool Reader::ReadListValue(Message* message, const Path& at) {
  return ReadRepeated(message, *message->GetDescriptor()->FindFieldByNumber(1),
                      at);
}

bool Reader::ReadValue(Message* message, const Path& at) {
  const Descriptor& type = *message->GetDescriptor();
  const Reflection& reflection = *message->GetReflection();
  const auto nested = [&](int number) {
    return reflection.MutableMessage(message, type.FindFieldByNumber(number));
  };
  switch (lexer_.Peek()) {
    case 'n':
      reflection.SetEnumValue(message, type.FindFieldByNumber(1), 0);
      return lexer_.ReadWord("null");
    case '"':
      return ReadScalar(message, *type.FindFieldByNumber(3), at);
    case 't':
    case 'f':
      return ReadScalar(message, *type.FindFieldByNumber(4), at);
    case '{':
      return ReadStruct(nested(5), at);
    case '[':
      return ReadListValue(nested(6), at);
    default:
      return ReadScalar(message, *type.FindFieldByNumber(2), at);
  }
}

// The type decides how the members before it are read, hence one look ahead.
bool Reader::FindTypeUrl(std::string* url) {
  const size_t start = lexer_.offset();
  lexer_.TryTake('{');
  if (lexer_.Peek() != '}') {
    do {
      absl::string_view key;
      if (!lexer_.ReadString(&key)) return false;
      const bool is_type = key == "@type";
      if (!lexer_.Take(':', "':' after the name")) return false;
      if (is_type && url->empty() && lexer_.Peek() == '"') {
        absl::string_view value;
        if (!lexer_.ReadString(&value)) return false;
        url->assign(value.data(), value.size());
      } else if (!lexer_.SkipValue(depth_left_)) {
        return false;
      }
    } while (lexer_.TryTake(','));
  }
  lexer_.Rewind(start);
  return true;
}

bool Reader::ReadAny(Message* message, const Path& at) {
  if (lexer_.Peek() != '{') return WrongAndSkip(at, "expected an object");
  std::string url;
  if (!FindTypeUrl(&url)) return false;
  const size_t slash = url.rfind('/');
  const Descriptor& any = *message->GetDescriptor();
  const Descriptor* type =
      slash == std::string::npos
          ? nullptr
          : any.file()->pool()->FindMessageTypeByName(url.substr(slash + 1));
  // A value with a JSON form of its own stands under "value"; none of our
  // methods takes one inside an Any.
  if (type == nullptr ||
      type->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
    return WrongAndSkip(
        at, "expected an object with \"@type\" of a known message type");
  }
  const Reflection& reflection = *message->GetReflection();
  std::unique_ptr<Message> payload(
      reflection.GetMessageFactory()->GetPrototype(type)->New());
  const Message* const outer = any_payload_;
  any_payload_ = payload.get();
  const bool good = ReadMembers(payload.get(), at, nullptr);
  any_payload_ = outer;
  if (!good) return false;
  reflection.SetString(message, any.FindFieldByNumber(1), url);
  reflection.SetString(message, any.FindFieldByNumber(2),
                       payload->SerializePartialAsString());
  return true;
}

}  // namespace

absl::Status ReadJson(absl::string_view json, const JsonReadOptions& options,
                      Message* message) {
  if (absl::StartsWith(json, "\xEF\xBB\xBF")) {
    return Malformed("it begins with a byte order mark", {});
  }
  size_t bad_byte = 0;
  if (!IsUtf8(json, &bad_byte)) {
    return Malformed(absl::StrCat("byte ", bad_byte, " is not valid UTF-8"),
                     {{"offset", absl::StrCat(bad_byte)}});
  }
  if (json.find_first_not_of(" \t\r\n") == absl::string_view::npos) {
    return Malformed("it is empty; an object is expected, at least {}", {});
  }
  return Reader(json, options).Read(message);
}

}  // namespace transparency::gateway::json
