#include "common/methods/request_fields.h"

#include "common/fields/tests/library.pb.h"
#include "gtest/gtest.h"

namespace transparency::methods {
namespace {

using library::v1::CreateBookRequest;
using library::v1::GetBookRequest;

CreateBookRequest Create(const std::string& title, const std::string& reader) {
  CreateBookRequest request;
  request.mutable_book()->set_title(title);
  request.mutable_book()->set_reader(reader);
  return request;
}

TEST(Digest, TellsRequestsApartAndKeepsPersonalFieldsToItself) {
  const RequestDigests ann = Digest(Create("Moby", "Ann"));
  const RequestDigests bob = Digest(Create("Moby", "Bob"));
  EXPECT_EQ(ann.plain, bob.plain);
  EXPECT_NE(ann.personal, bob.personal);
  EXPECT_EQ(ann.personal, Digest(Create("Moby", "Ann")).personal);
  EXPECT_NE(ann.plain, Digest(Create("Emma", "Ann")).plain);
  EXPECT_NE(ann.personal, Digest(Create("Emma", "Ann")).personal);
}

// The plain digest says that there are some, so that a repetition without them
// is another request also once theirs is forgotten.
TEST(Digest, KnowsWhetherThereArePersonalFields) {
  const RequestDigests nobody = Digest(Create("Moby", ""));
  EXPECT_TRUE(nobody.personal.empty());
  EXPECT_NE(nobody.plain, Digest(Create("Moby", "Ann")).plain);
  GetBookRequest none;
  none.set_name("books/x");
  EXPECT_TRUE(Digest(none).personal.empty());
  EXPECT_FALSE(Digest(none).plain.empty());
}

}  // namespace
}  // namespace transparency::methods
