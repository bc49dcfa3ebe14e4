# SPDX-License-Identifier: Apache-2.0
"""
Stacks of C++ where exceptions, objects and callables lead to code, frame by frame: against what the
functions themselves have noted, and against what libgcc's unwinder says at the same place.
"""
import pytest

from harness.ways import Ways, physical, places

LEVELS = ["O0", "O2", "O3", "Os"]
BUILDS = [f"{compiler}_{level}{pointer}" for compiler in ("g++", "clang++") for level in LEVELS
          for pointer in ("", "_frame_pointer")]
BUILDS += ["g++_O2_static"]
# Begins with what is not the program's: it is allocated by the runtime, for whoever throws.
BY_RUNTIME = {"thrown": "__cxa_allocate_exception"}


def assert_same_as_noted(ways, way, site):
    """Each function that notes is there, in order, and has its name."""
    known = ways.truth(caller for _, caller in way["places"])
    assert [place for place in places(site) if place in set(known)] == known
    # Others may lie between, which call for them.
    functions = iter(frame["function"] or "" for frame in physical(site))
    for name, _ in way["places"]:
        assert any(name in function for function in functions), name


def assert_same_as_libgcc(ways, way, site):
    """Every caller, the runtime's among them, and nothing else."""
    callers = ways.truth(way["callers"])
    first = len(places(site)) - len(callers)
    assert places(site)[first:] == callers
    begins = [frame["function"] for frame in physical(site)[:first]]
    runtime = BY_RUNTIME.get(way["name"])
    assert begins[:-1] == ([runtime] if runtime else [])
    assert way["places"][0][0] in begins[-1]


@pytest.mark.parametrize("build", BUILDS)
def test_every_frame_is_right(daemon, run, build):
    ways = Ways(daemon, run(f"cxx_frames_{build}"))
    assert len(ways.answer["ways"]) > 25
    for way in ways.answer["ways"]:
        print(way["name"])  # shown when it fails
        site = ways.sites[way["name"]]
        assert_same_as_noted(ways, way, site)
        assert_same_as_libgcc(ways, way, site)
        assert site["stack_end"] == "root", site["stack"][-1]
