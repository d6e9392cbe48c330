"""What of a strategy's class can be set from outside."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import mas
from mas.backtest.parameters import Parameter, parameters, require_all
from mas.backtest.strategy import make, settable
from mas_router.errors import CallerError, InvalidField


class Fields(mas.Client):
    fast: int = 10
    stop: float = 2
    name = "x"
    on = True
    limit: int | None = None
    table: list[int] = [1]  # noqa: RUF012
    needed: int
    _private = 3
    CONSTANT = 7

    def method(self) -> None: ...

    @property
    def computed(self) -> int:
        return 1


class Child(Fields):
    fast = 20
    more: "Unknown" = 1.5  # type: ignore[name-defined]  # noqa: F821, UP037


class Arguments(mas.Client):
    def __init__(self, fast: int = 10, *, width: float = 1.0, label: str) -> None:
        super().__init__()
        self.seen = (fast, width, label)


@dataclasses.dataclass
class Data(mas.Client):
    fast: int = 10
    slow: int = 20


class Assigning(mas.Client):
    size: int = 4

    def __init__(self) -> None:
        super().__init__()
        self.buffer = [0] * self.size
        self.size = 4


def test_class_attributes_and_annotated_fields_are_parameters_and_nothing_else_is() -> None:
    assert set(settable(Fields)) == {"fast", "stop", "name", "on", "limit", "table", "needed", "CONSTANT"}
    assert settable(mas.Client) == {}


def test_the_annotation_says_the_type_and_without_one_the_default_does() -> None:
    kinds = {name: one.kinds for name, one in settable(Fields).items()}
    assert kinds == {
        "fast": (int,),
        "stop": (float,),
        "name": (str,),
        "on": (bool,),
        "limit": (type(None), int),
        "table": (),
        "needed": (int,),
        "CONSTANT": (int,),
    }


def test_a_subclass_has_the_parameters_of_its_base_with_its_own_defaults() -> None:
    found = settable(Child)
    assert (found["fast"].default, found["fast"].kinds) == (20, (int,))
    assert found["more"] == Parameter("more", (float,), 1.5)  # its annotation cannot be resolved
    assert "stop" in found


def test_the_parameters_of_init_are_parameters_of_the_strategy() -> None:
    found = settable(Arguments)
    assert {name: one.required for name, one in found.items()} == {"fast": False, "width": False, "label": True}
    made = make(Arguments, {"fast": 3, "label": "x"})
    assert isinstance(made, Arguments)
    assert made.seen == (3, 1.0, "x")


def test_a_dataclass_is_a_strategy_like_any_other() -> None:
    made: Any = make(Data, {"slow": 50})
    assert (made.fast, made.slow) == (10, 50)


def test_a_parameter_is_there_before_init_runs_and_stays_whatever_init_assigns() -> None:
    made: Any = make(Assigning, {"size": 9})
    assert (len(made.buffer), made.size) == (9, 9)
    assert Assigning.size == 4


def test_a_parameter_without_a_default_must_be_given() -> None:
    with pytest.raises(CallerError, match=r"needed.*--set needed=VALUE"):
        require_all(settable(Fields), ["fast"])
    require_all(settable(Fields), ["needed"])


def test_a_value_that_comes_in_a_message_is_held_to_the_type() -> None:
    found = parameters(Fields, mas.Client)
    found["stop"].check(3)
    found["limit"].check(None)
    for name, value in (("fast", 2.5), ("fast", True), ("name", 1), ("fast", None)):
        with pytest.raises(InvalidField, match=name):
            found[name].check(value)
