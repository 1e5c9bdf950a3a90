"""A private PostgreSQL cluster whose clock a test moves. The services follow the database's clock."""

import glob
import os
import pathlib

from cluster import Cluster


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    assert found, "libfaketime is missing: install Debian's package libfaketime"
    return found[0]


class ClockFile:
    """What libfaketime reads at every look at the clock: how many seconds it is ahead."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.set_ahead(0)

    def set_ahead(self, seconds):
        # Replaced in one step: no reader finds a half-written number.
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{seconds:+.3f}\n")
        fresh.chmod(0o644)
        os.replace(fresh, self.path)

    def environment(self):
        # The monotonic clock stays true: lengths of time, such as time-outs, are not to jump.
        return {"LD_PRELOAD": faketime_library(), "FAKETIME_TIMESTAMP_FILE": str(self.path),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}


class ClockedCluster(Cluster):
    """Starts the cluster; `clock` moves its time."""

    def __init__(self):
        self.clock = None
        super().__init__("clocked-")

    def prepare(self):
        self.clock = ClockFile(self.directory / "clock")

    def environment(self):
        return self.clock.environment()
