# SPDX-License-Identifier: Apache-2.0
"""gdb, attached to a watched program, spoken to in its machine interface."""
import re
import subprocess

IGNORED_HITS = 1000000


class Debugger:
    def __init__(self, pid):
        self.process = subprocess.Popen(
            ["gdb", "-nx", "-q", "--interpreter=mi3", "-iex", "set debuginfod enabled off"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            bufsize=1)
        self.command("-gdb-set mi-async on")
        self.command("-gdb-set confirm off")
        self.command(f"-target-attach {pid}")

    def command(self, text):
        """Its result record; gdb must not refuse."""
        self.process.stdin.write(f"1{text}\n")
        result = self._read_until(r"1\^(\w+)")
        assert not result.startswith("1^error"), result
        return result

    def count_at(self, location):
        """A breakpoint that counts and lets the program go on; its number."""
        result = self.command(f"-break-insert -i {IGNORED_HITS} {location}")
        return int(re.search(r'number="(\d+)"', result)[1])

    def second_instruction(self, function):
        """Its address."""
        result = self.command(f"-data-disassemble -s {function} -e {function}+24 -- 0")
        return re.findall(r'address="(0x[0-9a-f]+)"', result)[1]

    def hits(self, number):
        result = self.command(f"-break-info {number}")
        return int(re.search(r'times="(\d+)"', result)[1])

    def go_on(self):
        self.command("-exec-continue --all")

    def stop(self):
        self.process.stdin.write("1-exec-interrupt --all\n")
        self._read_until(r"\*stopped")

    def detach(self):
        self.stop()
        self.command("-target-detach")

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.write("-gdb-exit\n")
        self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()

    def _read_until(self, pattern):
        said = []
        for line in self.process.stdout:
            said.append(line)
            if re.match(pattern, line):
                return line
        raise AssertionError(f"gdb has ended; it said: {''.join(said)}")
