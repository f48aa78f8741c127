#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The simulator of setup files of pymodbus: what clients see of the devices
and servers that they describe."""

import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import certs  # noqa: E402
import sysutil  # noqa: E402
from embed_case import binary  # noqa: E402
from peers import Line, Master, Stream, Udp, fc3  # noqa: E402
from sysutil import Modbus, ModbusError, wait_for  # noqa: E402
from tls_case import pki  # noqa: E402

TYPES = "bits", "uint16", "uint32", "float32", "string"
IDENTITY = {"VendorName": "pymodbus", "ProductCode": "PM",
            "VendorUrl": "https://github.com/pymodbus-dev/pymodbus/",
            "ProductName": "pymodbus Server", "ModelName": "pymodbus Server",
            "MajorMinorRevision": "3.1.0"}


def net(comm="tcp", framer="socket", **more):
    return dict(comm=comm, host="127.0.0.1", port=0, framer=framer, **more)


def device(shared=True, sizes=(100, 100, 100, 100), action=None, **sections):
    setup = dict(zip(("co size", "di size", "ir size", "hr size"), sizes))
    setup.update({
        "shared blocks": shared, "type exception": False, "defaults": {
            "value": {"bits": 0, "uint16": 0, "uint32": 0, "float32": 0.0,
                      "string": " "},
            "action": {t: action for t in TYPES}}})
    return dict({"setup": setup}, **{
        name: sections.get(name, [])
        for name in ("invalid", "write", *TYPES, "repeat")})


def stock():
    """What the setup file that comes with pymodbus describes."""
    main = device(
        sizes=(63000,) * 4, action="increment", invalid=[1],
        write=[3], bits=[{"addr": 2, "value": 7}],
        uint16=[{"addr": 3, "value": 17001, "action": None}, 2100],
        uint32=[{"addr": [4, 5], "value": 617001, "action": None},
                [3037, 3038]],
        float32=[{"addr": [6, 7], "value": 404.17}, [4100, 4101]],
        string=[5047, {"addr": [16, 20], "value": "A_B_C_D_E_"}])
    main["setup"]["type exception"] = True
    return {"server_list": {
        "server": net(ignore_missing_slaves=False, identity=IDENTITY),
        "udp": net("udp", identity=IDENTITY),
        "tls": net("tls", "tls", certfile=pki.server.chain,
                   keyfile=pki.server.key)},
        "device_list": {"device": main, "device_try": device(
            False, (10, 10, 10, 10), bits=[{"addr": [0, 9], "value": 5}],
            uint16=[{"addr": [10, 29], "value": 32769}, 30],
            write=[0, 20])}}


class Simulator:
    """tests/programs/simulator.c with a setup file; json: its content."""

    def __init__(self, *args, json=None, how="new", text=None):
        self.dir = tempfile.TemporaryDirectory(prefix="hf-")
        self.file = os.path.join(self.dir.name, "setup.json")
        with open(self.file, "w") as f:
            f.write(text or globals()["json"].dumps(json or stock()))
        self.process = subprocess.Popen(
            [binary("simulator"), how, *args], cwd=self.dir.name,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.first = self.process.stdout.readline().rstrip("\n")

    @property
    def port(self):
        assert self.first.startswith("up "), (self.first, self.end())
        return int(self.first.rpartition(":")[2])

    def ask(self, line):
        self.process.stdin.write("%s\n" % line)
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def end(self):
        """(code, what else it said, what was on standard error)"""
        self.process.stdin.close()
        out = self.process.stdout.read()
        err = self.process.stderr.read()
        code = self.process.wait(200)
        self.process.stdout.close()
        self.process.stderr.close()
        return code, out, err

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.returncode is None:
            code, out, err = self.end()
            assert kind or (code == 0 and out.startswith("stopped ")
                            and err == ""), (code, out, err)
        self.dir.cleanup()


def refused(words, *args, errno="EINVAL", **more):
    with Simulator(*args, **more) as s:
        code, out, err = s.end()
        assert s.first == "new: " + errno and code == 1, (s.first, out)
        assert words in out and err == "", (out, err)
        return out


def code_of(call, *args):
    try:
        call(*args)
    except ModbusError as e:
        return e.code
    return 0


def test_the_stock_setup_is_served():
    """the content of pymodbus's own setup file: values of each type in all
    tables, defaults with their action, what may be written, what is not there,
    the identity, any unit"""
    with Simulator() as s, Modbus(s.port) as m:
        assert m.read_hr(2, 2) == [8, 17001]
        assert m.read_ir(2, 2) == [9, 17001]
        assert m.read_co(32, 16) == [0, 1, 0, 1] + 12 * [0]
        assert m.read_di(33) == [1]
        assert m.read_hr(4, 2) == [9, 27177]
        assert m.read_hr(6, 2) == [0x43ca, 0x95c3]  # one more than 404.17
        assert bytes.fromhex("".join(
            "%04x" % r for r in m.read_hr(16, 5))) == b"A_B_C_D_E_"
        assert m.read_hr(2100, unit=33) == [1]
        assert m.read_hr(3037, 2) == [0, 1]
        assert m.read_hr(5047) == [0x2020]
        m.write_hr(3, [4711])
        assert m.read_ir(3) == [4711] and s.ask(3) == "4711"
        m.write_coil(48, False)
        assert m.read_hr(3) == [4710]
        for call, args in ((m.read_hr, (1,)), (m.read_co, (16,)),
                           (m.read_hr, (3, 3 + 5)), (m.read_hr, (63000,)),
                           (m.write_hr, (4, [1, 2])),
                           (m.write_coil, (32, True))):
            assert code_of(call, *args) == 2, args
        got = m.call(bytes.fromhex("2b0e0100"))
        assert b"pymodbus" in got and b"PM" in got and b"3.1.0" in got, got


def test_blocks_that_are_not_shared():
    """each table has its own registers, in the order of the reference's
    documents: coils, discrete inputs, holding registers, input registers"""
    with Simulator("-", "device_try", "-") as s, Modbus(s.port) as m:
        assert m.read_co(0, 20) == [1, 0, 1] + 13 * [0] + [1, 0, 1, 0]
        assert m.read_di(0, 16) == [1] + 14 * [0] + [1]
        assert m.read_hr(0, 10) == 10 * [32769]
        assert m.read_ir(0) == [0]
        m.write_hr(0, [3])
        m.write_coil(15, True)
        assert m.read_hr(0, 2) == [3, 32769] and m.read_co(15) == [1]
        assert code_of(m.write_coil, 16, True) == 2
        assert code_of(m.read_ir, 1) == code_of(m.read_hr, 10) == 2
        assert code_of(m.read_co, 160) == 2


def test_actions():
    """built-in ones with their parameters, one of the program's, in the order
    of addresses, once for a cell, however it is read"""
    setup = stock()
    setup["device_list"]["device"] = device(uint16=[
        {"addr": 0, "value": 3, "action": "increment",
         "parameters": {"minval": 3, "maxval": 5}},
        {"addr": [1, 2], "value": 1, "action": "five"},
        {"addr": 3, "action": "five", "parameters": {"by": 7}},
        {"addr": 4, "action": "reset"},
        {"addr": 5, "action": "random",
         "parameters": {"minval": 40, "maxval": 41}},
        {"addr": 6, "action": "timestamp"}, [7, 12],
        {"addr": 13, "action": "uptime"}], repeat=[
            {"addr": [0, 0], "to": [20, 21]}])
    with Simulator("-", "-", "-", json=setup) as s, Modbus(s.port) as m:
        assert [m.read_hr(0)[0] for _ in range(4)] == [4, 5, 3, 4]
        assert m.read_hr(1, 3) == [6, 6, 7]
        assert m.read_ir(1, 3) == [11, 11, 14]
        assert m.read_co(16, 16)[:5] == [0, 0, 0, 0, 1]
        assert code_of(m.read_hr, 4) == 4
        assert {m.read_hr(5)[0] for _ in range(50)} == {40, 41}
        year, month, day = m.read_hr(6, 7)[:3]
        assert year >= 2025 and month <= 11 and 1 <= day <= 31
        assert m.read_hr(13)[0] >= 1
        assert m.read_hr(20, 2) == [4, 4]


def test_counts():
    """the program is told how often its clients have read and written"""
    with Simulator("-", "-", "-") as s, Modbus(s.port) as m:
        assert s.ask("#3") == "0 0"
        m.read_hr(3)
        m.read_hr(2, 2)
        m.write_hr(3, [7])
        assert (s.ask("#3"), s.ask("#2")) == ("2 1", "1 0")
        assert s.ask("3") == "7" and s.ask("#3") == "2 1"


def test_each_kind_of_server():
    """tcp with another framer and a unit of its own, tls, udp, a serial line"""
    setup = stock()
    line = Line()
    setup["server_list"].update(
        rtu=net(framer="rtu", device_id="7", ignore_missing_slaves=True),
        line={"comm": "serial", "port": line.path, "framer": "rtu",
              "baudrate": 9600, "stopbits": 1, "bytesize": 8, "parity": "N",
              "timeout": 3, "reconnect_delay": 2})
    want = b"\3\2" + (17001).to_bytes(2, "big")
    try:
        with Simulator("rtu", "-", "-", json=setup) as s:
            m = Master(Stream.tcp(s.port), "rtu")
            assert m.ask(7, fc3(3)) == want
            m.mute(6, fc3(3), 7)
            m.close()
        with Simulator("udp", "-", "-", json=setup) as s:
            m = Master(Udp(s.port), "socket")
            assert m.ask(9, fc3(3)) == want
            m.close()
        with Simulator("tls", "-", "-", json=setup) as s:
            m = Master(Stream.tls(s.port, certs.client_context(pki.ca)), "tls")
            assert m.ask(1, fc3(3)) == want
            m.close()
        with Simulator("line", "-", "-", json=setup):
            assert Master(line, "rtu").ask(200, fc3(3)) == want
    finally:
        line.close()


def test_mistakes():
    """a file that is wrong is refused with each place, one that is not there
    with its name, a server that cannot be with the place of its entry"""
    refused("setup.json:1:", text="{")
    setup = stock()
    setup["device_list"]["device"]["write"] = [99]
    refused("register 99 is to be writable", json=setup)
    refused('did you mean "device_try"?', "-", "devicetry", "-")
    refused("nowhere.json: cannot read: No such file", "-", "-",
            "nowhere.json", errno="ENOENT")
    refused(".: cannot read", "-", "-", ".", errno="EISDIR")
    setup = stock()
    setup["server_list"]["server"]["framer"] = "sockt"
    assert "setup.json:1:" in refused('"sockt"', json=setup)
    setup["server_list"]["server"].update(framer="rtu", host="nobody")
    assert "setup.json:1:" in refused("nobody", json=setup)


def test_a_port_that_is_taken():
    """run_forever() says so"""
    with Simulator() as s:
        setup = stock()
        setup["server_list"]["server"]["port"] = s.port
        with Simulator(json=setup) as t:
            code, out, _ = t.end()
            assert t.first == "run: EADDRINUSE" and code == 1, (t.first, out)


def test_run_forever_ends_when_stopped():
    """in the foreground it serves until another thread stops it"""
    with Simulator(how="run") as s, Modbus(s.port) as m:
        assert m.read_hr(3) == [17001]
        assert s.ask(3) == "17001"


def test_the_command_line():
    """pymodbus.simulator's options: names, the file, the log"""
    with Simulator("--modbus_device", "device_try", "--modbus_server=server",
                   "--json_file", "setup.json", how="args") as s:
        with Modbus(s.port) as m:
            assert m.read_hr(0) == [32769]
    with Simulator("--log", "debug", "--log_file", "log", how="args") as s:
        with Modbus(s.port) as m:
            assert m.read_hr(3) == [17001]
        log = os.path.join(s.dir.name, "log")
        wait_for(lambda: "connection" in open(log).read(), what="the log")
    with Simulator("--log=info", how="args") as s:
        assert s.port
        code, out, err = s.end()
        assert code == 0 and "up" in err, (code, out, err)
    with Simulator("-h", how="args") as s:
        code, out, err = s.end()
        assert s.first.startswith("usage: ") and code == 0 and err == ""
        assert "--json_file FILE" in out and "http" not in out, out
        assert out.endswith("new: 0\n\n"), out


def test_what_the_command_line_refuses():
    """options that there are not, or not yet, are told, not ignored"""
    for args, words in (
            (["--http_port", "8081"], "serves no HTTP"),
            (["--http_host=x"], "--http_host: this version"),
            (["--custom_actions_module", "m"], "hf_simulator_new()"),
            (["--log", "loud"], '"loud" is no level'),
            (["--jsn_file", "x"], 'did you mean "--json_file"?'),
            (["--json_file"], "--json_file needs a FILE"),
            (["-x"], 'no option "-x"'), (["word"], 'no option "word"')):
        refused(words, *args, how="args")
    refused("/nowhere/log: cannot open", "--log_file", "/nowhere/log",
            how="args", errno="ENOENT")


if __name__ == "__main__":
    sysutil.run()
