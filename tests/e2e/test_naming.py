# SPDX-License-Identifier: Apache-2.0
"""When names are looked up: before a process and its files are gone, and off everybody's way."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import paths
from harness.wait import eventually, eventually_passes

# A unit of .debug_line may have 1 MiB, all of them 64 MiB: more is left alone.
HUGE_LINES_BYTES = 56 << 20
HUGE_FILES = 5
# Each line of the source is a byte there.
FILLER_FUNCTIONS, FILLER_LINES = 500, 400


def copy_of(name, folder):
    return shutil.copy(paths.PROGRAMS / name, folder / name)


def own_frames(sites, name):
    """What is said of the program's own code, innermost first, of the sites in its direct calls."""
    return sorted([(frame["function"], frame["file"], frame["line"], frame["inlined"])
                   for frame in site["stack"] if (frame["module"] or "").endswith(f"/{name}")]
                  for site in sites
                  if site["stack"] and (site["stack"][0]["module"] or "").endswith(f"/{name}"))


def waiting_frames(daemon):
    return daemon.get("/api/v1/status")["naming"]["waiting_frames"]


def test_a_report_after_the_exit_names_the_same_functions(daemon, run, tmp_path):
    program = run(copy_of("inlines", tmp_path))
    daemon.watch(program)
    program.tell("fill 100")
    eventually(lambda: own_frames(daemon.sites(program.pid), "inlines"), "the stack is there")
    before = daemon.sites(program.pid)
    assert program.end() == 0
    (tmp_path / "inlines").unlink()
    eventually(lambda: daemon.ended_targets(program.pid), "the account has ended")
    after = daemon.sites(program.pid)
    assert [site["stack"] for site in after] == [site["stack"] for site in before]
    [frames] = own_frames(after, "inlines")
    assert [frame[0] for frame in frames[:3]] == ["box_new", "shelf_add", "shelf_fill"]


def test_a_program_that_is_deleted_and_ends_at_once_is_named(daemon, run, tmp_path):
    """Nobody asks while it lives, and its file is gone before it allocates."""
    program = run(copy_of("inlines", tmp_path))
    daemon.watch(program)
    (tmp_path / "inlines").unlink()
    program.send("fill 100")
    assert program.end() == 0
    eventually(lambda: daemon.ended_targets(program.pid), "the account has ended")

    def check():
        [frames] = own_frames(daemon.sites(program.pid), "inlines")
        assert [frame[0] for frame in frames[:3]] == ["box_new", "shelf_add", "shelf_fill"]
        assert all(frame[2] for frame in frames[:3])

    eventually_passes(check)


def test_a_debug_file_that_goes_with_the_program_has_been_read(daemon, run, tmp_path):
    """As a container's files do. Nobody asks before."""
    program_file, folder = copy_of("inlines", tmp_path), tmp_path / ".debug"
    folder.mkdir()
    for command in (["objcopy", "--only-keep-debug", program_file, folder / "inlines.debug"],
                    ["objcopy", "--strip-all", program_file],
                    ["objcopy", f"--add-gnu-debuglink={folder / 'inlines.debug'}", program_file]):
        subprocess.run(command, check=True, timeout=60)
    program = run(program_file)
    daemon.watch(program)
    program.send("fill 100")
    assert program.end() == 0
    eventually(lambda: daemon.ended_targets(program.pid), "the account has ended")
    eventually(lambda: waiting_frames(daemon) == 0, "all names have been looked up")
    shutil.rmtree(folder)
    (tmp_path / "inlines").unlink()
    [frames] = own_frames(daemon.sites(program.pid), "inlines")
    assert [frame[0] for frame in frames[:3]] == ["box_new", "shelf_add", "shelf_fill"]


def test_names_are_looked_up_at_low_priority(daemon):
    """One thread alone: what requests and events wait for has full priority."""
    threads = [int(path.name) for path in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir()]
    low = [thread for thread in threads if os.getpriority(os.PRIO_PROCESS, thread) > 0]
    assert len(low) == 1
    assert os.sched_getscheduler(low[0]) == os.SCHED_BATCH


# ---- Files that take long


@pytest.fixture(scope="module")
def filler(tmp_path_factory):
    """One unit of .debug_line, of many functions."""
    folder = tmp_path_factory.mktemp("filler")
    source = folder / "filler.c"
    body = "value++;\n" * FILLER_LINES
    source.write_text("volatile int value;\n" + "".join(
        f"void filler_{number}(void)\n{{\n{body}}}\n" for number in range(FILLER_FUNCTIONS)),
                      encoding="ascii")
    for command in (["gcc", "-g", "-shared", "-fPIC", "-nostdlib", "-o", folder / "filler.so", source],
                    ["objcopy", "--dump-section", f".debug_line={folder / 'lines'}",
                     folder / "filler.so", "/dev/null"]):
        subprocess.run(command, check=True, timeout=120)
    unit = (folder / "lines").read_bytes()
    assert 100 << 10 < len(unit) < 1 << 20
    return unit


def huge(name, folder, filler, units_left_out):
    """The program with as many lines as are read of a file; with another number another file."""
    folder.mkdir()
    program, lines = folder / name, folder / "lines"
    shutil.copy(paths.PROGRAMS / name, program)
    subprocess.run(["objcopy", "--dump-section", f".debug_line={lines}", program, "/dev/null"],
                   check=True, timeout=60)
    own = lines.read_bytes()
    lines.write_bytes(own + filler * (HUGE_LINES_BYTES // len(filler) - units_left_out))
    subprocess.run(["objcopy", "--update-section", f".debug_line={lines}", program],
                   check=True, timeout=60)
    lines.unlink()
    return program


@pytest.fixture
def long_naming(new_daemon, run, filler, tmp_path):
    """A daemon that is busy reading huge files, and the programs that have them."""
    one = new_daemon().start()
    programs = [run(huge("inlines", tmp_path / str(number), filler, number))
                for number in range(HUGE_FILES)]
    for program in programs:
        one.watch(program)
        program.tell("fill 100")
    return one, programs


def test_files_that_take_long_hold_up_no_request(long_naming):
    """Each answer waits for a while; only a few files are read by then."""
    daemon, programs = long_naming
    questions = [daemon.start_ctl("--json", "stacks", "--pid", program.pid)
                 for program in programs]
    report = daemon.start_ctl("stacks", "--pid", programs[0].pid)
    assert len(daemon.get("/api/v1/targets")["targets"]) == len(programs)
    assert daemon.request_tcp("/metrics")[0] == 200
    assert waiting_frames(daemon) > 0
    answers = [json.loads(question.communicate(timeout=60)[0]) for question in questions]
    report.communicate(timeout=60)
    # All that was answered while files were being read.
    status = daemon.get("/api/v1/status")["naming"]
    assert status["waiting_frames"] > 0

    pending = 0
    for answer in answers:
        frames = [frame for site in answer["sites"] for frame in site["stack"]
                  if frame["pending"]]
        assert answer["pending_frames"] == len(frames)
        assert all(frame["module"] and frame["offset"] for frame in frames)
        assert not any(frame["line"] for frame in frames)
        pending += len(frames)
    assert 0 < pending <= status["pending_frames_total"]

    def check():
        sites = daemon.sites(programs[0].pid)
        [own] = own_frames(sites, "inlines")
        assert [frame[0] for frame in own[:3]] == ["box_new", "shelf_add", "shelf_fill"]
        assert not any(frame["pending"] for site in sites for frame in site["stack"])

    eventually_passes(check, 120)


def test_it_ends_while_files_are_being_read_that_take_long(long_naming):
    daemon, _ = long_naming
    assert waiting_frames(daemon) > 0
    daemon.end_seconds = 2
    assert daemon.terminate() == 0, daemon.log_text
