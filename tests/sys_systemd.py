#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a service manager of systemd's kind is told and passes on: readiness,
the watchdog, sockets that it has opened, and those that it keeps. The manager
is this program; and systemd's own tools look at the units."""
import array
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sys_adopt import conf, worker  # noqa: E402
from sysutil import ROOT, Daemon, Modbus, wait_for  # noqa: E402


def tcp(port=0):
    """A listener as a manager opens it."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(128)
    return s


class Manager:
    """Hears what a daemon says, and keeps what that wants kept."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-")
        self.path = os.path.join(self.dir, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(100)
        self.said, self.kept = [], {}

    def hear(self):
        text, anc, _, _ = self.socket.recvmsg(
            4096, socket.CMSG_SPACE(64))
        fds = array.array("i")
        for level, kind, data in anc:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[:len(data) // 4 * 4])
        fields = dict(x.split("=", 1) for x in text.decode().splitlines())
        self.said.append(fields)
        if "FDSTORE" in fields:
            assert len(fds) == 1, fields
            self.kept[fields["FDNAME"]] = socket.socket(fileno=fds[0])
        elif "FDSTOREREMOVE" in fields:
            self.kept.pop(fields["FDNAME"], None)
        return fields

    def until(self, field, value="1"):
        while self.hear().get(field) != value:
            pass

    def close(self):
        self.socket.close()
        for s in self.kept.values():
            s.close()
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def passing(d, sockets, names=None, to_child=True):
    """Has the daemon's next start get these: [(name, socket)]"""
    def put():
        high = [os.dup(s.fileno()) for _, s in sockets]
        high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
    if not hasattr(d, "plain"):
        d.plain = d.args
    d.popen = {"pass_fds": range(3, 3 + len(sockets)), "preexec_fn": put}
    d.args = ["/bin/sh", "-c", 'LISTEN_PID=%s exec "$0" "$@"' % (
        "$$" if to_child else "1"), *d.plain]
    d.env["LISTEN_FDS"] = str(len(sockets))
    if names is not False:
        d.env["LISTEN_FDNAMES"] = ":".join(n for n, _ in sockets)


class Activated(Daemon):
    """A daemon that is given sockets at its first start."""

    def __init__(self, c, sockets, args=(), **more):
        self.given = sockets, more
        super().__init__(c, args=args)

    def start(self, ready=True):
        if self.given:
            passing(self, self.given[0], **self.given[1])
            self.given = None
        super().start(ready)


def read(port, n=1):
    with Modbus(port) as m:
        return m.read_hr(0, n)


def test_readiness_and_its_end_are_told():
    """READY=1 once all serves, WATCHDOG=1 in time, STOPPING=1 before it
    ends"""
    with Manager() as m, Daemon(conf(), env={
            "NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "400000"}) as d:
        m.until("READY")
        began = time.monotonic()
        m.until("WATCHDOG")
        m.until("WATCHDOG")
        assert time.monotonic() - began < 20
        d.stop()
        m.until("STOPPING")


def test_under_a_guard_the_watchdog_is_the_guards():
    """the guard tells the manager's watchdog as long as its supervisor
    lives"""
    with Manager() as m, Daemon(conf(), args=["--guard"], env={
            "NOTIFY_SOCKET": m.path}) as d:
        m.until("READY")
        d.stop()
        d.args = ["/bin/sh", "-c", 'WATCHDOG_PID=$$ WATCHDOG_USEC=400000 '
                  'exec "$0" "$@"', *d.args]
        d.start()
        m.until("READY")
        m.until("WATCHDOG")
        m.until("WATCHDOG")
        d.stop()


def test_a_socket_of_a_transports_name_is_its_listener():
    """wherever it listens; who connected before the daemon was there is
    served"""
    with tcp() as s:
        port = s.getsockname()[1]
        with Modbus(port) as early, Activated(
                conf(), [("tcp1", s)]) as d:
            assert d.port("tcp1") == port
            assert early.read_hr(0, 1) == [0]
            assert read(port) == [0]
            assert "passed on" in d.stderr_text()


def test_a_socket_at_a_transports_address_is_its_listener():
    """whatever its name is, with several transports each its own"""
    with tcp() as a, tcp() as b:
        ports = a.getsockname()[1], b.getsockname()[1]
        c = conf(("tcp1", "tcp2"))
        for t, port in zip(("tcp1", "tcp2"), ports):
            c["transports"][t]["listen"] = f"127.0.0.1:{port}"
        # given the other way round
        for names in ("holdfast.socket", "x"), False:
            with Activated(c, [("holdfast.socket", b), ("x", a)],
                           names=names) as d:
                assert (d.port("tcp1"), d.port("tcp2")) == ports
                for port in ports:
                    with Modbus(port) as m:
                        m.read_hr(0, 1)
                assert "nothing listens on" not in d.stderr_text()
                d.stop()


def test_a_datagram_socket_is_a_udp_transports():
    with socket.socket(type=socket.SOCK_DGRAM) as s, tcp() as t:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        c = conf()
        c["transports"]["udp1"] = {"type": "udp", "units": {"1": "plc1"},
                                   "listen": f"127.0.0.1:{port}"}
        # a stream socket of that name is none for it
        with Activated(c, [("udp1", t), ("u", s)]) as d:
            assert d.port("udp1") == port
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(100)
                client.sendto(bytes.fromhex("000100000006010300000001"),
                              ("127.0.0.1", port))
                assert client.recv(300)[7:] == bytes.fromhex("03020000")
            assert "is no listener for it" in d.stderr_text()
            d.stop()


def test_the_page_has_a_socket_too():
    with tcp() as s:
        c = conf()
        c["http"] = {"listen": "127.0.0.1:0"}
        with Activated(c, [("http", s)]) as d:
            with socket.create_connection(s.getsockname(), 100) as h:
                h.sendall(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                assert h.recv(100).startswith(b"HTTP/1.")
            d.stop()


def test_what_nobody_listens_on_is_said_and_closed():
    """a socket of another address, one of another kind, and no socket"""
    with tcp() as s, open(os.devnull) as null, tempfile.TemporaryDirectory(
            prefix="hf-") as where, socket.socket(socket.AF_UNIX) as u:
        u.bind(os.path.join(where, "u"))
        u.listen(1)
        port = s.getsockname()[1]
        with Activated(conf(), [("a", s), ("b", u), ("c", null)]) as d:
            d.wait_stderr('a socket "c"')
            for name in "abc":
                assert f'a socket "{name}" was passed on that nothing' in \
                    d.stderr_text()
            s.close()
            with socket.socket() as c:  # nobody has it any more
                assert c.connect_ex(("127.0.0.1", port)) != 0
            assert read(d.port("tcp1")) == [0]
            d.stop()


def test_sockets_for_another_process_are_not_touched():
    with tcp() as s:
        with Activated(conf(), [("tcp1", s)], to_child=False) as d:
            assert d.port("tcp1") != s.getsockname()[1]
            assert "passed on" not in d.stderr_text()
            d.stop()


def test_a_managers_socket_is_not_shut_down():
    """a stopped transport's clients wait, since the manager listens on; it
    finds the socket again when it starts, also after the supervisor's death"""
    with tcp() as s:
        port = s.getsockname()[1]
        with Activated(conf(), [("tcp1", s)]) as d:
            for _ in range(2):
                d.rpc("transports.stop", name="tcp1")
                with Modbus(port) as m:
                    m.send(m.adu(bytes.fromhex("0300000001")))
                    d.rpc("transports.start", name="tcp1")
                    assert m.receive()[2] == bytes.fromhex("03020000")
                assert d.port("tcp1") == port
                with Modbus(port) as m:
                    d.orphan()
                    os.unlink(d.ready_path)
                    d.start()
                    assert m.read_hr(0, 1) == [0]
                assert "nothing listens on" not in d.stderr_text()
            d.stop()
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_sockets_are_passed_on_through_a_guard():
    with tcp() as s:
        port = s.getsockname()[1]
        with Activated(conf(), [("tcp1", s)], args=["--guard"]) as d:
            assert d.port("tcp1") == port
            with open(os.path.join(d.run_dir, "lock")) as f:
                pid = int(f.read())
            os.unlink(d.ready_path)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: os.path.exists(d.ready_path))
            assert d.port("tcp1") == port and read(port) == [0]
            d.rpc("transports.restart", name="tcp1")
            assert d.port("tcp1") == port and read(port) == [0]
            d.stop()
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_listeners_outlive_all_processes():
    """what the manager keeps: with supervisor, keeper and worker killed,
    clients wait in the backlog for the next daemon, which has the same
    ports; of a transport that is stopped nothing is kept"""
    c = conf(("tcp1", "tcp2", "tcp3"))
    c["http"] = {"listen": "127.0.0.1:0"}
    with Manager() as m, Daemon(c, env={"NOTIFY_SOCKET": m.path}) as d:
        m.until("READY")
        d.rpc("transports.stop", name="tcp2")
        m.until("FDSTOREREMOVE")
        assert sorted(m.kept) == ["listen-http", "listen-tcp1",
                                  "listen-tcp3"], m.kept
        port, http = d.port("tcp1"), m.kept["listen-http"].getsockname()
        # it is known where tcp3 is, but it is not to be there any more
        with open(d.conf_path) as f:
            text = sysutil.json.load(f)
        text["transports"]["tcp3"]["listen"] = "127.0.0.2:0"
        with open(d.conf_path, "w") as f:
            sysutil.json.dump(text, f)
        d.kill()
        d._rpc = None
        with Modbus(port) as waiting:
            waiting.send(waiting.adu(bytes.fromhex("0300000001")))
            os.unlink(d.ready_path)
            passing(d, list(m.kept.items()))
            d.start()
            assert d.port("tcp1") == port
            assert waiting.receive()[2] == bytes.fromhex("03020000")
        with socket.create_connection(http, 100):
            pass
        assert 'a socket "tcp3" was passed on that nothing' in d.stderr_text()
        m.until("READY")
        assert m.kept["listen-tcp3"].getsockname()[0] == "127.0.0.2"
        d.stop()


def test_kept_listeners_and_those_of_keepers_are_one():
    """only the supervisor dies: its keepers bring what the manager has kept
    as well, and a stop closes both"""
    with Manager() as m, Daemon(conf(), env={"NOTIFY_SOCKET": m.path}) as d:
        m.until("READY")
        port, pid = d.port("tcp1"), worker(d)
        with Modbus(port) as c:
            d.orphan()
            os.unlink(d.ready_path)
            passing(d, list(m.kept.items()))
            d.start()
            assert c.read_hr(0, 1) == [0]
        assert d.worker_pid("tcp1") == pid and d.port("tcp1") == port
        assert "nothing listens on" not in d.stderr_text()
        d.rpc("transports.stop", name="tcp1")
        m.until("FDSTOREREMOVE")
        assert not m.kept
        with socket.socket() as c:
            assert c.connect_ex(("127.0.0.1", port)) != 0
        d.rpc("transports.start", name="tcp1")
        assert d.port("tcp1") == port and read(port) == [0]
        d.stop()


def stop_post(d, result):
    """What the unit has systemd do once the service has ended so."""
    with open(os.path.join(ROOT, "conf/holdfast.service")) as f:
        script = re.search(r"^ExecStopPost=/bin/sh -c '(.*)'$", f.read(),
                           re.M)[1]
    script = script.replace("$$", "$").replace(
        "/etc/holdfast/holdfast.json", d.conf_path)
    script = re.sub(r"/usr/local/s?bin", sysutil.BUILD, script)
    return subprocess.run(
        ["/bin/sh", "-c", script], env=dict(d.env, SERVICE_RESULT=result),
        capture_output=True, text=True, timeout=300)


def test_what_a_stop_that_takes_too_long_leaves_is_ended():
    """the unit's ExecStopPost ends workers that a killed supervisor has left
    if systemd was to stop them, and only then"""
    with Daemon(conf()) as d:
        port, pid = d.port("tcp1"), worker(d)
        d.orphan()
        assert stop_post(d, "signal").returncode == 0
        assert worker(d) == pid and read(port) == [0]
        done = stop_post(d, "timeout")
        assert done.returncode == 0, done
        assert "taking over" in done.stderr, done
        assert not sysutil.shm_objects(d.store)
        assert sysutil.process_title(pid) == ""  # or it is not waited for
        assert not os.listdir(d.run_dir)


if __name__ == "__main__":
    sysutil.run()
