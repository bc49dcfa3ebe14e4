#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What memwatch costs, as ratios, in one run: `make bench`.

Method. Every figure compares conditions that take turns (A B C A B C ...), so that whatever else
the machine does falls on all of them alike; a ratio is formed within each round, and the table
shows medians and the 10%-90% interval of the rounds. A figure is held against its limit by the
median. Loops are timed in slices of 1 ms, of which the 10th percentile counts (see loops.c). The
machine matters: absolute numbers are its own, ratios travel better. What else loads it widens the
intervals; other tools' probes on the same libc falsify ratios: those tools are named at the top.

  probes     what the kernel charges for a probe that does nothing: nobody can be cheaper
  pairs      malloc+free loops: unprobed, three empty probes (the limit), memwatch exact and
             sampled, a bpftrace script that does the same job
  unwind     a stack of 30 frames, over the same stack read word by word; making unwind tables
  names      naming 10,000 distinct frames of which nothing is known
  pipeline   a pandas/NumPy program, watched from its start with default settings
  python     what Python frames cost, and the pipeline under tracemalloc, memory_profiler, heaptrack
  bystander  programs that are not watched, beside one that is; and a fork of a watched one
  answer     `leaks` over 1,000,000 outstanding blocks of 10,000 sites: time, and the daemon's RSS
  attach     50 processes watched and unwatched at once, by each attach back end; and the slowest
             answer to somebody else meanwhile
  idle       CPU time of the daemon with 5 targets and nobody asking
  budget     speed of a program whose watch was stopped over budget, redis under the budget of a
             policy, CPU time of the daemon while targets allocate as fast as they can

Prints a table and writes build/bench.json with every sample. A missed limit is marked NOT MET and
is no error: exit status 1 means that something could not be measured. Needs root. The daemon runs
on temporary paths; everything that is started is ended by its pid.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import figure_allocators
import figure_answer
import figure_attach
import figure_budget
import figure_bystander
import figure_idle
import figure_names
import figure_pairs
import figure_pipeline
import figure_probes
import figure_python
import figure_unwind
import report
from harness import Bench, BenchError

FIGURES = [
    figure_probes,
    figure_pairs,
    figure_allocators,
    figure_unwind,
    figure_names,
    figure_pipeline,
    figure_python,
    figure_bystander,
    figure_answer,
    figure_attach,
    figure_idle,
    figure_budget,
]


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=Path, default=Path("build"), help="build directory")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=[figure.NAME for figure in FIGURES],
        help="measure this figure alone; may be repeated",
    )
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a smoke test")
    return parser.parse_args()


def progress(words):
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def measure(figures, bench):
    """Returns (name, title, rows, notes) of each figure, and the figures that failed."""
    results = []
    failed = []
    for figure in figures:
        bench.progress(f"{figure.NAME}: {figure.TITLE} ...")
        try:
            rows, notes = figure.measure(bench)
        except (BenchError, OSError, subprocess.SubprocessError) as error:
            bench.progress("")
            print(f"bench: {figure.NAME} could not be measured: {error}", file=sys.stderr)
            failed.append(figure.NAME)
            continue
        bench.progress("")
        results.append((figure.NAME, figure.TITLE, rows, notes))
        print_figure(figure.TITLE, rows, notes)
    return results, failed


def print_figure(title, rows, notes):
    print(f"\n{title}\n{report.table(rows)}")
    for note in notes:
        print(f"  {note}")
    sys.stdout.flush()


def print_machine(machine, rounds):
    print(
        f"Linux {machine['kernel']}, {machine['cpus']} x {machine['cpu_model']}, "
        f"{machine['libc']}; load average {machine['load_average']:.2f}; {rounds} rounds"
    )
    for pid, name in machine["probing_processes"].items():
        print(f"not alone: {name} ({pid}) may have probes of its own, which add to every hit")


def main():
    arguments = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("bench: needs root, to probe")
    # Ends through the context managers, which end what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(
        build=arguments.build.resolve(),
        rounds=3 if arguments.quick else 15,
        is_quick=arguments.quick,
        seconds=0.1 if arguments.quick else 0.2,
        progress=progress,
    )
    figures = [f for f in FIGURES if not arguments.only or f.NAME in arguments.only]
    machine = report.machine()
    print_machine(machine, bench.rounds)
    results, failed = measure(figures, bench)
    path = bench.build / "bench.json"
    report.write_json(path, machine, results, bench.rounds, bench.is_quick)
    missed = [row.name for _, _, rows, _ in results for row in rows if not row.is_met]
    print(f"\n{path}: {len(missed)} NOT MET" + "".join(f"\n  {name}" for name in missed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
