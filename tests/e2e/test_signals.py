# SPDX-License-Identifier: Apache-2.0
"""What happens in the middle of a call of malloc."""
import pytest

from harness.compare import assert_exact


def counted(daemon, program, scenario):
    daemon.watch(program)
    program.tell(scenario)
    assert_exact(daemon, program)
    return daemon.target(program.pid)


@pytest.mark.parametrize("scenario", ["allocate_in_handler", "free_in_handler",
                                      "allocate_on_alternate_stack"])
def test_a_signal_handler_may_allocate_inside_malloc(daemon, run, scenario):
    target = counted(daemon, run("midcall"), scenario)
    assert target["abandoned_calls"] == 0


def test_a_signal_handler_may_jump_out_of_malloc(daemon, run):
    program = run("midcall")
    target = counted(daemon, program, "jump_out")
    assert target["abandoned_calls"] == program.truth["counts"]["abandoned_calls"]


def test_threads_may_end_inside_malloc(daemon, run):
    program = run("midcall")
    target = counted(daemon, program, "end_threads")
    assert target["abandoned_calls"] == program.truth["counts"]["abandoned_calls"]


def test_the_account_is_right_after_all_of_it(daemon, run):
    program = run("midcall")
    daemon.watch(program)
    for scenario in ("jump_out", "allocate_in_handler", "end_threads", "jump_out",
                     "allocate_on_alternate_stack", "free_in_handler"):
        program.tell(scenario)
    assert_exact(daemon, program)
    assert program.end() == 0
