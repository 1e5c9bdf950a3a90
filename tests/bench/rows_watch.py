"""Rows of WatchChanges: many clients while changes come in."""

import json
import statistics
import subprocess

from harness import SERVICE, TOKEN, Broken, ask, bytes_field, int_field, text_field

TYPE = 'certification.transparency/Certificate'
JOURNAL = 'transparency.certification.v1.CertificationJournalService'
RATE = 100  # changes per second
FEW, SOME, MANY = 10, 100, 1000


class Watchers:
    """So many clients of one service, which listen from here on."""

    def __init__(self, bench, port, count):
        self.count = count
        self.process = subprocess.Popen(
            [bench.bin / 'bench-watch', f'--target=127.0.0.1:{port}',
             f'--service={JOURNAL}', f'--watchers={count}'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            self.process.kill()
            self.process.wait()
            raise Broken(f'{count} watchers are not let in')

    def end(self, changes):
        """Once each was told all of them: what they say."""
        told = json.loads(self.process.communicate(f'{changes}\n', timeout=90)[0])
        if told['lost'] or told['told'] != changes * self.count:
            raise Broken(f'{self.count} watchers of {changes} changes: {told}')
        return told


def change(bench, service, seconds):
    """Changes at a steady pace; how many there were, and the service's CPU."""
    before = service.cpu()
    result = bench.load(service.port, 'CreateCertificate', bench.scratch / 'create.requests',
                        f'--token={TOKEN}', f'--rate={RATE}', f'--seconds={seconds}',
                        f'--serial={bench.serial}')
    bench.serial += result['calls'] + 100
    return result['calls'], service.cpu() - before


def fed(bench, count, changes):
    """CPU per change told, µs, and p99 of the delay, ms, of a reactor with a clock behind it."""
    feed = bench.start('feed', 9, 'bench-feed', f'--event={bench.scratch}/event',
                       f'--watchers={count}', f'--changes={changes}', f'--rate={RATE}')
    before = feed.cpu()
    told = Watchers(bench, feed.port, count).end(changes)
    cost = (feed.cpu() - before) / (changes * count) * 1e6
    bench.stop(feed)
    return cost, told['p99_us'] / 1000


def row_watch(bench):
    seconds = 2 if bench.quick else 5
    bench.run(bench.bin / 'bench-facts', f'--database={bench.conninfo("watch")}',
              '--certificates=60', f'--requests={bench.scratch}/create.requests')
    service = bench.certification('watch', offset=8)
    change(bench, service, 1)
    name = bench.sql('watch', 'SELECT name FROM certificates ORDER BY name LIMIT 1').strip()
    get = ask(service.port, 'GetCertificate', text_field(1, name))
    # A WatchChangesResponse as long as those of the service, but for its record time.
    (bench.scratch / 'event').write_bytes(
        int_field(1, 1) + text_field(2, name) + text_field(3, TYPE) + bytes_field(
            4, text_field(1, f'type.googleapis.com/{TYPE}') + bytes_field(2, get)) +
        text_field(5, '1000.12345678'))

    def told(count):
        """The same of the service, beyond what the changes themselves cost."""
        calls, alone = change(bench, service, seconds)
        watchers = Watchers(bench, service.port, count)
        before = service.cpu()
        changes, _ = change(bench, service, seconds)
        delays = watchers.end(changes)
        cost = service.cpu() - before - alone * changes / calls
        return cost / (changes * count) * 1e6, delays['p99_us'] / 1000
    told(FEW)
    for count in (FEW, SOME):
        cost, delay = zip(*(told(count) for _ in bench.rounds()))
        bench.note(f'{count:,} clients of WatchChanges: {statistics.median(cost):.1f} µs of CPU '
                   f'per change told, p99 of the delay {statistics.median(delay):.1f} ms')
    pairs = bench.alternate(lambda: told(MANY), lambda: fed(bench, MANY, RATE * seconds))
    what = f'{MANY:,} clients of WatchChanges, {RATE} changes/s: '
    bench.report('watch', what + 'CPU per change told, against the reactor with a clock behind it',
                 [(a[0], b[0]) for a, b in pairs], 'µs', 1.5)
    bench.report('watch', what + 'p99 of the delay, against the same',
                 [(a[1], b[1]) for a, b in pairs], 'ms', 3, digits=0)
    isolation(bench, service, name, get, seconds)
    bench.stop(service)


def isolation(bench, service, name, get, seconds):
    """Both are called at once beside the watchers, who leave the machine no time to spare."""
    for answer in ('get', 'list'):
        (bench.scratch / f'{answer}.answer').write_bytes(get)
    (bench.scratch / 'headers').touch()
    ceiling = bench.bare('watch-bare', 9)
    gets = bench.requests('watched', [text_field(1, name)])

    def calling(port, method, requests, rate, *flags):
        return subprocess.Popen(
            [bench.bin / 'bench-load', f'--target=127.0.0.1:{port}', f'--method={SERVICE}{method}',
             f'--requests={requests}', f'--rate={rate}', f'--seconds={seconds}', *flags],
            stdout=subprocess.PIPE, text=True)

    def round_of_both():
        watchers = Watchers(bench, service.port, MANY)
        at_once = [
            calling(service.port, 'GetCertificate', gets, 500),
            calling(ceiling.port, 'GetCertificate', gets, 500),
            calling(service.port, 'CreateCertificate', bench.scratch / 'create.requests', RATE,
                    f'--token={TOKEN}', f'--serial={bench.serial}')]
        bench.serial += RATE * (seconds + 1)
        service_got, ceiling_got, changed = [json.loads(p.communicate()[0]) for p in at_once]
        for result in (service_got, ceiling_got, changed):
            if set(result['codes']) != {'0'}:
                raise Broken(f'beside watchers: answers by grpc-status: {result["codes"]}')
        watchers.end(changed['calls'])
        return service_got['p99_us'] / 1000, ceiling_got['p99_us'] / 1000
    bench.report('watch', 'p99 of GetCertificate (500/s) beside them, against p99 of a bare '
                 'server on completion queues, beside them too',
                 [round_of_both() for _ in bench.rounds()], 'ms', 10, digits=0)
    bench.stop(ceiling)
