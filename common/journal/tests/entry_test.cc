#include "common/journal/entry.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::journal {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kService[] = "standards.transparency";

std::string Hex(const std::string& bytes) {
  return absl::BytesToHexString(bytes);
}

// 32 bytes that count up from `first`.
std::string Salt(int first) {
  std::string salt;
  for (int i = 0; i < 32; ++i) salt.push_back(static_cast<char>(first + i));
  return salt;
}

void Seal(absl::string_view previous, Entry* entry) {
  entry->body_commitment = BodyCommitment(entry->salt, entry->body);
  entry->personal_commitment = PersonalCommitment(entry->salt, "", "");
  entry->digest = ChainDigest(previous, kService, *entry);
}

// The worked example of ARCHITECTURE.md, whose digests come from another
// program (tests/e2e/journal_proof.py holds its like).
Entry Published() {
  Entry entry;
  entry.revision = 0;
  entry.record_time = absl::FromUnixSeconds(1769850000);
  entry.name = "organizations/ietf";
  entry.kind = v1::Change::CREATED;
  entry.step = "CreateOrganization";
  entry.actor = "ada";
  entry.body = "\x0a\x12organizations/ietf";
  entry.public_digest = digest::Sha256(R"({"name":"organizations/ietf"})");
  entry.salt = Salt(0);
  Seal("", &entry);
  return entry;
}

Entry Draft() {
  Entry entry;
  entry.revision = 1;
  entry.record_time = absl::FromUnixSeconds(1769850001);
  entry.name = "publications/draft";
  entry.kind = v1::Change::CREATED;
  entry.step = "CreatePublication";
  entry.actor = "ada";
  entry.reason = "not yet";
  entry.body = "\x0a\x12publications/draft";
  entry.salt = Salt(32);
  Seal(Published().digest, &entry);
  return entry;
}

TEST(Entry, OfWhatThePublicSeesIsItsStatement) {
  const Entry entry = Published();
  EXPECT_EQ(
      LogEntry(kService, entry),
      R"({"commitments":{)"
      R"("actor":"29a9f8362d0e6f2336f3d8a912fc73a18b412fdf66b8a112c798eac063889bcf",)"
      R"("body":"58846ca76618fb21698c59fff6b2945cbdde29e8002d04ea2ba72443b1bc9f28",)"
      R"("personal":"3d31a95e698b4cbe3782dde2e0bec82eec27d298e5cfe35e8986cc07b89d581a",)"
      R"("reason":"8db73c799bb9d0f5ab53831aa6dca7f005a92f921bf6064e74cf28ea266ee5ca",)"
      R"("requestId":"3b690d9864d211b34713e51e9a0a32b548ec0b1cd1b7291c9f5ce3e436f2080e"},)"
      R"("kind":"CREATED","name":"organizations/ietf",)"
      R"("nonce":"2d6bdc53990132ece9c88b9338803bfbc139aadb037138d17b1dc04c344cdf8a",)"
      R"("publicDigest":"a2b8793ecf9028a726a5bac4b61b8588a1764d982455ec9f07a1656ad711608b",)"
      R"("recordTime":"2026-01-31T09:00:00.000000Z","revision":"0",)"
      R"("service":"standards.transparency","step":"CreateOrganization"})");
  EXPECT_EQ(Statement(kService, entry), LogEntry(kService, entry));
  EXPECT_EQ(Hex(LeafHash(kService, entry)),
            "d2dee5f4b55008ca862ac8ee850bd7179ceb0c127a3ee1914b162cc70d96c550");
  EXPECT_EQ(Hex(entry.digest),
            "7320553ee729d176c7983bbfe922647e3d14a584de7c7cd7a52fd4a83ca73d07");
}

TEST(Entry, OfWhatThePublicDoesNotSeeIsACommitmentAlone) {
  const Entry entry = Draft();
  EXPECT_EQ(
      LogEntry(kService, entry),
      R"({"commitment":"3fa46842a368c885d4cdcc89c7d6f2faae3737edb91198f46907d49889525dba",)"
      R"("recordTime":"2026-01-31T09:00:01.000000Z","revision":"1",)"
      R"("service":"standards.transparency"})");
  EXPECT_EQ(Hex(LeafHash(kService, entry)),
            "9841379ba9f46dd5c7fd8cd655492937238d66d9d6461c68369b2c0c622f7c30");
  EXPECT_EQ(Hex(entry.digest),
            "24294709d26a5101e26519c00cc440a9fae9fd42a9f828c88042ef22e593c532");
  EXPECT_THAT(LogEntry(kService, entry), Not(HasSubstr("publications")));
}

TEST(Entry, FitsTheLogWhateverItHolds) {
  Entry entry = Published();
  entry.name = std::string(500, 'n');
  entry.step = std::string(200, 's');
  entry.actor = std::string(size_t{1} << 16, 'a');
  entry.reason = std::string(size_t{1} << 16, '"');
  entry.body = std::string(size_t{1} << 20, 'b');
  EXPECT_LT(LogEntry(kService, entry).size(), 65'536u);
}

TEST(Entry, EveryPartCountsAndNoTwoMeanTheSame) {
  const Entry entry = Published();
  std::vector<Entry> others(11, entry);
  others[0].revision = 5;
  others[1].record_time += absl::Microseconds(1);
  others[2].name = "x";
  others[3].step = "x";
  others[4].actor = "x";
  others[5].reason = "ada";
  others[6].request_id = "ada";
  others[7].body = "x";
  others[8].public_digest = std::string(32, 'x');
  others[9].salt = Salt(64);
  others[10].kind = v1::Change::UPDATED;
  std::vector<std::string> digests = {entry.digest};
  for (Entry& other : others) {
    Seal("", &other);
    for (const std::string& digest : digests) EXPECT_NE(other.digest, digest);
    digests.push_back(other.digest);
  }
  Entry after = Draft();
  Seal(digests[1], &after);
  EXPECT_NE(after.digest, Draft().digest);
}

// Whoever guesses all the rest right learns nothing without the salt.
TEST(Entry, TellsNothingOfHiddenPartsWithoutItsSalt) {
  Entry one = Published();
  Entry two = Published();
  two.salt = Salt(64);
  Seal("", &two);
  const auto mine = Commitments(one);
  const auto theirs = Commitments(two);
  EXPECT_NE(mine.actor(), theirs.actor());
  EXPECT_NE(mine.reason(), theirs.reason());
  EXPECT_NE(mine.request_id(), theirs.request_id());
  EXPECT_NE(mine.body(), theirs.body());
  EXPECT_NE(mine.personal(), theirs.personal());
  EXPECT_NE(Nonce(one), Nonce(two));
  // Of one entry, equal parts do not look equal either.
  one.reason = one.request_id = one.actor;
  EXPECT_NE(Commitments(one).reason(), Commitments(one).actor());
  EXPECT_NE(Commitments(one).reason(), Commitments(one).request_id());
}

TEST(Entry, PersonalFieldsAreCommittedToUnderTheirOwnSaltToo) {
  const std::string personal = PersonalCommitment(Salt(0), "salt", "ada");
  EXPECT_NE(personal, PersonalCommitment(Salt(0), "other", "ada"));
  EXPECT_NE(personal, PersonalCommitment(Salt(1), "salt", "ada"));
  EXPECT_NE(personal, PersonalCommitment(Salt(0), "salt", "bob"));
}

TEST(Entry, CheckFindsWhatDoesNotFit) {
  const Entry first = Published();
  const Entry second = Draft();
  const auto check = [&](const Entry& entry) {
    return CheckNext(0, first.record_time, first.digest, kService, entry);
  };
  EXPECT_TRUE(check(second).ok());
  EXPECT_THAT(std::string(check(first).message()), HasSubstr("is missing"));
  Entry wrong = second;
  wrong.body[4] ^= 1;
  EXPECT_THAT(std::string(check(wrong).message()), HasSubstr("another body"));
  wrong = second;
  wrong.body_commitment = BodyCommitment(wrong.salt, wrong.body + "x");
  EXPECT_THAT(std::string(check(wrong).message()), HasSubstr("digest"));
  wrong = second;
  wrong.record_time = first.record_time - absl::Seconds(1);
  EXPECT_THAT(std::string(check(wrong).message()), HasSubstr("earlier"));
  wrong = second;
  wrong.reason = "now";
  EXPECT_THAT(std::string(check(wrong).message()),
              HasSubstr("entry 1 (publications/draft)"));
}

}  // namespace
}  // namespace transparency::journal
