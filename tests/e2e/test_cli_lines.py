# SPDX-License-Identifier: Apache-2.0
"""`lines`: memory_profiler's table of a process that nobody touched, with its source text."""
import contextlib
import json
import os
import subprocess

import pytest

from harness.fake_daemon import PYTHON_STACK, account, line, line_sum, lines, site
from harness.memwatchctl import REQUESTS, ctl, on_terminal

SOURCE = "import gc\n\ndata = []\n\twhile True:\n    data.append(load())  # keeps it  \n"
LONG_AGO = "2001-01-01T00:00:00Z"
FAR_FUTURE = "2099-01-01T00:00:00Z"
MIB = 1 << 20
NOBODY = 65534


def ask(fake, *more, seconds="0"):
    return ctl(fake, "lines", "--pid", "4242", "--for", seconds, *more)


def ask_json(fake, *more, seconds="0"):
    result = ask(fake, "--json", *more, seconds=seconds)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def rows(text):
    """Rows of the tables of a wide report, by line number."""
    return {int(row.split()[0]): row for row in text.splitlines()
            if row.strip() and row.split()[0].isdigit()}


def answer_for(fake, listed, **more):
    """Lines of this very process, whose files can be read."""
    fake.answers[REQUESTS["lines"]] = lines(
        listed, **{"pid": os.getpid(), "start_time": FAR_FUTURE, **more})


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SOURCE)
    return path


def test_each_line_has_its_numbers_and_its_source(fake, script):
    answer_for(fake, [line(str(script), 5, "load", 100 * MIB, 117 * MIB),
                      line(str(script), 3, "<module>", 0, 117 * MIB)])
    text = ask(fake).stdout
    assert str(script) in text.splitlines()
    found = rows(text)
    assert list(found) == [3, 5]
    assert found[5].split()[1:5] == ["117", "MiB", "100", "MiB"]
    assert found[5].endswith("    data.append(load())  # keeps it")
    assert found[3].endswith("  data = []")
    assert "4.00 KiB held by native code with no Python line above it" in text
    assert "peak         224 MiB, 13 s after the watch began" in text


def test_lines_that_hold_arenas_are_marked(fake, script):
    answer_for(fake, [line(str(script), 5, "load", 100 * MIB, 117 * MIB,
                           python_arena_bytes=24 * MIB),
                      line(str(script), 3, "<module>", 10 * MIB, 127 * MIB)])
    text = ask(fake).stdout
    assert "100 MiB* " in rows(text)[5]
    assert "*" not in rows(text)[3]
    assert "* of these, 24.0 MiB are arenas of Python's small objects" in text


def test_no_word_of_arenas_where_there_are_none(fake, script):
    answer_for(fake, [line(str(script), 5, "load", 100 * MIB, 117 * MIB, python_arena_bytes=0)])
    assert "are arenas" not in ask(fake).stdout


@pytest.mark.parametrize("count, words", [(1, "1 arena of Python's small objects"),
                                          (24, "24 arenas of Python's small objects")])
def test_sites_that_are_arenas_say_so(fake, count, words):
    fake.answers[REQUESTS["leaks"]] = account(
        [site("leak", count * MIB, kind="mapping", is_python_arena=True,
              outstanding_objects=count, stack=PYTHON_STACK)])
    assert words in ctl(fake, "leaks", "--pid", "4242", "--for", "0").stdout


def test_json_has_the_source_as_well(fake, script):
    answer_for(fake, [line(str(script), 5, "load", 100, 100), line(str(script), 99, "f", 1, 1),
                      line("<string>", 1, "<module>", 1, 1)])
    found = {one["line"]: one for one in ask_json(fake)["lines"]}
    assert found[5]["source"] == "    data.append(load())  # keeps it"
    assert found[5]["source_newer"] is False
    assert found[99]["source"] is None
    assert found[1]["source"] is None
    assert "source_problem" not in found[1]


def test_a_file_that_changed_since_the_start_is_said_to_have(fake, script):
    answer_for(fake, [line(str(script), 5, "load", 100, 100)], start_time=LONG_AGO)
    assert "lines may have moved" in ask(fake).stdout
    assert ask_json(fake)["lines"][0]["source_newer"] is True


def test_increments_are_what_came_while_it_was_observed(fake, script):
    before = lines([line(str(script), 5, "load", 10 * MIB, 12 * MIB)])
    after = lines([line(str(script), 3, "main", 5 * MIB, 5 * MIB),
                   line(str(script), 5, "load", 11 * MIB, 32 * MIB)], pid=os.getpid())
    answers = [before, after]
    fake.answers[REQUESTS["lines"]] = lambda query: answers.pop(0)
    found = {one["line"]: one for one in ask_json(fake, seconds="0.1")["lines"]}
    assert found[5]["increment_bytes"] == MIB
    assert found[5]["cumulative"]["increment_bytes"] == 20 * MIB
    assert found[3]["increment_bytes"] == 5 * MIB
    answers = [before, after]
    text = ask(fake, "--sort", "increment", seconds="0.1").stdout
    assert "+20.0 MiB" in rows(text)[5]
    assert "DELETE /api/v1/processes/4242/watch?lease_id=7" in fake.requests


def test_the_top_is_cut_and_what_is_left_out_is_counted(fake):
    answer_for(fake, [line("/a.py", i, "f", 1000 - i, 1000 - i) for i in range(1, 6)],
               left_out=line_sum(7))
    answer = ask_json(fake, "--top", "2")
    assert [one["line"] for one in answer["lines"]] == [1, 2]
    assert answer["left_out"]["outstanding_bytes"] == 7 + 997 + 996 + 995
    text = ask(fake, "--top", "2").stdout
    assert "3 more lines: --top 0 shows all" in text
    assert "2.92 KiB held by lines that are not shown" in text


def test_filters_and_order_are_asked_of_the_daemon(fake):
    ask(fake, "--file", "/srv/a b/*.py&x", "--function", "<module>", "--sort", "peak")
    assert fake.requests == ["GET /api/v1/processes/4242/lines?top=0&sort=peak"
                             "&file=%2Fsrv%2Fa%20b%2F%2A.py%26x&function=%3Cmodule%3E"]


@pytest.mark.parametrize("arguments, named", [
    (["lines"], "--pid"),
    (["lines", "--pid", "1", "--sort", "size"], "--sort"),
    (["lines", "--pid", "1", "--for", "0", "--sort", "increment"], "--for 0"),
    (["lines", "--pid", "1", "--for", "0", "--exact"], "--for 0"),
    (["lines", "--pid", "1", "--file", ""], "--file"),
])
def test_wrong_usage_exits_with_2(fake, arguments, named):
    result = ctl(fake, *arguments)
    assert result.returncode == 2
    assert named in result.stderr
    assert not fake.requests


def test_a_process_without_python_says_so(fake):
    fake.answers[REQUESTS["lines"]] = lines([], native=line_sum(5 * MIB))
    text = ask(fake).stdout
    assert "No allocation with a Python line was seen." in text
    assert "5.00 MiB held by native code" in text


def test_an_account_that_lacks_something_says_so(fake):
    fake.answers[REQUESTS["lines"]] = lines([], complete=False, incomplete_reason="3 were lost")
    assert "INCOMPLETE: 3 were lost" in ask(fake).stdout


def test_a_watch_that_was_stopped_over_its_budget_exits_with_6(fake):
    fake.answers[REQUESTS["lines"]] = lines([], ended=True, end_reason="ended_over_budget",
                                            end_detail="45% of a CPU")
    result = ask(fake, seconds="0.1")
    assert result.returncode == 6
    assert "45% of a CPU" in result.stderr


def test_the_source_has_room_on_a_narrow_terminal(fake, script):
    answer_for(fake, [line(str(script), 5, "load", 1023 * MIB, 1023 * MIB)])
    text = on_terminal(fake, "lines", "--pid", "4242", "--for", "0", NO_COLOR="1")
    assert "    data.append(load())" in rows(text)[5]


# ---- What a process names is not shown just because it names it

def problem_of(fake, path, **more):
    answer_for(fake, [line(str(path), 1, "f", 100, 100)], **more)
    one = ask_json(fake)["lines"][0]
    assert one["source"] is None
    return one.get("source_problem")


def test_a_process_that_has_ended_has_no_files(fake, script):
    assert problem_of(fake, script, ended=True, end_reason="exited")


def test_only_regular_files_are_opened(fake, tmp_path):
    fifo = tmp_path / "fifo.py"
    os.mkfifo(fifo)
    assert problem_of(fake, fifo) == "not a regular file"
    assert problem_of(fake, tmp_path) == "not a regular file"
    assert problem_of(fake, "/dev/zero") == "not a regular file"


def test_large_files_are_not_read(fake, tmp_path):
    large = tmp_path / "large.py"
    with open(large, "wb") as file:
        file.truncate(4 * MIB + 1)
    assert problem_of(fake, large) == "too large"


def test_relative_names_lead_below_the_working_folder_alone(fake, tmp_path, closing):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.py").write_text("inside = 1\n")
    (tmp_path / "b.py").write_text("outside = 1\n")
    pid = start(closing, cwd=tmp_path / "inside")
    answer_for(fake, [line("a.py", 1, "f", 1, 1), line("../b.py", 1, "f", 1, 1)], pid=pid)
    found = {one["file"]: one["source"] for one in ask_json(fake)["lines"]}
    assert found == {"a.py": "inside = 1", "../b.py": None}


def start(closing, **options):
    """A process that waits for its end; its pid."""
    process = subprocess.Popen(["/bin/sh", "-c", "echo ready; read line"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, **options)

    def end():
        process.stdin.close()
        process.wait()
        process.stdout.close()

    closing.callback(end)
    assert process.stdout.readline() == b"ready\n"
    return process.pid


def test_links_do_not_lead_out_of_the_processs_root(fake, tmp_path, closing):
    secret = tmp_path / "secret.py"
    secret.write_text("secret = 1\n")
    jail = tmp_path / "jail"
    jail.mkdir()
    (jail / "link.py").symlink_to(secret)
    (jail / "up.py").symlink_to("../secret.py")
    (jail / "own.py").write_text("own = 1\n")
    # What it needs of the system is there before its root is changed.
    busybox = jail / "busybox"
    busybox.write_bytes(open("/bin/busybox", "rb").read())
    busybox.chmod(0o755)
    process = subprocess.Popen(["chroot", str(jail), "/busybox", "sh", "-c", "echo ready; read x"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    closing.callback(process.stdout.close)
    closing.callback(process.wait)
    closing.callback(process.stdin.close)
    assert process.stdout.readline() == b"ready\n"
    names = ["/own.py", "/link.py", "/up.py", str(secret)]
    answer_for(fake, [line(name, 1, "f", 1, 1) for name in names], pid=process.pid)
    found = {one["file"]: one["source"] for one in ask_json(fake)["lines"]}
    assert found.pop("/own.py") == "own = 1"
    assert set(found.values()) == {None}


@contextlib.contextmanager
def readable_by_others(path):
    """pytest's folders are their owner's alone."""
    folders = [folder for folder in path.parents if folder.stat().st_uid == os.geteuid()
               and folder != folder.parent and folder.name != "tmp"]
    modes = [(folder, folder.stat().st_mode) for folder in folders]
    for folder, mode in modes:
        folder.chmod(mode | 0o055)
    try:
        yield
    finally:
        for folder, mode in modes:
            folder.chmod(mode)


def test_files_that_the_process_could_not_open_itself_are_not_shown(fake, tmp_path, closing):
    for name, mode in (("open.py", 0o644), ("closed.py", 0o600)):
        (tmp_path / name).write_text("x = 1\n")
        (tmp_path / name).chmod(mode)
    pid = start(closing, user=NOBODY, group=NOBODY, extra_groups=[])
    names = [str(tmp_path / "open.py"), str(tmp_path / "closed.py")]
    answer_for(fake, [line(name, 1, "f", 1, 1) for name in names], pid=pid)
    with readable_by_others(tmp_path / "open.py"):
        found = ask_json(fake)["lines"]
    found = {os.path.basename(one["file"]): one for one in found}
    assert found["open.py"]["source"] == "x = 1"
    assert found["closed.py"]["source"] is None
    assert found["closed.py"]["source_problem"] == "Permission denied"


def test_hostile_source_does_no_harm(fake, tmp_path):
    path = tmp_path / "hostile.py"
    path.write_bytes(b"a\x1b[2J\xff\x00hidden\n" + b"x" * 100000 + b"\n")
    answer_for(fake, [line(str(path), 1, "f", 1, 1), line(str(path), 2, "f", 1, 1)])
    text = ask(fake).stdout
    assert "a\\x1b[2J\\xff" in text
    assert "hidden" not in text
    assert max(map(len, text.splitlines())) < 600


# ---- Python in stacks

def test_stacks_name_the_python_line_first(fake):
    fake.answers[REQUESTS["stacks"]] = account(
        [{key: value for key, value in site("", MIB, stack=PYTHON_STACK).items()
          if key not in ("verdict", "growth_bytes_per_second", "reason")}])
    text = ctl(fake, "stacks", "--pid", "4242").stdout.splitlines()
    at = next(i for i, one in enumerate(text) if one.startswith(" 1  "))
    assert text[at + 1] == "    Loader.load (/srv/train.py:3)"
    assert [one.split()[0] for one in text[at + 2:at + 5]] == ["array_new", "Loader.load",
                                                               "<module>"]
    assert text[at + 3].endswith("/srv/train.py:3")


def test_leaks_name_the_python_line_first(fake):
    fake.answers[REQUESTS["leaks"]] = account([site("leak", MIB, stack=PYTHON_STACK)])
    text = ctl(fake, "leaks", "--pid", "4242", "--for", "0").stdout.splitlines()
    at = next(i for i, one in enumerate(text) if one.startswith(" 1  LEAK"))
    assert text[at + 1] == "    Loader.load (/srv/train.py:3)"


def test_exports_tell_functions_of_one_name_apart(fake):
    fake.answers[REQUESTS["stacks"]] = account([site("leak", MIB, stack=PYTHON_STACK,
                                                     stack_end="root")])
    text = ctl(fake, "export", "--pid", "4242", "--format", "folded").stdout
    assert ";<module> (/srv/train.py:9);Loader.load (/srv/train.py:3);array_new " in text
