#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One daemon with every kind of transport, a client at work on each, and one
worker after the other killed or stopped: what the clients of the others
notice of it, which must be nothing, and how soon its own is served again.

    sys_isolation.py [WORD...] [--kills=N]	(each worker, 6)
"""
import multiprocessing
import os
import random
import select
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from everything import Everything  # noqa: E402
from peers import Late, fc3, fc16  # noqa: E402
from sysutil import ahead, whole  # noqa: E402

KILLS = next((int(a.split("=")[1]) for a in sys.argv[1:]
              if a.startswith("--kills=")), 6)
# what each transport speaks here
PAIRS = [("tcp", "socket"), ("tls", "tls"), ("udp", "socket"), ("line", "rtu"),
         ("pipe", "ascii"), ("unix", "socket")]
BLOCK = 60  # registers that one client always writes together
PACE_S = 0.001  # between two steps of a client
BESIDE = 10  # requests of each client beside every death
BOUND_MS = 250  # later than that no other client may be answered
MEDIAN_MS, WORST_MS = 50, 500  # until the killed one serves again
# A pty hands on bytes by a thread of the kernel, which waits for its turn like
# anybody, on both ways: a busy machine delays a line several times over.
LINE_TIMES = 4
HANG_MS = 1000  # after that a worker that shows no life is killed
GIVE_UP_S = 60
# After which time a request is sent again where nothing tells of its loss: at
# first, then, and for good. Of two requests that a line hears while the first
# one's reply is late, only the last is answered.
AGAIN_S = {"udp": (0.02,), "line": (0.02, 0.15, 0.4, 1.2)}

# restarts at once, for ever: the pace of the killing is the test's own
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}


class Lost(Exception):
    """The connection broke, or no reply came."""


class Client(multiprocessing.Process):
    """Counts a block of registers up, reads it back, and looks at the blocks
    of the others, until it is told that it is enough."""

    def __init__(self, everything, at):
        super().__init__()
        self.e, self.at = everything, at
        self.kind, self.framer = everything.pairs[at]
        self.pipe, self.theirs = multiprocessing.Pipe()
        self.answered = multiprocessing.Value("Q", 0, lock=False)
        self.start()
        self.theirs.close()

    def run(self):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self.acked, self.last = 0, {}
        self.times = []  # of each request: tried first, sent last, answered
        self.lost = []  # when its connection was, and how
        self.m = self.session = None
        self.lost_last = 0  # how often in a row a request was lost
        self.reused = []  # of each new TLS connection but the first
        why = None
        try:
            while not self.theirs.poll():
                self.step()
                time.sleep(PACE_S)
        except BaseException as e:
            why = "%s over %s: %r" % (self.framer, self.kind, e)
        self.theirs.send({"why": why, "acked": self.acked,
                          "times": self.times, "lost": self.lost,
                          "reused": self.reused})

    def over(self):
        """Ends it; what it has to say."""
        if self.is_alive():
            self.pipe.send("enough")
        said = (self.pipe.recv() if self.pipe.poll(GIVE_UP_S + 10)
                else {"why": self.kind + " does not end"})
        self.join(1)
        self.kill()
        self.join()
        self.pipe.close()
        return said

    def step(self):
        value = self.acked + 1 & 0xffff
        write = fc16(self.at * BLOCK, [value] * BLOCK)
        self.tried = time.monotonic()
        while True:
            try:
                got = self.once(write, self.tried)
                break
            except Lost:
                gone = ahead(self.read(self.at), self.acked)
                assert gone in (0, 1), "acknowledged was %d, %d since" % (
                    self.acked, gone)
        assert got == write[:5], got.hex()
        self.acked = value
        for at in range(len(self.e.pairs)):
            got = self.read(at)
            assert at != self.at or got == value, (
                "acknowledged was %d, but there is %d" % (value, got))
            assert ahead(got, self.last.get(at, got)) >= 0, (
                "went back: %d after %d" % (got, self.last[at]))
            self.last[at] = got

    def read(self, at):
        """The one value of a block. How much of it is read tells the replies
        of different blocks apart, which RTU does not."""
        n = BLOCK - at
        tried = time.monotonic()
        while True:
            try:
                got = self.once(fc3(at * BLOCK, n), tried)
                return whole(struct.unpack(">%dH" % n, got[2:]))
            except Lost:
                assert time.monotonic() < tried + GIVE_UP_S, "no reply"

    def once(self, pdu, tried):
        sent = time.monotonic()
        patience = AGAIN_S.get(self.kind, (GIVE_UP_S,))
        patience = patience[min(self.lost_last, len(patience) - 1)]
        try:
            if self.m is None:
                self.connect()
                sent = time.monotonic()
            self.m.send(1, pdu)
            got = self.own_reply(pdu, patience)
        except (OSError, EOFError, Late) as e:
            if self.kind not in AGAIN_S:
                self.lost.append((time.monotonic(), repr(e)))
            if self.kind == "line":
                self.m.got = b""  # the line itself stays
            else:
                self.drop()
                time.sleep(PACE_S)  # not to starve who is to come back
            self.lost_last += 1
            raise Lost from e
        self.lost_last = 0
        self.answered.value += 1
        self.times.append((tried, sent, time.monotonic()))
        return got

    def own_reply(self, pdu, patience):
        """The reply to what was asked last: on a line one to a request that
        was sent again may come first, and by datagram the last one of who
        died, which his successor cannot know to have arrived."""
        while True:
            found, unit, got = self.m.receive(patience)
            assert unit == 1, unit
            if self.kind == "udp" and found == (self.m.tid - 1 & 0xffff):
                continue
            assert found in (None, self.m.tid), (found, self.m.tid)
            if self.kind != "line" or answers(got, pdu):
                return got

    def connect(self):
        self.m = self.e.open(self.kind, self.framer, self.session)
        if self.session:
            self.reused.append(self.m.channel.socket.session_reused)

    def drop(self):
        if self.m is None:
            return
        if self.kind == "tls":
            self.session = self.m.channel.socket.session
        self.m.close()
        self.m = None


def answers(reply, pdu):
    if reply[0] != pdu[0]:
        return False
    return pdu[0] != 3 or reply[1] == 2 * pdu[4]


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def stop(pid):
    """It stands still, until its parent has lost patience."""
    fd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    assert select.select([fd], [], [], 100)[0], "a stopped worker is borne"
    os.close(fd)


def all_work(clients):
    """Waits until each client has had so many more replies, or has given up,
    which it will tell itself."""
    before = [c.answered.value for c in clients]
    for c, n in zip(clients, before):
        sysutil.wait_for(lambda: c.answered.value > n + BESIDE or
                         not c.is_alive(), 30, "work over " + c.kind)


def hurt_each(d, clients, names, hurt, times):
    """Hurts each transport's worker: [(name, [when], over at)]"""
    phases, chance = [], random.Random(sysutil.SEED)
    for name in names:
        when = []
        for _ in range(times):
            pid = sysutil.wait_for(lambda: bt.live_child(d, name), 10, name)
            when.append(time.monotonic())
            hurt(pid)
            all_work(clients)
            # so that the next death finds them anywhere in a request
            time.sleep(chance.random() * 0.05)
        phases.append((name, when, time.monotonic()))
        all_work(clients)
    return phases


def gaps_of(said, kills, jitter):
    """Milliseconds from each kill to the first reply to a request that was
    sent after it, and how many of them the machine has stolen."""
    gaps = [(min(end for _, sent, end in said["times"] if sent > t) - t) * 1e3
            for t in kills]
    return [(ms, stolen(jitter, t, ms)) for t, ms in zip(kills, gaps)]


def own_phase(name, said, phases):
    """From when to when it was hurt itself, or not served yet."""
    when, over = next(p[1:] for p in phases if p[0] == name)
    served = min(end for _, sent, end in said["times"] if sent > when[-1])
    return when, max(over, served)


def beside(said, began, over):
    """What its requests took, (when, ms), outside its own phase."""
    return [(first, (end - first) * 1e3) for first, _, end in said["times"]
            if end < began or first > over]


def show(what, ms):
    print("    %-12s %6d  p50 %7.2f  p99 %7.2f  max %7.2f ms" % (
        what, len(ms), *(bt.percentile(ms, p) for p in (0.5, 0.99, 1))))


def stolen(jitter, at, ms):
    """How long this machine did nothing for anybody in that time. One that
    stops again and again may spoil each try of a request."""
    return sum(by * 1e3 for t, by in jitter.late
               if t + by >= at and t <= at + ms / 1e3)


def slack(name):
    return LINE_TIMES if name.startswith("line") else 1


def judge(name, said, phases, jitter):
    assert said["why"] is None, said["why"]
    bound = BOUND_MS * slack(name)
    when, own_over = own_phase(name, said, phases)
    strange = [lost for lost in said["lost"]
               if not when[0] <= lost[0] <= own_over]
    assert not strange, (name, len(strange), strange[:5])
    took = beside(said, when[0], own_over)
    show(name, [ms for _, ms in took])
    late = [(ms, stolen(jitter, at, ms)) for at, ms in took if ms > bound]
    # a client, a worker and the probe may each be held up on their own
    bound *= bt.pace()
    late = [(ms, by) for ms, by in late if ms > bound + 2 * by]
    # one may be the machine's; what a death has to do with it comes with each
    assert len(late) <= sum(len(p[1]) for p in phases) // 6, (name, late[:9])
    assert all(ms < bound * sysutil.PATIENCE for ms, _ in late), (name, late)
    for victim, kills, over in phases:
        n = sum(kills[0] < at < over for at, _ in took)
        assert victim == name or n > BESIDE * len(kills), (
            "%s: %d requests while %s was killed" % (name, n, victim))
    return gaps_of(said, when, jitter)


def judge_gaps(name, gaps, unseen_ms):
    """gaps: (ms, how much of that the machine has stolen)"""
    show(name, [ms for ms, _ in gaps])
    own = [ms - by for ms, by in gaps]
    times = slack(name) * bt.pace()
    assert bt.median(own) < unseen_ms + MEDIAN_MS * times, (name, gaps)
    assert max(own) < unseen_ms + WORST_MS * times * sysutil.PATIENCE, (
        name, gaps)


def in_turn(e, hurt, times, unseen_ms=0):
    """Hurts each worker in turn while clients work on all. unseen_ms: how
    long it may take until the parent knows."""
    names = ["-".join(p) for p in PAIRS]
    with bt.Jitter() as jitter:
        clients = [Client(e, at) for at in range(len(PAIRS))]
        try:
            phases = hurt_each(e.daemon, clients, names, hurt, times)
        finally:
            said = [c.over() for c in clients]
    print("    this machine's own lateness: p99 %.1f max %.1f ms" % (
        jitter.ms(0.99), jitter.ms(1)))
    print("    while others were hurt, requests:")
    gaps = [judge(n, s, phases, jitter) for n, s in zip(names, said)]
    print("    from then to the next reply to the one that was hurt:")
    for name, found in zip(names, gaps):
        judge_gaps(name, found, unseen_ms)
    for at, s in enumerate(said):
        there = e.daemon.rpc("registers.read", device="plc1", table="hr",
                             addr=at * BLOCK, count=BLOCK)["values"]
        assert whole(there) == s["acked"], (names[at], there)
        assert all(s["reused"]), (names[at], s["reused"])
    restarts = {t["name"]: t["restarts"]
                for t in e.daemon.rpc("transports.list")}
    assert restarts == {n: times for n in names}, restarts


def test_each_worker_killed_in_turn():
    """kill -9 of each worker in turn: clients of the others see no error, no
    delay, no torn value; nothing acknowledged is lost; the dead one's client
    is served again at once, over TLS by a resumed session"""
    with Everything(pairs=PAIRS, restart=AT_ONCE) as e:
        in_turn(e, kill, KILLS)


def test_each_worker_stopped_in_turn():
    "the same of a worker that stands still, once the parent has noticed"
    with Everything(pairs=PAIRS, restart=AT_ONCE,
                    top={"hang_timeout_ms": HANG_MS}) as e:
        in_turn(e, stop, 2, 2 * HANG_MS)


test_each_worker_killed_in_turn.seconds = 60 + 2 * KILLS


if __name__ == "__main__":
    sysutil.run()
