"""Bad input to the gateway's JSON port gets one clear error of one shape and changes nothing."""

import json
import socket

import pytest

from suite import SERVICES, Http, psql, wait_until

MOST_BYTES = 4096
EMUI = "/certification/v1/certificates/emui-10-eprivacyseal"
SCHEMES = "/certification/v1/schemes"
ISO = f"{SCHEMES}/iso-27001"
HALF_REQUESTS = {
    "nothing of a head": b"G",
    "half a head": b"GET /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nX-Slow",
    "half a body": b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   b"Content-Length: 100\r\n\r\n{\"title\":",
    "half a chunk": b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n20\r\n{\"title\":",
}


@pytest.fixture(name="world", scope="module")
def world_fixture(whole):
    """All processes; requests that began when the module did and never go on."""
    whole.web = Http(whole.front.http_port, whole.staff)
    whole.slow = {name: open_and_say(whole, said) for name, said in HALF_REQUESTS.items()}
    yield whole
    for connection in whole.slow.values():
        connection.close()


def open_and_say(world, said):
    connection = socket.create_connection(("127.0.0.1", world.front.http_port), timeout=60)
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


def assert_clear(status, headers, body, expected, code, reason, field):
    """The one shape of errors (AIP-193)."""
    assert status == expected, (status, body)
    assert headers["Content-Type"].startswith("application/json")
    assert list(body) == ["error"]
    error = body["error"]
    assert (error["code"], error["status"]) == (expected, code), error
    assert error["message"] and len(json.dumps(body)) <= 2 * MOST_BYTES
    infos = [d for d in error["details"] if d["@type"].endswith("google.rpc.ErrorInfo")]
    assert len(infos) == 1
    assert infos[0]["reason"] and infos[0]["domain"].endswith(".transparency")
    assert reason is None or infos[0]["reason"] == reason, infos
    fields = [v.get("field") for d in error["details"] if d["@type"].endswith("BadRequest")
              for v in d["fieldViolations"]]
    assert field is None or field in fields, (fields, error["message"])


def scheme(text):
    """A POST of this text as a new scheme."""
    return "POST", f"{SCHEMES}?schemeId=new", {}, text


def listing(query):
    return "GET", f"/certification/v1/certificates?{query}", {}, None


BAD = (400, "INVALID_ARGUMENT")
JSON = (400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")
FIELDS = (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
QUERY = (400, "INVALID_ARGUMENT", "QUERY_INVALID")

# By name: (verb, target, headers, body), (HTTP status, code, reason), a field that must be named.
CASES = {
    "no JSON": (scheme("title=New"), JSON, None),
    "empty body": (scheme(""), BAD, None),
    "truncated JSON": (scheme('{"title": "N'), JSON, None),
    "JSON with a trailing comma": (scheme('{"title": "N",}'), JSON, None),
    "JSON with a comment": (scheme('{"title": "N" /* x */}'), JSON, None),
    "JSON with single quotes": (scheme("{'title': 'N'}"), JSON, None),
    "JSON with NaN": (scheme('{"title": "N", "rules": {"longestValidity": {"months": NaN}}}'), JSON, None),
    "JSON with more after its end": (scheme('{"title": "N"} {}'), JSON, None),
    "JSON with a raw line feed in text": (scheme('{"title": "a\nb"}'), JSON, None),
    "JSON with half a surrogate pair": (scheme('{"title": "\\ud800"}'), BAD, None),
    "JSON with an unknown escape": (scheme('{"title": "\\x41"}'), JSON, None),
    "JSON not UTF-8": (scheme(b'{"title": "\xff\xfe"}'), BAD, None),
    "JSON with a byte order mark of UTF-16": (scheme('{"title": "N"}'.encode("utf-16")), BAD, None),
    "JSON a list": (scheme('[{"title": "N"}]'), BAD, None),
    "JSON a number": (scheme("7"), BAD, None),
    "JSON null": (scheme("null"), BAD, None),
    "JSON deeply nested": (scheme('{"rules": ' * 5000 + "1" + "}" * 5000), BAD, None),
    "JSON lists deeply nested": (scheme("[" * 100000), BAD, None),
    "unknown field": (scheme('{"titel": "N"}'), BAD, "scheme.titel"),
    "unknown nested field": (scheme('{"title": "N", "levels": [{"code": "A"}, {"cod": "B"}]}'), BAD,
                             "scheme.levels[1].cod"),
    "field twice": (scheme('{"title": "A", "title": "B"}'), BAD, "scheme.title"),
    "field by both names": (scheme('{"title": "N", "timeZone": "Etc/UTC", "time_zone": "Etc/UTC"}'), BAD, None),
    "number for text": (scheme('{"title": 7}'), BAD, "scheme.title"),
    "object for text": (scheme('{"title": {}}'), BAD, "scheme.title"),
    "text for a list": (scheme('{"title": "N", "topics": "SECURITY"}'), BAD, "scheme.topics"),
    "text for a message": (scheme('{"title": "N", "rules": "none"}'), BAD, "scheme.rules"),
    "null in a list": (scheme('{"title": "N", "topics": [null]}'), BAD, None),
    "enum by unknown name": (scheme('{"title": "N", "topics": ["SPORT"]}'), BAD, "scheme.topics[0]"),
    "number out of range": (scheme('{"title": "N", "rules": {"longestValidity": {"months": 3000000000}}}'), BAD,
                            "scheme.rules.longestValidity.months"),
    "fraction for a whole number": (scheme('{"title": "N", "rules": {"longestValidity": {"months": 1.5}}}'), BAD,
                                    "scheme.rules.longestValidity.months"),
    "text for a bool": (scheme('{"title": "N", "rules": {"accreditationRequired": "yes"}}'), BAD,
                        "scheme.rules.accreditationRequired"),
    "time stamp no time": (("PATCH", "/standards/v1/organizations/ietf", {}, '{"createTime": "yesterday"}'), BAD,
                           "organization.createTime"),
    "duration no duration": (("POST", "/centre/v1/centres/brussels/spaces", {}, '{"setUpTime": "an hour"}'), BAD,
                             "space.setUpTime"),
    "required field missing": (scheme("{}"), FIELDS, "scheme.title"),
    "value out of the list": (scheme('{"title": "N", "timeZone": "Mars/Base"}'), FIELDS, "scheme.timeZone"),
    "id": (("POST", f"{SCHEMES}?schemeId=New", {}, '{"title": "N"}'), FIELDS, "schemeId"),
    "unknown query parameter": (listing("pageSise=3"), BAD, "pageSise"),
    "query parameter twice": (listing("pageSize=3&pageSize=4"), BAD, "pageSize"),
    "query parameter no number": (listing("pageSize=ten"), BAD, "pageSize"),
    "query parameter out of range": (listing("pageSize=99999999999"), BAD, "pageSize"),
    "query parameter negative": (listing("pageSize=-1"), FIELDS, "pageSize"),
    "query parameter not UTF-8": (listing("filter=%ff%fe"), BAD, "filter"),
    "query parameter badly encoded": (listing("filter=%zz"), BAD, "filter"),
    "page token": (listing("pageToken=nonsense"), (400, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID"), "pageToken"),
    "filter over unknown field": (listing("filter=nope%3D1"), QUERY, "filter"),
    "filter unbalanced": (listing("filter=(a"), QUERY, "filter"),
    "order by unknown field": (listing("orderBy=nope"), QUERY, "orderBy"),
    "field mask with unknown path": (("GET", f"{EMUI}?fields=nope", {}, None), BAD, None),
    "field mask header with unknown path": (("GET", EMUI, {"X-Goog-FieldMask": "nope"}, None), BAD, None),
    "update mask with unknown path": (("PATCH", f"{ISO}?updateMask=titel", {}, '{"title": "X"}'), BAD, "updateMask"),
    "body of a GET": (("GET", EMUI, {"Content-Type": "application/json"}, "{}"), BAD, None),
    "path with a bad escape": (("GET", "/certification/v1/certificates/%zz", {}, None), BAD, None),
    "path with bytes not UTF-8": (("GET", "/certification/v1/certificates/%ff", {}, None), BAD, "name"),
    "path with an encoded slash": (("GET", "/certification/v1/certificates/a%2Fb", {}, None), BAD, None),
    "name with capitals": (("GET", "/certification/v1/certificates/EMUI", {}, None), FIELDS, "name"),
    "unknown path": (("GET", "/certification/v2/schemes", {}, None), (404, "NOT_FOUND", None), None),
    "path up and down": (("GET", "/certification/v1/../../etc/passwd", {}, None), (404, "NOT_FOUND", None), None),
    "unknown verb": (("POST", f"{EMUI}:explode", {}, "{}"), (405, "UNIMPLEMENTED", "METHOD_UNKNOWN"), None),
    "method not served": (("PUT", EMUI, {}, {"title": "X"}), (405, "UNIMPLEMENTED", "METHOD_UNKNOWN"), None),
    "method made up": (("BREW", EMUI, {}, None), (405, "UNIMPLEMENTED", None), None),
    "missing resource": (("GET", f"{SCHEMES}/none", {}, None), (404, "NOT_FOUND", "RESOURCE_NOT_FOUND"), None),
    "content type text": (("POST", SCHEMES, {"Content-Type": "text/plain"}, "{}"),
                          (415, "INVALID_ARGUMENT", None), "header Content-Type"),
    "content type form": (("POST", SCHEMES, {"Content-Type": "application/x-www-form-urlencoded"}, "title=N"),
                          (415, "INVALID_ARGUMENT", None), "header Content-Type"),
    "charset": (("POST", SCHEMES, {"Content-Type": "application/json; charset=latin1"}, "{}"),
                (415, "INVALID_ARGUMENT", None), "header Content-Type"),
    "body compressed": (("POST", SCHEMES, {"Content-Encoding": "gzip"}, "{}"), (415, "INVALID_ARGUMENT", None),
                        "header Content-Encoding"),
    "accepts only XML": (("GET", EMUI, {"Accept": "application/xml"}, None), (406, "INVALID_ARGUMENT", None),
                         "header Accept"),
    "token unknown": (("GET", EMUI, {"Authorization": "Bearer nobody"}, None),
                      (401, "UNAUTHENTICATED", "TOKEN_UNKNOWN"), None),
    "authorization no bearer": (("GET", EMUI, {"Authorization": "Basic YTpi"}, None),
                                (401, "UNAUTHENTICATED", "TOKEN_UNKNOWN"), None),
    "time-out no number": (("GET", EMUI, {"X-Server-Timeout": "soon"}, None), BAD, "header X-Server-Timeout"),
    "time-out negative": (("GET", EMUI, {"X-Server-Timeout": "-1"}, None), BAD, "header X-Server-Timeout"),
    "if-match no etag": (("PATCH", ISO, {"If-Match": "abc"}, '{"title": "X"}'), BAD, "header If-Match"),
    "if-match another version": (("PATCH", ISO, {"If-Match": '"abc"'}, '{"title": "X"}'),
                                 (412, "ABORTED", "ETAG_MISMATCH"), None),
    "idempotency key empty": (("POST", SCHEMES, {"Idempotency-Key": ""}, '{"title": "X"}'), BAD,
                              "header Idempotency-Key"),
    "idempotency key and request_id": (("POST", f"{SCHEMES}?requestId=11111111-1111-4111-8111-111111111111",
                                        {"Idempotency-Key": "k"}, '{"title": "X"}'), BAD, "header Idempotency-Key"),
    "revision": (("GET", ISO, {"X-Min-Revision": "yesterday"}, None), BAD, None),
    "target too long": (("GET", f"{EMUI}?filter={'a' * 10000}", {}, None),
                        (414, "INVALID_ARGUMENT", "LIMIT_EXCEEDED"), "target"),
    "head too large": (("GET", EMUI, {"X-Large": "y" * 20000}, None), (431, "INVALID_ARGUMENT", "LIMIT_EXCEEDED"),
                       "header"),
    "many headers": (("GET", EMUI, {f"X-{n}": "y" * 50 for n in range(400)}, None),
                     (431, "INVALID_ARGUMENT", "LIMIT_EXCEEDED"), "header"),
    "message too large for its owner": (scheme('{"title": "' + "t" * 2_000_000 + '"}'),
                                        (413, "INVALID_ARGUMENT", "LIMIT_EXCEEDED"), "body"),
}


@pytest.mark.parametrize("case", CASES)
def test_http(world, case):
    (verb, target, headers, body), (expected, code, *reason), field = CASES[case]
    web = Http(world.front.http_port, None if "Authorization" in headers else world.staff)
    status, got, answer = web.call(verb, target, body, headers)
    assert_clear(status, got, answer, expected, code, reason[0] if reason else None, field)


def say(world, data, rest_of_time=30):
    """What comes back of raw bytes until the gateway closes the connection."""
    with open_and_say(world, data) as connection:
        connection.settimeout(rest_of_time)
        got = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                return got
            if not more:
                return got
            got += more


CLOSE = b"Connection: close\r\n\r\n"

# Requests that no HTTP library would send, and the status that comes back.
WIRE = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n", 400),
    "words": (b"hello there\r\n\r\n", 400),
    "unknown version": (b"GET / HTTP/3.7\r\nHost: localhost\r\n" + CLOSE, 505),
    "HTTP/2 without upgrade": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no host": (b"GET /healthz HTTP/1.1\r\n" + CLOSE, 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + CLOSE, 400),
    "host no host": (b"GET /healthz HTTP/1.1\r\nHost: a/../b@c\r\n" + CLOSE, 400),
    "host empty": (b"GET /healthz HTTP/1.1\r\nHost: \r\n" + CLOSE, 400),
    "host of somebody else": (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE, 421),
    "target of somebody else": (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 421),
    "folded header": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n" + CLOSE, 400),
    "folded encoding of the transfer": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\n"
                                        b"Transfer-Encoding:\r\n chunked\r\n" + CLOSE + b"0\r\n\r\n", 400),
    "WebSocket": (b"GET /gateway/v1/updates:watch HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                  b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n", 400),
    "header without colon": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n" + CLOSE, 400),
    "space before the colon": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A : b\r\n" + CLOSE, 400),
    "NUL in a header": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n" + CLOSE, 400),
    "length no number": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Length: ten\r\n" + CLOSE, 400),
    "length negative": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n" + CLOSE, 400),
    "two lengths": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                    b"Content-Length: 3\r\n" + CLOSE + b"{}", 400),
    "length and chunks": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                          b"Transfer-Encoding: chunked\r\n" + CLOSE + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "chunk without a length": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\n"
                               b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + CLOSE
                               + b"zz\r\n{}\r\n", 400),
    "body announced too large": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\n"
                                 b"Content-Type: application/json\r\nContent-Length: 999999999999\r\n" + CLOSE, 413),
    "unknown encoding of the transfer": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\n"
                                         b"Transfer-Encoding: gzip\r\n" + CLOSE, 501),
    "expectation unknown": (b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n"
                            b"Content-Length: 2\r\n" + CLOSE + b"{}", 417),
    "endless header": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"y" * 100_000, 431),
}


@pytest.mark.parametrize("case", WIRE)
def test_wire(world, case):
    data, expected = WIRE[case]
    got = say(world, data)
    head, _, body = got.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == expected, got[:300]
    assert b"connection: close" in head.lower()
    error = json.loads(body)["error"]
    assert error["code"] == expected
    assert [d["reason"] for d in error["details"] if d["@type"].endswith("ErrorInfo")]


def test_body_sent_too_large(world):
    """Cut off in the middle of an endless body."""
    head = b"POST /certification/v1/schemes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with open_and_say(world, head + b"Transfer-Encoding: chunked\r\n\r\n") as connection:
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

        def is_cut_off():
            try:
                connection.sendall(chunk)
            except OSError:
                return True
            return False
        wait_until(is_cut_off, "the gateway to close the connection")


def test_no_answer_repeats_a_secret(world):
    for secret in (world.staff, "s3cret-of-nobody"):
        status, headers, body = Http(world.front.http_port, secret + "x").call("GET", EMUI)
        assert status == 401 and secret not in json.dumps(body) + str(headers)
    assert world.staff not in world.front.log.read_text()


def test_slow_senders_are_cut_off(world):
    """Last, so that the time-outs run while the other tests do."""

    for name, connection in world.slow.items():
        got = b""
        while more := connection.recv(65536):
            got += more
        assert got == b"" or got.split()[1] == b"408", (name, got)
