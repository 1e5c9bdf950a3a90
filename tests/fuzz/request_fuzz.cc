// A request that was checked and normalised passes as it is, and so does its
// resource; whatever the bytes, the check tells valid fields.

#include <string>

#include "common/fields/request_check.h"
#include "common/fields/tests/library.pb.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace v1 = transparency::library::v1;
using transparency::fields::CheckRequest;
using transparency::fuzz::Require;
using transparency::fuzz::Same;

template <class Request>
void Check(const uint8_t* data, size_t size, Request* request) {
  if (!request->ParseFromArray(data, static_cast<int>(size))) return;
  if (!CheckRequest(request).ok()) return;
  Request again = *request;
  Require(CheckRequest(&again).ok() && Same(again, *request),
          "what was checked is in its one form", request->ShortDebugString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  v1::CreateBookRequest create;
  Check(data, size, &create);
  v1::UpdateBookRequest update;
  Check(data, size, &update);
  v1::BatchGetBooksRequest batch;
  Check(data, size, &batch);
  return 0;
}
