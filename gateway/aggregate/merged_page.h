#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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

}  // namespace transparency::gateway
