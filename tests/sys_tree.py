#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of each process of a daemon, and of each two at the same instant,
while clients are at work on everything that it offers: who may notice what is
the table below, and what is not in it nobody may notice.

    sys_tree.py [WORD...] [--rounds=N] [--seed=N] [--only=S+W:tcp]

Without --rounds: each process once, then as many pairs as SAMPLE_S allows.
--rounds=N: each, each pair, and again from the beginning (make torture: 200).
--only: this one, or these two, and nothing else; stop:W:tcp stops it instead.
"""
import itertools
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import certs  # noqa: E402
import peers  # noqa: E402
import sysutil  # noqa: E402
import tree_clients as tc  # noqa: E402
from sysutil import Daemon, process_title, wait_for  # noqa: E402


def option(name, default=None):
    return next((a.split("=", 1)[1] for a in sys.argv[1:]
                 if a.startswith("--%s=" % name)), default)


ROUNDS = int(option("rounds", 0))
SEED = int(option("seed", sysutil.SEED))
ONLY = option("only")
SAMPLE_S = 10  # rounds that are begun later than that are left out
TRANSPORTS = ("tcp", "tls", "udp", "serial", "shm")
GIVES_WAY = ("tcp",)  # to a worker of the next keeper, when its own has died
# S supervisor, C control, H http, P persist, clock; K a transport's keeper,
# W its worker
AIDES = {"C": "control", "H": "http", "P": "persist", "clock": "clock"}
VICTIMS = ("S", *AIDES, *("K:" + t for t in TRANSPORTS),
           *("W:" + t for t in TRANSPORTS))
WORK = 4  # steps of each client beside every death
HANG_MS = 1000  # after that a process that shows no life is killed
BOUND_MS = 250  # later than that who may notice nothing is not answered
LINE_TIMES = 4  # a pty's bytes wait for a thread of the kernel, both ways
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}

# ---- the table: what dies -> whose client may notice what ----
#
# "retries": a request gets no reply and has to be sent again; "reconnects": a
# connection ends and has to be made anew. Who is not named notices nothing,
# or that a reply is a little late. No line of it allows a write that was
# acknowledged to be lost, one to be carried out twice, or a wrong reply.

NOTICES = {
    ("S",): {"zmq": "retries", "http": "retries", "sse": "reconnects"},
    ("C",): {"zmq": "retries"},
    ("H",): {"http": "retries", "sse": "reconnects"},
    ("P",): {},
    ("clock",): {},
    # another one is made at once, and connections of tcp go to that: so this
    # holds for a worker that is killed later, too
    ("K",): {},
    # connections of tcp outlive their worker; keys of TLS die with it
    ("W", "tcp"): {},
    ("W", "tls"): {"tls": "reconnects"},
    ("W", "udp"): {"udp": "retries"},
    ("W", "serial"): {"serial": "retries"},
    ("W", "shm"): {},
    # nobody is left who has the descriptors
    ("K+W", "tcp"): {"tcp": "reconnects"},
    ("K+W", "tls"): {"tls": "reconnects"},
    ("K+W", "udp"): {"udp": "retries"},
    ("K+W", "serial"): {"serial": "retries"},
    ("K+W", "shm"): {},
    # the worker finds the next supervisor by itself
    ("S+K",): {},
}
# Nothing else is lost by a pair than what each of both costs.


def kind_of(victim):
    return victim.split(":")[0]


def row(*victims):
    """The line of the table for those of one transport, or for one."""
    what = "+".join(kind_of(v) for v in victims)
    transport = [v.split(":")[1] for v in victims if ":" in v][:1]
    found = NOTICES.get((what, *transport))
    return NOTICES.get((what,), {}) if found is None else found


def may_notice(victims):
    """{client: what it may notice} when these die in the same instant."""
    allowed = {}
    for v in victims:
        allowed.update(row(v))
    for two in itertools.permutations(victims, 2):
        places = {v.split(":")[1] for v in two if ":" in v}
        if len(places) == 1:
            allowed.update(row(*two))
    return allowed


# ---- the daemon and its clients ----

def hr(count, **more):
    return {"addr": 0, "count": count, **more}


class Tree:
    """A daemon with one of everything, and clients on all of it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-tree-")
        self.prefix = "hft%d_" % os.getpid()
        self.http_port = sysutil.free_port()
        self.line = peers.Line()
        ca = certs.Authority(self.dir)
        self.cert = ca.issue("server", server=True)
        self.context = certs.client_context(ca, ca.issue("client"))
        self.ca = ca
        self.daemon = Daemon(self.conf())
        self.ports = {t: self.daemon.port(t) for t in ("tcp", "tls", "udp")}
        self.clients = []

    def conf(self):
        more = {"units": {"*": "plc1"}, "restart": AT_ONCE}
        copied = {"name": "copy", "addr": 5 * tc.RING, "period_ms": 2}
        seconds = {"name": "ramp", "max": 1e6, "period_s": 1e6,
                   "period_ms": 5}
        ahead = 5 * tc.RING + 1
        return {
            "hang_timeout_ms": HANG_MS,
            "http": {"listen": "127.0.0.1:%d" % self.http_port},
            "store": {"snapshot": {"path": os.path.join(self.dir, "saved"),
                                   "interval_s": 0.1}},
            "devices": {
                "plc1": {"holding_registers": [
                    hr(ahead), {"addr": ahead, "action": copied},
                    {"addr": ahead + 1, "count": 100}]},
                "plc2": {"holding_registers": [hr(10)], "input_registers": [
                    {"addr": 0, "type": "float64", "action": seconds}]}},
            "transports": {
                "tcp": {"type": "tcp", "listen": "127.0.0.1:0", **more},
                "tls": {"type": "tls", "listen": "127.0.0.1:0",
                        "cert": self.cert.chain, "key": self.cert.key,
                        "ca": self.ca.path, **more},
                "udp": {"type": "udp", "listen": "127.0.0.1:0", **more},
                "serial": {"type": "serial", "baudrate": 115200,
                           "port": self.line.path, **more},
                "shm": {"type": "shm", "prefix": self.prefix, "scan_ms": 1,
                        **more}}}

    def begin(self):
        c = self.clients
        c += [tc.Connected(self, "tcp", "tcp", at) for at in (0, 1)]
        c.append(tc.Connected(self, "tls", "tls", 2))
        c.append(tc.Repeating(self, "udp", "udp", 3))
        c.append(tc.Repeating(self, "serial", "serial", 4))
        c.append(tc.Tool(self, "shm", 5))
        c.append(tc.Controller(self, "zmq"))
        c.append(tc.Reader(self, "sse"))
        c.append(tc.Scraper(self, "http"))

    def __enter__(self):
        return self

    def __exit__(self, kind, *why):
        for c in reversed(self.clients):
            c.over()
        if kind:
            text = self.daemon.stderr_text()
            if option("log"):
                with open(option("log"), "w") as f:
                    f.write(text)
            tail = text.splitlines()[-40:]
            print("    the daemon said:\n      " + "\n      ".join(tail))
        self.daemon.clean()
        self.line.close()
        for name in os.listdir("/dev/shm"):
            if name.startswith(self.prefix):
                os.unlink("/dev/shm/" + name)
        shutil.rmtree(self.dir)

    def processes(self):
        """{victim: pid} of those that live, also without a supervisor."""
        names = {"holdfastd: " + title: v for v, title in AIDES.items()}
        for t in TRANSPORTS:
            names["holdfastd: " + t] = "W:" + t
            names["holdfastd: keeper " + t] = "K:" + t
        found = {"S": self.daemon.pid}
        for pid in self.daemon._leftovers():
            victim = names.get(process_title(pid))
            if victim:
                found[victim] = pid
        return found

    def restart(self):
        """What systemd does once the supervisor has gone."""
        d = self.daemon
        d.wait()
        if d._rpc:
            d._rpc.close()
            d._rpc = None
        if os.path.exists(d.ready_path):
            os.unlink(d.ready_path)
        said = d.stderr_text()
        d.start()
        more = d.stderr_text()[len(said):]
        assert more.count("taking over") == 1, "the next one begins anew"
        assert "does not end" not in more, "waits for what does not end"

    def rpc(self, method, **params):
        """A call to a control process that may be about to die."""
        d = self.daemon

        def answer():
            if d._rpc is None:
                d._rpc = d.connect(3.0)
            try:
                return d.rpc(method, **params)
            except TimeoutError:
                d._rpc.close()
                d._rpc = None
                return None

        return wait_for(answer, 20, method)

    def all_work(self):
        """Until each client has done so much more, or has given up, which it
        tells itself."""
        before = [c.counts[tc.ANSWERED] for c in self.clients]
        for c, n in zip(self.clients, before):
            wait_for(lambda: c.counts[tc.ANSWERED] >= n + WORK or
                     c.given_up(), tc.GIVE_UP_S + 10, "work of " + c.kind)
        dead = [c for c in self.clients if c.given_up()]
        assert not dead, [c.over()[0] for c in dead]

    def noticed(self):
        return [c.counts[:] for c in self.clients]


# ---- one death, or two ----

def strike(tree, victims, number, there=VICTIMS):
    """The signal to all in one instant, once those are there: the pids that
    there were, and a pidfd of each."""
    there = wait_for(lambda: (p := tree.processes()).keys() >= set(there)
                     and p, 20, "all processes")
    pids = [there[v] for v in victims]
    fds = [os.pidfd_open(p) for p in pids]
    for fd in fds:
        signal.pidfd_send_signal(fd, number)
    return there, fds


def all_back(tree, victims, before, fds):
    """Waits until the next ones of all are there; the others must be the same
    as before, but for those that end with a supervisor."""
    for fd in fds:
        assert select.select([fd], [], [], 200)[0], "a stopped one is borne"
        os.close(fd)
    if "S" in victims:
        tree.restart()
    changed = set(victims)
    if "S" in victims:
        changed |= set(AIDES)  # it makes all of them anew
    # connections go to the next keeper, and so to a worker of that
    changed |= {"W:" + t for t in GIVES_WAY if "K:" + t in victims}

    def there():
        now = tree.processes()
        return all(now.get(v) not in (None, before[v])
                   for v in changed) and now

    now = wait_for(there, 20, "successors of " + " and ".join(
        sorted(changed)))
    other = {v: (before[v], now.get(v)) for v in before
             if v not in changed and now.get(v) != before[v]}
    assert not other, "others have died: %r" % other


def against_table(tree, before, allowed):
    """[(client, what it noticed and may not, how often)]"""
    wrong = []
    for c, old, new in zip(tree.clients, before, tree.noticed()):
        for what, i in (("retries", tc.RETRIES),
                        ("reconnects", tc.RECONNECTS)):
            if new[i] != old[i] and allowed.get(c.kind) != what:
                wrong.append((c.kind, what, new[i] - old[i]))
    return wrong


def widowed(victims):
    """Workers that have lost their keeper and live, or gave way to one."""
    return ["W:" + v[2:] for v in victims if kind_of(v) == "K" and
            "W:" + v[2:] not in victims]


def hit(tree, victims, number=signal.SIGKILL):
    """One round, of more deaths where keepers have died: later their workers',
    who have another one by then. [(client, what it noticed against the table,
    how often)], and from when to when it was."""
    before, began = tree.noticed(), time.monotonic()
    there, fds = strike(tree, victims, number)
    if number == signal.SIGSTOP and kind_of(victims[0]) == "S":
        # nobody ends them but systemd, if it is asked to watch
        tree.all_work()
        assert not select.select(fds, [], [], 0)[0]
        signal.pidfd_send_signal(fds[0], signal.SIGKILL)
    all_back(tree, victims, there, fds)
    allowed = may_notice(victims)
    for c, old in zip(tree.clients, before):
        if allowed.get(c.kind) == "reconnects" and c.kind == "sse":
            # it reads what the dead one had sent, and sees its end behind
            # that: maybe when the next one dies already
            wait_for(lambda: c.counts[tc.RECONNECTS] > old[tc.RECONNECTS],
                     tc.GIVE_UP_S + 10, "the end of a stream")
    tree.all_work()
    wrong = against_table(tree, before, allowed)
    over = time.monotonic()
    left = widowed(victims)
    if left:
        before = tree.noticed()
        all_back(tree, left, *strike(tree, left, signal.SIGKILL, left))
        tree.all_work()
        wrong += against_table(tree, before, may_notice(left))
    return wrong, (began, over)


def pairs():
    return [list(p) for p in itertools.combinations(VICTIMS, 2)]


def plan(rng):
    """What dies in turn."""
    if ONLY:
        words = ONLY.removeprefix("stop:").split("+")
        assert set(words) <= set(VICTIMS), "there are " + " ".join(VICTIMS)
        return [words] * max(ROUNDS, 1)
    singles, twos = [[v] for v in VICTIMS], pairs()
    rng.shuffle(singles)
    rng.shuffle(twos)
    every = singles + twos
    return (list(itertools.islice(itertools.cycle(every), ROUNDS))
            if ROUNDS else every)


def name_of(victims, number):
    return ("stop:" if number == signal.SIGSTOP else "") + "+".join(victims)


def judge(found, jitter):
    """found: [(name, wrong, (began, over))]. A retry is no fault of the
    daemon's while the machine stood still for nearly as long as it took."""
    bad = []
    for name, wrong, (began, over) in found:
        late = max((by for t, by in jitter.late if began <= t <= over),
                   default=0)
        for kind, what, times in wrong:
            if (what == "retries" and
                    late > tc.PATIENCE_S.get(kind, 1e9) / 2):
                continue
            bad.append("%s: %s %s %d times\n      replay: sys_tree.py "
                       "--seed=%d --only=%s" % (
                           name, kind, what, times, SEED, name))
    assert not bad, "\n    " + "\n    ".join(bad)


def show(tree, said, found, calm, jitter):
    """T7: what those were kept waiting that may notice nothing."""
    print("    this machine's own lateness: p99 %.1f max %.1f ms" % (
        jitter.ms(0.99), jitter.ms(1)))
    for c, (_, done, times) in zip(tree.clients, said):
        spared = [span for name, _, span in found
                  if c.kind not in may_notice(name.split(":", 1)[1].split("+")
                                              if name.startswith("stop:")
                                              else name.split("+"))
                  and (":" + str(c.transport)) not in name]
        took = [ms for t, ms in times
                if any(a <= t <= b for a, b in spared)]
        rest = [ms for t, ms in times if t < calm]
        print("    %-6s %6d steps; beside deaths of others p50 %6.2f p99 "
              "%6.2f ms, before p50 %6.2f p99 %6.2f ms" % (
                  c.kind, len(times), bt.percentile(took, 0.5),
                  bt.percentile(took, 0.99), bt.percentile(rest, 0.5),
                  bt.percentile(rest, 0.99)))
        if took and c.kind in ("tcp", "tls", "udp", "serial"):
            bound = BOUND_MS * (LINE_TIMES if c.kind == "serial" else 1)
            assert bt.percentile(took, 0.99) < (
                bound * bt.pace() + 2 * jitter.ms(0.99)), c.kind


def nothing_lost(tree, said):
    """What was acknowledged is there, and is so again after a stop."""
    def there():
        got = tree.rpc("registers.read", device="plc1", table="hr", addr=0,
                       count=5 * tc.RING + 1)["values"]
        return got + tree.rpc("registers.read", device="plc2", table="hr",
                              addr=0, count=1)["values"]
    want = []
    for c, (_, done, _) in zip(tree.clients, said):
        if c.kind in ("shm", "zmq"):
            want.append(done & 0xffff)
        elif isinstance(c, tc.Ring):
            want += tc.ring(done)
    assert there() == want, (there(), want)
    d = tree.daemon
    d.stop()
    d.start()
    assert there() == want, ("saved", there(), want)


def rounds(tree, which, number):
    """[(name, what was noticed against the table, when)]"""
    found, began = [], time.monotonic()
    for i, victims in enumerate(which):
        late = time.monotonic() - began > SAMPLE_S
        if not ROUNDS and not ONLY and late and i >= len(VICTIMS):
            break
        name, now = name_of(victims, number), time.monotonic()
        try:
            found.append((name, *hit(tree, victims, number)))
        except BaseException:
            print("    in round %d, replay: sys_tree.py --seed=%d --only=%s" %
                  (i, SEED, name))
            raise
        if option("verbose") is not None:
            print("    %-20s %5.2f s %s" % (
                name, time.monotonic() - now, found[-1][1] or ""), flush=True)
    return found


def table():
    """Who may lose what, as it is asserted."""
    who = {"S": "supervisor", "C": "control", "H": "http", "P": "persist",
           "K": "keeper", "W": "worker"}
    for (what, *of), allowed in NOTICES.items():
        name = " and ".join(who.get(w, w) for w in what.split("+"))
        yield "    %-30s %s" % (
            " of ".join([name, *of]), ", ".join(
                "%s %s" % pair for pair in allowed.items()) or "nothing")
    yield "    %-30s %s" % ("any other two", "what each of both costs")


def under_load(which, number):
    print("    seed %d" % SEED)
    print("\n".join(table()))
    with Tree() as tree:
        tree.begin()
        with bt.Jitter() as jitter:  # no client may have its pipe
            tree.all_work()
            time.sleep(1)  # how long they take while nobody dies
            calm = time.monotonic()
            found = rounds(tree, which, number)
            for c in reversed(tree.clients):  # who listens, then who writes
                c.over()
        said = [c.said for c in tree.clients]
        why = [w for w, _, _ in said if w]
        assert not why, why
        print("    %d rounds, %d kinds of them" % (
            len(found), len({n for n, _, _ in found})))
        judge(found, jitter)
        show(tree, said, found, calm, jitter)
        nothing_lost(tree, said)
        tree.daemon.stop()


def test_each_and_each_pair_is_killed():
    """kill -9 of each process, and of two in the same instant, under clients
    of all kinds: nobody notices what the table does not say"""
    if ONLY and ONLY.startswith("stop:"):
        raise sysutil.Skip("--only stops")
    under_load(plan(random.Random(SEED)), signal.SIGKILL)


def test_each_is_stopped():
    """each process stands still: who is watched is killed and replaced, and
    nobody notices more than of its death"""
    if ONLY and not ONLY.startswith("stop:"):
        raise sysutil.Skip("--only kills")
    which = plan(random.Random(SEED))[:max(ROUNDS and len(VICTIMS), 1)] \
        if ONLY else [[v] for v in VICTIMS]
    under_load(which, signal.SIGSTOP)


test_each_and_each_pair_is_killed.seconds = 120 + 10 * ROUNDS
test_each_is_stopped.seconds = 180


if __name__ == "__main__":
    sysutil.run()
