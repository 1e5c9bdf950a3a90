"""A WatchChanges as tests hold it."""

import queue
import threading

import grpc

from clients import bearer

from transparency.journal.v1 import journal_pb2  # pylint: disable=import-error

PATIENCE = 60
# Stands for the place before the first entry.
BEGINNING = "-1.00000000"
Event = journal_pb2.WatchChangesResponse


class Watch:
    """A WatchChanges by grpcio, read by a thread of its own."""

    def __init__(self, stub, token=None, **fields):
        self.call = stub.WatchChanges(journal_pb2.WatchChangesRequest(**fields), metadata=bearer(token), timeout=300)
        self.events, self.error, self.last = queue.Queue(), None, ""
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for event in self.call:
                self.events.put(event)
        except grpc.RpcError as error:
            self.error = error
        self.events.put(None)

    def next(self):
        """The next event; None at the end."""
        event = self.events.get(timeout=PATIENCE)
        if event is not None and event.resume_token:
            self.last = event.resume_token
        return event

    def change(self):
        """(type, name) of the next that is no BOOKMARK."""
        while True:
            event = self.next()
            assert event is not None, self.error
            if event.type != Event.BOOKMARK:
                return Event.Type.Name(event.type), event.name

    def until_bookmark(self):
        """(type, name) of all up to the next BOOKMARK."""
        told = []
        while True:
            event = self.next()
            assert event is not None, self.error
            if event.type == Event.BOOKMARK:
                return told
            told.append((Event.Type.Name(event.type), event.name))

    def end(self):
        """The error that it ends with."""
        while self.next() is not None:
            pass
        return self.error

    def close(self):
        self.call.cancel()
