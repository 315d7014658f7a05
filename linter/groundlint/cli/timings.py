"""The table of seconds with which `groundlint check -v` ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundlint.engine.timings import Kind, Timed

_WIDTH = 60
"""Most columns of a line."""

_SHOWN = 5
"""Rules, derived tables and features that are listed, the slowest first."""

_HEADINGS: Mapping[Kind, str] = {
    "rule": "slowest rules",
    "table": "slowest derived tables",
    "feature": "slowest features, CPU of all processes",
}


def table(seconds: Mapping[Timed, float], rule_names: Mapping[str, str]) -> list[str]:
    """Lines with the seconds of all stages in order, and of the slowest rules, derived tables and features.

    Args:
        seconds: What was timed.
        rule_names: Names of rules by code.
    """
    of_stages = {name: value for (kind, name), value in seconds.items() if kind == "stage"}
    rows = [("stages", "seconds"), *_rows({**of_stages, "total": sum(of_stages.values())})]
    for kind, heading in _HEADINGS.items():
        of_kind = {timed.name: value for timed, value in seconds.items() if timed.kind == kind}
        slowest = sorted(of_kind, key=lambda name: of_kind[name], reverse=True)[:_SHOWN]
        if slowest:
            named = {f"{name} {rule_names[name]}" if kind == "rule" else name: of_kind[name] for name in slowest}
            rows += [(heading, "seconds"), *_rows(named)]
    numbers = max(len(number) for _, number in rows)
    names = min(max(len(name) for name, _ in rows), _WIDTH - 2 - numbers)
    return [f"{_cut(name, names):<{names}}  {number:>{numbers}}" for name, number in rows]


def _rows(seconds: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(f"  {name}", f"{value:,.3f}") for name, value in seconds.items()]


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
