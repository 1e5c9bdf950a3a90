#include "common/fields/formats.h"

#include <string>
#include <vector>

#include "common/base/text.h"
#include "gtest/gtest.h"

namespace transparency::fields {
namespace {

struct FormatCase {
  type::v1::Format format;
  std::vector<std::string> right;
  std::vector<std::string> wrong;
};

TEST(Formats, AcceptWhatTheyDescribeAndNothingElse) {
  const std::string local64(64, 'a');
  const std::vector<FormatCase> cases = {
      {type::v1::COUNTRY,
       {"BE", "CN", "ZW", "AD", "GB"},
       {"be", "UK", "XX", "EU", "B", "BEL", "EB", "DA"}},
      {type::v1::LANGUAGE,
       {"en", "zh-Hans", "zh-Hant-TW", "de-CH-1996", "sl-rozaj-biske", "es-419",
        "en-a-bbb-x-a", "zh-cmn", "art-x-a1"},
       {"e", "en_US", "en-", "-en", "12", "en--US", "abcdefghi", "en-a", "en-x",
        "en-US-Latn", "e n", "en-ü"}},
      {type::v1::TIME_ZONE,
       {"Europe/Brussels", "UTC", "America/Argentina/Buenos_Aires",
        "Etc/GMT+5"},
       {"Europe/Atlantis", "/etc/passwd", "../etc/passwd", "Europe/",
        "localtime", "posix/Europe/Brussels", "posixrules", "Europe",
        "Fixed/UTC+01:00:00", "europe/brussels", "Europe//Brussels",
        "Europe/Brussels ", "zone.tab", "tzdata.zi"}},
      {type::v1::SHA256,
       {std::string(64, '0'), std::string(64, 'f')},
       {std::string(63, '0'), std::string(65, '0'), std::string(64, 'F'),
        std::string(64, 'g')}},
      {type::v1::URI,
       {"https://example.org", "http://example.org/a?b=c#d",
        "HTTPS://EXAMPLE.ORG/", "https://example.org:8443/%C3%BC",
        "https://[::1]/x", "https://192.0.2.1", "https://xn--mnchen-3ya.de",
        "https://example.org?x"},
       {"example.org", "ftp://example.org", "https://", "https:///x",
        "https://a b", "https://ü.de", "https://example.org/%zz",
        "https://example.org/%1", "https://me:secret@example.org",
        "https://example.org:99999", "https://example.org:x",
        "javascript:alert(1)", "https://example.org/a#b#c",
        "https://example.org/[", "https://[::1", "https://a..b", "https://.a",
        "https://example.org/\"x\""}},
      {type::v1::UUID4,
       {"123e4567-e89b-42d3-a456-426614174000",
        "123E4567-E89B-42D3-B456-426614174000"},
       {"123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-42d3-c456-426614174000",
        "123e4567e89b42d3a456426614174000",
        "{123e4567-e89b-42d3-a456-426614174000}",
        "123e4567-e89b-42d3-a456-42661417400g"}},
      {type::v1::EMAIL,
       {"a@b", "a.b+c@example.org", "\"a b\"@example.org",
        "\"a\\\\\"@example.org", "a@[192.0.2.1]", local64 + "@b"},
       {"a", "@b", "a@", "a b@c", ".a@b", "a.@b", "a..b@c", "a@b..c", "\"a@b",
        "\"a\"\"@b", "\"\\\"@b", "ü@b", "a@[b", local64 + "a@b", "a@b\n",
        "(x)a@b"}},
      {type::v1::MEDIA_TYPE,
       {"application/pdf", "image/svg+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml."
        "document"},
       {"pdf", "/pdf", "application/", "a/b/c", "text/plain; charset=utf-8",
        "+a/b", "a b/c"}},
  };
  for (const FormatCase& c : cases) {
    for (const std::string& text : c.right) {
      EXPECT_TRUE(HasFormat(text, c.format))
          << text << " is " << DescribeFormat(c.format);
    }
    for (const std::string& text : c.wrong) {
      EXPECT_FALSE(HasFormat(text, c.format))
          << text << " is not " << DescribeFormat(c.format);
    }
  }
  EXPECT_TRUE(HasFormat("anything", type::v1::FORMAT_UNSPECIFIED));
}

TEST(Text, NormalizesToNfc) {
  std::string text = "Zu\xCC\x88rich";
  EXPECT_TRUE(text::NormalizeNfc(&text));
  EXPECT_EQ(text, "Zürich");
  EXPECT_TRUE(text::NormalizeNfc(&text));
  EXPECT_EQ(text, "Zürich");
  // Compatibility characters are other characters.
  text = "ﬁ²";
  EXPECT_TRUE(text::NormalizeNfc(&text));
  EXPECT_EQ(text, "ﬁ²");
  text = "a\xC3";
  EXPECT_FALSE(text::NormalizeNfc(&text));
  EXPECT_EQ(text, "a\xC3");
}

TEST(Text, Utf8IsJudgedStrictly) {
  EXPECT_TRUE(text::IsUtf8("ü€𝄞"));
  for (const char* text : {"\xC3", "\xC0\x80", "\xED\xA0\x80",
                           "\xF4\x90\x80\x80", "\xFF", "a\x80", "\xE2\x82"}) {
    EXPECT_FALSE(text::IsUtf8(text));
  }
  EXPECT_EQ(text::CodePoints("ü€𝄞a"), 4u);
  EXPECT_EQ(text::Excerpt("üüü", 3), "ü…");
  EXPECT_EQ(text::Excerpt("abc", 3), "abc");
  EXPECT_EQ(text::Excerpt("a\xFF"), "a\\xff");
}

}  // namespace
}  // namespace transparency::fields
