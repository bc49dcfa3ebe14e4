# SPDX-License-Identifier: Apache-2.0
"""Fixtures. Every daemon has paths and a port of its own, so that test runs may go side by side."""
import contextlib
import os
import signal

import pytest

from harness import paths
from harness.cgroup import MemoryCgroup
from harness.daemon import Daemon
from harness.fake_daemon import FakeDaemon
from harness.program import Program


def pytest_configure():
    # A shell has what it starts in the background ignore some, nohup others, and programs
    # inherit that. What has a handler here they don't ignore.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ignored in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(ignored) == signal.SIG_IGN:
            signal.signal(ignored, lambda number, frame: None)
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests load BPF programs: run them as root", returncode=2)
    for file in (paths.MEMWATCHD, paths.MEMWATCHCTL, paths.PROGRAMS / "leaky"):
        if not file.exists():
            pytest.exit(f"{file} is missing: run make, and make programs", returncode=2)


@pytest.fixture(scope="module")
def daemon():
    """A running daemon that the tests of one file share."""
    one = Daemon()
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def closing():
    """Closes what a test has made, latest first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def new_daemon(closing):
    """Makes daemons for one test; not yet started."""
    def make(**configuration):
        one = Daemon(**configuration)
        closing.callback(one.close)
        return one

    return make


@pytest.fixture
def run(closing):
    """Starts programs, which end with the test."""
    def start(*command, **options):
        program = Program(*command, **options)
        closing.callback(program.close)
        return program

    return start


@pytest.fixture
def memory_cgroup(closing):
    """Makes small memory cgroups, which must be gone after the test."""
    def make(limit_bytes):
        group = MemoryCgroup(limit_bytes)
        closing.callback(group.close)
        return group

    return make


@pytest.fixture
def fake(tmp_path):
    daemon = FakeDaemon(tmp_path / "socket")
    yield daemon
    daemon.stop()
