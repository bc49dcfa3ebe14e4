# SPDX-License-Identifier: Apache-2.0
"""Python frames, one by one, against what the interpreter itself says of them (python_ways.py)."""
import pytest

from harness import paths, pythons
from harness.wait import eventually_passes

FRAMES_MAX = 127


def python_frames(site):
    return [[frame["function"], frame["file"], frame["line"]] for frame in site["stack"]
            if frame["kind"] == "python"]


@pytest.fixture(params=pythons.VERSIONS)
def ways(request, daemon, run):
    """What one interpreter did, and the sites of it."""
    program = run(*pythons.command(request.param), paths.SCRIPTS / "python_ways.py")
    daemon.watch(program, "--exact")
    answer = program.tell("go")
    return program, answer["ways"]


def test_every_frame_is_named(daemon, ways):
    program, truth = ways

    def check():
        by_bytes = {site["outstanding_bytes"]: site for site in daemon.sites(program.pid)
                    if site["outstanding_objects"] == 1}
        for way in truth:
            site = by_bytes[way["bytes"]]
            frames = way["frames"]
            is_whole = len(frames) <= FRAMES_MAX
            assert python_frames(site) == frames[:FRAMES_MAX], way["name"]
            assert site["python_end"] == ("root" if is_whole else "truncated"), way["name"]

    eventually_passes(check)
