"""The in-process broker: what the conformance suite cannot see from outside, with a clock of its own."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router import topology
from mas_router.errors import Closed, InvalidField, NotConnected, TopologyError
from mas_router.memory import MemoryBroker, MemoryTransport
from mas_router.memory_calls import Call, Calls
from mas_router.memory_exchange import headers_match, topic_match
from mas_router.topology import Arguments, Binding, Declaration, Exchange, Queue
from mas_router.transport import Delivery, Envelope, Outcome, QueueInfo, Transport


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """One broker, one transport `me`, one queue `q` behind the exchange `x`, and everything that happened."""

    def __init__(self, **arguments: str | int | bool) -> None:
        self.clock = Clock()
        self.broker = MemoryBroker(self.clock)
        self.me = self.broker.connect("me")
        self.me.declare(plain("q", {name.replace("_", "-"): value for name, value in arguments.items()}))
        self.got: list[Delivery] = []
        self.outcomes: list[Outcome] = []

    def send(self, *ids: str, ttl_ms: int | None = None, key: str = "q", persistent: bool = True) -> list[Outcome]:
        """Publish; the outcomes of these publishes, which are there at once."""
        before = len(self.outcomes)
        for one in ids:
            envelope = Envelope("x", key, b"", one, ttl_ms=ttl_ms, persistent=persistent)
            self.me.publish(envelope, self.outcomes.append)
        return self.outcomes[before:]

    def consume(self, *, prefetch: int = 64, queue: str = "q", auto_ack: bool = False) -> None:
        self.me.consume(queue, self.got.append, prefetch=prefetch, auto_ack=auto_ack)

    @property
    def ids(self) -> list[str]:
        return [delivery.message_id for delivery in self.got]

    def length(self, queue: str = "q") -> int:
        info = self.me.inspect(queue)
        assert info is not None
        return info.messages

    def after(self, seconds: float) -> None:
        self.clock.now += seconds
        self.broker.sweep()


def plain(name: str, arguments: Arguments | None = None) -> list[Declaration]:
    return [Exchange("x"), Queue(name, arguments=arguments or {}), Binding("x", name, name)]


def with_dead_letters(bench: Bench) -> None:
    """The exchange `dlx`, and the queue `dead` that gets all of it."""
    bench.me.declare([Exchange("dlx", "fanout"), Queue("dead"), Binding("dlx", "dead")])


def deaths(delivery: Delivery) -> list[dict[str, object]]:
    found = delivery.headers["x-death"]
    assert isinstance(found, list)
    return found


# The contract


def test_the_memory_transport_is_a_transport() -> None:
    transport: Transport = MemoryBroker().connect("me")
    assert transport.connected
    assert transport.address == "memory"


# Callbacks


def test_a_publish_inside_a_callback_is_delivered_after_the_callback_returned() -> None:
    bench, events = Bench(), list[str]()

    def relay(delivery: Delivery) -> None:
        number = int(delivery.message_id)
        events.append(f"in {number}")
        if number < 3:
            bench.send(str(number + 1))
        events.append(f"out {number}")
        delivery.ack()

    bench.me.consume("q", relay)
    bench.send("1")
    assert events == ["in 1", "out 1", "in 2", "out 2", "in 3", "out 3"]


def test_a_chain_of_ten_thousand_publishes_inside_callbacks_does_not_recurse() -> None:
    bench = Bench()

    def relay(delivery: Delivery) -> None:
        delivery.ack()
        if int(delivery.message_id) < 10_000:
            bench.send(str(int(delivery.message_id) + 1))

    bench.me.consume("q", relay)
    bench.send("1")
    assert len(bench.outcomes) == 10_000
    assert bench.length() == 0


def test_inside_a_callback_every_synchronous_call_answers() -> None:
    bench, seen = Bench(), list[object]()

    def look(delivery: Delivery) -> None:
        bench.me.declare(plain("other"))
        seen.append(bench.me.inspect("other"))
        seen.append(bench.me.has_exchange("x"))
        bench.me.forget([Queue("other")])
        seen.append(bench.me.inspect("other"))
        consumer.cancel()
        bench.me.close()

    consumer = bench.me.consume("q", look)
    bench.send("1", "2")
    assert seen == [QueueInfo(0, 0), True, None]
    assert bench.outcomes == [Outcome.CONFIRMED, Outcome.OFFLINE]


def test_an_exception_in_an_outcome_or_state_callback_does_not_stop_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    bench, told = Bench(), list[bool]()

    def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    bench.me.watch(fail)
    bench.me.watch(lambda connected, reason: told.append(connected))
    bench.consume()
    bench.me.publish(Envelope("x", "q", b"", "1"), fail)
    bench.broker.disconnect("me")
    assert bench.ids == ["1"]
    assert told == [False]
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_a_keyboard_interrupt_in_a_callback_reaches_the_caller_and_the_next_call_goes_on() -> None:
    bench = Bench()

    def interrupted(delivery: Delivery) -> None:
        delivery.ack()
        if delivery.message_id == "1":
            raise KeyboardInterrupt
        bench.got.append(delivery)

    bench.me.consume("q", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.send("1")
    bench.send("2")
    assert bench.ids == ["2"]


def test_another_thread_leaves_its_work_to_the_one_that_is_in_a_callback() -> None:
    bench, inside, go_on = Bench(), threading.Event(), threading.Event()
    threads: list[str] = []

    def slow(delivery: Delivery) -> None:
        threads.append(threading.current_thread().name)
        delivery.ack()
        inside.set()
        assert go_on.wait(10)

    bench.me.consume("q", slow)
    runner = threading.Thread(target=bench.send, args=("1",), name="runner")
    runner.start()
    assert inside.wait(10)
    assert bench.send("2") == []  # returns although the runner is in its callback; its outcome comes later
    go_on.set()
    runner.join(10)
    assert threads == ["runner", "runner"]
    assert bench.outcomes == [Outcome.CONFIRMED] * 2


def test_cancel_waits_for_the_callback_that_runs_on_another_thread() -> None:
    bench, inside, go_on, done = Bench(), threading.Event(), threading.Event(), threading.Event()

    def slow(delivery: Delivery) -> None:
        inside.set()
        assert go_on.wait(10)
        bench.got.append(delivery)

    consumer = bench.me.consume("q", slow)
    runner = threading.Thread(target=bench.send, args=("1", "2"))
    runner.start()
    assert inside.wait(10)

    def cancel() -> None:
        consumer.cancel(timeout=10)
        done.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    assert not done.is_set()
    go_on.set()
    assert done.wait(10)
    canceller.join(10)
    runner.join(10)
    assert bench.ids == ["1"]
    assert bench.length() == 1


def test_cancel_gives_up_waiting_at_its_deadline() -> None:
    bench, inside, go_on = Bench(), threading.Event(), threading.Event()

    def stuck(delivery: Delivery) -> None:
        inside.set()
        assert go_on.wait(10)

    consumer = bench.me.consume("q", stuck)
    runner = threading.Thread(target=bench.send, args=("1",))
    runner.start()
    assert inside.wait(10)
    consumer.cancel(timeout=0.01)
    go_on.set()
    runner.join(10)


def test_calls_are_run_in_order_and_more_is_asked_only_when_none_waits() -> None:
    ran: list[str] = []
    spare = [Call(None, lambda: ran.append("more"))]
    calls = Calls(lambda: spare.pop() if spare else None)
    with calls.lock:
        calls.later(None, lambda: ran.append("first"))
        calls.later(None, lambda: ran.append("second"))
    calls.run()
    assert ran == ["first", "second", "more"]


# Routing


def topic_pattern(pattern: str) -> re.Pattern[str]:
    """The same rule by another road: a regular expression over words that each end in a dot."""
    words = [{"*": r"[^.]*\.", "#": r"(?:[^.]*\.)*"}.get(word, re.escape(word) + r"\.") for word in pattern.split(".")]
    return re.compile("".join(words) if pattern else "")


words = st.lists(st.sampled_from(["a", "b", "*", "#"]), max_size=6).map(".".join)


@given(words, st.lists(st.sampled_from(["a", "b", "c"]), max_size=7).map(".".join))
def test_topic_patterns_match_as_a_regular_expression_does(pattern: str, key: str) -> None:
    assert topic_match(pattern, key) is bool(topic_pattern(pattern).fullmatch(key + "." if key else ""))


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("*.*.*.c1.*", "live.demo.1001.c1.report", True),
        ("*.*.*.c1.*", "live.demo.1001.c1.report.x", False),
        ("#", "", True),
        ("a.#", "a", True),
        ("#.b.#.c", "b.b.x.c", True),
        ("1001.order", "1001.control", False),
    ],
)
def test_topic_patterns_match_like_the_documentation_says(pattern: str, key: str, fits: bool) -> None:
    assert topic_match(pattern, key) is fits


def test_headers_match_all_or_any_and_never_compare_x_arguments() -> None:
    wanted = {"x-match": "all", "a": 1, "b": "2"}
    assert headers_match(wanted, {"a": 1, "b": "2", "c": 3})
    assert not headers_match(wanted, {"a": 1})
    assert headers_match({**wanted, "x-match": "any"}, {"a": 1})
    assert not headers_match({**wanted, "x-match": "any"}, {"a": 2})


def test_a_route_that_was_remembered_follows_a_change_of_the_bindings() -> None:
    bench = Bench()
    assert bench.send("1", key="other") == [Outcome.NO_ROUTE]
    bench.me.declare(plain("other"))
    assert bench.send("2", key="other") == [Outcome.CONFIRMED]
    bench.me.forget([Binding("x", "other", "other")])
    assert bench.send("3", key="other") == [Outcome.NO_ROUTE]


def test_an_alternate_exchange_gets_what_has_no_route_and_a_circle_of_them_ends() -> None:
    bench = Bench()
    bench.me.declare([Exchange("one", arguments={"alternate-exchange": "two"})])
    bench.me.declare([Exchange("two", arguments={"alternate-exchange": "one"})])
    bench.me.publish(Envelope("one", "k", b"", "1"), bench.outcomes.append)
    bench.me.declare([Queue("spill"), Binding("two", "spill", "#")])
    bench.me.publish(Envelope("one", "k", b"", "2"), bench.outcomes.append)
    assert bench.outcomes == [Outcome.NO_ROUTE, Outcome.CONFIRMED]


def test_the_default_exchange_routes_to_the_queue_named_by_the_key() -> None:
    bench = Bench()
    bench.consume()
    bench.me.publish(Envelope("", "q", b"", "1"), bench.outcomes.append)
    bench.me.publish(Envelope("", "absent", b"", "2"), bench.outcomes.append)
    assert bench.outcomes == [Outcome.CONFIRMED, Outcome.NO_ROUTE]
    assert bench.ids == ["1"]


def test_one_queue_that_refuses_makes_the_publish_refused_although_another_took_it() -> None:
    bench = Bench(x_max_length=0, x_overflow="reject-publish")
    bench.me.declare([Queue("tap"), Binding("x", "tap", "#")])
    assert bench.send("1") == [Outcome.REFUSED]
    assert bench.length("tap") == 1


# Length and time


def test_drop_head_drops_the_oldest_and_dead_letters_it_with_the_reason() -> None:
    bench = Bench(x_max_length=2, x_overflow="drop-head", x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    assert bench.send("1", "2", "3") == [Outcome.CONFIRMED] * 3
    bench.consume(queue="dead")
    assert bench.ids == ["1"]
    assert bench.got[0].headers["x-first-death-reason"] == "maxlen"
    assert bench.length() == 2


def test_only_ready_messages_count_against_the_maximum_length() -> None:
    bench = Bench(x_max_length=2, x_overflow="reject-publish")
    bench.consume(prefetch=1)
    assert bench.send("1", "2", "3", "4") == [*[Outcome.CONFIRMED] * 3, Outcome.REFUSED]


def test_a_full_queue_of_expired_messages_has_room() -> None:
    bench = Bench(x_max_length=1, x_overflow="reject-publish")
    bench.send("1", ttl_ms=100)
    bench.clock.now += 1
    assert bench.send("2") == [Outcome.CONFIRMED]
    bench.consume()
    assert bench.ids == ["2"]


@pytest.mark.parametrize(("queue_ttl", "message_ttl", "lives"), [(500, None, 0.5), (500, 200, 0.2), (200, 500, 0.2)])
def test_the_shorter_time_to_live_counts(queue_ttl: int, message_ttl: int | None, lives: float) -> None:
    bench = Bench(x_message_ttl=queue_ttl, x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    bench.send("1", ttl_ms=message_ttl)
    bench.after(lives - 0.01)
    assert (bench.length(), bench.length("dead")) == (1, 0)
    bench.after(0.02)
    assert (bench.length(), bench.length("dead")) == (0, 1)


def test_an_expired_message_is_never_delivered_even_when_nothing_swept() -> None:
    bench = Bench()
    bench.send("1", ttl_ms=100)
    bench.clock.now += 1
    bench.consume()
    assert bench.ids == []


def test_expiry_is_looked_at_only_at_the_head_as_in_rabbitmq() -> None:
    bench = Bench(x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    bench.send("long", ttl_ms=2500)
    bench.send("short", ttl_ms=300)
    bench.after(1)
    assert bench.length("dead") == 0
    bench.after(2)
    assert bench.length("dead") == 2


def test_a_held_message_whose_time_passed_bounces_when_its_consumer_is_gone() -> None:
    bench = Bench(x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    bench.consume()
    bench.send("1", ttl_ms=100)
    bench.after(1)
    assert bench.length("dead") == 0
    bench.broker.disconnect("me")
    bench.broker.reconnect("me")
    bench.broker.sweep()
    assert bench.ids == ["1"]
    bench.consume(queue="dead")
    assert bench.got[1].headers["x-first-death-reason"] == "expired"


def test_a_queue_without_consumers_expires_with_its_messages() -> None:
    bench = Bench(x_expires=1000)
    bench.send("1")
    consumer = bench.me.consume("q", bench.got.append)
    bench.after(5)
    assert bench.me.inspect("q") is not None
    consumer.cancel()
    bench.after(0.9)
    assert bench.me.inspect("q") is not None
    bench.after(0.2)
    assert bench.me.inspect("q") is None
    assert bench.send("2") == [Outcome.NO_ROUTE]


def test_without_a_clock_of_ones_own_messages_expire_by_themselves_and_the_thread_ends() -> None:
    broker, arrived, got = MemoryBroker(), threading.Event(), list[str]()
    me = broker.connect("me")
    me.declare([*plain("q", {"x-dead-letter-exchange": "dlx"}), Exchange("dlx", "fanout"), Queue("dead")])
    me.declare([Binding("dlx", "dead")])

    def on_delivery(delivery: Delivery) -> None:
        got.append(delivery.message_id)
        if len(got) == 2:
            arrived.set()

    me.consume("dead", on_delivery)
    before = sweepers()
    me.publish(Envelope("x", "q", b"", "1", ttl_ms=20))
    me.publish(Envelope("x", "q", b"", "2", ttl_ms=25))
    assert arrived.wait(10)
    for thread in sweepers() - before:
        thread.join(10)
    assert got == ["1", "2"]
    assert sweepers() <= before


def test_a_short_time_to_live_is_kept_while_the_sweeper_waits_for_a_long_one() -> None:
    broker, arrived = MemoryBroker(), threading.Semaphore(0)
    me = broker.connect("me")
    me.declare([Exchange("dlx", "fanout"), Queue("dead"), Binding("dlx", "dead")])
    me.declare([*plain("slow"), *plain("quick", {"x-dead-letter-exchange": "dlx"})])
    me.consume("dead", lambda delivery: arrived.release(), auto_ack=True)
    me.publish(Envelope("x", "slow", b"", "1", ttl_ms=60_000))
    for _ in range(5):  # the first may come before the thread waits; then nothing need wake it
        me.publish(Envelope("x", "quick", b"", "2", ttl_ms=20))
        assert arrived.acquire(timeout=10)


def sweepers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "mas-memory-expiry"}


# Dead letters


def test_x_death_counts_per_queue_and_reason_and_keeps_the_first_death() -> None:
    bench = Bench(x_dead_letter_exchange="x", x_dead_letter_routing_key="q")

    def reject_twice(delivery: Delivery) -> None:
        bench.got.append(delivery)
        if len(bench.got) < 3:
            delivery.reject()

    bench.me.consume("q", reject_twice)
    bench.send("1", ttl_ms=60_000)
    assert bench.ids == ["1"] * 3
    assert [death["count"] for death in deaths(bench.got[2])] == [2]
    assert deaths(bench.got[1])[0]["original-expiration"] == "60000"
    assert "original-expiration" not in deaths(bench.got[2])[0]
    assert bench.got[2].headers["x-first-death-reason"] == "rejected"
    assert bench.got[2].headers["x-first-death-exchange"] == "x"


def test_a_dead_letter_that_would_circle_without_a_reject_is_dropped() -> None:
    bench = Bench(x_message_ttl=100, x_dead_letter_exchange="x")
    bench.send("1")
    bench.after(1)
    assert bench.length() == 0


def test_a_dead_letter_without_an_exchange_is_dropped() -> None:
    bench = Bench(x_dead_letter_exchange="absent")
    bench.me.consume("q", lambda delivery: delivery.reject())
    assert bench.send("1") == [Outcome.CONFIRMED]
    assert bench.length() == 0


def test_the_delivery_limit_allows_that_many_returns() -> None:
    bench = Bench(x_delivery_limit=2, x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    bench.consume()
    bench.send("1")
    for _ in range(3):
        bench.broker.disconnect("me")
        bench.broker.reconnect("me")
    assert [delivery.redelivered for delivery in bench.got] == [False, True, True]
    assert bench.length("dead") == 1


# Consumers and connections


def test_what_is_taken_back_keeps_its_place_before_what_came_later() -> None:
    bench, other = Bench(), list[str]()
    bench.consume(prefetch=4)
    bench.send("1", "2", "3", "4", "5", "6")
    bench.got[1].ack()
    bench.got[3].ack()
    assert bench.ids == ["1", "2", "3", "4", "5", "6"]
    bench.broker.disconnect("me")
    second = bench.broker.connect("second")
    second.consume("q", lambda delivery: other.append(f"{delivery.message_id}{delivery.redelivered:d}"))
    assert other == ["11", "31", "51", "61"]


def test_consumers_take_turns_and_one_without_credit_is_passed_over() -> None:
    bench, other = Bench(), list[Delivery]()
    bench.consume(prefetch=1)
    bench.me.consume("q", other.append, prefetch=10)
    bench.send("1", "2", "3", "4")
    assert bench.ids == ["1"]
    assert [delivery.message_id for delivery in other] == ["2", "3", "4"]


def test_queues_take_turns_so_a_cancel_overtakes_a_backlog_of_orders() -> None:
    bench = Bench()
    bench.me.declare(plain("control"))
    bench.broker.hold_deliveries()
    bench.me.consume("q", bench.got.append, auto_ack=True)
    bench.me.consume("control", bench.got.append, auto_ack=True)
    bench.send(*"12345")
    bench.send("cancel", key="control")
    assert bench.ids == []
    bench.broker.release_deliveries()
    assert bench.ids.index("cancel") <= 1


def test_a_second_ack_or_an_ack_after_reject_does_nothing() -> None:
    bench = Bench(x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    bench.consume(prefetch=1)
    bench.send("1", "2", "3")
    bench.got[0].ack()
    bench.got[0].ack()
    bench.got[0].reject()
    assert bench.ids == ["1", "2"]
    assert bench.length("dead") == 0


def test_after_a_reconnect_an_old_ack_does_not_settle_the_new_delivery() -> None:
    bench = Bench()
    bench.consume()
    bench.send("1")
    bench.broker.disconnect("me")
    bench.broker.reconnect("me")
    bench.got[0].ack()
    bench.broker.disconnect("me")
    bench.broker.reconnect("me")
    assert bench.ids == ["1", "1", "1"]
    bench.got[2].ack()
    assert bench.length() == 0


def test_close_gives_back_what_is_held_and_deletes_exclusive_queues_silently() -> None:
    bench = Bench(x_dead_letter_exchange="dlx")
    with_dead_letters(bench)
    worker = bench.broker.connect("worker")
    own: Arguments = {"x-dead-letter-exchange": "dlx"}
    worker.declare([Queue("own", durable=False, exclusive=True, arguments=own), Binding("x", "own", "own")])
    worker.consume("q", bench.got.append)
    bench.send("1")
    bench.send("2", key="own")
    worker.close()
    assert bench.send("3", key="own") == [Outcome.NO_ROUTE]
    bench.consume()
    assert [delivery.redelivered for delivery in bench.got] == [False, True]
    assert bench.length("dead") == 0


def test_deleting_a_queue_makes_acks_of_its_messages_harmless_also_after_it_was_declared_again() -> None:
    bench = Bench()
    bench.consume()
    bench.send("1")
    bench.me.forget([Queue("q")])
    bench.got[0].ack()
    bench.me.declare(plain("q", {"x-dead-letter-exchange": "dlx"}))
    with_dead_letters(bench)
    bench.send("2")
    bench.got[0].reject()
    assert (bench.length(), bench.length("dead")) == (1, 0)


def test_forgetting_a_queue_forgets_its_bindings_so_a_reconnect_does_not_miss_it() -> None:
    bench = Bench()
    bench.me.forget([Queue("q")])
    bench.broker.disconnect("me")
    bench.broker.reconnect("me")
    assert bench.me.connected


def test_a_single_active_consumer_that_is_cancelled_keeps_what_it_holds_and_the_next_one_starts() -> None:
    bench, other = Bench(x_single_active_consumer=True), list[str]()
    first = bench.me.consume("q", bench.got.append, prefetch=1)
    bench.me.consume("q", lambda delivery: other.append(delivery.message_id))
    bench.send("1", "2")
    assert (bench.ids, other) == (["1"], [])
    first.cancel()
    assert (bench.ids, other) == (["1"], ["2"])


def test_a_wait_for_a_connection_ends_when_it_comes_or_at_the_deadline() -> None:
    bench = Bench()
    bench.broker.stop()
    late = bench.broker.connect("late")
    assert not late.wait_connected(0)
    with pytest.raises(NotConnected, match="late"):
        late.declare(plain("r"), timeout=0)
    waiter = threading.Thread(target=late.declare, args=(plain("r"), 10))
    waiter.start()
    bench.broker.start()
    waiter.join(10)
    assert late.inspect("r") is not None


def test_after_close_nothing_can_be_declared_and_nothing_reconnects() -> None:
    bench = Bench()
    bench.me.close()
    bench.broker.stop()
    bench.broker.start()
    bench.broker.reconnect("me")
    assert not bench.me.connected
    with pytest.raises(Closed):
        bench.me.declare(plain("r"))


def test_a_consumer_of_a_queue_that_does_not_exist_is_refused() -> None:
    bench = Bench()
    with pytest.raises(TopologyError, match="absent"):
        bench.me.consume("absent", bench.got.append)


def test_a_consumer_whose_queue_is_gone_does_not_keep_its_connection_from_coming_back() -> None:
    bench, other = Bench(), list[str]()
    bench.broker.connect("second").declare(plain("r"))
    bench.me.consume("r", lambda delivery: other.append(delivery.message_id))
    bench.consume()
    bench.broker.disconnect("me")
    bench.broker.connect("third").forget([Queue("r")])
    bench.broker.reconnect("me")
    bench.send("1")
    assert bench.ids == ["1"]
    assert other == []


@pytest.mark.parametrize("prefetch", [0, -1, 2001])
def test_a_prefetch_that_rabbitmq_does_not_take_is_named(prefetch: int) -> None:
    with pytest.raises(InvalidField, match=f"prefetch={prefetch} is not allowed: 1 to 2000"):
        Bench().me.consume("q", print, prefetch=prefetch)


@pytest.mark.parametrize("ttl_ms", [-1, 2**32])
def test_a_time_to_live_that_rabbitmq_does_not_take_is_named(ttl_ms: int) -> None:
    with pytest.raises(InvalidField, match=f"ttl_ms={ttl_ms}"):
        Bench().send("1", ttl_ms=ttl_ms)


def test_declaring_differently_names_the_object_and_the_difference() -> None:
    bench = Bench(x_max_length=3)
    with pytest.raises(TopologyError, match="queue 'q' exists with x-max-length=3, not 4"):
        bench.me.declare([Queue("q", arguments={"x-max-length": 4})])
    with pytest.raises(TopologyError, match="exchange 'x' exists with kind='topic', not 'fanout'"):
        bench.me.declare([Exchange("x", "fanout")])


@pytest.mark.parametrize("value", [-1, True, "5"])
def test_an_argument_that_is_no_number_is_named(value: str | int) -> None:
    with pytest.raises(TopologyError, match=f"x-max-length={value!r}"):
        Bench().me.declare([Queue("r", arguments={"x-max-length": value})])


def test_a_kind_of_exchange_that_does_not_exist_is_named() -> None:
    with pytest.raises(TopologyError, match="kind='random' is not allowed: topic, headers, fanout"):
        Bench().me.declare([Exchange("y", "random")])


# Faults


def test_while_cut_off_a_participant_is_offline_and_is_whole_again_afterwards() -> None:
    bench, told = Bench(), list[tuple[bool, str]]()
    lock = Queue("lock", durable=False, exclusive=True)
    bench.me.declare([lock, Binding("x", "lock", "lock")])
    bench.me.watch(lambda connected, reason: told.append((connected, reason)))
    bench.consume(queue="lock")
    bench.broker.disconnect("me", "cable pulled")
    assert bench.send("1") == [Outcome.OFFLINE]
    other = bench.broker.connect("other")
    assert other.inspect("lock") is None
    bench.broker.stop()
    bench.broker.start()
    assert not bench.me.wait_connected(0)  # the broker is back, the cable is not
    bench.broker.reconnect("me")
    bench.send("2", key="lock")
    assert bench.ids == ["2"]
    assert told == [(False, "cable pulled"), (True, "reconnected")]


def test_a_participant_whose_lock_was_taken_comes_back_only_once_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    bench, told = Bench(), list[tuple[bool, str]]()
    lock = Queue("lock", durable=False, exclusive=True)
    bench.me.declare([lock])
    bench.me.watch(lambda connected, reason: told.append((connected, reason)))
    bench.broker.disconnect("me")
    other = bench.broker.connect("other")
    other.declare([lock])
    bench.broker.reconnect("me")
    assert not bench.me.wait_connected(0)
    assert "queue 'lock' is exclusive to another connection" in caplog.text
    other.close()
    bench.broker.reconnect("me")
    assert told == [(False, "connection reset"), (True, "reconnected")]


def test_a_lost_confirm_ends_as_lost_at_the_disconnect_and_the_message_is_there() -> None:
    bench = Bench()
    bench.broker.drop_next_confirm()
    assert bench.send("1") == []
    assert bench.send("2") == [Outcome.CONFIRMED]
    bench.broker.disconnect("me")
    assert bench.outcomes == [Outcome.CONFIRMED, Outcome.LOST]
    bench.broker.reconnect("me")
    assert bench.length() == 2
    bench.broker.disconnect("me")
    assert bench.outcomes == [Outcome.CONFIRMED, Outcome.LOST]


def test_close_ends_a_lost_confirm_as_lost() -> None:
    bench = Bench()
    bench.broker.drop_next_confirm()
    bench.send("1")
    bench.me.close(timeout=0)
    assert bench.outcomes == [Outcome.LOST]


def test_a_duplicate_is_a_second_entry_that_is_not_flagged_redelivered() -> None:
    bench = Bench()
    bench.consume()
    bench.broker.duplicate_next()
    assert bench.send("1", "2") == [Outcome.CONFIRMED] * 2
    assert bench.ids == ["1", "1", "2"]
    assert not any(delivery.redelivered for delivery in bench.got)


def test_a_blocked_broker_takes_nothing_but_still_delivers_and_takes_acks() -> None:
    bench = Bench()
    bench.send("1", "2")
    bench.broker.block()
    assert bench.send("3") == [Outcome.BLOCKED]
    bench.consume(prefetch=1)
    bench.got[0].ack()
    bench.broker.unblock()
    assert bench.ids == ["1", "2"]


def test_a_refused_name_cannot_be_declared_bound_or_looked_up() -> None:
    bench = Bench()
    bench.broker.refuse("x")
    with pytest.raises(TopologyError, match="access to 'x' is refused"):
        bench.me.has_exchange("x")
    items: list[Declaration] = [Exchange("x"), Binding("x", "q", "k")]
    for item in items:
        with pytest.raises(TopologyError, match="access to 'x' is refused"):
            bench.me.declare([item])


def test_a_restart_keeps_durable_queues_with_their_persistent_messages_only() -> None:
    bench = Bench()
    transient: list[Declaration] = [Queue("transient", durable=False), Binding("x", "transient", "transient")]
    other = bench.broker.connect("other")
    other.declare(transient)
    bench.consume(prefetch=1)
    bench.send("held", "kept")
    bench.send("gone", persistent=False)
    bench.send("gone too", key="transient")
    other.close()
    bench.broker.stop()
    bench.broker.start()
    bench.got[1].ack()
    assert [(one.message_id, one.redelivered) for one in bench.got] == [
        ("held", False),
        ("held", True),
        ("kept", False),
    ]
    assert bench.length() == 0
    assert bench.me.inspect("transient") is None


# Conservation

Step = Callable[[Bench], object]

steps: st.SearchStrategy[Step] = st.sampled_from(
    [
        lambda bench: bench.send(f"m{len(bench.outcomes)}"),
        lambda bench: bench.send(f"m{len(bench.outcomes)}", ttl_ms=50),
        lambda bench: bench.got and bench.got[-1].ack(),
        lambda bench: bench.got and bench.got[0].ack(),
        lambda bench: bench.got and bench.got[-1].reject(),
        lambda bench: (bench.broker.disconnect("me"), bench.broker.reconnect("me")),
        lambda bench: (bench.broker.stop(), bench.broker.start()),
        lambda bench: bench.after(0.03),
        lambda bench: bench.consume(prefetch=2),
    ]
)


@given(st.lists(steps, max_size=40))
def test_what_was_confirmed_is_delivered_or_dead_and_first_deliveries_keep_their_order(plan: list[Step]) -> None:
    bench = Bench(x_dead_letter_exchange="dlx", x_max_length=5, x_overflow="reject-publish")
    with_dead_letters(bench)
    for step in plan:
        step(bench)
    confirmed = {f"m{number}" for number, outcome in enumerate(bench.outcomes) if outcome is Outcome.CONFIRMED}
    drain = drained(bench)
    dead: list[Delivery] = []
    bench.me.consume("dead", dead.append)
    first = [int(one.message_id[1:]) for one in bench.got if not one.redelivered]
    assert first == sorted(set(first))
    assert confirmed == set(bench.ids) | {one.message_id for one in dead} | drain


def drained(bench: Bench) -> set[str]:
    """What is left in the queue, taken by somebody new once everybody else has gone."""
    bench.broker.disconnect("me")
    last: list[str] = []
    taker: MemoryTransport = bench.broker.connect("taker")
    taker.consume("q", lambda delivery: last.append(delivery.message_id), auto_ack=True)
    taker.close()
    bench.broker.reconnect("me")
    return set(last)


def test_eight_threads_on_one_broker_lose_and_double_nothing() -> None:
    broker, got, outcomes = MemoryBroker(), list[str](), list[Outcome]()
    start = threading.Barrier(8)
    workers = [broker.connect(f"w{number}") for number in range(8)]
    workers[0].declare(plain("q"))

    def take(delivery: Delivery) -> None:
        got.append(delivery.message_id)
        delivery.ack()

    for worker in workers[:2]:
        worker.consume("q", take, prefetch=3)

    def publish(number: int) -> None:
        start.wait(10)
        for count in range(300):
            workers[number].publish(Envelope("x", "q", b"", f"{number}-{count}"), outcomes.append)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes == [Outcome.CONFIRMED] * 2400
    assert sorted(got) == sorted(f"{number}-{count}" for number in range(8) for count in range(300))


def test_a_client_and_a_worker_talk_through_the_declared_topology() -> None:
    broker, replies = MemoryBroker(Clock()), list[str]()
    client, worker = broker.connect("client"), broker.connect("worker")
    client.declare(topology.client("c1"))
    worker.declare([*topology.backtest(), *topology.session("s1")])

    def execute(delivery: Delivery) -> None:
        key = topology.event_key("backtest", "none", "1001", "c1", "report")
        worker.publish(Envelope(topology.EVENTS, key, delivery.body, delivery.message_id))
        delivery.ack()

    worker.consume(topology.session_queue("s1"), execute)
    client.consume(topology.reply_queue("c1"), lambda delivery: replies.append(delivery.message_id), auto_ack=True)
    client.publish(Envelope(topology.BACKTEST, "s1.order", b"buy", "order-1"))
    assert replies == ["order-1"]
