# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made with the openssl command.

    ca = certs.Authority(directory)
    server = ca.issue("server", server=True, dns=["localhost"])
    client = ca.issue("client", roles=["operator"])
    ca.revoke(client)
    crl = ca.crl()

Everything lies in the directory, which is the caller's to make and remove.
Keys are EC P-256 unless rsa is asked for; what is issued is valid from an
hour ago for a day unless told otherwise.
"""
import os
import ssl
import subprocess
import time

ROLE_OID = "1.3.6.1.4.1.50316.802.1"  # MODBUS/TCP Security v3.6, R-22
TWIN_OID = "1.3.6.1.4.1.50316.802.2"  # becomes a second ROLE_OID, see below

CONF = """
[ca]
default_ca = here
[here]
dir = {dir}
database = {dir}/{name}.index
serial = {dir}/{name}.serial
crlnumber = {dir}/{name}.crlnumber
new_certs_dir = {dir}
certificate = {dir}/{name}.pem
private_key = {dir}/{name}.key
default_md = sha256
default_days = 1
default_crl_days = 1
policy = anything
unique_subject = no
[anything]
commonName = supplied
[req]
prompt = no
distinguished_name = dn
[dn]
CN = {cn}
[ext]
{ext}
"""


class Cert:
    """A certificate and its key: paths. chain: it, then its issuers."""

    def __init__(self, path, key, chain):
        self.path, self.key, self.chain = path, key, chain


def openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, " ".join(args) + "\n" + done.stderr
    return done.stdout


def stamp(seconds_from_now):
    return time.strftime("%Y%m%d%H%M%SZ",
                         time.gmtime(time.time() + seconds_from_now))


def make_key(path, rsa=False):
    kind = (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if rsa else
            ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    openssl("genpkey", "-algorithm", *kind, "-out", path)


def read(path):
    with open(path) as f:
        return f.read()


def join(path, *parts):
    text = "".join(read(p) for p in parts)
    with open(path, "w") as f:
        f.write(text)


# as much of DER as one re-signed certificate needs

def tagged(tag, body):
    n = len(body)
    if n < 128:
        return bytes([tag, n]) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def element(der, at):
    """The slice of the element at a place that holds its body, and where the
    next one begins."""
    n, start = der[at + 1], at + 2
    if n & 0x80:
        start += n & 0x7f
        n = int.from_bytes(der[at + 2:start], "big")
    return slice(start, start + n), start + n


def der_oid(dotted):
    parts = [int(p) for p in dotted.split(".")]
    body = bytes([40 * parts[0] + parts[1]])
    for n in parts[2:]:
        groups = [n & 0x7f]
        while n > 0x7f:
            n >>= 7
            groups.append(0x80 | n & 0x7f)
        body += bytes(reversed(groups))
    return tagged(6, body)


class Authority:
    """A CA of its own, or with parent one below it."""

    def __init__(self, directory, name="ca", parent=None, rsa=False):
        self.dir, self.name, self.parent = directory, name, parent
        self.path = self._file(".pem")
        self.key = self._file(".key")
        for ending, text in ((".index", ""), (".serial", "1000\n"),
                             (".crlnumber", "01\n")):
            with open(self._file(ending), "w") as f:
                f.write(text)
        ext = ["basicConstraints = critical,CA:TRUE",
               "keyUsage = critical,keyCertSign,cRLSign",
               "subjectKeyIdentifier = hash"]
        if parent:
            made = parent._sign(name, ext, self.key, rsa, -3600, 86400)
            self.chain = made.chain
            return
        make_key(self.key, rsa)
        openssl("req", "-x509", "-new", "-key", self.key, "-days", "2",
                "-config", self._conf("Test " + name, ext), "-extensions",
                "ext", "-out", self.path)
        self.chain = self.path

    def _file(self, ending):
        return os.path.join(self.dir, self.name + ending)

    def _conf(self, cn, ext):
        path = self._file(".cnf")
        with open(path, "w") as f:
            f.write(CONF.format(dir=self.dir, name=self.name, cn=cn,
                                ext="\n".join(ext)))
        return path

    def _sign(self, name, ext, key, rsa, start_s, end_s):
        request = os.path.join(self.dir, name + ".csr")
        path = os.path.join(self.dir, name + ".pem")
        conf = self._conf(name, ext)
        make_key(key, rsa)
        openssl("req", "-new", "-key", key, "-config", conf, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", conf, "-extensions",
                "ext", "-startdate", stamp(start_s), "-enddate",
                stamp(end_s), "-in", request, "-out", path)
        chain = os.path.join(self.dir, name + ".chain.pem")
        join(chain, path, self.chain)
        return Cert(path, key, chain)

    def issue(self, name, server=False, roles=(), role_der=None, dns=(),
              ip=("127.0.0.1",), rsa=False, start_s=-3600, end_s=86400,
              more=()):
        """A certificate for name. roles: at most two, each in an extension
        of its own, as UTF8String. role_der: the bytes of that extension
        instead. more: further lines of openssl's extension section."""
        usage = "serverAuth" if server else "clientAuth"
        ext = ["basicConstraints = CA:FALSE",
               "extendedKeyUsage = " + usage, *more]
        if server:
            names = ["DNS:" + d for d in dns] + ["IP:" + i for i in ip]
            ext.append("subjectAltName = " + ",".join(names))
        for oid, role in zip((ROLE_OID, TWIN_OID), roles):
            ext.append("%s = ASN1:UTF8String:%s" % (oid, role))
        if role_der is not None:
            ext.append("%s = DER:%s" % (ROLE_OID, role_der.hex(":")))
        key = os.path.join(self.dir, name + ".key")
        cert = self._sign(name, ext, key, rsa, start_s, end_s)
        if len(roles) > 1:
            self._twin_to_role(cert)
        return cert

    def _twin_to_role(self, cert):
        """openssl puts no extension twice into a certificate: the second
        one's name is changed by hand, and all signed again."""
        der = ssl.PEM_cert_to_DER_cert(read(cert.path))
        tbs, after = element(der, element(der, 0)[0].start)
        algorithm, _ = element(der, after)
        body = der[tbs.start:tbs.stop].replace(der_oid(TWIN_OID),
                                               der_oid(ROLE_OID))
        with open(cert.path + ".tbs", "wb") as f:
            f.write(tagged(0x30, body))
        openssl("dgst", "-sha256", "-sign", self.key, "-out",
                cert.path + ".sig", cert.path + ".tbs")
        with open(cert.path + ".sig", "rb") as f:
            signature = tagged(3, b"\0" + f.read())
        with open(cert.path, "w") as f:
            f.write(ssl.DER_cert_to_PEM_cert(tagged(
                0x30, tagged(0x30, body) +
                tagged(0x30, der[algorithm.start:algorithm.stop]) +
                signature)))
        join(cert.chain, cert.path, self.chain)

    def revoke(self, cert):
        openssl("ca", "-config", self._conf("x", []), "-revoke", cert.path)

    def crl(self):
        """Writes the list of what is revoked so far; its path."""
        path = self._file(".crl")
        openssl("ca", "-config", self._conf("x", []), "-gencrl", "-out", path)
        return path


def client_context(ca, cert=None, version=None):
    """An ssl.SSLContext of a client that trusts ca and, with cert, shows
    that. version: the only one it speaks, an ssl.TLSVersion."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca.path)
    if cert:
        context.load_cert_chain(cert.chain, cert.key)
    if version:
        context.minimum_version = context.maximum_version = version
    return context
