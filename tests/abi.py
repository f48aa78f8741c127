#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs that were compiled with holdfast.h rely on, one fact a line.

    abi.py > tests/abi.txt

freezes it as it is now. sys_library.py demands that each frozen fact still
holds; new ones, as of calls, constants and members that are added at the end
of a struct, hold from when they are frozen, which is done before a release.
What a release has frozen is not to be taken away: add a name, or raise the
soname and HF_PLUGIN_ABI."""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = os.path.join(ROOT, "supervisor/holdfast.h")
MAP = os.path.join(ROOT, "supervisor/holdfast.map")
GROWS = {"HF_PLUGIN_REVISION"}  # counts what is added


def output(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError("%s: %s" % (argv, done.stderr))
    return done.stdout


def exports():
    """{name: version} in the order of supervisor/holdfast.map"""
    with open(MAP) as f:
        text = re.sub(r"#.*", "", f.read())
    found = {}
    for node, body in re.findall(r"([\w.]+)\s*\{(.*?)\}", text, re.S):
        body = body.partition("global:")[2].partition("local:")[0]
        found.update((name, node) for name in re.findall(r"\w+", body))
    return found


def prototypes():
    """{name: declaration without names of parameters}"""
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        log = os.path.join(where, "declared")
        output("cc", "-fsyntax-only", "-aux-info", log, "-x", "c", HEADER)
        with open(log) as f:
            return {m[2]: m[1] for m in re.finditer(
                r"^/\*.*\*/ extern (.*?\b(hf_\w+) \(.*\));", f.read(), re.M)}


def calls():
    declared = prototypes()
    return ["call %s@@%s: %s" % (name, node, declared.get(name, "undeclared"))
            for name, node in exports().items()]


def structs():
    """Where the members of each struct lie. One that says its own size may
    grow, so its size is no promise."""
    dump = output("clang", "-Xclang", "-fdump-record-layouts-complete",
                  "-fsyntax-only", "-x", "c", HEADER)
    found = []
    for block in dump.split("*** Dumping AST Record Layout\n")[1:]:
        name = re.match(r" +0 \| (?:struct|union) (hf_\w+)\n", block)
        if not name:
            continue
        rows = re.findall(r"^ +([\d:-]+) \| ( +.*)$", block, re.M)
        found += ["struct %s at %s:%s" % (name[1], at, what[1:])
                  for at, what in rows]
        if not any(what.split() == ["size_t", "size"] for _, what in rows):
            size = re.search(r"sizeof=(\d+)", block)[1]
            found.append("struct %s is %s bytes" % (name[1], size))
    return found


def constants():
    text = output("cc", "-E", "-P", HEADER)
    names = [re.match(r"\s*(\w+)", word)[1]
             for body in re.findall(r"\benum\b\s*\w*\s*\{([^}]*)\}", text)
             for word in body.split(",") if word.strip()]
    names = [n for n in names if n.startswith("HF_") and n not in GROWS]
    with tempfile.TemporaryDirectory(prefix="hf-") as where:
        path = os.path.join(where, "constants")
        with open(path + ".c", "w") as f:
            f.write('#include <stdio.h>\n#include "%s"\nint main(void) {\n'
                    % HEADER)
            f.writelines('printf("const %s = %%d\\n", (int)%s);\n' % (n, n)
                         for n in names)
            f.write("}\n")
        output("cc", "-o", path, path + ".c")
        return output(path).splitlines()


def facts():
    return calls() + constants() + structs()


if __name__ == "__main__":
    sys.stdout.write("".join(line + "\n" for line in facts()))
