#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections outlive their worker: kills under a load that counts every
request, carried out once, answered once, in order, on connections that do not
break. --kills=N (200)."""
import os
import subprocess
import sys

import bench_tools as bt
import sysutil
from sys_plugin import compiled
from sysutil import BUILD, ROOT, Daemon

KILLS = next((int(a.split("=")[1]) for a in sys.argv[1:]
              if a.startswith("--kills=")), 200)
CLIENTS = 8
INCREMENT = os.path.join(ROOT, "tests/plugins/increment.c")
# no pause before a restart
AT_ONCE = {"min_backoff_ms": 0, "max_backoff_ms": 0, "max_in_window": 0}


def conf(**more):
    return {
        "devices": {"plc1": {"holding_registers": [
            {"addr": 0, "count": 1000}]}},
        "transports": {"tcp1": {
            "type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"},
            "plugins": [compiled(INCREMENT)], "restart": AT_ONCE, **more}},
    }


def load(d, kills, clients, pause_us=3000):
    """Runs it; {what: number} of what it says in its last line, its clients'
    registers compared with the daemon's. The first is its seed."""
    ran = subprocess.run(
        [os.path.join(BUILD, "tests/torture_continuity"), "--port",
         str(d.port("tcp1")), "--parent", str(d.pid), "--name", "tcp1",
         "--kills", str(kills), "--clients", str(clients), "--pause-us",
         str(pause_us)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        timeout=120 + kills)
    _, *rows, last = ran.stdout.splitlines()
    for row in rows:
        _, base, count, said = row.split(" ", 3)
        there = d.rpc("registers.read", device="plc1", table="hr",
                      addr=int(base), count=2)["values"]
        assert said == "fine", (row, said)
        assert there == [int(count)] * 2, (row, there)
    assert ran.returncode == 0 and len(rows) == clients + 1, ran.stdout
    words = last.split()
    return {k: float(v) for k, v in zip(words[::2], words[1::2])}


def test_kills_under_load():
    """a worker killed again and again: each request is carried out once and
    answered once, and no connection breaks"""
    with Daemon(conf()) as d:
        with bt.Jitter() as jitter:
            found = load(d, KILLS, CLIENTS)
        print("    %(kills)d kills, %(replies)d requests answered on "
              "%(connections)d connections, %(halves)d of them half-closed" %
              found)
        print("    kill to reply, us: p50 %(p50)d p90 "
              "%(p90)d p99 %(p99)d max %(max)d" % found)
        print("    this machine's own lateness, ms: p99 %.1f max %.1f" % (
            jitter.ms(0.99), jitter.ms(1)))
        assert found["kills"] == KILLS, found
        sysutil.wait_for(lambda: d.rpc("transports.list")[0][
            "restarts"] == KILLS, what="as many restarts")
        stats = d.rpc("stats.get")["transports"]["tcp1"]
        sysutil.wait_for(lambda: d.rpc("stats.get")["transports"]["tcp1"][
            "conns_open"] == 0, what="no connection")
        # some come again by themselves; who comes just as the worker dies may
        # be counted by neither
        assert stats["conns_opened"] <= found["connections"]


test_kills_under_load.seconds = 120 + KILLS // 20


def test_how_soon():
    """the first kills of a worker, which nothing but its birth delays: the
    clients of a quiet server are answered within milliseconds"""
    took = []
    with bt.Jitter() as jitter:
        for _ in range(8):
            with Daemon(conf()) as d:
                # two of them have no pause, and no more
                found = load(d, 2, 0, 0)
                took += [found["p50"] / 1e3, found["max"] / 1e3]
    print("    %d kills, ms to the reply on a connection that was there: p50 "
          "%.2f p90 %.2f max %.2f" % (
              len(took), *(bt.percentile(took, p) for p in (0.5, 0.9, 1))))
    print("    this machine's own lateness, ms: p99 %.1f max %.1f" % (
        jitter.ms(0.99), jitter.ms(1)))
    # a sanitizer's own birth takes its time
    most = (50 if bt.sanitized() else 5) * bt.pace()
    assert bt.percentile(took, 0.5) < most + jitter.ms(0.99), took


if __name__ == "__main__":
    sysutil.run()
