#include "common/query/predicate.h"

#include <utility>

#include "common/query/filter_binding.h"
#include "common/query/filter_words.h"

namespace transparency::query {
namespace {

class BoundPredicate final : public Predicate {
 public:
  explicit BoundPredicate(filter_tree::NodePtr root) : root_(std::move(root)) {
    if (root_ != nullptr) root_->AddFields(&fields_);
  }

  bool Matches(const google::protobuf::Message& message,
               const Caller& caller) const override {
    if (root_ == nullptr) return true;
    thread_local filter_tree::FoldedTexts texts;
    texts.Clear();
    return root_->Matches({message, &caller, &texts});
  }
  const fields::FieldSubset& fields() const override { return fields_; }
  Reach ReachOf(const Caller& caller) const override {
    return root_ == nullptr ? Reach::kAlways : root_->ReachOf(caller);
  }

 private:
  const filter_tree::NodePtr root_;  // null: everything
  fields::FieldSubset fields_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Predicate>> Predicate::Compile(
    absl::string_view text, const google::protobuf::Descriptor& type) {
  auto bound = filter_tree::Bind(text, type, fields::FieldAccess(),
                                 filter_tree::CallerWords::kYes);
  if (!bound.ok()) return bound.status();
  return std::make_shared<const BoundPredicate>(*std::move(bound));
}

}  // namespace transparency::query
