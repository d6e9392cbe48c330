"""The same order and answer with FastStream's RabbitBroker: `request()`, and `publish(reply_to=...)`.

`request()` holds a lock from the publish to the answer, so one broker object never has two of them under way and a
window changes nothing. What FastStream offers for many unanswered messages is a reply queue with a subscriber of its
own; it is measured too, as the stronger opponent. Tuned: a large prefetch, no validation, no access log, uvloop (which
its command line takes when it is installed).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
from collections.abc import Coroutine
from time import perf_counter
from typing import Any, TypeVar, cast

import load
from faststream import FastStream
from faststream.exceptions import FastStreamException
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

try:
    import uvloop as event_loop
except ImportError:  # there is none for Windows
    import asyncio as event_loop  # type: ignore[no-redef]

T = TypeVar("T")


def make_broker(url: str) -> RabbitBroker:
    channel = Channel(prefetch_count=1000, publisher_confirms=True)
    return RabbitBroker(url, default_channel=channel, apply_types=False, logger=None)


def make_queue(run: str, name: str, durable: bool = True) -> RabbitQueue:
    return RabbitQueue(f"{run}.{name}", durable=durable, arguments={"x-expires": 60_000})


async def work(url: str, run: str, kind: str) -> None:
    """Answer until the process is ended. Each kind has one durable queue on its way, as the reference has."""
    broker = make_broker(url)

    @broker.subscriber(make_queue(run, "orders", durable=kind == "request"), persistent=True)
    async def on_order(command: load.Fields) -> load.Fields:
        return load.answer(command)

    await FastStream(broker, logger=None).run()


class _Client:
    """Runs the coroutines of a measurement in one event loop, which also answers heartbeats between measurements."""

    durable_orders: bool

    def __init__(self, url: str, run: str) -> None:
        self._run, self._orders = run, make_queue(run, "orders", self.durable_orders)
        self._numbers = itertools.count()
        self._loop = event_loop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()
        self._broker = make_broker(url)
        self._await(self._start(), load.DEADLINE)

    def _await(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def _start(self) -> None:
        self._prepare()
        await self._broker.start()
        await self._broker.declare_queue(self._orders)
        await self._call()

    def _prepare(self) -> None:
        """Whatever must be registered before the broker starts."""

    async def _answer(self, order: load.Fields) -> load.Fields:
        raise NotImplementedError

    async def _call(self) -> None:
        order = load.order(next(self._numbers))
        if (await self._answer(order))["id"] != order["id"]:
            raise RuntimeError(f"{order['id']} got the answer to another order")

    async def _sequential(self, seconds: float) -> list[float]:
        took: list[float] = []
        start = now = perf_counter()
        while now - start < seconds:
            await self._call()
            before, now = now, perf_counter()
            took.append(now - before)
        return took

    async def _lane(self, until: float) -> int:
        count = 0
        while count == 0 or perf_counter() < until:
            await self._call()
            count += 1
        return count

    async def _pipelined(self, seconds: float, window: int) -> float:
        start = perf_counter()
        counts = await asyncio.gather(*(self._lane(start + seconds) for _ in range(window)))
        return sum(counts) / (perf_counter() - start)

    def sequential(self, seconds: float) -> list[float]:
        return self._await(self._sequential(seconds), seconds + load.DEADLINE)

    def pipelined(self, seconds: float, window: int) -> float:
        return self._await(self._pipelined(seconds, window), seconds + load.DEADLINE)

    def close(self) -> None:
        with contextlib.suppress(FastStreamException, TimeoutError):
            self._await(self._broker.stop(), load.DEADLINE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(load.DEADLINE)


class RequestClient(_Client):
    """`request()`: one at a time, by its own lock. Answers come by RabbitMQ's direct reply-to, which is transient."""

    durable_orders = True

    async def _answer(self, order: load.Fields) -> load.Fields:
        message = await self._broker.request(order, self._orders, persist=True, timeout=load.DEADLINE)
        return cast("load.Fields", await message.decode())  # every answer is an object


class ReplyClient(_Client):
    """`publish(reply_to=...)`: a subscriber resolves the futures by correlation id."""

    durable_orders = False

    def _prepare(self) -> None:
        self._futures: dict[str, asyncio.Future[load.Fields]] = {}
        self._replies = make_queue(self._run, "replies")

        @self._broker.subscriber(self._replies, no_reply=True)
        async def on_reply(answer: load.Fields) -> None:
            future = self._futures.pop(str(answer["id"]), None)
            if future and not future.done():
                future.set_result(answer)

    async def _answer(self, order: load.Fields) -> load.Fields:
        number = str(order["id"])
        future: asyncio.Future[load.Fields] = self._loop.create_future()
        self._futures[number] = future
        await self._broker.publish(
            order, self._orders, reply_to=self._replies.name, correlation_id=number, persist=True
        )
        async with asyncio.timeout(load.DEADLINE):
            return await future


if __name__ == "__main__":
    with contextlib.closing(event_loop.new_event_loop()) as loop:
        loop.run_until_complete(work(*sys.argv[1:4]))
