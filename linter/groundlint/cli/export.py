"""`groundlint export`: write a table of the data for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundlint.cli.options import Data, Images, Models, Paths, Quiet, Run, configure, load, requested, spread
from groundlint.cli.output import BROKEN, fail, list_files, progress, replacing, reported, say_notes

_SUFFIXES = (".parquet", ".csv", ".jsonl")


@spread
def export(
    table: Annotated[str, typer.Argument(help="Name of a table; `groundlint tables` lists them.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="File to write: .parquet, .csv or .jsonl.")],
    data: Data,
    images: Images,
    models: Models,
    run: Run,
    paths: Paths = None,
    quiet: Quiet = False,
) -> None:
    """Write a table as a file: one row per object, none left out."""
    if to.suffix not in _SUFFIXES:
        fail(f"{to}: unknown format; use {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}")
    with reported():
        settings = configure(run, data)
        request = requested(paths, settings, data, images, models, run)
        if run.show_files:
            list_files(settings, request)
            return
        from groundlint import export as exports
        from groundlint.session import Session

        registry, _ = load(settings, isolated=run.isolated)
        with progress(wanted=not (run.no_progress or quiet)) as on_progress:
            session = Session(registry, settings, request, on_progress=on_progress)
            rows, notes = exports.export(registry, table, session)
    is_blind = say_notes(notes, require_images=images.require_images, quiet=quiet)
    with replacing(to) as temporary:
        if to.suffix == ".parquet":
            rows.write_parquet(temporary)
        elif to.suffix == ".jsonl":
            exports.as_text(rows).write_ndjson(temporary)
        else:
            exports.flat(rows).write_csv(temporary)
    if is_blind:
        raise typer.Exit(BROKEN)
