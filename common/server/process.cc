#include "common/server/process.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/log/log.h"
#include "common/rpc/caller_directory.h"
#include "common/rpc/server/reflection.h"
#include "common/rpc/server/server_arguments.h"
#include "common/server/admin_listener.h"
#include "common/server/door.h"
#include "common/server/signals.h"
#include "common/server/socket_address.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace transparency::server {
namespace {

// How long this process waits for itself when it is asked whether it is ready.
constexpr absl::Duration kProbePatience = absl::Seconds(2);
// What clients get to end their connections in once ours are ended.
constexpr absl::Duration kClosing = absl::Seconds(1);

// The server behind `door`, which begins to let clients in.
absl::Status Serve(const ProcessOptions& options, rpc::GenericService* service,
                   Door* door) {
  grpc::ServerBuilder builder;
  rpc::SetServerArguments(options.max_message_bytes, &builder);
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  absl::Status status = service->Serve(&builder);
  if (status.ok()) door->Start(std::move(acceptor));
  return status;
}

}  // namespace

// What Run has started; taken down in reverse by Unwind.
class Process::Running {
 public:
  explicit Running(Process* process) : process_(process) {}
  ~Running() { Unwind(); }

  absl::Status Start();
  void Drain();
  // OK, or what keeps the process from serving.
  absl::Status Readiness();

 private:
  absl::Status StartComponents();
  void Unwind();

  Process* const process_;
  std::atomic<bool> serving_{false};
  std::unique_ptr<AdminListener> admin_;
  size_t started_ = 0;  // components
  std::unique_ptr<Door> door_;
  std::unique_ptr<rpc::GenericService> service_;
};

absl::Status Process::Running::Readiness() {
  if (!serving_.load()) return absl::UnavailableError("not serving");
  if (!process_->health_->serving("")) {
    return absl::UnavailableError("the service is not healthy");
  }
  for (const Port& port : process_->ports_) {
    if (absl::Status status = port.probe->Ask(); !status.ok()) {
      return absl::UnavailableError(
          absl::StrCat("the port of ", port.name, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status Process::Running::Start() {
  const ProcessOptions& options = process_->options_;
  for (const std::string& listen : {options.listen, options.metrics_listen}) {
    absl::Status reach = CheckReach(listen, options.insecure);
    if (!reach.ok()) return reach;
  }
  process_->health_->AddRows(&process_->methods_);
  auto reflection = rpc::Reflection::Create(options.descriptor_set);
  if (!reflection.ok()) return reflection.status();
  rpc::Reflection::AddRows(*reflection, &process_->methods_,
                           options.also_listed);
  if (absl::Status status = process_->methods_.Check(); !status.ok()) {
    return status;
  }
  rpc::ServiceOptions service_options = options.service;
  if (!options.tokens_file.empty()) {
    auto callers = rpc::CallerDirectory::Open(options.tokens_file);
    if (!callers.ok()) return callers.status();
    service_options.callers = *std::move(callers);
  }
  auto admin =
      AdminListener::Start(options.metrics_listen, &process_->registry_,
                           [this] { return Readiness(); });
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  // Nobody can ask before the server listens; from here on a component may say
  // otherwise.
  process_->SetServing(true);
  if (absl::Status status = StartComponents(); !status.ok()) return status;
  auto door = Door::Open({options.listen, options.max_connections},
                         &process_->registry_);
  if (!door.ok()) return door.status();
  door_ = *std::move(door);
  service_options.on_reset = [this](const std::string& peer) {
    door_->OnReset(peer);
  };
  service_options.on_untaken = [this](const std::string& peer) {
    door_->Close(peer);
  };
  service_ = std::make_unique<rpc::GenericService>(
      &process_->methods_, std::move(service_options), &process_->registry_);
  if (absl::Status status = Serve(options, service_.get(), door_.get());
      !status.ok()) {
    return status;
  }
  process_->AddPort("gRPC", [this, listen = options.listen] {
    return ProbeGrpc(listen.substr(0, listen.rfind(':')), door_->port(),
                     kProbePatience, [this](int port) { door_->Expect(port); });
  });
  serving_ = true;
  absl::MutexLock lock(&process_->mutex_);
  process_->port_ = door_->port();
  process_->metrics_port_ = admin_->port();
  return absl::OkStatus();
}

absl::Status Process::Running::StartComponents() {
  for (const Component& component : process_->components_) {
    if (component.start) {
      if (absl::Status status = component.start(); !status.ok()) {
        return absl::Status(status.code(), absl::StrCat(component.name, ": ",
                                                        status.message()));
      }
    }
    ++started_;
    absl::MutexLock lock(&process_->mutex_);
    if (process_->stopping_) return absl::OkStatus();
  }
  return absl::OkStatus();
}

void Process::Running::Drain() {
  serving_ = false;
  process_->health_->Drain();
  for (const auto& reaction : process_->drain_reactions_) reaction();
  const absl::Time deadline = absl::Now() + process_->options_.drain_timeout;
  service_->StartDraining();
  // gRPC 1.51 answers calls that come while Shutdown says GOAWAY with
  // CANCELLED, which tells nobody whether they were carried out. Hence new
  // calls are refused until the last one has ended, and only then connections
  // close: a call still on its way ends UNAVAILABLE (NoCallIsLostWhileItDrains
  // fails otherwise).
  if (service_->WaitUntilIdle(deadline)) {
    door_->EndConnections(std::min(deadline, absl::Now() + kClosing));
  }
  service_->Shutdown(deadline);
}

void Process::Running::Unwind() {
  service_.reset();
  door_.reset();
  for (; started_ > 0; --started_) {
    const Component& component = process_->components_[started_ - 1];
    if (component.stop) component.stop();
  }
  admin_.reset();
}

Process::Process(ProcessOptions options)
    : options_(std::move(options)), health_(rpc::Health::Create()) {}

Process::~Process() = default;

void Process::Add(std::string name, std::function<absl::Status()> start,
                  std::function<void()> stop) {
  components_.push_back({std::move(name), std::move(start), std::move(stop)});
}

void Process::AddPort(std::string name, std::function<absl::Status()> probe) {
  ports_.push_back(
      {std::move(name), std::make_unique<RememberedProbe>(std::move(probe))});
}

void Process::OnDrain(std::function<void()> reaction) {
  drain_reactions_.push_back(std::move(reaction));
}

absl::Status Process::Run() {
  SignalWatch signals([this](int signal) {
    log::LogLine(spdlog::level::info, "told to stop").Number("signal", signal);
    Stop();
  });
  Running running(this);
  absl::Status started = running.Start();
  {
    absl::MutexLock lock(&mutex_);
    settled_ = true;
    if (!started.ok()) return started;
    log::LogLine(spdlog::level::info, "serving")
        .Number("port", port_)
        .Number("metrics_port", metrics_port_);
    mutex_.Await(absl::Condition(&stopping_));
  }
  running.Drain();
  absl::MutexLock lock(&mutex_);
  log::LogLine(spdlog::level::info, "drained").Number("port", port_);
  return cause_;
}

absl::Status CheckReach(absl::string_view listen, bool insecure) {
  auto address = SocketAddress::Parse(listen);
  if (!address.ok()) return address.status();
  if (insecure || address->is_loopback()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "other machines could reach ", listen,
      ", where tokens and personal data would go unencrypted; listen on the "
      "loopback behind a proxy that encrypts, or say --insecure"));
}

void Process::Stop(const absl::Status& cause) {
  absl::MutexLock lock(&mutex_);
  cause_.Update(cause);
  stopping_ = true;
}

int Process::port() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&settled_));
  return port_;
}

int Process::metrics_port() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&settled_));
  return metrics_port_;
}

void Process::SetServing(bool serving) {
  for (const std::string& service : methods_.services()) {
    health_->Set(service, serving);
  }
  for (const std::string& service : options_.also_listed) {
    health_->Set(service, serving);
  }
  health_->Set("", serving);
}

}  // namespace transparency::server
