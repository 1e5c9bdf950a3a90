#include "common/server/signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "common/server/process.h"

namespace transparency::server {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

int OpenSignals() {
  const sigset_t set = StopSignals();
  return signalfd(-1, &set, SFD_CLOEXEC);
}

}  // namespace

void BlockSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A client that goes away while we write to it is no reason to die.
  std::signal(SIGPIPE, SIG_IGN);
}

SignalWatch::SignalWatch(std::function<void(int)> reaction)
    : reaction_(std::move(reaction)),
      signals_(OpenSignals()),
      end_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Wait(); }) {}

SignalWatch::~SignalWatch() {
  const uint64_t one = 1;
  // An eventfd takes a first write always.
  static_cast<void>(write(end_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
  close(signals_);
  close(end_);
}

void SignalWatch::Wait() {
  while (true) {
    pollfd ready[] = {{signals_, POLLIN, 0}, {end_, POLLIN, 0}};
    if (poll(ready, 2, /*timeout=*/-1) < 0) continue;
    if (ready[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof(info)) == sizeof(info)) {
      reaction_(static_cast<int>(info.ssi_signo));
    }
  }
}

}  // namespace transparency::server
