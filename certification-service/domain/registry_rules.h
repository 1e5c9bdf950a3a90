#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "transparency/certification/v1/body.pb.h"
#include "transparency/certification/v1/management_system.pb.h"
#include "transparency/certification/v1/product.pb.h"
#include "transparency/certification/v1/scheme.pb.h"

// The rules of what certificates refer to. What live records rest on is not
// taken away from under them: STILL_RELIED_ON.
namespace transparency::certification::domain {

resource::Rules<v1::Scheme> SchemeRules();
resource::Rules<v1::Body> BodyRules();
resource::Rules<v1::Product> ProductRules();
resource::Rules<v1::ManagementSystem> ManagementSystemRules();

absl::Status CheckScheme(const resource::Snapshot& view,
                         const v1::Scheme* before, v1::Scheme* after,
                         absl::Time now);
absl::Status CheckBody(const resource::Snapshot& view, const v1::Body* before,
                       v1::Body* after, absl::Time now);
absl::Status CheckProduct(const resource::Snapshot& view,
                          const v1::Product* before, v1::Product* after,
                          absl::Time now);

// The kinds of this service, in an order in which a Catalogue takes them.
absl::Status AddKinds(resource::Catalogue* catalogue);

}  // namespace transparency::certification::domain
