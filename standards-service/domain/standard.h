#pragma once

#include "common/resource/kind.h"
#include "transparency/standards/v1/standard.pb.h"

namespace transparency::standards::domain {

// Designation and version are unique per publisher; successors form no circle
// and belong to superseded standards.
resource::Rules<v1::Standard> StandardRules();

}  // namespace transparency::standards::domain
