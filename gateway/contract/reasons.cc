#include "gateway/contract/reasons.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"

namespace transparency::gateway::contract {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FileDescriptor;

bool IsPackageOf(const FileDescriptor& file, const ServiceList& services) {
  return std::any_of(services.begin(), services.end(),
                     [&file](const auto* service) {
                       return service->file()->package() == file.package();
                     });
}

void Reach(const Descriptor& type,
           absl::flat_hash_set<const Descriptor*>* reached) {
  if (!reached->insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    if (const Descriptor* inner = type.field(i)->message_type()) {
      Reach(*inner, reached);
    }
  }
}

}  // namespace

FileList FilesOf(const google::protobuf::FileDescriptorSet& files,
                 const google::protobuf::DescriptorPool& pool) {
  FileList found;
  for (const auto& file : files.file()) {
    const FileDescriptor* descriptor = pool.FindFileByName(file.name());
    if (descriptor != nullptr) found.push_back(descriptor);
  }
  return found;
}

std::vector<const EnumDescriptor*> ReasonEnums(const FileList& files,
                                               const ServiceList& services) {
  std::vector<const EnumDescriptor*> common, own;
  for (const FileDescriptor* file : files) {
    if (const auto* shared = file->FindEnumTypeByName("CommonErrorReason")) {
      common.push_back(shared);
    }
    const auto* reasons = file->FindEnumTypeByName("ErrorReason");
    if (reasons != nullptr && IsPackageOf(*file, services)) {
      own.push_back(reasons);
    }
  }
  common.insert(common.end(), own.begin(), own.end());
  return common;
}

std::vector<const Descriptor*> DetailMessages(const FileList& files,
                                              const ServiceList& services) {
  absl::flat_hash_set<const Descriptor*> carried;
  for (const auto* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      Reach(*service->method(i)->input_type(), &carried);
      Reach(*service->method(i)->output_type(), &carried);
    }
  }
  std::vector<const Descriptor*> details;
  for (const FileDescriptor* file : files) {
    if (!IsPackageOf(*file, services)) continue;
    for (int i = 0; i < file->message_type_count(); ++i) {
      const Descriptor* type = file->message_type(i);
      if (!carried.contains(type) && !absl::EndsWith(type->name(), "Request") &&
          !absl::EndsWith(type->name(), "Response")) {
        details.push_back(type);
      }
    }
  }
  return details;
}

}  // namespace transparency::gateway::contract
