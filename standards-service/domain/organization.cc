#include "standards-service/domain/organization.h"

#include "common/resource/snapshot.h"
#include "standards-service/domain/chain.h"
#include "transparency/standards/v1/error_reason.pb.h"

namespace transparency::standards::domain {
namespace {

absl::Status Check(const resource::Snapshot& view, const v1::Organization*,
                   v1::Organization* after, absl::Time) {
  return CheckNoCircle<v1::Organization>(
      view, after->name(), after->parent_organization(),
      &v1::Organization::parent_organization,
      {v1::PARENT_CYCLE, "organization", "parent_organization"});
}

}  // namespace

resource::Rules<v1::Organization> OrganizationRules() {
  return {.check = Check};
}

}  // namespace transparency::standards::domain
