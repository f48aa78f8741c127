#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers in a program: what the reference's server classes, starters and
stops can do, done with libholdfast; and what becomes of program and servers
when one of them ends, however it does."""

import sysutil
from embed_case import Program, Refused
from sysutil import Modbus


def test_start_async_tcp_server():
    """hf_start_async_tcp_server() returns once it listens; clients and the
    program see the same registers"""
    with Program() as p:
        srv = p.start("tcp")
        with Modbus(srv.port) as m:
            m.write_hr(7, [4711])
            assert p.int("get", "plc1", 3, 7) == 4711
            p.ask("set", "plc1", 3, 8, 815)
            assert m.read_hr(8) == [815]
            assert srv.status()["connections"] == 1
        assert srv.stop() == 0
        assert srv.status()["active"] == 0


def test_what_is_wrong_with_options_is_said():
    """a mistake in the options is refused with EINVAL and words that name the
    key"""
    wrong = [
        ({"framer": "ascci"}, 'did you mean "ascii"?'),
        ({"address": "nowhere"}, '"nowhere" is no address'),
        ({"more": '{"max_connections": 4001}'}, "4000 is the most"),
        ({"more": '{"listen": "127.0.0.1:0"}'}, 'is said by the options'),
        ({"size": 0}, "opts.size must be"),
        ({"size": 100000}, "newer version"),
    ]
    with Program() as p:
        for opts, words in wrong:
            try:
                p.start("tcp", **opts)
                assert False, opts
            except Refused as why:
                assert why.errno == "EINVAL" and words in why.words, why


if __name__ == "__main__":
    sysutil.run()
