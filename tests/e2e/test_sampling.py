# SPDX-License-Identifier: Apache-2.0
"""Estimates from sampled blocks are unbiased, and say how far off they may be."""
import math

import pytest

from harness.chance import another_draw_decides
from harness.compare import assert_estimated, assert_nothing_lost, by_direct_caller
from harness.wait import eventually_passes

INTERVALS = [64 << 10, 4 << 10]


@pytest.mark.parametrize("interval", INTERVALS)
@another_draw_decides
def test_estimates_lie_within_four_standard_errors(daemon, run, interval):
    program = run("sampled")
    daemon.watch(program, "--interval", interval)
    program.tell("allocate")
    eventually_passes(lambda: assert_estimated(daemon, program, interval))
    program.tell("free_half")
    eventually_passes(lambda: assert_estimated(daemon, program, interval))
    answer = daemon.ctl("stacks", "--pid", program.pid)
    assert_nothing_lost(answer)
    assert answer["sampling_interval_bytes"] == interval


@pytest.mark.parametrize("interval", INTERVALS)
def test_nothing_stays_behind_when_all_is_freed(daemon, run, interval):
    program = run("sampled")
    daemon.watch(program, "--interval", interval)
    program.tell("allocate")
    program.tell("free_all")

    def check():
        found = by_direct_caller(daemon.sites(program.pid))
        for site in program.truth["sites"]:
            assert found[site["function"]]["outstanding_bytes"] == 0
            assert found[site["function"]]["outstanding_objects"] == 0
        # Of a site that was sampled by chance nothing better is known than two samples' worth.
        floor = pytest.approx(math.sqrt(2) * interval)
        assert {site["outstanding_bytes_stderr"] in (0, floor)
                for site in daemon.sites(program.pid)} == {True}

    eventually_passes(check)


def test_the_default_interval_is_64_kib(daemon, run):
    program = run("sampled")
    answer = daemon.ctl("watch", "--pid", program.pid)
    assert answer["sampling_interval_bytes"] == 64 << 10


def test_another_interval_for_a_watched_process_is_a_conflict(daemon, run):
    program = run("sampled")
    daemon.watch(program, "--interval", 4096)
    status, text = daemon.request("PUT", f"/api/v1/processes/{program.pid}/watch?interval=8192")
    assert status == 409, text
    outcome = daemon.try_ctl("watch", "--pid", program.pid, "--exact")
    assert outcome.status == 1
    assert "4096" in outcome.errors or "4 KiB" in outcome.errors
