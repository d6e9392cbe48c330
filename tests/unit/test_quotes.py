from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mas_router.errors import InvalidField
from sim_worker.quotes import MINUTE, SECOND, Bars, Quotes


def quotes(*rows: tuple[int, float, float]) -> Quotes:
    time, bid, ask = zip(*rows, strict=True)
    return Quotes(time=np.array(time, dtype=np.int64), bid=np.array(bid, float), ask=np.array(ask, float))


def bars(*rows: tuple[float, float, float, float], spread: float = 0.1, **other: Any) -> Bars:
    """M1 bars from minute 0 on, of (open, high, low, close)."""
    names = ("open", "high", "low", "close")
    sides = {name: np.array([row[i] for row in rows], float) for i, name in enumerate(names)}
    asks = {f"ask_{name}": side + spread for name, side in sides.items()}
    time = np.arange(len(rows), dtype=np.int64) * MINUTE
    return Bars(**{"time": time, "volume": np.full(len(rows), 4), **sides, **asks, **other})


def test_a_rising_bar_goes_open_low_high_close_and_a_falling_one_open_high_low_close() -> None:
    path = bars((1.0, 1.5, 0.5, 1.2), (1.2, 1.5, 0.5, 0.9), spread=0.25).quotes()
    assert path.bid.tolist() == [1.0, 0.5, 1.5, 1.2, 1.2, 1.5, 0.5, 0.9]
    assert path.ask.tolist() == [1.25, 0.75, 1.75, 1.45, 1.45, 1.75, 0.75, 1.15]


def test_a_bar_that_closes_where_it_opened_counts_as_rising() -> None:
    assert bars((1.0, 1.5, 0.5, 1.0)).quotes().bid.tolist() == [1.0, 0.5, 1.5, 1.0]


def test_the_four_quotes_of_a_bar_stay_inside_its_minute() -> None:
    path = bars((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)).quotes()
    inside = [0, 20 * SECOND, 40 * SECOND, 59_999_000_000]
    assert path.time.tolist() == inside + [MINUTE + t for t in inside]


def test_the_quotes_of_a_bar_never_have_an_ask_below_the_bid() -> None:
    path = bars((1.0, 1.5, 0.5, 1.2), spread=-0.1).quotes()
    assert path.ask.tolist() == path.bid.tolist()
    path.checked()


def test_bars_of_a_longer_timeframe_tell_no_path() -> None:
    with pytest.raises(InvalidField, match="timeframe='H1'"):
        bars((1.0, 1.5, 0.5, 1.2), timeframe="H1").quotes()


def test_the_path_of_synthetic_bars_is_synthetic() -> None:
    assert bars((1.0, 1.5, 0.5, 1.2), synthetic=True).quotes().synthetic


def test_a_slice_is_a_view_and_positions_and_masks_select_rows() -> None:
    table = quotes((1, 1.0, 1.1), (2, 1.2, 1.3), (3, 1.4, 1.5))
    assert len(table[1:]) == 2
    assert np.shares_memory(table[1:].bid, table.bid)
    assert table[np.array([2, 0])].time.tolist() == [3, 1]
    assert table[table.bid > 1.1].time.tolist() == [2, 3]


def test_between_takes_its_start_in_and_leaves_its_end_out() -> None:
    table = quotes((1, 1.0, 1.1), (2, 1.2, 1.3), (2, 1.2, 1.4), (3, 1.4, 1.5))
    assert table.between(1, 2).time.tolist() == [1]
    assert table.between(2, 3).ask.tolist() == [1.3, 1.4]
    assert len(table.between(4, 9)) == 0


def test_concatenation_fills_a_column_that_one_part_lacks_and_is_synthetic_if_one_part_is() -> None:
    plain = quotes((1, 1.0, 1.1))
    traded = Quotes(
        time=np.array([2]),
        bid=np.array([1.0]),
        ask=np.array([1.1]),
        volume=np.array([7]),
        last=np.array([1.05]),
        synthetic=True,
    )
    joined = Quotes.concat([plain, traded])
    assert joined.volume is not None and joined.volume.tolist() == [0, 7]
    assert joined.last is not None and joined.last.tolist() == [0.0, 1.05]
    assert joined.synthetic and not Quotes.concat([plain, plain]).synthetic


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([(2, 1.0, 1.1), (1, 1.0, 1.1)], r"time=1 is not allowed: not before the row above it \(row 1\)"),
        ([(1, 1.0, 1.1), (2, float("nan"), 1.1)], r"bid=nan is not allowed: a finite price above 0 \(row 1\)"),
        ([(1, 0.0, 1.1)], r"bid=0\.0 is not allowed"),
        ([(1, 1.0, float("inf"))], r"ask=inf is not allowed"),
        ([(1, 1.0, 0.9)], r"ask=0\.9 is not allowed: not below the bid \(row 0\)"),
    ],
)
def test_checked_names_the_field_the_value_and_the_row(rows: list[tuple[int, float, float]], text: str) -> None:
    with pytest.raises(InvalidField, match=text):
        quotes(*rows).checked()


def test_good_quotes_pass_the_check_even_with_two_at_one_time() -> None:
    table = quotes((1, 1.0, 1.0), (1, 1.1, 1.2))
    assert table.checked() is table


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time": np.array([0, 0])}, "time"),
        ({"high": np.array([2.0, 1.0])}, "high"),
        ({"low": np.array([0.5, 1.1])}, "low"),
        ({"ask_high": np.array([2.1, 1.0])}, "ask_high"),
        ({"ask_close": np.array([np.nan, 1.2])}, "ask_close"),
        ({"volume": np.array([1, -1])}, "volume"),
    ],
)
def test_bars_that_cannot_be_are_refused(change: dict[str, Any], field: str) -> None:
    good = bars((1.0, 2.0, 0.5, 1.5), (1.0, 1.4, 0.9, 1.2))
    assert good.checked() is good
    with pytest.raises(InvalidField) as caught:
        bars((1.0, 2.0, 0.5, 1.5), (1.0, 1.4, 0.9, 1.2), **change).checked()
    assert caught.value.field == field


def test_a_bar_whose_ask_is_below_its_bid_is_refused() -> None:
    with pytest.raises(InvalidField, match="ask_open"):
        bars((1.0, 2.0, 0.5, 1.5), spread=-0.1).checked()


def test_columns_of_other_lengths_or_types_are_refused_at_once() -> None:
    one = np.array([1.0])
    with pytest.raises(InvalidField, match="bid=1 is not allowed: as many rows as time has"):
        Quotes(time=np.array([1, 2]), bid=one, ask=one)
    with pytest.raises(InvalidField, match=r"time='1-d float64' is not allowed: a 1-d array of int64"):
        Quotes(time=one, bid=one, ask=one)
