# SPDX-License-Identifier: Apache-2.0
"""What figures run: the daemon on temporary paths, measured loops, probes. Each is a context
manager that ends its process by pid, whatever happens."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60  # for a program to say that it is ready; bpftrace takes several
READY_SECONDS = 60
STOP_SECONDS = 10

# Clock of the CPU time of a whole process in ns, threads that ended included: what
# clock_getcpuclockid(3) returns (include/linux/posix-timers_types.h: ~pid << 3 | CPUCLOCK_SCHED).
CPUCLOCK_SCHED = 2


class BenchError(Exception):
    """Something could not be measured; the message says what."""


def process_cpu_seconds(pid):
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def process_status_bytes(pid, field):
    """VmRSS, VmHWM and the like."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"/proc/{pid}/status has no {field}")


def cpu_last():
    """Where measured loops run; everything else stays off it where there is another one."""
    return max(os.sched_getaffinity(0))


def cpus_other():
    return os.sched_getaffinity(0) - {cpu_last()} or {cpu_last()}


class Child:
    """A program that talks by lines. Its stdin's end is its signal to stop."""

    def __init__(self, arguments, cpus=None, error_path=None, **environment):
        self.name = Path(arguments[0]).name
        self.pending = b""
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(open(error_path, "wb")) if error_path else None
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **environment},
            )
        if cpus:
            os.sched_setaffinity(self.process.pid, cpus)

    @property
    def pid(self):
        return self.process.pid

    def write_line(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def poll_line(self, seconds):
        """The next line, or None when there is none within that time."""
        deadline = time.monotonic() + seconds
        output = self.process.stdout.fileno()
        # stdout is read around Python's buffer, so that select() tells the truth.
        while b"\n" not in self.pending:
            remaining = max(0, deadline - time.monotonic())
            if not select.select([output], [], [], remaining)[0]:
                return None
            read = os.read(output, 4096)
            if not read:
                raise BenchError(f"{self.name} ended unexpectedly")
            self.pending += read
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode().strip()

    def read_line(self, seconds=START_SECONDS):
        line = self.poll_line(seconds)
        if line is None:
            raise BenchError(f"{self.name} says nothing within {seconds} s")
        return line

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def wait_started(self):
        """Until the program is what it is started for."""

    def __enter__(self):
        try:
            self.wait_started()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


@dataclass
class Loop:
    """How a loop went; `undisturbed_ns` is the 10th percentile over slices of 1 ms (loops.c)."""

    count: int
    elapsed_ns: int
    undisturbed_ns: float


class Loops(Child):
    """A process of tests/bench/loops.c."""

    def __init__(self, bench, cpus=None, program="loops", **environment):
        super().__init__([bench.program(program)], cpus or {cpu_last()}, **environment)

    def run(self, command):
        self.write_line(command)
        count, elapsed_ns, undisturbed_ns = self.read_line().split()
        return Loop(int(count), int(elapsed_ns), float(undisturbed_ns))


class EmptyProbes(Child):
    """Probes that do nothing, on one process: tests/bench/empty_probes.c."""

    def __init__(self, bench, pid, file, probes):
        super().__init__([bench.program("empty_probes"), pid, file, *probes])

    def wait_started(self):
        self.read_line()


class Daemon:
    """memwatchd on paths of its own, with defaults but for the configuration given."""

    def __init__(self, bench, **configuration):
        self.bench = bench
        self.configuration = configuration

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="memwatch-bench-")
        root = Path(self.directory.name)
        self.socket_path = root / "memwatchd.sock"
        lines = [f"{key} = {value}\n" for key, value in self.configuration.items()]
        (root / "memwatchd.conf").write_text("".join(lines), encoding="ascii")
        arguments = ["--config", root / "memwatchd.conf", "--socket", self.socket_path]
        arguments += ["--listen", f"127.0.0.1:{free_port()}", "--state-dir", root / "state"]
        (root / "state").mkdir()
        self.log_path = root / "log"
        start = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [self.bench.build / "memwatchd", *arguments], stdin=subprocess.DEVNULL, stderr=log
            )
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        self.ready_seconds = time.monotonic() - start
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def get(self, path, method="GET"):
        """The answer with its headers, as it comes over the socket."""
        answer = b""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(READY_SECONDS)
            client.connect(str(self.socket_path))
            client.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
            while read := client.recv(1 << 20):
                answer += read
        return answer

    def is_ready(self):
        try:
            return b" 200 " in self.get("/-/ready").split(b"\r\n", 1)[0]
        except OSError:
            return False

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.log_path.read_text(encoding="utf-8", errors="replace")
                raise BenchError(f"memwatchd does not become ready: {log.strip()}")
            time.sleep(0.02)

    def stop(self):
        """Ends it by SIGTERM, if it hasn't ended yet; returns the seconds that took."""
        start = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        seconds = time.monotonic() - start
        self.directory.cleanup()
        return seconds

    def control_arguments(self, *arguments):
        program = self.bench.build / "memwatchctl"
        return [program, "--socket", self.socket_path, *map(str, arguments)]

    def control(self, *arguments):
        """Runs memwatchctl, returns its JSON answer (None: it says nothing)."""
        command = self.control_arguments("--json", *arguments)
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip()
            raise BenchError(f"memwatchctl {' '.join(map(str, arguments))}: {words}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    @contextlib.contextmanager
    def watching(self, pid, *options):
        self.control("watch", "--force", "--pid", pid, *options)
        try:
            yield
        finally:
            self.control("unwatch", "--pid", pid)

    def target(self, pid):
        """The living or the last ended target of this pid."""
        for target in self.control("targets")["targets"]:
            if target["pid"] == pid:
                return target
        raise BenchError(f"process {pid} is no target")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Bench:
    """What every figure is given."""

    build: Path
    rounds: int
    is_quick: bool
    seconds: float  # one measurement of one condition
    progress: object  # called with words

    def program(self, name):
        return self.build / "bench" / name

    def libc_path(self):
        """The libc that the measured programs load, as a path for probes."""
        with Loops(self) as loops:
            loops.run("syscalls 0.001")
            maps = Path(f"/proc/{loops.pid}/maps").read_text(encoding="utf-8")
        paths = {line.split()[-1] for line in maps.splitlines() if "/libc.so" in line}
        if len(paths) != 1:
            raise BenchError("the measured loops load no shared glibc")
        return paths.pop()

    def probe_offsets(self, file):
        """Where memwatch probes: {"malloc": (entry, probe, reason), "free": ...}."""
        command = [self.build / "memwatchctl", "--json", "doctor", "--allocators", file]
        output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        return {
            function["function"]: (
                function["function_offset"],
                function["probe_offset"],
                function["reason"],
            )
            for function in json.loads(output)["functions"]
            if function["function"] in ("malloc", "free")
        }
