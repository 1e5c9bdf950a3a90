"""The contract by descriptor: what a test needs to say or walk it without naming each message's module."""

import re
import urllib.parse

from google.api import annotations_pb2 as annotations_pb2_http  # pylint: disable=import-error
from google.protobuf import descriptor_pb2, symbol_database

from transparency.centre.v1 import centre_service_pb2  # pylint: disable=import-error
from transparency.certification.v1 import certification_service_pb2  # pylint: disable=import-error
from transparency.gateway.v1 import gateway_service_pb2  # pylint: disable=import-error
from transparency.standards.v1 import standards_service_pb2  # pylint: disable=import-error
from transparency.type.v1 import annotations_pb2  # pylint: disable=import-error

SERVICES = {
    "certification": certification_service_pb2.DESCRIPTOR.services_by_name["CertificationService"],
    "standards": standards_service_pb2.DESCRIPTOR.services_by_name["StandardsService"],
    "centre": centre_service_pb2.DESCRIPTOR.services_by_name["CentreService"],
    "gateway": gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],
}


def path(service, method):
    """`/package.Service/Method`."""
    return f"/{SERVICES[service].full_name}/{method}"


def message_class(descriptor):
    return symbol_database.Default().GetPrototype(descriptor)


def request(service, method, **fields):
    """A request of the method, made of Python values."""
    return message_class(SERVICES[service].methods_by_name[method].input_type)(**fields)


def answer(service, method, data):
    """The method's answer, parsed."""
    return message_class(SERVICES[service].methods_by_name[method].output_type).FromString(data)


def access(method):
    """Who may call: PUBLIC, IDENTIFIED or STAFF."""
    return annotations_pb2.Access.Name(method.GetOptions().Extensions[annotations_pb2.access])


def is_stream(method):
    """Whether it has many answers."""
    copy = descriptor_pb2.ServiceDescriptorProto()
    method.containing_service.CopyToProto(copy)
    return copy.method[method.index].server_streaming


def is_bound(method):
    """Whether the JSON port serves it."""
    return method.GetOptions().HasExtension(annotations_pb2_http.http)


def resources(service):
    """The service's kinds: descriptor by singular-like message name, from its Get methods."""
    return {method.output_type.name: method.output_type for method in SERVICES[service].methods
            if method.name == f"Get{method.output_type.name}"}


def collection_of(service, kind):
    """(the List method of a kind, its repeated field in the answer)."""
    for method in SERVICES[service].methods:
        if method.name.startswith("List"):
            for field in method.output_type.fields:
                if field.message_type is not None and field.message_type.name == kind:
                    return method.name, field.name
    raise AssertionError(f"no list of {kind}")


def http_get(service, method, **fields):
    """The path and query by which the JSON port serves a read, given its request's scalar fields and lists of them."""
    rule = SERVICES[service].methods_by_name[method].GetOptions().Extensions[annotations_pb2_http.http]
    rest = dict(fields)

    def fill(match):
        return urllib.parse.quote(str(rest.pop(match.group(1))), safe="/")
    target = re.sub(r"{(\w+)(?:=[^}]*)?}", fill, rule.get)
    if rest:
        target += "?" + urllib.parse.urlencode(
            {json_name(name): json_value(value) for name, value in rest.items()}, doseq=True)
    return target


def json_value(value):
    return str(value).lower() if isinstance(value, bool) else value


def json_name(name):
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
