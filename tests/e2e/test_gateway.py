"""The gateway's gRPC port: it passes everything through unchanged, and answers across its owners."""

import signal
import subprocess
import time

import grpc
import pytest

import contract
from clients import channel, new_request_id
from fake_owner import FakeOwner, SplitOwner, echo, fail, wait
from raw_grpc import RawClient, front_of
from suite import SERVICES, Http, free_port, wait_until

from google.protobuf import any_pb2, descriptor_pb2  # pylint: disable=ungrouped-imports
from google.rpc import error_details_pb2, status_pb2  # pylint: disable=import-error
from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc  # pylint: disable=import-error
from grpc.reflection.v1alpha import reflection_pb2 as alpha_pb2  # pylint: disable=import-error
from grpc.reflection.v1alpha import reflection_pb2_grpc as alpha_pb2_grpc  # pylint: disable=import-error

EMUI = "certificates/emui-10-eprivacyseal"
# A service that the gateway's own contract does not know; it is certification's by its package.
NEWER = "/transparency.certification.v1.NewerService/"


@pytest.fixture(name="behind")
def behind_fixture(suite):
    """A gateway before a fake owner: behind(method=function, ...) -> (owner, client of the gateway)."""
    owners = []

    def make(*flags, **methods):
        owner = FakeOwner(**methods)
        owners.append(owner)
        suite.front, client = front_of(suite, *flags, certification=owner.address)
        return owner, client
    yield make
    for owner in owners:
        owner.close()


def test_answers_are_the_owners(whole):
    direct, through = RawClient(whole.owners["certification"]), RawClient(whole.front)
    path, request = (contract.path("certification", "GetCertificate"),
                     contract.request("certification", "GetCertificate", name=EMUI).SerializeToString())
    seen = []
    for client in (direct, through):
        answer, call = client.raw(path, request, metadata=[("x-request-id", "mine-1")])
        headers = dict(call.initial_metadata())
        assert headers["x-request-id"] == "mine-1" and headers["x-current-at"]
        seen.append((answer, headers["x-revision"], sorted(headers)))
    assert seen[0] == seen[1]


def test_refusals_are_the_owners(whole):
    direct, through = RawClient(whole.owners["certification"]), RawClient(whole.front)
    for method, fields in (("GetCertificate", {"name": "certificates/none"}), ("GetCertificate", {"name": ""}),
                           ("ListCertificates", {"filter": "nope = 1"}), ("CreateScheme", {})):
        one, other = (client.refused("certification", method, **fields) for client in (direct, through))
        assert (one.code, one.message, set(one.details)) == (other.code, other.message, set(other.details))
        for name, detail in one.details.items():
            assert name == "RequestInfo" or detail == other.details[name]


def test_metadata_and_trailers_pass_both_ways(behind):
    owner, client = behind(NewMethod=echo)
    answer, call = client.raw(NEWER + "NewMethod", b"\x0a\x01x", token="t0k3n", metadata=[
        ("x-mine", "a"), ("x-mine-bin", b"\x00\x80"), ("tracestate", "k=v"), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),
        ("x-request-id", "mine-2"), ("x-min-revision", "certification=1.00000000")])
    assert answer == b"\x0a\x01x"
    seen = owner.calls[0].metadata
    assert (seen["tracestate"], seen["x-request-id"]) == ("k=v", "mine-2")
    # Owners read no others, so none is handed on; what they are told of the client is the gateway's word.
    assert "x-mine" not in seen and "x-mine-bin" not in seen
    assert seen["x-client-address"] == "127.0.0.1" and seen["x-gateway-token"]
    assert seen["authorization"] == "Bearer t0k3n" and seen["x-min-revision"] == "certification=1.00000000"
    assert seen["traceparent"].split("-")[1] == "a" * 32
    assert dict(call.initial_metadata()).get("x-owner-bin") == b"\x00\xff"
    assert dict(call.trailing_metadata())["x-trailer"] == "last"
    assert dict(call.trailing_metadata())["x-trailer-bin"] == b"\xfe\x01"


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_status_and_details_pass_unchanged(behind, code):
    details = status_pb2.Status(code=code.value[0], message="wörds")
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason="MADE_UP", domain="elsewhere", metadata={"k": "v"}))
    details.details.append(any_pb2.Any(type_url="type.googleapis.com/made.Up", value=b"\x01\xff"))
    _, client = behind(NewMethod=fail(code, "wörds", details.SerializeToString()))
    refusal = client.refusal(NEWER + "NewMethod", b"")
    assert (refusal.error.code(), refusal.message) == (code, "wörds")
    trailers = dict(refusal.error.trailing_metadata())
    assert status_pb2.Status.FromString(trailers["grpc-status-details-bin"]) == details
    assert trailers["x-why"] == "because"


def test_streams_of_all_kinds(behind):
    _, client = behind(NewStream=echo)
    messages = [bytes([n % 256]) * (n * 37) for n in range(200)]
    path = NEWER + "NewStream"
    assert list(client.channel.stream_stream(path)(iter(messages), timeout=30)) == messages
    assert list(client.channel.unary_stream(path)(b"one", timeout=30)) == [b"one"]
    assert client.channel.stream_unary(path)(iter([b"only"]), timeout=30) == b"only"
    assert list(client.channel.stream_stream(path)(iter([]), timeout=30)) == []


def test_deadline_passes(behind):
    owner, client = behind(NewMethod=wait)
    refusal = client.refusal(NEWER + "NewMethod", b"", timeout=1)
    assert refusal.code == "DEADLINE_EXCEEDED"
    assert 0 < owner.calls[0].time_remaining < 1.5
    assert owner.calls[0].cancelled.wait(10)


def test_cancelled_call_is_cancelled_below(behind):
    owner, client = behind(NewMethod=wait)
    call = client.channel.unary_unary(NEWER + "NewMethod").future(b"", timeout=60)
    assert owner.arrived.wait(20)
    call.cancel()
    assert owner.calls[0].cancelled.wait(10)


def test_client_that_vanishes_cancels_below(suite, behind):
    owner, _ = behind(NewMethod=wait)
    client = subprocess.Popen(
        ["curl", "-sS", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers",
         "--data-binary", "@-", f"http://{suite.front.address}{NEWER}NewMethod"], stdin=subprocess.PIPE)
    client.stdin.write(bytes(5))
    client.stdin.close()
    assert owner.arrived.wait(20)
    client.kill()
    client.wait()
    assert owner.calls[0].cancelled.wait(10)


def test_slow_reader_holds_the_owner_back(behind):
    """Back-pressure: an owner cannot push more than the buffers on the way hold."""
    produced = []
    chunk = b"x" * 65536

    def flood(messages, context, _):
        next(iter(messages), None)
        while context.is_active() and len(produced) < 4000:
            produced.append(1)
            yield chunk
    owner, client = behind(NewStream=flood)
    call = client.channel.unary_stream(NEWER + "NewStream")(b"", timeout=60)
    assert next(call) == chunk
    before = -1
    # It has come to a stand when it did not produce anything between two looks half a second apart.
    deadline = time.monotonic() + 30
    while len(produced) != before:
        assert time.monotonic() < deadline
        before = len(produced)
        owner.calls[0].cancelled.wait(0.5)
    assert len(produced) < 2000
    call.cancel()
    assert owner.calls[0].cancelled.wait(10)


def reflected(process, pb2, pb2_grpc):
    """(names of services, all files by name) as reflection tells them."""
    stub = pb2_grpc.ServerReflectionStub(channel(process))

    def ask(**fields):
        answer = next(stub.ServerReflectionInfo(iter([pb2.ServerReflectionRequest(**fields)]), timeout=20))
        assert not answer.HasField("error_response"), (fields, answer.error_response)
        return answer
    names = [service.name for service in ask(list_services="*").list_services_response.service]
    files = {}
    for name in names + ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]:
        for data in ask(file_containing_symbol=name).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            files[file.name] = file
    return names, files


@pytest.mark.parametrize("modules", [(reflection_pb2, reflection_pb2_grpc), (alpha_pb2, alpha_pb2_grpc)],
                         ids=["v1", "v1alpha"])
def test_reflection(whole, modules):
    names, files = reflected(whole.front, *modules)
    assert {service.full_name for service in contract.SERVICES.values()} <= set(names)
    assert "grpc.health.v1.Health" in names
    for service, descriptor in contract.SERVICES.items():
        assert any(f.source_code_info.location for name, f in files.items() if f"/{service}/v1/" in name)
        if service != "gateway":
            own, _ = reflected(whole.owners[service], *modules)
            assert descriptor.full_name in own
            assert not {d.full_name for d in contract.SERVICES.values()} - {descriptor.full_name} & set(own) - set(names)
    declared = {f"{f.package}.{s.name}" for f in files.values() for s in f.service}
    assert {service.full_name for service in contract.SERVICES.values()} <= declared


@pytest.fixture(name="three")
def three_fixture(suite):
    """Three owners and a gateway of its own, to be broken."""
    suite.owners = {name: suite.service(name) for name in SERVICES}
    suite.front = suite.gateway(**suite.owners)
    suite.client = RawClient(suite.front)
    return suite


def overview(suite, timeout=20, **fields):
    data, _ = suite.client.raw(contract.path("gateway", "GetOverview"),
                               contract.request("gateway", "GetOverview", **fields).SerializeToString(),
                               timeout=timeout)
    return contract.answer("gateway", "GetOverview", data)


def assert_no_overview(suite, owners, timeout=20, **fields):
    refusal = suite.client.refusal(contract.path("gateway", "GetOverview"),
                                   contract.request("gateway", "GetOverview", **fields).SerializeToString(),
                                   timeout=timeout)
    assert (refusal.code, refusal.info.reason, refusal.info.domain) == (
        "UNAVAILABLE", "OWNER_UNREACHABLE", "gateway.transparency")
    for owner in owners:
        assert owner in refusal.message + str(refusal.info)


def test_overview_without_some_owners(three):
    answer = overview(three)
    assert not answer.unreachable and not answer.not_configured
    assert answer.HasField("certification") and answer.HasField("standards") and answer.HasField("centre")
    three.owners["standards"].kill()
    answer = overview(three, return_partial_success=True)
    assert list(answer.unreachable) == ["//standards.transparency"]
    assert answer.HasField("certification") and answer.HasField("centre") and not answer.HasField("standards")
    assert_no_overview(three, ["standards"])
    web = Http(three.front.http_port)
    status, _, body = web.call("GET", "/gateway/v1/overview")
    assert status == 503 and body["error"]["status"] == "UNAVAILABLE"
    status, _, body = web.call("GET", "/gateway/v1/overview?returnPartialSuccess=true")
    assert status == 200 and body["unreachable"] == ["//standards.transparency"]
    three.owners["certification"].kill()
    three.owners["centre"].kill()
    for partial in (True, False):
        assert_no_overview(three, [], return_partial_success=partial)
    assert three.front.popen.poll() is None


def test_frozen_owner_delays_no_longer_than_the_deadline(three):
    overview(three)
    three.owners["centre"].signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        answer = overview(three, timeout=3, return_partial_success=True)
        assert list(answer.unreachable) == ["//centre.transparency"]
        assert time.monotonic() - started < 3
        assert_no_overview(three, ["centre"], timeout=3)
        refusal = three.client.refusal(contract.path("centre", "ListCentres"), b"", timeout=1)
        assert refusal.code == "DEADLINE_EXCEEDED"
    finally:
        three.owners["centre"].signal(signal.SIGCONT)
    wait_until(lambda: not overview(three, return_partial_success=True).unreachable, "the owner to be back")


def test_owner_that_comes_back_is_found(three):
    three.owners["standards"].stop()
    refusal = three.client.refused("standards", "ListStandards")
    assert (refusal.code, refusal.info.domain) == ("UNAVAILABLE", "gateway.transparency")
    three.owners["standards"].start()
    wait_until(lambda: not overview(three, return_partial_success=True).unreachable, "the owner to be back")
    three.client.call("standards", "ListStandards")


def test_what_is_not_configured(suite):
    owner = suite.service("standards")
    suite.client = RawClient(suite.gateway(standards=owner))
    answer = overview(suite)
    assert list(answer.not_configured) == ["//centre.transparency", "//certification.transparency"] or set(
        answer.not_configured) == {"//centre.transparency", "//certification.transparency"}
    assert not answer.unreachable and answer.HasField("standards")
    refusal = suite.client.refused("centre", "ListCentres")
    assert (refusal.code, refusal.info.reason) == ("UNIMPLEMENTED", "METHOD_UNKNOWN")


def test_answers_across_owners_name_their_revisions(whole):
    _, call = RawClient(whole.front).raw(contract.path("gateway", "GetOverview"), b"")
    values = ",".join(v for k, v in call.initial_metadata() if k == "x-revision")
    assert sorted(part.strip().split("=")[0] for part in values.split(",")) == sorted(SERVICES)


def test_clients_read_what_they_wrote(suite):
    """Writes go to one replica, reads to another that lags: the gateway tells it what it has seen."""
    split = SplitOwner(suite.service("standards"), suite.service("standards"))
    try:
        front, client = front_of(suite, standards=split.address)
        web = Http(front.http_port, suite.staff)
        for number in range(20):
            client.call("standards", "CreateOrganization", suite.staff, organization_id=f"o{number}",
                        organization={"display_name": "O"}, request_id=new_request_id())
            assert client.call("standards", "GetOrganization", name=f"organizations/o{number}").name
            status, _, body = web.call("POST", f"/standards/v1/organizations?organizationId=w{number}",
                                       {"displayName": "W"})
            assert status == 200, body
            status, _, body = web.call("GET", f"/standards/v1/organizations/w{number}")
            assert status == 200, body
        assert "x-seen-revision" in split.calls[-1].metadata
        # A client that says so itself is not overruled.
        client.raw(contract.path("standards", "ListStandards"), b"",
                   metadata=[("x-min-revision", f"standards={split.calls[-1].metadata['x-seen-revision']}")])
    finally:
        split.close()


def test_reads_are_tried_again_and_writes_are_not(behind):
    attempts = []

    def once_away(messages, context, seen):
        next(iter(messages), None)
        attempts.append(seen.path)
        if len(attempts) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        yield b""
    owner, client = behind(GetCertificate=once_away, CreateCertificate=fail(grpc.StatusCode.UNAVAILABLE, "away"))
    client.call("certification", "GetCertificate", name=EMUI)
    assert len(attempts) == 2
    calls = len(owner.calls)
    # Not tried again, and without a word of the owner's own nobody knows whether it was done.
    assert client.refused("certification", "CreateCertificate").code == "UNKNOWN"
    assert len(owner.calls) == calls + 1


def test_no_owner_at_the_address(suite):
    _, client = front_of(suite, certification=f"127.0.0.1:{free_port()}")
    refusal = client.refused("certification", "GetCertificate", name=EMUI)
    assert (refusal.code, refusal.info.reason, refusal.info.domain) == (
        "UNAVAILABLE", "OWNER_UNREACHABLE", "gateway.transparency")


def test_message_over_the_transports_own_limit(behind):
    """Larger than any service takes: refused on the way, and nothing of the call is left below."""
    owner, client = behind(GetCertificate=wait)
    refusal = client.refusal(contract.path("certification", "GetCertificate"), bytes(8_000_000), timeout=60)
    assert refusal.code == "RESOURCE_EXHAUSTED", refusal.message
    assert owner.arrived.wait(20) and owner.calls[0].cancelled.wait(10)
