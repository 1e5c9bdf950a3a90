// A slower disk for PostgreSQL: loaded with LD_PRELOAD, each fsync and
// fdatasync takes SLOW_FSYNC_MICROS longer (2,000 when unset).

#include <dlfcn.h>

#include <cstdlib>
#include <ctime>

namespace {

void Delay() {
  static const long kMicros = [] {
    const char* text = std::getenv("SLOW_FSYNC_MICROS");
    return text == nullptr ? 2000L : std::atol(text);
  }();
  timespec left = {kMicros / 1'000'000, kMicros % 1'000'000 * 1000};
  while (nanosleep(&left, &left) != 0) {
  }
}

int Call(const char* name, int file) {
  using Sync = int (*)(int);
  const auto real = reinterpret_cast<Sync>(dlsym(RTLD_NEXT, name));
  Delay();
  return real(file);
}

}  // namespace

extern "C" int fsync(int file) { return Call("fsync", file); }
extern "C" int fdatasync(int file) { return Call("fdatasync", file); }
