#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Replay: a transport answers as a device did whose traffic was captured, by
Holdfast itself or on the wire."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import sysutil
import tls_case
from sysutil import Daemon, Modbus, wait_for

REAL = {
    "coils": [{"addr": 0, "count": 20, "value": 1}],
    "holding_registers": [
        {"addr": 0, "count": 10, "values": list(range(100, 110))},
        {"addr": 20, "action": {"name": "increment", "minval": 1,
                                "maxval": 9}}],
    "identity": {"VendorName": "Acme", "ProductCode": "A1",
                 "MajorMinorRevision": "7"},
}
OTHER = {"holding_registers": [{"addr": 0, "count": 100, "value": 5}]}

# what is asked of the device that is recorded, and of its replay
ASKED = [bytes.fromhex(x) for x in (
    "0300000005", "0300140001", "0300140001", "0300140001", "0100000014",
    "03007b0001", "0600010007", "0300010001", "2b0e0100", "1000020001020009",
    "0f000000040105", "63", "0800001234")]


def conf(device, **keys):
    return {"devices": {"plc1": device},
            "transports": {"tcp1": {
                "type": "tcp", "listen": "127.0.0.1:0",
                "units": {"*": "plc1"}, **keys}}}


def replayed(path, device=None, **options):
    return Daemon(conf(device or OTHER, plugins=["replay"],
                       options={"file": path, **options}))


def ask(m, asked=ASKED, unit=1):
    return [m.request(pdu, unit) for pdu in asked]


def compare(d, said):
    """The replay gives the very same bytes, and goes on with the last ones."""
    with Modbus(d.port("tcp1")) as m:
        assert ask(m) == said
        again = dict(zip(ASKED, said))  # of several replies the last
        assert ask(m) == [again[pdu] for pdu in ASKED]
        # never asked: the configured device's, and so is another unit's;
        # what the recorded device took has been written to ours, too
        assert m.read_hr(50, 2) == [5, 5]
        assert m.read_hr(0, 5, unit=9) == [5, 7, 9, 5, 5]


def record(path, **keys):
    """Records ASKED with holdfast trace; what was answered."""
    with Daemon(conf(REAL, **keys)) as d:
        with Modbus(d.port("tcp1")) as m:
            said = ask(m)
        n = len(d.rpc("trace.read")["frames"])
        assert n == 2 * len(ASKED)
        d.cli("trace", "--since", "all", "--count", n, "--pcap", path)
    assert len({said[i] for i in (1, 2, 3)}) == 3  # it counts
    return said


def test_what_holdfast_has_recorded():
    """a recording of holdfast trace is answered byte for byte, in turn"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        said = record(path)
        with replayed(path) as d:
            d.wait_stderr("requests=11 replies=13")
            compare(d, said)
        # a worker's successor begins again
        with replayed(path) as d:
            with Modbus(d.port("tcp1")) as m:
                assert ask(m) == said
            old = d.worker_pid("tcp1")
            os.kill(old, signal.SIGKILL)
            wait_for(lambda: d.worker_pid("tcp1") not in (None, old))
            with Modbus(d.port("tcp1")) as m:
                assert ask(m) == said


def test_what_was_refused_is_not_carried_out():
    """a write that the recorded device refused changes nothing in ours"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        write = bytes.fromhex("06000b0007")
        with Daemon(conf(REAL)) as d, Modbus(d.port("tcp1")) as m:
            assert m.request(write) == b"\x86\2"
            d.cli("trace", "--since", "all", "--count", 2, "--pcap", path)
        with replayed(path) as d, Modbus(d.port("tcp1")) as m:
            assert m.request(write) == b"\x86\2"
            assert m.read_hr(11) == [5]


def capture(path, port, kind, work):
    """Has what work() does on a port of loopback recorded by dumpcap."""
    if not shutil.which("dumpcap"):
        raise sysutil.Skip("no dumpcap")
    run = subprocess.Popen(
        ["dumpcap", "-q", "-i", "lo", "-f", f"port {port}", "-w", path, *kind],
        stderr=subprocess.PIPE, text=True)
    try:
        line = ""
        while "File:" not in line:
            line = run.stderr.readline()
            if line == "":
                raise sysutil.Skip("dumpcap may not record")
        said = work()
        # its buffer is written now and then; the end of the work is there
        # once the closing of the connection is
        packets = 2 * len(ASKED)
        wait_for(lambda: os.path.exists(path) and
                 os.path.getsize(path) > packets * 60, what="the capture")
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=200)
    return said


def test_what_was_captured_on_the_wire():
    """captures of Wireshark's dumpcap, pcap and pcapng, of any port"""
    for kind in (["-P"], []):
        with tempfile.TemporaryDirectory(prefix="hf-") as folder, \
                Daemon(conf(REAL)) as real:
            path = os.path.join(folder, "a.pcap")
            port = real.port("tcp1")

            def work():
                with Modbus(port) as m:
                    return ask(m)
            said = capture(path, port, kind, work)
            with replayed(path, port=port) as d:
                compare(d, said)


# ---- captures that dumpcap does not make here ----

def mbap(tid, pdu):
    return struct.pack(">HHHB", tid, 0, len(pdu) + 1, 1) + pdu


def ipv4(proto, payload, out):
    client, server = bytes([10, 0, 0, 7]), bytes([10, 0, 0, 1])
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64,
                       proto, 0) + (server + client if out else
                                    client + server) + payload


def tcp(seq, out, data, flags=0x18):
    ports = (502, 40000) if out else (40000, 502)
    return ipv4(6, struct.pack(">HHIIHHHH", *ports, seq, 0, 5 << 12 | flags,
                               1000, 0, 0) + data, out)


def udp(out, data):
    ports = (502, 40000) if out else (40000, 502)
    return ipv4(17, struct.pack(">HHHH", *ports, 8 + len(data), 0) + data, out)


def pcap(path, link, packets, order="<", at_ms=(), magic=0xa1b2c3d4):
    """at_ms: when each was recorded; at the same time unless it is said"""
    tick = 1000 if magic == 0xa1b2c3d4 else 1000000
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535,
                            link))
        for i, p in enumerate(packets):
            s, ms = divmod(at_ms[i] if at_ms else 0, 1000)
            f.write(struct.pack(order + "IIII", 1 + s, ms * tick, len(p),
                                len(p)) + p)


def pcapng(path, packets, at_ms, order="<", resolution=None):
    """One section of one interface of raw IP; resolution: its if_tsresol."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        n = 12 + len(body)
        return struct.pack(order + "II", kind, n) + body + \
            struct.pack(order + "I", n)
    options, tick = b"", 1000000
    if resolution is not None:
        options = struct.pack(order + "HHBxxxHH", 9, 1, resolution, 0, 0)
        tick = 2 ** (resolution & 127) if resolution & 128 else \
            10 ** resolution
    with open(path, "wb") as f:
        f.write(block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0,
                                              -1)))
        f.write(block(1, struct.pack(order + "HHI", 101, 0, 0) + options))
        for p, ms in zip(packets, at_ms):
            t = (1000000 * 1000 + ms) * tick // 1000
            f.write(block(6, struct.pack(order + "IIIII", 0, t >> 32,
                                         t & 0xffffffff, len(p), len(p)) + p))


Q, A = bytes.fromhex("0300000001"), bytes.fromhex("03024711")
Q2, A2 = bytes.fromhex("0300000002"), bytes.fromhex("030400010002")
ETHER = bytes(12) + b"\x08\x00"
VLAN = bytes(12) + b"\x81\x00\x00\x07\x08\x00"
COOKED = bytes(14) + b"\x08\x00"
COOKED_2 = b"\x08\x00" + bytes(18)


def test_every_link_and_stream():
    """links, byte orders; frames in pieces, twice, pipelined and lost"""
    q, a, q2, a2 = mbap(1, Q), mbap(1, A), mbap(2, Q2), mbap(2, A2)
    # begun before the capture; a frame in two, the second sent twice; both
    # requests before both replies, which leave in one segment
    streams = [tcp(100, 0, q[:5]), tcp(105, 0, q[5:]), tcp(105, 0, q[5:]),
               tcp(112, 0, q2), tcp(900, 1, a + a2)]
    # a segment is lost: the rest of its frame is no frame
    gap = [tcp(99, 0, b"", 2), tcp(100, 0, mbap(7, Q)[:8]),
           tcp(400, 0, q2), tcp(900, 1, a2), tcp(912 + 1, 1, a)]
    datagrams = [udp(0, q), udp(0, q2), udp(1, a2), udp(1, a)]
    cases = [(link, [head + p for p in streams], order, {Q: A, Q2: A2})
             for link, head, order in (
                 (1, ETHER, "<"), (1, VLAN, ">"), (101, b"", "<"),
                 (113, COOKED, "<"), (276, COOKED_2, "<"),
                 (0, bytes(4), "<"))]
    cases += [(101, gap, "<", {Q2: A2}), (101, datagrams, ">", {Q: A, Q2: A2})]
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        for link, packets, order, want in cases:
            pcap(path, link, packets, order)
            with replayed(path) as d, Modbus(d.port("tcp1")) as m:
                for pdu in (Q, Q2):
                    own = bytes([3, 2 * pdu[4]]) + b"\0\5" * pdu[4]
                    assert m.request(pdu) == want.get(pdu, own), (link, pdu)


WRITE, REFUSED = bytes.fromhex("0600000007"), b"\x86\2"


def talk(path):
    """A capture of a read with its data and of a write that was refused."""
    pcap(path, 101, [tcp(100, 0, mbap(1, Q)), tcp(900, 1, mbap(1, A)),
                     tcp(112, 0, mbap(2, WRITE)),
                     tcp(911, 1, mbap(2, REFUSED))])


def test_roles_refuse_what_was_recorded():
    """MODBUS/TCP Security R-31: whom the role does not allow it gets 01, and
    neither data nor the exception that were recorded; and what is judged and
    logged is what was asked"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        talk(path)
        # a role may do what is recorded as refused, and nothing else
        with tls_case.daemon(roles={"operator": [{"fc": [6]}]},
                             plugins=["replay"],
                             options={"file": path}) as d:
            with tls_case.Client(d, tls_case.pki.plain) as m:
                assert m.request(Q) == b"\x83\1"
                assert m.request(WRITE) == b"\x86\1"
            d.wait_stderr("unit=1 fc=6")
            assert "fc=0" not in d.stderr_text()
            with tls_case.Client(d, tls_case.pki.client) as m:
                assert m.request(Q) == b"\x83\1"
                assert m.request(WRITE) == REFUSED
                refused = d.stderr_text().count("refused")
                assert m.request(WRITE) == REFUSED
                assert d.stderr_text().count("refused") == refused


def test_the_busy_and_the_faulty_refuse_what_was_recorded():
    """max_transactions and faults come before what was recorded, which goes on
    where it was"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        talk(path)
        with replayed(path) as d, Modbus(d.port("tcp1")) as m:
            d.rpc("faults.add", fc=[6], exception=4, count=1)
            assert m.request(WRITE) == b"\x86\4"
            assert m.request(WRITE) == REFUSED
            assert m.request(Q) == A
            assert m.read_hr(1) == [5]
        d = Daemon(conf(OTHER, plugins=["replay"], max_transactions=1,
                        options={"file": path}))
        with d, Modbus(d.port("tcp1")) as m:
            want = mbap(1, A) + mbap(1, b"\x83\6") + mbap(1, b"\x86\6")
            m.socket.sendall(mbap(1, Q) + mbap(1, Q) + mbap(1, WRITE))
            got = b""
            while len(got) < len(want):
                got += m.socket.recv(len(want) - len(got))
            assert got == want, got.hex()


def took_ms(m, pdu):
    began = time.monotonic()
    reply = m.request(pdu)
    return (time.monotonic() - began) * 1000, reply


TRIES = 20  # this machine may be late, but not always, and never early


def soonest(daemon, pdu, enough):
    """The least that the first request takes, of tries until it is enough."""
    found = []
    while len(found) < TRIES and (not found or min(found) >= enough):
        with daemon() as d, Modbus(d.port("tcp1")) as m:
            found.append(took_ms(m, pdu)[0])
    return min(found)


def exchange():
    """A read, and one more that was asked before the first was answered."""
    return [tcp(100, 0, mbap(1, Q)), tcp(112, 0, mbap(2, Q2)),
            tcp(900, 1, mbap(1, A)), tcp(911, 1, mbap(2, A2))]


def test_replies_take_as_long_as_they_took():
    """with "times" replies are as late as the device's were, or by a factor;
    what was asked before the last reply had left is counted from that"""
    at = [0, 10, 150, 270]
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")

        def both(m):
            return [took_ms(m, Q), took_ms(m, Q2)]
        for write in (lambda: pcap(path, 101, exchange(), "<", at),
                      lambda: pcap(path, 101, exchange(), ">", at, 0xa1b23c4d),
                      lambda: pcapng(path, exchange(), at),
                      lambda: pcapng(path, exchange(), at, ">", 9),
                      lambda: pcapng(path, exchange(), at, "<", 0x80 | 20)):
            write()
            for _ in range(TRIES):
                with replayed(path, times=True) as d, \
                        Modbus(d.port("tcp1")) as m:
                    (first, a), (second, a2) = both(m)
                    assert (a, a2) == (A, A2)
                    assert 149 < first and 119 < second, (first, second)
                if first < 230 and second < 200:
                    break
            assert first < 230 and second < 200, (first, second)
        pcap(path, 101, exchange(), "<", at)
        for times, least, most in ((False, 0, 60), (0, 0, 60), (2, 299, 400),
                                   (0.5, 74, 140)):
            took = soonest(lambda: replayed(path, times=times), Q, most)
            assert least <= took < most, times
        assert soonest(lambda: replayed(path), Q, 60) < 60
        # the trace tells when it left, and another client is not held up
        with replayed(path, times=2) as d, Modbus(d.port("tcp1")) as m:
            def alone():
                with Modbus(d.port("tcp1")) as other:
                    m.send(m.adu(Q))
                    took, _ = took_ms(other, ASKED[6])
                    assert m.receive()[2] == A
                return took < 290
            assert any(alone() for _ in range(TRIES))
            frames = d.rpc("trace.read")["frames"]
            sent = [f for f in frames if f["direction"] == "out"]
            assert max(f["us"] for f in sent) >= 300000, sent


def test_datagrams_and_lines_are_as_late():
    """so are replies over UDP; those of others are not"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        pcap(path, 101, exchange(), "<", [0, 10, 150, 270])
        c = conf(OTHER, plugins=["replay"],
                 options={"file": path, "times": True})
        c["transports"]["tcp1"]["type"] = "udp"
        with Daemon(c) as d, socket.socket(type=socket.SOCK_DGRAM) as s, \
                socket.socket(type=socket.SOCK_DGRAM) as other:
            for one in s, other:
                one.settimeout(100)
                one.connect(("127.0.0.1", d.port("tcp1")))

            def alone():
                began = time.monotonic()
                s.send(mbap(7, Q))
                other.send(mbap(8, ASKED[6]))
                assert other.recv(300) == mbap(8, ASKED[6])
                took = time.monotonic() - began
                assert s.recv(300) == mbap(7, A)
                assert time.monotonic() - began > 0.149
                return took < 0.14
            assert any(alone() for _ in range(TRIES))


def test_a_broadcast_that_was_refused():
    """is not carried out: unit 0 as it was recorded, else if all that were
    asked have refused; and in turn"""
    def wrote(m):
        return m.read_hr(0, unit=9) == [7]
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        ok, no = WRITE, REFUSED
        for recorded, want in (
                ([], [True]), ([(0, no)], [False]), ([(0, ok)], [True]),
                ([(0, no), (0, ok)], [False, True]), ([(3, no)], [False]),
                ([(3, no), (4, ok)], [True]), ([(3, no), (4, no)], [False]),
                ([(3, no), (0, ok)], [True])):
            packets = [tcp(100, 0, mbap(1, Q)), tcp(900, 1, mbap(1, A))]
            for i, (unit, reply) in enumerate(recorded):
                packets += [
                    tcp(112 + 12 * i, 0, mbap(2 + i, WRITE)[:6] +
                        bytes([unit]) + WRITE),
                    tcp(911 + sum(7 + len(r) for _, r in recorded[:i]), 1,
                        mbap(2 + i, reply)[:6] + bytes([unit]) + reply)]
            pcap(path, 101, packets)
            c = conf(OTHER, plugins=["replay"], broadcast=True,
                     options={"file": path})
            with Daemon(c) as d, Modbus(d.port("tcp1")) as m:
                for each in want:
                    m.write_hr(0, 5, unit=9)
                    m.send(m.adu(WRITE, unit=0))
                    assert wrote(m) == each, (recorded, want)


def test_the_check_of_a_configuration():
    """holdfastd -t tells what is wrong with the options, each at its place
    or at that of the plugins"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        file = os.path.join(folder, "c.json")

        def check(options):
            with open(file, "w") as f:
                f.write(json.dumps(conf(OTHER, plugins=["replay"],
                                        options=options), indent=1))
            done = subprocess.run(
                [os.path.join(sysutil.BUILD, "holdfastd"), "-t", "-c", file],
                capture_output=True, text=True, timeout=200)
            return done.returncode, done.stderr

        def at(word):
            """FILE:LINE:COL of the value that word is the key of"""
            with open(file) as f:
                for n, line in enumerate(f, 1):
                    if f'"{word}": ' in line:
                        return f"{file}:{n}:{line.index(': ') + 3}: "
            raise AssertionError(word)
        for make, says in (
                (lambda: None, "No such file"),
                (lambda: open(path, "wb").close(), "empty"),
                (lambda: open(path, "wb").write(b"x" * 99), "no pcap"),
                (lambda: pcap(path, 147, [b"x"]), "link type"),
                (lambda: pcap(path, 1, []), "no request with its reply")):
            make()
            code, err = check({"file": "a.pcap"})
            assert code == 78 and err.startswith(at("file")) and says in err \
                and err.count("\n") == 1, err
        os.remove(path)
        os.mkfifo(path)
        assert "no plain file" in check({"file": "a.pcap"})[1]
        os.remove(path)
        talk(path)
        assert check({"file": "a.pcap"}) == (0, "")
        assert check({"file": "a.pcap", "times": 1.5}) == (0, "")
        for key, value in (("port", 65536), ("port", "x"), ("times", "slow"),
                           ("times", -1), ("times", "inf")):
            code, err = check({"file": "a.pcap", key: value})
            assert code == 78 and err.startswith(at(key)), err
        code, err = check({"port": 502})
        assert code == 78 and err.startswith(at("plugins")), err


def test_what_is_no_recording():
    """a file that cannot be replayed is said, and the transport does not
    start"""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        path = os.path.join(folder, "a.pcap")
        for make, says in (
                (lambda: None, "No such file"),
                (lambda: open(path, "wb").close(), "empty"),
                (lambda: pcap(path, 147, [b"x"]), "link type"),
                (lambda: pcap(path, 1, []), "no request with its reply"),
                (lambda: open(path, "wb").write(b"x" * 99), "no pcap")):
            make()
            d = Daemon(conf(OTHER, plugins=["replay"],
                            options={"file": path}), ready=False)
            try:
                d.wait_stderr(says)
            finally:
                d.clean()
        # cut anywhere it is read as far as it goes, or refused
        whole = [tcp(100, 0, mbap(1, Q)), tcp(900, 1, mbap(1, A))]
        pcap(path, 101, whole)
        data = open(path, "rb").read()
        with open(path, "wb") as f:
            f.write(data + data[24:100])
        with replayed(path) as d, Modbus(d.port("tcp1")) as m:
            assert m.request(Q) == A


if __name__ == "__main__":
    sysutil.run()
