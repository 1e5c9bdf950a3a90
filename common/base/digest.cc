#include "common/base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <memory>

namespace transparency::digest {
namespace {

const unsigned char* Data(absl::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Without these nothing here is safe; it does not happen.
void Require(bool done) {
  if (!done) std::abort();
}

struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using Mac = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Mac NewMac() {
  static EVP_MAC* const kAlgorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  Mac mac(EVP_MAC_CTX_new(kAlgorithm));
  char name[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
      OSSL_PARAM_construct_end()};
  Require(mac != nullptr && EVP_MAC_CTX_set_params(mac.get(), params) == 1);
  return mac;
}

}  // namespace

std::string Sha256(absl::string_view bytes) { return Sha256(bytes, ""); }

std::string Sha256(absl::string_view first, absl::string_view second) {
  // Both kept: to find the algorithm (OpenSSL 3.0) and to make a context costs
  // as much as a small digest.
  static const EVP_MD* const kAlgorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const Context context(EVP_MD_CTX_new());
  unsigned char digest[kBytes];
  unsigned int size = 0;
  EVP_MD_CTX* const with = context.get();
  Require(EVP_DigestInit_ex(with, kAlgorithm, nullptr) == 1 &&
          EVP_DigestUpdate(with, first.data(), first.size()) == 1 &&
          EVP_DigestUpdate(with, second.data(), second.size()) == 1 &&
          EVP_DigestFinal_ex(with, digest, &size) == 1);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string Hmac(absl::string_view key, absl::string_view bytes) {
  // Kept, since to find its algorithms again costs more than a small digest.
  thread_local const Mac mac = NewMac();
  unsigned char digest[kBytes];
  size_t size = 0;
  // An empty key must not be taken for "the one before".
  static const unsigned char kNothing = 0;
  const unsigned char* const start = key.empty() ? &kNothing : Data(key);
  Require(EVP_MAC_init(mac.get(), start, key.size(), nullptr) == 1 &&
          EVP_MAC_update(mac.get(), Data(bytes), bytes.size()) == 1 &&
          EVP_MAC_final(mac.get(), digest, &size, sizeof(digest)) == 1);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  Require(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                     static_cast<int>(count)) == 1);
  return bytes;
}

}  // namespace transparency::digest
