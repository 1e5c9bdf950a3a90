#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace transparency::gateway::http {

// One answer as it came over the wire.
struct RawAnswer {
  int status = 0;  // 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;

  std::string Header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// A TCP client that sends whatever bytes it is told to. Not thread-safe.
class RawClient {
 public:
  // Connects to 127.0.0.1, from another loopback address if one is given; with
  // `receive_buffer`, the kernel's buffer is that small.
  explicit RawClient(int port, int receive_buffer = 0,
                     const char* from = nullptr);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  // False when the other end is gone.
  bool Send(absl::string_view bytes);
  // Closes the sending side only.
  void FinishSending();
  void Close();
  // Closes with a reset.
  void Reset();

  // The next answer; `to_head` when the request was HEAD.
  RawAnswer Read(bool to_head = false);
  // The bytes up to and with `end`, of an answer's body as they come over the
  // wire; what there is when the connection ends or after 10 s.
  std::string ReadUntil(absl::string_view end);
  // Sends and reads.
  RawAnswer Ask(absl::string_view request, bool to_head = false);
  // Whether the other end closes within 10 s, without a further byte.
  bool AtEnd();
  // One receive; empty at the end or after 10 s.
  std::string ReadSome();

 private:
  bool Fill();

  int fd_ = -1;
  std::string buffer_;
};

// A request with a Host header and, when there is one, a Content-Length.
// `headers` are whole lines, each with its CRLF.
std::string MakeRequest(absl::string_view method, absl::string_view target,
                        absl::string_view body = "",
                        absl::string_view headers = "");

}  // namespace transparency::gateway::http
