#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What other tools say of the lesson's programs: lesson_peers.py PROGRAM TOOL:CASE...

Each case runs in a process of its own under the tool. Prints one line for each: bytes by line of
the program, as tracemalloc has them at the first hold(), with what the lines call, or as
memory_profiler has them as increments until then.
"""
import importlib
import inspect
import json
import os
import re
import sys
import tempfile
import tracemalloc

# As deep as pandas calls down from a line of ours.
FRAMES = 25


class Held(Exception):
    """All that was asked is known: the rest of the case need not run."""


def by_tracemalloc(program, case):
    found = {}

    def hold(*_things, **_line):
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        for trace in snapshot.traces:
            for number in {frame.lineno for frame in trace.traceback
                           if frame.filename == program.__file__}:
                found[number] = found.get(number, 0) + trace.size
        raise Held

    tracemalloc.start(FRAMES)
    try:
        program.CASES[case](hold)
    except Held:
        pass
    return found


def marked_functions(program, case):
    """Those with the line of that case alone: each line of a profiled function is dear."""
    for thing in vars(program).values():
        for function in [thing, *(vars(thing).values() if inspect.isclass(thing) else [])]:
            function = inspect.unwrap(function) if callable(function) else None
            if inspect.isfunction(function) and function.__module__ == program.__name__:
                if re.search(rf"# holds: .*\b{case}\b", inspect.getsource(function)):
                    yield function


def by_memory_profiler(program, case):
    """Increments of a case that goes on after hold() would include what it frees."""
    from memory_profiler import LineProfiler

    def hold(*_things, **_line):
        raise Held

    profiler = LineProfiler()
    for function in marked_functions(program, case):
        profiler.add_function(function)
    profiler.enable_by_count()
    try:
        program.CASES[case](hold)
    except Held:
        pass
    profiler.disable_by_count()
    found = {}
    for _, lines in profiler.code_map.items():
        for number, measured in lines:
            if measured:
                found[number] = found.get(number, 0) + int(measured[0] * (1 << 20))
    return found


TOOLS = {"tracemalloc": by_tracemalloc, "memory_profiler": by_memory_profiler}


def main(name, *runs):
    program = importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="memwatch-lesson-") as directory:
        os.chdir(directory)
        if program.PREPARE:
            program.PREPARE()
        for run in runs:
            tool, case = run.split(":")
            pid = os.fork()
            if pid == 0:
                print(json.dumps({"run": run, "lines": TOOLS[tool](program, case)}), flush=True)
                os._exit(0)
            if os.waitpid(pid, 0)[1] != 0:
                sys.exit(f"{run} failed")


main(*sys.argv[1:])
