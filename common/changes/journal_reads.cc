#include "common/changes/journal_reads.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "common/base/text.h"
#include "common/base/times.h"
#include "common/changes/journal_rows.h"
#include "common/changes/selection.h"
#include "common/changes/withheld.h"
#include "common/fields/names.h"
#include "common/methods/fresh_reads.h"
#include "common/methods/reader.h"
#include "common/query/page_token.h"
#include "common/query/query_error.h"
#include "common/resource/form.h"
#include "common/resource/list_page.h"
#include "common/status/status.h"
#include "transparency/journal/v1/journal.pb.h"

namespace transparency::changes {
namespace {

using google::protobuf::Message;
using journal::v1::GetResourceAtRequest;
using journal::v1::GetResourceAtResponse;
using journal::v1::ListChangesRequest;
using journal::v1::ListChangesResponse;

// Most revisions that one page costs, whatever it finds.
constexpr int64_t kMaxExamined = 50'000;

absl::StatusOr<bool> IsDescending(const std::string& order_by) {
  const std::string order =
      absl::StrJoin(absl::StrSplit(order_by, ' ', absl::SkipEmpty()), " ");
  if (order.empty() || order == "revision desc") return true;
  if (order == "revision") return false;
  return query::QueryInvalid("order_by", order_by, 0,
                             "expected `revision desc` or `revision`");
}

// The entry as the caller is told it, who sees the resource. `less`: without
// names of what is deleted now. The public form with them is not to be guessed
// from its digest.
journal::v1::Change ToldChange(const resource::Snapshot& now,
                               const journal::Entry& entry, bool less) {
  const std::string service = now.catalogue().service();
  if (!less) return ToChange(service, entry);
  journal::v1::Change change = ToWithheldChange(service, entry);
  change.set_name(entry.name);
  change.set_kind(entry.kind);
  change.set_step(entry.step);
  return change;
}

// Whether the caller could have read the resource before or after the entry,
// and it has not been deleted since.
bool Told(const JournalRow& row, const resource::Snapshot& now,
          const Caller& caller) {
  if (row.kind == nullptr || IsWithheld(now, row.entry.name, caller)) {
    return false;
  }
  const resource::Form form(*row.kind, caller);
  return form.Sees(*row.after) ||
         (row.before != nullptr && form.Sees(*row.before));
}

// One ListChanges on a session. To be copied once it is checked, if need be.
class Lister {
 public:
  Lister(std::shared_ptr<const resource::Snapshot> now,
         const Audiences& audiences, const rpc::Call& call,
         const ListChangesRequest& request)
      : now_(std::move(now)),
        catalogue_(now_->catalogue()),
        audiences_(audiences),
        call_(call),
        request_(request) {}

  // What can be said without the journal.
  absl::Status Check();
  absl::StatusOr<std::string> Run(postgres::Session* session);

 private:
  absl::Status FindRange(postgres::Session* session, int64_t head);
  // Reads the next rows and narrows the range to what has not been looked at.
  absl::StatusOr<std::vector<JournalRow>> Next(postgres::Session* session);
  // False when the page has no room for it.
  bool Add(int64_t revision, journal::v1::Change change);
  std::vector<std::string> Query() const;

  const std::shared_ptr<const resource::Snapshot> now_;
  const resource::Catalogue& catalogue_;
  const Audiences& audiences_;
  const rpc::Call& call_;
  const ListChangesRequest& request_;
  absl::optional<Selection> selection_;
  bool descending_ = true;
  int64_t size_ = 0;
  int64_t after_ = -1;  // the page before ended here; -1: there was none
  int64_t first_ = 0;   // of the range that is left
  int64_t last_ = 0;
  int64_t examined_ = 0;
  size_t bytes_ = 0;
  ListChangesResponse page_;
};

absl::Status Lister::Check() {
  const bool narrowed = !request_.name().empty() || request_.types_size() > 0 ||
                        !request_.actor().empty();
  if (request_.include_withheld() && narrowed) {
    return status::InvalidField(
        "include_withheld",
        "goes without name, types and actor: it tells of "
        "changes without saying what they are about");
  }
  auto selection =
      Selection::Make(catalogue_, request_.types(), request_.name());
  if (!selection.ok()) return selection.status();
  selection_ = *std::move(selection);
  auto descending = IsDescending(request_.order_by());
  if (!descending.ok()) return descending.status();
  descending_ = *descending;
  auto size = query::PageSize(request_.page_size());
  if (!size.ok()) return size.status();
  size_ = *size;
  if (request_.page_token().empty()) return absl::OkStatus();
  auto position = query::ReadPageToken(Query(), request_.page_token());
  if (!position.ok()) return position.status();
  if (!absl::SimpleAtoi(position->name, &after_)) after_ = 0;
  return absl::OkStatus();
}

std::vector<std::string> Lister::Query() const {
  std::vector<std::string> query = {call_.method(),
                                    request_.name(),
                                    absl::StrJoin(request_.types(), ","),
                                    request_.actor(),
                                    request_.start_time().SerializeAsString(),
                                    request_.end_time().SerializeAsString(),
                                    descending_ ? "desc" : "asc",
                                    request_.include_withheld() ? "all" : ""};
  for (const auto& kind : catalogue_.kinds()) {
    query.push_back(resource::Form(*kind, call_.caller()).Fingerprint());
  }
  return query;
}

absl::Status Lister::FindRange(postgres::Session* session, int64_t head) {
  first_ = 0;
  last_ = head;
  if (request_.has_start_time()) {
    auto before = RevisionAt(session, times::ToTime(request_.start_time()),
                             Bound::kBefore, head, call_.deadline());
    if (!before.ok()) return before.status();
    first_ = *before + 1;
  }
  if (request_.has_end_time()) {
    auto before = RevisionAt(session, times::ToTime(request_.end_time()),
                             Bound::kBefore, head, call_.deadline());
    if (!before.ok()) return before.status();
    last_ = *before;
  }
  if (after_ >= 0 && descending_) last_ = std::min(last_, after_ - 1);
  if (after_ >= 0 && !descending_) first_ = std::max(first_, after_ + 1);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JournalRow>> Lister::Next(
    postgres::Session* session) {
  RowQuery query;
  query.catalogue = &catalogue_;
  query.selection = &*selection_;
  query.actor = request_.actor();
  query.descending = descending_;
  query.first = first_;
  query.last = last_;
  // However little room the page has: what is read may be hidden.
  query.limit = kRowsAtOnce;
  if (selection_->only_name().empty()) {
    if (descending_) {
      query.first = std::max(first_, last_ - kRowWindow + 1);
    } else {
      query.last = std::min(last_, first_ + kRowWindow - 1);
    }
  }
  auto rows = ReadRows(session, query, call_.deadline());
  if (!rows.ok()) return rows.status();
  // With fewer rows than asked for, the window holds no more.
  const bool whole = static_cast<int64_t>(rows->size()) < query.limit;
  const int64_t before = last_ - first_;
  if (descending_) {
    last_ = (whole ? query.first : rows->back().entry.revision) - 1;
  } else {
    first_ = (whole ? query.last : rows->back().entry.revision) + 1;
  }
  examined_ += before - (last_ - first_);
  return rows;
}

bool Lister::Add(int64_t revision, journal::v1::Change change) {
  audiences_.Clear(call_.caller(), &change);
  const size_t bytes = change.ByteSizeLong();
  const bool full =
      page_.changes_size() == size_ ||
      (page_.changes_size() > 0 && bytes_ + bytes > resource::kMaxPageBytes);
  if (full) {
    // It is the first of the next page.
    (descending_ ? last_ : first_) = revision;
    return false;
  }
  bytes_ += bytes;
  *page_.add_changes() = std::move(change);
  return true;
}

absl::StatusOr<std::string> Lister::Run(postgres::Session* session) {
  const std::string service = catalogue_.service();
  absl::Status status = FindRange(session, now_->revision());
  if (!status.ok()) return status;
  bool room = true;
  while (room && first_ <= last_ && examined_ < kMaxExamined) {
    status = methods::StillWanted(call_);
    if (!status.ok()) return status;
    auto rows = Next(session);
    if (!rows.ok()) return rows.status();
    for (const JournalRow& row : *rows) {
      if (!Told(row, *now_, call_.caller())) {
        if (!request_.include_withheld()) continue;
        room = Add(row.entry.revision, ToWithheldChange(service, row.entry));
      } else {
        const resource::Form form(*row.kind, call_.caller());
        const bool less =
            WithoutDeleted(form, *row.after, call_.caller(),
                           DeletedBy(*now_, *row.after)) != nullptr;
        room = Add(row.entry.revision, ToldChange(*now_, row.entry, less));
      }
      if (!room) break;
    }
  }
  if (first_ <= last_) {
    const int64_t after = descending_ ? last_ + 1 : first_ - 1;
    page_.set_next_page_token(
        query::MakePageToken(Query(), {absl::StrCat(after), ""}));
  }
  return page_.SerializeAsString();
}

// What GetResourceAt asks for.
struct Wanted {
  const resource::Kind* kind = nullptr;
  absl::optional<absl::Time> time;
  int64_t revision = 0;
};

absl::Status AboveHead(int64_t revision) {
  return status::Refuse(
      absl::StatusCode::kOutOfRange, "REVISION_ABOVE_HEAD",
      absl::StrCat("Revision ", revision, " has not been written."),
      {{"revision", absl::StrCat(revision)}});
}

absl::StatusOr<Wanted> Read(const GetResourceAtRequest& request,
                            const resource::Catalogue& catalogue, int64_t head,
                            absl::Time now) {
  Wanted wanted;
  wanted.kind = catalogue.ByName(request.name());
  if (wanted.kind == nullptr ||
      !fields::HasPattern(request.name(), wanted.kind->pattern)) {
    return status::InvalidField(
        "name", absl::StrCat("\"", text::Excerpt(request.name()),
                             "\" is no name of this service"));
  }
  switch (request.recorded_at_case()) {
    case GetResourceAtRequest::kRevision:
      wanted.revision = request.revision();
      if (wanted.revision < 0) {
        return status::InvalidField("revision", "is negative");
      }
      if (wanted.revision > head) return AboveHead(wanted.revision);
      return wanted;
    case GetResourceAtRequest::kTime:
      wanted.time = times::ToTime(request.time());
      if (*wanted.time > now) {
        return status::InvalidField("time", "is in the future");
      }
      return wanted;
    case GetResourceAtRequest::RECORDED_AT_NOT_SET:
      break;
  }
  return status::InvalidField("recorded_at",
                              "is required: a revision or a time");
}

absl::StatusOr<std::string> FindAt(postgres::Session* session,
                                   const rpc::Call& call,
                                   const GetResourceAtRequest& request,
                                   Wanted wanted, const resource::Snapshot& now,
                                   const Audiences& audiences) {
  if (wanted.time.has_value()) {
    // What this replica has not applied yet may have been recorded by then.
    auto head = ReadHead(session, call.deadline());
    if (!head.ok()) return head.status();
    auto revision = RevisionAt(session, *wanted.time, Bound::kNotAfter, *head,
                               call.deadline());
    if (!revision.ok()) return revision.status();
    wanted.revision = *revision;
  }
  auto row = ReadLast(
      session, {wanted.kind, request.name(), wanted.revision, wanted.time},
      call.deadline());
  if (!row.ok()) return row.status();
  const resource::Form form(*wanted.kind, call.caller());
  if (!row->has_value() || !form.Sees(*(*row)->after) ||
      IsWithheld(now, request.name(), call.caller())) {
    return status::NotFound(wanted.kind->type, request.name());
  }
  GetResourceAtResponse response;
  std::unique_ptr<Message> form_of = WithoutDeleted(
      form, *(*row)->after, call.caller(), DeletedBy(now, *(*row)->after));
  const bool less = form_of != nullptr;
  if (!less) {
    std::unique_ptr<Message> scratch;
    const Message& seen = form.Of(*(*row)->after, &scratch);
    form_of.reset(seen.New());
    form_of->CopyFrom(seen);
  }
  if (!wanted.kind->personal_fields.empty()) {
    // It was over fields that are not here.
    form_of->GetReflection()->ClearField(form_of.get(),
                                         wanted.kind->etag_field);
  }
  response.mutable_resource()->PackFrom(*form_of);
  *response.mutable_change() = ToldChange(now, (*row)->entry, less);
  audiences.Clear(call.caller(), response.mutable_change());
  return response.SerializeAsString();
}

}  // namespace

absl::StatusOr<std::unique_ptr<JournalReads>> JournalReads::Make(
    journal::Store* store, JournalReader* reader) {
  auto change = Audiences::Of(*journal::v1::Change::descriptor());
  if (!change.ok()) return change.status();
  auto request = Audiences::Of(*ListChangesRequest::descriptor());
  if (!request.ok()) return request.status();
  return std::unique_ptr<JournalReads>(
      new JournalReads(store, reader, *std::move(change), *std::move(request)));
}

void JournalReads::ListChanges(std::shared_ptr<rpc::Call> call,
                               std::unique_ptr<Message> request,
                               rpc::UnaryDone done) const {
  std::shared_ptr<const ListChangesRequest> asked(
      static_cast<ListChangesRequest*>(request.release()));
  absl::Status status = store_->Fresh();
  if (status.ok()) status = list_request_.Check(call->caller(), *asked);
  const auto snapshot = store_->Current();
  auto lister = std::make_shared<Lister>(snapshot, change_, *call, *asked);
  if (status.ok()) status = lister->Check();
  if (!status.ok()) return done(status);
  methods::TellFreshness(methods::ServiceName(*call->descriptor()->service()),
                         *store_, *snapshot, call.get());
  reader_->Submit({call->deadline(), [call] { return call->abandoned(); },
                   [call, asked, lister, done](
                       absl::StatusOr<postgres::Session*> session, bool again) {
                     absl::StatusOr<std::string> answer =
                         session.ok() ? Lister(*lister).Run(*session)
                                      : session.status();
                     if (again && IsLost(answer.status(), session)) {
                       return false;
                     }
                     done(std::move(answer));
                     return true;
                   },
                   /*of_stream=*/false, call->share_key()});
}

void JournalReads::GetResourceAt(std::shared_ptr<rpc::Call> call,
                                 std::unique_ptr<Message> request,
                                 rpc::UnaryDone done) const {
  std::shared_ptr<const GetResourceAtRequest> asked(
      static_cast<GetResourceAtRequest*>(request.release()));
  absl::Status status = store_->Fresh();
  if (!status.ok()) return done(status);
  const auto snapshot = store_->Current();
  auto wanted =
      Read(*asked, store_->catalogue(), snapshot->revision(), store_->Now());
  if (!wanted.ok()) return done(wanted.status());
  methods::TellFreshness(methods::ServiceName(*call->descriptor()->service()),
                         *store_, *snapshot, call.get());
  reader_->Submit({call->deadline(), [call] { return call->abandoned(); },
                   [this, call, asked, wanted = *wanted, snapshot, done](
                       absl::StatusOr<postgres::Session*> session, bool again) {
                     absl::StatusOr<std::string> answer =
                         session.ok() ? FindAt(*session, *call, *asked, wanted,
                                               *snapshot, change_)
                                      : session.status();
                     if (again && IsLost(answer.status(), session)) {
                       return false;
                     }
                     done(std::move(answer));
                     return true;
                   },
                   /*of_stream=*/false, call->share_key()});
}

}  // namespace transparency::changes
