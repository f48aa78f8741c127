#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds one defect at a time into the store; the harnesses must find each.

    torture_mutants.py --build DIR [--seed N] [NAME...]

A harness that cannot find a defect proves nothing by finding none. Prints
what found each defect, and how many were caught.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

import torture_build

ENDLESS = "STORE_SLICE_NS=100000000000L"


def step(modes, request, *more):
    return ("torture_step", ["--mode", modes, "--request", request, "--first",
                             *more])


KILL = step("kill", "transaction")
STOP = step("stop", "transaction,same,refused")
WAIT = step("wait", "transaction", "--stride", "3")
SELF = step("self", "transaction", "--stride", "7")
HOLD = step("hold", "transaction")
READ = step("read", "regs")
WAITER = ("torture_step", ["--mode", "wkill", "--request", "mask", "--first",
                           "--stride", "3"])
NEST = ("torture_nest", ["--request", "mask", "--first", "--seconds", "6"])
CHAOS = ("torture_chaos", ["--seconds", "2"])

# the defects that the store's source offers by STORE_MUT
HOOKS = {
    "semaphore first, holder noted later": (1, [KILL, WAITER]),
    "readers sent to the side being written": (2, [STOP, CHAOS]),
    "repair copies nothing": (3, [KILL, NEST]),
    "done noted after the release": (4, [KILL, NEST]),
    "repair credits the dead owner": (5, [NEST]),
    "reaping wakes nobody": (6, [WAITER]),
}

# further ones: edits of the source, as {file: [(old, new)]}
OWN, STORE, SLOT = "shm/store_own.c", "shm/store.c", "shm/slot.c"
EDITS = {
    "release wakes nobody": ([WAITER], {OWN: [(
        "	if (tokens <= 0) {\n		sem_post(st->gate);\n	}\n",
        "")]}),
    "a writer takes over without repair": ([SELF], {OWN: [(
        "	repair(st, dead); /* if we die in it, the next one repairs */\n",
        "")]}),
    "a waiter tries only with a token": ([SELF], {OWN: [(
        "if (try_owner(st, !got || now >= ask_at)) {",
        "if (got && try_owner(st, now >= ask_at)) {")]}),
    "repair copies the wrong way": ([KILL, NEST], {OWN: [(
        "copy_side(st, !from, from);", "copy_side(st, from, !from);")]}),
    "repair leaves the sequence odd": ([KILL], {OWN: [(
        "	if (from) {\n", "	if (0) {\n")]}),
    "repair takes the sequence back": ([READ], {OWN: [(
        "atomic_store_explicit(&d->seq, q + 1, memory_order_release);\n"
        "	}\n	credit",
        "atomic_store_explicit(&d->seq, q - 1, memory_order_release);\n"
        "	}\n	credit")]}),
    "repair forgets the event ring": ([KILL], {OWN: [(
        "	copy_word(&t->events, &f->events);\n", "")]}),
    "repair credits nobody": ([KILL], {OWN: [(
        "	credit(st, dead);\n	atomic", "	atomic")]}),
    "a silent owner is taken for dead": ([HOLD, CHAOS], {SLOT: [(
        "	    slot_lock_held(env->lock_fd, SLOT_OF(id))) {",
        "	    false) {")]}),
    "the dead are never found out": ([SELF], {SLOT: [(
        "	slot_declare_dead(env->control, id);\n	return true;",
        "	return false;")]}),
    "the tag follows the commit": ([KILL], {STORE: [(
        "	set_side(&d->side[0], tag, events, st->env->me);\n",
        "	set_side(&d->side[0], d->side[0].tag, events, st->env->me);\n"),
        ("	set_side(&d->side[1], tag, events, st->env->me);\n",
         "	set_side(&d->side[0], tag, events, st->env->me);\n"
         "	set_side(&d->side[1], tag, events, st->env->me);\n")]}),
    "events are shown before the commit": ([STOP], {STORE: [(
        "	set_side(&d->side[0], tag, events, st->env->me);\n",
        "	set_side(&d->side[0], tag, events, st->env->me);\n"
        "	d->side[1].events = events;\n")]}),
    "a write that changes nothing leaves an event": ([STOP], {STORE: [(
        "		    !store_copy_same(", "		    !false && (")]}),
    "readers always use side 0": ([STOP, CHAOS], {STORE: [(
        "store_copy_out(st->data[q & 1], &run, out);",
        "store_copy_out(st->data[0], &run, out);")]}),
    "readers do not look twice": ([READ, CHAOS], {STORE: [(
        "memory_order_relaxed) == q) {\n			if (seq) {",
        "memory_order_relaxed) != 1) {\n			if (seq) {")]}),
    "done noted before the commit": ([KILL], {STORE: [(
        "		number = commit(st, who, s, n, p);\n",
        "		atomic_store(done, who->op);\n"
        "		number = commit(st, who, s, n, p);\n")]}),
    "a replay is carried out again": ([KILL], {STORE: [(
        ">= who->op) {\n		store_own_release",
        "> who->op) {\n		store_own_release")]}),
    "the second side is left behind": ([KILL], {STORE: [(
        "			store_copy_words(", "			(void)(")]}),
}


def jobs():
    """{name: (defines, edits, [(harness, args)])}"""
    found = {}
    for name, (number, harnesses) in HOOKS.items():
        found[name] = (["STORE_MUT=%d" % number], {}, harnesses)
    for name, (harnesses, edits) in EDITS.items():
        found[name] = ([], edits, harnesses)
    return found


def hunt(name, number, build, plain, seed):
    """[(harness and mode, caught, seconds)] for one defect."""
    defines, edits, harnesses = jobs()[name]
    came = []
    for n, (harness, args) in enumerate(harnesses):
        extra = [ENDLESS] if (harness, args) == WAITER else []
        program = torture_build.build(
            build, "mutant-%02d-%d" % (number, n), harness,
            defines + extra, edits, plain=plain)
        argv = [str(program), *args, "--seed", str(seed)]
        began = time.monotonic()
        try:
            ran = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            raise torture_build.Broken("not done after 60 s: "
                                       + " ".join(argv)) from None
        # 70 is a harness that could not do its work: that catches nothing
        if ran.returncode not in (0, 1):
            raise torture_build.Broken("%s: status %d\n%s" % (
                " ".join(argv), ran.returncode, ran.stdout[-2000:]))
        what = harness.split("_")[1]
        if what == "step":
            what = args[1]
        came.append((what, ran.returncode == 1, time.monotonic() - began,
                     argv))
        program.unlink()
    return came


def main():
    parser = argparse.ArgumentParser(description="seed defects and find them")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=os.getpid())
    parser.add_argument("name", nargs="*")
    opts = parser.parse_args()
    build = opts.build.resolve()
    print("--seed %d" % opts.seed, flush=True)
    names = opts.name or list(jobs())
    plain = torture_build.plain_objects(build)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [(name, pool.submit(
            hunt, name, list(jobs()).index(name), build, plain, opts.seed))
            for name in names]
        for name, job in running:
            try:
                came = job.result()
            except torture_build.Broken as e:
                print("FAIL %-46s not tried: %s" % (name, e))
                failed += 1
                continue
            ok = all(caught for _, caught, _, _ in came)
            passed, failed = passed + ok, failed + (not ok)
            print("%-4s %-46s %s" % ("ok" if ok else "FAIL", name, ", ".join(
                "%s by %s (%.1f s)" % (
                    "caught" if caught else "MISSED", what, seconds)
                for what, caught, seconds, _ in came)), flush=True)
            for _, caught, _, argv in came:
                if not caught:
                    print("     replay: %s --build %s --seed %d '%s'" % (
                        sys.argv[0], opts.build, opts.seed, name))
    print("caught %d of %d seeded defects" % (passed, passed + failed))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
