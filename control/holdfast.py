#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Registers, transports and events of a running holdfastd, from Python.

    import holdfast

    with holdfast.Client() as hf:
        plc = hf["plc1"]
        plc.hr[100:104] = [1, 2, 3, 4]          # one step, all or nothing
        print(plc.hr[100], plc.co[5])           # 1 False
        plc.hr.float32[1100] = 1.5
        print(plc.hr.int32("cdab")[10:14])      # two values, four registers
        print(plc["flow"])                      # as the configuration has it
        with plc.transaction() as t:
            t.check("hr", 100, [1])
            t.hr[101] = 7
            seen = t.read("hr", 100, 4)
        print(seen.value)
        for event in hf.watch("plc1/hr:100+4", timeout=5):
            print(event.addr, event.old, event.new)

    async with holdfast.AsyncClient() as hf:    # the same names, awaited
        print(await hf["plc1"].hr[100:104])
        await hf["plc1"].hr.write(100, [1, 2, 3, 4])

    python3 -m holdfast get plc1/hr:100+4       # a small command line

One file; needs Python 3.9 or later, pyzmq, and nothing else. What methods
answer is what holdfast-control(7) says of the method of the same name.

WHERE THE DAEMON IS. Client(endpoint) takes ipc://PATH, tcp://HOST:PORT or the
path of a socket. Without it: $HOLDFAST_CONTROL, else control.sock in run_dir,
in $HOLDFAST_RUN_DIR or in /run/holdfast. For a tcp endpoint with CURVE give
key= (the own secret key, or a file with it) and server_key= (the daemon's
public key, or a file with it).

WHEN IT IS NOT THERE. The first call connects. Where nobody listens it fails at
once with Unreachable, or after wait= seconds if that is given. From then on a
connection that ends (the control process was killed and is being replaced,
say) is made anew, and calls wait for that within their timeout.
 - What only reads is asked again by itself if its answer was lost, up to five
   times.
 - What changes something is sent once and never twice. If the connection ends
   after it was sent and before its answer, the call fails with AnswerLost: it
   may have been carried out or not, wholly or not at all, but it will not be
   any more. Read, or use a check in a transaction, to find out.
 - Timeout means that no answer came in time; an order may still be carried
   out.

THREADS. A Client may be shared by threads: calls take turns. Give a thread its
own Client if it makes long calls (stop, restart, reload). A child after fork()
gets connections of its own. An AsyncClient belongs to the event loop in which
it was first used, and any number of its calls may be under way at a time. A
Watch belongs to one thread, or task, at a time.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import collections
import csv
import errno
import functools
import inspect
import itertools
import json
import math
import operator
import os
import re
import struct
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import (TYPE_CHECKING, Any, Awaitable, Callable, Deque, Dict,
                    Generator, Generic, Iterator, List, NamedTuple, Optional,
                    Sequence, Tuple, TypeVar, Union, overload)

import zmq

__version__ = "0.1.0"

__all__ = [
    "AnswerLost", "AsyncClient", "BadAnswer", "BadParams", "BadRequest",
    "Batch", "BatchDevice", "Busy", "CheckFailed", "Client", "DaemonError",
    "DaemonTimeout", "Denied", "Device", "Event", "EventsMissed", "Fault",
    "HoldfastError", "IllegalAddress", "InternalError", "KeyRefused", "Later",
    "ModbusError", "NoSuchName", "NotFound", "Range", "Reading", "Refused",
    "Table", "Timeout", "Transaction", "UnknownMethod", "Unreachable",
    "Watch",
]

Value = Union[int, float, bool, str]
T = TypeVar("T")
# What a method does, written once for both clients: a generator that yields
# what is to be waited for and returns the method's result.
Steps = Generator[Any, Any, T]

DEFAULT_RUN_DIR = "/run/holdfast"
FRAME_MAX = 1 << 20  # the daemon hangs up on longer ones
BATCH_MAX = 1024
RAW_FROM = 64  # so many registers travel as bytes rather than as text
ORDER_S = 60.0  # beyond the timeout, for what is answered after it happened
RESENDS_MAX = 5  # of what may be sent again
RETRY_S = 0.03  # between attempts to connect
READY_S = 0.05  # between looks at transports that are not up yet
HEARTBEAT_MS = 5000
NEVER_MS = 10 ** 8
PIECE_MS = 500  # of a wait; see _poll()

# ---- errors -----------------------------------------------------------------


class HoldfastError(Exception):
    """All that this module raises of its own."""


class Unreachable(HoldfastError, ConnectionError):
    """Nobody serves there. Nothing was sent."""


class KeyRefused(Unreachable):
    """The daemon does not accept the key, or other keys are in use there."""


class AnswerLost(HoldfastError, ConnectionError):
    """The connection ended after something that changes things was sent, and
    before its answer. It was carried out once or not at all; it was not sent
    again."""


class Timeout(HoldfastError, TimeoutError):
    """No answer in time. What was asked may still be carried out."""


class BadAnswer(HoldfastError):
    """A reply that does not fit what was asked."""


class EventsMissed(HoldfastError):
    """Events were missed; raised by a watch with strict=True."""


class NoSuchName(HoldfastError, KeyError):
    """No range of the device, or more than one, has that name."""

    __str__ = Exception.__str__  # KeyError would show quotes


class DaemonError(HoldfastError):
    """The daemon's answer is an error.

    code: of JSON-RPC. reason: a fixed word, see holdfast-control(7).
    modbus_exception: 1 to 11, or None. message: for people. method: what was
    called. data: everything else that came with it."""

    def __init__(self, code: int, message: str = "",
                 data: Optional[Dict[str, Any]] = None,
                 method: str = "") -> None:
        super().__init__(code, message, data, method)  # so that it pickles
        self.code = code
        self.message = message
        self.data = data if isinstance(data, dict) else {}
        self.method = method
        self.reason: Optional[str] = self.data.get("reason")
        self.modbus_exception: Optional[int] = self.data.get(
            "modbus_exception")

    def __str__(self) -> str:
        text = self.message or f"error {self.code}"
        if self.modbus_exception is not None:
            text += f" (exception {self.modbus_exception})"
        return f"{self.method}: {text}" if self.method else text


class BadRequest(DaemonError):
    """-32700, -32600: no request, or one beyond a limit."""


class UnknownMethod(DaemonError):
    """-32601: this daemon has no such method; .method names it."""


class BadParams(DaemonError):
    """-32602: a parameter is missing, unknown, or not possible."""


class InternalError(DaemonError):
    """-32603: the daemon could not, for lack of memory."""


class Refused(DaemonError):
    """-32000: the daemon cannot do that; the message says why."""


class Busy(Refused):
    """Too much is under way; ask again."""


class CheckFailed(Refused):
    """A check of a transaction did not hold; nothing was written."""


class NotFound(DaemonError, LookupError):
    """-32001: no such device, transport or connection."""


class Denied(DaemonError):
    """-32002: the role of the key does not allow it."""


class ModbusError(DaemonError):
    """-32003: what a Modbus client would see as an exception."""


class IllegalAddress(ModbusError, IndexError):
    """Exception 2: not wholly within the table."""


class DaemonTimeout(DaemonError, TimeoutError):
    """-32004: the daemon says that it has not happened in time, but may."""


_BY_CODE = {
    -32700: BadRequest, -32600: BadRequest, -32601: UnknownMethod,
    -32602: BadParams, -32603: InternalError, -32000: Refused,
    -32001: NotFound, -32002: Denied, -32003: ModbusError,
    -32004: DaemonTimeout,
}
_BY_REASON = {
    (-32000, "busy"): Busy, (-32000, "check_failed"): CheckFailed,
    (-32003, "illegal_data_address"): IllegalAddress,
}


def _daemon_error(error: Any, method: str) -> HoldfastError:
    """The exception that an error object stands for."""
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return BadAnswer(f"{method}: an error without a code: {error!r}")
    data = error.get("data")
    code = error["code"]
    reason = data.get("reason") if isinstance(data, dict) else None
    kind = _BY_REASON.get((code, str(reason)),
                          _BY_CODE.get(code, DaemonError))
    message = str(error.get("message", ""))
    if kind is UnknownMethod:
        message = message or f'no method "{method}"'
    return kind(code, message, data, method)


# ---- values -----------------------------------------------------------------

TABLES = {"co": "coils", "di": "discrete_inputs", "hr": "holding_registers",
          "ir": "input_registers"}
_SHORT = {**{name: short for short, name in TABLES.items()},
          **{short: short for short in TABLES}}
# registers of a value, and how struct names its bytes
_TYPES = {"uint16": (1, "H"), "int16": (1, "h"), "uint32": (2, "I"),
          "int32": (2, "i"), "uint64": (4, "Q"), "int64": (4, "q"),
          "float32": (2, "f"), "float64": (4, "d"), "string": (1, ""),
          "bits": (1, "")}
ORDERS = ("abcd", "badc", "cdab", "dcba")
_FLOATS = ("float32", "float64")


def _is_bits(table: str) -> bool:
    return table in ("co", "di")


def _known(what: str, word: str, words: Sequence[str]) -> str:
    if word not in words:
        raise ValueError(f'unknown {what} "{word}"; one of: '
                         + ", ".join(words))
    return word


def _table_name(table: str) -> str:
    """The short name of a table by either of its names."""
    if table not in _SHORT:
        _known("table", table, list(TABLES))
    return _SHORT[table]


def _to_json(value: Any) -> Any:
    """A value as JSON has it; numbers of other libraries are numbers too."""
    if isinstance(value, (str, bool)):
        return value
    try:
        return operator.index(value)
    except TypeError:
        pass
    if not hasattr(value, "__float__"):
        raise TypeError(f"{value!r} is no value of a register")
    number = float(value)
    if math.isfinite(number):
        return number
    return ("NaN" if math.isnan(number)
            else "Infinity" if number > 0 else "-Infinity")


def _from_json(values: Any, table: str, kind: Optional[str]) -> List[Value]:
    """Values as Python has them: bits are bools, floats are floats."""
    if _is_bits(table) or kind == "bits":
        return [bool(v) for v in values]
    if kind in _FLOATS:
        return [float(v) for v in values]
    return list(values)


def _from_raw(raw: bytes, table: str) -> List[Value]:
    words = array.array("H", raw)
    if sys.byteorder == "big":
        words.byteswap()
    return [bool(w) for w in words] if _is_bits(table) else list(words)


def _to_raw(values: Sequence[Any]) -> Optional[bytes]:
    """None if the values are not all of 16 bits: the daemon says which."""
    try:
        words = array.array("H", values)
    except (OverflowError, TypeError):
        return None
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def _shortest(number: float) -> float:
    """The shortest decimal that is the same float32, as the daemon has it."""
    if not math.isfinite(number):
        return number
    wanted = struct.pack(">f", number)
    for digits in range(6, 9):
        near = float(f"{number:.{digits}g}")
        try:
            if struct.pack(">f", near) == wanted:
                return near
        except OverflowError:  # rounded up beyond the largest
            pass
    return float(f"{number:.9g}")


def _from_registers(registers: Sequence[int], kind: str,
                    order: str) -> List[Value]:
    """What registers hold, by type and order: as registers.read would."""
    if order in ("badc", "dcba"):
        registers = [(r & 0xff) << 8 | r >> 8 for r in registers]
    if kind == "string":
        text = struct.pack(f">{len(registers)}H", *registers).rstrip(b"\0")
        try:
            return [text.decode()]
        except ValueError:  # no UTF-8: bytes stand for themselves
            return [text.decode("latin-1")]
    if kind == "bits":
        return [bool(r >> bit & 1) for r in registers for bit in range(16)]
    step, code = _TYPES[kind]
    found: List[Value] = []
    for i in range(0, len(registers) - step + 1, step):
        words = list(registers[i:i + step])
        if order in ("cdab", "dcba"):
            words.reverse()
        value = struct.unpack(">" + code, struct.pack(f">{step}H", *words))[0]
        found.append(_shortest(value) if kind == "float32" else value)
    return found


# ---- addresses --------------------------------------------------------------


class Range(NamedTuple):
    """A range of a device, as the configuration declares it."""

    table: str  # co, di, hr, ir; or files, fifos
    addr: int
    count: int  # type: ignore[assignment]  # addresses
    access: str = "rw"
    type: str = "uint16"
    order: str = "abcd"
    name: Optional[str] = None
    unit: Optional[str] = None
    scale: float = 1
    file: Optional[int] = None


class Reading(NamedTuple):
    """A value and what the configuration says of it. scaled is the value
    times the scale, if it is a number."""

    value: Any
    unit: Optional[str]
    scale: float
    scaled: Any


@dataclass(frozen=True)
class _Where:
    """What is read, written or watched. count is in values of the type, for
    a string in registers; None: one value, or what the range has."""

    device: Optional[str]
    table: str
    addr: int
    count: Optional[int] = None
    type: Optional[str] = None
    order: Optional[str] = None
    one: bool = False  # its values are handed over as a single one
    name: Optional[str] = None

    def __str__(self) -> str:
        device = f"{self.device}/" if self.device else ""
        return f"{device}{self.table}:{self.addr}"

    def units(self) -> int:
        """Registers, or bits, that it takes."""
        count = 1 if self.count is None else self.count
        if _is_bits(self.table):
            return count
        if self.type == "bits":
            return (count + 15) // 16
        return count * _TYPES[self.type or "uint16"][0]

    def params(self) -> Dict[str, Any]:
        return _given(table=self.table, addr=self.addr, type=self.type,
                      order=self.order)


@dataclass(frozen=True)
class _Named:
    """A range by its name."""

    device: Optional[str]
    name: str


_ADDRESS = re.compile(
    r"(?:(?P<device>[^/]*)/)?(?P<table>[^:/]*):(?P<addr>[^:+]*)"
    r"(?:\+(?P<count>[^:]*))?(?::(?P<type>[^:]*)(?::(?P<order>[^:]*))?)?")


def _number(text: str, word: str, low: int, high: int) -> int:
    try:
        if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", word):
            raise ValueError
        number = int(word, 16 if word[:2] in ("0x", "0X") else 10)
    except ValueError:
        number = -1
    if not low <= number <= high:
        raise ValueError(f"{text}: \"{word}\" is no number of {low}..{high}")
    return number


def _parse_address(text: str) -> _Where:
    """[device/]table:addr[+count][:type[:order]]"""
    found = _ADDRESS.fullmatch(text)
    if not found or found["device"] == "":
        raise ValueError(f"{text}: an address is "
                         "[device/]table:addr[+count][:type[:order]]")
    try:
        if found["type"] is not None:
            _known("type", found["type"], [*_TYPES, "declared"])
        if found["order"] is not None:
            _known("order", found["order"], ORDERS)
        table = _table_name(found["table"])
    except ValueError as e:
        raise ValueError(f"{text}: {e}") from None
    count = found["count"]
    return _Where(
        found["device"], table, _number(text, found["addr"], 0, 65535),
        None if count is None else _number(text, count, 1, 65536 * 16),
        found["type"], found["order"], one=count is None)


def _parse_target(text: str) -> Union[_Where, _Named]:
    """An address, or the name of a range behind [device/]."""
    if ":" in text:
        return _parse_address(text)
    device, slash, name = text.rpartition("/")
    if not name or (slash and not device):
        raise ValueError(f"{text!r}: an address, or a name, is wanted")
    return _Named(device or None, name)


def _given(**params: Any) -> Dict[str, Any]:
    """Those that are there."""
    return {k: v for k, v in params.items() if v is not None}


# ---- what methods wait for --------------------------------------------------

# What may be asked twice: it changes nothing, or nothing the second time.
_REPEATABLE = frozenset((
    "system.ping", "system.info", "system.methods", "registers.read",
    "registers.describe", "devices.list", "transports.list",
    "connections.list", "quarantine.list", "faults.list", "faults.clear",
    "stats.get", "trace.read"))
# What is answered after it has happened.
_ORDERS = frozenset((
    "system.reload", "system.upgrade", "system.shutdown",
    "transports.start", "transports.stop", "transports.restart",
    "connections.close", "snapshot.save", "snapshot.load"))

_ids = itertools.count(1)


class _Gone(Exception):
    """The connection ended; sent says if what was to be sent was."""

    def __init__(self, sent: bool) -> None:
        super().__init__()
        self.sent = sent


@dataclass
class _Call:
    """One request of JSON-RPC."""

    method: str
    params: Dict[str, Any]
    id: int = field(default_factory=lambda: next(_ids))

    def json(self) -> Dict[str, Any]:
        return {"jsonrpc": "2.0", "id": self.id, "method": self.method,
                "params": self.params}

    def result(self, answer: Any) -> Any:
        """What an answer to it says; raises what it complains about."""
        if not isinstance(answer, dict) or answer.get("id") != self.id:
            raise BadAnswer(f"{self.method}: an answer to something else: "
                            f"{answer!r:.200}")
        if "error" in answer:
            raise _daemon_error(answer["error"], self.method)
        if "result" not in answer:
            raise BadAnswer(f"{self.method}: neither a result nor an error")
        return answer["result"]

    def is_repeatable(self) -> bool:
        if self.method == "registers.transaction":
            ops = self.params.get("ops")
            return isinstance(ops, list) and all(
                isinstance(op, dict) and op.get("op") in ("read", "check")
                for op in ops)
        return self.method in _REPEATABLE


# The three things that a method may yield. Each is done by the driver of the
# client: it blocks, or awaits.


@dataclass
class _Open:
    """A connection, if there is none. Yields None once there is one, else
    why there is not; KeyRefused if there never will be."""

    until: float


@dataclass
class _Exchange:
    """Sends frames; the answer's (object, second frame). _Gone, or Timeout
    without words."""

    id: int
    frames: List[bytes]
    until: float


@dataclass
class _Pause:
    seconds: float


if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    P = ParamSpec("P")

    class _Method(Generic[P, T]):
        @overload
        def __get__(self, obj: Client, owner: Any) -> Callable[P, T]: ...
        @overload
        def __get__(self, obj: AsyncClient,
                    owner: Any) -> Callable[P, Awaitable[T]]: ...
        @overload
        def __get__(self, obj: Any, owner: Any) -> Callable[P, Any]: ...
        def __get__(self, obj: Any, owner: Any) -> Any: ...

    def _method(steps: Callable[Concatenate[Any, P], Steps[T]]
                ) -> _Method[P, T]: ...
else:
    def _method(steps):
        """A method of both clients, made of its steps: it returns the result,
        or what is to be awaited for it."""
        @functools.wraps(steps)
        def method(self, *args, **kwargs):
            return self._drive(steps(self, *args, **kwargs))

        said = inspect.signature(steps)
        returns = said.return_annotation
        if isinstance(returns, str) and returns.startswith("Steps["):
            returns = returns[len("Steps["):-1]
        method.__signature__ = said.replace(return_annotation=returns)
        return method


# ---- tables, devices --------------------------------------------------------


class Table:
    """The registers, or bits, of a table: hf["plc1"].hr, for instance.

        hr[100]              one value           hr[100] = 7
        hr[100:104]          a list of values    hr[100:104] = [1, 2, 3, 4]
        hr.float32[1100]     a value of a type   hr.int32("cdab")[10:14]
        hr.string[200:208]   the text in eight registers
        hr.bits[5]           its 16 bits, the lowest first
        hr.declared[1100]    whatever the configuration says is there

    Both ends of a slice are addresses, as everywhere in Holdfast, also where
    a value takes several registers; the slice must hold whole values. Read or
    written in one step, it is wholly of one moment; one step writes at most
    8192 bytes. Bits are bools. A string that is written to a slice fills it
    up with NUL; to one address, up to the end of its range.

    Of an AsyncClient reads are awaited: await hr[100]. Assignments cannot be,
    so there it is: await hr.write(100, [7])."""

    __iter__ = None  # it has no end
    __contains__ = None

    def __init__(self, owner: Any, device: Optional[str], table: str,
                 type: Optional[str] = None,
                 order: Optional[str] = None) -> None:
        self._owner = owner
        self._device = device
        self._table = _table_name(table)
        if type is not None:
            _known("type", type, [*_TYPES, "declared"])
        if order is not None:
            _known("order", order, ORDERS)
        self._type = type
        self._order = order

    def __repr__(self) -> str:
        words = [f"{self._device}/" if self._device else "", self._table]
        words += [f".{self._type}" if self._type else ""]
        words += [f'("{self._order}")' if self._order else ""]
        return f"<table {''.join(words)}>"

    def typed(self, type: str, order: Optional[str] = None) -> Table:
        """The same table, seen as values of a type."""
        return Table(self._owner, self._device, self._table, type, order)

    def __call__(self, order: str) -> Table:
        """The same values, in another order of bytes and words."""
        return self.typed(self._type or "uint16", order)

    uint16 = property(lambda self: self.typed("uint16"))
    int16 = property(lambda self: self.typed("int16"))
    uint32 = property(lambda self: self.typed("uint32"))
    int32 = property(lambda self: self.typed("int32"))
    uint64 = property(lambda self: self.typed("uint64"))
    int64 = property(lambda self: self.typed("int64"))
    float32 = property(lambda self: self.typed("float32"))
    float64 = property(lambda self: self.typed("float64"))
    string = property(lambda self: self.typed("string"))
    bits = property(lambda self: self.typed("bits"))
    declared = property(lambda self: self.typed("declared"))

    def read(self, addr: int, count: int = 1) -> Any:
        """count values from addr on, as a list; of a string, count is in
        registers."""
        return self._owner._fetch(self._at(addr, count, False))

    def write(self, addr: int, values: Any,
              count: Optional[int] = None) -> Any:
        """Values to addr and what follows, in one step. Answers the number of
        the commit. A single value may stand without a list; count is the
        number of registers that a string takes."""
        if isinstance(values, (str, bool)) or not hasattr(values, "__iter__"):
            values = [values]
        return self._owner._store(self._at(addr, count, False), list(values))

    def _at(self, addr: int, count: Optional[int], one: bool) -> _Where:
        addr = operator.index(addr)
        if addr < 0:
            raise IndexError(f"{addr}: addresses count from 0")
        return _Where(self._device, self._table, addr, count, self._type,
                      self._order, one)

    def _place(self, key: Any) -> _Where:
        """What an index or a slice means."""
        if not isinstance(key, slice):
            bits = self._type == "bits" and not _is_bits(self._table)
            return self._at(key, 16 if bits else None, not bits)
        if key.step not in (None, 1):
            raise ValueError("a slice of a table has no step")
        if key.stop is None:
            raise ValueError("a slice of a table says where it ends")
        if self._type == "declared":
            raise ValueError("how long a declared value is, is not known "
                             "here; use .declared[addr]")
        start = operator.index(0 if key.start is None else key.start)
        span = max(0, operator.index(key.stop) - start)
        where = self._at(start, span, self._type == "string")
        if _is_bits(self._table) or self._type == "string":
            return where
        step = _TYPES[self._type or "uint16"][0]
        if span % step:
            raise ValueError(f"{span} registers hold no whole number of "
                             f"{self._type}, which take {step}")
        count = span * 16 if self._type == "bits" else span // step
        return self._at(start, count, False)

    def __getitem__(self, key: Any) -> Any:
        return self._owner._fetch(self._place(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        where = self._place(key)
        self._owner._assignable()
        if where.one:
            self._owner._store(where, [value])
            return
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise TypeError(f"{where}: a sequence of values is wanted")
        values = list(value)
        if len(values) != where.count:
            raise ValueError(f"{where}: {len(values)} values for "
                             f"{where.count}")
        self._owner._store(where, values)


class _Tables:
    """What has the four tables: a client, a device, a transaction."""

    _device: Optional[str] = None

    def _table_owner(self) -> Any:
        return self

    def table(self, name: str) -> Table:
        """A table by its name, short or long."""
        return Table(self._table_owner(), self._device, name)

    @property
    def co(self) -> Table:
        """Coils."""
        return self.table("co")

    @property
    def di(self) -> Table:
        """Discrete inputs."""
        return self.table("di")

    @property
    def hr(self) -> Table:
        """Holding registers."""
        return self.table("hr")

    @property
    def ir(self) -> Table:
        """Input registers."""
        return self.table("ir")


class _Places(_Tables):
    """A device's tables and names."""

    def __init__(self, owner: Any, name: Optional[str]) -> None:
        self._owner = owner
        self._device = name

    def __repr__(self) -> str:
        return f"<device {self._device}>"

    def _table_owner(self) -> Any:
        return self._owner

    def __getitem__(self, name: str) -> Any:
        return self._owner._fetch(_Named(self._device, _text(name)))

    def __setitem__(self, name: str, value: Any) -> None:
        self._owner._assignable()
        self._owner._store(_Named(self._device, _text(name)), value)

    __iter__ = None
    __contains__ = None

    def get(self, name: str) -> Any:
        """The same as dev[name]."""
        return self[name]

    def set(self, name: str, value: Any) -> Any:
        """The same as dev[name] = value, to be awaited where that is due;
        answers the number of the commit."""
        return self._owner._store(_Named(self._device, _text(name)), value)


class BatchDevice(_Places):
    """A device in a batch: b["plc1"]. It can be read and written there, in its
    tables and by its names, as Device; what is read is a Later."""


class Device(_Places):
    """A device: hf["plc1"]. Its tables are .co, .di, .hr and .ir, and a range
    that the configuration gives a name is an item: dev["flow"] is its value
    as `holdfast get` shows it, in the declared type and order, as stored; its
    scale is applied by nobody but dev.reading("flow"). A range of more than
    one value is a list."""

    def reading(self, name: str) -> Any:
        """A Reading: the value, its unit, its scale, and both multiplied."""
        return self._owner._reading(_Named(self._device, _text(name)))

    def describe(self, table: Optional[str] = None) -> Any:
        """The ranges of the device, a list of Range."""
        return self._owner.describe(device=self._device, table=table)

    def transaction(self) -> Transaction:
        """Several operations on the device as one step; see Transaction."""
        return self._owner.transaction(self._device)

    def watch(self, *what: str, timeout: Optional[float] = None,
              strict: bool = False) -> Watch:
        """Changes of the device: of names, tables ("hr") and addresses
        ("hr:100+4"), or of all. See Watch."""
        words = list(what)
        if self._device:
            words = [f"{self._device}/{w}" for w in words] or [
                f"registers.{self._device}."]
        return self._owner.watch(*words, timeout=timeout, strict=strict)


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{name!r}: a device has names; registers are in its "
                        "tables: .hr, .ir, .co, .di")
    return name


# ---- several at once --------------------------------------------------------


class Later:
    """What an operation will have read, once its transaction or batch has
    been carried out: .value. A list can be used as one."""

    def __init__(self) -> None:
        self._settled = False
        self._value: Any = None
        self._error: Optional[BaseException] = RuntimeError(
            "not known before the block has ended")

    def _settle(self, value: Any, error: Optional[BaseException]) -> None:
        self._settled, self._value, self._error = True, value, error

    @property
    def value(self) -> Any:
        """Raises what the operation has failed with."""
        if self._error is not None:
            raise self._error
        return self._value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, i: Any) -> Any:
        return self.value[i]

    def __repr__(self) -> str:
        return f"<later {self._value if self._error is None else '...'}>"


class _Block:
    """A block with a beginning and an end, of either client."""

    _client: Any

    def _begin(self) -> Steps[Any]:
        return self
        yield  # a generator

    def _end(self, raised: bool) -> Steps[None]:
        raise NotImplementedError

    def __enter__(self) -> Any:
        if self._client._is_async:
            raise TypeError("async with, please")
        return self._client._drive(self._begin())

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._client._drive(self._end(kind is not None))

    async def __aenter__(self) -> Any:
        if not self._client._is_async:
            raise TypeError("with, not async with: the client is no "
                            "AsyncClient")
        return await self._client._drive(self._begin())

    async def __aexit__(self, kind: Any, *_: Any) -> None:
        await self._client._drive(self._end(kind is not None))


class _Operations(_Block):
    """A block whose operations are carried out when it ends."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._ops: List[Tuple[str, Any, Any, Later]] = []
        self._over = False

    def _not_over(self) -> None:
        if self._over:
            raise RuntimeError("the block has ended: what is done with it now "
                               "would not happen")

    def _add(self, op: str, where: Any, values: Any = None) -> Later:
        self._not_over()
        later = Later()
        self._ops.append((op, where, values, later))
        return later

    def _assignable(self) -> None:
        pass

    def _begin(self) -> Steps[Any]:
        self._not_over()
        return self
        yield  # a generator

    def _carry_out(self) -> Steps[None]:
        raise NotImplementedError

    def _end(self, raised: bool) -> Steps[None]:
        """Whatever happens, every Later has its value or its error then."""
        self._over = True
        failed: BaseException = RuntimeError(
            "the block has raised, so this was not carried out")
        try:
            if self._ops and not raised:
                yield from self._carry_out()
        except BaseException as e:
            failed = e
            raise
        finally:
            for *_, later in self._ops:
                if not later._settled:
                    later._settle(None, failed)


class Transaction(_Tables, _Operations):
    """Operations on one device that happen as one step, all or nothing.

        with dev.transaction() as t:
            t.check("hr", 100, [1])      # else nothing is written
            t.write("hr", 101, [2, 3])
            t.mask("hr", 103, and_=0xff00, or_=0x12)
            t.hr[104] = 5                # tables and names work too,
            t.hr.float32[1100] = 1.5     # of an AsyncClient as well
            t["setpoint"] = 20
            seen = t.read("hr", 100, 4)  # sees the writes before it
        print(seen.value, t.seq)

    They are sent when the block ends, and not at all if it raises. The block's
    end raises CheckFailed if a check did not hold."""

    def __init__(self, client: Any, device: Optional[str]) -> None:
        super().__init__(client)
        self._device = device
        self.seq: Optional[int] = None

    def _fetch(self, where: Any) -> Later:
        return self._add("read", where)

    def _store(self, where: Any, values: Any) -> None:
        self._add("write", where, values)

    def __getitem__(self, name: str) -> Later:
        return self._fetch(_Named(self._device, _text(name)))

    def __setitem__(self, name: str, value: Any) -> None:
        self._store(_Named(self._device, _text(name)), value)

    __iter__ = None
    __contains__ = None

    def _at(self, table: str, addr: int, count: Optional[int],
            type: Optional[str], order: Optional[str]) -> _Where:
        return Table(self, self._device, table, type, order)._at(
            addr, count, False)

    def read(self, table: str, addr: int, count: int = 1,
             type: Optional[str] = None,
             order: Optional[str] = None) -> Later:
        """count values, known after the block."""
        return self._fetch(self._at(table, addr, count, type, order))

    def write(self, table: str, addr: int, values: Sequence[Any],
              type: Optional[str] = None, order: Optional[str] = None,
              count: Optional[int] = None) -> None:
        """Values to addr and what follows."""
        self._store(self._at(table, addr, count, type, order), list(values))

    def check(self, table: str, addr: int, values: Sequence[Any],
              type: Optional[str] = None, order: Optional[str] = None,
              count: Optional[int] = None) -> None:
        """Nothing is written if the values that were there before differ."""
        self._add("check", self._at(table, addr, count, type, order),
                  list(values))

    def mask(self, table: str, addr: int, and_: int, or_: int) -> None:
        """The register becomes (register & and_) | (or_ & ~and_)."""
        self._add("mask", self._at(table, addr, None, None, None),
                  {"and": and_, "or": or_})

    def _carry_out(self) -> Steps[None]:
        ops, reads = [], []
        for op, where, values, later in self._ops:
            where, values = yield from self._client._settled(where, values)
            entry = {"op": op, **where.params()}
            if op == "mask":
                entry.update(values)
            elif op == "read":
                entry.update(_given(count=where.count))
                reads.append((where, later))
            else:
                entry.update(_write_params(where, values))
            ops.append(entry)
        result, _ = yield from self._client._ask(
            "registers.transaction", _given(device=self._device, ops=ops))
        values = _field(result, "values", list, "registers.transaction")
        if len(values) != len(reads):
            raise BadAnswer(f"registers.transaction: {len(values)} answers "
                            f"to {len(reads)} reads")
        self.seq = _field(result, "seq", int, "registers.transaction")
        for (where, later), got in zip(reads, values):
            later._settle(_taken(where, got, "registers.transaction"), None)


class Batch(_Operations):
    """Calls that travel together and are answered together; each succeeds or
    fails by itself.

        with hf.batch() as b:
            info = b.call("system.info")
            regs = b["plc1"].hr[100:104]
            b["plc2"].hr[5] = 7
        print(info.value, regs.value)

    They are carried out when the block ends, in order; not at all if it
    raises. Its end raises the first failure, if any; each Later has its own.
    """

    def call(self, method: str, **params: Any) -> Later:
        """Any method; its result, later."""
        return self._add(method, params, None)

    def __getitem__(self, device: str) -> BatchDevice:
        return BatchDevice(self, device)

    def device(self, name: Optional[str] = None) -> BatchDevice:
        """A device; without a name the only one."""
        return BatchDevice(self, name)

    def _fetch(self, where: Any) -> Later:
        return self._add("read", where)

    def _store(self, where: Any, values: Any) -> Later:
        return self._add("write", where, values)

    def _carry_out(self) -> Steps[None]:
        calls: List[Tuple[_Call, Optional[_Where], Later]] = []
        for method, where, values, later in self._ops:
            if isinstance(where, dict):
                calls.append((_Call(method, where), None, later))
                continue
            where, values = yield from self._client._settled(where, values)
            params = {**_given(device=where.device), **where.params()}
            if method == "read":
                params.update(_given(count=where.count))
            else:
                params.update(_write_params(where, values))
            calls.append((_Call("registers." + method, params),
                          where if method == "read" else None, later))
        first: Optional[BaseException] = None
        parts = [calls[at:at + BATCH_MAX]
                 for at in range(0, len(calls), BATCH_MAX)]
        # what cannot be sent is found before anything has been
        frames = [_to_frame(f"{len(some)} calls", [c[0].json() for c in some])
                  for some in parts]
        for some, frame in zip(parts, frames):
            answers = yield from self._client._ask_all(
                [c[0] for c in some], frame)
            for (call, where, later), answer in zip(some, answers):
                try:
                    got = call.result(answer)
                    if where is not None:
                        got = _taken(where, _field(
                            got, "values", list, call.method), call.method)
                    later._settle(got, None)
                except HoldfastError as e:
                    later._settle(None, e)
                    first = first or e
        if first is not None:
            raise first


def _write_params(where: _Where, values: Any) -> Dict[str, Any]:
    return _given(values=[_to_json(v) for v in values],
                  count=where.count if where.type == "string" else None)


def _field(result: Any, name: str, kind: type, method: str) -> Any:
    """A member of a result, if it is there and what it should be."""
    value = result.get(name) if isinstance(result, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadAnswer(f"{method}: no {name} in {result!r:.200}")
    return value


def _taken(where: _Where, values: Any, method: str) -> Any:
    """The values that were asked for, as they are handed over."""
    count = 1 if where.count is None or where.type == "string" \
        else where.count
    if not isinstance(values, list) or len(values) != count:
        raise BadAnswer(f"{method}: {where}: not {count} values: "
                        f"{values!r:.200}")
    try:
        found = _from_json(values, where.table, where.type)
    except (TypeError, ValueError):
        raise BadAnswer(f"{method}: {where}: {values!r:.200} are no values "
                        f"of {where.type}") from None
    return found[0] if where.one else found


class Fault(_Block):
    """A rule by which a transport misbehaves, for as long as a block lasts.

        with hf.fault(transport="tcp1", fc=3, exception=6):
            ...    # reads of holding registers are answered with exception 6

    It is cleared however the block ends. .id is its number while it is there.
    If it cannot be cleared, the end of the block raises; after a block that
    has raised itself, it warns. If the block begins with AnswerLost or
    Timeout, the rule may be there: see faults()."""

    def __init__(self, client: Any, rule: Dict[str, Any]) -> None:
        self._client = client
        self.rule = rule
        self.id: Any = None

    def __repr__(self) -> str:
        return f"<fault {self.id}: {self.rule}>"

    def _begin(self) -> Steps[Any]:
        result, _ = yield from self._client._ask("faults.add", self.rule)
        if not isinstance(result, dict) or "id" not in result:
            raise BadAnswer(f"faults.add: no id in {result!r:.200}; the rule "
                            "may be in force")
        self.id = result["id"]
        return self

    def _end(self, raised: bool) -> Steps[None]:
        if self.id is None:
            return
        try:
            yield from self._client._ask("faults.clear", {"id": self.id})
        except NotFound:
            pass  # it has gone by itself, or by the first of two attempts
        except HoldfastError as e:
            if not raised:
                raise
            warnings.warn(f"fault {self.id} is still there: {e}",
                          RuntimeWarning, stacklevel=2)
        else:
            self.id = None


# ---- the methods of both clients --------------------------------------------


class _Methods(_Tables):
    """Each method once, as steps. Client and AsyncClient differ in _drive()
    alone, so what one has the other has too."""

    _is_async = False

    def __init__(self, endpoint: Optional[str] = None, *,
                 timeout: float = 10.0, wait: float = 0.0,
                 run_dir: Optional[str] = None, key: Optional[str] = None,
                 server_key: Optional[str] = None,
                 events: Optional[str] = None) -> None:
        self.endpoint = _choose_endpoint(endpoint, run_dir)
        self.timeout = timeout
        self._wait = wait
        self._events = events
        self._keys = _load_keys(key, server_key)
        self._met = False  # the daemon has been there
        self._ranges: Dict[Optional[str], List[Range]] = {}
        self._wire: Optional[_Wire] = None
        self._set_up()

    def _set_up(self) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<holdfast.{type(self).__name__} {self.endpoint}>"

    def _drive(self, steps: Steps[Any]) -> Any:
        """Carries steps out, one after the other: their result, or what is to
        be awaited for it."""
        raise NotImplementedError

    async def _do(self, step: Any) -> Any:
        raise NotImplementedError

    async def _run(self, steps: Steps[Any]) -> Any:
        got: Any = None
        failed: Optional[BaseException] = None
        try:
            while True:
                step = steps.throw(failed) if failed is not None \
                    else steps.send(got)
                got, failed = None, None
                try:
                    got = await self._do(step)
                except BaseException as e:  # also of who is cancelled
                    failed = e
        except StopIteration as done:
            return done.value
        finally:
            failed = None  # which refers to this frame

    # -- asking --

    def _reach(self, until: float) -> Steps[None]:
        """A connection; Unreachable if there is none in time."""
        patience = until if self._met else min(
            until, time.monotonic() + self._wait)
        while True:
            # also who has no patience lets a handshake come to its end
            why = yield _Open(until)
            if why is None:
                self._met = True
                return
            left = patience - time.monotonic()
            if left <= 0:
                raise Unreachable(
                    f"cannot reach the daemon at {self.endpoint}: {why}")
            yield _Pause(min(RETRY_S, left))

    def _talk(self, what: str, key: int, frames: List[bytes], repeat: bool,
              wait: float) -> Steps[Any]:
        """Sends frames until they are answered, more than once only if that
        does no harm."""
        until = time.monotonic() + wait
        lost = 0
        while True:
            yield from self._reach(until)
            try:
                return (yield _Exchange(key, frames, until))
            except _Gone as gone:
                lost += gone.sent
                if lost == RESENDS_MAX:  # it may be what they die of
                    raise AnswerLost(f"{what}: the connection ended {lost} "
                                     "times before the answer came") from None
                if gone.sent and not repeat:
                    raise AnswerLost(
                        f"{what}: the connection ended before the answer "
                        "came; it was carried out once or not at all, and "
                        "was not sent again") from None
            except Timeout:
                raise Timeout(
                    f"{what}: no answer within {wait:g} s"
                    + ("" if repeat else "; it may still be carried out")
                ) from None

    def _ask(self, method: str, params: Dict[str, Any],
             raw: Optional[bytes] = None, repeat: bool = False,
             wait: Optional[float] = None) -> Steps[Tuple[Any, Any]]:
        """One call: (result, second frame or None)."""
        call = _Call(method, params)
        if wait is None:
            wait = self.timeout
            if method in _ORDERS:
                wait += ORDER_S + (params.get("drain_s") or 0)
        frames = [_to_frame(method, call.json())]
        if raw is not None:
            frames.append(_fitting(method, raw))
        answer, second = yield from self._talk(
            method, call.id, frames, repeat or call.is_repeatable(), wait)
        return call.result(answer), second

    def _ask_all(self, calls: List[_Call], frame: bytes) -> Steps[List[Any]]:
        """The answers to calls that travel together, in a frame."""
        wait = self.timeout
        if any(c.method in _ORDERS for c in calls):
            wait += ORDER_S
        answers, _ = yield from self._talk(
            f"{len(calls)} calls", calls[0].id, [frame],
            all(c.is_repeatable() for c in calls), wait)
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise BadAnswer(f"not {len(calls)} answers: {answers!r:.200}")
        return answers

    @_method
    def call(self, method: str, params: Optional[Dict[str, Any]] = None, *,
             repeat: bool = False, timeout: Optional[float] = None
             ) -> Steps[Any]:
        """Calls any method of holdfast-control(7) and returns its result as
        it came. repeat=True says that it may be sent again if its answer is
        lost."""
        result, _ = yield from self._ask(
            method, params or {}, repeat=repeat, wait=timeout)
        return result

    def batch(self) -> Batch:
        """Calls that travel together; see Batch."""
        return Batch(self)

    # -- the daemon --

    @_method
    def ping(self) -> Steps[None]:
        """Returns once the daemon has answered."""
        yield from self._ask("system.ping", {})

    @_method
    def info(self) -> Steps[Dict[str, Any]]:
        """name, version, pid, control_pid, uptime_s, store, devices,
        transports."""
        return (yield from self._ask("system.info", {}))[0]

    @_method
    def methods(self) -> Steps[List[Dict[str, Any]]]:
        """What the daemon can be asked: name, role, params, help."""
        return (yield from self._ask("system.methods", {}))[0]

    @_method
    def reload(self) -> Steps[Dict[str, Any]]:
        """Has configuration, certificates and roles read again; answers
        added, removed, changed, restarted, refreshed and failed."""
        return (yield from self._ask("system.reload", {}))[0]

    @_method
    def upgrade(self) -> Steps[None]:
        """Has the daemon become the program that is installed now; answered
        just before that."""
        yield from self._ask("system.upgrade", {})

    @_method
    def shutdown(self) -> Steps[None]:
        """Drains every transport and ends the daemon."""
        yield from self._ask("system.shutdown", {})

    @_method
    def stats(self) -> Steps[Dict[str, Any]]:
        """Every counter."""
        return (yield from self._ask("stats.get", {}))[0]

    @_method
    def trace(self, transport: Optional[str] = None,
              since: Optional[Dict[str, int]] = None, *,
              filter: Optional[str] = None, limit: Optional[int] = None,
              newest: Optional[bool] = None) -> Steps[Dict[str, Any]]:
        """The last frames of transports with trace: frames, next, lost, more.
        Give next as since to get what came after; more: at once."""
        return (yield from self._ask("trace.read", _given(
            transport=transport, since=since, filter=filter, limit=limit,
            newest=newest)))[0]

    @_method
    def set_trace(self, on: bool, transport: Optional[str] = None
                  ) -> Steps[Dict[str, Any]]:
        """Whether a transport, or all, keep their frames; on: those that
        do."""
        return (yield from self._ask("trace.set", _given(
            transport=transport, on=bool(on))))[0]

    @_method
    def log(self, since: Optional[Dict[str, int]] = None, *,
            level: Optional[str] = None, limit: Optional[int] = None
            ) -> Steps[Dict[str, Any]]:
        """What the log has said last: lines, next, lost."""
        return (yield from self._ask("log.read", _given(
            since=since, level=level, limit=limit)))[0]

    @_method
    def config(self) -> Steps[Dict[str, Any]]:
        """The configuration in force: path and text."""
        return (yield from self._ask("config.get", {}))[0]

    @_method
    def check_config(self, text: Optional[str] = None, *,
                     dump: Optional[bool] = None) -> Steps[Dict[str, Any]]:
        """What the configuration's files say now: ok, errors, added,
        removed, changed, and with dump what would be in force, as text.
        text stands for the main file. Changes nothing."""
        return (yield from self._ask("config.check", _given(
            text=text, dump=dump)))[0]

    @_method
    def snapshot_save(self, path: Optional[str] = None) -> Steps[Any]:
        """Writes the registers into a file of the daemon's: path, devices,
        bytes."""
        return (yield from self._ask(
            "snapshot.save", _given(path=path)))[0]

    @_method
    def snapshot_load(self, path: Optional[str] = None) -> Steps[Any]:
        """Takes the registers from there; unfit is what had no place."""
        return (yield from self._ask(
            "snapshot.load", _given(path=path)))[0]

    # -- transports and connections --

    @_method
    def transports(self) -> Steps[List[Dict[str, Any]]]:
        """The transports and how they are."""
        return (yield from self._ask("transports.list", {}))[0]

    @_method
    def start(self, name: str,
              drain_s: Optional[float] = None) -> Steps[Dict[str, Any]]:
        """Starts a transport; answers name and state once it has happened."""
        return (yield from self._ask("transports.start", _given(
            name=name, drain_s=drain_s)))[0]

    @_method
    def stop(self, name: str,
             drain_s: Optional[float] = None) -> Steps[Dict[str, Any]]:
        """Drains and stops a transport; drain_s is how long requests that
        have come may take."""
        return (yield from self._ask("transports.stop", _given(
            name=name, drain_s=drain_s)))[0]

    @_method
    def restart(self, name: str,
                drain_s: Optional[float] = None) -> Steps[Dict[str, Any]]:
        """Drains a transport and starts it again."""
        return (yield from self._ask("transports.restart", _given(
            name=name, drain_s=drain_s)))[0]

    @_method
    def wait_ready(self, seconds: float = 10.0) -> Steps[None]:
        """Returns once no transport is starting, backing off, draining or
        failed; Timeout after so many seconds, Unreachable if there is no
        daemon by then."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            try:
                found, _ = yield from self._ask(
                    "transports.list", {}, wait=max(left, 0.001))
                if all(t["state"] in ("up", "stopped") for t in found):
                    return
            except Unreachable:
                if left <= RETRY_S:
                    raise
            if left <= 0:
                raise Timeout(f"not every transport serves after {seconds:g} "
                              "s")
            yield _Pause(min(READY_S, left))

    @_method
    def connections(self, transport: Optional[str] = None
                    ) -> Steps[List[Dict[str, Any]]]:
        """Open connections, of one transport or all."""
        return (yield from self._ask(
            "connections.list", _given(transport=transport)))[0]

    @_method
    def close_connections(self, id: Optional[str] = None,
                          transport: Optional[str] = None) -> Steps[None]:
        """Closes a connection by its id, or all of a transport."""
        yield from self._ask("connections.close", _given(
            id=id, transport=transport))

    @_method
    def quarantine(self, transport: Optional[str] = None
                   ) -> Steps[List[Dict[str, Any]]]:
        """Who is kept out for what workers died of, and what of that is not
        carried out, of one transport or all."""
        return (yield from self._ask(
            "quarantine.list", _given(transport=transport)))[0]

    @_method
    def lift_quarantine(self, peer: Optional[str] = None,
                        transport: Optional[str] = None
                        ) -> Steps[Dict[str, Any]]:
        """Has that forgotten of a peer, or of all."""
        return (yield from self._ask("quarantine.lift", _given(
            peer=peer, transport=transport)))[0]

    # -- faults --

    def fault(self, **rule: Any) -> Fault:
        """A rule for as long as a with block lasts: which requests (transport,
        connection, unit, fc, range, rate_pct, count, expires_s) meet what
        (exception, delay_ms, drop, junk_bytes, split_ms, change_pct,
        wrong_unit, bad_crc), and a note. See Fault."""
        return Fault(self, _given(**rule))

    @_method
    def faults(self) -> Steps[List[Dict[str, Any]]]:
        """The rules that are in force."""
        return (yield from self._ask("faults.list", {}))[0]

    @_method
    def add_fault(self, **rule: Any) -> Steps[Dict[str, Any]]:
        """Adds a rule that stays; answers its id. For a while only: fault."""
        return (yield from self._ask("faults.add", _given(**rule)))[0]

    @_method
    def clear_faults(self, id: Any = None) -> Steps[Any]:
        """Clears a rule, or all of them."""
        return (yield from self._ask("faults.clear", _given(id=id)))[0]

    # -- registers --

    def __getitem__(self, device: str) -> Device:
        """A device by its name. Whether there is one shows when it is asked
        for something."""
        return Device(self, device)

    def device(self, name: Optional[str] = None) -> Device:
        """A device; without a name the only one that there is."""
        return Device(self, name)

    __iter__ = None
    __contains__ = None

    @_method
    def devices(self) -> Steps[List[Dict[str, Any]]]:
        """name, units and tables of each device."""
        return (yield from self._ask("devices.list", {}))[0]

    @_method
    def describe(self, device: Optional[str] = None,
                 table: Optional[str] = None) -> Steps[List[Range]]:
        """The ranges of a device, or of one of its tables."""
        return (yield from self._describe(device, table))

    @_method
    def read(self, table: str, addr: int, count: int = 1,
             type: Optional[str] = None, order: Optional[str] = None, *,
             device: Optional[str] = None) -> Steps[List[Value]]:
        """count values of one moment, as a list; of a string, count is in
        registers."""
        at = Table(self, device, table, type, order)._at(addr, count, False)
        return (yield from self._read(at))

    @_method
    def write(self, table: str, addr: int, values: Sequence[Any],
              type: Optional[str] = None, order: Optional[str] = None, *,
              count: Optional[int] = None,
              device: Optional[str] = None) -> Steps[int]:
        """Writes values as one step; answers the number of the commit."""
        at = Table(self, device, table, type, order)._at(addr, count, False)
        return (yield from self._write(at, list(values)))

    @_method
    def counts(self, table: str, addr: int, count: int = 1,
               device: Optional[str] = None) -> Steps[Dict[str, Any]]:
        """How often clients have read and written each address: reads and
        writes, zeros where the device does not count."""
        return (yield from self._ask("registers.counts", _given(
            device=device, table=_table_name(table), addr=addr,
            count=count)))[0]

    @_method
    def get(self, address: str) -> Steps[Any]:
        """What `holdfast get` reads: [device/]table:addr[+count][:type
        [:order]], or [device/]NAME of a range. A list where there is a
        +count, else one value, as declared where a declared range begins."""
        where = yield from self._resolve(_parse_target(address), True)
        return (yield from self._read(where))

    @_method
    def set(self, address: str, *values: Any) -> Steps[int]:
        """What `holdfast set` writes, to the same addresses; answers the
        number of the commit."""
        if len(values) == 1 and isinstance(values[0], (list, tuple)):
            values = tuple(values[0])
        target = _parse_target(address)
        where = yield from self._resolve(target, True)
        if isinstance(target, _Named):
            _values_of(where, values[0] if where.one and len(values) == 1
                       else values)
        return (yield from self._write(where, list(values)))

    def transaction(self, device: Optional[str] = None) -> Transaction:
        """Several operations on a device as one step; see Transaction."""
        return Transaction(self, device)

    def watch(self, *what: str, timeout: Optional[float] = None,
              strict: bool = False) -> Watch:
        """Events as they happen; see Watch."""
        return Watch(self, what, timeout, strict)

    # what tables and devices are made of

    def _assignable(self) -> None:
        pass

    @_method
    def _fetch(self, where: Any) -> Steps[Any]:
        where = yield from self._resolve(where)
        return (yield from self._read(where))

    @_method
    def _store(self, where: Any, values: Any) -> Steps[int]:
        where, values = yield from self._settled(where, values)
        return (yield from self._write(where, values))

    @_method
    def _reading(self, named: _Named) -> Steps[Reading]:
        found = yield from self._find_name(named)
        where = yield from self._resolve(named)
        value = yield from self._read(where)
        scaled = value
        if found.scale != 1 and not isinstance(value, (str, bool)):
            scaled = ([v * found.scale for v in value]
                      if isinstance(value, list) else value * found.scale)
        return Reading(value, found.unit, found.scale, scaled)

    def _read(self, where: _Where) -> Steps[Any]:
        if where.count == 0:
            return [] if not where.one else ""
        params = {**_given(device=where.device), **where.params(),
                  **_given(count=where.count)}
        plain = where.type in (None, "uint16") and where.order in (
            None, "abcd") and not where.one
        if plain and (where.count or 1) >= RAW_FROM:
            params["encoding"] = "u16le"
            params.pop("type", None)
            result, raw = yield from self._ask("registers.read", params)
            if raw is None or len(raw) != 2 * (where.count or 1):
                raise BadAnswer(f"registers.read: {where}: not two bytes "
                                f"for each of {where.count} values")
            return _from_raw(raw, where.table)
        result, _ = yield from self._ask("registers.read", params)
        return _taken(where, _field(
            result, "values", list, "registers.read"), "registers.read")

    def _write(self, where: _Where, values: List[Any]) -> Steps[int]:
        if not values and where.count == 0:
            return 0
        params = {**_given(device=where.device), **where.params()}
        raw = None
        if len(values) >= RAW_FROM and where.order in (None, "abcd") \
                and where.type in (None, "uint16"):
            raw = _to_raw(values)
        if raw is not None:
            params["encoding"] = "u16le"
            params.pop("type", None)
        else:
            params.update(_write_params(where, values))
        result, _ = yield from self._ask("registers.write", params, raw)
        return _field(result, "seq", int, "registers.write")

    # -- what is declared --

    def _describe(self, device: Optional[str],
                  table: Optional[str] = None) -> Steps[List[Range]]:
        result, _ = yield from self._ask("registers.describe", _given(
            device=device, table=table))
        try:
            return [_to_range(r) for r in result]
        except (KeyError, TypeError, AttributeError):
            raise BadAnswer("registers.describe: these are no ranges: "
                            f"{result!r:.200}") from None

    def _known_ranges(self, device: Optional[str]) -> Steps[List[Range]]:
        """As described before, over this connection."""
        yield from self._reach(time.monotonic() + self.timeout)
        if device not in self._ranges:
            self._ranges[device] = yield from self._describe(device)
        return self._ranges[device]

    def _find_name(self, named: _Named) -> Steps[Range]:
        ranges = yield from self._known_ranges(named.device)
        found = [r for r in ranges if r.name == named.name
                 and r.table in TABLES]
        if len(found) == 1:
            return found[0]
        device = f"device {named.device}" if named.device else "the device"
        if not found:
            raise NoSuchName(f'{device} has no range named "{named.name}"')
        raise NoSuchName(
            f'{device} has {len(found)} ranges named "{named.name}": '
            + ", ".join(f"{r.table}:{r.addr}" for r in found))

    def _settled(self, where: Any, values: Any) -> Steps[Tuple[_Where, Any]]:
        """Where something is, and the values for it as a list."""
        named = isinstance(where, _Named)
        where = yield from self._resolve(where)
        if named and values is not None:
            values = _values_of(where, values)
        return where, values

    def _resolve(self, where: Any, text: bool = False) -> Steps[_Where]:
        """Names and "declared" become what the configuration says. An address
        that was typed as text means what is declared where a range begins
        there, as on the command line."""
        if isinstance(where, _Named):
            found = yield from self._find_name(where)
            return _declared(where.device, found)
        if where.type == "declared" and not _is_bits(where.table):
            ranges = yield from self._known_ranges(where.device)
            for r in ranges:
                if r.table == where.table and \
                        r.addr <= where.addr < r.addr + r.count:
                    return _as_declared(where, r)
            return _with(where, type=None)
        if where.type == "declared":
            return _with(where, type=None)
        if text and where.type is None and where.count is None \
                and not _is_bits(where.table):
            ranges = yield from self._known_ranges(where.device)
            for r in ranges:
                if r.table == where.table and r.addr == where.addr \
                        and r.type not in ("uint16", "bits"):
                    return _as_declared(where, r)
        return where


def _with(where: _Where, **changed: Any) -> _Where:
    return _Where(**{**where.__dict__, **changed})


def _as_declared(where: _Where, r: Range) -> _Where:
    """An address, in the type and order of the range that it lies in."""
    count = where.count
    if r.type == "string" and count is None:
        count = r.addr + r.count - where.addr
    return _with(where, type=r.type, order=where.order or r.order,
                 count=count, name=r.name)


def _declared(device: Optional[str], r: Range) -> _Where:
    """All of a range."""
    if _is_bits(r.table):
        return _Where(device, r.table, r.addr, r.count, one=r.count == 1,
                      name=r.name)
    if r.type == "string":
        return _Where(device, r.table, r.addr, r.count, r.type, r.order,
                      True, r.name)
    if r.type == "bits":
        return _Where(device, r.table, r.addr, 16 * r.count, r.type, r.order,
                      False, r.name)
    count = r.count // _TYPES[r.type][0]
    return _Where(device, r.table, r.addr, count, r.type, r.order,
                  count == 1, r.name)


def _values_of(where: _Where, value: Any) -> List[Any]:
    """What is assigned to a name, as a list."""
    if where.one and not isinstance(value, (list, tuple)):
        return [value]
    if where.one:
        raise ValueError(f"{where.name}: one value is wanted")
    if isinstance(value, (str, bool)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{where.name}: a sequence of {where.count} values "
                        "is wanted")
    values = list(value)
    if len(values) != where.count:
        raise ValueError(f"{where.name}: {len(values)} values for "
                         f"{where.count}")
    return values


def _to_range(r: Dict[str, Any]) -> Range:
    return Range(_SHORT.get(r["table"], r["table"]), r["addr"], r["count"],
                 r.get("access", "rw"), r.get("type") or "uint16",
                 r.get("order") or "abcd", r.get("name"), r.get("unit"),
                 r.get("scale", 1), r.get("file"))


def _fitting(what: str, frame: bytes) -> bytes:
    if len(frame) > FRAME_MAX:
        raise ValueError(f"{what}: {len(frame)} bytes; the daemon takes "
                         f"{FRAME_MAX}")
    return frame


def _to_frame(what: str, message: Any) -> bytes:
    return _fitting(what, json.dumps(
        message, separators=(",", ":"), ensure_ascii=False,
        allow_nan=False).encode())


# ---- the wire ---------------------------------------------------------------


def _choose_endpoint(endpoint: Optional[str],
                     run_dir: Optional[str]) -> str:
    """As holdfast(1) does."""
    if endpoint is None and run_dir is None:
        endpoint = os.environ.get("HOLDFAST_CONTROL")
    if endpoint is None:
        if run_dir is None:
            run_dir = os.environ.get("HOLDFAST_RUN_DIR", DEFAULT_RUN_DIR)
        return f"ipc://{run_dir}/control.sock"
    return endpoint if "://" in endpoint else f"ipc://{endpoint}"


def _events_endpoint(endpoint: str) -> str:
    head, slash, tail = endpoint.rpartition("/")
    if not endpoint.startswith("ipc://") or tail != "control.sock":
        raise ValueError(
            "events are had from ipc://.../control.sock's neighbour "
            f"events.sock only, not from {endpoint}; give events=")
    return head + slash + "events.sock"


_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


def _load_key(key: str, word: str) -> bytes:
    """A key of 40 characters, or one in a file: alone, or behind
    secret-key = or public-key =, as the daemon and other programs have it."""
    if _KEY.fullmatch(key):
        return key.encode()
    with open(key, encoding="utf-8", errors="replace") as f:
        text = f.read()
    found = re.search(rf'^\s*{word}\s*=\s*"([^"]*)"', text, re.M)
    bare = found[1] if found else text.strip()
    if not _KEY.fullmatch(bare):
        raise ValueError(f"{key}: neither a key of 40 characters nor a file "
                         f"with one ({word} = \"...\")")
    return bare.encode()


def _load_keys(key: Optional[str], server_key: Optional[str]
               ) -> Optional[Tuple[bytes, bytes, bytes]]:
    """public, secret, the server's; None without CURVE."""
    if key is None and server_key is None:
        return None
    if key is None or server_key is None:
        raise ValueError("key and server_key go together")
    secret = _load_key(key, "secret-key")
    return (zmq.curve_public(secret), secret,
            _load_key(server_key, "public-key"))


_contexts: Dict[int, zmq.Context] = {}  # by process: none survives a fork


def _context() -> zmq.Context:
    pid = os.getpid()
    if pid not in _contexts:
        _contexts[pid] = zmq.Context()
    return _contexts[pid]


_EV = {name: getattr(zmq, "EVENT_" + name) for name in (
    "CLOSED", "DISCONNECTED", "HANDSHAKE_SUCCEEDED",
    "HANDSHAKE_FAILED_NO_DETAIL", "HANDSHAKE_FAILED_PROTOCOL",
    "HANDSHAKE_FAILED_AUTH")}
_monitors = itertools.count(1)


class _Wire:
    """One connection of one socket, without waiting. A monitor says when the
    handshake is over and when the connection has ended. libzmq does not
    connect commands again by itself (again=NEVER_MS; not -1, with which it
    would throw away answers that have come), and who finds a connection at its
    end closes the socket: so nothing that waited in it is ever delivered after
    its caller has been told that it was lost."""

    monitor: Any = None

    def __init__(self, kind: int, endpoint: str, keys: Any, again: int,
                 *options: Tuple[int, Any]) -> None:
        context = _context()
        self.pid = os.getpid()
        self.socket = context.socket(kind)
        self.monitor = context.socket(zmq.PAIR)
        self.endpoint = endpoint
        self.greeted = 0  # handshakes that ended well
        self.down: Optional[str] = None  # why it has ended
        self.refused = False
        self.poller: Optional[zmq.Poller] = None
        try:
            self._set_up(endpoint, keys, again, options)
        except zmq.ZMQError as e:
            self.close()
            raise ValueError(f"{endpoint}: {e}") from None

    def _set_up(self, endpoint: str, keys: Any, again: int,
                options: Sequence[Tuple[int, Any]]) -> None:
        for option, value in (
                (zmq.LINGER, 0), (zmq.SNDHWM, 0), (zmq.RECONNECT_IVL, again),
                (zmq.HEARTBEAT_IVL, HEARTBEAT_MS), *options):
            self.socket.setsockopt(option, value)
        if again != NEVER_MS:
            self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 10 * again)
        if keys is not None:
            self.socket.curve_publickey = keys[0]
            self.socket.curve_secretkey = keys[1]
            self.socket.curve_serverkey = keys[2]
        address = f"inproc://holdfast-{id(self)}-{next(_monitors)}"
        wanted = sum(_EV.values()) if again == NEVER_MS else \
            _EV["DISCONNECTED"] | _EV["HANDSHAKE_SUCCEEDED"] | \
            _EV["HANDSHAKE_FAILED_AUTH"]
        self.socket.monitor(address, wanted)
        self.monitor.setsockopt(zmq.LINGER, 0)
        self.monitor.setsockopt(zmq.RCVHWM, 0)  # else libzmq would wait
        self.monitor.connect(address)
        self.socket.connect(endpoint)

    def news(self) -> None:
        """Takes in what the monitor has said."""
        # libzmq renews subscriptions after a reconnection only once the
        # socket has been touched
        self.socket.getsockopt(zmq.EVENTS)
        while self.monitor.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            frame = self.monitor.recv_multipart(zmq.NOBLOCK)[0]
            event = struct.unpack("=H", frame[:2])[0]
            if event == _EV["HANDSHAKE_SUCCEEDED"]:
                self.greeted += 1
                self.down = None
            elif event in (_EV["HANDSHAKE_FAILED_AUTH"],
                           _EV["HANDSHAKE_FAILED_PROTOCOL"]):
                self.refused = True
                self.down = ("the key is not accepted"
                             if event == _EV["HANDSHAKE_FAILED_AUTH"]
                             else "other keys are in use there, or none")
            elif self.down is None:
                self.down = (
                    "the connection has ended" if self.greeted
                    else "nobody listens" if event == _EV["CLOSED"]
                    else "it hung up during the handshake")

    def send(self, frames: List[bytes]) -> bool:
        """False if there is nobody to send to any more."""
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def wait(self, until: Optional[float]) -> bool:
        """Blocks until there is something to take in; False if that is too
        late."""
        if self.poller is None:
            self.poller = zmq.Poller()
            self.poller.register(self.socket, zmq.POLLIN)
            self.poller.register(self.monitor, zmq.POLLIN)
        return _poll(self.poller, until)

    def receive(self) -> Optional[List[bytes]]:
        """A message, if there is one."""
        if not self.socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            return None
        return self.socket.recv_multipart(zmq.NOBLOCK)

    def close(self) -> None:
        """In this order: an event that nobody is there to take would hold up
        libzmq's thread, and every other socket with it, for good."""
        if self.monitor is None or self.socket.closed:
            return
        if self.pid != os.getpid():
            return  # it is the parent's
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(0)

    __del__ = close


def _why_unreachable(wire: _Wire) -> str:
    """ZeroMQ does not say why it cannot connect; the socket's file may."""
    if wire.endpoint.startswith("ipc://") and wire.endpoint[6:7] != "@":
        path = wire.endpoint[6:]
        if not os.path.exists(path):
            return f"no such socket ({os.strerror(errno.ENOENT)})"
        if not os.access(path, os.R_OK | os.W_OK):
            return os.strerror(errno.EACCES)
    return wire.down or "no answer to the handshake"


def _command_wire(client: _Methods) -> _Wire:
    return _Wire(zmq.DEALER, client.endpoint, client._keys, NEVER_MS,
                 (zmq.RCVHWM, 0))


def _open_state(client: _Methods, wire: _Wire, over: bool) -> Optional[str]:
    """How an attempt to connect stands: "up", why it has failed, or None."""
    wire.news()
    if wire.refused:
        raise KeyRefused(f"{client.endpoint}: {wire.down}")
    if wire.down is not None or over:
        return _why_unreachable(wire)
    return "up" if wire.greeted else None


def _decode(frames: List[bytes]) -> Tuple[Any, Any, Optional[bytes]]:
    """(id, answer, second frame) of a reply. The id is None if it says of a
    request only that it was none."""
    try:
        answer = json.loads(frames[0])
        first = answer[0] if isinstance(answer, list) else answer
        return first["id"], answer, frames[1] if len(frames) > 1 else None
    except (ValueError, LookupError, TypeError):
        raise BadAnswer("what listens there does not answer in JSON-RPC: "
                        f"{frames[0]!r:.100}") from None


def _unasked(answer: Any) -> HoldfastError:
    """An answer without an id: to something that was not understood."""
    if isinstance(answer, dict) and "error" in answer:
        return _daemon_error(answer["error"], "")
    return BadAnswer(f"an answer to nothing: {answer!r:.200}")


def _left_ms(until: float) -> int:
    return max(0, math.ceil((until - time.monotonic()) * 1e3))


def _poll(what: Any, until: Optional[float]) -> bool:
    """Waits for a socket or a poller; False if that is too late. A piece at a
    time: of a signal that comes just before the system call begins, that call
    knows nothing, and Python's part of the handler (KeyboardInterrupt) runs
    only once it has returned."""
    while True:
        left = PIECE_MS if until is None else _left_ms(until)
        if what.poll(min(left, PIECE_MS)):
            return True
        if until is not None and left <= PIECE_MS:
            return False


# ---- the client that blocks -------------------------------------------------


class Client(_Methods):
    """A client whose calls block. See the top of this module.

    endpoint, run_dir: where the daemon is. timeout: seconds that a call may
    take, a new connection included; orders to transports, reload, shutdown
    and snapshots, which are answered after they have happened, take up to a
    minute more. wait: seconds that the first contact may take. key,
    server_key: for CURVE. events: the endpoint of events, if it is not
    events.sock beside control.sock."""

    def _set_up(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. A later call would open another."""
        self._after_fork()
        with self._lock:
            self._drop()

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # a thread that held it may not be here to let go of it
            self._lock = threading.RLock()
            self._pid = os.getpid()
            self._wire = None

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        self._ranges.clear()

    def _drive(self, steps: Steps[Any]) -> Any:
        self._after_fork()
        with self._lock:
            try:
                self._run(steps).send(None)
            except StopIteration as done:
                return done.value
        raise AssertionError("a step was put off")

    async def _do(self, step: Any) -> Any:
        """Blocks, and awaits nothing: whoever runs it is through at once."""
        if isinstance(step, _Exchange):
            return self._exchange(step)
        if isinstance(step, _Open):
            return self._open(step.until)
        if isinstance(step, _Pause):
            return time.sleep(step.seconds)
        raise AssertionError(step)

    def _open(self, until: float) -> Optional[str]:
        if self._wire is not None:
            self._wire.news()
            if self._wire.down is None:
                return None
            self._drop()
        wire = self._wire = _command_wire(self)
        try:
            while True:
                state = _open_state(self, wire, _left_ms(until) == 0)
                if state == "up":
                    return None
                if state is not None:
                    self._drop()
                    return state
                _poll(wire.monitor, until)
        except BaseException:
            self._drop()
            raise

    def _exchange(self, step: _Exchange) -> Tuple[Any, Optional[bytes]]:
        wire = self._wire
        if wire is None:
            raise _Gone(False)
        if not wire.send(step.frames):
            self._drop()
            raise _Gone(False)
        while True:
            wire.news()  # first: what had come before an end is there after it
            frames = wire.receive()
            if frames is not None:
                key, answer, raw = _decode(frames)
                if key == step.id:
                    return answer, raw
                if key is None:
                    raise _unasked(answer)
                continue  # late, to a call that was given up
            if wire.down is not None:
                self._drop()
                raise _Gone(True)
            if not wire.wait(step.until):
                raise Timeout()


# ---- the client for asyncio -------------------------------------------------


class AsyncClient(_Methods):
    """A client whose calls are awaited. What it takes and has is what Client
    takes and has; what Client does with `with` and `for` it does with `async
    with` and `async for`. Reads of tables and names are awaited (await
    dev.hr[5], await dev["flow"]); instead of assignments there are await
    dev.hr.write(5, [7]) and await dev.set("flow", 1.5)."""

    _is_async = True

    def _set_up(self) -> None:
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._opening: Any = None
        self._pending: Dict[int, asyncio.Future] = {}

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls that are under way fail. A later call
        would open another."""
        self._drop(Unreachable("the client was closed meanwhile"))

    def _assignable(self) -> None:
        raise TypeError("an assignment cannot be awaited: await table.write("
                        "addr, values), or await device.set(name, value)")

    async def _drive(self, steps: Steps[Any]) -> Any:
        self._enter_loop()
        return await self._run(steps)

    async def _do(self, step: Any) -> Any:
        if isinstance(step, _Exchange):
            return await self._exchange(step)
        if isinstance(step, _Open):
            return await self._open(step.until)
        if isinstance(step, _Pause):
            return await asyncio.sleep(step.seconds)
        raise AssertionError(step)

    def _enter_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._drop()
            self._loop = loop
            self._opening = asyncio.Lock()

    def _drop(self, why: Optional[Exception] = None) -> None:
        """Ends the connection, and tells who waits for an answer over it."""
        wire, self._wire = self._wire, None
        if wire is not None:
            if self._loop is not None and not self._loop.is_closed() \
                    and wire.pid == os.getpid():
                self._loop.remove_reader(wire.socket.fileno())
                self._loop.remove_reader(wire.monitor.fileno())
            wire.close()
        self._ranges.clear()
        pending, self._pending = self._pending, {}
        for waiting in pending.values():
            if not waiting.done() and not (
                    self._loop is not None and self._loop.is_closed()):
                waiting.set_exception(why or _Gone(True))

    def _is_up(self) -> bool:
        if self._wire is not None:
            self._pump()
        return self._wire is not None

    async def _open(self, until: float) -> Optional[str]:
        """One call connects for all; each waits as long as it may take."""
        if self._is_up():
            return None
        opening = self._opening
        try:
            await asyncio.wait_for(opening.acquire(), max(
                RETRY_S, until - time.monotonic()))
        except asyncio.TimeoutError:
            return "another call is still connecting"
        try:
            return None if self._is_up() else await self._connect(until)
        finally:
            opening.release()

    async def _connect(self, until: float) -> Optional[str]:
        assert self._loop is not None
        wire = _command_wire(self)
        try:
            while True:
                state = _open_state(self, wire, _left_ms(until) == 0)
                if state is not None:
                    break
                await _readable([wire.monitor], until)
        except BaseException:
            wire.close()
            raise
        if state != "up":
            wire.close()
            return state
        self._drop()
        self._wire = wire
        self._loop.add_reader(wire.socket.fileno(), self._pump)
        self._loop.add_reader(wire.monitor.fileno(), self._pump)
        return None

    def _pump(self) -> None:
        """Takes in all that has come. ZeroMQ's descriptors tell of a change
        only, and anything done to the socket may use that up: so this comes
        after each send too, and emptying the socket comes last."""
        wire = self._wire
        if wire is None:
            return
        wire.news()
        while True:
            frames = wire.receive()
            if frames is None:
                break
            try:
                key, answer, raw = _decode(frames)
                if key is None:
                    raise _unasked(answer)
            except HoldfastError as e:
                # whose it is cannot be told
                for waiting in self._pending.values():
                    if not waiting.done():
                        waiting.set_exception(e)
                continue
            asked = self._pending.get(key)
            if asked is not None and not asked.done():
                asked.set_result((answer, raw))
        if wire.down is not None:
            self._drop()

    async def _exchange(self, step: _Exchange
                        ) -> Tuple[Any, Optional[bytes]]:
        if self._wire is None or self._loop is None:
            raise _Gone(False)
        if not self._wire.send(step.frames):
            self._drop()
            raise _Gone(False)
        waiting = self._loop.create_future()
        self._pending[step.id] = waiting
        try:
            self._pump()
            return await asyncio.wait_for(
                waiting, max(0.0, step.until - time.monotonic()))
        except asyncio.TimeoutError:
            raise Timeout() from None
        finally:
            self._pending.pop(step.id, None)


async def _readable(sockets: Sequence[zmq.Socket],
                    until: Optional[float]) -> bool:
    """Waits until one of the sockets, all of which have just been emptied,
    may have something. False if it is too late."""
    loop = asyncio.get_running_loop()
    some = loop.create_future()

    def wake() -> None:
        if not some.done():
            some.set_result(None)

    for s in sockets:
        loop.add_reader(s.fileno(), wake)
    try:
        await asyncio.wait_for(some, None if until is None else max(
            0.0, until - time.monotonic()))
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        for s in sockets:
            loop.remove_reader(s.fileno())


# ---- events -----------------------------------------------------------------


@dataclass
class Event:
    """Something that has happened. Of a change of registers, also device,
    table, addr (of the first value), old, new, who and commit; of a range with
    a name, if it was watched by name, name. data is all that was published.

    gap: events before this one may have been missed. Of a watched address or
    name there is one event after a gap, with gap set and data None, that tells
    how its values differ from those last told; old and new are empty if they
    do not."""

    topic: str
    sequence: int
    at: float
    data: Optional[Dict[str, Any]]
    gap: bool = False
    device: Optional[str] = None
    table: Optional[str] = None
    addr: Optional[int] = None
    old: Optional[List[Any]] = None
    new: Optional[List[Any]] = None
    who: Optional[str] = None
    commit: Optional[int] = None
    name: Optional[str] = None
    step: int = 1  # registers that each of the values takes

    def changes(self) -> Iterator[Tuple[int, Any, Any]]:
        """(addr, old, new) of each value that is another one now."""
        for i, (old, new) in enumerate(zip(self.old or (), self.new or ())):
            if old != new:
                yield (self.addr or 0) + i * self.step, old, new


_TOPICS = ("registers", "transports", "connections", "faults", "log")


class _Image:
    """A watched address, and its registers as last told."""

    def __init__(self, where: _Where) -> None:
        self.where = where
        self.units = where.units()
        kind = where.type or ("bits" if _is_bits(where.table) else "uint16")
        self.kind = kind
        self.flat = _is_bits(where.table) or (
            kind == "uint16" and where.order in (None, "abcd"))
        self.step = self.units if kind == "string" else \
            1 if self.flat or kind == "bits" else _TYPES[kind][0]
        self.now: List[int] = []
        self.seq = 0

    def topic(self) -> str:
        return f"registers.{self.where.device}.{TABLES[self.where.table]}"

    def read(self, client: _Methods) -> Steps[Tuple[List[int], int]]:
        where = self.where
        result, _ = yield from client._ask("registers.read", _given(
            device=where.device, table=where.table, addr=where.addr,
            count=self.units))
        values = _field(result, "values", list, "registers.read")
        if len(values) != self.units:
            raise BadAnswer(f"registers.read: {where}: not {self.units} "
                            f"values: {values!r:.200}")
        return values, _field(result, "seq", int, "registers.read")

    def values(self, registers: List[int]) -> List[Any]:
        if self.flat:
            return [bool(r) for r in registers] \
                if _is_bits(self.where.table) else list(registers)
        return _from_registers(registers, self.kind,
                               self.where.order or "abcd")

    def become(self, now: List[int], event: Event) -> Event:
        """Fills an event in with what differs, from the first value that does
        to the last; with empty lists if none does."""
        was, self.now = self.now, now
        differ = [i for i in range(self.units) if was[i] != now[i]]
        first = last = 0
        if differ:
            first = differ[0] // self.step * self.step
            last = (differ[-1] // self.step + 1) * self.step
        event.device = self.where.device
        event.table = self.where.table
        event.addr = self.where.addr + first
        event.old = self.values(was[first:last])
        event.new = self.values(now[first:last])
        event.name = self.where.name
        event.step = self.step
        return event

    def apply(self, change: Event, ready: Deque[Event]) -> None:
        """Adds what a change to the table means for this address, if
        anything."""
        if change.commit is None or change.commit <= self.seq:
            return  # the image had it already
        now = list(self.now)
        for i, value in enumerate(change.new or (),
                                  (change.addr or 0) - self.where.addr):
            if 0 <= i < self.units:
                now[i] = value
        if now != self.now:
            ready.append(self.become(now, Event(
                change.topic, change.sequence, change.at, change.data,
                who=change.who, commit=change.commit)))


class Watch:
    """Events as they happen: an iterator, or an asynchronous one, and a
    context manager.

        for event in hf.watch("plc1/hr:100+4", "plc1/flow", timeout=5):
            print(event.addr, event.old, event.new)

    What is watched:
        plc1/hr:100+4, hr:1100:float32   addresses, as `holdfast watch` takes
        plc1/flow                        ranges by their names
        plc1/hr, ir                      whole tables
        registers.plc1. transports log   topics of holdfast-control(7)
        nothing                          every register

    Of addresses and names an event tells the values that have changed, in
    their type; what was before is read when the watch begins, and again after
    a gap, so that what has been told always ends in what is there. Of tables
    and topics an event is as it was published; event.gap says that some
    before it may have been missed, and strict=True raises EventsMissed then.

    It begins, and misses nothing from then on, when it is made (of an
    AsyncClient: when it is entered, or first asked for an event). It ends with
    close(), the end of its block, or when no event has come for timeout
    seconds. While there is no daemon it waits for one."""

    def __init__(self, client: Any, what: Sequence[str],
                 timeout: Optional[float], strict: bool) -> None:
        self._client = client
        self._what = [w for w in what]
        self.timeout = timeout
        self.strict = strict
        self._endpoint = client._events or _events_endpoint(client.endpoint)
        self._wire: Optional[_Wire] = None
        self._images: List[_Image] = []
        self._whole: List[Tuple[str, Optional[str]]] = []  # prefix, table
        self._topics: List[str] = []
        self._seen: Dict[str, int] = {}
        self._was_away = False
        self._greeted = 0
        self._begun = False
        self._behind = False  # watched addresses are to be read again
        self._ready: Deque[Event] = collections.deque()
        for word in self._what:
            self._check(word)
        if not client._is_async:
            client._drive(self._begin())
            self._await_greeting()
            client._drive(self._settle())

    # -- what is watched --

    @staticmethod
    def _is_topic(word: str) -> bool:
        return word.split(".")[0] in _TOPICS and "/" not in word \
            and ":" not in word

    def _check(self, word: str) -> None:
        """Mistakes are told before anybody is asked."""
        if not self._is_topic(word) and word.rpartition("/")[2] not in _SHORT:
            _parse_target(word)

    def _begin(self) -> Steps[None]:
        """Finds out what is meant, and connects."""
        self._images, self._whole, self._topics = [], [], []
        for word in self._what or ["registers."]:
            device, _, table = word.rpartition("/")
            if self._is_topic(word):
                self._whole.append((word, None))
                self._topics.append(word)
            elif table in _SHORT:
                prefix = f"registers.{device}." if device else "registers."
                self._whole.append((prefix, TABLES[_SHORT[table]]))
                self._topics.append(prefix)
                if device:  # who has no such device says so
                    yield from self._client._describe(device, table)
            else:
                yield from self._add_image(word)
        self._wire = _Wire(zmq.SUB, self._endpoint, self._client._keys, 50)
        for topic in self._topics:
            self._wire.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())

    def _device(self, name: Optional[str]) -> Steps[str]:
        """The name, also of the only device."""
        if name is not None:
            return name
        found, _ = yield from self._client._ask("devices.list", {})
        if len(found) != 1:
            raise ValueError(f"there are {len(found)} devices; say which: "
                             "DEVICE/...")
        return found[0]["name"]

    def _add_image(self, word: str) -> Steps[None]:
        target = _parse_target(word)
        device = yield from self._device(target.device)
        if isinstance(target, _Named):
            where = yield from self._client._resolve(
                _Named(device, target.name))
        else:
            where = yield from self._client._resolve(
                _with(target, device=device), True)
        if where.type is not None and where.order is None:
            # who names the type that is declared means its order too
            for r in (yield from self._client._known_ranges(device)):
                if r.table == where.table and r.type == where.type and \
                        r.addr <= where.addr < r.addr + r.count:
                    where = _with(where, order=r.order)
        image = _Image(where)
        self._images.append(image)
        self._topics.append(image.topic())

    def _live(self) -> Steps[None]:
        """Once the handshake is over the subscriptions are on their way; two
        round trips later the daemon has them."""
        for _ in range(2):
            yield from self._client._ask("system.ping", {})

    def _settle(self) -> Steps[None]:
        """Only what happens after this is an event of an address."""
        yield from self._live()
        for image in self._images:
            image.now, image.seq = yield from image.read(self._client)
        self._begun = True

    # -- what has happened --

    def _take(self, frames: List[bytes]) -> Steps[None]:
        """One message becomes what there is to tell of it."""
        try:
            topic = frames[0].decode()
            data = json.loads(frames[1])
            sequence = struct.unpack("<Q", frames[2])[0]
            at = float(data.get("at", 0))
        except (ValueError, IndexError, TypeError, AttributeError,
                struct.error):
            raise BadAnswer(f"this is no event: {frames!r:.200}") from None
        known = self._seen.get(topic)
        self._seen[topic] = sequence
        lost = "lost" in data or known not in (None, sequence - 1)
        if lost:
            self._behind = True  # for as long as that fails
            yield from self._catch_up(topic, sequence, at)
            self._behind = False
        # after a reconnection the image has been caught up already
        self._tell(Event(topic, sequence, at, data, lost or (
            known is None and self._was_away)), data)

    def _tell(self, event: Event, data: Dict[str, Any]) -> None:
        topic = event.topic
        if topic.startswith("registers.") and "new" in data:
            device, _, table = topic[len("registers."):].rpartition(".")
            event.device, event.table = device, _SHORT.get(table, table)
            event.addr, event.old = data.get("addr"), data.get("old")
            event.new = data["new"]
            event.who, event.commit = data.get("who"), data.get("seq")
            for image in self._images:
                if image.topic() == topic:
                    image.apply(event, self._ready)
        if any(topic.startswith(prefix)
               and (name is None or topic.endswith("." + name))
               for prefix, name in self._whole):
            self._ready.append(event)

    def _catch_up(self, topic: Optional[str], sequence: int,
                  at: float) -> Steps[None]:
        """Reads watched addresses again and tells how they differ."""
        for image in self._images:
            if topic in (None, image.topic()):
                now, image.seq = yield from image.read(self._client)
                self._ready.append(image.become(now, Event(
                    image.topic(), sequence, at, None, True,
                    commit=image.seq)))

    def _reconnected(self) -> Steps[None]:
        """The connection was away: what happened meanwhile is not known."""
        self._was_away = self._behind = True
        self._seen.clear()
        yield from self._live()
        yield from self._catch_up(None, 0, time.time())
        self._behind = False

    # -- both kinds of waiting --

    def _news(self) -> bool:
        """True if the connection was lost and is there again."""
        wire = self._wire
        assert wire is not None
        wire.news()
        if wire.refused:
            raise KeyRefused(f"{self._endpoint}: {wire.down}")
        if wire.greeted == self._greeted:
            return False
        first, self._greeted = self._greeted == 0, wire.greeted
        return not first

    def _next(self) -> Optional[Steps[None]]:
        """What is to be done about what has come; None if nothing has."""
        if self._wire is None:
            return None
        if self._news() or self._behind:
            return self._reconnected()
        frames = self._wire.receive()
        return self._take(frames) if frames is not None else None

    def _out(self) -> Event:
        event = self._ready.popleft()
        if event.gap and self.strict:
            raise EventsMissed(f"{event.topic}: events before number "
                               f"{event.sequence} were missed")
        return event

    def _until(self) -> Optional[float]:
        return None if self.timeout is None else \
            time.monotonic() + self.timeout

    def _late(self) -> Unreachable:
        self.close()
        return Unreachable(f"cannot reach the daemon's events at "
                           f"{self._endpoint}")

    def _await_greeting(self) -> None:
        until = time.monotonic() + self._client.timeout
        assert self._wire is not None
        while not self._news() and not self._greeted:
            if not _poll(self._wire.monitor, until):
                raise self._late()

    async def _await_beginning(self) -> None:
        await self._client._drive(self._begin())
        until = time.monotonic() + self._client.timeout
        assert self._wire is not None
        while not self._news() and not self._greeted:
            if not await _readable([self._wire.monitor], until):
                raise self._late()
        await self._client._drive(self._settle())

    def close(self) -> None:
        """Ends it; an iteration over it ends too."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def __iter__(self) -> Watch:
        if self._client._is_async:
            raise TypeError("async for, please")
        return self

    def __next__(self) -> Event:
        until = self._until()
        while not self._ready:
            steps = self._next()
            if steps is not None:
                self._client._drive(steps)
                continue
            if self._wire is None:
                raise StopIteration
            if not self._wire.wait(until):
                raise StopIteration
        return self._out()

    def __enter__(self) -> Watch:
        return iter(self)  # type: ignore[return-value]

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __aiter__(self) -> Watch:
        if not self._client._is_async:
            raise TypeError("for, not async for: the client is no "
                            "AsyncClient")
        return self

    async def __anext__(self) -> Event:
        if not self._begun:
            await self._await_beginning()
        until = self._until()
        while not self._ready:
            steps = self._next()
            if steps is not None:
                await self._client._drive(steps)
                continue
            if self._wire is None or not await _readable(
                    [self._wire.socket, self._wire.monitor], until):
                raise StopAsyncIteration
        return self._out()

    async def __aenter__(self) -> Watch:
        self.__aiter__()
        await self._await_beginning()
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.close()


# ---- the command line -------------------------------------------------------

EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE = 1, 64, 69
EXIT_INTERNAL, EXIT_TIMEOUT = 70, 75


class _Command(NamedTuple):
    run: Callable[[Client, argparse.Namespace], None]
    help: str
    arguments: Sequence[Tuple[str, Dict[str, Any]]]
    more: str


_commands: Dict[str, _Command] = {}


def _command(name: str, help: str, *arguments: Tuple[str, Dict[str, Any]],
             more: str = "") -> Callable[[Any], Any]:
    """Makes a function the command of that name. It is given a Client that
    has not connected yet, and the arguments; what it raises becomes the exit
    code."""
    def add(run: Any) -> Any:
        _commands[name] = _Command(run, help, arguments, more)
        return run
    return add


_SYNTAX = """\
an ADDRESS is [DEVICE/]TABLE:ADDR[+COUNT][:TYPE[:ORDER]], or [DEVICE/]NAME of a
range. TABLE is co, di, hr or ir; ADDR counts from 0; COUNT is in values of
TYPE. TYPE is uint16, int16, uint32, int32, uint64, int64, float32, float64,
string, bits or declared; ORDER is abcd, badc, cdab or dcba. Without +COUNT and
:TYPE, where a declared range begins, it is the value declared there."""


def _shown(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and repr(value).endswith(".0"):
        return repr(value)[:-2]  # 5.0 is a float to a program; 5 to people
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _harmless(text: str) -> str:
    """Text from elsewhere does nothing to a terminal."""
    return "".join("?" if ord(c) < 32 or 127 <= ord(c) < 160 else c
                   for c in text)


def _print_json(result: Any) -> None:
    print(json.dumps(result, ensure_ascii=False, separators=(",", ":")))


def _print_rows(args: argparse.Namespace, heading: Sequence[str],
                rows: Sequence[Sequence[str]], raw: int = -1) -> None:
    """As the format asks; raw is the only column that -o raw shows."""
    rows = [[_harmless(c) for c in row] for row in rows]
    if args.output == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows(
            [heading, *rows])
    elif args.output == "raw":
        for row in rows:
            print(row[raw] if raw >= 0 else "\t".join(row))
    elif args.output == "table" or sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(heading, *rows)]
        for row in [heading, *rows]:
            print("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip())
    else:
        for row in rows:
            print("\t".join(row))


@_command("ping", "whether the daemon answers")
def _ping(hf: Client, args: argparse.Namespace) -> None:
    hf.ping()
    began = time.monotonic()
    hf.ping()
    took = time.monotonic() - began
    if args.output == "json":
        _print_json({})
    elif args.output == "table" or sys.stdout.isatty():
        print(f"answered in {took * 1e3:.2f} ms")


@_command("status", "the daemon and its transports")
def _status(hf: Client, args: argparse.Namespace) -> None:
    found = hf.transports()
    if args.output == "json":
        _print_json(found)
        return
    columns = ("name", "type", "listen", "state", "line", "pid", "uptime_s",
               "restarts", "connections", "requests", "exceptions", "errors",
               "last_exit")
    _print_rows(args, [c.upper() for c in columns], [
        [_shown(t.get(c)) for c in columns] for t in found])


@_command("get", "read registers and bits",
          ("address", {"nargs": "+", "metavar": "ADDRESS"}), more=_SYNTAX)
def _get(hf: Client, args: argparse.Namespace) -> None:
    targets = [_parse_target(word) for word in args.address]
    rows = []
    for target in targets:
        where = hf._drive(hf._resolve(target, True))
        if args.output == "json":
            _print_json(hf.call("registers.read", {
                **_given(device=where.device), **where.params(),
                **_given(count=where.count)}))
            continue
        values = hf._drive(hf._read(_with(where, one=False)))
        step = 1 if _is_bits(where.table) else _TYPES[
            where.type or "uint16"][0]
        for i, value in enumerate(values):
            place = str(_with(where, addr=where.addr + i * step))
            if where.type == "bits" and len(values) > 1 \
                    and not _is_bits(where.table):
                place = f"{where}.{i}"
            rows.append([place, _shown(value)])
    if args.output != "json":
        _print_rows(args, ["ADDRESS", "VALUE"], rows, 1)


_WORDS = {"on": 1, "off": 0, "true": 1, "false": 0}


def _typed_value(where: _Where, word: str) -> Any:
    """A word as the value that the type calls for."""
    if where.type == "string":
        return word
    if word in _WORDS and (_is_bits(where.table) or where.type == "bits"):
        return _WORDS[word]
    try:
        if re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)", word):
            return int(word, 16 if "x" in word.lower() else 10)
        return float(word)
    except ValueError:
        raise ValueError(f'"{word}" is no value for {where}') from None


@_command("set", "write registers and bits",
          ("address", {"metavar": "ADDRESS"}),
          ("value", {"nargs": "+", "metavar": "VALUE"}),
          more="The values go to ADDRESS and what follows it, as one step; "
          "bits may be on and off.\n" + _SYNTAX)
def _set(hf: Client, args: argparse.Namespace) -> None:
    target = _parse_target(args.address)
    where = hf._drive(hf._resolve(target, True))
    values = [_typed_value(where, word) for word in args.value]
    if isinstance(target, _Named):
        _values_of(where, values[0] if where.one and len(values) == 1
                   else values)
    elif not where.one and where.type != "string" \
            and where.count != len(values):
        raise ValueError(f"{args.address}: {len(values)} values for "
                         f"{where.count}")
    seq = hf._drive(hf._write(where, values))
    if args.output == "json":
        _print_json({"seq": seq})
    elif args.output == "table" or sys.stdout.isatty():
        print(f"written, commit {seq}")


@_command("watch", "print changes as they happen",
          ("what", {"nargs": "*", "metavar": "ADDRESS|TABLE|TOPIC"}),
          more="TABLE is [DEVICE/] and co, di, hr or ir, all of it; TOPIC is "
          "transports,\nconnections or log, or one of them with a name: "
          "transports.tcp1. Without arguments:\nevery register.\n" + _SYNTAX)
def _watch(hf: Client, args: argparse.Namespace) -> None:
    with hf.watch(*args.what) as events:
        if args.output == "table" or sys.stdout.isatty():
            print("watching; ^C ends it")
        if args.output == "csv":
            print("TIME,ADDRESS,FROM,TO,WHO")
        sys.stdout.flush()
        for event in events:
            if event.gap:
                print(f"holdfast: {event.topic}: some events were missed",
                      file=sys.stderr)
            _print_event(event, args)
            sys.stdout.flush()


def _print_event(event: Event, args: argparse.Namespace) -> None:
    if args.output == "json":
        _print_json({"topic": event.topic, "sequence": event.sequence,
                     "event": event.data if event.data is not None else {
                         "addr": event.addr, "old": event.old,
                         "new": event.new, "seq": event.commit}})
        return
    at = time.strftime("%H:%M:%S", time.localtime(event.at)) + \
        f".{int(event.at % 1 * 1000):03d}"
    rows = []
    if event.new is not None:
        for addr, old, new in event.changes():
            rows.append([at, f"{event.device}/{event.table}:{addr}",
                         _shown(old), _shown(new), event.who or "?"])
    elif event.data is not None and not event.data.get("lost"):
        rows.append([at, *_about(event.topic, event.data)])
    for row in rows:
        row = [_harmless(c) for c in row]
        if args.output == "raw":
            print(row[1] + "\t" + row[3])
        elif args.output == "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerow(row)
        elif args.output == "table" or sys.stdout.isatty():
            arrow = " -> " if row[2] else ""
            print(f"{row[0]}  {row[1]:20}  {row[2]}{arrow}{row[3]}  {row[4]}")
        else:
            print("\t".join(row))


def _about(topic: str, data: Dict[str, Any]) -> List[str]:
    """What, from, to, who of an event that is no change of registers."""
    if "was" in data:
        return [topic, _shown(data["was"]), _shown(data.get("state")),
                _shown(data.get("why"))]
    if "event" in data:
        about = _shown(data.get("peer", data.get("why")))
        if "fc" in data:
            role = '""' if data.get("role") == "" else _shown(
                data.get("role"))
            about += (f" role={role} unit={_shown(data.get('unit'))} "
                      f"fc={_shown(data['fc'])}")
        return [_shown(data.get("id")), "", _shown(data["event"]), about]
    return [topic, "", _shown(data.get("level")), _shown(data.get("line"))]


@_command("call", "any method of holdfast-control(7)",
          ("method", {"metavar": "METHOD"}),
          ("params", {"nargs": "?", "metavar": "JSON", "default": "{}"}),
          more="The result is printed as JSON.\n  python3 -m holdfast call "
          "registers.describe '{\"device\": \"plc1\"}'")
def _call(hf: Client, args: argparse.Namespace) -> None:
    try:
        params = json.loads(args.params)
    except ValueError as e:
        raise ValueError(f"{args.params}: {e}") from None
    _print_json(hf.call(args.method, params,
                        timeout=args.timeout or 10 * hf.timeout))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the exit code for it."""

    def error(self, message: str) -> Any:
        print(f"holdfast: {message}; try --help", file=sys.stderr)
        sys.exit(EXIT_USAGE)


def _seconds(word: str) -> float:
    number = float(word)
    if not 0 < number <= 86400:
        raise ValueError
    return number


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False,
                                      argument_default=argparse.SUPPRESS)
    add = options.add_argument
    add("-s", "--endpoint", help="where the daemon is: ipc://PATH, a path or "
        "tcp://HOST:PORT; else $HOLDFAST_CONTROL, else the run directory")
    add("--run-dir", metavar="DIR", help="its run directory; else "
        f"$HOLDFAST_RUN_DIR, else {DEFAULT_RUN_DIR}")
    add("-o", "--output", choices=("table", "json", "csv", "raw"),
        metavar="FORMAT", help="table, json, csv or raw")
    add("-t", "--timeout", type=_seconds, metavar="SECONDS",
        help="how long an answer may take")
    add("-w", "--wait", type=_seconds, metavar="SECONDS",
        help="wait until every transport serves")
    add("--key", metavar="FILE", help="own secret key, for tcp with CURVE")
    add("--server-key", metavar="KEY", help="the daemon's public key")
    parser: argparse.ArgumentParser = _Parser(
        prog="python3 -m holdfast", parents=[options],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Read, write and follow a running holdfastd.",
        epilog="exit codes: 0 done, 1 refused by the daemon, 64 usage, 69 not "
        "reachable, 75 timed\nout. From a program: import holdfast; "
        "help(holdfast); holdfast-python(7).")
    parser.add_argument("-V", "--version", action="version",
                        version=f"holdfast.py {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True,
        parser_class=type(parser))
    for name, command in _commands.items():
        sub = commands.add_parser(
            name, help=command.help, description=command.help,
            epilog=command.more, parents=[options],
            formatter_class=argparse.RawDescriptionHelpFormatter)
        for argument, more in command.arguments:
            sub.add_argument(argument, **more)
        sub.set_defaults(run=command.run)
    return parser


def _run_command(args: argparse.Namespace) -> int:
    try:
        wait = args.wait or 0
        with Client(args.endpoint, run_dir=args.run_dir, key=args.key,
                    server_key=args.server_key, wait=wait,
                    timeout=args.timeout or 10.0) as hf:
            if wait:
                hf.wait_ready(wait)
            args.run(hf, args)
        return 0
    except (Timeout, DaemonTimeout) as e:
        return _complain(e, EXIT_TIMEOUT)
    except (KeyRefused, DaemonError) as e:
        return _complain(e, EXIT_REFUSED)
    except (Unreachable, AnswerLost) as e:
        return _complain(e, EXIT_UNREACHABLE)
    except NoSuchName as e:
        return _complain(e, EXIT_REFUSED)
    except HoldfastError as e:
        return _complain(e, EXIT_INTERNAL)
    except BrokenPipeError:
        # whoever read has gone: nothing failed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, IndexError, OSError) as e:
        return _complain(e, EXIT_USAGE)


def _complain(error: BaseException, code: int) -> int:
    print(f"holdfast: {_harmless(str(error))}", file=sys.stderr)
    return code


def main(argv: Optional[Sequence[str]] = None) -> int:
    """python3 -m holdfast; the exit code."""
    args = argparse.Namespace(
        endpoint=None, run_dir=None, output=None, timeout=None, wait=None,
        key=None, server_key=None)
    words = list(sys.argv[1:] if argv is None else argv)
    for i in range(len(words) - 1, 0, -1):
        # a key may begin with a dash
        if words[i - 1] in ("--key", "--server-key"):
            words[i - 1:i + 1] = [words[i - 1] + "=" + words[i]]
    _parser().parse_args(words, args)
    try:
        code = _run_command(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
