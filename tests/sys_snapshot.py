#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snapshot.save and snapshot.load: what is written is whole, what is read is
checked, and a changed configuration gets what it still has a place for."""

import http.client
import json
import os
import select
import shutil
import struct
import tempfile
import threading

import sysutil
from sysutil import Daemon, Modbus

CONF = {
    "devices": {
        "plc1": {"holding_registers": [{"addr": 0, "count": 300},
                                       {"addr": 1000, "count": 5000}],
                 "coils": [{"addr": 3, "count": 70}],
                 "discrete_inputs": [{"addr": 0, "count": 8}],
                 "input_registers": [{"addr": 7, "count": 9}],
                 "files": [{"number": 4, "records": 10}],
                 "fifos": [{"addr": 9, "values": [5, 6]}]},
        "plc2": {"shared_blocks": True,
                 "holding_registers": [{"addr": 0, "count": 20}]}},
    "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                            "units": {"1": "plc1", "2": "plc2"}}},
}


class Place:
    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-snap-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)


def fill(d):
    with Modbus(d.port("tcp1")) as m:
        for addr in range(0, 300, 100):
            m.write_hr(addr, [addr + i for i in range(100)])
        for addr in range(1000, 6000, 100):
            m.write_hr(addr, [addr + i for i in range(100)])
        m.write_co(3, [i % 3 == 0 for i in range(70)])
        m.write_hr(0, list(range(20)), unit=2)
    d.cli("set", "plc1/di:0", *[1, 1, 0, 1, 0, 0, 1, 0])
    d.cli("set", "plc1/ir:7", *range(700, 709))


def everything(d):
    """What clients and operators see of all devices."""
    with Modbus(d.port("tcp1")) as m:
        return ([m.read_hr(a, 100) for a in range(0, 300, 100)],
                [m.read_hr(a, 100) for a in range(1000, 6000, 100)],
                m.read_co(3, 70), m.read_di(0, 8), m.read_ir(7, 9),
                m.read_hr(0, 20, unit=2))


def test_what_is_saved_comes_back():
    """every table of every device, in another daemon of the same
    configuration"""
    with Place() as p:
        with Daemon(CONF) as d:
            fill(d)
            was = everything(d)
            said = d.rpc("snapshot.save", path=p.path("a.snap"))
            assert said["path"] == p.path("a.snap") and said["devices"] == 2
            assert said["bytes"] == os.path.getsize(p.path("a.snap"))
            assert os.stat(p.path("a.snap")).st_mode & 0o777 == 0o600
            assert os.listdir(p.dir) == ["a.snap"]
        with Daemon(CONF) as d:
            assert everything(d) != was
            said = d.rpc("snapshot.load", path=p.path("a.snap"))
            assert everything(d) == was
            assert said["unfit"] == [] and said["devices"] == 2, said
            assert said["steps"] == 3, said  # 10768 bytes, and plc2


def test_a_snapshot_is_one_moment_of_each_device():
    """never half of a write, however many there are meanwhile"""
    with Place() as p, Daemon(CONF) as d:
        over = threading.Event()

        def write():
            with Modbus(d.port("tcp1")) as m:
                n = 0
                while not over.is_set():
                    n += 1
                    m.write_hr(0, [n & 0xffff] * 100)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(30):
                d.rpc("snapshot.save", path=p.path("b.snap"))
                values = device(p.path("b.snap"), b"plc1")[2, 0][:200]
                assert len(set(struct.unpack(">100H", values))) == 1, values
        finally:
            over.set()
            thread.join()


def device(path, name):
    """The blocks of a device in a file, by table and address."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"HOLDSNAP" and struct.unpack_from(
        "<IIQ", data, 8) == (2, 2, len(data))
    at, found = 112, {}
    while at < len(data):
        magic, blocks, size = struct.unpack_from("<4sIQ", data, at)
        assert magic == b"DEVI"
        of = data[at + 24:at + 68].rstrip(b"\0")
        end = at + 80 + size
        at += 80
        for _ in range(blocks):
            table, addr, count, n = struct.unpack_from("<IIII", data, at)
            if of == name:
                found[table, addr] = data[at + 16:at + 16 + n]
            at += 16 + n
        assert at == end
    return found


def test_what_has_no_place_any_more_is_told():
    """addresses that moved away, tables that got smaller, devices that went:
    the rest is loaded"""
    other = {**CONF, "devices": {
        "plc1": {"holding_registers": [{"addr": 50, "count": 100},
                                       {"addr": 2000, "count": 10}],
                 "coils": [{"addr": 0, "count": 41}]},
        "plc3": {"holding_registers": [{"addr": 0, "count": 5}]}},
        "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                                "units": {"1": "plc1"}}}}
    with Place() as p:
        with Daemon(CONF) as d:
            fill(d)
            d.rpc("snapshot.save", path=p.path("c.snap"))
        with Daemon(other) as d:
            said = d.rpc("snapshot.load", path=p.path("c.snap"))
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(50, 100) == list(range(50, 150))
                assert m.read_hr(2000, 10) == list(range(2000, 2010))
                assert m.read_co(0, 41) == [0] * 3 + [
                    int(i % 3 == 0) for i in range(38)]
            told = [(r["device"], r.get("table"), r.get("addr"),
                     r.get("count")) for r in said["unfit"]]
            assert told == [
                ("plc1", "coils", 41, 32),
                ("plc1", "discrete_inputs", 0, 8),
                ("plc1", "holding_registers", 0, 50),
                ("plc1", "holding_registers", 150, 150),
                ("plc1", "holding_registers", 1000, 1000),
                ("plc1", "holding_registers", 2010, 3990),
                ("plc1", "input_registers", 7, 9),
                ("plc1", "files", 0, 10), ("plc1", "fifos", 9, 32),
                ("plc2", None, None, None)], told
            assert said["written"] == 100 + 10 + 38, said
            done = d.cli("-o", "table", "snapshot", "load", p.path("c.snap"))
            assert "this did not fit:" in done.stdout, done
            assert "no such device" in done.stdout, done


def ask(port, method, **params):
    """A connection that has asked something, and reads nothing yet."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    c.request("POST", "/api/v1/rpc", json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    return c


def test_nobody_waits_for_a_large_one():
    """others are answered while 12 million bytes are saved, and loaded; so
    much is one after the other, in order"""
    conf = {"devices": {"big": {
                "holding_registers": [{"addr": 0, "count": 10}],
                "files": [{"number": i + 1, "records": 10000}
                          for i in range(600)]}},
            "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                                    "units": {"*": "big"}}},
            "http": {"listen": "127.0.0.1:0"}}
    with Place() as p, Daemon(conf) as d:
        port = int(d.rpc("system.info")["http"].rsplit(":", 1)[1].strip("/"))
        for method in ("snapshot.save", "snapshot.load"):
            long = ask(port, method, path=p.path("big.snap"))
            said = json.loads(ask(port, "system.ping").getresponse().read())
            early = select.select([long.sock], [], [], 0)[0]
            assert "result" in said and not early, (method, said, early)
            said = json.loads(long.getresponse().read())["result"]
            assert said["bytes"] > 12000000, said
        both = json.dumps([
            {"jsonrpc": "2.0", "id": 1, "method": "snapshot.save",
             "params": {"path": p.path("two.snap")}},
            {"jsonrpc": "2.0", "id": 2, "method": "snapshot.load",
             "params": {"path": p.path("two.snap")}}])
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        c.request("POST", "/api/v1/rpc", both)
        said = json.loads(c.getresponse().read())
        assert [s["id"] for s in said] == [1, 2], said
        assert said[1]["result"]["devices"] == 1, said


def refused(d, method, path):
    try:
        d.rpc(method, path=path)
    except sysutil.RpcError as e:
        return str(e)
    raise AssertionError(f"{path} was not refused")


def test_a_path_is_looked_at_before_it_is_used():
    """only names that end in .snap, nowhere sideways, over nothing else"""
    with Place() as p, Daemon(CONF) as d:
        for bad in ("x", ".snap", "../x.snap", "a/b.snap", "/a/../x.snap",
                    p.dir + "/x.sna", p.dir + "/.snap", "x\n.snap",
                    p.dir + "/../x.snap", "", p.dir + "/" + "a" * 4090 +
                    ".snap"):
            for method in ("snapshot.save", "snapshot.load"):
                assert "path" in refused(d, method, bad), bad
        with open(p.path("mine.snap"), "w") as f:
            f.write("something else\n")
        assert "stays" in refused(d, "snapshot.save", p.path("mine.snap"))
        os.symlink(p.path("mine.snap"), p.path("link.snap"))
        assert "stays" in refused(d, "snapshot.save", p.path("link.snap"))
        assert "plain file" in refused(
            d, "snapshot.load", p.path("link.snap"))
        os.mkdir(p.path("dir.snap"))
        assert "stays" in refused(d, "snapshot.save", p.path("dir.snap"))
        os.mkfifo(p.path("fifo.snap"))
        assert "plain file" in refused(
            d, "snapshot.load", p.path("fifo.snap"))
        assert "No such file" in refused(
            d, "snapshot.save", p.path("none/x.snap"))
        assert "No such file" in refused(d, "snapshot.load", p.path("n.snap"))
        with open(p.path("mine.snap")) as f:
            assert f.read() == "something else\n"
        assert sorted(os.listdir(p.dir)) == [
            "dir.snap", "fifo.snap", "link.snap", "mine.snap"]
        # names are the daemon's to place, and there is one without any
        assert d.rpc("snapshot.save", path="x.snap")["path"] == \
            os.path.join(d.run_dir, "x.snap")
        path = d.rpc("snapshot.save")["path"]
        assert os.path.dirname(path) == d.run_dir
        assert d.rpc("snapshot.load")["path"] == path
        assert d.cli("snapshot", "save", "x.snap").stdout == \
            os.path.join(d.run_dir, "x.snap") + "\n"
        said = json.loads(d.cli("-o", "json", "snapshot", "load",
                                "x.snap").stdout)
        assert said["devices"] == 2
        os.unlink(path)
        os.unlink(os.path.join(d.run_dir, "x.snap"))


def test_a_damaged_file_changes_nothing():
    """a bit that is wrong, a file that is cut off, nonsense: refused, and no
    register is touched"""
    with Place() as p, Daemon(CONF) as d:
        fill(d)
        d.rpc("snapshot.save", path=p.path("good.snap"))
        with open(p.path("good.snap"), "rb") as f:
            good = f.read()
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(0, [4711])
        was = everything(d)
        cut = [good[:n] for n in (0, 7, 8, 79, 80, 100, 160, 500,
                                  len(good) - 1)]
        flipped = []
        for at in (0, 8, 12, 16, 40, 76, 80, 84, 88, 110, 152, 156, 160, 164,
                   168, 172, 176, 5000, len(good) - 1):
            flipped.append(good[:at] + bytes([good[at] ^ 4]) + good[at + 1:])
        for data in (*cut, *flipped, good + b"x", b"\0" * 200,
                     good[:80] * 3):
            with open(p.path("bad.snap"), "wb") as f:
                f.write(data)
            told = refused(d, "snapshot.load", p.path("bad.snap"))
            assert "at byte" in told, told
        assert everything(d) == was
        d.rpc("snapshot.load", path=p.path("good.snap"))
        assert everything(d) != was


if __name__ == "__main__":
    sysutil.run()
