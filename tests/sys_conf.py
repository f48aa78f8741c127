#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration as a person meets it: holdfastd -t and -T on right and
wrong files, and what clients then find in the registers."""

import os
import re
import struct
import subprocess
import tempfile

import sysutil
from sysutil import BUILD, ROOT, Daemon, Modbus

DAEMON = os.path.join(BUILD, "holdfastd")
LINE = re.compile(r"^(\S+):(\d+):(\d+): \S.*[^.]$")

TEN_MISTAKES = """\
// ten of them
{
  "stroe": { "name": "x" },
  "drain_timeout_s": 9999,
  "devices": { "plc1": {
    "coils": [ { "addr": 0, "value": 2 } ],
    "holding_registers": [
      { "addr": 0, "count": 10 },
      { "addr": 9, "count": 1 },
      { "addr": 20, "type": "flaot32" },
      { "addr": 65535, "count": 2 } ] } },
  "transports": {
    "tcp1": { "type": "tcp", "listen": "127.0.0.1:70000",
      "units": { "1": "plc2" },
      "maxcon": 7,
      "autostart": "yes",
    },
  },
}
"""
WANTED = [
    (3, 3, 'unknown key "stroe"', 'did you mean "store"?'),
    (4, 22, '"drain_timeout_s" is 9999', "0 to 3600"),
    (6, 38, "not 2", "0, 1, true or false"),
    (9, 7, "overlap", "8:7"),
    (10, 29, 'unknown type "flaot32"', 'did you mean "float32"?'),
    (11, 33, "65535 is the last one", ""),
    (13, 40, '"70000" is no port', ""),
    (14, 23, 'no device is called "plc2"', 'did you mean "plc1"?'),
    (15, 7, 'unknown key "maxcon" in transport "tcp1"',
     'did you mean "max_connections"?'),
    (16, 20, '"autostart" must be true or false', "not a string"),
]


def run(*args, text=None):
    """holdfastd with arguments; FILE stands for a file that holds text."""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        path = os.path.join(where, "holdfast.json")
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
        args = [path if a == "FILE" else a for a in args]
        done = subprocess.run(
            [DAEMON, *args, "--run-dir", os.path.join(where, "run")],
            capture_output=True, text=True, timeout=200, cwd=ROOT)
        left = sorted(os.listdir(os.path.join(where, "run"))) \
            if os.path.isdir(os.path.join(where, "run")) else []
        done.left = left
        done.path = path
        return done


def check_ten(done):
    assert done.returncode == 78, done
    lines = [x for x in done.stderr.splitlines() if done.path in x]
    assert len(lines) == 10, done.stderr
    for line, (row, col, what, why) in zip(lines, WANTED):
        match = LINE.match(line)
        assert match, line
        assert match[1] == done.path, line
        assert (int(match[2]), int(match[3])) == (row, col), line
        assert what in line and why in line, line


def test_check_shows_ten_mistakes_in_ten_lines():
    check_ten(run("-t", "-c", "FILE", text=TEN_MISTAKES))


def test_a_start_shows_the_same_ten_lines_and_starts_nothing():
    before = set(os.listdir("/dev/shm"))
    done = run("-c", "FILE", text=TEN_MISTAKES)
    check_ten(done)
    assert done.left == [], done.left
    left = {n for n in set(os.listdir("/dev/shm")) - before
            if n.startswith(("holdfast-x.", "holdfast-holdfast."))}
    assert not left, left


def test_dump_refuses_what_check_refuses():
    check_ten(run("-T", "-c", "FILE", text=TEN_MISTAKES))


def test_the_dump_is_a_configuration_that_dumps_alike():
    for name in ("demo", "example", "minimal", "serial"):
        once = run("-T", "-c", f"conf/{name}.json")
        assert once.returncode == 0, once.stderr
        twice = run("-T", "-c", "FILE", text=once.stdout)
        assert twice.returncode == 0, twice.stderr
        assert once.stdout == twice.stdout


def test_a_syntax_error_is_one_line_with_its_place():
    done = run("-t", "-c", "FILE", text='{\n  "devices": {}\n  "x": 1\n}\n')
    assert done.returncode == 78
    assert done.stderr == (f'{done.path}:3:3: "," or "}}" is missing at '
                           '"x"\n'), done.stderr


def test_a_file_that_is_not_there_is_exit_66():
    done = run("-t", "-c", "FILE")
    assert done.returncode == 66, done
    assert "No such file or directory" in done.stderr, done.stderr
    assert done.path in done.stderr


def with_free_port(name):
    """A sample as text, with another store and a port of the system's
    choice."""
    with open(os.path.join(ROOT, "conf", name)) as f:
        text = f.read()
    text = re.sub(r'"127\.0\.0\.1:(50\d\d|8080)"', '"127.0.0.1:0"', text)
    return text.replace('"name": "demo"',
                        f'"name": "{sysutil.unique_store()}"')


def test_a_client_finds_the_values_of_the_demo():
    with Daemon(with_free_port("demo.json")) as d, \
            Modbus(d.port("tcp1")) as m:
        def typed(read, addr, form):
            regs = read(addr, struct.calcsize(form) // 2)
            return struct.unpack(form, struct.pack(f">{len(regs)}H", *regs))

        flow, = typed(m.read_ir, 0, ">f")
        assert abs(flow - 404.17) < 1e-4, flow
        regs = m.read_ir(2, 2)  # cdab: the low word comes first
        assert struct.unpack(">f", struct.pack(">2H", *regs[::-1])) == (3.25,)
        assert typed(m.read_ir, 4, ">Q") == (123456789012,)
        assert typed(m.read_ir, 8, ">I") == (1789,)
        assert typed(m.read_ir, 10, ">hHH") == (215, 870, 865)
        assert typed(m.read_hr, 110, ">I") == (20260131,)
        assert typed(m.read_hr, 120, ">16s") == (b"PUMP STATION 1\0\0",)
        assert list(m.read_co(0, 3)) == [1, 0, 0]
        assert list(m.read_di(2, 5)) == [1, 0, 1, 1, 0]
        fifo = m.call(bytes.fromhex("1807d0"))
        assert fifo == bytes.fromhex("180008" "0003" "000100020003"), fifo
        record = m.call(bytes.fromhex("1407" "06000100000003"))
        assert record == bytes.fromhex("1408" "0706" "07ea0001001f"), record
        who = m.call(bytes.fromhex("2b0e0200"))
        assert b"Holdfast" in who and b"DEMO" in who, who
        assert b"Demo pump station" in who, who


def test_read_only_ranges_refuse_clients_and_gaps_have_no_address():
    with Daemon(with_free_port("demo.json")) as d, \
            Modbus(d.port("tcp1")) as m:
        for attempt in (lambda: m.write_hr(110, [1]),
                        lambda: m.read_hr(111 + 1, 1),
                        lambda: m.read_ir(12, 2)):
            try:
                attempt()
            except sysutil.ModbusError as error:
                assert error.code == 2, error
            else:
                raise AssertionError("no exception")


if __name__ == "__main__":
    sysutil.run()
