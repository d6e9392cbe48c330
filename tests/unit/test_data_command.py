from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sim_worker.catalog import Catalog
from sim_worker.data_command import app
from sim_worker.month_file import load
from sim_worker.quotes import Bars

FXCM = "timestamp,open,high,low,close\n"


def mas_data(*arguments: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"MAS_DATA": "", **(env or {})})


def tick_file(directory: Path, bad: str = "") -> Path:
    path = directory / "ticks.csv"
    path.write_text(f"timestamp,bid,ask\n2024-01-03 10:00:00+00:00,1.1,1.2\n{bad}")
    return path


def pair(directory: Path) -> list[Path]:
    paths = [directory / "bid.csv", directory / "ask.csv"]
    for path, price in zip(paths, ("1.5", "1.6"), strict=True):
        path.write_text(FXCM + f"2024-01-03 10:00:00+00:00,{price},{price},{price},{price}\n")
    return paths


def listed(directory: Path) -> list[dict[str, object]]:
    result = mas_data("list", "--json", "--data", directory)
    assert result.exit_code == 0
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def assert_refused(result: Result, text: str) -> None:
    """Exit code 2 and one line on stderr that starts with the command's name; no traceback, nothing on stdout."""
    assert result.exit_code == 2
    assert result.stderr.startswith("mas data: ") and result.stderr.count("\n") == 1
    assert text in result.stderr
    assert result.stdout == ""


def test_a_tick_file_is_imported_listed_and_named_as_the_source(tmp_path: Path) -> None:
    result = mas_data("import", tick_file(tmp_path), "--symbol", "EURUSD", "--data", tmp_path / "data")
    assert result.exit_code == 0
    assert result.stdout == (
        "read as truefx: ticks, times in UTC\nEURUSD: 1 row from 2024-01-03 10:00 to 2024-01-03 10:00 UTC\n"
    )
    (entry,) = listed(tmp_path / "data")
    assert (entry["symbol"], entry["kind"], entry["rows"]) == ("EURUSD", "ticks", 1)
    assert entry["sources"] == ["ticks.csv"] and entry["synthetic"] is False
    assert entry["first"] == 1_704_276_000_000_000_000


def test_a_pair_of_files_is_imported_as_bars(tmp_path: Path) -> None:
    result = mas_data("import", *pair(tmp_path), "--symbol", "GBPUSD", "--format", "fxcm", "--data", tmp_path / "data")
    assert result.exit_code == 0
    (entry,) = listed(tmp_path / "data")
    assert entry["kind"] == "m1" and entry["sources"] == ["bid.csv + ask.csv"]


def test_what_is_left_out_and_what_is_odd_about_a_file_is_said(tmp_path: Path) -> None:
    extra = (
        "2024-01-03 10:00:00+00:00,1.1,1.2\n2024-01-03 09:00:00+00:00,1.3,1.2\nrubbish\n"
        "2024-01-03 09:00:00+00:00,1.1,1.1\n2024-01-03 12:30:00+00:00,1.1,1.2\n"
    )
    file = tick_file(tmp_path, extra)
    result = mas_data("import", file, "--symbol", "EURUSD", "--data", tmp_path / "data")
    assert result.stdout.splitlines()[2:] == [
        "left out: 1 line with an ask below the bid; 1 line with a wrong number of columns; 1 tick equal to the one "
        "above",
        f"  {file}, line 4: ask=1.2 is not allowed: at least the bid (1.3) (2024-01-03 09:00:00+00:00,1.3,1.2)",
        f"  {file}, line 5: 1 fields, where truefx has 3: timestamp,bid,ask (rubbish)",
        "worth a look: 1 row out of order (sorted); 1 row without a spread; 1 gap above one hour, the longest "
        "2024-01-03 09:00 to 2024-01-03 12:30",
    ]


def test_a_bad_line_a_wrong_format_and_a_missing_file_are_one_line_each(tmp_path: Path) -> None:
    bad = tick_file(tmp_path, "2024-01-03 10:00:01+00:00,x,1.2\n")
    to = ("--symbol", "EURUSD", "--data", tmp_path / "data")
    assert_refused(mas_data("import", bad, *to, "--strict"), "ticks.csv, line 3: bid='x' is not allowed")
    assert_refused(mas_data("import", bad, *to, "--format", "xml"), "format='xml' is not allowed")
    assert_refused(mas_data("import", bad, *to, "--format", "fxcm"), "ticks.csv, line 1")
    assert_refused(mas_data("import", tmp_path / "none.csv", *to), "No such file")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_refused(mas_data("import", empty, *to), str(empty))
    assert_refused(mas_data("import", pair(tmp_path)[0], *to), "fxcm is two files")
    assert listed(tmp_path / "data") == []


def test_an_import_that_fails_changes_nothing(tmp_path: Path) -> None:
    to = ("--symbol", "EURUSD", "--data", tmp_path / "data")
    mas_data("import", tick_file(tmp_path), *to)
    before = listed(tmp_path / "data")
    good = "".join(f"2024-0{month}-04 10:00:00Z,1.1,1.2\n" for month in (1, 2, 3))
    assert_refused(mas_data("import", tick_file(tmp_path, good + "x\n"), *to, "--strict"), "ticks.csv, line 6")
    assert listed(tmp_path / "data") == before
    assert not list((tmp_path / "data").rglob("*.tmp"))


def test_two_imports_of_one_symbol_do_not_meet(tmp_path: Path) -> None:
    with Catalog(tmp_path / "data").adding("EURUSD", 1):
        to = ("--symbol", "EURUSD", "--data", tmp_path / "data")
        assert_refused(mas_data("import", tick_file(tmp_path), *to), "is being written by another process")
    assert mas_data("import", tick_file(tmp_path), *to).exit_code == 0


def test_every_option_of_a_table_reaches_the_import(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("03.01.2024 12:00\t1.1\t1.1\t1.1\t1.1\n")
    options = ("--columns", "time=1,open=2,high=3,low=4,close=5", "--delimiter", "tab", "--spread", "20")
    times = ("--time-format", "%d.%m.%Y %H:%M", "--timezone", "+02:00", "--digits", "4")
    result = mas_data("import", path, "--symbol", "X", *options, *times, "--data", tmp_path / "data")
    assert result.stdout.startswith(
        "read as csv: M1 bars, times in +02:00, prices of the bid, the ask above them by 20 points\n"
    )
    (file,) = (tmp_path / "data").rglob("*.parquet")
    found = load(file, "X")
    assert isinstance(found, Bars) and found.ask_close.tolist() == [1.102]
    assert found.time.tolist() == [1_704_276_000_000_000_000]


def test_a_symbol_of_a_market_file_has_its_digits_and_spread(tmp_path: Path) -> None:
    market, path = tmp_path / "market.toml", tmp_path / "b.csv"
    market.write_text('[symbols.COPPER]\nlike = "XAUUSD"\ndigits = 1\nspread_points = 7\n')
    path.write_text("20240103 050000;10.0;10.0;10.0;10.0;0\n")
    to = ("--symbol", "COPPER", "--data", tmp_path / "data")
    assert_refused(mas_data("import", path, *to), "digits=None is not allowed")
    assert "by 7 points" in mas_data("import", path, *to, "--market", market).stdout
    assert mas_data("import", path, *to, env={"MAS_MARKET": str(market)}).exit_code == 0
    days = ("--from", "2024-01-09", "--to", "2024-01-10", "--data", tmp_path / "data")
    assert mas_data("synth", "COPPER", *days, "--market", market).exit_code == 0


def test_show_tells_ranges_sources_and_gaps(tmp_path: Path) -> None:
    to = ("--data", tmp_path / "data")
    gap = "".join(f"2024-01-04 {hour:02}:00:00Z,1.1,1.2\n" for hour in (11, 12, 15))
    mas_data("import", tick_file(tmp_path, gap), "--symbol", "EURUSD", *to)
    shown = mas_data("show", "EURUSD", *to).stdout
    assert "EURUSD, ticks: 4 rows in 1 month," in shown and "sources: ticks.csv" in shown
    assert "gaps above one hour of the Forex week: 2" in shown
    assert "    2024-01-03 10:00 to 2024-01-04 11:00\n    2024-01-04 12:00 to 2024-01-04 15:00\n" in shown
    missing = mas_data("show", "GBPUSD", *to)
    assert_refused(missing, "no quotes of GBPUSD, only of: EURUSD. Fill it with: mas data import FILE --symbol GBPUSD")


def test_check_reads_every_row_and_finds_damage(tmp_path: Path) -> None:
    to = ("--data", tmp_path / "data")
    mas_data("import", tick_file(tmp_path), "--symbol", "EURUSD", *to)
    mas_data("synth", "GBPUSD", "--from", "2024-01-09", "--to", "2024-01-12", *to)
    sound = mas_data("check", *to)
    assert sound.exit_code == 0 and "GBPUSD, m1, synthetic: 4320 rows" in sound.stdout
    (file,) = (tmp_path / "data").glob("symbol=GBPUSD/*/*.parquet")
    data = bytearray(file.read_bytes())
    middle = len(data) // 3
    data[middle : middle + 200] = bytes(200)
    file.write_bytes(data)
    (tmp_path / "data" / "symbol=EURUSD" / "ticks" / "2024-02.parquet.tmp").write_bytes(b"half")
    damaged = mas_data("check", *to)
    assert damaged.exit_code == 1
    assert "GBPUSD, m1, synthetic: damaged: " in damaged.stderr and damaged.stderr.count("\n") == 1
    assert "2024-02.parquet.tmp: left behind" in damaged.stdout and "EURUSD, ticks: 1 row" in damaged.stdout


def test_files_that_cannot_be_opened_are_all_named_and_can_be_removed(tmp_path: Path) -> None:
    to = ("--data", tmp_path / "data")
    for symbol in ("EURUSD", "GBPUSD", "USDJPY"):
        mas_data("import", tick_file(tmp_path), "--symbol", symbol, *to)
    files = sorted((tmp_path / "data").rglob("*.parquet"))
    for file in files[:2]:
        file.write_bytes(b"no parquet")
    damaged = mas_data("check", *to)
    assert damaged.exit_code == 1 and damaged.stderr.count("damaged: ") == 2
    assert all(str(file) in damaged.stderr for file in files[:2])
    for symbol in ("EURUSD", "GBPUSD"):
        assert mas_data("remove", symbol, "--yes", *to).exit_code == 0
    assert mas_data("check", *to).exit_code == 0
    assert [entry["symbol"] for entry in listed(tmp_path / "data")] == ["USDJPY"]


def test_remove_takes_away_what_is_named_after_asking(tmp_path: Path) -> None:
    to = ("--data", tmp_path / "data")
    mas_data("import", tick_file(tmp_path), "--symbol", "EURUSD", *to)
    mas_data("synth", "EURUSD", "--from", "2024-01-09", "--to", "2024-01-12", *to)
    kept = mas_data("remove", "EURUSD", *to)
    assert kept.exit_code != 0 and len(listed(tmp_path / "data")) == 2
    result = mas_data("remove", "EURUSD", "--kind", "m1-synthetic", "--yes", *to)
    assert result.stdout == "EURUSD: removed m1-synthetic (1 month)\n"
    assert [entry["kind"] for entry in listed(tmp_path / "data")] == ["ticks"]
    assert_refused(mas_data("remove", "EURUSD", "--kind", "m1", "--yes", *to), "has no m1 of EURUSD")
    assert_refused(mas_data("remove", "EURUSD", "--kind", "d1", "--yes", *to), "kind='d1' is not allowed: one of m1")
    assert mas_data("remove", "EURUSD", "--yes", *to).exit_code == 0
    assert listed(tmp_path / "data") == [] and [path.name for path in (tmp_path / "data").iterdir()] == ["locks"]
    assert_refused(mas_data("remove", "EURUSD", "--yes", *to), "has no quotes of EURUSD")


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    occupied = tmp_path / "data"
    occupied.write_text("a file where the directory should be")
    assert_refused(mas_data("import", tick_file(tmp_path), "--symbol", "EURUSD", "--data", occupied), str(occupied))


def test_a_damaged_catalog_is_one_line(tmp_path: Path) -> None:
    mas_data("import", tick_file(tmp_path), "--symbol", "EURUSD", "--data", tmp_path / "data")
    (file,) = (tmp_path / "data").rglob("*.parquet")
    file.write_bytes(b"no parquet")
    assert_refused(mas_data("list", "--data", tmp_path / "data"), "remove it, and import its source again")


@pytest.mark.parametrize(("options", "kind", "rows"), [((), "m1", 3 * 1440), (("--ticks",), "ticks", None)])
def test_synth_fills_a_range_and_marks_it(
    tmp_path: Path, options: tuple[str, ...], kind: str, rows: int | None
) -> None:
    result = mas_data(
        "synth", "GBPUSD", "--from", "2024-01-09", "--to", "2024-01-12", "--seed", 7, *options, "--data", tmp_path
    )
    assert result.exit_code == 0 and "synthetic" in result.stdout and "seed 7" in result.stdout
    (entry,) = listed(tmp_path)
    assert (entry["kind"], entry["synthetic"], entry["sources"]) == (kind, True, ["seed 7"])
    assert entry["first"] == 1_704_758_400_000_000_000
    assert rows is None or entry["rows"] == rows


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("NOSUCH", "--from", "2024-01-09", "--to", "2024-01-12"),
            "symbol='NOSUCH' is not allowed: a symbol of the simulator",
        ),
        (
            ("GBPUSD", "--from", "2024-01-09", "--to", "12.1.2024"),
            "--to='12.1.2024' is not allowed: a day as YYYY",
        ),
        (("GBPUSD", "--from", "2024-01-09", "--to", "2024-01-09"), "a day after --from (2024-01-09)"),
        (
            ("GBPUSD", "--from", "1960-01-01", "--to", "2024-01-09"),
            "--from='1960-01-01' is not allowed: a day from",
        ),
    ],
)
def test_synth_names_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    assert_refused(mas_data("synth", *arguments, "--data", tmp_path), text)


def test_list_shows_a_table_and_says_when_there_is_nothing(tmp_path: Path) -> None:
    empty = mas_data("list", "--data", tmp_path / "data")
    assert empty.exit_code == 0 and "has no quotes yet" in empty.stdout
    mas_data("import", tick_file(tmp_path), "--symbol", "EURUSD", "--data", tmp_path / "data")
    mas_data("synth", "GBPUSD", "--from", "2024-01-09", "--to", "2024-01-10", "--data", tmp_path / "data")
    table = mas_data("list", "--data", tmp_path / "data", env={"COLUMNS": "200"}).stdout
    assert "2024-01-03 10:00" in table and "ticks.csv" in table
    assert "m1, synthetic" in table and "seed 1" in table


def test_the_directory_comes_from_the_environment_or_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tick_file(tmp_path)
    mas_data("import", file, "--symbol", "EURUSD", env={"MAS_DATA": str(tmp_path / "named")})
    assert len(listed(tmp_path / "named")) == 1
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    mas_data("import", file, "--symbol", "EURUSD")
    assert len(listed(tmp_path / "home" / ".mas" / "data")) == 1
