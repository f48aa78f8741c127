# SPDX-License-Identifier: Apache-2.0
"""The torture list: which harness is run how, in short and in full."""
import sys


def rows(build, here, full, seconds):
    """[(name, argv, limit in seconds)], for run.py."""
    def python(script, *args):
        return [sys.executable, here / script, "--build", build, *args]

    kills = [("torture_faults", [sys.executable, here / "sys_faults.py",
                                 "kills_under", "--kills=10000"], 1200)]
    return (kills if full else []) + [
        ("torture_model", python(
            "torture_model.py", *(["--full"] if full else [])),
         2400 if full else 120),
    ]
