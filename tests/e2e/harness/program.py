# SPDX-License-Identifier: Apache-2.0
"""A watched program, which is told what to do and answers with its own ledger."""
import json
import os
import selectors
import subprocess
import time

from harness import paths


class Program:
    ANSWER_SECONDS = 60

    def __init__(self, *command, user=None, environment=None):
        """
        command: a program of tests/programs with its arguments, or a path with a slash.
        environment: variables beside those that we have ourselves.
        """
        name, *arguments = (str(word) for word in command)
        self.executable = name if "/" in name else str(paths.PROGRAMS / name)
        self._pending = b""
        self.process = subprocess.Popen(
            [self.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0, user=user, group=user,
            env={**os.environ, **(environment or {})},
            extra_groups=None if user is None else [])
        self.pid = self.process.pid
        try:
            self.truth = self.read()
        except BaseException:
            self.close()
            raise

    @property
    def watch_path(self):
        """Of the API, to be PUT and DELETEd."""
        return f"/api/v1/processes/{self.pid}/watch"

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    def read(self):
        """The next line of output, parsed."""
        deadline = time.monotonic() + self.ANSWER_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                assert selector.select(deadline - time.monotonic()), "the program answers"
                part = self.process.stdout.read(65536)
                assert part, f"the program lives; it said: {self._last_words()}"
                self._pending += part
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def tell(self, line):
        """Gives a command and returns the ledger after it."""
        self.send(line)
        self.truth = self.read()
        return self.truth

    def end(self):
        """Lets the program end by itself; its exit status."""
        self.send("exit")
        return self.process.wait(self.ANSWER_SECONDS)

    def close(self):
        """Ends it if it still runs, and reaps it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    def _last_words(self):
        status = self.process.wait(self.ANSWER_SECONDS)
        return f"{self.process.stderr.read().decode(errors='replace')!r}, status {status}"
