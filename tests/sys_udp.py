#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Modbus over UDP as its clients meet it: what is a frame and what is not,
who is answered from where, peers that must not mix, limits and lists, workers
that die or are restarted, and storms of nonsense.

    sys_udp.py [WORD...] [--storm=N] [--kills=N]
"""
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from peers import FRAMERS, fc3, fc6, fc16  # noqa: E402
from sys_hooks import HOOKS, compiled  # noqa: E402
from sys_tcp import Beside  # noqa: E402
from sysutil import Daemon, wait_for  # noqa: E402


def option(name, default):
    return next((int(a.split("=")[1]) for a in sys.argv[1:]
                 if a.startswith("--%s=" % name)), default)


STORM = option("storm", 250000)  # datagrams for each framer
KILLS = option("kills", 25)
BIG = 65507  # the longest datagram there is
AGAIN_S = 0.05  # a request is sent again after so long
# restarts at once, for ever: the pace of the killing is the test's own
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}


def udp(**more):
    return {"type": "udp", "listen": "127.0.0.1:0", "units": {"*": "plc1"},
            **more}


def conf(**more):
    """udp1, and a tcp1 beside it"""
    found = sysutil.demo_conf()
    found["transports"]["udp1"] = udp(**more)
    return found


class Client:
    """A peer: datagrams out, datagrams in."""

    def __init__(self, port, host="127.0.0.1", framer="socket", source=None):
        self.framer = FRAMERS[framer]
        self.server = (host, port)
        self.tid = 0
        self.socket = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            socket.SOCK_DGRAM)
        if source:
            self.socket.bind((source, 0))

    def send(self, data):
        self.socket.sendto(data, self.server)

    def ask(self, pdu, unit=1):
        """Sends a request; its transaction."""
        self.tid = self.tid + 1 & 0xffff
        self.send(self.framer.encode(unit, pdu, self.tid))
        return self.tid

    def receive(self, timeout=50.0):
        """The next datagram, which must be one reply: (tid, unit, PDU); None
        if none comes in time."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return None
        data, self.sender = self.socket.recvfrom(2048)
        reply, used = self.framer.take(data)
        assert used == len(data), data.hex()
        return reply

    def request(self, pdu, unit=1, timeout=50.0):
        """A request and its reply's PDU; None if none comes."""
        tid = self.ask(pdu, unit)
        reply = self.receive(timeout)
        if reply is None:
            return None
        assert reply[0] in (None, tid) and reply[1] == unit, reply
        return reply[2]

    def surely(self, pdu, tries=2000):
        """The same, asked again as UDP wants it until it is answered."""
        self.ask(pdu)
        for _ in range(tries):
            reply = self.receive(AGAIN_S)
            if reply is None:
                self.send(self.framer.encode(1, pdu, self.tid))
            elif reply[0] == self.tid:
                return reply[2]
        raise AssertionError("no reply")

    def alive(self):
        return self.request(fc3(1000)) == b"\x03\x02\xbe\xef"

    def peer(self):
        return "127.0.0.1:%d" % self.socket.getsockname()[1]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def client(daemon, host="127.0.0.1", **more):
    return Client(daemon.port("udp1"), host, **more)


def stats(daemon, name="udp1"):
    return daemon.rpc("stats.get")["transports"][name]


def listed(daemon):
    return [c["peer"] for c in
            daemon.rpc("connections.list", transport="udp1")]


def each_framer(ask, **more):
    """ask(daemon, client) for each of them."""
    found = sysutil.demo_conf()
    found["transports"] = {f: udp(framer=f, **more) for f in FRAMERS}
    with Daemon(found) as d:
        for name in FRAMERS:
            with Client(d.port(name), framer=name) as c:
                c.name = name
                ask(d, c)


# what is a frame

def test_one_frame_or_nothing():
    """no datagram but a whole frame is answered, and each of the others is
    followed by a good request that is, with every framer"""
    def ask(d, c):
        good = c.framer.encode(1, fc3(1000), 77)
        # not 0: behind a CRC that is a good frame again
        bad = [b"", b"\0", good[:-1], good[1:], good + b"\1", good + good,
               good + good[:5], good[:5], b":" + good, bytes(12),
               b"GET / HTTP/1.1\r\n\r\n", good + bytes(600),
               good + bytes(BIG - len(good)), os.urandom(BIG)]
        for n, data in enumerate(bad):
            c.send(data)
            assert c.alive(), (c.name, data[:40])
            assert stats(d, c.name)["frames_bad"] == n + 1, (c.name, n)
    each_framer(ask)


def test_unknown_functions():
    """a function code that is not known is answered 01, and what bears the
    mark of an exception is a reply, not a request"""
    def ask(d, c):
        known = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23,
                 24, 43)
        for fc in range(256):
            if fc in known:
                continue
            if fc < 128:
                assert c.request(bytes([fc, 0, 1])) == bytes([fc | 0x80, 1])
            else:
                c.ask(bytes([fc, 2]))
            assert c.alive(), (c.name, fc)
        assert stats(d, c.name)["frames_bad"] == 128
    each_framer(ask)


def test_pymodbus():
    "pymodbus's client over UDP with its framers"
    from pymodbus.client import ModbusUdpClient
    from pymodbus.transaction import (ModbusAsciiFramer, ModbusRtuFramer,
                                      ModbusSocketFramer)
    framers = {"socket": ModbusSocketFramer, "tls": ModbusSocketFramer,
               "rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}
    found = sysutil.demo_conf()
    found["transports"] = {f: udp(framer=f) for f in framers}
    with Daemon(found) as d:
        for at, name in enumerate(framers):
            c = ModbusUdpClient("127.0.0.1", port=d.port(name),
                                framer=framers[name], timeout=50)
            assert c.connect()
            values = [at, 0x3a0d, 0xffff]
            assert not c.write_registers(at, values, slave=1).isError()
            got = c.read_holding_registers(at, 3, slave=1)
            assert got.registers == values, got
            assert not c.write_coil(at, True, slave=1).isError()
            assert c.read_coils(at, 1, slave=1).bits[0]
            assert c.read_holding_registers(
                5000, 1, slave=1).exception_code == 2
            c.socket.close()
            c.close()


def test_broadcast_and_missing_units():
    "unit 0 writes to all and is not answered; missing units as configured"
    both = conf(broadcast=True, units={"1": "plc1", "2": "plc2"})
    both["devices"]["plc2"] = {"holding_registers": [{"addr": 0,
                                                      "count": 10}]}
    both["transports"]["quiet"] = udp(units={"1": "plc1"},
                                      missing_unit="silent")
    with Daemon(both) as d, client(d) as c:
        c.ask(fc6(5, 77), unit=0)
        c.ask(fc3(0), unit=0)
        assert c.request(fc3(5), unit=1) == b"\x03\x02\0\x4d"
        assert c.request(fc3(5), unit=2) == b"\x03\x02\0\x4d"
        assert c.request(fc3(0), unit=9) == b"\x83\x0b"
        assert stats(d)["broadcasts"] == 2
        with Client(d.port("quiet")) as q:
            q.ask(fc3(0), unit=9)
            assert q.alive()
            assert stats(d, "quiet")["unknown_units"] == 1


# where replies come from

def test_the_address_that_was_asked():
    "a reply leaves from the address that was asked, on any listener"
    for listen, asked in (("0.0.0.0:0", ("127.0.0.1", "127.0.0.5")),
                          ("127.0.0.9:0", ("127.0.0.9",)),
                          ("[::]:0", ("::1",)), ("[::1]:0", ("::1",))):
        with Daemon(conf(listen=listen)) as d:
            for host in asked:
                with client(d, host) as c:
                    assert c.alive(), (listen, host)
                    assert c.sender[:2] == c.server, (listen, c.sender)
                    # a client that takes replies from nobody else
                    c.socket.connect(c.server)
                    c.socket.send(c.framer.encode(1, fc3(1000), 9))
                    assert c.receive() == (9, 1, b"\x03\x02\xbe\xef")
            if ":" in asked[0]:
                assert all(p.startswith("[::1]:") for p in listed(d))


def test_clients_that_have_gone():
    "replies to ports that nobody has any more disturb nobody"
    with Daemon(conf(listen="0.0.0.0:0")) as d, client(d) as c:
        for _ in range(300):
            with client(d) as gone:
                gone.ask(fc3(1000))
        assert c.alive()
        # what the machines answered to those replies has arrived by now
        assert all(c.alive() for _ in range(50))
        assert stats(d)["restarts"] == 0


# peers

def mixed(daemon, n=64, rounds=25, depth=4, in_order=True):
    """n clients at a time, each asks for what only it would: every one gets
    its own replies and nothing else."""
    clients = [client(daemon) for _ in range(n)]
    try:
        for r in range(rounds):
            for i, c in enumerate(clients):
                # how many registers from where: no other client's question
                c.want = {}
                for k in range(depth):
                    addr = (r * depth + k) % 50 + i
                    tid = c.ask(fc3(addr, i + 1) if k % 2 else
                                fc6(500 + i, 1000 * k + r))
                    c.want[tid] = (
                        b"\x03" + bytes([2 * i + 2]) + struct.pack(
                            ">%dH" % (i + 1), *range(addr, addr + i + 1))
                        if k % 2 else fc6(500 + i, 1000 * k + r))
            for i, c in enumerate(clients):
                order = list(c.want)
                for k in range(depth):
                    tid, unit, pdu = c.receive()
                    assert tid == order[k] or not in_order, (i, tid, order)
                    assert c.want.pop(tid) == pdu and unit == 1, (i, tid)
        for c in clients:
            assert c.receive(0) is None, "more than it asked for"
    finally:
        for c in clients:
            c.close()


def counted(**more):
    found = conf(**more)
    found["devices"]["plc1"]["holding_registers"] = [
        {"addr": 0, "count": 500, "values": list(range(500))},
        {"addr": 500, "count": 500}]
    return found


def test_peers_never_mix():
    "64 clients at a time: each gets its own replies, in order, nothing else"
    with Daemon(counted()) as d, Beside(d):
        mixed(d)
        assert stats(d)["conns_opened"] == 64, stats(d)
        assert stats(d)["conns_evicted"] == 0, stats(d)


def test_more_peers_than_connections():
    "peers beyond max_connections are served as well, the others forgotten"
    with Daemon(counted(max_connections=10)) as d, Beside(d):
        mixed(d)
        assert len(listed(d)) == 10
        assert stats(d)["conns_evicted"] >= 54, stats(d)
        assert stats(d)["conns_refused"] == 0, stats(d)
        assert "evicted" not in d.stderr_text()


def test_two_workers():
    "workers that share the socket share the requests; peers do not mix"
    with Daemon(counted(workers=2)) as d, Beside(d):
        def busy():
            mixed(d, rounds=5, in_order=False)
            ids = d.rpc("connections.list", transport="udp1")
            return {c["id"].split(".")[1] for c in ids} == {"0", "1"}
        wait_for(busy, 30, "work for both")


def test_peers_are_shown_and_forgotten():
    "peers are listed as connections while they ask"
    with Daemon(conf(idle_timeout_s=1)) as d, client(d) as a, \
            client(d) as b, client(d) as junk:
        assert a.alive() and a.alive() and b.alive()
        junk.send(b"\0\1\0\1\0\6\1\3\0\0\0\1")
        assert b.alive()
        rows = {c["peer"]: c for c in
                d.rpc("connections.list", transport="udp1")}
        assert set(rows) == {a.peer(), b.peer()}, rows
        assert rows[a.peer()]["requests"] == 2
        assert rows[a.peer()]["last_fc"] == 3
        assert a.peer() in d.cli("clients").stdout
        wait_for(lambda: b.alive() and listed(d) == [b.peer()], 5,
                 "forgetting")
        assert stats(d)["conns_idle"] == 1, stats(d)
        assert a.alive()
        assert sorted(listed(d)) == sorted([a.peer(), b.peer()])


def test_kick():
    "an operator makes a peer forgotten; it may come again"
    with Daemon(conf()) as d, client(d) as a, client(d) as b:
        assert a.alive() and b.alive()
        mine = [c["id"] for c in d.rpc("connections.list")
                if c["peer"] == a.peer()]
        assert len(mine) == 1
        d.cli("kick", mine[0])
        assert listed(d) == [b.peer()]
        assert stats(d)["conns_kicked"] == 1, stats(d)
        assert a.alive() and b.alive()
        assert sorted(listed(d)) == sorted([a.peer(), b.peer()])


def test_lists():
    "who is denied is not answered and not listed, and floods no log"
    lists = {"allow": ["127.0.0.0/30"], "deny": ["127.0.0.2/32"]}
    with Daemon(conf(**lists)) as d, Beside(d):
        for host, allowed in (("127.0.0.2", False), ("127.0.0.3", True),
                              ("127.0.0.4", False), ("127.0.0.1", True)):
            with client(d, source=host) as c:
                if allowed:
                    assert c.alive(), host
                    continue
                for _ in range(100):
                    c.ask(fc6(0, 1))
                assert c.request(fc3(0), timeout=0.1) is None, host
        assert stats(d)["conns_denied"] == 202, stats(d)
        assert stats(d)["requests"] == {"3": 2}, stats(d)
        assert len(listed(d)) == 2
        assert d.stderr_text().count("datagrams denied") == 1
    with Daemon(conf(listen="[::1]:0", deny=["::1/128"])) as d, \
            client(d, "::1") as c:
        assert c.request(fc3(0), timeout=0.1) is None
        assert stats(d)["conns_denied"] == 1


def test_trace():
    "requests, replies and what is no frame are in the trace"
    with Daemon(conf(trace=True)) as d, client(d) as c:
        assert c.alive()
        c.send(b"no frame")
        assert c.request(fc3(60000)) == b"\x83\2"
        frames = d.rpc("trace.read", transport="udp1")["frames"]
        assert [f["direction"] for f in frames] == [
            "in", "out", "in", "in", "out"], frames
        assert bytes.fromhex(frames[2]["adu"]) == b"no frame"
        mine = d.rpc("connections.list", transport="udp1")[0]["id"]
        assert frames[0]["connection"] == frames[1]["connection"] == mine
        assert frames[4]["exception"] == 2


# workers that come and go

def two(**more):
    found = conf(restart=AT_ONCE, **more)
    found["transports"]["udp2"] = udp()
    return found


class Count:
    """A client that counts blocks of registers up, by requests that are sent
    again until they are answered."""

    BLOCK = 50

    def __init__(self, daemon, addr):
        self.client, self.addr = client(daemon), addr
        self.value = 0

    def step(self):
        """An answered write is there, wholly; whatever was sent again, what
        is there is what was written last."""
        self.value = self.value + 1 & 0xffff
        pdu = fc16(self.addr, [self.value] * self.BLOCK)
        got = self.client.surely(pdu)
        assert got == pdu[:5], got.hex()
        got = self.client.surely(fc3(self.addr, self.BLOCK))
        there = struct.unpack(">%dH" % self.BLOCK, got[2:])
        assert set(there) == {self.value}, (self.value, there)


def test_killed_under_load():
    """kill -9 under write load: others see nothing, each write that is
    answered is there, it serves again at once, and restarts counts"""
    with Daemon(two()) as d, Beside(d), Client(d.port("udp2")) as other:
        counts = [Count(d, 100 * i) for i in range(4)]
        gaps = []
        for n in range(KILLS):
            for i in range(3 * len(counts)):
                counts[i % 4].step()
            # writes that may be in hand when it dies
            for c in counts:
                c.client.ask(fc16(c.addr, [c.value] * c.BLOCK))
            pid = wait_for(lambda: bt.live_child(d, "udp1"), 10, "a worker")
            os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            counts[n % 4].step()
            gaps.append((time.monotonic() - began) * 1e3)
            assert other.alive()
        for c in counts:
            c.step()
            c.client.close()
        print("    kill to two served requests: p50 %.1f max %.1f ms" % (
            bt.median(gaps), max(gaps)))
        assert bt.median(gaps) < (50 + 2 * 1e3 * AGAIN_S) * bt.pace(), gaps
        restarts = {t["name"]: t["restarts"]
                    for t in d.rpc("transports.list")}
        assert restarts == {"tcp1": 0, "udp1": KILLS, "udp2": 0}, restarts


test_killed_under_load.seconds = 60 + KILLS


class Adder:
    """A peer that has one added to two registers, many times over, `depth` at
    a time. Each addition must be carried out once: its reply says how many
    there have been. again_s: what is not answered is sent again after that."""

    def __init__(self, daemon, addr, depth, again_s=None):
        self.client, self.addr = client(daemon), addr
        self.depth, self.again_s = depth, again_s
        self.asked = self.done = self.again = self.twice = 0
        self.waiting = {}  # by transaction: what it must say, data, when
        for _ in range(8):  # from now on it is known to count
            assert self.client.alive()

    def ask(self):
        self.asked += 1
        tid = self.client.tid = self.client.tid + 1 & 0xffff
        data = self.client.framer.encode(
            1, struct.pack(">BHH", 0x41, self.addr, 1), tid)
        self.waiting[tid] = [self.asked, data, time.monotonic()]
        self.client.send(data)

    def take(self):
        tid, _, pdu = self.client.receive(0)
        if tid not in self.waiting:
            self.twice += 1
            return
        want = self.waiting.pop(tid)[0] & 0xffff
        assert pdu == struct.pack(">BHH", 0x41, want, want), (want, pdu.hex())
        self.done += 1

    def look(self, more):
        """Once: asks for more, asks again."""
        while more and len(self.waiting) < self.depth:
            self.ask()
        now = time.monotonic()
        for w in self.waiting.values():
            assert now - w[2] < (60 if self.again_s is None else 300), "lost"
            if self.again_s is not None and now - w[2] > self.again_s * (
                    1 + self.again % 3):
                w[2] = now
                self.again += 1
                self.client.send(w[1])


def killed_while_adding(daemon, adders, kills):
    """Kills the worker so often while they add; then lets them come to an
    end."""
    sockets = {a.client.socket: a for a in adders}
    killed, due = 0, time.monotonic()
    while killed < kills or any(a.waiting for a in adders):
        for s in select.select(list(sockets), [], [], 0.002)[0]:
            sockets[s].take()
        for a in adders:
            a.look(killed < kills)
        if killed < kills and time.monotonic() > due:
            pid = bt.live_child(daemon, "udp1")
            if pid is None:
                continue
            os.kill(pid, signal.SIGKILL)
            killed += 1
            due = time.monotonic() + (killed * 7 % 31) / 1e3
    for a in adders:
        got = a.client.surely(fc3(a.addr, 2))
        assert got[2:] == struct.pack(">H", a.asked & 0xffff) * 2, a.asked
        assert a.asked == a.done


def adding(again_s=None, **more):
    found = two(plugins=[compiled(HOOKS)], **more)
    with Daemon(found) as d, Beside(d):
        adders = [Adder(d, 10 * i, (1, 3, 8, 20)[i], again_s)
                  for i in range(4)]
        killed_while_adding(d, adders, KILLS)
        s = stats(d)
        print("    %d additions over %d deaths, sent again %d, answered as "
              "before %d, replies over again %d" % (
                  sum(a.done for a in adders), KILLS,
                  sum(a.again for a in adders), s["repeats"],
                  sum(a.twice for a in adders)))
        assert s["conns_open"] == 4, s
        for a in adders:
            a.client.close()
        return s


def test_nothing_is_lost():
    """kill -9 while many requests are in hand: each is carried out once and
    answered, and nobody has to ask again"""
    assert adding()["repeats"] == 0


test_nothing_is_lost.seconds = 60 + KILLS


def test_nothing_is_done_twice():
    """kill -9 under peers that lose their patience: what is sent again is
    answered as it was, and carried out once"""
    adding(again_s=0.004)


test_nothing_is_done_twice.seconds = 60 + KILLS


def test_over_again():
    """without any death: what a peer that counts sends again is answered as
    before; what one sends under the same number and means anew is done"""
    with Daemon(two(plugins=[compiled(HOOKS)])) as d, client(d) as c, \
            client(d) as constant:
        add = struct.pack(">BHH", 0x41, 0, 1)
        for n in range(1, 30):
            data = c.framer.encode(1, add, n)
            want = struct.pack(">BHH", 0x41, n, n)
            c.send(data)
            assert c.receive() == (n, 1, want)
            if n >= 8:
                c.send(data)
                assert c.receive() == (n, 1, want)
        assert stats(d)["repeats"] == 22
        data = constant.framer.encode(1, struct.pack(">BHH", 0x41, 4, 1), 7)
        for n in range(1, 30):
            constant.send(data)
            assert constant.receive()[2] == struct.pack(">BHH", 0x41, n, n)
        assert stats(d)["repeats"] == 22


def test_what_comes_meanwhile():
    "what comes while nobody serves is answered by the successor"
    with Daemon(two()) as d, client(d) as c:
        for round_ in range(5):
            assert c.alive()
            # what answers may be heard of a moment later
            pid = wait_for(lambda: d.worker_pid("udp1"))
            os.kill(pid, signal.SIGSTOP)
            first = c.tid + 1
            for i in range(100):
                c.ask(fc6(i, 100 * round_ + i))
            os.kill(pid, signal.SIGKILL)
            for i in range(100):
                tid, _, pdu = c.receive()
                while tid < first:  # the last reply of before, once more
                    tid, _, pdu = c.receive()
                assert (tid, pdu) == (first + i, fc6(i, 100 * round_ + i))


def test_restart_loses_nothing():
    "a restart under load answers every request, once and in order"
    with Daemon(two()) as d, Beside(d), client(d) as c:
        operator = d.connect()
        for round_ in range(5):
            operator.socket.send_json({
                "jsonrpc": "2.0", "id": round_, "method":
                "transports.restart", "params": {"name": "udp1"}})
            asked = done = 0
            while done < 1500:
                while asked < 1500 and asked - done < 20:
                    c.ask(fc6(asked % 100, asked))
                    asked += 1
                tid, _, pdu = c.receive()
                assert pdu == fc6(done % 100, done), (done, pdu.hex())
                done += 1
            operator.receive()
        operator.close()


def test_stop_and_start():
    "a stopped transport answers what it was asked and gives the port up"
    with Daemon(two()) as d, client(d) as c, Client(d.port("udp2")) as other:
        assert c.alive()
        for i in range(200):
            c.ask(fc6(i, i))
        d.rpc("transports.stop", name="udp1")
        for i in range(200):
            assert c.receive()[2] == fc6(i, i)
        c.socket.connect(c.server)
        try:
            c.socket.send(b"anybody?")
            c.socket.settimeout(50)
            c.socket.recv(10)
            raise AssertionError("the port is still there")
        except ConnectionRefusedError:
            pass
        assert listed(d) == [] and other.alive()
        d.rpc("transports.start", name="udp1")
        with client(d) as again:
            assert again.server == c.server and again.alive()


# storms

def storm_conf():
    # serial_functions: a storm would find 8/4, which silences a device
    return {
        "devices": {"plc1": {
            "coils": [{"addr": 0, "count": 2000}],
            "discrete_inputs": [{"addr": 0, "count": 100}],
            "holding_registers": [{"addr": 0, "count": 1000}],
            "input_registers": [{"addr": 0, "count": 125, "value": 7}],
            "files": [{"number": 1, "records": 100}],
            "fifos": [{"addr": 100, "values": [1, 2]}]}},
        "transports": {
            "tcp1": {"type": "tcp", "listen": "127.0.0.1:0"},
            **{f: udp(framer=f, serial_functions=False, max_connections=16)
               for f in FRAMERS}},
    }


def test_storm():
    """random and mutated datagrams by the hundred thousand: each good request
    after some of them is answered, and nobody else notices"""
    with Daemon(storm_conf()) as d, Beside(d):
        pids = {f: d.worker_pid(f) for f in FRAMERS}
        for seed, framer in enumerate(FRAMERS, int(STORM)):
            done = subprocess.run(
                [bt.tool("storm_udp"), "--connect",
                 "127.0.0.1:%d" % d.port(framer), "--framer", framer,
                 "--count", str(STORM), "--seed", str(seed)],
                capture_output=True, text=True)
            print("    %s, seed %d: %s" % (
                framer, seed, (done.stdout + done.stderr).strip()))
            assert done.returncode == 0
            s = stats(d, framer)
            assert s["frames_bad"] > STORM / 2, s
            assert sum(s["requests"].values()) > STORM / 10, s
        assert pids == {f: d.worker_pid(f) for f in FRAMERS}
        lines = d.stderr_text().count("\n")
        assert lines < 100, "%d lines in the log" % lines


test_storm.seconds = 60 + STORM // 2500


def test_no_datagram_silences_a_unit():
    "function code 8/4, which anybody could send in anybody's name, gets 01"
    with Daemon(conf()) as d, client(d) as c:
        assert c.request(b"\x08\0\4\0\0") == b"\x88\1"
        assert c.alive()


if __name__ == "__main__":
    sysutil.run()
