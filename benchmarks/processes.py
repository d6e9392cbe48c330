"""The processes of a benchmark: a worker and a client for each path, ended by their ids whatever happens."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import load

ROOT = Path(__file__).resolve().parent.parent
SOURCES = os.pathsep.join(str(ROOT / part) for part in ("sdk", "router", "workers"))
ENDING = 5.0


class PathFailed(Exception):
    """A path could not be measured."""


class Worker:
    """A worker process. Its output is kept, and shown only when it ended by itself."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT / "benchmarks",
            env={**os.environ, "PYTHONPATH": SOURCES, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the worker
        )

    def obituary(self) -> str:
        """Why the worker is no more; empty while it lives."""
        if self._process.poll() is None:
            return ""
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip()[-600:]
        return f"; its worker ended with exit code {self._process.returncode}: {last}"

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(ENDING)
        self._log.close()


class ClientProcess:
    """A client in a process of its own, so that no path pays for another one's imports and threads."""

    def __init__(self, client: str, url: str, run: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, client, url, run), daemon=True)
        self._process.start()
        theirs.close()

    def wait_ready(self) -> None:
        """Return once the client and its worker have exchanged one order."""
        self._answer(2 * load.DEADLINE)

    def sequential(self, seconds: float) -> list[float]:
        self._line.send(("sequential", seconds))
        took = self._answer(seconds + 2 * load.DEADLINE)
        if not isinstance(took, list):
            raise PathFailed(f"no latencies came back: {took!r}")
        return took

    def pipelined(self, seconds: float, window: int) -> float:
        self._line.send(("pipelined", seconds, window))
        rate = self._answer(seconds + 2 * load.DEADLINE)
        if not isinstance(rate, float):
            raise PathFailed(f"no rate came back: {rate!r}")
        return rate

    def ask(self, timeout: float, what: str, *given: object) -> object:
        """Call a method of the client in its process."""
        self._line.send((what, *given))
        return self._answer(timeout)

    def _answer(self, timeout: float) -> object:
        try:
            if not self._line.poll(timeout):
                raise PathFailed(f"no answer within {timeout:g} s")
            answer: object = self._line.recv()
        except EOFError:
            raise PathFailed("its client process ended") from None
        if isinstance(answer, PathFailed):
            raise answer
        return answer

    def close(self) -> None:
        """Ask it to leave; what does not leave in time is killed."""
        with contextlib.suppress(OSError):  # it has left already
            self._line.send(None)
        self._process.join(ENDING)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(ENDING)
        self._line.close()


def _serve(line: Connection, client: str, url: str, run: str) -> None:
    """The client process: makes one client and carries out the calls that arrive, until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:0] = SOURCES.split(os.pathsep)
    module, _, name = client.partition(":")
    try:
        made: load.Client = getattr(importlib.import_module(module), name)(url, run)
        line.send(None)
        while call := line.recv():
            line.send(getattr(made, call[0])(*call[1:]))
        made.close()
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        line.send(PathFailed(f"{type(error).__name__}: {error}"))
