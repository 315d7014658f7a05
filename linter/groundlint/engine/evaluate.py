"""Judging: compute the tables that the selected rules need, each once, and run the rules one by one."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl
from polars import DataFrame, Expr, LazyFrame, lit

from groundlint.engine import findings
from groundlint.engine.features import Feature
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Rule, inputs
from groundlint.engine.tables import BASE, IMAGE_VALUES


class Scoped(NamedTuple):
    """A rule with one set of options, and which of its findings count: all where that is None."""

    rule: Rule
    counts: Expr | None = None


@dataclass(frozen=True)
class Plan:
    """What the rules of a run need: base tables and features to be filled, derived tables to be computed."""

    registry: Registry
    rules: tuple[Scoped, ...]
    base: frozenset[str]
    derived: frozenset[str]
    features: frozenset[str]


class Raised(NamedTuple):
    """A rule that raised instead of judging."""

    code: str
    error: str
    traceback: str


@dataclass
class Judgement:
    """What the rules found in one data set, which of them raised, and the seconds that each took."""

    findings: DataFrame
    raised: list[Raised] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def plan(registry: Registry, rules: Sequence[Rule | Scoped], tables: Iterable[str] = ()) -> Plan:
    """What rules need, and the further tables that are wanted by name."""
    scoped = [rule if isinstance(rule, Scoped) else Scoped(rule) for rule in rules]
    wanted: set[str] = set()
    features = {name for rule, _ in scoped for name in rule.features}
    open_names = {*tables, *(name for rule, _ in scoped for name in inputs(rule.check))}
    while open_names:
        name = open_names.pop()
        wanted.add(name)
        if name in registry.tables:
            table = registry.tables[name]
            features |= set(table.features)
            open_names |= set(inputs(table.function)) - wanted
    return Plan(
        registry, tuple(scoped), frozenset(wanted & set(BASE)), frozenset(wanted - set(BASE)), frozenset(features)
    )


def looks_at_images(plan: Plan, rule: Rule, given: Set[str] = frozenset()) -> bool:
    """Whether a rule has nothing to say without images: it asks for them, or for a feature, itself or by a table.

    A table that asks also for one of those that the user gave has something to say.
    """
    open_names, seen = set(inputs(rule.check)), set[str]()
    if rule.features or open_names & {"images", "crops"}:
        return True
    while open_names:
        name = open_names.pop()
        seen.add(name)
        if table := plan.registry.tables.get(name):
            needed = set(inputs(table.function))
            if needed & given:
                continue
            if table.features:
                return True
            open_names |= needed - seen
    return False


def measured(plan: Plan) -> list[Feature]:
    """The features of a plan that can be measured here, with the steps that they need."""
    known = plan.registry.features
    names, found = {name for name in plan.features if known[name].is_available}, set[str]()
    while names:
        name = names.pop()
        found.add(name)
        names |= {needed for needed in known[name].inputs if needed in known} - found
    return [known[name] for name in sorted(found)]


def judge(plan: Plan, tables: Mapping[str, LazyFrame]) -> Judgement:
    """Run the rules of a plan over the tables of one data set.

    Args:
        plan: what to run.
        tables: the base tables; a missing one is empty.
    """
    workspace = Workspace(plan, tables)
    judgement = Judgement(findings.EMPTY)
    found = [judgement.findings]
    for rule, counts in _in_turn(plan):
        start = time.perf_counter()
        try:
            rows = rule.check(**{name: workspace.table(name) for name in inputs(rule.check)})
            made = findings.build(rule, collected(rows), workspace.base)
            found.append(made if counts is None else made.filter(counts))
        # One rule's fault must not hide what the others find; a panic of polars is no Exception.
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001
            judgement.raised.append(Raised(rule.code, f"{type(error).__name__}: {error}", traceback.format_exc()))
        workspace.release(inputs(rule.check))
        judgement.seconds[rule.code] = time.perf_counter() - start
    judgement.findings = findings.ordered(pl.concat(found))
    return judgement


def _in_turn(plan: Plan) -> Iterator[Scoped]:
    """The rules, those first whose tables are there: a table is dropped after its last use, the sooner the better."""
    left = [(scoped, _derived(plan, inputs(scoped.rule.check))) for scoped in plan.rules]
    there: set[str] = set()
    while left:
        place = next((n for n, (_, needed) in enumerate(left) if needed <= there), None)
        if place is None:
            place = max(range(len(left)), key=lambda n: (len(left[n][1] & there), -n))
        scoped, needed = left.pop(place)
        there |= needed
        yield scoped


def _derived(plan: Plan, names: Iterable[str]) -> set[str]:
    """The derived tables that tables are made of, and those among them."""
    found: set[str] = set()
    for name in names:
        if name in plan.derived and name not in found:
            found |= {name} | _derived(plan, inputs(plan.registry.tables[name].function))
    return found


def collected(rows: LazyFrame | DataFrame) -> DataFrame:
    """Rows in memory. Not streamed: in polars 2.1 `pl.format`, which other packages' rules may use, panics there."""
    return rows.collect(engine="in-memory") if isinstance(rows, LazyFrame) else rows


class Workspace:
    """The tables of one data set: derived ones are computed when first wanted and dropped after their last use."""

    def __init__(self, plan: Plan, tables: Mapping[str, LazyFrame]) -> None:
        self.base = {name: table.empty().lazy() for name, table in BASE.items()} | dict(tables)
        for feature in (plan.registry.features[name] for name in sorted(plan.features)):
            # Nothing was measured where no image was found, or what the feature requires is not installed.
            if feature.dtype and feature.name not in self.base[feature.of].collect_schema():
                nothing = lit(None, IMAGE_VALUES[feature.dtype]).alias(feature.name)
                self.base[feature.of] = self.base[feature.of].with_columns(nothing)
        self._registry = plan.registry
        self._derived: dict[str, LazyFrame] = {}
        self._uses = Counter(name for rule, _ in plan.rules for name in inputs(rule.check))
        self._uses.update(name for table in plan.derived for name in inputs(plan.registry.tables[table].function))

    def table(self, name: str) -> LazyFrame:
        """A table by its name."""
        if name in self.base:
            return self.base[name]
        if name not in self._derived:
            function = self._registry.tables[name].function
            rows = function(**{needed: self.table(needed) for needed in inputs(function)})
            self._derived[name] = collected(rows).lazy()
            self.release(inputs(function))
        return self._derived[name]

    def release(self, names: Iterable[str]) -> None:
        """Tell that tables have been used once more; what nobody will use again is dropped."""
        for name in names:
            self._uses[name] -= 1
            if self._uses[name] <= 0:
                self._derived.pop(name, None)
