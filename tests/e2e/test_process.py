"""What every process is as a program: flags, ports, subcommands, health, metrics, log, and its end."""

import contextlib
import json
import os
import signal
import subprocess
import threading

import grpc
import pytest

import contract
from clients import Refused, bearer, channel, new_request_id
from fake_owner import FakeOwner, wait
from raw_grpc import RawClient
from suite import OWNER_ROLE, SERVICE_ROLE, SERVICES, Http, as_role, binaries, free_port, psql, wait_until
from table_lock import TableLock

from grpc.health.v1 import health_pb2, health_pb2_grpc  # pylint: disable=import-error
from transparency.standards.v1 import organization_pb2  # pylint: disable=import-error
from transparency.standards.v1 import standards_service_pb2_grpc as rpc  # pylint: disable=import-error

PROGRAMS = {"gateway": (7100, 7190), "certification-service": (7101, 7191), "standards-service": (7102, 7192),
            "centre-service": (7103, 7193)}
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def free_addresses(program):
    """Flags that have a program listen where nobody does: its own ports may be taken by an installation."""
    names = ["listen", "metrics_listen"] + (["http_listen"] if program == "gateway" else [])
    return [f"--{name}=127.0.0.1:{free_port()}" for name in names]


def run(program, *arguments, timeout=60):
    """Runs a program to its end: (exit code, what it said)."""
    done = subprocess.run([binaries() / program, *arguments], capture_output=True, text=True, timeout=timeout,
                          check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_tells_flags_and_default_ports(program):
    code, said = run(program, "--help")
    grpc_port, metrics_port = PROGRAMS[program]
    assert code == 0
    assert f"--listen=127.0.0.1:{grpc_port}\n" in said and f"--metrics_listen=127.0.0.1:{metrics_port}\n" in said
    for word in ("serve", "--drain_timeout=20s", "--log_level=info", "--tokens_file", "--flagfile"):
        assert word in said
    if program == "gateway":
        for word in ("--http_listen=127.0.0.1:7180", "--certification=127.0.0.1:7101", "--standards=127.0.0.1:7102",
                     "--centre=127.0.0.1:7103", "--cors_origins"):
            assert word in said
    else:
        for word in ("migrate", "check", "--database", "--max_staleness=10m"):
            assert word in said


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("arguments, named", [
    (["--no_such_flag=1"], "no_such_flag"), (["explode"], "explode"), (["--drain_timeout=soon"], "drain_timeout"),
    (["--listen=nowhere"], "nowhere"), (["--log_level=loud"], "loud"), (["--flagfile=/no/such/file"], "/no/such/file"),
    (["--log_file=/no/such/log"], "/no/such/log"), (["--log_file=/tmp"], "/tmp"),
    (["--log_file=/dev/null", "--log_file_bytes=4095"], "4096"),
    (["--log_file=/dev/null", "--log_files=0"], "1 to 1000"),
    (["serve", "more"], "more")])
def test_what_is_wrong_with_the_command_line(program, arguments, named):
    database = [] if program == "gateway" else ["--database=host=/nowhere dbname=none"]
    code, said = run(program, *free_addresses(program), *arguments, *database, timeout=20)
    assert code != 0 and named in said and len(said.splitlines()) <= 5, said


def test_taken_ports(suite):
    """Each port that another process has is named; nothing is served beside it."""
    process = suite.service("standards")
    for flag, address in (("--listen", process.address), ("--metrics_listen", f"127.0.0.1:{process.metrics_port}")):
        code, said = run("standards-service", f"--database={suite.database('standards')}",
                         f"--listen=127.0.0.1:{free_port()}", f"--metrics_listen=127.0.0.1:{free_port()}",
                         f"{flag}={address}")
        assert code != 0 and address in said and "in use" in said.lower(), said
    front = suite.gateway(standards=process)
    code, said = run("gateway", f"--listen=127.0.0.1:{free_port()}", f"--metrics_listen=127.0.0.1:{free_port()}",
                     f"--http_listen=127.0.0.1:{front.http_port}")
    assert code != 0 and f"127.0.0.1:{front.http_port}" in said, said
    assert process.probe("/readyz") == 200 and front.probe("/readyz") == 200


def test_flagfile(suite):
    """Flags from a file, as a unit of a service manager would give them."""
    port, metrics_port = free_port(), free_port()
    flags = suite.directory / "flags"
    flags.write_text(f"# standards\n--listen=127.0.0.1:{port}\n--metrics_listen=127.0.0.1:{metrics_port}\n"
                     f"--database={suite.database('standards')}\n--tokens_file={suite.tokens_file}\n")
    from suite import Process
    process = Process("standards-service", [binaries() / "standards-service", f"--flagfile={flags}"],
                      suite.directory / "flagged.log", port, metrics_port)
    suite.processes.append(process)
    process.start()
    RawClient(process).call("standards", "ListStandards")


@pytest.mark.parametrize("service", SERVICES)
def test_migrate_twice_and_check(suite, service):
    conninfo = suite.database(service)

    def schema():
        return psql(conninfo, "SELECT table_name, column_name, data_type FROM information_schema.columns "
                              "WHERE table_schema = 'public' ORDER BY 1, 2") + psql(
                                  conninfo, "SELECT * FROM schema_migrations ORDER BY 1, 2")
    before = schema()
    suite.run(service, "migrate", f"--database={conninfo}")
    assert schema() == before
    suite.run(service, "check", f"--database={conninfo}")
    process = suite.service(service)
    suite.seed(service, process)
    suite.seed(service, process)
    suite.run(service, "check", f"--database={conninfo}")
    assert int(psql(conninfo, "SELECT count(*) FROM journal")[0][0]) > 3


RIGHTS = """SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)
FROM information_schema.table_privileges WHERE grantee = '%s' GROUP BY 1"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_read_and_write_and_touch_no_history(suite, service):
    """What `migrate --service_role` gives, and that all of a service's work can be done with it."""
    conninfo = suite.database(service)
    rights = dict(psql(conninfo, RIGHTS % SERVICE_ROLE))
    assert rights.pop("schema_migrations") == "SELECT"
    assert rights.pop("journal") == "INSERT SELECT"
    rights.pop("secret", None)
    assert len(rights) > 4 and set(rights.values()) == {"DELETE INSERT SELECT UPDATE"}, rights
    assert psql(conninfo, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [[OWNER_ROLE]]
    own = as_role(conninfo, SERVICE_ROLE)
    for statement in ("ALTER TABLE journal DISABLE TRIGGER ALL", "UPDATE journal SET actor = 'other'",
                      "DELETE FROM journal", "TRUNCATE journal CASCADE", "TRUNCATE personal", "DROP TABLE personal",
                      "CREATE TABLE mine (n int)", "CREATE TEMPORARY TABLE mine (n int)",
                      "UPDATE schema_migrations SET suits = 1"):
        with pytest.raises(RuntimeError, match="permission denied|must be owner"):
            psql(own, statement)
    process = suite.service(service)
    suite.seed(service, process)
    suite.run(service, "check", f"--database={own}")
    # Not even a defect of ours could be told from an intruder: nothing was refused.
    assert "permission denied" not in process.log.read_text()


def test_migrate_says_which_role_cannot_serve(suite):
    conninfo = suite.database("standards")
    for role, said in (("nobody_known", "nobody_known"), (OWNER_ROLE, "could change the schema"),
                       ("postgres", "could change the schema")):
        done = suite.run("standards", "migrate", f"--database={as_role(conninfo, OWNER_ROLE)}",
                         f"--service_role={role}", check=False)
        assert done.returncode != 0 and said in done.stderr, done.stderr
    done = suite.run("standards", "migrate", f"--database={as_role(conninfo, SERVICE_ROLE)}", check=False)
    assert done.returncode != 0 and "may not change the schema" in done.stderr, done.stderr


def test_seeding_leaves_deleted_what_was_deleted(suite):
    """A sample that staff deleted does not come back, nor does it stop the others."""
    process = suite.service("standards")
    suite.seed("standards", process)
    client = RawClient(process)
    for kind, name in (("Membership", "organizations/ietf/memberships/huawei"), ("Organization", "organizations/ietf"),
                       ("Publication", "publications/white-paper-5g-security")):
        client.call("standards", f"Delete{kind}", suite.staff, name=name)
    conninfo = suite.database("standards")
    count = "SELECT count(*), count(delete_time) FROM organizations"
    before = psql(conninfo, count)
    done = suite.seed("standards", process)
    assert "0 created" in done.stdout and "4 left deleted" in done.stdout, done.stdout
    assert psql(conninfo, count) == before
    suite.run("standards", "check", f"--database={conninfo}")


def test_check_finds_what_was_changed_by_hand(suite):
    conninfo = suite.database("standards")
    suite.seed("standards", suite.service("standards"))
    for harm in ("UPDATE organizations SET display_name = 'other' WHERE name = 'organizations/ietf'",
                 "UPDATE organizations SET body = (SELECT body FROM organizations WHERE name = 'organizations/etsi') "
                 "WHERE name = 'organizations/ietf'",
                 "DELETE FROM publications",
                 "ALTER TABLE journal DISABLE TRIGGER ALL; UPDATE journal SET actor = 'other' WHERE revision = 2",
                 "ALTER TABLE journal DISABLE TRIGGER ALL; DELETE FROM journal WHERE revision = 3"):
        suite.run("standards", "check", f"--database={conninfo}")
        copy = f"{conninfo.split('dbname=')[1]}_copy"
        name = conninfo.split("dbname=")[1]
        for process in suite.processes:
            process.stop()
        psql(conninfo.replace(name, "postgres"), f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
        try:
            harmed = conninfo.replace(name, copy)
            psql(harmed, harm)
            done = suite.run("standards", "check", f"--database={harmed}", check=False)
            assert done.returncode != 0 and done.stdout + done.stderr, harm
        finally:
            psql(conninfo.replace(name, "postgres"), f'DROP DATABASE "{copy}" WITH (FORCE)')


def test_serve_says_what_is_wrong_with_its_database(suite, tmp_path):
    empty = f"e2e_empty_{suite.id}"
    conninfo = suite.database("standards")
    name = conninfo.split("dbname=")[1]
    psql(conninfo, f'CREATE DATABASE "{empty}"')
    try:
        code, said = run("standards-service", "serve", f"--database={conninfo.replace(name, empty)}",
                         f"--listen=127.0.0.1:{free_port()}", f"--metrics_listen=127.0.0.1:{free_port()}")
        assert code != 0 and "migrate" in said, said
    finally:
        psql(conninfo, f'DROP DATABASE "{empty}" WITH (FORCE)')
    code, said = run("standards-service", "migrate", f"--database=host={tmp_path} dbname=none")
    assert code != 0 and said
    code, said = run("standards-service", "check", f"--database=host={tmp_path} dbname=none")
    assert code != 0 and said


@pytest.mark.parametrize("name", [*SERVICES, "gateway"])
def test_health(whole, name):
    process = whole.front if name == "gateway" else whole.owners[name]
    stub = health_pb2_grpc.HealthStub(channel(process))
    for service in ("", contract.SERVICES[name].full_name):
        assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status == SERVING
    with Refused(grpc.StatusCode.NOT_FOUND):
        stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=20)
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)
    assert next(watch).status == SERVING
    watch.cancel()
    assert process.page("/healthz")[0] == process.page("/readyz")[0] == 200
    assert process.page("/nothing")[0] == 404


# Families that operators and alert rules rely on.
EVERY_PROCESS = {"rpc_calls_total": "counter", "rpc_call_seconds": "histogram", "rpc_calls_running": "gauge",
                 "rpc_read_queue_length": "gauge", "rpc_read_queue_refused_total": "counter"}
SERVICE = {"transparency_writer_queue_length": "gauge", "transparency_writer_batches_total": "counter",
           "transparency_writer_batch_commands": "histogram", "transparency_writer_constraint_hits_total": "counter",
           "transparency_journal_revision": "gauge", "transparency_journal_lag_entries": "gauge",
           "transparency_journal_staleness_seconds": "gauge", "transparency_clock_offset_seconds": "gauge",
           "transparency_journal_read_queue_length": "gauge", "transparency_watches": "gauge",
           "transparency_watch_events_total": "counter", "transparency_watch_cut_off_total": "counter",
           "transparency_watch_old_reads_total": "counter", "transparency_watch_kept_entries": "gauge",
           "transparency_watch_behind_entries": "gauge"}
GATEWAY = {"http_requests_total": "counter", "http_request_seconds": "histogram", "http_connections": "gauge"}


@pytest.mark.parametrize("name", [*SERVICES, "gateway"])
def test_metrics(whole, name):
    process = whole.front if name == "gateway" else whole.owners[name]
    service = "certification" if name == "gateway" else name
    method = {"certification": "ListSchemes", "standards": "ListStandards", "centre": "ListCentres"}[service]
    RawClient(process).call(service, method)
    Http(whole.front.http_port).call("GET", "/certification/v1/schemes")
    status, text = process.page("/metrics")
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    for family, kind in {**EVERY_PROCESS, **(GATEWAY if name == "gateway" else SERVICE)}.items():
        assert kinds.get(family) == kind, family
        assert f"# HELP {family} " in text
    assert status == 200
    assert process.metric("rpc_calls_total", code="OK") >= 1
    if name != "gateway":
        assert process.metric("transparency_journal_staleness_seconds") < 60
        assert process.metric("transparency_journal_lag_entries") == 0
        assert abs(process.metric("transparency_clock_offset_seconds")) < 60
    else:
        assert process.metric("http_requests_total") >= 1


def test_metrics_count_by_method_and_code(whole):
    process = whole.owners["centre"]
    client = RawClient(process)
    before = process.metric("rpc_calls_total", code="NOT_FOUND")
    for _ in range(3):
        client.refused("centre", "GetCentre", name="centres/none")
    assert process.metric("rpc_calls_total", code="NOT_FOUND") == before + 3
    # Names that callers make up do not become series.
    for number in range(5):
        client.refusal(f"/made.up.S{number}/M{number}", b"")
    assert "made.up" not in process.page("/metrics")[1]


def test_log(suite):
    process = suite.service("standards")
    front = suite.gateway(standards=process)
    client, web = RawClient(front), Http(front.http_port, suite.staff)
    trace, request_id = "ab" * 16, "mine-6"

    def lines(of):
        return [json.loads(line) for line in of.log.read_text().splitlines()]
    client.call("standards", "ListStandards")
    client.call("standards", "ListOrganizations")
    web.call("GET", "/standards/v1/standards")
    started = {of.name: len([l for l in lines(of) if l.get("message") in ("call", "http request")])
               for of in (process, front)}
    assert started == {process.name: 0, front.name: 0}
    client.raw(contract.path("standards", "CreateOrganization"), contract.request(
        "standards", "CreateOrganization", organization_id="logged", organization={"display_name": "L"}
    ).SerializeToString(), suite.staff, [("x-request-id", request_id), ("traceparent", f"00-{trace}-{'cd' * 8}-01")])

    def lines_of_call(of, call):
        """A line is written once its answer is out: it may come a moment after."""
        return wait_until(lambda: [line for line in lines(of) if line.get("request_id") == call], "the call's line")
    written = lines_of_call(process, request_id)
    assert len(written) == 1
    assert written[0]["trace_id"] == trace and written[0]["code"] == "OK" and written[0]["caller"] == "staff-member"
    assert written[0]["method"].endswith("CreateOrganization") and written[0]["level"] == "info" and written[0]["time"]
    # A write by JSON can be followed from door to owner.
    web.call("POST", "/standards/v1/organizations?organizationId=by-web", {"displayName": "W"},
             {"X-Request-Id": "mine-7", "traceparent": f"00-{trace}-{'cd' * 8}-01"})
    for of in (process, front):
        line, = lines_of_call(of, "mine-7")
        assert line["trace_id"] == trace
    # Refusals have a line, without what the caller sent.
    client.refused("standards", "ListStandards", filter="nope = secret-word")
    client.refused("standards", "GetStandard", name="standards/secret-word")
    for of in (process, front):
        assert "secret-word" not in of.log.read_text()


def test_log_file(suite, tmp_path):
    """The log in a file of its own, within bounds: nothing of it on standard error, and no line lost on the way."""
    file = tmp_path / "own.log"
    process = suite.service("standards", f"--log_file={file}", "--log_file_bytes=20000", "--log_files=2")
    client = RawClient(process)

    def logged():
        """The calls whose lines are kept. A line is written once its answer is out."""
        texts = [path.read_text() for path in (tmp_path / "own.log.2", tmp_path / "own.log.1", file) if path.exists()]
        lines = [json.loads(line) for line in "".join(texts).splitlines()]
        return {line["request_id"] for line in lines if "request_id" in line}

    def refuse(numbers):
        for number in numbers:
            client.refusal(contract.path("standards", "GetStandard"), contract.request(
                "standards", "GetStandard", name="standards/none").SerializeToString(), suite.staff,
                [("x-request-id", f"call-{number}")])
    refuse(range(100))
    wait_until(lambda: logged() == {f"call-{number}" for number in range(100)}, "every line")
    assert (tmp_path / "own.log.1").exists()
    refuse(range(100, 400))
    wait_until(lambda: "call-399" in logged(), "the last line")
    assert sorted(path.name for path in tmp_path.glob("own.log*")) == ["own.log", "own.log.1", "own.log.2"]
    assert all(path.stat().st_size <= 20000 for path in tmp_path.glob("own.log*"))
    assert process.log.read_text() == ""


def test_a_log_that_nobody_reads_holds_nothing_up(suite, tmp_path):
    """Standard error is a pipe that is full: changes are answered all the same, and the log says what is missing."""
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        process = suite.service("standards", wrap=("sh", "-c", f'exec "$@" 2>"{fifo}"', "sh"))
        stub = rpc.StandardsServiceStub(channel(process))

        def create(name):
            request = organization_pb2.CreateOrganizationRequest(
                organization_id=name, organization=organization_pb2.Organization(display_name=name))
            stub.CreateOrganization(request, timeout=20, metadata=bearer(suite.staff))

        def written():
            text = b""
            with contextlib.suppress(BlockingIOError):
                while chunk := os.read(reader, 1 << 16):
                    text += chunk
            return [json.loads(line) for line in text.decode().splitlines()]
        for number in range(500):
            create(f"unread-{number}")
        calls = [line for line in written() if line["message"] == "call"]
        assert 50 < len(calls) < 500
        create("read-again")
        seen = []
        wait_until(lambda: seen.extend(written()) or any(line["message"] == "call" for line in seen), "the next line")
        missing, = (line["message"] for line in seen if "were dropped" in line["message"])
        assert len(calls) + int(missing.split()[0]) >= 500
    finally:
        os.close(reader)


def test_drains_while_a_slow_call_runs(suite):
    """A call that runs when SIGTERM comes is answered; new ones are refused; then the process ends."""
    conninfo = suite.database("standards")
    process = suite.service("standards")
    stub = rpc.StandardsServiceStub(channel(process))
    health = health_pb2_grpc.HealthStub(channel(process))
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
    assert next(watch).status == SERVING
    table = TableLock(conninfo, "organizations")
    request = organization_pb2.CreateOrganizationRequest(
        organization_id="slow", organization={"display_name": "S"}, request_id=new_request_id())
    pending = stub.CreateOrganization.future(request, metadata=bearer(suite.staff), timeout=60)
    table.wait_until_met()
    process.signal(signal.SIGTERM)
    # Health says so first, while the call still runs.
    assert next(watch).status == NOT_SERVING
    assert process.probe("/readyz") in (0, 503)
    assert not pending.done()
    table.release()
    assert pending.result(timeout=60).name == "organizations/slow"
    assert process.popen.wait(60) == 0
    assert psql(conninfo, "SELECT count(*) FROM organizations") == [["1"]]


def test_gateway_drains_too(suite):
    release = threading.Event()

    def slow(messages, _, seen):
        next(iter(messages), None)
        while not release.wait(0.05) and not seen.cancelled.is_set():
            pass
        yield b""
    owner = FakeOwner(GetCertificate=slow, GetScheme=wait)
    try:
        front = suite.gateway(certification=owner.address, ready=False)
        client = RawClient(front)
        grpc.channel_ready_future(client.channel).result(60)
        pending = client.channel.unary_unary(contract.path("certification", "GetCertificate")).future(b"", timeout=60)
        assert owner.arrived.wait(20)
        answers = []
        web = threading.Thread(target=lambda: answers.append(
            Http(front.http_port).call("GET", "/certification/v1/certificates/x")))
        web.start()
        wait_until(lambda: len(owner.calls) == 2, "both calls to be under way")
        front.signal(signal.SIGTERM)
        wait_until(lambda: front.probe("/readyz") != 200, "the gateway to drain")
        release.set()
        pending.result(timeout=60)
        web.join(60)
        assert answers[0][0] == 200
        assert front.popen.wait(60) == 0
    finally:
        release.set()
        owner.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_idle(suite, number):
    process = suite.service("standards")
    process.signal(number)
    assert process.popen.wait(20) == 0


def test_tokens_are_read_again(suite):
    process = suite.service("centre")
    client = RawClient(process)
    token = suite.add_token("late-comer", "-")
    wait_until(lambda: try_list(client, token), "the new token to be known")


def try_list(client, token):
    try:
        return client.call("centre", "ListBookings", token, parent="centres/-") is not None
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        return False
