#include "gateway/http/tests/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace transparency::gateway::http {

RawClient::RawClient(int port, int receive_buffer, const char* from) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
               sizeof(receive_buffer));
  }
  const timeval patience{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (from != nullptr) {
    inet_pton(AF_INET, from, &address.sin_addr);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address),
             sizeof(address)) != 0) {
      Close();
      return;
    }
  }
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    Close();
  }
}

RawClient::~RawClient() { Close(); }

void RawClient::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void RawClient::Reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  Close();
}

void RawClient::FinishSending() { shutdown(fd_, SHUT_WR); }

bool RawClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string RawClient::ReadSome() {
  char chunk[16 * 1024];
  const ssize_t size = recv(fd_, chunk, sizeof(chunk), 0);
  return size <= 0 ? "" : std::string(chunk, static_cast<size_t>(size));
}

bool RawClient::Fill() {
  const std::string more = ReadSome();
  buffer_ += more;
  return !more.empty();
}

bool RawClient::AtEnd() {
  char byte;
  return buffer_.empty() && recv(fd_, &byte, 1, 0) <= 0 && errno != EAGAIN;
}

RawAnswer RawClient::Ask(absl::string_view request, bool to_head) {
  Send(request);
  return Read(to_head);
}

RawAnswer RawClient::Read(bool to_head) {
  RawAnswer answer;
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return answer;
  }
  const std::string head = buffer_.substr(0, end);
  buffer_.erase(0, end + 4);
  const std::vector<std::string> lines = absl::StrSplit(head, "\r\n");
  const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
  int status = 0;
  if (first.size() < 2 || !absl::SimpleAtoi(first[1], &status)) return answer;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
    answer.headers[absl::AsciiStrToLower(parts.first)] = parts.second;
  }
  size_t length = 0;
  if (!to_head && absl::SimpleAtoi(answer.Header("content-length"), &length)) {
    while (buffer_.size() < length) {
      if (!Fill()) return answer;
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
  }
  answer.status = status;
  return answer;
}

std::string RawClient::ReadUntil(absl::string_view end) {
  size_t found;
  while ((found = buffer_.find(std::string(end))) == std::string::npos) {
    if (!Fill()) return std::exchange(buffer_, "");
  }
  std::string text = buffer_.substr(0, found + end.size());
  buffer_.erase(0, text.size());
  return text;
}

std::string MakeRequest(absl::string_view method, absl::string_view target,
                        absl::string_view body, absl::string_view headers) {
  std::string request = absl::StrCat(method, " ", target,
                                     " HTTP/1.1\r\nHost: gateway\r\n", headers);
  if (!body.empty()) {
    absl::StrAppend(&request, "Content-Length: ", body.size(), "\r\n");
    if (headers.find("Content-Type:") == absl::string_view::npos) {
      absl::StrAppend(&request, "Content-Type: application/json\r\n");
    }
  }
  absl::StrAppend(&request, "\r\n", body);
  return request;
}

}  // namespace transparency::gateway::http
