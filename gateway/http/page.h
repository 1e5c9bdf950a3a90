#pragma once

#include <memory>
#include <string>

#include "gateway/rest/exchange.h"

namespace transparency::gateway::http {

// A document that stays the same while the process runs. Compressed and
// digested once, when it is made; then immutable and thread-safe.
class Page {
 public:
  Page(std::string content_type, std::string body);

  // Answers GET and HEAD; 304 to an If-None-Match that lists it.
  rest::Response Answer(const rest::Request& request) const;

 private:
  const std::string content_type_;
  const std::shared_ptr<const std::string> body_;
  std::shared_ptr<const std::string> compressed_;  // null when no shorter
  const std::string etag_;
};

}  // namespace transparency::gateway::http
