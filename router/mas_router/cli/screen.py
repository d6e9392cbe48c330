"""Where verbs draw."""

from __future__ import annotations

import os
from typing import Final

from rich.console import Console
from rich.table import Table

#: A pipe or a file has no width, and what reads it wants whole words.
NO_TERMINAL_WIDTH: Final = 200
WIDEST: Final = 10_000


def screen() -> Console:
    """Standard output. Colours only on a terminal, and none with NO_COLOR (rich sees to both)."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(highlight=False, width=NO_TERMINAL_WIDTH)
    return console


def fitting(console: Console, title: str, columns: tuple[str, ...], rows: list[list[str]], numbers: set[str]) -> Table:
    """A table whose columns come in the order of their worth: of those that a narrow terminal has no room for, the last
    are left out, because half a word in each helps nobody."""
    wide = console.options.update(width=WIDEST)
    for count in range(len(columns), 0, -1):
        made = table(title, *columns[:count], numbers=tuple(numbers))
        for row in rows:
            made.add_row(*row[:count])
        if console.measure(made, options=wide).maximum <= console.width:
            break
    return made


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table without lines. The first column wraps and the others give way; `numbers` are aligned to the right."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for position, column in enumerate(columns):
        justify = "right" if column in numbers else "left"
        made.add_column(column, overflow="fold" if position == 0 else "ellipsis", justify=justify)  # type: ignore[arg-type]
    return made
