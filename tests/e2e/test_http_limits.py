"""What one client can do to the gateway's JSON port, and what becomes of the others meanwhile."""

import contextlib
import http.client
import json
import resource
import secrets
import socket
import statistics
import threading
import time

import pytest

from suite import Http, wait_until

ORGANIZATIONS = "/standards/v1/organizations"
CHANGES = "/standards/v1/changes:watch"
# Addresses of this machine that are strangers to each other.
STRANGERS = ("127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14")
OTHER = "127.0.0.99"
MOST_CONNECTIONS = 4000
SHARE = 4


@pytest.fixture(name="descriptors", scope="module")
def descriptors_fixture():
    """As many as this process, and what it starts, may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(name="world", scope="module")
def world_fixture(descriptors, whole):  # pylint: disable=unused-argument
    return whole


def ask(world, target="/healthz", source=OTHER, headers=None, verb="GET", body=None, front=None):
    """(status, headers, body) of one request from an address of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", (front or world.front).http_port, timeout=30,
                                            source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request(verb, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def reason(body):
    return [d["reason"] for d in json.loads(body)["error"]["details"] if d["@type"].endswith("ErrorInfo")][0]


@contextlib.contextmanager
def silent(world, source, count, said=b"", front=None):
    """So many connections from one address that say no more than this."""
    with contextlib.ExitStack() as opened:
        connections = []
        for _ in range(count):
            connection = socket.socket()
            opened.enter_context(contextlib.closing(connection))
            connection.bind((source, 0))
            connection.connect(("127.0.0.1", (front or world.front).http_port))
            with contextlib.suppress(OSError):
                connection.sendall(said)
            connections.append(connection)
        yield connections


def test_one_address_cannot_take_all_connections(world):
    with silent(world, STRANGERS[0], MOST_CONNECTIONS // SHARE) as connections:
        wait_until(lambda: world.front.metric("http_connections") >= len(connections), "all to be accepted")
        status, headers, body = ask(world, source=STRANGERS[0])
        assert (status, reason(body)) == (429, "OVERLOADED")
        assert headers["Retry-After"] and headers["Connection"] == "close"
        assert ask(world)[0] == 200
    wait_until(lambda: ask(world, source=STRANGERS[0])[0] == 200, "the places to be free again")


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow"])
def test_silence_gives_way_when_connections_are_scarce(world, said):
    """Four addresses take all there are; whoever speaks is served within seconds, not after the time-out."""
    begun = time.monotonic()
    with contextlib.ExitStack() as floods:
        for source in STRANGERS:
            floods.enter_context(silent(world, source, MOST_CONNECTIONS // SHARE, said))

        def is_served():
            with contextlib.suppress(OSError):
                return ask(world)[0] == 200
            return False
        wait_until(is_served, "another client to be served", 9)
        assert world.front.metric("http_cut_offs_total", cause="crowded") > 0
    # Long before what a silent connection gets otherwise: 75 s, and 10 s within a head.
    assert time.monotonic() - begun < 60
    wait_until(lambda: world.front.metric("http_connections") <= 1, "the connections to end")


def test_one_address_cannot_take_all_streams(world):
    front = world.gateway("--http_max_streams=8", **world.owners)
    head = f"GET {CHANGES} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()
    with silent(world, STRANGERS[0], 8 // SHARE, head, front) as watchers:
        for watcher in watchers:
            assert watcher.recv(12) == b"HTTP/1.1 200"
        status, headers, body = ask(world, CHANGES, STRANGERS[0], front=front)
        assert (status, reason(body)) == (429, "OVERLOADED") and headers["Retry-After"]
        with silent(world, OTHER, 1, head, front) as (other,):
            assert other.recv(12) == b"HTTP/1.1 200"


def test_one_address_cannot_take_all_held_bytes(world):
    """Bodies that never end: the address's next request is refused, not another's."""
    most = 512 << 20
    size = 1 << 20
    head = (b"POST /standards/v1/standards HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % size)
    with silent(world, STRANGERS[0], 1, head):
        assert ask(world, f"{ORGANIZATIONS}/ietf", STRANGERS[0])[0] == 200
    with silent(world, STRANGERS[0], most // SHARE // size + 2, head + b" " * (size - 1)):
        wait_until(lambda: ask(world, f"{ORGANIZATIONS}/ietf", STRANGERS[0])[0] == 429, "its share to be spent")
        assert ask(world, f"{ORGANIZATIONS}/ietf")[0] == 200


def test_headers_of_any_size_harm_nobody_else(world):
    """Each is answered by its owner or refused here; the shared connection behind lives on."""
    head = f"GET {CHANGES} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()
    with silent(world, OTHER, 1, head) as (watcher,):
        assert watcher.recv(12) == b"HTTP/1.1 200"
        seen = set()
        for size in range(1 << 10, 17 << 10, 97):
            for target in (f"{ORGANIZATIONS}/ietf", "/gateway/v1/overview"):
                status, _, body = ask(world, target, headers={"Authorization": "Bearer " + "a" * size})
                assert status in (400, 401, 431), (size, status, body)
                assert reason(body) in ("TOKEN_UNKNOWN", "LIMIT_EXCEEDED"), (size, body)
                seen.add(status)
        assert {401, 431} <= seen
        # The watch was not cut off meanwhile: what comes are its beginning and signs of life.
        watcher.settimeout(0.2)
        got = b""
        with contextlib.suppress(TimeoutError):
            while more := watcher.recv(65536):
                got += more
        assert b"event: error" not in got and not got.endswith(b"0\r\n\r\n")


def test_no_page_reaches_it_under_another_name(world):
    for host, expected in (("localhost", 200), ("127.0.0.1:80", 200), ("[::1]", 200), ("evil.example", 421),
                           ("evil.example:7180", 421), ("a/../b@c", 400), ("", 400)):
        status, _, body = ask(world, headers={"Host": host})
        assert status == expected, (host, body)
        if status != 200:
            assert reason(body) == "INVALID_FIELDS" and b"header Host" in body
    front = world.gateway("--http_hosts=transparency.example", **world.owners)
    assert ask(world, front=front, headers={"Host": "transparency.example"})[0] == 200
    assert ask(world, front=front)[0] == 421


def test_who_asks_is_settled_before_the_body_is_read(world):
    """A body that would be refused for itself, from nobody and from somebody."""
    target = f"{ORGANIZATIONS}?organizationId=new"
    kind = {"Content-Type": "application/json"}
    for authorization in ({}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic YTpi"}):
        status, headers, body = ask(world, target, verb="POST", body="{", headers={**kind, **authorization})
        assert (status, reason(body)) == (401, "TOKEN_UNKNOWN")
        assert headers["WWW-Authenticate"] == "Bearer"
    status, _, body = ask(world, target, verb="POST", body="{",
                          headers={**kind, "Authorization": f"Bearer {world.staff}"})
    assert (status, reason(body)) == (400, "MALFORMED_REQUEST")
    # A token that is new is known to the port as soon as to the services.
    fresh = world.add_token("newcomer", "staff")
    wait_until(lambda: ask(world, target, verb="POST", body="{",
                           headers={**kind, "Authorization": f"Bearer {fresh}"})[0] == 400, "the token to be known", 5)


def test_a_body_of_many_small_things_is_refused(world):
    web = Http(world.front.http_port, world.staff)
    started = time.monotonic()
    status, _, body = web.call("POST", f"{ORGANIZATIONS}?organizationId=new",
                               json.dumps({"otherNames": [""] * 300_000}, separators=(",", ":")))
    assert status == 400
    assert [d["reason"] for d in body["error"]["details"] if d["@type"].endswith("ErrorInfo")] == ["LIMIT_EXCEEDED"]
    assert time.monotonic() - started < 10


def test_refusals_of_nobody_cannot_fill_the_log(world):
    """They are counted, and told with the address that they come from."""
    def lines():
        return [line for line in map(json.loads, filter(lambda text: text.startswith("{"),
                                                        world.front.log.read_text().splitlines()))
                if line.get("client_address") == STRANGERS[1] and line.get("http_status") == 401]

    def flood(count):
        connection = http.client.HTTPConnection("127.0.0.1", world.front.http_port, timeout=30,
                                                source_address=(STRANGERS[1], 0))
        with contextlib.closing(connection):
            for _ in range(count):
                connection.request("POST", f"{ORGANIZATIONS}?organizationId=new", body="{}",
                                   headers={"Content-Type": "application/json"})
                answer = connection.getresponse()
                assert answer.status == 401
                answer.read()

    def told():
        """Those that have a line, and those that the lines say were left out."""
        return len(lines()) + sum(line.get("lines_left_out", 0) for line in lines())

    begun = time.monotonic()
    flood(400)
    # Each further one may be the next with a line, which says how many had none.
    wait_until(lambda: flood(1) or told() >= 400, "all to be told of")
    written, took = len(lines()), time.monotonic() - begun
    assert written <= 10 * (took + 2), (written, took)


def test_refused_connections_are_in_the_log_with_their_address(world):
    with silent(world, STRANGERS[2], MOST_CONNECTIONS // SHARE + 5):
        wait_until(lambda: any('"too_many"' in line and STRANGERS[2] in line
                               for line in world.front.log.read_text().splitlines()), "a line that names it")


def test_large_answers_do_not_hold_up_small_ones(world):
    """While some ask for all they can get, another's point reads overtake them."""
    document = f"{ORGANIZATIONS}?pageSize=1000"
    web = Http(world.front.http_port, world.staff)
    for number in range(60):
        status, _, body = web.call("POST", f"{ORGANIZATIONS}?organizationId=large-{number}",
                                   {"displayName": f"Large {number}", "kind": "STANDARDS_BODY",
                                    "homepageUri": f"https://example.org/{secrets.token_hex(900)}"})
        assert status == 200, body
    stop = threading.Event()
    large, small = [], []

    def timed(took, source, target, headers):
        connection = http.client.HTTPConnection("127.0.0.1", world.front.http_port, timeout=60,
                                                source_address=(source, 0))
        with contextlib.closing(connection):
            while not stop.is_set():
                begun = time.monotonic()
                connection.request("GET", target, headers=headers)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                answer.read()
                took.append(time.monotonic() - begun)

    greedy = [threading.Thread(target=timed, args=(large, STRANGERS[3], document, {"Accept-Encoding": "gzip"}))
              for _ in range(16)]
    other = threading.Thread(target=timed, args=(small, OTHER, "/healthz", {}))
    for thread in (*greedy, other):
        thread.start()
    wait_until(lambda: len(large) >= 100 and len(small) >= 30, "enough answers")
    stop.set()
    for thread in (*greedy, other):
        thread.join()
    assert statistics.median(small) < statistics.median(large) / 3, (statistics.median(small),
                                                                     statistics.median(large))
