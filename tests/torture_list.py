# SPDX-License-Identifier: Apache-2.0
"""The torture list: which harness is run how, in short and in full.

In full, 60 seconds are all of it: what is counted is done as often as is said
here, and whatever can be killed is killed at each instruction. Fewer are so
many sixtieths of that; more are more for what goes on for a time, and is not
counted.
"""
import sys

ALL = 60


def rows(build, here, full, seconds):
    """[(name, argv, limit in seconds)], for run.py."""
    part = min(seconds, ALL)
    apart = ALL // part  # one instruction in so many

    def times(option, n):
        return "--%s=%d" % (option, max(n * part // ALL, 1))

    def python(script, *args):
        return [sys.executable, here / script, "--build", build, *args]

    def variant(*args):
        return python("torture_build.py", *args)

    def tool(name, *args):
        return [build / "tests" / name, *args]

    step_modes = "kill,stop,wait,hold,birth,reap"
    if not full:
        return [
            ("torture_model", python("torture_model.py"), 120),
            ("torture_step", tool("torture_step", "--mode", step_modes), 180),
            ("torture_step_self", tool(
                "torture_step", "--mode", "self", "--stride", "5"), 60),
            ("torture_step_read", tool(
                "torture_step", "--mode", "read", "--stride", "8"), 60),
            ("torture_step_waiter", variant(
                "--endless", "torture_step", "--stride", "9"), 60),
            ("torture_clock", tool("torture_clock", "--stride", "29"), 60),
            ("torture_nest", tool("torture_nest", "--seconds", "4"), 90),
            ("torture_chaos", tool("torture_chaos", "--seconds", "10"), 60),
            ("torture_mutants", python("torture_mutants.py"), 180),
            ("torture_resume", tool(
                "torture_resume", "--mode",
                "turn,fin,door,reset,limit,reject,full,nest",
                "--stride", "2003", "--seconds", "2"), 120),
            ("torture_resume_again", tool(
                "torture_resume", "--mode", "again", "--stride", "20011"),
             120),
            ("torture_resume_chaos", tool(
                "torture_resume_chaos", "--seconds", "3"), 60),
            ("torture_resume_mutants", python(
                "torture_resume_mutants.py", "--apply"), 60),
            ("torture_udp", tool(
                "torture_udp", "--stride", "211", "--seconds", "2"), 120),
            ("torture_durable_step", tool(
                "torture_durable", "--stride", "211"), 120),
        ]
    limit = 300 + 10 * seconds
    jobs = [
        ("torture_model", python(
            "torture_model.py", *["--full"] * (part == ALL)), 3600),
        ("torture_step", tool("torture_step", "--stride", apart), limit),
        ("torture_step_waiter", variant(
            "--endless", "torture_step", "--stride", apart), limit),
        ("torture_clock", tool("torture_clock", "--stride", apart), limit),
        ("torture_nest", tool(
            "torture_nest", "--request", "regs,mask,transaction,wrap",
            *["--seconds", seconds] * (part < ALL)), 3600),
        ("torture_chaos", tool(
            "torture_chaos", "--seconds", seconds), limit),
        ("torture_chaos_8_writers", tool(
            "torture_chaos", "--seconds", seconds, "--writers", 8), limit),
        ("torture_mutants", python("torture_mutants.py"), 600),
        # each instruction of a turn; of successors every 61st
        ("torture_resume", tool(
            "torture_resume", "--mode",
            "turn,fin,door,reset,limit,reject,full,nest",
            "--stride", apart, "--seconds", seconds), 7200),
        ("torture_resume_again", tool(
            "torture_resume", "--mode", "again",
            "--stride", 61 * apart), 7200),
        ("torture_resume_chaos", tool(
            "torture_resume_chaos", "--seconds", seconds), limit),
        ("torture_resume_mutants", python("torture_resume_mutants.py"), 900),
        ("torture_continuity", [sys.executable, here / "sys_continuity.py",
                                "kills_under", times("kills", 20000)], 1800),
        ("torture_faults", [sys.executable, here / "sys_faults.py",
                            "kills_under", "kills_while",
                            times("kills", 10000)], 1200),
        ("torture_udp", tool(
            "torture_udp", "--stride", apart, "--seconds", seconds), 3600),
        ("torture_adds_udp", [sys.executable, here / "sys_udp.py",
                              "nothing_is", times("kills", 3000)], 1200),
        ("torture_kills_serial", [sys.executable, here / "sys_serial.py",
                                  "kept_over", times("kills", 2000)], 1200),
        ("torture_storm_udp", [sys.executable, here / "sys_udp.py",
                               "storm", times("storm", 5000000)], 2400),
        ("torture_kills_udp", [sys.executable, here / "sys_udp.py",
                               "killed", times("kills", 5000)], 1200),
        ("torture_shm", [sys.executable, here / "sys_shm.py",
                         "killed_while", times("kills", 3000)], 1200),
        ("torture_attach", [sys.executable, here / "sys_attach.py",
                            "--seconds=%d" % seconds,
                            times("rounds", 60)], limit),
        ("torture_embed", [sys.executable, here / "sys_embed_ends.py",
                           "killed_at_random", times("kills", 1000)], 1200),
        ("torture_power", ["env", "HOLDFAST_PAIR_STRIDE=%d" % (5 * apart),
                           build / "tests" / "check_snap_pair"], 3600),
        ("torture_persist", [sys.executable, here / "sys_persist.py",
                             "killed_at_any", times("kills", 15)], 600),
        ("torture_restart", [sys.executable, here / "sys_restart.py",
                             "no_client", times("rounds", 100)], 600),
        ("torture_adopt", [sys.executable, here / "sys_adopt.py",
                           "notice", times("rounds", 100)], 600),
        ("torture_widow", [sys.executable, here / "sys_widow.py",
                           "die_under", "notice", "at_once",
                           times("rounds", 100)], 600),
        ("torture_durable_step", tool(
            "torture_durable", "--stride", apart), 3600),
        ("torture_durable", [sys.executable, here / "sys_durable.py",
                             "under_load", times("kills", 150)], 1200),
        ("torture_durable_kills", [sys.executable, here / "sys_durable.py",
                                   "while_their",
                                   times("rounds", 2000)], 2400),
        ("torture_tree", [sys.executable, here / "sys_tree.py",
                          times("rounds", 200)], 1200),
        ("torture_booted", [sys.executable, here / "booted.py"], 400),
        ("torture_crowd", [sys.executable, here / "sys_crowd.py",
                           times("rounds", 100)], 1200),
        ("torture_guard", [sys.executable, here / "sys_guard.py",
                           "clients_notice", times("rounds", 100)], 600),
        ("torture_reload", [sys.executable, here / "sys_reload.py",
                            "row", times("rounds", 100)], 600),
        ("torture_reload_devices", [
            sys.executable, here / "sys_reload_devices.py",
            times("rounds", 100)], 1800),
        ("torture_reload_transports", [
            sys.executable, here / "sys_reload_transports.py", "row", "killed",
            times("rounds", 100)], 600),
        ("torture_bus", [sys.executable, here / "sys_bus.py",
                         times("bytes", 1000000)], 1200),
        ("torture_poison", [sys.executable, here / "sys_poison.py",
                            "several", "storm", times("rounds", 100)], 1200),
        ("torture_isolation", [sys.executable, here / "sys_isolation.py",
                               times("kills", 100)], 600),
    ]
    for compiler, opt in (("gcc", "-O0"), ("gcc", "-O3"), ("clang", "-O0"),
                          ("clang", "-O2"), ("clang", "-O3")):
        how = compiler + opt
        jobs += [
            ("torture_step_" + how, variant(
                "--cc", compiler, "--opt=" + opt, "torture_step", "--mode",
                step_modes, "--stride", apart), limit),
            ("torture_step_waiter_" + how, variant(
                "--endless", "--cc", compiler, "--opt=" + opt,
                "torture_step", "--stride", 5 * apart), limit),
            ("torture_nest_" + how, variant(
                "--cc", compiler, "--opt=" + opt, "torture_nest",
                "--seconds", max(seconds // 4, 1)), limit),
        ]
    return jobs
