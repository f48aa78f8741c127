# SPDX-License-Identifier: Apache-2.0
"""The torture list: which harness is run how, in short and in full."""


def rows(build, here, full, seconds):
    """[(name, argv, limit in seconds)], for run.py."""
    return []
