# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a daemon of one's own, clients, a runner.

    import sysutil
    from sysutil import Daemon, Modbus

    def test_reads_what_was_configured():
        "reads what was configured"
        with Daemon({"devices": {...}, "transports": {...}}) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(0, 2) == [7, 7]

    if __name__ == "__main__":
        sysutil.run()

A Daemon has a private directory and a store name of its own, so tests may run
side by side. It ends only what it started, and complains about what is left.
Nothing here sleeps for a fixed time: waits are for events, with a limit, and
limits are what an idle machine of today needs at most. What runs beside, and a
machine that is slow, are given PATIENCE times that: only what never comes is
waited for so long.
"""

import ctypes
import glob
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(
    os.environ.get("HOLDFAST_BUILD", os.path.join(ROOT, "build")))

# a shell starts its background jobs with SIGINT ignored, and what they start
# inherits that: programs that are to be interrupted would not be
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE = 10  # how often a limit is waited for before it counts
# what tests draw from, by random.Random(SEED); told when one fails
SEED = int(os.environ.get("HOLDFAST_SEED") or random.randrange(1, 1 << 31))

_libc = ctypes.CDLL(None, use_errno=True)
_IN_EVENTS = 0x80 | 0x8 | 0x100 | 0x200  # moved to, close write, create, delete
_serial = 0


class Watch:
    """Waits for something to become true in a directory, by inotify."""

    def __init__(self, directory):
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if _libc.inotify_add_watch(
                self.fd, os.fsencode(directory), _IN_EVENTS) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def until(self, true, timeout, also=()):
        """Waits until true() is; False after timeout seconds and PATIENCE, or
        once one of the descriptors in also is readable and true() still is
        not."""
        end = time.monotonic() + timeout * PATIENCE
        while not true():
            left = end - time.monotonic()
            if left <= 0:
                return False
            ready, _, _ = select.select([self.fd, *also], [], [], left)
            if self.fd in ready:
                try:
                    os.read(self.fd, 65536)
                except BlockingIOError:
                    pass
            elif ready:
                return bool(true())
        return True

    def close(self):
        os.close(self.fd)


def wait_for(true, timeout=10.0, what="it"):
    """Waits until true() returns something true, and returns that. For what
    sends no event; looks again every 2 ms, for timeout seconds and PATIENCE."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        got = true()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in {timeout} s")
        time.sleep(0.002)


def slay(pid):
    """Kills a process that may have gone by itself, or None."""
    if pid is not None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def free_port():
    """A port of 127.0.0.1 that nobody has at the moment, and that no client
    is given: it may be asked for later."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low = int(f.read().split()[0])
    while True:
        port = random.randrange(*(10240, low) if low > 11000 else
                                (10240, 65536))
        try:
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                with socket.socket(type=kind) as s:
                    s.bind(("127.0.0.1", port))
            return port
        except OSError:
            pass


def unique_store():
    global _serial
    _serial += 1
    return f"t{os.getpid()}-{_serial}"


def shm_objects(store):
    """The shared memory objects of a store that exist."""
    return sorted(glob.glob(f"/dev/shm/holdfast-{glob.escape(store)}.*") +
                  glob.glob(f"/dev/shm/holdfast-{glob.escape(store)}"))


class RpcError(Exception):
    """An error reply of JSON-RPC: .code, .message, .data"""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')} "
                         f"{error.get('data', '')}")
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data") or {}


class Rpc:
    """A client of the control socket: one frame of JSON-RPC out, one in."""

    _context = None

    def __init__(self, endpoint, timeout=10.0 * PATIENCE):
        import zmq
        if Rpc._context is None:
            Rpc._context = zmq.Context()
        self.timeout = timeout
        self.socket = Rpc._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)
        self.next_id = 0

    def frames(self, *frames):
        """Sends frames as they are and returns the frames of the reply."""
        self.socket.send_multipart(
            [f if isinstance(f, bytes) else f.encode() for f in frames])
        return self.receive()

    def receive(self):
        import zmq
        if not self.socket.poll(int(self.timeout * 1000), zmq.POLLIN):
            raise TimeoutError(f"no reply within {self.timeout} s")
        return self.socket.recv_multipart()

    def call(self, method, params=None, raw=None):
        """Returns (result, second frame or None); raises RpcError."""
        self.next_id += 1
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method,
                   "params": params or {}}
        frames = [json.dumps(request).encode()]
        if raw is not None:
            frames.append(raw)
        while True:
            reply = self.frames(*frames) if frames else self.receive()
            answer = json.loads(reply[0])
            if answer.get("id") == self.next_id:
                break
            frames = []  # the late answer to a call that was given up
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"], reply[1] if len(reply) > 1 else None

    def close(self):
        self.socket.close()


class Daemon:
    """A holdfastd in a private directory.

    conf: a dict, the path of a file, or the text of one (with a newline).
    args: more arguments. env: more environment. program: instead of
    build/holdfastd. ready: wait until it serves. stopped(): a context that
    does not start it."""

    def __init__(self, conf, args=(), env=None, program=None, ready=True,
                 timeout=20.0, run_dir=None):
        self.program = program or os.path.join(BUILD, "holdfastd")
        self.timeout = timeout
        self.dir = tempfile.mkdtemp(prefix="hf-")
        self.run_dir = run_dir or os.path.join(self.dir, "run")
        os.makedirs(self.run_dir, mode=0o750, exist_ok=True)
        self.store = None
        self.conf_path = self._write_conf(conf)
        self.env = dict(os.environ, HOLDFAST_RUN_DIR=self.run_dir,
                        HOLDFAST_CONTROL=self.endpoint, **(env or {}))
        self.args = [self.program, "-c", self.conf_path, "--run-dir",
                     self.run_dir, *args]
        self.popen = {}  # more for Popen()
        self.process = None
        self.pid = None
        self.returncode = None
        self._rpc = None
        self._pidfd = None
        self._stderr = os.path.join(self.dir, "stderr")
        try:
            self.start(ready)
        except BaseException:
            self.clean()
            raise

    @property
    def endpoint(self):
        return f"ipc://{self.run_dir}/control.sock"

    @property
    def events_endpoint(self):
        return f"ipc://{self.run_dir}/events.sock"

    def _write_conf(self, conf):
        path = os.path.join(self.dir, "holdfast.json")
        if isinstance(conf, dict):
            conf = dict(conf)
            conf["store"] = dict(conf.get("store", {}))
            conf["store"].setdefault("name", unique_store())
            self.store = conf["store"]["name"]
            with open(path, "w") as f:
                json.dump(conf, f, indent=1)
            return path
        if "\n" in conf:
            with open(path, "w") as f:
                f.write(conf)
            return path
        return os.path.abspath(conf)

    def start(self, ready=True):
        """Starts it (again). With ready, waits until it serves."""
        watch = Watch(self.run_dir)
        try:
            with open(self._stderr, "ab") as err:
                self.process = subprocess.Popen(
                    self.args, env=self.env, stdin=subprocess.DEVNULL,
                    stdout=err, stderr=err, close_fds=True, **self.popen)
            self.pid = self.process.pid
            self.returncode = None
            self._pidfd = os.pidfd_open(self.pid)
            if ready and not watch.until(
                    lambda: os.path.exists(self.ready_path), self.timeout,
                    [self._pidfd]):
                raise AssertionError(
                    f"{self.program} is not ready; it said:\n"
                    + self.stderr_text())
        finally:
            watch.close()

    @property
    def ready_path(self):
        return os.path.join(self.run_dir, "ready")

    def transports(self):
        """The ready file: {name: (type, host, port)}; port is None where the
        address is a path."""
        found = {}
        with open(self.ready_path) as f:
            for line in f:
                name, kind, address = line.split()
                host, _, port = address.rpartition(":")
                found[name] = ((kind, host.strip("[]"), int(port))
                               if port.isdigit() and host[:1] != "/"
                               else (kind, address, None))
        return found

    def port(self, name):
        return self.transports()[name][2]

    def stderr_text(self):
        try:
            with open(self._stderr, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_stderr(self, text, timeout=10.0):
        """Waits until the daemon has said text."""
        watch = Watch(self.dir)
        try:
            end = time.monotonic() + timeout * PATIENCE
            while text not in self.stderr_text():
                if time.monotonic() > end:
                    raise AssertionError(f"never said {text!r}:\n"
                                         + self.stderr_text())
                time.sleep(0.002)
        finally:
            watch.close()

    def cli(self, *args, ok=True, timeout=20.0 * PATIENCE, input=None):
        """Runs build/holdfast with the endpoint set."""
        done = subprocess.run(
            [os.path.join(BUILD, "holdfast"), *map(str, args)], env=self.env,
            capture_output=True, text=True, timeout=timeout, input=input)
        if ok and done.returncode != 0:
            raise AssertionError(
                f"holdfast {' '.join(map(str, args))}: exit "
                f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def connect(self, timeout=10.0 * PATIENCE):
        """A new control client; the caller closes it."""
        return Rpc(self.endpoint, timeout)

    def rpc(self, method, **params):
        """Calls a method; returns its result or raises RpcError."""
        if self._rpc is None:
            self._rpc = self.connect()
        return self._rpc.call(method, params)[0]

    def worker_pid(self, name):
        for t in self.rpc("transports.list"):
            if t["name"] == name:
                return t["pid"]
        raise KeyError(name)

    def family(self):
        """Pids of the daemon's processes, oldest first."""
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
                return [int(p) for p in f.read().split()]
        except FileNotFoundError:
            return []

    def children(self):
        """The same without the keepers."""
        return [p for p in self.family() if not is_keeper(p)]

    def keeper(self, name):
        """Pid of the keeper of a child."""
        for pid in self.family():
            if process_title(pid) == f"holdfastd: keeper {name}":
                return pid
        raise KeyError(f"no keeper of {name}")

    def child(self, name):
        """Pid of the child whose title ends so: "control", "tcp1"."""
        for pid in self.children():
            if process_title(pid).split()[-1:] == [name]:
                return pid
        raise KeyError(f"no child {name}: "
                       f"{[process_title(p) for p in self.children()]}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=None):
        """Waits for its end; returns the exit code."""
        try:
            self.returncode = self.process.wait(
                (timeout or self.timeout) * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("the daemon does not end; it said:\n"
                                 + self.stderr_text()) from None
        return self.returncode

    def stop(self):
        """TERM; it must end with 0 and leave nothing behind."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit {code}; it said:\n{self.stderr_text()}"
        if self.store:
            left = shm_objects(self.store)
            assert not left, f"left behind: {left}"
        left = os.listdir(self.run_dir)
        assert not left, f"left behind in the run directory: {left}"

    def orphan(self):
        """KILL to the supervisor alone: its workers go on."""
        self.process.kill()
        self.wait()
        if self._rpc:
            self._rpc.close()
            self._rpc = None

    def kill(self):
        """KILL to all of its processes; returns when they have gone."""
        self.process.kill()
        self.wait()
        self._end_leftovers()

    def cut(self):
        """As when the power is cut: all are killed, and what was in memory has
        gone."""
        self.kill()
        for path in shm_objects(self.store):
            os.unlink(path)

    def _end_leftovers(self):
        """Ends what a killed supervisor has left, the keepers first, which
        would bring the others back; those of other programs stay."""
        for _ in range(100):
            pids = sorted(self._leftovers(), key=lambda p: not is_keeper(p))
            fds = []
            for pid in pids:
                try:
                    fds.append(os.pidfd_open(pid))
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for fd in fds:
                select.select([fd], [], [], 10 * PATIENCE)
                os.close(fd)
            if not pids:
                return
        raise AssertionError("processes of the daemon do not end")

    def _leftovers(self):
        """Who has its control segment mapped under one of our titles."""
        mark = f"/holdfast-{self.store}." if self.store else "\0"
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            title = process_title(name)  # a guarded supervisor has none
            if not title.startswith("holdfastd:") and \
                    self.run_dir not in title:
                continue
            try:
                with open(f"/proc/{name}/maps") as f:
                    if mark in f.read():
                        yield int(name)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def clean(self):
        """Ends what is still running and removes the directory."""
        if self._rpc:
            self._rpc.close()
            self._rpc = None
        if self.process and self.process.poll() is None:
            pids = [os.pidfd_open(p) for p in self.children()
                    if os.path.exists(f"/proc/{p}")]
            self.process.kill()
            self.process.wait()
            for fd in pids:
                try:
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                os.close(fd)
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        if self.store and shm_objects(self.store):
            self._end_leftovers()
        if self.store:
            for path in shm_objects(self.store):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        try:
            if kind is None and self.returncode is None:
                self.stop()
            elif kind is not None:
                tail = self.stderr_text().splitlines()[-30:]
                print("    the daemon said:\n      " + "\n      ".join(tail))
        finally:
            self.clean()


def process_title(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_keeper(pid):
    return process_title(pid).startswith("holdfastd: keeper ")


class ModbusError(Exception):
    """An exception reply: .code"""

    def __init__(self, code):
        super().__init__(f"exception {code:#04x}")
        self.code = code


class Modbus:
    """A raw Modbus TCP client: bytes out, bytes in."""

    def __init__(self, port, host="127.0.0.1", unit=1,
                 timeout=10.0 * PATIENCE):
        self.unit = unit
        self.tid = 0
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def adu(self, pdu, unit=None, tid=None):
        """The bytes of a request."""
        if tid is None:
            self.tid = tid = (self.tid + 1) & 0xffff
        unit = self.unit if unit is None else unit
        return struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError(f"closed after {len(data)} of {n} bytes")
            data += more
        return data

    def receive(self):
        """The next reply: (tid, unit, pdu)"""
        tid, proto, length, unit = struct.unpack(">HHHB", self.exactly(7))
        assert proto == 0 and 2 <= length <= 254, (proto, length)
        return tid, unit, self.exactly(length - 1)

    def request(self, pdu, unit=None):
        """One request and its reply's PDU, exception or not."""
        self.send(self.adu(pdu, unit))
        tid, got, reply = self.receive()
        assert tid == self.tid, f"transaction {tid}, not {self.tid}"
        assert got == (self.unit if unit is None else unit)
        return reply

    def call(self, pdu, unit=None):
        """Like request, but an exception is raised as ModbusError."""
        reply = self.request(pdu, unit)
        if reply[0] & 0x80:
            assert reply[0] == pdu[0] | 0x80 and len(reply) == 2, reply
            raise ModbusError(reply[1])
        assert reply[0] == pdu[0], reply
        return reply

    def _read_regs(self, fc, addr, count, unit):
        r = self.call(struct.pack(">BHH", fc, addr, count), unit)
        assert r[1] == 2 * count == len(r) - 2, r
        return list(struct.unpack(f">{count}H", r[2:]))

    def _read_bits(self, fc, addr, count, unit):
        r = self.call(struct.pack(">BHH", fc, addr, count), unit)
        assert r[1] == (count + 7) // 8 == len(r) - 2, r
        return [r[2 + i // 8] >> i % 8 & 1 for i in range(count)]

    def read_co(self, addr, count=1, unit=None):
        return self._read_bits(1, addr, count, unit)

    def read_di(self, addr, count=1, unit=None):
        return self._read_bits(2, addr, count, unit)

    def read_hr(self, addr, count=1, unit=None):
        return self._read_regs(3, addr, count, unit)

    def read_ir(self, addr, count=1, unit=None):
        return self._read_regs(4, addr, count, unit)

    def write_coil(self, addr, on, unit=None):
        pdu = struct.pack(">BHH", 5, addr, 0xff00 if on else 0)
        assert self.call(pdu, unit) == pdu

    def write_hr(self, addr, values, unit=None):
        """FC 16; a single number is written with FC 6."""
        if isinstance(values, int):
            pdu = struct.pack(">BHH", 6, addr, values)
            assert self.call(pdu, unit) == pdu
            return
        n = len(values)
        pdu = struct.pack(f">BHHB{n}H", 16, addr, n, 2 * n, *values)
        assert self.call(pdu, unit) == pdu[:5]

    def write_co(self, addr, bits, unit=None):
        """FC 15"""
        n = len(bits)
        data = bytearray((n + 7) // 8)
        for i, b in enumerate(bits):
            data[i // 8] |= (1 if b else 0) << i % 8
        pdu = struct.pack(">BHHB", 15, addr, n, len(data)) + bytes(data)
        assert self.call(pdu, unit) == pdu[:5]

    def closed(self, timeout=5.0 * PATIENCE):
        """True once the server has ended the connection."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(4096):
                pass
            return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def whole(block):
    """The one value that all of a block has."""
    assert len(set(block)) == 1, "torn: %r" % (block,)
    return block[0]


def ahead(new, old):
    """How far a counter of 16 bits has gone since, or that it went back."""
    far = (new - old) & 0xffff
    return far if far < 0x8000 else far - 0x10000


def demo_conf(**more):
    """A small configuration that many tests start from: one device plc1 with
    every table, one TCP transport tcp1 on a free port."""
    conf = {
        "devices": {"plc1": {
            "coils": [{"addr": 0, "count": 2000}],
            "discrete_inputs": [{"addr": 0, "count": 64,
                                 "values": [1, 0, 1]}],
            "holding_registers": [{"addr": 0, "count": 1000},
                                  {"addr": 1000, "count": 10, "access": "ro",
                                   "value": 48879}],
            "input_registers": [{"addr": 0, "count": 8, "value": 7}],
        }},
        "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                                "units": {"*": "plc1"}}},
    }
    conf.update(more)
    return conf


class Skip(Exception):
    """raise Skip("why") when what a test needs is not on this machine"""


def _alarm(_number, _frame):
    raise AssertionError("took too long")


def run(names=None, seconds=60):
    """Runs the test_* functions of the calling program (or those whose names
    hold one of the words given on its command line), each with a time limit
    (its attribute .seconds, else seconds, and PATIENCE); prints a line for each
    and the sum, and exits."""
    module = sys.modules["__main__"]
    words = names if names is not None else [
        a for a in sys.argv[1:] if not a.startswith("-")]
    tests = [(n, f) for n, f in vars(module).items()
             if n.startswith("test_") and callable(f)]
    passed = failed = skipped = 0
    signal.signal(signal.SIGALRM, _alarm)
    for name, function in tests:
        if words and not any(w in name for w in words):
            continue
        title = (function.__doc__ or name[5:].replace("_", " ")).strip()
        title = " ".join(title.split())
        began = time.monotonic()
        signal.alarm(getattr(function, "seconds", seconds) * PATIENCE)
        try:
            function()
            signal.alarm(0)
            passed += 1
            print(f"ok      {title} ({time.monotonic() - began:.2f} s)")
        except Skip as why:
            signal.alarm(0)
            skipped += 1
            print(f"skipped {title}: {why}")
        except Exception:
            signal.alarm(0)
            failed += 1
            print(f"FAILED  {title}")
            print("    " + traceback.format_exc().replace("\n", "\n    "))
        sys.stdout.flush()
    if failed:
        print(f"    HOLDFAST_SEED={SEED} draws the same again")
    note = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{note}")
    sys.exit(1 if failed or not passed + skipped else 0)
