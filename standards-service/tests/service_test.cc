// The service as clients see it, over gRPC on a database of its own.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/service/testing/running_service.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "standards-service/service/definition.h"
#include "transparency/standards/v1/standards_service.pb.h"

namespace transparency::standards {
namespace {

using transparency::service::Parse;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using v1::Membership;
using v1::Organization;
using v1::Publication;

class StandardsServiceTest : public transparency::service::RunningServiceTest {
 protected:
  StandardsServiceTest()
      : RunningServiceTest(service::Definition(),
                           absl::FromCivil(absl::CivilSecond(2026, 3, 10, 12),
                                           absl::UTCTimeZone())) {}

  absl::StatusOr<Organization> CreateOrganization(
      const std::string& id, const std::string& fields = "") {
    return StaffCall<Organization>(
        "CreateOrganization",
        Parse<v1::CreateOrganizationRequest>(absl::StrCat(
            "organization_id: '", id, "' organization { display_name: '", id,
            "' ", fields, "}")));
  }
  absl::StatusOr<Membership> CreateMembership(const std::string& organization,
                                              const std::string& id,
                                              const std::string& fields) {
    return StaffCall<Membership>(
        "CreateMembership",
        Parse<v1::CreateMembershipRequest>(absl::StrCat(
            "parent: 'organizations/", organization, "' membership_id: '", id,
            "' membership { legal_entity: 'Huawei' ", fields, "}")));
  }
  absl::StatusOr<Membership> GetMembership(const std::string& name,
                                           const std::string& token = "") {
    v1::GetMembershipRequest request;
    request.set_name(name);
    return Call<Membership>("GetMembership", request, token);
  }
};

TEST_F(StandardsServiceTest, WhatStaffRecordEverybodyReads) {
  auto created =
      CreateOrganization("etsi", "kind: STANDARDS_BODY abbreviation: 'ETSI'");
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->name(), "organizations/etsi");
  EXPECT_FALSE(created->etag().empty());
  v1::GetOrganizationRequest get;
  get.set_name("organizations/etsi");
  auto got = Call<Organization>("GetOrganization", get);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->DebugString(), created->DebugString());

  const auto refused = Call<Organization>(
      "CreateOrganization",
      Parse<v1::CreateOrganizationRequest>("organization {display_name: 'x'}"));
  EXPECT_TRUE(absl::IsUnauthenticated(refused.status()) ||
              absl::IsPermissionDenied(refused.status()))
      << refused.status();
}

TEST_F(StandardsServiceTest, ReferencesMustExist) {
  EXPECT_EQ(status::Reason(CreateOrganization(
                               "lfn", "parent_organization: 'organizations/lf'")
                               .status()),
            "REFERENCE_NOT_FOUND");
  EXPECT_EQ(CreateMembership("none", "m", "").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(StandardsServiceTest, ParentsFormNoCircle) {
  ASSERT_TRUE(CreateOrganization("a").ok());
  ASSERT_TRUE(
      CreateOrganization("b", "parent_organization: 'organizations/a'").ok());
  const auto refused = StaffCall<Organization>(
      "UpdateOrganization", Parse<v1::UpdateOrganizationRequest>(R"(
          organization { name: 'organizations/a'
                         parent_organization: 'organizations/b' })"));
  EXPECT_EQ(status::Reason(refused.status()), "PARENT_CYCLE");
}

TEST_F(StandardsServiceTest, AnnualFeeIsSeenByStaffAlone) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  const auto created = CreateMembership(
      "etsi", "huawei", "annual_fee { currency_code: 'EUR' units: 100 }");
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->annual_fee().units(), 100);
  const auto to_public = GetMembership(created->name());
  ASSERT_TRUE(to_public.ok()) << to_public.status();
  EXPECT_FALSE(to_public->has_annual_fee());
  EXPECT_EQ(to_public->etag(), created->etag());
  const auto to_staff = GetMembership(created->name(), "staff-token");
  ASSERT_TRUE(to_staff.ok()) << to_staff.status();
  EXPECT_TRUE(to_staff->has_annual_fee());
}

TEST_F(StandardsServiceTest, MembershipGoesThroughItsStepsWithTheClock) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  const auto applied = CreateMembership("etsi", "huawei", "");
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(applied->state(), Membership::APPLIED);
  EXPECT_THAT(applied->allowed_steps(), ElementsAre("activate"));

  auto activate = Parse<v1::ActivateMembershipRequest>(
      absl::StrCat("name: '", applied->name(), "' etag: '\"stale\"'",
                   " date { year: 2026 month: 4 day: 1 }"));
  EXPECT_EQ(status::Reason(
                StaffCall<Membership>("ActivateMembership", activate).status()),
            "ETAG_MISMATCH");
  activate.set_etag(applied->etag());
  const auto accepted = StaffCall<Membership>("ActivateMembership", activate);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->state(), Membership::APPLIED);

  clock().Set(
      absl::FromCivil(absl::CivilSecond(2026, 4, 1), absl::UTCTimeZone()));
  const auto active = GetMembership(applied->name());
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(active->state(), Membership::ACTIVE);

  activate.set_etag("");
  const auto again = StaffCall<Membership>("ActivateMembership", activate);
  EXPECT_EQ(status::Reason(again.status()), "STEP_NOT_ALLOWED");
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("ACTIVE"));

  const auto left = StaffCall<Membership>(
      "LeaveMembership", Parse<v1::LeaveMembershipRequest>(absl::StrCat(
                             "name: '", applied->name(),
                             "' date { year: 2026 month: 3 day: 31 }")));
  EXPECT_EQ(status::Reason(left.status()), "DATE_CONTRADICTS_RECORD");
  const auto lapsed = StaffCall<Membership>(
      "LapseMembership", Parse<v1::LapseMembershipRequest>(absl::StrCat(
                             "name: '", applied->name(),
                             "' date { year: 2026 month: 12 day: 31 }")));
  ASSERT_TRUE(lapsed.ok()) << lapsed.status();
  EXPECT_EQ(lapsed->steps_size(), 2);
}

TEST_F(StandardsServiceTest, OfOverlappingMembershipsOneIsRecorded) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  std::atomic<int> recorded{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&, i] {
      const auto created =
          CreateMembership("etsi", absl::StrCat("m", i),
                           "period { from { year: 2020 month: 1 day: 1 }"
                           " open_ended: true }");
      if (created.ok()) ++recorded;
      if (status::Reason(created.status()) == "MEMBERSHIP_OVERLAPS") ++refused;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(recorded, 1);
  EXPECT_EQ(refused, 15);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM memberships"), 1);
}

TEST_F(StandardsServiceTest, ADraftExistsForStaffAlone) {
  const auto draft = StaffCall<Publication>(
      "CreatePublication", Parse<v1::CreatePublicationRequest>(
                               "publication_id: 'p' publication {title: 'P'}"));
  ASSERT_TRUE(draft.ok()) << draft.status();
  EXPECT_EQ(draft->state(), Publication::DRAFT);
  v1::GetPublicationRequest get;
  get.set_name(draft->name());
  EXPECT_TRUE(
      absl::IsNotFound(Call<Publication>("GetPublication", get).status()));
  const auto count = [&] {
    const auto list = Call<v1::ListPublicationsResponse>(
        "ListPublications", v1::ListPublicationsRequest());
    return list.ok() ? list->publications_size() : -1;
  };
  EXPECT_EQ(count(), 0);

  v1::PublishPublicationRequest publish;
  publish.set_name(draft->name());
  const auto published = StaffCall<Publication>("PublishPublication", publish);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_TRUE(Call<Publication>("GetPublication", get).ok());
  EXPECT_EQ(count(), 1);

  v1::RetirePublicationRequest retire;
  retire.set_name(draft->name());
  const auto retired = StaffCall<Publication>("RetirePublication", retire);
  ASSERT_TRUE(retired.ok()) << retired.status();
  EXPECT_EQ(retired->retirement_date().day(), 10);
  EXPECT_TRUE(Call<Publication>("GetPublication", get).ok());
}

TEST_F(StandardsServiceTest, ListsTheMembershipsOfAllOrganizations) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  ASSERT_TRUE(CreateOrganization("ietf").ok());
  ASSERT_TRUE(CreateMembership("etsi", "huawei", "").ok());
  ASSERT_TRUE(CreateMembership("ietf", "huawei", "").ok());
  v1::ListMembershipsRequest list;
  list.set_parent("organizations/-");
  list.set_page_size(1);
  std::vector<std::string> names;
  do {
    const auto page =
        Call<v1::ListMembershipsResponse>("ListMemberships", list);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& membership : page->memberships()) {
      names.push_back(membership.name());
    }
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  EXPECT_THAT(names, ElementsAre("organizations/etsi/memberships/huawei",
                                 "organizations/ietf/memberships/huawei"));
}

TEST_F(StandardsServiceTest, ParticipationIsAnsweredFromTheRecordsOwnDates) {
  ASSERT_TRUE(CreateOrganization("etsi", "kind: STANDARDS_BODY").ok());
  ASSERT_TRUE(CreateOrganization("lfn").ok());
  ASSERT_TRUE(CreateMembership("etsi", "huawei",
                               "period { attested_on { year: 2019 month: 12"
                               " day: 31 } }")
                  .ok());
  ASSERT_TRUE(CreateMembership("lfn", "huawei",
                               "period { from { year: 2020 month: 1 day: 1 }"
                               " open_ended: true }")
                  .ok());
  const auto summarize = [&](const std::string& request) {
    return Call<v1::SummarizeParticipationResponse>(
        "SummarizeParticipation",
        Parse<v1::SummarizeParticipationRequest>(request));
  };
  const auto then = summarize("as_of { year: 2019 month: 12 day: 31 }");
  ASSERT_TRUE(then.ok()) << then.status();
  EXPECT_EQ(then->participation().total().active_organizations(), 1);
  EXPECT_EQ(then->participation().total().undetermined_organizations(), 0);
  EXPECT_EQ(then->participation().kinds(0).kind(),
            Organization::STANDARDS_BODY);
  const auto now = summarize("");
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->participation().as_of().year(), 2026);
  EXPECT_EQ(now->participation().total().active_organizations(), 1);
  EXPECT_EQ(now->participation().total().undetermined_organizations(), 1);
  const auto nobody = summarize("legal_entity: 'Other'");
  ASSERT_TRUE(nobody.ok()) << nobody.status();
  EXPECT_EQ(nobody->participation().kinds_size(), 0);
  EXPECT_EQ(summarize("as_of { year: 2019 month: 12 }").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(StandardsServiceTest, ARepeatedRequestGetsTheFirstAnswer) {
  auto create = Parse<v1::CreateStandardRequest>(R"(
      standard { designation: 'O-TTPS' version: '1.0' }
      request_id: '6a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d')");
  const auto first = StaffCall<v1::Standard>("CreateStandard", create);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = StaffCall<v1::Standard>("CreateStandard", create);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->DebugString(), second->DebugString());
  create.mutable_standard()->set_version("1.1");
  EXPECT_EQ(status::Reason(
                StaffCall<v1::Standard>("CreateStandard", create).status()),
            "REQUEST_ID_REUSED");
  EXPECT_EQ(database_.Number("SELECT count(*) FROM standards"), 1);
}

TEST_F(StandardsServiceTest, ADeletedMembershipCountsForNoDay) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  const std::string since2020 =
      "period { from { year: 2020 month: 1 day: 1 } open_ended: true }";
  ASSERT_TRUE(CreateMembership("etsi", "a", since2020).ok());
  const auto active = [&] {
    const auto summary = Call<v1::SummarizeParticipationResponse>(
        "SummarizeParticipation", Parse<v1::SummarizeParticipationRequest>(
                                      "as_of { year: 2021 month: 1 day: 1 }"));
    return summary.ok() ? summary->participation().total().active_memberships()
                        : -1;
  };
  EXPECT_EQ(active(), 1);
  const std::string name = "organizations/etsi/memberships/a";
  v1::DeleteMembershipRequest remove;
  remove.set_name(name);
  ASSERT_TRUE(StaffCall<Membership>("DeleteMembership", remove).ok());
  EXPECT_EQ(active(), 0);
  EXPECT_TRUE(absl::IsNotFound(GetMembership(name).status()));

  // Its time is free for another, and then it cannot come back.
  ASSERT_TRUE(CreateMembership("etsi", "b", since2020).ok());
  v1::UndeleteMembershipRequest undelete;
  undelete.set_name(name);
  EXPECT_EQ(status::Reason(
                StaffCall<Membership>("UndeleteMembership", undelete).status()),
            "MEMBERSHIP_OVERLAPS");
  remove.set_name("organizations/etsi/memberships/b");
  ASSERT_TRUE(StaffCall<Membership>("DeleteMembership", remove).ok());
  const auto back = StaffCall<Membership>("UndeleteMembership", undelete);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->state(), Membership::ACTIVE);
  EXPECT_EQ(back->steps_size(), 0);
  EXPECT_EQ(active(), 1);
}

TEST_F(StandardsServiceTest, AnOrganizationGoesLastAndComesBackFirst) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  ASSERT_TRUE(CreateMembership("etsi", "m", "").ok());
  const auto remove = [&] {
    return StaffCall<Organization>(
        "DeleteOrganization",
        Parse<v1::DeleteOrganizationRequest>(
            "name: 'organizations/etsi' reason: 'twice'"));
  };
  EXPECT_EQ(status::Reason(remove().status()), "HAS_CHILDREN");
  const std::string name = "organizations/etsi/memberships/m";
  v1::DeleteMembershipRequest membership;
  membership.set_name(name);
  ASSERT_TRUE(StaffCall<Membership>("DeleteMembership", membership).ok());
  ASSERT_TRUE(remove().ok());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE kind = 3"
                             " AND reason = 'twice'"),
            1);
  EXPECT_TRUE(absl::IsNotFound(CreateMembership("etsi", "other", "").status()));
  v1::UndeleteMembershipRequest undelete;
  undelete.set_name(name);
  EXPECT_EQ(status::Reason(
                StaffCall<Membership>("UndeleteMembership", undelete).status()),
            "REFERENCE_NOT_FOUND");
  // Staff still find what was below it.
  v1::ListMembershipsRequest list;
  list.set_parent("organizations/etsi");
  list.set_show_deleted(true);
  const auto kept =
      StaffCall<v1::ListMembershipsResponse>("ListMemberships", list);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->memberships_size(), 1);
  EXPECT_TRUE(absl::IsNotFound(
      Call<v1::ListMembershipsResponse>("ListMemberships", list).status()));

  v1::UndeleteOrganizationRequest back;
  back.set_name("organizations/etsi");
  ASSERT_TRUE(StaffCall<Organization>("UndeleteOrganization", back).ok());
  EXPECT_TRUE(StaffCall<Membership>("UndeleteMembership", undelete).ok());
}

TEST_F(StandardsServiceTest, ADesignationIsGivenOnceAmongLiveStandards) {
  ASSERT_TRUE(CreateOrganization("otpf").ok());
  const auto create = [&](const std::string& id) {
    return StaffCall<v1::Standard>(
        "CreateStandard",
        Parse<v1::CreateStandardRequest>(absl::StrCat(
            "standard_id: '", id, "' standard { designation: 'O-TTPS'",
            " version: '1.0' publisher: 'organizations/otpf' }")));
  };
  ASSERT_TRUE(create("a").ok());
  v1::DeleteStandardRequest remove;
  remove.set_name("standards/a");
  ASSERT_TRUE(StaffCall<v1::Standard>("DeleteStandard", remove).ok());
  ASSERT_TRUE(create("b").ok());
  v1::UndeleteStandardRequest undelete;
  undelete.set_name("standards/a");
  EXPECT_EQ(status::Reason(
                StaffCall<v1::Standard>("UndeleteStandard", undelete).status()),
            "NOT_UNIQUE");
  EXPECT_EQ(status::Reason(create("a").status()), "DELETED_EXISTS");
}

TEST_F(StandardsServiceTest, APublicationComesBackInItsState) {
  ASSERT_TRUE(StaffCall<Publication>(
                  "CreatePublication",
                  Parse<v1::CreatePublicationRequest>(
                      "publication_id: 'p' publication {title: 'P'}"))
                  .ok());
  v1::PublishPublicationRequest publish;
  publish.set_name("publications/p");
  ASSERT_TRUE(StaffCall<Publication>("PublishPublication", publish).ok());
  v1::DeletePublicationRequest remove;
  remove.set_name("publications/p");
  ASSERT_TRUE(StaffCall<Publication>("DeletePublication", remove).ok());
  v1::UndeletePublicationRequest undelete;
  undelete.set_name("publications/p");
  const auto back = StaffCall<Publication>("UndeletePublication", undelete);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->state(), Publication::PUBLISHED);
}

TEST_F(StandardsServiceTest, DeletingIsRepeatedAndTriedLikeEveryChange) {
  ASSERT_TRUE(CreateOrganization("etsi").ok());
  auto remove = Parse<v1::DeleteOrganizationRequest>(
      "name: 'organizations/etsi' validate_only: true");
  const auto tried = StaffCall<Organization>("DeleteOrganization", remove);
  ASSERT_TRUE(tried.ok()) << tried.status();
  EXPECT_TRUE(tried->has_delete_time());
  v1::GetOrganizationRequest get;
  get.set_name("organizations/etsi");
  EXPECT_TRUE(Call<Organization>("GetOrganization", get).ok());
  remove.set_validate_only(false);
  remove.set_request_id("6a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d");
  const auto first = StaffCall<Organization>("DeleteOrganization", remove);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = StaffCall<Organization>("DeleteOrganization", remove);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->DebugString(), second->DebugString());
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal WHERE kind = 3"), 1);
}

TEST_F(StandardsServiceTest, ACommitmentEndsByItsStep) {
  const auto made = StaffCall<v1::Commitment>(
      "CreateCommitment",
      Parse<v1::CreateCommitmentRequest>(
          "commitment_id: 'c' commitment { initiative: 'Call' }"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), v1::Commitment::ACTIVE);
  const auto ended = StaffCall<v1::Commitment>(
      "EndCommitment",
      Parse<v1::EndCommitmentRequest>(
          "name: 'commitments/c' date { year: 2025 } reason: 'merged'"));
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), v1::Commitment::ENDED);
  EXPECT_EQ(database_.Number("SELECT count(*) FROM journal"
                             " WHERE reason = 'merged'"),
            1);
}

}  // namespace
}  // namespace transparency::standards
