"""A trade server behind a socket, as a test controls it."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any, Final, Self

from mas_router.errors import CallerError, MasError
from sim_worker.terminal import frames
from sim_worker.trade_server.controls import Controls

#: No control takes long; `hang` is a matter of the calls, not of the controls.
DEADLINE: Final = 30.0


class RemoteServer(Controls):
    """The controls of the trade server that `mas sim-terminal` (or `serve`) offers at this address."""

    def __init__(self, host: str, port: int) -> None:
        self._lock = threading.Lock()
        try:
            self._socket = socket.create_connection((host, port), DEADLINE)
            frames.send(self._socket, {"v": frames.VERSION, "role": "control"})
            frames.receive(self._socket)
        except (OSError, frames.FrameError) as error:
            raise MasError(f"no trade server at {host}:{port}: {error}") from error

    def control(self, order: str, args: dict[str, Any]) -> Any:
        with self._lock:
            try:
                frames.send(self._socket, {"control": order, "args": args})
                answer = frames.receive(self._socket, frames.MAX_ANSWER)
            except (OSError, frames.FrameError) as error:
                self._socket.close()
                raise MasError(f"the trade server is gone: {error}") from error
        if "refused" in answer:
            raise CallerError(str(answer["refused"]))
        return answer["value"]

    def close(self) -> None:
        """Let the trade server go; it runs on."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
