"""Fixtures of the tests that run whole systems: clients, a RabbitMQ, and workers in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mas.testing.workers import Workers, worker_processes
from mas_router.cli import app
from tests.acceptance.mas_command import Command, environment


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """Starts simulator workers, and ends them with the test."""
    with worker_processes(tmp_path / "catalog") as started:
        yield started


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Command]:
    """As `mas_command.run`, in this process: a tenth of the time, for the many ways to mistype a command."""

    def run_here(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        wanted = environment(**variables)
        for name in os.environ.keys() - wanted.keys():
            monkeypatch.delenv(name)
        for name in ("COLUMNS", *variables):
            monkeypatch.setenv(name, wanted[name])
        monkeypatch.syspath_prepend(wanted["PYTHONPATH"].rpartition(os.pathsep)[2])  # the entry points
        capsys.readouterr()
        code = app.run([*args])
        return subprocess.CompletedProcess(args, code, *capsys.readouterr())

    yield run_here
    for name, module in list(sys.modules.items()):  # strategies of the test: another has modules of the same names
        if tmp_path in Path(getattr(module, "__file__", None) or "").parents:
            del sys.modules[name]
