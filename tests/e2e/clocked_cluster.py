"""A private PostgreSQL cluster whose clock a test moves. The services follow the database's clock."""

import contextlib
import glob
import os
import pathlib
import shutil
import subprocess
import tempfile

from suite import ROOT, psql


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


class ClockedCluster:
    """Starts the cluster; `clock` moves its time."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="clocked-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.clock = ClockFile(self.directory / "clock")
        self.conninfo = f"host={self.directory}/s user=postgres dbname=postgres"
        try:
            self.run("pg_start fsync=off max_connections=60")
        except Exception:
            self.close()
            raise

    def run(self, command):
        environment = " ".join(f'"{name}={value}"' for name, value in self.clock.environment().items())
        script = (f'set -euo pipefail; cd "{ROOT}"; . deploy/machine.sh; . deploy/postgres.sh; '
                  f'pg_data="{self.directory}/data" pg_socket="{self.directory}/s" pg_log="{self.directory}/log"; '
                  f'pg_environment=({environment}); {command}')
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def now(self, database=None):
        """The cluster's time, in seconds since 1970."""
        return float(psql(database or self.conninfo, "SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def close(self):
        with contextlib.suppress(AssertionError):
            self.run("pg_stop")
        shutil.rmtree(self.directory, ignore_errors=True)
