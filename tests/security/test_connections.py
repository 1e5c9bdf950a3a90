"""Connections: bounded in all and by address, never the end of a port."""

import contextlib
import http.client
import socket
import subprocess
import time

import clients
import contract
from http2 import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, WINDOW_UPDATE, Connection, call_headers,
                   frame, message)
from suite import Http, wait_until

GET = "/transparency.standards.v1.StandardsService/GetOrganization"


def answers(process):
    """Whether a new client gets an answer."""
    channel = clients.channel(process)
    with contextlib.closing(channel):
        request = contract.request("standards", "GetOrganization", name="organizations/ietf")
        channel.unary_unary(GET)(request.SerializeToString(), timeout=5, wait_for_ready=True)
    return True


def goaway(connection):
    connection.socket.settimeout(3)
    with contextlib.suppress(TimeoutError):
        for kind, _, _, payload in connection.frames():
            if kind == GOAWAY:
                return payload
        return b""  # cut off
    return None


def test_one_address_gets_a_quarter_and_the_rest_is_for_others(suite):
    standards = suite.service("standards", "--max_connections=40")
    suite.seed("standards", standards)
    with contextlib.ExitStack() as kept:
        connections = [kept.enter_context(Connection(standards.grpc_port, source="127.0.0.9")) for _ in range(13)]
        assert [goaway(connection) is None for connection in connections[:10]] == [True] * 10
        said = [goaway(connection) for connection in connections[10:]]
        assert all(b"too many connections" in payload for payload in said), said
        # Another address is served, and so is the process's own question.
        assert answers(standards)
        assert standards.probe("/readyz") == 200
        assert standards.metric("grpc_connections_refused_total", cause="share") == 3
        assert standards.metric("grpc_connections") >= 10
    wait_until(lambda: standards.metric("grpc_connections") <= 2, "the connections to be forgotten")
    with Connection(standards.grpc_port, source="127.0.0.9") as again:
        assert goaway(again) is None


def test_all_seats_taken_leaves_readiness_and_the_way_back(suite):
    standards = suite.service("standards", "--max_connections=16")
    suite.seed("standards", standards)
    with contextlib.ExitStack() as kept:
        for address in range(10, 16):
            for _ in range(4):
                kept.enter_context(Connection(standards.grpc_port, source=f"127.0.0.{address}"))
        wait_until(lambda: standards.metric("grpc_connections_refused_total", cause="full") > 0, "a refusal")
        # /readyz asks over a connection of its own, which is let in.
        assert standards.probe("/readyz") == 200
    assert wait_until(lambda: answers(standards), "the port to be back")


def test_running_out_of_descriptors_ends_no_port(suite):
    """Descriptors taken away from the running process: it accepts again as soon as there are some."""
    standards = suite.service("standards")
    suite.seed("standards", standards)
    front = suite.gateway(standards=standards)
    pid = front.popen.pid
    with contextlib.ExitStack() as kept:
        # No more than it has now, whatever its own bounds expected.
        subprocess.run(["prlimit", f"--pid={pid}", "--nofile=1:20000"], check=True)
        for _ in range(60):
            with contextlib.suppress(OSError):
                kept.enter_context(Connection(front.grpc_port))
                kept.enter_context(Connection(front.http_port, greet=False))
        wait_until(lambda: front.tail().find("no descriptor is left") >= 0, "the shortage to be told")
        subprocess.run(["prlimit", f"--pid={pid}", "--nofile=20000:20000"], check=True)
    assert wait_until(lambda: answers(front), "gRPC to be back")
    assert Http(front.http_port).call("GET", "/standards/v1/organizations/ietf")[0] == 200
    assert front.probe("/readyz") == 200


def test_readiness_knows_a_port_that_does_not_answer(suite):
    """With no descriptor left the gRPC port answers nobody new, and /readyz says which port it is."""
    standards = suite.service("standards")
    connection = http.client.HTTPConnection("127.0.0.1", standards.metrics_port, timeout=10)

    def readyz():
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    with contextlib.closing(connection):
        assert readyz()[0] == 200
        subprocess.run(["prlimit", f"--pid={standards.popen.pid}", "--nofile=1:20000"], check=True)
        said = wait_until(lambda: (lambda got: got[0] == 503 and got[1])(readyz()), "not to be ready")
        assert "the port of gRPC" in said, said
        subprocess.run(["prlimit", f"--pid={standards.popen.pid}", "--nofile=20000:20000"], check=True)
        wait_until(lambda: readyz()[0] == 200, "to be ready again")


def test_whoever_resets_calls_behind_their_answer_is_no_attacker(suite):
    """A proxy that has the answer before it has closed its own side ends the stream so."""
    standards = suite.service("standards")
    suite.seed("standards", standards)
    request = contract.request("standards", "GetOrganization", name="organizations/ietf").SerializeToString()
    with Connection(standards.grpc_port, source="127.0.0.21") as connection:
        connection.send(frame(WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big")))
        connection.socket.settimeout(20)
        frames = connection.frames()
        head = call_headers(GET)
        for stream in range(1, 3001, 2):
            connection.send(frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, message(request)))
            for kind, flags, number, payload in frames:
                assert kind != GOAWAY, payload
                if number == stream and kind == HEADERS and flags & END_STREAM:
                    break
            else:
                raise AssertionError(f"cut off at stream {stream}")
            connection.send(frame(RST_STREAM, 0, stream, bytes(4)))
    assert standards.metric("grpc_connections_closed_total") == 0


def test_silent_connections_end(suite):
    """Whoever greets nobody is let go after ten seconds."""
    standards = suite.service("standards")
    begun = time.monotonic()
    with Connection(standards.grpc_port, greet=False) as silent:
        silent.socket.settimeout(30)
        for _ in silent.frames():
            pass
    assert time.monotonic() - begun < 20


def test_beyond_the_loopback_is_refused_unless_told(suite):
    conninfo = suite.database("standards")
    done = suite.run("standards", "serve", "--listen=0.0.0.0:0", "--metrics_listen=127.0.0.1:0",
                     f"--database={conninfo}", check=False)
    assert done.returncode != 0 and "--insecure" in done.stderr, done.stderr
    done = suite.run("standards", "serve", "--listen=127.0.0.1:0", "--metrics_listen=0.0.0.0:0",
                     f"--database={conninfo}", check=False)
    assert done.returncode != 0 and "--insecure" in done.stderr, done.stderr
    told = suite.service("standards", "--listen=0.0.0.0:0", "--insecure")
    assert told.popen.poll() is None


def test_one_address_leaves_room_at_the_metrics_port(suite):
    process = suite.service("standards")
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(socket.socket())
            client.bind(("127.0.0.90", 0))
            client.connect(("127.0.0.1", process.metrics_port))
            client.sendall(b"G")
        assert process.page("/readyz")[0] == 200


def test_the_metrics_port_answers_no_foreign_name(suite):
    process = suite.service("standards")
    for host, status in (("evil.example", b"421"), ("evil.example:1", b"421"), ("127.0.0.1.evil.example", b"421"),
                         ("localhost", b"200"), ("127.0.0.1:7190", b"200"), ("[::1]:7190", b"200"), ("[::1]", b"200")):
        with socket.create_connection(("127.0.0.1", process.metrics_port), timeout=10) as client:
            client.sendall(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert client.makefile("rb").readline().split()[1] == status, host


def test_one_with_too_many_headers_costs_others_of_its_address_nothing(suite):
    process = suite.service("standards")
    suite.seed("standards", process)
    with Connection(process.grpc_port) as connection:
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                              call_headers(GET) + b"\x40\x01a\x01b" + b"\xbe" * 300))
        for _ in connection.frames():
            pass
    wait_until(lambda: process.metric("grpc_connections_closed_total", cause="header fields") == 1, "the end to be told")
    assert answers(process)
