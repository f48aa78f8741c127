#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holdfast as a service of a real systemd, which is booted in a container for
it: this system as it is, under an overlay that is thrown away, with a network
of its own. What is installed there is what `make install` installs.

Needs root and systemd-nspawn (Debian: systemd-container)."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from sysutil import BUILD, ROOT, Modbus, wait_for  # noqa: E402

TREE = "/srv/holdfast"  # this tree, inside
CONF = "/etc/holdfast/holdfast.json"
UNIT = "[Unit]\nDefaultDependencies=no\nAfter=sysinit.target dbus.service\n" \
    "[Service]\nType=oneshot\nTimeoutStartSec=300\n" \
    "ExecStart=/bin/sh -c 'exec >>/srv/said 2>&1; ip link set lo up; " \
    "exec /usr/bin/python3 %s/tests/booted.py --inside'\n" \
    "ExecStopPost=systemctl poweroff --force\n"


# ---- outside ----

def sh(*argv, **more):
    return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, **more)


def boot(where):
    """In a mount namespace of its own: prepares the container and is it."""
    up, work, root = (os.path.join(where, x) for x in ("up", "work", "root"))
    sh("mount", "-t", "tmpfs", "tmpfs", where)
    for d in up, work, root:
        os.mkdir(d)
    sh("mount", "-t", "overlay", "overlay", "-o",
       f"lowerdir=/,upperdir={up},workdir={work}", root)
    sh("make", "-s", "-C", ROOT, "install", f"O={BUILD}", f"DESTDIR={root}",
       stdout=subprocess.DEVNULL)
    os.mkdir(root + TREE)
    with open(root + "/etc/machine-id", "w"):
        pass  # a new one
    with open(root + "/etc/systemd/system/try.service", "w") as f:
        f.write(UNIT % TREE)
    said = os.path.join(root, "srv/said")
    with open(said, "w"):
        pass
    machine = subprocess.Popen(
        ["systemd-nspawn", "--quiet", "-D", root, "--private-network",
         "--register=no", "--keep-unit", "--console=pipe",
         f"--bind-ro={ROOT}:{TREE}", f"--bind-ro={BUILD}:{TREE}/build",
         "-b", "systemd.unit=try.service"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    console, _ = machine.communicate(timeout=330)
    with open(said) as f:
        text = f.read()
    print(text or console, end="")
    last = text.splitlines()[-1:] or [""]
    return 0 if " passed, 0 failed" in last[0] else 1


def outside():
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        print("skipped: root and systemd-nspawn are needed")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    where = tempfile.mkdtemp(prefix="hf-booted-")
    try:
        return subprocess.run(
            ["unshare", "-m", sys.executable, __file__, "--boot=" + where],
            stdin=subprocess.DEVNULL, timeout=360).returncode
    finally:
        os.rmdir(where)


# ---- inside ----

def ctl(*argv, ok=True):
    ran = subprocess.run(["systemctl", *argv], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=120)
    assert not ok or ran.returncode == 0, (argv, ran.stderr)
    return ran.stdout.strip()


def show(what, unit="holdfast.service"):
    return ctl("show", "-p", what, "--value", unit)


def main_pid(unit="holdfast.service"):
    return int(show("MainPID", unit))


def active(unit="holdfast.service"):
    return ctl("is-active", unit, ok=False) == "active"


def pids(unit="holdfast.service"):
    """All of its control group."""
    for top in "/sys/fs/cgroup/systemd", "/sys/fs/cgroup":
        path = f"{top}{show('ControlGroup', unit)}/cgroup.procs"
        if os.path.exists(path):
            with open(path) as f:
                return [int(x) for x in f.read().split()]
    return []


def configure(path=CONF, name="plant", port=502, state="holdfast"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump({
            "store": {"name": name, "snapshot": {
                "path": f"/var/lib/{state}/{name}.snap"}},
            "devices": {"plc1": {"holding_registers": [
                {"addr": 0, "count": 100}]}},
            "transports": {
                "tcp1": {"type": "tcp", "listen": f"127.0.0.1:{port}",
                         "units": {"*": "plc1"}},
                "udp1": {"type": "udp", "listen": f"127.0.0.1:{port}",
                         "units": {"*": "plc1"}}}}, f)


@contextlib.contextmanager
def started(first, *others):
    """One unit is started; it and others are stopped in the end."""
    ctl("start", first)
    try:
        yield
    finally:
        ctl("stop", first, *others)


class Served:
    """The service, started; a client that writes and reads back, and must not
    notice anything."""

    def __init__(self):
        self.over, self.why, self.steps = threading.Event(), None, 0

    def run(self):
        try:
            while not self.over.is_set():
                self.m.write_hr(9, self.steps & 0xffff)
                assert self.m.read_hr(9) == [self.steps & 0xffff]
                self.steps += 1
        except Exception as e:  # told by __exit__
            self.why = repr(e)

    def __enter__(self):
        configure()
        ctl("start", "holdfast")
        self.m = Modbus(502)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        now = self.steps
        try:
            if not kind:
                wait_for(lambda: self.why or self.steps > now + 10)
        finally:
            self.over.set()
            self.thread.join()
            self.m.close()
            ctl("stop", "holdfast")
        assert self.why is None, self.why
        wait_for(lambda: not pids(), what="nobody left")
        assert show("Result") == "success"
        assert not [x for x in os.listdir("/dev/shm") if "holdfast" in x]


def test_it_serves_as_its_own_user():
    "started is ready; nobody runs as root; stopped leaves nothing"
    with Served():
        assert active()
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in pids()}
        assert owners == {uid_of_service()}, owners


def uid_of_service():
    import pwd
    return pwd.getpwnam("holdfast").pw_uid


def test_a_killed_supervisor_is_followed_by_another():
    "and the client has not noticed"
    with Served():
        for _ in range(5):
            pid = main_pid()
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: main_pid() not in (0, pid) and active(),
                     what="the next supervisor")
        assert int(show("NRestarts")) == 5


def test_a_stopped_supervisor_is_noticed():
    "by the watchdog of systemd; the client has not noticed"
    with Served():
        pid = main_pid()
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: main_pid() not in (0, pid) and active(), timeout=30,
                 what="the next supervisor")


def test_reload_and_upgrade():
    "systemctl reload, holdfast upgrade: the main process stays"
    with Served():
        pid = main_pid()
        ctl("reload", "holdfast")
        sh("/usr/local/bin/holdfast", "upgrade",
           env={**os.environ, "HOLDFAST_RUN_DIR": "/run/holdfast"},
           stdout=subprocess.DEVNULL)
        assert active() and main_pid() == pid


def test_all_killed_at_once():
    """systemd keeps the listeners: who connects meanwhile waits and is served,
    and what was written is there"""
    configure()
    with started("holdfast"):
        for i in range(5):
            with Modbus(502) as m:
                m.write_hr(0, 4711 + i)
            ctl("kill", "--kill-who=all", "-s", "KILL", "holdfast")
            with Modbus(502) as m:
                assert m.read_hr(0) == [4711 + i]
            wait_for(active, what="it serves again")


def test_who_connects_starts_it():
    "holdfast.socket"
    configure()
    unit = "/etc/systemd/system/holdfast.socket.d"
    os.makedirs(unit)
    with open(unit + "/here.conf", "w") as f:
        f.write("[Socket]\nListenStream=\nListenStream=127.0.0.1:502\n")
    ctl("daemon-reload")
    with started("holdfast.socket", "holdfast.service"):
        assert not active()
        with Modbus(502) as m:
            m.write_hr(0, 1)
            assert m.read_hr(0) == [1]
        wait_for(active, what="it says that it serves")


def test_instances():
    "holdfast@.service: two servers, each by itself, with its own snapshots"
    names = "north", "south"
    for i, name in enumerate(names):
        configure(f"/etc/holdfast/{name}.json", name, 5020 + i,
                  f"holdfast-{name}")
    with started(*(f"holdfast@{name}" for name in names)):
        ctl("start", "holdfast@south")
        os.kill(main_pid("holdfast@north"), signal.SIGKILL)
        for i, name in enumerate(names):
            with Modbus(5020 + i) as m:
                m.write_hr(0, i)
                assert m.read_hr(0) == [i]
            wait_for(lambda: active(f"holdfast@{name}"))
    for name in names:
        wait_for(lambda: not pids(f"holdfast@{name}"))
        assert os.path.exists(f"/var/lib/holdfast-{name}/{name}.snap"), name


if __name__ == "__main__":
    if "--inside" in sys.argv:
        sh("systemd-sysusers")
        sysutil.run([], 100)
    for arg in sys.argv[1:]:
        if arg.startswith("--boot="):
            sys.exit(boot(arg[7:]))
    sys.exit(outside())
