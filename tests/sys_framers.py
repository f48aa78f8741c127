#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Any framer on any transport: one daemon serves every pair at once, from
the same registers, and each of them is asked the same things."""
import asyncio
import struct
import sys
import time

sys.dont_write_bytecode = True
import peers  # noqa: E402
import sysutil  # noqa: E402
from everything import KINDS, STREAMS, Everything  # noqa: E402
from peers import fc3, fc6, fc8, fc16  # noqa: E402

MISSING = 9
JUNK = {
    # a protocol identifier that is not 0
    "socket": bytes.fromhex("0001 0002 0006 01 03 0000 0001"),
    # noise, and a good length with a wrong check
    "rtu": b"\xff\x00\xfe" + peers.Rtu.encode(1, fc3(0))[:-1] + b"\0",
    "ascii": b"\0\xff:0103000001\r\n01:",
}
JUNK["tls"] = JUNK["socket"]


SAME = [  # what each pair is asked, and what it says
    (fc16(100, [1, 2, 65535]), "10 0064 0003"),
    (fc3(100, 3), "03 06 0001 0002 ffff"),
    (fc6(101, 0xa55a), "06 0065 a55a"),
    (struct.pack(">BHHH", 22, 101, 0xff00, 0x0012), "16 0065 ff00 0012"),
    (struct.pack(">BHHHHBH", 23, 100, 2, 102, 1, 2, 0x0d0a),
     "17 04 0001 a512"),
    (fc3(101, 2), "03 04 a512 0d0a"),
    (struct.pack(">BHH", 4, 0, 2), "04 04 0007 0007"),
    (struct.pack(">BHH", 2, 0, 9), "02 02 05 00"),
    (struct.pack(">BHHBB", 15, 3, 5, 1, 0b10101), "0f 0003 0005"),
    (struct.pack(">BHH", 5, 4, 0xff00), "05 0004 ff00"),
    (struct.pack(">BHH", 1, 3, 5), "01 01 17"),
    (fc3(300, 125), "03 fa" + 125 * " 0000"),
    (fc16(200, [0] * 123), "10 00c8 007b"),
    (struct.pack(">BHH", 1, 0, 2000), "01 fa b8" + 249 * " 00"),
    (fc8(0, 0x3a0d), "08 0000 3a0d"),
    (fc3(5000), "83 02"), (fc3(0, 126), "83 03"), (b"\x63", "e3 01"),
    (fc16(999, [1, 2]), "90 02"),
]


def test_functions_and_exceptions():
    """every pair reads, writes and refuses alike, longest frames included"""
    def ask(m, _at):
        for pdu, want in SAME:
            got = m.ask(1, pdu)
            assert got == bytes.fromhex(want), (pdu.hex(), got.hex(), want)
    with Everything() as e:
        e.each(ask)


def test_one_set_of_registers():
    "what is written over one pair is read over all others"
    with Everything() as e:
        want = [0x3a0d - i for i in range(len(e.pairs))]

        def look(m, _at):
            assert m.read_hr(2, 0, len(want)) == want
        e.each(lambda m, at: m.write_hr(2, at, [want[at]]))
        e.each(look)


def burst(m, first, n):
    return b"".join(
        m.framer.encode(1, fc6(i % 100, i & 0xffff) if i % 2 else
                        fc3(i % 100, 5), first + i) for i in range(n))


def test_pipelining():
    "streams: three hundred requests in one write are answered in order"
    def ask(m, _at):
        m.channel.send(burst(m, 1, 300))
        for i in range(300):
            got = m.expect(1, tid=1 + i)
            assert (got == fc6(i % 100, i) if i % 2 else
                    got[:2] == b"\x03\x0a"), (i, got.hex())
    with Everything() as e:
        e.each(ask, STREAMS)


def test_pieces():
    "streams: requests that come a byte at a time are answered"
    def ask(m, _at):
        for b in burst(m, 1, 10):
            m.channel.send(bytes([b]))
        for i in range(10):
            m.expect(1, tid=1 + i)
    with Everything() as e:
        e.each(ask, STREAMS)


def test_junk():
    """what is no frame is not answered, and a good request behind it is; but
    a hopeless header ends a connection"""
    def ask(m, _at):
        m.write_hr(1, 0, [77])
        junk, good = JUNK[m.framer.name], m.framer.encode(1, fc3(0), 4711)
        m.channel.send(junk)
        if m.kind in STREAMS and m.framer.name in ("socket", "tls"):
            assert m.ended() and m.got == b""
            return
        m.channel.pause()
        m.channel.send(good)
        assert m.expect(1, tid=4711) == b"\x03\x02\0\x4d"
        m.mute(MISSING, b"\x03", 1)
    with Everything(missing_unit="silent") as e:
        e.each(ask)
        e.each(lambda m, _at: m.read_hr(1, 0))  # those cut off came back


def test_junk_at_once():
    "streams: rtu and ascii find a request that stands right behind junk"
    def ask(m, _at):
        junk, good = JUNK[m.framer.name], m.framer.encode(1, fc3(0))
        for i in range(20):
            m.channel.send(junk + good + junk * (i % 3) + good + good)
            for _ in range(3):
                assert m.expect(1) == b"\x03\x02\0\0"
            assert m.got == b""
    with Everything(framers=("rtu", "ascii")) as e:
        e.each(ask, STREAMS)


def silence(m):
    "On a line: for as long as it takes that nothing more is waited for."
    m.channel.pause()
    if m.kind == "line" and m.framer.name != "ascii":
        # time itself ends it: adapters make gaps of up to 100 ms
        time.sleep(0.15)


def test_half_frames():
    """half a frame: a connection waits for the rest; a datagram is no frame,
    and two of them are not one; on a line silence ends it"""
    with Everything() as e:
        def ask(m, at):
            whole = m.framer.encode(2, fc6(at, 1000 + at), 99)
            for cut in (1, 4, len(whole) - 1):
                m.write_hr(2, at, [at])
                m.channel.send(whole[:cut])
                # elsewhere time goes by
                with e.open("tcp", "socket") as other:
                    assert other.read_hr(2, at) == [at]
                if m.kind in STREAMS:
                    m.channel.send(whole[cut:])
                    assert m.expect(2, tid=99) == fc6(at, 1000 + at)
                    continue
                silence(m)
                if m.kind != "line" or m.framer.name != "ascii":
                    m.channel.send(whole[cut:])
                    silence(m)
                assert m.read_hr(2, at) == [at], cut
                assert m.got == b"", m.got.hex()
        e.each(ask)


def test_broadcast():
    """unit 0, where it broadcasts: every device writes, nobody answers,
    reads do nothing; it is counted"""
    def ask(m, at):
        m.mute(0, fc6(at, 500 + at), 1)
        m.mute(0, fc16(100 + at, [600 + at]), 2)
        m.mute(0, fc3(0), 1)
        for unit in (1, 2):
            assert m.read_hr(unit, at) == [500 + at]
            assert m.read_hr(unit, 100 + at) == [600 + at]
    with Everything(broadcast=True) as e:
        e.each(ask)
        counts = {n: s["broadcasts"] for n, s in e.stats().items()}
        assert set(counts.values()) == {3}, counts


def test_unit_0_is_a_unit():
    "without broadcast unit 0 is a unit like any other"
    def ask(m, at):
        m.write_hr(0, at, [at + 1])
        assert m.read_hr(0, at) == [at + 1]
        assert m.read_hr(1, at) == [0]
    with Everything(units={"0": "plc1", "1": "plc2"}) as e:
        e.each(ask)


def test_missing_units_are_met_with_silence():
    "a unit that is not served is met with silence where that is wanted"
    def ask(m, _at):
        for unit in (0, 3, 247, 255):
            m.mute(unit, fc3(0), 1)
    with Everything(missing_unit="silent") as e:
        e.each(ask)


def test_missing_units_are_answered():
    "a unit that is not served is answered 0B where that is wanted"
    def ask(m, _at):
        for unit in (0, 3, 247, 255):
            assert m.ask(unit, fc3(0)) == b"\x83\x0b"
    with Everything(missing_unit="exception") as e:
        e.each(ask)


def test_missing_units_by_default():
    "by default a unit that is not served is 0B, but on serial lines silence"
    def ask(m, _at):
        if m.kind in ("line", "pipe"):
            m.mute(MISSING, fc3(0), 1)
        else:
            assert m.ask(MISSING, fc3(0)) == b"\x83\x0b"
    with Everything() as e:
        e.each(ask)


# pymodbus

def pymodbus_client(e, kind, framer):
    from pymodbus import client
    from pymodbus.transaction import (ModbusAsciiFramer, ModbusRtuFramer,
                                      ModbusSocketFramer)
    framers = {"socket": ModbusSocketFramer, "tls": ModbusSocketFramer,
               "rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}
    to = {"host": "127.0.0.1", "port": e.daemon.port(kind + "-" + framer),
          "framer": framers[framer], "timeout": 5}
    if kind == "tls":
        # its other one waits for the socket while TLS has the bytes already
        return InTurn(lambda: client.AsyncModbusTlsClient(
            **to, sslctx=e.context, server_hostname="127.0.0.1"))
    make = {"tcp": client.ModbusTcpClient, "pipe": client.ModbusTcpClient,
            "udp": client.ModbusUdpClient}
    return make[kind](**to)


class InTurn:
    """An asynchronous client whose calls are waited for."""

    def __init__(self, make):
        self.loop = asyncio.new_event_loop()
        self.client = self.wait(self.made(make))

    @staticmethod
    async def made(make):
        return make()

    def wait(self, what):
        return self.loop.run_until_complete(asyncio.wait_for(what, 10))

    def connect(self):
        self.wait(self.client.connect())
        return self.client.connected

    def close(self):
        self.wait(self.client.close())
        self.loop.close()

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.wait(
            getattr(self.client, name)(*args, **kwargs))


def pymodbus_asks(c, at):
    values = [at, 0x3a0d, 0xffff, 0x0a3a]
    assert not c.write_registers(at, values, slave=1).isError()
    got = c.read_holding_registers(at, 4, slave=1)
    assert got.registers == values, got
    assert not c.write_coil(at, True, slave=2).isError()
    assert c.read_coils(at, 1, slave=2).bits[0]
    assert c.read_input_registers(7, 1, slave=1).registers == [7]
    assert c.read_holding_registers(5000, 1, slave=1).exception_code == 2


def test_pymodbus():
    """pymodbus's clients with each of its framers over TCP, TLS and UDP (its
    own framer for TLS leaves out the header, which the standard keeps)"""
    kinds = [k for k in KINDS if k not in ("line", "unix")]
    with Everything(kinds) as e:
        for at, (kind, framer) in enumerate(e.pairs):
            c = pymodbus_client(e, kind, framer)
            assert c.connect(), (kind, framer)
            try:
                pymodbus_asks(c, at)
            except Exception as why:
                raise AssertionError("%s over %s" % (framer, kind)) from why
            finally:
                c.close()


if __name__ == "__main__":
    sysutil.run()
