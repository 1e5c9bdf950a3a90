"""The kinds of resources and their methods, as the running gateway's reflection and the descriptors tell them."""

import functools
import importlib
import re

import grpc

import suite as suite_module

from google.api import annotations_pb2, field_behavior_pb2, resource_pb2  # pylint: disable=import-error
from google.protobuf import descriptor, descriptor_pool

from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc  # pylint: disable=import-error
from transparency.type.v1 import annotations_pb2 as own_pb2  # pylint: disable=import-error

FieldDescriptor = descriptor.FieldDescriptor
VALUES = ("google.protobuf.Timestamp", "google.protobuf.Duration", "google.type.Date")
STANDARD = ("Get", "List", "BatchGet", "Create", "Update", "Delete", "Undelete")


def load_contract():
    """Imports every generated module, so that the pool holds what the checkout's protos hold."""
    root = suite_module.ROOT / "protos"
    for proto in sorted(root.rglob("*.proto")):
        module = str(proto.relative_to(root).with_suffix("")).replace("/", ".") + "_pb2"
        importlib.import_module(module)


def reflected_services(address):
    """Full names of the services that a process says it serves."""
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        for answer in stub.ServerReflectionInfo(asked, timeout=20):
            return [service.name for service in answer.list_services_response.service]
    raise AssertionError(f"{address} lists no services")


def declared_services():
    """Descriptors of all services in the protos, by full name."""
    load_contract()
    found = {}
    for proto in sorted((suite_module.ROOT / "protos").rglob("*.proto")):
        name = str(proto.relative_to(suite_module.ROOT / "protos"))
        for service in descriptor_pool.Default().FindFileByName(name).services_by_name.values():
            found[service.full_name] = service
    return found


def behaviors(field):
    return {field_behavior_pb2.FieldBehavior.Name(value)
            for value in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]}


def is_set_by_clients(field):
    """Whether what a client sends in it counts."""
    return not behaviors(field) & {"OUTPUT_ONLY", "IDENTIFIER"} and not is_etag(field)


def is_etag(field):
    return field.name == "etag" and bool(field.containing_type.GetOptions().Extensions[resource_pb2.resource].type)


def is_repeated(field):
    return field.label == FieldDescriptor.LABEL_REPEATED


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def is_value(field):
    """A message that filters and orders take as one value."""
    return field.message_type is not None and field.message_type.full_name in VALUES


def reference(field):
    """Type of the resource that a text names; empty when it names none."""
    return field.GetOptions().Extensions[resource_pb2.resource_reference].type


def text_format(field):
    return own_pb2.Format.Name(field.GetOptions().Extensions[own_pb2.format])


def max_length(field):
    return field.GetOptions().Extensions[own_pb2.limits].max_length or 1000


def max_items(field):
    return field.GetOptions().Extensions[own_pb2.limits].max_items or 100


def audience(field):
    return field.GetOptions().Extensions[own_pb2.audience]


def is_personal(field):
    return field.GetOptions().Extensions[own_pb2.personal]


def access(method):
    return own_pb2.Access.Name(method.GetOptions().Extensions[own_pb2.access])


class Kind:
    """One kind of resource: its message, its methods, its place."""

    def __init__(self, service, message):
        options = message.GetOptions().Extensions[resource_pb2.resource]
        self.service, self.message = service, message
        self.type, self.pattern, self.name = options.type, options.pattern[0], message.name
        self.domain = options.type.split("/")[0]
        self.owner = self.domain.split(".")[0]
        self.field = re.sub("(?<!^)(?=[A-Z])", "_", message.name).lower()
        self.visible_when = message.GetOptions().Extensions[own_pb2.visible_when]
        self.methods = {}
        for method in service.methods:
            for verb in STANDARD:
                if method.name == f"{verb}{message.name}" or (
                        verb in ("List", "BatchGet") and method.name.startswith(verb) and self._holds(method)):
                    self.methods[verb] = method
        # What changes a resource by a name of its own (AIP-136).
        self.steps = [method for method in service.methods
                      if method not in self.methods.values() and "request_id" in method.input_type.fields_by_name
                      and method.output_type is message]
        listing = self.methods["List"]
        self.plural = next(f.name for f in listing.output_type.fields if f.message_type is message)
        self.is_nested = "parent" in listing.input_type.fields_by_name
        self.parent_pattern = "/".join(self.pattern.split("/")[:-2])
        create = self.methods.get("Create")
        # Where clients may choose the id.
        chosen = f"{self.field}_id"
        self.id_field = chosen if create and chosen in create.input_type.fields_by_name else None

    def _holds(self, method):
        return any(f.message_type is self.message and is_repeated(f) for f in method.output_type.fields)

    def __repr__(self):
        return self.name

    @property
    def any_parent(self):
        return re.sub("{[^}]*}", "-", self.parent_pattern)

    def has(self, *verbs):
        return all(verb in self.methods for verb in verbs)

    def mutations(self):
        return [self.methods[verb] for verb in ("Create", "Update", "Delete", "Undelete") if verb in self.methods
                ] + self.steps

    def writable(self):
        """Its own fields that clients set, but for what only a create takes."""
        return [field for field in self.message.fields if is_set_by_clients(field)
                and "INPUT_ONLY" not in behaviors(field)]


@functools.lru_cache(maxsize=1)
def all_kinds():
    """Every kind of the protos that has methods, by its type."""
    found = {}
    for service in declared_services().values():
        for method in service.methods:
            message = method.output_type
            if method.name == f"Get{message.name}" and message.GetOptions().Extensions[resource_pb2.resource].type:
                kind = Kind(service, message)
                found[kind.type] = kind
    return found


def http_rule(method):
    options = method.GetOptions()
    return options.Extensions[annotations_pb2.http] if options.HasExtension(annotations_pb2.http) else None


def snake_path(path):
    """The proto's spelling of a field path in JSON's: `scheme.timeZone[2].aB` as `scheme.time_zone[2].a_b`."""
    return re.sub("[A-Z]", lambda found: "_" + found.group().lower(), path)


def leads_somewhere(message, path):
    """Whether a field path of a refusal leads to a field of this message."""
    at = message
    for part in path.split("."):
        found = re.fullmatch(r"(\w+)(\[\d+\])?", part)
        if found is None or at is None:
            return False
        if found.group(1).isdigit():
            return True  # an unknown field, by its number
        if found.group() in at.oneofs_by_name:
            at = None  # one of its fields, whichever
            continue
        field = at.fields_by_name.get(found.group(1))
        if field is None or (found.group(2) and not is_repeated(field)):
            return False
        at = field.message_type
    return True

