"""Execution by numbered cases, on every stage: what clients hear and find is what MT5's rules say."""

from __future__ import annotations

import pytest

from tests.conformance.cases import CASES
from tests.conformance.execution import Stage, lines


@pytest.mark.parametrize("number", CASES)
def test_the_case_is_heard_and_found_as_written(stage: Stage, number: str) -> None:
    case = CASES[number]
    played = stage.play(case)
    assert played.heard == lines(case.hear), case.rule
    for kind, wanted in wanted_records(case.end).items():
        assert played.records[kind] == wanted, case.rule


def wanted_records(text: str) -> dict[str, list[str]]:
    """The lines of `end` by kind; `no order` means that there is none."""
    wanted: dict[str, list[str]] = {}
    for line in lines(text):
        kind, *rest = line.split()
        if kind == "no":
            wanted[rest[0]] = []
        else:
            wanted.setdefault(kind, []).append(line)
    return wanted


def test_a_case_that_does_not_happen_fails(stage: Stage) -> None:
    first = CASES["E-001"]
    assert stage.play(first).heard != lines(first.hear.replace("FILLED", "REJECTED"))
