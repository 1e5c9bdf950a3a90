"""What must hold when processes, connections and the database fail."""

import signal
import threading

import grpc
import pytest

from clients import Refused, bearer, channel, new_request_id, reason, revision
from gate import Gate, unix_socket_of
from suite import free_port, psql, server_conninfo, wait_until

from transparency.standards.v1 import organization_pb2 as pb  # pylint: disable=import-error
from transparency.standards.v1 import standards_service_pb2_grpc as rpc  # pylint: disable=import-error


def create_request(identifier, request_id=""):
    request = pb.CreateOrganizationRequest(organization_id=identifier, request_id=request_id)
    request.organization.display_name = f"Organization {identifier}"
    return request


def create(stub, token, identifier, request_id="", timeout=20):
    return stub.CreateOrganization(create_request(identifier, request_id), metadata=bearer(token), timeout=timeout)


def database_name(conninfo):
    return dict(part.split("=", 1) for part in conninfo.split())["dbname"]


def assert_journal_whole(suite, conninfo):
    """Dense from 0, and `check` finds nothing."""
    rows = psql(conninfo, "SELECT count(*), coalesce(max(revision), -1) + 1 FROM journal")
    assert rows[0][0] == rows[0][1]
    suite.run("standards", "check", f"--database={conninfo}")


@pytest.fixture(name="gated")
def gated_fixture(suite):
    """One replica of standards-service behind a gate, another directly at the database."""
    conninfo = suite.database("standards")
    gate = Gate(free_port(), unix_socket_of(conninfo))
    suite.gate = gate
    suite.replica = suite.service("standards", database=gate.conninfo(database_name(conninfo)))
    suite.other = suite.service("standards")
    suite.stub = rpc.StandardsServiceStub(channel(suite.replica))
    suite.other_stub = rpc.StandardsServiceStub(channel(suite.other))
    yield suite
    gate.reopen()
    suite.close()
    suite.processes.clear()
    gate.close()


def test_kill_while_clients_write(suite):
    conninfo = suite.database("standards")
    victim, survivor = suite.service("standards"), suite.service("standards")
    acknowledged, unsure = {}, []
    lock = threading.Lock()
    enough = threading.Event()

    def write(worker):
        stub = rpc.StandardsServiceStub(channel(victim))
        for number in range(10000):
            identifier, request_id = f"w{worker}-{number}", new_request_id()
            try:
                answer = create(stub, suite.staff, identifier, request_id)
            except grpc.RpcError:
                with lock:
                    unsure.append((identifier, request_id))
                return
            with lock:
                acknowledged[identifier] = (request_id, answer)
                if len(acknowledged) >= 200:
                    enough.set()

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    assert enough.wait(60)
    victim.kill()
    for worker in workers:
        worker.join()

    stub = rpc.StandardsServiceStub(channel(survivor))
    # What was in flight is asked again under the same request_id, elsewhere: done once, whichever way it went.
    for identifier, request_id in unsure:
        acknowledged[identifier] = (request_id, create(stub, suite.staff, identifier, request_id))
    # A repeated request gets the first answer, from another replica too.
    for identifier, (request_id, answer) in list(acknowledged.items())[::17]:
        assert create(stub, suite.staff, identifier, request_id) == answer
    rows = psql(conninfo, "SELECT name, count(*) FROM journal GROUP BY name")
    assert {name.removeprefix("organizations/"): count for name, count in rows} == dict.fromkeys(acknowledged, "1")
    assert_journal_whole(suite, conninfo)


def test_another_body_under_a_request_id_is_refused(suite):
    process = suite.service("standards")
    stub = rpc.StandardsServiceStub(channel(process))
    request_id = new_request_id()
    create(stub, suite.staff, "first", request_id)
    with Refused(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        create(stub, suite.staff, "second", request_id)


def test_frozen_writer_inside_the_lock(suite):
    conninfo = suite.database("standards")
    frozen, other = suite.service("standards"), suite.service("standards")
    stub, other_stub = (rpc.StandardsServiceStub(channel(process)) for process in (frozen, other))
    create(stub, suite.staff, "before")
    # A lock on the table stops the first replica inside its transaction, after it took the order lock.
    import subprocess
    blocker = subprocess.Popen(["psql", "-XAtq", "-d", conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    blocker.stdin.write("BEGIN; LOCK TABLE organizations IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
    blocker.stdin.flush()
    assert blocker.stdout.readline().strip() == "locked"
    pending = stub.CreateOrganization.future(create_request("frozen"), metadata=bearer(suite.staff), timeout=60)
    wait_until(lambda: psql(conninfo, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                      "wait_event = 'relation' AND datname = current_database()"),
               "the writer to wait inside its transaction")
    frozen.signal(signal.SIGSTOP)
    try:
        blocker.stdin.write("COMMIT;\n")
        blocker.stdin.close()
        blocker.wait()
        create(other_stub, suite.staff, "after", timeout=10)
    finally:
        frozen.signal(signal.SIGCONT)
    # The woken writer finds its session gone and answers truthfully.
    try:
        pending.result(timeout=60)
        done = True
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN), error
        done = error.code() == grpc.StatusCode.UNKNOWN and None
    there = bool(psql(conninfo, "SELECT 1 FROM organizations WHERE name = 'organizations/frozen'"))
    assert done is None or done == there
    create(stub, suite.staff, "again")
    assert_journal_whole(suite, conninfo)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("with_request_id", [True, False])
def test_connection_cut_at_commit(gated, when, with_request_id):
    conninfo = gated.database("standards")
    create(gated.stub, gated.staff, "first")
    gated.gate.cut_next_commit(when)
    request_id = new_request_id() if with_request_id else ""
    try:
        create(gated.stub, gated.staff, "cut", request_id)
        told = True
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, (error.code(), error.details())
        told = False
    assert gated.gate.cuts == 1
    there = bool(psql(conninfo, "SELECT 1 FROM organizations WHERE name = 'organizations/cut'"))
    assert told == there
    assert when == "before" or told
    if with_request_id:
        answer = create(gated.other_stub, gated.staff, "cut", request_id)
        assert create(gated.stub, gated.staff, "cut", request_id) == answer
    assert psql(conninfo, "SELECT count(*) FROM journal WHERE name = 'organizations/cut'")[0][0] in (
        ("1",) if told or with_request_id else ("0",))
    assert_journal_whole(gated, conninfo)


def test_database_away_and_back(gated):
    create(gated.stub, gated.staff, "kept")
    gated.gate.shut()
    assert gated.stub.GetOrganization(pb.GetOrganizationRequest(name="organizations/kept"), timeout=5).name
    with Refused(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE") as refused:
        create(gated.stub, gated.staff, "lost", timeout=20)
    assert "RetryInfo" in refused.details
    assert gated.replica.probe("/healthz") == 200
    gated.gate.reopen()

    def recovered():
        try:
            return create(gated.stub, gated.staff, "after", new_request_id())
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            return None
    assert wait_until(recovered, "writes to go on").name == "organizations/after"
    create(gated.other_stub, gated.staff, "elsewhere")
    wait_until(lambda: is_there(gated.stub, "elsewhere"), "the replica to follow again")
    assert not is_there(gated.stub, "lost")


def is_there(stub, identifier):
    try:
        stub.GetOrganization(pb.GetOrganizationRequest(name=f"organizations/{identifier}"), timeout=5)
        return True
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
        return False


def test_database_put_back_to_an_older_state(gated):
    conninfo = gated.database("standards")
    name = database_name(conninfo)
    create(gated.stub, gated.staff, "old")
    gated.other.stop()

    def quiesce():
        gated.gate.shut()
        psql(server_conninfo(), f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        wait_until(lambda: psql(server_conninfo(), f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
                   == [["0"]], "sessions to end")

    quiesce()
    psql(server_conninfo(), f'CREATE DATABASE "{name}_old" TEMPLATE "{name}"')
    gated.gate.reopen()
    wait_until(lambda: try_create(gated.stub, gated.staff, "lost-in-restore"), "writes to go on")
    _, call = gated.stub.GetOrganization.with_call(
        pb.GetOrganizationRequest(name="organizations/lost-in-restore"), timeout=5)
    _, number, digest = revision(call)
    quiesce()
    psql(server_conninfo(), f'DROP DATABASE "{name}"')
    psql(server_conninfo(), f'ALTER DATABASE "{name}_old" RENAME TO "{name}"')
    gated.gate.reopen()

    wait_until(lambda: not is_there_or_stale(gated.stub, "lost-in-restore"), "the replica to load again")
    assert is_there(gated.stub, "old")
    wait_until(lambda: try_create(gated.stub, gated.staff, "other-history"), "writes to go on")
    with Refused(grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED"):
        gated.stub.GetOrganization(pb.GetOrganizationRequest(name="organizations/old"), timeout=10,
                                   metadata=[("x-min-revision", f"standards={number}.{digest}")])
    assert_journal_whole(gated, conninfo)


def is_there_or_stale(stub, identifier):
    try:
        return is_there(stub, identifier)
    except AssertionError:
        return True


def try_create(stub, token, identifier):
    try:
        return create(stub, token, identifier, timeout=10)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return None


def test_replicas_follow_and_honour_min_revision(suite):
    suite.database("standards")
    one, two = suite.service("standards"), suite.service("standards")
    stubs = [rpc.StandardsServiceStub(channel(process)) for process in (one, two)]
    for number in range(50):
        writer, reader = stubs[number % 2], stubs[1 - number % 2]
        _, call = writer.CreateOrganization.with_call(create_request(f"o{number}"), metadata=bearer(suite.staff),
                                                      timeout=10)
        token = dict(call.initial_metadata())["x-revision"]
        answer = reader.GetOrganization(pb.GetOrganizationRequest(name=f"organizations/o{number}"), timeout=10,
                                        metadata=[("x-min-revision", token)])
        assert answer.name == f"organizations/o{number}"
    _, number, digest = revision(call)
    with Refused(grpc.StatusCode.OUT_OF_RANGE, "REVISION_ABOVE_HEAD"):
        stubs[0].GetOrganization(pb.GetOrganizationRequest(name="organizations/o1"), timeout=20,
                                 metadata=[("x-min-revision", f"standards={number + 1000}.{digest}")])
    with Refused(grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED"):
        stubs[0].GetOrganization(pb.GetOrganizationRequest(name="organizations/o1"), timeout=20,
                                 metadata=[("x-min-revision", f"standards={number}.00000000")])
    with Refused(grpc.StatusCode.INVALID_ARGUMENT):
        stubs[0].GetOrganization(pb.GetOrganizationRequest(name="organizations/o1"), timeout=20,
                                 metadata=[("x-min-revision", "nonsense")])


def test_no_call_is_lost_when_a_process_drains(suite):
    suite.database("standards")
    process = suite.service("standards")
    stub = rpc.StandardsServiceStub(channel(process))
    outcomes = []
    going = threading.Event()

    def write(worker):
        for number in range(100000):
            try:
                create(stub, suite.staff, f"d{worker}-{number}")
            except grpc.RpcError as error:
                outcomes.append((error.code(), reason(error), error.details()))
                return
            if number == 20:
                going.set()

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    assert going.wait(60)
    assert process.stop() == 0
    for worker in workers:
        worker.join()
    # Each caller was told that the call that met the end was not done.
    assert {code for code, _, _ in outcomes} == {grpc.StatusCode.UNAVAILABLE}, outcomes
    answered = psql(suite.database("standards"), "SELECT count(*) FROM organizations")
    assert int(answered[0][0]) >= 80


