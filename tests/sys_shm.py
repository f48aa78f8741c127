#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A transport of type shm: the tools of SHMModbus on a live daemon. They open
the objects by name, learn the size from fstat, map them whole and read or
write the cells; what they do is done here by mmap on /dev/shm, one function or
class for each tool."""

import ctypes
import glob
import json
import mmap
import os
import random
import select
import signal
import stat
import struct
import subprocess
import sys
import threading
import time

import bench_tools as bt
import sysutil
from sysutil import BUILD, Daemon, Modbus, demo_conf, wait_for

KILLS = next((int(a.partition("=")[2]) for a in sys.argv
              if a.startswith("--kills=")), 25)
LATE_S = 0.1  # what a tool has written is served to clients by then


class Table:
    """One object as every tool has it: fstat for the size, mmap from 0."""

    def __init__(self, name):
        fd = os.open("/dev/shm/" + name, os.O_RDWR)
        try:
            self.size = os.fstat(fd).st_size
            self.map = mmap.mmap(fd, self.size)
        finally:
            os.close(fd)
        self.wide = name[-2] == "A"  # AO, AI: 16 bits in host order
        self.cells = memoryview(self.map).cast("H" if self.wide else "B")

    def __getitem__(self, i):
        got = self.cells[i]
        return got.tolist() if isinstance(got, memoryview) else got

    def __setitem__(self, i, value):
        if isinstance(i, slice):
            code = "H" if self.wide else "B"
            value = memoryview(struct.pack(f"={len(value)}{code}", *value)
                               ).cast(code)
        self.cells[i] = value

    def __len__(self):
        return len(self.cells)

    def close(self):
        self.cells.release()
        self.map.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Semaphore:
    """A named semaphore of POSIX, as the tools open it (never make it)."""

    _libc = ctypes.CDLL(None, use_errno=True)
    _libc.sem_open.restype = ctypes.c_void_p

    def __init__(self, name):
        self.sem = self._libc.sem_open(b"/" + name.encode(), 0)
        if not self.sem:
            raise OSError(ctypes.get_errno(), "sem_open", name)

    def _do(self, call, *args):
        return getattr(self._libc, call)(ctypes.c_void_p(self.sem), *args)

    def take(self, timeout=100.0):
        wait_for(lambda: self._do("sem_trywait") == 0, timeout, "semaphore")

    def give(self):
        self._do("sem_post")

    def value(self):
        v = ctypes.c_int()
        self._do("sem_getvalue", ctypes.byref(v))
        return v.value

    def close(self):
        self._do("sem_close")


def dump_shm(name):
    """dump-shm: the bytes of an object"""
    with open("/dev/shm/" + name, "rb") as f:
        return f.read()


def write_shm(name, data):
    """write-shm: standard input into an object, from offset 0"""
    with Table(name) as t:
        t.map[:len(data)] = data


ORDER = {"b": ">", "l": "<", "br": ">", "lr": "<"}
FORMAT = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I",
          "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}


def stdin_to_modbus_shm(prefix, line):
    """stdin-to-modbus-shm: one line table:address:value[:type], where the type
    may end with one of four orders: b, l and, the words reversed, br, lr"""
    table, address, value, *kind = line.split(":")
    with Table(prefix + table.upper()) as t:
        assert len(t) <= 65536, "more elements than Modbus has addresses"
        i = int(address, 0)
        if not t.wide:
            t[i] = 1 if int(value, 0) else 0
            return
        base, _, order = (kind[0] if kind else "u16_b").partition("_")
        data = struct.pack(ORDER[order or "b"] + FORMAT[base],
                           float(value) if base[0] == "f" else int(value, 0))
        words = list(struct.unpack(f">{len(data) // 2}H", data))
        t[i:i + len(words)] = words[::-1] if "r" in order else words


def shared_mem_random(name, seed, mask=None, offset=0, elements=None):
    """shared-mem-random: fills an object with random elements, one at a time"""
    rand = random.Random(seed)
    with Table(name) as t:
        bits = 16 if t.wide else 8
        for i in range(offset, offset + (elements or len(t) - offset)):
            v = rand.getrandbits(bits)
            t[i] = v if mask is None else v & mask


def shm_format(prefix, address, kind):
    """shm-format: one typed value out of the holding registers"""
    with Table(prefix + "AO") as t:
        n = struct.calcsize(">" + FORMAT[kind]) // 2
        return struct.unpack(">" + FORMAT[kind],
                             struct.pack(f">{n}H", *t[address:address + n]))[0]


_nth = 0


def prefix():
    global _nth
    _nth += 1
    return f"hft{os.getpid()}-{_nth}_"


class View(Daemon):
    """A daemon of demo_conf() with a view on top; .p is its prefix. guest: the
    objects of that prefix are another's to clear away."""

    def __init__(self, more=None, devices=None, transports=None, guest=False,
                 **how):
        self.guest = guest
        self.p = (more or {}).get("prefix") or prefix()
        conf = demo_conf()
        if devices:
            conf["devices"] = devices
        view = {"type": "shm", "prefix": self.p, "units": {"*": "plc1"}}
        view.update(more or {})
        conf["transports"]["view1"] = {k: v for k, v in view.items()
                                       if v is not None}
        conf["transports"].update(transports or {})
        super().__init__(conf, **how)

    def names(self):
        return sorted(os.path.basename(n)
                      for n in glob.glob("/dev/shm/" + self.p + "*"))

    def table(self, which, unit=""):
        return Table(self.p + unit + which)

    def clean(self):
        super().clean()
        for name in [] if self.guest else self.names():
            os.unlink("/dev/shm/" + name)


def shm_words(name, i, n=1):
    """What stands in n cells of 16 bits now, whichever object has the name"""
    data = dump_shm(name)[2 * i:2 * (i + n)]
    return list(struct.unpack(f"={len(data) // 2}H", data))


def within(true, what):
    """True within what a client may wait."""
    began = time.monotonic()
    got = wait_for(true, 5.0, what)
    took = time.monotonic() - began
    assert took < LATE_S * sysutil.PATIENCE * bt.pace(), f"{what}: took {took * 1000:.0f} ms"
    return got


def test_names_sizes_and_mode():
    """four objects with SHMModbus' names and sizes, for their owner alone,
    and none is left at the end"""
    with View() as d:
        assert d.names() == sorted(d.p + s for s in (
            "AI", "AO", "DI", "DO", "ctl")), d.names()
        sizes = {s: os.stat(f"/dev/shm/{d.p}{s}").st_size
                 for s in ("DO", "DI", "AO", "AI")}
        assert sizes == {"DO": 2000, "DI": 64, "AO": 2 * 1010, "AI": 16}
        for name in d.names():
            mode = stat.S_IMODE(os.stat("/dev/shm/" + name).st_mode)
            assert mode == 0o600, (name, oct(mode))
        kind, where, _ = d.transports()["view1"]
        assert (kind, where) == ("shm", d.p)
        d.stop()
        assert d.names() == []



class Watching:
    """holdfast watch in the background: lines [time, place, was, is, who]"""

    def __init__(self, d, *what):
        self.p = subprocess.Popen(
            [os.path.join(BUILD, "holdfast"), "watch", *what, "hr:999"],
            env=d.env, stdout=subprocess.PIPE)
        self.left, n = "", 0
        while not self.lines(0.05, 1):
            n += 1
            assert n < 200, "watch never came to life"
            d.rpc("registers.write", device="plc1", table="hr", addr=999,
                  values=[n])
        d.rpc("registers.write", device="plc1", table="hr", addr=999,
              values=[9999])
        while self.lines(enough=1)[0][3] != "9999":
            pass

    def lines(self, timeout=50.0, enough=None):
        """What comes until there is enough, or until the time is over."""
        end, got = time.monotonic() + timeout, []
        while len(got) != enough:
            left = max(0, end - time.monotonic())
            if not select.select([self.p.stdout], [], [], left)[0]:
                break
            self.left += os.read(self.p.stdout.fileno(), 65536).decode()
            *more, self.left = self.left.split("\n")
            got += [line.split("\t") for line in more]
        return got

    def close(self):
        self.p.terminate()
        self.p.wait(100)
        self.p.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def test_what_the_store_holds_stands_there():
    """what the configuration says stands in the objects, and what clients and
    operators write comes, in every table"""
    with View() as d, Modbus(d.port("tcp1")) as m:
        assert dump_shm(d.p + "DI")[:4] == b"\1\0\1\0"
        with d.table("AI") as ai, d.table("AO") as ao, d.table("DO") as do, \
                d.table("DI") as di:
            assert ai[:] == [7] * 8
            assert ao[1000:1010] == [48879] * 10 and not any(ao[:1000])
            m.write_hr(3, [0x1234, 65535])
            within(lambda: ao[3:5] == [0x1234, 65535], "FC 16")
            assert dump_shm(d.p + "AO")[6:8] == struct.pack("=H", 0x1234)
            m.write_co(1990, [1, 0, 1, 1, 0, 0, 0, 0, 0, 1])
            within(lambda: do[1990:2000] == [1, 0, 1, 1, 0, 0, 0, 0, 0, 1],
                   "FC 15")
            d.rpc("registers.write", table="ir", addr=7, values=[9])
            d.rpc("registers.write", table="di", addr=63, values=[1])
            within(lambda: ai[:] == [7] * 7 + [9] and di[63] == 1, "inputs")


def test_tools_write_all_tables():
    """what tools write, clients read within 100 ms, in all four tables and in
    ranges that are read-only to clients"""
    with View() as d, Modbus(d.port("tcp1")) as m:
        stdin_to_modbus_shm(d.p, "ao:10:4660")
        within(lambda: m.read_hr(10) == [4660], "AO")
        stdin_to_modbus_shm(d.p, "do:1999:1")
        within(lambda: m.read_co(1999) == [1], "DO")
        stdin_to_modbus_shm(d.p, "di:5:1")
        within(lambda: m.read_di(5) == [1], "DI")
        stdin_to_modbus_shm(d.p, "ai:7:0xffff")
        within(lambda: m.read_ir(7) == [65535], "AI")
        stdin_to_modbus_shm(d.p, "ao:1001:5")
        within(lambda: m.read_hr(1000, 3) == [48879, 5, 48879], "read-only")
        stdin_to_modbus_shm(d.p, "ao:20:404.17:f32_b")
        within(lambda: struct.unpack(">f", struct.pack(
            ">2H", *m.read_hr(20, 2)))[0] == struct.unpack(
                ">f", struct.pack(">f", 404.17))[0], "f32")
        m.write_hr(30, list(struct.unpack(">4H", struct.pack(">d", -2.5))))
        within(lambda: shm_format(d.p, 30, "f64") == -2.5, "f64")
        shared_mem_random(d.p + "AO", 1, elements=1000)
        shared_mem_random(d.p + "DO", 2)
        with d.table("AO") as ao, d.table("DO") as do:
            within(lambda: all(m.read_hr(i, 100) == ao[i:i + 100]
                               for i in range(0, 1000, 100)), "random AO")
            within(lambda: all(b in (0, 1) for b in do[:]), "0 and 1")
            within(lambda: m.read_co(0, 2000) == do[:], "random DO")
            rand = random.Random(2)
            assert do[:] == [int(rand.getrandbits(8) != 0)
                             for _ in range(2000)]
        write_shm(d.p + "AI", struct.pack("=8H", *range(8)))
        within(lambda: m.read_ir(0, 8) == list(range(8)), "write-shm")


def test_events_of_foreign_writes():
    """holdfast watch tells of what a tool has written, by the name of the
    view, neighbours as one write"""
    with View() as d, Watching(d, "hr:100+20", "hr:300", "co") as w:
        before = d.rpc("registers.read", table="hr", addr=0, count=1)["seq"]
        with d.table("AO") as ao:
            ao[100:120] = list(range(1, 21))
        got = w.lines(5.0, 20)
        assert [g[1:] for g in got] == [
            [f"plc1/hr:{100 + i}", "0", str(i + 1), "view1"]
            for i in range(20)], got
        after = d.rpc("registers.read", table="hr", addr=0, count=1)["seq"]
        assert after - before <= 2, "more than one write for one stroke"
        stdin_to_modbus_shm(d.p, "do:3:1")
        assert [g[1:] for g in w.lines(5.0, 1)] == [
            ["plc1/co:3", "0", "1", "view1"]]
        # what a client writes is its own, and is not told twice
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(300, 5)
            got = w.lines(0.3)
            assert [g[1:] for g in got] == [
                ["plc1/hr:300", "0", "5", "tcp1"]], got


HOLES = {"plc1": {
    "coils": [{"addr": 3, "count": 2}],
    "holding_registers": [{"addr": 2, "count": 3}, {"addr": 10, "count": 1}],
}}


def test_what_does_not_exist_is_put_back():
    """cells outside every range are 0 again, and the rest of a write stays;
    a table without a range has one cell"""
    with View(devices=HOLES) as d, Modbus(d.port("tcp1")) as m:
        with d.table("AO") as ao, d.table("DO") as do, d.table("AI") as ai:
            assert (len(ao), len(do), len(ai)) == (11, 5, 1)
            ao[:] = [9] * 11
            do[:] = [7] * 5
            ai[0] = 5
            within(lambda: ao[:] == [0, 0, 9, 9, 9, 0, 0, 0, 0, 0, 9] and
                   do[:] == [0, 0, 0, 1, 1] and ai[0] == 0, "put back")
            within(lambda: m.read_hr(2, 3) == [9, 9, 9], "what exists")
            assert m.read_hr(10) == [9] and m.read_co(3, 2) == [1, 1]
        stats = d.rpc("stats.get")["transports"]
        view = [s for s in (stats.values() if isinstance(stats, dict)
                            else stats) if "view_in" in s]
        assert sum(s["view_in"] for s in view) == 6, view
        assert sum(s["view_refused"] for s in view) == 7 + 3 + 1, view


def test_sizes_as_they_are_said():
    """"counts" gives other sizes, up to SHMModbus' 65536; a table that is too
    small for the device shows what there is room for"""
    with View({"counts": {"coils": 65536, "discrete_inputs": 65536,
                          "holding_registers": 5, "input_registers": 65536}}
              ) as d, Modbus(d.port("tcp1")) as m:
        assert [os.stat(f"/dev/shm/{d.p}{s}").st_size
                for s in ("DO", "DI", "AO", "AI")] == [
                    65536, 65536, 10, 131072]
        m.write_hr(0, list(range(10, 20)))
        with d.table("AO") as ao, d.table("AI") as ai:
            within(lambda: ao[:] == [10, 11, 12, 13, 14], "AO")
            ai[65535] = 1
            within(lambda: ai[65535] == 0, "put back")


def test_two_units_and_the_plain_set():
    """numbered units have sets of their own, two hexadecimal digits in the
    names; two sets of one device follow each other"""
    devices = {"plc1": {"holding_registers": [{"addr": 0, "count": 1000}]},
               "b": {"holding_registers": [{"addr": 0, "count": 10}]}}
    with View({"units": {"*": "plc1", "1": "plc1", "26": "b"}},
              devices=devices, transports={
                  "tcp2": {"type": "tcp", "listen": "127.0.0.1:0",
                           "units": {"*": "b"}}}) as d:
        assert d.names() == sorted(
            [d.p + "ctl"] + [d.p + u + s for u in ("", "01_", "1a_")
                             for s in ("DO", "DI", "AO", "AI")])
        with d.table("AO") as plain, d.table("AO", "01_") as one, \
                d.table("AO", "1a_") as b, Modbus(d.port("tcp1")) as m, \
                Modbus(d.port("tcp2")) as n:
            assert (len(plain), len(one), len(b)) == (1000, 1000, 10)
            one[5] = 55
            within(lambda: plain[5] == 55 and m.read_hr(5) == [55], "one")
            b[5] = 66
            within(lambda: n.read_hr(5) == [66], "b")
            plain[5] = 77
            within(lambda: one[5] == 77, "plain")
            assert b[5] == 66 and n.read_hr(5) == [66]


def test_the_only_unit_is_the_plain_set():
    """one numbered unit, and no "units" at all, are the plain set"""
    for units in ({"7": "plc1"}, None):
        with View({"units": units}) as d:
            assert d.p + "AO" in d.names() and len(d.names()) == 5


def test_mode_of_the_objects():
    """"mode" is the permission of the tables, whatever the mask is; what we
    remember stays our own"""
    with View({"mode": "0666"}) as d:
        for s in ("DO", "DI", "AO", "AI", "ctl"):
            mode = stat.S_IMODE(os.stat(f"/dev/shm/{d.p}{s}").st_mode)
            assert mode == (0o600 if s == "ctl" else 0o666), (s, oct(mode))


def test_one_array_behind_all_tables():
    """with shared_blocks a bit written in one table shows in the others"""
    devices = {"plc1": {"shared_blocks": True,
                        "coils": [{"addr": 0, "count": 160}],
                        "holding_registers": [{"addr": 0, "count": 10}]}}
    with View(devices=devices) as d, Modbus(d.port("tcp1")) as m:
        with d.table("DO") as do, d.table("AO") as ao:
            do[17] = 1
            within(lambda: ao[1] == 2 and m.read_hr(1) == [2], "from DO")
            ao[9] = 0x8001
            within(lambda: do[144] == do[159] == 1, "from AO")
            m.write_hr(1, 0)
            within(lambda: do[17] == 0, "from a client")


def test_read_only_access():
    """with "access": "read-only" what tools write is taken back"""
    with View({"access": "read-only"}) as d, Modbus(d.port("tcp1")) as m:
        with d.table("AO") as ao, d.table("DO") as do:
            m.write_hr(0, 5)
            within(lambda: ao[0] == 5, "shown")
            ao[0] = 6
            do[7] = 1
            within(lambda: ao[0] == 5 and do[7] == 0, "taken back")
            assert m.read_hr(0) == [5] and m.read_co(7) == [0]


def test_stop_start_restart():
    """a stop removes the objects, a start makes them with what the store has,
    a restart makes new ones"""
    with View() as d, Modbus(d.port("tcp1")) as m:
        stdin_to_modbus_shm(d.p, "ao:1:11")
        # what was written just before a stop is taken along
        d.cli("stop", "view1")
        assert d.names() == []
        assert m.read_hr(1) == [11]
        m.write_hr(2, 22)
        d.cli("start", "view1")
        with d.table("AO") as ao:
            assert ao[1:3] == [11, 22]
        d.cli("restart", "view1")
        stdin_to_modbus_shm(d.p, "ao:3:33")
        within(lambda: m.read_hr(1, 3) == [11, 22, 33], "after a restart")


def test_off_until_asked_for():
    """without such a transport, or before its start, there is no object"""
    with View({"autostart": False}) as d:
        assert d.names() == []
        d.cli("start", "view1")
        assert len(d.names()) == 5
        d.cli("stop", "view1")
        assert d.names() == []


def test_every_end_of_the_daemon():
    """no end of it leaves objects: QUIT, the supervisor's death, a stop while the
    worker is dead"""
    with View() as d:
        d.signal(signal.SIGQUIT)
        d.wait()
        assert d.names() == []
    with View() as d:
        d.orphan()
        assert len(d.names()) == 5, "they go on serving"
        os.unlink(d.ready_path)
        d.start()
        assert len(d.names()) == 5
        d.stop()
        assert d.names() == []
    with View({"restart": {"min_backoff_ms": 60000, "max_backoff_ms": 60000}}
              ) as d:
        for n in range(3):  # two are replaced at once
            pid = wait_for(lambda: d.worker_pid("view1"))
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: d.worker_pid("view1") != pid)
        assert len(d.names()) == 5, "kept while it is being replaced"
        d.cli("stop", "view1")
        assert d.names() == []
        d.stop()


def freeze(d, name):
    """Stops a worker, so that what comes waits; returns its pid."""
    pid = d.worker_pid(name)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1]
             .split()[0] == "T")
    return pid


def test_both_sides_at_once():
    """of two changes of a cell at a time the one in the object holds, and the
    store has seen both"""
    with View() as d, Modbus(d.port("tcp1")) as m, \
            Watching(d, "hr:50") as w, d.table("AO") as ao:
        pid = freeze(d, "view1")
        m.write_hr(50, 1)
        m.write_hr(51, 3)
        ao[50] = 2
        os.kill(pid, signal.SIGCONT)
        within(lambda: m.read_hr(50) == [2], "the view's")
        within(lambda: ao[50:52] == [2, 3], "the neighbour's")
        got = w.lines(5.0, 2)
        assert [g[1:] for g in got] == [["plc1/hr:50", "0", "1", "tcp1"],
                                        ["plc1/hr:50", "1", "2", "view1"]], got


def test_more_changes_than_are_kept():
    """a view that was late for more changes than the store remembers takes
    them all, and tools' writes of that time as well"""
    with View() as d, Modbus(d.port("tcp1")) as m, d.table("AO") as ao:
        pid = freeze(d, "view1")
        for i in range(1500):
            m.write_hr(100, [i] * 100)
        m.write_hr(300, 9)
        ao[400] = 7
        os.kill(pid, signal.SIGCONT)
        within(lambda: ao[100:200] == [1499] * 100 and ao[300] == 9 and
               m.read_hr(400) == [7], "all")


def test_a_death_and_a_write_meanwhile():
    """what a tool writes while the worker is dead or being replaced is not
    lost, and what it had written before is not written twice"""
    with View() as d, Modbus(d.port("tcp1")) as m, d.table("AO") as ao:
        ao[0] = 1
        within(lambda: m.read_hr(0) == [1], "before")
        inode = os.stat(f"/dev/shm/{d.p}AO").st_ino
        pid = freeze(d, "view1")
        ao[1] = 2
        m.write_hr(2, 3)
        os.kill(pid, signal.SIGKILL)
        ao[3] = 4
        m.write_hr(0, 5)
        wait_for(lambda: m.read_hr(0, 4) == [5, 2, 3, 4], 5.0, "the successor")
        wait_for(lambda: ao[:4] == [5, 2, 3, 4], 5.0, "the other way")
        assert os.stat(f"/dev/shm/{d.p}AO").st_ino == inode
        wait_for(lambda: "taken over" in d.stderr_text())


def test_killed_while_both_write():
    """a worker killed again and again loses no write of a tool and takes back
    none of a client; what each side reads of its own is what it wrote"""
    soon = {"min_backoff_ms": 1, "max_backoff_ms": 5}
    with View({"scan_ms": 1, "restart": soon}) as d, \
            Modbus(d.port("tcp1")) as m, d.table("AO") as ao, \
            d.table("DO") as do:
        end, wrong, n = threading.Event(), [], 0

        def tool():
            k = 0
            while not end.is_set():
                k = (k + 1) & 0xffff
                ao[500:600] = [k] * 100
                do[k % 2000] ^= 1
                if ao[500:600] != [k] * 100:
                    wrong.append(("tool", k, ao[500:600]))
                time.sleep(0.0005)

        def killer():
            chance = random.Random(sysutil.SEED)
            for _ in range(KILLS):
                pid = wait_for(lambda: d.worker_pid("view1"))
                time.sleep(chance.random() * 0.02)  # any instant will do
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: d.worker_pid("view1") not in (None, pid))
            end.set()

        threads = [threading.Thread(target=f) for f in (tool, killer)]
        for t in threads:
            t.start()
        try:
            while not end.is_set():
                n = (n + 1) & 0xffff
                m.write_hr(200, [n] * 100)
                if m.read_hr(200, 100) != [n] * 100:
                    wrong.append(("client", n, m.read_hr(200, 100)))
        finally:
            end.set()
            for t in threads:
                t.join()
        assert not wrong, wrong[:3]
        wait_for(lambda: ao[200:300] == [n] * 100, 5.0, "the client's last")
        wait_for(lambda: m.read_hr(500, 100) == ao[500:600], 5.0, "the tool's")
        wait_for(lambda: m.read_co(0, 2000) == do[:], 5.0, "bits")


test_killed_while_both_write.seconds = 600


def test_objects_of_others_are_left_alone():
    """objects that somebody else has made fail the transport with words, stay
    as they are, and the other transports serve"""
    p = prefix()
    path = f"/dev/shm/{p}AO"
    with open(path, "wb") as f:
        f.write(b"theirs")
    try:
        with View({"prefix": p}, ready=False) as d:
            d.wait_stderr("transport view1 failed")
            said = d.stderr_text()
            assert path in said and '"prefix"' in said, said
            port = wait_for(lambda: "transport tcp1 up" in d.stderr_text() and
                            [t["listen"] for t in d.rpc("transports.list")
                             if t["name"] == "tcp1"])[0].rpartition(":")[2]
            with Modbus(int(port)) as m:
                assert m.read_ir(0) == [7]
            with open(path, "rb") as f:
                assert f.read() == b"theirs"
            assert sorted(glob.glob(f"/dev/shm/{p}*")) == [path]
            os.unlink(path)
            d.cli("start", "view1")
            assert os.stat(path).st_size == 2020
    finally:
        for name in glob.glob(f"/dev/shm/{p}*"):
            os.unlink(name)


def test_two_daemons_and_one_prefix():
    """a second view of one prefix fails and does the first no harm"""
    with View() as d:
        with View({"prefix": d.p, "restart": {"max_in_window": 1}},
                  ready=False, guest=True) as e:
            e.wait_stderr("transport view1 failed")
            assert f"kept by process {d.worker_pid('view1')}" in \
                e.stderr_text(), e.stderr_text()
        assert len(d.names()) == 5
        stdin_to_modbus_shm(d.p, "ao:0:5")
        with Modbus(d.port("tcp1")) as m:
            within(lambda: m.read_hr(0) == [5], "the first one's")


def test_remains_of_a_daemon_that_was_killed_whole():
    """what a daemon leaves of which every process was killed is taken over:
    tools stay attached, and see what the new one's store holds"""
    with View() as d:
        with d.table("AO") as ao:
            ao[5] = 5
            with Modbus(d.port("tcp1")) as m:
                within(lambda: m.read_hr(5) == [5], "the former one")
            inode = os.stat(f"/dev/shm/{d.p}AO").st_ino
            pids = [d.pid, *d.family()]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            d.wait()
            wait_for(lambda: not any(
                sysutil.process_title(pid) for pid in pids))
            assert len(d.names()) == 5
            ao[6] = 6
            os.unlink(d.ready_path)
            d.start()
            assert os.stat(f"/dev/shm/{d.p}AO").st_ino == inode
            assert ao[5:7] == [5, 0] and ao[1000] == 48879
            with Modbus(d.port("tcp1")) as m:
                ao[7] = 7
                within(lambda: m.read_hr(5, 3) == [5, 0, 7], "the new one")
            d.stop()
            assert d.names() == []


def test_objects_of_the_former_prefix():
    """a reload gives the view another prefix while its worker is dead: what
    that has left under the former one is removed"""
    with View({"restart": {"min_backoff_ms": 60000,
                           "max_backoff_ms": 60000}}) as d:
        had = d.names()
        for n in range(1, 4):  # two of them are replaced at once
            pid = wait_for(lambda: [p for p in d.children() if
                                    sysutil.process_title(p).endswith(
                                        ": view1")], what="a worker")[0]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: d.stderr_text().count("view1: died") == n)
        assert d.names() == had
        new = prefix()
        with open(d.conf_path) as f:
            now = json.load(f)
        now["transports"]["view1"]["prefix"] = new
        with open(d.conf_path, "w") as f:
            json.dump(now, f)
        d.rpc("system.reload")
        assert len(glob.glob(f"/dev/shm/{new}*")) == len(had)
        assert d.names() == []
        d.stop()
        assert glob.glob(f"/dev/shm/{new}*") == []


def test_objects_of_another_size_are_replaced():
    """an object that somebody has cut short costs the worker, which makes a
    new one"""
    with View() as d, Modbus(d.port("tcp1")) as m:
        m.write_hr(0, 5)
        os.truncate(f"/dev/shm/{d.p}AO", 0)
        wait_for(lambda: os.stat(f"/dev/shm/{d.p}AO").st_size == 2020, 10.0,
                 "a new one")
        with d.table("AO") as ao:
            wait_for(lambda: ao[0] == 5, 5.0, "its value")
            ao[1] = 6
            wait_for(lambda: m.read_hr(0, 2) == [5, 6], 5.0, "the way back")


def test_objects_that_were_removed_are_made_again():
    """the view notices that a table, or what it remembers, was removed; who
    opens it then is heard, and what was written before is kept"""
    with View() as d, Modbus(d.port("tcp1")) as m:
        for name in ("AO", "ctl"):
            path = f"/dev/shm/{d.p}{name}"
            with d.table("AO") as ao:
                ao[0] = len(name)
                os.unlink(path)
            wait_for(lambda: os.path.exists(path) and os.stat(path).st_size,
                     10.0, "a new one")
            d.wait_stderr(f"{path} was removed or replaced")
            wait_for(lambda: len(d.names()) == 5, 10.0, "all")
            wait_for(lambda: m.read_hr(0) == [len(name)] ==
                     shm_words(d.p + "AO", 0), 10.0, "its value")
            stdin_to_modbus_shm(d.p, f"ao:1:{len(name)}")
            wait_for(lambda: m.read_hr(1) == [len(name)], 5.0, "new writes")


def test_an_object_that_was_replaced():
    """an object that another program has put in the place of ours is left
    alone, and the transport says so until it has gone"""
    with View() as d:
        path = f"/dev/shm/{d.p}AO"
        with open(path + "new", "wb") as f:
            f.write(b"theirs")
        os.rename(path + "new", path)
        d.wait_stderr(f"{path} is another program's")
        with open(path, "rb") as f:
            assert f.read() == b"theirs"
        os.unlink(path)
        d.cli("restart", "view1")
        assert len(d.names()) == 5 and os.stat(path).st_size == 2020


def misses(d):
    stats = d.rpc("stats.get")["transports"]
    return stats["view1"]["semaphore_misses"]


def test_semaphore_keeps_writes_whole():
    """with a semaphore nobody sees half of what a tool writes while it has it,
    and the view gives it back"""
    p = prefix()
    with View({"prefix": p, "semaphore": p + "sem"}) as d, \
            Modbus(d.port("tcp1")) as m, d.table("AO") as ao:
        sem = Semaphore(p + "sem")
        mode = os.stat(f"/dev/shm/sem.{p}sem").st_mode
        assert stat.S_IMODE(mode) == 0o600
        had = 0
        for n in range(1, 30):
            sem.take()
            began = time.monotonic()
            ao[0:50] = [n] * 50
            seen = m.read_hr(0, 100)
            time.sleep(0.02)  # two scans
            seen += m.read_hr(0, 100)
            now = misses(d)
            if time.monotonic() - began < 0.08:
                assert now == had, "the semaphore was not heeded"
            if now == had:  # else this one had it for more than 100 ms
                assert set(seen) == {n - 1}, "torn: %r" % (seen,)
            ao[50:100] = [n] * 50
            sem.give()
            after = m.read_hr(0, 100)
            if misses(d) == had:
                assert set(after) in ({n - 1}, {n}), "torn: %r" % (after,)
            within(lambda: m.read_hr(0, 100) == [n] * 100, "a write")
            had = misses(d)
        wait_for(lambda: sem.value() == 1, 2.0, "given back")
        sem.close()
        d.stop()
        assert not os.path.exists(f"/dev/shm/sem.{p}sem")


def test_semaphore_of_a_dead_tool():
    """a tool that died with the semaphore costs 100 ms a turn, is counted,
    and after the time-out it is given back for those who wait"""
    p = prefix()
    with View({"prefix": p, "semaphore": p + "sem", "semaphore_timeout_s": 1}
              ) as d, Modbus(d.port("tcp1")) as m, d.table("AO") as ao:
        sem = Semaphore(p + "sem")
        sem.take()
        began = time.monotonic()
        ao[0] = 1
        wait_for(lambda: m.read_hr(0) == [1], 1.0, "without the semaphore")
        assert time.monotonic() - began > 0.08, "the semaphore was not heeded"
        assert misses(d) >= 1
        wait_for(lambda: sem.value() == 1, 3.0, "given back")
        assert 0.9 < time.monotonic() - began < 25
        assert "given back in place of" in d.stderr_text()
        ao[0] = 2
        within(lambda: m.read_hr(0) == [2], "as before")
        # it was only slow: two may not have it at a time
        sem.give()
        wait_for(lambda: sem.value() == 1, 2.0, "the surplus")
        # somebody removes it
        os.unlink(f"/dev/shm/sem.{p}sem")
        wait_for(lambda: os.path.exists(f"/dev/shm/sem.{p}sem"), 3.0, "anew")
        sem.close()
        sem = Semaphore(p + "sem")
        wait_for(lambda: sem.value() == 1, 2.0, "the new one")
        sem.close()
        assert d.worker_pid("view1")
        d.stop()
        assert not os.path.exists(f"/dev/shm/sem.{p}sem")


def test_semaphore_at_a_stop():
    """what a tool has written is taken along by a stop, also while somebody
    has the semaphore, be there time to wait for it or not"""
    for drain_s in (5, 0):
        p = prefix()
        with View({"prefix": p, "semaphore": p + "sem"}) as d, \
                Modbus(d.port("tcp1")) as m, d.table("AO") as ao:
            sem = Semaphore(p + "sem")
            sem.take()
            ao[0] = 4711
            d.rpc("transports.stop", name="view1", drain_s=drain_s)
            assert m.read_hr(0) == [4711], drain_s
            assert d.names() == []
            sem.give()
            sem.close()


def test_no_semaphore_has_its_name():
    """an object that is no semaphore fails the transport with words, at once
    and not by its death, and stays as it is; so does one of another user"""
    p = prefix()
    path = f"/dev/shm/sem.{p}sem"
    for size, uid in ((0, None), (31, None), (32, 65534)):
        if uid is not None and os.geteuid() != 0:
            continue
        with open(path, "wb") as f:
            f.write(bytes(size))
        if uid is not None:
            os.chown(path, uid, -1)
        try:
            with View({"prefix": p, "semaphore": p + "sem"},
                      ready=False) as d:
                d.wait_stderr("transport view1 failed")
                said = d.stderr_text()
                assert f"semaphore /{p}sem: what has its name is no" in said, \
                    said
                assert "SIGBUS" not in said, said
                assert os.stat(path).st_size == size
                assert d.names() == []
                os.unlink(path)
                d.wait_stderr("control up was=starting")
                d.cli("start", "view1")
                assert d.worker_pid("view1")
        finally:
            if os.path.exists(path):
                os.unlink(path)


def test_semaphore_of_another_stays():
    """a semaphore that was there before is used and not removed"""
    p = prefix()
    libc = Semaphore._libc
    libc.sem_open.argtypes = None
    got = libc.sem_open(f"/{p}sem".encode(), os.O_CREAT | os.O_EXCL, 0o600, 1)
    assert got
    try:
        with View({"prefix": p, "semaphore": p + "sem"}) as d, \
                Modbus(d.port("tcp1")) as m:
            stdin_to_modbus_shm(p, "ao:0:3")
            within(lambda: m.read_hr(0) == [3], "a write")
            d.stop()
        assert os.path.exists(f"/dev/shm/sem.{p}sem")
    finally:
        os.unlink(f"/dev/shm/sem.{p}sem")


if __name__ == "__main__":
    sysutil.run()
