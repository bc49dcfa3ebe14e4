# SPDX-License-Identifier: Apache-2.0
"""A process may become a program that its user may not look into."""
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import paths
from harness.compare import assert_exact
from harness.paths import NOBODY
from harness.wait import eventually

AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
TARGETS_MAX = 8

# What keeps a user from looking into a program: its mode, root being owner and group.
MODES = {"set_user_id": 0o4755, "set_group_id": 0o2755, "unreadable": 0o711}


@pytest.fixture(params=MODES.values(), ids=MODES)
def secret(request, closing):
    """A program that everybody may execute and only root may look into."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="memwatch-test-"))
    closing.callback(shutil.rmtree, directory)
    directory.chmod(0o755)
    path = directory / "secret"
    shutil.copy(paths.PROGRAMS / "allocators", path)
    path.chmod(request.param)
    return path


def become(program):
    program.send("become")
    program.truth = program.read()


def assert_hidden_from_nobody(daemon, pid):
    """The account before the exec stays its user's; of the program there is nothing."""
    for command in (["stacks"], ["leaks", "--for", 0]):
        outcome = daemon.try_ctl("--json", *command, "--pid", pid, **AS_NOBODY)
        assert "by_malloc" not in outcome.output
        assert outcome.status == 5 or outcome.json["ended"], outcome
    outcome = daemon.try_ctl("--json", "targets", **AS_NOBODY)
    assert pid not in {target["pid"] for target in outcome.json["targets"] if not target["ended"]}


def test_a_users_watch_ends_when_the_process_becomes_anothers(daemon, run, secret):
    program = run("becomes", secret, user=NOBODY)
    outcome = daemon.try_ctl("watch", "--pid", program.pid, "--exact", **AS_NOBODY)
    assert outcome.status == 0, outcome.errors
    become(program)
    program.tell("allocate")
    eventually(lambda: daemon.target(program.pid) is None, "the watch has ended")
    assert daemon.ended_targets(program.pid)[0]["uid"] == NOBODY
    assert_hidden_from_nobody(daemon, program.pid)


def test_a_user_may_not_watch_his_process_that_is_anothers_program(daemon, run, secret):
    program = run("becomes", secret, user=NOBODY)
    become(program)
    for command in (["watch", "--exact"], ["stacks"]):
        outcome = daemon.try_ctl(*command, "--pid", program.pid, **AS_NOBODY)
        assert outcome.status == 5, outcome
    assert daemon.target(program.pid) is None


def test_roots_watch_goes_on_when_the_process_becomes_anothers(daemon, run, secret):
    program = run("becomes", secret, user=NOBODY)
    daemon.watch(program)
    become(program)
    eventually(lambda: daemon.ended_targets(program.pid), "the account before the exec has ended")
    eventually(lambda: (daemon.target(program.pid) or {}).get("probes"), "watched again")
    program.tell("allocate")
    assert_exact(daemon, program)
    assert daemon.target(program.pid)["uid"] == os.geteuid()
    assert_hidden_from_nobody(daemon, program.pid)


def test_a_users_watch_goes_on_when_the_program_is_his_to_read(daemon, run):
    program = run("becomes", paths.PROGRAMS / "allocators", user=NOBODY)
    outcome = daemon.try_ctl("watch", "--pid", program.pid, "--exact", **AS_NOBODY)
    assert outcome.status == 0, outcome.errors
    become(program)
    eventually(lambda: daemon.ended_targets(program.pid), "the account before the exec has ended")
    eventually(lambda: (daemon.target(program.pid) or {}).get("probes"), "watched again")
    program.tell("allocate")
    assert_exact(daemon, program)
    outcome = daemon.try_ctl("--json", "stacks", "--pid", program.pid, **AS_NOBODY)
    assert "by_malloc" in outcome.output


def test_half_of_the_targets_are_kept_for_root(new_daemon, run):
    one = new_daemon(targets_max=TARGETS_MAX).start()
    theirs = [run("leaky", user=NOBODY) for _ in range(TARGETS_MAX // 2 + 1)]
    for program in theirs[:-1]:
        outcome = one.try_ctl("watch", "--pid", program.pid, **AS_NOBODY)
        assert outcome.status == 0, outcome.errors
    outcome = one.try_ctl("watch", "--pid", theirs[-1].pid, **AS_NOBODY)
    assert outcome.status == 1, outcome
    assert "targets_max" in outcome.errors
    for _ in range(TARGETS_MAX // 2):
        one.watch(run("leaky"))
    assert one.get("/api/v1/status")["targets"] == TARGETS_MAX
