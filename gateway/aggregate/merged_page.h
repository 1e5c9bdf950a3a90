#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/query/page_token.h"
#include "common/resource/list_page.h"
#include "common/rpc/call.h"
#include "gateway/aggregate/gathering.h"
#include "gateway/aggregate/owners_with.h"
#include "gateway/invoker/invoker.h"
#include "gateway/invoker/owners.h"
#include "google/protobuf/repeated_field.h"

// One page out of the pages of several owners, which are all in one order, for
// Search and ListTimeline.
namespace transparency::gateway {

// What one owner answered.
template <class Entry>
struct OwnersPage {
  std::vector<Entry> entries;
  bool more = false;  // it has others behind them
};

// The first `size` of all entries in the order of `before`, no two of which are
// equal. Sets `more` when others follow. The page is shorter where an owner has
// given all of its page but not all that it has: what it has next may come
// before what others gave.
template <class Entry, class Before>
std::vector<Entry> Merge(ByOwner<OwnersPage<Entry>> pages, size_t size,
                         Before before, bool* more) {
  std::vector<Entry> merged;
  ByOwner<size_t> taken;
  while (true) {
    const std::string* next = nullptr;
    *more = false;
    bool unknown = false;  // what comes next
    for (auto& [owner, page] : pages) {
      const bool empty = taken[owner] == page.entries.size();
      *more = *more || !empty || page.more;
      unknown = unknown || (empty && page.more);
      if (!empty &&
          (next == nullptr || before(page.entries[taken[owner]],
                                     pages[*next].entries[taken[*next]]))) {
        next = &owner;
      }
    }
    if (next == nullptr || unknown || merged.size() == size) return merged;
    merged.push_back(std::move(pages[*next].entries[taken[*next]++]));
  }
}

// Where a page of a merged list begins.
struct MergedPosition {
  std::set<std::string> left_out;  // owners that the pages before went without
  std::string place;               // of the last entry before; empty: none
  std::string until;               // what the first page has settled
};

// What all pages of one merged list have in common: the method, whoever calls
// it, and these parts of its request.
class MergedQuery {
 public:
  MergedQuery(const rpc::Call& call, std::vector<std::string> parts);

  std::string Token(const MergedPosition& position) const;
  // The beginning for an empty token; INVALID_ARGUMENT, PAGE_TOKEN_INVALID, for
  // one of another query.
  absl::StatusOr<MergedPosition> Read(absl::string_view token) const;

 private:
  std::vector<std::string> parts_;
};

// Which owners are asked for a page, and which cannot be.
struct AskedOwners {
  std::vector<std::string> asked;
  std::set<std::string> unreachable;  // left out by the pages before
  std::vector<std::string> not_configured;
};

// `routed` says which owners have the types asked for; empty: all.
AskedOwners WhomToAsk(const OwnersWith& known, const Owners& owners,
                      const ByOwner<std::vector<std::string>>& routed,
                      const std::set<std::string>& left_out);

// Adds to `owners` those that did not answer. An error when that is more than
// the caller allows: a refusal, or OWNER_UNREACHABLE.
absl::Status SettleUnreachable(const Gathering& gathering,
                               bool return_partial_success,
                               AskedOwners* owners);

// `//standards.transparency`, in order.
template <class Names>
void TellOwners(const Names& names,
                google::protobuf::RepeatedPtrField<std::string>* told) {
  for (const std::string& name : names) {
    *told->Add() = "//" + name + ".transparency";
  }
}

// One page in the making.
template <class Entry>
struct MergedPage {
  size_t size = 0;
  bool partial = false;  // return_partial_success
  MergedQuery query;
  MergedPosition position;
  ByOwner<std::vector<std::string>> routed;  // the types each is asked for
  AskedOwners owners;
  ByOwner<OwnersPage<Entry>> found;
};

// What the request says of the page: page_size, page_token, types and
// return_partial_success; `parts` are what else its pages have in common.
// INVALID_ARGUMENT when one of them is wrong.
template <class Entry, class Request>
absl::StatusOr<std::shared_ptr<MergedPage<Entry>>> BeginPage(
    const OwnersWith& known, const Owners& owners, const rpc::Call& call,
    const Request& request, std::vector<std::string> parts) {
  auto size = query::PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto routed = known.Route(request.types());
  if (!routed.ok()) return routed.status();
  const bool partial = request.return_partial_success();
  parts.push_back(absl::StrJoin(request.types(), ","));
  parts.push_back(partial ? "partial" : "");
  MergedQuery query(call, std::move(parts));
  auto position = query.Read(request.page_token());
  if (!position.ok()) return position.status();
  AskedOwners asked = WhomToAsk(known, owners, *routed, position->left_out);
  return std::make_shared<MergedPage<Entry>>(
      MergedPage<Entry>{static_cast<size_t>(*size),
                        partial,
                        std::move(query),
                        *std::move(position),
                        *std::move(routed),
                        std::move(asked),
                        {}});
}

// Answers with what was found, serialized. `entries` are the response's, and
// `place_text` is the place of one as text.
template <class Response, class Entry, class Before, class PlaceText>
absl::StatusOr<std::string> FinishPage(
    const Gathering& gathering, MergedPage<Entry>* page, Before before,
    PlaceText place_text,
    google::protobuf::RepeatedPtrField<Entry>* (Response::*entries)()) {
  absl::Status settled =
      SettleUnreachable(gathering, page->partial, &page->owners);
  if (!settled.ok()) return settled;
  Response response;
  auto* told = (response.*entries)();
  bool more = false;
  size_t bytes = 0;
  for (Entry& entry :
       Merge(std::move(page->found), page->size, before, &more)) {
    bytes += entry.ByteSizeLong();
    if (!told->empty() && bytes > resource::kMaxPageBytes) {
      more = true;
      break;
    }
    page->position.place = place_text(entry);
    *told->Add() = std::move(entry);
  }
  page->position.left_out = page->owners.unreachable;
  if (more) response.set_next_page_token(page->query.Token(page->position));
  TellOwners(page->owners.unreachable, response.mutable_unreachable());
  TellOwners(page->owners.not_configured, response.mutable_not_configured());
  gathering.TellRevisions();
  return response.SerializeAsString();
}

}  // namespace transparency::gateway
