# SPDX-License-Identifier: Apache-2.0
"""`snapshot` and `diff`: what tracemalloc's Snapshot, compare_to, Filter and statistics give."""
import collections
import copy
import gzip
import json
import os
import stat
import tracemalloc

import pytest

from harness.fake_daemon import FRAMES, NATIVE_LEAF, account, python_frame, site
from harness.memwatchctl import REQUESTS, ctl, on_terminal

MIB = 1 << 20
MAIN = python_frame("<module>", "/srv/train.py", 9)
LOAD = python_frame("load", "/srv/train.py", 3)
ONES = python_frame("ones", "/usr/lib/numpy/numeric.py", 190)


def held(stack, outstanding_bytes, objects=1):
    one = site("", outstanding_bytes, stack=copy.deepcopy(stack), stack_end="root",
               outstanding_bytes_stderr=0, outstanding_objects=objects)
    return {key: value for key, value in one.items()
            if key not in ("verdict", "growth_bytes_per_second", "reason")}


def stacks(*sites, **more):
    total = sum(one["outstanding_bytes"] for one in sites)
    return account(list(sites), outstanding_bytes=total, sites_total=len(sites), **more)


FIRST = stacks(held([NATIVE_LEAF, LOAD, MAIN], 10 * MIB, 10), held([ONES, MAIN], 2 * MIB, 4),
               held(FRAMES, 7 * MIB))
SECOND = stacks(held([NATIVE_LEAF, LOAD, MAIN], 30 * MIB, 30), held([ONES, LOAD, MAIN], MIB),
                held(FRAMES, 7 * MIB), observed_seconds=60.0)


@pytest.fixture
def take(fake, tmp_path):
    """Writes a snapshot of an answer, and returns its path."""
    def write(answer, name):
        fake.answers[REQUESTS["snapshot"]] = answer
        path = tmp_path / name
        result = ctl(fake, "snapshot", "--pid", "4242", "-o", path)
        assert result.returncode == 0, result.stderr
        assert not result.stdout
        return path

    return write


def ask_json(fake, *arguments):
    result = ctl(fake, "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def changes(answer, *names):
    """(bytes, change) of each group, by name."""
    return {tuple(group[name] for name in names) if len(names) > 1 else group[names[0]]:
            (group["outstanding_bytes"], group["outstanding_bytes_change"])
            for group in answer["groups"]}


# ---- Files

def test_a_snapshot_is_documented_json_compressed(take):
    path = take(FIRST, "first")
    content = json.loads(gzip.decompress(path.read_bytes()))
    assert list(content) == ["format", "version", "written_by", "taken", "account"]
    assert content["format"] == "memwatch-snapshot"
    assert content["version"] == 1
    assert content["account"] == FIRST
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~current_umask()


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_snapshot_replaces_an_older_one_or_leaves_it(fake, take, tmp_path):
    path = take(FIRST, "one")
    before = path.read_bytes()
    fake.answers[REQUESTS["snapshot"]] = (404, {"error": {"code": "not_a_target", "message": "x"}})
    assert ctl(fake, "snapshot", "--pid", "4242", "-o", path).returncode == 1
    assert path.read_bytes() == before
    take(SECOND, "one")
    assert json.loads(gzip.decompress(path.read_bytes()))["account"] == SECOND
    assert os.listdir(tmp_path) == [path.name] or sorted(os.listdir(tmp_path)) == sorted(
        {path.name, os.path.basename(fake.socket_path)})


def test_a_snapshot_that_cannot_be_written_is_an_error(fake, tmp_path):
    result = ctl(fake, "snapshot", "--pid", "4242", "-o", tmp_path / "nowhere" / "x")
    assert result.returncode == 1
    assert "No such file or directory" in result.stderr


def bad_files(good):
    content = json.loads(gzip.decompress(good))

    def changed(**more):
        return gzip.compress(json.dumps({**content, **more}).encode())

    crooked = copy.deepcopy(content["account"])
    crooked["sites"][0]["stack"] = [{"kind": 7}]
    return {
        "empty": (b"", "it is empty"),
        "text": (b"hello", "no snapshot of memwatch"),
        "uncompressed": (json.dumps(content).encode(), "no snapshot of memwatch"),
        "foreign": (gzip.compress(b'{"format": "other"}'), "no snapshot of memwatch"),
        "no JSON": (gzip.compress(b"\x7fELF"), "not JSON"),
        "NUL": (gzip.compress(json.dumps(content).encode() + b"\0x"), "not JSON"),
        "half": (good[:len(good) // 2], "cut short"),
        "nearly all": (good[:-1], "cut short"),
        "magic alone": (good[:2], "cut short"),
        "more": (good + b"x", "something follows"),
        "damaged": (good[:-8] + b"\0\0\0\0" + good[-4:], "damaged"),
        "newer": (changed(version=2), "version 2"),
        "no version": (changed(version=None), "no version"),
        "no account": (changed(account=[]), "no account"),
        "no sites": (changed(account={"pid": 1}), "no account"),
        "no site": (changed(account={"pid": 1, "sites": [7]}), "one of its sites"),
        "no frame": (changed(account=crooked), "one of its sites"),
        "deep": (gzip.compress(b"[" * 100000), "not JSON"),
    }


def test_bad_files_are_named_with_what_is_wrong_and_exit_with_2(fake, take, tmp_path):
    good = take(FIRST, "good")
    for name, (content, words) in bad_files(good.read_bytes()).items():
        bad = tmp_path / f"bad {name}"
        bad.write_bytes(content)
        for arguments in (["diff", good, bad], ["diff", bad, good], ["snapshot", bad]):
            result = ctl(fake, *arguments)
            assert result.returncode == 2, name
            assert result.stderr.startswith(f"memwatchctl: {bad} "), name
            assert words in result.stderr, name
            assert len(result.stderr.splitlines()) == 1
            assert not result.stdout


def test_what_is_no_file_exits_with_2(fake, take, tmp_path):
    good = take(FIRST, "good")
    os.mkfifo(tmp_path / "fifo")
    for bad, words in ((tmp_path / "missing", "No such file"), (tmp_path, "not a regular file"),
                       (tmp_path / "fifo", "not a regular file")):
        result = ctl(fake, "diff", good, bad)
        assert result.returncode == 2
        assert words in result.stderr


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(fake, tmp_path):
    bomb = tmp_path / "bomb"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        for _ in range(520):
            file.write(b" " * MIB)
    result = ctl(fake, "snapshot", bomb)
    assert result.returncode == 2
    assert "too large" in result.stderr


# ---- What changed

def test_diff_says_what_changed_by_line(fake, take):
    answer = ask_json(fake, "diff", take(FIRST, "a"), take(SECOND, "b"))
    assert changes(answer, "file", "line") == {
        ("/srv/train.py", 3): (30 * MIB, 20 * MIB),
        ("/usr/lib/numpy/numeric.py", 190): (MIB, -MIB),
        ("/srv/src/cache/store.cc", 42): (7 * MIB, 0)}
    assert [group["line"] for group in answer["groups"]] == [3, 190, 42]
    assert answer["total"]["outstanding_bytes_change"] == 19 * MIB
    assert answer["before"]["outstanding_bytes"] == 19 * MIB
    assert answer["after"]["peak_bytes"] == 234567890


def test_groups_that_are_gone_or_new_are_there(fake, take):
    first, second = take(stacks(held([LOAD], MIB)), "a"), take(stacks(held([ONES], 3)), "b")
    answer = ask_json(fake, "diff", first, second)
    assert changes(answer, "function") == {"load": (0, -MIB), "ones": (3, 3)}


@pytest.mark.parametrize("group_by, names, expected", [
    ("file", ["file"], {"/srv/train.py": (30 * MIB, 20 * MIB),
                        "/usr/lib/numpy/numeric.py": (MIB, -MIB),
                        "/srv/src/cache/store.cc": (7 * MIB, 0)}),
    ("function", ["function"], {"load": (30 * MIB, 20 * MIB), "ones": (MIB, -MIB),
                                "cache::Store::remember(std::string const&)": (7 * MIB, 0)}),
    ("module", ["module"], {"/usr/lib/_multiarray.so": (30 * MIB, 20 * MIB),
                            None: (MIB, -MIB), "/srv/leaky": (7 * MIB, 0)}),
])
def test_diff_groups_by_what_is_asked(fake, take, group_by, names, expected):
    answer = ask_json(fake, "diff", take(FIRST, "a"), take(SECOND, "b"), "--group-by", group_by)
    assert changes(answer, *names) == expected


def test_tracebacks_are_told_apart_by_all_their_frames(fake, take):
    answer = ask_json(fake, "diff", take(FIRST, "a"), take(SECOND, "b"), "--group-by",
                      "traceback")
    found = {tuple(frame["function"] for frame in group["traceback"]):
             group["outstanding_bytes_change"] for group in answer["groups"]}
    assert found == {("load", "<module>"): 20 * MIB, ("ones", "<module>"): -2 * MIB,
                     ("ones", "load", "<module>"): MIB,
                     tuple(frame["function"] for frame in FRAMES): 0}
    text = ctl(fake, "diff", take(FIRST, "a"), take(SECOND, "b"), "--group-by", "traceback").stdout
    at = text.splitlines().index("+20.0 MiB  30.0 MiB in 30 objects")
    assert text.splitlines()[at + 1:at + 3] == ["      load (/srv/train.py:3)",
                                                "      <module> (/srv/train.py:9)"]


def test_cumulative_counts_what_lines_call(fake, take):
    answer = ask_json(fake, "diff", take(FIRST, "a"), take(SECOND, "b"), "--cumulative", "--file",
                      "train.py")
    assert changes(answer, "line") == {9: (31 * MIB, 19 * MIB), 3: (31 * MIB, 21 * MIB)}


def test_filters_leave_out_and_say_how_much(fake, take):
    first, second = take(FIRST, "a"), take(SECOND, "b")
    answer = ask_json(fake, "diff", first, second, "--file", "*/numpy/*")
    assert changes(answer, "line") == {190: (MIB, -MIB)}
    assert answer["left_out"]["outstanding_bytes_change"] == 20 * MIB
    answer = ask_json(fake, "diff", first, second, "--function", "load")
    assert changes(answer, "line") == {3: (30 * MIB, 20 * MIB)}
    text = ctl(fake, "diff", first, second, "--function", "load").stdout
    assert "(what --file and --function leave out)" in text


def test_sort_and_top_decide_what_comes_first(fake, take):
    first, second = take(FIRST, "a"), take(SECOND, "b")
    answer = ask_json(fake, "diff", first, second, "--sort", "outstanding", "--top", "2")
    assert [group["line"] for group in answer["groups"]] == [3, 42]
    assert answer["groups_total"] == 3
    text = ctl(fake, "diff", first, second, "--top", "1").stdout
    assert "load (/srv/train.py:3)" in text
    assert "1 more: --top 0 shows all" in text


def test_the_text_leads_with_the_change(fake, take):
    text = ctl(fake, "diff", take(FIRST, "a"), take(SECOND, "b")).stdout
    assert text.splitlines()[0] == "leaky (pid 4242): +19.0 MiB"
    assert "from 19.0 MiB to 38.0 MiB" in text
    row = next(one for one in text.splitlines() if "train.py:3" in one)
    assert row.split() == ["+20.0", "MiB", "30.0", "MiB", "30", "(+20)", "+60.0", "MiB", "load",
                           "(/srv/train.py:3)"]
    # What is as it was is no change.
    assert "store.cc" not in text
    assert "Nothing has changed." in ctl(fake, "diff", take(FIRST, "a"), take(FIRST, "b")).stdout


def test_doubts_about_a_comparison_are_said(fake, take):
    first = take(FIRST, "a")
    other = take({**SECOND, "pid": 77}, "b")
    lossy = take({**SECOND, "complete": False, "incomplete_reason": "3 were lost"}, "c")
    assert "They are of two processes" in ctl(fake, "diff", first, other).stdout
    assert "the second one is INCOMPLETE: 3 were lost" in ctl(fake, "diff", first, lossy).stdout
    assert "wrong way round" in ctl(fake, "diff", take(SECOND, "d"), first).stdout.replace(
        "\n  ", " ")


# ---- Of a process

def test_diff_of_a_process_compares_its_beginning_with_its_end(fake):
    answers = [FIRST, SECOND]
    fake.answers[REQUESTS["diff"]] = lambda query: answers.pop(0)
    answer = ask_json(fake, "diff", "--pid", "4242", "--for", "0.1")
    assert changes(answer, "line")[3] == (30 * MIB, 20 * MIB)
    order = [request.split("?")[0] for request in fake.requests]
    assert order[0] == "PUT /api/v1/processes/4242/watch"
    assert order[1] == order[-2] == "GET /api/v1/processes/4242/stacks"
    assert order[-1] == "DELETE /api/v1/processes/4242/watch"


def test_a_snapshot_is_shown_now_or_from_its_file(fake, take):
    path = take(FIRST, "a")
    now = ctl(fake, "snapshot", "--pid", "4242").stdout
    assert ctl(fake, "snapshot", path).stdout == now
    row = next(one for one in now.splitlines() if "train.py:3" in one)
    assert row.split()[:6] == ["10.0", "MiB", "10", "1.00", "MiB", "30.0"]
    answer = ask_json(fake, "snapshot", path, "--group-by", "file", "--sort", "objects")
    assert [group["file"] for group in answer["groups"]] == [
        "/srv/train.py", "/usr/lib/numpy/numeric.py", "/srv/src/cache/store.cc"]
    assert "before" not in answer


def test_hostile_names_in_a_file_do_not_reach_the_terminal(fake, take):
    hostile = "\033[2Jx\u202e"
    path = take(stacks(held([python_frame(hostile, hostile, 1)], MIB), comm=hostile), "a")
    for more in (["--group-by", "line"], ["--group-by", "traceback"]):
        text = on_terminal(fake, "snapshot", path, *more, NO_COLOR="1")
        assert all(character.isprintable() for character in text.replace("\n", ""))


@pytest.mark.parametrize("arguments, named", [
    (["snapshot"], "--pid"),
    (["snapshot", "--pid", "1", "file"], "either"),
    (["snapshot", "file", "-o", "other"], "-o"),
    (["snapshot", "--pid", "1", "-o", "x", "--top", "3"], "--top"),
    (["snapshot", "--pid", "1", "-o", "x", "--json"], "--json"),
    (["snapshot", "--pid", "1", "--group-by", "class"], "--group-by"),
    (["diff"], "two snapshots"),
    (["diff", "one"], "two snapshots"),
    (["diff", "one", "two", "three"], "three"),
    (["diff", "one", "two", "--pid", "1"], "either"),
    (["diff", "one", "two", "--for", "3"], "--for"),
    (["diff", "--pid", "1", "--for", "0"], "--for 0"),
    (["diff", "--pid", "1", "--interval", "1", "--exact"], "exclude"),
])
def test_wrong_usage_exits_with_2(fake, arguments, named):
    result = ctl(fake, *arguments)
    assert result.returncode == 2
    assert named in result.stderr
    assert not result.stdout
    assert not fake.requests


# ---- The same numbers as tracemalloc's

def allocate(count, size):
    return [bytearray(size) for _ in range(count)]


def account_of(snapshot):
    """What tracemalloc saw, as an account: each of its traces is a site."""
    sites = []
    for trace in snapshot.traces:
        frames = [python_frame("f", frame.filename, frame.lineno)
                  for frame in reversed(trace.traceback)]
        sites.append({**held(frames, trace.size), "allocated_bytes": trace.size,
                      "allocated_objects": 1, "freed_bytes": 0, "freed_objects": 0})
    return stacks(*sites)


def take_two():
    """Two snapshots of tracemalloc's, with allocations between them."""
    tracemalloc.start(20)
    kept = allocate(10, 10000)
    first = tracemalloc.take_snapshot()
    kept += allocate(20, 20000)
    second = tracemalloc.take_snapshot()
    tracemalloc.stop()
    assert len(kept) == 30
    return first, second


@pytest.mark.parametrize("group_by, key_type", [("line", "lineno"), ("file", "filename")])
def test_statistics_agree_with_tracemallocs(fake, take, group_by, key_type):
    first, second = take_two()
    expected = {}
    for one in second.compare_to(first, key_type):
        frame = one.traceback[0]
        expected[frame.filename, frame.lineno if key_type == "lineno" else None] = (
            one.size, one.size_diff, one.count, one.count_diff)
    answer = ask_json(fake, "diff", take(account_of(first), "a"), take(account_of(second), "b"),
                      "--group-by", group_by)
    found = {(group["file"], group["line"]):
             (group["outstanding_bytes"], group["outstanding_bytes_change"],
              group["outstanding_objects"], group["outstanding_objects_change"])
             for group in answer["groups"]}
    assert found == expected


def test_cumulative_counts_each_block_once_for_a_line(fake, take):
    """tracemalloc counts it as often as the line is in the traceback, here pytest's hooks."""
    first, second = take_two()
    expected = collections.Counter()
    for trace in second.traces:
        for place in {(frame.filename, frame.lineno) for frame in trace.traceback}:
            expected[place] += trace.size
    answer = ask_json(fake, "diff", take(account_of(first), "a"), take(account_of(second), "b"),
                      "--cumulative")
    found = {(group["file"], group["line"]): group["outstanding_bytes"]
             for group in answer["groups"] if group["outstanding_bytes"]}
    assert found == dict(expected)
