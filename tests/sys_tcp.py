#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The TCP transport as its clients meet it: many requests at once, pieces,
clients that do not read or do not finish, limits, lists, drains. Beside each
of them another client works, and nothing may change for it."""
import os
import random
import resource
import select
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from sysutil import Daemon, Modbus, wait_for  # noqa: E402

READ_1 = struct.pack(">BHH", 3, 0, 1)
READ_125 = struct.pack(">BHH", 3, 0, 125)
REPLY_125 = 259


def conf(**transport):
    found = sysutil.demo_conf()
    found["transports"]["tcp1"].update(transport)
    return found


class Client(Modbus):
    """Comes from another address of this machine than the client beside it,
    for limits that count by address."""

    def __init__(self, daemon, host="127.0.0.2", receive_buffer=None,
                 port=None):
        self.unit, self.tid = 1, 0
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.settimeout(100)
        self.socket.bind((host, 0))
        self.socket.connect(("127.0.0.1", port or daemon.port("tcp1")))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def alive(self):
        try:
            return self.read_hr(0, 1) == [0]
        except (EOFError, ConnectionError):
            return False

    def stuff(self, request, most):
        """Sends up to that many requests without reading, until no more is
        taken; how many went out wholly, and the rest of one that did not."""
        data = b"".join(self.adu(request) for _ in range(most))
        size = len(data) // most
        sent = 0
        self.socket.setblocking(False)
        while sent < len(data):
            try:
                sent += self.socket.send(data[sent:sent + 65536])
            except BlockingIOError:
                if not select.select([], [self.socket], [], 0.3)[1]:
                    break
        self.socket.settimeout(100)
        whole = -(-sent // size)
        return sent // size, data[sent:whole * size]


class Beside:
    """A client that reads and checks all the while. It must see no error, no
    end of its connection and no delay to speak of."""

    MORE = 300  # requests that it makes at least, first and at the end

    def __init__(self, daemon, transport="tcp1"):
        self.daemon = daemon
        self.transport = transport
        self.busy = bt.Busy(daemon.port(transport), conns=1, fc=3, count=10)

    def requests(self):
        return sum(c["requests"] for c in self.daemon.rpc(
            "connections.list", transport=self.transport)
            if c["peer"].startswith("127.0.0.1:"))

    def go_on(self):
        enough = self.requests() + self.MORE
        wait_for(lambda: self.requests() >= enough, 10, "service beside it")

    def __enter__(self):
        self.busy.__enter__()
        try:
            self.go_on()
        except BaseException:
            self.busy.__exit__()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.go_on()
        finally:
            self.busy.__exit__()
        got = self.busy.result
        if kind is None:
            assert got["errors"] == 0 and got["reopened"] == 0, got
            assert got["p50"] < 5000 * bt.pace(), got


def stats(daemon):
    return daemon.rpc("stats.get")["transports"]["tcp1"]


def test_pipelining():
    "a thousand requests in one write are answered in order"
    with Daemon(conf()) as d, Beside(d), Client(d) as c:
        want, data = [], b""
        for i in range(1000):
            if i % 3 == 0:
                pdu = struct.pack(">BHH", 6, i % 100, i)
                want.append(pdu)
            else:
                pdu = struct.pack(">BHH", 3, (i - i % 3) % 100, 1)
                want.append(struct.pack(">BBH", 3, 2, i - i % 3))
            data += c.adu(pdu)
        c.send(data)
        for i, pdu in enumerate(want):
            assert c.receive() == (i + 1, 1, pdu), i


def test_split_requests():
    "a request may come in pieces of any size"
    with Daemon(conf()) as d, Beside(d), Client(d) as c:
        pdu = struct.pack(">BHHBHH", 16, 7, 2, 4, 0x1234, 0x5678)
        for at in range(1, len(pdu) + 7):
            data = c.adu(pdu) + c.adu(READ_1)
            c.send(data[:at])
            c.send(data[at:])
            assert c.receive()[2] == pdu[:5]
            assert c.receive()[2] == b"\x03\x02\0\0"


def test_a_byte_at_a_time():
    "a client that sends a byte now and then is answered as it deserves"
    with Daemon(conf(frame_timeout_ms=0)) as d, Beside(d), Client(d) as c:
        for byte in c.adu(READ_1):
            c.send(bytes([byte]))
            select.select([c.socket], [], [], 0.05)
        assert c.receive() == (1, 1, b"\x03\x02\0\0")


def test_frame_timeout():
    "a request that stays unfinished ends its connection, a finished one not"
    with Daemon(conf(frame_timeout_ms=300)) as d, Beside(d), \
            Client(d) as slow, Client(d) as idle:
        assert idle.alive()
        slow.send(slow.adu(READ_1)[:-1])
        began = time.monotonic()
        assert slow.closed()
        took = time.monotonic() - began
        assert 0.25 < took < 8, took  # 10 s are usual
        assert idle.alive()
        assert stats(d)["conns_slow"] == 1, stats(d)


def test_a_slow_stream_of_requests_is_not_slow():
    "requests whose ends overlap the next one's start keep their connection"
    with Daemon(conf(frame_timeout_ms=2500)) as d, Beside(d), Client(d) as c:
        data = c.adu(READ_1)
        end = time.monotonic() + 4
        c.send(data[:5])
        while time.monotonic() < end:
            select.select([c.socket], [], [], 0.1)
            c.send(data[5:] + data[:5])
            assert c.receive()[2] == b"\x03\x02\0\0"


# requests whose replies are more than any socket takes
FLOOD = 40000


def test_never_reading():
    "a client that never reads keeps its requests and costs nobody anything"
    with Daemon(conf()) as d, Beside(d), Client(d, receive_buffer=65536) as c:
        sent, rest = c.stuff(READ_125, FLOOD)
        wait_for(lambda: stats(d)["backpressured"] >= 1, 10, "a full socket")
        for i in range(sent):
            tid, _, pdu = c.receive()
            assert tid == (i + 1) & 0xffff and len(pdu) == 252, i
        if rest:
            c.send(rest)
            assert c.receive()[0] == (sent + 1) & 0xffff
        c.tid = 0
        assert c.alive()


def test_half_close():
    "what was asked before the end of the input is answered, then it is closed"
    with Daemon(conf()) as d, Beside(d), Client(d) as c:
        c.send(b"".join(c.adu(READ_125) for _ in range(700)))
        c.socket.shutdown(socket.SHUT_WR)
        for i in range(700):
            assert c.receive()[0] == i + 1
        assert c.socket.recv(1) == b""


def test_half_close_of_a_slow_reader():
    "replies that wait for their reader outlive the end of the input"
    with Daemon(conf()) as d, Beside(d), Client(d, receive_buffer=65536) as c:
        sent, _ = c.stuff(READ_125, FLOOD)
        c.socket.shutdown(socket.SHUT_WR)
        for i in range(sent):
            assert c.receive()[0] == (i + 1) & 0xffff
        assert c.socket.recv(1) == b""


def test_reset():
    "a client that resets its connection with replies under way is forgotten"
    with Daemon(conf()) as d, Beside(d):
        for n in (1, 50, FLOOD):
            c = Client(d)
            c.stuff(READ_125, n)
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
            c.close()
        wait_for(lambda: stats(d)["conns_open"] == 1, 5, "forgetting")


def test_hopeless_bytes():
    "hopeless bytes end their connection, after the answers to what was before"
    with Daemon(conf()) as d, Beside(d):
        for bad in (b"\0\1\0\1\0\6\1\3\0\0\0\1", b"\0\1\0\0\0\1\1",
                    b"\0\1\0\0\1\0\1\3" + bytes(300),
                    b"GET / HTTP/1.1\r\n\r\n" * 300):
            with Client(d) as c:
                c.send(c.adu(READ_1) + c.adu(READ_125) + bad)
                assert c.receive()[2] == b"\x03\x02\0\0"
                assert c.receive()[0] == 2
                assert c.closed()
        assert stats(d)["conns_bad"] == 4, stats(d)
        d.wait_stderr("connection closed peer=127.0.0.2:")


def test_junk():
    "whatever bytes come, the worker stays and its other clients do not notice"
    chance = random.Random(5)
    with Daemon(conf()) as d, Beside(d):
        pid = d.worker_pid("tcp1")
        for _ in range(150):
            with Client(d) as c:
                for _ in range(chance.randrange(1, 6)):
                    pdu = chance.randbytes(chance.randrange(1, 254))
                    data = bytearray(c.adu(pdu, unit=chance.randrange(256)))
                    if chance.random() < 0.5:
                        data[chance.randrange(len(data))] = \
                            chance.randrange(256)
                    try:
                        c.send(data)
                    except ConnectionError:
                        break
        assert d.worker_pid("tcp1") == pid
        with Client(d) as c:
            assert c.read_hr(1000, 1) == [48879]


def test_eviction():
    "when it is full the longest unused connection makes room"
    with Daemon(conf(max_connections=4,
                     priority=["127.0.0.1/32"])) as d, Beside(d):
        a, b, c = Client(d), Client(d), Client(d)
        assert a.alive() and b.alive() and c.alive() and a.alive()
        e = Client(d)
        assert e.alive() and b.closed()
        assert a.alive() and c.alive() and e.alive()
        assert stats(d)["conns_evicted"] == 1, stats(d)
        for m in (a, b, c, e):
            m.close()


def test_priority():
    "priority connections are never evicted; without others newcomers go"
    with Daemon(conf(max_connections=3, priority=[
            "127.0.0.1/32", "127.0.0.3/32"])) as d, Beside(d):
        p = Client(d, "127.0.0.3")
        a = Client(d)
        assert p.alive() and a.alive()
        b = Client(d)
        assert b.alive() and a.closed()
        q = Client(d, "127.0.0.3")
        assert q.alive() and b.closed()
        r = Client(d)
        assert r.closed()
        assert p.alive() and q.alive()
        assert stats(d)["conns_refused"] == 1, stats(d)
        for m in (p, a, b, q, r):
            m.close()


def test_per_peer():
    "a peer at its limit replaces its own oldest connection and no other's"
    with Daemon(conf(max_connections_per_peer=2)) as d, Beside(d):
        other = Client(d, "127.0.0.3")
        a, b = Client(d), Client(d)
        assert other.alive() and a.alive() and b.alive()
        c = Client(d)
        assert c.alive() and a.closed()
        assert b.alive() and other.alive()
        for m in (other, a, b, c):
            m.close()


def test_idle():
    "a connection that asks nothing for the idle time is closed"
    with Daemon(conf(idle_timeout_s=3)) as d, Beside(d):
        a, b = Client(d), Client(d)
        began = time.monotonic()
        while not select.select([a.socket], [], [], 0.05)[0]:
            assert b.alive() and time.monotonic() < began + 60
        took = time.monotonic() - began
        assert a.closed() and 2.7 < took, took
        assert b.alive()
        assert stats(d)["conns_idle"] == 1, stats(d)


def test_lists():
    "who is not allowed, or denied, is not served"
    lists = {"allow": ["127.0.0.0/30"], "deny": ["127.0.0.2/32"]}
    with Daemon(conf(**lists)) as d, Beside(d):
        for host, allowed in (("127.0.0.2", False), ("127.0.0.3", True),
                              ("127.0.0.4", False), ("127.0.0.1", True)):
            with Client(d, host) as c:
                if allowed:
                    assert c.alive(), host
                else:
                    assert c.closed(), host
        assert stats(d)["conns_denied"] == 2, stats(d)


def test_kick():
    "an operator ends one connection and no other"
    with Daemon(conf()) as d, Beside(d), Client(d) as a, Client(d) as b:
        assert a.alive() and b.alive()
        peer = "127.0.0.2:%d" % a.socket.getsockname()[1]
        mine = [c["id"] for c in d.rpc("connections.list")
                if c["peer"] == peer]
        assert len(mine) == 1, d.rpc("connections.list")
        d.rpc("connections.close", id=mine[0])
        assert a.closed() and b.alive()
        assert stats(d)["conns_kicked"] == 1, stats(d)


def two_transports():
    found = conf()
    found["transports"]["tcp2"] = dict(found["transports"]["tcp1"])
    return found


def test_drain():
    "a transport that stops answers all that it has been asked, then closes"
    with Daemon(two_transports()) as d, Beside(d, "tcp2"):
        port = d.port("tcp1")
        idle, busy, half = Client(d), Client(d), Client(d)
        assert idle.alive() and busy.alive() and half.alive()
        half.send(half.adu(READ_1)[:7])
        busy.send(b"".join(busy.adu(READ_125) for _ in range(500)))
        d.rpc("transports.stop", name="tcp1", drain_s=5)
        for i in range(500):
            assert busy.receive()[0] == i + 2, i
        assert busy.socket.recv(1) == b""
        assert idle.closed() and half.closed()
        try:
            with Client(d, port=port) as late:
                assert late.closed()
        except ConnectionError:
            pass
        d.rpc("transports.start", name="tcp1")
        with Client(d) as again:
            assert again.alive()


def test_drain_waits_for_readers():
    "replies that wait for their reader may go until the drain's time is up"
    with Daemon(conf()) as d:
        c, never = Client(d, receive_buffer=4096), \
            Client(d, receive_buffer=4096)
        sent, _ = c.stuff(READ_125, FLOOD)
        never.stuff(READ_125, FLOOD)
        pid = d.worker_pid("tcp1")
        pidfd = os.pidfd_open(pid)
        stopper = d.connect()
        stopper.socket.send_json({
            "jsonrpc": "2.0", "id": 1, "method": "transports.stop",
            "params": {"name": "tcp1", "drain_s": 1}})
        d.wait_stderr("draining ms=")
        got = 0
        try:
            while got < sent:
                assert c.receive()[0] == (got + 1) & 0xffff
                got += 1
        except (EOFError, ConnectionError):
            pass
        assert got > 200, got
        assert select.select([pidfd], [], [], 50)[0], "it does not end"
        os.close(pidfd)
        assert never.closed()
        stopper.receive()
        stopper.close()


def test_restart_beside_the_deaf():
    "a restart waits a second for a client that does not read, and no longer"
    with Daemon(conf()) as d, Client(d, receive_buffer=4096) as never:
        never.stuff(READ_125, FLOOD)
        wait_for(lambda: stats(d)["backpressured"] >= 1, 10, "a full socket")
        start = time.monotonic()
        d.rpc("transports.restart", name="tcp1", drain_s=30)
        took = time.monotonic() - start
        assert 0.9 < took < 20, took
        assert never.closed()
        with Client(d) as c:
            assert c.alive()


def worker_counts(daemon):
    """Connections by worker, as their ids tell."""
    found = {}
    for c in daemon.rpc("connections.list"):
        worker = c["id"].split(".")[1]
        found[worker] = found.get(worker, 0) + 1
    return found


def test_two_workers():
    "workers that share a listener share the connections, and all are served"
    with Daemon(conf(workers=2)) as d, Beside(d):
        clients = []
        while len(worker_counts(d)) < 2 and len(clients) < 200:
            clients.append(Client(d))
            assert clients[-1].alive()
        assert len(worker_counts(d)) == 2, worker_counts(d)
        got = bt.load(d.port("tcp1"), conns=20, depth=4, seconds=0.3, fc=3,
                      count=50)
        assert got["served"] and not got["errors"], got
        for i, c in enumerate(clients):
            c.write_hr(i, [i + 1, i + 2])
            assert clients[0].read_hr(i, 2) == [i + 1, i + 2]
        for c in clients:
            c.close()


def test_two_workers_limit():
    "max_connections is the transport's, however many workers there are"
    with Daemon(conf(workers=2, max_connections=8,
                     priority=["127.0.0.1/32"])) as d, Beside(d):
        clients = []
        for _ in range(40):
            clients.append(Client(d))
            assert clients[-1].alive()
            open_now = sum(worker_counts(d).values())
            assert open_now <= 8, open_now
        for c in clients:
            c.close()


def test_want_of_descriptors():
    "a worker that gets no descriptor drops an unused one, and says so once"
    with Daemon(conf(priority=["127.0.0.1/32"])) as d, Beside(d):
        pid = d.worker_pid("tcp1")
        clients = [Client(d) for _ in range(3)]
        assert all(c.alive() for c in clients)
        used = {int(n) for n in os.listdir(f"/proc/{pid}/fd")}
        most = max(used) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        gone = 5 - (most - len(used))
        for i in range(5):
            clients.append(Client(d))
            assert clients[-1].alive(), i
        assert [c.alive() for c in clients] == \
            [False] * gone + [True] * (8 - gone)
        assert d.worker_pid("tcp1") == pid
        assert d.stderr_text().count("cannot accept") == 1
        for c in clients:
            c.close()


def test_urgent_data():
    "an urgent byte is a byte like others"
    with Daemon(conf()) as d, Beside(d), Client(d) as c:
        data = c.adu(READ_1)
        c.send(data[:4])
        c.socket.send(data[4:7], socket.MSG_OOB)
        c.send(data[7:])
        assert c.receive()[2] == b"\x03\x02\0\0"


def test_broadcast():
    "unit 0 writes to every device of the transport, and is not answered"
    both = conf(broadcast=True, units={"1": "plc1", "2": "plc2"})
    both["devices"]["plc2"] = {"holding_registers": [{"addr": 0,
                                                      "count": 10}]}
    with Daemon(both) as d, Beside(d), Client(d) as c:
        c.send(c.adu(struct.pack(">BHH", 6, 5, 77), unit=0))
        c.send(c.adu(READ_1, unit=0))
        assert c.read_hr(5, 1, unit=1) == [77]
        assert c.read_hr(5, 1, unit=2) == [77]
        assert c.request(READ_1, unit=9) == b"\x83\x0b"


def test_missing_unit_silent():
    "a unit that is not served may be met with silence"
    quiet = conf(missing_unit="silent", units={"1": "plc1"})
    with Daemon(quiet) as d, Beside(d), Client(d) as c:
        c.send(c.adu(READ_1, unit=9) + c.adu(READ_1, unit=254))
        assert c.alive()


def test_read_only():
    "a transport for reading answers writing with 01 and stays"
    with Daemon(conf(access="read-only")) as d, Beside(d), Client(d) as c:
        assert c.request(struct.pack(">BHH", 6, 0, 1)) == b"\x86\x01"
        assert c.request(struct.pack(">BHH", 5, 0, 0xff00)) == b"\x85\x01"
        assert c.alive()


def test_after_a_kill():
    "the connections of a dead worker go on, and are listed as they were"
    def listed():
        return sorted((c["id"], c["peer"], c["since"]) for c in
                      d.rpc("connections.list"))

    with Daemon(conf()) as d:
        old = [Client(d) for _ in range(5)]
        assert all(c.alive() for c in old)
        before = listed()
        half = old[0].adu(READ_1)
        old[0].send(half[:5])
        os.kill(d.worker_pid("tcp1"), 9)
        assert all(c.alive() for c in old[1:])
        old[0].send(half[5:])
        assert old[0].receive()[2] == b"\3\2\0\0"
        with Client(d) as c:
            assert c.alive()
            assert len(listed()) == 6
            assert set(before) < set(listed())
            assert stats(d)["conns_open"] == 6
            assert stats(d)["conns_opened"] == 6
        for c in old:
            c.close()
        wait_for(lambda: stats(d)["conns_open"] == 0)
        d.wait_stderr("connections taken over from the last worker n=5")


def test_ipv6():
    "it serves over IPv6"
    with Daemon(conf(listen="[::1]:0")) as d, \
            Modbus(d.port("tcp1"), "::1") as c:
        assert c.read_hr(1000, 1) == [48879]
        assert d.rpc("connections.list")[0]["peer"].startswith("[::1]:")


def test_a_silenced_unit_is_told_and_healed_by_an_operator():
    """function code 8/4 silences a unit for everybody: the log says so, 8/1
    or an ordered restart ends it"""
    silence, again = b"\x08\0\4\0\0", b"\x08\0\1\0\0"
    with Daemon(conf()) as d:
        for heal in ("8/1", "restart", "stop and start"):
            with Modbus(d.port("tcp1"), timeout=0.3) as m:
                m.send(m.adu(silence))
                sysutil.wait_for(lambda: d.stderr_text().count(
                    "unit 1 listens only") == 1 + (
                        "8/1", "restart", "stop and start").index(heal))
                try:
                    m.read_hr(0)
                    raise AssertionError("it was not silenced")
                except TimeoutError:
                    pass
                if heal == "8/1":
                    m.send(m.adu(again))
            if heal == "restart":
                d.rpc("transports.restart", name="tcp1")
            if heal == "stop and start":
                d.rpc("transports.stop", name="tcp1")
                d.rpc("transports.start", name="tcp1")
            with Modbus(d.port("tcp1")) as m:
                assert len(m.read_hr(0)) == 1, heal
        assert d.stderr_text().count("unit 1 answers again") == 1


if __name__ == "__main__":
    sysutil.run()
