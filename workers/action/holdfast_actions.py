# SPDX-License-Identifier: Apache-2.0
"""Runs the functions of a module that was written for pymodbus's simulator
(--custom_actions_module) as actions of holdfastd. Started and ended by its
actions process, supervisor/actions.c; not meant to be run by hand:

    holdfast_actions.py MODULE FOLDER [UID...]

It inherits three descriptors: the channel to that process, the socket on which
workers reach it, and the configuration as holdfastd --dump-config prints it.
Workers speak struct runner_msg, workers/action/runner.h: a call names the value that is
being read, and until it is answered this reads and writes registers, those of
the value and others, through the worker that called.

One call at a time, of all workers together, as in the reference. What is printed
goes to the log. Needs the standard library alone.
"""

import bisect
import faulthandler
import importlib
import importlib.machinery
import importlib.util
import json
import operator
import os
import select
import signal
import socket
import struct
import sys
import traceback

CHANNEL, LISTENER, CONFIGURATION = 3, 4, 5

# struct runner_msg but for its values
HEAD = struct.Struct("=6I64s")
HELLO, CALL, READ, WRITE, COMMIT, DATA, DONE, BEGUN = range(1, 9)
VALUES_MAX = 250
FAILURE, BUSY, CHANGED, NO_SUCH = 4, 6, 254, 255
TRIES = 16  # while others write the same value
PATIENCE_S = 1.0  # for a worker to answer
GREETINGS_MAX = 64  # before somebody has a turn
WORKERS_MAX = 1000  # whose turns are known
GREETING_MS = 5  # for who has come anew to ask before others get their turn

TABLES = ("coils", "discrete_inputs", "holding_registers", "input_registers")
BITS = (0, 1)
CHUNK = 64  # registers fetched at a time

# pymodbus.datastore.simulator.CellType, and one for what it does not have
INVALID, T_BITS, UINT16, UINT32, FLOAT32, STRING, NEXT, WIDE = range(8)
TYPES = {  # name: what the first register is, registers
    "bits": (T_BITS, 1), "uint16": (UINT16, 1), "int16": (UINT16, 1),
    "uint32": (UINT32, 2), "int32": (UINT32, 2), "float32": (FLOAT32, 2),
    "uint64": (WIDE, 4), "int64": (WIDE, 4), "float64": (WIDE, 4),
}
# those of pymodbus, in the order of which a cell's action is a number there
BUILT_IN = ("increment", "random", "reset", "timestamp", "uptime")


class Gone(Exception):
    """The worker does not wait for this call any more."""


class Caller:
    """A connection to a worker, during a call."""

    def __init__(self, sock, pid):
        self.sock = sock
        self.pid = pid
        self.serial = 0
        self.device = b""

    def send(self, kind, table=0, addr=0, rc=0, values=(), count=None):
        n = len(values)
        self.sock.send(
            HEAD.pack(kind, self.serial, table, addr,
                      n if count is None else count, rc, self.device)
            + struct.pack(f"={n}H", *values))

    def receive(self, kind):
        """The answer to what was sent: its rc and values."""
        data = self.sock.recv(HEAD.size + 2 * VALUES_MAX)
        if len(data) < HEAD.size:
            raise Gone
        got, serial, _, _, count, rc, _ = HEAD.unpack_from(data)
        if (got != kind or serial != self.serial
                or len(data) != HEAD.size + 2 * count):
            raise Gone
        return rc, struct.unpack_from(f"={count}H", data, HEAD.size)

    def read(self, table, addr, count):
        self.send(READ, table, addr, count=count)
        rc, values = self.receive(DATA)
        if rc != 0 or len(values) != count:
            raise RuntimeError(f"cannot read {TABLES[table]} {addr}")
        return values

    def write(self, table, addr, values):
        for i in range(0, len(values), VALUES_MAX):
            self.send(WRITE, table, addr + i, values=values[i:i + VALUES_MAX])
            if self.receive(DATA)[0] != 0:
                raise RuntimeError(f"cannot write {TABLES[table]} {addr + i}")

    def commit(self, table, addr, was, values):
        """Writes them if they are still as they were; False if not."""
        self.send(COMMIT, table, addr, values=[*was, *values])
        rc = self.receive(DATA)[0]
        if rc not in (0, CHANGED):
            raise RuntimeError(f"cannot write {TABLES[table]} {addr}")
        return rc == 0


class Cell:
    """A register, or a bit, as pymodbus's Cell is."""

    __slots__ = ("type", "access", "action", "action_kwargs", "count_read",
                 "count_write", "_registers", "_addr", "_value", "_was",
                 "_call", "__dict__")

    def __init__(self, registers, addr, kind=INVALID, access=False, action=0,
                 parameters=None):
        self.type = kind
        self.access = access
        self.action = action
        self.action_kwargs = parameters
        self.count_read = 0
        self.count_write = 0
        self._registers = registers
        self._addr = addr
        self._value = 0
        self._was = 0  # None: not known, the value is to be written anyway
        self._call = 0  # the call in which value and was were touched

    @property
    def action_parameters(self):
        return self.action_kwargs

    @action_parameters.setter
    def action_parameters(self, parameters):
        self.action_kwargs = parameters

    @property
    def value(self):
        if self._call != self._registers.call:
            self._registers.fetch(self)
        return self._value

    @value.setter
    def value(self, value):
        registers = self._registers
        registers.need_caller()
        if self._call != registers.call:
            self._was = None
            self.touch(value)
        self._value = value

    def touch(self, value):
        self._value = value
        self._call = self._registers.call
        self._registers.touched.append(self)

    def number(self):
        """What it is to hold now; an exception if that is no such value."""
        if self._registers.table in BITS:
            return 1 if self._value else 0
        try:
            number = operator.index(self._value)
        except TypeError:
            number = -1
        if not 0 <= number <= 0xffff:
            raise ValueError(f"registers[{self._addr}].value is "
                             f"{self._value!r}, no number from 0 to 65535")
        return number

    def __repr__(self):
        return (f"Cell(type={self.type}, access={self.access}, "
                f"value={self._value}, action={self.action}, "
                f"action_kwargs={self.action_kwargs}, "
                f"count_read={self.count_read}, "
                f"count_write={self.count_write})")


class Registers:
    """All cells of a table, by address; what is not there is INVALID."""

    def __init__(self, table, ranges, action_ids):
        self.table = table
        self.cells = {}
        self.ranges = sorted(ranges, key=lambda r: r["addr"])
        self.starts = [r["addr"] for r in self.ranges]
        self.size = max((r["addr"] + r["count"] for r in ranges), default=0)
        self.action_ids = action_ids
        self.caller = None
        self.call = 0
        self.touched = []

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self.cell(i) for i in range(*index.indices(self.size))]
        index = operator.index(index)
        if index < 0:
            index += self.size
        if not 0 <= index < self.size:
            raise IndexError("list index out of range")
        return self.cell(index)

    def range_of(self, addr):
        at = bisect.bisect_right(self.starts, addr) - 1
        if at >= 0 and addr < self.starts[at] + self.ranges[at]["count"]:
            return self.ranges[at]
        return None

    def cell(self, addr):
        found = self.cells.get(addr)
        if found is None:
            found = self.cells[addr] = self.make_cell(addr)
        return found

    def make_cell(self, addr):
        r = self.range_of(addr)
        if r is None:
            return Cell(self, addr)
        access = r.get("access", "rw") == "rw"
        name = r.get("type", "bits" if self.table in BITS else "uint16")
        kind, step = TYPES.get(name, (STRING, r["count"]))
        if (addr - r["addr"]) % step != 0:
            return Cell(self, addr, NEXT, access)
        action = r.get("action") or {}
        parameters = {k: v for k, v in action.items() if k != "name"}
        return Cell(self, addr, kind, access,
                    self.action_ids.get(action.get("name"), 0),
                    parameters or None)

    def need_caller(self):
        if self.caller is None:
            raise RuntimeError("registers can only be reached by an action "
                               "while a client reads")

    def fetch(self, cell):
        """Gets a cell's value, and of those behind it that are not known."""
        self.need_caller()
        addr, r = cell._addr, self.range_of(cell._addr)
        if r is None:
            cell._was = cell._value
            cell.touch(cell._value)
            return
        end = addr + 1
        most = min(r["addr"] + r["count"], addr + CHUNK)
        while end < most and self.cell(end)._call != self.call:
            end += 1
        values = self.caller.read(self.table, addr, end - addr)
        for i, value in enumerate(values):
            self.known(addr + i, value)

    def known(self, addr, value):
        cell = self.cell(addr)
        cell._was = value
        cell.touch(value)

    def begin(self, caller, addr, values):
        self.caller = caller
        self.call += 1
        self.touched = []
        for i, value in enumerate(values):
            self.known(addr + i, value)

    def changes(self, skip):
        """Runs of other cells that have changed: (addr, [value...])"""
        runs = []
        for cell in sorted(self.touched, key=lambda c: c._addr):
            if cell._addr in skip or self.range_of(cell._addr) is None:
                continue
            value = cell.number()
            if value == cell._was:
                continue
            if runs and runs[-1][0] + len(runs[-1][1]) == cell._addr:
                runs[-1][1].append(value)
            else:
                runs.append((cell._addr, [value]))
        return runs

    def end(self):
        self.caller = None
        self.touched = []


class Runner:
    def __init__(self, actions, conf):
        self.actions = actions
        self.said = set()  # of which failures the log has a traceback
        names = list(BUILT_IN) + [n for n in actions if n not in BUILT_IN]
        ids = {name: i + 1 for i, name in enumerate(names)}
        self.tables = {}  # (device, table): Registers
        self.names = {}  # the same: the action of an address
        for name, device in conf["devices"].items():
            self.add_device(name, device, ids)

    def add_device(self, name, device, ids):
        shared = device.get("shared_blocks", False)
        for table, words in enumerate(TABLES):
            ranges = list(device.get(words, ()))
            if shared and table not in BITS:
                ranges = [r for t in TABLES[2:] for r in device.get(t, ())]
            self.tables[name.encode(), table] = Registers(table, ranges, ids)

    def function(self, registers, addr):
        r = registers.range_of(addr)
        name = (r.get("action") or {}).get("name") if r else None
        return name, self.actions.get(name)

    def call(self, caller, table, addr, count):
        """Answers one call."""
        registers = self.tables.get((caller.device.rstrip(b"\0"), table))
        name, function = None, None
        if registers is not None:
            name, function = self.function(registers, addr)
        if function is None:
            caller.send(DONE, rc=NO_SUCH)
            return
        try:
            caller.send(BEGUN)
            rc = self.carry_out(function, registers, caller, addr, count)
        except (Gone, BrokenPipeError, ConnectionResetError, socket.timeout):
            raise Gone from None
        except BaseException as e:  # sys.exit() is the module's, not ours
            self.tell(name, registers, addr, e)
            rc = FAILURE
        finally:
            registers.end()
        caller.send(DONE, rc=rc)

    def carry_out(self, function, registers, caller, addr, count):
        """Once, but for when somebody else writes the value meanwhile."""
        own = range(addr, addr + count)
        cell = registers.cell(addr)
        for _ in range(TRIES):
            was = caller.read(registers.table, addr, count)
            registers.begin(caller, addr, was)
            function(registers, addr, cell, **(cell.action_kwargs or {}))
            values = tuple(registers.cell(i).number() for i in own)
            others = registers.changes(own)
            if values != was and not caller.commit(
                    registers.table, addr, was, values):
                continue
            for at, run in others:
                caller.write(registers.table, at, run)
            cell.count_read += 1
            return 0
        return BUSY

    def tell(self, name, registers, addr, e):
        """A traceback, once for each place that fails."""
        tb = e.__traceback__
        if tb is not None and tb.tb_next is not None:
            tb = tb.tb_next  # from the function on
        last = traceback.extract_tb(tb)[-1:]
        key = (name, type(e), tuple((f.filename, f.lineno) for f in last))
        if key in self.said:
            return
        self.said.add(key)
        print(f'action "{name}" failed at {TABLES[registers.table]} {addr}; '
              f"said once\n"
              + "".join(traceback.format_exception(type(e), e, tb)).rstrip(),
              file=sys.stderr, flush=True)


class Service:
    """The loop: workers, and the process that has started this one."""

    def __init__(self, runner, uids):
        self.runner = runner
        self.uids = uids
        self.channel = socket.socket(fileno=CHANNEL)
        self.listener = socket.socket(fileno=LISTENER)
        self.listener.setblocking(False)
        self.callers = {}
        self.turns = 0
        self.last_turn = {}  # by the pid of the worker
        self.poll = select.poll()
        self.poll.register(self.channel, select.POLLIN)
        self.poll.register(self.listener, select.POLLIN)

    def accept(self):
        """Greets one who has come: whom, or None. An exception of accept() if
        nobody has."""
        sock, _ = self.listener.accept()
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in self.uids:
            print(f"a process of user {uid} is none of the daemon's",
                  file=sys.stderr, flush=True)
            sock.close()
            return None
        sock.settimeout(PATIENCE_S)
        caller = Caller(sock, pid)
        try:
            caller.send(HELLO)
        except OSError:
            sock.close()  # it has gone already
            return None
        self.callers[sock.fileno()] = caller
        self.poll.register(sock, select.POLLIN)
        return caller

    def greet(self):
        """Takes all who have come. One that has taken a call back since its
        turn came too late has a new connection, and a client who asks again:
        a moment later, with that call in hand, it is its turn."""
        fresh = select.poll()
        n = 0
        try:
            for _ in range(GREETINGS_MAX):
                caller = self.accept()
                if caller:
                    fresh.register(caller.sock, select.POLLIN)
                    n += 1
        except (BlockingIOError, ConnectionAbortedError):
            pass
        while n and (heard := fresh.poll(GREETING_MS)):
            for fd, _ in heard:
                fresh.unregister(fd)
                n -= 1

    def drop(self, fd):
        self.poll.unregister(fd)
        self.callers.pop(fd).sock.close()

    def serve(self, fd, caller):
        try:
            data = caller.sock.recv(HEAD.size + 2 * VALUES_MAX)
            if len(data) < HEAD.size:
                raise Gone
            kind, caller.serial, table, addr, count, _, caller.device = (
                HEAD.unpack_from(data))
            if kind != CALL or len(data) != HEAD.size:
                raise Gone
            self.runner.call(caller, table, addr, count)
        except (Gone, OSError):
            self.drop(fd)

    def serve_next(self, ready):
        """One call: of the worker whose last turn is the longest ago. Where
        nobody waits any more for what he has asked, that is none."""
        def last(fd):
            return self.last_turn.get(self.callers[fd].pid, 0)

        for fd in [fd for fd in ready if ready[fd] & ~select.POLLIN]:
            del ready[fd]
            self.drop(fd)
        if not ready:
            return
        fd = min(ready, key=last)
        self.turns += 1
        if len(self.last_turn) > WORKERS_MAX:
            self.last_turn.clear()  # most of them have gone
        self.last_turn[self.callers[fd].pid] = self.turns
        self.serve(fd, self.callers[fd])

    def run(self):
        while True:
            ready = dict(self.poll.poll())
            if ready.pop(CHANNEL, None):
                try:
                    if not self.channel.recv(16):
                        return
                    self.channel.send(b"alive")
                except ConnectionError:
                    return
            if ready.pop(LISTENER, None):
                self.greet()
                ready = dict(self.poll.poll(0))  # who may be the next to ask
                ready.pop(CHANNEL, None)
                ready.pop(LISTENER, None)
            if ready:
                self.serve_next(ready)


def load(module, folder):
    """The module, as the reference imports it, or from its file."""
    sys.path[0] = folder
    if not module.endswith(".py") and "/" not in module:
        return importlib.import_module(module)
    sys.path[0] = os.path.dirname(module)
    name = os.path.basename(module)
    name = name[:-3] if name.endswith(".py") else name
    spec = importlib.util.spec_from_file_location(
        name, module,
        loader=importlib.machinery.SourceFileLoader(name, module))
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def actions_of(module):
    """Its custom_actions_dict; ValueError if it is not what it should be."""
    actions = getattr(module, "custom_actions_dict", None)
    if not isinstance(actions, dict):
        raise ValueError("it has no dict custom_actions_dict")
    for name, function in actions.items():
        if not callable(function):
            raise ValueError(f"{name!r} in custom_actions_dict is no function")
    return actions


def leave_signals():
    """What is meant for all of a terminal ends the daemon, which ends this.
    Not ignored: what a module starts would inherit that."""
    ours = signal.SIGINT, signal.SIGTERM
    for number in ours:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)


def tell(channel, words):
    """False if the one who has started this has gone."""
    try:
        channel.send(words.encode()[:200])
        return True
    except ConnectionError:
        return False


def main(module, folder, *uids):
    leave_signals()
    faulthandler.enable()  # to a hang our parent puts an end with SIGABRT
    with open(CONFIGURATION, encoding="utf-8") as f:
        f.seek(0)
        conf = json.load(f)
    channel = socket.socket(fileno=os.dup(CHANNEL))
    try:
        runner = Runner(actions_of(load(module, folder)), conf)
    except BaseException as e:  # also sys.exit()
        missing = isinstance(e, ModuleNotFoundError) and e.name == module
        if not missing and not isinstance(e, (SyntaxError, ValueError)):
            traceback.print_exc()
        why = traceback.format_exception_only(type(e), e)[-1].strip()
        if isinstance(e, SyntaxError):
            why += f" ({e.filename}, line {e.lineno})"
        tell(channel, f"failed {why}")
        return 1
    names = ", ".join(map(str, runner.actions)) or "none"
    if not tell(channel, f"loaded {names}"):
        return 0
    channel.close()
    Service(runner, {int(u) for u in uids} | {0, os.getuid()}).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
