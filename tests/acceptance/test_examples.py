"""The examples run as a user runs them: each in a process of its own, without a broker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mas.testing.workers import environment
from tests.acceptance.mas_command import ROOT

EXAMPLES = ROOT / "examples"
SECONDS = 120
#: What each example must print.
EXPECTED = {
    "order_types": [
        r"buy              1000001 FILLED",
        r"sell_limit       1000004 ACCEPTED",
        r"sell_stop_limit  1000008 ACCEPTED",
    ],
    "cancel_and_modify": [
        "1000001 CANCELED cancel",
        "moved True, cancelled True, cancelled again False, protected True",
    ],
    "callbacks_that_trade": ["bought at 1.", "1000002 sells at 1.", "ACCEPTED"],
    "two_accounts": ["account 1001: buy at 1.", "account 1002: sell at 1.", "1001: 1 position", "1002: 1 position"],
    "backtest_bars": ["30 trades, profit -32.70, balance 9967.30"],
    "burst": ["Counter({'FILLED': 201}) last-one"],
    "daily_strategy": [
        "{'total_profit_loss': -1477.7, 'number_of_trades': 94}",
        "'profit_factor': 0.668822",
        "report True\nchart True\n",
    ],
}
#: Examples that log in with placeholders, which is worth a warning.
WARNED = {"daily_strategy"}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_runs_without_a_broker_and_prints_what_it_says(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default" if name in WARNED else "error", str(EXAMPLES / f"{name}.py")],
        env=environment(MAS_DATA=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning") == (name in WARNED)
    assert ("NoWorkerWarning" if name in WARNED else "") in done.stderr
    for words in EXPECTED[name]:
        assert words in done.stdout
