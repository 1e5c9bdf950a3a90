#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/changes/tests/changes_desk.h"
#include "common/journal/replay.h"
#include "common/resource/form.h"
#include "google/protobuf/util/message_differencer.h"

namespace transparency::changes {

// The journal read whole and told by brute force: what tests compare with.
class JournalModel {
 public:
  struct Step {
    journal::Entry entry;
    resource::ItemPtr before;  // null: there was none
    resource::ItemPtr after;
  };

  explicit JournalModel(postgres::Session* session) {
    auto entries = journal::ReadEntries(session, -1, 1'000'000,
                                        absl::Now() + absl::Minutes(1));
    EXPECT_TRUE(entries.ok()) << entries.status();
    std::map<std::string, std::string> bodies;
    std::map<std::string, resource::ItemPtr> items;
    for (journal::Replayed& replayed : *entries) {
      std::string& body = bodies[replayed.entry.name];
      if (replayed.entry.kind != Change::ERASED) body = replayed.entry.body;
      bodies_.push_back(body);
      Step step;
      step.entry = replayed.entry;
      step.before = items[step.entry.name];
      step.after = Make(step.entry.name, body, step.entry.record_time);
      items[step.entry.name] = step.after;
      if (step.after->deleted()) {
        deletions_[step.entry.name] = step.entry.revision;
      }
      steps_.push_back(std::move(step));
    }
    for (const auto& [name, item] : items) {
      if (item->deleted()) deleted_.insert(name);
    }
  }

  const std::vector<Step>& steps() const { return steps_; }

  // Deleted as the journal ends: nothing of it is told but to staff.
  bool IsWithheld(const std::string& name, const Caller& caller) const {
    return deleted_.count(name) > 0 && !caller.HasRole("staff");
  }
  // When the resource was deleted last; -1: never.
  int64_t LastDeletion(const std::string& name) const {
    auto found = deletions_.find(name);
    return found == deletions_.end() ? -1 : found->second;
  }

  // "3 ADDED widgets/a" for each event after a revision up to another.
  std::vector<std::string> Events(const Caller& caller, int64_t after,
                                  int64_t last) const {
    std::vector<std::string> events;
    for (const Step& step : steps_) {
      const int64_t revision = step.entry.revision;
      if (revision <= after || revision > last) continue;
      const bool was = Exists(step.before.get(), caller);
      const bool is = Exists(step.after.get(), caller);
      if (!was && !is) continue;
      events.push_back(absl::StrCat(
          revision, was && is ? " CHANGED " : (is ? " ADDED " : " REMOVED "),
          step.entry.name));
    }
    return events;
  }

  // Revisions of the changes that the caller is told.
  std::vector<int64_t> Told(
      const Caller& caller,
      const std::function<bool(const Step&)>& wanted) const {
    std::vector<int64_t> told;
    for (const Step& step : steps_) {
      const resource::Form form(step.after->kind(), caller);
      if ((form.Sees(*step.after) ||
           (step.before != nullptr && form.Sees(*step.before))) &&
          !IsWithheld(step.entry.name, caller) && wanted(step)) {
        told.push_back(step.entry.revision);
      }
    }
    return told;
  }

  // The resource in the caller's form; null where he would not have seen it.
  std::unique_ptr<google::protobuf::Message> At(const Caller& caller,
                                                const std::string& name,
                                                int64_t revision,
                                                absl::Time time) const {
    if (IsWithheld(name, caller)) return nullptr;
    for (int64_t i = revision; i >= 0; --i) {
      const auto place = static_cast<size_t>(i);
      if (steps_[place].entry.name != name) continue;
      const auto item = Make(name, bodies_[place], time);
      const resource::Form form(item->kind(), caller);
      if (!form.Sees(*item)) return nullptr;
      std::unique_ptr<google::protobuf::Message> scratch;
      const auto& seen = form.Of(*item, &scratch);
      std::unique_ptr<google::protobuf::Message> copy(seen.New());
      copy->CopyFrom(seen);
      if (!item->kind().personal_fields.empty()) {
        copy->GetReflection()->ClearField(copy.get(), item->kind().etag_field);
      }
      return copy;
    }
    return nullptr;
  }

 private:
  static bool Exists(const resource::Item* item, const Caller& caller) {
    return item != nullptr && !item->deleted() &&
           resource::Form(item->kind(), caller).Sees(*item);
  }

  static resource::ItemPtr Make(const std::string& name,
                                const std::string& body, absl::Time time) {
    const resource::Kind& kind = *journal::WorkshopCatalogue().ByName(name);
    resource::Item::Stored stored;
    stored.message.reset(google::protobuf::MessageFactory::generated_factory()
                             ->GetPrototype(kind.descriptor)
                             ->New());
    EXPECT_TRUE(stored.message->ParseFromString(body));
    return resource::Item::Make(kind, std::move(stored), time);
  }

  std::vector<Step> steps_;
  std::vector<std::string> bodies_;  // as of each step, erasures too
  std::map<std::string, int64_t> deletions_;
  std::set<std::string> deleted_;
};

}  // namespace transparency::changes
