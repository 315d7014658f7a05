"""Judging manifests by rules, without the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.evaluate import evaluate
from groundlint.engine.registry import Registry, load
from groundlint.engine.rule import Rule
from groundlint.engine.tables import BASE
from groundlint.manifest.reader import read

REGISTRY: Registry = load(isolated=True)


def judged(
    rules: Iterable[type[Rule]], *sources: Source, target: str = "rekognition", **limits: Any
) -> list[dict[str, Any]]:
    """The findings of those rules of a target in one data set. `limits` are settings, as `region`."""
    tables = read([DataSet(sources, frozenset(source.name for source in sources))]).tables
    limit = {"region": None, "max_images": None} | limits
    tables["limits"] = pl.DataFrame([limit], schema=BASE["limits"].schema)
    plan = REGISTRY.graph.plan([rule() for rule in rules if target in rule.targets])
    evaluation = evaluate(plan, {name: frame.lazy() for name, frame in tables.items()})
    assert evaluation.raised == []
    return evaluation.findings.to_dicts()
