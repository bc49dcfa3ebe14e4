# SPDX-License-Identifier: Apache-2.0
"""What the watch of one process costs the others.

The neighbour allocates 10,000 times a second on another CPU throughout. Without memwatch and with
it (daemon running, the neighbour watched in exact mode) take turns, and each turn with it is
compared with the mean of the two around it. The control compares neighbouring turns without
memwatch: what is as far from 1 as the control is noise.

Judged is the undisturbed time (loops.c), which shows what memwatch adds to each call, fault or
fork. CPU time that the daemon takes from others would show in the mean over everything, which is
stated; the figure `idle` bounds it.

Last, a child forked by a watched process: it inherits the breakpoints with the memory, and traps
without being accounted."""

import contextlib

from harness import Daemon, Loops, cpus_other
from report import Row

NAME = "bystander"
TITLE = "Programs that are not watched"
MUST = 1.01
FAULTS_MUST = 1.10

NEIGHBOUR_PAIRS_PER_TICK = 100  # each 10 ms
PASSES = 4  # of all loops within a turn, so that a disturbance doesn't hit one loop alone
LOOPS = [
    ("malloc+free, 64 bytes", "pairs 64 5", MUST),
    ("system calls", "syscalls", MUST),
    ("fork, exec, wait", "execs", MUST),
    ("page faults", "faults", FAULTS_MUST),
]
CHILD_LOOP = "fork pairs 64 5"


def run_turn(bench, loops):
    """{name: (undisturbed, mean)} in ns per iteration."""
    runs = {name: [] for name, *_ in LOOPS}
    for _ in range(PASSES):
        for name, command, _ in LOOPS:
            runs[name].append(loops.run(f"{command} {bench.seconds / 2}"))
    return {
        name: (
            min(run.undisturbed_ns for run in passes),
            sum(run.elapsed_ns for run in passes) / sum(run.count for run in passes),
        )
        for name, passes in runs.items()
    }


@contextlib.contextmanager
def neighbour_watched(bench, neighbour):
    with Daemon(bench) as daemon, daemon.watching(neighbour.pid, "--exact"):
        yield


def measure_loops(bench):
    without, beside = [], []
    with Loops(bench) as loops, Loops(bench, cpus_other()) as neighbour:
        neighbour.write_line(f"pace {NEIGHBOUR_PAIRS_PER_TICK}")
        run_turn(bench, loops)  # warm caches, a warm clock
        without.append(run_turn(bench, loops))
        for index in range(bench.rounds):
            bench.progress(f"bystander: round {index + 1} of {bench.rounds}")
            with neighbour_watched(bench, neighbour):
                beside.append(run_turn(bench, loops))
            without.append(run_turn(bench, loops))
    return [row for name, _, must in LOOPS for row in loop_rows(name, must, without, beside)]


def loop_rows(name, must, without, beside):
    """without[i] and without[i + 1] are the turns around beside[i]."""

    def compare(what, turns, baseline, statistic, limit=None):
        values = [turn[name][statistic] for turn in turns]
        return Row.compare(f"{name}: {what}", values, "alone", baseline, must=limit)

    def around(statistic):
        return [
            (before[name][statistic] + after[name][statistic]) / 2
            for before, after in zip(without, without[1:])
        ]

    before = [turn[name][0] for turn in without[:-1]]
    return [
        compare("beside a watched one", beside, around(0), 0, must),
        compare("control", without[1:], before, 0),
        compare("beside a watched one, mean", beside, around(1), 1),
    ]


def measure_child(bench):
    command = f"{CHILD_LOOP} {bench.seconds}"
    unwatched, watched = [], []
    with Daemon(bench) as daemon, Loops(bench) as loops:
        for _ in range(bench.rounds):
            unwatched.append(loops.run(command).undisturbed_ns)
            with daemon.watching(loops.pid):
                watched.append(loops.run(command).undisturbed_ns)
    name = "malloc+free, 64 bytes: child forked by a watched one"
    return Row.compare(name, watched, "of an unwatched one", unwatched)


def measure(bench):
    return [*measure_loops(bench), measure_child(bench)], []
