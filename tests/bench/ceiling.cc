// The suite's own reactor with empty handlers: what a call costs before a
// service does anything for it. Every method of CertificationService answers
// fixed bytes, reads of single resources and lists from the place where the
// service answers them.

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/resource/request_check.h"
#include "common/rpc/embedded_descriptors.h"
#include "common/server/process.h"
#include "common/server/program.h"
#include "google/protobuf/descriptor.h"

ABSL_FLAG(std::string, get_answer, "", "file with the bytes Get answers");
ABSL_FLAG(std::string, list_answer, "", "file with the bytes List answers");

namespace transparency::bench {
namespace {

constexpr char kService[] =
    "transparency.certification.v1.CertificationService";

absl::Status Read(const std::string& path, std::string* bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  bytes->assign(std::istreambuf_iterator<char>(in), {});
  return absl::OkStatus();
}

absl::Status Serve() {
  std::string get, list;
  absl::Status status = Read(absl::GetFlag(FLAGS_get_answer), &get);
  if (status.ok()) status = Read(absl::GetFlag(FLAGS_list_answer), &list);
  if (!status.ok()) return status;

  server::ProcessOptions options = server::OptionsFromFlags();
  options.descriptor_set = EmbeddedDescriptorSet();
  options.service.domain = "certification.transparency";
  options.service.check_request = [](google::protobuf::Message& request) {
    return resource::CheckRequest(&request);
  };
  server::Process process(std::move(options));
  rpc::ServiceRows rows = process.methods().Service(kService);
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          kService);
  for (int i = 0; i < service->method_count(); ++i) {
    const std::string& method = service->method(i)->name();
    const bool many = absl::StartsWith(method, "List");
    rows.UnaryDirect(
        method, many ? rpc::Place::kPool : rpc::Place::kInline,
        [&bytes = many ? list : get](rpc::Call&, google::protobuf::Message&)
            -> absl::StatusOr<std::string> { return bytes; });
  }
  return process.Run();
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  transparency::server::Program program;
  program.name = "bench-ceiling";
  program.summary = "Answers CertificationService with the bytes of two files.";
  program.listen = "127.0.0.1:0";
  program.metrics_listen = "127.0.0.1:0";
  program.subcommands = {
      {"serve", "Serves until SIGTERM.", [](const std::vector<std::string>&) {
         return transparency::bench::Serve();
       }}};
  return transparency::server::Main(argc, argv, program);
}
