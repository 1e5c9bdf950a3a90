#include "standards-service/domain/participation.h"

#include "common/base/civil.h"

namespace transparency::standards::domain {
namespace {

void AddTo(const v1::Participation::KindCount& part,
           v1::Participation::KindCount* sum) {
  sum->set_active_organizations(sum->active_organizations() +
                                part.active_organizations());
  sum->set_undetermined_organizations(sum->undetermined_organizations() +
                                      part.undetermined_organizations());
  sum->set_active_memberships(sum->active_memberships() +
                              part.active_memberships());
  sum->set_undetermined_memberships(sum->undetermined_memberships() +
                                    part.undetermined_memberships());
}

}  // namespace

void ParticipationCount::Add(const v1::Membership& membership) {
  switch (InForceOn(membership, as_of_)) {
    case InForce::kYes:
      ++active_;
      break;
    case InForce::kOpen:
      ++open_;
      break;
    case InForce::kNo:
      break;
  }
}

void ParticipationCount::EndOrganization(v1::Organization::Kind kind) {
  if (active_ == 0 && open_ == 0) return;
  v1::Participation::KindCount one;
  one.set_active_organizations(active_ > 0 ? 1 : 0);
  one.set_undetermined_organizations(active_ > 0 ? 0 : 1);
  one.set_active_memberships(active_);
  one.set_undetermined_memberships(open_);
  AddTo(one, &kinds_[kind]);
  active_ = 0;
  open_ = 0;
}

v1::Participation ParticipationCount::Result() const {
  v1::Participation result;
  *result.mutable_as_of() = civil::ToDate(as_of_);
  result.mutable_total();
  auto append = [&](v1::Organization::Kind kind,
                    const v1::Participation::KindCount& count) {
    AddTo(count, result.mutable_total());
    *result.add_kinds() = count;
    result.mutable_kinds(result.kinds_size() - 1)->set_kind(kind);
  };
  for (const auto& [kind, count] : kinds_) {
    if (kind != v1::Organization::KIND_UNSPECIFIED) append(kind, count);
  }
  auto unrecorded = kinds_.find(v1::Organization::KIND_UNSPECIFIED);
  if (unrecorded != kinds_.end()) append(unrecorded->first, unrecorded->second);
  return result;
}

}  // namespace transparency::standards::domain
