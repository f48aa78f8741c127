#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests whose worker is killed each time, hangs or ends, and transports of
several workers: nobody else pays for it more than once, whichever worker it
comes to.
"""
import json
import os
import signal
import socket
import sys

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from everything import Everything  # noqa: E402
from peers import fc6  # noqa: E402
from sys_poison import (  # noqa: E402
    ABRT, AT_ONCE, EXIT, EXIT_CONFIG, FINE, HANG, KILL, PLUGIN, READ, REFUSED,
    SEGV, TOP, Crowd, answer, ask, conf, died, host, lines, peer, refused,
    stats, tcp1,
    udp_conf, up_again)
from sys_plugin import compiled  # noqa: E402
from sys_policy import Client  # noqa: E402
from sysutil import Daemon, wait_for  # noqa: E402

KILLS, KILLS_GONE = 5, 3
WORKERS = 3


def ended_by(d, source, pdu):
    """A client asks for that, and its connection ends."""
    with Client(d, source) as c:
        c.send(c.adu(pdu))
        assert c.closed()


def test_whose_worker_is_killed_each_time():
    """a request whose worker is killed by SIGKILL each time, as for want of
    memory, is answered 04 after five; nobody else's is lost"""
    with Daemon(conf()) as d, Crowd(d.port("tcp1")) as crowd, Client(d) as c:
        pdus = [ask(FINE, 1), ask(KILL), fc6(0, 7)]
        c.send(b"".join(c.adu(p) for p in pdus))
        assert [c.receive()[2] for _ in pdus] == [answer(1), REFUSED, pdus[2]]
        died(d, "tcp1", KILLS)
        [line] = lines(d, "refused")
        assert "by=kill" in line and 'plugin="poison.so"' in line, line
        assert lines(d, "again") == []
        with Client(d, "127.0.0.3") as other:
            assert other.request(ask(KILL)) == REFUSED
        s = stats(d)
        assert (s["fatal"], s["poisoned"]) == (1, 2), s
        asked = crowd.asked
        wait_for(lambda: crowd.errors or crowd.asked > asked + 100)
        assert not crowd.errors, crowd.errors
        died(d, "tcp1", KILLS)


def test_kills_without_a_memory():
    """so it is with a quarantine_s of 0, as far as what is in hand goes"""
    with Daemon(conf(quarantine_s=0)) as d, Client(d) as c:
        assert c.request(ask(KILL)) == REFUSED
        died(d, "tcp1", KILLS)
        assert c.read_hr(0, 1) == [0]


def test_killed_and_its_client_has_gone():
    """a request whose client has closed its connection is dropped after three
    workers were killed with it"""
    c = dict(conf(), hang_timeout_ms=60000)  # who is stopped is let be
    with Daemon(c) as d, Crowd(d.port("tcp1")) as crowd:
        pid = d.worker_pid("tcp1")
        os.kill(pid, signal.SIGSTOP)
        with Client(d) as c:
            c.send(c.adu(ask(KILL)))
            c.socket.shutdown(socket.SHUT_WR)
            os.kill(pid, signal.SIGCONT)
            assert c.closed()
        died(d, "tcp1", KILLS_GONE)
        asked = crowd.asked
        wait_for(lambda: crowd.errors or crowd.asked > asked + 100)
        assert not crowd.errors, crowd.errors
        died(d, "tcp1", KILLS_GONE)


def test_a_datagram_whose_worker_is_killed_each_time():
    """over UDP it is answered 04 after five, too"""
    with Daemon(udp_conf()) as d, peer(d, "127.0.0.2") as a, \
            peer(d, "127.0.0.3") as b:
        a.ask(ask(KILL))
        assert a.receive(30)[2] == REFUSED
        assert b.request(ask(KILL)) == REFUSED
        assert a.request(READ) == b"\3\2\0\0"
        died(d, "udp1", KILLS)


def test_killed_where_nobody_goes_on():
    """over TLS, and on a line, the same one that is asked for again is answered
    04 once five workers in a row were killed with it"""
    for pair in (("tls", "socket"), ("line", "rtu")):
        with Everything(pairs=[pair], plugins=[compiled(PLUGIN)],
                        options={"hook": "1"}) as e:
            kill_in_a_row(e, pair)


test_killed_where_nobody_goes_on.seconds = 120


def kill_in_a_row(e, pair):
    d, name = e.daemon, "-".join(pair)
    for n in range(KILLS):
        with e.open(*pair) as m:
            # what else is asked does not end the row
            assert m.ask(1, fc6(7, n)) == fc6(7, n)
            m.send(1, fc6(5, 0xcafe))
            wait_for(lambda: up_again(d, name, n + 1), 20)
    with e.open(*pair) as m:
        assert m.ask(1, fc6(5, 0xcafe)) == b"\x86\4"
    died(d, name, KILLS)


def test_killed_at_the_same_request_by_somebody_else():
    """a row ends as the request is carried out: who is killed as often as that
    from outside, always with the same one in hand, blames nobody"""
    mark, pdu = os.path.join(TOP.name, "kill-once"), fc6(5, 0xcaf0)
    for pair in (("tls", "socket"), ("line", "rtu")):
        with Everything(pairs=[pair], plugins=[compiled(PLUGIN)],
                        options={"once": mark, "hook": "1"},
                        restart=AT_ONCE) as e:
            d, name = e.daemon, "-".join(pair)
            for n in range(3 * KILLS):
                with open(mark, "w"):
                    pass
                os.chmod(mark, 0o666)
                with e.open(*pair) as m:
                    m.send(1, pdu)
                    wait_for(lambda: up_again(d, name, n + 1), 20)
                with e.open(*pair) as m:
                    assert m.ask(1, pdu) == pdu, n


test_killed_at_the_same_request_by_somebody_else.seconds = 120


def everybody_is_refused(d, pdu):
    """Whichever worker they come to."""
    for n in range(8 * WORKERS):
        with Client(d, host(n)) as c:
            assert c.request(pdu) == REFUSED, n
            assert c.request(READ) == b"\3\2\0\0"


def test_what_one_worker_has_died_of_no_other_does():
    """with several workers the same request kills two of them in all, whoever
    asks and whichever it comes to: by a fault, an exit or a hang"""
    for how in (SEGV, EXIT, HANG):
        with Daemon(conf(workers=WORKERS)) as d:
            if how == SEGV:
                with Client(d) as c:
                    assert c.request(ask(how)) == REFUSED
            else:
                ended_by(d, "127.0.0.2", ask(how))
                ended_by(d, "127.0.0.3", ask(how))
            died(d, "tcp1", 2)
            everybody_is_refused(d, ask(how))
            died(d, "tcp1", 2)


def test_hosts_that_ask_for_the_same():
    """what one host's request has killed a worker with by an exit, and then
    another host's, is answered 04 from then on"""
    with Daemon(conf()) as d:
        ended_by(d, "127.0.0.2", ask(EXIT))
        ended_by(d, "127.0.0.3", ask(EXIT))
        with Client(d, "127.0.0.4") as c:
            assert c.request(ask(EXIT)) == REFUSED
        died(d, "tcp1", 2)


def test_a_second_request_does_not_have_the_first_forgotten():
    """a host that kills by one request and then by another is kept out, and
    what it has asked first is still answered 04 to all others"""
    with Daemon(conf()) as d:
        with Client(d) as c:
            assert c.request(ask(SEGV)) == REFUSED
            c.send(c.adu(ask(ABRT)))
            assert c.closed()
        died(d, "tcp1", 3)
        assert refused(d, "127.0.0.2")
        with Client(d, "127.0.0.3") as c:
            assert c.request(ask(SEGV)) == REFUSED
        died(d, "tcp1", 3)


def test_a_plugin_that_exits_as_if_misconfigured():
    """exit 78 of a worker that serves is a crash as any other: the transport
    goes on, also when it has just been told to start, and the request is known
    the second time"""
    with Daemon(conf()) as d:
        d.cli("start", "tcp1")
        for n in range(2):
            ended_by(d, "127.0.0.2", ask(EXIT_CONFIG))
            died(d, "tcp1", n + 1)
        with Client(d, "127.0.0.3") as c:
            assert c.request(ask(EXIT_CONFIG)) == REFUSED
            assert c.request(READ) == b"\3\2\0\0"
        assert tcp1(d)["state"] == "up"


def test_lists():
    """each request of a host has its row, which says whether it is kept out and
    whether that is answered 04 to everybody; units are told apart; lifting
    some goes on over one that is not there"""
    def deaf(unit):  # to whom 0x41 is asked is part of the request
        return c.adu(ask(EXIT), unit)

    with Daemon(conf()) as d:
        with Client(d) as c:
            assert c.request(ask(SEGV)) == REFUSED
            c.send(c.adu(ask(ABRT)))
            assert c.closed()
        died(d, "tcp1", 3)
        by = {q["pdu"]: (q["kept_out"], q["refused"], q["count"])
              for q in d.rpc("quarantine.list")}
        assert by == {ask(SEGV).hex(): (False, True, 2),
                      ask(ABRT).hex(): (True, False, 1)}, by
        table = d.cli("-o", "csv", "quarantine").stdout
        assert "127.0.0.2,tcp1,answered 04," in table, table
        assert "127.0.0.2,tcp1,kept out," in table, table
        for unit in (1, 2):
            for _ in range(2):
                with Client(d, f"127.0.0.{2 + unit}") as c:
                    c.send(deaf(unit))
                    assert c.closed()
        rows = [q for q in d.rpc("quarantine.list")
                if q["pdu"] == ask(EXIT).hex()]
        assert sorted((q["peer"], q["unit"]) for q in rows) == [
            ("127.0.0.3", 1), ("127.0.0.4", 2)], rows
        out = d.cli("-o", "json", "quarantine", "lift", "127.0.0.3",
                    "127.0.0.99", "127.0.0.2", ok=False)
        assert out.returncode == 1 and "127.0.0.99" in out.stderr, out
        assert json.loads(out.stdout) == {"lifted": 2}
        assert [q["peer"] for q in d.rpc("quarantine.list")] == ["127.0.0.4"]
        assert not refused(d, "127.0.0.2")


if __name__ == "__main__":
    sysutil.run()
