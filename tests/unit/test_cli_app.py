"""The frame of the command line: loading verbs, and turning errors into lines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Annotated

import pytest
import typer

from mas_router import cli
from mas_router.cli import app
from mas_router.cli.broker import url_of
from mas_router.errors import CallerError, NotConnected

PLUGIN = "mas_cli_test_plugin"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[..., None]], None]]:
    """Mount a function as the verb `plug`, next to a verb whose module is missing and one that fails at import."""
    module = ModuleType(PLUGIN)
    monkeypatch.setitem(sys.modules, PLUGIN, module)
    points = [
        EntryPoint("plug", f"{PLUGIN}:verb", app.GROUP),
        EntryPoint("absent", "mas_no_such_module:verb", app.GROUP),
        EntryPoint("broken", f"{PLUGIN}:no_such_name", app.GROUP),
    ]
    monkeypatch.setattr(app, "entry_points", lambda group: [p for p in points if p.group == group])

    def mount(function: Callable[..., None]) -> None:
        module.verb = function  # type: ignore[attr-defined]

    yield mount


def test_a_verb_of_another_package_runs_with_its_options(
    plugin: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(volume: Annotated[float, typer.Option()] = 0.0) -> None:
        typer.echo(f"volume {volume}")

    plugin(verb)
    assert app.run(["plug", "--volume", "0.5"]) == 0
    assert capsys.readouterr().out == "volume 0.5\n"


@pytest.mark.parametrize(("name", "told"), [("absent", "mas_no_such_module"), ("broken", "no_such_name")])
def test_a_verb_that_cannot_be_loaded_is_one_line_and_leaves_the_others_alone(
    plugin: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    plugin(lambda: typer.echo("fine"))

    assert app.run([name]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert app.run(["plug"]) == 0
    assert app.run(["--help"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    "error", [NotConnected("two\nlines"), CallerError("two lines"), OSError("two lines"), PermissionError("two lines")]
)
def test_an_expected_error_is_one_line_on_stderr_and_exit_code_2(
    plugin: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def verb() -> None:
        raise error

    plugin(verb)
    assert app.run(["plug"]) == 2
    assert capsys.readouterr() == ("", "mas: two lines\n")


def test_an_unexpected_error_is_a_defect_and_keeps_its_traceback(
    plugin: Callable[[Callable[..., None]], None],
) -> None:
    def verb() -> None:
        raise ZeroDivisionError

    plugin(verb)
    with pytest.raises(ZeroDivisionError):
        app.run(["plug"])


def test_ctrl_c_in_a_verb_is_exit_code_130(plugin: Callable[[Callable[..., None]], None]) -> None:
    def verb() -> None:
        raise KeyboardInterrupt

    plugin(verb)
    assert app.run(["plug"]) == 130


def test_a_verb_may_set_its_own_exit_code(plugin: Callable[[Callable[..., None]], None]) -> None:
    def verb() -> None:
        raise typer.Exit(1)

    plugin(verb)
    assert app.run(["plug"]) == 1


def test_a_url_that_stands_in_the_wrong_place_is_repeated_without_its_password(
    plugin: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(lambda: None)
    assert app.run(["plug", "amqp://user:p@ss/word@host:5672/"]) == 2
    error = capsys.readouterr().err
    assert "amqp://...@host:5672/" in error
    assert "word" not in error


@pytest.mark.parametrize("extra", ["typer", "rich"])
def test_without_its_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], extra: str
) -> None:
    monkeypatch.delitem(sys.modules, "mas_router.cli.app")
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"mas: {cli.NEEDED}\n"


def test_help_imports_no_verb_and_nothing_that_only_a_verb_needs() -> None:
    heavy = "{'pika', 'numpy', 'pyarrow', 'msgpack', 'mas', 'sim_worker', 'mas_router.messages'}"
    program = f"import sys; from mas_router.cli.app import run; run(['--help']); print({heavy} & sys.modules.keys())"
    paths = [path for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "topology" in done.stdout
    assert done.stdout.endswith("set()\n"), done.stdout


def test_the_url_of_the_option_wins_over_the_environment_and_the_special_variable_over_the_general_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAS_URL", "amqp://general/")
    monkeypatch.delenv("MAS_BACKTEST_URL", raising=False)
    assert url_of(None) == "amqp://general/"
    monkeypatch.setenv("MAS_BACKTEST_URL", "amqp://special/")
    assert url_of(None) == "amqp://special/"
    assert url_of("amqp://given/") == "amqp://given/"


def test_without_any_url_the_error_names_the_option_and_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAS_URL", "MAS_BACKTEST_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CallerError, match="--url or set MAS_BACKTEST_URL or MAS_URL"):
        url_of(None)
