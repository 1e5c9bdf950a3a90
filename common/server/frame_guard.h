#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace transparency::server {

// Counts the fields of a header block (RFC 7541, section 6) without decoding
// it: a field may be one byte long, whatever it stands for. A value.
class FieldCounter {
 public:
  // Takes the next bytes of the block.
  void Take(absl::string_view bytes);
  int fields() const { return fields_; }

 private:
  enum class Expect {
    kField,
    kIndex,
    kNameLength,
    kName,
    kValueLength,
    kValue
  };

  void TakeByte(uint8_t byte);
  void BeginField(uint8_t byte);
  // A string's length, or (`more`) one of the bytes that it goes on in.
  void TakeLength(uint8_t byte, Expect text, Expect next);
  void AfterIndex();

  int fields_ = 0;
  Expect expect_ = Expect::kField;
  bool named_ = false;      // the field's name is a string of its own
  bool has_value_ = false;  // a string follows the index or the name
  bool more_ = false;       // the number goes on
  int shift_ = 0;
  uint64_t left_ = 0;  // of the string
};

// Looks at the frames that an HTTP/2 client sends (RFC 9113), before gRPC does,
// which bounds none of this: a block of headers may go on for ever, and each of
// its bytes may make gRPC hold some 230; a ping costs an answer. For one thread
// at a time.
class FrameGuard {
 public:
  // A limit that was broken.
  struct Breach {
    const char* limit;  // a short word
    // No client does so in good faith: its address is kept out for a while. Of
    // clients that share an address, one with too many headers must not cost
    // the others theirs.
    bool attack;
  };
  struct Limits {
    // One call's headers, and its trailers, may have so much.
    int fields = 256;
    size_t block_bytes = size_t{128} << 10;
    // PING and SETTINGS ask for an answer of their own; so many may come.
    double asks_per_second = 20;
    double asks_at_once = 200;
  };

  FrameGuard() : FrameGuard(Limits()) {}
  explicit FrameGuard(const Limits& limits)
      : limits_(limits), asks_left_(limits.asks_at_once) {}

  // Takes the next bytes of the connection, from its first on. False once a
  // limit is broken, and from then on.
  bool Take(absl::string_view bytes, absl::Time now);
  // The limit that was broken, which stays for good; null while none is.
  const Breach* broken() const { return broken_; }

 private:
  void BeginFrame(absl::Time now);
  void TakeHeaders(absl::string_view bytes);

  const Limits limits_;
  const Breach* broken_ = nullptr;
  size_t preface_left_ = 24;
  uint8_t head_[9] = {};
  size_t head_size_ = 0;
  size_t payload_left_ = 0;
  // Of the block that is under way.
  FieldCounter counter_;
  size_t block_bytes_ = 0;
  bool in_headers_ = false;
  bool padded_ = false;  // the next byte tells how much padding there is
  size_t skipped_ = 0;   // bytes before the fields that are yet to come
  size_t padding_ = 0;   // bytes behind them
  double asks_left_;
  absl::Time refilled_ = absl::InfinitePast();
};

}  // namespace transparency::server
