#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/stream.h"

namespace transparency::changes {

// What is on its way to one client, in order. It goes on by itself as the
// client takes it, so that whoever fills it has to do with it only once for
// several messages; while more than one waits they travel together.
// Thread-safe.
class Outbox {
 public:
  using Message = std::shared_ptr<const std::string>;
  static Message Share(std::string event) {
    return std::make_shared<const std::string>(std::move(event));
  }

  // It is full with so many messages, or with so many bytes.
  static constexpr size_t kMostMessages = 16;
  static constexpr size_t kMostBytes = size_t{64} << 10;

  explicit Outbox(std::shared_ptr<rpc::AnswerWriter> writer)
      : writer_(std::move(writer)) {}

  // False: it is full now, and nothing may be put until OnReady has returned
  // true. One caller at a time.
  bool Put(Message message);
  // To be called each time that the writer is ready again. True: it was full
  // and is half empty.
  bool OnReady();
  // Nothing waits and nothing is under way.
  bool idle();

 private:
  // Unlocks for the writing.
  void WriteNext() ABSL_UNLOCK_FUNCTION(mutex_);

  const std::shared_ptr<rpc::AnswerWriter> writer_;
  absl::Mutex mutex_;
  std::deque<Message> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of those that wait
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace transparency::changes
