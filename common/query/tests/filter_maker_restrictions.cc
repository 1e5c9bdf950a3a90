// Restrictions over each kind of field, and what they mean.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/query/tests/filter_maker.h"

namespace transparency::query {
namespace {

using library::v1::Book;
using Chapter = Book::Chapter;

// Whether `a by b`, given the order of the two.
bool Stands(int order, const std::string& by) {
  if (by == "!=") return order != 0;
  if (by == "<") return order < 0;
  if (by == "<=") return order <= 0;
  if (by == ">") return order > 0;
  if (by == ">=") return order >= 0;
  return order == 0;
}

template <class T>
int OrderOf(const T& a, const T& b) {
  return a < b ? -1 : a == b ? 0 : 1;
}

// Whether a text is the parts with any text between them, by trying it all.
bool Globs(const std::vector<std::string>& parts, size_t at,
           const std::string& text) {
  if (!absl::StartsWith(text, parts[at])) return false;
  const std::string rest = text.substr(parts[at].size());
  if (at + 1 == parts.size()) return rest.empty();
  for (size_t skip = 0; skip <= rest.size(); ++skip) {
    if (Globs(parts, at + 1, rest.substr(skip))) return true;
  }
  return false;
}

std::string Lower(const std::string& text) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(text), {{"Ü", "ü"}});
}

bool AnyChapter(const google::protobuf::RepeatedPtrField<Chapter>& chapters,
                const std::function<bool(const Chapter&)>& holds) {
  return std::any_of(chapters.begin(), chapters.end(), holds);
}

void TextsOf(const Chapter& chapter, std::vector<std::string>* texts) {
  texts->push_back(chapter.heading());
  for (const Chapter& part : chapter.parts()) TextsOf(part, texts);
}

// Every text that RandomBook writes.
std::vector<std::string> TextsOf(const Book& book) {
  std::vector<std::string> texts = {book.title(), book.origin().city(),
                                    book.room()};
  TextsOf(book.origin().preface(), &texts);
  for (const Chapter& chapter : book.chapters()) TextsOf(chapter, &texts);
  for (const auto& [key, chapter] : book.numbered()) TextsOf(chapter, &texts);
  for (const std::string& tag : book.tags()) texts.push_back(tag);
  for (const auto& [key, value] : book.labels()) {
    texts.push_back(key);
    texts.push_back(value);
  }
  return texts;
}

// First and last day that a date can mean, as numbers in their order.
std::pair<int, int> DaysOf(const google::type::Date& date) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
  const int first_month = date.month() == 0 ? 1 : date.month();
  const int last_month = date.month() == 0 ? 12 : date.month();
  const bool leap = last_month == 2 && date.year() % 4 == 0;
  const int last_day =
      date.day() != 0 ? date.day() : kDays[last_month - 1] + (leap ? 1 : 0);
  const int first_day = date.day() != 0 ? date.day() : 1;
  return {date.year() * 10000 + first_month * 100 + first_day,
          date.year() * 10000 + last_month * 100 + last_day};
}

// Whether it surely holds, by every reading of both.
bool DateStands(const google::type::Date& date, const std::string& by,
                const google::type::Date& value) {
  if (date.year() == 0) return false;
  const auto [first, last] = DaysOf(date);
  const auto [from, until] = DaysOf(value);
  if (by == "!=") return last < from || first > until;
  if (by == "<") return last < from;
  if (by == "<=") return last <= until;
  if (by == ">") return first > until;
  if (by == ">=") return first >= from;
  return from <= first && last <= until;
}

std::string DateText(const google::type::Date& date) {
  std::string text = absl::StrFormat("%04d", date.year());
  if (date.month() != 0) absl::StrAppendFormat(&text, "-%02d", date.month());
  if (date.day() != 0) absl::StrAppendFormat(&text, "-%02d", date.day());
  return text;
}

const std::vector<std::string> kAll = {"=", "!=", "<", "<=", ">", ">=", ":"};
const std::vector<std::string> kEqual = {"=", "!=", ":"};

}  // namespace

Made FilterMaker::Restriction() {
  switch (Pick(14)) {
    case 0:
    case 1:
      return Number();
    case 2:
      return Flag();
    case 3:
      return State();
    case 4:
    case 5:
      return Text();
    case 6:
      return Instant();
    case 7:
      return Duration();
    case 8:
      return Published();
    case 9:
    case 10:
      return Repeated();
    case 11:
      return Part();
    case 12:
      return Present();
    default:
      return BareWord();
  }
}

std::string FilterMaker::Compared(const std::string& member,
                                  const std::string& by) {
  return absl::StrCat(member, MaybeSpace(), by, MaybeSpace());
}

Made FilterMaker::WithValue(const std::string& before, const Leaf& value) {
  if (!Chance(5)) {
    Made made = value();
    made.text = absl::StrCat(before, made.text);
    return made;
  }
  Made made = Expression(1, value);
  made.text =
      absl::StrCat(before, "(", MaybeSpace(), made.text, MaybeSpace(), ")");
  return made;
}

// Numbers of every kind; an empty one matches nothing, not even !=.
Made FilterMaker::Number() {
  using Get = std::function<std::optional<double>(const Book&)>;
  static const std::vector<std::pair<std::string, Get>> kNumbers = {
      {"pages", [](const Book& b) { return b.pages(); }},
      {"copies", [](const Book& b) { return b.copies(); }},
      {"floor", [](const Book& b) { return b.floor(); }},
      {"weight", [](const Book& b) { return b.weight(); }},
      {"rating", [](const Book& b) { return b.rating(); }},
      {"price", [](const Book& b) { return b.price(); }},
      {"edition",
       [](const Book& b) {
         return b.has_edition() ? std::optional<double>(b.edition())
                                : std::nullopt;
       }},
      {"volume",
       [](const Book& b) {
         return b.has_volume() ? std::optional<double>(b.volume().value())
                               : std::nullopt;
       }},
      {"crate",
       [](const Book& b) {
         return b.has_crate() ? std::optional<double>(b.crate()) : std::nullopt;
       }},
      {"origin.preface.pages",
       [](const Book& b) {
         return b.origin().has_preface()
                    ? std::optional<double>(b.origin().preface().pages())
                    : std::nullopt;
       }},
      {"numbered.1.pages",
       [](const Book& b) {
         const auto found = b.numbered().find(1);
         return found == b.numbered().end()
                    ? std::nullopt
                    : std::optional<double>(found->second.pages());
       }},
  };
  const auto& [member, get] = OneOf(kNumbers);
  const bool natural = member == "floor" || member == "weight";
  const bool real = member == "rating" || member == "price";
  const std::string by = OneOf(kAll);
  return WithValue(Compared(member, by), [this, get = get, by, natural, real] {
    const double value = natural ? Pick(3)
                         : real  ? (Pick(9) - 4) / 2.0
                                 : Pick(5) - 2;
    const std::string text = absl::StrCat(value);
    return Made{Chance(4) ? absl::StrCat("\"", text, "\"") : text,
                [get, by, value](const Book& book) {
                  const auto held = get(book);
                  return held.has_value() && Stands(OrderOf(*held, value), by);
                }};
  });
}

Made FilterMaker::Flag() {
  const std::string by = OneOf(kEqual);
  return WithValue(Compared("lent", by), [this, by] {
    const bool value = Chance(2);
    return Made{value ? "true" : "false", [by, value](const Book& book) {
                  return (book.lent() == value) == (by != "!=");
                }};
  });
}

Made FilterMaker::State() {
  const std::string by = OneOf(kEqual);
  return WithValue(Compared("state", by), [this, by] {
    const auto value = static_cast<Book::State>(Pick(4));
    return Made{Book::State_Name(value), [by, value](const Book& book) {
                  return (book.state() == value) == (by != "!=");
                }};
  });
}

Made FilterMaker::Text() {
  using Get = std::function<std::optional<std::string>(const Book&)>;
  const auto label = [](const std::string& key) {
    return [key](const Book& b) {
      const auto found = b.labels().find(key);
      return found == b.labels().end()
                 ? std::nullopt
                 : std::optional<std::string>(found->second);
    };
  };
  static const std::vector<std::pair<std::string, Get>> kTexts = {
      {"title", [](const Book& b) { return b.title(); }},
      {"origin.city",
       [](const Book& b) {
         return b.has_origin() ? std::optional<std::string>(b.origin().city())
                               : std::nullopt;
       }},
      {"room",
       [](const Book& b) {
         return b.has_room() ? std::optional<std::string>(b.room())
                             : std::nullopt;
       }},
      {"labels.k", label("k")},
      {"labels.\"a.b\"", label("a.b")},
      {"labels.'a.b'", label("a.b")},
  };
  const auto& [member, get] = OneOf(kTexts);
  const std::string by = OneOf(kAll);
  return WithValue(Compared(member, by), [this, get = get, by] {
    const bool ordered = by == "<" || by == "<=" || by == ">" || by == ">=";
    Pattern pattern = RandomPattern();
    // A lone star after `:` asks whether the field is set.
    while (ordered ? pattern.size() > 1
                   : by == ":" && absl::StrJoin(pattern, "*") == "*") {
      pattern = RandomPattern();
    }
    return Made{Write(pattern), [get, by, pattern, ordered](const Book& book) {
                  const auto held = get(book);
                  if (!held.has_value()) return false;
                  if (ordered) return Stands(held->compare(pattern[0]), by);
                  return Globs(pattern, 0, *held) == (by != "!=");
                }};
  });
}

Made FilterMaker::Instant() {
  const std::string by = OneOf(kAll);
  const std::string member = Chance(2) ? "lent_time" : "lentTime";
  return WithValue(Compared(member, by), [this, by] {
    const int value = Pick(3);
    // The same instant in several ways.
    const std::string instant = OneOf<std::string>(
        {absl::StrCat("1970-01-01T00:00:0", value, "Z"),
         absl::StrCat("1970-01-01T01:00:0", value, "+01:00"),
         absl::StrCat("1969-12-31T23:30:0", value, ".000-00:30")});
    const std::string text =
        OneOf<std::string>({instant, absl::StrCat("\"", instant, "\""),
                            absl::StrCat("timestamp(\"", instant, "\")"),
                            absl::StrCat("timestamp( '", instant, "' )")});
    return Made{
        text, [by, value](const Book& book) {
          return book.has_lent_time() &&
                 Stands(OrderOf<int64_t>(book.lent_time().seconds(), value),
                        by);
        }};
  });
}

Made FilterMaker::Duration() {
  const std::string by = OneOf(kAll);
  return WithValue(Compared("reading_time", by), [this, by] {
    const int halves = Pick(5) - 2;
    const std::string duration = absl::StrCat(halves / 2.0, "s");
    const std::string text =
        OneOf<std::string>({duration, absl::StrCat("'", duration, "'"),
                            absl::StrCat("duration(\"", duration, "\")"),
                            absl::StrCat("duration(", duration, ")")});
    return Made{text, [by, halves](const Book& book) {
                  const auto& time = book.reading_time();
                  return book.has_reading_time() &&
                         Stands(OrderOf<int64_t>(time.seconds() * 2 +
                                                     time.nanos() / 500'000'000,
                                                 halves),
                                by);
                }};
  });
}

Made FilterMaker::Published() {
  const std::string by = OneOf(kAll);
  return WithValue(Compared("published", by), [this, by] {
    const google::type::Date value = RandomDate();
    return Made{DateText(value), [by, value](const Book& book) {
                  return DateStands(book.published(), by, value);
                }};
  });
}

// Repeated fields, at the end or on the way: `:` and one element that fits.
Made FilterMaker::Repeated() {
  switch (Pick(6)) {
    case 0:
      return WithValue(Compared("tags", ":"), [this] {
        Pattern pattern = RandomPattern();
        while (absl::StrJoin(pattern, "*") == "*") pattern = RandomPattern();
        return Made{Write(pattern), [pattern](const Book& book) {
                      return std::any_of(book.tags().begin(), book.tags().end(),
                                         [&](const std::string& tag) {
                                           return Globs(pattern, 0, tag);
                                         });
                    }};
      });
    case 1:
      return WithValue(Compared("marks", ":"), [this] {
        const int value = Pick(5) - 2;
        return Made{absl::StrCat(value), [value](const Book& book) {
                      return std::count(book.marks().begin(),
                                        book.marks().end(), value) > 0;
                    }};
      });
    case 2:
      return WithValue(Compared("states", ":"), [this] {
        const int value = Pick(4);
        return Made{Book::State_Name(value), [value](const Book& book) {
                      return std::count(book.states().begin(),
                                        book.states().end(), value) > 0;
                    }};
      });
    case 3:
      return WithValue(Compared("chapters.pages", ":"), [this] {
        const int pages = Pick(3);
        return Made{absl::StrCat(pages), [pages](const Book& book) {
                      return AnyChapter(book.chapters(), [&](const auto& c) {
                        return c.pages() == pages;
                      });
                    }};
      });
    case 4:
      return WithValue(Compared("chapters.parts.heading", ":"), [this] {
        const std::string word = Word();
        return Made{Write({word}), [word](const Book& book) {
                      return AnyChapter(book.chapters(), [&](const auto& c) {
                        return AnyChapter(c.parts(), [&](const auto& part) {
                          return part.heading() == word;
                        });
                      });
                    }};
      });
    default:
      return WithValue(Compared("chapters.written", ":"), [this] {
        const google::type::Date value = RandomDate();
        return Made{DateText(value), [value](const Book& book) {
                      return AnyChapter(book.chapters(), [&](const auto& c) {
                        return DateStands(c.written(), "=", value);
                      });
                    }};
      });
  }
}

// `message:field` and `map:key`.
Made FilterMaker::Part() {
  return OneOf<Made>({
      {"origin:city", [](const Book& b) { return !b.origin().city().empty(); }},
      {"origin:preface",
       [](const Book& b) { return b.origin().has_preface(); }},
      {"origin.preface:pages",
       [](const Book& b) { return b.origin().preface().pages() != 0; }},
      {"chapters:heading",
       [](const Book& b) {
         return AnyChapter(b.chapters(),
                           [](const auto& c) { return !c.heading().empty(); });
       }},
      {"chapters : parts",
       [](const Book& b) {
         return AnyChapter(b.chapters(),
                           [](const auto& c) { return c.parts_size() > 0; });
       }},
      {"labels:k", [](const Book& b) { return b.labels().count("k") > 0; }},
      {"labels:\"a.b\"",
       [](const Book& b) { return b.labels().count("a.b") > 0; }},
      {"labels:(k OR 'a.b')",
       [](const Book& b) {
         return b.labels().count("k") > 0 || b.labels().count("a.b") > 0;
       }},
      {"numbered:1", [](const Book& b) { return b.numbered().count(1) > 0; }},
  });
}

// Whether a field is set: with presence, whether it is there; without, whether
// it has not its default.
Made FilterMaker::Present() {
  Made made = OneOf<Made>({
      {"title", [](const Book& b) { return !b.title().empty(); }},
      {"pages", [](const Book& b) { return b.pages() != 0; }},
      {"lent", [](const Book& b) { return b.lent(); }},
      {"state", [](const Book& b) { return b.state() != 0; }},
      {"rating", [](const Book& b) { return b.rating() != 0; }},
      {"cover", [](const Book& b) { return !b.cover().empty(); }},
      {"edition", [](const Book& b) { return b.has_edition(); }},
      {"volume", [](const Book& b) { return b.has_volume(); }},
      {"room", [](const Book& b) { return b.has_room(); }},
      {"crate", [](const Book& b) { return b.has_crate(); }},
      {"lent_time", [](const Book& b) { return b.has_lent_time(); }},
      {"published", [](const Book& b) { return b.has_published(); }},
      {"origin", [](const Book& b) { return b.has_origin(); }},
      {"origin.city", [](const Book& b) { return !b.origin().city().empty(); }},
      {"origin.preface",
       [](const Book& b) { return b.origin().has_preface(); }},
      {"tags", [](const Book& b) { return b.tags_size() > 0; }},
      {"chapters", [](const Book& b) { return b.chapters_size() > 0; }},
      {"chapters.written",
       [](const Book& b) {
         return AnyChapter(b.chapters(),
                           [](const auto& c) { return c.has_written(); });
       }},
      {"labels", [](const Book& b) { return !b.labels().empty(); }},
      {"labels.k", [](const Book& b) { return b.labels().count("k") > 0; }},
      {"numbered.1.heading",
       [](const Book& b) {
         const auto found = b.numbered().find(1);
         return found != b.numbered().end() && !found->second.heading().empty();
       }},
  });
  made.text = absl::StrCat(Compared(made.text, ":"), Chance(4) ? "\"*\"" : "*");
  return made;
}

Made FilterMaker::BareWord() {
  Pattern pattern = RandomPattern();
  while (absl::StrJoin(pattern, "*").empty()) pattern = RandomPattern();
  const std::string text = Write(pattern);
  // Found anywhere in a text, whatever its case.
  for (std::string& part : pattern) part = Lower(part);
  pattern.insert(pattern.begin(), "");
  pattern.push_back("");
  return {text, [pattern](const Book& book) {
            const auto texts = TextsOf(book);
            return std::any_of(
                texts.begin(), texts.end(), [&](const std::string& held) {
                  return !held.empty() && Globs(pattern, 0, Lower(held));
                });
          }};
}

}  // namespace transparency::query
