#include "certification-service/domain/support.h"

#include <algorithm>
#include <utility>

#include "certification-service/domain/civil_days.h"
#include "common/base/civil.h"

namespace transparency::certification::domain {
namespace {

using civil::Holding;
using transparency::type::v1::Period;
using v1::Accreditation;
using v1::Body;
using v1::SupportChain;
using Link = v1::SupportChain::Link;

Link MakeLink(Link::Kind kind, SupportChain::Support support,
              absl::string_view body) {
  Link link;
  link.set_kind(kind);
  link.set_support(support);
  link.set_body(std::string(body));
  return link;
}

bool HasRole(const Body* body, Body::Role role) {
  return body != nullptr &&
         std::count(body->roles().begin(), body->roles().end(), role) > 0;
}

// The accreditation is over, or has not begun.
Link Outside(Link link, const Period& period, absl::CivilDay day) {
  link.set_support(SupportChain::BROKEN);
  if (IsEmpty(period.until()) || day <= Readings(period.until()).last) {
    return link;
  }
  *link.mutable_broken_since() = civil::IsCompleteDate(period.until())
                                     ? civil::ToDate(ToDay(period.until()) + 1)
                                     : period.until();
  return link;
}

Link Examine(const Accreditation& accreditation, absl::string_view holder,
             absl::CivilDay day) {
  Link link = MakeLink(Link::ACCREDITATION, SupportChain::NOT_RECORDED, holder);
  link.set_accreditation_number(accreditation.number());
  const Holding within = civil::HoldsOn(accreditation.period(), day);
  if (within == Holding::kOutside) {
    return Outside(std::move(link), accreditation.period(), day);
  }
  bool doubtful =
      within == Holding::kUndetermined || accreditation.schemes().empty();
  for (const Period& suspension : accreditation.suspensions()) {
    const Holding suspended = civil::HoldsOn(suspension, day);
    if (suspended == Holding::kInside) {
      link.set_support(SupportChain::BROKEN);
      if (!IsEmpty(suspension.from())) {
        *link.mutable_broken_since() = suspension.from();
      }
      return link;
    }
    doubtful = doubtful || suspended == Holding::kUndetermined;
  }
  if (!doubtful) link.set_support(SupportChain::SUPPORTED);
  return link;
}

// Which of two links supports better.
int Rank(const Link& link) {
  switch (link.support()) {
    case SupportChain::SUPPORTED:
      return 2;
    case SupportChain::NOT_RECORDED:
      return 1;
    default:
      return 0;
  }
}

bool Covers(const Accreditation& accreditation, absl::string_view scheme) {
  return accreditation.schemes().empty() ||
         std::find(accreditation.schemes().begin(),
                   accreditation.schemes().end(),
                   scheme) != accreditation.schemes().end();
}

void AddAccreditation(const Body& holder, absl::string_view scheme,
                      absl::CivilDay day, FindBody find, SupportChain* chain) {
  const Accreditation* best = nullptr;
  Link link =
      MakeLink(Link::ACCREDITATION, SupportChain::NOT_RECORDED, holder.name());
  for (const Accreditation& accreditation : holder.accreditations()) {
    if (!Covers(accreditation, scheme)) continue;
    Link examined = Examine(accreditation, holder.name(), day);
    if (best == nullptr || Rank(examined) > Rank(link)) {
      best = &accreditation;
      link = std::move(examined);
    }
  }
  *chain->add_links() = std::move(link);
  if (best == nullptr) return;
  const std::string& above = best->accreditation_body();
  const bool recorded =
      !above.empty() && HasRole(find(above), Body::ACCREDITATION_BODY);
  *chain->add_links() = MakeLink(
      Link::ACCREDITATION_BODY,
      recorded ? SupportChain::SUPPORTED : SupportChain::NOT_RECORDED, above);
}

}  // namespace

SupportChain SupportOf(const v1::Certificate& certificate, absl::CivilDay day,
                       FindBody find) {
  SupportChain chain;
  const Body* body = certificate.certification_body().empty()
                         ? nullptr
                         : find(certificate.certification_body());
  const bool known = HasRole(body, Body::CERTIFICATION_BODY);
  *chain.add_links() =
      MakeLink(Link::CERTIFICATION_BODY,
               known ? SupportChain::SUPPORTED : SupportChain::NOT_RECORDED,
               certificate.certification_body());
  if (known) {
    AddAccreditation(*body, certificate.scheme(), day, find, &chain);
  }
  int weakest = 2;
  for (const Link& link : chain.links()) {
    weakest = std::min(weakest, Rank(link));
  }
  chain.set_support(weakest == 2   ? SupportChain::SUPPORTED
                    : weakest == 1 ? SupportChain::NOT_RECORDED
                                   : SupportChain::BROKEN);
  return chain;
}

}  // namespace transparency::certification::domain
