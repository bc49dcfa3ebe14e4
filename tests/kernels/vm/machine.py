# SPDX-License-Identifier: Apache-2.0
"""
One emulated machine. The kernel's console goes into a file; commands go over the second serial
port, which is QEMU's own standard input and output. Everything has a limit, for hangs alone: an
emulated machine is slow, and its pace decides nothing.
"""
import dataclasses
import json
import os
import re
import selectors
import subprocess
import time

QEMU = "qemu-system-x86_64"
# Both processors in one thread: in threads of their own, one may run a breakpoint of the kernel's own
# patching that the other has taken out already, and the kernel then panics (one boot of thirty).
ACCELERATOR = "tcg,thread=single"
# Kernels from 6.17 on have been seen to fail there as well, if rarely: they have one processor.
PROCESSORS = {"newest": 1}
PROCESSORS_DEFAULT = 2
# Ten times what it takes.
BOOT_SECONDS = 150
BOOT_TRIES = 3
COMMAND_SECONDS = 300
CONSOLE_TAIL_BYTES = 6000
# A fault of the kernel is a panic, at which it reboots at once, which -no-reboot makes the end.
KERNEL_PARAMETERS = "console=ttyS0 oops=panic panic=-1 edd=off quiet loglevel=5"


@dataclasses.dataclass
class Outcome:
    """How a command in the machine ended."""
    status: int
    output: str
    errors: str

    @property
    def json(self):
        return json.loads(self.output)


class Silence(AssertionError):
    """The machine said nothing for too long, or has ended."""


class Machine:
    def __init__(self, kernel, archive, console, parameters="", memory_mib=1024):
        self.kernel = kernel
        self._console = console
        self._pending = b""
        # setpriv: should we be killed, the machine goes with us.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", QEMU, "-nodefaults", "-no-user-config",
             "-no-reboot", "-display", "none", "-accel", ACCELERATOR, "-cpu", "max",
             "-smp", str(PROCESSORS.get(kernel.series, PROCESSORS_DEFAULT)),
             "-m", str(memory_mib), "-kernel", str(kernel.path), "-initrd", str(archive),
             "-serial", f"file:{console}", "-serial", "stdio",
             "-append", f"{KERNEL_PARAMETERS} {parameters}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    @property
    def console_text(self):
        """The end of what the kernel and the first process said."""
        if not self._console.exists():
            return ""
        return self._console.read_bytes()[-CONSOLE_TAIL_BYTES:].decode(errors="replace")

    def is_up(self):
        """Waits for the agent's first word; False where the machine hangs or ends before it."""
        try:
            return self._read_line(BOOT_SECONDS) == "ready"
        except Silence:
            return False

    def run(self, command, seconds=COMMAND_SECONDS):
        """A line of shell, however it ends."""
        assert "\n" not in command
        self._process.stdin.write(command.encode() + b"\n")
        header = self._read_line(seconds)
        assert re.fullmatch(r"\d+ \d+ \d+", header), header
        status, *sizes = map(int, header.split())
        output, errors = (self._read(size, seconds).decode(errors="replace") for size in sizes)
        return Outcome(status, output, errors)

    def do(self, command, seconds=COMMAND_SECONDS):
        """A line of shell that has to succeed: its output."""
        outcome = self.run(command, seconds)
        assert outcome.status == 0, (command, outcome)
        return outcome.output

    def close(self):
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            stream.close()

    def _read_line(self, seconds):
        self._fill(lambda: b"\n" in self._pending, seconds)
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode()

    def _read(self, count, seconds):
        self._fill(lambda: len(self._pending) >= count, seconds)
        content, self._pending = self._pending[:count], self._pending[count:]
        return content

    def _fill(self, is_enough, seconds):
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not is_enough():
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise Silence(f"{self.kernel.package} answers within {seconds} s")
                part = os.read(self._process.stdout.fileno(), 65536)
                if not part:
                    raise Silence(f"{self.kernel.package} runs; QEMU said: {self._last_words()}")
                self._pending += part

    def _last_words(self):
        status = self._process.wait()
        return f"{self._process.stderr.read().decode(errors='replace')!r}, status {status}"
