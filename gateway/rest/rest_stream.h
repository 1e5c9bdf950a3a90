#pragma once

#include <memory>

#include "absl/status/status.h"
#include "gateway/json/json_writer.h"
#include "gateway/rest/exchange.h"
#include "gateway/rest/route_table.h"
#include "gateway/rest/special_fields.h"
#include "google/protobuf/message.h"

// Streams of answers over the paths of google.api.http, in one of two forms:
//
// - server-sent events (WHATWG HTML, 9.2; text/event-stream): each message is
//   the JSON in `data` of one event, its `resume_token` the event's id. The
//   stream begins with `retry`, tells by comments that it lives, and ends with
//   the event `error`, whose data is the error in AIP-193's shape, or `end`.
// - JSON lines (application/jsonl or application/x-ndjson): each message is a
//   line; an error is a last line {"error":{...}}; without one all is told.
//
// `resume_token` and `include_present_state` mean the same in every method that
// has them, like `page_token`: Last-Event-ID becomes the request's
// `resume_token`, whatever the URL has there, and no present state is asked
// for, since a browser reconnects with the URL that it began with.
namespace transparency::gateway::rest {

enum class StreamForm { kJsonLines, kNdjson, kServerSentEvents };

// The form that an Accept header prefers, JSON lines where it leaves it open.
// INVALID_ARGUMENT when it allows none.
absl::Status ChooseStreamForm(const Request& request, StreamForm* form);

// A browser's EventSource gives up for good when the answer to a reconnection
// is anything but a stream. So one that is to come again later (429, 503) is
// told that by a stream: `retry` and the event `error`. `response` is the
// answer so far, its body the error.
void RefuseReconnectionInStream(const Request& request, Response* response);

// Applies the header Last-Event-ID to the request's message.
absl::Status ReadLastEventId(const Request& request, const StreamFields& fields,
                             google::protobuf::Message* message);

// `route` and `writer` outlive it.
std::unique_ptr<StreamEncoder> MakeStreamEncoder(
    StreamForm form, const Route& route, const StreamFields& fields,
    const json::JsonWriter& writer);

}  // namespace transparency::gateway::rest
