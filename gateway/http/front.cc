#include "gateway/http/front.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/digest.h"
#include "common/base/ids.h"
#include "common/rpc/headers.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "gateway/http/openapi_options.h"
#include "gateway/json/field_text.h"
#include "gateway/openapi/openapi.h"
#include "gateway/rest/error_answer.h"
#include "gateway/rest/etag.h"
#include "gateway/rest/rest_stream.h"
#include "google/rpc/error_details.pb.h"
#include "transparency/type/v1/annotations.pb.h"

namespace transparency::gateway::http {
namespace {

constexpr size_t kLongestRequestId = 128;

constexpr char kExposedHeaders[] =
    "ETag, X-Revision, X-Current-At, X-Request-Id, Retry-After";
constexpr char kAllowedHeaders[] =
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, "
    "If-None-Match, Last-Event-ID, X-Goog-FieldMask, X-Min-Revision, "
    "X-Request-Id, X-Server-Timeout, traceparent, tracestate";
constexpr char kVary[] =
    "Accept, Accept-Encoding, Authorization, Origin, X-Goog-FieldMask";

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 404:
      return absl::StatusCode::kNotFound;
    case 405:
    case 501:
    case 505:
      return absl::StatusCode::kUnimplemented;
    case 408:
      return absl::StatusCode::kDeadlineExceeded;
    case 503:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInvalidArgument;
  }
}

// What the paths begin with up to their first field: "/certification/v1".
std::string PrefixesOf(const rest::RouteTable& routes) {
  constexpr size_t kMost = 12;
  std::set<std::string> prefixes;
  for (const auto& route : routes.routes()) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(route->pattern, '/');
    if (parts.size() > 2 && parts[2].find('{') == absl::string_view::npos &&
        prefixes.size() < kMost) {
      prefixes.insert(absl::StrCat("/", parts[1], "/", parts[2], "/"));
    }
  }
  return absl::StrJoin(prefixes, ", ");
}

absl::flat_hash_map<std::string, Page> PagesOf(const rest::RouteTable& routes,
                                               const Options& options) {
  absl::flat_hash_map<std::string, Page> pages;
  pages.try_emplace(
      "/openapi.json", "application/json",
      openapi::OpenApiDocument(routes, OpenApiOptionsOf(options)));
  for (const Options::Document& document : options.documents) {
    pages.try_emplace(std::string(document.path),
                      std::string(document.content_type),
                      std::string(document.bytes));
  }
  return pages;
}

// As HTTP/2 counts a list of headers (RFC 9113, 6.5.2).
size_t HeaderBytes(const rpc::Metadata& headers) {
  size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += name.size() + value.size() + 32;
  }
  return bytes;
}

// Answers that are no pages: a browser that shows one runs nothing in it, and
// shows it in no frame.
constexpr char kInert[] = "default-src 'none'; frame-ancestors 'none'";
constexpr char kPolicyHeader[] = "Content-Security-Policy";

// The trace of the request, or a new one, to which a vendor's state of another
// does not belong (W3C Trace Context, 3.3.1).
void SetTrace(absl::string_view parent, rest::Call* call) {
  call->traceparent = rpc::ContinueTrace(parent);
  const auto trace = [](absl::string_view context) {
    return context.substr(0, 35).substr(std::min<size_t>(3, context.size()));
  };
  if (trace(parent) != trace(call->traceparent)) {
    auto& headers = call->headers;
    headers.erase(std::remove_if(headers.begin(), headers.end(),
                                 [](const auto& header) {
                                   return header.first == "tracestate";
                                 }),
                  headers.end());
  }
  call->headers.emplace_back("traceparent", call->traceparent);
}

}  // namespace

std::string RequestIdFor(const rest::Request& request) {
  const auto given = request.Header("x-request-id");
  if (given && !given->empty() && given->size() <= kLongestRequestId &&
      std::all_of(given->begin(), given->end(),
                  [](char c) { return c > 0x20 && c < 0x7F; })) {
    return std::string(*given);
  }
  return ids::Uuid4Of(digest::RandomBytes(16));
}

absl::StatusOr<std::unique_ptr<Front>> Front::Make(
    const Options& options,
    const std::vector<const google::protobuf::ServiceDescriptor*>& services) {
  auto types = std::make_unique<rest::MessageTypes>();
  absl::StatusOr<rest::RouteTable> routes =
      rest::RouteTable::Build(services, types.get());
  if (!routes.ok()) return routes.status();
  return std::unique_ptr<Front>(
      new Front(options, *std::move(routes), std::move(types)));
}

Front::Front(const Options& options, rest::RouteTable routes,
             std::unique_ptr<rest::MessageTypes> types)
    : options_(options),
      types_(std::move(types)),
      routes_(std::move(routes)),
      rest_({.max_json_depth = options.max_json_depth,
             .max_json_values = options.max_json_values,
             .default_timeout = options.default_call_timeout,
             .max_timeout = options.max_call_timeout,
             .max_stream_time = options.max_stream_time},
            routes_, writer_),
      pages_(PagesOf(routes_, options_)),
      prefixes_(PrefixesOf(routes_)) {}

rest::Plan Front::Begin(const rest::Request& request) const {
  const bool is_read = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/healthz" || request.path == "/readyz") {
    return is_read ? Health(request) : NotRead();
  }
  if (request.method == "OPTIONS") return AnswerOptions(request);
  if (const auto page = pages_.find(request.path); page != pages_.end()) {
    return is_read ? page->second.Answer(request) : NotRead();
  }
  rest::RouteMatch match = routes_.Find(
      request.method == "HEAD" ? "GET" : request.method, request.path);
  if (match.outcome != rest::RouteMatch::Outcome::kFound) {
    return NoRoute(request, match);
  }
  // Before the body is looked at, which costs more than to send it.
  absl::Status known = CheckCaller(request, *match.route);
  if (!known.ok()) return rest::ErrorAnswer(known, writer_);
  // Further protocols ask here, each by its own content type or Accept.
  rest::Plan plan = rest_.Decode(request, std::move(match));
  if (auto* call = absl::get_if<std::unique_ptr<rest::Call>>(&plan)) {
    rpc::Metadata& headers = (*call)->headers;
    (*call)->request_id = RequestIdFor(request);
    headers.emplace_back("x-request-id", (*call)->request_id);
    headers.emplace_back(rpc::kClientAddressHeader, request.client_address);
    SetTrace(request.Header("traceparent").value_or(""), call->get());
    if (HeaderBytes(headers) > options_.max_onward_header_bytes) {
      return TooLong(431, "header", options_.max_onward_header_bytes);
    }
  }
  return plan;
}

absl::Status Front::CheckCaller(const rest::Request& request,
                                const rest::Route& route) const {
  const type::v1::Access access =
      route.method->options().GetExtension(type::v1::access);
  if (access != type::v1::IDENTIFIED && access != type::v1::STAFF) {
    return absl::OkStatus();
  }
  const auto header = request.Header("authorization");
  if (!header) return status::TokenUnknown("This method needs a bearer token.");
  const auto token = rpc::BearerToken(*header);
  if (!token.ok()) return token.status();
  if (options_.callers != nullptr &&
      options_.callers->Find(*token) == nullptr) {
    return status::TokenUnknown("The bearer token is not known here.");
  }
  return absl::OkStatus();
}

rest::Response Front::NotRead() const {
  rest::Response response = Refuse(405, "method", "expected GET or HEAD");
  response.headers.emplace_back("Allow", "GET, HEAD");
  response.close = false;
  return response;
}

rest::Response Front::Health(const rest::Request& request) const {
  rest::Response response;
  absl::Status status;
  if (request.path == "/readyz") {
    if (draining_) {
      status = absl::UnavailableError("draining");
    } else if (options_.ready) {
      status = options_.ready();
    }
  }
  response.headers.emplace_back("Cache-Control", "no-store");
  if (status.ok()) {
    response.body = "{\"status\":\"SERVING\"}";
    return response;
  }
  response.http_status = 503;
  response.code = absl::StatusCode::kUnavailable;
  response.body = "{\"status\":\"NOT_SERVING\",\"reason\":";
  json::AppendJsonString(json::Shown(status.message()), &response.body);
  response.body += "}";
  return response;
}

rest::Response Front::AnswerOptions(const rest::Request& request) const {
  const bool is_page = request.path == "*" || pages_.contains(request.path);
  std::vector<std::string> methods = is_page ? std::vector<std::string>{"GET"}
                                             : routes_.MethodsOf(request.path);
  const bool preflight =
      request.Header("origin").has_value() &&
      request.Header("access-control-request-method").has_value();
  if (methods.empty() && !preflight)
    return NoRoute(request, rest::RouteMatch());
  if (std::find(methods.begin(), methods.end(), "GET") != methods.end()) {
    methods.push_back("HEAD");
  }
  methods.push_back("OPTIONS");
  rest::Response response;
  response.http_status = 204;
  response.has_body = false;
  const std::string list = absl::StrJoin(methods, ", ");
  response.headers.emplace_back("Allow", list);
  if (preflight && !AllowedOrigin(request).empty()) {
    response.headers.emplace_back("Access-Control-Allow-Methods", list);
    response.headers.emplace_back("Access-Control-Allow-Headers",
                                  kAllowedHeaders);
    response.headers.emplace_back("Access-Control-Max-Age", "7200");
  }
  return response;
}

rest::Response Front::NoRoute(const rest::Request& request,
                              const rest::RouteMatch& match) const {
  switch (match.outcome) {
    case rest::RouteMatch::Outcome::kBadValue:
      return rest::ErrorAnswer(
          status::InvalidField(match.problem_field,
                               absl::StrCat("expected in the path "
                                            "percent-encoded UTF-8, but ",
                                            match.problem)),
          writer_, match.route->request->GetDescriptor());
    case rest::RouteMatch::Outcome::kOtherMethods: {
      const std::string allowed = absl::StrJoin(match.allowed, ", ");
      rest::Response response = rest::ErrorAnswer(
          status::Refuse(
              absl::StatusCode::kUnimplemented, "METHOD_UNKNOWN",
              absl::StrCat(json::Shown(request.method), " is not served at ",
                           json::Shown(request.path), "; expected ", allowed,
                           "."),
              {{"method", json::Shown(request.method)},
               {"path", json::Shown(request.path)},
               {"allowed", allowed}}),
          writer_, nullptr, 405);
      response.headers.emplace_back("Allow", allowed);
      return response;
    }
    default:
      return rest::ErrorAnswer(
          status::Refuse(
              absl::StatusCode::kNotFound, "METHOD_UNKNOWN",
              absl::StrCat(
                  "Nothing is served at ", json::Shown(request.path),
                  prefixes_.empty()
                      ? std::string(".")
                      : absl::StrCat("; paths begin with ", prefixes_, ".")),
              {{"path", json::Shown(request.path)}}),
          writer_);
  }
}

std::string Front::AllowedOrigin(const rest::Request& request) const {
  const auto origin = request.Header("origin");
  if (!origin) return "";
  for (const std::string& allowed : options_.cors_origins) {
    if (allowed == "*") return "*";
    if (allowed == *origin) return allowed;
  }
  return "";
}

void Front::Complete(const rest::Request& request, absl::string_view request_id,
                     Gzip* gzip, rest::Response* response) const {
  rest::RefuseReconnectionInStream(request, response);
  auto& headers = response->headers;
  headers.emplace_back("X-Request-Id", request_id);
  headers.emplace_back("Vary", kVary);
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  const bool has_policy = std::any_of(
      headers.begin(), headers.end(),
      [](const auto& header) { return header.first == kPolicyHeader; });
  if (!has_policy) headers.emplace_back(kPolicyHeader, kInert);
  if (const std::string origin = AllowedOrigin(request); !origin.empty()) {
    headers.emplace_back("Access-Control-Allow-Origin", origin);
    headers.emplace_back("Access-Control-Expose-Headers", kExposedHeaders);
  }
  bool compress = response->compressed;
  std::string compressed;
  if (!compress && response->has_body &&
      response->body.size() >= options_.min_gzip_bytes &&
      AcceptsGzip(request.Header("accept-encoding").value_or("")) &&
      gzip->Compress(response->body, &compressed)) {
    response->body = std::move(compressed);
    compress = true;
  }
  if (compress) {
    headers.emplace_back("Content-Encoding", "gzip");
    for (auto& [name, value] : headers) {
      if (name == "ETag") value = rest::CompressedEtag(value);
    }
  }
}

rest::Response Front::Refuse(int http_status, absl::string_view field,
                             absl::string_view problem) const {
  absl::Status invalid = status::InvalidField(field, problem);
  absl::Status refusal(CodeOf(http_status), invalid.message());
  invalid.ForEachPayload(
      [&refusal](absl::string_view url, const absl::Cord& detail) {
        refusal.SetPayload(url, detail);
      });
  rest::Response response =
      rest::ErrorAnswer(refusal, writer_, nullptr, http_status);
  response.close = true;
  return response;
}

rest::Response Front::TooLong(int http_status, absl::string_view field,
                              size_t limit) const {
  const std::string most = absl::StrCat(limit);
  const std::string problem = absl::StrCat("expected at most ", most, " bytes");
  absl::Status refusal = status::Refuse(
      absl::StatusCode::kInvalidArgument, "LIMIT_EXCEEDED",
      absl::StrCat(field, ": ", problem), {{"limit_bytes", most}});
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(problem);
  status::AddDetail(&refusal, bad);
  rest::Response response =
      rest::ErrorAnswer(refusal, writer_, nullptr, http_status);
  response.close = true;
  return response;
}

rest::Response Front::Failed(const absl::Status& status) const {
  return rest::ErrorAnswer(status, writer_);
}

}  // namespace transparency::gateway::http
