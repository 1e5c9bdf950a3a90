#include "gateway/rest/rest_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/refusals.h"
#include "gateway/rest/error_answer.h"
#include "gateway/rest/media_type.h"
#include "gateway/rest/rest_codec.h"
#include "google/protobuf/arena.h"

namespace transparency::gateway::rest {
namespace {

using google::protobuf::Message;

// After how many milliseconds a client reconnects.
constexpr char kRetry[] = "retry: 2000\n\n";
constexpr char kComment[] = ":\n\n";

constexpr absl::string_view kJsonLines = "application/jsonl";
constexpr absl::string_view kNdjson = "application/x-ndjson";
constexpr absl::string_view kServerSentEvents = "text/event-stream";

std::string ErrorEvent(absl::string_view json) {
  return absl::StrCat("event: error\ndata: ", json, "\n\n");
}

// Whether a stream that ends so can be resumed nowhere: a browser that is told
// an empty id reconnects without one, and so begins anew.
bool IsToBeginAnew(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsOutOfRange(status);
}

// The messages of one stream as JSON.
class JsonStream : public StreamEncoder {
 public:
  JsonStream(const Route& route, const StreamFields& fields,
             const json::JsonWriter& writer, absl::string_view content_type)
      : route_(route),
        fields_(fields),
        writer_(writer),
        content_type_(content_type) {}

  Response Head(const rpc::Metadata& headers) const override {
    Response response;
    response.content_type = std::string(content_type_);
    response.streamed = true;
    response.headers.emplace_back("Cache-Control", "no-store");
    // nginx would gather the pieces.
    response.headers.emplace_back("X-Accel-Buffering", "no");
    PassFreshness(headers, &response);
    return response;
  }

  absl::Status Append(const std::string& message, std::string* body) override {
    google::protobuf::Arena arena;
    Message* parsed = route_.response->New(&arena);
    if (!parsed->ParsePartialFromString(message)) {
      return status::Defect(absl::StrCat(route_.method->full_name(),
                                         " answered with bytes that are not "
                                         "its response."));
    }
    Frame(*parsed, body);
    return absl::OkStatus();
  }

 protected:
  virtual void Frame(const Message& message, std::string* body) const = 0;

  void AppendJson(const Message& message, std::string* body) const {
    if (route_.response_body != nullptr) {
      writer_.WriteField(message, *route_.response_body, body);
    } else {
      writer_.Write(message, body);
    }
  }
  // Empty where there is none that could be an event's id.
  std::string TokenOf(const Message& message) const {
    if (fields_.answered_token == nullptr) return "";
    std::string token =
        message.GetReflection()->GetString(message, fields_.answered_token);
    const bool usable = std::all_of(token.begin(), token.end(), [](char c) {
      return c > 0x20 && c < 0x7F;
    });
    return usable ? token : "";
  }
  std::string ErrorJson(const absl::Status& status) const {
    return ErrorAnswer(status, writer_, route_.request->GetDescriptor()).body;
  }

 private:
  const Route& route_;
  const StreamFields fields_;
  const json::JsonWriter& writer_;
  const absl::string_view content_type_;
};

class JsonLines : public JsonStream {
 public:
  using JsonStream::JsonStream;

  std::string Opening() const override { return ""; }
  std::string End(const absl::Status& status) const override {
    return status.ok() ? "" : absl::StrCat(ErrorJson(status), "\n");
  }
  // An empty line is no JSON.
  absl::string_view Heartbeat() const override { return ""; }

 protected:
  void Frame(const Message& message, std::string* body) const override {
    AppendJson(message, body);
    *body += '\n';
  }
};

// JSON has no line breaks outside its strings, where they are escaped, so that
// one `data` line holds it.
class ServerSentEvents : public JsonStream {
 public:
  using JsonStream::JsonStream;

  std::string Opening() const override { return kRetry; }
  std::string End(const absl::Status& status) const override {
    if (status.ok()) return "event: end\ndata: {}\n\n";
    return absl::StrCat(IsToBeginAnew(status) ? "id\n" : "",
                        ErrorEvent(ErrorJson(status)));
  }
  absl::string_view Heartbeat() const override { return kComment; }

 protected:
  void Frame(const Message& message, std::string* body) const override {
    // Without an id the client keeps the one before.
    if (const std::string token = TokenOf(message); !token.empty()) {
      absl::StrAppend(body, "id: ", token, "\n");
    }
    *body += "data: ";
    AppendJson(message, body);
    *body += "\n\n";
  }
};

}  // namespace

absl::Status ChooseStreamForm(const Request& request, StreamForm* form) {
  switch (Preferred(request.Header("accept").value_or(""),
                    {kJsonLines, kNdjson, kServerSentEvents})) {
    case 0:
      *form = StreamForm::kJsonLines;
      return absl::OkStatus();
    case 1:
      *form = StreamForm::kNdjson;
      return absl::OkStatus();
    case 2:
      *form = StreamForm::kServerSentEvents;
      return absl::OkStatus();
    default:
      return InvalidHeader(
          "Accept",
          absl::StrCat("this method answers with a stream: expected to allow ",
                       kServerSentEvents, ", ", kJsonLines, " or ", kNdjson));
  }
}

void RefuseReconnectionInStream(const Request& request, Response* response) {
  if (response->http_status != 429 && response->http_status != 503) return;
  StreamForm form;
  if (request.Header("last-event-id").value_or("").empty() ||
      !ChooseStreamForm(request, &form).ok() ||
      form != StreamForm::kServerSentEvents) {
    return;
  }
  std::string opening = kRetry;
  auto& headers = response->headers;
  const auto seconds = std::find_if(
      headers.begin(), headers.end(),
      [](const auto& header) { return header.first == "Retry-After"; });
  if (seconds != headers.end()) {
    opening = absl::StrCat("retry: ", seconds->second, "000\n\n");
    headers.erase(seconds);
  }
  response->http_status = 200;
  response->content_type = std::string(kServerSentEvents);
  response->body = absl::StrCat(opening, ErrorEvent(response->body));
}

absl::Status ReadLastEventId(const Request& request, const StreamFields& fields,
                             Message* message) {
  const auto id = request.Header("last-event-id");
  if (!id || id->empty()) return absl::OkStatus();
  if (fields.resume_token == nullptr) {
    return InvalidHeader("Last-Event-ID",
                         "a stream of this method cannot be resumed");
  }
  const auto& reflection = *message->GetReflection();
  reflection.SetString(message, fields.resume_token, std::string(*id));
  if (fields.include_present_state != nullptr) {
    reflection.ClearField(message, fields.include_present_state);
  }
  return absl::OkStatus();
}

std::unique_ptr<StreamEncoder> MakeStreamEncoder(
    StreamForm form, const Route& route, const StreamFields& fields,
    const json::JsonWriter& writer) {
  switch (form) {
    case StreamForm::kServerSentEvents:
      return std::make_unique<ServerSentEvents>(route, fields, writer,
                                                kServerSentEvents);
    case StreamForm::kNdjson:
      return std::make_unique<JsonLines>(route, fields, writer, kNdjson);
    default:
      return std::make_unique<JsonLines>(route, fields, writer, kJsonLines);
  }
}

}  // namespace transparency::gateway::rest
