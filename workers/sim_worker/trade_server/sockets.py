"""A trade server behind a local TCP socket: for clients in other processes, and for the tests that control it.

One thread for each connection. What comes in is checked before it is used; what is wrong ends the connection. There is
no password for it: whoever can connect can trade and can change the market, so it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from mas_router.errors import CallerError, MasError
from mas_router.mt5 import ResultCode
from sim_worker.terminal import frames
from sim_worker.terminal.failures import TEXTS
from sim_worker.trade_server.server import TradeServer

log = logging.getLogger("mas.sim_terminal")

_INT, _REAL = (int,), (int, float)
_NONE: Final[Mapping[str, tuple[type, ...]]] = {}
_RECORDS: Final = {"ticket": _INT, "symbol": (str,), "group": (str,)}
_PAST: Final = {"ticket": _INT, "position": _INT, "since": _INT, "until": _INT, "group": (str,)}
_SYMBOL: Final = {"symbol": (str,)}
_CALC: Final = {"action": _INT, "symbol": (str,), "volume": _REAL}
_REQUEST: Final = {"request": (dict,)}
#: The arguments of each function; others end the connection.
ARGUMENTS: Final[dict[str, Mapping[str, tuple[type, ...]]]] = {
    "initialize": {"login": _INT, "password": (str,), "server": (str,)},
    "login": {"login": _INT, "password": (str,), "server": (str,)},
    **dict.fromkeys(("version", "terminal_info", "account_info"), _NONE),
    **dict.fromkeys(("symbols_total", "orders_total", "positions_total"), _NONE),
    "symbols_get": {"group": (str,)},
    **dict.fromkeys(("symbol_info", "symbol_info_tick"), _SYMBOL),
    **dict.fromkeys(("market_book_add", "market_book_get", "market_book_release"), _SYMBOL),
    "symbol_select": {"symbol": (str,), "enable": (bool,)},
    "copy_rates": {"symbol": (str,), **dict.fromkeys(("timeframe", "since", "until", "position", "count"), _INT)},
    "copy_ticks": {"symbol": (str,), **dict.fromkeys(("flags", "since", "until", "count"), _INT)},
    **dict.fromkeys(("orders_get", "positions_get"), _RECORDS),
    **dict.fromkeys(("history_orders_total", "history_orders_get"), _PAST),
    **dict.fromkeys(("history_deals_total", "history_deals_get"), _PAST),
    "order_calc_margin": {**_CALC, "price": _REAL},
    "order_calc_profit": {**_CALC, "price_open": _REAL, "price_close": _REAL},
    **dict.fromkeys(("order_check", "order_send"), _REQUEST),
}


#: How soon a listener notices that it is to close, in seconds.
POLL: Final = 0.1
HOST: Final = "127.0.0.1"
#: Connections at the same time; more are closed at once.
MAX_CONNECTIONS: Final = 256
#: How long the rest of a frame may take that has begun, and a client that does not read its answer, in seconds.
PATIENCE: Final = 30.0


class Listener:
    """Accepts connections until it is closed."""

    def __init__(self, server: TradeServer, port: int, patience: float = PATIENCE) -> None:
        self._server, self._open, self._patience = server, True, patience
        self._socket = socket.create_server((HOST, port))
        self._socket.settimeout(POLL)  # closing a socket wakes its accept on some systems only
        self.host, self.port = self._socket.getsockname()[:2]
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, str | None] = {}
        self._thread = threading.Thread(target=self._accept, name="sim-terminal", daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        """What `initialize` takes as its path."""
        return f"sim://{self.host}:{self.port}"

    def close(self) -> None:
        """No more connections; those that are open end."""
        self._open = False
        self._thread.join(5.0)
        self._socket.close()
        self._cut(lambda _: True)
        self._server.release()

    def _cut(self, which: Callable[[str | None], bool]) -> None:
        with self._lock:
            ending = [sock for sock, terminal in self._connections.items() if which(terminal)]
        for sock in ending:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while self._open:
            try:
                sock, _ = self._socket.accept()
                self._welcome(sock)
            except TimeoutError:
                continue
            except (OSError, RuntimeError) as error:  # no file or thread to be had now: those that there are go on
                log.warning("a connection could not be accepted: %s", error)
                time.sleep(POLL)

    def _welcome(self, sock: socket.socket) -> None:
        with self._lock:
            full = len(self._connections) >= MAX_CONNECTIONS
            if not full:
                self._connections[sock] = None
        if full:
            log.warning("a connection was refused: there are %d", MAX_CONNECTIONS)
            sock.close()
            return
        try:
            threading.Thread(target=self._serve, args=(sock,), name="sim-terminal client", daemon=True).start()
        except RuntimeError:
            self._forget(sock)
            raise

    def _forget(self, sock: socket.socket) -> None:
        with self._lock:
            del self._connections[sock]
        sock.close()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(self._patience)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(sock, _hello(frames.receive(sock)))
        except (OSError, frames.FrameError) as error:
            log.debug("a connection has ended: %s", error)
        except Exception:  # values that no client of ours sends; whoever sent them loses the connection, nobody else
            log.exception("a call could not be answered")
        finally:
            self._forget(sock)

    def _converse(self, sock: socket.socket, terminal: str | None) -> None:
        """Answer until the client goes, or its terminal ends."""
        try:
            life = 0 if terminal is None else self._server.life(terminal)
        except CallerError as error:
            raise frames.FrameError(str(error)) from None
        with self._lock:
            self._connections[sock] = terminal
        frames.send(sock, {"v": frames.VERSION})
        while self._open:
            frames.wait(sock, self._patience)
            asked = frames.receive(sock)
            answer = self._control(asked) if terminal is None else self._call(terminal, asked)
            if terminal is not None and life != self._server.life(terminal):
                return  # the terminal has ended, and this connection with it
            if answer is None:
                self._cut(lambda name: name == terminal)
                return
            frames.send(sock, _fitting(answer), frames.MAX_ANSWER)

    def _call(self, terminal: str, asked: Any) -> dict[str, Any] | None:
        function, args = _call_of(asked)
        reply = self._server.call(terminal, function, args)
        if reply.end == "exit":
            return {"exit": reply.code}
        if reply.end:
            return None
        return {"error": list(reply.error)} if reply.error else {"value": reply.value}

    def _control(self, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict) or not isinstance(asked.get("args"), dict):
            raise frames.FrameError("not an order")
        order = str(asked.get("control"))
        try:
            value = self._server.control(order, asked["args"])
        except CallerError as error:
            return {"refused": str(error)}
        if order == "end_terminal":
            self._cut(lambda name: name == asked["args"].get("terminal"))
        return {"value": value}


def _fitting(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that is too long for a frame becomes the package's error for it."""
    value = answer.get("value")
    if isinstance(value, bytes) and len(value) > frames.MAX_ANSWER - 1024:
        return {"error": [int(ResultCode.NO_MEMORY), TEXTS[ResultCode.NO_MEMORY]]}
    return answer


def _hello(hello: Any) -> str | None:
    """The name of the terminal that a client wants; None for a control."""
    if not isinstance(hello, dict) or hello.get("v") != frames.VERSION:
        raise frames.FrameError("another protocol or version")
    if hello.get("role") == "control":
        return None
    name = hello.get("name")
    if hello.get("role") != "terminal" or not isinstance(name, str) or len(name) > 64:
        raise frames.FrameError("neither a terminal nor a control")
    return name


def _call_of(asked: Any) -> tuple[str, dict[str, Any]]:
    """A call with arguments that the function has."""
    if not isinstance(asked, dict) or not isinstance(asked.get("args"), dict):
        raise frames.FrameError("not a call")
    function, args = asked.get("call"), asked["args"]
    allowed = ARGUMENTS.get(function) if isinstance(function, str) else None
    if allowed is None or not all(_fits(name, value, allowed) for name, value in args.items()):
        raise frames.FrameError("an unknown function or argument")
    return str(function), args


def _fits(name: object, value: object, allowed: Mapping[str, tuple[type, ...]]) -> bool:
    return isinstance(name, str) and name in allowed and isinstance(value, allowed[name])


@contextmanager
def serve(server: TradeServer, port: int = 0, *, patience: float = PATIENCE) -> Iterator[Listener]:
    """Serve a trade server to this machine, on a free port unless one is given. Raises MasError if that is taken."""
    try:
        listener = Listener(server, port, patience)
    except OSError as error:
        raise MasError(f"cannot listen on {HOST}:{port}: {error.strerror or error}") from error
    try:
        yield listener
    finally:
        listener.close()
