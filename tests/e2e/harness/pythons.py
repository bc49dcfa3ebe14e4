# SPDX-License-Identifier: Apache-2.0
"""The Python interpreters that there are, as tests/unit/pythons.py finds them."""
import functools
import subprocess
import sys

import pytest

from harness import paths

VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


@functools.cache
def _all():
    done = subprocess.run([sys.executable, paths.ROOT / "tests/unit/pythons.py"], text=True,
                          capture_output=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def command(version):
    """What runs an interpreter of that version; a test is skipped where there is none."""
    for found, *words in _all():
        if found == version:
            return words
    return pytest.skip(f"there is no Python {version} here")
