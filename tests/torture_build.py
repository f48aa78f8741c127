# SPDX-License-Identifier: Apache-2.0
"""Builds a harness together with its own copy of shm/, changed or not.

The Makefile builds the harnesses against the product. Those that need the
store otherwise (a seeded defect, sleeps without an end, another compiler)
are built here, into BUILD/torture/NAME/. The product knows nothing of it:
what is to be otherwise is edited in the copy, and an edit whose text is not
found is a failure.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent

# a waiter's sleeps that nothing but a wake ends
ENDLESS = {"shm/store_own.h": [(
    "#define STORE_SLICE_NS 2000000L",
    "#define STORE_SLICE_NS 100000000000L")]}


class Broken(Exception):
    """A build or an edit that did not work: no finding, but a failure."""


def edited(path, edits):
    """The text of a source file with each (old, new) of it replaced."""
    text = path.read_text()
    for old, new in edits:
        if text.count(old) != 1:
            raise Broken("%s: %d times, not once: %r" % (
                path, text.count(old), old))
        text = text.replace(old, new)
    return text


def shared():
    """What the harnesses of the store share; the others' needs all workers."""
    return [path for path in TOP.glob("tests/lib/torture_*.c")
            if path.stem not in ("torture_wire", "torture_scenes")]


def compile_one(source, out, compiler, flags):
    argv = compiler.split() + [
        "-std=gnu11", "-D_GNU_SOURCE", "-DHOLDFAST_VERSION=\"torture\"",
        "-DHOLDFAST_PREFIX=\"/\"", *flags, "-I" + str(TOP), "-pthread", "-w",
        "-fPIC", "-c", "-o", str(out), str(source)]
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, cwd=TOP,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True)
    if ran.returncode:
        raise Broken(" ".join(argv) + "\n" + ran.stdout)
    return out


def build(build_dir, name, harness, edits=None, compiler="cc", opt="-O2",
          plain=None):
    """Path of tests/HARNESS.c linked with shm/*.c and what harnesses share.

    edits: {"shm/x.c": [(old, new), ...]}, headers too. plain: what
    plain_objects() gave, to take from it what the edits do not change.
    """
    edits = edits or {}
    where = build_dir / "torture" / name
    where.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(where / "shm", ignore_errors=True)
    (where / "shm").mkdir()
    flags = [opt, "-g", "-I" + str(where)]  # edited headers are found first
    sources = sorted([*TOP.glob("shm/*.c"), *shared(),
                      TOP / "tests" / (harness + ".c")])
    changed = {}
    for relative, pairs in edits.items():
        changed[TOP / relative] = where / relative
        (where / relative).write_text(edited(TOP / relative, pairs))
    headers = any(path.suffix == ".h" for path in changed)
    objects, todo = [], []
    for source in sources:
        if source in changed:
            todo.append((changed[source], where / (source.stem + ".o")))
        elif plain and not headers:
            objects.append(plain[source])
        else:
            todo.append((source, where / (source.stem + ".o")))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        objects += pool.map(
            lambda job: compile_one(*job, compiler, flags), todo)
    program = where / harness
    ran = subprocess.run(
        compiler.split() + ["-pthread", "-Wl,-z,now", "-o", str(program)]
        + [str(o) for o in objects] + ["-lm"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ran.returncode:
        raise Broken(ran.stdout)
    return program


def plain_objects(build_dir, compiler="cc", opt="-O2"):
    """Objects of shm/ and of the harnesses as they are: {source: object}."""
    where = build_dir / "torture" / "plain"
    where.mkdir(parents=True, exist_ok=True)
    sources = sorted([*TOP.glob("shm/*.c"), *shared(),
                      *TOP.glob("tests/torture_*.c")])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(
            lambda s: compile_one(s, where / (s.stem + ".o"), compiler,
                                  [opt, "-g"]), sources))
    return dict(zip(sources, objects))


def main():
    """Builds a variant and becomes it: the rest of the line is its own."""
    parser = argparse.ArgumentParser(
        description="build a harness otherwise than the product, and run it")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--endless", action="store_true")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--opt", default="-O2")
    parser.add_argument("harness")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    opts = parser.parse_args()
    name = re.sub(r"[^\w.=]+", "_", "-".join(
        [opts.harness, opts.cc, opts.opt.strip("-")]
        + ["endless"] * opts.endless))
    program = build(opts.build.resolve(), name, opts.harness,
                    ENDLESS if opts.endless else None, compiler=opts.cc,
                    opt=opts.opt)
    os.execv(program, [str(program), *opts.args])


if __name__ == "__main__":
    main()
