"""How the gateway asks for an answer across its owners: all at once, and no longer than the caller waits."""

import contextlib
import subprocess
import threading
import types

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

import contract
from fake_owner import FakeOwner, fail, wait
from raw_grpc import front_of
from suite import SERVICES, wait_until

from transparency.centre.v1 import centre_pb2  # pylint: disable=import-error

PATIENCE = 30
# Longest time that an owner gets.
OWNER_TIME = 5
# What each method of the gateway asks, before it knows any answer.
ASKED = {
    "GetOverview": {"certification": ("SummarizeCertificates", "ListCertificates"),
                    "standards": ("SummarizeParticipation", "ListPublications", "ListCommitments"),
                    "centre": ("ListCentres",)},
    "Search": dict.fromkeys(SERVICES, ("SearchResources",)),
    "ListTimeline": dict.fromkeys(SERVICES, ("ListEvents",)),
}
REQUESTS = {"GetOverview": {}, "Search": {"query": "word"}, "ListTimeline": {}}
CENTRES = [f"centres/c{number}" for number in range(3)]


@pytest.fixture(name="behind")
def behind_fixture(suite):
    """A gateway before fake owners: behind(certification={method: function}, ...)."""
    with contextlib.ExitStack() as stack:
        def make(**owners):
            fakes = {name: stack.enter_context(contextlib.closing(FakeOwner(**methods)))
                     for name, methods in owners.items()}
            front, client = front_of(suite, **{name: fake.address for name, fake in fakes.items()})
            return types.SimpleNamespace(
                owners=fakes, front=front, client=client,
                calls=lambda: [call for fake in fakes.values() for call in fake.calls])
        yield make


class Together:
    """Answers calls when all of them have come, and none before."""

    def __init__(self, count):
        self.barrier = threading.Barrier(count)

    def answer(self, messages, _context, _seen):
        next(iter(messages), None)
        self.barrier.wait(PATIENCE)
        yield b""


def answer_with(message):
    def method(messages, _context, _seen):
        next(iter(messages), None)
        yield message.SerializeToString()
    return method


def centres():
    return answer_with(centre_pb2.ListCentresResponse(centres=[{"name": name} for name in CENTRES]))


def ask(behind, method):
    """The call of the gateway's method, under way."""
    return behind.client.channel.unary_unary(contract.path("gateway", method)).future(
        contract.request("gateway", method, **REQUESTS[method]).SerializeToString(), timeout=2 * PATIENCE)


@pytest.mark.parametrize("method", ASKED)
def test_owners_are_asked_at_the_same_time(behind, method):
    together = Together(sum(len(methods) for methods in ASKED[method].values()))
    made = behind(**{owner: dict.fromkeys(methods, together.answer) for owner, methods in ASKED[method].items()})
    answer = contract.answer("gateway", method, ask(made, method).result(PATIENCE))
    assert not answer.unreachable and not answer.not_configured
    assert len(made.calls()) == together.barrier.parties


def test_centres_are_asked_at_the_same_time(behind):
    together = Together(len(CENTRES))
    made = behind(centre={"ListCentres": centres(), "SearchAvailability": together.answer})
    answer = contract.answer("gateway", "GetOverview", ask(made, "GetOverview").result(PATIENCE))
    assert not answer.unreachable
    assert [entry.centre for entry in answer.centre.centres] == [f"//centre.transparency/{name}" for name in CENTRES]


def broken(code):
    """An owner's own word, which says more than a code and a message."""
    details = status_pb2.Status(code=code.value[0], message="broken")
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason="DEFECT", domain="centre.transparency"))
    return fail(code, "broken", details.SerializeToString())


def test_a_centre_that_is_gone_meanwhile_is_no_service_out_of_reach(behind):
    made = behind(centre={"ListCentres": centres(), "SearchAvailability": fail(grpc.StatusCode.NOT_FOUND, "gone")})
    answer = contract.answer("gateway", "GetOverview", ask(made, "GetOverview").result(PATIENCE))
    assert not answer.unreachable and len(answer.centre.centres) == len(CENTRES)


@pytest.mark.parametrize("method", ASKED)
def test_a_defect_of_an_owner_is_not_told_as_out_of_reach(behind, method):
    owner = {"GetOverview": "certification", "Search": "standards", "ListTimeline": "centre"}[method]
    methods = {name: dict.fromkeys(asked, broken(grpc.StatusCode.INTERNAL) if name == owner else answer_with(
        centre_pb2.ListCentresResponse())) for name, asked in ASKED[method].items()}
    made = behind(**methods)
    refusal = made.client.refused("gateway", method, **REQUESTS[method])
    assert (refusal.code, refusal.info.reason) == ("INTERNAL", "DEFECT")
    assert owner in refusal.message
    answer = made.client.call("gateway", method, **REQUESTS[method], return_partial_success=True)
    assert list(answer.unreachable) == [f"//{owner}.transparency"]


@pytest.mark.parametrize("method", ASKED)
def test_a_mask_of_the_answer_is_not_handed_on(behind, method):
    methods = {owner: dict.fromkeys(asked, answer_with(centre_pb2.ListCentresResponse()))
               for owner, asked in ASKED[method].items()}
    made = behind(**methods)
    made.client.raw(contract.path("gateway", method), contract.request("gateway", method, **REQUESTS[method])
                    .SerializeToString(), metadata=[("x-goog-fieldmask", "not_configured")])
    assert made.calls() and not any("x-goog-fieldmask" in call.metadata for call in made.calls())


def asked_and_unanswered(behind, method):
    """Owners that answer nothing, and how many calls they get; of GetOverview, up to the last ones."""
    owners = {owner: dict.fromkeys(methods, wait) for owner, methods in ASKED[method].items()}
    count = sum(len(methods) for methods in ASKED[method].values())
    if method == "GetOverview":
        owners["centre"] = {"ListCentres": centres(), "SearchAvailability": wait}
        count += len(CENTRES)
    return behind(**owners), count


def assert_cancelled(made):
    """Every call that waits has been cancelled, and not by its time running out."""
    for call in made.calls():
        assert call.cancelled.wait(PATIENCE), call.path
        assert 0.5 < call.time_left <= OWNER_TIME, (call.path, call.time_left)


@pytest.mark.parametrize("method", ASKED)
def test_a_cancelled_call_is_cancelled_at_all_owners(behind, method):
    made, count = asked_and_unanswered(behind, method)
    call = ask(made, method)
    wait_until(lambda: len(made.calls()) == count, "all owners to be asked")
    call.cancel()
    assert_cancelled(made)


@pytest.mark.parametrize("method", ASKED)
def test_a_client_of_the_json_port_that_vanishes_cancels_at_all_owners(behind, method):
    made, count = asked_and_unanswered(behind, method)
    with subprocess.Popen(["curl", "-sS", f"http://127.0.0.1:{made.front.http_port}" +
                           contract.http_get("gateway", method, **REQUESTS[method])]) as client:
        wait_until(lambda: len(made.calls()) == count, "all owners to be asked")
        client.kill()
    assert_cancelled(made)
