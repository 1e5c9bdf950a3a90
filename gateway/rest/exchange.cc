#include "gateway/rest/exchange.h"

namespace transparency::gateway::rest {

absl::optional<absl::string_view> Request::Header(
    absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return absl::string_view(value);
  }
  return absl::nullopt;
}

int Request::CountHeader(absl::string_view name) const {
  int count = 0;
  for (const auto& [key, value] : headers) count += key == name ? 1 : 0;
  return count;
}

}  // namespace transparency::gateway::rest
