"""From the options of a grid to the points of it: every combination, or so many drawn at random. Pure.

--grid fast=5,10,20            these values
--range stop=0.5:2:0.5         0.5, 1, 1.5, 2
--range fast=5:50              whole numbers, when the parameter is one
--range risk=0.001:0.1:log     drawn so that every power of ten is equally likely
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Final

from mas.backtest.parameters import Parameter, named
from mas_router.errors import CallerError, InvalidField
from mas_router.messages import Scalar

Point = dict[str, Scalar]
#: More than this is a slip of the pen: a range with a step too small.
MOST: Final = 1_000_000
#: A number that is drawn is rounded to so many digits: it can then be read, and typed again.
DIGITS: Final = 6
RANGE_FORM: Final = "LOW:HIGH, LOW:HIGH:STEP, LOW:HIGH:int or LOW:HIGH:log, with LOW below HIGH"


@dataclass(frozen=True, slots=True)
class Values:
    """A parameter that takes each of these values."""

    values: tuple[Scalar, ...]

    def draw(self, random: Random) -> Scalar:
        return random.choice(self.values)


@dataclass(frozen=True, slots=True)
class Spread:
    """A parameter that takes any number from `low` to `high`."""

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, random: Random) -> Scalar:
        if self.log:
            drawn = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
        else:
            drawn = random.uniform(self.low, self.high)
        if self.whole:
            return round(drawn)
        return min(self.high, max(self.low, float(f"{drawn:.{DIGITS}g}")))


Axis = Values | Spread


def assignment(option: str, text: str) -> tuple[str, str]:
    """`key=value`. Raises InvalidField."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise InvalidField(option, text, "NAME=VALUE")
    return name.strip(), value.strip()


def settings(texts: Iterable[str], known: Mapping[str, Parameter]) -> Point:
    """The values of --set."""
    point: Point = {}
    for text in texts:
        name, value = assignment("--set", text)
        if name in point:
            raise CallerError(f"--set {name} is given twice")
        point[name] = named("--set", name, known).read("--set", value)
    return point


def axes(grid: Iterable[str], ranges: Iterable[str], known: Mapping[str, Parameter]) -> dict[str, Axis]:
    """The parameters that vary, by name. Raises CallerError."""
    found: dict[str, Axis] = {}
    for option, texts in (("--grid", grid), ("--range", ranges)):
        for text in texts:
            name, value = assignment(option, text)
            one = named(option, name, known)
            if name in found:
                raise CallerError(f"{option} {name}: this parameter varies already")
            found[name] = _listed(one, value) if option == "--grid" else _ranged(one, value)
    return found


def _listed(one: Parameter, text: str) -> Values:
    return Values(tuple(dict.fromkeys(one.read("--grid", part) for part in text.split(","))))


def _ranged(one: Parameter, text: str) -> Axis:
    if not {int, float} & set(one.kinds):
        raise InvalidField(f"--range {one.name}", text, "only for a number; for others there is --grid")
    low, high, third = _parts(one, text)
    whole = float not in one.kinds
    if third == "log":
        if low <= 0:
            raise InvalidField(f"--range {one.name}", text, "above 0 with log")
        return Spread(float(low), float(high), log=True, whole=whole)
    if third in ("", "int"):
        if whole or third:
            return _steps(one, text, low, high, Decimal(1))
        return Spread(float(low), float(high), log=False, whole=False)
    return _steps(one, text, low, high, _number(one, text, third))


def _parts(one: Parameter, text: str) -> tuple[Decimal, Decimal, str]:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (2, 3):
        raise InvalidField(f"--range {one.name}", text, RANGE_FORM)
    low, high = (_number(one, text, part) for part in parts[:2])
    if low >= high:
        raise InvalidField(f"--range {one.name}", text, RANGE_FORM)
    return low, high, parts[2].lower() if len(parts) == 3 else ""


def _steps(one: Parameter, text: str, low: Decimal, high: Decimal, step: Decimal) -> Values:
    if step <= 0:
        raise InvalidField(f"--range {one.name}", text, "a STEP above 0")
    count = int((high - low) / step) + 1
    if count > MOST:
        raise InvalidField(f"--range {one.name}", text, f"at most {MOST} values")
    values = [low + index * step for index in range(count)]
    if float in one.kinds and any(value % 1 for value in (low, step)):
        return Values(tuple(float(value) for value in values))
    if any(value % 1 for value in (low, step)):
        raise InvalidField(f"--range {one.name}", text, "whole numbers, as the parameter is one")
    return Values(tuple(float(value) if float in one.kinds else int(value) for value in values))


def _number(one: Parameter, text: str, part: str) -> Decimal:
    try:
        value = Decimal(part)
    except InvalidOperation:
        raise InvalidField(f"--range {one.name}", text, RANGE_FORM) from None
    if not value.is_finite():
        raise InvalidField(f"--range {one.name}", text, RANGE_FORM)
    return value


def every(varying: Mapping[str, Axis]) -> list[Point]:
    """Every combination, the last parameter varying fastest. Raises CallerError."""
    lists: list[Sequence[Scalar]] = []
    for name, axis in varying.items():
        if isinstance(axis, Spread):
            raise CallerError(f"--range {name} has no end of values: give it a STEP, or draw some with --random N")
        lists.append(axis.values)
    count = math.prod(map(len, lists))
    if count > MOST:
        raise CallerError(f"the grid has {count} points, and {MOST} are allowed: draw some with --random N")
    return [dict(zip(varying, values, strict=True)) for values in itertools.product(*lists)]


def drawn(varying: Mapping[str, Axis], count: int, seed: int) -> list[Point]:
    """`count` different points, or all of them if there are no more; the same for the same seed."""
    if all(isinstance(axis, Values) for axis in varying.values()):
        total = math.prod(len(axis.values) for axis in varying.values() if isinstance(axis, Values))
        if total <= count:
            return every(varying)
    random, points, misses = Random(seed), dict[tuple[Scalar, ...], Point](), 0  # noqa: S311  (no secret)
    while len(points) < count and misses < 1000:
        point = {name: axis.draw(random) for name, axis in varying.items()}
        misses = misses + 1 if tuple(point.values()) in points else 0
        points[tuple(point.values())] = point
    return list(points.values())
