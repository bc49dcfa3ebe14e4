# SPDX-License-Identifier: Apache-2.0
"""
What probes may cost a process, and what happens when they cost more.

How fast a program runs depends on the machine: budgets here are so low, or so high, that any speed
is on one side of them.
"""

import pytest

from harness import process
from harness.compare import (assert_exact, assert_nothing_lost, by_direct_caller,
                             poisson_standard_error, site_of)
from harness.daemon import Daemon
from harness.wait import eventually, eventually_passes

NOBODY = 65534
PAIR_BYTES = 64
BY_HAND_PERCENT = 2
BLOCKS_MAX = 4096
BLOCKS_OF_ONE = BLOCKS_MAX - BLOCKS_MAX // 32
LONG_SECONDS = 30


@pytest.fixture(scope="module")
def daemon():
    one = Daemon(budget_by_hand_percent=BY_HAND_PERCENT, budget_by_policy_percent=1,
                 retry_seconds=1)
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def busy(run):
    """As fast as it can: 12 million pairs a second and more, where nothing else runs."""
    program = run("load")
    program.tell("hammer")
    return program


def ended(daemon, program):
    return eventually(lambda: daemon.ended_targets(program.pid), "its watch ends", LONG_SECONDS)[0]


def assert_goes_on_untouched(program):
    eventually(lambda: not process.changed_text_offsets(program.pid, "libc.so"),
               "no breakpoint is left")
    before = program.tell("count")["counts"]["pairs"]
    eventually(lambda: program.tell("count")["counts"]["pairs"] > before + 100_000, "it goes on")


def waiting(daemon, program):
    return next((entry for entry in daemon.get("/api/v1/targets")["waiting"]
                 if entry["pid"] == program.pid), None)


# ---- stopped over budget

def over_budget(outcome):
    assert outcome.status in (0, 6), outcome
    return outcome.status == 6 and outcome


def test_a_watch_by_hand_of_a_hammering_program_is_stopped(daemon, busy):
    # On a machine that is busy otherwise a second may be too short, and it is found stopped later.
    outcome = eventually(lambda: over_budget(daemon.try_ctl("watch", "--pid", busy.pid)),
                         "stopped while it waits", 2 * LONG_SECONDS)
    target = ended(daemon, busy)
    assert target["end_reason"] == "ended_over_budget"
    assert target["budget_share"] == BY_HAND_PERCENT / 100
    assert target["overhead_share"] > target["budget_share"]
    assert "% of its time, the budget is 2%; use --force to go on" in target["end_detail"]
    assert target["end_detail"] in outcome.errors
    assert waiting(daemon, busy) is None
    assert_goes_on_untouched(busy)


def test_what_was_known_of_it_is_kept_and_marked(daemon, run):
    program = run("load")
    daemon.ctl("watch", "--pid", program.pid, "--exact")
    program.tell("keep 10")
    program.tell("hammer")
    target = ended(daemon, program)
    assert target["sampling_interval_bytes"] == 1, "exact is never turned into sampling"
    assert target["sampling_interval_raises"] == 0
    answer = daemon.ctl("leaks", "--pid", program.pid, "--for", 0, "--all")
    assert answer["ended"] and not answer["complete"]
    assert target["end_detail"] in answer["incomplete_reason"]
    assert by_direct_caller(answer["sites"])["keeps"]["outstanding_objects"] == 10


def test_leaks_reports_what_is_known_and_exits_with_6(daemon, busy):
    outcome = daemon.try_ctl("--json", "leaks", "--pid", busy.pid, "--for", 30, "--all")
    assert outcome.status == 6
    assert "the watch of process" in outcome.errors and "use --force" in outcome.errors
    assert outcome.json["end_reason"] == "ended_over_budget"
    assert outcome.json["observed_seconds"] < 25
    assert not outcome.json["complete"]
    assert "allocates_and_frees" in by_direct_caller(outcome.json["sites"])
    assert_goes_on_untouched(busy)


def test_one_hot_thread_does_not_hide_among_sleeping_ones(daemon, run):
    program = run("load")
    program.tell("idle")
    program.tell("hammer")
    daemon.try_ctl("watch", "--pid", program.pid)
    assert ended(daemon, program)["end_reason"] == "ended_over_budget"


def over_budget_once(daemon, program):
    """Until what its probes take is known to be over any budget but the one that it has."""
    return eventually(lambda: (daemon.target(program.pid)["recent_overhead_share"] or 0) > 0.01,
                      "its cost is known", LONG_SECONDS)


def test_force_goes_on_whatever_it_costs(daemon, busy):
    answer = daemon.ctl("watch", "--pid", busy.pid, "--force")
    assert answer["forced"] and answer["budget_share"] is None
    over_budget_once(daemon, busy)
    # Long enough for the bucket to be empty many times over.
    def cost_seconds():
        target = daemon.target(busy.pid)
        return target["overhead_share"] * target["watched_seconds"]
    eventually(lambda: cost_seconds() > 1, "a second spent in probes", LONG_SECONDS)
    target = daemon.target(busy.pid)
    assert target["forced"] and not target["over_budget"] and target["budget_share"] is None
    assert target["sampling_interval_raises"] == 0


def test_a_watch_can_be_given_another_budget_or_none(daemon, run):
    program = run("load")
    assert daemon.ctl("watch", "--pid", program.pid)["budget_share"] == 0.02
    assert daemon.ctl("watch", "--pid", program.pid, "--budget", 60)["budget_share"] == 0.6
    # A word of another says nothing of it.
    assert daemon.ctl("watch", "--pid", program.pid)["budget_share"] == 0.6
    # An observer may let it cost more for as long as it observes.
    daemon.ctl("leaks", "--pid", program.pid, "--for", 0.1, "--budget", 90)
    assert daemon.target(program.pid)["budget_share"] == 0.6
    assert daemon.ctl("watch", "--pid", program.pid, "--budget", 5)["budget_share"] == 0.05
    assert daemon.ctl("watch", "--pid", program.pid, "--force")["forced"]


def test_a_burst_is_never_over_budget(daemon, run):
    """10,000 pairs are a fiftieth of a second of probe time, whatever the budget."""
    program = run("load")
    daemon.ctl("watch", "--pid", program.pid, "--exact", "--budget", 1)
    program.tell("keep 10000")
    eventually(lambda: daemon.target(program.pid)["allocation_hits"] >= 10000, "it is accounted")
    assert_exact(daemon, program)
    assert daemon.target(program.pid)


def test_watches_that_are_stopped_are_counted(daemon, busy):
    def stopped():
        return daemon.get("/api/v1/status")["ended_over_budget_total"]

    before = stopped()
    daemon.try_ctl("watch", "--pid", busy.pid)
    ended(daemon, busy)
    assert stopped() == before + 1
    text = daemon.request_tcp("/metrics")[1]
    assert f"memwatch_watches_ended_over_budget_total {before + 1}" in text


# ---- tried again

def test_a_watch_by_policy_is_tried_again_with_back_off(daemon, busy):
    daemon.ctl("watch", "--pid", busy.pid, "--retry")
    first = eventually(lambda: waiting(daemon, busy), "it waits", LONG_SECONDS)
    assert first["retries"] == 1
    assert first["due_seconds"] <= 1
    assert first["budget_share"] == 0.01 and first["overhead_share"] > 0.01
    third = eventually(lambda: (waiting(daemon, busy) or {}).get("retries") == 3
                       and waiting(daemon, busy), "it waits once more", 60)
    assert 1 < third["due_seconds"] <= 4
    assert len(daemon.ended_targets(busy.pid)) >= 3
    text = daemon.try_ctl("targets").output
    assert "watched again in" in text
    busy.tell("stop")
    target = eventually(lambda: daemon.target(busy.pid), "it is watched again", 60)
    assert target["persistent"] and target["retried"]
    daemon.ctl("unwatch", "--pid", busy.pid)
    assert waiting(daemon, busy) is None


def test_unwatch_ends_the_retries(new_daemon, run):
    daemon = new_daemon(budget_by_policy_percent=1, retry_seconds=3600).start()
    program = run("load", user=NOBODY)
    program.tell("hammer")
    daemon.ctl("watch", "--pid", program.pid, "--retry")
    eventually(lambda: waiting(daemon, program), "it waits", LONG_SECONDS)
    # Observing leaves it as it was found.
    daemon.ctl("leaks", "--pid", program.pid, "--for", 0.1, "--force")
    assert waiting(daemon, program)
    daemon.ctl("unwatch", "--pid", program.pid)
    assert waiting(daemon, program) is None
    assert daemon.try_ctl("unwatch", "--pid", program.pid).status == 1


def test_the_end_of_a_process_ends_its_retries(new_daemon, run):
    daemon = new_daemon(budget_by_policy_percent=1, retry_seconds=3600).start()
    program = run("load")
    program.tell("hammer")
    daemon.ctl("watch", "--pid", program.pid, "--retry")
    eventually(lambda: waiting(daemon, program), "it waits", LONG_SECONDS)
    assert program.end() == 0
    eventually(lambda: waiting(daemon, program) is None, "it is forgotten")


# ---- the sampling interval

def pair_costs_seconds(daemon):
    """Of malloc and free: sampled, and not, as the daemon has measured them."""
    costs = daemon.get("/api/v1/doctor")["costs_ns"]
    return ((costs["allocation_exact"] + costs["free_exact"]) / 1e9,
            (costs["allocation_unsampled"] + costs["free_unknown"]) / 1e9)


def test_below_its_budget_a_planted_leak_is_named(daemon, run):
    unsampled_seconds = pair_costs_seconds(daemon)[1]
    program = run("load")
    program.tell(f"pace {int(BY_HAND_PERCENT / 100 / 2 / unsampled_seconds)}")
    answer = daemon.ctl("leaks", "--pid", program.pid, "--for", 6, "--interval", 1024)
    assert "planted_leak" in by_direct_caller(answer["sites"])
    assert 0 < answer["recent_overhead_share"] <= answer["budget_share"] == BY_HAND_PERCENT / 100
    assert_nothing_lost(answer)


def watch_until_raised(daemon, program, pairs_per_second, unsampled_part):
    """
    Watches it with a budget in the middle between what its probes are seen to cost now and what
    would remain without samples (of which nine tenths of a budget are left), until the daemon has
    raised its interval: the target then. The machine may have become faster or slower meanwhile,
    and the cost with it: then once more.
    """
    for _ in range(5):
        daemon.ctl("watch", "--pid", program.pid, "--interval", 16, "--force")
        program.tell(f"pace {pairs_per_second}")
        # The share is averaged over a second.
        eventually(lambda: daemon.target(program.pid)["allocation_hits"] > 4 * pairs_per_second,
                   "its cost is seen", LONG_SECONDS)
        share = daemon.target(program.pid)["recent_overhead_share"]
        budget_percent = int(100 * (share * unsampled_part / 0.9 + share) / 2)
        daemon.try_ctl("watch", "--pid", program.pid, "--budget", budget_percent)
        try:
            return eventually(lambda: (target := daemon.target(program.pid)) and
                              target["sampling_interval_raises"] and target, "it is raised")
        except AssertionError:
            program.tell("stop")
            daemon.try_ctl("unwatch", "--pid", program.pid)
    raise AssertionError("its interval is never raised")


def test_sampling_over_budget_is_made_coarser_and_stays_unbiased(daemon, run):
    """At one point in 16 bytes all of its blocks of 64 bytes are sampled."""
    sampled_seconds, unsampled_seconds = pair_costs_seconds(daemon)
    program = run("load")
    target = watch_until_raised(daemon, program, int(0.3 / sampled_seconds),
                                unsampled_seconds / sampled_seconds)
    assert target["sampling_interval_bytes"] > target["sampling_interval_asked_bytes"] == 16
    raised_total = daemon.get("/api/v1/status")["intervals_raised_total"]
    assert raised_total >= target["sampling_interval_raises"]
    # With so little over its budget it may be stopped in the end: what is of interest came before.
    daemon.ctl("watch", "--pid", program.pid, "--force")
    # So that both intervals have a part in the sum.
    eventually(lambda: daemon.target(program.pid)["allocation_hits"] >
               1.5 * target["allocation_hits"], "it goes on", LONG_SECONDS)
    before = program.truth["counts"].get("pairs", 0)
    truth = (program.tell("stop")["counts"]["pairs"] - before) * PAIR_BYTES
    target = daemon.target(program.pid)
    error = poisson_standard_error(truth / PAIR_BYTES, PAIR_BYTES,
                                   target["sampling_interval_bytes"])
    site = site_of(daemon, program.pid, "allocates_and_frees")
    assert abs(site["allocated_bytes"] - truth) <= 4 * error
    assert "raised from 16 B" in daemon.try_ctl("leaks", "--pid", program.pid, "--for", 0).output


def assert_within_errors(daemon, program, target):
    truth = next(site for site in program.truth["sites"] if site["function"] == "keeps")
    site = site_of(daemon, program.pid, "keeps")
    error = poisson_standard_error(truth["allocated_objects"], 48,
                                   target["sampling_interval_bytes"])
    assert abs(site["allocated_bytes"] - truth["allocated_bytes"]) <= 4 * error + 1


# ---- shares of the tables

@pytest.fixture
def small(new_daemon):
    return new_daemon(blocks_max=BLOCKS_MAX, sites_max=256).start()


def test_a_greedy_target_leaves_anothers_account_exact_and_complete(small, run):
    greedy, modest = run("load"), run("load")
    small.watch(greedy)
    greedy.tell(f"keep {2 * BLOCKS_MAX}")
    eventually(lambda: small.target(greedy.pid)["losses"]["share_full"], "its share is full")
    assert small.target(greedy.pid)["blocks"] <= BLOCKS_OF_ONE
    small.watch(modest)
    modest.tell("keep 40")
    greedy.tell("keep 100")
    modest.tell("keep 20")
    assert_exact(small, modest)
    answer = small.ctl("leaks", "--pid", modest.pid, "--for", 0)
    assert_nothing_lost(answer)
    lost = small.target(greedy.pid)["losses"]
    assert lost["share_full"] + small.target(greedy.pid)["blocks"] == 2 * BLOCKS_MAX + 100
    assert lost["map_full"] == 0
    answer = small.ctl("leaks", "--pid", greedy.pid, "--for", 0)
    assert "share of the block map is used up" in answer["incomplete_reason"]


def test_of_two_targets_each_has_half_of_what_the_other_leaves(small, run):
    one, other = run("load"), run("load")
    for program in (one, other):
        small.watch(program)
    one.tell(f"keep {2 * BLOCKS_MAX}")
    eventually(lambda: small.target(one.pid)["losses"]["share_full"], "its share is full")
    assert small.target(one.pid)["blocks"] == BLOCKS_MAX // 2
    eventually(lambda: other.tell("keep 1") and small.target(other.pid)["blocks"], "room")


def test_one_user_cannot_take_anothers(small, run):
    theirs = [run("load", user=NOBODY) for _ in range(6)]
    own = run("load")
    for program in (*theirs, own):
        small.watch(program)
    held = 0
    for program in theirs:
        # Of the half that the two users have each, half of what is left.
        share = (BLOCKS_MAX // 2 - held) // 2
        eventually(lambda: small.target(program.pid)["blocks_max"] == share, "it is divided anew")
        program.tell(f"keep {BLOCKS_MAX}")
        eventually(lambda: small.target(program.pid)["losses"]["share_full"], "its share is full")
        held += small.target(program.pid)["blocks"]
    own.tell(f"keep {BLOCKS_MAX // 4}")
    assert_exact(small, own)
    assert_nothing_lost(small.ctl("leaks", "--pid", own.pid, "--for", 0))


def test_what_one_target_held_is_free_once_it_is_unwatched(small, run):
    one, other = run("load"), run("load")
    for program in (one, other):
        small.watch(program)
    one.tell(f"keep {BLOCKS_MAX}")
    eventually(lambda: small.target(one.pid)["losses"]["share_full"], "its share is full")
    small.ctl("unwatch", "--pid", one.pid)

    def has_all():
        other.tell("keep 100")
        return small.target(other.pid)["blocks"] > BLOCKS_OF_ONE * 3 // 4
    eventually(has_all, "the other may have all", 20)


def test_a_sampled_target_samples_less_rather_than_being_full(small, run):
    program = run("load")
    small.watch(program, "--interval", 32)
    # Whenever it comes near, it waits for the daemon's look: however slow that is, all are seen.
    near, raises = BLOCKS_OF_ONE * 3 // 4, 0
    while raises < 4:
        program.tell("keep 50")
        blocks = small.target(program.pid)["blocks"]
        if blocks > near:
            raises = eventually(lambda: max(small.target(program.pid)["sampling_interval_raises"] -
                                            raises, 0), "it is raised") + raises
            near = blocks + (BLOCKS_OF_ONE - blocks) // 4 + 1
    target = small.target(program.pid)
    assert target["sampling_interval_bytes"] > target["sampling_interval_asked_bytes"] == 32
    assert target["losses"]["share_full"] == target["losses"]["map_full"] == 0
    assert_within_errors(small, program, target)
    answer = small.ctl("leaks", "--pid", program.pid, "--for", 0)
    assert_nothing_lost(answer)
    text = small.try_ctl("targets").output
    assert "was raised from 32 B" in text


def test_sites_are_shared_like_blocks(small, run):
    greedy, modest = run("load"), run("load")
    small.watch(greedy)
    greedy.tell("spread 1000")
    # New stacks are cut before its share is full, so that it never is: not a byte goes astray.
    eventually(lambda: small.target(greedy.pid)["losses"]["shortened_stacks"], "stacks are cut")
    assert_exact(small, greedy)
    assert_nothing_lost(small.ctl("leaks", "--pid", greedy.pid, "--for", 0))
    cut = [site for site in small.sites(greedy.pid) if site["stack_end"] == "shortened"]
    assert cut
    assert all(len(site["stack"]) <= 8 for site in cut)
    small.watch(modest)
    modest.tell("keep 5")
    assert_exact(small, modest)
    assert_nothing_lost(small.ctl("leaks", "--pid", modest.pid, "--for", 0))


def test_a_million_blocks_fit(daemon, run):
    program = run("load")
    daemon.watch(program)
    program.tell("keep 1000000")
    eventually_passes(lambda: assert_exact(daemon, program), 30)
    assert_nothing_lost(daemon.ctl("leaks", "--pid", program.pid, "--for", 0))
    assert daemon.get("/api/v1/status")["bpf_memory_bytes"] <= 128 << 20
