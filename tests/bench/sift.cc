// What it costs at least to look through all certificates: one loop over their
// stored bytes that reads each and looks at it with code written for it alone.
// Prints one line of JSON: certificates looked at, those found, seconds of CPU.

#include <algorithm>
#include <ctime>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/postgres/session.h"
#include "transparency/certification/v1/certificate.pb.h"

ABSL_FLAG(std::string, database, "", "conninfo of the service's database");
ABSL_FLAG(std::string, look, "", "terms, word or order");
ABSL_FLAG(int, passes, 1, "over all of them");

namespace transparency::bench {
namespace {

using certification::v1::Certificate;

constexpr size_t kPage = 50;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) / 1e9;
}

absl::Status ReadBodies(std::vector<std::string>* bodies) {
  postgres::SessionOptions options;
  options.conninfo = absl::GetFlag(FLAGS_database);
  auto session = postgres::Session::Connect(options);
  if (!session.ok()) return session.status();
  return (*session)->CopyOut(
      "SELECT body FROM certificates",
      [bodies](const postgres::Session::Row& row) {
        bodies->emplace_back(*row[0]);
        return true;
      },
      absl::Now() + absl::Minutes(1));
}

// One pass; how many were found.
using Look = std::function<size_t(const std::vector<std::string>&)>;

size_t Terms(const std::vector<std::string>& bodies) {
  Certificate certificate;
  size_t found = 0;
  for (const std::string& body : bodies) {
    certificate.ParseFromString(body);
    found += certificate.state() == Certificate::ACTIVE &&
             certificate.level() == "EAL4" &&
             certificate.certificate_number() == "none";
  }
  return found;
}

// All bytes of a certificate in place of its texts.
size_t Word(const std::vector<std::string>& bodies) {
  Certificate certificate;
  std::string folded;
  size_t found = 0;
  for (const std::string& body : bodies) {
    certificate.ParseFromString(body);
    folded = body;
    absl::AsciiStrToLower(&folded);
    found += absl::StrContains(folded, "unfindable");
  }
  return found;
}

// The first page by number.
size_t Order(const std::vector<std::string>& bodies) {
  Certificate certificate;
  std::vector<std::pair<std::string, const std::string*>> least;
  std::string key;
  for (const std::string& body : bodies) {
    certificate.ParseFromString(body);
    key = certificate.certificate_number();
    absl::AsciiStrToLower(&key);
    if (least.size() == kPage && key >= least.front().first) continue;
    least.emplace_back(key, &body);
    std::push_heap(least.begin(), least.end());
    if (least.size() > kPage) {
      std::pop_heap(least.begin(), least.end());
      least.pop_back();
    }
  }
  return least.size();
}

int Main() {
  const std::string name = absl::GetFlag(FLAGS_look);
  const Look look = name == "terms"   ? Look(Terms)
                    : name == "word"  ? Look(Word)
                    : name == "order" ? Look(Order)
                                      : Look();
  std::vector<std::string> bodies;
  const absl::Status read = ReadBodies(&bodies);
  if (look == nullptr || !read.ok()) {
    std::cerr << "needs --look and --database: " << read << "\n";
    return 2;
  }
  const double begun = CpuSeconds();
  size_t found = 0;
  for (int i = 0; i < absl::GetFlag(FLAGS_passes); ++i) found = look(bodies);
  std::cout << absl::StrFormat(
      "{\"certificates\":%d,\"found\":%d,\"cpu\":%.6f}\n",
      bodies.size() * static_cast<size_t>(absl::GetFlag(FLAGS_passes)), found,
      CpuSeconds() - begun);
  return 0;
}

}  // namespace
}  // namespace transparency::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return transparency::bench::Main();
}
