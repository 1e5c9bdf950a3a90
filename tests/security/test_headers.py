"""Headers, paths and sizes that a client library would not send: refused or dropped, on every port."""

import random
import struct

import grpc
import pytest

import clients
import contract
from http2 import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Connection, call_headers, fields,
                   frame, message)
from suite import Http

LIST = "/transparency.standards.v1.StandardsService/ListOrganizations"
OVERVIEW = "/transparency.gateway.v1.GatewayService/GetOverview"
ODD = [("abc", "a\tb"), ("abc", b"\xc3\xa9"), ("abc", b"\x01"), ("abc", b"\x7f"), ("abc", b"\x00"), ("Abc", "x"),
       ("a b", "x"), ("a\tb", "x"), (b"\xc3\xa9", "x"), ("", "x"), ("abc", b"a\r\nb: c"), ("abc-bin", "not base64!"),
       ("x-request-id", b"\xff"), ("authorization", b"Bearer \xc3\xa9"), ("traceparent", b"\x01"),
       ("x-min-revision", b"\t"), ("x-goog-fieldmask", b"\x80"), ("grpc-timeout", "99999999999999999999S"),
       ("grpc-timeout", "x"), ("grpc-encoding", "none such"), ("x-client-address", b"\xff"), ("te", "gzip")]
PATHS = ["/", "", "x", "/a", "/transparency.standards.v1.StandardsService/", "/transparency.standards.v1./\t",
         b"/transparency.standards.v1.\xc3\xa9/X", "/transparency.standards.v1.X/" + "y" * 4000,
         b"/transparency.standards.v1.X/\x01", "/transparency.standards.v1.X/a b", "*"]


def end_of(connection, stream):
    """How the peer ended a stream: its trailers' bytes, or the kind of frame that ended it; None when it ended all."""
    for kind, flags, number, payload in connection.frames():
        if kind == HEADERS and number == stream and flags & END_STREAM:
            return payload
        if kind == RST_STREAM and number == stream:
            return RST_STREAM
        if kind == GOAWAY:
            return GOAWAY
    return None


def ports(whole):
    return [whole.front, *whole.owners.values()]


@pytest.mark.parametrize("name,value", ODD, ids=repr)
def test_no_header_ends_a_process(whole, front, name, value):
    for process in ports(whole):
        for path in (LIST, OVERVIEW):
            with Connection(process.grpc_port) as connection:
                connection.call(1, path, b"", (name, value))
                end_of(connection, 1)
        assert process.popen.poll() is None, process.tail()
    assert Http(front.http_port).call("GET", "/standards/v1/organizations/ietf")[0] == 200


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:40])
def test_no_path_ends_a_process(whole, front, path):
    for process in ports(whole):
        with Connection(process.grpc_port) as connection:
            connection.call(1, path)
            end_of(connection, 1)
        assert process.popen.poll() is None, process.tail()
    assert front.probe("/readyz") == 200


def test_random_headers_end_no_process(whole, front):
    """Some thousand calls with headers of random bytes, each on its own stream."""
    rng = random.Random(7)
    known = ["authorization", "traceparent", "tracestate", "x-request-id", "x-min-revision", "x-goog-fieldmask",
             "x-client-address", "x-gateway-token", "x-seen-revision", "grpc-timeout", "grpc-encoding", "abc-bin"]

    def text(most):
        return bytes(rng.randrange(256) for _ in range(rng.randrange(most)))
    for _ in range(100):
        process = rng.choice(ports(whole))
        with Connection(process.grpc_port) as connection:
            for stream in range(1, 61, 2):
                more = [(rng.choice(known) if rng.random() < 0.7 else text(12), text(40))
                        for _ in range(rng.randrange(4))]
                path = LIST if rng.random() < 0.8 else b"/transparency.standards.v1." + text(20)
                try:
                    connection.call(stream, path, b"", *more)
                except ConnectionError:
                    break
            end_of(connection, 59)
        assert process.popen.poll() is None, process.tail()


def test_a_header_of_other_bytes_is_refused_by_name(whole, front):
    del whole
    with Connection(front.grpc_port) as connection:
        connection.call(1, LIST, b"", ("x-min-revision", b"standards=\x01"))
        trailers = end_of(connection, 1)
    assert b"x-min-revision" in trailers, trailers


def test_every_size_of_header_has_an_answer_and_harms_nobody(whole, front):
    """Neither at the gateway nor behind it does a size end a connection that others use."""
    channel = clients.channel(front)
    ietf = contract.request("standards", "GetOrganization", name="organizations/ietf").SerializeToString()
    get = channel.unary_unary(contract.path("standards", "GetOrganization"))
    watch = channel.unary_stream("/transparency.standards.v1.StandardsJournalService/WatchChanges")
    # A stream at the same owner, which must outlive all of this.
    beside = watch(b"", timeout=300)
    seen = set()
    for size in range(1000, 17_400, 97):
        try:
            get(ietf, metadata=[("x-anything", "a" * size)], timeout=10)
            code = "OK"
        except grpc.RpcError as error:
            code = f"{error.code().name} {clients.reason(error)}"
        assert code in ("OK", "INVALID_ARGUMENT LIMIT_EXCEEDED"), (size, code)
        seen.add(code)
        try:
            get(ietf, metadata=[("authorization", "Bearer " + "a" * size)], timeout=10)
            raise AssertionError("no such token")
        except grpc.RpcError as error:
            code = f"{error.code().name} {clients.reason(error)}"
        assert code in ("UNAUTHENTICATED TOKEN_UNKNOWN", "INVALID_ARGUMENT LIMIT_EXCEEDED"), (size, code)
        status, _, body = Http(front.http_port).call(
            "GET", "/standards/v1/organizations/ietf", headers={"Authorization": "Bearer " + "a" * size})
        assert status in (400, 401, 431), (size, status)
        assert body["error"]["details"], (size, body)
    assert seen == {"OK", "INVALID_ARGUMENT LIMIT_EXCEEDED"}
    assert beside.is_active()
    beside.cancel()


def test_frames_that_are_no_grpc_end_no_process(whole, front):
    """Messages cut short, lengths that lie, and frames of a stream that is over."""
    bodies = [b"", b"\0", message(b"x")[:4], struct.pack(">BI", 0, 0xFFFFFFFF) + b"x", struct.pack(">BI", 1, 1) + b"x",
              struct.pack(">BI", 255, 0), message() + message()]
    for process in ports(whole):
        for body in bodies:
            with Connection(process.grpc_port) as connection:
                connection.send(frame(HEADERS, END_HEADERS, 1, call_headers(LIST)) +
                                frame(DATA, END_STREAM, 1, body))
                end_of(connection, 1)
        with Connection(process.grpc_port) as connection:
            connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, fields([(":method", "GET"), (":path", "/")])))
            end_of(connection, 1)
        assert process.popen.poll() is None, process.tail()
    assert front.probe("/readyz") == 200
