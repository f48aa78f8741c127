# SPDX-License-Identifier: Apache-2.0
"""How things are measured: load, CPU time, system calls, memory, delays.

Used by bench.py and by the system tests that hold the product to figures.
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import sysutil
from sysutil import BUILD, Daemon

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU = CPUS[0]
LOAD_CPU = CPUS[-1]
CONNS_MAX = 12000


def tool(name):
    return os.path.join(BUILD, "tests", name)


def sanitized():
    """Is holdfastd one that looks for its own mistakes, slow and large?"""
    with open(os.path.join(BUILD, "holdfastd"), "rb") as f:
        text = f.read()
    return b"__asan_init" in text or b"__tsan_init" in text


def pin(pid, cpu):
    """Ties a process to a CPU: measurements of two that are moved about by
    the scheduler differ for that reason alone."""
    os.sched_setaffinity(pid, {cpu})


def bench_conf(**keys):
    """One device of 65536 registers, as the bare servers have them, and one
    transport; keys: of that. It is called tcp1 if it is a TCP one."""
    transport = {"type": "tcp", "units": {"*": "plc1"}, **keys}
    if transport["type"] == "tcp":
        transport = {"listen": "127.0.0.1:0", "max_connections": 1024,
                     **transport}
    return {
        "devices": {"plc1": {
            "holding_registers": [{"addr": 0, "count": 65536}]}},
        "transports": {transport["type"] + "1": transport},
    }


def load_argv(to, load=None, **options):
    """A load generator's command line: conns=8, open_idle=1000, verify=True...
    to: a port of Modbus/TCP, or a server of bench_servers, which knows its
    generator; load: another generator."""
    if isinstance(to, int):
        argv = [tool("bench_load"), "--connect", "127.0.0.1:%d" % to]
    else:
        argv = to.load_argv(load)
    for key, value in options.items():
        if value is False or value is None:
            continue
        argv.append("--" + key.replace("_", "-"))
        if value is not True:
            argv.append(str(value))
    return argv


def load(to, cpu=None, **options):
    """Runs a load generator and returns what it measured. Its exit status is
    left to the caller: errors are in the result."""
    argv = load_argv(to, **options)
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, check=False, close_fds=False,
        preexec_fn=(lambda: pin(0, cpu)) if cpu is not None else None)
    if done.returncode not in (0, 1) or not done.stdout:
        raise AssertionError("the load failed: " + " ".join(argv))
    return json.loads(done.stdout.splitlines()[-1])


class Busy:
    """A load in the background until the with-block ends; lost connections
    are opened again. Then .result is what it measured."""

    def __init__(self, port, **options):
        options = {"conns": 8, "seconds": 3600, "warm": 0, "reconnect": True,
                   **options}
        self.argv = load_argv(port, **options)

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        out, _ = self.process.communicate()
        self.result = json.loads(out)


def cpu_ns(pid):
    """CPU time that a process of one thread has had."""
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0])


def machine_busy_s():
    """CPU time that anybody has had, waiting and idling left out."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(
            int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf(
        "SC_CLK_TCK")


def measure(server, same_cpu=False, **options):
    """One measurement of one server: bench_load's figures, and c_us: CPU time
    of the server per request, and other: CPUs that somebody else kept busy."""
    pid = server.pid
    pin(pid, SERVER_CPU)
    busy, began, used = machine_busy_s(), time.monotonic(), cpu_ns(pid)
    got = load(server, SERVER_CPU if same_cpu else LOAD_CPU, **options)
    used = cpu_ns(pid) - used
    seconds = time.monotonic() - began
    busy = machine_busy_s() - busy - used / 1e9 - got["cpu_s"]
    got["c_us"] = used / 1e3 / max(1, got["served"])
    got["other"] = max(0.0, busy / seconds)
    return got


def syscalls(server, least=1000, **options):
    """System calls of the server per request, counted by strace; and which
    they were, {name: per request}."""
    out = os.path.join(BUILD, "tests", "strace.%d" % os.getpid())
    pid = server.pid
    tracer = subprocess.Popen(
        ["strace", "-c", "-f", "-o", out, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True)
    try:
        said = tracer.stderr.readline()
        if "attached" not in said:
            raise AssertionError("strace cannot attach: " + said)
        # what comes once, and once a second, is little beside what is counted
        got = load(server, warm=0, **options)
        while got["served"] < least and not got["errors"]:
            options["seconds"] = 2 * options.get("seconds", 1)
            more = load(server, warm=0, **options)
            got["served"] += more["served"]
            got["errors"] += more["errors"]
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        tracer.stderr.close()
    with open(out) as f:
        text = f.read()
    os.unlink(out)
    calls = {}
    # columns: % time, seconds, usecs/call, calls, [errors], name
    for row in text.splitlines():
        m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$",
                     row)
        if m and m.group(2) != "total":
            calls[m.group(2)] = int(m.group(1))
    if got["errors"]:
        raise AssertionError("counted run: %r" % got)
    n = got["served"]
    return sum(calls.values()) / n, {k: v / n for k, v in calls.items()}


def resident(pid):
    """Bytes of a process that are in memory, register pages left out."""
    total = 0
    with open("/proc/%d/smaps" % pid) as f:
        ours = True
        for row in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", row):
                ours = not re.search(r"/holdfast-\S*\.device\.", row)
            elif row.startswith("Rss:") and ours:
                total += int(row.split()[1]) * 1024
    return total


def idle_bytes(server, first, last):
    """Memory that an idle connection costs the server: the difference that
    (last - first) more of them make, after one request each."""
    at = []
    for n in (first, last):
        holder = subprocess.Popen(
            load_argv(server, open_idle=n, hold=True, conns=1,
                      seconds=0.01, warm=0),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = holder.stdout.readline()
        at.append(resident(server.pid))
        holder.communicate()
        if said != "open\n" or holder.returncode:
            raise AssertionError("%d idle connections: bench_load says %r, "
                                 "exit %d" % (n, said, holder.returncode))
    return (at[1] - at[0]) / (last - first)


def start_ms(daemon):
    """Stops a daemon and measures from its start until it serves."""
    daemon.stop()
    began = time.monotonic()
    daemon.start()
    return (time.monotonic() - began) * 1e3


REQUEST = bytes.fromhex("0001 0000 0006 01 03 0000 0001")


def next_reply_ms(port, since, limit_s=10.0):
    """Connects and asks until somebody answers; how long that took since."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), limit_s) as s:
                s.sendall(REQUEST)
                reply = s.recv(260)
            if reply:
                assert reply[:4] == REQUEST[:4] and reply[7] == 3, reply
                return (time.monotonic() - since) * 1e3
        except (ConnectionError, socket.timeout):
            pass  # the dying worker had taken this connection
        if time.monotonic() - since > limit_s:
            raise AssertionError("nobody answers within %d s" % limit_s)


def kill_once(daemon, transport="tcp1"):
    """Kills a worker; milliseconds until the next connection is answered, and
    when it happened."""
    pid = sysutil.wait_for(lambda: live_child(daemon, transport), 10,
                           "a new worker")
    port = daemon.port(transport)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return next_reply_ms(port, began), began


def live_child(daemon, name):
    try:
        return daemon.child(name)
    except KeyError:
        return None


class Jitter:
    """How late this machine is at its best: a process that sleeps a
    millisecond at a time and notes how much longer that took. What a virtual
    machine's host does to a measurement, it does to this one too."""

    PROBE = """
import sys, threading, time
late, over = [], threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()),
                 daemon=True).start()
print("on", flush=True)
t = time.monotonic()
while not over.is_set():
    time.sleep(0.001)
    now = time.monotonic()
    late.append((t, now - t - 0.001))
    t = now
for at, by in late:
    print("%.6f %.6f" % (at, by))
"""

    def __enter__(self):
        self.late = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PROBE], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate()
        self.late = [tuple(map(float, row.split()))
                     for row in said.splitlines()]

    def ms(self, part):
        return percentile([by * 1e3 for _, by in self.late], part)

    def during(self, began, ms):
        """The worst lateness between began and ms later."""
        return max([by * 1e3 for at, by in self.late
                    if at + by >= began and at <= began + ms / 1e3],
                   default=0.0)


def work():
    """A fixed piece of work: numbers, and bytes handed to and fro between two
    processes."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            while theirs.send(theirs.recv(64)):
                pass
        finally:
            os._exit(0)
    theirs.close()
    for _ in range(400):
        sum(range(1000))
        ours.send(b"there")
        ours.recv(64)
    ours.close()
    os.waitpid(pid, 0)


WORK_S = 0.025  # what work() takes on the machine that limits were made on


def pace():
    """How many times as long as there it takes here and now, with all that
    runs beside; at least 1. What is to be done within a time is given so many
    times that."""
    began = time.monotonic()
    work()
    return max(1.0, (time.monotonic() - began) / WORK_S)


def t35_us(baud):
    """How long a serial line is silent between frames"""
    return 1750 if baud > 19200 else 3.5e6 * 11 / baud


def median(values):
    return percentile(values, 0.5)


def percentile(values, part):
    """The value that a part of all values do not exceed."""
    values = sorted(values)
    if not values:
        return float("nan")
    if part == 0.5 and len(values) % 2 == 0:
        return (values[len(values) // 2 - 1] + values[len(values) // 2]) / 2
    return values[min(len(values) - 1, int(len(values) * part))]
