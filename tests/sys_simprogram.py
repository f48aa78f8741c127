#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast-simulator: options and defaults of pymodbus.simulator, what it says,
how it ends."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import urllib.request

sys.dont_write_bytecode = True
import sysutil  # noqa: E402
from peers import Master, Udp  # noqa: E402
from sys_setup import MODULE, setup, whole  # noqa: E402
from sys_simulator import code_of, net  # noqa: E402
from sysutil import BUILD, Modbus, Rpc, wait_for  # noqa: E402

PROGRAM = os.path.join(BUILD, "holdfast-simulator")


def clean_env(**more):
    env = {k: v for k, v in os.environ.items()
           if k not in ("HOLDFAST_RUN_DIR", "HOLDFAST_CONTROL",
                        "XDG_RUNTIME_DIR")}
    return dict(env, **more)


class Program:
    """holdfast-simulator in a directory with a setup file; it serves."""

    def __init__(self, *args, conf=None, http="none", env=None,
                 group=False):
        self.dir = tempfile.TemporaryDirectory(prefix="hf-")
        with open(os.path.join(self.dir.name, "setup.json"), "w") as f:
            json.dump(conf or setup(), f)
        if http is not None:
            args += ("--http_port", http)
        if "--json_file" not in args:
            args += ("--json_file", "setup.json")
        self.err = open(os.path.join(self.dir.name, "err"), "w+")
        self.process = subprocess.Popen(
            [PROGRAM, *args], cwd=self.dir.name, env=env or clean_env(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.err, text=True, start_new_session=group)
        self.said = {}
        for line in self.process.stdout:
            name, _, rest = line.rstrip("\n").partition(": ")
            self.said[name] = rest
            if name == "control":
                break
        else:
            raise AssertionError(self.stderr())
        self.control = self.said["control"].split()[-1]

    def stderr(self):
        self.err.seek(0)
        return self.err.read()

    def port(self, name="server"):
        return int(re.search(r":(\d+) ", self.said[name]).group(1))

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(200)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            code = self.end()
            assert kind or code == 0, (code, self.stderr())
        if kind:
            print("    it said:\n" + self.stderr()[-3000:])
        self.process.stdout.close()
        self.err.close()
        self.dir.cleanup()


def run(*args, conf=None):
    """(code, output, errors) of one that does not come to serve."""
    with tempfile.TemporaryDirectory(prefix="hf-") as d:
        with open(os.path.join(d, "setup.json"), "w") as f:
            f.write(conf if isinstance(conf, str)
                    else json.dumps(conf or setup()))
        done = subprocess.run([PROGRAM, *args], cwd=d, env=clean_env(),
                              capture_output=True, text=True, timeout=200)
        return done.returncode, done.stdout, done.stderr


def test_serves_and_says_so():
    """"server" with "device", a line for it, where holdfast finds it; Ctrl-C
    ends it with 0 and it leaves nothing behind"""
    with Program() as p:
        assert 'device "device", every unit' in p.said["server"], p.said
        assert "page" not in p.said
        with Modbus(p.port(), unit=9) as m:
            assert m.read_hr(16, 2) == [3124, 5678]
            assert code_of(m.read_hr, 22, 1) == 2
        shown = subprocess.run(
            [os.path.join(BUILD, "holdfast"), "-s", p.control, "-o", "raw",
             "get", "hr:16+2"], env=clean_env(), capture_output=True,
            text=True, timeout=200)
        assert shown.stdout.split() == ["3124", "5678"], shown
        folder = p.control[len("ipc://"):].rpartition("/")[0]
        store = Rpc(p.control)
        name = store.call("system.info")[0]["store"]
        store.close()
        assert os.path.isdir(folder) and sysutil.shm_objects(name)
        assert p.end() == 0
        assert not os.path.exists(folder) and not sysutil.shm_objects(name)


def test_the_stock_file():
    """what comes along is what is served without --json_file"""
    with open(os.path.join(BUILD, "setup.json")) as f:
        stock = f.read()
    assert '"server_test_try_udp"' in stock
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        f.write(stock.replace("5020", "0"))
        f.flush()
        with Program("--json_file", f.name) as p, Modbus(p.port()) as m:
            assert m.read_hr(3) == [17001]
        with Program("--json_file", f.name, "--modbus_device", "device_try",
                     "--modbus_server=server_test_try_udp") as p:
            with Master(Udp(p.port("server_test_try_udp")), "socket") as m:
                assert m.read_hr(1, 2168, 2) == [32117, 32117]
                assert m.read_hr(1, 20, 5) == [0x415f, 0x425f, 0x435f,
                                               0x445f, 0x455f]
    code, out, err = run("--modbus_server", "server_test_udp")
    assert code == 78 and "lib/holdfast" not in out, err
    assert os.path.join(BUILD, "setup.json") in err, err
    assert 'did you mean "server_test_try_udp"?' in err, err


def stock_try(p):
    """Reads a value of so many bits; with what it must be, or its bounds."""
    m = Modbus(p.port())
    kinds = {"H": 1, "I": 2, "f": 2, "d": 4}

    def read(addr, kind, low, high=None):
        words = struct.pack(">%dH" % kinds[kind],
                            *m.read_hr(addr, kinds[kind]))
        got = struct.unpack(">" + kind, words)[0]
        got = round(got, 2) if kind in "fd" else got
        if high is None:
            assert got == low, (addr, got, low)
        else:
            assert low <= got <= high, (addr, got, low, high)
    return m, read


def test_the_example_of_the_reference():
    """what examples/simulator.py reads of "device_try", four times over: values
    of each type that stay, that count and that are random"""
    with open(os.path.join(BUILD, "setup.json")) as f:
        stock = f.read()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        f.write(stock.replace("5020", "0"))
        f.flush()
        with Program("--json_file", f.name, "--modbus_device", "device_try",
                     "--modbus_server", "server") as p:
            m, read = stock_try(p)
            for n in range(1, 5):
                read(1148, "H", 32117)
                read(2305, "H", 50 + n)
                read(2306, "H", 45, 55)
                read(3188, "I", 32514)
                read(3876, "I", 50000 + n)
                read(3878, "I", 45000, 55000)
                read(4188, "f", 32514.2)
                read(4876, "f", 50000.0 + n)
                read(4878, "f", 45000.0, 55000.0)
                read(5092, "d", -32514.2)
                read(5164, "d", round(-42.15 + n, 2))
                read(5244, "d", -4242, 314.92)
            m.write_hr(10, [3])
            for call, args in ((m.read_hr, (3,)), (m.read_hr, (77,)),
                               (m.read_hr, (5160, 3)), (m.read_hr, (78,)),
                               (m.write_hr, (11, [1]))):
                assert code_of(call, *args) == 2, args
            m.close()
        with Program("--json_file", f.name) as p, Modbus(p.port()) as m:
            assert m.read_hr(8, 4) == list(struct.unpack(
                ">4H", struct.pack(">d", -505.78 + 1)))
            assert code_of(m.read_hr, 1) == 2
            assert m.read_hr(5047) == [0x2020]


def test_what_is_invalid_is_not_answered():
    """registers that "invalid" lists are answered 02, read or written, though
    they are defined, and a line with its place says so"""
    conf = setup(device=whole(invalid=[17, [60, 61]]))
    with Program(conf=conf) as p, Modbus(p.port()) as m:
        assert m.read_hr(16) == [3124] and m.read_hr(18) == [5678]
        for call, args in ((m.read_hr, (17,)), (m.read_hr, (16, 3)),
                           (m.read_ir, (17,)), (m.read_co, (17 * 16, 1)),
                           (m.write_hr, (17, [1])), (m.read_hr, (60,)),
                           (m.write_hr, (61, [1]))):
            assert code_of(call, *args) == 2, args
        for n in (17, 60):
            assert re.search(r'setup.json:\d+:\d+: register %d is "invalid"' %
                             n, p.stderr()), p.stderr()
        assert "register 61 is" not in p.stderr()


def test_all_servers_at_once():
    """"all" serves every entry, each with its own device or the one that is
    named"""
    other = whole()
    other["uint16"][0] = {"addr": 16, "value": 4000}
    conf = setup({"a": net(), "b": net("udp", device="two", device_id=4),
                  "c": net("tcp", "rtu")}, device=whole(), two=other)
    with Program("--modbus_server", "all", conf=conf) as p:
        assert sorted(p.said) == ["a", "b", "c", "control"], p.said
        assert 'device "two", unit 4' in p.said["b"], p.said
        with Modbus(p.port("a")) as m:
            assert m.read_hr(16) == [3124]
        with Master(Udp(p.port("b")), "socket") as m:
            assert m.read_hr(4, 16) == [4000]
    with Program("--modbus_server", "all", "--modbus_device", "two",
                 conf=conf) as p, Modbus(p.port("a")) as m:
        assert m.read_hr(16) == [4000]
    with Program("--modbus_server", "b", "--modbus_device", "device",
                 conf=conf) as p:
        assert 'device "device", unit 4' in p.said["b"], p.said


STOCK = os.path.join(sysutil.ROOT, "conf", "setup.json")


def test_what_cannot_be_served_is_left_out():
    """of all servers of the stock file those are served that can be; a line
    for each other one has its place and every reason; a mistake
    is one with "all", too"""
    with open(STOCK) as f:
        text = f.read()
    with tempfile.TemporaryDirectory(prefix="hf-") as d:
        with Program() as other:
            port = str(other.port())
        path = os.path.join(d, "stock.json")
        with open(path, "w") as f:
            f.write(text.replace("5020", port).replace(
                "/dev/tty0", os.path.join(d, "line")))
        at = text[:text.index('"server_try_tls"')].count("\n") + 1
        with Program("--modbus_server", "all", "--json_file", path) as p:
            assert sorted(p.said) == [
                "control", "server", "server_test_try_udp",
                "server_try_serial"], p.said
            told = [line for line in p.stderr().splitlines()
                    if "left out" in line]
            assert len(told) == 1 and told[0].startswith(
                '%s:%d:9: "server_try_tls" is left out: 127.0.0.1:%s is taken '
                'by "server" at ' % (path, at, port)), told
            assert '"certfile": ' in told[0] and '"keyfile": ' in told[0]
            assert "No such file" in told[0]
            with Modbus(p.port()) as m:
                assert m.read_hr(3) == [17001]
            with Master(Udp(p.port("server_test_try_udp")), "socket") as m:
                assert m.read_hr(4, 3) == [17001]
            assert p.end() == 0
    tls = {"a": net("tls", "tls", certfile="gone.pem"),
           "b": net("tls", "tls")}
    code, out, err = run("--modbus_server", "all", "--json_file", "setup.json",
                         "--http_port", "none", conf=setup(tls))
    assert code == 78 and out == "", (code, out)
    assert '"a" is left out: "certfile": ' in err and "gone.pem: No" in err
    assert '"b" is left out: it has no "certfile"' in err, err
    code, out, err = run("--modbus_server", "a", "--json_file", "setup.json",
                         "--http_port", "none", conf=setup(tls))
    assert code == 78 and "gone.pem: No such file" in err, err
    # a mistake is none that is left out
    tls["b"]["frmer"] = 1
    tls["c"] = net()
    code, out, err = run("--modbus_server", "all", "--json_file", "setup.json",
                         "--http_port", "none", conf=setup(tls))
    assert code == 78 and 'did you mean "framer"?' in err, err


def test_short_options():
    """a name may be shortened as long as one option begins so, as there"""
    with Program("--modbus_s", "server", "--log=error",
                 "--modbus_dev=device") as p, Modbus(p.port()) as m:
        assert m.read_hr(16) == [3124]
    code, _, err = run("--modbus", "x")
    assert code == 64 and ("--modbus is short for several: --modbus_server "
                           "--modbus_device") in err, err


def test_the_page():
    """--http_host and --http_port say where it is, 127.0.0.1 if nothing does"""
    with Program(http="0") as p:
        url = p.said["page"]
        assert url.startswith("http://127.0.0.1:"), url
        with urllib.request.urlopen(url + "healthz", timeout=100) as answer:
            assert answer.status == 200
        port = re.search(r":(\d+)/", url).group(1)
        code, _, err = run("--json_file", "setup.json", "--http_port", port)
        assert code == 69 and port in err, (code, err)
    with Program("--http_host", "::1", http="0") as p:
        assert p.said["page"].startswith("http://[::1]:"), p.said


def test_side_by_side():
    """several run at a time; with a run directory it is that one"""
    with Program() as one, Program() as two, \
            tempfile.TemporaryDirectory(prefix="hf-") as d:
        with Modbus(one.port()) as a, Modbus(two.port()) as b:
            a.write_hr(16, 1)
            assert b.read_hr(16) == [3124] and a.read_hr(16) == [1]
        with Program("--run_dir", d) as three:
            assert three.control == "ipc://%s/control.sock" % d
            assert os.path.exists(os.path.join(d, "ready"))
        with Program(env=clean_env(HOLDFAST_RUN_DIR=d)) as three:
            assert three.control == "ipc://%s/control.sock" % d
        assert os.listdir(d) == []


def test_custom_actions():
    """a module by its name or its path, as pymodbus has it"""
    mine = whole()
    mine["uint16"].append({"addr": 100, "value": 3, "action": "double",
                           "parameters": {"step": 4}})
    with tempfile.TemporaryDirectory(prefix="hf-") as d:
        path = os.path.join(d, "mine_too.py")
        with open(path, "w") as f:
            f.write(MODULE)
        with Program("--custom_actions_module", path,
                     conf=setup(device=mine)) as p, Modbus(p.port()) as m:
            wait_for(lambda: code_of(m.read_hr, 100) == 0, what="the module")
            first = m.read_hr(100)[0]
            assert m.read_hr(100) == [first + 4]
    code, _, err = run("--custom_actions_module", "no/where.py")
    assert code == 66 and "no/where.py: No such file" in err, err


def test_module_that_is_none():
    """without the module there is no simulator: a sentence and the code"""
    code, _, err = run("--custom_actions_module", "nope", "--json_file",
                       "setup.json", "--http_port", "none")
    assert code == 78 and "cannot load nope" in err, (code, err)
    assert "Traceback" not in err and "ready" not in err, err


def test_signals_of_a_terminal():
    """Ctrl-C and a TERM of all processes end it quietly"""
    with tempfile.TemporaryDirectory(prefix="hf-") as d:
        path = os.path.join(d, "mine_too.py")
        with open(path, "w") as f:
            f.write(MODULE)
        for number in (signal.SIGINT, signal.SIGTERM):
            with Program("--custom_actions_module", path, group=True) as p:
                wait_for(lambda: " loaded " in p.stderr(), what="the module")
                os.killpg(p.process.pid, number)
                assert p.process.wait(200) == 0
                for word in ("Traceback", "died", "BrokenPipe"):
                    assert word not in p.stderr(), p.stderr()


def test_the_next_sweeps():
    """what a killed one leaves is removed by the next, nobody else's"""
    with Program() as lives:
        dead = Program()
        folder = os.path.dirname(dead.control[len("ipc://"):])
        store = "simulator-%d" % dead.process.pid
        rpc = Rpc(dead.control)
        children = [row["pid"] for row in rpc.call("transports.list")[0]]
        rpc.close()
        dead.process.kill()
        dead.process.wait(200)
        assert os.path.isdir(folder) and sysutil.shm_objects(store)
        wait_for(lambda: not any(os.path.exists("/proc/%d" % pid)
                                 for pid in children), what="its children")

        def swept():
            with Program():
                pass
            return not os.path.exists(folder) and not sysutil.shm_objects(
                store)
        wait_for(swept, what="the sweep")
        dead.process.stdout.close()
        dead.err.close()
        dead.dir.cleanup()
        assert os.path.isdir(os.path.dirname(lives.control[len("ipc://"):]))
        with Modbus(lives.port()) as m:
            assert m.read_hr(16) == [3124]


def test_log():
    """--log says how much, --log_file where to"""
    with Program("--log", "error", "--log_file", "log") as p:
        with Modbus(p.port()) as m:
            m.read_hr(16)
        assert p.end() == 0 and p.stderr() == ""
        with open(os.path.join(p.dir.name, "log")) as f:
            assert f.read() == ""
    with Program("--log=debug", "--log_file=log") as p, Modbus(p.port()):
        log = os.path.join(p.dir.name, "log")
        wait_for(lambda: "connection" in open(log).read(), what="the log")


def test_reload_and_death():
    """a reload sees the same choice; a server that is killed comes back"""
    conf = setup({"a": net(), "b": net("udp")}, device=whole())
    with Program("--modbus_server", "a", conf=conf) as p:
        rpc = Rpc(p.control)
        rpc.call("system.reload")
        assert "nothing has changed" in p.stderr(), p.stderr()
        with Modbus(p.port("a")) as m:
            m.write_hr(16, 12)
        os.kill(rpc.call("transports.list")[0][0]["pid"], signal.SIGKILL)
        with Modbus(p.port("a")) as m:
            assert m.read_hr(16) == [12]
        rpc.close()


def test_what_is_refused():
    """options and files that are wrong: a sentence, the nearest name, the exit
    code"""
    for args, code, words in (
            (["--jsn_file", "x"], 64, 'did you mean "--json_file"?'),
            (["--json_file"], 64, "--json_file needs a FILE"),
            (["--log", "loud"], 64, '"loud" is no level'),
            (["--http_port", "90000"], 64, "--http_port"),
            (["--http_host", "no where"], 64, "--http_host"),
            (["word"], 64, 'no option "word"'),
            (["--json_file", "nowhere.json"], 66, "nowhere.json: cannot read"),
            (["--json_file", "setup.json", "--modbus_server", "servr"], 78,
             'did you mean "server"?'),
            (["--json_file", "setup.json", "--modbus_device", "devic"], 78,
             'did you mean "device"?'),
            (["--json_file", "setup.json", "--modbus_server", "nix"], 78,
             '"server_list" has no "nix"; there is "server"'),
            (["--json_file", "setup.json", "--modbus_device", "nix"], 78,
             'no device is called "nix"; there is "device"'),
            (["--log_file", "/no/where", "--json_file", "setup.json"], 73,
             "/no/where")):
        got, out, err = run(*args)
        assert got == code and words in err and out == "", (args, got, err)
        assert "Traceback" not in err
    code, out, err = run("--json_file", "setup.json", conf="{")
    assert code == 78 and err.startswith("setup.json:1:"), err
    code, out, err = run("-h")
    assert code == 0 and err == "" and "--custom_actions_module" in out
    code, out, err = run("--version")
    assert code == 0 and out.startswith("holdfast-simulator "), out
    with Program() as p:
        conf = setup({"server": net()})
        conf["server_list"]["server"]["port"] = p.port()
        code, _, err = run("--json_file", "setup.json", "--http_port", "none",
                           conf=conf)
        assert code == 69 and str(p.port()) in err, (code, err)


MISTAKES = """{
"server_list": {"server": {"comm": "tcp", "framer": "sockt",
  "host": "127.0.0.1",
  "portt": 5020}},
"device_list": {"device": {
  "setup": {"co size": 40, "di size": 40, "hr size": 40, "ir size": 40,
    "shared blocks": true, "type exception": true,
    "typ": 1,
    "defaults": {
      "value": {"bits": 0, "uint16": 70000, "uint32": 0, "float32": 0.0,
        "string": " "},
      "action": {"bits": null,
        "uint16": "incremen",
        "uint32": null, "float32": null, "string": null}}},
  "invalid": [
    40],
  "bits": [
    {"addr": 2, "value": 7, "valeu": 7},
    {"addr": 2, "value": 7}],
  "uint16": [3, 4, {"addr": 5,
    "action": "randm",
    "value": -1},
    {"addr": 6, "value": 6, "action": "random",
     "parameters": {"minvl": 1}}],
  "uint32": [
    [8, 10],
    {"addr": 41, "value": "x"}],
  "float32": [{"value": 1}],
  "string": [{"addr": 20, "value": "too long"}],
  "unit64": [],
  "write": [3, 8, 39,
    50],
  "repeat": [{"addr": [3, 3]}]}}}
"""
# the words of each, and the line
WRONG = (("sockt", 2), ('"portt"; did you mean "port"?', 4),
         ('"port" is missing', 2), ('"setup" has no "typ"', 8),
         ("0 to 65535", 10), ('"increment"?', 13), ("below 40", 16),
         ('"valeu"', 18), ("defined twice", 19), ('"random"?', 21),
         ("0 to 65535", 22), ("minvl", 23), ("8 to 10 are 3", 26),
         ("below 40", 27), ("4294967295", 27), ('"addr" is missing', 28),
         ("too long", 29), ('"unit64"', 30), ("below 40", 32),
         ('"to" is missing', 33))


def test_all_mistakes_at_once():
    """everything that is wrong is told in one go, each thing once, and nothing
    that only follows from it"""
    code, out, err = run("--json_file", "setup.json", "--http_port", "none",
                         conf=MISTAKES)
    assert code == 78 and out == ""
    lines = err.splitlines()
    for words, line in WRONG:
        found = [x for x in lines if words in x and
                 x.startswith("setup.json:%d:" % line)]
        assert len(found) == 1, (words, line, err)
        lines.remove(found[0])
    assert lines == [], lines


if __name__ == "__main__":
    sysutil.run()
