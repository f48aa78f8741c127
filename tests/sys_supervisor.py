# SPDX-License-Identifier: Apache-2.0
"""What the supervisor must survive: deaths, hangs, orders, hostile children.
Its children are toys here (toyd.c), so that they can be made to do it."""

import errno
import os
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
import toy  # noqa: E402
from sysutil import wait_for  # noqa: E402
from toy import Line, Toys  # noqa: E402

SIGKILLED = signal.SIGKILL  # as a wait status


def refused(port):
    try:
        Line(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


# ---- deaths ----

def test_a_killed_worker_is_replaced_and_others_do_not_notice():
    with Toys(toy.conf(2)) as d:
        with d.line("tcp2") as other:
            pid2 = other.ask("pid")
            pid = int(d.ask("tcp1", "pid"))
            port = d.port("tcp1")
            os.kill(pid, signal.SIGKILL)
            new = int(d.ask("tcp1", "pid"))  # waits in the backlog
            assert new != pid
            assert d.port("tcp1") == port
            assert other.ask("pid") == pid2
        s = wait_for(lambda: (s := d.wait_state("up"))["restarts"] == 1 and s)
        assert s["pid"] == new, s
        assert s["last_exit"] == SIGKILLED, s
        assert ("up", "backoff") in s["changes"], s
        assert s["changes"][-1] == ("starting", "up"), s
        assert d.show(1)["restarts"] == 0


def test_every_kind_of_death_is_named_in_the_log():
    deaths = [("signal 11", 'by="signal 11 (Segmentation fault)'),
              ("signal 6", 'by="signal 6 (Aborted)'),
              ("exit 3", 'by="exit 3"'), ("exit 0", 'by="exit 0"')]
    with Toys(toy.conf()) as d:
        for i, (order, said) in enumerate(deaths):
            with d.line("tcp1") as c:
                assert c.ask(order) == ""
            d.wait_stderr(said)
            d.ask("tcp1", "pid")
            assert wait_for(lambda: d.show()["restarts"] == i + 1)


def test_a_killed_control_process_is_replaced_and_no_client_notices():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as client:
            pid = client.ask("pid")
            control = d.child("control")
            os.kill(control, signal.SIGKILL)
            d.wait_new_child("control", control)
            assert client.ask("pid") == pid
        assert d.order("restart 0 100").rc == 0
        assert d.ask("tcp1", "pid") != pid


def test_a_successor_lives_within_milliseconds():
    took = []
    with Toys(toy.conf()) as d, bt.Jitter() as jitter:
        for _ in range(25):
            assert d.order("restart 0 1000").rc == 0  # ends the row of deaths
            pid = d.show()["pid"]
            killed = time.monotonic_ns()
            os.kill(pid, signal.SIGKILL)
            took.append((int(d.ask("tcp1", "born")) - killed) / 1e6)
    print(f"    kill to the successor's first instruction: median "
          f"{statistics.median(took):.2f} ms, worst {max(took):.2f} ms")
    assert statistics.median(took) < 5 * bt.pace() + jitter.ms(0.99), took


def test_a_worker_that_dies_again_and_again_waits_longer_and_longer():
    with Toys(toy.conf()) as d:
        d.birth("tcp1", "exit 9")
        with d.line("tcp1") as c:
            c.ask("exit 9")
        d.wait_state("backoff")
        s = wait_for(lambda: (s := d.show())["restarts"] >= 5 and s)
        assert s["restarts"] < 20, "it spins"
        done = d.order("start 0")
        assert done.rc == errno.EAGAIN and "exit 9" in done.text, vars(done)
        assert not refused(d.port("tcp1"))  # clients wait meanwhile
        d.birth("tcp1", None)
        assert d.order("restart 0 0").rc == 0


def test_a_worker_that_cannot_be_forked_is_brought_back_once_it_can():
    path = os.path.join(sysutil.tempfile.mkdtemp(prefix="hf-"), "full")
    env = {"LD_PRELOAD": os.path.join(sysutil.BUILD, "tests", "preload",
                                      "nofork.so"), "HOLDFAST_NOFORK": path}
    with Toys(toy.conf(2), env=env) as d:
        def files():
            return len(os.listdir(f"/proc/{d.pid}/fd"))
        before, other = files(), d.ask("tcp2", "pid")
        with open(path, "w"):
            os.kill(d.child("tcp1"), signal.SIGKILL)
            wait_for(lambda: d.stderr_text().count(
                "its keeper cannot make it: ") >= 4)
            os.kill(d.keeper("tcp1"), signal.SIGKILL)
            wait_for(lambda: d.stderr_text().count("cannot fork: ") >= 4)
        # the channels of the missing one and of its keeper
        assert files() == before - 2
        assert d.ask("tcp2", "pid") == other
        sysutil.shutil.rmtree(os.path.dirname(path))
        d.ask("tcp1", "pid")  # waits in the backlog
        assert files() == before


def test_it_gives_up_only_where_it_is_told_to():
    keys = {"restart": {"max_in_window": 3, "window_s": 60}}
    with Toys(toy.conf({"tcp1": keys})) as d:
        d.birth("tcp1", "exit 9")
        port = d.port("tcp1")
        with d.line("tcp1") as c:
            c.ask("exit 9")
        assert d.wait_state("failed")["restarts"] == 3
        assert refused(port)
        d.wait_stderr("died more than 3 times within 60 s")
        d.birth("tcp1", None)
        assert d.order("start 0").rc == 0
        d.ask("tcp1", "pid")


def test_what_has_failed_is_not_in_the_ready_file():
    with Toys(toy.conf(2)) as d:
        assert set(d.transports()) == {"tcp1", "tcp2"}
        d.birth("tcp1", "fail no such thing")
        d.order("restart 0 100")
        wait_for(lambda: set(d.transports()) == {"tcp2"}, what="ready file")
        d.birth("tcp1", None)
        assert d.order("start 0").rc == 0
        assert set(d.transports()) == {"tcp1", "tcp2"}


def test_a_transport_is_up_while_any_of_its_workers_serves():
    keys = {"workers": 2, "restart": {"min_backoff_ms": 5000,
                                      "max_backoff_ms": 5000}}
    with Toys(toy.conf({"tcp1": keys})) as d:
        stays = d.child("tcp1/1")
        d.birth("tcp1", "exit 9")
        os.kill(d.child("tcp1/0"), signal.SIGKILL)
        d.wait_stderr("exit 9")
        wait_for(lambda: d.show()["pid"] == stays, what="pid")
        assert d.show()["state"] == "up"
        assert d.ask("tcp1", "pid").split()[-1] == str(stays)


def test_a_worker_that_calls_its_configuration_wrong_is_not_restarted():
    """but one that has served since its order is: that may be a plugin's doing,
    or a file's that is being replaced"""
    with Toys(toy.conf(2)) as d:
        port = d.port("tcp1")
        with d.line("tcp1") as c:
            c.ask("fail by the way")
        wait_for(lambda: d.show()["restarts"] == 1, what="another")
        d.wait_state("up")
        d.birth("tcp1", "fail no such thing\x01 here")
        d.order("restart 0 100")
        s = d.wait_state("failed")
        assert s["restarts"] == 1 and refused(port)
        d.wait_stderr('failed why="no such thing? here"')
        d.ask("tcp2", "pid")
        d.birth("tcp1", None)
        done = d.order("start 0")
        assert done.rc == 0 and done.state == "up"


def test_an_order_to_start_what_cannot_is_answered_with_the_reason():
    with Toys(toy.conf()) as d:
        d.birth("tcp1", "fail bad key")
        done = d.order("restart 0 100")
        assert done.rc == errno.EIO and done.state == "failed"
        assert done.text == "bad key", done.text


# ---- hangs ----

def test_a_stopped_worker_is_killed_and_replaced():
    with Toys(toy.conf(hang_timeout_ms=300)) as d:
        pid = int(d.ask("tcp1", "pid"))
        os.kill(pid, signal.SIGSTOP)
        assert int(d.ask("tcp1", "pid")) != pid
        d.wait_stderr('why="hung: no sign of life for 300 ms"')


def test_a_stopped_control_process_is_killed_and_replaced():
    with Toys(toy.conf(hang_timeout_ms=300)) as d:
        pid = d.child("control")
        os.kill(pid, signal.SIGSTOP)
        d.wait_new_child("control", pid)


def test_a_worker_that_hangs_in_a_request_is_killed_though_it_beats():
    with Toys(toy.conf(hang_timeout_ms=60000)) as d:
        with d.line("tcp1") as c:
            pid = int(c.ask("pid"))
            assert c.ask("busy") == "busy"
            assert c.read() == ""
        assert int(d.ask("tcp1", "pid")) != pid
        d.wait_stderr('why="hung in a request for more than 500 ms"')


def test_a_device_that_a_dead_worker_owned_is_repaired_at_once():
    with Toys(toy.conf(2, hang_timeout_ms=60000)) as d:
        with d.line("tcp1") as c:
            pid = d.show()["pid"]
            assert c.ask("hold 0") == "held"
            os.kill(pid, signal.SIGKILL)
            # nobody else wants it, so that nobody else can have repaired it
            d.wait_stderr("died while it owned plc1; repaired", 1)
        assert d.ask("tcp2", "write 7") == "wrote 0"


def test_a_writer_that_waits_for_a_dead_one_does_not_wait_long():
    with Toys(toy.conf(2, hang_timeout_ms=60000)) as d:
        with d.line("tcp1") as c, d.line("tcp2") as other:
            pid = d.show()["pid"]
            assert c.ask("hold 0") == "held"
            other.send("write 7")
            os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            assert other.read() == "wrote 0"
            assert time.monotonic() - began < 10


def test_a_living_worker_that_keeps_a_device_is_killed():
    with Toys(toy.conf(2, hang_timeout_ms=60000)) as d:
        with d.line("tcp1") as c:
            assert c.ask("hold 0") == "held"
            assert d.ask("tcp2", "write 7") == "wrote 0"
            assert c.read() == ""
        d.wait_stderr('why="held device plc1 for too long"')


def test_a_device_held_in_nobodys_name_is_freed():
    with Toys(toy.conf(2)) as d:
        assert d.ask("tcp1", "forge 0") == "forged"
        assert d.ask("tcp2", "write 7") == "wrote 0"


def test_nobody_is_killed_for_a_name_that_another_has_forged():
    with Toys(toy.conf(2)) as d:
        pids = [int(d.ask(t, "pid")) for t in ("tcp1", "tcp2")]
        value = 0
        # supervisor, control process, the forger itself, another worker
        for slot in (0, 1, 8, 9):
            for writer in ("tcp1", "tcp2"):
                value += 1
                assert d.ask("tcp1", "accuse %d" % slot) == "accused"
                began = time.monotonic()
                assert d.ask(writer, "write %d" % value) == "wrote 0"
                assert time.monotonic() - began < 9
        d.wait_stderr("device plc1: owner forged to tcp2; repaired", 1)
        assert "held device" not in d.stderr_text()
        assert pids == [int(d.ask(t, "pid")) for t in ("tcp1", "tcp2")]


def test_nobody_is_killed_because_the_machine_stood_still():
    with Toys(toy.conf(hang_timeout_ms=1000)) as d:
        pids = d.children()
        for pid in [d.pid, *pids]:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)  # what stands still is time itself
        for pid in [d.pid, *pids]:
            os.kill(pid, signal.SIGCONT)
        d.ask("tcp1", "pid")
        time.sleep(2.2)  # longer than the limit, and than the grace
        assert d.children() == pids, d.stderr_text()


# ---- hostile children ----

def hostile(d, name, index, line):
    """The child is killed, its successor serves, nobody else has changed."""
    others = [p for p in d.children() if p != d.child(name)]
    old = d.child(name)
    with d.line(name) as c:
        c.send(line)
    new = d.wait_new_child(name, old)
    assert new != old
    assert set(others) <= set(d.children()), line
    # an order ends the row of deaths: the next one need not wait long
    assert d.order(f"restart {index} 100").rc == 0
    d.wait_state("up", 1 - index)


def test_a_keeper_that_is_killed_is_replaced_at_once():
    with Toys(toy.conf()) as d:
        keeper, worker = d.keeper("tcp1"), d.child("tcp1")
        os.kill(keeper, signal.SIGKILL)
        d.wait_stderr("has another keeper")
        second = d.wait_new_child("tcp1", worker)  # that one's
        assert d.ask("tcp1", "pid").split()[-1] == str(second)
        assert d.keeper("tcp1") != keeper
        os.kill(second, signal.SIGKILL)
        d.wait_new_child("tcp1", second)
        d.ask("tcp1", "pid")


def test_a_worker_without_a_keeper_that_does_not_give_way_is_ended():
    with Toys(toy.conf(hang_timeout_ms=300)) as d:
        keeper, worker = d.keeper("tcp1"), d.child("tcp1")
        os.kill(worker, signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        d.wait_new_child("tcp1", worker)
        d.ask("tcp1", "pid")
        assert d.keeper("tcp1") != keeper


def test_a_keeper_that_does_not_make_its_worker_is_replaced():
    # longer than it may owe a worker
    with Toys(toy.conf(hang_timeout_ms=60000)) as d:
        keeper, worker = d.keeper("tcp1"), d.child("tcp1")
        os.kill(keeper, signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        d.wait_stderr("its keeper does not make it")
        d.ask("tcp1", "pid")
        assert d.keeper("tcp1") != keeper
        assert not os.path.exists(f"/proc/{keeper}")


def test_what_is_no_message_ends_the_worker_that_sent_it_and_no_other():
    messages = ["ipc 1 1 1", "ipc 1 127 1", "ipc 1 129 1", "ipc 1 1000 1",
                "ipc 99 128 1", "ipc 4294967295 128 1", "ipc 0 128 1"]
    with Toys(toy.conf(2)) as d:
        for m in messages:
            hostile(d, "tcp1", 0, m)
        said = d.stderr_text().count('by="signal 9 (Killed)" why="sent what is')
        assert said == len(messages), d.stderr_text()


def test_a_worker_may_not_give_the_orders_of_control():
    # START STOP RESTART KICK SHUTDOWN RELOAD DONE DRAIN REFRESH EXIT LOG
    with Toys(toy.conf(2)) as d:
        for kind in range(4, 15):
            hostile(d, "tcp1", 0, f"ipc {kind} 128 1")


def test_control_may_not_send_what_is_no_message_either():
    with Toys(toy.conf(2)) as d:
        # a cut one, REFRESHED, DONE, DRAIN, none
        for m in ("ipc 1 5 1", "ipc 3 128 1", "ipc 10 128 1", "ipc 11 128 1",
                  "ipc 0 128 1"):
            hostile(d, "control", 0, m)


def test_a_flood_of_messages_keeps_nobody_waiting():
    with Toys(toy.conf(2)) as d:
        with d.line("tcp1") as c:
            c.send("ipc 1 128 100000")  # says again and again: ready
            began = time.monotonic()
            assert d.order("restart 1 100").rc == 0
            assert time.monotonic() - began < 20


def test_a_worker_that_closes_its_channel_is_killed():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c:
            pid = int(c.ask("pid"))
            c.ask("mute")
        assert d.wait_new_child("tcp1", pid) != pid
        d.wait_stderr('why="closed its channel"')


def test_a_worker_that_reads_no_orders_is_killed_when_its_time_is_over():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c:
            c.ask("deaf")
        done = d.order("stop 0 200")
        assert done.rc == 0 and done.state == "stopped"
        assert d.show()["last_exit"] == SIGKILLED


def test_noise_in_shared_memory_does_not_bring_the_supervisor_down():
    with Toys(toy.conf(2)) as d:
        with d.line("tcp1") as c:
            assert c.ask("scribble 600") == "scribbling"
            c.read()  # the end of it, by whatever
        # slots, generations and rings are noise now, and so is what control
        # believes; the supervisor still brings back, hears, and ends
        pid = d.child("tcp2")
        os.kill(pid, signal.SIGKILL)
        d.wait_new_child("tcp2", pid)
        d.signal(signal.SIGTERM)
        assert d.wait() == 0, d.stderr_text()
        assert not os.listdir(d.run_dir)
        assert not sysutil.shm_objects(d.store)


# ---- orders ----

def test_stop_refuses_clients_at_once_and_start_serves_them_again():
    with Toys(toy.conf(2)) as d:
        port = d.port("tcp1")
        done = d.order("stop 0 1000")
        assert done.rc == 0 and done.state == "stopped"
        assert refused(port)
        assert list(d.transports()) == ["tcp2"]
        done = d.order("stop 0 1000")  # once more changes nothing
        assert done.rc == 0 and done.state == "stopped"
        done = d.order("start 0")
        assert done.rc == 0 and done.state == "up"
        assert list(d.transports()) == ["tcp1", "tcp2"]
        assert str(d.show()["pid"]) == d.ask("tcp1", "pid")
        assert d.show()["listen"].endswith(f":{d.port('tcp1')}")
        done = d.order("start 0")
        assert done.rc == 0 and done.state == "up"


def test_restart_answers_what_was_asked_before_and_keeps_the_port():
    with Toys(toy.conf()) as d:
        port, pid = d.port("tcp1"), d.show()["pid"]
        with d.line("tcp1") as c, d.line("control") as control:
            assert c.ask("slow 300") == "begun"
            control.send("restart 0 5000")
            d.wait_state("draining")
            with d.line("tcp1") as early:  # waits in the backlog
                early.send("pid")
                assert c.read() == "slowly"
                assert int(early.read()) != pid
            assert toy.Done(control.read()).rc == 0
        s = d.show()
        assert s["pid"] != pid and s["restarts"] == 0
        assert d.port("tcp1") == port
        assert ("up", "draining") in s["changes"]


def test_a_restart_of_one_transport_is_not_noticed_on_the_other():
    with Toys(toy.conf(2)) as d:
        with d.line("tcp2") as other:
            pid = other.ask("pid")
            for _ in range(5):
                other.send("pid")
                assert d.order("restart 0 1000").rc == 0
                assert other.read() == pid


def test_a_drain_that_takes_too_long_is_cut_off():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c:
            assert c.ask("slow 60000") == "begun"
            began = time.monotonic()
            assert d.order("stop 0 200").rc == 0
            assert time.monotonic() - began < 20
            assert c.read() == ""


def test_clients_are_refused_as_soon_as_a_drain_begins():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c, d.line("control") as control:
            port = d.port("tcp1")
            assert c.ask("slow 300") == "begun"
            control.send("stop 0 5000")
            d.wait_state("draining")
            assert refused(port)  # though the worker has the listener yet
            assert c.read() == "slowly"
            assert toy.Done(control.read()).state == "stopped"


def test_start_during_a_drain_serves_at_the_same_port_after_it():
    fixed = f"127.0.0.1:{sysutil.free_port()}"
    for listen in ("127.0.0.1:0", fixed):
        with Toys(toy.conf({"tcp1": {"listen": listen}})) as d:
            with d.line("tcp1") as c, d.line("control") as control:
                port, pid = d.port("tcp1"), d.show()["pid"]
                # longer than the drain time of a start, which has none
                assert c.ask("slow 900") == "begun"
                control.send("stop 0 5000")
                d.wait_state("draining")
                control.send("start 0")
                assert toy.Done(control.read()).rc == errno.ECANCELED
                early = Line(("127.0.0.1", port))  # waits in the backlog
                assert c.read() == "slowly"
                done = toy.Done(control.read())
                assert done.rc == 0 and done.state == "up", vars(done)
                assert int(early.ask("pid")) != pid
                early.close()
                assert d.port("tcp1") == port


def test_a_port_chosen_by_the_system_is_kept_over_a_stop_if_it_is_free():
    with Toys(toy.conf()) as d:
        port = d.port("tcp1")
        d.order("stop 0 100")
        assert d.order("start 0").rc == 0
        assert d.port("tcp1") == port
        d.order("stop 0 100")
        with sysutil.socket.create_server(("127.0.0.1", port)):
            assert d.order("start 0").rc == 0
            assert d.port("tcp1") != port
            d.ask("tcp1", "pid")


def test_start_says_when_the_port_has_been_taken_meanwhile():
    port = sysutil.free_port()
    with Toys(toy.conf({"tcp1": {"listen": f"127.0.0.1:{port}"}})) as d:
        d.order("stop 0 100")
        with sysutil.socket.create_server(("127.0.0.1", port)):
            done = d.order("start 0")
            assert done.rc == errno.EADDRINUSE, vars(done)
            assert f"127.0.0.1:{port}" in done.text
            assert done.state == "stopped"
        assert d.order("start 0").rc == 0


def test_an_unknown_transport_is_said_so():
    with Toys(toy.conf()) as d:
        for order in ("start 1", "stop 4294967295 0", "restart 77 0"):
            done = d.order(order)
            assert done.rc == errno.ENOENT, vars(done)
        assert d.order("kick 0").rc == errno.ENOENT
        assert d.order(f"kick {255 << 56 | 1}").rc == errno.ENOENT
        assert d.order(f"kick {63 << 48 | 1}").rc == errno.ENOENT


def test_an_order_that_contradicts_the_one_under_way_replaces_it():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c, d.line("control") as control:
            assert c.ask("slow 60000") == "begun"
            control.send("stop 0 20000")
            d.wait_state("draining")
            control.send("restart 0 200")
            done = toy.Done(control.read())
            assert done.rc == errno.ECANCELED, vars(done)
            # the drain was already promised 20 s; a stop may shorten it
            control.send("stop 0 100")
            assert toy.Done(control.read()).rc == errno.ECANCELED
            done = toy.Done(control.read())
            assert done.rc == 0 and done.state == "stopped", vars(done)


def test_kick_ends_one_connection_and_says_so_when_it_has():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as a, d.line("tcp1") as b:
            ident = a.ask("enter")
            b.ask("enter")
            assert d.order(f"kick {ident}").rc == 0
            assert a.read() == ""
            assert b.ask("pid") != ""
            assert d.order(f"kick {ident}").rc == errno.ENOENT


def test_workers_share_a_listener_and_live_one_by_one():
    with Toys(toy.conf({"tcp1": {"workers": 3}})) as d:
        titles = sorted(sysutil.process_title(p) for p in d.children())
        assert titles == ["holdfastd: control", "holdfastd: tcp1/0",
                          "holdfastd: tcp1/1", "holdfastd: tcp1/2"], titles
        pids = [d.child(t.split()[-1]) for t in titles]
        os.kill(pids[2], signal.SIGKILL)
        wait_for(lambda: len(d.children()) == 4 and
                 pids[2] not in d.children())
        d.wait_state("up")
        assert {pids[0], pids[1], pids[3]} < set(d.children())
        assert d.order("restart 0 1000").rc == 0
        assert not set(pids[1:]) & set(d.children())
        assert d.order("stop 0 1000").rc == 0
        assert len(d.children()) == 1


# ---- the end ----

def ends(d, code=0, within=3.0):
    began = time.monotonic()
    assert d.wait() == code, d.stderr_text()
    assert time.monotonic() - began < within * sysutil.PATIENCE
    assert not os.listdir(d.run_dir), os.listdir(d.run_dir)
    assert not sysutil.shm_objects(d.store)


def test_term_and_int_answer_what_was_asked_and_then_end():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Toys(toy.conf()) as d:
            port = d.port("tcp1")
            with d.line("tcp1") as c:
                assert c.ask("slow 300") == "begun"
                d.signal(number)
                wait_for(lambda: refused(port))
                assert not os.path.exists(d.ready_path)
                assert c.read() == "slowly"
            ends(d)


def test_a_drain_lasts_no_longer_than_configured():
    with Toys(toy.conf(drain_timeout_s=1)) as d:
        with d.line("tcp1") as c:
            assert c.ask("slow 60000") == "begun"
            d.signal(signal.SIGTERM)
            ends(d, within=3)  # and not 60


def test_a_second_term_and_quit_end_at_once():
    for signals in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT,)):
        with Toys(toy.conf(2, drain_timeout_s=60)) as d:
            with d.line("tcp1") as c:
                assert c.ask("slow 60000") == "begun"
                for number in signals:
                    d.signal(number)
                    d.wait_stderr("stopping")
                ends(d, within=3)  # and not 60


def test_a_signal_to_the_whole_group_drains_as_one_to_the_daemon():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c:
            assert c.ask("slow 300") == "begun"
            for pid in [*d.children(), d.pid]:
                os.kill(pid, signal.SIGINT)
            assert c.read() == "slowly"
        ends(d)


def test_shutdown_is_answered_after_the_transports_have_stopped():
    with Toys(toy.conf(2)) as d:
        port = d.port("tcp1")
        with d.line("control") as control:
            assert toy.Done(control.ask("shutdown")).rc == 0
            assert refused(port)
        ends(d)


def test_orders_during_the_end_are_refused():
    with Toys(toy.conf()) as d:
        with d.line("tcp1") as c, d.line("control") as control:
            assert c.ask("slow 3000") == "begun"
            control.send("stop 0 9000")
            d.wait_state("draining")
            d.signal(signal.SIGTERM)
            d.wait_stderr("stopping")
            control.send("start 0")
            answers = [toy.Done(control.read()) for _ in range(2)]
            assert {a.rc for a in answers} <= {0, errno.ESHUTDOWN}, [
                vars(a) for a in answers]
            assert errno.ESHUTDOWN in {a.rc for a in answers}
        ends(d)


def test_when_all_are_killed_a_new_one_starts():
    with Toys(toy.conf({"tcp1": {"listen": "127.0.0.1:"
                                 f"{sysutil.free_port()}"}})) as d:
        d.kill()
        assert sysutil.shm_objects(d.store)  # nobody could remove them
        assert os.path.exists(d.ready_path)
        os.unlink(d.ready_path)  # to wait for the new one
        d.start()
        assert "that a killed daemon had left" in d.stderr_text()
        d.ask("tcp1", "pid")


if __name__ == "__main__":
    sysutil.run()
