"""Prices that no market made: a seeded walk that can be entered anywhere and is the same on every machine.

Pure. The walk is built on three levels, each computed from (seed, symbol, position) alone:

- knots, one every 256 ticks, are a sum of octaves of value noise: octave k joins random values 2**k knots apart by
  straight lines. Amplitudes grow with the square root of 2**k, as a random walk's do, up to an octave of about 32
  days; nothing is slower than that, which is what brings the price back to the reference.
- between two knots the ticks follow a random walk that is tilted to end at the next knot.
- each tick has a spread of its own.

Only integers and + - * / and the square root are used, which IEEE 754 defines to the last bit; sin or exp are not.
The random numbers are raw Philox output, which NumPy never changes and which can start at any position.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

from mas_router.errors import InvalidField
from sim_worker.bars import DAY, FIRST_OPEN, TRADING_WEEK, WEEK, resample, trading_minutes
from sim_worker.quotes import MINUTE, SECOND, Bars, FloatArray, IntArray, Quotes

KNOT = 256  # ticks between two knots
CHUNK = 32 * KNOT  # ticks that are computed at once
SLOTS = 12  # moments of a minute of a replay at which there may be a tick


class Shape(Protocol):
    """What a symbol's specification says about its prices. `daily_volatility` is a fraction of the price."""

    @property
    def name(self) -> str: ...
    @property
    def digits(self) -> int: ...
    @property
    def tick_size(self) -> float: ...
    @property
    def reference_price(self) -> float: ...
    @property
    def spread_points(self) -> int: ...
    @property
    def daily_volatility(self) -> float: ...


class Walk:
    """The prices of an endless row of ticks, without their times."""

    def __init__(self, seed: int, spec: Shape, ticks_per_day: float) -> None:
        self._spec, self._name = spec, f"{seed}/{spec.name}"
        self._scale = 10**spec.digits
        self._tick = max(1, round(spec.tick_size * self._scale))  # in points
        tick_deviation = spec.daily_volatility / math.sqrt(ticks_per_day)
        # A step is the sum of two uniform numbers of 32 bits, whose variance is 2**64 / 6. The other factor: bridges
        # are in units of 1/KNOT.
        self._step = tick_deviation * math.sqrt(6.0) / 2**32 / KNOT
        # Octaves of amplitude a * sqrt(2**k) together move by 4/3 a**2 in variance from knot to knot.
        self._amplitude = tick_deviation * math.sqrt(0.75 * KNOT)
        self._octaves = max(1, int(32 * ticks_per_day / KNOT).bit_length())
        self._chunk = lru_cache(maxsize=4)(self._compute)

    def prices(self, first: int, count: int) -> tuple[FloatArray, FloatArray]:
        """Bid and ask of `count` ticks from number `first` on."""
        if first < 0:
            raise InvalidField("first", first, "a tick number of 0 or more")
        end = first + count
        parts = []
        for number in range(first // CHUNK, -(-end // CHUNK)):
            base = number * CHUNK
            parts.append(self._chunk(number)[:, max(first - base, 0) : end - base])
        both = np.concatenate(parts, axis=1) if parts else np.empty((2, 0))
        return both[0], both[1]

    def _compute(self, number: int) -> FloatArray:
        spread = self._spreads(number)
        middle = _positive(self._path(number)) * (self._spec.reference_price * self._scale)
        bid = np.maximum(np.rint((middle - spread / 2) / self._tick), 1.0) * self._tick
        # Whole points divided by a power of ten give the float that the decimal text gives.
        prices: FloatArray = np.stack([bid, bid + spread]) / self._scale
        return prices

    def _path(self, number: int) -> FloatArray:
        """The deviation from the reference at the ticks of a chunk, as a fraction."""
        knots = self._knots(number * CHUNK // KNOT, CHUNK // KNOT + 1)
        raw = self._raw("step", number * CHUNK, CHUNK).reshape(-1, KNOT)
        steps = (raw & 0xFFFFFFFF).astype(np.int64) + (raw >> 32).astype(np.int64) - 2**32
        ends = np.cumsum(steps, axis=1)
        place = np.arange(KNOT, dtype=np.int64)
        bridge = (ends - steps) * KNOT - place * ends[:, -1:]
        line = knots[:-1, None] + (knots[1:] - knots[:-1])[:, None] * (place / KNOT)
        return (line + bridge * self._step).ravel()

    def _knots(self, first: int, count: int) -> FloatArray:
        total = np.zeros(count)
        numbers = np.arange(first, first + count, dtype=np.int64)
        for octave in range(self._octaves):
            place = numbers >> octave
            noise = self._noise(octave, int(place[0]), int(place[-1] - place[0]) + 2)
            place -= place[0]
            weight = (numbers & ((1 << octave) - 1)) / (1 << octave)
            value = noise[place] + (noise[place + 1] - noise[place]) * weight
            total += value * (self._amplitude * math.sqrt(2.0**octave))
        return total

    def _noise(self, octave: int, first: int, count: int) -> FloatArray:
        """Numbers in -1..1."""
        return (self._raw(f"octave{octave}", first, count) >> 11).astype(np.float64) * 2.0**-52 - 1.0

    def _spreads(self, number: int) -> IntArray:
        """The symbol's spread, from a quarter less to a half more, in points."""
        usual = max(round(self._spec.spread_points / self._tick), 1)
        low, high = max(usual - usual // 4, 1), usual + (usual + 1) // 2
        raw = self._raw("spread", number * CHUNK, CHUNK)
        spreads: IntArray = ((raw % (high - low + 1)).astype(np.int64) + low) * self._tick
        return spreads

    def _raw(self, label: str, first: int, count: int) -> NDArray[np.uint64]:
        return random_raw(f"{self._name}/{label}", first, count)


def random_raw(name: str, first: int, count: int) -> NDArray[np.uint64]:
    """Numbers `first`, `first` + 1, ... of the named endless row of random 64-bit numbers."""
    key = int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "little")
    skip = first % 4  # one step of Philox's counter gives four numbers
    return Philox(key=key, counter=first // 4).random_raw(skip + count)[skip:]


def _positive(deviation: FloatArray) -> FloatArray:
    """1 + x above the reference and 1 / (1 - x) below it: smooth, symmetric in ratios, and never 0 or less."""
    size = 1.0 + np.abs(deviation)
    return np.where(deviation >= 0, size, 1.0 / size)


class SyntheticFeed:
    """An endless market, open at all times, with a tick every `interval_ns` from `start_ns` on.

    The prices depend on the seed, the symbol and the interval only: two feeds with other starts have the same ticks.
    """

    synthetic = True

    def __init__(self, seed: int, spec: Shape, start_ns: int, interval_ns: int) -> None:
        if interval_ns <= 0:
            raise InvalidField("interval_ns", interval_ns, "nanoseconds above 0")
        self.spec, self.start_ns, self.interval_ns = spec, start_ns, interval_ns
        self._walk = Walk(seed, spec, DAY / interval_ns)

    def quotes(self, first: int, count: int) -> Quotes:
        """`count` ticks from number `first` on. Costs the same wherever that is."""
        bid, ask = self._walk.prices(first, count)
        numbers = np.arange(first, first + count, dtype=np.int64)
        return Quotes(time=self.start_ns + numbers * self.interval_ns, bid=bid, ask=ask, synthetic=True)

    def index_at(self, time: int) -> int:
        """The number of the last tick at or before a time; -1 before the first tick."""
        return max((time - self.start_ns) // self.interval_ns, -1)


def synthetic_quotes(seed: int, spec: Shape, since: int, until: int) -> Quotes:
    """The ticks of since <= time < until on a market that is open from Sunday 22:00 to Friday 22:00 UTC.

    A minute has a tick at its start and, by chance, at each further five seconds. Both ends are rounded up to minutes.
    """
    parts = list(synthetic_quote_chunks(seed, spec, since, until))
    return Quotes.concat(parts) if parts else _NO_QUOTES


def synthetic_bars(seed: int, spec: Shape, since: int, until: int) -> Bars:
    """The M1 bars of `synthetic_quotes`, without holding all of these at once."""
    parts = list(synthetic_bar_chunks(seed, spec, since, until))
    return Bars.concat(parts) if parts else resample(_NO_QUOTES, "M1")


_NO_QUOTES = Quotes(time=np.empty(0, dtype=np.int64), bid=np.empty(0), ask=np.empty(0), synthetic=True)


def synthetic_bar_chunks(seed: int, spec: Shape, since: int, until: int) -> Iterator[Bars]:
    """What `synthetic_bars` gives, week by week as it is asked for."""
    return (resample(quotes, "M1") for quotes in synthetic_quote_chunks(seed, spec, since, until))


def synthetic_quote_chunks(seed: int, spec: Shape, since: int, until: int) -> Iterator[Quotes]:
    """What `synthetic_quotes` gives, week by week as it is asked for."""
    if since < FIRST_OPEN:
        raise InvalidField("since", since, "a time from 1970-01-04 22:00 on, in nanoseconds since 1970")
    walk = Walk(seed, spec, 1440 * SLOTS)
    minute, end = trading_minutes(np.array([since, until], dtype=np.int64)).tolist()
    while minute < end:
        stop = min(minute - minute % TRADING_WEEK + TRADING_WEEK, end)
        yield _ticks(walk, f"{seed}/{spec.name}/pause", minute, stop)
        minute = stop


def _ticks(walk: Walk, pauses: str, minute: int, stop: int) -> Quotes:
    """The ticks of the trading minutes minute <= m < stop, which are all of one week."""
    first, count = minute * SLOTS, (stop - minute) * SLOTS
    week, place = divmod(minute, TRADING_WEEK)
    start = FIRST_OPEN + week * WEEK + place * MINUTE
    slots = np.arange(count, dtype=np.int64)
    there = (random_raw(pauses, first, count) >> 63 == 0) | (slots % SLOTS == 0)
    bid, ask = walk.prices(first, count)
    time = start + slots * (60 // SLOTS * SECOND)
    return Quotes(time=time[there], bid=bid[there], ask=ask[there], synthetic=True)
