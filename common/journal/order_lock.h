#pragma once

namespace transparency::journal {

// Waits for the right to write the journal, until the transaction ends. Any
// number that no other user of the database takes.
inline constexpr char kTakeOrderLock[] =
    "SELECT pg_advisory_xact_lock(7301550442)";

}  // namespace transparency::journal
