#pragma once

#include "common/resource/kind.h"
#include "transparency/standards/v1/organization.pb.h"

namespace transparency::standards::domain {

// Parents of organizations form no circle.
resource::Rules<v1::Organization> OrganizationRules();

}  // namespace transparency::standards::domain
