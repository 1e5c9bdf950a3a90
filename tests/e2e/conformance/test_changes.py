"""What holds for every method that changes something: who may, etags, repetition, trying."""

import uuid

import grpc
import pytest

import kinds
import values
from marks import needs
from world import http_request, message_class

STALE = '"0123456789abcdef"'


def with_etag(kind, fields, etag):
    if kind.field in fields:
        return {**fields, kind.field: {**fields[kind.field], "etag": etag}}
    return {**fields, "etag": etag}


def name_of(kind, fields):
    return fields[kind.field].get("name") if kind.field in fields else fields["name"]


def test_access(world, kind):
    for method in kind.mutations() + [kind.methods["Get"], kind.methods["List"]]:
        allowed = kinds.access(method)
        if allowed == "PUBLIC":
            continue
        # Before anything else: also of a request that says nothing.
        for fields in ({}, world.valid(kind, method) if method in kind.mutations() else {}):
            can_be_sent = bool(fields)
            world.refused(method, "UNAUTHENTICATED", "TOKEN_UNKNOWN", token=None, over_json=can_be_sent, **fields)
            if allowed == "STAFF":
                world.refused(method, "PERMISSION_DENIED", "ROLE_MISSING", token="alice", over_json=can_be_sent,
                              **fields)


def test_etags(world, kind):
    """Another etag than the present one is ABORTED, the present one, `*` or none is taken."""
    for method in kind.mutations():
        if method is kind.methods["Create"]:
            continue
        fields = world.valid(kind, method)
        before = world.get(kind, name_of(kind, fields))
        refusal = world.refused(method, "ABORTED", "ETAG_MISMATCH", **with_etag(kind, fields, STALE))
        assert refusal.info.metadata["etag"] == before.etag
        assert world.get(kind, before.name) == before
        after = world.call(method, **with_etag(kind, fields, before.etag))
        assert after.etag == world.get(kind, before.name).etag
        assert (after.etag == before.etag) == (after == before), method.name
        again = world.valid(kind, method)
        world.call(method, **with_etag(kind, again, "*"))


def test_the_etag_is_one_in_every_view(world, kind):
    made = world.full_record(kind)
    etags = {item.etag for item in world.listed(kind, filter=f'name = "{made.name}"')}
    etags.add(world.get(kind, made.name).etag)
    if kind.has("BatchGet"):
        etags.add(getattr(world.call(kind.methods["BatchGet"], names=[made.name], **world.place(kind)),
                          kind.plural)[0].etag)
    for token in (None, "alice", "bob"):
        seen = world.sees(kind, made.name, token)
        if seen is not None:
            etags.add(seen.etag)
    assert etags == {made.etag}


def test_a_request_id_gets_the_first_answer_again(world, kind):
    for method in kind.mutations():
        fields = {**world.valid(kind, method), "request_id": str(uuid.uuid4())}
        first = world.call(method, **fields)
        stands = world.revision(kind)
        again = world.call(method, **fields)
        # Less what is personal, which is kept nowhere but in the record.
        for field in kind.message.fields:
            if kinds.is_personal(field):
                first.ClearField(field.name)
                again.ClearField(field.name)
        assert again == first, method.name
        assert world.revision(kind) == stands, method.name
        other = world.otherwise(kind, method, fields)
        if set(other) - set(method.input_type.fields_by_name):
            continue
        world.refused(method, "ALREADY_EXISTS", "REQUEST_ID_REUSED", **other)
        assert world.revision(kind) == stands, method.name


def test_a_request_id_is_a_uuid4(world, kind):
    for method in kind.mutations():
        fields = world.valid(kind, method)
        for wrong in ("1", str(uuid.uuid1()), "00000000-0000-0000-0000-000000000000", str(uuid.uuid4()) + " "):
            world.refused(method, "INVALID_ARGUMENT", "INVALID_FIELDS", "request_id", **{**fields, "request_id": wrong})


def test_validate_only_decides_alike_and_records_nothing(world, kind):
    for method in kind.mutations():
        fields = {**world.valid(kind, method), "request_id": str(uuid.uuid4())}
        name = name_of(kind, fields)
        before, stands = name and world.get(kind, name), world.revision(kind)
        tried = world.call(method, validate_only=True, **fields)
        assert world.revision(kind) == stands, method.name
        assert name is None or world.get(kind, name) == before
        if name is not None:
            stale = with_etag(kind, fields, STALE)
            del stale["request_id"]
            refusals = [world.refused(method, "ABORTED", "ETAG_MISMATCH", validate_only=only, **stale)
                        for only in (False, True)]
            assert refusals[0].message == refusals[1].message
        # Not even the request_id: the call itself is no repetition.
        done = world.call(method, **fields)
        assert values.comparable(kind, tried) == values.comparable(kind, done), method.name
        assert world.revision(kind) != stands, method.name


def test_steps_that_the_state_forbids_name_those_it_allows(world, kind):
    """A step twice: the state after it forbids it, or it is one that can be taken again."""
    for method in kind.steps:
        fields = world.valid(kind, method)
        world.call(method, **fields)
        try:
            world.call(method, **fields)
        except grpc.RpcError:
            refusal = world.refused(method, None, **fields)
            assert refusal.code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT")
            if refusal.info.reason == "STEP_NOT_ALLOWED":
                metadata = refusal.info.metadata
                assert any("state" in key.lower() for key in metadata), metadata
                assert any("allowed" in key.lower() for key in metadata), metadata


@needs("Update")
def test_if_match_and_if_none_match(world, kind):
    made = world.record(kind)
    field, value = world.example(kind).change(world)
    status, headers, _ = world.web("GET", kind, made.name)
    assert status == 200
    for etag in (headers["ETag"], "*", f'"other", {headers["ETag"]}'):
        status, again, body = world.web("GET", kind, made.name, headers={"If-None-Match": etag})
        assert (status, body, again["ETag"]) == (304, "", headers["ETag"]), etag
    assert world.web("GET", kind, made.name, headers={"If-None-Match": '"other"'})[0] == 200
    request = message_class(kind.methods["Update"].input_type)(**{kind.field: {"name": made.name, field: value}})
    _, target, body = http_request(kind.methods["Update"], request)
    path = target.split("/v1/")[1]
    status, _, answer = world.web("PATCH", kind, path, body, {"If-Match": STALE})
    assert status == 412 and answer["error"]["status"] == "ABORTED"
    assert world.get(kind, made.name) == made
    for etag in (headers["ETag"], None, "*"):
        etag = etag or world.get(kind, made.name).etag
        status, _, answer = world.web("PATCH", kind, path, body, {"If-Match": etag})
        assert status == 200, answer
    if world.get(kind, made.name).etag != made.etag:
        assert world.web("PATCH", kind, path, body, {"If-Match": headers["ETag"]})[0] == 412


@pytest.mark.parametrize("shown", ["alice", None])
def test_a_repetition_is_the_callers_own(world, kind, shown):
    """Another caller's request under the same id is a request of its own."""
    create = kind.methods["Create"]
    if kinds.access(create) != "IDENTIFIED" or shown is None:
        return
    again = {"request_id": str(uuid.uuid4())}
    assert world.record(kind, "staff") is not None
    first = world.create(kind, world.example(kind).least(world), "staff", **again)
    try:
        second = world.create(kind, world.example(kind).least(world), shown, **again)
        assert second.name != first.name
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND  # below what the other does not see
