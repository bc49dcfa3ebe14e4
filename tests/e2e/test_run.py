# SPDX-License-Identifier: Apache-2.0
"""memwatchctl run: a program that is watched from its first instruction, and is none the wiser."""
import contextlib
import json
import os
import pty
import select
import signal
import subprocess

import pytest

from harness import paths, process
from harness.compare import assert_exact
from harness.memwatchctl import ctl
from harness.wait import eventually

SECONDS = 60
# What a program finds when it starts, as far as it can be compared.
FOUND = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
os.set_inheritable(0, True)
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass
print(json.dumps({"fds": fds, "environment": dict(os.environ), "directory": os.getcwd(),
                  "signals": {key: status[key] for key in ("SigBlk", "SigIgn", "SigPnd")},
                  "group": os.getpgid(0) == os.getpgid(os.getppid())}))
"""
# Signals are blocked, so that none comes unseen just before it is waited for.
INTERRUPTED = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("READY", flush=True)
signal.sigwait([signal.SIGINT])
print("INTERRUPTED", flush=True)
"""
# In a process group of its own, which the terminal's interrupt doesn't go to.
APART = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
os.setpgid(0, 0)
print("READY", flush=True)
signal.sigwait([signal.SIGTERM])
print("INTERRUPTED" if signal.SIGINT in signal.sigpending() else "LEFT ALONE", flush=True)
"""


def run_ctl(daemon, *arguments, **options):
    return subprocess.run(daemon.ctl_command("run", *arguments), capture_output=True, text=True,
                          timeout=SECONDS, check=False, **options)


def summary(done):
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize("name", ["allocators", "allocators_static", "families_jemalloc",
                                  "families_jemalloc_static"])
def test_every_block_is_accounted_from_the_first(daemon, run, name):
    executable = str(paths.PROGRAMS / name)
    program = run(*daemon.ctl_command("run", "--json", "--exact", "--force", executable))
    program.tell("allocate")
    # Linked statically, the C library allocates in the program's name.
    program.executable = "" if name.endswith("static") else executable
    assert_exact(daemon, program)
    assert program.end() == 0
    told = json.loads(program.process.stderr.read().splitlines()[-1])
    assert told["pid"] == program.truth["pid"]
    assert told["account"]["complete"], told["account"]
    assert told["account"]["end_reason"] == "exited"
    assert told["account"]["outstanding_bytes"] >= sum(
        site["outstanding_bytes"] for site in program.truth["sites"])
    # A site is one of two while its stack is taken in the one way and then in the other.
    largest = [site["allocated_bytes"] for site in told["sites_by_allocated"]]
    assert len(largest) == 3 and largest == sorted(largest, reverse=True)
    assert 0 < largest[0] <= max(site["allocated_bytes"] for site in program.truth["sites"])
    assert_exact(daemon, program)


def test_what_ends_at_once_has_its_numbers(daemon):
    """There may be nothing left of it by which its stacks could be named."""
    executable = str(paths.PROGRAMS / "allocators")
    done = run_ctl(daemon, "--json", "--exact", "--force", executable, input="allocate\nexit\n")
    assert done.returncode == 0
    sites = json.loads(done.stdout.splitlines()[-1])["sites"]
    account = summary(done)["account"]
    for number in ("outstanding_bytes", "outstanding_objects"):
        assert account[number] == sum(site[number] for site in sites)


def test_a_script_is_watched_too(daemon, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!{paths.PYTHON}\nkept = bytearray(10_000_000)\nimport os\nos._exit(3)\n")
    script.chmod(0o755)
    done = run_ctl(daemon, "--json", script)
    assert done.returncode == 3
    told = summary(done)
    assert told["account"]["outstanding_bytes"] >= 10_000_000
    assert told["peak_rss_bytes"] >= 10_000_000


@pytest.mark.parametrize("command, status", [
    (["sh", "-c", "exit 7"], 7),
    (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
    (["sh", "-c", "kill -SEGV $$"], 128 + signal.SIGSEGV),
    (["true"], 0),
    (["no-such-program-anywhere"], 127),
    (["/no/such/program"], 127),
    (["/etc/passwd"], 126),
    (["/"], 126),
    (["--", "sh", "-c", "exit 5", "--json"], 5),
])
def test_it_ends_as_the_program_does(daemon, command, status):
    done = run_ctl(daemon, *command, stdin=subprocess.DEVNULL)
    assert done.returncode == status
    assert not done.stdout
    assert ("cannot run" in done.stderr) == (status in (126, 127))


def test_input_and_output_pass(daemon):
    text = "x" * 300000
    done = run_ctl(daemon, "sh", "-c", "cat; echo words >&2", input=text)
    assert done.stdout == text
    assert done.stderr.startswith("words\n")
    assert "peak RSS" in done.stderr
    assert "account      complete" in done.stderr


def test_the_program_finds_everything_as_it_would_without_us(daemon, tmp_path):
    command = [paths.PYTHON, "-c", FOUND]

    def start(words, setup):
        with open(tmp_path / "in", "w+") as stream:
            done = subprocess.run(words, stdin=stream, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
                                  timeout=SECONDS, check=True, preexec_fn=setup,
                                  pass_fds=[stream.fileno()], restore_signals=False)
        found = json.loads(done.stdout)
        assert found["fds"].pop("1").startswith("pipe:")
        return found

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1})

    def default():
        for number in (signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)

    for setup in (ignore, default):
        # A shell that stays would be what our group is compared with.
        plain = start(command, setup)
        ours = start(daemon.ctl_command("run", *command), setup)
        plain["group"] = ours["group"] = True
        for found in (plain, ours):
            found["fds"] = {key: value for key, value in found["fds"].items()
                            if not value.startswith("/proc/")}
        assert ours == plain


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_are_passed_on(daemon, number):
    script = (f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}]); "
              f"print('READY', flush=True); signal.sigwait([{int(number)}]); raise SystemExit(9)")
    started = subprocess.Popen(daemon.ctl_command("run", paths.PYTHON, "-c", script),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with started:
        try:
            assert started.stdout.readline() == "READY\n"
            started.send_signal(number)
            assert started.wait(SECONDS) == 9
        finally:
            started.kill()


@contextlib.contextmanager
def on_terminal(daemon, script):
    """Runs a script on a terminal: memwatchctl's pid, the terminal, and what reads it up to a word."""
    pid, terminal = pty.fork()
    if pid == 0:
        command = daemon.ctl_command("run", paths.PYTHON, "-c", script)
        os.execv(command[0], command)
    text = b""

    def read_until(word):
        nonlocal text
        while word not in text:
            assert select.select([terminal], [], [], SECONDS)[0], text
            text += os.read(terminal, 65536)

    try:
        read_until(b"READY")
        yield pid, terminal, read_until
        read_until(b"peak RSS")
        read_until(b"account")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)


def test_the_terminals_interrupt_is_the_programs(daemon):
    with on_terminal(daemon, INTERRUPTED) as (_, terminal, read_until):
        os.write(terminal, b"\x03")
        read_until(b"INTERRUPTED")


def test_the_terminals_interrupt_is_not_passed_on_once_more(daemon):
    with on_terminal(daemon, APART) as (pid, terminal, read_until):
        os.write(terminal, b"\x03")
        read_until(b"^C")
        os.kill(pid, signal.SIGTERM)
        read_until(b"LEFT ALONE")


def test_what_cannot_be_watched_is_not_started(tmp_path):
    made = tmp_path / "made"
    absent = tmp_path / "no-daemon"
    done = ctl(absent, "run", "touch", str(made))
    assert done.returncode == 3
    assert "cannot reach memwatchd" in done.stderr
    assert "was not started" in done.stderr
    assert not made.exists()
    done = ctl(absent, "run", "--anyway", "sh", "-c", f"touch {made}; exit 4")
    assert done.returncode == 4
    assert "runs unwatched" in done.stderr
    assert "it was not watched" in done.stderr
    assert made.exists()


def test_a_refusal_is_told_as_watch_does(fake, tmp_path):
    made = tmp_path / "made"
    done = ctl(fake, "run", "touch", str(made))
    # The fake daemon knows no such process.
    assert done.returncode == 1
    assert not made.exists()


def test_killed_before_its_program_it_leaves_none(fake, tmp_path):
    """The program waits for us: if we are gone it must neither wait for ever nor run."""
    made = tmp_path / "made"
    fake.answers = {}
    children = []

    def answer(method, path):
        pid = int(path.split("/")[4])
        children.append(pid)
        os.kill(int(process._stat_fields(pid)[1]), signal.SIGKILL)
        return 404, {"error": {"code": "not_found", "message": "too late"}}

    fake.answer = answer
    done = ctl(fake, "run", "touch", str(made))
    assert done.returncode == -signal.SIGKILL
    eventually(lambda: process.state(children[0]) in (None, "Z"), "the child ends")
    assert not made.exists()


@pytest.mark.parametrize("arguments, named", [
    ([], "which program"),
    (["--exact", "--interval", "64KiB", "true"], "exclude each other"),
    (["--force", "--budget", "3", "true"], "no place"),
    (["--nonsense", "true"], "no option --nonsense"),
])
def test_wrong_usage_is_told(fake, arguments, named):
    done = ctl(fake, "run", *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert not fake.requests


@pytest.mark.parametrize("command", ["run", "record", "plot"])
def test_help_fits_a_terminal(fake, command):
    done = ctl(fake, command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: memwatchctl {command} ")
    assert max(map(len, done.stdout.splitlines())) <= 80
