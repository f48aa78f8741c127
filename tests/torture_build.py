# SPDX-License-Identifier: Apache-2.0
"""Builds a harness together with its own copy of shm/, changed or not.

The Makefile builds the harnesses against the product. Those that need the
store otherwise (a seeded defect, sleeps without an end, another compiler)
are built here, into BUILD/torture/NAME/.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent


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


def compile_one(source, out, compiler, flags):
    argv = compiler.split() + [
        "-std=gnu11", "-D_GNU_SOURCE", "-DHOLDFAST_VERSION=\"torture\"",
        "-DHOLDFAST_PREFIX=\"/\"", "-I" + str(TOP), "-pthread", "-w", "-fPIC",
        *flags, "-c", "-o", str(out), str(source)]
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, cwd=TOP,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True)
    if ran.returncode:
        raise Broken(" ".join(argv) + "\n" + ran.stdout)
    return out


def build(build_dir, name, harness, defines=(), edits=None, compiler="cc",
          opt="-O2", plain=None):
    """Path of tests/HARNESS.c linked with shm/*.c.

    edits: {"shm/x.c": [(old, new), ...]}. plain: what plain_objects() gave,
    to take from it what neither defines nor edits change.
    """
    edits = edits or {}
    where = build_dir / "torture" / name
    where.mkdir(parents=True, exist_ok=True)
    flags = [opt, "-g"] + ["-D" + d for d in defines]
    objects, todo = [], []
    for source in sorted(TOP.glob("shm/*.c")) + [
            TOP / "tests" / (harness + ".c")]:
        relative = str(source.relative_to(TOP))
        # defines reach only what includes the store's own headers
        touched = bool(defines) and (
            source.name.startswith("store") or source.parent.name == "tests")
        if relative in edits:
            changed = where / source.name
            changed.write_text(edited(source, edits[relative]))
            todo.append((changed, where / (source.stem + ".o")))
        elif plain and not touched:
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
    sources = sorted([*TOP.glob("shm/*.c"), *TOP.glob("tests/torture_*.c")])
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
    parser.add_argument("--define", action="append", default=[])
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--opt", default="-O2")
    parser.add_argument("harness")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    opts = parser.parse_args()
    name = re.sub(r"[^\w.=]+", "_", "-".join(
        [opts.harness, opts.cc, opts.opt.strip("-"), *opts.define]))
    program = build(opts.build.resolve(), name, opts.harness,
                    tuple(opts.define), compiler=opts.cc, opt=opts.opt)
    os.execv(program, [str(program), *opts.args])


if __name__ == "__main__":
    main()
