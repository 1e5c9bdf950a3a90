#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

// The one place where statuses change their form: absl::Status with google.rpc
// payloads ↔ google.rpc.Status ↔ grpc::Status with grpc-status-details-bin.
namespace transparency::rpc {

// Most bytes of a serialized google.rpc.Status, and of its message alone: more
// than some 8 KiB of headers and the client would see RESOURCE_EXHAUSTED.
inline constexpr size_t kMaxStatusBytes = 4096;
inline constexpr size_t kMaxMessageBytes = 1024;

google::rpc::Status ToProto(const absl::Status& status);
absl::Status FromProto(const google::rpc::Status& status);

grpc::Status ToGrpc(const absl::Status& status);
// A status without readable details keeps code and message.
absl::Status FromGrpc(const grpc::Status& status);

// What a client may see of `status`: exactly one ErrorInfo with reason and
// domain, a RequestInfo, at most kMaxStatusBytes (violations after the 20th
// are counted, then texts cut). A status without an ErrorInfo is a defect,
// unless its code is one that gRPC or the database's client gives: it becomes
// INTERNAL, reason DEFECT, and its message is left out. OK stays OK.
absl::Status Presentable(const absl::Status& status, absl::string_view domain,
                         absl::string_view request_id);

// "OK", "INVALID_ARGUMENT"; also for codes that are none.
absl::string_view CodeName(int code);

}  // namespace transparency::rpc
