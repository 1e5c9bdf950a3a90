"""Raw HTTP/2 for attacks: frames as bytes, without a library that would refuse to send them."""

import contextlib
import socket
import struct
import threading

# A call that a stranger may make and that gets long answers.
REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values):
    names = {"max_concurrent_streams": MAX_CONCURRENT_STREAMS,
             "initial_window_size": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", names[name], value)
                                          for name, value in values.items()))


def _integer(value, bits):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    out, value = [limit], value - limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def fields(pairs):
    """A header block of literals without index (RFC 7541, section 6.2.2): no state is needed."""
    out = b""
    for name, value in pairs:
        name = name if isinstance(name, bytes) else name.encode()
        value = value if isinstance(value, bytes) else value.encode()
        out += b"\x00" + _integer(len(name), 7) + name + _integer(len(value), 7) + value
    return out


def call_headers(path, *more, authority="localhost"):
    return fields([(":method", "POST"), (":scheme", "http"), (":path", path),
                   (":authority", authority), ("te", "trailers"),
                   ("content-type", "application/grpc"), *more])


def message(data=b"", compressed=0):
    return struct.pack(">BI", compressed, len(data)) + data


class Connection:
    """One connection; says only what it is told to."""

    def __init__(self, port, host="127.0.0.1", greet=True, source=None, **values):
        self.socket = socket.create_connection(
            (host, port), timeout=10, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if greet:
            self.send(PREFACE + settings(**values))

    def send(self, data):
        self.socket.sendall(data)

    def call(self, stream, path, data=b"", *more, compressed=0):
        self.send(frame(HEADERS, END_HEADERS, stream, call_headers(path, *more)) +
                  frame(DATA, END_STREAM, stream, message(data, compressed)))

    def frames(self):
        """Frames as they come: (kind, flags, stream, payload); ends when the peer does."""
        kept = b""
        while True:
            while len(kept) >= 9:
                size = int.from_bytes(kept[:3], "big")
                if len(kept) < 9 + size:
                    break
                yield kept[3], kept[4], int.from_bytes(kept[5:9], "big") & 0x7FFFFFFF, kept[9:9 + size]
                kept = kept[9 + size:]
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                return  # reset by the peer, or closed here
            if not data:
                return
            kept += data

    def close(self):
        # Whoever still reads on another thread would keep it open.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def drain(connection):
    """Takes what comes, so that the peer is never stopped by us."""
    def run():
        with contextlib.suppress(TimeoutError):
            for _ in connection.frames():
                pass
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
