#include "standards-service/service/summarize_participation.h"

#include <string>

#include "absl/strings/string_view.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "standards-service/domain/field_rules.h"
#include "standards-service/domain/participation.h"
#include "transparency/standards/v1/membership.pb.h"
#include "transparency/standards/v1/organization.pb.h"

namespace transparency::standards::service {
namespace {

v1::Organization::Kind KindOf(const methods::Reader& reader,
                              const std::string& organization) {
  absl::StatusOr<v1::Organization> found =
      reader.Get<v1::Organization>(organization);
  return found.ok() ? found->kind() : v1::Organization::KIND_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<v1::SummarizeParticipationResponse> SummarizeParticipation(
    const methods::Reader& reader,
    const v1::SummarizeParticipationRequest& request) {
  absl::CivilDay day = domain::Today(reader.now());
  if (request.has_as_of()) {
    if (!civil::IsCompleteDate(request.as_of())) {
      return status::InvalidField("as_of",
                                  "is not a date with year, month and day");
    }
    day = civil::FirstDay(request.as_of());
  }
  domain::ParticipationCount count(day);
  // Memberships of one organization follow each other in name order.
  std::string organization;
  absl::Status status = reader.ForEach<v1::Membership>(
      "organizations/", [&](const v1::Membership& membership) {
        absl::string_view name = membership.name();
        absl::string_view parent = name.substr(0, name.rfind("/memberships/"));
        if (parent != organization) {
          count.EndOrganization(KindOf(reader, organization));
          organization.assign(parent.data(), parent.size());
        }
        if (request.legal_entity().empty() ||
            request.legal_entity() == membership.legal_entity()) {
          count.Add(membership);
        }
        return true;
      });
  if (!status.ok()) return status;
  count.EndOrganization(KindOf(reader, organization));
  v1::SummarizeParticipationResponse response;
  *response.mutable_participation() = count.Result();
  return response;
}

}  // namespace transparency::standards::service
