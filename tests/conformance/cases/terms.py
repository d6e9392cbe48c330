"""How long orders rest, how they are filled, and that no order acts twice. E-070 to E-094."""

from __future__ import annotations

from datetime import UTC, datetime

from mas import mt5
from tests.conformance.execution import cancel, case, modify, send

ORDERS = "MQL5 docs, Order Properties"
SYMBOL = "MQL5 docs, Symbol Properties"
RETCODES = "MQL5 docs, Trade Server Return Codes"
HERE = "1.10000/1.10010"
SPECIFIED, DAY, SPECIFIED_DAY = mt5.ORDER_TIME_SPECIFIED, mt5.ORDER_TIME_DAY, mt5.ORDER_TIME_SPECIFIED_DAY
FOK, IOC, RETURN, BOC = mt5.ORDER_FILLING_FOK, mt5.ORDER_FILLING_IOC, mt5.ORDER_FILLING_RETURN, mt5.ORDER_FILLING_BOC
#: Cases play on Wednesday.
WEDNESDAY = datetime(2018, 1, 3, tzinfo=UTC)
TWO_MINUTES_LATER = WEDNESDAY.replace(hour=12, minute=2)

case(
    "E-070",
    "An order expires at the moment that it names, not at a tick after it.",
    section="2.9",
    source=ORDERS,
    quotes="1.10000/1.10010 +119s 1.10000/1.10010 +2s 1.09000/1.09010",
    do={0: [send("a", "buy_limit", 0.1, price=1.09900, type_time=SPECIFIED, expiration=TWO_MINUTES_LATER)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a EXPIRED 0
    """,
    end="no order; no position; history a buy_limit EXPIRED @1.09900 current 1.10010",
)

case(
    "E-071",
    "A dated order that is reached in time fills.",
    section="2.9",
    source=ORDERS,
    quotes="1.10000/1.10010 +119s 1.09000/1.09010 +2s 1.09000/1.09010",
    do={0: [send("a", "buy_limit", 0.1, price=1.09900, type_time=SPECIFIED, expiration=TWO_MINUTES_LATER)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 0.10 @1.09900
    """,
)

case(
    "E-072",
    "A day order ends with the day.",
    section="2.9",
    source=ORDERS,
    quotes="1.10000/1.10010 +2s 1.10000/1.10010",
    start="Wed 23:59:58",
    do={0: [send("a", "buy_limit", 0.1, price=1.09900, type_time=DAY)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a EXPIRED 0
    """,
)

case(
    "E-073",
    "An order for a day rests to the end of that day.",
    section="2.9",
    source=ORDERS,
    quotes="1.10000/1.10010 +43198s 1.09000/1.09010",
    do={0: [send("a", "buy_limit", 0.1, price=1.09900, type_time=SPECIFIED_DAY, expiration=WEDNESDAY)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 0.10 @1.09900
    """,
)

case(
    "E-074",
    "An expiration in the past is refused by the trade server's clock.",
    section="2.9",
    source=RETCODES,
    quotes=HERE,
    do={
        0: [
            send(
                "a",
                "buy_limit",
                0.1,
                price=1.09,
                type_time=SPECIFIED,
                expiration=WEDNESDAY.replace(hour=11, minute=59),
            )
        ]
    },
    hear="""
        0 > a 10022
        0 a REJECTED 10022
    """,
)

case(
    "E-075",
    "A kind of expiration that the symbol does not take is refused.",
    section="2.9",
    source=SYMBOL,
    setting="expiration_mode",
    quotes=HERE,
    contract='expiration_mode = ["gtc"]',
    do={
        0: [send("a", "buy_limit", 0.1, price=1.09, type_time=DAY), send("b", "buy_limit", 0.1, price=1.09)],
    },
    hear="""
        0 > a 10022
        0 > b ok
        0 a REJECTED 10022
        0 b ACCEPTED 10009
    """,
)

case(
    "E-076",
    "Where orders are kept for the day only, an order without an end ends with the day, and stop levels with it.",
    section="2.9",
    source=SYMBOL,
    setting="order_gtc_mode",
    quotes="1.10000/1.10010 +2s 1.10000/1.10010 1.09000/1.09010",
    start="Wed 23:59:58",
    contract='order_gtc_mode = "daily"',
    do={0: [send("a", "buy_limit", 0.1, price=1.09900), send("b", "buy", 0.1, sl=1.09500)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a ACCEPTED 10009
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        1 a EXPIRED 0
    """,
    end="position b buy 0.10 @1.10010; no order",
)

case(
    "E-077",
    "Where orders but not stop levels are kept for the day only, the stop loss still closes on the next day.",
    section="2.9",
    source=SYMBOL,
    setting="order_gtc_mode",
    quotes="1.10000/1.10010 +2s 1.10000/1.10010 1.09000/1.09010",
    start="Wed 23:59:58",
    contract='order_gtc_mode = "daily_no_stops"\nswap_mode = "disabled"',
    do={0: [send("a", "buy_limit", 0.1, price=1.09900), send("b", "buy", 0.1, sl=1.09500)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a ACCEPTED 10009
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        1 a EXPIRED 0
        2 b sell out 0.10 @1.09000 sl -101.00
    """,
)

case(
    "E-078",
    "An expired order can be neither cancelled nor modified.",
    section="2.13",
    source=ORDERS,
    quotes="1.10000/1.10010 +121s 1.10000/1.10010",
    do={
        0: [send("a", "buy_limit", 0.1, price=1.09900, type_time=SPECIFIED, expiration=TWO_MINUTES_LATER)],
        1: [cancel("a"), modify("a", price=1.09)],
    },
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        0 a EXPIRED 0
        1 > cancel a False
        1 > modify a False
        1 a cancel EXPIRED 10013
        1 a modify EXPIRED 10013
    """,
)

case(
    "E-079",
    "In a replay an order is never late: only simulated time counts, and it stands still while an order is on its way.",
    quotes=HERE,
    do={0: [send("a", "buy", 0.1, valid_for=0.001)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
    """,
)

case(
    "E-080",
    "The same client order id with the same order is one order: it is sent and told once, and answered twice.",
    quotes="1.10000/1.10010 1.10000/1.10010",
    do={0: [send("a", "buy", 0.1), send("a", "buy", 0.1)], 1: [send("a", "buy", 0.1)]},
    hear="""
        0 > a ok
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > a ok
    """,
    end="position a buy 0.10 @1.10010",
)

case(
    "E-081",
    "The same client order id with another order is an error, and nothing is sent.",
    quotes=HERE,
    do={0: [send("a", "buy", 0.1), send("a", "buy", 0.2)]},
    hear="""
        0 > a ok
        0 > a DENIED
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 ? DENIED 0
    """,
    end="position a buy 0.10 @1.10010",
)

case(
    "E-082",
    "In market execution a market order is filled whole or not at all, or what there is of it; RETURN is not allowed.",
    section="2.5",
    source=ORDERS,
    setting="execution",
    quotes=HERE,
    do={
        0: [
            send("a", "buy", 0.1, type_filling=FOK),
            send("b", "buy", 0.1, type_filling=IOC),
            send("c", "buy", 0.1, type_filling=RETURN),
        ]
    },
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10030
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        0 c REJECTED 10030
    """,
)

case(
    "E-083",
    "A filling mode without its flag is refused when it is named, and replaced when none is.",
    section="2.5",
    source=SYMBOL,
    setting="filling_mode",
    quotes=HERE,
    contract='filling_mode = ["ioc"]',
    do={0: [send("a", "buy", 0.1, type_filling=FOK), send("b", "buy", 0.1)]},
    hear="""
        0 > a 10030
        0 > b ok
        0 a REJECTED 10030
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
    """,
)

case(
    "E-084",
    "A pending order may always be of filling RETURN, of the others only where they are flagged.",
    section="2.5",
    source=ORDERS,
    setting="filling_mode",
    quotes=HERE,
    contract='filling_mode = ["fok"]',
    do={
        0: [
            send("a", "buy_limit", 0.1, price=1.09, type_filling=RETURN),
            send("b", "buy_limit", 0.1, price=1.09, type_filling=FOK),
            send("c", "buy_limit", 0.1, price=1.09, type_filling=IOC),
            send("d", "buy_limit", 0.1, price=1.09, type_filling=BOC),
        ]
    },
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10030
        0 > d 10030
        0 a ACCEPTED 10009
        0 b ACCEPTED 10009
        0 c REJECTED 10030
        0 d REJECTED 10030
    """,
)

case(
    "E-085",
    "In exchange execution a limit order that the market reaches already executes at once, at the market.",
    section="2.3",
    source="MetaTrader 5 help, Trading Principles",
    setting="execution",
    quotes=HERE,
    contract='execution = "exchange"',
    do={0: [send("a", "buy_limit", 0.1, price=1.10500, type_filling=RETURN)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
    """,
)

case(
    "E-086",
    "A book-or-cancel order that would execute at once is cancelled; one that can rest does.",
    section="2.5",
    source=ORDERS,
    setting="filling_mode",
    quotes="1.10000/1.10010 1.09890/1.09900",
    contract='execution = "exchange"\nfilling_mode = ["fok", "ioc", "boc"]',
    do={
        0: [
            send("a", "buy_limit", 0.1, price=1.10500, type_filling=BOC),
            send("b", "buy_limit", 0.1, price=1.09900, type_filling=BOC),
        ]
    },
    hear="""
        0 > a ok
        0 > b ok
        0 a ACCEPTED 10009
        0 a CANCELED 0
        0 b ACCEPTED 10009
        1 b FILLED 10009
        1 b buy in 0.10 @1.09900
    """,
    end="position b buy 0.10 @1.09900; no order",
)

case(
    "E-087",
    "Book-or-cancel is for limit and stop-limit orders only.",
    section="2.5",
    source=ORDERS,
    setting="filling_mode",
    quotes=HERE,
    contract='execution = "exchange"\nfilling_mode = ["fok", "ioc", "boc"]',
    do={
        0: [
            send("a", "buy", 0.1, type_filling=BOC),
            send("b", "buy_stop", 0.1, price=1.11, type_filling=BOC),
            send("c", "buy_stop_limit", 0.1, price=1.11, stoplimit=1.105, type_filling=BOC),
        ]
    },
    hear="""
        0 > a 10030
        0 > b 10030
        0 > c ok
        0 a REJECTED 10030
        0 b REJECTED 10030
        0 c ACCEPTED 10009
    """,
)

case(
    "E-088",
    "In instant execution FOK, IOC and RETURN pass whatever the symbol's flags say.",
    section="2.5",
    source=ORDERS,
    setting="execution",
    quotes=HERE,
    contract='execution = "instant"\nfilling_mode = []',
    do={
        0: [
            send("a", "buy_limit", 0.1, price=1.09, type_filling=FOK),
            send("b", "buy_limit", 0.1, price=1.09, type_filling=IOC),
            send("c", "buy_limit", 0.1, price=1.09, type_filling=RETURN),
        ]
    },
    hear="""
        0 > a ok
        0 > b ok
        0 > c ok
        0 a ACCEPTED 10009
        0 b ACCEPTED 10009
        0 c ACCEPTED 10009
    """,
)
