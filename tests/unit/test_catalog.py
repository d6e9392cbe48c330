from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router.errors import CallerError, DataMissing, InvalidField
from sim_worker.bars import DAY, period_starts, resample, trading_minutes
from sim_worker.catalog import Catalog, Entry
from sim_worker.month_file import CatalogError, load
from sim_worker.quotes import MINUTE, Bars, Quotes
from sim_worker.stretch import Stretch

HOUR = 60 * MINUTE


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def ticks(times: Sequence[int], start: float = 1.0, synthetic: bool = False) -> Quotes:
    """Ticks at these times whose bids count up from `start` in steps of 0.001."""
    time = np.array(times, dtype=np.int64)
    bid = start + np.arange(len(times)) / 1000
    return Quotes(time=time, bid=bid, ask=bid + 0.0001, synthetic=synthetic)


def m1(since: str, until: str, start: float = 1.0, synthetic: bool = False) -> Bars:
    """A bar every hour of the range."""
    return resample(ticks(range(ns(since), ns(until), HOUR), start, synthetic), "M1")


def same(one: Quotes | Bars, other: Quotes | Bars) -> bool:
    """Equal to the last bit."""
    mine, theirs = one.columns(), other.columns()
    return mine.keys() == theirs.keys() and all(mine[n].tobytes() == theirs[n].tobytes() for n in mine)


prices = st.floats(1e-9, 1e9)
rows = st.lists(st.tuples(st.integers(ns("2023-12-30"), ns("2024-02-02")), prices, st.floats(0, 1)), min_size=1)


@settings(max_examples=60, deadline=None)
@given(rows, st.booleans(), st.booleans())
def test_ticks_and_bars_come_back_bit_for_bit(
    values: list[tuple[int, float, float]], traded: bool, synthetic: bool
) -> None:
    time, bid, spread = (np.array(c) for c in zip(*sorted(values), strict=True))
    quotes = Quotes(
        time=time,
        bid=bid,
        ask=bid + spread,
        last=bid * 1.1 if traded else None,
        volume=time // 7 if traded else None,
        synthetic=synthetic,
    )
    for table in (quotes, resample(quotes, "M1")):
        with TemporaryDirectory() as directory:
            written = Catalog(Path(directory)).write("EURUSD", [table], "test", 1)
            files = sorted(Path(directory).rglob("*.parquet"))
            parts = [load(file, "EURUSD") for file in files]
            assert written == len(table)
            assert same(type(table).concat(parts), table)  # type: ignore[arg-type]
            assert all(part.synthetic == synthetic for part in parts)
            assert len(files) == len(np.unique(period_starts(table.time, "MN1")))


def test_a_range_is_read_with_its_start_and_without_its_end(tmp_path: Path) -> None:
    table = m1("2024-01-15", "2024-02-15")
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [table], "test", 1)
    found = catalog.read("EURUSD", ns("2024-01-30"), ns("2024-02-03"))
    assert same(found, table.between(ns("2024-01-30"), ns("2024-02-03")))
    assert found.time[0] == ns("2024-01-30")


def test_writing_the_same_rows_again_changes_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    moments = [ns("2024-01-15"), ns("2024-01-15"), ns("2024-01-15") + 5, ns("2024-02-01")]
    for _ in range(2):
        catalog.write("EURUSD", [ticks(moments)], "test", 1)
    parts = [load(file, "EURUSD") for file in sorted(tmp_path.rglob("*.parquet"))]
    assert [t for part in parts for t in part.time.tolist()] == moments


def test_new_rows_replace_old_ones_of_the_same_time_and_leave_the_others(tmp_path: Path) -> None:
    catalog, start = Catalog(tmp_path), ns("2024-01-15")
    catalog.write("EURUSD", [ticks([start, start + 10, start + 10, start + 20], 1.0)], "old", 1)
    catalog.write("EURUSD", [ticks([start + 10, start + 15], 2.0)], "new", 2)
    (found,) = [load(file, "EURUSD") for file in tmp_path.rglob("*.parquet")]
    assert isinstance(found, Quotes)
    assert found.time.tolist() == [start, start + 10, start + 15, start + 20]
    assert found.bid.tolist() == [1.0, 2.0, 2.001, 1.003]
    (entry,) = catalog.entries()
    assert entry.sources == ("new", "old") and entry.imported_at == 2 and entry.rows == 4


def test_rows_out_of_order_over_chunks_and_months_are_sorted(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    moments = [ns("2024-02-05"), ns("2024-01-15"), ns("2024-02-01"), ns("2024-01-10")]
    catalog.write("EURUSD", [ticks([t]) for t in moments], "test", 1)
    parts = [load(file, "EURUSD") for file in sorted(tmp_path.rglob("*.parquet"))]
    assert [t for part in parts for t in part.time.tolist()] == sorted(moments)


def test_two_chunks_may_share_a_moment(tmp_path: Path) -> None:
    moment = ns("2024-01-15")
    Catalog(tmp_path).write("EURUSD", [ticks([moment, moment]), ticks([moment], 2.0)], "test", 1)
    (found,) = [load(file, "EURUSD") for file in tmp_path.rglob("*.parquet")]
    assert isinstance(found, Quotes)
    assert found.bid.tolist() == [1.0, 1.001, 2.0]


def test_of_two_bars_of_one_minute_the_last_one_stays(tmp_path: Path) -> None:
    bars = [m1("2024-01-15 00:00:00", "2024-01-15 01:00:00", start) for start in (1.0, 2.0)]
    Catalog(tmp_path).write("EURUSD", bars, "test", 1)
    (found,) = [load(file, "EURUSD") for file in tmp_path.rglob("*.parquet")]
    assert isinstance(found, Bars)
    assert found.open.tolist() == [2.0]


def test_ticks_come_before_bars_and_real_bars_before_synthetic_ones(tmp_path: Path) -> None:
    catalog, since, until = Catalog(tmp_path), ns("2024-01-15"), ns("2024-01-18")
    catalog.write("EURUSD", [m1("2024-01-01", "2024-02-01", synthetic=True)], "seed 1", 1)
    assert catalog.read("EURUSD", since, until).synthetic
    catalog.write("EURUSD", [m1("2024-01-15", "2024-01-18", 3.0)], "bars", 1)
    found = catalog.read("EURUSD", since, until)
    assert isinstance(found, Bars) and not found.synthetic
    catalog.write("EURUSD", [ticks(range(since, until, HOUR))], "ticks", 1)
    found = catalog.read("EURUSD", since, until)
    assert isinstance(found, Quotes) and not found.synthetic


def test_real_and_synthetic_prices_never_meet_in_one_answer(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [m1("2024-01-01", "2024-01-15")], "real", 1)
    catalog.write("EURUSD", [m1("2024-01-15", "2024-02-01", synthetic=True)], "seed 1", 1)
    with pytest.raises(DataMissing):
        catalog.read("EURUSD", ns("2024-01-10"), ns("2024-01-20"))
    assert not catalog.read("EURUSD", ns("2024-01-08"), ns("2024-01-15")).synthetic
    assert [(e.kind, e.synthetic) for e in catalog.entries()] == [("m1", False), ("m1", True)]


def test_bars_are_not_passed_off_as_ticks(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [m1("2024-01-01", "2024-02-01")], "bars", 1)
    with pytest.raises(DataMissing, match=r"no ticks of EURUSD .* --ticks$"):
        catalog.read_ticks("EURUSD", ns("2024-01-10"), ns("2024-01-12"))
    catalog.write("EURUSD", [ticks(range(ns("2024-01-10"), ns("2024-01-12"), HOUR))], "ticks", 1)
    assert len(catalog.read_ticks("EURUSD", ns("2024-01-10"), ns("2024-01-12"))) == 48


def test_a_symbol_that_is_not_there_is_missing_with_the_commands_that_fill_it(tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        Catalog(tmp_path).read("GBPUSD", ns("2012-02-01"), ns("2012-03-01") + 1)
    assert str(caught.value) == (
        f"{tmp_path} has no quotes of GBPUSD for all of 2012-02-01 00:00 to 2012-03-01 00:00 UTC (it has none of this "
        "symbol). Fill it with: mas data import FILE --symbol GBPUSD | or with made-up prices: mas data synth GBPUSD "
        "--from 2012-02-01 --to 2012-03-02"
    )


@pytest.mark.parametrize(
    ("since", "until", "hole"),
    [
        ("2024-01-02", "2024-01-12", "2024-01-02 00:00 to 2024-01-08 00:00"),  # before
        ("2024-01-30", "2024-02-20", "2024-02-09 23:00 to 2024-02-20 00:00"),  # after
        ("2024-01-10", "2024-02-05", "2024-01-19 23:00 to 2024-01-29 00:00"),  # in the middle
    ],
)
def test_a_hole_in_the_range_is_missing_and_named(tmp_path: Path, since: str, until: str, hole: str) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [m1("2024-01-08", "2024-01-20"), m1("2024-01-29", "2024-02-10")], "test", 1)
    with pytest.raises(DataMissing) as caught:
        catalog.read("EURUSD", ns(since), ns(until))
    assert f"m1 from 2024-01-08 00:00 to 2024-02-09 23:00, but not {hole}" in str(caught.value)


def test_weekends_and_a_holiday_are_no_holes(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    christmas = [m1("2023-12-20", "2023-12-22 22:00:00"), m1("2023-12-26", "2023-12-29 22:00:00")]
    catalog.write("EURUSD", christmas, "test", 1)
    assert len(catalog.read("EURUSD", ns("2023-12-20"), ns("2024-01-01"))) == 3 * 24 - 2 + 4 * 24 - 2


def test_a_few_hours_do_not_cover_a_day(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [m1("2024-01-10 00:00:00", "2024-01-10 05:00:00")], "test", 1)
    with pytest.raises(DataMissing, match="but not 2024-01-10 04:00 to 2024-01-11 00:00"):
        catalog.read("EURUSD", ns("2024-01-10"), ns("2024-01-11"))


def test_a_range_that_ends_before_it_starts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="until='2024-01-10 00:00' is not allowed: a time after since"):
        Catalog(tmp_path).read("EURUSD", ns("2024-01-11"), ns("2024-01-10"))


def test_entries_tell_range_rows_and_source(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    assert catalog.entries() == []
    catalog.write("GBPUSD", [m1("2024-01-31", "2024-02-02")], "one.csv", 7)
    catalog.write("EURUSD.r", [ticks([5, 6], synthetic=True)], "seed 3", 9)
    assert catalog.entries() == [
        Entry("EURUSD.r", "ticks", True, 5, 6, 2, 1, ("seed 3",), 9),
        Entry("GBPUSD", "m1", False, ns("2024-01-31"), ns("2024-02-01 23:00:00"), 48, 2, ("one.csv",), 7),
    ]


@pytest.mark.parametrize("symbol", ["EURUSD.", "#AAPL", "BRK/B", "..", "PRN", "US 500", "日経"])
def test_any_name_of_a_symbol_stays_inside_the_directory_and_comes_back(tmp_path: Path, symbol: str) -> None:
    catalog = Catalog(tmp_path / "data")
    catalog.write(symbol, [m1("2024-01-10", "2024-01-12")], "test", 1)
    assert len(catalog.read(symbol, ns("2024-01-10"), ns("2024-01-12"))) == 48
    assert [entry.symbol for entry in catalog.entries()] == [symbol]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("symbol", ["", "A\nB", "X" * 65])
def test_what_is_no_name_of_a_symbol_is_refused(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(InvalidField, match="symbol"):
        Catalog(tmp_path).write(symbol, [ticks([5])], "test", 1)


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [ticks([5, 6])], "test", 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(OSError, match="No space left"):
        catalog.write("EURUSD", [ticks([7])], "test", 1)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "locks"]
    assert load(file, "EURUSD").time.tolist() == [5, 6]


def test_rows_that_are_in_already_are_not_written_again(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [ticks([5, 6, 7])], "test", 1)
    (file,) = tmp_path.rglob("*.parquet")
    before = file.stat().st_mtime_ns, file.stat().st_ino
    catalog.write("EURUSD", [ticks([5, 6, 7])], "test", 2)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_an_import_that_stops_between_two_months_leaves_whole_ones_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, table = Catalog(tmp_path), m1("2024-01-15", "2024-03-15")
    plain, done = Path.replace, list[Path]()

    def stop(self: Path, target: Path) -> Path:
        if done:
            raise OSError(5, "Input/output error")
        done.append(target)
        return plain(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stop)
        with pytest.raises(OSError, match="Input/output error"):
            catalog.write("EURUSD", [table], "test", 1)
    (entry,) = catalog.entries()
    assert (entry.rows, entry.months) == (len(m1("2024-01-15", "2024-02-01")), 1)
    assert catalog.drafts() == []
    catalog.write("EURUSD", [table], "test", 1)
    assert same(catalog.read("EURUSD", ns("2024-01-15"), ns("2024-03-15")), table)


def test_crossed_quotes_do_not_get_in(tmp_path: Path) -> None:
    crossed = Quotes(time=np.array([5]), bid=np.array([1.0]), ask=np.array([0.9]))
    with pytest.raises(InvalidField, match="ask"):
        Catalog(tmp_path).write("EURUSD", [crossed], "test", 1)


def test_a_damaged_or_foreign_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [m1("2024-01-10", "2024-01-12")], "test", 1)
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"PAR1 this is none")
    for use in (catalog.entries, lambda: catalog.read("EURUSD", ns("2024-01-10"), ns("2024-01-12"))):
        with pytest.raises(CatalogError, match=r"2024-01\.parquet cannot be read .*: remove it"):
            use()
    pq.write_table(pa.table({"time": [1]}), file)
    with pytest.raises(CatalogError, match="was not written by mas"):
        catalog.entries()


def test_two_symbols_that_a_disk_takes_for_one_are_not_mixed(tmp_path: Path) -> None:
    Catalog(tmp_path).write("EURUSDm", [ticks([5])], "test", 1)
    (file,) = tmp_path.rglob("*.parquet")
    with pytest.raises(CatalogError, match="holds EURUSDm, not EURUSDM"):
        load(file, "EURUSDM")


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CallerError, match=r"pip install 'mas-order-router\[sim\]'"):
        Catalog(tmp_path).write("EURUSD", [ticks([5])], "test", 1)


def test_the_time_column_is_a_utc_timestamp_for_other_programs(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    Catalog(tmp_path).write("EURUSD", [ticks([DAY + 5])], "test", 1)
    (file,) = tmp_path.rglob("*.parquet")
    assert str(pq.read_schema(file).field("time").type) == "timestamp[ns, tz=UTC]"


# ---- piece by piece ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim_worker.month_file.GROUP", 50)


moments = st.lists(st.integers(ns("2024-01-08"), ns("2024-03-01")), min_size=1, max_size=400)


@settings(max_examples=40, deadline=None)
@given(moments, st.data(), st.integers(1, 90))
@pytest.mark.usefixtures("small_groups")
def test_chunks_and_counts_are_those_of_the_rows_in_the_range(times: list[int], data: st.DataObject, size: int) -> None:
    table = ticks(sorted(times))
    since = data.draw(st.integers(ns("2024-01-07"), ns("2024-03-01")))
    until = data.draw(st.integers(since + 1, ns("2024-03-02")))
    wanted = table.between(since, until)
    with TemporaryDirectory() as directory:
        Catalog(Path(directory)).write("EURUSD", [table], "test", 1)
        stretch = Stretch(Path(directory) / "symbol=EURUSD" / "ticks", "EURUSD", since, until)
        found = list(stretch.chunks(size))
        assert all(1 <= len(part) <= size for part in found)
        assert stretch.count() == len(wanted)
        assert stretch.minutes() == len(np.unique(wanted.time // MINUTE))
        assert [t for part in found for t in part.time.tolist()] == wanted.time.tolist()


@settings(max_examples=60, deadline=None)
@given(moments, st.integers(ns("2024-01-07"), ns("2024-02-01")), st.integers(1, 30))
@pytest.mark.usefixtures("small_groups")
def test_a_hole_is_found_as_if_all_rows_had_been_looked_at(times: list[int], since: int, days: int) -> None:
    table, until = ticks(sorted(times)), since + days * DAY
    marks = np.concatenate(([since], table.between(since, until).time, [until]))
    minutes = trading_minutes(marks)
    wide = np.flatnonzero(np.diff(minutes) > min(2880, (minutes[-1] - minutes[0]) * 0.75))
    with TemporaryDirectory() as directory:
        Catalog(Path(directory)).write("EURUSD", [table], "test", 1)
        hole = Stretch(Path(directory) / "symbol=EURUSD" / "ticks", "EURUSD", since, until).hole()
    assert hole == ((int(marks[wide[0]]), int(marks[wide[0] + 1])) if len(wide) else None)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_bars_that_are_made_of_ticks_do_not_depend_on_the_size_of_chunks(tmp_path: Path, size: int) -> None:
    catalog, since, until = Catalog(tmp_path), ns("2024-01-30"), ns("2024-02-02")
    table = ticks(range(since, until, 25 * MINUTE // 60 * 24))
    catalog.write("EURUSD", [table], "ticks", 1)
    found = list(catalog.bar_chunks("EURUSD", since, until, size))
    assert same(Bars.concat(found), resample(table, "M1"))
    assert catalog.bar_count("EURUSD", since, until) == len(resample(table, "M1"))
    assert catalog.tick_count("EURUSD", since, until) == len(table)


def test_what_is_missing_is_said_before_the_first_chunk_is_asked_for(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for ask in (catalog.tick_chunks, catalog.bar_chunks, catalog.tick_count, catalog.bar_count, catalog.chunks):
        with pytest.raises(DataMissing, match="Fill it with"):
            ask("EURUSD", ns("2024-01-10"), ns("2024-01-12"))


@pytest.mark.usefixtures("small_groups")
def test_only_the_row_groups_of_the_range_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    catalog = Catalog(tmp_path)
    catalog.write("EURUSD", [ticks(range(ns("2024-01-08"), ns("2024-01-12"), MINUTE))], "test", 1)
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda f, n, **k: read.append(n) or plain(f, n, **k))
    assert catalog.tick_count("EURUSD", ns("2024-01-09"), ns("2024-01-10") + MINUTE) == 1441
    assert len(set(read)) <= 2  # where the range begins and where it ends; 29 lie between them
