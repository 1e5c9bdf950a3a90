#include "common/methods/fresh_reads.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/refusals.h"
#include "common/status/status.h"

namespace transparency::methods {
namespace {

// Longest wait for a revision, whatever the call's deadline.
constexpr absl::Duration kLongestWait = absl::Seconds(5);
// Longest wait for a revision that the gateway has seen, a hint.
constexpr absl::Duration kLongestHintWait = absl::Seconds(1);
// Hexadecimal digits of a digest in a revision token.
constexpr size_t kDigestDigits = 8;

struct Wanted {
  int64_t revision = -1;  // -1: this service is not named
  std::string digest_prefix;
};

absl::Status Unreadable(absl::string_view header) {
  return status::InvalidField(
      "x-min-revision",
      absl::StrCat("\"", header.substr(0, 100),
                   "\" is not <service>=<revision>.<8 hex digits>, as "
                   "x-revision of an answer"));
}

// Reads `12.9f86d081` into what is wanted; false when it is no such token.
bool ReadToken(absl::string_view text, Wanted* wanted) {
  std::vector<absl::string_view> token = absl::StrSplit(text, '.');
  int64_t revision = -1;
  if (token.size() != 2 || !absl::SimpleAtoi(token[0], &revision) ||
      revision < 0 || token[1].size() != kDigestDigits ||
      !std::all_of(token[1].begin(), token[1].end(), [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return false;
  }
  if (revision > wanted->revision) {
    *wanted = {revision, absl::AsciiStrToLower(token[1])};
  }
  return true;
}

// Reads `certification=12.9f86d081,standards=7.01ba4719`.
absl::StatusOr<Wanted> ReadHeader(absl::string_view header,
                                  absl::string_view service) {
  Wanted wanted;
  for (absl::string_view part : absl::StrSplit(header, ',')) {
    std::pair<absl::string_view, absl::string_view> named = absl::StrSplit(
        absl::StripAsciiWhitespace(part), absl::MaxSplits('=', 1));
    Wanted other;
    if (!ReadToken(named.second, named.first == service ? &wanted : &other)) {
      return Unreadable(header);
    }
  }
  return wanted;
}

void Await(const Wanted& wanted, absl::Duration longest, journal::Store* store,
           rpc::SharedPlace* waits, rpc::Call* call,
           std::function<void(absl::Status)> done) {
  if (waits->Take(call->share_key()) != rpc::SharedPlace::Taken::kYes) {
    return done(status::Overloaded(
        absl::StrCat("one caller may have ", waits->per_caller(),
                     " calls that wait for a revision"),
        absl::Milliseconds(200)));
  }
  auto seat = std::make_shared<rpc::Seats>(waits, call->share_key(), 1);
  const int64_t wait =
      store->Await(wanted.revision, wanted.digest_prefix,
                   std::min(call->deadline(), absl::Now() + longest),
                   [seat = std::move(seat),
                    done = std::move(done)](const absl::Status& status) {
                     seat->Release();
                     done(status);
                   });
  if (wait == 0) return;
  call->OnAbandoned([store, wait] { store->GiveUp(wait); });
}

// A hint holds a call back for a while, and never refuses it.
bool AwaitSeen(const std::shared_ptr<rpc::Call>& call, journal::Store* store,
               rpc::SharedPlace* waits,
               std::function<void(absl::Status)> resume) {
  absl::optional<std::string> header = call->Header("x-seen-revision");
  Wanted seen;
  if (!header.has_value() || !ReadToken(*header, &seen) ||
      seen.revision <= store->Base()->revision()) {
    return true;
  }
  Await(seen, kLongestHintWait, store, waits, call.get(),
        [resume = std::move(resume)](const absl::Status&) {
          resume(absl::OkStatus());
        });
  return false;
}

}  // namespace

std::string ServiceName(const google::protobuf::ServiceDescriptor& service) {
  std::vector<std::string> parts =
      absl::StrSplit(service.file()->package(), '.');
  return parts.size() < 2 ? parts.front() : parts[1];
}

void TellRevision(absl::string_view service, absl::string_view token,
                  rpc::Call* call) {
  call->AddHeader("x-revision", absl::StrCat(service, "=", token));
}

void TellFreshness(absl::string_view service, journal::Store& store,
                   const resource::Snapshot& snapshot, rpc::Call* call) {
  // Between two polls of the journal all answers say the same: each thread
  // writes it down once.
  struct Said {
    std::string service, digest, revision;
    absl::Time instant = absl::InfinitePast();
    std::string current_at;
  };
  thread_local Said said;
  if (said.digest != snapshot.digest() || said.service != service ||
      said.revision.empty()) {
    said.service = std::string(service);
    said.digest = snapshot.digest();
    said.revision = absl::StrCat(service, "=", store.RevisionToken(snapshot));
  }
  const absl::Time instant = store.current_at();
  if (said.instant != instant) {
    said.instant = instant;
    said.current_at =
        absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", instant, absl::UTCTimeZone());
  }
  call->AddHeader("x-revision", said.revision);
  call->AddHeader("x-current-at", said.current_at);
}

bool AwaitMinRevision(absl::string_view service, journal::Store* store,
                      rpc::SharedPlace* waits,
                      const std::shared_ptr<rpc::Call>& call,
                      std::function<void(absl::Status)> resume) {
  absl::optional<std::string> header = call->Header("x-min-revision");
  if (!header.has_value() || header->empty()) {
    return AwaitSeen(call, store, waits, std::move(resume));
  }
  absl::StatusOr<Wanted> wanted = ReadHeader(*header, service);
  if (!wanted.ok()) {
    resume(wanted.status());
    return false;
  }
  if (wanted->revision < 0)
    return AwaitSeen(call, store, waits, std::move(resume));
  Await(*wanted, kLongestWait, store, waits, call.get(),
        [resume = std::move(resume)](const absl::Status& status) {
          // Given up: the call knows why the call is abandoned.
          resume(absl::IsCancelled(status) ? absl::OkStatus() : status);
        });
  return false;
}

}  // namespace transparency::methods
