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
                              capture_output=True, text=True, timeout=200)

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
        input=text, capture_output=True, text=True, timeout=300)
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
        assert "device plc1\tchanged" in holdfast(d, "reload")
        p.write(HEAD + "hr,100,,,x\n")
        assert "plc1.csv:2:10: type uint16" in holdfast(d, "reload", code=1)


# ---- names in place of addresses ----

NAMED = (HEAD +
         "hr,100,float32,cdab,1.5,flow,m3/h,,,\n"
         "hr,110,int16,,215,supply,degC,0.1,,\n"
         "hr,120+3,,,1 2 3,levels,,,,\n"
         "hr,130+4,string,,hello,label,,,,\n"
         "hr,140,bits,,5,flags,,,,\n"
         "co,5+2,,,1 0,pumps,,,,\n"
         "hr,150,,,,both,,,,\nhr,151,,,,both,,,,\n")
OTHER = {"plc2": {"holding_registers": [
    {"addr": 9, "name": "flow", "value": 3},
    {"addr": 10, "name": "level", "value": 4}]}}


def test_a_name_is_as_good_as_an_address():
    """get, set and watch take names, all of a range"""
    with Place(NAMED) as p, p.daemon() as d:
        assert holdfast(d, "get", "flow", "plc1/supply", "levels", "label",
                        "pumps") == (
            "plc1/hr:100\t1.5\nplc1/hr:110\t215\nplc1/hr:120\t1\n"
            "plc1/hr:121\t2\nplc1/hr:122\t3\nplc1/hr:130\thello\n"
            "plc1/co:5\t1\nplc1/co:6\t0\n")
        assert len(holdfast(d, "get", "flags").splitlines()) == 16
        shown = holdfast(d, "-o", "table", "get", "supply").splitlines()
        assert shown[1].split() == [
            "plc1/hr:110", "215", "supply", "0.1", "degC"], shown
        holdfast(d, "set", "flow", "-2.25")
        holdfast(d, "set", "levels", 7, 8, 9)
        holdfast(d, "set", "plc1/label", "bye")
        holdfast(d, "set", "pumps", "off", "on")
        assert holdfast(d, "-o", "raw", "get", "hr:100:float32:cdab",
                        "hr:120+3", "label", "co:5+2") == (
            "-2.25\n7\n8\n9\nbye\n0\n1\n")
        assert "2 values" in holdfast(d, "set", "levels", 1, 2, code=1)


def test_a_scale_is_applied_when_it_is_asked_for():
    """--scaled shows, takes and follows values in their unit"""
    with Place(NAMED) as p, p.daemon() as d:
        assert holdfast(d, "get", "-S", "supply", "hr:110", "hr:110+1:int16",
                        "flow") == (
            "plc1/hr:110\t21.5\nhr:110\t21.5\nhr:110\t21.5\n"
            "plc1/hr:100\t1.5\n")
        shown = holdfast(d, "-o", "table", "get", "--scaled", "supply")
        assert shown.splitlines()[1].split() == [
            "plc1/hr:110", "21.5", "supply", "degC"], shown
        holdfast(d, "set", "-S", "supply", "-3.14")
        assert holdfast(d, "-o", "raw", "get", "supply") == "-31\n"
        holdfast(d, "set", "-S", "plc1/hr:110:int16", "22.26")
        assert holdfast(d, "-o", "raw", "get", "supply") == "223\n"
        assert "int16" in holdfast(d, "set", "-S", "supply", "1e9", code=1)
        assert "json" in holdfast(d, "-o", "json", "get", "-S", "supply",
                                  code=64)
        with subprocess.Popen(
                [os.path.join(BUILD, "holdfast"), "-o", "raw", "watch", "-S",
                 "supply"], env=d.env, stdout=subprocess.PIPE) as watch:
            os.set_blocking(watch.stdout.fileno(), False)
            said, n = "", 0
            while not said:
                n += 1
                holdfast(d, "set", "supply", n)
                said = (watch.stdout.read() or b"").decode()
            assert said.startswith("plc1/hr:110\t"), said
            assert float(said.split()[1]) * 10 <= n, (said, n)
            assert "." in said or n >= 10, said
            watch.terminate()


def test_a_name_must_be_one():
    """names that are not there, or there twice, are told with what is"""
    with Place(NAMED, more=OTHER) as p, p.daemon() as d:
        assert holdfast(d, "get", "supply", "level") == (
            "plc1/hr:110\t215\nplc2/hr:10\t4\n")
        told = holdfast(d, "get", "flow", code=1)
        assert "2 ranges are called so: plc1/hr:100, plc2/hr:9" in told, told
        assert holdfast(d, "get", "plc2/flow") == "plc2/hr:9\t3\n"
        told = holdfast(d, "get", "suply", code=1)
        assert 'nothing is called "suply"; did you mean "supply"?' in told
        told = holdfast(d, "set", "plc2/supply", 1, code=1)
        assert 'nothing is called "supply"' in told, told
        assert "did you mean \"plc1\"" in holdfast(
            d, "get", "plc3/flow", code=1)
        assert "both" in holdfast(d, "get", "plc1/both", code=1)
        assert 'nothing is called "xr"' in holdfast(d, "watch", "xr", code=1)
        assert "an address is" in holdfast(d, "get", "hr", code=64)


# ---- export and import ----

def rows(text):
    return list(csv.DictReader(text.splitlines()))


def test_what_is_exported_is_the_map_and_what_is_in_it_now():
    """a line for each range, with the values that it has at the moment"""
    with Place(MAP) as p, p.daemon() as d:
        holdfast(d, "set", "flow", "99.5")
        holdfast(d, "set", "hr:3", "4", "4", "5")
        text = holdfast(d, "export")
        assert text.startswith(HEAD), text
        found = {(r["table"], r["addr"]): r for r in rows(text)}
        assert found["hr", "100"] == {
            "table": "hr", "addr": "100", "type": "float32", "order": "cdab",
            "value": "99.5", "name": "flow", "unit": "m3/h", "scale": "",
            "access": "", "action": ""}
        assert [(r["addr"], r["value"]) for r in rows(text)
                if r["table"] == "hr" and int(r["addr"].split("+")[0]) < 10
                ] == [("0+3", "0"), ("3+2", "4"), ("5", "5"), ("6+4", "0")]
        assert found["hr", "120+4"]["value"] == 'say "hi"', found
        assert found["hr", "130+2"]["value"] == "70000"
        assert found["hr", "110"]["value"] == "7" and \
            found["hr", "110"]["scale"] == "0.1" and \
            found["hr", "110"]["access"] == "ro"
        assert found["co", "5"]["value"] == "1"
        assert [r["value"] for r in rows(text) if r["table"] == "di"] == [
            "1", "0", "1", "0"]
        assert found["ir", "0"]["action"].startswith("increment")
        told = json.loads(holdfast(d, "-o", "json", "export", "plc1"))
        flow, = [r for r in told if r["name"] == "flow"]
        assert flow["values"] == [99.5] and flow["addr"] == 100


def test_an_export_is_a_map_that_makes_the_same_device():
    """what a daemon exports another takes as its map, and exports the same"""
    with Place(MAP + "hr,300+4,,,1 2 3 4,\"a, \"\"b\"\"\"\n"
               "hr,310,float64,,NaN\nhr,314,int64,,-9223372036854775808\n"
               "hr,320,uint64,dcba,18446744073709551615\n"
               "hr,330,bits,,0xa5a5\nhr,340,float32,,0.1\n"
               "hr,350+3,string,,\" # x\"\n"
               ) as p, p.daemon() as d:
        text = holdfast(d, "export")
    with Place(text, native=[]) as p, p.daemon() as d:
        assert holdfast(d, "export") == text
        assert holdfast(d, "get", "hr:320:uint64:dcba", "hr:340") == (
            "hr:320\t18446744073709551615\nhr:340\t0.1\n")


def test_an_export_to_a_file_is_whole_or_not():
    """FILE appears at once; a directory that is not there is 73"""
    with Place(MAP) as p, p.daemon() as d:
        there = os.path.join(p.dir, "out.csv")
        holdfast(d, "export", "plc1", there)
        with open(there) as f:
            assert f.read() == holdfast(d, "export", "-")
        assert os.stat(there).st_mode & 0o777 == 0o666 & ~umask()
        assert sorted(os.listdir(p.dir)) == [
            "holdfast.json", "out.csv", "plc1.csv"]
        assert "cannot write" in holdfast(
            d, "export", p.dir + "/none/x.csv", code=73)
        assert "two devices" in holdfast(d, "export", "a", "b", code=64)
        assert "did you mean" in holdfast(d, "export", "plc2", code=1)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_import_writes_the_values_and_nothing_else():
    """values of a map go in; lines without one are left; ro is no hindrance"""
    with Place(MAP) as p, p.daemon() as d, Modbus(d.port("tcp1")) as m:
        holdfast(d, "set", "hr:5", "55")
        new = os.path.join(p.dir, "new.csv")
        with open(new, "w") as f:
            f.write(HEAD + "hr,100,float32,cdab,-7.25\nhr,110,int16,,-3\n"
                    "hr,5,,,\nco,5,,,off\ndi,1+3,,,0 1 1\n")
        assert holdfast(d, "import", "--dry-run", new) == (  # no terminal
            "would write 7 registers and bits of plc1, in 1 step\n")
        assert m.read_hr(100, 2) == [0, 0x3fc0]
        told = json.loads(holdfast(d, "-o", "json", "import", new, "plc1"))
        assert told == {"device": "plc1", "written": 7, "unfit": 0,
                        "steps": 1, "dry_run": False}
        assert holdfast(d, "get", "hr:100:float32:cdab", "hr:110:int16",
                        "hr:5", "co:5", "di:0+4") == (
            "hr:100\t-7.25\nhr:110\t-3\nhr:5\t55\nco:5\t0\n"
            "di:0\t1\ndi:1\t0\ndi:2\t1\ndi:3\t1\n")
        # from standard input, what was exported
        holdfast(d, "import", "-", text=holdfast(d, "export"))


def test_an_import_that_does_not_fit_changes_nothing():
    """what does not fit is told, and nothing is written but with --force"""
    with Place(MAP) as p, p.daemon() as d:
        new = os.path.join(p.dir, "new.csv")
        with open(new, "w") as f:
            f.write(HEAD + "hr,0,,,9\nhr,9+2,,,1 2\nhr,500,,,1,pump\n"
                    "hr,100+50,,,1\n")
        told = holdfast(d, "import", new, code=1)
        assert "plc1/hr:9+2 does not fit: plc1 has no address 10" in told
        assert "plc1/hr:500+1 (pump) does not fit" in told, told
        assert "plc1/hr:100+50 does not fit: plc1 has no address 102" in told
        assert "nothing is written" in told
        assert holdfast(d, "-o", "raw", "get", "hr:0", "hr:9") == "0\n0\n"
        holdfast(d, "import", "--force", new)
        assert holdfast(d, "-o", "raw", "get", "hr:0", "hr:9") == "9\n0\n"
        with open(new, "a") as f:
            f.write("hr,x\n")
        assert "new.csv:6:4: " in holdfast(d, "import", new, code=78)
        assert "cannot read" in holdfast(d, "import", "none.csv", code=66)


def test_a_long_import_takes_several_steps_and_says_so():
    """8192 bytes go into one step"""
    with Place(HEAD, native=[{"addr": 0, "count": 10000},
                             {"addr": 20000, "count": 200}]
               ) as p, p.daemon() as d:
        assert holdfast(d, "import", "-", text=HEAD + "hr,0+4096,,,7\n") == ""
        done = d.cli("-o", "table", "import", "-", input=(
            HEAD + "hr,0+10000,,,8\n" + "".join(
                f"hr,{a},,,{a}\n" for a in range(20000, 20200, 2))))
        assert "in 4 steps" in done.stdout, done
        assert "it was 4, each all or nothing" in done.stderr, done
        with Modbus(d.port("tcp1")) as m:
            for a in (0, 4095, 4096, 9990):
                assert m.read_hr(a, 10) == [8] * 10 or a > 9990
            assert m.read_hr(20000, 4) == [20000, 0, 20002, 0]
        done = d.cli("export")
        assert "read in" in done.stderr and "0+10000" in done.stdout, done


if __name__ == "__main__":
    sysutil.run()
