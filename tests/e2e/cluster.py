"""A private PostgreSQL cluster that a test may stop, start and tear down."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

from suite import ROOT, psql


class Cluster:
    """Runs from its making on."""

    SETTINGS = "fsync=off max_connections=60"

    def __init__(self, prefix="cluster-"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
        self.directory.chmod(0o755)
        self.conninfo = f"host={self.directory}/s user=postgres dbname=postgres"
        self.prepare()
        try:
            self.start()
        except Exception:
            self.close()
            raise

    def prepare(self):
        """What must be in the directory before the start."""

    def environment(self):
        """Of PostgreSQL's programs."""
        return {}

    def start(self):
        self.run(f"pg_start {self.SETTINGS}")

    def stop(self):
        """Sessions are cut, nothing committed is lost."""
        self.run("pg_stop")

    def run(self, command):
        environment = " ".join(f'"{name}={value}"' for name, value in self.environment().items())
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
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
