#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The supervisor's death: service and bringing back go on without it, and the
next one takes over what is there.

    sys_adopt.py [WORD...] [--rounds=N]	(8; make torture takes 100)
"""
import json
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import Daemon, Modbus, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 8)


def conf(transports=("tcp1",), **keys):
    tcp = {"type": "tcp", "listen": "127.0.0.1:0", "units": {"*": "plc1"}}
    return {
        "devices": {"plc1": {
            "holding_registers": [{"addr": 0, "count": 100}]}},
        "transports": {t: {**tcp, **keys} for t in transports},
    }


def next_one(d):
    """The next supervisor, which has taken over."""
    if os.path.exists(d.ready_path):
        os.unlink(d.ready_path)
    d.start()
    assert "taking over" in d.stderr_text(), d.stderr_text()


def worker(d, name="tcp1"):
    """Its pid, if there is one whose title says so."""
    for pid in d._leftovers():
        if sysutil.process_title(pid) == f"holdfastd: {name}":
            return pid
    return None


def keeper(d, name="tcp1"):
    for pid in d._leftovers():
        if sysutil.process_title(pid) == f"holdfastd: keeper {name}":
            return pid
    return None


def test_deaths_are_counted_on():
    """what a transport has survived is not forgotten with its supervisor, nor
    when its memory is laid out anew"""
    with Daemon(conf()) as d:
        def restarts():
            wait_for(lambda: d.rpc("transports.list")[0]["state"] == "up")
            return d.rpc("transports.list")[0]["restarts"]

        def die(then):
            old = worker(d)
            os.kill(old, signal.SIGKILL)
            wait_for(lambda: worker(d) not in (None, old))
            if then:
                wait_for(lambda: restarts() == then, what="%d deaths" % then)
        die(1)
        die(2)
        d.orphan()
        die(0)  # its keeper counts
        next_one(d)
        assert restarts() == 3, restarts()
        die(4)
        for keys in ({"max_connections": 77}, {"workers": 2}):
            with open(d.conf_path) as f:
                c = json.load(f)
            c["transports"]["tcp1"].update(keys)
            with open(d.conf_path, "w") as f:
                json.dump(c, f)
            d.cli("reload")
            assert restarts() == 4, restarts()
        d.stop()


def test_clients_go_on_and_the_next_takes_over():
    """kill -9 of the supervisor: an open connection goes on being answered,
    new ones are let in; the next supervisor takes over the same workers, and
    stops and starts them"""
    with Daemon(conf()) as d:
        port, pid = d.port("tcp1"), worker(d)
        with Modbus(port) as m:
            m.write_hr(0, [7])
            d.orphan()
            assert m.read_hr(0, 1) == [7]
            with Modbus(port) as other:
                other.write_hr(1, [8])
            next_one(d)
            assert m.read_hr(0, 2) == [7, 8]
            assert d.port("tcp1") == port and d.worker_pid("tcp1") == pid
            assert d.rpc("transports.list")[0]["state"] == "up"
            assert d.rpc("registers.read", device="plc1", table="hr", addr=0,
                         count=2)["values"] == [7, 8]
            d.rpc("transports.restart", name="tcp1")
            assert d.worker_pid("tcp1") != pid
        with Modbus(port) as m:
            assert m.read_hr(0, 2) == [7, 8]
        d.rpc("transports.stop", name="tcp1")
        d.rpc("transports.start", name="tcp1")
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0, 2) == [7, 8]
        d.stop()


def test_workers_are_brought_back_without_it():
    """a worker that is killed while there is no supervisor is back at once,
    again and again; the next supervisor has the last one"""
    with Daemon(conf()) as d:
        port = d.port("tcp1")
        d.orphan()
        for value in range(1, 4):
            pid = worker(d)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: worker(d) not in (None, pid), what="the next")
            with Modbus(port) as m:
                m.write_hr(0, [value])
        next_one(d)
        assert d.worker_pid("tcp1") == worker(d)
        with Modbus(port) as m:
            assert m.read_hr(0, 1) == [3]
        pid = worker(d)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: d.worker_pid("tcp1") not in (0, None, pid))
        with Modbus(port) as m:
            assert m.read_hr(0, 1) == [3]
        d.stop()


def test_a_stopped_transport_stays_stopped():
    with Daemon(conf(("tcp1", "tcp2"))) as d:
        d.rpc("transports.stop", name="tcp2")
        d.orphan()
        next_one(d)
        states = {t["name"]: t["state"] for t in d.rpc("transports.list")}
        assert states == {"tcp1": "up", "tcp2": "stopped"}, states
        d.rpc("transports.start", name="tcp2")
        with Modbus(d.port("tcp2")) as m:
            m.read_hr(0, 1)
        d.stop()


def test_several_workers_of_one_listener():
    with Daemon(conf(workers=3)) as d:
        pids = sorted(worker(d, f"tcp1/{i}") for i in range(3))
        d.orphan()
        next_one(d)
        assert pids == sorted(worker(d, f"tcp1/{i}") for i in range(3))
        d.stop()


def test_one_of_several_died_along():
    """a worker that died with its supervisor and its keeper serves again, also
    if the others' keepers are late with the listener"""
    with Daemon({**conf(workers=2), "hang_timeout_ms": 30000}) as d:
        port = d.port("tcp1")
        late, others = keeper(d, "tcp1/0"), worker(d, "tcp1/0")
        ends = [os.pidfd_open(f(d, "tcp1/1")) for f in (keeper, worker)]
        os.kill(late, signal.SIGSTOP)
        d.orphan()
        for fd in ends:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            select.select([fd], [], [])
            os.close(fd)
        os.unlink(d.ready_path)
        d.start(ready=False)
        wait_for(lambda: d.stderr_text().count("tcp1 starting") == 2)
        os.kill(late, signal.SIGCONT)
        wait_for(lambda: os.path.exists(d.ready_path), what="service")
        assert worker(d, "tcp1/0") == others and d.port("tcp1") == port
        # newcomers are the other one's once the first has been woken by some
        os.kill(others, signal.SIGSTOP)
        some = [Modbus(port) for _ in range(3)]
        with Modbus(port) as m:
            m.read_hr(0, 1)
        assert worker(d, "tcp1/0") == others, "it was replaced"
        for m in some:
            m.close()


def test_where_it_listens_is_not_believed():
    """what stands in shared memory is anybody's: the next supervisor listens
    where the file says, and shows where that is"""
    with Daemon(conf(("tcp1", "tcp2"))) as d:
        ports = [d.port(t) for t in ("tcp1", "tcp2")]
        d.orphan()
        ends = [os.pidfd_open(f(d, "tcp2")) for f in (keeper, worker)]
        os.kill(keeper(d, "tcp2"), signal.SIGKILL)
        os.kill(worker(d, "tcp2"), signal.SIGKILL)
        for fd in ends:
            select.select([fd], [], [])
            os.close(fd)
        with open(f"/dev/shm/holdfast-{d.store}.control", "r+b") as f:
            text = f.read(1 << 20)
            for port in ports:
                at = text.index(b"127.0.0.1:%d\0" % port)
                f.seek(at)
                f.write(b"127.0.0.2:%d" % port)
        next_one(d)
        hosts = {t: host for t, (_, host, _) in d.transports().items()}
        assert hosts == {"tcp1": "127.0.0.1", "tcp2": "127.0.0.1"}, hosts
        for t in hosts:
            with Modbus(d.port(t)) as m:
                m.read_hr(0, 1)
        assert d.port("tcp1") == ports[0]
        d.stop()


def test_another_configuration_has_other_workers():
    """who serves another configuration is ended; registers that the new one
    has, too, go on with what they hold"""
    with Daemon(conf()) as d:
        port, pid = d.port("tcp1"), worker(d)
        with Modbus(port) as m:
            m.write_hr(0, [7])
        d.orphan()
        os.unlink(d.ready_path)
        with open(d.conf_path) as f:
            text = f.read()
        with open(d.conf_path, "w") as f:
            f.write(re.sub(r'("count":\s*)100', r'\g<1>200', text))
        d.start()
        assert "serve another configuration" in d.stderr_text()
        assert sysutil.process_title(pid) == ""  # or it is not waited for
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0, 1) == [7]
            assert m.read_hr(199, 1) == [0]
        d.stop()


def test_what_is_somebody_elses_is_not_taken_over():
    """segments of another user under the names of this store: anybody may make
    such"""
    for name in "control", "device.plc1":
        with Daemon(conf()) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, [7])
            d.orphan()
            os.unlink(d.ready_path)
            path = "/dev/shm/holdfast-%s.%s" % (d.store, name)
            os.chown(path, 65534, 65534)
            d.start()
            assert "is of user 65534: not taken over" in d.stderr_text()
            assert os.stat(path).st_uid == os.geteuid()
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(0, 1) == [7 * (name == "control")]


def test_a_keeper_that_is_stopped_does_not_hold_up_the_next():
    """a keeper that does not call, and its worker, are ended and replaced"""
    with Daemon(conf(("tcp1", "tcp2"))) as d:
        port, pid = d.port("tcp1"), worker(d)
        other = worker(d, "tcp2")
        os.kill(keeper(d), signal.SIGSTOP)
        d.orphan()
        next_one(d)
        assert "its keeper does not come back" in d.stderr_text()
        assert d.port("tcp1") == port
        assert worker(d) != pid and worker(d, "tcp2") == other
        with Modbus(port) as m:
            m.read_hr(0, 1)
        d.stop()


def test_supervisor_and_keeper_killed():
    """with its keeper gone too, a transport begins anew, the others go on"""
    with Daemon(conf(("tcp1", "tcp2"))) as d:
        port, other = d.port("tcp1"), worker(d, "tcp2")
        os.kill(keeper(d), signal.SIGKILL)
        d.orphan()
        next_one(d)
        assert worker(d, "tcp2") == other
        with Modbus(port) as m:
            m.read_hr(0, 1)
        d.stop()


def test_only_one_supervisor_at_a_time():
    with Daemon(conf()) as d:
        pid = worker(d)
        code = sysutil.subprocess.run(d.args, env=d.env, capture_output=True,
                                      text=True, timeout=200)
        assert code.returncode == 69, code
        assert "another holdfastd (pid" in code.stderr
        assert worker(d) == pid
        d.stop()


class Client(threading.Thread):
    """Writes and reads back on one connection until it is told to end."""

    def __init__(self, port, addr):
        super().__init__()
        self.m, self.addr = Modbus(port), addr
        self.steps, self.error, self.done = 0, None, False
        self.start()

    def run(self):
        try:
            while not self.done:
                value = self.steps & 0xffff
                self.m.write_hr(self.addr, [value])
                assert self.m.read_hr(self.addr, 1) == [value]
                self.steps += 1
        except Exception as e:  # what it was, the test says
            self.error = e
        self.m.close()


def test_clients_notice_no_death_of_supervisors():
    """supervisors killed and started again and again under clients: no
    connection breaks, no request fails"""
    with Daemon(conf()) as d:
        port, pid = d.port("tcp1"), worker(d)
        clients = [Client(port, i) for i in range(8)]
        try:
            for _ in range(ROUNDS):
                before = sum(c.steps for c in clients)
                d.orphan()
                wait_for(lambda: sum(c.steps for c in clients) > before + 50)
                next_one(d)
        finally:
            for c in clients:
                c.done = True
            for c in clients:
                c.join()
        assert [c.error for c in clients] == [None] * 8
        assert d.worker_pid("tcp1") == pid
        print("    %d deaths, %d writes and as many reads" % (
            ROUNDS, sum(c.steps for c in clients)))
        d.stop()


test_clients_notice_no_death_of_supervisors.seconds = 30 + ROUNDS


def upgrade(d):
    """Has the daemon become its program anew; returns once that serves."""
    said = d.stderr_text().count("taking over")
    d.rpc("system.upgrade")
    d._rpc.close()
    d._rpc = None
    wait_for(lambda: d.stderr_text().count("taking over") > said
             and os.path.exists(d.ready_path), what="the new program")


def test_clients_notice_no_upgrade():
    """the daemon becomes the program that is installed now, as the same
    process, again and again under clients"""
    with Daemon(conf()) as d:
        port, pid, workers = d.port("tcp1"), d.pid, set()
        clients = [Client(port, i) for i in range(8)]
        try:
            for _ in range(ROUNDS):
                before = sum(c.steps for c in clients)
                workers.add(worker(d))
                upgrade(d)
                wait_for(lambda: worker(d) not in {None, *workers},
                         what="a worker of the new program")
                wait_for(lambda: sum(c.steps for c in clients) > before + 50)
        finally:
            for c in clients:
                c.done = True
            for c in clients:
                c.join()
        assert [c.error for c in clients] == [None] * 8
        assert d.rpc("system.info")["pid"] == pid
        assert worker(d) not in workers, "made by the former program"
        with Modbus(port) as m:
            m.write_hr(0, [7])
            os.kill(d.worker_pid("tcp1"), signal.SIGKILL)
            assert m.read_hr(0, 1) == [7]
        d.stop()


test_clients_notice_no_upgrade.seconds = 30 + ROUNDS


def test_the_command_returns_when_all_is_done():
    """holdfast upgrade: each worker is the new program's when it returns, and
    it says whose"""
    with Daemon(conf()) as d:
        for _ in range(3):
            before = worker(d)
            said = json.loads(d.cli("-o", "json", "upgrade").stdout)
            assert said["pid"] == d.pid, said
            assert worker(d) not in (None, before)


def test_a_program_that_does_not_take_it_does_not_come():
    """a configuration that has mistakes by now, or a program that is none:
    refused with the reason, and the old one goes on"""
    with Daemon(conf()) as d:
        with open(d.conf_path) as f:
            text = f.read()
        with open(d.conf_path, "w") as f:
            f.write(text.replace("tcp1", "tcp1", 1).replace(
                "127.0.0.1:0", "nowhere:x"))
        try:
            d.rpc("system.upgrade")
            raise AssertionError("it is upgraded")
        except sysutil.RpcError as e:
            assert d.conf_path in str(e), e
        done = d.cli("upgrade", ok=False)
        assert done.returncode == 1 and d.conf_path in done.stderr, done
        with open(d.conf_path, "w") as f:
            f.write(text)
        assert "giving way" not in d.stderr_text()
        d.signal(signal.SIGUSR2)
        d.wait_stderr("taking over")
        wait_for(lambda: os.path.exists(d.ready_path))
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)
        d.stop()


def installed(d):
    """A place with all that was built, whose holdfastd may be replaced."""
    place = os.path.join(d, "bin")
    os.mkdir(place)
    for name in os.listdir(sysutil.BUILD):
        if name != "holdfastd":
            os.symlink(os.path.join(sysutil.BUILD, name),
                       os.path.join(place, name))
    return os.path.join(place, "holdfastd")


def install(program, text=None):
    """The built program there, or a script."""
    if text is None:
        shutil.copy(os.path.join(sysutil.BUILD, "holdfastd"), program + ".new")
    else:
        with open(program + ".new", "w") as f:
            f.write(text)
        os.chmod(program + ".new", 0o755)
    os.rename(program + ".new", program)


def refused(d, code=1):
    """What is told to who asks for an upgrade."""
    done = d.cli("upgrade", ok=False)
    assert done.returncode == code, done
    return done.stderr


def test_an_upgrade_warns_of_nothing():
    """what was ordered is no misfortune; a supervisor that is killed after it
    is one"""
    with tempfile.TemporaryDirectory(prefix="hf-") as place:
        program = installed(place)
        install(program)
        c = {**conf(), "http": {"listen": "127.0.0.1:0"}}
        with Daemon(c, program=program) as d:
            upgrade(d)
            with Modbus(d.port("tcp1")) as m:
                m.read_hr(0, 1)
            d.wait_stderr("the supervisor becomes another program")
            assert "the supervisor has gone" not in d.stderr_text()
            d.orphan()
            d.wait_stderr("the supervisor has gone; going on without it")
            os.unlink(d.ready_path)
            d.start()
            d.stop()


def test_a_program_that_hangs_holds_up_nobody():
    """a program that does not come back from looking, and one that leaves a
    process behind which has its files: workers are brought back meanwhile, the
    reason is told, and the next program is taken"""
    with tempfile.TemporaryDirectory(prefix="hf-") as place:
        program = installed(place)
        install(program)
        pids = os.path.join(place, "pids")
        with Daemon(conf(), program=program) as d:
            install(program, f"#!/bin/sh\nsleep 100 &\necho $$ $! >{pids}.new\n"
                    f"mv {pids}.new {pids}\nwait\n")
            told = []
            asker = threading.Thread(target=lambda: told.append(refused(d)))
            asker.start()
            wait_for(lambda: os.path.exists(pids), what="the new program")
            pid = worker(d)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: d.worker_pid("tcp1") not in (0, None, pid))
            assert "an upgrade is under way" in refused(d, os.EX_TEMPFAIL)
            assert time.monotonic() - began < 8 and not told, told
            asker.join()
            assert "does not answer within" in told[0], told
            with open(pids) as f:
                left = f.read().split()
            wait_for(lambda: not any(os.path.exists(f"/proc/{p}")
                                     for p in left), what="their end")
            install(program, "#!/bin/sh\nsleep 100 &\necho no $!\nexit 1\n")
            began = time.monotonic()
            left = re.search(r"no (\d+)", refused(d))
            assert time.monotonic() - began < 8
            os.kill(int(left.group(1)), signal.SIGKILL)
            install(program)
            upgrade(d)
            with Modbus(d.port("tcp1")) as m:
                m.read_hr(0, 1)
            d.stop()


test_a_program_that_hangs_holds_up_nobody.seconds = 60


def test_an_upgrade_serves_the_ranges_that_the_file_has():
    """ranges that were changed in the file and not by a reload: who serves
    others is ended, and registers go on with what they hold"""
    with Daemon(conf()) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(0, [7])
        with open(d.conf_path) as f:
            text = f.read()
        with open(d.conf_path, "w") as f:
            f.write(re.sub(r'("count":\s*)100', r'\g<1>200', text))
        os.unlink(d.ready_path)
        d.signal(signal.SIGUSR2)
        d.wait_stderr("serve another configuration")
        wait_for(lambda: os.path.exists(d.ready_path))
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0, 1) == [7]
            assert m.read_hr(199, 1) == [0]
        d.stop()


if __name__ == "__main__":
    sysutil.run()
