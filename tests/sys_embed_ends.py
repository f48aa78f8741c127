#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs with servers, and how each of them ends: threads, signals, and
whoever is killed. Nothing of it is left behind, and nobody notices but those
whose business it is."""

import contextlib
import os
import random
import re
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from embed_case import Program, Refused, sanitizer  # noqa: E402
from sys_embed import answers, refused  # noqa: E402
from peers import fc6  # noqa: E402
from sysutil import Modbus, Skip, wait_for  # noqa: E402

KILLS = next((int(a.split("=")[1]) for a in sys.argv[1:]
              if a.startswith("--kills=")), 25)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    """Processes whose parent it is, zombies too."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % int(entry)) as f:
                if int(f.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
        except (ValueError, FileNotFoundError, ProcessLookupError):
            pass
    return found


def links(pid):
    """What it has open."""
    where = "/proc/%d/fd" % pid
    return [os.readlink(os.path.join(where, fd)) for fd in os.listdir(where)]


def name_of(pid):
    with open("/proc/%d/comm" % pid) as f:
        return f.read().rstrip("\n")


def family(srv):
    """The server's process and its workers."""
    return [srv.pid, *children(srv.pid)]


def gone(pids, port=None):
    wait_for(lambda: not any(map(alive, pids)), 10, what="their end")
    if port is not None:
        wait_for(lambda: not answers(port), 5, what="a free port")


# threads

def test_a_threaded_program_without_hf_init():
    """a program with threads cannot be copied: EDEADLK, and words that say
    what to do; when they have gone it can"""
    with Program() as p:
        srv = p.new("tcp")
        p.ask("thread")
        refused("call hf_init()", "EDEADLK", srv.serve)
        refused("call hf_init()", "EDEADLK", p.ask, "init")
        p.ask("join")
        assert srv.serve() == 0 and answers(srv.port)


def test_a_threaded_program_with_hf_init():
    """after hf_init() a program with threads starts servers of stores that it
    made later, again and again; its own ps shows what makes them"""
    with Program(store=None) as p:
        assert p.int("init") == 0
        assert p.int("init") == 0, "once more does no harm"
        fork_server, = children(p.pid)
        wait_for(lambda: name_of(fork_server) == "hf:fork server")
        p.ask("thread")
        p.store = p.ask("store", "-")
        a, b = p.start("tcp"), p.start("udp")
        assert answers(a.port)
        assert children(p.pid) == [fork_server]
        assert sorted(children(fork_server)) == sorted([a.pid, b.pid])
        refused("Address already in use", "EADDRINUSE", p.start, "tcp",
                address="127.0.0.1:%d" % a.port)
        assert a.stop() == 0 and a.serve() == 0 and answers(a.port)
        assert p.ask("wait") == "found -1 ECHILD 0"
    gone([fork_server])


def test_a_fork_server_that_was_killed():
    """servers go on when the fork server is killed; another start is refused
    with words, until there is another one"""
    with Program() as p:
        p.ask("init")
        fork_server, = children(p.pid)
        p.ask("thread")
        srv = p.start("tcp")
        os.kill(fork_server, signal.SIGKILL)
        wait_for(lambda: not alive(fork_server))
        for _ in range(2):
            refused("has been killed", "ECHILD", p.start, "udp")
        assert answers(srv.port)
        assert srv.stop() == 0
        p.ask("join")
        assert p.int("init") == 0
        fork_server, = children(p.pid)
        p.ask("thread")
        assert p.start("udp").pid in children(fork_server)


def test_a_fork_server_that_is_stopped():
    """a start is refused after a while when nobody makes the process for it,
    and leaves nothing behind; the next one may succeed"""
    with Program() as p:
        p.ask("init")
        fork_server, = children(p.pid)
        p.ask("thread")
        os.kill(fork_server, signal.SIGSTOP)
        try:
            refused("does not answer", "ETIMEDOUT", p.start, "tcp")
        finally:
            os.kill(fork_server, signal.SIGCONT)
        srv = p.start("tcp")
        assert answers(srv.port)
        wait_for(lambda: children(fork_server) == [srv.pid])


def test_forks_beside_a_thread_that_uses_the_library():
    """a child that the program forks while a thread starts servers can use the
    library itself"""
    if sanitizer():
        raise Skip("its malloc() leaves a child the locks of other threads")
    with Program() as p:
        p.ask("init")
        assert p.int("fork-storm", 150) == 0


def test_a_fork_server_ends_with_the_program():
    """a program that is killed takes its fork server and servers along"""
    with Program() as p:
        p.ask("init")
        p.ask("thread")
        srv = p.start("tcp")
        pids, port = children(p.pid) + family(srv), srv.port
        assert len(pids) == 4  # one is the worker's keeper
        p.kill()
        gone(pids, port)


def test_a_server_that_is_waited_for_and_started_again():
    """whoever waits for a server's end hears how that was, even if somebody
    starts it again at once"""
    with Program() as p:
        p.ask("init")
        srv = p.new("tcp")
        for _ in range(20):
            assert srv.serve() == 0
            assert srv.restart() == 0


def test_a_server_that_is_given_back_while_a_thread_serves():
    """hf_server_free() beside a blocked serve_forever(): that returns 0"""
    with perturbed(), Program() as p:
        p.ask("init")
        for _ in range(25):
            srv = p.new("tcp")
            assert p.int("thread-serve") == 0
            wait_for(lambda: srv.status()["up"])
            p.send("free", srv.number)
            assert [p.answer(), p.answer()] == ["0", "0"]


@contextlib.contextmanager
def perturbed():
    """Programs that begin here see in memory that was freed what cannot have
    been there."""
    os.environ["MALLOC_PERTURB_"] = "90"
    try:
        yield
    finally:
        del os.environ["MALLOC_PERTURB_"]


# children

def test_a_forked_child_and_the_servers_of_its_parent():
    """a child that the program forks can neither stop nor disturb its
    servers"""
    with Program() as p:
        srv = p.start("tcp")
        for which in srv.number, "-":
            assert p.ask("child-stops", which) == "ESRCH"
        assert srv.dispatch() == 1 and answers(srv.port)


def test_a_forked_child_that_outlives_a_server():
    """a server is stopped and started again while a child has copies of all
    descriptors: hf_server_fd() is silent while nothing happens"""
    with Program() as p:
        srv = p.start("tcp")
        child = p.int("child")
        try:
            assert srv.stop() == 0 and srv.serve() == 0
            srv.dispatch()
            assert srv.poll(0) == 0
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_program_without_standard_descriptors():
    """a program that has closed 0, 1 and 2 starts servers; hooks print
    nowhere"""
    for threads in False, True:
        for hooks in {}, {"hooks": "1"}:
            with Program() as p:
                p.ask("close-std")
                p.ask("init")
                if threads:
                    p.ask("thread")
                srv = p.start("tcp", **hooks)
                assert answers(srv.port)
                assert srv.stop() == 0


# signals and wait()

def test_the_program_notices_nothing():
    """no SIGCHLD, nothing that wait() finds, nothing printed, whatever becomes
    of workers and servers"""
    with Program() as p:
        p.ask("signals")
        a, b = p.start("tcp"), p.start("udp")
        os.kill(a.status()["pid"], signal.SIGKILL)
        wait_for(lambda: a.status()["restarts"] == 1 and a.status()["up"])
        assert a.stop() == 0
        os.kill(b.pid, signal.SIGKILL)
        wait_for(lambda: not b.status()["active"])
        assert p.ask("wait") == "found -1 ECHILD 0"
        assert children(p.pid) == []


def test_a_terminals_signals():
    """INT, HUP, QUIT and USR1 are the program's business; TERM drains a
    server"""
    with Program() as p:
        srv = p.start("tcp")
        pids = family(srv)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGUSR1):
            for pid in pids:
                os.kill(pid, number)
        assert answers(srv.port) and family(srv) == pids
        os.kill(pids[0], signal.SIGTERM)
        gone(pids)
        assert srv.dispatch() == 0


def test_descriptors_of_the_program_stay_its_own():
    """a server has nothing open that the program has opened"""
    with sysutil.tempfile.NamedTemporaryFile() as f:
        with Program(pass_fds=[f.fileno()]) as p:
            p.ask("init")
            assert f.name in links(p.pid)
            # hf_init() does not wait until the fork server has begun
            wait_for(lambda: f.name not in links(children(p.pid)[0]),
                     what="the fork server to have given it up")
            servers = [p.start("tcp")]
            p.ask("thread")
            servers.append(p.start("tcp"))
            for pid in family(servers[0]) + family(servers[1]):
                assert f.name not in links(pid), links(pid)
                std = [os.readlink("/proc/%d/fd/%d" % (pid, fd))
                       for fd in range(3)]
                assert std == 3 * ["/dev/null"], std


def test_a_worker_can_write_what_it_serves_and_no_more():
    """what the program had mapped of its store when it was copied can only be
    read in the copy, and what a server serves is its own mapping"""
    for threads in False, True:
        with Program() as p:
            p.ask("init")
            if threads:
                p.ask("thread")
            srv = p.start("tcp", unit="1:plc1")
            with Modbus(srv.port) as m:
                m.write_hr(0, [1])
            worker = srv.status()["pid"]
            with open("/proc/%d/maps" % worker) as f:
                maps = [line.split() for line in f if "/holdfast-" in line]
            writable = {m[5].rpartition(".")[2] for m in maps
                        if "w" in m[1] and ".device." in m[5]}
            assert writable == {"plc1"}, maps
            control = [m[1] for m in maps if m[5].endswith(".control")]
            assert sorted(control) == ["r--s", "rw-s"], maps


# deaths

def test_a_worker_that_is_killed_while_a_client_polls():
    """a client is answered again within a moment, by a successor; the program
    hears of it and need not do anything"""
    with Program() as p:
        srv = p.start("tcp")
        stop, worst = threading.Event(), [0.0]

        def poll():
            last = time.monotonic()
            while not stop.is_set():
                try:
                    with Modbus(srv_port) as m:
                        while not stop.is_set():
                            m.read_hr(0)
                            now = time.monotonic()
                            worst[0] = max(worst[0], now - last)
                            last = now
                except (EOFError, ConnectionError):
                    pass
        srv_port = srv.port
        thread = threading.Thread(target=poll)
        thread.start()
        try:
            for n in range(1, 6):
                os.kill(srv.status()["pid"], signal.SIGKILL)
                wait_for(lambda: srv.status()["restarts"] == n and
                         srv.status()["up"])
        finally:
            stop.set()
            thread.join()
        assert worst[0] < 20, worst
        assert srv.dispatch() == 1


def test_a_server_that_is_killed():
    """serve_forever() returns -1 with words; the descriptor can be read and
    dispatch() says so, too; the program may start it again at once, on the
    same port"""
    port = sysutil.free_port()
    with Program() as p:
        assert p.int("init") == 0
        srv = p.new("tcp", address="127.0.0.1:%d" % port)
        assert p.int("thread-serve") == 0
        wait_for(lambda: srv.status()["up"])
        with Modbus(port) as m:
            m.write_hr(1, [5])
        os.kill(srv.pid, signal.SIGKILL)
        refused("the server's process has died", "EIO", p.answer)
        assert srv.poll(1000) == 1
        refused("the server's process has died", "EIO", srv.dispatch)
        assert srv.status()["state"] == "stopped"
        assert srv.serve() == 0
        with Modbus(port) as m:
            assert m.read_hr(1) == [5]


def test_a_program_that_is_killed():
    """a program that is killed leaves no process, no port in use, and no
    shared memory: the last of its servers removes the store"""
    with Program() as p:
        servers = [p.start("tcp"), p.start("tcp"), p.start("udp")]
        pids = [pid for s in servers for pid in family(s)]
        port = servers[0].port
        with Modbus(port) as m:
            assert m.read_hr(0) == [0]
            p.kill()
            assert m.closed()
        gone(pids, port)
        wait_for(lambda: not p.segments(), what="the end of the store")


def test_a_program_that_is_killed_and_started_again():
    """the next program with a store of that name can have it at once"""
    name = "embed-%d" % os.getpid()
    port = sysutil.free_port()
    for _ in range(5):
        with Program(name) as p:
            srv = p.start("tcp", address="127.0.0.1:%d" % port)
            assert answers(port)
            pids = family(srv)
            p.kill()
            p.clean = False
    gone(pids)
    wait_for(lambda: not p.segments(), what="the end of the store")


def test_what_the_program_wants_done_at_its_exit():
    """is done by the program alone, not by its copies"""
    with sysutil.tempfile.NamedTemporaryFile("r") as f:
        with Program() as p:
            p.ask("atexit", f.name)
            p.ask("init")
            srv = p.start("tcp")
            os.kill(srv.status()["pid"], signal.SIGKILL)
            wait_for(lambda: srv.status()["up"])
            assert srv.stop() == 0
            p.ask("thread")
            srv = p.start("tcp")
            assert srv.stop() == 0
            refused("", "EADDRINUSE", p.start, "tcp", address=p.start(
                "tcp").status()["address"])
            assert f.read() == ""
        assert f.read() == "exit"


def whoever(p, servers, chance):
    """Kills somebody. True: nobody but a worker."""
    srv = chance.choice(servers)
    pids = family(srv)
    victim = chance.choice([*pids[1:], pids[0], *children(p.pid), p.pid])
    os.kill(victim, signal.SIGKILL)
    return victim in pids[1:]


def test_everybody_is_killed_at_random():
    """workers, servers, the fork server and the program are killed at random
    while clients write: what is left serves, and nothing is left at the end"""
    chance = random.Random(sysutil.SEED)
    name = "embed-%d" % os.getpid()
    for _ in range(KILLS):
        with Program(name) as p:
            p.clean = False
            threads = chance.random() < 0.5
            if threads:
                p.ask("init")
                p.ask("thread")
            servers = [p.start("tcp") for _ in range(3)]
            ports = [s.port for s in servers]
            pids = children(p.pid) + [
                pid for s in servers for pid in family(s)]
            clients = [Modbus(port) for port in ports]
            for n, m in enumerate(clients):
                m.send(b"".join(m.adu(fc6(i, n)) for i in range(20)))
            only_worker = whoever(p, servers, chance)
            if only_worker:
                for port in ports:
                    wait_for(lambda: answers(port))
                    with Modbus(port) as m:
                        m.write_hr(0, [1])
            for m in clients:
                m.close()
            p.kill()
        gone(pids)
    with Program(name) as p:
        assert answers(p.start("tcp").port)


def test_a_program_that_ends_without_a_word():
    """a program that returns from main() with servers takes them along"""
    with Program() as p:
        srv = p.start("tcp")
        pids, port = family(srv), srv.port
    gone(pids, port)


def test_a_server_of_a_program_that_has_attached():
    """a program that has attached to another's store serves it; when the
    maker goes, so does the server, with words"""
    with Program() as maker:
        with Program(store=None) as p:
            p.ask("attach", maker.store)
            srv = p.start("tcp", unit=["1:plc1", "2:plc2"])
            with Modbus(srv.port) as m:
                m.write_hr(0, [3], unit=2)
            assert maker.int("get", "plc2", 3, 0) == 3
            other = maker.start("tcp")
            assert other.status()["address"] != srv.status()["address"]
            maker.kill()
            assert srv.poll(50000) == 1
            wait_for(lambda: ended(srv), what="the server's end")
    assert not maker.segments()


def ended(srv):
    try:
        return srv.dispatch() != 1
    except Refused as why:
        assert why.errno == "ESTALE" and "has gone" in why.words, why
        return True


# the log

def test_the_log():
    """servers log nowhere, and from hf_log() on where that says, those that
    run already, too"""
    with Program() as p, sysutil.tempfile.NamedTemporaryFile("r") as f:
        a = p.start("tcp", name="early")
        p.ask("log", f.name, 2)
        b = p.start("udp", name="late")
        os.kill(a.status()["pid"], signal.SIGKILL)
        wait_for(lambda: a.status()["restarts"] == 1 and a.status()["up"])
        a.stop()
        b.stop()
        text = f.read()
        assert re.search(r"early: transport early .*was=up", text), text
        assert "late: transport late up listen=127.0.0.1:" in text, text
        assert "transport early up" in text


def test_the_log_while_servers_start():
    """a server that starts while hf_log() is called logs where that says"""
    with Program() as p, sysutil.tempfile.NamedTemporaryFile("r") as f:
        p.ask("init")
        assert p.int("log-storm", f.name, 80) == 0
        text = f.read()
        missing = [n for n in range(80)
                   if not re.search(r"transport s%d .*was=up" % n, text)]
        assert not missing, missing


if __name__ == "__main__":
    sysutil.run()
