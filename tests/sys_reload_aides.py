#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A reload and the processes beside the workers: those who ask control and http
and those who listen to events go on while everything that they are told about
changes; what saves registers and what runs actions begins anew.

    sys_reload_aides.py [WORD...] [--rounds=N]	(20)
"""

import json
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading

import zmq
import zmq.auth

import http_case
import sysutil
from http_case import Web
from sysutil import Daemon, Modbus, RpcError, wait_for

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 20)
HR = "registers.plc1.holding_registers"
context = zmq.Context()


def conf(**more):
    tcp = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"}}
    return {
        "devices": {
            "plc1": {"holding_registers": [{"addr": 0, "count": 100}]},
            "plc2": {"holding_registers": [{"addr": 0, "count": 100}]}},
        "transports": {"tcp1": tcp, "tcp2": {**tcp, "units": {"*": "plc2"}}},
        "http": {"listen": "127.0.0.1:0"},
        **more,
    }


def edit(d, change):
    """Has the file say something else; what it said."""
    with open(d.conf_path) as f:
        was = f.read()
    now = json.loads(was)
    change(now)
    with open(d.conf_path + ".new", "w") as f:
        json.dump(now, f)
    os.rename(d.conf_path + ".new", d.conf_path)
    return was


def put(*path_and_value):
    *path, name, value = path_and_value

    def change(c):
        for p in path:
            c = c.setdefault(p, {})
        if value is None:
            c.pop(name, None)
        else:
            c[name] = value
    return change


def reload_(d, *changes):
    for change in changes:
        edit(d, change)
    return d.rpc("system.reload")


def refused(d, change, *words):
    """A reload that does not come into force, and says why; the file is as it
    was afterwards."""
    was = edit(d, change)
    try:
        said = d.rpc("system.reload")
        raise AssertionError(f"in force: {said}")
    except RpcError as e:
        for w in words:
            assert w in str(e), (w, str(e))
    with open(d.conf_path, "w") as f:
        f.write(was)


def endpoint():
    return f"tcp://127.0.0.1:{sysutil.free_port()}"


def accepts(address):
    host, port = address.replace("tcp://", "").rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
        return True
    except ConnectionError:  # refused, or let go of right now
        return False


class Asking:
    """A thread that asks again and again; whatever is not answered as it
    should be is an error."""

    def __init__(self, ask):
        self.ask, self.done, self.error, self.stop = ask, 0, None, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.stop:
                self.ask(self.done)
                self.done += 1
        except BaseException as e:  # told by more() and end()
            self.error = e

    def more(self):
        was = self.done
        wait_for(lambda: self.error or self.done > was + 1)
        assert self.error is None, repr(self.error)

    def end(self):
        self.stop = True
        self.thread.join()
        assert self.error is None, repr(self.error)
        assert self.done > 0


def dealer(where, answers=8):
    """Asks several things at a time over one connection."""
    s = context.socket(zmq.DEALER)
    s.linger = 0
    s.rcvtimeo = 20000
    s.connect(where)

    def ask(n):
        ids = [n * answers + i for i in range(answers)]
        for i in ids:
            s.send(json.dumps({
                "jsonrpc": "2.0", "id": i, "method": "registers.read",
                "params": {"device": "plc1", "table": "hr",
                           "addr": i % 90}}).encode())
        got = [json.loads(s.recv()) for _ in ids]
        assert [g["id"] for g in got] == ids, got
        assert all("result" in g for g in got), got
    return ask


def asker(where, addr=91):
    """A client that writes where no events are listened to, and reads what it
    wrote."""
    rpc = sysutil.Rpc(where, 20)
    at = {"device": "plc2", "table": "hr", "addr": addr}

    def ask(n):
        rpc.call("registers.write", {**at, "values": [n & 0xffff]})
        got = rpc.call("registers.read", at)[0]
        assert got["values"] == [n & 0xffff], got
    return ask


def browser(d):
    """A connection over HTTP that is kept."""
    web = Web(d)

    def ask(n):
        status, _, data = web.ask("POST", "/api/v1/rpc", json.dumps({
            "jsonrpc": "2.0", "id": n, "method": "registers.read",
            "params": {"device": "plc1", "table": "hr", "addr": 5}}),
            keep=True)
        answer = json.loads(data)
        assert status == 200 and answer["id"] == n, (status, answer)
        assert "result" in answer, answer
    return ask


def listener(d, modbus, addr):
    """Writes over Modbus, and waits until both kinds of listeners have heard
    of it: by its number, and by nothing missing before it."""
    sub = context.socket(zmq.SUB)
    sub.linger = 0
    sub.rcvtimeo = 20000
    sub.subscribe(HR)
    sub.connect(d.events_endpoint)
    stream = http_case.Events(Web(d), HR)
    stream.hello()
    state = {"seq": None, "id": None}

    def heard(value, take):
        while True:
            event = take()
            assert "lost" not in event, event
            if event["addr"] == addr and event["new"] == [value]:
                return
            assert event["addr"] != addr, (event, value)

    def of_sub():
        _, text, seq = sub.recv_multipart()
        seq = struct.unpack("<Q", seq)[0]
        assert state["seq"] in (None, seq - 1), (state, seq)
        state["seq"] = seq
        return json.loads(text)

    def of_stream():
        _, number, data = stream.next(20)
        assert state["id"] in (None, number - 1), (state, number)
        state["id"] = number
        return data

    def ask(n):
        value = n % 60000 + 1
        modbus.write_hr(addr, value)
        heard(value, of_sub)
        heard(value, of_stream)

    # the subscription has come to life once a change comes through
    n = 0
    while not sub.poll(50):
        n += 1
        modbus.write_hr(addr + 1, n & 0xffff)
        assert n < 500, "the subscription never came to life"
    return ask


def test_nobody_who_asks_or_listens_notices():
    """clients of every kind under load while all kinds of keys change: every
    request is answered, every change is told, in order, by the same
    processes"""
    files = tempfile.mkdtemp(prefix="hf-reload-")
    ends = [endpoint(), endpoint()]
    with Daemon(conf(control={"listen": ends[:1]})) as d, \
            Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp2")) as other:
        pids = d.child("control"), d.child("http")
        load = [Asking(ask) for ask in (
            dealer(d.endpoint), dealer(ends[0]), asker(d.endpoint, 1),
            asker(ends[0], 2), browser(d), listener(d, m, 92),
            lambda n: other.write_hr(95, n & 0xffff))]
        try:
            for n in range(ROUNDS):
                reload_(
                    d, put("http", "max_streams", 30 + n),
                    put("control", "listen", ends[:1 + n % 2]),
                    put("drain_timeout_s", 6 + n % 3),
                    put("transports", "tcp2", "idle_timeout_s", 300 + n),
                    put("store", "snapshot", None if n % 3 == 0 else {
                        "path": os.path.join(files, f"p{n % 2}.snap"),
                        "interval_s": 1 + n}))
                assert f'"max_streams": {30 + n}' in \
                    d.rpc("config.get")["text"]
                for one in load:
                    one.more()
        finally:
            for one in load:
                one.stop = True
        for one in load:
            one.end()
        assert (d.child("control"), d.child("http")) == pids
    shutil.rmtree(files)


test_nobody_who_asks_or_listens_notices.seconds = 120


def test_transports_that_come_are_known():
    """whoever has listened to all of them hears of a new one from its first
    moment; its connections are told, listed and closed by their names, also
    once the order of the file is another one"""
    tcp = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"}}
    with Daemon(conf()) as d:
        sub = context.socket(zmq.SUB)
        sub.linger = 0
        sub.rcvtimeo = 20000
        sub.subscribe("transports.")
        sub.subscribe("connections.")
        sub.connect(d.events_endpoint)
        n = 0
        while not sub.poll(100):  # until the subscription has come to life
            Modbus(d.port("tcp1")).close()
            n += 1
            assert n < 200

        def until(topic, **wanted):
            while True:
                name, text, _ = sub.recv_multipart()
                event = json.loads(text)
                if name.decode() == topic and all(
                        event.get(k) == v for k, v in wanted.items()):
                    return event
        for n in range(3):
            name = f"new{n}"
            said = reload_(d, lambda c: c.update(
                transports={name: tcp, **c["transports"]}))
            assert said["added"] == [f"transport {name}"], said
            topic = f"transports.{name}"
            until(topic, state="starting")
            until(topic, state="up")
            with Modbus(d.port(name)) as m:
                assert m.read_hr(0, 1) == [0]
                opened = until(f"connections.{name}", event="open")
                ids = [c["id"] for c in d.rpc("connections.list",
                                              transport=name)]
                assert ids == [opened["id"]], (ids, opened)
                d.rpc("connections.close", id=ids[0])
                until(f"connections.{name}", event="close", id=ids[0])
            d.rpc("transports.stop", name=name)
            until(topic, state="stopped")
            d.rpc("transports.start", name=name)
            until(topic, state="up")
            assert d.rpc("stats.get")["transports"][name]["up"]
        reload_(d, lambda c: [c["transports"].pop(f"new{n}")
                              for n in range(3)])
        assert sorted(t["name"] for t in d.rpc("transports.list")) == [
            "tcp1", "tcp2"]
        sub.close()


def test_endpoints_come_and_go():
    """what is added is there when the reload is answered, what stays keeps its
    connections, and what was asked where it is taken away is answered"""
    stays, goes, comes = endpoint(), endpoint(), endpoint()
    with Daemon(conf(control={"listen": [stays, goes]})) as d:
        load = Asking(asker(stays))
        leaving = sysutil.Rpc(goes, 20)
        edit(d, put("control", "listen", [comes, stays]))
        said = leaving.call("system.reload")[0]
        assert said["changed"] == ["key control"], said
        assert said["restarted"] == [], said
        new = sysutil.Rpc(comes, 20)
        assert new.call("system.info")[0]["name"] == "holdfast"
        wait_for(lambda: not accepts(goes), what="the end of an endpoint")
        load.more()
        # there and back again, at once
        for n in range(6):
            reload_(d, put("control", "listen",
                           [stays] if n % 2 else [stays, goes]))
        reload_(d, put("control", "listen", [stays, goes]))
        assert sysutil.Rpc(goes, 20).call("system.info")
        load.end()
        new.close()
        leaving.close()


def test_what_cannot_be_had_changes_nothing():
    """a taken endpoint, a taken address of the page, tokens that cannot be
    read, a user who does not exist, another store: all is as before, also what
    stands beside it"""
    with Daemon(conf()) as d, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = "127.0.0.1:%d" % taken.getsockname()[1]
        free = endpoint()
        page = http_case.address(d)
        pids = sorted(d._leftovers())

        def both(*change):
            def of(c):
                put("http", "max_streams", 7)(c)
                put("transports", "tcp1", "idle_timeout_s", 77)(c)
                put(*change)(c)
            return of
        load = Asking(asker(d.endpoint))
        refused(d, both("control", "listen", [free, f"tcp://{where}"]),
                "cannot listen on tcp://" + where, "in use")
        wait_for(lambda: not accepts(free), what="the end of an endpoint")
        refused(d, both("http", "listen", where), "http", where, "in use")
        with open(os.path.join(d.dir, "tokens"), "w") as f:
            f.write("admin short\n")
        os.chmod(os.path.join(d.dir, "tokens"), 0o600)
        refused(d, both("http", "token_file", os.path.join(d.dir, "tokens")),
                "tokens")
        refused(d, both("store", "snapshot", {
            "path": os.path.join(d.dir, "x.snap"),
            "user": "nobody-of-that-name"}), "nobody-of-that-name")
        refused(d, both("store", "name", "other"), "key store")
        load.end()
        text = d.rpc("config.get")["text"]
        assert '"max_streams": 64' in text and \
            '"idle_timeout_s": 77' not in text
        assert sorted(d._leftovers()) == pids
        assert http_case.address(d) == page
        assert not d.rpc("config.check")["changed"]
        # and it is not as if nothing could ever change again
        reload_(d, put("http", "max_streams", 7))
        assert '"max_streams": 7' in d.rpc("config.get")["text"]


def keys_in(folder):
    """Files of the daemon's key and of a client's; (server, client)."""
    server, client = zmq.curve_keypair(), zmq.curve_keypair()
    os.mkdir(os.path.join(folder, "authorized"))
    for path, text in (
            ("secret", f'secret-key = "{server[1].decode()}"\n'),
            ("authorized/me", f'role = "admin"\n'
                              f'public-key = "{client[0].decode()}"\n')):
        with open(os.path.join(folder, path), "w") as f:
            f.write(text)
        os.chmod(os.path.join(folder, path), 0o600)
    return server, client


def connect(where, server=None, client=None):
    """With keys, or without."""
    s = context.socket(zmq.DEALER)
    s.linger = 0
    if server:
        s.curve_serverkey = server[0]
        s.curve_publickey, s.curve_secretkey = client
    s.connect(where)
    return s


def answered(s, ms):
    """Whether a request is answered, sent as soon as there is somebody."""
    if not s.poll(ms, zmq.POLLOUT):
        return False
    s.send(b'{"jsonrpc":"2.0","id":1,"method":"system.info"}')
    return bool(s.poll(ms)) and "result" in json.loads(s.recv())


def gets_in(where, *keys):
    s = connect(where, *keys)
    try:
        return answered(s, 500)
    finally:
        s.close()


def test_keys_can_be_asked_for_and_given_up():
    """at the same address: who has none is out, who has one is in; and back"""
    files = tempfile.mkdtemp(prefix="hf-reload-")
    where = endpoint()
    curve = {"secret_key": os.path.join(files, "secret"),
             "authorized": os.path.join(files, "authorized")}
    server, client = keys_in(files)
    with Daemon(conf(control={"listen": [where]})) as d:
        plain = connect(where)
        assert answered(plain, 20000)
        reload_(d, put("control", "curve", curve))
        wait_for(lambda: gets_in(where, server, client), 20,
                 what="a client with a key")
        assert not answered(plain, 300) and not gets_in(where)
        keyed = connect(where, server, client)
        assert answered(keyed, 20000)
        refused(d, put("control", "curve", dict(
            curve, secret_key=os.path.join(files, "none"))), "none")
        assert answered(keyed, 20000)
        reload_(d, put("control", "curve", None))
        wait_for(lambda: gets_in(where), 20, what="a client without one")
        assert not answered(keyed, 300)
        plain.close()
        keyed.close()
    shutil.rmtree(files)


def test_the_page_moves():
    """who is connected stays connected, its streams too; it is found at the new
    address when the reload is answered, and no more at the former one"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        pid = d.child("http")
        old = ":".join(http_case.address(d))
        load = [Asking(browser(d)), Asking(listener(d, m, 92))]
        reload_(d, put("http", "listen", "127.0.0.2:0"))
        assert http_case.address(d)[0] == "127.0.0.2"
        assert Web(d).get("/healthz")[0] == 200
        assert not accepts(old)
        for one in load:
            one.more()
            one.end()
        assert d.child("http") == pid


def test_the_page_is_switched_off_and_on():
    """its process ends and begins with it; nobody else notices"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        load = [Asking(asker(d.endpoint)),
                Asking(lambda n: m.write_hr(3, n & 0xffff))]
        for n in range(4):
            reload_(d, put("http", None))
            assert "http" not in d.rpc("system.info")
            assert "http" not in d.rpc("system.info")["aides"]
            reload_(d, put("http", {"listen": "127.0.0.1:0"}))
            assert Web(d).get("/healthz")[0] == 200
            for one in load:
                one.more()
        for one in load:
            one.end()


def test_rights_hold_at_once():
    """of connections that are open, too: what may be done without a token, and
    whose tokens count"""
    with Daemon(conf()) as d:
        web = Web(d)
        write = {"jsonrpc": "2.0", "id": 1, "method": "registers.write",
                 "params": {"device": "plc1", "table": "hr", "addr": 1,
                        "values": [1]}}

        def may(token=None):
            head = {"Authorization": f"Bearer {token}"} if token else {}
            status, _, data = web.ask("POST", "/api/v1/rpc",
                                      json.dumps(write), head, keep=True)
            return status == 200 and "result" in json.loads(data)
        assert may()
        reload_(d, put("http", "local", "read"))
        assert not may()
        for name, token in (("a", "a" * 20), ("b", "b" * 20)):
            path = os.path.join(d.dir, name)
            with open(path, "w") as f:
                f.write(f"operate {token}\n")
            os.chmod(path, 0o600)
            reload_(d, put("http", "token_file", path))
            assert may(token) and not may()
        assert not may("a" * 20)
        reload_(d, put("http", "token_file", None))
        assert not may("b" * 20)


def saved(path, addr):
    """The register that a snapshot holds, by a daemon that starts from it."""
    with Daemon(conf(store={"snapshot": {"path": path}})) as d:
        return d.rpc("registers.read", device="plc1", table="hr",
                     addr=addr)["values"][0]


def test_snapshots_go_elsewhere():
    """what was written before is in the former place, what came after it in the
    new one; switched off nobody saves, and switched on again somebody does"""
    files = tempfile.mkdtemp(prefix="hf-reload-")
    first, second = (os.path.join(files, n) for n in ("a.snap", "b.snap"))
    with Daemon(conf(store={"snapshot": {"path": first,
                                         "interval_s": 3600}})) as d, \
            Modbus(d.port("tcp1")) as m:
        m.write_hr(7, 71)
        said = reload_(d, put("store", "snapshot", {
            "path": second, "interval_s": 3600}))
        assert said["restarted"] == ["aide persist"], said
        assert d.rpc("system.info")["snapshot"]["path"] == second
        m.write_hr(7, 72)
        said = reload_(d, put("store", "snapshot", None))
        assert "snapshot" not in d.rpc("system.info")
        assert "persist" not in d.rpc("system.info")["aides"]
        m.write_hr(7, 73)
        assert (saved(first, 7), saved(second, 7)) == (71, 72)
        reload_(d, put("store", "snapshot", {"path": first,
                                             "interval_s": 0.1}))
        wait_for(lambda: d.rpc("system.info")["snapshot"].get("saves", 0) > 0
                 and saved_now(d), what="a save")
    assert saved(first, 7) == 73
    shutil.rmtree(files)


def saved_now(d):
    return d.rpc("system.info")["snapshot"]["behind_s"] == 0


ACTS = """
def number(registers, inx, cell):
    cell.value = {}


custom_actions_dict = {{"number": number}}
"""


def test_another_module_of_actions():
    """under load: connections stay, every request is answered by the one or the
    other, and by the new one when the reload is answered; a module that cannot
    be loaded is refused"""
    files = tempfile.mkdtemp(prefix="hf-reload-")
    modules = {n: os.path.join(files, f"acts{n}.py") for n in (11, 22, 33)}
    for n, path in modules.items():
        with open(path, "w") as f:
            f.write(ACTS.format(n if n < 33 else "x y"))
    c = conf(actions={"module": modules[11], "timeout_ms": 400})
    c["devices"]["plc1"]["input_registers"] = [
        {"addr": 0, "action": {"name": "number"}}]
    with Daemon(c) as d, Modbus(d.port("tcp1")) as m, \
            Modbus(d.port("tcp1")) as other:
        def read(n=0):
            got = other.read_ir(0, 1)[0]
            assert got in (11, 22), got
        load = Asking(read)
        for n in range(ROUNDS // 3):
            want = (22, 11)[n % 2]
            said = reload_(d, put("actions", "module", modules[want]))
            assert "aide actions" in said["restarted"], said
            assert m.read_ir(0, 1) == [want]
            load.more()
            if n % 3 == 0:
                refused(d, put("actions", "module", modules[33]), "acts33")
                assert m.read_ir(0, 1) == [want]
        load.end()
        assert d.rpc("system.info")["aides"]["actions"]
        where = os.path.join(d.run_dir, "actions.sock")
        assert os.path.exists(where)
        edit(d, lambda c: (c.pop("actions"), c["devices"]["plc1"].pop(
            "input_registers")))
        reload_(d)
        assert not os.path.exists(where)
    shutil.rmtree(files)


test_another_module_of_actions.seconds = 120


def test_a_shorter_time_to_hang():
    """everybody beats as often as it is wanted before it is asked for"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        control = d.child("control")
        load = [Asking(asker(d.endpoint)),
                Asking(lambda n: m.write_hr(3, n & 0xffff))]
        for ms in (30000, 500, 30000, 500):
            said = reload_(d, put("hang_timeout_ms", ms))
            assert sorted(said["restarted"])[-2:] == [
                "transport tcp1", "transport tcp2"], said
            for one in load:
                one.more()
        for one in load:
            one.end()
        assert d.child("control") == control
        assert "hung" not in d.stderr_text(), d.stderr_text()


def test_who_dies_meanwhile_comes_back_with_the_new_one():
    """control and http killed around reloads: they serve what is in force"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        load = Asking(lambda n: m.write_hr(3, n & 0xffff))
        for n in range(8):
            name = ("control", "http")[n % 2]
            pid = d.child(name)
            edit(d, put("http", "max_streams", 40 + n))
            if n % 4 < 2:
                os.kill(pid, signal.SIGKILL)
                os.kill(d.pid, signal.SIGHUP)
            else:
                os.kill(d.pid, signal.SIGHUP)
                sysutil.slay(pid)

            def in_force():
                d._rpc = None
                try:
                    rpc = sysutil.Rpc(d.endpoint, 1)
                    text = rpc.call("config.get")[0]["text"]
                    rpc.close()
                except (RpcError, TimeoutError, zmq.ZMQError):
                    return False
                return f'"max_streams": {40 + n}' in text
            wait_for(in_force, 20, what="the new configuration")
            http_case.new_pid(d, name, pid)
            wait_for(lambda: d.stderr_text().count(
                "the new configuration is in force") > n,
                what="the end of a reload")
            load.more()
        load.end()


def test_a_successor_takes_over_after_it():
    """kill -9 of the supervisor after such a reload: the next one has the
    same"""
    files = tempfile.mkdtemp(prefix="hf-reload-")
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        m.write_hr(9, 99)
        reload_(d, put("http", None), put("drain_timeout_s", 9),
                put("store", "snapshot",
                    {"path": os.path.join(files, "a.snap")}))
        pid = d.child("tcp1")
        d.orphan()
        assert m.read_hr(9, 1) == [99]
        os.unlink(d.ready_path)
        d.start()
        d._rpc = None
        assert "taking over" in d.stderr_text(), d.stderr_text()
        assert d.worker_pid("tcp1") == pid
        assert "http" not in d.rpc("system.info")
        assert "persist" in d.rpc("system.info")["aides"]
        reload_(d, put("http", {"listen": "127.0.0.1:0"}))
        assert Web(d).get("/healthz")[0] == 200
        assert m.read_hr(9, 1) == [99]
    shutil.rmtree(files)


if __name__ == "__main__":
    sysutil.run()
