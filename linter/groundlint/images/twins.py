"""Twins of missing images: files whose names differ from a key only in how they are written."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif")
)
"""Suffixes of image files, in lower case: `1.txt` beside a missing `1.jpg` holds its boxes."""


class _Index(NamedTuple):
    """The names in a folder by their normal form, and those of image files by their normal form without suffix."""

    names: Mapping[str, list[str]]
    stems: Mapping[str, list[str]]
    has_paths: bool


class TwinFinder:
    """Finds entries of folders whose names differ from a key only in URL encoding, case, normalization or suffix."""

    def __init__(self, names_in: Callable[[str], Iterable[str]]) -> None:
        """Prepare a search.

        Args:
            names_in: Lists the names in a folder; none where there is no such folder.
        """
        self._names_in = names_in
        self._indexes: dict[str, _Index] = {}

    def folders(self, base: str, path: str) -> Iterator[str]:
        """Yield the folders below another that a path may mean."""
        above, _, name = normal_form(path).rpartition("/")
        if not name:
            yield base
            return
        for folder in self.folders(base, above):
            for twin in self._index(folder).names.get(name, ()):
                yield os.path.join(folder, twin)  # noqa: PTH118 - making a Path for each image takes long

    def find(self, folder: str, name: str) -> str | None:
        """Return the name of the file in a folder that a name probably means; None where there is none.

        Args:
            folder: The folder.
            name: The name in its normal form.
        """
        index = self._index(folder)
        if twins := index.names.get(name):
            return twins[0]
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - as above
        twins = index.stems.get(stem) if suffix in _SUFFIXES else None
        return twins[0] if twins else None

    def has_paths(self, folder: str) -> bool:
        """Return whether a name in a folder is itself a path, with backslashes or encoded slashes."""
        return self._index(folder).has_paths

    def _index(self, folder: str) -> _Index:
        if folder not in self._indexes:
            names: dict[str, list[str]] = {}
            stems: dict[str, list[str]] = {}
            for name in sorted(self._names_in(folder)):
                normal = normal_form(name)
                names.setdefault(normal, []).append(name)
                stem, suffix = os.path.splitext(normal)  # noqa: PTH122 - as above
                if suffix in _SUFFIXES:
                    stems.setdefault(stem, []).append(name)
            self._indexes[folder] = _Index(names, stems, any("/" in normal for normal in names))
        return self._indexes[folder]


def normal_form(name: str) -> str:
    """Return a name or path without what may differ between a key and its file: slashes, case, encoding."""
    if "%" in name or "+" in name:
        name = unquote_plus(name)
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    return name.replace("\\", "/").casefold()


def difference(key: str, file: str) -> str:
    """Return how a key differs from the name of the file that it probably means, as a clause."""
    if unicodedata.normalize("NFC", key) == unicodedata.normalize("NFC", file):
        return "its name has another Unicode normalization"
    if key.replace("\\", "/") == file.replace("\\", "/"):
        return f"the {'key' if key.count('/') < file.count('/') else 'file name'} has backslashes"
    if file in (unquote(key), unquote_plus(key)):
        return "the key is URL-encoded"
    if key in (unquote(file), unquote_plus(file)):
        return "the file name is URL-encoded"
    if key.casefold() == file.casefold():
        return "upper and lower case differ"
    if PurePosixPath(key).with_suffix("") == PurePosixPath(file).with_suffix(""):
        return "its extension differs"
    return "its name is written differently"
