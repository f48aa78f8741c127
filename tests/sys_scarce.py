#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a machine runs out of while processes die: processes, descriptors,
shared memory; and a time of day that jumps. Who is served goes on being served,
connections stay, and all is well as soon as there is enough again."""

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import Daemon, Modbus, Skip, process_title, wait_for  # noqa: E402

SHM_MIB = 8  # of the small one


def conf(registers=100):
    tcp = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"}}
    return {"devices": {"plc1": {"holding_registers": [
        {"addr": 0, "count": registers}]}},
        "transports": {"tcp1": tcp, "tcp2": tcp}}


class Beside(threading.Thread):
    """A client of tcp2, which must not notice anything: it writes and reads
    back on one connection."""

    def __init__(self, d):
        super().__init__()
        self.m, self.steps, self.why = Modbus(d.port("tcp2")), 0, None
        self.over = threading.Event()

    def run(self):
        try:
            while not self.over.is_set():
                self.m.write_hr(99, self.steps & 0xffff)
                assert self.m.read_hr(99) == [self.steps & 0xffff]
                self.steps += 1
                time.sleep(0.001)
        except Exception as e:  # told by __exit__
            self.why = repr(e)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        try:
            # what happened may have been over sooner than ten requests
            if not kind:
                wait_for(lambda: self.why or self.steps > 10)
        finally:
            self.over.set()
            self.join()
            self.m.close()
        assert kind or self.why is None, self.why


def pid_of(d, name):
    """A process of this title, also without a supervisor; None."""
    for pid in d._leftovers():
        if process_title(pid) == "holdfastd: " + name:
            return pid
    return None


def kill(d, name):
    pid = pid_of(d, name)
    os.kill(pid, signal.SIGKILL)
    return pid


def next_one(d):
    """A supervisor after the one that was killed."""
    if os.path.exists(d.ready_path):
        os.unlink(d.ready_path)
    d.start()
    assert "taking over" in d.stderr_text()


# ---- processes ----

class While:
    """While the file is there, something is not as it should be: what the
    library of that name in tests/preload does."""

    def __init__(self, name):
        self.dir = sysutil.tempfile.mkdtemp(prefix="hf-while-")
        self.path = os.path.join(self.dir, "there")
        self.env = {
            "LD_PRELOAD": os.path.join(sysutil.BUILD, "tests", "preload",
                                       name + ".so"),
            "HOLDFAST_" + name.upper(): self.path}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        sysutil.shutil.rmtree(self.dir)

    def begin(self):
        with open(self.path, "w"):
            pass

    def end(self):
        os.unlink(self.path)


def ask_late(m, value):
    """Sends a write that nobody carries out yet."""
    m.send(m.adu(b"\x06\0\0" + value.to_bytes(2, "big")))


def answered(m, value):
    tid, _, pdu = m.receive()
    assert (tid, pdu) == (m.tid, b"\x06\0\0" + value.to_bytes(2, "big"))


def test_connections_wait_while_nobody_can_be_forked():
    """a worker dies and cannot be made again: its connections wait, also
    through the death of the supervisor, and are served once it can"""
    with While("nofork") as no, Daemon(conf(), env=no.env) as d, Beside(d), \
            Modbus(d.port("tcp1")) as m:
        for value, orphaned in ((1, False), (2, True)):
            m.write_hr(0, 0)
            if orphaned:
                d.orphan()
            no.begin()
            kill(d, "tcp1")
            ask_late(m, value)
            wait_for(lambda: d.stderr_text().count(
                "its keeper cannot make it: " if not orphaned else
                "tcp1: died pid=") >= 2 - orphaned)
            no.end()
            answered(m, value)
            assert m.read_hr(0) == [value]
        next_one(d)
        assert m.read_hr(0) == [2]


def test_a_supervisor_that_cannot_fork_goes_on():
    """control, who is forked by the supervisor itself, dies meanwhile: it is
    back as soon as it can be, and no transport has noticed"""
    with While("nofork") as no, Daemon(conf(), env=no.env) as d, Beside(d), \
            Modbus(d.port("tcp1")) as m:
        no.begin()
        pid = kill(d, "control")
        d.wait_stderr("cannot fork: ")
        m.write_hr(0, 3)
        no.end()
        wait_for(lambda: pid_of(d, "control") not in (None, pid))
        assert d.rpc("registers.read", device="plc1", table="hr", addr=0,
                     count=1)["values"] == [3]


# ---- descriptors ----

def test_a_worker_without_descriptors_dies():
    """no descriptor is left to a worker, and it is killed: what it had goes on
    with the next one, which accepts who has waited"""
    with Daemon(conf()) as d, Beside(d):
        pid = d.worker_pid("tcp1")
        clients = [Modbus(d.port("tcp1")) for _ in range(3)]
        for i, m in enumerate(clients):
            m.write_hr(i, i)
        # so low that not one can be had; those that are open stay
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))
        waits = Modbus(d.port("tcp1"))
        ask_late(waits, 7)
        d.wait_stderr("cannot accept")
        lost = [m for m in clients if not served(m)]
        assert len(lost) <= 1, "more than the one that was closed for it"
        kill(d, "tcp1")
        answered(waits, 7)
        for m in clients:
            assert m in lost or m.read_hr(1) == [1]
            m.close()
        waits.close()


def served(m):
    try:
        return m.read_hr(1) == [1]
    except (OSError, EOFError):
        return False


# ---- time ----

def test_a_time_of_day_that_jumps():
    """ten years ahead and ten years back, in turn: nobody is taken for hung,
    what dies comes back at once, and registers are saved and are there"""
    saved = sysutil.tempfile.mkdtemp(prefix="hf-jump-")
    c = {**conf(), "hang_timeout_ms": 1000, "store": {
        "snapshot": {"path": os.path.join(saved, "s"), "interval_s": 0.1}}}
    with While("jump") as jump, Daemon(c, env=jump.env) as d:
        with Beside(d), Modbus(d.port("tcp1")) as m:
            beside = pid_of(d, "tcp2")
            jump.begin()
            for value in range(1, 4):
                kill(d, "tcp1")
                ask_late(m, value)
                answered(m, value)
            m.write_hr(1, 77)
            saves = d.rpc("system.info")["snapshot"]["saves"]
            wait_for(lambda: d.rpc("system.info")["snapshot"][
                "saves"] > saves + 1, 20)
            d.orphan()
            m.write_hr(2, 78)
            next_one(d)
            assert pid_of(d, "tcp2") == beside
            years = {line[:4] for line in d.stderr_text().splitlines()}
            assert len(years) >= 3, years  # it did jump
        d.stop()
        d.start()
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0, 3) == [3, 77, 78]
    sysutil.shutil.rmtree(saved)


# ---- shared memory ----

def small_shm(directory):
    """A program that runs another in a mount namespace whose /dev/shm is
    small."""
    path = os.path.join(directory, "small")
    with open(path, "w") as f:
        f.write("#!/bin/sh\nexec unshare -m sh -c 'mount -t tmpfs -o "
                "size=${HOLDFAST_TEST_SHM:-%dm} tmpfs /dev/shm && exec \"$@\""
                "' sh %s/holdfastd \"$@\"\n" % (SHM_MIB, sysutil.BUILD))
    os.chmod(path, stat.S_IRWXU)
    if subprocess.run(["unshare", "-m", "sh", "-c",
                       "mount -t tmpfs tmpfs /dev/shm"],
                      capture_output=True).returncode != 0:
        raise Skip("mounting is not allowed here")
    return path


class Small:
    def __enter__(self):
        self.dir = sysutil.tempfile.mkdtemp(prefix="hf-small-")
        try:
            self.program = small_shm(self.dir)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        sysutil.shutil.rmtree(self.dir)


def test_a_start_without_room_says_so():
    "no room for the store: said in words and by the exit code, nothing left"
    with Small() as small:
        env = {"HOLDFAST_TEST_SHM": "64k"}
        d = Daemon(conf(60000), program=small.program, env=env, ready=False)
        try:
            code = d.wait()
            text = d.stderr_text()
            assert code not in (0, 1) and code > 0, (code, text)
            assert "No space left" in text, text
        finally:
            d.clean()


def test_a_full_shm_under_a_running_daemon():
    """/dev/shm is filled to the last byte while a daemon serves: every
    register can be written, and who dies is brought back"""
    with Small() as small, \
            Daemon(conf(50000), program=small.program) as d, Beside(d):
        with open(f"/proc/{d.pid}/root/dev/shm/filler", "wb", 0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        with Modbus(d.port("tcp1")) as m:
            for addr in range(0, 50000, 100):
                if addr > 99:
                    m.write_hr(addr, [addr] * 100)
            for name in ("tcp1", "control"):
                pid = kill(d, name)
                wait_for(lambda: pid_of(d, name) not in (None, pid))
            assert m.read_hr(49900) == [49900]
            with Modbus(d.port("tcp1")) as other:
                assert other.read_hr(200) == [200]
        os.unlink(f"/proc/{d.pid}/root/dev/shm/filler")


if __name__ == "__main__":
    sysutil.run()
