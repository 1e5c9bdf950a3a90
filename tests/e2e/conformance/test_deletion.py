"""Delete and Undelete of every kind that has them, over gRPC and over JSON."""

import threading
import uuid

import grpc

from marks import needs
from raw_grpc import RawClient
from suite import psql
from world import json_name


@needs("Delete")
def test_a_record_is_deleted_kept_and_undeleted(world, kind):
    delete, undelete = kind.methods["Delete"], kind.methods["Undelete"]
    made = world.record(kind)
    public = world.sees(kind, made.name, "alice") is not None
    narrowed = f'name = "{made.name}"'
    tried = world.call(delete, name=made.name, validate_only=True)
    assert tried.HasField("delete_time") and not world.get(kind, made.name).HasField("delete_time")
    again = {"request_id": str(uuid.uuid4()), "reason": "entered twice", "etag": made.etag}
    gone = world.call(delete, name=made.name, **again)
    assert gone.HasField("delete_time") and gone.etag != made.etag
    assert gone == world.call(delete, name=made.name, **again)

    world.refused(kind.methods["Get"], "NOT_FOUND", "RESOURCE_NOT_FOUND", token="alice", name=made.name)
    assert world.get(kind, made.name) == gone
    assert world.names(kind, filter=narrowed) == []
    assert world.names(kind, filter=narrowed, show_deleted=True) == [made.name]
    assert world.names(kind, "alice", filter=narrowed, show_deleted=True) == []
    world.refused(delete, "NOT_FOUND", "RESOURCE_NOT_FOUND", name=made.name)
    assert world.call(delete, name=made.name, allow_missing=True) == gone
    assert not world.call(delete, name=made.name + "z", allow_missing=True).ByteSize()
    least = world.example(kind).least(world)
    world.refused(kind.methods["Update"], "NOT_FOUND", **{kind.field: {"name": made.name, **least}})
    if kind.id_field:
        world.refused(kind.methods["Create"], "ALREADY_EXISTS", "DELETED_EXISTS", **{
            **world.place(kind), kind.id_field: made.name.rsplit("/", 1)[1], kind.field: least})
    for step in kind.steps:
        world.refused(step, "NOT_FOUND", name=made.name, **world.example(kind).STEPS[step.name][1])

    world.refused(undelete, "ABORTED", "ETAG_MISMATCH", name=made.name, etag=made.etag)
    back = world.call(undelete, name=made.name, etag=gone.etag, reason="not twice")
    assert not back.HasField("delete_time") and back.create_time == made.create_time
    assert (world.sees(kind, made.name, "alice") is not None) == public
    world.refused(undelete, "ALREADY_EXISTS", "NOT_DELETED", name=made.name)
    rows = psql(world.suite.databases[kind.owner],
                f"SELECT kind, reason FROM journal WHERE name = '{made.name}' ORDER BY revision")
    assert rows == [["1", ""], ["3", "entered twice"], ["4", "not twice"]]


@needs("Delete")
def test_reasons_have_a_limit(world, kind):
    for method in (kind.methods["Delete"], kind.methods["Undelete"]):
        world.refused(method, "INVALID_ARGUMENT", "INVALID_FIELDS", "reason", reason="r" * 2001,
                      **world.valid(kind, method))


@needs("Delete")
def test_what_has_children_or_referrers_stays(world, kind):
    """Of every kind that another one names or stands below: with live ones there it is not deleted."""
    name = world.base(kind.type)
    for other in world.kinds.values():
        if other.is_nested and other.parent_pattern == kind.pattern:
            world.base(other.type)
            world.refused(kind.methods["Delete"], "FAILED_PRECONDITION", None, name=name)
            return
        if other is not kind and name in list(world.example(other).least(world).values()):
            world.record(other)
            world.refused(kind.methods["Delete"], "FAILED_PRECONDITION", "STILL_REFERRED_TO", name=name)
            return


@needs("Delete")
def test_deleting_over_json(world, kind):
    made = world.record(kind)
    public = world.sees(kind, made.name, "alice") is not None
    _, headers, _ = world.web("GET", kind, made.name)
    assert world.web("DELETE", kind, made.name, token=None)[0] == 401
    assert world.web("DELETE", kind, made.name, headers={"If-Match": '"0123456789abcdef"'})[0] == 412
    assert world.web("DELETE", kind, f"{made.name}?validateOnly=true")[0] == 200
    status, _, body = world.web("DELETE", kind, f"{made.name}?reason=slip", headers={"If-Match": headers["ETag"]})
    assert status == 200 and body["deleteTime"], body
    assert world.web("GET", kind, made.name, token="alice")[0] == 404
    assert world.web("GET", kind, made.name)[2]["deleteTime"] == body["deleteTime"]
    assert world.web("DELETE", kind, made.name)[0] == 404
    assert world.web("DELETE", kind, f"{made.name}?allowMissing=true")[2] == body
    assert world.web("DELETE", kind, f"{made.name}zz?allowMissing=true")[0] == 200
    collection = made.name.rsplit("/", 1)[0]
    for token, there in (("staff", True), (None, False)):
        status, _, answer = world.web("GET", kind, f"{collection}?pageSize=1000&showDeleted=true&returnTotalSize=true",
                                      token=token)
        names = [item["name"] for item in answer.get(json_name(kind.plural), [])]
        assert status == 200 and (made.name in names) == there and answer.get("totalSize", 0) == len(names)
    status, _, body = world.web("POST", kind, f"{made.name}:undelete", {"reason": "no slip"})
    assert status == 200 and "deleteTime" not in body
    assert world.web("POST", kind, f"{made.name}:undelete", {})[0] == 409
    assert (world.web("GET", kind, made.name, token="alice")[0] == 200) == public


def test_a_referrer_keeps_what_it_refers_to_whoever_is_faster(world):
    """32 callers at once: each body is deleted, or a certificate comes to name it, never both."""
    bodies, certificates = world.by_name["Body"], world.by_name["Certificate"]
    names = [world.record(bodies, roles=[1]).name for _ in range(16)]
    least = world.example(certificates).least(world)
    start, won = threading.Barrier(32), []

    def run(name, what):
        client = RawClient(world.front)
        start.wait()
        try:
            if what == "deleted":
                client.call("certification", "DeleteBody", world.suite.staff, name=name)
            else:
                client.call("certification", "CreateCertificate", world.suite.staff,
                            certificate={**least, "certification_body": name})
            won.append((name, what))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
    threads = [threading.Thread(target=run, args=(name, what)) for name in names for what in ("deleted", "named")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name, _ in won) == sorted(names)
    database = world.suite.databases["certification"]
    assert psql(database, "SELECT count(*) FROM certificates c JOIN bodies b ON b.name = c.certification_body "
                          "WHERE c.delete_time IS NULL AND b.delete_time IS NOT NULL") == [["0"]]
    deleted = sorted(name for name, what in won if what == "deleted")
    assert psql(database, "SELECT name FROM bodies WHERE delete_time IS NOT NULL AND name = ANY "
                          f"('{{{','.join(names)}}}') ORDER BY name") == [[name] for name in deleted]
