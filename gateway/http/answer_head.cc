#include "gateway/http/answer_head.h"

#include "absl/strings/str_cat.h"

namespace transparency::gateway::http {
namespace {

const char* ReasonPhrase(int http_status) {
  switch (http_status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

// Never lets a value break out of its line, wherever it came from.
void AppendHeader(absl::string_view name, absl::string_view value,
                  std::string* head) {
  absl::StrAppend(head, name, ": ");
  for (char c : value) {
    head->push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' '
                                                                      : c);
  }
  head->append("\r\n");
}

}  // namespace

std::string AnswerHead(const rest::Response& response, absl::string_view date,
                       bool is_http_10) {
  std::string head;
  head.reserve(1024);
  absl::StrAppend(&head, "HTTP/1.1 ", response.http_status, " ",
                  ReasonPhrase(response.http_status), "\r\n");
  AppendHeader("Date", date, &head);
  if (response.has_body) {
    AppendHeader("Content-Type", response.content_type, &head);
    if (!response.streamed) {
      absl::StrAppend(&head, "Content-Length: ", response.content().size(),
                      "\r\n");
    } else if (!is_http_10) {
      head += "Transfer-Encoding: chunked\r\n";
    }
  }
  for (const auto& [name, value] : response.headers) {
    AppendHeader(name, value, &head);
  }
  if (response.close) {
    head += "Connection: close\r\n";
  } else if (is_http_10) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

}  // namespace transparency::gateway::http
