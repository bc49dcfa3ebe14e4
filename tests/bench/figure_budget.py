# SPDX-License-Identifier: Apache-2.0
"""What is left of a program's speed when its probes cost more than their budget, and what the
daemon itself takes from the machine while a target allocates as fast as it can.

Stopped by hand: a loop that does nothing but malloc and free is watched without --force, so that
its watch is soon stopped; 5 s later it has to be as fast as before. What it lost on the way is
stated.

redis under the budget of a policy: SET by redis-benchmark, for 10 s at a time, watched with
--budget 3 --retry and unwatched in turns. The first moments of each watch are the dearest.

Ratios are of times: a speed of 0.97 is a ratio of 1 / 0.97."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness import BenchError, Child, Daemon, Loops, cpus_other, process_cpu_seconds
from report import Row

NAME = "budget"
TITLE = "Over budget, and the daemon's own cost"
STOPPED_MUST = 1 / 0.97
REDIS_MUST = 1 / 0.95
DAEMON_MUST_PERCENT = 1

LOOP = "pairs 64 5"
AFTER_SECONDS = 5
REDIS_ROUNDS = 5
REDIS_CLIENTS = 50
DAEMON_LOOPS = 2  # with probes one thread stays below a million a second


# ---- The loop that is stopped


def measure_stopped(bench):
    """ns per pair: unwatched, during the first 5 s of the watch, and then; and how often it was
    stopped."""
    unwatched, during, after = [], [], []
    stops = 0
    with Loops(bench) as loops, Daemon(bench) as daemon:
        for index in range(min(bench.rounds, 5)):
            bench.progress(f"budget: stopped by hand, round {index + 1}")
            unwatched.append(loops.run(f"{LOOP} 1").undisturbed_ns)
            loops.write_line(f"{LOOP} {AFTER_SECONDS}")
            # Exits with 6 when it was stopped at once.
            subprocess.run(
                daemon.control_arguments("watch", "--pid", loops.pid),
                stdin=subprocess.DEVNULL, capture_output=True, check=False,
            )
            count, elapsed_ns, _ = loops.read_line().split()
            during.append(int(elapsed_ns) / int(count))
            after.append(loops.run(f"{LOOP} 1").undisturbed_ns)
            target = daemon.target(loops.pid)
            stops += target["end_reason"] == "ended_over_budget"
            if not target["ended"]:
                daemon.control("unwatch", "--pid", loops.pid)
    rows = [
        Row.compare("loop stopped by hand: 5 s after the watch began", after, "unwatched",
                    unwatched, must=STOPPED_MUST),
        Row.compare("the same, mean of these 5 s", during, "unwatched", unwatched),
    ]
    return rows, [f"the loop's watch was stopped in {stops} of {len(after)} rounds"]


# ---- redis


class Redis(Child):
    """A redis-server without persistence, on a socket of its own."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="memwatch-bench-")
        self.socket = Path(self.directory.name) / "redis.sock"
        super().__init__(
            ["redis-server", "--port", 0, "--unixsocket", self.socket, "--save", "",
             "--appendonly", "no", "--dir", self.directory.name, "--daemonize", "no"],
            error_path=Path(self.directory.name) / "log",
        )

    def wait_started(self):
        deadline = time.monotonic() + 20
        while not self.socket.is_socket():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("redis-server does not start")
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        super().stop()
        self.directory.cleanup()

    def set_requests(self, count):
        """Seconds for so many SETs, one each trip."""
        start = time.monotonic()
        subprocess.run(
            ["redis-benchmark", "-s", self.socket, "-t", "set", "-n", str(count), "-r", "100000",
             "-c", str(REDIS_CLIENTS), "-q"],
            stdin=subprocess.DEVNULL, capture_output=True, check=True,
        )
        return time.monotonic() - start


def allocators_of(daemon, pid):
    with daemon.watching(pid):
        return daemon.target(pid)["allocators"]


def measure_redis(bench):
    missing = [name for name in ("redis-server", "redis-benchmark") if not shutil.which(name)]
    if missing:
        raise BenchError(f"{', '.join(missing)} missing (apt-get install redis)")
    unwatched, watched = [], []
    with Redis() as redis, Daemon(bench) as daemon:
        allocators = allocators_of(daemon, redis.pid)
        if "jemalloc" not in allocators:
            raise BenchError(f"memwatchd finds {allocators or 'no allocator'} in redis-server, "
                             "which allocates with jemalloc")
        seconds = 2 if bench.is_quick else 10
        count = int(20000 / redis.set_requests(20000) * seconds)
        for index in range(min(bench.rounds, REDIS_ROUNDS)):
            bench.progress(f"budget: redis, round {index + 1}")
            unwatched.append(redis.set_requests(count))
            daemon.control("watch", "--pid", redis.pid, "--budget", 3, "--retry")
            watched.append(redis.set_requests(count))
            daemon.control("unwatch", "--pid", redis.pid)
    return Row.compare("redis-benchmark SET, watched under 3%", watched, "unwatched", unwatched,
                       unit="s", must=REDIS_MUST)


# ---- The daemon's own cost


def measure_daemon(bench):
    seconds = 2 if bench.is_quick else 10
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(Daemon(bench))
        programs = [stack.enter_context(Loops(bench, cpus))
                    for cpus in (None, cpus_other())[:DAEMON_LOOPS]]
        for program in programs:
            daemon.control("watch", "--pid", program.pid, "--force")
            program.write_line(f"{LOOP} {seconds + 2}")
        time.sleep(1)  # the first second is not the rate that lasts
        bench.progress(f"budget: daemon, {seconds} s")
        start, start_cpu = time.monotonic(), process_cpu_seconds(daemon.pid)
        hits = sum(daemon.target(program.pid)["allocation_hits"] for program in programs)
        time.sleep(seconds)
        elapsed = time.monotonic() - start
        percent = 100 * (process_cpu_seconds(daemon.pid) - start_cpu) / elapsed
        hits = sum(daemon.target(program.pid)["allocation_hits"] for program in programs) - hits
        for program in programs:
            program.read_line()
    rate = hits / elapsed
    return Row("daemon, targets allocating as fast as they can", [percent], "% CPU",
               must=DAEMON_MUST_PERCENT), f"they allocated {rate / 1e6:.2f} million times a second"


def measure(bench):
    rows, notes = measure_stopped(bench)
    try:
        rows.append(measure_redis(bench))
    except BenchError as error:
        notes.append(f"redis was not measured: {error}")
    row, note = measure_daemon(bench)
    return rows + [row], notes + [note]
