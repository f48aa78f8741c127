#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the roles of clients may do, through a real daemon: each request is held
against the rules, and every refusal is answered, counted, logged and told."""
import json
import os
import select
import subprocess
import sys

import zmq

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from sysutil import wait_for  # noqa: E402
from tls_case import Client, daemon, pki, stats  # noqa: E402

ROLES = {
    "operator": [{}],
    "viewer": [{"fc": [1, 3, 4, 23, 43], "tables": ["hr", "ir"],
                "addr": [0, 99]},
               {"fc": [3], "addr": [1000, 1009]}],
    "shift": [{"fc": [1, 2, 3, 4]},
              {"fc": [5, 6, 15, 16, 22, 23], "addr": [10, 19]}],
    "other": [{"devices": ["plc2"]}],
}
OPERATOR, VIEWER, SHIFT, OTHER, NOBODY = (
    "operator", "viewer", "shift", "other", "nobody")


def as_role(role):
    return pki.issue("as-" + role, roles=[role])


def two_devices(**transport):
    conf = tls_case.conf(ROLES, units={"1": "plc1", "2": "plc2"}, **transport)
    conf["devices"]["plc2"] = {
        "holding_registers": [{"addr": 0, "count": 100}]}
    return conf


# (request in hexadecimal, unit, what each role gets: None a reply, else the
# exception) for operator, viewer, shift, other
REQUESTS = [
    ("01 0000 0008", 1, None, 1, None, 1),   # coils are no registers
    ("02 0000 0008", 1, None, 1, None, 1),
    ("03 0000 0001", 1, None, None, None, 1),
    ("03 0063 0001", 1, None, None, None, 1),
    ("03 0063 0002", 1, None, 1, None, 1),   # one beyond the viewer's
    ("03 03e8 000a", 1, None, None, None, 1),
    ("03 03e7 0002", 1, None, 1, None, 1),   # from one rule into the next
    ("04 0000 0001", 1, None, None, None, 1),
    ("05 000a ff00", 1, None, 1, None, 1),
    ("05 0009 ff00", 1, None, 1, 1, 1),
    ("06 000a 0001", 1, None, 1, None, 1),
    ("06 0014 0001", 1, None, 1, 1, 1),
    ("0f 000a 0008 01 ff", 1, None, 1, None, 1),
    ("0f 000a 000b 02 ff07", 1, None, 1, 1, 1),
    ("10 000a 0001 02 0001", 1, None, 1, None, 1),
    ("10 0013 0002 04 0001 0002", 1, None, 1, 1, 1),
    ("16 000a ffff 0000", 1, None, 1, None, 1),
    ("17 000a 0001 000b 0001 02 0001", 1, None, None, None, 1),
    ("17 000a 0001 0064 0001 02 0001", 1, None, 1, 1, 1),
    ("17 0064 0001 000a 0001 02 0001", 1, None, 1, 1, 1),
    ("11", 1, None, 1, 1, 1),
    ("08 0000 1234", 1, None, 1, 1, 1),
    ("2b 0e 01 00", 1, None, None, 1, 1),    # 43 is named
    ("64 0102", 1, 1, 1, 1, 1),              # is served to nobody
    ("06 0005 0001", 2, None, 1, 1, None),
    ("03 0000 0001", 2, None, None, None, None),
    # what is wrong is only told to who may ask
    ("03 0000 00c8", 1, 3, 1, 3, 1),
    ("03 0000 0000", 1, 3, 3, 3, 1),
    ("03 c350 0001", 1, 2, 1, 2, 1),
    ("04 0062 0002", 1, 2, 2, 2, 1),
    ("06 03e8 0001", 1, 2, 1, 1, 1),
    ("03 00", 1, 3, 1, 3, 1),
    # a unit that is not there, to who has any rights
    ("03 0000 0001", 9, 11, 11, 11, 11),
]


def test_each_request_is_held_against_the_rules():
    with sysutil.Daemon(two_devices()) as d:
        refusals = 0
        for i, role in enumerate((OPERATOR, VIEWER, SHIFT, OTHER)):
            with Client(d, as_role(role)) as m:
                for text, unit, *want in REQUESTS:
                    pdu = bytes.fromhex(text)
                    reply = m.request(pdu, unit)
                    said = (role, text, unit, reply.hex())
                    if want[i] is None:
                        assert reply[0] == pdu[0], said
                    else:
                        assert reply == bytes([pdu[0] | 0x80, want[i]]), said
                    refusals += want[i] == 1 and (role, text) != (
                        OPERATOR, "64 0102")
        assert stats(d)["refused"] == refusals, (stats(d), refusals)


def test_a_role_that_is_not_listed_may_do_nothing():
    with sysutil.Daemon(two_devices()) as d, \
            Client(d, as_role(NOBODY)) as m, Client(d, pki.plain) as plain:
        for text, unit, *_ in REQUESTS:
            pdu = bytes.fromhex(text)
            for client in (m, plain):
                assert client.request(pdu, unit) == bytes([pdu[0] | 0x80, 1])
        assert stats(d)["refused"] == 2 * len(REQUESTS)
        assert stats(d)["unknown_units"] == 0


def test_a_refusal_is_nine_bytes_and_the_connection_stays():
    with sysutil.Daemon(two_devices()) as d, Client(d, as_role(VIEWER)) as m:
        m.send(m.adu(b"\x06\x00\x00\x00\x01", tid=0x1234)
               + m.adu(b"\x03\x03\xe8\x00\x01", tid=0x1235))
        assert m.exactly(9) == b"\x12\x34\0\0\0\x03\x01\x86\x01"
        assert m.exactly(11) == b"\x12\x35\0\0\0\x05\x01\x03\x02\xbe\xef"


def test_any_framer_refuses_in_its_own_way():
    with sysutil.Daemon(two_devices(framer="rtu")) as d, \
            Client(d, as_role(VIEWER)) as m:
        # both with their CRC
        m.send(bytes.fromhex("01 06 0000 0001 480a"))
        assert m.exactly(5) == bytes.fromhex("01 86 01 83a0")


def test_a_broadcast_reaches_what_the_role_may_write():
    with sysutil.Daemon(two_devices(broadcast=True)) as d:
        with Client(d, as_role(OTHER)) as m:
            m.send(m.adu(b"\x06\x00\x05\x00\x07", unit=0))
            assert m.read_hr(5, unit=2) == [7]
        with Client(d, as_role(OPERATOR)) as m:
            assert m.read_hr(5) == [0]
            m.send(m.adu(b"\x06\x00\x05\x00\x08", unit=0))
            assert m.read_hr(5) == [8] and m.read_hr(5, unit=2) == [8]
        assert stats(d)["refused"] == 1 and stats(d)["broadcasts"] == 2


class Events:
    """The events of connections.tls1, once the subscription is alive."""

    def __init__(self, d):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.subscribe("connections.tls1")
        self.socket.connect(d.events_endpoint)

        def told():
            with Client(d, pki.client):
                return self.socket.poll(100)
        wait_for(told, what="an event")

    def until(self, event):
        while True:
            assert self.socket.poll(50000), "no event " + event
            topic, text, _ = self.socket.recv_multipart()
            assert topic == b"connections.tls1"
            found = json.loads(text)
            if found["event"] == event:
                return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_every_refusal_is_an_event():
    with sysutil.Daemon(two_devices()) as d, Events(d) as events:
        for cert, role in ((as_role(VIEWER), VIEWER), (pki.plain, "")):
            with Client(d, cert) as m:
                m.request(b"\x06\x00\x00\x00\x01")
                m.request(b"\x10\x00\x00\x00\x01\x02\x00\x00", unit=2)
                peer = "%s:%d" % m.socket.getsockname()
                one, two = events.until("refused"), events.until("refused")
                shown = [c for c in d.rpc("connections.list")
                         if c["peer"] == peer]
            assert len(shown) == 1 and shown[0]["role"] == role
            for event, unit, fc in ((one, 1, 6), (two, 2, 16)):
                at = event.pop("at")
                assert isinstance(at, float), at
                assert event == {"event": "refused", "id": shown[0]["id"],
                                 "peer": peer, "role": role, "unit": unit,
                                 "fc": fc}, event


def test_clients_show_their_roles():
    with sysutil.Daemon(two_devices()) as d, Client(d, as_role(VIEWER)) as m, \
            Client(d, pki.plain) as plain:
        m.read_hr(0)
        plain.request(b"\x07")
        rows = [line.split("\t")
                for line in d.cli("clients").stdout.splitlines()]
        assert sorted(row[6] for row in rows) == ['""', VIEWER], rows


def watched(d, form):
    """What holdfast watch says of a refusal; it is started first, and takes
    its time."""
    process = subprocess.Popen(
        [os.path.join(sysutil.BUILD, "holdfast"), "-o", form, "watch",
         "connections"], env=d.env, stdout=subprocess.PIPE, text=True)
    try:
        found = []

        def told():
            with Client(d, pki.issue("rude", roles=["a\x1b[2Jb"])) as m:
                m.request(b"\x06\x00\x00\x00\x01", unit=2)
            while select.select([process.stdout], [], [], 0.1)[0]:
                found.append(process.stdout.readline())
                if "refused" in found[-1]:
                    return True
            return False
        wait_for(told, what="a line about the refusal")
        return found[-1].rstrip("\n")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_watch_shows_refusals_and_no_role_can_move_the_cursor():
    with sysutil.Daemon(two_devices()) as d:
        for form in ("table", "csv"):
            line = watched(d, form)
            assert line.endswith(" role=a?[2Jb unit=2 fc=6"), repr(line)
        d.wait_stderr('role="a')
        assert "\x1b" not in d.stderr_text()


def test_a_flood_of_refusals_is_counted_but_not_logged():
    n = 3000
    with sysutil.Daemon(two_devices()) as d, Client(d, as_role(VIEWER)) as m:
        m.read_hr(0)
        for _ in range(n // 100):
            m.send(100 * m.adu(b"\x06\x00\x00\x00\x01"))
            m.exactly(100 * 9)
        assert stats(d)["refused"] == n
        lines = [line for line in d.stderr_text().splitlines()
                 if "request refused" in line]
        assert 1 <= len(lines) < n / 10, len(lines)
        assert ' role="viewer" unit=1 fc=6' in lines[0], lines[0]
        assert m.read_hr(1000) == [48879]


def reload_refused(d):
    """What a reload has against the files."""
    try:
        d.rpc("system.reload")
    except sysutil.RpcError as why:
        return why.message
    raise AssertionError("was not refused")


def test_a_reload_sees_into_the_file_of_roles():
    conf = two_devices()
    path = conf["transports"]["tls1"]["roles"] = pki.file(
        "changing.json", json.dumps(ROLES))
    with sysutil.Daemon(conf) as d, Client(d, as_role(VIEWER)) as m:
        assert d.rpc("system.reload")["refreshed"] == ["tls1"]
        pki.file("changing.json", '{\n"viewer": [ { "fc": [3, 6, 300] } ] }')
        assert f"{path}:2:28: this value is 300" in reload_refused(d)
        # what is in force is what it started with
        assert m.request(b"\x06\x00\x00\x00\x01") == b"\x86\x01"
        pki.file("changing.json", '{ "viewer": [ {} ] }')
        assert d.rpc("system.reload")["refreshed"] == ["tls1"]
        assert m.request(b"\x06\x00\x00\x00\x01") == b"\x06\x00\x00\x00\x01"


def holdfastd(*args):
    return subprocess.run([os.path.join(sysutil.BUILD, "holdfastd"), *args],
                          capture_output=True, text=True, timeout=100)


def test_check_looks_into_the_file_and_dump_names_it():
    conf = two_devices(password="topsecret")
    path = conf["transports"]["tls1"]["roles"] = pki.file(
        "checked.json", '// who\n{ "viewer": [ { "tabels": ["hr"] } ] }')
    main = pki.file("checked-main.json", json.dumps(conf))
    done = holdfastd("-t", "-c", main)
    assert (done.returncode, done.stdout) == (78, ""), done
    assert done.stderr == (
        f'{path}:2:17: unknown key "tabels" in a rule of role "viewer"; did '
        'you mean "tables"?\n'), done.stderr
    pki.file("checked.json", '{ "viewer": [ { "tables": ["hr"] } ] }')
    assert holdfastd("-t", "-c", main).stdout == f"{main}: OK\n"
    shown = holdfastd("-T", "-c", main)
    assert shown.returncode == 0 and "topsecret" not in shown.stdout
    assert json.loads(shown.stdout)["transports"]["tls1"]["roles"] == path


def test_without_a_file_everybody_may_do_everything():
    with daemon() as d, Client(d, as_role(VIEWER)) as m:
        m.write_hr(0, 1)
        assert d.rpc("connections.list")[0]["role"] == VIEWER
        assert stats(d)["refused"] == 0


if __name__ == "__main__":
    sysutil.run()
