"""A centre to book in: always open, one exclusive room and one shared hall."""

import datetime

import contract
from clients import bearer

from transparency.centre.v1 import booking_pb2  # pylint: disable=import-error

CENTRE = "centres/town"
ROOM = f"{CENTRE}/spaces/room"
HALL = f"{CENTRE}/spaces/hall"
GAP = datetime.timedelta(minutes=15)
HOLD = datetime.timedelta(minutes=30)
HOUR = datetime.timedelta(hours=1)


def asking(method, **fields):
    """A request of the method, wherever its message is declared."""
    return contract.request("centre", method, **fields)


def found(stub, staff):
    """Creates the centre and its spaces."""
    centre = asking("CreateCentre", centre_id="town")
    centre.centre.display_name = "Town"
    centre.centre.country = "BE"
    centre.centre.time_zone = "Etc/UTC"
    for day in range(1, 8):
        hours = centre.centre.weekly_opening_hours.add(day=day)
        hours.closes.hours = 24
    centre.centre.booking_policy.hold_time.FromTimedelta(HOLD)
    centre.centre.booking_policy.approval_required_for.append(booking_pb2.Booking.SOURCE_REVIEW)
    # Tests that are about these limits set them.
    limits = centre.centre.booking_policy.owner_limits
    limits.held_at_once = limits.open_at_once = limits.new_per_minute = limits.new_per_day = 10_000
    limits.time_per_week.FromTimedelta(datetime.timedelta(days=1000))
    stub.CreateCentre(centre, metadata=bearer(staff), timeout=20)
    for identifier, occupancy, capacity in (("room", 1, 10), ("hall", 2, 40)):
        space = asking("CreateSpace", parent=CENTRE, space_id=identifier)
        space.space.display_name = identifier
        space.space.category = 2
        space.space.occupancy = occupancy
        space.space.capacity = capacity
        if identifier == "room":
            space.space.clear_down_time.FromTimedelta(GAP)
        stub.CreateSpace(space, metadata=bearer(staff), timeout=20)


def tomorrow(hour=10):
    day = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


def booking_request(start, length=HOUR, space=ROOM, size=2, request_id="", name="", email=""):
    request = asking("CreateBooking", parent=CENTRE, request_id=request_id)
    request.booking.purpose = booking_pb2.Booking.STAKEHOLDER_MEETING
    request.booking.spaces.append(space)
    request.booking.start_time.FromDatetime(start)
    request.booking.end_time.FromDatetime(start + length)
    request.booking.party.category = 2
    request.booking.party.size = size
    if name:
        request.booking.contact.display_name = name
        request.booking.contact.email = email
    return request
