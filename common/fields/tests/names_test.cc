#include "common/fields/names.h"

#include <cstring>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace transparency::fields {
namespace {

TEST(Names, Ids) {
  for (const char* id : {"a", "a1", "a-b", "z0-9", "a--b"}) {
    EXPECT_TRUE(IsId(id)) << id;
    EXPECT_TRUE(CheckId("book_id", id).ok());
  }
  EXPECT_TRUE(IsId(std::string(63, 'a')));
  for (const char* id : {"", "1a", "-a", "a-", "A", "aB", "a_b", "a.b", "a/b",
                         "ä", "a b", "-", "a\n"}) {
    EXPECT_FALSE(IsId(id)) << id;
    EXPECT_EQ(CheckId("book_id", id).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(IsId(std::string(64, 'a')));
  EXPECT_FALSE(IsId(absl::string_view("a\0b", 3)));
}

TEST(Names, Patterns) {
  constexpr char kBook[] = "shelves/{shelf}/books/{book}";
  EXPECT_TRUE(HasPattern("shelves/a/books/b", kBook));
  EXPECT_TRUE(HasPattern("shelves/a", "shelves/{shelf}"));
  EXPECT_TRUE(HasPattern("shelves/a/settings", "shelves/{shelf}/settings"));
  for (const char* name :
       {"", "/", "shelves", "shelves/", "shelves/a", "shelves/a/books",
        "shelves/a/books/", "shelves/a/books/b/", "/shelves/a/books/b",
        "shelves//books/b", "shelves/a/pages/b", "shelves/A/books/b",
        "shelves/-/books/b", "shelves/a/books/b/c",
        "//library.transparency/shelves/a/books/b", "shelves/a/books/b\n"}) {
    EXPECT_FALSE(HasPattern(name, kBook)) << name;
  }
  EXPECT_TRUE(HasPattern("shelves/-/books/b", kBook, AnyIds::kAllow));
  EXPECT_TRUE(HasPattern("shelves/-", "shelves/{shelf}", AnyIds::kAllow));
  EXPECT_FALSE(HasPattern("shelves/--", "shelves/{shelf}", AnyIds::kAllow));
  EXPECT_FALSE(HasPattern("-/a", "shelves/{shelf}", AnyIds::kAllow));
}

TEST(Names, OfAnyPattern) {
  EXPECT_TRUE(IsName("shelves/a"));
  EXPECT_TRUE(IsName("managementSystems/a/steps/b"));
  EXPECT_FALSE(IsName(""));
  EXPECT_FALSE(IsName("shelves"));
  EXPECT_FALSE(IsName("Shelves/a"));
  EXPECT_FALSE(IsName("shelves/a/"));
  EXPECT_FALSE(IsName("shelves/a/books"));
  EXPECT_FALSE(IsName("a_b/c"));
  EXPECT_FALSE(IsName("shelves/-"));
  EXPECT_TRUE(IsName("shelves/-", AnyIds::kAllow));
}

TEST(Names, Parts) {
  EXPECT_EQ(IdOf("shelves/a/books/b"), "b");
  EXPECT_EQ(ParentOf("shelves/a/books/b"), "shelves/a");
  EXPECT_EQ(ParentOf("shelves/a"), "");
  EXPECT_EQ(ParentOf("shelves"), "");
  EXPECT_EQ(MakeName("", "shelves", "a"), "shelves/a");
  EXPECT_EQ(MakeName("shelves/a", "books", "b"), "shelves/a/books/b");
  absl::string_view domain;
  absl::string_view name;
  EXPECT_TRUE(SplitFullName("//x.transparency/a/b", &domain, &name));
  EXPECT_EQ(domain, "x.transparency");
  EXPECT_EQ(name, "a/b");
  EXPECT_FALSE(SplitFullName("a/b", &domain, &name));
  EXPECT_FALSE(SplitFullName("//x", &domain, &name));
  EXPECT_FALSE(SplitFullName("///x/y", &domain, &name));
}

TEST(Names, ParentsWithAnyId) {
  EXPECT_TRUE(ParentMatches("shelves/a", "shelves/-"));
  EXPECT_TRUE(ParentMatches("shelves/a", "shelves/a"));
  EXPECT_FALSE(ParentMatches("shelves/a", "shelves/b"));
  EXPECT_FALSE(ParentMatches("shelves/a/rows/b", "shelves/-"));
  EXPECT_FALSE(ParentMatches("shelves/a", "shelves/-/rows/-"));
  EXPECT_TRUE(ParentMatches("shelves/a/rows/b", "shelves/-/rows/b"));
  EXPECT_TRUE(ParentMatches("", ""));
  EXPECT_FALSE(ParentMatches("", "shelves/-"));
  EXPECT_FALSE(ParentMatches("shelves/a", ""));
}

}  // namespace
}  // namespace transparency::fields
