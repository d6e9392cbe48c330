"""`python benchmarks/imports.py [ROWS]`: how long `mas data import` takes for made-up ticks, and what memory.

Each format is imported by a process of its own into a new catalog: over six months, and with all ticks in one month,
which is the most that has to be held in memory. The files (40 bytes a row) and catalogs are in a temporary directory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

START = np.datetime64("2024-01-02T00:00", "ms")
CHUNK = 250_000
Columns = tuple[list[str], list[int], list[int], list[int]]


def ticks(rows: int, months: int) -> Iterator[Columns]:
    """Times, bids, asks (in points) and which side changed (0 ask, 1 bid, 2 both), chunk by chunk."""
    rng: Any = np.random.default_rng(1)
    price, span = 109_000, months * 30 * 86_400_000
    for first in range(0, rows, CHUNK):
        count = min(CHUNK, rows - first)
        time_ = START + (np.arange(first, first + count) * span // rows).astype("m8[ms]")
        bid = price + np.cumsum(rng.integers(-1, 2, count))
        price = int(bid[-1])
        sides = rng.integers(0, 3, count)
        sides[0] = 2
        yield time_.astype(str).tolist(), bid.tolist(), (bid + rng.integers(1, 15, count)).tolist(), sides.tolist()


def histdata(path: Path, rows: int, months: int) -> None:
    with path.open("w") as file:
        for times, bids, asks, _ in ticks(rows, months):
            stamps = (t.translate({45: None, 58: None, 46: None, 84: " "}) for t in times)
            file.writelines(f"{t},{b / 1e5:.6f},{a / 1e5:.6f},0\n" for t, b, a in zip(stamps, bids, asks, strict=True))


def mt5(path: Path, rows: int, months: int) -> None:
    with path.open("w") as file:
        file.write("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n")
        for chunk in ticks(rows, months):
            for moment, bid, ask, side in zip(*chunk, strict=True):
                cells = ("" if side == 0 else f"{bid / 1e5:.5f}", "" if side == 1 else f"{(ask + 30) / 1e5:.5f}")
                file.write(f"{moment[:10].replace('-', '.')}\t{moment[11:]}\t{cells[0]}\t{cells[1]}\t\t\t6\n")


def measure(path: Path, catalog: Path) -> tuple[float, float]:
    """Seconds, and the largest memory of any import so far in MB."""
    command = [str(Path(sys.executable).with_name("mas")), "data", "import", str(path), "--symbol", "EURUSD"]
    began = time.perf_counter()
    subprocess.run([*command, "--data", str(catalog)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as directory:
        for name, make, months in (("histdata", histdata, 6), ("mt5-ticks", mt5, 6), ("histdata", histdata, 1)):
            path = Path(directory) / "ticks.csv"
            make(path, rows, months)
            seconds, memory = measure(path, Path(directory) / f"{name}-{months}")
            print(
                f"{name}, {rows:,} ticks in {months} months: {seconds:.1f} s, {rows / seconds:,.0f} ticks/s, ", end=""
            )
            print(f"at most {memory:.0f} MB")  # the order is such that each import may need more than the one before


if __name__ == "__main__":
    main()
