# SPDX-License-Identifier: Apache-2.0
"""What Python frames cost.

First in a loop of Python's that does nothing but allocate and free, 20 calls deep against none: what
is more there than unwatched, over 20 frames. From 3.11 a call of a Python function makes no native
frame, so that this is what Python frames cost and nothing else.

Then the pandas/NumPy pipeline, plain, watched with default settings, and under what is used today:
tracemalloc, memory_profiler of its four functions, heaptrack. Each run is a process of its own, whose
imports aren't counted, and which has gone through the pipeline once before."""

import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from harness import BenchError, Child, Daemon
from report import Row

NAME = "python"
TITLE = "Python frames, and the tools that are used today"
DEPTH = 20
TURNS = 20000
FRAME_MUST_NS = 60
WATCHED_MUST = 1.05

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
LOOP = PROGRAMS / "python_loop.py"
FUNCTIONS = ("walk", "group", "fit", "run")

PLAIN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("pipeline", sys.argv[1])
pipeline = importlib.util.module_from_spec(spec)
sys.modules["pipeline"] = pipeline
spec.loader.exec_module(pipeline)
{before}
pipeline.main()
"""
TRACEMALLOC = "import tracemalloc; tracemalloc.start()"
MEMORY_PROFILER = f"""
import io, memory_profiler
for name in {FUNCTIONS!r}:
    profiled = memory_profiler.profile(getattr(pipeline, name), stream=io.StringIO())
    setattr(pipeline, name, profiled)
"""


def interpreter(before=""):
    return [sys.executable, "-c", PLAIN.format(before=before), PROGRAMS / "pipeline.py"]


def has_memory_profiler():
    with contextlib.suppress(ImportError):
        __import__("memory_profiler")
        return True
    return False


def measure_frames(bench):
    """([ns] of one Python frame, [ns] of a turn with 20 of them), and what was seen."""
    results = {}
    with Child([sys.executable, LOOP]) as program, Daemon(bench) as daemon:
        program.read_line()

        def turn(depth):
            program.write_line(f"{depth} {TURNS}")
            return float(program.read_line(300))

        for index in range(bench.rounds):
            bench.progress(f"python: round {index + 1} of {bench.rounds}")
            for depth in (0, DEPTH):
                results.setdefault(("unwatched", depth), []).append(turn(depth))
            with daemon.watching(program.pid, "--exact"):
                for depth in (0, DEPTH):
                    results.setdefault(("exact", depth), []).append(turn(depth))
                check_depth(daemon, program.pid)
    return results


def check_depth(daemon, pid):
    """A walk that stops early would be cheap."""
    answer = daemon.control("stacks", "--pid", pid, "--sort", "allocated", "--top", 2)
    calls = sorted(
        sum(frame["function"] == "call" for frame in site["stack"]) for site in answer["sites"]
    )
    if calls != [1, DEPTH + 1] or {site["python_end"] for site in answer["sites"]} != {"root"}:
        raise BenchError(f"stacks with {calls} calls rather than 1 and {DEPTH + 1}")


def frame_rows(results):
    extra = {
        depth: [
            watched - unwatched
            for watched, unwatched in zip(
                results["exact", depth], results["unwatched", depth], strict=True
            )
        ]
        for depth in (0, DEPTH)
    }
    per_frame = [
        max(deep - flat, 1) / DEPTH for deep, flat in zip(extra[DEPTH], extra[0], strict=True)
    ]
    return [
        Row("one Python frame", per_frame, must=FRAME_MUST_NS),
        Row(f"an allocation and its free, {DEPTH} Python frames deep", extra[DEPTH]),
    ]


class Pipeline(Child):
    """It has gone through the pipeline once."""

    def wait_started(self):
        self.read_answer()
        self.seconds()

    def read_answer(self):
        # A tool that starts it may say something of its own.
        while not self.read_line(600).startswith("{"):
            pass

    def seconds(self):
        begin = time.perf_counter()
        self.write_line("run")
        self.read_answer()
        return time.perf_counter() - begin


def run_watched(bench):
    with Daemon(bench) as daemon, Pipeline(interpreter()) as pipeline:
        with daemon.watching(pipeline.pid):
            return pipeline.seconds()


def run_plain(command):
    with Pipeline(command) as pipeline:
        return pipeline.seconds()


def rivals(folder):
    """{name: command} of those that are installed, and the names of those that aren't."""
    commands, missing = {"tracemalloc": interpreter(TRACEMALLOC)}, []
    if has_memory_profiler():
        commands["memory_profiler"] = interpreter(MEMORY_PROFILER)
    else:
        missing.append("memory_profiler")
    if shutil.which("heaptrack"):
        record = ["heaptrack", "-o", f"{folder}/heaptrack"]
        commands["heaptrack"] = record + interpreter()
    else:
        missing.append("heaptrack")
    return commands, missing


def measure_rivals(bench):
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        commands, missing = rivals(folder)
        for index in range(bench.rounds):
            bench.progress(f"python: pipeline, round {index + 1} of {bench.rounds}")
            seconds.setdefault("plain", []).append(run_plain(interpreter()))
            seconds.setdefault("watched", []).append(run_watched(bench))
            # Some take ten times as long: three rounds show that.
            for name, command in commands.items():
                if index < 3:
                    seconds.setdefault(name, []).append(run_plain(command))
    return seconds, missing


def rival_rows(seconds):
    plain = seconds.pop("plain")
    return [
        Row.compare(f"pipeline, {name}", taken, "plain", plain[: len(taken)], "s",
                    WATCHED_MUST if name == "watched" else None)
        for name, taken in seconds.items()
    ]


def measure(bench):
    rows = frame_rows(measure_frames(bench))
    seconds, missing = measure_rivals(bench)
    notes = [f"not installed, and so not measured: {', '.join(missing)}"] if missing else []
    return rows + rival_rows(seconds), notes
