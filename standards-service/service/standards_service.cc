#include "standards-service/service/standards_service.h"

#include "common/journal/replica/decision.h"
#include "common/methods/service_methods.h"
#include "google/protobuf/descriptor.h"
#include "standards-service/domain/commitment.h"
#include "standards-service/domain/membership.h"
#include "standards-service/domain/organization.h"
#include "standards-service/domain/publication.h"
#include "standards-service/domain/standard.h"
#include "standards-service/service/summarize_participation.h"
#include "transparency/standards/v1/standards_service.pb.h"

namespace transparency::standards::service {
namespace {

using journal::Decision;

constexpr char kService[] = "transparency.standards.v1.StandardsService";

template <class Request>
const google::type::Date* DateOrNull(const Request& request) {
  return request.has_date() ? &request.date() : nullptr;
}

void AddMembershipSteps(methods::ServiceMethods* methods) {
  methods->Step<v1::ActivateMembershipRequest, v1::Membership>(
      "ActivateMembership",
      [](Decision& decision, const v1::ActivateMembershipRequest& request,
         v1::Membership* membership) {
        return domain::Activate(decision.view(), request.date(), decision.now(),
                                membership);
      });
  methods->Step<v1::LapseMembershipRequest, v1::Membership>(
      "LapseMembership",
      [](Decision& decision, const v1::LapseMembershipRequest& request,
         v1::Membership* membership) {
        return domain::Lapse(decision.view(), request.date(), decision.now(),
                             membership);
      });
  methods->Step<v1::LeaveMembershipRequest, v1::Membership>(
      "LeaveMembership",
      [](Decision& decision, const v1::LeaveMembershipRequest& request,
         v1::Membership* membership) {
        return domain::Leave(decision.view(), request.date(), decision.now(),
                             membership);
      });
}

void AddPublicationSteps(methods::ServiceMethods* methods) {
  methods->Step<v1::PublishPublicationRequest, v1::Publication>(
      "PublishPublication",
      [](Decision& decision, const v1::PublishPublicationRequest& request,
         v1::Publication* publication) {
        return domain::Publish(DateOrNull(request), decision.now(),
                               publication);
      });
  methods->Step<v1::RetirePublicationRequest, v1::Publication>(
      "RetirePublication",
      [](Decision& decision, const v1::RetirePublicationRequest& request,
         v1::Publication* publication) {
        return domain::Retire(DateOrNull(request), decision.now(), publication);
      });
}

}  // namespace

absl::Status AddKinds(resource::Catalogue* catalogue) {
  absl::Status status = catalogue->Add(domain::OrganizationRules());
  if (status.ok()) status = catalogue->Add(domain::MembershipRules());
  if (status.ok()) status = catalogue->Add(domain::StandardRules());
  if (status.ok()) status = catalogue->Add(domain::PublicationRules());
  if (status.ok()) status = catalogue->Add(domain::CommitmentRules());
  return status;
}

absl::Status AddMethods(const resource::Catalogue* catalogue,
                        journal::Store* store, journal::Writer* writer,
                        rpc::MethodTable* table) {
  methods::ServiceMethods methods(
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          kService),
      catalogue, store, writer, table->Service(kService));
  absl::Status status = methods.AddStandard();
  if (!status.ok()) return status;
  AddMembershipSteps(&methods);
  AddPublicationSteps(&methods);
  methods.Step<v1::EndCommitmentRequest, v1::Commitment>(
      "EndCommitment", [](Decision&, const v1::EndCommitmentRequest& request,
                          v1::Commitment* commitment) {
        return domain::EndCommitment(request.date(), commitment);
      });
  methods.Read<v1::SummarizeParticipationRequest,
               v1::SummarizeParticipationResponse>(
      "SummarizeParticipation", rpc::Place::kPool, SummarizeParticipation);
  return absl::OkStatus();
}

}  // namespace transparency::standards::service
