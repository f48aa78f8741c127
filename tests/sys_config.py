#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config.get and config.check, holdfast config and holdfast reload --check:
what is in force, and what the files say now."""

import contextlib
import json
import os
import tempfile

import sysutil
from sysutil import Daemon

CONF = {
    "devices": {"plc1": {"holding_registers": [{"addr": 0, "count": 5}]}},
    "transports": {"tcp1": {"type": "tcp", "listen": "127.0.0.1:0",
                            "units": {"1": "plc1"}}},
}


@contextlib.contextmanager
def edited(change):
    """A daemon whose file has changed since."""
    with Daemon(CONF) as d:
        path = d.rpc("config.get")["path"]
        with open(path) as f:
            was = f.read()
        conf = json.loads(was)
        text = change(conf)
        with open(path, "w") as f:
            f.write(text if text is not None else json.dumps(conf))
        yield d, path


def test_the_configuration_in_force_can_be_read():
    """as holdfastd -T prints it, defaults included"""
    with Daemon(CONF) as d:
        said = d.rpc("config.get")
        conf = json.loads(said["text"])
        assert conf["transports"]["tcp1"]["max_connections"] > 0
        assert conf["devices"]["plc1"]["holding_registers"][0]["count"] == 5
        assert json.loads(d.cli("config").stdout) == conf
        assert os.path.isfile(said["path"]), said
        assert d.cli("config", "got", ok=False).returncode == 64


def test_passwords_are_not_told():
    """a password in the configuration is not in what is shown of it"""
    conf = {**CONF, "transports": {**CONF["transports"], "off": {
        "type": "tls", "listen": "127.0.0.1:0", "autostart": False,
        "cert": "/dev/null", "key": "/dev/null", "client_cert": "none",
        "password": "opensesame", "units": {"1": "plc1"}}}}
    with Daemon(conf) as d:
        assert "opensesame" not in d.rpc("config.get")["text"]
        assert d.rpc("config.check")["ok"]


def test_a_check_tells_what_would_change_and_changes_nothing():
    """added, removed and changed things, by name"""
    def change(conf):
        conf["devices"]["plc2"] = {"coils": [{"addr": 0}]}
        conf["devices"]["plc1"]["holding_registers"][0]["count"] = 6
        conf["transports"]["tcp2"] = conf["transports"].pop("tcp1")
        conf["drain_timeout_s"] = 1
    with edited(change) as (d, path):
        said = d.rpc("config.check")
        assert said == {
            "ok": True, "errors": [],
            "added": ["transport tcp2", "device plc2"],
            "removed": ["transport tcp1"],
            "changed": ["device plc1", "key drain_timeout_s"]}, said
        rows = d.cli("reload", "--check").stdout
        assert "device plc2\tadded\n" in rows, rows
        assert d.cli("config", "check").stdout == rows
        assert d.cli("-o", "table", "reload", "--check").stdout.endswith(
            "\nholdfast reload applies it\n")
        assert json.loads(d.cli("-o", "json", "config", "check").stdout
                          ) == said
        assert d.cli("get", "hr:0+5").stdout.count("\n") == 5
        assert len(d.rpc("transports.list")) == 1
    with edited(lambda conf: None) as (d, path):
        assert "nothing has changed" in d.cli(
            "-o", "table", "reload", "--check").stdout
        assert d.cli("reload").returncode == 0


def test_a_check_tells_what_the_files_mean():
    """as config.get does of what is in force, so that both can be compared"""
    def change(conf):
        conf["devices"]["plc1"]["holding_registers"][0]["count"] = 6
    with edited(change) as (d, path):
        now = d.rpc("config.get")["text"]
        said = d.rpc("config.check", dump=True)
        differ = [(a, b) for a, b in zip(now.splitlines(),
                                         said["text"].splitlines()) if a != b]
        assert len(differ) == 1 and '"count": 6' in differ[0][1], differ
        assert "text" not in d.rpc("config.check")


def test_a_text_is_checked_instead_of_the_file():
    """what it would change, its mistakes by place, and that nothing of it
    stays; a second check finds the file again"""
    with Daemon(CONF) as d:
        path = d.rpc("config.get")["path"]
        with open(path) as f:
            was = f.read()
        conf = json.loads(was)
        conf["devices"]["plc2"] = {"coils": [{"addr": 7}]}
        said = d.rpc("config.check", text=json.dumps(conf), dump=True)
        assert said["ok"] and said["added"] == ["device plc2"], said
        assert '"plc2"' in said["text"]
        said = d.rpc("config.check", text='{\n  "transprots": {}\n}', dump=True)
        assert not said["ok"] and "text" not in said, said
        assert any(e.startswith(path + ":2:3: ") and
                   'did you mean "transports"' in e
                   for e in said["errors"]), said
        for text in ("", "[]", "{" * 200, "\x01", '"', "{}" * 1000):
            assert not d.rpc("config.check", text=text)["ok"], text
        try:
            d.rpc("config.check", text="{}\0")
            raise AssertionError("a character of number 0 was taken")
        except sysutil.RpcError as e:
            assert "number 0" in str(e), e
        said = d.rpc("config.check")
        assert said["ok"] and not said["added"] + said["changed"], said
        with open(path) as f:
            assert f.read() == was


def test_a_text_opens_no_file_but_those_in_force():
    """who may check a text need not be allowed to read what the supervisor
    may: neither its content nor that it is there is told"""
    with tempfile.TemporaryDirectory(prefix="hf-config-") as tmp:
        secret, shared = (os.path.join(tmp, n) for n in ("secret", "shared"))
        with open(secret, "w") as f:
            f.write("hunter2\n")
        with open(shared, "w") as f:
            f.write('{"drain_timeout_s": 3}')
        with Daemon({**CONF, "include": [shared]}) as d:
            def told(conf):
                said = d.rpc("config.check", text=json.dumps(conf))
                assert "hunter2" not in json.dumps(said), said
                return said
            assert told({**CONF, "include": [shared]})["ok"]
            told_of = {}
            for name in (secret, os.path.join(tmp, "none")):
                said = told({**CONF, "include": [name]})
                told_of[name] = said["errors"][0].replace(name, "NAME")
                said = told({**CONF, "devices": {"plc1": {"map": name}}})
                assert "denied" in said["errors"][0], said
                said = told({**CONF, "transports": {"t": {
                    "type": "tls", "listen": "127.0.0.1:0", "cert": "c",
                    "key": "k", "roles": name, "units": {"1": "plc1"}}}})
                assert "denied" in str(said["errors"]), said
            assert len(set(told_of.values())) == 1, told_of
            assert "denied" in list(told_of.values())[0], told_of
            # nor are names found by a pattern
            said = told({**CONF, "include": [os.path.join(tmp, "s*")]})
            assert said["ok"], said


def test_a_check_tells_the_mistakes():
    """each with its place, and 78; a file that is gone is one, too"""
    def change(conf):
        conf["transports"]["tcp1"]["maxcon"] = 7
        conf["devices"]["plc1"]["holding_registers"] = [
            {"addr": -1}] * 70
    with edited(change) as (d, path):
        said = d.rpc("config.check")
        assert not said["ok"] and len(said["errors"]) == 41, said
        assert all(e.startswith(path + ":1:") for e in said["errors"][:40])
        assert said["errors"][40] == "and 31 more", said["errors"][40]
        done = d.cli("config", "check", ok=False)
        assert done.returncode == 78, done
        assert done.stderr.splitlines() == said["errors"]
        os.unlink(path)
        said = d.rpc("config.check")
        assert not said["ok"] and "cannot read" in said["errors"][0], said


if __name__ == "__main__":
    sysutil.run()
