#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that take part in a live daemon's store: many attach, write and are
killed at random, and its Modbus clients notice nothing.

    sys_attach.py [WORD...] [--seconds=N] [--writers=N]    (4 s, 200)
"""
import os
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import (  # noqa: E402
    BUILD, Daemon, Modbus, ModbusError, demo_conf, whole)


def option(name, default):
    return next((a.split("=")[1] for a in sys.argv[1:]
                 if a.startswith("--%s=" % name)), default)


SECONDS = option("seconds", "4")
WRITERS = option("writers", "200")
KILLS = "60"  # at least, however long that takes
THEIRS, OURS = 100, 200  # registers 0..99 are the torture's


class Client(threading.Thread):
    """Reads what the programs write, and writes registers of its own."""

    def __init__(self, port, at):
        super().__init__()
        self.port, self.at = port, at
        self.rounds, self.slowest, self.why = 0, 0.0, None
        self.busy = 0
        self.enough = threading.Event()

    def run(self):
        try:
            with Modbus(self.port) as m:
                while not self.enough.is_set():
                    self.turn(m)
        except Exception as e:  # told by the main thread
            self.why = repr(e)

    def write(self, m, value):
        """Where 200 programs have to share a processor with others, one that
        owns the device may wait for it so long that the answer is 06: then
        what it says is done, ask again."""
        end = time.monotonic() + 10
        while True:
            try:
                m.write_hr(self.at, [value] * 20)
                return
            except ModbusError as e:
                if e.code != 6 or time.monotonic() > end:
                    raise
                self.busy += 1

    def turn(self, m):
        value = self.rounds & 0xffff
        began = time.monotonic()
        whole(m.read_hr(0, THEIRS))
        self.write(m, value)
        assert whole(m.read_hr(self.at, 20)) == value
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.rounds += 1


def state(d):
    t = d.rpc("transports.list")[0]
    return t["state"], t["pid"], t["restarts"]


def test_programs_that_are_killed_while_they_write_disturb_nobody():
    """200 programs attach, write and are killed at random: no read is torn,
    no writer is stuck, all slots are there again, and no client notices"""
    conf = demo_conf()
    conf["transports"]["tcp1"]["workers"] = 2
    with Daemon(conf) as d:
        before = state(d)
        clients = [Client(d.port("tcp1"), OURS + 50 * i) for i in range(3)]
        for c in clients:
            c.start()
        done = subprocess.run(
            [os.path.join(BUILD, "tests", "torture_attach"), d.store, "plc1",
             "--seconds", SECONDS, "--writers", WRITERS, "--kills", KILLS],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for c in clients:
            c.enough.set()
            c.join()
        said = " ".join(done.stdout.split())[-400:]
        print("    %s; clients: %s" % (said, ", ".join(
            "%d, slowest %.0f ms, %d busy" % (
                c.rounds, c.slowest * 1000, c.busy)
            for c in clients)))
        assert done.returncode == 0, said
        for c in clients:
            assert c.why is None, c.why
            assert c.rounds > 0
        assert state(d) == before, state(d)
        kills = int(re.search(r"kills (\d+)", said).group(1))
        assert kills >= int(KILLS), said


test_programs_that_are_killed_while_they_write_disturb_nobody.seconds = \
    60 + 2 * int(SECONDS)

if __name__ == "__main__":
    sysutil.run()
