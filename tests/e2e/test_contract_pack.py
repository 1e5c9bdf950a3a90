"""The contract pack: what it holds, and that clients made of nothing else call a running suite."""

import concurrent.futures
import json
import os
import shutil
import subprocess
import tarfile

import pytest
from google.protobuf import descriptor_pb2

import contract
from suite import ROOT, Http, binaries

from google.rpc import code_pb2  # pylint: disable=import-error

CLIENTS = ROOT / "tests/e2e/clients_pack"
NAMES = ("certificates/emui-10-eprivacyseal", "certificates/none")
EXPECTED = ["certificates/emui-10-eprivacyseal UNDETERMINED", "5 RESOURCE_NOT_FOUND"]


def run(*command, folder=None, **environment):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=600,
                          check=False, env=dict(os.environ, **environment))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="pack", scope="module")
def pack_fixture(tmp_path_factory):
    """The pack, taken from its archive, far from the checkout."""
    folder = tmp_path_factory.mktemp("pack")
    run(ROOT / "deploy/contract", folder / "made/contract", TRANSPARENCY_BIN_DIR=str(binaries()))
    with tarfile.open(folder / "made/contract.tar.gz") as archive:
        archive.extractall(folder)
    shutil.rmtree(folder / "made")
    return folder / "contract"


def protos(pack, *roots):
    return sorted(str(path.relative_to(pack / "include")) for root in roots
                  for path in (pack / "include" / root).rglob("*.proto"))


def imports_of(pack, proto):
    """The proto and all it imports, but for protobuf's own."""
    seen, todo = set(), [proto]
    while todo:
        file = todo.pop()
        if file in seen or file.startswith("google/protobuf/"):
            continue
        seen.add(file)
        for line in (pack / "include" / file).read_text().splitlines():
            if line.startswith("import "):
                todo.append(line.split('"')[1])
    return sorted(seen)


def test_protoc_needs_nothing_else(pack, tmp_path):
    # --include_imports fails where an import is missing; protoc's own folder is not asked.
    everything = protos(pack, "transparency", "google", "grpc")
    run("protoc", f"-I{pack}/include", "--include_imports", f"--descriptor_set_out={tmp_path}/set", *everything)
    assert {"google/protobuf/timestamp.proto", "google/rpc/error_details.proto",
            "grpc/health/v1/health.proto"} <= set(everything)
    ours = {str(path.relative_to(ROOT / "protos")) for path in (ROOT / "protos").rglob("*.proto")}
    assert ours == set(protos(pack, "transparency"))


def test_descriptors_bear_comments(pack):
    files = descriptor_pb2.FileDescriptorSet.FromString((pack / "descriptors.binpb").read_bytes()).file
    commented = {file.name for file in files for location in file.source_code_info.location
                 if location.leading_comments}
    assert set(protos(pack, "transparency")) <= commented


def test_service_config_retries_what_has_no_side_effects(pack):
    config = json.loads((pack / "service_config.json").read_text())
    retried = {(name["service"], name["method"]) for entry in config["methodConfig"] if "retryPolicy" in entry
               for name in entry["name"]}
    named = {(name["service"], name["method"]) for entry in config["methodConfig"] for name in entry["name"]}
    for service in contract.SERVICES.values():
        for method in service.methods:
            key = (service.full_name, method.name)
            reads = method.GetOptions().idempotency_level == method.GetOptions().NO_SIDE_EFFECTS
            assert (key in retried) == reads, key
            assert key in named
    assert all(entry.get("retryPolicy", {}).get("retryableStatusCodes", ["UNAVAILABLE"]) == ["UNAVAILABLE"]
               for entry in config["methodConfig"])


def test_every_reason_has_codes_a_meaning_and_advice(pack):
    reasons = json.loads((pack / "reasons.json").read_text())
    for reason in reasons:
        assert reason["codes"] and set(reason["codes"]) <= set(code_pb2.Code.keys()), reason
        assert reason["meaning"] and reason["advice"], reason
        assert reason["domain"] == "any" or reason["domain"].split(".")[0] in contract.SERVICES
        assert f"| {reason['reason']} |" in (pack / "reasons.md").read_text()
    assert len(reasons) > 50


def test_limits_are_those_of_the_running_code(pack, whole):
    limits = json.loads((pack / "limits.json").read_text())
    by_name = {row["limit"]: row["value"] for row in limits["limits"]}
    fields = {row["field"]: row for row in limits["fields"]}
    assert by_name["page size, cap"] == 1000 and by_name["gRPC: request message"] == 1 << 20
    most = fields["transparency.certification.v1.ListCertificatesRequest.filter"]["max_length"]
    for length, expected in ((most, "QUERY_INVALID"), (most + 1, "INVALID_FIELDS")):
        status, _, body = Http(whole.front.http_port).call(
            "GET", f"/certification/v1/certificates?filter={'(' * length}")
        assert status == 400 and body["error"]["details"][0]["reason"] == expected


def test_python_client(pack, whole, tmp_path):
    run("protoc", f"-I{pack}/include", f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}",
        "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
        *protos(pack, "transparency", "google/api", "google/rpc", "google/type"))
    said = run("/usr/bin/python3", CLIENTS / "client.py", tmp_path, whole.front.address, pack / "service_config.json",
               *NAMES)
    assert said.splitlines() == EXPECTED


def test_typescript_client(pack, whole, tmp_path):
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "generated").mkdir()
    run("protoc", f"-I{pack}/include", f"--es_out={tmp_path}/generated", "--es_opt=target=ts,import_extension=js",
        f"--plugin=protoc-gen-es={ROOT}/node_modules/.bin/protoc-gen-es",
        *protos(pack, "transparency", "google/api", "google/rpc", "google/type"))
    shutil.copy(CLIENTS / "client.ts", tmp_path)
    run(ROOT / "node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node",
        "client.ts", folder=tmp_path)
    assert run("node", "client.js", whole.front.address, *NAMES, folder=tmp_path).splitlines() == EXPECTED


def test_cpp_client(pack, whole, tmp_path):
    needed = imports_of(pack, "transparency/certification/v1/certification_service.proto")
    needed += ["google/rpc/error_details.proto", "google/rpc/status.proto"]
    run("protoc", f"-I{pack}/include", f"--cpp_out={tmp_path}", *needed)
    run("protoc", f"-I{pack}/include", f"--grpc_out={tmp_path}", "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin",
        "transparency/certification/v1/certification_service.proto")
    shutil.copy(CLIENTS / "client.cc", tmp_path)
    # Paths are relative: what was compiled once is found again, wherever the folder is.
    compiler = (["ccache"] if shutil.which("ccache") else []) + ["g++", "-std=c++17", "-O0", "-g0", "-I."]
    sources = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.cc"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda source: run(*compiler, "-c", source, "-o", source[:-3] + ".o", folder=tmp_path), sources))
    libraries = run("pkg-config", "--libs", "grpc++", "protobuf").split()
    run("g++", *(source[:-3] + ".o" for source in sources), "-o", "client", *libraries, folder=tmp_path)
    said = run(tmp_path / "client", whole.front.address, pack / "service_config.json", *NAMES)
    assert said.splitlines() == EXPECTED
