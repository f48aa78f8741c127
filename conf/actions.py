# SPDX-License-Identifier: Apache-2.0
"""Actions for conf/actions.json, as pymodbus's simulator takes them with
--custom_actions_module: a function for each, called as a client reads."""

import random
import struct


class Counter:
    """State stays for as long as the module is loaded."""

    def __init__(self):
        self.reads = 0

    def count(self, _registers, _inx, cell):
        self.reads = (self.reads + 1) % 65536
        cell.value = self.reads


def level(registers, inx, _cell, step=1):
    """A random walk; parameters come from the configuration."""
    value = registers[inx].value + random.randint(-step, step)
    registers[inx].value = min(1000, max(0, value))


def percent(registers, inx, _cell, of=0, full=100):
    """A float32 is two registers, the high word first; another cell is read."""
    words = struct.pack(">f", 100 * registers[of].value / full)
    registers[inx].value, registers[inx + 1].value = struct.unpack(">HH", words)


custom_actions_dict = {
    "count": Counter().count,
    "level": level,
    "percent": percent,
}
