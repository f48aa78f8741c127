# SPDX-License-Identifier: Apache-2.0
"""A daemon that serves any framer on every kind of transport at once.

    with Everything() as e:
        with e.open("udp", "rtu") as m:     a peers.Master
            m.ask(1, b"\x03\0\0\0\1")

Units 1 and 2 are the devices plc1 and plc2; the transport of a pair is
called KIND-FRAMER.
"""
import contextlib
import os
import shutil
import tempfile

import certs
from peers import Channel, Line, Master, Stream, Udp
from sysutil import Daemon

FRAMERS = ("socket", "tls", "rtu", "ascii")
# line: a pty; pipe: a serial transport whose port is a socket
KINDS = ("tcp", "tls", "udp", "line", "pipe", "unix")
STREAMS = ("tcp", "tls", "pipe", "unix")


class Everything:
    """A daemon with a transport for each framer on each kind of channel, or
    for these pairs of both. top: goes into the configuration itself, more:
    into every transport."""

    def __init__(self, kinds=KINDS, framers=FRAMERS, pairs=(), top=None,
                 **more):
        self.top = top or {}
        self.pairs = pairs or [(k, f) for k in kinds for f in framers]
        self.more = {"units": {"1": "plc1", "2": "plc2"}, **more}
        self.stack = contextlib.ExitStack()
        self.lines = {}

    def __enter__(self):
        with self.stack as stack:
            self.dir = tempfile.mkdtemp(prefix="hf-framers-")
            stack.callback(shutil.rmtree, self.dir)
            if any(k == "tls" for k, _ in self.pairs):
                self.certify()
            for kind, framer in self.pairs:
                if kind == "line":
                    self.lines[framer] = stack.enter_context(Line())
            self.daemon = stack.enter_context(Daemon({
                **self.top, "devices": {
                    "plc1": device(), "plc2": device()},
                "transports": {
                    k + "-" + f: self.transport(k, f)
                    for k, f in self.pairs}}))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *why):
        return self.stack.__exit__(*why)

    def certify(self):
        self.ca = certs.Authority(self.dir)
        self.cert = self.ca.issue("server", server=True)
        self.context = certs.client_context(self.ca, self.ca.issue("client"))

    def transport(self, kind, framer):
        own = {
            "tcp": {"type": "tcp", "listen": "127.0.0.1:0"},
            "udp": {"type": "udp", "listen": "127.0.0.1:0"},
            "pipe": {"type": "serial", "port": "socket://127.0.0.1:0"},
        }
        if kind == "tls":
            own["tls"] = {"type": "tls", "listen": "127.0.0.1:0",
                          "cert": self.cert.chain, "key": self.cert.key,
                          "ca": self.ca.path}
        if kind == "unix":
            own["unix"] = {"type": "unix", "plugins": ["unix"],
                           "listen": os.path.join(self.dir, framer)}
        if kind == "line":
            own["line"] = {"type": "serial", "baudrate": 115200,
                           "port": self.lines[framer].path}
        return {"framer": framer, **own[kind], **self.more}

    def channel(self, kind, framer, session=None):
        if kind == "line":
            return Held(self.lines[framer])
        if kind == "unix":
            return Stream.unix(os.path.join(self.dir, framer))
        port = self.daemon.port(kind + "-" + framer)
        if kind == "tls":
            return Stream.tls(port, self.context, session)
        return Udp(port) if kind == "udp" else Stream.tcp(port)

    def open(self, kind, framer, session=None):
        """A master on a pair; session: of TLS, to be resumed."""
        return Master(self.channel(kind, framer, session), framer)

    def each(self, ask, kinds=KINDS):
        """ask(master, how many pairs came before it) on each pair, whose
        name stands before what it complains about."""
        for at, (kind, framer) in enumerate(self.pairs):
            if kind not in kinds:
                continue
            try:
                with self.open(kind, framer) as m:
                    m.kind = kind
                    ask(m, at)
            except Exception as e:
                raise AssertionError(
                    "%s over %s: %r" % (framer, kind, e)) from e

    def stats(self):
        return self.daemon.rpc("stats.get")["transports"]


class Held(Channel):
    """A line that outlives its masters."""

    def __init__(self, line):
        self.send, self.recv, self.pause = line.send, line.recv, line.pause

    def close(self):
        self.pause()


def device():
    return {"coils": [{"addr": 0, "count": 2000}],
            "discrete_inputs": [{"addr": 0, "count": 64,
                                 "values": [1, 0, 1]}],
            "holding_registers": [{"addr": 0, "count": 1000}],
            "input_registers": [{"addr": 0, "count": 8, "value": 7}]}
