# SPDX-License-Identifier: Apache-2.0
"""
Stacks of Rust where closures, traits, iterators and panics lead to code, frame by frame: against
what libgcc's unwinder says within the program's allocator, and names against those that the functions
themselves have noted.
"""
import re

import pytest

from harness.ways import Ways, places

BUILDS = [f"{panic}_{rest}" for panic in ("unwind", "abort")
          for rest in ("0_default", "0_v0", "3_default", "3_v0", "3_default_frame_pointer",
                       "3_v0_frame_pointer")]
BUILDS += ["unwind_s_default", "unwind_3_v0_lto"]


def plain_name(name):
    """
    Without what the two ways of mangling and type_name() say each in its own way: numbers of
    closures and implementations, and what generic types stand for.
    """
    name = re.sub(r"\{\{closure\}\}|\{closure#\d+\}|\{closure\}", "{closure}", name or "")
    name = re.sub(r"\{impl#\d+\}", "{impl}", name)
    while (shorter := re.sub(r"(::)?<[^<> ]*>", "", name)) != name:
        name = shorter
    return name


def assert_names(way, site):
    """Every function that noted itself is there, in order."""
    names = [frame["function"] for frame in site["stack"]]
    rest = iter(plain_name(name) for name in names)
    for function in way["functions"]:
        assert any(name == plain_name(function) for name in rest), (function, names)
    # None is as the compiler writes it, or has a hash at its end.
    for name in names:
        assert not re.search(r"^_R|^_ZN|::h[0-9a-f]{16}$|\$(LT|GT|u7b)", name or ""), name


@pytest.mark.parametrize("build", BUILDS)
def test_every_frame_is_right(daemon, run, build):
    ways = Ways(daemon, run(f"rust_frames_{build}"))
    assert len(ways.answer["ways"]) >= (18 if "unwind" in build else 12)
    for way in ways.answer["ways"]:
        print(way["name"])  # shown when it fails
        site = ways.sites[way["name"]]
        # malloc is called by the allocator, and this by all that libgcc has found.
        assert places(site)[1:] == ways.truth(way["callers"])
        assert_names(way, site)
        assert site["stack_end"] == "root", site["stack"][-1]
