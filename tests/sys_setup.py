#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""holdfastd with setup files of pymodbus's simulator: what clients see of their
servers and devices, over every kind of transport."""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from peers import Line, Master, Stream, Udp  # noqa: E402
from sys_simulator import IDENTITY, code_of, device, net, stock  # noqa: E402
from sysutil import BUILD, ROOT, Daemon, Modbus, wait_for  # noqa: E402
from tls_case import pki  # noqa: E402
import certs  # noqa: E402

STOCK = os.path.join(ROOT, "conf", "setup.json")


def whole(**more):
    """Values of each type, side by side, with "type exception"."""
    d = device(
        sizes=(200,) * 4, write=[[16, 30], [60, 61]],
        bits=[{"addr": [7, 9], "value": 1800}],
        uint16=[{"addr": 16, "value": 3124}, {"addr": [17, 18], "value": 5678},
                {"addr": [19, 20], "value": 14661},
                {"addr": 60, "value": 5, "action": "increment"},
                {"addr": 61, "value": 9, "action": "increment",
                 "parameters": {"minval": 8, "maxval": 10}},
                {"addr": 62, "value": 1, "action": "increment"},
                {"addr": 63, "action": "reset"}],
        uint32=[{"addr": [21, 22], "value": 3124},
                {"addr": [23, 26], "value": 5678}],
        float32=[{"addr": [27, 30], "value": 404.17}],
        string=[{"addr": [43, 46], "value": "Strxyz"}], **more)
    d["setup"]["type exception"] = True
    return d


def setup(servers=None, **devices):
    return {"server_list": servers or {"server": net()},
            "device_list": devices or {"device": whole()}}


def run(*args, conf=None):
    """holdfastd with arguments: (code, output, errors)"""
    with tempfile.TemporaryDirectory(prefix="hf-") as d:
        path = os.path.join(d, "x.json")
        with open(path, "w") as f:
            f.write(conf if isinstance(conf, str) else json.dumps(conf))
        done = subprocess.run(
            [os.path.join(BUILD, "holdfastd"), "-c", path, *args],
            capture_output=True, text=True, timeout=200, cwd=d)
        return done.returncode, done.stdout, done.stderr.replace(d + "/", "")


def dumped(conf):
    code, out, err = run("-T", conf=conf)
    assert code == 0, err
    assert run("-T", conf=out) == (0, out, ""), "it dumps itself differently"
    return json.loads(out)


def test_the_stock_file_is_served_as_it_stands():
    """"server" serves "device", as in pymodbus: values, actions, rights, the
    identity, any unit"""
    with open(STOCK) as f:
        text = f.read().replace("5020", "0")
    text = text.replace("{\n", '{ "store": { "name": "%s" },\n' %
                        sysutil.unique_store(), 1)
    with Daemon(text) as d, Modbus(d.port("server")) as m:
        assert list(d.transports()) == ["server"]
        assert m.read_hr(2, 2) == [7, 17001] == m.read_ir(2, 2)
        assert m.read_co(32, 16) == [1, 1, 1] + 13 * [0]
        assert m.read_hr(4, 2) == [9, 27177]
        assert m.read_hr(6, 2) == [0x43ca, 0x95c3]
        assert m.read_hr(16, 5) == [0x415f, 0x425f, 0x435f, 0x445f, 0x455f]
        assert [m.read_hr(2100), m.read_ir(2100)] == [[1], [2]]
        assert m.read_hr(3037, 2, unit=77) == [0, 1]
        assert m.read_hr(5047) == [0x2020]
        m.write_hr(3, 4711)
        m.write_coil(48, False)
        assert m.read_di(48) == [0] and m.read_hr(3) == [4710]
        for call, args in ((m.read_hr, (1,)), (m.read_hr, (5,)),
                           (m.read_hr, (4,)), (m.read_hr, (62999,)),
                           (m.write_hr, (4, [1, 2])), (m.write_hr, (2, 1)),
                           (m.write_coil, (32, True))):
            assert code_of(call, *args) == 2, args
        told = m.request(b"\x2b\x0e\x01\x00")
        assert b"pymodbus" in told and b"PM" in told and b"3.1.0" in told


def test_whole_values():
    """"type exception": a request that enters a value or leaves half of one is
    answered 02 and changes nothing; strings may be cut short; bits are free"""
    with Daemon(setup()) as d, Modbus(d.port("server")) as m:
        for addr, count in ((16, 1), (16, 5), (21, 2), (21, 4), (16, 13),
                            (21, 8), (23, 2), (43, 1), (43, 3), (43, 4),
                            (27, 4), (7, 3)):
            assert len(m.read_hr(addr, count)) == count
            assert len(m.read_ir(addr, count)) == count
        for addr, count in ((21, 1), (21, 3), (22, 1), (22, 3), (20, 2),
                            (16, 6), (27, 1), (28, 1), (24, 2), (44, 1),
                            (46, 1), (44, 3), (27, 3)):
            assert code_of(m.read_hr, addr, count) == 2, (addr, count)
            assert code_of(m.read_ir, addr, count) == 2, (addr, count)
        was = m.read_hr(16, 15)
        for call, args in ((m.write_hr, (21, 1)), (m.write_hr, (22, 1)),
                           (m.write_hr, (20, [1, 2])), (m.write_hr, (30, [1])),
                           (m.call, (b"\x16\0\x15\0\0\xff\xff",)),
                           (m.call, (bytes.fromhex("17001000050016000102ffff"),)),
                           (m.call, (bytes.fromhex("17001500010010000102ffff"),))):
            assert code_of(call, *args) == 2, args
        assert m.read_hr(16, 15) == was
        m.write_hr(19, [1, 2, 0, 3])
        assert m.read_hr(19, 4) == [1, 2, 0, 3]
        assert m.read_co(22 * 16, 20) == [1, 1] + 18 * [0]
        m.write_coil(21 * 16 + 3, True)
        assert m.read_hr(21, 2) == [8, 3]
        m.write_co(21 * 16 + 4, [1, 1])
        assert m.read_hr(21, 2) == [8 + 48, 3]


def test_values_may_be_cut_without_it():
    """without "type exception" registers are registers"""
    free = whole()
    free["setup"]["type exception"] = False
    with Daemon(setup(device=free)) as d, Modbus(d.port("server")) as m:
        assert m.read_hr(22, 2) == [3124, 0]
        m.write_hr(22, 7)
        assert m.read_hr(21, 1) + m.read_hr(22) == [0, 7]


def test_rights():
    """what "write" does not list is answered 02, with 22 and both ranges of 23,
    too; bits are rights of their register"""
    with Daemon(setup()) as d, Modbus(d.port("server")) as m:
        for pdu in ("060007 0001", "16003e ffff 0000", "0f0070 0001 01 01",
                    "05007fff00", "10003d 0002 04 00010002",
                    "17003e 0001 0010 0001 02 0007",
                    "170010 0001 003e 0001 02 0007"):
            assert code_of(m.call, bytes.fromhex(pdu.replace(" ", ""))) == 2
        assert m.read_hr(16) == [3124]
        assert m.call(bytes.fromhex("1700110001001000010207d0")) == \
            b"\x17\x02" + struct.pack(">H", 5678)
        assert m.read_hr(16) == [2000]
        assert m.read_hr(62) == [2]  # nothing has run before


def test_actions_of_every_function_code():
    """actions run when 1 to 4 read, before 22 changes, after 23 has written;
    5 and 6 answer what the action has made of the value; a refused request
    runs none"""
    with Daemon(setup()) as d, Modbus(d.port("server")) as m:
        assert m.read_hr(60) == [6] and m.read_ir(60) == [7]
        assert m.read_co(60 * 16, 5) == [0, 0, 0, 1, 0]
        assert m.read_di(60 * 16, 17)[:4] == [1, 0, 0, 1]  # and touches 61
        assert m.read_hr(61) == [8]  # 9, 10, and round
        assert m.call(b"\x06\0\x3c\0\x64") == b"\x06\0\x3c\0\x65"
        assert m.call(b"\x06\0\x10\0\x64") == b"\x06\0\x10\0\x64"
        assert m.read_hr(60) == [102]
        assert m.call(b"\x05\x03\xc0\xff\0") == b"\x05\x03\xc0\0\0"  # 104
        assert m.call(b"\x10\0\x3c\0\x01\x02\0\x07") == b"\x10\0\x3c\0\x01"
        assert m.call(b"\x16\0\x3c\xff\xf0\0\0")[1:3] == b"\0\x3c"
        assert m.read_hr(60) == [1]  # 7, 8 and then & 0xfff0, 1
        assert m.call(bytes.fromhex("17003c0002003c000102000a")) == \
            b"\x17\x04\0\x0b\0\x09"
        assert code_of(m.read_hr, 60, 5) == 2 and m.read_hr(61) == [10]
        assert code_of(m.read_hr, 63) == 4 and code_of(m.read_hr, 62, 2) == 4
        assert m.read_hr(60) == [12]


def counts(d, addr, count=1, table="hr"):
    got = d.rpc("registers.counts", table=table, addr=addr, count=count)
    return list(zip(got["reads"], got["writes"]))


def test_counters():
    """each register of a request counts once; bits that are written count one
    by one; what is refused or read otherwise does not count; they are there
    after a worker's death"""
    with Daemon(setup()) as d, Modbus(d.port("server")) as m:
        assert counts(d, 16, 3) == [(0, 0)] * 3
        m.read_hr(16, 2)
        m.read_ir(16)
        m.read_co(16 * 16, 3)
        m.read_co(16 * 16 + 15, 2)
        assert counts(d, 16, 3) == [(4, 0), (2, 0), (0, 0)]
        m.write_hr(16, [1, 2])
        m.write_hr(16, 3)
        m.write_co(16 * 16 + 14, [1] * 5)
        m.write_coil(17 * 16, True)
        assert counts(d, 16, 3) == [(4, 4), (2, 5), (0, 0)]
        m.call(b"\x16\0\x12\xff\xff\0\0")
        m.call(bytes.fromhex("1700100002001200010207d0"))
        assert counts(d, 16, 3) == [(5, 4), (3, 5), (1, 2)]
        for addr, n in ((21, 1), (15, 2), (22, 2)):
            assert code_of(m.read_hr, addr, n) == 2
        assert code_of(m.write_hr, 21, 7) == 2
        d.rpc("registers.read", table="hr", addr=16, count=7)
        d.rpc("registers.write", table="hr", addr=21, values=[0, 7])
        m.call(b"\x06\0\x3c\0\x64")
        assert counts(d, 60) == [(0, 1)]
        assert counts(d, 21, 2) == [(0, 0)] * 2
        assert counts(d, 16 * 16, 17, "co") == [(5, 4)] * 16 + [(3, 5)]
        os.kill(d.worker_pid("server"), signal.SIGKILL)
        with Modbus(d.port("server")) as again:
            assert again.read_hr(16, 2)[0] == 49155
        assert counts(d, 16, 2) == [(6, 4), (4, 5)]
        for wrong, reason in (({"addr": 14}, "illegal_data_address"),
                              ({"addr": 0, "table": "xr"}, "bad_value"),
                              ({"addr": 16, "count": 65537}, "out_of_range")):
            try:
                d.rpc("registers.counts", **{"table": "hr", **wrong})
                raise AssertionError(wrong)
            except sysutil.RpcError as e:
                assert e.data["reason"] == reason, e


def test_devices_without_counters():
    """a device that does not count has zeros; "counters" makes any one count"""
    regs = {"holding_registers": [{"addr": 5, "count": 9}],
            "coils": [{"addr": 3, "count": 40}]}
    with Daemon({"devices": {"a": regs, "b": dict(regs, counters=True)},
                 "transports": {"t": {"type": "tcp", "listen": "127.0.0.1:0",
                                      "units": {"1": "a", "2": "b"}}}}) as d:
        with Modbus(d.port("t")) as m:
            for unit in 1, 2:
                m.read_hr(5, 9, unit=unit)
                m.write_hr(6, [1, 2], unit=unit)
                m.write_co(3, [1] * 20, unit=unit)
        got = [d.rpc("registers.counts", device=n, table="hr", addr=5,
                     count=3) for n in "ab"]
        assert got == [{"reads": [0] * 3, "writes": [0] * 3},
                       {"reads": [1] * 3, "writes": [0, 1, 1]}], got
        got = d.rpc("registers.counts", device="b", table="co", addr=3,
                    count=40)["writes"]
        assert got == [16] * 16 + [4] * 16 + [0] * 8, got
        assert [n["counters"] for n in d.rpc("devices.list")] == [False, True]


def test_describe_tells_types_and_actions():
    """registers.describe has the types of the file, and actions with their
    parameters; devices.list has what the device wants"""
    with Daemon(setup()) as d:
        ranges = {r["addr"]: r for r in d.rpc("registers.describe")}
        assert [ranges[a]["type"] for a in (7, 16, 21, 27, 43)] == [
            "bits", "uint16", "uint32", "float32", "string"]
        assert ranges[61]["action"] == {
            "name": "increment", "minval": 8, "maxval": 10}, ranges[61]
        assert ranges[60]["action"] == {"name": "increment"}
        assert ranges[16]["action"] is None
        listed = d.rpc("devices.list")[0]
        assert (listed["shared_blocks"], listed["type_exception"],
                listed["counters"]) == (True, True, True), listed


def test_separate_blocks():
    """coils, discrete inputs, holding and input registers one after the other,
    as the reference's documents have it, each from 0 on; a request does not run into the next block"""
    apart = device(False, (10, 10, 10, 10), bits=[{"addr": [0, 9], "value": 5}],
                   uint16=[{"addr": [10, 19], "value": 32769},
                           {"addr": [30, 39], "value": 32769}],
                   float32=[{"addr": [20, 23], "value": 404.17}],
                   write=[0, 20, 21])
    apart["setup"]["type exception"] = True
    with Daemon(setup(device=apart)) as d, Modbus(d.port("server")) as m:
        assert m.read_co(0, 4) == [1, 0, 1, 0] == m.read_co(144, 4)
        assert m.read_di(0, 17)[15:] == [1, 1] and m.read_ir(9) == [32769]
        assert m.read_hr(0, 2) == [0x43ca, 0x15c3]
        m.write_hr(0, [0x43ca, 0])
        m.write_co(4, [1])
        assert m.read_co(0, 5) == [1, 0, 1, 0, 1]
        assert counts(d, 0, 17, "co") == [(2, 1)] * 16 + [(0, 0)]
        for call, args in ((m.read_co, (160,)), (m.read_co, (150, 11)),
                           (m.read_ir, (10,)), (m.read_hr, (1, 1)),
                           (m.read_hr, (0, 1)), (m.write_hr, (2, [1, 2])),
                           (m.write_coil, (16, 1)), (m.read_hr, (4,))):
            assert code_of(call, *args) == 2, args


@contextlib.contextmanager
def many():
    """Several servers of two devices at once, of every kind."""
    with Line() as line, tempfile.TemporaryDirectory(prefix="hf-") as tmp:
        servers = {
            "t1": net(device="one", device_id=5),
            "t2": net("tcp", "rtu", device="two", ignore_missing_slaves=True,
                      device_id="7"),
            "t3": net("tcp", "ascii", device="one"),
            "u1": net("udp", device="two", identity=IDENTITY),
            "b1": net("udp", "rtu", device="one", broadcast_enable=True),
            "s1": net("tls", "tls", device="two", certfile=pki.server.chain,
                      keyfile=pki.server.key),
            "line1": dict(comm="serial", port=line.path, framer="rtu",
                          baudrate=9600, bytesize=8, parity="N", stopbits=1,
                          timeout=3, reconnect_delay=2, device="two",
                          device_id=9),
            "unused": net("tls", "tls", certfile="nowhere", keyfile="no")}
        other = whole()
        other["uint16"][0] = {"addr": 16, "value": 4000}
        with Daemon(setup(servers, one=whole(), two=other)) as d:
            yield d, line, tmp


def test_several_servers_at_once():
    """tcp, udp, tls and serial, with any framer, each with its device, its
    unit and its silence; the same device over all of its servers"""
    with many() as (d, line, _):
        assert sorted(d.transports()) == [
            "b1", "line1", "s1", "t1", "t2", "t3", "u1"]
        with Modbus(d.port("t1"), unit=5) as m:
            assert m.read_hr(16) == [3124]
            assert code_of(m.read_hr, 16, 1, 6) == 11
            m.write_hr(17, 1)
        with Master(Stream.tcp(d.port("t3")), "ascii") as m:
            assert m.read_hr(33, 16, 2) == [3124, 1]
        with Master(Stream.tcp(d.port("t2")), "rtu") as m:
            assert m.read_hr(7, 16, 2) == [4000, 5678]
            m.mute(8, b"\3\0\x10\0\1", 7)
        with Master(Udp(d.port("u1")), "socket") as m:
            assert m.read_hr(200, 16) == [4000]
            assert b"pymodbus Server" in m.ask(1, b"\x2b\x0e\x02\0")
        with Master(Udp(d.port("b1")), "rtu") as m:
            m.mute(0, b"\6\0\x10\0\x2a", 1)
            assert m.read_hr(1, 16) == [42]
        context = certs.client_context(pki.ca)
        with Master(Stream.tls(d.port("s1"), context), "tls") as m:
            assert m.read_hr(1, 16) == [4000]
        m = Master(line, "rtu")
        assert m.read_hr(9, 16) == [4000]
        m.mute(8, b"\3\0\x10\0\1", 9)


def test_pymodbus_reads_it():
    """pymodbus's own clients, over tcp and udp"""
    from pymodbus.client import ModbusTcpClient, ModbusUdpClient
    with many() as (d, _, _):
        for client, unit, value in (
                (ModbusTcpClient("127.0.0.1", port=d.port("t1")), 5, 3124),
                (ModbusUdpClient("127.0.0.1", port=d.port("u1")), 1, 4000)):
            assert client.connect()
            got = client.read_holding_registers(16, 5, unit)
            assert got.registers == [value, 5678, 5678, 14661, 14661], got
            got = client.read_holding_registers(22, 1, unit)
            assert got.isError() and got.exception_code == 2, got
            assert client.read_coils(7 * 16, 16, unit).bits[8:11] == [1, 1, 1]
            client.close()


def test_a_worker_that_is_killed():
    """values that clients wrote, or actions made, are there afterwards, and
    other servers do not notice"""
    with many() as (d, _, _), Master(Stream.tcp(d.port("t3")), "ascii") as o:
        with Modbus(d.port("t1"), unit=5) as m:
            m.write_hr(18, 99)
            assert m.read_hr(60) == [6]
        for n in range(3):
            pid = wait_for(lambda: d.worker_pid("t1"))
            os.kill(pid, signal.SIGKILL)
            assert o.read_hr(1, 18) == [99]
            with Modbus(d.port("t1"), unit=5) as m:
                assert m.read_hr(60) == [7 + n] and m.read_hr(18) == [99]
            wait_for(lambda: d.rpc("transports.list")[0][
                "restarts"] == n + 1)


def test_beside_sections_of_ours():
    """transports of ours serve devices of the file, and the other way round;
    the file may be included; -T writes it as one of ours that dumps the same"""
    own = {"holding_registers": [{"addr": 0, "value": 11}]}
    conf = dict(
        setup({"a": net(device="own"), "b": net(device="tank", device_id=3),
               "idle": net()}, tank=whole(), spare=whole()),
        devices={"own": own}, transports={"c": {
            "type": "tcp", "listen": "127.0.0.1:0",
            "units": {"1": "tank", "2": "spare", "3": "own"}}})
    with Daemon(conf) as d:
        assert sorted(d.transports()) == ["a", "b", "c"]
        with Modbus(d.port("a")) as a, Modbus(d.port("b"), unit=3) as b, \
                Modbus(d.port("c")) as c:
            assert a.read_hr(0) == [11] == c.read_hr(0, unit=3)
            b.write_hr(16, 5)
            assert c.read_hr(16) == [5] and c.read_hr(16, unit=2) == [3124]
    got = dumped(conf)
    assert "server_list" not in got and "device_list" not in got
    tank = got["devices"]["tank"]
    assert tank["shared_blocks"] and tank["type_exception"] and \
        tank["counters"] and tank["simulator"], tank
    assert got["transports"]["b"]["units"] == {
        "0": "tank", "3": "tank", "255": "tank"}
    with tempfile.TemporaryDirectory(prefix="hf-") as tmp:
        path = os.path.join(tmp, "setup.json")
        with open(path, "w") as f:
            json.dump(setup({"plant": net(device="device")}), f)
        with Daemon({"include": [path]}) as d, Modbus(d.port("plant")) as m:
            assert m.read_hr(16) == [3124]


def test_which_are_served():
    """without "device" one server serves one device, and the others are only
    read for their mistakes; beside transports of ours none does"""
    spare = net("tls", "tls", certfile="gone")
    one = setup({"server": net(), "try": spare}, spare=whole(),
                device=whole(), another=whole())
    got = dumped(one)
    assert list(got["transports"]) == ["server"]
    assert list(got["devices"]) == ["device"]
    with Daemon(one) as d, Modbus(d.port("server")) as m:
        assert m.read_hr(16) == [3124]
        assert [n["name"] for n in d.rpc("devices.list")] == ["device"]
    far = json.dumps(dict(one["device_list"]["spare"]))
    for old, new, words in (
            ('"value": 14661', '"value": 70000', "from 0 to 65535"),
            ('"action": "increment"', '"action": "incremet"',
             'did you mean "increment"?'),
            ('{"minval": 8', '{"minvl": 8', '"minvl"'),
            ('[60, 61]', '[100, 101]', "but not defined")):
        assert old in far, old
        one["device_list"]["spare"] = json.loads(far.replace(old, new, 1))
        for option in ("-t", "-T"):
            code, _, err = run(option, conf=one)
            assert code == 78 and words in err and "x.json:1:" in err, err
    one["device_list"]["spare"] = whole()
    one["server_list"]["try"]["certfil"] = one["server_list"]["try"].pop(
        "certfile")
    code, _, err = run("-t", conf=one)
    assert code == 78 and 'did you mean "certfile"?' in err, err
    got = dumped(setup({"plant": net()}, tank=whole()))
    assert got["transports"]["plant"]["units"] == {"*": "tank"}
    got = dumped(dict(setup({"x": net()}, tank=whole()), transports={}))
    assert got["transports"] == {} and list(got["devices"]) == ["tank"]
    code, _, err = run("-t", conf=setup({"a": net(), "b": net()}))
    assert code == 78 and '"server_list" has no "server"' in err, err


def test_newer_types():
    """the sections of newer files: values in big endian, actions by type, and
    "type exception" for all of their registers"""
    more = dict(whole(), int16=[{"addr": 100, "value": -2},
                                {"addr": 101, "value": -1,
                                 "action": "increment"}],
                int32=[{"addr": [102, 103], "value": -65538}],
                int64=[{"addr": 104, "value": -2 ** 63}],
                uint64=[{"addr": [108, 111], "value": 2 ** 64 - 1},
                        {"addr": 124, "value": 2 ** 32 - 2,
                         "action": "increment"}],
                float64=[{"addr": [112, 115], "value": 4242.487},
                         {"addr": [116, 119], "value": -1237.879,
                          "action": "increment"}])
    more["write"] = more["write"] + [[100, 119]]
    more["setup"]["defaults"]["value"]["float64"] = 1.5
    more["setup"]["defaults"]["action"]["float64"] = None
    more["float64"].append([120, 123])
    with Daemon(setup(device=more)) as d, Modbus(d.port("server")) as m:
        def read(addr, form):
            data = struct.pack(">%dH" % (struct.calcsize(form) // 2),
                               *m.read_hr(addr, struct.calcsize(form) // 2))
            return struct.unpack(form, data)[0]
        assert read(100, ">h") == -2 and read(102, ">i") == -65538
        assert [read(101, ">h") for _ in range(2)] == [0, 1]
        assert read(104, ">q") == -2 ** 63 and read(112, ">d") == 4242.487
        assert read(108, ">Q") == 2 ** 64 - 1
        assert [read(124, ">Q") for _ in range(2)] == [2 ** 32 - 1, 2 ** 32]
        assert abs(read(116, ">d") + 1236.879) < 1e-9
        assert read(120, ">d") == 1.5
        for addr, count in ((104, 3), (105, 1), (112, 2), (115, 1), (103, 1)):
            assert code_of(m.read_hr, addr, count) == 2, (addr, count)
        m.write_hr(112, [0x3ff0, 0, 0, 0])
        assert read(112, ">d") == 1.0
        types = {r["addr"]: r["type"] for r in d.rpc("registers.describe")}
        assert [types[a] for a in (100, 102, 104, 108, 112)] == [
            "int16", "int32", "int64", "uint64", "float64"]


def test_what_does_nothing_is_told():
    """keys that the reference's own files have and nothing reads: a line with
    the place, and the file is served"""
    conf = setup()
    conf["device_list"]["device"]["uint16"][4]["args"] = {"maxval": 3}
    conf["server_list"]["server"]["backlog"] = 20
    code, out, err = run("-t", conf=conf)
    assert code == 0 and out.endswith("x.json: OK\n"), (code, out, err)
    assert [line.partition(": ")[2] for line in err.splitlines()] == [
        '"backlog" does nothing here',
        '"args" does nothing, as in pymodbus; what an action takes stands in '
        '"parameters"'], err
    assert all(line.startswith("x.json:1:") for line in err.splitlines())
    with Daemon(conf) as d, Modbus(d.port("server")) as m:
        assert m.read_hr(60) == [6]
        d.wait_stderr('"args" does nothing')


def test_the_newer_name():
    """ignore_missing_devices is what pymodbus 3.10 calls it"""
    out = []
    for name in ("ignore_missing_slaves", "ignore_missing_devices"):
        conf = setup()
        conf["server_list"]["server"][name] = True
        out.append(dumped(conf))
    assert out[0] == out[1] and "silent" in json.dumps(out[0])


def test_mistakes_have_their_place():
    """each mistake with file, line and column, its reason and the nearest
    name"""
    text = json.dumps(setup({"plant": net(device="tank")}, tank=whole()),
                      indent=1)
    assert run("-t", conf=text)[0] == 0

    def at(old, new, *words, up=0):
        assert old in text, old
        lines = text[:text.index(old)].count("\n") + 1 - up
        code, out, err = run("-t", conf=text.replace(old, new, 1))
        assert code == 78 and out == "", (new, out, err)
        for word in words:
            assert word in err, (new, err)
        assert any(line.startswith("x.json:%d:" % lines)
                   for line in err.splitlines()), (lines, err)

    at('"device": "tank"', '"device": "tenk"', 'did you mean "tank"?')
    at('"device": "tank"', '"device": 7', '"device" must be')
    at('"framer": "socket"', '"framer": "sockt"', 'did you mean "socket"?')
    at('"port": 0', '"port": 70000', "from 0 to 65535")
    at('"port": 0', '"prot": 0', '"prot"; did you mean "port"?')
    at('"host": "127.0.0.1"', '"host": "nobody"', "nobody")
    at('"comm": "tcp"', '"comm": "tpc"', '"comm" must be')
    at('"co size"', '"co sizes"', 'did you mean "co size"?')
    at('"parameters": {', '"paramters": {', 'did you mean "parameters"?')
    at('"value": 14661', '"valu": 14661', 'did you mean "value"?')
    at('"type exception": true', '"type exception": 1', "must be true or")
    at('"action": "reset"', '"action": "rest"', 'did you mean "reset"?')
    at('"value": 14661', '"value": 70000', "from 0 to 65535")
    at('"string": [\n', '"strings": [\n', '"strings"; did you mean "string"?')
    taken = dict(json.loads(text), transports={
        "plant": {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*":
                                                                   "tank"}}})
    code, _, err = run("-t", conf=taken)
    assert code == 78 and 'a transport "plant" stands at' in err, err
    taken = dict(json.loads(text), devices={"tank": {}})
    code, _, err = run("-t", conf=taken)
    assert code == 78 and 'has a device "tank" already' in err, err
    code, _, err = run("-t", conf={"server_list": {"server": net()}})
    assert code == 78 and '"devices" is missing' in err, err
    two = setup({"a": net(device="t"), "b": net(device="t")}, t=whole())
    two["server_list"]["a"]["port"] = two["server_list"]["b"]["port"] = 4502
    code, _, err = run("-t", conf=two)
    assert code == 78 and "x.json:1:" in err and "4502" in err, err
    tls = setup({"a": net("tls", "tls", certfile="gone.pem", device="t")},
                t=whole())
    code, _, err = run("-t", conf=tls)
    assert code == 78 and "gone.pem: No such file" in err, err


def test_reload():
    """a reload says what has changed, and tells mistakes"""
    with Daemon(setup()) as d:
        with open(d.conf_path) as f:
            conf = json.load(f)
        assert d.cli("reload").returncode == 0
        d.wait_stderr("nothing has changed")
        conf["device_list"]["device"]["uint16"][0]["value"] = 1
        conf["server_list"]["server"]["device_id"] = 1
        with open(d.conf_path, "w") as f:
            json.dump(conf, f)
        d.cli("reload", ok=False)
        d.wait_stderr("configuration: device device: changed")
        d.wait_stderr("configuration: transport server: changed")
        conf["device_list"]["device"]["write"] = [199]
        with open(d.conf_path, "w") as f:
            json.dump(conf, f)
        d.cli("reload", ok=False)
        d.wait_stderr("register 199 is to be writable")


MODULE = """
def double(registers, inx, cell, step=1):
    registers[inx].value = cell.value + step

custom_actions_dict = {"double": double}
"""


def test_actions_of_a_module():
    """with "actions" an entry may name what the module has"""
    mine = whole()
    mine["uint16"].append({"addr": 100, "value": 3, "action": "double",
                           "parameters": {"step": 4}})
    code, _, err = run("-t", conf=setup(device=mine))
    assert code == 78 and 'no action is called "double"' in err, err
    with tempfile.TemporaryDirectory(prefix="hf-") as tmp:
        path = os.path.join(tmp, "mine.py")
        with open(path, "w") as f:
            f.write(MODULE)
        with Daemon(dict(setup(device=mine), actions={"module": path})) as d, \
                Modbus(d.port("server")) as m:
            assert m.read_hr(60) == [6]
            wait_for(lambda: code_of(m.read_hr, 100) == 0, what="the module")
            first = m.read_hr(100)[0]
            assert m.read_hr(100) == [first + 4]


def test_large_devices():
    """65536 registers, as many coils as have addresses, repeated blocks"""
    big = device(sizes=(65536,) * 4, uint16=[{"addr": [0, 99], "value": 7}],
                 write=[[0, 99]], repeat=[{"addr": [0, 99],
                                           "to": [100, 65535]}])
    with Daemon(setup(device=big)) as d, Modbus(d.port("server")) as m:
        assert m.read_hr(65535) == [7] and m.read_co(65533, 3) == [0, 0, 0]
        m.write_hr(65530, [1] * 6)
        assert m.read_ir(65529, 7) == [7] + [1] * 6
        assert counts(d, 65535) == [(2, 1)]


if __name__ == "__main__":
    sysutil.run()
