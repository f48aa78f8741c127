#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libholdfast as the linker and the loader see it: what it exports, what its
parts keep to themselves, and that a program can be built with what was
installed."""

import os
import re
import signal
import socket
import subprocess
import tempfile

import zmq

import abi
import sys_install
import sysutil
import tls_case
from sysutil import BUILD, ROOT, Daemon, Modbus, demo_conf, wait_for
from tls_case import pki

LIB = os.path.join(BUILD, "libholdfast.so")
PARTS = {"control": "control_main", "tls": "transport_tls",
         "certs": "certs_part"}
# What both copies of a file may have for themselves. The log's state is handed
# to a part; nobody is what traces of requests to no connection stand under.
OWN = {"own", "the", "nobody"}

PROGRAM = """#include <holdfast.h>
int main(void) { char *args[] = { "holdfastd", %s, 0 };
return hf_daemon(sizeof(args) / sizeof(args[0]) - 1, args); }
"""


def run(*argv, **more):
    """What a command prints."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600,
                          **more)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def exported(path):
    return sorted(line.split()[2] for line in run(
        "nm", "-D", "--defined-only", "--with-symbol-versions",
        path).splitlines() if line.split()[1] != "A")


def sanitizer():
    """What a program must be compiled with to load the library."""
    with open(LIB, "rb") as f:
        text = f.read()
    for word in "address", "thread":
        if b"__%ssan_init" % word[0].encode() in text:
            return ["-fsanitize=" + word]
    return []


def compiled(where, source, env):
    """A program made of source with what pkg-config says of holdfast."""
    path = os.path.join(where, "program")
    with open(path + ".c", "w") as f:
        f.write(source)
    env = dict(os.environ, **env)
    flags = run("pkg-config", "--cflags", "--libs", "holdfast", env=env)
    run("cc", "-Wall", "-Wextra", "-Werror", *sanitizer(), "-o", path,
        path + ".c", *flags.split())
    return path


# ---- what can be seen from outside ----

def test_exports_are_those_of_the_list():
    """libholdfast exports the names in supervisor/holdfast.map, each with its
    version, and nothing else"""
    pairs = [(node, name) for name, node in abi.exports().items()]
    assert pairs == sorted(pairs), "not sorted: %s" % pairs
    listed = sorted("%s@@%s" % (name, node) for node, name in pairs)
    assert exported(LIB) == listed, (exported(LIB), listed)


def test_exports_are_in_the_header():
    """what is exported is what holdfast.h declares"""
    missing = set(abi.exports()) - set(abi.prototypes())
    assert not missing, missing


def test_what_programs_rely_on_is_as_it_was():
    """calls, constants and structs of holdfast.h are what is frozen in
    tests/abi.txt; what has only been added since is fine"""
    if os.uname().machine != "x86_64":
        raise sysutil.Skip("what is frozen is that of x86_64")
    with open(os.path.join(ROOT, "tests/abi.txt")) as f:
        frozen = f.read().splitlines()
    assert len(frozen) > 100
    now = set(abi.facts())
    gone = [fact for fact in frozen if fact not in now]
    assert not gone, (
        "programs that were compiled before would break; if no release has "
        "promised it, tests/abi.py > tests/abi.txt:\n" + "\n".join(gone))


def test_soname_and_links():
    """programs are bound to libholdfast.so.0, which is a link to the file of
    this version"""
    soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", LIB))[1]
    assert soname == "libholdfast.so.0", soname
    version = run(os.path.join(BUILD, "holdfastd"), "-V").split()[1]
    assert os.readlink(LIB) == soname
    assert os.readlink(os.path.join(BUILD, soname)) == (
        "libholdfast.so." + version)


def test_parts_export_their_entries():
    """a part exports its entry and how it is joined, nothing else"""
    for name, entry in PARTS.items():
        got = exported(os.path.join(BUILD, "parts", name + ".so"))
        assert got == sorted([entry, "part_join"]), (name, got)


def test_parts_share_no_state_with_the_library():
    """what part and library both have a copy of keeps nothing that the other
    copy would have to see"""
    if sanitizer():
        raise sysutil.Skip("it keeps what nobody uses in both")

    def variables(path):
        # without those that relocation alone writes (.data.rel.ro)
        return {row.split()[-1].partition(".")[0]
                for row in run("objdump", "-t", path).splitlines()
                if re.search(r" O \.t?(bss|data)\s", row)
                and not re.search(r"\b(completed|__)", row)}
    host = variables(LIB)
    assert "own" in host, host
    for name in PARTS:
        path = os.path.join(BUILD, "parts", name + ".so")
        both = host & variables(path)
        assert both <= OWN, (name, both - OWN)


# ---- the log of both copies ----

def test_parts_log_where_the_daemon_does():
    """what the TLS worker and the control process have to say is in the file
    of --log-file, and after USR1 in its successor"""
    conf = tls_case.conf()
    server, stranger = zmq.curve_keypair(), zmq.curve_keypair()
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        os.chmod(where, 0o755)
        os.mkdir(os.path.join(where, "clients"))
        secret = os.path.join(where, "server.key")
        with open(secret, "w") as f:
            f.write('curve\n    secret-key = "%s"\n' % server[1].decode())
        os.chmod(secret, 0o600)
        port = sysutil.free_port()
        conf["control"] = {
            "listen": ["tcp://127.0.0.1:%d" % port],
            "curve": {"secret_key": secret,
                      "authorized": os.path.join(where, "clients")}}
        log = os.path.join(where, "log")

        def said(path, *words):
            with open(path) as f:
                return any(all(w in row for w in words) for row in f)

        def refused():
            """Whether the log has it by now; one line a second is written."""
            with zmq.Context.instance().socket(zmq.REQ) as s:
                s.linger = 0
                s.curve_publickey, s.curve_secretkey = stranger
                s.curve_serverkey = server[0]
                s.connect("tcp://127.0.0.1:%d" % port)
                s.poll(100)
            return said(log, "control: control client refused")

        def provoke():
            """Both say a line: of a client without a certificate, and of one
            whose key is not known."""
            with socket.create_connection(
                    ("127.0.0.1", d.port("tls1"))) as s:
                s.sendall(b"no handshake at all\r\n")
                while s.recv(100):
                    pass
            wait_for(refused, what="control's line")
            wait_for(lambda: said(log, "tls1: connection closed"),
                     what="the worker's line")

        with Daemon(conf, ["--log-file", log]) as d:
            provoke()
            os.rename(log, log + ".1")
            d.signal(signal.SIGUSR1)
            wait_for(lambda: os.path.exists(log) and
                     said(log, "opened anew"), what="a new log")
            size = os.path.getsize(log + ".1")
            provoke()
            assert os.path.getsize(log + ".1") == size
            # a sanitizer may have written there what it finds in libzmq
            assert not re.search("tls1: |control: ", d.stderr_text()), (
                d.stderr_text())


# ---- programs ----

def serves(where, building, running):
    """A program in a folder of its own, of three lines and with arguments in
    read-only memory, finds the parts and serves; its workers bear names."""
    conf = demo_conf()
    conf["transports"].update(tls_case.conf()["transports"])
    run_dir = os.path.join(where, "run")
    os.mkdir(run_dir, 0o750)
    path = os.path.join(where, "conf.json")
    program = compiled(
        where, PROGRAM % '"-c", "%s", "--run-dir", "%s"' % (path, run_dir),
        building)
    with Daemon(conf, program=program, run_dir=run_dir, env=running,
                ready=False) as d:
        d.kill()
        os.rename(d.conf_path, path)
        d.start()
        with Modbus(d.port("tcp1")) as m:
            m.write_hr(0, [7])
        with tls_case.Client(d, pki.client) as m:
            assert m.read_hr(0) == [7]
        for name in "tcp1", "tls1":
            with open("/proc/%d/comm" % d.worker_pid(name)) as f:
                assert f.read() == "hf:%s\n" % name
        with open("/proc/%d/cmdline" % d.worker_pid("tcp1")) as f:
            assert f.read().startswith(program)
        with open("/proc/%d/maps" % d.worker_pid("tls1")) as f:
            return f.read()


def test_a_program_runs_on_what_was_built():
    """with PKG_CONFIG_PATH=build a program is made that runs at once"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        maps = serves(where, {"PKG_CONFIG_PATH": BUILD}, {})
    assert os.path.join(BUILD, "parts/tls.so") in maps, maps


def test_a_program_runs_on_what_was_installed():
    """three lines of C, compiled as pkg-config says, are holdfastd"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        top = sys_install.install(where)
        env = {"PKG_CONFIG_PATH": os.path.join(top, "lib/pkgconfig"),
               "PKG_CONFIG_SYSROOT_DIR": where}
        assert run("pkg-config", "--modversion", "holdfast", env=dict(
            os.environ, **env)) == run(
                os.path.join(top, "sbin/holdfastd"), "-V").split()[1] + "\n"
        lib = os.path.join(top, "lib")
        maps = serves(where, env, {"LD_LIBRARY_PATH": lib})
        for name in "libholdfast.so.", "holdfast/parts/tls.so":
            assert os.path.join(lib, name) in maps, maps
        assert BUILD not in maps, maps


if __name__ == "__main__":
    sysutil.run()
