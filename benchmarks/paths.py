"""What is measured against what: the paths, how each one's worker is started, and the goals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stats import Goal

RAW = "raw pika"
MAS = "MAS Order Router"
CELERY = "Celery"
FASTSTREAM = "FastStream request()"
FASTSTREAM_REPLY = "FastStream reply_to"

EMBEDDED = "product:Embedded"


@dataclass(frozen=True, slots=True)
class Route:
    """One way from an order to its answer. The worker's command and environment may name `{url}` and `{run}`."""

    name: str
    client: str
    worker: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


ROUTES = (
    Route(RAW, "raw_pika:Client", ("raw_pika.py", "{url}", "{run}")),
    Route(
        MAS, "product:Client", ("-m", "mas_router.cli", "sim-worker", "--slots", "1000"), {"MAS_BACKTEST_URL": "{url}"}
    ),
    Route(CELERY, "celery_peer:Client", ("celery_peer.py", "{url}", "{run}")),
    Route(FASTSTREAM, "faststream_peer:RequestClient", ("faststream_peer.py", "{url}", "{run}", "request")),
    Route(FASTSTREAM_REPLY, "faststream_peer:ReplyClient", ("faststream_peer.py", "{url}", "{run}", "reply_to")),
)

GOALS = (
    Goal(MAS, RAW, "p50", 1.5, at_least=False),
    *(Goal(MAS, RAW, metric, 0.6, at_least=True) for metric in ("window100", "window1000")),
    *(
        Goal(MAS, peer, metric, 5.0, at_least=True)
        for metric in ("window100", "window1000")
        for peer in (CELERY, FASTSTREAM)
    ),
)
