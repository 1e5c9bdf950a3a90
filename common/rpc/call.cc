#include "common/rpc/call.h"

#include <algorithm>
#include <limits>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/client_address.h"
#include "common/rpc/headers.h"
#include "common/status/refusals.h"

namespace transparency::rpc {
namespace {

constexpr size_t kMaxRequestIdLength = 128;

std::string RandomHex(int words) {
  // Ids tell calls apart; nothing is guarded by them.
  thread_local absl::InsecureBitGen random;
  std::string hex;
  for (int i = 0; i < words; ++i) {
    absl::StrAppend(&hex, absl::Hex(absl::Uniform<uint64_t>(
                                        absl::IntervalClosedClosed, random, 1,
                                        std::numeric_limits<uint64_t>::max()),
                                    absl::kZeroPad16));
  }
  return hex;
}

bool IsUsableRequestId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdLength &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c));
         });
}

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
           (c >= 'a' && c <= 'f');
  });
}

void AddField(absl::string_view key, absl::string_view value,
              Metadata* fields) {
  if (!IsHeaderKey(key)) return;
  std::string text(value);
  if (!IsBinaryHeader(key)) {
    std::replace_if(
        text.begin(), text.end(),
        [](char c) {
          return !absl::ascii_isprint(static_cast<unsigned char>(c));
        },
        '?');
  }
  fields->emplace_back(key, std::move(text));
}

const std::string* FindHeader(const Metadata& headers, absl::string_view key) {
  for (const auto& [name, value] : headers) {
    if (name == key) return &value;
  }
  return nullptr;
}

}  // namespace

std::string ContinueTrace(absl::string_view parent) {
  constexpr size_t kLength = 55;
  const bool valid =
      parent.size() >= kLength && parent[2] == '-' && parent[35] == '-' &&
      parent[52] == '-' && IsLowerHex(parent.substr(0, 2)) &&
      IsLowerHex(parent.substr(3, 32)) && IsLowerHex(parent.substr(36, 16)) &&
      IsLowerHex(parent.substr(53, 2)) && parent.substr(0, 2) != "ff" &&
      (parent.size() == kLength ||
       (parent.substr(0, 2) != "00" && parent[kLength] == '-')) &&
      parent.substr(3, 32).find_first_not_of('0') != absl::string_view::npos &&
      parent.substr(36, 16).find_first_not_of('0') != absl::string_view::npos;
  if (!valid)
    return absl::StrCat("00-", RandomHex(2), "-", RandomHex(1), "-00");
  return absl::StrCat("00-", parent.substr(3, 32), "-", RandomHex(1), "-",
                      parent.substr(53, 2));
}

std::string ShareKeyOf(const Arrival& arrival) {
  if (arrival.caller == nullptr || arrival.caller->anonymous()) {
    return ShareOfAddress(arrival.address);
  }
  return absl::StrCat("subject ", arrival.caller->subject);
}

Call::Call(Arrival arrival)
    : seat_(std::move(arrival.seat)),
      arrival_([&arrival] {
        if (arrival.caller == nullptr) {
          static const auto* const kPublic = new std::shared_ptr<const Caller>(
              std::make_shared<const Caller>());
          arrival.caller = *kPublic;
        }
        return std::move(arrival);
      }()),
      started_(absl::Now()),
      share_key_(ShareKeyOf(arrival_)) {
  const std::string* id = FindHeader(arrival_.headers, "x-request-id");
  request_id_ = id != nullptr && IsUsableRequestId(*id) ? *id : RandomHex(2);
}

bool Call::abandoned() const {
  return gone_.load(std::memory_order_acquire) ||
         absl::Now() >= arrival_.deadline;
}

absl::optional<std::string> Call::Header(absl::string_view key) const {
  const std::string* value = FindHeader(arrival_.headers, key);
  if (value == nullptr) return absl::nullopt;
  return *value;
}

void Call::AddHeader(absl::string_view key, absl::string_view value) {
  absl::MutexLock lock(&mutex_);
  AddField(key, value, &answer_headers_);
}

void Call::AddTrailer(absl::string_view key, absl::string_view value) {
  absl::MutexLock lock(&mutex_);
  AddField(key, value, &answer_trailers_);
}

const std::string& Call::traceparent() const {
  absl::MutexLock lock(&mutex_);
  if (traceparent_.empty()) {
    const std::string* parent = FindHeader(arrival_.headers, "traceparent");
    traceparent_ = ContinueTrace(parent == nullptr ? "" : *parent);
  }
  // Never changed once set, hence safe to read without the lock.
  return traceparent_;
}

void Call::OnAbandoned(std::function<void()> reaction) {
  {
    absl::MutexLock lock(&mutex_);
    if (answered_) return;
    if (!gone_.load(std::memory_order_relaxed)) {
      reactions_.push_back(std::move(reaction));
      return;
    }
  }
  reaction();
}

void Call::Abandon() {
  std::vector<std::function<void()>> reactions;
  {
    absl::MutexLock lock(&mutex_);
    if (answered_ || gone_.load(std::memory_order_relaxed)) return;
    gone_.store(true, std::memory_order_release);
    reactions.swap(reactions_);
  }
  for (const auto& reaction : reactions) reaction();
}

void Call::Answered() {
  std::vector<std::function<void()>> reactions;
  absl::MutexLock lock(&mutex_);
  answered_ = true;
  reactions.swap(reactions_);
}

size_t Call::CountHeaders() const {
  absl::MutexLock lock(&mutex_);
  return answer_headers_.size();
}

void Call::DropHeaders(size_t keep) {
  absl::MutexLock lock(&mutex_);
  answer_headers_.resize(std::min(keep, answer_headers_.size()));
}

Metadata Call::TakeHeaders() {
  absl::MutexLock lock(&mutex_);
  return std::move(answer_headers_);
}

Metadata Call::TakeTrailers() {
  absl::MutexLock lock(&mutex_);
  return std::move(answer_trailers_);
}

absl::Status AbandonedStatus(const Call& call) {
  return absl::Now() >= call.deadline() ? status::DeadlinePassed()
                                        : status::CallCancelled();
}

}  // namespace transparency::rpc
