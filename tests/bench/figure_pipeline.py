# SPDX-License-Identifier: Apache-2.0
"""The pandas/NumPy pipeline of tests/programs, watched with default settings. Unwatched means
without any daemon. Whole programs are noisy, so what the watch ought to cost, probe hits times
calibrated cost, stands beside what was measured.

The pipeline runs in one process, unwatched and watched by turns. What precedes it is measured in a
process of its own each time, held at a gate before its first import until it is watched: the
imports, and the writing of the input, a CSV of 400,000 rows. The latter is no part of the pipeline,
but stated: it does little but malloc and free.

Right before each measured run of the pipeline there is one that isn't, unwatched: in a virtual
machine, memory that lay idle for some seconds may have gone back to the host, and to get 400 MiB of
it again takes 0.2 s of system time. That must not depend on how long the last turn took."""

import contextlib
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness import Child, Daemon, Loops, process_cpu_seconds
from report import Row

NAME = "pipeline"
TITLE = "pandas/NumPy pipeline, watched with default settings"
MUST = 1.05

PIPELINE = Path(__file__).resolve().parent.parent / "programs" / "pipeline.py"
LOOP = "pairs 64 5"

# Each phase begins upon a line from us and ends with a line from the program.
GATE = """
import runpy, sys
sys.stdin.readline()
import numpy, pandas
print("imported", flush=True)
sys.stdin.readline()
runpy.run_path(sys.argv[1], run_name="__main__")
"""
START_LINES = {"imports": "", "input": "", "pipeline": "run"}
HITS = ("allocation_hits", "free_hits", "return_hits")

# (what, phases, must)
FIGURES = [
    ("pipeline", ["pipeline"], MUST),
    ("imports and pipeline", ["imports", "pipeline"], MUST),
    ("writing its input", ["input"], None),
]


@dataclass
class Run:
    """One phase, gone through once; hits are None when it was not watched."""

    wall: float
    cpu: float
    hits: dict | None = None


class Pipeline(Child):
    def __init__(self):
        super().__init__([sys.executable, "-c", GATE, PIPELINE])

    def run(self, phase):
        start, cpu_start = time.perf_counter(), process_cpu_seconds(self.pid)
        self.write_line(START_LINES[phase])
        self.read_line()
        return Run(time.perf_counter() - start, process_cpu_seconds(self.pid) - cpu_start)

    def run_watched(self, daemon, phase):
        with daemon.watching(self.pid):
            run = self.run(phase)
            target = daemon.target(self.pid)
            run.hits = {name: target[name] for name in HITS}
            return run


def run_round(bench, pipeline, is_watched):
    """{phase: Run}, one each."""
    with contextlib.ExitStack() as stack:
        if is_watched:
            daemon = stack.enter_context(Daemon(bench))
        fresh = stack.enter_context(Pipeline())

        def run(program, phase):
            return program.run_watched(daemon, phase) if is_watched else program.run(phase)

        runs = {phase: run(fresh, phase) for phase in ("imports", "input")}
        pipeline.run("pipeline")
        return runs | {"pipeline": run(pipeline, "pipeline")}


def run_rounds(bench):
    unwatched, watched = [], []
    with Pipeline() as pipeline:
        pipeline.run("imports")
        pipeline.run("input")
        for index in range(bench.rounds):
            bench.progress(f"pipeline: round {index + 1} of {bench.rounds}")
            # Each goes first in turn: what the first one disturbs, the second one meets.
            for is_watched in (index % 2 == 0, index % 2 == 1):
                runs = watched if is_watched else unwatched
                runs.append(run_round(bench, pipeline, is_watched))
    return unwatched, watched


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


def estimate_note(what, phases, unwatched, watched, costs_ns):
    pair_ns, return_ns = costs_ns

    def hits(*names):
        return statistics.median(
            sum(run[phase].hits[name] for phase in phases for name in names) for run in watched
        )

    pairs = hits("allocation_hits", "free_hits") / 2
    returns = hits("return_hits")
    probe_seconds = (pairs * pair_ns + returns * return_ns) / 1e9
    seconds = statistics.median(sum(run[phase].wall for phase in phases) for run in unwatched)
    return (
        f"{what}: {pairs:,.0f} pairs at {pair_ns:,.0f} ns and {returns:,.0f} returns at "
        f"{return_ns:,.0f} ns more are {probe_seconds * 1e3:,.0f} ms, ratio "
        f"{1 + probe_seconds / seconds:.3f}"
    )


def compare(what, phases, clock, unwatched, watched, must):
    def seconds(runs):
        return [sum(getattr(run[phase], clock) for phase in phases) for run in runs]

    name = f"{what}: {clock}"
    return Row.compare(name, seconds(watched), "unwatched", seconds(unwatched), "s", must)


def measure(bench):
    unwatched, watched = run_rounds(bench)
    costs_ns = calibrate_ns(bench)
    rows, notes = [], ["hits x calibrated cost:"]
    for what, phases, must in FIGURES:
        rows.append(compare(what, phases, "wall", unwatched, watched, must))
        rows.append(compare(what, phases, "cpu", unwatched, watched, None))
        notes.append(estimate_note(what, phases, unwatched, watched, costs_ns))
    return rows, notes
