#include "gateway/aggregate/search.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/query/search_query.h"
#include "gateway/aggregate/merged_page.h"
#include "transparency/gateway/v1/search.pb.h"
#include "transparency/type/v1/search.pb.h"

namespace transparency::gateway {
namespace {

using type::v1::SearchHit;
using type::v1::SearchResourcesRequest;
using type::v1::SearchResourcesResponse;
using v1::SearchRequest;
using v1::SearchResponse;

constexpr char kMethod[] = "SearchResources";

// A hit's place as text: its score in millionths, then its name.
std::string PlaceText(const SearchHit& hit) {
  return absl::StrCat(std::lround(hit.score() * query::SearchScore::kPerfect),
                      " ", hit.name());
}

void SetPlace(const std::string& text, type::v1::SearchPlace* place) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  uint32_t score = 0;
  (void)absl::SimpleAtoi(parts.first, &score);
  place->set_score(score / double{query::SearchScore::kPerfect});
  place->set_name(parts.second);
}

bool Before(const SearchHit& a, const SearchHit& b) {
  return a.score() != b.score() ? a.score() > b.score() : a.name() < b.name();
}

absl::Status Start(const Owners& owners, Invoker* invoker,
                   const OwnersWith& known, std::shared_ptr<rpc::Call> call,
                   const SearchRequest& request, const rpc::UnaryDone& done) {
  auto query = query::SearchQuery::Parse(request.query());
  if (!query.ok()) return query.status();
  auto begun =
      BeginPage<SearchHit>(known, owners, *call, request, {request.query()});
  if (!begun.ok()) return begun.status();
  const auto page = *std::move(begun);

  auto gathering = std::make_shared<Gathering>(
      invoker, std::move(call), [page, done](Gathering& gathered) {
        done(FinishPage(gathered, page.get(), Before, PlaceText,
                        &SearchResponse::mutable_hits));
      });
  for (const std::string& owner : page->owners.asked) {
    SearchResourcesRequest ask;
    ask.set_query(request.query());
    ask.set_page_size(static_cast<int32_t>(page->size));
    for (const std::string& type : page->routed[owner]) ask.add_types(type);
    if (!page->position.place.empty()) {
      SetPlace(page->position.place, ask.mutable_start_after());
    }
    gathering->Ask<SearchResourcesResponse>(
        known.services().at(owner), kMethod, ask,
        [page, owner](const SearchResourcesResponse& answer) {
          page->found[owner] = {{answer.hits().begin(), answer.hits().end()},
                                !answer.next_page_token().empty()};
        });
  }
  gathering->Begin();
  return absl::OkStatus();
}

}  // namespace

void AddSearch(
    const Owners* owners, Invoker* invoker,
    const std::vector<const google::protobuf::ServiceDescriptor*>& known,
    rpc::ServiceRows* rows) {
  rows->UnaryAsync(
      "Search", [owners, invoker, asked = OwnersWith(kMethod, known)](
                    std::shared_ptr<rpc::Call> call,
                    std::unique_ptr<google::protobuf::Message> request,
                    const rpc::UnaryDone& done) {
        absl::Status started =
            Start(*owners, invoker, asked, std::move(call),
                  static_cast<const SearchRequest&>(*request), done);
        if (!started.ok()) done(started);
      });
}

}  // namespace transparency::gateway
