#include "common/journal/integrity.h"

#include <algorithm>
#include <utility>

#include "common/journal/entry.h"
#include "spdlog/spdlog.h"

namespace transparency::journal {
namespace {

// Whoever changes everything need not fill the disk with it as well.
constexpr size_t kLogged = 100;

bool Holds(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

void Log(const std::string& problem) {
  spdlog::error("integrity: {}; this replica is NOT_SERVING", problem);
}

}  // namespace

absl::string_view RowProblem(const StoredRow& row) {
  if (!row.salt.has_value()) {
    return "its row is of a revision that is no journal entry of it";
  }
  if (BodyCommitment(*row.salt, row.body) != row.body_commitment) {
    return "its row is not what its journal entry commits to";
  }
  if (row.personal_commitment.has_value() &&
      PersonalCommitment(*row.salt, row.personal_salt, row.personal) !=
          *row.personal_commitment) {
    return "its personal fields are not what its journal entry commits to";
  }
  return "";
}

bool Integrity::sound() const {
  absl::MutexLock lock(&mutex_);
  return loaded_.empty() && found_.empty() && before_.empty();
}

void Integrity::Count() {
  metrics_->integrity_problems.Set(static_cast<double>(
      std::max({loaded_.size(), found_.size(), before_.size()})));
}

void Integrity::Tell() {
  absl::MutexLock telling(&telling_);
  bool sound = false;
  {
    absl::MutexLock lock(&mutex_);
    sound = loaded_.empty() && found_.empty() && before_.empty();
  }
  if (sound == told_sound_) return;
  told_sound_ = sound;
  if (sound) spdlog::info("integrity: the database fits its journal again");
  if (reaction_) reaction_(sound);
}

void Integrity::Loaded(std::vector<std::string> problems) {
  for (size_t i = 0; i < std::min(problems.size(), kLogged); ++i) {
    Log(problems[i]);
  }
  if (problems.size() > kLogged) {
    spdlog::error("integrity: {} problems like these", problems.size());
  }
  {
    absl::MutexLock lock(&mutex_);
    loaded_ = std::move(problems);
    Count();
  }
  Tell();
}

void Integrity::Found(const std::string& problem) {
  {
    absl::MutexLock lock(&mutex_);
    if (Holds(found_, problem)) return;
    if (found_.size() < kLogged) {
      found_.push_back(problem);
      if (!Holds(before_, problem)) Log(problem);
    }
    Count();
  }
  Tell();
}

bool Integrity::PassEnded() {
  bool load_again = false;
  {
    absl::MutexLock lock(&mutex_);
    before_ = std::exchange(found_, {});
    load_again = before_.empty() && !loaded_.empty();
    Count();
  }
  metrics_->integrity_passes.Increment();
  Tell();
  return load_again;
}

}  // namespace transparency::journal
