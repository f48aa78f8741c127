#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that other people wrote, against a real daemon: mbpoll, libmodbus,
pymodbus and modbus-serial, with values checked; and beside them a ZeroMQ
client at work on the same registers."""
import os
import re
import shutil
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import BUILD, ROOT, Daemon, Skip  # noqa: E402

CLIENTS = os.path.join(ROOT, "tests", "clients")


def conf():
    """What tests/clients/ count on."""
    return {
        "devices": {
            "plc1": {
                "coils": [{"addr": 0, "count": 2000}],
                "discrete_inputs": [
                    {"addr": 0, "count": 64, "values": [1, 0, 1]}],
                "holding_registers": [
                    {"addr": 0, "count": 1000},
                    {"addr": 1000, "count": 10, "access": "ro",
                     "value": 48879},
                    {"addr": 1100, "type": "float32", "order": "abcd",
                     "value": 404.17, "name": "flow", "unit": "m3/h"},
                    {"addr": 1102, "type": "float32", "order": "cdab",
                     "value": -2.5}],
                "input_registers": [
                    {"addr": 0, "count": 8, "value": 7},
                    {"addr": 8, "type": "int32", "order": "abcd",
                     "value": -100000}],
                "files": [{"number": 1, "records": 100},
                          {"number": 2, "records": 100}],
                "fifos": [{"addr": 2000, "values": [10, 11, 12, 13, 14, 15]}],
                "identity": {"VendorName": "Acme", "ProductCode": "A1",
                             "MajorMinorRevision": "1.0",
                             "VendorUrl": "example.org",
                             "objects": {"128": "private"}},
            },
            "plc2": {"holding_registers": [{"addr": 0, "count": 100}]},
        },
        "transports": {"tcp1": {
            "type": "tcp", "listen": "127.0.0.1:0",
            "units": {"1": "plc1", "2": "plc2"}}},
    }


# mbpoll

def mbpoll(port, *args, values=()):
    """Runs mbpoll once, addresses from 0; returns (exit status, what it
    read as {address: text}, all it said)."""
    if not shutil.which("mbpoll"):
        raise Skip("mbpoll is not installed")
    done = subprocess.run(
        ["mbpoll", "-m", "tcp", "-0", "-1", "-o", "5", "-p", str(port),
         *map(str, args), "127.0.0.1", *(["--"] if values else []),
         *map(str, values)],
        capture_output=True, text=True, timeout=200)
    return (done.returncode, readings(done.stdout),
            done.stdout + done.stderr)


def readings(said):
    return {int(a): v.strip() for a, v in re.findall(
        r"^\[(\d+)\]:\s*(\S+)", said, re.M)}


def mbpoll_reads(port, *args):
    status, got, said = mbpoll(port, *args)
    assert status == 0 and got, said
    return list(got.values())


def mbpoll_refused(port, words, *args, values=()):
    status, got, said = mbpoll(port, *args, values=values)
    assert words in said and not got, (words, said)


def test_mbpoll_reads_all_four_tables():
    "mbpoll reads coils, discrete inputs, holding and input registers"
    with Daemon(conf()) as d:
        p = d.port("tcp1")
        assert mbpoll_reads(p, "-t", 0, "-r", 0, "-c", 5) == ["0"] * 5
        assert mbpoll_reads(p, "-t", 1, "-r", 0, "-c", 4) == list("1010")
        assert mbpoll_reads(p, "-t", 4, "-r", 1000, "-c", 2)[0] == "48879"
        assert mbpoll_reads(p, "-t", 3, "-r", 0, "-c", 8) == ["7"] * 8


def test_mbpoll_writes_coils_and_registers():
    "what mbpoll writes, mbpoll and ZeroMQ read"
    with Daemon(conf()) as d:
        p = d.port("tcp1")
        assert mbpoll(p, "-t", 4, "-r", 10, values=[1, 2, 65535])[0] == 0
        assert mbpoll(p, "-t", 4, "-r", 20, values=[4711])[0] == 0
        assert mbpoll(p, "-t", 0, "-r", 7, values=[1, 1, 0, 1])[0] == 0
        assert mbpoll_reads(p, "-t", "4:hex", "-r", 10, "-c", 3) == [
            "0x0001", "0x0002", "0xFFFF"]
        assert read(d, "hr", 10, 3) == [1, 2, 65535]
        assert read(d, "hr", 20, 1) == [4711]
        assert list(map(int, read(d, "co", 7, 4))) == [1, 1, 0, 1]


def test_mbpoll_floats_and_integers():
    "32-bit values of both word orders read as mbpoll has them"
    with Daemon(conf()) as d:
        p = d.port("tcp1")
        big = mbpoll_reads(p, "-t", "4:float", "-B", "-r", 1100, "-c", 1)
        assert abs(float(big[0]) - 404.17) < 0.01, big
        little = mbpoll_reads(p, "-t", "4:float", "-r", 1102, "-c", 1)
        assert float(little[0]) == -2.5, little
        whole = mbpoll_reads(p, "-t", "3:int", "-B", "-r", 8, "-c", 1)
        assert int(whole[0]) == -100000, whole
        assert mbpoll(p, "-t", "4:float", "-B", "-r", 1100,
                      values=[1.5])[0] == 0
        got = d.rpc("registers.read", device="plc1", table="hr", addr=1100,
                    count=1, type="float32", order="abcd")["values"]
        assert got == [1.5], got


def test_mbpoll_is_told_of_mistakes():
    "mbpoll names the exception of a bad address, a read-only one, a unit"
    with Daemon(conf()) as d:
        p = d.port("tcp1")
        mbpoll_refused(p, "Illegal data address", "-t", 4, "-r", 5000)
        mbpoll_refused(p, "Illegal data address", "-t", 4, "-r", 1000,
                       values=[1])
        mbpoll_refused(p, "Target device failed to respond", "-a", 9, "-t", 4,
                       "-r", 0)
        assert mbpoll_reads(p, "-t", 4, "-r", 1000) == ["48879"]


# programs of tests/clients

def run_client(argv, env=None):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=500,
                          env={**os.environ, **(env or {})})
    said = done.stdout + done.stderr
    print("    " + said.strip().replace("\n", "\n    "))
    ok = len(re.findall(r"^ok ", said, re.M))
    bad = re.findall(r"^FAILED (.*)", said, re.M)
    assert done.returncode == 0 and not bad and ok >= 10, (
        "exit %d, %d fine, not: %s" % (done.returncode, ok, bad))


def test_libmodbus():
    "libmodbus: every function, and raw requests for those that it lacks"
    with Daemon(conf()) as d:
        run_client([os.path.join(BUILD, "tests", "clients", "lm"),
                    str(d.port("tcp1"))])


def run_serial(port):
    node = shutil.which("node", path="/usr/bin") or shutil.which("node")
    modules = os.path.join(ROOT, "build", "npm", "node_modules")
    assert node, "node is not installed"
    assert os.path.isdir(modules), modules + " is not there: ./bootstrap tests"
    run_client([node, os.path.join(CLIENTS, "serial.js"), str(port)],
               {"NODE_PATH": modules})


def test_modbus_serial():
    "modbus-serial on Node: every function that it has"
    with Daemon(conf()) as d:
        run_serial(d.port("tcp1"))


# pymodbus

class Pymodbus:
    """pymodbus's synchronous client; execute() insists on a real reply."""

    def __init__(self, port):
        from pymodbus.client import ModbusTcpClient
        self.client = ModbusTcpClient("127.0.0.1", port=port, timeout=50)
        assert self.client.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def __getattr__(self, name):
        method = getattr(self.client, name)

        def call(*args, slave=1, **kwargs):
            reply = method(*args, slave=slave, **kwargs)
            assert not isinstance(reply, Exception), reply
            return reply
        return call

    def execute(self, request):
        request.unit_id = 1
        reply = self.client.execute(request)
        assert not isinstance(reply, Exception), reply
        assert not reply.isError(), reply
        return reply


def pymodbus_reads_and_writes(port):
    with Pymodbus(port) as m:
        assert not m.write_coils(60, [True, False, True]).isError()
        assert not m.write_coil(61, True).isError()
        assert m.read_coils(60, 3).bits[:3] == [True, True, True]
        assert m.read_discrete_inputs(0, 4).bits[:4] == [
            True, False, True, False]
        assert not m.write_registers(600, [1, 2, 3]).isError()
        assert not m.write_register(601, 65535).isError()
        assert m.read_holding_registers(600, 3).registers == [1, 65535, 3]
        assert m.read_input_registers(0, 8).registers == [7] * 8
        assert not m.write_register(610, 0x12).isError()
        from pymodbus.register_write_message import MaskWriteRegisterRequest
        from pymodbus.register_read_message import (
            ReadWriteMultipleRegistersRequest)
        m.execute(MaskWriteRegisterRequest(610, 0xf2, 0x25))
        got = m.execute(ReadWriteMultipleRegistersRequest(
            read_address=609, read_count=4, write_address=611,
            write_registers=[5, 6]))
        assert got.registers == [0, 0x17, 5, 6], got.registers


def test_pymodbus_reads_and_writes():
    "pymodbus: function codes 1 to 6, 15, 16, 22 and 23"
    with Daemon(conf()) as d:
        pymodbus_reads_and_writes(d.port("tcp1"))


def number(message):
    """What pymodbus makes of FC 8's data: a number, or a row of one."""
    return message if isinstance(message, int) else message[0]


def pymodbus_diagnostics(port):
    from pymodbus import diag_message as diag
    from pymodbus import other_message as other
    with Pymodbus(port) as m:
        assert m.execute(other.ReadExceptionStatusRequest()).status == 0
        echo = m.execute(diag.ReturnQueryDataRequest(0x1234))
        assert number(echo.message) == 0x1234, echo.message
        m.execute(diag.ClearCountersRequest())
        m.read_holding_registers(5000, 1)
        count = m.execute(diag.ReturnBusExceptionErrorCountRequest()).message
        assert number(count) == 1, count
        for request in (diag.ReturnDiagnosticRegisterRequest,
                        diag.ReturnBusMessageCountRequest,
                        diag.ReturnBusCommunicationErrorCountRequest,
                        diag.ReturnSlaveMessageCountRequest,
                        diag.ReturnSlaveNoResponseCountRequest,
                        diag.ReturnSlaveNAKCountRequest,
                        diag.ReturnSlaveBusyCountRequest,
                        diag.ReturnSlaveBusCharacterOverrunCountRequest,
                        diag.ClearOverrunCountRequest):
            reply = m.execute(request())
            assert reply.function_code == 8, reply
        before = m.execute(other.GetCommEventCounterRequest())
        m.write_register(0, 1)
        after = m.execute(other.GetCommEventCounterRequest())
        assert after.status and after.count == before.count + 1, (
            before.count, after.count)
        log = m.execute(other.GetCommEventLogRequest())
        assert log.event_count == after.count and log.events, vars(log)
        who = m.execute(other.ReportSlaveIdRequest())
        assert who.identifier and 0xff in who.identifier, who


def test_pymodbus_diagnostics():
    "pymodbus: function codes 7, 8, 11, 12 and 17"
    with Daemon(conf()) as d:
        pymodbus_diagnostics(d.port("tcp1"))


def test_pymodbus_files_and_queues():
    "pymodbus: function codes 20, 21 and 24"
    from pymodbus import file_message as files
    with Daemon(conf()) as d, Pymodbus(d.port("tcp1")) as m:
        data = bytes(range(1, 9))
        m.execute(files.WriteFileRecordRequest([files.FileRecord(
            file_number=1, record_number=9, record_data=data)]))
        got = m.execute(files.ReadFileRecordRequest([
            files.FileRecord(file_number=1, record_number=9,
                             record_length=4),
            files.FileRecord(file_number=2, record_number=0,
                             record_length=1)]))
        assert [r.record_data for r in got.records] == [data, b"\0\0"], got
        queue = m.execute(files.ReadFifoQueueRequest(2000))
        # its decoder takes the queue's count for bytes and stops too early
        assert queue.values == [10, 11], queue.values


def test_pymodbus_identification():
    "pymodbus: function code 43/14, every kind of access"
    from pymodbus.mei_message import ReadDeviceInformationRequest
    with Daemon(conf()) as d, Pymodbus(d.port("tcp1")) as m:
        basic = m.execute(ReadDeviceInformationRequest(1, 0)).information
        assert basic == {0: b"Acme", 1: b"A1", 2: b"1.0"}, basic
        regular = m.execute(ReadDeviceInformationRequest(2, 0)).information
        assert regular[3] == b"example.org", regular
        extended = m.execute(ReadDeviceInformationRequest(3, 0)).information
        assert extended[128] == b"private", extended
        one = m.execute(ReadDeviceInformationRequest(4, 1)).information
        assert one == {1: b"A1"}, one


def test_pymodbus_exceptions():
    "pymodbus gets 01, 02, 03 and 0B, and the connection stays"
    from pymodbus.register_read_message import ReadHoldingRegistersRequest
    with Daemon(conf()) as d, Pymodbus(d.port("tcp1")) as m:
        assert m.read_holding_registers(5000, 1).exception_code == 2
        assert m.write_register(1000, 1).exception_code == 2
        wrong = ReadHoldingRegistersRequest(0, 126, unit=1)
        assert m.client.execute(wrong).exception_code == 3
        assert m.read_holding_registers(0, 1, slave=9).exception_code == 11
        assert m.read_holding_registers(0, 1, slave=2).registers == [0]


# ZeroMQ beside Modbus

def read(d, table, addr, count):
    return d.rpc("registers.read", device="plc1", table=table, addr=addr,
                 count=count)["values"]


def test_both_sides_see_each_other():
    "what either side writes, the other one reads, at once and in all tables"
    with Daemon(conf()) as d, Pymodbus(d.port("tcp1")) as m:
        for i in range(200):
            m.write_registers(700, [i] * 100)
            assert read(d, "hr", 700, 100) == [i] * 100
            d.rpc("registers.write", device="plc1", table="hr", addr=800,
                  values=[i + 1] * 100)
            assert m.read_holding_registers(800, 100).registers == [
                i + 1] * 100
        for table, reader in (("ir", m.read_input_registers),):
            d.rpc("registers.write", device="plc1", table=table, addr=0,
                  values=[31, 32])
            assert reader(0, 3).registers == [31, 32, 7]
        for table, reader in (("co", m.read_coils),
                              ("di", m.read_discrete_inputs)):
            d.rpc("registers.write", device="plc1", table=table, addr=8,
                  values=[1, 0, 1, 1])
            assert reader(8, 4).bits[:4] == [True, False, True, True]


class Operator(threading.Thread):
    """A ZeroMQ client that writes blocks of one value and watches that the
    blocks of the other side are whole and never go back."""

    def __init__(self, d):
        super().__init__()
        self.rpc = d.connect()
        self.over = threading.Event()
        self.written = self.seen = 0
        self.why = None

    def run(self):
        try:
            while not self.over.is_set():
                self.written += 1
                self.rpc.call("registers.write", {
                    "device": "plc1", "table": "hr", "addr": 800,
                    "values": [self.written & 0xffff] * 50})
                got = self.rpc.call("registers.read", {
                    "device": "plc1", "table": "hr", "addr": 850,
                    "count": 50})[0]["values"]
                assert len(set(got)) == 1, "torn: %r" % got
                assert got[0] >= self.seen, (got[0], self.seen)
                self.seen = got[0]
        except Exception as e:
            self.why = e
        finally:
            self.rpc.close()


def test_all_clients_at_once():
    "all of them at once, on the same registers as a ZeroMQ client"
    with Daemon(conf()) as d, Pymodbus(d.port("tcp1")) as m:
        operator = Operator(d)
        operator.start()
        other = subprocess.Popen(
            [os.path.join(BUILD, "tests", "clients", "lm"),
             str(d.port("tcp1"))], stdout=subprocess.DEVNULL)
        last = seen = 0
        try:
            while last < 500 or other.poll() is None:
                last += 1
                assert not m.write_registers(
                    850, [last & 0xffff] * 50).isError()
                got = m.read_holding_registers(800, 50).registers
                assert len(set(got)) == 1, "torn: %r" % got
                assert got[0] >= seen, (got[0], seen)
                seen = got[0]
        finally:
            operator.over.set()
            operator.join()
            other.wait()
        assert operator.why is None, operator.why
        assert other.returncode == 0, "libmodbus failed beside the others"
        assert operator.written > 10, operator.written
        assert read(d, "hr", 850, 50) == [last & 0xffff] * 50
        assert m.read_holding_registers(800, 50).registers == [
            operator.written & 0xffff] * 50


if __name__ == "__main__":
    sysutil.run()
