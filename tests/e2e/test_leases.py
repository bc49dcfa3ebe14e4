# SPDX-License-Identifier: Apache-2.0
"""Observing leaves a process as it was found."""
from harness import process
from harness.compare import direct_caller
from harness.wait import eventually

LEASE_ENDS_SECONDS = 60


def test_leaks_leaves_an_unwatched_process_unwatched(daemon, run):
    program = run("leaky")
    daemon.ctl("leaks", "--pid", program.pid, "--for", 1)
    assert daemon.target(program.pid) is None
    eventually(lambda: not process.changed_text_offsets(program.pid, "libc.so"),
               "no probe is left")


def test_leaks_leaves_a_watched_process_watched(daemon, run):
    program = run("leaky")
    daemon.watch(program)
    daemon.ctl("leaks", "--pid", program.pid, "--for", 1)
    target = daemon.target(program.pid)
    assert target["persistent"]
    assert target["leases"] == 0
    assert target["sampling_interval_bytes"] == 1


def test_leaks_of_a_watched_process_knows_all_of_its_past(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate_huge")
    eventually(lambda: daemon.target(program.pid)["outstanding_bytes"], "it is accounted")
    answer = daemon.ctl("leaks", "--all", "--pid", program.pid, "--for", 0)
    assert "by_malloc" in {direct_caller(site) for site in answer["sites"]}


def test_leaks_for_no_time_needs_a_watched_process(daemon, run):
    program = run("leaky")
    outcome = daemon.try_ctl("leaks", "--pid", program.pid, "--for", 0)
    assert outcome.status == 1, outcome
    assert "not watched" in outcome.errors


def test_the_lease_of_an_observer_that_was_killed_runs_out(daemon, run):
    program = run("leaky")
    observation = daemon.start_ctl("leaks", "--pid", program.pid, "--for", 5)
    eventually(lambda: daemon.target(program.pid), "observed")
    observation.kill()
    observation.communicate()
    eventually(lambda: daemon.target(program.pid) is None, "unwatched", LEASE_ENDS_SECONDS)
    eventually(lambda: not process.changed_text_offsets(program.pid, "libc.so"),
               "no probe is left")


def test_an_observer_that_is_interrupted_ends_its_watch_at_once(daemon, run):
    program = run("leaky")
    observation = daemon.start_ctl("leaks", "--pid", program.pid, "--for", 60)
    eventually(lambda: daemon.target(program.pid), "observed")
    observation.terminate()
    observation.communicate()
    eventually(lambda: daemon.target(program.pid) is None, "unwatched", 5)


def test_the_watch_lasts_as_long_as_its_longest_lease(daemon, run):
    program = run("leaky")
    path = program.watch_path
    first, second = daemon.put(f"{path}?lease=600"), daemon.put(f"{path}?lease=600")
    assert not first["was_watched"]
    assert second["was_watched"]
    assert daemon.target(program.pid)["leases"] == 2
    assert daemon.request("DELETE", f"{path}?lease_id={first['lease_id']}")[0] == 200
    assert daemon.target(program.pid)["leases"] == 1
    assert daemon.request("DELETE", f"{path}?lease_id={second['lease_id']}")[0] == 200
    assert daemon.target(program.pid) is None


def test_a_lease_runs_out_by_itself(daemon, run):
    program = run("leaky")
    daemon.put(f"/api/v1/processes/{program.pid}/watch?lease=1")
    assert daemon.target(program.pid)
    eventually(lambda: daemon.target(program.pid) is None, "unwatched", 10)


def test_a_watch_by_command_outlives_a_lease(daemon, run):
    program = run("leaky")
    path = program.watch_path
    daemon.put(f"{path}?lease=1")
    daemon.ctl("watch", "--pid", program.pid)
    eventually(lambda: daemon.target(program.pid)["leases"] == 0, "the lease has run out")
    assert daemon.target(program.pid)["persistent"]
    daemon.ctl("unwatch", "--pid", program.pid)
    assert daemon.target(program.pid) is None
