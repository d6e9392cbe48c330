"""Worker processes of a test: started, waited for, hurt by signals, and ended one by one by their process id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mas.testing.router import wait_until

START_SECONDS = 30.0
STOP_SECONDS = 20.0


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any MAS_ variable, with its import path, and what is given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAS_")}
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **variables}


class WorkerProcess:
    """A running `mas sim-worker`. Its stderr is read all the time, so that it never waits for a reader."""

    def __init__(
        self, url: str, name: str, *, slots: int, data: Path, market: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        self.name = name
        arguments = [f"--slots={slots}", f"--name={name}", f"--data={data}", "--log-level=info", *options]
        arguments += [f"--market={market}"] if market else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim_worker", *arguments],
            env=environment(MAS_BACKTEST_URL=url),
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self._lines.extend(stream)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written to stderr so far."""
        return "".join(self._lines)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_serving(self) -> None:
        """Return when it takes sessions. Fails with its log when it does not come up."""

        def serves() -> bool:
            if not self.running:
                self._reader.join(STOP_SECONDS)  # it may have ended before all of its log was read
                raise AssertionError(f"worker {self.name} ended with {self._process.returncode}:\n{self.log}")
            return f"simulator worker {self.name} serves" in self.log

        wait_until(serves, f"worker {self.name} to serve; its log:\n{self.log}", START_SECONDS)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired when it does not end in time."""
        code = self._process.wait(seconds)
        self._reader.join(STOP_SECONDS)
        return code

    def terminate(self) -> int:
        """End it as an operator does, with SIGTERM; its exit code."""
        self._process.terminate()
        return self.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in: a stopped process dies of SIGKILL, too."""
        if self.running:
            self._process.kill()
        self.wait()


class Workers:
    """The worker processes of one test."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.started: list[WorkerProcess] = []

    def start(
        self,
        url: str,
        *names: str,
        slots: int = 32,
        data: Path | None = None,
        market: Path | None = None,
        options: Sequence[str] = (),
    ) -> list[WorkerProcess]:
        """Start one worker for each name at the same time, with more options of `mas sim-worker`; return when all of
        them serve."""
        settings: dict[str, Any] = {"slots": slots, "data": data or self._data, "market": market, "options": options}
        fresh = [WorkerProcess(url, name, **settings) for name in names]
        self.started += fresh
        for worker in fresh:
            worker.wait_serving()
        return fresh


@contextmanager
def worker_processes(data: Path) -> Iterator[Workers]:
    """Workers that are gone afterwards. `data` is the catalog of those that are started without one."""
    workers = Workers(data)
    try:
        yield workers
    finally:
        for worker in workers.started:
            worker.end()
