#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Transports that plugins bring: the Unix socket that comes with Holdfast, and
one that does everything wrong, while TCP beside it is served."""

import binascii
import os
import select
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

import sysutil
from sysutil import (
    PATIENCE, ROOT, Daemon, Modbus, Skip, demo_conf, wait_for)

ODD = os.path.join(ROOT, "tests/plugins/odd.c")
UNIX = os.path.join(ROOT, "workers/plugins/unix.c")
TOP = tempfile.TemporaryDirectory(prefix="hf-plugins-")


def compiled(source=ODD, *defines):
    """The path of a plugin; built once for each set of definitions."""
    name = "-".join([os.path.basename(source)[:-2], *defines])
    out = os.path.join(TOP.name, name.replace('"', "") + ".so")
    if not os.path.exists(out):
        subprocess.run(
            ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra",
             "-Werror", "-I", os.path.join(ROOT, "supervisor"), "-shared",
             "-fPIC", *["-D" + d for d in defines], "-o", out, source],
            check=True, timeout=600)
    return out


class UnixModbus(Modbus):
    """The same client over a Unix socket."""

    def __init__(self, path, unit=1, timeout=100.0):
        self.unit = unit
        self.tid = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)


def connected(port):
    try:
        return Modbus(port)
    except ConnectionRefusedError:
        return None


class Beside:
    """A client of TCP that asks all the time; no request of it may fail or
    take long."""

    def __init__(self, port, limit=1.0):
        self.client = wait_for(lambda: connected(port), what="tcp1 up")
        self.worst, self.n, self.error, self.limit = 0.0, 0, None, limit
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        try:
            while not self.stop.wait(0.002):
                began = time.monotonic()
                assert self.client.read_hr(1000, 1) == [48879]
                self.worst = max(self.worst, time.monotonic() - began)
                self.n += 1
        except Exception as e:
            self.error = e

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.n or self.error, what="an answer of tcp1")
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        self.thread.join()
        self.client.close()
        if kind is None:
            assert self.error is None, self.error
            assert self.n > 0 and self.worst < self.limit * PATIENCE, (
                self.n, self.worst)


def conf(listen=None, plugins=("unix",), kind="unix", options=None, top=None,
         tcp=None, **keys):
    """tcp1 on a port that is known beforehand, and u1."""
    c = demo_conf(**(top or {}))
    c["transports"]["tcp1"]["listen"] = "127.0.0.1:%d" % (
        tcp or sysutil.free_port())
    u = dict(type=kind, plugins=list(plugins), units={"*": "plc1"}, **keys)
    if listen:
        u["listen"] = listen
    if options:
        u["options"] = options
    c["transports"]["u1"] = u
    return c


def odd_conf(listen, *defines, **options):
    more = {k: options.pop(k) for k in ("restart", "idle_timeout_s",
            "frame_timeout_ms", "max_connections_per_peer") if k in options}
    top = {k: options.pop(k) for k in ("hang_timeout_ms", "drain_timeout_s")
           if k in options}
    return conf(listen, [compiled(ODD, *defines)], "odd", options, top, **more)


class In(Daemon):
    """A daemon with u1 at .path and tcp1 at .tcp, in a place of its own."""

    def __init__(self, make=conf, listen=True, **keys):
        self.place = tempfile.TemporaryDirectory(prefix="hf-u-")
        self.path = os.path.join(self.place.name, "m.sock")
        ready = keys.pop("ready", True)
        defines = keys.pop("defines", ())
        args = keys.pop("args", ())
        c = make(self.path if listen is True else listen, *defines, **keys)
        self.tcp = int(c["transports"]["tcp1"]["listen"].split(":")[1])
        super().__init__(c, ready=ready, args=args)

    def __exit__(self, *args):
        super().__exit__(*args)
        self.place.cleanup()

    def u1(self):
        return [t for t in self.rpc("transports.list")
                if t["name"] == "u1"][0]

    def client(self, **keys):
        return UnixModbus(self.path, **keys)

    def wait_state(self, state, timeout=10):
        return wait_for(lambda: self.u1()["state"] == state and self.u1(),
                        timeout, "u1 " + state)


def refuse_to_connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(path)
            return False
        except (ConnectionRefusedError, FileNotFoundError):
            return True


# ---- the Unix socket ----

def crc(data):
    c = 0xffff
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0xa001 if c & 1 else 0)
    return struct.pack("<H", c)


def ascii_adu(unit, pdu):
    body = bytes([unit]) + pdu
    return (b":" + binascii.hexlify(body + bytes([-sum(body) & 255])).upper()
            + b"\r\n")


ADU = {
    "socket": lambda unit, pdu: struct.pack(
        ">HHHB", 9, 0, len(pdu) + 1, unit) + pdu,
    "tls": lambda unit, pdu: struct.pack(
        ">HHHB", 9, 0, len(pdu) + 1, unit) + pdu,
    "rtu": lambda unit, pdu: bytes([unit]) + pdu + crc(bytes([unit]) + pdu),
    "ascii": ascii_adu,
}


def test_each_framer():
    """each framer over a unix socket: good, split, pipelined, refused"""
    write = bytes.fromhex("06000500ab")
    bad = bytes.fromhex("030bb80001")
    for framer, adu in ADU.items():
        unit = 17
        with In(framer=framer) as d, d.client() as m:
            m.send(adu(unit, write))
            assert m.exactly(len(adu(unit, write))) == adu(unit, write)
            ask = adu(unit, bytes.fromhex("0300050001"))
            want = adu(unit, bytes.fromhex("030200ab"))
            for byte in ask[:-1]:
                m.send(bytes([byte]))
            m.send(ask[-1:])
            assert m.exactly(len(want)) == want, framer
            refused = adu(unit, b"\x83\x02")
            m.send(ask + adu(unit, bad) + ask)
            all_of = want + refused + want
            assert m.exactly(len(all_of)) == all_of, framer
            assert d.u1()["requests"] >= 3


class Socat:
    """socat between something and the socket."""

    def __init__(self, *args):
        self.process = subprocess.Popen(["socat", *args])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def mbpoll(*args):
    done = subprocess.run(["mbpoll", "-q", "-1", *args], capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mbpoll_over_tcp_bridge():
    """mbpoll reads and writes through socat from TCP"""
    with In() as d:
        port = sysutil.free_port()
        with Socat(f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork",
                   f"UNIX-CONNECT:{d.path}"):
            wait_for(lambda: connected(port)).close()
            tcp = ["-m", "tcp", "-p", str(port), "-0", "-r", "7"]
            mbpoll(*tcp, "127.0.0.1", "1234", "4321")
            out = mbpoll(*tcp, "-c", "2", "127.0.0.1")
            assert "1234" in out and "4321" in out, out


def test_mbpoll_over_a_pty():
    """mbpoll speaks RTU on a pty that socat joins to the socket"""
    with In(framer="rtu") as d:
        line = os.path.join(d.place.name, "line")
        with Socat(f"PTY,link={line},raw,echo=0", f"UNIX-CONNECT:{d.path}"):
            wait_for(lambda: os.path.exists(line))
            rtu = ["-m", "rtu", "-b", "115200", "-P", "none", "-a", "17",
                   "-0", "-r", "7"]
            mbpoll(*rtu, line, "1234", "4321")
            out = mbpoll(*rtu, "-c", "2", line)
            assert "1234" in out and "4321" in out, out


def test_pymodbus_ascii_over_a_pty():
    """pymodbus speaks ASCII on a pty that socat joins to the socket"""
    from pymodbus.client import ModbusSerialClient
    from pymodbus.transaction import ModbusAsciiFramer
    with In(framer="ascii") as d:
        line = os.path.join(d.place.name, "line")
        with Socat(f"PTY,link={line},raw,echo=0", f"UNIX-CONNECT:{d.path}"):
            wait_for(lambda: os.path.exists(line))
            c = ModbusSerialClient(line, framer=ModbusAsciiFramer,
                                   baudrate=115200, timeout=50)
            assert c.connect()
            assert not c.write_registers(7, [1, 2, 3], slave=17).isError()
            assert c.read_holding_registers(
                7, 3, slave=17).registers == [1, 2, 3]
            assert c.read_holding_registers(3000, 1, slave=17).isError()
            c.close()


def test_peers_are_shown_and_ended():
    """holdfast clients shows who connected, kick ends it"""
    with In() as d, d.client() as m:
        m.read_hr(0)
        peer = f"uid:{os.getuid()}/pid:{os.getpid()}"
        assert peer in d.cli("clients").stdout
        (c,) = d.rpc("connections.list", transport="u1")
        assert c["peer"] == peer and c["requests"] == 1, c
        d.cli("kick", c["id"])
        assert m.closed()
        assert d.rpc("connections.list", transport="u1") == []


def test_limits_apply():
    """max_connections_per_peer counts by user; idle ones are closed"""
    with In(max_connections_per_peer=2, idle_timeout_s=1) as d:
        m = [d.client() for _ in range(2)]
        for c in m:
            c.read_hr(0)
        m.append(d.client())
        m[2].read_hr(0)
        assert m[0].closed()
        m[1].read_hr(0)
        began = time.monotonic()
        assert m[1].closed() and m[2].closed()
        assert time.monotonic() - began < 40
        for c in m:
            c.close()


def test_users_are_peers_apart():
    """connections of another user are another peer's"""
    if os.getuid() != 0:
        raise Skip("only root may become somebody else")
    name = "@holdfast-" + sysutil.unique_store()
    script = ("import os, socket, sys; os.setgid(65534); os.setuid(65534); "
              "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
              "s.sendall(bytes.fromhex('000100000006010300000001')); "
              "print(len(s.recv(64)), flush=True); sys.stdin.read()")
    with In(listen=name, max_connections_per_peer=1) as d:
        with UnixModbus("\0" + name[1:]) as m:
            m.read_hr(0)
            other = subprocess.Popen(
                [sys.executable, "-c", script.replace(
                    "sys.argv[1]", repr("\0" + name[1:]))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            try:
                assert other.stdout.readline().strip() == b"11"
                m.read_hr(0)
                peers = {c["peer"] for c in d.rpc("connections.list")}
                assert f"uid:65534/pid:{other.pid}" in peers, peers
            finally:
                other.communicate()


def fill(deaf):
    """Asks for more than there is room for replies; how many requests."""
    deaf.socket.setblocking(False)
    ask = deaf.adu(bytes.fromhex("030000007d")) * 64
    sent = 0
    try:
        while sent < 4 << 20:
            sent += deaf.socket.send(ask)
    except BlockingIOError:
        pass
    return sent // 12


def test_who_is_late_is_told_so():
    """while a transport drains, nobody is left waiting at its socket"""
    with In(odd_conf) as d, d.client() as deaf:
        fill(deaf)
        stop = threading.Thread(
            target=lambda: d.cli("stop", "u1", ok=False, timeout=300))
        stop.start()
        d.wait_stderr("odd: unlisten")
        assert "close session" not in d.stderr_text()
        assert refuse_to_connect(d.path)
        stop.join()
        d.wait_state("stopped")


def test_who_does_not_read_is_alone():
    """one that never reads its replies holds up nobody else"""
    with In() as d, d.client() as deaf:
        whole = fill(deaf)
        with d.client() as m:
            for _ in range(200):
                m.read_hr(0, 10)
        deaf.socket.setblocking(True)
        deaf.socket.settimeout(100)
        got = 0
        while got < whole * 259:
            got += len(deaf.socket.recv(65536))
        assert got == whole * 259, (got, whole)


def test_file_of_the_socket():
    """its mode is the configured one; it goes with the transport"""
    with In(options={"mode": "0604"}) as d:
        assert stat.S_IMODE(os.stat(d.path).st_mode) == 0o604
        d.rpc("transports.stop", name="u1")
        assert not os.path.exists(d.path)
        d.rpc("transports.start", name="u1")
        with d.client() as m:
            m.read_hr(0)
    with In() as d:
        assert stat.S_IMODE(os.stat(d.path).st_mode) == 0o660


def test_group_of_the_socket():
    """its group is the configured one"""
    if os.getuid() != 0:
        raise Skip("only root may give files away")
    import grp
    other = [g for g in grp.getgrall() if g.gr_gid != os.getgid()][0]
    with In(options={"group": other.gr_name}) as d:
        assert os.stat(d.path).st_gid == other.gr_gid


def test_stale_file_is_replaced():
    """the socket of somebody who was killed is no obstacle"""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "m.sock")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
        assert os.path.exists(path)
        with In(listen=path):
            with UnixModbus(path) as m:
                m.read_hr(0)


def test_somebody_elses_socket_stays():
    """a path at which somebody listens is left alone, and taken over later;
    a file that is no socket stays, too"""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "m.sock")
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen()
        with In(listen=path, ready=False,
                restart={"max_backoff_ms": 50}) as d, Beside(d.tcp):
            d.wait_stderr("cannot listen on %s: Address already in use" % path)
            d.wait_state("backoff")
            assert d.u1()["last_exit"] == "exit 69", d.u1()
            s.close()
            d.wait_state("up")
            with UnixModbus(path) as m:
                m.read_hr(0)
        with open(path, "w") as f:
            f.write("precious")
        with In(listen=path, ready=False) as d:
            d.wait_stderr("Address already in use")
        assert open(path).read() == "precious"


def test_relative_and_abstract_addresses():
    """a path is relative to the configuration; @name makes no file"""
    with In(listen="beside.sock") as d:
        with UnixModbus(os.path.join(d.dir, "beside.sock")) as m:
            m.read_hr(0)
        assert "u1\tunix\tbeside.sock\tup" in d.cli("status").stdout
    name = "@holdfast-" + sysutil.unique_store()
    with In(listen=name) as d:
        with UnixModbus("\0" + name[1:]) as m:
            m.read_hr(0)
        assert not os.listdir(d.place.name)


def test_long_paths_are_shown_whole():
    """the longest path that a socket may have is served and shown"""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "x" * (106 - len(place)))
        assert len(path) == 107
        with In(listen=path) as d:
            with UnixModbus(path) as m:
                m.read_hr(0)
            assert d.u1()["listen"] == path
            with open(d.ready_path) as f:
                assert f"u1 unix {path}\n" in f.read()
        with In(listen=path + "y", ready=False) as d:
            d.wait_stderr('"listen" is longer than 107 bytes')
            d.wait_state("failed")


def test_mistakes_in_the_configuration():
    """what no second try would mend is said and not tried again"""
    no_group = "no-such-group"
    cases = [
        (dict(options={"mode": "rw"}),
         '"mode" must be octal, as "0660", not "rw"'),
        (dict(options={"mode": "01777"}), '"mode" must be octal'),
        (dict(options={"mode": "-1"}), '"mode" must be octal'),
        (dict(options={"group": no_group}),
         f'this machine has no group "{no_group}"'),
        (dict(options={"moed": "0660"}),
         'no plugin knows the option "moed"; did you mean "mode"?'),
        (dict(listen="@x", options={"mode": "0660"}),
         'an abstract socket has no "mode" and no "group"'),
        (dict(listen=None), '"listen" must be a path or "@name"'),
        (dict(kind="unxi"),
         'no plugin serves the type "unxi"; they serve "unix"; did you mean '
         '"unix"?'),
        (dict(plugins=["unix", "unix"]), 'the type "unix" is served twice'),
    ]
    for keys, words in cases:
        with In(ready=False, **keys) as d:
            d.wait_stderr(words)
            t = d.wait_state("failed")
            assert t["last_exit"] == "exit 78" and t["restarts"] == 0, t
            with Modbus(d.tcp) as m:
                m.read_hr(0)
            assert not os.path.exists(d.path)


# ---- what is no plugin, or another version's ----

def test_refused_objects():
    """each kind of object that cannot be used is named and not tried again"""
    text = os.path.join(TOP.name, "text.so")
    with open(text, "w") as f:
        f.write("no code\n")
    other = "it was built for another version of Holdfast"
    cases = [
        (text, "text.so: file too short"),
        (compiled(ODD, "ODD_NO_ENTRY"),
         "no plugin: it has no function holdfast_plugin"),
        (compiled(ODD, "ODD_ABI=2"),
         "built for version 2 of the plugin interface; this is version 1"),
        (compiled(ODD, "ODD_SIZE=16"), "is 16 bytes and not the 80 that are "
         "known: " + other),
        (compiled(ODD, "ODD_MORE"), other),
        (compiled(ODD, "ODD_MORE_TABLE"), other),
        (compiled(ODD, "ODD_DEAF"), "a transport of it has no recv"),
        (compiled(ODD, 'ODD_NAME=""'), "a transport of it has no name"),
    ]
    for path, words in cases:
        for kind in ("odd", "tcp"):  # any transport may name plugins
            listen = "127.0.0.1:0" if kind == "tcp" else "/nowhere/at.all"
            with In(listen=listen, ready=False, kind=kind,
                    plugins=[path]) as d:
                d.wait_stderr(words)
                t = d.wait_state("failed")
                assert t["last_exit"] == "exit 78", t
                assert t["restarts"] == 0, t


def test_a_plugin_may_refuse_itself():
    """a plugin that says it cannot be used is believed"""
    with In(odd_conf, fault="load", how="not", ready=False) as d:
        d.wait_stderr("does not serve: not today")
        assert d.wait_state("failed")["last_exit"] == "exit 78"


def test_plugins_of_another_transport_are_loaded():
    """a TCP transport loads the plugins that it names, and serves"""
    with In(listen="127.0.0.1:0", kind="tcp",
            plugins=[compiled(), "unix"], options={"after": 3}) as d:
        with open("/proc/%d/maps" % d.worker_pid("u1")) as f:
            maps = f.read()
        assert "/odd.so" in maps and "/unix.so" in maps
        with open("/proc/%d/maps" % d.worker_pid("tcp1")) as f:
            assert "/odd.so" not in f.read()
        with open("/proc/%d/maps" % d.pid) as f:
            assert "/odd.so" not in f.read()
        with Modbus(d.port("u1")) as m:
            m.read_hr(0)


# ---- one that behaves, in every way that it may ----

def test_what_the_host_tells():
    """a plugin is told who it is to be, where paths begin, and the time"""
    before = time.monotonic_ns()
    with In(odd_conf) as d:
        (line,) = [s for s in d.stderr_text().splitlines()
                   if "odd: host" in s]
        told = dict(w.split("=") for w in line.split("host ")[1].split())
        assert before < int(told.pop("now_ns")) < time.monotonic_ns()
        version = subprocess.run(
            [d.program, "-V"], capture_output=True, text=True).stdout.split()
        assert told.pop("version") in version, version
        assert told.pop("folder") == d.dir
        assert told == {"abi": "1", "revision": "4", "transport": "u1",
                        "type": "odd"}, told



def test_a_handshake_of_its_own():
    """nothing is served before a plugin has begun a connection; who does not
    finish that is closed in time"""
    with In(odd_conf, greeting="hello", frame_timeout_ms=300) as d:
        with d.client() as m:
            m.send(b"he")
            m.send(b"llo" + m.adu(bytes.fromhex("0303e80001")))
            assert m.receive()[2] == bytes.fromhex("0302beef")
        with d.client() as m:
            m.send(b"help!")
            assert m.closed()
        with d.client() as m:
            m.send(b"hell")
            began = time.monotonic()
            assert m.closed() and time.monotonic() - began < 9
        wait_for(lambda: d.u1()["connections"] == 0)
        assert d.stderr_text().count("odd: close session=yes") == 3
        said = d.stderr_text()
        assert 'why="not greeted"' in said, said
        assert 'why="handshake not finished in time"' in said, said


def test_bytes_one_at_a_time():
    """a plugin may move one byte at a time, read ahead, and have to wait"""
    with In(odd_conf, by_bytes=True) as d, d.client() as m:
        asks = b"".join(m.adu(bytes([3, 0, i, 0, 2]), tid=i)
                        for i in range(30))
        m.write_hr(0, list(range(40)))
        m.send(asks)
        for i in range(30):
            tid, _, pdu = m.receive()
            assert tid == i and pdu == struct.pack(">BBHH", 3, 4, i, i + 1)
        (c,) = d.rpc("connections.list", transport="u1")
        assert c["peer"].startswith("odd??"), c  # what it calls it, tidied


def test_drain_ends_in_order():
    """a stop lets what was asked be answered; plugins hear of every end"""
    with In(odd_conf) as d:
        m = d.client()
        m.read_hr(0)
        asks = [m.adu(bytes([3, 3, 232, 0, 1]), tid=i) for i in range(50)]
        m.send(b"".join(asks))
        d.rpc("transports.stop", name="u1")
        for i in range(50):
            assert m.receive()[::2] == (i, bytes.fromhex("0302beef"))
        assert m.closed()
        m.close()
        assert refuse_to_connect(d.path)
        said = d.stderr_text()
        assert said.count("odd: close session=yes") == 1, said
        assert said.count("odd: unlisten " + d.path) == 1, said
        d.rpc("transports.start", name="u1")
        old = d.worker_pid("u1")
        d.rpc("transports.restart", name="u1")
        assert d.worker_pid("u1") != old
        with d.client() as m:
            m.read_hr(0)


def test_a_new_version_is_in_force_after_a_restart():
    """a file that was renamed over a plugin is what the next worker loads"""
    with tempfile.TemporaryDirectory() as place:
        mine = os.path.join(place, "mine.so")
        shutil.copy(compiled(), mine)
        with In(kind="odd", plugins=[mine]) as d, d.client() as m:
            m.read_hr(0)
            shutil.copy(compiled(ODD, "ODD_ABI=7"), mine + ".new")
            os.rename(mine + ".new", mine)
            m.read_hr(0)
            with Beside(d.tcp):
                try:
                    d.rpc("transports.restart", name="u1")
                except sysutil.RpcError as e:
                    assert "version 7" in e.message, e.message
                else:
                    raise AssertionError("version 7 serves")
                assert d.wait_state("failed")["last_exit"] == "exit 78"
                shutil.copy(compiled(), mine + ".new")
                os.rename(mine + ".new", mine)
                d.rpc("transports.start", name="u1")
                with d.client() as again:
                    again.read_hr(0)


# ---- one that does not ----

def crash_case(how, call, restart=None, after=0, **keys):
    """A daemon whose u1 goes wrong until .heal() is called."""
    class Sick(In):
        def __init__(self):
            self.well = os.path.join(TOP.name, "well-" +
                                     sysutil.unique_store())
            super().__init__(
                odd_conf, fault=call, how=how, after=after, heal=self.well,
                ready=False, restart=restart or {"max_backoff_ms": 100},
                **keys)

        def heal(self):
            with open(self.well, "w"):
                pass
            sysutil.wait_for(self.answers, what="an answer")
            self.wait_state("up")

        def answers(self):
            try:
                with self.client() as m:
                    return m.read_hr(0)
            except (OSError, EOFError):
                return None  # the sick one has not gone yet
    return Sick()


def test_crash_at_load_and_listen():
    """a plugin that dies before it serves is tried again, ever less often"""
    for call in "load", "listen":
        with crash_case("crash", call) as d, Beside(d.tcp):
            wait_for(lambda: d.u1()["restarts"] >= 6)
            t = d.u1()
            assert t["last_exit"] == "signal 11 (SEGV)", t
            d.heal()


def test_gives_up_where_told():
    """with max_in_window a plugin that always dies is left alone"""
    with crash_case("crash", "load", {"max_in_window": 3}) as d:
        with Beside(d.tcp):
            assert d.wait_state("failed")["restarts"] <= 4
            with open(d.well, "w"):
                pass
            d.rpc("transports.start", name="u1")
            d.heal()


def test_refused_listener_is_tried_again():
    """what listen() fails with decides whether it is called again"""
    with crash_case("eaddr", "listen") as d:
        d.wait_stderr("eaddr is not to my liking")
        wait_for(lambda: d.u1()["restarts"] >= 3)
        d.heal()
    with crash_case("badfd", "listen") as d:
        d.wait_stderr("badfd is not to my liking")
        d.heal()
    with crash_case("einval", "listen") as d:
        t = d.wait_state("failed")
        assert t["last_exit"] == "exit 78" and t["restarts"] == 0, t


def ask_in_vain(d):
    """A request of which u1 may die."""
    try:
        with d.client(timeout=100) as m:
            m.read_hr(0)
    except (OSError, EOFError):
        pass


def test_crash_while_serving():
    """a crash in any call is that worker's alone, and it comes back"""
    for call in "accept", "open", "recv", "send", "close":
        with crash_case("crash", call, after=2) as d, Beside(d.tcp):
            d.wait_state("up")
            first = d.worker_pid("u1")
            for _ in range(4):
                ask_in_vain(d)
                wait_for(lambda: d.u1()["connections"] == 0)
                d.wait_state("up")
            assert d.u1()["restarts"] >= 1, call
            assert d.worker_pid("u1") != first
            d.heal()


def test_writes_before_a_crash_stay():
    """what was answered before a crash is there after it"""
    with crash_case("crash", "recv", after=5) as d, Beside(d.tcp):
        d.wait_state("up")
        done = []
        for value in range(1, 30):
            try:
                with d.client(timeout=50) as m:
                    m.write_hr(value, value)
                    done.append(value)
            except (OSError, EOFError):
                d.wait_state("up")
        assert len(done) > 10, done
        with Modbus(d.tcp) as m:
            got = m.read_hr(0, 30)
        assert all(got[v] == v for v in done), (done, got)
        assert d.u1()["restarts"] > 1


def test_hangs_are_ended():
    """a plugin that does not come back is killed, sleeping or spinning"""
    for how, call in (("hang", "recv"), ("spin", "accept")):
        with crash_case(how, call, after=1, hang_timeout_ms=300) as d:
            with Beside(d.tcp):
                d.wait_state("up")
                ask_in_vain(d)
                try:
                    m = d.client()
                    m.read_hr(0)
                except (OSError, EOFError):
                    pass  # it may be answered before the plugin hangs
                wait_for(lambda: d.u1()["restarts"] >= 1)
                m.close()
                assert "KILL" in d.u1()["last_exit"], d.u1()
                d.heal()


def test_what_is_not_there_is_not_waited_for():
    "a plugin that says for ever that there is more to read holds nobody up"
    with crash_case("lie", "pending", after=1, hang_timeout_ms=300) as d:
        d.wait_state("up")
        for _ in range(3):
            with d.client() as m:
                for _ in range(20):
                    m.read_hr(0)
        assert d.u1()["restarts"] == 0, d.u1()


def test_hang_at_load():
    """one that does not even come to serve is ended, and stops on demand"""
    with crash_case("hang", "load", drain_timeout_s=0) as d, Beside(d.tcp):
        d.wait_stderr('why="not ready in time"', 20)
        assert "KILL" in d.u1()["last_exit"], d.u1()
        d.wait_state("starting")


def test_wrong_results():
    """results that cannot be end the connection; an overrun the worker"""
    cases = (("recv", "none", "recv() of its plugin was done with no byte"),
             ("recv", "nonsense", "recv() of its plugin came to 17"),
             ("recv", "fail", "its plugin does not say why"),
             ("send", "fail", "its plugin does not say why"),
             ("send", "eof", "Connection reset by peer"),
             ("send", "wantread", "send() of its plugin wants to read"))
    for call, how, words in cases:
        with crash_case(how, call, args=["--log", "debug"]) as d:
            d.wait_state("up")
            pid = d.worker_pid("u1")
            with d.client() as m:
                m.send(m.adu(bytes.fromhex("0300000001")))
                assert m.closed(), how
            assert d.worker_pid("u1") == pid
            assert f'why="{words}' in d.stderr_text(), d.stderr_text()
            d.heal()
    with crash_case("much", "recv") as d, Beside(d.tcp):
        d.wait_state("up")
        ask_in_vain(d)
        d.wait_stderr("of 4096 bytes")
        d.heal()


def test_accept_that_always_fails():
    """an accept() that fails for ever is not a busy loop"""
    with crash_case("fail", "accept") as d, Beside(d.tcp):
        d.wait_state("up")
        pid = d.worker_pid("u1")
        with d.client():
            def ticks():
                with open("/proc/%d/stat" % pid) as f:
                    fields = f.read().rpartition(")")[2].split()
                return int(fields[11]) + int(fields[12])
            before, began = ticks(), time.monotonic()
            d.wait_stderr("cannot accept")
            select.select([], [], [], 1.0)
            used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
            assert used < 0.3 * (time.monotonic() - began), used
        d.heal()


def test_exit_in_a_plugin():
    """exit(0) from within a plugin is a death like any other"""
    with crash_case("exit", "recv", after=1) as d, Beside(d.tcp):
        d.wait_state("up")
        ask_in_vain(d)
        ask_in_vain(d)
        wait_for(lambda: d.u1()["restarts"] >= 1)
        d.heal()


def test_crash_at_the_end():
    """a crash while it stops keeps nobody from stopping"""
    for call in "close", "unlisten":
        with crash_case("crash", call) as d:
            d.wait_state("up")
            with d.client() as m:
                m.read_hr(0)
                d.rpc("transports.stop", name="u1")
                assert d.u1()["state"] == "stopped"


# ---- the header and the example ----

def test_header_for_c_and_cpp():
    """holdfast.h compiles alone, as C and as C++, without a warning"""
    header = os.path.join(ROOT, "supervisor/holdfast.h")
    for args in (["-x", "c", "-std=c11"], ["-x", "c++", "-std=c++11"]):
        done = subprocess.run(
            ["clang", *args, "-pedantic", "-Wall", "-Wextra", "-Werror",
             "-Wno-pragma-once-outside-header", "-fsyntax-only", header],
            capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr


def test_example_needs_the_header_alone():
    """unix.c compiles as its manual says, from a folder of its own"""
    with tempfile.TemporaryDirectory() as place:
        for source in UNIX, os.path.join(ROOT, "supervisor/holdfast.h"):
            shutil.copy(source, place)
        shutil.copytree(os.path.join(ROOT, "supervisor/holdfast"),
                        os.path.join(place, "holdfast"))
        subprocess.run(["cc", "-D_GNU_SOURCE", "-I.", "-shared", "-fPIC",
                        "-o", "unix.so", "unix.c"], cwd=place, check=True,
                       timeout=600)
        with In(plugins=[os.path.join(place, "unix.so")]) as d:
            with d.client() as m:
                m.read_hr(0)


if __name__ == "__main__":
    try:
        sysutil.run()
    finally:
        TOP.cleanup()
