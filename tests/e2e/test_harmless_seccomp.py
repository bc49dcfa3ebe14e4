# SPDX-License-Identifier: Apache-2.0
"""
Processes under seccomp filters that don't know the probes' own system call: Linux 6.11 to 6.13 kill
them at the first probed return. On such a kernel they are not watched; on others they are, exactly.
"""
import re

import pytest

from harness import paths
from harness.compare import assert_exact

# How memwatchd's trial child ends when it has lived (daemon/target/seccomp_trial.c).
STATUS_LIVED = 42
REFUSED_STATUS = 501


def check_named(one, name):
    return next(check for check in one.get("/api/v1/doctor")["checks"] if check["name"] == name)


def is_harmless_here(one):
    """What memwatchd has found out about this kernel; the tests hold either way."""
    return check_named(one, "seccomp filters")["state"] == "ok"


def assert_refused(one, program):
    status, text = one.request("PUT", f"/api/v1/processes/{program.pid}/watch?interval=1")
    assert status == REFUSED_STATUS, text
    assert "seccomp filter" in text
    assert one.target(program.pid) is None


def test_the_trial_is_made_at_the_start_and_really_probes(daemon):
    check = check_named(daemon, "seccomp filters")
    if check["state"] == "ok":
        returns = int(re.search(r"(\d+) probed returns", check["detail"])[1])
        assert returns >= 16
    else:
        assert check["state"] == "degraded"
        assert "signal" in check["detail"]
        assert "6.14" in check["remedy"]


@pytest.mark.parametrize("arguments, setup, commands", [
    (["filter"], [], ["allocate 500"]),
    (["filter"], ["filter", "filter"], ["allocate 500"]),
    ([], ["start_filtered_thread"], ["allocate_in_thread 200", "allocate 100", "end_thread"]),
    ([], ["start_strict_thread"], ["allocate_in_thread 200", "allocate 100", "end_thread"]),
], ids=["a_filter", "three_filters", "a_filter_on_one_thread", "strict_mode_of_one_thread"])
def test_a_process_under_a_filter_is_watched_exactly_or_not_at_all(daemon, run, arguments, setup,
                                                                   commands):
    program = run("under_seccomp", *arguments)
    for command in setup:
        program.tell(command)
    if is_harmless_here(daemon):
        daemon.watch(program)
    else:
        assert_refused(daemon, program)
    for command in commands:
        program.tell(command)
    if is_harmless_here(daemon):
        assert_exact(daemon, program)
    assert program.end() == 0


def test_a_filter_that_comes_after_the_watch_does_no_harm(daemon, run):
    """Where it would, memwatchd can't know of it beforehand: doctor says so."""
    program = run("under_seccomp")
    if not is_harmless_here(daemon):
        assert "later" in check_named(daemon, "seccomp filters")["remedy"]
        return
    daemon.watch(program)
    program.tell("allocate 100")
    program.tell("filter")
    program.tell("allocate 100")
    assert_exact(daemon, program)
    assert program.end() == 0


@pytest.mark.parametrize("spoiled, said", [
    (["kill_at_exit_status", STATUS_LIVED], "signal 31"),
    (["refuse_filters", 0], "not allowed to put itself under a filter"),
])
def test_when_the_trial_fails_filtered_processes_are_refused_and_others_watched(new_daemon, run,
                                                                                spoiled, said):
    one = new_daemon()
    confined = [str(paths.PROGRAMS / "confined"), *map(str, spoiled), *one.command()]
    one.launch(confined)
    one.wait_until_ready()
    assert said in one.log_text
    check = check_named(one, "seccomp filters")
    assert check["state"] == "degraded"
    assert said in check["detail"]

    # Its own child is under the filter too.
    assert check_named(one, "watching a process")["state"] == "degraded"
    assert one.ctl("doctor")["healthy"]

    filtered, threaded, free = (run("under_seccomp", "filter"), run("under_seccomp"),
                                run("under_seccomp"))
    threaded.tell("start_filtered_thread")
    assert_refused(one, filtered)
    assert_refused(one, threaded)
    for program in (filtered, threaded):
        program.tell("allocate 50")

    one.watch(free)
    free.tell("allocate 50")
    assert_exact(one, free)
