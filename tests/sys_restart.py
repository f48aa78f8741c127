#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Planned restarts: a transport gets new workers, and its clients keep their
connections.

    sys_restart.py [WORD...] [--rounds=N]	(10; make torture takes 100)
"""
import os
import struct
import sys
import threading

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import Daemon, Modbus, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 10)
IDLE = 192  # connections that ask nothing until the end
BUSY = 8


def conf(**keys):
    return {
        "devices": {"plc1": {
            "holding_registers": [{"addr": 0, "count": 1000}]}},
        "transports": {"tcp1": {
            "type": "tcp", "listen": "127.0.0.1:0", "max_connections": 400,
            "units": {"*": "plc1"}, **keys}},
    }


class Writer(threading.Thread):
    """Writes a token and reads it back in one request, several requests at a
    time. Each is a commit of the device: one that was carried out twice is
    one too many."""

    DEPTH = 4

    def __init__(self, port, addr):
        super().__init__()
        self.m, self.addr = Modbus(port), addr
        self.token, self.error, self.done = 0, None, False
        self.requests = 0
        self.start()

    def write(self, value):
        return struct.pack(">BHHHHBH", 23, self.addr, 1, self.addr, 1, 2,
                           value)

    def burst(self):
        sent = [(self.token + 1 + i) & 0xffff for i in range(self.DEPTH)]
        self.m.send(b"".join(self.m.adu(self.write(v)) for v in sent))
        for value in sent:
            _, _, pdu = self.m.receive()
            assert pdu == struct.pack(">BBH", 23, 2, value), (pdu, value)
            self.requests += 1
        self.token = sent[-1]

    def run(self):
        try:
            while not self.done:
                self.burst()
        except Exception as e:  # what it was, the test says
            self.error = e

    def over(self):
        self.done = True
        self.join()
        self.m.close()
        return self.error


def commits(d):
    return d.rpc("stats.get")["devices"]["plc1"]["commits"]


def ids(d):
    return sorted((c["id"], c["since"]) for c in d.rpc("connections.list"))


def test_no_client_notices():
    """again and again, under two hundred connections: none breaks, no request
    fails, and they stay the same in the list"""
    with Daemon(conf()) as d:
        port = d.port("tcp1")
        idle = [Modbus(port) for _ in range(IDLE)]
        for m in idle:
            m.read_hr(0, 1)
        busy = [Writer(port, i) for i in range(BUSY)]
        pids = set()
        try:
            before = ids(d)
            for _ in range(ROUNDS):
                tokens = [b.token for b in busy]
                d.rpc("transports.restart", name="tcp1")
                pids.add(d.worker_pid("tcp1"))
                wait_for(lambda: all(b.token != t or b.error
                                     for b, t in zip(busy, tokens)))
            after = ids(d)
        finally:
            errors = [b.over() for b in busy]
        assert errors == [None] * BUSY, errors
        assert len(pids) == ROUNDS and before == after
        assert commits(d) == sum(b.requests for b in busy)
        for m in idle:
            m.read_hr(0, 1)
            m.close()
        assert "worker died" not in d.stderr_text()
        d.stop()


test_no_client_notices.seconds = 60 + ROUNDS


def test_several_workers():
    """each of several workers gives way by itself"""
    with Daemon(conf(workers=3)) as d:
        port = d.port("tcp1")
        busy = [Writer(port, i) for i in range(BUSY)]
        try:
            for _ in range(3):
                d.rpc("transports.restart", name="tcp1")
        finally:
            errors = [b.over() for b in busy]
        assert errors == [None] * BUSY, errors
        assert commits(d) == sum(b.requests for b in busy)
        d.stop()


def test_half_a_request():
    """what has come of a request is not lost, and what follows completes it"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        adu = m.adu(struct.pack(">BHH", 6, 5, 4711))
        m.send(adu[:9])
        wait_for(lambda: d.rpc("stats.get")["transports"]["tcp1"]["bytes_in"]
                 == 9)
        d.rpc("transports.restart", name="tcp1")
        m.send(adu[9:])
        assert m.receive()[2] == struct.pack(">BHH", 6, 5, 4711)
        assert m.read_hr(5, 1) == [4711]


def test_a_reply_that_is_put_off():
    """a reply that a fault rule has put off leaves before the worker does"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("faults.add", transport="tcp1", delay_ms=60000, count=1)
        m.send(m.adu(struct.pack(">BHH", 3, 0, 1)))
        wait_for(lambda: sum(d.rpc("stats.get")["transports"]["tcp1"]
                             ["requests"].values()) == 1)
        d.rpc("transports.restart", name="tcp1")
        assert m.receive()[2] == b"\x03\x02\0\0"
        assert m.read_hr(0, 1) == [0]


def test_with_a_time_to_drain_connections_end():
    """drain_s asks for the end of what is there"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(0, 1)
        d.rpc("transports.restart", name="tcp1", drain_s=1)
        try:
            m.read_hr(0, 1)
            raise AssertionError("it is still there")
        except (ConnectionError, EOFError):
            pass


def test_sockets_that_are_full():
    """replies that a client does not read yet wait for the next worker"""
    with Daemon(conf()) as d:
        with Modbus(d.port("tcp1")) as m:
            m.socket.setblocking(False)
            ask, n = m.adu(struct.pack(">BHH", 3, 0, 125)), 0
            try:
                while n < 200000:
                    n += m.socket.send(ask * 100)
            except BlockingIOError:
                pass
            m.socket.setblocking(True)
            m.socket.settimeout(100)
            for _ in range(3):
                d.rpc("transports.restart", name="tcp1")
            m.send(ask[n % len(ask):] if n % len(ask) else b"")
            whole = (n + len(ask) - 1) // len(ask)
            for _ in range(whole):
                assert len(m.receive()[2]) == 252
            assert m.read_hr(0, 1) == [0]
        d.stop()


if __name__ == "__main__":
    sysutil.run()
