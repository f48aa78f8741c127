#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runner of the tests: nothing that goes wrong may look like success."""
import itertools
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CHECK = "echo '%d%%: Checks: %d, Failures: %d, Errors: %d'"

# title: (program's script, passed, failed, word in its line)
CASES = {
    "a suite of Check's is counted by its summary":
        (CHECK % (100, 5, 0, 0), 5, 0, ""),
    "failures and errors are counted":
        (CHECK % (40, 5, 1, 2) + "; exit 1", 2, 3, ""),
    "a plain summary is read": ("echo '7 passed, 0 failed'", 7, 0, ""),
    "the last plain summary counts":
        ("echo '1 passed, 0 failed'; echo '2 passed, 3 failed'; exit 1",
         2, 3, ""),
    "a program without a summary has failed":
        ("echo all is well", 0, 1, "no summary"),
    "a program that ran nothing has failed":
        ("echo '0 passed, 0 failed'", 0, 1, "ran nothing"),
    "a crash after the summary is a failure":
        ("echo '7 passed, 0 failed'; kill -SEGV $$", 7, 1, "SIGSEGV"),
    "a status that the summary does not explain is a failure":
        ("echo '7 passed, 0 failed'; exit 3", 7, 1, "exit status 3"),
    "a program that hangs is ended and has failed":
        ("sleep 1000", 0, 1, "not done after 2 s"),
    "processes left behind are a failure, and are ended":
        ("sleep 1000 & echo $! >$HOLDFAST_BUILD/left; "
         "echo '7 passed, 0 failed'", 7, 1, "left processes"),
    "a program that was not built has failed":
        (None, 0, 1, "not built"),
}


def run(tests, build, *names):
    return subprocess.run(
        [sys.executable, HERE / "run.py", "--build", build, "--tests", tests,
         "--limit", "2", *names], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fakes(tests, build):
    """Writes a fake suite for each case; {title: its name}."""
    names = {}
    (build / "tests").mkdir()
    for n, (title, case) in enumerate(CASES.items()):
        names[title] = "check_%02d" % n
        (tests / (names[title] + ".c")).touch()
        if case[0] is not None:
            suite(tests, build, names[title], case[0])
    return names


def lives(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def suite(tests, build, name, script):
    (tests / (name + ".c")).touch()
    program = build / "tests" / name
    program.write_text("#!/bin/sh\n" + script + "\n")
    program.chmod(0o755)


def replays(tests, build):
    suite(tests, build, "check_drawn", "echo drawn $HOLDFAST_SEED\n"
          "echo '0 passed, 1 failed'; exit 1")
    first = run(tests, build, "check_drawn").stdout
    line = re.search(r"^  replay: (.+)$", first, re.M)
    again = line and subprocess.run(
        shlex.split(line[1]), stdin=subprocess.DEVNULL, check=False,
        stdout=subprocess.PIPE, text=True).stdout
    drawn = [re.search(r"drawn (\d+)$", said or "", re.M)
             for said in (first, again)]
    return all(drawn) and drawn[0][1] == drawn[1][1]


def verdicts(tests, build):
    """(title, whether it holds) of everything."""
    names = fakes(tests, build)
    out = run(tests, build, "check_*")
    for title, (_, passed, failed, word) in CASES.items():
        line = re.search(r"^%s +(\d+) passed +(\d+) failed.*$" % names[title],
                         out.stdout, re.M)
        yield title, bool(line) and word in line[0] and \
            (int(line[1]), int(line[2])) == (passed, failed)
    yield "any failure makes the whole fail", out.returncode == 1
    yield "what a failed program printed is shown", "all is well" in out.stdout
    yield "the sum closes the output", out.stdout.endswith("%d passed, %d fai"
        "led\n" % (sum(c[1] for c in CASES.values()),
                   sum(c[2] for c in CASES.values())))
    left = int((build / "left").read_text())
    yield "nothing that was left behind lives on", not lives(left)
    out = run(tests, build, "check_00", "check_02")
    yield "names choose suites, and success is said", \
        out.returncode == 0 and out.stdout.endswith("12 passed, 0 failed\n")
    yield "what has failed is told with a line that runs it again as drawn", \
        replays(tests, build)
    out = run(tests, build, "check_00", "check_nowhere")
    yield "a name that fits nothing is an error", out.returncode == 1 and \
        "check_nowhere" in out.stdout


def reported(tests, build):
    """The same of a build with a sanitizer, where a child that nobody waits
    for reports something, and of one where none does."""
    (build / "tests").mkdir(parents=True)
    (build / "holdfastd").write_text("__asan_init")
    tests.mkdir()
    for name, word in (("check_bad", "overflow"), ("check_good", "")):
        suite(tests, build, name, "(printf '%s' >${ASAN_OPTIONS"
              "##*log_path=}.77) 2>&-\n"
              "echo '7 passed, 0 failed'" % word)
    out = run(tests, build, "check_*")
    yield "what a sanitizer reports of any process is a failure, and shown", \
        re.search(r"^check_bad .* 1 failed .* 1 reports of", out.stdout,
                  re.M) and "overflow" in out.stdout
    yield "a process of which it reports nothing is fine", \
        re.search(r"^check_good +7 passed +0 failed", out.stdout, re.M)


def main():
    passed = failed = 0
    root = pathlib.Path(os.environ["HOLDFAST_BUILD"]) / "check"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as where:
        tests, build = (pathlib.Path(where) / d for d in ("t", "b"))
        tests.mkdir()
        build.mkdir()
        more = reported(*(pathlib.Path(where) / d for d in ("t2", "b2")))
        for title, holds in itertools.chain(verdicts(tests, build), more):
            print("%-4s %s" % ("ok" if holds else "FAIL", title))
            passed, failed = passed + bool(holds), failed + (not holds)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
