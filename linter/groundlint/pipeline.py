"""From tables to reported findings: evaluate, fingerprint, suppress and grade. No file is opened."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import metadata
from pathlib import Path

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint.config.data_sets import DataSet
from groundlint.config.paths import relative
from groundlint.engine import findings
from groundlint.engine.base_tables import BASE
from groundlint.engine.cascade import COVERED_PLACES, without_covered
from groundlint.engine.evaluate import MadeNote, Raised, evaluate
from groundlint.engine.graph import Scoped
from groundlint.engine.registry import Registry
from groundlint.engine.rule import inputs
from groundlint.engine.timings import Stopwatch, Timed
from groundlint.engine.trade_offs import KEYS as TRADE_OFF_KEYS
from groundlint.engine.trade_offs import TRADE_OFFS
from groundlint.policy import suppression, typical
from groundlint.policy.baseline import Baseline, Entry, of_findings
from groundlint.policy.fingerprints import fingerprints
from groundlint.policy.selection import Selection
from groundlint.policy.severity import with_severities


@dataclass(frozen=True)
class Input:
    """The tables of a run, and its data sets.

    `lazy` are the tables with all their columns, of which some may be too wide to be held in memory.
    `without_images` are the numbers of data sets none of whose images was found, `incomplete` those with a manifest
    that could not be read, and `given` the names of tables that the user supplied. `kept` are the derived tables that
    the result needs.
    """

    tables: Mapping[str, DataFrame]
    lazy: Mapping[str, LazyFrame]
    data_sets: Sequence[DataSet]
    without_images: Set[int] = frozenset()
    incomplete: Set[int] = frozenset()
    given: Collection[str] = ()
    kept: tuple[str, ...] = (COVERED_PLACES,)


@dataclass
class Judgement:
    """Findings to report, findings left out, and what else a run gives.

    `hidden` has the columns `suppression`, the reason of a `[[suppress]]` entry, and `is_baselined`. `known` are all
    findings that are not suppressed, as a baseline, `stale` the entries of the given baseline that were looked for and
    not found. `skipped` are the codes of rules that could not judge the data sets without images. `seconds` are those
    of rules and derived tables. `evaluation` has what thresholds of an evaluated model give, None without a model.
    `kept` are the derived tables that the input asked for, as far as they could be computed.
    """

    findings: DataFrame
    hidden: DataFrame
    known: Baseline
    stale: list[Entry]
    notes: list[MadeNote] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: dict[Timed, float] = field(default_factory=dict)
    evaluation: DataFrame | None = None
    kept: Mapping[str, DataFrame] = field(default_factory=dict)


def judge(
    registry: Registry,
    selection: Selection,
    data: Input,
    *,
    baseline: Baseline,
    root: Path,
    config_path: Path | None,
    stopwatch: Stopwatch,
) -> Judgement:
    """Judge the tables of a run.

    Args:
        registry: The installed rules.
        selection: The rules to judge by, and what becomes of their findings.
        data: The tables.
        baseline: Findings that are known.
        root: Folder to which manifests are relative.
        config_path: The configuration file that suppressions are from.
        stopwatch: Times the stage of running rules apart from the rest of judging.
    """
    # What the configuration suppresses is known only once everything else is judged.
    last = [scoped for scoped in selection.rules if "suppressions" in inputs(scoped.rule.check)]
    rules = [scope for scope in selection.rules if scope not in last]
    skipped = sorted({scope.rule.code for scope in rules if registry.graph.needs_images(scope.rule, data.given)})
    if len(data.without_images) == len(data.data_sets):
        # No image of the whole run was found: on empty tables these rules would only cost time.
        rules = [scope for scope in rules if scope.rule.code not in skipped]
    with stopwatch.timing("stage", "running rules"):
        plan = registry.graph.plan(rules, notes=registry.notes.values(), kept=data.kept)
        evaluation = evaluate(plan, data.lazy)
    found = evaluation.findings
    if COVERED_PLACES in evaluation.kept:
        selected = {scope.rule.code for scope in rules}
        found = without_covered(found, evaluation.kept[COVERED_PLACES], selected)
    lines, boxes = (data.tables[name].lazy() for name in ("lines", "boxes"))
    typical_of = typical.shares(found, registry.rules, lines, boxes)
    found = _reported(found, data, skipped)
    found = found.with_columns(fingerprints(found, data.tables, root))
    # Data sets may share a manifest, and a manifest may be in two splits.
    once = found.unique(["fingerprint", "line", "message"], keep="first", maintain_order=True)
    marked, uses = suppression.mark(once, selection.suppressions, baseline, root)
    judged = _judged(rules, data, skipped, evaluation.raised, root, (scope.rule.code for scope in last))
    rows = suppression.suppression_rows(selection.suppressions, uses, config_path, judged)
    of_config = evaluate(registry.graph.plan(last), {"suppressions": rows.lazy()})
    no_tables = {name: table.empty() for name, table in BASE.items()}
    on_config = of_config.findings.with_columns(fingerprints(of_config.findings, no_tables, root))
    graded = with_severities(pl.concat([marked, suppression.no_marks(on_config)]), selection.severities)
    marked_typical = typical.mark(graded, typical_of)
    complete = findings.ordered(_completed(marked_typical, data.tables, registry))
    is_hidden = col("suppression").is_not_null() | col("is_baselined")
    known = of_findings(marked.filter(col("suppression").is_null()), root)
    return Judgement(
        complete.filter(~is_hidden).drop("suppression", "is_baselined"),
        complete.filter(is_hidden),
        known,
        baseline.stale(known, judged),
        _named_notes(evaluation.notes, data),
        [*evaluation.raised, *of_config.raised],
        skipped,
        evaluation.seconds | of_config.seconds,
        _trade_offs(evaluation.kept, data.data_sets),
        evaluation.kept,
    )


def _trade_offs(kept: Mapping[str, DataFrame], data_sets: Sequence[DataSet]) -> DataFrame | None:
    """What thresholds of an evaluated model give, with the first manifest of the data set; None without a model."""
    if TRADE_OFFS not in kept:
        return None
    names = [(number, data_set.sources[0].name) for number, data_set in enumerate(data_sets)]
    manifests = DataFrame(names, schema={"data_set": pl.Int32, "manifest": pl.String}, orient="row")
    rows = kept[TRADE_OFFS].join(manifests, on="data_set").select(TRADE_OFF_KEYS)
    return rows.sort("manifest", "label", "threshold")


def _reported(found: DataFrame, data: Input, skipped: Sequence[str]) -> DataFrame:
    """The findings on named manifests and on data sets as a whole, without those of rules that lacked images."""
    named = [(number, name) for number, data_set in enumerate(data.data_sets) for name in data_set.named]
    is_named = pl.struct("data_set", "manifest").is_in(
        DataFrame(named, schema={"data_set": pl.Int32, "manifest": pl.String}, orient="row").to_struct().implode()
    )
    is_anywhere_named = col("manifest").is_in([name for _, name in named])
    is_wanted = (col("data_set").is_null() & is_anywhere_named) | is_named | col("of_data_set")
    is_blind = col("data_set").is_in(sorted(data.without_images)) & col("code").is_in(list(skipped))
    return found.filter(is_wanted & ~is_blind.fill_null(False))


def _judged(
    scoped: Iterable[Scoped],
    data: Input,
    skipped: Sequence[str],
    raised: Iterable[Raised],
    root: Path,
    last: Iterable[str],
) -> dict[str, frozenset[str]]:
    """Codes of the rules that judged each named manifest, by its relative path: only their entries can be stale."""
    blocked = {code for each in raised for code in each.blocks}
    codes = frozenset({scope.rule.code for scope in scoped} | set(last)) - blocked
    judged: dict[str, frozenset[str]] = {}
    for number, data_set in enumerate(data.data_sets):
        those = frozenset() if number in data.incomplete else codes
        if number in data.without_images:
            those -= set(skipped)
        for name in data_set.named:
            path = relative(name, root)
            judged[path] = judged.get(path, those) & those
    return judged


def _completed(found: DataFrame, tables: Mapping[str, DataFrame], registry: Registry) -> DataFrame:
    """Findings with the local path of the image, the address of the rule's page, and the keys that later steps fill."""
    if "images" in tables:
        paths = tables["images"].select("data_set", "source_ref", image="path")
        found = found.join(paths, on=["data_set", "source_ref"], how="left", maintain_order="left")
        here = {path: os.path.relpath(path) for path in found["image"].unique().drop_nulls()}
        found = found.with_columns(col("image").replace_strict(here, default=None, return_dtype=pl.String))
    else:
        found = found.with_columns(image=lit(None, pl.String))
    pages = {
        code: f"{base}/{code}.md"
        for code in registry.rules
        if (base := _documentation(registry.packages[code])) is not None
    }
    address = col("code").replace_strict(pages, default=None, return_dtype=pl.String)
    return found.with_columns(url=address)


def _named_notes(notes: Iterable[MadeNote], data: Input) -> list[MadeNote]:
    """Notes on named manifests and on the run, each once."""
    named = {name for data_set in data.data_sets for name in data_set.named}
    return list(dict.fromkeys(note for note in notes if note.manifest is None or note.manifest in named))


@cache
def _documentation(package: str) -> str | None:
    """The address under Documentation among the URLs of a package; None for packages that publish none."""
    for entry in metadata(package).get_all("Project-URL") or []:
        label, _, address = entry.partition(", ")
        if label == "Documentation":
            return str(address).rstrip("/")
    return None
