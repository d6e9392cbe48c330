"""What is wrong with a fleet, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mas_router.messages import Beat
from mas_router.topology import DEAD_QUEUE, OPEN_QUEUE, RUN_QUEUE
from mas_router.transport import QueueInfo

#: A worker that is so far behind answers orders late, in milliseconds.
SLOW_MS: Final = 1000.0
#: Deadlines are absolute times on the worker's clock; an order lives five seconds by default.
SKEW_NS: Final = 1_000_000_000
WAITING: Final = 100


@dataclass(frozen=True, slots=True)
class Heard:
    """A worker's newest beat, and when it arrived (UTC ns on this machine)."""

    beat: Beat
    at: int

    @property
    def skew(self) -> int:
        """How far the worker's clock is ahead of this one, in ns; the way of the message counts as behind."""
        return self.beat.time - self.at


@dataclass(frozen=True, slots=True)
class Fleet:
    """What was seen at a broker: workers by name, and queues, None where there is none. `seconds` is how long was
    listened; 0 where there is no event exchange to listen to."""

    address: str
    seconds: float
    workers: Mapping[str, Heard]
    queues: Mapping[str, QueueInfo | None]

    @property
    def beats(self) -> list[Beat]:
        return [heard.beat for _, heard in sorted(self.workers.items())]


def problems(fleet: Fleet) -> list[str]:
    """Each a sentence that says what is wrong, what it means and what to do; none when all is well."""
    return [*_of_fleet(fleet), *_of_queues(fleet), *(text for heard in fleet.workers.values() for text in _of(heard))]


def _of_fleet(fleet: Fleet) -> Iterator[str]:
    serving = [beat for beat in fleet.beats if not beat.draining]
    if not fleet.seconds:
        yield "no worker has ever been here: this broker has no exchange mas.events; start a worker: mas sim-worker"
    elif not fleet.workers:
        yield f"no worker was heard in {fleet.seconds:g} s: backtests will find nobody; start one: mas sim-worker"
    elif not serving:
        yield "every worker is draining: no new simulated account can be opened; start one: mas sim-worker"
    elif not any(beat.slots for beat in serving):
        yield "every slot is taken: a new simulated account has to wait; start more workers, or give them more --slots"


def _of_queues(fleet: Fleet) -> Iterator[str]:
    waiting, dead = fleet.queues.get(OPEN_QUEUE), fleet.queues.get(DEAD_QUEUE)
    if waiting is not None and waiting.messages:
        yield f"{waiting.messages} clients wait for a simulated account in {OPEN_QUEUE}: no worker takes them"
    runs = fleet.queues.get(RUN_QUEUE)
    if runs is not None and runs.messages and not runs.consumers:
        yield f"{runs.messages} backtests wait in {RUN_QUEUE}: start a worker for them: mas sim-worker --strategies"
    if dead is not None and dead.messages:
        yield f"{dead.messages} messages in {DEAD_QUEUE}: commands that nobody took, and whose clients were gone too"


def _of(heard: Heard) -> Iterator[str]:
    beat = heard.beat
    if beat.draining:
        yield f"{beat.worker} is draining: it takes no new accounts and ends soon"
    if beat.lag_ms > SLOW_MS or beat.waiting > WAITING:
        yield f"{beat.worker} is {beat.lag_ms / 1000:.1f} s behind, with {beat.waiting} commands waiting"
    if abs(heard.skew) > SKEW_NS:
        way = "ahead of" if heard.skew > 0 else "behind"
        yield (
            f"the clock of {beat.host} ({beat.worker}) is {abs(heard.skew) / 1e9:.1f} s {way} this machine's: "
            "orders may be refused as too late, or live too long"
        )
