# SPDX-License-Identifier: Apache-2.0
"""The torture list: which harness is run how, in short and in full."""
import sys

ENDLESS = "STORE_SLICE_NS=100000000000L"  # sleeps that nothing but a wake ends


def rows(build, here, full, seconds):
    """[(name, argv, limit in seconds)], for run.py."""
    def python(script, *args):
        return [sys.executable, here / script, "--build", build, *args]

    def variant(*args):
        return python("torture_build.py", *args)

    def tool(name, *args):
        return [build / "tests" / name, *args]

    if not full:
        return [
            ("torture_model", python("torture_model.py"), 120),
            ("torture_step", tool("torture_step", "--mode",
                                  "kill,stop,wait,birth,reap"), 120),
            ("torture_step_self", tool(
                "torture_step", "--mode", "self", "--stride", "5"), 60),
            ("torture_step_waiter", variant(
                "--define", ENDLESS, "torture_step", "--stride", "9"), 60),
            ("torture_nest", tool("torture_nest", "--seconds", "6"), 90),
        ]
    limit = 60 + 20 * seconds
    jobs = [
        ("torture_model", python("torture_model.py", "--full"), 3600),
        ("torture_step", tool("torture_step"), limit),
        ("torture_step_waiter", variant(
            "--define", ENDLESS, "torture_step"), limit),
        ("torture_nest", tool("torture_nest"), 3600),
    ]
    for compiler, opt in (("gcc", "-O0"), ("gcc", "-O3"), ("clang", "-O0"),
                          ("clang", "-O2"), ("clang", "-O3")):
        how = compiler + opt
        jobs.append(("torture_step_" + how, variant(
            "--cc", compiler, "--opt=" + opt, "torture_step"), limit))
        jobs.append(("torture_nest_" + how, variant(
            "--cc", compiler, "--opt=" + opt, "torture_nest", "--seconds",
            str(seconds // 2)), limit))
    return jobs
