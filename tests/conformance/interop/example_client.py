#!/usr/bin/env python3
"""python websockets as the server of the client that is an example, which talks for a terminal.

example_client.py -- COMMAND...    the client; the URL is put behind it
Exits 0 when every check passed.
"""
import asyncio
import sys

from websockets.asyncio.server import serve

from common import Checks, equal, expect

command = sys.argv[sys.argv.index("--") + 1:]


class Client:
    """The client's process with a server for it alone."""

    def __init__(self, handler):
        self.handler = handler

    async def __aenter__(self):
        self.server = await serve(self.handler, "127.0.0.1", 0, compression=None, ping_interval=None)
        url = "ws://127.0.0.1:%d/" % self.server.sockets[0].getsockname()[1]
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*command, url, stdin=pipe, stdout=pipe, stderr=pipe,
                                                            limit=1 << 24)
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        self.server.close()

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    async def hear(self):
        return (await asyncio.wait_for(self.process.stdout.readline(), 10)).decode().rstrip("\n")

    async def ends(self):
        """The exit status and what it said of the end."""
        error = (await asyncio.wait_for(self.process.stderr.read(), 10)).decode()
        return await asyncio.wait_for(self.process.wait(), 10), error


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def lines_come_back():
    async with Client(echo) as client:
        for i in range(2000):
            client.say("line %d" % i)
        for i in range(2000):
            equal(await client.hear(), "line %d" % i)
        client.process.stdin.close()
        status, error = await client.ends()
        equal(status, 0)
        expect("1000" in error, "it said %r", error)


async def a_flood_is_shown_whole():
    async def flood(ws):
        for i in range(20000):
            await ws.send("%d %s" % (i, "z" * 100))
            if i % 1000 == 0:
                await (await ws.ping())
        await ws.close(1000, "enough")
    async with Client(flood) as client:
        for i in range(20000):
            equal(await client.hear(), "%d %s" % (i, "z" * 100))
        status, error = await client.ends()
        equal(status, 0)
        expect("enough" in error, "it said %r", error)


async def fragments():
    async def parts(ws):
        await ws.send(["Gr\u00fc", "", "\u00dfe"])
        await ws.send([b"\x01", b"\x02\x03"])
        await ws.wait_closed()
    async with Client(parts) as client:
        equal(await client.hear(), "Gr\u00fc\u00dfe")
        equal(await client.hear(), "(3 bytes) [01, 02, 03]")


async def a_server_that_vanishes():
    async def vanish(ws):
        await ws.recv()
        ws.transport.abort()
    async with Client(vanish) as client:
        client.say("hello")
        status, error = await client.ends()
        expect(status == 1 and error.count("\n") >= 2, "%s, it said %r", status, error)


async def a_server_that_refuses():
    async def refuse(connection, request):
        return connection.respond(403, "not you\n")
    client = Client(echo)
    client.server = await serve(echo, "127.0.0.1", 0, process_request=refuse)
    url = "ws://127.0.0.1:%d/" % client.server.sockets[0].getsockname()[1]
    pipe = asyncio.subprocess.PIPE
    client.process = await asyncio.create_subprocess_exec(*command, url, stdin=pipe, stdout=pipe, stderr=pipe)
    status, error = await client.ends()
    client.server.close()
    equal(status, 1)
    expect("403" in error and "not you" in error, "it said %r", error)


async def main():
    checks = Checks("client", limit=30)
    for check in (lines_come_back, a_flood_is_shown_whole, fragments, a_server_that_vanishes,
                  a_server_that_refuses):
        await checks.run(check.__name__.replace("_", "-"), check)
    return checks.end()


sys.exit(asyncio.run(main()))
