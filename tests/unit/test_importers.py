from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mas_router.errors import InvalidField
from sim_worker import text_files
from sim_worker.formats import BadFile
from sim_worker.import_plan import Options
from sim_worker.importers import BAR_VOLUME, Import
from sim_worker.quotes import MINUTE, Bars, Quotes
from sim_worker.survey import Report, Survey

FXCM = "timestamp,open,high,low,close\n"
TRUEFX = "timestamp,bid,ask\n"
GOOD_TICK = "2013-01-01 22:00:00+00:00,1.1,1.2\n"
GOOD_OLD = "20200101 170000065,1.1,1.2,0\n"
SECOND = 1_000_000_000
START = int(np.datetime64("2012-02-01T00:00", "ns").astype(np.int64))


@pytest.fixture(autouse=True, params=[4 << 20, 256])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs with files that fit in one block, and with a few lines in each block."""
    monkeypatch.setattr(text_files, "BLOCK", request.param)
    yield


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def minute(number: int) -> str:
    return f"{np.datetime64(START + number * MINUTE, 'ns').astype('M8[s]')}".replace("T", " ") + "+00:00"


def side(path: Path, minutes: list[int], price: float) -> Path:
    """One side's bars at these minutes; each opens 0.01 higher than the one a minute before."""
    lines = [
        f"{minute(n)},{price + n / 100:.5f},{price + n / 100 + 0.5:.5f},{price / 2:.5f},{price:.5f}" for n in minutes
    ]
    return written(path, FXCM + "\n".join(lines) + "\n")


def ticks(paths: list[Path], **options: Any) -> tuple[Quotes, Report]:
    job = Import(paths, Options(**options))
    return Quotes.concat([rows for rows in job if isinstance(rows, Quotes)]), job.report


def bars(paths: list[Path], **options: Any) -> tuple[Bars, Report]:
    job = Import(paths, Options(**options))
    return Bars.concat([rows for rows in job if isinstance(rows, Bars)]), job.report


def test_truefx_ticks_are_read_to_the_nanosecond_and_the_last_digit(tmp_path: Path) -> None:
    lines = "2013-01-01 22:00:00.295000+00:00,86.655,86.728\n2013-01-01 22:02:35+00:00,86.657,86.728\n"
    found, report = ticks([written(tmp_path / "t.csv", TRUEFX + lines)])
    start = int(np.datetime64("2013-01-01T22:00:00", "ns").astype(np.int64))
    assert found.time.tolist() == [start + 295_000_000, start + 155 * SECOND]
    assert found.bid.tolist() == [86.655, 86.657]
    assert found.ask.tolist() == [86.728, 86.728]
    assert report == Report(rows=2, first=start + 295_000_000, last=start + 155 * SECOND)
    assert not found.synthetic


@pytest.mark.parametrize("text", ["2013-01-01T22:00:00", "2013-01-01 22:00:00", "2013-01-02 00:00:00+02:00"])
def test_times_without_an_offset_are_utc_and_other_offsets_are_honoured(tmp_path: Path, text: str) -> None:
    found, _ = ticks([written(tmp_path / "t.csv", TRUEFX + text + ",1.1,1.2\n")])
    assert str(found.time.view("M8[ns]")[0]).startswith("2013-01-01T22:00:00")


def test_a_byte_order_mark_windows_line_ends_and_a_missing_last_one_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        b"\xef\xbb\xbftimestamp,bid,ask\r\n2013-01-01 22:00:00+00:00,1.1,1.2\r\n2013-01-01 22:00:01Z,1.1,1.3"
    )
    found, _ = ticks([path])
    assert found.ask.tolist() == [1.2, 1.3]


def test_histdata_times_are_eastern_without_daylight_saving(tmp_path: Path) -> None:
    lines = "20200101 170000065,1.121200,1.121720,0\n20200229 235959999,1.1,1.2,0\n20200701 170000000,1.1,1.2,0\n"
    found, report = ticks([written(tmp_path / "t.csv", lines)])
    assert [str(t) for t in found.time.view("M8[ns]").astype("M8[ms]")] == [
        "2020-01-01T22:00:00.065",
        "2020-03-01T04:59:59.999",
        "2020-07-01T22:00:00.000",
    ]
    assert found.bid.tolist() == [1.1212, 1.1, 1.1]
    assert report.rows == 3 and report.gaps == 2


def test_fxcm_pairs_the_two_sides_of_each_minute(tmp_path: Path) -> None:
    found, report = bars(
        [side(tmp_path / "b.csv", list(range(50)), 1.0), side(tmp_path / "a.csv", list(range(50)), 1.1)]
    )
    found.checked()
    assert found.time.tolist() == [START + n * MINUTE for n in range(50)]
    assert found.open.tolist() == [round(1.0 + n / 100, 5) for n in range(50)]
    assert found.ask_open.tolist() == [round(1.1 + n / 100, 5) for n in range(50)]
    assert found.low[0] == 0.5 and found.ask_low[0] == 0.55 and found.ask_close[0] == 1.1
    assert set(found.volume.tolist()) == {BAR_VOLUME}
    assert report.rows == 50 and report.unpaired == report.raised == report.faults == 0


def test_minutes_that_only_one_side_has_are_left_out_and_counted(tmp_path: Path) -> None:
    bid = [n for n in range(60) if n % 7 and n > 3]
    ask = [n for n in range(70) if n % 5]
    found, report = bars([side(tmp_path / "b.csv", bid, 1.0), side(tmp_path / "a.csv", ask, 1.1)])
    assert ((found.time - START) // MINUTE).tolist() == sorted(set(bid) & set(ask))
    assert report.unpaired == len(set(bid) ^ set(ask))


def test_sides_without_a_common_minute_are_refused(tmp_path: Path) -> None:
    paths = [side(tmp_path / "b.csv", [1, 2], 1.0), side(tmp_path / "a.csv", [3, 4], 1.1)]
    with pytest.raises(BadFile, match=r"b\.csv and .*a\.csv: no rows"):
        bars(paths)


def test_a_tick_with_an_ask_below_its_bid_is_left_out_and_shown(tmp_path: Path) -> None:
    lines = "".join(f"2013-01-01 22:00:0{n}+00:00,1.5,{1.4 if n == 2 else 1.6}\n" for n in range(5))
    found, report = ticks([written(tmp_path / "t.csv", TRUEFX + lines)])
    assert len(found) == report.rows == 4 and report.dropped == (("ask below bid", 1),)
    (example,) = report.examples
    assert (example.line, example.text) == (4, "2013-01-01 22:00:02+00:00,1.5,1.4")
    assert example.why == "ask=1.4 is not allowed: at least the bid (1.5)"


def test_a_bar_whose_ask_is_below_the_bid_has_it_raised_and_counted(tmp_path: Path) -> None:
    bid, ask = side(tmp_path / "b.csv", list(range(9)), 1.0), side(tmp_path / "a.csv", list(range(9)), 1.1)
    lines = ask.read_text().splitlines()
    ask.write_text("\n".join([*lines[:3], f"{minute(2)},0.4,0.4,0.4,0.4", *lines[4:]]))
    found, report = bars([bid, ask])
    assert report.raised == 1 and report.rows == 9
    assert found.ask_open[2] == found.open[2] and found.ask_low[2] == found.low[2]
    found.checked()


def test_sides_that_are_swapped_are_refused(tmp_path: Path) -> None:
    bid, ask = side(tmp_path / "b.csv", [1, 2], 1.0), side(tmp_path / "a.csv", [1, 2], 1.1)
    with pytest.raises(BadFile, match=r"b\.csv: 2 of 2 bars have an ask below their bid: are the files swapped\?"):
        bars([ask, bid])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (FXCM, "fxcm"),
        (TRUEFX, "truefx"),
        ("Timestamp,Bid,Ask\r\n", "truefx"),
        ("20200101 170000065,1,2,0\n", "histdata"),
    ],
)
def test_the_first_line_tells_the_format(tmp_path: Path, text: str, name: str) -> None:
    path = written(tmp_path / "t.csv", text)
    for form in (None, name):
        assert Import([path] * (2 if name == "fxcm" else 1), Options(form=form)).assumed.startswith(f"{name}: ")


@pytest.mark.parametrize("text", ["", "time,bid,ask\n", "# notes\n", "\x00\x01\x02", "2013-01-01 22:00:00,1.1,1.2\n"])
def test_a_file_of_no_known_format_is_refused_with_what_is_known(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadFile, match=r"t\.csv, line 1: .*fxcm: timestamp,open,high,low,close; histdata: .*truefx: "):
        Import([written(tmp_path / "t.csv", text)])


def test_a_named_format_must_be_known_and_be_that_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", TRUEFX)
    with pytest.raises(InvalidField, match="format='xml' is not allowed: one of fxcm, histdata, "):
        Import([path], Options(form="xml"))
    with pytest.raises(BadFile, match="line 1: 'timestamp,bid,ask' is not allowed"):
        Import([path], Options(form="fxcm"))


def test_a_side_without_the_other_and_a_tick_file_with_another_are_refused(tmp_path: Path) -> None:
    bid, tick = side(tmp_path / "b.csv", [1], 1.0), written(tmp_path / "t.csv", TRUEFX)
    with pytest.raises(BadFile, match=r"fxcm is two files, the bid's and then the ask's; 1 given: .*b\.csv"):
        Import([bid])
    with pytest.raises(BadFile, match=r"b\.csv is fxcm, .*t\.csv is truefx: import files of one format at a time"):
        Import([bid, tick])


@pytest.mark.parametrize(
    ("good", "bad", "text"),
    [
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,abc,1.2", "bid='abc' is not allowed: a price, a finite number above 0"),
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,1.1,", "ask='' is not allowed: a price"),
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,nan,1.2", "bid='nan' is not allowed"),
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,1.1,-1.2", "ask='-1.2' is not allowed"),
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,1.1,inf", "ask='inf' is not allowed"),
        (
            GOOD_TICK,
            "2013-13-01 22:00:01+00:00,1.1,1.2",
            "time='2013-13-01 22:00:01+00:00' is not allowed",
        ),
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,1.1", "2 fields, where truefx has 3: timestamp,bid,ask"),
        (GOOD_TICK, "2013-01-01 22:00:01+00:00,1.1,1.2,9", "4 fields, where truefx has 3"),
        (
            GOOD_OLD,
            "20200230 170000065,1.1,1.2,0",
            "time='20200230 170000065' is not allowed: a time like",
        ),
        (GOOD_OLD, "20200101 246000065,1.1,1.2,0", "time='20200101 246000065' is not allowed"),
        (GOOD_OLD, "20200101x170000065,1.1,1.2,0", "time='20200101x170000065' is not allowed"),
        (GOOD_OLD, "2020010a 170000065,1.1,1.2,0", "time='2020010a 170000065' is not allowed"),
        (GOOD_OLD, "20200101 17000065,1.1,1.2,0", "time='20200101 17000065' is not allowed"),
        (GOOD_OLD, "20200101 170000065,1.1,1.2,x", "volume='x' is not allowed: a number of at least 0"),
        (GOOD_OLD, "20200101 170000065,0,1.2,0", "bid='0' is not allowed"),
    ],
)
def test_a_bad_line_is_named_with_its_number_field_and_what_is_allowed(
    tmp_path: Path, good: str, bad: str, text: str
) -> None:
    header = TRUEFX if good is GOOD_TICK else ""
    lines = [good.replace("1.1,", f"1.1{n:02},") for n in range(25)]
    path = written(tmp_path / "t.csv", "".join([header, *lines[:20], "\n", bad, "\n", *lines[20:]]))
    with pytest.raises(BadFile) as caught:
        ticks([path], strict=True)
    number = 22 + bool(header)  # the empty line above it counts
    assert f"t.csv, line {number}: {text}" in str(caught.value)
    found, report = ticks([path])
    assert len(found) == 25 and report.faults == 1
    assert (report.examples[0].line, report.examples[0].text) == (number, bad)
    assert text in report.examples[0].why


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (f"{minute(31)},1.0,0.9,0.8,0.85", "high=0.9 is not allowed: at least open and close"),
        (f"{minute(31)},1.0,1.9,1.1,1.2", "low=1.1 is not allowed: at most open and close"),
        (f"{minute(30)},1.0,1.9,0.5,1.2", "time is not allowed: bars in the order of time, one for a minute"),
        (f"{minute(2)},1.0,1.9,0.5,1.2", "time is not allowed: bars in the order of time, one for a minute"),
        (f"{minute(31)[:17]}30+00:00,1.0,1.9,0.5,1.2", "time is not allowed: a whole minute"),
    ],
)
def test_bars_that_cannot_be_or_go_back_in_time_are_named(tmp_path: Path, bad: str, text: str) -> None:
    bid = side(tmp_path / "b.csv", list(range(31)), 1.0)
    bid.write_text(bid.read_text() + bad + "\n")
    with pytest.raises(BadFile) as caught:
        bars([bid, side(tmp_path / "a.csv", list(range(40)), 1.1)], strict=True)
    assert f"b.csv, line 33: {text}" in str(caught.value)


def test_times_with_and_without_an_offset_may_stand_in_one_file(tmp_path: Path) -> None:
    mixed = GOOD_TICK + "2013-01-01 22:00:01,1.1,1.2\n2013-01-02T00:00:02.5+02:00,1.1,1.2\n"
    found, _ = ticks([written(tmp_path / "t.csv", TRUEFX + mixed)], timezone="UTC")
    assert np.diff(found.time).tolist() == [SECOND, 3 * SECOND // 2]


def test_a_file_with_nothing_but_its_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no rows"):
        ticks([written(tmp_path / "t.csv", TRUEFX)])


def test_progress_goes_up_to_all_bytes_of_all_files(tmp_path: Path) -> None:
    paths = [side(tmp_path / "b.csv", list(range(60)), 1.0), side(tmp_path / "a.csv", list(range(60)), 1.1)]
    seen: list[tuple[int, int]] = []
    for _ in Import(paths, progress=lambda done, total: seen.append((done, total))):
        pass
    total = sum(path.stat().st_size for path in paths)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_report_counts_what_is_odd(tmp_path: Path) -> None:
    lines = [
        "2024-01-03 10:00:00+00:00,1.0,1.1",
        "2024-01-03 10:00:00+00:00,1.0,1.1",  # a duplicate
        "2024-01-03 10:00:00+00:00,1.001,1.1",  # none: another price
        "2024-01-03 10:00:05+00:00,1.2,1.3",  # a spike
        "2024-01-03 10:00:04+00:00,1.001,1.1",  # out of order
        "2024-01-03 12:00:00+00:00,1.001,1.1",  # a gap
        "2024-01-05 21:59:00+00:00,1.2,1.2",  # the longest gap; a shock; without a spread
        "2024-01-07 22:00:00+00:00,1.2,1.1",  # crossed
        "2024-01-07 22:00:01+00:00,1.2,1.3",  # none: a weekend
    ]
    _, report = ticks([written(tmp_path / "t.csv", TRUEFX + "\n".join(lines))])
    at = {text: int(np.datetime64(text, "ns").astype(np.int64)) for text in ("2024-01-03T10:00", "2024-01-03T12:00")}
    ten, noon = at.values()
    assert report == Report(
        rows=7,
        first=ten,
        last=int(np.datetime64("2024-01-07T22:00:01", "ns").astype(np.int64)),
        dropped=(("ask below bid", 1),),
        examples=report.examples,
        out_of_order=1,
        duplicates=1,
        flat=1,
        gaps=2,
        longest_gaps=((noon, noon + (57 * 60 + 59) * MINUTE), (ten + 4 * SECOND, noon)),
        spikes=1,
        first_spikes=(ten + 5 * SECOND,),
    )


def test_a_bar_that_is_too_wide_is_a_spike(tmp_path: Path) -> None:
    def file(name: str, price: float, high: float) -> Path:
        rows = [f"{minute(n)},{price},{high if n == 1 else price},{price},{price}" for n in range(3)]
        return written(tmp_path / name, FXCM + "\n".join(rows) + "\n")

    assert bars([file("b.csv", 1.0, 1.02), file("a.csv", 1.1, 1.1)])[1].spikes == 1


@pytest.mark.parametrize(("move", "spikes"), [(0.02, 0), (0.00001, 1)])
def test_what_counts_as_a_spike_is_told_by_how_the_market_usually_moves(move: float, spikes: int) -> None:
    bid = 1.0 + np.arange(400) % 2 * move
    bid[300] += 0.02
    survey = Survey()
    survey.add(Quotes(time=START + np.arange(400) * SECOND, bid=bid, ask=bid + 0.1))
    assert survey.report().spikes == spikes
