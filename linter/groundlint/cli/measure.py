"""`groundlint measure`: measure images, or a part of them, for checks on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundlint.cli.options import Data, Images, Models, Paths, Quiet, Run, configure, load, requested, spread
from groundlint.cli.output import (
    BROKEN,
    list_files,
    print_lines,
    progress,
    replacing,
    reported,
    say,
    say_faults,
    say_notes,
)


@spread
def measure(
    to: Annotated[Path, typer.Option(metavar="FILE.parquet", help="File to write, for `check --measurements`.")],
    data: Data,
    images: Images,
    models: Models,
    run: Run,
    paths: Paths = None,
    part: Annotated[
        str, typer.Option(metavar="I/N", help="Measure only the I-th of N parts of the images, I from 1.")
    ] = "1/1",
    quiet: Quiet = False,
) -> None:
    """Measure images, or a part of them, with all features of all installed rules.

    Which part an image is in depends on its source-ref alone. A run that was interrupted goes on where it stopped: the
    cache has what it measured.
    """
    with reported():
        settings = configure(run, data)
        request = requested(paths, settings, data, images, models, run)
        if run.show_files:
            list_files(settings, request)
            return
        from groundlint.images import parts
        from groundlint.phrases import number_of
        from groundlint.session import Session

        wanted = parts.Part.parse(part)
        registry, _ = load(settings, isolated=run.isolated)
        with progress(wanted=not (run.no_progress or quiet)) as on_progress:
            measured = Session(registry, settings, request, on_progress=on_progress).measure(wanted)
    say_notes(measured.notes, require_images=images.require_images, quiet=quiet)
    say_faults(measured, verbose=False)
    if measured.raised:
        # The columns would look as if there were nothing to measure.
        say(f"error: {to}: nothing was written")
        raise typer.Exit(BROKEN)
    with replacing(to) as temporary:
        parts.write(temporary, measured.part, measured.features)
    found = int(measured.part.images["found"].sum())
    if not quiet:
        print_lines([f"{to}: {found:,} of {number_of(measured.asked, 'image')} found and measured"])
    is_blind = images.require_images and found < measured.asked
    if is_blind:
        say(f"error: {number_of(measured.asked - found, 'image')} not found")
    if is_blind or measured.unread:
        raise typer.Exit(BROKEN)
