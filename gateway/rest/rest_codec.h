#pragma once

#include <functional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "gateway/json/json_writer.h"
#include "gateway/rest/exchange.h"
#include "gateway/rest/rest_stream.h"
#include "gateway/rest/route_table.h"
#include "gateway/rest/special_fields.h"

namespace transparency::gateway::rest {

// JSON over the paths of google.api.http.
//
// Beside them: PATCH without a mask takes it from the names in the body;
// If-Match becomes the request's etag, Idempotency-Key its request_id,
// X-Server-Timeout (seconds) its deadline; reads answer If-None-Match. Methods
// with a stream of answers are in rest_stream.h.
class RestCodec : public Codec {
 public:
  struct Options {
    int max_json_depth = 64;
    int max_json_values = 50'000;
    absl::Duration default_timeout = absl::Seconds(10);
    absl::Duration max_timeout = absl::Seconds(60);
    absl::Duration max_stream_time = absl::InfiniteDuration();
  };

  // `routes` and `writer` outlive it.
  RestCodec(const Options& options, const RouteTable& routes,
            const json::JsonWriter& writer);

  Plan Decode(const Request& request, RouteMatch match) const override;
  Response Encode(const Request& request, const Call& call,
                  UnaryReply reply) const override;

 private:
  struct RestCall;

  absl::Status CheckForm(const Request& request, const SpecialFields& special,
                         RestCall* call, int* http_status) const;
  static absl::Status CheckHeaders(const Request& request, const Route& route);
  absl::Status ReadBody(const Request& request, const Route& route,
                        const SpecialFields& special,
                        google::protobuf::Message* message,
                        std::vector<std::string>* named) const;
  absl::Status ReadMessage(const Request& request, const RouteMatch& match,
                           const SpecialFields& special, RestCall* call) const;
  absl::Status ReadPreconditions(const Request& request, const Route& route,
                                 const SpecialFields& special,
                                 google::protobuf::Message* message,
                                 RestCall* call) const;
  absl::Status ReadDeadline(const Request& request, RestCall* call) const;
  Response EncodeMessage(const Request& request, const RestCall& call,
                         const std::string& bytes) const;

  const Options options_;
  const json::JsonWriter& writer_;
  absl::flat_hash_map<const Route*, SpecialFields> special_;
};

// Adds X-Revision and X-Current-At as an owner's metadata has them.
void PassFreshness(const rpc::Metadata& metadata, Response* response);

// `key` itself if it is a version 4 UUID (RFC 9562), else one made of its
// SHA-256: equal keys give equal ids.
std::string RequestIdOf(absl::string_view key);

}  // namespace transparency::gateway::rest
