# SPDX-License-Identifier: Apache-2.0
"""
From make install to make uninstall on a machine of systemd's, by the commands of README.md. The
unit is the shipped one in all but its time limits: an emulated machine would exceed them.
"""
import shutil

import pytest

from conftest import CACHE, HERE, booted
from harness import paths
from harness.wait import eventually
from vm.remote import is_text_changed
from vm.systemd import systemd_image

MAKE = "make -C /memwatch -o all PREFIX=/usr"
SLOWLY = "[Service]\nTimeoutStartSec=1200\nTimeoutStopSec=300\nWatchdogSec=0\n"
# Not root's, and in a mount namespace of its own.
LEAKY_UNIT = """[Service]
ExecStart=/opt/leaky
User=nobody
PrivateTmp=yes
ProtectSystem=strict
"""
# What make install needs of the tree; its sources have been built already.
TREE = ("Makefile", "LICENSE", "README.md", "deploy", "docs", "tests")
# The daemon's own files, which are its owner's to remove; and the copies that systemd-sysusers makes
# of /etc/group and its like.
KEPT = ("/var/lib/memwatch", "/etc/group-", "/etc/gshadow-")


@pytest.fixture(scope="module")
def machine(kernel):
    image = systemd_image(CACHE / "image-systemd", (HERE / "vm/agent.sh").read_text())
    for name in TREE:
        source, place = paths.ROOT / name, image.inside(f"/memwatch/{name}")
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            image.add(source, f"/memwatch/{name}")
    for program in (paths.MEMWATCHD, paths.MEMWATCHCTL):
        image.add(program, f"/memwatch/build/{program.name}")
    image.add(paths.PROGRAMS / "leaky", "/opt/leaky")
    for tool in ("make", "install"):
        image.add(shutil.which(tool))
    image.write("/etc/systemd/system/leaky.service", LEAKY_UNIT)
    image.write("/etc/systemd/system/memwatchd.service.d/slowly.conf", SLOWLY)
    with booted(kernel, image, CACHE / "systemd.console") as one:
        eventually(lambda: "starting" not in one.run("systemctl is-system-running").output,
                   "the machine has started")
        yield one


@pytest.fixture(scope="module")
def files_before(machine):
    return files(machine)


@pytest.fixture(scope="module")
def installed(machine, files_before):
    machine.do(f"{MAKE} install")
    machine.do("systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload")
    return machine


def files(machine):
    """All of them, and those folders that are ours."""
    found = machine.do("find / -xdev ! -path '/var/tmp/*' '(' ! -type d -o -name '*memwatch*' ')'")
    return set(found.splitlines())


def property_of_the_unit(machine, name):
    return machine.do(f"systemctl show --value --property={name} memwatchd").strip()


def journal(machine):
    return machine.run("journalctl --no-pager --output=cat --unit=memwatchd").output


def ctl(machine, arguments):
    outcome = machine.run(f"memwatchctl --json {arguments}")
    assert outcome.status == 0, (arguments, outcome, journal(machine))
    return outcome.json


def leaks(machine, pid):
    sites = ctl(machine, f"leaks --pid {pid} --for 5")["sites"]
    return [frame["function"] for site in sites if site["verdict"] == "leak"
            for frame in site["stack"][:1]]


def test_enable_starts_it_hardened(installed):
    outcome = installed.run("systemctl enable --now memwatchd")
    assert outcome.status == 0, journal(installed)
    assert property_of_the_unit(installed, "ActiveState") == "active"
    assert property_of_the_unit(installed, "NoNewPrivileges") == "yes"
    pid = property_of_the_unit(installed, "MainPID")
    status = installed.do(f"cat /proc/{pid}/status")
    assert "Seccomp:\t2" in status, status
    doctor = ctl(installed, "doctor")
    assert doctor["healthy"], doctor
    assert all(check["state"] == "ok" for check in doctor["checks"]), doctor


def test_leaks_names_the_leak_of_a_service(installed):
    installed.do("systemctl start leaky")
    pid = int(installed.do("systemctl show --value --property=MainPID leaky"))
    ctl(installed, f"watch --pid {pid} --exact")
    assert eventually(lambda: leaks(installed, pid), "it leaks", 30) == ["session_new"]
    assert ctl(installed, f"stacks --pid {pid}")["complete"]
    assert is_text_changed(installed, pid, "libc.so"), "it is being watched"


def test_it_restarts_and_stops_cleanly(installed):
    before = property_of_the_unit(installed, "MainPID")
    assert installed.run("systemctl restart memwatchd").status == 0, journal(installed)
    assert property_of_the_unit(installed, "MainPID") not in (before, "0")
    assert ctl(installed, "targets")["targets"] == []
    assert installed.run("systemctl disable --now memwatchd").status == 0, journal(installed)
    assert property_of_the_unit(installed, "ActiveState") == "inactive"
    assert property_of_the_unit(installed, "Result") == "success"
    assert installed.do("systemctl is-active leaky") == "active\n"
    pid = int(installed.do("systemctl show --value --property=MainPID leaky"))
    eventually(lambda: not is_text_changed(installed, pid, "libc.so"), "no probe is left")


def test_uninstall_leaves_nothing(installed, files_before):
    installed.do(f"{MAKE} uninstall")
    installed.do("systemctl daemon-reload")
    left = files(installed) - files_before
    assert {path for path in left if not path.startswith(KEPT)} == set()
    assert installed.run("pidof memwatchd").status != 0
    installed.do("systemctl stop leaky")
