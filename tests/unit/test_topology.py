"""The declarations say what the design promises: one queue per order key, arguments that every RabbitMQ takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router import topology
from mas_router.memory_exchange import MemoryExchange
from mas_router.topology import Binding, Declaration, Exchange, Queue

SERVER, LOGIN = "MetaQuotes-Demo", "1001"

EVERYTHING: list[Declaration] = [
    *topology.base(),
    *topology.runs(),
    *topology.session("s1"),
    *topology.client("c1", ("*.*.*.dash.*",)),
    *topology.live(SERVER),
    *topology.live_account(SERVER, LOGIN),
    *topology.live_account(SERVER, "1002", "classic"),
    *topology.ledger(),
]

# What RabbitMQ 3.10 to 4.x take alike. Not among them: x-queue-mode, x-queue-version, x-max-priority.
PORTABLE = {
    "x-queue-type",
    "x-single-active-consumer",
    "x-dead-letter-exchange",
    "x-message-ttl",
    "x-delivery-limit",
    "x-max-length",
    "x-overflow",
    "x-expires",
    "x-max-age",
}


def queues() -> list[Queue]:
    return [item for item in EVERYTHING if isinstance(item, Queue)]


def routed(exchange: str, key: str, headers: dict[str, object] | None = None) -> list[str]:
    """The queues that a message reaches when everything is declared."""
    declared = next(item for item in EVERYTHING if isinstance(item, Exchange) and item.name == exchange)
    router = MemoryExchange(declared)
    for item in EVERYTHING:
        if isinstance(item, Binding) and item.exchange == exchange:
            router.bind(item)
    return list(router.route(key, headers or {}))


@pytest.mark.parametrize("lane", ["orders", "control"])
@pytest.mark.parametrize("login", ["1001", "1002"])
def test_each_command_key_of_an_account_reaches_exactly_one_queue(login: str, lane: str) -> None:
    key = f"{login}.{lane.removesuffix('s')}"
    assert routed(topology.live_exchange(SERVER), key) == [topology.live_queue(SERVER, login, lane)]


def test_a_key_of_an_account_that_nobody_serves_reaches_no_queue() -> None:
    assert routed(topology.live_exchange(SERVER), "9999.order") == []


def test_a_session_gets_its_own_commands_and_open_goes_to_the_work_queue() -> None:
    assert routed(topology.BACKTEST, "s1.order") == [topology.session_queue("s1")]
    assert routed(topology.BACKTEST, "open") == [topology.OPEN_QUEUE]
    assert routed(topology.BACKTEST, "s2.order") == []


def test_an_event_reaches_its_client_and_the_ledger_only() -> None:
    key = topology.event_key("backtest", "none", LOGIN, "c1", "report")
    assert routed(topology.EVENTS, key) == [topology.reply_queue("c1"), topology.LEDGER_QUEUE]
    assert routed(topology.EVENTS, key.replace("c1", "c2")) == [topology.LEDGER_QUEUE]
    assert routed(topology.EVENTS, key.replace("c1", "dash"))[0] == topology.reply_queue("c1")


def test_a_dead_letter_goes_to_the_client_that_its_header_names() -> None:
    assert routed(topology.DEAD_LETTERS, "any", {"client": "c1"}) == [topology.reply_queue("c1")]
    assert routed(topology.DEAD_LETTERS, "any", {"client": "c2"}) == []
    assert routed(topology.DEAD, "any") == [topology.DEAD_QUEUE]


def test_the_dead_letter_exchange_always_has_somewhere_to_go() -> None:
    exchange = next(item for item in EVERYTHING if isinstance(item, Exchange) and item.name == topology.DEAD_LETTERS)
    assert exchange.arguments == {"alternate-exchange": topology.DEAD}


@pytest.mark.parametrize("queue", queues(), ids=lambda queue: queue.name)
def test_a_queue_has_a_version_in_its_name_and_only_portable_arguments(queue: Queue) -> None:
    assert queue.name.startswith("mas.") and queue.name.endswith(".v1")
    assert set(queue.arguments) <= PORTABLE
    # Newer brokers refuse queues that are neither durable nor exclusive.
    assert queue.durable or queue.exclusive


@pytest.mark.parametrize("queue", queues(), ids=lambda queue: queue.name)
def test_only_a_command_queue_refuses_publishes_because_a_full_observer_must_not_stop_events(queue: Queue) -> None:
    refuses = queue.arguments.get("x-overflow") == "reject-publish"
    assert refuses is queue.name.endswith(".orders.v1")


def test_every_declaration_list_declares_what_its_bindings_name_or_the_shared_exchange() -> None:
    lists = [topology.base(), topology.backtest(), topology.client("c"), topology.live_account(SERVER, LOGIN)]
    for items in lists:
        known: set[str] = set()
        for item in items:
            if isinstance(item, Binding):
                assert {item.exchange, item.queue} <= known
            else:
                known.add(item.name)


def test_only_quorum_queues_get_a_delivery_limit() -> None:
    limits = {queue.name: queue.arguments.get("x-delivery-limit") for queue in queues()}
    assert limits[topology.live_queue(SERVER, "1001", "orders")] == 5
    assert limits[topology.live_queue(SERVER, "1002", "orders")] is None


@given(st.text())
def test_a_slug_is_one_word_of_a_routing_key_and_a_slug_of_itself(server: str) -> None:
    slug = topology.slug(server)
    assert slug
    assert not set(slug) & set(".*# ")
    assert topology.slug(slug) == slug


def test_slugs_of_servers_keep_what_tells_them_apart() -> None:
    assert topology.slug("MetaQuotes-Demo") == "metaquotes-demo"
    assert topology.slug(" ICMarketsSC-MT5-2 ") == "icmarketssc-mt5-2"
    assert topology.slug("...") == "none"
