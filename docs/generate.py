"""Writes the parts of the reference that are tables of the code: `python docs/generate.py`, after a change of it.

A part stands in its page between `<!-- generated: NAME -->` and `<!-- end -->`. What the code does not tell, such as
the meaning of a field, is in `words.toml`; a field without words there, or words without a field, is an error. The
tests compare the pages with what this would write.
"""

from __future__ import annotations

import collections.abc
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import IntEnum, IntFlag
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

DOCS: Final = Path(__file__).resolve().parent
ROOT: Final = DOCS.parent
sys.path[:0] = [str(ROOT / name) for name in ("sdk", "router", "workers", "docs")]  # runs without an installation, too

from fidelity import Rule, collect  # noqa: E402
from pydantic import BaseModel  # noqa: E402

from mas import _send, _subscribe, params  # noqa: E402
from mas._fields import Kind, as_datetime  # noqa: E402
from mas_router import messages, orders, topology  # noqa: E402
from mas_router.cli.app import GROUP, OWN, SUMMARIES, load  # noqa: E402
from mas_router.cli.plan import everything  # noqa: E402
from mas_router.mt5_enums import Retcode  # noqa: E402
from mas_router.mt5_tables import RETCODE_TEXT, classify  # noqa: E402
from mas_router.orders import FINAL, IN_FLIGHT, NEVER_SENT, OPEN, State  # noqa: E402
from sim_worker import market_file, specs  # noqa: E402
from sim_worker.trade_server import Controls, personality, script  # noqa: E402

WORDS: Final[dict[str, dict[str, Any]]] = tomllib.loads((DOCS / "words.toml").read_text(encoding="utf-8"))
PART: Final = re.compile(r"(<!-- generated: ([\w .-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Rows = Sequence[Sequence[str]]


def pages() -> dict[Path, str]:
    """Every page that has generated parts, with the text that it should have."""
    found = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
    return {path: PART.sub(_fill, text) for path, text in found.items() if PART.search(text)}


def _fill(part: re.Match[str]) -> str:
    kind, _, name = part[2].partition(" ")
    return f"{part[1]}\n{PARTS[kind](name)}\n\n{part[3]}"


def table(head: Sequence[str], rows: Rows) -> str:
    """A Markdown table, with columns as wide as their cells, so that it can be read as text."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [min(60, max(len(row[column]) for row in cells)) for column in range(len(head))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(row, widths) for row in cells)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + " |"


def words(name: str, keys: Sequence[str]) -> dict[str, Any]:
    """The words for exactly these keys."""
    given = WORDS.get(name, {})
    wrong = sorted(given.keys() ^ set(keys))
    if wrong:
        raise SystemExit(f"words.toml, [{name}]: without words, or words without a field: {', '.join(wrong)}")
    return given


# ---- the SDK's dictionaries ----------------------------------------------------------------------------------------

TABLES: Final[dict[str, tuple[type, frozenset[str] | None]]] = {
    "login": (params.LoginParams, None),
    "send_order": (_send._Send, None),
    "close_by": (_send._CloseBy, frozenset({"position", "position_by"})),
    "cancel_order": (params._Cancel, None),
    "modify_order": (params._Modify, None),
    "modify_position_sltp": (params._Levels, None),
    "records": (params.QueryParams, params._LIVE),
    "history": (params.QueryParams, params._HISTORY),
    "symbols": (params.QueryParams, params._TARGET | {"symbol", "group"}),
    "calc_order_margin": (params.CalcParams, None),
    "calc_order_profit": (params._Profit, None),
    "get_bars_from_pos": (params.BarsParams, None),
    "market_book": (params.BookParams, None),
    "subscribe_bars": (_subscribe._SubscribeBars, None),
    "subscribe_ticks": (_subscribe._SubscribeTicks, None),
    "unsubscribe": (_subscribe.UnsubscribeParams, None),
}
TARGET: Final = ("account", "server", "backtest_toggle")
#: The type that a user passes, by the beginning of what the field's check says is allowed.
TYPES: Final = {
    "a number": "float",
    "a whole number": "int",
    "a ticket": "int, str",
    "a text": "str",
    "1 to 64": "str",
    "True": "bool",
    "an account": "int, str",
    "a datetime": "datetime, date, str, int",
    "one of 0": "int",
    "one of 1": "int",
    "one of -1": "int",
    "one of": "str",
}
#: What is said at length in errors, and explained once at the top of the page.
SHORT: Final = {"a ticket:": "a ticket", "a datetime (": "a time", "a text of": "a text of {0} to {1} characters"}


def parameters(name: str) -> str:
    """The table of a method's dictionary. The three fields that nearly all have are described once."""
    build, only = TABLES[name]
    hints = get_type_hints(build, include_extras=True)
    rows = [row for item in fields(build) if (row := _parameter(item, hints[item.name])) and only_has(only, row[0])]
    own = [row for row in rows if name == "login" or row[0] not in TARGET]
    own = [row for row in own if not (name == "close_by" and row[0] == "order_id")]
    text = words(f"params {name}", [row[0] for row in own])
    own.sort(key=lambda row: row[2] != "required")
    listed = [(f"`{key}`", kind, default, allowed, text[key]) for key, kind, default, allowed in own]
    return table(("field", "type", "default", "allowed", "meaning"), listed)


def only_has(only: frozenset[str] | None, key: str) -> bool:
    return only is None or key in only


def _parameter(item: Any, hint: Any) -> tuple[str, str, str, str] | None:
    kind, *key = getattr(hint, "__metadata__", (None,))
    if not isinstance(kind, Kind):
        return None
    usual = next(usual for start, usual in TYPES.items() if kind.allowed.startswith(start))
    if kind.allowed.startswith("one of") and not re.match(r"one of -?\d", kind.allowed):
        usual = "str"
    short = next((short for start, short in SHORT.items() if kind.allowed.startswith(start)), kind.allowed)
    allowed = short.format(*re.findall(r"\d+", kind.allowed)).replace("1e+", "1e").replace(str(2**63 - 1), "2^63-1")
    return (key[0] if key else item.name), usual, _default(item.default, usual), allowed


def _default(value: object, usual: str) -> str:
    if value is MISSING:
        return "required"
    if value is None or value == "":
        return "-"
    if isinstance(value, IntEnum):
        return f"{int(value)} ({value.name})"
    if usual.startswith("datetime"):
        return f"{as_datetime(int(str(value))):%Y-%m-%d}" if value else "-"
    return "-" if usual == "int, str" and not value else f"`{value!r}`"


# ---- events, states, messages --------------------------------------------------------------------------------------


def event_fields(name: str) -> str:
    """The fields of status_data or execution_data; a test holds the words to what a client hears."""
    rows = [(f"`{key}`", kind, text) for key, (kind, text) in WORDS[name].items()]
    return table(("field", "type", "meaning"), rows)


def states(_: str) -> str:
    text = words("states", [state.value for state in State])
    return table(("state", "where", "meaning"), [(f"`{state}`", _where(state), text[state]) for state in State])


def _where(state: State) -> str:
    groups = {"on its way": IN_FLIGHT, "never sent, final": NEVER_SENT, "open": OPEN, "final": FINAL}
    return next((name for name, group in groups.items() if state in group), "not known")


def transitions(_: str) -> str:
    rows = [(f"`{state}`", ", ".join(t for t in State if t in after)) for state, after in orders.TRANSITIONS.items()]
    return table(("from", "to"), [(state, after or "(final)") for state, after in rows])


def diagram(_: str) -> str:
    return f"```mermaid\n{orders.mermaid()}\n```"


def message_kinds(_: str) -> str:
    parts = [_models("Commands", messages.Command), _models("Answers and events", messages.Reply)]
    inner = (messages.TradeRequest, messages.TradeResult, messages.Status, messages.Execution)
    return "\n\n".join([*parts, "## Inside messages", *(_model(model) for model in inner)])


def _models(title: str, union: Any) -> str:
    return "\n\n".join([f"## {title}", *map(_model, get_args(get_args(union)[0]))])


def _model(model: type[BaseModel]) -> str:
    doc = " ".join((model.__doc__ or "").split())
    hints = get_type_hints(model, include_extras=True)
    rows = [
        (f"`{name}`", _type(hints[name]), _given(field.get_default(call_default_factory=True)))
        for name, field in model.model_fields.items()
        if name not in ("kind", "v")
    ]
    head = f"### {model.__name__}\n\n{doc}"
    return f"{head}\n\n{table(('field', 'type', 'default'), rows)}"


def _given(value: object) -> str:
    if repr(value) == "PydanticUndefined":
        return "required"
    return "-" if value in (None, "", ()) else f"`{value!r}`"


#: The types of messages that have a name there.
NAMED: Final = {
    "id": messages.Id,
    "text, to 64": messages.Name,
    "text, to 1024": messages.Text,
    "int": messages.Int64,
    "int, 0 or more": messages.Unsigned,
    "State": messages.StateField,
    "row": messages.Row,
    "Status or Execution": messages.Event,
}


def _type(hint: Any) -> str:
    for name, known in NAMED.items():
        if hint == known:
            return name
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = ", ".join(filter(None, (_limit(item) for item in inner[1].metadata)))
        return f"{_type(inner[0])}, {limits}" if limits else _type(inner[0])
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if inner:
        return " or ".join(map(_type, inner))
    return "none" if hint is type(None) else "text" if hint is str else str(hint.__name__)


#: pydantic's constraints in words.
LIMITS: Final = {"ge": "from", "gt": "above", "le": "to", "lt": "below", "min_length": "from", "max_length": "to"}


def _limit(item: object) -> str:
    found = ((text, getattr(item, name, None)) for name, text in LIMITS.items())
    return ", ".join(f"{text} {value}" for text, value in found if value is not None)


# ---- simulated terminals -------------------------------------------------------------------------------------------

TERMINAL: Final[dict[str, type[BaseModel]]] = {"Personality": personality.Personality, "Fault": script.Fault}


def personalities(_: str) -> str:
    rows = [(f"`{name}`", broker.description) for name, broker in personality.built_in().items()]
    return table(("name", "what is special"), rows)


def terminal(name: str) -> str:
    """A model of a TOML table: what its docstring says, and the defaults."""
    model = TERMINAL[name]
    rows = [
        (f"`{key}`", _given(field.get_default(call_default_factory=True))) for key, field in model.model_fields.items()
    ]
    return f"{inspect.cleandoc(model.__doc__ or '')}\n\n{table(('field', 'default'), rows)}"


def control_methods(_: str) -> str:
    methods = [
        (name, member) for name, member in vars(Controls).items() if inspect.isfunction(member) and name[0] != "_"
    ]
    rows = [(f"`{name}{_call(member)}`", " ".join((member.__doc__ or "").split())) for name, member in methods]
    return table(("method", "what it does"), [row for row in rows if not row[0].startswith("`control(")])


def _call(member: Callable[..., Any]) -> str:
    """The parameters of a method, without self and types."""
    given = list(inspect.signature(member).parameters.values())[1:]
    return f"({', '.join(str(p.replace(annotation=p.empty)) for p in given)})"


# ---- topology, return codes, command line --------------------------------------------------------------------------


def topology_tables(_: str) -> str:
    plan = [planned.item for planned in everything([], "quorum")]
    exchanges = [(f"`{i.name}`", i.kind, _arguments(i)) for i in plan if isinstance(i, topology.Exchange)]
    queues = [(f"`{i.name}`", _life(i), _arguments(i)) for i in plan if isinstance(i, topology.Queue)]
    bindings = [
        (f"`{i.exchange}`", f"`{i.key}`" if i.key else _arguments(i) or "(all)", f"`{i.queue}`")
        for i in plan
        if isinstance(i, topology.Binding)
    ]
    parts = (
        ("Exchanges", ("exchange", "type", "arguments"), exchanges),
        ("Queues", ("queue", "kind", "arguments"), queues),
        ("Bindings", ("exchange", "routing key", "queue"), bindings),
    )
    return "\n\n".join(f"## {title}\n\n{table(head, rows)}" for title, head, rows in parts)


def _life(queue: topology.Queue) -> str:
    return "exclusive" if queue.exclusive else "durable" if queue.durable else "transient"


def _arguments(item: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in item.arguments.items())


#: The two kinds of tables of a market file, and which of their fields have words.
MARKET: Final[dict[str, tuple[type, Mapping[str, Any]]]] = {
    "symbols": (specs.SymbolSpec, market_file.WORDS),
    "accounts": (specs.AccountSpec, market_file.ACCOUNT_WORDS),
}


def market_fields(name: str) -> str:
    """The fields of a symbol or an account in a market file."""
    build, worded = MARKET[name]
    given = [item for item in fields(build) if item.init and (build, item.name) != (specs.SymbolSpec, "name")]
    text, hints = words(f"market {name}", [item.name for item in given]), get_type_hints(build)
    rows = [
        (
            f"`{item.name}`",
            _setting_type(hints[item.name], worded.get(item.name)),
            _setting(item, worded),
            text[item.name],
        )
        for item in given
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _setting_type(hint: Any, worded: Any) -> str:
    if worded is not None:
        names = ", ".join(str(member.name).lower() for member in worded)
        return f"list of {names}" if issubclass(worded, IntFlag) else f"one of {names}"
    if get_origin(hint) in (Mapping, tuple, collections.abc.Mapping):
        return "table" if get_origin(hint) is not tuple else "list"
    return _type(hint)


def _setting(item: Any, worded: Mapping[str, Any]) -> str:
    if item.default is MISSING:
        return "-"
    if item.name not in worded:
        return "-" if item.default == "" else f"`{item.default!r}`"
    word = market_file.worded(worded[item.name], item.default)
    return ", ".join(word) if isinstance(word, list) else word


def retcodes(_: str) -> str:
    rows = [
        (str(code.value), f"`TRADE_RETCODE_{code.name}`", RETCODE_TEXT[code], classify(code).value)
        for code in sorted(Retcode)
    ]
    return table(("code", "name", "text", "class"), rows)


def command_line(_: str) -> str:
    return "\n\n".join(_verb(point) for point in points())


def points() -> list[EntryPoint]:
    """The verbs of `mas`, in the order of its help, found without an installation."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)["project"]["entry-points"][GROUP] | OWN
    return [EntryPoint(name, found[name], GROUP) for name in [*SUMMARIES, *sorted(found.keys() - SUMMARIES.keys())]]


def _verb(point: EntryPoint) -> str:
    command = load(point)
    inner = getattr(command, "commands", None)
    each = [(f"mas {point.name} {name}", verb) for name, verb in inner.items()] if inner else None
    return "\n\n".join(_options(name, verb) for name, verb in each or [(f"mas {point.name}", command)])


def _options(name: str, command: Any) -> str:
    doc = " ".join((command.help or "").split())
    rows = [_option(option) for option in command.params if option.name != "help"]
    return f"### `{name}`\n\n{doc}" + (f"\n\n{table(('option', 'default', 'meaning'), rows)}" if rows else "")


def _option(option: Any) -> tuple[str, str, str]:
    argument = option.param_type_name == "argument"
    name = option.name.upper() if argument else ", ".join(f"`{word}`" for word in option.opts)
    default = "required" if option.required else "-" if option.default in (None, "", False) else f"{option.default}"
    return name, default, " ".join((option.help or "").split())


# ---- rules of MT5 that tests show --------------------------------------------------------------------------------


def fidelity(_: str) -> str:
    """The rules by chapter, each with the test that shows it."""
    chapters: dict[str, list[Rule]] = {title: [] for title in WORDS["fidelity"].values()}
    for rule in collect(ROOT):
        if str(rule.section[0]) not in WORDS["fidelity"]:
            raise SystemExit(f"words.toml, [fidelity]: no title for chapter {rule.section[0]} of {rule.test}")
        chapters[WORDS["fidelity"][str(rule.section[0])]].append(rule)
    head = ("rule", "source", "test", "setting")
    parts = [
        f"## {title}\n\n{table(head, [rule.cells for rule in found])}" for title, found in chapters.items() if found
    ]
    return "\n\n".join(parts)


PARTS: Final[Mapping[str, Callable[[str], str]]] = {
    "fidelity": fidelity,
    "params": parameters,
    "event": event_fields,
    "states": states,
    "transitions": transitions,
    "diagram": diagram,
    "messages": message_kinds,
    "personalities": personalities,
    "terminal": terminal,
    "controls": control_methods,
    "topology": topology_tables,
    "retcodes": retcodes,
    "commands": command_line,
    "market": market_fields,
}


def outdated() -> Iterator[Path]:
    """The pages that are not as this would write them."""
    for path, text in pages().items():
        if path.read_text(encoding="utf-8") != text:
            yield path


if __name__ == "__main__":
    for page, wanted in pages().items():
        page.write_text(wanted, encoding="utf-8", newline="\n")
