#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast top: on a terminal, drawn and driven by keys, and as rows."""

import csv
import json
import os
import signal
import termios
import threading

import sysutil
from sysutil import BUILD, Daemon, Modbus
from terminal_case import Terminal

HOLDFAST = os.path.join(BUILD, "holdfast")
CONF = {
    "devices": {"plc1": {"holding_registers": [{"addr": 0, "count": 100}]}},
    "transports": {n: {"type": "tcp", "listen": "127.0.0.1:0", "units": {
        "1": "plc1", "7": "plc1"}} for n in ("busy", "calm", "other")},
}


class Load:
    """Requests without an end, one after the other."""

    def __init__(self, d, name, unit=1):
        self.over = threading.Event()
        self.client = Modbus(d.port(name), unit=unit)
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.001):
            self.client.read_hr(0, 10)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.client.close()


def test_rows_have_rates():
    """-n ROUNDS prints rates between two looks, in every format"""
    with Daemon(CONF) as d, Load(d, "busy", unit=7), Modbus(d.port("calm")):
        rows = [r.split("\t") for r in d.cli(
            "top", "-n", 2, "--interval", 0.3).stdout.splitlines()]
        assert [r[0] for r in rows] == ["busy", "calm", "other"] * 2, rows
        for i in (0, 3):
            assert float(rows[i][3]) > 20, rows[i]
            assert float(rows[i][6]) > 12 * 20, rows[i]
            assert 0 < float(rows[i][8]) < 1e5, rows[i]
            assert rows[i + 1][2:4] == ["1", "0.0"], rows[i + 1]
        got = list(csv.DictReader(d.cli(
            "-o", "csv", "top", "--interval", 0.2).stdout.splitlines()))
        assert float(got[0]["REQ/S"]) > 20 and got[0]["STATE"] == "up", got
        said = json.loads(d.cli("-o", "json", "top", "--interval",
                                0.2).stdout)
        assert said["transports"][0]["requests_s"] > 20, said
        client, = [c for c in said["clients"] if c["transport"] == "busy"]
        assert client["requests_s"] > 20 and client["peer"], client
        assert said["units"]["7"] > 20, said["units"]
        for wrong in (("-n", 0), ("-n", "x"), ("--interval", 0),
                      ("--interval", "nan")):
            assert d.cli("top", *wrong, ok=False).returncode == 64, wrong


def test_a_terminal_shows_it_live():
    """transports, clients and units; keys sort, scroll and end it, and the
    terminal is as it was"""
    with Daemon(CONF) as d, Load(d, "busy", unit=7), Load(d, "other"):
        with Terminal([HOLDFAST, "top", "--interval", "0.2"], d.env, 24,
                      110) as t:
            was = termios.tcgetattr(t.master)
            t.until("\x1b[?1049h")
            screen = t.until("q ends") + t.until("q ends")
            for word in ("holdfast ", "TRANSPORT", "busy", "calm", "other",
                         "REQ/Sv", "CLIENT", "127.0.0.1:", "  7 ", "  1 "):
                assert word in screen, (word, screen)
            assert termios.tcgetattr(t.master)[3] & termios.ICANON == 0
            t.type("\x1b[C")  # to the right
            t.until("EXC/Sv")
            t.type("r")
            t.until("EXC/S^")
            t.type("\x1b[D\x1b[D\x1b[D\x1b[D")
            t.until("TRANSPORT^")
            screen = t.until("q ends")
            assert screen.index("busy") < screen.index("calm"), screen
            t.type("r")
            t.until("TRANSPORTv")
            screen = t.until("CLIENT")
            assert screen.index("calm") < screen.index("busy"), screen
            t.type("\x1b[B")  # the first client goes
            t.until("q ends")
            t.until("CLIENT")
            assert t.until("q ends").count("127.0.0.1:") == 1
            # a narrow, low terminal: no line is wider, none is lost
            t.resize(8, 40)
            t.until("\x1b[H")
            screen = t.until("\x1b[H").replace("\x1b[K", "")
            lines = [x for x in screen.split("\r\n")]
            assert len(lines) == 8, lines
            for line in lines:
                assert len(strip(line)) <= 40, (line, strip(line))
            t.type("q")
            assert t.wait() == 0
            assert t.text.endswith("\x1b[?25h\x1b[?1049l"), t.text
            assert termios.tcgetattr(t.master)[3] == was[3]


def strip(line):
    """Without what colours it."""
    out, i = "", 0
    while i < len(line):
        if line[i] == "\x1b":
            while not line[i].isalpha():
                i += 1
        else:
            out += line[i]
        i += 1
    return out


def test_a_signal_ends_it_as_q_does():
    """and a control process that dies is waited for"""
    with Daemon(CONF) as d:
        for number in (signal.SIGINT, signal.SIGTERM):
            with Terminal([HOLDFAST, "top", "--interval", "0.1"],
                          d.env) as t:
                t.until("q ends")
                os.kill(t.process.pid, number)
                assert t.wait() == 0
                assert t.text.endswith("\x1b[?1049l"), t.text
        with Terminal([HOLDFAST, "-t", "0.5", "top", "--interval", "0.1"],
                      d.env) as t:
            t.until("q ends")
            pid = d.child("control")
            os.kill(pid, signal.SIGSTOP)
            t.until("does not answer")
            os.kill(pid, signal.SIGKILL)
            t.until("\x1b[H")
            while "does not answer" in t.until("q ends"):
                pass
            t.type("q")
            assert t.wait() == 0


if __name__ == "__main__":
    sysutil.run()
