"""The gateway's /openapi.json: valid, as the gateway answers, and enough for a typed client."""

import json
import subprocess

import pytest

import contract
from suite import ROOT, Http

TOOLS = ROOT / "node_modules/.bin"


@pytest.fixture(name="document", scope="module")
def document_fixture(whole):
    status, headers, body = Http(whole.front.http_port).call("GET", "/openapi.json")
    assert status == 200 and headers["Content-Type"] == "application/json"
    return body


@pytest.fixture(name="client", scope="module")
def client_fixture(document, tmp_path_factory):
    """A folder with the TypeScript clients and the types made of the document."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    run(TOOLS / "openapi-typescript", "openapi.json", "-o", "contract.ts", folder=folder)
    for source in (ROOT / "tests/e2e/clients_ts").glob("*.ts"):
        (folder / source.name).write_text(source.read_text())
    return folder


def run(*command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compile_strictly(folder, source):
    run(TOOLS / "tsc", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext",
        "--types", "node", source, folder=folder)


def test_is_valid_and_true(whole):
    found = json.loads(run("node", ROOT / "tests/e2e/clients_js/check_openapi.mjs",
                           f"http://127.0.0.1:{whole.front.http_port}", whole.staff))
    assert found["version"].startswith("3.1") and found["valid"], found["errors"]
    assert found["lint"] == []
    assert found["wrong"] == []
    # Real answers were held against it: those of lists, of single resources, and refusals.
    statuses = [status for each in found["crawled"].values() for status in each]
    assert statuses.count(200) > 50 and {400, 401} <= set(statuses)
    assert found["crawled"]["/certification/v1/certificates/{certificate}"].count(200) >= 5


def test_holds_every_method_with_a_binding(document):
    bound = {f"{service.name}_{method.name}" for service in contract.SERVICES.values() for method in service.methods
             if contract.is_bound(method)}
    there = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}
    assert bound <= there and len(bound) > 50


def test_describes_everything_it_lists(document):
    bare = [f"{verb} {path}" for path, item in document["paths"].items() for verb, operation in item.items()
            if not operation.get("description")]
    bare += [name for name, schema in document["components"]["schemas"].items()
             if not name.startswith("google.") and not schema.get("description")]
    assert bare == []


def test_typescript_client_compiles_and_calls(whole, client):
    compile_strictly(client, "call.ts")
    seen = json.loads(run("node", "call.js", f"http://127.0.0.1:{whole.front.http_port}", whole.staff, folder=client))
    assert seen["state"] == "UNDETERMINED"
    assert len(seen["names"]) == len(set(seen["names"])) >= 7
    assert seen["created"].startswith("schemes/ts-") and seen["title"] == "Changed from TypeScript"
    assert (seen["stale"], seen["unchanged"]) == (412, 304)
    assert seen["refused"] == {"status": "NOT_FOUND", "code": 404, "reason": "RESOURCE_NOT_FOUND"}
    assert seen["outcome"] == "MATCHED"
    assert seen["spaces"] and all(name.startswith("centres/brussels/spaces/") for name in seen["spaces"])


def test_types_refuse_what_the_gateway_would(client):
    compile_strictly(client, "wrong.ts")


def test_page_needs_nothing_from_elsewhere(whole):
    port = Http(whole.front.http_port)
    status, headers, page = port.call("GET", "/docs")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "https://" not in page and "default-src 'self'" in headers["Content-Security-Policy"]
    for name, kind in (("swagger-ui-bundle.js", "text/javascript"), ("start.js", "text/javascript"),
                       ("swagger-ui.css", "text/css"), ("LICENSE", "text/plain")):
        status, headers, body = port.call("GET", f"/docs/{name}")
        assert status == 200 and headers["Content-Type"].startswith(kind) and body, name
