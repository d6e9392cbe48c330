"""The rows and quotes of a replay in the order of time, however its sources are cut into pieces."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router.columns import BAR_CODES, TICK_CODES, unpack_rates, unpack_rows
from mas_router.errors import DecodeError
from sim_worker.bars import period_ends, resample
from sim_worker.quotes import MINUTE, SECOND, Bars, Quotes
from sim_worker.tape import RANGE, Block, Stream, Tape

START = 1_704_067_200 * SECOND  # Monday, 2024-01-01
GAPS = [0, 1, SECOND, 20 * SECOND, MINUTE, 7 * MINUTE, 3600 * SECOND, 30 * 3600 * SECOND]


def quotes(steps: list[int], first: float = 1.0) -> Quotes:
    time = START + np.cumsum(np.array(steps, dtype=np.int64))
    bid = first + np.arange(len(steps)) / 1000
    return Quotes(time=time, bid=bid, ask=bid + 0.0001)


ticks = st.lists(st.sampled_from(GAPS), max_size=40)
cuts = st.lists(st.integers(0, 40), max_size=4)


def pieces(source: Quotes | Bars, at: list[int]) -> Iterator[Quotes | Bars]:
    edges = [0, *sorted(at), len(source)]
    for start, end in itertools.pairwise(edges):
        yield source[start : max(start, end)]


def blocks(tape: Tape) -> list[Block]:
    found = []
    while (block := tape.next()) is not None:
        found.append(block)
    return found


def told(tape: Tape) -> list[tuple[object, ...]]:
    """Every row: its stream, its fields, and which prices each symbol had shown by then."""
    rows: list[tuple[object, ...]] = []
    behind: dict[str, int] = {}
    for block in blocks(tape):
        place = [0] * len(block.parts)
        for row in range(block.rows):
            number = 0 if block.order is None else int(block.order[row])
            part = block.parts[number]
            fields = [column[place[number]].item() for column in part.columns]
            place[number] += 1
            seen = {s: behind.get(s, 0) + int(block.seen(s)[row]) for s in block.sources}
            rows.append((part.stream, int(part.moments[place[number] - 1]), tuple(fields), tuple(sorted(seen.items()))))
        for symbol in block.sources:
            behind[symbol] = behind.get(symbol, 0) + len(block.quotes(symbol))
    return rows


@settings(deadline=None)
@given(ticks, ticks, cuts, cuts, st.booleans())
def test_how_the_sources_are_cut_changes_nothing(
    one: list[int], other: list[int], at: list[int], others: list[int], bars: bool
) -> None:
    streams = [Stream(s, t) for s in ("A", "B") for t in (("M1", "M5", "H1", "D1") if bars else ("",))]
    sources: dict[str, Quotes | Bars] = {"A": quotes(one), "B": quotes(other, 2.0)}
    if bars:
        sources["B"] = resample(sources["B"], "M1")
    whole = told(Tape({s: iter([q]) for s, q in sources.items()}, streams))
    cut = told(Tape({"A": pieces(sources["A"], at), "B": pieces(sources["B"], others)}, streams))
    assert cut == whole


@settings(deadline=None)
@given(ticks, cuts, st.sampled_from(["M1", "M5", "H1", "D1", "W1", "MN1"]), st.booleans())
def test_bars_are_those_of_the_whole_and_come_when_they_are_over(
    steps: list[int], at: list[int], timeframe: str, minutes: bool
) -> None:
    source: Quotes | Bars = resample(quotes(steps), "M1") if minutes else quotes(steps)
    bars = resample(source, timeframe)
    rows = told(Tape({"A": pieces(source, at)}, [Stream("A", timeframe)]))
    fields = zip(bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    assert [row[2] for row in rows] == [tuple(value.item() for value in row) for row in fields]
    assert [row[1] for row in rows] == (period_ends(bars.time, timeframe) - 1).tolist()


@settings(deadline=None)
@given(ticks, ticks, cuts, st.booleans())
def test_a_row_shows_what_has_happened_by_then_and_nothing_later(
    one: list[int], other: list[int], at: list[int], bars: bool
) -> None:
    sources = {"A": quotes(one), "B": quotes(other)}
    streams = [Stream(s, t) for s in ("B", "A") for t in (("M5", "M1") if bars else ("",))]
    rows = told(Tape({s: pieces(q, at) for s, q in sources.items()}, streams))
    before: dict[str, int] = {}
    for _, moment, _, counts in rows:
        assert isinstance(moment, int)
        for symbol, count in counts:  # type: ignore[attr-defined]
            times = sources[symbol].time
            assert count >= before.get(symbol, 0), "time never goes back"
            assert np.all(times[:count] <= moment)
            assert np.all(times[count:] >= moment)
            before[symbol] = count
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)  # type: ignore[type-var]
    if not bars:
        assert len(rows) == len(one) + len(other)


def test_rows_of_one_moment_come_in_the_order_of_the_streams() -> None:
    minute = quotes([0, 30 * SECOND])
    streams = [Stream(s, t) for s in ("B", "A") for t in ("H1", "M1")]
    rows = told(Tape({"A": iter([minute]), "B": iter([minute])}, streams))
    assert [row[0] for row in rows] == [Stream("B", "M1"), Stream("A", "M1"), Stream("B", "H1"), Stream("A", "H1")]
    hour = quotes([59 * MINUTE])
    rows = told(Tape({"A": iter([hour]), "B": iter([hour])}, streams))
    assert [row[0] for row in rows] == streams, "the minute and the hour end together"


def test_ticks_of_one_moment_come_symbol_by_symbol_and_are_seen_as_they_come() -> None:
    same = quotes([0, 0])
    rows = told(Tape({"A": iter([same]), "B": iter([same])}, [Stream("B"), Stream("A")]))
    assert [(row[0].symbol, dict(row[3])) for row in rows] == [  # type: ignore[attr-defined, call-overload]
        ("B", {"A": 0, "B": 1}),
        ("B", {"A": 0, "B": 2}),
        ("A", {"A": 1, "B": 2}),
        ("A", {"A": 2, "B": 2}),
    ]


def test_only_what_is_needed_is_read() -> None:
    read: list[int] = []

    def endless() -> Iterator[Quotes]:
        for day in range(1000):
            read.append(day)
            yield quotes([day * 24 * 60 * MINUTE, MINUTE])

    tape = Tape({"A": endless(), "B": endless()}, [Stream("A", "M1")])
    assert read == []
    for _ in range(3):
        tape.next()
    assert max(read) <= 5


def test_a_symbol_without_a_stream_moves_along() -> None:
    tape = Tape({"A": iter([quotes([MINUTE])]), "B": iter([quotes([0, MINUTE, MINUTE])])}, [Stream("A")])
    assert [dict(row[3]) for row in told(tape)] == [{"A": 1, "B": 2}]  # type: ignore[call-overload]


@settings(deadline=None)
@given(ticks, ticks, st.integers(0, 90), st.integers(0, 90))
def test_rows_come_back_from_their_bytes(one: list[int], other: list[int], start: int, count: int) -> None:
    tape = Tape({"A": iter([quotes(one)]), "B": iter([quotes(other)])}, [Stream("A"), Stream("B")])
    for block in blocks(tape):
        first = min(block.first + start, block.end)
        parts, order = block.packed(first, min(first + count, block.end))
        assert block.order is not None
        assert list(order) == block.order[start : start + count].tolist()
        for number, part in enumerate(parts):
            rows = unpack_rows(part, order.count(number), TICK_CODES)
            above = int(np.count_nonzero(block.order[:start] == number))
            bids = block.parts[number].columns[1][above : above + len(rows[1])]
            assert rows[1] == bids.tolist()


def test_ticks_without_deals_have_a_last_and_a_volume_of_zero_and_others_keep_theirs() -> None:
    one = np.array([1.0])
    dealt = Quotes(time=np.array([START]), bid=one, ask=one, last=np.array([1.25]), volume=np.array([3]))
    for source, expected in ((quotes([0]), [[0.0], [0]]), (dealt, [[1.25], [3]])):
        (block,) = blocks(Tape({"A": iter([source])}, [Stream("A")]))
        ((part,), _) = block.packed(0, 1)
        assert unpack_rows(part, 1, TICK_CODES)[3:] == expected


def test_the_bytes_of_a_column_are_little_endian_on_every_machine() -> None:
    source = Quotes(time=np.array([1]), bid=np.array([1.0]), ask=np.array([1.0]))
    (block,) = blocks(Tape({"A": iter([source])}, [Stream("A")]))
    ((time, bid, *_),), _ = block.packed(0, 1)
    assert time == b"\x01" + b"\0" * 7
    assert bid == b"\0" * 6 + b"\xf0\x3f"


def test_bytes_that_are_no_columns_are_refused() -> None:
    for columns in ((b"\0" * 16,) * 5 + (b"\0" * 15,), (b"\0" * 16,) * 4):
        with pytest.raises(DecodeError, match="not 2 rows of 6 fields"):
            unpack_rows(columns, 2, BAR_CODES)
        with pytest.raises(DecodeError, match="not 2 rows of 7 fields"):
            unpack_rates(columns, 2)


def test_ranges_span_the_prices_of_their_quotes() -> None:
    source = quotes([SECOND] * (RANGE + 10))
    block = Block(0, START, {"A": source}, Tape({"A": iter([source])}, [Stream("A")]).next().parts)  # type: ignore[union-attr]
    ranges = block.ranges("A")
    assert ranges.time.tolist() == [source.time[RANGE - 1], source.time[-1]]
    assert ranges.bids[0].tolist() == [source.bid[0], source.bid[RANGE]]
    assert ranges.asks[1].tolist() == [source.ask[RANGE - 1], source.ask[-1]]
