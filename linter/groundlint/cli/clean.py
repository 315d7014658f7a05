"""`groundlint clean`: remove the cache, or what has not been used lately."""

from __future__ import annotations

import shutil
import sqlite3
from typing import Annotated

import typer

from groundlint.cli.options import CacheDir, ConfigFile, Isolated, cache_folder, configuration
from groundlint.cli.output import fail, print_lines, reported


def clean(
    config: ConfigFile = None,
    isolated: Isolated = False,
    cache_dir: CacheDir = None,
    older_than: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, help="Remove only what no run has used for so many days.")
    ] = None,
) -> None:
    """Remove the cached measurements of images."""
    from groundlint.images.cache import TAG, remove_unused
    from groundlint.phrases import number_of
    from groundlint.sanitize import visible

    with reported():
        folder = cache_dir or cache_folder(configuration(config, isolated=isolated))
    if not folder.exists():
        print_lines(["nothing is cached"])
        return
    if not (folder / TAG).is_file():
        fail(f"{folder}: not a cache of groundlint; remove it yourself if you mean it")
    if older_than is not None:
        try:
            forgotten, left = remove_unused(folder, older_than)
        except (OSError, sqlite3.Error) as error:
            fail(f"{folder}: the cache cannot be cleaned: {error}")
        name = visible(str(folder), limit=None)
        print_lines([f"{name}: measurements of {number_of(forgotten, 'image')} removed, {left:,} left"])
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        fail(f"{folder}: the cache cannot be removed: {error.strerror}")
    print_lines([f"{visible(str(folder), limit=None)}: removed"])
