"""Requests as Python values: walking them beside their descriptors, and changing one place."""

import copy
import re

import kinds

WHOLE = (*kinds.VALUES, "google.type.Money", "transparency.type.v1.Period")

# Texts that have not the form that a field asks for.
BAD_TEXT = {
    "COUNTRY": ("be", "BEL", "XX", "B"),
    "LANGUAGE": ("english!", "-", "e"),
    "TIME_ZONE": ("Mars/Base", "CET+1x"),
    "SHA256": ("0F" * 32, "0f" * 31, "xx" * 32),
    "URI": ("example.org", "ftp://example.org/", "http://", "https:// x"),
    "UUID4": ("1",),
    "EMAIL": ("a", "a@", "@b", "a b@c.d"),
    "MEDIA_TYPE": ("pdf", "application/", "a b/c"),
}


def places(message, values, prefix=""):
    """(path, field, value) of everything that is set, elements of lists each, depth first."""
    for field in message.fields:
        if field.name not in values:
            continue
        value = values[field.name]
        for index, element in enumerate(value) if kinds.is_repeated(field) else [(None, value)]:
            path = f"{prefix}{field.name}" + ("" if index is None else f"[{index}]")
            yield path, field, element
            if isinstance(element, dict) and field.message_type.full_name not in WHOLE:
                yield from places(field.message_type, element, f"{path}.")


def put(values, path, value):
    """A copy with another value at a path; without it when the value is None."""
    copied = copy.deepcopy(values)
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", path)]
    at = copied
    for step in steps[:-1]:
        at = at[step]
    if value is None:
        del at[steps[-1]]
    else:
        at[steps[-1]] = value
    return copied


def list_path(path):
    """The path of the list that holds an element."""
    return re.sub(r"\[\d+\]$", "", path)


def comparable(kind, resource):
    """A resource less what says when, and under which chosen name, it was changed."""
    copy = type(resource)()
    copy.CopyFrom(resource)
    for field in ("name", "create_time", "update_time", "delete_time", "erase_time", "etag", "check_in_time",
                  "hold_expire_time", "no_show_time", "steps"):
        if field in kind.message.fields_by_name:
            copy.ClearField(field)
    return copy
