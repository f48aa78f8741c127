#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""holdfastd --guard: whatever becomes of the supervisor, the next one is there
at once, and clients notice nothing.

    sys_guard.py [WORD...] [--rounds=N]	(20; make torture takes 100)
"""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
from sys_adopt import Client, conf, worker  # noqa: E402
from sysutil import BUILD, Daemon, Modbus, wait_for  # noqa: E402

ROUNDS = next((int(a.split("=")[1]) for a in sys.argv[1:]
               if a.startswith("--rounds=")), 20)
CALM = 0.6  # who served so long is followed at once (guard.c)


def supervisor(d):
    """The pid of who has the run directory now; None: nobody alive has."""
    try:
        with open(os.path.join(d.run_dir, "lock")) as f:
            pid = int(f.read())
        os.kill(pid, 0)
        return pid
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None


def guarded(c, **more):
    return Daemon(c, args=["--guard"], **more)


def succeed(d, end):
    """Does what ends the supervisor, and waits until the next one serves;
    seconds from the one to the other."""
    pid = supervisor(d)
    os.unlink(d.ready_path)
    watch = sysutil.Watch(d.run_dir)
    began = time.monotonic()
    try:
        end(pid)
        assert watch.until(lambda: os.path.exists(d.ready_path), 20), \
            d.stderr_text()
        took = time.monotonic() - began
    finally:
        watch.close()
    if d._rpc:
        d._rpc.close()
        d._rpc = None
    assert supervisor(d) not in (None, pid)
    return took


def killed(pid):
    os.kill(pid, signal.SIGKILL)


def calm(d, since):
    wait_for(lambda: time.monotonic() - since > CALM)


def parent(pid):
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rpartition(")")[2].split()[1])


def test_clients_notice_no_death_of_the_supervisor():
    """killed again and again under clients, the supervisor is replaced at
    once: no connection breaks, no request fails"""
    with guarded(conf()) as d:
        port, pid = d.port("tcp1"), worker(d)
        clients = [Client(port, i) for i in range(8)]
        took = []
        try:
            for _ in range(ROUNDS):
                began = time.monotonic()
                before = sum(c.steps for c in clients)
                wait_for(lambda: sum(c.steps for c in clients) > before + 50)
                calm(d, began)
                took.append(succeed(d, killed))
        finally:
            for c in clients:
                c.done = True
            for c in clients:
                c.join()
        assert [c.error for c in clients] == [None] * 8
        assert d.worker_pid("tcp1") == pid
        took.sort()
        print("    %d deaths, %d writes and as many reads; ready again after "
              "%.0f ms (p50), %.0f ms (max)" % (
                  ROUNDS, sum(c.steps for c in clients),
                  took[len(took) // 2] * 1e3, took[-1] * 1e3))
        assert took[len(took) // 2] < bt.pace()
        d.stop()


test_clients_notice_no_death_of_the_supervisor.seconds = 40 + 2 * ROUNDS


def test_the_next_one_has_workers_that_it_waits_for():
    """a worker of the dead supervisor's is the guard's child, ends nobody's
    zombie, and is replaced; stopping ends all of them"""
    with guarded(conf(("tcp1", "tcp2"))) as d:
        succeed(d, killed)
        pid = worker(d)
        assert parent(pid) == d.pid and parent(supervisor(d)) == d.pid
        killed(pid)
        wait_for(lambda: d.worker_pid("tcp1") not in (0, None, pid))
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)
        d.stop()


def test_a_supervisor_that_is_stopped_is_replaced():
    """SIGSTOP: nothing is heard of it, so it is ended and followed"""
    with guarded(conf()) as d:
        pid = worker(d)
        with Modbus(d.port("tcp1")) as m:
            took = succeed(d, lambda p: os.kill(p, signal.SIGSTOP))
            assert took > 2, took  # not on a whim
            m.write_hr(0, [7])
            assert m.read_hr(0, 1) == [7]
        assert "the supervisor hangs" in d.stderr_text()
        assert d.worker_pid("tcp1") == pid
        d.stop()


def test_a_guard_that_was_stopped_itself_ends_nobody():
    with guarded(conf()) as d:
        pid = supervisor(d)
        d.signal(signal.SIGSTOP)
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 4)
        d.signal(signal.SIGCONT)
        d.signal(signal.SIGUSR1)  # it hears again, and has judged
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)
        succeed(d, killed)
        assert "hangs" not in d.stderr_text()
        assert f"died pid={pid} by=\"signal 9" in d.stderr_text()
        d.stop()


def test_a_guard_that_is_killed_is_not_missed():
    """the supervisor goes on without its guard, and stops as ever; a second
    guard meanwhile refuses with the code of its supervisor"""
    with guarded(conf()) as d:
        pid, port = supervisor(d), d.port("tcp1")
        d.orphan()
        wait_for(lambda: parent(pid) != d.pid)
        with Modbus(port) as m:
            m.write_hr(0, [7])
            second = subprocess.run(d.args, env=d.env, capture_output=True,
                                    text=True, timeout=200)
            assert second.returncode == 69, second
            assert f"another holdfastd (pid {pid})" in second.stderr
            assert m.read_hr(0, 1) == [7]
        assert supervisor(d) == pid
        fd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        assert sysutil.select.select([fd], [], [], 200)[0]
        os.close(fd)
        assert not sysutil.shm_objects(d.store)
        assert not os.listdir(d.run_dir)


def test_guard_and_supervisor_killed():
    """both of them: the next pair takes over what is there"""
    with guarded(conf()) as d:
        pid, port, ward = supervisor(d), d.port("tcp1"), worker(d)
        with Modbus(port) as m:
            m.write_hr(0, [7])
            d.orphan()
            killed(pid)
            wait_for(lambda: supervisor(d) is None)
            assert m.read_hr(0, 1) == [7]
            os.unlink(d.ready_path)
            d.start()
            assert m.read_hr(0, 1) == [7]
        assert d.worker_pid("tcp1") == ward and d.port("tcp1") == port
        succeed(d, killed)
        d.stop()


def test_signals_reach_the_supervisor():
    """HUP has the configuration read; USR1 opens the logs anew; TERM drains;
    QUIT ends at once"""
    with guarded(conf()) as d:
        log = os.path.join(d.dir, "log")
        d.stop()
        d.args += ["--log-file", log]
        d.start()
        d.signal(signal.SIGHUP)

        def said(text):
            with open(log) as f:
                return text in f.read()
        wait_for(lambda: said("configuration"))
        os.rename(log, log + ".1")
        d.signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(log) and said("log opened anew"))
        try:
            succeed(d, killed)
        except AssertionError:
            with open(log + ".1") as before, open(log) as after:
                print(before.read() + after.read())
            raise
        wait_for(lambda: said("guard: the supervisor died"))
        d.signal(signal.SIGQUIT)
        assert d.wait() == 0
        assert said("stopping at once")


def test_an_order_to_shut_down_ends_the_guard():
    """holdfast shutdown: exit 0 of the supervisor is the guard's too"""
    with guarded(conf()) as d:
        succeed(d, killed)
        d.cli("shutdown")
        assert d.wait() == 0
        assert not sysutil.shm_objects(d.store)
        assert not os.listdir(d.run_dir)


def test_asked_to_stop_while_there_is_no_supervisor():
    """TERM right after the death: the next one takes over and ends it all"""
    for wait in 0, 0.005, 0.02, 0.05:
        with guarded(conf(("tcp1", "tcp2"))) as d:
            pids = worker(d), worker(d, "tcp2"), supervisor(d)
            killed(pids[2])
            began = time.monotonic()
            wait_for(lambda: time.monotonic() - began >= wait)
            d.stop()
            wait_for(lambda: not any(
                os.path.exists(f"/proc/{p}") for p in pids))


def test_it_waits_longer_for_those_that_die_again_and_again():
    """a supervisor that dies as soon as it serves is followed later and
    later"""
    with guarded(conf()) as d:
        for _ in range(5):
            succeed(d, killed)
        waits = [int(line.split(" in ")[-1].split()[0])
                 for line in d.stderr_text().splitlines()
                 if "the next one starts in" in line]
        assert waits[:2] == [0, 0] and 0 < waits[2] < waits[3] < waits[4], \
            waits
        d.stop()


def test_what_another_start_would_not_mend_is_told_by_the_exit_code():
    """wrong usage, no configuration, a wrong one, a directory that cannot be
    made, a port in use"""
    holdfastd = os.path.join(BUILD, "holdfastd")
    with Daemon(conf()) as d:
        taken = d.port("tcp1")
        other = os.path.join(d.dir, "other.json")
        with open(d.conf_path) as f:
            text = f.read()
        with open(other, "w") as f:
            f.write(text.replace(":0\"", f":{taken}\"").replace(
                d.store, d.store + "x"))
        wrong = os.path.join(d.dir, "wrong.json")
        with open(wrong, "w") as f:
            f.write("{ 1 }\n")
        run = os.path.join(d.dir, "run2")
        for code, *args in (
                (64, "--bogus"), (66, "-c", "/nonexistent.json"),
                (78, "-c", wrong), (73, "--run-dir", "/dev/null/run"),
                (69, "-c", other), (0, "--version")):
            done = subprocess.run(
                [holdfastd, "--guard", "-c", d.conf_path, "--run-dir", run,
                 *args], env=d.env, capture_output=True, text=True,
                timeout=200)
            assert done.returncode == code, (code, done)
            assert "the next one starts" not in done.stderr, done
        d.stop()


def test_a_configuration_that_became_wrong_is_waited_for():
    """once it has served, a mistake in the file does not end the guard: the
    workers serve, and the mended file is taken"""
    with guarded(conf()) as d:
        pid = worker(d)
        with open(d.conf_path) as f:
            right = f.read()
        with open(d.conf_path, "w") as f:
            f.write("{ 1 }\n")
        killed(supervisor(d))
        os.unlink(d.ready_path)
        d.wait_stderr('by="exit 78"')
        with Modbus(conf_port(d, pid)) as m:
            m.read_hr(0, 1)
        watch = sysutil.Watch(d.run_dir)
        with open(d.conf_path, "w") as f:
            f.write(right)
        assert watch.until(lambda: os.path.exists(d.ready_path), 20)
        watch.close()
        assert d.worker_pid("tcp1") == pid
        d.stop()


def conf_port(d, pid):
    """Where tcp1 listens, from its first line in the log."""
    for line in d.stderr_text().splitlines():
        if "transport tcp1 up listen=" in line:
            return int(line.split("listen=127.0.0.1:")[1].split()[0])
    raise AssertionError(d.stderr_text())


def test_a_program_that_was_replaced_is_the_next_one():
    """the next supervisor is what the program is now, not what it was"""
    with guarded(conf()) as d:
        d.stop()
        place = os.path.join(d.dir, "bin")
        os.mkdir(place)
        for name in os.listdir(BUILD):
            if name.startswith(("holdfastd", "libholdfast.so")):
                shutil.copy(os.path.join(BUILD, name), place,
                            follow_symlinks=True)
        os.symlink(os.path.join(BUILD, "parts"),
                   os.path.join(place, "parts"))
        d.args[0] = os.path.join(place, "holdfastd")
        d.start()

        def image():
            st = os.stat(f"/proc/{supervisor(d)}/exe")
            return st.st_dev, st.st_ino
        first, pid = image(), worker(d)
        shutil.copy(d.args[0], d.args[0] + ".new")
        os.rename(d.args[0] + ".new", d.args[0])
        with Modbus(d.port("tcp1")) as m:
            succeed(d, killed)
            m.read_hr(0, 1)
            assert image() != first
            calm(d, time.monotonic())
            succeed(d, lambda p: os.kill(p, signal.SIGSTOP))  # still guarded
        assert d.worker_pid("tcp1") == pid
        d.stop()


if __name__ == "__main__":
    sysutil.run()
