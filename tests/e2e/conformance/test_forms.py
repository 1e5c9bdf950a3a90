"""Who sees what of every kind: a hidden resource does not exist, a hidden field is unknown."""

import kinds


def hidden_fields(message, before=(), depth=4):
    """Paths to the fields that have an audience."""
    for field in message.fields:
        way = [*before, field]
        if kinds.audience(field):
            yield way
        elif field.message_type and not kinds.is_value(field) and len(way) < depth:
            yield from hidden_fields(field.message_type, way, depth)


def outsider(world, kind):
    return world.example(kind).outsider or ("alice" if kinds.access(kind.methods["Get"]) == "IDENTIFIED" else None)


def test_hidden_resources_do_not_exist(world, kind):
    if not kind.visible_when:
        return
    name = world.example(kind).hidden(world)
    absent = name[:-1] + ("y" if name[-1] != "y" else "z")
    token = outsider(world, kind)
    assert world.get(kind, name).name == name
    said = []
    for asked in (name, absent):
        refusals = [world.refused(kind.methods["Get"], "NOT_FOUND", "RESOURCE_NOT_FOUND", token=token, name=asked)]
        for method in kind.mutations():
            if method is kind.methods["Create"] or kinds.access(method) != "IDENTIFIED":
                continue
            fields = {"name": asked, **world.example(kind).STEPS.get(method.name, (None, {}))[1]}
            if method is kind.methods["Update"]:
                field, value = world.example(kind).change(world)
                fields = {kind.field: {"name": asked, field: value, "etag": '"stale"'}}
            refusals.append(world.refused(method, "NOT_FOUND", "RESOURCE_NOT_FOUND", token=token, **fields))
        said.append([str(r.message).replace(asked, "X") + str(r.info).replace(asked, "X") for r in refusals])
    assert said[0] == said[1]
    narrowed = f'name = "{name}"'
    assert world.names(kind, token, filter=narrowed) == [] and world.names(kind, filter=narrowed) == [name]
    assert world.page(kind, token, filter=narrowed, return_total_size=True).total_size == 0
    assert name not in world.names(kind, token)
    if kind.has("BatchGet"):
        world.refused(kind.methods["BatchGet"], "NOT_FOUND", token=token, names=[name], **world.place(kind))


def test_hidden_fields_are_unknown(world, kind):
    ways = list(hidden_fields(kind.message))
    if not ways:
        return
    record = world.full_record(kind)
    token = outsider(world, kind)
    seen = world.sees(kind, record.name, token)
    place = {"parent": kind.any_parent} if kind.is_nested else {}
    for way in ways:
        path = ".".join(field.name for field in way)
        if seen is not None and len(way) == 1:
            assert not seen.HasField(path) if way[0].has_presence else not getattr(seen, path)
        for query in (f"{path}:*", f"-{path}:*"):
            world.page(kind, filter=query)
            hidden = world.refused(kind.methods["List"], "INVALID_ARGUMENT", "QUERY_INVALID", "filter", token=token,
                                   **place, filter=query)
            unknown = world.refused(kind.methods["List"], "INVALID_ARGUMENT", "QUERY_INVALID", "filter", token=token,
                                    **place, filter=query.replace(way[-1].name, "q" * len(way[-1].name)))
            assert hidden.message.replace(way[-1].name, "q" * len(way[-1].name)) == unknown.message
        if not any(kinds.is_repeated(field) for field in way) and (kinds.is_value(way[-1]) or not way[-1].message_type):
            world.refused(kind.methods["List"], "INVALID_ARGUMENT", "QUERY_INVALID", "order_by", token=token, **place,
                          order_by=path)


def test_an_owner_sees_what_is_his(world, kind):
    if kinds.access(kind.methods["Create"]) != "IDENTIFIED":
        return
    parent = {}
    if kind.is_nested:
        holder = next(k for k in world.kinds.values() if k.pattern == kind.parent_pattern)
        if kinds.access(holder.methods["Create"]) == "IDENTIFIED":
            least = world.example(holder).least(world)
            parent = {"parent": world.create(holder, least, "alice").name}
    own = world.create(kind, world.example(kind).least(world), "alice", **parent)
    narrowed = f'name = "{own.name}"'
    for token, sees in (("alice", True), ("staff", True), ("bob", False)):
        assert (world.sees(kind, own.name, token) is not None) == sees
        assert world.names(kind, token, filter=narrowed) == ([own.name] if sees else [])
    field, value = world.example(kind).change(world)
    world.call(kind.methods["Update"], "alice", **{kind.field: {"name": own.name, field: value}})
    world.refused(kind.methods["Update"], "NOT_FOUND", token="bob", **{kind.field: {"name": own.name, field: value}})
