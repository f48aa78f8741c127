#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hooks of programs: the worker is a copy of the program, and calls back into
it; with threads, into what it was at hf_init()."""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from embed_case import Program, sanitizer  # noqa: E402
from peers import Master, Stream  # noqa: E402
from sys_embed import refused  # noqa: E402
from sysutil import ROOT, Modbus, wait_for  # noqa: E402

LATE = """#include <holdfast.h>
size_t late_trace_pdu(void *, const struct hf_traced *, uint8_t *, size_t,
    size_t);
size_t late_trace_pdu(void *arg, const struct hf_traced *t, uint8_t *pdu,
    size_t len, size_t room)
{ (void)arg; (void)pdu; (void)room; return t->unit == 67 ? 0 : len; }
"""
ANSWER = b"\x64"  # function code 100


def check(p, srv, number):
    """Every kind of hook does its work."""
    with Modbus(srv.port) as m:
        reply = m.request(ANSWER)
        assert reply[:2] == bytes([100, number]), reply
        assert m.request(ANSWER)[2] == reply[2] + 1, "its memory is its own"
        m.send(m.adu(ANSWER, 66))  # is suppressed
        assert m.request(ANSWER, 1)[2] == reply[2] + 3
        assert [m.read_ir(100)[0] for _ in range(3)] == [1, 3, 7]
        assert p.int("get", "plc1", 4, 100) == 7


def test_hooks_of_a_program():
    """function codes, actions and traces are called in the worker, which has
    the program's memory as it was at the start"""
    with Program(action="double") as p:
        check(p, p.start("tcp", number=7, hooks="yes"), 7)
        p.ask("set", "plc1", 3, 50, 77)
        with Modbus(p.start("tcp", number=8, hooks="yes").port) as m:
            assert m.request(ANSWER)[3:] == bytes([77, True])
            assert m.request(ANSWER)[:2] == bytes([100, 8])
            assert m.read_ir(100) == [15]


def test_hooks_of_a_program_with_threads():
    """the same from the fork server: tables may be filled in later, what they
    point to is as it was at hf_init()"""
    with Program(store=None) as p:
        assert p.int("init") == 0
        p.ask("thread")
        p.store = p.ask("store", "-", "double")
        check(p, p.start("tcp", number=9, hooks="yes"), 1)


def test_a_transport_of_the_programs_own():
    """type HF_PLUGIN serves over a transport that the hooks bring"""
    for threads in False, True:
        port = sysutil.free_port()
        with Program() as p:
            p.ask("init")
            if threads:
                p.ask("thread")
            srv = p.start("plugin", transport="mine", hooks="yes",
                          address=str(port), framer="rtu", unit="*:plc1")
            m = Master(Stream.tcp(port), "rtu")
            m.write_hr(1, 5, [6])
            assert p.int("get", "plc1", 3, 5) == 6
            assert srv.status()["connections"] == 1
            refused("needs hooks", "EINVAL", p.start, "plugin",
                    transport="mine", address="1")
            refused("yours", "EINVAL", p.start, "plugin", hooks="yes",
                    transport="yours", address="1")


def test_hooks_that_were_loaded_after_hf_init():
    """a hook in code that the fork server has not got is refused with words;
    without threads there is nothing to refuse"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        late = os.path.join(where, "late.so")
        subprocess.run(["cc", *sanitizer(), "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "supervisor"), "-x", "c", "-",
                        "-o", late], input=LATE, text=True, check=True)
        with Program() as p:
            p.ask("init")
            with Modbus(p.start("tcp", hooks=late).port) as m:
                m.send(m.adu(ANSWER, 67))  # is suppressed
                assert m.request(ANSWER, 1)[0] == 100
            p.ask("thread")
            refused("loaded after hf_init()", "EINVAL", p.start, "tcp",
                    hooks=late)
            p.start("tcp", hooks="yes")


def test_an_action_that_nobody_has():
    """a range whose action no hook brings is an error of the start"""
    with Program(action="tripple") as p:
        refused("tripple", "EINVAL", p.start, "tcp", hooks="yes")


def test_a_hook_that_crashes_costs_its_worker():
    """the worker comes back, the program goes on, and so does the connection:
    what two workers have died of is answered 04"""
    with Program(action="double") as p:
        srv = p.start("tcp", hooks="yes")
        with Modbus(srv.port) as m:
            assert m.request(ANSWER)[2] == 1
            worker = srv.status()["pid"]
            assert m.request(ANSWER, 69) == bytes([ANSWER[0] | 0x80, 4])
            wait_for(lambda: srv.status()["restarts"] == 2 and
                     srv.status()["up"])
            assert srv.status()["pid"] != worker
            assert m.request(ANSWER)[2] == 1, "a fresh copy"


def test_a_worker_that_gives_up_does_nothing_of_the_programs():
    """a worker that its hook's result ends does not carry out what the
    program wants done at its exit"""
    for threads in False, True:
        with tempfile.NamedTemporaryFile("r") as f:
            with Program() as p:
                p.ask("atexit", f.name)
                p.ask("init")
                if threads:
                    p.ask("thread")
                srv = p.start("tcp", hooks="yes")
                with Modbus(srv.port) as m:
                    m.send(m.adu(ANSWER, 68))
                    assert m.closed()
                wait_for(lambda: srv.status()["restarts"] == 1 and
                         srv.status()["up"])
                assert f.read() == ""
            assert f.read() == "exit"


if __name__ == "__main__":
    sysutil.run()
