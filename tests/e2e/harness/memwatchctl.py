# SPDX-License-Identifier: Apache-2.0
"""memwatchctl alone, run against a daemon that says what a test wants it to say."""
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios

from harness import paths

COMMANDS = {
    "leaks": ["leaks", "--pid", "4242", "--for", "0"],
    "watch": ["watch", "--pid", "4242"],
    "unwatch": ["unwatch", "--pid", "4242"],
    "targets": ["targets"],
    "stacks": ["stacks", "--pid", "4242"],
    "lines": ["lines", "--pid", "4242", "--for", "0"],
    "snapshot": ["snapshot", "--pid", "4242"],
    "diff": ["diff", "--pid", "4242", "--for", "0.1"],
    "ps": ["ps"],
    "oom": ["oom"],
    "one oom": ["oom", "1"],
    "status": ["status"],
    "doctor": ["doctor"],
}
REQUESTS = {
    "leaks": "GET /api/v1/processes/4242/leaks",
    "watch": "PUT /api/v1/processes/4242/watch",
    "unwatch": "DELETE /api/v1/processes/4242/watch",
    "targets": "GET /api/v1/targets",
    "stacks": "GET /api/v1/processes/4242/stacks",
    "lines": "GET /api/v1/processes/4242/lines",
    "snapshot": "GET /api/v1/processes/4242/stacks",
    "diff": "GET /api/v1/processes/4242/stacks",
    "ps": "GET /api/v1/processes",
    "oom": "GET /api/v1/ooms",
    "one oom": "GET /api/v1/ooms/1",
    "status": "GET /api/v1/status",
    "doctor": "GET /api/v1/doctor",
}
RENEWABLE = "/api/v1/processes/4242"
DEADLINE_SECONDS = 30


def observe(*more, seconds="0.1"):
    return ["leaks", "--pid", "4242", "--for", seconds, *more]


def environment(fake, **more):
    inherited = {key: value for key, value in os.environ.items()
                 if key not in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "http_proxy", "ALL_PROXY")}
    return {**inherited, "MEMWATCH_SOCKET": str(getattr(fake, "socket_path", fake)),
            "LANG": "C.UTF-8", "TERM": "xterm", **more}


def ctl(fake, *arguments, **more):
    """Runs memwatchctl on pipes."""
    return subprocess.run([paths.MEMWATCHCTL, *arguments], env=environment(fake, **more),
                          stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                          timeout=DEADLINE_SECONDS, check=False)


@contextlib.contextmanager
def running(fake, *arguments):
    """memwatchctl, to send signals to."""
    process = subprocess.Popen([paths.MEMWATCHCTL, *arguments], env=environment(fake),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, encoding="utf-8")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def on_terminal(fake, *arguments, columns=80, **more):
    """Runs memwatchctl with stdout and stderr on a terminal; what that was sent."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([paths.MEMWATCHCTL, *arguments], env=environment(fake, **more),
                               stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    output = bytearray()
    with contextlib.suppress(OSError):  # EIO: the other side has closed
        while chunk := os.read(master, 65536):
            output += chunk
    os.close(master)
    assert process.wait(DEADLINE_SECONDS) == 0
    return output.decode().replace("\r\n", "\n")
