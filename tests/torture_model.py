#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exhausts the models of the lock and of the latch.

    torture_model.py --build DIR [--full] [NAME...]

What is right must hold in every reachable state; each seeded defect must
give a counterexample, or the model proves nothing. The short selection
allows one death; --full adds those with two, which take some minutes and
some gigabytes.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent

SAFE = ["-DSAFETY", "-DNOCLAIM"]  # no liveness: assertions and deadlocks
HASHED = SAFE + ["-DHC4"]  # states are kept as 64-bit hashes
FAIR = ["-DNFAIR=5"]  # liveness, for processes that are all given turns
LIVE = ["-a", "-f"]
HOLDS, FOUND = "holds", "counterexample"

# name: (model, its defines, how to compile the search, how to run it, what
# must come out, in full only)
MODELS = {
    "lock-1-kill": ("lock", "", SAFE, [], HOLDS, False),
    "lock-no-heir": ("lock", "NO_HEIR", SAFE, [], HOLDS, False),
    "lock-alone": ("lock", "ALONE", SAFE, [], HOLDS, False),
    "lock-alone-live": ("lock", "ALONE", FAIR, LIVE, HOLDS, False),
    "lock-early": ("lock", "EARLY", HASHED, [], HOLDS, True),
    "lock-2-kills": ("lock", "KILLS=2", HASHED, [], HOLDS, True),
    "lock-no-heir-2-kills":
        ("lock", "NO_HEIR KILLS=2", HASHED, [], HOLDS, True),
    "lock-alone-3-writers-2-kills":
        ("lock", "ALONE WRITERS=3 KILLS=2", HASHED, [], HOLDS, True),
    "lock!no-kick": ("lock", "NO_HEIR NO_KICK", SAFE, [], FOUND, False),
    "lock!no-slice": ("lock", "ALONE NO_SLICE", SAFE, [], FOUND, False),
    "lock!no-slice-live":
        ("lock", "ALONE NO_SLICE", FAIR, LIVE, FOUND, False),
    "lock!noted-later": ("lock", "NOTED_LATER", SAFE, [], FOUND, False),
    "lock!no-repair": ("lock", "NO_REPAIR", SAFE, [], FOUND, False),
    "lock!credit-dead":
        ("lock", "CREDIT_DEAD KILLS=2", SAFE, [], FOUND, False),
    "lock!ask-outside": ("lock", "ASK_OUTSIDE", SAFE, [], FOUND, False),
    "lock!done-late": ("lock", "DONE_LATE", SAFE, [], FOUND, False),
    "lock!commit-early": ("lock", "COMMIT_EARLY", SAFE, [], FOUND, False),
    "latch": ("latch_weak", "", SAFE, [], HOLDS, False),
    "latch!seq-relaxed":
        ("latch_weak", "SEQ_RELAXED", SAFE, [], FOUND, False),
    "latch!no-fence": ("latch_weak", "NO_FENCE", SAFE, [], FOUND, False),
    "latch!first-relaxed":
        ("latch_weak", "FIRST_RELAXED", SAFE, [], FOUND, False),
    "latch!no-recheck-fence":
        ("latch_weak", "NO_RECHECK_FENCE", SAFE, [], FOUND, False),
}

MEMORY_MB = 10000  # at most, of one search
DEPTH = 1000000
# a search that ended so has not seen every state
UNFINISHED = ("max search depth too small", "Search not completed",
              "out of memory", "reached -DMEMLIM")


def search(name, build):
    """(what came out, line of figures) for one model."""
    model, defines, compile_with, run_with, _, _ = MODELS[name]
    where = build / "model" / name.replace("!", "-not-")
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    began = time.monotonic()

    def tool(argv, may_fail=False):
        out = subprocess.run(argv, cwd=where, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        if out.returncode and not may_fail:
            raise RuntimeError("%s: status %d\n%s" % (
                argv[0], out.returncode, out.stdout))
        return out.stdout

    # a counterexample is found at once: compiling would take longer
    speed = "-O2" if MODELS[name][4] == HOLDS else "-O0"
    tool(["spin", "-a"] + ["-D" + d for d in defines.split()]
         + [str(HERE / (model + ".pml"))])
    tool(["gcc", "-w", speed, "-DVECTORSZ=1024",
          "-DMEMLIM=%d" % MEMORY_MB] + compile_with + ["-o", "pan", "pan.c"])
    text = tool(["./pan", "-m%d" % DEPTH] + run_with, may_fail=True)
    (where / "log").write_text(text)
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+(?:\.\d+e\+\d+)?) states, stored", text)
    if not errors or not states:
        raise RuntimeError("pan said\n" + text)
    first = re.search(r"^pan:1: (.*)", text, re.M)
    if errors[1] != "0":
        came = FOUND
    elif any(u in text for u in UNFINISHED):
        came = "search not finished"
    else:
        came = HOLDS
    figures = "%s states, %.1f s" % (states[1], time.monotonic() - began)
    if first:
        figures += ", " + first[1].replace("assertion violated", "violates")
    for heavy in where.glob("pan*"):
        heavy.unlink()
    return came, figures


def main():
    parser = argparse.ArgumentParser(description="exhaust the models")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("name", nargs="*")
    opts = parser.parse_args()
    names = opts.name or [n for n, m in MODELS.items()
                          if opts.full or not m[5]]
    unknown = [n for n in names if n not in MODELS]
    if unknown:
        sys.exit("torture_model.py: no such model: " + " ".join(unknown))
    passed = failed = 0
    build = opts.build.resolve()
    # the large ones do not fit into memory side by side
    width = 1 if any(MODELS[n][5] for n in names) else 2
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        jobs = [(n, pool.submit(search, n, build)) for n in names]
        for name, job in jobs:
            try:
                came, figures = job.result()
            except (RuntimeError, OSError) as e:
                came, figures = "not run", str(e)
            ok = came == MODELS[name][4]
            passed, failed = passed + ok, failed + (not ok)
            print("%-4s %-28s %s (%s)" % (
                "ok" if ok else "FAIL", name, came, figures), flush=True)
            if not ok:
                print("     replay: %s --build %s '%s'" % (
                    sys.argv[0], opts.build, name), flush=True)
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
