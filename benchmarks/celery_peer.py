"""The same order and answer as a Celery task: rpc:// results, solo pool, late acknowledgement, confirmed publishes.

Tuned by Celery's optimizing guide: a large prefetch for short tasks, no rate limits, no events, no gossip and mingle,
and msgpack. Celery waits for each confirm, publishes without `mandatory` and takes answers from a transient queue.
"""

from __future__ import annotations

import itertools
import sys

import load
from celery import Celery
from celery.result import AsyncResult
from kombu.entity import Exchange, Queue

EXPIRES_S = 60


def make_app(url: str, run: str) -> Celery:
    """The application that client and worker share."""
    app = Celery(run, broker=url, backend="rpc://", set_as_current=False)
    queue = f"{run}.celery"
    app.conf.update(
        task_queues=[Queue(queue, Exchange(""), routing_key=queue, durable=True, expires=EXPIRES_S)],
        task_default_queue=queue,
        task_default_delivery_mode="persistent",
        task_acks_late=True,
        task_serializer="msgpack",
        result_serializer="msgpack",
        accept_content=["msgpack"],
        result_persistent=True,
        broker_transport_options={"confirm_publish": True},
        worker_prefetch_multiplier=1000,
        worker_detect_quorum_queues=False,
        worker_disable_rate_limits=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
    )
    app.task(load.answer, name="order")
    return app


class Client:
    """Delays tasks and gets their results."""

    def __init__(self, url: str, run: str) -> None:
        self._app = make_app(url, run)
        self._order = self._app.tasks["order"]
        self._numbers = itertools.count()
        self._wait(self._submit())

    def _submit(self) -> tuple[str, AsyncResult]:
        order = load.order(next(self._numbers))
        return str(order["id"]), self._order.delay(order)

    @staticmethod
    def _wait(sent: tuple[str, AsyncResult]) -> None:
        number, result = sent
        if result.get(timeout=load.DEADLINE)["id"] != number:
            raise RuntimeError(f"{number} got the answer to another order")

    def sequential(self, seconds: float) -> list[float]:
        return load.sequential(lambda: self._wait(self._submit()), seconds)

    def pipelined(self, seconds: float, window: int) -> float:
        return load.pipelined(self._submit, self._wait, seconds, window)

    def close(self) -> None:
        self._app.close()


if __name__ == "__main__":
    url, run = sys.argv[1:3]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    make_app(url, run).worker_main(["worker", "--pool=solo", f"--hostname={run}@localhost", *quiet])
