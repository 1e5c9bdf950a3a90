"""The contract by descriptor: what a test needs to say or walk it without naming each message's module."""

from google.protobuf import symbol_database

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


def resources(service):
    """The service's kinds: descriptor by singular-like message name, from its Get methods."""
    return {method.output_type.name: method.output_type for method in SERVICES[service].methods
            if method.name == f"Get{method.output_type.name}"}
