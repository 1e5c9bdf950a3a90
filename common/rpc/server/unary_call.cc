#include <atomic>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "common/fields/masks.h"
#include "common/rpc/server/service_core.h"
#include "common/rpc/status_mapping.h"
#include "common/status/refusals.h"
#include "google/protobuf/message.h"

namespace transparency::rpc {
namespace {

// One unary call, which keeps itself until gRPC is done with it; a late answer
// keeps it longer and is ignored. Whoever wins `answered_` alone touches the
// context and ends the call.
class UnaryCall final : public Call,
                        public DueCall,
                        public Wire::Reactions,
                        public std::enable_shared_from_this<UnaryCall> {
 public:
  UnaryCall(GenericService::Core* core, const Served* served,
            std::unique_ptr<Wire> wire, Arrival arrival)
      : Call(std::move(arrival)),
        core_(core),
        served_(served),
        wire_(std::move(wire)) {}

  void Start() {
    self_ = shared_from_this();
    wire_->Begin(this);
    entered_ = true;
    core_->WatchDeadline(*wire_, *this, this);
    wire_->Read(&request_);
  }
  void Refuse(const absl::Status& refusal) {
    self_ = shared_from_this();
    wire_->Begin(this);
    Answer(refusal);
  }

  // The first answer counts. Any thread.
  void Answer(absl::StatusOr<std::string> answer);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool) override {}
  void OnCancel() override {
    if (!answered_.load(std::memory_order_acquire)) {
      core_->CountReset(wire_->context(), *this);
    }
    Abandon();
    Answer(AbandonedStatus(*this));
  }
  void OnDue() override {
    if (answered_.load(std::memory_order_acquire)) return wire_->TryCancel();
    OnDeadline();
  }
  std::shared_ptr<DueCall> Keep() override { return shared_from_this(); }
  void OnDone() override {
    core_->due().Remove(this);
    held_.Release();
    GiveBack();
    if (entered_) core_->Leave();
    self_.reset();
  }

 private:
  absl::Status TakeReadMask();
  absl::StatusOr<std::string> Masked(const std::string& answer) const;
  void AdmitThenDispatch();
  // `at_once`: on the queue's thread. A call that was held back goes on
  // wherever what it waited for has come, on the writer's thread, say.
  void Dispatch(std::unique_ptr<google::protobuf::Message> request,
                bool at_once);
  absl::StatusOr<std::string> RunDirect(google::protobuf::Message* request);
  // False when the read is to begin anew in the pool.
  bool Try(google::protobuf::Message* request);
  void RunInPool(std::unique_ptr<google::protobuf::Message> request);
  void RunAsync(std::unique_ptr<google::protobuf::Message> request);
  void OnDeadline();

  GenericService::Core* const core_;
  const Served* const served_;
  const std::unique_ptr<Wire> wire_;
  bool entered_ = false;
  grpc::ByteBuffer request_;
  std::unique_ptr<google::protobuf::Message> request_message_;
  absl::optional<fields::ReadMask> read_mask_;
  grpc::ByteBuffer response_;
  Seats held_;                         // for response_
  std::atomic<bool> received_{false};  // the request, or its time has run out
  std::atomic<bool> answered_{false};
  std::shared_ptr<UnaryCall> self_;
};

// Answers for a handler that lets go of its call without an answer.
class Answering {
 public:
  explicit Answering(std::shared_ptr<UnaryCall> call)
      : call_(std::move(call)) {}
  ~Answering() {
    call_->Answer(absl::InternalError("the handler dropped its call"));
  }
  void Answer(absl::StatusOr<std::string> answer) {
    call_->Answer(std::move(answer));
  }

 private:
  const std::shared_ptr<UnaryCall> call_;
};

void UnaryCall::Answer(absl::StatusOr<std::string> answer) {
  if (answered_.exchange(true, std::memory_order_acq_rel)) return;
  Answered();
  if (answer.ok() && read_mask_) answer = Masked(*answer);
  if (answer.ok() && !core_->HoldBytes(*this, answer->size(), &held_)) {
    answer = core_->TooMuchUntaken(*served_);
  }
  core_->AwaitTaking(this);
  SendableHeaders(this, &wire_->context());
  SendableTrailers(this, &wire_->context());
  const absl::Status status = core_->Close(*served_, *this, answer.status());
  if (status.ok()) {
    response_ = ToByteBuffer(*std::move(answer));
    wire_->WriteAndFinish(response_);
  } else {
    wire_->Finish(ToGrpc(status));
  }
}

void UnaryCall::OnReadDone(bool ok) {
  if (received_.exchange(true, std::memory_order_acq_rel)) return;
  if (answered_.load(std::memory_order_acquire)) return;
  if (!ok) {
    return Answer(status::Malformed("the call came without a request message"));
  }
  std::unique_ptr<google::protobuf::Message> request(
      served_->row->prototype->New());
  const absl::Status read =
      Guarded([&] { return core_->ReadRequest(request_, request.get()); });
  request_.Clear();
  if (!read.ok()) return Answer(read);
  if (absl::Status mask = TakeReadMask(); !mask.ok()) return Answer(mask);
  if (abandoned()) return Answer(AbandonedStatus(*this));
  request_message_ = std::move(request);
  AdmitThenDispatch();
}

// Which fields of the answer the client wants (AIP-157).
absl::Status UnaryCall::TakeReadMask() {
  constexpr char kHeader[] = "x-goog-fieldmask";
  const auto text = Header(kHeader);
  if (!text || descriptor() == nullptr) return absl::OkStatus();
  auto mask =
      fields::ReadMask::Parse(kHeader, *text, *descriptor()->output_type());
  if (!mask.ok()) return mask.status();
  read_mask_ = *std::move(mask);
  return absl::OkStatus();
}

absl::StatusOr<std::string> UnaryCall::Masked(const std::string& answer) const {
  std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(descriptor()->output_type())
          ->New());
  if (!message->ParseFromString(answer)) {
    return absl::InternalError("the answer is not of its own type");
  }
  read_mask_->Apply(message.get());
  return message->SerializeAsString();
}

void UnaryCall::AdmitThenDispatch() {
  const Admission& admission = core_->options().admission;
  const bool at_once =
      admission == nullptr || served_->row->built_in ||
      admission(shared_from_this(),
                [call = shared_from_this()](const absl::Status& admitted) {
                  if (!admitted.ok()) return call->Answer(admitted);
                  if (call->abandoned()) {
                    return call->Answer(AbandonedStatus(*call));
                  }
                  call->Dispatch(std::move(call->request_message_),
                                 /*at_once=*/false);
                });
  if (at_once) Dispatch(std::move(request_message_), at_once);
}

void UnaryCall::Dispatch(std::unique_ptr<google::protobuf::Message> request,
                         bool at_once) {
  const Row& row = *served_->row;
  if (row.unary) return RunAsync(std::move(request));
  // What has waited is resumed on a thread that has other things to do: the
  // writer's has changes to answer.
  if (row.place == Place::kInline && at_once) {
    return Answer(RunDirect(request.get()));
  }
  // Whoever has reads in the pool has his turns there.
  if (row.place == Place::kTried && at_once && core_->pool().HasNoneOf(*this) &&
      Try(request.get())) {
    return;
  }
  RunInPool(std::move(request));
}

absl::StatusOr<std::string> UnaryCall::RunDirect(
    google::protobuf::Message* request) {
  absl::StatusOr<std::string> answer;
  const absl::Status guarded = Guarded([&] {
    answer = served_->row->direct(*this, *request);
    return absl::OkStatus();
  });
  if (!guarded.ok()) return guarded;
  return answer;
}

bool UnaryCall::Try(google::protobuf::Message* request) {
  const size_t headers = CountHeaders();
  const ReadPool::Trial trial;
  absl::StatusOr<std::string> answer = RunDirect(request);
  if (trial.over()) {
    DropHeaders(headers);
    return false;
  }
  Answer(std::move(answer));
  return true;
}

void UnaryCall::RunInPool(std::unique_ptr<google::protobuf::Message> request) {
  auto call = shared_from_this();
  const bool accepted = core_->pool().Submit(
      call, [call, request = std::shared_ptr<google::protobuf::Message>(
                       std::move(request))] {
        if (call->abandoned()) {
          call->Answer(AbandonedStatus(*call));
        } else {
          call->Answer(call->RunDirect(request.get()));
        }
      });
  if (!accepted) {
    Answer(status::Overloaded("too many reads wait already",
                              absl::Milliseconds(200)));
  }
}

void UnaryCall::RunAsync(std::unique_ptr<google::protobuf::Message> request) {
  auto answering = std::make_shared<Answering>(shared_from_this());
  const absl::Status guarded = Guarded([&] {
    served_->row->unary(shared_from_this(), std::move(request),
                        [answering](absl::StatusOr<std::string> answer) {
                          answering->Answer(std::move(answer));
                        });
    return absl::OkStatus();
  });
  if (!guarded.ok()) Answer(guarded);
}

void UnaryCall::OnDeadline() {
  Abandon();
  // Once a change is with its handler, only that can say whether it was made.
  const bool never_came = !received_.exchange(true, std::memory_order_acq_rel);
  if (never_came || served_->row->read_only) Answer(AbandonedStatus(*this));
}

}  // namespace

void StartUnary(GenericService::Core* core, const Served* served,
                std::unique_ptr<Wire> wire, Arrival arrival) {
  std::make_shared<UnaryCall>(core, served, std::move(wire), std::move(arrival))
      ->Start();
}

void StartRefused(GenericService::Core* core, const Served* served,
                  std::unique_ptr<Wire> wire, Arrival arrival,
                  const absl::Status& refusal) {
  std::make_shared<UnaryCall>(core, served, std::move(wire), std::move(arrival))
      ->Refuse(refusal);
}

}  // namespace transparency::rpc
