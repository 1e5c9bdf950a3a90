#include "common/journal/secrets.h"

#include "common/base/digest.h"

namespace transparency::journal {
namespace {

constexpr char kSelectSecret[] = R"sql(
  SELECT s.key, c.convalidated FROM secret s, pg_constraint c
  WHERE c.conrelid = 'journal'::regclass AND c.conname = 'journal_salted')sql";

}  // namespace

absl::StatusOr<Secrets> ReadSecrets(postgres::Session* session,
                                    absl::Time deadline) {
  auto row = session->Query(kSelectSecret, {}, deadline);
  if (!row.ok()) return row.status();
  if (row->rows() != 1) {
    return absl::FailedPreconditionError("the database has no secret");
  }
  if (!row->Bool(0, 1)) {
    return absl::FailedPreconditionError(
        "the journal is of an older format: run `migrate`");
  }
  const std::string key = row->Text(0, 0);
  return Secrets{digest::Hmac(key, "etag"), digest::Hmac(key, "request")};
}

}  // namespace transparency::journal
