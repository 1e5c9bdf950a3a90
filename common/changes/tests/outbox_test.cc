#include "common/changes/outbox.h"

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::changes {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Takes one message at a time, and the next when the test says so.
class SlowWriter : public rpc::AnswerWriter {
 public:
  rpc::Call& call() override { std::abort(); }
  void SendHeaders() override {}
  bool ready() override { return true; }
  bool Write(std::string bytes, bool more_follows) override {
    written.emplace_back(std::move(bytes), more_follows);
    return true;
  }
  void OnReady(std::function<void()>) override {}
  void Finish(const absl::Status&) override {}

  std::vector<std::pair<std::string, bool>> written;
};

class OutboxTest : public testing::Test {
 protected:
  bool Put(std::string text) {
    return outbox_.Put(std::make_shared<const std::string>(std::move(text)));
  }

  const std::shared_ptr<SlowWriter> writer_ = std::make_shared<SlowWriter>();
  Outbox outbox_{writer_};
};

TEST_F(OutboxTest, GoesOnInOrderAndSaysWhatTravelsTogether) {
  EXPECT_TRUE(outbox_.idle());
  EXPECT_TRUE(Put("a"));
  EXPECT_FALSE(outbox_.idle());
  EXPECT_TRUE(Put("b"));
  EXPECT_TRUE(Put("c"));
  EXPECT_THAT(writer_->written, ElementsAre(Pair("a", false)));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(outbox_.OnReady());
  EXPECT_TRUE(outbox_.idle());
  EXPECT_TRUE(Put("d"));
  EXPECT_THAT(writer_->written,
              ElementsAre(Pair("a", false), Pair("b", true), Pair("c", false),
                          Pair("d", false)));
}

TEST_F(OutboxTest, IsFullOnceSoManyWaitAndHasRoomAtHalf) {
  Put("under way");
  for (size_t i = 1; i < Outbox::kMostMessages; ++i) EXPECT_TRUE(Put("x"));
  EXPECT_FALSE(Put("last"));
  // What is looked at is how many wait before the next one goes out.
  for (size_t i = Outbox::kMostMessages; i > Outbox::kMostMessages / 2; --i) {
    EXPECT_FALSE(outbox_.OnReady()) << i;
  }
  EXPECT_TRUE(outbox_.OnReady());
  EXPECT_FALSE(outbox_.OnReady());
  EXPECT_TRUE(Put("y"));
}

TEST_F(OutboxTest, IsFullWithManyBytesEvenOfOneMessage) {
  EXPECT_FALSE(Put(std::string(Outbox::kMostBytes, 'x')));
  EXPECT_TRUE(outbox_.OnReady());
  EXPECT_TRUE(Put("under way"));
  EXPECT_TRUE(Put(std::string(Outbox::kMostBytes - 1, 'x')));
  EXPECT_FALSE(Put("x"));
  EXPECT_FALSE(outbox_.OnReady());
  EXPECT_TRUE(outbox_.OnReady());
}

}  // namespace
}  // namespace transparency::changes
