# SPDX-License-Identifier: Apache-2.0
"""What is measured: holdfastd and the bare servers, one kind for each type of
transport, and how each is reached.

    with Udp() as wire, Ours(wire) as ours, Bare(wire, "batch") as bare:
        bench_tools.measure(ours, conns=8)

A wire says how holdfastd is to be configured, how a bare server is started,
and with which arguments the load generator finds either.
"""
import os
import shutil
import subprocess
import tempfile

import certs
from bench_tools import bench_conf, tool
from sysutil import Daemon


class Tcp:
    kind = "tcp"
    bare = "bench_bare"
    load = "bench_load"

    def conf(self):
        return {"type": self.kind, "listen": "127.0.0.1:0"}

    def bare_argv(self, *more):
        return [tool(self.bare), "0", *more]

    def load_argv(self, port, load=None):
        return [tool(load or self.load), "--connect", "127.0.0.1:%d" % port]

    def place(self, daemon):
        """Where a daemon serves it, for load_argv()"""
        return daemon.port(self.kind + "1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Udp(Tcp):
    kind = "udp"
    bare = "bench_bare_udp"
    load = "bench_load_udp"


class Tls(Tcp):
    """Has certificates of its own, for the clients too."""

    kind = "tls"
    bare = "bench_bare_tls"

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-bench-")
        ca = certs.Authority(self.dir)
        ca.issue("server", server=True, dns=["localhost"])
        ca.issue("client")

    def conf(self):
        return {**super().conf(), "max_connections": 1024, "ca": self.dir + "/ca.pem",
                "cert": self.dir + "/server.pem",
                "key": self.dir + "/server.key"}

    def bare_argv(self):
        return super().bare_argv(self.dir)

    def load_argv(self, port, load=None):
        return [*super().load_argv(port, load), "--tls", self.dir]

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)


class Line(Tcp):
    """A pty. Its far end is the master's: one server at a time, so each
    needs a line of its own."""

    kind = "serial"
    bare = "bench_bare_rtu"
    load = "bench_load_rtu"

    def __init__(self, baud):
        self.baud = baud
        self.ends = list(os.openpty())
        os.set_inheritable(self.ends[0], True)
        self.path = os.ttyname(self.ends[1])

    def conf(self):
        return {"type": "serial", "port": self.path,
                "baudrate": self.baud, "parity": "E", "framer": "rtu"}

    def bare_argv(self):
        return [tool(self.bare), self.path, str(self.baud)]

    def load_argv(self, _place, load=None):
        return [tool(load or self.load), "--fd", str(self.ends[0]), "--baud",
                str(self.baud)]

    def place(self, daemon):
        return 0

    def unplug(self):
        """The adapter is pulled out."""
        for fd in self.ends:
            os.close(fd)
        self.ends = []

    def __exit__(self, *_):
        self.unplug()


class Ours:
    """holdfastd with one worker; keys of the transport may be given."""

    name = "holdfastd"

    def __init__(self, wire=None, env=None, **keys):
        self.wire = wire or Tcp()
        self.transport = self.wire.kind + "1"
        self.daemon = Daemon(
            bench_conf(**{**self.wire.conf(), **keys}), env=env)
        self.place = self.wire.place(self.daemon)

    @property
    def pid(self):
        return self.daemon.child(self.transport)

    def load_argv(self, load=None):
        return self.wire.load_argv(self.place, load)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.daemon.__exit__(*why)


class Bare:
    """The bare server of a wire; ways: what it is told to do otherwise."""

    def __init__(self, wire=None, *ways):
        self.name = " ".join(["bare", *ways])
        self.wire = wire or Tcp()
        self.process = subprocess.Popen(
            self.wire.bare_argv(*ways), stdout=subprocess.PIPE, text=True)
        said = self.process.stdout.readline().strip()
        assert said, "the bare server does not start"
        self.place = int(said) if said.isdigit() else 0
        self.pid = self.process.pid

    def load_argv(self, load=None):
        return self.wire.load_argv(self.place, load)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
