"""Whatever goes wrong: what a program was told, and what the trade server did, do not contradict each other."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim_worker import terminal as mt5
from sim_worker.trade_server import Fault
from tests.unit.terminal_kit import LOGIN, buy, connected

#: Faults of order_send, and whether they leave the program in doubt.
FAULTS = st.one_of(
    st.builds(
        Fault,
        kind=st.just("retcode"),
        code=st.sampled_from([10004, 10006, 10011, 10012, 10018, 10020, 10024, 10027, 10028, 10031]),
        when=st.sampled_from(["before", "after"]),
        nth=st.integers(1, 6),
        times=st.integers(1, 3),
        every=st.integers(1, 3),
    ),
    st.builds(
        Fault,
        kind=st.just("no_answer"),
        code=st.sampled_from([0, -10001, -10002, -10005]),
        when=st.sampled_from(["before", "after"]),
        nth=st.integers(1, 6),
    ),
    st.builds(Fault, kind=st.just("drop"), when=st.sampled_from(["before", "after"]), nth=st.integers(1, 6)),
    st.builds(Fault, kind=st.just("placed"), seconds=st.floats(0.0, 5.0), nth=st.integers(1, 6)),
    st.builds(Fault, kind=st.just("requote"), nth=st.integers(1, 6)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FAULTS, max_size=4), st.lists(st.floats(0.0, 4.0), min_size=1, max_size=8), st.booleans())
def test_each_order_is_carried_out_at_most_once_and_always_if_the_program_was_told_so(
    faults: list[Fault], waits: list[float], blind: bool
):
    told: dict[str, Any] = {}
    with connected("gateway-blind" if blind else "demo-hedging-market") as server:
        for fault in faults:
            server.arm(fault)
        for number, wait in enumerate(waits):
            server.advance(wait)
            result = buy(0.01, comment=f"order {number}")
            told[f"order {number}"] = result.retcode if result else None
            if result is None:
                assert mt5.last_error()[0] < 0 and mt5.initialize()
        server.advance(10.0)
        positions = [str(row["comment"]) for row in server.records(LOGIN, "positions")]
        seen = [position.comment for position in mt5.positions_get() or ()]
        requests = {str(row["comment"]): row["retcode"] for row in server.records(LOGIN, "requests")}
    assert len(positions) == len(set(positions)), "no order twice"
    assert seen == positions, "the terminal shows what there is"
    for name, code in told.items():
        assert (name in positions) is (requests.get(name) in (10008, 10009)), "the server knows what it did"
        if code in (10008, 10009):
            assert name in positions, "what was confirmed is there"


@settings(max_examples=40, deadline=None)
@given(st.lists(FAULTS, max_size=4), st.integers(1, 8))
def test_the_same_calls_meet_the_same_faults(faults: list[Fault], orders: int):
    def run() -> list[Any]:
        with connected() as server:
            for fault in faults:
                server.arm(fault)
            found = []
            for number in range(orders):
                result = buy(0.01, comment=str(number))
                found.append((result, mt5.last_error()))
                if result is None:
                    mt5.initialize()
            return [*found, server.records(LOGIN, "deals")]

    assert run() == run()
