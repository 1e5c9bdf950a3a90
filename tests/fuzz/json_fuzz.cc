// JSON bodies: what is read, written and read again is the same message and the
// same text, and protobuf's own reader takes what is written for that message.

#include <string>

#include "absl/strings/match.h"
#include "gateway/json/json_reader.h"
#include "gateway/json/json_writer.h"
#include "gateway/json/tests/library.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "google/protobuf/util/json_util.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace gateway = transparency::gateway;
using gateway::library::v1::CreateBookRequest;
using gateway::library::v1::Everything;
using google::protobuf::FieldMask;
using google::protobuf::util::FieldMaskUtil;
using transparency::fuzz::Require;
using transparency::fuzz::Same;

const gateway::json::JsonWriter& Writer() {
  static const auto* const writer = new gateway::json::JsonWriter;
  return *writer;
}

// Field masks are compared by FieldMaskUtil: protobuf's own JSON reader guesses
// at words where capitals follow each other (to it `aBC` is a_bc) and is not
// the inverse of its writer.
void CheckMask(const FieldMask& mask) {
  std::string json;
  FieldMask theirs;
  if (FieldMaskUtil::ToJsonString(mask, &json) &&
      FieldMaskUtil::FromJsonString(json, &theirs)) {
    Require(Same(theirs, mask), "FieldMaskUtil reads the same", json);
  }
}

void TakeMasks(Everything* message) {
  if (message->has_mask()) CheckMask(message->mask());
  message->clear_mask();
  if (message->has_child()) TakeMasks(message->mutable_child());
  for (Everything& child : *message->mutable_children()) TakeMasks(&child);
}

void TakeMasks(CreateBookRequest* /*has none*/) {}

template <class Type>
void Check(absl::string_view json) {
  Type message;
  if (!gateway::json::ReadJson(json, {}, &message).ok()) return;
  std::string written;
  Writer().Write(message, &written);
  Type again;
  const absl::Status status = gateway::json::ReadJson(written, {}, &again);
  // Nothing that is read is deeper than what may be read again, but an Any
  // and a Value are written within objects of their own.
  Require(status.ok(), "what is written can be read",
          written + "\n" + status.ToString());
  Require(Same(message, again), "what is read again is the same", written);
  std::string rewritten;
  Writer().Write(again, &rewritten);
  Require(rewritten == written, "and is written the same", written);
  TakeMasks(&message);
  const bool masks_in_any = absl::StrContains(written, "FieldMask\"") ||
                            absl::StrContains(written, "Everything\"");
  Type theirs;
  if (!masks_in_any &&
      google::protobuf::util::JsonStringToMessage(written, &theirs).ok()) {
    TakeMasks(&theirs);
    Require(Same(theirs, message), "protobuf reads the same", written);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view json = transparency::fuzz::Text(data, size);
  Check<Everything>(json);
  Check<CreateBookRequest>(json);
  return 0;
}
