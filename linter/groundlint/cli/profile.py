"""`groundlint profile`: describe data sets in numbers."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from typing import Annotated

import typer

from groundlint import __version__
from groundlint.cli.options import (
    Data,
    Images,
    Models,
    Paths,
    Quiet,
    Run,
    configure,
    destinations,
    load,
    requested,
    spread,
)
from groundlint.cli.output import BROKEN, list_files, print_text, progress, reported, say_faults, say_notes, write


@spread
def profile(
    data: Data,
    images: Images,
    models: Models,
    run: Run,
    paths: Paths = None,
    output: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMAT[:FILE]", help="Format: text, json or markdown; may be repeated."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Describe data sets: labels, splits, sizes, near-duplicates, exposure, and what was not looked at."""
    from groundlint.report import portrait

    outputs = destinations(output or [], tuple(portrait.FORMATS), images)
    with reported():
        settings = configure(run, data)
        request = requested(paths, settings, data, images, models, run)
        if run.show_files:
            list_files(settings, request)
            return
        from groundlint.session import Session
        from groundlint.summary import NoteEntry

        registry, selection = load(settings, isolated=run.isolated)
        with progress(wanted=not (run.no_progress or quiet)) as on_progress:
            profiled = Session(registry, settings, request, on_progress=on_progress).profile(selection)
    say_faults(profiled, verbose=False)
    is_blind = say_notes(profiled.notes, require_images=images.require_images, quiet=quiet)
    report = portrait.Portraits(
        version=__version__,
        target=settings.settings.target,
        data_sets=profiled.portraits,
        notes=[NoteEntry(**note._asdict()) for note in profiled.notes],
        width=shutil.get_terminal_size((100, 24)).columns,
        color=bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and not os.environ.get("NO_COLOR")),
    )
    for form, path in outputs:
        if path:
            write(path, portrait.FORMATS[form](replace(report, color=False)))
        else:
            print_text(portrait.FORMATS[form](report))
    if profiled.unread or profiled.raised or is_blind:
        raise typer.Exit(BROKEN)
