# SPDX-License-Identifier: Apache-2.0
"""The pandas/NumPy pipeline of tests/programs: a process of its own for each run, held at a gate
before its first import until it is watched. Unwatched means without any daemon. Whole programs are
noisy, so what the watch ought to cost, probe hits times calibrated cost, stands beside what was
measured."""

import json
import statistics
import sys
import time
from pathlib import Path

from harness import Child, Daemon, Loops, process_cpu_seconds
from report import Row

NAME = "pipeline"
TITLE = "pandas/NumPy pipeline"
MUST = 1.05

PIPELINE = Path(__file__).resolve().parent.parent / "programs" / "pipeline.py"
LOOP = "pairs 64 5"


# Python alone, until a line comes.
GATE = """
import runpy, sys
sys.stdin.readline()
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Pipeline(Child):
    def __init__(self):
        super().__init__([sys.executable, "-c", GATE, PIPELINE])

    def run(self):
        """Seconds of the program, of its pipeline alone, and of CPU time."""
        start = time.perf_counter()
        cpu_seconds = process_cpu_seconds(self.pid)
        self.write_line("")
        self.read_line()  # imported everything, written its input
        self.write_line("run")
        pipeline_seconds = json.loads(self.read_line())["seconds"]
        seconds = time.perf_counter() - start
        return seconds, pipeline_seconds, process_cpu_seconds(self.pid) - cpu_seconds


def run_unwatched():
    with Pipeline() as pipeline:
        return pipeline.run()


def run_watched(bench):
    """Returns also the target's counters."""
    with Pipeline() as pipeline, Daemon(bench) as daemon, daemon.watching(pipeline.pid):
        times = pipeline.run()
        return times, daemon.target(pipeline.pid)


def calibrate_ns(bench):
    """What malloc+free costs more when sampled out, and what a block and a return probe add."""
    with Loops(bench) as loops, Daemon(bench) as daemon:
        command = f"{LOOP} {bench.seconds}"
        unprobed_ns = loops.run(command).undisturbed_ns
        with daemon.watching(loops.pid):
            sampled_ns = loops.run(command).undisturbed_ns
        with daemon.watching(loops.pid, "--exact"):
            exact_ns = loops.run(command).undisturbed_ns
    return sampled_ns - unprobed_ns, exact_ns - sampled_ns


def estimate_note(targets, seconds, costs_ns):
    pair_ns, return_ns = costs_ns
    hits = statistics.median(t["allocation_hits"] + t["free_hits"] for t in targets)
    returns = statistics.median(t["return_hits"] for t in targets)
    probe_seconds = (hits / 2 * pair_ns + returns * return_ns) / 1e9
    return (
        f"hits x calibrated cost: {hits:,.0f} allocations and frees at {pair_ns / 2:,.0f} ns, "
        f"{returns:,.0f} returns at {return_ns:,.0f} ns: {probe_seconds * 1e3:,.0f} ms, "
        f"ratio {1 + probe_seconds / statistics.median(seconds):.3f}"
    )


def measure(bench):
    unwatched, watched, targets = [], [], []
    for index in range(bench.rounds):
        bench.progress(f"pipeline: round {index + 1} of {bench.rounds}")
        unwatched.append(run_unwatched())
        times, target = run_watched(bench)
        watched.append(times)
        targets.append(target)
    names = ["from its first import: wall", "pipeline alone: wall", "from its first import: CPU"]
    rows = [
        Row.compare(f"watched, {name}", after, "unwatched", before, "s", must)
        for name, after, before, must in zip(
            names, zip(*watched), zip(*unwatched), [MUST, MUST, None]
        )
    ]
    seconds = [times[0] for times in unwatched]
    return rows, [estimate_note(targets, seconds, calibrate_ns(bench))]
