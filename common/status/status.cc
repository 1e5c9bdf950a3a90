#include "common/status/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/rpc/error_details.pb.h"

namespace transparency::status {
namespace {

std::string TypeUrl(const google::protobuf::Message& detail) {
  return absl::StrCat(kTypeUrlPrefix, detail.GetDescriptor()->full_name());
}

void AddResource(absl::Status* status, absl::string_view type,
                 absl::string_view name, absl::string_view description) {
  google::rpc::ResourceInfo info;
  info.set_resource_type(std::string(type));
  info.set_resource_name(std::string(name));
  info.set_description(std::string(description));
  AddDetail(status, info);
}

}  // namespace

absl::Status Refuse(absl::StatusCode code, absl::string_view reason,
                    absl::string_view message, const Metadata& metadata) {
  absl::Status status(code, message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  for (const auto& [key, value] : metadata) {
    (*info.mutable_metadata())[key] = value;
  }
  AddDetail(&status, info);
  return status;
}

void AddDetail(absl::Status* status, const google::protobuf::Message& detail) {
  status->SetPayload(TypeUrl(detail), absl::Cord(detail.SerializeAsString()));
}

bool FindDetail(const absl::Status& status, google::protobuf::Message* detail) {
  auto payload = status.GetPayload(TypeUrl(*detail));
  return payload.has_value() && detail->ParseFromString(std::string(*payload));
}

std::string Reason(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  return FindDetail(status, &info) ? info.reason() : "";
}

absl::Status InvalidField(absl::string_view field,
                          absl::string_view description) {
  Violations violations;
  violations.Add(field, description);
  return violations.ToStatus();
}

absl::Status NotFound(absl::string_view type, absl::string_view name) {
  absl::Status status =
      Refuse(absl::StatusCode::kNotFound, "RESOURCE_NOT_FOUND",
             absl::StrCat("There is no ", name, "."),
             {{"resource", std::string(name)}});
  AddResource(&status, type, name, "No such resource is visible to you.");
  return status;
}

absl::Status StepNotAllowed(absl::string_view type, absl::string_view name,
                            absl::string_view step, absl::string_view state,
                            const std::vector<std::string>& allowed_steps) {
  const std::string allowed =
      allowed_steps.empty() ? "none" : absl::StrJoin(allowed_steps, ", ");
  absl::Status status =
      Precondition("STEP_NOT_ALLOWED", name,
                   absl::StrCat(name, " is ", state, ", which does not allow ",
                                step, "; allowed steps: ", allowed, "."),
                   {{"resource", std::string(name)},
                    {"step", std::string(step)},
                    {"state", std::string(state)},
                    {"allowedSteps", allowed}});
  AddResource(&status, type, name, absl::StrCat("Its state is ", state, "."));
  return status;
}

absl::Status Precondition(absl::string_view reason, absl::string_view subject,
                          absl::string_view description,
                          const Metadata& metadata) {
  absl::Status status = Refuse(absl::StatusCode::kFailedPrecondition, reason,
                               description, metadata);
  google::rpc::PreconditionFailure failure;
  auto* violation = failure.add_violations();
  violation->set_type(std::string(reason));
  violation->set_subject(std::string(subject));
  violation->set_description(std::string(description));
  AddDetail(&status, failure);
  return status;
}

absl::Status NotUnique(absl::string_view field, absl::string_view value,
                       absl::string_view other) {
  absl::Status status = Refuse(
      absl::StatusCode::kAlreadyExists, "NOT_UNIQUE",
      absl::StrCat(field, " \"", value, "\" is already used by ", other, "."),
      {{"field", std::string(field)},
       {"value", std::string(value)},
       {"resource", std::string(other)}});
  AddResource(&status, "", other, absl::StrCat("Has the same ", field, "."));
  return status;
}

absl::Status RetryLater(absl::StatusCode code, absl::string_view reason,
                        absl::string_view message, absl::Duration delay) {
  absl::Status status = Refuse(code, reason, message);
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(delay));
  info.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(
          delay - absl::Seconds(absl::ToInt64Seconds(delay)))));
  AddDetail(&status, info);
  return status;
}

void Violations::Add(absl::string_view field, absl::string_view description) {
  if (++count_ <= kMaxViolations) {
    first_.emplace_back(std::string(field), std::string(description));
  }
}

absl::Status Violations::ToStatus() const {
  if (count_ == 0) return absl::OkStatus();
  std::string message = absl::StrCat(first_[0].first, ": ", first_[0].second);
  if (count_ > 1) absl::StrAppend(&message, " (and ", count_ - 1, " more)");
  absl::Status status = Refuse(
      absl::StatusCode::kInvalidArgument, "INVALID_FIELDS", message,
      {{"field", first_[0].first}, {"violations", absl::StrCat(count_)}});
  google::rpc::BadRequest bad;
  for (const auto& [field, description] : first_) {
    auto* violation = bad.add_field_violations();
    violation->set_field(field);
    violation->set_description(description);
  }
  AddDetail(&status, bad);
  return status;
}

}  // namespace transparency::status
