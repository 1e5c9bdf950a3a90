"""Clients nobody here wrote speak to the suite: grpc-js, buf curl and curl. (Python's grpcio does all over.)"""

import base64
import json
import subprocess

import pytest

import contract
from suite import ROOT, psql

from google.rpc import error_details_pb2, status_pb2  # pylint: disable=import-error

EMUI = "certificates/emui-10-eprivacyseal"
BUF = ROOT / "node_modules/.bin/buf"


def node(process, *calls, token=None):
    """What grpc-js saw of these calls, one after another."""
    done = subprocess.run(["node", ROOT / "tests/e2e/clients_js/call.mjs", process.address, token or ""],
                          input="".join(json.dumps(call) + "\n" for call in calls), capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(calls)
    return answers


def unary(service, method, **request):
    """A call as grpc-js takes it, fields by their JSON names."""
    return {"service": contract.SERVICES[service].full_name, "method": method, "kind": "unary", "request": {
        contract.json_name(name): value for name, value in request.items()}}


@pytest.fixture(name="through", params=["owner", "gateway"])
def through_fixture(request, whole):
    """certification-service itself, or by way of the gateway."""
    return whole.owners["certification"] if request.param == "owner" else whole.front


def test_grpc_js_reads(through):
    got, listed, verified = node(
        through, {**unary("certification", "GetCertificate", name=EMUI), "metadata": {"x-request-id": "mine-5"}},
        unary("certification", "ListCertificates", page_size=3),
        unary("certification", "VerifyCertificate", certificate=EMUI, as_of={"year": 2019, "month": 12, "day": 31}))
    assert got["code"] == 0 and got["messages"][0]["name"] == EMUI
    assert got["messages"][0]["state"] == "UNDETERMINED"
    assert got["headers"]["x-request-id"] == "mine-5" and got["headers"]["x-revision"].startswith("certification=")
    assert len(listed["messages"][0]["certificates"]) == 3 and listed["messages"][0]["nextPageToken"]
    assert verified["messages"][0]["outcome"] == "MATCHED"


def test_grpc_js_gets_details(through):
    missing, wrong, staff = node(
        through, unary("certification", "GetCertificate", name="certificates/none"),
        unary("certification", "ListCertificates", filter="nope = 1"), unary("certification", "CreateScheme"))
    assert (missing["code"], wrong["code"], staff["code"]) == (5, 3, 16)
    status = status_pb2.Status.FromString(base64.b64decode(wrong["trailers"]["grpc-status-details-bin"]))
    kinds = {detail.type_url.rsplit(".", 1)[1]: detail for detail in status.details}
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert kinds["ErrorInfo"].Unpack(info) and kinds["BadRequest"].Unpack(request)
    assert (info.reason, info.domain) == ("QUERY_INVALID", "certification.transparency")
    assert request.field_violations[0].field == "filter" and status.message == wrong["message"]


def test_grpc_js_writes_once(whole, through):
    identifier = f"js-{through.name}"
    create = unary("certification", "CreateScheme", scheme_id=identifier, scheme={"title": "By grpc-js"},
                   request_id="22222222-2222-4222-8222-222222222222" if "gateway" in through.name
                   else "33333333-3333-4333-8333-333333333333")
    first, again = node(through, create, create, token=whole.staff)
    assert first["code"] == again["code"] == 0 and first["messages"] == again["messages"]
    assert psql(whole.database("certification"),
                f"SELECT count(*) FROM journal WHERE name = 'schemes/{identifier}'") == [["1"]]


def test_grpc_js_streams(through):
    watched, reflected = node(
        through,
        {"service": "grpc.health.v1.Health", "method": "Watch", "kind": "server", "request": {"service": ""}, "take": 1},
        {"service": "grpc.reflection.v1.ServerReflection", "method": "ServerReflectionInfo", "kind": "bidi",
         "request": [{"listServices": "*"}, {"fileContainingSymbol": "google.rpc.ErrorInfo"}]})
    assert watched["messages"] == [{"status": "SERVING"}] and watched["code"] == 1
    assert reflected["code"] == 0 and len(reflected["messages"]) == 2
    names = {service["name"] for service in reflected["messages"][0]["listServicesResponse"]["service"]}
    assert contract.SERVICES["certification"].full_name in names


def test_grpc_js_overview(whole):
    overview, = node(whole.front, unary("gateway", "GetOverview"))
    assert overview["code"] == 0 and overview["messages"][0]["certification"]["summary"]["total"]["certificates"] >= 7
    assert sorted(part.split("=")[0].strip() for part in overview["headers"]["x-revision"].split(",")) == [
        "centre", "certification", "standards"]


def buf_curl(process, method, data, *arguments):
    """(exit code, what it printed, what it complained of)."""
    done = subprocess.run(
        [BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments, "-d", json.dumps(data),
         f"http://{process.address}/{method}"], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("reflection", ["grpc-v1", "grpc-v1alpha"])
def test_buf_curl(through, reflection):
    service = contract.SERVICES["certification"].full_name
    code, out, err = buf_curl(through, f"{service}/GetCertificate", {"name": EMUI}, "--reflect-protocol", reflection)
    assert code == 0, err
    assert json.loads(out)["name"] == EMUI
    code, out, err = buf_curl(through, f"{service}/ListCertificates", {"filter": "nope = 1"},
                              "--reflect-protocol", reflection)
    error = json.loads(err)
    assert code == 8 * 3 and error["code"] == "invalid_argument" and "nope" in error["message"]
    details = {detail["type"]: base64.b64decode(detail["value"] + "==") for detail in error["details"]}
    assert error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"]).reason == "QUERY_INVALID"
    assert error_details_pb2.BadRequest.FromString(details["google.rpc.BadRequest"]).field_violations[0].field == "filter"


def test_buf_curl_lists_what_is_served(whole):
    done = subprocess.run([BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc", "--list-services",
                           f"http://{whole.front.address}"], capture_output=True, text=True, timeout=120, check=True)
    assert {service.full_name for service in contract.SERVICES.values()} <= set(done.stdout.split())


def test_buf_curl_creates_with_a_token(whole):
    service = contract.SERVICES["standards"].full_name
    code, out, err = buf_curl(whole.front, f"{service}/CreateOrganization", {
        "organizationId": "by-buf", "organization": {"displayName": "By buf curl"}},
                              "-H", f"authorization: Bearer {whole.staff}")
    assert code == 0, err
    assert json.loads(out)["name"] == "organizations/by-buf"


def test_curl(whole):
    base = f"http://127.0.0.1:{whole.front.http_port}"

    def curl(*arguments):
        done = subprocess.run(["curl", "-sS", "-m", "20", "-w", "\n%{http_code} %header{etag}", *arguments],
                              capture_output=True, text=True, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return body, *status.split(" ", 1)
    body, status, etag = curl(f"{base}/certification/v1/{EMUI}")
    assert status == "200" and json.loads(body)["name"] == EMUI
    assert curl("-H", f"If-None-Match: {etag}", f"{base}/certification/v1/{EMUI}")[:2] == ("", "304")
    body, status, _ = curl("--compressed", f"{base}/standards/v1/organizations?pageSize=1000")
    assert status == "200" and len(json.loads(body)["organizations"]) >= 10
    body, status, _ = curl("-H", f"Authorization: Bearer {whole.staff}", "-H", "Content-Type: application/json",
                           "-d", '{"displayName": "By curl"}', f"{base}/standards/v1/organizations?organizationId=by-curl")
    assert status == "200" and json.loads(body)["displayName"] == "By curl"
    body, status, _ = curl("-X", "PATCH", "-H", f"Authorization: Bearer {whole.staff}", "--json",
                           '{"abbreviation": "BC"}', f"{base}/standards/v1/organizations/by-curl")
    assert status == "200" and json.loads(body)["abbreviation"] == "BC"
    assert curl("-I", f"{base}/certification/v1/{EMUI}")[1] == "200"
