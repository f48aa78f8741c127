#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers in a program: every class, starter, stop and parameter that the
reference's servers have (pymodbus 3.8: ModbusTcpServer ..., StartTcpServer
..., ServerStop), as libholdfast has them."""

import fcntl
import os
import socket
import ssl
import struct
import sys
import termios

sys.dont_write_bytecode = True
import certs  # noqa: E402
import peers  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from embed_case import Program, Refused  # noqa: E402
from peers import Late, Line, Master, Stream, Udp, fc3, fc6  # noqa: E402
from sysutil import Modbus, wait_for  # noqa: E402
from tls_case import pki  # noqa: E402

IDENTIFY = bytes.fromhex("2b0e0100")


def refused(words, errno, call, *args, **opts):
    try:
        call(*args, **opts)
    except Refused as why:
        assert why.errno == errno and words in why.words, why
    else:
        raise AssertionError("was not refused: %s" % words)


def tls_opts(**more):
    return {"certfile": pki.server.chain, "keyfile": pki.server.key, **more}


def tls_master(port, cert=None):
    context = certs.client_context(pki.ca, cert)
    return Master(Stream.tls(port, context), "tls")


def master(kind, srv, framer=None, line=None, cert=None):
    """A client of a server of that type."""
    if kind == "tls":
        return tls_master(srv.port, cert)
    channel = {"tcp": lambda: Stream.tcp(srv.port),
               "udp": lambda: Udp(srv.port),
               "serial": lambda: line}[kind]()
    return Master(channel, framer or (
        "rtu" if kind == "serial" else "socket"))


class Kind:
    """What it takes to start a server of a type."""

    def __init__(self, name):
        self.name = name
        self.line = Line() if name == "serial" else None
        self.opts = {"tls": tls_opts(unit="*:plc1")}.get(
            name, {"unit": "1:plc1"})
        if self.line:
            self.opts["port"] = self.line.path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.line:
            self.line.close()

    def check(self, p, srv):
        """Client and program see the same registers."""
        m = master(self.name, srv, line=self.line)
        assert m.ask(1, fc6(7, 4711)) == fc6(7, 4711)
        assert p.int("get", "plc1", 3, 7) == 4711
        p.ask("set", "plc1", 3, 8, 815)
        assert m.ask(1, fc3(8)) == b"\3\2" + (815).to_bytes(2, "big")
        if not self.line:
            m.close()


KINDS = "tcp", "tls", "udp", "serial"


# starters and stops

def test_start_async_servers():
    """StartAsyncTcpServer and the others: return once it listens; a client and
    the program see the same registers; shutdown() ends it"""
    for name in KINDS:
        with Program() as p, Kind(name) as kind:
            srv = p.start(name, **kind.opts)
            s = srv.status()
            assert s["active"] and s["up"] and s["state"] == "up", s
            kind.check(p, srv)
            assert srv.shutdown() == 0
            s = srv.status()
            assert not s["active"] and s["state"] == "stopped", s
            refused("does not run", "ESRCH", srv.stop)


def test_start_servers():
    """StartTcpServer and the others block; ServerStop() from another thread
    ends them"""
    for name in KINDS:
        with Program() as p, Kind(name) as kind:
            assert p.int("init") == 0
            p.ask("thread", "stops")
            p.run(name, **kind.opts)
            assert p.answer() == "0"


def test_serve_forever():
    """serve_forever(background) starts a server that has been made; a second
    time while it runs is refused; after a stop it may start again"""
    with Program() as p:
        srv = p.new("tcp")
        assert srv.status()["state"] == "stopped"
        refused("has not been started", "ESRCH", srv.dispatch)
        for _ in range(3):
            assert srv.serve() == 0
            refused("runs already", "EALREADY", srv.serve)
            with Modbus(srv.port) as m:
                assert m.read_hr(0) == [0]
            assert srv.stop() == 0


def test_stop_from_a_signal_handler():
    """a blocking starter ends when its stop_fd can be read, and when a handler
    calls hf_server_async_stop()"""
    for number, how in (15, {"pipe": 1}), (12, {}):
        with Program() as p:
            p.ask("signals")
            port = sysutil.free_port()
            p.run("tcp", address="127.0.0.1:%d" % port, **how)
            wait_for(lambda: answers(port), what="the server")
            p.process.send_signal(number)
            assert p.answer() == "0"
            assert not answers(port)


def answers(port):
    try:
        with Modbus(port) as m:
            return len(m.read_hr(0)) == 1
    except (ConnectionError, EOFError):
        return False


def test_the_programs_own_loop():
    """hf_server_fd() can be read when something has happened, and
    hf_server_dispatch() says what has become of the server"""
    with Program() as p:
        srv = p.start("tcp")
        srv.dispatch()
        assert srv.poll(0) == 0 and srv.dispatch() == 1
        os.kill(srv.status()["pid"], 9)
        assert srv.poll(50000) == 1
        assert srv.dispatch() == 1, "a worker's death is not the server's"
        wait_for(lambda: srv.status()["up"])
        assert srv.status()["restarts"] == 1
        assert srv.async_stop() == 0
        wait_for(lambda: srv.poll(5000) == 1 and srv.dispatch() == 0)
        assert srv.poll(0) == 0, "it has been told"


def test_server_stop_means_the_last_one():
    """ServerStop() and ServerAsyncStop() stop what was started last"""
    with Program() as p:
        refused("no server has been started", "ESRCH", p.ask, "stop", "-")
        a, b = p.start("tcp"), p.start("udp")
        assert p.int("stop", "-") == 0
        assert a.status()["active"] and not b.status()["active"]
        refused("does not run", "ESRCH", p.ask, "stop", "-")
        b.free()
        refused("no server has been started", "ESRCH", p.ask, "stop", "-")
        assert a.stop() == 0


def test_several_servers_in_one_program():
    """servers of every type serve the same registers side by side, and go one
    by one"""
    with Program() as p, Kind("serial") as kind:
        servers = {"tcp": p.start("tcp"), "tls": p.start("tls", **tls_opts()),
                   "udp": p.start("udp"),
                   "serial": p.start("serial", **kind.opts)}
        second = p.start("tcp")
        names = {s.status()["pid"] for s in [*servers.values(), second]}
        assert len(names) == 5
        for value, (name, srv) in enumerate(servers.items()):
            m = master(name, srv, line=kind.line)
            assert m.ask(1, fc6(0, value)) == fc6(0, value)
            with Modbus(second.port) as other:
                assert other.read_hr(0) == [value]
        assert servers["tcp"].stop() == 0
        with Modbus(second.port) as other:
            assert other.read_hr(0) == [3]


def test_as_many_as_there_is_room_for():
    """16 servers serve one store; one more is refused, until one has gone"""
    with Program() as p:
        servers = [p.start("tcp") for _ in range(16)]
        refused("there cannot be more", "EUSERS", p.start, "tcp")
        assert all(answers(s.port) for s in servers)
        servers[5].free()
        p.start("udp")


# parameters

def test_framer():
    """framer: any of the four on any transport"""
    for name in "tcp", "udp", "tls", "serial":
        for framer in "socket", "rtu", "ascii", "tls":
            if name == "serial" and framer in ("socket", "tls"):
                continue
            with Program() as p, Kind(name) as kind:
                srv = p.start(name, framer=framer, **kind.opts)
                m = master(name, srv, framer, kind.line)
                if name == "tls":
                    m.close()
                    m = Master(Stream.tls(srv.port, certs.client_context(
                        pki.ca, None)), framer)
                assert m.ask(1, fc6(3, 9)) == fc6(3, 9), (name, framer)


def test_identity():
    """identity: what function code 43/14 tells, of every device of the
    server"""
    with Program() as p:
        srv = p.start("tcp", vendor="Acme \"Ltd\"")
        with Modbus(srv.port) as m:
            for unit in 1, 2:
                assert b"Acme \"Ltd\"" in m.request(IDENTIFY, unit)


def test_address():
    """address: where it listens; without one it is every address"""
    port = sysutil.free_port()
    with Program() as p:
        srv = p.start("tcp", address=":%d" % port)
        assert srv.status()["address"] == "0.0.0.0:%d" % port
        assert answers(port)
        assert p.start("tcp", address="[::1]:0").status()[
            "address"].startswith("[::1]:")
        refused("no address", "EINVAL", p.start, "tcp", address="somewhere")


def test_ignore_missing_slaves():
    """ignore_missing_slaves: an unknown unit gets exception 0B, or nothing"""
    with Program() as p:
        with Modbus(p.start("tcp", unit="5:plc1").port) as m:
            assert m.request(fc3(0), 6) == b"\x83\x0b"
        srv = p.start("tcp", unit="5:plc1", ignore_missing_slaves=1)
        with Modbus(srv.port) as m:
            m.send(m.adu(fc3(0), 6))
            assert m.request(fc3(0), 5) == b"\3\2\0\0"


def test_broadcast_enable():
    """broadcast_enable: unit 0 writes to every device and is not answered;
    else 0 is an address as any other"""
    with Program() as p:
        srv = p.start("tcp", broadcast_enable=1)
        with Modbus(srv.port) as m:
            m.send(m.adu(fc6(9, 77), 0))
            assert m.read_hr(9, unit=1) == m.read_hr(9, unit=2) == [77]
        with Modbus(p.start("tcp", unit=["0:plc2", "1:plc1"]).port) as m:
            m.write_hr(9, [78], unit=0)
            assert m.read_hr(9, unit=1) == [77]
        assert p.int("get", "plc2", 3, 9) == 78


def test_units():
    """a device answers where it was added, or where units say"""
    with Program() as p:
        with Modbus(p.start("tcp").port) as m:
            m.write_hr(0, [11], unit=1)
            m.write_hr(0, [22], unit=2)
        with Modbus(p.start("tcp", unit=["7:plc2", "*:plc1"]).port) as m:
            assert m.read_hr(0, unit=7) == [22]
            assert m.read_hr(0, unit=99) == [11]
        refused("300 is no unit", "EINVAL", p.start, "tcp", unit="300:plc1")
        refused("unit 3 is there twice", "EINVAL", p.start, "tcp",
                unit=["3:plc1", "3:plc2"])
        refused("has no device", "EINVAL", p.start, "tcp", unit="3:plc3")
        refused("opts.nunits is 2, but opts.units is NULL", "EINVAL", p.start,
                "tcp", nunits=2)


def test_certfile_keyfile_password():
    """certfile, keyfile, password: a wrong one is an error of the start, with
    words; nothing is printed"""
    locked = pki.file("locked.key", "")
    certs.openssl("pkey", "-in", pki.server.key, "-aes256", "-passout",
                  "pass:sesame", "-out", locked)
    both = pki.file("both.pem", "".join(
        open(f).read() for f in (pki.server.chain, pki.server.key)))
    with Program() as p:
        srv = p.start("tls", **tls_opts(keyfile=locked, password="sesame"))
        assert tls_master(srv.port).ask(1, fc3(0)) == b"\3\2\0\0"
        srv = p.start("tls", certfile=both)
        assert tls_master(srv.port).ask(1, fc3(0)) == b"\3\2\0\0"
        refused("password", "EINVAL", p.start, "tls",
                **tls_opts(keyfile=locked, password="open"))
        refused('"cert" is missing', "EINVAL", p.start, "tls")
        refused("No such file", "EINVAL", p.start, "tls",
                certfile="/nowhere.pem")
        refused("key", "EINVAL", p.start, "tls",
                **tls_opts(keyfile=pki.client.key))
        refused("certificate", "EINVAL", p.start, "tls",
                **tls_opts(certfile=__file__))


def test_cafile_client_cert_roles():
    """what sslctx is for there: certificates of clients, by cafile,
    client_cert and roles"""
    roles = pki.file("embed-roles.json", '{"operator": [{"fc": [3]}]}')
    with Program() as p:
        srv = p.start("tls", **tls_opts(cafile=pki.ca.path, roles=roles))
        m = tls_master(srv.port, pki.client)
        assert m.ask(1, fc3(0)) == b"\3\2\0\0"
        assert m.ask(1, fc6(0, 1)) == b"\x86\1"
        try:
            tls_master(srv.port).ask(1, fc3(0))
            raise AssertionError("was let in without a certificate")
        except (ssl.SSLError, ConnectionError, EOFError, Late):
            pass
        srv = p.start("tls", **tls_opts(cafile=pki.ca.path,
                                        client_cert="request"))
        assert tls_master(srv.port).ask(1, fc3(0)) == b"\3\2\0\0"


def test_serial_parameters():
    """port, baudrate, bytesize, parity, stopbits: 19200 8N1 by default, as the
    port then really has them; what cannot be is refused"""
    # a pty keeps neither parity nor the bits of a character
    for opts, want in [({}, (19200, 1)),
                       ({"baudrate": 9600, "parity": "E"}, (9600, 1)),
                       ({"baudrate": 250000, "bytesize": 7, "parity": "O",
                         "stopbits": 2, "framer": "ascii"}, (250000, 2))]:
        with Program() as p, Line() as line:
            p.start("serial", port=line.path, **opts)
            assert settings(line) == want, (settings(line), want)
    with Program() as p, Line() as line:
        refused('needs 8 bits a character, not 7', "EINVAL", p.start,
                "serial", port=line.path, bytesize=7)
    with Program() as p:
        refused("No such file", "ENOENT", p.start, "serial",
                port="/dev/nowhere")
        for other in "/dev/null", "/dev/zero":
            refused("it is no serial device", "ENOTTY", p.start, "serial",
                    port=other)
        refused('"port" is missing', "EINVAL", p.start, "serial")
        refused("no serial device", "EINVAL", p.start, "serial",
                port=__file__)
        with Line() as line:
            refused('"bytesize"', "EINVAL", p.start, "serial",
                    port=line.path, bytesize=9)
            refused('unknown parity "X"', "EINVAL", p.start, "serial",
                    port=line.path, parity="X")


def settings(line):
    """Bits a second and stop bits that the other end has set."""
    termios2 = struct.unpack("4I20B2I", fcntl.ioctl(
        line.slave, 0x802c542a, bytes(44)))  # TCGETS2
    return termios2[-1], 2 if termios2[2] & termios.CSTOPB else 1


def test_serial_over_a_socket():
    """port "socket://HOST:PORT": listens there, with the serial framer"""
    with Program() as p:
        srv = p.start("serial", port="socket://127.0.0.1:0")
        assert master("tcp", srv, "rtu").ask(1, fc3(0)) == b"\3\2\0\0"


def test_handle_local_echo():
    """handle_local_echo: what the server has said and hears again is
    dropped"""
    with Program() as p, Line() as line:
        p.start("serial", port=line.path, unit="1:plc1", handle_local_echo=1)
        m = Master(line, "rtu")
        for value in 1, 2, 3:
            assert m.ask(1, fc6(0, value)) == fc6(0, value)
            # an echo that would be a request to write if it were heard
            line.send(peers.Rtu.encode(1, fc6(0, value)))
            line.pause()
        assert m.ask(1, fc3(0)) == b"\3\2\0\3"


# what belongs to each type, and something that it could be
MEMBERS = {
    "tls": {"certfile": "a.pem", "keyfile": "a.pem", "password": "sesame",
            "cafile": "a.pem", "crlfile": "a.pem", "client_cert": "none",
            "roles": "a.json"},
    "serial": {"port": "/dev/nowhere", "baudrate": 9600, "bytesize": 8,
               "stopbits": 1, "parity": "N", "handle_local_echo": 1},
    "plugin": {"transport": "mine"},
}


def test_what_is_not_for_the_type():
    """an option that a server of that type does not have is refused, not
    passed over; the words name it and the types that have it"""
    with Program() as p:
        for owner, members in MEMBERS.items():
            for name in *KINDS, "plugin":
                if name == owner:
                    continue
                for member, value in members.items():
                    refused("opts.%s is for type HF_%s, and this is HF_%s" % (
                        member, owner.upper(), name.upper()), "EINVAL", p.new,
                        name, **{member: value})
        refused("opts.address is for type HF_TCP or HF_TLS or HF_UDP or "
                "HF_PLUGIN, and this is HF_SERIAL", "EINVAL", p.new, "serial",
                address="127.0.0.1:0")


def test_more():
    """more: any other key of a transport; one that the options say already is
    refused"""
    with Program() as p:
        srv = p.start("tcp", more='{"access": "read-only", "workers": 2,}')
        with Modbus(srv.port) as m:
            assert m.request(fc6(0, 1)) == b"\x86\1"
        refused("4 is the most", "EINVAL", p.start, "tcp",
                more='{"workers": 5}')
        refused("4000 is the most", "EINVAL", p.start, "tcp",
                more='{"max_connections": 4001}')
        refused('"listen" in "more" is said by the options already', "EINVAL",
                p.start, "tcp", more='{"listen": "127.0.0.1:0"}')
        refused('did you mean "workers"?', "EINVAL", p.start, "tcp",
                more='{"wokers": 1}')
        refused("more:1:2", "EINVAL", p.start, "tcp", more="{workers}")


def test_name():
    """name: a store has one server of a name"""
    with Program() as p:
        srv = p.start("tcp", name="front")
        refused("a server that is called front", "EEXIST", p.start, "udp",
                name="front")
        with Modbus(srv.port) as m:
            assert m.read_hr(0) == [0]
        srv.free()
        p.start("udp", name="front")
        refused("is no name", "EINVAL", p.start, "tcp", name="front door")


def test_opts_have_a_version():
    """opts say their size: those of a newer program are refused, and what is
    less than the first version had"""
    first = 192  # as tests/abi.txt has it
    with Program() as p:
        for make in p.new, p.start:
            for size in 0, 1, 8, 80, first - 8, first - 1:
                refused("opts.size must be", "EINVAL", make, "tcp", size=size)
            refused("newer version", "EINVAL", make, "tcp", size=100000)
        srv = p.start("tcp", size=first)
        assert srv.status()["active"]


def test_framers_that_do_not_exist():
    """framer: a name that is none is refused with the near one"""
    with Program() as p:
        refused('did you mean "ascii"?', "EINVAL", p.start, "tcp",
                framer="ascci")


# errors of the start

def test_a_port_in_use():
    """a port that another program has: EADDRINUSE, words, nothing printed, and
    the next try may succeed"""
    with Program() as p, socket.create_server(("127.0.0.1", 0)) as taken:
        at = "127.0.0.1:%d" % taken.getsockname()[1]
        refused("cannot listen on " + at, "EADDRINUSE", p.start, "tcp",
                address=at)
        srv = p.new("tcp", address=at)
        refused("Address already in use", "EADDRINUSE", srv.serve)
        taken.close()
        assert srv.serve() == 0


def test_a_port_that_needs_privilege():
    """a port below 1024 without the right to it: EACCES"""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        if int(f.read()) <= 502:
            raise sysutil.Skip("every user may bind port 502 here")
    user = {"user": "nobody"} if os.geteuid() == 0 else {}
    with Program(**user) as p:
        refused("root", "EACCES", p.start, "tcp", address="127.0.0.1:502")


if __name__ == "__main__":
    sysutil.run()
