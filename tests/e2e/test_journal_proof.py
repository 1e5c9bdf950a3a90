"""What the journal proves, to whom, and what it keeps to itself; and what becomes of a database that was changed."""

import base64
import hashlib
import json

import grpc
import pytest

import journal_proof
from clients import Refused, bearer, channel, reason
from suite import Http, psql, wait_until
from watch import Watch

from transparency.journal.v1 import journal_pb2  # pylint: disable=import-error
from transparency.standards.v1 import journal_service_pb2_grpc as standards_journal  # pylint: disable=import-error
from transparency.standards.v1 import membership_pb2, organization_pb2, publication_pb2  # pylint: disable=import-error
from transparency.standards.v1 import standards_service_pb2_grpc as standards_rpc  # pylint: disable=import-error

SERVICE = "standards.transparency"


class Registry:
    """standards-service behind a gateway, and what tests do there."""

    def __init__(self, suite, *flags):
        self.suite = suite
        self.conninfo = suite.database("standards")
        self.process = suite.service("standards", *flags)
        self.rpc = standards_rpc.StandardsServiceStub(channel(self.process))
        self.journal = standards_journal.StandardsJournalServiceStub(channel(self.process))

    def call(self, method, request):
        return getattr(self.rpc, method)(request, metadata=bearer(self.suite.staff), timeout=20)

    def organization(self, identifier, name="An organization"):
        return self.call("CreateOrganization", organization_pb2.CreateOrganizationRequest(
            organization_id=identifier, organization={"display_name": name}))

    def draft(self, identifier, title):
        return self.call("CreatePublication", publication_pb2.CreatePublicationRequest(
            publication_id=identifier, publication={"title": title}))

    def publish(self, identifier):
        return self.call("PublishPublication", publication_pb2.PublishPublicationRequest(
            name=f"publications/{identifier}", date={"year": 2020, "month": 1, "day": 1}))

    def delete(self, identifier, reason):
        return self.call("DeletePublication", publication_pb2.DeletePublicationRequest(
            name=f"publications/{identifier}", reason=reason))

    def undelete(self, identifier):
        return self.call("UndeletePublication", publication_pb2.UndeletePublicationRequest(
            name=f"publications/{identifier}"))


@pytest.fixture(name="registry")
def registry_fixture(suite):
    return Registry(suite)


@pytest.fixture(name="web")
def web_fixture(suite, registry):
    return Http(suite.gateway(standards=registry.process).http_port)


def listed(web, token=None, **fields):
    """All pages of ListChanges in JSON, the oldest first."""
    asking = Http(web.port, token)
    changes, page = [], ""
    while True:
        query = "&".join(f"{name}={value}" for name, value in fields.items())
        status, _, body = asking.call("GET", f"/standards/v1/changes?orderBy=revision&pageSize=3&{query}"
                                             + (f"&pageToken={page}" if page else ""))
        assert status == 200, body
        changes += body.get("changes", [])
        page = body.get("nextPageToken", "")
        if not page:
            return changes


def test_the_public_recomputes_the_chain(registry, web):
    registry.organization("a", 'Quotes " and \u00e9, \u4e2d\u6587')
    registry.draft("p", "secret title")
    registry.publish("p")
    registry.draft("q", "never published")
    changes = listed(web, includeWithheld="true")
    assert len(changes) == int(changes[-1]["revision"]) + 1 >= 4
    # The organization, and what made the publication public.
    assert journal_proof.check_chain(SERVICE, changes) == len(listed(web)) == 2
    assert "secret title" not in json.dumps(changes) and "publications/q" not in json.dumps(changes)
    # Staff see more and find the same chain.
    of_staff = listed(web, registry.suite.staff, includeWithheld="true")
    assert journal_proof.check_chain(SERVICE, of_staff) == len(of_staff) == len(changes)
    assert [change["digest"] for change in of_staff] == [change["digest"] for change in changes]
    # A change of any digit is found.
    changes[0]["step"] = "CreateOrganisation"
    with pytest.raises(AssertionError, match="leaf hash"):
        journal_proof.check_chain(SERVICE, changes)


def test_the_public_form_is_what_its_digest_says(registry, web):
    registry.organization("a", "One")
    registry.call("UpdateOrganization", organization_pb2.UpdateOrganizationRequest(
        organization={"name": "organizations/a", "display_name": "Two"}, update_mask={"paths": ["display_name"]}))
    for change in listed(web):
        _, _, then = web.call("GET", f"/standards/v1/organizations/a:recorded?revision={change.get('revision', 0)}")
        assert journal_proof.public_digest(then["resource"]) == change["publicDigest"]
    _, _, now = web.call("GET", "/standards/v1/organizations/a")
    assert journal_proof.public_digest(now) == listed(web)[-1]["publicDigest"]


def test_staff_open_each_commitment_by_itself(registry, web):
    registry.draft("p", "a title")
    registry.delete("p", "entered twice")
    change = listed(web, registry.suite.staff)[-1]
    values = {"actor": b"staff-member", "reason": b"entered twice", "requestId": change.get("requestId", "").encode(),
              "body": base64.b64decode(change["body"])}
    for part, value in values.items():
        key = journal_proof.part_key(change, part)
        assert journal_proof.opens(change, part, key, value)
        assert not journal_proof.opens(change, part, key, value + b"x")
        others = [other for other in values if other != part]
        assert not any(journal_proof.opens(change, other, key, values[other]) for other in others)
    assert publication_pb2.Publication.FromString(values["body"]).title == "a title"
    # Nobody else is given what opens them.
    registry.organization("a")
    told = listed(web, registry.suite.alice)[-1]
    assert told["name"] == "organizations/a"
    assert not {"salt", "body", "actor", "reason", "requestId"} & set(told)


def test_no_digest_confirms_a_guess(registry, web):
    """Whoever knows everything but one hidden value learns nothing from what the public is shown."""
    registry.organization("a")
    made = registry.call("CreateMembership", membership_pb2.CreateMembershipRequest(
        parent="organizations/a", membership_id="m",
        membership={"legal_entity": "L", "period": {"from": {"year": 2019, "month": 1, "day": 1}, "open_ended": True},
                    "annual_fee": {"currency_code": "USD", "units": 255670}}))
    assert made.annual_fee.units == 255670
    seen = registry.rpc.GetMembership(membership_pb2.GetMembershipRequest(name=made.name), timeout=20)
    assert not seen.HasField("annual_fee") and seen.etag == made.etag
    right = membership_pb2.Membership()
    right.CopyFrom(made)
    right.etag = ""
    guess = right.SerializeToString(deterministic=True)
    assert hashlib.sha256(guess).hexdigest()[:16] != seen.etag.strip('"')
    change = listed(web)[-1]
    assert change["name"] == made.name
    shown = {value for value in (change["digest"], change["leafHash"], *change["commitments"].values())}
    known = [b"", *(bytes.fromhex(value) for value in (change["nonce"], change["digest"], change["leafHash"]))]
    for value in (guess, b"staff-member"):
        assert not any(hashlib.sha256(key + value).hexdigest() in shown for key in known)


def test_what_was_published_and_deleted_is_told_to_nobody(registry, web):
    registry.organization("a")
    with_mistake = Watch(registry.journal)
    with_mistake.until_bookmark()
    before = with_mistake.last
    registry.draft("p", "a mistake")
    revision = int(listed(web, registry.suite.staff)[-1]["revision"]) + 1
    registry.publish("p")
    assert with_mistake.change() == ("ADDED", "publications/p")
    between = with_mistake.last
    assert "a mistake" in json.dumps(web.call("GET", f"/standards/v1/publications/p:recorded?revision={revision}")[2])
    registry.delete("p", "entered by mistake")
    assert with_mistake.change() == ("REMOVED", "publications/p")
    for token in (None, registry.suite.alice):
        asking = Http(web.port, token)
        assert asking.call("GET", f"/standards/v1/publications/p:recorded?revision={revision}")[0] == 404
        assert [change["name"] for change in listed(web, token)] == ["organizations/a"]
        everything = listed(web, token, includeWithheld="true")
        assert "publications" not in json.dumps(everything)
        assert journal_proof.check_chain(SERVICE, everything) == 1
        with Refused(grpc.StatusCode.NOT_FOUND):
            registry.journal.GetResourceAt(journal_pb2.GetResourceAtRequest(name="publications/p", revision=revision),
                                           metadata=bearer(token), timeout=20)
    for process in (registry.process, registry.suite.service("standards")):
        stub = standards_journal.StandardsJournalServiceStub(channel(process))
        for token in (before, between):
            for narrowed in ({}, {"name": "publications/p"}, {"name": "publications/guess"}, {"name": "standards/-"}):
                refused = Watch(stub, resume_token=token, **narrowed)
                assert refused.next() is None
                assert reason(refused.error) == "HISTORY_CHANGED" and "publications" not in refused.error.details()
    registry.undelete("p")
    assert with_mistake.change() == ("ADDED", "publications/p")
    assert len(listed(web)) == 4
    assert web.call("GET", f"/standards/v1/publications/p:recorded?revision={revision}")[0] == 200
    with_mistake.close()


# ---- tampering ----

def tamper(conninfo, sql):
    psql(conninfo, f"SET session_replication_role = replica; {sql}")


def flip(table, where):
    return f"UPDATE {table} SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE {where}"


@pytest.mark.parametrize("sql, named", [
    (flip("organizations", "name = 'organizations/b'"), "organizations/b"),
    (flip("journal", "revision = 0"), "organizations/a"),
])
def test_a_changed_database_is_found(suite, sql, named):
    """While the service runs, and again when it starts."""
    registry = Registry(suite, "--integrity_interval=50ms")
    registry.organization("a")
    registry.organization("b")

    def found(process):
        assert process.popen.poll() is None, process.tail()
        return process.probe("/readyz") == 503
    assert registry.process.metric("transparency_integrity_problems") == 0
    tamper(registry.conninfo, sql)
    wait_until(lambda: found(registry.process), "the check to find it")
    assert registry.process.metric("transparency_integrity_problems") >= 1
    lines = [line for line in registry.process.tail().splitlines() if "integrity" in line]
    assert any(named in line for line in lines), lines
    again = suite.service("standards", ready=False)
    wait_until(lambda: found(again), "the service that starts to find it")
    done = suite.run("standards", "check", f"--database={registry.conninfo}", check=False)
    assert done.returncode != 0 and named in done.stdout
    tamper(registry.conninfo, sql)
    wait_until(lambda: registry.process.probe("/readyz") == 200, "the check to find it repaired")
    assert suite.run("standards", "check", f"--database={registry.conninfo}").returncode == 0


def test_the_journal_is_read_at_once_after_a_restart_of_postgresql(registry, web):
    registry.organization("a")
    for _ in range(8):
        assert len(listed(web)) == 1
    name = [part[7:] for part in registry.conninfo.split() if part.startswith("dbname=")][0]
    psql(registry.conninfo, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            f"WHERE datname = '{name}' AND pid <> pg_backend_pid()")
    for _ in range(8):
        assert len(listed(web)) == 1
