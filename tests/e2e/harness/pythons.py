# SPDX-License-Identifier: Apache-2.0
"""The Python interpreters that there are, as tests/unit/pythons.py finds them."""
import functools
import subprocess
import sys

import pytest

from harness import paths
from harness.wait import eventually

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


def wait_until_known(daemon, pid):
    """A watch begins before the interpreter has been found: from then on there are Python frames."""
    def is_known():
        python = daemon.ctl("stacks", "--pid", pid, "--top", 1)["python"]
        return python and python["version"]

    return eventually(is_known, f"the interpreter of {pid} is known", 30)
