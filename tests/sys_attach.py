#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that take part in a live daemon's store: many attach, write and are
killed at random, and its Modbus clients notice nothing; they attach while the
daemon is being replaced, more than once each, and with forked children.

    sys_attach.py [WORD...] [--seconds=N] [--writers=N] [--rounds=N]
                                                           (4 s, 200, 6)
"""
import ctypes
import errno
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from sys_adopt import upgrade  # noqa: E402
from sysutil import (  # noqa: E402
    BUILD, Daemon, Modbus, ModbusError, demo_conf, wait_for, whole)


def option(name, default):
    return next((a.split("=")[1] for a in sys.argv[1:]
                 if a.startswith("--%s=" % name)), default)


SECONDS = option("seconds", "4")
WRITERS = option("writers", "200")
ROUNDS = int(option("rounds", "6"))
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


# ---- while the daemon is being replaced ----

PROGRAMS, BLOCK, SLOTS = 6, 20, 256
# what a program may be told while there is no daemon, or a new one; and that
# somebody else was writing
BORNE = (errno.ESTALE, errno.ENOENT, errno.EBUSY)


class Handle:
    """One attachment to a store, by the library."""

    def __init__(self, store):
        self.lib = ctypes.CDLL(os.path.join(BUILD, "libholdfast.so"),
                               use_errno=True)
        for name in ("hf_store_attach", "hf_store_device"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.s = ctypes.c_void_p(self.lib.hf_store_attach(store.encode()))
        if not self.s:
            raise OSError(ctypes.get_errno(), "attach")
        self.d = ctypes.c_void_p(self.lib.hf_store_device(self.s, b"plc1"))

    def _do(self, call, fc, addr, values):
        if getattr(self.lib, call)(self.d, fc, addr, len(values), values) < 0:
            raise OSError(ctypes.get_errno(), call)
        return list(values)

    def get(self, addr, n):
        return self._do("hf_get_values", 3, addr, (ctypes.c_uint16 * n)())

    def set(self, addr, values):
        self._do("hf_set_values", 16, addr,
                 (ctypes.c_uint16 * len(values))(*values))

    def free(self):
        self.lib.hf_store_free(self.s)


class Program(multiprocessing.Process):
    """Attaches twice, writes by the one, reads by the other, and gives both
    back; again and again until it is killed. acked: what it wrote last; tried:
    what it may have written; anew: twice how often the store has begun anew,
    odd while it does."""

    def __init__(self, store, at, anew):
        super().__init__()
        self.store, self.at, self.anew = store, at * BLOCK, anew
        self.acked = multiprocessing.Value("H", 0, lock=False)
        self.tried = multiprocessing.Value("H", 0, lock=False)
        self.turns = multiprocessing.Value("Q", 0, lock=False)
        self.why = multiprocessing.Array("c", 200)
        self.start()

    def run(self):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        while True:
            try:
                self.turn()
                self.turns.value += 1
            except OSError as e:
                if e.errno not in BORNE:
                    self.why.value = repr(e).encode()[:199]
                    return
                time.sleep(0.002)
            except BaseException as e:
                self.why.value = repr(e).encode()[:199]
                return

    def turn(self):
        anew = self.anew.value
        first, second = Handle(self.store), None
        try:
            second = Handle(self.store)
            there = whole(first.get(self.at, BLOCK))
            assert there in (self.acked.value, self.tried.value) or (
                there == 0 and self.anew.value), (there, self.acked.value)
            value = self.tried.value + 1 & 0xffff
            self.tried.value = value
            first.set(self.at, [value] * BLOCK)
            self.acked.value = value
            got = whole(second.get(self.at, BLOCK))
            # or the two are of different stores
            assert got == value or anew % 2 or anew != self.anew.value, (
                got, value)
        finally:
            first.free()
            if second:
                second.free()


def next_one(d, how):
    """The supervisor is killed, or becomes its program anew, or all are
    killed; and there is the next one."""
    if how == "upgrade":
        upgrade(d)
        return
    if how == "all":
        d.kill()
    else:
        d.orphan()
    next_one_starts(d)


def next_one_starts(d):
    if os.path.exists(d.ready_path):
        os.unlink(d.ready_path)
    d.start()


def get_on(programs):
    """Waits until each has had some more turns."""
    before = [p.turns.value for p in programs]

    def done():
        assert not any(p.why.value for p in programs), [
            p.why.value for p in programs]
        return all(p.turns.value > n + 5 for p, n in zip(programs, before))

    wait_for(done, 20, "turns of all programs")


def test_programs_attach_while_the_daemon_is_replaced():
    """programs attach, twice each, while supervisors are killed and taken
    over from, while one is upgraded, and while whole daemons are killed: they
    are told so at most, get on with the next, and what they wrote is there as
    long as the store is"""
    if bt.sanitized():
        raise sysutil.Skip("Python cannot load this library")
    rng = random.Random(sysutil.SEED)
    with Daemon(demo_conf()) as d:
        anew = multiprocessing.Value("Q", 0, lock=False)
        programs = [Program(d.store, i, anew) for i in range(PROGRAMS)]
        try:
            for i in range(ROUNDS):
                get_on(programs)
                how = ("one", "upgrade", "all")[i % 3]
                anew.value += how == "all"
                next_one(d, how)
                anew.value += how == "all"
                get_on(programs)
                n = rng.randrange(PROGRAMS)
                programs[n].kill()
                programs[n].join()
                acked, tried = (programs[n].acked.value,
                                programs[n].tried.value)
                with Modbus(d.port("tcp1")) as m:
                    got = whole(m.read_hr(n * BLOCK, BLOCK))
                    assert got in (acked, tried), (got, acked, tried)
                    m.write_hr(n * BLOCK, [0] * BLOCK)
                programs[n] = Program(d.store, n, anew)
        finally:
            for p in programs:
                p.kill()
                p.join()
        assert not any(p.why.value for p in programs)
        d.stop()


test_programs_attach_while_the_daemon_is_replaced.seconds = 60 + 5 * ROUNDS


def test_a_program_goes_on_when_the_store_is_taken_over():
    """without attaching again: while there is no supervisor, under the next
    one, after an upgrade; and it is told when another store has begun"""
    if bt.sanitized():
        raise sysutil.Skip("Python cannot load this library")
    with Daemon(demo_conf()) as d:
        h, value = Handle(d.store), 0
        with Modbus(d.port("tcp1")) as m:
            def works():
                nonlocal value
                value = value + 1 & 0xffff
                h.set(0, [value])
                assert m.read_hr(0) == [value]
                m.write_hr(1, [value])
                assert h.get(1, 1) == [value]

            def works_for(seconds):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    works()

            for how in ("one", "upgrade", "one"):
                works()
                if how == "one":
                    d.orphan()
                    # it asks the kernel now and then, and by itself
                    works_for(1.2)
                    late = Handle(d.store)  # who comes just then
                    late.set(5, [value])
                    next_one_starts(d)
                    assert late.get(5, 1) == [value]
                    late.free()
                else:
                    next_one(d, how)
                works_for(0.6)
        next_one(d, "all")

        def told():
            try:
                h.set(0, [1])
            except OSError as e:
                assert e.errno == errno.ESTALE, e
                return True

        wait_for(told, 10, "word that it has gone")
        h.free()
        d.stop()


def attached(store, pipe):
    """Attaches, and forks a child that lives on; tells its pid."""
    h = Handle(store)
    h.set(0, [5])
    pid = os.fork()
    if pid == 0:
        try:
            h.set(0, [6])
        except OSError as e:
            pipe.send((os.getpid(), e.errno, h.get(0, 1)))
    signal.pause()


def test_slots_of_programs_that_left_children():
    """a program is killed that had forked: the child, which may only read,
    keeps no slot; every slot can be had, and no more"""
    if bt.sanitized():
        raise sysutil.Skip("Python cannot load this library")
    with Daemon(demo_conf()) as d:
        ours, theirs = multiprocessing.Pipe()
        p = multiprocessing.Process(target=attached, args=(d.store, theirs))
        p.start()
        assert ours.poll(10), "no word from the child"
        child, why, there = ours.recv()
        held = []
        try:
            assert (why, there) == (errno.EROFS, [5])
            p.kill()
            p.join()
            while len(held) < SLOTS:
                held.append(Handle(d.store))
            try:
                Handle(d.store)
                raise AssertionError("one more than there are")
            except OSError as e:
                assert e.errno == errno.EUSERS, e
            held[-1].set(0, [7])
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(0) == [7]
            held.pop().free()
            held.append(Handle(d.store))
        finally:
            os.kill(child, signal.SIGKILL)
            for h in held:
                h.free()
        d.stop()


if __name__ == "__main__":
    sysutil.run()
