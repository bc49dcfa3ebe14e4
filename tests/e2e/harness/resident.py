# SPDX-License-Identifier: Apache-2.0
"""Compares the RSS profile of tests/programs/resident.c with the program's own ledger."""
import collections

from harness.wait import eventually_passes

MIB = 1 << 20
# Of what is asserted of shares, in parts of 1.
SHARE_ERROR = 0.03
# What programs touch beside, for their stacks and libraries.
BESIDE_BYTES = MIB
# And as they start, or first use what lies on a slow machine's file system.
START_BYTES = 4 * MIB
FUNCTIONS = ("touch_large", "touch_middle", "touch_small", "read_into", "touch_shared", "give_back",
             "take_down")


def rss_sites(daemon, pid):
    return daemon.ctl("stacks", "--sort", "rss", "--pid", pid)


def by_function(answer, functions, field="rss_grown_bytes"):
    """Sums by the innermost of these functions; of the rest together under None."""
    sums = collections.Counter()
    for site in answer["sites"]:
        names = [frame["function"] for frame in site["stack"]]
        sums[next((name for name in names if name in functions), None)] += site[field]
    return sums


def touched(program):
    return {site["function"]: site["outstanding_bytes"] for site in program.truth["sites"]}


def assert_shares(found, truth):
    total, found_total = sum(truth.values()), sum(found.values())
    assert abs(found_total - total) <= SHARE_ERROR * total + BESIDE_BYTES, (found, truth)
    for function, size in truth.items():
        assert abs(found[function] / found_total - size / total) <= SHARE_ERROR, (function, found,
                                                                                truth)


def assert_grown_as_touched(daemon, program, beside_bytes=BESIDE_BYTES):
    def check():
        answer = rss_sites(daemon, program.pid)
        assert answer["rss_profile"]["available"]
        found = by_function(answer, FUNCTIONS)
        assert found.pop(None, 0) <= beside_bytes
        assert_shares(found, touched(program))

    eventually_passes(check)
