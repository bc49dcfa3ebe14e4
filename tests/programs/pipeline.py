#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a data scientist's afternoon does to an allocator: reads a CSV of 400,000 rows, walks over
40,000 of them, groups, joins, and computes on arrays of up to 183 MiB.

Writes the CSV to a temporary directory, prints a line, and runs the pipeline upon each line "run"
from standard input, printing how long it took."""
import json
import os
import sys
import tempfile
import time

import numpy as np
import pandas as pd

ROWS = 400_000
ROWS_WALKED = 40_000
FEATURES = 60


def write_csv(path):
    random = np.random.default_rng(1)
    pd.DataFrame({
        "customer": random.integers(0, 5_000, ROWS),
        "city": random.choice(["Berlin", "Lagos", "Lima", "Osaka", "Pune"], ROWS),
        "price": random.random(ROWS).round(4),
        "count": random.integers(1, 20, ROWS),
    }).to_csv(path, index=False)


def walk(orders):
    total = 0.0
    for _, order in orders.iloc[:ROWS_WALKED].iterrows():
        total += order["price"] * order["count"]
    return total


def group(orders):
    orders = orders.assign(revenue=orders["price"] * orders["count"])
    by_customer = orders.groupby("customer")["revenue"].sum().rename("total")
    joined = orders.join(by_customer, on="customer")
    return joined.pivot_table(index="customer", columns="city", values="total")


def fit(orders):
    """400,000 x 60 doubles: 183 MiB."""
    features = np.empty((ROWS, FEATURES))
    features[:] = orders["price"].to_numpy()[:, None]
    features *= np.arange(1, FEATURES + 1)
    features -= features.mean(axis=0)
    return np.linalg.norm(features.T @ features)


def run(path):
    start = time.perf_counter()
    orders = pd.read_csv(path)
    walk(orders)
    group(orders)
    fit(orders)
    return time.perf_counter() - start


def main():
    with tempfile.TemporaryDirectory(prefix="memwatch-pipeline-") as directory:
        csv = os.path.join(directory, "orders.csv")
        write_csv(csv)
        print(json.dumps({"pid": os.getpid(), "csv_bytes": os.path.getsize(csv)}), flush=True)
        for line in sys.stdin:
            if line.strip() != "run":
                break
            print(json.dumps({"seconds": run(csv)}), flush=True)


if __name__ == "__main__":
    main()
