# SPDX-License-Identifier: Apache-2.0
"""In exact mode every call site of every allocation function is right to the byte."""
import pytest

from harness.compare import assert_exact, assert_nothing_lost, site_of
from harness.wait import eventually_passes

BUILDS = ["allocators", "allocators_static", "allocators_without_frame_pointer"]


def assert_counted(daemon, program, counter):
    def check():
        assert daemon.target(program.pid)[counter] == program.truth["counts"].get(counter, 0)

    eventually_passes(check)


@pytest.mark.parametrize("build", BUILDS)
def test_every_allocation_function_is_exact_to_the_byte(daemon, run, build):
    program = run(build)
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "failed_allocations")


@pytest.mark.parametrize("build", BUILDS)
def test_freed_blocks_leave_the_account(daemon, run, build):
    program = run(build)
    daemon.watch(program)
    program.tell("allocate")
    program.tell("free_half")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "unknown_frees")


@pytest.mark.parametrize("build", BUILDS)
def test_a_block_that_malloc_maps_is_counted_once(daemon, run, build):
    program = run(build)
    daemon.watch(program)
    program.tell("allocate_huge")
    assert_exact(daemon, program)
    mappings = [site for site in daemon.sites(program.pid) if site["kind"] == "mapping"]
    assert sum(site["outstanding_bytes"] for site in mappings) == 0
    assert daemon.target(program.pid)["allocator_mapping_bytes"] >= 80 << 20
    program.tell("free_all")
    assert_exact(daemon, program)


def test_an_empty_block_is_an_object(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate_empty")
    assert_exact(daemon, program)


def test_failed_allocations_are_counted_and_hold_nothing(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate_too_much")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "failed_allocations")


def test_malloc_that_fails_for_lack_of_memory_holds_nothing(daemon, run):
    program = run("limited")
    daemon.watch(program)
    program.tell("run")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "failed_allocations")


def assert_reallocs_exact(daemon, run, scenario):
    program = run("reallocs")
    daemon.watch(program)
    program.tell(scenario)
    assert_exact(daemon, program)
    assert_counted(daemon, program, "failed_allocations")
    assert_counted(daemon, program, "unknown_frees")


def test_realloc_in_place_hands_the_block_to_its_caller(daemon, run):
    assert_reallocs_exact(daemon, run, "in_place")


def test_realloc_that_moves_ends_the_old_block(daemon, run):
    assert_reallocs_exact(daemon, run, "moved")


def test_realloc_that_fails_keeps_the_old_block(daemon, run):
    assert_reallocs_exact(daemon, run, "failing")


def test_a_block_can_be_freed_after_a_realloc_that_failed(daemon, run):
    assert_reallocs_exact(daemon, run, "failing_then_freed")


def test_realloc_to_zero_frees(daemon, run):
    assert_reallocs_exact(daemon, run, "to_zero")


def test_realloc_of_null_allocates(daemon, run):
    assert_reallocs_exact(daemon, run, "from_null")


def test_reallocarray_resizes(daemon, run):
    assert_reallocs_exact(daemon, run, "array")


def test_reallocarray_that_overflows_keeps_the_old_block(daemon, run):
    assert_reallocs_exact(daemon, run, "array_overflow")


def test_reallocarray_to_zero_frees(daemon, run):
    assert_reallocs_exact(daemon, run, "array_to_zero")


def test_realloc_of_mapped_blocks_is_counted_once(daemon, run):
    assert_reallocs_exact(daemon, run, "huge")


def test_a_block_that_grows_a_hundred_times_is_one_block(daemon, run):
    assert_reallocs_exact(daemon, run, "step_by_step")


def test_blocks_from_before_the_watch_are_ignored_and_counted(daemon, run):
    program = run("frees")
    program.tell("allocate_unseen")
    daemon.watch(program)
    program.tell("free_unseen")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "unknown_frees")


def test_realloc_of_a_block_from_before_the_watch_begins_a_known_one(daemon, run):
    program = run("frees")
    program.tell("allocate_unseen")
    daemon.watch(program)
    program.tell("resize_unseen")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "unknown_frees")


def test_free_of_null_is_nothing(daemon, run):
    program = run("frees")
    daemon.watch(program)
    program.tell("free_null")
    assert_exact(daemon, program)
    assert_counted(daemon, program, "unknown_frees")


def test_a_watch_that_begins_again_begins_at_zero(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")
    daemon.ctl("unwatch", "--pid", program.pid)
    program.tell("free_all")
    watched = run("frees")
    daemon.watch(watched)
    watched.tell("allocate")
    assert_exact(daemon, watched)
    daemon.watch(program)
    assert daemon.get(f"/api/v1/processes/{program.pid}/stacks")["outstanding_bytes"] == 0


def test_nothing_is_lost_and_the_total_covers_the_sites(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    truth = program.tell("allocate")

    def check():
        answer = daemon.ctl("stacks", "--pid", program.pid)
        assert_nothing_lost(answer)
        assert answer["outstanding_bytes"] == sum(site["outstanding_bytes"]
                                                  for site in answer["sites"])
        assert answer["outstanding_bytes"] >= sum(site["outstanding_bytes"]
                                                  for site in truth["sites"])
        assert answer["outstanding_bytes_stderr"] == 0
        assert answer["sampling_interval_bytes"] == 1

    eventually_passes(check)


def test_frames_carry_file_and_line(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")

    def check():
        site = site_of(daemon, program.pid, "by_malloc")
        frame = site["stack"][0]
        assert frame["kind"] == "native"
        assert frame["file"].endswith("tests/programs/allocators.c")
        assert frame["line"] > 0
        callers = [frame["function"] for frame in site["stack"]]
        assert callers[:2] == ["by_malloc", "allocate"]
        assert "main" in callers

    eventually_passes(check)
