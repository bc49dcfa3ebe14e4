# SPDX-License-Identifier: Apache-2.0
"""What names cost that nobody has looked up yet.

Distinct addresses, spread evenly over the functions of real libraries, are named by the daemon's own
cache and thread in a process that has just started. Distributions strip their libraries: these are
named by symbols alone. The daemon itself stands for what has debug information, of which lines and
inlined functions are told as well."""

import subprocess
from pathlib import Path
from statistics import median

from harness import BenchError
from report import Row

NAME = "names"
TITLE = "Naming frames"
FRAMES = 10000
MUST_MS = 1000
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
# Those that aren't there are left out.
FILES = [
    LIBRARIES / "libc.so.6",
    LIBRARIES / "libstdc++.so.6",
    LIBRARIES / "libpython3.11.so.1.0",
    LIBRARIES / "libcrypto.so.3",
    *Path("/usr/lib/python3/dist-packages/numpy/core").glob("_multiarray_umath*.so"),
]


def measure_files(bench, label, files):
    taken, notes = [], []
    for index in range(bench.rounds):
        bench.progress(f"names: {label}, round {index + 1} of {bench.rounds}")
        done = subprocess.run(
            [bench.program("names"), str(FRAMES), *files],
            capture_output=True,
            text=True,
            check=True,
        )
        wall_ns, cpu_ns, *counts = (int(word) for word in done.stdout.split())
        taken.append(wall_ns / 1e6)
        notes.append((cpu_ns, *counts))
    cpu_ns = median(note[0] for note in notes)
    _, frames, functions, lines, inlined, cache_bytes = notes[-1]
    if frames != FRAMES:
        raise BenchError(f"{frames} frames were looked up rather than {FRAMES}")
    name = f"symbolisation of {FRAMES:,} distinct frames, cold: {label}"
    row = Row(name, taken, unit="ms", must=MUST_MS)
    return row, (
        f"{', '.join(Path(file).name for file in files)}: {functions:,} of {frames:,} frames have a "
        f"function, {lines:,} a line, {inlined:,} inlined functions; {cpu_ns / 1e6:.0f} ms of CPU, "
        f"{cache_bytes / 1e6:.1f} MB of cache"
    )


def measure(bench):
    libraries = [file for file in FILES if file.exists()]
    measured = [
        measure_files(bench, "libraries", libraries),
        measure_files(bench, "debug information", [bench.build / "memwatchd"]),
    ]
    return [row for row, _ in measured], [note for _, note in measured]
