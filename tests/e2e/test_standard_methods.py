"""The standard methods of every kind that can be deleted, as clients call them: over gRPC and over JSON."""

import threading
import urllib.parse
import uuid

import grpc
import pytest

import contract
from clients import Refused
from raw_grpc import RawClient
from suite import SERVICES, Http, psql

# What a record of each kind holds at least. Parents and what it refers to are made beforehand.
LEAST = {
    "Scheme": {"title": "S"},
    "Body": {"display_name": "B"},
    "Product": {"display_name": "P"},
    "ManagementSystem": {"display_name": "M"},
    "Certificate": {"scheme": "schemes/base", "subjects": [{"service": "S"}], "recorded_not_decided": True},
    "Organization": {"display_name": "O"},
    "Membership": {"legal_entity": "L"},
    "Standard": {"designation": "D"},
    "Publication": {"title": "T"},
    "Commitment": {"initiative": "I"},
    "Centre": {"display_name": "C", "country": "BE", "time_zone": "Etc/UTC"},
    "Space": {"display_name": "S", "category": 2, "occupancy": 1, "capacity": 4},
}
PARENTS = {"Membership": "organizations/base", "Space": "centres/base"}
# Not for the public as they are made here.
HIDDEN = ("Publication",)


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def deletable():
    return [(service, method.output_type.name) for service in SERVICES
            for method in contract.SERVICES[service].methods if method.name.startswith("Delete")]


def batches():
    return [(service, method.name) for service in SERVICES
            for method in contract.SERVICES[service].methods if method.name.startswith("BatchGet")]


@pytest.fixture(name="world", scope="module")
def world_fixture(tmp_path_factory):
    """All processes with a parent for every nested kind."""
    import suite as suite_module
    made = suite_module.Suite(tmp_path_factory.mktemp("world"))
    made.owners = {name: made.service(name) for name in SERVICES}
    made.front = made.gateway(**made.owners)
    made.client = RawClient(made.front)
    made.web, made.public = Http(made.front.http_port, made.staff), Http(made.front.http_port)
    for service, kind in (("certification", "Scheme"), ("standards", "Organization"), ("centre", "Centre")):
        made.client.call(service, f"Create{kind}", made.staff,
                         **{f"{snake(kind)}_id": "base", snake(kind): LEAST[kind]})
    yield made
    checks = [made.run(name, "check", f"--database={made.databases[name]}", check=False) for name in SERVICES]
    made.close()
    for check in checks:
        assert check.returncode == 0, check.stdout + check.stderr


class Records:
    """The records of one kind through the gateway, as staff unless a token is given."""

    def __init__(self, world, service, kind):
        self.world, self.service, self.kind = world, service, kind
        self.field = snake(kind)
        self.listing, self.plural = contract.collection_of(service, kind)
        self.parent = PARENTS.get(kind)

    def call(self, method, token=None, **fields):
        return self.world.client.call(self.service, method, token or self.world.staff, **fields)

    def create(self, **fields):
        identifier = "x" + uuid.uuid4().hex[:12]
        place = {"parent": self.parent} if self.parent else {}
        return self.call(f"Create{self.kind}", **place, **{f"{self.field}_id": identifier,
                                                           self.field: {**LEAST[self.kind], **fields}})

    def get(self, name, token=None):
        return self.call(f"Get{self.kind}", token, name=name)

    def list(self, token=None, **fields):
        place = {"parent": self.parent} if self.parent else {}
        answer = self.call(self.listing, token, **place, page_size=1000, **fields)
        return [item.name for item in getattr(answer, self.plural)], answer.total_size

    def delete(self, name, **fields):
        return self.call(f"Delete{self.kind}", name=name, **fields)

    def undelete(self, name, **fields):
        return self.call(f"Undelete{self.kind}", name=name, **fields)


def test_every_kind_has_its_least_record():
    assert {kind for _, kind in deletable()} == set(LEAST)


@pytest.mark.parametrize("service, kind", deletable())
def test_a_record_is_deleted_kept_and_undeleted(world, service, kind):
    records = Records(world, service, kind)
    made = records.create()
    assert made.name in records.list()[0]
    with Refused(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"):
        records.delete(made.name, etag='"0123456789abcdef"')
    tried = records.delete(made.name, validate_only=True)
    assert tried.HasField("delete_time") and not records.get(made.name).HasField("delete_time")
    again = {"request_id": str(uuid.uuid4()), "reason": "entered twice", "etag": made.etag}
    gone = records.delete(made.name, **again)
    assert gone.HasField("delete_time") and gone.etag != made.etag and gone == records.delete(made.name, **again)

    with Refused(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"):
        records.get(made.name, world.alice)
    assert records.get(made.name) == gone
    assert made.name not in records.list()[0]
    assert made.name in records.list(show_deleted=True)[0]
    assert made.name not in records.list(world.alice, show_deleted=True)[0]
    with Refused(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"):
        records.delete(made.name)
    assert records.delete(made.name, allow_missing=True) == gone
    assert not records.delete(made.name + "z", allow_missing=True).ByteSize()
    with Refused(grpc.StatusCode.NOT_FOUND):
        records.call(f"Update{kind}", **{records.field: {"name": made.name, **LEAST[kind]}})
    with Refused(grpc.StatusCode.ALREADY_EXISTS, "DELETED_EXISTS"):
        place = {"parent": records.parent} if records.parent else {}
        records.call(f"Create{kind}", **place, **{f"{records.field}_id": made.name.rsplit("/", 1)[1],
                                                  records.field: LEAST[kind]})

    with Refused(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"):
        records.undelete(made.name, etag=made.etag)
    back = records.undelete(made.name, etag=gone.etag, reason="not twice")
    assert not back.HasField("delete_time") and back.create_time == made.create_time
    if kind not in HIDDEN:
        assert records.get(made.name, world.alice).name == made.name
    with Refused(grpc.StatusCode.ALREADY_EXISTS, "NOT_DELETED"):
        records.undelete(made.name)
    rows = psql(world.databases[service], f"SELECT kind, reason FROM journal WHERE name = '{made.name}' ORDER BY revision")
    assert rows == [["1", ""], ["3", "entered twice"], ["4", "not twice"]]


@pytest.mark.parametrize("service, kind", deletable())
def test_only_staff_delete(world, service, kind):
    for method in (f"Delete{kind}", f"Undelete{kind}"):
        name = Records(world, service, kind).create().name
        for token, code in ((None, "UNAUTHENTICATED"), (world.alice, "PERMISSION_DENIED")):
            assert world.client.refused(service, method, token, name=name).code == code


@pytest.mark.parametrize("service, kind", deletable())
def test_a_list_tells_its_size_when_asked(world, service, kind):
    records = Records(world, service, kind)
    kept, gone = records.create().name, records.create().name
    records.delete(gone)
    for token in (world.staff, world.alice):
        for fields in ({}, {"show_deleted": True}, {"filter": f'name = "{kept}"'}):
            names, total = records.list(token, return_total_size=True, **fields)
            assert total == len(names), (token == world.staff, fields)
            assert records.list(token, **fields)[1] == 0
    place = {"parent": records.parent} if records.parent else {}
    page = records.call(records.listing, **place, page_size=1, return_total_size=True)
    assert page.total_size == len(records.list()[0]) and len(getattr(page, records.plural)) == 1


@pytest.mark.parametrize("service, kind", deletable())
def test_update_creates_what_is_missing_if_allowed(world, service, kind):
    """AIP-134: with every field, whatever the mask; tried and repeated like every change."""
    records = Records(world, service, kind)
    name = records.create().name + "n"
    update = {records.field: {"name": name, **LEAST[kind]}, "update_mask": {"paths": ["source"]}}
    with Refused(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"):
        records.call(f"Update{kind}", **update)
    update["allow_missing"] = True
    records.call(f"Update{kind}", validate_only=True, **update)
    with Refused(grpc.StatusCode.NOT_FOUND):
        records.get(name)
    update["request_id"] = str(uuid.uuid4())
    created = records.call(f"Update{kind}", **update)
    assert created.name == name and created == records.get(name) == records.call(f"Update{kind}", **update)
    text = next(field for field, value in LEAST[kind].items() if isinstance(value, str))
    assert getattr(created, text) == LEAST[kind][text]
    with Refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS") as refused:
        records.call(f"Update{kind}", allow_missing=True, **{records.field: {"name": name + "n"}})
    fields = [violation.field for violation in refused.details["BadRequest"].field_violations]
    assert f"{records.field}.{text}" in fields


@pytest.mark.parametrize("service, method", batches())
def test_a_batch_is_ordered_and_whole(world, service, method):
    output = contract.SERVICES[service].methods_by_name[method].output_type
    plural, kind = output.fields[0].name, output.fields[0].message_type.name
    records = Records(world, service, kind)
    names = [records.create().name for _ in range(3)]
    place = {"parent": records.parent} if records.parent else {}

    def batch(wanted, token=world.staff, **fields):
        answer = records.call(method, token, names=wanted, **{**place, **fields})
        return [item.name for item in getattr(answer, plural)]
    asked = [names[2], names[0], names[1], names[0]]
    assert batch(asked) == asked
    with Refused(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND") as refused:
        batch([names[0], names[1] + "z", names[2] + "z"])
    assert refused.details["ResourceInfo"].resource_name == names[1] + "z"
    records.delete(names[1])
    assert batch(asked) == asked
    with Refused(grpc.StatusCode.NOT_FOUND):
        batch([names[1]], world.alice)
    for wrong in ([], ["nonsense"], names[:1] * 101):
        with Refused(grpc.StatusCode.INVALID_ARGUMENT):
            batch(wrong)
    assert len(batch(names[:1] * 100)) == 100
    if records.parent:
        assert batch(names[:1], parent="centres/-") == names[:1]
        with Refused(grpc.StatusCode.INVALID_ARGUMENT):
            batch(names[:1], parent="centres/other")
    # Over JSON, names as repeated query parameters.
    path = contract.http_get(service, method, **place)
    query = urllib.parse.urlencode([("names", name) for name in asked])
    status, _, body = world.web.call("GET", f"{path}?{query}")
    assert status == 200 and [item["name"] for item in body[contract.json_name(plural)]] == asked
    if kind not in HIDDEN:
        assert world.public.call("GET", f"{path}?names={names[0]}")[0] == 200
    assert world.public.call("GET", f"{path}?names={names[1]}")[0] == 404
    assert world.public.call("GET", path)[0] == 400


@pytest.mark.parametrize("service, kind", deletable())
def test_deleting_over_json(world, service, kind):
    records = Records(world, service, kind)
    made = records.create()
    path = f"/{service}/v1/{made.name}"
    _, headers, _ = world.web.call("GET", path)
    assert world.public.call("DELETE", path)[0] == 401
    assert world.web.call("DELETE", path, headers={"If-Match": '"0123456789abcdef"'})[0] == 412
    assert world.web.call("DELETE", f"{path}?validateOnly=true")[0] == 200
    status, _, body = world.web.call("DELETE", f"{path}?reason=slip", headers={"If-Match": headers["ETag"]})
    assert status == 200 and body["deleteTime"], body
    assert world.public.call("GET", path)[0] == 404
    assert world.web.call("GET", path)[2]["deleteTime"] == body["deleteTime"]
    assert world.web.call("DELETE", path)[0] == 404
    assert world.web.call("DELETE", f"{path}?allowMissing=true")[2] == body
    assert world.web.call("DELETE", f"{path}zz?allowMissing=true")[0] == 200

    collection = path.rsplit("/", 1)[0]
    key = contract.json_name(records.plural)

    def listed(client, query):
        status, _, answer = client.call("GET", f"{collection}?pageSize=1000&{query}")
        assert status == 200, answer
        return [item["name"] for item in answer.get(key, [])], answer.get("totalSize", 0)
    names, total = listed(world.web, "showDeleted=true&returnTotalSize=true")
    assert made.name in names and total == len(names)
    names, total = listed(world.public, "showDeleted=true&returnTotalSize=true")
    assert made.name not in names and total == len(names)

    status, _, body = world.web.call("POST", f"{path}:undelete", {"reason": "no slip"})
    assert status == 200 and "deleteTime" not in body
    assert world.web.call("POST", f"{path}:undelete", {})[0] == 409
    if kind not in HIDDEN:
        assert world.public.call("GET", path)[0] == 200


def test_a_referrer_keeps_what_it_refers_to_whoever_is_faster(world):
    """32 callers at once: each body is deleted, or a certificate comes to name it, never both."""
    bodies, certificates = Records(world, "certification", "Body"), Records(world, "certification", "Certificate")
    names = [bodies.create(roles=[1]).name for _ in range(16)]
    start, won = threading.Barrier(32), []

    def run(act, what):
        client = RawClient(world.front)
        start.wait()
        try:
            act(client)
            won.append(what)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error

    def deletion(name):
        return lambda client: client.call("certification", "DeleteBody", world.staff, name=name)

    def referral(name):
        return lambda client: client.call("certification", "CreateCertificate", world.staff, certificate={
            **LEAST["Certificate"], "certification_body": name})
    threads = [threading.Thread(target=run, args=(make(name), (name, what)))
               for name in names for what, make in (("deleted", deletion), ("named", referral))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name, _ in won) == sorted(names)
    database = world.databases["certification"]
    assert psql(database, "SELECT count(*) FROM certificates c JOIN bodies b ON b.name = c.certification_body "
                          "WHERE c.delete_time IS NULL AND b.delete_time IS NOT NULL") == [["0"]]
    deleted = sorted(name for name, what in won if what == "deleted")
    assert psql(database, "SELECT name FROM bodies WHERE delete_time IS NOT NULL AND name = ANY "
                          f"('{{{','.join(names)}}}') ORDER BY name") == [[name] for name in deleted]
    assert certificates.list(return_total_size=True)[1] >= 16 - len(deleted)


def test_a_refusal_names_a_few_of_those_who_refer(world):
    standards = Records(world, "standards", "Standard")
    publisher = Records(world, "standards", "Organization").create().name
    for number in range(7):
        standards.create(publisher=publisher, version=str(number))
    refused = world.client.refused("standards", "DeleteOrganization", world.staff, name=publisher)
    assert refused.code == "FAILED_PRECONDITION" and refused.info.reason == "STILL_REFERRED_TO"
    named = [violation.subject for violation in refused.details["PreconditionFailure"].violations]
    assert len(named) == 6 and all(name.startswith("standards/") for name in named[:5]) and named[5] == publisher
    assert refused.info.metadata["referrers"].count("standards/") == 5
