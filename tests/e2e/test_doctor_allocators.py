# SPDX-License-Identifier: Apache-2.0
"""What is probed of a file is explained without a daemon; what can't be found is said."""
import json
import os
import subprocess

import pytest

from harness import paths


def explain(path, *options, **more):
    return subprocess.run([paths.MEMWATCHCTL, *options, "doctor", "--allocators", path], text=True,
                          capture_output=True, check=False, timeout=60, **more)


def functions_of(path):
    done = explain(path, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer, {function["function"]: function for function in answer["functions"]}


def mapped_library(program, name):
    with open(f"/proc/{program.pid}/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if name in line.rpartition("/")[2])


def test_doctor_says_what_a_watch_then_probes(daemon, run):
    program = run("families_jemalloc")
    daemon.watch(program)
    probes = 0
    for name in ("libjemalloc.so", "libc.so", "ld-linux"):
        done = explain(mapped_library(program, name), "--json")
        probes += json.loads(done.stdout)["probes"]
    assert daemon.target(program.pid)["probes"] == probes


def test_doctor_names_address_reason_and_view_of_returns(run):
    answer, functions = functions_of(mapped_library(run("families_jemalloc"), "libjemalloc.so"))
    assert answer["allocators"] == "jemalloc"
    assert answer["shortcoming"] is None
    assert functions["malloc"]["emulated"] is True
    assert functions["malloc"]["return"] == "return_probe"
    assert functions["malloc"]["probe_offset"] >= functions["malloc"]["function_offset"] > 0
    assert functions["free"]["return"] == "none"
    # It throws: a return probe must never be pending in it.
    assert functions["_Znwm"]["return"] == "exit_probes"
    assert functions["_Znwm"]["exits"] > 0
    assert functions["_ZdlPv"]["probed"] is True
    assert functions["_ZdlPv"]["probe_offset"] is None
    assert functions["_ZdlPv"]["reason"] == "goes on to free"


def test_doctor_prints_a_table(run):
    done = explain(mapped_library(run("families"), "libc.so"))
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == [
        "ALLOCATOR", "FUNCTION", "PROBE", "EMULATED", "RETURN", "WHY"]
    assert "brings glibc: " in done.stdout


def test_a_file_without_an_allocator_is_a_no():
    done = explain(paths.PROGRAMS / "families")
    assert done.returncode == 1
    assert "brings no allocator that memwatch knows" in done.stdout


@pytest.mark.parametrize("path, reason", [
    ("/nowhere", "No such file or directory"),
    ("/etc/passwd", "it is no ELF file of this machine (x86-64)"),
    ("/dev/zero", "it is no regular file"),
    ("/", "it is no regular file"),
])
def test_doctor_says_why_it_cannot_look(path, reason):
    done = explain(path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"memwatchctl: cannot look for allocators in {path}: {reason}\n"


def test_doctor_reads_with_the_callers_own_rights(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes((paths.PROGRAMS / "allocators_static").read_bytes())
    secret.chmod(0o600)
    assert explain(secret).returncode == 0
    done = explain(secret, user=65534, group=65534, extra_groups=[])
    assert done.returncode == 1
    assert "Permission denied" in done.stderr


@pytest.fixture
def stripped(tmp_path):
    """A program that is linked statically and has lost its symbols."""
    path = tmp_path / "stripped"
    subprocess.run(["strip", "-o", path, paths.PROGRAMS / "allocators_static"], check=True)
    os.chmod(path, 0o755)
    return path


def test_doctor_says_that_symbols_are_missing(stripped):
    done = explain(stripped)
    assert done.returncode == 1
    assert "stripped of its symbols (.symtab)" in " ".join(done.stdout.split())


def test_a_watch_of_a_stripped_static_program_says_so(daemon, run, stripped):
    program = run(str(stripped))
    done = daemon.try_ctl("watch", "--pid", program.pid)
    assert done.status == 1
    assert "linked statically and stripped of its symbols (.symtab)" in done.errors
    assert daemon.target(program.pid) is None
    assert program.end() == 0
