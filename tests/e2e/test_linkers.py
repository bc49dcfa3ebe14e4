# SPDX-License-Identifier: Apache-2.0
"""
Files as one linker or another makes them, with and without section headers, which nothing at run
time needs: stacks frame by frame against what the program itself knows, as in test_unwinding.
"""
import pytest

from harness import elf, paths
from harness.ways import Ways, places

STUBS = ["bfd", "ibt", "lld", "gold", "mold"]


# The loader's own stub keeps its frame by a register that the walker doesn't follow, where a function
# is being looked for: the stack ends there, and says so.
ENDS = {"assembly_frame_pointer": "guessed_root", "truncated": "truncated",
        "choosing_0": "unsupported_rule"}


def assert_same(ways):
    assert len(ways.answer["ways"]) > 5
    for way in ways.answer["ways"]:
        print(way["name"])  # shown when it fails
        site, truth = ways.sites[way["name"]], ways.truth(way["callers"])
        found = [place for place in places(site) if place in set(truth)]
        end = ENDS.get(way["name"], "root")
        assert site["stack_end"] == end, site["stack"][-1]
        assert found == (truth[:len(found)] if end in ("truncated", "unsupported_rule") else truth)
        assert len(found) > 1


def changed(change, name, folder, libraries=()):
    """A copy of a program, and of its libraries, without section headers that serve."""
    for library in libraries:
        elf.CHANGES[change](paths.PROGRAMS / library, folder / library)
    return elf.CHANGES[change](paths.PROGRAMS / name, folder / name)


@pytest.mark.parametrize("linker", STUBS)
def test_stacks_through_stubs_are_right(daemon, run, linker):
    """A library's function is called for the first time: through a stub, and through the loader."""
    ways = Ways(daemon, run(f"plt_{linker}"))
    assert_same(ways)
    functions = [frame["function"] for frame in ways.sites["choosing_0"]["stack"][:2]]
    assert functions == ["allocate", "on_choice"]


# Copies of a file are one module to a daemon, under the first one's path: each test has its own.
@pytest.mark.parametrize(("linker", "change"), [
    ("bfd", "without_sections"), ("ibt", "sections_outside"), ("lld", "without_sections"),
    ("gold", "sections_outside"), ("mold", "sections_outside")])
def test_stubs_are_known_without_section_headers(new_daemon, run, tmp_path, linker, change):
    program = changed(change, f"plt_{linker}", tmp_path, [f"libplt_{linker}.so"])
    assert_same(Ways(new_daemon().start(), run(program)))


@pytest.mark.parametrize(("build", "change"), [
    ("gcc_O2", "without_sections"), ("gcc_O2", "sections_outside"),
    ("gcc_O2_lld", "sections_outside"), ("gcc_O2_gold", "without_sections"),
    ("gcc_O2_mold", "without_sections"), ("clang_O3", "without_sections")])
def test_every_frame_is_right_without_section_headers(new_daemon, run, tmp_path, build, change):
    program = run(changed(change, f"frames_{build}", tmp_path))
    assert_same(Ways(new_daemon().start(), program))
