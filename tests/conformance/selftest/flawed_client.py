#!/usr/bin/env python3
"""An echo client that can be wrong in one way: flawed_client.py FLAW URL

For selftest.sh, which shows that the server peers can fail.
"""
import asyncio
import sys

from websockets.asyncio.client import connect

FLAWS = ("none", "flip", "skip", "early", "unbounded", "no-deflate")
flaw, url = sys.argv[1], sys.argv[2].rstrip("/")
assert flaw in FLAWS, FLAWS
OPTIONS = dict(max_size=None, ping_interval=None, open_timeout=20, close_timeout=5, proxy=None)
if flaw == "no-deflate":
    OPTIONS["compression"] = None
if flaw == "unbounded":
    OPTIONS["max_queue"] = None


async def case(n):
    async with connect("%s/runCase?case=%d&agent=x" % (url, n), **OPTIONS) as ws:
        if flaw == "unbounded":
            queue = asyncio.Queue()

            async def echo():
                while (message := await queue.get()) is not None:
                    await ws.send(message)
            task = asyncio.create_task(echo())
            try:
                async for message in ws:
                    queue.put_nowait(message)
            finally:
                task.cancel()
            return
        async for message in ws:
            if flaw == "flip" and len(message) > 100:
                message = message[:-1]
            await ws.send(message)


async def main():
    async with connect(url + "/getCaseCount", **OPTIONS) as ws:
        count = int(await ws.recv())
    if flaw == "early":
        sys.exit(1)
    for n in range(1, count + 1 - (flaw == "skip")):
        try:
            await case(n)
        except Exception as error:
            print(n, error)
    async with connect(url + "/updateReports?agent=x", **OPTIONS):
        pass


asyncio.run(main())
