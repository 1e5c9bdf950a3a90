"""Each field of each kind by its annotations: required, output-only, immutable, limits, formats, references."""

import grpc
import pytest

import kinds
import values
from raw_grpc import Refusal
from world import message_class



@pytest.fixture(name="full", scope="module")
def full_fixture(world):
    """The full example of a kind, made once."""
    made = {}
    return lambda kind: made.setdefault(kind.type, world.full(kind))


class Trial:
    """A create that is only tried, with something changed."""

    def __init__(self, world, kind):
        self.world, self.kind, self.method = world, kind, kind.methods["Create"]
        self.place = world.place(kind)

    def fields(self, resource):
        return {**self.place, self.kind.field: resource, "validate_only": True}

    def refused(self, resource, path, over_json=True):
        return self.world.refused(self.method, "INVALID_ARGUMENT", "INVALID_FIELDS",
                                  f"{self.kind.field}.{path}", over_json=over_json, **self.fields(resource))

    def complaints(self, resource, path):
        """What is said of a field, if anything."""
        request = message_class(self.method.input_type)(**self.fields(resource))
        try:
            self.world.client.raw(self.world.path(self.method), request.SerializeToString(), self.world.tokens["staff"])
        except grpc.RpcError as error:
            refusal = Refusal(error)
            bad = refusal.details.get("BadRequest")
            return [violation.description for violation in (bad.field_violations if bad else ())
                    if violation.field == f"{self.kind.field}.{path}"]
        return []


def test_required_fields(world, kind, full):
    trial, everything = Trial(world, kind), full(kind)
    for path, field, _ in values.places(kind.message, everything):
        if "REQUIRED" in kinds.behaviors(field):
            trial.refused(values.put(everything, values.list_path(path), None), values.list_path(path))
    refusal = world.refused(kind.methods["Create"], "INVALID_ARGUMENT", "INVALID_FIELDS", over_json=False,
                            **trial.fields({"source": {"title": "x"}} if "source" in everything else
                                           {"name": "x"}))
    required = {f"{kind.field}.{f.name}" for f in kind.message.fields if "REQUIRED" in kinds.behaviors(f)}
    assert set(refusal.fields) == required
    world.refused(kind.methods["Create"], "INVALID_ARGUMENT", "INVALID_FIELDS", kind.field, over_json=False,
                  **trial.place)


def test_what_clients_do_not_set_is_passed_over(world, kind):
    example = world.example(kind)
    sent = {}
    for field in kind.message.fields:
        if "OUTPUT_ONLY" in kinds.behaviors(field) and not kinds.is_etag(field):
            value = world.value(field)
            sent[field.name] = [value] if kinds.is_repeated(field) else value
    plain = world.create(kind, example.least(world))
    made = world.create(kind, {**example.least(world), **sent})
    for name in sent:
        # Whatever the server computes: that a record has it, or not, does not depend on what was sent.
        field = kind.message.fields_by_name[name]
        if kinds.is_repeated(field):
            assert len(getattr(made, name)) == len(getattr(plain, name)), name
        elif field.has_presence:
            assert made.HasField(name) == plain.HasField(name), name
        else:
            assert bool(getattr(made, name)) == bool(getattr(plain, name)), name
    for mask in (["*"], list(sent)):
        resource = {**full_of(made), **{name: world.value(kind.message.fields_by_name[name]) for name in sent
                                        if not kinds.is_repeated(kind.message.fields_by_name[name])}}
        after = world.call(kind.methods["Update"], **{kind.field: resource, "update_mask": {"paths": mask}})
        for name in set(sent) - {"update_time"}:
            assert getattr(after, name) == getattr(made, name), (name, mask)


def full_of(record):
    """Its set fields that are no computed ones, as values of a request."""
    return {field.name: value for field, value in record.ListFields()
            if kinds.is_set_by_clients(field) or field.name == "name"}


def test_immutable_fields(world, kind, full):
    update = kind.methods["Update"]
    made = world.create(kind, world.full(kind))
    for field in kind.message.fields:
        if "IMMUTABLE" not in kinds.behaviors(field):
            continue
        present, other = getattr(made, field.name), other_value(world, field, full(kind)[field.name])
        changed = {"name": made.name, field.name: other}
        for mask in ({"update_mask": {"paths": [field.name]}}, {}):
            # Without a mask, what is left empty is not named.
            if mask or other:
                world.refused(update, "INVALID_ARGUMENT", "INVALID_FIELDS", f"{kind.field}.{field.name}",
                              **{kind.field: changed, **mask})
            same = world.call(update, **{kind.field: {"name": made.name, field.name: present}, **mask})
            assert getattr(same, field.name) == present
        # With all fields, one that is left out is kept.
        rest = {name: value for name, value in full_of(made).items() if name != field.name}
        kept = world.call(update, **{kind.field: rest, "update_mask": {"paths": ["*"]}, "validate_only": True})
        assert getattr(kept, field.name) == present


def other_value(world, field, present):
    if field.enum_type:
        return next(v.number for v in field.enum_type.values if v.number and v.number != present)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return not present
    if kinds.is_repeated(field):
        return [*present, *present]
    if field.message_type:
        return {"seconds": present["seconds"] + 60}
    if kinds.text_format(field) == "TIME_ZONE":
        return "Asia/Tokyo"
    if kinds.reference(field):
        return world.record(world.kinds[kinds.reference(field)]).name
    return present + "x"


def test_lengths(world, kind, full):
    trial, everything = Trial(world, kind), full(kind)
    for path, field, value in values.places(kind.message, everything):
        if not isinstance(value, str) or kinds.text_format(field) != "FORMAT_UNSPECIFIED" or kinds.reference(field):
            continue
        longest = kinds.max_length(field)
        if kinds.is_personal(field) or longest <= 4000:
            trial.refused(values.put(everything, path, "ä" * (longest + 1)), path)
            # Counted in code points after normalisation.
            for fits in ("ä" * longest, "a\u0308" * longest, "x" * longest):
                said = trial.complaints(values.put(everything, path, fits), path)
                assert not any("characters" in text for text in said), (path, said)


def test_numbers_of_elements(world, kind, full):
    trial, everything = Trial(world, kind), full(kind)
    seen = set()
    for path, field, value in values.places(kind.message, everything):
        where = values.list_path(path)
        if not kinds.is_repeated(field) or where in seen:
            continue
        seen.add(where)
        most = kinds.max_items(field)
        trial.refused(values.put(everything, where, [value] * (most + 1)), where, over_json=most <= 200)
        said = trial.complaints(values.put(everything, where, [value] * most), where)
        assert not any("elements, more than" in text for text in said), (where, said)


def test_texts(world, kind, full):
    """Formats, control characters, UTF-8, NFC."""
    trial, everything = Trial(world, kind), full(kind)
    for path, field, value in values.places(kind.message, everything):
        if not isinstance(value, str):
            continue
        for bad in values.BAD_TEXT.get(kinds.text_format(field), ()):
            trial.refused(values.put(everything, path, bad), path)
        for bad in ("a\0b", "a\x1bb", "a\x7f", "a\u0085"):
            trial.refused(values.put(everything, path, bad), path)
    changed, _ = world.example(kind).change(world)
    field = next((f for f in kind.message.fields if f.name in (changed, *world.example(kind).least(world))
                  and isinstance(everything.get(f.name), str) and not kinds.reference(f)
                  and kinds.text_format(f) == "FORMAT_UNSPECIFIED"), None)
    if field is not None:
        made = world.create(kind, {**world.example(kind).least(world), field.name: "A\u030angstro\u0308m\n\tx"})
        assert getattr(made, field.name) == "\u00c5ngstr\u00f6m\n\tx"
        request = message_class(kind.methods["Create"].input_type)(**trial.fields({**everything, field.name: "qqqq"}))
        data = request.SerializeToString().replace(b"qqqq", b"q\xff\xfeq")
        refusal = world.client.refusal(world.path(kind.methods["Create"]), data, world.tokens["staff"])
        assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", [f"{kind.field}.{field.name}"])


def test_values_that_are_none(world, kind, full):
    bad_values = {
        "google.type.Date": ({"year": 2023, "month": 2, "day": 29}, {"year": 2023, "day": 1}, {"year": 10000},
                             {"month": 5}, {"year": 2023, "month": 13}, {"year": -1}),
        "google.protobuf.Timestamp": ({"seconds": 2**60}, {"nanos": -1}, {"nanos": 10**9}),
        "google.protobuf.Duration": ({"seconds": 2**60}, {"seconds": 1, "nanos": -1}, {"nanos": 10**9}),
        "google.type.Money": ({"units": 1}, {"currency_code": "eur"},
                              {"currency_code": "EUR", "units": 1, "nanos": -1}),
    }
    trial, everything = Trial(world, kind), full(kind)
    for path, field, _ in values.places(kind.message, everything):
        if field.enum_type:
            trial.refused(values.put(everything, path, 9999), path, over_json=False)
        for bad in bad_values.get(field.message_type.full_name if field.message_type else "", ()):
            # JSON has no way to write most of these.
            trial.refused(values.put(everything, path, bad), path,
                          over_json=field.message_type.full_name == "google.type.Date")


def test_fields_that_this_version_does_not_know(world, kind):
    least = world.example(kind).least(world)
    request = message_class(kind.methods["Create"].input_type)(**Trial(world, kind).fields(least))
    data = request.SerializeToString() + b"\xfa\x7f\x01x"  # number 2047
    refusal = world.client.refusal(world.path(kind.methods["Create"]), data, world.tokens["staff"])
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["2047"])


def test_references(world, kind, full):
    """Another kind's name is none; one of nothing is missing."""
    trial, everything = Trial(world, kind), full(kind)
    for path, field, value in values.places(kind.message, everything):
        wanted = kinds.reference(field)
        if not wanted or not isinstance(value, str):
            continue
        other = next(k for k in world.kinds.values() if k.type != wanted and not k.is_nested)
        for bad in (other.pattern.split("/")[0] + "/x", value + "/", "nonsense", value.upper(),
                    f"//elsewhere.transparency/{value.lstrip('/')}"):
            trial.refused(values.put(everything, path, bad), path)
        if not value.startswith("//"):
            missing = value.rsplit("/", 1)[0] + "/none-of-these"
            refusal = world.refused(kind.methods["Create"], "FAILED_PRECONDITION", "REFERENCE_NOT_FOUND",
                                    **trial.fields(values.put(everything, path, missing)))
            assert missing in str(refusal.info) + refusal.message, (path, refusal.message)
