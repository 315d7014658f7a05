"""Checking from Python: the command's run, with its findings as a table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

from polars import DataFrame

from groundlint.config import settings
from groundlint.config.data_sets import Request, UsageError
from groundlint.config.s3_access import s3_access
from groundlint.engine import registry
from groundlint.engine.findings import KEYS
from groundlint.engine.rule import Severity
from groundlint.image_access import manifests_in_s3
from groundlint.policy import selection
from groundlint.report.report import Presentation
from groundlint.reporting import illustrated, report_of
from groundlint.session import Session
from groundlint.summary import Summary

OneOrMore = str | PathLike[str] | Sequence[str | PathLike[str]]
OneOrMoreTexts = str | Sequence[str]


class Page(NamedTuple):
    """The report as a page with the images of the findings: one HTML file that makes no request."""

    html: str

    def save(self, file: str | PathLike[str]) -> None:
        """Write the page to a file."""
        Path(file).write_text(self.html, encoding="utf-8", newline="\n")

    def _repr_html_(self) -> str:
        # In a frame, neither its style nor the notebook's reaches the other, and names in the data cannot either.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts allow-downloads" title="groundlint" '
            'width="100%" height="800" style="border: 0"></iframe>'
        )


class Result(NamedTuple):
    """What a check found: one row for each finding, and the numbers of the run.

    `summary.notes` and `summary.skipped_rules` say what could not be judged, such as images that were not found. `page`
    is there if it was asked for; a notebook then shows it in place of the table.
    """

    findings: DataFrame
    summary: Summary
    page: Page | None = None

    def _repr_html_(self) -> str:
        if self.page:
            return self.page._repr_html_()
        notes = "".join(f"<p>{html.escape(note.message)}</p>" for note in self.summary.notes)
        return notes + self.findings._repr_html_()


def check(
    *paths: str | PathLike[str],
    train: OneOrMore = (),
    test: OneOrMore = (),
    reference: OneOrMore = (),
    target: str | None = None,
    select: OneOrMoreTexts | None = None,
    ignore: OneOrMoreTexts | None = None,
    extend_select: OneOrMoreTexts | None = None,
    preview: bool | None = None,
    fast: bool = False,
    config: str | PathLike[str] | None = None,
    isolated: bool = False,
    images: OneOrMore = (),
    measurements: OneOrMore = (),
    s3: bool = False,
    s3_buckets: OneOrMoreTexts = (),
    s3_anonymous: bool = False,
    max_download: OneOrMoreTexts = (),
    dask: str | None = None,
    jobs: int | None = None,
    cache_dir: str | PathLike[str] | None = None,
    embeddings: str | PathLike[str] | None = None,
    pred_probs: str | PathLike[str] | None = None,
    evaluation: OneOrMore = (),
    page: bool = False,
) -> Result:
    """Check manifests and the images that they name.

    The findings have the columns of the JSON report. What limited the check is in the summary. Where several paths or
    selectors are allowed, one may be given without a list.

    Args:
        paths: Manifests and folders. Each manifest is a data set of its own unless the configuration groups it.
        train: Training manifests of one data set.
        test: Test manifests of the same data set.
        reference: Manifests or folders of images to compare the training images with; nothing else judges them.
        target: "rekognition" or "ground-truth".
        select: Rules to check: codes, prefixes, names, service codes, or ALL.
        ignore: Rules to leave out.
        extend_select: Rules to check in addition to the selected ones.
        preview: Whether rules in preview are selected too.
        fast: Leave out rules that run a neural network.
        config: A configuration file; the nearest one upward of the working directory if not given.
        isolated: Ignore configuration files and the rules of other packages.
        images: Folders of the images, or "PREFIX=FOLDER"; those in GROUNDLINT_IMAGES, else the folders of the manifests
            and those above, if not given.
        measurements: Files of measurements that `groundlint measure` wrote, or globs of them.
        s3: Read s3:// paths and images from S3, where no folder of `images` has them; also where GROUNDLINT_S3 is 1.
        s3_buckets: Globs of the buckets that images may be read from; all if not given.
        s3_anonymous: Read S3 without credentials, as public buckets allow.
        max_download: Limits of what is read from S3, as "500MB" or "2000images".
        dask: The scheduler of a Dask cluster that measures, as "tcp://scheduler:8786".
        jobs: Number of processes that read large manifests and measure images; one per processor if not given.
        cache_dir: Folder for cached measurements; nothing is cached if not given.
        embeddings: A parquet file with the user's own embedding of each label or box.
        pred_probs: A parquet or csv file with the user's own predicted probabilities.
        evaluation: The service's snapshot and summary of a trained model, or a parquet or csv file of predictions.
        page: Make the report as a page too, with the images of the findings.

    Raises:
        GroundlintError: There is nothing to check, a manifest or file cannot be used, or a rule failed. Its subclasses
            say which: AccessError, ConfigError, EvaluationFileError, ModelOutputError, PluginError, PoolError,
            SelectionError, UsageError.
    """
    path = None if isolated else Path(config) if config is not None else settings.find(Path.cwd())
    configuration = settings.load(path) if path else settings.Config()
    flags = {
        "target": target,
        "select": _selectors(select),
        "ignore": _selectors(ignore),
        "extend_select": _selectors(extend_select),
        "preview": preview,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    configuration = settings.override(configuration, given)
    known = registry.load(isolated=isolated)
    access = s3_access(is_wanted=s3, buckets=_texts(s3_buckets), is_anonymous=s3_anonymous, limits=_texts(max_download))
    manifests = [name for names in (paths, train, test, reference) for name in _names(names)]
    request = Request(
        _names(paths),
        train=_names(train),
        test=_names(test),
        reference=_names(reference),
        images=_names(images),
        measurements=_names(measurements),
        dask=dask,
        s3=access,
        objects=manifests_in_s3(manifests, access),
        jobs=jobs,
        cache=_path(cache_dir),
        embeddings=_path(embeddings),
        pred_probs=_path(pred_probs),
        evaluation=tuple(map(Path, _names(evaluation))),
    ).with_images_of_environment()
    selected = selection.of_config(known, configuration, fast=fast)
    outcome = Session(known, configuration, request).check(selected, describes=page)
    if outcome.unread:
        raise UsageError("; ".join(outcome.unread))
    if outcome.raised:
        raise UsageError("; ".join(f"the {raised.what} failed: {raised.error}" for raised in outcome.raised))
    findings = outcome.findings.select(KEYS)
    if not outcome.described:
        return Result(findings, outcome.summary)
    from groundlint.report import html as pages

    report = report_of(outcome, known, configuration.settings, Presentation(), Severity.INFO)
    return Result(findings, outcome.summary, Page(pages.render(illustrated(report, outcome.described))))


def _path(path: str | PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)


def _names(paths: OneOrMore) -> tuple[str, ...]:
    # A string is a sequence too, of its characters.
    return tuple(fspath(path) for path in ((paths,) if isinstance(paths, str | PathLike) else paths))


def _selectors(selectors: OneOrMoreTexts | None) -> list[str] | None:
    return None if selectors is None else _texts(selectors)


def _texts(texts: OneOrMoreTexts) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)
