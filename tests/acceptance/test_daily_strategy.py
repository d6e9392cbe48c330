"""A strategy as users of the documentation have it runs unmodified: on a catalog, with each spelling of its class."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mas.testing.workers import environment
from tests.acceptance.mas_command import ROOT
from tests.acceptance.test_examples import EXPECTED

PROGRAM = (ROOT / "examples" / "daily_strategy.py").read_text(encoding="utf-8")
SECONDS = 120
SPELLINGS = {
    "class X(mas)": PROGRAM,
    "class X(MAS)": PROGRAM.replace("import mas\n", "from mas.mas import MAS\n").replace("(mas)", "(MAS)"),
}


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(MAS_DATA=str(directory / "data")),
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose catalog has five years of bars."""
    directory = tmp_path_factory.mktemp("daily")
    run(directory, "-m", "mas_router.cli", "data", "synth", "EURUSD", "--from", "2019-01-01", "--to", "2024-01-01")
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_strategy_trades_a_catalog_as_it_is(spelling: str, catalog: Path) -> None:
    program = catalog / "strategy.py"
    text = SPELLINGS[spelling].replace('            "source": "synthetic",\n', "")
    assert 'source":' not in text
    program.write_text(text, encoding="utf-8")
    printed = run(catalog, str(program))
    for words in EXPECTED["daily_strategy"]:
        assert words in printed, "the same quotes from a catalog give the same trades"
    for page in ("kpi_report.html", "trade_chart.html"):
        assert (catalog / page).stat().st_size > 10_000
        (catalog / page).unlink()
