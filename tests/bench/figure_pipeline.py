# SPDX-License-Identifier: Apache-2.0
"""The pandas/NumPy pipeline of tests/programs: a process of its own for each run, held at a gate
before its first import until it is watched. Unwatched means without any daemon. Whole programs are
noisy, so what the watch ought to cost, probe hits times calibrated cost, stands beside what was
measured.

The pipeline's input, a CSV of 400,000 rows, is written by pandas between the imports and the
pipeline. That is no part of it, but stated: it does little but malloc and free."""

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness import Child, Daemon, Loops, process_cpu_seconds
from report import Row

NAME = "pipeline"
TITLE = "pandas/NumPy pipeline"
MUST = 1.05

PIPELINE = Path(__file__).resolve().parent.parent / "programs" / "pipeline.py"
LOOP = "pairs 64 5"


GATE = """
import runpy, sys
sys.stdin.readline()
import numpy, pandas
print("imported", flush=True)
sys.stdin.readline()
runpy.run_path(sys.argv[1], run_name="__main__")
"""
# (phase, the line that starts it); a line from the program ends it
PHASES = [("imports", ""), ("input", ""), ("pipeline", "run")]


@dataclass
class Phase:
    seconds: float
    cpu_seconds: float


class Pipeline(Child):
    def __init__(self):
        super().__init__([sys.executable, "-c", GATE, PIPELINE])

    def run(self, after_phase=lambda name: None):
        """{name: Phase}; after_phase is called while the program waits."""
        phases = {}
        for name, line in PHASES:
            start, cpu_start = time.perf_counter(), process_cpu_seconds(self.pid)
            self.write_line(line)
            self.read_line()
            seconds = time.perf_counter() - start
            phases[name] = Phase(seconds, process_cpu_seconds(self.pid) - cpu_start)
            after_phase(name)
        return phases


def run_unwatched():
    with Pipeline() as pipeline:
        return pipeline.run()


def run_watched(bench):
    """Returns also the target's counters after each phase."""
    counters = {}
    with Pipeline() as pipeline, Daemon(bench) as daemon, daemon.watching(pipeline.pid):

        def count(phase):
            counters[phase] = daemon.target(pipeline.pid)

        return pipeline.run(count), counters


def hits_of(counters, name):
    """Probe hits by phase: the counters go on from one to the next."""
    totals = [counters[phase][name] for phase, _ in PHASES]
    return dict(zip((phase for phase, _ in PHASES), map(int.__sub__, totals, [0] + totals)))


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


def estimate_note(what, phases, seconds, watched, costs_ns):
    pair_ns, return_ns = costs_ns

    def hits(name):
        by_run = [hits_of(counters, name) for _, counters in watched]
        return statistics.median(sum(by_phase[phase] for phase in phases) for by_phase in by_run)

    pairs = (hits("allocation_hits") + hits("free_hits")) / 2
    probe_seconds = (pairs * pair_ns + hits("return_hits") * return_ns) / 1e9
    return (
        f"{what}, hits x calibrated cost: {pairs:,.0f} pairs at {pair_ns:,.0f} ns and "
        f"{hits('return_hits'):,.0f} sampled at {return_ns:,.0f} ns more are "
        f"{probe_seconds * 1e3:,.0f} ms: {1 + probe_seconds / statistics.median(seconds):.3f}"
    )


# (what, phases, must)
FIGURES = [
    ("pipeline", ["pipeline"], MUST),
    ("imports and pipeline", ["imports", "pipeline"], MUST),
    ("writing its input", ["input"], None),
]


def measure(bench):
    unwatched, watched = [], []
    for index in range(bench.rounds):
        bench.progress(f"pipeline: round {index + 1} of {bench.rounds}")
        # Each goes first in turn: what the first one warms or disturbs, the second one meets.
        if index % 2:
            watched.append(run_watched(bench))
        unwatched.append(run_unwatched())
        if not index % 2:
            watched.append(run_watched(bench))
    costs_ns = calibrate_ns(bench)
    rows, notes = [], []
    for what, phases, must in FIGURES:

        def total(run, clock, phases=phases):
            return sum(getattr(run[phase], clock) for phase in phases)

        for clock, label, limit in (("seconds", "wall", must), ("cpu_seconds", "CPU", None)):
            after = [total(run, clock) for run, _ in watched]
            before = [total(run, clock) for run in unwatched]
            name = f"{what}, watched: {label}"
            rows.append(Row.compare(name, after, "unwatched", before, "s", limit))
        seconds = [total(run, "seconds") for run in unwatched]
        notes.append(estimate_note(what, phases, seconds, watched, costs_ns))
    return rows, notes
