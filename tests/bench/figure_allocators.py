# SPDX-License-Identifier: Apache-2.0
"""The loop of malloc and free by other allocators, preloaded, each against its own limit: three empty
probes at the addresses that memwatch takes in that library."""

import collections
import contextlib
import glob

from figure_pairs import hits_check
from figure_probes import limit_probes
from harness import BenchError, Daemon, EmptyProbes, Loops
from report import Row

NAME = "allocators"
TITLE = "malloc+free loop by other allocators, 64 bytes, per pair"
EXACT_MUST = 1.8
SAMPLED_MUST = 1.0

LOOP = "pairs 64 5"
LIBRARIES = {
    "jemalloc": "libjemalloc.so.*",
    "tcmalloc": "libtcmalloc_minimal.so.*",
    "mimalloc": "libmimalloc.so.*",
}


def library_path(name):
    found = sorted(glob.glob(f"/usr/lib/*-linux-gnu/{LIBRARIES[name]}"))
    if not found:
        raise BenchError(f"{name} is not installed: run deploy/install-deps")
    return found[0]


def measure_library(bench, daemon, name):
    """{condition: [ns per pair]}"""
    library = library_path(name)
    probes = limit_probes(bench.probe_offsets(library))
    results = collections.defaultdict(list)
    with Loops(bench, LD_PRELOAD=library) as loops:
        conditions = {
            "unprobed": contextlib.nullcontext,
            "limit": lambda: EmptyProbes(bench, loops.pid, library, probes),
            "exact": lambda: daemon.watching(loops.pid, "--exact"),
            "sampled": lambda: daemon.watching(loops.pid),
        }
        for index in range(bench.rounds):
            bench.progress(f"{name}: round {index + 1} of {bench.rounds}")
            for condition, context in conditions.items():
                with context():
                    loop = loops.run(f"{LOOP} {bench.seconds}")
                    results[condition].append(loop.undisturbed_ns)
                    if condition in ("exact", "sampled"):
                        hits_check(daemon, loops.pid, loop.count)
    return results


def measure(bench):
    rows = []
    with Daemon(bench) as daemon:
        for name in LIBRARIES:
            results = measure_library(bench, daemon, name)
            unprobed, limit = results["unprobed"], results["limit"]
            rows += [
                Row.compare(f"{name}: three empty probes", limit, "unprobed", unprobed),
                Row.compare(f"{name}: exact", results["exact"], "limit", limit, must=EXACT_MUST),
                Row.compare(
                    f"{name}: sampled", results["sampled"], "limit", limit, must=SAMPLED_MUST
                ),
            ]
    return rows, []
