#pragma once

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace transparency::gateway::contract {

using ServiceList = std::vector<const google::protobuf::ServiceDescriptor*>;
using FileList = std::vector<const google::protobuf::FileDescriptor*>;

// Those files of a descriptor set that `pool` holds.
FileList FilesOf(const google::protobuf::FileDescriptorSet& files,
                 const google::protobuf::DescriptorPool& pool);

// The enums that say what google.rpc.ErrorInfo.reason can be: CommonErrorReason
// first, then the ErrorReason of each package that holds one of `services`.
std::vector<const google::protobuf::EnumDescriptor*> ReasonEnums(
    const FileList& files, const ServiceList& services);

// The messages of the services' packages that no method carries, less requests
// and answers of methods to come: what the details of refusals can hold beside
// google.rpc's.
std::vector<const google::protobuf::Descriptor*> DetailMessages(
    const FileList& files, const ServiceList& services);

}  // namespace transparency::gateway::contract
