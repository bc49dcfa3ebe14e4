# SPDX-License-Identifier: Apache-2.0
"""The distribution's redis-server on a Unix socket, and a load that ends in one state only."""
import subprocess
import tempfile

from harness.wait import eventually

CLIENTS = 20
TESTS = "set,incr,lpush,rpush,lpop,rpop,sadd,hset,zadd,mset"
# Whoever comes n-th: n becomes the key, and says how long the value is.
NUMBERED_SET = ("local n = redis.call('INCR', 'count') "
                "return redis.call('SET', 'key:' .. n, string.rep('v', n % 3000))")
# Every third of them goes again.
NUMBERED_DELETE = ("local n = redis.call('INCR', 'deleted') "
                   "return redis.call('UNLINK', 'key:' .. 3 * n)")


class Redis:
    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="memwatch-test-")
        self._socket = f"{self._directory.name}/redis.sock"
        self.process = subprocess.Popen(
            ["/usr/bin/redis-server", "--port", "0", "--unixsocket", self._socket, "--save", "",
             "--appendonly", "no", "--dir", self._directory.name,
             "--logfile", f"{self._directory.name}/log", "--enable-debug-command", "yes"],
            stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        eventually(lambda: self.ask("PING", check=False) == "PONG", "redis answers")

    def ask(self, *words, check=True):
        done = subprocess.run(["/usr/bin/redis-cli", "-s", self._socket, *words], check=check,
                              capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def used_bytes(self):
        """What its blocks can hold, as its allocator says."""
        lines = self.ask("INFO", "memory").splitlines()
        return int(next(line for line in lines if line.startswith("used_memory:")).split(":")[1])

    def load(self, requests):
        """redis-benchmark's own commands on fixed keys, then keys with values of many sizes."""
        self._benchmark(requests // 4, "-t", TESTS)
        self._benchmark(requests, "EVAL", NUMBERED_SET, "0")
        self._benchmark(requests // 5, "EVAL", NUMBERED_DELETE, "0")

    def state(self):
        """How many keys there are, and a digest of all that is in them."""
        return self.ask("DBSIZE"), self.ask("DEBUG", "DIGEST")

    def close(self):
        self.process.kill()
        self.process.wait()
        self._directory.cleanup()

    def _benchmark(self, requests, *what):
        # It ends with 1 at the first error.
        subprocess.run(
            ["/usr/bin/redis-benchmark", "-s", self._socket, "-c", str(CLIENTS), "-q",
             "-n", str(requests), *what],
            check=True, stdout=subprocess.DEVNULL, timeout=120)
