#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Register maps as CSV files: served, refused with their places, written from
a running daemon and read back into one."""

import contextlib
import csv
import json
import os
import shutil
import subprocess
import tempfile

import sysutil
from sysutil import BUILD, Daemon, Modbus

DAEMON = os.path.join(BUILD, "holdfastd")
HEAD = "table,addr,type,order,value,name,unit,scale,access,action\n"
NATIVE = [{"addr": 0, "count": 10}]


class Place:
    """A directory with a configuration and its map."""

    def __init__(self, text, native=NATIVE, more=None):
        self.dir = tempfile.mkdtemp(prefix="hf-map-")
        self.conf = os.path.join(self.dir, "holdfast.json")
        self.csv = os.path.join(self.dir, "plc1.csv")
        self.write(text)
        devices = {"plc1": {"holding_registers": native, "map": "plc1.csv"},
                   **(more or {})}
        with open(self.conf, "w") as f:
            json.dump({
                "store": {"name": sysutil.unique_store()},
                "devices": devices,
                "transports": {"tcp1": {
                    "type": "tcp", "listen": "127.0.0.1:0",
                    "units": {str(i + 1): n for i, n in
                              enumerate(devices)}}}}, f)

    def write(self, text):
        with open(self.csv, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def check(self, *args):
        return subprocess.run([DAEMON, *(args or ["-t"]), "-c", self.conf],
                              capture_output=True, text=True, timeout=20)

    def mistakes(self):
        done = self.check()
        assert done.returncode == 78, done
        return [line.replace(self.dir + "/", "")
                for line in done.stderr.splitlines()]

    @contextlib.contextmanager
    def daemon(self):
        d = Daemon(self.conf)
        with open(self.conf) as f:
            d.store = json.load(f)["store"]["name"]
        with d:
            yield d

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)


def holdfast(d, *args, text=None, code=0):
    """What the command says; with another code than 0, its complaint."""
    done = subprocess.run(
        [os.path.join(BUILD, "holdfast"), *map(str, args)], env=d.env,
        input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done
    return done.stderr if code else done.stdout


# ---- the key "map" ----

MAP = (HEAD +
       "hr,100,float32,cdab,1.5,flow,m3/h,,,\n"
       "hr,110+3,int16,,7 -8 0x10,,,0.1,ro,\n"
       "hr,120,string,,\"say \"\"hi\"\"\",label\n"
       "hr,130+2,uint32,,70000\n"
       "hr,140,,,\"[1, 2]\"\n"
       "co,5,,,on,pump\n"
       "di,0+4,,,1 0 on off\n"
       "ir,0,,,7,,,,,\"increment(minval=3, maxval=9)\"\n"
       "ir,1,,,,,,,,\"{\"\"name\"\": \"\"increment\"\", \"\"maxval\"\": 5}\"\n"
       "ir,2,,,,,,,,uptime\n")


def test_ranges_of_a_map_are_served():
    """what a map says is in the registers, beside what the configuration
    says"""
    with Place(MAP) as p, p.daemon() as d, Modbus(d.port("tcp1")) as m:
        assert m.read_hr(0, 10) == [0] * 10
        assert m.read_hr(100, 2) == [0, 0x3fc0]
        assert m.read_hr(110, 3) == [7, 0xfff8, 16]
        assert m.read_hr(120, 4) == [0x7361, 0x7920, 0x2268, 0x6922]
        assert m.read_hr(130, 4) == [1, 4464, 1, 4464]
        assert m.read_hr(140, 2) == [1, 2]
        told = json.loads(holdfast(d, "-o", "json", "get", "co:5", "di:0+4"
                                   ).splitlines()[1])
        assert told["values"] == [1, 0, 1, 0]
        shown = json.loads(holdfast(
            d, "call", "registers.describe", '{"table": "hr"}'))
        flow, = [r for r in shown if r["addr"] == 100]
        assert (flow["name"], flow["unit"], flow["order"]) == (
            "flow", "m3/h", "cdab")
        assert [r["access"] for r in shown if r["addr"] == 110] == ["ro"]


def test_other_programs_write_maps_otherwise():
    """semicolons, CRLF, a byte order mark, comments, columns in any order"""
    text = ("\ufeff# Werte; Anlage 1\r\n\r\nname;Value;ADDR;table\r\n"
            "Vorlauf;17;200;holding_registers\r\n;;;\r\n"
            " # und\r\n\"a;b\";18;0xc9;hr\r\n")
    with Place(text) as p, p.daemon() as d, Modbus(d.port("tcp1")) as m:
        assert m.read_hr(200, 2) == [17, 18]
        assert '"a;b"' in p.check("-T").stdout


def test_mistakes_are_told_with_their_place():
    """FILE:LINE:COL of the field, all of them at once"""
    lines = (
        "hx,1,,\n", "hr,,,\n", "hr,1x,,\n", "hr,20+,,\n", "hr,21,flaot32\n",
        "hr,22,uint16,,70000\n", "hr,23,,,1 b\n", "co,24,,,2\n",
        "hr,25,,,,,,0\n", "hr,26,,,,,,,rx\n", "hr,27,,,,,,,,up(\n",
        "hr,28,,,,,,,,{\n", "hr,29,,,,,,,,,more\n", "hr,65530+9\n",
        "hr,30+2,,,1 2 3\n", "hr,9+2\n", "hr,40+2\n", "hr,41\n",
        ",50\n", "co,3,,abcd\n")
    wanted = (
        '2:1: there is no table "hx"', '3:1: "addr" is missing',
        '4:4: "addr" is an address', '5:4: behind "+"',
        '6:7: unknown type "flaot32"', "7:15: 70000 does not fit",
        '8:9: type uint16 takes a whole number, not "b"',
        "9:9: a bit is 0, 1, true or false, not 2",
        '10:12: "scale" must not be 0', '11:13: unknown access "rx"',
        "12:14: an action is written", "13:14: in this field",
        "14:15: more fields", "15:4: addresses 65530 to 65538",
        "16:11: too many values",
        "17:1: holding_registers 9 to 9 overlap the range at holdfast.json:1:",
        "19:1: holding_registers 41 to 41 overlap the range at 18:1",
        '20:1: "table" is empty', '21:7: "order" does not apply')
    with Place(HEAD + "".join(lines)) as p:
        told = p.mistakes()
        for line, want in zip(told, wanted):
            assert line.startswith("plc1.csv:" + want), (line, want)
        assert len(told) == len(wanted), told


def test_a_header_must_be_right():
    """unknown, double and missing columns; text that is no CSV"""
    for text, want in (
            ("", "1:1: the map is empty; its first line names the columns"),
            ("# nothing\n", "1:1: the map is empty"),
            ("table,addr,tipe\n", '1:12: a map has no column "tipe"; did you '
             'mean "type"?'),
            ("table,addr,addr\n", '1:12: the column "addr" is there already'),
            ("addr,type\n", '1:1: the first line names the columns; "table" '
             "is missing"),
            (HEAD + 'hr,1,"\n', "2:6: this quote is never closed"),
            (HEAD.encode() + b"hr,1,,,,m\xb3\n", "2:10: this is no UTF-8")):
        with Place(text) as p:
            told = p.mistakes()
            assert len(told) == 1 and told[0].startswith(
                "plc1.csv:" + want), (told, want)
    with Place(HEAD) as p:
        os.unlink(p.csv)
        told, = p.mistakes()
        assert told.startswith("holdfast.json:1:") and \
            "cannot read the map" in told, told


def test_the_dump_holds_what_the_map_says():
    """holdfastd -T is a configuration of one file, and says the same"""
    with Place(MAP) as p:
        once = p.check("-T").stdout
        assert '"map"' not in once
        with open(p.conf, "w") as f:
            f.write(once)
        os.unlink(p.csv)
        assert p.check("-T").stdout == once


def test_a_reload_sees_a_changed_map():
    """a map is part of the configuration"""
    with Place(HEAD + "hr,100\n") as p, p.daemon() as d:
        assert holdfast(d, "reload") == ""
        p.write(HEAD + "hr,100,,,5\n")
        assert "changed" in holdfast(d, "reload", code=1)
        p.write(HEAD + "hr,100,,,x\n")
        assert "plc1.csv:2:10: type uint16" in holdfast(d, "reload", code=1)


if __name__ == "__main__":
    sysutil.run()
