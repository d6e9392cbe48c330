"""The verbs of `mas`, and the one place where an error becomes a line.

Verbs are named here and in the entry point group `mas.commands`, and imported when they are used: `mas --help` imports
none of them, and a verb that cannot be imported leaves the others alone.
"""

from __future__ import annotations

import logging
import re
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Annotated, Any, Final, cast

import rich  # the verbs draw with it: a missing extra is found here, before any of them runs
import typer
from typer.core import TyperCommand, TyperGroup

from mas_router.errors import MasError

GROUP: Final = "mas.commands"
#: In the order of the help text. What the group has besides these is listed after them.
SUMMARIES: Final = {
    "demo": "See orders and a backtest run, without a broker.",
    "backtest": "Run a strategy over quotes, or over a grid of parameters.",
    "sim-worker": "Serve simulated accounts.",
    "sim-terminal": "Serve simulated MetaTrader 5 terminals.",
    "data": "Quotes for backtests: import, list, make up.",
    "symbols": "Symbols and accounts of the simulator: show, check.",
    "status": "Workers, sessions and queues, and what is wrong with them.",
    "tail": "Watch order states and deals as they happen.",
    "topology": "Exchanges, queues and bindings: show or declare.",
}
OWN: Final = {name: f"mas_router.cli.{name}:{name}" for name in ("status", "tail")} | {
    "topology": "mas_router.cli.topology:app"
}
#: Base of all of click's errors about arguments, wherever typer's version keeps its click.
UsageError: Final = cast("type[Exception]", typer.BadParameter.__bases__[0])
_LOGIN: Final = re.compile(r"://\S*@")
__all__ = ["rich", "run"]


class Verb(TyperCommand):
    """A verb that has not been imported yet; it becomes the real command as soon as it gets arguments."""

    def __init__(self, point: EntryPoint) -> None:
        summary = SUMMARIES.get(point.name, f"from {point.module}")
        super().__init__(point.name, help=summary, callback=None)
        self._point = point

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """The context of the real command: from here on click knows only that one."""
        return load(self._point).make_context(info_name, args, parent, **extra)


def load(point: EntryPoint) -> Any:
    """The click command of a verb, be it a typer application or a function. Raises MasError."""
    try:
        target = point.load()
        if isinstance(target, typer.Typer):
            return typer.main.get_group(target)
        app = typer.Typer(add_completion=False)
        app.command(point.name)(target)
        return typer.main.get_command(app)
    except ModuleNotFoundError as error:
        text = f"this verb needs the Python module {error.name}: pip install 'mas-order-router[all]'"
        raise MasError(text) from error
    except Exception as error:
        raise MasError(f"this verb cannot be loaded: {type(error).__name__}: {error}") from error


def verbs() -> list[EntryPoint]:
    """What can be run: the command line's own verbs and those of other packages, in the order of the help text."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    found |= {name: EntryPoint(name, target, GROUP) for name, target in OWN.items()}
    order = [*SUMMARIES, *sorted(found.keys() - SUMMARIES.keys())]
    return [found[name] for name in order if name in found]


def group() -> TyperGroup:
    """The whole command line, with verbs still to be imported."""
    app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback(invoke_without_command=True)(_root)
    made = typer.main.get_group(app)
    for point in verbs():
        made.add_command(Verb(point))
    return made


def _root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Orders to MetaTrader 5 accounts, real or simulated, over a message queue."""
    if show_version:
        typer.echo(f"mas-order-router {_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _show(context.get_help())


def _show(help_text: str) -> None:
    """With rich, typer prints the help while it makes it and returns nothing."""
    if help_text:
        typer.echo(help_text)


def _version() -> str:
    try:
        return version("mas-order-router")
    except PackageNotFoundError:
        return "(not installed: run from its source)"


def run(args: list[str]) -> int:
    """The exit code of a command line. Whatever the user, the disk or the broker got wrong is one line on stderr."""
    logging.getLogger("mas").addHandler(logging.NullHandler())  # a verb that logs adds its own handler
    verb = next((word for word in args if not word.startswith("-")), "")
    name = f"mas {verb}" if verb in SUMMARIES else "mas"
    try:
        code = group().main(args, prog_name="mas", standalone_mode=False)
    except (MasError, OSError) as error:
        return _fail(name, str(error))
    except typer.Abort:
        return 130
    except UsageError as error:
        return _misused(name, error)
    return code if isinstance(code, int) else 0


def _misused(name: str, error: Any) -> int:
    """A wrong option or argument; `mas topology` alone is no error to explain, but a question to answer."""
    if type(error).__name__ == "NoArgsIsHelpError":
        _show(error.message)
        return 0
    path = error.ctx.command_path if error.ctx else name
    return _fail(path, f"{error.format_message().rstrip('.')} (help: {path} --help)")


def _fail(name: str, text: str) -> int:
    """Arguments are repeated in errors, and a URL in the wrong place may be one of them: not with its password."""
    line = _LOGIN.sub("://...@", " ".join(text.split()))
    typer.echo(f"{name}: {line}", err=True)
    return 2
