#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace transparency {

inline constexpr char kStaffRole[] = "staff";
// Of a gateway in front of this process: it is believed which client a call
// comes from. It opens no method.
inline constexpr char kGatewayRole[] = "gateway";

// Who asks. An empty subject is the public.
struct Caller {
  std::string subject;
  std::vector<std::string> roles;

  bool anonymous() const { return subject.empty(); }
  bool HasRole(absl::string_view role) const {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  }
};

}  // namespace transparency
