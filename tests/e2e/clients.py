"""Python clients of the contract, made by grpc's own generator, and what tests ask of answers."""

import uuid

import grpc

from google.rpc import error_details_pb2, status_pb2  # pylint: disable=import-error


def channel(process):
    return grpc.insecure_channel(process.address, options=[
        ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)])


def bearer(token):
    return [("authorization", f"Bearer {token}")] if token else []


def new_request_id():
    return str(uuid.uuid4())


def details(error):
    """The google.rpc details of an RpcError by their short names."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    found = {}
    if raw:
        for detail in status_pb2.Status.FromString(raw).details:
            name = detail.type_url.rsplit(".", 1)[1]
            kind = getattr(error_details_pb2, name, None)
            found[name] = kind.FromString(detail.value) if kind else detail
    return found


def reason(error):
    info = details(error).get("ErrorInfo")
    return info.reason if info else ""


class Refused:
    """Context manager: the call inside must be refused with this code (and reason)."""

    def __init__(self, code, why=None):
        self.code, self.why, self.error = code, why, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, grpc.RpcError), f"not refused (expected {self.code}): {error!r}"
        self.error = error
        assert error.code() == self.code, f"{error.code()} {error.details()}, expected {self.code}"
        assert self.why is None or reason(error) == self.why, f"{reason(error)}, expected {self.why}"
        return True

    @property
    def details(self):
        return details(self.error)


def revision(call):
    """The x-revision header of a finished call: (service, number, digest)."""
    value = dict(call.initial_metadata())["x-revision"]
    service, token = value.split("=")
    number, digest = token.split(".")
    return service, int(number), digest
