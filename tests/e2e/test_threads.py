# SPDX-License-Identifier: Apache-2.0
"""Eight threads that allocate for each other."""
from harness.compare import assert_exact, assert_nothing_lost, direct_caller
from harness.wait import eventually_passes


def test_free_in_another_thread_ends_the_block(daemon, run):
    program = run("frees")
    daemon.watch(program)
    program.tell("allocate")
    program.tell("free_in_another_thread")
    assert_exact(daemon, program)


def test_eight_threads_are_exact_to_the_byte(daemon, run):
    program = run("threads")
    daemon.watch(program)
    program.tell("run 20000")
    assert_exact(daemon, program)
    assert_nothing_lost(daemon.ctl("stacks", "--pid", program.pid))
    program.tell("free_all")
    assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["missed_frees"] == 0
    assert target["abandoned_calls"] == 0


def test_threads_that_run_when_the_watch_begins_are_seen(daemon, run):
    program = run("threads")
    program.tell("start")
    daemon.watch(program)

    def check():
        functions = {direct_caller(site) for site in daemon.sites(program.pid)}
        assert {"thread_mallocs", "thread_callocs", "thread_reallocs", "thread_aligns",
                "thread_leaks"} <= functions

    eventually_passes(check)
    program.tell("stop")


def test_two_targets_have_two_accounts(daemon, run):
    programs = [run("threads"), run("threads")]
    for program in programs:
        daemon.watch(program)
    for program in programs:
        program.send("run 5000")
    for program in programs:
        program.truth = program.read()
    for program in programs:
        assert_exact(daemon, program)


def test_a_process_that_is_not_watched_has_no_account(daemon, run):
    watched, neighbour = run("threads"), run("threads")
    daemon.watch(watched)
    neighbour.tell("run 1000")
    assert daemon.target(neighbour.pid) is None
    outcome = daemon.try_ctl("stacks", "--pid", neighbour.pid)
    assert outcome.status == 1, outcome
    assert "not watched" in outcome.errors
