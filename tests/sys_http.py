# SPDX-License-Identifier: Apache-2.0
"""The http process as browsers, programs and monitoring see it."""

import gzip
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

import sysutil
from http_case import (Daemon, Events, Web, conf, new_pid, rest_of, status_of,
                       token_file)
from sysutil import Modbus, wait_for


def test_page_is_served_whole_and_compressed():
    """the page comes compressed, with an ETag and with no word to elsewhere"""
    with Daemon(conf()) as d:
        web = Web(d)
        status, plain, data = web.get("/")
        assert status == 200 and plain["content-type"].startswith("text/html")
        assert b"<html" in data and "content-encoding" not in plain
        status, head, packed = web.get("/", Accept_Encoding="gzip, br")
        assert head["content-encoding"] == "gzip", head
        assert gzip.decompress(packed) == data
        assert web.get("/index.html")[2] == data
        status, again, none = web.get("/", If_None_Match=plain["etag"])
        assert (status, none) == (304, b""), status
        assert "default-src 'self'" in plain["content-security-policy"]
        assert plain["x-content-type-options"] == "nosniff"
        assert plain["referrer-policy"] == "no-referrer"


def test_head_is_get_without_body():
    """HEAD is answered as GET is, without the body"""
    with Daemon(conf()) as d:
        web = Web(d)
        for path in "/", "/metrics", "/healthz", "/nothing":
            got = web.get(path)
            head = web.ask("HEAD", path)
            assert head[0] == got[0] and head[2] == b"", path
            if path != "/metrics":
                assert head[1]["content-length"] == str(len(got[2])), path


def test_commands_are_those_of_zeromq():
    """POST /api/v1/rpc serves the commands, batches and notifications too"""
    with Daemon(conf()) as d:
        web = Web(d)
        assert web.result("system.ping") == {}
        web.result("registers.write", table="hr", addr=5, values=[7, 8])
        assert d.rpc("registers.read", table="hr", addr=5,
                     count=2)["values"] == [7, 8]
        with Modbus(d.port("tcp1")) as m:
            assert m.read_hr(5, 2) == [7, 8]
        over_zmq = {m["name"] for m in d.rpc("system.methods")}
        assert {m["name"] for m in web.result("system.methods")} == over_zmq
        batch = json.dumps([{"jsonrpc": "2.0", "id": i, "method": "system.ping"}
                            for i in range(3)])
        status, head, data = web.ask("POST", "/api/v1/rpc", batch)
        assert status == 200 and head["content-type"] == "application/json"
        assert [a["id"] for a in json.loads(data)] == [0, 1, 2]
        note = json.dumps({"jsonrpc": "2.0", "method": "system.ping"})
        status, _, data = web.ask("POST", "/api/v1/rpc", note)
        assert (status, data) == (204, b"")
        assert web.rpc("no.such")[1]["error"]["code"] == -32601
        status, _, data = web.ask("POST", "/api/v1/rpc", "{")
        assert status == 200 and json.loads(data)["error"]["code"] == -32700
        # there is no second frame to hold them
        error = web.rpc("registers.read", table="hr", addr=0, count=2,
                        encoding="u16le")[1]["error"]
        assert "second frame" in error["message"], error


def test_orders_are_answered_to_who_gave_them():
    """orders over HTTP and over ZeroMQ at once are each answered where asked"""
    with Daemon(conf()) as d:
        web = Web(d)
        pid = d.worker_pid("tcp1")
        assert web.result("transports.restart", name="tcp1")["state"] == "up"
        assert d.worker_pid("tcp1") != pid
        got = []
        t = threading.Thread(target=lambda: got.extend(
            web.rpc("transports.restart", name="tcp1")[1].get("result", {})
            .get("state") for _ in range(10)))
        t.start()
        mine = [d.rpc("transports.restart", name="tcp1")["state"]
                for _ in range(10)]
        t.join()
        assert mine == ["up"] * 10 and got == ["up"] * 10, (mine, got)
        assert web.result("transports.stop", name="tcp1")["state"] == "stopped"
        assert web.get("/readyz")[0] == 503
        assert b"tcp1 is stopped" in web.get("/readyz")[2]
        assert web.get("/healthz")[0] == 200
        assert web.result("transports.start", name="tcp1")["state"] == "up"
        assert web.get("/readyz")[0] == 200
        with Modbus(d.port("tcp1")) as m:
            m.read_hr(0, 1)
            conn = web.result("connections.list")[0]["id"]
            web.result("connections.close", id=conn)
            try:
                m.read_hr(0, 1)
                raise AssertionError("it is still there")
            except (EOFError, ConnectionError):
                pass
        assert web.result("system.reload")["changed"] == []


def test_shutdown_over_http():
    """system.shutdown is answered over HTTP, then the daemon ends with 0"""
    d = Daemon(conf())
    try:
        assert Web(d).rpc("system.shutdown")[1]["result"] == {}
        assert d.wait() == 0
    finally:
        d.clean()


def test_a_stream_does_not_hold_up_the_end():
    """who reads a stream is told the end at once, not half a second later"""
    def end_s(stream):
        d = Daemon(conf())
        try:
            web = Web(d)
            events = Events(web) if stream else None
            if stream:
                events.hello()
            began = time.monotonic()
            assert web.result("system.shutdown") == {}
            while stream and events.fill():
                pass
            if stream:
                took = time.monotonic() - began
                events.close()
            assert d.wait() == 0
            return took if stream else time.monotonic() - began
        finally:
            d.clean()

    calm, took = [], []
    while len(took) < 20 and (not took or min(took) > min(calm) + 0.4):
        calm.append(end_s(False))
        took.append(end_s(True))
    assert min(took) < min(calm) + 0.4, (took, calm)


def test_wrong_requests_get_a_status_and_a_sentence():
    """what is wrong gets its status and a sentence, for programs as JSON"""
    with Daemon(conf()) as d:
        web = Web(d)
        big = "x" * (2 << 20)
        for method, path, body, status in (
                ("GET", "/nothing", None, 404), ("POST", "/nothing", "", 404),
                ("PUT", "/", "", 405), ("POST", "/", "", 405),
                ("DELETE", "/healthz", None, 405),
                ("GET", "/api/v1/rpc", None, 405),
                ("OPTIONS", "/api/v1/rpc", None, 405),
                ("BREW", "/", None, 501), ("GET", "/../etc/passwd", None, 400),
                ("GET", "/%2e%2e/x", None, 400), ("GET", "/a%00b", None, 400),
                ("GET", "/%zz", None, 400), ("GET", "/?a=%", None, 400),
                ("POST", "/api/v1/rpc", big, 413)):
            got, head, data = web.ask(method, path, body)
            assert got == status, (method, path, got, data)
            assert head["content-length"] == str(len(data))
            text = data.decode()
            if path.startswith("/api/v1"):
                text = json.loads(text)["error"]["message"]
                assert json.loads(data)["error"]["code"] == status
            assert text.rstrip().endswith("."), text
            assert "nosniff" in head["x-content-type-options"], head
        assert web.ask("PUT", "/healthz")[1]["allow"] == "GET, HEAD"


def test_what_is_no_http_is_refused():
    """bytes that are no request, or that two readers would read differently"""
    with Daemon(conf()) as d:
        web = Web(d)
        host = b"Host: localhost\r\n"
        for data, status in (
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
                (b"GET /\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505),
                (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
                (b"GET / HTTP/1.1\n" + host + b"\n\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + b" folded\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + b"A : b\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\n" + host + b"A: \x00\r\n\r\n", 400),
                (b"GET / x HTTP/1.1\r\n" + host + b"\r\n", 400),
                (b"GET nothing HTTP/1.1\r\n" + host + b"\r\n", 400),
                (b"POST /api/v1/rpc HTTP/1.1\r\n" + host +
                 b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n1", 400),
                (b"POST /api/v1/rpc HTTP/1.1\r\n" + host +
                 b"Content-Length: +1\r\n\r\n1", 400),
                (b"POST /api/v1/rpc HTTP/1.1\r\n" + host +
                 b"Content-Length: 99999999999999999999\r\n\r\n", 400),
                (b"POST /api/v1/rpc HTTP/1.1\r\n" + host +
                 b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"0\r\n\r\n", 400),
                (b"POST /api/v1/rpc HTTP/1.1\r\n" + host +
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
                (b"POST /api/v1/rpc HTTP/1.1\r\n" + host +
                 b"Transfer-Encoding: gzip\r\n\r\n", 501),
                (b"GET / HTTP/1.1\r\n" + host + b"Expect: tea\r\n\r\n", 417),
                (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n",
                 414),
                (b"GET / HTTP/1.1\r\n" + host + b"A: b\r\n" * 100 + b"\r\n",
                 431),
                (b"GET / HTTP/1.1\r\n" + host + b"A: " + b"b" * (1 << 20),
                 431)):
            for part in (None, 7) if len(data) < 300 else (None,):
                answer = web.raw(data, part)
                assert status_of(answer) == status, (data[:80], answer[:200])
                assert b"Connection: close" in answer
                assert answer.rstrip().endswith(b"."), answer
        with web.connect() as s:  # a client of TLS that waits for its answer
            s.settimeout(100)
            s.sendall(b"\x16\x03\x01")
            answer = rest_of(s)
            assert status_of(answer) == 400 and b"plain HTTP" in answer, answer
        assert web.get("/")[0] == 200


def test_requests_follow_each_other_on_a_connection():
    """a connection stays; pipelined requests are answered in order"""
    with Daemon(conf()) as d:
        web = Web(d)
        for _ in range(5):
            assert web.ask("GET", "/healthz", keep=True)[0] == 200
        kept = web.kept.sock.getsockname()
        web.ask("POST", "/api/v1/rpc", "[]", keep=True)
        assert web.kept.sock.getsockname() == kept
        one = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
        rpc = (b'{"jsonrpc":"2.0","id":77,"method":"transports.restart",'
               b'"params":{"name":"tcp1"}}')
        answer = web.raw(
            one % b"healthz" + b"\r\n" + one % b"readyz" +
            b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: %d\r\n\r\n" % len(rpc) + rpc +
            one % b"nothing" +
            b"GET /healthz HTTP/1.1\r\nHost: x.localhost\r\n"
            b"Connection: close\r\n\r\n")
        parts = answer.split(b"HTTP/1.1 ")[1:]
        assert [p[:3] for p in parts] == [b"200", b"200", b"200", b"404",
                                          b"200"], answer
        assert b'"id":77' in parts[2]
        many = web.raw(one % b"metrics" * 100 + b"GET / HTTP/1.0\r\n\r\n")
        assert many.count(b"HTTP/1.1 200") == 101
        # who has said all still hears the answer
        with web.connect() as s:
            s.sendall(one % b"healthz")
            s.shutdown(1)
            assert status_of(rest_of(s)) == 200


def test_a_body_is_asked_for_and_may_come_late():
    """Expect: 100-continue is answered, and a body may come in pieces"""
    with Daemon(conf()) as d:
        web = Web(d)
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method":
                           "registers.write", "params": {
                               "table": "hr", "addr": 0,
                               "values": [i for i in range(1000)]}}).encode()
        with web.connect() as s:
            s.sendall(b"POST /api/v1/rpc HTTP/1.1\r\nHost: localhost\r\n"
                      b"Expect: 100-continue\r\nConnection: close\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body))
            assert s.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
            for i in range(0, len(body), 1000):
                s.sendall(body[i:i + 1000])
            assert b'"seq"' in rest_of(s)
        assert d.rpc("registers.read", table="hr", addr=999)["values"] == [999]


def test_pages_of_others_may_not_ask():
    """another Host or Origin is refused: no page of others uses a browser"""
    with Daemon(conf(http={"hosts": ["plant.example", "b.example:8443"]})) as d:
        web = Web(d)
        here = f"127.0.0.1:{web.port}"
        for host, status in ((here, 200), ("localhost", 200),
                             (f"localhost:{web.port}", 200),
                             ("[::1]", 200), ("10.1.2.3:80", 200),
                             ("plant.example", 200), ("PLANT.example:81", 200),
                             ("b.example", 200), ("evil.example", 403),
                             ("plant.example.evil.org", 403),
                             ("localhost.evil.org", 403), ("a b", 403),
                             ("127.0.0.1.evil.org", 403), ("[::1", 403)):
            got = web.get("/healthz", Host=host)
            assert got[0] == status, (host, got)
        body = '{"jsonrpc":"2.0","id":1,"method":"system.ping"}'
        for host, origin, status in (
                (here, f"http://{here}", 200),
                (here, f"http://localhost:{web.port}", 403),
                (here, "http://127.0.0.1:9", 403), (here, "null", 403),
                (here, "http://evil.example", 403),
                (here, f"http://evil.example@{here}", 403),
                ("plant.example", "https://plant.example", 200),
                ("plant.example", "http://plant.example", 200),
                ("plant.example", "https://b.example:8443", 200),
                ("plant.example", "https://b.example", 403)):
            got = web.ask("POST", "/api/v1/rpc", body,
                          {"Host": host, "Origin": origin})
            assert got[0] == status, (host, origin, got)
        got = web.ask("POST", "/api/v1/rpc", body,
                      {"Sec-Fetch-Site": "cross-site"})
        assert got[0] == 403, got


def test_tokens_have_roles():
    """beyond the machine, and behind a proxy, a token is needed to change"""
    with tempfile.TemporaryDirectory() as tmp:
        path = token_file(tmp, "# roles\nread  reader-0123456789 eye\n"
                               "operate writer-0123456789 hand # x\n"
                               "admin   master-0123456789\n")
        with Daemon(conf(http={"token_file": path})) as d:
            web = Web(d)

            def as_who(token=None, forwarded="10.0.0.9"):
                h = {"X-Forwarded-For": forwarded} if forwarded else {}
                if token:
                    h["Authorization"] = f"Bearer {token}"
                return h

            def write(headers):
                return web.rpc("registers.write", headers, table="hr", addr=0,
                               values=[1])

            assert "result" in write(as_who(forwarded=None))[1]
            assert write(as_who())[1]["error"]["data"]["reason"] == "role"
            assert "result" in web.rpc("registers.read", as_who(), table="hr",
                                       addr=0)[1]
            assert "error" in write(as_who("reader-0123456789"))[1]
            assert "result" in write(as_who("writer-0123456789"))[1]
            assert "error" in web.rpc(
                "system.reload", as_who("writer-0123456789"))[1]
            assert "result" in web.rpc(
                "system.reload", as_who("master-0123456789"))[1]
            for bad in ("writer-012345678", "writer-01234567890", "x" * 500,
                        "eye", "master-0123456789 "[1:]):
                status, head, _ = web.ask("GET", "/metrics",
                                          headers=as_who(bad))
                assert status == 401 and "Bearer" in head["www-authenticate"]
            # a token that is none is none here, either
            assert write(as_who("writer-012345678", None))[0] == 401
            # and other ways to say who one is are not passed over
            for other in "Basic YWRtaW46YWRtaW4=", "Bearer", "x", "":
                status, head, said = web.ask(
                    "GET", "/metrics", headers={"Authorization": other})
                assert status == 401 and b"Bearer TOKEN" in said, (other, said)
                assert "Bearer" in head["www-authenticate"], head
            # it is read again when it changes; a mistake changes nothing
            token_file(tmp, "admin master-0123456789\n")
            assert write(as_who("writer-0123456789"))[0] == 401
            token_file(tmp, "nonsense\n")
            assert "result" in write(as_who("master-0123456789"))[1]
            d.wait_stderr("stay")
            token_file(tmp, "admin other-0123456789\n", 0o644)
            assert write(as_who("other-0123456789"))[0] == 401
            os.unlink(path)
            assert write(as_who("master-0123456789"))[0] == 401


def test_tokens_that_come_in_pieces_are_read_whole():
    """a read that gives less than all of the token file is not its end"""
    with tempfile.TemporaryDirectory() as tmp:
        path = token_file(tmp, "read reader-0123456789\n"
                               "admin master-0123456789\n")
        env = {"HOLDFAST_SHORT": path, "LD_PRELOAD": os.path.join(
            sysutil.BUILD, "tests", "preload", "short.so")}
        with Daemon(conf(http={"token_file": path, "local": "none"}),
                    env=env) as d:
            for token in ("reader", "master"):
                assert "result" in Web(d).rpc("system.ping", {
                    "Authorization": f"Bearer {token}-0123456789"})[1]


def test_anonymous_and_local_can_be_cut():
    """"local" and "anonymous" say what is possible without a token"""
    with Daemon(conf(http={"local": "read", "anonymous": "none"})) as d:
        web = Web(d)
        answer = web.rpc("registers.write", table="hr", addr=0, values=[1])[1]
        assert answer["error"]["data"]["reason"] == "role", answer
        assert web.result("registers.read", table="hr", addr=0)
        away = {"Forwarded": "for=10.0.0.9"}
        for path, status in (("/metrics", 401), ("/api/v1/stream", 401),
                             ("/healthz", 200), ("/", 200)):
            assert web.ask("GET", path, headers=away)[0] == status, path
        assert web.rpc("system.ping", away)[0] == 401
        for name in ("X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto",
                     "X-Forwarded-User", "Via", "X-Real-IP", "X-Client-IP",
                     "True-Client-IP", "CF-Connecting-IP"):
            assert web.ask("GET", "/metrics", headers={name: "x"})[0] == 401, \
                name
        assert web.get("/metrics", X_Forward="x")[0] == 200


def test_the_list_of_paths():
    """GET /api/v1/ lists what there is, and nothing that only refuses"""
    with Daemon(conf()) as d:
        paths = {r["path"] for r in json.loads(Web(d).get("/api/v1/")[2])}
        assert {"/api/v1/trace.pcap", "/api/registers", "/*"} <= paths, paths
        assert not {"/api/*", "/restapi/*"} & paths, paths


def test_wrong_configuration_is_said():
    """a token file for all to read, a wrong name, a taken port are told"""
    with tempfile.TemporaryDirectory() as tmp:
        path = token_file(tmp, "admin master-0123456789\n", 0o640)
        for http, words in (({"token_file": path}, "chmod 600"),
                            ({"token_file": tmp + "/no"}, "no"),
                            ({"hosts": ["a b"]}, "no name of a machine"),
                            ({"anonymous": "admin"}, "at most"),
                            ({"listen": "8080"}, "no address"),
                            ({"lisen": "x"}, 'did you mean "listen"')):
            c = conf(http=http)
            c["store"] = {"name": sysutil.unique_store()}
            with open(tmp + "/c.json", "w") as f:
                json.dump(c, f)
            done = subprocess.run(
                [sysutil.BUILD + "/holdfastd", "-t", "-c", tmp + "/c.json"],
                capture_output=True, text=True)
            assert done.returncode == 78, (http, done)
            assert words in done.stderr, (words, done.stderr)
        with Daemon(conf()) as d:
            c = conf(http={"listen": f"127.0.0.1:{Web(d).port}"})
            second = Daemon(c, ready=False)
            try:
                assert second.wait() == 69
                assert "another program uses the port" in second.stderr_text()
            finally:
                second.clean()


def test_web_root_serves_a_directory():
    """web_root shows the files of a directory, and none outside it"""
    with tempfile.TemporaryDirectory() as tmp:
        os.mkdir(tmp + "/web")
        os.mkdir(tmp + "/web/sub")
        for name in "web/index.html", "web/sub/a.js", "web/.hidden", "secret":
            with open(f"{tmp}/{name}", "w") as f:
                f.write(name)
        os.symlink("../secret", tmp + "/web/link")
        with Daemon(conf(http={"web_root": tmp + "/web"})) as d:
            web = Web(d)
            assert web.get("/")[2] == b"web/index.html"
            status, head, data = web.get("/sub/a.js")
            assert data == b"web/sub/a.js"
            assert head["content-type"].startswith("text/javascript")
            for path in ("/link", "/.hidden", "/sub", "/sub/", "/../secret",
                         "/sub/..%2f..%2fsecret", "//etc/passwd",
                         "/sub/%2e%2e/%2e%2e/secret", "/no"):
                assert web.get(path)[0] in (400, 404), path
            with open(tmp + "/web/index.html", "w") as f:
                f.write("changed")
            assert web.get("/")[2] == b"changed"


# ---- events ----

def write(d, addr, value):
    d.rpc("registers.write", table="hr", addr=addr, values=[value])


def test_events_come_as_they_happen():
    """a stream brings the topics that it asked for, and no others"""
    with Daemon(conf()) as d:
        web = Web(d)
        e = Events(web, "registers.plc.holding,connections,transports")
        head = e.head()
        assert "text/event-stream" in head and "no-store" in head, head
        event, number, data = e.next()
        assert (event, data["sequence"]) == ("hello", number)
        assert data["resumed"] is False
        web.result("registers.write", table="co", addr=3, values=[1])
        write(d, 3, 77)
        event, first, data = e.next()
        assert event == "registers.plc.holding_registers", event
        assert (data["addr"], data["new"], data["who"]) == (3, [77], "control")
        assert first == number + 1
        web.result("registers.write", table="hr", addr=4, values=[1])
        assert e.next()[2]["who"] == "http"
        with Modbus(d.port("tcp1")):
            event, _, data = e.next()
            assert event == "connections.tcp1" and data["event"] == "open"
        assert e.next()[2]["event"] == "close"
        web.result("transports.restart", name="tcp1")
        states = []
        while "up" not in states:
            event, _, data = e.next()
            assert event == "transports.tcp1"
            states.append(data["state"])
        e.close()
        status, _, data = web.get("/api/v1/stream?topics=registers.plk")
        assert status == 400 and b"registers.plk" in data
        assert web.ask("HEAD", "/api/v1/stream")[0] == 200


def test_a_stream_goes_on_where_it_stopped():
    """Last-Event-ID brings what happened meanwhile, once; else it is said"""
    with Daemon(conf()) as d:
        web = Web(d)
        e = Events(web, "registers")
        e.hello()
        write(d, 0, 1)
        e.next()
        e.close()
        for i in range(2, 10):
            write(d, 0, i)
        e = Events(web, "registers", last=e.last)
        number, data = e.hello()
        assert data["resumed"] is True, data
        got = [e.next() for _ in range(8)]
        assert [g[2]["new"] for g in got] == [[i] for i in range(2, 10)]
        assert [g[1] for g in got] == list(range(number + 1, number + 9))
        # other topics, numbers of the future, words: begin anew
        for topics, last in (("connections", e.last), ("registers", "x"),
                             ("registers", str(int(e.last) + 99))):
            other = Events(web, topics, last=last)
            assert other.hello()[1]["resumed"] is False, (topics, last)
            other.close()
        e.close()
        # another process knows nothing of it
        pid = d.child("http")
        os.kill(pid, signal.SIGKILL)
        new_pid(d, "http", pid)
        e = Events(web, "registers", last=e.last)
        assert e.hello()[1]["resumed"] is False
        assert e.next is not None
        write(d, 0, 99)
        assert e.next()[2]["new"] == [99]
        e.close()


def test_too_much_missed_is_told():
    """who comes back after more than is kept begins anew"""
    with Daemon(conf()) as d:
        web = Web(d)
        e = Events(web, "registers")
        e.hello()
        write(d, 0, 1)
        e.next()
        e.close()
        for i in range(150):  # more than a megabyte of events
            d.rpc("registers.write", table="hr", addr=0,
                  values=[40000 + i] * 1000)
        other = Events(web, "registers.plc.holding_registers")
        other.hello()
        write(d, 0, 5)
        other.next()
        e = Events(web, "registers", last=e.last)
        assert e.hello()[1]["resumed"] is False
        e.close()
        other.close()


def test_streams_are_bounded():
    """more streams than max_streams are refused, and room is made again"""
    with Daemon(conf(http={"max_streams": 3})) as d:
        web = Web(d)
        streams = [Events(web, "log") for _ in range(3)]
        for e in streams:
            e.hello()
        status, head, data = web.get("/api/v1/stream")
        assert status == 503 and head["retry-after"] == "5", data
        streams.pop().close()
        wait_for(lambda: web.ask("HEAD", "/healthz") and
                 d.rpc("stats.get")["http"]["streams"] == 2)
        e = Events(web, "log")
        e.hello()
        for s in streams + [e]:
            s.close()


def test_who_does_not_read_is_dropped():
    """a stream that is not read is closed; the others go on"""
    with Daemon(conf()) as d:
        web = Web(d)
        deaf = Events(web, "registers", receive_bytes=4096)
        good = Events(web, "registers")
        good.hello()
        values = list(range(1000))
        n = 0
        while d.rpc("stats.get")["http"]["streams_dropped"] == 0:
            assert n < 2000, "nobody was dropped"
            n += 1
            values = values[1:] + values[:1]
            d.rpc("registers.write", table="hr", addr=0, values=values)
            assert good.next()[2]["new"] == values
        assert d.rpc("stats.get")["http"]["streams"] == 1
        good.close()
        deaf.close()


# ---- monitoring ----

def samples(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines()
                if not line.startswith("#"))


def test_metrics_are_what_prometheus_takes():
    """/metrics has every counter, with help; promtool has nothing to say"""
    with Daemon(conf()) as d:
        web = Web(d)
        with Modbus(d.port("tcp1")) as m:
            for _ in range(7):
                m.read_hr(0, 1)
            try:
                m.read_hr(60000, 1)
                raise AssertionError("no exception")
            except sysutil.ModbusError:
                pass
            status, head, data = web.get("/metrics")
        assert head["content-type"].startswith("text/plain; version=0.0.4")
        text = data.decode()
        got = samples(text)
        t = '{transport="tcp1"'
        assert got["holdfast_requests_total" + t + ',fc="3"}'] == "8"
        assert got["holdfast_exceptions_total" + t + ',code="2"}'] == "1"
        assert got["holdfast_up" + t + ',type="tcp"}'] == "1"
        assert got["holdfast_connections" + t + "}"] == "1"
        name = "holdfast_request_duration_seconds"
        assert got[name + "_count" + t + "}"] == "8"
        assert got[name + "_bucket" + t + ',le="+Inf"}'] == "8"
        assert 0 < float(got[name + "_sum" + t + "}"]) < 60
        r = 'holdfast_register{device="plc",table="holding_registers",addr='
        assert got[r + '"1000",name="temp \\"in\\"",unit="degC"}'] == "21.5"
        assert abs(float(got[r + '"1001",name="flow",unit="m3/h"}'])
                   - 404.17) < 1e-4
        assert "PUMP" not in text
        assert any(k.startswith("holdfast_build_info{version=") for k in got)
        # whatever stats.get counts is there
        stats = d.rpc("stats.get")
        for key, value in stats["transports"]["tcp1"].items():
            if isinstance(value, int) and key not in ("up", "conns_open"):
                assert f"holdfast_{key}_total{t}}}" in got, key
        for key in stats["http"]:
            if key not in ("conns_open", "streams"):
                assert (f'holdfast_control_{key}_total{{process="http"}}'
                        in got), key
        done = subprocess.run(["promtool", "check", "metrics"], input=text,
                              capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done
        # counters outlive the process that shows them
        os.kill(d.worker_pid("tcp1"), signal.SIGKILL)
        pid = d.child("http")
        os.kill(pid, signal.SIGKILL)
        new_pid(d, "http", pid)
        wait_for(lambda: samples(web.get("/metrics")[2].decode())
                 ['holdfast_restarts_total{transport="tcp1"}'] == "1")
        got = samples(web.get("/metrics")[2].decode())
        assert int(got["holdfast_requests_total" + t + ',fc="3"}']) == 8


def test_curl_can_do_it_all():
    """curl, as the manual has it"""
    with Daemon(conf()) as d:
        url = d.rpc("system.info")["http"]

        def curl(*args):
            return subprocess.run(["curl", "-sS", "--max-time", "10", *args],
                                  capture_output=True, text=True)

        got = curl(url + "api/v1/rpc", "-d", json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "registers.read",
             "params": {"table": "hr", "addr": 1001, "type": "float32"}}))
        assert json.loads(got.stdout)["result"]["values"] == [404.17]
        assert curl("--compressed", url).stdout.lower().startswith(
            "<!doctype html>")
        got = curl("-N", "--max-time", "1", url + "api/v1/stream?topics=log")
        assert "event: hello" in got.stdout, got
        done = d.cli("-o", "table", "status")
        assert url in done.stdout + done.stderr, done


def test_its_death_costs_nobody_else_anything():
    """http dies again and again; Modbus and ZeroMQ do not notice"""
    with Daemon(conf()) as d:
        web = Web(d)
        with Modbus(d.port("tcp1")) as m:
            for i in range(5):
                pid = d.child("http")
                os.kill(pid, signal.SIGKILL)
                m.write_hr(0, [i])
                assert m.read_hr(0, 1) == [i]
                assert d.rpc("system.ping") == {}
                new_pid(d, "http", pid)
                assert web.get("/healthz")[0] == 200
            assert d.worker_pid("tcp1") and \
                d.rpc("transports.list")[0]["restarts"] == 0


if __name__ == "__main__":
    sysutil.run()
