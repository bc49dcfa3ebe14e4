# SPDX-License-Identifier: Apache-2.0
"""Processes that cannot be watched, or not for long, give clear answers."""
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import paths, process
from harness.compare import by_direct_caller, truth_by_function
from harness.program import Program
from harness.wait import eventually, eventually_passes

COMMANDS = [["watch"], ["leaks", "--for", 1], ["stacks"], ["unwatch"]]


def unused_pid():
    limit = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text())
    return next(pid for pid in range(limit - 1, 1, -1) if process.state(pid) is None)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_pid_is_status_4(daemon, command):
    pid = unused_pid()
    outcome = daemon.try_ctl(*command, "--pid", pid)
    assert outcome.status == 4, outcome
    assert str(pid) in outcome.errors
    assert not outcome.output


@pytest.mark.parametrize("pid", ["0", "-1", "99999999999999999999", "abc", "", "12x"])
def test_a_malformed_pid_is_a_usage_error(daemon, pid):
    outcome = daemon.try_ctl("watch", "--pid", pid)
    assert outcome.status == 2, outcome
    assert "pid" in outcome.errors


@pytest.mark.parametrize("pid", ["0", "-1", "99999999999999999999", "abc", "1%00", "..", "%2e"])
def test_a_malformed_pid_in_a_path_is_a_client_error(daemon, pid):
    for method, path in (("GET", "leaks"), ("PUT", "watch"), ("DELETE", "watch")):
        status, text = daemon.request(method, f"/api/v1/processes/{pid}/{path}")
        assert status in (400, 404), text


@pytest.mark.parametrize("query", ["interval=0", "interval=-1", "interval=abc", "interval=",
                                   "lease=-1", "lease=abc", "lease=nan", "lease=1e300"])
def test_malformed_arguments_are_named(daemon, run, query):
    program = run("allocators")
    status, text = daemon.request("PUT", f"/api/v1/processes/{program.pid}/watch?{query}")
    assert status == 400, text
    assert query.split("=")[0] in text
    assert daemon.target(program.pid) is None


def test_a_kernel_thread_is_refused(daemon):
    threads = [pid for pid in process.all_pids() if process.is_kernel_thread(pid)]
    assert threads, "this host shows its kernel threads"
    outcome = daemon.try_ctl("watch", "--pid", threads[0])
    assert outcome.status == 1, outcome
    assert "kernel thread" in outcome.errors


def test_memwatchd_does_not_watch_itself(daemon):
    outcome = daemon.try_ctl("watch", "--pid", daemon.pid)
    assert outcome.status == 1, outcome
    assert "memwatchd" in outcome.errors


def test_a_thread_id_that_is_no_process_is_refused(daemon, run):
    program = run("threads")
    program.tell("start")
    thread = next(int(name) for name in os.listdir(f"/proc/{program.pid}/task")
                  if int(name) != program.pid)
    outcome = daemon.try_ctl("watch", "--pid", thread)
    assert outcome.status == 4, outcome
    program.tell("stop")


def test_a_zombie_is_no_such_process(daemon, closing):
    zombie = subprocess.Popen(["true"])
    closing.callback(zombie.wait)
    eventually(lambda: process.state(zombie.pid) == "Z", "it is a zombie")
    outcome = daemon.try_ctl("watch", "--pid", zombie.pid)
    assert outcome.status == 4, outcome
    assert str(zombie.pid) in outcome.errors


def test_a_32_bit_process_is_refused(daemon, closing):
    tiny = subprocess.Popen([str(paths.PROGRAMS / "tiny32")])
    closing.callback(tiny.wait)
    closing.callback(tiny.kill)
    outcome = daemon.try_ctl("watch", "--pid", tiny.pid)
    assert outcome.status == 1, outcome
    assert "32-bit" in outcome.errors
    assert tiny.poll() is None


def test_a_process_that_exits_while_being_observed_gives_its_last_numbers(daemon, run):
    program = run("allocators")
    observation = daemon.start_ctl("--json", "leaks", "--all", "--pid", program.pid, "--for", 30)
    eventually(lambda: daemon.target(program.pid), "observed")
    program.tell("allocate_huge")
    program.end()
    output, errors = observation.communicate(timeout=20)
    assert observation.returncode == 0, errors
    answer = daemon.get(f"/api/v1/processes/{program.pid}/stacks")
    assert answer["ended"] and answer["end_reason"] == "exited"
    assert '"by_malloc"' in output


def test_a_process_killed_in_the_middle_of_malloc_ends_its_account(daemon, run):
    for _ in range(5):
        program = run("threads")
        daemon.watch(program)
        program.tell("start")
        program.process.kill()
        program.process.wait()
        eventually(lambda: daemon.ended_targets(program.pid), "the account has ended")


def test_processes_that_exit_while_they_are_being_attached_to_do_no_harm(daemon):
    for _ in range(40):
        with subprocess.Popen(["true"]) as short:
            outcome = daemon.try_ctl("watch", "--pid", short.pid)
            assert outcome.status in (0, 4), outcome
    assert daemon.is_ready()
    eventually(lambda: not any(target["comm"] == "true" and not target["ended"] for target in
                               daemon.get("/api/v1/targets")["targets"]), "no dead target is left")


@pytest.mark.parametrize("build", ["allocators", "allocators_static"])
def test_an_executable_deleted_from_disk_is_accounted_all_the_same(daemon, closing, tmp_path,
                                                                   build):
    copy = tmp_path / "deleted"
    shutil.copy(paths.PROGRAMS / build, copy)
    program = Program(copy)
    closing.callback(program.close)
    copy.unlink()
    daemon.watch(program)
    truth = truth_by_function(program.tell("allocate"))

    def check():
        found = by_direct_caller(daemon.sites(program.pid))
        for function, site in truth.items():
            assert found[function]["outstanding_bytes"] == site["outstanding_bytes"], function

    eventually_passes(check)


def test_more_targets_than_allowed_are_refused(new_daemon, run):
    one = new_daemon(targets_max=2).start()
    for _ in range(2):
        one.watch(run("allocators"))
    outcome = one.try_ctl("watch", "--pid", run("allocators").pid)
    assert outcome.status == 1, outcome
    assert "targets_max" in outcome.errors


def test_a_full_table_is_counted_and_said(new_daemon, run):
    one = new_daemon(blocks_max=1000).start()
    program = run("sampled")
    one.watch(program)
    program.tell("allocate")
    answer = one.ctl("stacks", "--pid", program.pid)
    assert not answer["complete"]
    assert answer["incomplete_reason"]
    assert answer["lost_events"] > 0
    program.tell("free_all")
    assert one.ctl("stacks", "--pid", program.pid)["outstanding_bytes"] >= 0
