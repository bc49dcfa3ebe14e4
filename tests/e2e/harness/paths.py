# SPDX-License-Identifier: Apache-2.0
"""Where things are. MEMWATCH_BUILD names the build folder when it is not build/."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("MEMWATCH_BUILD", ROOT / "build")).resolve()
MEMWATCHD = BUILD / "memwatchd"
MEMWATCHCTL = BUILD / "memwatchctl"
PROGRAMS = BUILD / "programs"
SCRIPTS = ROOT / "tests" / "programs"
# The distribution's interpreter: what operators have to watch.
PYTHON = "/usr/bin/python3"
NOBODY = 65534
