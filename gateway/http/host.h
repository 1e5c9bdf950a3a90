#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace transparency::gateway::http {

// The host of an authority as Host headers and targets have it (RFC 9110, 7.2):
// "example.org:7180" is "example.org", "[::1]" is "[::1]"; in lower case. Empty
// when it is none. `authority` has no user information.
std::string HostOf(absl::string_view authority);

// Under which names the port is served. A page in a browser can bring its own
// name to resolve to a loopback address (DNS rebinding) and then read from a
// gateway there what only its user should; but the name that it asks under is
// its own. Immutable and thread-safe.
class HostRule {
 public:
  // `hosts` are names and addresses without port; "*" stands for any. When it
  // is empty, a port that listens on a loopback address serves localhost and
  // loopback addresses, any other port every host.
  HostRule(bool loopback, const std::vector<std::string>& hosts);

  // `host` is HostOf of something.
  bool Serves(absl::string_view host) const;

 private:
  const bool any_;
  const bool only_loopback_;
  absl::flat_hash_set<std::string> hosts_;
};

}  // namespace transparency::gateway::http
