"""Fixtures of the tests that run whole systems: clients, a RabbitMQ, and workers in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mas.testing.workers import Workers, worker_processes


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """Starts simulator workers, and ends them with the test."""
    with worker_processes(tmp_path / "catalog") as started:
        yield started
