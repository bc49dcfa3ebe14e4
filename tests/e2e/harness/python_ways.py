# SPDX-License-Identifier: Apache-2.0
"""Python frames as memwatch tells them, against what tests/programs/python_ways.py says of itself."""

FRAMES_MAX = 127


def python_frames(site):
    return [[frame["function"], frame["file"], frame["line"]] for frame in site["stack"]
            if frame["kind"] == "python"]


def assert_every_frame(daemon, pid, ways):
    by_bytes = {site["outstanding_bytes"]: site for site in daemon.sites(pid)
                if site["outstanding_objects"] == 1}
    for way in ways:
        site, frames = by_bytes[way["bytes"]], way["frames"]
        is_whole = len(frames) <= FRAMES_MAX
        found, wanted = python_frames(site), frames[:FRAMES_MAX]
        assert found == wanted, (way["name"], [pair for pair in zip(found, wanted)
                                               if pair[0] != pair[1]])
        assert site["python_end"] == ("root" if is_whole else "truncated"), way["name"]
