# SPDX-License-Identifier: Apache-2.0
"""What a stack without frame pointers costs.

Of the loop without frame pointers, 30 frames deep: what exact counting costs there more than with
the stack's outermost frames alone, over what a probe costs more that reads the return address and
the frame pointer of as many frames word by word than one that reads nothing. Then the first stack
after a watch has begun, of which nothing is known yet. Then the making of the tables."""

import contextlib
import subprocess
from pathlib import Path

from harness import BenchError, Daemon, EmptyProbes, Loops
from report import Row

NAME = "unwind"
TITLE = "Unwinding without frame pointers"
FRAMES = 29
WARM_MUST = 0.6
COLD_MUST_NS = 40000
BUILD_MUST_NS = 18e6
SHALLOW, DEEP = "pairs 64 0", f"pairs 64 {FRAMES}"
# The largest of what an ML host has come first; those that aren't there are left out.
FILES = [
    "/usr/lib/x86_64-linux-gnu/libtorch_cpu.so.1.13",
    "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
    "/usr/bin/python3.11",
    "/lib/x86_64-linux-gnu/libc.so.6",
]


def measure_walk(bench):
    """{condition: [ns per pair]} by depth, and [ns] of first stacks."""
    libc = bench.libc_path()
    malloc = bench.probe_offsets(libc)["malloc"][1]
    results, cold = {}, []
    with Loops(bench, program="loops_without_frame_pointer") as loops, Daemon(bench) as daemon:
        conditions = {
            "unprobed": contextlib.nullcontext,
            "nothing": lambda: EmptyProbes(bench, loops.pid, libc, [f"entry:{malloc}"]),
            "words": lambda: EmptyProbes(bench, loops.pid, libc, [f"words:{malloc}"]),
            "exact": lambda: daemon.watching(loops.pid, "--exact"),
        }
        for index in range(bench.rounds):
            bench.progress(f"unwind: round {index + 1} of {bench.rounds}")
            for condition, context in conditions.items():
                with context():
                    if condition == "exact":
                        # What else is new to a thread and its probes.
                        loops.run("once 64 0")
                        first = loops.run(f"once 64 {FRAMES}").undisturbed_ns
                        # A new site as well, but of code that has been looked up before.
                        second = loops.run(f"once 64 {FRAMES - 1}").undisturbed_ns
                        cold.append(max(first - second, 1))
                    for loop in (SHALLOW, DEEP):
                        taken = loops.run(f"{loop} {bench.seconds}").undisturbed_ns
                        results.setdefault((condition, loop), []).append(taken)
                    if condition == "exact":
                        check_depth(daemon, loops.pid)
    return results, cold


def check_depth(daemon, pid):
    """A walk that stops early would be cheap."""
    answer = daemon.control("stacks", "--pid", pid, "--sort", "allocated", "--top", 2)
    depths = sorted(len(site["stack"]) for site in answer["sites"])
    ends = {site["stack_end"] for site in answer["sites"]}
    if ends != {"root"} or depths[1] - depths[0] != FRAMES:
        raise BenchError(f"stacks of {depths} frames, ending at {ends}")


def difference(more, less):
    return [max(a - b, 1) for a, b in zip(more, less, strict=True)]


def measure_tables(bench):
    files = [path for path in FILES if Path(path).exists()]
    done = subprocess.run(
        [bench.program("tables"), *files], capture_output=True, text=True, check=True
    )
    rows, notes = [], []
    for path, line in zip(files, done.stdout.splitlines(), strict=True):
        taken_ns, code, table, count, rules = (int(word) for word in line.split())
        megabytes = code / 1e6
        name = f"table of {Path(path).name}, per MB of code"
        rows.append(Row(name, [taken_ns / megabytes], must=BUILD_MUST_NS))
        notes.append(
            f"{Path(path).name}: {megabytes:.1f} MB of code, {count} rows and {rules} rules in "
            f"{table / 1e6:.2f} MB, made in {taken_ns / 1e6:.1f} ms"
        )
    return rows, notes


def measure(bench):
    results, cold = measure_walk(bench)
    walk = difference(results["exact", DEEP], results["exact", SHALLOW])
    words = difference(results["words", DEEP], results["nothing", DEEP])
    rows = [
        Row.compare(
            f"{FRAMES} frames more, warm", walk, "word by word", words, must=WARM_MUST
        ),
        Row("cold: a stack of unknown code, beyond one of known", cold, must=COLD_MUST_NS),
    ]
    table_rows, notes = measure_tables(bench)
    return rows + table_rows, notes
