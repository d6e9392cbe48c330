"""The life of an order is one table, and nothing goes around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router.orders import (
    FINAL,
    IN_FLIGHT,
    NEVER_SENT,
    OPEN,
    TRANSITIONS,
    IllegalTransition,
    State,
    advance,
    is_late,
    mermaid,
)

states = st.sampled_from(State)


def test_every_state_has_a_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_state_is_in_exactly_one_class() -> None:
    classes = [FINAL, OPEN, IN_FLIGHT, frozenset({State.UNKNOWN})]
    assert sorted(s for group in classes for s in group) == sorted(State)
    assert NEVER_SENT < FINAL


@given(states, states)
def test_advance_follows_the_table_and_nothing_else(now: State, reported: State) -> None:
    if reported is now or reported in TRANSITIONS[now]:
        assert advance(now, reported) is reported
    else:
        with pytest.raises(IllegalTransition, match=f"{now} cannot become {reported}"):
            advance(now, reported)


@given(st.lists(states, max_size=12))
def test_what_was_never_sent_never_gets_a_fill(reports: list[State]) -> None:
    now, was_unsent = State.NEW, False
    for reported in reports:
        try:
            now = advance(now, reported)
        except IllegalTransition:
            continue
        was_unsent = was_unsent or now in NEVER_SENT
    assert not (was_unsent and now in {State.FILLED, State.PARTIALLY_FILLED})


@pytest.mark.parametrize("final", sorted(FINAL - {State.CANCELED, State.EXPIRED}))
def test_a_final_state_is_left_by_nothing(final: State) -> None:
    assert not TRANSITIONS[final]


@pytest.mark.parametrize("ended", [State.CANCELED, State.EXPIRED])
def test_a_deal_that_beat_the_cancellation_still_counts_and_is_late(ended: State) -> None:
    assert advance(ended, State.FILLED) is State.FILLED
    assert is_late(ended, State.FILLED)
    assert not is_late(State.ACCEPTED, State.FILLED)


def test_an_unknown_order_is_never_resolved_by_itself() -> None:
    assert State.UNKNOWN not in FINAL
    assert State.QUEUED not in TRANSITIONS[State.UNKNOWN]


def test_an_illegal_report_names_both_states() -> None:
    error = IllegalTransition(State.FILLED, State.CANCELED)
    assert (error.now, error.reported) == (State.FILLED, State.CANCELED)


def test_the_diagram_shows_every_transition() -> None:
    lines = mermaid().splitlines()
    for now, following in TRANSITIONS.items():
        for target in following:
            assert f"    {now} --> {target}" in lines
    assert lines[0] == "stateDiagram-v2"
