"""What must hold when processes, connections and the database fail."""

import itertools
import json
import signal
import threading

import grpc
import pytest

from clients import Refused, bearer, channel, details, new_request_id, reason, revision
from cluster import Cluster
from gate import Gate, unix_socket_of
from suite import free_port, psql, select_pause, server_conninfo, wait_until
from table_lock import TableLock

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


def written(conninfo):
    """How often each organization is in the journal; the tables must agree."""
    rows = psql(conninfo, "SELECT name, count(*) FROM journal GROUP BY name")
    assert {name for name, _ in rows} == {name for name, in psql(conninfo, "SELECT name FROM organizations")}
    return {name.removeprefix("organizations/"): int(count) for name, count in rows}


def assert_told_in_order(conninfo, told):
    """`told`: (identifier, number of x-revision) as one caller got them, one after the other.

    The answer's revision shows its change, and the caller's next change is behind it.
    """
    places = {name.removeprefix("organizations/"): int(place)
              for name, place in psql(conninfo, "SELECT name, revision FROM journal")}
    for (identifier, shown), following in zip(told, [*told[1:], None]):
        assert places[identifier] <= shown, (identifier, places[identifier], shown)
        assert following is None or shown < places[following[0]], (identifier, shown, following, places[following[0]])


def test_kill_while_clients_write(suite):
    conninfo = suite.database("standards")
    victim, survivor = suite.service("standards"), suite.service("standards")
    callers = {worker: (victim, survivor)[worker % 2] for worker in range(8)}
    told = {worker: [] for worker in callers}
    acknowledged, unsure = {}, []
    lock = threading.Lock()
    enough, killed = threading.Event(), threading.Event()

    def write(worker):
        stub = rpc.StandardsServiceStub(channel(callers[worker]))
        after = 0
        for number in itertools.count():
            identifier, request_id = f"w{worker}-{number}", new_request_id()
            after += killed.is_set()
            try:
                answer, call = stub.CreateOrganization.with_call(
                    create_request(identifier, request_id), metadata=bearer(suite.staff), timeout=20)
            except grpc.RpcError:
                with lock:
                    unsure.append((worker, identifier, request_id))
                return
            with lock:
                acknowledged[identifier] = (request_id, answer)
                told[worker].append((identifier, revision(call)[1]))
                if all(len(own) >= 25 for own in told.values()):
                    enough.set()
            if after >= 20 and callers[worker] is survivor:
                return

    workers = [threading.Thread(target=write, args=(worker,)) for worker in callers]
    for worker in workers:
        worker.start()
    assert enough.wait(60)
    victim.kill()
    killed.set()
    for worker in workers:
        worker.join()

    # Who writes to the other replica does not notice.
    assert sorted(worker for worker, _, _ in unsure) == [worker for worker in callers if callers[worker] is victim]
    stub = rpc.StandardsServiceStub(channel(survivor))
    # What was in flight is asked again under the same request_id, elsewhere: done once, whichever way it went.
    for _, identifier, request_id in unsure:
        acknowledged[identifier] = (request_id, create(stub, suite.staff, identifier, request_id))
    # A repeated request gets the first answer, from another replica too.
    for identifier, (request_id, answer) in list(acknowledged.items())[::17]:
        assert create(stub, suite.staff, identifier, request_id) == answer
    assert written(conninfo) == dict.fromkeys(acknowledged, 1)
    for own in told.values():
        assert_told_in_order(conninfo, own)
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
    # Stops the first replica inside its transaction, after it took the order lock.
    table = TableLock(conninfo, "organizations")
    pending = stub.CreateOrganization.future(create_request("frozen"), metadata=bearer(suite.staff), timeout=60)
    table.wait_until_met()
    frozen.signal(signal.SIGSTOP)
    try:
        table.release()
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


def refused_without_a_word(error):
    """gRPC's own UNAVAILABLE: no answer of the process, for the connection has ended or cannot be had."""
    return error.code() == grpc.StatusCode.UNAVAILABLE and not details(error)


def test_no_call_is_lost_when_a_process_drains(suite):
    conninfo = suite.database("standards")
    process = suite.service("standards")
    acknowledged, refused = [], {}
    going = threading.Event()

    def write(worker):
        stub = rpc.StandardsServiceStub(channel(process))
        for number in itertools.count():
            identifier = f"d{worker}-{number}"
            try:
                stub.CreateOrganization(create_request(identifier), timeout=20,
                                        metadata=[*bearer(suite.staff), ("x-request-id", identifier)])
            except grpc.RpcError as error:
                refused[identifier] = error
                if refused_without_a_word(error):
                    return
                continue
            acknowledged.append(identifier)
            if number == 20:
                going.set()

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    assert going.wait(60)
    assert process.stop() == 0
    for worker in workers:
        worker.join()

    # The process says of each change that reached it how it ended.
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    ends = {line["request_id"]: line for line in lines if line["message"] == "call"}
    assert all(ends[identifier]["code"] == "OK" for identifier in acknowledged)
    for identifier, error in refused.items():
        assert error.code() == grpc.StatusCode.UNAVAILABLE, (identifier, error)
        # Either it said so itself, or the connection had ended before the call came: no call that it had taken up
        # was dropped with its connection.
        if not refused_without_a_word(error):
            assert reason(error) == "DRAINING", (identifier, error)
        assert identifier not in ends or ends[identifier].get("reason") == "DRAINING", (ends[identifier], error)
    # Exactly what was acknowledged is there, once.
    assert written(conninfo) == dict.fromkeys(acknowledged, 1)
    assert_journal_whole(suite, conninfo)


def test_calls_that_come_while_a_process_drains(suite):
    """What runs at SIGTERM is answered; whatever comes until then is told DRAINING, and then there is nobody."""
    conninfo = suite.database("standards")
    process = suite.service("standards")
    channels = [channel(process) for _ in range(8)]
    for one in channels:
        grpc.channel_ready_future(one).result(60)
    stubs = [rpc.StandardsServiceStub(one) for one in channels]
    table = TableLock(conninfo, "organizations")
    running = [stub.CreateOrganization.future(create_request(f"running-{number}"), metadata=bearer(suite.staff),
                                              timeout=60) for number, stub in enumerate(stubs)]
    wait_until(lambda: process.metric("rpc_calls_running") >= len(running), "all calls to be under way")
    process.signal(signal.SIGTERM)

    def drains():
        try:
            stubs[0].GetOrganization(pb.GetOrganizationRequest(name="organizations/none"), timeout=20)
        except grpc.RpcError as error:
            return reason(error) == "DRAINING"
        raise AssertionError("there is no such organization")
    wait_until(drains, "the process to drain")
    for number, stub in enumerate([*stubs, rpc.StandardsServiceStub(channel(process))]):
        with Refused(grpc.StatusCode.UNAVAILABLE, "DRAINING") as late:
            create(stub, suite.staff, f"late-{number}")
        assert "RetryInfo" in late.details
    assert not any(call.done() for call in running)
    table.release()
    assert [call.result(timeout=60).name for call in running] == [f"organizations/running-{n}" for n in range(8)]
    assert process.popen.wait(60) == 0
    for number, stub in enumerate(stubs):
        with Refused(grpc.StatusCode.UNAVAILABLE, "") as gone:
            create(stub, suite.staff, f"gone-{number}")
        assert refused_without_a_word(gone.error)
    assert written(conninfo) == {f"running-{number}": 1 for number in range(8)}
    assert_journal_whole(suite, conninfo)


@pytest.fixture(name="stoppable")
def stoppable_fixture(suite):
    """Two replicas on a PostgreSQL that may be stopped."""
    cluster = Cluster()
    suite.cluster = cluster
    suite.conninfo = suite.database("standards", conninfo=cluster.conninfo)
    suite.replicas = [suite.service("standards") for _ in range(2)]
    suite.stubs = [rpc.StandardsServiceStub(channel(process)) for process in suite.replicas]
    yield suite
    suite.close()
    suite.processes.clear()
    cluster.close()


def test_postgres_stopped_and_started(stoppable):
    """Callers write all the while: what is refused is not done, and writes go on by themselves."""
    create(stoppable.stubs[0], stoppable.staff, "kept")
    wait_until(lambda: is_there(stoppable.stubs[1], "kept"), "the other replica to follow")
    acknowledged, refused, unsure = {"kept"}, {}, set()
    refusals, done = threading.Semaphore(0), threading.Event()
    lock = threading.Lock()

    def write(worker):
        for number in itertools.count():
            identifier = f"w{worker}-{number}"
            try:
                create(stoppable.stubs[worker % 2], stoppable.staff, identifier)
                with lock:
                    acknowledged.add(identifier)
            except grpc.RpcError as error:
                with lock:
                    (unsure.add(identifier) if reason(error) == "OUTCOME_UNKNOWN" else
                     refused.setdefault(identifier, error))
                refusals.release()
                select_pause()
            if done.is_set():
                return

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    try:
        wait_until(lambda: len(acknowledged) > 40, "writes to be under way")
        stoppable.cluster.stop()
        for _ in range(12):
            assert refusals.acquire(timeout=60)  # pylint: disable=consider-using-with
        for stub, process in zip(stoppable.stubs, stoppable.replicas):
            assert is_there(stub, "kept")
            assert stub.ListOrganizations(pb.ListOrganizationsRequest(), timeout=5).organizations
            with Refused(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE") as told:
                create(stub, stoppable.staff, "lost")
            assert told.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
            assert process.probe("/healthz") == 200
        stoppable.cluster.start()
        before = len(acknowledged)
        wait_until(lambda: len(acknowledged) > before + 40, "writes to go on")
    finally:
        done.set()
        for worker in workers:
            worker.join()

    for identifier, error in refused.items():
        assert error.code() == grpc.StatusCode.UNAVAILABLE, (identifier, error)
        assert reason(error) == "STORAGE_UNAVAILABLE", (identifier, error)
        assert "RetryInfo" in details(error)
    there = written(stoppable.conninfo)
    assert set(there.values()) == {1}
    assert acknowledged <= set(there) <= acknowledged | unsure
    for stub in stoppable.stubs:
        wait_until(lambda stub=stub: all(is_there(stub, identifier) for identifier in there), "both replicas to follow")
        assert not is_there(stub, "lost")
    assert_journal_whole(stoppable, stoppable.conninfo)
