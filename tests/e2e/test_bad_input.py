"""Bad input to the gRPC ports gets one clear error that names the field and changes nothing."""

import queue
import socket
import subprocess

import grpc
import pytest

import contract
from clients import channel, details
from raw_grpc import RawClient, Refusal
from suite import ROOT, SERVICES, psql

MOST_BYTES = 4096
UUID = "11111111-1111-4111-8111-111111111111"
EMUI = "certificates/emui-10-eprivacyseal"


@pytest.fixture(name="world", scope="module")
def world_fixture(whole):
    """All processes; connections to each that began to speak when the module did and never go on."""
    whole.raw = {"gateway": RawClient(whole.front)}
    whole.raw.update({name: RawClient(process) for name, process in whole.owners.items()})
    halves = (b"", b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\xff\4\0\0\0\0\0")
    slow = [open_and_say(process.grpc_port, said) for process in whole.processes for said in halves]
    yield whole
    for connection in slow:
        connection.close()


def open_and_say(port, said):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(said)
    return connection


@pytest.fixture(name="unchanged", autouse=True)
def unchanged_fixture(world):
    """Whatever the test sends: no journal grows, every process lives and is ready."""
    def heads():
        return {name: psql(world.database(name), "SELECT max(revision) FROM journal") for name in SERVICES}
    before = heads()
    yield
    assert heads() == before
    for process in world.processes:
        assert process.popen.poll() is None, f"{process.name} ended:\n{process.tail()}"
        assert process.probe("/readyz") == 200


def assert_clear(refusal, code, reason, field, domain):
    assert refusal.code == code, (refusal.code, refusal.message)
    assert refusal.info is not None, refusal.message
    assert reason is None or refusal.info.reason == reason, (refusal.info, refusal.message)
    assert refusal.info.reason and refusal.info.domain == f"{domain}.transparency"
    assert refusal.size <= MOST_BYTES
    assert refusal.message and refusal.details["RequestInfo"].request_id
    if field:
        assert field in refusal.fields, (refusal.fields, refusal.message)
    for leak in ("SELECT", "INSERT", "/tmp/", str(ROOT), "sqlstate", "terminate called"):
        assert leak not in refusal.message


def message(service, method, **fields):
    return service, method, contract.request(service, method, **fields).SerializeToString()


def scheme(**fields):
    return message("certification", "CreateScheme", **{"scheme_id": "new", "scheme": {"title": "New"}, **fields})


def get(name):
    return message("certification", "GetCertificate", name=name)


def listed(**fields):
    return message("certification", "ListCertificates", **fields)


def space(**fields):
    return message("centre", "CreateSpace", parent="centres/brussels", space_id="new",
                   space={"display_name": "New", "category": 1, "occupancy": 1, "capacity": 1, **fields})


def organization(**fields):
    return message("standards", "CreateOrganization", organization_id="new",
                   organization={"display_name": "New", "kind": 1, **fields})


INVALID = ("INVALID_ARGUMENT", "INVALID_FIELDS")
MALFORMED = ("INVALID_ARGUMENT", "MALFORMED_REQUEST")
QUERY = ("INVALID_ARGUMENT", "QUERY_INVALID")
TOKEN = ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")

# By name: (service, method, bytes), (code, reason), a field that must be named or None where there is none to name.
CASES = {
    "no protobuf": (("certification", "GetCertificate", b"\xff\xff\xff\xff"), MALFORMED, None),
    "truncated field": (("certification", "GetCertificate", b"\x0a\x10abc"), MALFORMED, None),
    "unclosed groups": (("standards", "ListStandards", b"\x0b" * 200), MALFORMED, None),
    "unknown groups, deeply nested": (("standards", "ListStandards", b"\xa3\x06" * 5000 + b"\xa4\x06" * 5000),
                                      MALFORMED, None),
    "endless varint": (("centre", "ListCentres", b"\x08" + b"\xff" * 12), MALFORMED, None),
    "field number 0": (("centre", "ListCentres", b"\x00\x01"), MALFORMED, None),
    "text not UTF-8": (("certification", "GetCertificate", b"\x0a\x03a\xff\xfe"), INVALID, "name"),
    "nested text not UTF-8": (("certification", "CreateScheme", b"\x0a\x01n\x12\x04\x52\x02\xc3\x28"), INVALID,
                              "scheme.title"),
    "empty message": (("certification", "GetCertificate", b""), INVALID, "name"),
    "no resource": (message("certification", "CreateScheme", scheme_id="x"), INVALID, "scheme"),
    "required text empty": (scheme(scheme={"title": ""}), INVALID, "scheme.title"),
    "required text of an element empty": (scheme(scheme={"title": "T", "levels": [{"code": "A"}, {}]}), INVALID,
                                          "scheme.levels[1].code"),
    "enum number unknown": (scheme(scheme={"title": "T", "topics": [99]}), INVALID, "scheme.topics[0]"),
    "enum unspecified": (space(category=0), INVALID, "space.category"),
    "text too long": (scheme(scheme={"title": "t" * 100000}), INVALID, "scheme.title"),
    "text with a control character": (scheme(scheme={"title": "a\0b"}), INVALID, "scheme.title"),
    "too many elements": (scheme(scheme={"title": "T", "levels": [{"code": f"L{n}"} for n in range(5000)]}),
                          INVALID, "scheme.levels"),
    "country": (organization(country="be"), INVALID, "organization.country"),
    "time zone": (scheme(scheme={"title": "T", "time_zone": "Mars/Base"}), INVALID, "scheme.time_zone"),
    "date": (message("certification", "SummarizeCertificates", as_of={"year": 2024, "month": 2, "day": 30}),
             INVALID, "as_of"),
    "capacity": (space(capacity=-1), INVALID, "space.capacity"),
    "duration out of range": (space(set_up_time={"seconds": 2**62}), INVALID, "space.set_up_time"),
    "duration of two signs": (space(set_up_time={"seconds": 1, "nanos": -5}), INVALID, "space.set_up_time"),
    "timestamp out of range": (message("centre", "SearchAvailability", centre="centres/brussels", purpose=1,
                                       party_size=1, duration={"seconds": 3600}, start_time={"seconds": 2**60}),
                               INVALID, "start_time"),
    "id with capitals": (scheme(scheme_id="New"), INVALID, "scheme_id"),
    "id too long": (scheme(scheme_id="a" * 64), INVALID, "scheme_id"),
    "id with a slash": (scheme(scheme_id="a/b"), INVALID, "scheme_id"),
    "id ending in a hyphen": (scheme(scheme_id="a-"), INVALID, "scheme_id"),
    "request_id no UUID": (scheme(request_id="1"), INVALID, "request_id"),
    "request_id of version 1": (scheme(request_id=UUID.replace("-4", "-1")), INVALID, "request_id"),
    "name without id": (get("certificates/"), INVALID, "name"),
    "name of another kind": (get("schemes/iso-27001"), INVALID, "name"),
    "name with more segments": (get(f"{EMUI}/steps/1"), INVALID, "name"),
    "name with dots": (get("certificates/../certificates/x"), INVALID, "name"),
    "name with capitals": (get("certificates/EMUI"), INVALID, "name"),
    "name with NUL": (get("certificates/a\0"), INVALID, "name"),
    "name with wildcard": (get("certificates/-"), INVALID, "name"),
    "name too long": (get("certificates/" + "a" * 100000), INVALID, "name"),
    "name of another service": (get(f"//standards.transparency/{EMUI}"), INVALID, "name"),
    "parent of another kind": (message("standards", "ListMemberships", parent="standards/x"), INVALID, "parent"),
    "reference of another kind": (message("certification", "CreateCertificate", certificate_id="new", certificate={
        "scheme": "bodies/spain", "subjects": [{"service": "S"}]}), INVALID, "certificate.scheme"),
    "page size negative": (listed(page_size=-1), INVALID, "page_size"),
    "page token no base64": (listed(page_token="?!"), TOKEN, "page_token"),
    "page token made up": (listed(page_token="AAAAAAAAAAAAAAAAAAAAAAAA"), TOKEN, "page_token"),
    "page token too long": (listed(page_token="A" * 10000), ("INVALID_ARGUMENT", None), "page_token"),
    "filter over unknown field": (listed(filter="nope = 1"), QUERY, "filter"),
    "filter of wrong type": (listed(filter="state = NOPE"), QUERY, "filter"),
    "filter unbalanced": (listed(filter="(state = ACTIVE"), QUERY, "filter"),
    "filter too deep": (listed(filter="(" * 900 + "a" + ")" * 900), QUERY, "filter"),
    "filter too long": (listed(filter="a " * 10000), ("INVALID_ARGUMENT", None), "filter"),
    "filter with unknown function": (listed(filter="drop(state)"), QUERY, "filter"),
    "filter that ends early": (listed(filter="state ="), QUERY, "filter"),
    "order by unknown field": (listed(order_by="nope"), QUERY, "order_by"),
    "order in unknown direction": (listed(order_by="name sideways"), QUERY, "order_by"),
    "mask with unknown path": (message("certification", "UpdateScheme", scheme={
        "name": "schemes/iso-27001", "title": "X"}, update_mask={"paths": ["titel"]}), INVALID, "update_mask"),
    "mask through a scalar": (message("certification", "UpdateScheme", scheme={
        "name": "schemes/iso-27001", "title": "X"}, update_mask={"paths": ["title.first"]}), INVALID, "update_mask"),
    "update without name": (message("certification", "UpdateScheme", scheme={"title": "X"}), INVALID, "scheme.name"),
    "immutable field": (message("certification", "UpdateCertificate", certificate={
        "name": EMUI, "scheme": "schemes/iso-28000"}, update_mask={"paths": ["scheme"]}), INVALID,
                        "certificate.scheme"),
    "digest": (message("certification", "VerifyCertificate", document_sha256="abc"), INVALID, "document_sha256"),
    "several hundred wrong elements": (scheme(scheme={"title": "", "levels": [{}] * 50, "topics": [77] * 10,
                                                      "time_zone": "x" * 60}), INVALID, "scheme.title"),
    "unknown method": (("certification", "GetNothing", b""), ("UNIMPLEMENTED", "METHOD_UNKNOWN"), None),
    "missing resource": (get("certificates/none"), ("NOT_FOUND", "RESOURCE_NOT_FOUND"), None),
    "missing reference": (message("certification", "CreateCertificate", certificate_id="new", certificate={
        "scheme": "schemes/none", "subjects": [{"service": "S"}]}), ("FAILED_PRECONDITION", "REFERENCE_NOT_FOUND"),
                          None),
    "id taken": (scheme(scheme_id="iso-27001"), ("ALREADY_EXISTS", "RESOURCE_EXISTS"), None),
    "message too large": (scheme(scheme={"title": "t" * 2_000_000}), ("INVALID_ARGUMENT", "LIMIT_EXCEEDED"), None),
}


@pytest.mark.parametrize("through", ["owner", "gateway"])
@pytest.mark.parametrize("case", CASES)
def test_grpc(world, case, through):
    (service, method, data), (code, reason), field = CASES[case]
    client = world.raw[service if through == "owner" else "gateway"]
    refusal = client.refusal(contract.path(service, method), data, world.staff)
    # The gateway itself refuses what is over its own limits or is no method that it knows; all else its owner does.
    own = through == "gateway" and refusal.info is not None and refusal.info.domain == "gateway.transparency"
    assert not own or reason in ("LIMIT_EXCEEDED", "METHOD_UNKNOWN")
    assert_clear(refusal, code, reason, field, "gateway" if own else service)


@pytest.mark.parametrize("process", [*SERVICES, "gateway"])
def test_unknown_service(world, process):
    refusal = world.raw[process].refusal("/no.such.Service/Do", b"", world.staff)
    assert_clear(refusal, "UNIMPLEMENTED", "METHOD_UNKNOWN", None, process)


def test_all_that_is_wrong_is_told_at_once(world):
    refusal = world.raw["certification"].refused(
        "certification", "CreateScheme", world.staff, request_id="no",
        scheme={"title": "", "time_zone": "no", "topics": [99]})
    assert set(refusal.fields) == {"request_id", "scheme.title", "scheme.time_zone", "scheme.topics[0]"}


def test_page_token_of_another_query(world):
    client = world.raw["certification"]
    token = client.call("certification", "ListCertificates", page_size=1).next_page_token
    assert client.call("certification", "ListCertificates", page_size=3, page_token=token).certificates
    for fields in ({"filter": "state = ACTIVE"}, {"order_by": "name desc"}):
        refusal = client.refused("certification", "ListCertificates", page_token=token, **fields)
        assert_clear(refusal, *TOKEN, "page_token", "certification")
    refusal = client.refused("certification", "ListSchemes", page_token=token)
    assert_clear(refusal, *TOKEN, "page_token", "certification")
    # The caller's form belongs to the query.
    refusal = client.refused("certification", "ListCertificates", world.staff, page_token=token)
    assert_clear(refusal, *TOKEN, "page_token", "certification")


HEADERS = {
    "token unknown": ([("authorization", "Bearer nobody-has-this")], "UNAUTHENTICATED", "TOKEN_UNKNOWN"),
    "scheme unknown": ([("authorization", "Basic YTpi")], "UNAUTHENTICATED", "TOKEN_UNKNOWN"),
    "bearer without token": ([("authorization", "Bearer")], "UNAUTHENTICATED", "TOKEN_UNKNOWN"),
    "two tokens": ([("authorization", "Bearer a"), ("authorization", "Bearer b")], "UNAUTHENTICATED", "TOKEN_UNKNOWN"),
    "revision no token": ([("x-min-revision", "yesterday")], "INVALID_ARGUMENT", None),
    "field mask with unknown path": ([("x-goog-fieldmask", "name,nope")], "INVALID_ARGUMENT", None),
    "revision negative": ([("x-min-revision", "certification=-1.00000000")], "INVALID_ARGUMENT", None),
}


@pytest.mark.parametrize("through", ["certification", "gateway"])
@pytest.mark.parametrize("case", HEADERS)
def test_headers(world, case, through):
    headers, code, reason = HEADERS[case]
    refusal = world.raw[through].refusal(*message_path(get(EMUI)), metadata=headers)
    domain = refusal.info.domain.split(".")[0] if refusal.info else ""
    assert domain in (through, "certification")
    assert_clear(refusal, code, reason, None, domain)


def message_path(made):
    service, method, data = made
    return contract.path(service, method), data


@pytest.mark.parametrize("through", ["certification", "gateway"])
def test_unusable_trace_and_request_ids_are_replaced(world, through):
    for headers in ([("traceparent", "00-zz-1-1")], [("x-request-id", "x" * 5000)], [("traceparent", "00-" + "0" * 52)]):
        _, call = world.raw[through].raw(*message_path(get(EMUI)), metadata=headers)
        request_id = dict(call.initial_metadata())["x-request-id"]
        assert request_id and len(request_id) < 200


@pytest.mark.parametrize("through", ["certification", "gateway"])
@pytest.mark.parametrize("service, method, access", [
    (service, method.name, contract.access(method)) for service in SERVICES
    for method in contract.SERVICES[service].methods if contract.access(method) != "PUBLIC"])
def test_access_comes_before_anything_else(world, service, method, access, through):
    client = world.raw[service if through == "certification" else "gateway"]
    for data in (b"", b"\xff\xff"):
        refusal = client.refusal(contract.path(service, method), data)
        assert_clear(refusal, "UNAUTHENTICATED", "TOKEN_UNKNOWN", None, service)
        if access == "STAFF":
            refusal = client.refusal(contract.path(service, method), data, world.alice)
            assert_clear(refusal, "PERMISSION_DENIED", "ROLE_MISSING", None, service)


@pytest.mark.parametrize("process", [*SERVICES, "gateway"])
def test_headers_too_large(world, process):
    service = "certification" if process == "gateway" else process
    method = {"certification": "ListSchemes", "standards": "ListStandards", "centre": "ListCentres"}[service]
    address = (world.front if process == "gateway" else world.owners[process]).address
    # gRPC closes the connection that they come on: not the one that the other tests use.
    other = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
    with pytest.raises(grpc.RpcError) as caught:
        other.unary_unary(contract.path(service, method))(b"", metadata=[("x-large", "y" * 200_000)], timeout=20)
    other.close()
    assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    world.raw[process].raw(contract.path(service, method), b"")


def curl(process, path, data, *arguments, kind="application/grpc"):
    """An HTTP/2 POST by curl: (HTTP status, headers and trailers in lower case)."""
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "-m", "20", "-D", "-", "-o", "/dev/null", "-X", "POST",
         "-H", f"content-type: {kind}", "-H", "te: trailers", "--data-binary", "@-", *arguments,
         f"http://{process.address}{path}"], input=data, capture_output=True, check=False)
    lines = done.stdout.decode().lower().splitlines()
    status = int(lines[0].split()[1]) if lines else 0
    return status, dict(line.split(": ", 1) for line in lines[1:] if ": " in line)


def frame(data, flag=0, length=None):
    return bytes([flag]) + (len(data) if length is None else length).to_bytes(4, "big") + data


# Frames and HTTP headers that no gRPC library would send, and the gRPC status that comes back.
WIRE = {
    "deadline passed": (frame(get(EMUI)[2]), ["-H", "grpc-timeout: 0m"], "4"),  # or reset at once
    "frame longer than the body": (frame(b"abc", length=500), [], "3"),
    "frame with a huge length": (frame(b"abc", length=0x7FFFFFFF), [], "3"),
    "unknown flag": (frame(get(EMUI)[2], flag=6), [], None),
    "encoding unknown": (frame(get(EMUI)[2]), ["-H", "grpc-encoding: rot13"], None),
    "gzip that is none": (frame(b"not gzip", flag=1), ["-H", "grpc-encoding: gzip"], None),
    "no message": (b"", [], "3"),
}


@pytest.mark.parametrize("through", ["certification", "gateway"])
@pytest.mark.parametrize("case", WIRE)
def test_wire(world, case, through):
    """What gRPC's own library refuses (None) it may refuse as it likes; the call ends either way."""
    data, arguments, expected = WIRE[case]
    process = world.front if through == "gateway" else world.owners["certification"]
    _, headers = curl(process, contract.path("certification", "GetCertificate"), data, *arguments)
    status = headers.get("grpc-status")
    assert expected is None or status == expected or (case == "deadline passed" and status is None), headers
    world.raw[through].call("certification", "GetCertificate", name=EMUI)


@pytest.mark.parametrize("through", ["certification", "gateway"])
def test_what_is_not_grpc_is_refused(world, through):
    process = world.front if through == "gateway" else world.owners["certification"]
    path = contract.path("certification", "GetCertificate")
    status, headers = curl(process, path, b"{}", kind="application/json")
    assert status == 415 or headers.get("grpc-status") not in (None, "0"), (status, headers)
    with socket.create_connection(("127.0.0.1", process.grpc_port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_deadline_that_has_passed_at_the_client(world):
    path, data = message_path(listed())
    for client in (world.raw["certification"], world.raw["gateway"]):
        with pytest.raises(grpc.RpcError) as caught:
            client.raw(path, data, timeout=-1)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_streams_where_one_message_belongs(world):
    """Two messages to a unary method: the first alone counts, or the call is refused; nobody hangs."""
    path, data = message_path(get(EMUI))
    for process in (world.owners["certification"], world.front):
        call = channel(process).stream_stream(path)(iter([data, data]), timeout=20)
        try:
            assert len(list(call)) == 1
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL,
                                    grpc.StatusCode.UNIMPLEMENTED), details(error)


def test_clients_that_go_away_in_the_middle(world):
    """Calls without an end: what they began is let go of when their connections close."""
    path = contract.path("certification", "GetCertificate")
    for process in (world.owners["certification"], world.front):
        channels = [channel(process) for _ in range(20)]
        calls = [c.stream_stream(path)(iter(queue.Queue().get, None), timeout=60) for c in channels]
        for call, opened in zip(calls, channels):
            call.cancel()
            opened.close()


def test_refusal_type(world):
    """What the table looks at is what clients see: one detail of each type, ErrorInfo first."""
    refusal = world.raw["certification"].refused("certification", "GetCertificate", name="x")
    assert isinstance(refusal, Refusal)
    assert list(refusal.details)[0] == "ErrorInfo"
