#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fault rules on the wire: each kind of fault as real clients see it over every
transport and framer, gone after its count, its time and a clear; and what must
not notice: other connections, other transports, who drains, who is killed."""
import contextlib
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
import certs  # noqa: E402
import peers  # noqa: E402
import sys_clients  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from peers import Late, Master, fc3, fc6  # noqa: E402
from sysutil import (BUILD, Daemon, Modbus, ModbusError, RpcError,  # noqa: E402
                     demo_conf, wait_for)

UNITS = {"1": "plc1", "2": "plc1"}
READ = fc3(0, 4)  # of 11, 22, 33, 44
GOOD = bytes([3, 8]) + struct.pack(">4H", 11, 22, 33, 44)
DEVICES = {"plc1": {
    "holding_registers": [
        {"addr": 0, "count": 100, "values": [11, 22, 33, 44]}],
    "coils": [{"addr": 0, "count": 32}]}}


def tcp(**more):
    return {"type": "tcp", "listen": "127.0.0.1:0", "units": UNITS, **more}


class Link:
    """One transport of the plant, and how a master gets to it."""

    def __init__(self, name, framer, transport, connect):
        self.name, self.framer = name, framer
        self.transport, self.connect = transport, connect

    def master(self, daemon):
        return Master(self.connect(daemon), self.framer)


class Plant:
    """A daemon with every kind of transport and framer."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack:
            self.links = list(self._links())
            self.daemon = self.stack.enter_context(Daemon({
                "devices": DEVICES,
                "transports": {a.name: a.transport for a in self.links}}))
            self.stack = self.stack.pop_all()
        return self.daemon, self.links

    def __exit__(self, *why):
        return self.stack.__exit__(*why)

    def _links(self):
        for framer in ("socket", "tls", "rtu", "ascii"):
            name = "tcp_" + framer
            yield Link(name, framer, tcp(framer=framer),
                       lambda d, n=name: peers.Stream.tcp(d.port(n)))
        for framer in ("socket", "rtu", "ascii"):
            name = "udp_" + framer
            yield Link(name, framer, dict(tcp(framer=framer), type="udp"),
                       lambda d, n=name: peers.Udp(d.port(n)))
        pki = tls_case.pki
        yield Link("tls_socket", "socket", dict(
            tcp(), type="tls", cert=pki.server.chain, key=pki.server.key,
            ca=pki.ca.path), lambda d: peers.Stream.tls(
                d.port("tls_socket"), certs.client_context(
                    pki.ca, pki.client)))
        for framer in ("rtu", "ascii"):
            line = self.stack.enter_context(peers.Line())
            line.close_later, line.close = line.close, lambda: None
            self.stack.callback(line.close_later)
            yield Link("line_" + framer, framer, {
                "type": "serial", "port": line.path, "framer": framer,
                "baudrate": 115200, "units": UNITS}, lambda d, a=line: a)
        place = self.stack.enter_context(tempfile.TemporaryDirectory())
        path = os.path.join(place, "m.sock")
        yield Link("unix_socket", "socket", {
            "type": "unix", "plugins": ["unix"], "listen": path,
            "units": UNITS}, lambda d: peers.Stream.unix(path))


def bytes_of(m, n, timeout=30.0):
    """The next n bytes, and how long after the first the last one came."""
    end = time.monotonic() + timeout
    got, first, last = m.got, None, 0
    m.got = b""
    while len(got) < n:
        more = m.channel.recv(end - time.monotonic())
        assert more, "%d of %d bytes: %s" % (len(got), n, got.hex())
        last = time.monotonic()
        first = first or last
        got += more
    assert len(got) == n, got.hex()
    return got, last - first if first else 0


def adu_of(m, unit=1, pdu=GOOD):
    """What a good reply to the last request is."""
    return m.framer.encode(unit, pdu, m.tid)


def quiet(m, seconds=0.15):
    assert m.got == b"", m.got.hex()
    got = m.channel.recv(seconds)
    assert got is None, got


# what each fault looks like: what a rule says, and what a master then sees

def sees_exception(m):
    assert m.ask(1, READ) == b"\x83\x06"


def sees_delay(m):
    began = time.monotonic()
    assert m.ask(1, READ) == GOOD
    took = time.monotonic() - began
    assert 0.08 <= took < 20, took


def sees_nothing(m):
    m.mute(1, READ, 2)


def sees_junk(m):
    m.send(1, READ)
    got, _ = bytes_of(m, 40)
    assert len(set(got)) > 10, got.hex()
    quiet(m, 0.05)


def sees_parts(m):
    for _ in range(10):
        began = time.monotonic()
        m.send(1, READ)
        want = adu_of(m)
        got, gap = bytes_of(m, len(want))
        took = time.monotonic() - began
        assert got == want, (got.hex(), want.hex())
        assert took >= 0.3, took
        # this process may be late for the first part, but not always, and it
        # is not early for the second
        if gap >= 0.02:
            return
    raise AssertionError("all at once, after %f s" % took)


def sees_changes(m):
    got = m.ask(1, READ)
    assert got[:2] == GOOD[:2] and len(got) == len(GOOD), got.hex()
    values = struct.unpack(">4H", got[2:])
    assert all(a != b for a, b in zip(values, (11, 22, 33, 44))), values


def sees_half_of_it_changed(m):
    values = struct.unpack(">4H", m.ask(1, READ)[2:])
    same = [a == b for a, b in zip(values, (11, 22, 33, 44))]
    assert sum(same) == 2, values


def sees_other_unit(m):
    m.send(1, READ)
    _, unit, pdu = m.receive()
    assert unit != 1 and pdu == GOOD, (unit, pdu.hex())


def sees_wrong_check(m):
    m.send(1, READ)
    want = adu_of(m)
    got, _ = bytes_of(m, len(want))
    body = {"rtu": slice(0, -2), "ascii": slice(0, -4)}.get(m.framer.name)
    if body:
        assert got[body] == want[body] and got != want, got.hex()
    else:
        assert got[2:4] == b"\0\1" and got[4:] == want[4:], got.hex()


FAULTS = [
    ({"exception": 6}, sees_exception),
    ({"delay_ms": 80}, sees_delay),
    ({"drop": True}, sees_nothing),
    ({"junk_bytes": 40}, sees_junk),
    ({"split_ms": 300}, sees_parts),
    ({"change_pct": 100}, sees_changes),
    ({"change_pct": 50}, sees_half_of_it_changed),
    ({"wrong_unit": True}, sees_other_unit),
    ({"bad_crc": True}, sees_wrong_check),
]


def each_fault(daemon, link):
    with link.master(daemon) as m:
        assert m.ask(1, READ) == GOOD
        for rule, sees in FAULTS:
            rule_id = daemon.rpc("faults.add", transport=link.name, unit=1,
                                 **rule)["id"]
            try:
                for _ in range(2):
                    sees(m)
                    m.channel.pause()
                found, = daemon.rpc("faults.list")
                assert found["hits"] == 2, found
            except BaseException:
                print("    %s %s" % (link.name, rule))
                raise
            daemon.rpc("faults.clear", id=rule_id)
            m.got = b""
            assert m.ask(1, READ) == GOOD, (link.name, rule)


def test_every_fault_over_every_transport():
    """each fault is seen over every transport and framer, and gone when it is
    cleared"""
    with Plant() as (d, links):
        assert len(links) == 11
        for link in links:
            each_fault(d, link)
        spoiled = d.rpc("stats.get")["transports"]
        for link in links:
            assert spoiled[link.name]["faults"] == 2 * len(FAULTS)
        assert all(t["restarts"] == 0 for t in d.rpc("transports.list"))


def test_combined_effects():
    "effects combine: an exception, late, in two parts, from another unit"
    with Plant() as (d, links):
        for link in links:
            d.rpc("faults.add", transport=link.name, exception=4, delay_ms=50,
                  split_ms=40, wrong_unit=True)
            with link.master(d) as m:
                began = time.monotonic()
                m.send(1, READ)
                _, unit, pdu = m.receive()
                assert unit == 2 and pdu == b"\x83\x04", (unit, pdu.hex())
                took = time.monotonic() - began
                assert took >= 0.085, (link.name, took)
            d.rpc("faults.clear")


def conf(**transport):
    return {"devices": DEVICES, "transports": {
        "tcp1": tcp(**transport), "tcp2": tcp()}}


# how rules end

def spoiled(m, pdu=READ):
    """Whether a request is answered with exception 6."""
    reply = m.request(pdu)
    assert reply in (b"\x83\x06", GOOD), reply.hex()
    return reply == b"\x83\x06"


def test_gone_after_count():
    "a rule with a count spoils exactly so many replies"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("faults.add", transport="tcp1", exception=6, count=3)
        assert [spoiled(m) for _ in range(6)] == [True] * 3 + [False] * 3
        assert d.rpc("faults.list") == []
        d.wait_stderr("fault spent id=1")


def test_gone_after_time():
    "a rule expires by itself, and with nobody asking anything"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        began = time.monotonic()
        d.rpc("faults.add", transport="tcp1", exception=6, expires_s=0.4)
        while spoiled(m):
            assert time.monotonic() < began + 20
        assert time.monotonic() >= began + 0.4
        d.rpc("faults.add", transport="tcp2", exception=6, expires_s=0.1)
        d.wait_stderr("fault expired id=2")
        assert d.rpc("faults.list") == []


def test_gone_after_clear():
    "a rule goes when it is cleared, one or all; another time it is not there"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        one, two = [d.rpc("faults.add", exception=6)["id"] for _ in range(2)]
        assert two > one and spoiled(m)
        assert d.rpc("faults.clear", id=one) == {"cleared": 1}
        assert spoiled(m)
        refused(d, "no_fault", "no fault %d" % one, "faults.clear", id=one)
        assert d.rpc("faults.clear") == {"cleared": 1}
        assert not spoiled(m)
        assert d.rpc("faults.clear") == {"cleared": 0}


def test_exact_over_workers():
    "a count is exact over several workers and many clients at once"
    total = 0

    def ask(port, out):
        with Modbus(port) as m:
            out.append(sum(spoiled(m) for _ in range(150)))

    with Daemon(conf(workers=2)) as d:
        d.rpc("faults.add", transport="tcp1", exception=6, count=500)
        sums = []
        crowd = [threading.Thread(target=ask, args=(d.port("tcp1"), sums))
                 for _ in range(8)]
        for t in crowd:
            t.start()
        for t in crowd:
            t.join()
        total = sum(sums)
        assert len(sums) == 8 and total == 500, sums
        assert d.rpc("faults.list") == []


def test_rate():
    "a rate spoils about that share"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("faults.add", exception=6, rate_pct=20)
        n = sum(spoiled(m) for _ in range(3000))
        assert 420 < n < 780, n  # eight standard deviations
        assert d.rpc("faults.list")[0]["hits"] == n


def test_gone_with_its_connection():
    """a rule for a connection ends with it, with nobody asking, and stays with it
    when its worker dies; others stay"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as stays:
        def rule(m):
            mine = "127.0.0.1:%d" % m.socket.getsockname()[1]
            which, = [c["id"] for c in d.rpc("connections.list")
                      if c["peer"] == mine]
            return d.rpc("faults.add", connection=which, exception=6)["id"]

        assert stays.request(READ) == GOOD
        first = rule(stays)
        with Modbus(d.port("tcp1")) as m:
            assert m.request(READ) == GOOD
            second = rule(m)
            assert spoiled(m)
            assert [f["id"] for f in d.rpc("faults.list")] == [first, second]
        d.wait_stderr("fault gone id=%d " % second)
        assert spoiled(stays)
        found, = d.rpc("faults.list")
        assert found["id"] == first, found
        os.kill(d.worker_pid("tcp1"), signal.SIGKILL)
        assert spoiled(stays)  # the next worker goes on with both
        stays.close()
        d.wait_stderr("fault gone id=%d " % first)
        assert d.rpc("faults.list") == []


# which requests

def test_conditions():
    "transport, unit, function code, range and connection pick what is hit"
    with Daemon(conf()) as d:
        with Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp1")) as other, \
                Modbus(d.port("tcp2")) as beside:
            def hits(client, pdu, unit=1):
                return client.request(pdu, unit)[0] & 0x80 != 0

            write = fc6(50, 1)
            d.rpc("faults.add", transport="tcp1", exception=6)
            assert hits(m, READ) and not hits(beside, READ)
            d.rpc("faults.clear")
            d.rpc("faults.add", unit=2, fc=[3, 4], exception=6)
            assert hits(m, READ, 2) and not hits(m, READ)
            assert not hits(m, write, 2)
            d.rpc("faults.clear")
            for area in ([50, 52], "hr:50+3", "holding_registers:0x32+3",
                         "50-52"):
                d.rpc("faults.add", range=area, exception=6)
                assert hits(m, write) and hits(m, fc3(45, 6))
                assert not hits(m, fc3(45, 5)) and not hits(m, fc3(53, 1))
                d.rpc("faults.clear")
            d.rpc("faults.add", range="co:0+9", exception=6)
            assert not hits(m, READ) and hits(m, b"\1\0\7\0\2")
            d.rpc("faults.clear")
            mine = "127.0.0.1:%d" % m.socket.getsockname()[1]
            which, = [c["id"] for c in d.rpc("connections.list")
                      if c["peer"] == mine]
            d.rpc("faults.add", connection=which, exception=6)
            assert hits(m, READ) and not hits(other, READ)


def test_carried_out_or_not():
    "an exception is not carried out; what is dropped or late is"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        def value():
            return d.rpc("registers.read", table="hr", addr=60)["values"][0]

        d.rpc("faults.add", exception=4, count=1)
        assert m.request(fc6(60, 5)) == b"\x86\x04" and value() == 0
        d.rpc("faults.add", drop=True, count=1)
        m.send(m.adu(fc6(60, 6)))
        wait_for(lambda: value() == 6)
        d.rpc("faults.add", delay_ms=60000, count=1)
        m.send(m.adu(fc6(60, 7)))
        wait_for(lambda: value() == 7)
        m.socket.settimeout(0.05)
        try:
            raise AssertionError(m.socket.recv(100))
        except socket.timeout:
            pass


def test_broadcasts_are_unaffected():
    "broadcasts are carried out and unanswered, whatever rules there are"
    with Daemon(conf(broadcast=True)) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("faults.add", exception=4)
        m.send(m.adu(fc6(70, 9), unit=0))
        wait_for(lambda: d.rpc("registers.read", table="hr",
                               addr=70)["values"] == [9])
        assert d.rpc("faults.list")[0]["hits"] == 0


# who waits for whom

def test_pipelined_order():
    "requests behind a late reply keep their order; those before do not wait"
    with Plant() as (d, links):
        for link in links:
            if link.name.startswith("line"):
                continue  # one request at a time
            d.rpc("faults.add", transport=link.name, range="hr:2",
                  delay_ms=800)
            with link.master(d) as m:
                want = []
                began = time.monotonic()
                for addr in (0, 1, 2, 3, 0):
                    m.send(1, fc3(addr))
                    want.append((m.tid, 11 * (addr + 1)))
                for i, (tid, value) in enumerate(want):
                    found, _, pdu = m.receive()
                    took = time.monotonic() - began
                    assert found in (None, tid), (link.name, found, tid)
                    assert pdu == b"\3\2" + struct.pack(">H", value)
                    assert (took >= 0.795) == (i >= 2), (link.name, i, took)
            d.rpc("faults.clear")


class Clock:
    """How long requests take over one connection, again and again."""

    def __init__(self, port):
        self.m = Modbus(port)

    def time(self):
        began = time.perf_counter()
        assert self.m.request(READ) == GOOD
        return time.perf_counter() - began


def times(clocks, until=None, n=400):
    """n of each, or so many as are over by then: {name: [s]}"""
    found = {name: [] for name in clocks}
    for _ in range(n):
        if until and time.monotonic() > until:
            break
        for name, c in clocks.items():
            found[name].append(c.time())
    return found


def test_others_do_not_wait():
    """150 connections whose replies are late or in parts hold up neither the
    other connections of their transport nor other transports"""
    with Daemon(conf(max_connections=300)) as d:
        clocks = {n: Clock(d.port(n)) for n in ("tcp1", "tcp2")}
        before = times(clocks)
        d.rpc("faults.add", transport="tcp1", unit=2, delay_ms=3000,
              split_ms=500)
        crowd = [Modbus(d.port("tcp1"), unit=2) for _ in range(150)]
        began = time.monotonic()
        for m in crowd:
            m.send(m.adu(READ))
            m.send(m.adu(fc3(1, 1)))
        wait_for(lambda: d.rpc("faults.list")[0]["hits"] == 150)
        during = times(clocks, began + 2.9)
        for name in clocks:
            assert len(during[name]) > 10, during
            was, now = (statistics.median(x[name]) for x in (before, during))
            print("    %s: median %.0f us, was %.0f us" % (
                name, now * 1e6, was * 1e6))
            assert now < 10 * was + 0.01, (name, was, now)
        for m in crowd:  # every one of them has its replies, in order
            for want in (GOOD, b"\3\2\0\x16"):
                assert m.receive()[2] == want
            m.close()
        assert time.monotonic() >= began + 7
        assert d.rpc("transports.list")[0]["restarts"] == 0
        stats = d.rpc("stats.get")["transports"]["tcp1"]
        assert stats["conns_slow"] == 0 and stats["faults"] == 300, stats
        for c in clocks.values():
            c.m.close()


def test_late_udp():
    "late datagrams are each peer's own; other peers are answered at once"
    with Daemon({"devices": DEVICES, "transports": {
            "udp1": dict(tcp(), type="udp")}}) as d:
        d.rpc("faults.add", unit=2, delay_ms=3000)
        with Master(peers.Udp(d.port("udp1")), "socket") as late, \
                Master(peers.Udp(d.port("udp1")), "socket") as m:
            began = time.monotonic()
            late.send(2, READ)
            late.send(1, READ)  # behind it: waits for its turn
            for _ in range(50):
                assert m.ask(1, READ) == GOOD
            assert time.monotonic() < began + 2.9
            assert late.receive()[:2] == (1, 2)
            assert late.receive()[:2] == (2, 1)
            assert time.monotonic() >= began + 2.995
            d.rpc("faults.clear")
            d.rpc("faults.add", unit=2, split_ms=100)
            late.send(2, READ)
            want = adu_of(late, 2)
            late.send(1, READ)  # behind both parts
            parts = [late.channel.recv(3) for _ in range(3)]
            assert parts[0] + parts[1] == want, parts
            assert parts[2] == adu_of(late), parts


def test_late_udp_is_bounded():
    """of many late datagrams to one peer those beyond a limit are lost and
    counted, none overtakes another; other peers have room"""
    with Daemon({"devices": DEVICES, "transports": {
            "udp1": dict(tcp(), type="udp")}}) as d:
        d.rpc("faults.add", delay_ms=600000)
        with Master(peers.Udp(d.port("udp1")), "socket") as m, \
                Master(peers.Udp(d.port("udp1")), "socket") as other:
            for i in range(200):
                m.send(1, fc3(1))
                if i % 20 == 19:  # no more than the socket holds
                    wait_for(lambda: d.rpc("faults.list")[0]["hits"] == i + 1)
            other.send(1, fc3(1))
            wait_for(lambda: d.rpc("faults.list")[0]["hits"] == 201)
            d.rpc("faults.clear")
            m.send(1, fc3(1))  # not late, but behind those that are
            wait_for(lambda: d.rpc("stats.get")["transports"]["udp1"][
                "replies_lost"] == 73)
            quiet(m)
            quiet(other, 0.01)
            answer = threading.Thread(target=d.cli, args=("restart", "udp1"))
            answer.start()
            tids = [m.receive()[0] for _ in range(128)]
            assert tids == list(range(1, 129)), tids
            assert other.receive()[0] == 1
            answer.join()
            quiet(m)


def test_closed_while_waiting():
    "who goes while its reply waits costs nobody anything; so does a kick"
    with Daemon(conf()) as d:
        d.rpc("faults.add", transport="tcp1", delay_ms=300)
        for how in ("close", "reset", "kick"):
            crowd = [Modbus(d.port("tcp1")) for _ in range(20)]
            for m in crowd:
                m.send(m.adu(READ))
            hits = 20 * (1 + ("close", "reset", "kick").index(how))
            wait_for(lambda: d.rpc("faults.list")[0]["hits"] == hits)
            if how == "kick":
                d.rpc("connections.close", transport="tcp1")
            for m in crowd:
                if how == "reset":
                    m.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
                m.close()
            wait_for(lambda: d.rpc("connections.list",
                                   transport="tcp1") == [])
        d.rpc("faults.clear")
        with Modbus(d.port("tcp1")) as m:
            assert m.request(READ) == GOOD
        assert d.rpc("transports.list")[0]["restarts"] == 0


def test_idle_is_not_late():
    "a connection whose reply waits is not closed for being idle"
    with Daemon(conf(idle_timeout_s=1)) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("faults.add", delay_ms=1600)
        assert m.request(READ) == GOOD


def test_client_that_does_not_read():
    "late replies to a client that does not read wait in its own batch"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        m.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        d.rpc("faults.add", delay_ms=5, rate_pct=10, split_ms=5)
        many = 600
        sender = threading.Thread(target=lambda: [
            m.send(m.adu(fc3(0, 100), tid=i)) for i in range(many)])
        sender.start()
        for i in range(many):
            tid, _, pdu = m.receive()
            assert tid == i and len(pdu) == 202, (i, tid)
        sender.join()
        assert d.rpc("transports.list")[0]["restarts"] == 0


# those who end

def test_drain_and_restart():
    "a restart sends what is late at once, over every transport"
    with Plant() as (d, links):
        d.rpc("faults.add", delay_ms=60000, split_ms=60000)
        for link in links:
            m = link.master(d)
            m.send(1, READ)
            want = adu_of(m)
            wait_for(lambda: sum(
                f["hits"] for f in d.rpc("faults.list")) > links.index(link))
            answer = threading.Thread(target=d.cli, args=(
                "restart", link.name))
            answer.start()
            try:
                got, _ = bytes_of(m, len(want), 8)
                assert got == want, (link.name, got.hex())
            finally:
                answer.join()
                m.close()
        d.rpc("faults.clear")
        for link in links:
            with link.master(d) as m:
                assert m.ask(1, READ) == GOOD


def test_worker_killed():
    "a worker's death changes no rule, no count and no expiry"
    with Daemon(conf()) as d:
        d.rpc("faults.add", transport="tcp1", exception=6, count=10)
        d.rpc("faults.add", transport="tcp1", unit=2, delay_ms=60000)
        with Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp1")) as late:
            assert [spoiled(m) for _ in range(4)] == [True] * 4
            late.send(late.adu(READ, unit=2))
            wait_for(lambda: d.rpc("faults.list")[1]["hits"] == 1)
            os.kill(d.worker_pid("tcp1"), signal.SIGKILL)
            assert late.receive()[2] == b"\x83\6"  # it leaves at once
        wait_for(lambda: d.rpc("transports.list")[0]["restarts"] == 1)
        first = d.rpc("faults.list")[0]
        # the one that was late took one, too: it fits both
        assert first["hits"] == 5 and first["left"] == 5, first
        with Modbus(d.port("tcp1")) as m:
            assert [spoiled(m) for _ in range(7)] == [True] * 5 + [False] * 2


def test_control_killed():
    """the death of the control process changes no rule; meanwhile workers carry
    them out, and end them"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("faults.add", transport="tcp1", exception=6, note="stays")
        d.rpc("faults.add", transport="tcp2", delay_ms=30, count=1)
        was = d.rpc("faults.list")
        for i in range(3):
            os.kill(d.child("control"), signal.SIGKILL)
            assert spoiled(m)
            wait_for(lambda: d.stderr_text().count(" control up ") == i + 2)
            if d._rpc:  # what was on its way is lost
                d._rpc.close()
            d._rpc = None
        with Modbus(d.port("tcp2")) as other:
            assert other.request(READ) == GOOD
        d.wait_stderr("fault spent id=2")
        found, = d.rpc("faults.list")
        assert found["id"] == was[0]["id"] and found["note"] == "stays"
        assert found["hits"] == 3, found
        # ids go on where they were
        assert d.rpc("faults.add", drop=True)["id"] > was[1]["id"]


# who is told

def test_events_and_log():
    "each rule that comes or goes is an event and a line of the log"
    import zmq
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        sub = zmq.Context.instance().socket(zmq.SUB)
        try:
            sub.connect(d.events_endpoint)
            sub.setsockopt(zmq.SUBSCRIBE, b"faults")
            while not sub.poll(50):  # until the subscription has arrived
                i = d.rpc("faults.add", drop=True, unit=9)["id"]
                d.rpc("faults.clear", id=i)
            while sub.poll(300):
                sub.recv_multipart()
            rule = {"transport": "tcp1", "fc": 3, "range": "hr:0+4",
                    "rate_pct": 100, "count": 1, "exception": 6,
                    "note": "x"}
            one = d.rpc("faults.add", **rule)["id"]
            two = d.rpc("faults.add", delay_ms=1, unit=7)["id"]
            three = d.rpc("faults.add", unit=8, drop=True,
                          expires_s=0.1)["id"]
            assert spoiled(m)
            d.rpc("faults.clear", id=two)
            seen = set()
            while len(seen) < 6:
                assert sub.poll(50000), seen
                topic, text, _ = sub.recv_multipart()
                assert topic == b"faults"
                event = json.loads(text)
                assert set(event) == {"at", "event", "id", "rule"}, event
                if event["id"] == one:
                    assert event["rule"] == rule, event
                seen.add((event["id"], event["event"]))
            assert seen == {(one, "added"), (two, "added"), (three, "added"),
                            (one, "spent"), (two, "cleared"),
                            (three, "expired")}, seen
        finally:
            sub.close(0)
        d.wait_stderr("fault added id=%d transport=tcp1 fc=3 range=hr:0+4 "
                      "count=1 exception=6 by=control" % one)
        d.wait_stderr("fault cleared id=%d" % two)


def test_watch():
    "holdfast watch faults prints each rule that comes or goes"
    with Daemon(conf()) as d:
        watch = subprocess.Popen(
            [os.path.join(BUILD, "holdfast"), "watch", "faults"], env=d.env,
            stdout=subprocess.PIPE, text=True)
        try:
            reader, said = threading.Thread(target=lambda: said.append(
                watch.stdout.readline())), []
            reader.start()
            while reader.is_alive():
                d.rpc("faults.add", drop=True, unit=9)
                d.rpc("faults.clear")
                reader.join(0.05)
            line = said[0]
            assert "faults" in line and '"unit":9' in line, line
        finally:
            watch.terminate()
            watch.wait()
            watch.stdout.close()


def test_visible_everywhere():
    "while rules are in force everybody who looks is told"
    with Daemon(conf()) as d:
        d.rpc("faults.add", transport="tcp1", drop=True)
        d.rpc("faults.add", unit=4, drop=True)
        assert d.rpc("system.info")["faults"] == 2
        assert [t["faults"] for t in d.rpc("transports.list")] == [2, 1]
        assert d.rpc("stats.get")["faults_active"] == 2
        said = d.cli("-o", "table", "status").stdout
        assert "spoiled by 2 fault rules: holdfast fault list" in said, said
        for how in ((), ("-o", "csv"), ("-o", "raw")):
            piped = d.cli(*how, "status")
            assert "spoiled by 2 fault rules" in piped.stderr, (how, piped)
            assert "spoiled" not in piped.stdout, (how, piped)
        assert d.cli("-o", "json", "status").stderr == ""
        d.rpc("faults.clear")
        assert d.rpc("system.info")["faults"] == 0
        said = d.cli("-o", "table", "status").stdout
        assert "fault rule" not in said, said


def refused(d, reason, words, method="faults.add", **params):
    try:
        d.rpc(method, **params)
    except RpcError as e:
        assert e.data["reason"] == reason and words in e.message, e
        return
    raise AssertionError("was taken: %r" % params)


def test_mistakes_are_told():
    "a rule that cannot be is refused, with its place and what was meant"
    with Daemon(conf()) as d:
        refused(d, "missing_param", "a rule needs something to do: exception")
        refused(d, "missing_param", "something to do", delay_ms=0, drop=False)
        refused(d, "unknown_param", 'did you mean "junk_bytes"', junk_byte=1)
        refused(d, "no_transport", 'did you mean "tcp1"', transport="tpc1",
                drop=True)
        refused(d, "no_connection", "tcp1.0.99", connection="tcp1.0.99",
                drop=True)
        refused(d, "out_of_range", "unit", unit=256, drop=True)
        refused(d, "bad_value", "fc: ", fc=0, drop=True)
        refused(d, "bad_value", "fc: ", fc=[3, "x"], drop=True)
        refused(d, "bad_value", "fc: ", fc=[], drop=True)
        refused(d, "bad_value", 'no table "hx"; did you mean "hr"',
                range="hx:1", drop=True)
        for bad in ("hr:", "hr:70000", "hr:1+0", "hr:65535+2", "hr:9-8",
                    "hr:x", [1], [2, 1], [0, 65536], [-1, 2], 5, {}):
            refused(d, "bad_value", "range: ", range=bad, drop=True)
        refused(d, "bad_value", 'did you mean "illegal_data_address"',
                exception="illegal_data_adress")
        refused(d, "bad_value", "exception: ", exception=0)
        refused(d, "bad_value", "exception: ", exception=256)
        refused(d, "out_of_range", "rate_pct", rate_pct=101, drop=True)
        refused(d, "out_of_range", "count", count=0, drop=True)
        refused(d, "out_of_range", "delay_ms", delay_ms=600001)
        refused(d, "out_of_range", "junk_bytes", junk_bytes=513)
        refused(d, "bad_type", "drop", drop=1)
        refused(d, "bad_value", "drop leaves no reply", drop=True, split_ms=1)
        refused(d, "too_long", "note: ", drop=True, note="x" * 64)
        for _ in range(64):
            d.rpc("faults.add", drop=True, unit=9)
        refused(d, "too_many", "64 rules", drop=True)
        assert d.rpc("faults.clear") == {"cleared": 64}


def test_roles():
    "who may only read sees rules, and neither adds nor clears any"
    with Daemon(conf()) as d:
        need = {m["name"]: m["role"] for m in d.rpc("system.methods")}
        assert need["faults.list"] == "read"
        assert need["faults.add"] == need["faults.clear"] == "operate"


def test_command_line():
    "holdfast fault add, list and clear"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        one = d.cli("fault", "add", "tcp1", "--unit", 1, "--fc", "3,4",
                    "--range", "hr:0+4", "--rate", 100, "--count", 100,
                    "--exception", "server_device_busy").stdout.strip()
        assert spoiled(m)
        two = json.loads(d.cli("-o", "json", "fault", "add", "--delay", 20,
                               "--split", 10, "--expires", 60.5, "--note",
                               "a slow one").stdout)["id"]
        found = json.loads(d.cli("-o", "json", "fault", "list").stdout)
        assert [f["id"] for f in found] == [int(one), two]
        assert found[0]["exception"] == 6 and found[0]["fc"] == [3, 4]
        assert found[0]["left"] == 99 and found[1]["delay_ms"] == 20
        assert 50 < found[1]["expires_in_s"] <= 60.5
        assert found[1]["note"] == "a slow one"
        table = d.cli("-o", "table", "fault").stdout
        assert "unit=1 fc=[3,4] range=hr:0+4" in table, table
        assert "delay_ms=20 split_ms=10" in table, table
        assert d.cli("-o", "json", "fault", "clear", one).stdout == \
            '{"cleared":1}\n'
        assert "1 cleared" in d.cli("-o", "table", "fault", "clear").stdout
        for flags, code, words in (
                (["ad"], 64, 'did you mean "add"'),
                (["add", "--delay", "x"], 64, "--delay x: a number"),
                (["add", "--unit", 1, "--unit", 2, "--drop"], 64, "twice"),
                (["add", "tpc1", "--drop"], 1, 'did you mean "tcp1"'),
                (["add"], 1, "something to do"),
                (["clear", "7"], 1, "no fault 7"),
                (["clear", "x"], 64, "the number of a fault"),
                (["list", "--drop"], 64, "--drop is not for fault list")):
            done = d.cli("fault", *flags, ok=False)
            assert done.returncode == code and words in done.stderr, done
        done = d.cli("ping", "--drop", ok=False)
        assert done.returncode == 64 and "--drop is not for ping" in \
            done.stderr


def test_short_options():
    "an option may be shortened as far as no other of its command begins so"
    with Daemon(conf()) as d:
        def add(*words):
            made = d.cli("-o", "json", "fault", "add", "tcp1", *words).stdout
            return next(f for f in d.rpc("faults.list")
                        if f["id"] == json.loads(made)["id"])
        assert add("--exc", 2)["exception"] == 2
        assert add("--wrong", "--un=7")["unit"] == 7
        assert add("--change", 30)["change_pct"] == 30
        assert add("--change-r", 40, "--change", 9)["change_rate_pct"] == 40
        assert add("--change-rate", 50, "--change", 9)[
            "change_rate_pct"] == 50
        before = d.rpc("faults.list")
        for words in (["--ex", 2], ["--d", 2], ["--c", 2, "--drop"]):
            done = d.cli("fault", "add", *words, ok=False)
            assert done.returncode == 64, done
            assert "ambiguous" in done.stderr, done
        assert d.rpc("faults.list") == before
        # another command's does not stand in the way
        assert d.cli("reload", "--ch").returncode == 0
        assert d.cli("top", "--inter", 1, "--rou", 1).returncode == 0
        done = d.cli("ping", "--dro", ok=False)
        assert done.returncode == 64 and "'--dro'" in done.stderr, done


def test_python():
    "holdfast.py: a fault for as long as a block lasts, and those that stay"
    sys.path.insert(0, BUILD)
    import holdfast
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m, \
            holdfast.Client(d.endpoint) as hf:
        with hf.fault(transport="tcp1", fc=3, exception=6) as f:
            assert spoiled(m)
            assert [r["id"] for r in hf.faults()] == [f.id]
        assert not spoiled(m) and hf.faults() == []
        with hf.fault(exception=6, count=1):
            assert spoiled(m)  # it has gone before its block ends
        stays = hf.add_fault(drop=True, unit=9)["id"]
        assert hf.clear_faults(stays) == {"cleared": 1}
        try:
            hf.add_fault(transport="tpc1", drop=True)
        except holdfast.NotFound as e:
            assert 'did you mean "tcp1"' in str(e)
        else:
            raise AssertionError("was taken")


def rpc_http(url, method, **params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                       "params": params}).encode()
    request = urllib.request.Request(
        url.rstrip("/") + "/api/v1/rpc", body,
        {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=100) as answer:
        found = json.load(answer)
    assert "result" in found, found
    return found["result"]


def test_two_doors_at_once():
    "rules added and cleared through both doors at once do not mix"
    c = conf()
    c["http"] = {"listen": "127.0.0.1:0"}
    with Daemon(c) as d:
        url = wait_for(lambda: d.rpc("system.info").get("http"))
        failed = []

        def work(call, unit):
            try:
                for i in range(60):
                    rule = call("faults.add", unit=unit, delay_ms=unit,
                                note=str(i))["id"]
                    found = {f["id"]: f for f in call("faults.list")}[rule]
                    assert found["unit"] == found["delay_ms"] == unit, found
                    assert call("faults.clear", id=rule) == {"cleared": 1}
            except Exception as e:  # told below, in the test's own thread
                failed.append(e)

        other = threading.Thread(target=work, args=(
            lambda m, **p: rpc_http(url, m, **p), 20))
        other.start()
        work(d.rpc, 10)
        other.join()
        assert not failed, failed
        assert d.rpc("faults.list") == []
        rpc_http(url, "faults.add", drop=True, unit=9)
        found, = d.rpc("faults.list")
        assert found["by"] == "http", found
        with urllib.request.urlopen(url.rstrip("/") + "/metrics") as page:
            text = page.read().decode()
        assert "holdfast_faults_active 1" in text


# clients that other people wrote

def test_mbpoll():
    "mbpoll tells of an exception, of no reply and of another unit's"
    with Daemon(sys_clients.conf()) as d:
        port = d.port("tcp1")

        def says(words, **rule):
            d.rpc("faults.add", **rule)
            status, got, said = sys_clients.mbpoll(
                port, "-o", 0.5, "-t", 4, "-r", 1000, "-c", 2)
            assert words in said and not got, said
            d.rpc("faults.clear")

        says("Slave device or server is busy", exception=6)
        says("Memory parity error", exception="memory_parity_error")
        says("timed out", drop=True)
        says("timed out", delay_ms=1500)
        d.rpc("faults.add", split_ms=100)
        assert sys_clients.mbpoll_reads(
            port, "-t", 4, "-r", 1000, "-c", 2) == ["48879"] * 2
        d.rpc("faults.clear")
        d.rpc("faults.add", change_pct=100)
        assert "48879" not in sys_clients.mbpoll_reads(
            port, "-t", 4, "-r", 1000, "-c", 2)


def test_pymodbus():
    "pymodbus sees exceptions, late replies and changed values"
    with Daemon(sys_clients.conf()) as d:
        with sys_clients.Pymodbus(d.port("tcp1")) as m:
            def read():
                return m.read_holding_registers(1000, 4)

            assert read().registers == [48879] * 4
            d.rpc("faults.add", exception=4, count=2)
            for _ in range(2):
                assert read().exception_code == 4
            assert read().registers == [48879] * 4
            with contextlib.ExitStack() as rules:
                rules.callback(d.rpc, "faults.clear")
                d.rpc("faults.add", delay_ms=150, change_pct=25)
                began = time.monotonic()
                values = read().registers
                assert time.monotonic() >= began + 0.145
                assert sum(v != 48879 for v in values) == 1, values
            assert read().registers == [48879] * 4


def test_serial_master_loses_patience():
    "on a bus a reply that is late is not sent once the master asks again"
    with peers.Line() as line, Daemon({"devices": DEVICES, "transports": {
            "line1": {"type": "serial", "port": line.path, "units": UNITS,
                      "baudrate": 115200}}}) as d:
        m = Master(line, "rtu")
        d.rpc("faults.add", delay_ms=2000, count=1)
        m.send(1, READ)
        try:
            raise AssertionError(m.receive(0.05))
        except Late:
            pass
        m.send(2, fc3(1, 1))
        assert m.expect(2) == b"\3\2\0\x16"
        quiet(m, 2.2)


if __name__ == "__main__":
    sysutil.run()
