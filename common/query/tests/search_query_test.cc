#include "common/query/search_query.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace transparency::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SearchQuery Parse(const std::string& text) {
  auto query = SearchQuery::Parse(text);
  EXPECT_TRUE(query.ok()) << text << ": " << query.status();
  return *std::move(query);
}

uint32_t Score(const std::string& words, const std::string& text,
               double weight = 1) {
  const SearchQuery query = Parse(words);
  SearchScore score(query);
  score.Add(text, weight);
  return score.Total();
}

bool Finds(const std::string& words, const std::string& text) {
  return Score(words, text) > 0;
}

TEST(SearchQuery, ReadsWordsAndPhrasesEachOnce) {
  EXPECT_THAT(Parse(" Open  source\tOPEN ").words(),
              ElementsAre("open", "source"));
  EXPECT_THAT(Parse("a\"white paper\"b \"\" \" x \"").words(),
              ElementsAre("a", "white paper", "b", "x"));
  EXPECT_THAT(Parse("华为\u3000安全").words(), ElementsAre("华为", "安全"));
  EXPECT_THAT(Parse("STRASSE").words(), Parse("straße").words());
}

TEST(SearchQuery, SaysWhatIsWrongWithAQuery) {
  for (const char* empty : {" ", "\"\"", "\" \t\""}) {
    EXPECT_THAT(std::string(SearchQuery::Parse(empty).status().message()),
                HasSubstr("query: has no word"));
  }
  EXPECT_THAT(std::string(SearchQuery::Parse("a \"b").status().message()),
              HasSubstr("double quote that is not closed"));
  std::string many;
  for (int i = 0; i < 20; ++i) absl::StrAppend(&many, "w", i, " ");
  EXPECT_TRUE(SearchQuery::Parse(many).ok());
  EXPECT_THAT(std::string(SearchQuery::Parse(many + "more").status().message()),
              HasSubstr("has 21 words: expected at most 20"));
}

TEST(SearchScore, FindsWordsFromTheirBeginningWhateverTheirCase) {
  EXPECT_TRUE(Finds("euler", "the EulerOS system"));
  EXPECT_TRUE(Finds("ÉCOLE", "École polytechnique"));
  EXPECT_TRUE(Finds("ΣΊΣΥΦΟΣ", "Σίσυφος"));
  EXPECT_FALSE(Finds("os", "the EulerOS system"));
  EXPECT_FALSE(Finds("euleros!", "the EulerOS system"));
  EXPECT_FALSE(Finds("x", ""));
}

TEST(SearchScore, TakesWhatIsNeitherLetterNorDigitForABoundary) {
  EXPECT_TRUE(Finds("27001", "ISO/IEC 27001:2013"));
  EXPECT_TRUE(Finds("iec", "ISO/IEC 27001:2013"));
  EXPECT_TRUE(Finds("27001:2013", "ISO/IEC 27001:2013"));
  EXPECT_TRUE(Finds("FLR.2", "ALC_FLR.2"));
  EXPECT_TRUE(Finds("+", "EAL4+"));
  EXPECT_TRUE(Finds("o-ttps", "O-TTPS"));
  EXPECT_FALSE(Finds("7001", "ISO/IEC 27001:2013"));
}

TEST(SearchScore, FindsAnyPartOfWritingWithoutSpaces) {
  EXPECT_TRUE(Finds("安全", "网络安全白皮书"));
  EXPECT_TRUE(Finds("5G", "华为5G安全"));
  EXPECT_FALSE(Finds("公开", "网络安全白皮书"));
}

TEST(SearchScore, NeedsEveryWordWhereverItStands) {
  const SearchQuery query = Parse("white security");
  SearchScore score(query);
  EXPECT_TRUE(score.Add("5G security", 1));
  EXPECT_EQ(score.Total(), 0u);
  score.Add("white paper", 0.4);
  EXPECT_GT(score.Total(), 0u);
  score.Clear();
  score.Add("white paper", 0.4);
  EXPECT_EQ(score.Total(), 0u);
}

TEST(SearchScore, FindsAPhraseAsItStands) {
  EXPECT_TRUE(Finds("\"white paper\"", "A White Paper on AI"));
  EXPECT_TRUE(Finds("\"white pap\"", "A White Paper on AI"));
  EXPECT_FALSE(Finds("\"paper white\"", "A White Paper on AI"));
  EXPECT_TRUE(Finds("paper white", "A White Paper on AI"));
}

TEST(SearchScore, RanksWhatFitsBetterHigher) {
  EXPECT_EQ(Score("IETF", "ietf"), SearchScore::kPerfect);
  EXPECT_EQ(Score("common criteria", "Common Criteria"), SearchScore::kPerfect);
  // From the best to the worst.
  const std::vector<uint32_t> scores = {
      Score("forum", "forum"),
      Score("forum", "TM Forum"),
      Score("forum", "Wireless World Research Forum"),
      Score("for", "TM Forum"),
      Score("for", "Wireless World Research Forum"),
      Score("forum", "forum", 0.4),
      Score("forum", "TM Forum", 0.4),
  };
  for (size_t i = 1; i < scores.size(); ++i) {
    EXPECT_GT(scores[i - 1], scores[i]) << i;
  }
  // A word that comes as a whole too counts as that.
  EXPECT_GT(Score("for", "forum for all"), Score("for", "forum fit all"));
  EXPECT_GT(Score("white paper", "white paper on AI"),
            Score("white paper", "paper on white AI"));
}

TEST(SearchScore, TellsTheTextThatMatchesBest) {
  const SearchQuery query = Parse("moby");
  SearchScore score(query);
  EXPECT_TRUE(score.Add("Moby Dick", 0.4));
  EXPECT_FALSE(score.Add("Moby Dick", 0.4));
  EXPECT_FALSE(score.Add("whale", 1));
  EXPECT_TRUE(score.Add("Moby", 1));
}

TEST(Snippet, IsTheWholeOfAShortText) {
  EXPECT_EQ(Parse("x").Snippet("no match here", 20), "no match here");
  EXPECT_EQ(Parse("x").Snippet("", 20), "");
}

TEST(Snippet, ShowsWhatWasFound) {
  const std::string filler = "Straße der Öffnung, weit und breit. ";
  std::string text;
  for (int i = 0; i < 20; ++i) text += filler;
  for (const size_t at : {size_t{0}, text.size() / 2, text.size()}) {
    // Not within a character.
    size_t cut = at;
    while (cut > 0 && cut < text.size() && (text[cut] & 0xC0) == 0x80) ++cut;
    const std::string whole =
        absl::StrCat(text.substr(0, cut), " Leuchtturm ", text.substr(cut));
    const std::string snippet = Parse("leuchtturm").Snippet(whole, 100);
    EXPECT_THAT(snippet, HasSubstr("Leuchtturm")) << at;
    EXPECT_LE(text::CodePoints(snippet), 100u);
    EXPECT_TRUE(text::IsUtf8(snippet));
    EXPECT_EQ(absl::StartsWith(snippet, "…"), at > 0);
    EXPECT_EQ(absl::EndsWith(snippet, "…"), at < text.size());
  }
}

TEST(Snippet, IsTheBeginningWhereNothingIsFound) {
  const std::string snippet =
      Parse("nothing").Snippet(std::string(300, 'a'), 100);
  EXPECT_TRUE(absl::StartsWith(snippet, "aaa"));
  EXPECT_TRUE(absl::EndsWith(snippet, "a…"));
  EXPECT_LE(text::CodePoints(snippet), 100u);
}

}  // namespace
}  // namespace transparency::query
