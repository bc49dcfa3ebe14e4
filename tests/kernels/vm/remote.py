# SPDX-License-Identifier: Apache-2.0
"""
A memwatchd and watched programs inside an emulated machine, with the verbs of the end-to-end tests'
harness, so that the same code compares an account with the program's own ledger.
"""
import itertools
import json

from harness.daemon import Outcome
from harness.wait import eventually

# On real hardware; see harness.wait.patience.
READY_SECONDS = 10
END_SECONDS = 5
ANSWER_SECONDS = 10
LOG_LINES = 300
# Of a mapped file's executable pages in a process, those bytes that differ from the file.
CHANGED_TEXT = """
grep ' r-xp .*/{name}' /proc/{pid}/maps | while read -r range _ offset _ _ path; do
  start=$((0x${{range%-*}})); length=$((0x${{range#*-}} - start));
  dd if=/proc/{pid}/mem iflag=skip_bytes,count_bytes bs=64k skip=$start count=$length
    of=/run/text.memory 2>/dev/null;
  dd if=$path iflag=skip_bytes,count_bytes bs=64k skip=$((0x$offset)) count=$length
    of=/run/text.file 2>/dev/null;
  cmp -l /run/text.memory /run/text.file;
done
"""


def is_text_changed(machine, pid, name):
    """Whether breakpoints are in the executable pages of the file that the process maps."""
    command = CHANGED_TEXT.format(name=name, pid=pid).replace("\n", " ")
    return machine.run(command).output != ""


class RemoteDaemon:
    LOG = "/run/memwatchd.log"

    def __init__(self, machine):
        self.machine = machine
        self.pid = None

    def start(self):
        self.launch()
        eventually(self.is_ready_or_over, "memwatchd is ready", READY_SECONDS)
        assert self.is_running(), f"memwatchd runs; it said:\n{self.log_text}"
        return self

    def launch(self):
        command = f"memwatchd --log-level debug >>{self.LOG} 2>&1 & echo $!"
        self.pid = int(self.machine.do(command))

    def is_running(self):
        return self.machine.run(f"kill -0 {self.pid}").status == 0

    def is_ready_or_over(self):
        return not self.is_running() or self.machine.run("memwatchctl status").status == 0

    @property
    def log_text(self):
        return self.machine.run(f"tail -n {LOG_LINES} {self.LOG}").output

    def try_ctl(self, *arguments):
        """Runs memwatchctl, however it ends."""
        words = " ".join(str(word) for word in arguments)
        return self.machine.run(f"memwatchctl {words}")

    def ctl(self, *arguments):
        """memwatchctl --json, which has to succeed: the answer."""
        outcome = self.try_ctl("--json", *arguments)
        assert outcome.status == 0, (arguments, outcome)
        return outcome.json

    def watch(self, program, *options):
        return self.ctl("watch", "--pid", program.pid, *(options or ["--exact"]))

    def sites(self, pid):
        return self.ctl("stacks", "--pid", pid)["sites"]

    def target(self, pid):
        """The watched process, None when it is not (or no longer) watched."""
        return next((target for target in self.ctl("targets")["targets"]
                     if target["pid"] == pid and not target["ended"]), None)

    def kill(self):
        self.machine.do(f"kill -KILL {self.pid}")
        eventually(lambda: not self.is_running(), "memwatchd is gone", END_SECONDS)

    def close(self):
        if self.is_running():
            self.machine.do(f"kill -TERM {self.pid}")
            eventually(lambda: not self.is_running(), "memwatchd ends", END_SECONDS)


class RemoteProgram:
    """Like harness.program.Program: told what to do, it answers with its own ledger."""
    _numbers = itertools.count()

    def __init__(self, machine, *command):
        self.machine = machine
        self._files = f"/run/program-{next(self._numbers)}"
        self._lines_read = 0
        name = str(command[0])
        self.executable = name if "/" in name else f"/usr/bin/{name}"
        words = " ".join(str(word) for word in (self.executable, *command[1:]))
        # Open for writing too, so that the program's input never ends by itself.
        self.pid = int(machine.do(f"mkfifo {self._files}.in; {words} <>{self._files}.in "
                                  f">{self._files}.out 2>{self._files}.err & echo $!"))
        self.truth = self.read()

    def send(self, line):
        self.machine.do(f"echo {line} >{self._files}.in")

    def read(self):
        """The next line of output, parsed."""
        line = eventually(self._next_line, "the program answers", ANSWER_SECONDS)
        self._lines_read += 1
        return json.loads(line)

    def tell(self, line):
        """Gives a command and returns the ledger after it."""
        self.send(line)
        self.truth = self.read()
        return self.truth

    def last(self):
        """The last whole ledger of a program that has ended."""
        lines = self.machine.do(f"cat {self._files}.out").split("\n")
        return json.loads(lines[-2])

    def is_running(self):
        return self.machine.run(f"kill -0 {self.pid}").status == 0

    def end(self):
        """Lets the program end by itself; what it said to stderr."""
        self.send("exit")
        eventually(lambda: not self.is_running(), "the program ends", ANSWER_SECONDS)
        return self.machine.do(f"cat {self._files}.err")

    def close(self):
        self.machine.run(f"kill -KILL {self.pid}; rm -f {self._files}.*")

    def _next_line(self):
        line = self.machine.run(f"sed -n {self._lines_read + 1}p {self._files}.out").output
        if line.endswith("\n"):
            return line
        assert self.is_running(), f"the program lives; it said: {self._last_words()}"
        return None

    def _last_words(self):
        return self.machine.run(f"cat {self._files}.err").output


class RemoteCgroup:
    """A small memory cgroup of version 2."""
    _numbers = itertools.count()

    def __init__(self, machine, limit_bytes):
        self.machine = machine
        self.name = f"small-{next(self._numbers)}"
        self._path = f"/sys/fs/cgroup/{self.name}"
        machine.do(f"mkdir {self._path} && echo {limit_bytes} >{self._path}/memory.max")

    def add(self, pid):
        self.machine.do(f"echo {pid} >{self._path}/cgroup.procs")

    def close(self):
        eventually(lambda: self.machine.run(f"rmdir {self._path}").status == 0,
                   "the cgroup is empty", END_SECONDS)
