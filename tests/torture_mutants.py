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

# each defect: what must find it, and the edits that seed it
OWN, STORE, SLOT = "shm/store_own.c", "shm/store.c", "shm/slot.c"
EDITS = {
    "semaphore first, holder noted later": ([KILL, WAITER], {OWN: [
        ("	int64_t now, end, ask_at, until;\n	bool got;\n\n",
         "	int64_t now, end, ask_at, until;\n	bool got;\n\n"
         "	sem_wait(st->gate);\n"
         "	atomic_store(&st->dev->owner, st->env->me);\n	return 0;\n"),
        ("	int tokens = 0;\n\n",
         "	int tokens = 0;\n\n	atomic_store(&st->dev->owner, 0);\n"
         "	sem_post(st->gate);\n	return;\n"),
        ("	sem_post(st->gate);\n	return had;\n", "	return had;\n")],
        STORE: [(">= who->op) {\n		store_own_release",
                 ">= who->op && 0) {\n		store_own_release")]}),
    "readers sent to the side being written": ([STOP, CHAOS], {STORE: [(
        "	atomic_store_explicit(&d->seq, q + 1, memory_order_release);\n",
        "")]}),
    "repair copies nothing": ([KILL, NEST], {OWN: [(
        "	copy_side(st, !from, from);\n", "	(void)copy_side;\n")]}),
    "done noted after the release": ([KILL, NEST], {STORE: [(
        "		atomic_store_explicit(done, who->op, memory_order_release);\n"
        "		store_own_release(st);\n",
        "		store_own_release(st);\n"
        "		atomic_store_explicit(done, who->op, memory_order_release);\n"
        )]}),
    "repair credits the dead owner": ([NEST], {OWN: [(
        "static void\ncredit(",
        "static uint64_t dead;\n\nstatic void\ncredit("), (
        "	done = store_own_done(st, author);\n",
        "	if (atomic_load(&s->who) != dead)\n		return;\n"
        "	done = store_own_done(st, author);\n"), (
        "swap_owner(struct store *st, uint64_t *o)\n{\n",
        "swap_owner(struct store *st, uint64_t *o)\n{\n	dead = *o;\n")]}),
    "reaping wakes nobody": ([WAITER], {OWN: [(
        "	sem_post(st->gate);\n	return had;\n", "	return had;\n")]}),
    "release wakes nobody": ([WAITER], {OWN: [(
        "	if (tokens <= 0)\n		sem_post(st->gate);\n",
        "")]}),
    "a writer takes over without repair": ([SELF], {OWN: [(
        "	repair(st); /* if we die in it, the next one repairs */\n",
        "")]}),
    "a waiter tries only with a token": ([SELF], {OWN: [(
        "if (try_owner(st, !got || now >= ask_at))",
        "if (got && try_owner(st, now >= ask_at))")]}),
    "repair copies the wrong way": ([KILL, NEST], {OWN: [(
        "copy_side(st, !from, from);", "copy_side(st, from, !from);")]}),
    "repair leaves the sequence odd": ([KILL], {OWN: [(
        "	if (from)\n", "	if (0)\n")]}),
    "repair takes the sequence back": ([READ], {OWN: [(
        "atomic_store_explicit(&d->seq, q + 1, memory_order_release);\n"
        "	credit",
        "atomic_store_explicit(&d->seq, q - 1, memory_order_release);\n"
        "	credit")]}),
    "repair forgets the event ring": ([KILL], {OWN: [(
        "	copy_word(&t->events, &f->events);\n", "")]}),
    "repair credits nobody": ([KILL], {OWN: [(
        "	credit(st);\n	atomic", "	atomic")]}),
    "a silent owner is taken for dead": ([HOLD, CHAOS], {SLOT: [(
        "	    slot_lock_held(env->lock_fd, SLOT_OF(id)))",
        "	    false)")]}),
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
        "store_copy_out(st->data[q & 1], run, out);",
        "store_copy_out(st->data[0], run, out);")]}),
    "readers do not look twice": ([READ, CHAOS], {STORE: [(
        "memory_order_relaxed) == q) {\n			if (seq)",
        "memory_order_relaxed) != 1) {\n			if (seq)")]}),
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


def hunt(name, number, build, plain, seed):
    """[(harness and mode, caught, seconds)] for one defect."""
    harnesses, edits = EDITS[name]
    came = []
    for n, (harness, args) in enumerate(harnesses):
        endless = (harness, args) == WAITER
        program = torture_build.build(
            build, "mutant-%02d-%d" % (number, n), harness,
            {**edits, **torture_build.ENDLESS} if endless else edits,
            plain=plain)
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
    parser.add_argument("--seed", type=int, default=int(
        os.environ.get("HOLDFAST_SEED", os.getpid())))
    parser.add_argument("name", nargs="*")
    opts = parser.parse_args()
    build = opts.build.resolve()
    print("--seed %d" % opts.seed, flush=True)
    names = opts.name or list(EDITS)
    plain = torture_build.plain_objects(build)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [(name, pool.submit(
            hunt, name, list(EDITS).index(name), build, plain, opts.seed))
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
