"""Settings that brokers differ by: calendars, limits of accounts, what a quote offers. E-170 to E-189."""

from __future__ import annotations

from datetime import UTC, datetime

from mas import mt5
from tests.conformance.execution import case, send

SYMBOL = "MQL5 docs, Symbol Properties"
ACCOUNT = "MQL5 docs, Account Properties"
RETCODES = "MQL5 docs, Trade Server Return Codes"
PRINCIPLES = "MetaTrader 5 help, Trading Principles"
HERE = "1.10000/1.10010"
FOK = mt5.ORDER_FILLING_FOK

case(
    "E-180",
    "On a holiday nothing is traded.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
    setting="holidays",
    quotes=HERE,
    contract='holidays = "2018-01-03"',
    do={0: [send("a", "buy", 0.1)]},
    hear="""
        0 > a 10018
        0 a REJECTED 10018
    """,
)

case(
    "E-181",
    "A contract that has expired is not traded.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
    setting="expiration_time",
    quotes="1.10000/1.10010 +3s 1.10000/1.10010",
    # 2018-01-03 12:00:02 UTC
    contract="expiration_time = 1514980802",
    do={0: [send("a", "buy", 0.1)], 1: [send("b", "buy", 0.1)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > b 10018
        1 b REJECTED 10018
    """,
)

case(
    "E-182",
    "A price beyond the limits of the session is refused.",
    section="3",
    source=RETCODES,
    setting="price_limit_max",
    quotes=HERE,
    contract="price_limit_max = 1.2\nprice_limit_min = 1.0",
    do={
        0: [
            send("a", "sell_limit", 0.1, price=1.20001),
            send("b", "sell_limit", 0.1, price=1.2),
            send("c", "buy_limit", 0.1, price=0.99999),
        ]
    },
    hear="""
        0 > a 10015
        0 > b ok
        0 > c 10015
        0 a REJECTED 10015
        0 b ACCEPTED 10009
        0 c REJECTED 10015
    """,
)

case(
    "E-170",
    "Too many requests in a second are refused.",
    section="3",
    source=RETCODES,
    setting="requests_per_second",
    quotes="1.10000/1.10010 1.10000/1.10010",
    account="requests_per_second = 2",
    do={
        0: [send("a", "buy", 0.1), send("b", "buy", 0.1), send("c", "buy", 0.1)],
        1: [send("d", "buy", 0.1)],
    },
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10024
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        0 c REJECTED 10024
        1 > d ok
        1 d FILLED 10009
        1 d buy in 0.10 @1.10010
    """,
)

case(
    "E-173",
    "The number of positions is limited; on a hedging account pending orders count as positions.",
    section="2.10",
    source=RETCODES,
    setting="limit_positions",
    quotes=HERE,
    account="limit_positions = 2",
    do={0: [send("a", "buy", 0.1), send("b", "buy_limit", 0.1, price=1.05), send("c", "buy", 0.1)]},
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10040
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b ACCEPTED 10009
        0 c REJECTED 10040
    """,
)

case(
    "E-174",
    "With an investor's password nothing can be sent.",
    section="2.11",
    source=ACCOUNT,
    setting="read_only",
    quotes=HERE,
    account="read_only = true",
    do={0: [send("a", "buy", 0.1)]},
    hear="""
        0 > a 10017
        0 a REJECTED 10017
    """,
)

case(
    "E-175",
    "A disabled account can send nothing.",
    section="2.11",
    source=ACCOUNT,
    setting="enabled",
    quotes=HERE,
    account="enabled = false",
    do={0: [send("a", "buy", 0.1)]},
    hear="""
        0 > a 10017
        0 a REJECTED 10017
    """,
)

case(
    "E-176",
    "A pending order too near to the market may be answered with invalid stops instead of an invalid price.",
    section="2.4",
    source="MetaTrader 5 administrator help, Symbol settings: Trade",
    setting="near_pending_retcode",
    quotes=HERE,
    contract="stops_level = 30",
    account="near_pending_retcode = 10016",
    do={0: [send("a", "buy_limit", 0.1, price=1.09981), send("b", "buy_limit", 0.1, price=1.10020)]},
    hear="""
        0 > a 10016
        0 > b 10015
        0 a REJECTED 10016
        0 b REJECTED 10015
    """,
)

case(
    "E-177",
    "An order for a day may end at the beginning of that day.",
    section="2.9",
    source="MetaTrader 5 administrator help, Symbol settings: Trade",
    setting="specified_day_end",
    quotes="1.10000/1.10010 +3s 1.10000/1.10010",
    start="Wed 23:59:58",
    account='specified_day_end = "00:00:00"',
    do={
        0: [
            send(
                "a",
                "buy_limit",
                0.1,
                price=1.05,
                type_time=mt5.ORDER_TIME_SPECIFIED_DAY,
                expiration=datetime(2018, 1, 4, 15, tzinfo=UTC),
            )
        ]
    },
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        0 a EXPIRED 0
    """,
)

case(
    "E-178",
    "A symbol for real accounts is refused on a demo account.",
    section="3",
    source=RETCODES,
    setting="only_real",
    quotes=HERE,
    contract="only_real = true",
    do={0: [send("a", "buy", 0.1)]},
    hear="""
        0 > a 10032
        0 a REJECTED 10032
    """,
)

case(
    "E-183",
    "What one order takes of a quote is gone for the next order; the next quote offers again.",
    section="2.5",
    source="MQL5 docs, Order Properties",
    setting="liquidity",
    quotes="1.10000/1.10010 1.10000/1.10010",
    contract="liquidity = 0.3",
    do={
        0: [
            send("a", "buy", 0.2, type_filling=FOK),
            send("b", "buy", 0.2, type_filling=FOK),
        ],
        1: [send("c", "buy", 0.2, type_filling=FOK)],
    },
    hear="""
        0 > a ok
        0 > b 10006
        0 a FILLED 10009
        0 a buy in 0.20 @1.10010
        0 b REJECTED 10006
        1 > c ok
        1 c FILLED 10009
        1 c buy in 0.20 @1.10010
    """,
)

case(
    "E-184",
    "A take profit may be filled at its own price only, in a gap, too.",
    section="2.7",
    source=PRINCIPLES,
    setting="tp_gap_policy",
    quotes="1.10000/1.10010 1.10120/1.10130",
    account='tp_gap_policy = "at_price"',
    do={0: [send("a", "buy", 1.0, tp=1.10100)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 a sell out 1.00 @1.10100 tp +90.00
    """,
)

case(
    "E-185",
    "In instant execution, too, an order of the SDK is filled at the market: it names no price of its own.",
    section="2.6",
    source="MQL5 docs, MqlTradeRequest",
    setting="execution",
    quotes="1.10000/1.10010 1.10100/1.10110",
    contract='execution = "instant"',
    do={0: [send("a", "buy", 0.1, deviation=0)], 1: [send("b", "sell", 0.1, position="a", deviation=0)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 0.10 @1.10100 +9.00
    """,
)
