#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page, in a real browser, against a real daemon that serves a thousand
requests a second meanwhile: every screen does what it is for, by mouse and by
keyboard alone; stale values are marked and the page comes back by itself; long
lists stay fluent; nothing is asked of another host; axe finds nothing serious;
all of it is small. Pictures of each screen stay in build/check/page/.

tests/page/*.mjs drive the browser (playwright-core and Debian's Chromium);
what they want of the world outside it they ask of this file, a line of JSON
each way.
"""
import contextlib
import gzip
import json
import math
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import bench_tools  # noqa: E402
import sysutil  # noqa: E402
from sys_plugin import compiled  # noqa: E402
from sysutil import BUILD, ROOT, Daemon, Modbus, ModbusError, Skip  # noqa: E402

WEB = os.path.join(ROOT, "control", "web")
PAGE = os.path.join(ROOT, "tests", "page")
POISON = os.path.join(ROOT, "tests", "plugins", "poison.c")
NPM = os.path.join(ROOT, "build", "npm")
SHOTS = os.path.join(BUILD, "check", "page")
BUDGET = 150_000  # bytes of the whole page, compressed
RATE = 1000  # requests a second

ADMIN, READ = "a" * 32 + "-admin", "r" * 32 + "-read"


def conf(**http):
    return {
        "hang_timeout_ms": 30000,  # a process that is held stays so
        "devices": {
            "plc1": {
                "counters": True,
                "coils": [{"addr": 0, "count": 2048},
                          {"addr": 3000, "name": "pump_on"}],
                "discrete_inputs": [
                    {"addr": 0, "count": 64, "values": [1, 0, 1]}],
                "holding_registers": [
                    {"addr": 0, "count": 1000},
                    {"addr": 1000, "count": 10, "access": "ro",
                     "value": 48879},
                    {"addr": 1100, "type": "float32", "value": 404.17,
                     "name": "flow", "unit": "m3/h"},
                    {"addr": 1102, "type": "int16", "value": 650,
                     "scale": 0.1, "name": "alarm_temp", "unit": "degC"},
                    {"addr": 1110, "count": 8, "type": "string",
                     "value": "PUMP 1", "name": "tag"},
                    {"addr": 1120, "type": "uint64",
                     "value": 2 ** 53 + 1, "name": "energy", "unit": "Wh"},
                    {"addr": 1130, "type": "float32", "order": "cdab",
                     "value": -2.5, "name": "level", "unit": "m"}],
                "input_registers": [
                    {"addr": 0, "count": 8},
                    {"addr": 8, "type": "float32", "order": "cdab",
                     "value": 3.25, "name": "pressure", "unit": "bar"}],
            },
            "big": {"holding_registers": [{"addr": 0, "count": 65536}]},
        },
        "transports": {
            "tcp1": {"type": "tcp", "listen": "127.0.0.1:0", "trace": True,
                     "units": {"1": "plc1", "2": "big"}},
            "tcp2": {"type": "tcp", "listen": "127.0.0.1:0",
                     "units": {"1": "plc1"}},
            "udp1": {"type": "udp", "listen": "127.0.0.1:0",
                     "units": {"1": "plc1"}, "plugins": [compiled(POISON)]},
        },
        "http": {"listen": "127.0.0.1:0", **http},
    }


class Load(threading.Thread):
    """Reads and writes of a plant, RATE a second, until it is told to stop."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.over = threading.Event()
        self.start()

    def pdu(self, n):
        kind = n % 10
        if kind == 0:
            return struct.pack(">BHH", 6, n // 10 % 40, n & 0xffff)
        if kind == 1:
            return struct.pack(">BHHBf", 16, 1100, 2, 4,
                               400 + 30 * math.sin(n / 3000))
        if kind == 2:
            return struct.pack(">BHH", 5, n // 10 % 64,
                               0xff00 if n // 640 % 2 else 0)
        if kind == 3:
            return struct.pack(">BHH", 3, 5000, 2)  # answered 02
        if kind == 4:
            return struct.pack(">BHH", 4, 0, 8)
        return struct.pack(">BHH", 3, n % 500, 20)

    def run(self):
        n, next_at = 0, time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rest = b""
            while not self.over.is_set():
                out = b""
                for n in range(n + 1, n + 11):
                    pdu = self.pdu(n)
                    out += struct.pack(">HHHB", n & 0xffff, 0,
                                       len(pdu) + 1, 1) + pdu
                s.sendall(out)
                for _ in range(10):
                    while len(rest) < 6 or len(rest) < 6 + rest[5]:
                        rest += s.recv(65536)
                    rest = rest[6 + rest[5]:]
                next_at += 10 / RATE
                self.over.wait(max(0, next_at - time.monotonic()))

    def stop(self):
        self.over.set()
        self.join(50)


def url_of(d):
    return d.rpc("system.info")["http"]


@contextlib.contextmanager
def plant(load=True, **http):
    """A daemon with its page and its traffic: (Daemon, address)."""
    with Daemon(conf(**http)) as d:
        traffic = Load(d.port("tcp1")) if load else None
        try:
            yield d, url_of(d)
        finally:
            if traffic:
                traffic.stop()


def http_pid(d):
    return d.rpc("system.info")["aides"]["http"]


class World:
    """What a script may ask for."""

    def __init__(self, d):
        self.d = d
        self.clients = []

    def rpc(self, method, params):
        try:
            return {"result": self.d.rpc(method, **params)}
        except sysutil.RpcError as e:
            return {"error": {"message": str(e)}}

    def connect(self, transport):
        """A client that stays; answers its local port."""
        m = Modbus(self.d.port(transport))
        m.read_hr(0)
        self.clients.append(m)
        return m.socket.getsockname()[1]

    def kill_worker(self, transport):
        """Its worker dies; the successor is there soon."""
        pid = next(t["pid"] for t in self.d.rpc("transports.list")
                   if t["name"] == transport)
        os.kill(pid, 9)
        return pid

    def poison(self, transport, host):
        """A host asks, over UDP, for what workers die of; what it is told."""
        adu = bytes([0, 1, 0, 0, 0, 5, 1, 0x41, 1, 0, 0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((host, 0))
            s.settimeout(30)
            s.sendto(adu, ("127.0.0.1", self.d.port(transport)))
            return s.recv(300).hex()

    def closed(self):
        """Whether the last client's connection has been closed."""
        return self.clients[-1].closed()

    def read(self, transport, addr):
        """What a client of that transport reads: a value, or -exception."""
        with Modbus(self.d.port(transport)) as m:
            try:
                return m.read_hr(addr)[0]
            except ModbusError as e:
                return -e.code

    def kill_http(self):
        pid = http_pid(self.d)
        os.kill(pid, 9)
        return pid

    def stop_http(self):
        """Nobody answers, and nobody hangs up."""
        self.frozen = http_pid(self.d)
        os.kill(self.frozen, 19)
        return self.frozen

    def kill_http_held(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.frozen, 9)  # unless the supervisor has
        return True

    def conf(self):
        """The file of the configuration, as it is."""
        with open(self.d.conf_path) as f:
            return f.read()

    def rewrite(self, text):
        with open(self.d.conf_path, "w") as f:
            f.write(text)
        return True

    def tshark(self, path):
        """What Wireshark makes of a file: a line a frame."""
        if not shutil.which("tshark"):
            return None
        done = subprocess.run(
            ["tshark", "-r", path, "-T", "fields", "-e", "_ws.col.Protocol",
             "-e", "_ws.col.Info"], capture_output=True, text=True,
            timeout=300, check=True)
        return done.stdout.splitlines()

    def close(self):
        for c in self.clients:
            c.close()


def drive(script, d, url, **more):
    """Runs tests/page/SCRIPT and answers what it asks."""
    if not os.path.isdir(os.path.join(NPM, "node_modules", "playwright-core")):
        raise Skip("playwright-core is not installed; ./bootstrap tests")
    if not shutil.which("chromium"):
        raise Skip("chromium is not installed; ./bootstrap tests")
    os.makedirs(SHOTS, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(SHOTS, f"failed-{script}.png"))
    world = World(d)
    home = tempfile.mkdtemp(prefix="hf-page-")
    node = subprocess.Popen(
        ["node", os.path.join(PAGE, script)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=dict(os.environ, PAGE_URL=url, PAGE_NAME=script, PAGE_NPM=NPM, PAGE_SHOTS=SHOTS,
                 HOME=home, PAGE_MORE=json.dumps(more)))
    said = []
    try:
        for line in node.stdout:
            if not line.startswith("ASK "):
                said.append(line)
                continue
            name, *args = json.loads(line[4:])
            answer = getattr(world, name)(*args)
            node.stdin.write(json.dumps(answer) + "\n")
            node.stdin.flush()
        status = node.wait(300)
    finally:
        if node.poll() is None:
            node.kill()
            node.wait()
        node.stdin.close()
        node.stdout.close()
        world.close()
        shutil.rmtree(home, ignore_errors=True)
    sys.stdout.write("".join("    " + line for line in said))
    assert status == 0, "".join(said)


def test_pure_modules():
    "formats, filters, rows, undo and decoding are right by themselves"
    if not shutil.which("node"):
        raise Skip("node is not installed")
    with tempfile.TemporaryDirectory(prefix="hf-page-") as tmp:
        # says that these are ES modules, as the browser knows already
        shutil.copytree(WEB, tmp, dirs_exist_ok=True)
        with open(os.path.join(tmp, "package.json"), "w") as f:
            f.write('{"type": "module"}')
        shutil.copy(os.path.join(PAGE, "unit.mjs"), tmp)
        done = subprocess.run(["node", "--test", os.path.join(tmp, "unit.mjs")],
                              capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^# pass [1-9]", done.stdout, re.M) or \
            re.search(r"^ℹ pass [1-9]", done.stdout, re.M), done.stdout


def test_small():
    "the page is small, and holds all that it names and nothing foreign"
    total, names = 0, []
    for where, _, files in os.walk(WEB):
        for name in files:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                data = f.read()
            total += len(gzip.compress(data, 9))
            names.append(os.path.relpath(path, WEB))
            if name.endswith((".js", ".css", ".html")) and "vendor" not in path:
                text = data.decode()
                for address in re.findall(r"https?://[^\s\"'`)]+", text):
                    assert address == "http://www.w3.org/2000/svg", \
                        f"{name} names {address}"
                assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=\"",
                                     text if name.endswith("html") else ""), name
    assert total < BUDGET, f"{total} bytes compressed"
    print(f"    {len(names)} files, {total} bytes compressed")


def test_vendored():
    "what was taken over is what its note says"
    import hashlib
    with open(os.path.join(WEB, "vendor", "uPlot.txt")) as f:
        note = f.read()
    sums = re.findall(r"^([0-9a-f]{64})  (\S+)$", note, re.M)
    assert len(sums) >= 3, note
    for digest, name in sums:
        with open(os.path.join(WEB, "vendor", name), "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == digest, name


def test_screens():
    "each screen does what it is for"
    with plant() as (d, url):
        drive("screens.mjs", d, url)


def test_keyboard():
    "all of it works by keyboard alone"
    with plant() as (d, url):
        drive("keyboard.mjs", d, url)


def test_stale():
    "what is stale is marked, and the page comes back by itself"
    with plant() as (d, url):
        drive("stale.mjs", d, url)


def test_tokens():
    "a token is asked for where one is needed, and a role is what one may do"
    with tempfile.NamedTemporaryFile("w", prefix="hf-tokens-") as f:
        f.write(f"admin {ADMIN}\nread {READ}\n")
        f.flush()
        os.chmod(f.name, 0o600)
        with plant(load=False, token_file=f.name, local="none",
                   anonymous="none") as (d, url):
            drive("tokens.mjs", d, url, admin=ADMIN, read=READ)


def test_long_lists():
    "a table of 65536 registers scrolls fluently"
    with plant() as (d, url):
        drive("scroll.mjs", d, url, pace=bench_tools.pace())


def test_looks():
    "every screen fits, in light and dark, narrow and wide, and axe agrees"
    with plant() as (d, url):
        drive("looks.mjs", d, url)


test_looks.seconds = test_screens.seconds = 120

if __name__ == "__main__":
    sysutil.run()
