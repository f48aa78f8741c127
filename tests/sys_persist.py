#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""store.snapshot: what clients have written is there again after the next
start, whatever ended the last one; and whoever saves it can be killed, be short
of room or lose its directory without anybody else noticing."""

import json
import os
import pwd
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading

import sysutil
from sysutil import Daemon, Modbus, wait_for

KILLS = 6
for a in sys.argv[1:]:
    if a.startswith("--kills="):
        KILLS = int(a[8:])

# The ends of the range are as far apart as they can be: what is torn shows.
DEVICES = {
    "plc1": {"holding_registers": [{"addr": 0, "count": 120, "value": 7},
                                   {"addr": 1000, "count": 4000}],
             "coils": [{"addr": 3, "count": 70}],
             "discrete_inputs": [{"addr": 0, "count": 8}],
             "input_registers": [{"addr": 7, "count": 9}],
             "files": [{"number": 4, "records": 10}]},
    "plc2": {"shared_blocks": True,
             "holding_registers": [{"addr": 0, "count": 20}]}}


def conf(path, devices=None, **snapshot):
    snapshot = {"path": path, "interval_s": 0.1, **snapshot}
    names = list(devices or DEVICES)
    return {"store": {"snapshot": snapshot}, "devices": devices or DEVICES,
            "transports": {"tcp1": {
                "type": "tcp", "listen": "127.0.0.1:0",
                "units": {str(i + 1): n for i, n in enumerate(names)}}}}


class Place:
    """A directory for what is saved."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-persist-")
        self.path = os.path.join(self.dir, "plant.snap")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def names(self):
        return sorted(os.listdir(self.dir))


def saved(d):
    return d.rpc("system.info")["snapshot"]


def status(d):
    """What a person is told."""
    done = d.cli("-o", "table", "status")
    return done.stdout + done.stderr


def shown(path):
    """The commit of each device that a snapshot shows."""
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return {}
    at, found = 112, {}
    while at < len(data):
        magic, _, size, seq = struct.unpack_from("<4sIQQ", data, at)
        assert magic == b"DEVI"
        found[data[at + 24:at + 68].rstrip(b"\0").decode()] = seq
        at += 80 + size
    return found


def wait_saved(d):
    """Until everything that has been written so far is on the disk; what is
    told of that then."""
    def done():
        s, stats = saved(d), d.rpc("stats.get")
        return shown(s["path"]) == {
            n: x["commits"] for n, x in stats["devices"].items()
            } and saved(d)["behind_s"] == 0 and saved(d)

    return wait_for(done, what="a save")


def again(d):
    """Starts a daemon that was killed."""
    if os.path.exists(d.ready_path):
        os.unlink(d.ready_path)
    d.start()


def fill(d):
    with Modbus(d.port("tcp1")) as m:
        m.write_hr(0, [100 + i for i in range(120)])
        for addr in range(1000, 5000, 100):
            m.write_hr(addr, [addr + i for i in range(100)])
        m.write_co(3, [i % 3 == 0 for i in range(70)])
        m.write_hr(0, list(range(20)), unit=2)
    d.cli("set", "plc1/di:0", *[1, 1, 0, 1, 0, 0, 1, 0])
    d.cli("set", "plc1/ir:7", *range(700, 709))


def everything(d):
    with Modbus(d.port("tcp1")) as m:
        return (m.read_hr(0, 120),
                [m.read_hr(a, 100) for a in range(1000, 5000, 100)],
                m.read_co(3, 70), m.read_di(0, 8), m.read_ir(7, 9),
                m.read_hr(0, 20, unit=2))


def kill(pid):
    fd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([fd], [], [], 100)[0]
    os.close(fd)


# ---- the ends that a daemon may have ----

def test_an_orderly_stop_saves_what_was_written_last():
    """however long the interval is; also what control has written"""
    with Place() as p:
        with Daemon(conf(p.path, interval_s=3600)) as d:
            fill(d)
            was = everything(d)
            assert saved(d)["saves"] == 0 and "saved_at" not in saved(d)
        assert p.names() == ["plant.snap"], p.names()
        assert os.stat(p.path).st_mode & 0o777 == 0o600
        with Daemon(conf(p.path)) as d:
            assert everything(d) == was
            s = saved(d)
            assert s["started_with"] > 4000 and s["age_s"] >= 0, s
            assert "warm start" in d.stderr_text()


def test_a_write_while_it_stops_is_saved():
    """each write that was answered before the connection ended"""
    with Place() as p:
        last = 0
        with Daemon(conf(p.path, interval_s=3600)) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 1)
                d.signal(signal.SIGTERM)
                try:
                    for n in range(2, 65536):
                        m.write_hr(0, n)
                        last = n
                except (EOFError, OSError):
                    pass
            assert d.wait() == 0
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0)[0] in (last, last + 1), (last, m.read_hr(0))


def ends_unsaved(d):
    """It says so, and by its exit code."""
    d.signal(signal.SIGTERM)
    assert d.wait() == 74, d.returncode
    said = d.stderr_text()
    assert "this was the last try" in said, said
    assert "stopped without saving the registers" in said, said


def test_a_stop_that_cannot_save_says_so():
    """however often the same has been said before"""
    with Place() as p:
        home = os.path.join(p.dir, "mnt")
        os.mkdir(home)
        with Daemon(conf(os.path.join(home, "plant.snap"))) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 1)
                wait_saved(d)
                os.rename(home, home + "-away")
                m.write_hr(0, 2)
                wait_for(lambda: saved(d)["failures"] >= 2)
            ends_unsaved(d)
            assert d.stderr_text().count("registers cannot be saved") == 2


class Disk:
    """One that is at a standstill when it is told to, beneath a daemon:
    tests/preload/disk.c."""

    def __init__(self, p):
        self.path = os.path.join(p.dir, "disk")
        self.env = {"HOLDFAST_DISK": self.path,
                    "LD_PRELOAD": os.path.join(sysutil.BUILD, "tests",
                                               "preload", "disk.so")}

    def stands(self):
        open(self.path, "w").close()

    def runs(self):
        os.unlink(self.path)


def test_whoever_saves_last_may_be_killed():
    """another one does it, and the daemon does not end before"""
    with Place() as p:
        disk = Disk(p)
        with Daemon(conf(p.path, interval_s=3600), env=disk.env) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 77)
            disk.stands()
            d.signal(signal.SIGTERM)
            d.wait_stderr("persist draining")
            kill(d.child("persist"))
            d.wait_stderr("persist starting was=stopped")
            disk.runs()
            assert d.wait() == 0, d.returncode
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [77]


def test_who_backs_off_saves_last_all_the_same():
    """it has died so often that it was not to come back soon"""
    with Place() as p:
        with Daemon(conf(p.path, interval_s=3600)) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 78)
            for n in range(1, 9):
                kill(wait_for(lambda: child(d)))
                wait_for(lambda: d.stderr_text().count(
                    "persist backoff") == n)
            d.signal(signal.SIGTERM)
            assert d.wait() == 0, d.returncode
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [78]


def test_shutdown_returns_when_the_daemon_has_ended():
    """holdfast shutdown waits for the last save, or says that it did not"""
    with Place() as p:
        disk = Disk(p)
        for args, code in (("-t", "1"), 75), ((), 0):
            with Daemon(conf(p.path, interval_s=3600), env=disk.env) as d:
                with Modbus(d.port("tcp1")) as m:
                    m.write_hr(0, code)
                disk.stands()
                done = subprocess.Popen(
                    [os.path.join(sysutil.BUILD, "holdfast"), *args,
                     "shutdown"], env=d.env, stderr=subprocess.DEVNULL)
                d.wait_stderr("persist draining")
                if code != 0:
                    assert done.wait() == code
                assert d.process.poll() is None
                assert done.poll() in (None, code or None)
                disk.runs()
                assert done.wait() == code
                if code == 0:  # and at once
                    assert d.process.poll() == 0
                assert d.wait() == 0


def test_a_write_while_it_is_orphaned_is_saved():
    """without a supervisor there are still snapshots: what is written then is
    there when the power has been cut"""
    with Place() as p:
        with Daemon(conf(p.path, interval_s=0.1)) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 1)
                before = shown(wait_saved(d)["path"])["plc1"]
                d.orphan()
                m.write_hr(0, 2)
            # under its own name: one that is being written does not count
            wait_for(lambda: any(
                shown(path).get("plc1", 0) > before
                for path in (p.path, p.path + ".old")), what="a snapshot")
            d.cut()
            again(d)
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(0)[0] == 2


def test_a_killed_daemon_leaves_what_was_saved():
    """the supervisor alone, or all at once: nothing is lost; the power is cut:
    what the interval had saved is there"""
    with Place() as p:
        with Daemon(conf(p.path, interval_s=3600)) as d:
            fill(d)
            was = everything(d)
            d.orphan()
            again(d)
            assert everything(d) == was
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(5, 4711)
            was = everything(d)
            d.kill()
            again(d)
            assert "what a killed daemon has left devices=" in d.stderr_text()
            assert everything(d) == was
        with Daemon(conf(p.path)) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(5, 4711)
            wait_saved(d)
            was = everything(d)
            d.cut()
            again(d)
            assert everything(d) == was


def test_nobody_waits_for_the_saver_of_a_former_program():
    """it ends by itself as soon as the next program is there, upgrade after
    upgrade, and leaves what it has to the next one"""
    with Place() as p, Daemon(conf(p.path)) as d:
        with Modbus(d.port("tcp1")) as m:
            for i in range(5):
                m.write_hr(0, i)
                d.cli("upgrade")
                assert m.read_hr(0) == [i]
            wait_saved(d)
        assert "does not end" not in d.stderr_text()


def test_the_saver_can_be_killed_at_any_time():
    """under load: no request fails, each snapshot is of one moment, and the
    next start has at least what had been saved"""
    with Place() as p, Daemon(conf(p.path)) as d:
        over, wrong, count = threading.Event(), [], [0]

        def write():
            try:
                with Modbus(d.port("tcp1")) as m:
                    while not over.is_set():
                        count[0] += 1
                        m.write_hr(0, [count[0] & 0xffff] * 120)
            except Exception as e:
                wrong.append(e)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for i in range(KILLS):
                # a little later each time: not only where it always is
                n = count[0] + 37 * (i % 13)
                wait_for(lambda: count[0] > n or wrong)
                kill(wait_for(lambda: child(d)))
            wait_for(lambda: child(d))
            wait_saved_once(d)
        finally:
            over.set()
            thread.join()
        assert not wrong, wrong
        least = value(p.path)
        assert d.rpc("transports.list")[0]["restarts"] == 0
        d.stop()
        assert value(p.path) == count[0] & 0xffff
        assert least <= count[0]
        assert set(p.names()) <= {"plant.snap", "plant.snap.old"}, p.names()


# the last of them come back later and later, 5 s at most
test_the_saver_can_be_killed_at_any_time.seconds = 60 + 8 * KILLS


def child(d):
    try:
        return d.child("persist")
    except KeyError:
        return None


def wait_saved_once(d):
    n = saved(d)["saves"]
    wait_for(lambda: saved(d)["saves"] > n, what="a save")


def value(path):
    """What the writer wrote, which every register of a snapshot has."""
    with open(path, "rb") as f:
        data = f.read()
    at = 112 + 80
    while True:
        table, addr, count, n = struct.unpack_from("<IIII", data, at)
        at += 16
        if table == 2 and addr == 0:
            break
        at += n
    values = set(struct.unpack_from(">120H", data, at))
    assert len(values) == 1, values
    return values.pop()


# ---- what is put back ----

def test_a_changed_configuration_gets_what_it_has_a_place_for():
    """by device, table and address; what has come starts as configured; one
    line says both"""
    other = {
        "plc1": {"holding_registers": [{"addr": 50, "count": 100, "value": 9},
                                       {"addr": 2000, "count": 10}],
                 "coils": [{"addr": 0, "count": 41}]},
        "plc3": {"holding_registers": [{"addr": 0, "count": 5, "value": 3}]}}
    with Place() as p:
        with Daemon(conf(p.path)) as d:
            fill(d)
        with Daemon(conf(p.path, other)) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(50, 70) == list(range(150, 220))
                assert m.read_hr(120, 30) == [9] * 30
                assert m.read_hr(2000, 10) == list(range(2000, 2010))
                assert m.read_co(0, 3) == [0, 0, 0]
                assert m.read_co(3, 38) == [int(i % 3 == 0) for i in range(38)]
                assert m.read_hr(0, 5, unit=2) == [3] * 5
            lines = [x for x in d.stderr_text().splitlines()
                     if "warm start" in x]
            assert len(lines) == 1, lines
            gone = 50 + 3990 + 32 + 8 + 9 + 10
            fresh = 30 + 3 + 5
            assert f"no_place={gone} no_device=1" in lines[0], lines
            assert f"new={fresh}" in lines[0], lines
        # and the next one saves what there is now
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0, 50) == [7] * 50
            assert m.read_hr(50, 1) == [150]


def test_what_actions_make_begins_anew():
    """unless it is to be retained; and what is not to be is not"""
    devices = {"plc1": {"holding_registers": [
        {"addr": 0, "count": 1, "value": 5, "retain": False},
        {"addr": 1, "count": 1, "value": 5},
        {"addr": 2, "count": 1, "value": 5, "retain": True,
         "action": "increment"},
        {"addr": 3, "count": 1, "value": 5, "action": "increment"}]}}
    with Place() as p:
        with Daemon(conf(p.path, devices)) as d, Modbus(d.port("tcp1")) as m:
            m.write_hr(0, [50, 51])
            for _ in range(10):
                m.read_hr(2, 2)
            went = d.rpc("registers.read", device="plc1", table="hr", addr=0,
                         count=4)["values"]
            assert went[:2] == [50, 51] and min(went[2:]) > 10, went
        with Daemon(conf(p.path, devices)) as d:
            assert d.rpc("registers.read", device="plc1", table="hr", addr=0,
                         count=4)["values"] == [5, 51, went[2], 5]


def test_a_backup_can_be_put_back():
    """while the daemon is stopped; and one that is put there while it runs
    stays, which is told"""
    with Place() as p:
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            m.write_hr(0, 1111)
            wait_saved(d)
            shutil.copy(p.path, p.path + "-backup")
            m.write_hr(0, 2222)
        os.replace(p.path + "-backup", p.path)
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [1111]
            m.write_hr(0, 3333)
            wait_saved(d)
            shutil.copy(p.path, p.path + "-backup")
            m.write_hr(0, 4444)
            wait_saved(d)
            os.replace(p.path + "-backup", p.path)
            m.write_hr(0, 5555)
            d.wait_stderr("somebody else has put a file there")
            assert "somebody else" in saved(d)["error"]
            ends_unsaved(d)
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [3333]


# ---- what is damaged ----

def damage(path):
    with open(path, "r+b") as f:
        f.seek(200)
        was = f.read(1)
        f.seek(200)
        f.write(bytes([was[0] ^ 1]))


def two(p):
    """Two snapshots: the older has 1 in register 0, the newer 2."""
    with Daemon(conf(p.path, interval_s=3600)) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(0, 1)
    with Daemon(conf(p.path, interval_s=3600)) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(0, 2)


def test_a_damaged_snapshot_gives_way_to_the_one_before():
    """with a warning, and is kept for whoever wants to look"""
    with Place() as p:
        two(p)
        damage(p.path)
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [1]
            assert "the one before it is taken" in d.stderr_text()
            wait_saved(d)
            assert "plant.snap.bad" in p.names(), p.names()
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [1]
        os.unlink(p.path)
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [1]


def test_without_a_whole_one_it_starts_as_configured_and_says_so():
    """or not at all, where it is required"""
    with Place() as p:
        # the first of all: nothing was saved, and nothing is missing
        with Daemon(conf(p.path, required=True)) as d:
            assert saved(d)["lost"] is False
        two(p)
        damage(p.path)
        damage(p.path + ".old")
        c = conf(p.path, required=True)
        d = Daemon(c, ready=False)
        try:
            assert d.wait() == 66, d.returncode
            assert "no start without the registers" in d.stderr_text()
        finally:
            d.clean()
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [7]
            assert "are lost" in d.stderr_text()
            assert saved(d)["lost"] is True
            assert "damaged" in status(d)
            wait_saved(d)
        with Daemon(conf(p.path, required=True)) as d:
            assert saved(d)["lost"] is False


def test_what_is_no_snapshot_stays():
    """it is told, and everything else serves"""
    with Place() as p:
        with open(p.path, "w") as f:
            f.write("minutes of the meeting")
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            d.wait_stderr("what is there is no snapshot")
            m.write_hr(0, 3)
            assert saved(d)["failures"] > 0
            ends_unsaved(d)
        with open(p.path) as f:
            assert f.read() == "minutes of the meeting"
        assert p.names() == ["plant.snap"]


# ---- a disk that will not ----

def fails_and_recovers(p, d, m, hurt, heal, words):
    """Told once, tried again, and the old state is kept meanwhile."""
    m.write_hr(0, 1)
    wait_saved(d)
    hurt()
    m.write_hr(0, 2)
    wait_for(lambda: saved(d)["failures"] >= 2, what="a second failure")
    s = saved(d)
    assert words in s["error"] and s["behind_s"] > 0, s
    assert "NOT SAVED" in status(d)
    assert d.stderr_text().count("cannot be saved") == 1
    heal()
    wait_for(lambda: saved(d)["behind_s"] == 0, what="a save again")
    assert "error" not in saved(d)
    assert "saved again" in d.stderr_text()


def test_a_full_disk_is_borne():
    """the file that there was stays whole, and the next one comes when there
    is room"""
    with Place() as p:
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            def limit(most):
                resource.prlimit(d.child("persist"), resource.RLIMIT_FSIZE,
                                 (most, resource.RLIM_INFINITY))

            def hurt():
                limit(6000)  # the log is shorter

            def heal():
                assert p.names() == ["plant.snap"] or p.names() == [
                    "plant.snap", "plant.snap.old"], p.names()
                limit(resource.RLIM_INFINITY)

            fails_and_recovers(p, d, m, hurt, heal, "File too large")
            m.write_hr(0, 6)
        with Daemon(conf(p.path)) as d, Modbus(d.port("tcp1")) as m:
            assert m.read_hr(0) == [6]


def test_a_directory_that_goes_is_missed_and_found_again():
    """a mount that comes and goes"""
    with Place() as p:
        home = os.path.join(p.dir, "mnt")
        os.mkdir(home)
        path = os.path.join(home, "plant.snap")
        with Daemon(conf(path)) as d, Modbus(d.port("tcp1")) as m:
            fails_and_recovers(p, d, m,
                               lambda: os.rename(home, home + "-away"),
                               lambda: os.rename(home + "-away", home),
                               "No such file")
        # and a start without it says that something is wrong
        os.rename(home, home + "-away")
        d = Daemon(conf(path, required=True), ready=False)
        try:
            assert d.wait() == 66
        finally:
            d.clean()


def test_a_directory_that_is_missing_is_a_mistake_where_it_is_required():
    """holdfastd -t says so, with the place; elsewhere a start goes on"""
    with Place() as p:
        home = os.path.join(p.dir, "mnt")
        path = os.path.join(p.dir, "c.json")

        def check(required):
            c = conf(os.path.join(home, "plant.snap"), required=required)
            with open(path, "w") as f:
                json.dump(c, f)
            done = subprocess.run(
                [os.path.join(sysutil.BUILD, "holdfastd"), "-t", "-c", path],
                capture_output=True, text=True)
            return done.returncode, done.stderr
        assert check(False) == (0, "")
        code, said = check(True)
        assert code == 78 and "No such file or directory" in said, said
        assert said.startswith(f"{path}:1:") and home in said, said
        os.mkdir(home)
        assert check(True) == (0, "")


def test_it_runs_as_its_own_user():
    """and may then write where that may, and nowhere else"""
    if os.geteuid() != 0:
        raise sysutil.Skip("only root may")
    nobody = pwd.getpwnam("nobody")
    with Place() as p:
        os.chmod(p.dir, 0o755)
        with Daemon(conf(p.path, user="nobody")) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 9)
            d.wait_stderr("Permission denied")
            os.chown(p.dir, nobody.pw_uid, nobody.pw_gid)
            wait_for(lambda: saved(d)["saves"] > 0)
            assert os.stat(p.path).st_uid == nobody.pw_uid
            # the registers are mapped to be read
            with open(f"/proc/{d.child('persist')}/maps") as f:
                maps = [x for x in f if f"holdfast-{d.store}.d" in x or
                        f"holdfast-{d.store}" in x and "plc" in x]
            assert all("w" not in x.split()[1] for x in maps), maps
        with Daemon(conf(p.path, user="nobody")) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_hr(0) == [9]


# ---- what is seen of it ----

def test_nothing_is_written_while_nothing_changes():
    """a flash card lives longer so"""
    with Place() as p, Daemon(conf(p.path)) as d:
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(0, 1)
            wait_saved(d)
            n, inode = saved(d)["saves"], os.stat(p.path).st_ino
            with Watched(p.dir) as w:
                for _ in range(3):
                    d.cli("ping")
                    m.read_hr(0, 100)
                assert not w.seen(0.5)
            assert saved(d)["saves"] == n
            assert os.stat(p.path).st_ino == inode
            m.write_hr(0, 2)
            wait_for(lambda: saved(d)["saves"] == n + 1)


class Watched:
    """What happens in a directory."""

    def __init__(self, directory):
        self.watch = sysutil.Watch(directory)

    def __enter__(self):
        return self

    def seen(self, timeout):
        return bool(select.select([self.watch.fd], [], [], timeout)[0])

    def __exit__(self, *_):
        self.watch.close()


def test_it_shows():
    """in status, in the counters, on the page's metrics"""
    with Place() as p:
        c = conf(p.path)
        c["http"] = {"listen": "127.0.0.1:0"}
        with Daemon(c) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, 1)
            s = wait_saved(d)
            assert s["path"] == p.path and s["interval_s"] == 0.1
            assert s["bytes"] == os.path.getsize(p.path)
            said = status(d)
            assert f"saved" in said and p.path in said, said
            assert d.rpc("stats.get")["snapshot"]["saves"] == s["saves"]
            text = subprocess.run(
                ["curl", "-s", d.rpc("system.info")["http"] + "metrics"],
                capture_output=True, text=True).stdout
            for name in ("age_seconds", "behind_seconds", "bytes", "failing",
                         "saves_total", "failures_total", "duration_seconds"):
                assert f"\nholdfast_snapshot_{name} " in text, name
            assert "persist" in d.rpc("system.info")["aides"]
            # a copy of one's own is made elsewhere
            done = d.cli("snapshot", "save", p.path, ok=False)
            assert done.returncode == 1 and "itself" in done.stderr, done
            d.cli("snapshot", "save", p.path.replace("plant", "copy"))


def test_mistakes_in_the_keys_are_found():
    """holdfastd -t"""
    with Place() as p:
        for snapshot, words in (
                ({}, '"path" is missing in "snapshot"'),
                ({"path": p.dir}, "it must be a file"),
                ({"path": p.path, "interval_s": 0.05},
                 "it must be from 0.1 to 86400"),
                ({"path": p.path, "required": 1}, "true or false"),
                ({"path": p.path, "user": "nobody-at-all"}, "no user"),
                ({"path": p.path, "intervall_s": 1},
                 'did you mean "interval_s"?')):
            c = conf(p.path)
            c["store"] = {"snapshot": snapshot}
            path = os.path.join(p.dir, "c.json")
            with open(path, "w") as f:
                json.dump(c, f)
            done = subprocess.run(
                [os.path.join(sysutil.BUILD, "holdfastd"), "-t", "-c", path],
                capture_output=True, text=True)
            assert done.returncode == 78, done
            assert words in done.stderr, done.stderr


if __name__ == "__main__":
    sysutil.run()
