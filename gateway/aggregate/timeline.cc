#include "gateway/aggregate/timeline.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/resource/civil.h"
#include "common/resource/list_page.h"
#include "common/resource/page_token.h"
#include "common/status/status.h"
#include "gateway/aggregate/merged_page.h"
#include "transparency/gateway/v1/timeline.pb.h"
#include "transparency/type/v1/event.pb.h"

namespace transparency::gateway {
namespace {

using type::v1::Event;
using type::v1::ListEventsRequest;
using type::v1::ListEventsResponse;
using v1::ListTimelineRequest;
using v1::ListTimelineResponse;

constexpr char kMethod[] = "ListEvents";

// An event's place as text: its day, its name, its field.
std::string PlaceText(const Event& event) {
  return absl::StrCat(absl::FormatCivilTime(resource::FirstDay(event.date())),
                      " ", event.name(), " ", event.field());
}

void SetPlace(const std::string& text, type::v1::EventPlace* place) {
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  absl::CivilDay day;
  if (parts.size() != 3 || !absl::ParseCivilTime(parts[0], &day)) return;
  *place->mutable_date() = resource::ToDate(day);
  place->set_name(parts[1]);
  place->set_field(parts[2]);
}

// Events of two owners, whose names differ.
bool Before(const Event& a, const Event& b) {
  const absl::CivilDay day_of_a = resource::FirstDay(a.date());
  const absl::CivilDay day_of_b = resource::FirstDay(b.date());
  return day_of_a != day_of_b ? day_of_a > day_of_b : a.name() < b.name();
}

absl::Status CheckDays(const ListTimelineRequest& request) {
  status::Violations violations;
  const auto check = [&](const char* field, bool given,
                         const google::type::Date& date) {
    const bool complete = given && resource::IsCompleteDate(date);
    if (given && !complete) {
      violations.Add(field, "must be a complete date: year, month, day");
    }
    return complete;
  };
  const bool from =
      check("from_date", request.has_from_date(), request.from_date());
  const bool until =
      check("until_date", request.has_until_date(), request.until_date());
  if (from && until &&
      resource::FirstDay(request.until_date()) <
          resource::FirstDay(request.from_date())) {
    violations.Add("until_date", "is before from_date");
  }
  return violations.empty() ? absl::OkStatus() : violations.ToStatus();
}

// One page in the making.
struct Page {
  ListTimelineRequest request;
  size_t size = 0;
  MergedQuery query;
  MergedPosition position;
  AskedOwners owners;
  ByOwner<OwnersPage<Event>> found;

  Page(const rpc::Call& call, const ListTimelineRequest& asked)
      : request(asked),
        query(call, {asked.from_date().SerializeAsString(),
                     asked.until_date().SerializeAsString(),
                     absl::StrJoin(asked.types(), ","),
                     asked.return_partial_success() ? "partial" : ""}) {}

  // The last day told, the same on every page.
  absl::CivilDay Until() {
    absl::CivilDay until = absl::ToCivilDay(absl::Now(), absl::UTCTimeZone());
    if (request.has_until_date()) {
      until = resource::FirstDay(request.until_date());
    } else if (!position.until.empty()) {
      (void)absl::ParseCivilTime(position.until, &until);
    }
    position.until = absl::FormatCivilTime(until);
    return until;
  }

  absl::StatusOr<std::string> Finish(const Gathering& gathering) {
    absl::Status settled =
        SettleUnreachable(gathering, request.return_partial_success(), &owners);
    if (!settled.ok()) return settled;
    ListTimelineResponse response;
    bool more = false;
    size_t bytes = 0;
    for (Event& event : Merge(std::move(found), size, Before, &more)) {
      bytes += event.ByteSizeLong();
      if (response.events_size() > 0 && bytes > resource::kMaxPageBytes) {
        more = true;
        break;
      }
      position.place = PlaceText(event);
      *response.add_events() = std::move(event);
    }
    position.left_out = owners.unreachable;
    if (more) response.set_next_page_token(query.Token(position));
    TellOwners(owners.unreachable, response.mutable_unreachable());
    TellOwners(owners.not_configured, response.mutable_not_configured());
    gathering.TellRevisions();
    return response.SerializeAsString();
  }
};

absl::Status Start(const Owners& owners, Invoker* invoker,
                   const OwnersWith& known, std::shared_ptr<rpc::Call> call,
                   const ListTimelineRequest& request,
                   const rpc::UnaryDone& done) {
  absl::Status days = CheckDays(request);
  if (!days.ok()) return days;
  auto size = resource::PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto routed = known.Route(request.types());
  if (!routed.ok()) return routed.status();
  auto page = std::make_shared<Page>(*call, request);
  page->size = static_cast<size_t>(*size);
  auto position = page->query.Read(request.page_token());
  if (!position.ok()) return position.status();
  page->position = *std::move(position);
  page->owners = WhomToAsk(known, owners, *routed, page->position.left_out);
  const absl::CivilDay until = page->Until();
  if (request.has_from_date() &&
      until < resource::FirstDay(request.from_date())) {
    page->owners.asked.clear();  // it begins after today
  }

  auto gathering = std::make_shared<Gathering>(
      invoker, std::move(call),
      [page, done](Gathering& gathered) { done(page->Finish(gathered)); });
  for (const std::string& owner : page->owners.asked) {
    ListEventsRequest ask;
    if (request.has_from_date()) *ask.mutable_from_date() = request.from_date();
    *ask.mutable_until_date() = resource::ToDate(until);
    ask.set_page_size(*size);
    for (const std::string& type : (*routed)[owner]) ask.add_types(type);
    if (!page->position.place.empty()) {
      SetPlace(page->position.place, ask.mutable_start_after());
    }
    gathering->Ask<ListEventsResponse>(
        known.services().at(owner), kMethod, ask,
        [page, owner](const ListEventsResponse& answer) {
          page->found[owner] = {
              {answer.events().begin(), answer.events().end()},
              !answer.next_page_token().empty()};
        });
  }
  gathering->Begin();
  return absl::OkStatus();
}

}  // namespace

void AddTimeline(
    const Owners* owners, Invoker* invoker,
    const std::vector<const google::protobuf::ServiceDescriptor*>& known,
    rpc::ServiceRows* rows) {
  rows->UnaryAsync(
      "ListTimeline", [owners, invoker, asked = OwnersWith(kMethod, known)](
                          std::shared_ptr<rpc::Call> call,
                          std::unique_ptr<google::protobuf::Message> request,
                          const rpc::UnaryDone& done) {
        absl::Status started =
            Start(*owners, invoker, asked, std::move(call),
                  static_cast<const ListTimelineRequest&>(*request), done);
        if (!started.ok()) done(started);
      });
}

}  // namespace transparency::gateway
