#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A keeper's death: another one is made at once, has what the worker has open,
and connections outlive that worker, too, also where there was no supervisor at
the time.

    sys_widow.py [WORD...] [--rounds=N]	(6; make torture takes 100)
"""
import os
import pwd
import signal
import socket
import sys

sys.dont_write_bytecode = True
import peers  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from sys_adopt import Client, conf, keeper, next_one, worker  # noqa: E402
from sysutil import Daemon, Modbus, wait_for  # noqa: E402
from tls_case import pki  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 6)


def kill(pid):
    """Returns once it has gone, or nobody has waited for it yet."""
    fd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    sysutil.select.select([fd], [], [], 20)
    os.close(fd)


def other(find, d, old, name="tcp1"):
    """The next one's pid."""
    return wait_for(lambda: (p := find(d, name)) not in (None, old) and p,
                    what="the next " + find.__name__)


def serves(d, name="tcp1"):
    return any(t["name"] == name and t["state"] == "up"
               for t in d.rpc("transports.list"))


def lose_keeper(d, name="tcp1"):
    """Kills it, and waits until there is another, and a worker of that."""
    k, w = keeper(d, name), worker(d, name)
    kill(k)
    k = other(keeper, d, k, name)
    if name.startswith("tcp"):
        w = other(worker, d, w, name)
    wait_for(lambda: serves(d, name.split("/")[0]), what="service")
    return k, w


def both(d, name="tcp1"):
    """Supervisor and keeper at the same instant."""
    os.kill(d.pid, signal.SIGSTOP)
    kill(keeper(d, name))
    d.orphan()


def lose_worker(d, name="tcp1"):
    w = worker(d, name)
    kill(w)
    return other(worker, d, w, name)


def test_a_keeper_and_later_its_worker():
    """a keeper is killed, and later its worker, again and again: connections
    stay, and what was asked is answered"""
    with Daemon(conf()) as d:
        with Modbus(d.port("tcp1")) as m, Modbus(d.port("tcp1")) as idle:
            for value in range(1, 4):
                lose_keeper(d)
                m.write_hr(0, [value])
                lose_worker(d)
                assert m.read_hr(0, 1) == [value]
            assert idle.read_hr(0, 1) == [3]
        wait_for(lambda: d.rpc("transports.list")[0]["restarts"] == 3)
        d.stop()


def test_several_workers_of_one_listener():
    with Daemon(conf(workers=3)) as d:
        names = [f"tcp1/{i}" for i in range(3)]
        others = [worker(d, n) for n in names[:2]]
        with Modbus(d.port("tcp1")) as m:
            lose_keeper(d, names[2])
            m.read_hr(0, 1)
            assert others == [worker(d, n) for n in names[:2]]
        d.stop()


class Load:
    """Clients that write and read back, each on one connection."""

    def __init__(self, port, n=8):
        self.clients = [Client(port, i) for i in range(n)]

    def more(self, n=50):
        before = self.steps()
        wait_for(lambda: self.steps() >= before + n or self.errors(),
                 what="work")

    def steps(self):
        return sum(c.steps for c in self.clients)

    def errors(self):
        return [c.error for c in self.clients if c.error]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for c in self.clients:
            c.done = True
        for c in self.clients:
            c.join()


def test_clients_notice_no_death_of_keepers():
    """keepers and workers are killed in turn under clients: no connection
    breaks, no request fails"""
    with Daemon(conf()) as d:
        with Load(d.port("tcp1")) as load:
            for i in range(ROUNDS):
                lose_keeper(d)
                load.more()
                if i % 2:
                    lose_worker(d)
                    load.more()
        assert not load.errors(), load.errors()
        print("    %d deaths of keepers, %d writes and as many reads" % (
            ROUNDS, load.steps()))
        d.stop()


test_clients_notice_no_death_of_keepers.seconds = 30 + ROUNDS


def test_keepers_die_under_next_supervisors():
    """the same of keepers that a former supervisor has made, whose worker has
    their end of the channel open, and of their workers"""
    with Daemon(conf()) as d:
        with Load(d.port("tcp1")) as load:
            for _ in range(max(ROUNDS // 3, 2)):
                d.orphan()
                load.more()
                next_one(d)
                load.more()
                lose_keeper(d)
                load.more()
                lose_worker(d)
                load.more()
        assert not load.errors(), load.errors()
        d.stop()


test_keepers_die_under_next_supervisors.seconds = 30 + ROUNDS


def test_supervisor_and_keeper_at_once():
    """the worker goes on, tells the next supervisor by itself, and gives way
    to a worker of the next keeper"""
    with Daemon(conf(("tcp1", "tcp2"))) as d:
        with Load(d.port("tcp1")) as load:
            for _ in range(max(ROUNDS // 3, 2)):
                w, far = worker(d), worker(d, "tcp2")
                both(d)
                load.more()
                said = d.stderr_text().count("without its keeper")
                next_one(d)
                assert d.stderr_text().count("without its keeper") > said
                other(worker, d, w)
                wait_for(lambda: serves(d), what="service")
                load.more()
                lose_worker(d)
                load.more()
                assert worker(d, "tcp2") == far
        assert not load.errors(), load.errors()
        d.stop()


test_supervisor_and_keeper_at_once.seconds = 30 + ROUNDS


def listening(d):
    """The addresses of no directory where somebody listens for the store."""
    with open("/proc/net/unix") as f:
        return {line.split()[-1] for line in f
                if f"@holdfast-{d.store}-" in line}


def test_nobody_takes_the_address():
    """where a worker calls is known to nobody before, and another one each
    time: whoever takes that of the last supervisor keeps nobody out"""
    with Daemon(conf()) as d:
        where = listening(d)
        assert len(where) == 1, where
        w = worker(d)
        both(d)
        name = where.pop()
        taken = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        taken.bind("\0" + name[1:])
        taken.listen()
        taken.settimeout(30)
        called, _ = taken.accept()  # and never answers
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        plain.bind(f"\0holdfast-{d.store}-adopt")
        next_one(d)
        assert "without its keeper" in d.stderr_text()
        other(worker, d, w)
        assert name not in listening(d) - {name}
        assert len(listening(d) - {name, f"@holdfast-{d.store}-adopt"}) == 1
        called.close()
        taken.close()
        plain.close()
        d.stop()


def test_a_keeper_while_there_is_no_supervisor():
    with Daemon(conf()) as d:
        with Modbus(d.port("tcp1")) as m:
            d.orphan()
            w = worker(d)
            kill(keeper(d))
            m.write_hr(0, [7])
            next_one(d)
            other(worker, d, w)
            assert m.read_hr(0, 1) == [7]
            wait_for(lambda: serves(d), what="service")
            lose_worker(d)
            assert m.read_hr(0, 1) == [7]
        d.stop()


def test_a_worker_of_another_user():
    """who may not look into the run directory is taken over all the same"""
    if os.geteuid() != 0:
        raise sysutil.Skip("only root has workers of other users")
    with Daemon(conf(user="nobody")) as d:
        w = worker(d)
        assert os.stat(f"/proc/{w}").st_uid == pwd.getpwnam("nobody").pw_uid
        with Modbus(d.port("tcp1")) as m:
            both(d)
            m.write_hr(0, [7])
            next_one(d)
            other(worker, d, w)
            assert m.read_hr(0, 1) == [7]
            wait_for(lambda: serves(d), what="service")
            lose_keeper(d)
            assert m.read_hr(0, 1) == [7]
        d.stop()


def stop_keeper(d, name, ask):
    """One stands still: it is followed by another, of which connections notice
    as little as of its death."""
    k, w = keeper(d, name), worker(d, name)
    os.kill(k, signal.SIGSTOP)
    k = other(keeper, d, k, name)
    if name == "tcp1":
        w = other(worker, d, w)
    wait_for(lambda: serves(d, name), what="service")
    ask()
    assert worker(d, name) == w
    return k


def test_a_keeper_that_is_stopped():
    """SIGSTOP: it is taken for hung, ended, and followed by another at once,
    under a next supervisor, too; connections stay"""
    with Daemon({**conf(("tcp1", "tcp2")), "hang_timeout_ms": 500}) as d:
        far = keeper(d, "tcp2")
        with Modbus(d.port("tcp1")) as m:
            for again in range(2):
                stop_keeper(d, "tcp1", lambda: m.read_hr(0, 1))
                lose_worker(d)
                m.read_hr(0, 1)
                if not again:
                    d.orphan()
                    next_one(d)
                    wait_for(lambda: serves(d), what="service")
        assert keeper(d, "tcp2") == far
        assert d.stderr_text().count("its keeper hangs") >= 2
        d.stop()


def test_a_keeper_of_tls_that_is_stopped():
    """the same where a worker stays when its keeper is replaced"""
    with Daemon({**tls_case.conf(), "hang_timeout_ms": 500}) as d:
        with tls_case.Client(d, pki.client) as m:
            stop_keeper(d, "tls1", lambda: m.read_hr(1000))
        d.stop()


def test_a_keeper_and_its_worker_at_once():
    """connections end, service goes on"""
    with Daemon(conf()) as d:
        port, k, w = d.port("tcp1"), keeper(d), worker(d)
        with Modbus(port) as m:
            m.read_hr(0, 1)
            os.kill(w, signal.SIGSTOP)  # it gives nothing to anybody
            os.kill(k, signal.SIGKILL)
            os.kill(w, signal.SIGKILL)
            assert m.closed()
        other(worker, d, w)
        other(keeper, d, k)
        with Modbus(port) as m:
            m.read_hr(0, 1)
        d.stop()


def test_a_worker_that_does_not_answer():
    """it is the watchdog's, and costs its connections"""
    with Daemon({**conf(("tcp1", "tcp2")), "hang_timeout_ms": 200}) as d:
        port, w = d.port("tcp1"), worker(d)
        with Modbus(port) as m, Modbus(d.port("tcp2")) as far:
            m.read_hr(0, 1)
            os.kill(w, signal.SIGSTOP)
            os.kill(keeper(d), signal.SIGKILL)
            other(worker, d, w)
            assert m.closed()
            far.read_hr(0, 1)
        with Modbus(port) as m:
            m.read_hr(0, 1)
        d.stop()


def test_tls_stays_and_is_kept():
    """connections that end with their worker do not end for a keeper; the new
    one brings the worker back while there is no supervisor"""
    with tls_case.daemon() as d:
        with tls_case.Client(d, pki.client) as m:
            k, w = lose_keeper(d, "tls1")
            assert worker(d, "tls1") == w
            assert m.read_hr(1000) == [48879]
            d.orphan()
            assert m.read_hr(1000) == [48879]
            next_one(d)
            assert worker(d, "tls1") == w and keeper(d, "tls1") == k
            assert m.read_hr(1000) == [48879]
        d.orphan()
        w = lose_worker(d, "tls1")
        with tls_case.Client(d, pki.client) as m:
            assert m.read_hr(1000) == [48879]
            next_one(d)
            assert worker(d, "tls1") == w and keeper(d, "tls1") == k
            assert m.read_hr(1000) == [48879]
            both(d, "tls1")
            assert m.read_hr(1000) == [48879]
            next_one(d)
            assert worker(d, "tls1") == w
            assert m.read_hr(1000) == [48879]
        other(keeper, d, k, "tls1")
        lose_worker(d, "tls1")
        wait_for(lambda: serves(d, "tls1"), what="service")
        with tls_case.Client(d, pki.client) as m:
            assert m.read_hr(1000) == [48879]
        d.stop()


def test_udp_and_serial_stay():
    """the worker stays, and so does its line; the keeper has the next one"""
    with peers.Line() as line:
        both = conf()
        both["transports"] = {
            "udp1": {"type": "udp", "listen": "127.0.0.1:0",
                     "units": {"*": "plc1"}},
            "line1": {"type": "serial", "port": line.path,
                      "units": {"1": "plc1"}}}
        with Daemon(both) as d:
            udp = peers.Master(peers.Udp(d.port("udp1")), "socket")
            masters = {"udp1": udp, "line1": peers.Master(line, "rtu")}
            for name, m in masters.items():
                m.write_hr(1, 0, [7])
                k, w = lose_keeper(d, name)
                assert worker(d, name) == w
                assert m.read_hr(1, 0) == [7]
                lose_worker(d, name)
                wait_for(lambda: serves(d, name), what="service")
                assert m.read_hr(1, 0) == [7]
                assert keeper(d, name) == k
            udp.close()
            d.stop()


if __name__ == "__main__":
    sysutil.run()
