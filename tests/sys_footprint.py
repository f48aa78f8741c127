#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What holdfastd may cost: time to start, memory, system calls. These figures
depend little on the machine, so they are demanded and not only reported."""
import contextlib
import os
import shutil
import socket
import struct
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import bench_servers as servers  # noqa: E402
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from sysutil import BUILD, Daemon, Modbus, Skip  # noqa: E402

MIB = 1 << 20
FC3 = {"fc": 3, "count": 125}


def plain_build():
    if bt.sanitized():
        raise Skip("a sanitizer's own costs would be measured")


def test_starts_within_100_ms():
    "from its start until it serves, less than 100 ms pass (median of 9)"
    plain_build()
    with Daemon(sysutil.demo_conf()) as d:
        times = [bt.start_ms(d) for _ in range(9)]
    print("    ms: " + " ".join("%.1f" % t for t in sorted(times)))
    assert bt.median(times) < 100 * bt.pace(), times


def test_memory_before_the_first_client():
    "a supervisor stays under 4 MiB and a worker under 6 MiB, without registers"
    plain_build()
    with Daemon(sysutil.demo_conf()) as d:
        parent, worker = bt.resident(d.pid), bt.resident(d.child("tcp1"))
        control = bt.resident(d.child("control"))
        print("    KiB: supervisor %d, worker %d (control %d)" % (
            parent / 1024, worker / 1024, control / 1024))
        assert parent < 4 * MIB, parent
        assert worker < 6 * MIB, worker


def test_registers_of_other_transports_cost_nothing():
    "a worker maps the devices that it serves and no others"
    conf = sysutil.demo_conf()
    conf["devices"]["big"] = {
        "holding_registers": [{"addr": 0, "count": 65536}]}
    with Daemon(conf) as d:
        with open("/proc/%d/maps" % d.child("tcp1")) as f:
            text = f.read()
        assert ".device.plc1" in text and ".device.big" not in text, text


def test_memory_of_an_idle_connection():
    "an idle connection costs a worker no more than 512 bytes"
    plain_build()
    with servers.Ours(max_connections=6000) as ours:
        each = bt.idle_bytes(ours, 500, 4500)
        print("    %.0f bytes" % each)
        assert each <= 512, each


def test_memory_of_an_idle_tls_connection():
    "an idle TLS connection costs a worker no more than 12 KiB"
    plain_build()
    with servers.Tls() as wire, servers.Ours(wire) as ours:
        each = bt.idle_bytes(ours, 50, 450)
        print("    %.0f bytes" % each)
        assert each <= 12 * 1024, each


def test_memory_does_not_grow_with_use():
    "a hundred thousand requests leave a worker as large as the first ones"
    plain_build()
    with servers.Ours() as ours:
        bt.load(ours, conns=64, depth=16, seconds=0.3, **FC3)
        before = bt.resident(ours.pid)
        served = 0
        while served < 100000:
            got = bt.load(ours, conns=64, depth=16, seconds=1, **FC3)
            assert not got["errors"], got
            served += got["served"]
        for _ in range(200):
            with Modbus(ours.place) as m:
                m.read_hr(0, 1)
        after = bt.resident(ours.pid)
        print("    KiB: %d, then %d" % (before / 1024, after / 1024))
        assert after - before < 64 * 1024, (before, after)


def test_memory_does_not_grow_with_handshakes():
    "hundreds of TLS sessions, new and resumed, leave nothing behind"
    plain_build()
    with servers.Tls() as wire, servers.Ours(wire) as ours:
        def use(seconds):
            n = 0
            for resume in (False, True):
                got = bt.load(ours, load="bench_load_shake", resume=resume,
                              seconds=seconds)
                assert not got["errors"], got
                n += got["served"]
            return n

        use(0.2)
        before = bt.resident(ours.pid)
        n = use(0.7)
        while n <= 50:
            n += use(0.7)
        after = bt.resident(ours.pid)
        print("    %d sessions, KiB: %d, then %d" % (
            n, before / 1024, after / 1024))
        assert after - before < 128 * 1024 + 100 * n, (n, before, after)


class Counts:
    """A daemon under tests/preload/count.c: what its processes allocate, and
    which locks they take."""

    PIDS = 65536
    EACH = struct.Struct("QQ")

    def __init__(self, **transport):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(self.PIDS * self.EACH.size)
        conf = sysutil.demo_conf()
        conf["transports"]["tcp1"].update(transport)
        self.daemon = Daemon(conf, env={
            "LD_PRELOAD": os.path.join(BUILD, "tests", "preload", "count.so"),
            "HOLDFAST_COUNTS": self.file.name})
        self.worker = self.daemon.child("tcp1")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.daemon.__exit__(*why)
        self.file.close()

    def now(self, pid):
        """(allocations, locks) of a process so far"""
        return self.EACH.unpack(os.pread(
            self.file.fileno(), self.EACH.size,
            pid % self.PIDS * self.EACH.size))

    def of(self, use):
        """What use() costs the worker."""
        before = self.now(self.worker)
        use()
        return tuple(b - a for a, b in zip(before, self.now(self.worker)))


class Datagrams(Modbus):
    """The same client over UDP."""

    def __init__(self, port):
        self.unit, self.tid = 1, 0
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.settimeout(100)
        self.socket.connect(("127.0.0.1", port))

    def receive(self):
        adu = self.socket.recv(1000)
        tid, _, length, unit = struct.unpack(">HHHB", adu[:7])
        assert length + 6 == len(adu), adu
        return tid, unit, adu[7:]


READS = [struct.pack(">BHH", fc, 0, n) for fc, n in (
    (1, 2000), (2, 64), (3, 125), (4, 8))]


def reading_costs_nothing(counts, m, send_many):
    """Reads through a client, one after the other and many at once, and
    writes: only a write may take a lock, and nothing may allocate."""
    def read():
        for _ in range(500):
            for pdu in READS:
                assert m.request(pdu)[0] == pdu[0]

    def read_many_at_once():
        for _ in range(50):
            send_many([m.adu(pdu) for pdu in READS * 10])
            for _ in range(40):
                m.receive()

    def write():
        for i in range(500):
            m.write_hr(0, [i] * 100)

    assert counts.now(counts.daemon.pid)[0] > 100, "the counting does not work"
    m.read_hr(0, 1)
    assert counts.of(read) == (0, 0), counts.of(read)
    assert counts.of(read_many_at_once) == (0, 0), counts.of(
        read_many_at_once)
    allocations, locks = counts.of(write)
    assert allocations == 0 and locks >= 500, (allocations, locks)


def test_reading_allocates_and_locks_nothing():
    "a request that reads allocates nothing and takes no lock; a write locks"
    plain_build()
    with Counts() as c, Modbus(c.daemon.port("tcp1")) as m:
        reading_costs_nothing(c, m, lambda adus: m.send(b"".join(adus)))


def test_reading_by_datagram_allocates_and_locks_nothing():
    "a datagram that reads allocates nothing and takes no lock either"
    plain_build()
    with Counts(type="udp") as c, Datagrams(c.daemon.port("tcp1")) as m:
        reading_costs_nothing(
            c, m, lambda adus: [m.send(adu) for adu in adus])


def test_new_peers_allocate_nothing():
    "nor does one from somebody who has not asked before"
    plain_build()
    with Counts(type="udp") as c:
        def use():
            for _ in range(400):  # more than have a record
                with Datagrams(c.daemon.port("tcp1")) as m:
                    m.read_hr(0, 1)

        use()
        allocations, _ = c.of(use)
        assert allocations == 0, allocations


def test_connections_allocate_nothing():
    "a connection that comes and goes allocates nothing either"
    plain_build()
    with Counts() as c:
        def use():
            for _ in range(100):
                with Modbus(c.daemon.port("tcp1")) as m:
                    m.read_hr(0, 1)

        use()
        allocations, _ = c.of(use)
        print("    %d allocations for 100 connections" % allocations)
        assert allocations == 0, allocations


def calls_per_request(most, wire=servers.Tcp, **options):
    """Demands it, and returns the calls by name. A machine that does other
    things meanwhile lets fewer requests come together: the best of some tries
    counts."""
    plain_build()
    assert shutil.which("strace"), "strace is not installed"
    with wire() as w, servers.Ours(w) as ours:
        for _ in range(10):
            calls, by_name = bt.syscalls(ours, **{
                "seconds": 1, "count": 125, **options})
            if calls <= most:
                break
    print("    %.3f: %s" % (calls, ", ".join(
        "%s %.3f" % item for item in sorted(
            by_name.items(), key=lambda i: -i[1])[:6])))
    assert calls <= most, (calls, by_name)
    return by_name


def test_system_calls_of_one_client():
    "one client: at most 3.1 system calls per request"
    calls_per_request(3.1, conns=1)


def test_system_calls_of_eight_clients():
    "eight clients: at most 2.3 system calls per request"
    calls_per_request(2.3, conns=8)


def test_system_calls_of_eight_deep_clients():
    "eight clients with sixteen outstanding: at most 0.2 system calls each"
    calls_per_request(0.2, conns=8, depth=16)


def test_system_calls_of_a_datagram():
    "one client over UDP: at most 3.1 system calls per request"
    calls_per_request(3.1, servers.Udp, conns=1)


def test_system_calls_of_many_datagrams():
    """many datagrams at once: one system call takes them, one answers them
    all"""
    calls = calls_per_request(0.25, servers.Udp, conns=8, depth=16,
                              seconds=0.5)
    # once for the first peer: when it is to be forgotten
    calls.pop("timerfd_settime", None)
    # once a second: the clock, and whether the channel is another one
    assert set(calls) <= {"recvmmsg", "sendmmsg", "epoll_wait", "read",
                          "newfstatat"}, calls
    # a batch is taken by one call, and answered by one
    assert calls["sendmmsg"] <= calls["recvmmsg"] <= 0.15, calls


def test_system_calls_of_a_tls_client():
    "one client over TLS: no more system calls per request than without"
    calls_per_request(3.1, servers.Tls, conns=1, seconds=0.5, least=200)


def test_system_calls_of_eight_deep_tls_clients():
    """eight clients over TLS with sixteen outstanding: no more system calls
    than without"""
    calls_per_request(0.2, servers.Tls, conns=8, depth=16, seconds=0.5)


def test_system_calls_on_a_line():
    """a request on a serial line: at most 10 system calls, for it is also
    waited for"""
    calls_per_request(10, lambda: servers.Line(115200), seconds=0.5, count=10,
                      least=50)


def idle_ms(pid):
    """CPU time that a process takes in a second without requests."""
    used = bt.cpu_ns(pid)
    time.sleep(1)  # what is measured is this time, in which nothing happens
    return (bt.cpu_ns(pid) - used) / 1e6


def test_an_idle_line_costs_nothing():
    "who waits at a serial line does nothing meanwhile, nor if it is lost"
    plain_build()
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(servers.Line(19200))
        ours = stack.enter_context(servers.Ours(line))
        got = bt.load(ours, seconds=0.1, count=10)
        assert got["served"] and not got["errors"], got
        idle = idle_ms(ours.pid)
        line.unplug()
        ours.daemon.wait_stderr("line lost")
        lost = idle_ms(ours.pid)
    print("    ms in a second: %.2f, lost %.2f" % (idle, lost))
    pace = bt.pace()
    assert idle < 3 * pace and lost < 10 * pace, (idle, lost)


def test_system_calls_of_writing():
    "a write costs no more system calls than a read"
    plain_build()
    calls_per_request(0.2, conns=8, depth=16, fc=16, count=10)


if __name__ == "__main__":
    sysutil.run()
