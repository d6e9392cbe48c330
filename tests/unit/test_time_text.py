from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router.errors import InvalidField
from sim_worker.time_text import Texts, check_layout, parse_times
from sim_worker.zones import zone_of

moments = st.datetimes(datetime(1970, 1, 2), datetime(2261, 12, 31))  # noqa: DTZ001
LAYOUTS = {
    "%Y%m%d %H%M%S": "%Y%m%d %H%M%S",
    "%d.%m.%Y %H:%M:%S.%f": "%d.%m.%Y %H:%M:%S.%f",
    "iso": "%Y-%m-%dT%H:%M:%S.%f",
    "%H:%M:%S": "%H:%M:%S",
}


def column(values: list[str]) -> Texts:
    raw = [value.encode() for value in values]
    lengths = np.array([len(text) for text in raw], np.int64)
    return Texts(np.frombuffer(b"".join(raw), np.uint8), np.cumsum(lengths) - lengths, lengths)


def parsed(values: list[str], layout: str = "iso") -> list[int | None]:
    time, good, _ = parse_times(column(values), layout)
    return [t if fine else None for t, fine in zip(time.tolist(), good.tolist(), strict=True)]


def ns(moment: datetime) -> int:
    delta = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1000


@settings(deadline=None)
@given(st.lists(moments, min_size=1), st.sampled_from(sorted(LAYOUTS)))
def test_times_are_those_that_datetime_reads(values: list[datetime], layout: str) -> None:
    texts = [value.strftime(LAYOUTS[layout]) for value in values]
    expected = [datetime.strptime(text, LAYOUTS[layout]).replace(tzinfo=UTC) for text in texts]
    expected = [e.replace(year=1970) if layout == "%H:%M:%S" else e for e in expected]
    assert parsed(texts, layout) == [ns(value) for value in expected]


@settings(deadline=None)
@given(st.lists(st.text("0123456789-:. TZ+", max_size=30), min_size=1))
def test_no_text_is_taken_for_a_time_that_it_is_not(texts: list[str]) -> None:
    for text, found in zip(texts, parsed(texts), strict=True):
        if found is None:
            continue
        whole, _, rest = text.partition(".")
        fraction = rest.split("+")[0].split("-")[0].rstrip("Z")
        moment = datetime.fromisoformat(whole + rest[len(fraction) :])
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
        assert found == ns(moment) + int(fraction.ljust(9, "0") or 0)


@pytest.mark.parametrize(
    ("text", "layout", "value"),
    [
        ("1970-01-02", "iso", 86_400_000_000_000),
        ("1970-01-01 00:01", "iso", 60_000_000_000),
        ("1970-01-01 01:00:00.000000001+01:00", "iso", 1),
        ("1970-01-01T00:00:00.1Z", "iso", 100_000_000),
        ("1969-12-31 23:59:59", "iso", None),
        ("1970-01-01 00:0", "iso", None),
        ("1970-01-01 00:00:00.", "iso", None),
        ("1970-02-29", "iso", None),
        ("", "iso", None),
        ("１970-01-01", "iso", None),
        ("00:01", "%H:%M:%S.%f", 60_000_000_000),
        ("00:00:01", "%H:%M:%S.%f", 1_000_000_000),
        ("24:00:00", "%H:%M:%S.%f", None),
        ("19700101 000000001", "%Y%m%d %H%M%S%L", 1_000_000),
        ("19700101 00000001", "%Y%m%d %H%M%S%L", None),
        ("1", "s", 1_000_000_000),
        ("1.5", "s", 1_500_000_000),
        ("1577836800123", "ms", 1_577_836_800_123_000_000),
        ("1577836800123456789", "ns", 1_577_836_800_123_456_789),
        ("99999999999999999999999", "s", None),
        ("99999999999", "s", None),
        ("-5", "s", None),
        (".5", "s", None),
        ("5.", "s", None),
    ],
)
def test_a_text_is_this_time_or_none(text: str, layout: str, value: int | None) -> None:
    assert parsed([text], layout) == [value]


@pytest.mark.parametrize("layout", ["", "%", "%Y %q", "hello", "%f%S", "%Y-%"])
def test_a_layout_of_something_else_is_refused(layout: str) -> None:
    with pytest.raises(InvalidField, match="time-format"):
        check_layout(layout)


@settings(deadline=None)
@given(
    st.lists(moments, min_size=1),
    st.sampled_from(["Europe/Athens", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_zone_is_that_of_the_iana_database(values: list[datetime], name: str) -> None:
    local = np.array([ns(value) for value in values], np.int64)
    expected = [ns(value.replace(tzinfo=ZoneInfo(name)).astimezone(UTC)) for value in values]
    assert zone_of(name).to_utc(local).tolist() == expected


@pytest.mark.parametrize(
    ("name", "local", "utc"),
    [
        ("UTC", "2024-01-10T12:00", "2024-01-10T12:00"),
        ("+02:00", "2024-07-10T12:00", "2024-07-10T10:00"),
        ("UTC+3", "2024-07-10T12:00", "2024-07-10T09:00"),
        ("-0530", "2024-07-10T12:00", "2024-07-10T17:30"),
        ("EST-no-DST", "2024-07-10T12:00", "2024-07-10T17:00"),
        ("NY+7", "2024-01-10T12:00", "2024-01-10T10:00"),
        ("NY+7", "2024-07-10T12:00", "2024-07-10T09:00"),
        ("NY+7", "2024-03-20T12:00", "2024-03-20T09:00"),  # New York has summer time already, Athens not yet
        ("Europe/Athens", "2024-03-20T12:00", "2024-03-20T10:00"),
    ],
)
def test_local_times_become_utc(name: str, local: str, utc: str) -> None:
    times = np.array([local], "M8[ns]").astype(np.int64)
    assert zone_of(name).to_utc(times).view("M8[ns]").astype("M8[m]").astype(str).tolist() == [utc]


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "+25:00", "../../etc/passwd", "/etc/passwd", "NY+x", "\x00"])
def test_what_is_no_zone_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(InvalidField, match=r"timezone=.* is not allowed: UTC, an offset"):
        zone_of(name)
