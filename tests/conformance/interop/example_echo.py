#!/usr/bin/env python3
"""Clients of an echo server that is an example: python websockets, and sockets without a library.

example_echo.py URL
Exits 0 when every check passed. What a client may do: send far ahead of reading, read slowly or at
the end, close or vanish in the middle, ping under load, cut its messages, come with others.
"""
import asyncio
import random
import sys
import threading
import time
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from common import Checks, equal, expect, options
from raw import BINARY, CLOSE, PING, PONG, TEXT, Gone, Raw, close, frame

(positional, o) = options(sys.argv[1:], __doc__, count=20000)
url = urlsplit(positional[0])
host, port, path = url.hostname, url.port, url.path or "/"
KIB = 1024


def payload(i, n=KIB):
    return b"%08d" % i + b"x" * (n - 8)


def raw(**kwargs):
    return Raw(host, port, path, **kwargs)


async def pipelined():
    """A library's client, whose sender and receiver run at the same time."""
    async with connect(positional[0], max_size=None, compression=None, ping_interval=None) as ws:
        async def send():
            for i in range(o["count"]):
                await ws.send(payload(i))
        task = asyncio.create_task(send())
        try:
            for i in range(o["count"]):
                got = await asyncio.wait_for(ws.recv(), 10)
                expect(got == payload(i), "message %d of %d is not what was sent", i, o["count"])
            await task
        finally:
            task.cancel()
    equal(ws.protocol.close_rcvd and ws.protocol.close_rcvd.code, 1000, "the code of the Close")


def beside(client, pieces):
    """Sends pieces in a thread of its own."""
    def send():
        try:
            for piece in pieces:
                client.send(piece)
        except OSError:
            pass  # whoever reads sees why
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def receive(client, count, pause=0.0, n=KIB):
    """So many echoes, in order; how many pongs came between them."""
    i, pongs = 0, []
    while i < count:
        opcode, got = client.message(pause)
        if opcode == PONG:
            pongs.append(got)
            continue
        expect(opcode == BINARY and got == payload(i, n), "frame %d of %d is opcode %d", i, count, opcode)
        i += 1
    return pongs


def frames(count, n=KIB):
    return [frame(BINARY, payload(i, n)) for i in range(count)]


def finish(client, code=1000):
    """Closes; the answer comes at once, and then the end of the stream."""
    client.send(close(code))
    begin = time.monotonic()
    while True:
        opcode, got = client.message()
        if opcode == CLOSE:
            break
    equal(int.from_bytes(got[:2], "big"), code, "the code of the Close")
    equal(client.ends(), [], "what comes behind the Close")
    expect(time.monotonic() - begin < 3, "the end took %.1f s", time.monotonic() - begin)
    client.socket.close()


def burst():
    """All in one piece, and cut anywhere; read at the same time."""
    data, count = b"".join(frames(o["count"] // 4)), o["count"] // 4
    for sizes in ([1 << 30], [random.Random(5).randint(1, 70000) for _ in range(2000)]):
        client, pieces, at = raw(), [], 0
        for size in sizes:
            pieces.append(data[at:at + size])
            at += size
        pieces.append(data[at:])
        beside(client, pieces)
        receive(client, count)
        finish(client)


def read_last():
    client, count = raw(), 8000
    thread = beside(client, frames(count))
    time.sleep(1.5)
    receive(client, count)
    thread.join()
    finish(client)


def slow_reader():
    client, count = raw(receive_buffer=16384), 4000
    beside(client, frames(count))
    receive(client, count, pause=0.002)
    finish(client)


def single_bytes():
    client = raw()
    for byte in b"".join(frames(3, 200)):
        client.send(bytes([byte]))
    receive(client, 3, n=200)
    finish(client)


def alive():
    """The server is as it was: for others, and at once."""
    client = raw(timeout=5)
    client.send(frame(BINARY, payload(0)))
    receive(client, 1)
    finish(client)


def leave(how):
    """Leaves in the middle of a load, and in the middle of a frame."""
    for reads in (0, 50):
        client = raw()
        data = b"".join(frames(2000)) + frame(BINARY, payload(0))[:500]
        thread = beside(client, [data])
        receive(client, reads)
        if how == "reset":
            time.sleep(0.05)
            client.reset()
        else:
            # The end of the stream comes behind all that was sent, and ends it. What it answers to
            # a stream without a Close is its own business, but it must end.
            threading.Thread(target=lambda: (thread.join(), client.socket.shutdown(1)), daemon=True).start()
            client.ends()
            client.socket.close()
        alive()


def close_with_data_behind():
    client, count = raw(), 500
    beside(client, [b"".join(frames(count)) + close(1001) + frame(BINARY, b"too late") * 50])
    receive(client, count)
    opcode, got = client.message()
    equal((opcode, got[:2]), (CLOSE, (1001).to_bytes(2, "big")), "the Close")
    equal(client.ends(), [], "what comes behind the Close")
    alive()


def close_read_late():
    """The Close is behind a load, and the client begins to read when the server has it."""
    client, count = raw(), 300
    client.send(b"".join(frames(count)) + close(4000, b"enough"))
    time.sleep(0.5)
    receive(client, count)
    opcode, got = client.message()
    equal((opcode, got[:2]), (CLOSE, (4000).to_bytes(2, "big")), "the Close")
    equal(client.ends(), [], "what comes behind the Close")


def pings():
    client, count = raw(), 5000
    pieces = []
    for i, data in enumerate(frames(count)):
        pieces.append(data)
        if i % 100 == 99:
            pieces.append(frame(PING, b"%d" % i))
    beside(client, pieces)
    pongs = receive(client, count)
    if not pongs or pongs[-1] != b"4999":
        equal(client.message(), (PONG, b"4999"), "the last pong")
    order = [int(pong) for pong in pongs]
    equal(order, sorted(order), "the order of the pongs")
    expect(len(pongs) >= 10, "%d pongs", len(pongs))
    finish(client)


def fragments():
    client, count = raw(), 400
    pieces = []
    for i in range(count):
        data = payload(i, 3000)
        pieces += [frame(BINARY, data[:100], fin=False), frame(PING, b"between"), frame(0, b"", fin=False),
                   frame(0, data[100:2500], fin=False), frame(0, data[2500:])]
    beside(client, pieces)
    receive(client, count, n=3000)
    client.send(frame(TEXT, b"Gr\xc3", fin=False) + frame(0, b"\xbc\xc3\x9fe"))
    opcode, got = client.message()
    while opcode == PONG:
        opcode, got = client.message()
    equal((opcode, got), (TEXT, "Gr\u00fc\u00dfe".encode()))
    finish(client)


def violation():
    client = raw()
    client.send(b"".join(frames(10)) + frame(BINARY, b"not masked", masked=False))
    receive(client, 10)
    opcode, got = client.message()
    equal((opcode, got[:2]), (CLOSE, (1002).to_bytes(2, "big")), "the Close")
    equal(client.ends(), [], "what comes behind the Close")


async def together():
    """Fifty at once, with one beside them that reads nothing."""
    stuck = raw(receive_buffer=16384)
    beside(stuck, [b"".join(frames(8000))])

    async def one(i):
        async with connect(positional[0], max_size=None, compression=None, ping_interval=None) as ws:
            for batch in range(10):
                sent = [payload(i * 1000 + batch * 20 + j) for j in range(20)]
                for message in sent:
                    await ws.send(message)
                for message in sent:
                    equal(await ws.recv(), message)
    await asyncio.gather(*(one(i) for i in range(50)))
    stuck.reset()


def in_thread(function, *args):
    return asyncio.to_thread(function, *args)


async def main():
    checks = Checks("echo", limit=30)
    await checks.run("pipelined", pipelined)
    for name, function, *args in (
            ("burst", burst), ("read-last", read_last), ("slow-reader", slow_reader),
            ("single-bytes", single_bytes), ("leave-by-fin", leave, "fin"), ("leave-by-rst", leave, "reset"),
            ("close-with-data-behind", close_with_data_behind), ("close-read-late", close_read_late),
            ("pings", pings), ("fragments", fragments), ("violation", violation)):
        await checks.run(name, in_thread, function, *args)
    await checks.run("together", together)
    return checks.end()


# Threads that wait for a server that hangs do not keep the process.
status = asyncio.new_event_loop().run_until_complete(main())
sys.stdout.flush()
import os
os._exit(status)
