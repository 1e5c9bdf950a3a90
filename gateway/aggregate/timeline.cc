#include "gateway/aggregate/timeline.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/base/civil.h"
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
  return absl::StrCat(absl::FormatCivilTime(civil::FirstDay(event.date())), " ",
                      event.name(), " ", event.field());
}

void SetPlace(const std::string& text, type::v1::EventPlace* place) {
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  absl::CivilDay day;
  if (parts.size() != 3 || !absl::ParseCivilTime(parts[0], &day)) return;
  *place->mutable_date() = civil::ToDate(day);
  place->set_name(parts[1]);
  place->set_field(parts[2]);
}

// Events of two owners, whose names differ.
bool Before(const Event& a, const Event& b) {
  const absl::CivilDay day_of_a = civil::FirstDay(a.date());
  const absl::CivilDay day_of_b = civil::FirstDay(b.date());
  return day_of_a != day_of_b ? day_of_a > day_of_b : a.name() < b.name();
}

absl::Status CheckDays(const ListTimelineRequest& request) {
  status::Violations violations;
  const auto check = [&](const char* field, bool given,
                         const google::type::Date& date) {
    const bool complete = given && civil::IsCompleteDate(date);
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
      civil::FirstDay(request.until_date()) <
          civil::FirstDay(request.from_date())) {
    violations.Add("until_date", "is before from_date");
  }
  return violations.empty() ? absl::OkStatus() : violations.ToStatus();
}

// The last day told, the same on every page.
absl::CivilDay Until(const ListTimelineRequest& request,
                     MergedPosition* position) {
  absl::CivilDay until = absl::ToCivilDay(absl::Now(), absl::UTCTimeZone());
  if (request.has_until_date()) {
    until = civil::FirstDay(request.until_date());
  } else if (!position->until.empty()) {
    (void)absl::ParseCivilTime(position->until, &until);
  }
  position->until = absl::FormatCivilTime(until);
  return until;
}

absl::Status Start(const Owners& owners, Invoker* invoker,
                   const OwnersWith& known, std::shared_ptr<rpc::Call> call,
                   const ListTimelineRequest& request,
                   const rpc::UnaryDone& done) {
  absl::Status days = CheckDays(request);
  if (!days.ok()) return days;
  auto begun = BeginPage<Event>(known, owners, *call, request,
                                {request.from_date().SerializeAsString(),
                                 request.until_date().SerializeAsString()});
  if (!begun.ok()) return begun.status();
  const auto page = *std::move(begun);
  const absl::CivilDay until = Until(request, &page->position);
  if (request.has_from_date() && until < civil::FirstDay(request.from_date())) {
    page->owners.asked.clear();  // it begins after today
  }

  auto gathering = std::make_shared<Gathering>(
      invoker, std::move(call), [page, done](Gathering& gathered) {
        done(FinishPage(gathered, page.get(), Before, PlaceText,
                        &ListTimelineResponse::mutable_events));
      });
  for (const std::string& owner : page->owners.asked) {
    ListEventsRequest ask;
    if (request.has_from_date()) *ask.mutable_from_date() = request.from_date();
    *ask.mutable_until_date() = civil::ToDate(until);
    ask.set_page_size(static_cast<int32_t>(page->size));
    for (const std::string& type : page->routed[owner]) ask.add_types(type);
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
