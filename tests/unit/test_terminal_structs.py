"""The tuples of the package are CPython struct sequences."""

from __future__ import annotations

import copy

import pytest

from sim_worker import terminal as mt5
from sim_worker.terminal.arrays import RATES, TICKS
from sim_worker.terminal.structs import StructSequence

SOURCE = "MetaTrader5 package 5.0.6231, its extension module"


@pytest.mark.fidelity(rule="Struct sequences: a tuple with attributes and _asdict", section="1.4", source=SOURCE)
def test_a_record_is_a_tuple_with_names_made_of_one_sequence():
    tick = mt5.Tick((1, 1.1, 1.2, 0.0, 0, 1000, 6, 0.0))
    assert isinstance(tick, tuple) and len(tick) == 8
    assert (tick.time, tick.bid, tick[2], tick.time_msc) == (1, 1.1, 1.2, 1000)
    assert list(tick._asdict()) == ["time", "bid", "ask", "last", "volume", "time_msc", "flags", "volume_real"]
    assert repr(tick) == ("Tick(time=1, bid=1.1, ask=1.2, last=0.0, volume=0, time_msc=1000, flags=6, volume_real=0.0)")


def test_a_record_has_none_of_the_other_methods_of_a_named_tuple_and_cannot_be_changed():
    tick = mt5.Tick(range(8))
    assert not hasattr(tick, "_replace") and not hasattr(tick, "_fields")
    with pytest.raises(AttributeError):
        tick.bid = 2.0
    with pytest.raises(TypeError, match="8-sequence"):
        mt5.Tick((1, 2))


def test_a_record_is_equal_to_its_plain_tuple_and_can_be_copied():
    tick = mt5.Tick(range(8))
    assert tick == tuple(range(8)) and copy.copy(tick) == copy.deepcopy(tick) == tick
    assert type(copy.deepcopy(tick)) is mt5.Tick


def test_a_row_that_lacks_fields_gives_their_empty_values():
    info = mt5.SymbolInfo.of({"name": "EURUSD", "digits": 5})
    assert (info.name, info.digits, info.bid, info.custom, info.bank) == ("EURUSD", 5, 0.0, False, "")


def test_each_record_has_as_many_fields_as_the_packages():
    counts = {kind.__name__: kind.n_fields for kind in StructSequence.__subclasses__()}
    assert counts == {
        "TradeRequest": 17,
        "OrderSendResult": 11,
        "OrderCheckResult": 9,
        "TradeOrder": 24,
        "TradePosition": 19,
        "TradeDeal": 18,
        "Tick": 8,
        "BookInfo": 4,
        "AccountInfo": 28,
        "TerminalInfo": 22,
        "SymbolInfo": 96,
    }


@pytest.mark.fidelity(rule="Packed arrays of 60 bytes a row", section="1.5", source=SOURCE)
def test_the_arrays_are_packed_with_60_bytes_a_row():
    assert RATES.itemsize == TICKS.itemsize == 60
    assert [offset for _, offset in (RATES.fields or {}).values()] == [0, 8, 16, 24, 32, 40, 48, 52]
    assert [offset for _, offset in (TICKS.fields or {}).values()] == [0, 8, 16, 24, 32, 40, 48, 52]
