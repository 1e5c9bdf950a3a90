#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/resource/filter.h"
#include "common/resource/order.h"
#include "common/resource/predicate.h"
#include "common/resource/tests/library.pb.h"

using transparency::library::v1::Book;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  static const Book* const book = [] {
    auto* made = new Book;
    made->set_title("Tidsskrift for Ålesund");
    made->add_tags("a");
    made->add_chapters()->set_heading("one");
    made->mutable_published()->set_year(2019);
    (*made->mutable_labels())["k"] = "v";
    return made;
  }();
  auto filter =
      transparency::resource::Filter::Parse(text, *Book::descriptor());
  if (filter.ok()) (*filter)->Matches(*book);
  auto predicate =
      transparency::resource::Predicate::Compile(text, *Book::descriptor());
  if (predicate.ok()) (*predicate)->Matches(*book, {"me", {"staff"}});
  auto order = transparency::resource::Order::Parse(text, *Book::descriptor());
  std::string key;
  if (order.ok()) (*order)->Key(*book, &key);
  return 0;
}
