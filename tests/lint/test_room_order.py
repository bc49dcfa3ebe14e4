# SPDX-License-Identifier: Apache-2.0
"""The check of the order of rooms finds what it is there to find."""
import pathlib
import subprocess
import sys

import pytest

import room_order

ROOT = pathlib.Path(__file__).resolve().parents[2]

CLEAN = {
    "bpf/record.h": "",
    "bpf/stack.h": '#include "record.h"\n',
    "bpf/alloc.bpf.c": '#include "stack.h"\n',
    "daemon/log.h": "",
    "daemon/config.h": "",
    "daemon/main.c": '#include "config.h"\n#include "serve/serve.h"\n#include "log.h"\n',
    "daemon/probe/attach.h": '#include "record.h"\n',
    "daemon/probe/attach.c": '#include "probe/attach.h"\n#include "memwatch.skel.h"\n',
    "daemon/probe/plan.h": "",
    "daemon/symbol/module.h": "",
    "daemon/python/code.h": "",
    "daemon/python/code.c": '#include "symbol/module.h"\n',
    "daemon/account/site.c": '#include "symbol/module.h"\n#include "log.h"\n#include <stdio.h>\n',
    "daemon/view/view.h": "",
    "daemon/serve/serve.h": '#include "view/view.h"\n',
    "cli/client.h": "",
    "cli/main.c": '#include "client.h"\n',
    "cli/allocators.c": '#include "probe/plan.h"\n',
}


def tree(directory, extra):
    for name, text in {**CLEAN, **extra}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def test_a_tree_in_order_passes(tmp_path):
    assert room_order.violations(tree(tmp_path, {})) == []


@pytest.mark.parametrize("path, include", [
    ("daemon/view/leaks.c", "serve/serve.h"),        # to the right
    ("daemon/probe/x.c", "symbol/module.h"),         # a peer
    ("daemon/symbol/x.c", "probe/attach.h"),         # a peer, the other way round
    ("daemon/symbol/x.c", "python/code.h"),          # to the right, if only by one
    ("daemon/serve/x.c", "config.h"),                # rooms are given values
    ("daemon/serve/x.c", "../config.h"),             # by whatever path
    ("daemon/log.c", "view/view.h"),                 # what all use depends on none
    ("daemon/account/x.c", "bpf/stack.h"),           # no file of ours by that name
    ("daemon/account/x.c", "stack.h"),               # of the BPF side, record.h alone
    ("daemon/account/x.c", "memwatch.skel.h"),       # the skeleton is probe's
    ("bpf/fault.bpf.c", "../daemon/view/view.h"),
    ("cli/leaks.c", "view/view.h"),
    ("cli/leaks.c", "record.h"),
    ("cli/leaks.c", "probe/plan.h"),                 # for cli/allocators.c alone
    ("cli/allocators.c", "probe/attach.h"),          # and no more than that
    ("daemon/view/leaks.c", "../../cli/client.h"),
    ("daemon/probe/x.h", "missing.h"),
])
def test_an_include_out_of_order_is_found(tmp_path, path, include):
    found = room_order.violations(tree(tmp_path, {path: f'#include "{include}"\n'}))
    assert len(found) == 1
    assert path in found[0]


def test_a_folder_that_is_no_room_is_found(tmp_path):
    found = room_order.violations(tree(tmp_path, {"daemon/util/x.c": ""}))
    assert found == ["daemon/util/x.c: util/ is no room; add it to the order"]


def test_the_command_exits_1_and_names_the_file(tmp_path):
    tree(tmp_path, {"daemon/view/leaks.c": '#include "serve/serve.h"\n'})
    command = [sys.executable, str(ROOT / "tests/lint/room_order.py"), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "daemon/view/leaks.c: view must not depend on daemon/serve/serve.h" in result.stderr
