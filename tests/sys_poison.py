#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that their worker dies of: carried out twice at most, answered 04
then, and who goes on asking is kept out, while all others are served.

    sys_poison.py [WORD...] [--rounds=N]	(1 client that kills; more with N)
"""
import json
import os
import re
import signal
import struct
import sys
import threading
import time
import urllib.request

import zmq

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from everything import Everything  # noqa: E402
from peers import fc6  # noqa: E402
from sys_plugin import TOP, compiled  # noqa: E402
from sys_policy import Client  # noqa: E402
from sys_udp import Client as Peer  # noqa: E402
from sysutil import ROOT, Daemon, Modbus, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 1)
FINE, SEGV, ABRT, PART, ONCE, EXIT, KILL, HANG, EXIT_CONFIG = range(9)
PLUGIN = os.path.join(ROOT, "tests/plugins/poison.c")
REFUSED = bytes([0x41 | 0x80, 4])
CLIENTS = 8
# of workers, as often as there are rounds
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}
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


def host(n):
    """The n-th of many."""
    return "127.0.%d.%d" % (1 + n // 250, 1 + n % 250)


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
        died(d, "tcp1", before + 2)
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
            died(d, "tcp1", 2)
            with Client(d, "127.0.0.3") as other:  # of another host: refused
                assert other.request(ask(SEGV)) == REFUSED
                assert other.request(ask(FINE)) == answer()
            assert c.request(ask(SEGV)) == REFUSED
            assert c.closed()
            began = time.monotonic()
            assert same_host.read_hr(0, 1) == [0]
            assert refused(d, "127.0.0.2")
            assert not refused(d, "127.0.0.3")
            died(d, "tcp1", 2)
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
        died(d, "tcp1", 3)
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
            died(d, "tcp1", n + 1)
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
        died(d, "tcp1", 2)


def test_what_was_carried_out_is_answered_so():
    """if hooks die of a reply, what was written has been: that is answered,
    without them; if they die of the request, it is not and 04 is answered"""
    with Daemon(conf({"hook": "1"}, quarantine_s=0)) as d, Client(d) as c:
        write = struct.pack(">BHH", 6, 5, 0xdead)
        assert c.request(write) == write
        assert c.read_hr(5, 1) == [0xdead]
        died(d, "tcp1", 2)
        write = struct.pack(">BHH", 6, 5, 0xbeef)
        assert c.request(write) == b"\x86\x04"
        assert c.read_hr(5, 1) == [0xdead]
        died(d, "tcp1", 4)
        assert tcp1(d)["quarantined"] == []


def test_an_exit_closes_its_connection():
    """a worker that ends of itself is not blamed on chance: the connection it
    had in hand ends, the third time the host is kept out"""
    with Daemon(conf()) as d, Crowd(d.port("tcp1")) as crowd:
        for _ in range(2):
            with Client(d) as c:
                c.send(c.adu(ask(EXIT)))
                assert c.closed()
        died(d, "tcp1", 2)
        with Client(d) as c:  # known by now
            assert c.request(ask(EXIT)) == REFUSED
            assert c.closed()
        assert refused(d, "127.0.0.2")
        died(d, "tcp1", 2)
        assert not crowd.errors, crowd.errors


def test_others_do_not_wait_for_several_killers():
    """several hosts at once, each with a request of its own: two deaths each,
    and no wait between them grows"""
    hosts = 3 * ROUNDS
    with Daemon(conf(restart=AT_ONCE)) as d, Crowd(d.port("tcp1")) as crowd:
        for n in range(hosts):
            with Client(d, host(n)) as c:
                assert c.request(ask(SEGV, n)) == REFUSED
        died(d, "tcp1", 2 * hosts)
        asked = crowd.asked
        wait_for(lambda: crowd.errors or crowd.asked > asked + 100)
        assert not crowd.errors, crowd.errors
        print(f"    restarts {2 * hosts}, the longest wait of others "
              f"{crowd.longest * 1e3:.1f} ms")


test_others_do_not_wait_for_several_killers.seconds = 60 + 6 * ROUNDS


def transport(d, name):
    [t] = [t for t in d.rpc("transports.list") if t["name"] == name]
    return t


def counts(d, name):
    return transport(d, name)["restarts"]


def died(d, name, times):
    """So many workers have died by now, and the next one serves: a reply may
    come before the supervisor has counted."""
    wait_for(lambda: up_again(d, name, times), what="%d deaths, not %d" % (
        times, counts(d, name)))


def up_again(d, name, restarts):
    t = transport(d, name)
    return t["state"] == "up" and t["restarts"] == restarts


def plugins_of(kind):
    return [compiled(PLUGIN)] + (["unix"] if kind == "unix" else [])


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
            died(e.daemon, f"{kind}-{framer}", 2)


def ended_by(e, pair, pdu):
    """Whether asking for that ends the connection, unanswered."""
    try:
        with e.open(*pair) as m:
            return m.ask(1, pdu) is None
    except (EOFError, ConnectionError, OSError):
        return True


def test_where_connections_end_with_their_worker():
    """over TLS and of plugins a connection ends with its worker: what has
    killed two is answered 04 all the same, kills none any more, and its host
    is kept out; nobody else sees more than two restarts"""
    for kind in ("tls", "unix"):
        pair = (kind, "socket")
        with Everything(pairs=[pair], plugins=plugins_of(kind)) as e:
            d, name = e.daemon, "-".join(pair)
            for n in range(2):
                with e.open(*pair) as m:
                    assert m.ask(1, ask(FINE, n)) == answer(n)
                assert ended_by(e, pair, ask(SEGV))
                wait_for(lambda: up_again(d, name, n + 1))
            with e.open(*pair) as m, e.open(*pair) as other:
                assert other.ask(1, READ) == b"\3\2\0\0"
                assert m.ask(1, ask(SEGV)) == REFUSED
                assert m.ended()
                assert other.ask(1, READ) == b"\3\2\0\0"
            assert ended_by(e, pair, READ)
            died(d, name, 2)
            [out] = d.rpc("quarantine.list")
            assert (out["transport"], out["kept_out"], out["fc"]) == (
                name, True, 65), out
            assert d.rpc("stats.get")["transports"][name][
                "conns_quarantined"] >= 1
            assert d.rpc("quarantine.lift", peer=out["peer"]) == {"lifted": 1}
            with e.open(*pair) as m:
                assert m.ask(1, READ) == b"\3\2\0\0"


test_where_connections_end_with_their_worker.seconds = 120


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
        died(d, "tcp1", 3)
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
        died(d, "tcp1", 2)
        assert not crowd.errors, crowd.errors


def test_without_a_supervisor():
    """the keeper tells the next worker how the last one died"""
    with Daemon(conf()) as d, Client(d) as c:
        assert c.read_hr(0, 1) == [0]
        d.orphan()
        assert c.request(ask(SEGV)) == REFUSED
        assert c.read_hr(0, 1) == [0]


def test_orders():
    """who is kept out is told and lifted: by holdfast, with completion, by the
    RPC, in /metrics; what is not there is an error"""
    c = conf(workers=2)
    c["transports"]["tcp2"] = dict(c["transports"]["tcp1"], workers=1)
    c["http"] = {"listen": "127.0.0.1:0"}
    with Daemon(c) as d:
        def gauge(name):
            with urllib.request.urlopen(
                    d.rpc("system.info")["http"].rstrip("/") +
                    "/metrics") as r:
                text = r.read().decode()
            return int(re.search(
                r'^holdfast_quarantined\{transport="%s"\} (\d+)$' % name, text,
                re.M)[1])
        assert d.cli("quarantine").stdout == ""
        with Client(d) as m:
            assert m.request(ask(SEGV)) == REFUSED
            [one] = d.rpc("quarantine.list")
            assert one["for_s"] > 0 and one == {
                "transport": "tcp1", "peer": "127.0.0.2", "kept_out": False,
                "refused": True, "for_s": one["for_s"], "count": 2, "unit": 1, "fc": 65,
                "pdu": ask(SEGV).hex()}, one
            assert gauge("tcp1") == 0
            assert m.request(ask(SEGV)) == REFUSED and m.closed()
        assert (gauge("tcp1"), gauge("tcp2")) == (1, 0)
        assert d.rpc("quarantine.list", transport="tcp2") == []
        assert d.rpc("quarantine.list", transport="tcp1")[0]["kept_out"]
        row = d.cli("-o", "csv", "quarantine", "list", "tcp1").stdout
        assert "127.0.0.2,tcp1,kept out; answered 04," in row, row
        assert "127.0.0.2" in d.cli(
            "--complete", "quarantine", "lift", "").stdout.split()
        for params, reason in (({"peer": "127.0.0.9"}, "no_peer"),
                               ({"peer": "127.0.0.2", "transport": "tcp2"},
                                "no_peer"),
                               ({"transport": "tcp3"}, "no_transport")):
            try:
                d.rpc("quarantine.lift", **params)
                raise AssertionError(params)
            except sysutil.RpcError as e:
                assert e.data["reason"] == reason, (params, e.data)
        d.cli("quarantine", "lift", "127.0.0.9", ok=False)
        assert refused(d, "127.0.0.2")
        assert json.loads(d.cli("-o", "json", "quarantine", "lift",
                                "127.0.0.2").stdout) == {"lifted": 1}
        assert not refused(d, "127.0.0.2")
        assert d.rpc("quarantine.list") == [] and gauge("tcp1") == 0
        # it is as it was before: two deaths again
        before = tcp1(d)["restarts"]
        with Client(d) as m:
            assert m.request(ask(SEGV)) == REFUSED
        died(d, "tcp1", before + 2)
        assert json.loads(d.cli("-o", "json", "quarantine",
                                "lift").stdout) == {"lifted": 1}


# ---- datagrams ----

def udp_conf(options=None, **keys):
    """Rounds take all that has come, since there is a max_transactions."""
    c = conf(options, type="udp", max_transactions=64, **keys)
    c["transports"]["udp1"] = c["transports"].pop("tcp1")
    return c


def peer(d, host):
    return Peer(d.port("udp1"), source=host)


def together(d, sends):
    """These come in one round: the worker is stopped meanwhile."""
    pid = d.worker_pid("udp1")
    os.kill(pid, signal.SIGSTOP)
    try:
        for send in sends:
            send()
    finally:
        os.kill(pid, signal.SIGCONT)


def is_deaf_to(d, out, other):
    """Whether one peer's requests are not looked at: what is asked behind them
    is answered, and they have not been."""
    out.ask(READ)
    assert other.request(READ) is not None
    return out.receive(timeout=0) is None


def test_a_datagram_twice_a_killer():
    """a datagram that kills two workers is answered 04, logged with its bytes,
    and its host is kept out; all others that were taken along with it are
    carried out once and answered, those of its host, too"""
    with Daemon(udp_conf()) as d, peer(d, "127.0.0.2") as a, \
            peer(d, "127.0.0.3") as b:
        asked = [(a, ask(FINE, 1), answer(1)),
                 (b, fc6(20, 5), fc6(20, 5)), (a, fc6(21, 6), fc6(21, 6)),
                 (a, ask(PART), REFUSED),
                 (b, fc6(22, 7), fc6(22, 7)), (a, ask(FINE, 2), answer(2)),
                 (a, fc6(23, 8), fc6(23, 8)), (b, ask(FINE, 3), answer(3))]
        together(d, [lambda c=c, pdu=pdu: c.ask(pdu) for c, pdu, _ in asked])
        for c, _, want in asked:
            got = c.receive()
            assert got is not None and got[2] == want, (got, want)
        died(d, "udp1", 2)
        assert len(lines(d, "again")) == 1
        [line] = lines(d, "quarantined")
        adu = struct.pack(">HHHB", 3, 0, 5, 1) + ask(PART)
        own = "127.0.0.2:%d" % a.socket.getsockname()[1]
        assert f"peer={own} unit=1 fc=65 count=2" in line, line
        assert line.endswith(f"bytes={adu.hex()}"), line
        s = d.rpc("stats.get")["transports"]["udp1"]
        assert (s["fatal"], s["poisoned"]) == (2, 1), s
        # what it had written before it died was written once
        assert b.request(struct.pack(">BHH", 3, 1, 1)) == b"\3\2\0\1"
        assert b.request(struct.pack(">BHH", 3, 20, 4)) == struct.pack(
            ">BBHHHH", 3, 8, 5, 6, 7, 8)
        assert is_deaf_to(d, a, b)
        assert b.request(ask(PART)) == REFUSED  # known, whoever asks
        s = d.rpc("stats.get")["transports"]["udp1"]
        assert s["conns_quarantined"] >= 1 and s["poisoned"] == 2, s
        [out] = d.rpc("quarantine.list", transport="udp1")
        assert (out["peer"], out["kept_out"], out["unit"], out["fc"],
                out["pdu"]) == ("127.0.0.2", True, 1, 65,
                                ask(PART).hex()), out
        d.cli("quarantine", "lift", "127.0.0.2")
        assert a.request(READ) == b"\3\2\0\0"
        died(d, "udp1", 2)


def test_another_of_the_same_host_in_the_round():
    """a host that kills a third worker by what it had sent along is not looked
    at any more; others are answered"""
    with Daemon(udp_conf()) as d, peer(d, "127.0.0.2") as a, \
            peer(d, "127.0.0.3") as b:
        asked = [(a, ask(SEGV, 1)), (b, fc6(20, 1)), (a, ask(SEGV, 2)),
                 (a, ask(SEGV, 3)), (a, fc6(21, 1)), (b, fc6(22, 1))]
        together(d, [lambda c=c, pdu=pdu: c.ask(pdu) for c, pdu in asked])
        assert a.receive()[2] == REFUSED
        assert b.receive()[2] == fc6(20, 1)
        assert b.receive()[2] == fc6(22, 1)
        assert a.receive(timeout=0) is None
        assert b.request(struct.pack(">BHH", 3, 20, 3)) == struct.pack(
            ">BBHHH", 3, 6, 1, 0, 1)
        died(d, "udp1", 3)


def test_a_datagram_by_chance():
    """what a worker dies of once is carried out by the next"""
    mark = os.path.join(TOP.name, "once-udp")
    with Daemon(udp_conf({"once": mark})) as d, peer(d, "127.0.0.2") as a:
        for n in range(4):
            with open(mark, "w"):
                pass
            os.chmod(mark, 0o666)
            assert a.request(ask(ONCE, n)) == answer(n)
            died(d, "udp1", n + 1)
        assert d.rpc("quarantine.list") == []


def test_a_datagram_that_ends_its_worker():
    """a worker that exits at a datagram leaves it unanswered, and what was
    asked along with it is; the second time its host is kept out"""
    with Daemon(udp_conf()) as d, peer(d, "127.0.0.2") as a, \
            peer(d, "127.0.0.3") as b:
        for n in range(2):
            together(d, [lambda: a.ask(ask(EXIT)), lambda: b.ask(fc6(20, n))])
            assert b.receive()[2] == fc6(20, n)
            died(d, "udp1", n + 1)
            assert a.receive(timeout=0) is None
        assert b.request(ask(EXIT)) == REFUSED
        assert is_deaf_to(d, a, b)
        died(d, "udp1", 2)


def test_hooks_that_die_of_a_datagram():
    """if hooks die of a reply, what was written has been, and that is answered;
    if of the request, 04 is"""
    with Daemon(udp_conf({"hook": "1"}, quarantine_s=0)) as d, \
            peer(d, "127.0.0.2") as a:
        assert a.request(fc6(5, 0xdead)) == fc6(5, 0xdead)
        assert a.request(struct.pack(">BHH", 3, 5, 1)) == b"\3\2\xde\xad"
        died(d, "udp1", 2)
        assert a.request(fc6(5, 0xbeef)) == b"\x86\4"
        assert a.request(struct.pack(">BHH", 3, 5, 1)) == b"\3\2\xde\xad"
        died(d, "udp1", 4)
        assert d.rpc("quarantine.list") == []


def test_who_has_priority_is_never_kept_out():
    """a host of "priority" is told 04, as often as it asks, and is let in"""
    for c in (conf(priority=["127.0.0.2/32"]),
              udp_conf(priority=["127.0.0.2/32"])):
        [name] = c["transports"]
        with Daemon(c) as d:
            with Client(d) if name == "tcp1" else peer(d, "127.0.0.2") as a:
                for _ in range(6):
                    assert a.request(ask(SEGV)) == REFUSED
                    assert a.request(READ) == b"\3\2\0\0"
            if name == "tcp1":
                assert not refused(d, "127.0.0.2")
            died(d, name, 2)
            [one] = d.rpc("quarantine.list")
            assert (one["peer"], one["kept_out"]) == ("127.0.0.2", False), one
            assert transport(d, name)["quarantined"] == []


def test_a_storm_of_datagrams_and_killers():
    """hosts that ask without end and one after the other that kills: two
    deaths each, and nothing that anybody asks is lost"""
    hosts = 2 * ROUNDS
    with Daemon(udp_conf(restart=AT_ONCE)) as d, \
            peer(d, "127.0.0.3") as b:
        for n in range(hosts):
            with peer(d, host(n)) as a:
                together(d, [lambda: b.ask(fc6(20, n)),
                             lambda: a.ask(ask(SEGV, n)),
                             lambda: b.ask(fc6(21, n))])
                assert b.receive(30)[2] == fc6(20, n)
                assert b.receive(30)[2] == fc6(21, n)
                assert a.receive(30)[2] == REFUSED
            d.rpc("quarantine.lift")
            died(d, "udp1", 2 * (n + 1))  # and the next one can be stopped


test_a_storm_of_datagrams_and_killers.seconds = 60 + 8 * ROUNDS


# ---- lines ----

def test_on_a_line_nobody_is_kept_out():
    """the request that a worker of a line dies of is logged with its bytes;
    asked for a third time, whoever asks, it is answered 04, as often as that;
    all else is answered as ever"""
    with Everything(kinds=("line",), plugins=[compiled(PLUGIN)],
                    options={"hook": "1"}) as e:
        for pair in e.pairs:
            kill_a_line(e, pair)


test_on_a_line_nobody_is_kept_out.seconds = 240


def kill_a_line(e, pair):
    d, name = e.daemon, "-".join(pair)
    one, two, fine = fc6(5, 0xbeef), fc6(6, 0xbeef), fc6(7, 1)
    known = len(lines(d, "refused"))
    # in turn, so that neither is the last one
    for n, pdu in enumerate((one, two, one, two)):
        with e.open(*pair) as m:
            assert m.ask(1, fine) == fine, (pair, n)
            m.send(1, pdu)
            adu = m.framer.encode(1, pdu, m.tid)
            wait_for(lambda: up_again(d, name, n + 1))
    told = lines(d, "refused")
    assert len(told) == known + 2, told
    assert "unit=1 fc=6 count=2" in told[-1], told
    assert told[-1].endswith("bytes=" + adu.hex()), (told, adu.hex())
    with e.open(*pair) as m:
        for _ in range(3):
            assert m.ask(1, one) == m.ask(1, two) == b"\x86\4", pair
            assert m.ask(1, fine) == fine, pair
    died(d, name, 4)
    assert transport(d, name)["quarantined"] == []
    found = d.rpc("quarantine.list", transport=name)
    assert sorted(f["pdu"] for f in found) == [one.hex(), two.hex()], found
    assert not any(f["kept_out"] for f in found), found
    [port] = {f["peer"] for f in found}
    d.cli("quarantine", "lift", port)  # all that is known of that line
    assert d.rpc("quarantine.list", transport=name) == []


def test_a_line_is_wary_no_longer_than_it_is_told():
    """with a quarantine_s of 0 nothing is remembered of a line either"""
    with Everything(pairs=[("line", "rtu")], plugins=[compiled(PLUGIN)],
                    options={"hook": "1"}, quarantine_s=0) as e:
        for n in range(3):
            with e.open("line", "rtu") as m:
                m.send(1, fc6(5, 0xbeef))
                wait_for(lambda: up_again(e.daemon, "line-rtu", n + 1))
        assert e.daemon.rpc("quarantine.list") == []


if __name__ == "__main__":
    sysutil.run()
