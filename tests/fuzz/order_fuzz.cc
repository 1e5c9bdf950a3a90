// An order: its keys are within their bound, equal for equal books, and turn
// round with `desc`. Input: a ListBooksResponse with two books, and the order
// as its token.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/fields/tests/library.pb.h"
#include "common/query/order.h"
#include "tests/fuzz/fuzz.h"

namespace {

using transparency::fuzz::Require;
using transparency::library::v1::Book;
using transparency::library::v1::ListBooksResponse;
using transparency::query::Order;

int Sign(int number) { return number < 0 ? -1 : number > 0 ? 1 : 0; }

std::string KeyOf(const Order& order, const Book& book) {
  std::string key = "rest of another";
  order.Key(book, &key);
  Require(key.size() <= Order::kMaxKeyBytes, "a key has its bound");
  return key;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ListBooksResponse input;
  if (!input.ParseFromArray(data, static_cast<int>(size))) return 0;
  const std::string& text = input.next_page_token();
  const Book a = input.books_size() > 0 ? input.books(0) : Book();
  const Book b = input.books_size() > 1 ? input.books(1) : Book();
  const auto order = Order::Parse(text, *Book::descriptor());
  if (!order.ok()) return 0;
  const auto spaced =
      Order::Parse(absl::StrCat("  ", text, " "), *Book::descriptor());
  Require(spaced.ok(), "blanks around an order mean nothing");
  const std::string key_a = KeyOf(**order, a);
  const std::string key_b = KeyOf(**order, b);
  Require(KeyOf(**spaced, a) == key_a, "nor do they change its keys");
  Book copy;
  copy.CopyFrom(a);
  Require(KeyOf(**order, copy) == key_a, "equal books have equal keys");
  // Of one field: the other way round with `desc`.
  const auto down =
      Order::Parse(absl::StrCat(text, " desc"), *Book::descriptor());
  if (down.ok() && !(*order)->by_name() && !(*down)->by_name() &&
      text.find(',') == std::string::npos) {
    Require(Sign(key_a.compare(key_b)) ==
                -Sign(KeyOf(**down, a).compare(KeyOf(**down, b))),
            "desc turns an order round", text);
  }
  return 0;
}
