"""What the documentation says is so: programs run, commands and links exist, tables are those of the code."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mas
from tests.acceptance.mas_command import ROOT, environment, read_until, run, started

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
TUTORIAL = DOCS / "tutorial" / "first-strategy.md"
BLOCK = re.compile(r"(?:<!-- file: (\S+?)(, needs a broker)? -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(r"\bMAS_[A-Z_]+\b")
SECONDS = 120
#: What the programs must print. A program that is not named here has to run, no more.
EXPECTED = {
    "first.py": [r"^status    1000001 FILLED.*\nexecution 1000001 buy 0\.1 EURUSD\nanswer    1000001 FILLED\n$"],
    "strategy.py": [
        r"status 1000001 FILLED Request executed\nexecution 1000001 buy 1\.",
        r"status 1000002 ACCEPTED Request executed\nstatus 1000002 CANCELED Request executed",
        r"execution 1000003 sell 1\.\d+ -?\d",
        r"status Invalid volume.* REJECTED",
    ],
    "backtest.py": [r"Tue 11:18 tp \+29\.00", r"5 trades, profit -55\.00"],
    "reported.py": [r"^\d+ trades, return -?\d+\.\d\d %\nTrue True\n$"],
    "doubt.py": [r"in the market, ticket 1000001"],
    "accounts.py": [r"1001 1000001 1\.0\n1002 1000001 0\.0"],
    "test_fleet.py": [r"1 passed"],
    "test_terminal.py": [r"2 passed"],
    "test_fault.py": [r"1 passed"],
    "test_router.py": [r"1 passed"],
}


@dataclass(frozen=True)
class Block:
    """A block of code of a page. `name` is the file that the reader saves it as."""

    page: Path
    name: str
    needs_broker: bool
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.name or 'program'}"


def blocks(*pages: Path) -> list[Block]:
    found = ((page, match) for page in pages for match in BLOCK.finditer(page.read_text(encoding="utf-8")))
    return [Block(page, m[1] or "", bool(m[2]), m[3], m[4]) for page, m in found]


def programs(*, broker: bool) -> list[Block]:
    return [b for b in blocks(*PAGES) if b.language == "python" and b.needs_broker is broker and b.page != TUTORIAL]


def start(block: Block, directory: Path, **variables: str) -> str:
    """What a program of the documentation prints, run as a file in this directory."""
    path = directory / (block.name or "program.py")
    path.write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", *_how(block), str(path)],
        env=environment(MAS_DATA=str(directory / "data"), **variables),
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"
    for pattern in EXPECTED.get(block.name, []):
        assert re.search(pattern, done.stdout), f"{block.where}: no {pattern!r} in\n{done.stdout}"
    return done.stdout


def _how(block: Block) -> list[str]:
    """A test file is run as its reader runs it."""
    return ["-m", "pytest", "-q", "-p", "mas.testing"] if block.name.startswith("test_") else []


# ---- programs ------------------------------------------------------------------------------------------------------


def test_every_program_with_expected_words_is_in_the_documentation() -> None:
    assert set(EXPECTED) <= {block.name for block in blocks(*PAGES)}


@pytest.mark.parametrize("block", programs(broker=False), ids=lambda block: block.where)
def test_the_program_of_the_page_runs_without_a_broker(block: Block, tmp_path: Path) -> None:
    start(block, tmp_path)


@pytest.mark.parametrize("block", programs(broker=True), ids=lambda block: block.where)
def test_the_program_of_the_page_runs_over_a_broker(block: Block, tmp_path: Path, rabbit_url: str) -> None:
    start(block, tmp_path, MAS_TEST_URL=rabbit_url)


def test_the_first_program_runs_unchanged_over_a_broker(tmp_path: Path, rabbit_url: str) -> None:
    (first,) = (block for block in blocks(ROOT / "README.md") if block.name == "first.py")
    with started("sim-worker", "--url", rabbit_url) as worker:
        read_until(worker, "serves")
        start(first, tmp_path, MAS_URL=rabbit_url)


def test_the_tutorial_can_be_followed_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    for block in blocks(TUTORIAL):
        if block.language == "python":
            start(block, tmp_path)
        for words in commands_of(block):
            if words[:2] == ["mas", "data"]:
                done = subprocess.run(
                    [sys.executable, "-m", "mas_router.cli", *words[1:]],
                    env=environment(MAS_DATA=str(tmp_path / "data")),
                    cwd=tmp_path,
                    capture_output=True,
                    encoding="utf-8",
                    timeout=SECONDS,
                    check=False,
                )
                assert done.returncode == 0, done.stderr


def test_the_fields_of_events_are_those_that_a_client_hears() -> None:
    heard: dict[str, set[str]] = {"status_data": set(), "execution_data": set()}

    class Listener(mas.Client):
        def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
            heard["status_data"] |= status_data.keys()

        def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
            heard["execution_data"] |= execution_data.keys()

    with Listener("") as client:
        order = client.send_order({"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True})
        client.modify_position_sltp({"position_id": order, "sl": 0.5})
    for name, fields in heard.items():
        assert fields == set(generator().WORDS[name])


# ---- generated tables ----------------------------------------------------------------------------------------------


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_tables_are_those_of_the_code() -> None:
    stale = [str(path.relative_to(ROOT)) for path in generator().outdated()]
    assert not stale, "run: python docs/generate.py"


def test_every_part_that_the_generator_knows_is_on_a_page() -> None:
    module = generator()
    parts = {match[2] for text in module.pages().values() for match in module.PART.finditer(text)}
    assert {part.partition(" ")[0] for part in parts} == set(module.PARTS)
    assert {f"params {name}" for name in module.TABLES} <= parts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('@fidelity(rule="r", section="2.1")\ndef test_it(): ...', "a source"),
        ('@fidelity(rule="r", section="two", source="s")\ndef test_it(): ...', "a section"),
        ('@fidelity(rule=made(), section="2.1", source="s")\ndef test_it(): ...', "texts"),
        ('loose = fidelity(rule="r", section="2.1", source="s")', "at its test"),
        ('case("E-1", section="2.1", source="s")', "a rule"),
    ],
)
def test_a_marker_that_does_not_say_its_rule_is_an_error(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=complaint):
        generator().collect(tmp_path)


# ---- commands ------------------------------------------------------------------------------------------------------


def commands_of(block: Block) -> Iterator[list[str]]:
    """The command lines of a block of shell."""
    for line in block.text.replace("\\\n", " ").splitlines() if block.language == "sh" else []:
        yield shlex.split(line, comments=True)


def mas_commands() -> Iterator[tuple[str, list[str]]]:
    """Every `mas` command line on the pages, in blocks and inside sentences."""
    for page in PAGES:
        where = str(page.relative_to(ROOT))
        for block in blocks(page):
            for words in commands_of(block):
                if "mas" in words:
                    yield where, words[words.index("mas") + 1 :]
        prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for code in INLINE.findall(prose):
            if code.startswith("mas "):
                yield where, shlex.split(code.partition("<")[0])[1:]


@cache
def known_commands() -> dict[str, Any]:
    module = generator()
    return {point.name: module.load(point) for point in module.points()}


def test_every_mas_command_of_the_documentation_exists_with_its_options() -> None:
    seen = 0
    for where, words in mas_commands():
        command, *rest = words
        known = known_commands()
        assert command in known, f"{where}: mas {command}"
        verb = known[command]
        inner = getattr(verb, "commands", None)
        if inner and rest:
            assert rest[0] in inner, f"{where}: mas {' '.join(words)}"
            verb = inner[rest.pop(0)]
        options = {name for option in getattr(verb, "params", []) for name in option.opts} | {"--help", "-h"}
        for word in rest:
            if word.startswith("-"):
                assert word.partition("=")[0] in options, f"{where}: mas {' '.join(words)}"
        seen += 1
    assert seen > 20


def test_every_make_target_of_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = set()
    for page in PAGES:
        used |= set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= used
    assert used <= targets


def test_every_setting_of_the_documentation_is_read_somewhere() -> None:
    roots = ("sdk", "router", "workers", "benchmarks", "tests")
    sources = [*(path for root in roots for path in (ROOT / root).rglob("*.py")), ROOT / "docker-compose.yml"]
    known = {name for path in sources for name in SETTING.findall(path.read_text("utf-8"))}
    for page in PAGES:
        unknown = set(SETTING.findall(page.read_text(encoding="utf-8"))) - known
        assert not unknown, f"{page.name}: {unknown}"


def test_help_is_there_for_whoever_types_only_the_name() -> None:
    assert "sim-worker" in run().stdout


# ---- links ---------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_every_link_inside_the_documentation_leads_somewhere() -> None:
    for page in PAGES:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), f"{page.relative_to(ROOT)}: {target}"
            assert not anchor or anchor in anchors(path), f"{page.relative_to(ROOT)}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    assert {page for page in DOCS.rglob("*.md") if page != index} <= linked
