# SPDX-License-Identifier: Apache-2.0
"""Masters of the tests' own, for every framer on every kind of channel.

    line = peers.Line()                     a pty; "port": line.path
    m = peers.Master(line, "rtu")
    m.ask(17, b"\\x03\\0\\0\\0\\1")             the reply's PDU
    m.mute(0, b"\\x06\\0\\0\\0\\1", 17)         shown not to be answered

Bytes in, bytes out: nothing here is linked to the product.
"""
import os
import pty
import select
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import termios
import time
import tty

from sysutil import Watch

# frames

_CRC = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ (0xa001 if _n & 1 else 0)
    _CRC.append(_n)


def crc16(data):
    """Serial Line V1.02, 6.2.2, as the two bytes on the wire"""
    crc = 0xffff
    for b in data:
        crc = crc >> 8 ^ _CRC[(crc ^ b) & 0xff]
    return struct.pack("<H", crc)


def lrc(data):
    return bytes([-sum(data) & 0xff])


def reply_len(pdu):
    """How long a reply's PDU is by what has come of it; 0: not known yet."""
    fc = pdu[0]
    if fc & 0x80 or fc == 7:
        return 2
    if fc in (5, 6, 8, 11, 15, 16):
        return 5
    if fc == 22:
        return 7
    if fc in (1, 2, 3, 4, 12, 17, 20, 21, 23):
        return 2 + pdu[1] if len(pdu) > 1 else 0
    if fc == 24:
        return 3 + int.from_bytes(pdu[1:3], "big") if len(pdu) > 2 else 0
    raise AssertionError("a reply of function code %d" % fc)


class Rtu:
    name = "rtu"

    @staticmethod
    def encode(unit, pdu, _tid=0):
        adu = bytes([unit]) + pdu
        return adu + crc16(adu)

    @staticmethod
    def take(data):
        """The first reply of some bytes, as ((tid, unit, PDU), how many it
        took); None if it is not whole. What is none is an error."""
        if len(data) < 4:
            return None
        n = reply_len(data[1:])
        if n == 0 or len(data) < n + 3:
            return None
        assert crc16(data[:n + 1]) == data[n + 1:n + 3], data.hex()
        return (None, data[0], data[1:n + 1]), n + 3


class Ascii:
    name = "ascii"
    end = b"\n"

    @classmethod
    def encode(cls, unit, pdu, _tid=0):
        data = bytes([unit]) + pdu
        return (b":" + (data + lrc(data)).hex().upper().encode() + b"\r" +
                cls.end)

    @classmethod
    def take(cls, data):
        n = data.find(b"\r" + cls.end)
        if n < 0:
            return None
        assert data[:1] == b":" and data == data.upper(), data
        adu = bytes.fromhex(data[1:n].decode())
        assert lrc(adu[:-1]) == adu[-1:], data
        return (None, adu[0], adu[1:-1]), n + 2


class Mbap:
    name = "socket"

    @staticmethod
    def encode(unit, pdu, tid=0):
        return struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu

    @staticmethod
    def take(data):
        if len(data) < 7:
            return None
        tid, protocol, length, unit = struct.unpack(">HHHB", data[:7])
        assert protocol == 0 and 2 <= length <= 254, data.hex()
        if len(data) < 6 + length:
            return None
        return (tid, unit, data[7:6 + length]), 6 + length


class Tls(Mbap):
    name = "tls"  # the same header: MODBUS/TCP Security v3.6, R-05


FRAMERS = {f.name: f for f in (Mbap, Tls, Rtu, Ascii)}


# channels

class Channel:
    """send(), recv(), close(), and:"""

    def pause(self):
        """The silence that ends a frame, where one is needed."""


class Stream(Channel):
    def __init__(self, sock):
        self.socket = sock
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def tcp(cls, port):
        return cls(socket.create_connection(("127.0.0.1", port), 100))

    @classmethod
    def unix(cls, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(100)
        sock.connect(path)
        return cls(sock)

    @classmethod
    def tls(cls, port, context, session=None):
        """context as certs.client_context() makes it"""
        plain = socket.create_connection(("127.0.0.1", port), 100)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return cls(context.wrap_socket(plain, session=session))
        except BaseException:
            plain.close()
            raise

    def send(self, data):
        self.socket.sendall(data)

    def recv(self, timeout):
        """Some bytes; b"" at the end; None after timeout seconds."""
        self.socket.settimeout(max(timeout, 0.001))
        try:
            return self.socket.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return None
        except ConnectionError:
            return b""

    def close(self):
        self.socket.close()


class Udp(Channel):
    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))

    def send(self, data):
        self.socket.send(data)

    recv = Stream.recv
    close = Stream.close


class Device(Channel):
    """A serial device, opened as a master's."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)

    def send(self, data):
        while data:
            select.select([], [self.fd], [])
            data = data[os.write(self.fd, data):]

    def recv(self, timeout):
        if not select.select([self.fd], [], [], max(timeout, 0))[0]:
            return None
        return os.read(self.fd, 65536)

    def pause(self):
        # what ends a frame is time itself: t3.5 at 9600 baud, and then some
        time.sleep(0.01)

    def close(self):
        os.close(self.fd)


class Line(Device):
    """One end of a serial line: the test holds this one, whoever opens path
    the other. The path stays when the line is lost and laid anew."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-line-")
        self.path = os.path.join(self.dir, "tty")
        self.fd = None
        self.lay()

    def lay(self):
        """A new line under the same path."""
        self.fd, slave = pty.openpty()
        tty.setraw(slave)
        self.slave_path = os.ttyname(slave)
        os.symlink(self.slave_path, self.path)
        os.set_blocking(self.fd, False)
        # the line must outlast the moment at which nobody has it open
        self.slave = slave

    def lose(self):
        """The adapter is pulled out: device and path are gone."""
        os.unlink(self.path)
        os.close(self.slave)
        os.close(self.fd)
        self.fd = None

    def settings(self):
        """What the other end has set, as termios has it."""
        return termios.tcgetattr(self.slave)

    def close(self):
        if self.fd is not None:
            self.lose()
        os.rmdir(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Cable:
    """Two ptys with socat between them: one end for the daemon, the other
    for a client that wants a device. Cutting it takes both away."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-cable-")
        self.server = os.path.join(self.dir, "server")
        self.client = os.path.join(self.dir, "client")
        self.socat = None
        self.join()

    def join(self):
        watch = Watch(self.dir)
        ends = ["pty,raw,echo=0,link=" + p for p in (self.server, self.client)]
        self.socat = subprocess.Popen(["socat", *ends],
                                      stdin=subprocess.DEVNULL)
        try:
            assert watch.until(lambda: os.path.exists(self.server) and
                               os.path.exists(self.client), 10), "socat"
        finally:
            watch.close()

    def cut(self):
        """socat is killed: the devices go, the links stay and dangle."""
        self.socat.send_signal(signal.SIGKILL)
        self.socat.wait()
        for end in (self.server, self.client):
            os.unlink(end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.socat.poll() is None:
            self.socat.terminate()
            self.socat.wait()
        for end in (self.server, self.client):
            if os.path.lexists(end):
                os.unlink(end)
        os.rmdir(self.dir)


# masters

class Late(Exception):
    """no reply in time"""


class Master:
    """Asks over a channel. What comes is kept until it is a reply."""

    def __init__(self, channel, framer, timeout=50.0):
        self.channel = channel
        self.framer = FRAMERS[framer] if isinstance(framer, str) else framer
        self.timeout = timeout
        self.tid = 0
        self.got = b""

    def send(self, unit, pdu):
        self.tid = self.tid + 1 & 0xffff
        self.channel.send(self.framer.encode(unit, pdu, self.tid))

    def receive(self, timeout=None):
        """The next reply: (tid or None, unit, PDU)"""
        end = time.monotonic() + (timeout or self.timeout)
        while True:
            taken = self.framer.take(self.got)
            if taken:
                self.got = self.got[taken[1]:]
                return taken[0]
            left = end - time.monotonic()
            more = self.channel.recv(left) if left > 0 else None
            if more is None:
                raise Late("no reply; got %r" % self.got.hex())
            if more == b"":
                raise EOFError("closed after %r" % self.got.hex())
            self.got += more

    def expect(self, unit, tid=None, timeout=None):
        """The next reply, which must be the unit's and the request's; its
        PDU."""
        found, who, pdu = self.receive(timeout)
        tid = self.tid if tid is None else tid
        assert found in (None, tid), "transaction %d, not %d" % (found, tid)
        assert who == unit, "unit %d answers, not %d" % (who, unit)
        return pdu

    def ask(self, unit, pdu, timeout=None):
        """One request and its reply's PDU, exception or not."""
        self.send(unit, pdu)
        return self.expect(unit, timeout=timeout)

    def mute(self, unit, pdu, other, probe=b"\x08\0\0\x5a\xa5"):
        """Sends what must not be answered, and shows that by what comes
        next: the answer to the other unit's probe, and nothing before."""
        self.send(unit, pdu)
        self.channel.pause()
        got = self.ask(other, probe)
        assert got == probe, got.hex()
        assert self.got == b"", self.got.hex()

    def read_hr(self, unit, addr, count=1):
        r = self.ask(unit, struct.pack(">BHH", 3, addr, count))
        assert r[:2] == bytes([3, 2 * count]), r.hex()
        return list(struct.unpack(">%dH" % count, r[2:]))

    def write_hr(self, unit, addr, values):
        pdu = fc16(addr, values)
        got = self.ask(unit, pdu)
        assert got == pdu[:5], got.hex()

    def ended(self, timeout=50.0):
        """True once the server has closed the channel."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.channel.recv(end - time.monotonic()) == b"":
                return True
        return False

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def fc3(addr, count=1):
    return struct.pack(">BHH", 3, addr, count)


def fc6(addr, value):
    return struct.pack(">BHH", 6, addr, value)


def fc16(addr, values):
    n = len(values)
    return struct.pack(">BHHB%dH" % n, 16, addr, n, 2 * n, *values)


def fc8(sub, data=0):
    return struct.pack(">BHH", 8, sub, data)
