#include "common/journal/replica/auditor.h"

#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/journal/clock.h"
#include "common/journal/replay.h"
#include "common/journal/table.h"
#include "common/postgres/session.h"
#include "spdlog/spdlog.h"

namespace transparency::journal {
namespace {

constexpr char kSelectDigest[] =
    "SELECT digest FROM journal WHERE revision = $1::bigint";
constexpr absl::Duration kPageTime = absl::Seconds(30);
// After a page that could not be read.
constexpr absl::Duration kRetryPause = absl::Seconds(1);

absl::optional<absl::string_view> Column(const postgres::Result& rows, int row,
                                         int column) {
  if (rows.IsNull(row, column)) return absl::nullopt;
  return rows.Bytes(row, column);
}

}  // namespace

class Auditor::Thread {
 public:
  Thread(AuditorOptions options, const resource::Catalogue* catalogue,
         Integrity* integrity, std::function<void()> load_again)
      : options_(std::move(options)),
        catalogue_(catalogue),
        integrity_(integrity),
        load_again_(std::move(load_again)) {}

  ~Thread() { Stop(); }

  void Start() {
    thread_ = std::thread([this] { Loop(); });
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  // How far the pass has come: the journal first, then table by table.
  struct Place {
    int64_t revision = -1;
    absl::Time time = absl::InfinitePast();
    std::string digest;
    bool journal_done = false;
    size_t table = 0;
    std::string name;  // of that table, the last looked at
  };

  // False when the thread is to end.
  bool Rest(absl::Duration duration) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), duration);
    return !stopping_;
  }

  void Loop() {
    Place place;
    absl::Duration rest = absl::ZeroDuration();
    while (Rest(rest)) {
      const absl::Time begun = SteadyNow();
      absl::StatusOr<bool> more = NextPage(&place);
      rest = (SteadyNow() - begun) * options_.rest;
      if (!more.ok()) {
        spdlog::warn("auditor: {}", std::string(more.status().message()));
        session_.reset();
        rest = kRetryPause;
      } else if (!*more) {
        if (integrity_->PassEnded()) load_again_();
        place = Place();
        rest = options_.interval;
      }
    }
  }

  absl::Status Connect() {
    postgres::SessionOptions session_options;
    session_options.conninfo = options_.conninfo;
    session_options.application_name = "transparency auditor";
    auto session = postgres::Session::Connect(session_options);
    if (!session.ok()) return session.status();
    auto tables = ReadTables(session->get(), *catalogue_);
    if (!tables.ok()) return tables.status();
    tables_ = *std::move(tables);
    session_ = *std::move(session);
    return absl::OkStatus();
  }

  // False at the end of the pass.
  absl::StatusOr<bool> NextPage(Place* place) {
    if (session_ == nullptr || !session_->usable()) {
      absl::Status status = Connect();
      if (!status.ok()) return status;
    }
    absl::Status status;
    if (!place->journal_done) {
      status = CheckEntries(place);
    } else if (place->table < tables_.size()) {
      status = CheckRows(place);
    }
    if (!status.ok()) return status;
    return !place->journal_done || place->table < tables_.size();
  }

  absl::Status CheckEntries(Place* place) {
    auto entries = ReadEntries(session_.get(), place->revision, options_.page,
                               absl::Now() + kPageTime);
    if (!entries.ok()) return entries.status();
    const std::string service = catalogue_->service();
    std::map<const resource::Kind*, std::set<std::string>> names;
    for (const Replayed& replayed : *entries) {
      const Entry& entry = replayed.entry;
      absl::Status sound = CheckNext(place->revision, place->time,
                                     place->digest, service, entry);
      if (!sound.ok()) {
        absl::StatusOr<bool> same = SameHistory(*place);
        if (!same.ok()) return same.status();
        if (!*same) {
          *place = Place();
          return absl::OkStatus();
        }
        integrity_->Found(absl::StrCat("journal: ", sound.message()));
      }
      place->revision = entry.revision;
      place->time = entry.record_time;
      place->digest = entry.digest;
      const resource::Kind* kind = catalogue_->ByName(entry.name);
      if (kind != nullptr) names[kind].insert(entry.name);
    }
    place->journal_done = static_cast<int64_t>(entries->size()) < options_.page;
    return CheckPresence(names);
  }

  // Whether the database still holds the entry that the pass came to: another
  // state may have been put in its place meanwhile, which the follower sees to.
  absl::StatusOr<bool> SameHistory(const Place& place) {
    if (place.revision < 0) return true;
    postgres::Params params;
    params.Int(place.revision);
    auto rows = session_->Query(kSelectDigest, params, absl::Now() + kPageTime);
    if (!rows.ok()) return rows.status();
    return rows->rows() == 1 && rows->Bytes(0, 0) == place.digest;
  }

  absl::Status CheckPresence(
      const std::map<const resource::Kind*, std::set<std::string>>& names) {
    for (const Table& table : tables_) {
      auto found = names.find(&table.kind());
      if (found == names.end()) continue;
      postgres::Params params;
      params.Texts({found->second.begin(), found->second.end()});
      auto missing = session_->Query(table.select_missing(), params,
                                     absl::Now() + kPageTime);
      if (!missing.ok()) return missing.status();
      for (int row = 0; row < missing->rows(); ++row) {
        integrity_->Found(absl::StrCat(missing->Bytes(row, 0),
                                       ": it has journal entries and no row"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckRows(Place* place) {
    const Table& table = tables_[place->table];
    postgres::Params params;
    params.Text(place->name).Int(options_.page);
    auto rows =
        session_->Query(table.select_audit(), params, absl::Now() + kPageTime);
    if (!rows.ok()) return rows.status();
    for (int row = 0; row < rows->rows(); ++row) {
      StoredRow stored;
      stored.body = rows->Bytes(row, 1);
      stored.salt = Column(*rows, row, 3);
      stored.body_commitment = rows->Bytes(row, 4);
      stored.personal_commitment = Column(*rows, row, 5);
      stored.personal_salt = rows->Bytes(row, 6);
      stored.personal = rows->Bytes(row, 7);
      const absl::string_view problem =
          rows->Int(row, 2) == rows->Int(row, 8)
              ? RowProblem(stored)
              : absl::string_view("its row is not of its last journal entry");
      if (!problem.empty()) {
        integrity_->Found(absl::StrCat(rows->Bytes(row, 0), ": ", problem));
      }
    }
    if (rows->rows() < options_.page) {
      ++place->table;
      place->name.clear();
    } else {
      place->name = rows->Text(rows->rows() - 1, 0);
    }
    return absl::OkStatus();
  }

  const AuditorOptions options_;
  const resource::Catalogue* const catalogue_;
  Integrity* const integrity_;
  const std::function<void()> load_again_;
  std::unique_ptr<postgres::Session> session_;
  std::vector<Table> tables_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

Auditor::Auditor(AuditorOptions options, const resource::Catalogue* catalogue,
                 Integrity* integrity, std::function<void()> load_again)
    : thread_(std::make_unique<Thread>(std::move(options), catalogue, integrity,
                                       std::move(load_again))) {}

Auditor::~Auditor() = default;
void Auditor::Start() { thread_->Start(); }
void Auditor::Stop() { thread_->Stop(); }

}  // namespace transparency::journal
