"""gRPC calls with bytes in place of messages, so that a test can send what no generated client would."""

import grpc

import contract
from clients import bearer, channel, details


class Refusal:
    """What came back of a refused call."""

    def __init__(self, error):
        self.error = error
        self.code = error.code().name
        self.message = error.details()
        self.details = details(error)
        trailers = dict(error.trailing_metadata() or ())
        self.size = len(trailers.get("grpc-status-details-bin", b""))

    @property
    def info(self):
        return self.details.get("ErrorInfo")

    @property
    def fields(self):
        request = self.details.get("BadRequest")
        return [violation.field for violation in request.field_violations] if request else []


class RawClient:
    """One connection of its own to a process."""

    def __init__(self, process):
        self.channel = channel(process)

    def raw(self, path, data, token=None, metadata=(), timeout=20):
        """(answer's bytes, the finished call)."""
        return self.channel.unary_unary(path).with_call(data, metadata=[*bearer(token), *metadata], timeout=timeout)

    def refusal(self, path, data, token=None, metadata=(), timeout=20):
        """The refusal that this must meet."""
        try:
            answer, _ = self.raw(path, data, token, metadata, timeout)
        except grpc.RpcError as error:
            return Refusal(error)
        raise AssertionError(f"{path} took {data[:80]!r} and answered {answer[:200]!r}")

    def call(self, service, method, token=None, **fields):
        """The answer of a method, given its request's fields."""
        data, _ = self.raw(contract.path(service, method),
                           contract.request(service, method, **fields).SerializeToString(), token)
        return contract.answer(service, method, data)

    def refused(self, service, method, token=None, **fields):
        return self.refusal(contract.path(service, method),
                            contract.request(service, method, **fields).SerializeToString(), token)


def front_of(suite, *flags, **owners):
    """A gateway that is not ready, for what is behind it is no whole service; and its client."""
    front = suite.gateway(*flags, ready=False, **owners)
    client = RawClient(front)
    grpc.channel_ready_future(client.channel).result(60)
    return front, client
