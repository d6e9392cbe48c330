"""The one connection of this process to a terminal, and the error of its last call, as in the real package."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from mas_router.mt5 import ResultCode
from sim_worker.terminal.failures import SUCCESS, CallFailed

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F")


class Link(Protocol):
    """A connection to a terminal. A call blocks until there is an answer, however long that takes."""

    def call(self, function: str, args: dict[str, Any]) -> Any:
        """The terminal's answer, or CallFailed."""

    def close(self) -> None:
        """Let the terminal go; it runs on."""


class _State:
    link: Link | None = None
    error: tuple[int, str] = SUCCESS


_state = _State()
#: The real package does not let go of the interpreter in a call: one that hangs holds up every thread.
_one_call = threading.RLock()


def last_error() -> tuple[int, str]:
    """The code and text of the error of the last call; (1, 'Success') if it had none."""
    return _state.error


def connect(link: Link | None) -> None:
    """Replace the connection: a process has one at most."""
    old, _state.link = _state.link, link
    if old is not None:
        old.close()


def call(function: str, **args: Any) -> Any:
    """Ask the terminal."""
    if _state.link is None:
        raise CallFailed(ResultCode.INTERNAL_FAIL_CONNECT)
    return _state.link.call(function, args)


def api(failed: F) -> Callable[[Callable[P, T]], Callable[P, T | F]]:
    """A function of the package: it resets the last error, and failing it returns `failed` instead of raising."""

    def decorate(function: Callable[P, T]) -> Callable[P, T | F]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T | F:
            with _one_call:
                _state.error = SUCCESS
                try:
                    return function(*args, **kwargs)
                except CallFailed as error:
                    _state.error = (error.code, error.text)
                    return failed

        return guarded

    return decorate
