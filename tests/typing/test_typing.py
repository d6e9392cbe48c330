"""User programs under `mypy --strict`, as their authors run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
PROGRAMS = ["typed_client.py", "typed_terminal.py", "module_as_base.py", "mistakes.py"]


@pytest.mark.timeout(180)  # a cold cache: mypy reads pydantic and numpy once
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_user_program_type_checks(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where mypy_path of the configuration starts
    report, errors, _ = api.run(["--config-file", "pyproject.toml", str(Path("tests/typing") / program)])
    assert report.startswith("Success"), report + errors
