# SPDX-License-Identifier: Apache-2.0
"""
The lesson on memory: what holds it is named line by line, in programs that nobody has touched, and
the bytes are those that the program itself, tracemalloc and memory_profiler have.
"""
import dataclasses

import pytest

from harness import lesson, paths, pythons
from harness.chance import another_draw_decides, assert_within_four_errors
from harness.compare import assert_nothing_lost
from harness.lesson import Lesson, assert_agrees, cumulative_bytes, marked_line

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Case:
    """
    before: what the lesson warns of; after: what it advises. is_own: no Python code of a library
    lies between the line and the memory. of_function, kept_bytes: see below.
    """
    program: str
    before: str
    after: str
    is_own: bool = False
    of_function: bool = False
    kept_bytes: int = 0

    def __str__(self):
        return f"{self.before}-{self.after}"


CASES = [
    Case("lesson_files", "whole_file", "line_by_line", is_own=True),
    Case("lesson_arrays", "as_float64", "as_float32"),
    Case("lesson_arrays", "as_float64", "as_int8"),
    Case("lesson_arrays", "small_view", "small_copy", is_own=True),
    Case("lesson_arrays", "new_array", "in_place", is_own=True),
    Case("lesson_frames", "whole_csv", "csv_in_chunks"),
    # What iterrows() makes and throws away lies in arenas as well. Some of these grow there, in its
    # line, and then take features too: the function has all of them, the line alone has less.
    Case("lesson_frames", "features_by_row", "features_by_column", of_function=True),
    # All but 50 of 200,000 strings are thrown away at once. An arena stays while one object in it
    # lives: here those with the first strings, and with whatever pandas made for good meanwhile.
    Case("lesson_frames", "column_of_strings", "column_of_categories", kept_bytes=2 * MIB),
    Case("lesson_objects", "unbounded_cache", "bounded_cache", is_own=True),
    Case("lesson_objects", "listeners", "removed_listeners", is_own=True),
    Case("lesson_objects", "cycles", "no_cycles", is_own=True),
    Case("lesson_pipeline", "before", "after"),
]


def hold(watched, case):
    """What the lines of the marked function hold, most first, and the truth."""
    watched.start(case)
    number, function = marked_line(watched.name, case)
    return number, watched.lines_of(function)


def assert_is_named(watched, case, number, lines, is_own):
    """By file, line and function, and nothing comes before it."""
    _, function = marked_line(watched.name, case)
    assert (lines[0]["file"], lines[0]["line"], lines[0]["function"]) == \
        (watched.path, number, function)
    top = watched.lines("group_by=traceback&top=1")["lines"][0]
    assert (watched.path, number) in [(frame["file"], frame["line"]) for frame in top["traceback"]]
    if is_own:
        top = watched.lines("top=1")["lines"][0]
        assert (top["file"], top["line"]) == (watched.path, number)
        assert top["outstanding_bytes"] >= 0.99 * lines[0]["cumulative"]["outstanding_bytes"]


def assert_ratio(before, after, kept_bytes):
    """(found, truth) of both; of next to nothing there is no ratio to be had."""
    if after[1] < lesson.TOLERANCE_BYTES:
        assert after[0] <= after[1] + lesson.TOLERANCE_BYTES + kept_bytes
        assert before[0] >= 4 * lesson.TOLERANCE_BYTES
    else:
        assert before[0] / after[0] == pytest.approx(before[1] / after[1], rel=0.1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_line_that_holds_the_memory_is_named(daemon, run, case):
    watched = Lesson(daemon, run, case.program)
    _, lines = hold(watched, case.after)
    after = cumulative_bytes(lines), watched.measure()["bytes"]
    assert_agrees(*after, case.after, case.kept_bytes)
    watched.finish()

    number, lines = hold(watched, case.before)
    assert_is_named(watched, case.before, number, lines, case.is_own)
    truth = watched.measure()
    held = cumulative_bytes(lines)
    if not case.of_function:
        assert_agrees(lines[0]["cumulative"]["outstanding_bytes"], truth["line_bytes"], "the line")
    assert_agrees(held, truth["bytes"], "the function")
    assert_ratio((held, truth["bytes"]), after, case.kept_bytes)
    assert_nothing_lost(watched.stacks())


@pytest.mark.parametrize("case", ["deleted", "cycles"])
def test_what_is_deleted_is_held_no_longer(daemon, run, case):
    """Cycles, once they are collected."""
    watched = Lesson(daemon, run, "lesson_objects")
    number, lines = hold(watched, case)
    assert lines[0]["line"] == number
    assert_agrees(lines[0]["cumulative"]["outstanding_bytes"], watched.measure()["bytes"], "held")
    assert watched.go_on()
    _, function = marked_line(watched.name, case)
    assert_agrees(cumulative_bytes(watched.lines_of(function)), watched.measure()["bytes"], "left")


# What other tools are asked of. memory_profiler's increments are resident memory, so what a line
# has made and freed again counts where its allocator keeps it: of read_csv() twice the frame, of a
# column the list that it was made of. It takes its time where a line runs often.
OTHERS = {
    "lesson_files": ["tracemalloc:whole_file", "memory_profiler:whole_file"],
    "lesson_arrays": ["tracemalloc:as_float32", "tracemalloc:small_view",
                      "memory_profiler:as_float64", "memory_profiler:as_float32",
                      "memory_profiler:as_int8", "memory_profiler:new_array"],
    "lesson_frames": ["tracemalloc:whole_csv", "tracemalloc:column_of_strings",
                      "memory_profiler:features_by_column"],
    "lesson_objects": ["tracemalloc:deleted", "tracemalloc:cycles", "tracemalloc:unbounded_cache",
                       "tracemalloc:listeners", "memory_profiler:cycles",
                       "memory_profiler:unbounded_cache", "memory_profiler:listeners"],
    "lesson_pipeline": ["tracemalloc:before", "memory_profiler:before"],
}


@pytest.mark.parametrize("program", OTHERS)
def test_bytes_are_those_of_other_tools(daemon, run, program):
    """Which run the same cases in processes of their own."""
    others = lesson.by_tools(program, OTHERS[program])
    watched = Lesson(daemon, run, program)
    for case in dict.fromkeys(name.partition(":")[2] for name in others):
        number, lines = hold(watched, case)
        found = next(line["cumulative"]["outstanding_bytes"] for line in lines
                     if line["line"] == number)
        for name, theirs in others.items():
            if name.partition(":")[2] == case:
                assert_agrees(found, theirs[number], name)
        watched.finish()


SAMPLED = [("lesson_files", "whole_file"), ("lesson_arrays", "as_float64"),
           ("lesson_objects", "unbounded_cache"), ("lesson_objects", "listeners")]


@pytest.mark.parametrize("program, case", SAMPLED)
@another_draw_decides
def test_sampled_lines_are_named_as_well(daemon, run, program, case):
    """As a process is watched by default."""
    watched = Lesson(daemon, run, program, "--interval", "64KiB")
    number, lines = hold(watched, case)
    assert lines[0]["line"] == number
    truth = watched.measure()["line_bytes"]
    found = lines[0]["cumulative"]
    assert_within_four_errors(found["outstanding_bytes"] - truth,
                              found["outstanding_bytes_stderr"], lesson.allowed_bytes(truth), case)


def test_a_table_of_the_lesson_says_what_lies_in_arenas(daemon, run):
    watched = Lesson(daemon, run, "lesson_files")
    number, lines = hold(watched, "whole_file")
    line = lines[0]
    assert line["line"] == number
    # All but the list itself, which holds nothing but addresses.
    assert_agrees(line["python_arena_bytes"], watched.measure()["small_bytes"], "in arenas")
    text = watched.text("--function", "whole_file")
    row = next(row for row in text.splitlines() if row.split()[:1] == [str(number)])
    assert "* " in row and "lines = file.readlines()" in row
    assert "are arenas of Python's small objects" in text


def test_nearly_all_stacks_of_a_pipeline_reach_the_root(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "pipeline.py")
    daemon.watch(program)
    pythons.wait_until_known(daemon, program.pid)
    program.tell("run")
    python = daemon.ctl("stacks", "--pid", program.pid, "--top", 1)["python"]
    assert python["stacks_taken"] > 500
    assert python["stacks_to_root"] >= 0.99 * python["stacks_taken"]
