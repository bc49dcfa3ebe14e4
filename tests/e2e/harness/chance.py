# SPDX-License-Identifier: Apache-2.0
"""Tests that hold random draws against probability."""
import functools
import warnings


class FarOff(AssertionError):
    """An estimate that a right sampler gives, though seldom."""


def assert_within_four_errors(difference, error, slack, what):
    """
    A right estimate lies more than four standard errors off once in some 16,000 draws, and more
    than six never in practice. slack: what rounding may add.
    """
    distance = abs(difference)
    words = f"{what}: off by {difference:.0f}, the standard error is {error:.0f}"
    assert distance <= 6 * error + slack, words
    if distance > 4 * error + slack:
        raise FarOff(words)


def another_draw_decides(test):
    """
    All tests together make thousands of draws, so that one beyond four standard errors happens:
    then the whole test is run once more. A wrong estimate fails again. Every other failure is one
    at once.
    """
    @functools.wraps(test)
    def run(*arguments, **options):
        try:
            return test(*arguments, **options)
        except FarOff as failure:
            warnings.warn(f"{test.__name__}: another draw decides: {failure}")
        return test(*arguments, **options)

    return run
