"""`groundlint baseline`: take the findings of today for known, so that only new ones are reported."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundlint.cli.options import (
    Baseline,
    CacheDir,
    ConfigFile,
    Embeddings,
    Exclude,
    Extend,
    ExtendIgnore,
    Ignore,
    Images,
    Isolated,
    Jobs,
    NoCache,
    Paths,
    PredProbs,
    Select,
    Split,
    Target,
    configure,
    load,
    measuring,
    requested,
)
from groundlint.cli.output import BROKEN, fail, print_text, reported, tell_of_failures, write


class Action(StrEnum):
    """What becomes of the baseline."""

    CREATE = "create"
    UPDATE = "update"
    PRUNE = "prune"


def baseline(
    action: Annotated[
        Action,
        typer.Argument(
            help="create: write all findings down, once. update: add new ones and remove what is mended. "
            "prune: remove what is mended. What the run does not judge stays."
        ),
    ],
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: Extend = None,
    extend_ignore: ExtendIgnore = None,
    target: Target = None,
    train: Split = None,
    test: Split = None,
    reference: Split = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    exclude: Exclude = None,
    file: Baseline = None,
    images: Images = None,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    cache_dir: CacheDir = None,
    embeddings: Embeddings = None,
    pred_probs: PredProbs = None,
) -> None:
    """Take the findings of today for known: from then on only new ones are reported."""
    from groundlint.policy import baseline as baselines
    from groundlint.session import run

    with reported():
        settings = configure(
            config,
            isolated,
            target=target,
            select=select,
            ignore=ignore,
            extend_select=extend_select,
            extend_ignore=extend_ignore,
            exclude=exclude,
        )
        path = file or Path(os.path.relpath(settings.root / baselines.FILE))
        if action is Action.CREATE and path.exists():
            fail(f"{path}: there is a baseline already; `groundlint baseline update` brings it up to date")
        known = baselines.Baseline() if action is Action.CREATE else baselines.load(path)
        registry, selection = load(settings, isolated=isolated)
        how = measuring(settings, images, jobs, no_cache, cache_dir, embeddings, pred_probs)
        request = requested(paths, train, test, reference, "-", **how)
        outcome = run(registry, selection, settings, request, baseline=known)
    tell_of_failures(outcome, verbose=False)
    if outcome.raised or outcome.unread:
        # What was not judged would be taken for mended, or for sound.
        raise typer.Exit(BROKEN)
    kept = known.without(outcome.stale)
    made = kept if action is Action.PRUNE else baselines.Baseline((*kept.entries, *outcome.known.entries))
    write(path, made.text())
    added = len(set(made.entries) - set(known.entries))
    print_text(f"{path}: {len(set(made.entries)):,} known, {added:,} added, {len(outcome.stale):,} removed\n")
