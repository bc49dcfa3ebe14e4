#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small machine learning pipeline, as it was first written and after the lesson."""
import numpy as np
import pandas as pd

import lesson

FEATURES = 20
ROWS_PER_CHUNK = 8_000


def make_features(price, count, dtype):
    powers = np.arange(FEATURES, dtype=dtype) / FEATURES
    features = np.empty((len(price), FEATURES), dtype=dtype)  # holds: make_features
    np.power(price[:, None], powers, out=features)
    features *= count[:, None]
    return features


def before(hold):
    orders = pd.read_csv("orders.csv")  # holds: before_orders
    city = orders["city"].map(str.upper)
    features = make_features(orders["price"].to_numpy(), orders["count"].to_numpy(), np.float64)
    expanded = np.hstack([features, np.log1p(features), np.sqrt(features)])  # holds: before
    hold(orders, city, features, expanded, line=expanded)
    return np.linalg.norm(expanded.T @ expanded)


def after(hold):
    chunks = pd.read_csv("orders.csv", usecols=["price", "count", "city"], chunksize=ROWS_PER_CHUNK,
                         dtype={"price": np.float32, "count": np.int8, "city": "category"})
    products = np.zeros((3 * FEATURES, 3 * FEATURES))
    expanded = np.empty((ROWS_PER_CHUNK, 3 * FEATURES), dtype=np.float32)  # holds: after
    for chunk in chunks:
        features = make_features(chunk["price"].to_numpy(), chunk["count"].to_numpy(), np.float32)
        part = expanded[:len(features)]
        part[:, :FEATURES] = features
        np.log1p(features, out=part[:, FEATURES:2 * FEATURES])
        np.sqrt(features, out=part[:, 2 * FEATURES:])
        products += part.T @ part
    hold(chunk, features, expanded, products, line=expanded)
    return np.sqrt(np.trace(products @ products))


CASES = {"before": before, "after": after}
PREPARE = lesson.write_orders

if __name__ == "__main__":
    lesson.serve(CASES, PREPARE)
