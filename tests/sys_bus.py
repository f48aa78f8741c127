#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A shared serial line: a master and three other slaves talk on it, with
noise, bad checks and pieces between, and two of the units are ours. They must
answer exactly what is asked of them, once each, and nothing else.

    sys_bus.py [WORD...] [--bytes=N] [--seed=N]	(100 000; torture a million)

What fails says with which seed, and after how many steps.
"""
import random
import struct
import sys
import time

sys.dont_write_bytecode = True
import peers  # noqa: E402
import sysutil  # noqa: E402
from peers import FRAMERS, Line, fc3, fc6, fc8, fc16  # noqa: E402
from sysutil import Daemon  # noqa: E402


def option(name, default):
    return next((int(a.split("=")[1]) for a in sys.argv[1:]
                 if a.startswith("--%s=" % name)), default)


BYTES = option("bytes", 100_000)
SEED = option("seed", 20261122)
OURS, OTHERS = (17, 18), (5, 6, 200)
REGS = 200


def conf(port, framer, **more):
    regs = {"holding_registers": [{"addr": 0, "count": REGS}],
            "coils": [{"addr": 0, "count": REGS}]}
    return {
        "devices": {"plc1": regs, "plc2": dict(regs)},
        "transports": {
            "line1": {"type": "serial", "port": port, "framer": framer,
                      "baudrate": 115200, "broadcast": True,
                      "units": {str(OURS[0]): "plc1", str(OURS[1]): "plc2"},
                      **more},
            "tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                     "units": {"1": "plc1", "2": "plc2"}}},
    }


class Slave:
    """What a station holds, and what it answers."""

    def __init__(self):
        self.regs = [0] * REGS
        self.coils = [0] * REGS

    def serve(self, pdu):
        fc, addr, n = struct.unpack(">BHH", pdu[:5])
        if fc not in (1, 3, 5, 6, 15, 16):
            return bytes([fc | 0x80, 1])
        count = n if fc in (1, 3, 15, 16) else 1
        if addr + count > REGS:
            return bytes([fc | 0x80, 2])
        return getattr(self, "fc%d" % fc)(addr, n, pdu)

    def fc1(self, addr, n, _pdu):
        data = bytearray((n + 7) // 8)
        for i in range(n):
            data[i // 8] |= self.coils[addr + i] << i % 8
        return bytes([1, len(data)]) + data

    def fc3(self, addr, n, _pdu):
        return struct.pack(">BB%dH" % n, 3, 2 * n, *self.regs[addr:addr + n])

    def fc5(self, addr, n, pdu):
        self.coils[addr] = 1 if n else 0
        return pdu

    def fc6(self, addr, n, pdu):
        self.regs[addr] = n
        return pdu

    def fc15(self, addr, n, pdu):
        for i in range(n):
            self.coils[addr + i] = pdu[6 + i // 8] >> i % 8 & 1
        return pdu[:5]

    def fc16(self, addr, n, pdu):
        self.regs[addr:addr + n] = struct.unpack(">%dH" % n, pdu[6:])
        return pdu[:5]


def cut(frame, at):
    """The first bytes of a frame. A CRC that ends with 0 is good without
    that, too: then one less."""
    part = frame[:at]
    if len(part) > 3 and peers.crc16(part[:-2]) == part[-2:]:
        return part[:-1]
    return part


class Traffic:
    """Says what comes next on the line: a list of frames and, where one of
    ours is asked, the reply. The last frame alone is for us."""

    def __init__(self, framer, seed):
        self.framer = FRAMERS[framer]
        self.random = random.Random(seed)
        self.ours = {u: Slave() for u in OURS}
        self.look_at = None  # the last broadcast, if nobody has looked yet

    def frame(self, unit, pdu):
        return self.framer.encode(unit, pdu)

    def trap(self, n):
        """Registers that hold good requests to us, one behind the other."""
        data = b"\xff" * self.random.randrange(3)
        while len(data) < 2 * n:
            unit = self.random.choice(OURS)
            data += peers.Rtu.encode(unit, self.random.choice(
                [fc6(self.random.randrange(REGS), 0xdead), fc3(0, 1),
                 fc16(3, [0xdead])]))
        return struct.unpack(">%dH" % n, data[:2 * n])

    def values(self, n):
        how = self.random.randrange(4)
        if how == 0:
            return self.trap(n)
        if how == 1:
            return (self.random.choice([0, 0xffff, 0x3a0d, 0x0a3a]),) * n
        return tuple(self.random.randrange(65536) for _ in range(n))

    def request(self):
        r = self.random
        fc = r.choice([1, 3, 3, 3, 5, 6, 6, 15, 16, 16])
        n = r.choice([1, 2, 10, r.randrange(1, 124)])
        addr = r.randrange(REGS - n + 1)
        if fc == 5:
            return struct.pack(">BHH", 5, addr, r.choice([0, 0xff00]))
        if fc == 6:
            return fc6(addr, self.values(1)[0])
        if fc == 15:
            data = r.randbytes((n + 7) // 8)
            return struct.pack(">BHHB", 15, addr, n, len(data)) + data
        if fc == 16:
            return fc16(addr, self.values(n))
        return struct.pack(">BHH", fc, addr, n)

    def exchange(self, answered=True):
        """Another slave is asked and, mostly, answers."""
        unit, pdu = self.random.choice(OTHERS), self.request()
        frames = [self.frame(unit, pdu)]
        if answered or self.random.random() < 0.9:
            frames.append(self.frame(unit, self.foreign_reply(pdu)))
        return frames

    def foreign_reply(self, pdu):
        fc, _, n = struct.unpack(">BHH", pdu[:5])
        if self.random.random() < 0.05:
            return bytes([fc | 0x80, self.random.choice([1, 2, 3, 4, 6])])
        if fc == 3:
            return struct.pack(">BB%dH" % n, 3, 2 * n, *self.values(n))
        if fc == 1:
            data = self.random.randbytes((n + 7) // 8)
            return bytes([1, len(data)]) + data
        return pdu[:5]

    def broadcast(self):
        pdu = self.request()
        if pdu[0] not in (1, 3):
            for slave in self.ours.values():
                slave.serve(pdu)
        self.look_at = pdu
        return [self.frame(0, pdu)]

    def asked(self):
        """One of ours is asked: the frame, and what it must say. After a
        broadcast, what has become of that."""
        unit = self.random.choice(OURS)
        pdu = self.request()
        if self.look_at:
            fc, addr, n = struct.unpack(">BHH", self.look_at[:5])
            pdu = struct.pack(">BHH", 3 if fc in (3, 6, 16) else 1, addr,
                              n if fc in (1, 3, 15, 16) else 1)
            self.look_at = None
            return (self.framer.encode(unit, pdu),
                    self.framer.encode(unit, self.ours[unit].serve(pdu)))
        if self.random.random() < 0.05:
            pdu = self.random.choice([fc3(REGS, 1), b"\x63\x00\x00\x00\x00"])
        return (self.framer.encode(unit, pdu),
                self.framer.encode(unit, self.ours[unit].serve(pdu)))

    def spoilt(self):
        """What must be nobody's: noise, a wrong check, half a frame."""
        r = self.random
        unit = r.choice(OURS + OTHERS)
        good = self.framer.encode(unit, self.request())
        how = r.randrange(4)
        if how == 0:
            return r.randbytes(r.choice([1, 2, 5, r.randrange(1, 300)]))
        if how == 1:
            return cut(good, r.randrange(1, len(good)))
        bad = bytearray(good)
        while bad.upper() == good.upper():  # a hex digit may be lower case
            bad = bytearray(good)
            bad[r.randrange(len(good))] ^= 1 << r.randrange(8)
        return bytes(bad)


class Fast(Line):
    def pause(self):
        time.sleep(0.003)  # t3.5 is 1.75 ms


class Bus:
    """Puts the traffic on a line and watches what comes back.

    Silence is what ends a message, and this machine may be so late that we
    do not see it. So a step that went wrong is played once more, slowly, and
    must go well then; few may need that."""

    SLOWLY_S = 0.05

    def __init__(self, channel, framer, seed):
        self.channel = channel
        self.traffic = Traffic(framer, seed)
        self.seed = seed
        self.random = random.Random(seed + 1)
        self.sent = self.steps = 0
        self.again = 0  # steps played slowly
        self.played = []  # of this step: pieces between silences

    def silence(self):
        self.played.append(b"")
        self.channel.pause()

    def send(self, data):
        self.sent += len(data)
        self.played[-1] += data
        self.channel.send(data)

    def put(self, data, whole=False):
        """A frame, or several in one lump."""
        r = self.random.random()
        if r < 0.8:
            self.send(data)
        elif r < 0.9 and not whole:
            # in two pieces, with a silence that the adapter makes
            at = self.random.randrange(1, max(len(data), 2))
            at = len(cut(data, at))
            self.send(data[:at])
            if data[at:]:
                self.silence()
                self.send(data[at:])
        else:
            for b in data:
                self.send(bytes([b]))

    def hear(self, want, timeout):
        got = b""
        while len(got) < len(want) and want.startswith(got):
            more = self.channel.recv(timeout)
            if not more:
                break
            got += more
        return got

    def play_slowly(self, want):
        self.again += 1
        while self.channel.recv(self.SLOWLY_S):
            pass
        for piece in self.played:
            self.channel.send(piece)
            time.sleep(self.SLOWLY_S)
        return self.hear(want, 10)

    def expect(self, want):
        """Exactly this must come now."""
        got = self.hear(want, 0.5)
        if got != want:
            got = self.play_slowly(want)
        assert got == want, (
            "--seed=%d, step %d: heard %s, not %s, after\n        %s" % (
                self.seed, self.steps, got.hex() or "nothing", want.hex(),
                "\n        ".join(p.hex() for p in self.played)))

    def disturb(self):
        """Something that is not for us to answer, and ends in silence."""
        r = self.random.random()
        spoilt = False
        if r < 0.5:
            frames = self.traffic.exchange(False)
            if self.random.random() < 0.5:  # an adapter hands on all at once
                frames = [b"".join(frames)]
        elif r < 0.6 and not self.traffic.look_at:
            frames = self.traffic.broadcast()
        else:
            frames, spoilt = [self.traffic.spoilt()], True
        for f in frames:
            # one fault at a time: damage, or a silence where none belongs
            self.put(f, whole=spoilt)
            self.silence()

    def step(self):
        self.played = [b""]
        for _ in range(self.random.randrange(4)):
            self.disturb()
        request, reply = self.traffic.asked()
        if self.random.random() < 0.3:
            # without a gap that we could see
            for _ in range(self.random.randrange(1, 4)):
                request = b"".join(self.traffic.exchange()) + request
        # how long an unknown function code's request is silence alone says
        self.put(request, whole=reply[1:2] == b"\xe3")
        self.expect(reply)
        self.steps += 1

    def settle(self):
        """Until it has heard the first silence a station knows nothing."""
        probe = self.traffic.framer.encode(US, fc8(0, 0x55aa))
        while not self.channel.recv(0.1):
            self.channel.send(probe)

    def run(self, how_much):
        self.settle()
        self.played = [b""]
        for unit in OTHERS:  # stations that have been heard are known
            self.put(self.traffic.frame(unit, fc3(0)))
            self.silence()
        while self.sent < how_much:
            self.step()


def compare(d, bus):
    "what the devices hold is what the line has told them, and nothing else"
    for device, unit in zip(("plc1", "plc2"), OURS):
        for table, want in (("hr", bus.traffic.ours[unit].regs),
                            ("co", bus.traffic.ours[unit].coils)):
            got = d.rpc("registers.read", device=device, table=table, addr=0,
                        count=REGS)["values"]
            assert list(map(int, got)) == want, (device, table)


def rtu(unit, *parts):
    return peers.Rtu.encode(unit, b"".join(parts))


US, THEM = OURS[0], OTHERS[0]
ASK = rtu(US, fc3(9))
REPLY = rtu(US, b"\x03\x02\x12\x34")
TRAP = rtu(US, fc6(9, 0xdead))
CASES = [  # what is heard, each followed by silence; what we say to that
    ([ASK], REPLY),
    ([rtu(THEM, fc3(0, 4)), rtu(THEM, b"\x03\x08" + TRAP)], b""),
    ([rtu(THEM, fc3(0, 8)), rtu(THEM, b"\x03\x10" + TRAP + TRAP)], b""),
    ([rtu(THEM, fc3(0, 4)) + rtu(THEM, b"\x03\x08" + TRAP)], b""),
    ([rtu(THEM, fc3(0, 4)) + rtu(THEM, b"\x03\x08" + TRAP) + ASK], REPLY),
    ([rtu(THEM, fc16(0, [0] * 4)[:6] + TRAP)], b""),
    ([rtu(THEM, fc6(9, 1))] * 2, b""),
    ([rtu(THEM, fc6(9, 1)) * 2 + ASK], REPLY),
    ([rtu(THEM, b"\x05\0\1\xff\0")] * 2 + [ASK], REPLY),
    ([rtu(THEM, fc16(0, [1, 2])), rtu(THEM, fc16(0, [1, 2])[:5])], b""),
    ([rtu(THEM, b"\x83\x02")], b""),
    ([rtu(THEM, fc3(0)), ASK], REPLY),  # nobody at home
    ([rtu(0, fc3(0))], b""),
    ([b"\0" + ASK], REPLY),  # the line was turned
    ([ASK + b"\xff"], REPLY),
    ([rtu(THEM, fc3(0)) + rtu(THEM, b"\x03\x02\0\1") + b"\0" + ASK], REPLY),
    ([rtu(THEM, fc3(0, 123)) + rtu(THEM, b"\x03\xf6" + bytes(246)) + ASK],
     REPLY),  # more than one message may have
    ([ASK[:-1] + b"\0"], b""),
    ([ASK[:-1]], b""),
    ([ASK[:3], ASK], REPLY),
    ([bytes(256), ASK], REPLY),
    ([b"\xff" * 600, ASK], REPLY),
    ([bytes(range(256)) * 2, ASK], REPLY),
]


def case(line, frames, want, bytewise):
    for f in frames:
        for piece in ([bytes([b]) for b in f] if bytewise else [f]):
            line.send(piece)
        line.pause()
    got = b""
    while len(got) < len(want):
        more = line.recv(2)
        assert more, "heard %r, not %s" % (got.hex(), want.hex())
        got += more
    probe = rtu(OURS[1], fc8(0, 0x55aa))
    line.send(probe)
    while len(got) < len(want) + len(probe):
        more = line.recv(2)
        assert more, "the next request is not answered"
        got += more
    assert got == want + probe, (got.hex(), want.hex())
    line.pause()


def test_cases():
    """a shared bus, case by case: others' replies that hold requests to us,
    echoes, lumps, strays, noise; at once and a byte at a time"""
    class Slow(Line):
        def pause(self):
            time.sleep(0.025)  # t3.5 is 16 ms, so that no byte comes too late
    with Slow() as line, Daemon(conf(line.path, "rtu", baudrate=2400)) as d:
        d.rpc("registers.write", device="plc1", table="hr", addr=9,
              values=[0x1234])
        for frames, want in CASES:
            for bytewise in (False, True):
                try:
                    case(line, frames, want, bytewise)
                except AssertionError as why:
                    raise AssertionError("%s %s: %s" % (
                        "byte by byte" if bytewise else "",
                        [f.hex() for f in frames], why)) from None
        for device in ("plc1", "plc2"):
            got = d.rpc("registers.read", device=device, table="hr", addr=0,
                        count=REGS)["values"]
            want = [0x1234 if device == "plc1" and i == 9 else 0
                    for i in range(REGS)]
            assert got == want, device


def traffic(framer, how_much, seed):
    with Fast() as line:
        with Daemon(conf(line.path, framer)) as d:
            bus = Bus(line, framer, seed)
            bus.run(how_much)
            compare(d, bus)
            print("    %s: %d bytes, %d requests for us, %d of them only "
                  "when asked slowly" % (framer, bus.sent, bus.steps,
                                         bus.again))
            assert bus.again <= 3 + bus.steps // 50


def test_rtu():
    """rtu: others' requests and replies, in lumps too, noise, bad checks and
    halves: each good request to us is answered, once, and nothing else"""
    traffic("rtu", BYTES * 3 // 4, SEED)


def test_ascii():
    "ascii: the same"
    traffic("ascii", BYTES // 4, SEED)


test_rtu.seconds = test_ascii.seconds = 60 + BYTES // 2000


if __name__ == "__main__":
    sysutil.run()
