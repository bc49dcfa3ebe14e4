# SPDX-License-Identifier: Apache-2.0
"""memwatchctl while it observes a process, against a daemon that says what a test wants."""
import copy
import json
import signal
import subprocess
import threading

import pytest

from harness import paths
from harness.fake_daemon import ANSWERS, LEAKS, PROCESS, TARGET, error
from harness.memwatchctl import (COMMANDS, DEADLINE_SECONDS, RENEWABLE, REQUESTS, ctl, environment,
                                 observe, on_terminal, running)
from harness.wait import eventually


def without_looks(fake):
    return [request for request in fake.requests if request != f"GET {RENEWABLE}"]


def test_observing_takes_a_lease_and_gives_it_back_before_it_reports(fake):
    result = ctl(fake, *observe())
    assert result.returncode == 0
    assert "1 leak holds" in result.stdout
    assert not result.stderr
    assert without_looks(fake) == [f"PUT {RENEWABLE}/watch?lease=16",
                                   f"GET {RENEWABLE}/leaks?all=0&top=1000",
                                   f"DELETE {RENEWABLE}/watch?lease_id=7"]


def test_observing_asks_for_the_interval(fake):
    ctl(fake, *observe("--exact"))
    ctl(fake, *observe("--interval", "1M"))
    puts = [request for request in fake.requests if request.startswith("PUT")]
    assert puts == [f"PUT {RENEWABLE}/watch?lease=16&interval=1",
                    f"PUT {RENEWABLE}/watch?lease=16&interval=1048576"]


def test_observing_with_another_interval_than_the_watch_shows_the_conflict(fake):
    fake.answers[REQUESTS["watch"]] = error(409, "conflict", "already watched with 65536")
    result = ctl(fake, *observe("--exact"))
    assert result.returncode == 1
    assert result.stderr == "memwatchctl: already watched with 65536\n"
    assert len(fake.requests) == 1


def test_for_0_watches_nothing_and_fails_for_what_is_no_target(fake):
    fake.answers[REQUESTS["leaks"]] = error(
        404, "not_a_target", "the process is not watched (memwatchctl watch --pid N)")
    result = ctl(fake, *COMMANDS["leaks"])
    assert result.returncode == 1
    assert "memwatchctl watch --pid" in result.stderr
    assert fake.requests == [f"GET {RENEWABLE}/leaks?all=0&top=1000"]


@pytest.mark.parametrize("look", [error(404, "no_such_process", "gone"),
                                  {**PROCESS, "target": None},
                                  {**PROCESS, "target": {**TARGET, "ended": True}}])
def test_a_process_that_exits_while_observed_is_reported_with_what_was_known(fake, look):
    fake.answers[f"GET {RENEWABLE}"] = look
    fake.answers[REQUESTS["leaks"]] = {**LEAKS, "ended": True, "end_reason": "exited"}
    fake.answers[REQUESTS["unwatch"]] = error(404, "no_such_process", "gone")
    result = ctl(fake, *observe(seconds="60"))
    assert result.returncode == 0
    assert "process 4242 exited or is no longer watched" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "the watch has ended: exited" in result.stdout
    assert "1 leak holds" in result.stdout


def test_a_process_of_which_nothing_is_left_exits_with_4(fake):
    fake.answers[f"GET {RENEWABLE}"] = error(404, "no_such_process", "gone")
    fake.answers[REQUESTS["leaks"]] = error(404, "no_such_process", "gone")
    assert ctl(fake, *observe(seconds="60")).returncode == 4


def test_a_lease_that_cannot_be_given_back_is_said(fake):
    fake.answers[REQUESTS["unwatch"]] = error(500, "internal", "no luck")
    result = ctl(fake, *observe())
    assert result.returncode == 0
    assert "cannot end the watch of process 4242: no luck; it ends by itself" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_observation_with_a_report(fake, number):
    with running(fake, *observe(seconds="600")) as process:
        fake.wait_for_request(f"GET {RENEWABLE}")
        process.send_signal(number)
        output, words = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert "1 leak holds" in output
    assert "stopped early" in words
    assert fake.requests[-1] == f"DELETE {RENEWABLE}/watch?lease_id=7"


def test_a_second_signal_gives_up_but_gives_the_lease_back(fake):
    is_over = threading.Event()

    def never(_query):
        is_over.wait(DEADLINE_SECONDS)
        return LEAKS

    fake.answers[REQUESTS["leaks"]] = never
    with running(fake, *observe(seconds="600")) as process:
        fake.wait_for_request(f"GET {RENEWABLE}")
        process.send_signal(signal.SIGINT)
        fake.wait_for_request(f"GET {RENEWABLE}/leaks")

        def insist():
            process.send_signal(signal.SIGINT)
            return process.poll() is not None

        # Not just once more: signals that come at once count as one.
        eventually(insist, "it gives up", DEADLINE_SECONDS)
        output = process.stdout.read()
    is_over.set()
    assert process.returncode == -signal.SIGINT
    assert not output
    assert fake.requests[-1] == f"DELETE {RENEWABLE}/watch?lease_id=7"


def test_the_double_signal_of_timeout_is_one_wish_to_stop(fake):
    result = subprocess.run(["timeout", "-s", "INT", "1", paths.MEMWATCHCTL,
                             *observe(seconds="600")], env=environment(fake),
                            capture_output=True, encoding="utf-8", check=False)
    assert "1 leak holds" in result.stdout
    assert fake.requests[-1] == f"DELETE {RENEWABLE}/watch?lease_id=7"


def test_a_hangup_gives_the_lease_back_and_reports_nothing(fake):
    with running(fake, *observe(seconds="600")) as process:
        fake.wait_for_request(f"GET {RENEWABLE}")
        process.send_signal(signal.SIGHUP)
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == -signal.SIGHUP
    assert not output
    assert fake.requests[-1] == f"DELETE {RENEWABLE}/watch?lease_id=7"


def test_a_signal_while_the_watch_is_set_up_leaves_no_lease_behind(fake):
    is_signalled = threading.Event()

    def slow(_query):
        is_signalled.wait(DEADLINE_SECONDS)
        return ANSWERS[REQUESTS["watch"]]

    fake.answers[REQUESTS["watch"]] = slow
    with running(fake, *observe(seconds="600")) as process:
        fake.wait_for_request("PUT")
        process.send_signal(signal.SIGINT)
        is_signalled.set()
        process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert fake.requests[-1] == f"DELETE {RENEWABLE}/watch?lease_id=7"


def test_a_daemon_that_is_busy_is_asked_again(fake):
    answers = iter([error(503, "busy", "later")])
    fake.answers[f"GET {RENEWABLE}"] = lambda _query: next(answers,
                                                           ANSWERS[f"GET {RENEWABLE}"])
    result = ctl(fake, *observe(seconds="1.2"))
    assert result.returncode == 0
    assert not result.stderr


def test_progress_is_shown_on_a_terminal_and_wiped(fake):
    output = on_terminal(fake, *observe(), NO_COLOR="1")
    progress, _, rest = output.rpartition("\r")
    assert "observing leaky (pid 4242): 1 s left, 118 MiB outstanding" in progress
    assert rest.startswith("leaky (pid 4242): 1 leak holds")
    assert progress.endswith(" " * 79)
    assert all(len(line) < 80 for line in progress.split("\r"))


def test_json_of_an_observation_is_the_answer_alone(fake):
    result = ctl(fake, "--json", *observe())
    assert json.loads(result.stdout) == copy.deepcopy(LEAKS)
    assert not result.stderr
