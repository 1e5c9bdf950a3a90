#include "common/rpc/headers.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace transparency::rpc {
namespace {

constexpr size_t kMaxPath = 256;

bool IsName(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
           c == '.';
  });
}

}  // namespace

HeaderUse UseOfHeader(absl::string_view key) {
  static const auto* const kUses =
      new absl::flat_hash_map<absl::string_view, HeaderUse>{
          {"authorization", HeaderUse::kClient},
          {"traceparent", HeaderUse::kClient},
          {"tracestate", HeaderUse::kClient},
          {"x-goog-fieldmask", HeaderUse::kClient},
          {"x-min-revision", HeaderUse::kClient},
          {"x-request-id", HeaderUse::kClient},
          {kClientAddressHeader, HeaderUse::kGateway},
          {kGatewayTokenHeader, HeaderUse::kGateway},
          {kSeenRevisionHeader, HeaderUse::kGateway},
      };
  const auto found = kUses->find(key);
  return found == kUses->end() ? HeaderUse::kNone : found->second;
}

bool IsBinaryHeader(absl::string_view key) {
  return key.size() > 4 && absl::EndsWith(key, "-bin");
}

bool IsHeaderKey(absl::string_view key) {
  return !key.empty() && key[0] != ':' && !absl::StartsWith(key, "grpc-") &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '-' || c == '_' || c == '.';
         });
}

bool IsHeaderValue(absl::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
}

bool IsMethodPath(absl::string_view path) {
  if (path.size() > kMaxPath || path.empty() || path[0] != '/') return false;
  path.remove_prefix(1);
  const size_t slash = path.find('/');
  return slash != absl::string_view::npos && IsName(path.substr(0, slash)) &&
         IsName(path.substr(slash + 1));
}

}  // namespace transparency::rpc
