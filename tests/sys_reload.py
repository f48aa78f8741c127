#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reload applies what has changed: only what it concerns restarts, with its
connections where that can be, and nobody else notices.

    sys_reload.py [WORD...] [--rounds=N]	(20; make torture takes 100)
"""
import json
import os
import signal
import socket
import sys
import threading

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import Daemon, Modbus, RpcError, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 20)


def conf(transports=("tcp1", "tcp2"), **keys):
    tcp = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"}}
    return {
        "devices": {
            "plc1": {"holding_registers": [{"addr": 0, "count": 100}]},
            "plc2": {"holding_registers": [{"addr": 0, "count": 100}]}},
        "transports": {t: {**tcp, **keys} for t in transports},
    }


def edit(d, change):
    """Has the file say something else."""
    with open(d.conf_path) as f:
        now = json.load(f)
    change(now)
    with open(d.conf_path, "w") as f:
        json.dump(now, f)


def key(name, value, transport="tcp1"):
    return lambda c: c["transports"][transport].__setitem__(name, value)


def reload_(d):
    return d.rpc("system.reload")


def process(d, title):
    for pid in d._leftovers():
        if sysutil.process_title(pid) == f"holdfastd: {title}":
            return pid
    return None


class Load:
    """A client that counts up in a register of its own, and reads it back:
    whatever is not as it should be is an error."""

    def __init__(self, port, addr):
        self.modbus, self.addr = Modbus(port), addr
        self.done, self.error, self.stop = 0, None, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.stop:
                value = (self.done + 1) & 0xffff
                self.modbus.write_hr(self.addr, value)
                got = self.modbus.read_hr(self.addr, 1)
                assert got == [value], (got, value)
                self.done += 1
        except Exception as e:  # told by end()
            self.error = e

    def more(self):
        """Until it has been answered once more, and again."""
        was = self.done
        wait_for(lambda: self.error or self.done > was + 1)

    def end(self):
        self.stop = True
        self.thread.join()
        self.modbus.close()
        assert self.error is None, self.error
        assert self.done > 0


def test_only_what_has_changed_restarts():
    """a key of one transport: it restarts with it, under load, and its
    connections go on; the other's worker is the same"""
    with Daemon(conf()) as d:
        first, other = (Load(d.port(t), a) for t, a in
                        (("tcp1", 1), ("tcp2", 2)))
        pids = process(d, "tcp1"), process(d, "tcp2")
        keepers = process(d, "keeper tcp1"), process(d, "keeper tcp2")
        edit(d, key("frame_timeout_ms", 1234))
        said = reload_(d)
        assert said == {"added": [], "removed": [], "refreshed": [],
                        "changed": ["transport tcp1"],
                        "restarted": ["transport tcp1"]}, said
        first.more()
        other.more()
        assert process(d, "tcp2") == pids[1]
        assert process(d, "keeper tcp2") == keepers[1]
        assert process(d, "tcp1") not in (None, pids[0])
        assert process(d, "keeper tcp1") not in (None, keepers[0])
        assert '"frame_timeout_ms": 1234' in d.rpc("config.get")["text"]
        first.end()
        other.end()
        assert d.rpc("registers.read", device="plc1", table="hr",
                     addr=1)["values"][0] == first.done & 0xffff
        assert not d.rpc("config.check")["changed"]


def test_units_and_access_hold_at_once():
    """an open connection finds the new unit, and that it may not write"""
    with Daemon(conf()) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(5, 77)
            edit(d, lambda c: c["transports"]["tcp1"].update(
                units={"1": "plc2", "2": "plc1"}, access="read-only"))
            reload_(d)
            assert m.read_hr(5, 1, unit=1) == [0]
            assert m.read_hr(5, 1, unit=2) == [77]
            try:
                m.write_hr(5, 78, unit=2)
                raise AssertionError("a read-only transport wrote")
            except sysutil.ModbusError:
                pass


def test_what_the_command_says():
    """on a pipe, too: that it is in force, that nothing has changed; with 75
    that another one is under way"""
    with Daemon({**conf(), "http": {"listen": "127.0.0.1:0"}}) as d:
        said = d.cli("reload")
        assert said.stdout == "", said
        assert said.stderr == "holdfast: nothing has changed\n", said
        edit(d, key("frame_timeout_ms", 1234))
        said = d.cli("reload")
        assert said.stdout.split() == [
            "transport", "tcp1", "changed", "transport", "tcp1", "restarted"]
        assert said.stderr == "holdfast: this is in force now\n", said
        page, n = d.child("http"), 0
        os.kill(page, signal.SIGSTOP)  # it is asked first

        def under_way():
            nonlocal n
            n += 1
            edit(d, key("frame_timeout_ms", 2000 + n))
            os.kill(d.pid, signal.SIGHUP)
            said = d.cli("reload", ok=False)
            return said.returncode == 75 and said.stderr
        try:
            assert "a reload is under way" in wait_for(under_way)
        finally:
            os.kill(page, signal.SIGCONT)


def test_no_orders_while_it_is_prepared():
    """a transport is neither stopped nor started between what a reload has
    planned for it and what comes of that: with 75, as busy"""
    with Daemon({**conf(), "http": {"listen": "127.0.0.1:0"}}) as d:
        page, n = d.child("http"), 0
        d.cli("stop", "tcp2")

        def refused():
            nonlocal n
            n += 1
            edit(d, key("max_connections", 50 + n))
            os.kill(d.pid, signal.SIGHUP)
            said = d.cli(("stop", "start")[n % 2], f"tcp{1 + n % 2}", ok=False)
            return said.returncode == 75 and said.stderr
        os.kill(page, signal.SIGSTOP)  # it is asked first
        try:
            for _ in range(2):
                assert "a reload is under way" in wait_for(refused)
        finally:
            os.kill(page, signal.SIGCONT)

        def settled(order, name):
            return d.cli(order, name, ok=False).returncode == 0
        wait_for(lambda: settled("restart", "tcp1"))
        wait_for(lambda: settled("start", "tcp2"))
        for name in ("tcp1", "tcp2"):
            with Modbus(d.port(name)) as m:
                m.read_hr(0, 1)


def test_a_signal_during_a_reload_has_another_one_follow():
    """what was edited after the file had been read comes into force, too"""
    with Daemon({**conf(), "http": {"listen": "127.0.0.1:0"}}) as d:
        page = d.child("http")

        def says(text):
            return text in d.rpc("config.get")["text"]
        os.kill(page, signal.SIGSTOP)  # it is asked first
        try:
            edit(d, key("frame_timeout_ms", 1111))
            os.kill(d.pid, signal.SIGHUP)
            d.wait_stderr("configuration: transport tcp1")
            edit(d, key("frame_timeout_ms", 2222))
            os.kill(d.pid, signal.SIGHUP)
            # it has been taken once what is sent after it is answered
            d.cli("reload", ok=False)
        finally:
            os.kill(page, signal.SIGCONT)
        wait_for(lambda: says('"frame_timeout_ms": 2222'))
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)


def test_a_bad_file_changes_nothing():
    """it is refused with its place; so is what cannot change, with all that
    stands beside it, and an address that is taken"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        with open(d.conf_path) as f:
            good = f.read()
        pids = d._leftovers()

        def refused(change, *words):
            with open(d.conf_path, "w") as f:
                f.write(good)
            edit(d, change)
            try:
                d.rpc("system.reload")
                raise AssertionError(words)
            except RpcError as e:
                for w in words:
                    assert w in str(e), (w, str(e))
            done = d.cli("reload", ok=False)
            assert done.returncode == 1 and words[0] in done.stderr, vars(done)
        refused(key("maxcon", 1), d.conf_path, "maxcon")
        edit(d, key("framr", "rtu"))
        said = d.cli("reload", ok=False).stderr
        assert '"maxcon"' in said and '"framr"' in said, said
        assert said.endswith("nothing has changed: what ran goes on\n"), said

        def both(c):
            key("idle_timeout_s", 9)(c)
            c.update(store={"name": "other"})
        refused(both, "restart holdfastd", "key store")
        refused(key("listen", f"127.0.0.1:{d.port('tcp2')}"),
                "cannot listen on 127.0.0.1:", "in use")
        refused(lambda c: c.update(store={"name": "other"}), "key store")
        refused(key("user", "nobody-of-that-name"), "user")
        assert set(d._leftovers()) == set(pids)
        m.read_hr(0, 1)


def test_it_listens_elsewhere():
    """a new address: the former one refuses, connections end, the other
    transport's stay"""
    with Daemon(conf()) as d, Modbus(d.port("tcp2")) as other:
        old = d.port("tcp1")
        edit(d, key("listen", "127.0.0.2:0"))
        with Modbus(old) as m:
            m.write_hr(3, 33)
            reload_(d)
            try:
                m.read_hr(3, 1)
                raise AssertionError("a connection of the former address")
            except (EOFError, OSError):
                pass
        now = next(t for t in d.rpc("transports.list")
                   if t["name"] == "tcp1")["listen"]
        host, port = now.rsplit(":", 1)
        assert host == "127.0.0.2", now
        with Modbus(int(port), host=host) as m:
            assert m.read_hr(3, 1) == [33]
        try:
            Modbus(old).close()
            raise AssertionError("the former address accepts")
        except ConnectionRefusedError:
            pass
        other.read_hr(0, 1)


def test_a_stopped_transport_stays_stopped():
    """and starts with its new keys when it is told to; one whose autostart is
    switched on starts"""
    off = conf()
    off["transports"]["tcp2"]["autostart"] = False
    with Daemon(off) as d:
        edit(d, key("autostart", True, "tcp2"))
        assert reload_(d)["restarted"] == ["transport tcp2"]
        d.rpc("transports.stop", name="tcp1")
        edit(d, key("idle_timeout_s", 77))
        said = reload_(d)
        assert said["restarted"] == [], said
        states = {t["name"]: t["state"] for t in d.rpc("transports.list")}
        assert states == {"tcp1": "stopped", "tcp2": "up"}, states
        d.rpc("transports.start", name="tcp1")
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)


def test_a_worker_that_is_dead_comes_back_with_the_new_keys():
    """killed right before and right after: the connection goes on"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        for n in range(6):
            pid = process(d, "tcp1")
            edit(d, key("idle_timeout_s", 100 + n))
            if n % 2 == 0:
                os.kill(pid, signal.SIGKILL)
                reload_(d)
            else:
                os.kill(d.pid, signal.SIGHUP)
                sysutil.slay(pid)
                # one that comes while it goes on is not begun
                wait_for(lambda: d.stderr_text().count(
                    "new configuration is in force") > n)
                assert f'"idle_timeout_s": {100 + n}' in d.rpc(
                    "config.get")["text"], n
            m.write_hr(n, n + 1)
            assert m.read_hr(0, n + 1) == list(range(1, n + 2))


def test_a_row_of_reloads_with_many_connections():
    """under load: no error, no connection lost"""
    with Daemon(conf(max_connections=300)) as d:
        lines = [Modbus(d.port("tcp1")) for _ in range(200)]
        load = [Load(d.port(t), a) for t, a in
                (("tcp1", 1), ("tcp1", 2), ("tcp2", 3))]
        for n in range(ROUNDS):
            edit(d, key("idle_timeout_s", 200 + n))
            assert reload_(d)["restarted"] == ["transport tcp1"]
            for one in load:
                one.more()
        for n, m in enumerate(lines):
            m.write_hr(50, n)
            assert m.read_hr(50, 1) == [n]
            m.close()
        for one in load:
            one.end()
        files = len(os.listdir(f"/proc/{process(d, 'keeper tcp1')}/fd"))
        assert files < 100, files


test_a_row_of_reloads_with_many_connections.seconds = 60 + ROUNDS


def test_a_successor_takes_over_after_a_reload():
    """kill -9 of the supervisor after it: the next one has the same"""
    with Daemon(conf()) as d, Modbus(d.port("tcp1")) as m:
        m.write_hr(9, 99)
        edit(d, key("idle_timeout_s", 44))
        reload_(d)
        pid = process(d, "tcp1")
        d.orphan()
        assert m.read_hr(9, 1) == [99]
        os.unlink(d.ready_path)
        d.start()
        assert "taking over" in d.stderr_text(), d.stderr_text()
        assert process(d, "tcp1") == pid
        assert m.read_hr(9, 1) == [99]
        # and what a former supervisor's keeper has goes on, too
        edit(d, key("idle_timeout_s", 45))
        reload_(d)
        assert process(d, "tcp1") not in (None, pid)
        assert m.read_hr(9, 1) == [99]


def test_udp_goes_on():
    """what has no connections restarts with its socket"""
    with Daemon(conf(type="udp")) as d, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.settimeout(100)
        u.connect(("127.0.0.1", d.port("tcp1")))
        ask = bytes.fromhex("000100000006010300000001")
        pid = process(d, "tcp1")
        u.send(ask)
        was = u.recv(300)
        edit(d, key("broadcast", True))
        reload_(d)
        assert process(d, "tcp1") not in (None, pid)
        u.send(ask)
        assert u.recv(300) == was


def test_not_while_the_program_changes():
    """an upgrade is under way: the reload is refused, and later is done"""
    with Daemon(conf(("tcp1",))) as d:
        with open(d.conf_path) as f:
            good = f.read()
        os.unlink(d.conf_path)
        os.mkfifo(d.conf_path)  # the new program waits for what it says
        os.kill(d.pid, signal.SIGUSR2)
        d.wait_stderr("upgrading to")
        try:
            reload_(d)
            raise AssertionError("not refused")
        except RpcError as e:
            assert "an upgrade is under way" in str(e), str(e)
        with open(d.conf_path, "w") as f:
            f.write("no configuration")
        d.wait_stderr("not upgraded")
        os.unlink(d.conf_path)
        with open(d.conf_path, "w") as f:
            f.write(good)
        edit(d, key("trace", True))
        reload_(d)
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)


if __name__ == "__main__":
    sysutil.run()
