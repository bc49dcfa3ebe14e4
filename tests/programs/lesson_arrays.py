#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""NumPy: what the type of an array costs, what a view keeps, and what works in place."""
import numpy as np

import lesson

COUNT = 4 << 20


def as_float64(hold):
    values = np.ones(COUNT, dtype=np.float64)  # holds: as_float64
    hold(values)


def as_float32(hold):
    values = np.ones(COUNT, dtype=np.float32)  # holds: as_float32
    hold(values)


def as_int8(hold):
    values = np.ones(COUNT, dtype=np.int8)  # holds: as_int8
    hold(values)


def small_view(hold):
    values = np.arange(COUNT, dtype=np.float64)  # holds: small_view
    window = values[:100]
    del values
    hold(window)


def small_copy(hold):
    values = np.arange(COUNT, dtype=np.float64)
    window = values[:100].copy()  # holds: small_copy
    del values
    hold(window)


def new_array(hold):
    values = np.arange(COUNT, dtype=np.int32)
    scaled = values * 2.0  # holds: new_array
    hold(values, scaled, line=scaled)


def in_place(hold):
    values = np.arange(COUNT, dtype=np.int32)  # holds: in_place
    values *= 2
    hold(values)


CASES = {function.__name__: function
         for function in (as_float64, as_float32, as_int8, small_view, small_copy, new_array,
                          in_place)}
PREPARE = None

if __name__ == "__main__":
    lesson.serve(CASES, PREPARE)
