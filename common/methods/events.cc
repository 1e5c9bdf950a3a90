#include "common/methods/events.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/base/civil.h"
#include "common/base/times.h"
#include "common/methods/across_kinds.h"
#include "common/methods/first_of.h"
#include "common/methods/query_limits.h"
#include "common/query/page_token.h"
#include "common/resource/form.h"
#include "common/resource/list_page.h"
#include "common/status/status.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/type/date.pb.h"
#include "transparency/type/v1/annotations.pb.h"
#include "transparency/type/v1/period.pb.h"

namespace transparency::methods {
namespace {

using fields::PickedValue;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::type::Date;
using resource::Item;
using resource::Kind;
using type::v1::Event;
using type::v1::ListEventsRequest;
using type::v1::ListEventsResponse;
using type::v1::Period;

// The days asked for, both complete and inside.
struct Days {
  absl::CivilDay from = absl::CivilDay::min();
  absl::CivilDay until = absl::CivilDay::max();

  bool Touch(const Date& date) const {
    return civil::LastDay(date) >= from && civil::FirstDay(date) <= until;
  }
};

// Where an event stands: the later day first, then by full name, then by field.
struct Place {
  absl::CivilDay day;
  std::string name;
  std::string field;
};

// Fields in the order of their elements' numbers: `steps[2]` before
// `steps[10]`.
std::string Sortable(absl::string_view field) {
  std::string sortable;
  for (size_t at = 0; at < field.size();) {
    size_t end = at;
    while (end < field.size() &&
           absl::ascii_isdigit(static_cast<unsigned char>(field[end]))) {
      ++end;
    }
    if (end == at) {
      sortable.push_back(field[at++]);
      continue;
    }
    if (end - at < 10) sortable.append(10 - (end - at), '0');
    absl::StrAppend(&sortable, field.substr(at, end - at));
    at = end;
  }
  return sortable;
}

bool operator<(const Place& a, const Place& b) {
  if (a.day != b.day) return a.day > b.day;
  if (a.name != b.name) return a.name < b.name;
  return Sortable(a.field) < Sortable(b.field);
}

struct Found {
  Place place;
  Date date;
  std::string label;
  const Item* item;
};

struct Newer {
  bool operator()(const Found& a, const Found& b) const {
    return a.place < b.place;
  }
};

absl::Status Mistake(const FieldDescriptor& field, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("contract of ", field.full_name(), ": ", what));
}

absl::StatusOr<EventField> ReadEvent(const FieldDescriptor& field) {
  const auto& event = field.options().GetExtension(type::v1::event);
  EventField read;
  read.label = event.label();
  read.end_label = event.end_label();
  const auto* type = field.message_type();
  if (type == Date::descriptor()) {
    read.form = EventField::Form::kDate;
  } else if (type == google::protobuf::Timestamp::descriptor()) {
    read.form = EventField::Form::kInstant;
  } else if (type == Period::descriptor()) {
    read.form = EventField::Form::kPeriod;
  } else {
    return Mistake(field, "an event is a Date, a Timestamp or a Period");
  }
  if (!event.label_field().empty()) {
    read.label_of =
        field.containing_type()->FindFieldByName(event.label_field());
    if (read.label_of == nullptr || read.label_of->is_repeated() ||
        read.label_of->enum_type() == nullptr) {
      return Mistake(field, "label_field names an enum beside it");
    }
  }
  if ((read.label_of == nullptr) == read.label.empty()) {
    return Mistake(field, "an event has either label or label_field");
  }
  if (!event.when().empty()) {
    auto filter = query::Filter::Parse(event.when(), *field.containing_type());
    if (!filter.ok()) return Mistake(field, filter.status().message());
    read.when = *std::move(filter);
  }
  return read;
}

const Message& ValueOf(const PickedValue& value) {
  const auto* reflection = value.holder.GetReflection();
  return value.place.index < 0
             ? reflection->GetMessage(value.holder, value.place.field)
             : reflection->GetRepeatedMessage(value.holder, value.place.field,
                                              value.place.index);
}

// The dates that a field tells, each with what happened and where in the field
// it stands. Empty dates are none.
void DatesOf(const EventField& event, const PickedValue& value,
             absl::FunctionRef<void(const Date&, const std::string& label,
                                    absl::string_view where)>
                 tell) {
  if (event.when != nullptr && !event.when->Matches(value.holder)) return;
  std::string label = event.label;
  if (event.label_of != nullptr) {
    const auto* chosen =
        value.holder.GetReflection()->GetEnum(value.holder, event.label_of);
    if (chosen->number() == 0) return;
    label = chosen->name();
  }
  const auto tell_known = [&](const Date& date, const std::string& what,
                              absl::string_view where) {
    if (civil::IsDate(date) && !what.empty()) tell(date, what, where);
  };
  const Message& held = ValueOf(value);
  switch (event.form) {
    case EventField::Form::kDate:
      return tell_known(static_cast<const Date&>(held), label, "");
    case EventField::Form::kInstant: {
      const auto& instant =
          static_cast<const google::protobuf::Timestamp&>(held);
      return tell_known(civil::ToDate(absl::ToCivilDay(times::ToTime(instant),
                                                       absl::UTCTimeZone())),
                        label, "");
    }
    case EventField::Form::kPeriod: {
      const auto& period = static_cast<const Period&>(held);
      tell_known(period.from(), label, ".from");
      return tell_known(period.until(), event.end_label, ".until");
    }
  }
}

absl::StatusOr<Days> DaysOf(const ListEventsRequest& request) {
  status::Violations violations;
  Days days;
  const auto read = [&](const Date& date, const char* field,
                        absl::CivilDay* day) {
    if (!civil::IsCompleteDate(date)) {
      violations.Add(field, "must be a complete date: year, month, day");
    } else {
      *day = civil::FirstDay(date);
    }
  };
  if (request.has_from_date()) {
    read(request.from_date(), "from_date", &days.from);
  }
  if (request.has_until_date()) {
    read(request.until_date(), "until_date", &days.until);
  }
  if (violations.empty() && days.until < days.from) {
    violations.Add("until_date", "is before from_date");
  }
  if (!violations.empty()) return violations.ToStatus();
  return days;
}

std::string DayText(absl::CivilDay day) { return absl::FormatCivilTime(day); }

// Where the page begins; null: at the beginning.
absl::StatusOr<std::unique_ptr<Place>> Beginning(
    const ListEventsRequest& request, const std::vector<std::string>& query) {
  if (request.has_start_after()) {
    const auto& after = request.start_after();
    if (!request.page_token().empty()) {
      return status::InvalidField("start_after",
                                  "excludes page_token: expected one of them");
    }
    return std::make_unique<Place>(
        Place{civil::FirstDay(after.date()), after.name(), after.field()});
  }
  if (request.page_token().empty()) return nullptr;
  auto position = query::ReadPageToken(query, request.page_token());
  if (!position.ok()) return position.status();
  // The token is one that was made here: it holds a day and a field.
  const size_t space = position->key.find(' ');
  auto place = std::make_unique<Place>();
  (void)absl::ParseCivilTime(position->key.substr(0, space), &place->day);
  place->name = position->name;
  place->field = position->key.substr(space + 1);
  return place;
}

std::string TokenBehind(const Place& place,
                        const std::vector<std::string>& query) {
  return query::MakePageToken(
      query, {place.name, absl::StrCat(DayText(place.day), " ", place.field)});
}

Event EventOf(const Found& found, const rpc::Call& call) {
  const Kind& kind = found.item->kind();
  const resource::Form form(kind, call.caller());
  std::unique_ptr<Message> scratch;
  Event event;
  *event.mutable_date() = found.date;
  event.set_label(found.label);
  event.set_name(found.place.name);
  event.set_resource_type(kind.type);
  event.set_title(kind.TitleOf(form.Of(*found.item, &scratch)));
  event.set_field(found.place.field);
  return event;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const EventLister>> EventLister::Make(
    const resource::Catalogue& catalogue) {
  std::shared_ptr<EventLister> lister(new EventLister(catalogue));
  std::map<const FieldDescriptor*, int> marks;
  absl::Status status;
  const auto mark_of = [&](const FieldDescriptor& field) {
    if (!field.options().HasExtension(type::v1::event)) return 0;
    int& mark = marks[&field];
    if (mark == 0) {
      auto event = ReadEvent(field);
      if (!event.ok()) status.Update(event.status());
      lister->fields_.push_back(event.ok() ? *std::move(event) : EventField());
      mark = static_cast<int>(lister->fields_.size());
    }
    return mark;
  };
  for (const auto& kind : catalogue.kinds()) {
    lister->dates_.emplace_back(*kind->descriptor, mark_of);
  }
  if (!status.ok()) return status;
  return lister;
}

absl::StatusOr<ListEventsResponse> EventLister::List(
    const resource::Snapshot& snapshot, const rpc::Call& call,
    const ListEventsRequest& request) const {
  auto days = DaysOf(request);
  if (!days.ok()) return days.status();
  auto size = query::PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto kinds = KindsOf(catalogue_, request.types());
  if (!kinds.ok()) return kinds.status();
  std::vector<std::string> query = QueryOf(call, catalogue_, *kinds);
  query.push_back(DayText(days->from));
  query.push_back(DayText(days->until));
  auto after = Beginning(request, query);
  if (!after.ok()) return after.status();

  // One more than the page can hold, to know whether there is.
  FirstOf<Found, Newer> first(static_cast<size_t>(*size) + 1);
  query::QueryBudget budget = BudgetFor(call);
  absl::Status status = VisitSeen(
      snapshot, call, *kinds, &budget,
      [&](size_t kind, const Item& item, const Message& form) {
        dates_[kind].Visit(form, [&](const PickedValue& value) {
          DatesOf(fields_[static_cast<size_t>(value.mark) - 1], value,
                  [&](const Date& date, const std::string& label,
                      absl::string_view where) {
                    if (!days->Touch(date)) return;
                    Found found{
                        {civil::FirstDay(date),
                         absl::StrCat(FullNamePrefix(item.kind()), item.name()),
                         absl::StrCat(value.Path(), where)},
                        date,
                        label,
                        &item};
                    if (*after != nullptr && !(**after < found.place)) return;
                    first.Add(std::move(found));
                  });
        });
      });
  if (!status.ok()) return status;

  ListEventsResponse page;
  Place last;
  size_t bytes = 0;
  for (const Found& found : first.Take()) {
    Event event = EventOf(found, call);
    bytes += event.ByteSizeLong();
    if (page.events_size() == *size ||
        (page.events_size() > 0 && bytes > resource::kMaxPageBytes)) {
      page.set_next_page_token(TokenBehind(last, query));
      break;
    }
    last = found.place;
    *page.add_events() = std::move(event);
  }
  return page;
}

}  // namespace transparency::methods
