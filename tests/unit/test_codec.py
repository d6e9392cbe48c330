"""Whatever bytes arrive: a message of this protocol, or one DecodeError, in bounded memory."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mas_router import messages as m
from mas_router.codec import decode, encode
from mas_router.errors import DecodeError
from mas_router.orders import State
from mas_router.transport import MAX_BODY

REQUEST = m.TradeRequest(action=1, symbol="EURUSD", volume=0.1, type=1, deviation=10, magic=7, comment="MAS Order")
STATUS = m.Status(id="a-1", state=State.FILLED, retcode=10009, ticket=5, symbol="EURUSD", volume=0.1)
EXECUTION = m.Execution(
    id="a-1",
    deal=9,
    ticket=5,
    position=5,
    symbol="EURUSD",
    order_type="sell",
    side="sell",
    entry="in",
    reason="expert",
    volume=0.1,
    price=1.1,
)
EXAMPLES: list[m.Message] = [
    m.Open(id="a-1", client="c", session="s"),
    m.Attach(id="a-1", client="c", server="Demo", login="1001"),
    m.Trade(id="a-1", client="c", request=REQUEST, deadline=1, keep=("sl", "tp")),
    m.Resolve(id="a-1", client="c", ids=("x", "y")),
    m.Query(id="a-1", client="c", what="positions"),
    m.Check(id="a-1", client="c", request=REQUEST),
    m.Calc(id="a-1", client="c", type=0, symbol="EURUSD", volume=1.0, price=1.1),
    m.Fetch(id="a-1", client="c", start=0, at=3),
    m.Rates(id="a-1", client="c", symbol="EURUSD", timeframe="H1", count=10),
    m.Advance(id="a-1", client="c", to=4),
    m.Ping(id="a-1", client="c"),
    m.Close(id="a-1", client="c"),
    m.Run(id="a-1", client="c", strategy="a.b:C", params={"x": 1.5}, symbols=("EURUSD",), since=0, until=1),
    m.Opened(id="a-1", session="s", worker="w", time=1),
    m.Refused(id="a-1", code="busy", message="no slot"),
    m.Report(session="s", mode="backtest", seq=1, request=REQUEST, events=(STATUS, EXECUTION)),
    m.Answer(id="a-1", rows=({"ticket": 1, "price": 1.5, "comment": "x", "flag": True, "none": None},)),
    m.Chunk(id="a-1", session="s", start=0, count=1, parts=((b"12345678",), (b"",)), order=b"\0"),
    m.RunResult(id="a-1", status="done", kpis={"profit": 1.5, "deals": 2}),
    m.Pong(id="a-1", session="s", time=1),
    m.Beat(worker="w", host="h", pid=1, version="0", time=1, started=0),
]
TRADE = EXAMPLES[2].__dict__ | {"request": REQUEST.__dict__}


def test_the_examples_are_all_the_messages_there_are() -> None:
    assert sorted(e.kind for e in EXAMPLES) == sorted(
        model.model_fields["kind"].default
        for model in m.Wire.__subclasses__()
        if "v" in model.model_fields  # a part of another message has no version of its own
    )


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.kind)
def test_a_message_comes_back_as_it_was(message: m.Message) -> None:
    assert decode(encode(message)) == message


def test_the_events_of_a_report_keep_their_types_and_states() -> None:
    report = decode(encode(EXAMPLES[15]))
    assert isinstance(report, m.Report)
    assert isinstance(report.events[0], m.Status)
    assert report.events[0].state is State.FILLED
    assert isinstance(report.events[1], m.Execution)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "x" * 65),
        ("id", "with space"),
        ("id", 7),
        ("client", None),
        ("kind", "order"),
        ("v", 2),
        ("verb", "close"),
        ("deadline", -1),
        ("deadline", 2**63),
        ("deadline", 1.5),
        ("epoch", "1"),
        ("auto_filling", 1),
        ("keep", ("x",) * 9),
        ("request", None),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_refused_and_named(field: str, value: object) -> None:
    with pytest.raises(DecodeError, match=field if field not in {"kind"} else "not a message"):
        decode(msgpack.packb(TRADE | {field: value}))


@pytest.mark.parametrize("field", ["volume", "price", "sl", "tp", "stoplimit"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1.0", True])
def test_a_price_is_a_finite_number_and_nothing_else(field: str, value: object) -> None:
    with pytest.raises(DecodeError, match=field):
        decode(msgpack.packb(TRADE | {"request": REQUEST.__dict__ | {field: value}}))


def test_the_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(msgpack.packb(TRADE | {"client": "hunter2 hunter2"}))
    assert "hunter2" not in str(caught.value)


BOMBS = {
    "empty": b"",
    "one array of 4 G items": b"\xdd\xff\xff\xff\xff",
    "one map of 4 G items": b"\xdf\xff\xff\xff\xff",
    "a string of 4 GiB": b"\xdb\xff\xff\xff\xff",
    "bytes of 4 GiB": b"\xc6\xff\xff\xff\xff",
    "64 Ki empty arrays": b"\xdc\xff\xff" + b"\x90" * 60_000,
    "64 Ki empty maps": b"\xdc\xff\xff" + b"\x80" * 60_000,
    "nested 60 000 deep": b"\x91" * 60_000,
    "an extension type": msgpack.packb(msgpack.ExtType(5, b"1234")),
    "a timestamp out of range": b"\xc7\x0c\xff" + b"\xff" * 12,
    "an integer key": msgpack.packb({1: 2}),
    "trailing bytes": msgpack.packb({}) + b"x",
    "bad UTF-8": b"\xa2\xff\xfe",
    "only a number": b"\x01",
    "a list": msgpack.packb([1, 2]),
    "nil": b"\xc0",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins\x94.",
    "JSON": b'{"kind": "trade"}',
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
def test_a_hostile_body_costs_little_and_ends_in_one_error(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_a_body_beyond_the_limit_is_not_even_looked_at() -> None:
    with pytest.raises(DecodeError, match="more than the 65536"):
        decode(b"\x80" * (MAX_BODY + 1))


def test_a_message_beyond_the_limit_is_not_encoded() -> None:
    rows = tuple({"text": "x" * 1000} for _ in range(80))
    with pytest.raises(ValueError, match="longer than"):
        encode(m.Answer(id="a", rows=rows))


@given(st.binary(max_size=2048))
def test_random_bytes_never_raise_anything_else(body: bytes) -> None:
    with suppress(DecodeError):
        decode(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_mutated_message_is_a_message_or_one_error(message: m.Message, data: st.DataObject) -> None:
    fields: dict[str, object] = msgpack.unpackb(encode(message))
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(anything)
    try:
        decoded = decode(msgpack.packb(fields))
    except DecodeError:
        return
    assert decode(encode(decoded)) == decoded


@given(st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6))
def test_flipped_bytes_are_a_message_or_one_error(message: m.Message, flips: list[tuple[int, int]]) -> None:
    body = bytearray(encode(message))
    for place, value in flips:
        body[place % len(body)] = value
    with suppress(DecodeError):
        decode(bytes(body))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.kind)
def test_a_message_that_is_made_without_checks_is_the_same_message(message: m.Message) -> None:
    made = type(message).made(**{name: message.__dict__[name] for name in message.model_fields_set})
    assert made == message
    assert encode(made) == encode(message)
    assert decode(encode(made)) == message
    assert made.model_copy() == message
    with pytest.raises(ValidationError):
        made.v = 2  # type: ignore[misc, union-attr, assignment]
