# SPDX-License-Identifier: Apache-2.0
"""A real server under a real load: memcached, which takes its memory from glibc."""
import pytest

from harness.compare import assert_nothing_lost
from harness.memcached import Memcached
from harness.wait import eventually_passes

SLAB_PAGE_BYTES = 1 << 20


@pytest.fixture
def server(closing):
    one = Memcached()
    closing.callback(one.close)
    return one


def test_a_server_serves_while_it_is_watched_and_its_memory_is_accounted(daemon, server):
    # The first pages of its slabs, and its threads' buffers, are from before the watch.
    server.load(200)
    before = int(server.statistics("slabs")["total_malloced"])
    daemon.watch(server)
    server.load(5000)
    grown = int(server.statistics("slabs")["total_malloced"]) - before
    assert grown >= 50 * SLAB_PAGE_BYTES

    def check():
        answer = daemon.ctl("stacks", "--pid", server.pid)
        assert_nothing_lost(answer)
        pages = [site for site in answer["sites"] if site["kind"] == "block" and
                 site["outstanding_objects"] and
                 site["outstanding_bytes"] == site["outstanding_objects"] * SLAB_PAGE_BYTES]
        assert sum(site["outstanding_bytes"] for site in pages) == grown
        assert {site["stack"][0]["module"] for site in pages} == {"/usr/bin/memcached"}

    eventually_passes(check)
    daemon.ctl("unwatch", "--pid", server.pid)
    server.load(200)
    assert server.process.poll() is None


def test_leaks_of_a_server_under_load_names_what_grows(daemon, server):
    observation = daemon.start_ctl("--json", "leaks", "--pid", server.pid, "--for", 4, "--all")
    while observation.poll() is None:
        server.load(200)
    output, errors = observation.communicate()
    assert observation.returncode == 0, errors
    assert '"sites"' in output
    assert server.process.poll() is None
