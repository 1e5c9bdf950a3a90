#include "common/service/seed.h"

#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "common/rpc/status_mapping.h"
#include "common/rpc/stream.h"
#include "common/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/generic/generic_stub.h"

namespace transparency::service {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
namespace util = google::protobuf::util;

constexpr absl::Duration kCallTime = absl::Seconds(10);

struct Line {
  const MethodDescriptor* method = nullptr;
  std::unique_ptr<Message> request;
};

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

absl::StatusOr<Line> Read(const std::string& text,
                          const std::string& proto_service) {
  google::protobuf::Struct object;
  util::Status parsed = util::JsonStringToMessage(text, &object);
  if (!parsed.ok()) return Wrong(parsed.message().as_string());
  const auto& fields = object.fields();
  if (fields.count("method") == 0 || fields.count("request") == 0) {
    return Wrong("needs \"method\" and \"request\"");
  }
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          proto_service);
  Line line;
  line.method =
      service == nullptr
          ? nullptr
          : service->FindMethodByName(fields.at("method").string_value());
  if (line.method == nullptr) {
    return Wrong(absl::StrCat("no method \"",
                              fields.at("method").string_value(), "\" in ",
                              proto_service));
  }
  line.request.reset(google::protobuf::MessageFactory::generated_factory()
                         ->GetPrototype(line.method->input_type())
                         ->New());
  std::string json;
  parsed = util::MessageToJsonString(fields.at("request"), &json);
  if (parsed.ok()) parsed = util::JsonStringToMessage(json, line.request.get());
  if (!parsed.ok()) return Wrong(parsed.message().as_string());
  return line;
}

class Sender {
 public:
  Sender(std::shared_ptr<grpc::Channel> channel, std::string token)
      : stub_(std::move(channel)), token_(std::move(token)) {}

  absl::Status Send(const Line& line) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(absl::ToChronoTime(absl::Now() + kCallTime));
    if (!token_.empty()) {
      context.AddMetadata("authorization", absl::StrCat("Bearer ", token_));
    }
    const std::string path = absl::StrCat(
        "/", line.method->service()->full_name(), "/", line.method->name());
    grpc::ByteBuffer request =
        rpc::ToByteBuffer(line.request->SerializeAsString());
    grpc::ByteBuffer answer;
    absl::Status status;
    absl::Notification done;
    stub_.UnaryCall(&context, path, grpc::StubOptions(), &request, &answer,
                    [&](grpc::Status result) {
                      status = rpc::FromGrpc(result);
                      done.Notify();
                    });
    done.WaitForNotification();
    return status;
  }

 private:
  grpc::GenericStub stub_;
  const std::string token_;
};

// The resource that a refusal is about; empty when it names none.
std::string ResourceOf(const absl::Status& refusal) {
  google::rpc::ErrorInfo info;
  if (!status::FindDetail(refusal, &info)) return "";
  const auto found = info.metadata().find("resource");
  return found == info.metadata().end() ? "" : found->second;
}

// A record that was deleted stays so, and what rests on it stays away.
// `deleted` gathers their names.
bool LeftDeleted(const absl::Status& refusal, std::set<std::string>* deleted) {
  const std::string resource = ResourceOf(refusal);
  if (status::Reason(refusal) == "DELETED_EXISTS") {
    deleted->insert(resource);
    return true;
  }
  return deleted->count(resource) > 0;
}

absl::Status SeedFile(const std::string& proto_service, const std::string& file,
                      std::set<std::string>* deleted, Sender* sender) {
  std::ifstream in(file);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", file));
  int number = 0;
  int created = 0;
  int present = 0;
  int left_deleted = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    const absl::string_view bare = absl::StripAsciiWhitespace(text);
    if (bare.empty() || absl::StartsWith(bare, "#")) continue;
    absl::StatusOr<Line> line = Read(text, proto_service);
    absl::Status sent = line.ok() ? sender->Send(*line) : line.status();
    if (!sent.ok() && LeftDeleted(sent, deleted)) {
      ++left_deleted;
    } else if (absl::IsAlreadyExists(sent) ||
               status::Reason(sent) == "STEP_NOT_ALLOWED") {
      ++present;
    } else if (sent.ok()) {
      ++created;
    } else {
      return absl::Status(
          sent.code(), absl::StrCat(file, ":", number, ": ", sent.message()));
    }
  }
  std::cout << file << ": " << created << " created, " << present
            << " there already";
  if (left_deleted > 0) std::cout << ", " << left_deleted << " left deleted";
  std::cout << "\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status Seed(const SeedOptions& options,
                  const std::vector<std::string>& files) {
  if (files.empty()) return Wrong("name the files to send");
  auto channel = rpc::OpenChannel(options.target);
  if (!channel.ok()) return channel.status();
  Sender sender(*std::move(channel), options.token);
  std::set<std::string> deleted;
  for (const std::string& file : files) {
    absl::Status sent =
        SeedFile(options.proto_service, file, &deleted, &sender);
    if (!sent.ok()) return sent;
  }
  return absl::OkStatus();
}

}  // namespace transparency::service
