#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Durable ranges: a write that was answered is on the disk, whatever ends right
behind it. Every process is killed at once here, which is all of a failure of
the power but for the disk; what that may do is check_snap_pair's."""

import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import sysutil
from sysutil import Daemon, Modbus, ModbusError, wait_for

KILLS = 4
for a in sys.argv[1:]:
    if a.startswith("--kills="):
        KILLS = int(a[8:])


def conf(path, **more):
    devices = {
        "plc1": {
            "coils": [{"addr": 0, "count": 20},
                      {"addr": 20, "count": 20, "durable": True}],
            "holding_registers": [
                {"addr": 0, "count": 100},
                {"addr": 100, "count": 50, "durable": True, "value": 9},
                {"addr": 2000, "count": 5000, "durable": True}]},
        "plc2": {"shared_blocks": True, "holding_registers": [
            {"addr": 0, "count": 4},
            {"addr": 4, "count": 2, "durable": True}]}}
    units = {"1": "plc1", "2": "plc2"}
    return {"store": {"snapshot": {"path": path, "interval_s": 3600}},
            "devices": devices,
            "transports": {
                "tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                         "units": units},
                "tcp2": {"type": "tcp", "listen": "127.0.0.1:0",
                         "units": units, "workers": 2}}, **more}


class Place:
    """A directory for what is saved: in memory, since a disk that others are
    busy with may take longer than a request has."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-durable-", dir="/dev/shm")
        self.path = os.path.join(self.dir, "plant.snap")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)


def kill_all(d):
    """At once, and what was in memory has gone."""
    os.kill(d.pid, signal.SIGSTOP)
    kill(d.child("persist"))  # who might save what nobody waits for
    d.cut()
    if d._rpc:
        d._rpc.close()
        d._rpc = None


def kill(pid):
    fd = os.pidfd_open(pid)
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    assert select.select([fd], [], [], 100)[0]
    os.close(fd)


def again(d):
    if os.path.exists(d.ready_path):
        os.unlink(d.ready_path)
    d.start()


def saved(d):
    return d.rpc("system.info")["snapshot"]


def test_what_was_answered_is_there_after_the_end_of_everything():
    """each function code that writes, at the edges of the ranges; what is not
    durable is not"""
    with Place() as p, Daemon(conf(p.path)) as d:
        for turn in range(1, 4):
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(50, turn)
                m.write_hr(100, 1000 + turn)
                m.write_hr(148, [turn, turn + 1])
                m.call(struct.pack(">BHHH", 22, 110, 0, turn))
                m.call(struct.pack(">BHHHHBH", 23, 0, 1, 120, 1, 2, turn))
                # half in, half out of the range
                m.write_hr(98, [turn] * 4)
                m.write_co(18, [turn & 1, turn & 1, turn & 1, turn & 1])
                m.write_coil(39, turn & 1)
                m.write_hr(5, 77 + turn, unit=2)
                m.write_hr(0, 55 + turn, unit=2)
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(50) == [0]
                assert m.read_hr(98, 4) == [0, 0, turn, turn]
                assert m.read_hr(148, 2) == [turn, turn + 1]
                assert m.read_hr(110) == [turn]
                assert m.read_hr(120) == [turn]
                assert m.read_hr(130) == [9]
                assert m.read_co(18, 4) == [0, 0, turn & 1, turn & 1]
                assert m.read_co(39) == [turn & 1]
                assert m.read_hr(4, 2, unit=2) == [0, 77 + turn]
                assert m.read_hr(0, unit=2) == [0]


def test_no_answered_write_is_lost_under_load():
    """several clients over several workers, everything killed at any moment"""
    with Place() as p, Daemon(conf(p.path)) as d:
        least = [0] * 4
        for turn in range(KILLS):
            over = threading.Event()
            acked, wrong = list(least), []

            def client(i, port):
                n = acked[i]
                try:
                    with Modbus(port) as m:
                        while not over.is_set():
                            n += 1
                            m.write_hr(100 + 2 * i, [n >> 16, n & 0xffff])
                            acked[i] = n
                except (EOFError, OSError):
                    pass
                except ModbusError as e:
                    if e.code != 4:  # who saves is killed first
                        wrong.append(e)
                except Exception as e:
                    wrong.append(e)

            threads = [threading.Thread(target=client, args=(
                i, d.port("tcp1" if i < 2 else "tcp2"))) for i in range(4)]
            for t in threads:
                t.start()
            many = sum(acked) + 40 + 13 * turn
            wait_for(lambda: sum(acked) > many or wrong, 20, "writes")
            assert not wrong, wrong
            kill_all(d)
            over.set()
            for t in threads:
                t.join()
            assert not wrong, wrong
            again(d)
            with Modbus(d.port("tcp1")) as m:
                for i in range(4):
                    hi, lo = m.read_hr(100 + 2 * i, 2)
                    n = hi << 16 | lo
                    if not acked[i] and (hi, lo) == (9, 9):
                        n = 0  # none of its writes has come so far
                    assert n in (acked[i], acked[i] + 1), (i, n, acked[i])
                    least[i] = n


test_no_answered_write_is_lost_under_load.seconds = 60 + 5 * KILLS


def test_datagrams_and_what_comes_at_once_are_no_different():
    """a reply over UDP, and each of many to what came in one read"""
    with Place() as p:
        c = conf(p.path)
        c["transports"]["udp1"] = {"type": "udp", "listen": "127.0.0.1:0",
                                   "units": {"1": "plc1"}}
        with Daemon(c) as d:
            with Modbus(d.port("tcp1")) as m:
                m.send(b"".join(m.adu(struct.pack(">BHH", 6, 100, n))
                                for n in range(1, 31)))
                for n in range(1, 31):
                    assert m.receive()[2][3:] == struct.pack(">H", n)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(100)
                s.connect(("127.0.0.1", d.port("udp1")))
                s.send(struct.pack(">HHHBBHH", 7, 0, 6, 1, 6, 101, 4711))
                assert s.recv(300)[7:8] == b"\6"
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100, 2) == [30, 4711]


def test_the_death_of_who_saves_costs_time_alone():
    """his successor serves those that wait"""
    with Place() as p, Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
        n = 0
        for _ in range(2):
            for _ in range(20):
                n += 1
                m.write_hr(100, n)
            fd = os.pidfd_open(d.child("persist"))
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            n += 1
            m.write_hr(100, n)
            os.close(fd)
        kill_all(d)
        again(d)
        with Modbus(d.port("tcp1")) as m2:
            assert m2.read_hr(100) == [n]


def test_who_does_not_save_is_not_waited_for_for_ever():
    """04, and nothing else stands still; once he is replaced it goes on"""
    with Place() as p:
        with Daemon(conf(p.path, hang_timeout_ms=1500)) as d:
            with Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp2")) as other:
                m.write_hr(100, 1)
                pid = d.child("persist")
                os.kill(pid, signal.SIGSTOP)
                began = time.monotonic()
                assert refused(m, 2) == 4
                one = time.monotonic() - began
                assert 0.3 < one < 5, one
                began = time.monotonic()
                for n in range(10):  # none of these waits as long
                    assert refused(m, 3) == 4
                    m.write_hr(0, n)
                    assert other.read_hr(0, 100)[0] == n
                assert time.monotonic() - began < 5 * one
                wait_for(lambda: not refused(m, 4), 20, "an answer")
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [4]


def refused(m, value):
    """The exception that a write gets; 0 for none."""
    try:
        m.write_hr(100, value)
        return 0
    except ModbusError as e:
        return e.code


def test_a_full_disk_refuses_what_cannot_be_kept():
    """before it is carried out; everything else goes on, and so does this when
    there is room"""
    with Place() as p, Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
        m.write_hr(100, 1)

        def limit(most):
            resource.prlimit(d.child("persist"), resource.RLIMIT_FSIZE,
                             (most, resource.RLIM_INFINITY))

        limit(6000)  # the log is shorter
        assert refused(m, 2) == 4  # this one finds it out
        assert m.read_hr(100) == [2]
        assert refused(m, 3) == 4
        assert m.read_hr(100) == [2]
        m.write_hr(0, 6)
        assert saved(d)["durable"]["error"] == "File too large"
        d.wait_stderr("durable ranges cannot be saved")
        limit(resource.RLIM_INFINITY)
        wait_for(lambda: not refused(m, 4))
        assert "error" not in saved(d)["durable"]
        kill_all(d)
        again(d)
        with Modbus(d.port("tcp1")) as m2:
            assert m2.read_hr(100) == [4]


def test_it_goes_on_top_of_what_the_interval_saves():
    """the newer of both counts, in this life of the store and in the next ones;
    and a backup that is put back counts as it is"""
    with Place() as p:
        with Daemon(conf(p.path)) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(100, 1)
            # by whoever does not wait for the disk: the last one is newer
            d.cli("set", "plc1/hr:100", 2)
        with Daemon(conf(p.path)) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [2]
            shutil.copy(p.path, p.path + "-backup")
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [2]
                m.write_hr(100, 3)
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [3]
            # the whole one is lost: its elder, and this on top of it
            kill_all(d)
            with open(p.path, "r+b") as f:
                f.write(b"HOLDSNAP" + b"x" * 500)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [3]
        with Daemon(conf(p.path)) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [3]
                m.write_hr(100, 4)
        os.replace(p.path + "-backup", p.path)
        with Daemon(conf(p.path)) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [2]
                m.write_hr(100, 5)
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [5]


def test_a_worker_that_dies_answers_nothing_that_is_not_saved():
    """and its successor goes on"""
    with Place() as p, Daemon(conf(p.path)) as d:
        last = 0
        for turn in range(3):
            with Modbus(d.port("tcp1")) as m:
                pid = d.worker_pid("tcp1")
                killer = threading.Timer(0.05, os.kill, (pid, signal.SIGKILL))
                killer.start()
                try:
                    end = time.monotonic() + 0.3
                    while time.monotonic() < end:
                        m.write_hr(100, last + 1)
                        last += 1
                except (EOFError, OSError):
                    pass
                killer.join()
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                got = m.read_hr(100)[0]
                assert got in (last, last + 1), (got, last)
                last = got


def test_it_goes_on_without_a_supervisor():
    """and with the next one"""
    with Place() as p, Daemon(conf(p.path)) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(100, 1)
            d.process.kill()
            d.wait()
            d._rpc = None
            for n in range(2, 30):
                m.write_hr(100, n)
            again(d)
            for n in range(30, 60):
                wait_for(lambda: not refused(m, n))
        kill_all(d)
        again(d)
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(100) == [59]


def test_mistakes_are_found():
    """what a durable range needs"""
    with Place() as p:
        for change, words in (
                ({"store": {}}, '"durable" needs "snapshot" in "store"'),
                ({"devices": {"plc1": {"holding_registers": [
                    {"addr": 0, "durable": True, "action": "random"}]}}},
                 'does not go with "action"'),
                ({"devices": {"plc1": {"holding_registers": [
                    {"addr": 0, "durable": True, "retain": False}]}}},
                 'does not go with "retain"')):
            c = {**conf(p.path), **change}
            if "devices" in change:
                for t in c["transports"].values():
                    t["units"] = {"1": "plc1"}
            path = os.path.join(p.dir, "c.json")
            with open(path, "w") as f:
                json.dump(c, f)
            done = subprocess.run(
                [os.path.join(sysutil.BUILD, "holdfastd"), "-t", "-c", path],
                capture_output=True, text=True)
            assert done.returncode == 78 and words in done.stderr, done


if __name__ == "__main__":
    sysutil.run()
