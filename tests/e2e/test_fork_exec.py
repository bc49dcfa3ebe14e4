# SPDX-License-Identifier: Apache-2.0
"""Where one process becomes two, or another."""
import pytest

from harness import paths
from harness.compare import assert_exact, direct_caller
from harness.wait import eventually, eventually_passes


def test_frees_of_a_forked_child_leave_the_parents_account_alone(daemon, run):
    program = run("forks")
    daemon.watch(program)
    program.tell("allocate")
    program.tell("fork_and_free")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_exact(daemon, program)
    assert daemon.target(program.pid)["unknown_frees"] == 0


def test_a_forked_child_is_a_process_of_its_own(daemon, run):
    program = run("forks")
    daemon.watch(program)
    parent_truth = program.tell("allocate")
    child = program.tell("fork_and_serve")["pid"]
    assert child != program.pid
    assert daemon.target(child) is None

    daemon.ctl("watch", "--pid", child, "--exact")
    program.tell("free_inherited")
    program.tell("allocate_as_child")
    assert_exact(daemon, program)
    assert daemon.target(child)["unknown_frees"] == program.truth["counts"]["unknown_frees"]

    # The child ends, and the parent prints its ledger.
    assert program.tell("exit") == parent_truth
    assert_exact(daemon, program)


@pytest.mark.parametrize("command", ["vfork_and_exec 20", "spawn 20"])
def test_children_that_share_memory_until_exec_leave_the_account_alone(daemon, run, command):
    program = run("forks")
    daemon.watch(program)
    program.tell("allocate")
    program.tell(command)
    assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["unknown_frees"] == 0
    assert target["missed_frees"] == 0


@pytest.mark.parametrize("command", ["exec_from_leader", "exec_from_thread"])
def test_exec_ends_the_account_and_the_watch_follows_the_pid(daemon, run, command):
    program = run("execs")
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)

    program.tell(command)
    eventually(lambda: daemon.ended_targets(program.pid), "the account before the exec has ended")
    assert daemon.ended_targets(program.pid)[0]["end_reason"] == "exec"
    eventually(lambda: (daemon.target(program.pid) or {}).get("allocators"), "watched again")
    program.tell("allocate")
    assert_exact(daemon, program)


def test_exec_again_and_again_keeps_the_watch(daemon, run):
    program = run("execs")
    daemon.watch(program)
    for _ in range(10):
        program.tell("exec_from_thread")
        program.tell("exec_from_leader")
    eventually(lambda: (daemon.target(program.pid) or {}).get("allocators"), "watched again")

    def check():
        program.tell("allocate")
        functions = {direct_caller(site) for site in daemon.sites(program.pid)}
        assert "second_life_allocates" in functions

    eventually_passes(check)


def test_exec_of_another_program_leaves_no_old_site(daemon, run):
    program = run("execs")
    daemon.watch(program)
    program.tell("allocate")
    program.send("exec_another_program")
    eventually(lambda: (daemon.target(program.pid) or {}).get("comm") == "sleep", "it is sleep")

    def check():
        functions = {frame["function"] for site in daemon.sites(program.pid)
                     for frame in site["stack"]}
        assert "first_life_allocates" not in functions

    eventually_passes(check)


def test_a_reused_pid_is_another_process(daemon, run):
    first = run("allocators")
    daemon.watch(first)
    first.tell("allocate")
    first.end()
    eventually(lambda: daemon.ended_targets(first.pid), "the account has ended")

    second = run("respawn", first.pid, paths.PROGRAMS / "frees")
    assert second.truth["pid"] == first.pid
    second.tell("allocate")
    assert daemon.target(first.pid) is None
    daemon.ctl("watch", "--pid", first.pid, "--exact")
    second.tell("free_in_another_thread")
    assert daemon.target(first.pid)["outstanding_objects"] < 100
    second.tell("allocate")
    functions = eventually(lambda: {direct_caller(site)
                                    for site in daemon.sites(first.pid)}, "sites")
    assert "allocate_block" in functions
    assert "by_malloc" not in functions
    assert second.end() == 0
