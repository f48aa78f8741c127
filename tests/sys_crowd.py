#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two hundred connections with requests in hand while the daemon is reloaded,
restarted, upgraded, or its supervisor is killed, again and again: no connection
ends, no request fails, none is carried out twice.

    sys_crowd.py [WORD...] [--rounds=N]	(4; make torture takes 100)
"""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from crowd import RING, Crowd  # noqa: E402
from sys_adopt import next_one, upgrade, worker  # noqa: E402
from sys_guard import calm, supervisor  # noqa: E402
from sys_reload import edit, key  # noqa: E402
from sysutil import Daemon, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 4)
CROWD = 200
# at once, for ever: the pace of the killing is the test's own
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}


def conf():
    return {
        "devices": {"plc1": {"holding_registers": [
            {"addr": 0, "count": CROWD * RING}]}},
        "transports": {"tcp1": {
            "type": "tcp", "listen": "127.0.0.1:0", "restart": AT_ONCE,
            "max_connections": CROWD + 100, "units": {"*": "plc1"}}}}


def plc1(d):
    return d.rpc("stats.get")["devices"]["plc1"]


def under_a_crowd(disturb, **more):
    """disturb(daemon, n), ROUNDS times, each beside answers to everybody."""
    with Daemon(conf(), **more) as d:
        crowd = Crowd(d.port("tcp1"), CROWD)
        try:
            crowd.go_on()
            for n in range(ROUNDS):
                disturb(d, n)
                crowd.go_on()
        finally:
            why = crowd.over()
        assert why is None, why
        done = sum(crowd.answered)
        print("    %d times beside %d requests of %d connections" % (
            ROUNDS, done, CROWD))
        stats = plc1(d)
        # who is killed while he writes leaves a number that nothing has
        assert 0 <= stats["commits"] - done <= stats["repairs"], (stats, done)
        assert "worker died" not in d.stderr_text()
        d.stop()


def test_reloads():
    """a changed key of the transport each time, which gives it a new worker"""
    workers = set()

    def disturb(d, n):
        workers.add(worker(d))
        edit(d, key("idle_timeout_s", 1000 + n))
        said = d.rpc("system.reload")
        assert said["restarted"] == ["transport tcp1"], said
        wait_for(lambda: worker(d) not in {None, *workers}, what="a worker")

    under_a_crowd(disturb)


def test_restarts():
    """a new worker by order"""
    def disturb(d, _):
        pid = worker(d)
        d.rpc("transports.restart", name="tcp1")
        assert worker(d) not in (None, pid)

    under_a_crowd(disturb)


def test_upgrades():
    """the program becomes itself anew, and makes new workers"""
    workers = set()

    def disturb(d, _):
        workers.add(worker(d))
        upgrade(d)
        wait_for(lambda: worker(d) not in {None, *workers}, what="a worker")

    under_a_crowd(disturb)


def test_supervisors_killed():
    """kill -9, and some while later the next one, which takes over"""
    def disturb(d, _):
        pid = worker(d)
        d.orphan()
        next_one(d)
        assert worker(d) == pid

    under_a_crowd(disturb)


def test_supervisors_killed_under_a_guard():
    """kill -9, and the guard starts the next one"""
    def disturb(d, _):
        # who dies at once is followed later and later
        calm(d, time.monotonic())
        pid, old = worker(d), supervisor(d)
        os.unlink(d.ready_path)
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: os.path.exists(d.ready_path), 60, "the next one")
        if d._rpc:
            d._rpc.close()
            d._rpc = None
        assert supervisor(d) not in (None, old)
        assert worker(d) == pid

    under_a_crowd(disturb, args=["--guard"])


def test_workers_killed():
    """kill -9 of the worker: its successor answers what was asked"""
    def disturb(d, _):
        pid = worker(d)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: worker(d) not in (None, pid), what="a successor")

    under_a_crowd(disturb)


for _test in list(vars().values()):
    if getattr(_test, "__name__", "").startswith("test_"):
        _test.seconds = 60 + 3 * ROUNDS


if __name__ == "__main__":
    sysutil.run()
