#include "common/postgres/sqlstate.h"

#include "gtest/gtest.h"

namespace transparency::postgres {
namespace {

struct Case {
  const char* sqlstate;
  absl::StatusCode code;
};

TEST(SqlState, MapsEveryClassThatOccurs) {
  const Case cases[] = {
      {"", absl::StatusCode::kUnavailable},
      {"08000", absl::StatusCode::kUnavailable},
      {"08006", absl::StatusCode::kUnavailable},
      {"08007", absl::StatusCode::kUnknown},
      {"0A000", absl::StatusCode::kInternal},
      {"22001", absl::StatusCode::kInternal},
      {"22P02", absl::StatusCode::kInternal},
      {"23503", absl::StatusCode::kInternal},
      {"23505", absl::StatusCode::kInternal},
      {"23514", absl::StatusCode::kInternal},
      {"23P01", absl::StatusCode::kInternal},
      {"25006", absl::StatusCode::kUnavailable},
      {"25P02", absl::StatusCode::kInternal},
      {"25P03", absl::StatusCode::kUnavailable},
      {"28000", absl::StatusCode::kUnavailable},
      {"28P01", absl::StatusCode::kUnavailable},
      {"3D000", absl::StatusCode::kUnavailable},
      {"40001", absl::StatusCode::kAborted},
      {"40003", absl::StatusCode::kUnknown},
      {"40P01", absl::StatusCode::kAborted},
      {"42501", absl::StatusCode::kInternal},
      {"42P01", absl::StatusCode::kInternal},
      {"53100", absl::StatusCode::kUnavailable},
      {"53300", absl::StatusCode::kUnavailable},
      {"54000", absl::StatusCode::kInternal},
      {"55P03", absl::StatusCode::kUnavailable},
      {"57014", absl::StatusCode::kDeadlineExceeded},
      {"57P01", absl::StatusCode::kUnavailable},
      {"57P03", absl::StatusCode::kUnavailable},
      {"58030", absl::StatusCode::kUnavailable},
      {"XX000", absl::StatusCode::kInternal},
      {"XX001", absl::StatusCode::kInternal},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(CodeOf(c.sqlstate), c.code) << c.sqlstate;
    EXPECT_EQ(ToStatus({c.sqlstate, ""}, "test").code(), c.code) << c.sqlstate;
  }
}

TEST(SqlState, KeepsTheErrorInTheStatus) {
  const absl::Status status =
      ToStatus({"23505", "widgets_number_key"}, "insert");
  EXPECT_EQ(ErrorOf(status).sqlstate, "23505");
  EXPECT_EQ(ErrorOf(status).constraint, "widgets_number_key");
  EXPECT_TRUE(IsConstraintViolation(status));
  EXPECT_FALSE(IsConstraintViolation(ToStatus({"40001", ""}, "insert")));
  EXPECT_FALSE(IsConstraintViolation(absl::InternalError("other")));
  EXPECT_EQ(ErrorOf(absl::OkStatus()).sqlstate, "");
}

}  // namespace
}  // namespace transparency::postgres
