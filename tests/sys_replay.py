#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Replay: a transport answers as a device did whose traffic was captured, by
Holdfast itself or on the wire."""

import os
import shutil
import signal
import struct
import subprocess
import tempfile

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
        run.communicate(timeout=20)
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


def pcap(path, link, packets, order="<"):
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535,
                            link))
        for p in packets:
            f.write(struct.pack(order + "IIII", 1, 0, len(p), len(p)) + p)


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
