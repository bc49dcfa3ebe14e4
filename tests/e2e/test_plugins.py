# SPDX-License-Identifier: Apache-2.0
"""Libraries that come and go while the process is watched."""
from harness.compare import by_direct_caller, site_of
from harness.wait import eventually_passes


def assert_plugin_is_exact(daemon, program):
    wanted = program.truth["sites"][0]

    def check():
        found = by_direct_caller(daemon.sites(program.pid))["plugin_allocates"]
        assert found["outstanding_bytes"] == wanted["outstanding_bytes"]
        assert found["outstanding_objects"] == wanted["outstanding_objects"]

    eventually_passes(check)


def test_a_library_loaded_after_the_watch_began_is_named(daemon, run):
    program = run("plugins")
    daemon.watch(program)
    program.tell("load")
    program.tell("allocate 100")
    assert_plugin_is_exact(daemon, program)
    site = site_of(daemon, program.pid, "plugin_allocates")
    assert site["stack"][0]["module"].endswith("/plugin.so")


def test_names_survive_the_library(daemon, run):
    program = run("plugins")
    daemon.watch(program)
    program.tell("load")
    program.tell("allocate 100")
    assert_plugin_is_exact(daemon, program)
    program.tell("unload")
    assert_plugin_is_exact(daemon, program)
