# SPDX-License-Identifier: Apache-2.0
"""Copies of programs without their debug information, and that information."""
import shutil
import subprocess

from harness import paths


def line_of(source, text):
    """The number of the one line of a program's source with this text."""
    lines = (paths.SCRIPTS / source).read_text(encoding="utf-8").splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if text in line]
    return number


def stripped(name, folder):
    """A stripped copy of a program, and beside it its debug information."""
    program, debug = folder / name, folder / f"{name}.debug"
    shutil.copy(paths.PROGRAMS / name, program)
    for command in (["objcopy", "--only-keep-debug", program, debug],
                    ["objcopy", "--strip-all", program]):
        subprocess.run(command, check=True, timeout=60)
    return program, debug


def build_id(program):
    notes = subprocess.run(["readelf", "-n", program], capture_output=True, text=True, check=True,
                           timeout=60).stdout
    return notes.split("Build ID: ")[1].split()[0]
