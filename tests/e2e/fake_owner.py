"""A service behind the gateway that a test holds in its hands: any method, any kind of call, of bytes."""

import threading
from concurrent import futures

import grpc

from suite import free_port


class Seen:
    """One call as the owner saw it."""

    def __init__(self, path, context):
        self.path = path
        self.metadata = dict(context.invocation_metadata())
        self.time_remaining = context.time_remaining()
        self.cancelled = threading.Event()
        self.time_left = None  # of the call's own time, when it ended
        self.context = context
        context.add_callback(self.end)

    def end(self):
        self.time_left = self.context.time_remaining()
        self.cancelled.set()


class FakeOwner(grpc.GenericRpcHandler):
    """Each method is a function (messages, context, seen) that yields the answers' bytes."""

    def __init__(self, **methods):
        self.methods = methods
        self.calls = []
        self.arrived = threading.Event()
        self.address = f"127.0.0.1:{free_port()}"
        self.listen()

    def listen(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
        self.server.add_generic_rpc_handlers((self,))
        self.server.add_insecure_port(self.address)
        self.server.start()

    def service(self, handler_call_details):
        method = self.methods.get(handler_call_details.method.rsplit("/", 1)[1])
        if method is None:
            return None

        def handle(messages, context):
            seen = Seen(handler_call_details.method, context)
            self.calls.append(seen)
            self.arrived.set()
            yield from method(messages, context, seen)
        return grpc.stream_stream_rpc_method_handler(handle)

    def close(self):
        self.server.stop(None).wait()


def echo(messages, context, _):
    """Every message back, with headers and trailers."""
    context.send_initial_metadata((("x-owner", "fake"), ("x-owner-bin", b"\x00\xff")))
    context.set_trailing_metadata((("x-trailer", "last"), ("x-trailer-bin", b"\xfe\x01")))
    yield from messages


def wait(messages, _, seen):
    """Answers never; ends when the call is cancelled."""
    next(iter(messages), None)
    seen.cancelled.wait(60)
    return
    yield  # pylint: disable=unreachable


def fail(code, message, details=b""):
    """Refuses with these details."""
    def refuse(messages, context, _):
        next(iter(messages), None)
        if details:
            context.set_trailing_metadata((("grpc-status-details-bin", details), ("x-why", "because")))
        context.abort(code, message)
        yield b""
    return refuse


def history_changed(context, message):
    """As services refuse it, with an ErrorInfo."""
    from google.rpc import error_details_pb2, status_pb2
    status = status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="HISTORY_CHANGED", domain="standards.transparency"))
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)


class FakeJournal(FakeOwner):
    """A service's WatchChanges over a list of names that a test writes; survives the loss of its server."""

    def __init__(self, service):
        self.service_name, self.entries, self.changed = service, [], threading.Condition()
        self.history = "0a"
        self.deletion = 0  # whoever resumes from before this entry is to begin anew when he comes to it
        super().__init__(WatchChanges=self.watch)

    def token(self, revision):
        return f"{revision}.{self.history}"

    def write(self, *names):
        with self.changed:
            self.entries.extend(names)
            self.changed.notify_all()

    def watch(self, messages, context, seen):
        from transparency.journal.v1 import journal_pb2
        request = journal_pb2.WatchChangesRequest.FromString(next(iter(messages)))
        seen.request = request
        event = journal_pb2.WatchChangesResponse
        if request.resume_token:
            revision, _, history = request.resume_token.partition(".")
            if history != self.history:
                history_changed(context, "another history")
            sent = int(revision)
        else:
            sent = len(self.entries)
        context.send_initial_metadata((("x-request-id", seen.metadata.get("x-request-id", "")),))
        if request.include_present_state:
            for name in sorted(set(self.entries[:sent])):
                yield event(type="ADDED", name=name).SerializeToString()
        yield event(type="BOOKMARK", resume_token=self.token(sent)).SerializeToString()
        while not seen.cancelled.is_set():
            with self.changed:
                self.changed.wait_for(lambda: len(self.entries) > sent or seen.cancelled.is_set(), timeout=0.1)
                fresh = self.entries[sent:]
            for name in fresh:
                sent += 1
                if request.resume_token and sent == self.deletion:
                    history_changed(context, "something was deleted")
                yield event(type="CHANGED", name=name, resume_token=self.token(sent)).SerializeToString()

    def kill(self):
        """The server is gone; its streams end UNAVAILABLE or reset."""
        self.close()
        with self.changed:
            self.changed.notify_all()

    def start_again(self):
        self.listen()


class SplitOwner(FakeOwner):
    """Two replicas behind one address: what changes something goes to the first, reads go to the second."""

    def __init__(self, first, second):
        self.channels = [grpc.insecure_channel(process.address) for process in (first, second)]
        super().__init__()

    def service(self, handler_call_details):
        path = handler_call_details.method
        is_read = path.rsplit("/", 1)[1].startswith(("Get", "List", "Summarize", "Search", "Verify"))

        def forward(message, context):
            self.calls.append(Seen(path, context))
            metadata = [(k, v) for k, v in context.invocation_metadata() if not k.startswith(("user-agent", "grpc-"))]
            try:
                answer, call = self.channels[is_read].unary_unary(path).with_call(message, metadata=metadata, timeout=20)
            except grpc.RpcError as error:
                context.send_initial_metadata(error.initial_metadata())
                context.set_trailing_metadata(error.trailing_metadata())
                context.abort(error.code(), error.details())
            context.send_initial_metadata(call.initial_metadata())
            return answer
        return grpc.unary_unary_rpc_method_handler(forward)
