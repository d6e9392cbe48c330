"""Composition root: a client that talks to workers over RabbitMQ. The only place of the SDK that needs pika."""

from __future__ import annotations

from functools import partial

from mas._backend import Backend
from mas._line import Line
from mas_router.amqp import AmqpTransport
from mas_router.errors import NotConnected


def connect(url: str, name: str, timeout: float) -> Backend:
    """Connect to RabbitMQ; `url` may list several hosts, separated by commas. Raises CallerError, NotConnected."""
    transport = AmqpTransport(url, name=name)
    if not transport.wait_connected(timeout):
        reason = getattr(transport, "last_error", "") or "no answer"
        address = transport.address
        transport.close(0.5)
        raise NotConnected(f"cannot connect to RabbitMQ at {address} within {timeout:g} s: {reason}")
    return Backend(transport, partial(Line, transport), transport.close)
