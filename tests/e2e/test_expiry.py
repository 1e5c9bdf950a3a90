"""A certificate expires at midnight in its scheme's zone, by the database's clock, on every replica at once."""

import datetime
import zoneinfo

import pytest

from clients import bearer, channel
from clocked_cluster import ClockedCluster
from suite import psql, wait_until

from transparency.certification.v1 import certificate_pb2 as pb  # pylint: disable=import-error
from transparency.certification.v1 import certification_service_pb2_grpc as rpc  # pylint: disable=import-error
from transparency.certification.v1 import scheme_pb2, verification_pb2  # pylint: disable=import-error
from transparency.journal.v1 import change_pb2  # pylint: disable=import-error

# How well a replica knows the database's time, in seconds, on a busy machine.
CLOCK_ERROR = 0.25
ZONE = zoneinfo.ZoneInfo("Asia/Shanghai")
NAME = "certificates/last-day"
STATE = pb.Certificate.State
VERDICT = verification_pb2.VerifiedCertificate.Verdict

# The clock of the machine that the replicas run on, as the database's clock sees it; and the seconds by which the
# database is ahead of it then. (The database's is moved: libfaketime does not reach the waits of Abseil's mutexes.)
MACHINE_CLOCKS = {"right": 0, "three days ahead": -3 * 86400, "three days behind": 3 * 86400}


@pytest.fixture(name="cluster", scope="module")
def cluster_fixture():
    made = ClockedCluster()
    yield made
    made.close()


@pytest.fixture(name="expiring", params=MACHINE_CLOCKS)
def expiring_fixture(request, suite, cluster):
    """Two replicas an hour before the midnight that ends a certificate's last day."""
    cluster.clock.set_ahead(MACHINE_CLOCKS[request.param])
    suite.conninfo = suite.database("certification", conninfo=cluster.conninfo)
    last_day = datetime.datetime.fromtimestamp(cluster.now(), ZONE).date() + datetime.timedelta(days=1)
    midnight = datetime.datetime.combine(last_day + datetime.timedelta(days=1), datetime.time(), ZONE)
    suite.midnight = midnight.timestamp()
    suite.move_to = lambda before: cluster.clock.set_ahead(
        suite.midnight - before - datetime.datetime.now().timestamp())
    suite.move_to(3600)
    suite.stubs = [rpc.CertificationServiceStub(channel(suite.service("certification"))) for _ in range(2)]
    scheme = scheme_pb2.CreateSchemeRequest(scheme_id="shanghai", scheme={"title": "S", "time_zone": ZONE.key})
    suite.stubs[0].CreateScheme(scheme, metadata=bearer(suite.staff), timeout=20)
    suite.stubs[0].CreateCertificate(pb.CreateCertificateRequest(certificate_id="last-day", certificate={
        "scheme": "schemes/shanghai", "subjects": [{"service": "S"}], "recorded_not_decided": True,
        "initial_steps": [{"kind": 3, "effective_date": {"year": 2020, "month": 1, "day": 1}, "last_valid_date": {
            "year": last_day.year, "month": last_day.month, "day": last_day.day}}]}),
        metadata=bearer(suite.staff), timeout=20)
    wait_until(lambda: suite.stubs[1].ListCertificates(pb.ListCertificatesRequest(), timeout=20).certificates,
               "the other replica to follow")
    yield suite
    suite.close()
    suite.processes.clear()


def look(stub):
    """(state, etag, verdict)."""
    certificate = stub.GetCertificate(pb.GetCertificateRequest(name=NAME), timeout=20)
    verified = stub.VerifyCertificate(verification_pb2.VerifyCertificateRequest(certificate=NAME), timeout=20)
    return certificate.state, certificate.etag, verified.matches[0].verdict


def clock_entries(suite):
    return psql(suite.conninfo, "SELECT name, step, actor, extract(epoch FROM record_time) FROM journal "
                                f"WHERE kind = {change_pb2.Change.CLOCK}")


def test_expires_though_nobody_calls(expiring):
    etags = set()
    for stub in expiring.stubs:
        state, etag, verdict = look(stub)
        assert (state, verdict) == (STATE.ACTIVE, VERDICT.VALID)
        etags.add(etag)
    expiring.move_to(2)
    entries = wait_until(lambda: clock_entries(expiring), "the clock's entry")
    assert float(entries[0][3]) >= expiring.midnight
    assert entries[0][0] == NAME and entries[0][2] == ""
    for stub in expiring.stubs:
        state, etag, verdict = look(stub)
        assert (state, verdict) == (STATE.EXPIRED, VERDICT.EXPIRED)
        etags.add(etag)
    assert len(etags) == 2
    # Either replica may have written it; once is enough, and a further change finds nothing left to do.
    expiring.stubs[1].CreateScheme(scheme_pb2.CreateSchemeRequest(scheme_id="later", scheme={"title": "L"}),
                                   metadata=bearer(expiring.staff), timeout=20)
    assert len(clock_entries(expiring)) == 1
    expiring.run("certification", "check", f"--database={expiring.conninfo}")


def test_expires_at_the_instant(expiring, cluster):
    """Asked again and again: valid in each answer of the last day, expired in each after it."""
    expiring.move_to(6)  # time for a busy machine to ask both replicas
    after = [0, 0]
    before = [0, 0]

    def both_sides_seen():
        for number, stub in enumerate(expiring.stubs):
            earliest = cluster.now() - CLOCK_ERROR
            state, _, verdict = look(stub)
            latest = cluster.now() + CLOCK_ERROR
            if latest < expiring.midnight:
                assert (state, verdict) == (STATE.ACTIVE, VERDICT.VALID), latest
                before[number] += 1
            elif earliest >= expiring.midnight:
                assert (state, verdict) == (STATE.EXPIRED, VERDICT.EXPIRED), earliest
                after[number] += 1
        return min(after) >= 10
    wait_until(both_sides_seen, "midnight")
    assert min(before) >= 1
    wait_until(lambda: clock_entries(expiring), "the clock's entry")
    assert len(clock_entries(expiring)) == 1
