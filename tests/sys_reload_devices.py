#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reload changes devices while they are served: ranges come and go, values
stay by their addresses, nobody's request fails and none is done twice.

    sys_reload_devices.py [WORD...] [--rounds=N]	(6; make torture takes 100)
"""
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import (  # noqa: E402
    BUILD, Daemon, Modbus, ModbusError, RpcError, wait_for)

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 6)
COUNTERS = 1000  # of plc1: each reading counts one up


def conf(**more):
    tcp = {"type": "tcp", "listen": "127.0.0.1:0"}
    return {
        "devices": {
            "plc1": {"holding_registers": [
                {"addr": 0, "count": 100},
                {"addr": COUNTERS, "count": 8, "action": {
                    "name": "increment", "minval": 0, "maxval": 65535}}]},
            "plc2": {"holding_registers": [{"addr": 0, "count": 100}],
                     "coils": [{"addr": 0, "count": 32}]},
        },
        "transports": {
            "one": {**tcp, "units": {"1": "plc1", "2": "plc2"}},
            "two": {**tcp, "units": {"1": "plc1"}, "workers": 2},
            "other": {**tcp, "units": {"2": "plc2"}},
        },
        **more,
    }


def edit(d, change):
    """Has the file say something else."""
    with open(d.conf_path) as f:
        now = json.load(f)
    change(now)
    with open(d.conf_path, "w") as f:
        json.dump(now, f)


def ranges(n, device="plc1", table="holding_registers"):
    """As many more ranges as are asked for, each of a hundred."""
    def change(c):
        t = [r for r in c["devices"][device].get(table, [])
             if not 2000 <= r["addr"] < 20000]
        t += [{"addr": 2000 + 100 * i, "count": 50, "value": 7}
              for i in range(n)]
        c["devices"][device][table] = t
    return change


def reload_(d):
    return d.rpc("system.reload")


def pid_of(d, title):
    for pid in d._leftovers():
        if sysutil.process_title(pid) == f"holdfastd: {title}":
            return pid
    return None


def refused(code, ask, *args, **kw):
    try:
        ask(*args, **kw)
    except ModbusError as e:
        assert e.code == code, e.code
        return
    raise AssertionError("it was not refused")


class Load:
    """A client that counts up in a register of its own and reads it back, and
    has a register counted up that nobody else reads. Whatever is not as it
    should be, twice done or not at all, is an error."""

    def __init__(self, port, n, unit=1, counts=True):
        self.modbus, self.n, self.unit = Modbus(port, unit=unit), n, unit
        self.counts = counts
        self.done, self.error, self.stop, self.last = 0, None, False, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.stop:
                value = (self.done + 1) & 0xffff
                self.modbus.write_hr(self.n, value)
                got = self.modbus.read_hr(self.n, 1)
                assert got == [value], (got, value)
                if self.counts:
                    got = self.modbus.read_hr(COUNTERS + self.n, 1)[0]
                    # after the greatest comes the least
                    assert self.last in (None, got - 1, got + 65535), (
                        self.last, got)
                    self.last = got
                self.done += 1
        except Exception as e:  # told by end()
            self.error = e

    def more(self):
        """Until it has been answered once more, and again."""
        was = self.done
        wait_for(lambda: self.error or self.done > was + 1, timeout=60)

    def end(self):
        self.stop = True
        self.thread.join()
        self.modbus.close()
        assert self.error is None, self.error
        assert self.done > 0


def loads(d):
    """On what is concerned when plc1 changes, and on what is not."""
    return [Load(d.port("one"), 1), Load(d.port("one"), 2),
            Load(d.port("two"), 3), Load(d.port("two"), 4),
            Load(d.port("other"), 5, unit=2, counts=False)]


def test_ranges_are_added_and_removed():
    """values stay by their addresses; what is new begins as configured; what
    is gone is answered 02"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        pid, untouched = pid_of(d, "one"), pid_of(d, "other")
        for a in range(0, 100):
            m.write_hr(a, 3 * a)
        refused(2, m.read_hr, 2000, 1)
        edit(d, ranges(1))
        said = reload_(d)
        assert said["changed"] == ["device plc1"], said
        assert sorted(said["restarted"]) == ["transport one",
                                             "transport two"], said
        assert m.read_hr(0, 100) == [3 * a for a in range(100)]
        assert m.read_hr(2000, 50) == [7] * 50
        m.write_hr(2049, 8)
        edit(d, lambda c: c["devices"]["plc1"].update(
            holding_registers=[{"addr": 10, "count": 5},
                               {"addr": 50, "count": 2000}]))
        reload_(d)
        assert m.read_hr(10, 5) == [3 * a for a in range(10, 15)]
        assert m.read_hr(50, 60) == [3 * a for a in range(50, 100)] + 10 * [0]
        assert m.read_hr(2049, 1) == [8]
        refused(2, m.read_hr, 15, 1)
        refused(2, m.write_hr, 9, 1)
        m.write_hr(15 + 50, 4711)
        assert pid_of(d, "other") == untouched
        assert pid_of(d, "one") not in (None, pid)
        assert not d.rpc("config.check")["changed"]


def test_nobody_notices():
    """under load: no connection ends, no request fails, none is done twice,
    however often the ranges change"""
    with Daemon(conf()) as d:
        load = loads(d)
        for n in range(ROUNDS):
            edit(d, ranges(1 + n % 3))
            assert reload_(d)["changed"] == ["device plc1"]
            for one in load:
                one.more()
        for one in load:
            one.end()
        with Modbus(d.port("one")) as m:
            for one in load[:-1]:
                assert m.read_hr(one.n, 1) == [one.done & 0xffff]


test_nobody_notices.seconds = 120 + 5 * ROUNDS


def test_devices_are_added_and_removed():
    """one comes with a unit of a transport, and goes again; the others have
    what they had, wherever they stand in the file"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        load = loads(d)
        m.write_hr(50, 55)
        m.write_hr(50, 66, unit=2)

        def add(c):
            c["devices"] = {"plc0": {"holding_registers": [
                {"addr": 0, "count": 10, "value": 9}]}, **c["devices"]}
            c["transports"]["one"]["units"]["7"] = "plc0"
        refused(11, m.read_hr, 0, 1, unit=7)
        edit(d, add)
        said = reload_(d)
        assert said["added"] == ["device plc0"], said
        assert said["changed"] == ["transport one"], said
        assert m.read_hr(0, 2, unit=7) == [9, 9]
        m.write_hr(0, 10, unit=7)
        assert m.read_hr(50, 1) == [55]
        assert m.read_hr(50, 1, unit=2) == [66]

        def take(c):
            del c["devices"]["plc0"]
            del c["transports"]["one"]["units"]["7"]
        edit(d, take)
        said = reload_(d)
        assert said["removed"] == ["device plc0"], said
        refused(11, m.read_hr, 0, 1, unit=7)
        assert not [o for o in sysutil.shm_objects(d.store) if "plc0" in o]
        edit(d, add)
        reload_(d)
        assert m.read_hr(0, 2, unit=7) == [9, 9], "it is a new one"
        assert m.read_hr(50, 1) == [55]
        for one in load:
            one.more()
            one.end()


def test_there_is_room_for_some_more():
    """more than a reload may add are refused as a whole, with the reason"""
    with Daemon(conf()) as d, Modbus(d.port("other"), unit=2) as m:
        def add(n):
            def change(c):
                c["devices"].update({f"more{i}": {"coils": [
                    {"addr": 0, "count": 8}]} for i in range(n)})
            return change
        was = sysutil.shm_objects(d.store)
        edit(d, add(17))
        try:
            reload_(d)
            raise AssertionError("there is room for 17 more")
        except RpcError as e:
            assert "room for no more" in str(e), str(e)
        assert sorted(sysutil.shm_objects(d.store)) == sorted(was)
        edit(d, lambda c: [c["devices"].pop("more16"),
                           c["transports"]["other"]["units"].update(
                               {str(100 + i): f"more{i}"
                                for i in range(16)})])
        assert len(reload_(d)["added"]) == 16
        m.write_coil(3, True, unit=115)
        assert m.read_co(0, 8, unit=115) == [0, 0, 0, 1, 0, 0, 0, 0]
        assert m.read_co(0, 8, unit=114) == [0] * 8


def test_what_is_said_of_a_device_changes():
    """rights, names, identity, one array behind all tables: values stay"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        m.write_hr(5, 0x8001)
        edit(d, lambda c: c["devices"]["plc1"]["holding_registers"].__setitem__(
            0, {"addr": 0, "count": 100, "access": "ro", "name": "flow"}))
        reload_(d)
        refused(2, m.write_hr, 5, 1)
        assert m.read_hr(5, 1) == [0x8001]
        edit(d, lambda c: c["devices"]["plc1"].update(
            identity={"VendorName": "Acme"}))
        inode = os.stat(f"/dev/shm/holdfast-{d.store}.device.plc1").st_ino
        assert reload_(d)["changed"] == ["device plc1"]
        assert b"Acme" in m.call(bytes([0x2b, 14, 1, 0]))
        # the registers are as they were, so nothing was copied
        assert os.stat(
            f"/dev/shm/holdfast-{d.store}.device.plc1").st_ino == inode
        edit(d, lambda c: c["devices"]["plc1"].update(shared_blocks=True))
        reload_(d)
        assert m.read_hr(5, 1) == [0x8001]
        assert m.read_co(80, 16) == [1] + 14 * [0] + [1]
        edit(d, lambda c: c["devices"]["plc1"].update(shared_blocks=False))
        reload_(d)
        assert m.read_hr(5, 1) == [0x8001]
        refused(2, m.read_co, 80, 16)


def test_a_bad_file_changes_nothing():
    """nor does what cannot change, with whatever stands beside it"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        with open(d.conf_path) as f:
            good = f.read()
        was = sorted(sysutil.shm_objects(d.store)), sorted(d._leftovers())

        def bad(change, word):
            with open(d.conf_path, "w") as f:
                f.write(good)
            edit(d, ranges(1))
            edit(d, change)
            try:
                reload_(d)
                raise AssertionError(word)
            except RpcError as e:
                assert word in str(e), str(e)
        bad(lambda c: c["devices"]["plc1"]["holding_registers"].append(
            {"addr": 99, "count": 2}), "overlap")
        bad(lambda c: c["devices"]["plc1"].update(nonsense=1), "nonsense")
        bad(lambda c: c.update(store={"name": "another"}), "store")
        bad(lambda c: c["devices"].pop("plc2"), "plc2")
        assert was == (sorted(sysutil.shm_objects(d.store)),
                       sorted(d._leftovers()))
        refused(2, m.read_hr, 2000, 1)
        m.write_hr(0, 1)


def test_a_successor_takes_it_over():
    """kill -9 of the supervisor after it: the next one finds the same devices,
    and can change them again"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        m.write_hr(9, 99)
        edit(d, ranges(2))
        edit(d, lambda c: c["devices"].update(
            a={"coils": [{"addr": 0, "count": 1}]}))
        reload_(d)
        m.write_hr(2149, 98)
        pid = pid_of(d, "one")
        d.orphan()
        assert m.read_hr(9, 1) == [99]
        os.unlink(d.ready_path)
        d.start()
        assert "taking over" in d.stderr_text(), d.stderr_text()
        assert pid_of(d, "one") == pid
        edit(d, ranges(3))
        reload_(d)
        assert m.read_hr(9, 1) == [99]
        assert m.read_hr(2149, 1) == [98]
        assert m.read_hr(2249, 1) == [7]


class Stubborn(threading.Thread):
    """Writes ever greater numbers over whatever connection it can get, and
    knows which was answered."""

    def __init__(self, d, n):
        super().__init__()
        self.d, self.n, self.stop, self.error = d, n, False, None
        self.port = d.port("one")
        self.acked = self.tried = 0
        self.start()

    def run(self):
        try:
            while not self.stop:
                try:
                    with Modbus(self.port) as m:
                        self.go_on(m)
                except (OSError, EOFError):
                    pass  # a killed supervisor may cost the connection
        except Exception as e:  # told by end()
            self.error = e

    def go_on(self, m):
        high, low = m.read_hr(2 * self.n, 2)
        got = high << 16 | low
        assert self.acked <= got <= self.tried, (self.acked, got, self.tried)
        while not self.stop:
            self.tried += 1
            m.write_hr(2 * self.n, [self.tried >> 16, self.tried & 0xffff])
            self.acked = self.tried

    def more(self):
        was = self.acked
        wait_for(lambda: self.error or self.acked > was + 1, timeout=60)

    def end(self):
        self.stop = True
        self.join()
        assert self.error is None, self.error


def restart(d):
    """Another supervisor, at the ports that the former one had."""
    if os.path.exists(d.ready_path):
        os.unlink(d.ready_path)
    d.start()


def test_killed_in_the_middle_of_it():
    """kill -9 of the supervisor at any moment of a reload: what was answered
    is there, before and after the next one has started, and that serves what
    the file says"""
    c = conf()
    for name in "one", "two", "other":
        c["transports"][name]["listen"] = f"127.0.0.1:{sysutil.free_port()}"
    with Daemon(c) as d:
        clients = [Stubborn(d, n) for n in range(4)]
        for n in range(2 * ROUNDS):
            for one in clients:
                one.more()
            edit(d, ranges(1 + n % 3))
            os.kill(d.pid, signal.SIGHUP)
            # some moment from before it begins until after it
            time.sleep(n * 0.012 / ROUNDS)
            d.orphan()
            restart(d)
            for one in clients:
                one.more()
            with Modbus(d.port("one")) as m:
                assert m.read_hr(2000 + 100 * (n % 3), 50) == [7] * 50
                refused(2, m.read_hr, 2000 + 100 * (1 + n % 3), 1)
            assert not d.rpc("config.check")["changed"]
        for one in clients:
            one.end()


test_killed_in_the_middle_of_it.seconds = 120 + 10 * ROUNDS


def test_a_worker_that_dies_in_it():
    """kill -9 of workers and of control while it goes on: nobody notices"""
    with Daemon(conf()) as d:
        load = loads(d)
        for n in range(ROUNDS):
            edit(d, ranges(1 + n % 3))
            os.kill(d.pid, signal.SIGHUP)
            for title in "one", "two/0", "control"[:7 * (n % 2)]:
                sysutil.slay(pid_of(d, title))
            # one that comes while it goes on is not begun
            wait_for(lambda: d.stderr_text().count(
                "new configuration is in force") > n, timeout=60)
            with Modbus(d.port("one")) as m:
                assert m.read_hr(2000 + 100 * (n % 3), 1) == [7]
            for one in load:
                one.more()
        for one in load:
            one.end()


test_a_worker_that_dies_in_it.seconds = 120 + 5 * ROUNDS


class Handle:
    """A program that has attached to the store."""

    def __init__(self, d, name="plc1"):
        self.lib = ctypes.CDLL(os.path.join(BUILD, "libholdfast.so"),
                               use_errno=True)
        for f in ("hf_store_attach", "hf_store_device"):
            getattr(self.lib, f).restype = ctypes.c_void_p
        self.s = ctypes.c_void_p(self.lib.hf_store_attach(d.store.encode()))
        assert self.s, ctypes.get_errno()
        self.d = ctypes.c_void_p(
            self.lib.hf_store_device(self.s, name.encode()))
        assert self.d, ctypes.get_errno()

    def _do(self, call, fc, addr, values):
        if getattr(self.lib, call)(self.d, fc, addr, len(values), values) < 0:
            raise OSError(ctypes.get_errno(), call)
        return list(values)

    def get(self, addr, n=1):
        return self._do("hf_get_values", 3, addr, (ctypes.c_uint16 * n)())

    def set(self, addr, value):
        self._do("hf_set_values", 16, addr, (ctypes.c_uint16 * 1)(value))

    def free(self):
        self.lib.hf_store_free(self.s)


def stale(call, *args):
    try:
        call(*args)
    except OSError as e:
        assert e.errno == errno.ESTALE, e
        return
    raise AssertionError("it is not told")


def test_programs_that_have_attached():
    """are told that the device has other ranges by now, and lose nothing; what
    has not changed goes on"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        one, two = Handle(d), Handle(d, "plc2")
        one.set(5, 55)
        two.set(6, 66)
        edit(d, ranges(1))
        reload_(d)
        stale(one.get, 5)
        stale(one.set, 5, 56)
        assert m.read_hr(5, 1) == [55]
        two.set(6, 67)
        assert two.get(6) == [67]
        assert m.read_hr(6, 1, unit=2) == [67]
        one.free()
        one = Handle(d)
        assert one.get(5) == [55]
        one.set(2049, 1)
        assert m.read_hr(2049, 1) == [1]

        def away(c):
            del c["devices"]["plc1"]
            for t in "one", "two":
                c["transports"][t]["units"] = {"2": "plc2"}
        edit(d, away)
        reload_(d)
        stale(one.get, 5)
        assert two.get(6) == [67]
        one.free()
        one = Handle(d, "plc2")
        assert one.get(6) == [67]
        one.free()
        two.free()


def test_a_program_that_writes_all_the_time():
    """and attaches again when it is told to: every write that it was told of
    is there"""
    with Daemon(conf()) as d:
        stop, told, wrong = threading.Event(), [0, 0], []

        def program():
            h = Handle(d)
            try:
                while not stop.is_set():
                    try:
                        h.set(50, (told[0] + 1) & 0xffff)
                        told[0] += 1
                        assert h.get(50) == [told[0] & 0xffff]
                    except OSError as e:
                        if e.errno == errno.EBUSY:
                            continue
                        assert e.errno == errno.ESTALE, e
                        h.free()
                        h = Handle(d)
                        told[1] += 1
                        # a write may be done and then not be readable there
                        assert h.get(50) == [told[0] & 0xffff]
                h.free()
            except Exception as e:
                wrong.append(repr(e))
        thread = threading.Thread(target=program)
        thread.start()
        for n in range(ROUNDS):
            was = told[:]
            wait_for(lambda: wrong or told[0] > was[0] + 10)
            edit(d, ranges(1 + n % 3))
            reload_(d)
            wait_for(lambda: wrong or told[1] > was[1])
        stop.set()
        thread.join()
        assert not wrong, wrong


test_a_program_that_writes_all_the_time.seconds = 120 + 5 * ROUNDS


def test_durable_ranges():
    """a write to one is on the disk once it is answered, also while the device
    and what saves it are made anew"""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as where:
        path = os.path.join(where, "plant.snap")
        c = conf(store={"snapshot": {"path": path, "interval_s": 3600}})
        c["devices"]["plc1"]["holding_registers"].append(
            {"addr": 500, "count": 10, "durable": True})
        c["devices"]["plc2"]["holding_registers"].append(
            {"addr": 500, "count": 10, "durable": True})
        with Daemon(c) as d:
            load = [Load(d.port("one"), 501, counts=False),
                    Load(d.port("two"), 502, counts=False),
                    Load(d.port("other"), 503, unit=2, counts=False)]
            for n in range(ROUNDS):
                edit(d, ranges(1 + n % 3))
                reload_(d)
                for one in load:
                    one.more()
            for one in load:
                one.end()
            d.cut()
            restart(d)
            with Modbus(d.port("one")) as m:
                for one, unit in zip(load, (1, 1, 2)):
                    assert m.read_hr(one.n, 1, unit=unit) == [
                        one.done & 0xffff]


test_durable_ranges.seconds = 120 + 5 * ROUNDS


def test_udp_goes_on():
    """with its socket; the values are there"""
    c = conf()
    c["transports"]["udp"] = {"type": "udp", "listen": "127.0.0.1:0",
                              "units": {"1": "plc1"}}
    with Daemon(c) as d, Modbus(d.port("one")) as m, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.settimeout(30)
        u.connect(("127.0.0.1", d.port("udp")))
        m.write_hr(3, 33)
        for n in range(3):
            edit(d, ranges(1 + n))
            reload_(d)
            u.send(struct.pack(">HHHBBHH", n, 0, 6, 1, 3, 3, 1))
            assert u.recv(300)[-2:] == struct.pack(">H", 33)
            u.send(struct.pack(">HHHBBHH", n, 0, 6, 1, 3, 2000 + 100 * n, 1))
            assert u.recv(300)[-2:] == struct.pack(">H", 7)


def test_control_follows():
    """what is asked for over ZeroMQ finds the device as it is, and events go
    on"""
    with Daemon(conf()) as d, Modbus(d.port("one")) as m:
        m.write_hr(5, 5)
        assert d.rpc("registers.read", device="plc1", table="hr",
                     addr=5)["values"] == [5]
        edit(d, ranges(1))
        edit(d, lambda c: c["devices"].update(
            a={"holding_registers": [{"addr": 0, "count": 2}]}))
        reload_(d)
        assert d.rpc("registers.read", device="plc1", table="hr",
                     addr=5)["values"] == [5]
        d.rpc("registers.write", device="plc1", table="hr", addr=2001,
              values=[4711])
        assert m.read_hr(2001, 1) == [4711]
        assert d.rpc("registers.read", device="a", table="hr",
                     addr=0, count=2)["values"] == [0, 0]
        assert sorted(x["name"] for x in d.rpc("devices.list")) == [
            "a", "plc1", "plc2"]
        edit(d, lambda c: c["devices"].pop("a"))
        reload_(d)
        try:
            d.rpc("registers.read", device="a", table="hr", addr=0)
            raise AssertionError("it is still there")
        except RpcError:
            pass
        assert d.rpc("registers.read", device="plc2", table="hr",
                     addr=0)["values"] == [0]


if __name__ == "__main__":
    sysutil.run()
