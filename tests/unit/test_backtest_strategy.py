"""A strategy is found by its file or import path, and only inside one directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mas.backtest import strategy
from mas.backtest.strategy import Source, find, forget, load, source_of, split
from mas_router.errors import CallerError, InvalidField
from tests.strategies import write_strategies

ONE = "import mas\n\nclass One(mas.Client):\n    fast = 1\n"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory of strategies; what was imported from it is gone afterwards."""
    before = list(sys.path)
    yield write_strategies(tmp_path / "strategies")
    forget(tmp_path / "strategies")
    sys.path[:] = before


@pytest.mark.parametrize(
    ("target", "path", "name"),
    [
        ("a.py", "a.py", ""),
        ("a/b.py:C", "a/b.py", "C"),
        ("a.b:C", "a.b", "C"),
        ("a.b", "a.b", ""),
        (r"C:\x\a.py", r"C:\x\a.py", ""),
        (r"C:\x\a.py:D", r"C:\x\a.py", "D"),
    ],
)
def test_a_target_is_a_path_and_maybe_a_class(target: str, path: str, name: str) -> None:
    assert split(target) == (path, name)


def test_the_same_module_is_found_by_its_file_and_by_its_import_path(directory: Path) -> None:
    file = directory / "inner" / "odd.py"
    assert source_of(str(file), None) == Source(file.parent, "odd")
    assert source_of(str(file), directory) == Source(directory, "inner.odd")
    assert source_of("inner/odd.py", directory) == Source(directory, "inner.odd")
    assert source_of("inner.odd", directory).file == file
    assert len(source_of("inner.odd", directory).code) == 16


@pytest.mark.parametrize("name", ["absent", "inner", "cross.Cross", "inner.absent"])
def test_a_module_that_is_not_in_the_directory_is_not_there(directory: Path, name: str) -> None:
    with pytest.raises(CallerError, match="there is no strategy"):
        _ = Source(directory, name).file


@pytest.mark.parametrize("path", ["..cross", "a..b", ".a", "a b", "/etc", "a;b", ""])
def test_what_is_no_import_path_is_refused(directory: Path, path: str) -> None:
    with pytest.raises((InvalidField, CallerError)):
        _ = source_of(path, directory).file


def test_a_link_that_leads_out_of_the_directory_is_not_followed(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(ONE)
    (directory / "linked.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(CallerError, match="there is no strategy linked"):
        _ = Source(directory, "linked").file


def test_a_module_of_the_library_is_never_taken_for_a_strategy(directory: Path) -> None:
    (directory / "json.py").write_text(ONE)
    with pytest.raises(CallerError, match="taken by another module"):
        load(Source(directory, "json"))


def test_the_only_strategy_of_a_file_needs_no_name(directory: Path) -> None:
    (directory / "one.py").write_text("from mas.demo import Desk\n" + ONE)
    assert find(load(Source(directory, "one")), "").__name__ == "One"


def test_the_module_itself_is_a_base_like_the_class(directory: Path) -> None:
    (directory / "short.py").write_text("import mas\n\nclass Short(mas):\n    pass\n")
    assert find(load(Source(directory, "short")), "").__name__ == "Short"


@pytest.mark.parametrize(
    ("body", "name", "told"),
    [
        ("import mas\n", "", "no subclasses of mas.Client"),
        (ONE + ONE.replace("One", "Two"), "", r"2 subclasses .*One, Two.*none_such:Class"),
        (ONE, "Two", "has no strategy Two; it has: One"),
        ("One = 1\n", "One", "has no strategy One"),
    ],
)
def test_a_file_without_one_clear_strategy_is_an_error_that_says_what_it_has(
    directory: Path, body: str, name: str, told: str
) -> None:
    (directory / "none_such.py").write_text(body)
    with pytest.raises(CallerError, match=told):
        find(load(Source(directory, "none_such")), name)


def test_a_module_that_was_forgotten_is_imported_anew_and_others_stay(directory: Path) -> None:
    first = load(Source(directory, "cross"))
    kept = sys.modules["collections"]
    forget(directory)
    assert "cross" not in sys.modules
    assert sys.modules["collections"] is kept
    assert load(Source(directory, "cross")) is not first


def test_libraries_below_the_directory_are_not_forgotten(directory: Path) -> None:
    """A virtual environment is often beside the strategies that use it."""
    site = directory / ".venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "mas_test_library.py").write_text("")
    sys.path.append(str(site))
    load(Source(directory, "cross"))
    __import__("mas_test_library")
    forget(directory)
    assert "mas_test_library" in sys.modules
    del sys.modules["mas_test_library"]


def test_a_value_that_stands_in_a_message_reaches_the_strategy(directory: Path) -> None:
    found = find(load(Source(directory, "cross")), "Cross")
    made = strategy.make(found, {"fast": 7, "volume": 0.5})
    assert (made.fast, made.slow, made.volume) == (7, 16, 0.5)  # type: ignore[attr-defined]
