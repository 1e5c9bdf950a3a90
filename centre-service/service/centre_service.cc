#include "centre-service/service/centre_service.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "centre-service/domain/availability.h"
#include "centre-service/domain/bookings.h"
#include "centre-service/domain/instants.h"
#include "common/journal/replica/decision.h"
#include "common/methods/found_for_change.h"
#include "common/methods/reader.h"
#include "common/methods/service_methods.h"
#include "transparency/centre/v1/centre_service.pb.h"
#include "transparency/journal/v1/change.pb.h"

namespace transparency::centre::service {
namespace {

using journal::Decision;

constexpr char kService[] = "transparency.centre.v1.CentreService";

void AddBookingSteps(methods::ServiceMethods* methods) {
  methods->Step<v1::RequestBookingRequest, v1::Booking>(
      "RequestBooking", [](Decision& decision, const v1::RequestBookingRequest&,
                           v1::Booking* booking) {
        return domain::RequestBooking(decision.view(), booking);
      });
  methods->Step<v1::ApproveBookingRequest, v1::Booking>(
      "ApproveBooking",
      [](Decision&, const v1::ApproveBookingRequest&, v1::Booking* booking) {
        return domain::ApproveBooking(booking);
      });
  methods->Step<v1::DeclineBookingRequest, v1::Booking>(
      "DeclineBooking",
      [](Decision&, const v1::DeclineBookingRequest&, v1::Booking* booking) {
        return domain::DeclineBooking(booking);
      });
  methods->Step<v1::CancelBookingRequest, v1::Booking>(
      "CancelBooking", [](Decision& decision, const v1::CancelBookingRequest&,
                          v1::Booking* booking) {
        return domain::CancelBooking(decision.view(), decision.now(), booking);
      });
  methods->Step<v1::CheckInBookingRequest, v1::Booking>(
      "CheckInBooking", [](Decision& decision, const v1::CheckInBookingRequest&,
                           v1::Booking* booking) {
        return domain::CheckInBooking(decision.view(), decision.now(), booking);
      });
}

// What the caller changes, by its name and etag.
template <class Resource, class Request>
absl::StatusOr<resource::ItemPtr> FindForErasing(const Decision& decision,
                                                 const Request& request) {
  const resource::Kind* kind =
      decision.view().catalogue().ByDescriptor(Resource::descriptor());
  return methods::FindForChange(decision, *kind, request.name(),
                                request.etag());
}

// Both kinds that hold personal fields are seen whole by whoever sees them, so
// that the answer needs no other form.
template <class Resource>
absl::StatusOr<Resource> AfterErasing(Decision& decision,
                                      const std::string& name,
                                      const std::string& reason) {
  absl::Status erased = decision.ErasePersonal(name, reason);
  if (!erased.ok()) return erased;
  return *decision.view().Get<Resource>(name);
}

absl::StatusOr<v1::Booking> EraseBookingContact(
    Decision& decision, const v1::EraseBookingContactRequest& request) {
  auto item = FindForErasing<v1::Booking>(decision, request);
  if (!item.ok()) return item.status();
  return AfterErasing<v1::Booking>(decision, request.name(), request.reason());
}

absl::StatusOr<v1::Visitor> EraseVisitor(
    Decision& decision, const v1::EraseVisitorRequest& request) {
  auto item = FindForErasing<v1::Visitor>(decision, request);
  if (!item.ok()) return item.status();
  v1::Visitor visitor = (*item)->as<v1::Visitor>();
  if (!visitor.has_erase_time()) {
    *visitor.mutable_erase_time() = domain::ToTimestamp(decision.now());
    auto marked = decision.Put(visitor, journal::v1::Change::UPDATED, "",
                               request.reason());
    if (!marked.ok()) return marked.status();
  }
  return AfterErasing<v1::Visitor>(decision, request.name(), request.reason());
}

absl::StatusOr<v1::SearchAvailabilityResponse> SearchAvailability(
    const methods::Reader& reader,
    const v1::SearchAvailabilityRequest& request) {
  auto centre = reader.Get<v1::Centre>(request.centre());
  if (!centre.ok()) return centre.status();
  // That a time is taken is told to everybody, by whom to nobody.
  return domain::SearchAvailability(reader.all(), *centre, request,
                                    reader.now());
}

}  // namespace

absl::Status AddMethods(const resource::Catalogue* catalogue,
                        journal::Store* store, journal::Writer* writer,
                        rpc::MethodTable* table) {
  methods::ServiceMethods methods(
      v1::Centre::descriptor()->file()->pool()->FindServiceByName(kService),
      catalogue, store, writer, table->Service(kService));
  absl::Status status = methods.AddStandard();
  if (!status.ok()) return status;
  AddBookingSteps(&methods);
  methods.Write<v1::EraseBookingContactRequest, v1::Booking>(
      "EraseBookingContact", EraseBookingContact);
  methods.Write<v1::EraseVisitorRequest, v1::Visitor>("EraseVisitor",
                                                      EraseVisitor);
  methods.Read<v1::SearchAvailabilityRequest, v1::SearchAvailabilityResponse>(
      "SearchAvailability", rpc::Place::kPool, SearchAvailability);
  return absl::OkStatus();
}

}  // namespace transparency::centre::service
