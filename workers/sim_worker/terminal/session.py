"""Connecting to a terminal, logging in, and what the terminal says of itself and of the account."""

from __future__ import annotations

from typing import Any

from sim_worker.terminal import arguments as argument
from sim_worker.terminal.failures import BadArgument
from sim_worker.terminal.links import open_link
from sim_worker.terminal.state import api, call, connect
from sim_worker.terminal.structs import AccountInfo, TerminalInfo

DEFAULT_TIMEOUT = 60_000


@api(False)
def initialize(*args: Any, **kwargs: Any) -> bool:
    """Connect to a terminal, and log in if `login` is given: `initialize([path], *, login, password, server, timeout,
    portable)`.

    `path` is `sim:` or `sim:NAME` for the terminal (called NAME) of a trade server in this process, which is also what
    no path means, or `sim://HOST:PORT[/NAME]` for one that `mas sim-terminal` serves. `timeout` is in milliseconds.
    """
    if len(args) > 1:
        raise BadArgument("Invalid number of arguments")
    path = argument.unnamed(0, argument.text_up_to(1024), args[0]) if args else ""
    path = argument.named("path", argument.text_up_to(1024), kwargs, path)
    asked = _credentials(kwargs)
    argument.named("portable", argument.flag, kwargs)
    connect(None)
    link = open_link(path, asked.pop("timeout") or DEFAULT_TIMEOUT)
    try:
        link.call("initialize", asked)
    except BaseException:
        link.close()
        raise
    connect(link)
    return True


@api(False)
def login(*args: Any, **kwargs: Any) -> bool:
    """Log the terminal in to another account: `login(login[, password][, server][, timeout])`.

    Without a password the terminal uses the one that it has saved.
    """
    if len(args) > 4:
        raise BadArgument("Invalid number of arguments")
    names = ("login", "password", "server", "timeout")
    for place, (name, value) in enumerate(zip(names, args, strict=False)):
        rule = argument.ticket if name in ("login", "timeout") else argument.login_text
        kwargs = {**kwargs, name: argument.unnamed(min(place, 2), rule, value)}
    asked = _credentials(kwargs)
    if not asked["login"]:
        raise BadArgument('Invalid "login" argument')
    del asked["timeout"]
    call("login", **asked)
    return True


def _credentials(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "login": argument.named("login", argument.ticket, given, 0),
        "password": argument.named("password", argument.login_text, given, ""),
        "server": argument.named("server", argument.login_text, given, ""),
        "timeout": argument.named("timeout", argument.unsigned(32), given, 0),
    }


@api(False)
def shutdown() -> bool:
    """Let the terminal go. It keeps running, and so does everything on the account."""
    connect(None)
    return True


@api(None)
def version() -> tuple[int, int, str]:
    """The terminal's version, build and release date."""
    number, build, date = call("version")
    return number, build, date


@api(None)
def terminal_info() -> TerminalInfo:
    """The state and the settings of the terminal."""
    return TerminalInfo.of(call("terminal_info"))


@api(None)
def account_info() -> AccountInfo:
    """The account that the terminal is logged in to."""
    return AccountInfo.of(call("account_info"))
