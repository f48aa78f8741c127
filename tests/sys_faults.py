#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Workers that are killed or restarted under load, and clients that behave
badly: what the other clients notice of it, which must be nothing.

    sys_faults.py [WORD...] [--kills=N]	(300; make torture kills ten thousand)
"""
import concurrent.futures
import multiprocessing
import os
import random
import select
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from sysutil import Daemon, Modbus, ModbusError, ahead, whole  # noqa: E402

KILLS = next((int(a.split("=")[1]) for a in sys.argv[1:]
              if a.startswith("--kills=")), 300)
WITHIN_MS = 50  # that the next connection is answered in
STUCK_S = 60  # that no single operation may take, kill or no kill
BLOCK = 100  # registers that are always written together
# blocks of registers, by who writes them
TCP_A, TCP_B, ZMQ = 0, 200, 400
# a block that is written so fast that many kills fall into the writing; its
# writers are several, so that it does go back
FAST = 600

# restarts at once, for ever: the pace of the killing is the test's own
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}


def conf(**more):
    tcp = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"},
           "restart": AT_ONCE}
    return {
        "devices": {"plc1": {
            "holding_registers": [{"addr": 0, "count": 1000}],
            "coils": [{"addr": 0, "count": 100}]}},
        "transports": {"tcp1": {**tcp, **more}},
    }


class Party:
    """A process that does step() again and again until the test has seen
    enough, or until something is wrong; it notes the longest step."""

    def __init__(self, *args):
        self.args = args
        self.pipe, theirs = multiprocessing.Pipe()
        self.steps = multiprocessing.Value("Q", 0, lock=False)
        self.process = multiprocessing.Process(target=self.main,
                                               args=(theirs,))
        self.process.start()
        theirs.close()

    def main(self, pipe):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sysutil.Rpc._context = None  # the parent's is not ours
        said = {"longest_s": 0.0, "why": None}
        try:
            self.open()
            while not pipe.poll():
                began = time.monotonic()
                self.step()
                took = time.monotonic() - began
                said["longest_s"] = max(said["longest_s"], took)
                assert took < STUCK_S, "stuck for %.1f s" % took
                self.steps.value += 1
            said.update(self.result())
        except BaseException as e:
            said["why"] = "%s: %r" % (type(self).__name__, e)
        pipe.send(said)

    def open(self):
        self.connection = None

    def result(self):
        return {}

    def wait_steps(self, enough):
        """Waits until it has made so many steps, or has failed."""
        sysutil.wait_for(
            lambda: self.steps.value > enough or self.pipe.poll(),
            what="its work")

    def over(self):
        """Ends it; what it has to say."""
        if self.process.is_alive():
            self.pipe.send("enough")
        said = (self.pipe.recv() if self.pipe.poll(STUCK_S + 10)
                else {"why": type(self).__name__ + " does not end"})
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
        assert said["why"] is None, said["why"]
        return dict(said, steps=self.steps.value)

    def connected(self, port):
        """A connection, a new one if the last one was lost."""
        if self.connection is None:
            self.connection = Modbus(port, timeout=STUCK_S)
        return self.connection

    def lost(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Writer(Party):
    """Counts a block up by FC 16. A write whose reply came must be there
    after any number of kills; one whose reply did not may be or not."""

    def open(self):
        super().open()
        self.acked = 0
        self.kills = 0
        self.unsure = False

    def step(self):
        port, addr = self.args
        try:
            m = self.connected(port)
            if self.unsure:
                value = whole(m.read_hr(addr, BLOCK))
                gone = ahead(value, self.acked)
                assert gone in (0, 1), (
                    "acknowledged was %d, but there is %d" % (
                        self.acked, value))
                self.acked, self.unsure = value, False
            m.write_hr(addr, [self.acked + 1 & 0xffff] * BLOCK)
            self.acked = self.acked + 1 & 0xffff
        except (ConnectionError, EOFError):
            self.lost()
            self.kills += 1
            self.unsure = True

    def result(self):
        port, addr = self.args
        with Modbus(port) as m:
            there = whole(m.read_hr(addr, BLOCK))
        assert ahead(there, self.acked) in (0, 1 if self.unsure else 0), (
            there, self.acked)
        return {"kills": self.kills}


class Reader(Party):
    """Reads all blocks by FC 3: whole, and never going back."""

    def open(self):
        super().open()
        self.last = {}

    def step(self):
        port, addrs = self.args
        for addr in addrs:
            try:
                block = self.connected(port).read_hr(addr, BLOCK)
            except (ConnectionError, EOFError):
                self.lost()
                continue
            self.look(addr, whole(block))

    def look(self, addr, value):
        assert addr == FAST or ahead(
            value, self.last.get(addr, value)) >= 0, (
                "went back: %d after %d" % (value, self.last[addr]))
        self.last[addr] = value


class Operator(Reader):
    """The same over ZeroMQ, which has no reason ever to fail; and counts a
    block of its own up."""

    def open(self):
        self.rpc = sysutil.Rpc(self.args[0], STUCK_S)
        self.last = {}
        self.count = 0

    def read(self, addr):
        return whole(self.rpc.call("registers.read", {
            "device": "plc1", "table": "hr", "addr": addr,
            "count": BLOCK})[0]["values"])

    def step(self):
        self.count += 1
        self.rpc.call("registers.write", {
            "device": "plc1", "table": "hr", "addr": ZMQ,
            "values": [self.count & 0xffff] * BLOCK})
        assert self.read(ZMQ) == self.count & 0xffff
        for addr in self.args[1]:
            self.look(addr, self.read(addr))


def repairs(d):
    """How many of the kills fell into a write."""
    return d.rpc("stats.get")["devices"]["plc1"]["repairs"]


def report(delays, jitter):
    """Prints the percentiles; judges what the machine itself did not do."""
    ms = [d for d, _ in delays]
    print("    %d kills, ms to the next reply: p50 %.1f p90 %.1f p99 %.1f "
          "max %.1f" % (len(ms), *(bt.percentile(ms, p)
                                   for p in (0.5, 0.9, 0.99, 1))))
    print("    this machine's own lateness, ms: p99 %.1f max %.1f" % (
        jitter.ms(0.99), jitter.ms(1)))
    # the middle one tells of the product, the latest mostly of the machine
    most = WITHIN_MS * sysutil.PATIENCE
    late = [d - jitter.during(at, d) for d, at in delays
            if d - jitter.during(at, d) > most]
    assert bt.percentile(ms, 0.5) < WITHIN_MS * bt.pace()
    assert len(late) <= len(ms) // 1000, "%d of %d took longer than %d ms: %r" % (
        len(late), len(ms), most, late[:10])


def test_kills_under_load():
    """a worker killed again and again under load: the next connection is
    answered within 50 ms, no connection breaks, no block is torn, no
    acknowledged write is lost, no writer is stuck"""
    with Daemon(conf()) as d:
        port = d.port("tcp1")
        parties = [Writer(port, TCP_A), Writer(port, TCP_B),
                   Reader(port, (TCP_A, TCP_B, ZMQ, FAST)),
                   Operator(d.endpoint, (TCP_A, TCP_B, FAST))]
        delays, chance = [], random.Random(sysutil.SEED)
        try:
            with bt.Jitter() as jitter, bt.Busy(
                    port, conns=2, depth=16, fc=16, count=BLOCK, addr=FAST,
                    verify=True) as fast:
                for _ in range(KILLS):
                    delays.append(bt.kill_once(d))
                    # let some of it be: kills must meet every phase
                    time.sleep(chance.random() * 0.01)
            for p in parties:
                p.wait_steps(KILLS)
        finally:
            said = [p.over() for p in parties]
        for party, s in zip(parties, said):
            print("    %s: %s" % (type(party).__name__, s))
        print("    fast writers: %r" % fast.result)
        print("    %d writes were repaired" % repairs(d))
        report(delays, jitter)
        assert fast.result["errors"] == 0 and fast.result["reopened"] == 0
        assert said[0]["kills"] + said[1]["kills"] == 0, said
        assert all(s["steps"] > KILLS for s in said), said
        restarts = {t["name"]: t["restarts"] for t in
                    d.rpc("transports.list")}
        assert restarts["tcp1"] == KILLS, restarts


test_kills_under_load.seconds = 100 + KILLS // 5


def burst(m, first, n):
    """Sends n writes of a whole block in one go, values counting up."""
    values = [first + i & 0xffff for i in range(n)]
    m.send(b"".join(m.adu(struct.pack(
        ">BHHB", 16, FAST, BLOCK, 2 * BLOCK) + struct.pack(">H", v) * BLOCK)
        for v in values))


def acknowledged(m, n):
    """Takes n replies; how many of them had come when the first is taken."""
    had = len(m.socket.recv(
        n * 12, socket.MSG_PEEK | socket.MSG_DONTWAIT)) // 12
    for _ in range(n):
        m.receive()
    return had


BURST = 1000, 16000  # writes; a worker is at 1000 for half a millisecond here


def test_kills_while_writing():
    """a worker killed in the middle of a burst of writes: its successor writes
    the rest, and answers every one of them on the same connection"""
    with Daemon(conf()) as d:
        port, value, cut_short = d.port("tcp1"), 0, 0
        chance = random.Random(sysutil.SEED)
        # become so long that about half the kills come in time
        within_s, n = 0.0002, BURST[0]
        with Modbus(port) as m:
            for _ in range(KILLS):
                pid = sysutil.wait_for(lambda: bt.live_child(d, "tcp1"), 10)
                burst(m, value + 1, n)
                until = time.monotonic() + chance.random() * within_s
                while time.monotonic() < until:
                    pass
                os.kill(pid, signal.SIGKILL)
                select.select([m.socket], [], [], 100)
                cut = acknowledged(m, n) < n
                cut_short += cut
                value = value + n & 0xffff
                within_s *= 1.1 if cut else 0.9
                # where all share a processor, it is done before the kill
                n = max(BURST[0], min(BURST[1], n // 2 if cut else 2 * n))
                assert whole(m.read_hr(FAST, BLOCK)) == value
        print("    %d of %d bursts were cut short, %d writes repaired" % (
            cut_short, KILLS, repairs(d)))
        assert cut_short > KILLS // 10, "the kills came too late"
        assert repairs(d) >= KILLS // 1000, "the kills met no write"


test_kills_while_writing.seconds = 60 + KILLS // 20


def on_both(d, port):
    """Connections until each of the two workers has some: {worker: [client]}.
    Many come at a time, or else the one that wakes first would have all."""
    clients, by_worker = {}, {}
    for _ in range(50):
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            for m in pool.map(lambda _: Modbus(port), range(20)):
                m.read_hr(0, 1)
                host, local = m.socket.getsockname()
                clients[f"{host}:{local}"] = m
        by_worker = {"0": [], "1": []}
        for c in d.rpc("connections.list"):
            if c["peer"] in clients:
                by_worker[c["id"].split(".")[1]].append(clients[c["peer"]])
        if all(by_worker.values()):
            return by_worker
    raise AssertionError("one worker takes every connection")


def test_kills_leave_the_other_worker_alone():
    "killing one worker of a shared listener breaks no other one's connection"
    with Daemon(conf(workers=2, max_connections=2000)) as d:
        port = d.port("tcp1")
        by_worker = on_both(d, port)
        pid = next(p for p in d.children()
                   if sysutil.process_title(p).endswith("tcp1/0"))
        os.kill(pid, signal.SIGKILL)
        bt.next_reply_ms(port, time.monotonic())
        for m in by_worker["1"] + by_worker["0"]:
            m.read_hr(0, 1)
        for m in by_worker["0"] + by_worker["1"]:
            m.close()
        sysutil.wait_for(lambda: len([
            p for p in d.children()
            if "tcp1" in sysutil.process_title(p)]) == 2, 5, "a new worker")


def two_transports():
    c = conf()
    c["transports"]["tcp2"] = dict(c["transports"]["tcp1"])
    return c


def beside(d, disturb, longest_ms=WITHIN_MS):
    """Clients of tcp2 while disturb() does something to tcp1: no error, and
    no reply later than longest_ms that this machine did not delay itself."""
    port = d.port("tcp2")

    def at_work():
        rpc = d.connect()  # whom that asks may have died meanwhile
        def asked():
            return sum(c["requests"] for c in rpc.call(
                "connections.list", {"transport": "tcp2"})[0])
        enough = asked() + 500
        sysutil.wait_for(lambda: asked() > enough, what="work beside it")
        rpc.close()
    with bt.Jitter() as jitter, bt.Busy(
            port, conns=4, reconnect=False, verify=True, count=100) as busy:
        at_work()
        disturb()
        at_work()
    got = busy.result
    print("    beside it: %d requests, p99 %.0f us, longest %.1f ms; "
          "this machine's own lateness %.1f ms" % (
              got["requests"], got["p99"], got["max"] / 1e3, jitter.ms(1)))
    assert got["errors"] == 0 and got["reopened"] == 0, got
    assert got["requests"] > 1000, got
    most = longest_ms * sysutil.PATIENCE + jitter.ms(1)
    assert got["max"] / 1e3 < most, got
    assert got["p99"] / 1e3 < longest_ms * bt.pace(), got


def test_restart_beside_a_second_transport():
    "holdfast restart tcp1: the clients of tcp2 see no error and no pause"
    with Daemon(two_transports()) as d:
        def restarts():
            for _ in range(10):
                before = d.worker_pid("tcp1")
                d.cli("restart", "tcp1")
                assert d.worker_pid("tcp1") != before
                with Modbus(d.port("tcp1")) as m:
                    m.read_hr(0, 1)
        beside(d, restarts)


def test_kills_beside_a_second_transport():
    "kill -9 of tcp1's worker: the clients of tcp2 see no error and no pause"
    with Daemon(two_transports()) as d:
        beside(d, lambda: [bt.kill_once(d) for _ in range(30)])


def test_kill_of_the_control_process():
    "kill -9 of the control process: Modbus clients see nothing, it comes back"
    with Daemon(two_transports()) as d:
        def kill():
            pid = d.child("control")
            os.kill(pid, signal.SIGKILL)
            sysutil.wait_for(
                lambda: bt.live_child(d, "control") not in (None, pid), 10,
                "a new control process")
            rpc = d.connect()
            assert rpc.call("system.ping")[0] == {}
            rpc.close()
        beside(d, kill)


def test_restart_answers_what_was_asked():
    "a planned restart answers all that had been asked before it"
    with Daemon(conf()) as d:
        for turn in range(10):
            with Modbus(d.port("tcp1")) as m:
                m.read_hr(0, 1)
                m.send(b"".join(
                    m.adu(struct.pack(">BHH", 6, turn, i))
                    for i in range(100)))
                d.cli("restart", "tcp1")
                for i in range(100):
                    assert m.receive()[2] == struct.pack(">BHH", 6, turn, i)
                assert m.read_hr(turn, 1) == [99]  # and stays there
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0, 10) == [99] * 10


# clients that behave badly

def trickle(port, n):
    """Connections that have begun a request and do not go on with it."""
    clients = [Modbus(port) for _ in range(n)]
    for i, m in enumerate(clients):
        m.rest = m.adu(struct.pack(">BHH", 3, 0, 10))
    return clients


def drip(clients):
    """Sends the next byte of each; how many of them are through."""
    for m in clients:
        if m.rest:
            m.send(m.rest[:1])
            m.rest = m.rest[1:]
    return sum(not m.rest for m in clients)


class Deaf(Modbus):
    """Asks and asks, and does not read."""

    REQUESTS = 1000  # made at a time

    def __init__(self, port):
        super().__init__(port)
        self.socket.setblocking(False)
        self.sent = 0  # bytes
        self.rest = b""

    def ask_on(self):
        """Asks for as much as is taken; false if that is nothing."""
        if not self.rest:
            pdu = struct.pack(">BHH", 3, 0, 125)
            self.rest = b"".join(self.adu(pdu) for _ in range(self.REQUESTS))
        try:
            n = self.socket.send(self.rest)
        except BlockingIOError:
            return False
        self.rest = self.rest[n:]
        self.sent += n
        return True

    def listen(self):
        """Now reads: how many replies, each its own and in order."""
        self.socket.setblocking(True)
        self.socket.settimeout(100)
        whole_ones = self.sent // 12
        for i in range(1, whole_ones + 1):
            tid, _, pdu = self.receive()
            assert tid == i & 0xffff and len(pdu) == 252, (tid, i)
        if self.sent % 12:
            self.send(self.rest[:12 - self.sent % 12])
            assert self.receive()[0] == (whole_ones + 1) & 0xffff
        return whole_ones


def fill(clients):
    """Asks until every one of them has been refused for a while."""
    end = time.monotonic() + 200
    while time.monotonic() < end:
        if not any([m.ask_on() for m in clients]):
            writable = select.select([], [m.socket for m in clients], [],
                                     0.3)[1]
            if not writable:
                return
    raise AssertionError("the server takes any number of requests unread")


def quality(port):
    return bt.load(port, conns=8, seconds=0.4, count=100, verify=True)


def unharmed(port):
    """Others are served as well as by a daemon whose clients all behave, at
    the best of each."""
    with Daemon(conf()) as calm:
        best = worse = 0
        for _ in range(20):
            best = max(best, quality(calm.port("tcp1"))["rps"])
            got = quality(port)
            assert got["errors"] == 0, got
            worse = max(worse, got["rps"])
            if worse > 0.5 * best:
                break
    print("    requests/s %.0f, of another daemon %.0f" % (worse, best))
    assert worse > 0.5 * best, (worse, best)


def test_slow_clients():
    "clients that send a byte at a time cost the others nothing"
    with Daemon(conf()) as d:
        port = d.port("tcp1")
        slow = trickle(port, 100)
        drip(slow)
        unharmed(port)
        while drip(slow) < len(slow):
            with Modbus(port) as m:
                m.read_hr(0, 1)
        for m in slow:
            tid, _, pdu = m.receive()
            assert tid == m.tid and pdu[0] == 3 and len(pdu) == 22, pdu
            m.close()


def test_a_byte_a_second():
    "a request that comes a byte a second is answered like any other"
    with Daemon(conf(frame_timeout_ms=60000)) as d:
        slow = trickle(d.port("tcp1"), 3)
        while drip(slow) < len(slow):
            # the pace is the point here; meanwhile others are served, who
            # would wait for ever for what is not sent before they are
            began = time.monotonic()
            with Modbus(d.port("tcp1")) as m:
                m.read_hr(0, 1)
            time.sleep(max(0, began + 1 - time.monotonic()))
        for m in slow:
            assert m.receive()[2][0] == 3
            m.close()


def test_a_frame_that_never_ends():
    "a request that is not complete in frame_timeout_ms ends its connection"
    with Daemon(conf(frame_timeout_ms=200)) as d:
        slow = trickle(d.port("tcp1"), 5)
        drip(slow)
        with Modbus(d.port("tcp1")) as m:
            assert all(s.closed() for s in slow)
            m.read_hr(0, 1)


def test_clients_that_never_read():
    """clients that never read cost the others nothing, nor memory; when they
    do read, every reply is there and in order"""
    with Daemon(conf()) as d:
        port = d.port("tcp1")
        quality(port)
        memory = bt.resident(d.child("tcp1"))
        mute = [Deaf(port) for _ in range(20)]
        fill(mute)
        unharmed(port)
        grown = bt.resident(d.child("tcp1")) - memory
        print("    worker grew by %d KiB" % (grown / 1024))
        if not bt.sanitized():
            assert grown < len(mute) * 32 * 1024, grown
        print("    replies then read: %s" % [m.listen() for m in mute[:1]])
        for m in mute:
            m.close()
        unharmed(port)


def test_half_closed_connections():
    "a client that has sent all and closed its half still gets its replies"
    with Daemon(conf()) as d:
        for depth in (1, 50):
            with Modbus(d.port("tcp1")) as m:
                m.send(b"".join(m.adu(struct.pack(">BHH", 3, 0, 100))
                                for _ in range(depth)))
                m.socket.shutdown(socket.SHUT_WR)
                for i in range(depth):
                    assert m.receive()[0] == i + 1
                assert m.closed()


WRONG = [  # PDU, exception
    (b"\x00", 1), (b"\x63", 1), (b"\xc8\x01", 1), (b"\x09", 1),
    (b"\x03", 3), (b"\x03\x00\x00\x00", 3), (b"\x03\x00\x00\x00\x01\x00", 3),
    (struct.pack(">BHH", 3, 0, 0), 3), (struct.pack(">BHH", 3, 0, 126), 3),
    (struct.pack(">BHH", 3, 990, 11), 2), (struct.pack(">BHH", 3, 65535, 2), 2),
    (struct.pack(">BHH", 3, 65535, 0), 3), (struct.pack(">BHH", 4, 0, 1), 2),
    (struct.pack(">BHH", 1, 0, 2001), 3), (struct.pack(">BHH", 1, 99, 2), 2),
    (struct.pack(">BHH", 5, 0, 1), 3), (struct.pack(">BHH", 5, 100, 0), 2),
    (struct.pack(">BHHB", 16, 0, 2, 3) + bytes(4), 3),
    (struct.pack(">BHHB", 16, 0, 2, 4) + bytes(3), 3),
    (struct.pack(">BHHB", 16, 999, 2, 4) + bytes(4), 2),
    (struct.pack(">BHHB", 15, 0, 9, 1) + bytes(1), 3),
    (struct.pack(">BHHHHB", 23, 0, 1, 0, 122, 242) + bytes(242), 3),
    (b"\x2b\x0d\x00", 1), (b"\x2b\x0e\x05\x00", 3), (b"\x08\x00\x13\x00\x00", 1),
]


def test_wrong_requests_keep_the_connection():
    "wrong requests get their exception, and the connection stays"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        for pdu, code in WRONG:
            try:
                m.call(pdu)
                raise AssertionError("accepted: " + pdu.hex())
            except ModbusError as e:
                assert e.code == code, (pdu.hex(), e.code, code)
        m.send(b"".join(m.adu(pdu) for pdu, _ in WRONG))
        for pdu, code in WRONG:
            assert m.receive()[2] == bytes([pdu[0] | 0x80, code]), pdu.hex()
        assert m.read_hr(0, 3) == [0, 0, 0], "a wrong write was carried out"
        try:
            m.call(struct.pack(">BHH", 3, 0, 1), unit=0)
        except ModbusError as e:
            raise AssertionError("unit 0 is served by '*'") from e


def test_hopeless_bytes_end_that_connection_only():
    "bytes that are no Modbus end their own connection and no other one"
    hopeless = [bytes.fromhex("0001 0001 0006 01 03 0000 0001"),
                bytes.fromhex("0001 0000 0000 01 03 0000 0001"),
                bytes.fromhex("0001 0000 0001 01 03 0000 0001"),
                bytes.fromhex("0001 0000 00ff 01 03 0000 0001"),
                bytes.fromhex("0001 0000 ffff 01 03 0000 0001"),
                b"GET / HTTP/1.1\r\nHost: plc\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
                random.Random(1).randbytes(4096)]
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as other:
        pid = d.child("tcp1")
        for junk in hopeless:
            with Modbus(d.port("tcp1")) as m:
                good = m.adu(struct.pack(">BHH", 3, 0, 1))
                m.send(good + junk)
                assert m.receive()[0] == m.tid, "what came before is answered"
                assert m.closed(), junk[:12].hex()
            assert other.read_hr(0, 1) == [0]
        assert d.child("tcp1") == pid


def test_a_storm_of_connections():
    "five thousand connections, each opened, used and reset, harm nobody"
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as other:
        pid = d.child("tcp1")
        linger = struct.pack("ii", 1, 0)  # close by a reset
        for i in range(5000):
            with Modbus(d.port("tcp1")) as m:
                m.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    linger)
                m.send(m.adu(struct.pack(">BHH", 3, 0, 125)))
                if i % 3 == 0:
                    m.receive()
        assert other.read_hr(0, 1) == [0]
        assert d.child("tcp1") == pid, "the worker has died"
        sysutil.wait_for(lambda: d.rpc("transports.list")[0]["connections"]
                         == 1, 5, "only one connection left")


def test_all_are_killed():
    "kill -9 of all its processes: it can be started again, at the same address"
    with Daemon(conf()) as d:
        port = d.port("tcp1")
        d.kill()
        fixed = conf(listen="127.0.0.1:%d" % port)
        with Daemon(fixed) as again, Modbus(again.port("tcp1")) as m:
            assert m.read_hr(0, 1) == [0]


if __name__ == "__main__":
    sysutil.run()
