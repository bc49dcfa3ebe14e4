# SPDX-License-Identifier: Apache-2.0
"""
The watched process ends, or becomes another program, at each step of attaching: before every system
call that memwatchd makes from the moment that a watch was asked for until it is there. Each request
that changes something has a thread of its own there, which is held.
"""
import os
import threading

import pytest

from harness.compare import assert_exact
from harness.wait import eventually

STEPS_MIN = 20
STEPS_MAX = 1000


class Watch(threading.Thread):
    """Asks for a watch; the answer is there once the thread has ended."""

    def __init__(self, daemon, program):
        super().__init__(daemon=True)
        self.ask = lambda: daemon.request("PUT", f"/api/v1/processes/{program.pid}/watch?interval=1")
        self.status = self.text = None
        self.start()

    def run(self):
        self.status, self.text = self.ask()

    def answer(self):
        self.join(60)
        assert not self.is_alive(), "it is answered"
        return self.status


@pytest.fixture
def stepper(daemon, run):
    return run("stepper", daemon.pid, "MHD-worker")


def ends_of(stepper):
    return stepper.truth["counts"].get("ends", 0)


def for_each_step(daemon, stepper, start, act):
    """
    For each step of a watch: starts a program, has act(program) done while the daemon stands at
    that step, and yields the program and the answer to the watch. Ends with a watch left alone.
    """
    for number in range(1, STEPS_MAX):
        program = start()
        stepper.tell("seize")
        try:
            watch = Watch(daemon, program)
            ends = ends_of(stepper)
            stepper.tell(f"hold_before_call {number}")
            is_held = ends_of(stepper) == ends
            if is_held:
                act(program)
        finally:
            stepper.tell("leave")
        status = watch.answer()
        if not is_held:
            assert status == 200, watch.text
            assert number > STEPS_MIN, "what it does was seen"
            program.close()
            return
        yield program, status, watch.text
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
    program = run("threads")
    daemon.watch(program)
    program.tell("run 500")
    assert_exact(daemon, program)
    assert program.end() == 0


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_process_may_end_at_each_step_of_attaching(daemon, run, stepper, how):
    def end(program):
        program.send("end_after 0")
        program.process.wait(program.ANSWER_SECONDS)

    for program, status, text in for_each_step(daemon, stepper, lambda: run("fleeting", how), end):
        # Watched until it ended, and nothing is left of that; or gone, or half gone.
        assert status in (200, 404, 422), text
        eventually(lambda pid=program.pid: daemon.target(pid) is None, "it is no target any more")
        program.close()


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("how", ["exec_from_leader", "exec_from_thread"])
def test_a_process_may_exec_at_each_step_of_attaching(daemon, run, stepper, how):
    for program, status, text in for_each_step(daemon, stepper, lambda: run("execs"),
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
