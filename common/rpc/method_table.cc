#include "common/rpc/method_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace transparency::rpc {
namespace {

using ::google::protobuf::DescriptorPool;
using ::google::protobuf::MessageFactory;
using ::google::protobuf::MethodDescriptor;
using ::google::protobuf::MethodOptions;
using ::google::protobuf::ServiceDescriptor;

std::string Path(const MethodDescriptor* method) {
  return absl::StrCat("/", method->service()->full_name(), "/", method->name());
}

bool IsStreaming(const MethodDescriptor* method) {
  return method->client_streaming() || method->server_streaming();
}

}  // namespace

ServiceRows MethodTable::Service(absl::string_view full_name) {
  const ServiceDescriptor* service =
      DescriptorPool::generated_pool()->FindServiceByName(
          std::string(full_name));
  if (service == nullptr) {
    mistakes_.push_back(absl::StrCat("no service is called ", full_name));
  } else if (std::find(descriptors_.begin(), descriptors_.end(), service) ==
             descriptors_.end()) {
    descriptors_.push_back(service);
    services_.push_back(service->full_name());
  }
  return ServiceRows(this, service);
}

Row* MethodTable::AddBuiltIn(absl::string_view path) {
  auto row = std::make_unique<Row>();
  row->path = std::string(path);
  row->access = type::v1::PUBLIC;
  row->read_only = true;
  row->built_in = true;
  const std::string service(path.substr(1, path.rfind('/') - 1));
  if (std::find(services_.begin(), services_.end(), service) ==
      services_.end()) {
    services_.push_back(service);
  }
  const ServiceDescriptor* descriptor =
      DescriptorPool::generated_pool()->FindServiceByName(service);
  if (descriptor != nullptr) {
    row->descriptor = descriptor->FindMethodByName(
        std::string(path.substr(path.rfind('/') + 1)));
  }
  if (row->descriptor != nullptr) {
    row->prototype = MessageFactory::generated_factory()->GetPrototype(
        row->descriptor->input_type());
  }
  auto [slot, added] = rows_.try_emplace(std::string(path), std::move(row));
  if (!added) mistakes_.push_back(absl::StrCat(path, " has two rows"));
  return slot->second.get();
}

absl::Status MethodTable::Check() const {
  std::vector<std::string> mistakes = mistakes_;
  for (const ServiceDescriptor* service : descriptors_) {
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor* method = service->method(i);
      if (!rows_.contains(Path(method))) {
        mistakes.push_back(absl::StrCat(method->full_name(), " has no row"));
      }
      if (method->options().GetExtension(type::v1::access) ==
          type::v1::ACCESS_UNSPECIFIED) {
        mistakes.push_back(
            absl::StrCat(method->full_name(), " has no access annotation"));
      }
    }
  }
  for (const auto& [path, row] : rows_) {
    if (!row->direct && !row->unary && !row->server_stream && !row->stream) {
      mistakes.push_back(absl::StrCat(path, " has no handler"));
    }
  }
  if (mistakes.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("method table: ", absl::StrJoin(mistakes, "; ")));
}

const Row* MethodTable::Find(absl::string_view path) const {
  const auto found = rows_.find(path);
  return found == rows_.end() ? nullptr : found->second.get();
}

std::vector<const Row*> MethodTable::rows() const {
  std::vector<const Row*> rows;
  rows.reserve(rows_.size());
  for (const auto& [path, row] : rows_) rows.push_back(row.get());
  return rows;
}

Row* ServiceRows::Add(absl::string_view method, bool streaming) {
  if (service_ == nullptr) return nullptr;  // Service has noted it
  const MethodDescriptor* descriptor =
      service_->FindMethodByName(std::string(method));
  if (descriptor == nullptr) {
    table_->mistakes_.push_back(
        absl::StrCat(service_->full_name(), " has no method ", method));
    return nullptr;
  }
  if (IsStreaming(descriptor) != streaming) {
    table_->mistakes_.push_back(absl::StrCat(descriptor->full_name(), " is ",
                                             streaming ? "unary" : "streaming",
                                             ", its row is not"));
    return nullptr;
  }
  auto row = std::make_unique<Row>();
  row->path = Path(descriptor);
  row->descriptor = descriptor;
  row->access = descriptor->options().GetExtension(type::v1::access);
  row->read_only = descriptor->options().idempotency_level() ==
                   MethodOptions::NO_SIDE_EFFECTS;
  row->prototype = MessageFactory::generated_factory()->GetPrototype(
      descriptor->input_type());
  auto [slot, added] = table_->rows_.try_emplace(row->path, std::move(row));
  if (!added) {
    table_->mistakes_.push_back(
        absl::StrCat(descriptor->full_name(), " has two rows"));
    return nullptr;
  }
  return slot->second.get();
}

void ServiceRows::ExpectTypes(const Row* row,
                              const google::protobuf::Descriptor* request,
                              const google::protobuf::Descriptor* response) {
  const MethodDescriptor* method = row->descriptor;
  if (request != method->input_type()) {
    table_->mistakes_.push_back(absl::StrCat(
        method->full_name(), " takes ", method->input_type()->full_name(),
        ", its row ", request->full_name()));
  }
  if (response != nullptr && response != method->output_type()) {
    table_->mistakes_.push_back(absl::StrCat(
        method->full_name(), " answers ", method->output_type()->full_name(),
        ", its row ", response->full_name()));
  }
}

void ServiceRows::UnaryDirect(absl::string_view method, Place place,
                              DirectHandler handler) {
  Row* row = Add(method, /*streaming=*/false);
  if (row == nullptr) return;
  row->place = place;
  row->direct = std::move(handler);
}

void ServiceRows::UnaryAsync(absl::string_view method, UnaryHandler handler) {
  Row* row = Add(method, /*streaming=*/false);
  if (row != nullptr) row->unary = std::move(handler);
}

void ServiceRows::ServerStreamAny(absl::string_view method,
                                  ServerStreamHandler handler) {
  Row* row = Add(method, /*streaming=*/true);
  if (row == nullptr) return;
  if (row->descriptor->client_streaming()) {
    table_->mistakes_.push_back(absl::StrCat(
        row->descriptor->full_name(), " takes many requests, its row one"));
  }
  row->server_stream = std::move(handler);
}

void ServiceRows::Stream(absl::string_view method, StreamFactory factory) {
  Row* row = Add(method, /*streaming=*/true);
  if (row != nullptr) row->stream = std::move(factory);
}

}  // namespace transparency::rpc
