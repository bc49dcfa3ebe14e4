# SPDX-License-Identifier: Apache-2.0
"""C++: demangled names, operator new, containers, exceptions."""
from harness.compare import assert_exact, direct_caller
from harness.wait import eventually_passes


def test_templates_and_namespaces_are_demangled(daemon, run):
    program = run("cxx")
    daemon.watch(program)
    program.tell("shelve 100")
    assert_exact(daemon, program)


def test_containers_are_exact_at_operator_new(daemon, run):
    program = run("cxx")
    daemon.watch(program)
    program.tell("fill 1000")
    assert_exact(daemon, program)
    program.tell("clear")
    assert_exact(daemon, program)


def test_the_way_to_operator_new_leads_through_the_program(daemon, run):
    program = run("cxx")
    daemon.watch(program)
    program.tell("fill 100")

    def check():
        sites = [site for site in daemon.sites(program.pid)
                 if direct_caller(site) == "operator new(unsigned long)"]
        functions = {frame["function"] for site in sites for frame in site["stack"]}
        assert "shop::Catalogue::fill(int)" in functions

    eventually_passes(check)


def test_exceptions_through_watched_code_work_and_leave_nothing(daemon, run):
    program = run("cxx")
    daemon.watch(program)
    # The first exception makes the C++ runtime allocate what it keeps.
    program.tell("throw_and_catch 1")
    assert_exact(daemon, program)
    before = eventually_passes(lambda: runtime_outstanding(daemon, program))
    program.tell("throw_and_catch 1000")
    assert_exact(daemon, program)
    assert eventually_passes(lambda: runtime_outstanding(daemon, program)) == before
    assert program.end() == 0


def runtime_outstanding(daemon, program):
    return sum(site["outstanding_bytes"] for site in daemon.sites(program.pid)
               if "libstdc++" in (site["stack"][0]["module"] or "") and
               direct_caller(site) != "operator new(unsigned long)")


def test_bad_alloc_passes_through_a_watched_malloc(daemon, run):
    program = run("cxx")
    daemon.watch(program)
    truth = program.tell("run_out 100")
    assert_exact(daemon, program)
    assert daemon.target(program.pid)["failed_allocations"] == (
        truth["counts"]["failed_allocations"])
