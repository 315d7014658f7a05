"""Every installed rule keeps what its examples promise, has the properties of a sound rule, and follows conventions."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from polars import DataFrame, LazyFrame, col
from polars.testing import assert_frame_equal

import groundlint_rules
from groundlint.engine.base_tables import BASE
from groundlint.engine.cascade import COVERED_PLACES
from groundlint.engine.evaluate import Workspace, collected
from groundlint.engine.examples import Bad
from groundlint.engine.registry import load
from groundlint.engine.rule import FACT, Rule, Severity, Status, family
from groundlint.example_tables import example_tables, together
from groundlint.testing import example_faults, property_faults

REGISTRY = load(isolated=True)
RULES = [pytest.param(rule, id=f"{code} {rule.name}") for code, rule in sorted(REGISTRY.rules.items())]
ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "linter"
PACKAGE = ROOT / "rules/groundlint_rules"

FAMILIES = {
    "manifests": "MAN",
    "references": "REF",
    "labels": "LBL",
    "boxes": "BOX",
    "images": "IMG",
    "splits": "SPL",
    "balance": "BAL",
    "suspects": "SUS",
    "configuration": "CFG",
    "duplicates": "DUP",
    "visibility": "VIS",
    "clutter": "CLU",
    "evaluation": "EVA",
}

MAX_CODE = 30
"""Lines of code of a rule's methods; a longer one lacks a derived table."""

RETIRED = {
    "MAN104",
    "LBL203",
    "LBL204",
    "BOX304",
    "BOX310",
    "IMG209",
    "IMG210",
    "DUP103",
    "DUP106",
    "SPL104",
    "SPL201",
    "SUS103",
}
"""Codes of rules that were merged or became notes. They are not used again."""


@pytest.mark.parametrize("rule", RULES)
def test_the_examples_of_a_rule_hold(rule: type[Rule]) -> None:
    assert example_faults(REGISTRY, rule) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_the_properties_of_a_sound_rule(rule: type[Rule]) -> None:
    assert property_faults(REGISTRY, rule) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_follows_the_conventions(rule: type[Rule]) -> None:
    assert family(rule) == FAMILIES[rule.__module__.split(".")[1]]
    assert rule.code not in RETIRED
    text = inspect.getdoc(rule) or ""
    assert "## Why it matters" in text
    assert "## How to fix it" in text
    if rule.status is Status.PREVIEW:
        assert rule.severity is Severity.INFO
    if rule.aws and rule.precision is not None:
        assert rule.precision == FACT


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_one_short_query(rule: type[Rule]) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            length = (function.end_lineno or 0) - function.body[0].lineno + 1
            assert length <= MAX_CODE, f"{rule.code}.{function.name} has {length} lines"


def test_every_family_is_searched_for_rules() -> None:
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert set(groundlint_rules.__all__) <= parts
    assert parts - set(groundlint_rules.__all__) == {
        "__init__",
        "algorithms",
        "diagnoses",
        "geometry",
        "samples",
        "scoring",
        "service",
        "service_codes",
        "wide_columns",
    }


def test_every_derived_table_and_feature_is_used() -> None:
    rules = [rule() for rule in REGISTRY.rules.values()]
    plan = REGISTRY.graph.plan(rules, notes=REGISTRY.notes.values(), kept=[COVERED_PLACES])
    exported = {"visibility", "clutter", "label_odds", "image_hashes", "near_pairs"}
    assert set(REGISTRY.tables) - plan.derived <= exported
    used = {feature.name for feature in plan.features}
    assert REGISTRY.features.keys() - used == set()


@pytest.mark.parametrize("name", sorted(REGISTRY.tables))
def test_a_derived_table_of_two_data_sets_has_the_rows_of_each(name: str) -> None:
    touching = (tables for tables in _base_examples() if not _table(name, tables).is_empty())
    pool = list(itertools.islice(touching, 4))
    assert pool or not _is_of_lines(name)
    for first, second in itertools.pairwise([*pool, *pool[:1]]):
        whole = _table(name, together([first, second]))
        if "data_set" not in whole.columns:
            continue
        alone = [_table(name, together([tables])) for tables in (first, second)]
        for number, expected in enumerate(alone):
            part = whole.filter(col("data_set") == number)
            assert_frame_equal(_plain(part), _plain(expected), check_row_order=False)


def _is_of_lines(name: str) -> bool:
    """Whether a table can have rows without images."""
    rule_tables = REGISTRY.graph.closure([name])
    return not rule_tables & {"images", "crops", "embeddings", "suppressions"}


@cache
def _base_examples() -> list[dict[str, LazyFrame]]:
    """The tables of the bad examples of all rules that give base tables only."""
    examples = [example for rule in REGISTRY.rules.values() for example in rule.examples if isinstance(example, Bad)]
    return [example_tables(REGISTRY, example) for example in examples if set(example.rows) <= set(BASE)]


def _table(name: str, tables: dict[str, LazyFrame]) -> DataFrame:
    return collected(Workspace(REGISTRY.graph.plan((), tables=[name]), tables).table(name))


def _plain(rows: DataFrame) -> DataFrame:
    """Rows without what says which data set they are of."""
    ids = [name for name in rows.columns if name.startswith(("data_set", "line_id", "attribute_id", "box_id"))]
    manifests = [name for name in rows.columns if "manifest" in name]
    plain = rows.drop(ids).with_columns(pl.col(manifests).str.replace("^[0-9]+/", ""))
    if "related" in plain.columns:
        place = pl.element().struct.with_fields(pl.field("manifest").str.replace("^[0-9]+/", ""))
        plain = plain.with_columns(pl.col("related").list.eval(place))
    return plain.select(sorted(plain.columns))


def test_the_engine_never_imports_the_rules() -> None:
    imported = {name for path in ENGINE.rglob("*.py") for name in _imports(path)}
    assert not {name for name in imported if name.startswith("groundlint_rules")}


def _imports(path: Path) -> set[str]:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    return imported
