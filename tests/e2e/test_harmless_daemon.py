# SPDX-License-Identifier: Apache-2.0
"""What happens to memwatchd under load, or by its own hand, and not to the programs it watches."""
import contextlib
import random
import signal
import socket
import subprocess
import time

from harness import paths, process
from harness.compare import assert_exact
from harness.wait import eventually

LIBC = "libc.so"
KILLS_AMID = 6
CYCLES = 100
OOM_LIMIT_BYTES = 192 << 20


def send_only(one, method, path):
    """A request whose answer nobody waits for."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(one.socket))
    connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
                       .encode())
    return connection


def watch(one, program):
    return one.put(f"{program.watch_path}?interval=1")


def assert_text_is_restored(program):
    eventually(lambda: not process.changed_text_offsets(program.pid, LIBC), "no probe is left")


def wait_closely(condition, seconds=10):
    """Without the pauses of eventually(): the moment itself is wanted."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline


def test_sigkill_amid_attaching_and_detaching_leaves_no_probe(new_daemon, run):
    """
    The first kill comes as the first breakpoint is seen, others at other moments: the kernel can
    neither finish nor take back what a killed thread has begun.
    """
    program = run("patterns")
    moments = random.Random(4)
    for number in range(KILLS_AMID):
        one = new_daemon().start()
        program.tell("start")
        if number % 2:
            watch(one, program)
        method = "DELETE" if number % 2 else "PUT"
        with send_only(one, method, program.watch_path):
            if number == 0:
                wait_closely(lambda: process.changed_text_offsets(program.pid, LIBC))
            else:
                for _ in range(moments.randrange(200)):
                    process.state(program.pid)
            one.kill()
        assert_text_is_restored(program)
        # It answers after all of its threads have come to their end and have found their blocks.
        program.tell("stop")
    assert program.end() == 0


def test_an_oom_kill_of_memwatchd_leaves_no_probe(new_daemon, run, memory_cgroup, closing):
    program = run("patterns")
    one = new_daemon().start()
    program.tell("start")
    one.watch(program)
    assert process.changed_text_offsets(program.pid, LIBC)
    group = memory_cgroup(OOM_LIMIT_BYTES)
    group.add(one.pid)
    with open(f"/proc/{one.pid}/oom_score_adj", "w", encoding="ascii") as adjustment:
        adjustment.write("1000")
    hog = subprocess.Popen([paths.PYTHON, "-c", "input(); b'1' * (1 << 30)"],
                           stdin=subprocess.PIPE)
    closing.callback(hog.wait)
    closing.callback(hog.kill)
    group.add(hog.pid)
    hog.stdin.write(b"\n")
    hog.stdin.close()
    assert one.process.wait(30) == -signal.SIGKILL
    assert_text_is_restored(program)
    program.tell("stop")
    assert program.end() == 0


def test_a_stopped_memwatchd_misses_nothing_of_threads_that_allocate(new_daemon, run):
    program = run("threads")
    one = new_daemon().start()
    one.watch(program)
    one.process.send_signal(signal.SIGSTOP)
    eventually(lambda: process.state(one.pid) == "T", "memwatchd is stopped")
    program.tell("run 3000")
    one.process.send_signal(signal.SIGCONT)
    assert_exact(one, program)
    answer = one.ctl("stacks", "--pid", program.pid)
    assert answer["complete"], answer["incomplete_reason"]
    program.tell("free_all")
    assert_exact(one, program)


def test_a_hundred_watches_while_eight_threads_allocate(daemon, run):
    program = run("patterns")
    program.tell("start")
    for _ in range(CYCLES):
        watch(daemon, program)
        status, text = daemon.request("DELETE", program.watch_path)
        assert status == 200, text
    assert_text_is_restored(program)
    program.tell("stop")
    daemon.watch(program)
    before = daemon.target(program.pid)
    assert before["outstanding_objects"] == 0
    assert program.end() == 0


def test_two_daemons_watch_one_process_exactly(new_daemon, run):
    program = run("threads")
    first, second = new_daemon(), new_daemon()
    with contextlib.ExitStack() as starts:
        for one in (first, second):
            one.launch()
            starts.callback(one.wait_until_ready)
    for one in (first, second):
        one.watch(program)
    program.tell("run 2000")
    assert_exact(first, program)
    assert_exact(second, program)

    first.ctl("unwatch", "--pid", program.pid)
    program.tell("run 2000")
    assert_exact(second, program)
    second.kill()
    assert_text_is_restored(program)
    program.tell("free_all")
    assert program.end() == 0
