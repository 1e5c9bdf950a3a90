"""Rows of lists that look at every certificate, against a loop over the same bytes."""

import json

from harness import Broken, int_field, text_field

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
