#include "gateway/rest/rest_codec.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/digest.h"
#include "common/base/ids.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "gateway/json/field_text.h"
#include "gateway/json/json_reader.h"
#include "gateway/rest/error_answer.h"
#include "gateway/rest/etag.h"
#include "gateway/rest/media_type.h"
#include "gateway/rest/query.h"
#include "google/protobuf/arena.h"

namespace transparency::gateway::rest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Passed on as they came.
constexpr absl::string_view kPassedOn[] = {"authorization", "tracestate",
                                           "x-min-revision"};
constexpr size_t kLongestIdempotencyKey = 255;

// The message that holds the last field of the path, made if need be.
Message* Holder(const FieldPath& path, Message* message) {
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    message = message->GetReflection()->MutableMessage(message, path[i]);
  }
  return message;
}

std::string TextOf(const FieldPath& path, const Message& message) {
  const Message* holder = &message;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    holder = &holder->GetReflection()->GetMessage(*holder, path[i]);
  }
  return holder->GetReflection()->GetString(*holder, path.back());
}

bool IsMetadataValue(absl::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7E; });
}

// A mask over the answer, its names in the proto's spelling.
std::string ProtoMask(absl::string_view mask, const Descriptor& answer) {
  std::vector<std::string> paths;
  for (absl::string_view path : absl::StrSplit(mask, ',')) {
    const Descriptor* type = &answer;
    std::vector<std::string> names;
    for (absl::string_view name :
         absl::StrSplit(absl::StripAsciiWhitespace(path), '.')) {
      const FieldDescriptor* field =
          type == nullptr ? nullptr : json::FindField(*type, name);
      names.push_back(field == nullptr ? std::string(name) : field->name());
      type = field == nullptr ? nullptr : field->message_type();
    }
    paths.push_back(absl::StrJoin(names, "."));
  }
  return absl::StrJoin(paths, ",");
}

// What the path captured; a body that says otherwise is refused.
void BindPath(const RouteMatch& match, Message* message,
              status::Violations* violations) {
  for (size_t i = 0; i < match.route->variables.size(); ++i) {
    const Route::Variable& variable = match.route->variables[i];
    const FieldDescriptor& leaf = *variable.field.back();
    const std::string& value = match.values[i];
    Message* holder = Holder(variable.field, message);
    if (leaf.type() == FieldDescriptor::TYPE_STRING) {
      const std::string given =
          holder->GetReflection()->GetString(*holder, &leaf);
      if (!given.empty() && given != value) {
        violations->Add(
            variable.name,
            absl::StrCat("the body has \"", json::Shown(given),
                         "\", the path \"", json::Shown(value), "\""));
        continue;
      }
    }
    if (!json::SetFromText(value, leaf, holder)) {
      violations->Add(variable.name,
                      absl::StrCat("expected ", json::ExpectedText(leaf),
                                   ", not \"", json::Shown(value), "\""));
    }
  }
}

// The mask of an update that gave none: what its body names, less what the
// path carries. It stays unset when that is nothing.
void SetUpdateMask(const Route& route, const FieldDescriptor& field,
                   std::vector<std::string> named, Message* message) {
  const Reflection& reflection = *message->GetReflection();
  if (reflection.HasField(*message, &field)) return;
  for (std::string& path : named) {
    const std::string full = absl::StrCat(route.body->name(), ".", path);
    const bool in_path = std::any_of(
        route.variables.begin(), route.variables.end(),
        [&full](const Route::Variable& v) { return v.name == full; });
    if (in_path) continue;
    Message* mask = reflection.MutableMessage(message, &field);
    mask->GetReflection()->AddString(
        mask, mask->GetDescriptor()->FindFieldByNumber(1), std::move(path));
  }
}

}  // namespace

struct RestCodec::RestCall : Call {
  const SpecialFields* special = nullptr;
  bool if_match = false;
  std::string response_mask;
};

RestCodec::RestCodec(const Options& options, const RouteTable& routes,
                     const json::JsonWriter& writer)
    : options_(options), writer_(writer) {
  for (const auto& route : routes.routes()) {
    special_.emplace(route.get(), SpecialFieldsOf(*route));
  }
}

Plan RestCodec::Decode(const Request& request, RouteMatch match) const {
  const Route& route = *match.route;
  const Descriptor* type = route.request->GetDescriptor();
  auto call = std::make_unique<RestCall>();
  call->codec = this;
  call->route = &route;
  call->special = &special_.at(&route);
  int http_status = 0;
  absl::Status status =
      CheckForm(request, *call->special, call.get(), &http_status);
  if (status.ok()) status = CheckHeaders(request, route);
  if (status.ok()) status = ReadDeadline(request, call.get());
  if (status.ok()) {
    status = ReadMessage(request, match, *call->special, call.get());
  }
  if (!status.ok()) {
    return ErrorAnswer(status, writer_, type, http_status);
  }

  for (absl::string_view name : kPassedOn) {
    if (auto value = request.Header(name)) {
      call->headers.emplace_back(std::string(name), std::string(*value));
    }
  }
  if (!call->response_mask.empty()) {
    call->headers.emplace_back(
        "x-goog-fieldmask",
        ProtoMask(call->response_mask, *route.response->GetDescriptor()));
  }
  return call;
}

// Of `http_status`, where HTTP has one of its own.
absl::Status RestCodec::CheckForm(const Request& request,
                                  const SpecialFields& special, RestCall* call,
                                  int* http_status) const {
  const Route& route = *call->route;
  if (route.method->server_streaming()) {
    StreamForm form;
    absl::Status chosen = ChooseStreamForm(request, &form);
    if (!chosen.ok()) {
      *http_status = 406;
      return chosen;
    }
    call->stream = MakeStreamEncoder(form, route, special.stream, writer_);
  } else if (!AcceptsJson(request.Header("accept").value_or(""))) {
    *http_status = 406;
    return InvalidHeader("Accept", "expected to allow application/json");
  }
  const bool takes_body = route.whole_body || route.body != nullptr;
  if (!takes_body && request.body.empty()) return absl::OkStatus();
  for (const auto& [name, value] : request.headers) {
    if (name == "content-encoding" &&
        !absl::EqualsIgnoreCase(value, "identity")) {
      *http_status = 415;
      return InvalidHeader("Content-Encoding",
                           "expected none: send it as it is");
    }
  }
  const auto content_type = request.Header("content-type");
  if (content_type && !IsJson(*content_type)) {
    *http_status = 415;
    return InvalidHeader("Content-Type",
                         absl::StrCat("expected application/json, not ",
                                      json::Shown(*content_type)));
  }
  return absl::OkStatus();
}

absl::Status RestCodec::CheckHeaders(const Request& request,
                                     const Route& route) {
  static constexpr std::pair<absl::string_view, absl::string_view> kSingle[] = {
      {"authorization", "Authorization"},
      {"traceparent", "traceparent"},
      {"tracestate", "tracestate"},
      {"x-min-revision", "X-Min-Revision"},
      {"x-goog-fieldmask", "X-Goog-FieldMask"},
      {"x-server-timeout", "X-Server-Timeout"},
      {"idempotency-key", "Idempotency-Key"},
      {"last-event-id", "Last-Event-ID"},
      {"if-match", "If-Match"}};
  for (const auto& [name, shown] : kSingle) {
    const auto value = request.Header(name);
    if (!value) continue;
    if (request.CountHeader(name) > 1) {
      return InvalidHeader(shown, "given more than once");
    }
    if (!IsMetadataValue(*value)) {
      return InvalidHeader(shown, "expected printable ASCII");
    }
  }
  const bool takes_body = route.whole_body || route.body != nullptr;
  if (!takes_body && !request.body.empty()) {
    return status::InvalidField(
        "body", absl::StrCat("expected none: ", route.http_method, " ",
                             route.pattern, " takes no body"));
  }
  return absl::OkStatus();
}

absl::Status RestCodec::ReadDeadline(const Request& request,
                                     RestCall* call) const {
  const bool stream = call->stream != nullptr;
  absl::Duration timeout =
      stream ? absl::InfiniteDuration() : options_.default_timeout;
  if (const auto header = request.Header("x-server-timeout")) {
    double seconds = 0;
    if (!absl::SimpleAtod(*header, &seconds) || !std::isfinite(seconds) ||
        seconds <= 0) {
      return InvalidHeader("X-Server-Timeout",
                           "expected seconds above 0, such as 2.5");
    }
    timeout = absl::Seconds(seconds);
  }
  call->deadline =
      request.received + std::min(timeout, stream ? options_.max_stream_time
                                                  : options_.max_timeout);
  return absl::OkStatus();
}

absl::Status RestCodec::ReadBody(const Request& request, const Route& route,
                                 const SpecialFields& special, Message* message,
                                 std::vector<std::string>* named) const {
  if (!route.whole_body && route.body == nullptr) return absl::OkStatus();
  json::JsonReadOptions options;
  options.max_depth = options_.max_json_depth;
  options.max_values = options_.max_json_values;
  options.field = route.body;
  if (special.update_mask != nullptr) options.named_paths = named;
  return json::ReadJson(request.body, options, message);
}

absl::Status RestCodec::ReadMessage(const Request& request,
                                    const RouteMatch& match,
                                    const SpecialFields& special,
                                    RestCall* call) const {
  const Route& route = *match.route;
  google::protobuf::Arena arena;
  Message* message = route.request->New(&arena);
  std::vector<std::string> named;
  absl::Status status = ReadBody(request, route, special, message, &named);
  if (!status.ok()) return status;

  status::Violations violations;
  BindPath(match, message, &violations);
  ReadQuery(request.query, route, message, &call->response_mask, &violations);
  if (const auto mask = request.Header("x-goog-fieldmask")) {
    if (call->response_mask.empty()) {
      call->response_mask = std::string(*mask);
    } else if (call->response_mask != *mask) {
      violations.Add("$fields", "the header X-Goog-FieldMask says otherwise");
    }
  }
  if (!IsMetadataValue(call->response_mask)) {
    violations.Add("$fields", "expected field names in ASCII");
  }
  if (call->stream != nullptr && !call->response_mask.empty()) {
    violations.Add("$fields", "a stream of answers takes no mask");
  }
  if (!violations.empty()) return violations.ToStatus();

  if (special.update_mask != nullptr) {
    SetUpdateMask(route, *special.update_mask, std::move(named), message);
  }
  status = ReadPreconditions(request, route, special, message, call);
  if (status.ok() && call->stream != nullptr) {
    status = ReadLastEventId(request, special.stream, message);
  }
  if (!status.ok()) return status;
  if (!message->SerializePartialToString(&call->message)) {
    return absl::InternalError("The request could not be serialized.");
  }
  return absl::OkStatus();
}

absl::Status RestCodec::ReadPreconditions(const Request& request,
                                          const Route& route,
                                          const SpecialFields& special,
                                          Message* message,
                                          RestCall* call) const {
  const bool is_read = route.http_method == "GET";
  const auto if_match = request.Header("if-match");
  if (if_match && !is_read) {
    absl::StatusOr<std::string> etag = ResourceEtagOf(*if_match);
    if (!etag.ok()) return etag.status();
    if (special.etag.empty()) {
      return InvalidHeader("If-Match", "this method takes no etag");
    }
    if (!etag->empty()) {
      const std::string given = TextOf(special.etag, *message);
      if (!given.empty() && given != *etag) {
        return InvalidHeader("If-Match", "the request's etag says otherwise");
      }
      Message* holder = Holder(special.etag, message);
      holder->GetReflection()->SetString(holder, special.etag.back(), *etag);
      call->if_match = true;
    }
  }
  const auto key = request.Header("idempotency-key");
  if (key && !is_read) {
    absl::string_view text = *key;
    // The header is a string of RFC 8941, with or without its quotes.
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
      text = text.substr(1, text.size() - 2);
    }
    if (text.empty() || text.size() > kLongestIdempotencyKey) {
      return InvalidHeader("Idempotency-Key", "expected 1 to 255 characters");
    }
    if (special.request_id == nullptr) {
      return InvalidHeader("Idempotency-Key",
                           "this method takes no request_id");
    }
    const std::string id = RequestIdOf(text);
    const std::string given = TextOf({special.request_id}, *message);
    if (!given.empty() && given != id) {
      return InvalidHeader("Idempotency-Key",
                           "the request's request_id says otherwise");
    }
    message->GetReflection()->SetString(message, special.request_id, id);
  }
  return absl::OkStatus();
}

Response RestCodec::Encode(const Request& request, const Call& base,
                           UnaryReply reply) const {
  const auto& call = static_cast<const RestCall&>(base);
  Response response;
  if (reply.status.ok()) {
    response = EncodeMessage(request, call, reply.message);
  } else {
    const bool other_etag = call.if_match &&
                            reply.status.code() == absl::StatusCode::kAborted &&
                            status::Reason(reply.status) == "ETAG_MISMATCH";
    response =
        ErrorAnswer(reply.status, writer_, call.route->request->GetDescriptor(),
                    other_etag ? 412 : 0);
  }
  PassFreshness(reply.headers, &response);
  PassFreshness(reply.trailers, &response);
  return response;
}

Response RestCodec::EncodeMessage(const Request& request, const RestCall& call,
                                  const std::string& bytes) const {
  const Route& route = *call.route;
  google::protobuf::ArenaOptions arena_options;
  arena_options.start_block_size = 4096;
  google::protobuf::Arena arena(arena_options);
  Message* message = route.response->New(&arena);
  if (!message->ParsePartialFromString(bytes)) {
    return ErrorAnswer(
        status::Defect(absl::StrCat(route.method->full_name(),
                                    " answered with bytes that are not its "
                                    "response.")),
        writer_);
  }
  Response response;
  response.body.reserve(bytes.size() * 2 + 64);
  if (route.response_body != nullptr) {
    writer_.WriteField(*message, *route.response_body, &response.body);
  } else {
    writer_.Write(*message, &response.body);
  }

  const bool is_read = request.method == "GET" || request.method == "HEAD";
  const std::string own_etag =
      call.special->answered_etag == nullptr
          ? ""
          : TextOf({call.special->answered_etag}, *message);
  if (is_read || !own_etag.empty()) {
    std::string etag = HttpEtag(own_etag, response.body);
    const auto none_match = request.Header("if-none-match");
    if (is_read && none_match && NoneMatchLists(*none_match, etag)) {
      response.http_status = 304;
      response.has_body = false;
      response.body.clear();
      etag = KeptEtag(*none_match, etag);
    }
    response.headers.emplace_back("ETag", std::move(etag));
  }
  // Whoever keeps an answer asks first whether it still holds.
  response.headers.emplace_back(
      "Cache-Control", !is_read                          ? "no-store"
                       : request.Header("authorization") ? "private, no-cache"
                                                         : "no-cache");
  return response;
}

void PassFreshness(const rpc::Metadata& metadata, Response* response) {
  static constexpr std::pair<absl::string_view, absl::string_view> kPassed[] = {
      {"x-revision", "X-Revision"}, {"x-current-at", "X-Current-At"}};
  auto& headers = response->headers;
  for (const auto& [key, header] : kPassed) {
    for (const auto& [name, value] : metadata) {
      const bool there = std::any_of(headers.begin(), headers.end(),
                                     [header = header](const auto& given) {
                                       return given.first == header;
                                     });
      if (name == key && IsMetadataValue(value) && !there) {
        headers.emplace_back(header, value);
      }
    }
  }
}

std::string RequestIdOf(absl::string_view key) {
  return ids::IsUuid4(key)
             ? std::string(key)
             : ids::Uuid4Of(digest::Sha256("idempotency-key:", key));
}

}  // namespace transparency::gateway::rest
