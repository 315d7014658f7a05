"""Evaluation: computes the tables that a plan needs, each once, and runs its rules one by one."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, lit

from groundlint.engine import findings
from groundlint.engine.base_tables import BASE, IMAGE_VALUES
from groundlint.engine.graph import IMAGE_TABLES, Plan
from groundlint.engine.notes import Note
from groundlint.engine.rule import inputs
from groundlint.engine.timings import Stopwatch, Timed
from groundlint.engine.wording import Sentence

# A panic of polars is not an Exception.
_FAULTS = (Exception, pl.exceptions.PanicException)


class Raised(NamedTuple):
    """A rule, note or derived table that raised instead of giving rows.

    `what` names it as "rule BOX301" or "table overlaps"; `blocks` are the codes of rules that were not judged.
    """

    what: str
    error: str
    traceback: str
    blocks: tuple[str, ...]


class MadeNote(NamedTuple):
    """What limited a check: its kind, the manifest if it concerns one, the number of items, and a sentence."""

    kind: str
    manifest: str | None
    count: int | None  # type: ignore[assignment] # the method of tuples is not used
    message: str


@dataclass
class Evaluation:
    """What rules found, the notes on what limited them, what raised, and the seconds of each rule and derived table.

    Tables are lazy, so the seconds of a rule or table are those of collecting its query, whatever steps the query has.
    A rule also makes its findings in that time. `kept` are the derived tables that the plan keeps, without those that
    raised.
    """

    findings: DataFrame
    kept: dict[str, DataFrame] = field(default_factory=dict)
    notes: list[MadeNote] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    seconds: dict[Timed, float] = field(default_factory=dict)


def evaluate(plan: Plan, tables: Mapping[str, LazyFrame]) -> Evaluation:
    """Run the rules of a plan over the tables of all data sets.

    Args:
        plan: What to run.
        tables: The base tables; a missing one is empty.

    Returns:
        The findings by manifest and line, and the notes. What raised is in it, too; other rules are not affected.
    """
    workspace = Workspace(plan, tables)
    evaluation = Evaluation(findings.EMPTY)
    found = [evaluation.findings]
    for rule, counts in plan.in_order():
        try:
            with workspace.stopwatch.timing("rule", rule.code):
                rows = collected(rule.check(**workspace.inputs(inputs(rule.check), rule.features)))
                made = findings.build(rule, rows, workspace.base)
                found.append(made if counts is None else made.filter(counts))
        except TableError as error:
            error.blocks(rule.code)
        # The fault of one rule must not hide what the others find.
        except _FAULTS as error:
            evaluation.raised.append(_raised(f"rule {rule.code}", error, (rule.code,)))
        workspace.release(inputs(rule.check))
    for note in plan.notes:
        try:
            evaluation.notes += _made(note, collected(note.function(**workspace.inputs(inputs(note.function)))))
        except TableError:
            pass
        except _FAULTS as error:
            evaluation.raised.append(_raised(f"note {note.kind}", error, ()))
        workspace.release(inputs(note.function))
    for name in plan.kept:
        with suppress(TableError):
            evaluation.kept[name] = collected(workspace.table(name))
    evaluation.raised += [error.raised for error in workspace.failed.values()]
    evaluation.findings = findings.ordered(pl.concat(found))
    evaluation.seconds = workspace.stopwatch.seconds
    return evaluation


def collected(rows: LazyFrame | DataFrame) -> DataFrame:
    """Rows in memory. Not by the streaming engine: in polars 2.1 `pl.format`, which plugins may use, panics there."""
    return rows.collect(engine="in-memory") if isinstance(rows, LazyFrame) else rows


class TableError(Exception):
    """A derived table raised: it is computed once, and every rule that needs it is blocked."""

    def __init__(self, table: str, error: BaseException) -> None:
        super().__init__(str(error))
        self._table = table
        self._error = error
        self._blocked: list[str] = []
        self._trace = traceback.format_exc()

    def blocks(self, code: str) -> None:
        """Note a rule that cannot be judged without the table."""
        if code not in self._blocked:
            self._blocked.append(code)

    @property
    def raised(self) -> Raised:
        """The error, with the rules that it blocks."""
        return Raised(f"table {self._table}", _text(self._error), self._trace, tuple(self._blocked))


class Workspace:
    """The tables of a run: derived ones are computed when first needed and dropped after their last use."""

    def __init__(self, plan: Plan, tables: Mapping[str, LazyFrame]) -> None:
        self.base = {name: table.empty().lazy() for name, table in BASE.items()} | dict(tables)
        self.failed: dict[str, TableError] = {}
        self.stopwatch = Stopwatch()
        for feature in plan.columns:
            # Nothing was measured where no image was found.
            for table in ("images", "reference_images") if feature.of == "images" else (feature.of,):
                if feature.dtype and feature.name not in self.base[table].collect_schema():
                    nothing = lit(None, IMAGE_VALUES[feature.dtype]).alias(feature.name)
                    self.base[table] = self.base[table].with_columns(nothing)
        self._bytes = {feature.name for feature in (*plan.features, *plan.columns) if feature.dtype is bytes}
        self._graph = plan.graph
        self._derived: dict[str, LazyFrame] = {}
        self._uses = plan.uses

    def inputs(self, names: Iterable[str], features: Iterable[str] = ()) -> dict[str, LazyFrame]:
        """Tables by their names.

        Args:
            names: The names.
            features: The measured columns that were declared. Other columns of bytes are left out: a query that does
                not choose columns would hold them all in memory.

        Raises:
            TableError: One of them, or one that it is computed from, raised.
        """
        undeclared = self._bytes.difference(features)
        tables = {name: self.table(name) for name in names}
        if undeclared:
            of_images = {name: tables[name].drop(undeclared, strict=False) for name in IMAGE_TABLES & tables.keys()}
            tables |= of_images
        return tables

    def table(self, name: str) -> LazyFrame:
        """A table by its name.

        Raises:
            TableError: It, or one that it is computed from, raised.
        """
        if name in self.base:
            return self.base[name]
        if name in self.failed:
            raise self.failed[name]
        if name not in self._derived:
            function, features = self._graph.function(name), self._graph.features_of(name)
            try:
                with self.stopwatch.timing("table", name):
                    self._derived[name] = collected(function(**self.inputs(inputs(function), features))).lazy()
            except TableError:
                raise
            except _FAULTS as error:
                self.failed[name] = TableError(name, error)
                raise self.failed[name] from error
            self.release(inputs(function))
        return self._derived[name]

    def release(self, names: Iterable[str]) -> None:
        """Count one use of tables, and drop those that nothing will use again."""
        for name in names:
            self._uses[name] -= 1
            if self._uses[name] <= 0:
                self._derived.pop(name, None)


def _made(note: Note, rows: DataFrame) -> list[MadeNote]:
    values = rows.rows(named=True)
    texts = Sentence(note.message).texts(values, {})
    return [
        MadeNote(note.kind, row.get("manifest"), row.get("count"), text)
        for row, text in zip(values, texts, strict=True)
    ]


def _raised(what: str, error: BaseException, blocks: tuple[str, ...]) -> Raised:
    return Raised(what, _text(error), traceback.format_exc(), blocks)


def _text(error: BaseException) -> str:
    # `str` of a KeyError is the repr of its argument.
    said: Any = error.args[0] if isinstance(error, KeyError) and error.args else error
    return f"{type(error).__name__}: {said}"
