"""SearchResources and ListEvents of each service, as they tell of every kind, and the gateway's over all of them."""

import uuid

import pytest

import kinds
import values

from transparency.type.v1 import annotations_pb2 as own_pb2  # pylint: disable=import-error


@pytest.fixture(name="ways", scope="module")
def ways_fixture(world):
    """(method, field of its answer) by which something is found: the owner's, and the gateway's."""
    service = kinds.declared_services()["transparency.gateway.v1.GatewayService"]
    gateway = {method.name: method for method in service.methods}

    def of(kind, of_owner, of_gateway, field):
        return [(kind.service.methods_by_name[of_owner], field), (gateway[of_gateway], field)]
    assert world.front
    return of


def title_field(kind):
    return next((f for f in kind.message.fields if f.GetOptions().Extensions[own_pb2.title]), None)


def test_a_resource_is_found_by_its_title(world, kind, ways):
    title = title_field(kind)
    word = "zq" + uuid.uuid4().hex[:12]
    text = f"Of {word.capitalize()} and others"
    made = world.record(kind, **({title.name: text} if title else {}))
    last = made.name.rsplit("/", 1)[1]
    full = f"//{kind.domain}/{made.name}"
    seen = {token: world.sees(kind, made.name, token) is not None for token in ("staff", "alice", None)}
    # An id that the service always picks is no text to search for.
    queries = [(last, "name" if title is None else None)] if kind.id_field else []
    if title is not None:
        queries += [(query, title.name) for query in (word, word.upper(), f'"{word} and"', word[:-3])]
    for method, field in ways(kind, "SearchResources", "Search", "hits"):
        for query, where in queries:
            for token, sees in seen.items():
                hits = [hit for hit in getattr(world.call(method, token, query=query, types=[kind.type]), field)]
                assert [hit.name for hit in hits] == ([full] if sees else []), (method.name, query, token)
                for hit in hits:
                    assert hit.resource_type == kind.type and 0 < hit.score <= 1
                    assert hit.title == (text if title else last)
                    assert where is None or (hit.field == where and word in hit.snippet.lower() + last)
        assert not world.call(method, query=f"{last} nothingofthatkind").hits
        other = next(k for k in world.kinds.values() if k.service is kind.service and k is not kind)
        assert not world.call(method, query=last, types=[other.type]).hits
        if not kind.id_field:
            assert not world.call(method, query=last).hits
        if kind.has("Delete"):
            world.call(kind.methods["Delete"], name=made.name)
            assert not world.call(method, query=last).hits
            world.call(kind.methods["Undelete"], name=made.name)


def event_dates(message, before=()):
    """Ways to the dates that are events whatever else holds, with the label of each."""
    for field in message.fields:
        event = field.GetOptions().Extensions[own_pb2.event]
        if (event.label or event.label_field) and not event.when and not any(
                kinds.audience(f) for f in (*before, field)):
            yield (*before, field), event
        elif field.message_type and field.message_type.full_name not in values.WHOLE and len(before) < 3:
            yield from event_dates(field.message_type, (*before, field))


def holders(record, way):
    """The messages that hold the last field of a way."""
    found = [record]
    for field in way[:-1]:
        found = [below for message in found for below in (
            getattr(message, field.name) if kinds.is_repeated(field)
            else [getattr(message, field.name)] if message.HasField(field.name) else [])]
    return found


def told_of(record, way, event):
    """(date, label) that a record's dates of one way are to be told as."""
    field = way[-1]
    for holder in holders(record, way):
        label = event.label
        if event.label_field:
            chosen = holder.DESCRIPTOR.fields_by_name[event.label_field]
            label = chosen.enum_type.values_by_number[getattr(holder, event.label_field)].name
        for value in getattr(holder, field.name) if kinds.is_repeated(field) else (
                [getattr(holder, field.name)] if holder.HasField(field.name) else []):
            if field.message_type.full_name == "google.type.Date":
                yield value, label
            elif field.message_type.full_name == "transparency.type.v1.Period":
                if value.HasField("from"):
                    yield getattr(value, "from"), label
                if value.HasField("until") and event.end_label:
                    yield value.until, event.end_label


def test_dates_are_told_as_events(world, kind, ways):
    expected_ways = list(event_dates(kind.message))
    if not expected_ways:
        return
    record = world.get(kind, world.full_record(kind).name)
    full = f"//{kind.domain}/{record.name}"
    expected = [(date, label) for way, event in expected_ways for date, label in told_of(record, way, event)]
    assert expected or not any(all(map(kinds.is_set_by_clients, way)) for way, _ in expected_ways), (
        f"the full example of {kind} has none of its events")
    sees = world.sees(kind, record.name, None) is not None
    for method, field in ways(kind, "ListEvents", "ListTimeline", "events"):
        for date, label in expected:
            # A date that is not complete is part of every period that one of its days is part of.
            day = {"year": date.year, "month": date.month or 1, "day": date.day or 1}
            for token, told in (("staff", True), (None, sees)):
                events, page_token = [], ""
                while True:
                    page = world.call(method, token, from_date=day, until_date=day, types=[kind.type], page_size=1000,
                                      page_token=page_token)
                    events += getattr(page, field)
                    page_token = page.next_page_token
                    if not page_token:
                        break
                mine = [event for event in events if event.name == full and event.label == label]
                assert bool(mine) == told, (method.name, label, token)
                assert all(event.resource_type == kind.type for event in mine)
                assert not told or date in [event.date for event in mine], (method.name, label)
