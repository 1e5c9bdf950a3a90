"""Streams at the gateway: server-sent events and JSON lines by curl and by an EventSource, WatchUpdates by grpcio."""

import contextlib
import json
import queue
import socket
import subprocess
import threading

import grpc
import pytest

import clients
from fake_owner import FakeJournal
from suite import ROOT, Http, wait_until

from transparency.gateway.v1 import gateway_service_pb2_grpc, updates_pb2  # pylint: disable=import-error

CHANGES = "/certification/v1/changes:watch"
UPDATES = "/gateway/v1/updates:watch"
PATIENCE = 30


class Lines:
    """What a client prints, line by line."""

    def __init__(self, *command):
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.popen.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def next(self):
        """The next line; None at the end."""
        return self.lines.get(timeout=PATIENCE)

    def until(self, wanted):
        """All lines up to the one that fits."""
        got = []
        while not got or not wanted(got[-1]):
            line = self.next()
            assert line is not None, f"ended after {got}: {self.popen.stderr.read()}"
            got.append(line)
        return got

    def close(self):
        self.popen.kill()
        self.popen.wait()


def curl(front, path, *headers):
    options = [part for header in headers for part in ("-H", header)]
    return Lines("curl", "-sN", *options, f"http://127.0.0.1:{front.http_port}{path}")


class Events(Lines):
    """A browser's EventSource, as npm has it."""

    def __init__(self, front, path):
        super().__init__("node", str(ROOT / "tests/e2e/clients_js/events.mjs"),
                         f"http://127.0.0.1:{front.http_port}{path}")

    def take(self, kind="message"):
        """The next event of this kind."""
        return json.loads(self.until(lambda line: json.loads(line)["type"] == kind)[-1])

    def names(self, count):
        """Names of the next changes."""
        names = []
        while len(names) < count:
            event = self.take()["data"]
            event = event.get("event", event)
            if event["type"] != "BOOKMARK":
                names.append(event["name"])
        return names


@pytest.fixture(name="journals")
def journals_fixture():
    made = {name: FakeJournal(name) for name in ("certification", "standards")}
    yield made
    for journal in made.values():
        journal.close()


@pytest.fixture(name="front")
def front_fixture(suite, journals):
    front = suite.gateway(ready=False, **{name: journal.address for name, journal in journals.items()})
    wait_until(lambda: Http(front.http_port).call("GET", "/healthz")[0] == 200 if listens(front) else False,
               "the gateway to listen")
    return front


def listens(front):
    def taken(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    return taken(front.grpc_port) and taken(front.http_port)


@contextlib.contextmanager
def updates(front, **fields):
    """A WatchUpdates by grpcio."""
    with clients.channel(front) as channel:
        stub = gateway_service_pb2_grpc.GatewayServiceStub(channel)
        call = stub.WatchUpdates(updates_pb2.WatchUpdatesRequest(**fields), timeout=PATIENCE)
        yield call
        call.cancel()


def changed(call, count):
    """(service, name) of the next changes, and the last token."""
    got, token = [], ""
    while len(got) < count:
        update = next(call)
        token = update.resume_token
        if update.service:
            got.append((update.service.strip("/").split(".")[0], update.event.name))
    return got, token


def test_curl_gets_json_lines(front, journals):
    with contextlib.closing(curl(front, CHANGES)) as lines:
        mark = json.loads(lines.next())
        assert mark == {"type": "BOOKMARK", "resumeToken": "0.0a"}
        journals["certification"].write("certificates/a", "certificates/b")
        assert json.loads(lines.next()) == {"type": "CHANGED", "name": "certificates/a", "resumeToken": "1.0a"}
        assert json.loads(lines.next())["resumeToken"] == "2.0a"
        journals["certification"].kill()
        last = json.loads(lines.next())
        assert last["error"]["status"] == "UNAVAILABLE" and last["error"]["details"][0]["@type"].endswith("ErrorInfo")
        assert lines.next() is None and lines.popen.wait(PATIENCE) == 0


def test_curl_gets_server_sent_events(front, journals):
    accept = "Accept: text/event-stream"
    with contextlib.closing(curl(front, CHANGES, accept, "Last-Event-ID: 0.0a")) as lines:
        journals["certification"].write("certificates/a")
        got = lines.until(lambda line: "certificates/a" in line)
        assert got[0].startswith("retry: ") and got[-2] == "id: 1.0a" and got[-1].startswith("data: {")
    with contextlib.closing(curl(front, CHANGES, accept, "Last-Event-ID: 0.ff")) as lines:
        refused = json.loads(lines.next())
        assert refused["error"]["code"] == 400 and refused["error"]["status"] == "FAILED_PRECONDITION"


def test_a_client_that_goes_away_cancels_the_owners_stream(front, journals):
    lines = curl(front, CHANGES)
    lines.next()
    call = journals["certification"].calls[-1]
    assert not call.cancelled.is_set()
    lines.close()
    assert call.cancelled.wait(PATIENCE)


def test_an_event_source_reconnects_and_loses_nothing(front, journals):
    journal = journals["certification"]
    journal.write("certificates/a")
    with contextlib.closing(Events(front, f"{CHANGES}?includePresentState=true")) as events:
        assert events.names(1) == ["certificates/a"]
        assert events.take()["id"] == "1.0a"
        journal.write("certificates/b")
        assert events.names(1) == ["certificates/b"]
        journal.kill()
        assert events.take("error")["data"]["error"]["code"] == 503
        journal.write("certificates/c", "certificates/d")
        journal.start_again()
        # It repeats the URL that asks for the present state, and the id that it saw last.
        journal.write("certificates/e")
        assert events.names(3) == ["certificates/c", "certificates/d", "certificates/e"]


def test_an_event_source_begins_anew_where_it_cannot_resume(front, journals):
    journal = journals["certification"]
    journal.write("certificates/a")
    with contextlib.closing(Events(front, f"{CHANGES}?includePresentState=true")) as events:
        assert events.names(1) == ["certificates/a"]
        assert events.take()["id"] == "1.0a"
        journal.kill()
        journal.write("certificates/b", "certificates/c")
        journal.deletion = 3
        journal.start_again()
        while (error := events.take("error"))["data"]["error"]["code"] != 400:
            pass
        assert error["id"] == ""
        assert events.names(3) == ["certificates/a", "certificates/b", "certificates/c"]
        assert not journal.calls[-1].request.resume_token and journal.calls[-1].request.include_present_state


def test_an_event_source_gives_up_what_is_refused(front):
    with contextlib.closing(Events(front, f"{CHANGES}?resumeToken=0.ff")) as events:
        assert events.take("closed")["status"] == 400


def test_a_draining_gateway_ends_streams(suite, journals):
    front = suite.gateway(ready=False, certification=journals["certification"].address)
    wait_until(lambda: listens(front), "the gateway to listen")
    with contextlib.closing(curl(front, CHANGES)) as lines:
        lines.next()
        assert front.stop() == 0
        assert json.loads(lines.next())["error"]["details"][0]["reason"] == "DRAINING"
        assert lines.next() is None


def test_no_more_streams_than_may_be(suite, journals):
    front = suite.gateway("--http_max_streams=1", ready=False, certification=journals["certification"].address)
    wait_until(lambda: listens(front), "the gateway to listen")
    with contextlib.closing(curl(front, CHANGES)) as lines:
        lines.next()
        status, headers, body = Http(front.http_port).call("GET", CHANGES)
        assert (status, body["error"]["status"]) == (429, "RESOURCE_EXHAUSTED") and headers["Retry-After"]


def test_updates_merge_and_resume(front, journals):
    with updates(front) as call:
        first = next(call)
        assert first.resume_token == "certification-0.0a~standards-0.0a"
        assert list(first.not_configured) == ["//centre.transparency"]
        journals["standards"].write("standards/a")
        assert changed(call, 1)[0] == [("standards", "standards/a")]
        journals["certification"].write("certificates/a")
        got, token = changed(call, 1)
        assert got == [("certification", "certificates/a")]
        assert token == "certification-1.0a~standards-1.0a"
    journals["standards"].write("standards/b")
    with updates(front, resume_token=token) as call:
        assert changed(call, 1) == ([("standards", "standards/b")], "certification-1.0a~standards-2.0a")


def test_updates_outlive_an_owner(front, journals):
    journals["certification"].write("certificates/a")
    with updates(front, include_present_state=True) as call:
        assert changed(call, 1)[0] == [("certification", "certificates/a")]
        assert next(call).resume_token == "certification-1.0a~standards-0.0a"
        journals["certification"].kill()
        away = next(call)
        assert list(away.unreachable) == ["//certification.transparency"]
        journals["standards"].write("standards/a")
        assert changed(call, 1)[0] == [("standards", "standards/a")]
        journals["certification"].write(*(f"certificates/b{i}" for i in range(500)))
        journals["certification"].start_again()
        got, token = changed(call, 500)
        assert got == [("certification", f"certificates/b{i}") for i in range(500)]
        assert token == "certification-501.0a~standards-1.0a"


def test_updates_end_with_the_history(front, journals):
    with updates(front) as call:
        next(call)
        journals["standards"].kill()
        journals["standards"].history = "0b"
        journals["standards"].start_again()
        with clients.Refused(grpc.StatusCode.FAILED_PRECONDITION):
            for _ in call:
                pass
    with clients.Refused(grpc.StatusCode.FAILED_PRECONDITION), updates(front, resume_token="standards-0.0a") as call:
        next(call)


def test_updates_need_somebody(suite, journals):
    for journal in journals.values():
        journal.kill()
    front = suite.gateway(ready=False, **{name: journal.address for name, journal in journals.items()})
    wait_until(lambda: listens(front), "the gateway to listen")
    with clients.Refused(grpc.StatusCode.UNAVAILABLE, "OWNER_UNREACHABLE"), updates(front) as call:
        next(call)
    assert Http(front.http_port).call("GET", UPDATES)[0] == 503


def test_updates_by_an_event_source(front, journals):
    with contextlib.closing(Events(front, UPDATES)) as events:
        assert events.take()["id"] == "certification-0.0a~standards-0.0a"
        journals["standards"].write("standards/a")
        update = events.take()
        assert update["data"]["service"] == "//standards.transparency" and update["data"]["event"]["type"] == "CHANGED"
        assert update["id"] == update["data"]["resumeToken"] == "certification-0.0a~standards-1.0a"


@pytest.mark.parametrize("fields, field", [
    ({"types": ["standards.transparency/Nothing"]}, "types[0]"), ({"resume_token": "x y"}, "resume_token"),
    ({"resume_token": "standards-0.0a", "include_present_state": True}, "include_present_state"),
    ({"types": ["standards.transparency/Standard"] * 21}, "types")])
def test_updates_refuse_bad_input(front, fields, field):
    with clients.Refused(grpc.StatusCode.INVALID_ARGUMENT) as refused, updates(front, **fields) as call:
        next(call)
    assert refused.details["BadRequest"].field_violations[0].field.startswith(field)
