"""A run: read the data sets, judge them one by one, and keep what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import polars as pl
from polars import DataFrame, col, lit

from groundlint.config.data_sets import DataSet, Request, UsageError, data_sets
from groundlint.config.settings import Config
from groundlint.engine import findings
from groundlint.engine.evaluate import Plan, Raised, Scoped, collected, judge, looks_at_images, measured, plan
from groundlint.engine.registry import Registry
from groundlint.engine.rule import inputs
from groundlint.engine.tables import BASE
from groundlint.evaluation.model_outputs import ModelOutputs
from groundlint.images.cache import Cache
from groundlint.images.image_tables import Gallery
from groundlint.images.record import Fault
from groundlint.images.store import Roots, Store
from groundlint.manifest.reader import read
from groundlint.policy import policy
from groundlint.policy.baseline import Baseline, Entry, of_findings
from groundlint.policy.selection import Selection, nothing_selected


@dataclass
class Outcome:
    """What a run found, and what kept it from judging all that it was asked.

    `notes` are what a user should know though nothing is wrong with the data, such as a cache that cannot be used.
    `blind` are the manifests of data sets of which no image was found, and `tried` says where they were looked for.
    `hidden` are the findings that are not reported, with `suppression`, the reason of an entry that leaves one out, and
    `is_baselined`; `known` are all that are not suppressed, as a baseline; `stale` the entries of the given baseline
    that were looked for and not found.
    """

    target: str
    rules: list[str]
    findings: DataFrame = field(default_factory=DataFrame)
    hidden: DataFrame = field(default_factory=DataFrame)
    summary: dict[str, Any] = field(default_factory=dict)
    known: Baseline = field(default_factory=Baseline)
    stale: list[Entry] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    tried: str = ""


def run(
    registry: Registry,
    selection: Selection,
    config_: Config,
    request: Request,
    *,
    baseline: Baseline | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Judge what was asked for.

    Args:
        registry: what the packages offer.
        selection: what to judge, and what to make of it.
        config_: the settings.
        request: the manifests.
        baseline: findings that are known.
        tell: is called with what is being done.

    Raises:
        UsageError: nothing is there to judge, or nothing to judge by.
    """
    if not selection.rules:
        raise UsageError(nothing_selected(registry, config_.settings))
    # What the configuration leaves out is known only once all else is judged.
    last = [scoped for scoped in selection.rules if "suppressions" in inputs(scoped.rule.check)]
    made = plan(registry, [scoped for scoped in selection.rules if scoped not in last])
    outcome = Outcome(config_.settings.target, selection.codes)
    found = [findings.EMPTY.with_columns(fingerprint=lit(None, pl.String))]
    tally = _Tally()
    judged = _Judged(config_.root)
    blind_sets: list[DataSet] = []
    brought = ModelOutputs(embeddings=request.embeddings, pred_probs=request.pred_probs)
    sees = [rule.code for rule, _ in made.rules if looks_at_images(made, rule, brought.tables.keys())]
    without = replace(made, rules=tuple(scoped for scoped in made.rules if scoped.rule.code not in sees))
    gallery = open_gallery(made, config_, request, tell)
    for data_set, tables, unread in read_all(made, config_, request, brought.tables, gallery, tell):
        outcome.unread += [each for each in unread if each not in outcome.unread]
        is_blind = gallery and not has_images(tables) and not tables["lines"]["source_ref"].is_null().all()
        blind_sets += [data_set] if is_blind else []
        used = without if is_blind else made
        judgement = judge(used, {name: frame.lazy() for name, frame in tables.items()})
        outcome.raised += [raised for raised in judgement.raised if raised.code not in {r.code for r in outcome.raised}]
        is_named = col("manifest").is_in(list(data_set.named))
        wanted = judgement.findings.filter(is_named | col("of_data_set"))
        found.append(wanted.with_columns(findings.fingerprints(wanted, tables, config_.root)))
        tally.add(data_set, tables)
        # While a part of it is missing a data set is not judged.
        judged.add(data_set, () if unread else (*used.rules, *last), judgement.raised)
        brought.compare(tables)
    outcome.notes += brought.notes()
    if gallery:
        outcome.blind = sorted({name for data_set in blind_sets for name in data_set.named})
        outcome.tried = not_found(outcome.blind, gallery) if outcome.blind else ""
        outcome.raised += [Raised("", text, "") for text in gallery.raised]
        outcome.notes += [gallery.cache.warning] if gallery.cache.warning else []
        gallery.cache.close()
    once = pl.concat(found).unique(["fingerprint", "line", "message"], keep="first", maintain_order=True)
    known = baseline or Baseline()
    marked, uses = policy.hide(once, selection.suppressions, known, config_.root)
    rows = policy.suppression_rows(selection.suppressions, uses, config_.path, judged.codes)
    judgement = judge(plan(registry, last), {"suppressions": rows.lazy()})
    outcome.raised += judgement.raised
    of_config = judgement.findings.with_columns(
        findings.fingerprints(judgement.findings, {name: table.empty() for name, table in BASE.items()}, config_.root)
    )
    unknown = of_config.with_columns(suppression=lit(None, pl.String), is_baselined=False)
    graded = policy.with_severities(pl.concat([marked, unknown]), selection.severities)
    everything = _with_addresses(findings.ordered(graded), registry).drop("of_data_set")
    is_hidden = col("suppression").is_not_null() | col("is_baselined")
    outcome.findings = everything.filter(~is_hidden).drop("suppression", "is_baselined")
    outcome.hidden = everything.filter(is_hidden)
    outcome.known = of_findings(marked.filter(col("suppression").is_null()), config_.root)
    outcome.stale = known.stale(outcome.known, judged.codes)
    outcome.summary = tally.numbers | {
        "images": tally.images(looked=gallery is not None),
        "counts": policy.count(outcome.findings),
        "suppressed": outcome.hidden["suppression"].is_not_null().sum(),
        "baselined": outcome.hidden["is_baselined"].sum(),
        "skipped_rules": _skipped(sees, outcome.blind, tally.found),
    }
    return outcome


class _Judged:
    """By which rules each named manifest was judged, so that of others nothing is said to be mended or needless."""

    def __init__(self, root: Path) -> None:
        self.codes: dict[str, frozenset[str]] = {}
        self._root = root

    def add(self, data_set: DataSet, rules: Iterable[Scoped], raised: Iterable[Raised]) -> None:
        """Note which rules judged a data set. A manifest of several was judged by those that judged them all."""
        codes = frozenset(scoped.rule.code for scoped in rules) - {each.code for each in raised}
        for name in data_set.named:
            path = findings.relative(name, self._root)
            self.codes[path] = self.codes.get(path, codes) & codes


class _Tally:
    """The numbers of a run, over the manifests that were named; data sets may share one, as a test set."""

    def __init__(self) -> None:
        self.numbers = dict.fromkeys(("manifests", "lines", "labels", "boxes"), 0)
        self.counted: set[str] = set()
        self._images: list[DataFrame] = [DataFrame(schema=BASE["images"].schema).select("source_ref", "found", "fault")]

    def add(self, data_set: DataSet, tables: Mapping[str, DataFrame]) -> None:
        """Count what a data set has that no other had."""
        is_new = col("manifest").is_in(list(data_set.named - self.counted))
        self.counted |= data_set.named
        self.numbers["manifests"] += tables["manifests"].filter(is_new, col("lines").is_not_null()).height
        for name in ("labels", "boxes"):
            self.numbers[name] += tables[name].select(is_new.sum()).item()
        self.numbers["lines"] += int(tables["manifests"].filter(is_new)["lines"].sum())
        named = tables["lines"].lazy().filter(is_new).select("source_ref").drop_nulls().unique()
        facts = tables.get("images", BASE["images"].empty()).lazy().select("source_ref", "found", "fault")
        self._images.append(collected(named.join(facts, on="source_ref", how="left")))

    @property
    def found(self) -> int:
        """How many distinct images were found."""
        return int(pl.concat(self._images).unique("source_ref")["found"].sum())

    def images(self, *, looked: bool) -> dict[str, int | None]:
        """Distinct images, and how many were found and could not be read; null where they were not looked for."""
        images = pl.concat(self._images).unique("source_ref")
        unreadable = int(images.select((col("found") & col("fault").is_not_null()).sum()).item())
        found, broken = (self.found, unreadable) if looked else (None, None)
        return {"total": images.height, "found": found, "unreadable": broken}


def has_images(tables: Mapping[str, DataFrame]) -> bool:
    """Whether an image of a data set is there: a pointer of Git LFS is none."""
    images = tables["images"]
    return not images.filter("found", col("fault").is_null() | (col("fault") != Fault.NOT_FETCHED)).is_empty()


def _skipped(codes: Sequence[str], blind: Sequence[str], found: int) -> list[dict[str, str]]:
    """The rules that had no images to look at, all or those of some manifests, and why."""
    if found and not blind:
        return []
    reason = f"no image of {_listed(blind)} is found" if found else "no image is found"
    return [{"code": code, "reason": reason} for code in dict.fromkeys(codes)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")


def not_found(manifests: Sequence[str], gallery: Gallery) -> str:
    """That no image of some manifests is there, and what was tried."""
    tried = ", ".join(gallery.store.tried(manifests)[:6])
    return (
        f"no image of {_listed(manifests)} is found in {tried}; name their folder with --images FOLDER or "
        "--images PREFIX=FOLDER; what only the images show is not judged"
    )


def open_gallery(
    made: Plan, config_: Config, request: Request, tell: Callable[[str], None] = lambda _: None
) -> Gallery | None:
    """Where the images of a run come from; None where no rule asks for them."""
    if not made.base & {"images", "crops"}:
        return None
    # A folder may have a sign of equality in its name.
    named = [("", "", image) if Path(image).is_dir() else image.rpartition("=") for image in request.images]
    for _, _, folder in named:
        if not Path(folder).is_dir():
            raise UsageError(f"--images: there is no folder {folder}")
    # A flag starts from here, the configuration from its own folder.
    given = {prefix: Path(folder) for prefix, _, folder in named if prefix}
    configured = {prefix: config_.root / folder for prefix, folder in config_.settings.images.items()}
    roots = Roots({**configured, **given}, [Path(folder) for prefix, _, folder in named if not prefix])
    store = Store(roots, [Path.cwd(), config_.root])
    return Gallery(store, Cache(request.cache), measured(made), request.processes, tell)


def read_all(
    made: Plan,
    config_: Config,
    request: Request,
    brought: Mapping[str, DataFrame],
    gallery: Gallery | None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[DataSet, dict[str, DataFrame], list[str]]]:
    """Each data set with its base tables, and what of it could not be read."""
    settings = config_.settings
    limits = DataFrame([{"region": settings.region, "max_images": settings.max_images}], schema=BASE["limits"].schema)
    asked = data_sets(config_, request)
    for number, data_set in enumerate(asked, 1):
        names = ", ".join(source.name for source in data_set.sources)
        tell(f"reading {names}")
        reading = read(data_set.sources, tables=made.base, jobs=request.processes)
        unread = [f"{source.name}: {error.strerror or error}" for source, error in reading.unreadable]
        images = gallery.tables(*(reading.tables[name] for name in ("lines", "boxes", "labels"))) if gallery else {}
        if gallery and number == len(asked):
            gallery.forget()
        tell(f"judging {names}")
        yield data_set, {**reading.tables, **images, **brought, "limits": limits}, unread


def _with_addresses(found: DataFrame, registry: Registry) -> DataFrame:
    """With the address of each rule's page; null for packages that publish none."""
    pages = {
        code: f"{base}/{code}.md" for code, package in registry.packages.items() if (base := _documentation(package))
    }
    address = col("code").replace_strict(pages, default=None, return_dtype=pl.String)
    return found.with_columns(url=address)


@cache
def _documentation(package: str) -> str | None:
    """The address under Documentation among the URLs of a package."""
    for entry in metadata(package).get_all("Project-URL") or []:
        label, _, address = entry.partition(", ")
        if label == "Documentation":
            return str(address).rstrip("/")
    return None
