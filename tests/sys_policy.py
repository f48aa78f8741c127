#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the Messaging on TCP/IP Guide V1.0b asks of a server's connections and
transactions. TG-xx are the requirements, in the words of this file:

    TG-01  a limit on connections; when full the oldest unused one goes
    TG-02  marked peers: never closed locally, at most so many of each
    TG-03  who may connect, who may not
    TG-04  half-open connections end: keepalive, or the peer's next one
    TG-05  NODELAY, KEEPALIVE, REUSEADDR
    TG-06  the reply has the request's transaction and unit
    TG-07  several transactions at once, a published number, beyond that 06
    TG-08  units 255 and 0 are the server itself
    TG-10  an unknown function code is answered 01
"""
import os
import random
import select
import signal
import socket
import struct
import subprocess
import time

import sysutil
from sysutil import Daemon, Modbus, wait_for

READ = struct.pack(">BHH", 3, 0, 1)
IR_READ = struct.pack(">BHH", 4, 0, 1)
KEEPALIVE = {"SO_KEEPALIVE": (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
             "TCP_NODELAY": (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
             "TCP_KEEPIDLE": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
             "TCP_KEEPINTVL": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
             "TCP_KEEPCNT": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)}


def conf(**transport):
    found = sysutil.demo_conf()
    found["transports"]["tcp1"].update(transport)
    return found


def two_devices(**transport):
    found = conf(**transport)
    found["devices"]["plc2"] = {
        "input_registers": [{"addr": 0, "value": 9}]}
    return found


class Client(Modbus):
    """Comes from an address of its own."""

    def __init__(self, daemon, host="127.0.0.2"):
        self.unit, self.tid = 1, 0
        self.socket = socket.socket()
        self.socket.settimeout(100)
        self.socket.bind((host, 0))
        self.socket.connect(("127.0.0.1", daemon.port("tcp1")))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def alive(self):
        try:
            return self.read_hr(0, 1) == [0]
        except (EOFError, ConnectionError):
            return False

    def pipeline(self, n, pdu=READ):
        """Sends n requests in one segment; the replies, in order."""
        first = self.tid + 1
        self.socket.sendall(b"".join(self.adu(pdu) for _ in range(n)))
        got = [self.receive() for _ in range(n)]
        assert [g[0] for g in got] == [(first + i) & 0xffff for i in range(n)]
        return [g[-1] for g in got]


def close_all(*clients):
    for c in clients:
        c.close()


def stats(d):
    return d.rpc("stats.get")["transports"]["tcp1"]


# ---- TG-01, TG-02, TG-03 ----

def test_tg01_the_oldest_unused_goes():
    "TG-01: when it is full the one that was used longest ago makes room"
    with Daemon(conf(max_connections=3)) as d:
        a, b, c = Client(d), Client(d, "127.0.0.3"), Client(d, "127.0.0.4")
        assert a.alive() and b.alive() and c.alive() and a.alive()
        e = Client(d, "127.0.0.5")
        assert e.alive() and b.closed()
        f = Client(d, "127.0.0.5")
        assert f.alive() and c.closed() and a.alive()
        got = stats(d)
        assert (got["conns_evicted"], got["conns_refused"]) == (2, 0), got
        close_all(a, b, c, e, f)


def test_tg01_a_flood_evicts_no_more_than_it_needs():
    "TG-01: a hundred connections at once are taken, the limit holds"
    with Daemon(conf(max_connections=8)) as d:
        crowd = [Client(d) for _ in range(100)]
        wait_for(lambda: stats(d)["conns_opened"] == 100, 10, "100 accepts")
        got = stats(d)
        assert got["conns_open"] == 8 and got["conns_evicted"] == 92, got
        assert sum(c.alive() for c in crowd[-8:]) == 8
        assert all(c.closed() for c in crowd[:-8])
        close_all(*crowd)


def test_tg02_marked_peers_are_never_closed_for_others():
    "TG-02: who is marked stays, whoever comes; the rest share what is left"
    with Daemon(conf(max_connections=4, priority=["127.0.0.8/31"])) as d:
        p, q = Client(d, "127.0.0.8"), Client(d, "127.0.0.9")
        assert p.alive() and q.alive()
        crowd = []
        for _ in range(10):
            crowd.append(Client(d))
            assert crowd[-1].alive()
        assert p.alive() and q.alive()
        assert stats(d)["conns_evicted"] == 8, stats(d)
        # a marked one is let in at the expense of one that is not
        r, s = Client(d, "127.0.0.8"), Client(d, "127.0.0.9")
        assert r.alive() and s.alive() and crowd[-1].closed()
        # and nobody at the expense of the marked
        late = Client(d)
        assert late.closed()
        assert p.alive() and q.alive() and r.alive() and s.alive()
        assert stats(d)["conns_refused"] == 1, stats(d)
        close_all(p, q, r, s, late, *crowd)


def test_tg02_marked_peers_have_a_maximum_each():
    "TG-02: one marked peer cannot take the connections of the others"
    with Daemon(conf(max_connections=4, max_connections_per_peer=2,
                     priority=["127.0.0.8/31"])) as d:
        other = Client(d, "127.0.0.9")
        mine = [Client(d, "127.0.0.8") for _ in range(2)]
        assert other.alive() and all(m.alive() for m in mine)
        for i in range(5):
            mine.append(Client(d, "127.0.0.8"))
            assert mine[-1].alive() and mine[i].closed()
        assert mine[-2].alive() and other.alive()
        plain = Client(d)
        assert plain.alive() and other.alive() and mine[-1].alive()
        close_all(other, plain, *mine)


def test_tg02_marked_peers_may_be_idle():
    "TG-02: idle_timeout_s closes who is not marked, and nobody else"
    with Daemon(conf(idle_timeout_s=1, priority=["127.0.0.8"])) as d:
        p, a = Client(d, "127.0.0.8"), Client(d)
        assert p.alive() and a.alive()
        assert a.closed()
        assert not select.select([p.socket], [], [], 0.5)[0]
        assert p.alive()
        assert stats(d)["conns_idle"] == 1, stats(d)
        close_all(p, a)


def test_tg03_lists():
    "TG-03: only who is allowed is served, and refusals are counted"
    with Daemon(conf(allow=["127.0.0.0/29"], deny=["127.0.0.3"])) as d:
        a, b, c = Client(d), Client(d, "127.0.0.3"), Client(d, "127.0.0.9")
        assert a.alive() and b.closed() and c.closed()
        assert stats(d)["conns_denied"] == 2, stats(d)
        close_all(a, b, c)


# ---- TG-04, TG-05 ----

def test_tg04_the_next_one_of_a_peer_replaces_a_half_open_one():
    "TG-04: with one connection for each peer, its new one ends the old one"
    with Daemon(conf(max_connections_per_peer=1)) as d:
        other, old = Client(d, "127.0.0.3"), Client(d)
        assert other.alive() and old.alive()
        # the peer has crashed in the middle of a request and comes again
        old.send(old.adu(READ)[:5])
        new = Client(d)
        assert new.alive() and old.closed() and other.alive()
        assert [c["peer"] for c in d.rpc("connections.list")
                if c["peer"].startswith("127.0.0.2:")] == [
                    "127.0.0.2:%d" % new.socket.getsockname()[1]]
        close_all(other, old, new)


def test_tg04_a_peer_that_was_reset_is_forgotten():
    "TG-04: a connection whose peer is no more ends as soon as that is known"
    with Daemon(conf()) as d:
        a = Client(d)
        assert a.alive()
        a.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        a.close()
        wait_for(lambda: stats(d)["conns_open"] == 0, 5, "the end")


def accepted_sockets(d, transport="tcp1"):
    """Duplicates of the connections' sockets, out of the worker."""
    pid = d.worker_pid(transport)
    pidfd = os.pidfd_open(pid)
    found = []
    try:
        for n in sorted(int(f) for f in os.listdir(f"/proc/{pid}/fd")):
            try:
                if not os.readlink(f"/proc/{pid}/fd/{n}").startswith("socket"):
                    continue
            except FileNotFoundError:
                continue
            fd = sysutil._libc.syscall(438, pidfd, n, 0)  # pidfd_getfd
            if fd < 0:
                raise sysutil.Skip("sockets of a process cannot be looked at")
            s = socket.socket(fileno=fd)
            try:
                s.getpeername()
            except OSError:
                s.close()
                continue
            if s.family in (socket.AF_INET, socket.AF_INET6):
                found.append(s)
            else:
                s.close()
    finally:
        os.close(pidfd)
    return found


def test_tg05_options_are_on_every_connection():
    "TG-04, TG-05: KEEPALIVE, its times and NODELAY are on what was accepted"
    with Daemon(conf()) as d:
        a, b = Client(d), Client(d, "127.0.0.3")
        assert a.alive() and b.alive()
        got = accepted_sockets(d)
        assert len(got) == 2, got
        for s in got:
            for name, (level, option, value) in KEEPALIVE.items():
                assert s.getsockopt(level, option) == value, name
            s.close()
        close_all(a, b)


def test_tg05_the_kernel_keeps_the_time():
    "TG-04: the kernel's keepalive timer runs on an idle connection"
    with Daemon(conf()) as d, Client(d) as c:
        assert c.alive()
        port = c.socket.getsockname()[1]

        def timer():
            out = subprocess.run(
                ["ss", "-Htno", f"dport = :{port}"], capture_output=True,
                text=True, timeout=100).stdout
            return "timer:(keepalive," in out

        # an acknowledgement that is on its way has the timer first
        wait_for(timer, 5, "the keepalive timer")


def test_tg05_the_backlog_is_deep():
    "a burst waits in the listener's queue, whose length is seen"
    with Daemon(conf()) as d:
        out = subprocess.run(
            ["ss", "-Hltn", f"sport = :{d.port('tcp1')}"],
            capture_output=True, text=True, timeout=100).stdout.split()
        with open("/proc/sys/net/core/somaxconn") as f:
            assert int(out[2]) == min(1024, int(f.read())), out
        # who connects while the worker does not run is served afterwards
        pid = d.worker_pid("tcp1")
        os.kill(pid, signal.SIGSTOP)
        try:
            crowd = [Client(d) for _ in range(100)]
        finally:
            os.kill(pid, signal.SIGCONT)
        assert all(c.alive() for c in crowd)
        assert stats(d)["conns_refused"] == 0, stats(d)
        close_all(*crowd)


def test_tg05_the_port_is_free_at_once():
    "TG-05: a daemon that is started again gets its port, whoever hung on"
    port = sysutil.free_port()
    one = conf(listen=f"127.0.0.1:{port}")
    with Daemon(one) as d:
        c = Client(d)
        assert c.alive()
    # the server closed first: TIME_WAIT is on its side
    assert c.closed()
    c.close()
    with Daemon(one) as d, Client(d) as c:
        assert c.alive()


# ---- TG-06, TG-07, TG-10 ----

def test_tg06_replies_bear_the_marks_of_their_requests():
    "TG-06: transaction and unit come back as they were sent, whatever they are"
    chance = random.Random(7)
    with Daemon(conf()) as d, Client(d) as c:
        sent = [(chance.randrange(65536), chance.randrange(256))
                for _ in range(200)]
        c.send(b"".join(c.adu(READ, unit=u, tid=t) for t, u in sent))
        assert [c.receive()[:2] for _ in sent] == sent


def test_tg07_sixteen_are_served_and_the_rest_is_refused():
    "TG-07: of twenty in one segment sixteen are served, four get 06, in order"
    with Daemon(conf(max_transactions=16)) as d, Client(d) as c:
        for _ in range(3):
            got = c.pipeline(20)
            assert [g[0] for g in got] == [3] * 16 + [0x83] * 4, got
            assert got[16:] == [b"\x83\x06"] * 4, got
        assert c.pipeline(16) == [got[0]] * 16
        s = stats(d)
        assert s["busy"] == 12 and s["exceptions"]["6"] == 12, s


def test_tg07_what_is_refused_is_not_done():
    "TG-07: a write that is answered 06 has not been carried out"
    with Daemon(conf(max_transactions=2)) as d, Client(d) as c:
        got = c.pipeline(3, struct.pack(">BHH", 6, 5, 77))
        assert [g[0] for g in got] == [6, 6, 0x86]
        c.send(b"".join(c.adu(struct.pack(">BHH", 6, 10 + i, 1))
                        for i in range(4)))
        assert [c.receive()[-1][0] for _ in range(4)] == [6, 6, 0x86, 0x86]
        assert c.read_hr(10, 4) == [1, 1, 0, 0]


def test_tg07_who_waits_is_never_refused():
    "TG-07: one request after the other never gets 06, in any pieces"
    chance = random.Random(8)
    with Daemon(conf(max_transactions=1)) as d, Client(d) as c:
        for _ in range(100):
            assert c.read_hr(0, 1) == [0]
        for _ in range(50):
            data = c.adu(READ)
            cut = chance.randrange(1, len(data))
            c.send(data[:cut])
            c.send(data[cut:])
            assert c.receive()[-1][0] == 3
        assert stats(d)["busy"] == 0, stats(d)


def test_tg07_connections_do_not_count_for_each_other():
    "TG-07: each connection has its own; replies come back where they belong"
    with Daemon(conf(max_transactions=16)) as d:
        crowd = [Client(d) for _ in range(8)]
        for i, c in enumerate(crowd):
            c.tid = 1000 * i
            c.write_hr(100 + i, [i])
        for i, c in enumerate(crowd):
            c.send(b"".join(c.adu(struct.pack(">BHH", 3, 100 + i, 1))
                            for _ in range(16)))
        for i, c in enumerate(crowd):
            for k in range(16):
                tid, _, pdu = c.receive()
                assert tid == 1000 * i + 2 + k
                assert pdu == struct.pack(">BBH", 3, 2, i), pdu
        assert stats(d)["busy"] == 0
        close_all(*crowd)


def test_tg07_the_number_is_published():
    "TG-07: the number of transactions is told, as are the other limits"
    with Daemon(conf(max_transactions=16, max_connections=9,
                     max_connections_per_peer=3)) as d:
        t = d.rpc("transports.list")[0]
        assert (t["max_transactions"], t["max_connections"],
                t["max_connections_per_peer"]) == (16, 9, 3), t
    with Daemon(conf()) as d:
        assert d.rpc("transports.list")[0]["max_transactions"] == 0


def test_tg07_without_a_limit_all_are_served():
    "TG-07: by default everything that has come is served"
    with Daemon(conf()) as d, Client(d) as c:
        assert {g[0] for g in c.pipeline(300)} == {3}
        assert stats(d)["busy"] == 0


def test_tg10_unknown_codes():
    "TG-10: an unknown code is answered 01, once there is a transaction for it"
    with Daemon(conf(max_transactions=1)) as d, Client(d) as c:
        assert c.pipeline(1, b"\x41") == [b"\xc1\x01"]
        assert c.pipeline(2, b"\x41") == [b"\xc1\x01", b"\xc1\x06"]


# ---- TG-08 ----

def test_tg08_255_and_0_are_the_server():
    "TG-08: units 255 and 0 are the device of a transport that has one"
    for units in ({"1": "plc1"}, {"*": "plc1"}, {"1": "plc1", "7": "plc1"}):
        with Daemon(conf(units=units)) as d, Client(d) as c:
            for unit in (255, 0, 1):
                assert c.request(IR_READ, unit=unit) == b"\x04\x02\0\x07"
            if "*" not in units:
                assert c.request(IR_READ, unit=254) == b"\x84\x0b"


def test_tg08_of_several_devices_none_is_the_server():
    "TG-08: with several devices 255 and 0 are missing, unless they are named"
    with Daemon(two_devices(units={"1": "plc1", "2": "plc2"})) as d, \
            Client(d) as c:
        for unit in (255, 0):
            assert c.request(IR_READ, unit=unit) == b"\x84\x0b"
    with Daemon(two_devices(units={
            "1": "plc1", "2": "plc2", "255": "plc2"})) as d, Client(d) as c:
        assert c.request(IR_READ, unit=255) == b"\x04\x02\0\x09"
        assert c.request(IR_READ, unit=0) == b"\x84\x0b"


def test_tg08_0_may_be_for_broadcasts():
    "TG-08: where broadcasts are on unit 0 is all devices, 255 is the server"
    with Daemon(conf(units={"1": "plc1"}, broadcast=True)) as d, \
            Client(d) as c:
        c.send(c.adu(struct.pack(">BHH", 6, 5, 77), unit=0))
        c.send(c.adu(IR_READ, unit=0))
        assert c.request(struct.pack(">BHH", 3, 5, 1),
                         unit=255) == b"\x03\x02\0\x4d"


def test_tg08_other_units_by_policy():
    "TG-08: a unit that is not there gets 0B, or silence"
    with Daemon(conf(units={"1": "plc1"}, missing_unit="silent")) as d, \
            Client(d) as c:
        c.send(c.adu(READ, unit=2) + c.adu(READ, unit=255))
        tid, unit, pdu = c.receive()
        assert (unit, pdu[0]) == (255, 3)
        assert stats(d)["unknown_units"] == 1


if __name__ == "__main__":
    sysutil.run()
