// A C++ team's client, made of the contract pack alone.
//
// usage: client ADDRESS SERVICE_CONFIG_FILE NAME...   prints "name state" or
// the refusal's code and reason, a line for each
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "transparency/certification/v1/certification_service.grpc.pb.h"

namespace certification = transparency::certification::v1;

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::ifstream file(argv[2]);
  const std::string config((std::istreambuf_iterator<char>(file)), {});
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(config);
  const auto stub =
      certification::CertificationService::NewStub(grpc::CreateCustomChannel(
          argv[1], grpc::InsecureChannelCredentials(), arguments));
  for (int i = 3; i < argc; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
    certification::GetCertificateRequest request;
    request.set_name(argv[i]);
    certification::Certificate certificate;
    const grpc::Status status =
        stub->GetCertificate(&context, request, &certificate);
    if (status.ok()) {
      std::cout << certificate.name() << " "
                << certification::Certificate::State_Name(certificate.state())
                << std::endl;
      continue;
    }
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    details.ParseFromString(status.error_details());
    for (const auto& detail : details.details()) detail.UnpackTo(&info);
    std::cout << status.error_code() << " " << info.reason() << std::endl;
  }
}
