# SPDX-License-Identifier: Apache-2.0
"""The distribution's memcached on a Unix socket, and a load on it."""
import socket
import subprocess
import tempfile
import threading

from harness.wait import eventually

CLIENTS = 4
VALUE_BYTES = 4000


class Memcached:
    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="memwatch-test-")
        self._socket = f"{self._directory.name}/memcached.sock"
        self.process = subprocess.Popen(["/usr/bin/memcached", "-u", "root", "-m", "256",
                                         "-s", self._socket], stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        eventually(self._answers, "memcached answers")

    def statistics(self, kind):
        with self._connect() as connection:
            connection.sendall(f"stats {kind}\r\n".encode())
            text = self._read_until(connection, b"END\r\n").decode()
        return {words[1]: words[2] for words in map(str.split, text.splitlines())
                if words[0] == "STAT"}

    def load(self, values_each):
        """Several clients at once set, read and check values, connecting anew every so often."""
        failures = []
        clients = [threading.Thread(target=self._load_from, args=(number, values_each, failures))
                   for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert not failures, failures

    def close(self):
        self.process.kill()
        self.process.wait()
        self._directory.cleanup()

    def _answers(self):
        try:
            self._connect().close()
        except OSError:
            return False
        return True

    def _connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(self._socket)
        return connection

    def _load_from(self, client, count, failures):
        try:
            for first in range(0, count, 100):
                with self._connect() as connection:
                    for number in range(first, min(first + 100, count)):
                        self._set_and_get(connection, f"{client}-{number}")
        except Exception as failure:
            failures.append(failure)

    def _set_and_get(self, connection, key):
        value = key.encode().ljust(VALUE_BYTES, b".")
        connection.sendall(b"".join((f"set {key} 0 0 {len(value)}\r\n".encode(), value,
                                     f"\r\nget {key}\r\n".encode())))
        answer = self._read_until(connection, b"END\r\n")
        assert answer.startswith(b"STORED\r\nVALUE") and value in answer, answer[:100]

    @staticmethod
    def _read_until(connection, end):
        answer = b""
        while not answer.endswith(end):
            part = connection.recv(65536)
            assert part, "memcached keeps the connection"
            answer += part
        return answer
