#include <cstddef>
#include <cstdint>

#include "common/resource/masks.h"
#include "common/resource/request_check.h"
#include "common/resource/tests/library.pb.h"

namespace v1 = transparency::library::v1;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  v1::UpdateBookRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (!transparency::resource::CheckRequest(&request).ok()) return 0;
  v1::Book current;
  current.set_name("shelves/a/books/b");
  current.set_title("before");
  auto after = transparency::resource::ApplyUpdate(
      current, request.book(),
      request.has_update_mask() ? &request.update_mask() : nullptr);
  if (after.ok()) {
    (void)transparency::resource::CheckResource(**after, "book");
  }
  return 0;
}
