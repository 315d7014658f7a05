"""The summary file of a gate: numbers that the condition of a pipeline reads."""

from __future__ import annotations

import json
from collections.abc import Mapping


def render(
    *, passed: bool, counts: Mapping[str, int], rules: Mapping[str, int], images: Mapping[str, int | None]
) -> str:
    """The summary as JSON: numbers only. Every key is always present, since a condition fails on a missing one.

    Args:
        passed: Whether the data passes; False until the run has ended well.
        counts: Number of findings by severity.
        rules: Number of findings by code, for every selected rule.
        images: Number of images that are named, found and unreadable; None where they were not looked for.
    """
    summary = {
        "schema_version": 1,
        "passed": int(passed),
        "counts": {level: counts.get(level, 0) for level in ("error", "warning", "info")},
        "rules": dict(rules),
        "images": {name: images.get(name) or 0 for name in ("total", "found", "unreadable")},
    }
    return json.dumps(summary) + "\n"
