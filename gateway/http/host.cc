#include "gateway/http/host.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace transparency::gateway::http {
namespace {

constexpr size_t kLongestName = 253;
constexpr size_t kMostPortDigits = 5;

bool AllDigits(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// Names as DNS and people have them; what else RFC 3986 would allow in one, no
// host is called.
bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '-' || c == '.' || c == '_';
         });
}

bool IsIpv6(absl::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address_v6(std::string(text), error);
  return !error && text.find('%') == absl::string_view::npos;
}

bool IsLoopback(absl::string_view host) {
  if (host == "localhost") return true;
  if (absl::StartsWith(host, "[")) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  return !error && address.is_loopback();
}

}  // namespace

std::string HostOf(absl::string_view authority) {
  size_t end = 0;
  if (absl::StartsWith(authority, "[")) {
    const size_t close = authority.find(']');
    if (close == absl::string_view::npos ||
        !IsIpv6(authority.substr(1, close - 1))) {
      return "";
    }
    end = close + 1;
  } else {
    end = std::min(authority.find(':'), authority.size());
    if (!IsName(authority.substr(0, end))) return "";
  }
  const absl::string_view port = authority.substr(end);
  if (!port.empty() && (port[0] != ':' || !AllDigits(port.substr(1)) ||
                        port.size() > kMostPortDigits + 1)) {
    return "";
  }
  return absl::AsciiStrToLower(authority.substr(0, end));
}

HostRule::HostRule(bool loopback, const std::vector<std::string>& hosts)
    : any_(hosts.empty()
               ? !loopback
               : std::find(hosts.begin(), hosts.end(), "*") != hosts.end()),
      only_loopback_(hosts.empty() && loopback) {
  for (const std::string& host : hosts) {
    hosts_.insert(absl::AsciiStrToLower(host));
  }
}

bool HostRule::Serves(absl::string_view host) const {
  return any_ || (only_loopback_ ? IsLoopback(host) : hosts_.contains(host));
}

}  // namespace transparency::gateway::http
