# SPDX-License-Identifier: Apache-2.0
"""What memwatchctl record writes, read by the words of docs/recording.md alone."""
import json


class Recording:
    def __init__(self, path):
        text = path.read_text() if path.exists() else ""
        # A line without its end is still being written.
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        self.start = lines[0] if lines else None
        self.processes = {line["process"]["id"]: line["process"] for line in lines
                          if "process" in line}
        self.samples = [line for line in lines if "values" in line]
        self.end = next((line["end"] for line in lines if "end" in line), None)

    def of(self, pid, key):
        """A number of one process, sample by sample; None where it is not known."""
        ids = {number for number, process in self.processes.items() if process["pid"] == pid}
        return [value.get(key) for sample in self.samples for value in sample["values"]
                if value["id"] in ids]

    def last(self, pid, key):
        numbers = self.of(pid, key)
        return numbers[-1] if numbers else None
