"""What the rows of tests/bench/run are measured with: processes, load, the table."""

import functools
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

import grpc

ROUNDS = 5
SERVICE = '/transparency.certification.v1.CertificationService/'
TOKEN = 'bench-staff'
# Callers of their own, who take what they can get.
GREEDY = [f'greedy-{number}' for number in range(4)]
TICKS = os.sysconf('SC_CLK_TCK')
# Every STRIDE-th certificate is of one shape.
STRIDE = 60
FIRST = 2


class Broken(Exception):
    """The measurement itself failed, whatever the figures."""


def say(text):
    print('==', text, file=sys.stderr, flush=True)


# ---- the wire, by hand: a client that shares no code with what it checks ----

def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def bytes_field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def text_field(number, text):
    return bytes_field(number, text.encode())


def int_field(number, value):
    return varint(number << 3) + varint(value)


@functools.cache
def channel_to(port):
    return grpc.insecure_channel(f'127.0.0.1:{port}')


def ask_whole(port, method, request, token=None):
    """One call by Python's grpcio: the answer's bytes and headers; raises unless OK."""
    method_of = channel_to(port).unary_unary(SERVICE + method)
    metadata = [('authorization', f'Bearer {token}')] if token else []
    try:
        answer, call = method_of.with_call(request, timeout=20, wait_for_ready=True, metadata=metadata)
    except grpc.RpcError as error:
        raise Broken(f'{method}: {error.code()} {error.details()}') from error
    return answer, call.initial_metadata()


def ask(port, method, request, token=None):
    """The answer's bytes."""
    return ask_whole(port, method, request, token)[0]


def framed(message):
    """A message as gRPC sends it."""
    return b'\0' + struct.pack('>I', len(message)) + message


class Process:
    """One of the suite's processes, or of this bench's."""

    def __init__(self, name, arguments, scratch, ready_port=None, ready_url=None):
        self.log = scratch / f'{name}.log'
        with open(self.log, 'ab') as log:
            self.log_begin = log.tell()
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True)
        self.name = name
        self.pid = self.process.pid
        try:
            self._await(ready_port, ready_url)
        except BaseException:
            self.stop()
            raise

    def _await(self, port, metrics):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Broken(f'{self.name} ended: {self.text()[-2000:]}')
            try:
                if metrics is None:
                    socket.create_connection(('127.0.0.1', port), 1).close()
                    return
                connection = http.client.HTTPConnection('127.0.0.1', metrics, timeout=5)
                connection.request('GET', '/readyz')
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise Broken(f'{self.name} is not ready: {self.text()[-2000:]}')

    def text(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            log.seek(self.log_begin)
            return log.read()

    def cpu(self):
        """Seconds of user and system time so far."""
        fields = pathlib.Path(f'/proc/{self.pid}/stat').read_text().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        """Bytes."""
        status = pathlib.Path(f'/proc/{self.pid}/status').read_text()
        return int(re.search(r'VmRSS:\s+(\d+) kB', status).group(1)) * 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Bench:
    def __init__(self, options):
        self.bin = pathlib.Path(options.bin)
        self.scratch = pathlib.Path(options.scratch)
        self.quick = options.quick
        self.certificates = 10_000 if self.quick else 100_000
        self.port = options.port
        self.running = []
        self.serial = 1_000_000
        self.tokens = self.scratch / 'tokens'
        lines = [f'{hashlib.sha256(TOKEN.encode()).hexdigest()} bench staff\n']
        for token in GREEDY:
            lines.append(f'{hashlib.sha256(token.encode()).hexdigest()} {token} -\n')
        self.tokens.write_text(''.join(lines))
        self.rows = []
        self.notes = []
        self.kept = {}

    # ---- processes ----

    def conninfo(self, database, cluster='fast', role=None):
        return f'host={self.scratch}/{cluster}/socket dbname={database} user={role or database}'

    def run(self, *arguments, **more):
        done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True,
                              check=False, **more)
        if done.returncode != 0:
            raise Broken(f'{arguments[0]}: {done.stdout[-1000:]}{done.stderr[-2000:]}')
        return done.stdout

    def start(self, name, offset, *arguments, ready=True):
        port = self.port + offset
        flags = [f'--listen=127.0.0.1:{port}']
        metrics = None
        if ready:
            metrics = self.port + 50 + offset
            flags.append(f'--metrics_listen=127.0.0.1:{metrics}')
        for taken in (port, metrics):
            if taken is None:
                continue
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', taken)) == 0:
                    raise Broken(f'port {taken} is taken by another program')
        process = Process(name, [self.bin / arguments[0], *flags, *arguments[1:]], self.scratch,
                          port, metrics)
        process.port = port
        self.running.append(process)
        return process

    def stop(self, process):
        process.stop()
        self.running.remove(process)
        # The port may be another process's next.
        channel_to.cache_clear()

    def stop_all(self):
        for process in reversed(list(self.running)):
            self.stop(process)

    def certification(self, database='certification', cluster='fast', offset=1):
        return self.start(f'certification-{database}-{cluster}', offset, 'certification-service',
                          f'--database={self.conninfo(database, cluster)}',
                          f'--tokens_file={self.tokens}')

    def bare(self, name, offset):
        """A server that answers as the service does, and is nothing but gRPC's."""
        return self.start(name, offset, 'bench-bare', f'--get_answer={self.scratch}/get.answer',
                          f'--list_answer={self.scratch}/list.answer',
                          f'--headers={self.scratch}/headers', ready=False)

    def shared(self, name):
        """A process that several rows use."""
        if name not in self.kept:
            self.kept[name] = {
                'service': self.certification,
                'bare': lambda: self.bare('bare', 2),
                'gateway': lambda: self.start(
                    'gateway', 3, 'gateway', f'--http_listen=127.0.0.1:{self.port + 5}',
                    f'--certification=127.0.0.1:{self.shared("service").port}',
                    '--standards=', '--centre='),
                'proxy': lambda: self.start(
                    'proxy', 4, 'bench-proxy',
                    f'--target=127.0.0.1:{self.shared("service").port}', ready=False),
            }[name]()
        return self.kept[name]

    # ---- load ----

    def requests(self, name, messages):
        path = self.scratch / f'{name}.requests'
        path.write_bytes(b''.join(struct.pack('>I', len(m)) + m for m in messages))
        return path

    def load_command(self, port, method, requests, *flags):
        return [str(self.bin / 'bench-load'), f'--target=127.0.0.1:{port}',
                f'--method={SERVICE}{method}', f'--requests={requests}', *flags]

    def load(self, port, method, requests, *flags):
        out = self.run(*self.load_command(port, method, requests, *flags))
        result = json.loads(out)
        if set(result['codes']) != {'0'}:
            raise Broken(f'{method}: answers by grpc-status: {result["codes"]}')
        return result

    def cpu_per_call(self, process, method, requests, calls, bytes_each):
        """Microseconds; every answer has `bytes_each` bytes."""
        before = process.cpu()
        result = self.load(process.port, method, requests, f'--calls={calls}')
        if result['calls'] != calls or result['bytes'] != calls * bytes_each:
            raise Broken(f'{process.name}: {result["bytes"]} bytes in {result["calls"]} calls, '
                         f'not {bytes_each} in each')
        return (process.cpu() - before) / calls * 1e6

    def cpu_by_h2load(self, process, method, kind, calls, shape, bytes_each):
        """Microseconds of CPU per call; `shape` is (connections, calls at once on each)."""
        before = process.cpu()
        out = self.run('h2load', '-n', calls, '-c', shape[0], '-m', shape[1], '-t', 1,
                       '-d', self.scratch / f'{kind}.request', '-H', 'content-type: application/grpc',
                       '-H', 'te: trailers', f'http://127.0.0.1:{process.port}{SERVICE}{method}')
        data = re.search(r'\((\d+)\) data', out)
        if f'{calls} 2xx' not in out or int(data.group(1)) != calls * (bytes_each + 5):
            raise Broken(f'{process.name}: h2load: {out[-1500:]}')
        return (process.cpu() - before) / calls * 1e6

    def rounds(self):
        for number in range(ROUNDS):
            yield number % 2 == 1

    def alternate(self, subject, ceiling):
        """Five pairs of figures; who goes first changes."""
        pairs = []
        for swapped in self.rounds():
            if swapped:
                below = ceiling()
                above = subject()
            else:
                above = subject()
                below = ceiling()
            pairs.append((above, below))
        return pairs

    def report(self, row, what, pairs, unit, bound, at_least=False, digits=1):
        ratios = [above / below for above, below in pairs]
        middle = statistics.median(ratios)
        met = middle >= bound if at_least else middle <= bound
        sign = '≥' if at_least else '≤'
        subject = statistics.median(p[0] for p in pairs)
        ceiling = statistics.median(p[1] for p in pairs)
        figure = f'{{:,.{digits}f}}'
        self.rows.append((met, f'| {what} | {figure.format(subject)} {unit} | '
                          f'{figure.format(ceiling)} {unit} | **{middle:.2f}** '
                          f'({min(ratios):.2f}–{max(ratios):.2f}) | {sign} {bound} | '
                          f'{"yes" if met else "**no**"} |'))
        say(f'{row}: {middle:.2f} ({min(ratios):.2f}-{max(ratios):.2f}), bound {sign} {bound}')

    def note(self, text):
        """A figure that goes with a row and has no bound."""
        self.notes.append(text)
        say(text)

    # ---- what the rows stand on ----

    def name(self, number):
        return f'certificates/certificate-{number:08d}'

    def prepare(self, rows):
        for database in ('certification', 'empty', 'writes', 'watch'):
            self.migrate(database)
        if set(rows) - {'writes', 'slow-writes', 'watch'}:
            say(f'loading {self.certificates:,} certificates')
            begun = time.monotonic()
            self.run(self.bin / 'bench-facts', f'--database={self.conninfo("certification")}',
                     f'--certificates={self.certificates}')
            self.sql('certification', 'CHECKPOINT; VACUUM ANALYZE')
            say(f'... in {time.monotonic() - begun:.0f} s')
        if set(rows) & {'get', 'list', 'scans', 'gateway', 'json'}:
            self.check_answers(rows)

    def migrate(self, database, cluster='fast'):
        self.run(self.bin / 'certification-service', 'migrate',
                 f'--database={self.conninfo(database, cluster, f"{database}_owner")}',
                 f'--service_role={database}')

    def sql(self, database, statement, cluster='fast'):
        return self.run(os.environ['PSQL'], '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1',
                        '-h', self.scratch / cluster / 'socket', '-U', 'postgres', '-d', database,
                        '-f', '-', input=statement)

    def check_answers(self, rows):
        """The same bytes from every door, before anything is measured."""
        service = self.shared('service').port
        get_request = text_field(1, self.name(FIRST))
        get, headers = ask_whole(service, 'GetCertificate', get_request)
        if not get.startswith(get_request):
            raise Broken('GetCertificate answers another certificate')
        # Those whose answers are as long: their time stamps take as many bytes.
        self.asked = [n for n in range(FIRST, self.certificates, STRIDE)
                      if len(ask(service, 'GetCertificate', text_field(1, self.name(n)))) == len(get)]
        self.gets = self.requests('get', [text_field(1, self.name(n)) for n in self.asked])
        list_request = int_field(1, 50)
        page = ask(service, 'ListCertificates', list_request)
        if page.count(b'certificates/certificate-') < 50 or page != ask(
                service, 'ListCertificates', list_request):
            raise Broken('ListCertificates answers no page of 50, or not always the same')
        self.lists = self.requests('list', [list_request])
        self.get_bytes, self.list_bytes = len(get), len(page)
        # gRPC's own headers come from every server.
        (self.scratch / 'headers').write_text(''.join(
            f'{key}={value}\n' for key, value in headers if key.startswith('x-')))
        (self.scratch / 'get.request').write_bytes(framed(get_request))
        (self.scratch / 'list.request').write_bytes(framed(list_request))
        (self.scratch / 'get.answer').write_bytes(get)
        (self.scratch / 'list.answer').write_bytes(page)
        doors = {'get': ['bare'], 'list': ['bare'], 'gateway': ['gateway', 'proxy'],
                 'json': ['gateway']}
        for door in sorted({d for row in rows for d in doors.get(row, [])}):
            port = self.shared(door).port
            if ask(port, 'GetCertificate', get_request) != get or ask(
                    port, 'ListCertificates', list_request) != page:
                raise Broken(f'{door} answers other bytes')

    def print_table(self):
        print('\n| what | subject | ceiling | ratio (extremes) | bound | met |')
        print('|---|---|---|---|---|---|')
        for _, line in self.rows:
            print(line)
        for note in self.notes:
            print(f'\n{note}.')
        cores = os.cpu_count()
        load = os.getloadavg()[0]
        print(f'\nMedians of {ROUNDS} rounds, on {cores} cores; load average at the end '
              f'{load:.1f}.')
