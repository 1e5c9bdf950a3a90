"""A lock on a table of a service, by which a test holds the service's writer."""

import subprocess

from suite import psql, wait_until


class TableLock:
    """Taken when made; whoever writes to the table then stops inside its transaction."""

    def __init__(self, conninfo, table):
        self.conninfo = conninfo
        self.psql = subprocess.Popen(["psql", "-XAtq", "-d", conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.psql.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline().strip() == "locked"

    def wait_until_met(self):
        wait_until(lambda: psql(self.conninfo, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                               "wait_event = 'relation' AND datname = current_database()"),
                   "a writer to wait inside its transaction")

    def release(self):
        self.psql.stdin.write("COMMIT;\n")
        self.psql.stdin.close()
        self.psql.wait()
