#include "gateway/aggregate/overview.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/base/civil.h"
#include "common/status/status.h"
#include "gateway/aggregate/gathering.h"
#include "transparency/centre/v1/centre_service.pb.h"
#include "transparency/certification/v1/certification_service.pb.h"
#include "transparency/certification/v1/summary.pb.h"
#include "transparency/gateway/v1/gateway_service.pb.h"
#include "transparency/standards/v1/standards_service.pb.h"

namespace transparency::gateway {
namespace {

using v1::GetOverviewRequest;
using v1::Overview;

constexpr char kCertification[] =
    "transparency.certification.v1.CertificationService";
constexpr char kStandards[] = "transparency.standards.v1.StandardsService";
constexpr char kCentre[] = "transparency.centre.v1.CentreService";

constexpr int kExpiringDays = 90;
constexpr int kExpiringListed = 10;
constexpr int kPublicationsListed = 5;
constexpr int kCommitmentsListed = 10;
constexpr int kCentresListed = 20;
constexpr int kFreeDays = 30;
constexpr int kFreeTimesListed = 3;
constexpr int kVisitSeconds = 3600;

std::string FullName(absl::string_view owner, absl::string_view name) {
  return absl::StrCat("//", owner, ".transparency", name.empty() ? "" : "/",
                      name);
}

std::string IsoDay(absl::CivilDay day) { return absl::FormatCivilTime(day); }

void AskCertification(absl::CivilDay as_of, Gathering* gathering,
                      Overview* overview) {
  namespace owner = certification::v1;
  owner::SummarizeCertificatesRequest summarize;
  *summarize.mutable_as_of() = civil::ToDate(as_of);
  gathering->Ask<owner::SummarizeCertificatesResponse>(
      kCertification, "SummarizeCertificates", summarize,
      [overview](const owner::SummarizeCertificatesResponse& summary) {
        *overview->mutable_certification()->mutable_summary() = summary;
      });

  owner::ListCertificatesRequest expiring;
  expiring.set_page_size(kExpiringListed);
  // One that has expired by now had not on an earlier day.
  expiring.set_filter(
      absl::StrCat("(state = ACTIVE OR state = SUSPENDED OR state = EXPIRED)"
                   " AND first_valid_date <= ",
                   IsoDay(as_of), " AND last_valid_date >= ", IsoDay(as_of),
                   " AND last_valid_date <= ", IsoDay(as_of + kExpiringDays)));
  expiring.set_order_by("last_valid_date");
  gathering->Ask<owner::ListCertificatesResponse>(
      kCertification, "ListCertificates", expiring,
      [overview](const owner::ListCertificatesResponse& page) {
        *overview->mutable_certification()->mutable_expiring_soon() =
            page.certificates();
      });
}

void AskStandards(absl::CivilDay as_of, Gathering* gathering,
                  Overview* overview) {
  namespace owner = standards::v1;
  owner::SummarizeParticipationRequest summarize;
  *summarize.mutable_as_of() = civil::ToDate(as_of);
  gathering->Ask<owner::SummarizeParticipationResponse>(
      kStandards, "SummarizeParticipation", summarize,
      [overview](const owner::SummarizeParticipationResponse& summary) {
        *overview->mutable_standards()->mutable_participation() =
            summary.participation();
      });

  owner::ListPublicationsRequest publications;
  publications.set_page_size(kPublicationsListed);
  publications.set_filter(absl::StrCat(
      "state != DRAFT AND NOT publication_date > ", IsoDay(as_of)));
  publications.set_order_by("publication_date desc");
  gathering->Ask<owner::ListPublicationsResponse>(
      kStandards, "ListPublications", publications,
      [overview](const owner::ListPublicationsResponse& page) {
        *overview->mutable_standards()->mutable_latest_publications() =
            page.publications();
      });

  owner::ListCommitmentsRequest commitments;
  commitments.set_page_size(kCommitmentsListed);
  commitments.set_filter(absl::StrCat("NOT join_date > ", IsoDay(as_of),
                                      " AND NOT end_date < ", IsoDay(as_of)));
  gathering->Ask<owner::ListCommitmentsResponse>(
      kStandards, "ListCommitments", commitments,
      [overview](const owner::ListCommitmentsResponse& page) {
        *overview->mutable_standards()->mutable_commitments() =
            page.commitments();
      });
}

bool StartsEarlier(const v1::CentreOverview::FreeTime& a,
                   const v1::CentreOverview::FreeTime& b) {
  const auto& x = a.slot().start_time();
  const auto& y = b.slot().start_time();
  return std::make_pair(x.seconds(), x.nanos()) <
         std::make_pair(y.seconds(), y.nanos());
}

void TakeFreeTimes(const centre::v1::SearchAvailabilityResponse& found,
                   v1::CentreOverview::CentreEntry* entry) {
  auto* times = entry->mutable_next_free_times();
  for (const auto& space : found.spaces()) {
    for (const auto& slot : space.slots()) {
      auto* time = times->Add();
      time->set_space(FullName("centre", space.space()));
      *time->mutable_slot() = slot;
    }
  }
  std::stable_sort(times->begin(), times->end(), StartsEarlier);
  if (times->size() > kFreeTimesListed) {
    times->DeleteSubrange(kFreeTimesListed, times->size() - kFreeTimesListed);
  }
}

void AskFreeTimes(const std::string& centre, int index, Gathering* gathering,
                  Overview* overview) {
  centre::v1::SearchAvailabilityRequest search;
  search.set_centre(centre);
  search.set_purpose(centre::v1::Booking::SHOWCASE);
  search.set_party_size(1);
  search.mutable_duration()->set_seconds(kVisitSeconds);
  search.mutable_end_time()->set_seconds(
      absl::ToUnixSeconds(absl::Now() + absl::Hours(24 * kFreeDays)));
  gathering->Ask<centre::v1::SearchAvailabilityResponse>(
      kCentre, "SearchAvailability", search,
      [overview, index](const centre::v1::SearchAvailabilityResponse& found) {
        TakeFreeTimes(found,
                      overview->mutable_centre()->mutable_centres(index));
      },
      // A centre may take no visits of this length.
      Gathering::Refusal::kLeavesOut);
}

void AskCentre(Gathering* gathering, Overview* overview) {
  centre::v1::ListCentresRequest centres;
  centres.set_page_size(kCentresListed);
  gathering->Ask<centre::v1::ListCentresResponse>(
      kCentre, "ListCentres", centres,
      [gathering, overview](const centre::v1::ListCentresResponse& page) {
        auto* part = overview->mutable_centre();
        for (const auto& centre : page.centres()) {
          auto* entry = part->add_centres();
          entry->set_centre(FullName("centre", centre.name()));
          entry->set_display_name(centre.display_name());
          entry->set_country(centre.country());
          entry->set_time_zone(centre.time_zone());
        }
        for (int i = 0; i < page.centres_size(); ++i) {
          AskFreeTimes(page.centres(i).name(), i, gathering, overview);
        }
      });
}

// A part that an owner gave only half of is left out, as AIP-217 has it.
void LeaveOut(const std::string& owner, Overview* overview) {
  if (owner == "certification") overview->clear_certification();
  if (owner == "standards") overview->clear_standards();
  if (owner == "centre") overview->clear_centre();
  overview->add_unreachable(FullName(owner, ""));
}

absl::StatusOr<std::string> Finish(const GetOverviewRequest& request,
                                   size_t asked, const Gathering& gathering,
                                   Overview* overview) {
  if (!gathering.refusal().ok()) return gathering.refusal();
  const auto& failed = gathering.failures();
  if (!failed.empty() &&
      (!request.return_partial_success() || failed.size() == asked)) {
    return gathering.Failure();
  }
  for (const auto& failure : failed) LeaveOut(failure.first, overview);
  gathering.TellRevisions();
  return overview->SerializeAsString();
}

absl::Status Start(const Owners* owners, Invoker* invoker,
                   std::shared_ptr<rpc::Call> call,
                   std::shared_ptr<const GetOverviewRequest> request,
                   rpc::UnaryDone done) {
  absl::CivilDay as_of = absl::ToCivilDay(absl::Now(), absl::UTCTimeZone());
  if (request->has_as_of()) {
    if (!civil::IsCompleteDate(request->as_of())) {
      return status::InvalidField("as_of",
                                  "must be a complete date: year, month, day");
    }
    as_of = civil::FirstDay(request->as_of());
  }
  auto overview = std::make_shared<Overview>();
  *overview->mutable_as_of() = civil::ToDate(as_of);
  const size_t asked = owners->all().size();
  auto gathering = std::make_shared<Gathering>(
      invoker, std::move(call),
      [request, overview, asked, done](Gathering& gathered) {
        done(Finish(*request, asked, gathered, overview.get()));
      });
  for (const char* owner : {"certification", "standards", "centre"}) {
    if (owners->ByName(owner) == nullptr) {
      overview->add_not_configured(FullName(owner, ""));
    }
  }
  if (owners->ByName("certification") != nullptr) {
    AskCertification(as_of, gathering.get(), overview.get());
  }
  if (owners->ByName("standards") != nullptr) {
    AskStandards(as_of, gathering.get(), overview.get());
  }
  if (owners->ByName("centre") != nullptr) {
    AskCentre(gathering.get(), overview.get());
  }
  gathering->Begin();
  return absl::OkStatus();
}

}  // namespace

void AddOverview(const Owners* owners, Invoker* invoker,
                 rpc::ServiceRows* rows) {
  rows->UnaryAsync(
      "GetOverview",
      [owners, invoker](std::shared_ptr<rpc::Call> call,
                        std::unique_ptr<google::protobuf::Message> request,
                        rpc::UnaryDone done) {
        std::shared_ptr<const GetOverviewRequest> typed(
            static_cast<const GetOverviewRequest*>(request.release()));
        absl::Status started =
            Start(owners, invoker, std::move(call), std::move(typed), done);
        if (!started.ok()) done(started);
      });
}

}  // namespace transparency::gateway
