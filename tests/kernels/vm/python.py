# SPDX-License-Identifier: Apache-2.0
"""This machine's Python in an emulated one, with as much of its library as a program takes."""
import json
import pathlib
import subprocess

from harness import paths

# Run with the program as argument, which ends with its input.
MODULES = """
import json, runpy, sys
standard_output, sys.stdout = sys.stdout, sys.stderr
runpy.run_path(sys.argv[1])
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
print(json.dumps([file for file in files if file]), file=standard_output)
"""


def add(image, program):
    """At the program's own path."""
    done = subprocess.run([paths.PYTHON, "-c", MODULES, program], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=True)
    image.add(pathlib.Path(paths.PYTHON).resolve(), paths.PYTHON)
    image.add(program)
    for file in json.loads(done.stdout):
        image.add(file)
