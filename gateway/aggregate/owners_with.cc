#include "gateway/aggregate/owners_with.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "google/api/resource.pb.h"

namespace transparency::gateway {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::ServiceDescriptor;

// "standards" of "transparency.standards.v1".
std::string OwnerOfPackage(const std::string& package) {
  const std::vector<std::string> parts = absl::StrSplit(package, '.');
  return parts.size() > 1 ? parts[1] : "";
}

void AddTypes(const FileDescriptor& file, std::set<const FileDescriptor*>* seen,
              std::set<std::string>* types) {
  if (!seen->insert(&file).second) return;
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto& options = file.message_type(i)->options();
    if (options.HasExtension(google::api::resource)) {
      types->insert(options.GetExtension(google::api::resource).type());
    }
  }
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddTypes(*file.dependency(i), seen, types);
  }
}

}  // namespace

OwnersWith::OwnersWith(absl::string_view method,
                       const std::vector<const ServiceDescriptor*>& known) {
  std::set<const FileDescriptor*> seen;
  for (const ServiceDescriptor* service : known) {
    AddTypes(*service->file(), &seen, &types_);
    if (service->FindMethodByName(std::string(method)) != nullptr) {
      services_[OwnerOfPackage(service->file()->package())] =
          service->full_name();
    }
  }
}

absl::StatusOr<ByOwner<std::vector<std::string>>> OwnersWith::Route(
    const google::protobuf::RepeatedPtrField<std::string>& types) const {
  ByOwner<std::vector<std::string>> routed;
  status::Violations violations;
  for (int i = 0; i < types.size(); ++i) {
    const std::string owner = types[i].substr(0, types[i].find('.'));
    if (services_.count(owner) == 0 || types_.count(types[i]) == 0) {
      violations.Add(absl::StrCat("types[", i, "]"),
                     "no service has resources of this type; expected one such "
                     "as certification.transparency/Certificate");
    } else {
      routed[owner].push_back(types[i]);
    }
  }
  if (!violations.empty()) return violations.ToStatus();
  return routed;
}

}  // namespace transparency::gateway
