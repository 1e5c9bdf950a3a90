"""The journal of each service, as it tells of every kind: what was done, how it stood then, what happens now."""

import threading

import pytest

import kinds
from world import message_class

CREATED, UPDATED, DELETED, UNDELETED = 1, 2, 3, 4
ADDED, CHANGED, REMOVED, BOOKMARK = 1, 2, 3, 4


@pytest.fixture(name="journal", scope="module")
def journal_fixture():
    """The methods of a kind's journal service by their names."""
    def of(kind):
        service = next(service for name, service in kinds.declared_services().items()
                       if name.startswith(f"transparency.{kind.owner}.v1.") and name.endswith("JournalService"))
        return {method.name: method for method in service.methods}
    return of


def changed(world, kind):
    """A record with all that can happen to any: (its states, (kind, method) of its changes, oldest first)."""
    field, value = world.example(kind).change(world)
    states = [world.record(kind)]
    name, done = states[0].name, [(CREATED, kind.methods["Create"].name)]
    states.append(world.call(kind.methods["Update"], **{kind.field: {"name": name, field: value}}))
    done.append((UPDATED, kind.methods["Update"].name))
    if kind.has("Delete"):
        states.append(world.call(kind.methods["Delete"], name=name, reason="entered twice"))
        states.append(world.call(kind.methods["Undelete"], name=name, reason="not twice"))
        done += [(DELETED, kind.methods["Delete"].name), (UNDELETED, kind.methods["Undelete"].name)]
    return states, done


def unpacked(kind, packed):
    assert packed.type_url.endswith(kind.message.full_name)
    return message_class(kind.message).FromString(packed.value)


def recorded(kind, resource):
    """A resource less what no journal holds."""
    copy = type(resource)()
    copy.CopyFrom(resource)
    for field in kind.message.fields:
        if kinds.is_personal(field) or kinds.is_etag(field):
            copy.ClearField(field.name)
    return copy


def test_every_change_is_told(world, kind, journal):
    states, done = changed(world, kind)
    name, listing = states[0].name, journal(kind)["ListChanges"]
    changes = list(world.call(listing, name=name, order_by="revision").changes)
    assert [(change.kind, change.step) for change in changes] == done
    assert {change.name for change in changes} == {name} and {change.actor for change in changes} == {"staff-member"}
    assert [change.reason for change in changes] == ["", "", "entered twice", "not twice"][:len(changes)]
    revisions = [change.revision for change in changes]
    assert revisions == sorted(set(revisions))
    assert list(world.call(listing, name=name).changes) == changes[::-1]
    narrowed = {"name": name, "types": [kind.type], "actor": "staff-member", "start_time": changes[0].record_time}
    assert list(world.call(listing, **narrowed).changes) == changes[::-1]
    assert not world.call(listing, name=name, end_time=changes[0].record_time).changes
    assert not world.call(listing, name=name, actor="alice").changes
    # By pages.
    seen, token = [], ""
    while True:
        page = world.call(listing, name=name, page_size=1, page_token=token)
        assert len(page.changes) <= 1
        seen += page.changes
        token = page.next_page_token
        if not token:
            break
    assert seen == changes[::-1]
    # Others learn what they could have seen, and never who or why.
    told = list(world.call(listing, "alice", name=name).changes)
    assert not any(change.actor or change.reason for change in told)
    if world.sees(kind, name, "alice") is None:
        assert not told
    else:
        assert [change.revision for change in told] == revisions[::-1]
    world.refused(listing, "INVALID_ARGUMENT", None, "actor", token="alice", over_json=False, actor="staff-member")


def test_a_resource_is_read_as_it_was(world, kind, journal):
    states, _ = changed(world, kind)
    name, read = states[0].name, journal(kind)["GetResourceAt"]
    changes = list(world.call(journal(kind)["ListChanges"], name=name, order_by="revision").changes)
    for state, change in zip(states, changes):
        for at in ({"revision": change.revision}, {"time": change.record_time}):
            answer = world.call(read, name=name, **at)
            assert recorded(kind, unpacked(kind, answer.resource)) == recorded(kind, state), at
            assert answer.change.revision == change.revision
    world.refused(read, "NOT_FOUND", "RESOURCE_NOT_FOUND", over_json=False, name=name,
                  revision=changes[0].revision - 1)
    world.refused(read, "OUT_OF_RANGE", "REVISION_ABOVE_HEAD", over_json=False, name=name, revision=2**40)
    world.refused(read, "INVALID_ARGUMENT", "INVALID_FIELDS", over_json=False, name=name)
    if world.sees(kind, name, "alice") is None:
        world.refused(read, "NOT_FOUND", "RESOURCE_NOT_FOUND", token="alice", over_json=False, name=name,
                      revision=changes[0].revision)


def test_changes_are_watched(world, kind, journal):
    """The present state, a bookmark, and then each change as it happens; resumed behind any of them."""
    watch = journal(kind)["WatchChanges"]
    made = world.record(kind)
    field, value = world.example(kind).change(world)

    def watched(**fields):
        request = message_class(watch.input_type)(name=made.name, **fields)
        metadata = [("authorization", f"Bearer {world.suite.staff}")]
        stream = world.client.channel.unary_stream(world.path(watch))(request.SerializeToString(), metadata=metadata,
                                                                      timeout=30)
        return stream, (message_class(watch.output_type).FromString(data) for data in stream)
    stream, events = watched(include_present_state=True)
    first, bookmark = next(events), next(events)
    assert (first.type, first.name, first.resource_type) == (ADDED, made.name, kind.type)
    assert unpacked(kind, first.resource) == world.get(kind, made.name) and bookmark.type == BOOKMARK
    after = world.call(kind.methods["Update"], **{kind.field: {"name": made.name, field: value}})
    event = next(events)
    assert event.type == CHANGED and unpacked(kind, event.resource) == after
    stream.cancel()
    stream, events = watched(resume_token=bookmark.resume_token)
    again = next(events)
    assert (again.type, again.resume_token) == (CHANGED, event.resume_token)
    assert recorded(kind, unpacked(kind, again.resource)) == recorded(kind, after)
    stream.cancel()
    assert threading.active_count() < 200
