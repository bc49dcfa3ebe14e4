# SPDX-License-Identifier: Apache-2.0
"""Breakpoints in the text of a process, as the process and its debuggers see them."""
import pytest

from harness import process
from harness.compare import assert_exact
from harness.debugger import Debugger
from harness.wait import eventually, eventually_passes

CALLS = 50


def counts(program):
    return program.truth["counts"]["intact"], program.truth["counts"]["changed"]


def test_a_program_that_checks_its_own_text_finds_it_unchanged(daemon, run):
    """Its malloc is libc's."""
    program = run("checksums")
    daemon.watch(program)
    for _ in range(3):
        program.tell("check 100")
    daemon.ctl("unwatch", "--pid", program.pid)
    program.tell("check 100")
    assert counts(program) == (4, 0)
    assert program.end() == 0


def test_a_static_program_sees_breakpoints_in_its_own_malloc_until_it_is_unwatched(daemon, run):
    """That can't be hidden: README says so."""
    program = run("checksums_static")
    program.tell("check 100")
    assert counts(program) == (1, 0)
    daemon.watch(program)
    program.tell("check 100")
    assert counts(program) == (1, 1)
    daemon.ctl("unwatch", "--pid", program.pid)
    eventually(lambda: not process.changed_text_offsets(program.pid, "checksums_static"),
               "no probe is left")
    program.tell("check 100")
    assert counts(program) == (2, 1)
    assert program.end() == 0


# ---- debuggers

@pytest.fixture
def debug(closing):
    def attach(program):
        debugger = Debugger(program.pid)
        closing.callback(debugger.close)
        return debugger

    return attach


def call(program):
    program.tell(f"check {CALLS}")


def assert_text_is_restored(program):
    """The static program is one file, which no other process has."""
    eventually(lambda: not process.changed_text_offsets(program.pid, "checksums"),
               "no breakpoint is left")
    eventually(lambda: not process.changed_text_offsets(program.pid, "libc.so"),
               "no breakpoint is left in libc")


@pytest.mark.parametrize("name", ["checksums", "checksums_static"])
def test_breakpoints_of_a_debugger_and_probes_work_side_by_side(daemon, run, debug, name):
    program = run(name)
    debugger = debug(program)
    numbers = [debugger.count_at("guard_allocates"),
               debugger.count_at(f"*{debugger.second_instruction('malloc')}")]
    debugger.go_on()
    call(program)
    daemon.watch(program)
    program.tell("forget")
    call(program)
    assert_exact(daemon, program)
    assert [debugger.hits(number) for number in numbers] == [2 * CALLS] * 2
    daemon.ctl("unwatch", "--pid", program.pid)
    call(program)
    assert [debugger.hits(number) for number in numbers] == [3 * CALLS] * 2
    debugger.detach()
    assert_text_is_restored(program)
    call(program)
    assert program.end() == 0


def assert_exact_or_said_and_mended(daemon, program):
    """
    A debugger that came before the probes takes them out as it lets go, where it had breakpoints:
    on malloc, and one of its own on the loader's function that our probe is on too.
    """
    def check():
        outstanding = daemon.target(program.pid)["outstanding_objects"]
        answer = daemon.ctl("stacks", "--pid", program.pid)
        if outstanding == program.truth["sites"][0]["outstanding_objects"]:
            assert answer["complete"], answer["incomplete_reason"]
        else:
            assert answer["losses"]["vanished_probes"] >= 1
            assert not answer["complete"]
            assert "debugger" in answer["incomplete_reason"]

    eventually_passes(check)
    eventually(lambda: is_seen(daemon, program), "calls are seen again")


def is_seen(daemon, program):
    before = daemon.target(program.pid)["outstanding_objects"]
    call(program)
    return daemon.target(program.pid)["outstanding_objects"] == before + CALLS


@pytest.mark.parametrize("is_debugged_first", [True, False])
@pytest.mark.parametrize("is_unwatched_first", [True, False])
def test_a_debuggers_breakpoint_on_the_probed_instruction_does_no_harm(
        daemon, run, debug, is_debugged_first, is_unwatched_first):
    """It is not hit meanwhile. The debugger may take our breakpoint for the program's byte."""
    program = run("checksums_static")
    if not is_debugged_first:
        daemon.watch(program)
    debugger = debug(program)
    debugger.count_at("*malloc")
    debugger.go_on()
    if is_debugged_first:
        daemon.watch(program)
    call(program)
    assert_exact(daemon, program)
    if is_unwatched_first:
        daemon.ctl("unwatch", "--pid", program.pid)
        call(program)
    debugger.detach()
    call(program)
    if not is_unwatched_first:
        assert_exact_or_said_and_mended(daemon, program)
        daemon.ctl("unwatch", "--pid", program.pid)
    assert_text_is_restored(program)
    call(program)
    assert program.end() == 0
