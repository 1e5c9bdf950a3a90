"""The journal of a service: changes listed and watched, resources as they were, on several replicas and by the gateway."""

import contextlib
import datetime
import json
import signal

import grpc
import pytest

import centre_town
from clients import Refused, bearer, channel, reason
from suite import Http, psql, server_conninfo, wait_until
from test_streams import Events, curl
from watch import PATIENCE, Event, Watch

from transparency.centre.v1 import centre_service_pb2_grpc  # pylint: disable=import-error
from transparency.centre.v1 import journal_service_pb2_grpc as centre_journal  # pylint: disable=import-error
from transparency.gateway.v1 import gateway_service_pb2_grpc, updates_pb2  # pylint: disable=import-error
from transparency.journal.v1 import change_pb2, journal_pb2  # pylint: disable=import-error
from transparency.standards.v1 import journal_service_pb2_grpc as standards_journal  # pylint: disable=import-error
from transparency.standards.v1 import organization_pb2 as pb, publication_pb2  # pylint: disable=import-error
from transparency.standards.v1 import standards_service_pb2_grpc as standards_rpc  # pylint: disable=import-error

class Standards:
    """A replica of standards-service and what tests call there."""

    def __init__(self, suite, process):
        self.suite, self.process = suite, process
        self.connection = channel(process)
        self.rpc = standards_rpc.StandardsServiceStub(self.connection)
        self.journal = standards_journal.StandardsJournalServiceStub(self.connection)

    @property
    def staff(self):
        return bearer(self.suite.staff)

    def create(self, identifier, **fields):
        return self.rpc.CreateOrganization(pb.CreateOrganizationRequest(
            organization_id=identifier, organization={"display_name": identifier, **fields}), metadata=self.staff,
            timeout=20)

    def rename(self, identifier, name):
        return self.rpc.UpdateOrganization(pb.UpdateOrganizationRequest(
            organization={"name": f"organizations/{identifier}", "display_name": name},
            update_mask={"paths": ["display_name"]}), metadata=self.staff, timeout=20)

    def delete(self, identifier):
        return self.rpc.DeleteOrganization(pb.DeleteOrganizationRequest(name=f"organizations/{identifier}"),
                                           metadata=self.staff, timeout=20)

    def watch(self, token=None, **fields):
        return contextlib.closing(Watch(self.journal, token, **fields))

    def changes(self, token=None, **fields):
        return list(self.journal.ListChanges(journal_pb2.ListChangesRequest(**fields), metadata=bearer(token),
                                             timeout=20).changes)


@pytest.fixture(name="pair")
def pair_fixture(suite):
    suite.database("standards")
    return [Standards(suite, suite.service("standards")) for _ in range(2)]


def kinds(changes):
    return [(change_pb2.Change.Kind.Name(change.kind), change.name) for change in changes]


def test_changes_are_listed(pair):
    one, _ = pair
    one.create("a")
    one.rename("a", "A")
    one.create("b")
    one.delete("b")
    assert kinds(one.changes()) == [("UPDATED", "organizations/a"), ("CREATED", "organizations/a")]
    assert kinds(one.changes(one.suite.staff)) == [
        ("DELETED", "organizations/b"), ("CREATED", "organizations/b"), ("UPDATED", "organizations/a"),
        ("CREATED", "organizations/a")]
    staff, public = one.changes(one.suite.staff)[2], one.changes()[0]
    assert (staff.actor, public.actor) == ("staff-member", "") and staff.digest == public.digest
    assert one.changes(one.suite.staff)[0].step == "DeleteOrganization"
    assert kinds(one.changes(name="organizations/a", order_by="revision")) == [
        ("CREATED", "organizations/a"), ("UPDATED", "organizations/a")]
    assert not one.changes(types=["standards.transparency/Publication"])
    with Refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS"):
        one.changes(actor="staff-member")
    assert len(one.changes(one.suite.staff, actor="staff-member")) == 4


def test_a_draft_leaves_a_gap(pair):
    one, _ = pair
    with one.watch() as everybody, one.watch(one.suite.staff) as staff:
        assert everybody.until_bookmark() == staff.until_bookmark() == []
        name = one.rpc.CreatePublication(publication_pb2.CreatePublicationRequest(
            publication_id="p", publication={"title": "secret title"}), metadata=one.staff, timeout=20).name
        one.create("between")
        assert staff.change() == ("ADDED", name)
        assert everybody.change() == ("ADDED", "organizations/between")
        assert kinds(one.changes()) == [("CREATED", "organizations/between")]
        with Refused(grpc.StatusCode.NOT_FOUND):
            one.journal.GetResourceAt(journal_pb2.GetResourceAtRequest(name=name, revision=0), timeout=20)
        one.rpc.PublishPublication(publication_pb2.PublishPublicationRequest(
            name=name, date={"year": 2020, "month": 1, "day": 1}), metadata=one.staff, timeout=20)
        assert everybody.change() == ("ADDED", name)
        assert staff.change() == ("ADDED", "organizations/between") and staff.change() == ("CHANGED", name)


def test_a_resource_as_it_was(pair):
    one, two = pair
    one.create("a")
    between = datetime.datetime.now(datetime.timezone.utc)
    one.rename("a", "A")

    def at(**when):
        answer = two.journal.GetResourceAt(journal_pb2.GetResourceAtRequest(name="organizations/a", **when), timeout=20,
                                           metadata=[("x-min-revision", wanted)])
        organization = pb.Organization()
        assert answer.resource.Unpack(organization)
        return organization.display_name, answer.change.revision
    _, call = one.rpc.GetOrganization.with_call(pb.GetOrganizationRequest(name="organizations/a"), timeout=20)
    wanted = dict(call.initial_metadata())["x-revision"]
    assert at(revision=0) == ("a", 0) and at(revision=1) == ("A", 1)
    time = journal_pb2.GetResourceAtRequest().time
    time.FromDatetime(between.replace(tzinfo=None))
    assert at(time=time) == ("a", 0)
    with Refused(grpc.StatusCode.OUT_OF_RANGE, "REVISION_ABOVE_HEAD"):
        at(revision=2)


def test_a_watch_resumes_on_another_replica_after_a_kill(pair):
    one, two = pair
    one.create("a")
    with one.watch(include_present_state=True) as watch:
        assert watch.until_bookmark() == [("ADDED", "organizations/a")]
        one.rename("a", "A")
        assert watch.change() == ("CHANGED", "organizations/a")
        two.create("b")
        one.process.kill()
        error = watch.end()
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        seen = watch.last
    two.rename("a", "AA")
    with two.watch(resume_token=seen) as watch:
        told = watch.until_bookmark()
        # The kill may have come before or after it was told of b.
        assert told[-1] == ("CHANGED", "organizations/a")
        assert told[:-1] in ([], [("ADDED", "organizations/b")])
        two.delete("a")
        assert watch.change() == ("REMOVED", "organizations/a")
    # Whoever was not there is told that he missed a deletion, not which.
    with two.watch(resume_token=seen) as watch:
        error = watch.end()
        assert (error.code(), reason(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED")
        assert "organizations/a" not in error.details()


def test_many_watches_of_a_killed_replica_lose_nothing(pair):
    one, two = pair
    watches = [Watch(one.journal) for _ in range(20)]
    for watch in watches:
        watch.until_bookmark()
    for number in range(30):
        two.create(f"w{number}")
    one.process.signal(signal.SIGKILL)
    one.process.popen.wait()
    for number in range(30, 40):
        two.create(f"w{number}")
    for watch in watches:
        told = []
        while (event := watch.next()) is not None:
            if event.type != Event.BOOKMARK:
                told.append((Event.Type.Name(event.type), event.name))
        assert watch.error.code() == grpc.StatusCode.UNAVAILABLE
        with two.watch(resume_token=watch.last) as again:
            told += again.until_bookmark()
        assert told == [("ADDED", f"organizations/w{number}") for number in range(40)]


def test_a_replica_that_drains_ends_its_watches(pair):
    one, _ = pair
    with one.watch() as watch:
        watch.until_bookmark()
        assert one.process.stop() == 0
        with Refused(grpc.StatusCode.UNAVAILABLE, "DRAINING"):
            raise watch.end()


def test_a_database_put_back_ends_watches(suite):
    conninfo = suite.database("standards")
    name = [part[7:] for part in conninfo.split() if part.startswith("dbname=")][0]
    one = Standards(suite, suite.service("standards"))
    one.create("old")

    def cut():
        psql(server_conninfo(), f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        psql(server_conninfo(), f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        wait_until(lambda: psql(server_conninfo(), f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
                   == [["0"]], "sessions to end")
    cut()
    psql(server_conninfo(), f'CREATE DATABASE "{name}_old" TEMPLATE "{name}"')
    psql(server_conninfo(), f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    wait_until(lambda: try_create(one, "lost"), "writes to go on")
    with one.watch() as watch:
        watch.until_bookmark()
        cut()
        psql(server_conninfo(), f'DROP DATABASE "{name}"')
        psql(server_conninfo(), f'ALTER DATABASE "{name}_old" RENAME TO "{name}"')
        with Refused(grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED"):
            raise watch.end()
    wait_until(lambda: try_create(one, "other"), "writes to go on")
    with Refused(grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED"), one.watch(resume_token=watch.last) as again:
        raise again.end()


def try_create(replica, identifier):
    try:
        return replica.create(identifier)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return None


def test_what_is_personal_is_erased_from_events_too(suite):
    suite.database("centre")
    process = suite.service("centre")
    rpc = centre_service_pb2_grpc.CentreServiceStub(channel(process))
    journal = centre_journal.CentreJournalServiceStub(channel(process))
    centre_town.found(rpc, suite.staff)
    with contextlib.closing(Watch(journal, suite.alice)) as alice, contextlib.closing(Watch(journal, suite.bob)) as bob:
        assert alice.until_bookmark() == bob.until_bookmark() == []
        booking = rpc.CreateBooking(centre_town.booking_request(centre_town.tomorrow(), name="Alice A",
                                                                email="alice@example.org"),
                                    metadata=bearer(suite.alice), timeout=20)
        event = alice.next()
        assert event.name == booking.name and b"alice@example.org" in event.resource.value
        before = alice.last
        rpc.CancelBooking(centre_town.asking("CancelBooking", name=booking.name), metadata=bearer(suite.alice),
                          timeout=20)
        rpc.EraseBookingContact(centre_town.asking("EraseBookingContact", name=booking.name),
                                metadata=bearer(suite.staff), timeout=20)
        assert alice.change() == ("CHANGED", booking.name)
        event = alice.next()
        assert event.name == booking.name and b"alice@example.org" not in event.resource.value
    again = suite.service("centre")
    journal = centre_journal.CentreJournalServiceStub(channel(again))
    with contextlib.closing(Watch(journal, suite.alice, resume_token=before)) as alice:
        for event in (alice.next(), alice.next()):
            assert event.name == booking.name and b"alice@example.org" not in event.resource.value
    with contextlib.closing(Watch(journal, suite.bob, include_present_state=True)) as bob:
        assert booking.name not in {name for _, name in bob.until_bookmark()}
    for token in (suite.staff, suite.alice):
        answer = journal.ListChanges(journal_pb2.ListChangesRequest(name=booking.name), metadata=bearer(token), timeout=20)
        assert len(answer.changes) >= 3 and "alice@example.org" not in str(answer)
    with Refused(grpc.StatusCode.NOT_FOUND):
        journal.GetResourceAt(journal_pb2.GetResourceAtRequest(
            name=booking.name, revision=answer.changes[-1].revision), metadata=bearer(suite.bob), timeout=20)


# ---- by the gateway ----

@pytest.fixture(name="front")
def front_fixture(suite, pair):
    return suite.gateway(standards=pair[0].process)


def test_by_the_gateway_in_json(front, pair):
    one, _ = pair
    one.create("a")
    one.rename("a", "A")
    web = Http(front.http_port)
    status, _, body = web.call("GET", "/standards/v1/changes?pageSize=1")
    assert status == 200 and body["changes"][0]["kind"] == "UPDATED" and "actor" not in body["changes"][0]
    status, _, body = web.call("GET", f"/standards/v1/changes?pageToken={body['nextPageToken']}&pageSize=1")
    assert status == 200 and body["changes"][0]["kind"] == "CREATED"
    status, _, body = web.call("GET", "/standards/v1/organizations/a:recorded?revision=0")
    assert status == 200, body
    assert body["resource"]["@type"].endswith("transparency.standards.v1.Organization")
    assert body["resource"]["displayName"] == "a" and body["change"]["name"] == "organizations/a"
    assert web.call("GET", "/standards/v1/organizations/none:recorded?revision=0")[0] == 404
    assert web.call("GET", "/standards/v1/organizations/a:recorded")[0] == 400


def test_by_the_gateway_as_json_lines(front, pair):
    one, _ = pair
    one.create("a")
    with contextlib.closing(curl(front, "/standards/v1/changes:watch?includePresentState=true")) as lines:
        present, mark = json.loads(lines.next()), json.loads(lines.next())
        assert present["type"] == "ADDED" and present["resource"]["displayName"] == "a"
        assert mark["type"] == "BOOKMARK" and mark["resumeToken"].startswith("0.")
        one.rename("a", "A")
        changed = json.loads(lines.next())
        assert (changed["type"], changed["resource"]["displayName"]) == ("CHANGED", "A")


def test_server_sent_events_resume_over_a_restart(front, pair):
    """The service is killed and started again: by Last-Event-ID nothing is lost, although the URL asks for all."""
    one, two = pair
    one.create("a")
    path, accept = "/standards/v1/changes:watch?includePresentState=true", "Accept: text/event-stream"

    def names_until_bookmark(lines):
        got = lines.until(lambda line: line.startswith("data: ") and "BOOKMARK" in line)
        told = [json.loads(line[6:]) for line in got if line.startswith("data: ")]
        return [event["name"] for event in told[:-1]], told[-1]["resumeToken"]
    with contextlib.closing(curl(front, path, accept)) as lines:
        names, token = names_until_bookmark(lines)
        assert names == ["organizations/a"]
        one.process.kill()
        lines.until(lambda line: line == "event: error")
    two.create("b")
    one.process.start()
    two.create("c")
    with contextlib.closing(curl(front, path, accept, f"Last-Event-ID: {token}")) as lines:
        assert names_until_bookmark(lines)[0] in (["organizations/b"], ["organizations/b", "organizations/c"])


def test_updates_over_a_service_that_is_killed(front, pair):
    one, two = pair
    one.create("a")
    with channel(front) as connection:
        stub = gateway_service_pb2_grpc.GatewayServiceStub(connection)
        call = stub.WatchUpdates(updates_pb2.WatchUpdatesRequest(include_present_state=True), timeout=PATIENCE)

        def take():
            update = next(call)
            return Event.Type.Name(update.event.type), update.event.name, update
        assert take()[:2] == ("ADDED", "organizations/a")
        kind, _, mark = take()
        assert kind == "BOOKMARK" and mark.resume_token.startswith("standards-0.")
        assert sorted(mark.not_configured) == ["//centre.transparency", "//certification.transparency"]
        one.process.kill()
        two.create("b")
        kind, name, update = take()
        while kind == "BOOKMARK" and not update.unreachable:
            kind, name, update = take()
        assert list(update.unreachable) == ["//standards.transparency"]
        one.process.start()
        told = []
        while len(told) < 1:
            kind, name, update = take()
            if kind != "BOOKMARK":
                told.append((kind, name))
        assert told == [("ADDED", "organizations/b")]
        call.cancel()
        two.delete("a")
        again = stub.WatchUpdates(updates_pb2.WatchUpdatesRequest(resume_token=update.resume_token), timeout=PATIENCE)
        update = next(u for u in again if u.event.type != Event.BOOKMARK)
        assert (update.event.type, update.event.name) == (Event.REMOVED, "organizations/a")
        again.cancel()


def test_updates_by_an_event_source_over_a_restart(front, pair):
    one, two = pair
    one.create("a")
    with contextlib.closing(Events(front, "/gateway/v1/updates:watch?includePresentState=true")) as events:
        assert events.names(1) == ["organizations/a"]
        one.process.kill()
        two.create("b")
        one.process.start()
        assert events.names(1) == ["organizations/b"]


def test_an_event_source_goes_on_when_its_service_is_back(front, pair):
    one, two = pair
    one.create("a")
    with contextlib.closing(Events(front, "/standards/v1/changes:watch?includePresentState=true")) as events:
        assert events.names(1) == ["organizations/a"]
        one.process.kill()
        two.create("b")
        # Of the stream that broke off, and of a reconnection that found nobody.
        for _ in range(2):
            assert events.take("error")["data"]["error"]["code"] == 503
        one.process.start()
        assert events.names(1) == ["organizations/b"]
