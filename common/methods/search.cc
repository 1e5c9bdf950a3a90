#include "common/methods/search.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/fields/names.h"
#include "common/methods/across_kinds.h"
#include "common/methods/first_of.h"
#include "common/methods/query_limits.h"
#include "common/query/page_token.h"
#include "common/query/search_query.h"
#include "common/resource/form.h"
#include "common/resource/list_page.h"
#include "common/status/status.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::methods {
namespace {

using fields::PickedValue;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using query::SearchQuery;
using query::SearchScore;
using resource::Item;
using resource::Kind;
using type::v1::SearchHit;
using type::v1::SearchResourcesRequest;
using type::v1::SearchResourcesResponse;

constexpr size_t kSnippet = 200;

// How a field is picked, and what a match in it weighs: the best one in content
// less than the worst one in a title.
enum Mark { kTitle = 1, kName = 2, kContent = 3 };
constexpr double kWeights[] = {0, 1.0, 0.8, 0.4};

int MarkOf(const FieldDescriptor& field) {
  const auto& options = field.options();
  if (options.GetExtension(type::v1::title)) return kTitle;
  switch (options.GetExtension(type::v1::searched)) {
    case type::v1::NAME:
      return kName;
    case type::v1::CONTENT:
      return kContent;
    default:
      return 0;
  }
}

const std::string& TextOf(const PickedValue& value, std::string* scratch) {
  const auto* reflection = value.holder.GetReflection();
  const FieldDescriptor* field = value.place.field;
  return value.place.index < 0
             ? reflection->GetStringReference(value.holder, field, scratch)
             : reflection->GetRepeatedStringReference(
                   value.holder, field, value.place.index, scratch);
}

// Where a hit stands: the greater score first, then by full name.
struct Place {
  uint32_t score = 0;
  std::string name;
};

bool Before(uint32_t score, absl::string_view name, const Place& place) {
  return score != place.score ? score > place.score : name < place.name;
}

struct Found {
  Place place;
  const Item* item;
  size_t kind;
};

struct Better {
  bool operator()(const Found& a, const Found& b) const {
    return Before(a.place.score, a.place.name, b.place);
  }
};

// Feeds `score` with every text of a resource. `best` is told of each that
// matches better than those before it.
template <class Best>
void Match(const Kind& kind, const fields::PickedFields& texts,
           const Item& item, const Message& form, SearchScore* score,
           Best best) {
  score->Clear();
  std::string scratch;
  texts.Visit(form, [&](const PickedValue& value) {
    const std::string& text = TextOf(value, &scratch);
    if (score->Add(text, kWeights[value.mark])) {
      best([&value] { return value.Path(); }, text);
    }
  });
  // A random id means nothing to anybody.
  if (kind.rules.random_ids) return;
  const absl::string_view id = fields::IdOf(item.name());
  if (score->Add(id, kWeights[kName])) {
    best([&kind] { return kind.name_field->name(); }, id);
  }
}

absl::StatusOr<Place> PlaceOf(const type::v1::SearchPlace& start_after) {
  const double score = start_after.score();
  if (!(score > 0 && score <= 1)) {
    return status::InvalidField("start_after.score",
                                "is not the score of a hit: expected more than "
                                "0 and at most 1");
  }
  return Place{
      static_cast<uint32_t>(std::lround(score * SearchScore::kPerfect)),
      start_after.name()};
}

// Where the page begins: nothing stands before an empty name.
absl::StatusOr<Place> Beginning(const SearchResourcesRequest& request,
                                const std::vector<std::string>& query) {
  if (request.has_start_after()) {
    if (!request.page_token().empty()) {
      return status::InvalidField("start_after",
                                  "excludes page_token: expected one of them");
    }
    return PlaceOf(request.start_after());
  }
  if (request.page_token().empty()) return Place{};
  auto position = query::ReadPageToken(query, request.page_token());
  if (!position.ok()) return position.status();
  Place place{0, position->name};
  // The token is one that was made here: it holds a number.
  (void)absl::SimpleAtoi(position->key, &place.score);
  return place;
}

SearchHit HitOf(const Found& found, const Kind& kind,
                const fields::PickedFields& texts, const SearchQuery& query,
                const rpc::Call& call) {
  const resource::Form form(kind, call.caller());
  std::unique_ptr<Message> scratch;
  const Message& seen = form.Of(*found.item, &scratch);
  SearchHit hit;
  hit.set_name(found.place.name);
  hit.set_resource_type(kind.type);
  hit.set_title(kind.TitleOf(seen));
  hit.set_score(found.place.score / double{SearchScore::kPerfect});
  SearchScore score(query);
  std::string best;
  Match(kind, texts, *found.item, seen, &score,
        [&](const auto& path, absl::string_view text) {
          hit.set_field(path());
          best = std::string(text);
        });
  hit.set_snippet(query.Snippet(best, kSnippet));
  return hit;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Searcher>> Searcher::Make(
    const resource::Catalogue& catalogue) {
  std::shared_ptr<Searcher> searcher(new Searcher(catalogue));
  std::string mistake;
  for (const auto& kind : catalogue.kinds()) {
    searcher->texts_.emplace_back(
        *kind->descriptor, [&](const FieldDescriptor& field) {
          const int mark = MarkOf(field);
          if (mark != 0 && field.type() != FieldDescriptor::TYPE_STRING) {
            mistake = field.full_name();
          }
          return mark;
        });
  }
  if (!mistake.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("contract of ", mistake, ": only text is searched"));
  }
  return searcher;
}

absl::StatusOr<SearchResourcesResponse> Searcher::Search(
    const resource::Snapshot& snapshot, const rpc::Call& call,
    const SearchResourcesRequest& request) const {
  auto query = SearchQuery::Parse(request.query());
  if (!query.ok()) return query.status();
  auto size = query::PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto kinds = KindsOf(catalogue_, request.types());
  if (!kinds.ok()) return kinds.status();
  std::vector<std::string> tied = QueryOf(call, catalogue_, *kinds);
  tied.push_back(request.query());
  auto after = Beginning(request, tied);
  if (!after.ok()) return after.status();

  SearchScore score(*query);
  // One more than the page can hold, to know whether there is.
  FirstOf<Found, Better> first(static_cast<size_t>(*size) + 1);
  query::QueryBudget budget = BudgetFor(call);
  budget.set_terms(static_cast<int>(query->words().size()));
  absl::Status status = VisitSeen(
      snapshot, call, *kinds, &budget,
      [&](size_t kind, const Item& item, const Message& form) {
        const Kind& of = *catalogue_.kinds()[kind];
        Match(of, texts_[kind], item, form, &score,
              [](const auto&, absl::string_view) {});
        const uint32_t total = score.Total();
        if (total == 0) return;
        std::string name = absl::StrCat(FullNamePrefix(of), item.name());
        if (!after->name.empty() &&
            (Before(total, name, *after) ||
             (total == after->score && name == after->name))) {
          return;
        }
        first.Add({{total, std::move(name)}, &item, kind});
      });
  if (!status.ok()) return status;

  SearchResourcesResponse page;
  Place last;
  size_t bytes = 0;
  for (const Found& found : first.Take()) {
    SearchHit hit = HitOf(found, *catalogue_.kinds()[found.kind],
                          texts_[found.kind], *query, call);
    bytes += hit.ByteSizeLong();
    if (page.hits_size() == *size ||
        (page.hits_size() > 0 && bytes > resource::kMaxPageBytes)) {
      page.set_next_page_token(
          query::MakePageToken(tied, {last.name, absl::StrCat(last.score)}));
      break;
    }
    last = found.place;
    *page.add_hits() = std::move(hit);
  }
  return page;
}

}  // namespace transparency::methods
