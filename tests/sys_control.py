#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control process from outside: commands, events, keys, its own death."""

import json
import os
import select
import signal
import socket
import stat
import struct
import threading
import time

import zmq
import zmq.auth

import bench_tools
import sysutil
from sysutil import Daemon, Modbus, RpcError, wait_for

CONF = {
    "devices": {"plc1": {
        "coils": [{"addr": 0, "count": 64}],
        "holding_registers": [
            {"addr": 0, "count": 1000},
            {"addr": 1000, "count": 4, "access": "ro", "value": 48879},
            {"addr": 1100, "type": "float32", "value": 404.17}],
        "input_registers": [{"addr": 0, "count": 16}]}},
    "transports": {
        "tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                 "units": {"1": "plc1"}},
        "tcp2": {"type": "tcp", "listen": "127.0.0.1:0",
                 "units": {"1": "plc1"}}},
}
HR = "registers.plc1.holding_registers"
context = zmq.Context()


class Events:
    """A subscriber. Each event is (topic, dict, sequence)."""

    def __init__(self, daemon, *topics):
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        for topic in topics:
            self.socket.subscribe(topic)
        self.socket.connect(daemon.events_endpoint)

    def ready(self, daemon):
        """Waits until a change comes through; forgets it."""
        n = 0
        while True:
            n += 1
            daemon.rpc("registers.write", table="hr", addr=999, values=[n])
            if self.socket.poll(20):
                break
            assert n < 500, "the subscription never came to life"
        while self.next(0.2):
            pass
        return self

    def next(self, timeout=50.0):
        if not self.socket.poll(int(timeout * 1000)):
            return None
        topic, text, seq = self.socket.recv_multipart()
        assert len(seq) == 8
        return topic.decode(), json.loads(text), struct.unpack("<Q", seq)[0]

    def until(self, true, timeout=100.0):
        """The first event of which true() is."""
        end = time.monotonic() + timeout
        while True:
            event = self.next(max(0, end - time.monotonic()))
            assert event, "no such event came"
            if true(event):
                return event

    def close(self):
        self.socket.close()


def req(endpoint, keys=None, server=None):
    s = context.socket(zmq.REQ)
    s.linger = 0
    if keys:
        s.curve_publickey, s.curve_secretkey = keys
        s.curve_serverkey = server
    s.connect(endpoint)
    return s


def ask(socket, method, timeout=50.0, **params):
    socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method,
                      "params": params})
    return socket.recv_json() if socket.poll(int(timeout * 1000)) else None


def refused(code, call, *args, **params):
    try:
        call(*args, **params)
    except RpcError as e:
        assert e.code == code, e
        return e
    raise AssertionError(f"{args} {params} was not refused")


def test_req_and_dealer_clients_are_both_answered():
    with Daemon(CONF) as d:
        s = req(d.endpoint)
        assert ask(s, "system.ping") == {
            "jsonrpc": "2.0", "result": {}, "id": 1}
        s.close()
        dealer = d.connect()
        ping = b'{"jsonrpc":"2.0","id":9,"method":"system.ping"}'
        answer = [b'{"jsonrpc":"2.0","result":{},"id":9}']
        assert dealer.frames(ping) == answer
        assert dealer.frames(b"", ping) == [b""] + answer
        assert dealer.frames(b"\0route", b"", ping) == [
            b"\0route", b""] + answer
        dealer.close()


FILES = {
    "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0"}},
    "devices": {"plc1": {
        "files": [{"number": 1, "records": 100}],
        "fifos": [{"addr": 2000, "values": [1, 2, 3]},
                  {"addr": 2001, "values": []}]}}}


def test_files_and_queues_stand_where_modbus_has_them():
    with Daemon(FILES) as d, Modbus(d.port("tcp1")) as m:
        where = [(r["table"], r.get("file"), r["addr"], r["count"])
                 for r in d.rpc("registers.describe")]
        assert where == [("files", 1, 0, 100), ("fifos", None, 2000, 31),
                         ("fifos", None, 2001, 31)], where
        assert len(d.rpc("registers.describe", table="fifos")) == 2
        assert d.rpc("devices.list")[0]["tables"] == {
            "files": 100, "fifos": 2}
        c = d.connect()
        for table, code in (("files", 20), ("fifos", 24)):
            try:
                c.call("registers.read", {"table": table, "addr": 0})
                assert False, table
            except RpcError as e:
                assert f"function code {code}" in str(e), e
        c.close()
        s = Events(d, "registers.plc1.files")
        event, n = None, 0
        while event is None and n < 500:  # until the subscription lives
            n += 1  # into record 7 of file 1
            m.call(struct.pack(">3B4H", 21, 9, 6, 1, 7, 1, n))
            event = s.next(0.02)
        event = event[1]
        assert (event["file"], event["addr"], event["new"]) == \
            (1, 7, [n]) and "offset" not in event, event


def test_batches_and_raw_frames_are_answered():
    with Daemon(CONF) as d:
        c = d.connect()
        batch = [{"jsonrpc": "2.0", "id": i, "method": "registers.write",
                  "params": {"table": "hr", "addr": i, "values": [i * 10]}}
                 for i in range(3)]
        batch.append({"jsonrpc": "2.0", "method": "system.ping"})
        answers = json.loads(c.frames(json.dumps(batch))[0])
        assert [a["id"] for a in answers] == [0, 1, 2]
        result, raw = c.call("registers.read", {
            "table": "hr", "addr": 0, "count": 3, "encoding": "u16le"})
        assert raw == struct.pack("<3H", 0, 10, 20) and result["count"] == 3
        c.call("registers.write", {
            "table": "hr", "addr": 1, "encoding": "u16le"},
               raw=struct.pack("<2H", 7, 65535))
        assert d.rpc("registers.read", table="hr", addr=0,
                     count=3)["values"] == [0, 7, 65535]
        c.close()


def test_values_are_the_same_over_modbus_and_over_zeromq():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        d.rpc("registers.write", table="hr", addr=10, values=[1, 2, 3])
        assert m.read_hr(10, 3) == [1, 2, 3]
        m.write_hr(11, 77)
        m.write_coil(5, True)
        assert d.rpc("registers.read", table="hr", addr=10,
                     count=3)["values"] == [1, 77, 3]
        assert d.rpc("registers.read", table="co", addr=4,
                     count=3)["values"] == [0, 1, 0]
        text = d.connect().frames(json.dumps({
            "jsonrpc": "2.0", "id": 1, "method": "registers.read", "params": {
                "table": "hr", "addr": 1100, "type": "float32"}}))[0]
        assert b'"values":[404.17]' in text, text


def test_addresses_outside_are_refused_and_read_only_ranges_are_not():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        e = refused(-32003, d.rpc, "registers.read", table="hr", addr=2000)
        assert e.data == {"reason": "illegal_data_address",
                          "modbus_exception": 2}
        try:
            m.write_hr(1000, 1)
            raise AssertionError("a Modbus client wrote a read-only range")
        except sysutil.ModbusError as error:
            assert error.code == 2
        d.rpc("registers.write", table="hr", addr=1000, values=[1])
        assert m.read_hr(1000) == [1]


def test_transactions_are_whole_under_concurrent_modbus_writes():
    with Daemon(CONF) as d:
        stop = threading.Event()
        errors = []

        def count_by_modbus():
            with Modbus(d.port("tcp2")) as m:
                n = 0
                while not stop.is_set():
                    n = (n + 1) & 0xffff
                    m.write_hr(20, [n, n])

        def take(table="hr", addr=30):
            return {"op": "read", "table": table, "addr": addr, "count": 2}

        thread = threading.Thread(target=count_by_modbus)
        thread.start()
        try:
            applied = 0
            for i in range(400):
                # compare and set: only from the value that was seen
                seen = d.rpc("registers.read", table="hr", addr=30,
                             count=2)["values"]
                result = d.rpc("registers.transaction", ops=[
                    {"op": "check", "table": "hr", "addr": 30,
                     "values": seen},
                    {"op": "read", "table": "hr", "addr": 20, "count": 2},
                    {"op": "write", "table": "hr", "addr": 30,
                     "values": [i, i]},
                    take()])
                pair, after = result["values"]
                assert pair[0] == pair[1], f"torn: {pair}"
                assert after == [i, i]
                applied += 1
            e = refused(-32000, d.rpc, "registers.transaction", ops=[
                {"op": "write", "table": "hr", "addr": 30, "values": [9, 9]},
                {"op": "check", "table": "hr", "addr": 30,
                 "values": [1, 2]}])
            assert e.data["reason"] == "check_failed"
            assert d.rpc("registers.read", table="hr", addr=30,
                         count=2)["values"] == [399, 399]
            assert applied == 400 and not errors
        finally:
            stop.set()
            thread.join()


def test_two_clients_counting_by_check_lose_no_count():
    with Daemon(CONF) as d:
        def count(done):
            c = d.connect()
            while done[0] < 200:
                seen = c.call("registers.read",
                              {"table": "hr", "addr": 40})[0]["values"]
                try:
                    c.call("registers.transaction", {"ops": [
                        {"op": "check", "table": "hr", "addr": 40,
                         "values": seen},
                        {"op": "write", "table": "hr", "addr": 40,
                         "values": [seen[0] + 1]}]})
                    done[0] += 1
                except RpcError as e:
                    assert e.data["reason"] == "check_failed", e
            c.close()

        counts = [[0], [0]]
        threads = [threading.Thread(target=count, args=(c,)) for c in counts]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert d.rpc("registers.read", table="hr", addr=40)["values"] == [400]


def test_changes_are_published_with_who_old_new_and_a_sequence():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        e = Events(d, HR).ready(d)
        m.write_hr(5, [1, 2])
        topic, event, first = e.next()
        assert topic == HR and event["who"] == "tcp1", event
        assert (event["addr"], event["count"]) == (5, 2)
        assert event["old"] == [0, 0] and event["new"] == [1, 2]
        seq = d.rpc("registers.write", table="hr", addr=5, values=[3])["seq"]
        _, event, second = e.next()
        assert event["who"] == "control" and event["seq"] == seq
        assert second == first + 1
        m.write_coil(1, True)  # another topic
        m.write_hr(5, 4)
        _, event, third = e.next()
        assert event["new"] == [4] and third == second + 1
        e.close()


def test_every_change_arrives_in_order_under_load():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        e = Events(d, HR).ready(d)
        for i in range(1, 501):
            m.write_hr(7, i)
        last = None
        for i in range(1, 501):
            _, event, seq = e.next()
            assert event["new"] == [i] and event["old"] == [i - 1], event
            assert last is None or seq == last + 1
            last = seq
        e.close()


def test_a_slow_subscriber_loses_events_and_nobody_else_does():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        slow = context.socket(zmq.SUB)
        slow.linger = 0
        slow.rcvhwm = 1
        slow.setsockopt(zmq.RCVBUF, 1024)
        slow.subscribe(HR)
        slow.connect(d.events_endpoint)
        e = Events(d, HR).ready(d)
        assert slow.poll(50000)
        gone = 0
        # never read: its queues fill, and what does not fit is counted
        for i in range(60000):
            m.write_hr(7, i & 0xffff)
            while e.socket.poll(0):
                e.socket.recv_multipart()
            if i % 1000 == 0:
                gone = d.rpc("stats.get")["control"]["events_dropped"]
                if gone:
                    break
        assert gone > 0, "the slow one was never too slow"
        while e.next(0.3):
            pass
        m.write_hr(8, 1)
        assert e.next()[1]["addr"] == 8
        slow.close()
        e.close()


def test_transports_connections_and_log_are_published():
    with Daemon(CONF) as d:
        e = Events(d, "transports.", "connections.", "log", HR).ready(d)
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0)
            topic, event, _ = e.until(
                lambda x: x[0].startswith("connections."))
            assert topic == "connections.tcp1" and event["event"] == "open"
            peer = "%s:%d" % m.socket.getsockname()
            assert event["peer"] == peer, event
            opened = event["id"]
            listed = d.rpc("connections.list", transport="tcp1")
            assert [c["id"] for c in listed] == [opened]
            assert listed[0]["peer"] == peer and listed[0]["last_fc"] == 3
        _, event, _ = e.until(lambda x: x[1].get("event") == "close")
        assert event["id"] == opened and event["requests"] == 1, event
        assert d.rpc("transports.stop", name="tcp2") == {
            "name": "tcp2", "state": "stopped"}
        _, event, _ = e.until(lambda x: x[0] == "transports.tcp2" and
                              x[1]["state"] == "stopped")
        assert event["was"] in ("draining", "up")
        d.rpc("transports.start", name="tcp2")
        _, event, _ = e.until(lambda x: x[0] == "log" and
                              "tcp2 up" in x[1]["line"])
        assert event["level"] == "info" and event["who"] == "supervisor"
        e.close()


def test_transports_stop_start_and_restart_and_say_so():
    with Daemon(CONF) as d, Modbus(d.port("tcp2")) as other:
        before = d.worker_pid("tcp1")
        assert d.rpc("transports.restart", name="tcp1")["state"] == "up"
        assert d.worker_pid("tcp1") != before
        assert d.rpc("transports.stop", name="tcp1",
                     drain_s=0.5)["state"] == "stopped"
        one = [t for t in d.rpc("transports.list") if t["name"] == "tcp1"][0]
        assert one["state"] == "stopped" and one["pid"] is None
        assert one["last_exit"] == "exit 0"
        assert d.rpc("transports.start", name="tcp1")["state"] == "up"
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0)
        assert other.read_hr(0) == [0]
        refused(-32001, d.rpc, "transports.start", name="tcp3")


def test_a_connection_is_closed_on_request():
    with Daemon(CONF) as d:
        with Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp1")) as stays:
            m.read_hr(0)
            stays.read_hr(0)
            peer = "%s:%d" % m.socket.getsockname()
            one = [c for c in d.rpc("connections.list")
                   if c["peer"] == peer][0]
            assert d.rpc("connections.close", id=one["id"]) == {}
            assert m.closed()
            stays.read_hr(0)
            refused(-32001, d.rpc, "connections.close", id=one["id"])
            assert d.rpc("connections.close", transport="tcp1") == {}
            assert stays.closed()
            assert d.rpc("connections.list") == []


def test_counters_count():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        for _ in range(5):
            m.read_hr(0)
        try:
            m.read_hr(3000)
        except sysutil.ModbusError:
            pass
        tcp1 = d.rpc("stats.get")["transports"]["tcp1"]
        assert tcp1["requests"] == {"3": 6}, tcp1
        assert tcp1["exceptions"] == {"2": 1}
        assert tcp1["conns_open"] == 1 and tcp1["bytes_in"] == 6 * 12
        one = [t for t in d.rpc("transports.list") if t["name"] == "tcp1"][0]
        assert (one["connections"], one["requests"], one["exceptions"]) == (
            1, 6, 1)


def test_a_killed_control_process_comes_back_and_workers_go_on():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        e = Events(d, HR).ready(d)
        d.rpc("registers.write", table="hr", addr=0, values=[11])
        _, _, before = e.next()
        pid = d.child("control")
        worker = d.worker_pid("tcp1")
        for _ in range(3):
            os.kill(pid, signal.SIGKILL)
            m.write_hr(1, 5)
            assert m.read_hr(0, 2) == [11, 5]
            pid = wait_for(lambda: [
                p for p in d.children() if p != pid and
                sysutil.process_title(p).split()[-1:] == ["control"]],
                what="a new control process")[0]
            wait_for(lambda: try_ping(d), what="an answer")
        client = d.connect()
        result = client.call("registers.write",
                             {"table": "hr", "addr": 0, "values": [12]})[0]
        assert result["seq"] > 0
        client.close()
        assert m.read_hr(0) == [12] and d.worker_pid("tcp1") == worker
        # subscribers come back by themselves and see that they missed some
        wait_for(lambda: poke(d) and e.socket.poll(50), what="an event")
        assert e.next()[2] > before + 1
        e.close()


def try_ping(d):
    """A fresh client each time: answers to dead processes never come."""
    s = req(d.endpoint)
    try:
        answer = ask(s, "system.ping", timeout=1)
        return bool(answer) and answer["result"] == {}
    finally:
        s.close()


def poke(d):
    c = d.connect()
    c.call("registers.write", {"table": "hr", "addr": 998,
                               "values": [time.monotonic_ns() & 0xffff]})
    c.close()
    return True


def test_hostile_frames_change_nothing_for_others():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        pid = d.child("control")
        bad = context.socket(zmq.DEALER)
        bad.linger = 0
        bad.connect(d.endpoint)
        ping = b'{"jsonrpc":"2.0","id":1,"method":"system.ping"}'
        for frames in ([b""], [b"", b""], [b"x"] * 50, [b""] * 12,
                       [ping, b"", b""], [b"\0" * 1000, b"", b"[" * 500000],
                       [b"{" * 100000], [b"\xff" * 4096], [b"", ping, b"", b""],
                       [b'[' + b'1,' * 2000 + b'1]']):
            bad.send_multipart(frames)
        # one that vanishes with requests under way
        for _ in range(20):
            gone = context.socket(zmq.DEALER)
            gone.linger = 100
            gone.connect(d.endpoint)
            for _ in range(20):
                gone.send(ping)
            gone.close()
        # one frame above the limit ends that connection only
        huge = context.socket(zmq.DEALER)
        huge.linger = 0
        huge.connect(d.endpoint)
        huge.send(b" " * (2 << 20))
        assert d.rpc("system.ping") == {}
        assert m.read_hr(0) == [0]
        assert d.child("control") == pid
        counted = d.rpc("stats.get")["control"]
        assert counted["bad_messages"] >= 3, counted
        bad.close()
        huge.close()


def test_stale_sockets_are_taken_over_and_modes_are_right():
    with Daemon(CONF) as d:
        for name in ("control.sock", "events.sock"):
            mode = stat.S_IMODE(os.stat(f"{d.run_dir}/{name}").st_mode)
            assert mode == 0o660, oct(mode)
        d.kill()
        assert os.path.exists(f"{d.run_dir}/control.sock")
        d._rpc = None
        d.start()
        assert d.rpc("system.ping") == {}


def test_the_control_process_rests_when_nobody_asks():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        pid = d.child("control")

        def ticks():
            with open(f"/proc/{pid}/stat") as f:
                return sum(map(int, f.read().rsplit(")")[1].split()[11:13]))

        d.rpc("system.ping")
        before = ticks()
        for i in range(20000):
            m.write_hr(1, i & 0xffff)
        # changes that nobody wants cost it nothing
        assert ticks() - before <= 5, f"{ticks() - before} ticks"


def curve_files(d):
    """A server key, and clients of each role; returns keys by name."""
    os.mkdir(f"{d}/clients")
    keys = {}
    for name in ("server", "read", "operate", "admin", "none", "stranger"):
        keys[name] = zmq.curve_keypair()
        public, secret = (k.decode() for k in keys[name])
        if name == "server":
            with open(f"{d}/server.key", "w") as f:
                f.write(f'curve\n    secret-key = "{secret}"\n')
            os.chmod(f"{d}/server.key", 0o600)
            continue
        with open(f"{d}/{name}.key", "w") as f:
            f.write(secret + "\n")
        if name != "stranger":
            role = "" if name == "none" else f'    role = "{name}"\n'
            with open(f"{d}/clients/{name}.pub", "w") as f:
                f.write(f'# {name}\nmetadata\n{role}curve\n'
                        f'    public-key = "{public}"\n')
    return keys


def test_curve_lets_in_who_is_authorized_in_their_role():
    import tempfile
    with tempfile.TemporaryDirectory() as files:
        keys = curve_files(files)
        endpoint = f"tcp://127.0.0.1:{sysutil.free_port()}"
        conf = dict(CONF, control={"listen": [endpoint], "curve": {
            "secret_key": f"{files}/server.key",
            "authorized": f"{files}/clients"}})
        with Daemon(conf) as d:
            write = {"table": "hr", "addr": 0, "values": [1]}
            want = {"read": (0, -32002, -32002), "none": (0, -32002, -32002),
                    "operate": (0, 0, -32002), "admin": (0, 0, 0)}
            for name, codes in want.items():
                s = req(endpoint, keys[name], keys["server"][0])
                got = [ask(s, "registers.read", table="hr", addr=0),
                       ask(s, "registers.write", **write),
                       ask(s, "system.reload")]
                s.close()
                for answer, code in zip(got, codes):
                    assert answer.get("error", {}).get("code", 0) == code, (
                        name, answer)
            for keypair, server in ((keys["stranger"], keys["server"][0]),
                                    (keys["admin"], keys["admin"][0]),
                                    (None, None)):
                s = req(endpoint, keypair, server)
                assert ask(s, "system.ping", timeout=0.5) is None
                s.close()
            assert d.rpc("stats.get")["control"]["auth_refused"] > 0
            # a key that is taken away no longer opens
            os.unlink(f"{files}/clients/admin.pub")

            def shut_out():
                s = req(endpoint, keys["admin"], keys["server"][0])
                answer = ask(s, "system.ping", timeout=0.3)
                s.close()
                return answer is None
            wait_for(shut_out, what="the key to be refused")
            # ipc goes on without keys
            assert d.rpc("system.ping") == {}


def test_a_key_loses_its_rights_while_its_connection_is_open():
    import tempfile
    with tempfile.TemporaryDirectory() as files:
        keys = curve_files(files)
        endpoint = f"tcp://127.0.0.1:{sysutil.free_port()}"
        conf = dict(CONF, control={"listen": [endpoint], "curve": {
            "secret_key": f"{files}/server.key",
            "authorized": f"{files}/clients"}})
        with Daemon(conf) as d:
            s = req(endpoint, keys["admin"], keys["server"][0])
            other = req(endpoint, keys["operate"], keys["server"][0])

            def code(socket, method, **params):
                answer = ask(socket, method, **params)
                return answer.get("error", {}).get("code", 0)

            write = {"table": "hr", "addr": 0, "values": [1]}
            assert code(s, "registers.write", **write) == 0
            path = f"{files}/clients/admin.pub"
            with open(path) as f:
                text = f.read()
            with open(f"{files}/.new", "w") as f:
                f.write(text.replace('"admin"', '"read"'))
            os.rename(f"{files}/.new", path)
            wait_for(lambda: code(s, "registers.write", **write) == -32002,
                     what="the role to shrink")
            assert code(s, "registers.read", table="hr", addr=0) == 0
            os.unlink(path)
            wait_for(lambda: code(s, "system.ping") == -32002,
                     what="the key to be worth nothing")
            assert code(other, "registers.write", **write) == 0
            s.close()
            other.close()


def test_a_key_that_never_comes_is_not_waited_for():
    import tempfile
    with tempfile.TemporaryDirectory() as files:
        key = f"{files}/server.key"
        os.mkfifo(key)
        conf = dict(CONF, control={
            "listen": [f"tcp://127.0.0.1:{sysutil.free_port()}"],
            "curve": {"secret_key": key, "authorized": files}})
        # clients are served all the same
        with Daemon(conf) as d:
            d.wait_stderr('control failed was=starting '
                          f'why="cannot read {key}: it is no plain file"')
            with Modbus(d.port("tcp1")) as m:
                m.read_hr(0, 1)


def test_loopback_needs_no_keys_and_all_else_does():
    endpoint = f"tcp://127.0.0.1:{sysutil.free_port()}"
    with Daemon(dict(CONF, control={"listen": [endpoint]})) as d:
        s = req(endpoint)
        assert ask(s, "system.info")["result"]["store"] == d.store
        s.close()
    conf = dict(CONF, control={"listen": ["tcp://0.0.0.0:0"]})
    d = Daemon(conf, ready=False)
    try:
        assert d.wait() == 78, d.stderr_text()
        assert "curve" in d.stderr_text()
    finally:
        d.clean()


def test_a_taken_endpoint_is_said_so_and_taken_once_it_is_free():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    endpoint = "tcp://127.0.0.1:%d" % taken.getsockname()[1]
    with Daemon(dict(CONF, control={"listen": [endpoint]})) as d:
        d.wait_stderr(f"cannot listen on {endpoint}: Address already in use")
        assert d.rpc("system.ping") == {}
        taken.close()
        s = req(endpoint)
        assert ask(s, "system.ping", timeout=100)["result"] == {}
        s.close()


def test_shutdown_is_answered_and_happens():
    with Daemon(CONF) as d:
        assert d.rpc("system.shutdown") == {}
        assert d.wait() == 0


def test_many_requests_at_once_are_all_answered():
    with Daemon(CONF) as d:
        s = context.socket(zmq.DEALER)
        s.linger = 0
        s.connect(d.endpoint)
        n = 900
        for i in range(n):
            s.send_json({"jsonrpc": "2.0", "id": i,
                         "method": "registers.read",
                         "params": {"table": "hr", "addr": i, "count": 1}})
        ids = set()
        while len(ids) < n:
            assert s.poll(50000), f"{n - len(ids)} answers are missing"
            answer = s.recv_json()
            assert "result" in answer, answer
            ids.add(answer["id"])
        s.close()


def test_frames_are_kept_and_read_where_trace_is_on():
    conf = json.loads(json.dumps(CONF))
    conf["transports"]["tcp2"]["trace"] = False
    with Daemon(conf) as d, Modbus(d.port("tcp1")) as m, \
            Modbus(d.port("tcp2")) as untraced:
        untraced.read_hr(0, 1)
        m.write_hr(5, 17)
        first = d.rpc("trace.read")
        assert not first["lost"] and set(first["next"]) == {
            "tcp1.0", "tcp2.0"}, first
        request, reply = first["frames"]
        assert request["direction"] == "in" and reply["direction"] == "out"
        for frame in (request, reply):
            assert frame["transport"] == "tcp1" and frame["unit"] == 1
            assert frame["connection"] == d.rpc(
                "connections.list", transport="tcp1")[0]["id"]
            assert abs(frame["at"] - time.time()) < 60
            # a write of one register is answered by itself
            assert frame["adu"][4:] == "000000060106" "00050011", frame
            assert (frame["function"], frame["name"]) == (
                6, "write_single_register"), frame
            assert frame["exception"] is None
        assert d.rpc("trace.read", since=first["next"])["frames"] == []
        try:
            m.read_hr(60000, 1)
        except sysutil.ModbusError:
            pass
        request, reply = d.rpc(
            "trace.read", transport="tcp1", since=first["next"])["frames"]
        assert request["function"] == reply["function"] == 3
        assert reply["exception"] == 2 and request["exception"] is None
        assert d.rpc("trace.read", transport="tcp2")["frames"] == []
        # what a dead worker has seen is still there
        pid = d.rpc("transports.list")[0]["pid"]
        d.rpc("transports.stop", name="tcp1")
        assert not os.path.exists(f"/proc/{pid}")
        assert len(d.rpc("trace.read", transport="tcp1")["frames"]) == 4
        refused(-32602, d.rpc, "trace.read", since={"tcp1.0": -1})
        refused(-32602, d.rpc, "trace.read", since=[1])
        refused(-32001, d.rpc, "trace.read", transport="tcp3")


HEAVY = dict(CONF, hang_timeout_ms=1000, devices={"plc1": {
    "holding_registers": [{"addr": 0, "count": 65536}]}})


def test_batches_of_whole_tables_neither_hang_nor_hold_up_others():
    with Daemon(HEAVY) as d:
        pid = d.rpc("system.info")["control_pid"]
        s = context.socket(zmq.DEALER)
        s.linger = 0
        s.connect(d.endpoint)
        batch = [{"jsonrpc": "2.0", "id": i, "method": "registers.read",
                  "params": {"table": "hr", "addr": 0, "count": 65536}}
                 for i in range(1024)]
        for _ in range(4):
            s.send_json(batch)
        other = req(d.endpoint)
        assert ask(other, "system.ping", timeout=100)
        other.close()
        for _ in range(4):
            assert s.poll(200000), "a batch is not answered"
            answers = s.recv_json()
            assert len(answers) == 1024
            done = [a for a in answers if "result" in a]
            assert len(done) == 4, len(done)
            assert all(len(a["result"]["values"]) == 65536 for a in done)
            for a in answers[4:]:
                assert a["error"]["data"]["reason"] == "too_long", a
        s.close()
        assert d.rpc("system.info")["control_pid"] == pid


def test_an_idle_control_process_is_not_taken_for_hung():
    """the shortest hang_timeout_ms takes no idle control process for hung"""
    for _ in range(20):
        with Daemon(dict(CONF, hang_timeout_ms=100)) as d, \
                bench_tools.Jitter() as jitter:
            pid = d.rpc("system.info")["control_pid"]
            # nothing is asked meanwhile, which would be a beat
            fd = os.pidfd_open(pid)
            killed = select.select([fd], [], [], 2)[0]
            os.close(fd)
        if jitter.ms(1) < 30:  # else it may well have stood still
            break
    assert not killed, "it was killed"


if __name__ == "__main__":
    sysutil.run()
