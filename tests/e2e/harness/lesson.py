# SPDX-License-Identifier: Apache-2.0
"""The lesson's programs (tests/programs/lesson_*.py): watched, and under other tools."""
import ast
import functools
import json
import subprocess

from harness import paths, pythons
from harness.wait import eventually

TOLERANCE_SHARE = 0.10
TOLERANCE_BYTES = 2 << 20


def path_of(program):
    return paths.SCRIPTS / f"{program}.py"


@functools.cache
def marked_line(program, case):
    """The line "# holds: CASE, CASE…" of a program, and the innermost function that it is in."""
    text = path_of(program).read_text()
    number = next(number for number, line in enumerate(text.splitlines(), 1)
                  if case in line.partition("# holds: ")[2].split(", "))
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)
                 and node.lineno <= number <= node.end_lineno]
    return number, max(functions, key=lambda node: node.lineno).name


def allowed_bytes(truth):
    return max(TOLERANCE_SHARE * truth, TOLERANCE_BYTES)


def assert_agrees(found, truth, what, kept_bytes=0):
    """kept_bytes: so much more is understood, and said where it is given."""
    words = f"{what}: found {found / (1 << 20):.2f} MiB of {truth / (1 << 20):.2f}"
    assert -allowed_bytes(truth) <= found - truth <= allowed_bytes(truth) + kept_bytes, words


class Lesson:
    """A program of the lesson that is watched, case by case."""

    def __init__(self, daemon, run, program, *options):
        self.name = program
        self.path = str(path_of(program))
        self._daemon = daemon
        self._program = run(paths.PYTHON, self.path)
        self._program.tell("prepare")
        daemon.watch(self._program, *options)
        self.pid = self._program.pid
        pythons.wait_until_known(daemon, self.pid)

    def start(self, case):
        """Up to where it first holds its memory."""
        assert self._program.tell(case) == {"holds": True}
        self._wait_for_names()

    def go_on(self):
        """Whether it holds something once more; else it is done."""
        holds = "holds" in self._program.tell("go on")
        self._wait_for_names()
        return holds

    def finish(self):
        while self.go_on():
            pass

    def measure(self):
        """What the program itself knows. Adding it up takes memory: look at memwatch's first."""
        return self._program.tell("measure")

    def lines(self, query):
        return self._daemon.get(f"/api/v1/processes/{self.pid}/lines?{query}")

    def lines_of(self, function):
        """With what they call, most first."""
        return self.lines(f"file=*/{self.name}.py&function={function}&sort=cumulative")["lines"]

    def text(self, *options):
        outcome = self._daemon.try_ctl("lines", "--pid", self.pid, "--for", 0, *options)
        assert outcome.status == 0, outcome.errors
        return outcome.output

    def stacks(self):
        return self._daemon.ctl("stacks", "--pid", self.pid)

    def _wait_for_names(self):
        eventually(lambda: self.stacks()["pending_frames"] == 0, "all names are known", 20)


def cumulative_bytes(lines):
    return sum(line["cumulative"]["outstanding_bytes"] for line in lines)


def by_tools(program, runs):
    """Bytes by line, for each "TOOL:CASE", as other tools have them in processes of their own."""
    done = subprocess.run([paths.PYTHON, paths.SCRIPTS / "lesson_peers.py", program, *runs],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {answer["run"]: {int(line): size for line, size in answer["lines"].items()}
            for answer in map(json.loads, done.stdout.splitlines())}
