# SPDX-License-Identifier: Apache-2.0
"""How holdfastd starts, refuses to start, and what its children are born
with; signals HUP and USR1; the service manager."""

import errno
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_tools as bt  # noqa: E402
import sysutil  # noqa: E402
import toy  # noqa: E402
from sysutil import Skip, wait_for  # noqa: E402
from toy import Toys, run_to_end  # noqa: E402

F_OFD_SETLK = 37  # <fcntl.h>
USAGE, NOINPUT, UNAVAILABLE, CANTCREAT, NOPERM, CONFIG = 64, 66, 69, 73, 77, 78


class Place:
    """A directory with a configuration in it."""

    def __init__(self, conf=None):
        self.dir = tempfile.mkdtemp(prefix="hf-")
        self.path = os.path.join(self.dir, "c.json")
        self.run = os.path.join(self.dir, "run")
        self.conf = dict(conf or toy.conf())
        self.conf.setdefault("store", {"name": sysutil.unique_store()})
        self.store = self.conf["store"]["name"]
        self.write(json.dumps(self.conf))

    def write(self, text):
        with open(self.path, "w") as f:
            f.write(text)

    def end(self, *args, **more):
        return run_to_end(["-c", self.path, "--run-dir", self.run, *args],
                          **more)

    def nothing_left(self):
        assert not sysutil.shm_objects(self.store)
        assert not os.path.isdir(self.run) or not os.listdir(self.run)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        sysutil.shutil.rmtree(self.dir, ignore_errors=True)


# ---- the command line ----

def test_version_and_help_are_printed_and_that_is_all():
    done = run_to_end(["-V"])
    assert done.returncode == 0 and re.match(
        r"holdfastd \d+\.\d+\.\d+\nlua: (yes|no)\n$", done.stdout)
    done = run_to_end(["--help"])
    assert done.returncode == 0 and "--check-config" in done.stdout


def test_wrong_usage_ends_with_64_and_the_nearest_option():
    done = run_to_end(["--chek-config"])
    assert done.returncode == USAGE
    assert 'did you mean "check-config"?' in done.stderr
    assert done.stdout == ""


def test_a_missing_configuration_ends_with_66_and_its_name():
    done = run_to_end(["-c", "/nonexistent/h.json", "--run-dir", "/tmp/x-no"])
    assert done.returncode == NOINPUT, done
    assert "/nonexistent/h.json" in done.stderr
    assert not os.path.exists("/tmp/x-no")


def test_a_configuration_that_may_not_be_read_ends_with_77():
    with Place() as p:
        os.chmod(p.path, 0)
        if os.geteuid() == 0:  # may read everything: so as somebody else
            os.chmod(p.dir, 0o755)
            done = p.end(user="nobody")
        else:
            done = p.end()
        assert done.returncode == NOPERM, done


def test_check_says_ok_and_starts_nothing():
    with Place() as p:
        done = p.end("-t")
        assert done.returncode == 0 and done.stdout == f"{p.path}: OK\n"
        assert not os.path.exists(p.run)


def test_ten_mistakes_are_ten_lines_and_start_nothing():
    transports = {f"t{i}": {"type": "tcp", "listen": "127.0.0.1:0",
                            "units": {"1": "plc1"}, "maxcon": i}
                  for i in range(10)}
    with Place({**toy.conf(), "transports": transports}) as p:
        for args in (["-t"], []):
            done = p.end(*args)
            assert done.returncode == CONFIG, done
            lines = done.stderr.splitlines()
            assert len(lines) == 10, done.stderr
            assert all(re.match(rf"{re.escape(p.path)}:\d+:\d+: .*maxcon", x)
                       for x in lines), done.stderr
        p.nothing_left()


def test_dump_prints_the_configuration_with_its_defaults():
    with Place() as p:
        done = p.end("-T")
        assert done.returncode == 0
        p.write(done.stdout)
        again = p.end("--dump-config")
        assert again.stdout == done.stdout
        assert json.loads(done.stdout)["store"]["name"] == p.store


# ---- what is in the way ----

def test_ports_in_use_are_all_named_and_nothing_is_started():
    with socket.create_server(("127.0.0.1", 0)) as a, \
            socket.create_server(("127.0.0.1", 0)) as b:
        ports = [s.getsockname()[1] for s in (a, b)]
        with Place(toy.conf({
                "first": {"listen": f"127.0.0.1:{ports[0]}"},
                "free": {},
                "second": {"listen": f"127.0.0.1:{ports[1]}"}})) as p:
            done = p.end()
            assert done.returncode == UNAVAILABLE, done
            for name, port in zip(("first", "second"), ports):
                assert (f"transport {name}: cannot listen on "
                        f"127.0.0.1:{port}: Address already in use"
                        ) in done.stderr, done.stderr
            assert "free" not in done.stderr
            p.nothing_left()


def test_an_address_that_is_not_ours_ends_with_69():
    with Place(toy.conf({"tcp1": {"listen": "192.0.2.1:0"}})) as p:
        done = p.end()
        assert done.returncode == UNAVAILABLE
        assert "192.0.2.1:0" in done.stderr
        p.nothing_left()


def test_a_port_that_needs_privilege_ends_with_77():
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
            if int(f.read()) <= 502:
                raise Skip("every user may bind port 502 here")
    except FileNotFoundError:
        pass
    if os.geteuid() != 0:
        user = {}
    else:
        user = {"user": "nobody"}
    with Place(toy.conf({"tcp1": {"listen": "127.0.0.1:502"}})) as p:
        os.chmod(p.dir, 0o777)
        done = p.end(**user)
        assert done.returncode == NOPERM, done
        assert "CAP_NET_BIND_SERVICE" in done.stderr
        p.nothing_left()


def test_a_run_directory_that_cannot_be_made_ends_with_73():
    with Place() as p:
        p.run = "/proc/nowhere/run"
        done = p.end()
        assert done.returncode == CANTCREAT, done
        assert "/proc/nowhere/run" in done.stderr
        p.run = p.path  # a file
        done = p.end()
        assert done.returncode == CANTCREAT, done


def test_a_second_daemon_is_refused_with_the_pid_of_the_first():
    with Toys(toy.conf()) as d:
        with Place() as p:  # another store, the same run directory
            done = run_to_end(["-c", p.path, "--run-dir", d.run_dir])
            assert done.returncode == UNAVAILABLE, done
            assert f"(pid {d.pid}) is using the run directory" in done.stderr
        with Place(toy.conf(store={"name": d.store})) as p:
            done = p.end()
            assert done.returncode == UNAVAILABLE, done
            assert f"(pid {d.pid}) is using the store" in done.stderr
            assert not os.path.exists(p.run)
        d.ask("tcp1", "pid")


def test_a_store_that_somebody_clears_up_just_now_can_be_had():
    store = sysutil.unique_store()
    with open(f"/dev/shm/holdfast-{store}", "w") as f:
        fcntl.fcntl(f, F_OFD_SETLK, struct.pack(
            "hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
        with Toys(toy.conf(store={"name": store}), ready=False) as d:
            wait_for(lambda: os.path.exists(os.path.join(d.run_dir, "lock")))
            f.close()  # it has been refused once, or is about to be
            wait_for(lambda: os.path.exists(d.ready_path))
            d.ask("tcp1", "pid")


def test_a_user_that_does_not_exist_is_a_mistake_of_the_configuration():
    with Place(toy.conf({"tcp1": {"user": "no-such-user"}})) as p:
        done = p.end()
        assert done.returncode == CONFIG, done
        assert "no-such-user" in done.stderr
        p.nothing_left()


def test_locks_of_a_dead_one_are_waited_for():
    """what a daemon was forking when it was killed has its locks for a moment
    more: whoever follows waits for that, and is not refused"""
    dead = subprocess.Popen(["true"])
    dead.wait()
    with Place() as p:
        ready = os.path.join(p.run, "ready")
        os.mkdir(p.run, 0o750)
        paths = os.path.join(p.run, "lock"), f"/dev/shm/holdfast-{p.store}"
        for path in paths:
            with open(path, "w+") as held:
                held.write(f"{dead.pid}\n")
                held.flush()
                fcntl.fcntl(held, F_OFD_SETLK, struct.pack(
                    "hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
                d = subprocess.Popen(
                    [os.path.join(sysutil.BUILD, "holdfastd"), "-c", p.path,
                     "--run-dir", p.run], stderr=subprocess.PIPE)
                fd = os.pidfd_open(d.pid)
                refused = select.select([fd], [], [], 0.7)[0]
                os.close(fd)
                assert not refused, d.communicate()
            wait_for(lambda: os.path.exists(ready) or d.poll() is not None)
            d.send_signal(signal.SIGTERM)
            _, said = d.communicate()
            assert d.returncode == 0, said
        p.nothing_left()


def test_only_root_may_give_workers_another_user():
    if os.geteuid() != 0:
        raise Skip("needs root to become somebody else first")
    with Place(toy.conf({"tcp1": {"user": "daemon"}})) as p:
        os.chmod(p.dir, 0o777)
        done = p.end(user="nobody")
        assert done.returncode == NOPERM, done
        p.nothing_left()


# ---- ready ----

def test_ready_lists_every_transport_with_its_real_port():
    conf = toy.conf({"tcp1": {}, "later": {"autostart": False},
                     "tcp3": {"listen": "[::1]:0"}})
    with Toys(conf) as d:
        with open(d.ready_path) as f:
            lines = f.read().splitlines()
        assert re.match(r"tcp1 tcp 127\.0\.0\.1:\d+$", lines[0]), lines
        assert re.match(r"tcp3 tcp \[::1\]:\d+$", lines[1]), lines
        assert len(lines) == 2
        assert d.port("tcp1") != 0
        assert d.show(1)["state"] == "stopped"
        assert d.order("start 1").rc == 0
        assert "later" in d.transports()


def test_ready_waits_for_the_slowest():
    with Toys(toy.conf(2), births={"tcp2": "hang"}, ready=False) as d:
        d.wait_stderr("transport tcp1 up")
        d.wait_stderr("control up")
        assert not os.path.exists(d.ready_path)
        # hung at its birth: an order makes another one
        d.birth("tcp2", None)
        assert d.order("restart 1 0").rc == 0
        wait_for(lambda: os.path.exists(d.ready_path))


def test_a_daemon_without_transports_is_ready_at_once():
    with Toys({**toy.conf(), "transports": {}}) as d:
        assert d.transports() == {}


def test_it_is_ready_within_100_ms_and_under_4_mib():
    took = []
    for _ in range(5):
        began = time.monotonic()
        with Toys(toy.conf(4)) as d:
            took.append((time.monotonic() - began) * 1000)
            with open(f"/proc/{d.pid}/status") as f:
                status = dict(re.findall(r"^(\w+):\s+(\d+) kB", f.read(), re.M))
    rss = (int(status["RssAnon"]) + int(status["RssFile"])) / 1024
    print(f"    start to ready: {min(took):.1f} to {max(took):.1f} ms; "
          f"supervisor {rss:.2f} MiB, of it {int(status['RssAnon'])} KiB "
          "its own")
    assert sorted(took)[2] < 100 * bt.pace(), took
    if "asan" not in sysutil.BUILD and "tsan" not in sysutil.BUILD:
        assert rss < 4, status


# ---- births ----

def state(d, name):
    return dict(f.split("=") for f in d.ask(name, "state").split())


def test_children_have_only_what_they_were_given():
    keys = {"tcp1": {"max_connections": 2000},
            "ro": {"access": "read-only"},
            "both": {"units": {"1": "plc1", "2": "plc2"}}}
    with Toys(toy.conf(keys)) as d:
        s = state(d, "tcp1")
        # 0 1 2, channel, listener, lock, the connection that asks; and its
        # keeper's channel, lock and holds on it and on itself
        assert int(s["open"]) == 11, s
        assert s["devices"] == "1" and s["writable"] == "1", s
        assert int(s["files"]) >= 2000 and s["core"] == "0", s
        assert s["privs"] == "1" and s["name"] == "hf:tcp1", s
        assert s["held"] == "1", "the supervisor's own byte is not held"
        s = state(d, "ro")
        assert s["devices"] == "1" and s["writable"] == "0", s
        assert state(d, "both")["devices"] == "2"
        assert state(d, "control")["devices"] == "2"


def test_a_read_only_transport_cannot_write_even_if_it_wants_to():
    with Toys(toy.conf({"ro": {"access": "read-only"}, "rw": {}})) as d:
        pid = d.show()["pid"]
        with d.line("ro") as c:
            assert c.ask("forge 0") == ""  # dies of it
        d.wait_new_child("ro", pid)
        assert d.ask("rw", "write 1") == "wrote 0"


def test_a_worker_becomes_the_user_that_the_configuration_names():
    if os.geteuid() != 0:
        raise Skip("needs root")
    import pwd
    uid = pwd.getpwnam("nobody").pw_uid
    with Toys(toy.conf({"tcp1": {"user": "nobody"}, "tcp2": {}})) as d:
        assert int(state(d, "tcp1")["uid"]) == uid
        assert int(state(d, "tcp2")["uid"]) == 0
        with open(f"/proc/{d.show()['pid']}/status") as f:
            text = f.read()
        assert re.search(r"^CapEff:\s+0+$", text, re.M), text
        assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", text, re.M)
        d.order("restart 0 100")
        assert int(state(d, "tcp1")["uid"]) == uid


def test_it_starts_with_signals_ignored_files_closed_and_files_left_open():
    def before():
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.close(0)
        os.close(1)

    stray = [os.dup2(2, n) for n in (77, 200)]  # left open by a careless one
    original = subprocess.Popen

    def popen(*args, **more):
        return original(*args, preexec_fn=before, pass_fds=stray, **more)

    subprocess.Popen = popen
    try:
        d = Toys(toy.conf())
    finally:
        subprocess.Popen = original
    with d:
        for fd in stray:
            os.close(fd)
            for pid in [d.pid, *d.children()]:
                assert not os.path.exists(f"/proc/{pid}/fd/{fd}")
        pid = d.child("tcp1")
        os.kill(pid, signal.SIGKILL)
        assert int(d.ask("tcp1", "pid")) != pid


# ---- HUP ----

def rewrite(d, change):
    with open(d.conf_path) as f:
        conf = json.load(f)
    change(conf)
    with open(d.conf_path, "w") as f:
        json.dump(conf, f)


def test_hup_says_what_has_changed_and_changes_nothing():
    with Toys(toy.conf(2)) as d:
        pids = d.children()

        def change(c):
            c["transports"]["tcp1"]["max_connections"] = 17
            c["transports"]["tcp9"] = c["transports"].pop("tcp2")
            c["devices"]["plc1"]["coils"] = [{"addr": 0}]
            c["drain_timeout_s"] = 9
            c["store"]["name"] += "x"  # which is what cannot be
        rewrite(d, change)
        d.signal(signal.SIGHUP)
        d.wait_stderr("restart holdfastd")
        for line in ("transport tcp1: changed", "transport tcp2: removed",
                     "transport tcp9: added", "device plc1: changed",
                     "key drain_timeout_s: changed"):
            assert f"configuration: {line}\n" in d.stderr_text(), line
        assert "device plc2" not in d.stderr_text()
        assert d.children() == pids


def test_a_bad_file_is_reported_with_its_places_and_the_old_one_stays():
    with Toys(toy.conf()) as d:
        rewrite(d, lambda c: c["transports"]["tcp1"].update(maxcon=1))
        done = d.order("reload")
        assert done.rc == errno.EINVAL and "maxcon" in done.text, vars(done)
        assert re.search(rf"{re.escape(d.conf_path)}:\d+:\d+: .*maxcon",
                         d.stderr_text())
        os.unlink(d.conf_path)
        assert d.order("reload").rc == errno.EIO
        d.ask("tcp1", "pid")


def test_reload_is_answered():
    with Toys(toy.conf()) as d:
        done = d.order("reload")
        assert done.rc == 0 and done.text == "nothing has changed", vars(done)
        rewrite(d, lambda c: c["transports"]["tcp1"].update(trace=False))
        done = d.order("reload")
        assert done.rc == 0 and "tcp1: changed" in done.text, vars(done)
        rewrite(d, lambda c: c["transports"]["tcp1"].update(
            max_connections=17))
        done = d.order("reload")
        assert done.rc == 0 and "tcp1: changed" in done.text, vars(done)
        rewrite(d, lambda c: c["store"].update(name=c["store"]["name"] + "x"))
        done = d.order("reload")
        assert done.rc == errno.ENOTSUP, vars(done)
        with d.line("control") as c:
            for _ in range(3):
                c.send("reload")
            got = [toy.Done(c.read()).rc for _ in range(3)]
        assert sorted(got) in ([errno.EBUSY, errno.EBUSY, errno.ENOTSUP],
                               [errno.EBUSY, errno.ENOTSUP, errno.ENOTSUP],
                               [errno.ENOTSUP] * 3), got


def test_a_file_that_cannot_be_read_to_its_end_keeps_nobody_waiting():
    with Toys(toy.conf()) as d:
        os.unlink(d.conf_path)
        os.mkfifo(d.conf_path)  # as good as a file on a dead mount
        done = d.order("reload")
        assert done.rc == errno.ETIMEDOUT, vars(done)
        assert "too long" in done.text
        with d.line("control") as c:
            wait_for(lambda: len(d.children()) == 2)  # the reader has gone
            c.send("reload")
            wait_for(lambda: len(d.children()) == 3)
            d.signal(signal.SIGTERM)
            assert toy.Done(c.read()).rc == errno.ESHUTDOWN
        assert d.wait() == 0


# ---- USR1 ----

def test_usr1_moves_everybody_to_the_new_log():
    user = "nobody" if os.geteuid() == 0 else None
    keys = {"tcp1": {"user": user} if user else {}}
    with Toys(toy.conf(keys), args=["--log-file", "/dev/null"],
              ready=False) as d:
        log = os.path.join(d.dir, "log")
        d.kill()
        d.args[-1] = log
        if os.path.exists(d.ready_path):
            os.unlink(d.ready_path)
        d.start()
        os.rename(log, log + ".1")
        d.signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(log) and
                 "opened anew" in open(log).read())
        with d.line("tcp1") as c:
            c.ask("fail as a child")
        wait_for(lambda: "tcp1: as a child" in open(log).read())
        assert "as a child" not in open(log + ".1").read()


# ---- the service manager ----

def test_the_service_manager_is_told_of_ready_watchdog_and_stopping():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, \
            tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "notify")
        s.bind(path)
        s.settimeout(100)
        with Toys(toy.conf(), env={"NOTIFY_SOCKET": path,
                                   "WATCHDOG_USEC": "400000"}) as d:
            heard = [s.recv(1000).decode()]
            while heard[-1].startswith("FDSTORE=1\n"):
                heard.append(s.recv(1000).decode())
            assert heard[-1].startswith("READY=1\n"), heard
            while heard[-1] != "WATCHDOG=1":
                heard.append(s.recv(1000).decode())
            d.signal(signal.SIGTERM)
            while heard[-1] != "STOPPING=1":
                heard.append(s.recv(1000).decode())
            d.wait()


if __name__ == "__main__":
    sysutil.run()
