#include "common/query/filter.h"

#include <utility>

#include "common/query/filter_binding.h"
#include "common/query/filter_words.h"

namespace transparency::query {

absl::StatusOr<std::shared_ptr<const Filter>> Filter::Parse(
    absl::string_view text, const google::protobuf::Descriptor& type,
    const fields::FieldAccess& access) {
  auto bound =
      filter_tree::Bind(text, type, access, filter_tree::CallerWords::kNo);
  if (!bound.ok()) return bound.status();
  return std::make_shared<const Filter>(*std::move(bound));
}

Filter::Filter(filter_tree::NodePtr root) : root_(std::move(root)) {
  if (root_ != nullptr) root_->AddFields(&fields_);
}

Filter::~Filter() = default;

bool Filter::Matches(const google::protobuf::Message& message) const {
  if (root_ == nullptr) return true;
  thread_local filter_tree::FoldedTexts texts;
  texts.Clear();
  return root_->Matches({message, nullptr, &texts});
}

int Filter::CountTerms() const { return root_->Terms(); }

}  // namespace transparency::query
