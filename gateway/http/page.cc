#include "gateway/http/page.h"

#include <utility>

#include "gateway/http/compression.h"
#include "gateway/rest/etag.h"

namespace transparency::gateway::http {
namespace {

// What a page may do in a browser, and what others may do with it.
constexpr std::pair<const char*, const char*> kPageHeaders[] = {
    // Scripts and data come from this port alone; pages style their elements.
    // The last three do not fall back on default-src.
    {"Content-Security-Policy",
     "default-src 'self'; img-src 'self' data:; style-src 'self' "
     "'unsafe-inline'; object-src 'none'; form-action 'none'; base-uri 'none'; "
     "frame-ancestors 'none'"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy",
     "camera=(), geolocation=(), microphone=(), payment=(), usb=()"}};

}  // namespace

Page::Page(std::string content_type, std::string body)
    : content_type_(std::move(content_type)),
      body_(std::make_shared<const std::string>(std::move(body))),
      etag_(rest::HttpEtag("", *body_)) {
  std::string compressed;
  if (Gzip().Compress(*body_, &compressed)) {
    compressed_ = std::make_shared<const std::string>(std::move(compressed));
  }
}

rest::Response Page::Answer(const rest::Request& request) const {
  rest::Response response;
  response.content_type = content_type_;
  response.headers.emplace_back("Cache-Control", "no-cache");
  for (const auto& [name, value] : kPageHeaders) {
    response.headers.emplace_back(name, value);
  }
  const auto none_match = request.Header("if-none-match");
  if (none_match && rest::NoneMatchLists(*none_match, etag_)) {
    response.http_status = 304;
    response.has_body = false;
    response.headers.emplace_back("ETag", rest::KeptEtag(*none_match, etag_));
    return response;
  }
  response.compressed =
      compressed_ != nullptr &&
      AcceptsGzip(request.Header("accept-encoding").value_or(""));
  response.headers.emplace_back("ETag", etag_);
  response.page = response.compressed ? compressed_ : body_;
  return response;
}

}  // namespace transparency::gateway::http
