# SPDX-License-Identifier: Apache-2.0
"""Return probes under a seccomp filter that doesn't know their system call: safe here, or refused."""
from harness.compare import assert_exact


def test_a_process_under_a_seccomp_filter_is_watched_exactly_or_refused(daemon, run):
    doctor = daemon.ctl("doctor")
    check = next(one for one in doctor["checks"] if one["name"] == "seccomp filters")
    program = run("under_seccomp", "filter")
    if check["state"] == "ok":
        daemon.watch(program)
        program.tell("allocate 100")
        assert_exact(daemon, program)
    else:
        outcome = daemon.try_ctl("watch", "--pid", program.pid, "--exact")
        assert outcome.status != 0
        assert "seccomp filter" in outcome.errors
        program.tell("allocate 100")
    assert program.end() == ""
