#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "transparency/centre/v1/visitor.pb.h"

namespace transparency::centre::domain {

// Visitors of a booking, erased ones too.
int CountVisitors(const resource::Snapshot& view, absl::string_view booking);

// Rules of creating and updating; a new visitor gets the owner of its booking.
absl::Status CheckVisitor(const resource::Snapshot& view,
                          const v1::Visitor* before, v1::Visitor* after,
                          absl::Time now);

resource::Rules<v1::Visitor> VisitorRules();

}  // namespace transparency::centre::domain
