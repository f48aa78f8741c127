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


if __name__ == "__main__":
    sysutil.run()
