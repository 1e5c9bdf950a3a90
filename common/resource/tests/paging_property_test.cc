// Pages of a list while resources come, go and change between them.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/resource/list_page.h"
#include "common/resource/tests/library_catalogue.h"
#include "gtest/gtest.h"

namespace transparency::resource {
namespace {

using library::v1::Book;

// An order, and a change that moves a book within it.
struct OrderCase {
  std::string order_by;
  std::function<void(Book*, int)> move;
  // Negative, zero or positive, before the name decides.
  std::function<int(const Book&, const Book&)> compare;
};

template <class T>
int Compare(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// What is not set comes first.
template <class T>
int CompareSet(bool a_set, const T& a, bool b_set, const T& b) {
  return a_set != b_set ? Compare(a_set, b_set) : a_set ? Compare(a, b) : 0;
}

std::function<int(const Book&, const Book&)> By(
    std::function<double(const Book&)> value) {
  return [value](const Book& a, const Book& b) {
    return Compare(value(a), value(b));
  };
}

OrderCase Descending(OrderCase order) {
  order.order_by += " desc";
  order.compare = [compare = order.compare](const Book& a, const Book& b) {
    return compare(b, a);
  };
  return order;
}

std::vector<OrderCase> OrderCases() {
  const OrderCase title = {
      "title",
      [](Book* b, int n) {
        constexpr const char* kTitles[] = {"", "a", "B", "Ab", "Übermut"};
        b->set_title(kTitles[n % 5]);
      },
      [](const Book& a, const Book& b) {
        // Without case: a and B, not B and a.
        const auto rank = [](const Book& book) {
          static const std::map<std::string, int> kRanks = {
              {"", 0}, {"a", 1}, {"Ab", 2}, {"B", 3}, {"Übermut", 4}};
          return kRanks.at(book.title());
        };
        return Compare(rank(a), rank(b));
      }};
  const OrderCase lent_time = {
      "lent_time",
      [](Book* b, int n) {
        b->clear_lent_time();
        if (n > 0) b->mutable_lent_time()->set_seconds(n - 4);
        if (n > 5) b->mutable_lent_time()->set_nanos(n * 1000);
      },
      [](const Book& a, const Book& b) {
        return CompareSet(
            a.has_lent_time(),
            std::make_pair(a.lent_time().seconds(), a.lent_time().nanos()),
            b.has_lent_time(),
            std::make_pair(b.lent_time().seconds(), b.lent_time().nanos()));
      }};
  const OrderCase reading_time = {
      "reading_time",
      [](Book* b, int n) {
        b->clear_reading_time();
        if (n > 0) b->mutable_reading_time()->set_seconds(n - 4);
      },
      [](const Book& a, const Book& b) {
        return CompareSet(a.has_reading_time(), a.reading_time().seconds(),
                          b.has_reading_time(), b.reading_time().seconds());
      }};
  const OrderCase published = {
      "published",
      [](Book* b, int n) {
        b->clear_published();
        if (n == 0) return;
        b->mutable_published()->set_year(2018 + n % 2);
        if (n > 3) b->mutable_published()->set_month(n);
        if (n > 5) b->mutable_published()->set_day(n);
      },
      [](const Book& a, const Book& b) {
        const auto number = [](const Book& book) {
          const auto& date = book.published();
          return date.year() * 10000 + date.month() * 100 + date.day();
        };
        return CompareSet(a.has_published(), number(a), b.has_published(),
                          number(b));
      }};
  const OrderCase city = {
      "origin.city",
      [](Book* b, int n) {
        b->clear_origin();
        if (n > 2) b->mutable_origin()->set_city(std::string(n % 3, 'x'));
      },
      [](const Book& a, const Book& b) {
        return CompareSet(a.has_origin(), a.origin().city(), b.has_origin(),
                          b.origin().city());
      }};
  const OrderCase edition = {"edition",
                             [](Book* b, int n) {
                               b->clear_edition();
                               if (n > 2) b->set_edition(n - 5);
                             },
                             [](const Book& a, const Book& b) {
                               return CompareSet(a.has_edition(), a.edition(),
                                                 b.has_edition(), b.edition());
                             }};
  const OrderCase price = {"price",
                           [](Book* b, int n) { b->set_price((n - 4) / 3.0); },
                           By([](const Book& b) { return b.price(); })};
  const OrderCase weight = {
      "weight",
      [](Book* b, int n) {
        b->set_weight(n < 3 ? static_cast<uint64_t>(n)
                            : ~uint64_t{0} - static_cast<uint64_t>(n));
      },
      [](const Book& a, const Book& b) {
        return Compare(a.weight(), b.weight());
      }};
  const OrderCase lent = {"lent",
                          [](Book* b, int n) { b->set_lent(n % 2 == 0); },
                          By([](const Book& b) { return b.lent(); })};
  const OrderCase state = {
      "state",
      [](Book* b, int n) { b->set_state(n % 2 ? Book::OUT : Book::GONE); },
      By([](const Book& b) { return b.state(); })};
  const OrderCase rating = {
      "rating",
      [](Book* b, int n) { b->set_rating(static_cast<float>(n - 4) / 2); },
      By([](const Book& b) { return b.rating(); })};
  const OrderCase by_name = {"", [](Book*, int) {},
                             [](const Book&, const Book&) { return 0; }};
  const OrderCase from_last_name = {
      "name desc", [](Book*, int) {},
      [](const Book& a, const Book& b) { return b.name().compare(a.name()); }};
  const OrderCase two = {"lent, title desc",
                         [title, lent](Book* b, int n) {
                           lent.move(b, n);
                           title.move(b, n);
                         },
                         [title, lent](const Book& a, const Book& b) {
                           const int first = lent.compare(a, b);
                           return first != 0 ? first : title.compare(b, a);
                         }};
  std::vector<OrderCase> cases = {by_name,   from_last_name, two,       title,
                                  lent_time, reading_time,   published, city,
                                  edition,   price,          weight,    lent,
                                  state,     rating};
  for (size_t i = 3; i < 14; ++i) cases.push_back(Descending(cases[i]));
  return cases;
}

// One client that pages, while others change what it pages through.
class Paging {
 public:
  Paging(const OrderCase& order, uint32_t seed)
      : order_(order),
        random_(seed),
        catalogue_(LibraryCatalogue()),
        kind_(*catalogue_->ByDescriptor(Book::descriptor())),
        snapshot_(catalogue_.get()) {}

  void Run() {
    for (int i = 0; i < 40; ++i) Create();
    steady_.clear();
    for (const auto& [name, book] : books_) {
      if (Listed(book)) steady_.insert(name);
    }
    std::string token;
    do {
      token = Page(token);
      for (int i = Pick(8); i > 0; --i) Change();
    } while (!token.empty());
    Judge();
  }

 private:
  int Pick(int choices) {
    return std::uniform_int_distribution<int>(0, choices - 1)(random_);
  }

  // What the filter below and the public's form leave.
  static bool Listed(const Book& book) {
    return book.copies() > 0 && book.state() != Book::DRAFT &&
           !book.has_delete_time();
  }

  std::string Page(const std::string& token) {
    const Form form(kind_, caller_);
    const int size = 1 + Pick(9);
    int count = 0;
    // Every other page has next to no time: it is short, often empty.
    const bool hurried = Pick(2) == 0;
    query::QueryBudget budget(
        {.page = absl::Milliseconds(hurried ? 1 + Pick(6) : 1000),
         .first_check = 1},
        [] { return absl::OkStatus(); },
        [ticks = 0]() mutable { return absl::Milliseconds(++ticks); });
    auto next = ListPage({.snapshot = snapshot_,
                          .kind = kind_,
                          .form = form,
                          .method = "ListBooks",
                          .parent = "shelves/-",
                          .filter = "copies > 0",
                          .order_by = order_.order_by,
                          .page_size = size,
                          .page_token = token,
                          .total_size = hurried},
                         &budget, [&](const Item& item, const std::string&) {
                           ++count;
                           EXPECT_TRUE(Listed(books_.at(item.name())))
                               << item.name();
                           told_.push_back(books_.at(item.name()));
                         });
    EXPECT_TRUE(next.ok()) << next.status();
    EXPECT_LE(count, size);
    if (!next.ok()) return "";
    // An empty page is the last one, or one whose time was over.
    EXPECT_TRUE(count > 0 || next->next_page_token.empty() ||
                (hurried && order_.order_by.empty()));
    if (hurried) {
      EXPECT_EQ(*next->total_size, std::count_if(books_.begin(), books_.end(),
                                                 [](const auto& book) {
                                                   return Listed(book.second);
                                                 }));
    }
    return next->next_page_token;
  }

  void Put(const Book& book) {
    books_[book.name()] = book;
    SnapshotBuilder builder(snapshot_);
    builder.Put(MakeItem(kind_, book));
    snapshot_ = std::move(builder).Build();
  }

  void Create() {
    Book book;
    book.set_name(
        absl::StrFormat("shelves/s%d/books/b%04d", Pick(3), Pick(10000)));
    if (books_.count(book.name()) != 0) return;
    book.set_copies(Pick(4));
    book.set_state(Pick(8) == 0 ? Book::DRAFT : Book::OUT);
    order_.move(&book, Pick(9));
    Put(book);
  }

  void Change() {
    if (Pick(3) == 0) return Create();
    auto found = books_.begin();
    std::advance(found, Pick(static_cast<int>(books_.size())));
    Book book = found->second;
    switch (Pick(5)) {
      case 0:
        book.mutable_delete_time()->set_seconds(1);
        break;
      case 1:
        book.set_copies(Pick(2));
        break;
      case 2:
        book.set_state(Book::DRAFT);
        break;
      case 3:
        order_.move(&book, Pick(9));
        break;
      default:
        // What the order does not look at.
        book.set_remark(absl::StrCat("remark ", Pick(100)));
        book.set_copies(book.copies() > 0 ? 1 + Pick(3) : 0);
        break;
    }
    if (!Listed(book) || order_.compare(book, found->second) != 0) {
      steady_.erase(book.name());
    }
    Put(book);
  }

  void Judge() {
    std::map<std::string, int> times;
    for (const Book& book : told_) ++times[book.name()];
    for (const std::string& name : steady_) {
      EXPECT_EQ(times[name], 1) << name << " stayed where it was";
    }
    // Those that stayed, in order; the others wherever they were at the time.
    const Book* last = nullptr;
    for (const Book& book : told_) {
      if (steady_.count(book.name()) == 0) continue;
      if (last != nullptr) {
        const int order = order_.compare(*last, book);
        EXPECT_TRUE(order < 0 || (order == 0 && last->name() < book.name()))
            << last->ShortDebugString() << " before "
            << book.ShortDebugString();
      }
      last = &book;
    }
  }

  const OrderCase& order_;
  std::mt19937 random_;
  const std::unique_ptr<const Catalogue> catalogue_;
  const Kind& kind_;
  const Caller caller_;
  Snapshot snapshot_;
  std::map<std::string, Book> books_;
  std::set<std::string> steady_;
  std::vector<Book> told_;
};

TEST(PagingProperty, WhatStaysPutIsListedOnceInEveryOrderWhileOthersChange) {
  for (const OrderCase& order : OrderCases()) {
    SCOPED_TRACE(order.order_by);
    for (uint32_t seed = 0; seed < 15; ++seed) {
      SCOPED_TRACE(seed);
      Paging(order, seed).Run();
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace transparency::resource
