"""Performs whole backtests in a child process: one after the other, each with a time limit, none of them fatal.

Used by simulator workers and, without a broker, by the command line. The module that runs in the child is known here
by its name alone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mas_router.child import Child, ChildDied, ChildTimeout
from mas_router.codec import decode, encode
from mas_router.errors import DecodeError, MasError
from mas_router.messages import Run, RunResult

MODULE: Final = "mas.backtest.child"
#: A new process takes longer to start than a short backtest to run, so one is used again; not for ever.
RUNS_PER_CHILD: Final = 200
#: A strategy in a worker trades with the simulator of its own process, and sees no broker's password.
WITHHELD: Final = ("MAS_URL", "MAS_LIVE_URL", "MAS_BACKTEST_URL", "MAS_MARKET")


log = logging.getLogger("mas.runs")


class Stopped(MasError):
    """The run was stopped from outside."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs happen: the only directory from which strategies are imported, the catalog of quotes, and the file of
    symbols and accounts, if there is one."""

    strategies: Path
    data: Path
    market: Path | None = None
    worker: str = ""
    #: No run may take longer, whatever it asks for.
    seconds: float = 86_400.0


class Performer:
    """One child process at a time. `perform` belongs to one thread; `stop` may be called from any."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._child: Child | None = None
        self._used = 0
        self._stopped = False
        self._lock = threading.Lock()

    def perform(self, run: Run) -> RunResult:
        """What became of the run. Raises Stopped, and nothing else."""
        limit = min(run.seconds, self._place.seconds)
        try:
            return self._attempt(run, limit)
        except ChildTimeout as error:
            return self._failed(run, "timeout", f"the run was ended: {error}")
        except (ChildDied, DecodeError) as error:
            return self._failed(run, "crash", f"the run was lost: {error}")
        except OSError as error:
            return self._failed(run, "crash", f"no process could be started: {error}")
        except Stopped:
            raise
        except Exception as error:  # a run without a result would be waited for
            log.exception("run %s could not be performed", run.id, extra={"action": "run"})
            return self._failed(run, "crash", f"the run could not be performed: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """End what runs now, and whatever would run after it."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """End the child. The thread that performs, at its end."""
        self._drop()

    def again(self) -> None:
        """Perform again after a stop. The thread that performs."""
        with self._lock:
            self._stopped = False

    def _attempt(self, run: Run, limit: float) -> RunResult:
        """A child that has run others before may suffer from what they left: only a fresh one's death counts."""
        child = self._ready()
        fresh = self._used == 0
        try:
            return self._ask(child, run, limit)
        except (ChildDied, DecodeError):
            self._drop()
            if self._stopped:
                raise Stopped from None
            if fresh:
                raise
        return self._attempt(run, limit)

    def _ask(self, child: Child, run: Run, limit: float) -> RunResult:
        try:
            result = decode(child.ask(encode(run), limit))
        except ChildTimeout:
            self._drop()
            raise
        if not isinstance(result, RunResult) or result.id != run.id:
            raise DecodeError("the process answered something else")
        self._used += 1
        return result.model_copy(update={"worker": self._place.worker})

    def _ready(self) -> Child:
        if self._used >= RUNS_PER_CHILD:
            self._drop()
        return self._child or self._begin()

    def _begin(self) -> Child:
        """A child that has imported all that a run needs: the time of a run begins with the run."""
        with self._lock:
            if self._stopped:
                raise Stopped
            child = self._child = Child(self._command(), self._environment())
        try:
            child.wait_ready()
        except MasError:
            self._drop()
            if self._stopped:
                raise Stopped from None
            raise
        return child

    def _drop(self) -> None:
        with self._lock:
            child, self._child, self._used = self._child, None, 0
        if child is not None:
            child.close()

    def _command(self) -> list[str]:
        return [sys.executable, "-P", "-m", MODULE, str(self._place.strategies.resolve())]

    def _environment(self) -> dict[str, str]:
        """The child finds the same modules as this process, and the simulator in place of a broker."""
        kept = {name: value for name, value in os.environ.items() if name not in WITHHELD}
        path = os.pathsep.join(part for part in sys.path if part)
        market = {"MAS_MARKET": str(self._place.market)} if self._place.market else {}
        return {**kept, **market, "MAS_DATA": str(self._place.data), "PYTHONPATH": path}

    def _failed(self, run: Run, code: str, text: str) -> RunResult:
        return RunResult(id=run.id, worker=self._place.worker, status="failed", code=code, message=text[:1000])
