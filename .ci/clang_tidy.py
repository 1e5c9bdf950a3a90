"""Runs clang-tidy over our own sources, in parallel, and over nothing twice.

usage: clang_tidy.py BUILD_DIR SECONDS

BUILD_DIR holds compile_commands.json and has been built. A source that passed
is not looked at again until it, a file it includes, its command line or the
checks change; ~/.cache/transparency-suite/clang-tidy remembers that, for every
checkout. A whole tree takes half an hour on two cores, so that after SECONDS no
further source is begun: what was changed last is looked at first, and what is
left is counted. The exit code is 1 when anything was found.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

CLANG_TIDY = "clang-tidy-16"


def digest_of(path, known):
    if path not in known:
        try:
            known[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            known[path] = "absent"
    return known[path]


def dependencies(build):
    """The files that each object was compiled from, as ninja has noted them."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True,
                             capture_output=True, text=True).stdout
    found = {}
    current = None
    for line in listing.splitlines():
        if line.startswith("    "):
            current.append((build / line.strip()).resolve())
        elif ": #deps" in line:
            current = found.setdefault(line.split(": #deps")[0], [])
    return found


def newest_first(root):
    """The place of each source among all, by the commit that changed it last."""
    log = subprocess.run(
        ["git", "-c", f"safe.directory={root}", "log", "--format=", "--name-only"],
        cwd=root, check=False, capture_output=True, text=True).stdout
    places = {}
    for path in log.split():
        places.setdefault(root / path, len(places))
    return places


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    build = (root / sys.argv[1]).resolve()
    until = time.monotonic() + float(sys.argv[2])
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    passed = pathlib.Path(cache) / "transparency-suite" / "clang-tidy"
    passed.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([CLANG_TIDY, "--version"], check=True,
                             capture_output=True, text=True).stdout
    common = hashlib.sha256((version + (root / ".clang-tidy").read_text()).encode()).hexdigest()
    included = dependencies(build)
    known = {}
    jobs = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if not source.is_relative_to(root) or source.is_relative_to(root / "build"):
            continue
        target = re.search(r" -o (\S+) ", entry["command"]).group(1)
        own = [p for p in included.get(target, []) + [source]
               if p.is_relative_to(root)]
        key = hashlib.sha256("\n".join(
            [common, entry["command"].replace(str(root), "")] +
            sorted(f"{p.relative_to(root)} {digest_of(p, known)}" for p in own)
        ).encode()).hexdigest()
        if not (passed / key).exists():
            jobs.setdefault(source, key)

    def look_at(job):
        source, key = job
        if time.monotonic() > until:
            return None
        # -w: warnings are g++'s matter, and it was asked already. Sanitizers need
        # headers that clang-tidy comes without.
        run = subprocess.run(
            [CLANG_TIDY, "-p", str(build), "--quiet", "--extra-arg=-w",
             "--extra-arg=-fno-sanitize=all", str(source)],
            capture_output=True, text=True)
        if run.returncode == 0:
            (passed / key).touch()
            return ""
        return run.stdout + re.sub(r"(?m)^\d+ warnings?.*generated\.\n", "", run.stderr)

    places = newest_first(root)
    ordered = sorted(jobs.items(), key=lambda job: places.get(job[0], -1))
    failures = left = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for report in pool.map(look_at, ordered):
            if report is None:
                left += 1
            elif report:
                failures += 1
                print(report, flush=True)
    print(f"clang-tidy: {len(jobs) - left} sources looked at, {failures} with findings, "
          f"{left} left for another run")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
