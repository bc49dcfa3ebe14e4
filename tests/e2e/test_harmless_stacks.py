# SPDX-License-Identifier: Apache-2.0
"""Stacks that are not the thread's own, or are two, and code that is in no file."""
import pathlib

import pytest

from harness import paths
from harness.compare import assert_exact
from harness.wait import eventually_passes

CALLS_THAT_NEVER_END = ("abandoned_calls", "missed_frees", "unknown_frees")


def assert_no_false_counts(daemon, program):
    target = daemon.target(program.pid)
    assert {name: target[name] for name in CALLS_THAT_NEVER_END} == dict.fromkeys(
        CALLS_THAT_NEVER_END, 0)


@pytest.mark.parametrize("kind", ["contexts", "jumps"])
def test_coroutines_are_accounted_exactly(daemon, run, kind):
    program = run("coroutines")
    program.tell(f"start_{kind}")
    daemon.watch(program)
    program.tell(f"run_{kind} 4000")
    assert_exact(daemon, program)
    assert_no_false_counts(daemon, program)
    assert program.end() == 0


def functions_of(site):
    return [frame.get("function") for frame in site["stack"]]


def test_the_frames_on_a_coroutines_stack_are_its_own(daemon, run):
    """The walk begins below the stack's end, where a page can't be read, and stops there."""
    program = run("coroutines")
    program.tell("start_contexts")
    daemon.watch(program)
    program.tell("run_contexts 1000")

    def check():
        stacks = [functions_of(site) for site in daemon.sites(program.pid)
                  if functions_of(site)[0] in ("coroutine_allocates", "coroutine_resizes")]
        assert stacks
        for stack in stacks:
            assert stack[1] == "work_for_ever"
            assert "main" not in stack

    eventually_passes(check)


def sum_by_caller_module(daemon, pid, name):
    sums = {"outstanding_bytes": 0, "outstanding_objects": 0, "allocated_bytes": 0,
            "allocated_objects": 0}
    for site in daemon.sites(pid):
        module = site["stack"][0].get("module") if site["stack"] else None
        if site["kind"] == "block" and (name in module if module and name else module == name):
            for counter in sums:
                sums[counter] += site[counter]
    return sums


def test_greenlets_are_accounted_exactly(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "greenlets.py")
    daemon.watch(program)
    truth = program.tell("run 60")

    def check():
        # The call by name comes through libffi, and nothing else does.
        sums = sum_by_caller_module(daemon, program.pid, "libffi")
        assert sums == {counter: truth[counter] for counter in sums}

    eventually_passes(check)
    assert daemon.target(program.pid)["abandoned_calls"] == 0
    assert program.end() == 0


def test_compiled_code_in_anonymous_memory_is_accounted_exactly(daemon, run):
    program = run("jit")
    daemon.watch(program)
    program.tell("run 200")
    truth = program.truth["sites"][0]

    def check():
        sums = sum_by_caller_module(daemon, program.pid, None)
        assert sums == {counter: truth[counter] for counter in sums}

    eventually_passes(check)
    assert_no_false_counts(daemon, program)
    assert program.end() == 0


HAS_SHADOW_STACKS = "user_shstk" in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii").split()


@pytest.mark.parametrize("has_shadow_stack", [HAS_SHADOW_STACKS], ids=[
    "with_a_shadow_stack" if HAS_SHADOW_STACKS else "NOT_TESTABLE_this_cpu_has_no_shadow_stacks"])
def test_a_program_with_a_shadow_stack_is_accounted_exactly(daemon, run, has_shadow_stack):
    """The program enables its shadow stack itself; where there is none it runs all the same."""
    program = run("shadow_stack")
    assert program.truth["counts"]["shadow_stack"] == has_shadow_stack
    daemon.watch(program)
    program.tell("allocate 300")
    assert_exact(daemon, program)
    assert program.end() == 0
