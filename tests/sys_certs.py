#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast certs: what it writes is what other programs take for good
certificates, and it spoils nothing that is there."""

import json
import os
import socket
import ssl
import stat
import struct
import subprocess
import tempfile

import certs as authority
import sysutil
from sysutil import BUILD, Daemon, wait_for

HOLDFAST = os.path.join(BUILD, "holdfast")
CLIENTS = ["operator", "viewer", "norole"]
OID = "1.3.6.1.4.1.50316.802.1"
MARK = "Holdfast demonstration"


def certs(*args, code=0, **more):
    done = subprocess.run(
        [HOLDFAST, "certs", *args], capture_output=True, text=True,
        timeout=300, env=dict(os.environ, HOLDFAST_RUN_DIR="/nonexistent"),
        **more)
    assert done.returncode == code, (args, done)
    if code:
        assert done.stderr.startswith("holdfast: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    return done


def tool(*args, ok=True, input=None):
    done = subprocess.run(args, capture_output=True, timeout=300, input=input)
    assert (done.returncode == 0) == ok, (args, done)
    return (done.stdout + done.stderr).decode(errors="replace")


class Demo:
    """A demonstration in a directory that goes again."""

    def __init__(self, *args):
        self.temporary = tempfile.TemporaryDirectory(prefix="hf-certs-")
        self.dir = os.path.join(self.temporary.name, "certs")
        certs("demo", self.dir, *args)

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def all(self):
        return {n: self.read(n) for n in sorted(os.listdir(self.dir))}

    def verify(self, name, *more, ok=True):
        return tool("openssl", "verify", "-x509_strict", "-crl_check_all",
                    "-CAfile", self.path("ca.pem"),
                    "-CRLfile", self.path("crl.pem"), *more,
                    self.path(name + ".pem"), ok=ok)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()


def der(path, number=0):
    """A certificate of a file as DER."""
    with open(path) as f:
        blocks = f.read().split("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(
        blocks[number].strip() + "\n-----END CERTIFICATE-----")


def test_openssl_and_certtool_take_the_chains():
    """every chain is good to openssl and certtool, for its purpose only"""
    with Demo("--role", "service") as d:
        for name in CLIENTS + ["service"]:
            d.verify(name, "-purpose", "sslclient")
            d.verify(name, "-purpose", "sslserver", ok=False)
        d.verify("server", "-purpose", "sslserver")
        d.verify("server", "-purpose", "sslclient", ok=False)
        for name in CLIENTS + ["server", "service"]:
            text = tool("certtool", "-i", "--infile", d.path(name + ".pem"))
            assert "SECP256R1" in text and MARK in text, text
            assert "Algorithm Security Level: High" in text, text
            # leaf and root: the chain goes up to the trust anchor
            assert der(d.path(name + ".pem"), 1) == der(d.path("ca.pem"))
            key = tool("openssl", "pkey", "-in", d.path(name + ".key"),
                       "-pubout")
            assert key == tool("openssl", "x509", "-noout", "-pubkey", "-in",
                               d.path(name + ".pem"))
            out = tool("certtool", "--verify-chain", "--infile",
                       d.path(name + ".pem"))
            assert "Verified" in out and "Not verified" not in out, out


def test_the_role_is_as_the_standard_has_it():
    """the role is a UTF8String in its extension, not critical, once"""
    oid = bytes.fromhex("060b2b0601040183890c862201")
    with Demo("--role", "GridServiceSunSpec") as d:
        for name, role in [("operator", "operator"), ("viewer", "viewer"),
                           ("GridServiceSunSpec",) * 2]:
            raw = der(d.path(name + ".pem"))
            value = b"\x0c" + bytes([len(role)]) + role.encode()
            # SEQUENCE { OID, OCTET STRING { UTF8String } }: no BOOLEAN
            # between the two, so it is not critical
            inner = oid + b"\x04" + bytes([len(value)]) + value
            assert b"\x30" + bytes([len(inner)]) + inner in raw, raw.hex()
            assert raw.count(oid) == 1
        for name in ("norole", "server", "ca"):
            assert oid not in der(d.path(name + ".pem"))
        dump = tool("openssl", "asn1parse", "-in", d.path("viewer.pem"))
        assert ":" + OID in dump, dump


def test_the_server_is_who_it_says():
    """the server's certificate has localhost, this host and names given"""
    with Demo("--names", "plc.example,192.0.2.7,2001:db8::7") as d:
        host = socket.gethostname()
        for name in {"localhost", "plc.example", host}:
            d.verify("server", "-verify_hostname", name)
        for address in ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"):
            d.verify("server", "-verify_ip", address)
        d.verify("server", "-verify_hostname", "other.example", ok=False)


def test_only_the_owner_reads_keys():
    """keys are readable by their owner alone, whatever the umask"""
    with Demo() as d:
        umask = os.umask(0)
        try:
            certs("demo", d.dir, "--force")
        finally:
            os.umask(umask)
        for name in os.listdir(d.dir):
            mode = stat.S_IMODE(os.stat(d.path(name)).st_mode)
            want = {".key": 0o600, ".py": 0o755}.get(
                os.path.splitext(name)[1], 0o644)
            assert mode == want, (name, oct(mode))


def test_nothing_is_overwritten():
    """a second run refuses, and so does one that finds a single file"""
    with Demo() as d:
        before = d.all()
        done = certs("demo", d.dir, code=73)
        assert "--force" in done.stderr, done.stderr
        assert d.all() == before
        for name in before:
            if name != "roles.json":
                os.unlink(d.path(name))
        certs("demo", d.dir, code=73)
        assert d.all() == {"roles.json": before["roles.json"]}
        # nor is what a link of that name leads to
        os.rename(d.path("roles.json"), d.path("elsewhere"))
        os.symlink("elsewhere", d.path("server.key"))
        certs("demo", d.dir, code=73)
        assert set(os.listdir(d.dir)) == {"elsewhere", "server.key"}


def test_force_replaces_all():
    """--force makes a new authority and everything that belongs to it"""
    with Demo() as d:
        before = d.all()
        os.unlink(d.path("server.key"))
        os.symlink("roles.json", d.path("server.key"))
        certs("demo", d.dir, "--force")
        after = d.all()
        assert set(after) == set(before)
        for name in before:
            if name.endswith((".pem", ".key")):
                assert after[name] != before[name], name
        assert not os.path.islink(d.path("server.key"))
        assert after["roles.json"] == before["roles.json"]
        for name in CLIENTS + ["server"]:
            d.verify(name)


def test_a_directory_that_cannot_be_written():
    """where nothing can be created it says so with 73 and leaves nothing"""
    with tempfile.TemporaryDirectory(prefix="hf-certs-") as where:
        certs("demo", os.path.join(where, "a", "b"), code=73)
        file = os.path.join(where, "file")
        open(file, "w").close()
        certs("demo", file, code=73)
        certs("demo", "/proc/self/holdfast", code=73)
        assert os.listdir(where) == ["file"]


def test_a_full_disk_leaves_nothing():
    """a run that fails halfway takes away what it has written"""
    with tempfile.TemporaryDirectory(prefix="hf-certs-") as where:
        new = os.path.join(where, "new")
        # the limit is met by a certificate, not by the first file
        done = subprocess.run(
            ["sh", "-c", f"trap '' XFSZ; ulimit -f 2; exec {HOLDFAST} certs "
             f"demo {new}"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 73 and new in done.stderr, done
        assert os.listdir(where) == [], os.listdir(where)


def test_as_many_roles_as_there_can_be_options():
    with tempfile.TemporaryDirectory() as dir:
        roles = ["role%d" % i for i in range(32)]
        at = os.path.join(dir, "demo")
        certs("demo", at, *sum((["--role", r] for r in roles), []))
        for r in roles:
            tool("openssl", "verify", "-CAfile", at + "/ca.pem",
                 at + "/" + r + ".pem")
        with open(at + "/roles.json") as f:
            text = f.read()
        assert all('"%s"' % r in text for r in roles)


def test_wrong_usage():
    """what makes no sense is refused with 64, before anything is written"""
    with tempfile.TemporaryDirectory(prefix="hf-certs-") as where:
        new = os.path.join(where, "new")
        for args in (["--days", "0"], ["--days", "x"], ["--days", "1.5"],
                     ["--days", "99999"], ["--role", ""], ["--role", "a/b"],
                     ["--role", "viewer"], ["--role", "ca"],
                     ["--role", "x", "--role", "x"], ["--role", "x" * 65],
                     ["--names", "a,,b"], ["--names", "a b"], ["more"]):
            certs("demo", new, *args, code=64)
        certs("demo", code=64)
        certs("demonstrate", new, code=64)
        assert "did you mean" in certs("dem", new, code=64).stderr
        certs("show", code=64)
        certs("show", "--days", "3", new, code=64)
        certs("revoke", new, code=64)
        assert os.listdir(where) == []
    done = subprocess.run([HOLDFAST, "get", "--force", "hr:1"],
                          capture_output=True, text=True)
    assert done.returncode == 64 and "--force" in done.stderr, done


def test_days():
    """--days is for how long they are good, from an hour ago"""
    with Demo("--days", "2") as d:
        for name in ("ca", "server", "viewer"):
            tool("openssl", "x509", "-noout", "-checkend", "172000", "-in",
                 d.path(name + ".pem"))
            tool("openssl", "x509", "-noout", "-checkend", "173000", "-in",
                 d.path(name + ".pem"), ok=False)


def test_revoke():
    """who is revoked is on the list, the others are not, and once suffices"""
    with Demo("--role", "service") as d:
        d.verify("viewer")
        certs("revoke", d.dir, "viewer")
        assert "revoked" in d.verify("viewer", ok=False)
        d.verify("operator")
        certs("revoke", d.dir, "viewer", "service")
        assert "revoked" in d.verify("service", ok=False)
        assert "revoked" in d.verify("viewer", ok=False)
        d.verify("operator")
        text = tool("openssl", "crl", "-in", d.path("crl.pem"), "-noout",
                    "-text")
        assert text.count("Serial Number:") == 2, text
        before = d.all()
        certs("revoke", d.dir, "nobody", code=66)
        certs("revoke", d.dir, "ca", code=64)
        certs("revoke", d.path("nowhere"), "viewer", code=66)
        with Demo() as other:
            os.replace(other.path("norole.pem"), d.path("norole.pem"))
        certs("revoke", d.dir, "norole", code=64)
        after = d.all()
        assert after["crl.pem"] == before["crl.pem"]


def fields(path, *args):
    """What show tells: {(certificate, field): [values]}"""
    found = {}
    for row in certs("show", path, *args).stdout.splitlines():
        where, field, value = row.split("\t")
        number = int(where.rpartition(":")[2])
        found.setdefault((number, field), []).append(value)
    return found


def test_show_tells_what_is_in_them():
    """show tells subject, names, use, dates and role of each in a chain"""
    with Demo() as d:
        v = fields(d.path("viewer.pem"))
        assert v[1, "role"] == ["viewer"] and v[1, "use"] == ["client"], v
        assert "CN=viewer" in v[1, "subject"][0] and MARK in v[1, "subject"][0]
        assert v[2, "use"] == ["authority"] and (2, "role") not in v
        assert not [k for k in v if k[1] == "note"], v
        n = fields(d.path("norole.pem"))
        assert n[1, "note"] == ["no role"] and (1, "role") not in n, n
        s = fields(d.path("server.pem"))
        assert s[1, "name"][:3] == ["localhost", "127.0.0.1", "::1"], s
        assert s[1, "use"] == ["server"] and (1, "note") not in s, s
        got = json.loads(certs("show", "-o", "json", d.path("viewer.pem"),
                               d.path("norole.pem")).stdout)
        assert [c.get("role") for c in got] == [["viewer"], None, None, None]
        assert [os.path.basename(c["file"]) for c in got] == [
            "viewer.pem"] * 2 + ["norole.pem"] * 2
        # DER is as good
        with open(d.path("viewer.der"), "wb") as f:
            f.write(der(d.path("viewer.pem")))
        assert fields(d.path("viewer.der"))[1, "role"] == ["viewer"]
        certs("show", d.path("viewer.key"), code=66)
        certs("show", d.path("nowhere"), code=66)


def other_certificate(d, name, extensions, *more):
    """A certificate that the demonstration's authority signs, made by
    openssl with extensions of one's own."""
    path = d.path(name + ".pem")
    with open(d.path("ext"), "w") as f:
        f.write("extendedKeyUsage=clientAuth\n" + extensions)
    tool("openssl", "req", "-new", "-key", d.path("viewer.key"), "-subj",
         "/CN=" + name, "-out", d.path("req"))
    tool("openssl", "x509", "-req", "-in", d.path("req"), "-CA",
         d.path("ca.pem"), "-CAkey", d.path("ca.key"), "-extfile",
         d.path("ext"), "-out", path, *(more or ("-days", "2")))
    return path


def test_show_tells_what_is_wrong():
    """show names a role that is no UTF8String, and one that has expired"""
    with Demo() as d:
        path = other_certificate(d, "printable",
                                 OID + "=ASN1:PRINTABLESTRING:viewer\n")
        got = fields(path)
        assert got[1, "note"] == ["its role is no UTF8String"], got
        assert (1, "role") not in got
        for name, value, words in [
                ("long", "ASN1:UTF8String:" + "r" * 65, "too long"),
                ("trailing", "DER:0c0176ff", "not one UTF8String"),
                ("cut", "DER:0c", "cut off"),
                ("empty", "DER:0c00", "empty"),
                ("latin1", "DER:0c02e4f6", "no UTF-8")]:
            got = fields(other_certificate(d, name, f"{OID}={value}\n"))
            assert got[1, "note"] == ["its role is " + words], got
            assert (1, "role") not in got
        ca = authority.Authority(d.dir, "other")
        two = ca.issue("two", roles=("viewer", "operator"))
        said = certs("show", two.path, code=66).stderr
        assert "Duplicate extension" in said, said
        got = fields(ca.issue("early", start_s=3600).path)
        assert got[1, "note"] == ["not valid yet", "no role"], got
        path = other_certificate(d, "old", OID + "=ASN1:UTF8String:viewer\n",
                                 "-days", "-1")
        got = fields(path)
        assert got[1, "note"] == ["expired"] and got[1, "role"] == ["viewer"]


def test_text_from_a_certificate_is_harmless():
    """what a stranger wrote into a certificate does not reach the terminal"""
    with Demo() as d:
        path = other_certificate(
            d, "esc", OID + "=DER:0c05" + b"\x1b[31m".hex() + "\n")
        out = certs("show", "-o", "table", path).stdout
        assert "\x1b" not in out and "[31m" in out, repr(out)


def test_the_configuration_is_right():
    """holdfastd takes the configuration as it is, wherever it is run"""
    with Demo("--role", "service") as d:
        done = subprocess.run(
            [os.path.join(BUILD, "holdfastd"), "-t", "-c",
             d.path("holdfast.json")], capture_output=True, text=True,
            cwd="/")
        assert done.returncode == 0, done
        text = d.read("roles.json").decode()
        assert '"service"' in text and "not for production" in (
            d.read("README").decode().lower())


# ---- served ----

class Served:
    """A demonstration that a daemon serves with its own configuration, but
    for the port and the name of the store."""

    def __init__(self, *args):
        self.demo = Demo(*args)
        self.port = sysutil.free_port()
        self.store = sysutil.unique_store()
        path = self.demo.path("holdfast.json")
        text = self.demo.read("holdfast.json").decode()
        assert text.count("127.0.0.1:8802") == 1
        assert text.count('"certs-demo"') == 1
        with open(path, "w") as f:
            f.write(text.replace("8802", str(self.port))
                    .replace("certs-demo", self.store))
        self.daemon = Daemon(path)
        self.daemon.store = self.store

    def sh(self, command):
        """Runs a command of the README as it stands there."""
        command = command.replace("8802", str(self.port)).replace(
            "ipc://run/control.sock", self.daemon.endpoint)
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.demo.dir, capture_output=True,
            text=True, timeout=300, env=dict(
                os.environ, PORT=str(self.port),
                PATH=f"{BUILD}:/usr/bin:/bin:{os.environ['PATH']}"))
        return done.returncode, done.stdout + done.stderr

    def connect(self, who):
        context = ssl.create_default_context(cafile=self.demo.path("ca.pem"))
        context.load_cert_chain(self.demo.path(who + ".pem"),
                                self.demo.path(who + ".key"))
        plain = socket.create_connection(("127.0.0.1", self.port), 100)
        return context.wrap_socket(plain, server_hostname="localhost")

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *why):
        try:
            self.daemon.__exit__(*why)
        finally:
            self.demo.__exit__()


def ask(s, pdu):
    s.sendall(struct.pack(">HHHB", 1, 0, len(pdu) + 1, 1) + pdu)
    reply = s.recv(260)
    assert len(reply) == 6 + struct.unpack(">H", reply[4:6])[0], reply
    return reply[7:]


READS = [struct.pack(">BHH", fc, 0, 1) for fc in (1, 2, 3, 4)] + [
    bytes.fromhex("2b0e0100")]
WRITES = [struct.pack(">BHH", 5, 0, 0xff00), struct.pack(">BHH", 6, 0, 7),
          bytes.fromhex("0f00000001 01 01"), bytes.fromhex("1000000001 02 0007"),
          struct.pack(">BHHH", 22, 0, 0xffff, 0),
          bytes.fromhex("1700000001 00000001 02 0007")]


def test_roles_have_the_rights_that_they_are_given():
    """operator may do all, viewer may read, who has no role may do nothing"""
    with Served("--role", "service") as d:
        with d.connect("operator") as s:
            for pdu in READS + WRITES:
                assert ask(s, pdu)[0] == pdu[0], pdu
        with d.connect("viewer") as s:
            for pdu in READS:
                assert ask(s, pdu)[0] == pdu[0], pdu
            for pdu in WRITES:
                assert ask(s, pdu) == bytes([pdu[0] | 0x80, 1]), pdu
        with d.connect("norole") as s:
            for pdu in READS + WRITES:
                assert ask(s, pdu) == bytes([pdu[0] | 0x80, 1]), pdu
        with d.connect("service") as s:
            assert [ask(s, pdu)[0] for pdu in READS] == [
                0x81, 0x82, 3, 4, 0xab]


def commands(readme):
    return [line.strip() for line in readme.splitlines()
            if line.startswith("    ")]


def test_the_readme_is_true():
    """each command of the README does what it says there"""
    with Served() as d:
        did = commands(d.demo.read("README").decode())
        serve, gnutls, openssl, *tries, revoke, reload, last = did
        assert serve.startswith("holdfastd -c holdfast.json"), serve
        code, said = d.sh(gnutls)
        assert code == 0 and "certificate is trusted" in said, said
        assert "Handshake was completed" in said, said
        code, said = d.sh(openssl)
        assert code == 0, said
        assert "00 01 00 00 00 07 01 03 04 00 00 00 00" in said, said
        assert [d.sh(t) for t in tries] == [
            (0, "written\n"), (0, "42 0\n"), (1, "exception 01\n"),
            (1, "exception 01\n")], tries
        assert d.sh(last) == (0, "42 0\n")
        assert d.sh(revoke) == (0, "")
        code, said = d.sh(reload)
        assert code == 0 and "uses its files as they are now" in said, said
        code, said = d.sh(last)
        assert code == 1 and "no connection:" in said, said
        assert d.sh(tries[1]) == (0, "42 0\n")


def test_reload_says_what_it_could_not_use():
    """holdfast reload exits 1 with the reason when a file is no good"""
    with Served() as d:
        with open(d.demo.path("crl.pem"), "w") as f:
            f.write("junk")
        code, said = d.sh("holdfast -s ipc://run/control.sock reload")
        assert code == 1 and "tls1 goes on with what it had" in said, said
        assert "crl.pem" in said, said


if __name__ == "__main__":
    sysutil.run()
