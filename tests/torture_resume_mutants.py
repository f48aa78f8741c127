#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds one defect at a time into what lets connections outlive their worker;
torture_resume or torture_resume_chaos must find each.

    torture_resume_mutants.py --build DIR [--seed N] [--apply] [NAME...]

As torture_mutants.py, which does the same to the store. --apply only sees that
each can be seeded: the product's text is as it is expected.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

import torture_build

WAIT = "	for (volatile int wait = 0; wait < 400; wait++)\n		;\n"


def resume(modes, stride):
    return ("torture_resume", ["--mode", modes, "--stride", str(stride),
                               "--first"])


TURN, FIN, DOOR = resume("turn", 101), resume("fin", 101), resume("door", 101)
CHAOS = ("torture_resume_chaos", ["--seconds", "60"])  # until it is found

# each defect: what must find it, and the edits that seed it
EDITS = {
    "a FIN counts as a byte that was read": (FIN, {"workers/resume.c": [(
        "		--*consumed;\n", "		;\n")]}),
    "the record owns nothing while it is read into": (
        CHAOS, {"workers/stream.c": [(
            "	io = st->ops->recv(c, b->in + pre, room, &n);\n",
            "	uint64_t own = b->own;\n	b->own = 0;\n"
            "	io = st->ops->recv(c, b->in + pre, room, &n);\n"
            "	b->own = own;\n")]}),
    "a request is noted before it is carried out": (
        TURN, {"workers/link.c": [(
            "		count_skipped(r, b->in + prog.done, "
            "rc == FRAME_OK);\n",
            "		count_skipped(r, b->in + prog.done, "
            "rc == FRAME_OK);\n"
            "		if (rc == FRAME_OK) {\n"
            "			struct batch_prog early = prog;\n"
            "			early.done += (unsigned)r->frame.used;\n"
            "			early.ops++;\n"
            "			batch_prog_set(b, &early);\n"
            "		}\n")]}),
    "what has been sent is sent again": (TURN, {"workers/resume.c": [(
        "	*sent = (unsigned)(written - b->tx_base[p.round]);\n",
        "	*sent = 0;\n")]}),
    "the counts move on before the left-over does": (
        TURN, {"workers/batch.c": [(
            "	next->left = len - p.done;\n	next->apart = 0;\n"
            "	if (next->left != 0)\n"
            "		memcpy(c->cold->in[!(seq & 1)], b->in + p.done, "
            "next->left);\n"
            "	atomic_store_explicit(&c->shm->seq, seq + 1, "
            "memory_order_release);\n",
            "	next->left = len - p.done;\n	next->apart = 0;\n"
            "	atomic_store_explicit(&c->shm->seq, seq + 1, "
            "memory_order_release);\n" + WAIT +
            "	if (next->left != 0)\n"
            "		memcpy(c->cold->in[!(seq & 1)], b->in + p.done, "
            "next->left);\n")]}),
    "what a predecessor has done is a failure": (
        TURN, {"workers/stream.c": [(
            "	st->worker->bind.resumed = c->resumed;\n",
            "	st->worker->bind.resumed = false;\n")]}),
    "numbers begin anew": (TURN, {"workers/link.c": [(
        "	r.op = batch_half(c)->op;\n",
        "	r.op = batch_half(c)->op + "
        "(l->worker->bind.resumed ? 1000 : 0);\n")]}),
    "functions of plugins are told what there is now": (
        TURN, {"workers/hooks/journal.c": [(
            "	if (at >= known)\n", "	if (at >= known || at == 0)\n")]}),
    "FC 23 reads again": (TURN, {"workers/bind.c": [(
        "	for (i = 0; i < n; i++)\n		if (s[i].op == MB_READ)\n",
        "	for (i = 0; i < n; i++)\n		if (d->bind->resumed && "
        "s[i].op == MB_READ)\n			read_one(d->store, &s[i], "
        "NULL);\n	for (i = 0; i < n; i++)\n		"
        "if (s[i].op == MB_READ)\n")]}),
    "nobody looks for who was accepted": (DOOR, {"workers/door.c": [(
        "	atomic_store_explicit(\n	    &d->worker->shm->accepting, on, "
        "memory_order_release);\n", "	(void)d, (void)on;\n")]}),
    "nobody looks any more before there is a record": (
        DOOR, {"workers/door.c": [(
            "		d->in_vain = false;\n		let_in(d, fd, &peer);\n",
            "		accepting(d, false);\n		let_in(d, fd, &peer);\n"
        )]}),
    "what was being closed stays so": (DOOR, {"workers/resume.c": [(
        "		if (used(&ls, i) != CONN_FREE && "
        "used(&ls, i) != CONN_USED)\n", "		if (0)\n")]}),
}


def build(build_dir, number, harness, edits):
    """The harness with its edited files in front of the product's objects."""
    where = build_dir / "torture" / ("resume-mutant-%02d" % number)
    where.mkdir(parents=True, exist_ok=True)
    objects = []
    for relative, pairs in edits.items():
        source = torture_build.TOP / relative
        changed = where / source.name
        changed.write_text(torture_build.edited(source, pairs))
        objects.append(torture_build.compile_one(
            changed, where / (source.stem + ".o"), "cc", ["-O2", "-g"]))
    program = where / harness
    libs = subprocess.run(
        ["pkg-config", "--libs", "libevent_core", "jansson", "gnutls"],
        stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    ran = subprocess.run(
        ["cc", "-fno-lto", "-pie", "-pthread", "-Wl,-z,now", "-o",
         str(program), *map(str, objects),
         str(build_dir / "obj/tests" / (harness + ".o")),
         str(build_dir / "tests.a"), str(build_dir / "core.a"), *libs,
         "-ldl", "-lm"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    if ran.returncode:
        raise torture_build.Broken(ran.stdout)
    return program


def hunt(name, number, build_dir, seed):
    """(caught, seconds, argv) of one defect."""
    (harness, args), edits = EDITS[name]
    program = build(build_dir, number, harness, edits)
    argv = [str(program), *args, "--seed", str(seed)]
    began = time.monotonic()
    try:
        ran = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        raise torture_build.Broken(
            "not done after 600 s: " + " ".join(argv)) from None
    if ran.returncode not in (0, 1):
        raise torture_build.Broken("%s: status %d\n%s" % (
            " ".join(argv), ran.returncode, ran.stdout[-2000:]))
    program.unlink()
    return ran.returncode == 1, time.monotonic() - began, argv


def apply(name):
    for relative, pairs in EDITS[name][1].items():
        torture_build.edited(torture_build.TOP / relative, pairs)


def main():
    parser = argparse.ArgumentParser(description="seed defects and find them")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=int(
        os.environ.get("HOLDFAST_SEED", os.getpid())))
    parser.add_argument("--apply", action="store_true")
    parser.add_argument("name", nargs="*")
    opts = parser.parse_args()
    build_dir = opts.build.resolve()
    print("--seed %d" % opts.seed, flush=True)
    missed = 0
    for number, name in enumerate(EDITS):
        if opts.name and name not in opts.name:
            continue
        if opts.apply:
            apply(name)
            continue
        caught, took, argv = hunt(name, number, build_dir, opts.seed)
        missed += not caught
        print("%-7s %s (%.1f s)%s" % (
            "caught" if caught else "MISSED", name, took,
            "" if caught else "\n     " + " ".join(argv)), flush=True)
    print("%d passed, %d failed" % (
        len(opts.name or EDITS) - missed, missed), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
