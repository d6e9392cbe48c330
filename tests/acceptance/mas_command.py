"""The command `mas` as users start it: a process of its own, found by its entry points, installed or not."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 120  # guards against hanging; the machine may be busy

Command = Callable[..., subprocess.CompletedProcess[str]]


@functools.cache
def _metadata() -> tempfile.TemporaryDirectory[str]:
    """What an installation would write about the project's entry points."""
    directory = tempfile.TemporaryDirectory(prefix="mas-metadata-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = Path(directory.name) / "mas_order_router-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mas-order-router\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    text = "".join(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in found.items()) for group, found in groups)
    (info / "entry_points.txt").write_text(text)
    return directory


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without its MAS_ variables, plus what the command needs and `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAS_")}
    roots = [*(str(ROOT / name) for name in ("sdk", "router", "workers")), _metadata().name]
    return kept | {"PYTHONPATH": os.pathsep.join(roots), "COLUMNS": "100", "PYTHONUNBUFFERED": "1"} | variables


def run(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `mas` to its end."""
    command = [sys.executable, "-m", "mas_router.cli", *args]
    return subprocess.run(
        command, env=environment(**variables), capture_output=True, text=True, timeout=SECONDS, check=False
    )


@contextmanager
def started(*args: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """`mas` while it runs; killed at the end if it still does. Its two outputs are one stream."""
    with subprocess.Popen(
        [sys.executable, "-m", "mas_router.cli", *args],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_hear_ctrl_c if os.name == "posix" else None,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _hear_ctrl_c() -> None:
    """A shell that runs the tests in the background makes its children deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def read_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """The lines up to the one with this word in it; pytest's time-out ends a wait in vain."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError(f"the command ended before it said {word!r}:\n{''.join(lines)}")
