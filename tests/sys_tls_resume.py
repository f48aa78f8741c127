#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions that are resumed, also by another worker than they began with, and
files that change while a TLS transport serves: lists of revocations,
certificates, keys. The numbers are those of the MODBUS/TCP Security
specification, v3.6."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import certs  # noqa: E402
import sysutil  # noqa: E402
import tls_case  # noqa: E402
from sys_adopt import upgrade  # noqa: E402
from sysutil import Skip, wait_for  # noqa: E402
from tls_case import V12, V13, Client, daemon, pki, unharmed  # noqa: E402


def begin(d, cert, version):
    """A session to resume: its context and itself."""
    context = certs.client_context(pki.ca, cert, version)
    with Client(d, context=context) as m:
        assert not m.resumed
        assert m.read_hr(1000) == [48879]  # by now TLS 1.3 has its tickets
        return context, m.socket.session


def resumes(d, context, session):
    with Client(d, context=context, session=session) as m:
        assert m.read_hr(1000) == [48879]
        return m.resumed


def kill_worker(d):
    pid = d.worker_pid("tls1")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: d.worker_pid("tls1") not in (0, None, pid) and
             d.rpc("transports.list")[0]["state"] == "up", what="another one")


def test_resumption():
    """R-42, R-43: sessions are resumed by ticket, in the worker that they began
    with, in its successor after a kill, and after a restart"""
    with daemon() as d:
        had = {v: begin(d, pki.client, v) for v in (V12, V13)}
        for change in (lambda: None, lambda: kill_worker(d),
                       lambda: d.rpc("transports.restart", name="tls1")):
            change()
            for version, (context, session) in had.items():
                assert resumes(d, context, session), version
        assert tls_case.stats(d)["handshakes_resumed"] == 6


def test_resumption_by_gnutls_cli():
    "gnutls-cli resumes"
    with daemon() as d:
        for version in ("1.2", "1.3"):
            done = subprocess.run(
                ["gnutls-cli", "-r", "--priority",
                 "NORMAL:-VERS-ALL:+VERS-TLS" + version, "--x509cafile",
                 pki.ca.path, "--x509certfile", pki.client.chain,
                 "--x509keyfile", pki.client.key, "-p", str(d.port("tls1")),
                 "127.0.0.1"], input=b"", capture_output=True, timeout=200)
            said = (done.stdout + done.stderr).decode()
            assert "This is a resumed session" in said, said


def test_resumption_by_openssl():
    "openssl s_client resumes with a session from a file, after a kill too"
    with daemon() as d:
        for version in ("-tls1_2", "-tls1_3"):
            path = os.path.join(pki.dir, "sess")
            p = tls_case.start_s_client(d, version, "-sess_out", path,
                                        "-quiet")
            try:
                p.stdin.write(bytes.fromhex("000100000006010303e80001"))
                p.stdin.flush()
                assert len(p.stdout.read(11)) == 11
                wait_for(lambda: os.path.exists(path) and
                         os.path.getsize(path) > 100)
            finally:
                tls_case.end(p)
            kill_worker(d)
            said = tls_case.s_client(d, version, "-sess_in", path)
            assert "\nReused, " in said, said
            os.unlink(path)


def test_resumption_across_workers():
    "a session that one worker began is resumed by the others"
    with daemon(workers=3) as d:
        for version in (V12, V13):
            context, session = begin(d, pki.client, version)
            for _ in range(12):
                assert resumes(d, context, session)


def next_one(d):
    d.orphan()
    os.unlink(d.ready_path)
    d.start()
    assert "taking over" in d.stderr_text()


def lose_keeper(d):
    pid, = keepers(d)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: keepers(d) not in ([], [pid]), what="another keeper")


def keepers(d):
    return [p for p in d._leftovers()
            if sysutil.process_title(p) == "holdfastd: keeper tls1"]


def lose_both(d):
    """The supervisor and the keeper at once: the worker has the key."""
    pid, = keepers(d)
    os.kill(d.pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    next_one(d)
    wait_for(lambda: keepers(d) not in ([], [pid]), what="another keeper")


def test_resumption_after_other_deaths():
    """R-42, R-43: sessions are resumed after the death of a keeper, of the
    supervisor, of both, of all workers since, and after an upgrade"""
    with daemon() as d:
        had = {v: begin(d, pki.client, v) for v in (V12, V13)}
        n = 0
        for change in (lose_keeper, kill_worker, next_one, kill_worker,
                       lose_keeper, kill_worker, lose_both, kill_worker,
                       upgrade, kill_worker):
            change(d)
            for version, (context, session) in had.items():
                assert resumes(d, context, session), (version, change)
                n += 1
        assert n == 20


def test_resumption_across_workers_of_the_next_supervisor():
    with daemon(workers=3) as d:
        context, session = begin(d, pki.client, V13)
        next_one(d)
        for i in range(3):
            pid = next(p for p in d._leftovers() if sysutil.process_title(p)
                       == f"holdfastd: tls1/{i}")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: any(
                p != pid and sysutil.process_title(p) == f"holdfastd: tls1/{i}"
                for p in d._leftovers()), what="the next worker")
        for _ in range(12):
            assert resumes(d, context, session)


def test_who_is_born_before_the_key_is_told():
    """a worker that died with its supervisor and its keeper has the key of the
    others, although it could be back before one of them has told it"""
    conf = {**tls_case.conf(workers=2), "hang_timeout_ms": 30000}
    with sysutil.Daemon(conf) as d:
        context, session = begin(d, pki.client, V13)

        def find(title):
            return next((p for p in d._leftovers() if
                         sysutil.process_title(p) == f"holdfastd: {title}"),
                        None)
        keepers = [find(f"keeper tls1/{i}") for i in range(2)]
        gone = find("tls1/1")
        os.kill(keepers[0], signal.SIGSTOP)
        d.orphan()
        for pid in (keepers[1], gone):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not find("keeper tls1/1") and not find("tls1/1"))
        os.unlink(d.ready_path)
        d.start(ready=False)
        d.wait_stderr("taking over")
        wait_for(lambda: d.stderr_text().count("tls1 starting") == 2)
        os.kill(keepers[0], signal.SIGCONT)
        wait_for(lambda: os.path.exists(d.ready_path), what="service")
        assert find("keeper tls1/0") == keepers[0]
        # newcomers are the other one's once the first has been woken by some
        first = find("tls1/0")
        os.kill(first, signal.SIGSTOP)
        some = [socket.create_connection(("127.0.0.1", d.port("tls1")))
                for _ in range(3)]
        for _ in range(4):
            assert resumes(d, context, session)
        assert find("tls1/0") == first, "it was replaced"
        for s in some:
            s.close()


def test_another_daemon_knows_no_ticket():
    "keys of tickets end with the daemon; a full handshake follows"
    port = sysutil.free_port()
    had = []
    for _ in range(2):
        with daemon(listen=f"127.0.0.1:{port}") as d:
            for context, session in had:
                assert not resumes(d, context, session)
            had = [begin(d, pki.client, v) for v in (V12, V13)]


def test_role_follows_the_session():
    "R-42: a resumed session has the role of its certificate"
    with daemon(roles=tls_case.ROLES) as d:
        for version in (V12, V13):
            for cert, role in ((pki.client, "operator"), (pki.plain, "")):
                context = certs.client_context(pki.ca, cert, version)
                with Client(d, context=context) as m:
                    m.request(b"\3\3\xe8\0\1")
                    session = m.socket.session
                for _ in range(2):
                    with Client(d, context=context, session=session) as m:
                        reply = m.request(b"\6\0\1\0\1")
                        assert m.resumed
                        assert (reply == b"\x86\1") == (role == ""), reply
                        assert tls_case.connections(d, 1)[0]["role"] == role
            kill_worker(d)


def refused_when(d, had, words):
    for version, (context, session) in had.items():
        try:
            resumes(d, context, session)
            raise AssertionError("was let in by ticket")
        except ssl.SSLError as why:
            assert words in why.reason, (version, why.reason)


def test_time_runs_out_for_sessions_too():
    "R-42: a certificate that has expired does not come back by ticket"
    with daemon() as d:
        for seconds in (2, 10, 50):  # in which sessions must begin
            brief = pki.ca.issue("brief", end_s=seconds)
            end = time.time() + seconds
            try:
                had = {v: begin(d, brief, v) for v in (V12, V13)}
                break
            except (OSError, EOFError):
                if time.time() < end - 1:
                    raise
        wait_for(lambda: time.time() > end + 1)
        refused_when(d, had, "CERTIFICATE_EXPIRED")
        d.wait_stderr("certificate has expired, subject CN=brief")
        unharmed(d)


def whole_number(n):
    return certs.tagged(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def aged(path, seconds):
    """Makes a session of OpenSSL's look older than it is, and its ticket good
    for as long as one likes."""
    der = ssl.PEM_cert_to_DER_cert(
        certs.read(path).replace("SSL SESSION PARAMETERS", "CERTIFICATE"))
    body, at = b"", certs.element(der, 0)[0].start
    while at < len(der):
        inside, after = certs.element(der, at)
        part = der[at:after]
        if der[at] == 0xa1:  # when it began
            part = certs.tagged(0xa1, whole_number(int(time.time()) - seconds))
        elif der[at] == 0xa9:  # how long the ticket is good
            part = certs.tagged(0xa9, whole_number(0x7fffffff))
        body += part
        at = after
    text = ssl.DER_cert_to_PEM_cert(certs.tagged(0x30, body))
    return text.replace("CERTIFICATE", "SSL SESSION PARAMETERS")


def asked(d, request, n, *args, cert=None):
    """What s_client is answered, as many bytes at most."""
    p = tls_case.start_s_client(d, "-tls1_3", "-quiet", *args, cert=cert)
    try:
        p.stdin.write(request)
        p.stdin.flush()
        return p.stdout.read(n)
    finally:
        tls_case.end(p)


READ = bytes.fromhex("000100000006010303e80001")
REFUSED = bytes.fromhex("000100000003018301")


def test_somebody_elses_ticket():
    """an old ticket, which anybody may have overheard, makes nobody of who has
    no certificate, although GnuTLS has unpacked the one in it"""
    with daemon(roles={"operator": [{}], "": []},
                client_cert="request") as d:
        path = os.path.join(pki.dir, "stolen")
        assert len(asked(d, READ, 11, "-sess_out", path)) == 11
        # this one has the session's secret, too
        fresh = asked(d, READ, 9, "-sess_in", path, cert=False)
        assert fresh == bytes.fromhex("000100000005010302"), fresh
        old = pki.file("aged", aged(path, 7200))
        got = asked(d, READ, 9, "-sess_in", old, cert=False)
        assert got == REFUSED, got
        # who has one stands for that
        assert asked(d, READ, 9, "-sess_in", old, cert=pki.plain) == REFUSED
        assert asked(d, READ, 9, cert=False) == REFUSED
        assert tls_case.stats(d)["handshakes_resumed"] == 1
        unharmed(d)
    with daemon() as d:
        assert len(asked(d, READ, 11, "-sess_out", path)) == 11
        old = pki.file("aged", aged(path, 7200))
        assert asked(d, READ, 9, "-sess_in", old, cert=False) == b""
        d.wait_stderr("certificate is missing")
        assert tls_case.stats(d)["handshakes_resumed"] == 0


# ---- files that change ----

class Own:
    """A directory of files that a transport names and a test changes."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hf-own-")
        self.ca = certs.Authority(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def file(self, name, source):
        """A copy of a file, which then is there in one step."""
        path = os.path.join(self.dir, name)
        shutil.copy(source, path + ".new")
        os.rename(path + ".new", path)
        return path


def client(d, own, cert, version=None, session=None, context=None):
    return Client(d, context=context or certs.client_context(
        own.ca, cert, version), session=session)


def let_in(d, own, cert, version=None):
    try:
        with client(d, own, cert, version) as m:
            return m.read_hr(1000) == [48879]
    except ssl.SSLError as why:
        return why.reason


def again(d):
    "Has the files read again; they are in force once that is answered."
    answer = d.rpc("system.reload")
    assert answer["refreshed"] == ["tls1"] and "failed" not in answer, answer


def again_in_vain(d):
    "The same with files that are wrong; why they are."
    answer = d.rpc("system.reload")
    assert answer["refreshed"] == [], answer
    assert list(answer["failed"]) == ["tls1"], answer
    return answer["failed"]["tls1"]


def test_revocation():
    """a list of revocations is in force after a reload: for handshakes, for
    sessions that would be resumed, and for connections that are there"""
    with Own() as own:
        server = own.ca.issue("server", server=True)
        bad, good = own.ca.issue("bad"), own.ca.issue("good")
        crl = own.file("list.crl", own.ca.crl())
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    crl=crl) as d:
            contexts = {v: certs.client_context(own.ca, bad, v)
                        for v in (V12, V13)}
            had = {}
            for v, c in contexts.items():
                with client(d, own, bad, context=c) as m:
                    assert m.read_hr(1000) == [48879]
                    had[v] = (c, m.socket.session)
            with client(d, own, bad) as m, client(d, own, good) as other:
                assert m.read_hr(1000) == other.read_hr(1000) == [48879]
                own.ca.revoke(bad)
                own.file("list.crl", own.ca.crl())
                assert let_in(d, own, bad) is True  # nobody has said so yet
                again(d)
                assert other.read_hr(1000) == [48879]
                m.send(m.adu(b"\3\3\xe8\0\1"))
                try:
                    got = m.socket.recv(1)
                    raise AssertionError(f"was answered: {got}")
                except ssl.SSLError as why:
                    assert "CERTIFICATE_REVOKED" in why.reason, why
                assert other.read_hr(1000) == [48879]
            for v in (V12, V13):
                assert "CERTIFICATE_REVOKED" in let_in(d, own, bad, v)
                assert let_in(d, own, good, v) is True
            refused_when(d, had, "CERTIFICATE_REVOKED")
            d.wait_stderr("certificate has been revoked, subject CN=bad")
            assert tls_case.stats(d)["restarts"] == 0


def test_other_authorities_end_sessions():
    "what one set of authorities has vouched for no other one resumes"
    with Own() as own:
        server, mine = own.ca.issue("server", server=True), own.ca.issue("m")
        ca = own.file("trusted.pem", own.ca.path)
        with daemon(cert=server.chain, key=server.key, ca=ca) as d:
            had = {}
            for v in (V12, V13):
                context = certs.client_context(own.ca, mine, v)
                with client(d, own, mine, context=context) as m:
                    assert m.read_hr(1000) == [48879]
                    had[v] = (context, m.socket.session)
            again(d)
            for v, (context, session) in had.items():
                assert resumes(d, context, session), v
            own.file("trusted.pem", pki.ca.path)
            again(d)
            refused_when(d, had, "UNKNOWN_CA")
            own.file("trusted.pem", own.ca.path)
            kill_worker(d)
            for v, (context, session) in had.items():
                assert resumes(d, context, session), v


def test_a_mistake_in_the_roles_keeps_no_revoked_client():
    "a reload brings the revocations, whatever is wrong with the roles"
    with Own() as own:
        server, bad = own.ca.issue("server", server=True), own.ca.issue("bad")
        crl = own.file("list.crl", own.ca.crl())
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    crl=crl, roles={"": [{}]}) as d:
            assert let_in(d, own, bad) is True
            own.ca.revoke(bad)
            own.file("list.crl", own.ca.crl())
            with open(os.path.join(pki.dir, "roles.json"), "w") as f:
                f.write('{ "": [{ "fcs": [3] }] }')
            try:
                d.rpc("system.reload")
                raise AssertionError("a mistake was not told")
            except sysutil.RpcError as e:
                assert "fcs" in e.message, e.message
            assert "CERTIFICATE_REVOKED" in let_in(d, own, bad)
            assert "roles stay what they were" in d.stderr_text()


def test_a_worker_whose_files_are_broken_comes_back_with_them():
    "one that has served is tried again until its files are whole"
    with Own() as own:
        server, good = own.ca.issue("server", server=True), own.ca.issue("g")
        crl = own.file("list.crl", own.ca.crl())
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    crl=crl, restart={"max_backoff_ms": 50}) as d:
            with open(crl, "w") as f:
                f.write("half a li")
            os.kill(d.rpc("transports.list")[0]["pid"], signal.SIGKILL)
            wait_for(lambda: d.rpc("transports.list")[0]["state"] == "backoff")
            own.file("list.crl", own.ca.crl())
            wait_for(lambda: d.rpc("transports.list")[0]["state"] == "up")
            assert let_in(d, own, good) is True


def test_old_lists_stay_in_force():
    "a list whose time is over still tells what was revoked; the log warns"
    with Own() as own:
        server, bad = own.ca.issue("server", server=True), own.ca.issue("bad")
        own.ca.revoke(bad)
        crl = os.path.join(own.dir, "old.crl")
        certs.openssl("ca", "-config", own.ca._conf("x", []), "-gencrl",
                      "-crl_lastupdate", certs.stamp(-7200),
                      "-crl_nextupdate", certs.stamp(-60), "-out", crl)
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    crl=crl) as d:
            d.wait_stderr("a newer list of revocations is overdue")
            assert "CERTIFICATE_REVOKED" in let_in(d, own, bad)


def test_ends_are_told_before_they_come():
    """the log warns of a certificate of the server's own that has expired or
    soon does, at the start and at a reload, and of no other"""
    with Own() as own:
        def issue(name, days):
            end_s = days * 86400 - 600
            cert = own.ca.issue(name, server=True, start_s=-40 * 86400,
                                end_s=end_s)
            return cert, time.strftime("%Y-%m-%d",
                                       time.gmtime(time.time() + end_s))

        soon, soon_day = issue("soon", 30)
        late, _ = issue("late", 31)
        over, over_day = issue("over", 0)
        path, key = own.file("own.pem", soon.path), own.file("key", soon.key)
        with daemon(cert=[path, late.path], key=[key, late.key],
                    ca=own.ca.path) as d:
            d.wait_stderr(f"{path}: the certificate expires on {soon_day}\n")
            own.file("key", over.key)
            own.file("own.pem", over.path)
            again(d)
            d.wait_stderr(f"{path}: the certificate expired on {over_day}; "
                          "clients refuse it\n")
            assert late.path not in d.stderr_text()


def test_wrong_files_change_nothing():
    "files that are wrong at a reload leave the former ones in force"
    with Own() as own:
        server = own.ca.issue("server", server=True)
        bad, good = own.ca.issue("bad"), own.ca.issue("good")
        own.ca.revoke(bad)
        crl = own.file("list.crl", own.ca.crl())
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    crl=crl) as d:
            for damage, words in (
                    (lambda: open(crl, "w").write("no list"), "no list"),
                    (lambda: os.truncate(crl, 0), "no list"),
                    (lambda: into_fifo(crl), "it is no plain file")):
                damage()
                assert again_in_vain(d).startswith(crl + ": " + words)
                assert "not refreshed transport=tls1 why=" in d.stderr_text()
                assert "CERTIFICATE_REVOKED" in let_in(d, own, bad)
                assert let_in(d, own, good) is True
            said = d.stderr_text()
            assert "certificates stay what they were: " + crl in said, said
            own.file("list.crl", own.ca.crl())
            again(d)
            assert "CERTIFICATE_REVOKED" in let_in(d, own, bad)
            assert tls_case.stats(d)["restarts"] == 0


def into_fifo(path):
    "What has no writer keeps whoever opens it to read, if he lets it"
    os.unlink(path)
    os.mkfifo(path)


def serial_of(m):
    return m.socket.getpeercert()["serialNumber"]


def test_fresh_certificate():
    "a fresh certificate and key serve newcomers; who is there stays"
    with Own() as own:
        pairs = [own.ca.issue("server%d" % i, server=True) for i in (1, 2)]
        mine = own.ca.issue("mine")
        cert = own.file("s.pem", pairs[0].chain)
        key = own.file("s.key", pairs[0].key)
        with daemon(cert=cert, key=key, ca=own.ca.path) as d, \
                client(d, own, mine) as m:
            assert m.read_hr(1000) == [48879]
            before = serial_of(m)
            own.file("s.pem", pairs[1].chain)
            assert "this key is not that of" in again_in_vain(d)
            with client(d, own, mine) as n:
                assert serial_of(n) == before  # its key is not there yet
            own.file("s.key", pairs[1].key)
            again(d)
            with client(d, own, mine) as n:
                assert serial_of(n) != before
                assert n.read_hr(1000) == m.read_hr(1000) == [48879]
            assert tls_case.stats(d)["restarts"] == 0


def test_who_does_not_answer_is_told_of():
    """a worker that hangs holds no reload up: the answer names its transport,
    and those that did it"""
    conf = tls_case.conf()
    conf["hang_timeout_ms"] = 60000
    conf["transports"]["tls2"] = dict(conf["transports"]["tls1"])
    with sysutil.Daemon(conf) as d:
        for sig, words in ((signal.SIGSTOP, "it does not answer"),
                           (signal.SIGCONT, None)):
            os.kill(d.worker_pid("tls2"), sig)
            answer = d.rpc("system.reload")
            if words is None:
                assert sorted(answer["refreshed"]) == ["tls1", "tls2"], answer
                assert "failed" not in answer, answer
            else:
                assert answer["refreshed"] == ["tls1"], answer
                assert answer["failed"] == {"tls2": words}, answer
        assert tls_case.stats(d)["restarts"] == 0


def test_reload_by_signal():
    "SIGHUP has the files read again, too"
    with Own() as own:
        server, bad = own.ca.issue("server", server=True), own.ca.issue("bad")
        crl = own.file("list.crl", own.ca.crl())
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    crl=crl, workers=2) as d:
            assert let_in(d, own, bad) is True
            own.ca.revoke(bad)
            own.file("list.crl", own.ca.crl())
            d.signal(signal.SIGHUP)
            wait_for(lambda: d.stderr_text().count("have been read again")
                     == 2)
            assert "are read again workers=2" in d.stderr_text()
            for _ in range(6):
                assert "CERTIFICATE_REVOKED" in let_in(d, own, bad)


def ocsp_answer(own, cert, name):
    """An OCSP answer for a certificate, made by its authority."""
    path = os.path.join(own.dir, name)
    request = path + ".req"
    certs.openssl("ocsp", "-issuer", own.ca.path, "-cert", cert.path,
                  "-reqout", request)
    certs.openssl("ocsp", "-index", own.ca._file(".index"), "-CA",
                  own.ca.path, "-rsigner", own.ca.path, "-rkey", own.ca.key,
                  "-reqin", request, "-respout", path, "-ndays", "1")
    return path


def test_ocsp():
    "an OCSP answer is stapled, and read again on reload"
    with Own() as own:
        server = own.ca.issue("server", server=True)
        mine = own.ca.issue("mine")
        other = own.ca.issue("other", server=True)
        answer = own.file("s.ocsp", ocsp_answer(own, server, "a.ocsp"))
        with daemon(cert=server.chain, key=server.key, ca=own.ca.path,
                    ocsp=answer) as d:
            def stapled():
                return re.search(r"OCSP Response Status: (\w+)|"
                                 r"OCSP response: (no response)",
                                 status(d, own, mine)).group(0)
            assert "successful" in stapled()
            for wrong in (ocsp_answer(own, other, "b.ocsp"), server.path):
                own.file("s.ocsp", wrong)
                assert "s.ocsp: no OCSP answer for" in again_in_vain(d)
                assert "successful" in stapled()


def status(d, own, cert):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % d.port("tls1"),
         "-CAfile", own.ca.path, "-cert", cert.path, "-key", cert.key,
         "-status"], input=b"", capture_output=True, timeout=100)
    return (done.stdout + done.stderr).decode(errors="replace")


# ---- secrets ----

def test_keys_of_another_user():
    """a key that only root may read is read for a worker that is somebody
    else; on reload that one keeps it"""
    if os.geteuid() != 0:
        raise Skip("needs root")
    with Own() as own:
        os.chmod(own.dir, 0o755)
        pair = own.ca.issue("server", server=True)
        mine = own.ca.issue("mine")
        key = os.path.join(own.dir, "locked.key")
        certs.openssl("pkcs8", "-topk8", "-in", pair.key, "-out", key,
                      "-passout", "pass:sesame")
        word = os.path.join(own.dir, "word")
        with open(word, "w") as f:
            f.write("sesame\n")
        for path in (key, word):
            os.chmod(path, 0o600)
        with daemon(cert=pair.chain, key=key, password_file=word,
                    ca=own.ca.path, user="nobody") as d:
            with open(f"/proc/{d.worker_pid('tls1')}/status") as f:
                assert re.search(r"^Uid:\t(?!0)", f.read(), re.M)
            assert let_in(d, own, mine) is True
            again(d)
            assert let_in(d, own, mine) is True
            # nor does one that is not the certificate's take its place
            os.rename(key, key + ".kept")
            shutil.copy(mine.key, key)
            for path in (key, word):
                os.chmod(path, 0o644)
            d.rpc("system.reload")
            wait_for(lambda: "not that of" in d.stderr_text())
            os.rename(key + ".kept", key)
            os.chmod(word, 0o600)
            again(d)
            assert let_in(d, own, mine) is True
            kill_worker(d)
            assert let_in(d, own, mine) is True


def memory_of(pid):
    """What lies in the writable memory of a process."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, access = line.split()[:2]
            if not access.startswith("rw") or "/dev/shm" in line:
                continue
            start, end = (int(n, 16) for n in span.split("-"))
            if end - start > 1 << 28:  # a sanitizer's
                continue
            try:
                mem.seek(start)
                found.append(mem.read(end - start))
            except OSError:
                pass
    return b"".join(found)


def test_secrets_stay_where_they_belong():
    """a key's password is wiped, and its key in nobody's memory but the
    worker's"""
    if os.geteuid() != 0:
        raise Skip("needs root")
    password = "0penSesame-Qjx71"
    with Own() as own:
        pair, open_one = (own.ca.issue(n, server=True) for n in ("s", "o"))
        key = os.path.join(own.dir, "locked.key")
        certs.openssl("pkcs8", "-topk8", "-in", pair.key, "-out", key,
                      "-passout", "pass:" + password)
        word = os.path.join(own.dir, "word")
        with open(word, "w") as f:
            f.write(password + "\n")
        conf = tls_case.conf(cert=pair.chain, key=key, ca=own.ca.path,
                             password_file=word)
        tls = conf["transports"]
        tls["tls2"] = dict(tls["tls1"], cert=open_one.chain, key=open_one.key)
        del tls["tls2"]["password_file"]
        tls["tcp1"] = {"type": "tcp", "listen": "127.0.0.1:0",
                       "units": {"*": "plc1"}}
        inline = "0penBarley-Qjx72"
        third = own.ca.issue("t", server=True)
        own_key = os.path.join(own.dir, "inline.key")
        certs.openssl("pkcs8", "-topk8", "-in", third.key, "-out", own_key,
                      "-passout", "pass:" + inline)
        tls["tls3"] = dict(tls["tls2"], cert=third.chain, key=own_key,
                           password=inline)
        text = certs.read(open_one.key).split("\n")[1][20:60].encode()
        with sysutil.Daemon(conf) as d:
            for name in ("tls1", "tls2", "tcp1", "control"):
                memory = memory_of(d.child(name))
                assert b"holdfast" in memory  # it is the right one
                assert password.encode() not in memory, name
                assert inline.encode() not in memory, name
                if name != "tls2":
                    assert text not in memory, name
            for pid in [d.pid] + [d.child(n) for n in ("tls1", "control")]:
                assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
            for memory in (memory_of(d.pid),):
                assert password.encode() not in memory
                assert text not in memory
            # nor is there anything left of a configuration that is read again
            for n in (11, 12):
                tls["tcp1"]["max_connections"] = n
                with open(d.conf_path) as f:
                    now = json.load(f)
                with open(d.conf_path, "w") as f:
                    json.dump({**now, "transports": tls}, f)
                d.rpc("system.reload")
                os.kill(d.child("control"), signal.SIGKILL)
                d._rpc = None
                d.rpc("system.ping")
                for name in ("tls1", "tls2", "tcp1", "control"):
                    memory = memory_of(d.child(name))
                    assert b"holdfast" in memory
                    assert inline.encode() not in memory, name


if __name__ == "__main__":
    sysutil.run()
