#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace transparency::service {

struct SeedOptions {
  // Whose methods the lines name:
  // "transparency.certification.v1.CertificationService".
  std::string proto_service;
  std::string target;  // host:port of a running service or gateway
  std::string token;   // bearer token; empty: as the public
};

// Sends the facts of `files` to a running service through its API. Each line of
// a file is {"method": "CreateScheme", "request": {...}}, the request in proto3
// JSON; empty lines and lines that begin with # are passed over. A resource
// that is there already is left as it is, and so is one whose state does not
// allow a step (any more). One that was deleted stays deleted, and what would
// rest on it is left out. Prints a line per file; stops at the first refusal
// with its place and the service's own words.
absl::Status Seed(const SeedOptions& options,
                  const std::vector<std::string>& files);

}  // namespace transparency::service
