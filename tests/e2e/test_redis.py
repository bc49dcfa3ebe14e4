# SPDX-License-Identifier: Apache-2.0
"""Debian's redis-server, which uses jemalloc and keeps books of its own."""
import math
import shutil
import subprocess

import pytest

from harness.wait import eventually, eventually_passes

KEYS = 20_000
VALUE_BYTES = 1000
# Redis counts blocks as large as jemalloc has made them, and jemalloc's sizes lie up to 25% apart;
# we count what was asked for. What else the server does meanwhile is next to nothing.
ASKED_SHARE_MIN = 0.75
ASKED_SHARE_MAX = 1.02


class Redis:
    def __init__(self, directory):
        self._socket = directory / "redis.sock"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self._socket, "--dir", directory,
             "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        try:
            eventually(lambda: self.try_ask("PING").stdout == "PONG\n", "redis answers")
        except BaseException:
            self.close()
            raise

    def try_ask(self, *words, **options):
        return subprocess.run(["redis-cli", "-s", self._socket, *map(str, words)], text=True,
                              capture_output=True, check=False, timeout=60, **options)

    def ask(self, *words, **options):
        done = self.try_ask(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def used_bytes(self):
        lines = self.ask("INFO", "memory").splitlines()
        return int(next(line for line in lines if line.startswith("used_memory:")).split(":")[1])

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path, closing):
    assert shutil.which("redis-server"), "redis-server is missing: deploy/install-deps --check"
    one = Redis(tmp_path)
    closing.callback(one.close)
    return one


def outstanding_bytes(daemon, pid):
    """With its standard error, which is zero in an exact account."""
    blocks = [site for site in daemon.sites(pid) if site["kind"] == "block"]
    variance = sum(site["outstanding_bytes_stderr"] ** 2 for site in blocks)
    return sum(site["outstanding_bytes"] for site in blocks), math.sqrt(variance)


@pytest.mark.parametrize("interval", [None, 65536], ids=["exact", "sampled"])
def test_the_account_of_redis_agrees_with_its_own(daemon, redis, interval):
    daemon.watch(redis, *(["--interval", interval] if interval else []))
    assert "jemalloc" in daemon.target(redis.pid)["allocators"].split(",")
    used_before = redis.used_bytes()
    held_before, _ = outstanding_bytes(daemon, redis.pid)

    commands = "".join(f"SET key:{i} {'x' * VALUE_BYTES}\n" for i in range(KEYS))
    answers = redis.ask(input=commands)
    assert answers.count("OK") == KEYS

    used = redis.used_bytes() - used_before
    assert used > KEYS * VALUE_BYTES

    def check_held():
        held, stderr = outstanding_bytes(daemon, redis.pid)
        assert ASKED_SHARE_MIN * used - 4 * stderr <= held - held_before
        assert held - held_before <= ASKED_SHARE_MAX * used + 4 * stderr

    eventually_passes(check_held)

    assert redis.ask("FLUSHALL", "SYNC") == "OK\n"
    assert redis.used_bytes() - used_before < used / 20

    def check_freed():
        held, stderr = outstanding_bytes(daemon, redis.pid)
        assert held - held_before < used / 20 + 4 * stderr

    eventually_passes(check_freed)
    assert redis.ask("PING") == "PONG\n"
