# SPDX-License-Identifier: Apache-2.0
"""What is installed is whole, goes again, and works with no more rights than its unit gives."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from harness import paths
from harness.compare import assert_exact
from harness.daemon import READY_SECONDS
from harness.wait import eventually

UNIT = paths.ROOT / "deploy/systemd/memwatchd.service"
EXAMPLE = paths.ROOT / "deploy/memwatchd.conf"


def make(*arguments):
    return subprocess.run(["make", "-C", str(paths.ROOT), f"BUILD={paths.BUILD}", *arguments],
                          env={name: value for name, value in os.environ.items()
                               if name not in ("MAKEFLAGS", "MAKELEVEL")},
                          capture_output=True, text=True, check=True)


def files_under(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def staging(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    return tmp_path


@pytest.fixture
def private_copy(closing):
    """A program that only its user, who is not root, may reach."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memwatch-test-private-"))
    closing.callback(shutil.rmtree, folder)
    copy = pathlib.Path(shutil.copy(paths.PROGRAMS / "allocators", folder))
    for path in (copy, folder):
        os.chown(path, paths.NOBODY, paths.NOBODY)
        path.chmod(0o700)
    return copy


def capabilities_of_the_unit():
    names = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.MULTILINE).group(1)
    return [name.removeprefix("CAP_").lower() for name in names.split()]


def test_install_puts_everything_where_systemd_and_man_look(staging):
    assert {"usr/sbin/memwatchd", "usr/bin/memwatchctl", "etc/memwatch/memwatchd.conf",
            "usr/lib/systemd/system/memwatchd.service", "usr/lib/sysusers.d/memwatch.conf",
            "usr/lib/tmpfiles.d/memwatch.conf", "usr/share/doc/memwatch/LICENSE",
            "usr/share/doc/memwatch/examples/memwatch.rules.yml",
            "usr/share/man/man1/memwatchctl.1", "usr/share/man/man8/memwatchd.8"
            } <= files_under(staging)
    unit = (staging / "usr/lib/systemd/system/memwatchd.service").read_text()
    assert "ExecStart=/usr/sbin/memwatchd\n" in unit


def test_uninstall_leaves_nothing(staging):
    make("uninstall", f"DESTDIR={staging}", "PREFIX=/usr")
    assert list(staging.iterdir()) == []


def test_uninstall_keeps_a_configuration_that_was_edited(staging):
    configuration = staging / "etc/memwatch/memwatchd.conf"
    configuration.write_text("targets_max = 3\n")
    make("install", f"DESTDIR={staging}", "PREFIX=/usr")
    make("uninstall", f"DESTDIR={staging}", "PREFIX=/usr")
    assert files_under(staging) == {"etc/memwatch/memwatchd.conf"}
    assert configuration.read_text() == "targets_max = 3\n"


def test_systemd_finds_nothing_wrong_with_the_unit(staging, tmp_path):
    unit = tmp_path / "memwatchd.service"
    installed = (staging / "usr/lib/systemd/system/memwatchd.service").read_text()
    # verify wants to see the program at the path that the unit names
    unit.write_text(installed.replace("/usr/sbin/memwatchd", f"{staging}/usr/sbin/memwatchd"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_example_configuration_starts_a_daemon(new_daemon):
    daemon = new_daemon()
    daemon.config.write_text(EXAMPLE.read_text())
    daemon.start()
    assert daemon.get("/api/v1/status")["targets_max"] == 64


def with_the_rights_of_the_unit(command):
    kept = "".join(f",+{name}" for name in capabilities_of_the_unit())
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all{kept}", *command]


def test_the_capabilities_of_the_unit_suffice(new_daemon, run, private_copy):
    daemon = new_daemon()
    daemon.launch(with_the_rights_of_the_unit(daemon.command()))
    eventually(daemon.is_ready_or_over, f"ready; log: {daemon.log}", READY_SECONDS)
    assert daemon.process.poll() is None, daemon.log_text

    program = run(private_copy, user=paths.NOBODY)
    private_copy.unlink()
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
    assert daemon.ctl("doctor")["healthy"]
