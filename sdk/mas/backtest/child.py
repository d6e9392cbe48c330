"""The process in which runs happen: `python -m mas.backtest.child DIRECTORY`, started by `mas_router.runs`.

Runs come as frames on stdin, results leave as frames on stdout. What a strategy prints goes nowhere.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import IO, NoReturn

from mas import _embedded  # noqa: F401  (imported before the first run, which would else pay for it)
from mas.backtest import strategy
from mas.backtest.performing import perform
from mas.client import NoWorkerWarning
from mas_router.child import READY, read_frame, write_frame
from mas_router.codec import decode, encode
from mas_router.messages import Run

#: The thread that reads, and the one that runs.
OWN_THREADS = 2


def main() -> NoReturn:
    """Answer runs until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this ends
    faulthandler.enable()
    sys.dont_write_bytecode = True  # the directory is its owner's
    warnings.simplefilter("ignore", NoWorkerWarning)
    directory = Path(sys.argv[1])
    questions, answers = _private(0, os.O_RDONLY, "rb"), _private(1, os.O_WRONLY, "wb")
    runs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(questions, runs), daemon=True).start()
    write_frame(answers, READY)
    while True:
        run = decode(runs.get())
        if not isinstance(run, Run):
            os._exit(2)
        write_frame(answers, encode(perform(run, directory)))
        strategy.forget(directory)
        if threading.active_count() > OWN_THREADS:
            os._exit(0)  # the strategy left threads behind; the next run gets a new process


def _private(number: int, flags: int, mode: str) -> IO[bytes]:
    """A pipe of the parent's, for nobody else: what a strategy prints or reads, also in C, would garble the frames."""
    pipe: IO[bytes] = os.fdopen(os.dup(number), mode)
    nowhere = os.open(os.devnull, flags)
    os.dup2(nowhere, number)
    os.close(nowhere)
    return pipe


def _read(questions: IO[bytes], runs: queue.SimpleQueue[bytes]) -> None:
    """The parent is gone when the questions end: nobody wants a result any more."""
    while (body := read_frame(questions)) is not None:
        runs.put(body)
    os._exit(0)


if __name__ == "__main__":
    main()
