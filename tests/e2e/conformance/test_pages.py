"""Lists of every kind by pages (AIP-158): of every size, while records come and go, and tokens that are not theirs."""

import pytest

import kinds
from world import message_class

from google.protobuf import json_format

TOKEN = ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "page_token")


@pytest.fixture(name="some", scope="module")
def some_fixture(world):
    """Names of a few records of a kind, made once, and a filter that finds them alone."""
    made = {}

    def of(kind):
        if kind.type not in made:
            made[kind.type] = sorted(world.record(kind).name for _ in range(7))
        names = made[kind.type]
        return names, "(" + " OR ".join(f'name = "{name}"' for name in names) + ")"
    return of


def test_pages_of_every_size(world, kind, some):
    names, narrowed = some(kind)
    for size in (1, 2, 3, 6, 7, 8, 1000, 1001, 2**31 - 1):
        pages = [[item.name for item in page] for page in world.pages(kind, filter=narrowed, page_size=size)]
        assert [name for page in pages for name in page] == names, size
        assert all(len(page) <= size for page in pages)
        # A page that ends with the last record has no token after it.
        assert len(pages) == -(-7 // size), (size, pages)
        descending = [item.name for page in world.pages(kind, filter=narrowed, page_size=size, order_by="name desc")
                      for item in page]
        assert descending == names[::-1]
    assert [item.name for item in getattr(world.page(kind, filter=narrowed), kind.plural)] == names
    place = {"parent": kind.any_parent} if kind.is_nested else {}
    for negative in (-1, -2**31):
        world.refused(kind.methods["List"], "INVALID_ARGUMENT", "INVALID_FIELDS", "page_size", **place,
                      page_size=negative)


def test_pages_while_records_come_and_go(world, kind):
    """What stays is told exactly once; what comes or goes, once at most."""
    for order_by in ("", "create_time desc", "update_time, name desc"):
        kept = {world.record(kind).name for _ in range(6)}
        going = [world.record(kind).name for _ in range(4)] if kind.has("Delete") else []
        before = set(world.names(kind))
        came, seen, token = set(), [], ""
        size = max(3, len(before) // 12)
        while True:
            answer = world.page(kind, order_by=order_by, page_size=size, page_token=token)
            seen += [item.name for item in getattr(answer, kind.plural)]
            token = answer.next_page_token
            if not token:
                break
            if len(came) < 4:
                came.add(world.record(kind).name)
            if going:
                world.call(kind.methods["Delete"], name=going.pop())
        assert len(seen) == len(set(seen)), order_by
        assert kept <= set(seen)
        gone = before - set(world.names(kind))
        assert before - gone <= set(seen) <= before | came, order_by


def test_tokens_belong_to_their_query(world, kind, some):
    _, narrowed = some(kind)
    place = {"parent": kind.any_parent} if kind.is_nested else {}
    listing, query = kind.methods["List"], {**place, "filter": narrowed, "order_by": "create_time"}
    token = world.call(listing, page_size=2, **query).next_page_token
    assert token and kinds.re.fullmatch("[A-Za-z0-9_-]+", token) and len(token) <= 1000
    # The size of a page may change on the way.
    assert len(getattr(world.call(listing, page_size=3, page_token=token, **query), kind.plural)) == 3
    others = [{"filter": narrowed + " "}, {"filter": ""}, {"order_by": "create_time desc"}, {"order_by": ""}]
    if kind.has("Delete"):
        others.append({"show_deleted": True})
    if kind.is_nested:
        others.append({"parent": world.place(kind)["parent"]})
    for other in others:
        if other.get("filter", "").strip() == narrowed:
            continue
        world.refused(listing, *TOKEN, **{**query, **other}, page_token=token)
    for damaged in (token[:-1], token[1:], token + "A", token[::-1], "nonsense", "?", "A" * 5000,
                    token[:5] + ("A" if token[5] != "A" else "B") + token[6:]):
        refusal = world.refused(listing, "INVALID_ARGUMENT", None, "page_token", **query, page_token=damaged)
        assert refusal.info.reason in ("PAGE_TOKEN_INVALID", "INVALID_FIELDS")
    # The caller's form belongs to the query where the caller sees other things.
    if kinds.access(listing) == "PUBLIC" and kind.visible_when:
        world.refused(listing, *TOKEN, token="alice", **query, page_token=token)
    same = next(k for k in world.kinds.values() if k.service is kind.service and k is not kind
                and k.is_nested == kind.is_nested or k.domain != kind.domain)
    stranger = same.methods["List"]
    elsewhere = {"parent": same.any_parent} if same.is_nested else {}
    world.refused(stranger, *TOKEN, **elsewhere, page_token=token)


def test_a_list_tells_its_size_when_asked(world, kind, some):
    names, narrowed = some(kind)
    for token in ("staff", "alice"):
        if token != "staff" and kinds.access(kind.methods["List"]) == "STAFF":
            continue
        for fields in ({"filter": narrowed}, {}, {"filter": f'name = "{names[0]}"'}, {"filter": 'name = "none"'},
                       {"show_deleted": True} if kind.has("Delete") else {}):
            there = world.names(kind, token, **fields)
            assert world.page(kind, token, return_total_size=True, page_size=1, **fields).total_size == len(there)
            assert world.page(kind, token, page_size=1, **fields).total_size == 0
    answer = world.page(kind, return_total_size=True, page_size=2, filter=narrowed)
    later = world.page(kind, return_total_size=True, page_size=2, filter=narrowed, page_token=answer.next_page_token)
    assert later.total_size == answer.total_size == 7


def test_lists_over_json_are_the_same(world, kind, some):
    names, narrowed = some(kind)
    listing = kind.methods["List"]
    place = {"parent": kind.any_parent} if kind.is_nested else {}
    token, seen = "", []
    while True:
        fields = {**place, "filter": narrowed, "order_by": "name desc", "page_size": 3, "page_token": token}
        status, _, body = world.http(listing, message_class(listing.input_type)(**fields))
        assert status == 200, body
        answer = json_format.ParseDict(body, message_class(listing.output_type)())
        assert answer == world.call(listing, **fields)
        seen += [item.name for item in getattr(answer, kind.plural)]
        token = answer.next_page_token
        if not token:
            break
    assert seen == names[::-1]
