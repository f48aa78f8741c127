#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Modules of actions that were written for pymodbus's simulator, over TCP: what
they see and do, and what becomes of those that go wrong."""

import json
import os
import pwd
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import bench_tools
import sysutil
from sysutil import (
    BUILD, PATIENCE, Daemon, Modbus, ModbusError, process_title, wait_for)

ALIVE = """
def count(registers, inx, cell):
    count.n += 1
    cell.value = count.n


count.n = 0
custom_actions_dict = {"count": count}
"""


def act(addr, name, action=None, **more):
    """A range whose action that is."""
    return {"addr": addr, "action": dict(name=name, **(action or {})), **more}


def conf(*ranges, transports=("tcp1",), actions=None, top=None, **tables):
    return {
        **(top or {}),
        # a module is given all the time that it may have: how soon this
        # machine lets it run is not what is tested
        "actions": {"module": "acts.py", "timeout_ms": 400, **(actions or {})},
        "devices": {"plc1": {"holding_registers": list(ranges) + [
            {"addr": 1000, "value": 48879}], **tables}},
        "transports": {name: {"type": "tcp", "listen": "127.0.0.1:0"}
                       for name in transports},
    }


class Acting(Daemon):
    """A daemon with a module beside its configuration."""

    def __init__(self, module, *ranges, files=None, **keys):
        self.files = dict(files or {})
        if module is not None:
            self.files["acts.py"] = module
        ready = keys.pop("ready", True)
        super().__init__(conf(*ranges, **keys), ready=ready)

    def start(self, ready=True):
        for name, text in self.files.items():
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(text)
        super().start(ready)

    def client(self, name="tcp1"):
        return Modbus(self.port(name))

    def python(self):
        """The pid of the Python process; 0 if there is none."""
        try:
            parent = self.child("actions")
            with open(f"/proc/{parent}/task/{parent}/children") as f:
                pids = [int(p) for p in f.read().split()]
        except (KeyError, FileNotFoundError):
            return 0
        return pids[0] if pids else 0


def failed(m, addr, count=1):
    """The exception that a read is answered with; 0 without."""
    try:
        m.read_hr(addr, count)
        return 0
    except ModbusError as e:
        return e.code


def back(m, addr, timeout=15):
    """Waits until a read succeeds again; its value."""
    wait_for(lambda: not failed(m, addr), timeout, "an answer of the module")
    return m.read_hr(addr)[0]


class Beside:
    """A client that reads a register without an action all the time, each
    answer within the limit but for this machine's own lateness."""

    def __init__(self, d, limit):
        self.m, self.limit = d.client(), limit
        self.jitter = bench_tools.Jitter()
        self.worst, self.n, self.error = 0.0, 0, None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        try:
            while not self.stop.wait(0.001):
                began = time.monotonic()
                assert self.m.read_hr(1000) == [48879]
                self.worst = max(self.worst, time.monotonic() - began)
                self.n += 1
        except Exception as e:
            self.error = e

    def __enter__(self):
        self.jitter.__enter__()
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            wait_for(lambda: self.n > 10 or self.error, what="its answers")
        self.stop.set()
        self.thread.join()
        self.m.close()
        self.jitter.__exit__()
        if kind is None:
            assert self.error is None, self.error
            late = self.jitter.ms(1) / 1e3
            assert self.worst < self.limit * PATIENCE + 2 * late, (
                self.worst, late)


# ---- what a module sees and does ----

def test_counts_the_reads_of_all_transports():
    """a module counts the reads of every transport, and keeps its count"""
    with Acting(ALIVE, act(0, "count"), transports=("tcp1", "tcp2")) as d:
        with d.client() as a, d.client("tcp2") as b:
            got = [m.read_hr(0)[0] for m in (a, b, b, a, b)]
        assert got == [1, 2, 3, 4, 5], got
        aides = d.rpc("system.info")["aides"]
        assert aides == {n: d.child(n) for n in ("control", "actions")}


def test_is_read_by_a_client_of_pymodbus():
    """pymodbus's own client reads what the module says"""
    try:
        from pymodbus.client import ModbusTcpClient
    except ImportError:
        raise sysutil.Skip("no pymodbus here") from None
    with Acting(ALIVE, act(0, "count")) as d:
        client = ModbusTcpClient("127.0.0.1", port=d.port("tcp1"))
        assert client.connect()
        got = [client.read_holding_registers(0, 1, 1).registers
               for _ in range(3)]
        client.close()
        assert got == [[1], [2], [3]], got


def test_two_clients_at_a_time_lose_no_count():
    """two transports that read a value at the same time lose none of it"""
    module = """
def count(registers, inx, cell):
    cell.value = (cell.value + 1) & 0xffff
custom_actions_dict = {"count": count}
"""
    with Acting(module, act(0, "count"), transports=("tcp1", "tcp2")) as d:
        seen = [[], []]

        def read(i, name):
            with d.client(name) as m:
                seen[i] += [m.read_hr(0)[0] for _ in range(500)]

        threads = [threading.Thread(target=read, args=(i, n))
                   for i, n in enumerate(("tcp1", "tcp2"))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert all(s == sorted(s) for s in seen)
        with d.client() as m:
            assert m.read_hr(0) == [1001]


def test_does_not_undo_what_a_client_writes():
    """what a client writes during a call stays, and the call is made again"""
    module = """
import os

def add(registers, inx, cell, fifo=""):
    value = cell.value
    if value == 5:
        open(fifo, "w").close()     # somebody writes now
        open(fifo).close()
    cell.value = value + 1

custom_actions_dict = {"add": add}
"""
    folder = tempfile.mkdtemp(prefix="hf-acts-")
    try:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        with Acting(module, act(0, "add", {"fifo": fifo}, value=5),
                    transports=("tcp1", "tcp2"),
                    actions={"timeout_ms": 400}) as d:
            with d.client() as a, d.client("tcp2") as b:
                a.send(a.adu(b"\3\0\0\0\1"))
                open(fifo).close()
                b.send(b.adu(b"\6\0\0\0\x64"))  # FC 6: 100
                b.receive()
                open(fifo, "w").close()
                assert a.receive()[2] == b"\3\2\0\x65"
                assert d.rpc("registers.read", device="plc1", table="hr",
                             addr=0, count=1)["values"] == [101]
    finally:
        shutil.rmtree(folder)


SEES = """
from dataclasses import is_dataclass
from typing import Sequence


def see(registers, inx, cell, **kw):
    assert registers[inx] is cell
    assert cell.type == 2 and cell.access is False, cell
    assert kw == {"minval": -1, "rate": 0.5, "how": "x", "on": True}, kw
    assert cell.action_kwargs == kw == cell.action_parameters
    assert cell.count_write == 0
    assert cell.action == 6 and registers[1].action == 0
    assert len(registers) == 1001
    assert registers[-1].value == 48879 == registers[1000].value
    kinds = [c.type for c in registers[0:12]]
    assert kinds == [2, 2, 3, 6, 4, 6, 5, 6, 1, 0, 7, 6], kinds
    assert registers[1].access is True and registers[1].value == 7
    try:
        registers[1001]
        assert False
    except IndexError:
        pass
    assert sum(1 for c in registers if c.type) == 14, "iterates"
    seen.append(cell.count_read)
    cell.value = len(seen) * 100 + cell.count_read


seen = []
custom_actions_dict = {"see": see}
"""


def test_gets_what_the_reference_gives():
    """a function gets registers, index, cell and parameters as in pymodbus"""
    parameters = {"minval": -1, "rate": 0.5, "how": "x", "on": True}
    with Acting(SEES, act(0, "see", parameters, access="ro"),
                {"addr": 1, "value": 7}, {"addr": 2, "type": "uint32"},
                {"addr": 4, "type": "float32"},
                {"addr": 6, "type": "string", "value": "abcd"},
                {"addr": 8, "type": "bits"},
                {"addr": 10, "type": "float64"}) as d:
        with d.client() as m:
            assert [m.read_hr(0)[0] for _ in range(3)] == [100, 201, 302], (
                d.stderr_text())


def test_raw_registers_of_wide_values():
    """uint32 and float32 are two raw registers, high word first"""
    module = """
import struct

def f32(registers, inx, cell, value=0.0):
    words = struct.unpack(">HH", struct.pack(">f", value))
    registers[inx].value, registers[inx + 1].value = words

def u32(registers, inx, cell):
    value = (registers[inx].value << 16) + registers[inx + 1].value + 1
    registers[inx].value = value >> 16
    registers[inx + 1].value = value & 0xffff

custom_actions_dict = {"f32": f32, "u32": u32}
"""
    with Acting(module, act(0, "f32", {"value": 404.17}, type="float32"),
                act(2, "u32", type="uint32", count=4, values=[65535, 5])) as d:
        with d.client() as m:
            assert m.read_hr(0, 2) == [0x43ca, 0x15c3]
            assert m.read_hr(2, 4) == [1, 0, 0, 6]
            # the second half of a value alone runs nothing
            assert m.read_hr(3, 1) == [0]
            assert m.read_hr(2, 2) == [1, 1]


def test_dependent_cells():
    """other cells are read when asked for, and written when changed"""
    module = """
def total(registers, inx, cell, first=0, last=0):
    cell.value = sum(c.value for c in registers[first:last + 1])

def shift(registers, inx, cell):
    for i in range(50, 50 + 300):
        registers[i].value = registers[i].value + 1
    registers[20].value = cell.value = registers[50].value
    registers[900].value = 77     # nobody's: kept, and no harm done
    assert registers[900].value == 77

custom_actions_dict = {"total": total, "shift": shift}
"""
    with Acting(module, act(0, "total", {"first": 10, "last": 12}),
                act(1, "shift"), {"addr": 10, "count": 3, "value": 5},
                {"addr": 20, "access": "ro"},
                {"addr": 50, "count": 300, "value": 3}) as d:
        with d.client() as m:
            assert m.read_hr(0) == [15]
            m.write_hr(11, 100)
            assert m.read_hr(0, 2) == [110, 4]
            assert m.read_hr(50, 100) == [4] * 100
            assert m.read_hr(349) == [4]
            assert m.read_hr(20) == [4]
            assert d.rpc("registers.read", device="plc1", table="hr", addr=0,
                         count=2)["values"] == [110, 4], "kept"


def test_bits():
    """in a table of bits a cell is one bit"""
    module = """
def flip(registers, inx, cell):
    assert cell.type == 1
    cell.value = not cell.value
    registers[inx + 1].value = True

custom_actions_dict = {"flip": flip}
"""
    with Acting(module, coils=[act(3, "flip"), {"addr": 4, "count": 4}],
                discrete_inputs=[act(0, "flip"), {"addr": 1}]) as d:
        with d.client() as m:
            assert m.read_co(3, 5) == [1, 1, 0, 0, 0]
            assert m.read_co(3, 5) == [0, 1, 0, 0, 0]
            assert m.read_di(0, 2) == [1, 1]


def test_replaces_what_is_built_in():
    """a module may replace a built-in action; the others stay"""
    module = """
def increment(registers, inx, cell, minval=0, maxval=0):
    cell.value = 4711

custom_actions_dict = {"increment": increment}
"""
    limits = {"minval": 10, "maxval": 12}
    with Acting(module, act(0, "increment", limits),
                act(1, "random", limits)) as d:
        with d.client() as m:
            assert m.read_hr(0) == [4711]
            assert all(10 <= m.read_hr(1)[0] <= 12 for _ in range(50))


def test_a_random_module_as_documented():
    """a class with state, random numbers and time, as users write them"""
    module = """
import random
import time


class Plant:
    def __init__(self):
        self.began = time.monotonic()
        self.level = 500

    def fill(self, _registers, _inx, cell, step=1):
        self.level = min(1000, self.level + random.randint(1, step))
        cell.value = self.level

    def seconds(self, registers, inx, _cell):
        registers[inx].value = int(time.monotonic() - self.began)


plant = Plant()
custom_actions_dict = {"fill": plant.fill, "seconds": plant.seconds}
"""
    with Acting(module, act(0, "fill", {"step": 3}), act(1, "seconds")) as d:
        with d.client() as m:
            levels = [m.read_hr(0)[0] for _ in range(20)]
            assert levels == sorted(levels) and 520 <= levels[-1] <= 560
            assert m.read_hr(1)[0] < 60


def test_found_by_name_with_its_neighbours():
    """a name is imported from beside the configuration, with its siblings"""
    files = {"mine.py": "import helper\n"
                        "custom_actions_dict = {'a': helper.a}\n",
             "helper.py": "def a(registers, inx, cell):\n"
                          "    cell.value = 12\n"}
    for module in ("mine", "mine.py"):
        with Acting(None, act(0, "a"), files=files,
                    actions={"module": module}) as d:
            with d.client() as m:
                assert m.read_hr(0) == [12], d.stderr_text()


def test_prints_go_to_the_log():
    """what a module prints is in the log"""
    module = """
import logging
import sys
print("at import")

def say(registers, inx, cell):
    print("cell", inx, end="")
    print(" is read")
    print("line one\\nline two", file=sys.stderr)
    logging.warning("by logging")

custom_actions_dict = {"say": say}
"""
    with Acting(module, act(5, "say")) as d:
        with d.client() as m:
            assert m.read_hr(5) == [0]
        for line in ("info actions: at import", "info actions: cell 5 is read",
                     "warn actions: line one", "warn actions: line two",
                     "warn actions: WARNING:root:by logging"):
            d.wait_stderr(line + "\n")


def test_heeds_signals():
    """what a module starts can be ended: no signal is ignored but those that
    Python itself ignores"""
    module = """
import subprocess

def end(registers, inx, cell):
    child = subprocess.Popen(["sleep", "100"])
    child.terminate()
    try:
        cell.value = 100 - child.wait(0.2)
    except subprocess.TimeoutExpired:
        child.kill()

custom_actions_dict = {"end": end}
"""
    with Acting(module, act(0, "end"), actions={"timeout_ms": 400}) as d:
        with d.client() as m:
            def ended():  # in time, which a busy machine may not be
                try:
                    return m.read_hr(0) == [100 + signal.SIGTERM]
                except ModbusError:
                    return False
            wait_for(ended, what="the end of what it has started")
        with open(f"/proc/{d.python()}/status") as f:
            masks = dict(line.split(":") for line in f)
        # 32 and 33 are the C library's, and stay as a parent had them
        mine = sum(1 << s - 1 for s in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
        assert int(masks["SigIgn"], 16) & ~mine == 0, masks["SigIgn"]
        assert int(masks["SigBlk"], 16) == 0, masks["SigBlk"]


def test_runs_as_its_user():
    """the module runs as its user; workers of another user reach it"""
    if os.geteuid() != 0:
        raise sysutil.Skip("needs root")
    module = """
import os

def who(registers, inx, cell):
    cell.value = os.getuid()

custom_actions_dict = {"who": who}
"""
    folder = tempfile.mkdtemp(prefix="hf-acts-")
    try:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "acts.py")
        with open(path, "w") as f:
            f.write(module)
        c = conf(act(0, "who"), actions={"module": path, "user": "daemon"})
        c["transports"]["tcp1"]["user"] = "nobody"
        with Daemon(c) as d, Modbus(d.port("tcp1")) as m:
            uid = pwd.getpwnam("daemon").pw_uid
            assert m.read_hr(0) == [uid], d.stderr_text()
    finally:
        shutil.rmtree(folder)


def test_none_without_a_module():
    """without a module there is no such process"""
    c = conf(transports=("tcp1",))
    del c["actions"]
    with Daemon(c) as d:
        names = [process_title(p).split()[-1] for p in d.children()]
        assert sorted(names) == ["control", "tcp1"], names


# ---- what goes wrong ----

def test_one_that_raises():
    """an exception is 04, with a traceback once, and changes nothing"""
    module = """
def boom(registers, inx, cell):
    registers[2].value = 99
    cell.value = 1
    raise RuntimeError("no water")

def count(registers, inx, cell):
    cell.value += 1

custom_actions_dict = {"boom": boom, "count": count}
"""
    with Acting(module, act(0, "boom"), act(1, "count"), {"addr": 2}) as d:
        with d.client() as m:
            assert [failed(m, 0) for _ in range(5)] == [4] * 5
            assert m.read_hr(1, 2) == [1, 0]
        d.wait_stderr("RuntimeError: no water")
        assert d.stderr_text().count("no water") == 2  # its line, its text
        assert 'action "boom" failed at holding_registers 0' in (
            d.stderr_text())


def test_values_that_are_none():
    """what is no 16-bit number is 04"""
    module = """
def put(registers, inx, cell, what=""):
    cell.value = eval(what)

custom_actions_dict = {"put": put}
"""
    for what, good in (("65535", [65535]), ("True", [1]), ("65536", None),
                       ("-1", None), ("1.5", None), ("None", None),
                       ("'x'", None)):
        with Acting(module, act(0, "put", {"what": what})) as d:
            with d.client() as m:
                if good is None:
                    assert failed(m, 0) == 4, what
                else:
                    assert m.read_hr(0) == good, what


def test_one_that_exits():
    """sys.exit() is 04; os._exit() costs the process, which comes back"""
    module = """
import os
import sys

def leave(registers, inx, cell):
    sys.exit(3)

def vanish(registers, inx, cell):
    os._exit(3)

def pid(registers, inx, cell):
    cell.value = os.getpid() & 0xffff

custom_actions_dict = {"leave": leave, "vanish": vanish, "pid": pid}
"""
    with Acting(module, act(0, "leave"), act(1, "vanish"), act(2, "pid")) as d:
        with d.client() as m:
            was = m.read_hr(2)
            assert failed(m, 0) == 4
            assert m.read_hr(2) == was
            assert failed(m, 1) == 4
            assert [back(m, 2)] != was
        d.wait_stderr("died pid=")
        d.wait_stderr("actions of the module are back")


LOOPS = ALIVE + """
def loop(registers, inx, cell):
    while True:
        pass

custom_actions_dict["loop"] = loop
"""


def test_one_that_loops():
    """a call without end costs one timeout, says where, and is ended"""
    with Acting(LOOPS, act(0, "count"), act(1, "loop"),
                actions={"timeout_ms": 150},
                top={"hang_timeout_ms": 500}) as d:
        with d.client() as m:
            assert m.read_hr(0) == [1]
            pid = d.python()
            with Beside(d, 0.4):
                began = time.monotonic()
                assert failed(m, 1) == 4
                assert time.monotonic() - began > 0.145
                began = time.monotonic()
                for _ in range(100):  # not one of these waits: 15 s, or none
                    failed(m, 0)
                assert time.monotonic() - began < 7.5
                assert back(m, 0) >= 2  # a new one; the first was waited for
        assert not os.path.exists(f"/proc/{pid}")
        assert 'why="no answer within 150 ms"' in d.stderr_text()
        assert "in loop" in d.stderr_text(), "it says where"
        assert "hung: no sign of life" in d.stderr_text()


def test_one_that_is_slow():
    """one that is too slow holds up its worker a tenth of the time at most"""
    module = """
import time

def slow(registers, inx, cell):
    print("called")
    time.sleep(0.1)

custom_actions_dict = {"slow": slow}
"""
    with Acting(module, act(0, "slow"), actions={"timeout_ms": 20}) as d:
        with d.client() as m:
            began, called, answered = time.monotonic(), 0, 0
            # each call is waited for for 20 ms, so each 200 ms may have one
            while called < 5:
                for _ in range(100):  # a worker may have been held up itself
                    answered += failed(m, 0) != 4
                called = d.stderr_text().count("called\n")
            most = (time.monotonic() - began) / 0.2 + 1
            assert called <= most, (called, most)
            assert answered < called, (answered, called)
        assert d.python() != 0 and "died" not in d.stderr_text()


def keep_busy(module_s, timeout_ms, pause_s, limit_s):
    """Three transports that read at a time what takes so long, each until all
    have been answered three times; fails if that takes longer than the limit.
    What the log has of it."""
    module = f"""
import time

def slow(registers, inx, cell):
    time.sleep({module_s})
    cell.value = (cell.value + 1) & 0xffff

custom_actions_dict = {{"slow": slow}}
"""
    names = ("a", "b", "c")
    with Acting(module, act(0, "slow"), transports=names,
                actions={"timeout_ms": timeout_ms}) as d:
        good = dict.fromkeys(names, 0)
        end = time.monotonic() + limit_s * PATIENCE

        def read(name):
            with d.client(name) as m:
                while min(good.values()) < 3 and time.monotonic() < end:
                    if failed(m, 0):
                        time.sleep(pause_s)
                    else:
                        good[name] += 1

        threads = [threading.Thread(target=read, args=(n,)) for n in names]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert min(good.values()) >= 3, good
        return d.stderr_text()


def test_waiting_for_others_is_not_slow():
    """three transports that read at a time what takes more than half of
    timeout_ms keep the module busy: who waits too long fails, and tries again"""
    with bench_tools.Jitter() as jitter:
        log = keep_busy(0.18, 300, 0.06, 60)  # it takes some 3 s
    # what takes 225 ms is slow, be that this machine's fault
    assert "no answer within" not in log or jitter.ms(1) > 20, jitter.ms(1)


def test_none_is_begun_in_vain():
    """who has waited so long that a call would not be through any more takes
    it back: the others get its turn, and all of them get on"""
    try:
        with bench_tools.Jitter() as jitter:
            keep_busy(0.22, 400, 0, 120)  # it takes some 5 s
    except AssertionError:
        if jitter.ms(1) < 100:
            raise
        # what takes 220 ms has not been through within 400
        raise sysutil.Skip("this machine is too late") from None


def test_one_that_may_take_its_time():
    """timeout_ms is for all values of a request together"""
    module = """
import time

def slow(registers, inx, cell):
    time.sleep(0.05)
    cell.value = 1

custom_actions_dict = {"slow": slow}
"""
    with Acting(module, act(0, "slow", count=100),
                actions={"timeout_ms": 400}) as d:
        with d.client() as m:
            for _ in range(3):  # each request waits anew
                wait_for(lambda: not failed(m, 0, 3), what="three values")
                assert m.read_hr(0) == [1]
            began = time.monotonic()
            assert failed(m, 0, 100) == 4
            # all of them take 5 s, and 400 ms each 40
            assert time.monotonic() - began < 4
        assert "hung" not in d.stderr_text()


def bad_module(text, *words):
    """A daemon serves without such a module, and the log says why."""
    name = "acts.py" if text is not None else "no_such_module"
    with Acting(text, act(0, "count"), act(1, "random"),
                actions={"module": name}) as d:
        for word in words:
            d.wait_stderr(word)
        with d.client() as m:
            assert m.read_hr(1000) == [48879]
            assert failed(m, 0) == 4
            began = time.monotonic()
            for _ in range(50):  # nobody is waited for: 20 s, or none
                assert failed(m, 0) == 4
            assert time.monotonic() - began < 10
            assert not failed(m, 1)


def test_modules_that_cannot_be_loaded():
    """a module that cannot be loaded is one clear line; all else serves"""
    bad_module(None, "error actions: cannot load no_such_module: "
                     "ModuleNotFoundError: No module named 'no_such_module'")
    bad_module("x = 1\nx = = 2\n", "SyntaxError: invalid syntax",
               "acts.py, line 2)")
    bad_module("1 / 0\n", "ZeroDivisionError: division by zero")
    bad_module("import sys\nsys.exit(1)\n", "SystemExit: 1")
    bad_module("actions = {}\n", "it has no dict custom_actions_dict")
    bad_module("custom_actions_dict = {'count': 7}\n",
               "'count' in custom_actions_dict is no function")


def test_a_module_is_mended_while_the_daemon_serves():
    """a module that was mended is loaded with the next try"""
    with Acting("1 / 0\n", act(0, "count")) as d:
        with open(os.path.join(d.dir, "acts.py"), "w") as f:
            f.write(ALIVE)
        with d.client() as m:
            assert back(m, 0) >= 1


def test_an_action_that_nobody_has():
    """a name that the module does not have is 04 and in the log"""
    with Acting(ALIVE, act(0, "cuont"), act(1, "count")) as d:
        with d.client() as m:
            assert failed(m, 0) == 4
            assert failed(m, 0) == 4
            assert m.read_hr(1) == [1]
        d.wait_stderr('the module has no action "cuont"')
        assert d.stderr_text().count("cuont") == 1


def test_no_such_python():
    """a Python that is not there is said"""
    with Acting(ALIVE, act(0, "count"),
                actions={"python": "no-python-here"}) as d:
        d.wait_stderr("cannot run no-python-here: No such file")
        with d.client() as m:
            assert failed(m, 0) == 4 and m.read_hr(1000) == [48879]


def check(**actions):
    """What --check-config says of that section, and its exit code."""
    folder = tempfile.mkdtemp(prefix="hf-acts-")
    try:
        path = os.path.join(folder, "c.json")
        top = actions.pop("top", {})
        with open(path, "w") as f:
            json.dump({**conf(actions=actions), **top}, f)
        with open(os.path.join(folder, "acts.py"), "w") as f:
            f.write(ALIVE)
        done = subprocess.run(
            [os.path.join(BUILD, "holdfastd"), "-t", "-c", path],
            capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    finally:
        shutil.rmtree(folder)


def test_mistakes_of_the_configuration():
    """mistakes in "actions" are told before anything starts"""
    assert check()[0] == 0
    for keys, words in (
            ({"module": "gone.py"}, "gone.py: No such file"),
            ({"timeout_ms": 401}, "400"), ({"timeout_ms": 0}, "1"),
            ({"user": "nobody-of-this-name"}, "no user"),
            ({"custom_actions_module": "x"}, 'did you mean "module"?'),
            ({"top": {"custom_actions_module": "x"}},
             'did you mean "actions"?')):
        code, said = check(**keys)
        assert code == 78 and words in said, (keys, code, said)


# ---- kills ----

def test_killed_while_clients_read():
    """killed again and again: others do not notice, the value comes back"""
    with Acting(ALIVE, act(0, "count")) as d:
        with d.client() as m, Beside(d, 0.3):
            for _ in range(4):
                back(m, 0)
                pid = d.python()
                fd = os.pidfd_open(pid)
                os.kill(pid, signal.SIGKILL)
                while not failed(m, 0) and d.python() in (0, pid):
                    pass
                began = time.monotonic()
                for _ in range(50):  # the dead one is not waited for
                    failed(m, 0)
                took = time.monotonic() - began
                assert took < 50 * 0.4 / 2, took
                os.close(fd)
            back(m, 0)


def test_its_keeper_is_killed():
    """the actions process is replaced, and takes its Python with it"""
    with Acting(ALIVE, act(0, "count")) as d:
        with d.client() as m:
            assert m.read_hr(0) == [1]
            python, keeper = d.python(), d.child("actions")
            fd = os.pidfd_open(python)
            os.kill(keeper, signal.SIGKILL)
            assert select.select([fd], [], [], 100)[0], "it lives on"
            os.close(fd)
            wait_for(lambda: d.python() not in (0, python), 10, "a new one")
            assert d.child("actions") != keeper
            assert back(m, 0) >= 1


def test_a_call_without_end_ends_with_its_keeper():
    """a Python in a call without end does not outlive its killed keeper"""
    with Acting(LOOPS, act(0, "count"), act(1, "loop")) as d:
        with d.client() as m:
            assert failed(m, 1) == 4
            fd = os.pidfd_open(d.python())
            os.kill(d.child("actions"), signal.SIGKILL)
            gone, _, _ = select.select([fd], [], [], 100)
            os.close(fd)
            assert gone, "it loops on"
            assert back(m, 0) >= 1


def test_a_stopped_keeper_is_found():
    """an actions process that stands still is replaced as a worker would be"""
    with Acting(ALIVE, act(0, "count"), top={"hang_timeout_ms": 300}) as d:
        keeper = d.child("actions")
        os.kill(keeper, signal.SIGSTOP)
        d.wait_stderr("actions: died", 20)
        assert "hung: no sign of life" in d.stderr_text()
        with d.client() as m:
            assert back(m, 0) >= 1


def test_a_dead_daemon_leaves_none():
    """when the daemon is killed nothing of the module lives on"""
    with Acting(ALIVE, act(0, "count")) as d:
        fd = os.pidfd_open(d.python())
        d.kill()
        gone, _, _ = select.select([fd], [], [], 100)
        os.close(fd)
        assert gone, "python outlives the daemon"


def test_stops_in_the_middle_of_a_call():
    """a stop does not wait for a call without end"""
    with Acting(LOOPS, act(1, "loop")) as d:
        with d.client() as m:
            assert failed(m, 1) == 4
            python = d.python()
            began = time.monotonic()
            d.stop()
            assert time.monotonic() - began < 40
            assert not os.path.exists(f"/proc/{python}")


def test_a_stranger_is_not_heard():
    """bytes that are no message end their connection, not the module"""
    with Acting(ALIVE, act(0, "count")) as d:
        path = os.path.join(d.run_dir, "actions.sock")
        for junk in (b"x", b"\0" * 88, struct.pack("=6I64s", 2, 1, 9, 9, 9, 0,
                                                    b"plc1"),
                     struct.pack("=6I64sH", 2, 1, 2, 70000, 1, 0, b"plc1", 1)):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(100)
                s.connect(path)
                assert len(s.recv(1000)) == 88, "a greeting"
                s.send(junk)
                s.recv(1000)
        with d.client() as m:
            assert m.read_hr(0) == [1]
        assert d.python() != 0 and "died" not in d.stderr_text()


if __name__ == "__main__":
    sysutil.run()
