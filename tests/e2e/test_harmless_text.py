# SPDX-License-Identifier: Apache-2.0
"""Breakpoints in the text of a process, as the process and its debuggers see them."""
from harness import process
from harness.compare import assert_exact
from harness.wait import eventually


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
