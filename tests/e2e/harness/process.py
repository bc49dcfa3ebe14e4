# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a process, read without memwatch."""
import os
import pathlib


def state(pid):
    """The letter of /proc/PID/stat, None when there is no such process."""
    fields = _stat_fields(pid)
    return fields[0] if fields else None


def minor_faults(pid):
    return int(_stat_fields(pid)[7])


def major_faults(pid):
    return int(_stat_fields(pid)[9])


def rss_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kibibytes) * 1024


def is_kernel_thread(pid):
    flag_kernel_thread = 0x00200000
    fields = _stat_fields(pid)
    return fields is not None and int(fields[6]) & flag_kernel_thread != 0


def is_open_to_us(pid):
    try:
        os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False
    return True


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def pids_with_environment(entry):
    """Processes that were started with this VARIABLE=value."""
    found = []
    for pid in all_pids():
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if entry.encode() in environment.split(b"\0"):
            found.append(pid)
    return found


def changed_text_offsets(pid, name):
    """File offsets at which the executable pages of a mapped file differ from the file."""
    changed = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, offset, path in executable_mappings(pid):
            if name not in os.path.basename(path):
                continue
            with open(path, "rb") as file:
                file.seek(offset)
                wanted = file.read(end - start)
            memory.seek(start)
            found = memory.read(len(wanted))
            if found != wanted:
                changed += [offset + i for i, pair in enumerate(zip(found, wanted))
                            if pair[0] != pair[1]]
    return changed


def mapped_path(pid, start):
    """The file in the process's memory whose name begins so."""
    for line in maps(pid).splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and os.path.basename(fields[5]).startswith(start):
            return pathlib.Path(fields[5])
    raise AssertionError(f"process {pid} maps no {start}")


def maps(pid):
    return pathlib.Path(f"/proc/{pid}/maps").read_text()


def executable_mappings(pid):
    """Of files, as they are mapped now: start, end, file offset, path."""
    for line in maps(pid).splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            start, end = (int(word, 16) for word in fields[0].split("-"))
            yield start, end, int(fields[2], 16), fields[5]


def _stat_fields(pid):
    """The fields after the name, which is in parentheses; [0] is the state."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
