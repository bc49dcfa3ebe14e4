# SPDX-License-Identifier: Apache-2.0
"""Tests that hold random draws against probability."""
import functools
import warnings


def another_draw_decides(test):
    """
    A right estimate lies more than four standard errors off once in some 16,000 draws, and all
    tests together make thousands of them: then the whole test is run once more. A wrong estimate
    fails again, and a right one doesn't: of that the probability is some 1 in 10^8.
    """
    @functools.wraps(test)
    def run(*arguments, **options):
        try:
            return test(*arguments, **options)
        except AssertionError as failure:
            warnings.warn(f"{test.__name__}: another draw decides: {failure}")
        return test(*arguments, **options)

    return run
