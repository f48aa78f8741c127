#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serial lines with real masters on them: mbpoll, libmodbus and pymodbus over
a pair of ptys, and a master of our own for what these cannot show: counters,
listen-only, echoes, pauses, an adapter that goes and comes back, and workers
that are killed.

    sys_serial.py [WORD...] [--kills=N]
"""
import fcntl
import os
import pwd
import select
import shutil
import struct
import subprocess
import sys
import termios
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import peers  # noqa: E402
import sys_clients  # noqa: E402
import sysutil  # noqa: E402
from peers import Cable, Late, Line, Master, fc3, fc6, fc8, fc16  # noqa: E402
from sysutil import BUILD, PATIENCE, Daemon, Modbus, Skip, wait_for  # noqa: E402

READ_1 = fc3(0)
KILLS = next((int(a[8:]) for a in sys.argv[1:] if a.startswith("--kills=")),
             16)
AT_ONCE = {"min_backoff_ms": 1, "max_backoff_ms": 1, "max_in_window": 0}
# sub-functions of FC 8, by what they count
COUNTERS = {"bus": 11, "errors": 12, "exceptions": 13, "mine": 14,
            "unanswered": 15, "nak": 16, "busy": 17, "overruns": 18}


def conf(port, **line):
    """What tests/clients/ count on, at the end of a line; and a TCP listener
    beside it."""
    found = sys_clients.conf()
    found["transports"]["line1"] = {
        "type": "serial", "port": port,
        "units": {"1": "plc1", "2": "plc2"}, **line}
    return found


class Plant:
    """A daemon on a line, and a master on the other end of it."""

    def __init__(self, framer="rtu", **line):
        self.framer, self.more = framer, line

    def __enter__(self):
        self.line = Line()
        try:
            self.daemon = Daemon(conf(self.line.path, framer=self.framer,
                                      **self.more))
        except BaseException:
            self.line.close()
            raise
        self.master = Master(self.line, self.framer)
        return self.daemon, self.line, self.master

    def __exit__(self, *why):
        try:
            self.daemon.__exit__(*why)
        finally:
            self.line.close()


# masters that other people wrote

def mbpoll(device, *args, values=()):
    """As in sys_clients.py, in RTU: (exit status, what was read, all that
    was said)"""
    if not shutil.which("mbpoll"):
        raise Skip("mbpoll is not installed")
    done = subprocess.run(
        ["mbpoll", "-m", "rtu", "-0", "-1", "-o", "2", *map(str, args),
         device, *(["--"] if values else []), *map(str, values)],
        capture_output=True, text=True, timeout=300)
    return (done.returncode, sys_clients.readings(done.stdout),
            done.stdout + done.stderr)


def mbpoll_reads(device, *args):
    status, got, said = mbpoll(device, *args)
    assert status == 0 and got, said
    return list(got.values())


MODES = [(9600, "E", 1, "even"), (19200, "N", 2, "none"),
         (115200, "O", 1, "odd")]


def test_mbpoll():
    "mbpoll on a line: all tables, both units, refusals, at three speeds"
    for baud, parity, stop, word in MODES:
        with Cable() as cable, Daemon(conf(
                cable.server, baudrate=baud, parity=parity,
                stopbits=stop)) as d:
            def reads(*args):
                return mbpoll_reads(cable.client, "-b", baud, "-P", word,
                                    "-s", stop, *args)

            def writes(*args, values):
                status, _, said = mbpoll(
                    cable.client, "-b", baud, "-P", word, "-s", stop, *args,
                    values=values)
                assert status == 0, said
            assert reads("-t", 0, "-r", 0, "-c", 5) == ["0"] * 5
            assert reads("-t", 1, "-r", 0, "-c", 4) == list("1010")
            assert reads("-t", 4, "-r", 1000, "-c", 2)[0] == "48879"
            assert reads("-t", 3, "-r", 0, "-c", 8) == ["7"] * 8
            writes("-t", 4, "-r", 10, values=[1, 2, 65535])
            writes("-a", 2, "-t", 4, "-r", 10, values=[4711])
            assert reads("-t", "4:hex", "-r", 10, "-c", 3) == [
                "0x0001", "0x0002", "0xFFFF"]
            assert sys_clients.read(d, "hr", 10, 3) == [1, 2, 65535]
            _, _, said = mbpoll(cable.client, "-b", baud, "-P", word, "-t", 4,
                                "-r", 5000)
            assert "Illegal data address" in said, said
            _, _, said = mbpoll(cable.client, "-b", baud, "-P", word, "-o",
                                "0.2", "-a", 9, "-t", 4, "-r", 0)
            assert "timed out" in said, said
            assert reads("-a", 2, "-t", 4, "-r", 10) == ["4711"]


def test_mbpoll_reports_the_slave():
    "mbpoll -u is told who we are and that we run"
    with Cable() as cable, Daemon(conf(cable.server)):
        status, _, said = mbpoll(cable.client, "-b", 19200, "-u")
        assert status == 0 and "Status: On" in said.replace(" :", ":"), said


def test_libmodbus():
    "libmodbus on a line: every function, broadcast, and who is not there"
    for baud, parity, stop, _ in MODES:
        with Cable() as cable, Daemon(conf(
                cable.server, baudrate=baud, parity=parity, stopbits=stop,
                broadcast=True)):
            sys_clients.run_client(
                [os.path.join(BUILD, "tests", "clients", "lm"),
                 cable.client, str(baud), parity, str(stop)])


def pymodbus_on(cable, framer, **mode):
    from pymodbus.client import ModbusSerialClient
    from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer
    return ModbusSerialClient(
        cable.client, timeout=5 * PATIENCE, retries=0, strict=False, framer=(
            ModbusRtuFramer if framer == "rtu" else ModbusAsciiFramer),
        **mode)


def pymodbus_asks(d, client):
    values = [0x3a0d, 0x0a3a, 0xffff, 0]
    for unit in (1, 2):
        assert not client.write_registers(20, values, slave=unit).isError()
        got = client.read_holding_registers(20, 4, slave=unit)
        assert got.registers == values, got
    assert not client.write_coils(3, [1, 0, 1, 1], slave=1).isError()
    assert client.read_coils(3, 4, slave=1).bits[:4] == [1, 0, 1, 1]
    assert client.read_discrete_inputs(0, 3, slave=1).bits[:3] == [1, 0, 1]
    assert client.read_input_registers(0, 8, slave=1).registers == [7] * 8
    assert client.read_holding_registers(5000, 1, slave=1).exception_code == 2
    long = client.read_holding_registers(0, 125, slave=1)
    assert long.registers[20:24] == values, long
    assert sys_clients.read(d, "hr", 20, 4) == values


def pymodbus(framer, modes):
    for baud, parity, stop, size in modes:
        mode = {"baudrate": baud, "parity": parity, "stopbits": stop,
                "bytesize": size}
        with Cable() as cable, Daemon(conf(
                cable.server, framer=framer, **mode)) as d:
            client = pymodbus_on(cable, framer, **mode)
            assert client.connect()
            try:
                pymodbus_asks(d, client)
            finally:
                client.close()


def test_pymodbus_rtu():
    "pymodbus's serial client, RTU, at three speeds and parities"
    pymodbus("rtu", [(9600, "E", 1, 8), (19200, "N", 2, 8),
                     (115200, "O", 1, 8)])


def test_pymodbus_ascii():
    "pymodbus's serial client, ASCII, seven bits and eight"
    pymodbus("ascii", [(9600, "E", 1, 7), (19200, "N", 2, 7),
                       (115200, "N", 1, 8)])


# the standard, with a master of our own

def counters(m, unit=1):
    """What FC 8 counts, all of it; asking is counted too."""
    found = {}
    for name, sub in COUNTERS.items():
        got = m.ask(unit, fc8(sub))
        assert got[:3] == fc8(sub)[:3], got.hex()
        found[name] = int.from_bytes(got[3:], "big")
    return found


def test_counters():
    "FC 8 counts what SL-09 says, after traffic of every kind that is known"
    bad = peers.Rtu.encode(1, READ_1)[:-1] + b"\0"
    with Plant(broadcast=True) as (_, line, m):
        assert m.ask(1, fc8(10)) == fc8(10)  # all clear
        m.read_hr(1, 0)
        m.write_hr(1, 5, [1, 2])
        assert m.ask(1, fc3(5000)) == b"\x83\x02"
        assert m.ask(1, b"\x63") == b"\xe3\x01"
        m.read_hr(2, 0)
        for quiet in (
                peers.Rtu.encode(0, fc6(7, 1)),  # a broadcast
                peers.Rtu.encode(0, fc6(5000, 1)),  # of what we have not
                peers.Rtu.encode(9, READ_1),  # for another station,
                peers.Rtu.encode(9, b"\x03\x02\x12\x34"),  # which answers
                bad, bad[:3]):
            line.send(quiet)
            line.pause()
        # those that ask are messages themselves, one more at each
        assert counters(m) == {
            "bus": 5 + 4 + 1, "errors": 2 + 0, "exceptions": 2 + 1,
            "mine": 4 + 2 + 4, "unanswered": 2, "nak": 0, "busy": 0,
            "overruns": 0}
        assert m.ask(1, fc8(1)) == fc8(1)
        assert m.ask(1, fc8(12)) == fc8(12)  # a restart clears them


def test_listen_only():
    "in listen-only mode nothing is carried out or answered, but its end is"
    with Plant() as (d, line, m):
        m.mute(1, fc8(4), 2)
        m.mute(1, READ_1, 2)
        m.mute(1, fc6(3, 99), 2)
        m.mute(1, fc8(0, 1), 2)
        assert sys_clients.read(d, "hr", 3, 1) == [0]
        with Modbus(d.port("tcp1")) as other:  # another transport, listening
            assert other.read_hr(3, 1) == [0]  # is not
        m.mute(1, fc8(1), 2)
        m.write_hr(1, 3, [99])
        assert sys_clients.read(d, "hr", 3, 1) == [99]


def test_delimiter():
    "FC 8/3 changes the end of ASCII frames, both ways, from then on"
    class Bang(peers.Ascii):
        end = b"!"
    with Plant("ascii") as (_, line, m):
        m.write_hr(1, 0, [7])
        got = m.ask(1, fc8(3, ord("!") << 8))
        assert got == fc8(3, ord("!") << 8), got.hex()
        line.pause()
        m.framer = Bang
        assert m.read_hr(1, 0) == [7]
        line.send(peers.Ascii.encode(1, READ_1))  # LF ends nothing now
        line.pause()
        assert m.read_hr(1, 0) == [7]
        assert m.ask(1, fc8(3, 0x0a00))[:3] == b"\x08\0\x03"


def test_units():
    """units are apart, others are silent, broadcasts are carried out by all
    and answered by none"""
    for framer in ("rtu", "ascii"):
        with Plant(framer, broadcast=True) as (_, _line, m):
            m.write_hr(1, 5, [11])
            m.write_hr(2, 5, [22])
            assert (m.read_hr(1, 5), m.read_hr(2, 5)) == ([11], [22])
            for unit in (3, 16, 247, 248, 255):
                m.mute(unit, READ_1, 1)
            m.mute(0, fc16(5, [33, 44]), 1)
            m.mute(0, READ_1, 2)
            assert (m.read_hr(1, 5, 2), m.read_hr(2, 5, 2)) == (
                [33, 44], [33, 44])


def late_by(m, least, most):
    """A reply is never there sooner, and not later unless this machine is."""
    found = []
    while len(found) < 3 or (len(found) < 30 and min(found) >= most):
        began = time.monotonic()
        m.read_hr(1, 0)
        found.append((time.monotonic() - began) * 1e3)
        assert least <= found[-1], found
    assert min(found) < most, found


def test_turnaround():
    "turnaround_ms: no reply comes sooner"
    with Plant(turnaround_ms=80) as (_, _line, m):
        late_by(m, 80, 180)


def test_silence_before_a_reply():
    "a reply waits until the line has been silent for t3.5"
    with Plant(baudrate=600) as (_, _line, m):
        served(m)
        late_by(m, 3.5 * 11 / 0.6, 200)


class Echo:
    """A line that gives back what is written to it, as two wires do."""

    def __init__(self, line, piece=0):
        self.line, self.piece = line, piece
        self.pause, self.send = line.pause, line.send

    def recv(self, timeout):
        data = self.line.recv(timeout)
        if data and self.piece:
            for at in range(0, len(data), self.piece):
                self.line.send(data[at:at + self.piece])
        elif data:
            self.line.send(data)
        return data


def test_local_echo():
    """local_echo: what we send comes back, whole, in pieces or not at all,
    and is never taken for a request"""
    for framer in ("rtu", "ascii"):
        with Plant(framer, local_echo=True, broadcast=True) as (d, line, m):
            for piece in (0, 1, 3):
                m.channel = Echo(line, piece)
                for i in range(10):
                    # the echo of a good reply to FC 6 is the request itself
                    assert m.ask(1, fc6(i, 5)) == fc6(i, 5)
                    line.pause()
                m.mute(9, READ_1, 1)
                line.pause()
            m.channel = line
            for i in range(10):
                m.write_hr(1, i, [i])
            m.mute(9, READ_1, 1)
            requests = d.rpc("stats.get")["transports"]["line1"]
            got = requests["requests"]["6"]
            assert got == 30, requests


def test_pause_within_a_frame():
    "t15: a pause of more than 1.5 characters matters only where it should"
    for t15, answered in (("off", True), ("count", True), ("strict", False)):
        # at 100 baud t1.5 is 165 ms and t3.5 385 ms: silences are what is
        # tested, and so long that a busy machine seldom blurs them; then they
        # are tried longer. Nor is anything asked again, into the reply to what
        # was asked before
        for times in (1, *8 * (2,)):  # 50 baud are the least
            with Plant(baudrate=100 // times, t15=t15) as (_, line, m), \
                    bt.Jitter() as jitter:
                right = paused(line, m, times, t15, answered)
            if right or jitter.ms(1) < 30 * times:
                break
        assert right, (t15, jitter.ms(1))


def paused(line, m, times, t15, answered):
    """Whether a frame with a pause in it is met as it should be."""
    whole = peers.Rtu.encode(1, READ_1)
    assert m.ask(1, fc8(0, 1)) == fc8(0, 1)
    time.sleep(0.5 * times)
    line.send(whole[:4])
    time.sleep(0.27 * times)
    line.send(whole[4:])
    try:
        if answered:
            assert m.receive(5 * times)[2] == b"\x03\x02\0\0"
        else:
            time.sleep(0.5 * times)
            assert m.ask(1, fc8(0, 1), 5 * times) == fc8(0, 1)
        assert m.got == b""
        errors = m.ask(1, fc8(12), 5 * times)
        assert errors == fc8(12, 0 if t15 == "off" else 1), errors.hex()
        return True
    except (AssertionError, Late) as why:
        print("    times %d: %r" % (times, why))
        return False


def test_speed():
    "any baud rate is set, usual or not"
    tcgets2, size = 0x802c542a, 44
    with Line() as line:
        for baud in (1200, 19200, 31250, 250000):
            with Daemon(conf(line.path, baudrate=baud, stopbits=2)):
                raw = fcntl.ioctl(line.slave, tcgets2, bytes(size))
                assert struct.unpack("II", raw[36:44]) == (baud, baud)
                flags = line.settings()[2]
                assert flags & termios.CSTOPB, oct(flags)


def test_socket():
    """socket:// as the port: the transport listens there, for as many as
    come, and serves as on a line"""
    with Daemon(conf("socket://127.0.0.1:0", broadcast=True)) as d:
        masters = [Master(peers.Stream.tcp(d.port("line1")), "rtu")
                   for _ in range(5)]
        for i, m in enumerate(masters):
            m.write_hr(1, i, [i])
            m.mute(9, READ_1, 1)
            m.mute(0, fc6(50 + i, i), 2)
        for m in masters:
            assert m.read_hr(1, 0, 5) == [0, 1, 2, 3, 4]
            assert m.read_hr(2, 50, 5) == [0, 1, 2, 3, 4]
            m.close()


# lines that go and come

def state(d, name="line1"):
    return next(t for t in d.rpc("transports.list") if t["name"] == name)


def served(m, timeout=100.0):
    """Asks until it is answered; how many seconds that took."""
    began = time.monotonic()
    while True:
        try:
            m.got = b""
            m.ask(1, fc8(0, 0x1234), 0.2)
            return time.monotonic() - began
        except (Late, OSError):
            assert time.monotonic() < began + timeout, "never served again"


class Events:
    """A subscriber to everything that is said of transports."""

    def __init__(self, d):
        import zmq
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.subscribe("")
        self.socket.connect(d.events_endpoint)
        self.seen = []
        n = 0
        while not self.socket.poll(20):  # until the subscription holds
            n += 1
            assert n < 500, "no events"
            d.rpc("registers.write", device="plc1", table="hr", addr=999,
                  values=[n])

    def wait(self, *words, timeout=100.0):
        """Waits for an event that has all these words in it."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            assert left > 0, (words, self.seen)
            if not self.socket.poll(int(left * 1000) + 1):
                continue
            topic, text, _ = self.socket.recv_multipart()
            self.seen.append((topic.decode(), text.decode()))
            if all(w in topic.decode() + " " + text.decode() for w in words):
                return self.seen[-1]

    def close(self):
        self.socket.close()


class Beside(bt.Busy):
    """A client of the TCP listener, all the while: no error, no delay."""

    def __init__(self, d):
        super().__init__(d.port("tcp1"), conns=1, fc=3, addr=100, count=10,
                         rate=200, reconnect=False, verify=True)
        self.jitter = bt.Jitter()

    def __enter__(self):
        self.jitter.__enter__()
        return super().__enter__()

    def __exit__(self, kind, *why):
        super().__exit__(kind, *why)
        self.jitter.__exit__()
        if kind is None:
            got = self.result
            assert got["errors"] == 0 and got["reopened"] == 0, got
            assert got["requests"] > 100, got
            own = self.jitter.ms(1)
            print("    beside it: longest %.1f ms; this machine's own "
                  "lateness %.1f ms" % (got["max"] / 1e3, own))
            assert got["max"] / 1e3 < 250 * PATIENCE + 2 * own, got


def idle_for(d, seconds):
    """A worker without its device does not work hard at getting it back."""
    pid = d.worker_pid("line1")
    used = bt.cpu_ns(pid)
    time.sleep(seconds)  # what is measured is this time
    assert d.worker_pid("line1") == pid, "the worker has died"
    share = (bt.cpu_ns(pid) - used) / 1e9 / seconds
    print("    processor while it was gone: %.2f %%" % (100 * share))
    assert share < 0.05 * bt.pace(), share


def test_lost_adapter():
    """an adapter that is pulled out and put in again: said in events, no busy
    loop, nothing seen on other transports, and then it serves again"""
    with Plant() as (d, line, m), Beside(d):
        events = Events(d)
        m.write_hr(1, 0, [4711])
        for turn in range(3):
            # pulled out within a request, which must not be found later
            line.send(peers.Rtu.encode(1, fc6(0, 1))[:4 + turn])
            line.lose()
            events.wait("transports.line1", "line lost")
            events.wait("connections.line1", "close")
            assert state(d)["line"] == "lost", state(d)
            shown = d.cli("status")
            assert shown.returncode == 0 and "lost" in shown.stdout, shown
            idle_for(d, 0.4)
            line.lay()
            events.wait("transports.line1", "line found")
            events.wait("connections.line1", "open")
            print("    served again after %.0f ms" % (1e3 * served(m)))
            assert m.read_hr(1, 0) == [4711]
            assert state(d)["state"] == "up", state(d)
            assert state(d)["line"] == "up", state(d)
        assert state(d)["restarts"] == 0
        assert [t["line"] for t in d.rpc("transports.list")
                if t["name"] == "tcp1"] == [None]
        events.close()


def test_lost_cable():
    "both ends of a pair of devices go and come: a new master is served"
    with Cable() as cable, Daemon(conf(cable.server)) as d:
        for turn in range(2):
            m = Master(peers.Device(cable.client), "rtu")
            print("    served after %.0f ms" % (1e3 * served(m)))
            m.write_hr(1, 0, [turn])
            m.close()
            cable.cut()
            idle_for(d, 0.3)
            cable.join()
        m = Master(peers.Device(cable.client), "rtu")
        served(m)
        m.close()
        assert mbpoll_reads(cable.client, "-t", 4, "-r", 0) == ["1"]


def test_absent_at_the_start():
    "a port that is not there yet keeps nobody waiting, and is served later"
    with Line() as line:
        line.lose()
        with Daemon(conf(line.path)) as d:
            assert line.path in d.stderr_text(), "nothing was said of it"
            with Modbus(d.port("tcp1")) as other:
                assert other.read_hr(0, 1) == [0]
            idle_for(d, 0.3)
            line.lay()
            served(Master(line, "rtu"))


def test_taken_by_another_program():
    "a port that another program has is left alone, with a word why"
    with Line() as line:
        fcntl.flock(line.slave, fcntl.LOCK_EX)
        with Daemon(conf(line.path)) as d:
            d.wait_stderr("another program")
            said = [t for t in d.stderr_text().splitlines()
                    if "another program" in t]
            assert all(line.path in t and "line1" in t for t in said), said
            m = Master(line, "rtu")
            m.send(1, READ_1)
            line.pause()
            idle_for(d, 0.3)
            assert line.recv(0) is None, "it answers on somebody's line"
            fcntl.flock(line.slave, fcntl.LOCK_UN)
            served(m)


def test_opened_for_one_alone():
    "a port that somebody has opened exclusively is said to be in use"
    if os.geteuid() != 0:
        raise Skip("needs another user to be")
    nobody = pwd.getpwnam("nobody")
    with Line() as line:
        os.chmod(line.dir, 0o755)
        os.chown(line.slave_path, nobody.pw_uid, -1)
        fcntl.ioctl(line.slave, termios.TIOCEXCL)
        with Daemon(conf(line.path, user="nobody")) as d:
            d.wait_stderr("another program")
            fcntl.ioctl(line.slave, termios.TIOCNXCL)
            served(Master(line, "rtu"))


def test_no_terminal():
    "a port that is no terminal is said to be none"
    with Daemon(conf("/dev/null")) as d:
        d.wait_stderr("/dev/null")
        with Modbus(d.port("tcp1")) as other:
            assert other.read_hr(0, 1) == [0]


def test_direction():
    """rs485: what cannot be turned is used as it is, but not if the driver
    was to do it"""
    with Line() as line:
        for mode in ("auto", "rts"):
            with Daemon(conf(line.path, rs485={"mode": mode})) as d:
                served(Master(line, "rtu"))
                assert "no RTS" in d.stderr_text()
        with Daemon(conf(line.path, rs485={"mode": "ioctl"})) as d:
            d.wait_stderr("does not turn the line")
            with Modbus(d.port("tcp1")) as other:
                assert other.read_hr(0, 1) == [0]


def test_restart():
    "a restart, and the end of the worker, lose no more than a request"
    with Plant() as (d, _, m):
        m.write_hr(1, 0, [7])
        d.cli("restart", "line1")
        served(m)
        os.kill(d.worker_pid("line1"), 9)
        print("    served after a kill in %.0f ms" % (1e3 * served(m)))
        assert m.read_hr(1, 0) == [7]


def open_of(pid, path):
    """Which descriptors of a process are that terminal."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            if os.readlink("/proc/%d/fd/%s" % (pid, fd)) == path:
                found.append(int(fd))
        except FileNotFoundError:
            pass
    return found


def test_kept_over_a_death():
    """the device stays open when its worker is killed, wherever that is, and
    the next one goes on with it; nothing of before is answered any more, and
    what is asked again is carried out"""
    with Plant(restart=AT_ONCE) as (d, line, m):
        m.write_hr(1, 0, [0])
        was = open_of(d.worker_pid("line1"), line.slave_path)
        assert len(was) == 1, was
        os.close(line.slave)  # now nobody else has it open
        line.slave = os.open("/dev/null", os.O_RDONLY)
        for n in range(1, KILLS + 1):
            pid = d.worker_pid("line1")
            ask = peers.Rtu.encode(1, fc6(0, n))
            # before, within, and right behind a request
            line.send(ask[:n % (len(ask) + 1)])
            os.kill(pid, 9)
            wait_for(lambda: d.worker_pid("line1") not in (None, pid), 10,
                     "a successor")
            served(m)
            m.write_hr(1, 0, [n])
            assert m.read_hr(1, 0) == [n]
            assert open_of(d.worker_pid("line1"), line.slave_path) == was
            hung_up = select.poll()  # as it is while nobody has it open
            hung_up.register(line.fd, 0)
            assert hung_up.poll(0) == []
        said = d.stderr_text()
        assert said.count("line taken over from the last worker") == KILLS
        assert "line lost" not in said and state(d)["line"] == "up"


def test_no_reply_of_before():
    "a reply that its worker did not finish is never finished by the next"
    with Plant(turnaround_ms=2000, restart=AT_ONCE) as (d, line, m):
        for _ in range(2):
            pid = d.worker_pid("line1")
            line.send(peers.Rtu.encode(1, fc6(7, 7)))
            wait_for(lambda: sys_clients.read(d, "hr", 7, 1) == [7], 5,
                     "the write, whose reply waits")
            d.rpc("registers.write", device="plc1", table="hr", addr=7,
                  values=[0])
            os.kill(pid, 9)
            wait_for(lambda: d.worker_pid("line1") not in (None, pid), 10,
                     "a successor")
            assert line.recv(2.5) is None, "an old reply"
            assert m.read_hr(1, 7) == [0]


if __name__ == "__main__":
    sysutil.run()
