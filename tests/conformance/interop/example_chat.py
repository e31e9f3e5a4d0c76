#!/usr/bin/env python3
"""Clients of a chat that is an example: what one says, all hear, whoever does not read or leaves.

example_chat.py URL [--paths names|/chat]
Paths are the names of those who take part (names), or there is one for all, and numbers are names.
Exits 0 when every check passed.
"""
import asyncio
import sys

from websockets.asyncio.client import connect

from common import Checks, equal, expect, options
from raw import CLOSE, TEXT, Raw, close, frame
from urllib.parse import urlsplit

(positional, o) = options(sys.argv[1:], __doc__, paths="names")
url = urlsplit(positional[0])


def path(name):
    return "/" + name if o["paths"] == "names" else o["paths"]


def open_(name):
    return connect("ws://%s:%d%s" % (url.hostname, url.port, path(name)), compression=None, ping_interval=None)


async def hears(ws, end):
    """Everything up to a line that ends so."""
    lines = []
    while not lines or not lines[-1].endswith(end):
        lines.append(await asyncio.wait_for(ws.recv(), 10))
    return lines


async def talk(ws, line):
    await ws.send(line)
    return await hears(ws, ": " + line)


async def all_hear_all():
    async with open_("anna") as anna, open_("ben") as ben:
        await talk(anna, "first")
        await hears(ben, ": first")
        said = ["line %d %s" % (i, "x" * (i % 500)) for i in range(300)]
        for i, line in enumerate(said):
            await talk((anna, ben)[i % 2], line)
            # One says it and hears it; the other one hears it, too, in the same order.
            await hears((ben, anna)[i % 2], ": " + line)


async def nobody_waits_for_who_does_not_read():
    stuck = await asyncio.to_thread(Raw, url.hostname, url.port, path("stuck"), 4096)
    async with open_("carl") as carl, open_("dora") as dora:
        await talk(carl, "begin")
        await hears(dora, ": begin")
        for i in range(1500):
            line = "%d %s" % (i, "y" * 1000)
            await asyncio.wait_for(talk(carl, line), 5)
            await hears(dora, ": " + line)
    await asyncio.to_thread(stuck.reset)


async def a_fast_talker_is_heard_by_itself():
    async with open_("emil") as emil:
        await talk(emil, "begin")
        for i in range(40):
            await emil.send("fast %d" % i)
        lines = [line for line in await hears(emil, ": fast 39") if ": fast " in line]
        equal([line.split()[-1] for line in lines], [str(i) for i in range(40)])


async def leaving_in_the_middle():
    async with open_("fritz") as fritz:
        await talk(fritz, "begin")
        for how in ("reset", "fin", "close", "half a frame"):
            raw = await asyncio.to_thread(Raw, url.hostname, url.port, path("gustav"))
            raw.send(frame(TEXT, ("last words by " + how).encode()))
            await hears(fritz, ": last words by " + how)
            if how == "reset":
                raw.reset()
            elif how == "fin":
                raw.socket.shutdown(1)
                await asyncio.to_thread(raw.ends)
            elif how == "close":
                raw.send(close(1001) + frame(TEXT, b"too late"))
                got = await asyncio.to_thread(raw.ends)
                equal((got[-1][1], got[-1][2][:2]), (CLOSE, (1001).to_bytes(2, "big")))
            else:
                raw.send(frame(TEXT, b"never complete")[:5])
                raw.reset()
            lines = await talk(fritz, "after " + how)
            expect(not any("too late" in line for line in lines), "a message behind the Close")


async def fifty():
    names = ["guest%d" % i for i in range(50)]
    peers = [await open_(name) for name in names]
    try:
        # Everyone has come when the last one hears itself.
        await talk(peers[-1], "all here")
        for ws in peers[:-1]:
            await hears(ws, ": all here")
        await peers[0].send("hello all")
        heard = await asyncio.gather(*(hears(ws, ": hello all") for ws in peers))
        equal(len(heard), 50)
    finally:
        await asyncio.gather(*(ws.close() for ws in peers))


async def main():
    checks = Checks("chat", limit=30)
    for check in (all_hear_all, a_fast_talker_is_heard_by_itself, nobody_waits_for_who_does_not_read,
                  leaving_in_the_middle, fifty):
        await checks.run(check.__name__.replace("_", "-"), check)
    return checks.end()


sys.exit(asyncio.run(main()))
