"""Broker URLs: `amqp[s]://user:password@host:port/vhost`, one or several. Pure.

No text made here contains a password, nor any part of a URL that could be one by a slip of the pen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from mas_router.errors import CallerError

FORM = "amqp://user:password@host:port/vhost (amqps:// for TLS)"
PORTS = {"amqp": 5672, "amqps": 5671}
ESCAPE = "an '@', ':', '/', '?', '#' or '%' in a user, password or vhost is written percent-encoded"


@dataclass(frozen=True, slots=True)
class Address:
    """One broker and how to log in to it."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    tls: bool

    def __str__(self) -> str:
        """`host:port/vhost`, for people; the default vhost `/` is left out."""
        return f"{self.host}:{self.port}/{'' if self.vhost == '/' else self.vhost}"


def parse(urls: str | Sequence[str]) -> list[Address]:
    """The brokers in the order given. A str may hold several, separated by commas. Raises CallerError."""
    if isinstance(urls, str):
        urls = re.split(r"\s*,\s*(?=amqps?://)", urls.strip())
    if not urls:
        raise CallerError(f"no broker URL was given: at least one {FORM} is needed")
    return [_parse(url) for url in urls]


def _parse(url: str) -> Address:
    if not isinstance(url, str):
        raise CallerError(f"a broker URL must be a str like {FORM}, not {type(url).__name__}")
    parts, port = _split(url.strip())
    if parts.scheme not in PORTS:
        raise CallerError(f"a broker URL must begin with amqp:// or amqps://, like {FORM}")
    if not parts.hostname:
        raise CallerError(f"the broker URL names no host: {FORM} is needed")
    if parts.query or parts.fragment:
        raise CallerError(f"the broker URL has a '?' or '#' part, which has no meaning here; {ESCAPE}")
    user, password = _login(parts)
    return Address(
        host=parts.hostname,
        port=PORTS[parts.scheme] if port is None else port,
        vhost=_vhost(parts.path),
        user=user,
        password=password,
        tls=parts.scheme == "amqps",
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    """`from None`, because the standard library's errors quote what may be a piece of the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CallerError(f"the broker URL has no valid host and port (1-65535): {FORM}; {ESCAPE}") from None
    if port == 0:
        raise CallerError(f"the broker URL has port 0, allowed is 1-65535: {FORM}")
    return parts, port


def _login(parts: SplitResult) -> tuple[str, str]:
    if parts.username is None:
        return "guest", "guest"
    if not parts.username or not parts.password:
        raise CallerError(f"the broker URL needs a user and a password, or neither: {FORM}")
    return unquote(parts.username), unquote(parts.password)


def _vhost(path: str) -> str:
    name = path[1:]
    if "/" in name:
        raise CallerError(f"the broker URL has a '/' inside the vhost; {ESCAPE}")
    return unquote(name) or "/"
