#include "common/rpc/server/service_core.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/log/log.h"
#include "common/rpc/client_address.h"
#include "common/rpc/headers.h"
#include "common/rpc/server/stream_call.h"
#include "common/rpc/status_mapping.h"
#include "common/rpc/text_bytes.h"
#include "common/status/refusals.h"
#include "common/status/status.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::rpc {
namespace {

using ::google::protobuf::DescriptorPool;

absl::string_view View(const grpc::string_ref& text) {
  return absl::string_view(text.data(), text.size());
}

absl::string_view MethodLabel(absl::string_view path) { return path.substr(1); }

spdlog::level::level_enum LevelOf(int code) {
  switch (static_cast<absl::StatusCode>(code)) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
      return spdlog::level::err;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

absl::Status CheckAccess(type::v1::Access access, const Caller& caller) {
  if (access == type::v1::PUBLIC) return absl::OkStatus();
  if (caller.anonymous()) {
    return status::TokenUnknown("this method needs a bearer token");
  }
  if (access == type::v1::STAFF && !caller.HasRole(kStaffRole)) {
    return status::Refuse(absl::StatusCode::kPermissionDenied, "ROLE_MISSING",
                          "this method needs the role staff",
                          {{"role", kStaffRole}});
  }
  return absl::OkStatus();
}

}  // namespace

GenericService::Core::Core(const MethodTable* table, ServiceOptions options,
                           prometheus::Registry* registry)
    : table_(table),
      options_(std::move(options)),
      metrics_(registry),
      anonymous_log_(options_.anonymous_log_rate),
      calls_place_(options_.max_calls),
      streams_place_(options_.max_streams),
      refusals_place_(std::max<size_t>(options_.max_calls / 2, 4)),
      bytes_place_(options_.max_untaken_bytes),
      pool_(options_.pool_threads, options_.pool_queue, registry) {
  for (const Row* row : table->rows()) {
    Served& served = served_[row->path];
    served.row = row;
    served.descriptor = row->descriptor;
    served.metrics = metrics_.ForMethod(MethodLabel(row->path));
  }
  unknown_.metrics = metrics_.ForMethod("other");
  if (options_.callers != nullptr) {
    callers_seen_ = options_.callers->Generation();
  }
  order_ = std::thread([this] { KeepOrder(); });
}

GenericService::Core::~Core() {
  {
    absl::MutexLock lock(&order_mutex_);
    stopping_ = true;
  }
  order_.join();
}

const Served* GenericService::Core::Find(const std::string& path) {
  const auto found = served_.find(path);
  if (found != served_.end()) return &found->second;
  return table_->pass_through() ? FindPassedThrough(path) : &unknown_;
}

const Served* GenericService::Core::FindPassedThrough(const std::string& path) {
  {
    absl::ReaderMutexLock lock(&passed_mutex_);
    const auto found = passed_.find(path);
    if (found != passed_.end()) return found->second.get();
  }
  // Only methods of linked protos are kept, so that callers cannot fill memory
  // or metrics with names.
  std::string name(path.substr(0, 1) == "/" ? path.substr(1) : path);
  std::replace(name.begin(), name.end(), '/', '.');
  const auto* descriptor =
      DescriptorPool::generated_pool()->FindMethodByName(name);
  if (descriptor == nullptr) return &unknown_;
  // A dot may stand for the slash in a name, not in a path.
  if (path != absl::StrCat("/", descriptor->service()->full_name(), "/",
                           descriptor->name())) {
    return &unknown_;
  }
  auto served = std::make_unique<Served>();
  served->descriptor = descriptor;
  absl::MutexLock lock(&passed_mutex_);
  auto& slot = passed_[path];
  if (slot == nullptr) {
    served->metrics = metrics_.ForMethod(MethodLabel(path));
    slot = std::move(served);
  }
  return slot.get();
}

absl::Status GenericService::Core::Admit(
    const Served& served, const grpc::GenericServerContext& context,
    Arrival* arrival) {
  arrival->method = context.method();
  arrival->descriptor = served.descriptor;
  arrival->address = HostOfPeer(context.peer());
  absl::Status headers = TakeHeaders(context, arrival);
  const bool unary = served.row == nullptr
                         ? served.descriptor != nullptr && !served.streaming()
                         : !served.row->stream && !served.row->server_stream;
  const absl::Time now = absl::Now();
  arrival->deadline = std::min(
      absl::FromChrono(context.deadline()),
      now + (unary ? options_.max_call_time : options_.max_stream_time));
  const absl::Status caller = ResolveCaller(arrival);

  const Row* row = served.row;
  if (draining() && !(row != nullptr && row->built_in && unary)) {
    return status::Draining();
  }
  if (!headers.ok()) return headers;
  if (row == nullptr &&
      (!table_->pass_through() || !IsMethodPath(arrival->method))) {
    return status::Refuse(absl::StatusCode::kUnimplemented, "METHOD_UNKNOWN",
                          "there is no such method here");
  }
  if (arrival->deadline <= now) {
    return status::DeadlinePassed("the deadline had passed when the call came");
  }
  // Whether the process lives is told however much it has to do.
  if (row != nullptr && row->built_in && unary) return absl::OkStatus();
  // Who passes a call through leaves it to the owner to refuse its caller.
  if (row != nullptr && !row->built_in) {
    absl::Status access =
        caller.ok() ? CheckAccess(row->access, arrival->caller == nullptr
                                                   ? Caller()
                                                   : *arrival->caller)
                    : caller;
    if (!access.ok()) return access;
  }
  return TakeSeat(unary, arrival);
}

absl::Status GenericService::Core::TakeSeat(bool unary, Arrival* arrival) {
  SharedPlace& place = unary ? calls_place_ : streams_place_;
  const std::string share = ShareKeyOf(*arrival);
  const SharedPlace::Taken taken = place.Take(share);
  if (taken != SharedPlace::Taken::kYes) {
    return OverShare(taken, place, unary ? "calls" : "streams");
  }
  arrival->seat = Seats(&place, share, 1);
  return absl::OkStatus();
}

void GenericService::Core::HoldRefusal(const std::string& peer,
                                       Arrival* arrival) {
  const std::string share = ShareKeyOf(*arrival);
  if (refusals_place_.Take(share) == SharedPlace::Taken::kYes) {
    arrival->seat = Seats(&refusals_place_, share, 1);
  } else if (!arrival->from_gateway && options_.on_untaken) {
    options_.on_untaken(peer);
  }
}

bool GenericService::Core::HoldBytes(const Call& call, size_t bytes,
                                     Seats* seats) {
  // Smaller ones are bounded by how many calls there are.
  constexpr size_t kSmall = 16 << 10;
  if (bytes <= kSmall) return true;
  if (bytes_place_.Take(call.share_key(), bytes) != SharedPlace::Taken::kYes) {
    return false;
  }
  *seats = Seats(&bytes_place_, call.share_key(), bytes);
  return true;
}

absl::Status GenericService::Core::TooMuchUntaken(const Served& served) const {
  if (!served.read_only()) {
    return status::OutcomeUnknown(
        "There is no room to hold the answer until it is taken: whether the "
        "change was made is not told. Ask again with the same request_id.");
  }
  return OverShare(SharedPlace::Taken::kOverShare, bytes_place_,
                   "bytes of answers that are yet to be taken");
}

void GenericService::Core::WatchDeadline(const Wire& wire, const Call& call,
                                         DueCall* due) {
  if (absl::FromChrono(wire.context().deadline()) <= call.deadline()) return;
  due_.Set(due, call.deadline());
}

void GenericService::Core::AwaitTaking(DueCall* due) {
  due_.Set(due, absl::Now() + options_.max_taking_time);
}

void GenericService::Core::CountReset(const grpc::GenericServerContext& context,
                                      const Call& call) {
  if (call.from_gateway() || !options_.on_reset ||
      absl::Now() >= call.deadline()) {
    return;
  }
  options_.on_reset(context.peer());
}

void GenericService::Core::EndSoon(std::shared_ptr<StreamCall> stream,
                                   const absl::Status& status) {
  absl::MutexLock lock(&order_mutex_);
  to_end_.emplace_back(std::move(stream), status);
}

void GenericService::Core::KeepOrder() {
  constexpr absl::Duration kLookEvery = absl::Milliseconds(200);
  while (true) {
    {
      absl::MutexLock lock(&order_mutex_);
      if (order_mutex_.AwaitWithTimeout(absl::Condition(&stopping_),
                                        kLookEvery)) {
        return;
      }
    }
    due_.Run(absl::Now());
    EndMarked();
    RecheckStreams();
  }
}

void GenericService::Core::EndMarked() {
  std::vector<std::pair<std::shared_ptr<StreamCall>, absl::Status>> to_end;
  {
    absl::MutexLock lock(&order_mutex_);
    to_end.swap(to_end_);
  }
  for (const auto& [stream, status] : to_end) stream->EndWith(status);
}

void GenericService::Core::RecheckStreams() {
  if (options_.callers == nullptr) return;
  const int64_t generation = options_.callers->Generation();
  if (generation == callers_seen_) return;
  callers_seen_ = generation;
  std::vector<std::shared_ptr<StreamCall>> streams;
  {
    absl::MutexLock lock(&streams_mutex_);
    for (StreamCall* stream : streams_) streams.push_back(stream->Share());
  }
  for (const auto& stream : streams) {
    const absl::Status status = RecheckCaller(*stream);
    if (!status.ok()) stream->EndWith(status);
  }
}

absl::Status GenericService::Core::RecheckCaller(const Call& call) const {
  if (call.caller().anonymous()) return absl::OkStatus();
  Arrival again;
  again.headers = call.headers();
  const absl::Status resolved = ResolveCaller(&again);
  if (resolved.ok() && again.caller != nullptr &&
      again.caller->subject == call.caller().subject &&
      again.caller->roles == call.caller().roles) {
    return absl::OkStatus();
  }
  return status::TokenUnknown(
      "the bearer token was revoked, or its roles changed");
}

absl::Status GenericService::Core::TakeHeaders(
    const grpc::GenericServerContext& context, Arrival* arrival) const {
  constexpr size_t kFieldOverhead = 32;
  const auto& fields = context.client_metadata();
  arrival->headers.reserve(fields.size());
  Metadata told;
  size_t bytes = 0;
  absl::Status status;
  for (const auto& [name, text] : fields) {
    const absl::string_view key = View(name), value = View(text);
    bytes += key.size() + value.size() + kFieldOverhead;
    const HeaderUse use = UseOfHeader(key);
    if (use == HeaderUse::kNone) continue;
    if (!IsHeaderValue(value)) {
      status.Update(status::InvalidField(
          key, "the header has a byte that is not printable ASCII"));
      continue;
    }
    (use == HeaderUse::kGateway ? told : arrival->headers)
        .emplace_back(key, value);
  }
  if (bytes > options_.max_header_bytes) {
    status = status::Refuse(
        absl::StatusCode::kInvalidArgument, "LIMIT_EXCEEDED",
        absl::StrCat("the call's headers have ", bytes, " bytes, more than ",
                     options_.max_header_bytes),
        {{"limit_bytes", absl::StrCat(options_.max_header_bytes)}});
  }
  if (!told.empty()) BelieveGateway(told, arrival);
  return status;
}

void GenericService::Core::BelieveGateway(const Metadata& told,
                                          Arrival* arrival) const {
  bool believed = false;
  for (const auto& [key, value] : told) {
    if (key != kGatewayTokenHeader || options_.callers == nullptr) continue;
    const auto gateway = options_.callers->Find(value);
    believed = gateway != nullptr && gateway->HasRole(kGatewayRole);
  }
  if (!believed) return;
  arrival->from_gateway = true;
  for (const auto& [key, value] : told) {
    if (key == kSeenRevisionHeader) arrival->headers.emplace_back(key, value);
    if (key == kClientAddressHeader && IsIpAddress(value)) {
      arrival->address = value;
    }
  }
}

absl::Status GenericService::Core::ResolveCaller(Arrival* arrival) const {
  const std::string* authorization = nullptr;
  for (const auto& [key, value] : arrival->headers) {
    if (key != "authorization") continue;
    if (authorization != nullptr) {
      return status::TokenUnknown("the call has two authorization headers");
    }
    authorization = &value;
  }
  if (authorization == nullptr) return absl::OkStatus();
  auto token = BearerToken(*authorization);
  if (!token.ok()) return token.status();
  if (options_.callers != nullptr) {
    arrival->caller = options_.callers->Find(*token);
  }
  if (arrival->caller == nullptr) {
    return status::TokenUnknown("the bearer token is not known here");
  }
  return absl::OkStatus();
}

absl::Status GenericService::Core::Close(const Served& served, const Call& call,
                                         const absl::Status& status) {
  absl::Status presented =
      Presentable(status, options_.domain, call.request_id());
  const absl::Duration duration = absl::Now() - call.started();
  served.metrics->Count(presented.raw_code(), duration);
  const bool silent =
      presented.ok() && (served.row == nullptr || served.row->read_only);
  if (!silent) Log(served, call, presented.raw_code(), duration, status);
  return presented;
}

void GenericService::Core::CloseRaw(const Served& served, const Call& call,
                                    int code) {
  const absl::Duration duration = absl::Now() - call.started();
  served.metrics->Count(code, duration);
  if (code != 0) Log(served, call, code, duration, absl::OkStatus());
}

void GenericService::Core::Log(const Served& served, const Call& call, int code,
                               absl::Duration duration,
                               const absl::Status& original) {
  constexpr size_t kMaxMethod = 200;
  // Whoever has no name cannot fill the disk; what failed here is told always.
  int64_t left_out = 0;
  if (call.caller().anonymous() && LevelOf(code) != spdlog::level::err &&
      code != 0 && !anonymous_log_.Allow(absl::Now(), &left_out)) {
    return;
  }
  log::LogLine line(LevelOf(code), "call");
  line.Text("method", absl::string_view(call.method()).substr(0, kMaxMethod))
      .Text("code", CodeName(code))
      .Number("ms", absl::ToDoubleMilliseconds(duration))
      .Text("request_id", call.request_id())
      .Text("trace_id", absl::string_view(call.traceparent()).substr(3, 32));
  line.Text("address", call.address());
  if (!call.caller().anonymous()) line.Text("caller", call.caller().subject);
  if (left_out > 0) {
    line.Number("left_out_before", static_cast<double>(left_out));
  }
  const std::string reason = status::Reason(original);
  if (!reason.empty()) line.Text("reason", reason);
  // Messages of ordinary refusals may repeat what the caller sent.
  if (LevelOf(code) == spdlog::level::err && served.row != nullptr) {
    line.Text("error", original.message());
  }
}

absl::Status GenericService::Core::CheckSize(
    const grpc::ByteBuffer& bytes) const {
  if (bytes.Length() <= options_.max_request_bytes) return absl::OkStatus();
  return status::Refuse(
      absl::StatusCode::kInvalidArgument, "LIMIT_EXCEEDED",
      absl::StrCat("the request has ", bytes.Length(), " bytes, more than ",
                   options_.max_request_bytes),
      {{"limit_bytes", absl::StrCat(options_.max_request_bytes)}});
}

absl::Status GenericService::Core::ReadRequest(
    const grpc::ByteBuffer& bytes, google::protobuf::Message* message) const {
  if (absl::Status size = CheckSize(bytes); !size.ok()) return size;
  if (!Parse(bytes, message)) {
    const auto& type = *message->GetDescriptor();
    const std::string text = TextNotUtf8(ToString(bytes), type);
    if (!text.empty()) return status::InvalidField(text, "is not UTF-8");
    return status::Malformed(
        absl::StrCat("the request's bytes are not a ", type.full_name()));
  }
  return options_.check_request ? options_.check_request(*message)
                                : absl::OkStatus();
}

void GenericService::Core::Enter() {
  running_.fetch_add(1);
  metrics_.running().Increment();
}

void GenericService::Core::Leave() {
  metrics_.running().Decrement();
  if (running_.fetch_sub(1) != 1 || !draining()) return;
  // Waiters look at the count again when the mutex is let go.
  absl::MutexLock lock(&idle_mutex_);
}

bool GenericService::Core::WaitUntilIdle(absl::Time deadline) {
  const auto idle = [this] { return running_.load() == 0; };
  absl::MutexLock lock(&idle_mutex_);
  return idle_mutex_.AwaitWithDeadline(absl::Condition(&idle), deadline);
}

void GenericService::Core::StartDraining() {
  std::vector<std::shared_ptr<StreamCall>> streams;
  {
    absl::MutexLock lock(&streams_mutex_);
    draining_.store(true);
    for (StreamCall* stream : streams_) streams.push_back(stream->Share());
  }
  for (const auto& stream : streams) stream->EndWith(status::Draining());
}

bool GenericService::Core::Register(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  if (draining()) return false;
  streams_.insert(stream);
  return true;
}

void GenericService::Core::Unregister(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.erase(stream);
}

absl::Status OverShare(SharedPlace::Taken taken, const SharedPlace& place,
                       absl::string_view what) {
  const bool full = taken == SharedPlace::Taken::kFull;
  absl::Status status = status::Overloaded(
      full ? absl::StrCat("the process has as many ", what, " as it may, ",
                          place.seats())
           : absl::StrCat("one caller may have ", place.per_caller(), " ", what,
                          " at a time"),
      absl::Milliseconds(200));
  google::rpc::QuotaFailure quota;
  auto* violation = quota.add_violations();
  violation->set_subject(full ? "process" : "caller");
  violation->set_description(absl::StrCat(
      what, " at a time: ", full ? place.seats() : place.per_caller()));
  status::AddDetail(&status, quota);
  return status;
}

void SendableHeaders(Call* call, grpc::GenericServerContext* context) {
  bool has_request_id = false;
  for (auto& [key, value] : call->TakeHeaders()) {
    has_request_id = has_request_id || key == "x-request-id";
    context->AddInitialMetadata(key, value);
  }
  if (!has_request_id) {
    context->AddInitialMetadata("x-request-id", call->request_id());
  }
}

void SendableTrailers(Call* call, grpc::GenericServerContext* context) {
  for (auto& [key, value] : call->TakeTrailers()) {
    context->AddTrailingMetadata(key, value);
  }
}

}  // namespace transparency::rpc
