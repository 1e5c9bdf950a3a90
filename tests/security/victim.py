"""A client that does nothing wrong, and what it notices of others."""

import contextlib
import pathlib
import threading
import time

import clients
import contract


def resident_mb(process):
    """Resident memory of a process in MB."""
    for line in pathlib.Path(f"/proc/{process.popen.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


class Victim:
    """Calls GetOrganization over one connection; keeps how long each call took, in ms."""

    def __init__(self, process, token):
        self.channel = clients.channel(process)
        self.token = token
        self.path = contract.path("standards", "GetOrganization")
        self.request = contract.request("standards", "GetOrganization",
                                        name="organizations/ietf").SerializeToString()
        self.call()

    def call(self):
        begun = time.monotonic()
        self.channel.unary_unary(self.path)(self.request, timeout=10,
                                            metadata=clients.bearer(self.token))
        return (time.monotonic() - begun) * 1000

    def p99(self, calls=300):
        times = sorted(self.call() for _ in range(calls))
        return times[int(len(times) * 0.99) - 1]

    @contextlib.contextmanager
    def beside(self, attack):
        """Runs `attack(stop)` on a thread of its own while the block runs; waits for its end."""
        stop = threading.Event()
        failed = []

        def run():
            try:
                attack(stop)
            except OSError:
                pass  # cut off, as it should be
            except Exception as error:  # pylint: disable=broad-except
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join()
        assert not failed, failed
