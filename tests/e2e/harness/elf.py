# SPDX-License-Identifier: Apache-2.0
"""Changes to ELF files that the kernel and the loader, which go by segments alone, don't mind."""
import shutil
import struct

# In the header of a 64-bit file: where its section headers are, their size, count, and that of names.
SECTIONS_OFFSET, SECTIONS_SIZE = 40, 58


def without_sections(source, target):
    """A copy that says that it has no section headers."""
    shutil.copy(source, target)
    return _set_sections(target, 0, 0, 0)


def with_sections_outside(source, target):
    """A copy whose section headers lie where there is no file any more."""
    shutil.copy(source, target)
    return _set_sections(target, 1 << 40, 30, 29)


def _set_sections(file, offset, count, names):
    with open(file, "r+b") as elf:
        elf.seek(SECTIONS_OFFSET)
        elf.write(struct.pack("<Q", offset))
        elf.seek(SECTIONS_SIZE)
        elf.write(struct.pack("<HHH", 64, count, names))
    return file


CHANGES = {"without_sections": without_sections, "sections_outside": with_sections_outside}
