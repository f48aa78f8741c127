# SPDX-License-Identifier: Apache-2.0
"""What the tests of holdfast.py share: the module that was built, a daemon and
a client, stand-ins that misbehave as no daemon does."""

import contextlib
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading

import zmq

from sysutil import BUILD, Daemon, wait_for

sys.dont_write_bytecode = True
sys.path.insert(0, BUILD)
import holdfast  # noqa: E402  (the one that was built)

HOLDFAST_PY = os.path.join(BUILD, "holdfast.py")
CONF = {
    "devices": {"plc1": {
        "coils": [{"addr": 0, "count": 2048},
                  {"addr": 3000, "count": 1, "name": "pump"}],
        "discrete_inputs": [{"addr": 0, "count": 64, "values": [1, 0, 1]}],
        "holding_registers": [
            {"addr": 0, "count": 1000},
            {"addr": 1000, "count": 4, "access": "ro", "value": 48879},
            {"addr": 1100, "type": "float32", "value": 404.17,
             "name": "flow", "unit": "m3/h", "scale": 0.1},
            {"addr": 1200, "type": "int32", "order": "cdab", "count": 8,
             "name": "counts"},
            {"addr": 1300, "type": "string", "count": 8, "name": "tag"},
            {"addr": 1400, "type": "bits", "name": "alarms"},
            {"addr": 1500, "name": "twice"}],
        "input_registers": [{"addr": 0, "count": 8, "value": 7},
                            {"addr": 100, "name": "twice"}]}},
    "transports": {
        "tcp1": {"type": "tcp", "listen": "127.0.0.1:0", "trace": True,
                 "units": {"1": "plc1"}}},
}
TWO = dict(CONF, devices={
    name: {"holding_registers": [{"addr": 0, "count": 100}]}
    for name in ("plc1", "plc2")})


@contextlib.contextmanager
def served(conf=CONF, **more):
    """A daemon and a client of it."""
    with Daemon(conf) as d, holdfast.Client(d.endpoint, **more) as hf:
        yield d, hf


def refused(kind, call, *args, **params):
    """What call raises, which must be of that kind and no other."""
    try:
        got = call(*args, **params)
    except holdfast.HoldfastError as e:
        assert type(e) is kind, repr(e)
        return e
    except (ValueError, TypeError, IndexError) as e:
        assert type(e) is kind, repr(e)
        return e
    raise AssertionError(f"{args} {params} was not refused: {got!r}")


class Standin:
    """A ROUTER that answers as a test says: answer(request) is an object, or
    frames, or None for no answer at all. requests is what has come."""

    def __init__(self, answer):
        self.env = dict(os.environ)
        self.answer = answer
        self.requests = []
        self.answered = 0
        self.dir = tempfile.TemporaryDirectory(prefix="hf-")
        self.endpoint = f"ipc://{self.dir.name}/control.sock"
        self.open()

    def open(self):
        self.ending = False
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(self.endpoint)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.ending:
            if not self.socket.poll(20):
                continue
            to, text, *_ = self.socket.recv_multipart()
            request = json.loads(text)
            self.requests.append(request)
            answer = self.answer(request)
            if answer is None:
                continue
            if not isinstance(answer, list):
                answer = [json.dumps({"jsonrpc": "2.0", "id": request["id"],
                                      **answer}).encode()]
            self.socket.send_multipart([to, *answer])
            self.answered += 1

    def shut(self, linger=0):
        """Gone, as after a SIGKILL: nothing that came is answered any more."""
        if not self.ending:
            self.ending = True
            self.thread.join()
            self.socket.close(linger)
            self.context.term()  # returns once its name has gone, too

    def methods(self):
        return [r["method"] for r in self.requests]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shut()
        self.dir.cleanup()


class Publisher:
    """A stand-in for events.sock, that loses events when told to."""

    def __init__(self, directory):
        self.endpoint = f"ipc://{directory}/made-up.sock"
        self.open()

    def open(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.linger = 0
        self.socket.bind(self.endpoint)

    def close(self):
        self.socket.close()
        self.context.term()

    def subscribed(self):
        assert self.socket.poll(50000)
        return self.socket.recv()

    def send(self, topic, sequence, **event):
        self.socket.send_multipart([topic.encode(), json.dumps(
            event).encode(), struct.pack("<Q", sequence)])


class Done:
    """What came of a command."""

    def __init__(self, returncode, stdout, stderr):
        self.returncode = returncode
        self.stdout, self.stderr = stdout, stderr

    def __repr__(self):
        return f"{self.returncode}: {self.stdout}{self.stderr}"


def command(d, *args):
    """python3 -m holdfast, without another Python for each."""
    out, err = io.StringIO(), io.StringIO()
    before = dict(os.environ)
    os.environ.update(d.env)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = holdfast.main([str(a) for a in args])
    except SystemExit as e:
        code = e.code
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Done(code, out.getvalue(), err.getvalue())


class Running:
    """A command that prints until it is told to end."""

    def __init__(self, argv, env):
        self.process = subprocess.Popen(
            argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def has(self, word):
        self.text += (self.process.stdout.read() or b"").decode()
        return word in self.text

    def until(self, word):
        wait_for(lambda: self.has(word), what=f"{word} in {self.text}")

    def told_after(self, word, out):
        """The lines from the one with word on, without the time."""
        lines = self.text[self.text.index(word):].splitlines()[1:]
        if out == ["-o", "json"]:
            return [json.loads(line)["event"] for line in lines]
        return [re.sub(r"^[0-9:.]{12}", "", line) for line in lines]

    def interrupted(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(100)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdout.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
