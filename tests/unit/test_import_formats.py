from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mas_router.errors import InvalidField
from sim_worker import text_files
from sim_worker.formats import BadFile
from sim_worker.import_plan import Options
from sim_worker.importers import Import
from sim_worker.quotes import Bars, Quotes
from sim_worker.survey import Report

MT5_BARS = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
MT5_TICKS = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
TRUEFX = "timestamp,bid,ask\n2024-01-03 10:00:00Z,1.1,1.2\n"


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def ticks(*paths: Path, **options: Any) -> tuple[Quotes, Report]:
    job = Import(paths, Options(**options))
    return Quotes.concat([rows for rows in job if isinstance(rows, Quotes)]), job.report


def bars(*paths: Path, **options: Any) -> tuple[Bars, Report]:
    job = Import(paths, Options(**options))
    found = Bars.concat([rows for rows in job if isinstance(rows, Bars)])
    return found.checked(), job.report


def times(rows: Quotes | Bars) -> list[str]:
    return [str(t) for t in rows.time.view("M8[ns]").astype("M8[ms]")]


# ---- MetaTrader 5 --------------------------------------------------------------------------------------------------


def test_bars_of_metatrader_have_their_spread_and_the_time_of_a_server_that_ends_its_day_with_new_york(
    tmp_path: Path,
) -> None:
    rows = "2024.01.03\t12:00:00\t1.10000\t1.10010\t1.09990\t1.10005\t42\t0\t8\n"
    rows += "2024.07.03\t12:00:00\t1.2\t1.2\t1.2\t1.2\t0\t0\t0\n"
    found, report = bars(written(tmp_path / "b.csv", MT5_BARS + rows), symbol="EURUSD")
    assert times(found) == ["2024-01-03T10:00:00.000", "2024-07-03T09:00:00.000"]
    assert found.open.tolist() == [1.1, 1.2] and found.volume.tolist() == [42, 4]
    assert found.ask_open.tolist() == [1.10008, 1.2] and found.ask_high.tolist() == [1.10018, 1.2]
    assert report.flat == 1


@pytest.mark.parametrize(
    ("options", "ask"),
    [({}, 150.012), ({"spread": 30}, 150.03), ({"spread": 30, "digits": 2}, 150.3), ({"symbol": "USDJPY.r"}, 150.012)],
)
def test_bars_of_one_side_have_the_spread_that_is_given_or_is_usual(
    tmp_path: Path, options: dict[str, Any], ask: float
) -> None:
    path = written(tmp_path / "b.csv", "20240103 050000;150.000;150.000;150.000;150.000;0\n")
    found, _ = bars(path, **{"symbol": "USDJPY", **options})
    assert found.ask_close.tolist() == [ask]
    assert times(found) == ["2024-01-03T10:00:00.000"]


def test_bars_of_one_side_of_an_unknown_symbol_need_a_spread_and_digits(tmp_path: Path) -> None:
    path = written(tmp_path / "b.csv", "20240103 050000;150.000;150.000;150.000;150.000;0\n")
    with pytest.raises(InvalidField, match="digits=None is not allowed"):
        bars(path, symbol="NOSUCH")
    with pytest.raises(InvalidField, match="spread=None is not allowed"):
        bars(path, symbol="NOSUCH", digits=3)
    assert bars(path, symbol="NOSUCH", digits=3, spread=0)[0].ask_open.tolist() == [150.0]


@pytest.mark.parametrize("block", [4 << 20, 100])
def test_empty_cells_of_ticks_mean_the_value_above(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "BLOCK", block)
    rows = [
        "2024.01.03\t12:00:00.100\t1.1\t\t\t\t2",  # no ask yet
        "2024.01.03\t12:00:00.200\t\t1.2\t\t\t4",
        "2024.01.03\t12:00:00.300\t1.15\t\t\t\t2",
        "2024.01.03\t12:00:00.400\tx\t\t\t\t2",
        "2024.01.03\t12:00:01\t\t1.3\t1.25\t3\t28",
        "2024.01.03\t12:00:02\t1.16\t\t\t\t2",
    ]
    found, report = ticks(written(tmp_path / "t.csv", MT5_TICKS + "\n".join(rows)))
    assert found.bid.tolist() == [1.1, 1.15, 1.15, 1.16]
    assert found.ask.tolist() == [1.2, 1.2, 1.3, 1.3]
    assert found.last is not None and found.last.tolist() == [0, 0, 1.25, 1.25]
    assert times(found)[0] == "2024-01-03T10:00:00.200"
    assert dict(report.dropped) == {"no quote yet": 1, "bid": 1}
    assert [example.line for example in report.examples] == [2, 5]


def test_bars_of_an_hour_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"2024.01.03\t{n:02}:00:00\t1.1\t1.1\t1.1\t1.1\t9\t0\t8\n" for n in range(24))
    with pytest.raises(BadFile, match=r"b\.csv: the bars are 60 minutes apart; the catalog takes ticks and M1 bars"):
        bars(written(tmp_path / "b.csv", MT5_BARS + rows), symbol="EURUSD")


def test_bars_of_days_have_no_time_and_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="is not allowed: the first line of a format"):
        bars(written(tmp_path / "b.csv", MT5_BARS.replace("<TIME>\t", "")), symbol="EURUSD")


def test_utf_16_is_read_too(tmp_path: Path) -> None:
    text = MT5_TICKS + "2024.01.03\t12:00:00.100\t1.1\t1.2\t\t\t6\r\n"
    found, _ = ticks(written(tmp_path / "t.csv", text.encode("utf-16")))
    assert found.ask.tolist() == [1.2]


# ---- other formats -------------------------------------------------------------------------------------------------


def test_truefx_with_its_pair_is_read_for_that_pair_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "EUR/USD,20240103 10:00:00.123,1.10001,1.10003\n")
    assert times(ticks(path, symbol="EURUSD.r")[0]) == ["2024-01-03T10:00:00.123"]
    with pytest.raises(BadFile, match="has quotes of EURUSD, not of GBPUSD"):
        ticks(path, symbol="GBPUSD")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("A,Date,B\n1.2,2024-01-03 10:00,1.1\n", {"columns": "time=Date,bid=B,ask=A"}),
        ("x;1.1;03.01.2024 12:00:00;1.2\n", {"columns": "time=3,bid=2,ask=4", "delimiter": ";", "timezone": "+02:00",
                                             "time_format": "%d.%m.%Y %H:%M:%S"}),
        ("1704276000000\t1.1\t1.2", {"columns": "time=1,bid=2,ask=3", "delimiter": "\t", "time_format": "ms"}),
        ("d,t,b,a\n2024-01-03,10:00:00,1.1,1.2", {"columns": "date=d,time=t,bid=b,ask=a"}),
        ("d,t,b,a\n03/01/2024,10:00,1.1,1.2",
         {"columns": "date=d,time=t,bid=b,ask=a", "time_format": "%d/%m/%Y|%H:%M"}),
    ],
)  # fmt: skip
def test_the_columns_of_any_table_can_be_named(tmp_path: Path, text: str, options: dict[str, str]) -> None:
    found, report = ticks(written(tmp_path / "t.csv", text), strict=True, **options)
    assert times(found) == ["2024-01-03T10:00:00.000"]
    assert (found.bid.tolist(), found.ask.tolist(), report.rows) == ([1.1], [1.2], 1)


def test_bars_of_any_table_may_have_both_sides_or_a_spread(tmp_path: Path) -> None:
    columns = "time=1,open=2,high=3,low=4,close=5"
    both = written(tmp_path / "b.csv", "2024-01-03 10:00,1,2,1,2,1.5,2.5,1.5,2.5\n")
    found, _ = bars(both, columns=columns + ",ask_open=6,ask_high=7,ask_low=8,ask_close=9")
    assert found.ask_high.tolist() == [2.5] and found.high.tolist() == [2.0]
    found, _ = bars(both, columns=columns, symbol="EURUSD", spread=10)
    assert found.ask_high.tolist() == [2.0001]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"columns": "time=Date"}, "time with bid and ask, or with open"),
        ({"columns": "time=1,bid=2,bid=3"}, "role=column,... once each"),
        ({"columns": "time=1,price=2"}, "a role is one of time, date, bid"),
        ({"columns": "time=Date,bid=Bid,ask=Gone"}, "no column 'Gone' for ask; it has 3"),
        ({"columns": "time=1,bid=2,ask=9"}, "no column '9' for ask"),
        ({"columns": "time=1,bid=2,ask=3,open=4"}, "of ticks or of bars"),
        ({"columns": "time=1,bid=2,ask=3", "form": "truefx"}, "none with format truefx"),
        ({"columns": "time=1,bid=2,ask=3", "delimiter": ",,"}, "delimiter=',,' is not allowed"),
        ({"columns": "time=1,bid=2,ask=3", "time_format": "%Q"}, "time-format='%Q' is not allowed"),
        ({"form": "csv"}, "columns=None is not allowed"),
        ({"form": "dukascopy"}, "no .bi5 file"),
        ({"timezone": "Moon"}, "timezone='Moon' is not allowed"),
        ({"digits": 12}, "digits=12 is not allowed"),
        ({"spread": -1.0}, "spread=-1.0 is not allowed"),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    path = written(tmp_path / "t.csv", TRUEFX.replace("timestamp,bid,ask", "Date,Bid,Ask") if "columns" in options
                   else TRUEFX)  # fmt: skip
    with pytest.raises((BadFile, InvalidField)) as caught:
        ticks(path, **options)
    assert text in str(caught.value)


# ---- .gz, .zip, directories ----------------------------------------------------------------------------------------


def test_packed_files_are_read(tmp_path: Path) -> None:
    plain, _ = ticks(written(tmp_path / "t.csv", TRUEFX))
    packed = written(tmp_path / "t.csv.gz", gzip.compress(TRUEFX.encode()))
    archive = tmp_path / "t.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("HISTDATA.txt", "a status report")
        zipped.writestr("a/quotes.csv", TRUEFX)
        zipped.writestr("__MACOSX/a/._quotes.csv", b"\x00\x05\x16\x07")
    for path in (packed, archive):
        found, _ = ticks(path)
        assert found.time.tolist() == plain.time.tolist() and found.bid.tolist() == plain.bid.tolist()


def test_a_directory_is_all_of_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for day in (5, 3, 4):
        written(tmp_path / "in" / f"{day}.csv", TRUEFX.replace("-03 ", f"-{day:02} "))
    written(tmp_path / "in" / "README.md", "not quotes")
    written(tmp_path / "in" / ".hidden.csv", "not quotes")
    job = Import([tmp_path / "in"])
    assert [name for name, tables in job.parts() if list(tables)] == ["3.csv", "4.csv", "5.csv"]
    assert job.report.rows == 3 and job.report.out_of_order == 0
    with pytest.raises(BadFile, match="no file that ends in"):
        Import([written(tmp_path / "empty" / "x.md", "").parent])


def test_formats_are_not_mixed(tmp_path: Path) -> None:
    written(tmp_path / "in" / "a.csv", TRUEFX)
    written(tmp_path / "in" / "b.csv", "20240103 100000000,1.1,1.2,0\n")
    with pytest.raises(BadFile, match=r"a\.csv is truefx, .*b\.csv is histdata: import files of one format at a time"):
        Import([tmp_path / "in"])
    (tmp_path / "in" / "b.csv").unlink()
    written(tmp_path / "in" / "2024" / "00" / "03" / "10h_ticks.bi5", b"")
    with pytest.raises(BadFile, match=r"is dukascopy, .*is truefx"):
        Import([tmp_path / "in"], Options(symbol="EURUSD"))


# ---- Dukascopy -----------------------------------------------------------------------------------------------------


def bi5(*rows: tuple[int, int, int]) -> bytes:
    raw = b"".join(struct.pack(">3I2f", ms, ask, bid, 1.5, 0.75) for ms, ask, bid in rows)
    return lzma.compress(raw, lzma.FORMAT_ALONE)


def test_hours_of_a_tree_are_ticks_of_the_symbols_digits(tmp_path: Path) -> None:
    tree = tmp_path / "EURUSD" / "2012" / "01" / "29"
    written(tree / "14h_ticks.bi5", bi5((0, 131_500, 131_490)))
    written(tree / "13h_ticks.bi5", bi5((3_599_999, 131_966, 131_945), (10, 131_966, 131_945)))
    written(tree / "15h_ticks.bi5", b"")
    job = Import([tmp_path], Options(symbol="EURUSD"))
    found = Quotes.concat([rows for rows in job if isinstance(rows, Quotes)])
    assert times(found) == ["2012-02-29T13:59:59.999", "2012-02-29T13:00:00.010", "2012-02-29T14:00:00.000"]
    assert found.ask.tolist() == [1.31966, 1.31966, 1.315] and found.bid.tolist() == [1.31945, 1.31945, 1.3149]
    assert job.report.out_of_order == 1
    assert job.assumed == "dukascopy: ticks, times in UTC, prices with 5 digits"


@pytest.mark.parametrize("name", ["EURUSD_2024-01-03_10h.bi5", "EURUSD-20240103-10.bi5", "20240103_10h_ticks.bi5"])
def test_a_name_may_tell_the_hour(tmp_path: Path, name: str) -> None:
    found, _ = ticks(written(tmp_path / name, bi5((1, 110_002, 110_000))), symbol="EURUSD")
    assert times(found) == ["2024-01-03T10:00:00.001"]


def test_gold_has_three_digits_there_and_other_symbols_need_theirs(tmp_path: Path) -> None:
    path = written(tmp_path / "2024-01-03_10h.bi5", bi5((1, 2_050_125, 2_050_115)))
    assert ticks(path, symbol="XAUUSD")[0].bid.tolist() == [2050.115]
    with pytest.raises(InvalidField, match="digits=None is not allowed"):
        ticks(path, symbol="NOSUCH")
    with pytest.raises(BadFile, match=r"a price of 20\.5011, where 1\.085 is usual: say --digits"):
        ticks(path, symbol="EURUSD")
    with pytest.raises(InvalidField, match="timezone"):
        ticks(path, symbol="XAUUSD", timezone="UTC")


def test_ticks_that_cannot_be_are_left_out_and_shown(tmp_path: Path) -> None:
    rows = bi5((1, 110_002, 110_000), (2, 110_000, 110_001), (3, 5, 0), (3_600_000, 110_002, 110_000))
    found, report = ticks(written(tmp_path / "2024-01-03_10h.bi5", rows), symbol="EURUSD")
    assert len(found) == 1 and dict(report.dropped) == {"ask below bid": 1, "bid": 1, "time": 1}
    assert report.examples[0].text == "2 ms, bid 1.10001, ask 1.1"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("2024-01-03_10h.bi5", bi5((1, 110_002, 110_000))[:-3], "damaged or cut short"),
        ("2024-01-03_10h.bi5", b"]\x00\x00\x80", "damaged or cut short"),
        ("2024-01-03_10h.bi5", b"\x00garbage" * 20, "damaged, or no .bi5 file"),
        ("2024-01-03_10h.bi5", b"]\xff\xff\xff\xff" + bytes(40), "damaged"),
        ("2024-01-03_10h.bi5", lzma.compress(bytes(30), lzma.FORMAT_ALONE), "30 bytes, no multiple of 20"),
        ("2024-01-03_10h.bi5", lzma.compress(bytes(80_000_000), lzma.FORMAT_ALONE, preset=0), "unpacks to more than"),
        ("10h_ticks.bi5", b"", "the name does not tell the hour"),
        ("2024/12/03/10h_ticks.bi5", b"", "months count from 00 to 11"),
        ("2024-02-30_10h.bi5", b"", "no such hour"),
        ("2024-02-03_24h.bi5", b"", "no such hour"),
        ("2024-01-03_10h.bi5", b"", "no rows"),
    ],
)
def test_a_bad_hour_is_one_sentence(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    with pytest.raises(BadFile) as caught:
        ticks(written(tmp_path / name, content), symbol="EURUSD")
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_two_files_of_one_hour_are_refused(tmp_path: Path) -> None:
    for name in ("2024-01-03_10h.bi5", "2024/00/03/10h_ticks.bi5"):
        written(tmp_path / name, bi5((1, 110_002, 110_000)))
    with pytest.raises(BadFile, match="are of the same hour"):
        ticks(tmp_path, symbol="EURUSD")


# ---- hostile files -------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """Ten gigabytes without a line's end."""

    def __init__(self, start: bytes) -> None:
        self._start, self._left = start, 10 << 30

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return (10 << 30) - self._left

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        data = (self._start + b"1" * size)[:size]
        buffer[:size] = data
        self._start, self._left = b"", self._left - size
        return size


@pytest.mark.parametrize("start", [b"", TRUEFX.encode()])
def test_a_line_of_ten_gigabytes_is_refused_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    path = written(tmp_path / "t.csv", b"")
    opened = Path.open

    def endless(self: Path, *arguments: Any) -> Any:
        return io.BufferedReader(Endless(start)) if self == path else opened(self, *arguments)

    monkeypatch.setattr(Path, "open", endless)
    tracemalloc.start()
    try:
        with pytest.raises(BadFile, match=r"line \d: longer than 65536 bytes: is this a file of quotes\?"):
            ticks(path)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_what_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "FREE", 1 << 20)
    monkeypatch.setattr(text_files, "BLOCK", 1 << 16)
    line = b"2024-01-03 10:00:00Z,1.1,1.2\n"
    bomb = gzip.compress(b"timestamp,bid,ask\n" + line * 100_000)
    with pytest.raises(BadFile, match="unpacks to more than 200 times its size"):
        ticks(written(tmp_path / "t.csv.gz", bomb))


@pytest.mark.parametrize("cut", [20, 60, 100])
def test_a_packed_file_that_is_cut_short_is_one_sentence(tmp_path: Path, cut: int) -> None:
    rng = np.random.default_rng(1)
    text = "timestamp,bid,ask\n" + "".join(f"2024-01-03 10:00:00Z,1.{n},2.2\n" for n in rng.integers(0, 9**9, 500))
    path = written(tmp_path / "t.csv.gz", gzip.compress(text.encode())[:-cut])
    with pytest.raises(BadFile, match=r"t\.csv\.gz: damaged or cut short"):
        ticks(path)


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MOST_MEMBERS", 3)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as zipped:
        for number in range(4):
            zipped.writestr(f"{number}.csv", TRUEFX)
    with pytest.raises(BadFile, match=r"t\.zip: more than 3 files"):
        ticks(tmp_path / "t.zip")


@pytest.mark.parametrize(
    ("second", "text"),
    [
        ("2024-01-03 09:00:00Z,1.1,1.2", "rows out of order: 1; --strict refuses that"),
        ("2024-01-03 10:00:00Z,1.1,1.2", "ticks equal to the one above: 1; --strict refuses that"),
    ],
)
def test_strict_refuses_what_would_be_altered(tmp_path: Path, second: str, text: str) -> None:
    path = written(tmp_path / "t.csv", f"{TRUEFX}{second}\n2024-01-03 11:00:00Z,1.1,1.2\n")
    with pytest.raises(BadFile, match=text):
        ticks(path, strict=True)
    ticks(path)


REAL = Path(os.environ.get("MAS_TEST_QUOTES", "no such directory"))


@pytest.mark.skipif(not REAL.is_dir(), reason="MAS_TEST_QUOTES names no directory of real quotes")
def test_real_files_come_in_whole() -> None:
    _, histdata = ticks(REAL / "eurusd-histdata-ticks.csv", strict=True)
    _, truefx = ticks(REAL / "usdjpy-ticks.csv", strict=True)
    _, fxcm = bars(REAL / "gbpusd-m1-bid-2012.csv", REAL / "gbpusd-m1-ask-2012.csv")
    assert (histdata.rows, truefx.rows, fxcm.rows) == (9_500, 1_000, 30_117)
    assert (fxcm.raised, fxcm.unpaired, fxcm.faults, fxcm.gaps) == (1_203, 0, 0, 0)


def test_an_archive_that_is_no_archive_is_one_sentence(tmp_path: Path) -> None:
    for content in (b"PK\x03\x04", b"PK\x03\x04" + bytes(500)):
        with pytest.raises(BadFile, match=r"t\.zip: damaged or cut short"):
            ticks(written(tmp_path / "t.zip", content))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(BadFile, match="neither a file nor a directory"):
        ticks(tmp_path / "t.csv")


def test_what_a_file_holds_does_not_steer_a_terminal(tmp_path: Path) -> None:
    _, report = ticks(written(tmp_path / "t.csv", TRUEFX + "\x1b[2Jgone\n"))
    assert report.examples[0].text == "?[2Jgone"
    with pytest.raises(BadFile) as caught:
        ticks(written(tmp_path / "t.csv", "\x1b[2Jgone\n"))
    assert "\x1b" not in str(caught.value)


def test_a_flood_of_bad_lines_ends_the_import(tmp_path: Path) -> None:
    text = TRUEFX + "2024-01-03 10:00:01Z,x,1.2\n" * 5000
    with pytest.raises(BadFile, match=r"lines are no rows, .*; the first fault: .*t\.csv, line 3: bid='x'"):
        ticks(written(tmp_path / "t.csv", text))


@pytest.mark.parametrize("every", [3, 100, 5000])
def test_bad_lines_among_good_ones_cost_none_of_these(tmp_path: Path, every: int) -> None:
    lines = [f"2024-01-03 10:00:00Z,1.{n + 1},9.2" if n % every else f"{n},bad" for n in range(20_000)]
    found, report = ticks(written(tmp_path / "t.csv", "timestamp,bid,ask\n" + "\n".join(lines)))
    assert len(found) == sum(n % every > 0 for n in range(20_000))
    assert report.faults == 20_000 - len(found)
    assert [example.line for example in report.examples] == [2, 2 + every, 2 + 2 * every]


def test_a_line_end_inside_a_line_makes_no_row(tmp_path: Path) -> None:
    good = "2024-01-03 10:00:01Z,1.1,1.2"
    found, report = ticks(written(tmp_path / "t.csv", f"{TRUEFX}{good}\r{good}\n\x00\x01\n{good}\n"))
    assert len(found) == 2 and report.faults == 2
