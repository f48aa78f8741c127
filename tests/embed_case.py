# SPDX-License-Identifier: Apache-2.0
"""What the tests of programs with servers share: tests/programs/embed.c,
compiled as pkg-config says, and what it answers.

    with Program() as p:
        srv = p.start("tcp")
        with Modbus(srv.port) as m:
            ...
"""
import atexit
import os
import shlex
import shutil
import signal
import subprocess
import tempfile

import sysutil
from sysutil import BUILD, ROOT, wait_for

LIB = os.path.join(BUILD, "libholdfast.so")
_made = {}


def sanitizer():
    """What a program must be compiled with to load the library."""
    with open(LIB, "rb") as f:
        text = f.read()
    for word in "address", "thread":
        if b"__%ssan_init" % word[0].encode() in text:
            return ["-fsanitize=" + word]
    return []


def binary(name="embed"):
    """The path of a program of tests/programs, compiled once."""
    if name not in _made:
        where = tempfile.mkdtemp(prefix="hf-embed-")
        os.chmod(where, 0o755)  # other users may run it, too
        atexit.register(shutil.rmtree, where, True)
        path = os.path.join(where, name)
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "holdfast"], text=True,
            env=dict(os.environ, PKG_CONFIG_PATH=BUILD), check=True,
            stdout=subprocess.PIPE).stdout
        subprocess.run(
            ["cc", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror",
             *sanitizer(), "-o", path,
             os.path.join(ROOT, "tests/programs", name + ".c"), "-pthread",
             *shlex.split(flags)], check=True)
        _made[name] = path
    return _made[name]


class Refused(Exception):
    """-1: .errno is its name, .words what hf_error() says."""

    def __init__(self, line):
        _, self.errno, self.words = (line.split(" ", 2) + ["", ""])[:3]
        super().__init__(line)


class Server:
    """A server of a program."""

    def __init__(self, program, number):
        self.program = program
        self.number = number

    def __getattr__(self, name):
        """A command about it: stop, shutdown, async_stop, dispatch, free"""
        return lambda *more: self.program.int(
            name.replace("_", "-"), self.number, *more)

    def status(self):
        words = self.program.ask("status", self.number).split(" ")
        keys = "active", "up", "pid", "restarts", "connections"
        found = dict(zip(keys, map(int, words)))
        found["state"], found["address"] = words[5:]
        return found

    @property
    def port(self):
        return int(self.status()["address"].rpartition(":")[2])

    @property
    def pid(self):
        """Of its process, the parent of its workers."""
        with open("/proc/%d/stat" % self.status()["pid"]) as f:
            return int(f.read().rpartition(")")[2].split()[1])


class Program:
    """tests/programs/embed.c. Nothing of it may be left at the end. popen: more
    for subprocess.Popen."""

    def __init__(self, store="-", clean=True, action=None, **popen):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [binary()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, bufsize=1, **popen)
        self.pid = self.process.pid
        self.clean = clean
        self.store = store and self.ask(
            "store", store, *([action] if action else []))

    def send(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError("the program has gone: %s, it said %r" % (
                self.process.poll(), self.stderr_text()))
        line = line.rstrip("\n")
        if line.startswith("-1 E"):
            raise Refused(line)
        return line

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def int(self, *words):
        return int(self.ask(*words))

    @staticmethod
    def options(type, **opts):
        if type == "serial":
            opts.setdefault("unit", "1:plc1")
        else:
            opts.setdefault("address", "127.0.0.1:0")
        return ["type=" + type] + [
            "%s=%s" % (key, v) for key, value in opts.items()
            for v in (value if isinstance(value, list) else [value])]

    def new(self, type, **opts):
        return Server(self, self.int("new", *self.options(type, **opts)))

    def start(self, type, **opts):
        return Server(self, self.int("start", *self.options(type, **opts)))

    def run(self, type, **opts):
        """The blocking starter; answer() is what it returns."""
        self.send("run", *self.options(type, **opts))

    def stderr_text(self):
        self.errors.seek(0)
        return self.errors.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(100)

    def segments(self):
        return [f for f in os.listdir("/dev/shm") if f.startswith(
            "holdfast-%s." % self.store) or f == "holdfast-%s" % self.store]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        try:
            code = self.process.wait(200)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.process.stdout.close()
            if self.clean and self.store:
                wait_for(lambda: not self.segments(), 10,
                         what="the end of the store")
        if kind is None:
            assert self.stderr_text() == "", self.stderr_text()
            assert code in (0, -signal.SIGKILL), code
        self.errors.close()
