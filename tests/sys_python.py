#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast.py against a daemon: registers, blocks, events, command line."""

import array
import ast
import asyncio
import contextlib
import inspect
import itertools
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import sysutil
from python_case import (CONF, HOLDFAST_PY, Publisher, Running, TWO, command,
                         holdfast, refused, served)
from sysutil import BUILD, Daemon, Modbus


# ---- one description of the methods ----

def test_both_clients_have_the_same_methods():
    """what Client has AsyncClient has too: the same functions, once"""
    own = {n for n in vars(holdfast.Client) if not n.startswith("_")}
    assert own == {"close"}, own
    for name in dir(holdfast.Client):
        if name.startswith("_") or name in own:
            continue
        assert getattr(holdfast.Client, name) is getattr(
            holdfast.AsyncClient, name), name
        assert getattr(holdfast.Client, name).__doc__, name
    assert inspect.signature(holdfast.Client.__init__).parameters == \
        inspect.signature(holdfast.AsyncClient.__init__).parameters
    said = str(inspect.signature(holdfast.Client.read))
    assert said.endswith("-> 'List[Value]'"), said


def test_every_method_of_the_daemon_is_called():
    """each method of system.methods has one here, and it works, with both
    clients"""
    called = {}

    def spied(hf):
        asked = hf._ask
        of_this = called[type(hf)] = set()

        def ask(method, *args, **kwargs):
            of_this.add(method)
            return asked(method, *args, **kwargs)
        hf._ask = ask
        return hf

    def script(hf, d):
        # each step is a result, or what is awaited for one
        yield hf.ping(), lambda r: r is None
        yield hf.info(), lambda r: r["store"] == d.store
        yield hf.methods(), lambda r: len(r) > 10
        yield hf.devices(), lambda r: r[0]["name"] == "plc1"
        yield hf.describe(), lambda r: r[0] == holdfast.Range(
            "co", 0, 2048, "rw", "bits", "abcd", None, None, 1, None)
        yield hf.write("hr", 5, [1, 2]), lambda r: r > 0
        yield hf.read("hr", 5, 2), lambda r: r == [1, 2]
        yield hf.transports(), lambda r: r[0]["state"] == "up"
        yield hf.wait_ready(5), lambda r: r is None
        yield hf.connections(), lambda r: len(r) == 1
        yield hf.trace("tcp1"), lambda r: len(r["frames"]) >= 2
        yield hf.stats(), lambda r: r["transports"]["tcp1"]["up"]
        yield hf.close_connections(transport="tcp1"), lambda r: r is None
        yield hf.connections("tcp1"), lambda r: r == []
        yield hf.counts("hr", 5, 2), lambda r: r["reads"] == [0, 0]
        yield hf.quarantine(), lambda r: r == []
        yield hf.quarantine("tcp1"), lambda r: r == []
        yield hf.lift_quarantine(), lambda r: r == {"lifted": 0}
        yield hf.set_trace(True), lambda r: r["on"] == ["tcp1"]
        yield hf.log(limit=1), lambda r: len(r["lines"]) == 1
        yield hf.add_fault(delay_ms=1, unit=99), lambda r: r["id"] > 0
        yield hf.faults(), lambda r: r[0]["unit"] == 99
        yield hf.clear_faults(), lambda r: r is None or r["cleared"] == 1
        yield hf.config(), lambda r: "devices" in r["text"]
        yield hf.check_config(), lambda r: r["ok"]
        yield hf.snapshot_save("t.snap"), lambda r: r["devices"] == 1
        yield hf.snapshot_load("t.snap"), lambda r: \
            os.unlink(r["path"]) is None and r["unfit"] == []
        yield hf.reload(), lambda r: r["added"] == []
        yield hf.restart("tcp1"), lambda r: r["state"] == "up"
        yield hf.stop("tcp1", drain_s=0.5), lambda r: r["state"] == "stopped"
        yield hf.start("tcp1"), lambda r: r["state"] == "up"
        yield hf.call("system.ping"), lambda r: r == {}

    def compare(got, true):
        assert true(got), got

    async def awaited(d):
        async with holdfast.AsyncClient(d.endpoint) as hf:
            for step, true in script(spied(hf), d):
                compare(await step, true)

    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(0, 1)
        asyncio.run(awaited(d))
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m, \
            holdfast.Client(d.endpoint) as hf:
        m.read_hr(0, 1)
        for step, true in script(spied(hf), d):
            compare(step, true)
        names = {m["name"] for m in hf.methods()}
        with hf.transaction() as t:
            t.hr[0] = 1
        os.unlink(d.ready_path)
        hf.upgrade()
        sysutil.wait_for(lambda: os.path.exists(d.ready_path))
        hf.shutdown()
        assert d.wait() == 0
    called[holdfast.AsyncClient] |= {
        "registers.transaction", "system.upgrade", "system.shutdown"}
    for kind, its in called.items():
        assert its >= names, (kind, names - its)


# ---- registers ----

def test_slices_of_all_tables():
    """indices and slices of the four tables read and write what is there"""
    with served() as (d, hf), Modbus(d.port("tcp1")) as m:
        plc = hf["plc1"]
        plc.hr[100:104] = [1, 2, 3, 4]
        plc.hr[104] = 0xffff
        assert m.read_hr(100, 5) == [1, 2, 3, 4, 0xffff]
        m.write_hr(101, 77)
        assert plc.hr[101] == 77 and plc.hr[100:103] == [1, 77, 3]
        plc.co[5] = True
        plc.co[6:9] = [0, True, 1]
        assert m.read_co(5, 4)[:4] == [1, 0, 1, 1]
        assert plc.co[5] is True and plc.co[6:9] == [False, True, True]
        assert plc.di[0:4] == [True, False, True, False]
        plc.di[1] = 1  # ranges that Modbus clients may only read
        assert plc.di[1] is True
        plc.ir[3:5] = (8, 9)
        assert plc.ir[2:6] == [7, 8, 9, 7] and m.read_ir(3, 2) == [8, 9]
        assert hf.hr[100] == 1 and hf.device().hr[100] == 1
        assert plc.hr[:3] == [0, 0, 0] and plc.hr[7:7] == []
        plc.hr[7:7] = []
        assert plc.hr.read(100, 2) == [1, 77]
        assert plc.hr.write(100, 5) == plc.hr.write(100, [6]) - 1
        # those that travel as bytes rather than as text
        plc.hr[0:1000] = range(64000, 65000)
        assert plc.hr[0:1000] == list(range(64000, 65000))
        assert m.read_hr(999, 1) == [64999]
        bits = [i % 3 == 0 for i in range(2000)]
        plc.co[0:2000] = bits
        assert plc.co[0:2000] == bits and plc.co[0:2000][0] is True
        plc.hr[0:100] = array.array("H", range(100))
        assert plc.hr[99] == 99


def test_mistakes_with_slices_are_said():
    """what is outside, has the wrong length or makes no sense is refused"""
    with served() as (d, hf):
        plc = hf["plc1"]
        for table, beyond in ((plc.co, 2048), (plc.di, 64), (plc.hr, 1004),
                              (plc.ir, 8)):
            e = refused(holdfast.IllegalAddress, lambda: table[beyond])
            assert (e.code, e.reason, e.modbus_exception) == (
                -32003, "illegal_data_address", 2), vars(e)
            assert isinstance(e, IndexError) and "not wholly" in e.message
            refused(holdfast.IllegalAddress,
                    lambda: table[beyond - 1:beyond + 1])
            refused(holdfast.IllegalAddress, table.write, beyond, [1])
            # not a part of it either
            refused(holdfast.IllegalAddress, table.write, beyond - 1, [1, 1])
        assert not plc.co[2047] and not plc.di[63]
        assert plc.hr[1003] == 48879 and plc.ir[7] == 7
        refused(IndexError, lambda: plc.hr[-1])
        refused(IndexError, lambda: plc.hr[-3:2])
        refused(ValueError, lambda: plc.hr[5:])
        refused(ValueError, lambda: plc.hr[0:10:2])
        refused(ValueError, lambda: plc.hr.float32[0:3])
        refused(ValueError, lambda: plc.hr.declared[0:3])
        refused(TypeError, lambda: plc.hr["5"])
        refused(TypeError, lambda: list(plc.hr))
        refused(TypeError, lambda: 5 in plc.hr)
        refused(TypeError, lambda: plc[5])
        refused(ValueError, plc.hr.__setitem__, slice(0, 3), [1, 2])
        refused(TypeError, plc.hr.__setitem__, slice(0, 3), 1)
        refused(TypeError, plc.hr.__setitem__, slice(0, 3), "abc")
        refused(TypeError, plc.hr.__setitem__, 0, None)
        refused(ValueError, plc.table, "hx")
        refused(ValueError, plc.hr.typed, "float")
        refused(ValueError, plc.hr.float32, "acbd")
        for bad in (65536, -1, 1.5, "x"):
            refused(holdfast.BadParams, plc.hr.__setitem__, 0, bad)
        many = [1] * 99 + [65536]  # also where bytes would travel
        e = refused(holdfast.BadParams, plc.hr.write, 0, many)
        assert "values[99]" in e.message, e
        refused(holdfast.BadParams, plc.co.write, 0, [2] * 100)
        refused(holdfast.BadParams, lambda: plc.co.float32[0])
        e = refused(holdfast.NotFound, lambda: hf["plc2"].hr[0])
        assert e.reason == "no_device"
        assert plc.hr[0:100] == [0] * 100
        refused(ValueError, hf.call, "registers.write", {
            "table": "hr", "addr": 0, "values": ["x" * (1 << 20)]})


VALUES = {
    "uint16": [0, 65535, 0x1234], "int16": [-32768, 32767, -2],
    "uint32": [0, 0xffffffff, 0x12345678],
    "int32": [-0x80000000, 0x7fffffff, -2],
    "uint64": [0, 2 ** 64 - 1, 0x123456789abcdef0],
    "int64": [-2 ** 63, 2 ** 63 - 1, -2],
    "float32": [0.0, 404.17, -1.5, 3.4028235e38, 1.4013e-45,
                math.inf, -math.inf],
    "float64": [0.1, -1e300, 5e-324, math.inf],
}
CODES = {"uint16": "H", "int16": "h", "uint32": "I", "int32": "i",
         "uint64": "Q", "int64": "q", "float32": "f", "float64": "d"}


def registers(kind, order, value):
    """Said once more, in other words than holdfast.py does."""
    words = [list(w) for w in zip(*[iter(
        struct.pack(">" + CODES[kind], value))] * 2)]
    if order in ("cdab", "dcba"):
        words = words[::-1]
    if order in ("badc", "dcba"):
        words = [w[::-1] for w in words]
    return [w[0] << 8 | w[1] for w in words]


def test_every_type_in_every_order():
    """every type goes there and back in every order of bytes and words"""
    with served() as (d, hf):
        hr = hf["plc1"].hr
        for kind, order in itertools.product(VALUES, holdfast.ORDERS):
            values = VALUES[kind]
            view = getattr(hr, kind)(order)
            want = [r for v in values for r in registers(kind, order, v)]
            view.write(10, values)
            assert hr[10:10 + len(want)] == want, (kind, order)
            assert view.read(10, len(values)) == values, (kind, order)
            assert view[10:10 + len(want)] == values
            step = len(want) // len(values)
            view[10 + step] = values[0]
            assert view[10 + step] == values[0]
            # what a watch makes of registers is the same
            assert holdfast._from_registers(want, kind, order) == values
        hr.float32[0] = math.nan
        assert math.isnan(hr.float32[0]) and hr[0] & 0x7f80 == 0x7f80
        assert type(hr.float64[10]) is float
        for order in holdfast.ORDERS:
            hr.string(order)[0:4] = "pumpe"
            assert hr.string(order)[0:4] == "pumpe"
            assert holdfast._from_registers(
                hr[0:4], "string", order) == ["pumpe"]
        assert hr.string[0:4] == "uppm\0e"
        hr[0:4] = [0x41e4, 0xfc00, 0, 0]  # no UTF-8
        assert hr.string[0:4] == "Aäü" == holdfast._from_registers(
            hr[0:4], "string", "abcd")[0]
        hr.string[300:304] = "Größe"
        assert hr.string[300:304] == "Größe"
        hr.bits[20] = [1] + 14 * [0] + [True]
        assert hr[20] == 0x8001 and hr.bits[20][0] is True
        assert hr.bits[20:22] == [True] + [False] * 14 + [True] + 16 * [False]
        assert holdfast._from_registers([0x8001], "bits", "abcd") == \
            hr.bits[20]
        refused(holdfast.BadParams, hr.int16.write, 0, [40000])


def test_names_are_what_the_configuration_says():
    """names and text addresses read and write what holdfast get and set do"""
    with served() as (d, hf):
        plc = hf["plc1"]
        assert plc["flow"] == 404.17
        assert plc.reading("flow") == (404.17, "m3/h", 0.1, 404.17 * 0.1)
        plc["flow"] = 2.5
        assert d.cli("-o", "raw", "get", "hr:1100").stdout == "2.5\n"
        d.cli("set", "hr:1100", "404.17")
        assert plc.get("flow") == 404.17 == plc.hr.declared[1100]
        plc["counts"] = [1, -2, 3, -4]
        assert plc["counts"] == [1, -2, 3, -4] and plc.hr[1200] == 1
        assert plc.hr.int32[1200:1204] == [1, -2]  # in the declared order
        plc["tag"] = "tank 7"
        assert plc["tag"] == "tank 7" == plc.hr.string[1300:1308]
        plc["pump"] = True
        assert plc["pump"] is True and plc.co[3000] is True
        plc["alarms"] = [True] * 3 + [False] * 13
        assert plc.hr[1400] == 7 and plc["alarms"][2] is True
        assert plc.set("flow", 1) > 0
        e = refused(holdfast.NoSuchName, lambda: plc["flaw"])
        assert isinstance(e, KeyError) and '"flaw"' in str(e)
        assert "hr:1500, ir:100" in str(
            refused(holdfast.NoSuchName, lambda: plc["twice"]))
        refused(ValueError, plc.__setitem__, "counts", [1])
        refused(TypeError, plc.__setitem__, "counts", 1)
        refused(ValueError, plc.__setitem__, "flow", [1, 2])
        for text, want in (
                ("plc1/flow", 1.0), ("tag", "tank 7"), ("hr:1100", 1.0),
                ("plc1/hr:1100:float32", 1.0), ("hr:1100:uint16", 0x3f80),
                ("hr:1100+2", [0x3f80, 0]), ("co:3000", True), ("ir:0", 7),
                ("hr:1200+2:int32", [1, -2]), ("hr:0x4b0:declared", 1),
                ("hr:1300", "tank 7"), ("hr:1400", 7)):
            assert hf.get(text) == want, (text, hf.get(text))
        hf.set("hr:10+2", 5, 6)
        hf.set("plc1/hr:12", [7])
        hf.set("tag", "tank 8")
        assert hf.get("hr:10+3") == [5, 6, 7] and plc["tag"] == "tank 8"
        for bad in ("hr", "hr:", "hr:70000", "hx:1", "hr:1+0", "hr:1:float",
                    "hr:1:int16:abdc", "/hr:1", "hr:1:int16:abcd:x", "hr:+1",
                    "plc1/"):
            if bad == "hr":
                refused(holdfast.NoSuchName, hf.get, bad)
            else:
                refused(ValueError, hf.get, bad)
        assert [r.name for r in plc.describe("co")] == [None, "pump"]


def test_two_devices_are_told_apart():
    """with two devices each has its registers, and none is the default"""
    with served(TWO) as (d, hf):
        hf["plc1"].hr[0] = 1
        hf["plc2"].hr[0] = 2
        assert hf["plc1"].hr[0] == 1 and hf.get("plc2/hr:0") == 2
        refused(holdfast.BadParams, lambda: hf.hr[0])
        assert "say which" in str(refused(ValueError, hf.watch, "hr:0"))


# ---- several at once ----

def test_transactions_are_all_or_nothing():
    """a transaction happens whole, or is refused and nothing has happened"""
    with served() as (d, hf):
        plc = hf["plc1"]
        plc.hr[100:104] = [1, 2, 3, 0x00ff]
        with plc.transaction() as t:
            t.check("hr", 100, [1, 2])
            t.write("hr", 101, [7])
            t.mask("hr", 103, and_=0xf0f0, or_=0x000f)
            t.hr.float32[200] = 1.5
            t.co[9] = True
            t["flow"] = 8.25
            t["tag"] = "new"
            seen = t.read("hr", 100, 4)
            one = t.hr[101]
            flow = t["flow"]
            bits = t.co[8:10]
            try:
                seen.value
                raise AssertionError("known before it has happened")
            except RuntimeError:
                pass
        assert seen.value == [1, 7, 3, 0x00ff & 0xf0f0 | 0x000f & ~0xf0f0]
        assert list(seen) == seen.value and len(seen) == 4 and seen[1] == 7
        assert one.value == 7 and flow.value == 8.25
        assert bits.value == [False, True] and plc["tag"] == "new"
        assert t.seq == hf.call("registers.read", {
            "table": "hr", "addr": 0})["seq"]
        assert plc.hr.float32[200] == 1.5
        try:
            with plc.transaction() as t:
                t.hr[100:102] = [9, 9]
                t.check("hr", 102, [4])
                late = t.read("hr", 100, 1)
            raise AssertionError("the check held")
        except holdfast.CheckFailed as e:
            assert (e.code, e.reason) == (-32000, "check_failed")
            assert isinstance(e, holdfast.Refused)
        assert plc.hr[100:102] == [1, 7]
        try:
            late.value
            raise AssertionError("there is a value")
        except holdfast.CheckFailed:
            pass
        try:
            with plc.transaction() as t:
                t.hr[100] = 9
                t.hr[5000] = 9
            raise AssertionError("an address outside was taken")
        except holdfast.IllegalAddress:
            assert plc.hr[100] == 1
        try:
            with plc.transaction() as t:
                t.hr[100] = 9
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert plc.hr[100] == 1, "the block had raised"
        with plc.transaction() as t:
            pass
        assert t.seq is None


def test_clients_that_count_by_transaction_lose_no_count():
    """threads that share a client, and count by check, lose no count"""
    with served() as (d, hf):
        def count():
            done = 0
            while done < 50:
                seen = hf.hr[40]
                try:
                    with hf.transaction() as t:
                        t.check("hr", 40, [seen])
                        t.hr[40] = seen + 1
                    done += 1
                except holdfast.CheckFailed:
                    pass
        threads = [threading.Thread(target=count) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert hf.hr[40] == 200


def test_batches_are_answered_each_by_itself():
    """calls of a batch travel together and fail by themselves"""
    with served() as (d, hf):
        before = hf.stats()["control"]["requests"]
        with hf.batch() as b:
            info = b.call("system.info")
            regs = b["plc1"].hr[0:3]
            b.device().hr[1] = 5
            after = b["plc1"].hr[1]
            flow = b["plc1"]["flow"]
        assert info.value["store"] == d.store and after.value == 5
        assert regs.value == [0, 0, 0] and flow.value == 404.17
        try:
            with hf.batch() as b:
                good = b["plc1"].hr[1]
                bad = b["plc1"].hr[5000]
                b["plc1"].hr[2] = 6
            raise AssertionError("the failure was not told")
        except holdfast.IllegalAddress:
            pass
        assert good.value == 5 and hf.hr[2] == 6
        try:
            bad.value
            raise AssertionError("the failure was not kept")
        except holdfast.IllegalAddress:
            pass
        try:
            with hf.batch() as b:
                b["plc1"].hr[2] = 9
                raise KeyError
        except KeyError:
            assert hf.hr[2] == 6, "the block had raised"
        with hf.batch() as b:  # more than a frame may have
            many = [b["plc1"].hr[i % 10] for i in range(1500)]
        assert [m.value for m in many[:3]] == [0, 5, 6]
        assert hf.stats()["control"]["requests"] > before + 1500


def test_a_block_that_has_ended_is_settled_and_takes_no_more():
    """whatever a block ends with, each Later says it; what is done with it
    afterwards is refused, and so is what a batch cannot do"""
    def outcome(later):
        try:
            return later.value
        except Exception as e:
            return type(e)

    with served() as (d, hf):
        plc = hf["plc1"]
        plc.hr[10] = 3
        for block in (plc.transaction, hf.batch):
            later = []
            try:
                with block() as b:
                    later.append((b if block == plc.transaction
                                  else b["plc1"]).hr[10])
                    raise KeyError
            except KeyError:
                assert outcome(later[0]) is RuntimeError
                assert "not carried out" in str(later[0]._error)
            # found before anything is sent
            try:
                with block() as b:
                    own = b if block == plc.transaction else b["plc1"]
                    later = [own.hr[10]]
                    own.hr[10] = 9
                    later.append(own["nothing"])
                raise AssertionError("a name that is none was taken")
            except holdfast.NoSuchName:
                assert [outcome(x) for x in later] == [
                    holdfast.NoSuchName] * 2
            assert plc.hr[10] == 3
            for again in (lambda: own.hr[10], lambda: own.hr.write(10, [4]),
                          b.__enter__):
                try:
                    again()
                    raise AssertionError("the block took more")
                except RuntimeError as e:
                    assert "has ended" in str(e)
            assert plc.hr[10] == 3
        # of two frames the second cannot be sent: so the first is not
        try:
            with hf.batch() as b:
                b["plc1"].hr[10] = 9
                first = b["plc1"].hr[10]
                for _ in range(1100):
                    last = b.call("system.info", x="y" * 1200)
            raise AssertionError("a frame too long was taken")
        except ValueError:
            assert plc.hr[10] == 3
            assert outcome(first) is outcome(last) is ValueError
        with hf.batch() as b:
            for name in ("describe", "transaction", "watch", "reading"):
                assert not hasattr(b["plc1"], name), name
            flow = b["plc1"].get("flow")
            b.device().set("flow", 2.5)
            after = b["plc1"].hr.float32[1100]
        assert (flow.value, after.value) == (404.17, 2.5)


# ---- events ----

def some(watch, n):
    """What it tells, so many."""
    return list(itertools.islice(watch, n))


def up_to(watch, addr):
    """What it tells up to the first change at an address, as it comes."""
    told = []
    for e in watch:
        told.append(e)
        if e.addr == addr:
            break
    return told


def test_a_watch_tells_changes_of_addresses_and_names():
    """addresses and names are told in their type, and nothing else is"""
    with served() as (d, hf), Modbus(d.port("tcp1")) as m:
        plc = hf["plc1"]
        with hf.watch("plc1/hr:100+4", "plc1/flow", "co:7",
                      "hr:1200+2:int32", timeout=60) as w:
            plc.hr[98:103] = [9, 9, 9, 0, 9]
            m.write_hr(1101, 0x8000)  # half of the float
            m.write_coil(7, True)
            m.write_coil(8, True)
            plc.hr.int32[1202] = -5
            plc["counts"] = [0, -5, 3, 4]  # only others than those watched
            plc.hr[100] = 9  # no change
            plc.hr[103] = 1
            events = up_to(w, 103)
        told = [(e.table, e.addr, e.old, e.new, e.who) for e in events]
        half = struct.unpack(">f", struct.pack(">2H", *registers(
            "float32", "abcd", 404.17)[:1], 0x8000))[0]
        assert told[0] == ("hr", 100, [0, 0, 0], [9, 0, 9], "control"), told
        assert told[1][:3] == ("hr", 1100, [404.17]) and told[1][4] == "tcp1"
        assert abs(told[1][3][0] - half) < 1e-3 and events[1].name == "flow"
        assert told[2:] == [
            ("co", 7, [False], [True], "tcp1"),
            ("hr", 1202, [0], [-5], "control"),
            ("hr", 103, [0], [1], "control")], told[2:]
        assert list(events[0].changes()) == [(100, 0, 9), (102, 0, 9)]
        assert not any(e.gap for e in events)
        assert events[0].commit and abs(events[0].at - time.time()) < 60
        assert list(w) == []  # closed


def test_a_watch_tells_every_change_of_a_commit():
    """a transaction that writes two places of a watched address or name is
    told as two changes"""
    with served() as (d, hf):
        plc = hf["plc1"]
        with hf.watch("plc1/hr:100+20", "plc1/counts", timeout=60) as w:
            with plc.transaction() as t:
                t.hr[100] = 5
                t.hr.int32[1202] = 6
                t.hr[110:112] = [7, 8]
                t.hr.int32[1206] = 9
            plc.hr[119] = 1
            *events, _ = up_to(w, 119)
        # of changes that touch, one may be told
        told = {(a, old, new) for e in events for a, old, new in e.changes()}
        assert {(100, 0, 5), (110, 0, 7), (111, 0, 8)} < told, told
        assert {(a, new) for a, _, new in told} == {
            (100, 5), (110, 7), (111, 8), (1202, 6), (1206, 9)}, told
        assert {e.commit for e in events} == {t.seq}, (events, t.seq)
        assert not any(e.gap for e in events)


def test_a_watch_has_begun_when_it_is_made():
    """what happens right after a watch was made is told"""
    with served() as (d, hf):
        for i in range(1, 41):
            with hf.watch("hr", timeout=60) as w:
                hf.hr[0] = i
                assert next(w).new == [i]


def test_a_watch_tells_tables_and_topics():
    """tables and topics are told as they were published"""
    with served() as (d, hf), Modbus(d.port("tcp1")) as m:
        plc = hf["plc1"]
        with hf.watch("plc1/co", "transports.tcp1", timeout=60) as w, \
                plc.watch("flow", "ir", timeout=60) as own, \
                hf.watch(timeout=60) as every:
            plc.co[3:5] = [1, 1]
            plc.ir[0] = 8
            hf.restart("tcp1")
            first = next(w)
            states = []
            while states[-1:] != ["up"]:
                states.append(next(w).data["state"])
            assert (first.device, first.table, first.addr, first.new) == (
                "plc1", "co", 3, [1, 1])
            assert first.data["who"] == "control"
            plc.ir[1] = 9
            assert [(e.table, e.new) for e in up_to(own, 1)] == [
                ("ir", [8]), ("ir", [9])]
            assert [e.table for e in up_to(every, 1)] == ["co", "ir", "ir"]
        refused(holdfast.NotFound, hf.watch, "plc9/hr")
        refused(ValueError, hf.watch, "hx:1")
        refused(holdfast.NoSuchName, hf.watch, "nothing")
        refused(holdfast.IllegalAddress, hf.watch, "hr:5000")
        m.closed()


def test_a_gap_is_noticed_by_the_sequence_number():
    """what was missed is told: by the number, by {"lost"}, after a
    reconnection; watched addresses are read again"""
    topic = "registers.plc1.holding_registers"
    with served() as (d, hf):
        p = Publisher(d.dir)
        whole = holdfast.Client(d.endpoint, events=p.endpoint)
        w = whole.watch("plc1/hr", timeout=60)
        at = whole.watch("plc1/hr:0+4", timeout=60)
        strict = whole.watch("hr", timeout=60, strict=True)
        for _ in range(3):
            p.subscribed()

        def send(n, seq, **more):
            p.send(topic, n, **{"at": 1.0, "who": "x", "addr": 0, "count": 1,
                                "old": [0], "new": [n], "seq": seq, **more})
        seq = hf.call("registers.read", {"table": "hr", "addr": 0})["seq"]
        send(10, seq + 100)
        send(11, seq + 101)
        for each in (w, at):
            assert [(e.gap, e.new) for e in some(each, 2)] == [
                (False, [10]), (False, [11])]
        hf.hr[2] = 5
        send(13, seq + 103)  # 12 has gone
        assert [(e.gap, e.new) for e in some(w, 1)] == [(True, [13])]
        # the daemon has 0 there, in truth
        got = [(e.gap, e.addr, e.old, e.new) for e in some(at, 2)]
        assert got == [(True, 0, [11, 0, 0], [0, 0, 5]),
                       (False, 0, [0], [13])], got
        p.send(topic, 14, at=1.0, lost=True)
        got = [(e.gap, e.data) for e in some(w, 1)]
        assert got == [(True, {"at": 1.0, "lost": True})], got
        assert [(e.gap, e.old, e.new) for e in some(at, 1)] == [
            (True, [13], [0])]
        assert next(strict).new == [10] and next(strict).new == [11]
        e = refused(holdfast.EventsMissed, next, strict)
        assert "13" in str(e)
        # away and back again: there is no number to tell it by
        p.close()
        hf.hr[3] = 6
        p.open()
        got = next(at)
        assert (got.gap, got.addr, got.old, got.new) == (
            True, 3, [0], [6]), got
        got = []
        thread = threading.Thread(target=lambda: got.append(next(w)))
        thread.start()
        while p.subscribed() != b"\1registers.plc1.":
            pass
        send(900, seq + 200)
        thread.join()
        assert got[0].gap and got[0].new == [900], got
        for each in (w, at, strict):
            each.close()
        whole.close()
        p.close()


def test_a_watch_survives_the_control_process():
    """a watched address ends in what is there, also after a SIGKILL"""
    with served() as (d, hf), Modbus(d.port("tcp1")) as m:
        w = hf.watch("hr:0+2", timeout=100)
        m.write_hr(0, 1)
        assert next(w).new == [1]
        pid = hf.info()["control_pid"]
        os.kill(pid, signal.SIGKILL)
        for i in range(2, 50):  # some while nobody publishes
            m.write_hr(0, i)
        hf.ping()
        seen, gaps = None, 0
        while seen != 49:
            event = next(w)
            gaps += event.gap
            seen = event.new[0] if event.new else seen
        assert gaps == 1, gaps
        m.write_hr(1, 3)
        assert next(w).new == [3]
        w.close()


# ---- the command line ----

def test_the_command_line_says_what_holdfast_says():
    """get, set, status and call print what the command holdfast prints"""
    with Daemon(CONF) as d:
        def same(*args):
            want = d.cli(*args, ok=False)
            got = command(d, *args)
            assert (got.returncode, got.stdout) == (
                want.returncode, want.stdout), (args, got, want)
            return got.stdout
        assert same("set", "hr:100", "1", "0x10", "-0") == ""
        d.cli("set", "hr:1300", "tank, 7")
        for out in ((), ("-o", "table"), ("-o", "raw"), ("-o", "csv")):
            same(*out, "get", "hr:100+3", "plc1/co:5+2", "hr:1200+2:int32",
                 "hr:1400+2:bits", "hr:0:float64")
        assert same("-o", "raw", "get", "hr:1100", "hr:1300") == \
            "404.17\ntank, 7\n"
        same("get", "hr:101", "-o", "csv")
        got = command(d, "-o", "json", "get", "hr:100+2", "plc1/flow")
        assert [json.loads(line)["values"] for line in
                got.stdout.splitlines()] == [[1, 16], [404.17]]
        assert command(d, "set", "flow", "-2.5").returncode == 0
        assert command(d, "set", "co:0+3", "on", "off", "1").returncode == 0
        assert same("get", "co:0+3", "hr:1100") == \
            "co:0\t1\nco:1\t0\nco:2\t1\nhr:1100\t-2.5\n"
        assert command(d, "set", "hr:1300", "tank 9").returncode == 0
        assert command(d, "-o", "raw", "get", "tag").stdout == "tank 9\n"
        got = command(d, "call", "registers.read",
                      '{"table": "hr", "addr": 101}')
        assert json.loads(got.stdout)["values"] == [16]
        got = command(d, "-o", "json", "status")
        assert json.loads(got.stdout)[0]["name"] == "tcp1"
        assert "tcp1" in command(d, "status").stdout
        assert command(d, "ping").stdout == ""
        assert "answered" in command(d, "-o", "table", "ping").stdout
        got = command(d, "-w", "5", "-s", d.endpoint, "ping")
        assert got.returncode == 0, got
        # exit codes, and words that say what is wrong
        for code, word, args in (
                (1, "exception 2", ("get", "hr:5000")),
                (1, "flaw", ("get", "flaw")),
                (1, "faults.lost", ("call", "faults.lost")),
                (1, "65535", ("set", "hr:0", "65536")),
                (64, "hx", ("get", "hx:1")),
                (64, "no value", ("set", "hr:0", "many")),
                (64, "3 values for 2", ("set", "hr:0+2", "1", "2", "3")),
                (64, "invalid choice", ("gte", "hr:0")),
                (64, "required", ("get",)), (64, "required", ()),
                (64, "{", ("call", "x", "{")),
                (64, "-t", ("-t", "0", "ping")),
                (69, "no such socket", ("-s", "/nowhere", "ping"))):
            got = command(d, *args)
            assert got.returncode == code, (args, got)
            assert word in got.stderr and got.stderr.count("\n") == 1, got
        pid = d.rpc("system.info")["control_pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            got = command(d, "-t", "0.2", "ping")
            assert got.returncode in (69, 75), got
        finally:
            os.kill(pid, signal.SIGCONT)
        for args in (("--help",), ("get", "--help"), ("watch", "-h")):
            got = command(d, *args)
            assert got.returncode == 0 and "usage:" in got.stdout, got
        assert "[DEVICE/]TABLE:ADDR" in command(d, "get", "-h").stdout
        got = subprocess.run(
            [sys.executable, "-B", "-m", "holdfast", "-o", "raw", "get",
             "hr:101"], cwd=BUILD, env=d.env, capture_output=True, text=True)
        assert got.stdout == "16\n", got
        # whoever reads may go
        got = subprocess.run(
            f"{sys.executable} -B {HOLDFAST_PY} get hr:0+1000 | head -1",
            shell=True, env=d.env, capture_output=True, text=True)
        assert (got.stdout, got.stderr) == ("hr:0\t0\n", ""), got


def test_the_command_line_watches():
    """watch prints what the command holdfast prints, until it is
    interrupted"""
    words = ["hr:100+4", "hr:1100", "co", "transports", "connections"]
    for out in ([], ["-o", "table"], ["-o", "csv"], ["-o", "raw"],
                ["-o", "json"]):
        with served() as (d, hf), contextlib.ExitStack() as stack:
            both = [stack.enter_context(Running(
                [*argv, *out, "watch", *words], d.env)) for argv in (
                    [sys.executable, "-B", HOLDFAST_PY],
                    [os.path.join(BUILD, "holdfast")])]
            n = 0
            for p in both:  # until it has begun
                while not p.has("100"):
                    n += 1
                    hf.hr[100] = n
                    time.sleep(0.005)
            hf.hr[98:103] = [60001, 0, 60002, 60003, n]
            hf.set("flow", 60004.5)
            hf.co[3] = True
            with Modbus(d.port("tcp1")) as m:
                m.read_hr(0, 1)
            hf.restart("tcp1")
            hf.hr[103] = 60005
            for p in both:
                p.until("60005")
            mine, theirs = (p.told_after("60002", out) for p in both)
            assert mine == theirs, (out, mine, theirs)
            assert len(mine) > 7, mine
            assert both[0].interrupted() == 130


def test_the_command_line_notices_a_late_signal():
    """a signal that comes between the look for signals and the wait for
    events ends watch all the same"""
    for argv, code in (([sys.executable, "-B", HOLDFAST_PY], 130),
                       ([os.path.join(BUILD, "holdfast")], 0)):
        with served() as (d, hf):
            late = os.path.join(d.dir, "late")
            env = {**d.env, "HOLDFAST_LATE": late, "LD_PRELOAD": os.path.join(
                BUILD, "tests", "preload", "late.so")}
            with Running([*argv, "watch", "hr:100"], env) as p:
                n = 0
                while not p.has("100"):
                    n += 1
                    hf.hr[100] = n
                    time.sleep(0.005)
                with open(late, "w"):
                    pass
                hf.hr[100] = 60000  # told; the wait after that is struck
                assert p.process.wait(100) == code, argv
                assert p.has("60000"), p.text


# ---- the file ----

def test_the_file_is_for_python_3_9_and_says_its_version():
    """no syntax that Python 3.9 lacks; the version is the daemon's"""
    with open(HOLDFAST_PY) as f:
        text = f.read()
    ast.parse(text, feature_version=(3, 9))
    assert max(map(len, text.splitlines())) <= 80
    said = subprocess.run([os.path.join(BUILD, "holdfast"), "version"],
                          capture_output=True, text=True).stdout
    assert said == f"holdfast {holdfast.__version__}\n", said
    assert sorted(holdfast.__all__) == holdfast.__all__
    for name in holdfast.__all__:
        assert getattr(holdfast, name).__doc__, name


if __name__ == "__main__":
    sysutil.run()
