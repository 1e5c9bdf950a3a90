#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "common/fields/tests/library.pb.h"
#include "common/journal/replica/workbench.h"
#include "common/resource/kind.h"
#include "common/rpc/call.h"
#include "common/status/status.h"
#include "gtest/gtest.h"

namespace transparency::methods {

inline constexpr char kShelf[] = "shelves/north";
inline constexpr char kMoby[] = "shelves/north/books/moby";

inline const Caller the_public;
inline const Caller the_owner{"ishmael", {}};
inline const Caller the_staff{"clerk", {"staff"}};

// Shelves and books on a writer's workbench, without a database. Of live books,
// no two have the same `uri`; a new one begins on floor 1; one that is lent is
// not deleted.
class LibraryDesk : public testing::Test {
 protected:
  using Book = library::v1::Book;
  using Shelf = library::v1::Shelf;
  using Message = google::protobuf::Message;
  using Decide = absl::FunctionRef<absl::StatusOr<std::string>(
      const resource::Kind&, journal::Decision&, const Message&)>;

  LibraryDesk() {
    resource::Rules<Book> rules;
    rules.check = CheckBook;
    rules.begin = [](const resource::Snapshot&, Book* book, absl::Time) {
      book->set_floor(1);
      return absl::OkStatus();
    };
    rules.check_delete = [](const resource::Snapshot&, const Book& book) {
      return book.lent() ? status::Precondition("LENT", book.name(), "is lent")
                         : absl::OkStatus();
    };
    EXPECT_TRUE(catalogue_.Add<Shelf>({}).ok());
    EXPECT_TRUE(catalogue_.Add<Book>(rules).ok());
    bench_ = std::make_unique<journal::Workbench>(
        resource::SnapshotBuilder(resource::Snapshot(&catalogue_)),
        journal::Head{}, now_);
    Shelf shelf;
    shelf.set_name(kShelf);
    Put(shelf);
    Put(Moby());
  }

  static Book Moby() {
    Book book;
    book.set_name(kMoby);
    book.set_title("Moby");
    book.set_uri("https://example.org/moby");
    book.set_floor(7);
    return book;
  }

  void Put(const Message& resource) {
    const bool there = view().Find(NameOf(resource)) != nullptr;
    journal::CommandDecision decision = Decision(the_staff);
    const auto item = decision.Put(
        resource,
        there ? journal::v1::Change::UPDATED : journal::v1::Change::CREATED, "",
        "");
    EXPECT_TRUE(item.ok()) << item.status();
  }

  // Carries a command out, or undoes all of it.
  template <class T>
  absl::StatusOr<T> Do(Decide decide, const Message& request,
                       const Caller& caller = the_staff) {
    const size_t before = bench_->changes().size();
    journal::CommandDecision decision = Decision(caller);
    auto answer =
        decide(*catalogue_.ByDescriptor(T::descriptor()), decision, request);
    if (!answer.ok()) {
      bench_->UndoTo(before);
      return answer.status();
    }
    T resource;
    EXPECT_TRUE(resource.ParseFromString(*answer));
    return resource;
  }

  const resource::Snapshot& view() const { return bench_->view(); }
  const journal::Entry& last_entry() const {
    return bench_->changes().back().entry;
  }
  size_t entries() const { return bench_->changes().size(); }
  const resource::Kind& books() const {
    return *catalogue_.ByDescriptor(Book::descriptor());
  }

  static std::string NameOf(const Message& resource) {
    return resource.GetReflection()->GetString(
        resource, resource.GetDescriptor()->FindFieldByName("name"));
  }

  const absl::Time now_ = absl::FromUnixSeconds(1700000000);

 private:
  static absl::Status CheckBook(const resource::Snapshot& view, const Book*,
                                Book* after, absl::Time) {
    absl::Status status;
    view.ForEach<Book>("", [&](const Book& other) {
      if (other.name() != after->name() && !after->uri().empty() &&
          other.uri() == after->uri()) {
        status = status::NotUnique("uri", after->uri(), other.name());
      }
      return status.ok();
    });
    return status;
  }

  journal::CommandDecision Decision(const Caller& caller) {
    return journal::CommandDecision(bench_.get(), &caller,
                                    "/library.Library/Change", "");
  }

  resource::Catalogue catalogue_;
  std::unique_ptr<journal::Workbench> bench_;
};

// "FAILED_PRECONDITION HAS_CHILDREN"; "OK".
inline std::string Outcome(const absl::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ",
                      status::Reason(status));
}

}  // namespace transparency::methods
