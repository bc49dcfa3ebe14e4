# SPDX-License-Identifier: Apache-2.0
"""mmap, munmap and mremap by call site, in whole pages."""
import pytest

from harness.compare import assert_exact

SCENARIOS = {
    "map": "mappings_are_outstanding_until_unmapped",
    "map_and_unmap": "unmapping_ends_a_mapping",
    "unmap_the_middle": "unmapping_the_middle_leaves_both_ends",
    "unmap_piece_by_piece": "unmapping_piece_by_piece_ends_one_object",
    "unmap_both_ends": "unmapping_both_ends_leaves_the_middle",
    "unmap_two_at_once": "one_munmap_may_end_two_mappings",
    "map_over_own": "MAP_FIXED_takes_from_the_mapping_below",
    "grow": "mremap_grows_at_the_mapping's_own_site",
    "grow_by_moving": "mremap_moves_a_mapping_with_its_site",
    "shrink": "mremap_shrinks",
    "move_then_unmap": "a_moved_mapping_is_found_at_its_new_place",
    "fail": "failed_calls_hold_nothing",
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=SCENARIOS.values())
def test_mappings(daemon, run, scenario):
    program = run("mappings")
    daemon.watch(program)
    program.tell(scenario)
    assert_exact(daemon, program, kind="mapping")


def test_all_of_it_in_one_process(daemon, run):
    program = run("mappings")
    daemon.watch(program)
    for scenario in SCENARIOS:
        program.tell(scenario)
    assert_exact(daemon, program, kind="mapping")


def test_mappings_are_exact_in_sampled_mode_too(daemon, run):
    program = run("mappings")
    daemon.watch(program, "--interval", 65536)
    program.tell("unmap_the_middle")
    program.tell("grow_by_moving")
    assert_exact(daemon, program, kind="mapping")
