"""Rows of what a snapshot costs: loading it, keeping it."""

import os
import re
import subprocess
import time

from harness import Broken


def row_load(bench):
    def loading():
        service = bench.certification(offset=6)
        found = re.search(r'loaded revision \d+ in (\d+) ms', service.text())
        bench.stop(service)
        if found is None:
            raise Broken('the service does not log how long it loaded')
        return int(found.group(1))
    def copying():
        begun = time.monotonic()
        with open('/dev/null', 'wb') as nowhere:
            subprocess.run([os.environ['PSQL'], '-X', '-q', '-d',
                            bench.conninfo('certification'), '-c',
                            'COPY (SELECT body FROM certificates) TO STDOUT (FORMAT binary)'],
                           stdout=nowhere, check=True)
        return (time.monotonic() - begun) * 1000
    copying()
    bench.report('load', f'Loading {bench.certificates:,} certificates into memory, against '
                '`COPY (SELECT body …) TO STDOUT`', bench.alternate(loading, copying), 'ms', 3,
                digits=0)


def row_memory(bench):
    serialized = int(bench.sql('certification', 'SELECT sum(octet_length(body)) FROM certificates'))
    def resident(database):
        service = bench.certification(database, offset=6)
        size = service.resident()
        bench.stop(service)
        return size
    pairs = []
    for _ in bench.rounds():
        pairs.append(((resident('certification') - resident('empty')) / 1e6, serialized / 1e6))
    bench.report('memory', f'Resident memory of {bench.certificates:,} certificates, against '
                'their stored bytes', pairs, 'MB', 6)
