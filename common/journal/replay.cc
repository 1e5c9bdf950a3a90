#include "common/journal/replay.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/journal/integrity.h"

namespace transparency::journal {
namespace {

using google::protobuf::Message;
using resource::Item;
using resource::ItemPtr;
using resource::Kind;

constexpr char kSelectEntries[] = R"sql(
  SELECT j.revision, j.record_time, j.name, j.kind, j.step, j.actor, j.reason,
         j.request_id, j.body, j.public_digest, j.digest, j.salt,
         j.body_commitment, j.personal_commitment, p.salt, p.body
  FROM journal j LEFT JOIN personal p ON p.resource = j.name
  WHERE j.revision > $1::bigint ORDER BY j.revision LIMIT $2::bigint)sql";
constexpr char kSelectMarks[] = R"sql(
  SELECT revision, digest FROM journal
  WHERE revision > $1::bigint ORDER BY revision)sql";

constexpr char kBeginSnapshotRead[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
// It holds no lock that others wait for.
constexpr char kNoIdleTimeout[] =
    "SELECT set_config('idle_in_transaction_session_timeout', '0', true)";

// Marks read at a load: tokens older than that are taken on trust anyway.
constexpr int64_t kMarksAtLoad = 1 << 14;
// Rows that are handed to a parsing thread at once.
constexpr size_t kRowsAtOnce = 256;
// What may wait for one.
constexpr size_t kMaxChunks = 16;
constexpr size_t kMaxMakers = 4;

absl::Status Unreadable(absl::string_view name) {
  return absl::DataLossError(
      absl::StrCat("the stored body of ", name, " cannot be read"));
}

// Makes items of rows on threads of their own, which costs more than fetching
// them.
class ItemMakers {
 public:
  explicit ItemMakers(absl::Time now) : now_(now) {
    const unsigned cores = std::thread::hardware_concurrency();
    makers_.resize(std::clamp<size_t>(cores, 1, kMaxMakers));
    for (Maker& maker : makers_) {
      maker.thread = std::thread([this, &maker] { Work(&maker); });
    }
  }
  ~ItemMakers() { Join(); }

  void Add(const Kind& kind, const postgres::Session::Row& row) {
    if (chunk_.kind != &kind) {
      Hand();
      chunk_.kind = &kind;
    }
    Raw raw;
    raw.body = Keep(*row[0]);
    raw.revision = postgres::ReadInt(*row[1]);
    raw.has_entry = row[2].has_value();
    if (raw.has_entry) {
      raw.entry_salt = Keep(*row[2]);
      raw.body_commitment = Keep(*row[3]);
    }
    raw.has_personal_commitment = row.size() > 4 && row[4].has_value();
    if (raw.has_personal_commitment) raw.personal_commitment = Keep(*row[4]);
    if (row.size() > 4 && row[5].has_value()) {
      raw.salt = Keep(*row[5]);
      raw.personal = Keep(*row[6]);
    }
    chunk_.rows.push_back(raw);
    if (chunk_.rows.size() >= kRowsAtOnce) Hand();
  }

  // Puts all items into the builder's empty snapshot. Appends what does not fit
  // the journal.
  absl::Status Finish(resource::SnapshotBuilder* builder,
                      std::vector<std::string>* problems) {
    Join();
    std::vector<resource::SnapshotPart> parts;
    for (Maker& maker : makers_) {
      if (!maker.status.ok()) return maker.status;
      parts.push_back(std::move(maker.part));
      problems->insert(problems->end(), maker.problems.begin(),
                       maker.problems.end());
    }
    builder->Fill(std::move(parts));
    return absl::OkStatus();
  }

 private:
  // A part of Chunk::bytes.
  struct Part {
    size_t offset = 0;
    size_t size = 0;
  };
  struct Raw {
    Part body, salt, personal;
    Part entry_salt, body_commitment, personal_commitment;
    bool has_entry = false;
    bool has_personal_commitment = false;
    int64_t revision = -1;
  };
  struct Chunk {
    const Kind* kind = nullptr;
    std::string bytes;
    std::vector<Raw> rows;

    absl::string_view At(Part part) const {
      return absl::string_view(bytes).substr(part.offset, part.size);
    }
  };
  // Its thread's own until that is joined.
  struct Maker {
    resource::SnapshotPart part;
    std::vector<std::string> problems;
    absl::Status status;
    std::thread thread;
  };

  Part Keep(absl::string_view value) {
    const Part part{chunk_.bytes.size(), value.size()};
    chunk_.bytes.append(value.data(), value.size());
    return part;
  }

  void Hand() {
    if (chunk_.rows.empty()) return;
    const Kind* const kind = chunk_.kind;
    absl::MutexLock lock(&mutex_);
    const auto room = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return chunks_.size() < kMaxChunks;
    };
    mutex_.Await(absl::Condition(&room));
    chunks_.push_back(std::move(chunk_));
    chunk_ = Chunk();
    if (!spare_.empty()) {
      chunk_ = std::move(spare_.back());
      spare_.pop_back();
    }
    chunk_.kind = kind;
  }

  void Join() {
    if (!makers_.front().thread.joinable()) return;
    Hand();
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
    }
    for (Maker& maker : makers_) maker.thread.join();
  }

  void Work(Maker* maker) {
    Chunk chunk;
    std::unique_ptr<Message> scratch;
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        if (chunk.kind != nullptr) spare_.push_back(std::move(chunk));
        const auto ready = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
          return ended_ || !chunks_.empty();
        };
        mutex_.Await(absl::Condition(&ready));
        if (chunks_.empty()) break;
        chunk = std::move(chunks_.front());
        chunks_.pop_front();
      }
      for (const Raw& raw : chunk.rows) {
        maker->status.Update(Make(chunk, raw, &scratch, maker));
      }
      chunk.rows.clear();
      chunk.bytes.clear();
    }
    maker->part.Sort();
  }

  absl::Status Make(const Chunk& chunk, const Raw& raw,
                    std::unique_ptr<Message>* scratch, Maker* maker) const {
    ItemPtr item = Item::Read(*chunk.kind,
                              {chunk.At(raw.body), chunk.At(raw.personal),
                               chunk.At(raw.salt), raw.revision},
                              now_, scratch);
    if (item == nullptr) {
      return Unreadable(
          absl::StrCat(chunk.kind->table, " of revision ", raw.revision));
    }
    StoredRow row;
    row.body = chunk.At(raw.body);
    if (raw.has_entry) row.salt = chunk.At(raw.entry_salt);
    row.body_commitment = chunk.At(raw.body_commitment);
    if (raw.has_personal_commitment) {
      row.personal_commitment = chunk.At(raw.personal_commitment);
    }
    row.personal_salt = chunk.At(raw.salt);
    row.personal = chunk.At(raw.personal);
    const absl::string_view problem = RowProblem(row);
    if (!problem.empty()) {
      maker->problems.push_back(absl::StrCat(item->name(), ": ", problem));
    }
    maker->part.Add(std::move(item), **scratch);
    return absl::OkStatus();
  }

  const absl::Time now_;
  Chunk chunk_;  // of the adding thread
  absl::Mutex mutex_;
  std::deque<Chunk> chunks_ ABSL_GUARDED_BY(mutex_);
  // Used ones: to free much at once makes glibc tidy all that is free.
  std::vector<Chunk> spare_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Maker> makers_;
};

// The item of an entry whose content is `stored`; its message is left in
// `scratch`.
absl::StatusOr<ItemPtr> Read(const Kind& kind, const Replayed& replayed,
                             Item::StoredBytes stored, absl::Time at,
                             std::unique_ptr<Message>* scratch) {
  stored.revision = replayed.entry.revision;
  if (replayed.has_personal) {
    stored.personal = replayed.personal_body;
    stored.personal_salt = replayed.personal_salt;
  }
  ItemPtr item = Item::Read(kind, stored, at, scratch);
  if (item == nullptr) return Unreadable(replayed.entry.name);
  return item;
}

absl::Status LoadRows(postgres::Session* session,
                      const std::vector<Table>& tables,
                      resource::SnapshotBuilder* builder,
                      std::vector<std::string>* problems, absl::Time deadline) {
  ItemMakers makers(builder->view().instant());
  for (const Table& table : tables) {
    absl::Status status = session->CopyOut(
        table.select_bodies(),
        [&](const postgres::Session::Row& row) {
          makers.Add(table.kind(), row);
          return true;
        },
        deadline);
    if (!status.ok()) return status;
  }
  return makers.Finish(builder, problems);
}

}  // namespace

absl::StatusOr<ItemPtr> ItemOf(const Kind& kind, const Replayed& replayed,
                               absl::Time at) {
  Item::StoredBytes stored;
  stored.body = replayed.entry.body;
  std::unique_ptr<Message> scratch;
  return Read(kind, replayed, stored, at, &scratch);
}

Head ParseHead(const postgres::Result& row) {
  Head head;
  head.database_time = row.Time(0, 0);
  if (row.IsNull(0, 1)) return head;
  head.revision = row.Int(0, 1);
  head.digest = row.Text(0, 2);
  head.record_time = row.Time(0, 3);
  return head;
}

absl::StatusOr<std::vector<Replayed>> ReadEntries(postgres::Session* session,
                                                  int64_t revision,
                                                  int64_t limit,
                                                  absl::Time deadline) {
  postgres::Params params;
  params.Int(revision).Int(limit);
  absl::StatusOr<postgres::Result> rows =
      session->Query(kSelectEntries, params, deadline);
  if (!rows.ok()) return rows.status();
  std::vector<Replayed> entries(static_cast<size_t>(rows->rows()));
  for (int row = 0; row < rows->rows(); ++row) {
    Replayed& replayed = entries[static_cast<size_t>(row)];
    Entry& entry = replayed.entry;
    entry.revision = rows->Int(row, 0);
    entry.record_time = rows->Time(row, 1);
    entry.name = rows->Text(row, 2);
    entry.kind = static_cast<ChangeKind>(rows->Int(row, 3));
    entry.step = rows->Text(row, 4);
    entry.actor = rows->Text(row, 5);
    entry.reason = rows->Text(row, 6);
    entry.request_id = rows->Text(row, 7);
    entry.body = rows->Text(row, 8);
    if (!rows->IsNull(row, 9)) entry.public_digest = rows->Text(row, 9);
    entry.digest = rows->Text(row, 10);
    entry.salt = rows->Text(row, 11);
    entry.body_commitment = rows->Text(row, 12);
    entry.personal_commitment = rows->Text(row, 13);
    replayed.has_personal = !rows->IsNull(row, 14);
    replayed.personal_salt = rows->Text(row, 14);
    replayed.personal_body = rows->Text(row, 15);
  }
  return entries;
}

namespace {

// What is told of an entry just replayed; see Applied.
absl::StatusOr<std::shared_ptr<const Applied>> AppliedOf(
    const Replayed& replayed, const resource::Snapshot& view) {
  auto applied = std::make_shared<Applied>();
  Entry& entry = applied->entry;
  entry.revision = replayed.entry.revision;
  entry.record_time = replayed.entry.record_time;
  entry.name = replayed.entry.name;
  entry.kind = replayed.entry.kind;
  entry.step = replayed.entry.step;
  entry.actor = replayed.entry.actor;
  entry.reason = replayed.entry.reason;
  entry.public_digest = replayed.entry.public_digest;
  entry.digest = replayed.entry.digest;
  if (entry.kind == v1::Change::ERASED) return applied;
  applied->item = view.Share(entry.name);
  if (applied->item == nullptr || !applied->item->clock_pending()) {
    return applied;
  }
  // The clock has been faster than this replica.
  auto recorded = ItemOf(applied->item->kind(), replayed, entry.record_time);
  if (!recorded.ok()) return recorded.status();
  applied->item = *std::move(recorded);
  return applied;
}

}  // namespace

absl::Status ReplayUnchecked(const Replayed& replayed, absl::Time now,
                             resource::SnapshotBuilder* builder) {
  const Entry& entry = replayed.entry;
  const Kind* kind = builder->view().catalogue().ByName(entry.name);
  if (kind == nullptr) return absl::OkStatus();
  Item::StoredBytes stored;
  stored.body = entry.body;
  std::string erased;
  if (entry.kind == v1::Change::ERASED) {
    // The entry is without content: the resource stays as it was.
    const Item* previous = builder->view().Find(entry.name);
    if (previous == nullptr) return Unreadable(entry.name);
    erased = previous->StoredBody();
    stored.body = erased;
  }
  std::unique_ptr<Message> message;
  absl::StatusOr<ItemPtr> item = Read(*kind, replayed, stored, now, &message);
  if (!item.ok()) return item.status();
  builder->Put(*std::move(item), message.get());
  return absl::OkStatus();
}

absl::Status Replay(const std::vector<Replayed>& entries, absl::Time now,
                    resource::SnapshotBuilder* builder,
                    std::vector<Store::Mark>* marks) {
  now = std::max(now, builder->view().instant());
  builder->Advance(now);
  for (const Replayed& replayed : entries) {
    const Entry& entry = replayed.entry;
    const resource::Snapshot& view = builder->view();
    if (entry.revision != view.revision() + 1) {
      return absl::DataLossError(absl::StrCat(
          "journal entry ", entry.revision,
          " does not continue the history known up to ", view.revision()));
    }
    absl::Status status =
        CheckEntry(view.digest(), view.catalogue().service(), entry);
    if (status.ok()) status = ReplayUnchecked(replayed, now, builder);
    if (!status.ok()) return status;
    builder->SetHead(entry.revision, entry.digest);
    auto applied = AppliedOf(replayed, builder->view());
    if (!applied.ok()) return applied.status();
    marks->push_back({entry.revision, entry.digest, *std::move(applied)});
  }
  return absl::OkStatus();
}

absl::StatusOr<Loaded> LoadInTransaction(postgres::Session* session,
                                         const resource::Catalogue& catalogue,
                                         const std::vector<Table>& tables,
                                         absl::Time now, absl::Time deadline) {
  absl::StatusOr<postgres::Result> row =
      session->Query(kSelectHead, {}, deadline);
  if (!row.ok()) return row.status();
  const Head head = ParseHead(*row);
  postgres::Params after;
  after.Int(head.revision - kMarksAtLoad);
  absl::StatusOr<postgres::Result> rows =
      session->Query(kSelectMarks, after, deadline);
  if (!rows.ok()) return rows.status();
  std::vector<Store::Mark> marks;
  marks.reserve(static_cast<size_t>(rows->rows()));
  for (int i = 0; i < rows->rows(); ++i) {
    marks.push_back({rows->Int(i, 0), rows->Text(i, 1)});
  }
  resource::SnapshotBuilder builder{resource::Snapshot(&catalogue)};
  builder.Advance(now);
  std::vector<std::string> problems;
  absl::Status filled =
      LoadRows(session, tables, &builder, &problems, deadline);
  if (!filled.ok()) return filled;
  builder.SetHead(head.revision, head.digest);
  return Loaded{std::move(builder).Build(), std::move(marks),
                std::move(problems)};
}

absl::Status BeginSnapshotRead(postgres::Session* session,
                               absl::Time deadline) {
  return session
      ->QueryAll({{kBeginSnapshotRead, {}}, {kNoIdleTimeout, {}}}, deadline)
      .status();
}

absl::StatusOr<Loaded> LoadTables(postgres::Session* session,
                                  const resource::Catalogue& catalogue,
                                  const std::vector<Table>& tables,
                                  const Clock& clock, absl::Time deadline) {
  absl::Status begun = BeginSnapshotRead(session, deadline);
  if (!begun.ok()) return begun;
  auto loaded =
      LoadInTransaction(session, catalogue, tables, clock.Now(), deadline);
  session->Rollback(deadline);
  return loaded;
}

}  // namespace transparency::journal
