"""Log lines of a verb that runs for days: for people, or one JSON object each."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

FORM: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
#: What callers add with `extra`; other attributes of a record are logging's own.
EXTRA: Final = ("action",)


class Level(StrEnum):
    """The least severe of the lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class JsonLines(logging.Formatter):
    """One JSON object per line: time (UTC, ISO 8601), level, logger, message, and error (a traceback)."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: str(getattr(record, name)) for name in EXTRA if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(level: Level, as_json: bool) -> None:
    """Send the lines of all `mas` loggers to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else logging.Formatter(FORM))
    logger = logging.getLogger("mas")
    logger.addHandler(handler)
    logger.setLevel(level.value.upper())
    logger.propagate = False
