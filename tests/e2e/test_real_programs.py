# SPDX-License-Identifier: Apache-2.0
"""
Real programs that allocate much and in their own ways: what they do is the same when they are
watched, each block exactly, as when they are not, and nothing is missing in their accounts.
"""
import subprocess

import pytest

from harness import paths
from harness.compare import assert_nothing_lost
from harness.redis import Redis
from harness.wait import eventually, eventually_passes

NODE = "/usr/bin/node"
BECOMES = paths.PROGRAMS / "becomes"
COMPILER_SECONDS = 120


@pytest.fixture
def start_redis(closing):
    def start():
        server = Redis()
        closing.callback(server.close)
        return server

    return start


def account_head(daemon, pid):
    """Totals and losses; all the sites of node or a compiler are more than an answer takes."""
    return daemon.get(f"/api/v1/processes/{pid}/stacks?top=1")


def become_watched(daemon, program, pid):
    """
    Makes a process, watched already, the program that it is to be: exec keeps the watch. Returns
    when the new program is watched.
    """
    daemon.ctl("watch", "--force", "--exact", "--pid", pid)
    program.send("become")
    eventually(lambda: daemon.ended_targets(pid), "the account before the exec has ended")
    eventually(lambda: (daemon.target(pid) or {}).get("probes"), "the new program is watched")


# ---- redis


def test_redis_ends_in_the_same_state_and_its_memory_is_accounted(daemon, start_redis):
    requests = 20000
    unwatched = start_redis()
    unwatched.load(requests)
    server = start_redis()
    before = server.used_bytes()
    daemon.watch(server)
    server.load(requests)

    assert server.state() == unwatched.state()
    grown = server.used_bytes() - before
    assert "jemalloc" in daemon.target(server.pid)["allocators"]

    def check():
        answer = account_head(daemon, server.pid)
        assert_nothing_lost(answer)
        # Redis counts what a block can hold; jemalloc's sizes are up to a fifth more than asked.
        # Its Lua interpreter's blocks are none of redis' own.
        assert 0.8 * grown <= answer["outstanding_bytes"] <= 1.05 * grown

    eventually_passes(check)
    daemon.ctl("unwatch", "--pid", server.pid)
    assert server.ask("PING") == "PONG"


# ---- a compiler


def compile_templates(output, *wrapper):
    """g++'s arguments to compile, and no more: what runs under the wrapper is cc1plus alone."""
    return ["/usr/bin/g++", *wrapper, "-S", "-O1", "-o", output,
            paths.SCRIPTS / "templates.cpp"]


def assemble(source, output):
    subprocess.run(["/usr/bin/g++", "-c", "-o", output, source], check=True,
                   timeout=COMPILER_SECONDS)
    return output.read_bytes()


def test_a_compiler_makes_the_same_object_file(daemon, run, tmp_path):
    subprocess.run(compile_templates(tmp_path / "unwatched.s"), check=True,
                   timeout=COMPILER_SECONDS)
    compiler = run(*compile_templates(tmp_path / "watched.s", "-wrapper", BECOMES))
    pid = compiler.truth["pid"]
    assert pid != compiler.pid
    become_watched(daemon, compiler, pid)
    assert daemon.target(pid)["comm"] == "cc1plus"

    assert compiler.process.wait(COMPILER_SECONDS) == 0
    account = eventually(lambda: next((target for target in daemon.ended_targets(pid)
                                       if target["comm"] == "cc1plus"), None), "it has ended")
    assert account["end_reason"] == "exited"
    assert account["allocation_hits"] > 10000
    assert_nothing_lost(account_head(daemon, pid))
    assert (assemble(tmp_path / "watched.s", tmp_path / "watched.o") ==
            assemble(tmp_path / "unwatched.s", tmp_path / "unwatched.o"))


# ---- node


def test_node_computes_the_same_and_its_buffers_are_accounted(daemon, run):
    script = paths.SCRIPTS / "works.js"
    wanted = run(NODE, script).tell("work")
    node = run(BECOMES, NODE, script)
    become_watched(daemon, node, node.pid)
    assert node.read() == {"ready": True}
    assert node.tell("work") == wanted

    def check():
        answer = account_head(daemon, node.pid)
        assert_nothing_lost(answer)
        assert answer["outstanding_bytes"] >= wanted["held_bytes"]

    eventually_passes(check)
    node.process.stdin.close()
    assert node.process.wait(node.ANSWER_SECONDS) == 0
    ended = eventually(lambda: [target for target in daemon.ended_targets(node.pid)
                                if target["end_reason"] == "exited"], "it has ended")
    assert ended[0]["allocation_hits"] > 10000
    assert_nothing_lost(account_head(daemon, node.pid))
