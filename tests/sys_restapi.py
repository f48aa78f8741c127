#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pymodbus's simulator pages and REST, as its scripts and a browser without
scripts use them, and what a Modbus client sees of it."""

import http.client
import html.parser
import json
import re
import socket
import struct
import time
import urllib.parse

import sysutil
from http_case import address
from sysutil import Daemon, Modbus, ModbusError, wait_for

SETUP = {
    "server_list": {"server": {
        "comm": "tcp", "host": "127.0.0.1", "port": 0, "framer": "socket"}},
    "device_list": {"device": {
        "setup": {
            "co size": 300, "di size": 300, "hr size": 300, "ir size": 300,
            "shared blocks": True, "type exception": False,
            "defaults": {
                "value": {"bits": 0, "uint16": 0, "uint32": 0,
                          "float32": 0.0, "string": " "},
                "action": {"bits": None, "uint16": None, "uint32": None,
                           "float32": None, "string": None}}},
        "invalid": [1],
        "write": [5, [16, 19], [21, 26], [31, 36]],
        "bits": [5, {"addr": 6, "value": 1800}],
        "uint16": [
            {"addr": 16, "value": 3124}, {"addr": 17, "value": 5678},
            {"addr": [18, 19], "value": 14661},
            {"addr": 50, "value": 10, "action": "increment",
             "parameters": {"minval": 10, "maxval": 80}},
            {"addr": 51, "value": 1, "action": "random"}],
        "uint32": [{"addr": [21, 22], "value": 3124},
                   {"addr": [23, 24], "value": 617001}],
        "float32": [{"addr": [25, 26], "value": 5678.19}],
        "string": [{"addr": [31, 35], "value": "Str"},
                   {"addr": [36, 36], "value": "xy"}],
        "repeat": []}},
    "http": {"listen": "127.0.0.1:0"},
}

NATIVE = {
    "devices": {
        "plc1": {
            "coils": [{"addr": 0, "count": 40}],
            "discrete_inputs": [{"addr": 3, "count": 5,
                                 "values": [1, 0, 1, 0, 0]}],
            "input_registers": [{"addr": 0, "count": 8, "action": {
                "name": "increment", "minval": 0, "maxval": 99}}],
            "holding_registers": [
                {"addr": 0, "count": 10},
                {"addr": 20, "type": "float32", "value": 404.17,
                 "name": "flow", "unit": "m3/h"},
                {"addr": 22, "type": "uint32", "value": 617001},
                {"addr": 30, "count": 5, "type": "string",
                 "value": "<b>&\"'"},
                {"addr": 50, "type": "int64", "order": "cdab", "value": -5},
                {"addr": 60, "type": "int16", "value": -1},
                {"addr": 61, "type": "float64", "value": 1e300}]},
        "plc2": {"holding_registers": [{"addr": 7, "count": 2000,
                                        "value": 9}]}},
    "transports": {
        "tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                 "units": {"*": "plc1"}},
        "tcp2": {"type": "tcp", "listen": "127.0.0.1:0",
                 "units": {"*": "plc2"}}},
    "http": {"listen": "127.0.0.1:0"},
}
# where plc1's tables lie in its one array
CO, DI, HR, IR = 0, 3, 4, 69

REGISTER_TYPES = {"bits": 1, "uint16": 2, "uint32": 3, "float32": 4,
                  "string": 5, "next": 6, "invalid": 0}
REGISTER_ACTIONS = {"null": 0, "increment": 1, "random": 2, "reset": 3,
                    "timestamp": 4, "uptime": 5}
FUNCTIONS = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24,
             43]


class Answer:
    def __init__(self, reply):
        self.status = reply.status
        self.headers = reply.headers
        self.body = reply.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


class Web:
    """A program that asks the pages of a daemon; keeps no cookies."""

    def __init__(self, daemon):
        self.port = int(address(daemon)[1])

    def ask(self, method, path, body=None, headers={}):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=200)
        try:
            c.request(method, path, body, headers)
            return Answer(c.getresponse())
        finally:
            c.close()

    def get(self, path, headers={}, **form):
        if form:
            path += "?" + urllib.parse.urlencode(form)
        return self.ask("GET", path, headers=headers)

    def page(self, name, **form):
        """A page that must be fine; its text."""
        a = self.get("/api/" + name, **form)
        assert a.status == 200, (a.status, a.text)
        check_html(a.text)
        return a.text

    def post(self, path, body, status=200):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        a = self.ask("POST", path, body)
        assert a.status == status, (path, body, a.status, a.text)
        return a.json

    def registers(self, **body):
        return self.post("/restapi/registers", body)

    def calls(self, **body):
        return self.post("/restapi/calls", body)

    def rows(self, first, last=None, **body):
        last = first if last is None else last
        return self.registers(submit="Registers", range_start=first,
                              range_stop=last, **body)["register_rows"]

    def value(self, register, **body):
        return self.rows(register, **body)[0]["value"]


class Checker(html.parser.HTMLParser):
    """Every element ends where it should; fields have labels; nothing needs a
    script or has a style of its own."""
    VOID = {"meta", "link", "input", "br", "hr", "img"}

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        assert tag not in ("script", "style", "iframe"), tag
        assert not any(n.startswith("on") or n == "style" for n in names)
        assert len(names) == len(attrs), f"an attribute twice: {attrs}"
        if tag in ("input", "select") and names.get("type") != "hidden":
            assert "label" in self.open, f"{attrs} has no label"
        if tag == "th":
            assert names.get("scope") in ("row", "col"), attrs
        if tag == "form":
            assert names["method"] == "get" and "form" not in self.open
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()


def check_html(text):
    assert text.startswith("<!doctype html>\n<html lang=\"en\">"), text[:80]
    c = Checker()
    c.feed(text)
    c.close()
    assert not c.open, c.open
    assert c.seen.count("h1") == 1 and c.seen.count("title") == 1
    assert c.seen.count("main") == 1
    return text


def table(text, caption="Registers"):
    """The cells of a table's body, as text."""
    body = re.search(f"<caption>{caption}</caption>.*?<tbody>(.*?)</tbody>",
                     text, re.S)[1]
    return [[html.unescape(re.sub("<[^>]*>", "", c)) for c in re.findall(
        r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]


def pick(d, name="server"):
    return Modbus(d.port(name))


# ---- registers, as pymodbus has them ----

def test_documented():
    """the documented exchanges of the registers endpoint are answered so"""
    with Daemon(SETUP) as d:
        web = Web(d)
        answer = web.registers(submit="Registers", range_start=16,
                               range_stop=17)
        assert answer == {
            "result": "ok", "footer": "Operation completed successfully",
            "register_types": REGISTER_TYPES,
            "register_actions": REGISTER_ACTIONS,
            "register_rows": [
                {"index": "16", "type": "uint16", "access": "True",
                 "action": "none", "value": "3124", "count_read": "0",
                 "count_write": "0"},
                {"index": "17", "type": "uint16", "access": "True",
                 "action": "none", "value": "5678", "count_read": "0",
                 "count_write": "0"}]}, answer
        answer = web.registers(submit="Set", register=16, value=1234,
                               range_start=16, range_stop=16)
        assert answer["result"] == "ok"
        assert answer["register_rows"][0]["value"] == "1234"
        row, = web.rows(21)
        assert (row["index"], row["type"], row["value"]) == (
            "21-22", "uint32", "3124")
        answer = web.registers(submit="Registers", range_start=16,
                               range_end=17)
        assert [r["index"] for r in answer["register_rows"]] == ["16", "17"]
        # the word of the documents, and that of the pages
        for word in ("Register", "Registers"):
            answer = web.registers(range_start="16", submit=word)
            assert answer["register_rows"][0]["index"] == "16"


def test_types():
    """each type has its value, index, access and action"""
    with Daemon(SETUP) as d:
        web = Web(d)
        rows = {r["index"].split("-")[0]: r for r in web.rows(0, 60)}
        assert len(rows) == 61
        assert all(isinstance(v, str) for r in rows.values()
                   for v in r.values())
        for index, name, type_, access, action, value in (
                ("0", "0", "invalid", "False", "none", "0"),
                ("5", "5", "bits", "True", "none", "0x0"),
                ("6", "6", "bits", "False", "none", "0x708"),
                ("19", "19", "uint16", "True", "none", "14661"),
                ("22", "22", "next", "True", "none", "3124"),
                ("23", "23-24", "uint32", "True", "none", "617001"),
                ("25", "25-26", "float32", "True", "none",
                 "5678.18994140625"),
                ("31", "31-35", "string", "True", "none", "Str       "),
                ("36", "36", "string", "True", "none", "xy"),
                ("51", "51", "uint16", "False", "random", "1"),
                ("50", "50", "uint16", "False",
                 "increment({'minval': 10, 'maxval': 80})", "10")):
            row = rows[index]
            assert (row["index"], row["type"], row["access"], row["action"],
                    row["value"]) == (name, type_, access, action, value), row


def test_set_by_type():
    """what is set is set by its type, and a Modbus client reads it"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        for register, value, shown, words in (
                (16, 0, "0", [0]), (16, "0", "0", [0]),
                (17, 65535, "65535", [65535]), (5, "0x11", "0x11", [17]),
                (5, 3, "0x3", [3]), (21, 4294967295, "4294967295",
                                     [65535, 65535]),
                (21, "70000", "70000", [1, 4464]),
                (22, 5, "5", [5]),
                (25, 1.5, "1.5", [0x3fc0, 0]),
                (25, "-2", "-2.0", [0xc000, 0]),
                (25, "1e3", "1000.0", [0x447a, 0]),
                (31, "Hello", "Hello     ",
                 [0x4865, 0x6c6c, 0x6f20, 0x2020, 0x2020]),
                (36, "ab", "ab", [0x6162]),
                (6, 65535, "0xffff", [65535])):
            answer = web.registers(submit="Set", register=register,
                                   value=value, range_start=register,
                                   range_stop=register)
            assert answer["result"] == "ok"
            got = answer["register_rows"][0]["value"]
            assert got == shown, (register, value, got)
            assert m.read_hr(register, len(words)) == words
        # what says no value changes nothing, but may be about "writeable"
        web.registers(submit="Set", register=17, writeable=True)
        assert m.read_hr(17) == [65535]
        # without a range that which was set is shown
        answer = web.registers(submit="Set", register="18", value="7")
        assert answer["register_rows"][0]["index"] == "18"


def test_counts():
    """what clients read and write is counted, what the pages do is not"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        m.read_hr(16, 2)
        m.read_hr(17)
        m.write_hr(16, [1])
        web.rows(16, 17)
        rows = web.rows(16, 18)
        assert [(r["count_read"], r["count_write"]) for r in rows] == [
            ("1", "1"), ("2", "0"), ("0", "0")], rows
        assert web.value(16) == "1"


WRONG = [
    ("registers", {"submit": "Set"}, 400, "Missing register"),
    ("registers", {"submit": "Set", "register": ""}, 400,
     "Missing register"),
    ("registers", {"submit": "Set", "register": "x", "value": 1}, 400,
     "register must be an integer, not \"x\""),
    ("registers", {"submit": "Set", "register": 16, "value": "invalid"}, 400,
     "value must be an integer, not \"invalid\""),
    ("registers", {"submit": "Set", "register": 16, "value": 70000}, 400,
     "70000"),
    ("registers", {"submit": "Set", "register": 16, "value": -1}, 400, "-1"),
    ("registers", {"submit": "Set", "register": 16}, 400,
     "value is missing"),
    ("registers", {"submit": "Set", "register": 16, "value": None}, 400,
     "value is missing"),
    ("registers", {"submit": "Set", "register": 16, "value": " "}, 400,
     "value is missing"),
    ("registers", {"submit": "Set", "register": 31, "value": ""}, 400,
     "value is missing"),
    ("registers", {}, 400,
     "submit is missing; it may be Registers, Add, Clear, Set"),
    ("registers", {"submit": None}, 400, "submit is missing"),
    ("registers", {"submit": "", "range_start": 16}, 400,
     "submit is missing"),
    ("registers", {"submit": "Sett", "register": 16, "value": 1}, 400,
     'submit "Sett" is unknown; it may be Registers, Add'),
    ("registers", {"submit": "Download"}, 400, "is unknown"),
    ("calls", {}, 400, "submit is missing; it may be Calls, Add"),
    ("calls", {"submit": "simulate"}, 400, 'submit "simulate" is unknown'),
    ("log", {"submit": "Set"}, 400, "it may be Log, Clear, Monitor"),
    ("server", {"submit": "Reboot"}, 400, "it may be Server, Restart"),
    ("registers", {"submit": "Set", "register": 16, "value": True}, 400,
     "value"),
    ("registers", {"submit": "Set", "register": 16, "value": [1]}, 400,
     "value"),
    ("registers", {"submit": "Set", "register": 16, "value": "1.5"}, 400,
     "1.5"),
    ("registers", {"submit": "Set", "register": 21, "value": 4294967296},
     400, "4294967296"),
    ("registers", {"submit": "Set", "register": 5, "value": 65536}, 400,
     "65536"),
    ("registers", {"submit": "Set", "register": 25, "value": "abc"}, 400,
     "value must be a number, not \"abc\""),
    ("registers", {"submit": "Set", "register": 31, "value": "x" * 11}, 400,
     "11 bytes"),
    ("registers", {"submit": "Set", "register": 31, "value": 5}, 400,
     "value must be a string"),
    ("registers", {"submit": "Set", "register": 60, "value": 5}, 404,
     "register 60"),
    ("registers", {"submit": "Set", "register": 9999, "value": 5}, 404,
     "register 9999"),
    ("registers", {"submit": "Set", "register": -1, "value": 5}, 400, "-1"),
    ("registers", {"submit": "Set", "register": 6, "value": 5,
                   "writeable": True}, 409, "writable"),
    ("registers", {"submit": "Registers", "range_start": "x"}, 400,
     "range_start must be an integer"),
    ("registers", {"submit": "Registers", "range_start": 5,
                   "range_stop": 4}, 400, "before"),
    ("registers", {"submit": "Registers", "range_start": 300}, 404,
     "there is no register 300; device \"device\" has 0..299"),
    ("registers", {"submit": "Registers", "range_start": 0,
                   "range_stop": 300}, 404, "300"),
    ("registers", {"submit": "Registers", "range_start": -1}, 400, "-1"),
    ("registers", {"submit": 5}, 400, "submit must be a string"),
    ("registers", {"submit": "Registers", "device": "nobody"}, 404,
     "there is no device \"nobody\""),
    ("registers", [], 400, "JSON object"),
    ("registers", "null", 400, "JSON object"),
    ("registers", "", 400, "JSON object"),
    ("registers", "{\"submit\":", 400, "JSON object"),
    ("registers", b"\xff\xfe\x00", 400, "JSON object"),
    ("registers", "[" * 5000, 400, "JSON object"),
    ("registers", "{\"submit\":\"Set\",\"submit\":\"Set\"}", 400, "JSON"),
    ("calls", {"submit": "Simulate", "response_type": "1"}, 400,
     "response_error"),
    ("calls", {"submit": "Simulate"}, 400, "response_type is missing"),
    ("calls", {"submit": "Simulate", "response_type": 4}, 400,
     "response_type"),
    ("calls", {"submit": "Simulate", "response_type": "no"}, 400,
     "response_type"),
    ("calls", {"submit": "Simulate", "response_type": 1,
               "response_error": 256}, 400, "response_error"),
    ("calls", {"submit": "Simulate", "response_type": 0,
               "response_delay": -1}, 400, "response_delay"),
    ("calls", {"submit": "Simulate", "response_type": 0,
               "response_cr": "on", "response_cr_pct": 101}, 400,
     "response_cr_pct"),
    ("calls", {"submit": "Simulate", "response_type": 3,
               "response_junk_datalen": 100000}, 400,
     "response_junk_datalen"),
    ("calls", {"submit": "Simulate", "response_type": 2,
               "response_clear_after": "soon"}, 400,
     "response_clear_after"),
    ("calls", {"submit": "Monitor", "function": "many"}, 400, "function"),
    ("calls", {"submit": "Monitor", "range_start": "a"}, 400, "range_start"),
    ("calls", {"submit": "Calls", "server": "nobody"}, 404, "there is no server \"nobody\""),
    ("log", {"level": "loud"}, 400, "loud"),
    ("log", {"limit": 0}, 400, "limit"),
    ("server", {"server": "nobody"}, 404, "nobody"),
    ("server", {"submit": "Restart", "server": "nobody"}, 404, "nobody"),
    ("server", "x", 400, "JSON object"),
    ("nothing", {}, 404, "there is no such page"),
    ("Registers", {}, 404, "there is no such page"),
    ("registers/", {}, 404, "there is no such page"),
]


def test_wrong_on_pages():
    """a page says with its status, too, what was wrong; one that nothing is
    asked of shows"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        before = m.read_hr(16)
        for page, form, words in (
                ("registers", {"submit": "Sett", "register": 16,
                               "value": 1}, "is unknown"),
                ("registers", {"submit": "Set", "register": 16},
                 "value is missing"),
                ("registers", {"submit": "Set", "register": 16,
                               "value": ""}, "value is missing"),
                ("calls", {"submit": "Simulat"}, "is unknown"),
                ("log", {"submit": "Logs"}, "is unknown"),
                ("server", {"submit": "Reboot"}, "is unknown")):
            a = web.get("/api/" + page, **form)
            assert a.status == 400 and words in a.text, (form, a.status)
        assert m.read_hr(16) == before
        for page in ("registers", "calls", "log", "server"):
            assert web.get("/api/" + page).status == 200


def test_wrong():
    """what is wrong has a proper status and a sentence in the same shape"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        before = m.read_hr(16, 4) + m.read_hr(21, 6) + m.read_hr(31, 6)
        for prefix in ("/restapi/", "/api/"):
            for page, body, status, words in WRONG:
                answer = web.post(prefix + page, body, status)
                if words == "Missing register":
                    assert answer["result"] == answer["footer"] == words
                    continue
                assert set(answer) == {"result", "error"}, answer
                assert answer["result"] == "error"
                assert words in answer["error"], (body, answer)
        assert before == (m.read_hr(16, 4) + m.read_hr(21, 6) +
                          m.read_hr(31, 6))
        assert web.calls(submit="Calls")["simulation_action"] == ""
        for name in ("registers", "calls", "log", "server"):
            a = web.get("/restapi/" + name)
            assert a.status == 405 and a.headers["Allow"] == "POST"
            assert a.json["result"] == "error" and "POST" in a.json["error"]
        a = web.get("/restapi/nothing")
        assert a.status == 404 and a.json["result"] == "error"
        for method in ("PUT", "DELETE"):
            assert web.ask(method, "/restapi/registers").status in (405, 501)


def test_documented_post():
    """the documented POST /api/... answers as /restapi/... does"""
    with Daemon(SETUP) as d:
        web = Web(d)
        for name, body in (("registers", {"submit": "Registers",
                                          "range_start": 16}),
                           ("calls", {"submit": "Calls"})):
            assert web.post("/api/" + name, body) == web.post(
                "/restapi/" + name, body)


# ---- devices of ours, several of them ----

def test_native():
    """devices of our own are shown, table behind table, by their types"""
    with Daemon(NATIVE) as d:
        web = Web(d)
        answer = web.registers(submit="Registers", range_start=0,
                               range_stop=IR + 7)
        rows = {r["index"].split("-")[0]: r for r in answer["register_rows"]}
        assert answer["register_types"] == {
            **REGISTER_TYPES, "int16": 7, "int64": 10, "float64": 11}
        for at, index, type_, access, value in (
                (CO, "0", "bits", "True", "0x0"),
                (CO + 2, "2", "bits", "True", "0x0"),
                (DI, "3", "bits", "False", "0x28"),
                (IR, "69", "uint16", "False", "0"),
                (HR, "4", "uint16", "True", "0"),
                (HR + 10, "14", "invalid", "False", "0"),
                (HR + 20, "24-25", "float32", "True", "404.1700134277344"),
                (HR + 22, "26-27", "uint32", "True", "617001"),
                (HR + 30, "34-38", "string", "True", "<b>&\"'"),
                (HR + 50, "54-57", "int64", "True", "-5"),
                (HR + 60, "64", "int16", "True", "-1"),
                (HR + 61, "65-68", "float64", "True", "1e+300")):
            row = rows[str(at)]
            assert (row["index"], row["type"], row["access"],
                    row["value"]) == (index, type_, access, value), row
        assert rows[str(IR)]["action"] == (
            "increment({'minval': 0, 'maxval': 99})"), rows[str(IR)]
        web.post("/restapi/registers", {
            "submit": "Registers", "range_start": IR + 8}, 404)
        with pick(d, "tcp1") as m:
            for register, value, read, expect in (
                    (CO + 1, "0x8001", lambda: m.read_co(16, 16),
                     [1] + [0] * 14 + [1]),
                    (CO + 2, 255, lambda: m.read_co(32, 8), [1] * 8),
                    (DI, 0x10, lambda: m.read_di(3, 5), [0, 1, 0, 0, 0]),
                    (IR + 1, 5, lambda: m.read_ir(1), [6]),
                    (HR + 50, -2, lambda: m.read_hr(50, 4),
                     [0xfffe, 0xffff, 0xffff, 0xffff]),
                    (HR + 60, -32768, lambda: m.read_hr(60), [32768])):
                assert web.registers(submit="Set", register=register,
                                     value=value)["result"] == "ok"
                assert read() == expect, (register, read())
            # bits that there are not
            web.post("/restapi/registers", {
                "submit": "Set", "register": CO + 2, "value": 256}, 400)
            web.post("/restapi/registers", {
                "submit": "Set", "register": DI, "value": 4}, 400)
            assert m.read_co(32, 8) == [1] * 8


def test_several():
    """a device and a server are chosen by their names"""
    with Daemon(NATIVE) as d, pick(d, "tcp2") as m:
        web = Web(d)
        assert web.value(7) == "0"
        assert web.value(7, device="plc2") == "9"
        web.registers(submit="Set", register=7, value=11, device="plc2")
        assert m.read_hr(7) == [11]
        assert web.post("/restapi/server", {})["server"] == "tcp1"
        answer = web.post("/restapi/server", {"server": "tcp2"})
        assert answer["server"] == "tcp2" and answer["requests"] == 1
        page = web.page("registers", submit="Add", range_start=7,
                        range_stop=8, device="plc2")
        assert [r[0] for r in table(page)] == ["7", "8"]
        assert "name=\"device\"" in page and "plc1" in page
        # the other device has nothing of that
        page = web.page("registers", submit="Registers", device="plc1")
        assert table(page) == [] and "Nothing selected" in page
        page = web.page("server", submit="Server", server="tcp2")
        assert "tcp2" in page and "<option value=\"tcp2\" selected" in page
        a = web.get("/api/registers", device="nobody")
        assert a.status == 404
        check_html(a.text)


# ---- the registers page ----

def test_filter():
    """Add and Registers, by a script without cookies, work as in pymodbus"""
    with Daemon(SETUP) as d:
        web = Web(d)
        page = web.page("registers")
        assert table(page) == [] and "Nothing selected" in page
        assert "Result of last command: ok" in page
        page = web.page("registers", submit="Add", range_start="21",
                        range_stop="26", type=-1, action=-1)
        assert [r[0] for r in table(page)] == ["21-22", "23-24", "25-26"]
        web.page("registers", submit="Add", range_start="16")
        page = web.page("registers", submit="Registers")
        assert table(page)[0] == ["16", "uint16", "True", "none", "3124", "",
                                  "0", "0"]
        assert [r[0] for r in table(page)] == ["16", "21-22", "23-24",
                                               "25-26"]
        assert "4 register(s) monitored" in page, page
        # twice is once
        page = web.page("registers", submit="Add", range_start="16")
        assert len(table(page)) == 4
        page = web.page("registers", submit="Set", register=16, value=77)
        assert table(page)[0][4] == "77"
        page = web.page("registers", submit="Clear")
        assert table(page) == []
        for form, expect in (
                ({"type": 1}, ["5", "6"]),
                ({"type": 4, "writeable": "on"}, ["25-26"]),
                ({"action": 1}, ["50"]),
                ({"type": 1, "writeable": "on"}, ["5"]),
                ({"type": 2, "action": 0, "range_start": 17,
                  "range_stop": 60}, ["17", "18", "19"])):
            web.page("registers", submit="Clear")
            page = web.page("registers", submit="Add", **{
                "range_start": "", "range_stop": "", "type": -1,
                "action": -1, **form})
            assert [r[0] for r in table(page)] == expect, (form, expect)
        # also from the other page
        web.page("calls", submit="Clear")
        web.page("calls", submit="Add", range_start="17")
        assert [r[0] for r in table(web.page("registers"))] == ["17"]
        for form, status in (({"range_start": "x"}, 400),
                             ({"range_start": "300"}, 404),
                             ({"type": "x"}, 400)):
            a = web.get("/api/registers", submit="Add", **form)
            assert a.status == status
            check_html(a.text)
            assert "Result of last command: ok" not in a.text
            assert [r[0] for r in table(a.text)] == ["17"]


def test_filter_is_bounded():
    """a page shows a thousand registers and says that there are more"""
    with Daemon(NATIVE) as d:
        web = Web(d)
        page = web.page("registers", submit="Add", range_start="",
                        device="plc2")
        assert len(table(page)) == 1000
        assert "Max. filter size 1000 exceeded!" in page
        assert len(web.rows(0, 2006, device="plc2")) == 2007


def test_sessions():
    """browsers have what each has chosen, and go on with what was shown"""
    with Daemon(SETUP) as d:
        web = Web(d)
        browser = {"Accept": "text/html,*/*"}
        web.page("registers", submit="Add", range_start="16")
        a = web.get("/api/registers", browser)
        cookie = a.headers["Set-Cookie"]
        assert re.fullmatch(
            r"holdfast_sim=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Strict",
            cookie), cookie
        one = {**browser, "Cookie": "x=y; " + cookie.split(";")[0]}
        other = {**browser, "Cookie": web.get("/api/registers", browser)
                 .headers["Set-Cookie"].split(";")[0]}
        a = web.get("/api/registers", one, submit="Add", range_start="17")
        assert a.headers["Set-Cookie"] is None
        assert [r[0] for r in table(a.text)] == ["16", "17"]
        assert [r[0] for r in table(web.get(
            "/api/registers", other, submit="Registers").text)] == ["16"]
        assert [r[0] for r in table(web.page("registers"))] == ["16"]
        # as many as come: who was there longest ago makes room
        for _ in range(200):
            web.get("/api/log", browser)
        assert [r[0] for r in table(web.page("registers"))] == ["16"]
        for wrong in ("holdfast_sim=", "holdfast_sim=zz", "holdfast_sim=" +
                      "0" * 32, "holdfast_sim=" + "0" * 4000, ";;;="):
            assert web.get("/api/registers",
                           {"Cookie": wrong}).status == 200


def test_refresh():
    """a page that refreshes itself never does again what a button did"""
    with Daemon(SETUP) as d:
        web = Web(d)
        assert "http-equiv=\"refresh\"" not in web.page("registers")
        page = web.page("registers", submit="Set", register=16, value=5,
                        refresh=3)
        url = re.search(r'http-equiv="refresh" content="3;url=([^"]*)"',
                        page)[1]
        assert html.unescape(url) == (
            "/api/registers?submit=Registers&device=device"), url
        assert "content=\"3;url=" in web.page("log")
        assert "http-equiv" not in web.page("calls", refresh=0)
        for wrong in ("x", "-1", "999999"):
            a = web.get("/api/registers", refresh=wrong)
            assert a.status == 400 and "refresh" in a.text
            check_html(a.text)


# ---- calls ----

def test_calls_keys():
    """the calls endpoint has each key with its type"""
    with Daemon(SETUP) as d:
        answer = Web(d).calls(submit="Calls")
        codes = answer.pop("function_codes")
        assert [c["value"] for c in codes] == FUNCTIONS
        assert [c["text"] for c in codes] == [
            "read_coils", "read_discrete_input", "read_holding_registers",
            "read_input_registers", "write_coil", "write_register",
            "read_exception_status", "diagnostic_status",
            "get_event_counter", "get_event_log", "write_coils",
            "write_registers", "report_slave_id", "read_file_record",
            "write_file_record", "mask_write_register",
            "read_write_multiple_registers", "read_fifo_queue",
            "read_device_information"], "as they are documented"
        assert not any(c["selected"] for c in codes)
        assert "3 Read Holding Registers</option>" in Web(d).page("calls")
        errors = answer.pop("function_error")
        assert [e["value"] for e in errors] == [1, 2, 3, 4, 5, 6, 8, 10, 11]
        assert errors[5] == {"value": 6, "text": "SLAVE_BUSY",
                             "selected": False}
        assert answer == {
            "simulation_action": "", "range_start": None, "range_stop": None,
            "function_show_hex_checked": False,
            "function_show_decoded_checked": False,
            "function_response_normal_checked": False,
            "function_response_error_checked": False,
            "function_response_empty_checked": False,
            "function_response_junk_checked": False,
            "function_response_split_checked": False,
            "function_response_split_delay": 0,
            "function_response_cr_checked": False,
            "function_response_cr_pct": 0, "function_response_delay": 0,
            "function_response_junk": 10,
            "function_response_clear_after": 1, "call_rows": [],
            "foot": "not active", "result": "ok"}, answer


def test_monitor():
    """Monitor shows each call and its reply, the newest first"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        m.read_hr(16, 2)
        answer = web.calls(submit="Monitor", range_start="", range_stop="",
                           function=-1)
        assert answer["foot"] == "Monitoring active"
        assert answer["call_rows"] == [], "what was before is not shown"
        m.read_hr(16, 2)
        m.write_hr(17, [5, 6])
        try:
            m.read_hr(200)
        except ModbusError:
            pass
        rows = web.calls(submit="Calls")["call_rows"]
        assert [(r["call"], r["fc"], r["address"], r["count"])
                for r in reversed(rows)] == [
            (True, 3, 16, 2), (False, 3, 16, 2), (True, 16, 17, 2),
            (False, 16, 17, 2), (True, 3, 200, 1), (False, 0x83, 200, 1)
            ], rows
        assert all(isinstance(r["data"], str) for r in rows)
        assert rows[0]["data"] == "exception 2"
        assert rows[3]["data"] == "5 6" and rows[4]["data"] == "3124 5678"
        # of a function, of a range, in hexadecimal
        answer = web.calls(submit="Monitor", function="16", show_hex="on",
                           range_start=17, range_stop=18)
        assert answer["function_show_hex_checked"] is True
        assert answer["function_show_decoded_checked"] is False
        assert (answer["range_start"], answer["range_stop"]) == (17, 18)
        assert [c["value"] for c in answer["function_codes"]
                if c["selected"]] == [16]
        m.read_hr(17)
        m.write_hr(16, [1, 2])
        m.write_hr(18, [0x1234])
        m.write_hr(18, [7])
        rows = web.calls(submit="Calls")["call_rows"]
        assert [(r["call"], r["fc"]) for r in rows] == [
            (False, 16), (True, 16)] * 2, rows
        assert rows[3]["data"].endswith("10 00 12 00 01 02 12 34"), rows
        web.calls(submit="Monitor", show_decode="on")
        m.read_hr(16, 1)
        page = web.page("calls")
        shown = table(page, "Calls")
        assert shown[1][0] == "Call - 3 Read Holding Registers", shown
        assert shown[0][0] == "Response - 3 Read Holding Registers"
        assert "Monitoring active" in page
        assert web.calls(submit="Calls")["call_rows"][1]["data"] == shown[1][3] != ""
        # and the end of it
        page = web.page("calls", submit="Stop")
        assert "Stopped monitoring" in page and table(page, "Calls") == []
        answer = web.calls(submit="Calls")
        assert answer["foot"] == "not active" and answer["call_rows"] == []
        m.read_hr(16)
        assert web.calls(submit="Calls")["call_rows"] == []


def test_monitor_is_bounded():
    """a thousand call rows are kept"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        web.calls(submit="Monitor")
        for i in range(600):
            m.read_hr(16 + i % 2)
        rows = web.calls(submit="Calls")["call_rows"]
        assert len(rows) == 1000
        assert (rows[0]["call"], rows[0]["address"]) == (False, 17)


SIMULATE = {"submit": "Simulate", "response_delay": 0, "response_error": 0,
            "response_junk_datalen": 0, "response_clear_after": 1}


def simulate(web, **fields):
    answer = web.calls(**{**SIMULATE, **fields})
    assert answer["simulation_action"] == "ACTIVE", answer
    return answer


def checked(answer):
    return [name for name in ("normal", "error", "empty", "junk")
            if answer[f"function_response_{name}_checked"]]


def test_simulate_error():
    """Error answers so often with that exception, and then no more"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        answer = simulate(web, response_type=1, response_error=6,
                          response_delay=2, response_junk_datalen=7,
                          response_split="on", split_delay=3,
                          response_cr="on", response_cr_pct=40,
                          response_clear_after=3)
        assert checked(answer) == ["error"]
        for key, value in (
                ("split_checked", True), ("split_delay", 3),
                ("cr_checked", True), ("cr_pct", 40), ("delay", 2),
                ("junk", 7), ("clear_after", 3)):
            assert answer["function_response_" + key] == value, key
            assert type(answer["function_response_" + key]) is type(value)
        assert [e["text"] for e in answer["function_error"]
                if e["selected"]] == ["SLAVE_BUSY"]
        assert "<strong>1 fault rule is in force" in web.page("registers")
        assert "Simulate: ACTIVE" in web.page("calls")
        for left in (2, 1):
            try:
                m.read_hr(16)
                raise AssertionError("no exception")
            except ModbusError as e:
                assert e.code == 6
            assert web.calls(submit="Calls")["function_response_clear_after"] == left
        assert m.request(struct.pack(">BHH", 6, 16, 99)) == b"\x86\x06"
        assert m.read_hr(16) == [3124], "it is over, and was not carried out"
        answer = web.calls(submit="Calls")
        assert answer["simulation_action"] == "" and checked(answer) == []
        assert "fault rule" not in web.page("registers")


def test_who_only_looks():
    """HEAD and a page fetched ahead press no button"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        query = ("/api/registers?submit=Set&register=16&value=7&refresh=9",
                 "/api/server?submit=Restart",
                 "/api/calls?submit=Simulate&response_type=2&"
                 "response_clear_after=100")
        pid = d.rpc("transports.list")[0]["pid"]
        for path in query:
            for method, headers in (
                    ("HEAD", {"Accept": "text/html"}),
                    ("GET", {"Sec-Purpose": "prefetch;prerender"}),
                    ("GET", {"Purpose": "prefetch"})):
                reply = web.ask(method, path, headers=headers)
                assert reply.status == 200, (path, method, reply.status)
                assert "Set-Cookie" not in reply.headers
        assert m.read_hr(16) == [3124]
        assert d.rpc("faults.list") == []
        assert d.rpc("transports.list")[0]["pid"] == pid


def test_simulate_empty():
    """Empty answers nothing"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        assert checked(simulate(web, response_type=2)) == ["empty"]
        m.send(m.adu(struct.pack(">BHH", 3, 16, 1)))
        m.send(m.adu(struct.pack(">BHH", 3, 17, 1)))
        tid, _, pdu = m.receive()
        assert tid == m.tid and pdu == b"\x03\x02" + struct.pack(">H", 5678)
        assert web.calls(submit="Calls")["simulation_action"] == ""


def test_simulate_junk():
    """Junk answers so many bytes"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        answer = simulate(web, response_type="3", response_junk_datalen="33")
        assert checked(answer) == ["junk"]
        assert answer["function_response_junk"] == 33
        m.send(m.adu(struct.pack(">BHH", 3, 16, 1)))
        assert len(m.exactly(33)) == 33
        assert m.read_hr(16) == [3124]
        # of no bytes there is nothing to see
        simulate(web, response_type=3)
        m.send(m.adu(struct.pack(">BHH", 3, 16, 1)))
        assert m.read_hr(17) == [5678]


def test_simulate_normal():
    """Normal delays, splits and changes the proper reply"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        answer = simulate(web, response_type=0, response_delay=1)
        assert checked(answer) == ["normal"]
        assert answer["function_response_delay"] == 1
        began = time.monotonic()
        assert m.read_hr(16) == [3124]
        assert 0.95 < time.monotonic() - began < 100
        answer = simulate(web, response_type=0, response_split="",
                          split_delay=1)
        assert answer["function_response_split_checked"] is True
        assert answer["function_response_split_delay"] == 1
        began = time.monotonic()
        m.send(m.adu(struct.pack(">BHH", 3, 16, 1)))
        first = m.socket.recv(100)
        assert 0 < len(first) < 11
        rest = m.exactly(11 - len(first))
        assert time.monotonic() - began > 0.9
        assert (first + rest)[7:] == b"\x03\x02" + struct.pack(">H", 3124)
        answer = simulate(web, response_type=0, response_cr="",
                          response_cr_pct=100)
        assert answer["function_response_cr_pct"] == 100
        got = m.read_hr(16, 4)
        assert all(a != b for a, b in zip(
            got, [3124, 5678, 14661, 14661])), got
        assert m.read_hr(16, 4) == [3124, 5678, 14661, 14661]
        # that share of the replies, and all of them count
        answer = simulate(web, response_type=0, response_cr="",
                          response_cr_pct=50, response_clear_after=200)
        assert answer["function_response_cr_pct"] == 50
        assert answer["function_response_delay"] == 0
        plain = sum(m.read_hr(16, 4) == [3124, 5678, 14661, 14661]
                    for _ in range(200))
        assert 50 < plain < 150, plain
        assert web.calls(submit="Calls")["simulation_action"] == ""
        # a proper reply and nothing else is one, too, and is counted
        simulate(web, response_type=0, response_clear_after=2)
        assert m.read_hr(16) == [3124]
        assert web.calls(submit="Calls")["simulation_action"] == "ACTIVE"
        assert m.read_hr(16) == [3124]
        assert web.calls(submit="Calls")["simulation_action"] == ""


def test_simulate_is_one_rule():
    """the form is one rule of its server, which anybody may see and clear"""
    with Daemon(NATIVE) as d, pick(d, "tcp1") as m, pick(d, "tcp2") as n:
        web = Web(d)
        simulate(web, response_type=1, response_error=2,
                 response_clear_after=100)
        simulate(web, response_type=1, response_error=4,
                 response_clear_after=50)
        rule, = d.rpc("faults.list")
        assert (rule["transport"], rule["exception"], rule["count"]) == (
            "tcp1", 4, 50), rule
        assert n.read_hr(7) == [9], "the other server is as it was"
        assert web.calls(submit="Calls", server="tcp2")["simulation_action"] == ""
        simulate(web, server="tcp2", response_type=2,
                 response_clear_after=9)
        assert len(d.rpc("faults.list")) == 2
        # another rule is not the form's
        d.rpc("faults.add", transport="tcp1", unit=77, drop=True)
        answer = web.calls(submit="Reset")
        assert answer["simulation_action"] == ""
        assert answer["function_response_clear_after"] == 1
        assert answer["function_response_junk"] == 10
        assert m.read_hr(0) == [0]
        assert len(d.rpc("faults.list")) == 2
        assert web.calls(submit="Calls", server="tcp2")["simulation_action"] == "ACTIVE"
        # whoever clears it
        d.rpc("faults.clear")
        assert web.calls(submit="Calls", server="tcp2")["simulation_action"] == ""


def test_simulate_form():
    """what the page's own form sends is taken as the REST is"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        page = web.page("calls", submit="Simulate", response_type="1",
                        split_delay="0", response_cr_pct="0",
                        response_delay="0", response_error="4",
                        response_junk_datalen="10", response_clear_after="1")
        assert "Simulate: ACTIVE" in page
        assert re.search(r'value="1" checked> Error', page)
        assert re.search(r'<option value="4" selected>', page)
        try:
            m.read_hr(16)
            raise AssertionError("no exception")
        except ModbusError as e:
            assert e.code == 4
        page = web.page("calls")
        assert "ACTIVE" not in page
        a = web.get("/api/calls", submit="Simulate")
        assert a.status == 400 and "response_type is missing" in a.text
        check_html(a.text)


def test_simulate_survives():
    """what is simulated outlives the process that serves the pages"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        simulate(web, response_type=1, response_error=6,
                 response_clear_after=5)
        sysutil.os.kill(d.child("http"), sysutil.signal.SIGKILL)

        def again():
            try:
                return web.calls(submit="Calls")
            except (ConnectionError, http.client.HTTPException):
                return None
        answer = wait_for(again)
        assert answer["simulation_action"] == "ACTIVE"
        assert checked(answer) == ["error"]
        assert answer["function_response_clear_after"] == 5
        web.calls(submit="Reset")
        assert m.read_hr(16) == [3124]


# ---- log and server ----

def test_log():
    """the log is shown, followed, cleared and downloaded"""
    with Daemon(SETUP) as d:
        web = Web(d)
        answer = web.post("/restapi/log", {})
        assert answer["result"] == "ok" and answer["foot"] == "not active"
        rows = answer["log_rows"]
        assert [r["at"] for r in rows] == sorted(
            (r["at"] for r in rows), reverse=True)
        row = next(r for r in rows if r["line"] == "ready")
        assert (row["level"], row["who"]) == ("info", "supervisor")
        assert len(web.post("/restapi/log", {"limit": 2})["log_rows"]) == 2
        assert all(r["level"] in ("warn", "error") for r in web.post(
            "/restapi/log", {"level": "warn"})["log_rows"])
        page = web.page("log", submit="Log")
        assert any(r[3] == "ready" for r in table(page, "Log"))
        page = web.page("log", submit="Monitor")
        assert "Monitoring active" in page and "http-equiv=\"refresh\"" in page
        page = web.page("log", submit="Stop")
        assert "not active" in page and "http-equiv" not in page
        assert table(web.page("log", submit="Clear"), "Log") == []
        a = web.get("/api/log", submit="Download")
        assert a.status == 200
        assert a.headers["Content-Type"].startswith("text/plain")
        assert a.headers["Content-Disposition"] == (
            "attachment; filename=\"holdfast.log\"")
        assert " info supervisor: ready\n" in a.text
        # what comes is shown again
        web.post("/restapi/server", {"submit": "Restart"})
        assert table(web.page("log"), "Log")


def test_server():
    """the server page tells how it is, and restarts it"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        m.read_hr(16)
        answer = web.post("/restapi/server", {"submit": "Server"})
        assert answer["server"] == "server" and answer["state"] == "up"
        assert answer["requests"] == 1 and answer["connections"] == 1
        assert answer["uptime_s"] > 0 and answer["daemon_uptime_s"] > 0
        assert answer["counters"]["requests"] == {"3": 1}
        assert answer["result"] == "ok"
        page = web.page("server")
        rows = dict(r for r in table(page, "Server"))
        assert rows["State"] == "up" and rows["Requests"] == "1"
        assert re.fullmatch(r"0 d 00:\d\d:\d\d", rows["Uptime"])
        pid = d.worker_pid("server")
        answer = web.post("/restapi/server", {"submit": "Restart"})
        assert answer["result"] == "ok" and answer["state"] == "up"
        assert answer["pid"] == d.worker_pid("server") != pid
        assert m.read_hr(16) == [3124], "its connections go on"
        pid = answer["pid"]
        page = web.page("server", submit="Restart")
        assert "Result of last command: ok" in page
        assert "answered first; connections stay.</p>" in page
        assert d.worker_pid("server") != pid


# ---- hostile ----

def test_escaping():
    """nothing that is asked or stored becomes HTML"""
    with Daemon(NATIVE) as d:
        web = Web(d)
        evil = "\"><script>alert(1)</script>'"
        for page in ("registers", "calls", "log", "server"):
            for form in ({"submit": evil}, {"device": evil},
                         {"server": evil}, {"refresh": evil},
                         {"level": evil}, {evil: evil},
                         {"submit": "Add", "range_start": evil},
                         {"submit": "Set", "register": evil},
                         {"submit": "Set", "register": HR, "value": evil},
                         {"submit": "Monitor", "function": evil},
                         {"submit": "Simulate", "response_type": evil},
                         {"submit": "Restart", "server": evil}):
                a = web.get("/api/" + page, **form)
                assert a.status in (200, 400, 404), (form, a.status)
                assert "<script" not in a.text and "Traceback" not in a.text
                check_html(a.text)
        page = web.page("registers", submit="Add", range_start=HR + 30)
        assert table(page)[0][4] == "<b>&\"'"
        assert "<b>" not in page
        web.page("registers", submit="Set", register=HR + 30,
                 value="<i>\u00e9")
        page = web.page("registers")
        assert table(page)[0][4] == "<i>\u00e9"
        # bytes that are no text, and text that is none of HTML's
        d.rpc("registers.write", device="plc1", table="hr", addr=30,
              values=[0xff3c, 0x0001, 0x1b5b, 0, 0x4100])
        check_html(web.page("registers"))
        assert web.value(HR + 30) == "\u00ff<\x00\x01\x1b[\x00\x00A"


def test_foreign_pages():
    """a page of somebody else presses no button here"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        for site in ("cross-site", "same-site"):
            headers = {"Sec-Fetch-Site": site}
            for form in ({"submit": "Set", "register": 16, "value": 1},
                         {"submit": "Simulate", "response_type": 2},
                         {"submit": "Restart"}, {"submit": "Add"}):
                for page in ("registers", "calls", "log", "server"):
                    a = web.get("/api/" + page, headers, **form)
                    assert a.status == 403, a.status
                    check_html(a.text)
            assert web.get("/api/registers", headers,
                           submit="Registers").status == 200
        headers = {"Origin": "http://evil.example"}
        a = web.ask("POST", "/restapi/registers", json.dumps(
            {"submit": "Set", "register": 16, "value": 1}), headers)
        assert a.status == 403
        assert m.read_hr(16) == [3124]
        assert d.rpc("faults.list") == []
        for site in ("same-origin", "none"):
            a = web.get("/api/registers", {"Sec-Fetch-Site": site},
                        submit="Set", register=16, value=8)
            assert a.status == 200
        assert m.read_hr(16) == [8]


def test_foreign_pages_unsaid():
    """nor where browsers do not say which site asks; scripts go on"""
    with Daemon({**SETUP, "http": {
            "listen": "127.0.0.1:0", "hosts": ["plant.example"]}}) as d, \
            pick(d) as m:
        web = Web(d)
        here = f"http://127.0.0.1:{web.port}"

        def press(value, **headers):
            a = web.get("/api/registers", {
                k.replace("_", "-"): v for k, v in headers.items()},
                submit="Set", register=16, value=value)
            assert a.status in (200, 403), a.status
            check_html(a.text)
            return a.status == 200 and m.read_hr(16) == [value]

        for headers in (
                {"Referer": "http://evil.example/"},
                {"Referer": here + "9/"}, {"Referer": "about:blank"},
                {"Referer": here.replace("//", "//evil.example/") + "/"},
                {"Referer": "http://" + "x" * 1000},
                {"Referer": here + ".evil.example/"},
                {"Accept": "text/html,*/*"},
                {"User_Agent": "Mozilla/5.0 (X11)", "Accept": "*/*",
                 "Accept_Language": "en"},
                # an image on a page under another name, as Chromium asks for
                # it where neither name is one that it trusts
                {"Host": f"plant.example:{web.port}", "Accept": "image/avif,"
                 "image/webp,image/apng,image/*,*/*;q=0.8",
                 "User_Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0"},
                {"User_Agent": "mozilla/5.0"},
                {"Accept": "text/html", "Cookie": "holdfast_sim=" + "0" * 32}):
            assert not press(1, **headers), headers
        assert web.get("/api/registers",
                       {"Origin": "http://evil.example"}, submit="Set",
                       register=16, value=1).status == 403
        assert m.read_hr(16) == [3124]
        # a page is shown all the same, and gives what its buttons need
        a = web.get("/api/registers", {"Accept": "text/html"},
                    submit="Registers")
        cookie = a.headers["Set-Cookie"].split(";")[0]
        assert press(2, Accept="text/html", Cookie=cookie)
        assert press(3, Accept="text/html", Referer=here + "/api/registers?x")
        assert press(4, Accept="text/html", Origin=here)
        assert press(5) and press(6, Accept="*/*", User_Agent="curl/7.88.1")
        assert press(7, User_Agent="python-requests/2.28.1", Accept="*/*")
        assert press(8, User_Agent="Mozilla/5.0", Cookie=cookie)
        assert press(9, User_Agent="Mozilla/5.0", Sec_Fetch_Site="same-origin")
        assert press(10, User_Agent="Mozilla/5.0", Sec_Fetch_Site="none")
        # a program that says it is a browser has POST
        a = web.ask("POST", "/restapi/registers", json.dumps(
            {"submit": "Set", "register": 16, "value": 11}),
            {"User-Agent": "Mozilla/5.0 PowerShell"})
        assert a.status == 200 and m.read_hr(16) == [11]
        # the cookie is no leave for a page that says it is another's
        assert not press(12, Accept="text/html", Cookie=cookie,
                         Referer="http://evil.example/")


def test_roles():
    """who may only read sees everything and changes nothing"""
    with Daemon({**SETUP, "http": {"listen": "127.0.0.1:0",
                                   "local": "read"}}) as d, pick(d) as m:
        web = Web(d)
        assert web.value(16) == "3124"
        for path, body in (
                ("registers", {"submit": "Set", "register": 16, "value": 1}),
                ("calls", {**SIMULATE, "response_type": 2}),
                ("server", {"submit": "Restart"})):
            pid = d.worker_pid("server")
            answer = web.post("/restapi/" + path, body, 403)
            assert "role" in answer["error"], answer
            a = web.get("/api/" + path, **body)
            assert a.status == 403 and "role" in a.text
            check_html(a.text)
            assert d.worker_pid("server") == pid
        assert d.rpc("faults.list") == []
        web.calls(submit="Monitor")
        m.read_hr(16)
        assert len(web.calls(submit="Calls")["call_rows"]) == 2
        web.page("registers", submit="Add", range_start=16)
    with Daemon({**SETUP, "http": {"listen": "127.0.0.1:0",
                                   "local": "none"}}) as d:
        for a in (Web(d).get("/api/registers"),
                  Web(d).ask("POST", "/restapi/registers", "{}")):
            assert a.status in (401, 403) and b"3124" not in a.body


def test_trace_off():
    """Monitor switches the trace on where the configuration has it off"""
    conf = json.loads(json.dumps(NATIVE))
    conf["transports"]["tcp1"]["trace"] = False
    with Daemon(conf) as d, pick(d, "tcp1") as m:
        web = Web(d)
        m.read_hr(0)
        web.calls(submit="Monitor")
        m.read_hr(0)
        assert [r["call"] for r in web.calls(submit="Calls")["call_rows"]] == [False, True]


def test_odd_requests():
    """odd addresses and long ones are answered, and the next one too"""
    with Daemon(SETUP) as d:
        web = Web(d)
        for path in ("/api/registers?" + "a=1&" * 500,
                     "/api/registers?submit=%00%ff%", "/api/registers?&&=&",
                     "/api/registers?range_start=" + "9" * 3000,
                     "/api/registers?submit=Add&range_start=%F0%9F%98%80",
                     "/api/", "/api", "/api/nothing", "/api/registers/x",
                     "/api/Registers", "/restapi", "/restapi/"):
            a = web.ask("GET", path)
            assert a.status in (200, 400, 404, 405, 414, 431), (path,
                                                              a.status)
            assert b"Traceback" not in a.body
        a = web.get("/api/nothing")
        assert a.status == 404 and a.json["result"] == "error"
        a = web.ask("POST", "/restapi/registers", b" " * 200000)
        assert a.status == 413
        assert web.value(16) == "3124"


def test_pages_need_nothing():
    """each page is a whole document with a style of this server's"""
    with Daemon(SETUP) as d:
        web = Web(d)
        for name in ("registers", "calls", "log", "server"):
            page = web.page(name)
            assert re.findall(r'(?:src|href|action)="([a-z]+:|//)', page) == []
            current = re.search(r'href="/api/(\w+)[^"]*" aria-current="page"',
                                page)
            assert current[1] == name
            assert "<form action=\"/api/%s\"" % name in page
        a = web.get("/pymodbus.css")
        assert a.status == 200
        assert a.headers["Content-Type"].startswith("text/css")
        assert "prefers-color-scheme: dark" in a.text


# ---- what it is said to be ----

KINDS = {"object": dict, "array": list, "string": str, "boolean": bool,
         "number": (int, float), "null": type(None)}


def fits(value, schema, doc, where=""):
    """True if a value is as a schema has it, which says all that is in it."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return fits(value, doc["components"]["schemas"][name], doc, name)
    if "oneOf" in schema:
        return any(fits(value, one, doc, where) for one in schema["oneOf"])
    if schema.get("type") == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if "type" in schema and not isinstance(value, KINDS[schema["type"]]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, list):
        return all(fits(v, schema["items"], doc, where) for v in value)
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    assert not set(schema.get("required", [])) - set(value), (where, value)
    return all(fits(v, known.get(k, schema.get("additionalProperties", {})),
                    doc, where + "." + k) for k, v in value.items())


def test_openapi():
    """the OpenAPI file names every path, and the answers are as it says"""
    with Daemon(SETUP) as d, pick(d) as m:
        web = Web(d)
        doc = web.get("/openapi.json").json
        served = {(r["path"], method) for r in web.get("/api/v1/").json
                  for method in r["method"].split(", ")
                  if not r["path"].endswith("*")}
        described = {(path, method.upper())
                     for path, methods in doc["paths"].items()
                     for method in methods}
        # GET of /restapi/ is there to be refused
        served = {(p, how) for p, how in served
                  if not (p.startswith("/restapi") and how == "GET")}
        assert served == described, served ^ described
        web.calls(submit="Monitor")
        m.read_hr(16)
        for name, body in (
                ("registers", {"range_start": 0, "range_stop": 40}),
                ("calls", {"submit": "Simulate", "response_type": 2}),
                ("log", {}), ("server", {}),
                ("registers", {"range_start": "x"})):
            path = "/restapi/" + name
            a = web.ask("POST", path, json.dumps(body))
            how = doc["paths"][path]["post"]["responses"]
            if a.status == 200:
                content = how["200"]["content"]
            else:
                content = doc["components"]["responses"][
                    how["4XX"]["$ref"].rsplit("/", 1)[1]]["content"]
            schema = content["application/json"]["schema"]
            assert fits(a.json, schema, doc), (name, a.text)
            known = doc["components"]["schemas"][
                schema["$ref"].rsplit("/", 1)[1]]["properties"]
            assert set(a.json) - set(known) <= {"line", "last_exit"}, name
        assert not fits({**a.json, "error": 5}, schema, doc)


if __name__ == "__main__":
    sysutil.run()
