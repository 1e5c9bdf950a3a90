#include "gateway/aggregate/merged_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/query/page_token.h"

namespace transparency::gateway {

MergedQuery::MergedQuery(const rpc::Call& call, std::vector<std::string> parts)
    : parts_(std::move(parts)) {
  parts_.push_back(call.method());
  // Who calls is known by its token alone; the digest of the page token hides
  // it.
  parts_.push_back(call.Header("authorization").value_or(""));
}

std::string MergedQuery::Token(const MergedPosition& position) const {
  return query::MakePageToken(
      parts_,
      {position.place, absl::StrCat(position.until, " ",
                                    absl::StrJoin(position.left_out, ","))});
}

absl::StatusOr<MergedPosition> MergedQuery::Read(
    absl::string_view token) const {
  MergedPosition position;
  if (token.empty()) return position;
  auto read = query::ReadPageToken(parts_, token);
  if (!read.ok()) return read.status();
  const std::pair<std::string, std::string> settled =
      absl::StrSplit(read->key, absl::MaxSplits(' ', 1));
  position.place = read->name;
  position.until = settled.first;
  position.left_out = absl::StrSplit(settled.second, ',', absl::SkipEmpty());
  return position;
}

AskedOwners WhomToAsk(const OwnersWith& known, const Owners& owners,
                      const ByOwner<std::vector<std::string>>& routed,
                      const std::set<std::string>& left_out) {
  AskedOwners whom;
  for (const auto& [name, service] : known.services()) {
    if (owners.ByName(name) == nullptr) {
      whom.not_configured.push_back(name);
    } else if (left_out.count(name) != 0) {
      whom.unreachable.insert(name);
    } else if (routed.empty() || routed.count(name) != 0) {
      whom.asked.push_back(name);
    }
  }
  return whom;
}

absl::Status SettleUnreachable(const Gathering& gathering,
                               bool return_partial_success,
                               AskedOwners* owners) {
  if (!gathering.refusal().ok()) return gathering.refusal();
  const auto& failed = gathering.failures();
  if (!failed.empty() &&
      (!return_partial_success || failed.size() == owners->asked.size())) {
    return gathering.Failure();
  }
  for (const auto& [owner, status] : failed) owners->unreachable.insert(owner);
  return absl::OkStatus();
}

}  // namespace transparency::gateway
