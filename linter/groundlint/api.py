"""Checking from Python: the command's run, with its findings as a table."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

from polars import DataFrame

from groundlint.config import settings as configuration
from groundlint.config.data_sets import Request, UsageError
from groundlint.engine import registry
from groundlint.policy import selection
from groundlint.session import run

Paths = Sequence[str | PathLike[str]]


def check(
    *paths: str | PathLike[str],
    train: Paths = (),
    test: Paths = (),
    reference: Paths = (),
    target: str | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    extend_select: Sequence[str] | None = None,
    config: str | PathLike[str] | None = None,
    isolated: bool = False,
    images: Sequence[str] = (),
    jobs: int | None = None,
    cache_dir: str | PathLike[str] | None = None,
    embeddings: str | PathLike[str] | None = None,
    pred_probs: str | PathLike[str] | None = None,
) -> DataFrame:
    """What would spoil a training on these manifests: one row a finding, with the columns of the JSON report.

    Args:
        paths: manifests and folders, each manifest a data set of its own unless the configuration groups it.
        train: manifests of one data set to train on.
        test: manifests of the same data set to test with.
        reference: manifests of the same data set to compare with.
        target: "rekognition" or "ground-truth".
        select: rules to judge: codes, prefixes, names, service codes, or ALL.
        ignore: rules to leave out.
        extend_select: rules to judge beside the selected ones.
        config: a configuration file; the nearest one upwards of the working directory if not given.
        isolated: ignore configuration files and other packages' rules.
        images: folders of the images, or "PREFIX=FOLDER"; beside the manifests unless given.
        jobs: how many processes read large manifests and measure images; one a processor if not given.
        cache_dir: a folder to remember what was measured in; nothing is remembered if not given.
        embeddings: a parquet file of what the user's own model makes of each label or box.
        pred_probs: a parquet or csv file of the probabilities that it gives them.

    Raises:
        ConfigError: the configuration cannot be used.
        ModelOutputError: embeddings or probabilities cannot be used.
        PluginError: an installed package with rules cannot be used.
        SelectionError: a selector fits no rule.
        UsageError: there is nothing to judge, a manifest cannot be read, or a rule failed.
    """
    path = None if isolated else Path(config) if config is not None else configuration.find(Path.cwd())
    settings = configuration.load(path) if path else configuration.Config()
    flags = {"target": target, "select": select, "ignore": ignore, "extend_select": extend_select}
    settings = configuration.override(settings, {key: value for key, value in flags.items() if value is not None})
    known = registry.load(isolated=isolated)
    request = Request(
        _names(paths),
        train=_names(train),
        test=_names(test),
        reference=_names(reference),
        images=tuple(images),
        jobs=jobs,
        cache=_path(cache_dir),
        embeddings=_path(embeddings),
        pred_probs=_path(pred_probs),
    )
    outcome = run(known, selection.of_config(known, settings), settings, request)
    if outcome.unread:
        raise UsageError("; ".join(outcome.unread))
    if outcome.raised:
        raise UsageError("; ".join(f"the rule {raised.code} failed: {raised.error}" for raised in outcome.raised))
    return outcome.findings


def _path(path: str | PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)


def _names(paths: Paths) -> tuple[str, ...]:
    return tuple(fspath(path) for path in paths)
