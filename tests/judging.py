"""Judging manifests by rules, without the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.base_tables import BASE
from groundlint.engine.evaluate import Evaluation, evaluate
from groundlint.engine.registry import Registry, load
from groundlint.engine.rule import Rule
from groundlint.manifest.reader import read

REGISTRY: Registry = load(isolated=True)


def evaluated(rules: Iterable[type[Rule]], *sources: Source, target: str = "rekognition", **limits: Any) -> Evaluation:
    """What those rules of a target say of one data set. `limits` are settings, as `region`."""
    tables = read([DataSet(sources, frozenset(source.name for source in sources))]).tables
    limit = {"region": None, "max_images": None} | limits
    tables["limits"] = pl.DataFrame([limit], schema=BASE["limits"].schema)
    of_target = [rule() for rule in rules if target in rule.targets]
    plan = REGISTRY.graph.plan(of_target, notes=REGISTRY.notes.values())
    evaluation = evaluate(plan, {name: frame.lazy() for name, frame in tables.items()})
    assert evaluation.raised == []
    return evaluation


def judged(rules: Iterable[type[Rule]], *sources: Source, **settings: Any) -> list[dict[str, Any]]:
    """The findings of rules in one data set."""
    return evaluated(rules, *sources, **settings).findings.to_dicts()
