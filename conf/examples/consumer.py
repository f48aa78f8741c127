#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A consumer of change events: prints who has changed which registers.

    python3 consumer.py [DEVICE/TABLE]

It follows a running holdfastd over ZeroMQ (from another host too, with keys)
and says when it has missed something, which only happens to who is slower than
the writers for long. consumer.c does the same over shared memory.
"""
import sys

import holdfast


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "registers"
    with holdfast.Client() as hf:
        print("watching", what, flush=True)
        for event in hf.watch(what):
            print(f"{event.device}/{event.table}:{event.addr}"
                  f" was={event.old} is={event.new} who={event.who}",
                  flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except holdfast.HoldfastError as e:
        sys.exit(f"{type(e).__name__}: {e}")
