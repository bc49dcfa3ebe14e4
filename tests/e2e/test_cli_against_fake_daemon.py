# SPDX-License-Identifier: Apache-2.0
"""memwatchctl alone, against a daemon that says what the test wants it to say."""
import copy
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from harness import paths
from harness.fake_daemon import ANSWERS, LEAKS, OOM, PROCESS, TARGET, account, error, site
from harness.memwatchctl import (COMMANDS, RENEWABLE, REQUESTS, ctl, environment, observe,
                                 on_terminal)
from harness.wait import eventually

HOSTILE = "\033[2J\033]0;owned\007\n\r\x9b31mx\u202e\x7f"
ESCAPE = "\033"


def assert_harmless(text):
    for character in text.replace("\n", ""):
        assert character.isprintable(), f"{character!r} in {text!r}"


# ---- usage

def test_help_of_the_program_names_every_command(fake):
    result = ctl(fake, "--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command.removeprefix('one ')} " in result.stdout
    assert "--socket PATH" in result.stdout


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"one oom"}))
def test_help_of_each_command_fits_a_terminal(fake, command):
    result = ctl(fake, command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: memwatchctl {command}")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert not fake.requests


def test_version(fake):
    result = ctl(fake, "--version")
    assert result.returncode == 0
    assert result.stdout.startswith("memwatchctl ")


@pytest.mark.parametrize("arguments, named", [
    ([], "--help"),
    (["frobnicate"], "frobnicate"),
    (["--frobnicate", "ps"], "--frobnicate"),
    (["leaks"], "--pid"),
    (["leaks", "--pid", "0"], "--pid"),
    (["leaks", "--pid", "x"], "--pid"),
    (["leaks", "--pid", "1", "--for", "-1"], "--for"),
    (["leaks", "--pid", "1", "--top", "x"], "--top"),
    (["leaks", "--pid", "1", "--interval", "64x"], "--interval"),
    (["leaks", "--pid", "1", "--interval", "64KiB", "--exact"], "exclude"),
    (["leaks", "--pid", "1", "--for", "0", "--exact"], "--for 0"),
    (["watch", "--pid", "1", "--interval", "64KiB", "--exact"], "exclude"),
    (["watch", "--pid", "1", "--budget", "3", "--force"], "lifts the budget"),
    (["watch", "--pid", "1", "--retry", "--force"], "lifts the budget"),
    (["watch", "--pid", "1", "--budget", "101"], "from 1 to 100"),
    (["leaks", "--pid", "1", "--budget", "3", "--force"], "exclude"),
    (["leaks", "--pid", "1", "--for", "0", "--force"], "no place"),
    (["stacks", "--pid", "1", "--sort", "size"], "outstanding or allocated"),
    (["ps", "4242"], "4242"),
    (["oom", "0"], "ID"),
])
def test_wrong_usage_exits_with_2_and_names_what_is_wrong(fake, arguments, named):
    result = ctl(fake, *arguments)
    assert result.returncode == 2
    assert named in result.stderr
    assert not result.stdout
    assert not fake.requests


# ---- exit codes

@pytest.mark.parametrize("code, status, exit_code", [
    ("bad_request", 400, 2), ("no_such_process", 404, 4), ("not_permitted", 403, 5),
    ("not_a_target", 404, 1), ("not_found", 404, 1), ("conflict", 409, 1),
    ("unsupported_process", 422, 1), ("too_many_targets", 429, 1), ("internal", 500, 1),
    ("unsupported_kernel", 501, 1), ("something_new", 418, 1),
])
@pytest.mark.parametrize("command", ["leaks", "stacks", "watch", "unwatch", "doctor"])
def test_errors_of_the_daemon_are_shown_and_decide_the_exit_code(fake, command, code, status,
                                                                exit_code):
    fake.answers[REQUESTS[command]] = error(status, code, f"the reason {HOSTILE}")
    result = ctl(fake, *COMMANDS[command])
    assert result.returncode == exit_code
    assert result.stderr.startswith("memwatchctl: the reason ")
    assert not result.stdout
    assert_harmless(result.stderr)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_daemon_exits_with_3_and_says_what_to_do(tmp_path, command):
    result = ctl(tmp_path / "nothing", *COMMANDS[command])
    assert result.returncode == 3
    assert f"{tmp_path}/nothing: No such file or directory" in result.stderr
    assert "systemctl start memwatchd" in result.stderr


def test_a_dead_daemons_socket_exits_with_3(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "dead"))
    result = ctl(tmp_path / "dead", "ps")
    assert result.returncode == 3
    assert "Connection refused" in result.stderr


def test_a_daemon_that_dies_while_asked_exits_with_3(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "dying"))
        listener.listen()

        def answer_nothing():
            connection, _ = listener.accept()
            connection.recv(1)
            connection.close()

        killer = threading.Thread(target=answer_nothing)
        killer.start()
        result = ctl(tmp_path / "dying", "ps")
        killer.join()
    assert result.returncode == 3
    assert "no answer from memwatchd" in result.stderr


def test_a_path_that_no_socket_can_have_exits_with_3(tmp_path):
    assert ctl(tmp_path / ("x" * 200), "ps").returncode == 3


def test_a_forbidden_socket_exits_with_5(fake, tmp_path):
    program = shutil.copy(paths.MEMWATCHCTL, "/tmp/memwatchctl-of-nobody-" + str(os.getpid()))
    os.chmod(fake.socket_path, 0o600)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith("pytest-"):
            os.chmod(folder, 0o755)
    try:
        result = subprocess.run([program, "ps"], env=environment(fake), user=paths.NOBODY,
                                capture_output=True, encoding="utf-8", check=False)
    finally:
        os.unlink(program)
    assert result.returncode == 5
    assert "not permitted to open" in result.stderr


@pytest.mark.parametrize("body", [b"", b"not JSON", b'{"cut": '])
def test_an_answer_that_is_no_json_is_an_error(fake, body):
    fake.answers[REQUESTS["ps"]] = (200, body)
    result = ctl(fake, "ps")
    assert result.returncode == 1
    assert "is it memwatchd" in result.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("body", [{}, [], None, 7, "x"])
def test_fields_that_are_missing_do_no_harm(fake, command, body):
    fake.answers[REQUESTS[command]] = body
    assert ctl(fake, *COMMANDS[command]).returncode in (0, 1)


def test_doctor_exits_with_1_when_something_is_missing(fake):
    fake.answers[REQUESTS["doctor"]] = {
        "healthy": False, "costs_ns": {},
        "checks": [{"name": "btf", "state": "missing", "detail": "no /sys/kernel/btf/vmlinux",
                    "remedy": "CONFIG_DEBUG_INFO_BTF=y"}]}
    result = ctl(fake, "doctor")
    assert result.returncode == 1
    assert "CONFIG_DEBUG_INFO_BTF=y" in result.stdout
    assert ctl(fake, "--json", "doctor").returncode == 1


def test_an_answer_that_cannot_be_written_is_an_error(fake):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([paths.MEMWATCHCTL, "ps"], env=environment(fake), stdout=full,
                                stderr=subprocess.PIPE, encoding="utf-8", check=False)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr


# ---- --json

# `watch` adds what it has learned since, see below; the others sum up, see test_cli_lines.py and
# test_cli_snapshot.py.
SUMMED_UP = {"lines", "snapshot", "diff"}


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"watch"} - SUMMED_UP))
def test_json_prints_the_answer_as_it_came(fake, command):
    for arguments in (["--json", *COMMANDS[command]], [*COMMANDS[command], "--json"]):
        result = ctl(fake, *arguments)
        assert result.returncode == 0
        assert json.loads(result.stdout) == ANSWERS[REQUESTS[command]]
        assert not result.stderr


def test_the_socket_option_wins_over_the_environment(fake):
    result = ctl("/nowhere", "--socket", fake.socket_path, "status")
    assert result.returncode == 0


def test_a_proxy_of_the_environment_is_of_no_concern(fake):
    assert ctl(fake, "status", http_proxy="http://127.0.0.1:1").returncode == 0


# ---- hostile names

def poisoned(value):
    """The same answer with a hostile text in every place where a target has a say."""
    if isinstance(value, dict):
        return {key: poisoned(item) if not isinstance(item, str) or key in
                ("verdict", "state", "kind") else HOSTILE for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return value


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_hostile_names_never_reach_the_terminal(fake, command):
    fake.answers[REQUESTS[command]] = poisoned(ANSWERS[REQUESTS[command]])
    assert_harmless(ctl(fake, *COMMANDS[command]).stdout)
    # Progress is written over itself.
    assert_harmless(on_terminal(fake, *COMMANDS[command], NO_COLOR="1").replace("\r", ""))
    as_json = ctl(fake, "--json", *COMMANDS[command]).stdout
    assert not any(character < " " or "\x7f" <= character < "\xa0"
                   for character in as_json.replace("\n", ""))
    if command in SUMMED_UP:
        assert HOSTILE in json.loads(as_json).get("after", json.loads(as_json))["comm"]
        return
    # `watch` adds what it has learned since.
    assert json.loads(as_json).items() >= fake.answers[REQUESTS[command]].items()


def test_hostile_names_never_reach_the_terminal_while_observing(fake):
    fake.answers[REQUESTS["leaks"]] = poisoned(LEAKS)
    fake.answers[f"GET {RENEWABLE}"] = {**PROCESS, "comm": HOSTILE, "target": TARGET}
    output = on_terminal(fake, "leaks", "--pid", "4242", "--for", "0.1", NO_COLOR="1")
    assert "observing" in output
    assert_harmless(output.replace("\r", ""))


def test_bytes_that_are_no_utf8_are_escaped(fake):
    body = json.dumps({**PROCESS, "comm": "PLACE"}).encode().replace(b"PLACE", b"a\x9bb\xff")
    body = b'{"processes_total": 1, "processes": [' + body + b"]}"
    fake.answers[REQUESTS["ps"]] = (200, body)
    assert "a\\x9bb\\xff" in ctl(fake, "ps").stdout
    answer = json.loads(ctl(fake, "--json", "ps").stdout)
    assert answer["processes"][0]["comm"] == "a\ufffdb\ufffd"


def test_an_ascii_locale_gets_ascii(fake):
    fake.answers[REQUESTS["ps"]]["processes"][0]["comm"] = "größe"
    assert "gr\\xc3\\xb6\\xc3\\x9fe" in ctl(fake, "ps", LANG="C").stdout
    assert ctl(fake, *COMMANDS["leaks"], LANG="C").stdout.isascii()


# ---- terminals

def test_color_is_for_terminals_that_want_it(fake):
    assert ESCAPE in on_terminal(fake, *COMMANDS["leaks"])
    assert ESCAPE not in on_terminal(fake, *COMMANDS["leaks"], NO_COLOR="1")
    assert ESCAPE not in on_terminal(fake, *COMMANDS["leaks"], TERM="dumb")
    assert ESCAPE not in ctl(fake, *COMMANDS["leaks"]).stdout


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_lines_fit_an_80_column_terminal(fake, command):
    stack = fake.answers[REQUESTS["stacks"]]["sites"][0]["stack"]
    stack[0]["function"] = "std::map<std::string, std::vector<cache::Entry>>::operator[]" * 3
    stack[0]["file"] = "/a/very/long/path" * 10 + "/store.cc"
    fake.answers[REQUESTS["oom"]]["ooms"] = [{**OOM, "cgroup": "/kubepods/burstable" * 10}]
    output = on_terminal(fake, *COMMANDS[command], NO_COLOR="1").replace("\r", "\n")
    assert output
    assert max(map(len, output.splitlines())) <= 80
    if command == "stacks":
        assert "/store.cc:42\n" in output


def test_nothing_is_cut_on_a_pipe(fake):
    fake.answers[REQUESTS["oom"]]["ooms"][0]["cgroup"] = "/kubepods/burstable" * 10
    assert "/kubepods/burstable" * 10 in ctl(fake, "oom").stdout


# ---- what the reports say

def test_leaks_leads_with_the_leak_and_tells_everything_about_it(fake):
    text = ctl(fake, *COMMANDS["leaks"]).stdout
    assert text.splitlines()[0] == "leaky (pid 4242): 1 leak holds 117 MiB and grows by 20.0 MiB/s"
    for part in ("118 MiB ± 1.20 MiB in 1,117 objects at 14 sites", "one sample every 64.0 KiB",
                 "cost 1.2% of a CPU", "complete",
                 " 1  LEAK     117 MiB ± 1.20 MiB  +20.0 MiB/s  1,117 objects  oldest 30 s",
                 "in 15 of 15 generations",
                 "cache::Store::remember(std::string const&)  /srv/src/cache/store.cc:42",
                 "libweb.so.2+0x2000", "libc.so.6+0x2724a", " 2  GROWING  512 KiB",
                 "12 other sites are steady or caches: --all shows them"):
        assert part in text


def test_leaks_says_plainly_that_there_is_none(fake):
    fake.answers[REQUESTS["leaks"]] = account([], sites_total=12)
    text = ctl(fake, *COMMANDS["leaks"]).stdout
    assert text.startswith("leaky (pid 4242): no leak seen in 30 s\n")
    assert "12 sites are steady or caches: --all shows them" in text


def test_leaks_says_that_names_are_still_to_come(fake):
    fake.answers[REQUESTS["leaks"]] = account([site("leak", 1 << 20)], pending_frames=1234)
    text = ctl(fake, *COMMANDS["leaks"]).stdout
    assert "of 1,234 frames they are still being looked up: ask again" in text
    fake.answers[REQUESTS["leaks"]] = account([site("leak", 1 << 20)], pending_frames=0)
    assert "looked up" not in ctl(fake, *COMMANDS["leaks"]).stdout


def test_status_says_how_many_names_are_still_to_come(fake):
    assert "of 12 frames still to be looked up" in ctl(fake, *COMMANDS["status"]).stdout


def test_leaks_says_when_growth_is_no_proof_yet(fake):
    fake.answers[REQUESTS["leaks"]] = account([site("growing", 1 << 20)])
    first = ctl(fake, *COMMANDS["leaks"]).stdout.splitlines()[0]
    assert "no leak proven in 30 s, but 1 site grows by 20.0 MiB/s" in first


def test_leaks_shows_what_is_missing_from_the_account(fake):
    fake.answers[REQUESTS["leaks"]] = account(
        [], complete=False, incomplete_reason="1234 blocks are not accounted because of this")
    text = ctl(fake, *COMMANDS["leaks"]).stdout
    assert "INCOMPLETE: 1234 blocks are not accounted because of this" in text


def test_leaks_shows_losses_that_come_without_a_reason(fake):
    fake.answers[REQUESTS["leaks"]] = account(
        [], complete=False, losses={"map_full": 1234, "error": 0, "something_new": 5})
    lines = ctl(fake, *COMMANDS["leaks"]).stdout.splitlines()
    assert "  account      INCOMPLETE" in lines
    assert any("1,234 blocks not counted: the table of blocks is full" in line for line in lines)
    assert any("5 something_new" in line for line in lines)
    assert not any("no kernel memory" in line for line in lines)


def test_what_was_made_good_is_no_loss(fake):
    for target in fake.answers[REQUESTS["targets"]]["targets"]:
        target["losses"] = {"abandoned_calls": 3, "missed_frees": 2}
    assert "incomplete" not in ctl(fake, "targets").stdout
    fake.answers[REQUESTS["status"]]["losses"] = {"abandoned_calls": 3}
    assert "lost           nothing" in ctl(fake, "status").stdout


def test_leaks_lists_ten_sites_unless_told_otherwise(fake):
    fake.answers[REQUESTS["leaks"]] = account([site("leak", 1 << 20)] * 14)
    text = ctl(fake, *COMMANDS["leaks"]).stdout
    assert "14 leaks hold 14.0 MiB" in text
    assert text.count("LEAK ") == 10
    assert "4 more sites hold 4.00 MiB: --top 14 shows all" in text
    assert ctl(fake, *COMMANDS["leaks"], "--top", "1").stdout.count("LEAK ") == 1
    assert ctl(fake, *COMMANDS["leaks"], "--top", "0").stdout.count("LEAK ") == 14


def test_leaks_passes_its_options_on(fake):
    ctl(fake, "--json", *COMMANDS["leaks"], "--all", "--top", "3")
    assert fake.requests == [f"GET {RENEWABLE}/leaks?all=1&top=3"]


def test_stacks_and_ps_pass_their_options_on(fake):
    ctl(fake, *COMMANDS["stacks"], "--sort", "allocated", "--top", "3")
    ctl(fake, "ps", "--top", "5")
    ctl(fake, "ps")
    ctl(fake, "ps", "--json")
    assert fake.requests == [f"GET {RENEWABLE}/stacks?sort=allocated&top=3",
                             "GET /api/v1/processes?top=5", "GET /api/v1/processes?top=20",
                             "GET /api/v1/processes?top=0"]


def test_watch_passes_its_interval_on(fake):
    ctl(fake, *COMMANDS["watch"])
    ctl(fake, *COMMANDS["watch"], "--interval", "64KiB")
    ctl(fake, *COMMANDS["watch"], "--exact")
    ctl(fake, *COMMANDS["watch"], "--exact", "--force")
    ctl(fake, *COMMANDS["watch"], "--budget", "5", "--retry")
    watch = f"PUT {RENEWABLE}/watch"
    assert [request for request in fake.requests if request != "GET /api/v1/targets"] == [
        watch, f"{watch}?interval=65536", f"{watch}?interval=1", f"{watch}?interval=1&force=1",
        f"{watch}?budget=5&retry=1"]


def test_watch_says_what_it_costs(fake):
    assert ctl(fake, *COMMANDS["watch"]).stdout == (
        "process 4242 is watched: one sample every 64.0 KiB; the probes cost 2.1% of its time, "
        "the budget is 30%\n")
    answer = json.loads(ctl(fake, "--json", *COMMANDS["watch"]).stdout)
    assert answer.items() >= ANSWERS[REQUESTS["watch"]].items()
    assert answer["overhead_share"] == 0.021 and answer["budget_share"] == 0.3
    assert answer["ended"] is False and answer["over_budget"] is False


def test_watch_waits_for_the_first_look_at_the_cost(fake):
    answers = iter([None, None, 0.25])
    fake.answers["GET /api/v1/targets"] = lambda _: {
        "targets": [{**TARGET, "recent_overhead_share": next(answers, 0.25)}]}
    assert "the probes cost 25% of its time" in ctl(fake, *COMMANDS["watch"]).stdout


ENDED = {"ended": True, "end_reason": "ended_over_budget", "over_budget": True,
         "end_detail": "its probes cost 84% of its time, the budget is 30%; use --force to go on"}
STOPPED = ("memwatchctl: the watch of process 4242 was stopped over its budget: its probes cost "
           "84% of its time, the budget is 30%; use --force to go on\n")


def test_a_watch_over_budget_exits_with_6(fake):
    looks = iter([{"over_budget": True}, {"over_budget": True}])
    fake.answers["GET /api/v1/targets"] = lambda _: {
        "targets": [{**TARGET, **next(looks, ENDED)}]}
    result = ctl(fake, *COMMANDS["watch"])
    assert (result.returncode, result.stdout, result.stderr) == (6, "", STOPPED)
    result = ctl(fake, "--json", *COMMANDS["watch"])
    assert result.returncode == 6
    assert json.loads(result.stdout)["end_reason"] == "ended_over_budget"


@pytest.mark.parametrize("option", ["--force", "--retry"])
def test_who_need_not_wait_for_the_end_does_not(fake, option):
    fake.answers["GET /api/v1/targets"] = {"targets": [{**TARGET, "over_budget": True}]}
    result = ctl(fake, *COMMANDS["watch"], option)
    assert result.returncode == 0
    assert "over its budget" in result.stderr
    assert fake.requests.count("GET /api/v1/targets") == 1


def test_leaks_over_budget_reports_and_exits_with_6(fake):
    fake.answers[f"GET {RENEWABLE}"] = lambda _: {
        **PROCESS, "target": {**TARGET, "ended": True}}
    fake.answers[f"GET {RENEWABLE}/leaks"] = {
        **LEAKS, **ENDED, "complete": False, "incomplete_reason": "the watch was ended"}
    result = ctl(fake, *observe())
    assert (result.returncode, result.stderr) == (6, STOPPED)
    assert "INCOMPLETE: the watch was ended" in result.stdout
    assert "1 leak holds" in result.stdout


def test_leaks_passes_its_budget_on(fake):
    ctl(fake, *observe("--budget", "7"))
    ctl(fake, *observe("--force"))
    puts = [request for request in fake.requests if request.startswith("PUT")]
    assert puts == [f"PUT {RENEWABLE}/watch?lease=16&budget=7",
                    f"PUT {RENEWABLE}/watch?lease=16&force=1"]


def test_an_oom_victim_that_was_watched_is_shown_with_what_it_held(fake):
    text = ctl(fake, "oom", "1").stdout
    assert "leaky (pid 4242) was killed for want of memory" in text
    assert "/system.slice/leaky.service" in text
    assert "/srv/src/cache/store.cc:42" in text


def test_an_oom_victim_of_an_old_kernel_has_unknown_sizes(fake):
    oom = fake.answers[REQUESTS["one oom"]]
    oom.update({key: None for key in oom if key.endswith("_bytes")}, held=None, was_target=False)
    fake.answers[REQUESTS["oom"]]["ooms"] = [oom]
    text = ctl(fake, "oom", "1").stdout
    assert "this kernel doesn't say" in text
    assert "It was not watched" in text
    assert "?" in ctl(fake, "oom").stdout


def test_no_oom_kill_and_no_target_are_said_in_words(fake):
    fake.answers[REQUESTS["oom"]] = {"oom_kills_total": 0, "ooms": []}
    fake.answers[REQUESTS["targets"]] = {"targets": []}
    assert "no OOM kill" in ctl(fake, "oom").stdout
    assert "no process is watched" in ctl(fake, "targets").stdout


def test_targets_shows_losses_and_why_a_watch_ended(fake):
    text = ctl(fake, "targets").stdout
    assert "ended: exited" in text
    assert "3 blocks not counted" in text


def test_targets_shows_cost_against_budget_and_what_was_done(fake):
    text = ctl(fake, "targets").stdout
    assert "2.1%" in text and " 30%" in text
    assert "the interval was raised from 16.0 KiB to 64.0 KiB" in text
    waiting = next(line for line in text.splitlines() if "busy" in line)
    assert waiting.split()[-7:] == ["84%", "3.0%", "watched", "again", "in", "40", "s"]


def test_targets_shows_who_waits_when_nobody_is_watched(fake):
    fake.answers["GET /api/v1/targets"]["targets"] = []
    assert "watched again in 40 s" in ctl(fake, "targets").stdout
