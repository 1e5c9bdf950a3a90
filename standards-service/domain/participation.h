#pragma once

#include <map>

#include "absl/time/civil_time.h"
#include "standards-service/domain/membership.h"
#include "transparency/standards/v1/organization.pb.h"
#include "transparency/standards/v1/participation.pb.h"

namespace transparency::standards::domain {

// Counts memberships by the kind of their organization, as of one day. Fed one
// organization after another.
class ParticipationCount {
 public:
  explicit ParticipationCount(absl::CivilDay as_of) : as_of_(as_of) {}

  absl::CivilDay as_of() const { return as_of_; }

  // Memberships of the organization that EndOrganization closes.
  void Add(const v1::Membership& membership);
  void EndOrganization(v1::Organization::Kind kind);

  v1::Participation Result() const;

 private:
  const absl::CivilDay as_of_;
  int active_ = 0;
  int open_ = 0;
  // Kinds in the order of the answer.
  std::map<v1::Organization::Kind, v1::Participation::KindCount> kinds_;
};

}  // namespace transparency::standards::domain
