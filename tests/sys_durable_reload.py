#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Durable ranges that come, go and move while clients wait for the disk: what
was answered is on it, and whoever waited is answered."""

import json
import os
import select
import signal

import sysutil
from sys_durable import Disk, again, kill_all, pdu, silent
from sysutil import Modbus, free_port, wait_for


def edit(d, change):
    """Has the file say something else, and the daemon read it; does not wait
    for what comes of that."""
    with open(d.conf_path) as f:
        now = json.load(f)
    change(now)
    with open(d.conf_path, "w") as f:
        json.dump(now, f)
    d.signal(signal.SIGHUP)


def has_ended(pidfd):
    return bool(select.select([pidfd], [], [], 0)[0])


def test_a_device_that_comes_is_not_answered_for_by_who_does_not_know_it():
    """what saves for the former configuration keeps quiet; the next one has
    both devices"""
    with Disk() as disk, Modbus(disk.d.port("tcp1")) as m:
        d, port = disk.d, free_port()

        def add(c):
            c["devices"]["plc3"] = {"holding_registers": [
                {"addr": 0, "count": 10, "durable": True}]}
            c["transports"]["tcp3"] = {
                "type": "tcp", "listen": f"127.0.0.1:{port}",
                "units": {"1": "plc3"}}

        m.write_hr(100, 1)
        former = os.pidfd_open(d.child("persist"))
        disk.stands()
        m.send(m.adu(pdu(6, 100, 2)))
        edit(d, add)
        d.wait_stderr("persist restarting")
        with Modbus(port) as m3, Modbus(port) as other:
            m3.send(m3.adu(pdu(6, 3, 4)))
            wait_for(lambda: other.read_hr(3) == [4])
            # the next one is not born before the supervisor goes on
            os.kill(d.pid, signal.SIGSTOP)
            disk.runs()
            wait_for(lambda: has_ended(former))
            os.close(former)
            early = not silent(m3)
            os.kill(d.pid, signal.SIGCONT)
            assert m3.receive()[2] == pdu(6, 3, 4)
            assert m.receive()[2] == pdu(6, 100, 2)
            assert not early
        kill_all(d)
        again(d)
        with Modbus(d.port("tcp3")) as m3, Modbus(d.port("tcp1")) as m1:
            assert m3.read_hr(3) == [4]
            assert m1.read_hr(100) == [2]


def plain(c):
    """Nothing is durable, and memory is laid out anew."""
    for device in c["devices"].values():
        for table in device.values():
            if isinstance(table, list):
                for r in table:
                    r.pop("durable", None)
    c["transports"]["tcp1"]["trace_kib"] = 64


def test_all_who_wait_are_moved_though_nothing_is_durable_any_more():
    """however many they are, with a record each, into memory that is laid out
    anew: each is answered, once what he has written is on the disk"""
    with Disk() as disk:
        d, many = disk.d, 100
        with Modbus(d.port("tcp1")) as other:
            clients = [Modbus(d.port("tcp1")) for _ in range(many)]
            disk.stands()
            for i, m in enumerate(clients):
                m.send(m.adu(pdu(6, 2000 + i, i + 1)))
            wait_for(lambda: other.read_hr(2000, many) ==
                     list(range(1, many + 1)))
            edit(d, plain)
            d.wait_stderr("giving way to the next worker")
            assert silent(*clients)
            disk.runs()
            for i, m in enumerate(clients):
                assert m.receive()[2] == pdu(6, 2000 + i, i + 1)
                m.close()
            assert other.read_hr(2000, many) == list(range(1, many + 1))


def test_nobody_waits_in_vain_when_snapshots_are_switched_off():
    """what saves goes on for those who still wait, and then ends"""
    def off(c):
        plain(c)
        del c["store"]["snapshot"]

    with Disk() as disk, Modbus(disk.d.port("tcp1")) as m, \
            Modbus(disk.d.port("tcp1")) as other:
        disk.stands()
        m.send(m.adu(pdu(6, 100, 5)))
        wait_for(lambda: other.read_hr(100) == [5])
        edit(disk.d, off)
        disk.d.wait_stderr("giving way to the next worker")
        assert silent(m)
        disk.runs()
        assert m.receive()[2] == pdu(6, 100, 5)
        disk.d.wait_stderr("persist stopped")
        other.write_hr(100, 6)


def test_a_reply_that_is_late_too_outlives_its_worker():
    """put off by a fault rule and kept back for the disk, where records are
    few"""
    with Disk(tcp={"max_connections": 8}) as disk:
        d, many = disk.d, 7
        clients = [Modbus(d.port("tcp1")) for _ in range(many)]
        with Modbus(d.port("tcp1")) as other:
            d.rpc("faults.add", transport="tcp1", delay_ms=60000, fc=6)
            disk.stands()
            for i, m in enumerate(clients):
                m.send(m.adu(pdu(6, 2000 + i, i + 1)))
            wait_for(lambda: other.read_hr(2000, many) ==
                     list(range(1, many + 1)))
            edit(d, lambda c: c["transports"]["tcp1"].update(
                idle_timeout_s=1234))
            d.wait_stderr("giving way to the next worker")
            disk.runs()
            for i, m in enumerate(clients):
                assert m.receive()[2] == pdu(6, 2000 + i, i + 1)
                m.close()


if __name__ == "__main__":
    sysutil.run()
