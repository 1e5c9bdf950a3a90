"""Rows of lists that look at every certificate, against a loop over the same bytes; and what
others notice of them."""

import contextlib
import json
import subprocess
import time

from harness import GREEDY, Broken, int_field, text_field

PASSES = 2


def against_loop(bench, row, what, look, request, pages, bound):
    """CPU per certificate looked at. `pages`: the list is followed to its end, where nothing
    was found; otherwise its first page looks at all."""
    requests = bench.requests(row, [request])
    service = bench.shared('service')
    calls = PASSES * (-(-bench.certificates // 20_000) if pages else 1)
    looked = PASSES * bench.certificates

    def listing():
        before = service.cpu()
        result = bench.load(service.port, 'ListCertificates', requests, f'--calls={calls}',
                            '--callers=1', *(['--pages'] if pages else []))
        if pages and result['scans'] != PASSES:
            raise Broken(f'{row}: {result["scans"]} scans in {calls} calls')
        return (service.cpu() - before) / looked * 1e6

    def looping():
        result = json.loads(bench.run(
            bench.bin / 'bench-sift', f'--database={bench.conninfo("certification")}',
            f'--look={look}', f'--passes={PASSES}'))
        if result['certificates'] != looked or result['found'] != (0 if pages else 50):
            raise Broken(f'{row}: the loop found {result}')
        return result['cpu'] / looked * 1e6
    listing()
    bench.report(row, f'{what}: CPU per certificate, against a loop over the stored bytes',
                 bench.alternate(listing, looping), 'µs', bound, digits=2)


def row_filter(bench):
    against_loop(
        bench, 'filter', 'A filter of three terms that nothing matches', 'terms',
        int_field(1, 1000) + text_field(
            3, 'state = ACTIVE AND level = "EAL4" AND certificate_number = "none"'),
        True, 1.5)


def row_word(bench):
    against_loop(bench, 'word', 'A word alone that no text holds', 'word',
                 int_field(1, 1000) + text_field(3, 'unfindable'), True, 3)


def row_order(bench):
    against_loop(bench, 'order', 'The first 50 by certificate number', 'order',
                 int_field(1, 50) + text_field(4, 'certificate_number'), False, 1.5)


def row_greedy(bench):
    """The dearest list there is, as often as four callers can ask for it."""
    seconds = 3 if bench.quick else 8
    service = bench.shared('service').port
    words = ' OR '.join(f'"*e*a*r*{number}z"' for number in range(10))
    dearest = bench.requests('greedy', [
        int_field(1, 1000) + text_field(3, words) + text_field(4, 'certificate_number desc')
        + int_field(6, 1)])
    page = bench.requests('page', [int_field(1, 50)])

    def p99():
        return bench.load(service, 'ListCertificates', page, '--rate=200',
                          f'--seconds={seconds}')['p99_us'] / 1000

    def p99_beside_greedy():
        with contextlib.ExitStack() as stack:
            greedy = [stack.enter_context(subprocess.Popen(
                bench.load_command(service, 'ListCertificates', dearest, f'--token={token}',
                                   '--callers=4', f'--seconds={seconds + 1}'),
                stdout=subprocess.PIPE, text=True)) for token in GREEDY]
            time.sleep(0.5)
            result = p99()
            codes = [json.loads(process.communicate()[0])['codes'] for process in greedy]
        # Answered, or refused as too dear (8); the time of some runs out (4).
        if any(set(code) - {'0', '4', '8'} for code in codes):
            raise Broken(f'the greedy callers: {codes}')
        return result
    p99()
    bench.report('greedy', 'p99 of ListCertificates of 50 (200/s) beside 4 greedy callers of the '
                 f'dearest list of {bench.certificates:,}, against p99 alone',
                 bench.alternate(p99_beside_greedy, p99), 'ms', 3, digits=2)
