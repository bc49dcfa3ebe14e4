# SPDX-License-Identifier: Apache-2.0
"""Compares an account with the program's own ledger."""
import collections
import math

import pytest

from harness.chance import assert_within_four_errors
from harness.wait import eventually_passes

COUNTERS = ("outstanding_bytes", "outstanding_objects", "allocated_bytes", "allocated_objects")


def direct_caller(site):
    return site["stack"][0].get("function") if site["stack"] else None


def site_of(daemon, pid, function):
    """The site whose direct caller is this function; an assertion, so that it may be waited for."""
    found = [site for site in daemon.sites(pid) if direct_caller(site) == function]
    assert found, f"no site of {function}"
    return found[0]


def by_direct_caller(sites):
    """Sums of the sites by their innermost function: one function may be reached by many ways."""
    sums = collections.defaultdict(lambda: dict.fromkeys((*COUNTERS, "variance"), 0))
    for site in sites:
        entry = sums[direct_caller(site)]
        for counter in COUNTERS:
            entry[counter] += site[counter]
        entry["variance"] += site["outstanding_bytes_stderr"] ** 2
    return sums


def truth_by_function(truth):
    return {site["function"]: site for site in truth["sites"] if site["allocated_objects"]}


def of_program(sites, program):
    """The sites whose direct caller is the program itself rather than a library."""
    return [site for site in sites
            if site["stack"] and site["stack"][0]["module"] == program.executable]


def assert_exact(daemon, program, kind="block"):
    """Every call site to the byte, and none that the program doesn't know of."""
    truth = truth_by_function(program.truth)

    def check():
        sites = [site for site in daemon.sites(program.truth["pid"]) if site["kind"] == kind]
        found = by_direct_caller(sites)
        wanted = {name: {counter: site[counter] for counter in COUNTERS}
                  for name, site in truth.items()}
        assert {name: {counter: found[name][counter] for counter in COUNTERS}
                for name in truth} == wanted
        strangers = {direct_caller(site) for site in of_program(sites, program)} - set(truth)
        assert strangers == set(), "sites that the program knows nothing of"

    eventually_passes(check)


def assert_nothing_lost(answer):
    assert answer["lost_events"] == 0, answer["losses"]
    assert answer["complete"], answer["incomplete_reason"]


def poisson_standard_error(objects, block_bytes, interval_bytes):
    """
    Of the estimated bytes of so many blocks of one size, each sampled with p = 1 - exp(-size /
    interval) and then standing for size / p. Blocks of an interval or more are all taken.
    """
    if block_bytes >= interval_bytes:
        return 0
    probability = 1 - math.exp(-block_bytes / interval_bytes)
    return math.sqrt(objects * block_bytes ** 2 * (1 - probability) / probability)


def assert_estimated(daemon, program, interval_bytes):
    """Every call site, and the whole, within four standard errors."""
    found = by_direct_caller(daemon.sites(program.pid))
    total = collections.Counter()
    for name, site in truth_by_function(program.truth).items():
        block_bytes = site["allocated_bytes"] / site["allocated_objects"]
        for kind in ("outstanding", "allocated"):
            objects, wanted = site[f"{kind}_objects"], site[f"{kind}_bytes"]
            error = poisson_standard_error(objects, block_bytes, interval_bytes)
            difference = found[name][f"{kind}_bytes"] - wanted
            assert_within_four_errors(difference, error, 1, (name, kind, "bytes"))
            assert_within_four_errors(found[name][f"{kind}_objects"] - objects,
                                      error / block_bytes, 1, (name, kind, "objects"))
            total[f"{kind}_difference"] += difference
            total[f"{kind}_variance"] += error ** 2
        assert_stated_error(name, site, block_bytes, math.sqrt(found[name]["variance"]),
                            interval_bytes)
    for kind in ("outstanding", "allocated"):
        assert_within_four_errors(total[f"{kind}_difference"],
                                  math.sqrt(total[f"{kind}_variance"]), 1, kind)


def assert_stated_error(name, site, block_bytes, stated, interval_bytes):
    """What memwatch says of its own error is right, where enough samples make that a number."""
    objects = site["outstanding_objects"]
    error = poisson_standard_error(objects, block_bytes, interval_bytes)
    samples = objects * (1 - math.exp(-block_bytes / interval_bytes))
    if block_bytes >= interval_bytes:
        assert stated == 0, name
    elif objects == 0:
        # Nothing is left of what was drawn; two samples' worth may yet be there unseen.
        assert stated in (0, pytest.approx(math.sqrt(2) * interval_bytes)), name
    elif samples >= 50:
        assert 0.6 * error <= stated <= 1.6 * error + 1, (name, stated, error)


def assert_the_next_one_is_exact(daemon, run):
    """What went before has left the daemon as it should be."""
    program = run("threads")
    daemon.watch(program)
    program.tell("run 500")
    assert_exact(daemon, program)
    assert program.end() == 0
