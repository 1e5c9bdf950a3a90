#include "common/fields/resource_types.h"

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/api/resource.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor_database.h"

namespace transparency::fields {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using Patterns = absl::flat_hash_map<std::string, std::string>;

void Add(const google::api::ResourceDescriptor& resource, Patterns* patterns) {
  if (resource.pattern_size() > 0) {
    patterns->emplace(resource.type(), resource.pattern(0));
  }
}

void AddTypes(const Descriptor& type, Patterns* patterns) {
  if (type.options().HasExtension(google::api::resource)) {
    Add(type.options().GetExtension(google::api::resource), patterns);
  }
  for (int i = 0; i < type.nested_type_count(); ++i) {
    AddTypes(*type.nested_type(i), patterns);
  }
}

// A type may be referred to from a file that does not import it, so all files
// are read, once.
Patterns ReadLinked() {
  Patterns patterns;
  std::vector<std::string> files;
  DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  for (const std::string& name : files) {
    const auto* file = DescriptorPool::generated_pool()->FindFileByName(name);
    if (file == nullptr) continue;
    for (int i = 0; i < file->message_type_count(); ++i) {
      AddTypes(*file->message_type(i), &patterns);
    }
    const auto& options = file->options();
    for (int i = 0; i < options.ExtensionSize(google::api::resource_definition);
         ++i) {
      Add(options.GetExtension(google::api::resource_definition, i), &patterns);
    }
  }
  return patterns;
}

}  // namespace

const std::string* PatternOf(absl::string_view type) {
  static const auto* const patterns = new Patterns(ReadLinked());
  const auto found = patterns->find(type);
  return found == patterns->end() ? nullptr : &found->second;
}

}  // namespace transparency::fields
