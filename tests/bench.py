#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures holdfastd against the least that a Modbus/TCP server can do.

    bench.py --build DIR [--quick] [--rounds N] [--seconds S] [--json FILE]

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
opts = parser.parse_args()
if opts.build:
    os.environ["HOLDFAST_BUILD"] = opts.build
sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402  (it reads the environment)

ROUNDS = opts.rounds or (3 if opts.quick else 7)
SECONDS = opts.seconds or (0.25 if opts.quick else 0.8)
KILLS = opts.kills or (10 if opts.quick else 50)
IDLE = (100, 1000) if opts.quick else (1000, 5000)
CONNS = 6000  # the most that a measurement needs
BUSY = 0.15  # CPUs that others may use in a round that counts

FC3 = {"fc": 3, "count": 125}
FC16 = {"fc": 16, "count": 10}
ONE = {"conns": 1}
EIGHT = {"conns": 8}
MANY = {"conns": 64}
DEEP = {"conns": 8, "depth": 16}

# name, options of the load, least ratio of the rates
POINTS = [
    ("FC3x125   1x1, one CPU", {**FC3, **ONE, "same_cpu": True}, 0.95),
    ("FC3x125   8x1", {**FC3, **EIGHT}, 0.90),
    ("FC3x125  64x1", {**FC3, **MANY}, 0.95),
    ("FC3x125   8x16", {**FC3, **DEEP}, 0.85),
    ("FC16x10   8x1", {**FC16, **EIGHT}, 0.85),
    ("FC16x10   8x16", {**FC16, **DEEP}, 0.60),
]
CALLS = [("1x1", ONE, 3.1), ("8x1", EIGHT, 2.3), ("8x16", DEEP, 0.2)]

failures = []
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


def pairs(ours, bare, options):
    """Rounds of one point: [(ours, bare)], the busy ones left out."""
    got = []
    for i in range(ROUNDS):
        order = (ours, bare) if i % 2 == 0 else (bare, ours)
        one = {s.name: bt.measure(s, seconds=SECONDS, **options)
               for s in order}
        for name, result in one.items():
            if result["errors"]:
                failures.append("%s: %d errors" % (name, result["errors"]))
        # on a machine busy elsewhere a short round may pass without a reply
        if all(r["requests"] for r in one.values()):
            got.append((one[ours.name], one[bare.name]))
    if not got:
        raise SystemExit("bench: no round in which both were served")
    quiet = [p for p in got if max(p[0]["other"], p[1]["other"]) < BUSY]
    return quiet if len(quiet) >= 3 else got


def ratio(got, key):
    return bt.median([a[key] / b[key] for a, b in got])


def both(got, key):
    return (bt.median([a[key] for a, _ in got]),
            bt.median([b[key] for _, b in got]))


def compare(name, got, key, **goal):
    a, b = both(got, key)
    row(name, a, b, ratio(got, key), **goal)


def throughput(ours, bare):
    results = {}
    head("requests a second")
    for name, options, least in POINTS:
        got = results[name] = pairs(ours, bare, options)
        compare(name, got, "rps", least=least)
    head("server CPU per request, us")
    for name, got in results.items():
        compare(name, got, "c_us",
                most=1.15 if "FC3" in name and "8x1 " in name + " " else None)
    head("latency, us")
    for name, got in results.items():
        for key in ("p50", "p99", "p999"):
            compare(name.ljust(24) + key, got, key)
    head("fairness: p99/p50")
    for name, got in results.items():
        if "64x1" in name or "FC3x125   8x16" in name:
            a, b = (bt.median([x["p99"] / x["p50"] for x in side])
                    for side in zip(*got))
            row(name, a, b, most=3.5)


def open_loop(ours, bare):
    head("20000 requests a second, never waiting")
    got = pairs(ours, bare, {**FC3, **EIGHT, "rate": 20000})
    compare("p50, us", got, "p50", most=1.3)
    compare("p99, us", got, "p99")


def beside_idle(ours):
    """Is the working of 8 connections any slower beside many idle ones?"""
    head("beside idle connections")
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone.append(bt.measure(ours, seconds=SECONDS, **FC3, **EIGHT))
        beside.append(bt.measure(ours, seconds=SECONDS, open_idle=IDLE[1],
                                 **FC3, **EIGHT))
    row("8x1 beside %d idle ones, requests/s" % IDLE[1],
        bt.median([b["rps"] for b in beside]), None,
        bt.median([b["rps"] / a["rps"] for a, b in zip(alone, beside)]),
        least=0.95)


def calls(ours, bare):
    head("system calls per request")
    for name, options, most in CALLS:
        a, by_name = bt.syscalls(ours, seconds=1, **FC3, **options)
        b, _ = bt.syscalls(bare, seconds=1, **FC3, **options)
        row("FC3x125  " + name, a, b, most=most)
        rows[-1]["calls"] = by_name


def memory(ours, bare):
    head("memory, without register pages")
    row("supervisor before clients, KiB",
        bt.resident(ours.daemon.pid) / 1024, most=4096)
    row("worker before clients, KiB", bt.resident(ours.pid) / 1024,
        bt.resident(bare.pid) / 1024, most=6144)
    row("an idle connection, bytes", bt.idle_bytes(ours, *IDLE),
        bt.idle_bytes(bare, *IDLE), most=512)


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


def main():
    say("%s, %d CPUs, Linux %s; %d rounds of %g s" % (
        platform.machine(), len(bt.CPUS), platform.release(), ROUNDS,
        SECONDS))
    with bt.Ours(conns=CONNS) as ours, bt.Bare() as bare:
        memory(ours, bare)
        throughput(ours, bare)
        beside_idle(ours)
        open_loop(ours, bare)
        calls(ours, bare)
    times()
    figures = {"figures": rows, "store": store(), "failures": failures}
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
