#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test programs and says, in one line each, what became of them.

    run.py --build DIR [--torture [--seconds N]] [--seed N] [--tests DIR]
        [--limit N] [NAME...]

Without --torture: every suite check_*.c and, in short, every fuzz target
fuzz_*.c (two at a time), every system test sys_*.py and sys_*.c (one at a
time), and the short torture selection. With it: the whole torture list, with
what the harnesses say; with fewer than 60 seconds, so many sixtieths of it.
NAME picks suites; it may be a pattern ('sys_*').

What programs draw by chance is drawn from $HOLDFAST_SEED: --seed, or else
another number each time. Whatever has failed is told with a line that runs it
again with the same.

A program must print, last, Check's summary or `N passed, N failed`. One that
prints none, ran nothing, ends by a signal or with a status that its summary
does not explain, is still there after its time, or leaves processes behind,
has failed. Its output stays in DIR/check/NAME.log.

In a build with a sanitizer (make asan, make tsan) what any process of a
program reports is kept, wherever that process writes its errors to, and fails
the program too.
"""
import argparse
import fnmatch
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import torture_list  # noqa: E402  (beside this file)

LIMIT_S = 1800  # longest time that one program may take: one that hangs
SLOWER = 4  # times as long with a sanitizer
PATIENCE = 10  # times what a limit says, on a slow machine or a busy one
SANITIZER_OPTIONS = {
    # a trap is what is undefined; some tests preload a library of their own
    "ASAN_OPTIONS": "handle_sigill=1:verify_asan_link_order=0",
    "LSAN_OPTIONS": "print_suppressions=0:suppressions=%s"
                    % (HERE / "lsan.supp"),
    # Check's own signal handler spoils errno; programs that tests start leave
    # it to their end to end their threads
    "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:report_signal_unsafe=0"
                    ":report_thread_leaks=0",
}
GRACE_S = 20  # that what a program started may outlive it
TAIL_BYTES = 200_000  # of a failed program's output are shown

CHECK_RE = re.compile(
    rb"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
PLAIN_RE = re.compile(
    rb"^(\d+) passed, (\d+) failed(?:, \d+ skipped)?\s*$", re.M)


def sanitized(build):
    """Was what is in build compiled to look for its own mistakes?"""
    try:
        text = (build / "holdfastd").read_bytes()
    except OSError:
        return False
    return b"__asan_init" in text or b"__tsan_init" in text


def sanitizer_env(where):
    """Reports go into files of the directory where, one for each process,
    whatever became of that process's standard error. What the environment
    already says holds, but for that."""
    path = "log_path=%s" % (where / "report")
    return {name: ":".join(filter(None, (os.environ.get(name), more, path)))
            for name, more in SANITIZER_OPTIONS.items()}


# Empty, or the leak checker's own end: its process was ended meanwhile, or it
# could not look. Nothing that is found is said so.
NO_REPORT_RE = re.compile(
    rb"\A(?!.*ERROR: )(\Z|.*(Unable to get registers from thread"
    rb"|LeakSanitizer has encountered a fatal error))", re.S)


class Job:
    """One program: how to start it, and once it has ended, its outcome."""

    def __init__(self, name, argv, limit_s=LIMIT_S):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.limit_s = limit_s
        self.proc = self.reports = None
        self.passed = self.failed = 0
        self.why = []

    def start(self, build, seed):
        self.log = build / "check" / (self.name + ".log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, HOLDFAST_BUILD=str(build),
                   HOLDFAST_SEED=str(seed),
                   PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1",
                   CK_TIMEOUT_MULTIPLIER=str(PATIENCE))
        if sanitized(build):
            self.reports = build / "check" / (self.name + ".reports")
            shutil.rmtree(self.reports, ignore_errors=True)
            self.reports.mkdir()
            self.reports.chmod(0o1777)  # a worker may be another user
            env.update(sanitizer_env(self.reports),
                       CK_TIMEOUT_MULTIPLIER=str(PATIENCE * SLOWER))
            self.limit_s *= SLOWER
        self.began = time.monotonic()
        with open(self.log, "wb") as out:
            self.proc = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, cwd=HERE.parent, env=env,
                start_new_session=True)

    def poll(self):
        """True once it has ended (or was ended for being too slow)."""
        # WNOWAIT: its pid, which names its group, must stay taken until the
        # group has been dealt with
        over = os.waitid(os.P_PID, self.proc.pid,
                         os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self.seconds = time.monotonic() - self.began
        if not over and self.seconds < self.limit_s:
            return False
        if not over:
            self.why.append("not done after %d s" % self.limit_s)
        elif not self.group_gone():
            self.why.append("left processes behind")
        self.kill()
        self.judge(self.proc.returncode)
        return True

    def group_gone(self):
        end = time.monotonic() + min(GRACE_S, self.limit_s)
        while group_members(self.proc.pid):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def kill(self):
        if self.proc and self.proc.returncode is None:
            os.killpg(self.proc.pid, signal.SIGKILL)
            self.proc.wait()

    def gather(self):
        """Appends the sanitizer's reports to the log; how many there were."""
        if not self.reports:
            return 0
        found = sorted(f for f in self.reports.iterdir()
                       if not NO_REPORT_RE.search(f.read_bytes()))
        with open(self.log, "ab") as out:
            for f in found:
                out.write(b"\n-- %s:\n" % f.name.encode() + f.read_bytes())
        if not found:
            shutil.rmtree(self.reports)
        return len(found)

    def judge(self, status):
        n = self.gather()
        if n:
            self.why.append("%d reports of the sanitizer" % n)
        text = self.log.read_bytes()
        plain = PLAIN_RE.findall(text)
        checks = CHECK_RE.findall(text)
        if plain:
            self.passed, self.failed = map(int, plain[-1])
        for total, failures, errors in checks:
            bad = int(failures) + int(errors)
            self.passed += int(total) - bad
            self.failed += bad
        if not plain and not checks:
            self.why.append("no summary")
        elif not self.passed and not self.failed:
            self.why.append("ran nothing")
        if status < 0:
            if not self.why:
                self.why.append("ended by " + signal.Signals(-status).name)
        elif status and not self.failed:
            self.why.append("exit status %d" % status)
        if self.why and not self.failed:
            self.failed = 1


def group_members(pgid):
    """Processes of a group other than its leader, zombies left out."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == pgid:
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pgid and fields[0] not in "ZX":
            found.append(int(entry))
    return found


def absent(name, what):
    """A job that could not even be started."""
    job = Job(name, [])
    job.why.append(what)
    job.failed, job.seconds, job.log = 1, 0.0, None
    return job


def built(build, source, limit_s):
    program = build / "tests" / source.stem
    if program.exists():
        return Job(source.stem, [program], limit_s)
    return absent(source.stem, "not built: " + str(program))


def torture_jobs(build, full, seconds):
    for row in torture_list.rows(build, HERE, full, seconds):
        name, argv, limit_s = row
        if shutil.which(str(argv[0])):
            yield Job(name, argv, limit_s * PATIENCE)
        else:
            yield absent(name, "not built: %s" % argv[0])


def collect(build, opts):
    """The jobs in the order of running, as [how many at a time, jobs]."""
    if opts.torture:
        return [(1, list(torture_jobs(build, True, opts.seconds)))]
    here, limit_s = opts.tests, opts.limit
    suites = [built(build, s, limit_s) for s in sorted(here.glob("check_*.c"))]
    suites += [Job(s.stem, [HERE / "fuzz.sh", build, 0, s.stem], limit_s)
               for s in sorted(here.glob("fuzz_*.c"))]
    systems = [Job(s.stem, [sys.executable, s], limit_s)
               for s in sorted(here.glob("sys_*.py"))]
    systems += [built(build, s, limit_s)
                for s in sorted(here.glob("sys_*.c"))]
    return [(2, suites), (1, systems),
            (1, list(torture_jobs(build, False, opts.seconds)))]


def report(job, talkative):
    line = "%-28s %6d passed %4d failed %8.1f s" % (
        job.name, job.passed, job.failed, job.seconds)
    if job.why:
        line += "  " + ", ".join(job.why)
    print(line, flush=True)
    if not job.log or not (job.failed or talkative):
        return
    text = job.log.read_bytes()
    if len(text) > TAIL_BYTES:
        print("    | ... the end of %s:" % job.log)
        text = text[-TAIL_BYTES:]
    for row in text.decode("utf-8", "replace").splitlines():
        print("    | " + row)
    sys.stdout.flush()


def run(build, seed, width, jobs, talkative):
    waiting, running = list(jobs), []
    try:
        while waiting or running:
            while waiting and len(running) < width:
                job = waiting.pop(0)
                if job.failed:
                    report(job, talkative)
                    continue
                job.start(build, seed)
                running.append(job)
            for job in [j for j in running if j.poll()]:
                running.remove(job)
                report(job, talkative)
            time.sleep(0.02)
    finally:
        for job in running:
            job.kill()


def replay(opts, job):
    """The line that runs a job again as it was run."""
    argv = [sys.argv[0], "--build", str(opts.build), "--seed", str(opts.seed)]
    if opts.torture:
        argv += ["--torture", "--seconds", str(opts.seconds)]
    if opts.tests != HERE:
        argv += ["--tests", str(opts.tests)]
    return shlex.join([sys.executable, *argv, job.name])


def main():
    parser = argparse.ArgumentParser(description="run the tests")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--torture", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int,
                        default=random.randrange(1, 1 << 31))
    parser.add_argument("--tests", type=pathlib.Path, default=HERE,
                        help="where the sources of the suites are")
    parser.add_argument("--limit", type=int, default=LIMIT_S,
                        help="seconds that a suite may take")
    parser.add_argument("name", nargs="*")
    opts = parser.parse_args()
    if opts.seconds < 1:
        parser.error("--seconds: at least one")
    build = opts.build.resolve()
    groups = collect(build, opts)
    if opts.name:
        groups = [(width, [j for j in jobs if any(
            fnmatch.fnmatch(j.name, n) for n in opts.name)])
            for width, jobs in groups]
    jobs = [j for _, group in groups for j in group]
    unknown = [n for n in opts.name
               if not fnmatch.filter([j.name for j in jobs], n)]
    if unknown or not jobs:
        sys.exit("run.py: no such suite: " + " ".join(unknown or ["(none)"]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for width, group in groups:
        run(build, opts.seed, width, group, opts.torture)
    for job in jobs:
        if job.failed:
            print("failed: " + job.name)
            print("  replay: " + replay(opts, job))
    failed = sum(j.failed for j in jobs)
    print("%d passed, %d failed" % (sum(j.passed for j in jobs), failed),
          flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
