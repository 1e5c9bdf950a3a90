#include "gateway/http/page.h"

#include <utility>

#include "gateway/http/compression.h"
#include "gateway/http/etag.h"

namespace transparency::gateway::http {

Page::Page(std::string content_type, std::string body)
    : content_type_(std::move(content_type)),
      body_(std::move(body)),
      etag_(HttpEtag("", body_)) {
  if (!Gzip().Compress(body_, &compressed_)) compressed_.clear();
}

Response Page::Answer(const Request& request) const {
  Response response;
  response.content_type = content_type_;
  response.headers.emplace_back("Cache-Control", "no-cache");
  // Scripts and data come from this port alone; pages style their elements.
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'self'; img-src 'self' data:; style-src 'self' "
      "'unsafe-inline'");
  const auto none_match = request.Header("if-none-match");
  if (none_match && NoneMatchLists(*none_match, etag_)) {
    response.http_status = 304;
    response.has_body = false;
    response.headers.emplace_back("ETag", KeptEtag(*none_match, etag_));
    return response;
  }
  response.compressed =
      !compressed_.empty() &&
      AcceptsGzip(request.Header("accept-encoding").value_or(""));
  response.headers.emplace_back("ETag", etag_);
  response.body = response.compressed ? compressed_ : body_;
  return response;
}

}  // namespace transparency::gateway::http
