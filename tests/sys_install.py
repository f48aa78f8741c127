#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was installed works from where it was installed, and what was not is
said before anything is served."""

import os
import shutil
import socket
import subprocess
import tempfile

import sysutil
from sysutil import BUILD, ROOT, Daemon, Modbus, demo_conf

PREFIX = "/opt/plant"


def install(where, what="install"):
    """The tree below where + PREFIX."""
    done = subprocess.run(
        ["make", "-C", ROOT, "O=" + os.path.relpath(BUILD, ROOT), what,
         "DESTDIR=" + where, "PREFIX=" + PREFIX],
        capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    return where + PREFIX


def serve(*args, program=os.path.join(BUILD, "holdfastd")):
    """holdfastd that is expected to refuse; its exit code and its words."""
    done = subprocess.run(
        [program, "-c", os.path.join(ROOT, "conf/minimal.json"), *args],
        capture_output=True, text=True, timeout=100)
    return done.returncode, done.stderr


def without_parts(where):
    """A copy of the daemon and its library that nothing lies beside."""
    for name in "holdfastd", "libholdfast.so.0":
        shutil.copy(os.path.join(BUILD, name), where)
    return os.path.join(where, "holdfastd")


def test_installed_tree_serves():
    """what make install leaves serves Modbus and answers its command line"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        with Daemon(demo_conf(),
                    program=os.path.join(top, "sbin/holdfastd")) as d:
            with Modbus(d.port("tcp1")) as m:
                m.write_hr(0, [7])
            got = subprocess.run(
                [os.path.join(top, "bin/holdfast"), "get", "hr:0"],
                env=d.env, capture_output=True, text=True, timeout=100)
            assert got.stdout.split() == ["hr:0", "7"], got


def test_uninstall_leaves_what_is_not_ours():
    """make uninstall removes every file that make install put there, and
    nothing else"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        other = os.path.join(top, "lib/systemd/system/other.service")
        open(other, "w").close()
        install(where, "uninstall")
        left = [os.path.join(d, f) for d, _, files in os.walk(where)
                for f in files]
        assert left == [other], left


def test_a_configuration_is_installed_once():
    """there is something to begin with in /etc; who has edited it keeps it"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        path = os.path.join(where, "etc/holdfast/holdfast.json")
        done = subprocess.run(
            [os.path.join(top, "sbin/holdfastd"), "-t", "-c", path],
            capture_output=True, text=True)
        assert done.returncode == 0, done
        with open(path) as f:
            text = f.read().replace('"plc1"', '"mine"')
        with open(path, "w") as f:
            f.write(text)
        install(where)
        install(where, "uninstall")
        with open(path) as f:
            assert f.read() == text


def test_installed_units_are_of_the_installed_programs():
    """systemd finds its units below PREFIX, with the programs there, and has
    nothing to say against them"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        units = os.path.join(top, "lib/systemd/system")
        for name in ("holdfast.service", "holdfast@.service",
                     "holdfast.socket"):
            path = os.path.join(units, name)
            with open(path) as f:
                text = f.read()
            assert "/usr/local" not in text
            assert name.endswith("socket") or \
                f"ExecStart={PREFIX}/sbin/holdfastd -c" in text
            # where it is now, so that systemd finds the programs
            with open(path, "w") as f:
                f.write(text.replace(PREFIX + "/", top + "/"))
        with open(os.path.join(top, "lib/sysusers.d/holdfast.conf")) as f:
            assert "u holdfast" in f.read()
        if not shutil.which("systemd-analyze"):
            raise sysutil.Skip("there is no systemd-analyze")
        instance = os.path.join(units, "holdfast@plant.service")
        shutil.copy(os.path.join(units, "holdfast@.service"), instance)
        for name in "holdfast.service", "holdfast.socket", instance:
            said = subprocess.run(
                ["systemd-analyze", "verify", "--man=no",
                 os.path.join(units, name)], capture_output=True, text=True,
                timeout=600)
            assert said.returncode == 0 and top not in said.stderr, said


def test_installed_python_client_is_imported_and_answers():
    """holdfast.py lies where Python can be told to look, and works there"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where, \
            Daemon(demo_conf()) as d:
        top = install(where)
        place = os.path.join(top, "lib/python3/dist-packages")
        got = subprocess.run(
            ["/usr/bin/python3", "-B", "-m", "holdfast", "get", "ir:0"],
            env=dict(d.env, PYTHONPATH=place), cwd=where,
            capture_output=True, text=True, timeout=100)
        assert got.stdout.split() == ["ir:0", "7"], got
        with open(os.path.join(place, "holdfast.py")) as f, \
                open(os.path.join(top, "share/holdfast/holdfast.py")) as g:
            assert f.read() == g.read()
        # and under /usr/local where this machine's Python looks by itself
        said = subprocess.run(
            ["make", "-C", ROOT, "-n", "O=" + os.path.relpath(BUILD, ROOT),
             "install", "PREFIX=/usr/local"], capture_output=True, text=True)
        paths = subprocess.run(
            ["/usr/bin/python3", "-c", "import sys; print(*sys.path)"],
            capture_output=True, text=True).stdout.split()
        assert any(f"holdfast.py {p}\n" in said.stdout for p in paths
                   if p.startswith("/usr/local/")), said.stdout


def test_installed_tree_runs_a_module_of_actions():
    """what runs a Python module is found where it was installed"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        module = os.path.join(top, "share/holdfast/examples/actions.py")
        c = demo_conf(actions={"module": module})
        c["devices"]["plc1"]["input_registers"] = [
            {"addr": 0, "action": "count"}]
        with Daemon(c, program=os.path.join(top, "sbin/holdfastd")) as d:
            with Modbus(d.port("tcp1")) as m:
                assert m.read_ir(0) == [1], d.stderr_text()


def test_installed_tree_has_the_manuals_and_samples():
    """manuals and samples lie where they are looked for"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        for name in ("man1/holdfast.1", "man5/holdfast.json.5",
                     "man7/holdfast-control.7", "man7/holdfast-plugin.7",
                     "man7/holdfast-python.7",
                     "man8/holdfastd.8"):
            path = os.path.join(top, "share/man", name)
            assert os.path.getsize(path) > 1000, path
        with open(os.path.join(
                top, "share/bash-completion/completions/holdfast")) as f:
            assert "--complete" in f.read()
        samples = os.path.join(top, "share/holdfast/examples")
        assert os.path.exists(os.path.join(samples, "map.csv"))
        # some of them want certificates beside them
        subprocess.run([os.path.join(top, "bin/holdfast"), "certs", "demo",
                        os.path.join(samples, "certs")], check=True)
        for name in os.listdir(samples):
            if not name.endswith(".json") or name == "roles.json":
                continue
            done = subprocess.run(
                [os.path.join(top, "sbin/holdfastd"), "-t", "-c",
                 os.path.join(samples, name)], capture_output=True)
            if name == "replay.json":  # its recording is not there yet
                assert b"recorded.pcap: No such file" in done.stderr
                continue
            assert done.returncode == 0, done.stderr


def test_installed_plugins_are_found_by_name():
    """the unix plugin serves by its name, and its source compiles with what
    was installed"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = install(where)
        own = os.path.join(where, "own.so")
        subprocess.run(
            ["cc", "-D_GNU_SOURCE", "-I" + os.path.join(top, "include"),
             "-shared", "-fPIC", "-o", own,
             os.path.join(top, "share/holdfast/examples/plugins/unix.c")],
            check=True, timeout=600)
        for plugin in "unix", own:
            conf = demo_conf()
            conf["transports"]["u1"] = {
                "type": "unix", "plugins": [plugin], "units": {"1": "plc1"},
                "listen": os.path.join(where, "u1.sock")}
            with Daemon(conf, program=os.path.join(top, "sbin/holdfastd")) as d:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(os.path.join(where, "u1.sock"))
                    s.sendall(bytes.fromhex("0001000000060103000a0001"))
                    assert s.recv(64)[7:] == bytes.fromhex("03020000")
                with open(f"/proc/{d.worker_pid('u1')}/maps") as f:
                    lib = own if plugin == own else os.path.join(
                        top, "lib/holdfast/plugins/unix.so")
                    assert lib in f.read()


def test_a_missing_part_is_refused():
    """a daemon whose parts are not there refuses to serve half a service"""
    if os.path.exists("/usr/local/lib/holdfast/parts/control.so"):
        raise sysutil.Skip("a holdfast is installed on this machine")
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        lonely = without_parts(where)
        run = os.path.join(where, "run")
        code, said = serve("--run-dir", run, program=lonely)
        assert code == 69 and "control.so" in said, (code, said)
        assert not os.path.exists(run)


def test_a_part_of_another_build_is_refused():
    """what an older installation has left is not called"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        daemon = without_parts(where)
        os.mkdir(os.path.join(where, "parts"))
        source = os.path.join(where, "old.c")
        for body, word in (
                ("int part_join(void *h) { (void)h; return -1; }",
                 "another build"),
                ("", "part_join")):
            with open(source, "w") as f:
                f.write("int control_main(void *);\n%s\n"
                        "int control_main(void *p) { __builtin_trap(); }\n"
                        % body)
            subprocess.run(
                ["cc", "-shared", "-fPIC", "-o",
                 os.path.join(where, "parts/control.so"), source],
                check=True, timeout=600)
            with Daemon(demo_conf(), program=daemon,
                        ready=False) as d:
                d.wait_stderr(word)


def test_a_run_directory_without_a_name_is_refused():
    """an empty --run-dir is a mistake, not the current directory"""
    code, said = serve("--run-dir", "")
    assert code == 64 and "--run-dir" in said, (code, said)


def test_a_run_directory_too_long_for_sockets_is_refused():
    """a path in which no socket can be made is refused before serving"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        run = os.path.join(where, "x" * 100)
        code, said = serve("--run-dir", run)
        assert code == 73 and "too long" in said, (code, said)
        assert not os.path.exists(run)


if __name__ == "__main__":
    sysutil.run()
