#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/resource/item.h"
#include "common/resource/kind.h"
#include "common/resource/snapshot.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "standards-service/domain/commitment.h"
#include "standards-service/domain/membership.h"
#include "standards-service/domain/organization.h"
#include "standards-service/domain/publication.h"
#include "standards-service/domain/standard.h"

namespace transparency::standards {

template <class T>
T Parse(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

inline google::type::Date Date(int year, int month = 0, int day = 0) {
  google::type::Date date;
  date.set_year(year);
  date.set_month(month);
  date.set_day(day);
  return date;
}

// Noon in UTC.
inline absl::Time Noon(int year, int month, int day) {
  return absl::FromCivil(absl::CivilSecond(year, month, day, 12),
                         absl::UTCTimeZone());
}

// The rules on a snapshot in memory.
class DomainTest : public ::testing::Test {
 protected:
  DomainTest() {
    EXPECT_TRUE(catalogue_.Add(domain::OrganizationRules()).ok());
    EXPECT_TRUE(catalogue_.Add(domain::MembershipRules()).ok());
    EXPECT_TRUE(catalogue_.Add(domain::StandardRules()).ok());
    EXPECT_TRUE(catalogue_.Add(domain::PublicationRules()).ok());
    EXPECT_TRUE(catalogue_.Add(domain::CommitmentRules()).ok());
    snapshot_ = std::make_unique<resource::Snapshot>(&catalogue_);
  }

  const resource::Snapshot& view() const { return *snapshot_; }

  template <class T>
  T Effective(T message) const {
    catalogue_.ByDescriptor(T::descriptor())->rules.effective(&message, now_);
    return message;
  }

  // Puts it into the snapshot unchecked; returns it as in effect.
  template <class T>
  T Put(const T& message) {
    resource::Item::Stored stored;
    stored.message = std::make_unique<T>(message);
    resource::ItemPtr item = resource::Item::Make(
        *catalogue_.ByDescriptor(T::descriptor()), std::move(stored), now_);
    resource::SnapshotBuilder builder(*snapshot_);
    builder.Put(item);
    snapshot_ =
        std::make_unique<resource::Snapshot>(std::move(builder).Build());
    return item->as<T>();
  }

  // The rules of create, or of update when a resource of that name is there.
  template <class T>
  absl::Status Check(T* message) const {
    return catalogue_.ByDescriptor(T::descriptor())
        ->rules.check(*snapshot_, snapshot_->Get<T>(message->name()), message,
                      now_);
  }
  template <class T>
  absl::Status Check(T message) const {
    return Check(&message);
  }

  // Checks it and, when it passes, puts it.
  template <class T>
  absl::Status Record(T message) {
    absl::Status status = Check(&message);
    if (status.ok()) Put(message);
    return status;
  }

  absl::Time now_ = Noon(2026, 3, 10);

 private:
  resource::Catalogue catalogue_;
  std::unique_ptr<resource::Snapshot> snapshot_;
};

}  // namespace transparency::standards
