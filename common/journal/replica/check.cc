#include "common/journal/replica/check.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/fields/references.h"
#include "common/journal/replay.h"
#include "common/journal/replica/workbench.h"
#include "common/journal/table.h"

namespace transparency::journal {
namespace {

using google::protobuf::Message;
using resource::Item;
using resource::Kind;
using resource::Snapshot;

constexpr char kSelectPersonal[] =
    "SELECT resource FROM personal ORDER BY resource";
constexpr absl::Duration kLimit = absl::Hours(1);
// Rows whose columns are compared in one statement.
constexpr size_t kRowsAtOnce = 1000;

class Checker {
 public:
  Checker(postgres::Session* session, const resource::Catalogue& catalogue,
          absl::Time now)
      : session_(session),
        catalogue_(catalogue),
        now_(now),
        deadline_(absl::Now() + kLimit) {}

  absl::StatusOr<CheckReport> Run() {
    absl::StatusOr<std::vector<Table>> tables =
        ReadTables(session_, catalogue_);
    if (!tables.ok()) return tables.status();
    absl::Status status = BeginSnapshotRead(session_, deadline_);
    if (status.ok()) status = RunInTransaction(*tables);
    session_->Rollback(deadline_);
    if (!status.ok()) return status;
    return std::move(report_);
  }

 private:
  absl::Status RunInTransaction(const std::vector<Table>& tables) {
    absl::StatusOr<Snapshot> replayed = ReplayJournal();
    if (!replayed.ok()) return replayed.status();
    absl::StatusOr<Loaded> loaded =
        LoadInTransaction(session_, catalogue_, tables, now_, deadline_);
    if (!loaded.ok()) return loaded.status();
    for (const std::string& problem : loaded->problems) {
      misfits_.insert(problem.substr(0, problem.find(':')));
      report_.problems.push_back(problem);
    }
    const Snapshot& stored = loaded->snapshot;
    for (const auto& kind : catalogue_.kinds()) {
      CompareItems(*kind, *replayed, stored);
      CheckReferences(*kind, stored);
    }
    for (const Table& table : tables) {
      absl::Status status = CheckColumns(table, stored);
      if (!status.ok()) return status;
    }
    return CheckPersonal(stored);
  }

  template <class... Part>
  void Problem(const Part&... part) {
    report_.problems.push_back(absl::StrCat(part...));
  }

  absl::StatusOr<Snapshot> ReplayJournal() {
    resource::SnapshotBuilder builder{Snapshot(&catalogue_)};
    builder.Advance(now_);
    int64_t revision = -1;
    absl::Time time = absl::InfinitePast();
    std::string digest;
    while (true) {
      auto entries = ReadEntries(session_, revision, kReplayLimit, deadline_);
      if (!entries.ok()) return entries.status();
      if (entries->empty()) break;
      for (const Replayed& replayed : *entries) {
        const Entry& entry = replayed.entry;
        absl::Status status =
            CheckNext(revision, time, digest, catalogue_.service(), entry);
        if (!status.ok()) Problem("journal: ", status.message());
        status = ReplayUnchecked(replayed, now_, &builder);
        if (!status.ok()) Problem("journal: ", status.message());
        revision = entry.revision;
        time = entry.record_time;
        digest = entry.digest;
        ++report_.entries;
      }
    }
    return std::move(builder).Build();
  }

  void CompareItems(const Kind& kind, const Snapshot& replayed,
                    const Snapshot& stored) {
    stored.Scan(kind, "", [&](const Item& item) {
      ++report_.resources;
      if (misfits_.count(item.name()) > 0) return true;
      const Item* other = replayed.Find(item.name());
      if (other == nullptr) {
        Problem(item.name(), ": its row stands in no journal entry");
      } else if (other->revision() != item.revision()) {
        Problem(item.name(), ": its row is of revision ", item.revision(),
                ", its last journal entry ", other->revision());
      } else if (other->bytes() != item.bytes()) {
        Problem(item.name(), ": its row is not what the journal says");
      }
      return true;
    });
    replayed.Scan(kind, "", [&](const Item& item) {
      if (stored.Find(item.name()) == nullptr) {
        Problem(item.name(), ": it has journal entries and no row");
      }
      return true;
    });
  }

  void CheckReferences(const Kind& kind, const Snapshot& stored) {
    std::unique_ptr<Message> scratch;
    stored.Scan(kind, "", [&](const Item& item) {
      if (item.deleted()) return true;
      if (kind.parent != nullptr &&
          stored.FindLive(ParentOf(item.name())) == nullptr) {
        Problem(item.name(), ": its parent is not there");
      }
      fields::VisitReferences(
          item.message(&scratch), [&](const fields::Reference& reference) {
            const std::string& name = reference.name();
            const bool ours = catalogue_.ByType(reference.type()) != nullptr ||
                              catalogue_.ByName(name) != nullptr;
            if (reference.is_foreign() || !ours) return;
            if (stored.FindLive(name) == nullptr) {
              Problem(item.name(), ": ", reference.path(), " refers to ", name,
                      ", which there is not");
            }
          });
      return true;
    });
  }

  absl::Status CheckColumns(const Table& table, const Snapshot& stored) {
    if (!table.has_columns()) return absl::OkStatus();
    std::vector<absl::string_view> names;
    std::vector<std::string> documents;
    absl::Status status;
    const auto compare = [&] {
      postgres::Params params;
      params.Texts(names).Texts({documents.begin(), documents.end()});
      names.clear();
      documents.clear();
      auto wrong = session_->Query(table.mismatches(), params, deadline_);
      status = wrong.status();
      for (int row = 0; wrong.ok() && row < wrong->rows(); ++row) {
        Problem(wrong->Bytes(row, 0),
                ": its columns are not what its body says");
      }
    };
    // The rows' own bodies, not what the clock has made of them since.
    status = session_->CopyOut(
        table.select_names(),
        [&](const postgres::Session::Row& row) {
          AddRow(table, stored, row, &names, &documents);
          return true;
        },
        deadline_);
    std::vector<absl::string_view> all_names;
    std::vector<std::string> all_documents;
    all_names.swap(names);
    all_documents.swap(documents);
    for (size_t at = 0; status.ok() && at < all_names.size(); ++at) {
      names.push_back(all_names[at]);
      documents.push_back(std::move(all_documents[at]));
      if (names.size() == kRowsAtOnce || at + 1 == all_names.size()) compare();
    }
    return status;
  }

  void AddRow(const Table& table, const Snapshot& stored,
              const postgres::Session::Row& row,
              std::vector<absl::string_view>* names,
              std::vector<std::string>* documents) {
    const Item* item = stored.Find(*row[0]);
    if (item == nullptr) {
      Problem(*row[0], ": its row has not the name of its body");
      return;
    }
    std::unique_ptr<Message> message(item->kind().prototype->New());
    message->ParseFromArray(row[1]->data(), static_cast<int>(row[1]->size()));
    names->push_back(item->name());
    documents->push_back(table.RowJson(*message));
  }

  absl::Status CheckPersonal(const Snapshot& stored) {
    absl::StatusOr<postgres::Result> rows =
        session_->Query(kSelectPersonal, {}, deadline_);
    if (!rows.ok()) return rows.status();
    for (int row = 0; row < rows->rows(); ++row) {
      ++report_.personal_bodies;
      const Item* item = stored.Find(rows->Bytes(row, 0));
      if (item == nullptr || item->kind().personal_fields.empty()) {
        Problem("personal: a body belongs to ", rows->Bytes(row, 0),
                ", which is no resource with personal fields");
      }
    }
    return absl::OkStatus();
  }

  postgres::Session* const session_;
  const resource::Catalogue& catalogue_;
  const absl::Time now_;
  const absl::Time deadline_;
  CheckReport report_;
  std::set<std::string> misfits_;  // rows reported already
};

}  // namespace

absl::StatusOr<CheckReport> Check(postgres::Session* session,
                                  const resource::Catalogue& catalogue,
                                  absl::Time now) {
  return Checker(session, catalogue, now).Run();
}

}  // namespace transparency::journal
