# SPDX-License-Identifier: Apache-2.0
"""memwatchctl: exit statuses, where it writes, and that every command has both forms."""
import json
import os
import subprocess

import pytest

from harness import paths

COMMANDS = ["leaks", "watch", "unwatch", "targets", "stacks", "ps", "oom", "status", "doctor"]
WITHOUT_ARGUMENTS = ["targets", "ps", "oom", "status", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(daemon, command):
    outcome = daemon.try_ctl(command, "--help")
    assert outcome.status == 0
    assert command in outcome.output
    assert not outcome.errors


def test_the_help_lists_every_command(daemon):
    outcome = daemon.try_ctl("--help")
    assert outcome.status == 0
    for command in COMMANDS:
        assert command in outcome.output


@pytest.mark.parametrize("command", WITHOUT_ARGUMENTS)
def test_every_command_speaks_json_and_to_people(daemon, command):
    plain, machine = daemon.try_ctl(command), daemon.try_ctl("--json", command)
    assert plain.status == machine.status == 0, (plain, machine)
    assert plain.output and not plain.output.startswith("{")
    assert isinstance(json.loads(machine.output), dict)
    assert "\x1b" not in plain.output


@pytest.mark.parametrize("arguments", [
    [], ["no-such-command"], ["leaks"], ["leaks", "--pid"], ["leaks", "--no-such-option"],
    ["leaks", "--pid", "1", "--for", "soon"], ["leaks", "--pid", "1", "--for", "-1"],
    ["watch", "--pid", "1", "--exact", "--interval", "5"],
    ["watch", "--pid", "1", "--interval", "0"],
    ["stacks", "--pid", "1", "--sort", "colour"], ["oom", "first"], ["ps", "surplus"],
])
def test_usage_errors_are_status_2(daemon, arguments):
    outcome = daemon.try_ctl(*arguments)
    assert outcome.status == 2, outcome
    assert outcome.errors
    assert not outcome.output


def test_an_unreachable_daemon_is_status_3(tmp_path):
    missing = str(tmp_path / "no.sock")
    done = subprocess.run([str(paths.MEMWATCHCTL), "--socket", missing, "status"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert missing in done.stderr
    assert not done.stdout


def test_the_socket_may_come_from_the_environment(daemon):
    done = subprocess.run([str(paths.MEMWATCHCTL), "--json", "status"], capture_output=True,
                          text=True, timeout=30, check=True,
                          env={**os.environ, "MEMWATCH_SOCKET": str(daemon.socket)})
    assert json.loads(done.stdout)["version"]


def test_unwatching_what_is_not_watched_is_status_1(daemon, run):
    program = run("allocators")
    outcome = daemon.try_ctl("unwatch", "--pid", program.pid)
    assert outcome.status == 1
    assert "not watched" in outcome.errors


def test_a_full_disk_is_an_error(daemon):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(daemon.ctl_command("--json", "ps"), stdout=full, check=False,
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode != 0


def test_targets_shows_probes_and_backend(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")
    target = next(target for target in daemon.ctl("targets")["targets"]
                  if target["pid"] == program.pid and not target["ended"])
    assert target["allocators"] == "glibc"
    assert target["probes"] >= 10
    assert target["persistent"]
    outcome = daemon.try_ctl("targets")
    assert str(program.pid) in outcome.output
    assert "allocators" in outcome.output


def test_doctor_says_what_this_kernel_offers(daemon):
    answer = daemon.ctl("doctor")
    assert answer["healthy"]
    assert all(check["state"] in ("ok", "missing", "degraded") for check in answer["checks"])
    assert all(check["state"] == "ok" or check["remedy"] for check in answer["checks"])
    # What a probed call costs lies between a fast machine and a nested virtual one.
    assert 100 < answer["costs_ns"]["allocation_exact"] < 100_000


def test_top_k_limits_the_sites(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")
    answer = daemon.ctl("leaks", "--all", "--pid", program.pid, "--for", 0, "--top", 3)
    assert len(answer["sites"]) == 3
    assert answer["sites_total"] >= 10
