// Masks: an update twice is an update once, and what no path names stays; an
// answer reduced twice is one reduced once. Input: an UpdateBookRequest, or a
// ListBooksResponse with a read mask as its token.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/fields/masks.h"
#include "common/fields/request_check.h"
#include "common/fields/tests/library.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace v1 = transparency::library::v1;
using google::protobuf::FieldMask;
using transparency::fields::ApplyUpdate;
using transparency::fields::ReadMask;
using transparency::fuzz::Require;
using transparency::fuzz::Same;

v1::Book Present() {
  v1::Book book;
  book.set_name("shelves/a/books/b");
  book.set_title("before");
  book.set_series("fixed");
  book.mutable_create_time()->set_seconds(1);
  book.mutable_origin()->set_publisher("P");
  book.mutable_origin()->set_stamp("S");
  book.mutable_origin()->mutable_preface()->set_digest("D");
  book.add_chapters()->set_heading("one");
  (*book.mutable_labels())["k"] = "v";
  book.set_edition(0);
  return book;
}

// Whether a top-level field is named by a mask, or set where there is none.
bool IsNamed(const v1::UpdateBookRequest& request, const std::string& field) {
  const FieldMask& mask = request.update_mask();
  if (mask.paths().empty()) {
    const auto* descriptor = v1::Book::descriptor()->FindFieldByName(field);
    return descriptor->is_repeated()
               ? request.book().GetReflection()->FieldSize(request.book(),
                                                           descriptor) > 0
               : request.book().GetReflection()->HasField(request.book(),
                                                          descriptor);
  }
  for (const std::string& path : mask.paths()) {
    const std::string first = path.substr(0, path.find('.'));
    if (first == "*" || first == field ||
        v1::Book::descriptor()->FindFieldByName(field)->camelcase_name() ==
            first) {
      return true;
    }
  }
  return false;
}

void CheckUpdate(const v1::UpdateBookRequest& request) {
  const v1::Book before = Present();
  const FieldMask* mask =
      request.has_update_mask() ? &request.update_mask() : nullptr;
  auto once = ApplyUpdate(before, request.book(), mask);
  if (!once.ok()) return;
  const auto& after = static_cast<const v1::Book&>(**once);
  auto twice = ApplyUpdate(after, request.book(), mask);
  Require(twice.ok() && Same(**twice, after),
          "an update twice is an update once", request.ShortDebugString());
  const auto* type = v1::Book::descriptor();
  v1::Book left_alone = before;
  v1::Book left_after = after;
  for (int i = 0; i < type->field_count(); ++i) {
    if (!IsNamed(request, type->field(i)->name())) continue;
    left_alone.GetReflection()->ClearField(&left_alone, type->field(i));
    left_after.GetReflection()->ClearField(&left_after, type->field(i));
  }
  Require(Same(left_alone, left_after), "what is not named stays",
          request.ShortDebugString());
  Require(after.name() == before.name() && after.series() == before.series() &&
              Same(after.create_time(), before.create_time()) &&
              after.origin().stamp() == before.origin().stamp(),
          "what is not the client's stays", request.ShortDebugString());
}

void CheckRead(absl::string_view text, const v1::ListBooksResponse& whole) {
  const auto mask = ReadMask::Parse("fields", text, *whole.GetDescriptor());
  if (!mask.ok()) return;
  v1::ListBooksResponse once = whole;
  mask->Apply(&once);
  v1::ListBooksResponse twice = once;
  mask->Apply(&twice);
  Require(Same(once, twice), "reduced twice is reduced once",
          std::string(text));
  const auto more = ReadMask::Parse("fields", absl::StrCat(text, ",*"),
                                    *whole.GetDescriptor());
  if (!more.ok()) return;  // over a limit
  v1::ListBooksResponse all = whole;
  more->Apply(&all);
  Require(Same(all, whole), "* is everything");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  v1::UpdateBookRequest request;
  if (request.ParseFromArray(data, static_cast<int>(size)) &&
      transparency::fields::CheckRequest(&request).ok()) {
    CheckUpdate(request);
  }
  v1::ListBooksResponse answer;
  if (answer.ParseFromArray(data, static_cast<int>(size))) {
    CheckRead(answer.next_page_token(), answer);
  }
  return 0;
}
