#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pandas: a file as a whole or in chunks, features row by row or by column, and categories."""
import numpy as np
import pandas as pd

import lesson

ROWS_WALKED = 4_000
POWERS = range(1, 81)
ROWS_PER_CHUNK = 4_000
PLACES = 200_000


def whole_csv(hold):
    orders = pd.read_csv("orders.csv")  # holds: whole_csv
    hold(orders)
    return orders["price"].sum()


def csv_in_chunks(hold):
    total = 0.0
    for chunk in pd.read_csv("orders.csv", chunksize=ROWS_PER_CHUNK):  # holds: csv_in_chunks
        total += chunk["price"].sum()
    hold(chunk)
    return total


def features_by_row(hold):
    orders = pd.read_csv("orders.csv", nrows=ROWS_WALKED, usecols=["price", "count"])
    features = []
    for _, order in orders.iterrows():
        price = order["price"]
        features.append([price * power for power in POWERS])  # holds: features_by_row
    hold(orders, features, line=features)


def features_by_column(hold):
    orders = pd.read_csv("orders.csv", nrows=ROWS_WALKED, usecols=["price", "count"])
    features = np.outer(orders["price"].to_numpy(), POWERS)  # holds: features_by_column
    hold(orders, features, line=features)


def place_names():
    for number in range(PLACES):
        yield f"district {number % lesson.CITIES} of the city"


def column_of_strings(hold):
    places = pd.Series(list(place_names()))  # holds: column_of_strings
    hold(places)


def column_of_categories(hold):
    places = pd.Series(list(place_names()), dtype="category")  # holds: column_of_categories
    hold(places)


CASES = {function.__name__: function
         for function in (whole_csv, csv_in_chunks, features_by_row, features_by_column,
                          column_of_strings, column_of_categories)}
PREPARE = lesson.write_orders

if __name__ == "__main__":
    lesson.serve(CASES, PREPARE)
