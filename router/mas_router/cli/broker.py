"""A verb's line to RabbitMQ: where it is, and how long to wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from mas_router.amqp import AmqpTransport
from mas_router.errors import CallerError, NotConnected

BACKTEST: Final = ("MAS_BACKTEST_URL", "MAS_URL")
LIVE: Final = ("MAS_LIVE_URL", "MAS_URL")
#: How long a verb that a person runs waits for the broker, and how long after its first refusal: another of several
#: hosts may answer.
PATIENCE = 10.0
AFTER_REFUSAL = 1.0
POLL = 0.1

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="RabbitMQ: amqp://user:password@host:5672/vhost; else $MAS_BACKTEST_URL, else $MAS_URL. "
        "Other users of this machine can read a command line, but not the environment.",
    ),
]


def url_of(given: str | None, variables: tuple[str, ...] = BACKTEST) -> str:
    """The broker's URL, from the option or the first variable that is set. Raises CallerError."""
    url = given or next((os.environ[name] for name in variables if os.environ.get(name)), "")
    if not url:
        raise CallerError(f"no RabbitMQ is named: give --url or set {' or '.join(variables)}")
    return url


def wait(
    transport: AmqpTransport, patience: float, *, after_refusal: float, stopped: Callable[[], bool] = lambda: False
) -> bool:
    """Wait for the connection; False when `stopped`. Raises NotConnected after `patience` seconds, or `after_refusal`
    seconds after the first reason why there is none."""
    start, deadline, refused = time.monotonic(), time.monotonic() + patience, False
    while not transport.wait_connected(POLL):
        now = time.monotonic()
        if stopped():
            return False
        if transport.last_error and not refused:
            refused, deadline = True, min(deadline, now + after_refusal)
        if now >= deadline:
            reason = transport.last_error or "it does not answer"
            raise NotConnected(f"no connection to RabbitMQ at {transport.address} in {now - start:.0f} s: {reason}")
    return True


@contextmanager
def broker(url: str | None, name: str, variables: tuple[str, ...] = BACKTEST) -> Iterator[AmqpTransport]:
    """A connected transport for the length of a verb. Raises CallerError (URL), NotConnected."""
    transport = AmqpTransport(url_of(url, variables), name=name)
    try:
        wait(transport, PATIENCE, after_refusal=AFTER_REFUSAL)
        yield transport
    finally:
        transport.close(2.0)
