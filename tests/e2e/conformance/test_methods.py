"""Every method of every service, whatever it is about: what its request's annotations say holds."""

import grpc
import pytest

import kinds
import values
from raw_grpc import Refusal
from world import message_class

UNKNOWN_NUMBER = b"\xfa\x7f\x01x"  # field 2047


def all_methods():
    return [method for service in kinds.declared_services().values() for method in service.methods]


@pytest.fixture(name="method", params=all_methods(),
                ids=lambda method: f"{method.name}-{method.full_name.split('.')[1]}")
def method_fixture(request):
    return request.param


class Asked:
    """One call with these bytes: an answer, or a refusal that is well formed."""

    def __init__(self, world, method, data, token="staff"):
        self.refusal = None
        token = world.tokens[token]
        metadata = [("authorization", f"Bearer {token}")] if token else []
        try:
            if method.server_streaming:
                stream = world.client.channel.unary_stream(world.path(method))(data, metadata=metadata, timeout=20)
                next(stream)
                stream.cancel()
            else:
                world.client.raw(world.path(method), data, token)
        except grpc.RpcError as error:
            self.refusal = Refusal(error)
            world.assert_well_formed(method, self.refusal, (method.full_name, data[:80], self.refusal.message))

    @property
    def code(self):
        return self.refusal.code if self.refusal else "OK"

    @property
    def fields(self):
        return self.refusal.fields if self.refusal else []


def with_field(method, field, value):
    value = [value] if kinds.is_repeated(field) and not isinstance(value, list) else value
    return message_class(method.input_type)(**{field.name: value}).SerializeToString()


def test_an_empty_request_lacks_what_is_required(world, method):
    required = {field.name for field in method.input_type.fields if "REQUIRED" in kinds.behaviors(field)}
    asked = Asked(world, method, b"")
    if required:
        assert (asked.code, asked.refusal.info.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
        assert required <= set(asked.fields)
    else:
        assert asked.code in ("OK", "INVALID_ARGUMENT"), asked.refusal.message


def test_bytes_that_are_no_request(world, method):
    for data in (b"\xff\xff\xff\xff", b"\x0a\x10abc", b"\x0b" * 20, b"\x08" + b"\xff" * 12):
        asked = Asked(world, method, data)
        assert (asked.code, asked.refusal.info.reason) == ("INVALID_ARGUMENT", "MALFORMED_REQUEST"), data
    asked = Asked(world, method, UNKNOWN_NUMBER)
    assert asked.code == "INVALID_ARGUMENT" and "2047" in asked.fields


def test_each_field_of_a_request_is_checked(world, method):
    for field in method.input_type.fields:
        if field.message_type is not None and field.message_type.full_name.startswith("transparency.") and (
                field.message_type.full_name not in values.WHOLE):
            asked = Asked(world, method, with_field(method, field, {}) + b"")
            assert field.name not in asked.fields, asked.refusal.message
            continue
        for bad in bad_values(field):
            data = with_field(method, field, bad)
            asked = Asked(world, method, data)
            assert asked.code == "INVALID_ARGUMENT", (field.name, str(bad)[:60])
            path = field.name + ("[0]" if kinds.is_repeated(field) and not isinstance(bad, list) else "")
            assert path in asked.fields, (field.name, str(bad)[:60], asked.fields)


def bad_values(field):
    """Values that the annotations of a field rule out."""
    if kinds.is_map(field):
        return
    if field.enum_type:
        yield 9999
    elif field.cpp_type == field.CPPTYPE_STRING and field.type != field.TYPE_BYTES:
        yield "a\0b"
        yield "x" * (kinds.max_length(field) + 1)
        yield from values.BAD_TEXT.get(kinds.text_format(field), ())
        if kinds.reference(field) and kinds.reference(field) != "*":
            yield "nonsense"
            yield "nonsense/x"
    elif field.message_type is not None and field.message_type.full_name == "google.type.Date":
        yield {"year": 2023, "month": 2, "day": 29}
    elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        yield {"nanos": -1}
    elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Duration":
        yield {"seconds": 1, "nanos": -1}
    elif field.name == "page_size":
        yield -1
    if kinds.is_repeated(field) and field.message_type is None:
        fine = next((v.number for v in field.enum_type.values if v.number), 0) if field.enum_type else (
            "x" if field.cpp_type == field.CPPTYPE_STRING else 1)
        yield [fine] * (kinds.max_items(field) + 1)


def test_a_read_mask_names_fields_of_the_answer(world, method):
    if method.server_streaming:
        return
    refusal = world.client.refusal(world.path(method), b"", world.tokens["staff"], [("x-goog-fieldmask", "nope")])
    world.assert_well_formed(method, refusal, method.full_name)
    assert refusal.code == "INVALID_ARGUMENT"
