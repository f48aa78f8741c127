# SPDX-License-Identifier: Apache-2.0
"""What the system tests of TLS share: certificates of every kind, made once,
a daemon with a tls transport, and a client for it.

    with tls_case.daemon(client_cert="request") as d:
        with tls_case.Client(d, pki.client) as m:
            assert m.read_hr(0) == [0]
"""
import atexit
import json
import os
import shutil
import ssl
import subprocess
import tempfile

import certs
import sysutil
from sysutil import Modbus, wait_for

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def utf8(text):
    data = text if isinstance(text, bytes) else text.encode()
    return certs.tagged(12, data)


class Pki:
    """Each certificate is made when it is asked for first."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-pki-")
        atexit.register(shutil.rmtree, self.dir, True)
        self.made = {}
        self.ca = certs.Authority(self.dir)

    def _once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def issue(self, name, **how):
        return self._once(name, lambda: self.ca.issue(name, **how))

    @property
    def server(self):
        return self.issue("server", server=True, dns=["localhost"])

    @property
    def server_rsa(self):
        return self.issue("server-rsa", server=True, rsa=True)

    @property
    def client(self):
        return self.issue("client", roles=["operator"])

    @property
    def plain(self):
        return self.issue("plain")

    @property
    def stranger(self):
        """Of an authority that nobody knows."""
        def make():
            return certs.Authority(self.dir, "other").issue("stranger")
        return self._once("stranger", make)

    @property
    def selfsigned(self):
        def make():
            path, key = (os.path.join(self.dir, "self" + end)
                         for end in (".pem", ".key"))
            certs.make_key(key)
            certs.openssl("req", "-x509", "-new", "-key", key, "-subj",
                          "/CN=self", "-days", "2", "-out", path)
            return certs.Cert(path, key, path)
        return self._once("selfsigned", make)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path


pki = Pki()

ROLES = {"operator": [{}], "viewer": [{"fc": [1, 2, 3, 4]}], "": []}


def conf(roles=None, **transport):
    found = sysutil.demo_conf()
    tls = {"type": "tls", "listen": "127.0.0.1:0", "cert": pki.server.chain,
           "key": pki.server.key, "ca": pki.ca.path, "units": {"*": "plc1"}}
    if roles is not None:
        tls["roles"] = pki.file("roles.json", json.dumps(roles))
    tls.update(transport)
    found["transports"] = {"tls1": {
        k: v for k, v in tls.items() if v is not None}}
    return found


def daemon(roles=None, args=(), ready=True, **transport):
    return sysutil.Daemon(conf(roles, **transport), args, ready=ready)


class Client(Modbus):
    """A Modbus client over TLS."""

    def __init__(self, d, cert=None, version=None, session=None, context=None,
                 name=None):
        super().__init__(d.port("tls1"))
        context = context or certs.client_context(pki.ca, cert, version)
        try:
            self.socket = context.wrap_socket(self.socket, session=session,
                                              server_hostname=name)
        except BaseException:
            self.close()
            raise

    @property
    def resumed(self):
        return self.socket.session_reused


def alert(d, cert, version=None, name="tls1"):
    """What a client is told that is not let in; TLS 1.3 tells it only after
    the client takes itself for connected."""
    try:
        with Client(d, cert, version) as m:
            m.read_hr(0)
    except ssl.SSLError as why:
        return why.reason
    raise AssertionError("was let in")


def alive(d, cert=None):
    with Client(d, cert or pki.client) as m:
        return m.read_hr(1000) == [48879]


def stats(d):
    return d.rpc("stats.get")["transports"]["tls1"]


def unharmed(d):
    """Nothing of what was done has cost the worker its life."""
    assert alive(d)
    assert stats(d)["restarts"] == 0, d.stderr_text()


def s_client_argv(d, args, cert=None, port=None):
    shown = [] if cert is False else [
        "-cert", (cert or pki.client).path, "-key", (cert or pki.client).key]
    return ["openssl", "s_client", "-connect",
            "127.0.0.1:%d" % (port or d.port("tls1")), "-CAfile", pki.ca.path,
            *shown, *args]


def s_client(d, *args, cert=None, ok=True):
    """openssl s_client: connects and ends. What it said."""
    done = subprocess.run(s_client_argv(d, args, cert), input=b"",
                          capture_output=True, timeout=100)
    if ok:
        assert done.returncode == 0, done.stderr.decode()
    return (done.stdout + done.stderr).decode(errors="replace")


def start_s_client(d, *args, cert=None, port=None,
                   stderr=subprocess.DEVNULL):
    """openssl s_client with pipes to its input and output; end() it."""
    return subprocess.Popen(
        s_client_argv(d, args, cert, port), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=stderr)


def end(process):
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def connections(d, n=None):
    """The list of connections, once there are n of them."""
    if n is not None:
        wait_for(lambda: len(d.rpc("connections.list")) == n, what=f"{n}")
    return d.rpc("connections.list")
