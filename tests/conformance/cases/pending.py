"""Pending orders: what triggers them, where they fill, and how they are changed. E-025 to E-049."""

from __future__ import annotations

from tests.conformance.execution import cancel, case, modify, send

PRINCIPLES = "MetaTrader 5 help, Trading Principles"
BOOK = "MQL5 Programming for Traders, Pending orders"
SYMBOL = "MQL5 docs, Symbol Properties"
RETCODES = "MQL5 docs, Trade Server Return Codes"
HERE = "1.10000/1.10010"

case(
    "E-025",
    "A buy limit waits for the ask, not for the bid, and fills at its price.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09900/1.09910 1.09895/1.09905",
    do={0: [send("a", "buy_limit", 0.1, price=1.09905)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        2 a FILLED 10009
        2 a buy in 0.10 @1.09905
    """,
    end="position a buy 0.10 @1.09905; no order",
)

case(
    "E-026",
    "A sell limit waits for the bid, not for the ask, and fills at its price.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.10095/1.10105 1.10100/1.10110",
    do={0: [send("a", "sell_limit", 0.1, price=1.10100)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        2 a FILLED 10009
        2 a sell in 0.10 @1.10100
    """,
)

case(
    "E-027",
    "A buy stop waits for the ask and fills at the market, through a gap at the first price behind it.",
    section="2.7",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.10080/1.10090 1.10190/1.10200",
    do={0: [send("a", "buy_stop", 0.1, price=1.10100)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        2 a FILLED 10009
        2 a buy in 0.10 @1.10200
    """,
)

case(
    "E-028",
    "A sell stop waits for the bid and fills at the market, through a gap at the first price behind it.",
    section="2.7",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09910/1.09920 1.09800/1.09810",
    do={0: [send("a", "sell_stop", 0.1, price=1.09900)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        2 a FILLED 10009
        2 a sell in 0.10 @1.09800
    """,
)

case(
    "E-029",
    "A limit order that the market jumps over fills at its own price, not at the better one.",
    section="2.7",
    source="MQL5 Programming for Traders, Reading deals from history",
    setting="limit_gap_policy",
    quotes="1.10000/1.10010 1.09500/1.09510",
    do={0: [send("a", "buy_limit", 0.1, price=1.09905)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 0.10 @1.09905
    """,
    end="history a buy_limit FILLED @1.09905 current 1.09510",
)

case(
    "E-030",
    "Where the broker passes improvement on, a limit order that the market jumps over fills at the better price.",
    section="2.7",
    source=PRINCIPLES,
    setting="limit_gap_policy",
    quotes="1.10000/1.10010 1.09500/1.09510",
    account='limit_gap_policy = "improve"',
    do={0: [send("a", "buy_limit", 0.1, price=1.09905), send("b", "sell_limit", 0.1, price=1.10100)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a ACCEPTED 10009
        0 b ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 0.10 @1.09510
    """,
    end="order b sell_limit 0.10 @1.10100",
)

case(
    "E-031",
    "A buy stop limit becomes a buy limit under its ticket when the ask reaches its stop, and then fills as one.",
    section="2.8",
    source="MQL5 docs, Order Properties",
    quotes="1.10000/1.10010 1.10090/1.10100 1.10060/1.10070 1.10040/1.10050",
    do={0: [send("a", "buy_stop_limit", 0.1, price=1.10100, stoplimit=1.10050)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a TRIGGERED 0
        3 a FILLED 10009
        3 a buy in 0.10 @1.10050
    """,
    end="history a buy_limit FILLED @1.10050 current 1.10050",
)

case(
    "E-032",
    "A sell stop limit becomes a sell limit when the bid reaches its stop; until it fills it rests at the limit.",
    section="2.8",
    source="MQL5 docs, Order Properties",
    quotes="1.10000/1.10010 1.09900/1.09910 1.09930/1.09940",
    do={0: [send("a", "sell_stop_limit", 0.1, price=1.09900, stoplimit=1.09950)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a TRIGGERED 0
    """,
    end="order a sell_limit 0.10 @1.09950; no position",
)

case(
    "E-033",
    "A pending order on the wrong side of the market is refused.",
    section="2.3",
    source=PRINCIPLES,
    quotes=HERE,
    do={
        0: [
            send("a", "buy_limit", 0.1, price=1.10020),
            send("b", "sell_limit", 0.1, price=1.09990),
            send("c", "buy_stop", 0.1, price=1.10000),
            send("d", "sell_stop", 0.1, price=1.10010),
        ]
    },
    hear="""
        0 > a 10015
        0 > b 10015
        0 > c 10015
        0 > d 10015
        0 a REJECTED 10015
        0 b REJECTED 10015
        0 c REJECTED 10015
        0 d REJECTED 10015
    """,
    end="no order",
)

case(
    "E-034",
    "A price of more digits than the symbol has is refused.",
    section="2.10",
    source=RETCODES,
    quotes=HERE,
    do={0: [send("a", "buy_limit", 0.1, price=1.090005)]},
    hear="""
        0 > a 10015
        0 a REJECTED 10015
    """,
)

case(
    "E-035",
    "A pending order needs the stops level between its price and the market; the level itself is enough.",
    section="2.4",
    source="MQL5 article 2555, The checks a trading robot must pass before publication in the Market",
    setting="stops_level",
    quotes=HERE,
    contract="stops_level = 30",
    do={0: [send("a", "buy_limit", 0.1, price=1.09981), send("b", "buy_limit", 0.1, price=1.09980)]},
    hear="""
        0 > a 10015
        0 > b ok
        0 a REJECTED 10015
        0 b ACCEPTED 10009
    """,
    end="order b buy_limit 0.10 @1.09980",
)

case(
    "E-036",
    "A cancelled order is gone: it does not fill later, and cannot be cancelled again.",
    section="2.13",
    source="MQL5 docs, TRADE_ACTION_REMOVE",
    quotes="1.10000/1.10010 1.09000/1.09010 1.09000/1.09010",
    do={0: [send("a", "buy_limit", 0.1, price=1.09905), cancel("a")], 1: [cancel("a")]},
    hear="""
        0 > a ok
        0 > cancel a True
        0 a ACCEPTED 10009
        0 a cancel CANCELED 10009
        1 > cancel a False
        1 a cancel CANCELED 10013
    """,
    end="no position; no order; history a buy_limit CANCELED @1.09905 current 1.10010",
)

case(
    "E-037",
    "An order that has just been filled cannot be cancelled: its state has changed.",
    section="3",
    source=RETCODES,
    quotes="1.10000/1.10010 1.09000/1.09010",
    do={0: [send("a", "buy_limit", 0.1, price=1.09905)], 1: [cancel("a")]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 0.10 @1.09905
        1 > cancel a False
        1 a cancel FILLED 10023
    """,
    end="position a buy 0.10 @1.09905",
)

case(
    "E-038",
    "An order that nobody knows can be neither cancelled nor modified.",
    section="3",
    source=RETCODES,
    quotes=HERE,
    do={0: [cancel(999), modify(999, price=1.05)]},
    hear="""
        0 > cancel 999 False
        0 > modify 999 False
        0 ? cancel REJECTED 10013
        0 ? modify REJECTED 10013
    """,
)

case(
    "E-039",
    "A modified order fills at its new price, with its new levels.",
    section="1.8",
    source="MQL5 docs, TRADE_ACTION_MODIFY",
    quotes="1.10000/1.10010 1.09890/1.09900 1.09790/1.09800",
    do={0: [send("a", "buy_limit", 0.1, price=1.09905, tp=1.2), modify("a", price=1.09805, sl=1.09, tp=1.15)]},
    hear="""
        0 > a ok
        0 > modify a True
        0 a ACCEPTED 10009
        0 a modify ACCEPTED 10009
        2 a FILLED 10009
        2 a buy in 0.10 @1.09805
    """,
    end="position a buy 0.10 @1.09805 sl 1.09000 tp 1.15000",
)

case(
    "E-040",
    "A modification that changes nothing is answered so, and is as good as done.",
    section="3",
    source=RETCODES,
    quotes=HERE,
    do={0: [send("a", "buy_limit", 0.1, price=1.09905, sl=1.09), modify("a", price=1.09905)]},
    hear="""
        0 > a ok
        0 > modify a True
        0 a ACCEPTED 10009
        0 a modify ACCEPTED 10025
    """,
    end="order a buy_limit 0.10 @1.09905 sl 1.09000",
)

case(
    "E-041",
    "A modification to the wrong side of the market is refused, and the order rests as it was.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09890/1.09900",
    do={0: [send("a", "buy_limit", 0.1, price=1.09905), modify("a", price=1.10500)]},
    hear="""
        0 > a ok
        0 > modify a False
        0 a ACCEPTED 10009
        0 a modify ACCEPTED 10015
        1 a FILLED 10009
        1 a buy in 0.10 @1.09905
    """,
)

case(
    "E-042",
    "Within the freeze level of the market a pending order can be neither modified nor cancelled.",
    section="2.4",
    source=SYMBOL,
    setting="freeze_level",
    quotes="1.10000/1.10010 1.09925/1.09935 1.09926/1.09936",
    contract="freeze_level = 30",
    do={
        0: [send("a", "buy_limit", 0.1, price=1.09905)],
        1: [cancel("a"), modify("a", price=1.09)],
        2: [cancel("a")],
    },
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 > cancel a False
        1 > modify a False
        1 a cancel ACCEPTED 10029
        1 a modify ACCEPTED 10029
        2 > cancel a True
        2 a cancel CANCELED 10009
    """,
)

case(
    "E-043",
    "A pending order that triggers without the money for it is rejected, and gone.",
    section="2.2",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09890/1.09900 1.09890/1.09900",
    do={0: [send("a", "buy_limit", 50.0, price=1.09905)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a REJECTED 10041
    """,
    end="no order; no position; history a buy_limit REJECTED @1.09905 current 1.09900",
)

case(
    "E-044",
    "The account's number of pending orders is limited.",
    section="2.10",
    source="MQL5 docs, Account Properties",
    setting="limit_orders",
    quotes=HERE,
    account="limit_orders = 1",
    do={0: [send("a", "buy_limit", 0.1, price=1.09), send("b", "buy_limit", 0.1, price=1.08), cancel("a")]},
    hear="""
        0 > a ok
        0 > b 10033
        0 > cancel a True
        0 a ACCEPTED 10009
        0 b REJECTED 10033
        0 a cancel CANCELED 10009
    """,
)

case(
    "E-045",
    "On one tick pending orders fill in the order of their tickets, each with the whole of its events.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
    quotes="1.10000/1.10010 1.09500/1.09510",
    do={0: [send("a", "buy_limit", 0.1, price=1.09800), send("b", "buy_limit", 0.2, price=1.09900)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a ACCEPTED 10009
        0 b ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 0.10 @1.09800
        1 b FILLED 10009
        1 b buy in 0.20 @1.09900
    """,
)

case(
    "E-046",
    "A pending order is counted by the volume limit together with positions of its direction.",
    section="2.10",
    source=SYMBOL,
    setting="volume_limit",
    quotes=HERE,
    contract="volume_limit = 1.0",
    do={0: [send("a", "buy", 0.5), send("b", "buy_limit", 0.5, price=1.09), send("c", "buy_limit", 0.01, price=1.08)]},
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10034
        0 a FILLED 10009
        0 a buy in 0.50 @1.10010
        0 b ACCEPTED 10009
        0 c REJECTED 10034
    """,
)
