#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The samples in conf/ are right and serve, and what the README says of them
is true, to the letter but for ports and paths."""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import urllib.request

import sysutil
from sysutil import BUILD, ROOT, Daemon, Modbus, Watch, wait_for

CONF = os.path.join(ROOT, "conf")
PORTS = ("5020", "5021", "5022", "5555", "8080", "8802")


class Samples:
    """A copy of conf/ with certificates, on free ports, with stores and
    lines of its own; text() makes the same of the README's commands."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-samples-")
        self.port = {p: str(sysutil.free_port()) for p in PORTS}
        self.conf = os.path.join(self.dir, "conf")
        self.store = sysutil.unique_store()
        self.objects = self.store + "_"
        os.mkdir(self.conf)
        for name in sorted(os.listdir(CONF)):
            if name.endswith((".py", ".csv", ".lua")):
                shutil.copy(os.path.join(CONF, name), self.conf)
            if name.endswith(".json"):
                with open(os.path.join(CONF, name)) as f:
                    text = self.text(f.read())
                text = re.sub(r'("store":\s*{ *"name": )"[^"]*"',
                              rf'\1"{self.store}"', text)
                if '"store"' not in text and name != "roles.json":
                    text = text.replace(
                        "{", '{ "store": { "name": "%s" },' % self.store, 1)
                with open(os.path.join(self.conf, name), "w") as f:
                    f.write(text)
        subprocess.run([os.path.join(BUILD, "holdfast"), "certs", "demo",
                        os.path.join(self.conf, "certs")], check=True)

    def text(self, text):
        for old, new in self.port.items():
            text = re.sub(rf"\b{old}\b", new, text)
        text = text.replace("modbus_", self.objects)
        return text.replace("/tmp/holdfast-", self.dir + "/line-")

    def path(self, name):
        return os.path.join(self.conf, name)

    def daemon(self, name, **more):
        d = Daemon(self.path(name), **more)
        d.store = self.store
        return d

    def sh(self, command, env=None):
        """Runs a command as the README has it; what it says."""
        os.makedirs(os.path.join(self.dir, "bin"), exist_ok=True)
        link = os.path.join(self.dir, "build")
        if not os.path.islink(link):
            os.symlink(BUILD, link)
        done = subprocess.run(
            ["sh", "-c", self.text(command)], cwd=self.dir,
            capture_output=True, text=True, timeout=300, env=dict(
                env or os.environ, PORT=self.port["8802"],
                PATH="/usr/bin:/bin:" + os.environ["PATH"]))
        return done.returncode, done.stdout + done.stderr

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)


class Line:
    """The pair of terminals that the samples speak of."""

    def __init__(self, samples):
        ends = [os.path.join(samples.dir, "line-" + e) for e in "ab"]
        watch = Watch(samples.dir)
        self.process = subprocess.Popen(
            ["socat", *(f"pty,link={e},raw,echo=0" for e in ends)])
        try:
            assert watch.until(lambda: all(map(os.path.exists, ends)), 10)
        finally:
            watch.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(100)


def commands(section, text=None):
    """The README's commands between **section and the next such."""
    if text is None:
        with open(os.path.join(ROOT, "README.md")) as f:
            text = f.read()
    part = text.split("\n**" + section, 1)[1]
    part = re.split(r"\n\*\*[A-Z]|\nAny framing", part)[0]
    return [x.strip() for x in part.splitlines() if x.startswith("    ")]


def test_every_sample_is_right():
    """holdfastd -t says OK to every sample, but for the recording that one of
    them has somebody make"""
    with Samples() as s:
        names = sorted(n for n in os.listdir(s.conf)
                       if n.endswith(".json") and n != "roles.json")
        assert {"demo.json", "tls.json", "serial.json", "multi.json",
                "unix.json", "shm.json", "example.json",
                "actions.json", "replay.json", "simulate.json"} <= set(names), names
        for name in names:
            done = subprocess.run(
                [os.path.join(BUILD, "holdfastd"), "-t", "-c", s.path(name)],
                capture_output=True, text=True, timeout=200)
            if name == "replay.json":  # one makes the recording first
                assert done.returncode == 78, done
                assert done.stderr.count("\n") == 1, done
                assert "recorded.pcap: No such file" in done.stderr, done
                continue
            assert (done.returncode, done.stderr) == (0, ""), done
            assert done.stdout == f"{s.path(name)}: OK\n", done.stdout


def test_the_samples_name_every_key():
    """every key of a transport stands in a sample, if only in a comment"""
    text = ""
    for name in os.listdir(CONF):
        if name.endswith(".json"):
            with open(os.path.join(CONF, name)) as f:
                text += f.read()
    with open(os.path.join(ROOT, "supervisor/holdfast.json.5")) as f:
        manual = f.read()
    part = manual[manual.index(".Sh TRANSPORTS"):manual.index(".Sh ROLES")]
    keys = re.findall(r"^\.It Cm (\w+)$", part, re.M)
    assert len(keys) > 40, keys
    missing = [k for k in keys if f'"{k}"' not in text]
    assert not missing, missing


def test_what_make_run_says_is_true():
    """conf/try.sh serves TCP and UDP, and what it says to try works"""
    with Samples() as s:
        said = os.path.join(s.dir, "said")
        with open(said, "wb") as out:
            process = subprocess.Popen(
                [os.path.join(CONF, "try.sh"), BUILD, s.path("demo.json")],
                stdout=out, stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL)

        def text():
            with open(said) as f:
                return f.read()

        try:
            wait_for(lambda: "Ctrl-C stops it." in text(), 20, "its words")
            lines = [x.strip() for x in text().splitlines()
                     if x.startswith("    ")]
            assert f"udp1 udp 127.0.0.1:{s.port['5020']}" in lines, lines
            page = f"http://127.0.0.1:{s.port['8080']}/"
            assert f"The page, for a browser:  {page}\n" in text()
            mbpoll, write, _, udp = lines[2:6]
            endpoint = lines[6].partition("=")[2]
            assert endpoint.startswith("ipc://"), lines
            code, out = s.sh(mbpoll)
            assert code == 0 and "[4]:" in out, out
            assert s.sh(write)[0] == 0
            code, out = s.sh(udp)
            assert code == 0 and out.split()[-10:] == [
                "00", "2a"] + ["00"] * 8, out
            env = dict(os.environ, HOLDFAST_CONTROL=endpoint)
            for line in lines[7:9]:
                code, out = s.sh(line, env)
                assert code == 0, (line, out)
            kill = [x for x in lines if x.startswith("kill -9")]
            assert s.sh(kill[0])[0] == 0, kill
            with Modbus(int(s.port["5020"])) as m:
                assert m.read_hr(0, 2) == [42, 7]
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(200)
        assert code == 0, code


def test_the_demo_finds_another_port_for_its_page():
    """where the port of the page is taken, conf/try.sh takes another"""
    with Samples() as s, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with open(s.path("demo.json")) as f:
            text = f.read().replace(":" + s.port["8080"], f":{port}")
        with open(s.path("demo.json"), "w") as f:
            f.write(text)
        with open(os.path.join(CONF, "try.sh")) as f:
            script = f.read().replace("8080", str(port))
        path = os.path.join(s.conf, "try.sh")
        with open(path, "w") as f:
            f.write(script)
        os.chmod(path, 0o755)
        process = subprocess.Popen(
            [path, BUILD, s.path("demo.json")], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        try:
            page = None
            for line in process.stdout:
                if "for a browser" in line:
                    page = line.split()[-1]
                if "Ctrl-C" in line:
                    break
            assert page and f":{port}/" not in page, page
            with urllib.request.urlopen(page) as r:
                assert r.status == 200 and b"<html" in r.read()
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            code = process.wait(200)
        assert code == 0, code


def test_readme_tcp_and_udp():
    """the README's commands for TCP and UDP read five registers"""
    with Samples() as s, s.daemon("demo.json"):
        mbpoll, pymodbus = commands("TCP")
        code, said = s.sh(mbpoll)
        assert code == 0 and "[4]:" in said, said
        assert s.sh(pymodbus) == (0, "[0, 0, 0, 0, 0]\n")


def test_readme_tls():
    """the README's commands for TLS do what it says"""
    with Samples() as s, s.daemon("tls.json"):
        write, read, refused, gnutls, show = commands("TLS")
        assert s.sh(write) == (0, "written\n")
        assert s.sh(read) == (0, "42 0\n")
        assert s.sh(refused) == (1, "exception 01\n")
        code, said = s.sh(gnutls)
        assert code == 0 and "Handshake was completed" in said, said
        code, said = s.sh(show)
        assert code == 0 and "\trole\tviewer\n" in said, said


def test_readme_serial():
    """the README's commands for a serial line read five registers"""
    with Samples() as s:
        socat, mbpoll = commands("Serial")
        assert socat.startswith("socat pty,link=/tmp/holdfast-a,raw,echo=0 ")
        with Line(s), s.daemon("serial.json"):
            code, said = s.sh(mbpoll)
            assert code == 0 and "[4]:" in said, said


def test_readme_unix():
    """the README's command for the Unix-domain socket reads five registers"""
    with Samples() as s, s.daemon("unix.json"):
        one, = commands("A Unix")
        code, said = s.sh(one)
        assert code == 0 and len(said.split()) == 19, said


def test_readme_shm():
    """the README's commands for shared memory write a register and read it"""
    with Samples() as s, s.daemon("shm.json"):
        write, dump, mbpoll = commands("Shared")
        assert s.sh(write) == (0, "")
        code, said = s.sh(dump)
        assert code == 0 and said.split()[:7] == [
            "0000000", "0", "0", "0", "0", "0", "42"], said
        wait_for(lambda: "42" in s.sh(mbpoll)[1].split(), 10, "the register")


def test_readme_actions():
    """the README's commands read what the module of the sample makes"""
    with Samples() as s, s.daemon("actions.json"):
        two, percent = commands("Actions")
        for reads in 1, 2:
            code, said = s.sh(two)
            count, level = re.findall(r"^\[[01]\]:\s+(\d+)$", said, re.M)
            assert code == 0 and int(count) == reads, said
            assert abs(int(level) - 500) <= 5 * reads, said
        code, said = s.sh(percent)
        found = re.search(r"^\[2\]:\s+([\d.]+)$", said, re.M)
        assert code == 0 and abs(float(found[1]) - int(level) / 10) < 0.01, (
            said, level)


def test_readme_simulated_values():
    """the README's commands read what sets itself, and tell of Lua"""
    with Samples() as s, s.daemon("simulate.json"):
        read, version = commands("Simulated")

        def level():
            code, said = s.sh(read)
            assert code == 0, said
            return re.findall(r"^\[0\]:\s+(\d+)$", said, re.M)[0]

        first = level()
        wait_for(lambda: level() != first, 10, "another level")
        assert re.search(r"^lua: (yes|no)$", s.sh(version)[1], re.M)


def test_every_action_is_in_a_sample():
    """simulate.json has every built-in action, with each of its parameters,
    and its values make themselves"""
    with open(os.path.join(ROOT, "shm/action.c")) as f:
        text = f.read()
    rows = re.findall(r'^\t\[ACTION_[A-Z]+\] = \{ "(\w+)"', text, re.M)
    params = set(re.findall(r'\{\s*"(\w+)",\s*ACTION_(?:NUMBER|VALUE|WHOLE|'
                            r'WORD|TEXT|FILE)', re.sub(r"\\", "", text)))
    assert len(params) >= 24 and {"duty", "memory_kb", "period_ms"} < params
    with open(os.path.join(ROOT, "supervisor/holdfast.json.5")) as f:
        manual = f.read()
    manual = manual[manual.index(".Sh ACTIONS\n"):
                    manual.index(".Sh ACTIONS OF A PYTHON MODULE")]
    told = set(re.findall(r"\w+", " ".join(
        re.findall(r"^\.(?:It )?Cm (.*)$", manual, re.M))))
    assert params | set(rows) <= told, (params | set(rows)) - told
    with open(os.path.join(CONF, "simulate.json")) as f:
        sample = f.read()
    missing = [p for p in params if f'"{p}":' not in sample]
    assert not missing, missing
    with Samples() as s, s.daemon("simulate.json") as d:
        used = {r["action"]["name"]
                for r in d.rpc("registers.describe", device="plant")
                if r["action"]}
        assert used == set(rows) and len(rows) == 12, (used, rows)
        with Modbus(int(s.port["5020"])) as m:
            words, seen = m.read_ir(12, 8), set()

            def all_have_changed():
                now = m.read_hr(0, 11)
                for at in (0,), (1,), (2, 3), (5,), (6, 7), (8,), (9, 10):
                    seen.add((at, tuple(now[i] for i in at)))
                return min(sum(at == a for a, _ in seen)
                           for at, _ in seen) > 1

            assert struct.pack(">8H", *words).rstrip(b"\0") == b"read 1 times"
            wait_for(all_have_changed, 20, "values that change")
            assert m.read_ir(0, 1) == [1]


def rtu(unit, pdu):
    crc = 0xffff
    for b in bytes([unit]) + pdu:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0xa001 if crc & 1 else 0)
    return bytes([unit]) + pdu + struct.pack("<H", crc)


def test_all_transports_at_once():
    """what is written over one transport is read over all others"""
    with Samples() as s, Line(s), s.daemon("multi.json") as d:
        assert set(d.transports()) == {"tcp1", "udp1", "tls1", "line1", "rtu1",
                                       "view1", "local1"}, d.transports()
        tcp, udp = d.port("tcp1"), d.port("udp1")
        read = struct.pack(">BHH", 3, 5, 1)
        with Modbus(tcp) as m:
            m.write_hr(5, [4711])
        answer = bytes.fromhex("03021267")
        with Modbus(d.port("view1")) as m:
            assert m.request(read) == answer
            assert m.request(struct.pack(">BHH", 6, 5, 1)) == b"\x86\x01"
        with socket.socket(type=socket.SOCK_DGRAM) as u:
            u.settimeout(100)
            u.sendto(struct.pack(">HHHB", 1, 0, 6, 1) + read,
                     ("127.0.0.1", udp))
            assert u.recv(260)[7:] == answer
        with socket.create_connection(("127.0.0.1", d.port("rtu1")), 100) as r:
            r.sendall(rtu(1, read))
            assert r.recv(260) == rtu(1, answer)
        with socket.socket(socket.AF_UNIX) as u:
            u.settimeout(100)
            u.connect(s.path("holdfast.sock"))
            u.sendall(struct.pack(">HHHB", 1, 0, 6, 1) + read)
            assert u.recv(260)[7:] == answer
        assert s.sh("python3 conf/certs/try.py viewer read 5 1") == (
            0, "4711\n")
        code, said = s.sh("mbpoll -m rtu -b 19200 -P even -a 17 -0 -1 -t 4 "
                          "-r 5 -c 1 /tmp/holdfast-b")
        assert code == 0 and re.search(r"\[5\]:\s+4711", said), said


if __name__ == "__main__":
    sysutil.run()
