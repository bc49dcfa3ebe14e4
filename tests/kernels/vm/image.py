# SPDX-License-Identifier: Apache-2.0
"""
The file system of an emulated machine, as an archive that the kernel unpacks into memory: programs
and libraries of this machine, so that what runs there is what was built here.
"""
import os
import pathlib
import re
import shutil
import subprocess

BUSYBOX = pathlib.Path("/bin/busybox")
FOLDERS = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib", "usr/lib64",
           "usr/sbin", "var/lib")
# As on this machine, where /lib and its like lead into /usr: a library's path must hold there too.
MERGED = ("bin", "lib", "lib64", "sbin")


def libraries_of(path):
    """What the loader would map; nothing for scripts and for what is linked statically."""
    done = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
    missing = re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE)
    assert not missing, f"{path} needs {missing}"
    return re.findall(r"(?:=>\s+|^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE)


class Image:
    """A folder being filled, then packed."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True)
        for name in MERGED:
            (self.folder / name).symlink_to(f"usr/{name}")
        self.add(BUSYBOX, "/bin/busybox")

    def inside(self, path):
        return self.folder / str(path).lstrip("/")

    def made_room(self, path):
        """Where the path lies in the image; its folder is there."""
        path = pathlib.Path(path)
        place = self.inside(os.path.realpath(path.parent) + "/" + path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def add(self, source, destination=None):
        """A file, and a program's libraries; at its own path if no other is given."""
        source = pathlib.Path(source)
        place = self.made_room(destination or source)
        if place.is_symlink() or place.exists():
            return
        if source.is_symlink() and not destination:
            place.symlink_to(os.readlink(source))
            self.add(source.parent / os.readlink(source))
            return
        shutil.copy(source, place)
        if os.access(source, os.X_OK):
            self.add_libraries_of(source)

    def add_libraries_of(self, path):
        for library in libraries_of(path):
            self.add(library)

    def add_applets(self):
        """busybox by all of its names that are not taken."""
        done = subprocess.run([str(BUSYBOX), "--list"], capture_output=True, text=True, check=True)
        for name in done.stdout.split():
            taken = [self.inside(f"/usr/{folder}/{name}") for folder in ("bin", "sbin")]
            if not any(path.exists() or path.is_symlink() for path in taken):
                taken[0].symlink_to("busybox")

    def write(self, path, text, mode=0o644):
        place = self.made_room(path)
        place.write_text(text)
        place.chmod(mode)

    def pack(self, archive):
        """All of it belongs to root, whoever packs it."""
        names = [str(path.relative_to(self.folder)) for path in sorted(self.folder.rglob("*"))]
        with open(archive, "wb") as output:
            subprocess.run(["cpio", "--quiet", "--create", "--format=newc", "--owner=+0:+0"],
                           cwd=self.folder, stdout=output, input="\n".join(names), text=True,
                           check=True)
        shutil.rmtree(self.folder)
        return archive
