# SPDX-License-Identifier: Apache-2.0
"""The watched process, or a part of it, ends while memwatchd is at work on it."""
import os
import random
import struct
import time

import pytest

from harness import process
from harness.compare import assert_exact, assert_the_next_one_is_exact
from harness.wait import eventually

ROUNDS = 15
LIBC = "libc.so"
# Watched; gone; not worth it, since what is mapped is half of one program or of the next.
FITTING_ANSWERS = {200, 404, 422, 500}


def seconds_of(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def attach_seconds(daemon, run):
    """How long a watch takes here and now: what ends is to end within that."""
    program = run("fleeting", "exit")
    taken = max(seconds_of(lambda: daemon.put(f"{program.watch_path}?interval=1")) for _ in range(2))
    program.close()
    return taken


@pytest.mark.parametrize("how", ["exit", "kill", "exec", "exec_from_thread"])
def test_a_process_may_end_at_any_moment_of_a_watch(daemon, run, how):
    longest = attach_seconds(daemon, run)
    moments = random.Random(how)
    for _ in range(ROUNDS):
        program = run("fleeting", how)
        microseconds = int(moments.uniform(0, longest) * 1e6)
        program.send(f"end_after {microseconds}")
        status, text = daemon.request("PUT", f"{program.watch_path}?interval=1")
        assert status in FITTING_ANSWERS, text
        program.process.wait(program.ANSWER_SECONDS)
        eventually(lambda pid=program.pid: daemon.target(pid) is None, "it is no target any more")
    assert_the_next_one_is_exact(daemon, run)


def test_a_process_may_end_while_it_is_unwatched(daemon, run):
    moments = random.Random(7)
    for _ in range(ROUNDS):
        program = run("fleeting", "kill")
        taken = seconds_of(lambda one=program: daemon.put(one.watch_path))
        program.send(f"end_after {int(moments.uniform(0, taken) * 1e6)}")
        status, text = daemon.request("DELETE", program.watch_path)
        assert status in (200, 404), text
        program.process.wait(program.ANSWER_SECONDS)
        eventually(lambda pid=program.pid: daemon.target(pid) is None, "it is no target any more")
    assert_the_next_one_is_exact(daemon, run)


# ---- a library goes, and something else is mapped in its place

NOTE_OF_BUILD_ID = struct.pack("<III4s", 4, 20, 3, b"GNU")


def another_build(library, copy):
    """The same machine code under another build-id: a library of its own."""
    content = bytearray(library.read_bytes())
    at = content.index(NOTE_OF_BUILD_ID) + len(NOTE_OF_BUILD_ID)
    content[at] ^= 0xff
    copy.write_bytes(content)
    return copy


def same_build(library, copy):
    """A copy with the same build-id: the same module, in another file."""
    copy.write_bytes(library.read_bytes())
    copy.chmod(0o755)
    return copy


@pytest.fixture(params=[another_build, same_build], ids=lambda make: make.__name__)
def second_libc(request, run, tmp_path):
    """A program with a second libc, and a file to be mapped in that one's place."""
    library = process.mapped_path(os.getpid(), LIBC)
    copy = request.param(library, tmp_path / "libc.so.second")
    other = tmp_path / "other"
    other.write_bytes(random.Random(1).randbytes(library.stat().st_size))
    return run("second_libc", copy, other)


def probed(pid, name):
    return process.changed_text_offsets(pid, name)


def test_what_is_mapped_in_a_probed_librarys_place_is_not_changed(daemon, second_libc):
    program = second_libc
    program.tell("load")
    daemon.watch(program)
    for _ in range(3):
        program.tell("allocate_by_second 40")
        program.tell("allocate 20")
        assert_exact(daemon, program)
        assert probed(program.pid, "libc.so.second") == probed(program.pid, "libc.so.6")
        program.tell("unload")
        program.tell("map_another")
        program.tell("check_other")
        assert not probed(program.pid, "other")
        program.tell("allocate 20")
        assert_exact(daemon, program)
        program.tell("unmap_other")
        program.tell("load")
        eventually(lambda: probed(program.pid, "libc.so.second"), "the library is probed again")
    daemon.ctl("unwatch", "--pid", program.pid)
    for name in (LIBC, "other"):
        assert not probed(program.pid, name)
    assert program.end() == 0
