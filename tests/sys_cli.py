#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line: each command, each form of output, each exit code."""

import csv
import io
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import zmq

import sysutil
from sysutil import BUILD, Daemon, Modbus, wait_for

HOLDFAST = os.path.join(BUILD, "holdfast")
CONF = {
    "devices": {"plc1": {
        "coils": [{"addr": 0, "count": 64}],
        "discrete_inputs": [{"addr": 0, "count": 8, "values": [1, 0, 1]}],
        "holding_registers": [
            {"addr": 0, "count": 100},
            {"addr": 1100, "type": "float32", "order": "cdab",
             "value": 404.17},
            {"addr": 1200, "count": 8, "type": "string"},
            {"addr": 1300, "type": "int16", "name": "temp", "unit": "C",
             "scale": 0.1, "value": -5},
            {"addr": 1310, "count": 2, "type": "bits", "value": 7}]}},
    "transports": {
        "tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                 "units": {"1": "plc1"}},
        "tcp2": {"type": "tcp", "listen": "127.0.0.1:0",
                 "units": {"1": "plc1"}, "autostart": False}},
}
TWO = dict(CONF, devices=dict(CONF["devices"], plc2={
    "coils": [{"addr": 0, "count": 8}]}))


def run(*args, env=None, timeout=200, stdin=None):
    full = dict(os.environ, HOLDFAST_RUN_DIR="/nonexistent", **(env or {}))
    full.pop("HOLDFAST_CONTROL", None) if not env else None
    return subprocess.run([HOLDFAST, *args], capture_output=True, text=True,
                          env=full, timeout=timeout, stdin=stdin)


def on_terminal(d, *args, env=None):
    """What holdfast writes to a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [HOLDFAST, *args], stdout=slave, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, env=dict(d.env, TERM="xterm", **(env or {})))
    os.close(slave)
    text = b""
    while True:
        try:
            more = os.read(master, 4096)
        except OSError:
            break
        if not more:
            break
        text += more
    os.close(master)
    process.stderr.close()
    assert process.wait(100) == 0
    return text.decode().replace("\r\n", "\n")


class Watching:
    """holdfast watch in the background; lines as they come."""

    def __init__(self, d, *args):
        self.process = subprocess.Popen(
            [HOLDFAST, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=d.env)
        self.text = b""

    def line(self, timeout=50.0):
        end = time.monotonic() + timeout
        while b"\n" not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select(
                    [self.process.stdout], [], [], left)[0]:
                return None
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                return None
            self.text += more
        one, self.text = self.text.split(b"\n", 1)
        return one.decode()

    def ready(self, d, addr):
        """Waits until changes come through; forgets them."""
        for n in range(1, 500):
            d.rpc("registers.write", device="plc1", table="hr", addr=addr,
                  values=[n])
            if self.line(0.02):
                break
        else:
            raise AssertionError("watch never came to life")
        while self.line(0.2):
            pass
        return self

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=100)
        return self.process.returncode, err.decode()


def test_ping_answers_0_and_nothing_on_a_pipe():
    with Daemon(CONF) as d:
        done = d.cli("ping")
        assert (done.stdout, done.stderr) == ("", "")
        assert json.loads(d.cli("-o", "json", "ping").stdout) == {}
        assert "answered in" in on_terminal(d, "ping")


def test_get_prints_addresses_and_values():
    with Daemon(CONF) as d:
        d.cli("set", "hr:3", "30", "40")
        assert d.cli("get", "hr:3+2").stdout == "hr:3\t30\nhr:4\t40\n"
        assert d.cli("get", "plc1/hr:3", "di:0+3").stdout == (
            "plc1/hr:3\t30\ndi:0\t1\ndi:1\t0\ndi:2\t1\n")
        assert d.cli("-o", "raw", "get", "hr:3+2").stdout == "30\n40\n"
        assert d.cli("get", "hr:1100:float32").stdout == "hr:1100\t404.17\n"
        assert d.cli("get", "hr:1100:declared").stdout == "hr:1100\t404.17\n"
        assert d.cli("get", "hr:3:bits").stdout == "hr:3\t0\n"
        table = d.cli("-o", "table", "get", "hr:3+2").stdout
        assert table == "ADDRESS  VALUE\nhr:3     30\nhr:4     40\n", table
        rows = list(csv.reader(io.StringIO(
            d.cli("get", "hr:3+2", "-o", "csv").stdout)))
        assert rows == [["ADDRESS", "VALUE"], ["hr:3", "30"], ["hr:4", "40"]]


def test_json_is_the_exact_result():
    with Daemon(CONF) as d:
        text = d.cli("-o", "json", "get", "hr:1100:float32").stdout
        assert re.fullmatch(r'\{"values":\[404\.17\],"seq":0\}\n', text), text
        assert json.loads(d.cli("-o", "json", "status").stdout)[0][
            "name"] == "tcp1"
        assert json.loads(d.cli("-o", "json", "stats").stdout) .keys() == \
            d.rpc("stats.get").keys()
        for args, method in ((("clients",), "connections.list"),
                             (("call", "devices.list"), "devices.list")):
            assert json.loads(d.cli("-o", "json", *args).stdout) == \
                d.rpc(method)


def test_set_writes_every_type():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        d.cli("set", "hr:0", "1", "0xff", "65535")
        assert m.read_hr(0, 3) == [1, 255, 65535]
        d.cli("set", "hr:0:int16", "-5")
        assert m.read_hr(0) == [65531]
        d.cli("set", "co:0", "on", "off", "true", "0")
        assert m.read_co(0, 4) == [1, 0, 1, 0]
        d.cli("set", "hr:1100:float32", "1.5")
        assert m.read_hr(1100, 2) == [0, 0x3fc0]
        d.cli("set", "hr:1100:float32:abcd", "-.5")
        assert m.read_hr(1100, 2) == [0xbf00, 0]
        d.cli("set", "hr:0:uint64", "18446744073709551615")
        assert m.read_hr(0, 4) == [65535] * 4
        d.cli("set", "hr:1200:string", "hello")
        assert d.cli("get", "hr:1200+8:string").stdout == "hr:1200\thello\n"
        d.cli("set", "hr:1200:declared", "7")
        assert d.cli("get", "hr:1200+8:string").stdout == "hr:1200\t7\n"
        assert json.loads(d.cli("-o", "json", "set", "hr:0", "1").stdout)[
            "seq"] > 0


def test_where_a_declared_range_begins_its_value_is_meant():
    with Daemon(CONF) as d:
        d.cli("set", "hr:1200", "pump one")
        for address, value in (("hr:1100", "404.17"), ("plc1/hr:1100",
                               "404.17"), ("hr:1200", "pump one"),
                               ("hr:1300", "-5")):
            assert d.cli("get", address).stdout == f"{address}\t{value}\n"
        # the registers themselves
        for address, value in (("hr:1100:uint16", 5571), ("hr:1101", 17354),
                               ("hr:1300:uint16", 65531), ("hr:1310", 7)):
            assert d.cli("get", address).stdout.split("\t")[1] == \
                f"{value}\n", address
        assert d.cli("get", "hr:1100+1").stdout == "hr:1100\t5571\n"
        assert d.cli("-o", "raw", "get", "hr:1100", "hr:1300").stdout == \
            "404.17\n-5\n"
        # set writes what get reads
        d.cli("set", "hr:1100", "-2.5")
        d.cli("set", "hr:1300", "-7")
        d.cli("set", "hr:1200", "on")
        assert d.rpc("registers.read", table="hr", addr=1100,
                     type="declared")["values"] == [-2.5]
        assert d.cli("get", "-o", "raw", "hr:1300", "hr:1200").stdout == \
            "-7\non\n"
        d.cli("set", "hr:1100:uint16", "16672")
        assert d.rpc("registers.read", table="hr", addr=1100)[
            "values"] == [16672]
        done = d.cli("set", "hr:1300", "-40000", ok=False)
        assert done.returncode == 1 and "int16" in done.stderr, done
        assert json.loads(d.cli("-o", "json", "get", "hr:1300").stdout)[
            "values"] == [-7]


def test_a_table_shows_name_and_unit_where_they_are_declared():
    with Daemon(CONF) as d:
        table = on_terminal(d, "get", "hr:1300", "hr:0")
        assert table == ("ADDRESS  VALUE  NAME  UNIT\n"
                         "hr:1300  -5     temp  0.1 C\n"
                         "hr:0     0            \n"), table
        assert on_terminal(d, "get", "hr:0").startswith("ADDRESS  VALUE\n")
        assert d.cli("-o", "csv", "get", "hr:1300").stdout == \
            "ADDRESS,VALUE\nhr:1300,-5\n"
        # to programs only when they ask for it, and then always
        both = ("--labels", "hr:1300", "hr:0")
        assert d.cli("-o", "csv", "get", *both).stdout == \
            "ADDRESS,VALUE,NAME,UNIT\nhr:1300,-5,temp,0.1 C\nhr:0,0,,\n"
        assert d.cli("get", "-S", *both).stdout == \
            "hr:1300\t-0.5\ttemp\tC\nhr:0\t0\t\t\n"
        assert d.cli("get", "--labels", "temp").stdout.endswith(
            "\t-5\ttemp\t0.1 C\n")
        assert d.cli("-o", "raw", "get", *both).stdout == "-5\n0\n"
        assert on_terminal(d, "get", "--labels", "hr:0").startswith(
            "ADDRESS  VALUE  NAME  UNIT\n")
        done = d.cli("-o", "json", "get", *both, ok=False)
        assert done.returncode == 64 and "--labels goes with" in done.stderr


def test_status_shows_transports():
    with Daemon(CONF) as d:
        rows = [line.split("\t") for line in
                d.cli("status").stdout.splitlines()]
        assert [r[0] for r in rows] == ["tcp1", "tcp2"]
        assert rows[0][3] == "up" and rows[1][3] == "stopped"
        assert rows[0][2] == f"127.0.0.1:{d.port('tcp1')}"
        text = d.cli("-o", "table", "status").stdout
        assert d.store in text and "LAST EXIT" in text


def test_colour_only_on_a_terminal_and_not_with_no_color():
    with Daemon(CONF) as d:
        assert "\033[" in on_terminal(d, "status")
        assert "\033[" not in on_terminal(d, "status", env={"NO_COLOR": "1"})
        assert "\033[" not in d.cli("-o", "table", "status").stdout


def test_start_stop_restart():
    with Daemon(CONF) as d:
        assert d.cli("start", "tcp2").stdout == "tcp2\tup\n"
        pid = d.worker_pid("tcp2")
        assert d.cli("restart", "tcp1", "tcp2").stdout == \
            "tcp1\tup\ntcp2\tup\n"
        assert d.worker_pid("tcp2") != pid
        assert d.cli("-o", "raw", "stop", "tcp2").stdout == "stopped\n"
        assert json.loads(d.cli("-o", "json", "stop", "tcp2").stdout) == {
            "name": "tcp2", "state": "stopped"}
        done = d.cli("start", "tcp9", ok=False)
        assert done.returncode == 1
        assert 'no transport "tcp9"; did you mean' in done.stderr


def test_clients_and_kick():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(0)
        row = d.cli("clients", "tcp1").stdout.rstrip("\n").split("\t")
        assert row[2] == "%s:%d" % m.socket.getsockname() and row[4] == "1"
        assert row[5] == "3" and row[6] == "-"
        assert d.cli("-o", "raw", "clients").stdout == row[0] + "\n"
        d.cli("kick", row[0])
        assert m.closed()
        assert d.cli("clients").stdout == ""
        assert d.cli("kick", row[0], ok=False).returncode == 1


def test_stats_lists_every_counter():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(0)
        rows = dict(line.split("\t") for line in
                    d.cli("stats").stdout.splitlines())
        assert rows["transports.tcp1.requests.3"] == "1"
        assert rows["devices.plc1.repairs"] == "0"


def test_shutdown_ends_the_daemon():
    with Daemon(CONF) as d:
        d.cli("shutdown")
        assert d.wait() == 0
        assert d.cli("ping", ok=False).returncode == 69


def test_a_refusal_is_1_and_says_why():
    with Daemon(CONF) as d:
        for args, why in (
                (("get", "hr:5000"), "(exception 2)"),
                (("get", "plc9/hr:0"), 'no device "plc9"; did you mean'),
                (("set", "hr:0", "65536"), "65536 does not fit type uint16, "
                 "whole numbers 0..65535"),
                (("kick", "999999"), 'no transport or connection "999999"'),
                (("kick", "tpc1"), 'did you mean "tcp1"?'),
                (("get", "co:0:float32"), "a table of bits has no float32"),
                (("kick", "tcp1.0.99"), "no connection"),
                (("call", "no.method"), "no method")):
            done = d.cli(*args, ok=False)
            assert done.returncode == 1 and why in done.stderr, (args, done)
            assert done.stdout == "" and done.stderr.startswith("holdfast: ")


def test_help_on_a_command_is_had_in_three_ways():
    text = run("help", "set").stdout
    assert "uint16, int16" in text and "cdab" in text
    assert run("set", "--help").stdout == text
    assert run("set", "hr:0", "-h").stdout == text
    assert "cdab" in run("get", "-h").stdout
    assert run("ping", "--help").stdout.startswith("holdfast ping\n")
    assert run("-h").stdout.startswith("usage: holdfast [-s")


def test_a_socket_that_may_not_be_opened_is_named_so():
    if os.geteuid() == 0:  # nothing is denied to root: as nobody, then
        become = {"user": 65534}
    else:
        become = {}
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"{top}/control.sock")
            s.listen()
            os.chmod(f"{top}/control.sock", 0)
            done = subprocess.run(
                [HOLDFAST, "-s", f"{top}/control.sock", "ping"],
                capture_output=True, text=True, **become)
    assert done.returncode == 69, done
    assert done.stderr.endswith(": permission denied\n"), done


def test_wrong_usage_is_64_and_asks_nobody():
    for args, why in (
            ((), "usage: holdfast"),
            (("nothing",), 'no command "nothing"'),
            (("satus",), 'did you mean "status"?'),
            (("sta",), '"sta" may be status, start, stats'),
            (("get",), "usage: holdfast get ADDRESS..."),
            (("set", "hr:0"), "usage: holdfast set ADDRESS VALUE..."),
            (("ping", "now"), "usage: holdfast ping\n"),
            (("get", "hr"), "hr: an address is"),
            (("get", "hr:0", "xr:1"), 'unknown table "xr"'),
            (("set", "hr:0:uint16", "abc"), '"abc" is no value for hr:0'),
            (("watch", "hr:x"), "the address must be a number"),
            (("-o", "xml", "ping"), "the formats are table, json"),
            (("-w", "soon", "ping"), "a number of seconds"),
            (("-w", "-1", "ping"), "a number of seconds"),
            (("-t", "0", "ping"), "a number of seconds"),
            (("call", "system.ping", "{"), "{: 1:1"),
            (("--nonsense", "ping"), "nonsense"),
            (("help", "nothing"), 'no command "nothing"')):
        done = run(*args)
        assert done.returncode == 64 and why in done.stderr, (args, done)
        assert done.stdout == ""


def test_nobody_there_is_69():
    with tempfile.TemporaryDirectory() as empty:
        for args in (("--run-dir", empty, "ping"),
                     ("-s", f"ipc://{empty}/control.sock", "status"),
                     ("-s", f"{empty}/control.sock", "get", "hr:0"),
                     ("-s", f"tcp://127.0.0.1:{sysutil.free_port()}",
                      "ping")):
            done = run(*args)
            assert done.returncode == 69, (args, done)
            assert "cannot reach the daemon" in done.stderr
        began = time.monotonic()
        assert run("--run-dir", empty, "-w", "0.3",
                   "ping").returncode == 69
        assert time.monotonic() - began >= 0.3


def test_silence_is_75():
    # somebody is there and speaks ZeroMQ, and does not answer in time
    context = zmq.Context()
    mute = context.socket(zmq.ROUTER)
    port = mute.bind_to_random_port("tcp://127.0.0.1")
    try:
        done = run("-s", f"tcp://127.0.0.1:{port}", "-t", "0.3", "ping")
        assert done.returncode == 75 and "no answer" in done.stderr, done
    finally:
        mute.close(0)
        context.term()


def test_a_daemon_that_dies_before_it_answers_is_69():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        m.read_hr(0)
        control = d.child("control")
        os.kill(control, signal.SIGSTOP)
        process = subprocess.Popen([HOLDFAST, "ping"], env=d.env,
                                   stderr=subprocess.PIPE)
        wait_for(lambda: connected(process.pid), what="the connection")
        os.kill(control, signal.SIGKILL)
        _, err = process.communicate(timeout=200)
        # or it was lucky, and the next one answered it
        assert process.returncode in (0, 69), err


def connected(pid):
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
                   for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def test_the_endpoint_is_found_in_this_order():
    with Daemon(CONF) as d:
        good, bad = d.run_dir, "/nonexistent"
        ipc = d.endpoint
        for env, args, ok in (
                ({"HOLDFAST_RUN_DIR": good}, (), True),
                ({"HOLDFAST_RUN_DIR": bad}, (), False),
                ({"HOLDFAST_RUN_DIR": bad, "HOLDFAST_CONTROL": ipc}, (),
                 True),
                ({"HOLDFAST_RUN_DIR": good, "HOLDFAST_CONTROL": ipc + "x"},
                 (), False),
                ({"HOLDFAST_CONTROL": ipc + "x"}, ("--run-dir", good), True),
                ({"HOLDFAST_CONTROL": ipc + "x"}, ("-s", ipc), True)):
            done = subprocess.run(
                [HOLDFAST, *args, "ping"], capture_output=True,
                env=dict(PATH=os.environ["PATH"], **env))
            assert (done.returncode == 0) == ok, (env, args, done)


def test_w_waits_for_readiness():
    d = Daemon(CONF, ready=False)
    try:
        process = subprocess.Popen(
            [HOLDFAST, "-w", "10", "get", "hr:0"], env=d.env,
            stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0 and out == b"hr:0\t0\n"
        d.stop()
    finally:
        d.clean()


def test_prefixes_and_late_options_are_understood():
    with Daemon(CONF) as d:
        assert d.cli("pi").returncode == 0
        assert d.cli("ge", "hr:0", "-o", "raw").stdout == "0\n"
        assert "ADDRESS..." in run("help", "ge").stdout
        assert run("version").stdout == run("-V").stdout
        assert run("help").stdout == run("-h").stdout
        for name in ("ping", "status", "get", "set", "watch", "start", "stop",
                     "restart", "clients", "kick", "stats", "shutdown"):
            assert f"\n  {name} " in run("help").stdout, name


def test_with_two_devices_the_name_is_needed():
    with Daemon(TWO) as d:
        done = d.cli("get", "co:0", ok=False)
        assert done.returncode == 1 and "device is missing" in done.stderr
        assert d.cli("get", "plc2/co:0").stdout == "plc2/co:0\t0\n"
        assert d.cli("watch", "co:0", ok=False).returncode == 64


def test_watch_prints_changes_only():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        w = Watching(d, "watch", "plc1/hr:10+2", "hr:90").ready(d, 90)
        m.write_hr(10, 5)
        m.write_hr(10, 5)  # no change
        m.write_hr(12, 9)  # not watched
        m.write_hr(8, [1, 1, 6, 7, 8])
        got = [w.line().split("\t")[1:] for _ in range(3)]
        assert got == [["plc1/hr:10", "0", "5", "tcp1"],
                       ["plc1/hr:10", "5", "6", "tcp1"],
                       ["plc1/hr:11", "0", "7", "tcp1"]], got
        assert w.line(0.2) is None
        assert w.end() == (0, "")


def test_watch_shows_whole_values_of_a_type():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        w = Watching(d, "watch", "hr:1100:float32", "hr:1200:declared",
                     "hr:90").ready(d, 90)
        m.write_hr(1101, 0x3fc0)  # one half of it
        assert w.line().split("\t")[1:] == [
            "plc1/hr:1100", "404.17", "1.5006641", "tcp1"]
        d.cli("set", "hr:1200:string", "ab")
        assert w.line().split("\t")[1:] == [
            "plc1/hr:1200", "", "ab", "control"]
        assert w.end(signal.SIGTERM) == (0, "")


def test_watch_takes_whole_tables_and_declared_values():
    with Daemon(TWO) as d, Modbus(d.port("tcp1")) as m:
        w = Watching(d, "watch", "plc1/hr", "co").ready(d, 90)
        m.write_hr(7, 5)
        m.write_coil(3, True)
        d.cli("set", "plc2/co:1", "on")
        got = [w.line().split("\t")[1:4] for _ in range(3)]
        assert got == [["plc1/hr:7", "0", "5"], ["plc1/co:3", "0", "1"],
                       ["plc2/co:1", "0", "1"]], got
        assert w.end() == (0, "")
        w = Watching(d, "watch", "plc1/hr:1100", "plc1/hr:90").ready(d, 90)
        d.cli("set", "plc1/hr:1100", "1.25")
        assert w.line().split("\t")[1:4] == [
            "plc1/hr:1100", "404.17", "1.25"]
        d.cli("set", "plc1/hr:1100", "2.5")
        assert w.line().split("\t")[2:4] == ["1.25", "2.5"]
        w.end()
        done = d.cli("watch", "plc9/hr", ok=False)
        assert done.returncode == 1 and 'no device "plc9"' in done.stderr


def test_watch_in_other_forms():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        w = Watching(d, "-o", "json", "watch").ready(d, 90)
        m.write_coil(3, True)
        event = json.loads(w.line())
        assert event["topic"] == "registers.plc1.coils"
        assert event["event"]["new"] == [1] and event["sequence"] > 0
        w.end()
        w = Watching(d, "-o", "raw", "watch", "hr:0", "hr:90").ready(d, 90)
        m.write_hr(0, 17)
        assert w.line() == "plc1/hr:0\t17"
        w.end()
        w = Watching(d, "-o", "csv", "watch", "hr:0")
        assert w.line() == "TIME,ADDRESS,FROM,TO,WHO"
        m.write_hr(0, 18)
        assert w.line().split(",")[1:] == ["plc1/hr:0", "17", "18", "tcp1"]
        w.end()
        w = Watching(d, "watch", "transports", "connections.tcp1",
                     "hr:90").ready(d, 90)
        d.cli("start", "tcp2")
        lines = [w.line().split("\t")[1:4] for _ in range(2)]
        assert ["transports.tcp2", "starting", "up"] in lines, lines
        w.end()


def test_watch_says_when_it_missed_something():
    with Daemon(CONF) as d, Modbus(d.port("tcp1")) as m:
        w = Watching(d, "watch", "hr:0:uint16", "hr:90").ready(d, 90)
        control = d.child("control")
        os.kill(control, signal.SIGKILL)
        m.write_hr(0, 5)  # nobody publishes it
        wait_for(lambda: [p for p in d.children() if p != control and
                          sysutil.process_title(p).endswith("control")],
                 what="a new control process")
        for n in range(6, 300):
            m.write_hr(0, n)
            line = w.line(0.05)
            if line:
                break
        # what happened meanwhile is caught up with, from the last seen
        assert line.split("\t")[1:3] == ["plc1/hr:0", "0"], line
        code, err = w.end()
        assert code == 0 and "some events were missed" in err, err


def test_watch_ends_when_its_reader_goes():
    with Daemon(CONF) as d:
        w = Watching(d, "watch", "hr:90").ready(d, 90)
        w.process.stdout.close()
        err = w.process.stderr.read()
        assert w.process.wait(100) == 0 and err == b"", err
        w.process.stderr.close()


def test_a_terminal_is_safe_from_what_strings_hold():
    with Daemon(CONF) as d:
        d.cli("set", "hr:1200:string", "a\033[31mb")
        assert "\033" not in d.cli("get", "hr:1200+8:string").stdout


def test_keys_over_tcp():
    keys = {n: zmq.curve_keypair() for n in ("server", "op", "stranger")}
    with tempfile.TemporaryDirectory() as files:
        os.mkdir(f"{files}/clients")
        for name, (_, secret) in keys.items():
            with open(f"{files}/{name}.key", "w") as f:
                f.write(f'secret-key = "{secret.decode()}"\n')
            os.chmod(f"{files}/{name}.key", 0o600)
        with open(f"{files}/clients/op.pub", "w") as f:
            f.write(f'role = operate\npublic-key = '
                    f'"{keys["op"][0].decode()}"\n')
        endpoint = f"tcp://127.0.0.1:{sysutil.free_port()}"
        with Daemon(dict(CONF, control={"listen": [endpoint], "curve": {
                "secret_key": f"{files}/server.key",
                "authorized": f"{files}/clients"}})):
            server = ["-s", endpoint, "--server-key",
                      keys["server"][0].decode()]

            def go(name, *args):
                return run(*server, "--key", f"{files}/{name}.key", *args)
            assert go("op", "set", "hr:0", "1").returncode == 0
            done = go("op", "shutdown")
            assert done.returncode == 1 and "role admin" in done.stderr
            done = go("stranger", "ping")
            assert done.returncode == 1 and "key" in done.stderr, done
            assert run("-s", endpoint, "ping").returncode == 69
            assert run("-s", endpoint, "--server-key", "x",
                       "ping").returncode == 64


if __name__ == "__main__":
    sysutil.run()
