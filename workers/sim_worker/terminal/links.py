"""The ways to a simulated terminal: in this process, or over a local socket."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING, Any, Final

from mas_router.mt5 import ResultCode
from sim_worker.terminal import frames
from sim_worker.terminal.failures import CallFailed
from sim_worker.terminal.state import Link

if TYPE_CHECKING:
    from sim_worker.trade_server.server import TradeServer

_SOCKET: Final = re.compile(r"sim://([^/\[\]]+|\[[^/]+\]):(\d{1,5})(?:/([A-Za-z0-9_.-]{0,64}))?")
_LOCAL: Final = re.compile(r"sim:([A-Za-z0-9_.-]{0,64})")


def open_link(path: str, timeout: int) -> Link:
    """The connection to a terminal. `timeout` (ms) bounds the way to it. Raises CallFailed (-10003)."""
    local, remote = _LOCAL.fullmatch(path or "sim:"), _SOCKET.fullmatch(path)
    if local:
        from sim_worker.trade_server.local import server  # a client of a socket needs no engine

        return LocalLink(server(), local[1])
    if remote and int(remote[2]) < 65_536:
        return SocketLink(remote[1].strip("[]"), int(remote[2]), remote[3] or "", timeout / 1000.0)
    raise CallFailed(ResultCode.INTERNAL_FAIL_INIT, "IPC initialize failed, MetaTrader 5 x64 not found")


class LocalLink:
    """To a terminal in this process. What would end the client's process only breaks the connection here."""

    def __init__(self, server: TradeServer, terminal: str) -> None:
        self._server, self._terminal = server, terminal
        self._life = server.life(terminal)

    def call(self, function: str, args: dict[str, Any]) -> Any:
        if self._life != self._server.life(self._terminal):
            raise CallFailed(ResultCode.INTERNAL_FAIL_SEND)
        reply = self._server.call(self._terminal, function, args)
        if reply.end:
            self._life = -1
        if reply.end or (self._life != self._server.life(self._terminal)):
            raise CallFailed(ResultCode.INTERNAL_FAIL_RECEIVE)
        if reply.error:
            raise CallFailed(*reply.error)
        return reply.value

    def close(self) -> None:
        """Nothing is held."""


class SocketLink:
    """To a terminal that `mas sim-terminal` serves. There is no time limit on a call; a terminal that is gone is
    noticed: -10001 when it cannot be asked, -10002 when it was asked and does not answer any more.

    For one thread at a time; `state.api` sees to it.
    """

    def __init__(self, host: str, port: int, terminal: str, timeout: float) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            text = f"IPC initialize failed, {error.strerror or error}"
            raise CallFailed(ResultCode.INTERNAL_FAIL_INIT, text) from None
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            frames.send(self._socket, {"v": frames.VERSION, "role": "terminal", "name": terminal})
            frames.receive(self._socket)
            self._socket.settimeout(None)
        except (OSError, frames.FrameError) as error:
            self._socket.close()
            text = f"IPC initialize failed, the trade server does not answer: {error}"
            raise CallFailed(ResultCode.INTERNAL_FAIL_INIT, text) from None

    def call(self, function: str, args: dict[str, Any]) -> Any:
        reply = self._exchange({"call": function, "args": args})
        if "exit" in reply:
            os._exit(reply["exit"])
        if "error" in reply:
            raise CallFailed(*reply["error"])
        return reply.get("value")

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        failed = ResultCode.INTERNAL_FAIL_SEND
        try:
            frames.send(self._socket, request)
            failed = ResultCode.INTERNAL_FAIL_RECEIVE
            reply = frames.receive(self._socket, frames.MAX_ANSWER)
            if not isinstance(reply, dict):
                raise frames.FrameError("not an answer")
        except (OSError, frames.FrameError):
            self._socket.close()
            raise CallFailed(failed) from None
        except BaseException:  # interrupted between question and answer: the next answer would be the wrong one
            self._socket.close()
            raise
        return reply

    def close(self) -> None:
        self._socket.close()
