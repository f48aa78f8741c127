#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A controller: keeps a level between two marks by switching a pump.

    python3 controller.py DEVICE

It reacts to each change of holding register 0 (the level, which a Modbus client
or producer.c writes) and switches coil 0 (the pump). The switch is a transaction
that checks the level once more: if somebody has changed it meanwhile, nothing
is written, and the next event decides. With asyncio, so that any number of
these can run side by side.
"""
import asyncio
import sys

import holdfast

LOW, HIGH = 20, 80


async def switch(plc, level, on):
    """The pump, unless the level has changed since we looked."""
    try:
        async with plc.transaction() as t:
            t.check("hr", 0, [level])
            t.write("co", 0, [on])
    except holdfast.CheckFailed:
        return
    print(f"level {level}: pump {'on' if on else 'off'}", flush=True)


async def main(device):
    async with holdfast.AsyncClient() as hf:
        plc = hf[device]
        print("controlling", device, flush=True)
        async for event in hf.watch(f"{device}/hr:0"):
            level = event.new[0]
            pump = await plc.co[0]
            if level < LOW and not pump:
                await switch(plc, level, True)
            elif level > HIGH and pump:
                await switch(plc, level, False)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "plc"))
    except KeyboardInterrupt:
        pass
    except holdfast.HoldfastError as e:
        sys.exit(f"{type(e).__name__}: {e}")
