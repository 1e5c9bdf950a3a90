#include "standards-service/domain/publication.h"

#include <string>
#include <vector>

#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "standards-service/tests/fixture.h"

namespace transparency::standards {
namespace {

using ::testing::ElementsAre;
using v1::Publication;

constexpr char kPaper[] = "name: 'publications/p' title: 'P'";

using PublicationTest = DomainTest;

TEST_F(PublicationTest, DraftThenPublishedThenRetired) {
  Publication paper = Put(Parse<Publication>(kPaper));
  EXPECT_EQ(paper.state(), Publication::DRAFT);
  EXPECT_THAT(paper.allowed_steps(), ElementsAre("publish"));
  EXPECT_EQ(status::Reason(domain::Retire(nullptr, now_, &paper)),
            "STEP_NOT_ALLOWED");

  const auto may = Date(2019, 5);
  ASSERT_TRUE(domain::Publish(&may, now_, &paper).ok());
  paper = Put(paper);
  EXPECT_EQ(paper.state(), Publication::PUBLISHED);
  EXPECT_EQ(paper.publication_date().month(), 5);
  EXPECT_THAT(paper.allowed_steps(), ElementsAre("retire"));
  EXPECT_EQ(status::Reason(domain::Publish(&may, now_, &paper)),
            "STEP_NOT_ALLOWED");

  ASSERT_TRUE(domain::Retire(nullptr, now_, &paper).ok());
  paper = Put(paper);
  EXPECT_EQ(paper.state(), Publication::RETIRED);
  EXPECT_EQ(paper.retirement_date().day(), 10);
  EXPECT_EQ(paper.allowed_steps_size(), 0);
}

TEST_F(PublicationTest, PublishingKeepsTheDateOfTheDraft) {
  Publication paper = Put(Parse<Publication>(
      "name: 'publications/p' title: 'P' publication_date {year: 2019}"));
  ASSERT_TRUE(domain::Publish(nullptr, now_, &paper).ok());
  EXPECT_EQ(paper.publication_date().year(), 2019);
}

TEST_F(PublicationTest, NothingIsPublishedOrRetiredAhead) {
  const auto ahead = Date(2026, 3, 11);
  Publication draft = Put(Parse<Publication>(kPaper));
  EXPECT_EQ(domain::Publish(&ahead, now_, &draft).code(),
            absl::StatusCode::kInvalidArgument);
  *draft.mutable_publication_date() = ahead;
  EXPECT_EQ(status::Reason(domain::Publish(nullptr, now_, &draft)),
            "DATE_CONTRADICTS_RECORD");

  Publication paper = Put(
      Parse<Publication>("name: 'publications/p' title: 'P' state: PUBLISHED"
                         " publication_date {year: 2019 month: 5}"));
  EXPECT_EQ(domain::Retire(&ahead, now_, &paper).code(),
            absl::StatusCode::kInvalidArgument);
  const auto before = Date(2019, 4, 30);
  EXPECT_EQ(status::Reason(domain::Retire(&before, now_, &paper)),
            "DATE_CONTRADICTS_RECORD");
  *paper.mutable_publication_date() = ahead;
  EXPECT_EQ(Check(paper).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PublicationTest, LanguagesAndTopicsComeOnce) {
  const absl::Status refused = Check(Parse<Publication>(R"(
      name: 'publications/p' title: 'P'
      topics: 'AI' topics: 'ai'
      editions { language: 'en' documents { size_bytes: -1 } }
      editions { language: 'EN' })"));
  google::rpc::BadRequest details;
  ASSERT_TRUE(status::FindDetail(refused, &details));
  std::vector<std::string> fields;
  for (const auto& violation : details.field_violations()) {
    fields.push_back(violation.field());
  }
  EXPECT_THAT(
      fields,
      ElementsAre("publication.editions[0].documents[0].size_bytes",
                  "publication.editions[1].language", "publication.topics[1]"));
}

}  // namespace
}  // namespace transparency::standards
