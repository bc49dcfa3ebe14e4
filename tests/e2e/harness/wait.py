# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, never for time."""
import time

POLL_SECONDS = 0.02
# How much longer than on real hardware everything may take: an emulated machine raises it.
patience = 1.0


def eventually(condition, what, seconds=10.0):
    """Returns the first true value of condition(); fails when the deadline passes without one."""
    deadline = time.monotonic() + seconds * patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def eventually_passes(check, seconds=5.0):
    """
    Repeats a function of assertions until it passes; its last failure is the test's. Whatever it
    stumbles over on the way (an answer that lacks an entry yet) is a failure like the others.
    """
    deadline = time.monotonic() + seconds * patience
    while True:
        try:
            return check()
        except Exception:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)
