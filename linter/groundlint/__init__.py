"""A linter for image data sets: what plugin authors and notebooks use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundlint.api import check
    from groundlint.engine.examples import Bad, Good
    from groundlint.engine.features import feature, step
    from groundlint.engine.rule import Option, Rule, Severity
    from groundlint.engine.tables import table
    from groundlint.engine.wording import worded

__version__ = "0.1.0"

__all__ = ["Bad", "Good", "Option", "Rule", "Severity", "check", "feature", "step", "table", "worded"]

_HOMES = {
    "Bad": "engine.examples",
    "Good": "engine.examples",
    "Option": "engine.rule",
    "Rule": "engine.rule",
    "Severity": "engine.rule",
    "check": "api",
    "feature": "engine.features",
    "step": "engine.features",
    "table": "engine.tables",
    "worded": "engine.wording",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the command's `--version` needs none of it."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"groundlint.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
