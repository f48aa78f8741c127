#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire, as somebody else's decoder sees it: conversations
of several clients are recorded on the loopback interface and tshark takes
them apart. No reply may be malformed, and every request has its own."""
import collections
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sys_clients  # noqa: E402
import sysutil  # noqa: E402
from sysutil import BUILD, Daemon, Modbus  # noqa: E402

FIELDS = ["frame.number", "tcp.stream", "tcp.srcport", "mbtcp.trans_id",
          "mbtcp.prot_id", "mbtcp.unit_id", "modbus.func_code",
          "modbus.exception_code", "_ws.malformed", "_ws.expert.severity",
          "tcp.payload"]
ERROR = 8388608  # severity of an expert's finding
# A last request and its reply, which are not counted: the recorder is behind,
# and what it has not read when it is told to end is lost.
LAST_TID, LAST_FC = 0xfeed, 100
LAST_REPLY = struct.pack(">HHHBBB", LAST_TID, 0, 3, 1, LAST_FC | 0x80, 1)


class Recording:
    """Everything on a port of the loopback interface, while in the block."""

    def __init__(self, port):
        self.port = port
        self.path = os.path.join(BUILD, "tests", "wire.%d.pcapng" % os.getpid())
        for program in ("dumpcap", "tshark"):
            assert shutil.which(program), program + " is not installed"

    def __enter__(self):
        self.process = subprocess.Popen(
            ["dumpcap", "-q", "-i", "lo", "-B", "64", "-f",
             "tcp port %d" % self.port, "-w", self.path],
            stderr=subprocess.PIPE, text=True)
        said = ""
        for line in self.process.stderr:
            said += line
            if line.startswith("File:"):
                return self
        self.process.wait()
        raise AssertionError(
            "capturing on lo is not possible here (as root it is):\n" + said)

    def seen_last(self):
        with open(self.path, "rb") as f:
            f.seek(max(0, os.path.getsize(self.path) - 4096))
            return LAST_REPLY in f.read()

    def __exit__(self, kind, *_):
        if kind is None:
            with Modbus(self.port) as m:
                m.send(m.adu(bytes([LAST_FC]), tid=LAST_TID))
                m.receive()
                sysutil.wait_for(self.seen_last, 10, "the last packet")
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read()
        self.process.wait()
        self.process.stderr.close()
        if kind is not None:
            return
        dropped = re.search(r"received/dropped on interface .*: \d+/(\d+)",
                            said)
        assert dropped and dropped.group(1) == "0", said

    def packets(self):
        """Dicts of FIELDS; those that may occur often are lists."""
        done = subprocess.run(
            ["tshark", "-r", self.path, "-n", "-d",
             "tcp.port==%d,mbtcp" % self.port, "-o",
             "mbtcp.tcp.port:%d" % self.port, "-T", "fields", "-E",
             "occurrence=a", *[a for f in FIELDS for a in ("-e", f)]],
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.splitlines():
            yield {name: text.split(",") if text else []
                   for name, text in zip(FIELDS, line.split("\t"))}

    def remove(self):
        os.unlink(self.path)


class Verdict:
    """What a recording shows: requests, replies, and what is wrong."""

    def __init__(self, recording):
        self.requests = self.replies = self.exceptions = 0
        self.functions = set()
        self.wrong = []
        self.waiting = collections.defaultdict(collections.deque)
        self.unfinished = collections.defaultdict(bytes)
        for packet in recording.packets():
            self.packet(packet, recording.port)
        for stream, left in self.waiting.items():
            if left:
                self.wrong.append("connection %s: %d requests unanswered: %s"
                                  % (stream, len(left), list(left)[:3]))

    def asked(self, stream, payload):
        """Takes requests from the bytes themselves: among them are some that
        are wrong on purpose, or come in pieces that a decoder gives up on."""
        data = self.unfinished[stream] + payload
        while len(data) >= 8:
            tid, _, length, unit, fc = struct.unpack(">HHHBB", data[:8])
            if len(data) < 6 + length:
                break
            data = data[6 + length:]
            if (tid, fc) != (LAST_TID, LAST_FC):
                self.requests += 1
                self.waiting[stream].append((tid, unit, fc & 0x7f))
        self.unfinished[stream] = data

    def packet(self, p, port):
        stream = p["tcp.stream"][0]
        if p["tcp.srcport"] != [str(port)]:
            for payload in p["tcp.payload"]:
                self.asked(stream, bytes.fromhex(payload))
            return
        adus = [tuple(map(int, adu)) for adu in zip(
            p["mbtcp.trans_id"], p["mbtcp.unit_id"], p["modbus.func_code"])]
        if adus and adus[0] == (LAST_TID, 1, LAST_FC):
            return
        where = "packet %s" % p["frame.number"][0]
        if p["_ws.malformed"]:
            self.wrong.append(where + ": malformed")
        if any(int(s) >= ERROR for s in p["_ws.expert.severity"]):
            self.wrong.append(where + ": an expert's error")
        if len(p["mbtcp.trans_id"]) != len(p["modbus.func_code"]) or any(
                i != "0" for i in p["mbtcp.prot_id"]):
            self.wrong.append(where + ": a header without its PDU: %r" % p)
        self.exceptions += len(p["modbus.exception_code"])
        for adu in adus:
            self.replies += 1
            self.functions.add(adu[2])
            want = (self.waiting[stream].popleft()
                    if self.waiting[stream] else None)
            if adu != want:
                self.wrong.append("%s: reply %r, but asked was %r" % (
                    where, adu, want))

    def check(self, least):
        print("    %d requests, %d replies, %d of them exceptions; "
              "function codes %s" % (self.requests, self.replies,
                                     self.exceptions, sorted(self.functions)))
        assert not self.wrong, "\n".join(self.wrong[:20])
        assert self.requests == self.replies >= least, (self.requests,
                                                        self.replies)


def judge(recording, least):
    verdict = Verdict(recording)
    verdict.check(least)
    recording.remove()
    return verdict


def test_conversations_of_real_clients():
    "tshark finds nothing wrong in what real clients and the daemon say"
    with Daemon(sys_clients.conf()) as d:
        port = d.port("tcp1")
        with Recording(port) as recording:
            sys_clients.run_client(
                [os.path.join(BUILD, "tests", "clients", "lm"), str(port)])
            sys_clients.run_serial(port)
            assert sys_clients.mbpoll(
                port, "-t", 4, "-r", 10, values=[1, 2, 3])[0] == 0
            sys_clients.pymodbus_reads_and_writes(port)
            sys_clients.pymodbus_diagnostics(port)
        verdict = judge(recording, 80)
    want = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24,
            43}
    assert want <= verdict.functions, want - verdict.functions


def test_many_requests_in_one_read():
    "replies to requests that came in one packet are all there, in order"
    with Daemon(bt.bench_conf()) as d:
        with Recording(d.port("tcp1")) as recording:
            got = bt.load(d.port("tcp1"), conns=8, depth=16, seconds=0.02,
                          warm=0, verify=True)
            assert not got["errors"], got
            wrote = bt.load(d.port("tcp1"), conns=8, depth=16, seconds=0.02,
                            warm=0, fc=16, count=10, verify=True)
            assert not wrote["errors"], wrote
        # what each connection asks at first is answered on any machine
        verdict = judge(recording, 2 * 8 * 16)
        assert verdict.replies == got["served"] + wrote["served"]


def test_requests_in_pieces():
    "requests that come in pieces, or glued together, are each answered once"
    with Daemon(sys_clients.conf()) as d:
        with Recording(d.port("tcp1")) as recording:
            with Modbus(d.port("tcp1")) as m:
                one = m.adu(struct.pack(">BHH", 3, 0, 10))
                for byte in one:
                    m.send(bytes([byte]))
                assert m.receive()[0] == m.tid
                glued = b"".join(m.adu(struct.pack(">BHH", 4, 0, i + 1))
                                 for i in range(8))
                for cut in range(1, len(glued), 7):
                    m.send(glued[:cut])
                    m.send(glued[cut:])
                    for _ in range(8):
                        m.receive()
        judge(recording, 100)


def test_wrong_requests():
    "replies to wrong requests are well-formed exceptions with their own ids"
    wrong = [bytes([fc]) for fc in range(1, 128) if fc not in (8, 11, 12, 7,
                                                               17)]
    wrong += [struct.pack(">BHH", 3, 0, 0), struct.pack(">BHH", 3, 0, 126),
              struct.pack(">BHH", 3, 65535, 2), struct.pack(">BHH", 5, 0, 1),
              struct.pack(">BHHB", 16, 0, 2, 3) + bytes(3),
              bytes([43, 14, 9, 0]), bytes([43, 13, 0]),
              struct.pack(">BHH", 8, 19, 0), bytes([0]), bytes([200, 1])]
    with Daemon(sys_clients.conf()) as d:
        with Recording(d.port("tcp1")) as recording:
            with Modbus(d.port("tcp1")) as m:
                for pdu in wrong:
                    reply = m.request(pdu)
                    assert reply[0] == pdu[0] | 0x80 and len(reply) == 2, (
                        pdu, reply)
                assert m.read_hr(0, 1) == [0]
        verdict = judge(recording, len(wrong))
        assert verdict.exceptions >= len(wrong) - 2, verdict.exceptions


if __name__ == "__main__":
    sysutil.run()
