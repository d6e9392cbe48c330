"""Frames between a terminal's client and `mas sim-terminal`: four bytes of length, then msgpack. Never pickle."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

import msgpack

VERSION: Final = 1
#: What a client may send: a trade request is some 300 bytes.
MAX_REQUEST: Final = 64 * 1024
#: What a server may send: two million ticks.
MAX_ANSWER: Final = 128 * 1024 * 1024
_HEAD: Final = struct.Struct(">I")


class FrameError(Exception):
    """The other side is gone, or does not speak this protocol."""


def send(sock: socket.socket, value: object, limit: int = MAX_REQUEST) -> None:
    """One frame. OSError if the other side is gone, FrameError for what is too long to be sent."""
    body = msgpack.packb(value)
    if len(body) > limit:
        raise FrameError(f"{len(body)} bytes are more than {limit}")
    sock.sendall(_HEAD.pack(len(body)) + body)


def wait(sock: socket.socket, patience: float) -> None:
    """Return when a frame begins, or the other side is gone. After that each step may take `patience` seconds."""
    sock.settimeout(None)
    sock.recv(1, socket.MSG_PEEK)
    sock.settimeout(patience)


def receive(sock: socket.socket, limit: int = MAX_REQUEST) -> Any:
    """The next frame. FrameError if there is none, or if it is too long or no msgpack."""
    (length,) = _HEAD.unpack(_exactly(sock, _HEAD.size))
    if length > limit:
        raise FrameError(f"{length} bytes are more than {limit}")
    try:
        return msgpack.unpackb(_exactly(sock, length), max_ext_len=0, max_map_len=256)
    except FrameError:
        raise
    except Exception as error:  # msgpack raises several unrelated families on hostile bytes
        raise FrameError(f"not msgpack: {type(error).__name__}") from None


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise FrameError("the other side has closed the connection")
        parts += part
    return bytes(parts)
