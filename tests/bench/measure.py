"""Measures the rows of tests/bench/run and prints their table."""

import argparse
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


def text_field(number, text):
    data = text.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def int_field(number, value):
    return varint(number << 3) + varint(value)


@functools.cache
def channel_to(port):
    return grpc.insecure_channel(f'127.0.0.1:{port}')


def ask(port, method, request, token=None):
    """One call by Python's grpcio: the answer's bytes; raises unless OK."""
    call = channel_to(port).unary_unary(SERVICE + method)
    metadata = [('authorization', f'Bearer {token}')] if token else []
    try:
        return call(request, timeout=20, wait_for_ready=True, metadata=metadata)
    except grpc.RpcError as error:
        raise Broken(f'{method}: {error.code()} {error.details()}') from error


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
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        self.tokens.write_text(f'{digest} bench staff\n')
        self.rows = []
        self.kept = {}

    # ---- processes ----

    def conninfo(self, database, cluster='fast'):
        return f'host={self.scratch}/{cluster}/socket dbname={database} user={database}'

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

    def shared(self, name):
        """A process that several rows use."""
        if name not in self.kept:
            self.kept[name] = {
                'service': self.certification,
                'ceiling': lambda: self.start(
                    'ceiling', 2, 'bench-ceiling',
                    f'--get_answer={self.scratch}/get.answer',
                    f'--list_answer={self.scratch}/list.answer',
                    f'--tokens_file={self.tokens}'),
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

    def load(self, port, method, requests, *flags):
        out = self.run(self.bin / 'bench-load', f'--target=127.0.0.1:{port}',
                       f'--method={SERVICE}{method}', f'--requests={requests}', *flags)
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

    # ---- what the rows stand on ----

    def name(self, number):
        return f'certificates/certificate-{number:08d}'

    def prepare(self, rows):
        for database in ('certification', 'empty', 'writes'):
            self.migrate(database)
        if set(rows) - {'writes', 'slow-writes'}:
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
                 f'--database={self.conninfo(database, cluster)}')

    def sql(self, database, statement, cluster='fast'):
        return self.run(os.environ['PSQL'], '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1',
                        '-h', self.scratch / cluster / 'socket', '-U', 'postgres', '-d', database,
                        '-f', '-', input=statement)

    def check_answers(self, rows):
        """The same bytes from every door, before anything is measured."""
        service = self.shared('service').port
        get_request = text_field(1, self.name(FIRST))
        get = ask(service, 'GetCertificate', get_request)
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
        (self.scratch / 'get.answer').write_bytes(get)
        (self.scratch / 'list.answer').write_bytes(page)
        doors = {'get': ['ceiling'], 'list': ['ceiling'], 'gateway': ['gateway', 'proxy'],
                 'json': ['gateway']}
        for door in sorted({d for row in rows for d in doors.get(row, [])}):
            port = self.shared(door).port
            if ask(port, 'GetCertificate', get_request) != get or ask(
                    port, 'ListCertificates', list_request) != page:
                raise Broken(f'{door} answers other bytes')

    # ---- rows ----

    def row_get(self):
        calls = 20_000 if self.quick else 60_000
        def cpu(process):
            return lambda: self.cpu_per_call(process, 'GetCertificate', self.gets, calls,
                                             self.get_bytes)
        service, ceiling = cpu(self.shared('service')), cpu(self.shared('ceiling'))
        service(), ceiling()
        self.report('get', f'GetCertificate ({self.get_bytes:,} bytes): CPU per call, against the '
                    'reactor with an empty handler', self.alternate(service, ceiling), 'µs', 1.4)

    def row_list(self):
        calls = 5_000 if self.quick else 15_000
        kilobytes = self.list_bytes / 1000
        def cpu(process):
            return lambda: self.cpu_per_call(process, 'ListCertificates', self.lists, calls,
                                             self.list_bytes) / kilobytes
        service, ceiling = cpu(self.shared('service')), cpu(self.shared('ceiling'))
        service(), ceiling()
        self.report('list', f'ListCertificates of 50 ({self.list_bytes:,} bytes): CPU per kB, '
                    'against the reactor with an empty handler',
                    self.alternate(service, ceiling), 'µs', 1.5, digits=2)

    def row_gateway(self):
        calls = 15_000 if self.quick else 40_000
        def cpu(process):
            return lambda: self.cpu_per_call(process, 'GetCertificate', self.gets, calls,
                                             self.get_bytes)
        gateway, proxy = cpu(self.shared('gateway')), cpu(self.shared('proxy'))
        gateway(), proxy()
        self.report('gateway', 'GetCertificate through the gateway: its CPU per call, against a '
                    'bare generic proxy', self.alternate(gateway, proxy), 'µs', 1.4)

    def row_json(self):
        calls = 15_000 if self.quick else 40_000
        gateway = self.shared('gateway')
        port = self.port + 5
        path = f'/certification/v1/{self.name(FIRST)}'
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
        connection.request('GET', path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or json.loads(body)['name'] != self.name(FIRST):
            raise Broken(f'{path} answers {answer.status} {body[:300]!r}')

        urls = self.scratch / 'urls'
        urls.write_text(''.join(f'http://127.0.0.1:{port}/certification/v1/{self.name(n)}\n'
                                for n in self.asked))
        def over_http():
            before = gateway.cpu()
            out = self.run('h2load', '--h1', '-n', calls, '-c', 32, '-t', 1, '-i', urls)
            if f'{calls} succeeded' not in out or f'{calls} 2xx' not in out:
                raise Broken(f'h2load: {out[-1500:]}')
            return (gateway.cpu() - before) / calls * 1e6
        def passed():
            return self.cpu_per_call(gateway, 'GetCertificate', self.gets, calls, self.get_bytes)
        over_http(), passed()
        self.report('json', f'The same as JSON over HTTP ({len(body):,} bytes): the gateway\'s CPU '
                    'per call, against the call passed through',
                    self.alternate(over_http, passed), 'µs', 1.6)

    def row_scans(self):
        seconds = 3 if self.quick else 8
        service = self.shared('service').port
        nothing = int_field(1, 1000) + text_field(3, 'certificate_number = "none"')
        scan = self.requests('scan', [nothing])
        def p99():
            return self.load(service, 'GetCertificate', self.gets, '--rate=1000',
                             f'--seconds={seconds}')['p99_us'] / 1000
        def p99_beside_scans():
            with subprocess.Popen(
                    [self.bin / 'bench-load', f'--target=127.0.0.1:{service}',
                     f'--method={SERVICE}ListCertificates', f'--requests={scan}', '--callers=4',
                     '--pages', f'--seconds={seconds + 1}'],
                    stdout=subprocess.PIPE, text=True) as scanning:
                time.sleep(0.5)
                result = p99()
                scans = json.loads(scanning.communicate()[0])
            if set(scans['codes']) != {'0'} or scans['scans'] == 0:
                raise Broken(f'the scans: {scans}')
            return result
        p99()
        self.report('scans', f'p99 of GetCertificate (1,000/s) beside 4 callers that scan '
                    f'{self.certificates:,} certificates, against p99 alone',
                    self.alternate(p99_beside_scans, p99), 'ms', 10, digits=2)

    def row_load(self):
        def loading():
            service = self.certification(offset=6)
            found = re.search(r'loaded revision \d+ in (\d+) ms', service.text())
            self.stop(service)
            if found is None:
                raise Broken('the service does not log how long it loaded')
            return int(found.group(1))
        def copying():
            begun = time.monotonic()
            with open('/dev/null', 'wb') as nowhere:
                subprocess.run([os.environ['PSQL'], '-X', '-q', '-d',
                                self.conninfo('certification'), '-c',
                                'COPY (SELECT body FROM certificates) TO STDOUT (FORMAT binary)'],
                               stdout=nowhere, check=True)
            return (time.monotonic() - begun) * 1000
        copying()
        self.report('load', f'Loading {self.certificates:,} certificates into memory, against '
                    '`COPY (SELECT body …) TO STDOUT`', self.alternate(loading, copying), 'ms', 3,
                    digits=0)

    def row_memory(self):
        serialized = int(self.sql('certification', 'SELECT sum(octet_length(body)) FROM certificates'))
        def resident(database):
            service = self.certification(database, offset=6)
            size = service.resident()
            self.stop(service)
            return size
        pairs = []
        for _ in self.rounds():
            pairs.append(((resident('certification') - resident('empty')) / 1e6, serialized / 1e6))
        self.report('memory', f'Resident memory of {self.certificates:,} certificates, against '
                    'their stored bytes', pairs, 'MB', 6)

    def row_writes(self):
        self.writes('writes', 'fast', lock=False, bound=0.4)

    def row_slow_writes(self):
        self.check_slow()
        self.writes('slow-writes', 'slow', lock=True, bound=3)

    def check_slow(self):
        statements = ''.join(f'INSERT INTO slow VALUES ({n});' for n in range(50))
        begun = time.monotonic()
        self.sql('postgres', f'CREATE TABLE slow (n int);\n{statements.replace(";", ";" + chr(10))}',
                 'slow')
        if time.monotonic() - begun < 0.1:
            raise Broken('fsync is not slow: was the library not preloaded?')

    def writes(self, row, cluster, lock, bound):
        seconds = 2 if self.quick else 5
        if cluster != 'fast':
            self.migrate('writes', cluster)
        self.run(self.bin / 'bench-facts', f'--database={self.conninfo("writes", cluster)}',
                 '--certificates=60', f'--requests={self.scratch}/create.requests')
        script = self.scratch / f'{row}.sql'
        script.write_text(self.pgbench_script(cluster, lock))
        service = self.certification('writes', cluster, offset=7)

        def by_service():
            result = self.load(service.port, 'CreateCertificate',
                               self.scratch / 'create.requests', f'--token={TOKEN}',
                               '--callers=32', f'--seconds={seconds}', f'--serial={self.serial}')
            self.serial += result['calls'] + 100
            return result['calls'] / result['seconds']
        def by_pgbench():
            out = self.run(os.environ['PGBENCH'], '-n', '-M', 'prepared', '-c', 32, '-j', 2, '-T',
                           seconds, '-f', script, '-h', self.scratch / cluster / 'socket',
                           '-U', 'writes', 'writes')
            if 'number of failed transactions: 0 ' not in out:
                raise Broken(f'pgbench: {out}')
            return float(re.search(r'tps = ([\d.]+)', out).group(1))
        self.check_write(service)
        by_service(), by_pgbench()
        pairs = self.alternate(by_service, by_pgbench)
        self.stop(service)
        what = ('CreateCertificate by 32 callers: calls per second, against pgbench with 32 '
                'clients, the same rows ')
        what += ('and the order lock in each transaction, fsync slowed by 2 ms' if lock else
                 'and no order lock')
        self.report(row, what, pairs, '/s', bound, at_least=True, digits=0)

    def check_write(self, service):
        """One create is there afterwards, by its answer's name."""
        size, = struct.unpack('>I', (self.scratch / 'create.requests').read_bytes()[:4])
        request = (self.scratch / 'create.requests').read_bytes()[4:4 + size]
        answer = ask(service.port, 'CreateCertificate',
                     request.replace(b'########', b'%08d' % self.serial), TOKEN)
        self.serial += 1
        name = answer[2:2 + answer[1]].decode()
        if ask(service.port, 'GetCertificate', text_field(1, name)) != answer:
            raise Broken('what was created is not what is read')

    def pgbench_script(self, cluster, lock):
        """The service's rows, one certificate per transaction, in tables of the same shape; the
        journal's without the reference to the entry before, which only an order can satisfy."""
        self.sql('writes', '''
            CREATE SCHEMA bench;
            CREATE TABLE bench.certificates (LIKE public.certificates INCLUDING ALL,
              FOREIGN KEY (scheme) REFERENCES public.schemes DEFERRABLE INITIALLY DEFERRED,
              FOREIGN KEY (certification_body) REFERENCES public.bodies
                DEFERRABLE INITIALLY DEFERRED,
              FOREIGN KEY (laboratory) REFERENCES public.bodies DEFERRABLE INITIALLY DEFERRED);
            CREATE TABLE bench.journal (LIKE public.journal INCLUDING ALL);
            CREATE SEQUENCE bench.number;
            GRANT ALL ON SCHEMA bench TO writes;
            GRANT ALL ON ALL TABLES IN SCHEMA bench TO writes;
            GRANT ALL ON ALL SEQUENCES IN SCHEMA bench TO writes;''', cluster)
        columns = ('name, revision, body, scheme, level, certification_body, laboratory, '
                   'certificate_number, predecessor, successor, recorded_not_decided, state, '
                   'first_valid_date, last_valid_date')
        body = self.sql('writes', "SELECT encode(body, 'hex') FROM certificates LIMIT 1",
                        cluster).strip()
        digest = "'\\x" + '5a' * 32 + "'::bytea"
        statements = ['BEGIN;']
        if lock:
            statements.append('SELECT pg_advisory_xact_lock(7301550442);')
        statements += [
            f"INSERT INTO bench.certificates ({columns}) SELECT 'certificates/c' || n, n, "
            f"'\\x{body}'::bytea, 'schemes/scheme-1', 'EAL4', 'bodies/body-01', 'bodies/body-02', "
            "'BENCH-' || n, NULL, NULL, true, 'ACTIVE', '2022-01-01', '2035-01-01' "
            "FROM nextval('bench.number') AS n ON CONFLICT (name) DO NOTHING;",
            'INSERT INTO bench.journal (revision, record_time, name, kind, step, actor, reason, '
            "request_id, body, public_digest, digest) SELECT n, clock_timestamp(), "
            "'certificates/c' || n, 1, 'CreateCertificate', 'bench', '', '', "
            f"'\\x{body}'::bytea, {digest}, {digest} FROM currval('bench.number') AS n;",
            'END;']
        return '\n'.join(statements) + '\n'

    def print_table(self):
        print('\n| what | subject | ceiling | ratio (extremes) | bound | met |')
        print('|---|---|---|---|---|---|')
        for _, line in self.rows:
            print(line)
        cores = os.cpu_count()
        load = os.getloadavg()[0]
        print(f'\nMedians of {ROUNDS} rounds, on {cores} cores; load average at the end '
              f'{load:.1f}.')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bin', required=True)
    parser.add_argument('--scratch', required=True)
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('rows', nargs='+')
    options = parser.parse_args()
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bench.prepare(options.rows)
        for row in options.rows:
            say(f'measuring {row}')
            getattr(bench, 'row_' + row.replace('-', '_'))()
    except Broken as error:
        print(f'tests/bench/run: {error}', file=sys.stderr)
        return 3
    finally:
        bench.stop_all()
        bench.print_table()
    return 0 if all(met for met, _ in bench.rows) else 1


if __name__ == '__main__':
    sys.exit(main())
