"""Paths and globs: one dialect, that of gitignore, for everything that names files or images by a pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

if TYPE_CHECKING:
    from polars import Expr, Series

WILDCARDS = frozenset("*?[\\")
"""Characters that make a part of a path a pattern."""

_ESCAPE_OR_SET = re.compile(r"\\.|\[\^?\]?[^\]]*\]", re.DOTALL)


def relative(path: str, root: Path) -> str:
    """A path relative to a folder, with slashes; the URI of an object of S3 as it is.

    It does not depend on the links that lead to the folder.

    Args:
        path: The path as given. Links below the folder keep their names.
        root: The folder, without links.
    """
    if path.startswith("s3://"):
        # An object is where it is from everywhere.
        return path
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links below the folder are kept
    if not absolute.is_relative_to(root):
        ways = (
            root / absolute.relative_to(above) for above in absolute.parents if os.path.realpath(above) == str(root)
        )
        absolute = next(ways, Path(os.path.realpath(absolute.parent), absolute.name))
    return PurePath(os.path.relpath(absolute, root)).as_posix()


def matching(names: Iterable[str], globs: Sequence[str]) -> set[str]:
    """The names that the globs match, by the rules of gitignore.

    `*` matches within a folder, `**` across folders; a glob without a slash matches a name in any folder, and one that
    matches a folder matches everything in it. Of several globs that match a name the last one decides; one that begins
    with `!` takes names back. A glob that gitignore does not allow matches nothing.

    Args:
        names: Relative paths with slashes, or source-refs.
        globs: The patterns.
    """
    listed = list(names)
    if not listed or not globs:
        return set()
    import polars as pl

    is_matched = _is_matched(pl.Series(list(map(_as_text, listed)), dtype=pl.String), globs)
    return {name for name, matched in zip(listed, is_matched, strict=True) if matched}


def matches(column: str, globs: Sequence[str]) -> Expr:
    """Whether the globs match the text of a column; false where it is null."""
    import polars as pl

    def match(texts: Series) -> Series:
        distinct = texts.drop_nulls().unique()
        return texts.is_in(distinct.filter(_is_matched(distinct, globs)).implode()).fill_null(False)

    return pl.col(column).map_batches(match, return_dtype=pl.Boolean)


def _is_matched(texts: Series, globs: Sequence[str]) -> Series:
    import polars as pl

    texts = texts.str.replace("://", "/", literal=True).str.strip_prefix("/")
    matched = pl.repeat(False, len(texts), dtype=pl.Boolean, eager=True)
    for glob in globs:
        regex, includes = _regex(glob)
        if regex is None:
            continue
        try:
            hits = texts.str.contains(regex)
        except pl.exceptions.ComputeError:
            # A range such as [z-a]; in gitignore it matches nothing either.
            continue
        matched = matched | hits if includes else matched & ~hits
    return matched


@cache
def _regex(glob: str) -> tuple[str | None, bool]:
    """The regular expression of a glob, for an engine that takes linear time, and whether it includes what it matches.

    Python's engine, which pathspec uses itself, takes exponential time on some globs.
    """
    try:
        # The two slashes of a URI would make an empty folder name, which no pattern matches.
        regex, includes = GitIgnoreSpecPattern.pattern_to_regex(_as_text(glob).replace("://", "/"))
    except GitIgnorePatternError:
        return None, True
    if regex is None:
        return None, True
    return "(?s)" + _ESCAPE_OR_SET.sub(_portable, regex), bool(includes)


def _as_text(name: str) -> str:
    # Names of files may hold bytes that are not text, which polars refuses.
    return name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _portable(token: re.Match[str]) -> str:
    """A set of characters without those that mean something else in the other engine; escapes as they are."""
    text = token[0]
    if text.startswith("\\"):
        return text
    caret = "^" if text[1] == "^" else ""
    inside = text[1 + len(caret) : -1].replace("\\\\", "\\")
    parts = re.findall(r"(.)-(.)|(.)", inside, re.DOTALL)
    return f"[{caret}{''.join('-'.join(map(_coded, filter(None, part))) for part in parts)}]"


def _coded(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"
