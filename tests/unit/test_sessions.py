"""Trading hours: what a text means, and that a moment at which nothing changes is never named too late."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router.errors import InvalidField
from sim_worker.sessions import NEVER, Hours, closed_days, quoting_hours, trading_hours, weekly

SECOND = 1_000_000_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def _hours(sessions: str = "", holidays: str = "", server: str = "", start: int = 0, end: int = 0) -> Hours:
    hours = trading_hours(sessions, holidays, server, start, end)
    assert hours is not None
    return hours


def test_without_settings_there_are_no_hours_to_look_at():
    assert trading_hours("", "", "", 0, 0) is None
    assert quoting_hours("") is None


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2024-01-01 00:04:59", False),  # a Monday
        ("2024-01-01 00:05:00", True),
        ("2024-01-04 23:54:59", True),
        ("2024-01-04 23:55:00", False),
        ("2024-01-05 23:49:59", True),  # a Friday
        ("2024-01-05 23:50:00", False),
        ("2024-01-06 12:00:00", False),
        ("1969-12-31 12:00:00", True),  # a Wednesday
    ],
)
def test_a_session_is_open_from_its_first_moment_until_before_its_last(moment, open_):
    hours = _hours("Mon-Thu 00:05-23:55; Fri 00:05-23:50")
    assert (hours.closed(at(moment)) == "") is open_


def test_a_day_may_have_several_sessions_and_a_range_of_days_may_pass_the_end_of_the_week():
    hours = _hours("Sun-Tue 01:00-02:00, 03:00-04:00")
    assert [bool(hours.closed(at(f"2024-01-07 0{hour}:30"))) for hour in range(5)] == [True, False, True, False, True]
    assert not hours.closed(at("2024-01-09 03:30"))
    assert hours.closed(at("2024-01-10 03:30"))


def test_sessions_that_touch_at_midnight_are_one():
    hours = _hours("Mon-Fri 00:00-24:00")
    assert hours.until(at("2024-01-01 12:00")) == at("2024-01-06 00:00")


def test_a_holiday_closes_the_whole_day_or_all_but_some_hours():
    hours = _hours(holidays="2024-12-25; 2024-12-24 00:05-13:00")
    assert hours.closed(at("2024-12-25 12:00")) == "a holiday"
    assert hours.closed(at("2024-12-24 13:00")) == "a holiday"
    assert not hours.closed(at("2024-12-24 12:59"))
    assert not hours.closed(at("2024-12-26 00:00"))


def test_the_first_layer_that_is_closed_is_the_reason():
    hours = _hours("Mon-Fri 01:00-23:00", "2024-01-01", "Mon-Sun 00:00-23:59", end=at("2024-01-03 12:00") // SECOND)
    assert hours.closed(at("2024-01-01 00:30")) == "outside the trade sessions"
    assert hours.closed(at("2024-01-01 12:00")) == "a holiday"
    assert hours.closed(at("2024-01-04 12:00")).endswith("the end of the contract")
    assert (
        _hours(server="Mon-Sun 00:00-23:59").closed(at("2024-01-01 23:59:30")) == "outside the server's working hours"
    )


def test_a_contract_has_a_first_and_a_last_moment():
    hours = _hours(start=100, end=200)
    assert [bool(hours.closed(t * SECOND)) for t in (99, 100, 199, 200)] == [True, False, False, True]
    assert [hours.until(t * SECOND) for t in (0, 150, 300)] == [100 * SECOND, 200 * SECOND, NEVER]


@pytest.mark.parametrize(
    "text",
    [
        *("Mon", "Mon; Tue 01:00-02:00", "Mon 5", "Mon 09:00", "Funday 01:00-02:00", "Mon-Xyz 01:00-02:00", " ; "),
        *("Mon 02:00-01:00", "Mon 01:00-01:00", "Mon 01:60-02:00", "Mon 01:00-24:01", "Mon 01:00-25:00"),
        *("mon 01:00-02:00", "Mon 01:00–02:00"),
    ],
)
def test_sessions_that_cannot_be_read_are_an_error_that_names_the_setting(text):
    with pytest.raises(InvalidField, match="sessions_trade"):
        weekly("sessions_trade", text)


@pytest.mark.parametrize("text", ["2024-13-01", "25.12.2024", "2024-12-25 1-2"])
def test_holidays_that_cannot_be_read_are_an_error_that_names_the_setting(text):
    with pytest.raises(InvalidField, match="holidays"):
        closed_days("holidays", text)


def test_an_endless_text_is_refused():
    with pytest.raises(InvalidField, match="4000"):
        weekly("sessions_trade", "Mon 01:00-02:00;" * 1000)


spans = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda span: span[0] < span[1])


def _text(minutes: tuple[int, int]) -> str:
    start, end = minutes
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@given(
    st.lists(st.tuples(st.sampled_from(["Mon", "Wed-Fri", "Sun-Mon", "Sat"]), spans), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 13), st.lists(spans, max_size=2)), max_size=3),
    st.integers(0, 14 * 1440),
    st.integers(0, 14 * 1440),
)
def test_until_the_moment_that_is_named_nothing_opens_or_closes(sessions, days, first, second):
    start = at("2024-01-01")
    week = "; ".join(f"{day} {_text(span)}" for day, span in sessions)
    off = "; ".join(f"2024-01-{1 + day:02} {', '.join(map(_text, times))}" for day, times in days)
    hours = _hours(week, off, start=(start + 60 * SECOND) // SECOND)
    for minute in (first, second):
        moment = start + minute * 60 * SECOND
        why, until = hours.closed(moment), hours.until(moment)
        assert until > moment
        last = until - 1 if until < NEVER else moment + 86_400 * SECOND
        for later in (moment, (moment + last) // 2, last):
            assert bool(_hours(week, off, start=(start + 60 * SECOND) // SECOND).closed(later)) is bool(why)
