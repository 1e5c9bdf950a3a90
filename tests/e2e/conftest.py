"""Fixtures: generated clients, the suite's processes."""

import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import suite as suite_module  # noqa: E402

GRPC_PROTOS = "/usr/share/grpc-proto"


def generate_stubs(directory):
    """Python messages and stubs of the whole contract, made by protoc and grpc's own plugin."""
    google = suite_module.ROOT / "node_modules/google-proto-files"
    own = sorted(str(path) for path in (suite_module.ROOT / "protos").rglob("*.proto"))
    imported = [str(google / "google" / part) for part in (
        "api/annotations.proto", "api/client.proto", "api/field_behavior.proto", "api/http.proto",
        "api/launch_stage.proto", "api/resource.proto", "api/field_info.proto", "rpc/status.proto",
        "rpc/error_details.proto", "rpc/code.proto", "type/date.proto", "type/money.proto",
        "type/datetime.proto", "type/dayofweek.proto", "type/timeofday.proto", "type/interval.proto")]
    own_of_grpc = [f"{GRPC_PROTOS}/grpc/{part}.proto" for part in (
        "health/v1/health", "reflection/v1/reflection", "reflection/v1alpha/reflection")]
    subprocess.run(["protoc", f"-I{suite_module.ROOT / 'protos'}", f"-I{google}", f"-I{GRPC_PROTOS}",
                    f"--python_out={directory}", f"--grpc_python_out={directory}",
                    "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin", *own, *imported, *own_of_grpc],
                   check=True)
    import google as google_namespace
    import grpc as grpc_namespace
    google_namespace.__path__.append(str(directory / "google"))
    grpc_namespace.__path__.append(str(directory / "grpc"))
    sys.path.insert(0, str(directory))


def pytest_configure(config):  # pylint: disable=unused-argument
    stubs = pathlib.Path(suite_module.binaries()).parent / "python"
    stubs.mkdir(parents=True, exist_ok=True)
    generate_stubs(stubs)


@pytest.fixture
def suite(tmp_path):
    """An empty suite: start what the test needs."""
    made = suite_module.Suite(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All four processes with the sample facts, shared by the tests of a module."""
    made = suite_module.Suite(tmp_path_factory.mktemp("whole"))
    made.owners = {name: made.service(name) for name in suite_module.SERVICES}
    for name, process in made.owners.items():
        made.seed(name, process)
    made.front = made.gateway(**made.owners)
    yield made
    made.close()
