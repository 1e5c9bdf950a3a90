#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/journal/replica/writer.h"
#include "common/postgres/session.h"

namespace transparency::journal {

// The first answer to a request_id.
struct RequestRecord {
  // Under a key of the database, 32 bytes.
  std::string request_digest;
  // Of the personal fields, under a salt of this record. Both empty where there
  // were none, where they set no resource's, and once what they set is erased
  // or replaced: nobody can confirm a guess at it then. The names of what they
  // set.
  std::string personal_digest;
  std::string personal_salt;
  std::set<std::string> personal_of;
  std::string answer;  // less personal fields
  std::string revision_token;
  int64_t revision = -1;
};

// The request records of one batch: those found, and those it adds. Keyed by
// caller, method and id.
class RequestRecords {
 public:
  // `key`: Secrets::request_key.
  explicit RequestRecords(std::string key) : key_(std::move(key)) {}

  // Whether a command looks for a record and leaves one: it has a well-formed
  // request_id and is not validate_only.
  static bool Covers(const Command& command);
  static bool WellFormed(const std::string& request_id);

  // Reads what there is for the commands, in one statement.
  absl::Status LookUp(postgres::Session* session,
                      const std::vector<Command>& commands,
                      absl::Time deadline);

  // Null when there is none, stored or added.
  const RequestRecord* Find(const Command& command) const;

  // Whether a command repeats the one of the record. Personal fields count as
  // long as the record has a digest of them.
  bool Fits(const RequestRecord& record, const Command& command) const;

  // The command is not asked for again: its record is to be stored. `touched`:
  // the resources whose personal fields it may have set.
  void Add(const Command& command, const std::set<std::string>& touched,
           std::string answer, std::string revision_token, int64_t revision);

  // The personal fields of this resource are erased or replaced: what came
  // before must not tell of them.
  void Forget(const std::string& resource);

  // Appends the statements that write what was added and forgotten.
  void AppendWrites(absl::Time now,
                    std::vector<postgres::Statement>* statements) const;

  // Takes out stored records older than `before`, 5,000 at most: the writer has
  // other things to do. False once there are none left.
  static absl::StatusOr<bool> Purge(postgres::Session* session,
                                    absl::Time before);

 private:
  struct Key {
    std::string caller, method, request_id;
    bool operator<(const Key& other) const;
  };
  struct Held {
    RequestRecord record;
    bool added = false;
  };
  static Key KeyOf(const Command& command);

  const std::string key_;
  std::map<Key, Held> records_;
  std::set<std::string> forgotten_;
};

}  // namespace transparency::journal
