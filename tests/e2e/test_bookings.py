"""No space is given twice, no owner sees another's booking, nothing is left of who was erased."""

import datetime
import json
import threading

import grpc
import pytest

import centre_town
import contract
from centre_town import CENTRE, HALL, HOLD, HOUR, ROOM, asking, booking_request, tomorrow
from clients import Refused, bearer, channel, details, new_request_id, reason
from clocked_cluster import ClockedCluster
from suite import Http, psql, wait_until

from transparency.centre.v1 import availability_pb2, booking_pb2  # pylint: disable=import-error
from transparency.centre.v1 import centre_service_pb2_grpc as rpc  # pylint: disable=import-error
from transparency.type.v1 import annotations_pb2  # pylint: disable=import-error

CALLERS = 64
SLOTS = 6

# From the bookings themselves, not from the table that the exclusion constraint watches.
TAKEN_TWICE = """
WITH taken AS (
  SELECT b.name, t ->> 'space' AS space,
         tstzrange(b.start_time, (t ->> 'free_from')::timestamptz) AS during,
         coalesce((t ->> 'shared')::boolean, false) AS shared
  FROM bookings b, jsonb_array_elements(b.occupied_spaces) t
  WHERE b.state IN ('HELD', 'REQUESTED', 'CONFIRMED', 'CHECKED_IN', 'COMPLETED'))
SELECT a.name, c.name FROM taken a JOIN taken c
  ON a.space = c.space AND a.name < c.name AND a.during && c.during
WHERE NOT a.shared AND NOT c.shared"""

OVERFULL = """
WITH taken AS (
  SELECT b.name, t ->> 'space' AS space, (b.party ->> 'size')::int AS size,
         tstzrange(b.start_time, (t ->> 'free_from')::timestamptz) AS during
  FROM bookings b, jsonb_array_elements(b.occupied_spaces) t
  WHERE b.state IN ('HELD', 'REQUESTED', 'CONFIRMED', 'CHECKED_IN', 'COMPLETED'))
SELECT a.space, sum(c.size) FROM taken a
  JOIN taken c ON a.space = c.space AND c.during @> lower(a.during)
  JOIN spaces s ON s.name = a.space
GROUP BY a.name, a.space, s.capacity HAVING sum(c.size) > s.capacity"""


def stub_of(process):
    return rpc.CentreServiceStub(channel(process))


@pytest.fixture(name="town")
def town_fixture(suite):
    """Two replicas before one centre."""
    suite.replicas = [suite.service("centre") for _ in range(2)]
    suite.stubs = [stub_of(process) for process in suite.replicas]
    centre_town.found(suite.stubs[0], suite.staff)
    return suite


def assert_whole(suite):
    conninfo = suite.database("centre")
    assert psql(conninfo, TAKEN_TWICE) == []
    assert psql(conninfo, OVERFULL) == []
    suite.run("centre", "check", f"--database={conninfo}")


@pytest.fixture(name="rush")
def rush_fixture(suite):
    """Three replicas before one centre, and many callers."""
    suite.tokens = [suite.add_token(f"caller-{number}", "-") for number in range(CALLERS)]
    suite.stubs = [stub_of(suite.service("centre")) for _ in range(3)]
    centre_town.found(suite.stubs[0], suite.staff)
    return suite


def compete(rush, request_of):
    """All callers at once over all replicas; what each got: a booking or the error."""
    outcomes = [[None] * CALLERS for _ in range(SLOTS)]
    barrier = threading.Barrier(CALLERS, timeout=120)

    def call(number):
        for slot in range(SLOTS):
            request = request_of(slot, number)
            barrier.wait()
            try:
                outcomes[slot][number] = rush.stubs[number % 3].CreateBooking(
                    request, metadata=bearer(rush.tokens[number]), timeout=60)
            except grpc.RpcError as error:
                outcomes[slot][number] = error

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return outcomes


def split(outcomes):
    """Winners and losers by caller; each loser was told why, and when it could come instead."""
    winners = {n: o for n, o in enumerate(outcomes) if isinstance(o, booking_pb2.Booking)}
    losers = {n: o for n, o in enumerate(outcomes) if n not in winners}
    for loser in losers.values():
        assert loser.code() == grpc.StatusCode.FAILED_PRECONDITION, (loser.code(), loser.details())
        assert reason(loser) == "SPACE_TAKEN"
        slots = availability_pb2.AlternativeSlots.FromString(details(loser)["AlternativeSlots"].value).slots
        assert 1 <= len(slots) <= 3
    return winners, losers


def test_one_of_64_callers_gets_an_exclusive_space(rush):
    request_ids = [[new_request_id() if number % 2 else "" for number in range(CALLERS)] for _ in range(SLOTS)]

    def request_of(slot, number):
        # Within a slot every two times overlap, gaps included; between slots none do.
        start = tomorrow(0) + slot * datetime.timedelta(hours=3) + (number % 12) * datetime.timedelta(minutes=5)
        return booking_request(start, request_id=request_ids[slot][number])

    outcomes = compete(rush, request_of)
    won = []
    for slot in range(SLOTS):
        winners, losers = split(outcomes[slot])
        assert len(winners) == 1 and len(losers) == CALLERS - 1
        number, booking = winners.popitem()
        won.append(booking.name)
        if request_ids[slot][number]:
            again = rush.stubs[(number + 1) % 3].CreateBooking(
                request_of(slot, number), metadata=bearer(rush.tokens[number]), timeout=20)
            assert again == booking
    stored = psql(rush.database("centre"), "SELECT name FROM bookings")
    assert sorted(name for name, in stored) == sorted(won)
    assert_whole(rush)


def test_a_shared_space_takes_what_it_holds_and_no_more(rush):
    def request_of(slot, number):
        # Parties of 3 in a hall of 40: 13 at one time.
        start = tomorrow(0) + slot * datetime.timedelta(hours=2)
        return booking_request(start, space=HALL, size=3, request_id=new_request_id() if number % 2 else "")

    outcomes = compete(rush, request_of)
    for slot in range(SLOTS):
        winners, _ = split(outcomes[slot])
        assert len(winners) == 13
    assert_whole(rush)


def test_gap_belongs_to_the_booking(town):
    stub = town.stubs[0]
    start = tomorrow()
    stub.CreateBooking(booking_request(start), metadata=bearer(town.alice), timeout=20)
    with Refused(grpc.StatusCode.FAILED_PRECONDITION, "SPACE_TAKEN"):
        stub.CreateBooking(booking_request(start + HOUR + centre_town.GAP - datetime.timedelta(minutes=1)),
                           metadata=bearer(town.bob), timeout=20)
    town.stubs[1].CreateBooking(booking_request(start + HOUR + centre_town.GAP), metadata=bearer(town.bob), timeout=20)
    assert_whole(town)


def set_limits(town, **limits):
    """Changes limits of the centre; both replicas know them then."""
    update = asking("UpdateCentre", centre={"name": CENTRE})
    for field, limit in limits.items():
        if field == "time_per_week":
            update.centre.booking_policy.owner_limits.time_per_week.FromTimedelta(limit)
        else:
            setattr(update.centre.booking_policy.owner_limits, field, limit)
        update.update_mask.paths.append(f"booking_policy.owner_limits.{field}")
    _, call = town.stubs[0].UpdateCentre.with_call(update, metadata=bearer(town.staff), timeout=20)
    return dict(call.initial_metadata())["x-revision"]


LIMITS = {"held_at_once": 2, "open_at_once": 3, "time_per_week": 2 * HOUR, "new_per_minute": 4, "new_per_day": 4}


@pytest.mark.parametrize("limit", LIMITS)
def test_one_owner_has_no_more_of_a_centre_than_its_policy_allows(town, limit):
    """Over gRPC and HTTP, through either replica, decided the same when only validated."""
    most = LIMITS[limit]
    revision = set_limits(town, **{limit: most})
    gateway = town.gateway(centre=town.replicas[1])
    web = Http(gateway.http_port, town.alice)
    count = 2 if limit == "time_per_week" else most

    def book(hour, token=town.alice, **fields):
        request = booking_request(tomorrow(0) + hour * HOUR, space=HALL)
        for field, value in fields.items():
            setattr(request, field, value)
        return town.stubs[hour % 2].CreateBooking(
            request, metadata=bearer(token) + [("x-min-revision", revision)], timeout=20)
    for hour in range(count):
        book(hour)
    for fields in ({}, {"validate_only": True}):
        with Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "OWNER_LIMIT_REACHED") as refused:
            book(count, **fields)
        told = refused.details
        assert told["ErrorInfo"].metadata["limit"] == limit
        assert told["ErrorInfo"].metadata["present"] == ("7200s" if limit == "time_per_week" else str(most))
        room = datetime.datetime.fromisoformat(told["ErrorInfo"].metadata["roomFrom"])
        assert room > datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=5)
        assert told["QuotaFailure"].violations[0].subject == "owner:alice"
        assert ("RetryInfo" in told) == (limit != "time_per_week")
    status, headers, answer = web.call("POST", f"/centre/v1/{CENTRE}/bookings", json_booking(count))
    assert status == 429, answer
    assert answer["error"]["details"][0]["metadata"]["limit"] == limit
    assert ("Retry-After" in {name.title() for name in headers}) == (limit != "time_per_week")
    # Others have their own, staff none.
    book(count, token=town.bob)
    book(count + 1, token=town.staff, owner="alice")
    stored = psql(town.database("centre"), "SELECT owner, count(*) FROM bookings GROUP BY owner ORDER BY owner")
    assert stored == [["alice", str(count + 1)], ["bob", "1"]]


def json_booking(hour):
    start = tomorrow(0) + hour * HOUR
    return {"purpose": "STAKEHOLDER_MEETING", "spaces": [HALL], "startTime": start.isoformat(),
            "endTime": (start + HOUR).isoformat(), "party": {"category": "CUSTOMER", "size": 2}}


def test_hold_that_expires_frees_its_space(suite):
    cluster = ClockedCluster()
    try:
        conninfo = suite.database("centre", conninfo=cluster.conninfo)
        stubs = [stub_of(suite.service("centre")) for _ in range(2)]
        centre_town.found(stubs[0], suite.staff)
        start = tomorrow()
        held = stubs[0].CreateBooking(booking_request(start), metadata=bearer(suite.alice), timeout=20)
        kept = stubs[0].CreateBooking(booking_request(start + 4 * HOUR), metadata=bearer(suite.alice), timeout=20)
        stubs[0].RequestBooking(asking("RequestBooking", name=kept.name), metadata=bearer(suite.alice), timeout=20)

        ahead = HOLD.total_seconds() - 60
        cluster.clock.set_ahead(ahead)
        wait_until(lambda: all(seen_time(stub) >= cluster.now() - 5 for stub in stubs), "the replicas' clocks to follow")
        with Refused(grpc.StatusCode.FAILED_PRECONDITION, "SPACE_TAKEN"):
            stubs[1].CreateBooking(booking_request(start), metadata=bearer(suite.bob), timeout=20)

        cluster.clock.set_ahead(ahead + 120)

        def book():
            # SPACE_TAKEN until the replica has seen the clock, and nothing else: no constraint is ever reached.
            try:
                return stubs[1].CreateBooking(booking_request(start), metadata=bearer(suite.bob), timeout=20)
            except grpc.RpcError as error:
                assert reason(error) == "SPACE_TAKEN", (error.code(), error.details())
                return None
        wait_until(book, "the hold to expire")

        expired = "SELECT count(*) FROM journal WHERE name = '%s' AND kind = 6"
        wait_until(lambda: psql(conninfo, expired % held.name) == [["1"]], "the clock's entry")
        for stub in stubs:
            get = asking("GetBooking", name=held.name)
            wait_until(lambda s=stub, g=get: s.GetBooking(g, metadata=bearer(suite.alice), timeout=20).state
                       == booking_pb2.Booking.EXPIRED, "both replicas to show it")
            with Refused(grpc.StatusCode.FAILED_PRECONDITION, "STEP_NOT_ALLOWED"):
                stub.RequestBooking(asking("RequestBooking", name=held.name), metadata=bearer(suite.alice), timeout=20)
            assert stub.GetBooking(asking("GetBooking", name=kept.name), metadata=bearer(suite.alice),
                                   timeout=20).state == booking_pb2.Booking.CONFIRMED
        assert psql(conninfo, expired % held.name) == [["1"]]
        assert psql(conninfo, expired % kept.name) == [["0"]]
        assert psql(conninfo, TAKEN_TWICE) == []
        suite.run("centre", "check", f"--database={conninfo}")
    finally:
        suite.close()
        suite.processes.clear()
        cluster.close()


def seen_time(stub):
    """The instant that a replica answers as of."""
    _, call = stub.ListCentres.with_call(asking("ListCentres"), timeout=20)
    text = dict(call.initial_metadata())["x-current-at"]
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")[:19] + "+00:00").timestamp()


def named_methods():
    """Methods that take the name of a booking or a visitor, and what they take it in."""
    for method in contract.SERVICES["centre"].methods:
        path = []
        message = method.input_type
        if message.name.startswith("Update"):
            path = [message.name.removeprefix("Update").removesuffix("Request").lower()]
            message = message.fields_by_name[path[0]].message_type
            kind = message.name
        else:
            kind = next((k for k in ("Booking", "Visitor") if k in method.name), None)
        if kind in ("Booking", "Visitor") and "name" in message.fields_by_name:
            yield method, kind, path


def call_by_name(stub, method, path, name, token):
    request = contract.message_class(method.input_type)()
    target = request
    for part in path:
        target = getattr(target, part)
    target.name = name
    if path:
        request.update_mask.paths.append("party.organization" if path == ["booking"] else "organization")
    return getattr(stub, method.name)(request, metadata=bearer(token), timeout=20)


def add_visitor(stub, token, booking, name="Vera Visitor", email="vera@example.org"):
    request = asking("CreateVisitor", parent=booking, request_id=new_request_id())
    request.visitor.category = 2
    request.visitor.display_name = name
    request.visitor.email = email
    return request, stub.CreateVisitor(request, metadata=bearer(token), timeout=20)


def test_one_owner_cannot_tell_that_anothers_booking_exists(town):
    stub = town.stubs[0]
    booking = stub.CreateBooking(booking_request(tomorrow(), name="Ann", email="ann@example.org"),
                                 metadata=bearer(town.alice), timeout=20)
    _, visitor = add_visitor(stub, town.alice, booking.name)
    names = {"Booking": booking.name, "Visitor": visitor.name}
    methods = list(named_methods())
    assert len(methods) >= 11
    for method, kind, path in methods:
        staff_only = method.GetOptions().Extensions[annotations_pb2.access] == annotations_pb2.STAFF
        code = grpc.StatusCode.PERMISSION_DENIED if staff_only else grpc.StatusCode.NOT_FOUND
        absent = names[kind][:-8] + "zzzzzzzz"
        refusals = []
        for name in (names[kind], absent):
            with Refused(code) as refused:
                call_by_name(stub, method, path, name, town.bob)
            refusals.append(refused)
            with Refused(grpc.StatusCode.UNAUTHENTICATED):
                call_by_name(stub, method, path, name, None)
        there, gone = refusals
        assert there.error.details().replace(names[kind], "X") == gone.error.details().replace(absent, "X")
        assert sorted(there.details) == sorted(gone.details)

    def listed(token, **fields):
        return list(stub.ListBookings(asking("ListBookings", parent=CENTRE, **fields), metadata=bearer(token),
                                      timeout=20).bookings)
    for fields in ({}, {"filter": 'owner = "alice"'}, {"filter": f'name = "{booking.name}"'},
                   {"order_by": "owner desc"}, {"filter": "party.size > 0"}, {"filter": "alice"}):
        assert listed(town.bob, **fields) == []
        assert [b.name for b in listed(town.staff, **fields)] == [booking.name]
    for parent in (booking.name, f"{CENTRE}/bookings/-"):
        request = asking("ListVisitors", parent=parent)
        assert len(stub.ListVisitors(request, metadata=bearer(town.alice), timeout=20).visitors) == 1
        try:
            assert not stub.ListVisitors(request, metadata=bearer(town.bob), timeout=20).visitors
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND and parent == booking.name
    with Refused(grpc.StatusCode.NOT_FOUND):
        add_visitor(stub, town.bob, booking.name)

    # What availability and a refusal tell of a taken time names no booking and no owner.
    with Refused(grpc.StatusCode.FAILED_PRECONDITION, "SPACE_TAKEN") as refused:
        stub.CreateBooking(booking_request(tomorrow()), metadata=bearer(town.bob), timeout=20)
    told = str(refused.error.trailing_metadata()) + refused.error.details()
    assert booking.name.rsplit("/", 1)[1] not in told and "alice" not in told
    assert stub.GetBooking(asking("GetBooking", name=booking.name), metadata=bearer(town.alice), timeout=20) == booking


def dump(conninfo):
    """Every table's rows as text, bytes read as text too."""
    columns = psql(conninfo, "SELECT table_name, column_name, data_type FROM information_schema.columns "
                             "JOIN information_schema.tables USING (table_schema, table_name) "
                             "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
    texts = {}
    for table, column, kind in columns:
        texts.setdefault(table, []).append(f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text")
    assert {"journal", "requests", "personal", "bookings", "visitors"} <= set(texts)
    return {table: str(psql(conninfo, f"SELECT {', '.join(columns)} FROM {table}"))
            for table, columns in texts.items()}


def tables_with(rows, word):
    return {table for table, text in rows.items() if word in text}


def test_nothing_is_left_of_an_erased_visitor(town):
    conninfo = town.database("centre")
    gateway = town.gateway("--log_level=debug", centre=town.replicas[0])
    stub = stub_of(gateway)
    visitor_words = ["Xanthippe Quillfeather", "xanthippe.q@example.org", "Quillfeather Holdings"]
    contact_words = ["Zebedee Thornwhistle", "zebedee.t@example.org"]
    booking = stub.CreateBooking(
        booking_request(tomorrow(), request_id=new_request_id(), name=contact_words[0], email=contact_words[1]),
        metadata=bearer(town.alice), timeout=20)
    request, visitor = add_visitor(stub, town.alice, booking.name, visitor_words[0], visitor_words[1])
    update = asking("UpdateVisitor", visitor={"name": visitor.name, "organization": visitor_words[2]},
                                     request_id=new_request_id())
    stub.UpdateVisitor(update, metadata=bearer(town.alice), timeout=20)
    web = Http(gateway.http_port, town.alice)
    status, _, answer = web.call("GET", f"/centre/v1/{visitor.name}")
    assert status == 200 and answer["displayName"] == visitor_words[0]
    # Refusals quote neither, to the caller or to the log.
    update.visitor.email = visitor_words[1] + "@twice"
    update.request_id = new_request_id()
    with Refused(grpc.StatusCode.INVALID_ARGUMENT):
        stub.UpdateVisitor(update, metadata=bearer(town.alice), timeout=20)
    web.call("GET", f"/centre/v1/{booking.name}/visitors?filter=email%3D%22{visitor_words[1]}%22")

    before = dump(conninfo)
    for word in visitor_words + contact_words:
        assert tables_with(before, word) == {"personal"}, word

    erased = stub.EraseVisitor(asking("EraseVisitor", name=visitor.name), metadata=bearer(town.alice), timeout=20)
    stub.EraseBookingContact(asking("EraseBookingContact", name=booking.name), metadata=bearer(town.alice), timeout=20)
    assert erased.HasField("erase_time") and not erased.display_name and not erased.email
    again = stub.EraseVisitor(asking("EraseVisitor", name=visitor.name), metadata=bearer(town.alice), timeout=20)
    assert again == erased

    after = dump(conninfo)
    for word in visitor_words + contact_words:
        assert tables_with(after, word) == set(), word
    # A repeated request brings nothing back, on either replica; nor does a start from the tables.
    for replica in (*town.stubs, stub_of(town.service("centre"))):
        repeated = replica.CreateVisitor(request, metadata=bearer(town.alice), timeout=20)
        assert repeated.name == visitor.name and not repeated.display_name and not repeated.email
        get = asking("GetVisitor", name=visitor.name)
        wait_until(lambda s=replica, g=get: s.GetVisitor(g, metadata=bearer(town.alice), timeout=20) == erased,
                   "the replica to follow")
    with Refused(grpc.StatusCode.FAILED_PRECONDITION, "VISITOR_ERASED"):
        update.visitor.email = ""
        update.update_mask.paths.append("organization")
        update.request_id = new_request_id()
        stub.UpdateVisitor(update, metadata=bearer(town.alice), timeout=20)
    assert_whole(town)
    for process in town.processes:
        log = process.log.read_text(errors="replace") + process.page("/metrics")[1]
        for word in visitor_words + contact_words:
            assert word not in log, (process.name, word)


def test_erasing_leaves_one_entry_without_content(town):
    conninfo = town.database("centre")
    stub = town.stubs[0]
    booking = stub.CreateBooking(booking_request(tomorrow()), metadata=bearer(town.alice), timeout=20)
    _, visitor = add_visitor(stub, town.alice, booking.name)
    stub.EraseVisitor(asking("EraseVisitor", name=visitor.name), metadata=bearer(town.alice), timeout=20)
    stub.EraseVisitor(asking("EraseVisitor", name=visitor.name), metadata=bearer(town.alice), timeout=20)
    entries = psql(conninfo, f"SELECT json_build_array(kind, length(body)) FROM journal WHERE name = '{visitor.name}' "
                             "AND kind = 5")
    assert [json.loads(row) for row, in entries] == [[5, 0]]
    assert_whole(town)
