# SPDX-License-Identifier: Apache-2.0
"""What the system tests of the http process share: a daemon with one, requests
to it by http.client and by hand, streams of events."""

import http.client
import json
import os
import re
import select
import socket
import time

import sysutil
from sysutil import Daemon


def conf(**more):
    """A daemon with a named register or two, and http on a free port."""
    http_keys = {"listen": "127.0.0.1:0", **more.pop("http", {})}
    c = {
        "devices": {"plc": {
            "coils": [{"addr": 0, "name": "running", "value": True},
                      {"addr": 1, "count": 63}],
            "holding_registers": [
                {"addr": 0, "count": 1000},
                {"addr": 1000, "name": "temp \"in\"", "type": "int16",
                 "value": 215, "scale": 0.1, "unit": "degC"},
                {"addr": 1001, "name": "flow", "type": "float32",
                 "value": 404.17, "unit": "m3/h"},
                {"addr": 1010, "name": "tag", "type": "string", "count": 4,
                 "value": "PUMP"}]}},
        "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                                "units": {"*": "plc"}}},
        "http": http_keys,
    }
    c.update(more)
    return c


def address(d):
    """(host, port) of a daemon's page."""
    url = d.rpc("system.info")["http"]
    return re.fullmatch(r"http://(.*):(\d+)/", url).groups()


class Web:
    """Requests to a daemon's page, each on a connection of its own unless
    keep."""

    def __init__(self, d, host=None):
        name, port = address(d)
        self.host, self.port = host or name.strip("[]"), int(port)
        self.kept = None

    def ask(self, method, path, body=None, headers=None, keep=False):
        """(status, headers, body)"""
        c = self.kept if keep and self.kept else http.client.HTTPConnection(
            self.host, self.port, timeout=150)
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        data = r.read()
        if keep:
            self.kept = c
        else:
            c.close()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, data

    def get(self, path, **headers):
        return self.ask("GET", path,
                        headers={k.replace("_", "-"): v
                                 for k, v in headers.items()})

    def rpc(self, method, headers=None, **params):
        """The whole answer of JSON-RPC, and the status."""
        status, _, data = self.ask(
            "POST", "/api/v1/rpc", json.dumps(
                {"jsonrpc": "2.0", "id": 1, "method": method,
                 "params": params}), headers)
        return status, json.loads(data) if data[:1] in b"{[" else data

    def result(self, method, **params):
        status, answer = self.rpc(method, **params)
        assert status == 200 and "result" in answer, (status, answer)
        return answer["result"]

    def connect(self, receive_bytes=None):
        s = socket.socket()
        if receive_bytes:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        s.settimeout(150)
        s.connect((self.host, self.port))
        return s

    def raw(self, data, part=None):
        """What comes back to these bytes until the other side closes; data may
        be sent in parts of so many bytes."""
        with self.connect() as s:
            try:
                for i in range(0, len(data), part or len(data) or 1):
                    s.sendall(data[i:i + (part or len(data))])
            except (BrokenPipeError, ConnectionResetError):
                pass
            return rest_of(s)


def rest_of(s):
    got = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                return got
            got += more
    except ConnectionResetError:
        return got


def status_of(answer):
    m = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert m, answer[:100]
    return int(m.group(1))


class Events:
    """A stream of events: next() gives (event, id, data)."""

    def __init__(self, web, topics=None, last=None, receive_bytes=None,
                 headers=""):
        self.buffer = b""
        self.last = last
        self.socket = web.connect(receive_bytes)
        path = "/api/v1/stream" + (f"?topics={topics}" if topics else "")
        if last is not None:
            headers += f"Last-Event-ID: {last}\r\n"
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {web.host}\r\n"
                            f"{headers}\r\n".encode())

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            more = self.socket.recv(65536)
            assert more, self.buffer
            self.buffer += more
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert status_of(head) == 200, head
        return head.decode()

    def fill(self):
        """Takes what has come; False once it was closed."""
        try:
            more = self.socket.recv(1 << 18)
        except ConnectionResetError:
            more = b""
        self.buffer += more
        return bool(more)

    def take(self):
        """The next whole event that has come, or None."""
        while b"\n\n" in self.buffer:
            text, self.buffer = self.buffer.split(b"\n\n", 1)
            if text.startswith(b":"):
                continue
            event = dict(line.split(": ", 1)
                         for line in text.decode().splitlines())
            self.last = event.get("id", self.last)
            return (event["event"], int(event["id"]),
                    json.loads(event["data"]))
        return None

    def next(self, timeout=100.0):
        end = time.monotonic() + timeout
        while True:
            event = self.take()
            if event:
                return event
            left = end - time.monotonic()
            assert left > 0, f"no event within {timeout} s"
            if select.select([self.socket], [], [], left)[0]:
                assert self.fill(), "the stream was closed"

    def hello(self):
        self.head()
        event, number, data = self.next()
        assert event == "hello" and data["version"], (event, data)
        return number, data

    def close(self):
        self.socket.close()


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def token_file(directory, text, mode=0o600):
    path = os.path.join(directory, "tokens")
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)
    return path


def new_pid(d, name, old):
    """The pid of the successor of a child."""
    def found():
        try:
            pid = d.child(name)
        except KeyError:
            return None
        return pid if pid != old else None
    return sysutil.wait_for(found, what=f"a new {name}")


__all__ = ["Daemon", "Events", "Web", "address", "conf", "new_pid", "rest_of",
           "rss_kb", "status_of", "token_file"]
