#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/resource/masks.h"
#include "common/resource/page_token.h"
#include "common/resource/tests/library.pb.h"

namespace v1 = transparency::library::v1;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)transparency::resource::ReadPageToken({"method", "parent"}, text);
  auto mask = transparency::resource::ReadMask::Parse(
      "fields", text, *v1::ListBooksResponse::descriptor());
  if (mask.ok()) {
    v1::ListBooksResponse answer;
    answer.add_books()->mutable_origin()->set_city("x");
    mask->Apply(&answer);
  }
  return 0;
}
