#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that their worker dies of: carried out twice at most, answered 04
then, and who goes on asking is kept out, while all others are served.

    sys_poison.py [WORD...] [--rounds=N]	(1 client that kills; more with N)
"""
import json
import os
import signal
import struct
import sys
import threading
import time

import zmq

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from everything import Everything  # noqa: E402
from sys_plugin import TOP, compiled  # noqa: E402
from sys_policy import Client  # noqa: E402
from sysutil import ROOT, Daemon, Modbus, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 1)
PLUGIN = os.path.join(ROOT, "tests/plugins/poison.c")
FINE, SEGV, ABRT, PART, ONCE, EXIT = range(6)
REFUSED = bytes([0x41 | 0x80, 4])
CLIENTS = 8
READ = struct.pack(">BHH", 3, 0, 1)


def ask(how, value=0x1234):
    return struct.pack(">BBH", 0x41, how, value)


def answer(value=0x1234):
    return struct.pack(">BH", 0x41, value)


def conf(options=None, **keys):
    t = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"},
         "plugins": [compiled(PLUGIN)], "options": options or {}, **keys}
    return {"devices": {"plc1": {
        "holding_registers": [{"addr": 0, "count": 100}]}},
        "transports": {"tcp1": t}}


def tcp1(d):
    return [t for t in d.rpc("transports.list") if t["name"] == "tcp1"][0]


def stats(d):
    return d.rpc("stats.get")["transports"]["tcp1"]


def lines(d, then):
    return [line for line in d.stderr_text().splitlines()
            if "request that workers die of" in line and f"then={then}" in line]


class Crowd:
    """Clients of another host that ask without end, each waiting for its
    reply, and check it; the longest wait is known."""

    def __init__(self, port):
        self.over = threading.Event()
        self.errors, self.asked, self.longest = [], 0, 0.0
        self.clients = [Modbus(port) for _ in range(CLIENTS)]
        self.threads = [threading.Thread(target=self.work, args=(i, c))
                        for i, c in enumerate(self.clients)]
        for t in self.threads:
            t.start()

    def work(self, i, c):
        n = 0
        try:
            while not self.over.is_set():
                n = (n + 1) % 60000
                began = time.monotonic()
                c.write_hr(10 + i, [n])
                assert c.read_hr(10 + i, 1) == [n]
                self.longest = max(self.longest, time.monotonic() - began)
                self.asked += 2
                time.sleep(0.001)
        except Exception as e:  # told by whoever waits
            self.errors.append(repr(e))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()
        for c in self.clients:
            c.close()


class Events:
    def __init__(self, d, topic):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(d.events_endpoint)

    def next(self, event, timeout=10000):
        while self.socket.poll(timeout):
            found = json.loads(self.socket.recv_multipart()[1])
            if found["event"] == event:
                return found
        raise AssertionError(f"no event {event}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def refused(d, host):
    """True if a host is not let in."""
    try:
        with Client(d, host) as c:
            return c.request(READ) is None
    except (EOFError, ConnectionError):
        return True


def kill_twice(how):
    with Daemon(conf()) as d, Events(d, b"connections.tcp1") as events, \
            Crowd(d.port("tcp1")) as crowd, Client(d) as c:
        while "event" not in events_warm(d, events):
            pass
        wait_for(lambda: crowd.asked > 100)
        before = tcp1(d)["restarts"]
        first = c.tid + 1
        pdus = [READ, ask(FINE, 1), struct.pack(">BHH", 6, 0, 7), ask(how),
                READ, ask(FINE, 2)]
        c.send(b"".join(c.adu(p) for p in pdus))
        got = [c.receive() for _ in pdus]
        assert [g[0] for g in got] == [first + i for i in range(len(pdus))]
        assert [g[2] for g in got] == [
            b"\3\2\0\0", answer(1), pdus[2], REFUSED, b"\3\2\0\7",
            answer(2)], got
        asked = crowd.asked
        wait_for(lambda: crowd.errors or crowd.asked > asked + 100)
        assert not crowd.errors, crowd.errors
        assert tcp1(d)["restarts"] == before + 2
        # the connection that has asked for it is still there
        assert c.read_hr(0, 1) == [7]
        assert len(lines(d, "again")) == 1 and len(lines(d, "refused")) == 1
        adu = struct.pack(">HHHB", first + 3, 0, 5, 1) + ask(how)
        line = lines(d, "refused")[0]
        own = "127.0.0.2:%d" % c.socket.getsockname()[1]
        assert f"peer={own} unit=1 fc=65 count=2" in line, line
        assert line.endswith(f"bytes={adu.hex()}"), line
        one, two = events.next("poison"), events.next("poison")
        assert (one["then"], two["then"]) == ("again", "refused"), (one, two)
        assert (two["peer"], two["unit"], two["fc"], two["count"],
                two["bytes"]) == (own, 1, 65, 2, adu.hex()), two
        s = stats(d)
        assert (s["fatal"], s["poisoned"]) == (2, 1), s
        # nothing was carried out twice, nothing lost
        assert d.rpc("registers.read", device="plc1", table="hr",
                     addr=10, count=CLIENTS)["values"]
        print(f"    restarts 2, {crowd.asked} requests of others, the longest "
              f"wait {crowd.longest * 1e3:.1f} ms")
    # Crowd has checked each reply


def events_warm(d, events):
    """A subscription takes its time: until an event has come."""
    with Modbus(d.port("tcp1")):
        if events.socket.poll(50):
            return json.loads(events.socket.recv_multipart()[1])
    return {}


def test_a_fault_twice_is_answered_04():
    """what a worker dies of by SIGSEGV is carried out once more and then
    answered 04, logged and told; what was asked before and behind it is
    answered once each, in order, and nobody else notices"""
    kill_twice(SEGV)


def test_an_abort_is_as_much_of_a_fault():
    """the same by abort()"""
    kill_twice(ABRT)


def test_the_third_time_its_host_is_kept_out():
    """asked for again it costs nobody's worker, but its connection, and its
    host's way in, until quarantine_s is over; others are not touched"""
    with Daemon(conf(quarantine_s=8)) as d, \
            Events(d, b"connections.tcp1") as events, \
            Crowd(d.port("tcp1")) as crowd:
        with Client(d) as c, Client(d) as same_host:
            while "event" not in events_warm(d, events):
                pass
            assert c.request(ask(SEGV)) == REFUSED
            restarts = tcp1(d)["restarts"]
            with Client(d, "127.0.0.3") as other:  # of another host: refused
                assert other.request(ask(SEGV)) == REFUSED
                assert other.request(ask(FINE)) == answer()
            c.send(c.adu(ask(SEGV)))
            assert c.closed()
            began = time.monotonic()
            assert same_host.read_hr(0, 1) == [0]
            assert refused(d, "127.0.0.2")
            assert not refused(d, "127.0.0.3")
            assert tcp1(d)["restarts"] == restarts
        assert len(lines(d, "quarantined")) == 1
        while (e := events.next("poison"))["then"] != "quarantined":
            pass
        assert e["count"] == 3 and e["peer"].startswith("127.0.0.2:"), e
        assert stats(d)["conns_quarantined"] == 1
        [q] = tcp1(d)["quarantined"]
        assert q["peer"] == "127.0.0.2" and 0 < q["for_s"] <= 8, q
        out = d.cli("clients").stderr
        assert "127.0.0.2" in out and "tcp1" in out, out
        wait_for(lambda: not refused(d, "127.0.0.2"), 5)
        assert time.monotonic() - began > 7
        assert tcp1(d)["quarantined"] == []
        assert not crowd.errors, crowd.errors


def test_three_different_ones_close_the_connection():
    """a host whose requests have killed three workers is kept out, whatever
    they were"""
    with Daemon(conf()) as d, Crowd(d.port("tcp1")) as crowd, Client(d) as c:
        assert c.request(ask(SEGV)) == REFUSED
        c.send(c.adu(ask(ABRT)))
        assert c.closed()
        assert refused(d, "127.0.0.2")
        assert tcp1(d)["restarts"] == 3
        assert not crowd.errors, crowd.errors


def test_chance_is_forgiven():
    """what a worker dies of once is carried out by the next, and its host is
    as good as any"""
    mark = os.path.join(TOP.name, "once")
    with Daemon(conf({"once": mark})) as d, Client(d) as c:
        for n in range(5):
            with open(mark, "w"):
                pass
            os.chmod(mark, 0o666)
            assert c.request(ask(ONCE, n)) == answer(n)
            assert tcp1(d)["restarts"] == n + 1
        s = stats(d)
        assert (s["fatal"], s["poisoned"]) == (5, 0), s


def test_a_kill_from_outside_is_nobodys_fault():
    """SIGKILL from outside blames nobody, whatever is in hand"""
    with Daemon(conf()) as d, Crowd(d.port("tcp1")) as crowd:
        for n in range(6):
            pid = d.worker_pid("tcp1")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: d.worker_pid("tcp1") not in (0, None, pid))
            asked = crowd.asked
            wait_for(lambda: crowd.errors or crowd.asked > asked + 20)
        assert not crowd.errors, crowd.errors
        assert stats(d)["fatal"] == 0


def test_what_was_written_before_is_written_once():
    """a function that writes and dies has written once; it is answered 04"""
    with Daemon(conf()) as d, Client(d) as c:
        assert c.request(ask(PART)) == REFUSED
        assert c.read_hr(1, 1) == [1]
        assert tcp1(d)["restarts"] == 2


def test_what_was_carried_out_is_answered_so():
    """if hooks die of a reply, what was written has been: that is answered,
    without them; if they die of the request, it is not and 04 is answered"""
    with Daemon(conf({"hook": "1"}, quarantine_s=0)) as d, Client(d) as c:
        write = struct.pack(">BHH", 6, 5, 0xdead)
        assert c.request(write) == write
        assert c.read_hr(5, 1) == [0xdead]
        assert tcp1(d)["restarts"] == 2
        write = struct.pack(">BHH", 6, 5, 0xbeef)
        assert c.request(write) == b"\x86\x04"
        assert c.read_hr(5, 1) == [0xdead]
        assert tcp1(d)["restarts"] == 4
        assert tcp1(d)["quarantined"] == []


def test_an_exit_closes_its_connection():
    """a worker that ends of itself is not blamed on chance: the connection it
    had in hand ends, the third time the host is kept out"""
    with Daemon(conf()) as d, Crowd(d.port("tcp1")) as crowd:
        for _ in range(2):
            with Client(d) as c:
                c.send(c.adu(ask(EXIT)))
                assert c.closed()
        with Client(d) as c:  # known by now
            restarts = tcp1(d)["restarts"]
            c.send(c.adu(ask(EXIT)))
            assert c.closed()
        assert refused(d, "127.0.0.2")
        assert tcp1(d)["restarts"] == restarts == 2
        assert not crowd.errors, crowd.errors


def test_others_do_not_wait_for_several_killers():
    """several hosts at once, each with a request of its own: two deaths each,
    and no wait between them grows"""
    hosts = 3 * ROUNDS
    with Daemon(conf()) as d, Crowd(d.port("tcp1")) as crowd:
        for n in range(hosts):
            with Client(d, "127.0.1.%d" % (n + 1)) as c:
                assert c.request(ask(SEGV, n)) == REFUSED
        assert tcp1(d)["restarts"] == 2 * hosts
        asked = crowd.asked
        wait_for(lambda: crowd.errors or crowd.asked > asked + 100)
        assert not crowd.errors, crowd.errors
        print(f"    restarts {2 * hosts}, the longest wait of others "
              f"{crowd.longest * 1e3:.1f} ms")


def counts(d, name):
    [t] = [t for t in d.rpc("transports.list") if t["name"] == name]
    return t["restarts"]


def test_framers():
    """answered 04 in every framing, with requests before and behind"""
    with Everything(kinds=("tcp",), plugins=[compiled(PLUGIN)],
                    quarantine_s=0) as e:
        def poisoned(m, _at):
            for pdu in (ask(FINE), ask(SEGV), ask(FINE, 7)):
                m.send(1, pdu)
            replies, got = (answer(), REFUSED, answer(7)), b""
            want = b"".join(m.framer.encode(1, pdu, m.tid - 2 + i)
                            for i, pdu in enumerate(replies))
            while len(got) < len(want):
                got += m.channel.recv(5) or b""
            assert got == want, got
        e.each(poisoned)
        for kind, framer in e.pairs:
            assert counts(e.daemon, f"{kind}-{framer}") == 2


def test_tls_ends_and_its_host_is_kept_out():
    """a connection that cannot be gone on with ends; what has killed two
    workers is known, kills none any more, and keeps its host out"""
    with Everything(kinds=("tls",), framers=("socket",),
                    plugins=[compiled(PLUGIN)]) as e:
        for n in range(3):
            with e.open("tls", "socket") as m:
                try:
                    assert m.ask(1, ask(FINE)) == answer()
                    assert m.ask(1, ask(SEGV)) is None
                except (EOFError, ConnectionError):
                    pass
            wait_for(lambda: counts(e.daemon, "tls-socket") == min(n + 1, 2))
        [t] = e.daemon.rpc("transports.list")
        assert t["quarantined"][0]["peer"] == "127.0.0.1", t
        try:
            with e.open("tls", "socket") as m:
                assert m.ask(1, ask(FINE)) is None
        except (EOFError, ConnectionError, OSError):
            pass
        assert e.daemon.rpc("stats.get")["transports"]["tls-socket"][
            "conns_quarantined"] >= 1


def test_workers_count_together():
    """a host that goes from worker to worker has killed three at most, of each
    two at most; then no worker lets it in"""
    with Daemon(conf(workers=3)) as d:
        for _ in range(4):
            try:
                with Client(d) as c:
                    c.request(ask(SEGV))
                    c.request(ask(ABRT))
            except (EOFError, ConnectionError):
                pass
        assert all(refused(d, "127.0.0.2") for _ in range(8))
        assert not refused(d, "127.0.0.3")
        assert tcp1(d)["restarts"] == 3, tcp1(d)
        assert len(tcp1(d)["quarantined"]) == 1


def test_an_action_that_crashes():
    """reading a value whose action crashes is answered 04"""
    hooks = os.path.join(ROOT, "tests/plugins/hooks.c")
    c = conf({"sick": "action", "how": "crash", "only": ""})
    c["transports"]["tcp1"]["plugins"] = [compiled(hooks)]
    c["devices"]["plc1"]["holding_registers"][0]["count"] = 50
    c["devices"]["plc1"]["holding_registers"].append(
        {"addr": 60, "action": {"name": "ramp"}})
    with Daemon(c) as d, Crowd(d.port("tcp1")) as crowd, Client(d) as m:
        assert m.request(struct.pack(">BHH", 3, 60, 1)) == b"\x83\x04"
        assert m.read_hr(0, 1) == [0]
        assert tcp1(d)["restarts"] == 2
        assert not crowd.errors, crowd.errors


def test_without_a_supervisor():
    """the keeper tells the next worker how the last one died"""
    with Daemon(conf()) as d, Client(d) as c:
        assert c.read_hr(0, 1) == [0]
        d.orphan()
        assert c.request(ask(SEGV)) == REFUSED
        assert c.read_hr(0, 1) == [0]


if __name__ == "__main__":
    sysutil.run()
