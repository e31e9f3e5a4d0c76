"""A client of bytes: one socket, frames by hand, no library between."""
import base64
import os
import socket
import struct
import time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, masked=True):
    head = bytes([fin << 7 | opcode])
    mask_bit, key = (0x80, os.urandom(4)) if masked else (0, b"")
    n = len(payload)
    if n < 126:
        head += bytes([mask_bit | n])
    elif n < 65536:
        head += struct.pack("!BH", mask_bit | 126, n)
    else:
        head += struct.pack("!BQ", mask_bit | 127, n)
    if masked and n:
        stream = (key * (n // 4 + 1))[:n]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(n, "big")
    return head + key + payload


def close(code=1000, reason=b""):
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Gone(Exception):
    """The server ended the stream, by FIN or by RST."""


class Raw:
    """Opened on construction. `receive_buffer` limits what the kernel takes for us."""

    def __init__(self, host, port, path="/", receive_buffer=None, timeout=20):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (path, host, port, key)).encode())
        self.rest = bytearray()
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, rest = bytes(self.rest).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Gone(head.split(b"\r\n")[0].decode())
        self.rest = bytearray(rest)

    def _more(self, most=65536):
        try:
            got = self.socket.recv(most)
        except ConnectionResetError:
            got = b""
        if not got:
            raise Gone("with %d bytes of a frame" % len(self.rest))
        self.rest += got

    def send(self, data):
        self.socket.sendall(data)

    def frame(self, pause=0.0):
        """The next frame as (fin, opcode, payload); with a pause before each read."""
        while True:
            r = self.rest
            if len(r) >= 2:
                n, at = r[1] & 0x7F, 2
                if n == 126 and len(r) >= 4:
                    n, at = struct.unpack_from("!H", r, 2)[0], 4
                elif n == 127 and len(r) >= 10:
                    n, at = struct.unpack_from("!Q", r, 2)[0], 10
                elif n > 125:
                    at = None
                if at is not None and len(r) >= at + n:
                    fin, opcode, payload = r[0] >> 7, r[0] & 15, bytes(r[at:at + n])
                    del r[:at + n]
                    return fin, opcode, payload
            if pause:
                time.sleep(pause)
            self._more(16384 if pause else 262144)

    def message(self, pause=0.0):
        """The next (opcode, payload), put together, or a control frame on its way."""
        kind, parts = None, []
        while True:
            fin, opcode, payload = self.frame(pause)
            if opcode >= 8:
                return opcode, payload
            kind = opcode or kind
            parts.append(payload)
            if fin:
                return kind, b"".join(parts)

    def ends(self):
        """Reads to the end of the stream; what else came."""
        got = []
        try:
            while True:
                got.append(self.frame())
        except Gone:
            return got

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
