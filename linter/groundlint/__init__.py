"""A linter for image data sets: what plugin authors and notebooks use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundlint.api import check
    from groundlint.engine.edits import (
        json_number,
        json_string,
        keep_line,
        pointer,
        remove_line,
        remove_value,
        rename_key,
        set_value,
    )
    from groundlint.engine.examples import Bad, Good
    from groundlint.engine.features import feature, step
    from groundlint.engine.notes import note
    from groundlint.engine.rule import FACT, Cost, Option, Rule, Safety, Severity, Status
    from groundlint.engine.tables import table
    from groundlint.engine.wording import counted, worded

__version__ = "0.1.0"

__all__ = [
    "FACT",
    "Bad",
    "Cost",
    "Good",
    "Option",
    "Rule",
    "Safety",
    "Severity",
    "Status",
    "check",
    "counted",
    "feature",
    "json_number",
    "json_string",
    "keep_line",
    "note",
    "pointer",
    "remove_line",
    "remove_value",
    "rename_key",
    "set_value",
    "step",
    "table",
    "worded",
]

_MODULES = {
    "api": ("check",),
    "engine.edits": (
        "json_number",
        "json_string",
        "keep_line",
        "pointer",
        "remove_line",
        "remove_value",
        "rename_key",
        "set_value",
    ),
    "engine.examples": ("Bad", "Good"),
    "engine.features": ("feature", "step"),
    "engine.notes": ("note",),
    "engine.rule": ("FACT", "Cost", "Option", "Rule", "Safety", "Severity", "Status"),
    "engine.tables": ("table",),
    "engine.wording": ("counted", "worded"),
}


def __getattr__(name: str) -> Any:
    """Import on first use: the command's `--version` needs none of it."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"groundlint.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
