"""A client that opens a call, has no deadline and never sends: the process's own cap ends it."""

import contextlib
import threading

import grpc
import pytest

import contract
from clients import bearer, channel
from raw_grpc import Refusal
from suite import SERVICES, wait_until

# Of each process a method that is answered at once, one that waits its turn, and one that changes something.
METHODS = {"certification": ("GetScheme", "ListCertificates", "CreateScheme"),
           "standards": ("GetStandard", "ListStandards", "CreateStandard"),
           "centre": ("GetCentre", "ListCentres", "CreateCentre")}
PATIENCE = 60


class Silent:
    """A request stream in which nothing ever comes."""

    def __init__(self):
        self.ended = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        self.ended.wait()
        raise StopIteration


def assert_ended_by_the_cap(process, path, token, domain):
    silent = Silent()
    try:
        with contextlib.closing(channel(process)) as to:
            # One request to the process, a stream to grpcio, which else would send the message with the headers.
            call = to.stream_unary(path).future(silent, metadata=bearer(token))
            refusal = Refusal(call.exception(PATIENCE))
            assert (refusal.code, refusal.info.reason, refusal.info.domain) == (
                "DEADLINE_EXCEEDED", "DEADLINE_PASSED", domain), (path, refusal.message)
    finally:
        silent.ended.set()


def assert_nothing_runs(process):
    wait_until(lambda: process.metric("rpc_calls_running") == 0, "no call to be left")


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_without_its_message_ends(suite, service):
    process = suite.service(service, "--max_call_time=1s")
    for method in METHODS[service]:
        assert_ended_by_the_cap(process, contract.path(service, method), suite.staff, f"{service}.transparency")
    assert_nothing_runs(process)


@pytest.mark.parametrize("service, method", [
    ("gateway", "GetOverview"), ("standards", "ListStandards"), ("standards", "CreateStandard")])
def test_a_call_without_its_message_ends_at_the_gateway(suite, service, method):
    owner = suite.service("standards")
    front = suite.gateway("--max_call_time=1s", standards=owner)
    silent = Silent()
    try:
        with contextlib.closing(channel(front)) as to:
            call = to.stream_unary(contract.path(service, method)).future(silent, metadata=bearer(suite.staff))
            error = call.exception(PATIENCE)
            assert isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
    finally:
        silent.ended.set()
    assert_nothing_runs(front)
    assert_nothing_runs(owner)
