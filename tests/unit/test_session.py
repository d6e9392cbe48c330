"""One simulated account keeps the law: at most once, never silently lost, never late."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from mas_router import messages as m
from mas_router import mt5
from mas_router.codec import encode
from mas_router.orders import State
from mas_router.transport import MAX_BODY
from sim_worker.answers import Answers
from sim_worker.engine import Engine
from sim_worker.market import WallMarket
from sim_worker.quotes import Bars
from sim_worker.replay import ReplayMarket
from sim_worker.session import EVENTS_PER_REPORT, ROWS_PER_ANSWER, Session
from sim_worker.specs import AccountSpec
from sim_worker.symbols import find_symbol
from sim_worker.synthetic import synthetic_bars
from sim_worker.tape import Stream, Tape

SECOND = 1_000_000_000
START = 1_704_067_200 * SECOND  # Monday, 2024-01-01
OPEN = m.Open(id="o", client="c", session="s", login="1001", server="Demo")
BUY = m.TradeRequest(action=1, symbol="EURUSD", volume=0.1, type=0, deviation=10)
FAR_LIMIT = m.TradeRequest(action=5, symbol="EURUSD", volume=0.1, type=2, price=0.5)


def wall() -> Session:
    engine = Engine(AccountSpec(login="1001", server="Demo", deposit=1_000_000.0))
    return Session(OPEN, engine, WallMarket(1, START, find_symbol, "USD"), ("EURUSD",))


def replay() -> Session:
    market = ReplayMarket(lambda: Tape({"EURUSD": iter([day()])}, [Stream("EURUSD", "M1")]), lambda *_: [])
    return Session(OPEN, Engine(AccountSpec(login="1001", server="Demo")), market, ("EURUSD",))


def day() -> Bars:
    spec = find_symbol("EURUSD")
    assert spec is not None
    return synthetic_bars(3, spec, START, START + 86_400 * SECOND)


def trade(
    name: str, request: m.TradeRequest = BUY, *, verb: m.Verb = "send", deadline: int = 0, at: int = -1
) -> m.Trade:
    return m.Trade(id=name, client="c", verb=verb, request=request, deadline=deadline, at=at)


def report(session: Session, command: m.Command, now: int = START + SECOND) -> m.Report:
    (answer,) = session.handle(command, now)
    assert isinstance(answer, m.Report)
    return answer


def deals(session: Session) -> int:
    return sum(1 for deal in session.engine.deals() if deal.type in (mt5.DEAL_TYPE_BUY, mt5.DEAL_TYPE_SELL))


def states(answer: m.Report) -> list[State]:
    return [event.state for event in answer.events if isinstance(event, m.Status)]


def test_a_market_order_is_answered_with_its_status_before_its_execution() -> None:
    answer = report(wall(), trade("a"))
    assert [event.kind for event in answer.events] == ["status", "execution"]
    assert answer.result is not None
    assert answer.result.retcode == mt5.TRADE_RETCODE_DONE
    assert states(answer) == [State.FILLED]


def test_the_same_id_with_the_same_order_gets_the_first_answer_and_no_second_deal() -> None:
    session = wall()
    first, second = report(session, trade("a")), report(session, trade("a"))
    assert second == first.model_copy(update={"repeated": True})
    assert deals(session) == 1


def test_the_same_id_with_another_order_is_denied_and_leaves_the_first_alone() -> None:
    session = wall()
    report(session, trade("a"))
    answer = report(session, trade("a", BUY.model_copy(update={"volume": 0.2})))
    assert states(answer) == [State.DENIED]
    assert "used before" in answer.events[0].message  # type: ignore[union-attr]
    assert deals(session) == 1


def test_an_order_past_its_deadline_is_stale_and_never_executes() -> None:
    session, now = wall(), START + 10 * SECOND
    answer = report(session, trade("a", deadline=now - 1), now)
    assert states(answer) == [State.STALE]
    assert report(session, trade("a", deadline=now - 1), now).repeated
    assert deals(session) == 0


def test_an_order_at_its_deadline_is_still_in_time() -> None:
    now = START + 10 * SECOND
    assert states(report(wall(), trade("a", deadline=now), now)) == [State.FILLED]


def test_asking_about_an_order_that_never_came_buries_it() -> None:
    session = wall()
    answer = report(session, m.Resolve(id="q", client="c", ids=("a",)))
    assert (answer.id, states(answer)) == ("a", [State.STALE])
    late = report(session, trade("a"))
    assert states(late) == [State.DENIED]
    assert deals(session) == 0


def test_asking_about_an_order_that_was_done_tells_all_that_became_of_it() -> None:
    session = wall()
    report(session, trade("a"))
    answer = report(session, m.Resolve(id="q", client="c", ids=("a",)))
    assert answer.repeated
    assert [event.kind for event in answer.events] == ["status", "execution"]


def test_asking_about_a_cancelled_order_tells_that_it_is_cancelled() -> None:
    session = wall()
    placed = report(session, trade("a", FAR_LIMIT))
    assert placed.result is not None
    remove = m.TradeRequest(action=8, order=placed.result.order)
    cancelled = report(session, trade("b", remove, verb="cancel"))
    assert states(cancelled) == [State.CANCELED]
    assert cancelled.events[0].id == "a"
    assert states(report(session, m.Resolve(id="q", client="c", ids=("a",))))[-1] is State.CANCELED


def test_cancelling_twice_is_refused_and_says_where_the_order_is() -> None:
    session = wall()
    placed = report(session, trade("a", FAR_LIMIT))
    assert placed.result is not None
    remove = m.TradeRequest(action=8, order=placed.result.order)
    report(session, trade("b", remove, verb="cancel"))
    again = report(session, trade("d", remove, verb="cancel"))
    assert again.result is not None
    assert again.result.retcode == mt5.TRADE_RETCODE_INVALID
    assert [event.reason for event in again.events] == ["refused"]


def test_levels_that_a_modification_does_not_name_stay() -> None:
    session = wall()
    placed = report(session, trade("a", FAR_LIMIT.model_copy(update={"sl": 0.4, "tp": 0.6})))
    assert placed.result is not None
    modify = m.TradeRequest(action=7, order=placed.result.order, price=0.51)
    command = trade("b", modify, verb="modify").model_copy(update={"keep": ("sl", "tp")})
    report(session, command)
    (order,) = session.engine.orders()
    assert (order.price_open, order.sl, order.tp) == (0.51, 0.4, 0.6)


def test_reports_are_numbered_without_gaps() -> None:
    session = wall()
    numbers = [report(session, trade(name)).seq for name in "abc"]
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))


def test_an_answer_without_news_takes_no_number() -> None:
    session = replay()
    told = report(session, trade("a", at=0)).seq
    assert report(session, m.Advance(id="v", client="c", to=1)).seq == told
    assert report(session, m.Resolve(id="q", client="c", ids=("a",))).seq == told


def test_many_events_are_spread_over_several_reports() -> None:
    session = wall()
    for number in range(60):
        report(session, trade(f"n{number}"))
    changes = [change for _ in range(4) for change in _closing_changes(session)]
    packed = session._pack([session._event(change) for change in changes], "x", BUY, m.TradeResult(retcode=10009))
    assert len(packed) > 1
    assert all(len(part.events) <= EVENTS_PER_REPORT for part in packed)
    assert [part.more for part in packed] == [True] * (len(packed) - 1) + [False]
    assert packed[-1].result is not None


def _closing_changes(session: Session) -> list[object]:
    """What closing fifteen positions one after the other changes."""
    found: list[object] = []
    for position in session.engine.positions()[:15]:
        close = BUY.model_copy(update={"type": 1, "position": position.ticket})
        found += session.engine.trade(close, START + SECOND, client_id="x").changes
    return found


def test_a_replay_stands_where_the_strategy_is() -> None:
    session = replay()
    answer = report(session, trade("a", at=100))
    assert isinstance(answer.events[1], m.Execution)
    assert answer.events[1].price == day().ask_close[100]
    assert answer.events[1].row == 100


def test_nothing_happens_before_the_horizon_and_something_at_it() -> None:
    session = replay()
    bid = float(day().close[100])
    order = BUY.model_copy(update={"sl": round(bid - 0.0004, 5), "tp": round(bid + 0.0004, 5)})
    horizon = report(session, trade("a", order, at=100)).horizon
    assert 100 < horizon < 1440
    before = session.handle(m.Advance(id="v", client="c", to=horizon - 1), START)[-1]
    at = session.handle(m.Advance(id="w", client="c", to=horizon), START)[-1]
    assert isinstance(before, m.Report)
    assert isinstance(at, m.Report)
    assert not before.events
    assert [event.kind for event in at.events] == ["execution"]


def test_the_market_never_goes_back() -> None:
    session = replay()
    session.handle(m.Advance(id="v", client="c", to=500), START)
    answer = report(session, trade("a", at=3))
    assert answer.events[1].row == 500  # type: ignore[union-attr]


def fetch(session: Session, start: int, at: int = -1) -> m.Reply:
    return session.handle(m.Fetch(id="f", client="c", start=start, at=at), START)[-1]


def test_rows_come_in_chunks_and_the_last_one_says_so() -> None:
    session = replay()
    chunks = [fetch(session, start) for start in (0, 1000, 2000)]
    assert [(c.start, c.count, c.end) for c in chunks if isinstance(c, m.Chunk)] == [
        (0, 1000, False),
        (1000, 440, True),
        (2000, 0, True),
    ]
    assert all(len(column) == 8 * 440 for column in chunks[1].parts[0])  # type: ignore[union-attr]


def test_rows_far_beyond_the_end_are_refused() -> None:
    answer = fetch(replay(), 2**60)
    assert isinstance(answer, m.Refused)
    assert str(2**60) in answer.message


def test_a_wall_market_has_no_rows() -> None:
    assert isinstance(fetch(wall(), 0), m.Refused)


def test_a_long_answer_continues_where_it_stopped() -> None:
    session = wall()
    for number in range(45):
        report(session, trade(f"n{number}"))
    tickets: list[object] = []
    offset = 0
    while True:
        answer = session.handle(m.Query(id="q", client="c", what="positions", offset=offset), START + SECOND)[-1]
        assert isinstance(answer, m.Answer)
        tickets += [row["ticket"] for row in answer.rows]
        if not answer.next:
            break
        offset = answer.next
    assert tickets == [position.ticket for position in session.engine.positions()]


def test_old_answers_are_forgotten_but_their_ids_stay_taken() -> None:
    answers = Answers(keep=2)
    for name in "abc":
        answers.remember(trade(name), ())
    assert answers.find("a") is None
    assert answers.is_gone("a")
    assert not answers.is_gone("c")


commands = st.lists(
    st.tuples(
        st.sampled_from(["trade", "late", "other", "resolve"]),
        st.sampled_from("abcd"),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(commands)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_in_whatever_order_an_id_acts_at_most_once(script: list[tuple[str, str, int]]) -> None:
    session, now, filled = wall(), START + SECOND, dict.fromkeys("abcd", 0)
    ever: dict[str, set[State]] = {name: set() for name in "abcd"}
    for kind, name, pause in script:
        now += pause * SECOND
        request = replace_volume(0.2) if kind == "other" else BUY
        command: m.Command = trade(name, request, deadline=now - 1 if kind == "late" else now + SECOND)
        if kind == "resolve":
            command = m.Resolve(id="q", client="c", ids=(name,))
        answer = report(session, command, now)
        for event in answer.events:
            if isinstance(event, m.Execution) and not answer.repeated:
                filled[event.id] += 1
            if isinstance(event, m.Status) and event.reason != "duplicate_id":
                ever[event.id].add(event.state)
    assert all(count <= 1 for count in filled.values())
    assert deals(session) == sum(filled.values())
    assert all(len(known) <= 1 for known in ever.values()), "an order never has two truths"


def replace_volume(volume: float) -> m.TradeRequest:
    return BUY.model_copy(update={"volume": volume})


def test_a_symbol_that_does_not_exist_is_refused_by_the_trade_server() -> None:
    answer = report(wall(), trade("a", BUY.model_copy(update={"symbol": "NOSUCH"})))
    assert answer.result is not None
    assert answer.result.retcode == mt5.TRADE_RETCODE_INVALID
    assert states(answer) == [State.REJECTED]


def test_the_largest_answers_fit_in_a_message() -> None:
    session = replay()
    marked = session.handle(m.Fetch(id="f" * 64, client="c", start=0, at=1400, marks=True), START)
    assert marked[0].count == 1000  # type: ignore[union-attr]
    comment = "\U0001f600" * 15
    order = dict.fromkeys((f"{'x' * 15}{n}" for n in range(20)), 1.7976931348623157e308)
    rows = tuple({**order, "symbol": "S" * 31, "comment": comment, "n": 2**62} for _ in range(ROWS_PER_ANSWER))
    assert len(encode(marked[0])) <= MAX_BODY
    assert len(encode(m.Answer(id="a" * 64, rows=rows, next=2**62))) <= MAX_BODY
