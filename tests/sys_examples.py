#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples in conf/examples do what they say, built and run as their first
lines say, beside a daemon and real clients."""

import contextlib
import os
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import peers
import sysutil
from sysutil import BUILD, ROOT, Daemon, Modbus, demo_conf, shm_objects, \
    wait_for

EXAMPLES = os.path.join(BUILD, "examples")
SOURCES = os.path.join(ROOT, "conf/examples")
FLOAT = {"addr": 1100, "type": "float32", "order": "abcd", "value": 50}


class Example:
    """A running example: a program, or a script for Python."""

    def __init__(self, name, *args, **env):
        if name.endswith(".py"):
            argv = [sys.executable, "-u", os.path.join(SOURCES, name), *args]
            env["PYTHONPATH"] = BUILD
        else:
            argv = [os.path.join(EXAMPLES, name), *args]
        self.proc = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, **env))

    def line(self, timeout=100):
        """What it prints next."""
        ready, _, _ = select.select([self.proc.stdout], [], [], timeout)
        assert ready, "nothing was printed"
        return self.proc.stdout.readline().rstrip("\n")

    def until(self, pattern, timeout=100):
        end = time.monotonic() + timeout
        while True:
            line = self.line(max(0.1, end - time.monotonic()))
            match = re.search(pattern, line)
            if match:
                return match
            assert line or self.proc.poll() is None, self.proc.stderr.read()

    def end(self, number=signal.SIGINT):
        """Asks it to end; its exit code and what it has said of errors."""
        self.proc.send_signal(number)
        _, err = self.proc.communicate(timeout=200)
        return self.proc.returncode, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.communicate()


def daemon():
    conf = demo_conf()
    conf["devices"]["plc1"]["holding_registers"].append(FLOAT)
    return Daemon(conf)


def tree_of(store):
    """The pids of the processes that have a store's segments mapped."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/maps") as f:
                if f"holdfast-{store}." in f.read():
                    found.append(int(pid))
    return found


def serving(example):
    """Where an example that serves does it, and its store's name."""
    port = int(example.until(r"serving on \S+:(\d+)").group(1))
    with open(f"/proc/{example.proc.pid}/maps") as f:
        store = re.search(r"holdfast-(\S+?)\.control", f.read()).group(1)
    return port, store


def comm(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def over_rtu(line, pdu):
    """What unit 1 replies on a serial line."""
    adu = b"\1" + pdu
    line.send(adu + peers.crc16(adu))
    reply = b""
    while len(reply) < 4 or peers.crc16(reply[:-2]) != reply[-2:]:
        more = line.recv(5)
        assert more, reply
        reply += more
    return reply[1:-2]


def test_embed_serves_tcp_and_a_serial_line():
    """embed.c serves over TCP and a serial line; a killed worker comes back,
    and ^C leaves nothing"""
    with peers.Line() as line:
        with Example("embed", "127.0.0.1:0", line.path) as e:
            port, store = serving(e)
            with Modbus(port) as m:
                assert m.read_hr(1, 3) == [17, 23, 42]
                m.write_coil(3, True)
                assert m.read_co(3, 1) == [1]
            assert over_rtu(line, struct.pack(">BHH", 3, 1, 3))[2:] == \
                struct.pack(">HHH", 17, 23, 42)
            before = set(tree_of(store)) - {e.proc.pid}
            workers = [p for p in before if comm(p) == "hf:tcp"]
            assert workers, [comm(p) for p in before]
            for pid in workers:
                os.kill(pid, signal.SIGKILL)

            wait_for(lambda: answers(port), what="the worker to be back")
            with Modbus(port) as m:
                assert m.read_co(3, 1) == [1]
                first = m.read_hr(0)[0]
                wait_for(lambda: m.read_hr(0)[0] > first, what="a second")
            assert e.end() == (0, "")
            wait_for(lambda: not tree_of(store), what="its processes to end")
            assert shm_objects(store) == []


def test_producer_and_its_readers():
    """producer.c writes ten thousand values a second, and a client that reads
    meanwhile never sees half of one"""
    with daemon() as d, Modbus(d.port("tcp1")) as m:
        seen = set()
        with Example("producer", d.store, "plc1", "1100", "2") as p:
            begin = time.monotonic()
            while p.proc.poll() is None:
                words = m.read_hr(1100, 2)
                value, = struct.unpack(">f", struct.pack(">HH", *words))
                assert 9.999 < value < 90.001, (words, value)
                seen.add(value)
            took = time.monotonic() - begin
            assert p.line() == "20000 values written"
        assert took < 200, took
        assert len(seen) > 10, len(seen)


def test_producer_is_killed():
    """a producer that is killed leaves its last value, and nobody waits"""
    with daemon() as d, Modbus(d.port("tcp1")) as m:
        before = m.read_hr(1100, 2)
        with Example("producer", d.store, "plc1", "1100") as p:
            wait_for(lambda: m.read_hr(1100, 2) != before, what="a value")
            p.end(signal.SIGKILL)
        last = m.read_hr(1100, 2)
        m.write_hr(0, [7])
        assert m.read_hr(1100, 2) == last
        assert m.read_hr(0) == [7]


def test_consumers_in_c_and_python():
    """consumer.c and consumer.py tell of each change: what was, what is, who"""
    with daemon() as d, Modbus(d.port("tcp1")) as m:
        was = m.read_hr(0)[0]
        with Example("consumer", d.store, "plc1") as c, Example(
                "consumer.py", HOLDFAST_CONTROL=d.endpoint) as py:
            c.until("watching " + d.store)
            py.until("watching")
            # ZeroMQ tells nobody when a subscription is in force
            stop = threading.Event()

            def write():
                value = was
                while not stop.is_set():
                    value = (value + 1) % 1000
                    m.write_hr(0, [value])
                    stop.wait(0.05)
            writer = threading.Thread(target=write)
            writer.start()
            try:
                got = c.until(r"plc1/hr:0 was=(\d+) is=(\d+) who=tcp1$")
                assert (int(got[1]) + 1) % 1000 == int(got[2])
                py.until(r"plc1/\w+:0 was=\[\d+\] is=\[\d+\] who=tcp1$")
            finally:
                stop.set()
                writer.join()


def test_controller():
    """controller.py switches the pump as the level asks for"""
    with daemon() as d, Modbus(d.port("tcp1")) as m:
        m.write_hr(0, [50])
        m.write_coil(0, False)
        with Example("controller.py", "plc1",
                     HOLDFAST_CONTROL=d.endpoint) as c:
            c.until("controlling")
            levels = iter([10, 11] * 100)

            def pumps():
                m.write_hr(0, [next(levels)])
                return m.read_co(0) == [1]
            wait_for(pumps, what="the pump")
            c.until(r"level 1[01]: pump on")
            m.write_hr(0, [81])
            wait_for(lambda: m.read_co(0) == [0], what="the pump to stop")
            c.until("level 81: pump off")


def answers(port):
    with contextlib.suppress(OSError, sysutil.ModbusError):
        with Modbus(port, timeout=1) as m:
            return bool(m.read_hr(0))
    return False


def test_function():
    """function.c answers a function code of its own, and standard ones"""
    port = sysutil.free_port()
    with Example("function", f"127.0.0.1:{port}"):
        wait_for(lambda: answers(port), what="it to serve")
        with Modbus(port) as m:
            assert m.read_hr(0, 4) == [5, 1, 9, 7]
            reply = m.call(bytes([0x41]) + struct.pack(">HH", 0, 4))
            assert reply[1:] == struct.pack(">HHH", 1, 9, 5), reply
            for bad, code in ((b"\x00\x00\x00\x00", 3), (b"\x00\x00\x00", 3),
                              (struct.pack(">HH", 999, 2), 2)):
                try:
                    m.call(bytes([0x41]) + bad)
                    raise AssertionError(bad)
                except sysutil.ModbusError as error:
                    assert error.code == code, (bad, error.code)


def test_pcap():
    """pcap.c writes what tshark reads as Modbus, requests and replies"""
    port = sysutil.free_port()
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "capture")
        with open(path, "wb") as out:
            server = subprocess.Popen(
                [os.path.join(EXAMPLES, "pcap"), f"127.0.0.1:{port}"],
                stdout=out)
        try:
            wait_for(lambda: answers(port), what="it to serve")
            with Modbus(port) as m:
                m.write_hr(5, [1, 2, 3])
                assert m.read_hr(5, 3) == [1, 2, 3]
        finally:
            server.terminate()
            server.wait(200)
        shown = subprocess.run(
            ["tshark", "-r", path, "-Y", "modbus", "-T", "fields", "-e",
             "tcp.srcport", "-e", "modbus.func_code"],
            capture_output=True, text=True, timeout=600, check=True).stdout
        frames = [line.split("\t") for line in shown.splitlines()]
        assert [f[1] for f in frames][-4:] == ["16", "16", "3", "3"], shown
        assert [f[0] == "502" for f in frames][-4:] == [
            False, True, False, True], shown


if __name__ == "__main__":
    sysutil.run()
