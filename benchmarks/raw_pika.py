"""The reference: an order and its answer over pika alone, with the guarantees of the product and nothing else.

Durable or exclusive classic queues, persistent, mandatory, publisher confirms on both sides without waiting for them,
manual acknowledgements in batches; one I/O thread, and futures for the caller, as the product gives them.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from concurrent.futures import Future

import load
import msgpack
import pika
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties

EXCHANGE = "amq.topic"
PREFETCH = 1000
ACK_EVERY = 64
ACK_AFTER = 0.02


class NoRoute(Exception):
    """No worker is there yet."""


class Line:
    """One connection with one channel in confirm mode, in the thread that calls `run`."""

    def __init__(self, url: str) -> None:
        self.connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda _, error: self._fail(error),
            on_close_callback=lambda _, reason: self._fail(reason),
        )
        self.channel: Channel
        self.error: BaseException | None = None

    def run(self) -> None:
        self.connection.ioloop.start()

    def _fail(self, reason: BaseException) -> None:
        self.error = reason
        self.connection.ioloop.stop()

    def _opened(self, channel: Channel) -> None:
        self.channel = channel
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.confirm_delivery(self.on_confirm, callback=lambda _: self.on_open())

    def on_open(self) -> None:
        raise NotImplementedError

    def on_confirm(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        raise NotImplementedError

    def publish(self, key: str, message_id: str, body: bytes) -> None:
        properties = BasicProperties("application/x-msgpack", delivery_mode=2, message_id=message_id)
        self.channel.basic_publish(EXCHANGE, key, body, properties, mandatory=True)


class Worker(Line):
    """Answers every order, and acknowledges it once its answer is confirmed."""

    def __init__(self, url: str, run: str) -> None:
        self._run = run
        super().__init__(url)

    def on_open(self) -> None:
        queue = f"{self._run}.orders"
        self.channel.queue_declare(queue, exclusive=True)
        self.channel.queue_bind(queue, EXCHANGE, f"{self._run}.order")
        self.channel.basic_consume(queue, self._on_order)

    def _on_order(self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        reply = msgpack.packb(load.answer(msgpack.unpackb(body)))
        self.publish(f"{self._run}.reply", properties.message_id, reply)

    def on_confirm(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        """The n-th publish of this channel answers its n-th delivery, so a confirm is an acknowledgement as it is."""
        if not isinstance(frame.method, Basic.Ack):
            raise RuntimeError("the broker refused an answer")
        self.channel.basic_ack(frame.method.delivery_tag, frame.method.multiple)


class ClientLine(Line):
    """Sends what other threads put into the outbox, and resolves their futures."""

    def __init__(self, url: str, run: str) -> None:
        self.ready = threading.Event()
        self._run = run
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._awake = False
        self._futures: dict[str, Future[load.Fields]] = {}
        self._unacked, self._last = 0, 0
        self._sent, self._confirmed = 0, 0
        self._early: set[int] = set()
        super().__init__(url)

    def send(self, message_id: str, body: bytes) -> Future[load.Fields]:
        """From any thread. One wake-up of the I/O thread serves all that is in the outbox."""
        future: Future[load.Fields] = Future()
        self._futures[message_id] = future
        self._outbox.append((message_id, body))
        if not self._awake:
            self._awake = True
            self.connection.ioloop.add_callback_threadsafe(self._flush)
        return future

    @property
    def all_confirmed(self) -> bool:
        return self._confirmed == self._sent

    def _flush(self) -> None:
        self._awake = False
        while self._outbox:
            self.publish(f"{self._run}.order", *self._outbox.popleft())
            self._sent += 1

    def on_open(self) -> None:
        queue = f"{self._run}.replies"
        self.channel.add_on_return_callback(self._on_return)
        self.channel.queue_declare(queue, durable=True, arguments={"x-expires": 60_000})
        self.channel.queue_bind(queue, EXCHANGE, f"{self._run}.reply")
        self.channel.basic_consume(queue, self._on_reply, callback=lambda _: self.ready.set())

    def on_confirm(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        if not isinstance(frame.method, Basic.Ack):
            raise RuntimeError("the broker refused an order")
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self._confirmed = max(self._confirmed, tag)
        else:
            self._early.add(tag)
        while self._confirmed + 1 in self._early:
            self._confirmed += 1
            self._early.remove(self._confirmed)

    def _on_return(self, _: Channel, _method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        self._futures.pop(properties.message_id).set_exception(NoRoute())

    def _on_reply(self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        self._futures.pop(properties.message_id).set_result(msgpack.unpackb(body))
        self._last = method.delivery_tag
        self._unacked += 1
        if self._unacked >= ACK_EVERY:
            self._ack()
        elif self._unacked == 1:
            self.connection.ioloop.call_later(ACK_AFTER, self._ack)

    def _ack(self) -> None:
        if self._unacked and self.channel.is_open:
            self.channel.basic_ack(self._last, multiple=True)
            self._unacked = 0


class Client:
    """The caller's side: numbers the orders and waits for their answers."""

    def __init__(self, url: str, run: str) -> None:
        self._line = ClientLine(url, run)
        self._number = 0
        self._thread = threading.Thread(target=self._line.run, name="io", daemon=True)
        self._thread.start()
        if not self._line.ready.wait(load.DEADLINE):
            raise TimeoutError(f"no connection to the broker: {self._line.error}")
        self._wait_for_worker()

    def _wait_for_worker(self) -> None:
        give_up = time.monotonic() + load.DEADLINE
        while True:
            try:
                self._wait(self._submit())
                return
            except NoRoute:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)

    def _submit(self) -> tuple[str, Future[load.Fields]]:
        self._number += 1
        order = load.order(self._number)
        number = str(order["id"])
        return number, self._line.send(number, msgpack.packb(order))

    @staticmethod
    def _wait(sent: tuple[str, Future[load.Fields]]) -> None:
        number, future = sent
        if future.result(load.DEADLINE)["id"] != number:
            raise RuntimeError(f"{number} got the answer to another order")

    def sequential(self, seconds: float) -> list[float]:
        return load.sequential(lambda: self._wait(self._submit()), seconds)

    def pipelined(self, seconds: float, window: int) -> float:
        rate = load.pipelined(self._submit, self._wait, seconds, window)
        give_up = time.monotonic() + load.DEADLINE
        while not self._line.all_confirmed:
            if time.monotonic() > give_up:
                raise TimeoutError("the broker did not confirm every order")
            time.sleep(0.01)
        return rate

    def close(self) -> None:
        self._line.connection.ioloop.add_callback_threadsafe(self._line.connection.close)
        self._thread.join(load.DEADLINE)


if __name__ == "__main__":
    Worker(*sys.argv[1:3]).run()
