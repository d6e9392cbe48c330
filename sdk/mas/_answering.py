"""Hands answers over to futures, and knows on which thread: a done-callback of a future runs right there."""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TypeVar

from mas_router.errors import CallerError

T = TypeVar("T")
_HERE = threading.local()


def answer(future: Future[T], value: T) -> None:
    """Resolve a future, unless the end of patience came first."""
    before, _HERE.active = getattr(_HERE, "active", False), True
    try:
        with suppress(InvalidStateError):
            future.set_result(value)
    finally:
        _HERE.active = before


def check_may_wait() -> None:
    """CallerError on a thread that is handing out answers: while it waits for another one, none can arrive."""
    if getattr(_HERE, "active", False):
        raise CallerError("a future's done-callback cannot wait for an order: use submit() there, or another thread")
