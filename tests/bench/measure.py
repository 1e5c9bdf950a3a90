"""Measures the rows of tests/bench/run and prints their table."""

import argparse
import signal
import sys

import rows_reads
import rows_scans
import rows_snapshot
import rows_watch
import rows_writes
from harness import Bench, Broken, say

ROWS = {
    'get': rows_reads.row_get,
    'list': rows_reads.row_list,
    'writes': rows_writes.row_writes,
    'slow-writes': rows_writes.row_slow_writes,
    'scans': rows_reads.row_scans,
    'load': rows_snapshot.row_load,
    'memory': rows_snapshot.row_memory,
    'gateway': rows_reads.row_gateway,
    'json': rows_reads.row_json,
    'filter': rows_scans.row_filter,
    'word': rows_scans.row_word,
    'order': rows_scans.row_order,
    'greedy': rows_scans.row_greedy,
    'watch': rows_watch.row_watch,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bin', required=True)
    parser.add_argument('--scratch', required=True)
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('rows', nargs='+', choices=ROWS)
    options = parser.parse_args()
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bench.prepare(options.rows)
        for row in options.rows:
            say(f'measuring {row}')
            ROWS[row](bench)
    except Broken as error:
        print(f'tests/bench/run: {error}', file=sys.stderr)
        return 3
    finally:
        bench.stop_all()
        bench.print_table()
    return 0 if all(met for met, _ in bench.rows) else 1


if __name__ == '__main__':
    sys.exit(main())
