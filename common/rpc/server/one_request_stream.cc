#include <utility>

#include "common/rpc/server/service_core.h"
#include "common/status/refusals.h"

namespace transparency::rpc {
namespace {

class Writer final : public AnswerWriter {
 public:
  explicit Writer(std::shared_ptr<Stream> stream)
      : stream_(std::move(stream)) {}

  using AnswerWriter::Write;

  Call& call() override { return stream_->call(); }

  void SendHeaders() override { stream_->SendHeaders(); }

  bool ready() override {
    absl::MutexLock lock(&mutex_);
    return ready_;
  }

  bool Write(std::string bytes, bool more_follows) override {
    {
      absl::MutexLock lock(&mutex_);
      if (!ready_) return false;
      ready_ = false;
    }
    stream_->Write(ToByteBuffer(std::move(bytes)), more_follows);
    return true;
  }

  void OnReady(std::function<void()> reaction) override {
    absl::MutexLock lock(&mutex_);
    if (!over_) reaction_ = std::move(reaction);
  }

  void Finish(const absl::Status& status) override {
    End();
    stream_->Finish(status);
  }

  void Written(bool ok) {
    std::function<void()> reaction;
    {
      absl::MutexLock lock(&mutex_);
      if (over_ || !ok) return;
      ready_ = true;
      reaction = reaction_;
    }
    if (reaction) reaction();
  }

  // Nothing is written or told any more; lets go of the reaction, which may
  // hold this writer.
  void End() {
    std::function<void()> reaction;
    absl::MutexLock lock(&mutex_);
    over_ = true;
    ready_ = false;
    reaction.swap(reaction_);
  }

 private:
  const std::shared_ptr<Stream> stream_;
  absl::Mutex mutex_;
  bool ready_ ABSL_GUARDED_BY(mutex_) = true;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> reaction_ ABSL_GUARDED_BY(mutex_);
};

class Handler final : public StreamHandler {
 public:
  Handler(const GenericService::Core* core, const Row* row,
          std::shared_ptr<Stream> stream)
      : core_(core),
        row_(row),
        stream_(std::move(stream)),
        writer_(std::make_shared<Writer>(stream_)) {}
  ~Handler() override { writer_->End(); }

  void OnStart() override { stream_->Read(); }

  void OnMessage(grpc::ByteBuffer message) override {
    std::unique_ptr<google::protobuf::Message> request(row_->prototype->New());
    absl::Status status = core_->ReadRequest(message, request.get());
    if (status.ok()) {
      status = row_->server_stream(stream_->shared_call(), std::move(request),
                                   writer_);
    }
    if (!status.ok()) writer_->Finish(status);
  }

  void OnHalfClose() override {
    writer_->Finish(
        status::Malformed("the call came without a request message"));
  }

  void OnWritten(bool ok) override { writer_->Written(ok); }
  void OnAbandoned() override { writer_->End(); }

 private:
  const GenericService::Core* const core_;
  const Row* const row_;
  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<Writer> writer_;
};

}  // namespace

StreamFactory OneRequestManyAnswers(const GenericService::Core* core,
                                    const Row* row) {
  return [core, row](std::shared_ptr<Stream> stream) {
    return std::make_shared<Handler>(core, row, std::move(stream));
  };
}

}  // namespace transparency::rpc
