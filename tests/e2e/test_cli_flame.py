# SPDX-License-Identifier: Apache-2.0
"""memwatchctl export and flame: the same numbers as `stacks` has, in files that others open."""
import collections
import copy
import json
import stat
import xml.etree.ElementTree

import pytest

from harness import browser
from harness.fake_daemon import FRAMES, account, error, site
from harness.memwatchctl import ctl
from harness.wait import eventually

STACKS = "GET /api/v1/processes/4242/stacks"
ROOM = 1180
HOSTILE = ["</script><script>document.title='owned'</script>", "]]><script>alert(1)</script>",
           "\" onmouseover=\"alert(1)", "<img src=x onerror=alert(1)>", "a;b\nc", "&amp;'", "\033[2J"]


def frame(function, module="/srv/leaky", **more):
    return {**copy.deepcopy(FRAMES[0]), "function": function, "module": module, **more}


def stack(*functions):
    """Outermost first, as they are read; innermost first, as they are told."""
    return [frame(function) for function in reversed(functions)]


def leaky(outstanding_bytes, *functions, **more):
    return site("leak", outstanding_bytes, stack=stack(*functions), stack_end="root", **more)


SITES = [leaky(600, "_start", "main", "load", "read"), leaky(300, "_start", "main", "load"),
         leaky(60, "_start", "main", "parse"), leaky(40, "start_thread", "work"),
         leaky(0, "_start", "main", "nothing")]


@pytest.fixture
def told(fake):
    fake.answers[STACKS] = account(copy.deepcopy(SITES), sites_total=len(SITES))
    return fake


@pytest.fixture
def folder(tmp_path):
    """An empty one: the daemon's socket lies elsewhere."""
    path = tmp_path / "made"
    path.mkdir()
    return path


def export(fake, format_name, *more):
    result = ctl(fake, "export", "--pid", "4242", "--format", format_name, *more)
    assert result.returncode == 0, result.stderr
    return result.stdout


def draw(fake, path, *more):
    result = ctl(fake, "flame", "--pid", "4242", "-o", path, *more)
    assert result.returncode == 0, result.stderr
    assert not result.stdout
    return path


@pytest.mark.parametrize("command", ["export", "flame"])
def test_help_fits_a_terminal(fake, command):
    result = ctl(fake, command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: memwatchctl {command} --pid N")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert f"\n  {command} " in ctl(fake, "--help").stdout


@pytest.mark.parametrize("command", [["export", "--format", "folded"], ["flame"]])
def test_names_that_are_still_to_come_are_told_of(fake, folder, command):
    fake.answers[STACKS] = account(copy.deepcopy(SITES), pending_frames=7)
    result = ctl(fake, *command, "--pid", "4242", "-o", folder / "made.svg")
    assert result.returncode == 0
    assert "of 7 frames are still being looked up" in result.stderr


@pytest.mark.parametrize("arguments, named", [
    (["export", "--pid", "1"], "--format FORMAT is missing"),
    (["export", "--pid", "1", "--format", "pdf"], "folded or speedscope"),
    (["export", "--pid", "1", "--format", "folded", "--json"], "--json"),
    (["flame", "--pid", "1"], "-o FILE is missing"),
    (["flame", "--pid", "1", "-o", "a.svg", "--json"], "--json"),
    (["flame", "--pid", "1", "-o", "a.svg", "--value", "size"], "outstanding or allocated or objects"),
])
def test_wrong_usage_is_told(fake, arguments, named):
    result = ctl(fake, *arguments)
    assert result.returncode == 2
    assert named in result.stderr
    assert not fake.requests


# ---- folded

def test_folded_has_a_line_for_each_stack(told):
    assert export(told, "folded").splitlines() == [
        "leaky;_start;main;load 300", "leaky;_start;main;load;read 600",
        "leaky;_start;main;parse 60", "leaky;start_thread;work 40"]


@pytest.mark.parametrize("value, number", [("allocated", 1800), ("objects", 1117)])
def test_other_values_can_be_had(told, value, number):
    assert f"leaky;_start;main;load;read {number}\n" in export(told, "folded", "--value", value)


def test_equal_stacks_are_one_line_and_what_is_not_whole_says_so(fake):
    cut = leaky(5, "main")
    cut["stack_end"] = "no_table"
    guessed = leaky(7, "_start", "main")
    guessed["stack_end"] = "guessed_root"
    fake.answers[STACKS] = account([leaky(1, "_start", "main"), leaky(2, "_start", "main"), cut, guessed])
    assert export(fake, "folded").splitlines() == [
        "leaky;[no_table];main 5", "leaky;_start;main 10"]


def test_names_cannot_break_folded_lines(fake):
    fake.answers[STACKS] = account([leaky(10 + i, "main", name) for i, name in enumerate(HOSTILE)])
    lines = export(fake, "folded").splitlines()
    assert len(lines) == len(HOSTILE)
    for line in lines:
        assert line.count(";") == 2
        assert line.isprintable()
    assert {int(line.rpartition(" ")[2]) for line in lines} == set(range(10, 10 + len(HOSTILE)))


# ---- speedscope

def test_speedscope_has_every_stack_and_its_weight(told):
    profile = json.loads(export(told, "speedscope"))
    assert profile["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = profile["shared"]["frames"]
    assert len(frames) == len({tuple(sorted(one.items())) for one in frames})
    [one] = profile["profiles"]
    assert (one["type"], one["unit"], one["startValue"], one["endValue"]) == ("sampled", "bytes", 0, 1000)
    stacks = {tuple(frames[index]["name"] for index in sample): weight
              for sample, weight in zip(one["samples"], one["weights"], strict=True)}
    assert stacks == {("_start", "main", "load", "read"): 600, ("_start", "main", "load"): 300,
                      ("_start", "main", "parse"): 60, ("start_thread", "work"): 40}
    assert {"name": "load", "file": "/srv/src/cache/store.cc", "line": 42} in frames


# ---- flame graphs, as documents

def frame_names(picture):
    return collections.Counter(one.get("data-name") for one in browser.frames_of(picture))


def test_a_flame_graph_is_a_picture_of_the_tree(told, tmp_path):
    path = draw(told, tmp_path / "a.svg")
    picture = xml.etree.ElementTree.parse(path).getroot()
    assert frame_names(picture) == collections.Counter(
        ["leaky", "_start", "main", "load", "read", "parse", "start_thread", "work"])
    shares = {one.get("data-name"): float(one.get("data-width"))
              for one in browser.frames_of(picture)}
    assert shares["leaky"] == pytest.approx(1)
    assert shares["load"] == pytest.approx(0.9)
    assert shares["read"] == pytest.approx(0.6)
    assert shares["start_thread"] == pytest.approx(0.04)
    for one in browser.frames_of(picture):
        assert browser.width_of(one) == pytest.approx(ROOM * float(one.get("data-width")), abs=0.01)
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444


def test_it_says_what_its_numbers_are_worth(fake, tmp_path):
    fake.answers[STACKS] = account([leaky(1000, "main")], complete=False, incomplete_reason="map <full>")
    text = draw(fake, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "estimated from one sample every 64.0 KiB" in text
    assert "incomplete: map &lt;full&gt;" in text


def test_frames_too_narrow_to_be_seen_are_counted(fake, tmp_path):
    many = [leaky(1, "main", f"narrow_{i}") for i in range(50)]
    fake.answers[STACKS] = account([leaky(1 << 30, "main", "wide"), *many])
    text = draw(fake, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "50 frames too narrow to be drawn" in text
    assert "narrow_" not in text


def test_a_process_that_holds_nothing_has_a_picture_too(fake, tmp_path):
    fake.answers[STACKS] = account([])
    picture = xml.etree.ElementTree.parse(draw(fake, tmp_path / "a.svg")).getroot()
    assert not browser.frames_of(picture)
    assert not export(fake, "folded")


def test_a_large_answer_is_no_burden(fake, tmp_path):
    sites = [leaky(1000 + i, *(f"f{i % 7}_{level}" for level in range(100)), f"leaf_{i}")
             for i in range(2000)]
    fake.answers[STACKS] = account(sites)
    picture = xml.etree.ElementTree.parse(draw(fake, tmp_path / "a.svg")).getroot()
    assert len(browser.frames_of(picture)) >= 700


# ---- where it goes

@pytest.mark.parametrize("name", ["a.png", "svg", "a.svg.gz"])
def test_other_names_are_refused(told, folder, name):
    result = ctl(told, "flame", "--pid", "4242", "-o", folder / name)
    assert result.returncode == 2
    assert ".svg or .html" in result.stderr
    assert not list(folder.iterdir())
    assert not told.requests


@pytest.mark.parametrize("command", [["flame"], ["export", "--format", "folded"]])
def test_a_file_that_cannot_be_written_is_an_error(told, folder, command):
    path = folder / "missing" / "a.svg"
    result = ctl(told, *command, "--pid", "4242", "-o", path)
    assert result.returncode == 1
    assert str(path) in result.stderr


def test_a_file_is_replaced_as_a_whole(told, folder):
    path = folder / "a.svg"
    path.write_text("before", encoding="ascii")
    draw(told, path)
    assert "before" not in path.read_text(encoding="utf-8")
    assert [one.name for one in folder.iterdir()] == ["a.svg"]


@pytest.mark.parametrize("command", [["flame", "-o", "a.svg"], ["export", "--format", "folded"]])
def test_a_process_that_is_not_watched_is_an_error(fake, folder, command):
    fake.answers[STACKS] = error(404, "not_watched", "process 4242 is not watched")
    result = ctl(fake, *command, "--pid", "4242")
    assert result.returncode == 1
    assert "not watched" in result.stderr
    assert not list(folder.iterdir())


# ---- flame graphs, in a browser

def opened(path, fragment=""):
    document, complaints = browser.open_file(path, fragment)
    assert not complaints
    return browser.picture_of(document)


@pytest.mark.parametrize("name", ["a.svg", "a.html"])
def test_a_browser_zooms_into_a_frame(told, tmp_path, name):
    path = draw(told, tmp_path / name)
    before = opened(path)
    assert all(browser.is_shown(one) for one in browser.frames_of(before))
    number = next(one.get("id").removeprefix("frame") for one in browser.frames_of(before)
                  if one.get("data-name") == "load")
    after = {one.get("data-name"): one
             for one in browser.frames_of(opened(path, f"#zoom={number}"))}
    shown = {name for name, one in after.items() if browser.is_shown(one)}
    assert shown == {"leaky", "_start", "main", "load", "read"}
    assert browser.width_of(after["load"]) == pytest.approx(ROOM)
    assert browser.width_of(after["read"]) == pytest.approx(ROOM * 2 / 3)
    assert "caller" in after["main"].get("class")
    assert "caller" not in after["load"].get("class")


def test_a_browser_finds_frames_by_name(told, tmp_path):
    picture = opened(draw(told, tmp_path / "a.svg"), "#search=A")
    found = {one.get("data-name") for one in browser.frames_of(picture)
             if "match" in one.get("class").split()}
    assert found == {"leaky", "_start", "main", "load", "read", "parse", "start_thread"}
    picture = opened(tmp_path / "a.svg", "#search=parse")
    matched = next(one for one in picture.iter(f"{browser.SVG}text") if one.get("id") == "matched")
    assert matched.text == "matched: 6.0%"


@pytest.mark.parametrize("name", ["a.svg", "a.html"])
def test_names_are_never_executed(fake, tmp_path, name):
    fake.answers[STACKS] = account([leaky(1000 + i, "main", name) for i, name in enumerate(HOSTILE)],
                                   comm="<b>\"]]>", incomplete_reason="</text><script>alert(1)")
    document, complaints = browser.open_file(draw(fake, tmp_path / name))
    assert not complaints
    picture = browser.picture_of(document)
    assert len(browser.frames_of(picture)) == 2 + len(HOSTILE)
    assert len(list(picture.iter(f"{browser.SVG}script"))) == 1
    assert "owned" not in document.partition("</title>")[0]
    names = {one.get("data-name") for one in browser.frames_of(picture)}
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[3]} <= names


def test_a_screenshot_shows_flames(told, tmp_path):
    path = draw(told, tmp_path / "a.svg")
    browser.open_file(path, screenshot=tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


# ---- with a real daemon

def test_they_say_what_stacks_says(daemon, run, tmp_path):
    program = run("threads")
    daemon.watch(program)
    program.tell("run 300")
    program.tell("free_all")
    program.tell("run 100")
    sites = eventually(lambda: daemon.sites(program.pid), "there are sites")
    total = sum(site["outstanding_bytes"] for site in sites)
    folded = daemon.try_ctl("export", "--pid", program.pid, "--format", "folded").output
    assert sum(int(line.rpartition(" ")[2]) for line in folded.splitlines()) == total
    speedscope = json.loads(
        daemon.try_ctl("export", "--pid", program.pid, "--format", "speedscope").output)
    assert sum(speedscope["profiles"][0]["weights"]) == total
    path = tmp_path / "a.html"
    assert daemon.try_ctl("flame", "--pid", program.pid, "-o", path).status == 0
    picture = browser.picture_of(path.read_text(encoding="utf-8"))
    names = frame_names(picture)
    assert names["threads"] == 1
    assert names["main"] + sum("clone" in name for name in names) >= 1
