"""Echo by picows, on the listening socket that is standard input."""

import socket

from picows import WSCloseCode, WSListener, WSMsgType, ws_create_server

try:
    from uvloop import run
except ImportError:
    from asyncio import run


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.BINARY, WSMsgType.TEXT):
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


async def main():
    listener = socket.socket(fileno=0)
    server = await ws_create_server(lambda request: Echo(), sock=listener)
    await server.serve_forever()


run(main())
