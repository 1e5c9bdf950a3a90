"""What a client of the gateway is told of a call when the service behind it is lost."""

import contextlib
import secrets
import threading

import grpc
import pytest

import contract
from clients import bearer, channel, new_request_id
from fake_owner import FakeOwner
from gate import Gate
from raw_grpc import RawClient, Refusal, front_of
from suite import Http, free_port, psql, wait_until
from table_lock import TableLock

PATIENCE = 60
# More than all else that an owner sends.
HEADER = secrets.token_bytes(3000)
READ = ("GetScheme", {"name": "schemes/x"}, "GET", "/certification/v1/schemes/x", None)
CHANGE = ("CreateScheme", {"scheme_id": "x", "scheme": {"title": "X"}}, "POST",
          "/certification/v1/schemes?schemeId=x", {"title": "X"})
# What the contract of this gateway does not know yet may be a change.
NEWER = "/transparency.certification.v1.NewerService/NewMethod"
UNKNOWN = ("UNKNOWN", "OUTCOME_UNKNOWN", "gateway.transparency")
UNREACHABLE = ("UNAVAILABLE", "OWNER_UNREACHABLE", "gateway.transparency")


class Held:
    """A gateway before a gate, before an owner that takes every request and answers none."""

    def __init__(self, suite, headers_first):
        self.taken = threading.Event()
        self.headers_first = headers_first
        self.owner = FakeOwner(**dict.fromkeys(("GetScheme", "CreateScheme", "NewMethod"), self.take))
        self.gate = Gate(free_port(), self.owner.address)
        self.front, self.client = front_of(suite, certification=self.gate.address)
        self.web = Http(self.front.http_port, suite.staff)

    def take(self, messages, context, seen):
        next(iter(messages), None)
        if self.headers_first:
            context.send_initial_metadata((("x-owner-bin", HEADER),))
        self.taken.set()
        seen.cancelled.wait(PATIENCE)
        return
        yield  # pylint: disable=unreachable

    def lose(self):
        """The owner is gone, with the request that it has taken."""
        assert self.taken.wait(PATIENCE)
        if self.headers_first:
            wait_until(lambda: self.gate.passed_back > len(HEADER), "the headers to be through the gate")
        self.gate.shut()

    def lost_call(self, path, data):
        """How a call ends that the owner took."""
        call = self.client.channel.unary_unary(path).future(data, timeout=PATIENCE)
        self.lose()
        error = call.exception(PATIENCE)
        assert error is not None, call.result()
        return Refusal(error)

    def lost_exchange(self, verb, target, body):
        answers = []
        caller = threading.Thread(target=lambda: answers.append(self.web.call(verb, target, body)))
        caller.start()
        self.lose()
        caller.join(PATIENCE)
        return answers[0]

    def close(self):
        self.gate.close()
        self.owner.close()


@pytest.fixture(name="held")
def held_fixture(suite):
    with contextlib.ExitStack() as stack:
        def make(headers_first=False):
            return stack.enter_context(contextlib.closing(Held(suite, headers_first)))
        yield make


def said(refusal):
    assert refusal.info is not None, (refusal.code, refusal.message)
    return refusal.code, refusal.info.reason, refusal.info.domain


def encoded(method, fields):
    return (contract.path("certification", method),
            contract.request("certification", method, **fields).SerializeToString())


def assert_json_says(answer, http_status, expected):
    status, _, body = answer
    assert status == http_status, body
    info, = (detail for detail in body["error"]["details"] if detail["@type"].endswith("ErrorInfo"))
    assert (body["error"]["status"], info["reason"], info["domain"]) == expected, body


WHEN = pytest.mark.parametrize("headers_first", [False, True], ids=["before any answer", "after its headers"])


@WHEN
def test_a_change_whose_owner_is_lost_may_be_done(held, headers_first):
    method, fields, *_ = CHANGE
    refusal = held(headers_first).lost_call(*encoded(method, fields))
    assert said(refusal) == UNKNOWN
    assert "RetryInfo" not in refusal.details and refusal.details["RequestInfo"].request_id


def test_a_change_over_json_whose_owner_is_lost_may_be_done(held):
    assert_json_says(held().lost_exchange(*CHANGE[2:]), 500, UNKNOWN)


def test_a_newer_method_may_be_a_change(held):
    assert said(held().lost_call(NEWER, b"")) == UNKNOWN


@WHEN
def test_a_read_whose_owner_is_lost_can_be_asked_again(held, headers_first):
    method, fields, *_ = READ
    refusal = held(headers_first).lost_call(*encoded(method, fields))
    assert said(refusal) == UNREACHABLE
    assert "RetryInfo" in refusal.details


def test_a_read_over_json_whose_owner_is_lost_can_be_asked_again(held):
    assert_json_says(held().lost_exchange(*READ[2:]), 503, UNREACHABLE)


@pytest.mark.parametrize("method, fields, verb, target, body", [READ, CHANGE], ids=["read", "change"])
def test_nobody_at_the_address(suite, method, fields, verb, target, body):
    """No request has left: a change is as surely not done as a read."""
    front, client = front_of(suite, certification=f"127.0.0.1:{free_port()}")
    refusal = client.refusal(*encoded(method, fields))
    assert said(refusal) == UNREACHABLE
    assert "RetryInfo" in refusal.details
    assert_json_says(Http(front.http_port, suite.staff).call(verb, target, body), 503, UNREACHABLE)


def test_an_unknown_outcome_is_settled_by_the_request_id(suite):
    """A service dies inside its transaction; the client does as it is told, until the service is back."""
    conninfo = suite.database("standards")
    owner = suite.service("standards")
    client = RawClient(suite.gateway(standards=owner))
    path, data = contract.path("standards", "CreateOrganization"), contract.request(
        "standards", "CreateOrganization", organization_id="o", organization={"display_name": "O"},
        request_id=new_request_id()).SerializeToString()
    table = TableLock(conninfo, "organizations")
    call = client.channel.unary_unary(path).future(
        data, metadata=bearer(suite.staff), timeout=PATIENCE)
    table.wait_until_met()
    owner.kill()
    assert said(Refusal(call.exception(PATIENCE))) == UNKNOWN
    table.release()
    # Nobody is there: what is asked now does not leave the gateway.
    wait_until(lambda: said(client.refusal(path, data, suite.staff)) == UNREACHABLE, "the gateway to have noticed")
    owner.start()

    def asked_again():
        try:
            return client.raw(path, data, suite.staff)
        except grpc.RpcError as error:
            assert said(Refusal(error)) in (UNKNOWN, UNREACHABLE)
            return None
    answer, _ = wait_until(asked_again, "the gateway to reach the service")
    assert contract.answer("standards", "CreateOrganization", answer).name == "organizations/o"
    assert client.raw(path, data, suite.staff)[0] == answer
    assert psql(conninfo, "SELECT count(*) FROM journal") == [["1"]]
    with contextlib.closing(channel(owner)) as direct:
        assert direct.unary_unary(path)(data, metadata=bearer(suite.staff), timeout=20) == answer
