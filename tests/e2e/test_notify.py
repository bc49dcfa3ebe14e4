# SPDX-License-Identifier: Apache-2.0
"""What memwatchd tells its service manager (sd_notify)."""
import os
import signal
import socket

import pytest

from harness.daemon import END_SECONDS, READY_SECONDS


@pytest.fixture
def manager(tmp_path, monkeypatch, closing):
    """The socket a service manager would listen on, with a watchdog limit of three seconds."""
    path = tmp_path / "notify"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    closing.callback(listener.close)
    listener.bind(str(path))
    listener.settimeout(READY_SECONDS)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return listener


def test_ready_is_told_once_commands_work_and_the_watchdog_is_fed(new_daemon, manager):
    one = new_daemon().launch()
    assert manager.recv(100) == b"READY=1"
    assert one.is_ready()
    assert manager.recv(100) == b"WATCHDOG=1"
    assert manager.recv(100) == b"WATCHDOG=1"


def test_reloading_and_stopping_are_told(new_daemon, manager):
    one = new_daemon().launch()
    assert manager.recv(100) == b"READY=1"
    os.kill(one.pid, signal.SIGHUP)
    told = [manager.recv(100) for _ in range(2)]
    while b"WATCHDOG=1" in told:
        told.remove(b"WATCHDOG=1")
        told.append(manager.recv(100))
    assert told == [b"RELOADING=1", b"READY=1"]
    os.kill(one.pid, signal.SIGTERM)
    one.process.wait(END_SECONDS)
    last = manager.recv(100)
    while last == b"WATCHDOG=1":
        last = manager.recv(100)
    assert last == b"STOPPING=1"


def test_a_watchdog_meant_for_another_process_is_none_of_ours(new_daemon, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_PID", "1")
    one = new_daemon().launch()
    assert manager.recv(100) == b"READY=1"
    os.kill(one.pid, signal.SIGTERM)
    assert manager.recv(100) == b"STOPPING=1"
