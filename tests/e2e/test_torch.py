# SPDX-License-Identifier: Apache-2.0
"""
A PyTorch training loop. Debian's python3-torch takes 700 MB, and isn't installed for this alone: where
it isn't there, these tests say that they didn't run.
"""
import subprocess

import pytest

from harness import paths
from harness.wait import eventually_passes

WHOLE_MIN = 0.99
STEPS = 300
# Of the graph, the activations of the hidden layer are the largest part.
KEPT_BYTES = 256 * 256 * 4
INPUT_BYTES = 256 * 64 * 4


@pytest.fixture
def train(run):
    done = subprocess.run([paths.PYTHON, "-c", "import torch"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("python3-torch isn't installed")
    return run(paths.PYTHON, paths.SCRIPTS / "train.py")


def test_nearly_all_stacks_are_whole(daemon, train):
    daemon.watch(train, "--interval", 4096)
    train.tell(f"mended {STEPS}")

    def check():
        answer = daemon.ctl("stacks", "--pid", train.pid, "--top", 1000)
        python = answer["python"]
        assert answer["stacks_to_root"] >= WHOLE_MIN * answer["stacks_taken"] > 100
        assert python["stacks_to_root"] >= WHOLE_MIN * python["stacks_taken"] > 100

    eventually_passes(check)


def held_by_line(daemon, pid):
    answer = daemon.ctl("lines", "--pid", pid, "--for", 0, "--file", paths.SCRIPTS / "train.py")
    return {line["function"]: line["cumulative"]["outstanding_bytes"]
            for line in answer["lines"]}


def test_losses_that_are_kept_with_their_graph_are_found(daemon, train):
    daemon.watch(train, "--exact", "--force")
    train.tell(f"mended {STEPS}")
    mended = held_by_line(daemon, train.pid)["step"]
    train.tell(f"kept {STEPS}")
    held = held_by_line(daemon, train.pid)
    # The inputs, which the graph holds as well, are made elsewhere.
    assert held["forward"] >= STEPS * KEPT_BYTES
    assert held["train_and_keep"] >= held["forward"] + STEPS * INPUT_BYTES
    assert mended < 0.1 * held["train_and_keep"]
