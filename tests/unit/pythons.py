# SPDX-License-Identifier: Apache-2.0
"""
The Python interpreters that there are, a line each: the version and the command that runs it, with
tabs between its words. Those of this machine, of pyenv, and of Debian's packages, which are unpacked
into the build folder and run by their own loader. What can't be had is said on standard error.
"""
import glob
import os
import pathlib
import platform
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import debian  # noqa: E402 pylint: disable=wrong-import-position

MINORS = range(8, 15)
PACKAGES = {
    "3.13": ("trixie", ["python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib",
                        "libc6", "libexpat1", "zlib1g", "libffi8"]),
    "3.14": ("sid", ["python3.14-minimal", "libpython3.14-minimal", "libpython3.14-stdlib",
                     "libc6", "libexpat1", "zlib1g", "libffi8"]),
}
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def works(command, version):
    """Whether it runs, and is what it is called."""
    try:
        done = subprocess.run([*command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == version


def of_this_machine(version):
    """Those in /usr and of pyenv; a name in PATH may be a script that starts another program."""
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found = [shutil.which(f"python{version}", path="/usr/bin:/usr/local/bin"),
             *sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"))]
    return [[path] for path in found if path and works([path], version)]


def of_debian(version):
    suite, packages = PACKAGES[version]
    root = debian.unpacked(suite, packages)
    command = [str(root / LIBRARIES / "ld-linux-x86-64.so.2"), "--library-path",
               str(root / LIBRARIES), str(root / f"usr/bin/python{version}")]
    if not works(command, version):
        raise debian.Unreachable(f"{suite}'s python{version} does not run here")
    return command


def main():
    for version in (f"3.{minor}" for minor in MINORS):
        commands = of_this_machine(version)
        if version in PACKAGES and platform.machine() == "x86_64":
            try:
                commands.append(of_debian(version))
            except (debian.Unreachable, OSError, subprocess.CalledProcessError) as failure:
                print(f"python {version} of Debian: NOT RUN: {failure}", file=sys.stderr)
        if not commands:
            print(f"python {version}: NOT RUN: there is none here", file=sys.stderr)
        for command in commands:
            print(version, *command, sep="\t")


if __name__ == "__main__":
    main()
