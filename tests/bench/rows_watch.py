"""Rows of WatchChanges: many clients while changes come in."""

import json
import statistics
import subprocess

from harness import ROUNDS, SERVICE, TOKEN, Broken, text_field

RATE = 100  # changes per second
FEW, SOME, MANY = 10, 100, 1000


class Watchers:
    """So many clients of one service, which listen from here on."""

    def __init__(self, bench, port, count):
        self.count = count
        self.process = subprocess.Popen(
            [bench.bin / 'bench-watch', f'--target=127.0.0.1:{port}',
             '--service=transparency.certification.v1.CertificationJournalService',
             f'--watchers={count}'], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            self.process.kill()
            self.process.wait()
            raise Broken(f'{count} watchers are not let in')

    def end(self, changes):
        self.process.terminate()
        told = json.loads(self.process.communicate(timeout=60)[0])
        if told['lost'] or told['told'] < changes * self.count:
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


def row_watch(bench):
    seconds = 2 if bench.quick else 5
    bench.run(bench.bin / 'bench-facts', f'--database={bench.conninfo("watch")}',
              '--certificates=60', f'--requests={bench.scratch}/create.requests')
    service = bench.certification('watch', offset=8)
    change(bench, service, 1)

    def told(count):
        """CPU per change told, µs, beyond what the changes themselves cost; and the delays."""
        calls, alone = change(bench, service, seconds)
        watchers = Watchers(bench, service.port, count)
        changes, cpu = change(bench, service, seconds)
        delays = watchers.end(changes)
        return (cpu - alone * changes / calls) / (changes * count) * 1e6, delays['p99_us'] / 1000
    rounds = [{count: told(count) for count in (FEW, SOME, MANY)} for _ in range(ROUNDS)]
    for count in (FEW, SOME, MANY):
        cost, delay = zip(*(r[count] for r in rounds))
        bench.note(f'{count:,} watchers: {statistics.median(cost):.1f} µs of CPU per change told, '
                   f'p99 of the delay {statistics.median(delay):.0f} ms')
    bench.report('watch', f'{MANY:,} clients of WatchChanges, {RATE} changes/s: CPU per change '
                 f'told, against {SOME} clients',
                 [(r[MANY][0], r[SOME][0]) for r in rounds], 'µs', 1.5)
    bench.report('watch', f'p99 from record time to the client, {MANY:,} clients against {FEW}',
                 [(r[MANY][1], r[FEW][1]) for r in rounds], 'ms', 20, digits=0)

    name = bench.sql('watch', 'SELECT name FROM certificates ORDER BY name LIMIT 1').strip()
    gets = bench.requests('watched', [text_field(1, name)])
    def p99():
        return bench.load(service.port, 'GetCertificate', gets, '--rate=1000',
                          f'--seconds={seconds}')['p99_us'] / 1000
    def p99_beside_watchers():
        watchers = Watchers(bench, service.port, MANY)
        with subprocess.Popen(
                [bench.bin / 'bench-load', f'--target=127.0.0.1:{service.port}',
                 f'--method={SERVICE}CreateCertificate', f'--token={TOKEN}',
                 f'--requests={bench.scratch}/create.requests', f'--rate={RATE}',
                 f'--seconds={seconds + 1}', f'--serial={bench.serial}'],
                stdout=subprocess.PIPE, text=True) as changing:
            bench.serial += RATE * (seconds + 2)
            result = p99()
            changed = json.loads(changing.communicate()[0])
        watchers.end(changed['calls'])
        return result
    p99()
    bench.report('watch', f'p99 of GetCertificate (1,000/s) beside them, against p99 alone',
                 bench.alternate(p99_beside_watchers, p99), 'ms', 10, digits=2)
    bench.stop(service)
