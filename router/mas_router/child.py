"""A child process that answers questions, one at a time: each is a frame on its stdin, each answer one on its stdout.

Started anew, never forked, so that it works alike on every system. It ends itself when its stdin ends, so it does not
outlive a parent that was killed.
"""

from __future__ import annotations

import queue
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Final

from mas_router.errors import MasError
from mas_router.transport import MAX_BODY

#: A busy machine takes its time to start an interpreter and to import numpy.
START_SECONDS: Final = 120.0
END_SECONDS: Final = 5.0
#: So much of what it wrote to stderr is kept for the report of its death.
KEPT: Final = 2_000
_LENGTH: Final = struct.Struct(">I")
#: What a child says when it is ready for its first question.
READY: Final = b""


class ChildDied(MasError):
    """The child process ended before it answered."""


class ChildTimeout(MasError):
    """The child process did not answer in time, and was ended."""


def write_frame(stream: IO[bytes], body: bytes) -> None:
    """One length and so many bytes."""
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the end of the stream, and for what cannot be one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_BODY:
        return None
    body = stream.read(length)
    return body if len(body) == length else None


class Child:
    """A running child. `ask` belongs to one thread; `kill` may be called from any."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (the command is ours: this Python, a module of ours, a directory)
            command,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which decides what becomes of this
        )
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._said = b""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until it can be asked. Raises ChildDied, ChildTimeout."""
        self._next(seconds)

    def ask(self, body: bytes, seconds: float) -> bytes:
        """Its answer. Raises ChildDied, ChildTimeout; it is gone then."""
        assert self._process.stdin is not None  # noqa: S101  (PIPE)
        with suppress(OSError):  # it is dead: the missing answer says so
            write_frame(self._process.stdin, body)
        return self._next(seconds)

    def kill(self) -> None:
        """End it now. May be repeated."""
        with suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """End it and free what it held. The thread that asks, or any once nobody asks any more."""
        self.kill()
        self._process.wait(END_SECONDS)
        for thread in self._threads:
            thread.join(END_SECONDS)
        assert self._process.stdin is not None  # noqa: S101  (PIPE)
        with suppress(OSError):
            self._process.stdin.close()

    def _next(self, seconds: float) -> bytes:
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise ChildTimeout(f"it took longer than {seconds:g} s") from None
        if answer is None:
            self.close()
            raise ChildDied(self._last_words())
        return answer

    def _last_words(self) -> str:
        code = self._process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        said = self._said.decode("utf-8", "replace").strip()
        return f"its process ended with {how}" + (f": {said[-600:]}" if said else "")

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101  (PIPE)
        with stream:
            while (body := read_frame(stream)) is not None:
                self._answers.put(body)
        self._answers.put(None)

    def _listen(self) -> None:
        """Its stderr is read all the time, so that it never waits for a reader."""
        stream = self._process.stderr
        assert stream is not None  # noqa: S101  (PIPE)
        with stream:
            while piece := stream.read1(4096):  # type: ignore[attr-defined]  # a BufferedReader
                self._said = (self._said + piece)[-KEPT:]
