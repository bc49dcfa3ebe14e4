# SPDX-License-Identifier: Apache-2.0
"""The daemon with 5 targets that allocate 100 times a second each, while nobody asks: its CPU time,
threads that ended included. The first seconds after the watches began are not idle: they are left
out."""

import contextlib
import time

from harness import Daemon, Loops, cpus_other, process_cpu_seconds, process_status_bytes
from report import Row

NAME = "idle"
TITLE = "Idle daemon, 5 targets"
MUST_PERCENT = 0.5
MUST_READY_SECONDS = 5
MUST_END_SECONDS = 2

TARGETS = 5
SETTLE_SECONDS = 2


def cpu_percent(pid, seconds):
    start, start_cpu = time.monotonic(), process_cpu_seconds(pid)
    time.sleep(seconds)
    return 100 * (process_cpu_seconds(pid) - start_cpu) / (time.monotonic() - start)


def measure(bench):
    seconds = 5 if bench.is_quick else 30
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(Daemon(bench))
        for _ in range(TARGETS):
            target = stack.enter_context(Loops(bench, cpus_other()))
            target.write_line("pace 1")
            daemon.control("watch", "--pid", target.pid)
        bench.progress(f"idle: {SETTLE_SECONDS + seconds} s")
        cpu_percent(daemon.pid, SETTLE_SECONDS)
        percent = cpu_percent(daemon.pid, seconds)
        rss = process_status_bytes(daemon.pid, "VmRSS") / (1 << 20)
        end_seconds = daemon.stop()
    rows = [
        Row("from its start until commands work", [daemon.ready_seconds], "s",
            must=MUST_READY_SECONDS),
        Row("from SIGTERM to its end, all targets watched", [end_seconds], "s",
            must=MUST_END_SECONDS),
        Row(f"CPU time over {seconds} s", [percent], "% CPU", must=MUST_PERCENT),
        Row("RSS", [rss], "MiB"),
    ]
    return rows, ["of one CPU; a target allocates 100 times a second"]
