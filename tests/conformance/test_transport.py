"""What every `Transport` does, whatever is behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mas_router import topology
from mas_router.errors import Closed, NotConnected, TopologyError
from mas_router.memory_exchange import topic_match
from mas_router.topology import Arguments, Binding, Declaration, Exchange, Queue
from mas_router.transport import MAX_BODY, Delivery, Envelope, Outcome, Transport
from tests.conformance.harness import Inbox, Line, Outcomes, States, eventually, outcome_of

SERVER, LOGIN = "Demo-1", "1001"
ORDERS = topology.live_queue(SERVER, LOGIN, "orders")
ACCOUNT = topology.live_account(SERVER, LOGIN, "classic")


def order(message_id: str, *, client: str = "c1", ttl_ms: int | None = None) -> Envelope:
    """A command to the account's order queue."""
    exchange = topology.live_exchange(SERVER)
    headers = {"client": client}
    return Envelope(exchange, f"{LOGIN}.order", message_id.encode(), message_id, "order", ttl_ms, headers)


def event(message_id: str, client: str = "c1") -> Envelope:
    """A report to one client."""
    key = topology.event_key("live", SERVER, LOGIN, client, "report")
    return Envelope(topology.EVENTS, key, message_id.encode(), message_id)


def numbered(count: int, make: Callable[[str], Envelope]) -> list[Envelope]:
    return [make(f"m{number:04}") for number in range(count)]


def ids(envelopes: list[Envelope]) -> list[str]:
    return [envelope.message_id for envelope in envelopes]


def confirm(transport: Transport, envelopes: list[Envelope]) -> None:
    """Publish all of them, and see that all are queued."""
    outcomes = Outcomes()
    for envelope in envelopes:
        outcomes.publish(transport, envelope)
    assert set(outcomes.wait(len(envelopes)).values()) == {Outcome.CONFIRMED}


def small_queue(limit: int) -> list[Declaration]:
    arguments: Arguments = {"x-max-length": limit, "x-overflow": "reject-publish"}
    return [Exchange("small"), Queue("small.v1", arguments=arguments), Binding("small", "small.v1", "k")]


def ready(transport: Transport, queue: str) -> int:
    info = transport.inspect(queue)
    assert info is not None
    return info.messages


def consumers(transport: Transport, queue: str) -> int:
    info = transport.inspect(queue)
    assert info is not None
    return info.consumers


# Outcomes of a publish


def test_a_message_travels_with_its_headers_ids_and_bytes(line: Line) -> None:
    sender, worker, inbox = line.connect("sender"), line.connect("worker"), Inbox()
    worker.declare(ACCOUNT)
    worker.consume(ORDERS, inbox)
    body = bytes(range(256))
    headers: dict[str, str | int] = {"client": "c1", "epoch": 2**40}
    sent = Envelope(topology.live_exchange(SERVER), "1001.order", body, "id-1", "order", None, headers)
    assert outcome_of(sender, sent) is Outcome.CONFIRMED
    got = inbox.wait(1)[0]
    assert (got.queue, got.exchange, got.key) == (ORDERS, sent.exchange, sent.key)
    assert (got.body, got.message_id, got.type, dict(got.headers)) == (body, "id-1", "order", headers)
    assert got.redelivered is False


def test_an_order_for_an_account_without_a_queue_has_no_route(line: Line) -> None:
    sender = line.connect("sender")
    sender.declare(topology.live(SERVER))
    assert outcome_of(sender, order("m1")) is Outcome.NO_ROUTE


def test_a_publish_to_an_exchange_that_does_not_exist_has_no_route_and_the_next_one_works(line: Line) -> None:
    sender = line.connect("sender")
    assert outcome_of(sender, Envelope("nowhere", "k", b"", "m1")) is Outcome.NO_ROUTE
    sender.declare(ACCOUNT)
    assert outcome_of(sender, order("m2")) is Outcome.CONFIRMED


def test_without_mandatory_a_message_without_a_route_is_confirmed_as_dropped(line: Line) -> None:
    sender = line.connect("sender")
    sender.declare(topology.base())
    assert outcome_of(sender, Envelope(topology.EVENTS, "a.b", b"", "m1", mandatory=False)) is Outcome.CONFIRMED


def test_a_full_queue_refuses_and_holds_exactly_what_it_confirmed(line: Line) -> None:
    sender, worker = line.connect("sender"), line.connect("worker")
    worker.declare(small_queue(3))
    sent = [outcome_of(sender, Envelope("small", "k", b"", f"m{number}")) for number in range(5)]
    assert sent == [Outcome.CONFIRMED] * 3 + [Outcome.REFUSED] * 2
    inbox = Inbox()
    worker.consume("small.v1", inbox)
    inbox.wait(3)
    confirm(sender, [Envelope("small", "k", b"", "last")])
    inbox.wait_for("last")
    assert inbox.ids == ["m0", "m1", "m2", "last"]


def test_a_body_over_the_limit_is_not_sent(line: Line) -> None:
    sender = line.connect("sender")
    sender.declare(small_queue(10))
    assert outcome_of(sender, Envelope("small", "k", bytes(MAX_BODY + 1), "m1")) is Outcome.TOO_LARGE
    assert outcome_of(sender, Envelope("small", "k", bytes(MAX_BODY), "m2")) is Outcome.CONFIRMED
    eventually(lambda: ready(sender, "small.v1") == 1, "only the smaller one is queued")


def test_a_publish_after_close_is_offline_and_close_may_be_repeated(line: Line) -> None:
    sender = line.connect("sender")
    sender.declare(ACCOUNT)
    outcomes, states = Outcomes(), States()
    sender.watch(states)
    for envelope in numbered(20, order):
        outcomes.publish(sender, envelope)
    sender.close()
    states.wait([False])
    assert set(outcomes.wait(20).values()) == {Outcome.CONFIRMED}
    sender.close()
    assert not sender.connected
    assert outcome_of(sender, order("late")) is Outcome.OFFLINE
    with pytest.raises(Closed):
        sender.declare(ACCOUNT)
    with pytest.raises(Closed):
        sender.consume(ORDERS, Inbox())


def test_what_a_blocked_broker_answered_blocked_is_never_delivered(line: Line) -> None:
    sender, worker, inbox, outcomes = line.connect("sender"), line.connect("worker"), Inbox(), Outcomes()
    worker.declare(ACCOUNT)
    confirm(sender, [order("first")])
    line.block()
    tried = 0
    # RabbitMQ tells a connection that it is blocked when it next publishes; what went before has no outcome yet.
    while outcomes.has_within(f"b{tried}", 0.2) is not Outcome.BLOCKED:
        tried += 1
        assert tried < 100
        outcomes.publish(sender, order(f"b{tried}"))
    line.unblock()
    told = outcomes.wait(tried)
    eventually(lambda: outcome_of(sender, order("probe")) is Outcome.CONFIRMED, "publishing is possible again")
    confirm(sender, [order("last")])
    worker.consume(ORDERS, inbox)
    inbox.wait_for("last")
    assert [one for one in inbox.ids if told.get(one) is Outcome.BLOCKED] == []
    assert {one for one, outcome in told.items() if outcome is Outcome.CONFIRMED} <= set(inbox.ids)


def test_eight_threads_publish_and_every_outcome_comes_exactly_once(line: Line) -> None:
    sender, worker, inbox, outcomes = line.connect("sender"), line.connect("worker"), Inbox(), Outcomes()
    worker.declare(topology.client("c1"))
    worker.consume(topology.reply_queue("c1"), inbox)

    def publish(thread: int) -> None:
        for number in range(200):
            outcomes.publish(sender, event(f"t{thread}-{number:03}"))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes.wait(1600).values()) == {Outcome.CONFIRMED}
    inbox.wait(1600)
    for who in range(8):
        mine = [one for one in inbox.ids if one.startswith(f"t{who}-")]
        assert mine == [f"t{who}-{number:03}" for number in range(200)]


# Dead letters


def test_an_order_that_expires_comes_back_to_its_sender_with_the_reason(line: Line) -> None:
    sender, worker, inbox, other = line.connect("sender"), line.connect("worker"), Inbox(), Inbox()
    worker.declare(ACCOUNT)
    sender.declare([*topology.client("c1"), *topology.client("c2")])
    sender.consume(topology.reply_queue("c1"), inbox)
    sender.consume(topology.reply_queue("c2"), other)
    confirm(sender, [order("m1", ttl_ms=30)])
    letter = inbox.wait(1)[0]
    assert (letter.message_id, letter.body, letter.type) == ("m1", b"m1", "order")
    assert letter.exchange == topology.DEAD_LETTERS
    assert letter.headers["client"] == "c1"
    assert letter.headers["x-first-death-reason"] == "expired"
    assert letter.headers["x-first-death-queue"] == ORDERS
    assert death(letter)["reason"] == "expired"
    confirm(sender, [event("mark", "c2")])
    other.wait_for("mark")
    assert other.ids == ["mark"]


def death(letter: Delivery) -> dict[str, object]:
    """The latest entry of `x-death`."""
    deaths = letter.headers["x-death"]
    assert isinstance(deaths, list) and isinstance(deaths[0], dict)
    return deaths[0]


def test_a_rejected_order_comes_back_and_an_acked_one_does_not(line: Line) -> None:
    sender, worker, inbox = line.connect("sender"), line.connect("worker"), Inbox()
    worker.declare(ACCOUNT)
    sender.declare(topology.client("c1"))
    sender.consume(topology.reply_queue("c1"), inbox)
    worker.consume(ORDERS, lambda one: one.ack() if one.message_id == "good" else one.reject())
    confirm(sender, [order("good"), order("bad")])
    letter = inbox.wait(1)[0]
    assert letter.message_id == "bad"
    assert death(letter)["reason"] == letter.headers["x-first-death-reason"] == "rejected"
    assert (death(letter)["queue"], death(letter)["count"]) == (ORDERS, 1)


def test_a_dead_letter_of_an_unknown_client_ends_in_the_dead_queue(line: Line) -> None:
    sender, worker, dead = line.connect("sender"), line.connect("worker"), Inbox()
    worker.declare(ACCOUNT)
    worker.consume(ORDERS, lambda one: one.reject())
    worker.consume(topology.DEAD_QUEUE, dead)
    confirm(sender, [order("m1", client="gone")])
    assert dead.wait(1)[0].message_id == "m1"


def test_an_order_that_kills_every_worker_is_dead_lettered_at_the_delivery_limit(line: Line) -> None:
    sender, worker, inbox, held = line.connect("sender"), line.connect("worker"), Inbox(), Inbox(ack=False)
    limited: Arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1,
        "x-dead-letter-exchange": topology.DEAD_LETTERS,
    }
    sender.declare(topology.client("c1"))
    sender.consume(topology.reply_queue("c1"), inbox)
    worker.declare([Exchange("risky"), Queue("risky.v1", arguments=limited), Binding("risky", "risky.v1", "k")])
    worker.consume("risky.v1", held)
    confirm(sender, [Envelope("risky", "k", b"", "m1", headers={"client": "c1"})])
    held.wait(1)
    line.cut("worker")
    held.wait(2)
    line.cut("worker")
    assert inbox.wait(1)[0].headers["x-first-death-reason"] == "delivery_limit"
    assert [one.redelivered for one in held.wait(2)] == [False, True]


def test_a_held_order_whose_time_passed_bounces_only_when_its_worker_is_gone(line: Line) -> None:
    sender, worker, inbox, held = line.connect("sender"), line.connect("worker"), Inbox(), Inbox(ack=False)
    worker.declare(ACCOUNT)
    sender.declare(topology.client("c1"))
    sender.consume(topology.reply_queue("c1"), inbox)
    worker.consume(ORDERS, held, prefetch=1)
    confirm(sender, [order("held", ttl_ms=30), order("waiting", ttl_ms=60)])
    held.wait(1)
    inbox.wait_for("waiting")
    assert inbox.ids == ["waiting"]
    worker.close()
    inbox.wait_for("held")
    assert [one.headers["x-first-death-reason"] for one in inbox.deliveries] == ["expired", "expired"]


def test_drop_head_dead_letters_the_oldest_with_the_reason(line: Line) -> None:
    one, dead = line.connect("one"), Inbox()
    short: Arguments = {"x-max-length": 2, "x-overflow": "drop-head", "x-dead-letter-exchange": topology.DEAD_LETTERS}
    one.declare([*topology.base(), Exchange("short"), Queue("short.v1", arguments=short)])
    one.declare([Binding("short", "short.v1", "k")])
    confirm(one, [Envelope("short", "k", b"", f"m{number}") for number in range(4)])
    one.consume(topology.DEAD_QUEUE, dead)
    assert [letter.headers["x-first-death-reason"] for letter in dead.wait(2)] == ["maxlen", "maxlen"]
    assert dead.ids == ["m0", "m1"]


def test_deaths_are_counted_per_queue_and_reason_and_a_circle_without_a_reject_ends(line: Line) -> None:
    one, got = line.connect("one"), Inbox(ack=False)
    circle: Arguments = {"x-dead-letter-exchange": "circle", "x-message-ttl": 60}
    one.declare([Exchange("circle"), Queue("circle.v1", arguments=circle), Binding("circle", "circle.v1", "k")])
    consumer = one.consume("circle.v1", got)
    confirm(one, [Envelope("circle", "k", b"", "m1", ttl_ms=50_000)])
    got.wait(1)[0].reject()
    got.wait(2)[1].reject()
    last = got.wait(3)[2]
    assert (death(last)["count"], death(last)["reason"]) == (2, "rejected")
    assert last.headers["x-first-death-exchange"] == "circle"
    last.ack()
    consumer.cancel()
    confirm(one, [Envelope("circle", "k", b"", "m2")])
    eventually(lambda: ready(one, "circle.v1") == 0, "the expired message is dropped, not queued again")


# Routing


def test_an_alternate_exchange_gets_what_has_no_route(line: Line) -> None:
    one, inbox = line.connect("one"), Inbox()
    one.declare([Exchange("spill", "fanout"), Exchange("main", arguments={"alternate-exchange": "spill"})])
    assert outcome_of(one, Envelope("main", "k", b"", "m1")) is Outcome.NO_ROUTE
    one.declare([Queue("spill.v1"), Binding("spill", "spill.v1"), Queue("main.v1"), Binding("main", "main.v1", "a.#")])
    one.consume("spill.v1", inbox)
    confirm(
        one, [Envelope("main", "k", b"", "m2"), Envelope("main", "a", b"", "m3"), Envelope("main", "b.a", b"", "m4")]
    )
    inbox.wait_for("m4")
    assert inbox.ids == ["m2", "m4"]


def test_a_topic_pattern_means_the_same_everywhere(line: Line) -> None:
    one, inbox = line.connect("one"), Inbox()
    patterns = ["#", "*", "a.*", "a.#", "*.*.c", "#.c", "a.#.c", "#.b.#", "a.b", ""]
    keys = ["", "a", "c", "a.b", "a.b.c", "a.c", "b.b", "x.a.c", "a.", ".c"]
    one.declare([Exchange("t"), Queue("out.v1")])
    fits: dict[str, list[str]] = {}
    one.consume("out.v1", inbox)
    for pattern in patterns:
        one.declare([Binding("t", "out.v1", pattern)])
        outcomes = Outcomes()
        for key in keys:
            outcomes.publish(one, Envelope("t", key, b"", f"{pattern}|{key}"))
        told = outcomes.wait(len(keys))
        fits[pattern] = [key for key in keys if told[f"{pattern}|{key}"] is Outcome.CONFIRMED]
        one.forget([Binding("t", "out.v1", pattern)])
    assert fits == {pattern: [key for key in keys if topic_match(pattern, key)] for pattern in patterns}


def test_one_queue_that_refuses_makes_the_publish_refused_although_another_took_it(line: Line) -> None:
    one, tap = line.connect("one"), Inbox()
    one.declare([*small_queue(1), Queue("tap.v1"), Binding("small", "tap.v1", "#")])
    one.consume("tap.v1", tap)
    assert outcome_of(one, Envelope("small", "k", b"", "m1")) is Outcome.CONFIRMED
    assert outcome_of(one, Envelope("small", "k", b"", "m2")) is Outcome.REFUSED
    tap.wait_for("m2")


# Delivery


def test_acks_may_come_from_any_thread_in_any_order(line: Line) -> None:
    sender, worker, held = line.connect("sender"), line.connect("worker"), Inbox(ack=False)
    worker.declare(ACCOUNT)
    worker.consume(ORDERS, held, prefetch=10)
    confirm(sender, numbered(20, order))
    first = held.wait(10)
    threads = [threading.Thread(target=delivery.ack) for delivery in reversed(first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held.wait(20)
    line.cut("worker")
    again = held.wait(30)[20:]
    assert [one.message_id for one in again] == ids(numbered(20, order))[10:]


def test_a_thousand_messages_arrive_in_the_order_of_publishing(line: Line) -> None:
    sender, worker, inbox = line.connect("sender"), line.connect("worker"), Inbox()
    worker.declare(topology.client("c1"))
    worker.consume(topology.reply_queue("c1"), inbox)
    sent = numbered(1000, event)
    confirm(sender, sent)
    inbox.wait(1000)
    assert inbox.ids == ids(sent)


def test_messages_that_waited_for_a_consumer_arrive_in_order(line: Line) -> None:
    sender, inbox = line.connect("sender"), Inbox()
    sender.declare(topology.client("c1"))
    sent = numbered(200, event)
    confirm(sender, sent)
    sender.consume(topology.reply_queue("c1"), inbox, prefetch=7)
    inbox.wait(200)
    assert inbox.ids == ids(sent)


def test_an_auto_ack_consumer_gets_everything_without_acking(line: Line) -> None:
    sender, worker, inbox, states = line.connect("sender"), line.connect("worker"), Inbox(ack=False), States()
    queue = topology.reply_queue("c1")
    worker.declare(topology.client("c1"))
    worker.watch(states)
    worker.consume(queue, inbox, prefetch=2, auto_ack=True)
    confirm(sender, numbered(50, event))
    inbox.wait(50)
    line.cut("worker")
    states.wait([False, True])
    # Until the broker notices the cut, it may give a message to the dead consumer, and auto-ack loses it.
    eventually(lambda: consumers(sender, queue) == 1, "the dead consumer is gone")
    confirm(sender, [event("mark")])
    inbox.wait_for("mark")
    assert len(inbox.ids) == 51


def test_prefetch_bounds_what_a_consumer_holds(line: Line) -> None:
    sender, worker, held = line.connect("sender"), line.connect("worker"), Inbox(ack=False)
    worker.declare(ACCOUNT)
    confirm(sender, numbered(10, order))
    worker.consume(ORDERS, held, prefetch=3)
    first = held.wait(3)[0]
    eventually(lambda: ready(sender, ORDERS) == 7, "seven messages wait")
    first.ack()
    held.wait(4)
    eventually(lambda: ready(sender, ORDERS) == 6, "six messages wait")
    assert held.ids == ids(numbered(4, order))


def test_a_delivery_is_repeated_as_redelivered_only_after_its_connection_was_cut(line: Line) -> None:
    sender, worker, held = line.connect("sender"), line.connect("worker"), Inbox(ack=False)
    worker.declare(ACCOUNT)
    worker.consume(ORDERS, held)
    confirm(sender, numbered(3, order))
    first = held.wait(3)
    assert [one.redelivered for one in first] == [False] * 3
    line.cut("worker")
    again = held.wait(6)[3:]
    assert [one.message_id for one in again] == ids(numbered(3, order))
    assert [one.redelivered for one in again] == [True] * 3


def test_an_ack_of_a_connection_that_is_gone_does_nothing(line: Line) -> None:
    sender, worker, held = line.connect("sender"), line.connect("worker"), Inbox(ack=False)
    worker.declare(ACCOUNT)
    worker.consume(ORDERS, held)
    confirm(sender, [order("m1")])
    stale = held.wait(1)[0]
    line.cut("worker")
    fresh = held.wait(2)[1]
    stale.ack()
    stale.reject()
    line.cut("worker")
    assert held.wait(3)[2].redelivered
    fresh.ack()
    held.deliveries[2].ack()
    eventually(lambda: ready(sender, ORDERS) == 0, "the queue is empty")


def test_after_cancel_the_rest_goes_to_the_next_consumer_in_order_and_nothing_twice(line: Line) -> None:
    sender, first, second = line.connect("sender"), line.connect("first"), line.connect("second")
    held, rest = Inbox(ack=False), Inbox()
    first.declare(ACCOUNT)
    sent = numbered(10, order)
    confirm(sender, sent)
    consumer = first.consume(ORDERS, held, prefetch=3)
    held.wait(3)
    consumer.cancel()
    second.consume(ORDERS, rest)
    rest.wait(7)
    for delivery in held.deliveries:
        delivery.ack()
    first.close()
    confirm(sender, [order("mark")])
    rest.wait_for("mark")
    assert held.ids + rest.ids == [*ids(sent), "mark"]
    assert not any(one.redelivered for one in rest.deliveries)


def test_a_single_active_consumer_hands_over_on_close(line: Line) -> None:
    sender, first, second = line.connect("sender"), line.connect("first"), line.connect("second")
    active, standby = Inbox(), Inbox()
    first.declare(ACCOUNT)
    second.declare(ACCOUNT)
    first.consume(ORDERS, active)
    assert consumers(sender, ORDERS) == 1
    second.consume(ORDERS, standby)
    confirm(sender, numbered(5, order))
    active.wait(5)
    first.close()
    confirm(sender, [order("next")])
    standby.wait(1)
    assert standby.ids == ["next"]


def test_two_clients_get_their_own_events_only(line: Line) -> None:
    one, two, worker = line.connect("one"), line.connect("two"), line.connect("worker")
    for_one, for_two = Inbox(), Inbox()
    one.declare(topology.client("c1"))
    two.declare(topology.client("c2", patterns=("*.*.*.c3.*",)))
    one.consume(topology.reply_queue("c1"), for_one)
    two.consume(topology.reply_queue("c2"), for_two)
    confirm(worker, [event("a", "c1"), event("b", "c2"), event("c", "c3"), event("d", "c1"), event("e", "c2")])
    for_one.wait_for("d")
    for_two.wait_for("e")
    assert (for_one.ids, for_two.ids) == (["a", "d"], ["b", "c", "e"])


def test_a_callback_may_publish_and_ack(line: Line) -> None:
    sender, worker, inbox = line.connect("sender"), line.connect("worker"), Inbox()
    worker.declare(ACCOUNT)
    sender.declare(topology.client("c1"))
    sender.consume(topology.reply_queue("c1"), inbox)

    def answer(delivery: Delivery) -> None:
        worker.publish(event(f"re-{delivery.message_id}"), lambda outcome: delivery.ack())

    worker.consume(ORDERS, answer, prefetch=5)
    confirm(sender, numbered(50, order))
    inbox.wait(50)
    assert inbox.ids == [f"re-{one}" for one in ids(numbered(50, order))]
    eventually(lambda: ready(sender, ORDERS) == 0, "all orders are acked")


def test_an_exception_in_a_callback_does_not_stop_delivery(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    sender, inbox = line.connect("sender"), Inbox()
    sender.declare(topology.client("c1"))

    def fail(delivery: Delivery) -> None:
        inbox(delivery)
        raise RuntimeError("the callback's own fault")

    sender.consume(topology.reply_queue("c1"), fail)
    confirm(sender, numbered(3, event))
    inbox.wait(3)
    eventually(lambda: tracebacks(caplog) == 3, "each failure is logged with its traceback")


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.exc_info is not None for record in caplog.records)


# Declarations


def test_consuming_a_queue_that_does_not_exist_is_refused_by_name(line: Line) -> None:
    with pytest.raises(TopologyError, match=r"absent\.v1"):
        line.connect("one").consume("absent.v1", Inbox())


def test_declaring_again_does_nothing_and_declaring_differently_names_the_difference(line: Line) -> None:
    one, two = line.connect("one"), line.connect("two")
    one.declare(small_queue(3))
    two.declare(small_queue(3))
    with pytest.raises(TopologyError, match=r"small\.v1.*x-max-length"):
        two.declare(small_queue(4))
    with pytest.raises(TopologyError, match="small"):
        two.declare([Exchange("small", "fanout")])
    assert outcome_of(two, Envelope("small", "k", b"", "m1")) is Outcome.CONFIRMED


def test_a_binding_of_what_does_not_exist_is_refused(line: Line) -> None:
    one = line.connect("one")
    one.declare(small_queue(3))
    with pytest.raises(TopologyError, match="absent"):
        one.declare([Binding("small", "absent.v1", "k")])
    with pytest.raises(TopologyError, match="absent"):
        one.declare([Binding("absent", "small.v1", "k")])


def test_inspect_tells_the_length_and_the_consumers_or_none(line: Line) -> None:
    one, two, held = line.connect("one"), line.connect("two"), Inbox(ack=False)
    assert one.inspect("absent.v1") is None
    one.declare(ACCOUNT)
    confirm(one, numbered(4, order))
    eventually(lambda: ready(two, ORDERS) == 4, "four messages wait")
    one.consume(ORDERS, held, prefetch=1)
    held.wait(1)
    eventually(lambda: ready(two, ORDERS) == 3, "three messages wait")
    assert consumers(two, ORDERS) == 1


def test_an_exclusive_queue_is_a_lock_that_only_its_owner_sees(line: Line) -> None:
    owner, other = line.connect("owner"), line.connect("other")
    lock = Queue("lock.v1", durable=False, exclusive=True)
    owner.declare([lock])
    owner.declare([lock])
    assert owner.inspect("lock.v1") is not None
    assert other.inspect("lock.v1") is None
    with pytest.raises(TopologyError, match=r"lock\.v1"):
        other.declare([lock])
    owner.close()
    eventually(lambda: declares(other, lock), "the lock is free")


def declares(transport: Transport, item: Declaration) -> bool:
    try:
        transport.declare([item])
    except TopologyError:
        return False
    return True


def test_has_exchange_tells_and_never_declares(line: Line) -> None:
    one = line.connect("one")
    assert not one.has_exchange("small")
    assert not one.has_exchange("small")
    one.declare(small_queue(3))
    assert one.has_exchange("small")


def test_what_is_forgotten_is_gone_and_stays_gone_after_a_reconnect(line: Line) -> None:
    worker, sender, states = line.connect("worker"), line.connect("sender"), States()
    worker.declare([*topology.backtest(), *topology.session("s1"), *topology.session("s2")])
    worker.watch(states)
    first, second = (Envelope(topology.BACKTEST, f"s{number}.order", b"", f"m{number}") for number in (1, 2))
    worker.forget(topology.session("s1"))
    assert outcome_of(sender, first) is Outcome.NO_ROUTE
    assert worker.inspect(topology.session_queue("s1")) is None
    line.cut("worker")
    states.wait([False, True])
    assert outcome_of(sender, first) is Outcome.NO_ROUTE
    assert outcome_of(sender, second) is Outcome.CONFIRMED


# Connections that end


def test_a_reply_queue_keeps_what_is_published_while_its_client_reconnects(line: Line) -> None:
    client, worker, inbox, states = line.connect("client"), line.connect("worker"), Inbox(), States()
    client.declare(topology.client("c1"))
    client.consume(topology.reply_queue("c1"), inbox)
    client.watch(states)
    confirm(worker, [event("before")])
    inbox.wait(1)
    line.cut("client")
    confirm(worker, numbered(20, event))
    inbox.wait_for("m0019")
    states.wait([False, True])
    # An ack that the cut swallowed makes a delivery come twice, flagged.
    firsts = [one.message_id for one in inbox.deliveries if not one.redelivered]
    assert list(dict.fromkeys(inbox.ids)) == ["before", *ids(numbered(20, event))]
    assert len(firsts) == len(set(firsts))


def test_the_queue_of_a_session_vanishes_with_its_worker(line: Line) -> None:
    sender, worker = line.connect("sender"), line.connect("worker")
    worker.declare([*topology.backtest(), *topology.session("s1")])
    command = Envelope(topology.BACKTEST, "s1.order", b"", "m1")
    assert outcome_of(sender, command) is Outcome.CONFIRMED
    worker.close()
    eventually(lambda: outcome_of(sender, command) is Outcome.NO_ROUTE, "the queue is gone")


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_broker_that_restarts_keeps_what_is_durable_and_everybody_resumes(line: Line) -> None:
    client, worker, states = line.connect("client"), line.connect("worker"), States()
    inbox, commands = Inbox(), Inbox()
    client.declare([*topology.client("c1"), *ACCOUNT])
    client.consume(topology.reply_queue("c1"), inbox)
    client.watch(states)
    worker.declare([*topology.backtest(), *topology.session("s1")])
    worker.consume(topology.session_queue("s1"), commands)
    confirm(client, numbered(5, order))

    line.stop()
    states.wait([False])
    assert not client.connected
    assert not client.wait_connected(0)
    assert outcome_of(client, order("while-down")) is Outcome.OFFLINE
    with pytest.raises(NotConnected):
        client.declare(ACCOUNT, timeout=0.05)
    with pytest.raises(NotConnected):
        client.inspect(ORDERS, timeout=0.05)

    line.start()
    states.wait([False, True])
    assert client.wait_connected(1) and worker.wait_connected(30)
    confirm(client, [Envelope(topology.BACKTEST, "s1.order", b"", "m1"), event("after")])
    assert commands.wait(1)[0].message_id == "m1"
    inbox.wait_for("after")
    orders = Inbox()
    worker.consume(ORDERS, orders)
    confirm(client, [order("mark")])
    orders.wait_for("mark")
    assert orders.ids == [*ids(numbered(5, order)), "mark"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_broker_stopped_under_load_gives_each_publish_one_outcome_and_keeps_the_confirmed(line: Line) -> None:
    sender, outcomes, inbox = line.connect("sender"), Outcomes(), Inbox()
    sender.declare([Exchange("load"), Queue("load.v1"), Binding("load", "load.v1", "k")])
    sent: list[str] = []

    def publish() -> None:
        """Until the broker is seen to be gone, with some hundred messages under way."""
        while outcomes.count(Outcome.OFFLINE) == 0 and outcomes.wait_until_pending(sent, 300):
            sent.append(f"m{len(sent):05}")
            outcomes.publish(sender, Envelope("load", "k", b"", sent[-1]))

    thread = threading.Thread(target=publish)
    thread.start()
    eventually(lambda: outcomes.count(Outcome.CONFIRMED) > 500, "publishing is under way")
    line.stop()
    thread.join(60)
    assert not thread.is_alive()
    line.start()
    told = outcomes.wait(len(sent))
    sender.consume("load.v1", inbox)
    assert sender.wait_connected(30)
    confirm(sender, [Envelope("load", "k", b"", "mark")])
    inbox.wait_for("mark")
    arrived = set(inbox.ids) - {"mark"}
    assert set(told) == set(sent)
    assert {one for one in sent if told[one] is Outcome.CONFIRMED} <= arrived
    assert {told[one] for one in arrived} <= {Outcome.CONFIRMED, Outcome.LOST}
