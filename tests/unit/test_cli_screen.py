"""Tables on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mas_router.cli.screen import NO_TERMINAL_WIDTH, fitting, screen

COLUMNS = ("worker", "state", "version")
ROWS = [["sim-1a2b3c4d5e6f-a1b2c3", "serving", "0.1.0"]]


def drawn(width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(fitting(console, "Workers", COLUMNS, ROWS, set()))
    return out.getvalue().splitlines()


def test_a_wide_terminal_shows_every_column() -> None:
    assert [line.split() for line in drawn(60)] == [["Workers"], list(COLUMNS), ROWS[0]]


def test_a_narrow_terminal_shows_whole_words_of_the_first_columns() -> None:
    assert [line.split() for line in drawn(35)] == [["Workers"], list(COLUMNS[:2]), ROWS[0][:2]]


@pytest.mark.parametrize("width", [1, 5, 20])
def test_the_narrowest_terminal_still_shows_the_whole_first_column(width: int) -> None:
    assert "".join(drawn(width)).replace(" ", "").endswith(ROWS[0][0])


def test_a_pipe_is_wide_enough_for_whole_words_unless_columns_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert screen().width == NO_TERMINAL_WIDTH
    monkeypatch.setenv("COLUMNS", "77")
    assert screen().width == 77
