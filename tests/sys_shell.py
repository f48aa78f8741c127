#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast shell, at a terminal and as a script, and what completes the
command line in bash."""

import os
import shutil
import signal
import subprocess
import tempfile

import sysutil
from sysutil import BUILD, ROOT, Daemon
from terminal_case import Terminal

HOLDFAST = os.path.join(BUILD, "holdfast")
CONF = {
    "devices": {"plc1": {
        "holding_registers": [{"addr": 0, "count": 10},
                              {"addr": 1100, "type": "float32", "value": 1.5,
                               "name": "flow", "unit": "m3/h"},
                              {"addr": 1200, "name": "flap gate"}],
        "coils": [{"addr": 0, "count": 8, "name": "pumps"}]}},
    "transports": {n: {"type": "tcp", "listen": "127.0.0.1:0",
                       "units": {"1": "plc1"}} for n in ("tcp1", "tls2")},
}


def complete(d, *words):
    done = subprocess.run([HOLDFAST, "--complete", *words], env=d.env,
                          capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.splitlines()


def test_words_are_completed_by_what_there_is():
    """commands, options, names, addresses and types, from the daemon"""
    with Daemon(CONF) as d:
        assert complete(d, "st") == ["status", "start", "stop", "stats"]
        assert "get" in complete(d, "") and complete(d) == complete(d, "")
        assert complete(d, "get", "fl") == ["flow", "flap gate"]
        assert complete(d, "get", "hr:0", "pu") == ["pumps"]
        assert complete(d, "get", "h") == ["hr:"]
        assert complete(d, "get", "pl") == [
            f"plc1/{t}:" for t in ("co", "di", "hr", "ir")]
        assert complete(d, "get", "plc1/hr:1") == [
            "plc1/hr:1100", "plc1/hr:1200"]
        assert complete(d, "get", "hr:0:fl") == [
            "hr:0:float32", "hr:0:float64"]
        assert complete(d, "set", "hr:0:float32:c") == ["hr:0:float32:cdab"]
        assert complete(d, "set", "flow", "1") == []
        assert complete(d, "restart", "t") == ["tcp1", "tls2"]
        assert complete(d, "-o", "c") == ["csv"]
        assert complete(d, "-o", "json", "snap") == ["snapshot"]
        assert complete(d, "snapshot", "") == ["save", "load"]
        assert "--dry-run" in complete(d, "import", "--")
        assert "--dry-run" not in complete(d, "export", "--")
        assert complete(d, "call", "snapshot.") == [
            "snapshot.save", "snapshot.load"]
        assert complete(d, "watch", "conn") == ["connections"]
        env = {**d.env, "HOLDFAST_CONTROL": "/nonexistent/x"}
        done = subprocess.run([HOLDFAST, "--complete", "get", "fl"], env=env,
                              capture_output=True, text=True, timeout=200)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert complete(d, "-s", d.endpoint, "get", "flo") == ["flow"]


def bash(d, line):
    """What bash would offer for a line."""
    script = (f'. {ROOT}/conf/holdfast.bash; COMP_LINE=$1 '
              'COMP_POINT=${#1}; COMP_WORDS=(holdfast); _holdfast; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", line], capture_output=True,
        text=True, timeout=200, env={**d.env, "PATH": BUILD + ":" +
                                    os.environ["PATH"]})
    assert done.returncode == 0 and done.stderr == "", done
    return [x for x in done.stdout.splitlines() if x]


def test_bash_completes_the_options_of_the_daemon():
    """as holdfastd --help has them"""
    for line, offers in (("holdfastd --gu", ["--guard"]),
                         ("holdfastd --log j", []),
                         ("holdfastd --log d", ["debug"]),
                         ("holdfastd --log-format ", ["text", "json"]),
                         ("holdfastd --log-", ["--log-file",
                                               "--log-format"])):
        words = line.split(" ")
        script = (f'. {ROOT}/conf/holdfast.bash; COMP_WORDS=("$@"); '
                  'COMP_CWORD=$(($# - 1)); _holdfastd; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(
            ["bash", "--norc", "-c", script, "bash",
             os.path.join(BUILD, words[0]), *words[1:]],
            capture_output=True, text=True, timeout=200)
        assert done.stderr == "" and done.stdout.split() == offers, done


def test_bash_completes():
    """conf/holdfast.bash offers what readline can put in place"""
    with Daemon(CONF) as d:
        assert bash(d, "holdfast res") == ["restart"]
        assert bash(d, "holdfast restart ") == ["tcp1", "tls2"]
        assert bash(d, "holdfast get fl") == ["flow", "flap\\ gate"]
        # bash takes what follows a colon for a word of its own
        assert bash(d, "holdfast get plc1/hr:11") == ["1100"]
        assert bash(d, "holdfast get hr:0:float3") == ["float32"]
        assert bash(d, "holdfast import x") == []
        with Terminal(["bash", "--norc", "--noprofile", "-i"], {
                **d.env, "PS1": "$ ", "PATH": BUILD + ":" +
                os.environ["PATH"]}) as t:
            t.type(f". {ROOT}/conf/holdfast.bash; echo re''ady\n")
            t.until("ready")
            t.type("holdfast -o raw get plc1/hr:11\t; echo en''d\n")
            assert "1.5" in t.until("end", 20)
            t.type("exit\n")
            assert t.wait() == 0


def script(d, text):
    done = subprocess.run([HOLDFAST, "shell"], env=d.env, input=text,
                          capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout, done.stderr


def test_a_script_ends_with_its_first_mistake():
    """lines from a pipe, over one connection; comments, quotes, exit codes"""
    with Daemon(CONF) as d:
        assert script(d, "# first\n\nset flow 2.5\nget flow \"flap gate\"  "
                      "# both\n-o raw get 'pumps'\nexit\nnonsense\n") == (
            0, "plc1/hr:1100\t2.5\nplc1/hr:1200\t0\n" + "0\n" * 8, "")
        code, out, err = script(d, "get flow\nget flwo\nset flow 9\n")
        assert (code, out) == (1, "plc1/hr:1100\t2.5\n"), (code, out)
        assert "line 2" in err and 'did you mean "flow"' in err, err
        for line, code, why in (
                ("nonsense", 64, "no command"), ("get 'x", 64, "quote"),
                ("shell", 64, "this is a shell"),
                ("-s /x ping", 64, "one daemon"), ("get", 64, "usage")):
            got = script(d, line + "\n")
            assert got[0] == code and why in got[2], (line, got)
        assert script(d, "") == (0, "", "")


def test_a_terminal_has_completion_and_a_history():
    """mistakes do not end it, Tab completes, the history stays for the next"""
    where = tempfile.mkdtemp(prefix="hf-shell-")
    history = os.path.join(where, "history")
    try:
        with Daemon(CONF) as d:
            env = {**d.env, "HOLDFAST_HISTORY": history}
            with Terminal([HOLDFAST, "shell"], env) as t:
                t.until("holdfast> ")
                t.type("get nothing\n")
                t.until("nothing is called")
                t.until("holdfast> ")
                t.type("get flo\t\n")
                t.until("1.5")  # of flow, which Tab has made of it
                t.until("holdfast> ")
                t.type("set flow 3.25\n")
                t.until("written, commit")
                t.until("holdfast> ")
                t.type("watch hr:0\n")
                t.until("watching; ^C ends it")
                t.type("\x03")
                t.until("holdfast> ")
                t.type("watch hr:1\n")  # a second time, too
                t.until("watching; ^C ends it")
                d.cli("set", "hr:1", 77)
                t.until("77")
                t.type("\x03")
                t.until("holdfast> ")
                t.type("\x03")  # at the prompt it ends nothing
                t.type("ping\n")
                t.until("answered in")
                t.until("holdfast> ")
                t.type("\x04")
                assert t.wait() == 0
            assert os.stat(history).st_mode & 0o777 == 0o600
            with Terminal([HOLDFAST, "shell"], env) as t:
                t.until("holdfast> ")
                t.type("\x1b[A\x1b[A\x1b[A\x1b[A\n")  # set flow 3.25
                t.until("written, commit")
                t.until("holdfast> ")
                t.type("quit\n")
                assert t.wait() == 0
    finally:
        shutil.rmtree(where)


def test_a_key_at_the_prompt_is_never_lost():
    """a prompt that shows is one that reads keys, ^D among them"""
    with Daemon(CONF) as d:
        env = {**d.env, "HOLDFAST_HISTORY": ""}
        with Terminal([HOLDFAST, "shell"], env) as t:
            t.until("holdfast> ")
            for _ in range(300):
                assert t.raw()
                t.type("ping\n")
                t.until("answered in")
                t.until("holdfast> ")
            t.type("\x04")
            assert t.wait() == 0


def test_a_daemon_that_comes_back_is_found_again():
    """the shell outlives the daemon it talks to"""
    with Daemon(CONF) as d:
        env = {**d.env, "HOLDFAST_HISTORY": ""}
        with Terminal([HOLDFAST, "shell"], env) as t:
            t.until("holdfast> ")
            t.type("ping\n")
            t.until("answered in")
            t.until("holdfast> ")
            os.kill(d.child("control"), signal.SIGKILL)
            t.type("-w 5 ping\n")
            t.until("holdfast> ")
            t.type("-w 5 ping\n")
            t.until("answered in")
            t.until("holdfast> ")
            t.type("exit\n")
            assert t.wait() == 0


if __name__ == "__main__":
    sysutil.run()
