# SPDX-License-Identifier: Apache-2.0
"""One client of every kind for sys_tree.py, each a process at work until it is
told that it is enough, which counts what it notices: requests that it had to
send again, connections that it had to make anew. A reply that is wrong, and a
value that is lost, end it.

What the Modbus clients do must be done once each and in order. Token n goes
into register n % RING of the client's own by function code 23, which reads the
whole ring back: the reply to n is one that no other request has. A request
that is carried out again after a later one, or never, shows in the replies to
all that follow.
"""
import http.client
import mmap
import multiprocessing
import os
import random
import re
import signal
import struct
import time

import sysutil
from http_case import Events, Web
from peers import Late, Master, Stream, Udp, fc3
from sysutil import ahead

RING = 8
PACE_S = 0.002  # between two steps of a client
GIVE_UP_S = 120
DEPTH = 6  # requests that are sent without waiting for replies, at most
TOPIC = "registers.plc2.holding_registers"
ANSWERED, RETRIES, RECONNECTS, COUNTS = range(4)
# how long a reply is waited for where nothing tells that it is lost
PATIENCE_S = {"udp": 1.5, "serial": 3.0, "zmq": 3.0, "http": 15.0}


def ring(n):
    """What the registers hold once token n has been written."""
    return [max(n - (n - i) % RING, 0) & 0xffff for i in range(RING)]


class Client(multiprocessing.Process):
    """kind is what the table of sys_tree.py calls it, transport whose it is
    (None: nobody's)."""

    transport = None

    def __init__(self, tree, kind):
        super().__init__(name=kind)
        self.tree, self.kind = tree, kind
        self.said = None
        self.pipe, self.theirs = multiprocessing.Pipe()
        self.counts = multiprocessing.Array("Q", COUNTS, lock=False)
        self.start()
        self.theirs.close()

    def run(self):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        random.seed(self.kind)
        self.times = []  # (when, ms) of each step
        self.done = 0  # what was acknowledged last
        why = None
        try:
            self.begin()
            while not self.theirs.poll():
                began = time.monotonic()
                self.step()
                self.times.append((began, (time.monotonic() - began) * 1e3))
                self.counts[ANSWERED] += 1
                time.sleep(PACE_S)
        except BaseException as e:
            why = "%s: %r" % (self.kind, e)
        self.theirs.send((why, self.done, self.times))

    def begin(self):
        pass

    def noticed(self, what):
        self.counts[what] += 1
        time.sleep(PACE_S)  # not to starve who is to come back

    def given_up(self):
        return not self.is_alive() or self.pipe.poll()

    def over(self):
        """Ends it: (why it had ended or None, what was acknowledged last,
        [(when, ms)])."""
        if self.said:
            return self.said
        if not self.given_up():
            self.pipe.send("enough")
        self.said = (self.pipe.recv() if self.pipe.poll(GIVE_UP_S + 10)
                     else (self.kind + " does not end", 0, []))
        self.join(1)
        self.kill()
        self.join()
        self.pipe.close()
        return self.said


class Ring(Client):
    """What the Modbus clients have in common. open(): a Master."""

    def __init__(self, tree, kind, transport, at):
        self.transport, self.at = transport, at * RING
        super().__init__(tree, kind)

    def begin(self):
        self.m = None

    def swap(self, n):
        """Writes token n and reads the ring."""
        return struct.pack(">BHHHHBH", 23, self.at, RING, self.at + n % RING,
                           1, 2, n & 0xffff)

    def check(self, reply, n):
        assert reply[:2] == bytes([23, 2 * RING]), reply.hex()
        got = list(struct.unpack(">%dH" % RING, reply[2:]))
        assert got == ring(n), "token %d: %r instead of %r" % (
            n, got, ring(n))


class Connected(Ring):
    """tcp and tls: several requests at once; a connection that ends is made
    anew, and tells then how far it got."""

    def begin(self):
        super().begin()
        self.session, self.sent = None, 0

    def open(self):
        port = self.tree.ports[self.transport]
        if self.transport != "tls":
            return Master(Stream.tcp(port), "socket")
        m = Master(Stream.tls(port, self.tree.context, self.session), "tls")
        if self.session:
            assert m.channel.socket.session_reused, "session not resumed"
        return m

    def drop(self):
        if self.m:
            if self.transport == "tls":
                self.session = self.m.channel.socket.session
            self.m.close()
        self.m = None
        self.noticed(RECONNECTS)

    def catch_up(self):
        """On a new connection: what of the last ones has been done."""
        self.m.send(1, fc3(self.at, RING))
        reply = self.m.expect(1, timeout=GIVE_UP_S)
        got = list(struct.unpack(">%dH" % RING, reply[2:]))
        could = [n for n in range(self.done, self.sent + 1) if ring(n) == got]
        assert could, "%r after token %d of %d" % (got, self.done, self.sent)
        self.done = self.sent = could[0]

    def some(self):
        if self.m is None:
            self.m = self.open()
            self.catch_up()
        first, n = self.done + 1, random.randint(1, DEPTH)
        tids = []
        self.sent = self.done + n
        data = b""
        for i in range(first, first + n):
            self.m.tid = self.m.tid + 1 & 0xffff
            tids.append(self.m.tid)
            data += self.m.framer.encode(1, self.swap(i), self.m.tid)
        cut = random.randrange(len(data))
        self.m.channel.send(data[:cut])
        self.m.channel.send(data[cut:])
        for tid in tids:
            self.check(self.m.expect(1, tid, GIVE_UP_S), self.done + 1)
            self.done += 1

    def step(self):
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                return self.some()
            except (OSError, EOFError):  # Late is neither, and an error
                assert time.monotonic() < end, "not served"
                self.drop()


class Repeating(Ring):
    """udp and serial: one request at a time, sent again as it is if no reply
    comes; what then comes twice is passed over."""

    def open(self):
        if self.transport == "udp":
            return Master(Udp(self.tree.ports["udp"]), "socket")
        return Master(self.tree.line, "rtu")

    def stale(self, found, reply, n):
        if self.transport == "udp":
            return found != self.m.tid
        return n > 1 and list(struct.unpack(
            ">%dH" % RING, reply[2:])) == ring(n - 1)

    def once(self, n):
        pdu = self.swap(n)
        self.m.channel.send(self.m.framer.encode(1, pdu, self.m.tid))
        while True:
            found, _, reply = self.m.receive(PATIENCE_S[self.kind])
            if not self.stale(found, reply, n):
                return reply

    def step(self):
        if self.m is None:
            self.m = self.open()
        n = self.done + 1
        self.m.tid = n & 0xffff
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                reply = self.once(n)
                break
            except (Late, OSError, EOFError):  # udp: or nobody listens
                assert time.monotonic() < end, "no reply"
                self.m.got = b""
                self.noticed(RETRIES)
        self.check(reply, n)
        self.done = n


class Tool(Client):
    """A program that has the objects of a shm transport mapped: the clock
    copies what it writes beside it."""

    transport = "shm"

    def __init__(self, tree, kind, at):
        self.at = at * RING
        super().__init__(tree, kind)

    def begin(self):
        fd = os.open("/dev/shm/" + self.tree.prefix + "AO", os.O_RDWR)
        self.map = mmap.mmap(fd, os.fstat(fd).st_size)
        os.close(fd)
        self.cells = memoryview(self.map).cast("H")

    def step(self):
        n = self.done + 1
        self.cells[self.at] = n & 0xffff
        sysutil.wait_for(lambda: self.cells[self.at + 1] == n & 0xffff,
                         GIVE_UP_S, "token %d" % n)
        assert self.cells[self.at] == n & 0xffff, "taken back"
        self.done = n


class Controller(Client):
    """Writes and reads by ZeroMQ."""

    def begin(self):
        sysutil.Rpc._context = None  # the parent's
        self.rpc = None

    def ask(self, method, **params):
        end = time.monotonic() + GIVE_UP_S
        while True:
            if self.rpc is None:
                self.rpc = sysutil.Rpc(self.tree.daemon.endpoint,
                                       PATIENCE_S["zmq"])
            try:
                return self.rpc.call(method, params)[0]
            except TimeoutError:
                assert time.monotonic() < end, "no reply"
                self.rpc.close()
                self.rpc = None
                self.noticed(RETRIES)

    def step(self):
        n = self.done + 1
        self.ask("registers.write", device="plc2", table="hr", addr=0,
                 values=[n & 0xffff])
        got = self.ask("registers.read", device="plc2", table="hr", addr=0,
                       count=1)["values"][0]
        assert got == n & 0xffff, "%d instead of %d" % (got, n)
        self.done = n


def web(tree):
    """Web() asks the control process where the page is, which may be dead."""
    w = Web.__new__(Web)
    w.host, w.port, w.kept = "127.0.0.1", tree.http_port, None
    return w


class Reader(Client):
    """A stream of events: what the controller writes, in order."""

    def begin(self):
        self.events = self.last = self.value = None

    def some(self):
        if self.events is None:
            self.events = Events(web(self.tree), TOPIC, self.last)
            self.events.hello()
        _, self.last, data = self.events.next(GIVE_UP_S)
        if data.get("addr") == 0 and "new" in data:
            value = data["new"][0]
            assert self.value is None or ahead(value, self.value) >= 0, (
                "%d after %d" % (value, self.value))
            self.value = value

    def step(self):
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                return self.some()
            except (OSError, AssertionError) as e:
                if isinstance(e, AssertionError) and not re.search(
                        "stream was closed|^b''$", str(e)):
                    raise
                assert time.monotonic() < end, "not served"
                if self.events:
                    self.events.close()
                self.events = None
                self.noticed(RECONNECTS)


class Scraper(Client):
    """GET /metrics, as a Prometheus does, on a connection of its own each
    time."""

    def step(self):
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                status, _, body = web(self.tree).get("/metrics")
                assert status == 200 and b"\nholdfast_" in body, status
                break
            except (OSError, EOFError, http.client.HTTPException) as e:
                assert time.monotonic() < end, repr(e)
                self.noticed(RETRIES)
        time.sleep(0.02)
