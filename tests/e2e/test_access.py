# SPDX-License-Identifier: Apache-2.0
"""Who may see and do what."""
import json
import os
import stat

import pytest

from harness.paths import NOBODY
from harness.wait import eventually

AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
SOCKET_GROUP = "games"


def test_another_user_sees_only_its_own_processes(daemon, run):
    theirs = run("leaky")
    own = run("leaky", user=NOBODY)
    outcome = daemon.try_ctl("--json", "ps", **AS_NOBODY)
    assert outcome.status == 0, outcome.errors
    processes = outcome.json["processes"]
    assert own.pid in {entry["pid"] for entry in processes}
    assert theirs.pid not in {entry["pid"] for entry in processes}
    assert {entry["uid"] for entry in processes} == {NOBODY}


def test_another_user_may_watch_its_own_process(daemon, run):
    own = run("leaky", user=NOBODY)
    for arguments in (["watch"], ["stacks"], ["leaks", "--for", 0], ["unwatch"]):
        outcome = daemon.try_ctl(*arguments, "--pid", own.pid, **AS_NOBODY)
        assert outcome.status == 0, (arguments, outcome.errors)


@pytest.mark.parametrize("command", [["watch"], ["stacks"], ["leaks", "--for", 1], ["unwatch"]])
def test_another_user_may_not_touch_foreign_processes(daemon, run, command):
    theirs = run("leaky")
    daemon.watch(theirs)
    outcome = daemon.try_ctl(*command, "--pid", theirs.pid, **AS_NOBODY)
    assert outcome.status == 5, outcome
    assert str(theirs.pid) in outcome.errors
    assert daemon.target(theirs.pid)


def test_another_user_sees_no_foreign_targets(daemon, run):
    theirs = run("leaky")
    own = run("leaky", user=NOBODY)
    daemon.watch(theirs)
    daemon.watch(own)
    outcome = daemon.try_ctl("--json", "targets", **AS_NOBODY)
    assert {target["pid"] for target in outcome.json["targets"] if not target["ended"]} == {own.pid}


def test_a_foreign_oom_is_not_shown(daemon, run, memory_cgroup):
    group = memory_cgroup(8 << 20)
    victim = run("oom_victim")
    group.add(victim.pid)
    victim.send("grow")
    eventually(lambda: any(oom["pid"] == victim.pid for oom in daemon.ctl("oom")["ooms"]),
               "the kill is listed")
    outcome = daemon.try_ctl("--json", "oom", **AS_NOBODY)
    assert outcome.status == 0, outcome.errors
    assert victim.pid not in {oom["pid"] for oom in outcome.json["ooms"]}


@pytest.mark.parametrize("groups", [
    {"group": SOCKET_GROUP, "extra_groups": []},
    {"group": NOBODY, "extra_groups": [SOCKET_GROUP]},
], ids=["primary", "supplementary"])
def test_members_of_the_sockets_group_see_all(new_daemon, run, groups):
    grouped = new_daemon(socket_group=SOCKET_GROUP).start()
    theirs = run("leaky")
    outcome = grouped.try_ctl("--json", "leaks", "--pid", theirs.pid, "--for", 1,
                              user=NOBODY, **groups)
    assert outcome.status == 0, outcome.errors
    assert outcome.json["pid"] == theirs.pid


def test_the_socket_is_open_to_all_since_the_kernel_says_who_asks(daemon):
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o666


@pytest.mark.parametrize("path", [
    "/api/v1/processes", "/api/v1/processes/{pid}", "/api/v1/processes/{pid}/leaks",
    "/api/v1/processes/{pid}/stacks", "/api/v1/targets", "/api/v1/ooms", "/api/v1/doctor",
])
def test_tcp_tells_nothing_about_single_processes(daemon, run, path):
    program = run("leaky")
    daemon.watch(program)
    status, text = daemon.request_tcp(path.format(pid=program.pid))
    assert status == 403, text
    assert json.loads(text)["error"]["code"] == "not_permitted"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_tcp_changes_nothing(daemon, run, method):
    program = run("leaky")
    status, _ = daemon.request_tcp(program.watch_path, method)
    assert status in (403, 405)
    assert daemon.target(program.pid) is None


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready", "/api/v1/status"])
def test_tcp_serves_what_is_meant_for_all(daemon, path):
    assert daemon.request_tcp(path)[0] == 200
    assert daemon.request_tcp(path, "HEAD")[0] == 200


@pytest.mark.parametrize("host", ["localhost:9735", "127.0.0.1", "[::1]:80"])
def test_tcp_answers_to_loopback_names(daemon, host):
    assert daemon.request_tcp("/metrics", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:9735",
                                  "localhost.evil.example", ""])
def test_tcp_refuses_other_host_names(daemon, host):
    """A web page whose name was rebound to 127.0.0.1 must not read the metrics."""
    status, text = daemon.request_tcp("/metrics", headers={"Host": host})
    assert status == 403, text
