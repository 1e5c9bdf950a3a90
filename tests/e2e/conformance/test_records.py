"""Get, List, Create, BatchGet of every kind: what is made is there, under its name, for whoever may see it."""

import urllib.parse

import kinds
from clients import new_request_id
from marks import needs
from world import json_name

from google.protobuf import json_format

BAD_IDS = ("A", "1a", "-a", "a-", "a_b", "a.b", "a/b", "a b", "ä", "a" * 64, "a\n", "-")


def test_what_is_created_is_got_and_listed(world, kind):
    made = world.full_record(kind)
    assert made == world.get(kind, made.name)
    assert made in world.listed(kind, filter=f'name = "{made.name}"')
    assert made.create_time == made.update_time and made.etag.startswith('"') and made.etag.endswith('"')
    assert kinds.re.fullmatch(kinds.re.sub("{[^}]*}", "[a-z0-9-]+", kind.pattern), made.name)
    status, headers, body = world.web("GET", kind, made.name)
    assert status == 200 and body["name"] == made.name and body["etag"] == made.etag and headers["ETag"]
    assert json_format.ParseDict(body, type(made)()) == made


def test_a_server_picks_an_id(world, kind):
    made = [world.record(kind).name.rsplit("/", 1)[1] for _ in range(2)]
    assert made[0] != made[1]
    for identifier in made:
        assert kinds.re.fullmatch("[a-z][a-z0-9]{25}", identifier), identifier


def test_a_chosen_id_is_taken_once(world, kind):
    if kind.id_field is None:
        return
    create, least = kind.methods["Create"], world.example(kind).least(world)
    identifier = "c" + new_request_id()[:8] + "-1"
    for chosen in (identifier, "z" + identifier + "y" * (63 - 1 - len(identifier))):
        assert world.create(kind, least, **{kind.id_field: chosen}).name.endswith(f"/{chosen}")
        least = world.example(kind).least(world)
    world.refused(create, "ALREADY_EXISTS", "RESOURCE_EXISTS",
                  **{**world.place(kind), kind.id_field: identifier, kind.field: least})
    for bad in BAD_IDS:
        world.refused(create, "INVALID_ARGUMENT", "INVALID_FIELDS", kind.id_field,
                      **{**world.place(kind), kind.id_field: bad, kind.field: least})


def test_a_name_in_a_create_is_passed_over(world, kind):
    least = {**world.example(kind).least(world), "name": "nonsense of any form", "etag": '"made up"'}
    made = world.create(kind, least)
    assert kinds.re.fullmatch("[a-z0-9-]+", made.name.rsplit("/", 1)[1]) and made.etag != '"made up"'


def bad_names(kind, good):
    collection = kind.pattern.split("/")[0]
    yield from ("", good + "/", "/" + good, good + "/more/x", good.rsplit("/", 1)[0], good.replace("/", "//", 1),
                f"//{kind.domain}/{good}", good.upper(), good + "\0", good + " ",
                kinds.re.sub("{[^}]*}", "-", kind.pattern),
                good.replace(collection, collection[:-1], 1), good[:-1] + "/..", "x" * 5000)


def test_names_that_are_none(world, kind):
    good = world.record(kind).name
    for verb in ("Get", "Delete", "Undelete"):
        if verb in kind.methods:
            for name in bad_names(kind, good):
                world.refused(kind.methods[verb], "INVALID_ARGUMENT", "INVALID_FIELDS", "name", over_json=False,
                              name=name)
    for name in bad_names(kind, good):
        world.refused(kind.methods["Update"], "INVALID_ARGUMENT", "INVALID_FIELDS", f"{kind.field}.name",
                      over_json=False,
                      **{kind.field: {**world.example(kind).least(world), "name": name}})
    for method in kind.steps:
        _, fields = world.example(kind).STEPS[method.name]
        world.refused(method, "INVALID_ARGUMENT", "INVALID_FIELDS", "name", over_json=False, name=good + "/", **fields)


def test_names_of_nothing(world, kind):
    name = world.record(kind).name[:-1] + "zz"
    for method in [kind.methods[verb] for verb in ("Get", "Delete", "Undelete") if verb in kind.methods] + kind.steps:
        _, fields = world.example(kind).STEPS.get(method.name, (None, {}))
        refusal = world.refused(method, "NOT_FOUND", "RESOURCE_NOT_FOUND", name=name, **fields)
        info = refusal.details["ResourceInfo"]
        assert (info.resource_type, info.resource_name) == (kind.type, name)
    field, value = world.example(kind).change(world)
    world.refused(kind.methods["Update"], "NOT_FOUND", "RESOURCE_NOT_FOUND",
                  **{kind.field: {"name": name, field: value}})


def test_parents(world, kind):
    """`-` stands for any, another one shows nothing of this one, and one that is none is told."""
    if not kind.is_nested:
        return
    made = world.record(kind)
    parent = made.name.rsplit("/", 2)[0]
    narrowed = f'name = "{made.name}"'
    for place in (parent, kind.any_parent):
        assert world.names(kind, parent=place, filter=narrowed) == [made.name]
    holder = next(k for k in world.kinds.values() if k.pattern == kind.parent_pattern)
    other = world.record(holder).name
    assert world.names(kind, parent=other) == []
    if "/" in parent.split("/", 2)[-1]:
        partly = parent.split("/")
        partly[1] = "-"
        world.refused(kind.methods["List"], "INVALID_ARGUMENT", None, "parent", over_json=False, parent="-")
    listing, create = kind.methods["List"], kind.methods["Create"]
    for missing in (parent[:-1] + "zz",):
        world.refused(listing, "NOT_FOUND", "RESOURCE_NOT_FOUND", parent=missing)
        refusal = world.refused(create, "NOT_FOUND", "RESOURCE_NOT_FOUND",
                                parent=missing, **{kind.field: world.example(kind).least(world)})
        assert refusal.details["ResourceInfo"].resource_type == holder.type
    for wrong in ("", "x", parent + "/", made.name, f"//{kind.domain}/{parent}"):
        world.refused(listing, "INVALID_ARGUMENT", "INVALID_FIELDS", "parent", over_json=False, parent=wrong)
        world.refused(create, "INVALID_ARGUMENT", "INVALID_FIELDS", "parent", over_json=False, parent=wrong,
                      **{kind.field: world.example(kind).least(world)})
    world.refused(create, "INVALID_ARGUMENT", "INVALID_FIELDS", "parent", over_json=False, parent=kind.any_parent,
                  **{kind.field: world.example(kind).least(world)})


@needs("BatchGet")
def test_a_batch_is_ordered_and_whole(world, kind):
    method = kind.methods["BatchGet"]
    names = [world.record(kind).name for _ in range(3)]
    place = world.place(kind)

    def batch(wanted, token="staff", **fields):
        answer = world.call(method, token, names=wanted, **{**place, **fields})
        return [item.name for item in getattr(answer, kind.plural)]
    asked = [names[2], names[0], names[1], names[0]]
    assert batch(asked) == asked
    refusal = world.refused(method, "NOT_FOUND", "RESOURCE_NOT_FOUND", **place,
                            names=[names[0], names[1] + "z", names[2] + "z"])
    assert refusal.details["ResourceInfo"].resource_name == names[1] + "z"
    if kind.has("Delete"):
        world.call(kind.methods["Delete"], name=names[1])
        assert batch(asked) == asked
        world.refused(method, "NOT_FOUND", token="alice", names=[names[1]], **place)
    world.refused(method, "INVALID_ARGUMENT", None, "names", names=[], **place)
    world.refused(method, "INVALID_ARGUMENT", None, "names[1]", names=[names[0], "nonsense"], **place)
    # Over JSON so many long names are more than a URL holds.
    world.refused(method, "INVALID_ARGUMENT", None, "names", over_json=False, names=names[:1] * 101, **place)
    assert len(batch(names[:1] * 100)) == 100
    if kind.is_nested:
        assert batch(names[:1], parent=kind.any_parent) == names[:1]
        other = place["parent"][:-1] + "zz"
        world.refused(method, "INVALID_ARGUMENT", None, "names[0]", names=names[:1], parent=other)
    # Over JSON, names as repeated query parameters.
    target = kinds.re.sub("{parent=[^}]*}", place.get("parent", ""), kinds.http_rule(method).get)
    status, _, body = world.web("GET", kind, target.split("/v1/")[1] + "?" + urllib.parse.urlencode(
        [("names", name) for name in asked]))
    assert status == 200 and [item["name"] for item in body[json_name(kind.plural)]] == asked
