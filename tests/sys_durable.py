#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Durable ranges: a write that was answered is on the disk, whatever ends right
behind it. Every process is killed at once here, which is all of a failure of
the power but for the disk; what that may do is check_snap_pair's."""

import ctypes
import glob
import json
import os
import random
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
import urllib.request

import sysutil
from sysutil import Daemon, Modbus, ModbusError, wait_for

KILLS = 4
ROUNDS = 10
for a in sys.argv[1:]:
    if a.startswith("--kills="):
        KILLS = int(a[8:])
    if a.startswith("--rounds="):
        ROUNDS = int(a[9:])


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
        # long enough for two refusals, whatever else the machine does
        with Daemon(conf(p.path, hang_timeout_ms=10000)) as d:
            with Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp2")) as other:
                m.write_hr(100, 1)
                pid = d.child("persist")
                os.kill(pid, signal.SIGSTOP)
                wait_for(lambda: all(map(is_stopped, glob.glob(
                    f"/proc/{pid}/task/*/stat"))), what="a stop")
                assert refused(m, 2) == 4
                assert m.read_hr(100) == [2]
                assert refused(m, 3) == 4
                assert m.read_hr(100) == [2]
                m.write_hr(0, 5)
                assert other.read_hr(0, 100)[0] == 5
                assert d.child("persist") == pid
                wait_for(lambda: not refused(m, 4), 20, "an answer")
            kill_all(d)
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(100) == [4]


def is_stopped(path):
    """Whether that thread is: a signal stops one after the other."""
    with open(path) as f:
        return f.read().rpartition(")")[2].split()[0] == "T"


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
            # an operator's, and what the interval saves at the end
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


class Disk:
    """One that is at a standstill, or broken, when it is told to, beneath a
    daemon with durable ranges: tests/preload/disk.c."""

    def __init__(self, patience_ms=60000, slow_us=0, tcp=None, **more):
        self.place = Place()
        self.place.__enter__()
        self.path = os.path.join(self.place.dir, "disk")
        c = conf(self.place.path, **more)
        c["store"]["snapshot"]["durable_timeout_ms"] = patience_ms
        c["transports"]["udp1"] = {"type": "udp", "listen": "127.0.0.1:0",
                                   "units": {"1": "plc1"}}
        c["transports"]["tcp1"].update(tcp or {})
        for t in c["transports"].values():  # they are killed a lot
            t["restart"] = {"min_backoff_ms": 0, "max_backoff_ms": 0,
                            "max_in_window": 0}
        try:
            self.d = Daemon(c, env={
                "HOLDFAST_DISK": self.path,
                "HOLDFAST_DISK_US": str(slow_us),
                "HOLDFAST_FULL": self.path + "-full",
                "LD_PRELOAD": " ".join(
                    os.path.join(sysutil.BUILD, "tests", "preload", x)
                    for x in ("disk.so", "full.so"))})
        except BaseException:
            self.place.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.runs()
        try:
            self.d.__exit__(*exc)
        finally:
            self.place.__exit__()

    def stands(self):
        open(self.path, "w").close()

    def fails(self):
        with open(self.path + ".new", "w") as f:
            f.write("x")
        os.rename(self.path + ".new", self.path)

    def runs(self):
        if os.path.exists(self.path):
            os.unlink(self.path)

    def full(self, on):
        """No datagram can be sent: tests/preload/full.c."""
        if on:
            open(self.path + "-full", "w").close()
        else:
            os.unlink(self.path + "-full")

    def commits(self):
        """How often plc1 was written to, by whomever."""
        return self.d.rpc("registers.read", device="plc1", table="hr",
                          addr=0)["seq"]


def repairs(d):
    """How often somebody has died while he wrote to plc1."""
    return d.rpc("stats.get")["devices"]["plc1"]["repairs"]


def pdu(*words):
    return struct.pack(">B" + "H" * (len(words) - 1), *words)


def silent(*clients):
    """None of them has been answered."""
    return not select.select([m.socket for m in clients], [], [], 0)[0]


def test_a_disk_that_stands_still_keeps_nobody_else_waiting():
    """the clients of the same worker are served meanwhile, what comes behind a
    write that waits waits with it, and one save serves all that have come"""
    with Disk() as disk:
        port = disk.d.port("tcp1")
        many = [Modbus(port) for _ in range(8)]
        with Modbus(port) as other:
            many[0].write_hr(107, 0)
            saves = saved(disk.d)["durable"]["saves"]
            commits = disk.commits()
            disk.stands()
            many[0].send(many[0].adu(pdu(6, 100, 1)))
            # the other one has its answer from the same worker, later
            wait_for(lambda: other.read_hr(100) == [1])
            for i, m in enumerate(many[1:], 1):
                m.send(m.adu(pdu(6, 100 + i, 1)) +
                       m.adu(pdu(3, 100 + i, 1)))
            wait_for(lambda: other.read_hr(101, 7) == [1] * 7)
            many[0].send(many[0].adu(pdu(3, 100, 1)))
            for n in range(100):
                other.write_hr(0, n)
                assert other.read_hr(0) == [n]
            assert silent(*many)
            assert disk.commits() == commits + 8 + 100
            disk.runs()
            for i, m in enumerate(many):
                assert m.receive()[2] == pdu(6, 100 + i, 1)
                assert m.receive()[2] == b"\3\2\0\1"
            # the first one's, and one for all that came while it stood still
            assert 1 <= saved(disk.d)["durable"]["saves"] - saves <= 2
        for m in many:
            m.close()


def test_many_requests_of_one_client_share_a_save():
    """those that come at once, as many as a record has room for; the replies
    are in order"""
    with Disk() as disk, Modbus(disk.d.port("tcp1")) as m, \
            Modbus(disk.d.port("tcp1")) as other:
        for n in (40, 100):
            m.write_hr(107, 0)
            before = saved(disk.d)["durable"]["saves"]
            disk.stands()
            m.send(b"".join(m.adu(pdu(6, 100 + i % 50, n + i)) +
                            m.adu(pdu(3, 100 + i % 50, 1))
                            for i in range(n)))
            # one of those that find room
            wait_for(lambda: other.read_hr(100 + 39) == [n + 39])
            assert silent(m)
            disk.runs()
            for i in range(n):
                assert m.receive()[2] == pdu(6, 100 + i % 50, n + i)
                assert m.receive()[2] == struct.pack(">BBH", 3, 2, n + i)
            saves = saved(disk.d)["durable"]["saves"] - before
            assert 1 <= saves <= (1 if n == 40 else 2), saves


def test_whoever_waits_outlives_his_worker():
    """killed, killed again, and given way: carried out once, answered once,
    and not before it is on the disk; over UDP, too"""
    with Disk() as disk:
        port = disk.d.port("tcp1")
        m, many, other = Modbus(port), Modbus(port), Modbus(port)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.settimeout(10)
        udp.connect(("127.0.0.1", disk.d.port("udp1")))
        ask = m.adu(pdu(6, 130, 7), tid=99)
        commits = disk.commits()
        disk.stands()
        m.send(m.adu(pdu(6, 100, 1)))
        many.send(b"".join(many.adu(pdu(6, 101 + n, n + 1))
                           for n in range(20)))
        udp.send(ask)
        wait_for(lambda: other.read_hr(100, 31)[20::10] == [20, 7])
        for turn in range(3):
            for name in ("tcp1", "udp1"):
                if turn == 1:
                    disk.d.rpc("transports.restart", name=name) \
                        if name == "tcp1" else None
                    continue
                pid = disk.d.worker_pid(name)
                kill(pid)
                wait_for(lambda: disk.d.worker_pid(name) not in (None, pid))
            assert other.read_hr(100, 31)[:2] == [1, 1]
            udp.send(ask)  # not again
            assert silent(m, many)
            assert not select.select([udp], [], [], 0)[0]
        disk.runs()
        assert m.receive()[2] == pdu(6, 100, 1)
        for n in range(20):
            assert many.receive()[2] == pdu(6, 101 + n, n + 1)
        assert udp.recv(300)[7:] == pdu(6, 130, 7)
        assert disk.commits() == commits + 22
        # and nothing more
        for c in (m, many):
            assert c.read_hr(100) == [1]
            c.close()
        other.close()
        udp.close()


def test_a_datagram_that_finds_no_room_is_sent_when_there_is_some():
    """the replies that have waited for the disk; another one waits for that
    meanwhile, and what drains waits for both"""
    with Disk() as disk, Modbus(disk.d.port("tcp1")) as m:
        port = disk.d.port("udp1")
        peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                 for _ in range(4)]
        for i, s in enumerate(peers):
            s.settimeout(100)
            s.connect(("127.0.0.1", port))

        def ask(i):
            peers[i].send(m.adu(pdu(6, 110 + i, i + 1), tid=i))
            wait_for(lambda: m.read_hr(110 + i) == [i + 1])

        def waits():
            stats = disk.d.rpc("stats.get")["transports"]["udp1"]
            return stats["backpressured"]

        disk.full(True)
        ask(0)
        ask(1)
        wait_for(lambda: waits() == 2)
        disk.stands()
        ask(2)
        ask(3)
        assert not select.select(peers, [], [], 0)[0]
        disk.full(False)
        for i in 0, 1:
            assert peers[i].recv(300)[7:] == pdu(6, 110 + i, i + 1)
        disk.full(True)
        rpc = disk.d.connect()
        stop = threading.Thread(target=rpc.call, args=(
            "transports.stop", {"name": "udp1", "drain_s": 60}))
        stop.start()
        disk.d.wait_stderr("transport udp1 draining")
        disk.runs()
        wait_for(lambda: waits() == 4)
        disk.full(False)
        for i in 2, 3:
            assert peers[i].recv(300)[7:] == pdu(6, 110 + i, i + 1)
        stop.join()
        assert disk.d.rpc("stats.get")["transports"]["udp1"][
            "replies_lost"] == 0
        rpc.close()
        for s in peers:
            s.close()


def test_workers_are_killed_while_their_clients_wait():
    """at any moment, one after the other, with a disk that takes its time: no
    connection ends, each write is carried out once and answered once, and what
    was answered is there after the end of everything"""
    with Disk(slow_us=1500) as disk:
        d, clients = disk.d, 6
        commits = disk.commits()
        acked, wrong = [0] * clients, []
        over, chance = threading.Event(), random.Random(sysutil.SEED)

        def client(i):
            n = 0
            try:
                with Modbus(d.port("tcp1"), timeout=60) as m:
                    while not over.is_set():
                        # one, or some at once, and what reads behind them
                        some = range(n + 1, n + 2 + (i % 3) * 2)
                        m.send(b"".join(
                            m.adu(pdu(16, 100 + 2 * i, 2) + struct.pack(
                                ">BI", 4, k)) for k in some) +
                            m.adu(pdu(3, 100 + 2 * i, 2)))
                        for k in some:
                            assert m.receive()[2] == pdu(16, 100 + 2 * i, 2)
                        n = acked[i] = k
                        assert m.receive()[2] == struct.pack(">BBI", 3, 4, n)
            except Exception as e:
                wrong.append(e)

        threads = [threading.Thread(target=client, args=(i,))
                   for i in range(clients)]
        for t in threads:
            t.start()
        for kills in range(ROUNDS):
            had = sum(acked)
            wait_for(lambda: sum(acked) > had + 5 or wrong, 30, "writes")
            pid = d.worker_pid("tcp1")
            time.sleep(chance.random() * 0.003)
            kill(pid)
            wait_for(lambda: d.worker_pid("tcp1") not in (None, pid))
            assert not wrong, wrong
        over.set()
        for t in threads:
            t.join()
        assert not wrong, wrong
        done = disk.commits() - commits - sum(acked)
        # one that is killed while it writes leaves a number that nothing has
        assert 0 <= done <= repairs(d), (done, acked)
        kill_all(d)
        again(d)
        with Modbus(d.port("tcp1")) as m:
            for i in range(clients):
                hi, lo = m.read_hr(100 + 2 * i, 2)
                assert hi << 16 | lo == acked[i]


test_workers_are_killed_while_their_clients_wait.seconds = 60 + ROUNDS


def test_what_fails_is_answered_04_among_what_does_not():
    """in the middle of others' replies, at every place, and behind a worker's
    death; what is asked then is refused before it is carried out"""
    with Disk() as disk, Modbus(disk.d.port("tcp1")) as m, \
            Modbus(disk.d.port("tcp1")) as other:
        asked = [pdu(3, 0, 2), pdu(6, 100, 7), pdu(6, 0, 3),
                 pdu(23, 0, 2, 101, 1) + b"\2\0\5", pdu(3, 100, 2),
                 pdu(16, 102, 2) + b"\4\0\1\0\2", pdu(6, 1, 1)]
        answers = [b"\3\4\0\0\0\0", b"\x86\4", pdu(6, 0, 3),
                   b"\x97\4", b"\3\4\0\7\0\5", b"\x90\4",
                   pdu(6, 1, 1)]
        for turn in range(2):
            disk.runs()
            wait_for(lambda: not refused(other, 0))
            other.write_hr(0, [0, 0])
            disk.stands()
            m.send(b"".join(map(m.adu, asked)))
            wait_for(lambda: other.read_hr(0, 104)[102:] == [1, 2])
            if turn == 1:
                pid = disk.d.worker_pid("tcp1")
                kill(pid)
                assert other.read_hr(0) == [3]
            assert silent(m)
            disk.fails()
            for answer in answers:
                assert m.receive()[2] == answer, answer
            assert refused(m, 9) == 4
            assert m.read_hr(100) == [7]


def test_who_waits_in_vain_is_told_and_holds_up_nobody():
    """after durable_timeout_ms, by TCP, UDP and the transport that drains; what
    was refused until then has not been carried out"""
    with Disk(300) as disk:
        port = disk.d.port("tcp1")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.settimeout(10)
        udp.connect(("127.0.0.1", disk.d.port("udp1")))
        with Modbus(port) as m, Modbus(port) as other:
            disk.stands()
            m.send(m.adu(pdu(6, 100, 1)))
            udp.send(m.adu(pdu(6, 110, 1), tid=5))
            wait_for(lambda: other.read_hr(100) == [1])
            assert m.receive()[2] == b"\x86\4"
            assert udp.recv(300)[7:] == b"\x86\4"
            assert refused(other, 2) == 4
            assert other.read_hr(100) == [1]
            other.write_hr(0, 1)
            disk.runs()
            wait_for(lambda: not refused(m, 3))
        udp.close()


def test_a_stop_waits_for_the_disk():
    """as long as it may"""
    with Disk() as disk, Modbus(disk.d.port("tcp1")) as m, \
            Modbus(disk.d.port("tcp2")) as other:
        disk.stands()
        m.send(m.adu(pdu(6, 100, 1)))
        wait_for(lambda: other.read_hr(100) == [1])
        stop = threading.Thread(target=disk.d.rpc, args=("transports.stop",),
                                kwargs={"name": "tcp1", "drain_s": 30})
        stop.start()
        wait_for(lambda: "draining" in disk.d.stderr_text())
        assert silent(m)
        disk.runs()
        assert m.receive()[2] == pdu(6, 100, 1)
        assert m.closed()
        stop.join()


def test_operators_and_programs_are_told_once_it_is_on_the_disk():
    """holdfast set, transactions, the page's requests and those of pymodbus's
    simulator, a program that attaches; commands of others are carried out
    meanwhile, and what fails is said"""
    more = {"http": {"listen": "127.0.0.1:0"}}
    library = ctypes.CDLL(os.path.join(sysutil.BUILD, "libholdfast.so"))
    library.hf_store_attach.restype = ctypes.c_void_p
    library.hf_store_device.restype = ctypes.c_void_p
    with Disk(**more) as disk:
        d = disk.d
        where = [d.rpc("system.info")["http"]]
        over = []

        def attached():
            store = ctypes.c_void_p(
                library.hf_store_attach(d.store.encode()))
            plc = ctypes.c_void_p(library.hf_store_device(store, b"plc1"))
            rc = library.hf_set_values(
                plc, 6, 103, 1, (ctypes.c_uint16 * 1)(4))
            library.hf_store_free(store)
            return rc == 0

        def page(addr, value):
            request = urllib.request.Request(
                where[0] + "api/v1/rpc",
                json.dumps({"jsonrpc": "2.0", "id": 1,
                            "method": "registers.write",
                            "params": {"device": "plc1", "table": "hr",
                                       "addr": addr, "values": [value]}})
                .encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)

        def transaction():
            rpc = d.connect(60)
            try:
                return rpc.call("registers.transaction", {
                    "device": "plc1", "ops": [
                        {"op": "write", "table": "hr", "addr": 101,
                         "values": [2]},
                        {"op": "read", "table": "hr", "addr": 101}]})
            finally:
                rpc.close()

        ways = [lambda: d.cli("set", "plc1/hr:100", 1), transaction,
                lambda: page(102, 3), attached]

        def start():
            def run(way):
                try:
                    over.append(way())
                except Exception as e:
                    over.append(e)
            threads = [threading.Thread(target=run, args=(w,)) for w in ways]
            for t in threads:
                t.start()
            return threads

        page(102, 1)
        disk.stands()
        threads = start()
        wait_for(lambda: d.rpc(
            "registers.read", device="plc1", table="hr", addr=100,
            count=4)["values"] == [1, 2, 3, 4])
        d.rpc("registers.write", device="plc1", table="hr", addr=0, values=[1])
        assert page(0, 2)["result"]
        assert over == []
        disk.runs()
        for t in threads:
            t.join()
        assert len(over) == 4 and all(over), over
        assert not [e for e in over if isinstance(e, Exception)], over
        kill_all(d)
        again(d)
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(100, 4) == [1, 2, 3, 4]
        where[0] = d.rpc("system.info")["http"]
        # what cannot be is said
        disk.fails()
        for _ in range(2):
            try:
                d.rpc("registers.write", device="plc1", table="hr", addr=104,
                      values=[5])
                assert False
            except sysutil.RpcError as e:
                assert e.data["reason"] == "server_device_failure", e
                assert e.data["modbus_exception"] == 4
        assert not attached()
        assert "error" in page(102, 3)
        assert d.cli("set", "plc1/hr:100", 1, ok=False).returncode == 1


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
