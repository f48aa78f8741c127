#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reload adds and removes transports, and lays some out otherwise, while the
others serve: nobody else notices, and no connection of theirs ends.

    sys_reload_transports.py [WORD...] [--rounds=N]
                                                (20; make torture takes 100)
"""
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
import peers  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from sys_reload import Load, edit, key, process, reload_  # noqa: E402
from sysutil import BUILD, Daemon, Modbus, RpcError, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 20)
TCP = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"}}
COUNTER = 500  # each read of it counts it up


def conf(*names, **keys):
    return {
        "devices": {"plc1": {
            "holding_registers": [{"addr": 0, "count": 100}],
            "input_registers": [{"addr": COUNTER, "action": {
                "name": "increment", "minval": 0, "maxval": 65535}}]}},
        "transports": {t: {**TCP, **keys} for t in names},
    }


def add(name, **keys):
    return lambda c: c["transports"].__setitem__(name, {**TCP, **keys})


def remove(name):
    return lambda c: c["transports"].pop(name)


def named(d):
    return {t["name"]: t["state"] for t in d.rpc("transports.list")}


def refused(port, host="127.0.0.1"):
    try:
        Modbus(port, host=host).close()
        return False
    except ConnectionRefusedError:
        return True


class Counting:
    """Asks for the counter, whose every reading is seen: one that is carried
    out twice or not answered leaves a gap. One at a time may do so."""

    def __init__(self, port):
        self.modbus, self.last, self.n = Modbus(port), None, 0

    def ask(self, times=20):
        for _ in range(times):
            got = self.modbus.read_ir(COUNTER, 1)[0]
            assert self.last is None or got == self.last + 1, (got, self.last)
            self.last, self.n = got, self.n + 1


def objects(d):
    return {os.path.basename(p) for p in sysutil.shm_objects(d.store)}


def test_one_is_added_and_removed():
    """under load of another one, whose processes are the same throughout"""
    with Daemon(conf("tcp1")) as d:
        load = Load(d.port("tcp1"), 1)
        had = process(d, "tcp1"), process(d, "keeper tcp1")
        before = objects(d)
        edit(d, add("tcp2"))
        said = reload_(d)
        assert said["added"] == ["transport tcp2"], said
        assert named(d) == {"tcp1": "up", "tcp2": "up"}
        with Modbus(d.port("tcp2")) as m:
            m.write_hr(50, 7)
            assert m.read_hr(50, 1) == [7]
            port = d.port("tcp2")
            load.more()
            assert [c["transport"] for c in d.rpc(
                "connections.list", transport="tcp2")] == ["tcp2"]
            edit(d, remove("tcp2"))
            said = reload_(d)
            assert said["removed"] == ["transport tcp2"], said
            assert m.closed()
        assert refused(port)
        assert named(d) == {"tcp1": "up"} and "tcp2" not in d.transports()
        assert process(d, "tcp2") is None
        assert process(d, "keeper tcp2") is None
        assert objects(d) == before, objects(d) ^ before
        load.more()
        assert (process(d, "tcp1"), process(d, "keeper tcp1")) == had
        load.end()
        assert d.rpc("registers.read", device="plc1", table="hr",
                     addr=50)["values"] == [7]


def test_the_first_one_is_removed():
    """who comes behind it keeps its place: connections can be closed, faults
    hit, events name the right ones"""
    with Daemon(conf("tcp1", "tcp2")) as d, Modbus(d.port("tcp2")) as m:
        load = Load(d.port("tcp2"), 1)
        pid = process(d, "tcp2")
        edit(d, remove("tcp1"))
        reload_(d)
        assert named(d) == {"tcp2": "up"}
        edit(d, add("tcp3"))
        reload_(d)
        assert named(d) == {"tcp2": "up", "tcp3": "up"}
        assert process(d, "tcp2") == pid
        m.read_hr(0, 1)
        ids = {c["peer"]: c["id"] for c in d.rpc("connections.list")}
        peer = "%s:%d" % m.socket.getsockname()
        assert ids[peer].startswith("tcp2."), ids
        d.rpc("connections.close", id=ids[peer])
        assert m.closed()
        with Modbus(d.port("tcp3")) as n:
            d.rpc("faults.add", transport="tcp3", exception=6)
            try:
                n.read_hr(0, 1)
                raise AssertionError("no fault on tcp3")
            except sysutil.ModbusError as e:
                assert e.code == 6
        d.rpc("transports.restart", name="tcp3")
        assert process(d, "tcp2") == pid
        load.end()


def test_a_name_changes_and_addresses_are_swapped():
    """whoever listens there before gives the listener to who does after: no
    connection is refused"""
    a, b = (f"127.0.0.1:{sysutil.free_port()}" for _ in range(2))
    start = conf("tcp1", "tcp2")
    start["transports"]["tcp1"].update(listen=a, units={"1": "plc1"})
    start["transports"]["tcp2"].update(listen=b, units={"2": "plc1"})
    with Daemon(start) as d:
        edit(d, lambda c: (
            c["transports"]["tcp1"].update(listen=b),
            c["transports"]["tcp2"].update(listen=a)))
        reload_(d)
        assert d.transports()["tcp1"][2] == int(b.rsplit(":")[-1])
        with Modbus(int(b.rsplit(":")[-1]), unit=1) as m:
            m.read_hr(0, 1)

        def rename(c):
            c["transports"]["new"] = c["transports"].pop("tcp1")
        edit(d, rename)
        said = reload_(d)
        assert said["added"] == ["transport new"], said
        assert said["removed"] == ["transport tcp1"], said
        with Modbus(int(b.rsplit(":")[-1]), unit=1) as m:
            m.read_hr(0, 1)
        with Modbus(int(a.rsplit(":")[-1]), unit=2) as m:
            m.read_hr(0, 1)


def test_connections_follow_their_listener():
    """transports change places, are renamed, and follow one another: whoever is
    connected is served by who listens there from then on, and no request
    fails or is carried out twice"""
    where = [f"127.0.0.1:{sysutil.free_port()}" for _ in range(3)]
    start = conf("tcp1", "tcp2")
    for n in (0, 1):
        start["transports"][f"tcp{n + 1}"]["listen"] = where[n]
    ports = [int(a.rsplit(":")[-1]) for a in where]
    start["transports"]["tcp2"]["max_connections"] = 40
    with Daemon(start) as d:
        count = Counting(ports[0])
        load = [Load(ports[0], 1), Load(ports[1], 2)]
        lines = [Modbus(ports[n % 2]) for n in range(6)]

        def reloaded(change):
            edit(d, change)
            reload_(d)
            count.ask()
            for one in load:
                one.more()
            for n, m in enumerate(lines):
                m.write_hr(30 + n, n)
                assert m.read_hr(30 + n, 1) == [n]

        def listen(**at):
            return lambda c: [c["transports"][name].__setitem__(
                "listen", where[n]) for name, n in at.items()]

        def rename(was, name):
            return lambda c: c["transports"].__setitem__(
                name, c["transports"].pop(was))
        for n in range(max(2, ROUNDS // 4)):
            reloaded(listen(tcp1=1 - n % 2, tcp2=n % 2))
            peer = "%s:%d" % count.modbus.socket.getsockname()
            mine = next(c for c in d.rpc("connections.list")
                        if c["peer"] == peer)
            assert mine["transport"] == f"tcp{2 - n % 2}", mine
            assert mine["id"].startswith(mine["transport"]), mine
        reloaded(rename("tcp1", "new"))
        reloaded(rename("new", "tcp1"))
        for one in load:
            one.end()
        for m in [*lines, count.modbus]:
            m.close()


def test_one_moves_on_and_another_one_follows():
    """who is connected where the one was is served by the other; where that
    was nobody is let in any more"""
    where = [f"127.0.0.1:{sysutil.free_port()}" for _ in range(3)]
    ports = [int(a.rsplit(":")[-1]) for a in where]
    start = conf("tcp1", "tcp2", workers=2)
    for n in (0, 1):
        start["transports"][f"tcp{n + 1}"]["listen"] = where[n]
    with Daemon(start) as d:
        load, count = Load(ports[1], 1), Counting(ports[1])
        lines = [Modbus(ports[1]) for n in range(6)]
        for round_, (first, last) in enumerate(((1, 2), (2, 0), (0, 1))):
            count.ask()
            for m in lines:
                m.read_hr(0, 1)
            if round_ > 0:  # those of tcp1 end; tcp2 has none
                load.end()
                load, count = (c(ports[last - 1]) for c in (
                    lambda port: Load(port, 1), Counting))
                lines = [Modbus(ports[last - 1]) for n in range(6)]
                load.more()
            edit(d, lambda c: (
                c["transports"]["tcp1"].update(listen=where[first]),
                c["transports"]["tcp2"].update(listen=where[last])))
            reload_(d)
            assert refused(ports[first - 1])
            load.more()
            count.ask()
            assert {c["transport"] for c in d.rpc("connections.list")} == {
                "tcp1"}
        load.end()


def test_what_cannot_be_added_changes_nothing():
    """an address that somebody has, a user that is none: all stays as it is,
    also what was to be added and removed beside it"""
    with Daemon(conf("tcp1", "tcp2")) as d, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = "127.0.0.1:%d" % other.getsockname()[1]
        load = Load(d.port("tcp1"), 1)
        with open(d.conf_path) as f:
            good = f.read()
        had, before = set(d._leftovers()), objects(d)

        def tried(word, **keys):
            def change(c):
                add("first")(c)
                remove("tcp2")(c)
                key("max_connections", 7)(c)
                add("wrong", **keys)(c)
            with open(d.conf_path, "w") as f:
                f.write(good)
            edit(d, change)
            try:
                reload_(d)
                raise AssertionError(keys)
            except RpcError as e:
                assert word in str(e), str(e)
            assert set(d._leftovers()) == had
            assert objects(d) == before
            assert named(d) == {"tcp1": "up", "tcp2": "up"}
        tried("in use", listen=taken)
        tried("user", user="nobody-of-that-name")
        load.more()
        load.end()


def test_what_could_not_begin_changes_nothing():
    """a certificate that is none, a key that is not its, one that is not
    there, a plugin that is none: what runs goes on with what it had, its
    processes and connections included, and the reason is told"""
    pki = tls_case.pki
    place = tempfile.mkdtemp(prefix="hf-r-")
    wrong = os.path.join(place, "notso.so")
    with open(wrong, "w") as f:
        f.write("neither a plugin nor a certificate\n")
    start = conf("tcp1", "tcp2")
    add("tls1", type="tls", ca=pki.ca.path, cert=pki.server.chain,
        key=pki.server.key)(start)
    start["devices"]["plc2"] = {"holding_registers": [
        {"addr": 0, "count": 10}]}
    start["transports"]["tcp2"]["units"] = {"*": "plc2"}
    try:
        with Daemon(start) as d, Modbus(d.port("tcp1")) as m, \
                tls_case.Client(d, pki.client) as tls:
            had = set(d._leftovers())
            load = Load(d.port("tcp2"), 1)
            with open(d.conf_path) as f:
                good = f.read()

            def tried(word, *changes):
                edit(d, lambda c: [change(c) for change in changes])
                for ask in (reload_, lambda d: d.rpc("config.check")):
                    try:
                        said = ask(d)
                        assert word in str(said), said
                    except RpcError as e:
                        assert word in str(e), str(e)
                assert named(d) == {"tcp1": "up", "tcp2": "up", "tls1": "up"}
                assert set(d._leftovers()) == had
                m.read_hr(0, 1)
                tls.read_hr(0, 1)
                with open(d.conf_path, "w") as f:
                    f.write(good)
            tried("notso.so", key("plugins", [wrong]))
            tried("no function holdfast_plugin",
                  key("plugins", [f"{BUILD}/parts/tls.so"]))
            tried("no certificate", key("cert", wrong, "tls1"))
            tried("no private key", key("key", wrong, "tls1"))
            tried("this key is not that of",
                  key("key", pki.client.key, "tls1"))
            tried("No such file", key("ca", place + "/none", "tls1"))
            # beside what could be: nothing of it
            tried("transport tls2", remove("tcp2"), add(
                "tls2", type="tls", ca=pki.ca.path, cert=wrong,
                key=pki.server.key))
            # not its own keys, but what it serves
            shutil.copy(pki.server.chain, place + "/chain.pem")
            edit(d, key("cert", place + "/chain.pem", "tls1"))
            with open(d.conf_path) as f:
                good = f.read()
            reload_(d)
            load.more()
            load.end()
        with Daemon(json.loads(good)) as d, Modbus(d.port("tcp1")) as m, \
                tls_case.Client(d, pki.client) as tls:
            with open(place + "/chain.pem", "w") as f:
                f.write("it is being replaced\n")
            had = set(d._leftovers())
            tried("no certificate", lambda c: c["devices"]["plc1"][
                "holding_registers"].append({"addr": 200, "count": 1}))
    finally:
        shutil.rmtree(place)


def test_all_keys_of_memory():
    """max_connections, trace_kib and workers: connections and counters go on,
    every request is carried out once"""
    with Daemon(conf("tcp1", "tcp2", max_connections=20)) as d:
        lines = [Modbus(d.port("tcp1")) for _ in range(10)]
        count = Counting(d.port("tcp1"))
        load = [Load(d.port("tcp1"), 1), Load(d.port("tcp2"), 2)]
        pid = process(d, "tcp2")
        changes = [("max_connections", 40), ("trace_kib", 512),
                   ("workers", 2), ("max_connections", 30), ("workers", 3),
                   ("trace_kib", 64), ("max_connections", 50)]
        for name, value in changes:
            edit(d, key(name, value))
            said = reload_(d)
            assert said["restarted"] == ["transport tcp1"], (name, said)
            count.ask()
            for one in load:
                one.more()
        assert process(d, "tcp2") == pid
        for n, m in enumerate(lines):
            m.write_hr(30 + n, n)
            assert m.read_hr(30 + n, 1) == [n]
            m.close()
        for one in load:
            one.end()
        row = next(t for t in d.rpc("transports.list") if t["name"] == "tcp1")
        assert row["workers"] == 3 and row["max_connections"] == 50, row
        assert row["requests"] > count.n + load[0].done, row
        count.modbus.close()


def test_fewer_connections():
    """those that there is room for stay, the others are closed"""
    with Daemon(conf("tcp1", max_connections=30)) as d:
        lines = [Modbus(d.port("tcp1")) for _ in range(30)]
        for m in lines:
            m.read_hr(0, 1)
        edit(d, key("max_connections", 12))
        reload_(d)
        left = 0
        for m in lines:
            try:
                m.read_hr(0, 1)
                left += 1
            except (EOFError, OSError):
                pass
            m.close()
        assert left == 12, left


def test_who_has_requests_in_hand_stays():
    """fewer connections: those that nobody has asked anything on are closed,
    whatever their places; the others get all that they have asked for"""
    ask = bytes.fromhex("000100000006010300000064")
    many, size = 40000, 9 + 2 * 100
    with Daemon(conf("tcp1", max_connections=10)) as d:
        def opened(n):
            return [Modbus(d.port("tcp1")) for _ in range(n)]
        lines = opened(5)
        for m in lines:
            m.read_hr(0, 1)
        busy = opened(5)
        for m in busy:
            m.read_hr(0, 1)
            m.socket.settimeout(60)
            m.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        # more than what sockets hold: the worker waits, with each
        senders = [threading.Thread(
            target=lambda m=m: m.socket.sendall(ask * many), daemon=True)
            for m in busy]
        for n, t in enumerate(senders):
            t.start()
            wait_for(lambda: d.rpc("stats.get")["transports"]["tcp1"][
                "backpressured"] > n)
        for n in (7, 5):
            edit(d, key("max_connections", n))
            reload_(d)
            rows = d.rpc("connections.list")
            assert len(rows) == n, rows
        mine = {"%s:%d" % m.socket.getsockname() for m in busy}
        assert {c["peer"] for c in rows} == mine, rows
        for m in busy:
            left = many * size
            while left > 0:
                got = m.socket.recv(min(left, 1 << 16))
                assert got, f"{left} bytes of replies are missing"
                left -= len(got)
            m.read_hr(0, 1)
            m.close()
        for t in senders:
            t.join()
        for m in lines:
            assert m.closed()


def test_fewer_workers():
    """connections of those that go are closed, the others' stay"""
    with Daemon(conf("tcp1", workers=3)) as d:
        count = Counting(d.port("tcp1"))
        count.ask()
        mine = next(c["id"] for c in d.rpc("connections.list"))
        edit(d, key("workers", 1))
        reload_(d)
        if mine.startswith("tcp1.0."):
            count.ask()
        else:
            assert count.modbus.closed()
        count.modbus.close()
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)


def test_another_type():
    """the same transport is of another type, at the same port or not"""
    at = f"127.0.0.1:{sysutil.free_port()}"
    start = conf("tcp1", "tcp2")
    start["transports"]["tcp1"]["listen"] = at
    with Daemon(start) as d:
        load = Load(d.port("tcp2"), 2)
        ask = bytes.fromhex("000100000006010300000001")
        edit(d, key("type", "udp"))
        reload_(d)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.settimeout(10)
            u.connect(("127.0.0.1", d.port("tcp1")))
            u.send(ask)
            assert u.recv(300)[:2] == ask[:2]
        assert refused(int(at.rsplit(":")[-1]))
        edit(d, key("type", "tcp"))
        reload_(d)
        with Modbus(int(at.rsplit(":")[-1])) as m:
            m.read_hr(0, 1)
        load.end()


def served_udp(d, where):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.settimeout(10)
        u.connect(("127.0.0.1", d.port("one")))
        u.send(bytes.fromhex("000100000006010300000001"))
        assert len(u.recv(300)) == 11


def served_unix(d, where):
    with socket.socket(socket.AF_UNIX) as u:
        u.settimeout(10)
        u.connect(where)
        u.send(bytes.fromhex("000100000006010300000001"))
        assert len(u.recv(300)) == 11


def added_and_removed(keys, served, where, rounds=2, name="one"):
    with Daemon(conf("tcp1")) as d:
        load = Load(d.port("tcp1"), 1)
        before = objects(d)
        for _ in range(rounds):
            edit(d, lambda c: c["transports"].__setitem__(name, {
                "units": {"*": "plc1"}, **keys}))
            reload_(d)
            assert named(d)[name] == "up", d.rpc("transports.list")
            served(d, where)
            edit(d, remove(name))
            reload_(d)
            assert named(d) == {"tcp1": "up"}
            assert process(d, name) is None
            load.more()
        assert objects(d) == before, objects(d) ^ before
        load.end()


def test_udp():
    """added, served, removed, and again"""
    added_and_removed({"type": "udp", "listen": "127.0.0.1:0"}, served_udp,
                      None)


def test_a_serial_line():
    """the port is opened and let go again: the next one has it"""
    line = peers.Line()
    master = peers.Master(line, "rtu")

    def served(d, where):
        wait_for(lambda: next(t for t in d.rpc("transports.list")
                              if t["name"] == "one")["line"] == "up")
        assert master.ask(1, peers.fc3(0))
    try:
        added_and_removed({"type": "serial", "port": line.path}, served, None)
    finally:
        line.close()


def test_tls():
    """with certificates that nobody has read before"""
    def served(d, where):
        with tls_case.Client(d, pki.client) as m:
            m.read_hr(0, 1)
    pki = tls_case.pki
    added_and_removed({
        "type": "tls", "listen": "127.0.0.1:0", "ca": pki.ca.path,
        "cert": pki.server.chain, "key": pki.server.key}, served, None,
        name="tls1")


def test_a_plugin():
    """a socket of unix: its plugin is loaded by the new worker alone"""
    place = tempfile.mkdtemp(prefix="hf-r-")
    path = os.path.join(place, "m.sock")
    try:
        added_and_removed({"type": "unix", "listen": path,
                           "plugins": [f"{BUILD}/plugins/unix.so"]},
                          served_unix, path)
    finally:
        shutil.rmtree(place)


def test_a_row_of_them():
    """places, slots and authors are used again and again; what is counted
    through them is counted once"""
    with Daemon(conf("tcp1")) as d:
        load = Load(d.port("tcp1"), 1)
        last = None
        for n in range(ROUNDS):
            name = f"t{n % 3}"
            edit(d, add(name, max_connections=40 + n, workers=1 + n % 2))
            reload_(d)
            with Modbus(d.port(name)) as m:
                for k in range(5):
                    got = m.read_ir(COUNTER, 1)[0]
                    assert last is None or got == last + 1, (n, k, got, last)
                    last = got
                    m.write_hr(60, got)
                    assert m.read_hr(60, 1) == [got], (n, k)
            edit(d, remove(name))
            reload_(d)
            load.more()
        load.end()


test_a_row_of_them.seconds = 60 + ROUNDS


def test_workers_are_killed_meanwhile():
    """whoever is laid out anew is killed as it gives way, or just before, or
    just after: what was asked is carried out once"""
    with Daemon(conf("tcp1", "tcp2", restart={
            "min_backoff_ms": 1, "max_backoff_ms": 1,
            "max_in_window": 0})) as d:
        count = Counting(d.port("tcp1"))
        load = Load(d.port("tcp1"), 1)
        for n in range(ROUNDS):
            edit(d, key("max_connections", 40 + n))
            pid = process(d, "tcp1")
            os.kill(d.pid, signal.SIGHUP)
            if n % 2:
                sysutil.slay(pid)
            count.ask(5)
            if n % 3 == 0:
                sysutil.slay(process(d, "tcp1"))
            # one that comes while it goes on waits for its end
            wait_for(lambda: d.stderr_text().count(
                "new configuration is in force") > n)
            assert f'"max_connections": {40 + n}' in d.rpc(
                "config.get")["text"], n
            load.more()
        count.modbus.close()
        load.end()


test_workers_are_killed_meanwhile.seconds = 60 + 2 * ROUNDS


def test_a_successor_takes_over_after_it():
    """the supervisor is killed after transports were added, removed and laid
    out anew: the next one has the same, whatever the order in the file"""
    with Daemon(conf("tcp1", "tcp2", "tcp3")) as d:
        edit(d, lambda c: (remove("tcp1")(c), add("tcp4")(c),
                           key("max_connections", 77, "tcp2")(c)))
        reload_(d)
        names = ("tcp2", "tcp3", "tcp4")
        lines = {t: Modbus(d.port(t)) for t in names}
        for n, t in enumerate(names):
            lines[t].write_hr(n, n + 10)
        pids = {t: process(d, t) for t in names}

        def reorder(c):
            c["transports"] = dict(reversed(list(c["transports"].items())))
        edit(d, reorder)
        d.orphan()
        for n, t in enumerate(names):
            assert lines[t].read_hr(n, 1) == [n + 10]
        os.unlink(d.ready_path)
        d.start()
        assert "taking over" in d.stderr_text(), d.stderr_text()
        for n, t in enumerate(names):
            assert process(d, t) == pids[t], t
            assert lines[t].read_hr(n, 1) == [n + 10]
        assert named(d) == {t: "up" for t in names}
        # and goes on from there
        edit(d, lambda c: (remove("tcp3")(c), add("tcp1")(c),
                           key("max_connections", 78, "tcp2")(c)))
        reload_(d)
        assert named(d) == {t: "up" for t in ("tcp1", "tcp2", "tcp4")}
        assert lines["tcp2"].read_hr(0, 1) == [10]
        assert lines["tcp4"].read_hr(2, 1) == [12]
        assert process(d, "tcp4") == pids["tcp4"]
        for m in lines.values():
            m.close()


def test_the_supervisor_is_killed_in_the_middle_of_it():
    """one drains, others have begun or are laid out anew: the next one serves
    what the file says, with every value that was written"""
    with Daemon({**conf("tcp1", "tcp2"), "drain_timeout_s": 60}) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(5, [55, 56])
        slow = Modbus(d.port("tcp2"))
        slow.read_hr(0, 1)
        slow.send(bytes.fromhex("0001000000060103"))  # half a request
        edit(d, lambda c: (remove("tcp2")(c), add("tcp3")(c),
                           key("max_connections", 9)(c)))
        os.kill(d.pid, signal.SIGHUP)
        d.wait_stderr("transport tcp2 draining")
        d.orphan()
        os.unlink(d.ready_path)
        d.start()
        slow.close()
        assert named(d) == {"tcp1": "up", "tcp3": "up"}
        for name in ("tcp1", "tcp3"):
            with Modbus(d.port(name)) as m:
                assert m.read_hr(5, 2) == [55, 56]
        assert process(d, "tcp2") is None


def test_killed_in_the_middle_and_the_file_put_back():
    """what serves by the one configuration or by the other is not taken for
    the first one, which the file says again"""
    with Daemon({**conf("tcp1", "tcp2"), "drain_timeout_s": 60}) as d:
        with open(d.conf_path) as f:
            was = f.read()
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(5, 55)
        os.kill(process(d, "tcp2"), signal.SIGSTOP)  # it does not end
        edit(d, lambda c: (key("access", "read-only")(c),
                           key("framer", "rtu", "tcp2")(c)))
        os.kill(d.pid, signal.SIGHUP)
        d.wait_stderr("transport tcp2 draining")
        wait_for(lambda: d.stderr_text().count("transport tcp1 up") == 2)
        d.orphan()
        with open(d.conf_path, "w") as f:
            f.write(was)
        os.unlink(d.ready_path)
        d.start()
        for name in ("tcp1", "tcp2"):
            with Modbus(d.port(name)) as m:
                assert m.read_hr(5, 1) == [55]
                m.write_hr(6, 66)


def test_nothing_of_the_next_daemon_is_removed():
    """one that ends in the middle of a reload clears away what that has made
    while the store is its own; from then on it may be another one's"""
    c = conf("tcp1")
    c["store"] = {"name": sysutil.unique_store()}
    made = f"/dev/shm/holdfast-{c['store']['name']}.worker.tcp2.0"
    env = {"LD_PRELOAD": os.path.join(BUILD, "tests", "preload", "gone.so"),
           "HOLDFAST_GONE": f"/dev/shm/holdfast-{c['store']['name']}",
           "HOLDFAST_MAKES": made}
    with Daemon(c, env=env) as d:
        os.kill(d.child("control"), signal.SIGSTOP)  # it is to be asked
        edit(d, add("tcp2"))
        os.kill(d.pid, signal.SIGHUP)
        wait_for(lambda: os.path.exists(made) and os.stat(made).st_size > 0,
                 what="what it prepares")
        os.kill(d.pid, signal.SIGQUIT)
        assert d.wait() == 0
        assert os.path.exists(made) and os.stat(made).st_size == 0
        os.unlink(made)


def test_the_daemon_ends_while_one_drains():
    """which a client keeps from ending: both end, and nothing is left"""
    with Daemon({**conf("tcp1", "tcp2"), "drain_timeout_s": 2}) as d:
        m = Modbus(d.port("tcp2"))
        m.send(bytes.fromhex("0001000000060103"))  # half a request
        edit(d, remove("tcp2"))
        os.kill(d.pid, signal.SIGHUP)
        d.wait_stderr("transport tcp2 draining")
        d.stop()
        m.close()
        assert not sysutil.shm_objects(d.store)


if __name__ == "__main__":
    sysutil.run()
