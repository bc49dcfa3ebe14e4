# SPDX-License-Identifier: Apache-2.0
"""
The watched process ends, or becomes another program, at each step of attaching: before every system
call that memwatchd makes from the moment that a watch was asked for until it is there. Each request
that changes something has a thread of its own there, which is held. Of two ways to end and
two to exec, each has every fourth step.
"""
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.compare import assert_exact, assert_the_next_one_is_exact
from harness.wait import eventually

STEPS_MIN = 20
STEPS_MAX = 1000
WAYS = 4


@pytest.fixture
def stepper(daemon, run):
    return run("stepper", daemon.pid, "MHD-worker")


def holds_before_call(stepper, number):
    """Whether the next thread stands before its so manieth call now; if not, it has ended."""
    def ends():
        return stepper.truth["counts"].get("ends", 0)

    before = ends()
    stepper.tell(f"hold_before_call {number}")
    return ends() == before


def for_steps(daemon, stepper, first, start, act):
    """
    For every fourth step of a watch, from the first one on: starts a program, has act(program) done
    while the daemon stands at that step, and yields the program and the answer to the watch. Ends
    with a watch left alone.
    """
    with ThreadPoolExecutor(1) as asking:
        for number in range(first, STEPS_MAX, WAYS):
            program = start()
            stepper.tell("seize")
            try:
                answer = asking.submit(daemon.request, "PUT", f"{program.watch_path}?interval=1")
                is_held = holds_before_call(stepper, number)
                if is_held:
                    act(program)
            finally:
                stepper.tell("leave")
            status, text = answer.result()
            if not is_held:
                assert status == 200, text
                assert number > STEPS_MIN, "what it does was seen"
                program.close()
                return
            yield program, status, text
    raise AssertionError("attaching ends")


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def no_target_is_left(daemon):
    eventually(lambda: not daemon.get("/api/v1/status")["targets"], "no target is left")


@pytest.fixture
def nothing_is_left(daemon, run):
    """After the test; the files of programs that were once watched stay open all the time."""
    for name in (("fleeting", "exit"), ("execs",), ("threads",)):
        program = run(*name)
        daemon.watch(program)
        program.close()
    no_target_is_left(daemon)
    before = descriptors(daemon)
    yield
    no_target_is_left(daemon)
    eventually(lambda: descriptors(daemon) <= before, "no descriptor is left open")
    assert_the_next_one_is_exact(daemon, run)


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("how, first", [("exit", 1), ("kill", 3)])
def test_a_process_may_end_at_each_step_of_attaching(daemon, run, stepper, how, first):
    def end(program):
        program.send("end_after 0")
        program.process.wait(program.ANSWER_SECONDS)

    for program, status, text in for_steps(daemon, stepper, first, lambda: run("fleeting", how),
                                           end):
        # Watched until it ended, and nothing is left of that; or gone, or half gone.
        assert status in (200, 404, 422), text
        eventually(lambda pid=program.pid: daemon.target(pid) is None, "it is no target any more")
        program.close()


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("how, first", [("exec_from_leader", 2), ("exec_from_thread", 4)])
def test_a_process_may_exec_at_each_step_of_attaching(daemon, run, stepper, how, first):
    for program, status, text in for_steps(daemon, stepper, first, lambda: run("execs"),
                                           lambda program: program.tell(how)):
        if status != 200:
            # Of the old program nothing is mapped any more: it says so, and watches nothing.
            assert status in (404, 422, 500), text
            assert daemon.target(program.pid) is None
            daemon.watch(program)
        eventually(lambda pid=program.pid: (daemon.target(pid) or {}).get("allocators"),
                   "the new program is watched")
        program.tell("allocate")
        assert_exact(daemon, program)
        assert program.end() == 0
        program.close()
