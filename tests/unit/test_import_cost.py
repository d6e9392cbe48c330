"""`import mas` is what every strategy process pays first, so it stays small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"pika", "numpy", "numpy.random", "pyarrow", "sim_worker", "typer", "rich", "sqlite3"}
SECONDS = 0.35  # of the processor: what else runs on the machine does not count
PROGRAM = """
import json, sys, time
before = time.process_time()
import mas
print(json.dumps([time.process_time() - before, sorted(sys.modules)]))
"""


def import_in_a_fresh_interpreter() -> tuple[float, set[str]]:
    path = os.pathsep.join(str(ROOT / root) for root in ("sdk", "router", "workers"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


def test_importing_mas_loads_no_broker_no_arrays_and_no_simulator() -> None:
    _, modules = import_in_a_fresh_interpreter()
    assert not modules & HEAVY


def test_importing_mas_takes_about_a_third_of_a_second_at_most() -> None:
    best = min(import_in_a_fresh_interpreter()[0] for _ in range(5))
    assert best < SECONDS
