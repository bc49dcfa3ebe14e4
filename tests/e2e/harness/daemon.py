# SPDX-License-Identifier: Apache-2.0
"""A memwatchd of one's own on temporary paths, and memwatchctl talking to it."""
import dataclasses
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

from harness import paths, process
from harness.wait import POLL_SECONDS, eventually

READY_SECONDS = 20
END_SECONDS = 10
MARK = "MEMWATCH_TEST_DAEMON"


@dataclasses.dataclass
class Outcome:
    """How a memwatchctl ended."""
    status: int
    output: str
    errors: str

    @property
    def json(self):
        return json.loads(self.output)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """Not started by the constructor: tests of failing starts look at what the start says."""

    def __init__(self, **configuration):
        # Not under pytest's temporary folder, which other users may not enter; and short, since the
        # path of a Unix socket is.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="memwatch-test-"))
        self.directory.chmod(0o755)
        self.socket = self.directory / "memwatchd.sock"
        self.state_dir = self.directory / "state"
        self.config = self.directory / "memwatchd.conf"
        self.log = self.directory / "log"
        self.port = free_port()
        self.mark = f"{MARK}={uuid.uuid4()}"
        self.process = None
        self.configure(**configuration)

    def configure(self, **configuration):
        self.config.write_text("".join(f"{key} = {value}\n" for key, value in
                                       configuration.items()))

    @property
    def pid(self):
        return self.process.pid

    @property
    def log_text(self):
        return self.log.read_text(errors="replace")

    def command(self):
        return [str(paths.MEMWATCHD), "--config", str(self.config), "--socket", str(self.socket),
                "--listen", f"127.0.0.1:{self.port}", "--state-dir", str(self.state_dir)]

    def launch(self, command=None, **options):
        """Starts it without waiting for anything."""
        name, value = self.mark.split("=", 1)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command or self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            env={**os.environ, name: value}, **options)
        return self

    def start(self):
        self.launch()
        self.wait_until_ready()
        return self

    def wait_until_ready(self):
        eventually(self.is_ready_or_over, f"ready; log: {self.log}", READY_SECONDS)
        assert self.process.poll() is None, f"memwatchd runs; it said:\n{self.log_text}"

    def is_ready_or_over(self):
        return self.process.poll() is not None or self.is_ready()

    def is_ready(self):
        try:
            return self.request("GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def fail_to_start(self, **options):
        """For starts that have to fail: its exit status and what it said."""
        self.launch(**options)
        status = self.process.wait(READY_SECONDS)
        return status, self.log_text

    # ---- talking to it

    def request(self, method, path):
        """Over the Unix socket, as the caller's user: status and text."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def get(self, path):
        status, text = self.request("GET", path)
        assert status == 200, text
        return json.loads(text)

    def put(self, path):
        status, text = self.request("PUT", path)
        assert status == 200, text
        return json.loads(text)

    def request_tcp(self, path, method="GET", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ctl_command(self, *arguments):
        return [str(paths.MEMWATCHCTL), "--socket", str(self.socket),
                *(str(word) for word in arguments)]

    def try_ctl(self, *arguments, **options):
        """Runs memwatchctl, however it ends."""
        done = subprocess.run(self.ctl_command(*arguments), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False, **options)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start_ctl(self, *arguments):
        return subprocess.Popen(self.ctl_command(*arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ctl(self, *arguments):
        """memwatchctl --json, which has to succeed: the answer."""
        outcome = self.try_ctl("--json", *arguments)
        assert outcome.status == 0, (arguments, outcome.status, outcome.errors)
        return outcome.json

    # ---- what tests do all the time

    def watch(self, program, *options):
        """Whatever it costs: what a budget does is test_budget's."""
        return self.ctl("watch", "--force", "--pid", program.pid, *(options or ["--exact"]))

    def sites(self, pid):
        return self.ctl("stacks", "--pid", pid)["sites"]

    def target(self, pid):
        """The watched process, None when it is not (or no longer) watched."""
        return next((target for target in self.get("/api/v1/targets")["targets"]
                     if target["pid"] == pid and not target["ended"]), None)

    def ended_targets(self, pid):
        return [target for target in self.get("/api/v1/targets")["targets"]
                if target["pid"] == pid and target["ended"]]

    # ---- ending it

    def terminate(self):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        """Ends it, and makes sure that nothing of it is left."""
        try:
            if self.process and self.process.poll() is None:
                status = self.terminate()
                assert status == 0, f"memwatchd ended with {status}; it said:\n{self.log_text}"
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            leftovers = self._leftovers()
            for pid in leftovers:
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.directory)
        assert not leftovers, f"memwatchd left processes behind: {leftovers}"

    def _leftovers(self):
        """What it was killed in the midst of, a process of its own finishes."""
        deadline = time.monotonic() + END_SECONDS
        while (pids := process.pids_with_environment(self.mark)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return pids
