"""Scores of findings that rest on a measurement: from 0 (sound) to 1 (bad), 0.5 at the limit of the rule.

They are strictly monotone in the measurement, so that findings can be ordered however far they exceed the limit.
"""

from __future__ import annotations

from polars import Expr, col


def score_above(value: str | Expr, limit: float) -> Expr:
    """Score of a measurement, not negative, that is worse the higher it is."""
    number = col(value) if isinstance(value, str) else value
    return number / (number + limit)


def score_below(value: str | Expr, limit: float) -> Expr:
    """Score of a measurement, not negative, that is worse the lower it is."""
    number = col(value) if isinstance(value, str) else value
    return limit / (number + limit)
