"""Runs the suite's real processes for a test: own databases, own ports, own tokens."""

import contextlib
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("certification", "standards", "centre")
WAIT_SECONDS = 60


def binaries():
    return pathlib.Path(os.environ.get("TRANSPARENCY_BIN_DIR", ROOT / "build/test/bin"))


def server_conninfo():
    conninfo = os.environ.get("TRANSPARENCY_TEST_PG")
    assert conninfo, "TRANSPARENCY_TEST_PG is not set: run the tests with ./tests/run"
    return conninfo


def psql(conninfo, sql):
    """Runs SQL as text; returns the rows, each a list of texts."""
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\x1f", "-d", conninfo, "-c", sql],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def with_database(conninfo, name):
    """The conninfo with another database."""
    kept = [part for part in conninfo.split() if not part.startswith("dbname=")]
    return " ".join(kept + [f"dbname={name}"])


# The roles of every database of the tests: what migrates, and what services run as.
OWNER_ROLE, SERVICE_ROLE = "e2e_owner", "e2e_service"


def as_role(conninfo, role):
    """The conninfo with another role."""
    kept = [part for part in conninfo.split() if not part.startswith("user=")]
    return " ".join([f"user={role}"] + kept)


def make_roles(conninfo):
    for role in (OWNER_ROLE, SERVICE_ROLE):
        if not psql(conninfo, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            psql(conninfo, f"CREATE ROLE {role} LOGIN")


def wait_until(condition, what, seconds=WAIT_SECONDS):
    """Waits for a condition to hold; its value. Fails with `what` when it does not."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        # A pause between two looks at a condition, not a wait for its own sake.
        select_pause()


def select_pause(seconds=0.02):
    import select
    select.select([], [], [], seconds)


_ports = itertools.count(15000 + (os.getpid() * 37) % 10000)


def free_port():
    """A port of the loopback that nobody listens on, below the ephemeral range."""
    for port in _ports:
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


class Process:
    """One process of the suite."""

    def __init__(self, name, command, log, grpc_port, metrics_port, http_port=None, env=None):
        self.name, self.command, self.log = name, command, log
        self.grpc_port, self.metrics_port, self.http_port = grpc_port, metrics_port, http_port
        self.env = env
        self.popen = None

    @property
    def address(self):
        return f"127.0.0.1:{self.grpc_port}"

    def start(self, ready=True):
        out = open(self.log, "ab")
        environment = dict(os.environ, **(self.env or {}))
        self.popen = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                      env=environment)
        out.close()
        if ready:
            wait_until(self.is_ready, f"{self.name} to be ready; see {self.log}:\n{self.tail()}")
        return self

    def is_ready(self):
        assert self.popen.poll() is None, f"{self.name} ended:\n{self.tail()}"
        return self.probe("/readyz") == 200

    def probe(self, path):
        """HTTP status of a page of the metrics port; 0 when nobody answers."""
        try:
            return self.page(path)[0]
        except OSError:
            return 0

    def page(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metric(self, name, **labels):
        """Sum of a metric's samples that bear these labels."""
        total = 0.0
        for line in self.page("/metrics")[1].splitlines():
            if not line.startswith(name) or line.startswith("#"):
                continue
            head, value = line.rsplit(" ", 1)
            if head.split("{")[0] == name and all(f'{k}="{v}"' in head for k, v in labels.items()):
                total += float(value)
        return total

    def tail(self):
        text = pathlib.Path(self.log).read_text(errors="replace") if os.path.exists(self.log) else ""
        return text[-3000:]

    def signal(self, number):
        os.kill(self.popen.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self):
        """Ends it in good order; its exit code."""
        if self.popen is None or self.popen.poll() is not None:
            return self.popen.returncode if self.popen else 0
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM:\n{self.tail()}") from None


class Suite:
    """Databases, tokens and processes of one test (module)."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.id = secrets.token_hex(4)
        self.tokens_file = self.directory / "tokens"
        self.tokens_file.write_text("")
        self.processes = []
        self.databases = {}
        self.staff = self.add_token("staff-member", "staff")
        self.alice = self.add_token("alice", "-")
        self.bob = self.add_token("bob", "-")
        self.gateway_token_file = self.directory / "gateway-token"
        self.gateway_token_file.write_text(self.add_token("gateway", "gateway"))

    def add_token(self, subject, roles):
        token = secrets.token_hex(16)
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self.tokens_file.open("a") as tokens:
            tokens.write(f"{digest} {subject} {roles}\n")
        return token

    def database(self, service, conninfo=None):
        """A fresh, migrated database of a service; the conninfo of its superuser."""
        if service not in self.databases:
            name = f"e2e_{service}_{self.id}"
            server = conninfo or server_conninfo()
            make_roles(server)
            psql(server, f'CREATE DATABASE "{name}" OWNER {OWNER_ROLE}')
            self.databases[service] = with_database(server, name)
            self.migrate(service, self.databases[service])
        return self.databases[service]

    def migrate(self, service, conninfo):
        return self.run(service, "migrate", f"--database={as_role(conninfo, OWNER_ROLE)}",
                        f"--service_role={SERVICE_ROLE}")

    def run(self, service, *arguments, check=True):
        """Runs a subcommand to its end."""
        done = subprocess.run([str(binaries() / f"{service}-service"), *arguments],
                              capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def service(self, service, *flags, database=None, env=None, wrap=(), ready=True):
        """Starts one replica of a service, with no more rights in its database than a service has."""
        grpc_port, metrics_port = free_port(), free_port()
        number = len(self.processes)
        command = [*wrap, str(binaries() / f"{service}-service"), "serve",
                   f"--listen=127.0.0.1:{grpc_port}", f"--metrics_listen=127.0.0.1:{metrics_port}",
                   f"--database={as_role(database or self.database(service), SERVICE_ROLE)}",
                   f"--tokens_file={self.tokens_file}", *flags]
        process = Process(f"{service}-service", command, self.directory / f"{number}-{service}.log",
                          grpc_port, metrics_port, env=env)
        self.processes.append(process)
        return process.start(ready)

    def gateway(self, *flags, ready=True, **owners):
        """Starts a gateway before the given owners: certification=process or address."""
        grpc_port, metrics_port, http_port = free_port(), free_port(), free_port()
        addresses = {name: "" for name in SERVICES}
        for name, owner in owners.items():
            addresses[name] = owner if isinstance(owner, str) else owner.address
        number = len(self.processes)
        command = [str(binaries() / "gateway"), "serve", f"--listen=127.0.0.1:{grpc_port}",
                   f"--metrics_listen=127.0.0.1:{metrics_port}", f"--http_listen=127.0.0.1:{http_port}",
                   f"--tokens_file={self.tokens_file}",
                   f"--gateway_token_file={self.gateway_token_file}",
                   *(f"--{name}={address}" for name, address in addresses.items()), *flags]
        process = Process("gateway", command, self.directory / f"{number}-gateway.log", grpc_port,
                          metrics_port, http_port)
        self.processes.append(process)
        return process.start(ready)

    def seed(self, service, process):
        token_file = self.directory / "staff-token"
        token_file.write_text(self.staff)
        samples = sorted(str(path) for path in (ROOT / f"{service}-service/samples").glob("*.jsonl"))
        return self.run(service, "seed", f"--target={process.address}", f"--token_file={token_file}", *samples)

    def close(self):
        """Stops everything, drops the databases; fails on a process that did not end well."""
        codes = [(process, process.stop()) for process in reversed(self.processes)]
        for name in self.databases.values():
            database = [part[7:] for part in name.split() if part.startswith("dbname=")][0]
            with contextlib.suppress(RuntimeError):
                psql(server_conninfo(), f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        for process, code in codes:
            assert code in (0, -signal.SIGKILL), f"{process.name} ended with {code}:\n{process.tail()}"


class Http:
    """A plain HTTP/1.1 client of the gateway's JSON port."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token

    def call(self, verb, path, body=None, headers=None):
        """(status, headers, parsed JSON or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            sent = dict(headers or {})
            if self.token:
                sent["Authorization"] = f"Bearer {self.token}"
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
            connection.request(verb, path, body=body, headers=sent)
            answer = connection.getresponse()
            data = answer.read()
            kind = answer.getheader("Content-Type", "")
            return answer.status, dict(answer.getheaders()), (
                json.loads(data) if data and "json" in kind else data.decode(errors="replace"))
