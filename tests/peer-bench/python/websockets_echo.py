"""Echo by websockets, on the listening socket that is standard input."""

import asyncio
import socket

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

try:
    from uvloop import run
except ImportError:
    from asyncio import run


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


async def main():
    listener = socket.socket(fileno=0)
    async with serve(echo, sock=listener, compression=None, max_size=None):
        await asyncio.Future()


run(main())
