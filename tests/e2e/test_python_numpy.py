# SPDX-License-Identifier: Apache-2.0
"""The distribution's Python with NumPy, and a real pipeline."""
from harness import paths
from harness.compare import assert_nothing_lost
from harness.wait import eventually_passes


def arrays(daemon, program):
    """Sites in NumPy that hold blocks of an array's size."""
    return [site for site in daemon.sites(program.pid)
            if "_multiarray_umath" in (site["stack"][0]["module"] or "") and
            site["outstanding_objects"] and
            site["outstanding_bytes"] / site["outstanding_objects"] >=
            program.truth["array_bytes"]]


def test_leaked_arrays_are_exact_to_the_byte(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "leaky.py")
    daemon.watch(program)
    truth = program.tell("run 50")

    def check():
        sites = arrays(daemon, program)
        assert sum(site["outstanding_bytes"] for site in sites) == truth["outstanding_bytes"]
        assert sum(site["outstanding_objects"] for site in sites) == truth["outstanding_objects"]

    eventually_passes(check)
    assert program.end() == 0


def test_leaked_arrays_are_seen_by_default_sampling(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "leaky.py")
    daemon.ctl("watch", "--pid", program.pid)
    truth = program.tell("run 50")

    # A block of a mebibyte is sampled with a probability of 1 - exp(-16).
    def check():
        found = sum(site["outstanding_bytes"] for site in arrays(daemon, program))
        assert abs(found - truth["outstanding_bytes"]) <= truth["array_bytes"]

    eventually_passes(check)


def test_leaks_points_into_numpy(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "leaky.py", "0.05")
    answer = daemon.ctl("leaks", "--pid", program.pid, "--for", 6)
    first = answer["sites"][0]
    assert first["verdict"] == "leak", answer["sites"]
    assert "_multiarray_umath" in first["stack"][0]["module"]
    assert first["growth_bytes_per_second"] > program.truth["array_bytes"]


def test_a_pipeline_runs_watched_and_loses_nothing(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "pipeline.py")
    daemon.ctl("watch", "--pid", program.pid)
    program.tell("run")
    answer = daemon.ctl("stacks", "--pid", program.pid, "--sort", "allocated")
    assert_nothing_lost(answer)
    allocated = [site["allocated_bytes"] for site in answer["sites"]]
    assert allocated == sorted(allocated, reverse=True)
    assert sum(allocated) > 183 << 20
    assert program.end() == 0
