"""One run: read the data sets, find and measure their images, and judge them.

The command, the export of tables and the Python API share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polars import Boolean, DataFrame, LazyFrame, Series, col

from groundlint import distributions, pipeline, portrait
from groundlint import summary as numbers
from groundlint.config.data_sets import DataSet, Request, UsageError, data_sets
from groundlint.config.discovery import DiscoveryNote
from groundlint.config.settings import Config
from groundlint.engine.base_tables import BASE
from groundlint.engine.cascade import COVERED_PLACES
from groundlint.engine.evaluate import MadeNote, Raised, TableError, Workspace, collected
from groundlint.engine.graph import IMAGE_TABLES, Plan
from groundlint.engine.registry import Registry
from groundlint.engine.timings import Stopwatch, Timed
from groundlint.engine.trade_offs import TRADE_OFFS
from groundlint.evaluation.evaluation_files import EvaluationFiles
from groundlint.evaluation.model_outputs import ModelOutputs
from groundlint.fixes.manifests import with_safe_copies
from groundlint.image_access import OnProgress, expected_images, image_notes, image_tables, unused_roots
from groundlint.images import parts
from groundlint.images.record import ImageFault
from groundlint.manifest.foreign import looks_like
from groundlint.manifest.raw_lines import raw_lines
from groundlint.manifest.reader import read
from groundlint.outcomes import Described, Measured, Outcome, Profiled
from groundlint.phrases import first_of
from groundlint.policy import severity
from groundlint.policy.baseline import Baseline
from groundlint.policy.selection import Selection, nothing_selected

if TYPE_CHECKING:
    from groundlint.images.remote_images import RemoteImages


_EXPLAINED = [
    fault.value
    for fault in (ImageFault.NOT_FETCHED, ImageFault.LEADS_OUTSIDE, ImageFault.NO_OBJECT, ImageFault.INACCESSIBLE)
]
"""Faults of images that are not missing merely because their folder was not named."""


@dataclass(frozen=True)
class Loaded:
    """What reading and measuring made: the base tables of all data sets, and what could not be read.

    `wide` are the tables of images with the columns that are too wide to be held in memory; their temporary files are
    removed when nothing refers to `files` any more.
    `unread` are sentences on manifests that could not be read, and `incomplete` the numbers of their data sets.
    `without_images` are the numbers of data sets none of whose images was found, and `tried` the folders in which these
    images were looked for. `seconds` are CPU time of features, over all processes. `remote` are the images that are in
    S3, None where that is not read.
    """

    data_sets: tuple[DataSet, ...]
    tables: Mapping[str, DataFrame]
    wide: Mapping[str, LazyFrame] = field(default_factory=dict)
    files: object = None
    unread: tuple[str, ...] = ()
    incomplete: frozenset[int] = frozenset()
    without_images: frozenset[int] = frozenset()
    tried: tuple[str, ...] = ()
    notes: tuple[MadeNote, ...] = ()
    raised: tuple[Raised, ...] = ()
    seconds: Mapping[Timed, float] = field(default_factory=dict)
    remote: RemoteImages | None = None

    @property
    def lazy(self) -> dict[str, LazyFrame]:
        """The tables with all their columns, for queries."""
        return {name: frame.lazy() for name, frame in self.tables.items()} | dict(self.wide)

    @property
    def manifests_without_images(self) -> list[str]:
        """The named manifests of data sets none of whose images was found, sorted."""
        return sorted({name for number in self.without_images for name in self.data_sets[number].named})


class Session:
    """A run of the installed rules on the requested data."""

    def __init__(
        self,
        registry: Registry,
        config: Config,
        request: Request,
        *,
        on_progress: OnProgress = lambda _: None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._registry = registry
        self._config = config
        self._request = request
        self._on_progress = on_progress
        self._stopwatch = stopwatch or Stopwatch()
        self._brought = ModelOutputs(embeddings=request.embeddings, pred_probs=request.pred_probs)
        self._evaluation = EvaluationFiles(request.evaluation)

    def load(self, plan: Plan) -> Loaded:
        """Read manifests and measure images as far as a plan needs them.

        Raises:
            GroundlintError: There is nothing to read, or images cannot be looked for as asked.
        """
        request, settings = self._request, self._config.settings
        is_seen = bool(plan.base & IMAGE_TABLES)
        images = image_tables(request, self._config, plan.features, self._on_progress) if is_seen else None
        found: list[DiscoveryNote] = []
        with closing(images) if images else nullcontext():
            with self._stopwatch.timing("stage", "reading manifests"):
                asked = data_sets(self._config, request, looks_like=looks_like, on_note=found.append)
                self._on_progress("reading manifests")
                if images:
                    images.prepare(expected_images(asked, images.storage))
                of_base = plan.base | {"lines", "labels", "boxes"}
                reading = read([each.judged for each in asked], tables=of_base, jobs=request.processes)
                compared = read([each.references for each in asked], tables={"lines"}, jobs=request.processes)
            tables = dict(reading.tables)
            if images:
                with self._stopwatch.timing("stage", "finding and measuring images"):
                    tables |= images.tables(tables["lines"], tables["boxes"], tables["labels"])
                    if "reference_images" in plan.base:
                        folders = [(n, folder) for n, each in enumerate(asked) for folder in each.reference_folders]
                        tables["reference_images"] = images.reference_images(compared.tables["lines"], folders)
        unreadable = reading.unreadable + compared.unreadable
        failed = {source.name for source, _ in unreadable}
        limits = {"target": settings.target, "region": settings.region, "max_images": settings.max_images}
        tables |= {"limits": DataFrame([limits], schema=BASE["limits"].schema), **self._brought.tables}
        notes = [MadeNote(note.kind, None, note.files, note.message) for note in dict.fromkeys(found)]
        notes += self._brought.notes(tables)
        evaluated, notes_on_evaluation = self._evaluation.tables(tables)
        tables |= evaluated
        notes += notes_on_evaluation
        raised: list[Raised] = []
        without_images: frozenset[int] = frozenset()
        tried: list[str] = []
        if images:
            without_images = numbers.data_sets_without_images(tables)
            names = sorted({name for number in without_images for name in asked[number].named})
            tried = images.storage.searched(names) if names else []
            raised = [Raised(each.what, each.error, each.traceback, ()) for each in images.raised]
            notes += image_notes(images, asked)
        unread = [f"{source.name}: {error.strerror or error}" for source, error in unreadable]
        if images:
            unread += images.downloads.unread if images.downloads else []
            unread += unused_roots(request, tables, images.storage.followed)
        self._on_progress("checking")
        return Loaded(
            tuple(asked),
            tables,
            images.wide if images else {},
            images.files if images else None,
            tuple(unread),
            frozenset(n for n, each in enumerate(asked) if failed & {source.name for source in each.sources}),
            without_images,
            tuple(tried),
            tuple(notes),
            tuple(raised),
            {Timed("feature", name): seconds for name, seconds in images.seconds.items()} if images else {},
            images.remote if images else None,
        )

    def check(self, selection: Selection, *, baseline: Baseline | None = None, describes: bool = False) -> Outcome:
        """Judge the requested data.

        Args:
            selection: The rules to judge by, and what becomes of their findings.
            baseline: Findings that are known.
            describes: Whether the data sets are described too, and their images looked for whatever the rules need.

        Raises:
            GroundlintError: There is nothing to judge, or nothing to judge by.
        """
        config = self._config
        if not selection.rules:
            raise UsageError(nothing_selected(self._registry, config.settings))
        graph, notes_of_rules = self._registry.graph, self._registry.notes.values()
        kept: tuple[str, ...] = (COVERED_PLACES, *([TRADE_OFFS] if self._request.evaluation else []))
        further: dict[str, list[str]] = {}
        if describes:
            kept += portrait.TABLES
            features = [name for name in portrait.FEATURES if name in self._registry.features]
            further = {"tables": [*portrait.BASE_TABLES], "features": features}
        plan = graph.plan(selection.rules, notes=notes_of_rules, kept=kept, fast=selection.fast, **further)
        loaded = self.load(plan)
        data = pipeline.Input(
            loaded.tables,
            loaded.lazy,
            loaded.data_sets,
            loaded.without_images,
            loaded.incomplete,
            self._brought.tables.keys(),
            kept,
        )
        with self._stopwatch.timing("stage", "suppressions and severities"):
            judged = pipeline.judge(
                self._registry,
                selection,
                data,
                baseline=baseline or Baseline(),
                root=config.root,
                config_path=config.path,
                stopwatch=self._stopwatch,
            )
        sources = {source.name: source for data_set in loaded.data_sets for source in data_set.sources}
        findings = with_safe_copies(judged.findings, lambda name, numbers: raw_lines(sources[name], numbers))
        notes = [*loaded.notes, *judged.notes]
        if note := no_images_note(loaded):
            notes.insert(0, note)
        return Outcome(
            config.settings.target,
            selection.codes,
            findings,
            judged.hidden,
            _summary(loaded, judged, notes),
            judged.known,
            judged.stale,
            [*loaded.raised, *judged.raised],
            list(loaded.unread),
            loaded.manifests_without_images,
            numbers.boxes_by_label(loaded.tables, loaded.data_sets),
            {**loaded.seconds, **judged.seconds},
            judged.evaluation,
            _described(loaded, judged) if describes else None,
        )

    def measure(self, part: parts.Part) -> Measured:
        """Find and measure a part of the requested images, with all features of all installed rules.

        Raises:
            GroundlintError: There is nothing to read, or images cannot be looked for as asked.
        """
        plan = self._registry.graph.plan((), tables=("images", "crops"))
        images = image_tables(self._request, self._config, plan.features, self._on_progress)
        found: list[DiscoveryNote] = []
        asked = data_sets(self._config, self._request, looks_like=looks_like, on_note=found.append)
        with closing(images):
            self._on_progress("reading manifests")
            reading = read(asked, tables={"lines", "labels", "boxes"}, jobs=self._request.processes)
            tables = reading.tables
            measured = images.part(tables["lines"], tables["boxes"], tables["labels"], part)
        unread = [f"{source.name}: {error.strerror or error}" for source, error in reading.unreadable]
        lines = tables["lines"].drop_nulls("source_ref").unique("source_ref")
        lines = lines.filter(Series([part.has(source_ref) for source_ref in lines["source_ref"]], dtype=Boolean))
        notes = [MadeNote(note.kind, None, note.files, note.message) for note in dict.fromkeys(found)]
        notes += image_notes(images, asked)
        return Measured(
            measured,
            plan.features,
            lines.height,
            notes,
            [Raised(each.what, each.error, each.traceback, ()) for each in images.raised],
            [
                *unread,
                *(images.downloads.unread if images.downloads else []),
                *unused_roots(self._request, {"lines": lines, "images": measured.images}, images.storage.followed),
            ],
        )

    def profile(self, selection: Selection) -> Profiled:
        """Describe the requested data sets, without judging them.

        Args:
            selection: The rules that would judge, to say which of them cannot without images.

        Raises:
            GroundlintError: There is nothing to read.
        """
        registry = self._registry
        offered = [name for name in portrait.TABLES if name in registry.tables]
        features = [name for name in portrait.FEATURES if name in registry.features]
        plan = registry.graph.plan((), tables=[*portrait.BASE_TABLES, *offered], features=features)
        loaded = self.load(plan)
        workspace = Workspace(plan, loaded.lazy)
        self._on_progress("describing")
        derived, raised = {}, list(loaded.raised)
        for name in offered:
            try:
                derived[name] = collected(workspace.table(name))
            except TableError as error:
                raised.append(error.raised)
        rules = {scope.rule.code: scope.rule for scope in selection.rules}
        blind = sorted(code for code, rule in rules.items() if registry.graph.needs_images(rule, self._brought.tables))
        note = no_images_note(loaded)
        return Profiled(
            portrait.portraits(
                {**loaded.tables, **derived}, loaded.data_sets, skipped=dict.fromkeys(loaded.without_images, blind)
            ),
            [*([note] if note else []), *loaded.notes],
            raised,
            list(loaded.unread),
        )


def _described(loaded: Loaded, judged: pipeline.Judgement) -> Described:
    tables = {**loaded.tables, **{name: judged.kept[name] for name in portrait.TABLES if name in judged.kept}}
    skipped = dict.fromkeys(loaded.without_images, judged.skipped)
    by_manifest = tables["manifests"].sort("data_set", "split").select("data_set", "manifest", "split")
    first = by_manifest.unique(["data_set", "manifest"], keep="first", maintain_order=True)
    return Described(
        portrait.portraits(tables, loaded.data_sets, skipped=skipped),
        distributions.distributions(tables, len(loaded.data_sets)),
        {(number, name): split for number, name, split in first.iter_rows()},
        tables,
        loaded.remote,
    )


def no_images_note(loaded: Loaded) -> MadeNote | None:
    """The note that no image of some manifests was found, and where they were looked for; None where all have some."""
    names = loaded.manifests_without_images
    if not names:
        return None
    images = loaded.tables["images"].filter(col("data_set").is_in(sorted(loaded.without_images)))
    known = images.filter(col("fault").is_in(_EXPLAINED))
    folders = ", ".join(loaded.tried[:6])
    remedy = "name their folder with --images FOLDER or --images PREFIX=FOLDER"
    if not known.is_empty() and known.height == images.height:
        # Their rule says what to do.
        source_ref, detail = known.select("source_ref", "detail").sort("source_ref").row(0)
        remedy = f"for example, {source_ref}: {detail}"
    message = f"no image of {first_of(names)} was found in {folders}; {remedy}; image rules were skipped"
    lines = loaded.tables["lines"].filter(col("data_set").is_in(sorted(loaded.without_images)))
    count = lines["source_ref"].drop_nulls().n_unique()
    return MadeNote("images-not-found", names[0] if len(names) == 1 else None, count, message)


def _summary(loaded: Loaded, judged: pipeline.Judgement, notes: list[MadeNote]) -> numbers.Summary:
    images = numbers.images(loaded.tables, loaded.data_sets)
    hidden = judged.hidden
    names = loaded.manifests_without_images
    reason = f"no image of {first_of(names)} was found" if images.found else "no image was found"
    skipped = dict.fromkeys(judged.skipped if names else [], reason)
    skipped |= dict.fromkeys(sorted(code for each in judged.raised for code in each.blocks), "the rule failed")
    counts = numbers.numbers(loaded.tables, loaded.data_sets)
    return numbers.Summary(
        **counts,
        images=images,
        counts=numbers.Counts(**severity.count(judged.findings)),
        suppressed=int(hidden["suppression"].is_not_null().sum()),
        baselined=int(hidden["is_baselined"].sum()),
        skipped_rules=[numbers.SkippedRule(code=code, reason=why) for code, why in sorted(skipped.items())],
        notes=[numbers.NoteEntry(**note._asdict()) for note in notes],
    )
