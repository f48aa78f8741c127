#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast.py where something goes wrong or many things happen at once: daemons
that die, hang or are stand-ins, faults, asyncio, keys."""

import asyncio
import copy
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import sysutil
from python_case import (CONF, Publisher, Standin, command, holdfast, refused,
                         served)
from sys_control import curve_files
from sysutil import BUILD, Daemon, free_port, wait_for


# ---- trouble ----

def test_unreachable_is_told_at_once_or_after_a_wait():
    """who is not there is told, with the reason; with wait= it is waited
    for"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        path = f"{where}/control.sock"
        hf = holdfast.Client(path)
        began = time.monotonic()
        e = refused(holdfast.Unreachable, hf.ping)
        assert path in str(e) and "no such socket" in str(e), e
        assert isinstance(e, ConnectionError)
        assert time.monotonic() - began < 10
        e = refused(holdfast.Unreachable, holdfast.Client(
            f"tcp://127.0.0.1:{free_port()}").ping)
        assert "nobody listens" in str(e), e
        hf = holdfast.Client(path, wait=0.3)
        began = time.monotonic()
        refused(holdfast.Unreachable, hf.ping)
        assert 0.25 < time.monotonic() - began < 20
        refused(ValueError, holdfast.Client("nothing://x").ping)
        try:
            asyncio.run(holdfast.AsyncClient(path).ping())
            raise AssertionError("somebody answered")
        except holdfast.Unreachable:
            pass
        # a daemon that comes while it is waited for
        d = Daemon(CONF, run_dir=where, ready=False)
        with d, holdfast.Client(run_dir=where, wait=10) as hf:
            hf.wait_ready(10)
            assert hf.transports()[0]["state"] == "up"


def test_the_endpoint_is_found_as_the_command_line_finds_it():
    """endpoint, run_dir, $HOLDFAST_CONTROL, $HOLDFAST_RUN_DIR, the default"""
    choose, env = holdfast._choose_endpoint, dict(os.environ)
    try:
        for name in ("HOLDFAST_CONTROL", "HOLDFAST_RUN_DIR"):
            os.environ.pop(name, None)
        assert choose(None, None) == "ipc:///run/holdfast/control.sock"
        os.environ["HOLDFAST_RUN_DIR"] = "/a"
        assert choose(None, None) == "ipc:///a/control.sock"
        os.environ["HOLDFAST_CONTROL"] = "tcp://h:1"
        assert choose(None, None) == "tcp://h:1"
        assert choose(None, "/b") == "ipc:///b/control.sock"
        assert choose("/c.sock", None) == "ipc:///c.sock"
    finally:
        os.environ.clear()
        os.environ.update(env)
    refused(ValueError, holdfast.Client("tcp://127.0.0.1:1").watch)


def test_calls_survive_the_death_of_the_control_process():
    """the control process is killed again and again: reads never fail, a
    write fails only as lost, and is never carried out twice"""
    with served() as (d, hf):
        stop = threading.Event()
        trouble, reads = [], [0]

        def read():
            with holdfast.Client(d.endpoint) as own:
                while not stop.is_set():
                    try:
                        assert own.hr[0:2] == [0, 0]
                        reads[0] += 1
                    except Exception as e:
                        trouble.append(e)
                        return

        thread = threading.Thread(target=read)
        thread.start()
        lost = done = 0
        killer = threading.Thread(target=lambda: [
            (time.sleep(0.02), os.kill(hf.info()["control_pid"],
                                       signal.SIGKILL)) for _ in range(4)])
        killer.start()
        with holdfast.Client(d.endpoint) as own:
            while killer.is_alive() or done < 100:
                before = own.hr[40]
                try:
                    own.hr[40] = before + 1
                    done += 1
                    assert own.hr[40] == before + 1
                except holdfast.AnswerLost as e:
                    lost += 1
                    assert "once or not at all" in str(e)
                    assert own.hr[40] in (before, before + 1)
        killer.join()
        stop.set()
        thread.join()
        assert not trouble, trouble
        assert reads[0] > 20 and done >= 100, (reads, done, lost)


def test_calls_and_watches_survive_the_death_of_the_supervisor():
    """it is killed, and the next one takes over: reads wait for that, writes
    go on, and a watch goes on with a gap"""
    with served() as (d, hf):
        seen, answers = [], []

        def watch():
            with holdfast.Client(d.endpoint) as own:
                for event in own.watch("registers", timeout=100):
                    seen.append(event)
                    if event.new == [99]:
                        return

        def told(value):
            """Until an event says so: it may have been lost before."""
            hf.hr[40] = 0
            hf.hr[40] = value
            return any(e.new == [value] for e in seen)

        thread = threading.Thread(target=watch)
        thread.start()
        for value in (1, 2, 3):
            wait_for(lambda: told(value), 20, "an event")
            d.orphan()
            asked = threading.Thread(
                target=lambda: answers.append(hf.hr[40]))
            asked.start()
            os.unlink(d.ready_path)
            d.start()
            assert "taking over" in d.stderr_text()
            asked.join(30)
            assert answers[-1:] == [value], answers
        wait_for(lambda: told(99), 20, "the last event")
        thread.join(30)
        assert any(e.gap for e in seen)


def test_a_write_whose_answer_is_lost_is_not_sent_twice():
    """what changes something is sent once; what reads is sent again"""
    def answer(request):
        return {"result": {"values": [7], "seq": 1}} if back else None

    for kind, script, error in (
            ("read", lambda hf: hf.hr[5], None),
            ("read", lambda hf: hf.call("trace.read"), None),
            ("write", lambda hf: hf.hr.write(5, [1]), holdfast.AnswerLost),
            ("order", lambda hf: hf.stop("tcp1"), holdfast.AnswerLost),
            ("made up", lambda hf: hf.call("x.y"), holdfast.AnswerLost),
            ("said so", lambda hf: hf.call("x.y", repeat=True), None)):
        back = False
        with Standin(answer) as s:
            hf = holdfast.Client(s.endpoint)
            outcome = []

            def run():
                try:
                    outcome.append(script(hf))
                except holdfast.HoldfastError as e:
                    outcome.append(e)
            thread = threading.Thread(target=run)
            thread.start()
            wait_for(lambda: s.requests)
            s.shut()
            back = True
            s.open()
            thread.join()
            if error is None:
                assert len(s.requests) == 2, s.requests
                assert s.requests[0] == s.requests[1]
                assert not isinstance(outcome[0], Exception), outcome
            else:
                assert type(outcome[0]) is error, outcome
                assert s.requests[0]["method"] in str(outcome[0])
                hf.ping()
                # the new one has not been sent what the old one was
                assert len(s.requests) == 2, s.requests
                assert s.methods()[1] == "system.ping"
            hf.close()


def test_an_answer_that_came_before_the_end_is_taken():
    """a daemon that answers and ends at once has answered"""
    wait = holdfast._Wire.wait

    def see_both(wire, until):
        """Goes on when the answer and the end of the connection are there."""
        wait_for(lambda: s.answered == 2)
        if not s.ending:
            s.shut(linger=5000)
            assert wire.monitor.poll(50000)
        return wait(wire, until)

    for _ in range(5):
        with Standin(lambda _: {"result": {}}) as s, \
                holdfast.Client(s.endpoint) as hf:
            hf.ping()
            holdfast._Wire.wait = see_both
            try:
                hf.shutdown()  # not AnswerLost
            finally:
                holdfast._Wire.wait = wait


def test_what_they_die_of_is_not_sent_for_ever():
    """a read of which every control process dies is lost in the end"""
    with Standin(lambda _: None) as s:
        hf = holdfast.Client(s.endpoint)
        outcome = []
        thread = threading.Thread(target=lambda: outcome.append(
            refused(holdfast.AnswerLost, lambda: hf.hr[0])))
        thread.start()
        seen = 0
        while thread.is_alive():
            wait_for(lambda: len(s.requests) > seen or not thread.is_alive())
            s.shut()
            seen = len(s.requests)
            s.open()
        assert len(s.requests) == 5 and "5 times" in str(outcome[0])
        hf.close()


def test_a_write_to_a_process_that_dies_is_told_as_lost():
    """a write that a stopped control process never saw: lost, and not done
    by its successor"""
    with served() as (d, hf):
        pid = hf.info()["control_pid"]
        os.kill(pid, signal.SIGSTOP)
        outcome = []

        def write():
            try:
                hf.hr[5] = 1
            except holdfast.HoldfastError as e:
                outcome.append(e)
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.05)  # it is in a socket's buffer now, or never will be
        os.kill(pid, signal.SIGKILL)
        thread.join()
        assert not outcome or type(outcome[0]) is holdfast.AnswerLost
        assert hf.hr[5] == (0 if outcome else 1)


def test_an_answer_that_does_not_come_is_a_timeout():
    """no answer in time is Timeout, says what may be, and a late answer
    harms nothing"""
    with served() as (d, hf):
        pid = hf.info()["control_pid"]
        hf.timeout = 0.5
        os.kill(pid, signal.SIGSTOP)
        try:
            e = refused(holdfast.Timeout, lambda: hf.hr[0])
            assert isinstance(e, TimeoutError) and "0.5 s" in str(e)
            assert "may still" not in str(e)
            e = refused(holdfast.Timeout, hf.hr.write, 0, [5])
            assert "may still be carried out" in str(e)

            async def awaited():
                async with holdfast.AsyncClient(
                        d.endpoint, timeout=0.2) as own:
                    await own.ping()
            try:
                asyncio.run(awaited())
                raise AssertionError("it was answered")
            except (holdfast.Timeout, holdfast.Unreachable):
                pass
        finally:
            os.kill(pid, signal.SIGCONT)
        hf.timeout = 50
        assert hf.hr[1] == 0 and hf.hr[0] == 5


def test_asyncio_calls_time_out_while_another_connects():
    """a call's timeout holds also while another one, which may take longer,
    waits for a daemon that says nothing"""
    async def asked(hf, timeout):
        began = time.monotonic()
        try:
            await hf.call("system.ping", timeout=timeout)
            raise AssertionError("it was answered")
        except (holdfast.Timeout, holdfast.Unreachable):
            return time.monotonic() - began

    async def both(endpoint):
        async with holdfast.AsyncClient(endpoint) as hf:
            return await asyncio.gather(asked(hf, 4), asked(hf, 0.2))

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        long, short = asyncio.run(
            both("tcp://127.0.0.1:%d" % deaf.getsockname()[1]))
    assert 0.2 <= short < long and 3.9 < long, (short, long)


def test_a_block_that_is_not_answered_is_settled():
    """where no answer comes, or who waits for it is cancelled, each Later
    says that"""
    async def cancelled(endpoint):
        async with holdfast.AsyncClient(endpoint) as hf:
            async def block():
                async with hf.batch() as b:
                    later.append(b["plc1"].hr[0])
            task = asyncio.ensure_future(block())
            while not (s.requests and hf._pending):
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    later = []
    with Standin(lambda _: None) as s:
        with holdfast.Client(s.endpoint, timeout=0.1) as hf:
            for block in (hf.batch, hf.transaction):
                try:
                    with block() as b:
                        later.append(b.device("plc1").hr[0]
                                     if block == hf.batch else b.hr[0])
                    raise AssertionError("it was answered")
                except holdfast.Timeout:
                    refused(holdfast.Timeout, lambda: later[-1].value)
        s.requests.clear()
        asyncio.run(cancelled(s.endpoint))
        try:
            later[-1].value
            raise AssertionError("there is a value")
        except asyncio.CancelledError:
            pass


def test_orders_may_take_longer_than_questions():
    """what is answered after it has happened outlasts the timeout; the
    command line says which it was"""
    def answer(request):
        if request["method"] == "transports.stop":
            time.sleep(1)
            return {"result": {"name": "tcp1", "state": "stopped"}}
        return None

    with Standin(answer) as s:
        with holdfast.Client(s.endpoint, timeout=0.5) as hf:
            assert hf.stop("tcp1")["state"] == "stopped"
            refused(holdfast.Timeout, hf.ping)
        done = command(s, "-s", s.endpoint, "-t", "0.1", "ping")
        assert done.returncode == 75 and "0.1 s" in done.stderr, done


def test_names_are_looked_up_again_where_a_daemon_was_started_anew():
    """what a name means is known for as long as a connection lasts"""
    conf = copy.deepcopy(CONF)
    with Daemon(conf) as d, holdfast.Client(d.endpoint) as hf:
        plc = hf["plc1"]
        assert plc["flow"] == 404.17
        conf["devices"]["plc1"]["holding_registers"][2] = {
            "addr": 1104, "type": "int16", "value": -3, "name": "flow"}
        d.signal(signal.SIGTERM)
        d.wait()
        d._write_conf(dict(conf, store={"name": d.store}))
        d.start()
        assert plc["flow"] == -3 and hf.get("plc1/flow") == -3


def test_answers_that_do_not_fit_are_told():
    """a reply that is none, or another one than was asked for"""
    def ok(**result):
        return {"result": result}

    cases = [
        ([b"HTTP/1.1 400 Bad Request"], lambda hf: hf.ping()),
        ([b"[]"], lambda hf: hf.ping()), ([b"7"], lambda hf: hf.ping()),
        ({}, lambda hf: hf.ping()),
        ({"error": {"message": "x"}}, lambda hf: hf.ping()),
        (ok(values=[1], seq=1), lambda hf: hf.read("hr", 0, 2)),
        (ok(values="x", seq=1), lambda hf: hf.hr[0]),
        (ok(values=["x"], seq=1), lambda hf: hf.hr.float32[0]),
        (ok(seq=1), lambda hf: hf.hr[0]),
        (ok(seq=1, count=100), lambda hf: hf.hr[0:100]),
        (ok(seq="1"), lambda hf: hf.hr.write(0, [1])),
        ({"result": [{}]}, lambda hf: hf.describe()),
        ({"result": 5}, lambda hf: hf.describe()),
    ]
    for answer, script in cases:
        with Standin(lambda _: answer) as s:
            with holdfast.Client(s.endpoint, timeout=60) as hf:
                refused(holdfast.BadAnswer, script, hf)

            async def awaited():
                async with holdfast.AsyncClient(
                        s.endpoint, timeout=60) as hf:
                    await script(hf)
            try:
                asyncio.run(awaited())
                raise AssertionError(f"{answer} was taken")
            except holdfast.BadAnswer:
                pass
    # an error without an id, and one that nobody has heard of
    for answer, kind in (
            ([b'{"jsonrpc":"2.0","error":{"code":-32700,"message":"no"},'
              b'"id":null}'], holdfast.BadRequest),
            ({"error": {"code": -32099, "message": "new"}},
             holdfast.DaemonError),
            ({"error": {"code": -32000, "data": {"reason": "busy"}}},
             holdfast.Busy)):
        with Standin(lambda _: answer) as s:
            with holdfast.Client(s.endpoint, timeout=60) as hf:
                refused(kind, hf.ping)


def test_unknown_methods_are_named():
    """what this daemon does not know is told with its name"""
    with served() as (d, hf):
        known = {m["name"] for m in hf.methods()}
        for method, call in (
                ("faults.list", hf.faults),
                ("faults.add", lambda: hf.fault(fc=3).__enter__()),
                ("faults.clear", hf.clear_faults),
                ("snapshot.save", hf.snapshot_save),
                ("snapshot.load", hf.snapshot_load),
                ("no.such", lambda: hf.call("no.such"))):
            if method in known:
                continue
            e = refused(holdfast.UnknownMethod, call)
            assert e.code == -32601 and e.method == method
            assert method in str(e), e
            again = pickle.loads(pickle.dumps(e))
            assert str(again) == str(e) and again.reason == e.reason
        e = refused(holdfast.NotFound, hf.stop, "tcp9")
        assert e.reason == "no_transport" and isinstance(e, LookupError)
        e = refused(holdfast.BadParams, hf.call, "system.ping", {"x": 1})
        assert e.reason == "unknown_param"


def test_what_is_not_closed_harms_nobody():
    """clients and watches may be forgotten, also while their daemon goes"""
    with served() as (d, hf):
        p = Publisher(d.dir)
        for _ in range(25):
            other = holdfast.Client(d.endpoint, events=p.endpoint)
            w = other.watch("hr:0")
            thread = threading.Thread(target=p.close)
            thread.start()
            del w, other  # libzmq is telling of the end of the connection
            thread.join()
            hf.close()
            hf.ping()  # by the same thread of libzmq
            p.open()
        p.close()
        done = subprocess.run(
            [sys.executable, "-B", "-c", """if True:
            import asyncio, holdfast
            hf = holdfast.Client()
            w = hf.watch("hr")
            hf.ping()
            async def run():
                global other
                other = holdfast.AsyncClient()
                await other.ping()
            asyncio.run(run())
            """], env=dict(d.env, PYTHONPATH=BUILD), cwd="/",
            capture_output=True, text=True, timeout=200)
        assert (done.returncode, done.stderr) == (0, ""), done


def test_a_child_after_fork_has_a_connection_of_its_own():
    """parent and child go on with the same object"""
    with served() as (d, hf):
        hf.hr[0] = 1
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                hf.hr[1] = 2
                code = 0 if hf.hr[0:2] == [1, 2] else 2
            finally:
                os._exit(code)
        for _ in range(20):
            assert hf.hr[0] == 1
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert hf.hr[1] == 2


# ---- what the daemon will know later ----

def test_faults_are_cleared_however_the_block_ends():
    """fault adds a rule and clears it: exactly these messages, whatever
    happens between"""
    rules = {}

    def answer(request):
        method, params = request["method"], request["params"]
        if method == "faults.add":
            rules[len(rules) + 1] = params
            return {"result": {"id": len(rules)}}
        if method == "faults.clear":
            if params.get("id") == 99:
                return {"error": {"code": -32001, "message": "gone",
                                  "data": {"reason": "no_fault"}}}
            if params.get("id") == 98:
                return {"error": {"code": -32000, "message": "no"}}
            return {"result": {}}
        return {"result": [{"id": i, **r} for i, r in rules.items()]}

    rule = {"transport": "tcp1", "unit": 1, "fc": 3, "range": [0, 9],
            "rate_pct": 50, "count": 2, "exception": 6, "delay_ms": 10,
            "drop": True, "junk_bytes": 3, "split_ms": 5, "change_pct": 1,
            "wrong_unit": True, "bad_crc": True}
    with Standin(answer) as s, holdfast.Client(s.endpoint) as hf:
        def sent():
            got = [(r["method"], r["params"]) for r in s.requests]
            s.requests.clear()
            return got
        with hf.fault(**rule) as f:
            assert f.id == 1 and sent() == [("faults.add", rule)]
            assert hf.faults() == [{"id": 1, **rule}]
        assert sent() == [("faults.list", {}), ("faults.clear", {"id": 1})]
        for why in (KeyError, KeyboardInterrupt, SystemExit):
            try:
                with hf.fault(transport="tcp1", exception=6, fc=3, unit=None):
                    raise why
            except why:
                pass
            assert sent() == [
                ("faults.add", {"transport": "tcp1", "exception": 6,
                                "fc": 3}),
                ("faults.clear", {"id": len(rules)})]
        with hf.fault(drop=True) as f:
            f.id = 99  # it has gone by itself: its count was reached
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                with hf.fault(drop=True) as f:
                    f.id = 98
                    raise KeyError
            except KeyError:  # not the failure to clear
                assert "98" in str(warned[0].message), warned
        try:
            with hf.fault(drop=True) as f:
                f.id = 98
            raise AssertionError("it is still there, and nobody says so")
        except holdfast.Refused:
            pass
        sent()
        assert hf.add_fault(fc=3)["id"] == len(rules)
        hf.clear_faults()
        hf.clear_faults(id=2)
        hf.snapshot_save()
        hf.snapshot_save("a.snap")
        hf.snapshot_load(path="a.snap")
        assert sent() == [
            ("faults.add", {"fc": 3}), ("faults.clear", {}),
            ("faults.clear", {"id": 2}), ("snapshot.save", {}),
            ("snapshot.save", {"path": "a.snap"}),
            ("snapshot.load", {"path": "a.snap"})]

        async def awaited():
            async with holdfast.AsyncClient(s.endpoint) as hf:
                async def hold():
                    async with hf.fault(exception=4):
                        held.set()
                        await asyncio.sleep(60)
                held = asyncio.Event()
                task = asyncio.ensure_future(hold())
                await held.wait()
                task.cancel()
                try:
                    await task
                    raise AssertionError("it was not cancelled")
                except asyncio.CancelledError:
                    pass
                try:
                    with hf.fault(exception=4):
                        pass
                    raise AssertionError("with was taken for async with")
                except TypeError:
                    pass
        asyncio.run(awaited())
        assert sent() == [("faults.add", {"exception": 4}),
                          ("faults.clear", {"id": len(rules)})]


# ---- asyncio ----

def test_asyncio_calls_are_under_way_together():
    """50 calls at once, of all kinds, over one connection"""
    async def run(d):
        async with holdfast.AsyncClient(d.endpoint) as hf:
            plc = hf["plc1"]
            await plc.hr.write(0, range(100))
            got = await asyncio.gather(*(
                plc.hr[i] if i % 2 else plc.hr[i:i + 2] for i in range(50)))
            assert got == [i if i % 2 else [i, i + 1] for i in range(50)]
            # an order that takes long holds up nobody
            order = asyncio.ensure_future(hf.restart("tcp1"))
            await asyncio.gather(*(plc.hr.write(200 + i, [i])
                                   for i in range(50)))
            assert await plc.hr[200:250] == list(range(50))
            assert (await order)["state"] == "up"
            got = await asyncio.gather(
                plc.hr[0], plc.hr[5000], plc["flow"], plc.set("flow", 2),
                return_exceptions=True)
            assert got[0] == 0 and got[2] == 404.17, got
            assert type(got[1]) is holdfast.IllegalAddress
            async with plc.transaction() as t:
                t.check("hr", 0, [0])
                t.hr[0] = 9
                seen = t.hr[0:2]
            assert seen.value == [9, 1]
            async with hf.batch() as b:
                seen = b["plc1"]["flow"]
            assert seen.value == 2
            assert len([c for c in await hf.connections()]) == 0
            stats = (await hf.stats())["control"]
            assert stats["errors"] == 1, stats
            try:
                plc.hr[5] = 1
                raise AssertionError("an assignment was not awaited")
            except TypeError as e:
                assert "await" in str(e)
            try:
                with plc.transaction():
                    pass
                raise AssertionError("with was taken for async with")
            except TypeError:
                pass
            assert (await plc.reading("flow")).unit == "m3/h"
            # cancelled calls leave nothing behind
            tasks = [asyncio.ensure_future(plc.hr[i]) for i in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            got = await asyncio.gather(*tasks, return_exceptions=True)
            assert got[1::2] == [9 if i == 0 else i
                                 for i in range(20)][1::2], got
            assert not hf._pending
    with Daemon(CONF) as d:
        asyncio.run(run(d))


def test_asyncio_watches_and_survives():
    """async for, a second event loop, the death of the control process"""
    async def watch(d, hf):
        async with hf.watch("plc1/hr:0+4", "flow", timeout=60) as w:
            await hf["plc1"].hr.write(1, [5])
            await hf["plc1"].set("flow", 1.5)
            async for event in w:
                if event.name == "flow":
                    assert event.new == [1.5]
                    break
                assert (event.addr, event.new) == (1, [5])
        got = []
        async for event in hf.watch("plc1/hr:0", timeout=0.1):
            got.append(event)
        assert got == []
        os.kill((await hf.info())["control_pid"], signal.SIGKILL)
        reads = await asyncio.gather(*(hf.hr[1] for _ in range(50)))
        assert reads == [5] * 50
        w = hf.watch("plc1/hr:0", timeout=60)
        waiting = asyncio.ensure_future(w.__anext__())
        while not (w._images and w._images[0].now):
            await asyncio.sleep(0.01)  # until it has begun
        await hf.hr.write(0, [8])
        assert (await waiting).new == [8]
        w.close()
        await hf.hr.write(0, [0])
        await hf.hr.write(1, [0])
        await hf.set("flow", 404.17)

    with Daemon(CONF) as d:
        hf = holdfast.AsyncClient(d.endpoint)
        asyncio.run(watch(d, hf))
        asyncio.run(watch(d, hf))  # in another loop


# ---- keys ----

def test_curve_keys_open_what_their_role_allows():
    """tcp with CURVE: roles, refused keys, keys in files"""
    with tempfile.TemporaryDirectory() as files:
        keys = curve_files(files)
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        server = keys["server"][0].decode()
        conf = dict(CONF, control={"listen": [endpoint], "curve": {
            "secret_key": f"{files}/server.key",
            "authorized": f"{files}/clients"}})
        with Daemon(conf) as d:
            with open(f"{files}/server.pub", "w") as f:
                f.write(f'curve\n    public-key = "{server}"\n')
            with holdfast.Client(endpoint, key=f"{files}/operate.key",
                                 server_key=f"{files}/server.pub") as hf:
                hf.hr[0:100] = range(100)
                assert hf.hr[0:100] == list(range(100))
                e = refused(holdfast.Denied, hf.reload)
                assert e.code == -32002 and e.reason == "role"
                hf2 = holdfast.Client(
                    endpoint, key=f"{files}/operate.key", server_key=server,
                    events=d.events_endpoint)
                refused(ValueError, hf.watch, "hr:0")
            with holdfast.Client(endpoint, server_key=server,
                                 key=keys["read"][1].decode()) as hf:
                assert hf.hr[5] == 5
                refused(holdfast.Denied, hf.hr.write, 0, [1])
            for how in ({"key": f"{files}/stranger.key",
                         "server_key": server}, {},
                        {"key": f"{files}/admin.key",
                         "server_key": keys["admin"][0].decode()}):
                stranger = "stranger" in how.get("key", "")  # is told so
                with holdfast.Client(endpoint, timeout=60 if stranger else 3,
                                     **how) as hf:
                    try:
                        hf.ping()
                        raise AssertionError(f"{how} was let in")
                    except holdfast.Unreachable as e:
                        if stranger:
                            assert type(e) is holdfast.KeyRefused, repr(e)
            refused(ValueError, holdfast.Client, endpoint, key="x" * 40)
            refused(ValueError, holdfast.Client, endpoint,
                    key=__file__, server_key=server)
            done = command(d, "-s", endpoint, "--key",
                           f"{files}/read.key", "--server-key", server,
                           "-o", "raw", "get", "hr:7")
            assert done.stdout == "7\n", done
            done = command(d, "-s", endpoint, "--key",
                           f"{files}/stranger.key", "--server-key", server,
                           "ping")
            assert done.returncode == 1, done
            # a key may begin with a dash
            done = command(d, "-s", endpoint, "--key", f"{files}/read.key",
                           "-t", "0.5", "--server-key", "-" * 40, "ping")
            assert done.returncode in (1, 69), done
            hf2.close()


if __name__ == "__main__":
    sysutil.run()
