#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "gateway/http/compression.h"
#include "gateway/http/options.h"
#include "gateway/http/page.h"
#include "gateway/json/json_writer.h"
#include "gateway/rest/exchange.h"
#include "gateway/rest/message_types.h"
#include "gateway/rest/rest_codec.h"
#include "gateway/rest/route_table.h"

namespace transparency::gateway::http {

// From a request to a call or an answer: health, OPTIONS and CORS, routes,
// codecs, and what every answer carries. Knows no socket. Thread-safe.
class Front {
 public:
  // Fails when the bindings of two methods conflict or one is wrong.
  static absl::StatusOr<std::unique_ptr<Front>> Make(
      const Options& options,
      const std::vector<const google::protobuf::ServiceDescriptor*>& services);

  rest::Plan Begin(const rest::Request& request) const;

  // Adds to an answer what goes with every one: request id, CORS, Vary, what
  // keeps browsers from making more of it than it is, and compression where the
  // client takes it.
  void Complete(const rest::Request& request, absl::string_view request_id,
                Gzip* gzip, rest::Response* response) const;

  // An answer to what is no request that could be routed; the connection ends.
  rest::Response Refuse(int http_status, absl::string_view field,
                        absl::string_view problem) const;
  // The same when `field` has more than `limit` bytes.
  rest::Response TooLong(int http_status, absl::string_view field,
                         size_t limit) const;
  // An answer in place of the call's.
  rest::Response Failed(const absl::Status& status) const;

  // From now on /readyz says no.
  void BeginDrain() { draining_ = true; }

 private:
  Front(const Options& options, rest::RouteTable routes,
        std::unique_ptr<rest::MessageTypes> types);

  // Refuses a method that is not for everybody to callers that are not known.
  absl::Status CheckCaller(const rest::Request& request,
                           const rest::Route& route) const;
  rest::Response Health(const rest::Request& request) const;
  // 405 to what is neither GET nor HEAD.
  rest::Response NotRead() const;
  rest::Response AnswerOptions(const rest::Request& request) const;
  rest::Response NoRoute(const rest::Request& request,
                         const rest::RouteMatch& match) const;
  // The value for Access-Control-Allow-Origin; empty: not allowed.
  std::string AllowedOrigin(const rest::Request& request) const;

  const Options options_;
  // Routes point into the prototypes.
  const std::unique_ptr<rest::MessageTypes> types_;
  const rest::RouteTable routes_;
  const json::JsonWriter writer_;
  const rest::RestCodec rest_;
  const absl::flat_hash_map<std::string, Page> pages_;  // by path
  std::string prefixes_;  // what known paths begin with, for people
  std::atomic<bool> draining_{false};
};

// The client's X-Request-Id if it is usable, else a random UUID.
std::string RequestIdFor(const rest::Request& request);

}  // namespace transparency::gateway::http
