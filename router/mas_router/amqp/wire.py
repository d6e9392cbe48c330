"""A pika connection that can write many frames at once, and can be cut at once.

The one file that reaches below pika's public methods, in three places, for reasons that are given there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pika
from pika import exceptions as pika_errors


class Wire(pika.SelectConnection):  # type: ignore[misc]  # pika ships no types
    """`pika.SelectConnection`, corked on demand."""

    _cork: list[bytes] | None = None
    #: Around the handling of what one read of the socket brought.
    reading: Callable[[], AbstractContextManager[None]] = nullcontext

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Join the frames written inside into one `send`.

        pika calls `send` for every frame, three times per message. Each call lets go of the interpreter lock, and a
        busy thread of the caller gives it back only after 5 ms (`sys.getswitchinterval`).
        """
        if self._cork is not None:
            yield
            return
        frames: list[bytes] = []
        self._cork = frames
        try:
            yield
        finally:
            self._cork = None
            if frames and self._transport is not None:
                super()._adapter_emit_data(b"".join(frames))

    def cut(self) -> None:
        """Close the socket without a word. The public `close` waits for an answer over a line that may be dead."""
        if not self.is_closed:
            self._terminate_stream(pika_errors.StreamLostError("cut"))

    def _on_data_available(self, data_in: bytes) -> None:
        with self.reading():
            super()._on_data_available(data_in)

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._cork is None:
            super()._adapter_emit_data(data)
        else:
            self._cork.append(data)
