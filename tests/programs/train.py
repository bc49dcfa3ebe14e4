#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small PyTorch training loop, and the classic leak: losses are kept with the graph that made them.

Says that it is ready; obeys "kept STEPS" (with the leak) and "mended STEPS" (losses are kept as
numbers) by training for as many steps, and prints how many losses it keeps; ends with its input."""
import json
import sys

import torch

FEATURES = 64
BATCH = 256


class Trainer:
    def __init__(self):
        torch.manual_seed(1)
        torch.set_num_threads(1)
        self.model = torch.nn.Sequential(torch.nn.Linear(FEATURES, 256), torch.nn.ReLU(),
                                         torch.nn.Linear(256, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.losses = []

    def forward(self, inputs, wanted):
        return torch.nn.functional.mse_loss(self.model(inputs), wanted)

    def step(self):
        inputs = torch.randn(BATCH, FEATURES)
        loss = self.forward(inputs, inputs.sum(dim=1, keepdim=True))
        self.optimizer.zero_grad()
        loss.backward(retain_graph=True)
        self.optimizer.step()
        return loss

    def train_and_keep(self, steps):
        for _ in range(steps):
            self.losses.append(self.step())

    def train_mended(self, steps):
        for _ in range(steps):
            self.losses.append(self.step().item())


def main():
    trainer = Trainer()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        way, steps = line.split()
        {"kept": trainer.train_and_keep, "mended": trainer.train_mended}[way](int(steps))
        print(json.dumps({"losses": len(trainer.losses)}), flush=True)


main()
