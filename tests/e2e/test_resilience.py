# SPDX-License-Identifier: Apache-2.0
"""What is hard on memwatchd or its tables is made good, or said; none of it stays behind."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from harness import paths, process
from harness.chance import another_draw_decides
from harness.compare import (assert_estimated, assert_exact, assert_nothing_lost,
                             by_direct_caller, truth_by_function)
from harness.wait import eventually, eventually_passes

FLOOD = "flood 4000"
SMALL_RING_BUFFER = "64KiB"
SITES_MAX = 64
INTERVAL = 64 << 10
EXEC_ROUNDS = 12


@contextlib.contextmanager
def stopped(one):
    """memwatchd sees nothing of what happens meanwhile until it is over."""
    one.process.send_signal(signal.SIGSTOP)
    eventually(lambda: process.state(one.pid) == "T", "memwatchd is stopped")
    try:
        yield
    finally:
        one.process.send_signal(signal.SIGCONT)


def is_tick_due(pid):
    """Whether a timer of the process has run out and it hasn't taken notice yet."""
    for file in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        words = file.read_text().split()
        if "ticks:" in words and int(words[words.index("ticks:") + 1]) > 0:
            return True
    return False


def answer_of(daemon, program):
    return daemon.ctl("stacks", "--pid", program.pid)


def assert_room_for_another(daemon, run):
    """
    With many sites of its own. A new process each time: what ended accounts hold goes within a tick
    or two.
    """
    def check():
        program = run("allocators")
        daemon.watch(program)
        program.tell("allocate")
        answer = answer_of(daemon, program)
        if not answer["complete"]:
            program.close()
        assert_nothing_lost(answer)
        return program

    assert_exact(daemon, eventually_passes(check, 10))


def assert_no_mapping_but_the_programs(daemon, program):
    outstanding = sum(site["outstanding_bytes"] for site in daemon.sites(program.pid)
                      if site["kind"] == "mapping")
    assert outstanding == 0


# ---- tables

def test_refused_watches_leave_the_tables_free(new_daemon, run, closing):
    one = new_daemon(sites_max=SITES_MAX).start()
    bare = subprocess.Popen([str(paths.PROGRAMS / "bare")])
    closing.callback(bare.wait)
    closing.callback(bare.kill)
    for _ in range(SITES_MAX + 16):
        status, text = one.request("PUT", f"/api/v1/processes/{bare.pid}/watch")
        assert status == 422, text
    assert_room_for_another(one, run)


def test_a_watch_that_ends_amid_execs_leaves_the_tables_free(new_daemon, run):
    one = new_daemon(sites_max=SITES_MAX, blocks_max=1024).start()
    program = run("execs")
    for _ in range(EXEC_ROUNDS):
        program.send("exec_often 100")
        for _ in range(3):
            one.request("PUT", f"/api/v1/processes/{program.pid}/watch?interval=1")
            one.request("DELETE", program.watch_path)
        program.read()
    assert one.target(program.pid) is None
    assert_room_for_another(one, run)


def test_a_watch_that_ends_before_its_execs_are_heard_of_leaves_the_tables_free(new_daemon, run):
    one = new_daemon(sites_max=SITES_MAX).start()
    program = run("execs")
    for _ in range(3):
        one.watch(program)
        with stopped(one):
            program.tell("exec_often 40")
            unwatch = one.start_ctl("unwatch", "--pid", program.pid)
        _, errors = unwatch.communicate(timeout=30)
        assert unwatch.returncode == 0, errors
    assert_room_for_another(one, run)


def test_execs_lost_to_a_full_buffer_leave_the_tables_free(new_daemon, run):
    one = new_daemon(sites_max=SITES_MAX, ring_buffer=SMALL_RING_BUFFER).start()
    neighbour, program = run("mappings"), run("execs")
    one.watch(neighbour)
    one.watch(program)
    with stopped(one):
        neighbour.tell(FLOOD)
        program.tell("exec_often 100")
    eventually(lambda: one.ended_targets(program.pid), "the account before the execs has ended")
    assert one.get("/api/v1/status")["losses"]["lifecycle_events"] > 0
    for watched in (neighbour, program):
        one.ctl("unwatch", "--pid", watched.pid)
    assert_room_for_another(one, run)


# ---- lost events

def test_an_exit_lost_to_a_full_buffer_ends_the_target(new_daemon, run):
    one = new_daemon(ring_buffer=SMALL_RING_BUFFER).start()
    # Where no mapping fits any more, up to three exits still may.
    programs = [run("mappings") for _ in range(5)]
    for program in programs:
        one.watch(program)
    with stopped(one):
        programs[0].tell(FLOOD)
        for program in programs:
            program.process.stdin.close()
            os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    for program in programs:
        eventually(lambda pid=program.pid: one.target(pid) is None, "it is no target any more")
        assert process.state(program.pid) == "Z"
        assert one.ended_targets(program.pid)[0]["end_reason"] == "exited"
    assert one.get("/api/v1/status")["losses"]["lifecycle_events"] > 0


def assert_made_good(daemon, program):
    """The flood is over; what could not be seen of it is said."""
    def check():
        answer = answer_of(daemon, program)
        found = by_direct_caller([site for site in answer["sites"] if site["kind"] == "mapping"])
        truth = truth_by_function(program.truth)["maps"]
        for counter in ("outstanding_bytes", "outstanding_objects"):
            assert found["maps"][counter] == truth[counter]
        assert not answer["complete"]
        assert "ring_buffer" in answer["incomplete_reason"]
        assert answer["losses"]["mapping_events"] > 0

    eventually_passes(check, 10)


def test_mappings_whose_end_was_lost_are_made_good(new_daemon, run):
    one = new_daemon(ring_buffer=SMALL_RING_BUFFER).start()
    program = run("mappings")
    one.watch(program)
    with stopped(one):
        # It will then look at /proc while events from before the loss wait in the buffer.
        eventually(lambda: is_tick_due(one.pid), "a tick is due")
        program.tell(FLOOD)
    assert_made_good(one, program)


def test_losses_after_an_exec_belong_to_the_new_account(new_daemon, run):
    one = new_daemon(ring_buffer=SMALL_RING_BUFFER).start()
    program = run("becomes", paths.PROGRAMS / "mappings")
    one.watch(program)
    with stopped(one):
        program.send("become")
        program.read()
        program.tell(FLOOD)
    assert_made_good(one, program)
    assert one.ended_targets(program.pid)[0]["losses"]["mapping_events"] == 0


# ---- what malloc does by itself

@pytest.mark.parametrize("command", ["allocate_mapped 2000", "allocate_without_brk 200000"])
@another_draw_decides
def test_mappings_by_malloc_are_not_the_programs(daemon, run, command):
    program = run("sampled")
    daemon.watch(program, "--interval", INTERVAL)
    program.tell(command)
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL))
    assert_no_mapping_but_the_programs(daemon, program)


@pytest.mark.parametrize("command", ["jump_out_of_realloc", "end_threads_in_realloc"])
def test_a_realloc_left_for_good_does_not_hold_its_block_for_ever(daemon, run, command):
    program = run("midcall")
    daemon.watch(program)
    program.tell(command)
    assert_exact(daemon, program)


def test_refused_calls_of_munmap_drop_nothing(daemon, run):
    program = run("mappings")
    daemon.watch(program)
    program.tell("fail_to_unmap")
    assert_exact(daemon, program, kind="mapping")


# ---- threads

@another_draw_decides
def test_brief_threads_with_one_small_block_each_are_estimated_without_bias(daemon, run):
    program = run("threads")
    daemon.watch(program, "--interval", 64)
    program.tell("run_briefly 1000")
    eventually_passes(lambda: assert_estimated(daemon, program, 64))


def test_a_main_thread_that_ends_before_the_others_is_said(daemon, run):
    program = run("threads")
    daemon.watch(program)
    program.tell("leave_main_thread")

    def check():
        answer = answer_of(daemon, program)
        assert not answer["complete"]
        assert "main thread has ended" in answer["incomplete_reason"]

    eventually_passes(check)


# ---- copies of a file that is probed already

def test_exec_into_a_copy_of_the_same_libc_is_accounted(daemon, run, tmp_path):
    neighbour = run("allocators")
    daemon.watch(neighbour)
    for start in ("libc.so", "ld-linux"):
        shutil.copy(process.mapped_path(neighbour.pid, start), tmp_path)
    loader = next(tmp_path.glob("ld-linux*"))
    program = run("becomes", loader, "--library-path", tmp_path, paths.PROGRAMS / "allocators")
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)

    program.send("become")
    program.truth = program.read()
    assert process.mapped_path(program.pid, "libc.so").parent == tmp_path
    probed = process.changed_text_offsets(neighbour.pid, "libc.so")
    assert probed, "the neighbour is being watched"
    eventually(lambda: process.changed_text_offsets(program.pid, "libc.so") == probed,
               "the copy is probed as its original is")
    program.tell("allocate")
    assert_exact(daemon, program)
    program.tell("free_half")
    assert_exact(daemon, program)
