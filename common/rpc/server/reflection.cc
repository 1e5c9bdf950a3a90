#include "common/rpc/server/reflection.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/status/refusals.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/descriptor_database.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "grpc/reflection/v1/reflection.pb.h"

// Both versions have the same messages but for the package, hence the same
// bytes: v1's classes read and write both.
namespace transparency::rpc {
namespace {

using ::google::protobuf::DescriptorPool;
using ::google::protobuf::FileDescriptor;
using ::google::protobuf::FileDescriptorProto;
using ::grpc::reflection::v1::ServerReflectionRequest;
using ::grpc::reflection::v1::ServerReflectionResponse;

class Descriptors final : public Reflection {
 public:
  absl::Status Load(absl::string_view descriptor_set);

  std::string FileByName(absl::string_view name) const override;
  std::string FileBySymbol(absl::string_view symbol) const override;

  const FileDescriptor* FindFile(const std::string& name) const;
  const FileDescriptor* FindSymbol(const std::string& symbol) const;
  const FileDescriptor* FindExtension(const std::string& type,
                                      int number) const;
  // Nothing when the type is unknown.
  absl::optional<std::vector<int>> ExtensionNumbers(
      const std::string& type) const;
  std::string Serialized(const FileDescriptor* file) const;

 private:
  absl::flat_hash_map<std::string, absl::string_view> bytes_;  // by file name
  mutable google::protobuf::EncodedDescriptorDatabase database_;
  // Builds a file when it is first asked for; locks by itself.
  mutable std::unique_ptr<DescriptorPool> pool_;
};

absl::Status Descriptors::Load(absl::string_view descriptor_set) {
  using ::google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream in(
      reinterpret_cast<const uint8_t*>(descriptor_set.data()),
      static_cast<int>(descriptor_set.size()));
  const uint32_t file_tag =
      WireFormatLite::MakeTag(1, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  while (const uint32_t tag = in.ReadTag()) {
    uint32_t size = 0;
    if (tag != file_tag || !in.ReadVarint32(&size)) {
      return absl::InvalidArgumentError("not a FileDescriptorSet");
    }
    const absl::string_view bytes =
        descriptor_set.substr(static_cast<size_t>(in.CurrentPosition()), size);
    FileDescriptorProto file;
    if (!in.Skip(static_cast<int>(size)) ||
        !file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
        !database_.Add(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::InvalidArgumentError("not a FileDescriptorSet");
    }
    bytes_[file.name()] = bytes;
  }
  if (!in.ConsumedEntireMessage()) {
    return absl::InvalidArgumentError("not a FileDescriptorSet");
  }
  pool_ = std::make_unique<DescriptorPool>(&database_);
  return absl::OkStatus();
}

const FileDescriptor* Descriptors::FindFile(const std::string& name) const {
  const FileDescriptor* file = pool_->FindFileByName(name);
  return file != nullptr
             ? file
             : DescriptorPool::generated_pool()->FindFileByName(name);
}

const FileDescriptor* Descriptors::FindSymbol(const std::string& symbol) const {
  const FileDescriptor* file = pool_->FindFileContainingSymbol(symbol);
  return file != nullptr
             ? file
             : DescriptorPool::generated_pool()->FindFileContainingSymbol(
                   symbol);
}

const FileDescriptor* Descriptors::FindExtension(const std::string& type,
                                                 int number) const {
  const auto* message = pool_->FindMessageTypeByName(type);
  if (message == nullptr) return nullptr;
  const auto* extension = pool_->FindExtensionByNumber(message, number);
  return extension == nullptr ? nullptr : extension->file();
}

absl::optional<std::vector<int>> Descriptors::ExtensionNumbers(
    const std::string& type) const {
  const auto* message = pool_->FindMessageTypeByName(type);
  if (message == nullptr) return absl::nullopt;
  std::vector<const google::protobuf::FieldDescriptor*> extensions;
  pool_->FindAllExtensions(message, &extensions);
  std::vector<int> numbers;
  for (const auto* extension : extensions) {
    numbers.push_back(extension->number());
  }
  return numbers;
}

std::string Descriptors::Serialized(const FileDescriptor* file) const {
  const auto found = bytes_.find(file->name());
  if (found != bytes_.end()) return std::string(found->second);
  FileDescriptorProto proto;
  file->CopyTo(&proto);
  return proto.SerializeAsString();
}

std::string Descriptors::FileByName(absl::string_view name) const {
  const FileDescriptor* file = FindFile(std::string(name));
  return file == nullptr ? "" : Serialized(file);
}

std::string Descriptors::FileBySymbol(absl::string_view symbol) const {
  const FileDescriptor* file = FindSymbol(std::string(symbol));
  return file == nullptr ? "" : Serialized(file);
}

// Answers one client's questions, one at a time.
class Conversation final : public StreamHandler {
 public:
  Conversation(std::shared_ptr<const Descriptors> descriptors,
               std::vector<std::string> services,
               std::shared_ptr<Stream> stream)
      : descriptors_(std::move(descriptors)),
        services_(std::move(services)),
        stream_(std::move(stream)) {}

  void OnStart() override { stream_->Read(); }
  void OnMessage(grpc::ByteBuffer message) override;
  void OnHalfClose() override { stream_->Finish(absl::OkStatus()); }
  void OnWritten(bool ok) override {
    if (ok) stream_->Read();
  }
  void OnAbandoned() override {}

 private:
  void AnswerFile(const FileDescriptor* file,
                  ServerReflectionResponse* response);
  void AddWithDependencies(const FileDescriptor* file, bool asked_for,
                           ServerReflectionResponse* response);
  void AnswerExtensionNumbers(const std::string& type,
                              ServerReflectionResponse* response);

  const std::shared_ptr<const Descriptors> descriptors_;
  const std::vector<std::string> services_;
  const std::shared_ptr<Stream> stream_;
  absl::flat_hash_set<std::string> sent_;
};

void NotFound(absl::string_view what, ServerReflectionResponse* response) {
  auto* error = response->mutable_error_response();
  error->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  error->set_error_message(absl::StrCat(what, " not found"));
}

void Conversation::OnMessage(grpc::ByteBuffer message) {
  ServerReflectionRequest request;
  if (!Parse(message, &request)) {
    return stream_->Finish(
        status::Malformed("the message is not a ServerReflectionRequest"));
  }
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      AnswerFile(descriptors_->FindFile(request.file_by_filename()), &response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AnswerFile(descriptors_->FindSymbol(request.file_containing_symbol()),
                 &response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      AnswerFile(descriptors_->FindExtension(
                     request.file_containing_extension().containing_type(),
                     request.file_containing_extension().extension_number()),
                 &response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      AnswerExtensionNumbers(request.all_extension_numbers_of_type(),
                             &response);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services_) {
        response.mutable_list_services_response()->add_service()->set_name(
            service);
      }
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: {
      auto* error = response.mutable_error_response();
      error->set_error_code(
          static_cast<int>(absl::StatusCode::kInvalidArgument));
      error->set_error_message("the request asks for nothing");
      break;
    }
  }
  stream_->Write(ToByteBuffer(response.SerializeAsString()));
}

void Conversation::AnswerFile(const FileDescriptor* file,
                              ServerReflectionResponse* response) {
  if (file == nullptr) return NotFound("file, symbol or extension", response);
  AddWithDependencies(file, /*asked_for=*/true, response);
}

// Dependencies come once per conversation, what is asked for each time.
void Conversation::AddWithDependencies(const FileDescriptor* file,
                                       bool asked_for,
                                       ServerReflectionResponse* response) {
  if (!sent_.insert(file->name()).second && !asked_for) return;
  response->mutable_file_descriptor_response()->add_file_descriptor_proto(
      descriptors_->Serialized(file));
  for (int i = 0; i < file->dependency_count(); ++i) {
    AddWithDependencies(file->dependency(i), /*asked_for=*/false, response);
  }
}

void Conversation::AnswerExtensionNumbers(const std::string& type,
                                          ServerReflectionResponse* response) {
  const auto numbers = descriptors_->ExtensionNumbers(type);
  if (!numbers.has_value()) return NotFound("type", response);
  auto* answer = response->mutable_all_extension_numbers_response();
  answer->set_base_type_name(type);
  for (const int number : *numbers) answer->add_extension_number(number);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Reflection>> Reflection::Create(
    absl::string_view descriptor_set) {
  auto descriptors = std::make_shared<Descriptors>();
  if (absl::Status loaded = descriptors->Load(descriptor_set); !loaded.ok()) {
    return loaded;
  }
  return descriptors;
}

void Reflection::AddRows(std::shared_ptr<const Reflection> reflection,
                         MethodTable* table,
                         const std::vector<std::string>& also_listed) {
  auto descriptors =
      std::static_pointer_cast<const Descriptors>(std::move(reflection));
  for (const absl::string_view version : {"v1", "v1alpha"}) {
    table
        ->AddBuiltIn(absl::StrCat("/grpc.reflection.", version,
                                  ".ServerReflection/ServerReflectionInfo"))
        ->stream = [descriptors, table,
                    also_listed](std::shared_ptr<Stream> stream) {
      std::vector<std::string> services = table->services();
      for (const std::string& name : also_listed) {
        if (std::find(services.begin(), services.end(), name) ==
            services.end()) {
          services.push_back(name);
        }
      }
      return std::make_shared<Conversation>(descriptors, std::move(services),
                                            std::move(stream));
    };
  }
}

}  // namespace transparency::rpc
