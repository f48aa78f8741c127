# SPDX-License-Identifier: Apache-2.0
"""The http process under those who do not behave: readers that never read, slow
senders, bombs. Modbus does not notice, and what it costs is bounded.

    sys_http_storm.py [NAME...] [--rounds=N]
"""

import os
import select
import signal
import statistics
import sys
import threading
import time

import bench_tools
import sysutil
from http_case import (Daemon, Events, Web, conf, new_pid, rss_kb,
                       rest_of, status_of)
from sysutil import Modbus, wait_for

ROUNDS = 2  # pairs of runs without and with; more by --rounds
STREAMS = 50  # half of them never read
REQUESTS = 1500  # in a run, each fifth of them a write
HELLO, CHANGE = b"event: hello", b"event: regis"
MEMORY = 6 if bench_tools.sanitized() else 1  # theirs is not ours
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nX: "


class Readers(threading.Thread):
    """Streams that are read, each of which comes back when it was cut."""

    def __init__(self, web, n):
        super().__init__(daemon=True)
        self.web, self.n = web, n
        self.events = self.hellos = 0
        self.ending = False
        self.start()

    def open(self, old=None):
        while not self.ending:
            try:
                return Events(self.web, "registers",
                              last=old.last if old else None)
            except OSError:
                time.sleep(0.02)  # between the old process and the new one

    def run(self):
        streams = [self.open() for _ in range(self.n)]
        while not self.ending:
            ready = select.select([e.socket for e in streams], [], [], 0.1)[0]
            for i, e in enumerate(streams):
                if e.socket not in ready:
                    continue
                if not e.fill():
                    e.close()
                    streams[i] = self.open(e)
                    continue
                # words of one length, of which the end of what was counted
                # cannot hold one
                self.hellos += e.buffer.count(HELLO)
                self.events += e.buffer.count(CHANGE)
                e.buffer = e.buffer[1 - len(HELLO):]
        for e in streams:
            if e:
                e.close()

    def end(self):
        self.ending = True
        self.join(100)
        assert not self.is_alive()


def deaf(web, n):
    return [Events(web, "registers", receive_bytes=4096) for _ in range(n)]


def latencies(port, each=None):
    """How long requests take, in ms; each(i) is called between them."""
    took = []
    with Modbus(port) as m:
        for i in range(REQUESTS):
            if each:
                each(i)
            began = time.perf_counter()
            if i % 5 == 0:
                m.write_hr(0, [i & 0xffff] * 100)
            else:
                m.read_hr(0, 100)
            took.append((time.perf_counter() - began) * 1e3)
    return took


def in_worker(d):
    """(sum in s, count) of what requests took within the worker."""
    h = d.rpc("stats.get")["transports"]["tcp1"]["request_duration"]
    return h["sum"], h["count"]


def one_run(d, each=None):
    """(median ms, slowest ms, mean within the worker in us)"""
    s0, n0 = in_worker(d)
    took = latencies(d.port("tcp1"), each)
    s1, n1 = in_worker(d)
    return statistics.median(took), max(took), (s1 - s0) / (n1 - n0) * 1e6


def test_fifty_streams_and_two_kills():
    """50 streams, half never read, http killed twice: Modbus does not notice"""
    bare, loaded = [], []
    most = 0
    with Daemon(conf(transports={
            "tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                     "units": {"*": "plc"}}})) as d:
        web = Web(d)
        worker = d.worker_pid("tcp1")
        for _ in range(ROUNDS):
            bare.append(one_run(d))
            readers = Readers(web, STREAMS // 2)
            wait_for(lambda: readers.hellos >= STREAMS // 2)
            mute = deaf(web, STREAMS - STREAMS // 2)
            wait_for(lambda: d.rpc("stats.get")["http"]["streams"] == STREAMS)

            def kill(i):
                nonlocal most
                if i % 50 == 0:
                    try:
                        most = max(most, rss_kb(d.child("http")))
                    except (KeyError, OSError):
                        pass
                if i in (REQUESTS // 3, 2 * REQUESTS // 3):
                    wait_for(lambda: readers.hellos >=
                             len(pids) * (STREAMS // 2))
                    os.kill(pids[-1], signal.SIGKILL)
                    pids.append(new_pid(d, "http", pids[-1]))

            pids = [d.child("http")]
            loaded.append(one_run(d, kill))
            before = readers.events
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, [1] * 100)
            wait_for(lambda: readers.events > before)
            wait_for(lambda: readers.hellos >= 3 * (STREAMS // 2),
                     what="the readers' return, twice each,")
            for e in mute:
                e.close()
            readers.end()
            wait_for(lambda: d.rpc("stats.get")["http"]["streams"] == 0)
        assert d.worker_pid("tcp1") == worker
    best = [min(r[k] for r in bare) for k in range(3)]
    with_them = [min(r[k] for r in loaded) for k in range(3)]
    print("    median %.3f ms without, %.3f with; slowest %.1f, %.1f ms; in "
          "the worker %.1f, %.1f us; http at most %d kB" % (
              best[0], with_them[0], best[1], with_them[1], best[2],
              with_them[2], most))
    # worker, client, 25 readers and http share what processors there are;
    # who waited for http would wait a good deal longer
    assert with_them[0] < 10 * best[0] + 5, (bare, loaded)
    assert with_them[2] < 10 * best[2] + 1000, (bare, loaded)
    assert with_them[1] < 1000 + 10 * best[1], (bare, loaded)
    assert most < MEMORY * 64 << 10, most


def test_deaf_streams_cost_a_bounded_amount():
    """64 streams that never read while much happens: each is dropped in time"""
    with Daemon(conf(http={"max_connections": 300})) as d:
        web = Web(d)
        pid = d.child("http")
        first = rss_kb(pid)
        mute = deaf(web, 64)
        wait_for(lambda: d.rpc("stats.get")["http"]["streams"] == 64)
        most, n = 0, 0
        while d.rpc("stats.get")["http"]["streams"] > 0:
            assert n < 30000, "they were never dropped"
            n += 1
            d.rpc("registers.write", table="hr", addr=0,
                  values=[n] * 1000)
            most = max(most, rss_kb(pid))
        print("    %d kB before, %d kB at most, %d writes" % (first, most, n))
        assert most - first < MEMORY * (64 * 256 + 16384), (first, most)
        assert d.rpc("stats.get")["http"]["streams_dropped"] == 64
        for e in mute:
            e.close()
        assert d.child("http") == pid


def test_slow_senders_keep_nobody_out():
    """all connections taken by heads that never end: newcomers are served"""
    with Daemon(conf(http={"max_connections": 20})) as d:
        web = Web(d)
        slow = []
        for _ in range(20):
            s = web.connect()
            s.sendall(HEAD)
            slow.append(s)
        wait_for(lambda: d.rpc("stats.get")["http"]["conns_open"] == 20)
        # the slow ones have a second to be whole
        wait_for(lambda: _served(web), timeout=5)
        for _ in range(30):
            assert _served(web)
        # idle ones make room at once
        idle = [web.connect() for _ in range(60)]
        assert _served(web)
        assert d.rpc("stats.get")["http"]["conns_open"] <= 20
        for s in slow + idle:
            s.close()


def test_who_has_just_begun_is_not_slow():
    """an old connection that begins a request is not taken for a slow one"""
    with Daemon(conf(http={"max_connections": 4})) as d:
        web = Web(d)
        old = [web.connect() for _ in range(4)]
        for s in old:
            s.sendall(HEALTH)
            assert status_of(s.recv(4096)) == 200
        for _ in range(20):
            # a limit in time is what is tested: so old, and 0.1 s older, each
            # would be taken for slow if the age of the connection counted
            time.sleep(1.1)
            began = time.monotonic()
            for s in old:
                s.sendall(HEALTH[:-2])
            said = web.raw(HEALTH)
            if time.monotonic() - began < 0.8:
                break
            for i in range(len(old)):  # they were slow: this machine is
                old[i].close()
                old[i] = web.connect()
                old[i].sendall(HEALTH)
                assert status_of(old[i].recv(4096)) == 200
        for s in old:
            s.sendall(HEALTH[-2:])
            assert status_of(s.recv(4096)) == 200
            s.close()
        assert status_of(said) == 503, said


def test_short_requests_pass_heavy_ones():
    """/healthz is answered between many heavy batches, not behind them"""
    with Daemon(conf()) as d:
        web = Web(d)
        pid = d.child("http")
        shares = [1]
        while len(shares) < 10 and min(shares) > 0.25:
            shares.append(first_share(web, pid))
        assert min(shares) < 0.25, shares
        assert d.child("http") == pid


def first_share(web, pid):
    """The part of the time that heavy batches take together after which a
    short request is answered that was sent behind them."""
    call = (b'{"jsonrpc":"2.0","id":1,"method":"registers.read",'
            b'"params":{"table":"hr","addr":0,"count":1000}}')
    body = b"[" + b",".join([call] * 60) + b"]"
    heavy = [web.connect() for _ in range(60)]
    for s in heavy:
        s.sendall(b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
                  b"Connection: close\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
    with web.connect() as probe:
        probe.sendall(HEALTH)
        probe.recv(4096)
        os.kill(pid, signal.SIGSTOP)  # so all of them come at once
        for s in heavy:
            s.sendall(body[-1:])
        os.kill(pid, signal.SIGCONT)
        began = time.monotonic()
        probe.sendall(HEALTH)
        assert status_of(probe.recv(4096)) == 200
        first = time.monotonic() - began
    heavy[7].close()  # whoever goes while it waits is nobody's trouble
    for s in heavy[:7] + heavy[8:]:
        assert status_of(rest_of(s)) == 200
        s.close()
    whole = time.monotonic() - began
    print("    first after %.0f of %.0f ms" % (first * 1e3, whole * 1e3))
    return first / whole


def _served(web):
    return web.get("/healthz")[0] == 200


def test_a_head_that_never_ends_is_ended():
    """a head, or a body, that comes a byte at a time has a limit in time"""
    with Daemon(conf()) as d:
        web = Web(d)
        began = time.monotonic()
        with web.connect() as head, web.connect() as body:
            body.sendall(b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
                         b"Content-Length: 100\r\n\r\n")
            open_ = {head: b"", body: b""}
            ended = {}
            while open_ and time.monotonic() < began + 250:
                for s in select.select(list(open_), [], [], 0.25)[0]:
                    more = s.recv(4096)
                    open_[s] += more
                    if not more:
                        ended[s] = open_.pop(s)
                for s in open_:
                    try:
                        s.send(b"G" if s is head else b" ")
                    except OSError:
                        pass
            assert not open_, "they are still there"
            assert status_of(ended[head]) == 408, ended[head]
            assert status_of(ended[body]) == 408, ended[body]
        assert 9 < time.monotonic() - began < 100


def test_bombs_are_bounded():
    """heads without end and bodies that never come cost a bounded amount"""
    with Daemon(conf()) as d:
        web = Web(d)
        pid = d.child("http")
        first = rss_kb(pid)
        bombs = []
        body = (b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 1048576\r\n\r\n" + b" " * 900000)
        for i in range(120):
            s = web.connect()
            s.setblocking(False)
            bombs.append((s, memoryview(
                body if i % 2 else b"GET / HTTP/1.1\r\nX: " + b"x" * 900000)))
        end = time.monotonic() + 4
        most = 0
        while bombs and time.monotonic() < end:
            _, ready, _ = select.select([], [s for s, _ in bombs], [], 0.2)
            left = []
            for s, data in bombs:
                try:
                    if s in ready:
                        data = data[s.send(data):]
                    if data:
                        left.append((s, data))
                except OSError:
                    s.close()
            bombs = left
            most = max(most, rss_kb(pid))
        assert _served(web)
        print("    %d kB before, %d kB at most" % (first, most))
        assert most - first < MEMORY * 80 << 10, (first, most)
        for s, _ in bombs:
            s.close()
        assert d.child("http") == pid


def test_answers_that_nobody_reads_are_bounded():
    """large answers to many who do not read cost a bounded amount"""
    with Daemon(conf()) as d:
        web = Web(d)
        pid = d.child("http")
        d.rpc("registers.write", table="hr", addr=0, values=[65535] * 1000)
        first = rss_kb(pid)
        call = (b'{"jsonrpc":"2.0","id":1,"method":"registers.read",'
                b'"params":{"table":"hr","addr":0,"count":1000}}')
        body = b"[" + b",".join([call] * 200) + b"]"
        mute = []
        for _ in range(80 // MEMORY):
            s = web.connect(receive_bytes=4096)
            s.sendall(b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            mute.append(s)
        most = 0
        for _ in range(20):
            assert _served(web)
            most = max(most, rss_kb(pid))
        print("    %d kB before, %d kB at most" % (first, most))
        assert most - first < MEMORY * 94 << 10, (first, most)
        for s in mute:
            s.close()
        assert d.child("http") == pid
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_who_asks_on_and_reads_nothing_costs_nothing():
    """requests pipelined behind an answer that is not taken wait in peace, and
    are answered once it is; so is a stream behind them ended"""
    body = (b'{"jsonrpc":"2.0","id":1,"method":"registers.read",'
            b'"params":{"table":"hr","addr":0,"count":65536}}' + b" " * 600)
    ask = (b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
           b"Content-Length: %d\r\n\r\n" % len(body) + body)
    stream = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Daemon(conf(devices={"plc": {"holding_registers": [
            {"addr": 0, "count": 65536}]}})) as d:
        web = Web(d)
        pid = d.child("http")
        mute = [web.connect(receive_bytes=4096) for _ in range(2)]
        mute[0].sendall(ask * 60)
        mute[1].sendall(ask * 30 + stream + b"x" * 30000)
        for _ in range(20):
            assert _served(web)
        def busy():
            before, began = cpu_s(pid), time.monotonic()
            time.sleep(0.5)  # what this time costs is what is tested
            return (cpu_s(pid) - before) / (time.monotonic() - began)
        # what it is given to do first may take a while
        assert any(busy() < 0.4 for _ in range(20)), "it is always busy"
        got, tail = 0, b""
        while got < 60:
            more = mute[0].recv(1 << 20)
            assert more, "it was closed after %d answers" % got
            got += (tail + more).count(b"HTTP/1.1 200")
            tail = more[-11:]
        seen = b""
        while b"event: hello" not in seen:
            seen = seen[-11:] + mute[1].recv(1 << 20)
        for s in mute:
            s.close()
        wait_for(lambda: d.rpc("stats.get")["http"]["streams"] == 0)
        assert d.child("http") == pid


if __name__ == "__main__":
    names = []
    for arg in sys.argv[1:]:
        if arg.startswith("--rounds="):
            ROUNDS = int(arg[9:])
        else:
            names.append(arg)
    sys.argv[1:] = names
    sysutil.run()
