#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Roles of certificates, from the handshake to what they may do. The numbers
are those of the MODBUS/TCP Security specification, v3.6."""
import json
import os
import signal
import struct
import sys

sys.dont_write_bytecode = True
import certs  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from tls_case import V12, V13, Client, alert, daemon, pki, unharmed  # noqa: E402


def test_roles():
    """R-21, R-22, R-30: the role is in the certificate; R-23: one without is
    let in, with the rights of the NULL role; R-31: refusal is exception 01"""
    with daemon(roles=tls_case.ROLES) as d:
        for version in (V12, V13):
            with Client(d, pki.client, version) as m:
                m.write_hr(3, 4)
                assert tls_case.connections(d, 1)[0]["role"] == "operator"
            with Client(d, pki.plain, version) as m:
                refused(m)
                assert tls_case.connections(d, 1)[0]["role"] == ""


def refused(m):
    for request in (struct.pack(">BHH", 3, 0, 1),
                    struct.pack(">BHH", 3, 60000, 1),
                    struct.pack(">BHH", 6, 0, 1)):
        reply = m.request(request)
        assert reply == bytes([request[0] | 0x80, 1]), reply


def test_roles_are_read_again():
    """R-24 to R-28: a reload brings the roles that the file has now, also to
    who is connected; one with a mistake changes nothing; a worker that is
    started anew has the same roles as the one before it"""
    with daemon(roles={"operator": [{"fc": [3]}]}) as d:
        path = os.path.join(tls_case.pki.dir, "roles.json")
        with Client(d, pki.client) as m, Client(d, pki.client, V12) as old:
            for c in m, old:
                assert c.read_hr(0) == [0]
                assert c.request(WRITE) == b"\x86\1"
            put(path, {"operator": [{"fc": [6]}]})
            assert d.rpc("system.reload")["refreshed"] == ["tls1"]
            for c in m, old:
                assert c.request(WRITE) == WRITE
                assert c.request(READ) == b"\x83\1"
                assert c.request(READ) == b"\x83\1"
            put(path, {"operator": [{"fc": [3], "device": ["plc1"]}]})
            try:
                d.rpc("system.reload")
                raise AssertionError("a mistake was not told")
            except sysutil.RpcError as e:
                assert 'unknown key "device"' in e.message, e.message
            assert m.request(READ) == b"\x83\1"
        put(path, {"operator": [{"fc": [6]}]})
        pid = d.rpc("transports.list")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        sysutil.wait_for(lambda: d.rpc("transports.list")[0]["pid"] not in (pid, None))
        with Client(d, pki.client) as m:
            assert m.request(WRITE) == WRITE
            assert m.request(READ) == b"\x83\1"


READ, WRITE = b"\3\0\0\0\1", b"\6\0\0\0\1"


def put(path, roles):
    with open(path, "w") as f:
        json.dump(roles, f)


def test_null_role_has_rights_of_its_own():
    "R-23: the NULL role may do what the file allows it"
    with daemon(roles={"": [{}]}) as d, Client(d, pki.plain) as m:
        assert m.read_hr(1000) == [48879]


BAD_ROLES = {
    "printable": certs.tagged(19, b"operator"),
    "octets": certs.tagged(4, b"operator"),
    "empty": certs.tagged(12, b""),
    "nul": tls_case.utf8("operator\0"),
    "long": tls_case.utf8("o" * 65),
    "huge": tls_case.utf8("o" * 3000),
    "cut": tls_case.utf8("operator")[:-1],
    "more": tls_case.utf8("operator") + b"\0",
    "pair": tls_case.utf8("operator") + tls_case.utf8("viewer"),
    "list": certs.tagged(48, tls_case.utf8("operator")),
    "latin": tls_case.utf8(b"op\xe9rator"),
    "wide": b"\x0c\x81\x08operator",
}


def test_bad_roles():
    """R-22, R-65: a role that is not exactly one UTF8String gives no rights,
    not even those of the NULL role, and ends no handshake"""
    with daemon(roles={"": [{}], "operator": [{}]}) as d:
        for name, der in BAD_ROLES.items():
            cert = pki.issue("role-" + name, role_der=der)
            with Client(d, cert) as m:
                refused(m)
                assert tls_case.connections(d, 1)[0]["role"] is None, name
            tls_case.connections(d, 0)
        assert tls_case.stats(d)["restarts"] == 0


def test_bad_roles_are_told():
    "the log says which certificate has a bad role, and what is wrong with it"
    with daemon(roles={"": [{}]}) as d:
        for name, words in (("printable", "is no UTF8String"),
                            ("pair", "is not one UTF8String"),
                            ("long", "is too long"), ("empty", "is empty"),
                            ("latin", "is no UTF-8")):
            cert = pki.issue("role-" + name, role_der=BAD_ROLES[name])
            with Client(d, cert) as m:
                assert m.request(struct.pack(">BHH", 3, 0, 1)) == b"\x83\x01"
            said = d.stderr_text()
            assert 'certificate gives no rights peer=127.0.0.1:' in said
            assert (f'why="its role {words}" subject="CN=role-{name}"'
                    in said), (name, said)


def test_two_roles():
    """R-65, RFC 5280 4.2: a certificate with the extension twice is none"""
    two = pki.issue("tworoles", roles=["operator", "viewer"])
    with daemon() as d:
        for version in (V12, V13):
            assert "BAD_CERTIFICATE" in alert(d, two, version)
        d.wait_stderr("certificate has an extension twice, subject ?")
        unharmed(d)


def test_long_role():
    "a role of 64 bytes is one, and shown to its end"
    name = "r" * 63 + "s"
    cert = pki.issue("longrole", roles=[name])
    with daemon(roles={name: [{}]}) as d, Client(d, cert) as m:
        assert m.read_hr(1000) == [48879]
        assert tls_case.connections(d, 1)[0]["role"] == name


if __name__ == "__main__":
    sysutil.run()
