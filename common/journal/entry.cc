#include "common/journal/entry.h"

#include <openssl/evp.h>

#include "common/postgres/params.h"

namespace transparency::journal {
namespace {

constexpr char kDomain[] = "transparency/journal/v1";
constexpr size_t kDigestBytes = 32;

void AppendText(std::string* out, absl::string_view text) {
  postgres::AppendInt32(out, static_cast<int32_t>(text.size()));
  out->append(text.data(), text.size());
}

}  // namespace

std::string Sha256(absl::string_view bytes) {
  // Fetched once: SHA256() looks the algorithm up each time (OpenSSL 3.0).
  static const EVP_MD* const algorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, algorithm, nullptr);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string ChainDigest(absl::string_view previous, const Entry& entry) {
  std::string row = previous.empty() ? std::string(kDigestBytes, '\0')
                                     : std::string(previous);
  row += kDomain;
  postgres::AppendInt64(&row, entry.revision);
  postgres::AppendInt64(&row, absl::ToUnixMicros(entry.record_time));
  postgres::AppendInt64(&row, entry.kind);
  AppendText(&row, entry.name);
  AppendText(&row, entry.step);
  AppendText(&row, entry.actor);
  AppendText(&row, entry.reason);
  AppendText(&row, entry.request_id);
  AppendText(&row, entry.body);
  AppendText(&row, entry.public_digest.value_or(""));
  return Sha256(row);
}

}  // namespace transparency::journal
