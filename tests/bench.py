#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures holdfastd against the least that a Modbus server can do.

    bench.py --build DIR [--quick] [--rounds N] [--seconds S] [--json FILE]
        [memory] [tcp] [udp] [tls] [rtu] [trace] [times] [store] [library]

Names pick parts; without any, all are measured.

Every figure of throughput is a ratio: both servers take turns in the same
run (A B, B A, ...), and the median of the rounds' own ratios counts, because
the machine's speed is unknown and changes. Rounds during which somebody else
kept a CPU busy are left out as long as three are left. Exits 0 whatever the
figures are, 1 if a request failed or nothing could be measured.
"""
import argparse
import json
import os
import platform
import sys

parser = argparse.ArgumentParser(description="measure holdfastd")
parser.add_argument("--build", default=None)
parser.add_argument("--quick", action="store_true", help="about 20 s")
parser.add_argument("--rounds", type=int)
parser.add_argument("--seconds", type=float, help="of one measurement")
parser.add_argument("--kills", type=int)
parser.add_argument("--json", metavar="FILE", help="figures as JSON; - stdout")
parser.add_argument("part", nargs="*", help="what to measure; all of it")
opts = parser.parse_args()
if opts.build:
    os.environ["HOLDFAST_BUILD"] = opts.build
sys.dont_write_bytecode = True
import bench_servers as servers  # noqa: E402  (they read the environment)
import bench_tools as bt  # noqa: E402

ROUNDS = opts.rounds or (3 if opts.quick else 7)
SECONDS = opts.seconds or (0.25 if opts.quick else 0.8)
KILLS = opts.kills or (10 if opts.quick else 50)
IDLE = (100, 1000) if opts.quick else (1000, 5000)
IDLE_TLS = (20, 120) if opts.quick else (100, 600)  # handshakes take time
CONNS = 6000  # the most that a measurement needs
BUSY = 0.15  # CPUs that others may use in a round that counts

FC3 = {"fc": 3, "count": 125}
FC16 = {"fc": 16, "count": 10}
ONE = {"conns": 1}
EIGHT = {"conns": 8}
MANY = {"conns": 64}
DEEP = {"conns": 8, "depth": 16}
ALONE = {"conns": 1, "same_cpu": True}
READ = {"count": 125}
SHAKE = {"load": "bench_load_shake", "conns": 8}

# what is measured of a wire: name, options of the load, least ratio of the
# rates, most of CPU time
POINTS = {
    "tcp": [
        ("FC3x125   1x1, one CPU", {**FC3, **ALONE}, 0.95, None),
        ("FC3x125   8x1", {**FC3, **EIGHT}, 0.90, 1.15),
        ("FC3x125  64x1", {**FC3, **MANY}, 0.95, None),
        ("FC3x125   8x16", {**FC3, **DEEP}, 0.85, None),
        ("FC16x10   8x1", {**FC16, **EIGHT}, 0.85, None),
        ("FC16x10   8x16", {**FC16, **DEEP}, 0.60, None),
    ],
    "udp": [
        ("FC3x125   1x1, one CPU", {**READ, **ALONE}, 0.90, None),
        ("FC3x125   8x1", {**READ, **EIGHT}, 0.90, None),
        ("FC3x125  64x1", {**READ, **MANY}, 0.90, 1.15),
        ("FC3x125   8x16", {**READ, **DEEP}, 0.90, None),
    ],
    "tls": [
        ("FC3x125   8x1", {**FC3, **EIGHT}, 0.90, 1.15),
        ("FC3x125   8x16", {**FC3, **DEEP}, 0.90, None),
        ("full handshakes", SHAKE, None, 1.15),
        # ours verifies a resumed session's certificate once more, for it may
        # have been revoked; the bare server does not
        ("resumed handshakes", {**SHAKE, "resume": True}, None, None),
    ],
}
FAIR = ("FC3x125  64x1", "FC3x125   8x16")
BAUDS = (19200, 115200)
# calls of the library: the most that they take, in bare pairs of sem_wait() and
# sem_post()
LIBRARY = {"read of 125": 3, "read of 125, attached": 3, "read of a name": 4,
           "write of 1": 7, "write of 123": 14, "write of 123, attached": 14}
ABOVE_T35_US = 300

# options of the load, most system calls per request
CALLS = {
    "tcp": [("1x1", ONE, 3.1), ("8x1", EIGHT, 2.3), ("8x16", DEEP, 0.2)],
    "udp": [("1x1", ONE, 3.1), ("8x1", EIGHT, 3.1), ("8x16", DEEP, 0.5)],
    "tls": [("1x1", ONE, 3.1), ("8x1", EIGHT, 2.3), ("8x16", DEEP, 0.2)],
}

failures = []
lost = {}  # datagrams without an answer, by name of the server
rows = []
section = [""]


def say(text):
    print(text, file=sys.stderr if opts.json == "-" else sys.stdout,
          flush=True)


def head(text):
    section[0] = text.partition(",")[0]
    say("\n%-38s %10s %10s %6s  %-8s %s" % (
        text, "holdfastd", "bare", "ratio", "goal", "met"))


def row(name, ours, bare=None, ratio=None, least=None, most=None):
    """One line. A goal is for the ratio where there is one, else for ours."""
    value = ours if ratio is None else ratio
    met, goal = None, ""
    if least is not None:
        met, goal = value >= least, ">= %g" % least
    if most is not None:
        met, goal = value <= most, "<= %g" % most
    rows.append({"section": section[0], "name": " ".join(name.split()),
                 "holdfastd": ours,
                 "bare": bare, "ratio": ratio, "goal": goal, "met": met})
    say("%-38s %10s %10s %6s  %-8s %s" % (
        name, short(ours), short(bare), short(ratio), goal,
        {True: "yes", False: "NO", None: ""}[met]))


def short(v):
    if v is None:
        return ""
    if v >= 999500:
        return "%.2fM" % (v / 1e6)
    return "%.1fk" % (v / 1e3) if v >= 10000 else "%.4g" % v


def rounds(sides, options):
    """Rounds of one point: [{name: figures}], the busy ones left out."""
    got = []
    for i in range(ROUNDS):
        one = {s.name: bt.measure(s, seconds=SECONDS, **options)
               for s in (sides if i % 2 == 0 else sides[::-1])}
        for name, result in one.items():
            lost[name] = lost.get(name, 0) + result["lost"]
            if result["errors"]:
                failures.append("%s: %d errors" % (name, result["errors"]))
        # on a machine busy elsewhere a short round may pass without a reply
        if all(r["requests"] for r in one.values()):
            got.append(one)
    if not got:
        raise SystemExit("bench: no round in which all were served")
    quiet = [one for one in got
             if max(r["other"] for r in one.values()) < BUSY]
    return quiet if len(quiet) >= 3 else got


def pairs(ours, bares, options):
    """The same as [(ours, bare)]. Of several bare servers the one that most
    often serves most is the measure."""
    got = rounds([ours, *bares], options)
    best = max(bares, key=lambda b: bt.median([
        one[b.name]["rps"] for one in got])).name
    return [(one[ours.name], one[best]) for one in got]


def ratio(got, key):
    return bt.median([a[key] / b[key] for a, b in got])


def both(got, key):
    return (bt.median([a[key] for a, _ in got]),
            bt.median([b[key] for _, b in got]))


def compare(name, got, key, **goal):
    a, b = both(got, key)
    row(name, a, b, ratio(got, key), **goal)


def throughput(kind, ours, bares):
    results = {}
    head("%s: requests a second" % kind)
    for name, options, least, _ in POINTS[kind]:
        got = results[name] = pairs(ours, bares, options)
        compare(name, got, "rps", least=least)
    head("%s: server CPU per request, us" % kind)
    for name, _, _, most in POINTS[kind]:
        compare(name, results[name], "c_us", most=most)
    head("%s: latency, us" % kind)
    for name, got in results.items():
        for key in ("p50", "p99", "p999"):
            compare(name.ljust(24) + key, got, key)
    fair = [name for name in FAIR if name in results]
    if fair:
        head("%s: fairness: p99/p50" % kind)
    for name in fair:
        a, b = (bt.median([x["p99"] / x["p50"] for x in side])
                for side in zip(*results[name]))
        row(name, a, b, most=3.5)


def open_loop(ours, bare):
    head("tcp: 20000 requests a second, never waiting")
    got = pairs(ours, [bare], {**FC3, **EIGHT, "rate": 20000})
    compare("p50, us", got, "p50", most=1.3)
    compare("p99, us", got, "p99")


def beside_idle(ours):
    """Is the working of 8 connections any slower beside many idle ones?"""
    head("tcp: beside idle connections")
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone.append(bt.measure(ours, seconds=SECONDS, **FC3, **EIGHT))
        beside.append(bt.measure(ours, seconds=SECONDS, open_idle=IDLE[1],
                                 **FC3, **EIGHT))
    row("8x1 beside %d idle ones, requests/s" % IDLE[1],
        bt.median([b["rps"] for b in beside]), None,
        bt.median([b["rps"] / a["rps"] for a, b in zip(alone, beside)]),
        least=0.95)


def calls(kind, ours, bares):
    head("%s: system calls per request" % kind)
    for name, options, most in CALLS[kind]:
        load = {"seconds": 1, "least": 200, **READ, **options}
        a, by_name = bt.syscalls(ours, **load)
        b = min(bt.syscalls(bare, **load)[0] for bare in bares)
        row("FC3x125  " + name, a, b, most=most)
        rows[-1]["calls"] = by_name


def tcp():
    with servers.Ours(max_connections=CONNS) as ours, \
            servers.Bare() as bare:
        throughput("tcp", ours, [bare])
        beside_idle(ours)
        open_loop(ours, bare)
        calls("tcp", ours, [bare])


def udp():
    with servers.Udp() as wire, servers.Ours(wire) as ours, \
            servers.Bare(wire, "batch") as batch, \
            servers.Bare(wire, "single") as single:
        throughput("udp", ours, [batch, single])
        calls("udp", ours, [batch, single])
        row("(datagrams that the system lost)", lost[ours.name],
            lost[batch.name] + lost[single.name])


def tls():
    with servers.Tls() as wire, servers.Ours(wire) as ours, \
            servers.Bare(wire) as bare:
        throughput("tls", ours, [bare])
        calls("tls", ours, [bare])
        row("an idle connection, bytes", bt.idle_bytes(ours, *IDLE_TLS),
            bt.idle_bytes(bare, *IDLE_TLS), most=12288)


def rtu():
    """How long after the request the reply begins, the t3.5 that the line
    must be silent left out."""
    head("rtu: turnaround above t3.5, us")
    for baud in BAUDS:
        with servers.Line(baud) as a, servers.Line(baud) as b, \
                servers.Ours(a) as ours, servers.Bare(b) as bare:
            got = pairs(ours, [bare], {"count": 10})
            row("%6d Bd  (t3.5 itself)" % baud, bt.t35_us(baud))
            row("%6d Bd  p50" % baud, *both(got, "p50"),
                most=ABOVE_T35_US)
            compare("%6d Bd  p99" % baud, got, "p99")
            compare("%6d Bd  server CPU per request" % baud, got, "c_us")


def memory():
    head("memory, without register pages")
    with servers.Ours(max_connections=CONNS) as ours, \
            servers.Bare() as bare:
        row("supervisor before clients, KiB",
            bt.resident(ours.daemon.pid) / 1024, most=4096)
        row("worker before clients, KiB", bt.resident(ours.pid) / 1024,
            bt.resident(bare.pid) / 1024, most=6144)
        row("an idle connection, bytes", bt.idle_bytes(ours, *IDLE),
            bt.idle_bytes(bare, *IDLE), most=512)


def trace():
    """What keeping the frames costs: beside a daemon that does not."""
    with servers.Ours(max_connections=CONNS) as on, \
            servers.Ours(max_connections=CONNS, trace=False) as off:
        off.name = "holdfastd without"
        results = {name: pairs(on, [off], options)
                   for name, options, _, _ in POINTS["tcp"]}
    for title, key, goal in (
            ("trace on, off: requests a second", "rps", {"least": 0.95}),
            ("trace on, off: server CPU per request, us", "c_us",
             {"most": 1.05})):
        head(title)
        for name, got in results.items():
            compare(name, got, key, **goal)


def times():
    head("times, ms")
    quick = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}
    with bt.Daemon(bt.bench_conf(restart=quick)) as daemon:
        starts = [bt.start_ms(daemon) for _ in range(5)]
        row("start to ready, median of 5", bt.median(starts), most=100)
        with bt.Jitter() as jitter, \
                bt.Busy(daemon.port("tcp1"), conns=8, verify=True) as busy:
            kills = [bt.kill_once(daemon)[0] for _ in range(KILLS)]
        if busy.result["errors"]:
            failures.append("load under kills: %r" % busy.result)
    row("kill -9 to next reply, p50 of %d" % KILLS, bt.median(kills), most=50)
    row("kill -9 to next reply, p99", bt.percentile(kills, 0.99), most=50)
    row("(this machine's own lateness, p99)", jitter.ms(0.99))
    row("(... and worst)", jitter.ms(1))


def store():
    """The store alone, by its own program."""
    say("\nthe store, one call: median [range]")
    done = bt.subprocess.run([bt.tool("bench_store"), "5"], text=True,
                             stdout=bt.subprocess.PIPE, check=True)
    for line in done.stdout.splitlines():
        say(line)
    return done.stdout.splitlines()


def library():
    """Calls of the library, beside a bare pair of semaphore calls."""
    head("library, ns a call (bare: wait and post)")
    done = bt.subprocess.run(
        [bt.tool("bench_library"), os.path.join(bt.BUILD, "libholdfast.so"),
         "9" if opts.quick else "25"],
        text=True, stdout=bt.subprocess.PIPE, check=True)
    ns = {name: float(value) for name, value in
          (line.split("\t") for line in done.stdout.splitlines())}
    pair = ns.pop("sem_wait and sem_post")
    for name, value in ns.items():
        row(name, value, pair, value / pair, most=LIBRARY.get(name))
    row("read of 125 registers, ns", ns["read of 125"], most=200)
    row("write of 123 registers, ns", ns["write of 123"], most=400)


PARTS = {"memory": memory, "tcp": tcp, "udp": udp, "tls": tls, "rtu": rtu,
         "trace": trace, "times": times, "store": store, "library": library}


def main():
    unknown = [p for p in opts.part if p not in PARTS]
    if unknown:
        parser.error("%s? There are: %s" % (unknown[0], " ".join(PARTS)))
    say("%s, %d CPUs, Linux %s; %d rounds of %g s" % (
        platform.machine(), len(bt.CPUS), platform.release(), ROUNDS,
        SECONDS))
    said = {name: PARTS[name]() for name in opts.part or PARTS}
    figures = {"figures": rows, "store": said.get("store", []), "failures": failures}
    missed = ["%(section)s: %(name)s" % r for r in rows if r["met"] is False]
    say("\n%d goals met, %d missed%s" % (
        sum(r["met"] is True for r in rows), len(missed),
        "".join("\n  missed: " + m for m in missed)))
    for why in failures:
        say("FAILED: " + why)
    if opts.json:
        text = json.dumps({**figures, "missed": missed}, indent=1)
        if opts.json == "-":
            print(text)
        else:
            with open(opts.json, "w") as f:
                f.write(text + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
