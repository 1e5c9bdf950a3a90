"""Filter (AIP-160) and order (AIP-132) over every field of every kind, against a model in Python."""

import datetime
import functools
import unicodedata

import pytest

import kinds

NUMBERS = ("CPPTYPE_INT32", "CPPTYPE_INT64", "CPPTYPE_UINT32", "CPPTYPE_UINT64", "CPPTYPE_DOUBLE", "CPPTYPE_FLOAT")


@pytest.fixture(name="some", scope="module")
def some_fixture(world):
    """Records of a kind: some with everything, some with the least, as staff see them."""
    made = {}

    def of(kind):
        if kind.type not in made:
            records = [world.full_record(kind), world.record(kind), world.full_record(kind), world.record(kind)]
            made[kind.type] = sorted((world.get(kind, record.name) for record in records), key=lambda r: r.name)
        return made[kind.type]
    return of


def narrowed(records, query):
    names = " OR ".join(f'name = "{record.name}"' for record in records)
    return f"({names}) AND ({query})" if query else f"({names})"


class Path:
    """A way to a field through messages and the elements of lists."""

    def __init__(self, fields):
        self.fields = fields

    @property
    def text(self):
        return ".".join(field.name for field in self.fields)

    @property
    def last(self):
        return self.fields[-1]

    @property
    def is_repeated(self):
        return any(kinds.is_repeated(field) for field in self.fields)

    def values(self, record):
        """What a record has there; nothing where it is not set."""
        at = [record]
        for field in self.fields:
            found = []
            for message in at:
                if kinds.is_repeated(field):
                    found += getattr(message, field.name)
                elif not field.has_presence or message.HasField(field.name):
                    found.append(getattr(message, field.name))
            at = found
        return at


def paths(message, before=(), depth=4):
    for field in message.fields:
        if kinds.is_map(field):
            continue
        way = [*before, field]
        yield Path(way)
        if field.message_type and not kinds.is_value(field) and len(way) < depth:
            yield from paths(field.message_type, way, depth)


def literal(field, value):
    """A value as a filter writes it."""
    if field.enum_type:
        number = field.enum_type.values_by_number.get(value)
        return number.name if number else None
    if field.message_type:
        if field.message_type.full_name == "google.type.Date":
            return "-".join(f"{n:0{w}}" for n, w in ((value.year, 4), (value.month, 2), (value.day, 2)) if n) or None
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return f'"{value.ToJsonString()}"'
        return value.ToJsonString()
    if field.cpp_type == field.CPPTYPE_BOOL:
        return str(value).lower()
    if isinstance(value, str):
        return f'"{escaped(value)}"'
    return str(value)


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")


def is_comparable(field):
    return field.type != field.TYPE_BYTES and (field.message_type is None or kinds.is_value(field))


def is_ordered(field):
    return not field.enum_type and field.cpp_type != field.CPPTYPE_BOOL


def first_and_last_day(date):
    first = datetime.date(date.year, date.month or 1, date.day or 1)
    if date.day:
        return first, first
    year, month = (date.year + (date.month or 12) // 12, (date.month or 12) % 12 + 1)
    return first, datetime.date(year, month, 1) - datetime.timedelta(days=1)


def holds(field, comparator, value, wanted):
    """Whether a comparison matches one value; dates that are not complete where it surely does."""
    if field.message_type is not None and field.message_type.full_name == "google.type.Date":
        (first, last), (low, high) = first_and_last_day(value), first_and_last_day(wanted)
        return {"=": low <= first and last <= high, "!=": last < low or first > high, "<": last < low,
                "<=": last <= high, ">": first > high, ">=": first >= low}[comparator]
    if field.message_type is not None:
        value, wanted = value.ToNanoseconds(), wanted.ToNanoseconds()
    if isinstance(value, str):
        value, wanted = value.encode(), wanted.encode()
    return {"=": value == wanted, "!=": value != wanted, "<": value < wanted, "<=": value <= wanted,
            ">": value > wanted, ">=": value >= wanted}[comparator]


def queries(records, path):
    """(filter, names that it finds) over one path."""
    field = path.last
    found = {record.name: path.values(record) for record in records}
    if not is_comparable(field):
        yield f"{path.text}:*", [name for name, values in found.items() if values]
        return
    is_set = [name for name, values in found.items()
              if (values if field.has_presence or kinds.is_repeated(field) else any(values))]
    yield f"{path.text}:*", is_set
    yield f"NOT {path.text}:*", [name for name in found if name not in is_set]
    wanted = next((value for values in found.values() for value in values if value), None)
    if wanted is None or literal(field, wanted) is None:
        return
    text = literal(field, wanted)
    if path.is_repeated:
        has = [name for name, values in found.items() if any(holds(field, "=", value, wanted) for value in values)]
        yield f"{path.text}:{text}", has
        yield f"-{path.text}:{text}", [name for name in found if name not in has]
        return
    for comparator in ("=", "!=", "<", "<=", ">", ">=") if is_ordered(field) else ("=", "!="):
        yield f"{path.text} {comparator} {text}", [
            name for name, values in found.items() if any(holds(field, comparator, value, wanted) for value in values)]
    if isinstance(wanted, str) and len(wanted) > 2 and "\n" not in wanted:
        for first, last in ((wanted[:-1], ""), ("", wanted[1:]), (wanted[:1], wanted[-1:])):
            yield f'{path.text} = "{escaped(first)}*{escaped(last)}"', [name for name, values in found.items() if any(
                len(value) >= len(first + last) and value.startswith(first) and value.endswith(last)
                for value in values)]


def wrong_values(field):
    if field.enum_type:
        return ("NO_SUCH_VALUE", "7")
    if field.message_type:
        return ("soon", "2020-13-01", '""', "5")
    if field.cpp_type == field.CPPTYPE_BOOL:
        return ("yes", "1")
    if field.cpp_type != field.CPPTYPE_STRING:
        return ("many", '"1.5.2"', "0x1")
    return ()


def test_filters_find_what_they_say(world, kind, some):
    records = some(kind)
    for path in paths(kind.message):
        for query, expected in queries(records, path):
            assert world.names(kind, filter=narrowed(records, query)) == expected, query


def test_filters_that_cannot_be_read(world, kind):
    listing = kind.methods["List"]
    place = {"parent": kind.any_parent} if kind.is_nested else {}

    def refused(query, over_json=False):
        refusal = world.refused(listing, "INVALID_ARGUMENT", "QUERY_INVALID", "filter", over_json=over_json, **place,
                                filter=query)
        assert int(refusal.info.metadata["position"]) >= 1, refusal.info
    for path in paths(kind.message):
        field = path.last
        if path.is_repeated:
            refused(f"{path.text} = 1")
        elif not is_comparable(field):
            refused(f"{path.text} = 1")
        elif field.message_type is None:
            refused(f"{path.text}.nope = 1")
        if is_comparable(field) and not is_ordered(field):
            refused(f"{path.text} < 1")
        for wrong in wrong_values(field) if is_comparable(field) else ():
            refused(f"{path.text}:{wrong}")
    for query in ("nope = 1", "name.nope = 1", "name =", "(name = x", "name = x)", "name = x AND", "OR x", "NOT",
                  'name = "x', "max(name) = 1", "name = max(1)", "= x", "(" * 40 + "x" + ")" * 40,
                  " ".join(f"a{n}" for n in range(101))):
        refused(query, over_json=True)
    longest = kinds.max_length(listing.input_type.fields_by_name["filter"])
    world.refused(listing, "INVALID_ARGUMENT", None, "filter", **place, filter="a" * (longest + 1))
    world.page(kind, filter="a" * longest)


def test_filters_join(world, kind, some):
    """OR binds closer than AND; a sequence is AND; a bare word stands in any text."""
    records = some(kind)
    a, b, c = (f'name = "{record.name}"' for record in records[:3])
    names = [record.name for record in records]
    for query, expected in ((f"{a} OR {b} AND {b} OR {c}", names[1:2]), (f"{a} {b}", []), (f"NOT {a} AND ({b} OR {c})",
                            names[1:3]), (f"-({a} OR {b})", names[2:]), (f"{a} AND NOT {b} OR {a}", names[:1])):
        assert world.names(kind, filter=narrowed(records, query)) == expected, query
    word = names[0].rsplit("/", 1)[1]
    assert world.names(kind, filter=narrowed(records, word)) == names[:1]
    assert world.names(kind, filter=narrowed(records, word.upper())) == names[:1]


def sort_key(field, value):
    if field.message_type is not None:
        if field.message_type.full_name == "google.type.Date":
            return (value.year, value.month, value.day)
        return value.ToNanoseconds()
    if isinstance(value, str):
        for_people = (not kinds.reference(field) and kinds.text_format(field) == "FORMAT_UNSPECIFIED"
                      and field.name != "name")
        return (unicodedata.normalize("NFC", value).casefold() if for_people else value).encode()[:100]
    return value


def test_orders(world, kind, some):
    records = some(kind)
    for path in paths(kind.message):
        field = path.last
        if path.is_repeated or not is_comparable(field) or any(kinds.is_personal(f) for f in path.fields):
            world.refused(kind.methods["List"], "INVALID_ARGUMENT", "QUERY_INVALID", "order_by", over_json=False,
                          **({"parent": kind.any_parent} if kind.is_nested else {}), order_by=path.text)
            continue

        def compare(a, b, way=1, path=path, field=field):
            keys = [[sort_key(field, value) for value in path.values(record)] for record in (a, b)]
            if keys[0] != keys[1]:
                return way * (-1 if keys[0] < keys[1] else 1)
            return -1 if a.name < b.name else 1
        for order, way in ((path.text, 1), (f"{path.text} desc", -1), (f" {path.text}  asc , name", 1)):
            expected = [r.name for r in sorted(records, key=functools.cmp_to_key(functools.partial(compare, way=way)))]
            if path.text == "name" and ", name" in order:
                continue
            assert world.names(kind, filter=narrowed(records, ""), order_by=order) == expected, order


def test_orders_that_cannot_be_read(world, kind):
    for order in ("nope", "name sideways", "name,,create_time", ",", "name desc asc", "create_time.nope",
                  "-name", "create_time, update_time, name, etag, source"):
        refusal = world.refused(kind.methods["List"], "INVALID_ARGUMENT", "QUERY_INVALID", "order_by",
                                **({"parent": kind.any_parent} if kind.is_nested else {}), order_by=order)
        assert refusal.info.metadata
