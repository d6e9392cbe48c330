"""The measurements as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from paths import GOALS, RAW
from stats import Goal, Spread, ratios, spread

#: One round of one path: metric -> seconds, or calls per second.
Sample = Mapping[str, float]
Rounds = Mapping[str, Sequence[Sample]]

TITLES = {
    "p50": "round trip, one after the other: p50",
    "p99": "round trip, one after the other: p99",
    "window100": "pipelined, window of 100",
    "window1000": "pipelined, window of 1000",
}


def against(rounds: Rounds, path: str, reference: str, metric: str) -> Spread:
    """The ratio of two paths in one metric."""
    mine, theirs = ([sample[metric] for sample in rounds[name]] for name in (path, reference))
    return spread(ratios(mine, theirs))


def text(rounds: Rounds, skipped: Mapping[str, str]) -> str:
    """One block per metric, the goals beside the paths that they are about."""
    return "\n\n".join(_block(rounds, metric) for metric in _measured(rounds)) + "".join(
        f"\n\n{name}: not measured: {reason}" for name, reason in skipped.items()
    )


def summary(rounds: Rounds) -> dict[str, object]:
    """The same figures for programs."""
    return {
        metric: {
            path: {
                "absolute": asdict(spread([sample[metric] for sample in samples])),
                **({"ratio": asdict(against(rounds, path, RAW, metric))} if RAW in rounds else {}),
            }
            for path, samples in rounds.items()
        }
        for metric in _measured(rounds)
    }


def goals(rounds: Rounds) -> list[dict[str, object]]:
    """Each goal whose two paths were measured, the ratio, and whether it is met."""
    return [
        {**asdict(goal), "ratio": ratio, "met": goal.met(ratio)}
        for goal in GOALS
        if goal.path in rounds and goal.against in rounds and goal.metric in _measured(rounds)
        for ratio in [against(rounds, goal.path, goal.against, goal.metric).median]
    ]


def _measured(rounds: Rounds) -> list[str]:
    """The metrics that every round of every path has; a quick run leaves some out."""
    return [metric for metric in TITLES if all(metric in sample for samples in rounds.values() for sample in samples)]


def _block(rounds: Rounds, metric: str) -> str:
    lines = [f"{TITLES[metric]:<44}{'x raw pika [min-max]':<24}goal"]
    for path, samples in rounds.items():
        absolute = spread([sample[metric] for sample in samples]).median
        ratio = _spread(against(rounds, path, RAW, metric)) if RAW in rounds and path != RAW else ""
        said = "; ".join(_goal(rounds, goal) for goal in GOALS if _beside(goal) == path and goal.metric == metric)
        lines.append(f"  {path:<28}{_absolute(metric, absolute):>12}  {ratio:<24}{said}".rstrip())
    return "\n".join(lines)


def _beside(goal: Goal) -> str:
    """A goal against the reference stands beside the product, another one beside the peer."""
    return goal.path if goal.against == RAW else goal.against


def _goal(rounds: Rounds, goal: Goal) -> str:
    if goal.path not in rounds or goal.against not in rounds:
        return ""
    ratio = against(rounds, goal.path, goal.against, goal.metric).median
    sign, verdict = (">=" if goal.at_least else "<="), ("met" if goal.met(ratio) else "MISSED")
    if goal.against == RAW:
        return f"{sign} {goal.bound:g}: {verdict}"
    return f"{goal.path} {sign} {goal.bound:g} x this: {ratio:.1f}, {verdict}"


def _absolute(metric: str, value: float) -> str:
    return f"{value * 1e3:.2f} ms" if metric in {"p50", "p99"} else f"{value:.0f} /s"


def _spread(ratio: Spread) -> str:
    return f"{ratio.median:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"
