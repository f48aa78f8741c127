#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Modbus over TLS as its clients meet it: versions, suites, certificates,
roles, and requests in records of any shape. The numbers are those of the
MODBUS/TCP Security specification, v3.6."""
import os
import random
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import certs  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from sysutil import wait_for  # noqa: E402
from tls_case import V12, V13, Client, alert, daemon, pki, unharmed  # noqa: E402

READ_125 = struct.pack(">BHH", 3, 0, 125)


# ---- versions and suites ----

def test_versions():
    "R-01, R-32, R-33: TLS 1.2 and 1.3 are served"
    with daemon() as d:
        for version, words in ((V12, "TLSv1.2"), (V13, "TLSv1.3")):
            with Client(d, pki.client, version) as m:
                assert m.socket.version() == words
                m.write_hr(7, [1, 2, 3])
                assert m.read_hr(7, 3) == [1, 2, 3]


def test_old_versions():
    "R-34, R-35: TLS 1.1 and 1.0 are refused, whatever \"ciphers\" says"
    for ciphers in (None, "NORMAL:+VERS-TLS1.1:+VERS-TLS1.0"):
        with daemon(ciphers=ciphers) as d:
            for old in ("-tls1_1", "-tls1"):
                said = tls_case.s_client(
                    d, old, "-cipher", "ALL:@SECLEVEL=0", ok=False)
                assert "alert protocol version" in said, said
            unharmed(d)


def gnutls_suite(d, priority, cert=None):
    """The suite that gnutls-cli gets with a priority string; None: none."""
    cert = cert or pki.client
    done = subprocess.run(
        ["gnutls-cli", "--priority", priority, "--x509cafile", pki.ca.path,
         "--x509certfile", cert.chain, "--x509keyfile", cert.key, "-p",
         str(d.port("tls1")), "127.0.0.1"],
        input=b"", capture_output=True, timeout=100)
    said = (done.stdout + done.stderr).decode(errors="replace")
    found = re.search(r"^- Description: \((.*)\)$", said, re.M)
    return found.group(1) if found else None


def test_suites():
    """R-14, R-36, R-40, R-61, R-62: each suite that is asked for is there,
    those of Secure SunSpec among them"""
    ec12 = "NONE:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AEAD:+SIGN-ALL" \
           ":+GROUP-ALL:+CTYPE-X509:+COMP-NULL:+"
    ec13 = ec12.replace("1.2", "1.3")
    both = {"cert": [pki.server.chain, pki.server_rsa.chain],
            "key": [pki.server.key, pki.server_rsa.key]}
    with daemon(**both) as d:
        for cipher in ("AES-128-GCM", "CHACHA20-POLY1305", "AES-128-CCM-8"):
            got = gnutls_suite(d, ec12 + cipher)
            assert got and "ECDSA" in got and cipher in got, (cipher, got)
        for cipher in ("AES-128-GCM", "CHACHA20-POLY1305", "AES-128-CCM"):
            got = gnutls_suite(d, ec13 + cipher)
            assert got and "TLS1.3" in got and cipher in got, (cipher, got)
        got = gnutls_suite(d, ec12.replace("+ECDHE-ECDSA:", "")
                           + "AES-128-GCM")
        assert got and "RSA" in got, got


def test_order_of_suites():
    "the server's order of suites holds, not the client's"
    with daemon() as d:
        context = certs.client_context(pki.ca, pki.client, V12)
        context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:"
                            "ECDHE-ECDSA-CHACHA20-POLY1305:"
                            "ECDHE-ECDSA-AES128-GCM-SHA256")
        with Client(d, context=context) as m:
            assert m.socket.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
        context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:"
                            "ECDHE-ECDSA-CHACHA20-POLY1305")
        with Client(d, context=context) as m:
            assert m.socket.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


WEAK = ["NULL-SHA256", "ECDHE-ECDSA-NULL-SHA", "AES128-SHA", "AES128-SHA256",
        "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA256",
        "ECDHE-ECDSA-AES128-SHA", "ADH-AES128-GCM-SHA256"]


def test_weak_suites():
    """R-37, R-38, R-48, R-50 to R-55: no NULL, no MD5, no SHA-1, nobody
    anonymous, and no RSA key exchange unless it is asked for"""
    both = {"cert": [pki.server.chain, pki.server_rsa.chain],
            "key": [pki.server.key, pki.server_rsa.key]}
    with daemon(**both) as d:
        for suite in WEAK:
            said = tls_case.s_client(d, "-tls1_2", "-cipher",
                                     suite + ":@SECLEVEL=0", ok=False)
            assert "handshake failure" in said, (suite, said)
        unharmed(d)


def test_suites_by_choice():
    "R-39, R-49, R-67: what \"ciphers\" asks for is there, and nothing else"
    with daemon(cert=pki.server_rsa.chain, key=pki.server_rsa.key,
                ciphers="NONE:+VERS-TLS1.2:+RSA:+NULL:+AES-128-GCM:+SHA256"
                        ":+AEAD:+SIGN-ALL:+GROUP-ALL:+CTYPE-X509") as d:
        for suite in ("NULL-SHA256", "AES128-GCM-SHA256"):
            said = tls_case.s_client(d, "-tls1_2", "-cipher",
                                     suite + ":@SECLEVEL=0")
            assert "Cipher is " + suite in said, said
        said = tls_case.s_client(d, "-tls1_3", ok=False)
        assert "SSL alert number" in said, said


def failing(words, **transport):
    """A transport that cannot start says why, once, and is not retried."""
    with daemon(ready=False, **transport) as d:
        d.wait_stderr("transport tls1 failed")
        said = d.stderr_text()
        assert words in said, said
        assert said.count("starting was=") <= 2, said
        assert "exit 78" in said, said


def test_wrong_ciphers():
    "a wrong \"ciphers\" is told with the place where it goes wrong"
    failing("from here on: +FLUX", ciphers="NORMAL:+FLUX")
    failing("leave no suite", ciphers="NONE:+VERS-TLS1.1")


# ---- certificates ----

def test_no_certificate():
    "R-06, R-10, R-44: no client certificate is a fatal alert"
    with daemon() as d:
        assert alert(d, None, V13) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        assert "HANDSHAKE_FAILURE" in alert(d, None, V12)
        d.wait_stderr("certificate is missing")
        assert tls_case.stats(d)["conns_bad"] == 2
        unharmed(d)


def test_strange_certificates():
    """chain, trust anchor, time and purpose are looked at; the log says why
    and who"""
    cases = [
        (pki.stranger, "UNKNOWN_CA", "is of an unknown authority", "stranger"),
        (pki.selfsigned, "UNKNOWN_CA", "is of an unknown authority", "self"),
        (pki.issue("expired", start_s=-7200, end_s=-60),
         "CERTIFICATE_EXPIRED", "has expired", "expired"),
        (pki.issue("future", start_s=3600, end_s=7200),
         "CERTIFICATE_EXPIRED", "is not valid yet", "future"),
        (pki.server, "UNSUPPORTED_CERTIFICATE", "is not meant for clients",
         "server"),
    ]
    with daemon() as d:
        for cert, told, words, who in cases:
            for version in (V12, V13):
                got = alert(d, cert, version)
                assert told in got, (who, version, got)
                d.wait_stderr(words + ", subject CN=")
        said = d.stderr_text()
        for _, _, words, who in cases:
            assert re.search(rf"peer=127\.0\.0\.1:\d+ why=\"certificate {words},"
                             rf" subject CN=.*{who}", said), said
        assert tls_case.stats(d)["conns_bad"] == 2 * len(cases)
        unharmed(d)


def test_forged_certificate():
    "a certificate that is somebody else's is of no use without its key"
    with daemon() as d:
        context = certs.client_context(pki.ca, pki.client, V12)
        forged = pki.file("forged.pem", certs.read(pki.client.path).replace(
            "\n", "\r\n"))
        with open(pki.client.path) as f:
            lines = f.read().splitlines()
        lines[-2] = lines[-2][:4] + ("A" if lines[-2][4] != "A" else "B") \
            + lines[-2][5:]
        forged = pki.file("forged.pem", "\n".join(lines) + "\n")
        context.load_cert_chain(forged, pki.client.key)
        try:
            with Client(d, context=context) as m:
                m.read_hr(0)
            raise AssertionError("was let in")
        except ssl.SSLError:
            pass
        unharmed(d)


def test_intermediate_authority():
    "R-45, R-46: a chain is followed down to the root and sent as a whole"
    def make():
        middle = certs.Authority(pki.dir, "middle", parent=pki.ca)
        return (middle.issue("deep", roles=["operator"]),
                middle.issue("deepserver", server=True))
    deep, server = pki._once("deep", make)
    with daemon(cert=server.chain, key=server.key) as d:
        assert tls_case.alive(d, deep)
        said = tls_case.s_client(d, "-showcerts", "-tls1_3")
        assert said.count("BEGIN CERTIFICATE") == 3, said
        assert "Verify return code: 0" in said, said
        only = certs.Cert(deep.path, deep.key, deep.path)
        assert "UNKNOWN_CA" in alert(d, only)


def test_client_cert_request():
    "\"request\": none is fine, a bad one is not"
    with daemon(client_cert="request") as d:
        for version in (V12, V13):
            with Client(d, None, version) as m:
                assert m.read_hr(1000) == [48879]
            assert "UNKNOWN_CA" in alert(d, pki.stranger, version)
        unharmed(d)


def test_client_cert_none():
    "\"none\": nobody is asked for a certificate"
    with daemon(client_cert="none", ca=None) as d:
        said = tls_case.s_client(d, "-tls1_2")
        assert "No client certificate CA names sent" in said
        assert "Acceptable client certificate" not in said
        with Client(d) as m:
            assert m.read_hr(1000) == [48879]


def test_several_certificates():
    """the certificate is chosen by the name that the client asks for, in TLS
    1.2 among keys of one kind"""
    ec = [pki.issue(n, server=True, dns=[n + ".test"], ip=())
          for n in ("one", "two")]
    rsa = pki.issue("three", server=True, dns=["three.test"], ip=(), rsa=True)
    for version, pairs in ((V12, ec), (V13, ec + [rsa])):
        with daemon(cert=[c.chain for c in pairs],
                    key=[c.key for c in pairs]) as d:
            for name in ("one", "two", "three")[:len(pairs)]:
                with Client(d, pki.client, version, name=name + ".test") as m:
                    subject = m.socket.getpeercert()["subject"]
                    assert subject == ((("commonName", name),),), subject


def encrypted(name, password):
    path = os.path.join(pki.dir, name)
    certs.openssl("pkcs8", "-topk8", "-in", pki.server.key, "-out", path,
                  "-passout", "pass:" + password)
    return path


def test_encrypted_keys():
    "an encrypted key needs its password, in the configuration or in a file"
    key = encrypted("locked.key", "sesame")
    word = pki.file("word", "sesame\n")
    for how in ({"password": "sesame"}, {"password_file": word}):
        with daemon(key=key, **how) as d:
            assert tls_case.alive(d)
            assert "sesame" not in d.stderr_text()
    failing("the password is not that of the key", key=key, password="wrong")
    failing("the key is encrypted, and neither", key=key)


def test_wrong_files():
    "what is wrong with a certificate, key or list is told with its file"
    junk = pki.file("junk.pem", "nothing\n")
    other = pki.issue("elsewhere", server=True)
    failing("this key is not that of " + pki.server.chain, key=other.key)
    failing("junk.pem: no certificate", cert=junk)
    failing("junk.pem: no private key", key=junk)
    failing("junk.pem: no certificate", ca=junk)
    failing("junk.pem: no list of revocations", crl=junk)


# ---- records ----

def test_one_record_many_requests():
    "many requests in one record are answered in order"
    with daemon() as d:
        for version in (V12, V13):
            with Client(d, pki.client, version) as m:
                m.send(b"".join(m.adu(READ_125) for _ in range(100)))
                for i in range(100):
                    tid, _, pdu = m.receive()
                    assert (tid, len(pdu)) == (i + 1, 252)


def test_one_request_many_records():
    "a request may be spread over records of one byte"
    with daemon() as d:
        for version in (V12, V13):
            with Client(d, pki.client, version) as m:
                for byte in m.adu(struct.pack(">BHH", 6, 9, 77)):
                    m.send(bytes([byte]))
                assert m.receive()[2] == struct.pack(">BHH", 6, 9, 77)
                assert m.read_hr(9) == [77]


def test_records_larger_than_a_read():
    "what one record holds beyond one read is served without waiting for more"
    with daemon() as d, Client(d, pki.client) as m:
        n = 16000 // 12
        m.send(b"".join(m.adu(struct.pack(">BHH", 6, i % 1000, i))
                        for i in range(n)))
        for i in range(n):
            assert m.receive()[2] == struct.pack(">BHH", 6, i % 1000, i), i


class Relay:
    """Between a client and the server; notes the server's record sizes."""

    def __init__(self, d):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.server = raw(d)
        self.port = self.listener.getsockname()[1]
        self.data = b""
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def carry(self):
        client, _ = self.listener.accept()
        with client, self.server as server:
            while True:
                for s in select.select([client, server], [], [])[0]:
                    data = s.recv(65536)
                    if not data:
                        return
                    (server if s is client else client).sendall(data)
                    if s is server:
                        self.data += data

    def sizes(self):
        """Of the records of application data"""
        at, found = 0, []
        while at + 5 <= len(self.data):
            kind, _, size = struct.unpack_from(">BHH", self.data, at)
            if kind == 23:
                found.append(size)
            at += 5 + size
        return found

    def close(self):
        self.listener.close()
        self.thread.join(100)


def test_fragments():
    "R-57, R-58: fragments of 512 bytes are negotiated and kept to"
    with daemon() as d:
        for version in ("-tls1_2", "-tls1_3"):
            relay = Relay(d)
            p = tls_case.start_s_client(d, version, "-quiet", "-maxfraglen",
                                        "512", port=relay.port)
            try:
                p.stdin.write(b"".join(
                    struct.pack(">HHHB", n, 0, 6, 1) + READ_125
                    for n in range(100)))
                p.stdin.flush()
                assert len(p.stdout.read(100 * 259)) == 100 * 259
            finally:
                tls_case.end(p)
                relay.close()
            sizes = relay.sizes()
            assert len(sizes) >= 100 * 259 // 512, sizes
            # and what the cipher adds: a nonce, a type, a tag
            assert max(sizes) <= 512 + 25, sizes
        unharmed(d)


def test_backpressure():
    "a client that does not read costs nobody else anything, and loses nothing"
    with daemon() as d, Client(d, pki.client) as other:
        with Client(d, pki.client) as m:
            n = stuffed(d, m)
            assert other.read_hr(1000) == [48879]
            m.socket.settimeout(200)
            for i in range(n):
                tid, _, pdu = m.receive()
                assert (tid, len(pdu)) == ((i + 1) & 0xffff, 252), i
            assert m.read_hr(1000) == [48879]
        assert tls_case.stats(d)["backpressured"] > 0
        unharmed(d)


def stuffed(d, m):
    """Sends requests without reading until the server's output waits; how
    many they were."""
    n = 0
    before = tls_case.stats(d)["backpressured"]
    while tls_case.stats(d)["backpressured"] == before:
        m.send(b"".join(m.adu(READ_125) for _ in range(200)))
        n += 200
        assert n < 200000
    return n


# ---- what is no client ----

def raw(d):
    s = socket.create_connection(("127.0.0.1", d.port("tls1")), 50)
    return s


def ended(s):
    """True once the server has ended a connection."""
    try:
        while s.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def test_plain_tcp():
    "plain Modbus and noise on the port end that connection, and no other"
    with daemon() as d, Client(d, pki.client) as m:
        for junk in (struct.pack(">HHHB", 1, 0, 6, 1) + READ_125,
                     b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" * 9,
                     os.urandom(3000), b"\x16\x03\x03\x00\x00" * 300,
                     b"\x15\x03\x03\x00\x02\x01\x00" * 300,
                     b"\x80\x2e\x01\x00\x02" + bytes(60)):
            with raw(d) as s:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                assert ended(s)
            assert m.read_hr(1000) == [48879]
        unharmed(d)


def mutated(random_bytes, data):
    """Those bytes with some changed, left out or put in."""
    data = bytearray(data)
    for _ in range(random_bytes.choice((1, 1, 2, 8))):
        at = random_bytes.randrange(len(data))
        how = random_bytes.randrange(4)
        if how == 0:
            data[at] ^= 1 << random_bytes.randrange(8)
        elif how == 1:
            data[at] = random_bytes.choice((0, 1, 0x7f, 0x80, 0xff))
        elif how == 2:
            del data[at:at + random_bytes.randrange(1, 20)]
        else:
            data[at:at] = random_bytes.randbytes(random_bytes.randrange(20))
    return bytes(data)


def test_mutated_handshakes():
    "whatever a handshake's messages are, the worker stays and serves others"
    luck = random.Random(802)
    with daemon() as d, Client(d, pki.client) as m:
        for i in range(300):
            version = (V12, V13)[i % 2]
            flight = luck.randrange(2)  # the first, or all that follow
            context = certs.client_context(pki.ca, pki.client, version)
            inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(inside, outside)
            with raw(d) as s:
                try:
                    for n in range(3):
                        try:
                            tls.do_handshake()
                        except ssl.SSLWantReadError:
                            pass
                        data = outside.read()
                        last = data and (n == 0) == (flight == 0)
                        s.sendall(mutated(luck, data) if last else data)
                        if last:  # nothing more is to be waited for
                            s.shutdown(socket.SHUT_WR)
                        inside.write(s.recv(65536))
                except (ssl.SSLError, OSError):
                    pass
        assert m.read_hr(1000) == [48879]
        assert tls_case.stats(d)["handshakes_failed"] > 100
        unharmed(d)


def test_stop_in_a_handshake():
    "a transport that stops waits for no handshake"
    with daemon() as d, raw(d) as silent, raw(d) as begun:
        begun.sendall(b"\x16\x03\x01\x02\x00\x01")
        wait_for(lambda: len(d.rpc("connections.list")) == 2)
        began = time.monotonic()
        assert d.rpc("transports.stop", name="tls1", drain_s=30)
        assert time.monotonic() - began < 25
        assert ended(silent) and ended(begun)


def test_slow_handshake():
    "frame_timeout_ms holds for the handshake"
    with daemon(frame_timeout_ms=200) as d, Client(d, pki.client) as m:
        with raw(d) as silent, raw(d) as begun:
            begun.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert ended(silent) and ended(begun)
        d.wait_stderr("handshake not finished in time")
        assert m.read_hr(1000) == [48879]
        assert tls_case.stats(d)["conns_slow"] == 2


def test_renegotiation():
    "R-60: a renegotiation is refused and ends the connection"
    with daemon() as d:
        p = tls_case.start_s_client(d, "-tls1_2",
                                    stderr=subprocess.STDOUT)
        try:
            p.stdin.write(b"R\n")
            p.stdin.flush()
            said = p.stdout.read().decode()
        finally:
            tls_case.end(p)
        assert "Secure Renegotiation IS supported" in said, said
        assert "RENEGOTIATING" in said, said
        d.wait_stderr("peer wants to renegotiate")
        unharmed(d)


def test_secure_renegotiation():
    "R-59, R-60: clients must know RFC 5746 in TLS 1.2; nothing is compressed"
    old = "NORMAL:-VERS-ALL:+VERS-TLS1.2"
    with daemon() as d:
        assert gnutls_suite(d, old)
        assert not gnutls_suite(d, old + ":%DISABLE_SAFE_RENEGOTIATION")
        said = tls_case.s_client(d, "-tls1_2")
        assert "Compression: NONE" in said, said
        unharmed(d)


def test_half_closed():
    "what was asked for before close_notify is answered"
    with daemon() as d:
        for version in (V12, V13):
            context = certs.client_context(pki.ca, pki.client, version)
            with raw(d) as s:
                inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(inside, outside)
                pump(s, tls, inside, outside, tls.do_handshake)
                tls.write(struct.pack(">HHHB", 5, 0, 6, 1) + READ_125)
                try:
                    tls.unwrap()
                except ssl.SSLWantReadError:
                    pass
                s.sendall(outside.read())
                s.shutdown(socket.SHUT_WR)
                data = b""
                while chunk := s.recv(4096):
                    data += chunk
                assert len(data) > 259, len(data)
        unharmed(d)


def pump(s, tls, inside, outside, step):
    """Carries out one step of a TLS object over a socket."""
    while True:
        try:
            got = step()
            s.sendall(outside.read())
            return got
        except ssl.SSLWantReadError:
            s.sendall(outside.read())
            data = s.recv(65536)
            if not data:
                raise EOFError from None
            inside.write(data)


def test_drain():
    "a drain ends with close_notify"
    for version in (V12, V13):
        with daemon() as d, Client(d, pki.client, version) as m:
            assert m.read_hr(1000) == [48879]
            d.rpc("transports.stop", name="tls1")
            # OpenSSL tells a cut from an end
            assert m.socket.recv(1) == b""


def test_garbage_in_a_session():
    "a record that was tampered with ends the connection with an alert"
    with daemon() as d:
        for version in (V12, V13):
            context = certs.client_context(pki.ca, pki.client, version)
            with raw(d) as s:
                inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(inside, outside)
                pump(s, tls, inside, outside, tls.do_handshake)
                tls.write(struct.pack(">HHHB", 5, 0, 6, 1) + READ_125)
                record = bytearray(outside.read())
                record[-1] ^= 1
                s.sendall(record)
                assert ended(s)
        unharmed(d)


if __name__ == "__main__":
    sysutil.run()
