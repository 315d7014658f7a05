"""`groundlint baseline`: record today's findings as known, so that only new ones are reported."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundlint.cli.options import (
    BaselineFile,
    Data,
    Images,
    Models,
    Paths,
    Rules,
    Run,
    configure,
    load,
    requested,
    spread,
)
from groundlint.cli.output import (
    BROKEN,
    fail,
    list_files,
    print_lines,
    progress,
    reported,
    say,
    say_faults,
    write,
)


class Action(StrEnum):
    """What is done to the baseline."""

    CREATE = "create"
    UPDATE = "update"
    PRUNE = "prune"


@spread
def baseline(
    action: Annotated[
        Action,
        typer.Argument(
            help="create: record all findings. update: add new findings and remove fixed ones. "
            "prune: remove fixed findings. Entries that the run does not check stay."
        ),
    ],
    data: Data,
    images: Images,
    models: Models,
    rules: Rules,
    run: Run,
    paths: Paths = None,
    file: BaselineFile = None,
) -> None:
    """Record today's findings as known: from then on only new ones are reported."""
    with reported():
        from groundlint.policy import baseline as baselines
        from groundlint.session import Session

        settings = configure(run, data, rules)
        request = requested(paths, settings, data, images, models, run)
        if run.show_files:
            list_files(settings, request)
            return
        path = file or Path(os.path.relpath(settings.root / baselines.FILE))
        if action is Action.CREATE and path.exists():
            fail(f"{path}: the baseline exists already; `groundlint baseline update` updates it")
        known = baselines.Baseline() if action is Action.CREATE else baselines.load(path)
        registry, selection = load(
            settings, isolated=run.isolated, fast=rules.fast, requires_images=images.require_images
        )
        with progress(wanted=not run.no_progress) as on_progress:
            session = Session(registry, settings, request, on_progress=on_progress)
            outcome = session.check(selection, baseline=known)
    say_faults(outcome, verbose=False)
    is_blind = images.require_images and bool(outcome.without_images)
    for note in outcome.summary.notes:
        say(f"{'error' if is_blind and note.kind == 'images-not-found' else 'note'}: {note.message}")
    if outcome.raised or outcome.unread or is_blind:
        # What was not checked would be taken for fixed.
        raise typer.Exit(BROKEN)
    kept = known.without(outcome.stale)
    made = kept if action is Action.PRUNE else baselines.Baseline((*kept.entries, *outcome.known.entries))
    write(path, made.text())
    added = len(set(made.entries) - set(known.entries))
    print_lines([f"{path}: {len(set(made.entries)):,} known, {added:,} added, {len(outcome.stale):,} removed"])
