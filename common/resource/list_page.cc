#include "common/resource/list_page.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/fields/field_subset.h"
#include "common/fields/names.h"
#include "common/query/filter.h"
#include "common/query/order.h"
#include "common/query/page_token.h"

namespace transparency::resource {
namespace {

using google::protobuf::Message;

// What all names below `parent` begin with, as far as it is without `-`.
std::string PrefixOf(const Kind& kind, absl::string_view parent) {
  const std::string all =
      absl::StrCat(parent, parent.empty() ? "" : "/", kind.collection, "/");
  const size_t any = all.find("/-/");
  return any == std::string::npos ? all : all.substr(0, any + 1);
}

// One page in the making.
class Page {
 public:
  Page(const List& list, size_t size,
       absl::FunctionRef<void(const Item&, const std::string&)> emit)
      : list_(list), size_(size), emit_(emit) {}

  // False when the page has no room for it.
  bool Add(const Item& item) {
    if (count_ == size_) return false;
    const std::string& bytes = list_.form.Bytes(item, &scratch_);
    if (count_ > 0 && bytes_ + bytes.size() > kMaxPageBytes) return false;
    ++count_;
    bytes_ += bytes.size();
    emit_(item, bytes);
    return true;
  }

 private:
  const List& list_;
  const size_t size_;
  absl::FunctionRef<void(const Item&, const std::string&)> emit_;
  std::string scratch_;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

// A resource that belongs into the list, and its sort key.
struct Candidate {
  std::string key;
  const Item* item;
};

bool Before(const Candidate& a, const Candidate& b) {
  const int order = a.key.compare(b.key);
  return order != 0 ? order < 0 : a.item->name() < b.item->name();
}

class Lister {
 public:
  Lister(const List& list, query::QueryBudget* budget)
      : list_(list), budget_(*budget) {}

  absl::StatusOr<ListedPage> Run(
      absl::FunctionRef<void(const Item&, const std::string&)> emit);

 private:
  enum class Until { kPageSpent, kEnd };

  // Reads what says which resources belong into the list.
  absl::Status ReadFilter();
  // Reads what says in which order, and where the page begins.
  absl::Status ReadPlace();
  // All of the kind that are not deleted, whatever they hold.
  bool TakesAllLive() const;
  // Calls `visit` with every item from `from` on that belongs into the list,
  // until it returns false; not OK when the budget is at its end. With
  // kPageSpent it stops as soon as a page should end; `stopped_at_` is then the
  // name of the last item that the caller sees.
  absl::Status Scan(const std::string& from, Until until,
                    absl::FunctionRef<bool(const Item&, const Message&)> visit);
  absl::Status InNameOrder(Page* page, ListedPage* listed);
  absl::Status InOtherOrder(Page* page, ListedPage* listed);
  absl::Status Count(ListedPage* listed);
  std::string Token(const std::string& name, std::string key) const {
    return query::MakePageToken(query_, {name, std::move(key)});
  }

  const List& list_;
  query::QueryBudget& budget_;
  std::shared_ptr<const query::Filter> filter_;
  std::shared_ptr<const query::Order> order_;
  fields::FieldSubset wanted_;  // what both look at
  std::string prefix_;
  std::vector<std::string> query_;
  size_t size_ = 0;
  query::Position after_;  // name empty: from the beginning
  std::string stopped_at_;
};

absl::Status Lister::ReadFilter() {
  auto filter = query::Filter::Parse(list_.filter, *list_.kind.descriptor,
                                     list_.form.fields());
  if (!filter.ok()) return filter.status();
  filter_ = *std::move(filter);
  budget_.set_terms(filter_->terms());
  wanted_ = filter_->fields();
  prefix_ = PrefixOf(list_.kind, list_.parent);
  return absl::OkStatus();
}

absl::Status Lister::ReadPlace() {
  auto size = query::PageSize(list_.page_size);
  if (!size.ok()) return size.status();
  size_ = static_cast<size_t>(*size);
  auto order = query::Order::Parse(list_.order_by, *list_.kind.descriptor,
                                   list_.form.fields());
  if (!order.ok()) return order.status();
  order_ = *std::move(order);
  wanted_.Add(order_->fields());
  query_ = {std::string(list_.method), std::string(list_.parent),
            std::string(list_.filter), std::string(list_.order_by),
            list_.form.Fingerprint(),  list_.show_deleted ? "deleted" : ""};
  query_.insert(query_.end(), list_.more.begin(), list_.more.end());
  if (list_.page_token.empty()) return absl::OkStatus();
  auto after = query::ReadPageToken(query_, list_.page_token);
  if (!after.ok()) return after.status();
  after_ = *std::move(after);
  return absl::OkStatus();
}

absl::Status Lister::Scan(
    const std::string& from, Until until,
    absl::FunctionRef<bool(const Item&, const Message&)> visit) {
  absl::Status status;
  int seen_before = 0;
  std::unique_ptr<Message> scratch;
  const fields::FieldSubset wanted = list_.form.ForQuery(wanted_);
  const bool any_parent = absl::StrContains(list_.parent, fields::kAnyId);
  bool stopped = false;
  list_.snapshot.Scan(list_.kind, from, [&](const Item& item) {
    if (!absl::StartsWith(item.name(), prefix_)) return false;
    status = until == Until::kEnd ? budget_.Look() : budget_.LookForPage();
    if (!status.ok()) return false;
    if ((item.deleted() && !list_.show_deleted) ||
        (any_parent &&
         !fields::ParentMatches(fields::ParentOf(item.name()), list_.parent)) ||
        !list_.form.Sees(item, &scratch)) {
      return true;
    }
    // Only what exists for the caller counts, and is named in a token; so the
    // scan stops at such a one, behind at least one other.
    stopped = until == Until::kPageSpent && seen_before > 0 &&
              (seen_before == kMaxExamined || budget_.page_spent());
    if (stopped) return false;
    ++seen_before;
    stopped_at_ = item.name();
    const Message& seen = list_.form.ForQuery(item, wanted, &scratch);
    return !filter_->Matches(seen) || visit(item, seen);
  });
  if (!stopped) stopped_at_.clear();
  return status;
}

absl::Status Lister::InNameOrder(Page* page, ListedPage* listed) {
  std::string from = prefix_;
  if (!after_.name.empty()) {
    from = after_.name;
    from.push_back('\0');  // the least text after the name
  }
  std::string last;
  bool more = false;
  absl::Status status =
      Scan(from, Until::kPageSpent, [&](const Item& item, const Message&) {
        more = !page->Add(item);
        if (!more) last = item.name();
        return !more;
      });
  if (!status.ok()) return status;
  if (!more) last = stopped_at_;
  if (!last.empty()) listed->next_page_token = Token(last, "");
  return list_.total_size ? Count(listed) : absl::OkStatus();
}

absl::Status Lister::InOtherOrder(Page* page, ListedPage* listed) {
  // The least of those after the position, one more than the page can hold: a
  // heap with the greatest on top.
  std::vector<Candidate> least;
  Candidate candidate;
  int64_t count = 0;
  absl::Status status =
      Scan(prefix_, Until::kEnd, [&](const Item& item, const Message& seen) {
        ++count;
        order_->Key(seen, &candidate.key);
        candidate.item = &item;
        if (!after_.name.empty()) {
          const int order = candidate.key.compare(after_.key);
          if (order < 0 || (order == 0 && item.name() <= after_.name)) {
            return true;
          }
        }
        if (least.size() <= size_) {
          least.push_back(candidate);
          std::push_heap(least.begin(), least.end(), Before);
        } else if (Before(candidate, least.front())) {
          std::pop_heap(least.begin(), least.end(), Before);
          least.back() = candidate;
          std::push_heap(least.begin(), least.end(), Before);
        }
        return true;
      });
  if (!status.ok()) return status;
  if (list_.total_size) listed->total_size = count;
  std::sort_heap(least.begin(), least.end(), Before);
  const Candidate* last = nullptr;
  for (const Candidate& next : least) {
    if (!page->Add(*next.item)) {
      listed->next_page_token = Token(last->item->name(), last->key);
      break;
    }
    last = &next;
  }
  return absl::OkStatus();
}

absl::StatusOr<ListedPage> Lister::Run(
    absl::FunctionRef<void(const Item&, const std::string&)> emit) {
  absl::Status status = ReadFilter();
  if (status.ok()) status = ReadPlace();
  if (!status.ok()) return status;
  Page page(list_, size_, emit);
  ListedPage listed;
  status = order_->by_name() ? InNameOrder(&page, &listed)
                             : InOtherOrder(&page, &listed);
  if (!status.ok()) return status;
  return listed;
}

bool Lister::TakesAllLive() const {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(list_.parent, '/', absl::SkipEmpty());
  for (size_t i = 1; i < parts.size(); i += 2) {
    if (parts[i] != fields::kAnyId) return false;
  }
  return list_.filter.empty() && list_.form.SeesAllLive();
}

absl::Status Lister::Count(ListedPage* listed) {
  if (TakesAllLive() && !list_.show_deleted) {
    listed->total_size =
        static_cast<int64_t>(list_.snapshot.Count(list_.kind) -
                             list_.snapshot.CountDeleted(list_.kind));
    return absl::OkStatus();
  }
  int64_t count = 0;
  absl::Status status =
      Scan(prefix_, Until::kEnd, [&count](const Item&, const Message&) {
        ++count;
        return true;
      });
  listed->total_size = count;
  return status;
}

}  // namespace

absl::StatusOr<ListedPage> ListPage(
    const List& list, query::QueryBudget* budget,
    absl::FunctionRef<void(const Item&, const std::string& bytes)> emit) {
  return Lister(list, budget).Run(emit);
}

}  // namespace transparency::resource
