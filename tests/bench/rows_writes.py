"""Rows of writes, against pgbench."""

import os
import re
import struct
import time

from harness import TOKEN, Broken, ask, text_field


def row_writes(bench):
    measure_writes(bench, 'writes', 'fast', lock=False, bound=0.4)


def row_slow_writes(bench):
    check_slow(bench)
    measure_writes(bench, 'slow-writes', 'slow', lock=True, bound=3)


def check_slow(bench):
    statements = ''.join(f'INSERT INTO slow VALUES ({n});' for n in range(50))
    begun = time.monotonic()
    bench.sql('postgres', f'CREATE TABLE slow (n int);\n{statements.replace(";", ";" + chr(10))}',
             'slow')
    if time.monotonic() - begun < 0.1:
        raise Broken('fsync is not slow: was the library not preloaded?')


def measure_writes(bench, row, cluster, lock, bound):
    seconds = 2 if bench.quick else 5
    if cluster != 'fast':
        bench.migrate('writes', cluster)
    bench.run(bench.bin / 'bench-facts', f'--database={bench.conninfo("writes", cluster)}',
             '--certificates=60', f'--requests={bench.scratch}/create.requests')
    script = bench.scratch / f'{row}.sql'
    script.write_text(pgbench_script(bench, cluster, lock))
    service = bench.certification('writes', cluster, offset=7)

    def by_service():
        result = bench.load(service.port, 'CreateCertificate',
                           bench.scratch / 'create.requests', f'--token={TOKEN}',
                           '--callers=32', f'--seconds={seconds}', f'--serial={bench.serial}')
        bench.serial += result['calls'] + 100
        return result['calls'] / result['seconds']
    def by_pgbench():
        out = bench.run(os.environ['PGBENCH'], '-n', '-M', 'prepared', '-c', 32, '-j', 2, '-T',
                       seconds, '-f', script, '-h', bench.scratch / cluster / 'socket',
                       '-U', 'writes', 'writes')
        if 'number of failed transactions: 0 ' not in out:
            raise Broken(f'pgbench: {out}')
        return float(re.search(r'tps = ([\d.]+)', out).group(1))
    check_write(bench, service)
    by_service(), by_pgbench()
    pairs = bench.alternate(by_service, by_pgbench)
    bench.stop(service)
    what = ('CreateCertificate by 32 callers: calls per second, against pgbench with 32 '
            'clients, the same rows ')
    what += ('and the order lock in each transaction, fsync slowed by 2 ms' if lock else
             'and no order lock')
    bench.report(row, what, pairs, '/s', bound, at_least=True, digits=0)


def check_write(bench, service):
    """One create is there afterwards, by its answer's name."""
    size, = struct.unpack('>I', (bench.scratch / 'create.requests').read_bytes()[:4])
    request = (bench.scratch / 'create.requests').read_bytes()[4:4 + size]
    answer = ask(service.port, 'CreateCertificate',
                 request.replace(b'########', b'%08d' % bench.serial), TOKEN)
    bench.serial += 1
    name = answer[2:2 + answer[1]].decode()
    if ask(service.port, 'GetCertificate', text_field(1, name)) != answer:
        raise Broken('what was created is not what is read')


def pgbench_script(bench, cluster, lock):
    """The service's rows, one certificate per transaction, in tables of the same shape; the
    journal's without the reference to the entry before, which only an order can satisfy."""
    bench.sql('writes', '''
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
    body = bench.sql('writes', "SELECT encode(body, 'hex') FROM certificates LIMIT 1",
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
