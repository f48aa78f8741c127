#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Values that make themselves on a clock: what each action says against its
formula, who hears of it, and what becomes of it when processes die."""

import json
import math
import os
import signal
import struct
import time

import zmq

import bench_tools as bt
import sysutil
from sysutil import Daemon, Modbus, RpcError, wait_for

MS = 20


def on(addr, action, period_ms=MS, **more):
    """A range that an action sets."""
    action = {"name": action} if isinstance(action, str) else dict(action)
    if period_ms:
        action.setdefault("period_ms", period_ms)
    return {"addr": addr, "action": action, **more}


# seconds since the start of the daemon, exactly, as of which all else is made
SECONDS = on(0, {"name": "ramp", "max": 1e6, "period_s": 1e6},
             type="float64", access="ro")


def conf(*ranges, **more):
    return {"devices": {"d": {"holding_registers": [SECONDS, *ranges],
                              **more}},
            "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0"}}}


def f64(regs):
    return struct.unpack(">d", struct.pack(">4H", *regs))[0]


def i16(reg):
    return reg - 65536 if reg > 32767 else reg


def samples(m, n, want):
    """n pictures of n registers, each of another time."""
    seen = []
    end = time.monotonic() + 200
    while len(seen) < n:
        assert time.monotonic() < end, f"only {len(seen)} of {n}"
        regs = m.read_hr(0, want)
        if not seen or regs[:4] != seen[-1][:4]:
            seen.append(regs)
        time.sleep(0.004)
    return seen


def half_up(x):
    return math.floor(x + 0.5)


def frac(x):
    return x - math.floor(x)


def test_wave_forms_are_what_their_formulas_say():
    """ramp, sine, square and replay, of any type and order, at the times that
    they are due"""
    d = Daemon(conf(
        on(4, {"name": "ramp", "min": 10, "max": 20, "period_s": 0.7,
               "phase": 0.25}, type="float64"),
        on(8, {"name": "ramp", "min": -5, "max": 7, "step": 4,
               "period_s": 0.9}, type="int16"),
        on(9, {"name": "sine", "offset": -3, "amplitude": 20000,
               "period_s": 1.1, "phase": 0.5}, type="int16"),
        on(10, {"name": "square", "min": 3, "max": 9, "duty": 0.3,
                "period_s": 0.5}),
        on(11, {"name": "sine", "offset": 0, "amplitude": 1e5},
           type="int32", order="dcba"),
        # clamped: more than the type has room for
        on(13, {"name": "sine", "offset": 0, "amplitude": 1e5,
                "period_s": 1.0}),
        on(14, {"name": "replay", "file": "r.csv", "interpolation": "linear"},
           type="float64"),
        on(18, {"name": "replay", "file": "r.csv", "end": "hold"}),
        on(19, {"name": "sine", "offset": 0, "amplitude": 2.5,
                "period_s": 3}, type="float32", order="cdab"),
        coils=[on(0, {"name": "square", "period_s": 0.4}, count=11)]),
        ready=False)
    with d:
        start_with(d, {"r.csv": "t,v\n10,1\n10.5,2\n11,-4\n11.6,1\n"})
        with d:
            with Modbus(d.port("tcp1")) as m:
                for regs in samples(m, 60, 21):
                    check_waves(regs)
                assert m.read_co(0, 11) in ([0] * 11, [1] * 11)


def start_with(d, files):
    """Starts a daemon again with files beside its configuration."""
    d.wait()
    for name, text in files.items():
        with open(os.path.join(d.dir, name), "w") as f:
            f.write(text)
    d.start()


def check_waves(regs):
    t = f64(regs[0:4])
    n = t / (MS / 1000)
    assert abs(n - round(n)) < 1e-6, t  # at whole multiples, no drift
    assert abs(f64(regs[4:8]) - (10 + 10 * frac(t / 0.7 + 0.25))) < 1e-9
    assert i16(regs[8]) == -5 + 4 * math.floor(4 * frac(t / 0.9)), (t, regs)
    want = half_up(-3 + 20000 * math.sin(2 * math.pi * (t / 1.1 + 0.5)))
    assert abs(i16(regs[9]) - want) <= 1, (t, regs[9], want)
    assert regs[10] == (9 if frac(t / 0.5) < 0.3 else 3), (t, regs)
    got = struct.unpack("<i", struct.pack(">2H", *regs[11:13]))[0]
    want = half_up(1e5 * math.sin(2 * math.pi * t / 60))
    assert abs(got - want) <= 1, (t, got, want)
    want = min(65535, max(0, half_up(1e5 * math.sin(2 * math.pi * t))))
    assert abs(regs[13] - want) <= 1, (t, regs[13], want)
    rows = [(0, 1), (0.5, 2), (1, -4), (1.6, 1)]
    at = t % 1.6
    (a, x), (b, y) = next(p for p in zip(rows, rows[1:]) if at < p[1][0])
    assert abs(f64(regs[14:18]) - (x + (at - a) / (b - a) * (y - x))) < 1e-6
    held = [v for s, v in rows if s <= t + 1e-9][-1]
    assert regs[18] == max(held, 0), (t, regs[18])
    got = struct.unpack(">f", struct.pack(">2H", regs[20], regs[19]))[0]
    assert abs(got - 2.5 * math.sin(2 * math.pi * t / 3)) < 1e-5, (t, got)


def test_seconds_are_those_of_the_clock():
    """no drift: the time that wave forms go by is that of the machine"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        samples(m, 2, 4)

        def offset():
            """The clock, and this process, may be late, and never early."""
            found = []
            for _ in range(20):
                samples(m, 2, 4)
                found.append(f64(m.read_hr(0, 4)) - time.monotonic())
            return max(found)
        before, began = offset(), time.monotonic()
        while time.monotonic() < began + 1.5:
            now = offset()
        # nor is it late for ever
        wait_for(lambda: abs(offset() - before) < 0.25, 5, (now, before))


def test_walks_counts_and_random_values_stay_within():
    """walk, random, increment, uptime and timestamp with a period: bounds, and
    reading changes nothing"""
    with Daemon(conf(
            on(4, {"name": "walk", "min": 40, "max": 60, "step": 3},
               value=50),
            on(5, {"name": "random", "minval": 7, "maxval": 9}),
            on(6, {"name": "increment", "minval": 3, "maxval": 1000}),
            on(7, "uptime"),
            on(8, "timestamp"), {"addr": 9, "count": 6},
            on(15, {"name": "increment"}, period_ms=0))) as d:
        with Modbus(d.port("tcp1")) as m:
            seen = samples(m, 40, 15)
            for a, b in zip(seen, seen[1:]):
                turns = round((f64(b[:4]) - f64(a[:4])) * 1000 / MS)
                assert 40 <= b[4] <= 60 and abs(b[4] - a[4]) <= 3 * turns
                # a busy machine leaves some out, and never has more
                assert 1 <= b[6] - a[6] <= turns or a[6] < 3, (a, b)
            assert {r[5] for r in seen} == {7, 8, 9}
            assert len({r[4] for r in seen}) > 3
            assert seen[-1][7] == math.floor(f64(seen[-1][:4])) + 1 or (
                abs(seen[-1][7] - f64(seen[-1][:4])) < 1.5), seen[-1]
            now = time.localtime()
            assert seen[-1][8] == now.tm_year and (
                seen[-1][9] == now.tm_mon - 1), seen[-1]
            assert [m.read_hr(15) for _ in range(3)] == [[1], [2], [3]]


def test_copies_follow_and_do_not_run_away():
    """copy takes what is set at the same time, scaled, from other tables and
    devices; two that copy each other stay what the type can hold"""
    c = conf(
        on(4, {"name": "copy", "addr": 0, "scale": 2, "offset": 1},
           type="float64"),
        on(8, {"name": "copy", "addr": 9, "scale": 3}, value=1),
        on(9, {"name": "copy", "addr": 8, "scale": 3}, value=1),
        on(10, {"name": "copy", "device": "e", "table": "coils", "addr": 5},
           count=3),
        input_registers=[on(0, {
            "name": "copy", "device": "e", "table": "input_registers",
            "addr": 0}, count=8, type="uint64", order="dcba")])
    c["devices"]["e"] = {
        "coils": [{"addr": 5, "count": 3, "values": [1, 0, 1]}],
        "input_registers": [{"addr": 0, "count": 8, "type": "uint64",
                             "values": [2 ** 64 - 1, 2 ** 63 + 1]}]}
    c["transports"]["tcp1"]["units"] = {"*": "d"}
    with Daemon(c) as d, Modbus(d.port("tcp1")) as m:
        for regs in samples(m, 20, 13):
            assert abs(f64(regs[4:8]) - 2 * f64(regs[:4]) - 1) < 1e-6, regs
        wait_for(lambda: m.read_hr(8, 2) == [65535, 65535], 10, "their end")
        assert m.read_hr(10, 3) == [1, 0, 1]
        got = struct.unpack("<2Q", struct.pack(">8H", *m.read_ir(0, 8)))
        assert got == (2 ** 64 - 1, 2 ** 63 + 1), got
        assert cpu_share(d.child("clock"), 1) < 0.2 * bt.pace()


def test_what_clients_write_is_taken_along():
    """a client may write: wave forms take its place, others go on from it"""
    with Daemon(conf(
            on(4, {"name": "walk", "max": 60000, "step": 2}),
            on(5, {"name": "increment"}),
            on(6, {"name": "square", "min": 5, "max": 5}))) as d:
        with Modbus(d.port("tcp1")) as m:
            for _ in range(20):
                m.write_hr(4, [30000, 20000, 77])
                wait_for(lambda: m.read_hr(6) == [5], 5, "the square's value")
                walk, count = m.read_hr(4, 2)
                assert abs(walk - 30000) <= 2 * 500, walk
                assert 20000 <= count <= 20500, count
            try:
                m.write_hr(0, [1])
                assert False, "ro"
            except sysutil.ModbusError as e:
                assert e.code == 2


def test_clients_and_the_clock_do_not_lose_each_other():
    """a client that writes as fast as it can, and a counter: the counter counts
    from what was written, and never goes back to what was there before"""
    with Daemon(conf(on(4, {"name": "increment", "maxval": 60000},
                        period_ms=1))) as d:
        with Modbus(d.port("tcp1")) as m:
            for base in range(1000, 50000, 100):
                began = time.monotonic()
                m.write_hr(4, base)
                got = m.read_hr(4)[0]
                most = base + 3 + (time.monotonic() - began) * 1000
                assert base <= got <= most, (base, got, most)


def test_changes_are_events():
    """whoever follows the registers sees each change, by the clock"""
    with Daemon(conf(on(100, {"name": "increment"}, period_ms=50))) as d:
        ctx = zmq.Context()
        sub = ctx.socket(zmq.SUB)
        sub.setsockopt(zmq.RCVTIMEO, 100000)
        sub.subscribe(b"registers.d.holding_registers")
        sub.connect(d.events_endpoint)
        seen = []
        while len(seen) < 10:
            _, text, _ = sub.recv_multipart()
            e = json.loads(text)
            assert e["who"] == "clock", e
            if e["addr"] == 100:  # neighbours would be one change
                seen.append(e["old"] + e["new"])
        first = seen[0][0]
        assert seen == [[first + i, first + i + 1] for i in range(10)], seen
        sub.close(0)
        ctx.term()


def test_the_clock_may_be_killed():
    """kill -9 of the clock, again and again: no client notices, what belongs
    together is never seen apart, wave forms go on in their time"""
    walk = {"name": "walk", "min": 0, "max": 60000, "step": 1}
    same = [on(a, {"name": "ramp", "max": 60000, "period_s": 60},
               period_ms=2) for a in range(10, 20)]
    with Daemon(conf(on(4, walk, value=30000), *same)) as d:
        with Modbus(d.port("tcp1")) as m:
            began = time.monotonic(), f64(m.read_hr(0, 4))
            worker = d.worker_pid("tcp1")
            kills, last = 0, None
            while kills < 7:
                pid = d.child("clock")
                time.sleep(0.003 * (kills % 7))
                os.kill(pid, signal.SIGKILL)
                kills += 1

                def another():
                    regs = m.read_hr(10, 10)
                    assert len(set(regs)) == 1, regs
                    try:
                        return d.child("clock") != pid
                    except KeyError:
                        return False

                wait_for(another, 20, "a successor")
                t = f64(m.read_hr(0, 4))
                wait_for(lambda: f64(m.read_hr(0, 4)) > t, 10, "time")
            now = time.monotonic() - began[0]
            wait_for(lambda: abs(f64(m.read_hr(0, 4)) - began[1] - (
                time.monotonic() - began[0])) < 0.1, 10, "the right time")
            last = m.read_hr(4)[0]
            assert abs(last - 30000) < 60 * (now + 1), last
            assert d.worker_pid("tcp1") == worker
            aides = d.rpc("system.info")["aides"]
            assert aides["clock"] == d.child("clock"), aides


def test_it_goes_on_without_a_supervisor():
    """values go on being set while there is no supervisor, by one process at a
    time, and in the same time under the next one"""
    same = [on(a, {"name": "ramp", "max": 60000, "period_s": 60},
               period_ms=2) for a in range(10, 20)]

    def clocks(d):
        return [p for p in d._leftovers()
                if sysutil.process_title(p) == "holdfastd: clock"]

    with Daemon(conf(*same)) as d:
        with Modbus(d.port("tcp1")) as m:
            for _ in range(3):
                pid, = clocks(d)
                began = time.monotonic(), f64(m.read_hr(0, 4))
                d.orphan()
                t = f64(m.read_hr(0, 4))
                for _ in range(5):
                    wait_for(lambda: f64(m.read_hr(0, 4)) > t + 0.02, 10,
                             "time")
                    t = f64(m.read_hr(0, 4))
                    regs = m.read_hr(10, 10)
                    assert len(set(regs)) == 1, regs
                assert clocks(d) == [pid]
                os.unlink(d.ready_path)
                d.start()
                assert "taking over" in d.stderr_text()
                assert pid not in clocks(d) and len(clocks(d)) == 1
                wait_for(lambda: abs(f64(m.read_hr(0, 4)) - began[1] - (
                    time.monotonic() - began[0])) < 0.1, 10, "the right time")
        d.kill()
        assert not clocks(d)


def test_it_ends_with_the_last_worker():
    """nobody is left whom it could serve: it does not stay for ever"""
    with Daemon(conf()) as d:
        d.rpc("transports.stop", name="tcp1")
        d.orphan()
        wait_for(lambda: not list(d._leftovers()), 20, "the end of all")
        d.clean()


def test_a_reload_and_a_restart_leave_it_alone():
    """a reload, and a transport's restart, are none of the clock's business"""
    with Daemon(conf()) as d:
        pid = d.child("clock")
        d.rpc("system.reload")
        d.rpc("transports.restart", name="tcp1")
        with Modbus(d.port("tcp1")) as m:
            t = f64(m.read_hr(0, 4))
            wait_for(lambda: f64(m.read_hr(0, 4)) > t, 10, "time")
        assert d.child("clock") == pid


def test_without_a_period_there_is_no_clock():
    """the process is there only if a value is set on a clock"""
    c = conf()
    c["devices"]["d"]["holding_registers"] = [
        on(0, "increment", period_ms=0)]
    with Daemon(c) as d:
        assert "clock" not in d.rpc("system.info")["aides"]


def cpu_share(pid, seconds):
    def ticks():
        with open(f"/proc/{pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")")[1].split()[11:13]))

    before, began = ticks(), time.monotonic()
    time.sleep(seconds)  # what is measured is this time
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / (
        time.monotonic() - began)


def test_a_thousand_ranges_cost_little():
    """1000 ranges every 100 ms: little CPU, few steps, all of them set"""
    ranges = [on(10 + i, {"name": ("sine", "ramp", "walk", "random",
                                   "increment")[i % 5]}, period_ms=100)
              for i in range(1000)]
    with Daemon(conf(*ranges)) as d:
        share = cpu_share(d.child("clock"), 3)
        print(f"        1000 ranges at 100 ms: {100 * share:.2f} % of a CPU")
        assert share < 0.1 * bt.pace(), share
        read = lambda: d.rpc("registers.read", device="d", table="hr",
                             addr=10, count=1000)
        def at():
            return f64(d.rpc("registers.read", device="d", table="hr",
                             addr=0, count=4)["values"])

        a, began = read(), at()
        wait_for(lambda: at() >= began + 1 and read()["seq"] > a["seq"] + 10,
                 20, "a second of the clock")
        b, passed = read(), at() - began + 2 * MS / 1000
        # SECONDS is set 50 times a second; the thousand are some commits each
        steps = b["seq"] - a["seq"]
        assert steps < (50 + 10 * 60) * passed, (steps, passed)
        # each of five in a row has moved but for what may stand still
        moved = sum(x != y for x, y in zip(a["values"], b["values"]))
        assert moved > 700, moved


if __name__ == "__main__":
    sysutil.run()
