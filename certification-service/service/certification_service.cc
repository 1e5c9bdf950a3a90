#include "certification-service/service/certification_service.h"

#include <string>

#include "absl/strings/string_view.h"
#include "certification-service/domain/step_decisions.h"
#include "certification-service/service/summarize_certificates.h"
#include "certification-service/service/verify_certificate.h"
#include "common/journal/replica/decision.h"
#include "common/methods/service_methods.h"
#include "transparency/certification/v1/certification_service.pb.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::certification::service {
namespace {

using journal::Decision;
using v1::Certificate;

// A rule of domain/step_decisions.h as the method of this name.
template <class Request>
void AddStep(absl::string_view method,
             absl::Status (*decide)(const domain::Moment&, const Request&,
                                    Certificate*),
             methods::ServiceMethods* methods) {
  methods->Step<Request, Certificate>(
      method, [decide](Decision& decision, const Request& request,
                       Certificate* certificate) {
        return decide({decision.view(), decision.now()}, request, certificate);
      });
}

// The same for a step that may move the certificate's first valid day: its
// predecessor follows in the same command.
template <class Request>
void AddStepWithPredecessor(absl::string_view method,
                            absl::Status (*decide)(const domain::Moment&,
                                                   const Request&,
                                                   Certificate*),
                            methods::ServiceMethods* methods) {
  methods->Step<Request, Certificate>(
      method,
      [decide](Decision& decision, const Request& request,
               Certificate* certificate) -> absl::Status {
        const domain::Moment moment{decision.view(), decision.now()};
        absl::Status decided = decide(moment, request, certificate);
        if (!decided.ok()) return decided;
        auto predecessor =
            domain::FollowSuccessor(moment, *certificate, request.reason());
        if (!predecessor.ok()) return predecessor.status();
        if (!predecessor->has_value()) return absl::OkStatus();
        return decision
            .Put(**predecessor, journal::v1::Change::UPDATED, "",
                 request.reason())
            .status();
      });
}

void AddSteps(methods::ServiceMethods* methods) {
  AddStep("StartCertificateEvaluation", domain::Start, methods);
  AddStepWithPredecessor("IssueCertificate", domain::Issue, methods);
  AddStep("RejectCertificate", domain::Reject, methods);
  AddStep("SuspendCertificate", domain::Suspend, methods);
  AddStep("ReinstateCertificate", domain::Reinstate, methods);
  AddStep("ExtendCertificateSuspension", domain::Extend, methods);
  AddStep("WithdrawCertificate", domain::Withdraw, methods);
  AddStep("ReduceCertificateScope", domain::Reduce, methods);
  AddStepWithPredecessor("CorrectCertificate", domain::Correct, methods);
}

}  // namespace

absl::Status AddMethods(const resource::Catalogue* catalogue,
                        journal::Store* store, journal::Writer* writer,
                        rpc::MethodTable* table) {
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "transparency.certification.v1.CertificationService");
  methods::ServiceMethods methods(service, catalogue, store, writer,
                                  table->Service(service->full_name()));
  absl::Status standard = methods.AddStandard();
  if (!standard.ok()) return standard;
  AddSteps(&methods);
  methods.Read<v1::VerifyCertificateRequest, v1::VerifyCertificateResponse>(
      "VerifyCertificate", rpc::Place::kInline, VerifyCertificate);
  methods.Read<v1::SummarizeCertificatesRequest,
               v1::SummarizeCertificatesResponse>(
      "SummarizeCertificates", rpc::Place::kPool, SummarizeCertificates);
  return absl::OkStatus();
}

}  // namespace transparency::certification::service
