#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The trace: frames of every transport as they come and go, through a filter,
on the command line and for Wireshark, over the death of whoever had a part in
them."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tty
import urllib.request

import sysutil
import tls_case
from sysutil import Daemon, Modbus, wait_for

CONF = {
    "devices": {"plc1": {
        "coils": [{"addr": 0, "count": 64}],
        "holding_registers": [{"addr": 0, "count": 100, "value": 7}]}},
    "transports": {
        name: {"type": kind, "framer": framer, "listen": "127.0.0.1:0",
               "units": {"*": "plc1"}}
        for name, kind, framer in (
            ("tcp1", "tcp", "socket"), ("rtu1", "tcp", "rtu"),
            ("ascii1", "tcp", "ascii"), ("udp1", "udp", "socket"))},
}
READ = bytes.fromhex("0300000002")


def crc(data):
    value = 0xffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xa001 if value & 1 else 0)
    return struct.pack("<H", value)


def mbap(pdu):
    return struct.pack(">HHHB", 9, 0, len(pdu) + 1, 1) + pdu


def rtu(pdu):
    return b"\1" + pdu + crc(b"\1" + pdu)


def ascii_(pdu):
    adu = b"\1" + pdu
    adu += bytes([-sum(adu) & 0xff])
    return b":" + adu.hex().upper().encode() + b"\r\n"


def exchange(d, name, adu):
    """Sends one frame to a transport of whatever kind; the reply."""
    kind = CONF["transports"][name]["type"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp"
                       else socket.SOCK_STREAM) as s:
        s.settimeout(100)
        s.connect(("127.0.0.1", d.port(name)))
        s.sendall(adu)
        return s.recv(600)


def ask_all(d):
    exchange(d, "tcp1", mbap(READ))
    exchange(d, "rtu1", rtu(READ))
    exchange(d, "ascii1", ascii_(READ))
    exchange(d, "udp1", mbap(READ))
    exchange(d, "tcp1", mbap(bytes.fromhex("0303e70001")))


def traced(d, *args):
    """holdfast trace, running."""
    return subprocess.Popen(
        [os.path.join(sysutil.BUILD, "holdfast"), "trace", *args], env=d.env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def tshark(path, *fields):
    """What tshark makes of a file: a list of words for each frame."""
    if not shutil.which("tshark"):
        raise sysutil.Skip("no tshark")
    more = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-r", path, "-n", "-T", "fields", "-E", "occurrence=f",
         *more], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_every_transport_tells_its_frames():
    """time, peer, direction and fields of frames of every framer, by time"""
    with Daemon(CONF) as d:
        ask_all(d)
        got = d.rpc("trace.read")["frames"]
        assert [(f["transport"], f["direction"]) for f in got] == [
            (name, way) for name in ("tcp1", "rtu1", "ascii1", "udp1", "tcp1")
            for way in ("in", "out")], got
        for request, reply in zip(got[0:8:2], got[1:8:2]):
            assert request["text"] == "read 2 holding registers from 0"
            assert reply["values"] == [7, 7] and reply["addr"] == 0, reply
            assert 0 <= reply["us"] < 6e7 and request["us"] is None
            assert request["peer"] == reply["peer"]
            assert request["peer"].startswith("127.0.0.1:")
            assert 0 <= reply["at"] - request["at"] < 60
        assert got[-1]["exception"] == 2 and got[-1]["addr"] == 999
        assert [f["framer"] for f in got[1:8:2]] == [
            "socket", "rtu", "ascii", "socket"]
        only = d.rpc("trace.read", filter="fc == 3 && exception")["frames"]
        assert only == got[-1:]
        took = d.rpc("stats.get")["transports"]["tcp1"]["request_duration"]
        assert took["count"] == took["buckets"]["+Inf"] == 2 and took["sum"] > 0


def test_bytes_that_are_no_request():
    """what a framer has stepped over is there by itself, what is left as a
    connection ends, too; both are counted"""
    bad, good = b"\1\3\0\0\0\2\x78\x78", rtu(READ)
    line = b":010300000002FF\r\n"
    with Daemon(CONF) as d:
        exchange(d, "rtu1", bad + good)
        with socket.create_connection(("127.0.0.1", d.port("rtu1"))) as s:
            s.sendall(bad)
        exchange(d, "ascii1", line + ascii_(READ))
        def frames(name):
            return d.rpc("trace.read", transport=name,
                         filter='direction == "in"')["frames"]
        wait_for(lambda: len(frames("rtu1")) == 3)
        raw = [bytes.fromhex(f["adu"]) for f in frames("rtu1")]
        assert raw == [bad, good, bad], raw
        raw = [bytes.fromhex(f["adu"]) for f in frames("ascii1")]
        assert raw == [line, ascii_(READ)], raw
        stats = d.rpc("stats.get")["transports"]
        assert stats["rtu1"]["frames_bad"] == 2
        assert stats["ascii1"]["frames_bad"] == 1


def test_spoiled_replies_say_so():
    """a reply that a fault rule spoils, puts off or drops says so, and when it
    left"""
    with Daemon(CONF) as d:
        for name, adu in (("tcp1", mbap(READ)), ("rtu1", rtu(READ)),
                          ("udp1", mbap(READ))):
            d.rpc("faults.add", transport=name, delay_ms=200, count=1)
            exchange(d, name, adu)
            d.rpc("faults.add", transport=name, exception=6, count=1)
            exchange(d, name, adu)
            d.rpc("faults.add", transport=name, drop=True, count=1)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM
                               if name == "udp1" else socket.SOCK_STREAM) as s:
                s.connect(("127.0.0.1", d.port(name)))
                s.sendall(adu)
                wait_for(lambda: len(d.rpc(
                    "trace.read", transport=name)["frames"]) == 6, 10)
            exchange(d, name, adu)
            got = d.rpc("trace.read", transport=name,
                        filter='direction == "out"')["frames"]
            assert [f["fault"] for f in got] == [True] * 3 + [False], got
            assert 200e3 <= got[0]["us"] < 5e6, got[0]
            assert got[1]["exception"] == 6 and "fault rule" in got[1]["text"]
            assert got[2]["adu"] == "" and "no reply" in got[2]["text"], got
            assert got[3]["us"] < 200e3 and "rule" not in got[3]["text"]


def test_what_killed_a_worker_can_be_read():
    """frames of a worker that was killed are told, and recording goes on"""
    with Daemon(CONF) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(1, 4711)
            pid = d.worker_pid("tcp1")
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: d.worker_pid("tcp1") not in (None, pid))
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(1) == [4711]
        got = d.rpc("trace.read")["frames"]
        assert [f["text"] for f in got] == [
            "write holding register 1: 4711",
            "holding register 1 written: 4711",
            "read holding register 1", "holding register 1: 4711"], got
        assert got[0]["connection"] == got[1]["connection"]


def test_recording_is_switched_and_bounded():
    """trace.set switches it while clients work; what is overwritten is told"""
    conf = json.loads(json.dumps(CONF))
    conf["transports"]["tcp1"].update(trace=False, trace_kib=16)
    with Daemon(conf) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(0)
        assert d.rpc("trace.read")["frames"] == []
        on = d.rpc("trace.set", transport="tcp1", on=True)["on"]
        assert sorted(on) == ["ascii1", "rtu1", "tcp1", "udp1"], on
        m.read_hr(0)
        first = d.rpc("trace.read")
        assert len(first["frames"]) == 2 and not first["lost"]
        for i in range(300):
            m.read_hr(i % 100)
        then = d.rpc("trace.read", since=first["next"])
        assert then["lost"] and 50 < len(then["frames"]) < 600
        assert then["frames"][-1]["addr"] == 99
        assert d.rpc("trace.set", on=False)["on"] == []
        m.read_hr(0)
        assert d.rpc("trace.read", since=then["next"])["frames"] == []


def test_the_command_follows():
    """holdfast trace prints what comes, through a filter, until interrupted,
    and goes on when the control process has been replaced"""
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(50)  # from before it came
        run = traced(d, "tcp1", "--filter", "fc == 6", "-o", "json")
        n = 0

        def line():
            nonlocal n
            n += 1
            m.write_hr(3, n)
            m.read_hr(3)
            return sysutil.select.select([run.stdout], [], [], 0.02)[0]
        wait_for(line, what="a line")
        first = json.loads(run.stdout.readline())
        assert first["function"] == 6 and first["direction"] == "in", first
        control = d.child("control")
        os.kill(control, signal.SIGKILL)
        wait_for(lambda: d.cli("ping", ok=False).returncode == 0)
        m.write_hr(3, 60000)
        seen = [first]
        while seen[-1]["values"] != [60000] or seen[-1]["direction"] == "in":
            seen.append(json.loads(run.stdout.readline()))
        # each request and each reply once, in order, over the gap
        values = [f["values"][0] for f in seen]
        assert values[0::2] == values[1::2] == sorted(set(values)), values
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=200)
        assert run.returncode == 0 and out == "" and err == "", (out, err)


def test_the_command_prints_and_counts():
    """--since, --count, --hex, csv and mistakes"""
    with Daemon(CONF) as d:
        ask_all(d)
        lines = d.cli("trace", "--since", "all", "--count",
                      "10").stdout.splitlines()
        assert len(lines) == 10
        cells = lines[1].split("\t")
        assert cells[1] == "tcp1" and cells[3] == "out", cells
        assert cells[6] == "2 holding registers from 0: 7 7", cells
        done = d.cli("-o", "csv", "trace", "udp1", "--since", "5m", "--hex",
                     "--count", "1").stdout.splitlines()
        assert done[0] == "TIME,TRANSPORT,PEER,DIR,UNIT,US,FRAME"
        assert done[1].endswith(mbap(READ).hex()), done
        for words, code, says in (
                (["--filter", "fc=3"], 1, "column 3"),
                (["--since", "soon"], 64, "how long ago"),
                (["--count", "0"], 64, "number of frames"),
                (["none"], 1, "none"),
                (["--pcap", "/nowhere/x"], 73, "No such file")):
            done = d.cli("trace", *words, ok=False)
            assert done.returncode == code and says in done.stderr, done
        d.stop()
        assert d.cli("trace", ok=False).returncode == 69


def test_wireshark_takes_it_apart():
    """--pcap is Modbus to tshark, without a word from us, whatever the framer
    and the transport, and so is the download"""
    conf = dict(CONF, http={"listen": "127.0.0.1:0"})
    with Daemon(conf) as d:
        path = os.path.join(d.dir, "t.pcap")
        ask_all(d)
        exchange_junk(d)
        d.cli("trace", "--since", "all", "--count", "11", "--pcap", path)
        got = tshark(path, "_ws.col.Protocol", "modbus.func_code",
                     "modbus.exception_code", "udp.dstport", "_ws.col.Info")
        assert [g[0] for g in got[:10]] == [
            p for p in ("Modbus/TCP", "Modbus RTU", "Modbus RTU", "Modbus/UDP",
                        "Modbus/TCP") for _ in range(2)], got
        assert all(g[1] == "3" for g in got[:10]), got
        assert got[9][2] == "2", got
        for query, response in zip(got[0:10:2], got[1:10:2]):
            assert "Query" in query[4] and "Response" in response[4], got
        assert "Modbus" not in got[10][0] and got[10][1] == "", got
        values = tshark(path, "modbus.regval_uint16")
        assert [v[0] for v in values[1:8:2]] == ["7"] * 4, values
        with urllib.request.urlopen(
                d.rpc("system.info")["http"] + "api/v1/trace.pcap"
                "?transport=rtu1&filter=fc%3D%3D3") as reply:
            assert "trace.pcap" in reply.headers["Content-Disposition"]
            with open(path, "wb") as f:
                f.write(reply.read())
        got = tshark(path, "_ws.col.Protocol", "modbus.func_code")
        assert got == [["Modbus RTU", "3"]] * 2, got


def test_tls_and_serial_lines():
    """what TLS carries is told in the clear; a line's peer is its device, and
    what others say on it is told, too, and told apart"""
    with tls_case.daemon() as d:
        with tls_case.Client(d, tls_case.pki.client) as m:
            m.read_hr(0, 2)
        path = os.path.join(d.dir, "t.pcap")
        got = d.rpc("trace.read")["frames"]
        assert [f["type"] for f in got] == ["tls"] * 2, got
        assert got[0]["text"] == "read 2 holding registers from 0", got
        d.cli("trace", "--since", "all", "--count", "2", "--pcap", path)
        assert tshark(path, "_ws.col.Protocol", "modbus.func_code") == [
            ["Modbus/TCP", "3"]] * 2
    master, line = os.openpty()
    tty.setraw(line)
    conf = dict(CONF, transports={"line1": {
        "type": "serial", "port": os.ttyname(line), "baudrate": 115200,
        "units": {"1": "plc1"}}})
    with Daemon(conf) as d:
        other = b"\x11" + READ
        os.write(master, other + crc(other))  # for another station
        wait_for(lambda: d.rpc("trace.read")["frames"])
        os.write(master, rtu(READ))
        got = wait_for(lambda: d.rpc("trace.read", filter="unit == 1")
                       ["frames"][1:])
        assert got[0]["values"] == [7, 7] and got[0]["type"] == "serial", got
        assert got[0]["peer"] == os.ttyname(line), got
        first = d.rpc("trace.read")["frames"][0]
        assert first["unit"] == 17 and first["text"] == (
            "not for us: read 2 holding registers from 0"), first
        path = os.path.join(d.dir, "t.pcap")
        d.cli("trace", "--since", "all", "--count", "3", "--pcap", path)
        assert tshark(path, "_ws.col.Protocol", "ip.dst") == [
            ["Modbus RTU", "192.0.2.1"]] * 2 + [
                ["Modbus RTU", tshark(path, "ip.src")[0][0]]]
    for fd in (master, line):
        os.close(fd)


def exchange_junk(d):
    """A datagram that is no frame; when it has been recorded."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"junk", ("127.0.0.1", d.port("udp1")))
        wait_for(lambda: d.rpc("trace.read", filter="!fc")["frames"])


if __name__ == "__main__":
    sysutil.run()
