#include "common/query/filter_words.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace transparency::query::filter_tree {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMaxDepth = 8;
// Bounds what a type that holds itself in several ways unfolds to.
constexpr int kMaxMessages = 1000;

bool HoldsAll(absl::string_view text, const std::vector<std::string>& pieces) {
  for (const std::string& piece : pieces) {
    const size_t found = text::FindText(text, piece);
    if (found == absl::string_view::npos) return false;
    text.remove_prefix(found + piece.size());
  }
  return true;
}

class WordNode final : public Node {
 public:
  WordNode(std::shared_ptr<const SearchedFields> fields,
           const std::vector<std::string>& pieces)
      : fields_(std::move(fields)) {
    for (const std::string& piece : pieces) {
      std::string folded;
      text::FoldCase(piece, &folded);
      matchable_ = matchable_ && folded.find('\0') == std::string::npos;
      pieces_.push_back(std::move(folded));
    }
  }

  bool Matches(const Subject& subject) const override {
    if (!subject.texts->gathered()) {
      fields_->Gather(subject.message, subject.texts);
      subject.texts->SetGathered();
    }
    return matchable_ && subject.texts->Hold(pieces_);
  }
  void AddFields(fields::FieldSubset* fields) const override {
    fields_->AddFields(fields);
  }

 private:
  const std::shared_ptr<const SearchedFields> fields_;
  std::vector<std::string> pieces_;
  bool matchable_ = true;  // no text holds a NUL
};

}  // namespace

SearchedFields::SearchedFields(const Descriptor& type,
                               const fields::FieldAccess& access) {
  fields::FieldPath path;
  int budget = kMaxMessages;
  top_ = Find(type, access, &path, &budget);
}

SearchedFields::Level SearchedFields::Find(const Descriptor& type,
                                           const fields::FieldAccess& access,
                                           fields::FieldPath* path,
                                           int* budget) {
  Level level;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    path->push_back(field);
    if (!access.Knows(*path) ||
        (path->size() == 1 && field->name() == "etag")) {
      // Not seen, or made by a machine.
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      level.texts.push_back(field);
    } else if (field->message_type() != nullptr && path->size() < kMaxDepth &&
               --*budget > 0) {
      Level below = Find(*field->message_type(), access, path, budget);
      if (!below.texts.empty() || !below.below.empty()) {
        below.field = field;
        level.below.push_back(std::move(below));
      }
    }
    path->pop_back();
  }
  return level;
}

void SearchedFields::AddFields(fields::FieldSubset* fields) const {
  for (const FieldDescriptor* field : top_.texts) fields->Add(*field);
  for (const Level& below : top_.below) fields->Add(*below.field);
}

void SearchedFields::Gather(const Message& message, FoldedTexts* texts) const {
  GatherLevel(message, top_, texts);
}

void SearchedFields::GatherLevel(const Message& message, const Level& level,
                                 FoldedTexts* texts) {
  const auto* reflection = message.GetReflection();
  std::string scratch;
  for (const FieldDescriptor* field : level.texts) {
    if (!field->is_repeated()) {
      texts->Add(reflection->GetStringReference(message, field, &scratch));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      texts->Add(
          reflection->GetRepeatedStringReference(message, field, i, &scratch));
    }
  }
  for (const Level& below : level.below) {
    const FieldDescriptor* field = below.field;
    if (!field->is_repeated()) {
      if (reflection->HasField(message, field)) {
        GatherLevel(reflection->GetMessage(message, field), below, texts);
      }
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      GatherLevel(reflection->GetRepeatedMessage(message, field, i), below,
                  texts);
    }
  }
}

void FoldedTexts::Clear() {
  gathered_ = false;
  all_.clear();
  ends_.clear();
}

void FoldedTexts::Add(absl::string_view text) {
  if (text.empty()) return;
  text::AppendFolded(text, &all_);
  ends_.push_back(all_.size());
  all_.push_back('\0');
}

bool FoldedTexts::Hold(const std::vector<std::string>& pieces) const {
  if (ends_.empty()) return false;
  // Nearly always a piece is nowhere, and one look at all texts tells.
  const bool maybe = std::all_of(
      pieces.begin(), pieces.end(), [this](const std::string& piece) {
        return text::FindText(all_, piece) != absl::string_view::npos;
      });
  if (!maybe || pieces.size() == 1) return maybe;
  size_t begin = 0;
  for (const size_t end : ends_) {
    const absl::string_view text(all_.data() + begin, end - begin);
    if (HoldsAll(text, pieces)) return true;
    begin = end + 1;
  }
  return false;
}

NodePtr Word(std::shared_ptr<const SearchedFields> fields,
             const std::vector<std::string>& pieces) {
  return std::make_unique<WordNode>(std::move(fields), pieces);
}

}  // namespace transparency::query::filter_tree
