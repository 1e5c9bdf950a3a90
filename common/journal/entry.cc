#include "common/journal/entry.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/journal/json.h"
#include "common/postgres/params.h"

namespace transparency::journal {
namespace {

// Parts of an entry, as its commitments name them.
constexpr char kActor[] = "actor";
constexpr char kReason[] = "reason";
constexpr char kRequestId[] = "requestId";
constexpr char kBody[] = "body";
constexpr char kPersonal[] = "personal";
constexpr char kNonce[] = "nonce";

std::string Commitment(absl::string_view key, absl::string_view part) {
  return digest::Sha256(key, part);
}

std::string Commit(absl::string_view salt, absl::string_view label,
                   absl::string_view part) {
  return Commitment(digest::Hmac(salt, label), part);
}

// Members are appended in the order of RFC 8785: by their names.
void AppendMember(absl::string_view name, const std::string& value,
                  std::string* json) {
  absl::StrAppend(json, json->back() == '{' ? "\"" : ",\"", name, "\":");
  AppendJsonString(value, json);
}

// What both the statement and the entry hold, from `recordTime` on.
void AppendPlace(absl::string_view service, const Entry& entry,
                 std::string* json) {
  AppendMember("recordTime",
               absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", entry.record_time,
                                absl::UTCTimeZone()),
               json);
  AppendMember("revision", absl::StrCat(entry.revision), json);
  AppendMember("service", std::string(service), json);
}

}  // namespace

std::string BodyCommitment(absl::string_view salt, absl::string_view body) {
  return Commit(salt, kBody, body);
}

std::string PersonalCommitment(absl::string_view salt,
                               absl::string_view personal_salt,
                               absl::string_view personal) {
  if (personal_salt.empty()) return Commit(salt, kPersonal, personal);
  return Commitment(digest::Hmac(personal_salt, absl::StrCat(kPersonal, salt)),
                    personal);
}

std::string Nonce(const Entry& entry) {
  return digest::Hmac(entry.salt, kNonce);
}

v1::Change::Commitments Commitments(const Entry& entry) {
  const auto commit = [&](absl::string_view label, absl::string_view part) {
    return absl::BytesToHexString(Commit(entry.salt, label, part));
  };
  v1::Change::Commitments commitments;
  commitments.set_actor(commit(kActor, entry.actor));
  commitments.set_reason(commit(kReason, entry.reason));
  commitments.set_request_id(commit(kRequestId, entry.request_id));
  commitments.set_body(absl::BytesToHexString(entry.body_commitment));
  commitments.set_personal(absl::BytesToHexString(entry.personal_commitment));
  return commitments;
}

std::string Statement(absl::string_view service, const Entry& entry) {
  const v1::Change::Commitments commitments = Commitments(entry);
  std::string json = "{\"commitments\":{";
  AppendMember(kActor, commitments.actor(), &json);
  AppendMember(kBody, commitments.body(), &json);
  AppendMember(kPersonal, commitments.personal(), &json);
  AppendMember(kReason, commitments.reason(), &json);
  AppendMember(kRequestId, commitments.request_id(), &json);
  json += "}";
  AppendMember("kind", v1::Change::Kind_Name(entry.kind), &json);
  AppendMember("name", entry.name, &json);
  AppendMember(kNonce, absl::BytesToHexString(Nonce(entry)), &json);
  if (entry.public_digest.has_value()) {
    AppendMember("publicDigest", absl::BytesToHexString(*entry.public_digest),
                 &json);
  }
  AppendPlace(service, entry, &json);
  AppendMember("step", entry.step, &json);
  return json + "}";
}

std::string LogEntry(absl::string_view service, const Entry& entry) {
  std::string statement = Statement(service, entry);
  if (entry.public_digest.has_value()) return statement;
  std::string json = "{";
  AppendMember("commitment", absl::BytesToHexString(digest::Sha256(statement)),
               &json);
  AppendPlace(service, entry, &json);
  return json + "}";
}

std::string LeafHash(absl::string_view service, const Entry& entry) {
  return digest::Sha256(
      absl::StrCat(absl::string_view("\0", 1), LogEntry(service, entry)));
}

std::string ChainDigest(absl::string_view previous, absl::string_view service,
                        const Entry& entry) {
  std::string link = previous.empty() ? std::string(digest::kBytes, '\0')
                                      : std::string(previous);
  postgres::AppendInt64(&link, entry.revision);
  postgres::AppendInt64(&link, absl::ToUnixMicros(entry.record_time));
  return digest::Sha256(absl::StrCat(link, LeafHash(service, entry)));
}

absl::Status CheckEntry(absl::string_view previous, absl::string_view service,
                        const Entry& entry) {
  if (ChainDigest(previous, service, entry) != entry.digest) {
    return absl::DataLossError(absl::StrCat("entry ", entry.revision, " (",
                                            entry.name,
                                            ") is not what its digest says"));
  }
  // An erasure's was of what stood before it.
  if (entry.kind != v1::Change::ERASED &&
      BodyCommitment(entry.salt, entry.body) != entry.body_commitment) {
    return absl::DataLossError(absl::StrCat("entry ", entry.revision, " (",
                                            entry.name,
                                            ") has another body than it "
                                            "commits to"));
  }
  return absl::OkStatus();
}

absl::Status CheckNext(int64_t revision, absl::Time time,
                       absl::string_view digest, absl::string_view service,
                       const Entry& entry) {
  if (entry.revision != revision + 1) {
    return absl::DataLossError(
        absl::StrCat("entry ", revision + 1, " is missing"));
  }
  if (entry.record_time < time) {
    return absl::DataLossError(absl::StrCat(
        "entry ", entry.revision, " is earlier than the entry before it"));
  }
  return CheckEntry(digest, service, entry);
}

}  // namespace transparency::journal
