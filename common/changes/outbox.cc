#include "common/changes/outbox.h"

#include <utility>

namespace transparency::changes {

bool Outbox::Put(Message message) {
  mutex_.Lock();
  bytes_ += message->size();
  waiting_.push_back(std::move(message));
  full_ = waiting_.size() >= kMostMessages || bytes_ >= kMostBytes;
  const bool room = !full_;
  if (writing_) {
    mutex_.Unlock();
  } else {
    WriteNext();
  }
  return room;
}

bool Outbox::OnReady() {
  mutex_.Lock();
  const bool room =
      full_ && waiting_.size() <= kMostMessages / 2 && bytes_ <= kMostBytes / 2;
  if (room) full_ = false;
  WriteNext();
  return room;
}

bool Outbox::idle() {
  absl::MutexLock lock(&mutex_);
  return !writing_;
}

void Outbox::WriteNext() {
  writing_ = !waiting_.empty();
  if (!writing_) return mutex_.Unlock();
  const Message message = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= message->size();
  const bool more = !waiting_.empty();
  mutex_.Unlock();
  writer_->Write(*message, more);
}

}  // namespace transparency::changes
