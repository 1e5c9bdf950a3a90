#include "common/journal/replica/convert.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "common/journal/order_lock.h"
#include "common/journal/replay.h"
#include "common/journal/replica/workbench.h"

namespace transparency::journal {
namespace {

constexpr char kIsConverted[] =
    "SELECT convalidated FROM pg_constraint "
    "WHERE conrelid = 'journal'::regclass AND conname = 'journal_salted'";
constexpr char kBegin[] = "BEGIN";
constexpr char kAllowChange[] =
    "ALTER TABLE journal DISABLE TRIGGER journal_append_only";
constexpr char kRefuseChange[] =
    "ALTER TABLE journal ENABLE TRIGGER journal_append_only";
constexpr char kValidate[] =
    "ALTER TABLE journal VALIDATE CONSTRAINT journal_salted";
constexpr char kBodyBefore[] =
    "SELECT body FROM journal WHERE name = $1::text AND "
    "revision < $2::bigint AND kind <> 5 ORDER BY revision DESC LIMIT 1";
constexpr char kUpdate[] = R"sql(
  UPDATE journal j SET public_digest = u.public_digest, salt = u.salt,
    body_commitment = u.body_commitment,
    personal_commitment = u.personal_commitment, digest = u.digest
  FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[],
              $6::bytea[])
    AS u(revision, public_digest, salt, body_commitment, personal_commitment,
         digest)
  WHERE j.revision = u.revision)sql";
constexpr absl::Duration kLimit = absl::Hours(1);

class Converter {
 public:
  Converter(postgres::Session* session, const resource::Catalogue& catalogue)
      : session_(session),
        catalogue_(catalogue),
        deadline_(absl::Now() + kLimit) {}

  absl::StatusOr<int64_t> Run() {
    auto converted = session_->Query(kIsConverted, {}, deadline_);
    if (!converted.ok()) return converted.status();
    if (converted->rows() == 1 && converted->Bool(0, 0)) return 0;
    absl::Status status =
        session_
            ->QueryAll({{kBegin, {}}, {kTakeOrderLock, {}}, {kAllowChange, {}}},
                       deadline_)
            .status();
    if (status.ok()) status = Entries();
    if (status.ok()) {
      status =
          session_->QueryAll({{kRefuseChange, {}}, {kValidate, {}}}, deadline_)
              .status();
    }
    if (status.ok()) status = session_->Commit(deadline_);
    if (status.ok()) return count_;
    session_->Rollback(deadline_);
    return status;
  }

 private:
  absl::Status Entries() {
    while (true) {
      auto read = ReadEntries(session_, count_ - 1, kReplayLimit, deadline_);
      if (!read.ok()) return read.status();
      if (read->empty()) return absl::OkStatus();
      for (Replayed& replayed : *read) {
        absl::Status status = Convert(&replayed);
        if (!status.ok()) return status;
      }
      absl::Status status = Write(*read);
      if (!status.ok()) return status;
      count_ += static_cast<int64_t>(read->size());
    }
  }

  absl::Status Convert(Replayed* replayed) {
    Entry& entry = replayed->entry;
    Replayed whole = *replayed;
    if (entry.kind == v1::Change::ERASED) {
      postgres::Params params;
      params.Text(entry.name).Int(entry.revision);
      auto before = session_->Query(kBodyBefore, params, deadline_);
      if (!before.ok()) return before.status();
      if (before->rows() == 1) whole.entry.body = before->Text(0, 0);
    }
    const resource::Kind* kind = catalogue_.ByName(entry.name);
    if (kind != nullptr) {
      auto item = ItemOf(*kind, whole, entry.record_time);
      if (!item.ok()) return item.status();
      entry.public_digest = PublicDigest(**item);
    }
    entry.salt = digest::RandomBytes(digest::kBytes);
    entry.body_commitment = BodyCommitment(entry.salt, whole.entry.body);
    entry.personal_commitment = PersonalCommitment(
        entry.salt, replayed->personal_salt, replayed->personal_body);
    entry.digest = ChainDigest(digest_, catalogue_.service(), entry);
    digest_ = entry.digest;
    return absl::OkStatus();
  }

  absl::Status Write(const std::vector<Replayed>& entries) {
    std::vector<int64_t> revisions;
    std::vector<postgres::Params::Optional> public_digests;
    std::vector<absl::string_view> salts, bodies, personals, digests;
    for (const Replayed& replayed : entries) {
      const Entry& entry = replayed.entry;
      revisions.push_back(entry.revision);
      public_digests.push_back(entry.public_digest);
      salts.push_back(entry.salt);
      bodies.push_back(entry.body_commitment);
      personals.push_back(entry.personal_commitment);
      digests.push_back(entry.digest);
    }
    postgres::Params params;
    params.Ints(revisions)
        .OptionalByteStrings(public_digests)
        .ByteStrings(salts)
        .ByteStrings(bodies)
        .ByteStrings(personals)
        .ByteStrings(digests);
    return session_->Query(kUpdate, params, deadline_).status();
  }

  postgres::Session* const session_;
  const resource::Catalogue& catalogue_;
  const absl::Time deadline_;
  int64_t count_ = 0;
  std::string digest_;
};

}  // namespace

absl::StatusOr<int64_t> ConvertJournal(postgres::Session* session,
                                       const resource::Catalogue& catalogue) {
  return Converter(session, catalogue).Run();
}

}  // namespace transparency::journal
