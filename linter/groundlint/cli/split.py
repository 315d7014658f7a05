"""`groundlint split`: divide a manifest into a training and a test manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlint.cli.options import Data, Images, Models, Quiet, Run, configure, load, requested, spread
from groundlint.cli.output import BROKEN, fail, list_files, print_lines, progress, replacing, reported, say_notes

if TYPE_CHECKING:
    from groundlint.split import Split

_MAX_LABELS = 20
"""Labels whose numbers are printed: those on the fewest lines."""


@spread
def split(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The manifest to split.")],
    test: Annotated[float, typer.Option("--test", metavar="SHARE", help="Share of the lines to test with, as 0.2.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for NAME-train.manifest and NAME-test.manifest.")],
    images: Images,
    run: Run,
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not look for similar images, which takes a network.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Split a manifest into training and test data, stratified by label, duplicates and frames of a film together."""
    if not 0 < test < 1:
        fail(f"--test: {test:g} is not a share; use a number between 0 and 1, such as 0.2")
    # Not as a path of its own, which would bring in the data set that the configuration has for it.
    data = Data(train=[str(manifest)])
    with reported():
        settings = configure(run, data)
        request = requested(None, settings, data, images, Models(), run)
        if run.show_files:
            list_files(settings, request)
            return
        from groundlint import split as splits
        from groundlint.config.discovery import SUFFIXES
        from groundlint.session import Session

        name = manifest.stem if manifest.suffix in SUFFIXES else manifest.name
        files = [to / f"{name}-{part}.manifest" for part in ("train", "test")]
        for file in files:
            if file.exists():
                fail(f"{file}: the file exists already")
        registry, _ = load(settings, isolated=run.isolated)
        with progress(wanted=not (run.no_progress or quiet)) as on_progress:
            session = Session(registry, settings, request, on_progress=on_progress)
            made = splits.split(registry, session, manifest, test, fast=fast)
    is_blind = say_notes(made.notes, require_images=images.require_images, quiet=quiet)
    if is_blind:
        # Duplicates would be torn.
        raise typer.Exit(BROKEN)
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{to}: the folder cannot be made: {error.strerror or error}")
    with replacing(files[0]) as train_file, replacing(files[1]) as test_file:
        train_file.write_bytes(made.train)
        test_file.write_bytes(made.test)
    if not quiet:
        print_lines(_report(made, files))


def _report(made: Split, files: list[Path]) -> Iterator[str]:
    """How many lines went where, the lines of each label, and what was kept together."""
    from groundlint.phrases import number_of

    total = made.train_lines + made.test_lines
    for file, count in zip(files, (made.train_lines, made.test_lines), strict=True):
        yield f"{file}: {number_of(count, 'line')} ({count / total:.1%})"
    if made.labels:
        rarest = sorted(made.labels, key=lambda each: (each.train + each.test, each.label))
        yield "lines with a label, for training and for testing:"
        width = max(len(repr(each.label)) for each in rarest[:_MAX_LABELS])
        for each in rarest[:_MAX_LABELS]:
            yield f"  {each.label!r:{width}}  {each.train:>8,} {each.test:>8,}"
        if len(rarest) > _MAX_LABELS:
            yield f"  and {number_of(len(rarest) - _MAX_LABELS, 'label')} with more lines"
    alone = [each.label for each in made.labels if not (each.train and each.test)]
    if alone:
        yield (
            f"in one part only: {', '.join(map(repr, alone[:_MAX_LABELS]))}"
            f"{' …' if len(alone) > _MAX_LABELS else ''}; a label needs two groups of images to be in both"
        )
    if made.groups:
        groups, lines = number_of(made.groups, "group"), number_of(made.grouped, "line")
        yield f"kept together: {groups} of duplicates, similar images or frames of a film ({lines})"
    if made.blank:
        yield f"left out: {number_of(made.blank, 'blank line')}"
