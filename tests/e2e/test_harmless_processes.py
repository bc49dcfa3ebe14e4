# SPDX-License-Identifier: Apache-2.0
"""Unusual kinds of threads and processes, and what other tools do to them meanwhile."""
import pytest

from harness.compare import assert_exact


def assert_exact_and_complete(daemon, program):
    assert_exact(daemon, program)
    answer = daemon.ctl("stacks", "--pid", program.pid)
    assert answer["complete"], answer["incomplete_reason"]


def test_a_process_that_shares_the_memory_is_unharmed_and_not_taken_for_a_thread(daemon, run):
    program = run("shares_memory")
    daemon.watch(program)
    program.tell("share 20000")
    assert_exact(daemon, program)
    assert program.end() == 0


def test_a_storm_of_vforks_amid_allocating_threads(daemon, run):
    program = run("threads")
    daemon.watch(program)
    program.tell("start")
    program.tell("vfork_and_exec 1000")
    program.tell("stop")
    assert_exact_and_complete(daemon, program)
    program.tell("free_all")
    assert_exact(daemon, program)
    assert daemon.target(program.pid)["missed_frees"] == 0
    assert program.end() == 0


def test_restartable_sequences_lose_no_count(daemon, run):
    program = run("rseq")
    daemon.watch(program)
    program.tell("run 20000")
    assert_exact_and_complete(daemon, program)
    assert program.end() == 0


@pytest.mark.parametrize("command, counter, times", [
    ("checkpoint", "checkpoints", 200), ("step_over_breakpoints", "stepped_over", 60)])
def test_ptrace_disturbs_nothing(daemon, run, command, counter, times):
    """Checkpoints of all threads; single steps over probed instructions."""
    program = run("threads")
    daemon.watch(program)
    program.tell("start")
    other = run("checkpointer", program.pid)
    other.tell(f"{command} {times}")
    assert other.truth["counts"][counter] == times
    program.tell("stop")
    assert_exact_and_complete(daemon, program)
    program.tell("free_all")
    assert_exact(daemon, program)
    assert program.end() == 0
