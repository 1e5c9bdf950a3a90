"""One caller gets at most a quarter of what all share; the others notice little."""

import contextlib
import threading

import grpc
import pytest

import clients
import contract
from http2 import (DATA, END_HEADERS, END_STREAM, HEADERS, REFLECT, Connection, call_headers, drain, frame,
                   message)
from suite import wait_until

GET = "/transparency.standards.v1.StandardsService/GetOrganization"
WATCH = "/transparency.standards.v1.StandardsJournalService/WatchChanges"


def reason_of(call, *arguments, **named):
    try:
        call(*arguments, **named)
        return "OK"
    except grpc.RpcError as error:
        return clients.reason(error)


@contextlib.contextmanager
def streams(process, path, count, source, *more):
    """Opens streams on one connection of an address, without reading them."""
    with Connection(process.grpc_port, source=source) as connection:
        head = call_headers(path, *more)
        for first in range(1, 2 * count, 200):
            connection.send(b"".join(
                frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, message())
                for stream in range(first, min(first + 200, 2 * count), 2)))
        reader = threading.Thread(target=lambda: [None for _ in connection.frames()], daemon=True)
        reader.start()
        yield connection


def first_of_watch(process, token=None):
    """Whether a watch of somebody else is let in."""
    channel = clients.channel(process)
    with contextlib.closing(channel):
        call = channel.unary_stream(WATCH)(b"", metadata=clients.bearer(token), timeout=20)
        try:
            call.initial_metadata()
            return call.is_active()
        finally:
            call.cancel()


def test_watches_of_one_address_leave_room_for_others(suite):
    standards = suite.service("standards", "--max_streams=400")
    suite.seed("standards", standards)
    with streams(standards, WATCH, 150, "127.0.0.70"):
        wait_until(lambda: standards.metric("rpc_calls_running") >= 100, "the watches to be open")
        assert standards.metric("rpc_calls_running") <= 101
        assert first_of_watch(standards)
    wait_until(lambda: standards.metric("rpc_calls_running") == 0, "the watches to end")


def test_the_gateway_tells_whose_share_it_is(suite):
    """Two addresses behind one gateway have two shares at the owner; forging another does not help."""
    standards = suite.service("standards", "--max_streams=400")
    suite.seed("standards", standards)
    front = suite.gateway("--max_streams=4000", standards=standards)
    forged = ("x-client-address", "192.0.2.1")
    with streams(front, WATCH, 150, "127.0.0.71", forged):
        wait_until(lambda: standards.metric("rpc_calls_running") >= 100, "the watches to be open")
        assert standards.metric("rpc_calls_running") <= 101
        assert first_of_watch(front)
    wait_until(lambda: standards.metric("rpc_calls_running") == 0, "the watches to end")


def test_a_caller_with_a_name_has_a_share_of_its_own(suite):
    standards = suite.service("standards", "--max_streams=40")
    suite.seed("standards", standards)
    with streams(standards, WATCH, 30, "127.0.0.1"):
        wait_until(lambda: standards.metric("rpc_calls_running") >= 10, "the watches to be open")
        channel = clients.channel(standards)
        with contextlib.closing(channel):
            watch = channel.unary_stream(WATCH)
            with pytest.raises(grpc.RpcError) as refused:
                next(watch(b"", timeout=20))
            assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            found = clients.details(refused.value)
            assert found["ErrorInfo"].reason == "OVERLOADED"
            assert found["RetryInfo"].retry_delay.nanos > 0
            assert "10" in found["QuotaFailure"].violations[0].description
        assert first_of_watch(standards, suite.alice)


def test_waits_for_a_revision_leave_room_for_others(whole):
    standards = whole.owners["standards"]
    ietf = contract.request("standards", "GetOrganization", name="organizations/ietf").SerializeToString()
    ahead = ("x-min-revision", "standards=99999999.00000000")
    with Connection(standards.grpc_port, source="127.0.0.72") as greedy:
        head = call_headers(GET, ahead)
        greedy.send(b"".join(frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, message(ietf))
                             for stream in range(1, 1400, 2)))
        wait_until(lambda: standards.metric("rpc_calls_running") >= 200, "calls to wait")
        channel = clients.channel(standards)
        with contextlib.closing(channel):
            head = channel.unary_unary(GET).with_call(ietf, timeout=5)[1]
            mine = dict(head.initial_metadata())["x-revision"]
            assert reason_of(channel.unary_unary(GET), ietf, metadata=[("x-min-revision", mine)], timeout=5) == "OK"
            got = reason_of(channel.unary_unary(GET), ietf, metadata=[ahead], timeout=10)
            assert got == "REVISION_ABOVE_HEAD"


def test_what_the_gateway_alone_may_say_is_not_believed_of_others(whole):
    """x-seen-revision holds no call of a stranger back."""
    standards = whole.owners["standards"]
    ietf = contract.request("standards", "GetOrganization", name="organizations/ietf").SerializeToString()
    channel = clients.channel(standards)
    with contextlib.closing(channel):
        get = channel.unary_unary(GET)
        # It would be held for a second.
        get(ietf, metadata=[("x-seen-revision", "99999999.00000000")], timeout=0.8)


def hold_answers(process, path, data, end, source, stop):
    """Asks for long answers, few enough to be let, and takes nothing of them; again when it is cut off."""
    call = call_headers(path)
    while not stop.is_set():
        with contextlib.suppress(OSError), \
                Connection(process.grpc_port, initial_window_size=0, source=source) as connection:
            drained = drain(connection)
            for stream in range(1, 801, 2):
                connection.send(frame(HEADERS, END_HEADERS, stream, call) + frame(DATA, end, stream, message(data)))
            while drained.is_alive() and not stop.wait(0.1):
                pass


def test_a_change_is_never_told_as_refused_for_want_of_room_for_its_answer(whole, front):
    """Strangers at six addresses hold all the bytes of answers that there may be."""
    channel = clients.channel(front)
    get = channel.unary_unary(GET)
    create = channel.unary_unary("/transparency.standards.v1.StandardsService/CreateOrganization")

    def change(organization):
        request = contract.request(
            "standards", "CreateOrganization", organization_id=organization, organization={
                "display_name": organization, "other_names": [f"{i} {organization} " + "é" * 250 for i in range(50)]})
        return reason_of(create, request.SerializeToString(), metadata=clients.bearer(whole.staff), timeout=20)
    assert change("roomy") == "OK"
    read = contract.request("standards", "GetOrganization", name="organizations/roomy").SerializeToString()
    # file_containing_symbol of the gateway's service.
    question = b"\x22\x26transparency.gateway.v1.GatewayService"
    stop = threading.Event()
    holders = [threading.Thread(target=hold_answers, args=(front, *asked, f"127.0.0.{80 + i}", stop))
               for i, asked in enumerate([(REFLECT, question, 0)] * 5 + [(GET, read, END_STREAM)])]
    for holder in holders:
        holder.start()
    try:
        wait_until(lambda: reason_of(get, read, timeout=20) == "OVERLOADED", "no room", 60)
        told = {change(f"roomless-{i}") for i in range(10)}
        assert told <= {"OK", "OUTCOME_UNKNOWN"}, told
    finally:
        stop.set()
        for holder in holders:
            holder.join()
        channel.close()
