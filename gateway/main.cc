#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/fields/request_check.h"
#include "common/rpc/caller_directory.h"
#include "common/rpc/channel.h"
#include "common/rpc/headers.h"
#include "common/rpc/server/embedded_descriptors.h"
#include "common/server/descriptors.h"
#include "common/server/port_probe.h"
#include "common/server/process.h"
#include "common/server/program.h"
#include "gateway/aggregate/overview.h"
#include "gateway/aggregate/search.h"
#include "gateway/aggregate/timeline.h"
#include "gateway/aggregate/updates.h"
#include "gateway/http/docs/docs.h"
#include "gateway/http/server.h"
#include "gateway/http/traffic.h"
#include "gateway/invoker/owner_invoker.h"
#include "gateway/invoker/owners.h"
#include "gateway/invoker/pass_through.h"
#include "gateway/pack/pack.h"
#include "gateway/rest/route_table.h"
#include "google/protobuf/descriptor.pb.h"

ABSL_FLAG(std::string, http_listen, "127.0.0.1:7180",
          "host:port on which JSON over HTTP is served");
ABSL_FLAG(std::string, certification, "127.0.0.1:7101",
          "host:port of certification-service; empty: not configured");
ABSL_FLAG(std::string, standards, "127.0.0.1:7102",
          "host:port of standards-service; empty: not configured");
ABSL_FLAG(std::string, centre, "127.0.0.1:7103",
          "host:port of centre-service; empty: not configured");
ABSL_FLAG(
    std::string, gateway_token_file, "",
    "file with this gateway's own bearer token, of a caller with the role "
    "gateway: by it the services believe which client a call comes from; "
    "empty: all its clients share what one caller may have");
ABSL_FLAG(std::vector<std::string>, cors_origins, {},
          "origins whose scripts may call over HTTP, such as "
          "https://example.org; * for all");
ABSL_FLAG(int, http_threads, 1, "threads of the HTTP port");
ABSL_FLAG(int, http_max_streams, 3000,
          "streams of answers open at one time over HTTP; more are refused");
ABSL_FLAG(int, http_address_share, 4,
          "one address gets at most 1 in so many of the connections, streams, "
          "calls and held bytes of the HTTP port; 1, that is all, behind a "
          "proxy that is the only address the port sees");
ABSL_FLAG(std::vector<std::string>, http_hosts, {},
          "hosts, without port, that HTTP requests may be for; * for any. "
          "Empty: any, but only localhost and loopback addresses on a port "
          "that listens on a loopback address");

namespace transparency::gateway {
namespace {

// How long the HTTP port may take to answer this process itself.
constexpr absl::Duration kProbePatience = absl::Seconds(2);
constexpr char kOurPackages[] = "transparency.";
constexpr char kGatewayService[] = "transparency.gateway.v1.GatewayService";

using ServiceList = std::vector<const google::protobuf::ServiceDescriptor*>;

// Every service of the contract that this gateway was built with.
ServiceList KnownServices() {
  google::protobuf::FileDescriptorSet files;
  files.ParseFromArray(EmbeddedDescriptorSet().data(),
                       static_cast<int>(EmbeddedDescriptorSet().size()));
  return rest::ServicesOf(files,
                          *google::protobuf::DescriptorPool::generated_pool());
}

absl::Status AddOwners(const ServiceList& known, Owners* owners) {
  const std::pair<const char*, std::string> addresses[] = {
      {"certification", absl::GetFlag(FLAGS_certification)},
      {"standards", absl::GetFlag(FLAGS_standards)},
      {"centre", absl::GetFlag(FLAGS_centre)},
  };
  for (const auto& [name, address] : addresses) {
    absl::Status status = owners->Add(name, address, known);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Those of them that it can serve: its own and those of configured owners.
ServiceList Served(const ServiceList& known, const Owners& owners) {
  ServiceList served;
  for (const auto* service : known) {
    const bool own = service->full_name() == kGatewayService;
    if (own || owners.OfMethod("/" + service->full_name()) != nullptr) {
      served.push_back(service);
    }
  }
  return served;
}

absl::StatusOr<std::string> GatewayToken() {
  const std::string path = absl::GetFlag(FLAGS_gateway_token_file);
  if (path.empty()) return "";
  std::ifstream file(path);
  std::string token;
  if (!(file >> token) || !rpc::IsHeaderValue(token)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--gateway_token_file: there is no token in ", path));
  }
  return token;
}

http::Options HttpOptions(const server::ProcessOptions& process) {
  http::Options options;
  options.listen = absl::GetFlag(FLAGS_http_listen);
  options.threads = absl::GetFlag(FLAGS_http_threads);
  options.cors_origins = absl::GetFlag(FLAGS_cors_origins);
  options.descriptor_set = EmbeddedDescriptorSet();
  options.documents = http::Docs();
  options.max_streams = absl::GetFlag(FLAGS_http_max_streams);
  options.max_connections =
      std::min(options.max_connections,
               server::MostConnections(server::RaiseDescriptorLimit()));
  // Streams leave connections to others.
  options.max_streams =
      std::min(options.max_streams, options.max_connections * 3 / 4);
  options.max_stream_time = process.service.max_stream_time;
  options.address_share = absl::GetFlag(FLAGS_http_address_share);
  options.hosts = absl::GetFlag(FLAGS_http_hosts);
  return options;
}

absl::Status Serve() {
  absl::StatusOr<std::string> token = GatewayToken();
  if (!token.ok()) return token.status();
  Owners owners(*std::move(token));
  const ServiceList known = KnownServices();
  absl::Status status = AddOwners(known, &owners);
  if (!status.ok()) return status;
  const ServiceList services = Served(known, owners);

  server::ProcessOptions options = server::OptionsFromFlags();
  options.descriptor_set = EmbeddedDescriptorSet();
  options.service.domain = "gateway.transparency";
  options.service.max_header_bytes /= 2;
  options.service.check_request = [](google::protobuf::Message& request) {
    return fields::CheckRequest(&request);
  };
  for (const auto* service : services) {
    if (service->full_name() != kGatewayService) {
      options.also_listed.push_back(service->full_name());
    }
  }
  auto own_channel = rpc::OpenChannel(options.listen);
  if (!own_channel.ok()) return own_channel.status();
  const absl::Duration drain_timeout = options.drain_timeout;
  http::Options http_options = HttpOptions(options);
  status = server::CheckReach(http_options.listen, options.insecure);
  if (!status.ok()) return status;
  const std::string http_host =
      http_options.listen.substr(0, http_options.listen.rfind(':'));
  if (!options.tokens_file.empty()) {
    auto callers = rpc::CallerDirectory::Open(options.tokens_file);
    if (!callers.ok()) return callers.status();
    http_options.callers = *std::move(callers);
  }
  server::Process process(std::move(options));

  OwnerInvoker invoker(&owners, *std::move(own_channel));
  rpc::ServiceRows rows = process.methods().Service(kGatewayService);
  AddOverview(&owners, &invoker, &rows);
  AddSearch(&owners, &invoker, known, &rows);
  AddTimeline(&owners, &invoker, known, &rows);
  AddUpdates(&owners, &invoker, known, &rows);
  process.methods().PassThrough(PassThrough(&owners));

  http::Traffic traffic(&process.registry());
  http::Server front(std::move(http_options), services, &invoker, &traffic);
  std::thread drain;
  process.Add(
      "http", [&] { return front.Start(); },
      [&] {
        if (drain.joinable()) drain.join();
        front.Stop();
      });
  process.AddPort("HTTP", [&front, http_host] {
    return server::ProbeHttp(http_host, front.port(), kProbePatience);
  });
  process.OnDrain([&] {
    drain = std::thread([&] { front.Drain(absl::Now() + drain_timeout); });
  });
  return process.Run();
}

// Without a connection to any of them, so that it can be packed anywhere.
absl::Status Contract(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) {
    return absl::InvalidArgumentError(
        "expected one argument, the folder to write to");
  }
  const server::ProcessOptions process = server::OptionsFromFlags();
  ServiceList services;
  for (const auto* service : KnownServices()) {
    if (absl::StartsWith(service->full_name(), kOurPackages)) {
      services.push_back(service);
    }
  }
  return WritePack(EmbeddedDescriptorSet(), services,
                   HttpOptions(server::OptionsFromFlags()), process.service,
                   arguments[0]);
}

}  // namespace
}  // namespace transparency::gateway

int main(int argc, char** argv) {
  transparency::server::Program program;
  program.name = "gateway";
  program.summary =
      "Fronts the services of the Transparency Suite: answers across them, "
      "passes every other call through, and speaks gRPC and JSON over HTTP.";
  program.listen = "127.0.0.1:7100";
  program.metrics_listen = "127.0.0.1:7190";
  program.subcommands = {
      {"serve", "Serves until SIGTERM.",
       [](const std::vector<std::string>&) {
         return transparency::gateway::Serve();
       }},
      {"contract",
       "Writes service config, OpenAPI, limits and reasons into a folder.",
       transparency::gateway::Contract, true}};
  return transparency::server::Main(argc, argv, program);
}
