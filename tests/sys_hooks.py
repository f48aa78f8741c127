#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hooks of plugins: traces that see, change and suppress, function codes,
actions, framers; and what becomes of those that crash, loop and lie, while TCP
beside them is served."""

import binascii
import os
import pty
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tty

import embed_case
import everything
import sysutil
from sys_plugin import ADU, Beside, TOP, compiled, connected
from sysutil import ROOT, Daemon, Modbus, ModbusError, demo_conf, wait_for

HOOKS = os.path.join(ROOT, "tests/plugins/hooks.c")
HR = [{"addr": 0, "count": 1000}]


def hexed(data):
    return binascii.hexlify(data).decode()


class Hooked(Daemon):
    """h1 with the hooks of tests/plugins/hooks.c and tcp1 without."""

    def __init__(self, kind="tcp", defines=(), ready=True, plugin=None,
                 device=None, restart=None, hang=None, keys=None, also=None,
                 **options):
        name = "trace-" + sysutil.unique_store()
        self.log = os.path.join(TOP.name, name)
        self.well = self.log + "-well"
        top = {"hang_timeout_ms": hang} if hang else {}
        c = demo_conf(**top)
        if device:
            c["devices"]["plc1"].update(device)
            # a device of its own, without actions, for who has no plugins
            c["devices"]["plain"] = {"holding_registers": [
                {"addr": 1000, "value": 48879}]}
            c["transports"]["tcp1"]["units"] = {"*": "plain"}
        c["transports"]["tcp1"]["listen"] = "127.0.0.1:%d" % (
            sysutil.free_port())
        self.tcp = int(c["transports"]["tcp1"]["listen"].split(":")[1])
        h1 = dict(type=kind, plugins=plugin or [compiled(HOOKS, *defines)],
                  units={"*": "plc1"}, **(keys or {}))
        if also:
            c["devices"].update(also)
            h1["units"].update({str(i + 2): n for i, n in enumerate(also)})
        h1["options"] = {"log": self.log, **options}
        if "sick" in options:
            h1["options"]["heal"] = self.well
            h1["restart"] = restart or {"max_backoff_ms": 50}
        if kind != "serial":
            h1["listen"] = "127.0.0.1:0"
        c["transports"]["h1"] = h1
        super().__init__(c, ready=ready)

    def client(self, **keys):
        return Modbus(self.port("h1"), **keys)

    def h1(self):
        return [t for t in self.rpc("transports.list")
                if t["name"] == "h1"][0]

    def seen(self):
        """What the trace hooks have seen: lists of words."""
        try:
            with open(self.log) as f:
                return [line.split() for line in f]
        except FileNotFoundError:
            return []

    def heal(self):
        with open(self.well, "w"):
            pass

    def state(self, state, timeout=10):
        return wait_for(lambda: self.h1()["state"] == state and self.h1(),
                        timeout, "h1 " + state)


# ---- traces ----

def test_traces_see_what_happens():
    """each trace hook sees connections, bytes and PDUs, in order, with who"""
    with Hooked() as d:
        with d.client(unit=9) as m:
            m.read_hr(0)
            own = "127.0.0.1:%d" % m.socket.getsockname()[1]
        ask, tell = "0300000001", "03020000"
        wait_for(lambda: any(w[0] == "gone" for w in d.seen()))
        assert d.seen() == [
            ["come", "in", "known", "unit=0", "tid=0", own],
            ["packet", "in", "known", "unit=0", "tid=0",
             "00010000000609" + ask],
            ["pdu", "in", "known", "unit=9", "tid=1", ask],
            ["pdu", "out", "known", "unit=9", "tid=1", tell],
            ["packet", "out", "known", "unit=0", "tid=0",
             "00010000000509" + tell],
            ["gone", "in", "known", "unit=0", "tid=0", own]], d.seen()


def test_traces_on_udp():
    """datagrams are seen before their sender is known, replies after it"""
    with Hooked("udp") as d:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(100)
        s.connect(("127.0.0.1", d.port("h1")))
        s.send(ADU["socket"](1, bytes.fromhex("0300000001")))
        assert s.recv(100)[7:] == bytes.fromhex("03020000")
        kinds = [w[:3] for w in d.seen()]
        assert kinds == [["packet", "in", "unknown"],
                         ["come", "in", "known"], ["pdu", "in", "known"],
                         ["pdu", "out", "known"],
                         ["packet", "out", "known"]], kinds
        s.close()


class Line:
    """The master's end of a line, a pty pair."""

    def __init__(self):
        self.fd, other = pty.openpty()
        tty.setraw(self.fd)
        tty.setraw(other)
        self.path = os.ttyname(other)
        self.other = other

    def ask(self, adu, n):
        os.write(self.fd, adu)
        got, end = b"", time.monotonic() + 10
        while len(got) < n and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                got += os.read(self.fd, 512)
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        os.close(self.other)


def serial(line, framer="rtu", **options):
    keys = dict(port=line.path, framer=framer, parity="N", baudrate=115200)
    return Hooked("serial", keys=keys, **options)


def test_traces_on_a_serial_line():
    """a line is a connection that comes once; its bytes and PDUs are seen,
    changed and suppressed like any other"""
    ask = ADU["rtu"](1, bytes.fromhex("0300000001"))
    with Line() as line, serial(
            line, turn="03020000>03021234", eat="0300050001") as d:
        want = ADU["rtu"](1, bytes.fromhex("03021234"))
        assert line.ask(ask, len(want)) == want
        assert not line.ask(ADU["rtu"](1, bytes.fromhex("0300050001")), 0)
        assert line.ask(ask, len(want)) == want
        lines = d.seen()
        assert [w[0] for w in lines[:5]] == ["come", "packet", "pdu", "pdu",
                                            "packet"], lines
        assert lines[0][5] == line.path
        assert sum(w[0] == "come" for w in lines) == 1


def test_suppressed_requests_are_not_carried_out():
    """a request whose PDU, or whose bytes, are suppressed does nothing, and
    the next one is answered"""
    write = bytes.fromhex("0600050007")
    for eat in hexed(write), "0001000000060106000500" + "07":
        with Hooked(eat=eat) as d, d.client() as m:
            m.send(m.adu(write))
            wait_for(lambda: any(w[5] == eat for w in d.seen()))
            assert m.read_hr(5) == [0]
            assert m.request(bytes.fromhex("0600050008"))[0] == 6
            assert m.read_hr(5) == [8]


def test_suppressed_replies_were_carried_out():
    """a suppressed reply is not sent; what was asked for has been done"""
    write = bytes.fromhex("0600050007")
    for only in "u", "p":
        # its reply is the same bytes: only the one on the way out is eaten
        read = bytes.fromhex("0300050001")
        eat = "03020007" if only == "u" else "00030000000501" + "03020007"
        with Hooked(eat=eat, only=only) as d, d.client() as m:
            assert m.request(write) == write
            m.send(m.adu(read))
            m.send(m.adu(read))  # transaction 3
            if only == "u":
                assert m.request(write) == write
            else:
                tid, _, pdu = m.receive()
                assert (tid, pdu) == (2, bytes.fromhex("03020007"))
            m.write_hr(5, [9])
            assert m.read_hr(5) == [9]


def test_pdus_are_rewritten():
    """a hook turns a request into another, and a reply into an exception;
    counters tell what was sent"""
    with Hooked(turn="0300000001>0300640002") as d, d.client() as m:
        m.write_hr(100, [3, 4])
        assert m.request(bytes.fromhex("0300000001")) == bytes.fromhex(
            "03040003" + "0004")
    with Hooked(turn="03020000>8306") as d, d.client() as m:
        try:
            m.read_hr(0)
        except ModbusError as e:
            assert e.code == 6
        else:
            raise AssertionError("no exception")
        assert d.h1()["exceptions"] == 1


def test_packets_grow_and_shrink():
    """bytes that have come may become more or fewer, and so may replies;
    what follows them is in step"""
    two = ADU["socket"](1, bytes.fromhex("0300000001"))
    with Hooked(turn="%s>%s" % (hexed(b"hello"), hexed(two))) as d:
        with d.client() as m:
            m.send(b"hello")
            assert m.receive()[2] == bytes.fromhex("03020000")
            m.read_hr(0)
    reply = "00010000000501" + "03020000"
    with Hooked(turn=reply + ">" + "ab" * 513) as d, d.client() as m:
        m.send(m.adu(bytes.fromhex("0300000001")))
        assert m.exactly(513) == b"\xab" * 513
        m.read_hr(0)
        for _ in range(100):  # many to a batch: out[] has room for each
            m.tid = 0
            m.send(m.adu(bytes.fromhex("0300000001")))
        assert m.exactly(51300) == b"\xab" * 51300


def test_two_plugins_take_turns():
    """what comes is seen in the order of the list, what leaves the other way
    round"""
    two = [compiled(HOOKS, "HOOKS_BARE=1", 'HOOKS_TAG="%s"' % n) for n in "ab"]
    with Hooked(plugin=two) as d, d.client() as m:
        m.read_hr(0)
        m.socket.shutdown(socket.SHUT_WR)
        wait_for(lambda: sum(w[0][:4] == "gone" for w in d.seen()) == 2)
        assert [w[0] for w in d.seen()] == [
            "comea", "comeb", "packeta", "packetb", "pdua", "pdub", "pdub",
            "pdua", "packetb", "packeta", "goneb", "gonea"], d.seen()


def test_hooks_on_every_transport():
    """TCP, TLS, UDP, lines, serial over sockets and a plugin's transport, each
    with each framer: requests are rewritten, sub-functions served, packets,
    PDUs and connections seen"""
    log = os.path.join(TOP.name, "every")
    more = {"plugins": ["unix", compiled(HOOKS)],
            "options": {"log": log, "turn": "0300000001>0400070001"}}

    def lines():
        with open(log) as f:
            return [tuple(line.split()[:2]) for line in f]

    with everything.Everything(**more) as e:
        def ask(m, _at):
            before = len(lines())
            assert m.ask(1, bytes.fromhex("0300000001")) == bytes.fromhex(
                "04020007")
            assert m.ask(2, bytes.fromhex("080102abcd")) == bytes.fromhex(
                "080102cdab")
            seen = lines()[before:]
            assert seen.count(("pdu", "in")) == 2, seen
            assert seen.count(("pdu", "out")) == 2, seen
            assert seen.count(("packet", "out")) == 2, seen
            assert seen.count(("packet", "in")) >= 2, seen
        e.each(ask)
        assert lines().count(("come", "in")) == len(e.pairs), lines()


# ---- function codes ----

def add(unit_pdu=""):
    return bytes.fromhex("41000a0005" + unit_pdu)


def test_a_function_code_of_ones_own():
    """0x41 is served over each framer, in pieces, pipelined; wrong lengths
    are answered 03, and RTU keeps in step by its rule"""
    for framer, adu in ADU.items():
        with Hooked(keys={"framer": framer}, only="") as d:
            with d.client() as m:
                first = adu(1, bytes.fromhex("4100050005"))
                second = adu(1, bytes.fromhex("41000a000a"))
                ask = adu(1, bytes.fromhex("41000a0005"))
                for byte in ask:
                    m.send(bytes([byte]))
                assert m.exactly(len(first)) == first, framer
                read = adu(1, bytes.fromhex("03000a0002"))
                both = adu(1, bytes.fromhex("0304000a000a"))
                m.send(ask + read)
                want = second + both
                assert m.exactly(len(want)) == want, framer
        assert d.returncode == 0
    with Hooked(only="") as d, d.client() as m:
        assert m.request(bytes.fromhex("41000a")) == b"\xc1\x03"
        assert m.request(bytes.fromhex("4103f10005")) == b"\xc1\x02"
        # what is "ro" is so to clients; the handler is not one
        assert m.request(bytes.fromhex("4103e80001")) == bytes.fromhex(
            "41bef0bef0")


def test_a_function_code_on_a_serial_line():
    """0x41 on an RTU line: its request is known whole at once"""
    with Line() as line, serial(line, only="") as d:
        want = ADU["rtu"](1, bytes.fromhex("4100050005"))
        got = line.ask(ADU["rtu"](1, bytes.fromhex("41000a0005")), len(want))
        assert got == want, got
        assert d.h1()["requests"] == 1


def test_a_function_code_is_refused_where_nothing_may_be_written():
    """HF_WRITES is answered 01 on a read-only transport"""
    with Hooked(keys={"access": "read-only"}, only="") as d:
        with d.client() as m:
            assert m.request(add()) == b"\xc1\x01"
            assert m.read_hr(10, 2) == [0, 0]


def test_a_function_code_is_broadcast():
    """unit 0 carries it out on every device, unanswered"""
    other = {"plain": {"holding_registers": HR}}
    with Hooked(keys={"broadcast": True}, only="", also=other) as d:
        with d.client() as m:
            m.send(m.adu(add(), unit=0))
            assert m.read_hr(10, 2) == [5, 5]
        read = d.rpc("registers.read", device="plain", table="hr", addr=10,
                     count=2)
        assert read["values"] == [5, 5], read


def test_a_function_code_writes_many_times():
    """each write is a step with a number of its own; 32 and no more"""
    with Hooked(only="") as d, d.client() as m:
        assert m.request(bytes([0x42, 32])) == bytes([0x42, 32, 0])
        assert m.read_hr(0) == [32]
        assert m.request(bytes([0x42, 200])) == bytes([0x42, 33, 4])
        m.send(b"".join(m.adu(bytes([0x42, 32]), tid=i)
                        for i in range(500)))
        for i in range(500):
            assert m.receive()[::2] == (i, bytes([0x42, 32, 0]))
        m.write_hr(0, 5)  # its number is behind theirs
        assert m.read_hr(0) == [5]


def test_sub_functions():
    """a sub-function of 8 and one of 43 are the plugin's, the others stay"""
    with Hooked(only="") as d, d.client() as m:
        assert m.request(bytes.fromhex("080102abcd")) == bytes.fromhex(
            "080102cdab")
        echo = bytes.fromhex("08000012" + "34")
        assert m.request(echo) == echo
        assert m.request(bytes.fromhex("0801")) == b"\x88\x03"
        assert m.request(bytes.fromhex("2b0d0155")) == bytes.fromhex(
            "2b0d04")
        assert m.request(bytes.fromhex("2b0e0100"))[:2] == b"\x2b\x0e"
        assert m.request(bytes.fromhex("2b0f00")) == b"\xab\x01"
    with Hooked(keys={"framer": "rtu"}, only="") as d, d.client() as m:
        def rtu(pdu):
            return ADU["rtu"](1, bytes.fromhex(pdu))
        m.send(rtu("080102abcd") + rtu("2b0d0155") + rtu("0800001234"))
        want = rtu("080102cdab") + rtu("2b0d04") + rtu("0800001234")
        assert m.exactly(len(want)) == want
    keys = {"serial_functions": False}
    with Hooked(keys=keys, only="") as d, d.client() as m:
        assert m.request(bytes.fromhex("080102abcd"))[0] == 8
        assert m.request(bytes.fromhex("0800001234")) == b"\x88\x01"


def test_a_function_code_may_stay_silent():
    """a handler that leaves no reply gives none"""
    with Hooked(sick="function", how="mute", only="") as d:
        with d.client() as m:
            m.send(m.adu(add()))
            assert m.read_hr(0) == [0]


def test_a_standard_function_code_is_replaced():
    """a plugin's 6 takes the place of ours, with its own length"""
    with Hooked(defines=["HOOKS_FC=6"], only="") as d, d.client() as m:
        assert m.request(bytes.fromhex("06000a0005")) == bytes.fromhex(
            "0600050005")


# ---- actions ----

RAMP = {"holding_registers": [
    {"addr": 0, "count": 10, "action": {"name": "ramp", "step": 2}},
    {"addr": 10, "count": 10},
    {"addr": 20, "count": 4, "type": "uint32", "action": "increment"},
    {"addr": 30, "action": {"name": "ramp", "beside": 31}},
    {"addr": 31},
    {"addr": 1000, "value": 48879, "access": "ro", "action": "ramp"}],
    "coils": [{"addr": 0, "count": 9, "action": {
        "name": "increment", "minval": 0, "maxval": 1}}]}


def test_actions_run_when_clients_read():
    """each value that a client reads is changed by its range's action once,
    before it is read; others are not, nor by operators"""
    with Hooked(device=RAMP, only="") as d, d.client() as m:
        assert m.read_hr(0, 3) == [2, 2, 2]
        assert m.read_hr(2, 2) == [4, 2]
        assert m.read_hr(8, 4) == [2, 2, 0, 0]
        read = d.rpc("registers.read", device="plc1", table="hr", addr=0,
                     count=4)
        assert read["values"] == [2, 2, 4, 2], read
        assert m.read_hr(20, 4) == [0, 1, 0, 1]
        assert m.read_hr(21, 1) == [1]  # no value begins here
        assert m.read_hr(20, 1) == [0]
        assert m.read_hr(21, 1) == [2]
        assert m.read_hr(30, 2) == [1, 1]
        assert m.read_hr(1000) == [48880]
        assert m.read_co(0, 9) == [1] * 9
        assert m.read_co(1, 2) == [0, 0]
        m.write_hr(0, 100)  # answered as written
        assert m.read_hr(0) == [102]
        rw = bytes.fromhex("17" "0000" "0001" "0005" "0001" "02" "0007")
        assert m.request(rw) == bytes.fromhex("17020068")
        # what is written comes first, and is seen
        rw = bytes.fromhex("17" "0000" "0001" "0000" "0001" "02" "0007")
        assert m.request(rw) == bytes.fromhex("17020009")
        # nothing is written if the reading is refused
        rw = bytes.fromhex("17" "0018" "0001" "0000" "0001" "02" "0001")
        assert m.request(rw) == b"\x97\x02"
        assert m.read_hr(0) == [11]
        mask = bytes.fromhex("16" "0000" "fff0" "0001")
        assert m.request(mask) == mask  # 13, and then & 0xfff0 | 1
        assert m.read_hr(0) == [3]
        # 24 is nobody's: nothing is counted up
        assert m.request(bytes.fromhex("0300130009")) == b"\x83\x02"
        assert m.read_hr(20, 2) == [0, 3]


def test_actions_and_writers_do_not_lose_each_other():
    """two clients that read a value with an action count every read"""
    device = {"holding_registers": [
        {"addr": 0, "action": "increment"}, {"addr": 1, "count": 200}]}
    with Hooked(device=device, only="", keys={"workers": 2}) as d:
        a = [d.client() for _ in range(4)]
        ask = bytes.fromhex("0300000001")
        seen = set()
        for _ in range(25):
            for m in a:
                m.send(b"".join(m.adu(ask) for _ in range(10)))
            for m in a:
                for _ in range(10):
                    seen.add(m.receive()[2])
        for m in a:
            m.close()
        last = d.rpc("registers.read", device="plc1", table="hr", addr=0,
                     count=1)["values"]
        assert last == [1000], last


def test_built_in_actions():
    """random stays in its bounds, timestamp and uptime tell the time, reset
    is refused, increment wraps"""
    device = {"input_registers": [
        {"addr": 0, "count": 50, "action": {"name": "random", "minval": 10,
                                            "maxval": 12}},
        {"addr": 60, "action": "timestamp"}, {"addr": 61, "count": 6},
        {"addr": 70, "action": "uptime"}, {"addr": 80, "action": "reset"},
        {"addr": 90, "value": 65535, "action": "increment"},
        {"addr": 92, "type": "float32", "value": 1.5, "action": {
            "name": "increment", "minval": -4, "maxval": 2}},
        {"addr": 96, "type": "uint64", "value": 2 ** 60,
         "action": "increment"}]}
    with Hooked(device=device, only="") as d, d.client() as m:
        drawn = set(m.read_ir(0, 50)) | set(m.read_ir(0, 50))
        assert drawn == {10, 11, 12}, drawn
        before = time.localtime()
        got = m.read_ir(60, 7)
        after = time.localtime()
        wants = [[t.tm_year, t.tm_mon - 1, t.tm_mday, t.tm_wday + 1,
                  t.tm_hour, t.tm_min, t.tm_sec] for t in (before, after)]
        assert wants[0] <= got <= wants[1], (got, wants)
        assert m.request(bytes.fromhex("0400500001")) == b"\x84\x04"
        assert m.read_ir(90) == [0]
        assert struct.unpack(">f", struct.pack(
            ">HH", *m.read_ir(92, 2)))[0] == -4
        assert m.read_ir(96, 4) == [1 << 12, 0, 0, 1]
        assert m.read_ir(96, 4) == [1 << 12, 0, 0, 2]


def test_actions_of_shared_registers_run_when_bits_are_read():
    """with shared_blocks a read of bits runs the action of the register they
    are in, once, in both tables of bits; without, it does not"""
    for shared in True, False:
        device = {"shared_blocks": shared, "holding_registers": [
            {"addr": 0, "value": 1, "action": "increment"},
            {"addr": 1, "value": 8}, {"addr": 2, "action": "increment"}],
            "coils": [{"addr": 0, "count": 48}], "discrete_inputs": [],
            "input_registers": []}
        with Hooked(device=device) as h, Modbus(h.port("h1")) as m:
            if shared:
                assert m.read_co(0, 4) == [0, 1, 0, 0]
                assert m.read_di(15, 2) == [0, 0]
                assert m.read_co(16, 16) == [0, 0, 0, 1] + 12 * [0]
                assert m.read_hr(0, 3) == [4, 8, 1]
            else:
                assert m.read_co(0, 48) == 48 * [0]
                assert m.read_hr(0, 3) == [2, 8, 1]


def test_uptime_is_the_daemons():
    """uptime is the same at every worker, and goes on when one is replaced"""
    device = {"input_registers": [{"addr": 0, "action": "uptime"}]}
    born = time.monotonic()
    with Hooked(device=device, only="", keys={"workers": 2}) as d:
        start = time.monotonic()
        seen = []
        wait_for(lambda: time.monotonic() > start + 1.2, 5, "a second")
        for i in range(9):
            if i == 6:
                died = d.worker_pid("h1")
                os.kill(died, 9)
                wait_for(lambda: d.worker_pid("h1") not in (0, died), 10,
                         "a successor")
            with d.client() as m:
                seen.append(m.read_ir(0)[0])
        assert seen == sorted(seen) and seen[0] >= 2, seen
        assert seen[-1] <= time.monotonic() - born + 2, seen


WRONG = [
    ("uint16", {"name": "increment", "mival": 5},
     'has no parameter "mival"; did you mean "minval"?'),
    ("uint16", {"name": "uptime", "minval": 5}, 'has no parameter "minval"'),
    ("uint16", {"name": "increment", "minval": "five"},
     'minval is "five", no number'),
    ("float32", {"name": "random", "minval": "nan"}, 'minval is "nan", no number'),
    ("uint16", {"name": "increment", "minval": 1e30}, ", not 0 to 65535"),
    ("uint16", {"name": "random", "maxval": -1}, "maxval is -1, not 0 to"),
    ("int16", {"name": "random", "minval": -32769}, ", not -32768 to 32767"),
    ("uint64", {"name": "increment", "minval": 1e19}, "minval is "),
    ("uint16", {"name": "random", "minval": 10, "maxval": 5},
     "minval 10 is more than maxval 5"),
    ("uint16", {"name": "random", "maxval": 0},
     "minval 1 is more than maxval 0"),
]


def test_parameters_that_cannot_be_are_told():
    """a built-in action's parameters are looked at before a transport serves"""
    for kind, action, words in WRONG:
        device = {"holding_registers": [
            {"addr": 7, "type": kind, "action": action}]}
        with Hooked(device=device, ready=False, only="") as d:
            d.wait_stderr('device "plc1", holding_registers 7: the action '
                          f'"{action["name"]}": ')
            assert words in d.stderr_text(), (words, d.stderr_text())
            assert d.state("failed")["last_exit"] == "exit 78"


def test_actions_of_shared_blocks():
    """with shared_blocks an action runs whichever table of its kind is read"""
    device = {"shared_blocks": True, "holding_registers": [
        {"addr": 10, "action": "increment"}, {"addr": 11}],
        "coils": [{"addr": 0, "action": {"name": "increment"}}]}
    with Hooked(device=device, only="") as d, d.client() as m:
        assert [m.read_hr(10), m.read_ir(10), m.read_ir(9 + 1, 2),
                m.read_hr(11)] == [[1], [2], [3, 0], [0]]
        bits = [m.read_co(0) + m.read_di(0) for _ in range(2)]
        assert bits in ([[0, 1]] * 2, [[1, 0]] * 2), bits  # changes each time


def test_actions_are_shown():
    """registers.describe and holdfast get tell a range's action"""
    with Hooked(device=RAMP, only="") as d:
        ranges = d.rpc("registers.describe", device="plc1", table="hr")
        assert [r["action"] and r["action"]["name"] for r in ranges] == [
            "ramp", None, "increment", "ramp", None, "ramp"], ranges
        assert ranges[0]["action"] == {"name": "ramp", "step": 2}, ranges
        shown = d.cli("-o", "table", "get", "plc1/hr:0", "plc1/hr:10",
                      "plc1/hr:20").stdout.splitlines()
        assert shown[0].split() == ["ADDRESS", "VALUE", "NAME", "UNIT",
                                    "ACTION"], shown
        assert [line.split()[-1] for line in shown[1:]] == [
            "ramp", "0", "increment"], shown


def test_actions_are_left_out_on_read_only_transports():
    """nothing changes over a read-only transport, but a mistyped name is told
    as over any other"""
    device = {"holding_registers": [{"addr": 0, "action": "ramp"}]}
    c = {"access": "read-only"}
    with Hooked(device=device, only="", keys=c) as d, d.client() as m:
        assert [m.read_hr(0) for _ in range(3)] == [[0]] * 3
    device = {"holding_registers": [{"addr": 0, "action": "nobodys"}]}
    with Hooked(device=device, only="", keys=c, ready=False) as d:
        d.wait_stderr('no action is called "nobodys"')


def test_unknown_actions_are_told():
    """an action that nobody brings fails the transport with its place and the
    nearest name; the others serve"""
    device = {"holding_registers": [
        {"addr": 7, "action": {"name": "rammp"}}]}
    with Hooked(device=device, ready=False, only="") as d, Beside(d.tcp):
        d.wait_stderr(
            'transport "h1", device "plc1", holding_registers 7: no action '
            'is called "rammp", and no plugin of the transport brings it; '
            'did you mean "ramp"?')
        t = d.state("failed")
        assert t["last_exit"] == "exit 78" and t["restarts"] == 0, t


# ---- framers ----

def bracket(unit, pdu):
    return b"<" + bytes([len(pdu) + 1, unit]) + pdu + b">"


def unbracket(unit, pdu):
    return b"!" + bytes([len(pdu) + 1, unit]) + pdu + b">"


def test_a_framer_of_ones_own():
    """a plugin's framer on tcp, udp and a line: pieces, noise, several"""
    ask = bracket(1, bytes.fromhex("0300000002"))
    want = unbracket(1, bytes.fromhex("030400000000"))
    bad = bracket(1, bytes.fromhex("0900"))
    with Hooked(keys={"framer": "bracket"}) as d, d.client() as m:
        for byte in b"noise" + ask:
            m.send(bytes([byte]))
        assert m.exactly(len(want)) == want
        m.send((ask + bad) * 300)
        exc = unbracket(1, b"\x89\x01")
        assert m.exactly(300 * len(want + exc)) == (want + exc) * 300
        assert ["pdu", "in", "known", "unit=1", "tid=77",
                "0300000002"] in d.seen()
        m.send(ask + b"<\x00\x00\x00")
        assert m.exactly(len(want)) == want
        assert m.closed()
        assert "no bracket" in d.stderr_text()
    with Hooked("udp", keys={"framer": "bracket"}) as d:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(100)
        s.connect(("127.0.0.1", d.port("h1")))
        for junk in b"<", ask + b"x", ask + ask, b"":
            s.send(junk)
        s.send(ask)
        assert s.recv(100) == want
        s.close()
    with Line() as line, serial(line, "bracket") as d:
        assert line.ask(ask, len(want)) == want


def test_unknown_framers_are_told():
    """a framer that no plugin brings fails the transport"""
    with Hooked(keys={"framer": "brackets"}, ready=False) as d:
        d.wait_stderr('no plugin brings the framer "brackets"; did you mean '
                      '"bracket"?')
        assert d.state("failed")["last_exit"] == "exit 78"


def test_framers_that_lie():
    """what a framer claims beyond the bytes that came ends the connection, and
    nothing else"""
    for how in "used", "pdu", "long", "rc", "more":
        with Hooked(keys={"framer": "bracket"}, sick="find",
                    how=how) as d, Beside(d.tcp):
            pid = d.worker_pid("h1")
            with d.client() as m:
                m.send(bracket(1, bytes.fromhex("0300000002")))
                assert m.closed(), how
            assert d.worker_pid("h1") == pid
            d.heal()
            with d.client() as m:
                m.send(bracket(1, bytes.fromhex("0300000001")))
                want = unbracket(1, bytes.fromhex("03020000"))
                assert m.exactly(len(want)) == want


# ---- what comes with Holdfast ----

def sample(plugin, options, device=None, **keys):
    """A daemon whose h1 has a plugin that is installed."""
    c = demo_conf()
    c["devices"]["plc1"].update(device or {})
    del c["transports"]["tcp1"]
    c["transports"]["h1"] = dict(
        {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"},
         "plugins": [plugin], "options": options}, **keys)
    return Daemon(c)


def dissect(path, *more):
    """What tshark makes of a file: a list of words for each frame."""
    if not shutil.which("tshark"):
        raise sysutil.Skip("no tshark")
    fields = ["ip.src", "tcp.srcport", "tcp.dstport", "mbtcp.trans_id",
              "mbtcp.unit_id", "modbus.func_code", "modbus.exception_code"]
    done = subprocess.run(
        ["tshark", "-r", path, "-n", "-T", "fields", "-E", "occurrence=f",
         *[w for f in fields for w in ("-e", f)], *more],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_pcap_is_read_by_wireshark():
    """what the plugin pcap writes is Modbus/TCP to tshark, without a word
    from us; it goes on behind a worker that was killed"""
    with sample("pcap", {"file": "a.pcap"}) as d:
        path = os.path.join(d.dir, "a.pcap")
        with Modbus(d.port("h1"), unit=9) as m:
            own = str(m.socket.getsockname()[1])
            m.read_hr(0, 5)
            m.write_hr(3, [1, 2, 3])
            m.request(bytes.fromhex("03ffff0001"))
        want = [["127.0.0.1", own, "502", "1", "9", "3", ""],
                ["192.0.2.1", "502", own, "1", "9", "3", ""],
                ["127.0.0.1", own, "502", "2", "9", "16", ""],
                ["192.0.2.1", "502", own, "2", "9", "16", ""],
                ["127.0.0.1", own, "502", "3", "9", "3", ""],
                ["192.0.2.1", "502", own, "3", "9", "3", "2"]]
        got = dissect(path)
        assert got == want, got
        # nothing in it is malformed, lost or out of order
        assert dissect(path, "-Y", "_ws.malformed or tcp.analysis.flags") == []
        old = d.worker_pid("h1")
        os.kill(old, 9)
        wait_for(lambda: d.worker_pid("h1") not in (0, old))
        with wait_for(lambda: connected(d.port("h1"))) as m:
            m.read_hr(0)
        got = dissect(path)
        assert got[:6] == want and len(got) == 8, got
    with sample("pcap", {"file": "b.pcap"}, framer="rtu") as d:
        path = os.path.join(d.dir, "b.pcap")
        with Modbus(d.port("h1")) as m:
            ask = ADU["rtu"](1, bytes.fromhex("0300000001"))
            m.send(ask * 3)
            m.exactly(21)
        assert [w[5] for w in dissect(path)] == ["3"] * 6


def records(data):
    """The lengths of a pcap file's records; each is whole."""
    assert data[:4] == bytes.fromhex("d4c3b2a1"), data[:24].hex()
    at, got = 24, []
    while at < len(data):
        got.append(int.from_bytes(data[at + 8:at + 12], "little"))
        at += 16 + got[-1]
    assert at == len(data), (at, len(data))
    return got


def test_pcap_begins_with_its_head():
    """whichever worker comes first, also to a file that is there and empty:
    the head is written, once, before any record"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        for i in range(5):
            path = os.path.join(folder, f"{i}.pcap")
            if i % 2 == 0:
                open(path, "wb").close()
            with sample("pcap", {"file": path}, workers=2) as d:
                for _ in range(10):
                    with Modbus(d.port("h1")) as m:
                        m.read_hr(0)
                d.stop()
            with open(path, "rb") as f:
                assert records(f.read()) == [20 + 20 + 7 + 5,
                                             20 + 20 + 7 + 4] * 10


def test_pcap_says_what_is_wrong():
    """without a file, or one that cannot be made, nobody serves"""
    for options, words in (({}, 'the option "file" is missing'),
                           ({"file": "no/such/folder"}, "No such file")):
        c = demo_conf()
        c["transports"]["tcp1"].update(plugins=["pcap"], options=options)
        with Daemon(c, ready=False) as d:
            d.wait_stderr(words)


def test_energy():
    """the sample's function code and action do what its page says"""
    device = {"holding_registers": [
        {"addr": 100, "type": "uint32", "value": 4999, "action": {
            "name": "pulse", "step": 1}},
        {"addr": 102, "type": "uint32", "value": 1000},
        {"addr": 104, "count": 4, "values": [0, 3, 0, 2]},
        {"addr": 108, "count": 4}]}
    for framer, adu in ADU.items():
        with sample("energy", {"registers": 100}, device,
                    framer=framer) as d, Modbus(d.port("h1")) as m:
            def ask(request, reply):
                want = adu(1, bytes.fromhex(reply))
                m.send(adu(1, bytes.fromhex(request)))
                assert m.exactly(len(want)) == want, (framer, request)
            ask("41000002", "4108" "00001387" "000005dc")
            ask("0300640002", "03040000" "1388")
            ask("41000001", "4104" "00001388")
            ask("41000003", "c104")  # the third has no pulses for a kWh
            ask("41000005", "c102")
            ask("41000000", "c103")


def test_examples_of_the_manual():
    """the examples of holdfast-plugin(7) make one plugin that serves"""
    with open(os.path.join(ROOT, "workers/holdfast-plugin.7")) as f:
        blocks = [b.split(".Ed")[0] for b in
                  f.read().split(".Bd -literal -offset indent\n")[1:]]
    code = [b for b in blocks if b.startswith("static ")]
    frame = [b for b in blocks if b.startswith("#include")]
    assert len(frame) == 1 and len(code) == 5, (len(frame), len(code))
    source = os.path.join(TOP.name, "manual.c")
    with open(source, "w") as f:
        f.write("#include <holdfast.h>\n#include <stdlib.h>\n")
        f.write("\n".join(code[:4] + frame))
    out = os.path.join(TOP.name, "manual.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-I",
                    os.path.join(ROOT, "supervisor"), "-o", out, source],
                   check=True, timeout=600)
    device = {"holding_registers": [
        {"addr": 0, "count": 2, "values": [1, 2]},
        {"addr": 7, "action": {"name": "count_down", "from": 5}}]}
    with sample(out, {}, device, framer="short") as d:
        with Modbus(d.port("h1"), timeout=2) as m:
            def ask(*pdu):
                for _ in range(50):  # one in ten gets no reply
                    m.send(bytes([len(pdu) + 1, 1, *pdu]))
                    try:
                        return m.exactly(m.exactly(1)[0])[1:]
                    except TimeoutError:
                        pass
                raise AssertionError("never answered")
            down = [ask(3, 0, 7, 0, 1)[3] for _ in range(12)]
            assert set(down) <= set(range(6)) and len(set(down)) > 3, down
            assert ask(0x42, 0, 0) == b"\x42"
            got = [ask(3, 0, 0, 0, 2) for _ in range(1)]
            assert got[0] in (bytes([3, 4, 0, 2, 0, 1]),
                              bytes([3, 4, 0, 1, 0, 2])), got
            assert ask(0x42, 0) == b"\xc2\x03"


# ---- a program's ----

def test_hooks_of_a_program():
    """a program's own trace, function code, action and framer, as they are
    in it, run in the worker of its server"""
    p = subprocess.Popen([embed_case.binary("hooked")], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    try:
        with Modbus(int(p.stdout.readline())) as m:
            for ask, tell in (("010300000002", "01030400050000"),
                              ("0141", "014109"),
                              ("010300000002", "010304000a004d"),
                              ("010900", "018901")):
                m.send(bytes.fromhex(ask))
                want = bytes.fromhex(tell)
                assert m.exactly(len(want)) == want, ask
        seen = [p.stdout.readline() for _ in range(8)]
        assert seen == ["mine in 3\n", "mine out 3\n", "mine in 65\n",
                        "mine out 65\n", "mine in 3\n", "mine out 3\n",
                        "mine in 9\n", "mine out 137\n"], seen
    finally:
        p.communicate(timeout=200)
    assert p.returncode == 0
    said = subprocess.run([embed_case.binary("hooked"), "bear"], capture_output=True,
                          text=True, timeout=200, stdin=subprocess.DEVNULL)
    assert said.returncode == 1
    assert 'no plugin brings the framer "bear"; did you mean "bare"?' in (
        said.stderr), said.stderr


# ---- those that go wrong ----

def ask_in_vain(d, pdu):
    try:
        with d.client() as m:
            m.send(m.adu(pdu))
            assert m.closed()
    except (ConnectionError, EOFError):
        pass  # it has come to that before we asked


def ask_and_kill(d, pdu):
    """What costs two workers is not carried out a third time; where there is
    nothing to answer yet, the connection ends."""
    try:
        with d.client() as m:
            assert m.request(pdu) == bytes([pdu[0] | 0x80, 4])
    except (ConnectionError, EOFError):
        pass


ASKS = {"packet": "0300000001", "pdu": "0300000001", "connect": "0300000001",
        "function": "41000a0005", "between": "41000a0005",
        "action": "0300000001"}


def test_a_crash_in_any_hook():
    """a hook that crashes costs its worker, which comes back; the others do
    not notice"""
    for sick, pdu in ASKS.items():
        if sick == "function":
            continue  # crashes "between", and lies below
        with Hooked(device=RAMP, sick=sick, how="crash",
                    keys={"quarantine_s": 0}) as d:
            with Beside(d.tcp):
                ask_and_kill(d, bytes.fromhex(pdu))
                wait_for(lambda: d.h1()["restarts"] >= 1)
                t = d.h1()
                assert t["last_exit"] == "signal 11 (SEGV)", (sick, t)
                d.heal()
                d.state("up")
                with d.client() as m:
                    m.read_hr(12)


def test_what_a_crash_interrupts():
    """of a handler that dies between two writes the first is there, and the
    successor's are counted on behind it"""
    with Hooked(sick="between", how="crash", only="",
                keys={"quarantine_s": 0}) as d:
        ask_and_kill(d, add())
        wait_for(lambda: d.h1()["restarts"] >= 1)
        d.heal()
        d.state("up")
        with d.client() as m:
            assert m.read_hr(10, 2) == [5, 0]
            assert m.request(add()) == bytes.fromhex("41000a0005")
            assert m.read_hr(10, 2) == [10, 5]


def test_an_endless_loop_in_a_hook():
    """a hook that never returns is killed with its worker, which comes back"""
    for sick in "packet", "between", "action":
        with Hooked(device=RAMP, sick=sick, how="spin", hang=300) as d:
            with Beside(d.tcp):
                ask_in_vain(d, bytes.fromhex(ASKS[sick]))
                wait_for(lambda: d.h1()["restarts"] >= 1)
                d.heal()
                d.state("up")
                with d.client() as m:
                    m.read_hr(12)


def test_hooks_that_overrun_their_room():
    """one that says it has made more than there was room for ends its worker,
    with words"""
    cases = [("packet", "trace_packet() made"), ("pdu", "trace_pdu() made"),
             ("function", "add_registers made a reply of 254 bytes")]
    for sick, words in cases:
        with Hooked(sick=sick, how="room") as d, Beside(d.tcp):
            ask_in_vain(d, bytes.fromhex(ASKS[sick]))
            d.wait_stderr(words)
            wait_for(lambda: d.h1()["last_exit"] == "exit 70")
    with Hooked(sick="seal", how="room", keys={"framer": "bracket"}) as d:
        with d.client() as m:
            m.send(bracket(1, bytes.fromhex("0300000001")))
            assert m.closed()
        d.wait_stderr("seal() made 514 bytes in room for 257")


def test_tables_that_are_not_as_they_should_be():
    """sizes, numbers and names that cannot be are told, and not tried again"""
    other = "it was built for another version of Holdfast"
    cases = [
        (["HOOKS_SIZE=16"], "hooks-HOOKS_SIZE=16.so: its table of hooks is "
         "16 bytes and not the 80 that are known: " + other),
        (["HOOKS_SIZE=88", "HOOKS_MORE"], "is 88 bytes and not the 80"),
        (["HOOKS_FC=0"], "the function \"add_registers\": its function code "
         "is not 1 to 127"),
        (["HOOKS_FC=200"], "its function code is not 1 to 127"),
        (["HOOKS_FIXED=255"], "its length is beyond the 253 bytes of a PDU"),
        (["HOOKS_TWICE"], "function code 65 is brought twice"),
        (["HOOKS_HEAD=8"], "the framer \"bracket\": head is 8"),
        (["HOOKS_ACTION=\"\""], "an action of it has no name"),
    ]
    for defines, words in cases:
        with Hooked(defines=defines, ready=False) as d:
            d.wait_stderr(words)
            t = d.state("failed")
            assert t["last_exit"] == "exit 78" and t["restarts"] == 0, t


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sysutil.run()
