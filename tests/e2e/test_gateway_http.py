"""The gateway's JSON port: validators, time-outs, compression, scripts of other origins, repeated requests."""

import gzip
import json
import socket
import uuid

import grpc
import pytest

from fake_owner import FakeOwner, fail, wait
from suite import SERVICES, Http, psql, wait_until

from google.rpc import error_details_pb2, status_pb2  # pylint: disable=import-error

EMUI = "/certification/v1/certificates/emui-10-eprivacyseal"
SCHEMES = "/certification/v1/schemes"
ORIGIN = "https://front.example"


@pytest.fixture(name="world", scope="module")
def world_fixture(whole):
    """All processes; a second gateway that lets the scripts of one origin in."""
    whole.open_front = whole.gateway(f"--cors_origins={ORIGIN}", **whole.owners)
    whole.public = Http(whole.front.http_port)
    whole.web = Http(whole.front.http_port, whole.staff)
    return whole


@pytest.fixture(name="behind")
def behind_fixture(suite):
    """A client of a gateway before a fake certification-service: behind(method=function)."""
    owners = []

    def make(**methods):
        owners.append(FakeOwner(**methods))
        front = suite.gateway(certification=owners[-1].address, ready=False)
        wait_until(lambda: listens(front.http_port), "the gateway to listen")
        return owners[-1], Http(front.http_port)
    yield make
    for owner in owners:
        owner.close()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def new_scheme(world, **headers):
    identifier = "s" + uuid.uuid4().hex[:12]
    status, got, body = world.web.call("POST", f"{SCHEMES}?schemeId={identifier}", {"title": "New"}, headers)
    assert status == 200, body
    return f"{SCHEMES}/{identifier}", got, body


def test_answers_in_json(world):
    status, headers, body = world.public.call("GET", EMUI)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert body["name"] == EMUI.split("/v1/")[1] and body["state"] == "UNDETERMINED"
    assert body["subjects"] == [{"product": {"product": "products/emui", "version": "10.0"}}]
    assert headers["X-Revision"].startswith("certification=") and headers["X-Current-At"] and headers["X-Request-Id"]
    assert headers["ETag"] and "Authorization" in headers["Vary"]


def test_request_id_and_trace_pass(world):
    _, headers, _ = world.public.call("GET", EMUI, headers={"X-Request-Id": "mine-3"})
    assert headers["X-Request-Id"] == "mine-3"


def test_lists_by_query_parameters(world):
    seen, token = [], ""
    while True:
        query = f"pageSize=2&filter=state%3DUNDETERMINED&pageToken={token}"
        status, _, body = world.public.call("GET", f"/certification/v1/certificates?{query}")
        assert status == 200 and len(body.get("certificates", [])) <= 2
        seen += [item["name"] for item in body.get("certificates", [])]
        token = body.get("nextPageToken", "")
        if not token:
            break
    assert len(seen) == len(set(seen)) >= 4
    # Both spellings of a name; fields of messages by dots.
    for query in ("page_size=1", "pageSize=1"):
        assert len(world.public.call("GET", f"{SCHEMES}?{query}")[2]["schemes"]) == 1
    status, _, body = world.public.call("GET", "/certification/v1/certificates:summarize?asOf.year=2019&asOf.month=12"
                                               "&asOf.day=31")
    assert status == 200 and body["asOf"] == {"year": 2019, "month": 12, "day": 31}


def test_answers_with_the_fields_asked_for(world):
    for query, headers in (("?fields=name,scheme", {}), ("", {"X-Goog-FieldMask": "name,scheme"})):
        status, got, body = world.public.call("GET", EMUI + query, headers=headers)
        assert status == 200 and sorted(body) == ["name", "scheme"], body
        assert got["ETag"] != world.public.call("GET", EMUI)[1]["ETag"]
    status, _, body = world.public.call("GET", f"{SCHEMES}?fields=schemes.title,nextPageToken&pageSize=2")
    assert status == 200 and [list(scheme) for scheme in body["schemes"]] == [["title"]] * 2 and body["nextPageToken"]


def test_if_none_match(world):
    _, headers, _ = world.public.call("GET", EMUI)
    for value in (headers["ETag"], "*", f'"other", {headers["ETag"]}'):
        status, again, body = world.public.call("GET", EMUI, headers={"If-None-Match": value})
        assert status == 304 and body == "" and again["ETag"] == headers["ETag"], value
    assert world.public.call("GET", EMUI, headers={"If-None-Match": '"other"'})[0] == 200


def test_if_match(world):
    path, headers, body = new_scheme(world)
    status, _, answer = world.web.call("PATCH", path, {"title": "X"}, {"If-Match": '"stale"'})
    assert status == 412, answer
    status, changed, answer = world.web.call("PATCH", path, {"title": "Changed"}, {"If-Match": headers["ETag"]})
    assert status == 200 and answer["title"] == "Changed" and changed["ETag"] != headers["ETag"], answer
    status, _, answer = world.web.call("PATCH", path, {"title": "Again"}, {"If-Match": headers["ETag"]})
    assert status == 412 and answer["error"]["status"] == "ABORTED"
    # The resource's own etag, in the body of the answer, is as good.
    status, _, answer = world.web.call("PATCH", path, {"title": "Third"}, {"If-Match": answer_etag(world, path)})
    assert status == 200 and answer["title"] == "Third" and answer["etag"] != body["etag"]


def answer_etag(world, path):
    return world.web.call("GET", path)[2]["etag"]


def test_patch_takes_its_mask_from_the_body(world):
    path, _, _ = new_scheme(world)
    status, _, body = world.web.call("PATCH", path, {"owner": "Somebody"})
    assert status == 200 and (body["title"], body["owner"]) == ("New", "Somebody")
    # What is named and empty is cleared.
    status, _, body = world.web.call("PATCH", path, {"owner": ""})
    assert status == 200 and "owner" not in body and body["title"] == "New"
    status, _, body = world.web.call("PATCH", f"{path}?updateMask=owner", {"title": "Not named", "owner": "Other"})
    assert status == 200 and (body["title"], body["owner"]) == ("New", "Other")


@pytest.mark.parametrize("key", [str(uuid.uuid4()), "order 66 of the day"])
def test_idempotency_key(world, key):
    conninfo = world.database("certification")
    identifier = "k" + uuid.uuid4().hex[:12]
    first = world.web.call("POST", f"{SCHEMES}?schemeId={identifier}", {"title": "Once"}, {"Idempotency-Key": key})
    entries = psql(conninfo, "SELECT max(revision) FROM journal")
    again = world.web.call("POST", f"{SCHEMES}?schemeId={identifier}", {"title": "Once"}, {"Idempotency-Key": key})
    assert (first[0], again[0]) == (200, 200) and first[2] == again[2]
    assert psql(conninfo, "SELECT max(revision) FROM journal") == entries
    status, _, body = world.web.call("POST", f"{SCHEMES}?schemeId={identifier}", {"title": "Twice"},
                                     {"Idempotency-Key": key})
    assert status == 409 and body["error"]["status"] == "ALREADY_EXISTS"


def test_head(world):
    _, get, _ = world.public.call("GET", EMUI)
    status, head, body = world.public.call("HEAD", EMUI)
    assert status == 200 and body == ""
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head[name] == get[name]
    assert world.public.call("HEAD", f"{SCHEMES}/none")[0] == 404


def test_gzip(world):
    target = "/certification/v1/certificates"
    _, plain, body = world.public.call("GET", target)
    assert "Content-Encoding" not in plain
    head, zipped = raw_get(world.front.http_port, target, "gzip")
    assert "content-encoding: gzip" in head and "accept-encoding" in head.split("vary:")[1]
    assert len(zipped) < int(plain["Content-Length"]) and json.loads(gzip.decompress(zipped)) == body
    for refused in ("gzip;q=0, identity", "br", ""):
        head, unzipped = raw_get(world.front.http_port, target, refused)
        assert "content-encoding" not in head and json.loads(unzipped) == body


def raw_get(port, target, encoding):
    """(head in lower case, body as it came)."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n"
                           "Connection: close\r\n\r\n".encode())
        data = b""
        while more := connection.recv(65536):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def test_many_requests_on_one_connection(world):
    """Keep-alive and pipelining: answers in the order of the requests."""
    names = ["iso-27001", "iso-28000", "none", "common-criteria"] * 5
    with socket.create_connection(("127.0.0.1", world.front.http_port), timeout=20) as connection:
        connection.sendall(b"".join(f"GET {SCHEMES}/{name} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n".encode() for name, close in
                                    zip(names, [""] * (len(names) - 1) + ["Connection: close\r\n"])))
        data = b""
        while more := connection.recv(65536):
            data += more
    statuses = [part.split()[0] for part in data.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"404" if name == "none" else b"200" for name in names]


def preflight(port, origin, method="PATCH"):
    return Http(port).call("OPTIONS", f"{SCHEMES}/iso-27001", headers={
        "Origin": origin, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, if-match, content-type"})


def test_scripts_of_an_allowed_origin(world):
    status, headers, _ = preflight(world.open_front.http_port, ORIGIN)
    assert status == 204 and headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"GET", "PATCH"} <= {m.strip() for m in headers["Access-Control-Allow-Methods"].split(",")}
    allowed = headers["Access-Control-Allow-Headers"].lower()
    for name in ("authorization", "if-match", "content-type", "idempotency-key", "x-server-timeout", "x-min-revision"):
        assert name in allowed
    status, headers, _ = Http(world.open_front.http_port).call("GET", EMUI, headers={"Origin": ORIGIN})
    assert status == 200 and headers["Access-Control-Allow-Origin"] == ORIGIN and "Origin" in headers["Vary"]
    for name in ("ETag", "X-Revision", "X-Current-At", "X-Request-Id", "Retry-After"):
        assert name in headers["Access-Control-Expose-Headers"]
    # Scripts see errors too.
    status, headers, _ = Http(world.open_front.http_port).call("GET", f"{SCHEMES}/none", headers={"Origin": ORIGIN})
    assert status == 404 and headers["Access-Control-Allow-Origin"] == ORIGIN


def test_scripts_of_other_origins(world):
    for port, origin in ((world.front.http_port, ORIGIN), (world.open_front.http_port, "https://evil.example"),
                         (world.open_front.http_port, "null")):
        assert "Access-Control-Allow-Origin" not in preflight(port, origin)[1]
        status, headers, _ = Http(port).call("GET", EMUI, headers={"Origin": origin})
        assert status == 200 and "Access-Control-Allow-Origin" not in headers


def test_server_timeout(behind):
    owner, web = behind(GetScheme=wait)
    status, _, body = web.call("GET", f"{SCHEMES}/x", headers={"X-Server-Timeout": "0.5"})
    assert status == 504 and body["error"]["status"] == "DEADLINE_EXCEEDED"
    assert 0 < owner.calls[0].time_remaining < 1 and owner.calls[0].cancelled.wait(10)


def test_client_that_leaves_cancels_below(behind):
    owner, web = behind(GetScheme=wait)
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        connection.sendall(f"GET {SCHEMES}/x HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert owner.arrived.wait(20)
    assert owner.calls[0].cancelled.wait(10)


def test_retry_after(suite, behind):
    details = status_pb2.Status(code=14, message="later")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(6500)
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason="R", domain="certification.transparency"))
    details.details.add().Pack(retry)
    _, web = behind(CreateScheme=fail(grpc.StatusCode.UNAVAILABLE, "later", details.SerializeToString()))
    web.token = suite.staff
    status, headers, body = web.call("POST", SCHEMES, {"title": "X"})
    assert status == 503 and headers["Retry-After"] == "7"
    assert [d["@type"].rsplit(".", 1)[1] for d in body["error"]["details"]][:2] == ["ErrorInfo", "RetryInfo"]


def test_headers_and_identity_go_below(behind):
    owner, web = behind(GetScheme=fail(grpc.StatusCode.NOT_FOUND, "none"))
    web.call("GET", f"{SCHEMES}/x", headers={
        "Authorization": "Bearer t0k3n", "traceparent": f"00-{'c' * 32}-{'d' * 16}-01", "X-Request-Id": "mine-4",
        "X-Min-Revision": "certification=3.00000000", "Cookie": "a=b", "X-Forwarded-For": "10.0.0.1"})
    seen = owner.calls[0].metadata
    assert seen["authorization"] == "Bearer t0k3n" and seen["traceparent"].split("-")[1] == "c" * 32
    assert seen["x-request-id"] == "mine-4" and seen["x-min-revision"] == "certification=3.00000000"
    assert "cookie" not in seen and "host" not in seen


@pytest.mark.parametrize("code, status", [
    ("CANCELLED", 499), ("UNKNOWN", 500), ("INVALID_ARGUMENT", 400), ("NOT_FOUND", 404), ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403), ("UNAUTHENTICATED", 401), ("RESOURCE_EXHAUSTED", 429), ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409), ("OUT_OF_RANGE", 400), ("UNIMPLEMENTED", 501), ("INTERNAL", 500), ("DATA_LOSS", 500)])
def test_http_status_of_each_code(behind, code, status):
    # Owners say why; a status without that is a library's, and not the call's answer.
    details = status_pb2.Status(code=grpc.StatusCode[code].value[0], message="because")
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason="R", domain="certification.transparency"))
    _, web = behind(GetScheme=fail(grpc.StatusCode[code], "because", details.SerializeToString()))
    got, _, body = web.call("GET", f"{SCHEMES}/x")
    assert (got, body["error"]["code"], body["error"]["status"]) == (status, status, code)


def test_health_pages(world):
    for path in ("/healthz", "/readyz"):
        assert world.public.call("GET", path)[0] == 200


def test_overview_tells_the_revisions_of_all(world):
    status, headers, body = world.public.call("GET", "/gateway/v1/overview")
    assert status == 200 and sorted(SERVICES) == sorted(
        part.strip().split("=")[0] for part in headers["X-Revision"].split(","))
    assert body["certification"]["summary"]["total"]["certificates"] >= 7
