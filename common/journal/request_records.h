#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/journal/writer.h"
#include "common/postgres/session.h"

namespace transparency::journal {

// The first answer to a request_id.
struct RequestRecord {
  std::string request_digest;
  std::string answer;  // less personal fields
  std::string revision_token;
  int64_t revision = -1;
};

// The request records of one batch: those found, and those it adds. Keyed by
// caller, method and id.
class RequestRecords {
 public:
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

  // The command is not asked for again: its record is to be stored.
  void Add(const Command& command, RequestRecord record);

  // Appends the INSERT of what was added, if anything was.
  void AppendInsert(absl::Time now,
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

  std::map<Key, Held> records_;
};

}  // namespace transparency::journal
