"""What GetOverview says, against what its owners hold."""

import datetime

import pytest

import suite as suite_module
from contract import json_name
from raw_grpc import RawClient
from suite import Http

from google.protobuf import json_format
from transparency.centre.v1 import booking_pb2  # pylint: disable=import-error
from transparency.certification.v1 import certificate_step_pb2  # pylint: disable=import-error
from transparency.standards.v1 import publication_pb2  # pylint: disable=import-error

Step = certificate_step_pb2.CertificateStep
TODAY = datetime.datetime.now(datetime.timezone.utc).date()
# Last valid days of certificates, in days from today.
LAST_DAYS = {"long-expired": -40, "expired": -1, "withdrawn": 5, "soon": 10, "suspended": 20,
             **{f"d{days}": days for days in range(30, 41)}, "before": 49, "first": 50, "last": 140, "after": 141}
PUBLISHED = {"p-2015": (2015, 3, 1), "p-2016": (2016, 1, 31), "p-2018": (2018, 7, 7), "p-2020": (2020, 2, 29),
             "p-2022": (2022, 12, 31), "p-2023": (2023, 1, 1), "p-2024": (2024, 5, 5)}
HOUR = datetime.timedelta(hours=1)


def date(day):
    return {"year": day.year, "month": day.month, "day": day.day}


def in_days(days):
    return date(TODAY + datetime.timedelta(days=days))


def day_of(*parts):
    return dict(zip(("year", "month", "day"), parts))


@pytest.fixture(name="facts", scope="module")
def facts_fixture(tmp_path_factory):
    """All processes, with facts of this module alone."""
    made = suite_module.Suite(tmp_path_factory.mktemp("overview"))
    made.owners = {name: made.service(name) for name in suite_module.SERVICES}
    made.clients = {name: RawClient(process) for name, process in made.owners.items()}
    made.front = made.gateway(**made.owners)
    made.client = RawClient(made.front)
    certify(made)
    publish(made)
    open_centres(made)
    yield made
    made.close()


def certify(made):
    def record(name, *steps):
        made.clients["certification"].call(
            "certification", "CreateCertificate", made.staff, certificate_id=name, certificate={
                "scheme": "schemes/plain", "subjects": [{"service": "S"}], "recorded_not_decided": True,
                "initial_steps": list(steps)})

    def issue(days, since=(2020, 1, 1)):
        return {"kind": Step.ISSUE, "effective_date": day_of(*since), "last_valid_date": in_days(days)}
    made.clients["certification"].call("certification", "CreateScheme", made.staff, scheme_id="plain",
                                       scheme={"title": "Plain", "time_zone": "Etc/UTC"})
    later = {"withdrawn": Step.WITHDRAW, "suspended": Step.SUSPEND}
    for name, days in LAST_DAYS.items():
        steps = [{"kind": later[name], "effective_date": in_days(-3)}] if name in later else []
        record(name, issue(days), *steps)
    record("endless", {"kind": Step.ISSUE, "effective_date": day_of(2020, 1, 1), "without_expiry": True})
    made.clients["certification"].call("certification", "CreateCertificate", made.staff, certificate_id="applied",
                                       certificate={"scheme": "schemes/plain", "subjects": [{"service": "S"}]})


def publish(made):
    def standards(method, **fields):
        return made.clients["standards"].call("standards", method, made.staff, **fields)
    # Made in an order that is not theirs.
    for name in sorted(PUBLISHED, key=lambda name: name[::-1]):
        standards("CreatePublication", publication_id=name, publication={"title": name})
        standards("PublishPublication", name=f"publications/{name}", date=day_of(*PUBLISHED[name]))
    standards("RetirePublication", name="publications/p-2023")
    standards("CreatePublication", publication_id="draft", publication={
        "title": "Draft", "publication_date": day_of(2025, 1, 1)})
    standards("CreatePublication", publication_id="gone", publication={"title": "Gone"})
    standards("PublishPublication", name="publications/gone", date=day_of(2025, 1, 2))
    standards("DeletePublication", name="publications/gone")
    for number in reversed(range(12)):
        standards("CreateCommitment", commitment_id=f"c{number:02}", commitment={"initiative": f"I{number}"})
    standards("CreateCommitment", commitment_id="a-deleted", commitment={"initiative": "D"})
    standards("DeleteCommitment", name="commitments/a-deleted")


def open_centres(made):
    """`weekly` opens on one day of the week, the day after tomorrow, for two times worth a visit and a shorter one."""
    def centre(method, token=made.staff, **fields):
        return made.clients["centre"].call("centre", method, token, **fields)
    day = TODAY + datetime.timedelta(days=2)
    for name, hours, policy in (("weekly", ((12, 0, 14, 0), (15, 0, 15, 30), (16, 0, 18, 0)), {}),
                                ("never", (), {}),
                                ("brief", ((0, 0, 24, 0),), {"longest_stay": {"seconds": 1800}})):
        centre("CreateCentre", centre_id=name, centre={
            "display_name": name.title(), "country": "BE", "time_zone": "Etc/UTC", "booking_policy": policy,
            "weekly_opening_hours": [{"day": day.isoweekday(), "opens": {"hours": h, "minutes": m},
                                      "closes": {"hours": to_h, "minutes": to_m}} for h, m, to_h, to_m in hours]})
        for space, occupancy, more in (("hall", 2, {"capacity": 40}),
                                       ("room", 1, {"clear_down_time": {"seconds": 900}}),
                                       ("bench", 1, {"purposes": [booking_pb2.Booking.PRODUCT_TESTING]})):
            centre("CreateSpace", parent=f"centres/{name}", space_id=space, space={
                "display_name": space, "category": 2, "occupancy": occupancy, "capacity": 4, **more})
    made.opening = datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc)
    start = int((made.opening + 12 * HOUR).timestamp())
    centre("CreateBooking", made.alice, parent="centres/weekly", booking={
        "purpose": booking_pb2.Booking.SHOWCASE, "spaces": ["centres/weekly/spaces/room"],
        "start_time": {"seconds": start}, "end_time": {"seconds": start + 1800}, "party": {"category": 2, "size": 2}})


def overview(facts, token=None, **fields):
    return facts.client.call("gateway", "GetOverview", token, **fields)


def identifiers(resources):
    return [resource.name.split("/")[-1] for resource in resources]


def test_it_is_as_of_today(facts):
    before = datetime.datetime.now(datetime.timezone.utc).date()
    answer = overview(facts)
    after = datetime.datetime.now(datetime.timezone.utc).date()
    assert json_format.MessageToDict(answer.as_of) in (date(before), date(after))
    assert answer.certification.summary.as_of == answer.as_of
    assert overview(facts, as_of=in_days(-75)).as_of == overview(facts, as_of=in_days(-75)).certification.summary.as_of


@pytest.mark.parametrize("days, expected", [
    # Soonest first, and the first ten.
    (0, ["soon", "suspended", *(f"d{days}" for days in range(30, 38))]),
    # From the day itself to the ninetieth after it.
    (50, ["first", "last"]),
    # What expires after the last of them is of no account.
    (142, [])])
def test_what_expires_soon(facts, days, expected):
    answer = overview(facts, as_of=in_days(days))
    assert identifiers(answer.certification.expiring_soon) == expected
    assert json_format.MessageToDict(answer.as_of) == in_days(days)


@pytest.mark.parametrize("days, expected", [
    # They have expired since, and had not then; what has been withdrawn since is not told.
    (-75, ["long-expired", "expired", "soon"]),
    (-40, ["long-expired", "expired", "soon", "suspended", *(f"d{days}" for days in range(30, 36))]),
    (-39, ["expired", "soon", "suspended", *(f"d{days}" for days in range(30, 37))])])
def test_what_expired_soon_after_a_past_day(facts, days, expected):
    assert identifiers(overview(facts, as_of=in_days(days)).certification.expiring_soon) == expected


def test_a_day_before_a_certificates_first(facts):
    """What was not valid yet cannot expire soon."""
    assert not overview(facts, as_of=day_of(2019, 12, 31)).certification.expiring_soon


def newest(names):
    return sorted(names, key=lambda name: PUBLISHED[name], reverse=True)[:5]


@pytest.mark.parametrize("caller", ["public", "staff"])
def test_latest_publications(facts, caller):
    """Newest first, at most five; neither drafts nor deleted ones for anybody."""
    answer = overview(facts, facts.staff if caller == "staff" else None)
    publications = answer.standards.latest_publications
    assert identifiers(publications) == newest(PUBLISHED)
    assert publications[1].state == publication_pb2.Publication.RETIRED


@pytest.mark.parametrize("day, expected", [
    ((2022, 12, 31), ["p-2022", "p-2020", "p-2018", "p-2016", "p-2015"]),
    ((2022, 12, 30), ["p-2020", "p-2018", "p-2016", "p-2015"]), ((2015, 2, 28), [])])
def test_latest_publications_up_to_a_past_day(facts, day, expected):
    assert identifiers(overview(facts, as_of=day_of(*day)).standards.latest_publications) == expected


def test_commitments_by_name(facts):
    commitments = overview(facts).standards.commitments
    assert identifiers(commitments) == [f"c{number:02}" for number in range(10)]
    assert commitments[3].initiative == "I3"


def test_centres_and_their_next_free_times(facts):
    """An hour or more, soonest first whatever the space, three at most."""
    centres = {entry.centre: entry for entry in overview(facts).centre.centres}
    assert list(centres) == [f"//centre.transparency/centres/{name}" for name in ("brief", "never", "weekly")]
    entry = centres["//centre.transparency/centres/weekly"]
    assert (entry.display_name, entry.country, entry.time_zone) == ("Weekly", "BE", "Etc/UTC")
    times = [(time.space, (time.slot.start_time.ToDatetime(datetime.timezone.utc) - facts.opening) / HOUR,
              (time.slot.end_time.ToDatetime(datetime.timezone.utc) - facts.opening) / HOUR)
             for time in entry.next_free_times]
    spaces = "//centre.transparency/centres/weekly/spaces/"
    # The room has been booked for half an hour and is cleared down for a quarter; the bench is for something else.
    assert times == [(f"{spaces}hall", 12, 14), (f"{spaces}room", 12.75, 14), (f"{spaces}hall", 16, 18)]


@pytest.mark.parametrize("name", ["never", "brief"])
def test_a_centre_without_times_for_a_visit(facts, name):
    """Closed, or its stays are shorter than a visit: it is there, and so is everything else."""
    answer = overview(facts)
    assert not answer.unreachable
    entry, = (entry for entry in answer.centre.centres if entry.centre.endswith(f"/{name}"))
    assert not entry.next_free_times
    assert answer.HasField("certification") and answer.HasField("standards")


def test_over_json(facts):
    """The same over the JSON port, a day given by its parts."""
    for day in (in_days(0), in_days(-75)):
        query = "&".join(f"asOf.{part}={number}" for part, number in day.items())
        status, _, body = Http(facts.front.http_port).call("GET", f"/gateway/v1/overview?{query}")
        assert status == 200, body
        by_grpc = json_format.MessageToDict(overview(facts, as_of=day))
        for part in ("certification", "standards"):
            assert body[part] == by_grpc[part]
        assert body[json_name("as_of")] == day
