#include "common/journal/replica/tests/gate.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/postgres/session.h"
#include "common/postgres/testing/test_database.h"
#include "gtest/gtest.h"

namespace transparency::journal {
namespace {

constexpr char kPort[] = "5432";
constexpr int kTickMillis = 5;

sockaddr_un Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

std::string ServerPath() {
  PQconninfoOption* options =
      PQconninfoParse(postgres::TestServerConninfo().c_str(), nullptr);
  std::string host, port = kPort;
  for (PQconninfoOption* o = options; o != nullptr && o->keyword; ++o) {
    if (o->val == nullptr) continue;
    if (std::strcmp(o->keyword, "host") == 0) host = o->val;
    if (std::strcmp(o->keyword, "port") == 0) port = o->val;
  }
  PQconninfoFree(options);
  EXPECT_EQ(host.substr(0, 1), "/") << "the test server needs a Unix socket";
  return absl::StrCat(host, "/.s.PGSQL.", port);
}

bool SendAll(int to, const char* data, ssize_t size) {
  while (size > 0) {
    const ssize_t sent =
        send(to, data, static_cast<size_t>(size), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    size -= sent;
  }
  return true;
}

// The next bytes; less than 1 when the other end is gone.
ssize_t Receive(int from, char* buffer, size_t size) {
  return recv(from, buffer, size, 0);
}

}  // namespace

Gate::Gate() : server_path_(ServerPath()) {
  char name[] = "/tmp/gate.XXXXXX";
  directory_ = mkdtemp(name);
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address =
      Address(absl::StrCat(directory_, "/.s.PGSQL.", kPort));
  EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  EXPECT_EQ(listen(listener_, 64), 0);
  acceptor_ = std::thread([this] { Accept(); });
}

Gate::~Gate() {
  stopping_ = true;
  acceptor_.join();
  absl::MutexLock lock(&mutex_);
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
  unlink(absl::StrCat(directory_, "/.s.PGSQL.", kPort).c_str());
  rmdir(directory_.c_str());
}

std::string Gate::Through(const std::string& conninfo) const {
  return *postgres::WithKeyword(
      *postgres::WithKeyword(conninfo, "host", directory_), "port", kPort);
}

void Gate::Close() { open_ = false; }
void Gate::Open() { open_ = true; }

void Gate::CutAtCommit(Cut cut, bool close) {
  close_at_cut_ = close;
  cut_ = cut;
}

void Gate::Accept() {
  while (!stopping_) {
    if (frozen_) {
      poll(nullptr, 0, kTickMillis);
      continue;
    }
    pollfd wait{listener_, POLLIN, 0};
    if (poll(&wait, 1, kTickMillis) <= 0) continue;
    Link link{accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), -1};
    if (link.client < 0) continue;
    if (!open_) {
      close(link.client);
      continue;
    }
    link.server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = Address(server_path_);
    if (connect(link.server, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
      close(link.client);
      close(link.server);
      continue;
    }
    absl::MutexLock lock(&mutex_);
    threads_.emplace_back([this, link] { Serve(link); });
  }
}

void Gate::Serve(Link link) {
  while (!stopping_ && open_) {
    if (frozen_) {
      poll(nullptr, 0, kTickMillis);
      continue;
    }
    pollfd waits[2] = {{link.client, POLLIN, 0}, {link.server, POLLIN, 0}};
    if (poll(waits, 2, kTickMillis) <= 0) continue;
    if (waits[0].revents != 0 &&
        !Forward(link.client, link.server, true, link)) {
      break;
    }
    if (waits[1].revents != 0 &&
        !Forward(link.server, link.client, false, link)) {
      break;
    }
  }
  close(link.client);
  close(link.server);
}

bool Gate::Forward(int from, int to, bool from_client, const Link& link) {
  char buffer[65536];
  const ssize_t size = Receive(from, buffer, sizeof(buffer));
  if (size <= 0) return false;
  const std::string_view data(buffer, static_cast<size_t>(size));
  Cut cut = cut_;
  const bool commit =
      from_client && data.find(std::string_view("COMMIT\0", 7)) != data.npos;
  if (cut == Cut::kNone || !commit ||
      !cut_.compare_exchange_strong(cut, Cut::kNone)) {
    return SendAll(to, buffer, size);
  }
  if (cut == Cut::kAfter) {
    SendAll(to, buffer, size);
    // The server's answer says that it is done.
    Receive(link.server, buffer, sizeof(buffer));
  }
  if (close_at_cut_) open_ = false;
  ++cuts_;
  return false;
}

}  // namespace transparency::journal
