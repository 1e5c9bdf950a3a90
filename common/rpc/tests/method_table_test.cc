#include "common/rpc/method_table.h"

#include "common/rpc/server/tests/trial.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::rpc {
namespace {

using testing::HasSubstr;
using testing::Not;
using trial::Text;

absl::StatusOr<Text> Same(Call&, const Text& text) { return text; }

TEST(MethodTable, NamesEveryMethodWithoutRowOrAccess) {
  MethodTable table;
  auto rows = table.Service("transparency.rpc.trial.TrialService");
  rows.Unary<Text, Text>("Echo", Place::kInline, Same);
  auto open = table.Service("transparency.rpc.trial.UnguardedService");
  open.Unary<Text, Text>("Echo", Place::kInline, Same);
  const std::string message(table.Check().message());
  EXPECT_THAT(message, HasSubstr("TrialService.Scan has no row"));
  EXPECT_THAT(message, Not(HasSubstr("TrialService.Echo")));
  EXPECT_THAT(message, HasSubstr("UnguardedService.Echo has no access"));
}

TEST(MethodTable, NamesWrongRows) {
  MethodTable table;
  table.Service("nope.Nope").Unary<Text, Text>("X", Place::kInline, Same);
  auto rows = table.Service("transparency.rpc.trial.TrialService");
  rows.Unary<Text, Text>("Nope", Place::kInline, Same);
  rows.Unary<Text, Text>("Echo", Place::kInline, Same);
  rows.Unary<Text, Text>("Echo", Place::kInline, Same);
  rows.Unary<Text, Text>("Count", Place::kInline, Same);
  rows.UnaryAsync("Wait", nullptr);
  rows.Unary<google::protobuf::MethodOptions, google::protobuf::MethodOptions>(
      "Scan", Place::kPool,
      [](Call&, const google::protobuf::MethodOptions& same)
          -> absl::StatusOr<google::protobuf::MethodOptions> { return same; });
  rows.ServerStreamAny("Join",
                       [](auto, auto, auto) { return absl::OkStatus(); });
  rows.Stream("Change",
              [](auto) -> absl::StatusOr<std::shared_ptr<StreamHandler>> {
                return absl::UnimplementedError("");
              });
  const std::string message(table.Check().message());
  for (const char* part :
       {"no service is called nope.Nope", "has no method Nope",
        "Echo has two rows", "Count is streaming, its row is not",
        "Change is unary, its row is not", "Wait has no handler",
        "Scan takes transparency.rpc.trial.Text, its row google.protobuf",
        "Scan answers transparency.rpc.trial.Text, its row google.protobuf",
        "Join takes many requests"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

}  // namespace
}  // namespace transparency::rpc
