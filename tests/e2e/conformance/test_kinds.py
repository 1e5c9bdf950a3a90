"""What there is to test: every kind of the running gateway, each with its example."""

import examples
import kinds
import suite as suite_module


def test_the_gateway_serves_what_the_protos_declare(world):
    declared = set(kinds.declared_services())
    served = {name for name in kinds.reflected_services(world.front.address) if name.startswith("transparency.")}
    assert served == declared


def test_every_kind_has_an_example():
    missing = sorted(set(kinds.all_kinds()) - set(examples.EXAMPLES))
    assert not missing, (
        f"no example of {', '.join(missing)}: add a class with @example(\"{(missing or ['?'])[0]}\") to "
        "tests/e2e/conformance/examples.py; the top of that file says what stands in it")
    assert not set(examples.EXAMPLES) - set(kinds.all_kinds()), "an example of a kind that there is not"


def test_every_custom_method_has_an_example(kind):
    declared, shown = {method.name for method in kind.steps}, set(examples.EXAMPLES[kind.type].STEPS)
    assert not declared - shown, (
        f"{kind} has methods without an example: add {sorted(declared - shown)} to its STEPS in "
        "tests/e2e/conformance/examples.py")
    assert not shown - declared


def test_a_kind_can_be_read(kind):
    assert kind.has("Get", "List", "Create", "Update"), f"{kind} lacks one of Get, List, Create, Update"
    assert kind.has("Delete") == kind.has("Undelete") == ("delete_time" in kind.message.fields_by_name)


def test_every_method_of_a_change_can_be_repeated_and_tried(kind):
    for method in kind.mutations():
        fields = method.input_type.fields_by_name
        assert {"request_id", "validate_only"} <= set(fields), method.full_name
        assert kinds.text_format(fields["request_id"]) == "UUID4", method.full_name
        assert "etag" in fields or kind.field in fields, method.full_name


def test_the_full_example_has_every_field(world, kind):
    """What the annotations give a field is refused by a rule: say in `full` what obeys it."""
    record = world.full_record(kind)
    unset = [field.name for field in kind.writable()
             if not (len(getattr(record, field.name)) if kinds.is_repeated(field) else is_set(record, field))]
    assert not unset, f"`full` of {kind} leaves out {unset}"


def is_set(record, field):
    return record.HasField(field.name) if field.has_presence else bool(getattr(record, field.name))


def test_all_services_stand_here():
    assert {kind.owner for kind in kinds.all_kinds().values()} == set(suite_module.SERVICES)
