"""The rules of MT5 that the tests show: from `@pytest.mark.fidelity(...)` and from the numbered cases of execution.

Reads the tests without running them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

FIELDS: Final = ("rule", "section", "source", "setting")


@dataclass(frozen=True, order=True)
class Rule:
    """A rule and the test that shows it. `section` orders the rules and says which chapter they are in."""

    section: tuple[int, ...]
    rule: str
    source: str
    test: str
    setting: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.rule, self.source, self.test, f"`{self.setting}`" if self.setting else ""


def collect(root: Path) -> list[Rule]:
    """The rules of all tests under `root`, in order. SystemExit for a marker that does not say what it has to."""
    return sorted(rule for path in (root / "tests").rglob("*.py") for rule in _rules(path, root))


def _rules(path: Path, root: Path) -> Iterator[Rule]:
    name, tree = path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
    texts = dict(_constants(tree))
    for test, call in _marked(tree):
        rule, section, source, setting = _read(call, texts, f"{name}:{call.lineno}")
        link = f"[`{path.stem}::{test}`](../../{name})"
        yield Rule(tuple(map(int, section.split("."))), rule, source, link, setting)


def _marked(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """The calls that name a rule, each with its test: markers of functions and classes, and numbered cases."""
    loose = {id(node): node for node in ast.walk(tree) if _calls(node, "fidelity")}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for call in (found for decorator in node.decorator_list for found in ast.walk(decorator)):
                if _calls(call, "fidelity"):
                    loose.pop(id(call), None)
                    yield node.name, call
        elif _calls(node, "case") and _keyword(node, "section"):
            yield str(ast.literal_eval(node.args[0])), node
    if loose:
        raise SystemExit("a fidelity marker has to stand at its test: " + ast.unparse(next(iter(loose.values()))))


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _calls(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) == name


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _read(call: ast.Call, texts: Mapping[str, ast.expr], where: str) -> list[str]:
    """Rule, section, source and setting, written out or as the name of a text in the same file."""
    second = call.args[1] if len(call.args) > 1 else None  # a case's rule
    values = [_keyword(call, name) or (second if name == "rule" else None) for name in FIELDS]
    try:
        found = [_text(value, texts) for value in values]
    except ValueError:
        raise SystemExit(f"{where}: rule, section, source and setting have to be texts") from None
    if not all(found[:3]) or not re.fullmatch(r"\d+(\.\d+)*", found[1]):
        raise SystemExit(f"{where}: needs a rule, a section such as '2.4', and a source")
    return found


def _text(value: ast.expr | None, texts: Mapping[str, ast.expr]) -> str:
    known = texts.get(value.id) if isinstance(value, ast.Name) else value
    return str(ast.literal_eval(known)) if known is not None else ""
