# SPDX-License-Identifier: Apache-2.0
"""Stacks as text: each site's is there in full, though what sites share is printed once."""
import copy
import itertools

import pytest

from harness import report
from harness.fake_daemon import FRAMES, account, site
from harness.memwatchctl import COMMANDS, REQUESTS, ctl, on_terminal
from harness.wait import eventually_passes

SAVED_MIN = 2


def common(one, other):
    """How many of their outermost frames two sites share; not the innermost functions."""
    if one["stack_end"] != other["stack_end"]:
        return 0
    pairs = zip(reversed(one["stack"]), reversed(other["stack"]))
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def own(site_answer):
    """How many frames belong to the innermost function."""
    stack = site_answer["stack"]
    return next((i + 1 for i, frame in enumerate(stack) if not frame["inlined"]), len(stack))


def assert_unfolds(text, sites):
    """The text says what the JSON says, and no more than once."""
    read = report.read(text)
    assert [one.frames for one in read] == [report.frames(answer) for answer in sites]
    for i, (one, answer) in enumerate(zip(read, sites)):
        assert bool(one.mark) == (answer["stack_end"] != "root")
        count = one.shared[1] if one.shared else 0
        if one.shared:
            earlier = sites[one.shared[0] - 1]
            assert common(earlier, answer) >= count
            assert earlier["stack_end"] == answer["stack_end"]
        # The innermost function stands there, and no more than a line of what could be spared.
        most = max((common(earlier, answer) for earlier in sites[:i]), default=0)
        shareable = min(most, len(answer["stack"]) - own(answer))
        assert shareable - SAVED_MIN < count <= shareable
    return read


def assert_text_is_the_answer(daemon, pid):
    """`stacks` of a program that is at rest, folded and whole; the sites read from the former."""
    def check():
        sites = daemon.sites(pid)
        folded = daemon.try_ctl("stacks", "--pid", pid).output
        whole = daemon.try_ctl("stacks", "--pid", pid, "--full").output
        # Nothing has come meanwhile.
        assert [one["stack"] for one in sites] == [one["stack"] for one in daemon.sites(pid)]
        for one, answer in zip(report.read(whole), sites, strict=True):
            assert one.frames == report.frames(answer)
            assert len(one.lines) == len(answer["stack"]) + (answer["stack_end"] != "root")
        return assert_unfolds(folded, sites)

    return eventually_passes(check)


def test_callers_that_sites_share_are_printed_once(daemon, run):
    program = run("callers")
    daemon.watch(program)
    program.tell("serve 50")
    sites = assert_text_is_the_answer(daemon, program.pid)
    names = [[name for name, _ in one.frames] for one in sites]
    deep = [one for one, name in zip(sites, names) if name.count("descend_further") == 50]
    assert len(deep) == 3
    assert all(len(one.lines) < 15 for one in deep)
    handled = [one for one, name in zip(sites, names)
               if "worker" not in name and "descend" not in name and "handle" in name]
    assert len(handled) == 3
    assert sum("main" in line for one in sites for line in one.lines) <= len(sites)
    # What the thread does ends elsewhere: it shares callers with itself alone.
    in_thread = {i + 1 for i, name in enumerate(names) if "worker" in name}
    assert len(in_thread) == 4
    assert all(sites[number - 1].shared is None or sites[number - 1].shared[0] in in_thread
               for number in in_thread)
    # Inlined functions are among what is own and what is shared.
    assert any("box_new (inlined)" in line for one in sites for line in one.lines)
    assert any("parse (inlined)" in name for name in names)
    assert program.end() == 0


@pytest.mark.parametrize("build", ["gcc_O2", "clang_O0_frame_pointer"])
def test_deep_truncated_and_interrupted_stacks_unfold(daemon, run, build):
    program = run(f"frames_{build}")
    daemon.watch(program)
    program.tell("go")
    sites = assert_text_is_the_answer(daemon, program.pid)
    longest = max(sites, key=lambda one: len(one.frames))
    assert len(longest.frames) >= 127
    assert longest.mark.startswith("(deeper than what is recorded")
    assert len(longest.lines) < 10
    program.send("end")


def test_leaks_folds_and_ranks_as_ever(daemon, run):
    program = run("callers")
    daemon.watch(program)
    program.tell("serve 10")
    arguments = ["leaks", "--pid", program.pid, "--for", 0, "--all", "--top", 0]

    def check():
        sites = daemon.ctl(*arguments)["sites"]
        folded = daemon.try_ctl(*arguments).output
        whole = daemon.try_ctl(*arguments, "--full").output
        assert_unfolds(folded, sites)
        assert any(one.shared for one in report.read(folded))
        assert [one.frames for one in report.read(whole)] == list(map(report.frames, sites))
        assert not any(one.shared for one in report.read(whole))

    eventually_passes(check)
    assert program.end() == 0


# ---- with a daemon that says what a test wants

def leaky(*functions, **more):
    """Innermost first."""
    stack = [{**copy.deepcopy(FRAMES[0]), "function": function, "inlined": False,
              "line": index} for index, function in enumerate(functions, 1)]
    for frame in stack:
        frame["line"] = frame["offset"] = sum(frame["function"].encode())
    return site("leak", 1 << 20, stack=stack, stack_end="root", **more)


SITES = [leaky("read", "load", "main", "_start"), leaky("parse", "main", "_start"),
         leaky("open", "load", "main", "_start"), leaky("exit", "_start")]


@pytest.mark.parametrize("command", ["leaks", "stacks"])
def test_folding_is_of_the_text_alone(fake, command):
    answer = account(SITES)
    fake.answers[REQUESTS[command]] = answer
    text = ctl(fake, *COMMANDS[command]).stdout
    assert [one.shared for one in assert_unfolds(text, SITES)] == [None, (1, 2), (1, 3), None]
    whole = ctl(fake, *COMMANDS[command], "--full").stdout
    assert [len(one.lines) for one in report.read(whole)] == [4, 3, 4, 2]
    for more in ([], ["--full"]):
        as_json = ctl(fake, "--json", *COMMANDS[command], *more).stdout
        assert as_json == ctl(fake, "--json", *COMMANDS[command]).stdout
    assert all(len(one["stack"]) >= 2 for one in answer["sites"])


def test_what_an_oom_victim_held_is_folded_too(fake):
    fake.answers[REQUESTS["one oom"]]["held"] = account(SITES)
    assert_unfolds(ctl(fake, *COMMANDS["one oom"]).stdout, SITES)
    whole = ctl(fake, *COMMANDS["one oom"], "--full").stdout
    assert [len(one.lines) for one in report.read(whole)] == [4, 3, 4, 2]


def test_only_sites_that_are_shown_are_referred_to(fake):
    fake.answers[REQUESTS["leaks"]] = account(SITES)
    for top in range(1, 4):
        text = ctl(fake, *COMMANDS["leaks"], "--top", str(top)).stdout
        assert len(assert_unfolds(text, SITES[:top])) == top


def test_what_leads_to_another_site_fits_a_terminal_and_is_harmless(fake):
    name = "\033[2J" + "std::vector<" * 30
    fake.answers[REQUESTS["stacks"]] = account(
        [leaky("read", name, "main"), leaky("open", name, "main")])
    text = on_terminal(fake, *COMMANDS["stacks"], NO_COLOR="1")
    [line] = [line for line in text.splitlines() if "callers as in site 1, from \\x1b[2Jstd" in line]
    assert line.endswith(")") and "store.cc:" in line
    assert max(map(len, text.splitlines())) <= 80
    assert "\033" not in text
