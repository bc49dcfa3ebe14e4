# SPDX-License-Identifier: Apache-2.0
"""
The RSS profile: which code resident memory grew and shrank by. What is true the programs say
themselves, and /proc/PID/smaps_rollup.
"""
import collections
import pathlib

import pytest

from harness import paths
from harness.resident import (BESIDE_BYTES, FUNCTIONS, MIB, SHARE_ERROR, START_BYTES,
                              assert_grown_as_touched, assert_shares, by_function, rss_sites,
                              touched)
from harness.wait import eventually, eventually_passes


def anonymous_bytes(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) << 10 for line in rollup.splitlines()
                if line.startswith("Anonymous:"))


@pytest.fixture
def resident(daemon, run):
    program = run("resident")
    daemon.ctl("watch", "--force", "--pid", program.pid)
    return program


@pytest.mark.parametrize("command", ["touch 300", "touch_huge 300", "alternate 200",
                                     "touch_by_threads 300", "fill_by_kernel 100"])
def test_memory_grows_by_who_touches_it(daemon, resident, command):
    before = anonymous_bytes(resident.pid)
    resident.tell(command)
    assert_grown_as_touched(daemon, resident)
    profile = rss_sites(daemon, resident.pid)["rss_profile"]
    grown = anonymous_bytes(resident.pid) - before
    assert abs(profile["grown_bytes_by_kind"]["anonymous"] - grown) <= BESIDE_BYTES
    # The loader resolves a name on its first call in a frame that no table describes.
    assert profile["samples_to_root"] >= 0.99 * profile["samples"]
    assert profile["lost_samples"] == profile["samples_without_stack"] == 0
    assert resident.end() == 0


def test_what_is_shared_is_told_apart(daemon, resident):
    resident.tell("share 100")
    assert_grown_as_touched(daemon, resident)
    answer = rss_sites(daemon, resident.pid)
    shared = sum(site["rss_grown_bytes_by_kind"]["shared"] for site in answer["sites"])
    assert abs(shared - 100 * MIB) <= BESIDE_BYTES
    assert resident.end() == 0


@pytest.mark.parametrize("touch", ["touch", "touch_huge"])
def test_memory_shrinks_by_who_gives_it_back(daemon, resident, touch):
    resident.tell(f"{touch} 200")
    assert_grown_as_touched(daemon, resident)
    resident.tell("give_back 100")
    resident.tell("take_down")

    def check():
        answer = rss_sites(daemon, resident.pid)
        shrunk = by_function(answer, FUNCTIONS, "rss_shrunk_bytes")
        assert abs(shrunk["give_back"] - 100 * MIB) <= BESIDE_BYTES
        rest = sum(touched(resident).values()) - 100 * MIB
        assert abs(shrunk["take_down"] - rest) <= BESIDE_BYTES
        assert sum(shrunk.values()) <= 200 * MIB + BESIDE_BYTES
        assert abs(answer["rss_profile"]["growth_bytes"]) <= 2 * BESIDE_BYTES

    eventually_passes(check)
    assert resident.end() == 0


def test_a_fork_touches_what_is_its_own(daemon, resident):
    resident.tell("touch 100")
    assert_grown_as_touched(daemon, resident)
    before = rss_sites(daemon, resident.pid)["rss_profile"]
    resident.tell("fork_and_touch 200")
    after = rss_sites(daemon, resident.pid)["rss_profile"]
    assert after["growth_bytes"] - before["growth_bytes"] <= BESIDE_BYTES
    assert after["grown_elsewhere_bytes"] - before["grown_elsewhere_bytes"] <= BESIDE_BYTES
    assert_grown_as_touched(daemon, resident)
    assert resident.end() == 0


def test_an_exit_shrinks_no_site(daemon, resident):
    resident.tell("touch 200")
    assert_grown_as_touched(daemon, resident)
    assert resident.end() == 0

    def check():
        answer = rss_sites(daemon, resident.pid)
        assert answer["ended"]
        assert sum(site["rss_shrunk_bytes"] for site in answer["sites"]) <= BESIDE_BYTES
        assert_shares({function: size for function, size in by_function(answer, FUNCTIONS).items()
                       if function}, touched(resident))

    eventually_passes(check)


def test_a_program_that_is_executed_begins_anew(daemon, run):
    """It is followed from its first instruction, by a profile of its own."""
    program = run("/bin/sh", "-c", f"""
        echo '{{}}'; read line; exec {paths.PROGRAMS / "resident"}""")
    daemon.ctl("watch", "--force", "--pid", program.pid)
    program.tell("go")
    program.tell("touch 100")
    assert_grown_as_touched(daemon, program, START_BYTES)
    assert program.end() == 0


def test_over_budget_the_profile_ends_before_the_watch(daemon, run):
    program = run("resident")
    daemon.put(f"{program.watch_path}?budget=1")
    program.tell("churn")
    eventually(lambda: not rss_sites(daemon, program.pid)["rss_profile"]["available"],
               "the profile ends")
    profile = rss_sites(daemon, program.pid)["rss_profile"]
    assert "budget" in profile["reason"]
    assert profile["samples"] > 0
    assert daemon.target(program.pid), "it is watched"
    program.tell("stop")
    assert program.end() == 0


def test_no_site_of_blocks_is_one_of_resident_memory(daemon, resident):
    resident.tell("touch 50")
    assert_grown_as_touched(daemon, resident)
    assert all(site["kind"] != "resident" for site in daemon.sites(resident.pid))
    sites = daemon.ctl("stacks", "--sort", "rss", "--pid", resident.pid)["sites"]
    assert {site["kind"] for site in sites} == {"resident"}
    growth = [site["rss_growth_bytes"] for site in sites]
    assert growth == sorted(growth, reverse=True)
    shown = daemon.try_ctl("stacks", "--sort", "rss", "--pid", resident.pid).output
    assert "resident; grown" in shown
    assert resident.end() == 0


# ---- Python

INNERMOST = {"in_thread": "extends_in_thread"}


def by_python_function(answer, functions, field):
    """By the outermost of these functions: each is all that happened while it ran."""
    sums = collections.Counter()
    for site in answer["sites"]:
        names = [INNERMOST.get(frame["function"], frame["function"]) for frame in site["stack"]
                 if frame["kind"] == "python"]
        sums[next((name for name in reversed(names) if name in functions), None)] += site[field]
    return sums


def test_memory_grows_and_shrinks_by_the_python_line(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "resident.py")
    daemon.ctl("watch", "--force", "--pid", program.pid)
    truth = {line["function"]: line["bytes"] for line in program.tell("grow")["lines"]}

    def check():
        answer = rss_sites(daemon, program.pid)
        found = by_python_function(answer, truth, "rss_growth_bytes")
        found.pop(None, 0)
        assert_shares(found, truth)

    eventually_passes(check)
    whole = [site for site in rss_sites(daemon, program.pid)["sites"]
             if any(frame["function"] == "fills_whole_array" for frame in site["stack"])]
    text = (paths.SCRIPTS / "resident.py").read_text(encoding="ascii").splitlines()
    lines = {frame["line"] for site in whole for frame in site["stack"]
             if frame["function"] == "fills_whole_array"}
    assert {text[line - 1].strip() for line in lines} == {"held[\"whole\"] = np.ones(120 * MIB // 8)"}
    both = {line["function"]: line["bytes"] for line in program.tell("drop")["lines"]}
    drops = {name: size for name, size in both.items() if name.startswith("drops")}

    def check_drops():
        found = by_python_function(rss_sites(daemon, program.pid), drops, "rss_growth_bytes")
        for name, size in drops.items():
            assert abs(found[name] - size) <= SHARE_ERROR * sum(truth.values()), (found, drops)

    eventually_passes(check_drops)
    assert program.end() == 0
