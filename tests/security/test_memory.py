"""What one client can make a process hold: bounded, given back, and no harm to others."""

import contextlib
import socket
import threading
import zlib

import grpc
import pytest

import clients
import contract
from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, REFLECT, RST_STREAM, SETTINGS,
                   Connection, call_headers, drain, frame, message)
from suite import Http, wait_until
from victim import Victim, resident_mb

GET = "/transparency.standards.v1.StandardsService/GetOrganization"
BATCH = "/transparency.standards.v1.StandardsService/BatchGetOrganizations"


class Peak:
    """The most memory of a process while a block runs."""

    def __init__(self, process):
        self.process, self.mb = process, resident_mb(process)

    def __enter__(self):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while not self.stop.wait(0.02):
            self.mb = max(self.mb, resident_mb(self.process))

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def again_and_again(burst):
    """An attack of one burst after another, also while its address is kept out."""
    def attack(stop):
        while not stop.wait(0.05):
            with contextlib.suppress(OSError):
                burst(stop)
    return attack


def at_rest(process):
    return process.metric("rpc_calls_running") == 0


def worst(victim, attack):
    """p99 beside the attack against p99 alone: the best of three, since the machine has other things to do too."""
    ratios = []
    for _ in range(3):
        alone = victim.p99(1000)
        with victim.beside(attack):
            ratios.append(victim.p99(1000) / max(alone, 1.0))
        if ratios[-1] <= 2:
            break
    return min(ratios)


def bomb(size):
    """`size` zeros as gzip makes them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(bytes(size)) + packer.flush()


def bombs(process):
    """Calls whose request would inflate to 128 MiB, one after the other."""
    body = message(bomb(128 << 20), compressed=1)
    assert len(body) < 300_000

    def burst(_):
        with Connection(process.grpc_port, source="127.0.0.65") as connection:
            connection.send(frame(HEADERS, END_HEADERS, 1, call_headers(GET, ("grpc-encoding", "gzip"))))
            for begin in range(0, len(body), 16384):
                last = begin + 16384 >= len(body)
                connection.send(frame(DATA, END_STREAM if last else 0, 1, body[begin:begin + 16384]))
            for kind, flags, _, payload in connection.frames():
                if kind == HEADERS and flags & END_STREAM:
                    assert b"12" in payload, payload
                    return
                if kind == RST_STREAM:
                    return
    return again_and_again(burst)


def test_a_compressed_request_is_not_inflated(whole, front):
    victim = Victim(front, None)
    for process in (front, whole.owners["standards"]):
        before = resident_mb(process)
        with Peak(process) as peak:
            ratio = worst(victim, bombs(process))
        assert peak.mb - before < 40, (before, peak.mb)
        assert ratio <= 2, ratio
        wait_until(lambda process=process: at_rest(process), "the calls to be gone", 15)


def flood(process, path):
    """Calls taken back as soon as they are made, over one connection after another."""
    head = call_headers(path)

    def burst(stop):
        with Connection(process.grpc_port, source="127.0.0.66") as connection:
            drain(connection)
            for first in range(1, 2_000_000, 400):
                if stop.is_set():
                    return
                connection.send(b"".join(
                    frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, message()) +
                    frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(first, first + 400, 2)))

    return again_and_again(burst)


def test_rapid_reset_is_cut_off(whole, front):
    victim = Victim(front, None)
    for process in (front, whole.owners["standards"]):
        before = resident_mb(process)
        with Peak(process) as peak:
            ratio = worst(victim, flood(process, GET))
        # A service answers most of them before they are taken back; the gateway cannot.
        assert process is not front or process.metric("grpc_connections_closed_total") > 0
        assert peak.mb - before < 300, (before, peak.mb)
        assert ratio <= 2, ratio
        wait_until(lambda process=process: at_rest(process), "the calls to be gone", 15)


def untaken(process, path, data, half):
    """Thousands of answers over windows of 0, through which nothing can be sent; none is ever taken."""
    head = call_headers(path)

    def burst(stop):
        with Connection(process.grpc_port, initial_window_size=0, source="127.0.0.67") as connection:
            drain(connection)
            for first in range(1, 6001, 200):
                connection.send(b"".join(frame(HEADERS, END_HEADERS, stream, head) +
                                         frame(DATA, half, stream, message(data))
                                         for stream in range(first, first + 200, 2)))
            stop.wait(20)
    return again_and_again(burst)


@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_answers_that_nobody_takes_are_bounded_and_given_up(whole, front, kind):
    names = [f"organizations/{name}" for name in ("ietf", "cncf")] * 50
    batch = contract.request("standards", "BatchGetOrganizations", names=names).SerializeToString()
    # The other asks for file_containing_symbol of the gateway's service.
    attack = untaken(front, *{"unary": (BATCH, batch, END_STREAM),
                              "stream": (REFLECT, b"\x22\x26transparency.gateway.v1.GatewayService", 0)}[kind])
    victim = Victim(front, None)
    before = resident_mb(front)
    with Peak(front) as peak:
        ratio = worst(victim, attack)
    assert peak.mb - before < 250, (before, peak.mb)
    assert ratio <= 2, ratio
    wait_until(lambda: at_rest(front), "the calls to be gone", 15)


def test_untaken_answers_of_an_open_connection_are_given_up(whole, front):
    victim = Victim(front, None)
    stop = threading.Event()
    names = ["organizations/ietf"] * 100
    batch = contract.request("standards", "BatchGetOrganizations", names=names).SerializeToString()
    thread = threading.Thread(target=untaken(front, BATCH, batch, END_STREAM), args=(stop,))
    thread.start()
    try:
        wait_until(lambda: front.metric("rpc_calls_running") > 50, "answers to pile up", 15)
        wait_until(lambda: at_rest(front), "untaken answers to be given up", 15)
        assert victim.call() < 2000
    finally:
        stop.set()
        thread.join()


# What a block of headers may be made of: long literals, and fields of one byte each, which refer to one before.
PIECES = {
    "literals": (b"", (b"\x00\x03abc\x7f\x81\x7e" + b"x" * 16381)[:16384]),
    "references": (b"\x40\x01a\x01b", b"\xbe" * 16384),
}


def endless_headers(process, kind):
    """Header blocks that go on for ever."""
    first, piece = PIECES[kind]

    def burst(stop):
        with Connection(process.grpc_port, source="127.0.0.68") as connection:
            drain(connection)
            connection.send(frame(HEADERS, 0, 1, call_headers(GET) + first))
            for _ in range(2000):
                if stop.is_set():
                    return
                connection.send(frame(CONTINUATION, 0, 1, piece))
    return again_and_again(burst)


@pytest.mark.parametrize("kind", PIECES)
def test_headers_without_end_are_cut_off(whole, front, kind):
    victim = Victim(front, None)
    for process in (front, whole.owners["standards"]):
        before = resident_mb(process)
        with Peak(process) as peak:
            ratio = worst(victim, endless_headers(process, kind))
        assert peak.mb - before < 60, (before, peak.mb)
        assert ratio <= 2, ratio
        assert process.popen.poll() is None, process.tail()


def crowded_calls(process):
    """Calls with as many fields as fit, one block after another; nothing of their ends is taken."""
    block = call_headers(GET) + b"\x40\x01a\x01b" + b"\xbe" * 240

    def burst(stop):
        with Connection(process.grpc_port, initial_window_size=0, source="127.0.0.69") as connection:
            for stream in range(1, 40_001, 2):
                if stop.is_set():
                    return
                connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))
    return again_and_again(burst)


def test_calls_with_many_fields_are_bounded(whole, front):
    victim = Victim(front, None)
    for process in (front, whole.owners["standards"]):
        before = resident_mb(process)
        with Peak(process) as peak:
            ratio = worst(victim, crowded_calls(process))
        assert peak.mb - before < 250, (before, peak.mb)
        assert ratio <= 2, ratio
        wait_until(lambda process=process: at_rest(process), "the calls to be gone", 15)


def test_half_open_blocks_on_many_connections_are_bounded(whole, front):
    """As many connections as one address may have, each with as many fields of one byte as a block may have."""
    block = call_headers(GET) + b"\x40\x01a\x01b" + b"\xbe" * 240
    for process in (front, whole.owners["standards"]):
        before = resident_mb(process)
        with contextlib.ExitStack() as stack, Peak(process) as peak:
            for _ in range(1000):
                connection = stack.enter_context(Connection(process.grpc_port, source="127.0.0.72"))
                connection.send(frame(HEADERS, 0, 1, block))
            assert Victim(front, None).call() < 2000
        assert peak.mb - before < 300, (before, peak.mb)


def asking(process, kind):
    """Frames that want an answer each, as fast as they go; the answers are taken."""
    asks = {"ping": frame(PING, 0, 0, bytes(8)), "settings": frame(SETTINGS, 0, 0)}[kind] * 500

    # Each from an address of its own, for that is kept out for a while.
    source = {"ping": "127.0.0.70", "settings": "127.0.0.71"}[kind]

    def burst(stop):
        with Connection(process.grpc_port, source=source) as connection:
            drain(connection)
            while not stop.is_set():
                connection.send(asks)
    return again_and_again(burst)


@pytest.mark.parametrize("kind", ["ping", "settings"])
def test_whoever_asks_for_answers_without_end_is_cut_off(whole, front, kind):
    victim = Victim(front, None)
    for process in (front, whole.owners["standards"]):
        before = resident_mb(process)
        closed = process.metric("grpc_connections_closed_total", cause="pings")
        with Peak(process) as peak:
            ratio = worst(victim, asking(process, kind))
        assert process.metric("grpc_connections_closed_total", cause="pings") > closed
        assert peak.mb - before < 60, (before, peak.mb)
        assert ratio <= 2, ratio


def test_whoever_sends_much_and_is_answered_is_no_attacker(whole, front):
    """Fifty requests of nearly 1 MiB at once over one connection, three times as many bytes as may go unanswered."""
    request = contract.request("standards", "GetOrganization", name="organizations/" + "x" * 900_000).SerializeToString()
    for process in (front, whole.owners["standards"]):
        before = process.metric("grpc_connections_closed_total")
        with clients.channel(process) as channel:
            calls = [channel.unary_unary(contract.path("standards", "GetOrganization")).future(request, timeout=60)
                     for _ in range(50)]
            assert {call.code() for call in calls} <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
        assert process.metric("grpc_connections_closed_total") == before


def test_pages_that_nobody_reads_take_no_memory(front):
    """The API's description is half a megabyte; hundreds of clients ask for it and read nothing of it."""
    before = resident_mb(front)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.ExitStack() as stack, Peak(front) as peak:
        for number in range(900):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.bind((f"127.0.1.{1 + number % 9}", 0))
            client.connect(("127.0.0.1", front.http_port))
            client.sendall(request)
        assert Http(front.http_port).call("GET", "/healthz")[0] == 200
    assert peak.mb - before < 60, (before, peak.mb)


ENDLESS = {"trailers": (b"0\r\n", b"x: y\r\n" * 2730), "one trailer": (b"0\r\nx: ", b"x" * 16384),
           "extension": (b"1;", b"x" * 16384), "empty lines": (b"", b"\r\n" * 8192)}


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_frames_a_body_is_bounded(front, method, kind):
    begin, piece = ENDLESS[kind]
    before = resident_mb(front)
    head = f"{method} /standards/v1/organizations/ietf HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Peak(front) as peak, socket.create_connection(("127.0.0.1", front.http_port), timeout=10) as client:
        client.sendall((head.encode() if begin else b"") + begin)
        answer = b"HTTP/1.1 400"
        with contextlib.suppress(OSError):
            for _ in range(20_000):
                client.sendall(piece)
            answer = client.recv(12)
        assert answer == b"HTTP/1.1 400"
    assert peak.mb - before < 40, (before, peak.mb)
    assert Http(front.http_port).call("GET", "/healthz")[0] == 200
