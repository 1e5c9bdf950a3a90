// The least that gRPC can be asked for: a server on completion queues, one and
// a thread for each core, that reads each request and answers the same bytes
// and headers, whatever the method is. It shares nothing with the suite.

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_split.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/grpcpp.h"

ABSL_FLAG(std::string, listen, "", "host:port");
ABSL_FLAG(std::string, get_answer, "", "file with the bytes of every answer");
ABSL_FLAG(std::string, list_answer, "", "those of methods called List...");
ABSL_FLAG(std::string, headers, "",
          "file with a header of each answer in a line, name=value");

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

grpc::ByteBuffer BufferOf(const std::string& bytes) {
  grpc::Slice slice(bytes.data(), bytes.size(), grpc::Slice::STATIC_SLICE);
  return grpc::ByteBuffer(&slice, 1);
}

// What every call is answered with.
struct Answers {
  std::string get, list;
  Headers headers;
};

// One call, from before it comes until it is over.
class BareCall {
 public:
  BareCall(const Answers* answers, grpc::AsyncGenericService* service,
           grpc::ServerCompletionQueue* queue)
      : answers_(answers), service_(service), queue_(queue) {
    service_->RequestCall(&context_, &stream_, queue_, queue_, this);
  }

  void Proceed(bool ok) {
    if (!ok || step_ == Step::kAnswered) {
      delete this;
    } else if (step_ == Step::kAwaited) {
      new BareCall(answers_, service_, queue_);
      step_ = Step::kArrived;
      stream_.Read(&request_, this);
    } else {
      step_ = Step::kAnswered;
      for (const auto& [name, value] : answers_->headers) {
        context_.AddInitialMetadata(name, value);
      }
      const bool many = context_.method().find("/List") != std::string::npos;
      answer_ = BufferOf(many ? answers_->list : answers_->get);
      stream_.WriteAndFinish(answer_, grpc::WriteOptions(), grpc::Status::OK,
                             this);
    }
  }

 private:
  enum class Step { kAwaited, kArrived, kAnswered };

  const Answers* const answers_;
  grpc::AsyncGenericService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer request_, answer_;
  Step step_ = Step::kAwaited;
};

void Poll(grpc::ServerCompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<BareCall*>(tag)->Proceed(ok);
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  Answers answers;
  answers.get = ReadFile(absl::GetFlag(FLAGS_get_answer));
  answers.list = ReadFile(absl::GetFlag(FLAGS_list_answer));
  for (const absl::string_view line : absl::StrSplit(
           ReadFile(absl::GetFlag(FLAGS_headers)), '\n', absl::SkipEmpty())) {
    answers.headers.push_back(absl::StrSplit(line, absl::MaxSplits('=', 1)));
  }
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::GetFlag(FLAGS_listen),
                           grpc::InsecureServerCredentials());
  builder.RegisterAsyncGenericService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    queues.push_back(builder.AddCompletionQueue());
  }
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::vector<std::thread> threads;
  for (const auto& queue : queues) {
    for (int i = 0; i < 16; ++i) new BareCall(&answers, &service, queue.get());
    threads.emplace_back([&queue] { Poll(queue.get()); });
  }
  // Until it is killed.
  for (std::thread& thread : threads) thread.join();
}
