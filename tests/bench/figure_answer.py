# SPDX-License-Identifier: Apache-2.0
"""The answer of `memwatchctl leaks --for 0` when 1,000,000 blocks of 10,000 sites are outstanding,
from the start of memwatchctl to its end. All sites leak, so that the answer is about all of them.
The first answer finds no name cached and is judged by itself. Stated besides: what memwatchd takes
of that, and the answer that lists every site as JSON."""

import collections
import subprocess
import time

from harness import BenchError, Child, Daemon, cpus_other, process_status_bytes
from report import Row

NAME = "answer"
TITLE = "`leaks --for 0` with 1,000,000 outstanding blocks over 10,000 sites"
MUST_MS = 200
RSS_MUST_MIB = 64

SITES = 10_000
BLOCKS_PER_SITE = 100
GROWTH_STEPS = 50  # a leak is one that grows before our eyes
GROWTH_STEP_SECONDS = 0.2
ANSWERS = 10


def elapsed_ms(action):
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1e3


def control_ms(daemon, pid, *options):
    command = daemon.control_arguments("leaks", "--pid", pid, "--for", 0, *options)
    return elapsed_ms(
        lambda: subprocess.run(
            command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True
        )
    )


def daemon_ms(daemon, pid):
    return elapsed_ms(lambda: daemon.get(f"/api/v1/processes/{pid}/leaks?all=1"))


def account_check(daemon, pid):
    """An answer about less would come sooner."""
    target = daemon.target(pid)
    objects = SITES * BLOCKS_PER_SITE
    if target["sites"] < SITES or target["outstanding_objects"] != objects:
        raise BenchError(
            f"memwatch holds {target['outstanding_objects']:,.0f} blocks of {target['sites']} "
            f"sites, the program {objects:,} of {SITES:,}; losses: {target['losses']}"
        )


def mib(count):
    return count / (1 << 20)


def grow(program):
    for _ in range(GROWTH_STEPS):
        program.write_line(str(BLOCKS_PER_SITE // GROWTH_STEPS))
        program.read_line()
        time.sleep(GROWTH_STEP_SECONDS)


def measure(bench):
    results = collections.defaultdict(list)
    for index in range(1 if bench.is_quick else 3):
        bench.progress(f"answer: round {index + 1}")
        program = Child([bench.program("sites"), SITES], cpus_other())
        with program, Daemon(bench) as daemon, daemon.watching(program.pid, "--exact"):
            grow(program)
            account_check(daemon, program.pid)
            verdicts = measure_answers(daemon, program.pid, results)
    rows = [
        Row("first answer", results["first"], "ms", must=MUST_MS),
        Row("later answers", results["later"], "ms", must=MUST_MS),
        Row("memwatchd's RSS after them", results["rss"], "MiB", must=RSS_MUST_MIB),
        Row("memwatchd's peak RSS until then", results["peak"], "MiB"),
        Row("every site as JSON", results["every"], "ms"),
        Row("memwatchd's part of that", results["daemon"], "ms"),
        Row("memwatchd's peak RSS then", results["peak_every"], "MiB"),
    ]
    return rows, ["verdicts: " + ", ".join(f"{count:,} {name}" for name, count in verdicts.items())]


def measure_answers(daemon, pid, results):
    """Adds to results, returns how many sites have which verdict."""
    results["first"].append(control_ms(daemon, pid))
    results["later"] += [control_ms(daemon, pid) for _ in range(ANSWERS)]
    results["rss"].append(mib(process_status_bytes(daemon.pid, "VmRSS")))
    results["peak"].append(mib(process_status_bytes(daemon.pid, "VmHWM")))
    answer = daemon.control("leaks", "--pid", pid, "--for", 0, "--all")
    results["every"] += [control_ms(daemon, pid, "--all", "--json") for _ in range(ANSWERS)]
    results["daemon"] += [daemon_ms(daemon, pid) for _ in range(ANSWERS)]
    results["peak_every"].append(mib(process_status_bytes(daemon.pid, "VmHWM")))
    return collections.Counter(site["verdict"] for site in answer["sites"])
