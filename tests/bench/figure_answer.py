# SPDX-License-Identifier: Apache-2.0
"""The answer of `memwatchctl leaks --for 0` when 1,000,000 blocks of 10,000 sites are outstanding,
from the start of memwatchctl to its end. The first answer finds no name cached and is judged by
itself. Stated besides: what memwatchd takes of that, and the answer that lists every site as
JSON."""

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
    return elapsed_ms(lambda: daemon.get(f"/api/v1/processes/{pid}/leaks"))


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


def measure(bench):
    times = {name: [] for name in ("first", "later", "daemon", "every")}
    rss, rss_after_every, peak = [], [], []
    for index in range(1 if bench.is_quick else 3):
        bench.progress(f"answer: round {index + 1}")
        program = Child([bench.program("sites"), SITES, BLOCKS_PER_SITE], cpus_other())
        with program, Daemon(bench) as daemon, daemon.watching(program.pid, "--exact"):
            pid = program.pid
            program.write_line("")
            program.read_line()
            account_check(daemon, pid)
            times["first"].append(control_ms(daemon, pid))
            times["later"] += [control_ms(daemon, pid) for _ in range(ANSWERS)]
            times["daemon"] += [daemon_ms(daemon, pid) for _ in range(ANSWERS)]
            rss.append(mib(process_status_bytes(daemon.pid, "VmRSS")))
            times["every"] += [control_ms(daemon, pid, "--all", "--json") for _ in range(ANSWERS)]
            rss_after_every.append(mib(process_status_bytes(daemon.pid, "VmRSS")))
            peak.append(mib(process_status_bytes(daemon.pid, "VmHWM")))
            listed = daemon.control("leaks", "--pid", pid, "--for", 0)["sites"]
    rows = [
        Row("first answer", times["first"], "ms", must=MUST_MS),
        Row("later answers", times["later"], "ms", must=MUST_MS),
        Row("memwatchd's part of them", times["daemon"], "ms"),
        Row("every site (--all --json)", times["every"], "ms"),
        Row("memwatchd's RSS after the answers", rss, "MiB", must=RSS_MUST_MIB),
        Row("memwatchd's RSS after every site", rss_after_every, "MiB"),
        Row("memwatchd's peak RSS", peak, "MiB"),
    ]
    return rows, [f"sites listed without --all: {len(listed):,}"]
