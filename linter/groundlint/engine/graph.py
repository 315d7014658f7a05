"""The dependency graph: what rules, notes, derived tables and features need, in what order, and how often.

It is built when rules are loaded, and no other module follows dependencies. The one exception is a worker process: it
must not import tables, and finds out itself which features it can measure on a broken file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from groundlint.engine.base_tables import BASE
from groundlint.engine.features import INPUTS, Feature
from groundlint.engine.rule import Rule, inputs
from groundlint.engine.tables import DerivedTable
from groundlint.phrases import suggestion

if TYPE_CHECKING:
    from polars import DataFrame, Expr, LazyFrame

    from groundlint.engine.notes import Note

IMAGE_TABLES = frozenset({"images", "crops", "reference_images"})
"""The base tables that are filled by measuring images."""


class Scoped(NamedTuple):
    """A rule with one set of options, and the condition under which its findings count: all of them if None."""

    rule: Rule
    counts: Expr | None = None


@dataclass(frozen=True)
class Plan:
    """What one run computes: rules and notes, and the base tables, derived tables and features that they need."""

    graph: Graph
    rules: tuple[Scoped, ...]
    notes: tuple[Note, ...]
    base: frozenset[str]
    derived: frozenset[str]
    features: tuple[Feature, ...]
    """Features and steps to measure."""
    columns: tuple[Feature, ...]
    """Features that some table or rule wants as a column."""
    kept: tuple[str, ...] = ()
    """Derived tables whose rows are part of the result."""

    @property
    def uses(self) -> Counter[str]:
        """How often each table will be read."""
        uses = Counter(name for scoped in self.rules for name in inputs(scoped.rule.check))
        uses.update(name for note in self.notes for name in inputs(note.function))
        uses.update(name for table in self.derived for name in self.graph.inputs_of(table))
        uses.update(self.kept)
        return uses

    def in_order(self) -> Iterator[Scoped]:
        """The rules, so that those that share tables follow each other: tables are dropped after their last use."""
        left = [(scoped, self._derived_inputs(scoped)) for scoped in self.rules]
        computed: set[str] = set()
        while left:
            place = next((n for n, (_, needed) in enumerate(left) if needed <= computed), None)
            if place is None:
                place = max(range(len(left)), key=lambda n: (len(left[n][1] & computed), -n))
            scoped, needed = left.pop(place)
            computed |= needed
            yield scoped

    def _derived_inputs(self, scoped: Scoped) -> frozenset[str]:
        return self.graph.closure(inputs(scoped.rule.check)) & self.derived


class Graph:
    """Dependencies among derived tables and features, by name."""

    def __init__(self, tables: Mapping[str, DerivedTable], features: Mapping[str, Feature]) -> None:
        self._tables = tables
        self._features = features

    def function(self, table: str) -> Callable[..., LazyFrame | DataFrame]:
        """The function that computes a derived table."""
        return self._tables[table].function

    def features_of(self, table: str) -> tuple[str, ...]:
        """The measured columns that a derived table declares."""
        return self._tables[table].features

    def inputs_of(self, table: str) -> tuple[str, ...]:
        """The tables that a derived table is computed from; none for a base table."""
        return inputs(self._tables[table].function) if table in self._tables else ()

    def closure(self, tables: Iterable[str]) -> frozenset[str]:
        """Tables and all tables that they are computed from."""
        return frozenset(name for table in tables for name in self._closures.get(table, (table,)))

    @cached_property
    def _closures(self) -> dict[str, frozenset[str]]:
        closures: dict[str, frozenset[str]] = {}
        for table in TopologicalSorter({name: self.inputs_of(name) for name in self._tables}).static_order():
            needed = frozenset(other for name in self.inputs_of(table) for other in closures.get(name, {name}))
            closures[table] = needed | {table}
        return closures

    def plan(
        self,
        rules: Sequence[Rule | Scoped],
        *,
        notes: Iterable[Note] = (),
        tables: Iterable[str] = (),
        kept: Iterable[str] = (),
        features: Iterable[str] = (),
        fast: bool = False,
    ) -> Plan:
        """What a run of rules computes.

        Args:
            rules: The rules, with their options.
            notes: Notes that are made if one of their rules is among these.
            tables: Further tables that are wanted by name.
            kept: Derived tables that become part of the result, if a package offers them. For them alone no image is
                looked for.
            features: Further measured columns that are wanted by name, with the images or boxes that they are of.
            fast: Measure no costly feature; its column is null. Rules of cost fast may use such columns, but do not
                depend on them.
        """
        scoped = tuple(rule if isinstance(rule, Scoped) else Scoped(rule) for rule in rules)
        names = {scope.rule.name for scope in scoped}
        made = tuple(note for note in notes if names.intersection(note.rules))
        roots = {*tables}
        roots.update(name for scope in scoped for name in inputs(scope.rule.check))
        roots.update(name for note in made for name in inputs(note.function))
        known = tuple(name for name in kept if name in self._tables)
        needed = self.closure(roots) | (self.closure(known) - IMAGE_TABLES)
        further = {*features}
        needed |= {self._features[name].of for name in further}
        columns = further | {name for scope in scoped for name in scope.rule.features}
        columns.update(name for table in needed & self._tables.keys() for name in self._tables[table].features)
        columns.update(
            feature.name
            for feature in self._features.values()
            if feature.of in {*tables} & IMAGE_TABLES and feature.dtype is not None
        )
        return Plan(
            self,
            scoped,
            made,
            base=needed & BASE.keys(),
            derived=needed - BASE.keys(),
            features=tuple(self.measured({name for name in columns if not (fast and self._features[name].is_costly)})),
            columns=tuple(self._features[name] for name in sorted(columns)),
            kept=known,
        )

    def measured(self, names: Iterable[str]) -> list[Feature]:
        """The features of these names, and the steps that they share."""
        open_names = {*names}
        found: set[str] = set()
        while open_names:
            name = open_names.pop()
            found.add(name)
            open_names |= {needed for needed in self._features[name].needs if needed in self._features} - found
        return [self._features[name] for name in sorted(found)]

    def needs_images(self, rule: Rule | type[Rule], given: Collection[str] = ()) -> bool:
        """Whether a rule can find nothing without images.

        This is so if it names an image table or a feature itself, or a table that needs a feature. A table that also
        reads one of the `given` tables can do without images, and so can a rule that sets `images_are_optional`.
        """
        if rule.images_are_optional:
            return False
        names = set(inputs(rule.check))
        if rule.features or names & IMAGE_TABLES:
            return True
        return any(self._table_needs_images(name, given) for name in names)

    def _table_needs_images(self, name: str, given: Collection[str]) -> bool:
        if name not in self._tables:
            return False
        needed = self.inputs_of(name)
        if set(needed) & set(given):
            return False
        return bool(self._tables[name].features) or any(self._table_needs_images(other, given) for other in needed)

    def faults(
        self, rules: Mapping[str, type[Rule]], notes: Mapping[str, Note], owner: Mapping[str, str]
    ) -> Iterator[str]:
        """Names of unknown tables and features, and dependencies in a cycle, as sentences; none if all is well.

        Args:
            rules: The rules by code.
            notes: The notes by kind.
            owner: The package of each rule, note, table and feature by code, kind or name.
        """
        tables = {*BASE, *self._tables}
        users: list[tuple[str, str, Sequence[str], Sequence[str]]] = [
            ("rule", code, inputs(rule.check), rule.features) for code, rule in rules.items()
        ]
        users += [("note", kind, inputs(note.function), ()) for kind, note in notes.items()]
        users += [("table", name, inputs(table.function), table.features) for name, table in self._tables.items()]
        for kind, name, wanted, features in users:
            user = f"the {kind} {name} of the package {owner[name]}"
            yield from _unknown(user, "table", wanted, tables)
            yield from _unknown(user, "feature", features, self._features)
        for name, feature in self._features.items():
            user = f"the feature {name} of the package {owner[name]}"
            steps = {other.name for other in self._features.values() if other.of == feature.of}
            yield from _unknown(user, "input", feature.inputs, {*INPUTS[feature.of], *steps})
            measured = {other.name for other in self._features.values() if other.of == feature.of and other.dtype}
            yield from _unknown(user, "feature", feature.condition_inputs, measured)
        yield from _cycles({name: feature.needs for name, feature in self._features.items()}, owner)
        yield from _cycles({name: inputs(table.function) for name, table in self._tables.items()}, owner)


def _unknown(user: str, what: str, wanted: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in wanted:
        if name not in known:
            yield f"{user} needs the {what} {name}, which no package offers{suggestion(name, known)}"


def _cycles(needs: Mapping[str, Sequence[str]], owner: Mapping[str, str]) -> Iterator[str]:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        names = list(dict.fromkeys(error.args[1]))
        owners = ", ".join(sorted({owner[name] for name in names}))
        yield (
            f"{', '.join(names)} of the package {owners} need each other in a cycle; "
            "remove one of them from the parameters of another"
        )
