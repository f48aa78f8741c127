#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lua scripts as actions: what they see and do, what they cannot, what becomes
of those that go wrong, and of those that are edited."""

import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import zmq

import bench_tools
import sysutil
from sysutil import BUILD, Daemon, Modbus, ModbusError, wait_for


def lua(addr, function=None, script="x.lua", more=None, **keys):
    """A range that a script's function makes."""
    action = {"name": "lua", "script": script, **(more or {})}
    if function:
        action["function"] = function
    return {"addr": addr, "action": action, **keys}


class Scripted(Daemon):
    """A daemon with scripts beside its configuration."""

    def __init__(self, files, *ranges, ready=True, **tables):
        self.files = files if isinstance(files, dict) else {"x.lua": files}
        super().__init__({
            "devices": {"d": {"holding_registers": [
                *ranges, {"addr": 1000, "count": 10, "value": 48879}],
                **tables}},
            "transports": {"tcp1": {"type": "tcp",
                                    "listen": "127.0.0.1:0"}}}, ready=ready)

    def start(self, ready=True):
        for name, text in self.files.items():
            self.put(name, text)
        super().start(ready)

    def put(self, name, text):
        """As editors do: the whole file at once."""
        path = os.path.join(self.dir, name)
        with open(path + "~", "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.rename(path + "~", path)

    def client(self):
        return Modbus(self.port("tcp1"))

    def aside(self):
        """How often the log says that a script was put aside."""
        return self.stderr_text().count("is put aside")


def test_a_function_makes_values_of_any_type():
    """what a function returns is the value, whatever type and order it has"""
    types = {  # what is returned: what is read
        "uint16": (65535, ">H"), "int16": (-7, ">h"),
        "uint32": (4000000000, ">I"), "int32": (-70000, ">i"),
        "uint64": (2 ** 53 + 1, ">Q"), "int64": (-2 ** 62 - 1, ">q"),
        "float32": (1.5, ">f"), "float64": (0.1, ">d")}
    ranges = [lua(10 * i, "give", more={"it": v[0]}, type=t)
              for i, (t, v) in enumerate(types.items())]
    with Scripted("""
function give(cell)
    assert(cell.device == "d" and cell.type and cell.time >= 0)
    assert(cell.table == "holding_registers" or cell.table == "coils")
    assert(cell.unix > 1.6e9 and cell.address % 10 == 0)
    return cell.parameters.it
end
function up(cell) return cell.value + 1 end
function yes(cell) return cell.value == 0 end
function text(cell) return "was " .. #cell.value end
function near(cell) return cell.parameters.it end
function nothing() end
function six() return nil, 6 end
""", *ranges,
            lua(100, "up", value=7, order="dcba", type="uint32"),
            lua(110, "text", type="string", count=6, value="abc"),
            lua(120, "near", more={"it": 2.5}),
            lua(121, "near", more={"it": -3}),
            lua(122, "near", more={"it": 1e9}),
            lua(123, "nothing", value=77),
            lua(124, "six", value=77),
            coils=[lua(0, "yes", count=3)]) as d, d.client() as m:
        for i, (want, fmt) in enumerate(types.values()):
            regs = m.read_hr(10 * i, struct.calcsize(fmt) // 2)
            got = struct.unpack(fmt, struct.pack(f">{len(regs)}H", *regs))
            assert got == (want,), (got, want)
        assert m.read_hr(100, 2) == [0x0800, 0], m.read_hr(100, 2)
        assert struct.pack(">6H", *m.read_hr(110, 6)) == b"was 3" + bytes(7)
        assert m.read_hr(120, 4) == [3, 0, 65535, 77]
        assert m.request(bytes.fromhex("03007c0001")) == b"\x83\x06"
        assert [m.read_co(0, 3) for _ in range(3)] == [
            [1] * 3, [0] * 3, [1] * 3]
        assert d.aside() == 0, d.stderr_text()


def test_a_script_reads_and_writes_and_remembers():
    """other registers of the device, ro ones too; a table of the value's own,
    and what is global to the script of a range"""
    with Scripted("""
local calls = 0
function action(cell)
    calls = calls + 1
    cell.state.n = (cell.state.n or 0) + 1
    local two = read("hr", 1001, 2)
    write("holding_registers", 1003, { calls, #two, true })
    write("ir", 0, cell.state.n)
    return two[1] + read("co", 1)
end""", lua(0, count=2), coils=[{"addr": 0, "count": 2, "values": [0, 1]}],
            input_registers=[{"addr": 0}]) as d, d.client() as m:
        m.write_hr(1001, [10, 20])
        assert m.read_hr(0, 2) == [11, 11]
        assert m.read_hr(1003, 3) == [2, 2, 1] and m.read_ir(0) == [1]
        assert m.read_hr(1) == [11]
        assert m.read_hr(1003) == [3] and m.read_ir(0) == [2]
        assert d.aside() == 0, d.stderr_text()


def test_what_was_written_stays_where_an_action_fails():
    """as a simulator does; function code 23 everywhere; and counts as written,
    though nothing has been read"""
    for simulator in (True, False):
        with Scripted("function action(cell) return nil, 6 end", lua(0),
                      simulator=simulator, counters=True) as d, \
                d.client() as m:
            both = struct.pack(">BHHHHBH", 23, 0, 1, 0, 1, 2, 8)
            single = struct.pack(">BHH", 6, 0, 7)
            assert m.request(single) == (b"\x86\6" if simulator else single)
            for value, send in ((7, None), (8, both)):
                if send:
                    assert m.request(send) == b"\x97\6"
                assert d.rpc("registers.read", device="d", table="hr", addr=0,
                             count=1)["values"] == [value]
            assert d.rpc("registers.counts", device="d", table="hr",
                         addr=0) == {"reads": [0], "writes": [2]}


def test_on_the_clock():
    """with period_ms the clock calls it, and reading does not"""
    with Scripted("function action(c) c.state.n = (c.state.n or 0) + 1 "
                  "return c.state.n end",
                  lua(0, more={"period_ms": 20})) as d, d.client() as m:
        wait_for(lambda: m.read_hr(0)[0] > 100, 10, "a count")
        began, a = time.monotonic(), m.read_hr(0)[0]
        for _ in range(200):
            b = m.read_hr(0)[0]
        assert b - a <= (time.monotonic() - began) / 0.02 + 2
        pid, killed = d.child("clock"), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: "clock" in d.rpc("system.info")["aides"] and
                 d.rpc("system.info")["aides"]["clock"] not in (0, pid), 10,
                 "another clock")
        # no more than it can have come to since
        wait_for(lambda: m.read_hr(0)[0] <=
                 (time.monotonic() - killed) / 0.02 + 2, 10, "a new count")
        wait_for(lambda: m.read_hr(0)[0] > 101, 10, "that goes on")


ABSENT = ("io os debug package require load loadstring loadfile dofile "
          "collectgarbage print warn pcall xpcall coroutine setmetatable "
          "getmetatable rawget rawset rawequal rawlen string.find "
          "string.match string.gmatch string.gsub string.dump table.move "
          "_G.io _G.load").split()


def test_there_is_no_way_out():
    """files, the system, other code and what would outlive a budget are not
    there; strings' methods are no back door"""
    text = "".join(f"assert({name} == nil, '{name}')\n" for name in ABSENT)
    text += """
for _, k in ipairs({ "find", "match", "gsub", "dump", "gmatch" }) do
    assert((""))
    assert((""):len() == 0 and (""):rep(3) == "")
    assert(string[k] == nil and ("")[k] == nil, k)
end
for k in pairs(_G) do assert(k ~= "_LOADED") end
assert(("ab"):rep(3, "-") == "ab-ab-ab")
function action() return 1 end"""
    with Scripted(text, lua(0)) as d, d.client() as m:
        assert m.read_hr(0) == [1], d.stderr_text()


BAD = {  # functions, and what is said of them
    "loop": ("while true do end", "too many instructions"),
    "nested": ("local function f() f() end f()", "out of memory"),
    "hog": ("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
            "out of memory"),
    "big": ("return ('x'):rep(1e9)", "too large"),
    "empty": ("return #(''):rep(9e18)", None),
    "slow": ("local s = ('x'):rep(200000) while true do s = s:reverse() end",
             "too much time"),
    "error": ("error('no\\nlevel\\27[1m')", "no level [1m"),
    "object": ("error({})", "no string"),
    "lower": ("return 1 + nil", "attempt to perform arithmetic"),
    "type": ("return {}", "number expected"),
    "exception": ("return nil, 999", "no exception 999"),
    "table": ("return read('hx', 1)", "no table is called"),
    "missing": ("return read('hr', 5000)", "exception 2"),
    "much": ("write('hr', 0, {})", "1 to 4096 values"),
    "close": ("local x <close> = nil while true do end",
              "too many instructions"),
    "deep": ("local t = {} for i = 1, 9 do t = { t, t } end "
             "return table.concat(t)", "invalid value"),
    "pack": ("return ('s8'):pack(('x'):rep(3e5):rep(3))", None),
}


def test_what_goes_wrong_is_put_aside():
    """a script with an error, or that takes more than it may, is put aside: one
    line and one event, its value stays, all else goes on"""
    text = "".join(f"function f_{name}(cell) {body} end\n"
                   for name, (body, _) in BAD.items())
    ranges = [lua(i, "f_" + name, value=100 + i)
              for i, name in enumerate(BAD)]
    with Scripted(text, *ranges) as d, d.client() as m:
        sub = zmq.Context.instance().socket(zmq.SUB)
        sub.linger = 0
        sub.subscribe(b"log")
        sub.connect(d.events_endpoint)
        while not sub.poll(20):  # until it hears anything
            d.rpc("system.reload")
        worker = d.worker_pid("tcp1")
        for i, (name, (_, why)) in enumerate(BAD.items()):
            before, began = d.aside(), time.monotonic()
            value = m.read_hr(i)
            assert time.monotonic() - began < 15, name
            if why is None:
                continue
            assert value == [100 + i], (name, value)
            assert d.aside() == before + 1, (name, d.stderr_text()[-500:])
            line = d.stderr_text().splitlines()[-1]
            assert why in line and f"d holding_registers {i}:" in line, line
            assert m.read_hr(i) == [100 + i]
            assert d.aside() == before + 1  # once
        assert m.read_hr(1000) == [48879]
        assert d.worker_pid("tcp1") == worker

        def heard():
            while sub.poll(0):
                event = json.loads(sub.recv_multipart()[1])
                if "put aside" in event.get("line", event.get("text", "")):
                    return True
            return False

        wait_for(heard, 10, "the event")
        sub.close(0)


def test_budgets_are_configured():
    """instructions and memory_kb are the script's to be given"""
    text = """
function work(cell) local n = 0 for i = 1, 30000 do n = n + 1 end return n end
function fill() local t = {} for i = 1, 20000 do t[i] = i end return #t end"""
    little, much = {"instructions": 20000}, {"instructions": 1000000}
    with Scripted(text, lua(0, "work", more=little),
                  lua(1, "work", more=much),
                  lua(2, "fill", more={"memory_kb": 64, **much}),
                  lua(3, "fill", more={"memory_kb": 2048, **much})
                  ) as d, d.client() as m:
        assert m.read_hr(0, 4) == [0, 30000, 0, 20000], d.stderr_text()
        assert d.aside() == 2


def test_what_is_no_script_is_put_aside_at_once():
    """syntax errors, byte code, no function, loops on loading, no such file"""
    files = {"a.lua": "function action(", "b.lua": b"\x1bLua\x54\0",
             "c.lua": "x = 1", "d.lua": "while true do end",
             "e.lua": "local t = {} while true do t[#t+1] = {} end"}
    with Scripted(files, *(lua(i, script=name, value=9)
                           for i, name in enumerate(files))
                  ) as d, d.client() as m:
        assert m.read_hr(0, 5) == [9] * 5
        assert d.aside() == 5, d.stderr_text()
        for why in ("a.lua:1:", "attempt to load a binary chunk",
                    'there is no function "action"', "too many instructions",
                    "out of memory"):
            assert why in d.stderr_text(), why


def test_an_edited_script_is_loaded_anew():
    """a change of the file is seen within seconds, without restart: of one that
    works, of one that was put aside, and of one that is gone for a while"""
    one, often = "function action() return 1 end", {"period_ms": 50}
    with Scripted({"x.lua": one, "y.lua": one}, lua(0), lua(1, more=often),
                  lua(2, script="y.lua"), lua(3, script="y.lua", more=often)
                  ) as d, d.client() as m:
        worker, clock = d.worker_pid("tcp1"), d.child("clock")
        wait_for(lambda: m.read_hr(0, 2) == [1, 1], 10, "the first script")
        d.put("x.lua", "function action() return 22 end")
        wait_for(lambda: m.read_hr(0, 2) == [22, 22], 10, "the second")
        d.put("x.lua", "function action() return 333 + nil end")
        wait_for(lambda: d.aside() >= 2 or not m.read_hr(0), 10, "its error")
        assert m.read_hr(0, 2) == [22, 22]
        d.put("x.lua", "function action( return 4 end")
        wait_for(lambda: d.aside() >= 4 or not m.read_hr(0), 10, "its error")
        assert m.read_hr(0, 2) == [22, 22]
        os.unlink(os.path.join(d.dir, "x.lua"))
        # each script is looked after once a second: between two looks after
        # the other one lies one after this
        for value in (7, 8):
            d.put("y.lua", "function action() return %d end" % value)
            wait_for(lambda: m.read_hr(0, 4) == [22, 22, value, value], 10,
                     "the other script's change, and this one's value")
        d.put("x.lua", "function action() return 5 end")
        wait_for(lambda: m.read_hr(0, 2) == [5, 5], 10, "the fifth")
        assert (d.worker_pid("tcp1"), d.child("clock")) == (worker, clock)


def test_a_worker_that_dies_takes_only_its_scripts_along():
    """kill -9 of the worker: its successor runs the script, which begins anew"""
    with Scripted("n = 0 function action() n = n + 1 return n end",
                  lua(0)) as d, d.client() as m:
        assert [m.read_hr(0)[0] for _ in range(3)] == [1, 2, 3]
        pid = d.worker_pid("tcp1")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: d.worker_pid("tcp1") not in (0, pid), 10, "another")

        def again():
            try:
                with d.client() as c:
                    return c.read_hr(0)[0]
            except (OSError, EOFError, ModbusError):
                return 0

        wait_for(lambda: again() > 0, 10, "an answer")
        assert again() < 20
        assert d.aside() == 0


def test_reading_is_cheap():
    """what an action costs a reading, built in and in Lua (figures only)"""
    with Scripted("function action(c) return c.value + 1 end",
                  lua(0), {"addr": 1, "action": "increment"},
                  {"addr": 2}) as d, d.client() as m:
        cost = {}
        for addr, what in (2, "none"), (1, "increment"), (0, "lua"):
            ask = m.adu(struct.pack(">BHH", 3, addr, 1))
            best = 1e9
            for _ in range(5):
                began = time.monotonic()
                for _ in range(20):
                    m.send(ask * 100)
                    m.exactly(11 * 100)
                best = min(best, time.monotonic() - began)
            cost[what] = best / 2000 * 1e9
        print("        ns a read: " + ", ".join(
            f"{k} {v:.0f}" for k, v in cost.items()))
        assert cost["lua"] < 100e3 * bench_tools.pace()
        assert d.aside() == 0


def test_without_lua_it_is_told():
    """where Holdfast was built without it, the configuration says so, and
    holdfastd -V"""
    folder = tempfile.mkdtemp(prefix="hf-lua-")
    try:
        os.mkdir(os.path.join(folder, "parts"))
        for name in "holdfastd", "libholdfast.so.0", "parts/control.so":
            shutil.copy(os.path.join(BUILD, name),
                        os.path.join(folder, name))
        path = os.path.join(folder, "c.json")
        with open(os.path.join(folder, "x.lua"), "w") as f:
            f.write("")
        with open(path, "w") as f:
            json.dump({"devices": {"d": {"holding_registers": [lua(0)]}},
                       "transports": {}}, f)

        def run(*args):
            return subprocess.run(
                [os.path.join(folder, "holdfastd"), *args],
                capture_output=True, text=True, timeout=200,
                env={"LD_LIBRARY_PATH": folder})

        assert "lua: no\n" in run("-V").stdout
        done = run("-t", "-c", path)
        assert done.returncode == 78, done
        assert "this holdfastd was built without Lua" in done.stderr, done
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    if not os.path.exists(os.path.join(BUILD, "parts/lua.so")):
        print("skipped: built without Lua\n0 passed, 0 failed, 1 skipped")
    else:
        sysutil.run()
