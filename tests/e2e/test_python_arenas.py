# SPDX-License-Identifier: Apache-2.0
"""Arenas of Python's small objects: as many as the interpreter says, and nothing else is one."""
import pytest

from harness import paths, pythons
from harness.report import INDENT

ARENA_BYTES = {"3.8": 256 << 10, "3.9": 256 << 10}
ARENA_BYTES_FROM_3_10 = 1 << 20
SCRIPT = paths.SCRIPTS / "python_arenas.py"


def growing_line():
    return next(number for number, line in enumerate(SCRIPT.read_text().splitlines(), 1)
                if line.endswith("# makes the arenas grow"))


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_arenas_are_told_from_other_mappings(daemon, run, tmp_path, version):
    program = run(*pythons.command(version), SCRIPT, tmp_path / "statistics")
    daemon.watch(program)
    pythons.wait_until_known(daemon, program.pid)
    before = program.tell("count")["arenas"]
    program.tell("map")
    truth = program.tell("grow")
    sites = daemon.sites(program.pid)
    found = [site for site in sites if site["is_python_arena"]]
    size = ARENA_BYTES.get(version, ARENA_BYTES_FROM_3_10)
    assert sum(site["outstanding_objects"] for site in found) == truth["arenas"] - before > 5
    assert sum(site["outstanding_bytes"] for site in found) == (truth["arenas"] - before) * size
    assert all(site["kind"] == "mapping" for site in found)
    others = sum(site["outstanding_bytes"] for site in sites
                 if site["kind"] == "mapping" and not site["is_python_arena"])
    assert others >= (3 * size if truth["can_map"] else 0)


def test_arenas_count_for_the_line_that_makes_them_grow(daemon, run, tmp_path):
    program = run(paths.PYTHON, SCRIPT, tmp_path / "statistics")
    daemon.watch(program)
    pythons.wait_until_known(daemon, program.pid)
    before = program.tell("count")["arenas"]
    grown = program.tell("grow")["arenas"] - before
    answer = daemon.get(f"/api/v1/processes/{program.pid}/lines?function=grow")
    line = answer["lines"][0]
    assert line["line"] == growing_line()
    assert line["python_arena_bytes"] == grown * ARENA_BYTES_FROM_3_10
    assert answer["total"]["python_arena_bytes"] >= line["python_arena_bytes"]
    for command in (["stacks"], ["leaks", "--for", 0, "--all"]):
        text = daemon.try_ctl(*command, "--pid", program.pid).output
        assert f"{grown} arenas of Python's small objects" in text
