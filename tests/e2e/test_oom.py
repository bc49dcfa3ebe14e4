# SPDX-License-Identifier: Apache-2.0
"""What a process held when the kernel killed it for lack of memory."""
import signal

from harness.compare import by_direct_caller, truth_by_function
from harness.wait import eventually

LIMIT_BYTES = 48 << 20
STEP_BYTES = 1 << 20


def grow_until_killed(victim):
    """Its last ledger."""
    victim.send("grow")
    last = None
    try:
        while True:
            last = victim.read()
    except AssertionError:
        assert victim.process.wait() == -signal.SIGKILL
    return last


def oom_of(daemon, pid):
    return next((oom for oom in daemon.ctl("oom")["ooms"] if oom["pid"] == pid), None)


def test_a_watched_victims_sites_are_kept(daemon, run, memory_cgroup):
    group = memory_cgroup(LIMIT_BYTES)
    victim = run("oom_victim")
    group.add(victim.pid)
    daemon.watch(victim)
    truth = truth_by_function(grow_until_killed(victim))

    oom = eventually(lambda: oom_of(daemon, victim.pid), "the kill is listed")
    assert oom["comm"] == "oom_victim"
    assert oom["uid"] == 0
    assert group.name in oom["cgroup"]
    assert oom["was_target"]
    held = by_direct_caller(oom["held"]["sites"])
    for function in ("keep_row", "keep_index"):
        # The victim died in the middle of a step, after the last ledger that it could print.
        difference = held[function]["outstanding_bytes"] - truth[function]["outstanding_bytes"]
        assert 0 <= difference <= STEP_BYTES, function
    assert oom["rss_bytes"] is None or 0.7 * LIMIT_BYTES < oom["rss_bytes"] < 1.1 * LIMIT_BYTES

    alone = daemon.ctl("oom", oom["id"])
    assert alone["pid"] == victim.pid
    assert alone["held"]["sites"] == oom["held"]["sites"]


def test_the_report_for_people_names_the_victim_and_its_sites(daemon, run, memory_cgroup):
    group = memory_cgroup(LIMIT_BYTES)
    victim = run("oom_victim")
    group.add(victim.pid)
    daemon.watch(victim)
    grow_until_killed(victim)
    oom = eventually(lambda: oom_of(daemon, victim.pid), "the kill is listed")
    outcome = daemon.try_ctl("oom", oom["id"])
    assert outcome.status == 0, outcome.errors
    for word in ("oom_victim", str(victim.pid), "keep_row", "MiB"):
        assert word in outcome.output, word


def test_a_victim_that_nobody_watched_is_listed_without_sites(daemon, run, memory_cgroup):
    group = memory_cgroup(LIMIT_BYTES)
    victim = run("oom_victim")
    group.add(victim.pid)
    before = daemon.get("/api/v1/status")["oom_kills_total"]
    grow_until_killed(victim)

    oom = eventually(lambda: oom_of(daemon, victim.pid), "the kill is listed")
    assert oom["comm"] == "oom_victim"
    assert not oom["was_target"]
    assert oom["held"] is None
    assert daemon.get("/api/v1/status")["oom_kills_total"] == before + 1
    _, metrics = daemon.request_tcp("/metrics")
    assert f"memwatch_oom_kills_total {before + 1}" in metrics


def test_ooms_come_newest_first(daemon, run, memory_cgroup):
    pids = []
    for _ in range(2):
        group = memory_cgroup(8 << 20)
        victim = run("oom_victim")
        group.add(victim.pid)
        grow_until_killed(victim)
        eventually(lambda pid=victim.pid: oom_of(daemon, pid), "the kill is listed")
        pids.append(victim.pid)
    ooms = daemon.ctl("oom")["ooms"]
    assert [oom["pid"] for oom in ooms[:2]] == pids[::-1]
    assert [oom["id"] for oom in ooms] == sorted((oom["id"] for oom in ooms), reverse=True)


def test_an_unknown_oom_is_an_error(daemon):
    outcome = daemon.try_ctl("oom", 999999)
    assert outcome.status == 1
    assert "999999" in outcome.errors
    assert daemon.request("GET", "/api/v1/ooms/999999")[0] == 404
