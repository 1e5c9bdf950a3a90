#include "gateway/aggregate/search.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/resource/list_page.h"
#include "common/resource/page_token.h"
#include "common/resource/search_query.h"
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
  return absl::StrCat(
      std::lround(hit.score() * resource::SearchScore::kPerfect), " ",
      hit.name());
}

void SetPlace(const std::string& text, type::v1::SearchPlace* place) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  uint32_t score = 0;
  (void)absl::SimpleAtoi(parts.first, &score);
  place->set_score(score / double{resource::SearchScore::kPerfect});
  place->set_name(parts.second);
}

bool Before(const SearchHit& a, const SearchHit& b) {
  return a.score() != b.score() ? a.score() > b.score() : a.name() < b.name();
}

// One page in the making.
struct Page {
  SearchRequest request;
  size_t size = 0;
  MergedQuery query;
  MergedPosition position;
  AskedOwners owners;
  ByOwner<OwnersPage<SearchHit>> found;

  Page(const rpc::Call& call, const SearchRequest& asked)
      : request(asked),
        query(call, {asked.query(), absl::StrJoin(asked.types(), ","),
                     asked.return_partial_success() ? "partial" : ""}) {}

  absl::StatusOr<std::string> Finish(const Gathering& gathering) {
    absl::Status settled =
        SettleUnreachable(gathering, request.return_partial_success(), &owners);
    if (!settled.ok()) return settled;
    SearchResponse response;
    bool more = false;
    size_t bytes = 0;
    for (SearchHit& hit : Merge(std::move(found), size, Before, &more)) {
      bytes += hit.ByteSizeLong();
      if (response.hits_size() > 0 && bytes > resource::kMaxPageBytes) {
        more = true;
        break;
      }
      position.place = PlaceText(hit);
      *response.add_hits() = std::move(hit);
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
                   const SearchRequest& request, const rpc::UnaryDone& done) {
  auto query = resource::SearchQuery::Parse(request.query());
  if (!query.ok()) return query.status();
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

  auto gathering = std::make_shared<Gathering>(
      invoker, std::move(call),
      [page, done](Gathering& gathered) { done(page->Finish(gathered)); });
  for (const std::string& owner : page->owners.asked) {
    SearchResourcesRequest ask;
    ask.set_query(request.query());
    ask.set_page_size(*size);
    for (const std::string& type : (*routed)[owner]) ask.add_types(type);
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
