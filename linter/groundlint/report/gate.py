"""The summary for a gate: numbers that the condition of a pipeline reads."""

from __future__ import annotations

import json
from collections.abc import Mapping


def render(
    *, passed: bool, counts: Mapping[str, int], rules: Mapping[str, int], images: Mapping[str, int | None]
) -> str:
    """The summary as JSON: numbers only, every key always there, since a condition on an absent key fails the step.

    Args:
        passed: whether the run lets the data pass; False until it has ended well.
        counts: findings by severity.
        rules: findings by code, of every selected rule.
        images: total, found and unreadable; None where none were looked for.
    """
    summary = {
        "schema_version": 1,
        "passed": int(passed),
        "counts": {level: counts.get(level, 0) for level in ("error", "warning", "info")},
        "rules": dict(rules),
        "images": {name: images.get(name) or 0 for name in ("total", "found", "unreadable")},
    }
    return json.dumps(summary) + "\n"
