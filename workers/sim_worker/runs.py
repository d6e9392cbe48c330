"""Whole backtests: takes runs from the shared queue, one for each slot, and has each performed in a child process.

A run is acked when RabbitMQ has confirmed its result. A worker that dies in the middle thus leaves the run to another
one, once: what was in two workers' hands when they died may be what killed them. Runs have no effect but their result,
so one that happens twice does no harm; its client takes the first result.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from mas_router import topology
from mas_router.codec import decode, encode
from mas_router.errors import DecodeError, MasError
from mas_router.messages import Run, RunResult
from mas_router.outbox import Outbox
from mas_router.runs import Performer, Place, Stopped
from mas_router.transport import Consumer, Delivery, Envelope, Transport

log = logging.getLogger("mas.sim_worker")

#: Workers that may die of one run.
ATTEMPTS: Final = 2
#: Results that are told again when the broker delivers their run again, after an outage.
REMEMBERED: Final = 256
LOOK_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Held:
    """A run under way. After an outage the broker delivers it again, and all its deliveries end with its result."""

    run: Run
    performer: Performer
    deliveries: list[Delivery]
    #: Its client has left, so it was ended and nobody is told.
    unwanted: bool = False


@dataclass(slots=True)
class _Slot:
    """A child process, the thread that feeds it, and the deliveries that wait for it: one, unless the broker
    delivered again."""

    performer: Performer
    inbox: queue.SimpleQueue[Delivery | None] = field(default_factory=queue.SimpleQueue)
    consumer: Consumer | None = None
    thread: threading.Thread | None = None


class RunHost:
    """The runs of one worker. `tick` is called now and then; everything else happens on threads of its own."""

    def __init__(self, transport: Transport, outbox: Outbox, place: Place, slots: int) -> None:
        self._transport, self._outbox = transport, outbox
        self._slots = [_Slot(Performer(place)) for _ in range(slots)]
        self._held: dict[str, _Held] = {}
        self._told: OrderedDict[str, RunResult] = OrderedDict()
        self._lock = threading.Lock()
        self._draining = False
        self._looked = 0.0

    @property
    def busy(self) -> int:
        return len(self._held)

    @property
    def slots(self) -> int:
        return len(self._slots)

    def start(self) -> None:
        """Take runs. Raises TopologyError, NotConnected."""
        self._transport.declare(topology.runs())
        for slot in self._slots:
            slot.thread = threading.Thread(target=self._work, args=(slot,), name="mas-run", daemon=True)
            slot.thread.start()
            slot.consumer = self._transport.consume(topology.RUN_QUEUE, slot.inbox.put, prefetch=1)

    def drain(self, timeout: float) -> None:
        """Give back what runs: another worker starts it anew."""
        self._draining = True
        deadline = time.monotonic() + timeout
        for slot in self._slots:
            if slot.consumer is not None:
                with suppress(MasError):  # the broker is away: nothing comes, and what was not acked goes elsewhere
                    slot.consumer.cancel(max(0.1, deadline - time.monotonic()))
        for slot in self._slots:
            slot.performer.stop()
            slot.inbox.put(None)
        for slot in self._slots:
            if slot.thread is not None:
                slot.thread.join(max(0.1, deadline - time.monotonic()))

    def tick(self) -> None:
        """End the runs of clients that have left. May wait for the broker."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        with self._lock:
            clients = {one.run.client for one in self._held.values()}
        gone = {client for client in clients if self._has_left(client)}
        with self._lock:  # so that none of these runs can end meanwhile, and the stop hit the next one
            for one in self._held.values():
                if one.run.client in gone and not one.unwanted:
                    one.unwanted = True
                    one.performer.stop()

    def _has_left(self, client: str) -> bool:
        """It deletes its reply queue when it leaves. Whatever cannot be seen counts as there."""
        try:
            return self._transport.connected and self._transport.inspect(topology.reply_queue(client)) is None
        except MasError:
            return False

    # ---- a slot's thread -----------------------------------------------------------------------------------------

    def _work(self, slot: _Slot) -> None:
        while (delivery := slot.inbox.get()) is not None:
            try:
                self._take(slot.performer, delivery)
            except Exception:
                log.exception("a run failed outside of its process", extra={"action": "run"})
                delivery.reject()  # back to its client, which asks again
        slot.performer.close()

    def _take(self, performer: Performer, delivery: Delivery) -> None:
        run = _read(delivery)
        if run is None:
            delivery.reject()
        elif self._draining:
            self._give_back(run, delivery)
        elif not self._is_known(run, delivery):
            self._begin(performer, run, delivery)

    def _is_known(self, run: Run, delivery: Delivery) -> bool:
        """It runs here or has run here: the broker delivers again what was not acked before an outage."""
        with self._lock:
            told, held = self._told.get(run.id), self._held.get(run.id)
            if told is None and held is not None:
                held.deliveries.append(delivery)
        if told is not None:
            self._tell(run, told, delivery.ack)
        return told is not None or held is not None

    def _begin(self, performer: Performer, run: Run, delivery: Delivery) -> None:
        if self._has_left(run.client):
            delivery.ack()
        elif not delivery.redelivered:
            self._perform(performer, run, delivery)
        elif run.attempt < ATTEMPTS:
            again = run.model_copy(update={"attempt": run.attempt + 1})
            log.warning("run %s was lost with its worker; it is tried once more", run.id, extra={"action": "run"})
            self._give_back(again, delivery)
        else:
            text = f"{run.attempt} workers ended in the middle of this run; it is not tried again"
            self._tell(run, RunResult(id=run.id, status="failed", code="lost", message=text), delivery.ack)

    def _perform(self, performer: Performer, run: Run, delivery: Delivery) -> None:
        held = _Held(run, performer, [delivery])
        with self._lock:
            self._held[run.id] = held
        try:
            result = performer.perform(run)
        except Stopped:
            self._stopped(held)
            return
        with self._lock:
            del self._held[run.id]
            self._told[run.id] = result
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
        if held.unwanted:
            performer.again()  # it was stopped when it had just ended
        log.info("run %s %s in %.2f s %s", run.id, result.status, result.seconds, result.message)
        self._tell(run, result, *(one.ack for one in held.deliveries))

    def _stopped(self, held: _Held) -> None:
        with self._lock:
            del self._held[held.run.id]
        if held.unwanted:
            held.performer.again()
            for delivery in held.deliveries:
                delivery.ack()
            return
        first, *copies = held.deliveries
        self._give_back(held.run, first)
        for delivery in copies:
            delivery.ack()

    # ---- to the broker -------------------------------------------------------------------------------------------

    def _tell(self, run: Run, result: RunResult, *acks: Callable[[], None]) -> None:
        key = topology.event_key("backtest", "", "", run.client, "reply")

        def done() -> None:
            for ack in acks:
                ack()

        self._outbox.publish(Envelope(topology.EVENTS, key, encode(result), type=result.kind), done)

    def _give_back(self, run: Run, delivery: Delivery) -> None:
        """A new message in place of this one: it does not look as if a worker had died of it."""
        headers: dict[str, str | int] = {"client": run.client}
        again = Envelope(topology.BACKTEST, "run", encode(run), run.id, run.kind, None, headers)
        self._outbox.publish(again, delivery.ack)


def _read(delivery: Delivery) -> Run | None:
    try:
        message = decode(delivery.body)
    except DecodeError as error:
        log.warning("rejected a message on %s: %s", delivery.queue, error, extra={"action": "reject"})
        return None
    return message if isinstance(message, Run) else None
