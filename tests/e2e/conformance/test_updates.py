"""Update of every kind: what a mask names changes, and nothing else (AIP-134, 161)."""

import uuid

import grpc
import pytest

import kinds
import values
from world import json_name, message_class

from google.protobuf import json_format


def update(world, kind, resource, mask=None, **fields):
    paths = {} if mask is None else {"update_mask": {"paths": mask}}
    return world.call(kind.methods["Update"], **{kind.field: resource, **paths, **fields})


def test_without_a_mask_what_is_set_changes(world, kind):
    made = world.full_record(kind)
    field, value = world.example(kind).change(world)
    after = update(world, kind, {"name": made.name, field: value})
    expected = type(made)()
    expected.CopyFrom(made)
    expected.ClearField(field)
    expected.MergeFrom(type(made)(**{field: value}))
    assert values.comparable(kind, after) == values.comparable(kind, expected)
    assert after.etag != made.etag and after.create_time == made.create_time
    assert after == world.get(kind, made.name)
    assert update_time(after) > update_time(made)


def update_time(record):
    return record.update_time.ToNanoseconds()


def test_a_mask_names_what_changes(world, kind):
    made = world.full_record(kind)
    field, value = world.example(kind).change(world)
    for other in kind.writable():
        if other.name == field or "IMMUTABLE" in kinds.behaviors(other):
            continue
        # Present values under a mask change nothing; what the mask does not name is passed over.
        same = {"name": made.name, other.name: getattr(made, other.name), field: value}
        after = update(world, kind, same, [other.name])
        assert values.comparable(kind, after) == values.comparable(kind, made), other.name
    after = update(world, kind, {"name": made.name, field: value}, [field])
    assert getattr(after, field) == getattr(type(made)(**{field: value}), field)


def test_a_named_field_left_empty_is_cleared(world, kind):
    made = world.full_record(kind)
    cleared = 0
    for field in kind.writable():
        resource = {"name": made.name}
        method = kind.methods["Update"]
        paths = {"update_mask": {"paths": [field.name]}, "validate_only": True}
        if kinds.behaviors(field) & {"REQUIRED", "IMMUTABLE"}:
            if getattr(made, field.name):
                world.refused(method, "INVALID_ARGUMENT", "INVALID_FIELDS", f"{kind.field}.{field.name}",
                              **{kind.field: resource, **paths})
            continue
        try:
            after = world.call(method, **{kind.field: resource, **paths})
        except grpc.RpcError:
            # A rule needs it there; then it says so.
            refusal = world.refused(method, None, **{kind.field: resource, **paths})
            assert refusal.code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT")
            continue
        cleared += 1
        assert not after.HasField(field.name) if field.has_presence else not getattr(after, field.name)
        for other in kind.writable():
            assert other is field or getattr(after, other.name) == getattr(made, other.name), (field.name, other.name)
    assert cleared


def test_all_fields(world, kind):
    """`*` replaces: what is left out is gone, but for what is not the client's."""
    made = world.full_record(kind)
    least = {field: getattr(made, field) for field in world.example(kind).least(world)}
    after = update(world, kind, {"name": made.name, **least}, ["*"])
    for field in kind.writable():
        if field.name in least or "IMMUTABLE" in kinds.behaviors(field):
            assert getattr(after, field.name) == getattr(made, field.name), field.name
        else:
            assert not (after.HasField(field.name) if field.has_presence else getattr(after, field.name)), field.name
    assert (after.name, after.create_time) == (made.name, made.create_time)


def test_masks_into_messages(world, kind):
    made = world.full_record(kind)
    for field in kind.writable():
        if (field.message_type is None or kinds.is_repeated(field) or kinds.is_value(field)
                or "IMMUTABLE" in kinds.behaviors(field)):
            continue
        for below in field.message_type.fields:
            if below.cpp_type != below.CPPTYPE_STRING or kinds.is_repeated(below) or kinds.text_format(below) != \
                    "FORMAT_UNSPECIFIED":
                continue
            value = getattr(made, field.name)
            changed = type(value)()
            setattr(changed, below.name, "USD" if below.name == "currency_code" else "changed")
            after = update(world, kind, {"name": made.name, field.name: changed}, [f"{field.name}.{below.name}"])
            expected = type(made)()
            expected.CopyFrom(made)
            setattr(getattr(expected, field.name), below.name, getattr(changed, below.name))
            assert values.comparable(kind, after) == values.comparable(kind, expected), (field.name, below.name)
            made = after


def test_masks_that_name_nothing(world, kind):
    made = world.record(kind)
    field, value = world.example(kind).change(world)
    resource = {kind.field: {"name": made.name, field: value}}
    repeated = next((f.name for f in kind.writable() if kinds.is_repeated(f)), None)
    text = next(f.name for f in kind.message.fields if f.cpp_type == f.CPPTYPE_STRING)
    for path in ("nope", f"{text}.x", f"{field}.", f".{field}", "source.nope", f"{field} ", "name.id",
                 *((f"{repeated}.x", f"{repeated}[0]") if repeated else ())):
        # What is no path in a proto has none in JSON.
        world.refused(kind.methods["Update"], "INVALID_ARGUMENT", "INVALID_FIELDS", "update_mask",
                      over_json=path == "nope", **resource, update_mask={"paths": [path]})
    world.refused(kind.methods["Update"], "INVALID_ARGUMENT", "INVALID_FIELDS", "update_mask", over_json=False,
                  **resource, update_mask={"paths": [field, "*"]})
    assert world.get(kind, made.name) == made


def test_output_only_paths_are_passed_over(world, kind):
    made = world.record(kind)
    paths = [f.name for f in kind.message.fields if not kinds.is_set_by_clients(f)]
    after = update(world, kind, {"name": made.name, "create_time": {"seconds": 1}}, paths)
    assert values.comparable(kind, after) == values.comparable(kind, made) and after.create_time == made.create_time


def test_json_masks(world, kind):
    """Over JSON: from the body's names, or `updateMask` in JSON's spelling; what is named and empty is cleared."""
    made = world.full_record(kind)
    name, value = world.example(kind).change(world)
    sent = json_format.MessageToDict(type(made)(**{name: value}))
    status, _, body = world.web("PATCH", kind, made.name, sent)
    assert status == 200 and body[json_name(name)] == sent[json_name(name)]
    back = json_format.MessageToDict(type(made)(**{name: getattr(made, name)}))
    status, _, body = world.web("PATCH", kind, f"{made.name}?updateMask={json_name(name)}",
                                {**back, "etag": body["etag"]})
    after = json_format.ParseDict(body, type(made)())
    assert status == 200 and values.comparable(kind, after) == values.comparable(kind, made)
    status, _, body = world.web("PATCH", kind, f"{made.name}?updateMask=nope", sent)
    assert status == 400 and "updateMask" in str(body)
    for field in kind.writable():
        if not kinds.behaviors(field) and field.name == "source":
            status, _, body = world.web("PATCH", kind, made.name, {"source": None})
            assert status == 200 and "source" not in body, body


def test_update_creates_what_is_missing_if_allowed(world, kind):
    """AIP-134: with every field, whatever the mask; tried and repeated like every change."""
    method = kind.methods["Update"]
    if "allow_missing" not in method.input_type.fields_by_name:
        return
    assert kind.id_field, f"{kind}: ids that only the server picks cannot be missing"
    name = world.record(kind).name + "n"
    least = world.example(kind).least(world)
    fields = {kind.field: {"name": name, **least}, "update_mask": {"paths": ["source"]}}
    world.refused(method, "NOT_FOUND", "RESOURCE_NOT_FOUND", **fields)
    fields["allow_missing"] = True
    world.call(method, validate_only=True, **fields)
    assert world.sees(kind, name, "staff") is None
    fields["request_id"] = str(uuid.uuid4())
    created = world.call(method, **fields)
    assert created.name == name and created == world.get(kind, name) == world.call(method, **fields)
    for field in least:
        if isinstance(least[field], str):
            assert getattr(created, field) == least[field]
    refusal = world.refused(method, "INVALID_ARGUMENT", "INVALID_FIELDS", over_json=False, allow_missing=True,
                            **{kind.field: {"name": name + "n"}})
    assert set(refusal.fields) == {f"{kind.field}.{f.name}" for f in kind.message.fields
                                   if "REQUIRED" in kinds.behaviors(f)}
    # What is there is updated, and never made anew.
    field, value = world.example(kind).change(world)
    after = update(world, kind, {"name": name, field: value}, [field], allow_missing=True)
    assert after.create_time == created.create_time
    if kind.is_nested:
        elsewhere = name.replace(name.split("/")[1], "none-of-these", 1)
        world.refused(method, "NOT_FOUND", "RESOURCE_NOT_FOUND", allow_missing=True,
                      **{kind.field: {"name": elsewhere, **least}})
    if kind.has("Delete"):
        world.call(kind.methods["Delete"], name=name)
        for allowed in (False, True):
            code = world.refused(method, None, allow_missing=allowed, **{kind.field: {"name": name, **least}}).code
            assert code in ("NOT_FOUND", "ALREADY_EXISTS")


@pytest.mark.parametrize("header", ["x-goog-fieldmask", "fields"])
def test_answers_with_the_fields_asked_for(world, kind, header):
    """AIP-157: over gRPC beside the request, over JSON in the query or beside it."""
    made = world.full_record(kind)
    field, _ = world.example(kind).change(world)
    narrowed = {"filter": f'name = "{made.name}"', **({"parent": kind.any_parent} if kind.is_nested else {})}
    if header == "fields":
        wanted = f"name,{json_name(field)}"
        for target, headers in ((f"{made.name}?fields={wanted}", {}), (made.name, {"X-Goog-FieldMask": wanted})):
            status, got, body = world.web("GET", kind, target, headers=headers)
            assert status == 200 and sorted(body) == sorted(["name", json_name(field)]), body
            assert got["ETag"]
        for bad in ("nope", "name.x", f"{json_name(field)}..", ""):
            if bad:
                status, _, body = world.web("GET", kind, f"{made.name}?fields={bad}")
                assert status == 400 and body["error"]["status"] == "INVALID_ARGUMENT", (bad, body)
        return
    for wanted in ("name," + field, f" name , {field} "):
        answer = world.call(kind.methods["Get"], metadata=[(header, wanted)], name=made.name)
        assert {f.name for f, _ in answer.ListFields()} == {"name", field}
        assert getattr(answer, field) == getattr(made, field)
    answer = world.call(kind.methods["Get"], metadata=[(header, "*")], name=made.name)
    assert answer == made
    answer = world.call(kind.methods["List"], metadata=[(header, f"{kind.plural}.name")], **narrowed)
    assert answer == message_class(kind.methods["List"].output_type)(**{kind.plural: [{"name": made.name}]})
    nested = next(((f, b) for f in kind.message.fields if f.message_type and not kinds.is_value(f)
                   for b in f.message_type.fields if f.name in {x.name for x, _ in made.ListFields()}), None)
    if nested:
        holder, below = nested
        answer = world.call(kind.methods["Get"], metadata=[(header, f"{holder.name}.{below.name}")], name=made.name)
        assert {f.name for f, _ in answer.ListFields()} <= {holder.name}
        for item in getattr(answer, holder.name) if kinds.is_repeated(holder) else [getattr(answer, holder.name)]:
            assert {f.name for f, _ in item.ListFields()} <= {below.name}
    for bad in ("nope", "name.x", f"{field}.", "", ",", f"{kind.plural}.name"):
        refusal = world.refused(kind.methods["Get"], "INVALID_ARGUMENT", "INVALID_FIELDS",
                                metadata=[(header, bad)], name=made.name)
        assert refusal.fields == [header]
