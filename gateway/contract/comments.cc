#include "gateway/contract/comments.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace transparency::gateway::contract {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::ServiceDescriptorProto;
using google::protobuf::SourceCodeInfo;

// What a location's path leads to, step by step: pairs of a field's number in
// descriptor.proto and an index.
class Walk {
 public:
  explicit Walk(const SourceCodeInfo::Location& location)
      : location_(location) {}

  // Empty when the path leads to no named thing, such as to an option.
  std::string NameIn(const FileDescriptorProto& file) {
    const std::string& scope = file.package();
    switch (Number()) {
      case FileDescriptorProto::kMessageTypeFieldNumber:
        return OfMessage(scope, file.message_type(Index()));
      case FileDescriptorProto::kEnumTypeFieldNumber:
        return OfEnum(scope, file.enum_type(Index()));
      case FileDescriptorProto::kServiceFieldNumber:
        return OfService(scope, file.service(Index()));
      case FileDescriptorProto::kExtensionFieldNumber:
        return End(scope, file.extension(Index()).name());
      default:
        return "";
    }
  }

 private:
  static std::string Join(const std::string& scope, const std::string& name) {
    return scope.empty() ? name : absl::StrCat(scope, ".", name);
  }
  bool AtEnd() const { return at_ + 1 >= location_.path_size(); }
  int Number() const { return AtEnd() ? 0 : location_.path(at_); }
  int Index() {
    at_ += 2;
    return location_.path(at_ - 1);
  }
  std::string End(const std::string& scope, const std::string& name) const {
    return at_ == location_.path_size() ? Join(scope, name) : "";
  }

  std::string OfService(const std::string& scope,
                        const ServiceDescriptorProto& service) {
    switch (Number()) {
      case 0:
        return End(scope, service.name());
      case ServiceDescriptorProto::kMethodFieldNumber:
        return End(Join(scope, service.name()), service.method(Index()).name());
      default:
        return "";
    }
  }

  std::string OfMessage(const std::string& scope,
                        const DescriptorProto& message) {
    const std::string name = Join(scope, message.name());
    switch (Number()) {
      case 0:
        return End(scope, message.name());
      case DescriptorProto::kFieldFieldNumber:
        return End(name, message.field(Index()).name());
      case DescriptorProto::kNestedTypeFieldNumber:
        return OfMessage(name, message.nested_type(Index()));
      case DescriptorProto::kEnumTypeFieldNumber:
        return OfEnum(name, message.enum_type(Index()));
      case DescriptorProto::kOneofDeclFieldNumber:
        return End(name, message.oneof_decl(Index()).name());
      default:
        return "";
    }
  }

  // A value's scope is its enum's, not the enum.
  std::string OfEnum(const std::string& scope,
                     const EnumDescriptorProto& type) {
    switch (Number()) {
      case 0:
        return End(scope, type.name());
      case EnumDescriptorProto::kValueFieldNumber:
        return End(scope, type.value(Index()).name());
      default:
        return "";
    }
  }

  const SourceCodeInfo::Location& location_;
  int at_ = 0;
};

// protoc leaves the blank that follows "//".
std::string WithoutMarks(absl::string_view comment) {
  std::vector<absl::string_view> lines = absl::StrSplit(comment, '\n');
  for (absl::string_view& line : lines) {
    absl::ConsumePrefix(&line, " ");
    line = absl::StripTrailingAsciiWhitespace(line);
  }
  return std::string(absl::StripAsciiWhitespace(absl::StrJoin(lines, "\n")));
}

}  // namespace

Comments::Comments(const google::protobuf::FileDescriptorSet& files) {
  for (const FileDescriptorProto& file : files.file()) {
    for (const auto& location : file.source_code_info().location()) {
      if (location.leading_comments().empty()) continue;
      std::string name = Walk(location).NameIn(file);
      if (!name.empty()) {
        by_name_.emplace(std::move(name),
                         WithoutMarks(location.leading_comments()));
      }
    }
  }
}

absl::string_view Comments::Of(absl::string_view full_name) const {
  const auto found = by_name_.find(full_name);
  return found == by_name_.end() ? absl::string_view() : found->second;
}

std::string FirstSentence(absl::string_view comment) {
  const size_t paragraph = comment.find("\n\n");
  std::string text = absl::StrJoin(absl::StrSplit(comment.substr(0, paragraph),
                                                  '\n', absl::SkipWhitespace()),
                                   " ");
  const size_t stop = text.find(". ");
  if (stop != std::string::npos) text.resize(stop);
  absl::string_view sentence = text;
  absl::ConsumeSuffix(&sentence, ".");
  absl::ConsumeSuffix(&sentence, ":");
  return std::string(sentence);
}

}  // namespace transparency::gateway::contract
