#include "standards-service/domain/publication.h"

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/civil.h"
#include "common/resource/snapshot.h"
#include "common/status/status.h"
#include "standards-service/domain/field_rules.h"

namespace transparency::standards::domain {
namespace {

constexpr char kType[] = "standards.transparency/Publication";

absl::Time Effective(v1::Publication* publication, absl::Time) {
  publication->clear_allowed_steps();
  switch (publication->state()) {
    case v1::Publication::PUBLISHED:
      publication->add_allowed_steps("retire");
      break;
    case v1::Publication::RETIRED:
      break;
    default:
      publication->set_state(v1::Publication::DRAFT);
      publication->add_allowed_steps("publish");
  }
  return absl::InfiniteFuture();
}

void CheckEditions(const v1::Publication& publication,
                   status::Violations* violations) {
  std::set<std::string> languages;
  for (int i = 0; i < publication.editions_size(); ++i) {
    const auto& edition = publication.editions(i);
    const std::string path = absl::StrCat("publication.editions[", i, "]");
    if (!languages.insert(absl::AsciiStrToLower(edition.language())).second) {
      violations->Add(absl::StrCat(path, ".language"),
                      absl::StrCat(edition.language(), " comes twice"));
    }
    CheckDocuments(absl::StrCat(path, ".documents"), edition.documents(),
                   violations);
  }
}

void CheckTopics(const v1::Publication& publication,
                 status::Violations* violations) {
  std::set<std::string> topics;
  for (int i = 0; i < publication.topics_size(); ++i) {
    const std::string& topic = publication.topics(i);
    if (topic.empty() || !topics.insert(absl::AsciiStrToLower(topic)).second) {
      violations->Add(
          absl::StrCat("publication.topics[", i, "]"),
          topic.empty() ? "is empty" : absl::StrCat(topic, " comes twice"));
    }
  }
}

absl::Status Check(const resource::Snapshot&, const v1::Publication*,
                   v1::Publication* after, absl::Time now) {
  status::Violations violations;
  CheckEditions(*after, &violations);
  CheckTopics(*after, &violations);
  if (!violations.empty()) return violations.ToStatus();
  if (after->state() != v1::Publication::PUBLISHED &&
      after->state() != v1::Publication::RETIRED) {
    return absl::OkStatus();
  }
  absl::Status past = CheckNotAhead("publication.publication_date",
                                    after->publication_date(), now);
  if (!past.ok()) return past;
  if (after->has_publication_date() && after->has_retirement_date() &&
      SurelyBefore(after->retirement_date(), after->publication_date())) {
    return status::InvalidField("publication.publication_date",
                                "is after the day of retirement");
  }
  return absl::OkStatus();
}

absl::Status CheckState(const v1::Publication& publication,
                        v1::Publication::State needed, const char* step) {
  if (publication.state() == needed) return absl::OkStatus();
  return status::StepNotAllowed(
      kType, publication.name(), step,
      v1::Publication::State_Name(publication.state()),
      {publication.allowed_steps().begin(), publication.allowed_steps().end()});
}

}  // namespace

resource::Rules<v1::Publication> PublicationRules() {
  return {.effective = Effective, .check = Check};
}

absl::Status Publish(const google::type::Date* date, absl::Time now,
                     v1::Publication* publication) {
  absl::Status status =
      CheckState(*publication, v1::Publication::DRAFT, "publish");
  if (!status.ok()) return status;
  if (date != nullptr) *publication->mutable_publication_date() = *date;
  status = CheckNotAhead("date", publication->publication_date(), now);
  if (!status.ok()) {
    if (date != nullptr) return status;
    return Contradiction(publication->name(), publication->publication_date(),
                         "is the recorded day of publication, and ahead");
  }
  publication->set_state(v1::Publication::PUBLISHED);
  return absl::OkStatus();
}

absl::Status Retire(const google::type::Date* date, absl::Time now,
                    v1::Publication* publication) {
  absl::Status status =
      CheckState(*publication, v1::Publication::PUBLISHED, "retire");
  if (!status.ok()) return status;
  const google::type::Date day =
      date != nullptr ? *date : civil::ToDate(Today(now));
  status = CheckNotAhead("date", day, now);
  if (!status.ok()) return status;
  if (publication->has_publication_date() &&
      SurelyBefore(day, publication->publication_date())) {
    return Contradiction(publication->name(), day,
                         "is before the day of publication");
  }
  *publication->mutable_retirement_date() = day;
  publication->set_state(v1::Publication::RETIRED);
  return absl::OkStatus();
}

}  // namespace transparency::standards::domain
