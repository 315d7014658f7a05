"""Paths and globs: one dialect, that of gitignore, for everything that names files or images by a pattern."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

if TYPE_CHECKING:
    from polars import Expr


def relative(path: str, root: Path) -> str:
    """A path as seen from a folder, with slashes, the same through whatever links the folder is reached.

    Args:
        path: As given. Where it lies below the folder, links on the way from there keep their names.
        root: The folder, without links.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link below the folder stays one
    if not absolute.is_relative_to(root):
        ways = (
            root / absolute.relative_to(above) for above in absolute.parents if os.path.realpath(above) == str(root)
        )
        absolute = next(ways, Path(os.path.realpath(absolute.parent), absolute.name))
    return PurePath(os.path.relpath(absolute, root)).as_posix()


def matching(names: Iterable[str], globs: Sequence[str]) -> set[str]:
    """The names that one of the globs matches, by the rules of gitignore.

    `*` matches within a folder, `**` across folders; a glob without a slash matches a name in any folder, and one that
    matches a folder matches everything in it.

    Args:
        names: Relative paths with slashes, or source-refs.
        globs: The patterns.
    """
    spec = GitIgnoreSpec.from_lines(_plain(glob) for glob in globs)
    return {name for name in names if spec.match_file(_plain(name))}


def matches(column: str, globs: Sequence[str]) -> Expr:
    """Whether one of the globs matches the text of a column; false where it is null."""
    import polars as pl

    def match(texts: pl.Series) -> pl.Series:
        found = matching(texts.drop_nulls().unique(), globs)
        return texts.is_in(list(found)).fill_null(False)

    return pl.col(column).map_batches(match, return_dtype=pl.Boolean)


def _plain(text: str) -> str:
    # The two slashes of a URI would make an empty folder name, which no pattern matches.
    return text.replace("://", "/")
