# SPDX-License-Identifier: Apache-2.0
"""
Threads of a Python process, each with its own way to allocate: while it holds the interpreter's lock,
while it has dropped it, in an interpreter of its own, and in no Python at all.

Says that it is ready; at "go" runs them side by side and says when they are done; ends with its input.
"""
import ctypes
import json
import sqlite3
import sys
import threading

ROUNDS = 300
kept = []


def holds_the_lock():
    for _ in range(ROUNDS):
        kept.append(bytearray(5000))


def query(connection):
    # sqlite3 drops the lock for as long as the statement runs.
    return connection.execute("select a, count(*) from t group by a % 97, a % 89").fetchall()


def drops_the_lock():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table t (a integer, b text)")
    connection.executemany("insert into t values (?, ?)", [(i, "x" * 200) for i in range(2000)])
    for _ in range(20):
        query(connection)


def calls_back(argument):
    kept.append(bytearray(7000))
    return 0


def from_a_foreign_thread():
    """A thread that Python hasn't started runs Python code."""
    libc = ctypes.CDLL(None)
    function = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(calls_back)
    for _ in range(20):
        thread = ctypes.c_ulong()
        libc.pthread_create(ctypes.byref(thread), None, function, None)
        libc.pthread_join(thread, None)


SUB_SOURCE = """
import time

def inner():
    return bytearray(9000)

def outer():
    global kept
    kept = [inner() for _ in range(100)]

outer()
# What this text was compiled to is gone with the call, and can't be read then.
time.sleep(2)
"""


def in_an_interpreter_of_its_own():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    made = interpreters.create()
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    run(made, SUB_SOURCE)
    return made


def main():
    print(json.dumps({"ready": True}), flush=True)
    made = []
    for line in sys.stdin:
        if line != "go\n":
            break
        threads = [threading.Thread(target=target) for target in
                   (holds_the_lock, drops_the_lock, from_a_foreign_thread)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made.append(in_an_interpreter_of_its_own())
        print(json.dumps({"done": True}), flush=True)


main()
