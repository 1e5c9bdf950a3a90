"""Rows of reads: one resource, a page, through the gateway, beside scans."""

import http.client
import json
import subprocess
import time

from harness import FIRST, SERVICE, Broken, int_field, text_field


# (connections, calls at once on each), by what they are called.
SHAPES = {'64 at a time over 4 connections': (4, 16), '16 connections with one call each': (16, 1)}


def row_get(bench):
    calls = 20_000 if bench.quick else 60_000
    for told, shape in SHAPES.items():
        def cpu(process, shape=shape):
            return lambda: bench.cpu_by_h2load(process, 'GetCertificate', 'get', calls, shape,
                                               bench.get_bytes)
        service, bare = cpu(bench.shared('service')), cpu(bench.shared('bare'))
        service(), bare()
        bench.report('get', f'GetCertificate ({bench.get_bytes:,} bytes), {told}: CPU per call, '
                     'against a bare server on completion queues that sends the same',
                     bench.alternate(service, bare), 'µs', 1.3)


def row_list(bench):
    calls = 5_000 if bench.quick else 15_000
    kilobytes = bench.list_bytes / 1000
    def cpu(process):
        return lambda: bench.cpu_by_h2load(process, 'ListCertificates', 'list', calls, (4, 8),
                                           bench.list_bytes) / kilobytes
    service, bare = cpu(bench.shared('service')), cpu(bench.shared('bare'))
    service(), bare()
    bench.report('list', f'ListCertificates of 50 ({bench.list_bytes:,} bytes), 32 at a time over 4 '
                 'connections: CPU per kB, against a bare server on completion queues that sends as '
                 'many bytes', bench.alternate(service, bare), 'µs', 1.3, digits=2)


def row_gateway(bench):
    calls = 15_000 if bench.quick else 40_000
    def cpu(process):
        return lambda: bench.cpu_per_call(process, 'GetCertificate', bench.gets, calls,
                                         bench.get_bytes)
    gateway, proxy = cpu(bench.shared('gateway')), cpu(bench.shared('proxy'))
    gateway(), proxy()
    bench.report('gateway', 'GetCertificate through the gateway: its CPU per call, against a '
                'bare generic proxy', bench.alternate(gateway, proxy), 'µs', 1.4)


def row_json(bench):
    calls = 15_000 if bench.quick else 40_000
    gateway = bench.shared('gateway')
    port = bench.port + 5
    path = f'/certification/v1/{bench.name(FIRST)}'
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    connection.request('GET', path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or json.loads(body)['name'] != bench.name(FIRST):
        raise Broken(f'{path} answers {answer.status} {body[:300]!r}')

    urls = bench.scratch / 'urls'
    urls.write_text(''.join(f'http://127.0.0.1:{port}/certification/v1/{bench.name(n)}\n'
                            for n in bench.asked))
    def over_http():
        before = gateway.cpu()
        out = bench.run('h2load', '--h1', '-n', calls, '-c', 32, '-t', 1, '-i', urls)
        if f'{calls} succeeded' not in out or f'{calls} 2xx' not in out:
            raise Broken(f'h2load: {out[-1500:]}')
        return (gateway.cpu() - before) / calls * 1e6
    def passed():
        return bench.cpu_per_call(gateway, 'GetCertificate', bench.gets, calls, bench.get_bytes)
    over_http(), passed()
    bench.report('json', f'The same as JSON over HTTP ({len(body):,} bytes): the gateway\'s CPU '
                'per call, against the call passed through',
                bench.alternate(over_http, passed), 'µs', 1.6)


def row_scans(bench):
    seconds = 3 if bench.quick else 8
    service = bench.shared('service').port
    nothing = int_field(1, 1000) + text_field(3, 'certificate_number = "none"')
    scan = bench.requests('scan', [nothing])
    def p99():
        return bench.load(service, 'GetCertificate', bench.gets, '--rate=1000',
                         f'--seconds={seconds}')['p99_us'] / 1000
    def p99_beside_scans():
        with subprocess.Popen(
                [bench.bin / 'bench-load', f'--target=127.0.0.1:{service}',
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
    bench.report('scans', f'p99 of GetCertificate (1,000/s) beside 4 callers that scan '
                f'{bench.certificates:,} certificates, against p99 alone',
                bench.alternate(p99_beside_scans, p99), 'ms', 10, digits=2)
