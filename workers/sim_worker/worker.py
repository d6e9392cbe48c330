"""Many simulated accounts in one process: opens sessions, routes commands to them, lets their markets run.

No threads and no clock of its own: whoever holds it (a `Service`, or the SDK's embedded mode) calls `handle` and
`tick`.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mas_router import topology
from mas_router.errors import CallerError, DataMissing, MasError
from mas_router.messages import Beat, Close, Command, Message, Open, Opened, Refused, Report, Row
from mas_router.messages import Reply as ReplyMessage
from mas_router.service import Reply
from mas_router.transport import Delivery
from sim_worker.opening import Sources, open_session
from sim_worker.replay import FAR
from sim_worker.session import CHUNK_ROWS, Session

log = logging.getLogger("mas.sim_worker")

NS = 1_000_000_000
IDLE_SECONDS = 300


class Doors(Protocol):
    """How a worker makes a session reachable: declares its queue and consumes it, or stops doing so."""

    def open(self, session: str) -> None: ...

    def shut(self, session: str) -> None: ...

    def accept(self, accepting: bool) -> None:
        """Take new sessions from the shared work queue, or leave them to other workers."""


@dataclass(slots=True)
class _Served:
    session: Session
    used: int


class SimWorker:
    """The handler of a simulator worker. The pipeline calls it for one quick command at a time; opening and closing a
    session is slow and may happen beside that, so the table of sessions has a lock of its own.
    """

    def __init__(
        self,
        name: str,
        doors: Doors,
        sources: Sources,
        clock: Callable[[], int],
        *,
        slots: int = 32,
        chunk: int = CHUNK_ROWS,
    ) -> None:
        self.name, self.slots, self._chunk = name, slots, chunk
        self._doors, self._sources, self._clock = doors, sources, clock
        self._served: dict[str, _Served] = {}
        self._lock = threading.Lock()
        self._started = clock()
        self.draining = False

    # ---- commands ------------------------------------------------------------------------------------------------

    def is_slow(self, message: Message) -> bool:
        return isinstance(message, Open | Close)

    def handle(self, delivery: Delivery, message: Message) -> Iterable[Reply]:
        name = _session_of(delivery.key)
        if isinstance(message, Open):
            key = topology.event_key("backtest", message.server, message.login, message.client, "reply")
            return [Reply(key, self._open(message))]
        served = self._served.get(name)
        replies = self.answer(delivery.key, message)  # type: ignore[arg-type]  # a session refuses what is no command
        return [] if served is None else [self._reply(served.session, r, message) for r in replies or ()]

    def answer(self, key: str, command: Command) -> Iterable[ReplyMessage] | None:
        """The answers to a command; None when its session is not here."""
        if isinstance(command, Open):
            return [self._open(command)]
        served = self._served.get(_session_of(key))
        if served is None:
            return None
        served.used = self._clock()
        if isinstance(command, Close):
            self._shut(served.session.name)
            return []  # its client has left: an answer would only lie in its reply queue
        return served.session.handle(command, served.used)

    def _open(self, command: Open) -> ReplyMessage:
        known = self._served.get(command.session)
        if known is not None:
            return self._opened(command, known.session)
        if self.draining or not self.has_slot():
            text = "this worker is shutting down" if self.draining else f"all {self.slots} slots are taken"
            return Refused(id=command.id, code="busy", message=text)
        return self._start(command)

    def _start(self, command: Open) -> ReplyMessage:
        try:
            session = open_session(command, self._sources, self._clock(), self._chunk)
            self._doors.open(command.session)
        except DataMissing as error:
            return Refused(id=command.id, code="data_missing", message=str(error)[:1000])
        except CallerError as error:
            return Refused(id=command.id, code="invalid", message=str(error)[:1000])
        except MasError as error:
            return Refused(id=command.id, code="unavailable", message=str(error)[:1000])
        with self._lock:
            self._served[command.session] = _Served(session, self._clock())
        self._doors.accept(self.has_slot() and not self.draining)
        return self._opened(command, session)

    def _opened(self, command: Open, session: Session) -> Opened:
        return Opened(
            id=command.id,
            session=session.name,
            worker=self.name,
            time=self._clock(),
            chunk=session.chunk if session.market.replays else 0,
            horizon=FAR if session.market.replays else 0,
            synthetic=session.market.synthetic,
        )

    def reply_key(self, message: Message) -> str:
        client = getattr(message, "client", "")
        return topology.event_key("backtest", "", "", client, "reply") if client else ""

    def _reply(self, session: Session, message: ReplyMessage, command: Message | None = None) -> Reply:
        opening = session.opening
        client = getattr(command, "client", "") or opening.client
        kind = "report" if isinstance(message, Report) else "reply"
        return Reply(topology.event_key("backtest", opening.server, opening.login, client, kind), message)

    # ---- time ----------------------------------------------------------------------------------------------------

    def tick(self) -> list[Reply]:
        """Let the markets that follow the clock run up to now."""
        return [self._reply(session, report) for session, report in self._follow()]

    def follow(self) -> list[ReplyMessage]:
        """As `tick`, for who needs no routing keys."""
        return [report for _, report in self._follow()]

    def _follow(self) -> Iterator[tuple[Session, Report]]:
        now = self._clock()
        for session in self._sessions():
            if not session.market.replays and session.engine.active_symbols():
                for report in session.follow(now):
                    yield session, report

    def close_idle(self) -> list[Reply]:
        """Close the sessions that nobody has used for a while. Slow, as opening one is."""
        now = self._clock()
        with self._lock:
            idle = [s.session for s in self._served.values() if now - s.used > IDLE_SECONDS * NS]
        for session in idle:
            self._shut(session.name)
        return [self._gone(session, f"nobody used it for {IDLE_SECONDS} s") for session in idle]

    def has_slot(self) -> bool:
        return len(self._served) < self.slots

    def drain(self) -> list[Reply]:
        """Take no more sessions, and tell the clients of the open ones that they end."""
        self.draining = True
        sessions = self._sessions()
        for session in sessions:
            self._shut(session.name)
        return [self._gone(session, "its worker is shutting down") for session in sessions]

    def _sessions(self) -> list[Session]:
        with self._lock:
            return [served.session for served in self._served.values()]

    def _gone(self, session: Session, reason: str) -> Reply:
        text = f"the simulated account {session.name} was closed: {reason}"
        return self._reply(session, Refused(id=session.name, code="session_closed", message=text))

    def _shut(self, name: str) -> None:
        with self._lock:
            self._served.pop(name, None)
        with suppress(MasError):  # the queue is exclusive: if the broker is away it is gone anyway
            self._doors.shut(name)

    # ---- presence ------------------------------------------------------------------------------------------------

    def beat(self, version: str, waiting: int, handled: int, lag_ms: float) -> Reply:
        with self._lock:
            rows: tuple[Row, ...] = tuple(self._row(served) for served in list(self._served.values())[:64])
            taken = len(self._served)
        message = Beat(
            worker=self.name,
            host=platform.node()[:64],
            pid=os.getpid(),
            version=version,
            time=self._clock(),
            started=self._started,
            sessions=rows,
            slots=self.slots - taken,
            handled=handled,
            waiting=waiting,
            lag_ms=lag_ms,
            draining=self.draining,
        )
        return Reply(topology.event_key("backtest", "", "", self.name, "beat"), message)

    def _row(self, served: _Served) -> Row:
        session, opening = served.session, served.session.opening
        return {
            "session": session.name,
            "client": opening.client,
            "login": opening.login,
            "server": opening.server,
            "replay": session.market.replays,
            "row": session.row,
            "orders": len(session.engine.orders()),
            "positions": len(session.engine.positions()),
            "handled": session.handled,
            "idle_s": round((self._clock() - served.used) / NS, 1),
        }


def _session_of(key: str) -> str:
    return key.partition(".")[0]
