# SPDX-License-Identifier: Apache-2.0
"""A daemon whose children are toys (toyd.c): they do on request what real ones
never should."""

import os
import re
import socket

import sysutil
from sysutil import Daemon, wait_for

TOYD = os.path.join(sysutil.BUILD, "tests", "toyd")
STATES = ["stopped", "starting", "up", "draining", "backoff", "failed"]


def conf(transports=1, **more):
    """transports: how many, or a dict of keys for each name."""
    if isinstance(transports, int):
        transports = {f"tcp{i + 1}": {} for i in range(transports)}
    return {
        "devices": {"plc1": {"holding_registers": [{"addr": 0, "count": 10}]},
                    "plc2": {"holding_registers": [{"addr": 0, "count": 10}]}},
        "transports": {
            name: {"type": "tcp", "listen": "127.0.0.1:0",
                   "units": {"1": "plc1"}, **keys}
            for name, keys in transports.items()},
        **more}


class Line:
    """A connection over which lines go and come."""

    def __init__(self, where, timeout=100.0):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(where)
        self.rest = b""

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def read(self):
        """The next line; "" once the other side has gone."""
        while b"\n" not in self.rest:
            try:
                more = self.socket.recv(4096)
            except ConnectionError:
                more = b""
            if not more:
                return ""
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def ask(self, line):
        self.send(line)
        return self.read()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Done:
    """Control's answer: .rc, .state, .text"""

    def __init__(self, line):
        m = re.match(r"done (\d+) rc=(-?\d+) arg=(\d+) (.*)$", line)
        assert m, f"no answer: {line!r}"
        self.tag, self.rc, self.arg = map(int, m.groups()[:3])
        self.text = m.group(4)
        self.state = STATES[self.arg] if self.arg < len(STATES) else None


class Toys(Daemon):
    def __init__(self, conf_dict, births=None, args=(), env=None, **more):
        """births: {child's name: command carried out before it serves}"""
        self.toy_dir = sysutil.tempfile.mkdtemp(prefix="hf-toys-")
        for name, line in (births or {}).items():
            self.birth(name, line)
        super().__init__(conf_dict, args=args, program=TOYD,
                         env={"TOY_DIR": self.toy_dir, **(env or {})}, **more)

    def birth(self, name, line):
        path = os.path.join(self.toy_dir, name)
        if line is None:
            os.unlink(path)
            return
        with open(path + ".new", "w") as f:
            f.write(line + "\n")
        os.rename(path + ".new", path)

    def line(self, name):
        """A connection to a worker, or to control."""
        if name == "control":
            path = os.path.join(self.run_dir, "control.sock")
            return wait_for(lambda: self._try(path), what="control.sock")
        return Line(("127.0.0.1", self.port(name)))

    @staticmethod
    def _try(path):
        try:
            return Line(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def ask(self, name, line):
        with self.line(name) as c:
            return c.ask(line)

    def order(self, line):
        """An order from control; waits for the answer."""
        return Done(self.ask("control", line))

    def show(self, index=0):
        fields = dict(f.split("=", 1) for f in
                      self.ask("control", f"show {index}").split(" "))
        fields["state"] = STATES[int(fields["state"])]
        for n in ("pid", "restarts", "last_exit"):
            fields[n] = int(fields[n])
        fields["changes"] = [
            tuple(STATES[int(x)] for x in c.split(">"))
            for c in fields["changes"].split(",") if c]
        return fields

    def wait_state(self, state, index=0, timeout=10.0):
        return wait_for(
            lambda: (s := self.show(index))["state"] == state and s,
            timeout, f"state {state}")

    def wait_new_child(self, name, old, timeout=100.0):
        def new():
            for pid in self.children():
                if pid != old and sysutil.process_title(pid).endswith(
                        f": {name}"):
                    return pid
            return None
        return wait_for(new, timeout, f"a new {name}")

    def clean(self):
        super().clean()
        sysutil.shutil.rmtree(self.toy_dir, ignore_errors=True)


def run_to_end(args, timeout=200, **more):
    """Runs holdfastd to its end; returns the completed process."""
    return sysutil.subprocess.run(
        [os.path.join(sysutil.BUILD, "holdfastd"), *args],
        capture_output=True, text=True, timeout=timeout,
        stdin=sysutil.subprocess.DEVNULL, **more)


