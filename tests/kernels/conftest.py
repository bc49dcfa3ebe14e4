# SPDX-License-Identifier: Apache-2.0
"""
Fixtures. One run of pytest is about one kernel, --series; the machine is booted once. What failed is
reported with the daemon's log (the verifier's reasons are in it) and the end of the console.
"""
import contextlib
import pathlib
import sys
import warnings

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
pytest.register_assert_rewrite("harness.compare", "harness.resident")

from harness import paths, wait  # noqa: E402
from vm import kernels, python  # noqa: E402
from vm.image import Image  # noqa: E402
from vm.machine import BOOT_TRIES, Machine  # noqa: E402
from vm.remote import RemoteCgroup, RemoteDaemon, RemoteProgram  # noqa: E402

CACHE = paths.BUILD / "kernels"
HERE = pathlib.Path(__file__).resolve().parent
# An emulated processor is some thirty times slower, and two of them share two real ones.
PATIENCE = 20
PYTHON_PROGRAM = "python_ways.py"
PROGRAMS = ("allocators", "sampled", "threads", "oom_victim", "resident", "under_seccomp")


def pytest_addoption(parser):
    parser.addoption("--series", help="the kernel, by its name in vm/kernels.py")


def pytest_configure():
    wait.patience = PATIENCE


@pytest.fixture(scope="session")
def kernel(pytestconfig):
    series = pytestconfig.getoption("--series")
    found = {one.series: one for one in kernels.recall(CACHE)}
    assert series in found, f"kernel {series} is not in {CACHE}; there are: {list(found)}"
    return found[series]


@pytest.fixture(scope="session")
def machine(kernel):
    """A machine that holds busybox, memwatch and the programs to watch."""
    image = Image(CACHE / f"image-{kernel.series}")
    for program in (paths.MEMWATCHD, paths.MEMWATCHCTL, *(paths.PROGRAMS / name
                                                          for name in PROGRAMS)):
        image.add(program, f"/usr/bin/{program.name}")
    python.add(image, paths.SCRIPTS / PYTHON_PROGRAM)
    image.add_applets()
    image.write("/init", (HERE / "vm/init.sh").read_text(), 0o755)
    image.write("/agent.sh", (HERE / "vm/agent.sh").read_text(), 0o755)
    image.write("/etc/memwatch/memwatchd.conf", "")
    with booted(kernel, image, CACHE / f"{kernel.series}.console") as one:
        yield one


@contextlib.contextmanager
def booted(kernel, image, console, parameters=""):
    archive = image.pack(console.with_suffix(".cpio"))
    try:
        one = first_up(kernel, archive, console, parameters)
        try:
            yield one
        finally:
            one.close()
    finally:
        archive.unlink()


def first_up(kernel, archive, console, parameters):
    """
    Nothing of ours runs before the agent: a machine that doesn't come so far is the emulator's doing.
    It is started anew, and that is said.
    """
    for attempt in range(1, BOOT_TRIES + 1):
        console.unlink(missing_ok=True)
        one = Machine(kernel, archive, console, parameters)
        try:
            if one.is_up():
                machines.append(one)
                return one
        except BaseException:
            one.close()
            raise
        one.close()
        said = one.console_text
        warnings.warn(f"{kernel.package} did not start ({attempt} of {BOOT_TRIES}):\n{said}")
    raise AssertionError(f"{kernel.package} did not start in {BOOT_TRIES} tries:\n{said}")


@pytest.fixture(scope="session")
def daemon(machine):
    """The machine's memwatchd."""
    one = RemoteDaemon(machine)
    daemons.append(one)
    yield one.start()
    one.close()


@pytest.fixture
def closing():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def run(machine, closing):
    """Starts programs, which end with the test."""
    def start(*command):
        program = RemoteProgram(machine, *command)
        closing.callback(program.close)
        return program

    return start


@pytest.fixture
def memory_cgroup(machine, closing):
    def make(limit_bytes):
        group = RemoteCgroup(machine, limit_bytes)
        closing.callback(group.close)
        return group

    return make


machines, daemons = [], []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for one in daemons:
        with contextlib.suppress(AssertionError, OSError, ValueError):
            report.sections.append(("memwatchd", one.log_text))
    for one in machines:
        report.sections.append((f"console of {one.kernel.package}", one.console_text))
