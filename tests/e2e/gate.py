"""A TCP gate before PostgreSQL, or before a service, that a test can shut, or have cut a connection at COMMIT."""

import contextlib
import os
import select
import socket
import struct
import threading


def unix_socket_of(conninfo):
    """The path of the server's socket that a conninfo names."""
    parts = dict(part.split("=", 1) for part in conninfo.split())
    return os.path.join(parts["host"], f".s.PGSQL.{parts.get('port', '5432')}")


class Gate:
    """Listens on the loopback and passes bytes to PostgreSQL's Unix socket, or to a host:port, both ways.

    cut_next_commit("before") drops the next connection that sends COMMIT without passing it on;
    "after" passes it on, waits for the server's answer, and drops it instead of handing it over.
    """

    def __init__(self, port, target):
        self.target = target
        self.open = True
        self.cut = None
        self.cuts = 0
        self.passed_back = 0  # bytes of what is behind
        self.lock = threading.Lock()
        self.connections = set()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = port
        self.ended = False
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def conninfo(self, database, user="postgres"):
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} sslmode=disable gssencmode=disable"

    def cut_next_commit(self, when):
        with self.lock:
            self.cut = when

    def shut(self):
        """Drops every connection and refuses new ones."""
        with self.lock:
            self.open = False
            for pair in list(self.connections):
                self.drop(pair)

    def reopen(self):
        self.open = True

    def close(self):
        self.ended = True
        self.shut()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def accept(self):
        while not self.ended:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = self.reach()
            except OSError:
                client.close()
                continue
            with self.lock:
                self.connections.add((client, server))
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()

    def reach(self):
        """A connection to what is behind the gate."""
        if not self.open:
            raise OSError("shut")
        if ":" in self.target:
            host, port = self.target.rsplit(":", 1)
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.target)
        except OSError:
            server.close()
            raise
        return server

    @staticmethod
    def drop(pair):
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def takes_cut(self, data):
        """Whether these bytes from the client hold the COMMIT that is to be cut."""
        if b"COMMIT" not in data:
            return None
        with self.lock:
            cut, self.cut = self.cut, None
            return cut

    def pump(self, client, server):
        try:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is server:
                        client.sendall(data)
                        self.passed_back += len(data)
                        continue
                    cut = self.takes_cut(data)
                    if cut == "before":
                        self.cuts += 1
                        return
                    server.sendall(data)
                    if cut == "after":
                        self.await_command_complete(server)
                        self.cuts += 1
                        return
        except OSError:
            return
        finally:
            self.drop((client, server))
            client.close()
            server.close()
            with self.lock:
                self.connections.discard((client, server))

    @staticmethod
    def await_command_complete(server):
        """Reads the server's messages up to ReadyForQuery after CommandComplete of COMMIT."""
        data = b""
        while True:
            more = server.recv(65536)
            if not more:
                return
            data += more
            at = 0
            committed = False
            while at + 5 <= len(data):
                kind, length = data[at:at + 1], struct.unpack("!I", data[at + 1:at + 5])[0]
                if at + 1 + length > len(data):
                    break
                committed = committed or (kind == b"C" and b"COMMIT" in data[at:at + 1 + length])
                if kind == b"Z" and committed:
                    return
                at += 1 + length
