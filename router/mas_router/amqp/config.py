"""What pika needs to know, and what its exceptions say in our words."""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass

import pika
from pika import exceptions as pika_errors
from pika.adapters.utils import connection_workflow as workflow

from mas_router.amqp.url import Address
from mas_router.errors import CallerError

CONTENT_TYPE = "application/x-msgpack"


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds. `retry_for` bounds how long a locked or missing queue is waited for after a reconnect."""

    name: str
    heartbeat: int = 10
    blocked_timeout: float = 15.0
    socket_timeout: float = 5.0
    stack_timeout: float = 10.0
    ca_file: str | None = None

    @property
    def retry_for(self) -> float:
        """A broker frees a vanished peer's exclusive queues after about 2.8 heartbeats (measured)."""
        return max(3.0 * self.heartbeat, self.stack_timeout)


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS with the server's certificate and host name verified. Raises CallerError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise CallerError(f"ca_file={ca_file!r} is not a readable file of PEM certificates: {error}") from None


def parameters(
    address: Address, settings: Settings, role: str, context: ssl.SSLContext | None
) -> pika.ConnectionParameters:
    """The parameters of one connection; `role` ends its name in the management interface."""
    tls = pika.SSLOptions(context, server_hostname=address.host) if address.tls and context else None
    return pika.ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=address.vhost,
        credentials=pika.PlainCredentials(address.user, address.password),
        heartbeat=settings.heartbeat,
        ssl_options=tls,
        socket_timeout=settings.socket_timeout,
        stack_timeout=settings.stack_timeout,
        blocked_connection_timeout=settings.blocked_timeout,
        client_properties={"connection_name": f"{settings.name} {role}"},
        tcp_options=_keepalive(settings.heartbeat),
    )


def _keepalive(heartbeat: int) -> dict[str, int] | None:
    """Not every platform has these names (Windows gained them late), and pika warns about unknown ones."""
    wanted = {"TCP_KEEPIDLE": max(1, heartbeat), "TCP_KEEPINTVL": max(1, heartbeat // 3), "TCP_KEEPCNT": 3}
    return wanted if all(hasattr(socket, name) for name in wanted) else None


def quiet_pika() -> None:
    """pika logs every lost connection several times with tracebacks; `mas.amqp` says it once."""
    logger = logging.getLogger("pika")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


def explain(error: BaseException | None) -> str:
    """A connection's end in one line. Built from known fields only: a repr could hold parameters."""
    while isinstance(error, workflow.AMQPConnectionWorkflowFailed) and error.exceptions:
        error = error.exceptions[-1]
    match error:
        case workflow.AMQPConnectorPhaseErrorBase():
            return explain(error.exception)
        case pika_errors.AMQPConnectionError(args=[BaseException() as inner]):
            return explain(inner)
        case pika_errors.ConnectionClosed():
            return f"{error.reply_code} {error.reply_text}"
        case pika_errors.ProbableAuthenticationError() | pika_errors.AuthenticationError():
            return "the broker refused the user or the password"
        case pika_errors.ProbableAccessDeniedError():
            return "the broker refused the vhost: it does not exist, or the user has no permission on it"
        case pika_errors.IncompatibleProtocolError():
            return "the other side does not speak AMQP 0-9-1"
    return _explain_other(error)


def _explain_other(error: BaseException | None) -> str:
    match error:
        case pika_errors.AMQPHeartbeatTimeout():
            return "no heartbeat from the broker"
        case pika_errors.ConnectionBlockedTimeout():
            return "the broker blocked publishing for too long (memory or disk alarm)"
        case pika_errors.StreamLostError():
            return "the connection was cut"
        case workflow.AMQPConnectorStackTimeout() | TimeoutError():
            return "the broker did not answer in time"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error.strerror}"
        case OSError():
            return error.strerror or type(error).__name__
    return type(error).__name__ if error else "closed"
