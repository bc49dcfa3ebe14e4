# SPDX-License-Identifier: Apache-2.0
"""A machine whose first process is systemd: this machine's own, with all of its units."""
import os
import pathlib
import re
import shutil
import subprocess

from vm.image import Image

# Of the package, what a machine without people needs not.
LEFT_OUT = re.compile(r"/usr/share/(doc|man|locale|lintian|bug|zsh|bash-completion|polkit-1|dbus-1)/")
# systemd loads these when it has need of them.
LOADED_LATER = ("libkmod.so.2", "libseccomp.so.2", "libmount.so.1", "libpcre2-8.so.0")
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
# What asks people, waits for devices that nobody announces, or needs modules.
MASKED = ("systemd-firstboot.service", "serial-getty@.service", "getty.target",
          "proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount", "dev-mqueue.mount",
          "sys-fs-fuse-connections.mount", "systemd-networkd.service", "systemd-logind.service")
FILES = {"/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
         "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
                        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
         "/etc/group": "root:x:0:\nnogroup:x:65534:\n"}
AGENT_UNIT = """[Unit]
Description=Obeys the test
[Service]
ExecStart=/bin/sh /agent.sh
Environment=PATH=/usr/sbin:/usr/bin
KillMode=process
[Install]
WantedBy=multi-user.target
"""


def files_of_the_package():
    done = subprocess.run(["dpkg", "-L", "systemd"], capture_output=True, text=True, check=True)
    return [pathlib.Path(line) for line in done.stdout.splitlines()
            if line.startswith("/") and not LEFT_OUT.match(line + "/")]


def systemd_image(folder, agent):
    """An image that boots into multi-user.target, where the agent is a service."""
    image = Image(folder)
    for path in files_of_the_package():
        if path.is_symlink() and os.path.isabs(os.readlink(path)):
            shutil.copy(path, image.made_room(path), follow_symlinks=False)
        elif path.is_dir():
            image.inside(os.path.realpath(path)).mkdir(parents=True, exist_ok=True)
        elif path.exists():
            image.add(path)
    for name in LOADED_LATER:
        if (LIBRARIES / name).exists():
            image.add(LIBRARIES / name)
            image.add_libraries_of(LIBRARIES / name)
    for path, text in FILES.items():
        image.write(path, text)
    image.write("/agent.sh", agent)
    image.write("/etc/systemd/system/agent.service", AGENT_UNIT)
    for link, target in (("multi-user.target.wants/agent.service", "../agent.service"),
                         ("default.target", "/lib/systemd/system/multi-user.target")):
        place = image.inside(f"/etc/systemd/system/{link}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)
    for name in MASKED:
        (image.inside("/etc/systemd/system") / name).symlink_to("/dev/null")
    image.add_applets()
    image.inside("/init").symlink_to("/lib/systemd/systemd")
    return image
