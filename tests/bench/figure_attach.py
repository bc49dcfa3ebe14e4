# SPDX-License-Identifier: Apache-2.0
"""Watching 50 processes at once, and unwatching them, by each attach back end that works here: from
the first request to the last answer, and to the last probe that is out of a process. Meanwhile
another client asks for the status again and again: how long its slowest answer took is stated.

With perf the kernel takes out probes one after the other, a grace period each, a minute in all:
unwatching is answered before, the last probe is not waited for, and there is one round."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import BenchError, Daemon, Loops, cpus_other
from report import Row

NAME = "attach"
TITLE = "Watching and unwatching 50 processes at once"
MUST_SECONDS = 2

TARGETS = 50
CONNECTIONS = 24  # memwatchd serves 32 of one user at a time; one is the status client's
FUNCTIONS_MIN = 12
ROUNDS = 3
BACKENDS = ("session", "multi", "perf")
GONE_SECONDS = 30


class StatusClient:
    """Asks for the status until told to stop."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.slowest_seconds = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            start = time.monotonic()
            self.daemon.get("/api/v1/status")
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - start)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def is_text_changed(pid, file):
    """Whether the process's code of the file differs from the file: a probe is in it."""
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or fields[5] != file or "x" not in fields[1]:
            continue
        start, end = (int(part, 16) for part in fields[0].split("-"))
        with open(file, "rb") as source, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            source.seek(int(fields[2], 16))
            wanted = source.read(end - start)
            memory.seek(start)
            if memory.read(len(wanted)) != wanted:
                return True
    return False


def wait_for_text(pids, file):
    """Until no process has a probe any more."""
    deadline = time.monotonic() + GONE_SECONDS
    left = list(pids)
    while left:
        if not is_text_changed(left[-1], file):
            left.pop()
        elif time.monotonic() > deadline:
            raise BenchError(f"{len(left)} of {len(pids)} processes keep their probes")
        else:
            time.sleep(0.01)


def request_all(daemon, method, pids, query=""):
    """Seconds from the first request to the last answer."""

    def request(pid):
        answer = daemon.get(f"/api/v1/processes/{pid}/watch{query}", method)
        if b" 200 " not in answer.split(b"\r\n", 1)[0]:
            raise BenchError(f"{method} watch: {answer.decode(errors='replace')}")

    start = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(request, pids))
    return time.monotonic() - start


def measure_backend(bench, backend, pids, file):
    attached, detached, gone, slowest = [], [], [], []
    rounds = 1 if bench.is_quick or backend == "perf" else ROUNDS
    with Daemon(bench, attach_backend=backend) as daemon:
        for index in range(rounds):
            bench.progress(f"attach: {backend}, round {index + 1}")
            with StatusClient(daemon) as client:
                attached.append(request_all(daemon, "PUT", pids, "?force=1"))
                probes = min(target["probes"] for target in daemon.control("targets")["targets"]
                             if not target["ended"])
                start = time.monotonic()
                detached.append(request_all(daemon, "DELETE", pids))
            if backend != "perf":
                wait_for_text(pids, file)
                gone.append(time.monotonic() - start)
            slowest.append(client.slowest_seconds * 1e3)
    if probes < FUNCTIONS_MIN:
        raise BenchError(f"{backend} has put {probes} probes into a process, not {FUNCTIONS_MIN}")
    rows = [
        Row(f"{backend}: watched", attached, "s", must=MUST_SECONDS),
        Row(f"{backend}: unwatched", detached, "s", must=MUST_SECONDS),
        Row(f"{backend}: slowest status meanwhile", slowest, "ms"),
    ]
    if gone:
        rows.append(Row(f"{backend}: the last probe is out", gone, "s", must=MUST_SECONDS))
    return rows, f"{backend}: {probes} functions of each process"


def measure(bench):
    rows, notes = [], []
    file = bench.libc_path()
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(Loops(bench, cpus_other())) for _ in range(TARGETS)]
        for backend in BACKENDS:
            try:
                more, note = measure_backend(bench, backend, [p.pid for p in programs], file)
            except BenchError as error:
                note = f"{backend} was not measured: {error}"
            else:
                rows += more
            notes.append(note)
    return rows, notes
